"""`evaluate_models`: planted truth, the published package, direct formulas, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience.analyses._evaluation import Table
from consilience.models import FixedRDM, InterpolateRDM, SelectRDM, WeightedRDM
from consilience.stats import multinomial_weights

N, S = 24, 6
IDS = [f"image{i:02d}" for i in range(N)]
NAMES = {"cosine": "cosine", "pearson": "corr"}


def planted(seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Four model RDMs; subjects are 0.6 of the first and 0.4 of the second, with noise."""
    rng = np.random.default_rng(seed)
    parts = np.stack([cs.measures.rdm(rng.normal(size=(N, 8)), distance="euclidean") for _ in range(4)])
    return parts, 0.6 * parts[0] + 0.4 * parts[1] + noise * rng.random((S, parts.shape[1]))


def brain(people: np.ndarray) -> xr.DataArray:
    return cs.rdm_data(people, stimulus=IDS, subject=[f"s{i}" for i in range(len(people))], system="IT")


def mapping(parts: np.ndarray) -> dict[str, xr.DataArray]:
    return {f"m{i}": cs.rdm_data(v, stimulus=IDS) for i, v in enumerate(parts)}


@pytest.mark.parametrize("method", NAMES)
def test_values_and_ceilings_equal_rsatoolbox(method: str) -> None:
    inference = pytest.importorskip("rsatoolbox.inference")
    model, rdm = pytest.importorskip("rsatoolbox.model"), pytest.importorskip("rsatoolbox.rdm")
    parts, people = planted()
    theirs = inference.eval_fixed(
        [model.ModelFixed(str(i), rdm.RDMs(v[None])) for i, v in enumerate(parts)],
        rdm.RDMs(people),
        method=NAMES[method],
    )
    ours = cs.evaluate_models(mapping(parts), brain(people), method=method, n_boot=0, n_perm=0, rng=0)
    assert np.abs(ours.subjects.values - theirs.evaluations[0]).max() < 1e-10
    assert np.abs(ours.ceilings["value"].values - theirs.noise_ceiling).max() < 1e-10
    assert ours.draws is None
    assert np.isnan(ours.data["ci_low"].values).all()


def test_cross_validated_values_equal_rsatoolbox_fold_by_fold() -> None:
    fitter, rdm = pytest.importorskip("rsatoolbox.model.fitter"), pytest.importorskip("rsatoolbox.rdm")
    model = pytest.importorskip("rsatoolbox.model")
    parts, people = planted(noise=4.0)
    parts, people = parts / 100, people / 100
    folds, subject_folds = np.arange(N) % 3, np.arange(S) % 2
    for method, name in NAMES.items():
        estimators = [
            FixedRDM(parts[0], method=method),
            SelectRDM(parts, method=method),
            WeightedRDM(parts, method=method),
        ]
        table = Table(estimators, people, N, method)
        grams = table.fold_grams(np.ones((1, N)), folds[None], 3)
        found, _, _ = table.cross_validated(*grams, subject_folds[None], 2, np.ones((1, S)))
        known = np.zeros(3)
        fits = (fitter.fit_mock, fitter.fit_select, fitter.fit_regress_nn)
        sides = (
            model.ModelFixed("f", rdm.RDMs(parts[:1])),
            model.ModelSelect("s", rdm.RDMs(parts)),
            model.ModelWeighted("w", rdm.RDMs(parts)),
        )
        whole = rdm.RDMs(people)
        for f in range(3):
            for p in range(2):
                train = whole.subset("index", np.flatnonzero(subject_folds != p))
                train = train.subset_pattern("index", np.flatnonzero(folds != f))
                test = whole.subset("index", np.flatnonzero(subject_folds == p))
                test = test.subset_pattern("index", np.flatnonzero(folds == f))
                for j, (one, fit) in enumerate(zip(sides, fits)):
                    theta = fit(
                        one,
                        train,
                        method=name,
                        pattern_idx=np.flatnonzero(folds != f),
                        pattern_descriptor="index",
                    )
                    predicted = one.predict_rdm(theta).subset_pattern("index", np.flatnonzero(folds == f))
                    known[j] += np.mean(rdm.compare(predicted, test, method=name)) / 6
        assert np.abs(found[0] - known).max() < 1e-8


def test_draws_are_values_of_the_resampled_rdms() -> None:
    """A draw = the RDMs of the stimuli drawn, pairs of a stimulus with itself left out; centred anew."""
    parts, people = planted()
    rows, columns = np.triu_indices(N, 1)
    rng = np.random.default_rng(1)
    w, u = multinomial_weights(N, 3, rng), multinomial_weights(S, 3, rng)
    for method in NAMES:
        table = Table([FixedRDM(v) for v in parts], people, N, method)
        found = table.plain(w, u)
        for d in range(3):
            v = w[d][rows] * w[d][columns]

            def value(a: np.ndarray, b: np.ndarray, v: np.ndarray = v, method: str = method) -> float:
                if method == "pearson":
                    a, b = (z - (v @ z) / v.sum() for z in (a, b))
                return float((v * a) @ b / np.sqrt((v * a) @ a * ((v * b) @ b)))

            unit = [z - (v @ z) / v.sum() * (method == "pearson") for z in people]
            unit = np.stack([z / np.sqrt((v * z) @ z) for z in unit])
            for s in range(S):
                assert np.isclose(found.models[d, 0, s], value(parts[0], people[s]))
                others = np.delete(np.arange(S), s)
                assert np.isclose(found.low[d, s], value(u[d][others] @ unit[others], people[s]))
                assert np.isclose(found.high[d, s], value(u[d] @ unit, people[s]))


def test_planted_models_are_told_apart_and_the_weighted_one_wins() -> None:
    parts, people = planted(noise=2.0)
    fixed = mapping(parts)
    models = {
        **fixed,
        "weighted": WeightedRDM(fixed),
        "select": SelectRDM(fixed),
        "path": InterpolateRDM(fixed),
    }
    found = cs.evaluate_models(models, brain(people), method="pearson", n_boot=100, n_perm=60, rng=0)
    value = found.data["value"]
    assert str(value.idxmax("model").item()) in ("weighted", "path")
    assert float(found.pairs["p_corrected"].sel(model="weighted", other="m1")) < 0.05
    assert float(found.data["p"].sel(model="weighted")) == pytest.approx(1 / 61)
    assert float(found.data["p"].sel(model="m3")) > 0.05
    assert float(found.data["p_ceiling"].sel(model="m2")) < 0.05
    assert float(found.data["p_ceiling"].sel(model="weighted")) > 0.05
    assert found.data["kind"].values.tolist() == ["fixed"] * 4 + ["weighted", "select", "interpolate"]
    assert len(found.pairs_frame()) == 21
    swapped = found.pairs["ci_low"].values
    assert np.allclose(swapped, -found.pairs["ci_high"].values.T, equal_nan=True)


def test_settings_do_what_they_say() -> None:
    parts, people = planted()
    first = cs.evaluate_models(mapping(parts), brain(people), n_boot=60, n_perm=20, rng=3)
    again = cs.evaluate_models(mapping(parts), brain(people), n_boot=60, n_perm=20, rng=3)
    assert first.draws is not None
    assert (first.draws.values == again.draws.values).all()
    for name in ("fdr", "max", "none"):
        other = cs.evaluate_models(
            mapping(parts), brain(people), n_boot=60, n_perm=20, rng=3, correction=name
        )
        assert np.allclose(other.pairs["p"], first.pairs["p"], equal_nan=True)
        if name != "max":
            assert (other.pairs_frame()["p_corrected"] <= first.pairs_frame()["p_corrected"] + 1e-12).all()
    shuffled = {
        k: v.isel(stimulus=slice(None, None, -1), stimulus_=slice(None, None, -1))
        for k, v in mapping(parts).items()
    }
    moved = cs.evaluate_models(shuffled, brain(people), n_boot=0, n_perm=0, rng=0)
    assert np.allclose(moved.data["value"], first.data["value"])
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-missing"):
        one = cs.evaluate_models(mapping(parts), brain(people[:1]), n_boot=60, n_perm=0, rng=0)
    assert np.isnan(one.ceilings["value"].sel(bound="low"))
    assert np.isfinite(one.pairs_frame()["p"]).all()
    assert np.isnan(one.data["ci_both_low"].values).all()


@pytest.mark.parametrize("method", ["spearman", "kendall", "rho_a", "whitened_cosine", "whitened_pearson"])
def test_other_comparisons_of_fixed_models(method: str) -> None:
    parts, people = planted()
    found = cs.evaluate_models(mapping(parts[:2]), brain(people), method=method, n_boot=40, n_perm=20, rng=0)
    known = [float(cs.measures.compare_rdms(parts[0], v, method=method)) for v in people]
    assert np.allclose(found.subjects.values[0], known)
    assert np.isfinite(found.data["ci_both_low"].values).all()
    assert float(found.data["p"][0]) == pytest.approx(1 / 21)


def test_responses_are_models_and_subjects() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 30))
    model = cs.responses(x, stimulus=IDS, system="layer")
    people = {f"s{i}": cs.responses(x + rng.normal(size=x.shape), stimulus=IDS) for i in range(3)}
    found = cs.evaluate_models({"layer": model}, people, n_boot=30, n_perm=20, rng=0, method="pearson")
    assert found.subjects["subject"].values.tolist() == ["s0", "s1", "s2"]
    one = cs.measures.compare_rdms(cs.measures.rdm(x), cs.measures.rdm(people["s1"].values), method="pearson")
    assert np.isclose(float(found.subjects[0, 1]), float(one))


def test_what_is_refused() -> None:
    parts, people = planted()
    good = mapping(parts)
    with pytest.raises(cs.InputError, match="models must be a mapping"):
        cs.evaluate_models(good["m0"], brain(people))
    with pytest.raises(cs.InputError, match=r"wrap RDMs with cs\.rdm_data"):
        cs.evaluate_models({"w": WeightedRDM(parts)}, brain(people))
    with pytest.raises(cs.InputError, match="'cosine' or 'pearson', got 'kendall'"):
        cs.evaluate_models({"s": SelectRDM(good)}, brain(people), method="kendall")
    with pytest.raises(cs.InputError, match="has 6 RDMs; say what they are"):
        cs.evaluate_models({"all": brain(people)}, brain(people))
    with pytest.raises(cs.InputError, match="cv must be one number or two"):
        cs.evaluate_models({"s": SelectRDM(good)}, brain(people), cv=(2, 2, 2))
    with pytest.raises(cs.InputError, match=r"cv \(subjects\) must be a whole number"):
        cs.evaluate_models({"s": SelectRDM(good)}, brain(people), cv=(2, 9))
    with pytest.raises(cs.InputError, match="bures"):
        cs.evaluate_models(good, brain(people), method="bures")


def test_result_and_plot() -> None:
    pytest.importorskip("matplotlib")
    parts, people = planted()
    found = cs.evaluate_models(mapping(parts), brain(people), n_boot=50, n_perm=20, rng=0)
    assert all(row.passed for row in cs.testing.check_result(found))
    ax = found.plot()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["m0", "m1", "m2", "m3"]
    with pytest.raises(cs.InputError, match="must be a ModelEvaluation"):
        cs.plots.plot_evaluation(1)


EIGHT = [f"s{k}" for k in range(8)]
FLAT = 1.0 - np.eye(8)


def _random(seed):
    return cs.measures.rdm(np.random.default_rng(seed).normal(size=(8, 20)), square=True)


@pytest.mark.parametrize("fit", [False, True])
def test_a_model_without_structure_is_refused_by_name(fit):
    d = cs.rdm_data(np.stack([_random(k) for k in range(3)]), stimulus=EIGHT, subject=list("ABC"))
    flat, good = cs.rdm_data(FLAT, stimulus=EIGHT), cs.rdm_data(_random(9), stimulus=EIGHT)
    model = cs.models.WeightedRDM({"good": good, "flat": flat}) if fit else flat
    with pytest.raises(cs.InputError, match=r"model 'm'.*equal"):
        cs.evaluate_models({"m": model, "good": good}, d, method="pearson", n_boot=0, n_perm=0, rng=0)


def test_a_subject_without_structure_is_refused_by_name():
    d = cs.rdm_data(np.stack([_random(0), FLAT]), stimulus=EIGHT, subject=["A", "B"])
    with pytest.raises(cs.InputError, match="subject 'B'"):
        cs.evaluate_models(
            {"m": cs.rdm_data(_random(9), stimulus=EIGHT)}, d, method="pearson", n_boot=0, n_perm=0, rng=0
        )


def test_one_rdm_has_no_ceiling_and_says_so():
    d, m = (cs.rdm_data(_random(k), stimulus=EIGHT) for k in (0, 1))
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-missing"):
        found = cs.evaluate_models({"m": m}, d, n_boot=50, n_perm=0, rng=0)
    assert np.isnan(found.ceilings["value"].values).all()


@pytest.mark.parametrize("size", [1e-305, 1e-170, 1e-100, 1e100, 1e200, 1e300])
def test_the_size_of_rdms_does_not_matter(size):
    rng = np.random.default_rng(0)
    one, two = (cs.measures.rdm(rng.normal(size=(12, 4)), distance="sqeuclidean") for _ in range(2))
    people = np.abs(one + 0.3 * rng.normal(size=(4, one.size)))
    ids = [f"s{i}" for i in range(12)]

    def values(by):
        data = cs.rdm_data(people * by, stimulus=ids, subject=list("abcd"))
        models = {"one": cs.rdm_data(one * by, stimulus=ids), "two": cs.rdm_data(two, stimulus=ids)}
        both = {"one": models["one"], "two": cs.rdm_data(two * by, stimulus=ids)}
        options = {"n_boot": 100, "n_perm": 20, "rng": 0}
        fixed = cs.evaluate_models(models, data, method="pearson", **options).to_frame()
        mixed = cs.evaluate_models({"mix": cs.models.WeightedRDM(both)}, data, **options).to_frame()
        parts = cs.partition(data, models, **options).to_frame()
        return [f.select_dtypes("number").to_numpy() for f in (fixed, mixed, parts)]

    for found, expected in zip(values(size), values(1.0)):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_rdms_of_one_model_that_are_too_far_apart_are_refused():
    rng = np.random.default_rng(0)
    one, two = (cs.measures.rdm(rng.normal(size=(12, 4))) for _ in range(2))
    ids = [f"s{i}" for i in range(12)]
    parts = {"one": cs.rdm_data(one, stimulus=ids), "two": cs.rdm_data(two * 1e-200, stimulus=ids)}
    data = cs.rdm_data(np.stack([one, two]), stimulus=ids, subject=["s1", "s2"])
    with pytest.raises(cs.InputError, match="too far apart for a float64") as found:
        cs.evaluate_models({"mix": cs.models.WeightedRDM(parts)}, data, n_boot=0, n_perm=0, rng=0)
    assert found.value.code == "out-of-range"


def test_no_interval_passes_what_a_correlation_can_be():
    rng = np.random.default_rng(3)
    one = cs.measures.rdm(rng.normal(size=(6, 4)))
    ids = [f"s{i}" for i in range(6)]
    data = cs.rdm_data(np.abs(one + 0.3 * rng.normal(size=(3, one.size))), stimulus=ids, subject=list("abc"))
    found = cs.evaluate_models(
        {"one": cs.rdm_data(one, stimulus=ids)}, data, method="pearson", n_perm=0, rng=0
    )
    for table in (found.data, found.ceilings):
        for name in ("ci", "ci_subjects", "ci_both"):
            low, high = table[f"{name}_low"].values, table[f"{name}_high"].values
            assert (low >= -1).all()
            assert (high <= 1).all()
    assert (found.data["ci_both_high"] == 1).all()  # t alone would have gone on
