"""`cs.reduce` of units that were recorded apart, and of one long trial."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import consilience as cs

TIMES = np.arange(10) * 0.05
PLANTED = np.linalg.qr(np.random.default_rng(9).normal(size=(20, 2)))[0].T * 5


def session(number, trials):
    """Five of twenty units; objects along one axis, choices along another, both ramps; ``trials`` of each cell."""
    rng = np.random.default_rng(number)
    thing = np.repeat(["a", "b", "c"], 2 * trials)
    choice = np.tile(np.repeat(["l", "r"], trials), 3)
    size = np.stack(
        [np.searchsorted(["a", "b", "c"], thing) - 1.0, np.where(choice == "l", -1.0, 1.0)], axis=1
    )
    axes = PLANTED[:, 5 * number : 5 * number + 5]
    x = (size @ axes)[:, None] * np.linspace(0, 1, 10)[:, None] + rng.normal(size=(6 * trials, 10, 5))
    return cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=TIMES,
        stimulus=np.char.add(thing, choice),
        repeat="count",
        object=thing,
        choice=choice,
        kind="rate",
    )


@pytest.fixture(scope="module")
def population():
    parts = {f"day {k}": session(k, 8 + k) for k in range(4)}
    return cs.pseudo_population(parts, by=["object", "choice"], system="apart")


def test_dpca_through_reduce_is_dpca_and_finds_the_axes(population):
    found = cs.reduce(population, cs.models.DPCA(1), n_boot=3, n_perm=19, rng=0)
    model = cs.models.DPCA(1).fit(population)
    own = np.concatenate(list(model.components_.values()))
    assert np.array_equal(found.loadings["loading"].values, own)
    for name, planted in (("object 1", PLANTED[0]), ("choice 1", PLANTED[1])):
        axis = found.loadings["loading"].sel(component=name).values
        assert abs(axis @ planted) / np.linalg.norm(planted) > 0.95
    part = found.marginalizations
    assert (part["p"].sel(marginalization=["object", "choice"]) == 0.05).all()
    assert part["p"].sel(marginalization="object:choice") > 0.05
    held = model.held_out(population, n_folds=5, rng=0)
    value = dict(zip(held.marginalizations, held.value))
    assert np.allclose(part["held_out"], [value[m] for m in part["marginalization"].values], atol=0.1)
    assert np.isfinite(found.components["held_out"]).all()
    assert np.isfinite(found.components["alike"]).all()


def test_latents_are_those_of_the_means(population):
    found = cs.reduce(population, cs.models.DPCA(1), n_boot=0, n_perm=0, cv=0, rng=0)
    assert found.latents.dims == ("trial", "time", "component")
    assert found.latents["choice"].values.tolist() == ["l", "r"] * 3
    model = cs.models.DPCA(1).fit(population)
    course = found.conditions["mean"].sel(component="choice 1").values.reshape(3, 2, 10)
    assert np.allclose(course, model.projections_["choice"][0])
    assert found.conditions["ci_low"].isnull().all()
    together = population.draw(1, rng=0)
    assert cs.project(found, together).shape == (48, 10, 4)


def test_folds_and_draws_have_trials_of_every_condition_and_session(population):
    from consilience.analyses._reduce_rows import read_rows

    rows = read_rows(population, None, "auto", "auto")
    everything = set(rows.strata.tolist())
    assert len(everything) == 24
    rng = np.random.default_rng(0)
    for train, test in rows.folds(5, within=True, rng=rng):
        assert set(rows.strata[train].tolist()) == set(rows.strata[test].tolist()) == everything
        assert not set(train.tolist()) & set(test.tolist())
    for drawn in rows.draws(3, within=True, rng=rng):
        assert np.array_equal(np.bincount(rows.strata[drawn]), np.bincount(rows.strata))
    assert np.array_equal(np.isnan(rows.x).sum(axis=2) == 15, np.ones((len(rows.x), 10), bool))


def test_means_of_conditions_for_other_models_and_fewer_labels(population):
    found = cs.reduce(population, cs.models.PCA(2), n_boot=4, n_perm=99, rng=0)
    assert found.n_significant == 2
    plane = np.linalg.qr(found.loadings["loading"].values.T)[0]
    assert np.linalg.svd(plane.T @ np.linalg.qr(PLANTED.T)[0])[1].min() > 0.95
    one = cs.reduce(
        population, cs.models.DPCA(1), labels="choice", n_boot=0, n_perm=0, standardise=True, rng=0
    )
    assert one.marginalizations["marginalization"].values.tolist() == ["choice", "time"]


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (cs.models.TargetedDR(), {}, "TargetedDR, which takes single trials of all units, cannot be fitted"),
        (cs.models.PCA(2), {"average": False}, "share no trial, so that average=False has none to take"),
        (cs.models.PCA(2), {"labels": "chioce"}, r"\(object, choice\), got 'chioce'. Did you mean 'choice'"),
        (cs.models.DPCA(1), {"groups": "object"}, "trials of every condition and session are held out"),
    ],
    ids=["TargetedDR", "single trials", "label", "groups"],
)
def test_what_does_not_go_with_units_recorded_apart(population, model, options, said):
    with pytest.raises(cs.InputError, match=said):
        cs.reduce(population, model, rng=0, **options)


def test_sessions_with_trials_that_end_early_and_missing_values(population):
    from sklearn.decomposition import PCA

    parts, rng = {}, np.random.default_rng(0)
    for k in range(4):
        whole = session(k, 8 + k)
        x = whole.values.copy()
        x[::5, 7:] = np.nan
        x[rng.random(x.shape) < 0.02] = np.nan
        x[0] = np.nan  # nothing is there
        labels = {name: whole[name].values for name in ("stimulus", "object", "choice")}
        parts[f"day {k}"] = cs.responses(
            x, dims=whole.dims, time=TIMES, repeat="count", kind="rate", missing="mask_values", **labels
        )
    with pytest.warns(cs.ConsilienceWarning, match=r"trials-omitted.* trials of session 'day") as said:
        gaps = cs.pseudo_population(parts, by=["object", "choice"])
    assert len(gaps.values[0]) == 47
    assert len(said) == 4
    found = cs.reduce(gaps, cs.models.DPCA(1), n_boot=3, n_perm=19, rng=0)
    for name, planted in (("object 1", PLANTED[0]), ("choice 1", PLANTED[1])):
        axis = found.loadings["loading"].sel(component=name).values
        assert abs(axis @ planted) / np.linalg.norm(planted) > 0.95
    assert np.isfinite(found.components["held_out"]).all()
    assert np.isfinite(cs.reduce(gaps, PCA(2), n_boot=2, n_perm=2, rng=0).components["held_out"]).all()
    with pytest.raises(
        cs.InputError, match=r"of 47 trials of session 'day 0' have single values that are missing"
    ):
        gaps.draw(2, rng=0)
    with pytest.raises(cs.InputError, match=r"missing='mask' to take means"):
        cs.models.DPCA(1).fit(gaps)


def test_axes_of_noise_are_not_significant():
    rng = np.random.default_rng(0)
    parts = {}
    for k in range(3):
        data = session(k, 8)
        parts[f"day {k}"] = data.copy(data=rng.normal(size=data.shape))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        found = cs.reduce(
            cs.pseudo_population(parts, by=["object", "choice"]),
            cs.models.DPCA(1),
            n_boot=0,
            n_perm=39,
            rng=0,
        )
    assert (found.marginalizations["p"].dropna("marginalization") > 0.05).all()
    assert (found.components["held_out"] < 0.05).all()


# -- one long trial


def long_trial(n=400):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 6)) + 0.3 * rng.normal(size=(n, 6))
    return x, {"time": np.arange(n) * 0.1, "kind": "rate", "system": "long"}


def test_one_long_trial_is_a_series():
    x, more = long_trial()
    series = cs.responses(x, dims=("time", "unit"), **more)
    trial = cs.responses(x[None], dims=("trial", "time", "unit"), stimulus=["whole"], **more)
    few = {"n_boot": 9, "n_perm": 19, "rng": 0}
    with pytest.warns(cs.ConsilienceWarning, match="one trial of 400 times, which is taken as a series"):
        found = cs.reduce(trial, cs.models.PCA(3), **few)
    want = cs.reduce(series, cs.models.PCA(3), **few)
    assert found.latents.dims == ("time", "component")
    assert found.components.identical(want.components)
    assert "one-trial" in [c.code for c in found.warnings]
    with pytest.warns(cs.ConsilienceWarning, match="taken as a series"):
        dims = cs.dimensionality(trial, measures="shared", n_perm=0, rng=0)
    assert float(dims.data["value"].squeeze()) == 2


def test_one_trial_has_no_structure():
    x, more = long_trial(30)
    trial = cs.responses(x[None], dims=("trial", "time", "unit"), stimulus=["whole"], **more)
    with pytest.raises(cs.InputError, match="got 1 and 30; by= a label with more values") as error:
        cs.structure(trial)
    assert error.value.code == "too-few"


def test_one_trial_with_gaps():
    x, more = long_trial()
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    trial = cs.responses(
        x[None], dims=("trial", "time", "unit"), stimulus=["whole"], missing="mask_values", **more
    )
    with pytest.warns(cs.ConsilienceWarning, match="taken as a series"):
        found = cs.reduce(trial, cs.models.FactorAnalysis(2), n_boot=0, n_perm=0, rng=0)
    assert np.isfinite(found.latents).all()


# -- what it will take, and how small p can get


def test_a_long_run_is_announced_by_its_fits(monkeypatch, capsys):
    from consilience.networks import _progress

    x, more = long_trial(100)
    series = cs.responses(x, dims=("time", "unit"), **more)
    few = {"n_boot": 2, "n_perm": 3, "rng": 0}
    cs.reduce(series, cs.models.PCA(1), **few)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_progress, "_LONG", 0.0)
    found = cs.reduce(series, cs.models.LDS(1), **few)
    assert (
        "cs.reduce: 10 further fits of LDS (5 folds, 2 draws, 3 surrogates), about" in capsys.readouterr().err
    )
    assert found.p_floor == 0.25
    assert "no p is below 0.250, that of 3 surrogates; n_perm= takes more" in str(found)
    found = cs.reduce(series, cs.models.PCA(1), n_boot=2, n_perm=199, rng=0)
    assert "7 further fits of PCA (5 folds, 2 draws), about" in capsys.readouterr().err
    assert found.p_floor == 0.005
    assert "no p is below" not in str(found)
    assert cs.reduce(series, cs.models.PCA(1), n_boot=0, n_perm=0, rng=0).p_floor is None
