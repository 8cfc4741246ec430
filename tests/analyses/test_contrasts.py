"""Contrasts of a comparison: planted order, the formulas, rules of resampling, and what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import consilience as cs

N = 40
IDS = [f"image{i:02d}" for i in range(N)]


def systems(seed: int = 0) -> tuple[dict[str, object], object]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 8))
    layers = {
        name: cs.responses(x + k * rng.normal(size=x.shape), stimulus=IDS)
        for name, k in (("near", 0.3), ("middle", 1.0), ("far", 3.0))
    }
    return layers, cs.responses(x + 0.3 * rng.normal(size=x.shape), stimulus=IDS, system="IT")


@pytest.mark.filterwarnings("ignore:.*(null-not-zero|best-not-chosen)")
def test_planted_order_under_every_rule() -> None:
    layers, it = systems()
    found = cs.compare(
        layers,
        it,
        measure=["rsa", "cka", "linear_predictivity", "procrustes"],
        n_boot=150,
        n_perm=0,
        held_out=False,
        rng=0,
    )
    table = found.contrasts(correction="max")
    frame = table.to_frame()
    assert set(frame["measure"]) == set(found.data["measure"].values)
    assert (frame["difference"] > 0).all()  # near > middle > far, in the order of the data
    assert (frame["p_corrected"] >= frame["p"] - 1e-12).all()
    far = frame[frame["second"] == "far"]
    assert (far["p_corrected"] < 0.05).all()
    assert ((frame["ci_low"] < frame["difference"]) & (frame["difference"] < frame["ci_high"])).all()
    plain = cs.compare(layers, it, n_boot=50, n_perm=0, rng=0).contrasts()
    assert all(row.passed for row in cs.testing.check_result(plain))


@pytest.mark.filterwarnings("ignore:.*(null-not-zero|best-not-chosen)")
def test_the_variance_is_that_of_the_rule() -> None:
    layers, it = systems()
    found = cs.compare(layers, it, measure=["cka", "procrustes"], n_boot=100, n_perm=0, held_out=False, rng=0)
    frame = found.contrasts(reference="far").to_frame()
    assert frame["first"].tolist() == ["near", "middle"] * 2
    from scipy import stats

    for rule, key in zip(("pairs", "subsample"), found.data["measure"].values):
        draws = found.draws.sel(measure=key, b="IT")
        away = (draws.sel(a="near") - draws.sel(a="far")).values
        away = away[np.isfinite(away)]
        variance = away.var(ddof=1)
        if rule == "pairs":
            out = found.leave_one_out.sel(measure=key, b="IT")
            out = (out.sel(a="near") - out.sel(a="far")).values
            assert out.shape == (N,)
            variance = cs.stats.once_counted_variance(out.var() * (N - 1), variance, n=N)
        else:
            variance *= (N - 4) / 4
        width = stats.t.ppf(0.975, N - 1) * np.sqrt(variance)
        row = frame[(frame["measure"] == key) & (frame["first"] == "near")].iloc[0]
        assert np.isclose(row["ci_high"] - row["difference"], width)


@pytest.mark.parametrize("measure", ["rsa", "cka", functools.partial(cs.measures.rsa, method="kendall")])
def test_leave_one_out_is_the_value_of_the_pairs_that_stay(measure, tmp_path) -> None:
    layers, it = systems()
    found = cs.compare(layers, it, measure=measure, n_boot=20, n_perm=0, rng=0)
    moved = cs.influence(layers, it, measure=measure, threshold=99.0, smallest=9.0)
    known = moved.data["value"] + moved.stimuli["influence"]
    assert np.allclose(found.leave_one_out.values, known.transpose(*found.leave_one_out.dims).values)
    assert found.leave_one_out["stimulus"].values.tolist() == IDS
    again = cs.load(found.save(tmp_path / "c.nc"))
    assert again.leave_one_out.equals(found.leave_one_out)
    assert np.allclose(again.contrasts().data["p"], found.contrasts().data["p"])
    assert cs.compare(layers["near"], it, measure=measure, n_boot=20, n_perm=0, rng=0).leave_one_out is None


@pytest.mark.filterwarnings("ignore:.*(null-not-zero|best-not-chosen)")
def test_the_text_fits_a_screen() -> None:
    layers, it = systems()
    long = {name * 20: data for name, data in layers.items()}
    few = cs.compare(
        long, it, measure=["procrustes", "rsa"], held_out=False, n_boot=20, n_perm=0, rng=0, join="inner"
    )
    assert few.warnings
    assert max(map(len, repr(few.contrasts()).split("\n"))) <= 120


def test_subjects_widen_the_interval_and_are_saved(tmp_path) -> None:
    layers, _ = systems()
    rng = np.random.default_rng(1)
    base = cs.measures.rdm(layers["near"].values)
    people = cs.rdm_data(
        base + 0.4 * rng.random((5, base.size)),
        stimulus=IDS,
        distance="correlation",
        subject=list("abcde"),
        system="IT",
    )
    found = cs.compare(layers, people, measure="rsa", n_boot=100, n_perm=0, rng=0)
    assert found.both_draws is not None
    frame = found.contrasts().to_frame()
    assert np.isfinite(frame["ci_both_low"]).all()
    again = cs.load(found.save(tmp_path / "c.nc")).contrasts().to_frame()
    assert np.allclose(again["p"], frame["p"])
    alone = cs.compare(layers, layers["near"], measure="rsa", n_boot=20, n_perm=0, rng=0)
    assert alone.both_draws is None


def test_what_is_refused() -> None:
    layers, it = systems()
    found = cs.compare(layers, it, n_boot=0, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="there are no draws"):
        found.contrasts()
    with pytest.raises(cs.InputError, match="side b has one system"):
        found.contrasts("b")
    found = cs.compare(layers, it, n_boot=20, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="Did you mean 'near'"):
        found.contrasts(reference="nar")


def test_plot() -> None:
    pytest.importorskip("matplotlib")
    layers, it = systems()
    table = cs.compare(layers, it, n_boot=50, n_perm=0, rng=0).contrasts()
    assert len(table.plot().get_yticks()) == 3
