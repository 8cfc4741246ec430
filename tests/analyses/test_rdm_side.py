"""RDMs from trials and what is made of them: what a first-time user with repeats got wrong in silence."""

import numpy as np
import pytest

import consilience as cs

IDS = [f"s{i}" for i in range(8)]


def trials(seed=0, *, runs=4, units=20, order=None, scale=1.0, drop=(), **labels):
    """8 stimuli x 4 runs; ``order``: of the stimuli in each run; ``drop``: rows that are left out."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(8, units))
    rows = np.concatenate([np.arange(8) if order is None else order(run) for run in range(runs)])
    x = (truth[rows] + rng.normal(size=(8 * runs, units))) * scale
    keep = np.setdiff1d(np.arange(8 * runs), drop)
    return cs.responses(
        x[keep],
        stimulus=np.array(IDS)[rows][keep],
        repeat="count",
        run=np.repeat(np.arange(runs), 8)[keep],
        system="area",
        **labels,
    )


def model(vector=None):
    d = np.abs(np.subtract.outer(np.arange(8.0), np.arange(8.0))) if vector is None else vector
    return cs.rdm_data(d, stimulus=IDS, system="model")


# -- RDMs of several parts are matched by id


def test_rdms_in_a_mapping_are_matched_by_id():
    data = trials(order=lambda run: np.random.default_rng(run).permutation(8))
    parts = {
        f"runs {kept}": cs.rdms(
            data[np.isin(data["run"], kept)], folds="run", noise=None, n_splits=0, n_boot=0
        )
        for kept in ([0, 1], [2, 3])
    }
    orders = [one.rdms["stimulus"].values.tolist() for one in parts.values()]
    assert orders[0] != orders[1]
    brain = cs.rdm_data(parts, system="brain")
    assert brain["subject"].values.tolist() == list(parts)
    assert brain.attrs["distance"] == "crossnobis"
    for one, name in zip(brain, parts):
        there = parts[name].rdms[0]
        expected = there.sel(stimulus=brain["stimulus"], stimulus_=brain["stimulus_"].values)
        np.testing.assert_allclose(one.values, expected.values)
    as_data = cs.rdm_data({name: one.to_rdm_data()["area"] for name, one in parts.items()})
    np.testing.assert_array_equal(as_data.values, brain.values)


def test_rdms_in_a_mapping_are_refused_where_they_do_not_fit():
    one, two = trials(0), trials(1)
    both = cs.rdms({"a": one, "b": two}, distance="euclidean", n_splits=0)
    with pytest.raises(cs.InputError, match=r"are of 2 systems \(a, b\); choose one"):
        cs.rdm_data({"x": both})
    with pytest.raises(cs.InputError, match="take one system with"):
        cs.rdm_data(both, stimulus=IDS)
    with pytest.raises(cs.InputError, match="leave stimulus="):
        cs.rdm_data({"x": model()}, stimulus=IDS)
    with pytest.raises(cs.InputError, match="of one distance"):
        cs.rdm_data({"x": model(), "y": both.to_rdm_data()["a"]})
    with pytest.raises(cs.InputError, match="another order"):
        cs.rdm_data(both.rdms, stimulus=IDS[::-1], subject=["a", "b"])
    with pytest.raises(cs.InputError, match="2 subjects"):
        cs.rdm_data({"x": cs.rdm_data(both.rdms, stimulus=IDS, subject=["a", "b"])})
    with pytest.raises(cs.InputError, match="at least one"):
        cs.rdm_data({})


# -- values that are very large or very small


@pytest.mark.parametrize("scale", [1e-170, 1e200])
def test_rdms_of_any_size_or_a_sentence(scale):
    one, other = trials(), trials(scale=scale)
    for distance in ("crossnobis", "mahalanobis"):
        given = {"distance": distance, "folds": "run" if distance == "crossnobis" else None, "n_boot": 0}
        np.testing.assert_allclose(
            cs.rdms(other, **given).rdms.values, cs.rdms(one, **given).rdms.values, rtol=1e-8, atol=1e-10
        )
    for options in ({"folds": "run", "noise": None}, {"distance": "euclidean"}):
        with pytest.raises(cs.InputError, match=r"system 'area': values around .* in another unit") as error:
            cs.rdms(other, **options)
        assert error.value.code == "out-of-range"
