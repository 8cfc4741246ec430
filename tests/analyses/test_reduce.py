"""`cs.reduce` and `cs.project`: planted latents, held-out variance, null, labels, every kind of data and model."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import NMF, FastICA
from sklearn.decomposition import PCA as SkPCA
from sklearn.manifold import TSNE

import consilience as cs
from consilience.testing import check_result

QUICK = {"n_boot": 12, "n_perm": 39, "rng": 0}


def planted(n=80, p=20, scales=(4.0, 2.0), seed=0):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(p, len(scales))))[0].T
    z = rng.normal(size=(n, len(scales))) * scales
    return z @ axes + rng.normal(size=(n, p)), axes, z


def courses(seed=0, n=10, p=15, noise=0.5):
    rng = np.random.default_rng(seed)
    stimulus, choice = (v.ravel() for v in np.meshgrid(range(3), ["left", "right"], indexing="ij"))
    stimulus, choice = np.tile(stimulus, n), np.tile(choice, n)
    t = np.linspace(-0.1, 0.4, 12)
    a = np.linalg.qr(rng.normal(size=(p, 3)))[0].T
    rise = np.clip(t / 0.3, 0, 1)
    x = 3 * np.sin(8 * t)[None, :, None] * a[0]
    x = x + 2 * (stimulus - 1)[:, None, None] * rise[None, :, None] * a[1]
    x = x + 2 * np.where(choice == "left", -1, 1)[:, None, None] * rise[None, :, None] * a[2]
    x = x + noise * rng.normal(size=(len(stimulus), t.size, p))
    data = cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=t,
        stimulus=stimulus,
        repeat="count",
        choice=choice,
        system="PFC",
    )
    return data.assign_coords(area=("unit", ["A", "B", "C"] * (p // 3))), a


def test_planted_components_are_found_and_no_others():
    x, axes, z = planted()
    found = cs.reduce(cs.responses(x, stimulus=range(80)), cs.models.PCA(5), **QUICK)
    c = found.components
    assert found.n_significant == 2
    assert list(c["component"].values) == ["PC1", "PC2", "PC3", "PC4", "PC5"]
    own = found.loadings["loading"].values
    assert (np.abs(np.sum(own[:2] * axes, axis=1)) > 0.95).all()
    assert np.abs(np.corrcoef(found.latents.values[:, 0], z[:, 0])[0, 1]) > 0.95
    centred = x - x.mean(axis=0)
    expected = np.linalg.svd(centred, compute_uv=False)[:5] ** 2 / (centred**2).sum()
    np.testing.assert_allclose(c["explained"], expected)
    np.testing.assert_allclose(c["ratio"], expected)
    np.testing.assert_allclose(c["explained_total"], np.cumsum(expected))
    assert (c["held_out"][:2] < c["explained"][:2]).all()
    assert (c["held_out_low"] <= c["held_out"]).all()
    assert (c["ci_low"] < c["explained"]).all()
    assert (c["ci_high"] > c["explained"]).all()
    assert (c["alike"][:2] > 0.9).all()
    assert c["alike"][4] < 0.8
    assert (c["null_high"][:2] < c["explained"][:2]).all()


def test_held_out_variance_is_that_of_folds_by_hand():
    x, _, _ = planted(n=30)
    found = cs.reduce(cs.responses(x, stimulus=range(30)), cs.models.PCA(2), cv=3, n_boot=0, n_perm=0, rng=4)
    from consilience._core._seeds import resolve_seed
    from consilience.stats import group_folds

    tests = group_folds(np.arange(30), 3, resolve_seed(4, who="").stream("folds"))
    values = []
    for test in tests:
        train = np.setdiff1d(np.arange(30), test)
        model = SkPCA(2, svd_solver="full").fit(x[train])
        rest = x[test] - model.mean_
        values.append(((rest @ model.components_.T) ** 2).sum(axis=0) / (rest**2).sum())
    np.testing.assert_allclose(found.components["held_out"], np.mean(values, axis=0))
    assert found.settings["n_folds"] == 3
    assert np.isnan(found.components["p"]).all()
    assert found.n_significant is None


def test_without_structure_nothing_is_significant():
    x = np.random.default_rng(3).normal(size=(60, 12)) * np.linspace(1, 4, 12)
    found = cs.reduce(cs.responses(x, stimulus=range(60)), cs.models.PCA(3), standardise=True, **QUICK)
    assert found.n_significant == 0
    np.testing.assert_allclose(found.loadings["scale"], x.std(axis=0))


def test_means_of_conditions_are_fitted_where_labels_are_given():
    data, axes = courses()
    found = cs.reduce(data, cs.models.PCA(3), labels=["stimulus", "choice"], **QUICK)
    assert found.settings["fitted"] == "conditions"
    assert found.settings["n_fitted"] == 6
    means = data.values.reshape(10, 6, 12, 15).mean(axis=0).reshape(-1, 15)
    model = SkPCA(3, svd_solver="full").fit(means)
    np.testing.assert_allclose(np.abs(found.loadings["loading"].values), np.abs(model.components_), atol=1e-8)
    assert found.latents.dims == ("trial", "time", "component")
    assert found.latents.sizes["trial"] == 60
    np.testing.assert_array_equal(found.latents["choice"], data["choice"])
    np.testing.assert_allclose(found.latents["time"], data["time"])
    c = found.conditions
    assert c["condition"].values.tolist()[:2] == ["0, left", "0, right"]
    assert c["n"].values.tolist() == [10] * 6
    one = found.latents.values[(data["stimulus"].values == 0) & (data["choice"].values == "left")]
    np.testing.assert_allclose(c["mean"][0], one.mean(axis=0))
    half = 2.262157 * one.std(axis=0, ddof=1) / np.sqrt(10)
    np.testing.assert_allclose(c["ci_high"][0] - c["mean"][0], half, rtol=1e-5)
    single = cs.reduce(data, cs.models.PCA(3), labels=["choice"], average=False, n_boot=0, n_perm=0, rng=0)
    assert single.settings["fitted"] == "trials"
    np.testing.assert_allclose(
        np.abs(single.loadings["loading"].values),
        np.abs(SkPCA(3, svd_solver="full").fit(data.values.reshape(-1, 15)).components_),
        atol=1e-8,
    )
    assert (found.components["alike"] > 0.95).all()
    assert axes.shape == (3, 15)


def test_demixed_components_carry_their_marginalization():
    data, axes = courses()
    model = cs.models.DPCA(1, regularisation=0.01)
    found = cs.reduce(data, model, labels=["stimulus", "choice"], n_boot=4, n_perm=20, rng=0)
    c = found.components
    assert c["component"].values.tolist()[:2] == ["stimulus 1", "choice 1"]
    own = found.loadings["loading"].values
    assert abs(own[0] @ axes[1]) > 0.95
    assert abs(own[1] @ axes[2]) > 0.95
    m = found.marginalizations.sel(marginalization=["stimulus", "choice"])
    assert (m["p"] <= 0.05).all()
    assert (m["held_out_low"] <= m["held_out"]).all()
    assert float(m["signal_variance"].sum()) < 1
    assert (c["p"][:2] <= 0.05).all()
    by = found.marginalizations["explained_by"].values
    np.testing.assert_allclose(by.sum(axis=1), c["ratio"], atol=1e-9)
    np.testing.assert_allclose(cs.project(found, data).values, found.latents.values)


def test_trials_of_unequal_lengths_are_masked():
    data, _ = courses()
    valid = np.ones((60, 12), bool)
    valid[::2, 9:] = False
    ragged = data.assign_coords(valid=(("trial", "time"), valid))
    found = cs.reduce(ragged, cs.models.PCA(2), n_boot=2, n_perm=4, rng=0)
    assert np.isnan(found.latents.values[0, 9:]).all()
    assert np.isfinite(found.latents.values[1]).all()
    assert "missing='mask'" in found.settings["model"]
    assert float(found.components["explained_total"][1]) > 0.5
    with pytest.raises(cs.InputError, match="takes none") as caught:
        cs.reduce(ragged, SkPCA(2), n_boot=0, n_perm=0)
    assert caught.value.code == "nan-values"


def test_invalid_trials_are_left_out_and_inputs_stay():
    data, _ = courses()
    keep = np.arange(60) % 5 > 0
    masked = data.assign_coords(valid=("trial", keep))
    before = masked.values.copy()
    with pytest.warns(cs.ConsilienceWarning, match="12 of 60 trials are marked as not valid"):
        found = cs.reduce(masked, cs.models.PCA(2), n_boot=0, n_perm=0, rng=0)
    assert found.latents.sizes["trial"] == keep.sum()
    np.testing.assert_array_equal(masked.values, before)


def series(n=600, p=8, seed=0):
    rng = np.random.default_rng(seed)
    slow = np.convolve(rng.normal(size=n + 9), np.ones(10) / 3, "valid")
    x = np.outer(slow, rng.normal(size=p)) + rng.normal(size=(n, p))
    return cs.responses(x, dims=("time", "unit"), time=np.arange(n) * 0.1, system="ADN")


def test_a_series_is_split_into_stretches_with_a_gap_and_shifted():
    data = series()
    found = cs.reduce(data, cs.models.PCA(3), **QUICK)
    assert found.n_significant == 1
    assert found.settings["gap"] >= 2
    assert found.settings["fitted"] == "series"
    assert found.latents.dims == ("time", "component")
    assert found.conditions is None
    with pytest.raises(cs.InputError, match="labels= and groups=") as caught:
        cs.reduce(data, labels="stimulus")
    assert caught.value.code == "bad-parameter"


def test_models_of_sequences_take_a_series_as_one_trial():
    found = cs.reduce(
        series(300, 6), cs.models.GPFA(1, max_iter=10, tol=1e-4), cv=2, n_boot=0, n_perm=0, rng=0
    )
    assert found.latents.shape == (300, 1)
    assert found.components["timescale"].values > 0.1  # bins of 0.1 s
    assert "decoder" not in found.loadings
    with pytest.raises(cs.InputError, match="no linear map") as caught:
        cs.project(found, series(300, 6))
    assert caught.value.code == "no-map"


@pytest.mark.parametrize(
    "model", [SkPCA(2), FastICA(2, random_state=0), NMF(2, max_iter=2000)], ids=["pca", "ica", "nmf"]
)
def test_estimators_of_others_are_taken(model):
    x, _, _ = planted(n=60, p=8)
    data = cs.responses(np.abs(x), stimulus=range(60))
    found = cs.reduce(data, model, n_boot=5, n_perm=19, cv=3, rng=0)
    assert found.latents.shape == (60, 2)
    assert np.isfinite(found.components["held_out"]).all()
    assert found.components["explained_total"].values[-1] > 0.3
    assert (found.components["p"] <= 1).all()


def test_several_systems_give_a_mapping_of_results():
    x, _, _ = planted(n=40, p=6)
    a = cs.responses(x, stimulus=range(40))
    found = cs.reduce({"a": a, "b": a}, cs.models.PCA(2), n_boot=0, n_perm=0, rng=0)
    assert list(found) == ["a", "b"]
    assert found["b"].settings["system"] == "b"


def test_the_number_of_components_by_cross_validation_is_kept():
    x, _, _ = planted(n=100)
    found = cs.reduce(cs.responses(x, stimulus=range(100)), cs.models.PCA("cv"), n_boot=3, n_perm=19, rng=0)
    assert found.n_components == 2
    assert int(found.choice["number"].values[found.choice["score"].values.argmax()]) == 2


def test_projection_is_exact_and_knows_units_by_name():
    x, _, _ = planted(n=60)
    data = cs.responses(x, stimulus=range(60)).assign_coords(unit=[f"u{i}" for i in range(20)])
    for model in (cs.models.PCA(3), cs.models.FactorAnalysis(2)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            found = cs.reduce(data, model, standardise=True, n_boot=0, n_perm=0, rng=0)
        np.testing.assert_allclose(cs.project(found, data), found.latents, atol=1e-6)
        np.testing.assert_allclose(cs.project(found, data[:, ::-1]), found.latents, atol=1e-6)
    with pytest.raises(cs.InputError, match="lack 1 of the 20 units") as caught:
        cs.project(found, data[:, 1:])
    assert caught.value.code == "units-differ"
    with pytest.raises(cs.InputError, match="reduction must be a result of"):
        cs.project(data, data)


def test_jpca_says_that_its_rotations_have_no_null():
    data, _ = courses()
    with pytest.warns(cs.ConsilienceWarning, match="Test them with cs.structure"):
        found = cs.reduce(data, cs.models.JPCA(2), labels=["stimulus", "choice"], n_boot=2, n_perm=4, rng=0)
    assert found.dynamics["rate"].sizes["plane"] == 1
    assert 0 <= found.dynamics.attrs["r2"] <= 1


def test_embeddings_come_with_their_stability():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 150)
    x = np.exp(2 * np.cos(angle[:, None] - np.linspace(0, 2 * np.pi, 9)[:-1])) + 0.3 * rng.normal(
        size=(150, 8)
    )
    ring = cs.responses(x, stimulus=range(150))
    model = cs.models.Embedding(
        "tsne", n_neighbours=10, n_seeds=2, n_subsamples=2, n_null=3, options={"max_iter": 300}
    )
    found = cs.reduce(ring, model, rng=0)
    n = found.neighbours.attrs
    assert n["kept"] > 0.6
    assert n["kept"] > n["null_high"]
    assert n["over_seeds"] > 0.7
    noise = cs.responses(rng.normal(size=(150, 8)), stimulus=range(150))
    with pytest.warns(cs.ConsilienceWarning, match="Read no groups"):
        cs.reduce(noise, model, rng=0)
    wrapped = TSNE(max_iter=250, perplexity=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        assert cs.reduce(noise[:60], wrapped, rng=0).neighbours is not None


def refused(message, code, *args, **kwargs):
    with pytest.raises(cs.InputError, match=message) as caught:
        cs.reduce(*args, **kwargs)
    assert caught.value.code == code


def test_what_is_refused():
    x, _, _ = planted(n=20, p=5)
    data = cs.responses(x, stimulus=range(20))
    refused("a function, which has no axes", "bad-parameter", data, np.mean)
    refused("call it first", "bad-parameter", data, cs.models.PCA)
    refused(r"here write cs\.models\.PCA\(n_components=2\)", "bad-parameter", data, "pca:n_components=2")
    refused("must name coordinates", "bad-label", data, labels="colour")
    refused("name them, labels=", "bad-parameter", data, cs.models.DPCA(1))
    refused("cv must be at least 2", "bad-parameter", data, cv=1)
    refused("gap= is for series", "bad-dims", data, gap=3)
    refused("average=True takes means", "bad-parameter", data, average=True)
    refused("must be responses", "not-responses", x)
    refused("empty mapping", "too-few", {})
    refused("JPCA is of responses", "bad-dims", data, cs.models.JPCA(2))
    refused("LinearRegression has no transform", "bad-parameter", data, _line())
    refused("at least 20 samples", "too-few", series(12))


def _line():
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def test_the_result_is_saved_whole(tmp_path):
    data, _ = courses(n=4)
    found = cs.reduce(data, cs.models.PCA(3), labels="choice", n_boot=3, n_perm=19, rng=0)
    assert all(row.passed for row in check_result(found))
    path = found.save(tmp_path / "r.nc")
    again = cs.load(path)
    np.testing.assert_array_equal(again.components["null_high"], found.components["null_high"])
    np.testing.assert_array_equal(again.latents, found.latents)
    np.testing.assert_array_equal(again.loadings["area"], data["area"])
    assert dict(again.settings) == dict(found.settings)
    np.testing.assert_allclose(cs.project(again, data), found.latents)
    assert found.to_frame().shape[0] == 3


def test_one_seed_gives_one_result():
    data, _ = courses(n=4)
    one, two, other = (
        cs.reduce(data, cs.models.PCA(2), labels="choice", n_boot=4, n_perm=19, rng=r) for r in (1, 1, 2)
    )
    assert one.to_frame().equals(two.to_frame())
    assert not one.to_frame().equals(other.to_frame())


def test_a_tensor_decomposition_keeps_its_factors_and_counts_stay_counts():
    data, _ = courses(n=5)
    found = cs.reduce(data, cs.models.CP(2, n_restarts=2), labels="choice", cv=2, n_boot=2, n_perm=2, rng=0)
    assert found.latents.dims == ("trial", "component")
    assert found.conditions["mean"].dims == ("condition", "component")
    for dim, size in (("trial", 30), ("time", 12), ("unit", 15)):
        assert found.factors[f"{dim}_factor"].shape == (size, 2)
    assert float(found.components["held_out_total"][-1]) > 0.3
    assert "decoder" not in found.loadings
    counts = np.random.default_rng(0).poisson(np.exp(0.5 * data.values))
    spikes = data.copy(data=counts.astype(float)).assign_attrs(kind="count")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        made = cs.reduce(spikes, cs.models.PoissonGPFA(1, max_iter=2), cv=0, n_boot=0, n_perm=2, rng=0)
    assert float(made.components["p"][0]) == pytest.approx(1 / 3)
    assert made.components["timescale"].shape == (1,)


def test_a_linear_system_says_its_modes():
    data, _ = courses(n=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        found = cs.reduce(data, cs.models.LDS(2, max_iter=10), cv=0, n_boot=0, n_perm=0, rng=0)
    assert found.dynamics.sizes["mode"] == 2
    assert (found.dynamics["decay"] > 0).all()


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_missing_label_is_no_condition():
    rng = np.random.default_rng(0)
    side = np.tile(["l", "r"], 10).astype(object)
    side[3] = None
    number = np.where(side == "l", 1.0, 0.0)
    number[3] = np.nan
    data = cs.responses(
        rng.normal(size=(20, 6, 5)),
        dims=("trial", "time", "unit"),
        time=np.arange(6) * 0.1,
        stimulus=range(20),
        side=side,
        number=number,
    )
    for label in ("side", "number"):
        for call in (
            lambda name: cs.reduce(data, cs.models.PCA(2), labels=name, rng=0),
            lambda name: cs.reduce(data, cs.models.PCA(2), groups=name, rng=0),
            lambda name: cs.structure(data, by=name, rng=0),
            lambda name: cs.dimensionality(data, by=name, rng=0),
            lambda name: cs.geometry(data, by=name, rng=0),
            lambda name: cs.subspaces(data, 2 * data, condition=name, rng=0),
        ):
            said = f"'{label}' is missing .* in 1 of 20 trials .*trial 3"
            with pytest.raises(cs.InputError, match=said) as error:
                call(label)
            assert error.value.code == "nan-values"


def test_few_trials_are_said():
    x = np.random.default_rng(0).normal(size=(6, 40, 5))

    def of(n, labels=None, **more):
        data = cs.responses(
            x[:n, : 10 if n == 1 else 40],
            dims=("trial", "time", "unit"),
            time=np.arange(10 if n == 1 else 40) * 0.1,
            stimulus=[f"s{k}" for k in range(n)],
            **more,
        )
        return cs.reduce(data, cs.models.PCA(2), labels=labels, n_boot=9, n_perm=0, rng=0)

    with pytest.warns(cs.ConsilienceWarning, match="one trial .* has no other"):
        one = of(1)
    assert np.isnan(one.components["ci_low"]).all()
    assert np.isnan(one.components["alike"]).all()
    with pytest.warns(cs.ConsilienceWarning, match="draws of 3 trials"):
        assert np.isfinite(of(3).components["ci_low"]).all()
    with pytest.warns(cs.ConsilienceWarning, match="1 of 3 conditions have one trial"):
        single = of(5, labels="side", side=list("aabbc"))
    assert np.isnan(single.components["held_out"]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of(6)


@pytest.mark.filterwarnings("ignore:.few-conditions")
def test_trials_that_are_not_valid_are_counted():
    x = np.random.default_rng(0).normal(size=(12, 10, 5))
    x[:4, 3, 2] = np.nan
    data = cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=np.arange(10) * 0.1,
        stimulus=np.repeat(range(6), 2),
        repeat="count",
        missing="mask",
    )
    with pytest.warns(cs.ConsilienceWarning, match="4 of 12 trials are marked as not valid"):
        cs.reduce(data, cs.models.PCA(2), n_boot=0, n_perm=0, rng=0)
    with pytest.warns(cs.ConsilienceWarning, match="2 of 6 conditions with them"):
        cs.structure(data, n_components=2, n_null=19, rng=0)


def test_fits_of_surrogates_draws_and_folds_do_not_warn_in_the_name_of_the_data():
    class Doubtful(cs.models.PCA):
        def fit(self, X, y=None):
            cs._core._errors.warn("not-converged", f"of {np.shape(X)} {np.ravel(X)[:3]}")
            return super().fit(X)

    x, _, _ = planted(n=40)
    data = cs.responses(x, stimulus=range(40))
    with pytest.warns(cs.ConsilienceWarning) as said:
        found = cs.reduce(data, Doubtful(2), n_boot=3, n_perm=3, rng=0)
    assert len(said) == 1
    assert [caution.code for caution in found.warnings] == ["not-converged"]
    assert "(40, 20)" in found.warnings[0].message


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_models_without_a_mean_are_counted_about_the_means_of_units():
    rng = np.random.default_rng(0)
    a, b, c = (rng.random((n, 2)) for n in (40, 12, 10))
    x = np.einsum("ir,jr,kr->ijk", a, b, c) + 0.2 * rng.normal(size=(40, 12, 10))
    data = cs.responses(x, dims=("trial", "time", "unit"), time=np.arange(12.0), stimulus=range(40))
    found = cs.reduce(data, cs.models.CP(2, rng=0), n_boot=0, n_perm=0, rng=0)
    model = cs.models.CP(2, rng=0).fit(x)
    assert float(found.components["explained_total"][-1]) == pytest.approx(model.r2_)
    assert float(found.components["held_out_total"][-1]) == pytest.approx(model.r2_, abs=0.05)
    # values that are added to units explain nothing: the mean of a component does not count
    flat = np.abs(x.mean(axis=1)) + 2
    table = cs.responses(flat, stimulus=range(40))
    nmf = cs.reduce(table, NMF(2, max_iter=2000, tol=1e-6), cv=0, n_boot=0, n_perm=0, rng=0).components
    pca = cs.reduce(table, cs.models.PCA(2), cv=0, n_boot=0, n_perm=0, rng=0).components
    assert (nmf["explained_total"][-1] <= pca["explained_total"][-1]).item()


def test_targeted_axes_carry_their_variables_and_what_they_tell_held_out():
    data, _ = courses(n=12)
    data = data.assign_coords(
        level=("trial", data["stimulus"].values.astype(float)),
        other=("trial", np.random.default_rng(1).normal(size=data.sizes["trial"])),
    )
    model = cs.models.TargetedDR()
    found = cs.reduce(data, model, labels=["level", "choice", "other"], n_boot=0, n_perm=39, rng=0)
    c = found.components
    assert list(c["component"].values) == ["level", "choice", "other"]
    assert (c["p"].values[:2] <= 0.05).all()
    assert c["p"].values[2] > 0.05
    assert (c["r_low"] < c["r"]).all()
    assert "r=0.9" in str(found)
    check_result(found)
    with pytest.warns(cs.ConsilienceWarning, match=r"not tried on held-out trials") as said:
        cs.reduce(data[:24], model, labels=["level", "choice", "other"], n_boot=0, n_perm=9, rng=0)
    assert said[0].message.code == "no-null"


def test_draws_keep_the_penalty_of_all_trials(monkeypatch):
    asked = []
    fit = cs.models.DPCA.fit
    monkeypatch.setattr(
        cs.models.DPCA, "fit", lambda self, X, y: asked.append(self.regularisation) or fit(self, X, y)
    )
    data, _ = courses(n=6)
    model = cs.models.DPCA(1)
    found = cs.reduce(data, model, labels=["stimulus", "choice"], n_boot=3, n_perm=0, cv=2, rng=0)
    assert asked[0] == "auto"
    assert asked[1:].count("auto") == 2  # folds, whose penalty is chosen without what is held out
    draws = [value for value in asked if value != "auto"]
    assert len(draws) == 3
    assert len(set(draws)) == 1
    assert found.settings["n_boot"] == 3


@pytest.mark.filterwarnings("ignore:.*noise-at-floor")
def test_factors_are_counted_by_correlations():
    rng = np.random.default_rng(0)

    def p_of(x):
        data = cs.responses(x, stimulus=range(len(x)))
        found = cs.reduce(data, cs.models.FactorAnalysis(3), n_perm=39, n_boot=0, cv=0, rng=0)
        return found.components["p"].values

    noise = [p_of(rng.normal(size=(100, 12)) * np.exp(rng.normal(size=12))) for _ in range(5)]
    assert sum(p[0] <= 0.05 for p in noise) <= 1
    loadings = rng.normal(size=(2, 12)) * np.array([[1.0], [0.8]])
    p = p_of(rng.normal(size=(100, 2)) @ loadings + rng.normal(size=(100, 12)))
    assert (p <= 0.05).tolist() == [True, True, False]


def test_gpfa_of_square_roots_explains_square_roots():
    rng = np.random.default_rng(0)
    angle = np.radians(np.repeat(np.arange(8), 6) * 45)
    course = np.sin(np.linspace(0, 3, 20))
    latent = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None, :] * course[None, :, None]
    x = rng.poisson(np.exp(0.7 * latent @ rng.normal(size=(2, 15)) + 0.5))
    data = cs.responses(
        x, dims=("trial", "time", "unit"), time=np.arange(20) * 0.02, stimulus=np.arange(48), kind="count"
    )
    options = {"n_boot": 3, "n_perm": 19, "cv": 3, "rng": 0}
    counts = cs.reduce(data, cs.models.GPFA(2, square_root=True, max_iter=30, tol=1e-3), **options)
    roots = cs.responses(
        np.sqrt(x),
        dims=("trial", "time", "unit"),
        time=np.arange(20) * 0.02,
        stimulus=np.arange(48),
        kind="rate",
    )
    known = cs.reduce(roots, cs.models.GPFA(2, max_iter=30, tol=1e-3), **options)
    for name in ("explained", "explained_total", "held_out", "held_out_total"):
        np.testing.assert_allclose(counts.components[name], known.components[name], rtol=1e-6)
    assert counts.components["held_out_total"].values[-1] > 0.2
    assert (counts.components["p"].values <= 0.05).all()
