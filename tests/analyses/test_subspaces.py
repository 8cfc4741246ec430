"""The verb `subspaces`: units by their ids, labels, what is said and refused, the result."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import consilience as cs

NAMES = [f"u{k:02d}" for k in range(20)]
QUICK = {"k": 2, "n_splits": 2, "n_null": 20, "rng": 0}


def day(name: str, *, seed: int = 0, trials: int = 6, same: bool = True, kind: str = "rate"):
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(np.random.default_rng(9).normal(size=(20, 4)))[0].T
    ids = np.repeat(np.arange(10), trials)
    x = (3 * rng.normal(size=(10, 2)) @ (q[:2] if same else q[2:]))[ids] + rng.normal(size=(ids.size, 20))
    return cs.responses(x, stimulus=ids, repeat="count", unit=NAMES, kind=kind, system=name)


def test_two_days_and_the_result():
    found = cs.subspaces(day("one"), day("two", seed=1), **QUICK)
    assert found.data["of"].values.tolist() == ["one", "two"]
    assert (found.data["value"] > 0.85).all()
    assert found.settings["condition"] == "stimulus"
    assert found.k == 2
    assert "principal angles" in repr(found)
    assert "2 dimensions" in repr(found)
    assert len(repr(found).splitlines()) < 12
    apart = cs.subspaces(day("one"), day("two", seed=1, same=False), **QUICK)
    assert (apart.data["value"] < 0.2).all()
    assert (apart.data["p_ceiling"] < 0.01).all()
    cs.testing.check_result(found)


def test_units_are_matched_by_id_whatever_their_order():
    one, two = day("one"), day("two", seed=1)
    order = np.random.default_rng(0).permutation(20)
    straight = cs.subspaces(one, two, **QUICK)
    mixed = cs.subspaces(one, two[:, order], **QUICK)
    assert np.allclose(straight.data["value"], mixed.data["value"])
    assert np.allclose(straight.angles["value"], mixed.angles["value"])


def test_units_that_differ_are_refused_or_left_out_as_asked():
    one, two = day("one"), day("two", seed=1)[:, 3:]
    with pytest.raises(cs.InputError, match="join='inner'") as error:
        cs.subspaces(one, two, **QUICK)
    assert error.value.code == "units-differ"
    with pytest.warns(cs.ConsilienceWarning, match="3 units"):
        found = cs.subspaces(one, two, join="inner", **QUICK)
    assert found.settings["n_units"] == 17
    other = two.assign_coords(unit=[f"v{k}" for k in range(17)])
    with pytest.raises(cs.InputError, match="share 0"):
        cs.subspaces(one, other, join="inner", **QUICK)


def test_units_without_names_are_said():
    bare = [d.assign_coords(unit=np.arange(20)) for d in (day("one"), day("two", seed=1))]
    with pytest.warns(cs.ConsilienceWarning) as said:
        cs.subspaces(*bare, **QUICK)
    assert [w.message.code for w in said] == ["units-by-number"]


def test_one_array_and_a_label():
    one, two = day("one"), day("two", seed=1, same=False)
    x = np.concatenate([one.values, two.values])
    both = cs.responses(
        x,
        stimulus=np.tile(one["stimulus"].values, 2),
        repeat="count",
        unit=NAMES,
        epoch=np.repeat(["plan", "move"], 60),
        kind="rate",
    )
    found = cs.subspaces(both, by="epoch", **QUICK)
    assert found.data["of"].values.tolist() == ["plan", "move"]
    assert (found.data["value"] < 0.2).all()
    with pytest.raises(cs.InputError, match="two values") as error:
        cs.subspaces(both, by="stimulus", **QUICK)
    assert error.value.code == "bad-label"
    with pytest.raises(cs.InputError, match="Did you mean 'epoch'"):
        cs.subspaces(both, by="epok", **QUICK)
    with pytest.raises(cs.InputError, match="or one and by"):
        cs.subspaces(both, **QUICK)


def test_single_trials_of_noisy_responses_are_said_and_noiseless_ones_are_not():
    one, two = (d.isel(trial=slice(None, None, 6)) for d in (day("one"), day("two", seed=1)))
    with pytest.warns(cs.ConsilienceWarning) as said:
        cs.subspaces(one, two, **QUICK)
    assert [w.message.code for w in said] == ["noise-included"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cs.subspaces(one, two, condition=None, **QUICK)
        cs.subspaces(*(d.assign_attrs(kind="activation") for d in (one, two)), **QUICK)


def test_epochs_of_the_same_trials_are_paired_and_k_can_be_chosen():
    one, two = day("one"), day("two", seed=1)
    assert cs.subspaces(one, two, **QUICK).settings["paired"]
    fewer = cs.subspaces(one, two[:-1], **QUICK)
    assert not fewer.settings["paired"]
    chosen = cs.subspaces(one, two, n_splits=2, n_null=0, rng=0)
    assert chosen.settings["k_chosen"]
    assert 1 <= chosen.k <= 4
    assert np.isnan(chosen.data["p_aligned"]).all()


def test_the_figure_and_the_report():
    pytest.importorskip("matplotlib")
    found = cs.subspaces(day("one"), day("two", seed=1), **QUICK)
    ax = found.plot()
    assert len(ax.figure.axes) == 4
    from consilience.report._geometry_words import of_subspaces

    text = " ".join(of_subspaces(found))
    assert "ceiling" in text
    assert "random subspaces" in text


def test_the_same_values_twice_are_refused():
    data = cs.responses(np.random.default_rng(0).normal(size=(40, 8)), stimulus=range(40))
    with pytest.raises(cs.InputError, match="same values") as error:
        cs.subspaces(data, data, rng=0)
    assert error.value.code == "identical-values"


def test_cells_of_several_labels_are_conditions():
    one, two = (
        d.assign_coords(
            half=("trial", d["stimulus"].values // 5), place=("trial", np.char.mod("p%d", d["stimulus"] % 5))
        )
        for d in (day("one"), day("two", seed=1))
    )
    found = cs.subspaces(one, two, condition=["half", "place"], **QUICK)
    assert found.settings["condition"] == ["half", "place"]
    assert "means of each half and place" in found.methods[0]
    assert np.allclose(found.data["value"], cs.subspaces(one, two, **QUICK).data["value"])
    with pytest.raises(cs.InputError, match="no coordinate"):
        cs.subspaces(one, two, condition=["half", "where"], **QUICK)
    with pytest.raises(cs.InputError, match="empty"):
        cs.subspaces(one, two, condition=[], **QUICK)
