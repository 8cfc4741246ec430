"""Contrasts against the noise ceiling: the parts they are made of, planted systems, and what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import consilience as cs
from consilience.analyses import _ceiling_gap as gaps
from consilience.measures import as_measure
from consilience.stats import left_out_cosines
from consilience.stats._crossed import left_out_pairs

N = 30
IDS = [f"image{i:02d}" for i in range(N)]
ONE_SIDED = ["rsa", "cka", "distance_correlation", "mutual_knn", "linear_predictivity", "procrustes"]


def repeated(seed: int = 0) -> tuple[dict[str, object], object]:
    """A true model, one that is not, and a brain of 6 repeats."""
    rng = np.random.default_rng(seed)
    truth, other = rng.normal(size=(2, N, 6))
    models = {"true": cs.responses(truth, stimulus=IDS), "other": cs.responses(other, stimulus=IDS)}
    trials = np.tile(truth, (6, 1)) + rng.normal(size=(6 * N, 6))
    return models, cs.responses(trials, stimulus=IDS * 6, repeat="count", system="IT")


def people(seed: int = 0, s: int = 5) -> tuple[object, object]:
    models, _ = repeated(seed)
    rng = np.random.default_rng([seed, 1])
    truth = models["true"].values
    noisy = np.stack([cs.measures.rdm(truth + rng.normal(size=truth.shape)) for _ in range(s)])
    brain = cs.rdm_data(noisy, stimulus=IDS, subject=list("abcde"[:s]), distance="correlation")
    rdms = {
        name: cs.rdm_data(cs.measures.rdm(x.values), stimulus=IDS, distance="correlation")
        for name, x in models.items()
    }
    return rdms, brain


@pytest.mark.parametrize("diagonal", [False, True])
def test_pairs_without_each_stimulus_and_their_influence(diagonal: bool) -> None:
    rng = np.random.default_rng(0)
    n, pairs = 7, 21
    a, b = rng.normal(size=(2, 3, pairs + n * diagonal))
    value, left_out, influence = left_out_pairs(a, b, n, diagonal=diagonal)
    each = left_out_cosines(a, b, n, diagonal=diagonal)
    assert np.allclose(left_out, np.einsum("nkk->kn", each))
    step = np.ones(a.shape[1])
    step[4] += 1e-6

    def cosine(w: np.ndarray) -> np.ndarray:
        return (w * a * b).sum(axis=1) / np.sqrt((w * a * a).sum(axis=1) * (w * b * b).sum(axis=1))

    assert np.allclose(value, cosine(np.ones(a.shape[1])))
    assert np.allclose(influence[:, 4], pairs * (cosine(step) - value) / 1e-6, atol=1e-4)
    a[0, :pairs] = 0
    a[0, 0] = 1.0  # one pair alone: without either of its stimuli nothing is left
    if not diagonal:
        assert np.isnan(left_out_pairs(a, b, n)[1][0, :2]).all()


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_the_ceiling_of_subjects_is_the_leave_one_out_one(method: str) -> None:
    parts = as_measure(functools.partial(cs.measures.rsa, method=method)).parts
    _, brain = people()
    vectors = np.array([parts.from_rdm(v[np.triu_indices(N, 1)], "correlation") for v in brain.values])
    found = gaps.of_subjects(parts, vectors, N)
    assert found is not None

    def low(of: np.ndarray, weights: np.ndarray | None = None) -> float:
        pools = [parts.pool(np.delete(of, t, axis=0))[None] for t in range(len(of))]
        return float(
            np.mean([parts.combine(of[t : t + 1], pool, weights).squeeze() for t, pool in enumerate(pools)])
        )

    assert np.isclose(found.value.mean(), low(vectors))
    without = 1.0 - np.eye(N)[3:4]
    assert np.isclose(found.left_out.mean(axis=0)[3], low(vectors, without))
    fewer = np.array([low(np.delete(vectors, t, axis=0)) for t in range(5)])  # the jackknife's pseudo-values
    near = 1e-12 if method == "pearson" else 0.04  # means of ranks are not ranked again there
    assert np.allclose(found.value - found.value.mean(), -4 * (fewer - fewer.mean()), atol=near)
    assert gaps.of_subjects(parts, vectors[:2], N) is None
    each = gaps.of_values(
        parts, vectors, np.array([parts.pool(np.delete(vectors, t, axis=0)) for t in range(5)]), N
    )
    assert np.allclose(found.influence.mean(axis=0), each.influence.mean(axis=0))


@pytest.mark.filterwarnings("ignore:.*(best-not-chosen|null-not-zero)")
def test_a_system_below_the_ceiling_is_told_from_a_true_one(tmp_path) -> None:
    models, it = repeated()
    found = cs.compare(models, it, measure=ONE_SIDED, n_boot=30, n_perm=0, rng=0)
    table = found.contrasts(reference="ceiling")
    frame = table.to_frame()
    assert set(frame["second"]) == {"ceiling"}
    assert frame["measure"].tolist() == [m for m in found.data["measure"].values for _ in range(2)]
    gap = (found.data["value"] - found.data["ceiling_low"]).values[:, :, 0].ravel()
    assert np.allclose(frame["difference"], gap)
    by = frame.set_index("first")
    assert (by.loc["true", "p"] > 0.5).all()
    assert (by.loc["other", "p_corrected"] < 0.001).all()
    assert ((frame["ci_low"] < gap) & (gap < frame["ci_high"])).all()
    assert frame["ci_both_low"].isna().all()
    assert all(row.passed for row in cs.testing.check_result(table))
    again = cs.load(found.save(tmp_path / "c.nc")).contrasts(reference="ceiling").to_frame()
    assert again.equals(frame)
    assert found.contrasts(reference="ceiling", correction="none").data["p_corrected"].equals(table.data["p"])


@pytest.mark.filterwarnings("ignore:.*ceiling-missing")
def test_subjects_and_either_side() -> None:
    rdms, brain = people()
    found = cs.compare(rdms, brain, measure=["rsa", "cka"], n_boot=30, n_perm=0, rng=0)
    frame = found.contrasts(reference="ceiling").to_frame()
    assert np.isfinite(frame["ci_both_low"]).all()
    assert (frame["ci_both_high"] - frame["ci_both_low"] >= frame["ci_high"] - frame["ci_low"]).all()
    assert (frame[frame["first"] == "other"]["p"] < 0.05).all()
    turned = cs.compare(brain, rdms, measure=["rsa", "cka"], n_boot=30, n_perm=0, rng=0)
    other = turned.contrasts("b", reference="ceiling").to_frame()
    assert np.allclose(other["p"], frame["p"])
    assert len(turned.contrasts("a", reference="ceiling").to_frame()) == 4


def test_a_system_may_be_called_ceiling() -> None:
    models, it = repeated()
    found = cs.compare({"ceiling": models["true"], "x": models["other"]}, it, n_boot=30, n_perm=0, rng=0)
    row = found.contrasts(reference="ceiling").to_frame().iloc[0]
    assert np.isclose(row["difference"], float(np.diff(found.data["value"].values[0, :, 0])[0]))


@pytest.mark.filterwarnings("ignore:.*(best-not-chosen|ceiling-missing)")
def test_what_is_refused() -> None:
    models, it = repeated()
    found = cs.compare(models, it, n_boot=20, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="correction='max' needs draws"):
        found.contrasts(reference="ceiling", correction="max")
    with pytest.raises(cs.InputError, match="Did you mean 'ceiling'"):
        found.contrasts(reference="cieling")
    with pytest.raises(cs.InputError, match="n_boot=0"):
        cs.compare(models, it, n_boot=0, n_perm=0, rng=0).contrasts(reference="ceiling")
    tau = functools.partial(cs.measures.rsa, method="kendall")
    for a, b, measure in (
        (models, models["true"], "rsa"),  # no repeats
        (it, it.assign_attrs(system="V4"), "rsa"),  # both sides have them
        (models, it, tau),
    ):
        plain = cs.compare(a, b, measure=measure, n_boot=20, n_perm=0, rng=0)
        with pytest.raises(
            cs.InputError, match="no measure here has a noise ceiling that is tested"
        ) as error:
            plain.contrasts(reference="ceiling")
        assert error.value.code == "no-ceiling"
    rdms, brain = people(s=2)
    with pytest.raises(cs.InputError, match="at least 3 subjects"):
        cs.compare(rdms, brain, n_boot=20, n_perm=0, rng=0).contrasts(reference="ceiling")
