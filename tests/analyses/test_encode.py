"""`cs.encode`: the score, planted truth, ceilings, bands, series, leaks, bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.ndimage import gaussian_filter1d
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

import consilience as cs
from consilience._core._seeds import resolve_seed
from consilience.analyses import _encode_design
from consilience.analyses._encode_design import from_trials
from consilience.analyses._encode_fit import HeldOut
from consilience.models import PLSCV, BandedRidgeCV, KernelRidgeCV, OneToOne, RidgeCV

pytestmark = pytest.mark.filterwarnings(r"ignore:\[(ceiling-missing|few-blocks|penalty-at-edge)\]")
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1000.0)


def planted(n=60, p=12, t=5, repeats=4, *, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    signal = x @ rng.normal(size=(p, t)) / np.sqrt(p) * np.linspace(0, 1.5, t)
    trials = np.concatenate([signal + noise * rng.normal(size=(n, t)) for _ in range(repeats)])
    ids = np.array([f"im{i:03d}" for i in range(n)])
    order = rng.permutation(n)
    layer = cs.responses(x[order], stimulus=ids[order], system="layer")
    area = cs.responses(
        trials,
        stimulus=np.tile(ids, repeats),
        repeat="count",
        kind="rate",
        unit=list("abcde")[:t],
        system="V1",
    )
    return layer, area, x, signal


@pytest.fixture(scope="module")
def result():
    layer, area, *_ = planted()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.encode(layer, area, model=RidgeCV(ALPHAS), n_boot=200, n_perm=199, rng=0)


def test_result_keeps_every_promise(result):
    cs.testing.check_result(result)
    assert list(result.data["unit"].values) == list("abcde")
    assert "layer predicts V1" in repr(result)
    assert result.settings["kind_y"] == "rate"
    assert result.settings["direction"] == "x predicts y"
    low, high = result.interval
    assert low <= result.value <= high


def test_text_reads_ratios_of_reliable_units_and_names_no_interval_that_is_not_there(result):
    sound = ~result.data["unreliable"].values & np.isfinite(result.data["ratio"].values)
    assert 0 < sound.sum() < 5
    middle = float(np.median(result.data["ratio"].values[sound]))
    assert f"r / ceiling: median {middle:.3f} of {sound.sum()} reliable units" in repr(result)
    assert "(stimuli and units)" in repr(result)
    layer, area, *_ = planted(t=2)
    bare = cs.encode(layer, area, n_boot=0, n_perm=0, rng=0)
    assert f"median r {bare.value:.3f}, no interval" in repr(bare)
    assert "reliable" not in repr(bare)  # without draws nobody knows
    noise = np.random.default_rng(2).normal(size=(180, 1))  # of which the repeats happen to disagree
    empty = cs.responses(noise, stimulus=np.tile(np.unique(layer["stimulus"].values), 3), repeat="count")
    found = cs.encode(layer, empty, n_boot=0, n_perm=0, rng=0)
    assert float(found.data["reliability"][0]) < 0
    assert "ceiling: none, repeats of no unit agree" in repr(found)


def test_planted_units_are_found_and_the_empty_one_is_not(result):
    p = result.data["p_fwer"].values
    assert (p[2:] <= 0.05).all()
    assert p[0] > 0.05
    assert (result.data["p"] <= result.data["p_fwer"] + 1e-12).all()
    assert (result.data["ci_low"] <= result.data["r"]).all()
    assert (result.data["r"] <= result.data["ci_high"]).all()


def test_r_is_that_of_linear_predictivity_and_predictions_are_scikit_learns():
    layer, area, x, _ = planted(t=3)
    y = cs.average(area)
    found = cs.encode(layer, y, model=RidgeCV([10.0]), n_boot=0, n_perm=0, rng=3)
    assert np.isnan(found.data["p"].values).all()
    predicted = found.predictions["predicted"].values
    ids = found.predictions["stimulus"].values
    rows = cs.align(layer, y)
    x, y = rows[0].values, rows[1].values
    np.testing.assert_array_equal(rows[1]["stimulus"].values, ids)
    from consilience._core._seeds import resolve_seed

    tests = cs.stats.group_folds(np.arange(60), 5, resolve_seed(3, who="t").stream("folds"))
    top, left, right = (np.zeros(3) for _ in range(3))
    for test in tests:
        train = np.setdiff1d(np.arange(60), test)
        model = Ridge(alpha=10.0).fit(x[train], y[train])
        np.testing.assert_allclose(predicted[test], model.predict(x[test]), atol=1e-10)
        mean = y[train].mean(axis=0)
        spread = np.sqrt(((model.predict(x[train]) - mean) ** 2).mean(axis=0))
        d, e = (model.predict(x[test]) - mean) / spread, y[test] - mean
        top, left, right = top + (d * e).sum(0), left + (d * d).sum(0), right + (e * e).sum(0)
    np.testing.assert_allclose(found.data["r"].values, top / np.sqrt(left * right), atol=1e-10)


@pytest.mark.parametrize("model", [RidgeCV(ALPHAS), RidgeCV(), OneToOne(), PLSCV([1, 2]), BandedRidgeCV()])
def test_null_is_the_whole_procedure_on_relabelled_targets(model):
    layer, area, *_ = planted(n=30, t=2)
    from consilience._core._seeds import resolve_seed
    from consilience.analyses._encode_design import from_trials
    from consilience.analyses._encode_fit import HeldOut

    data = from_trials(
        layer, area, by="stimulus", join="exact", cv=3, groups=None, seed=resolve_seed(0, who="t"), who="t"
    )
    held = HeldOut(model, data.x, data.splits, data.inner, None)
    orders = data.orders(4, np.random.default_rng(0))
    null = held.null(data.y, orders)
    for order, row in zip(orders, null):
        one = held.predict(data.y[order]).correlation().columns(np.ones((1, 30)))[0]
        np.testing.assert_allclose(row, one, atol=1e-8)


def test_any_scikit_learn_regressor_fits_the_same():
    layer, area, *_ = planted(t=2)
    one = cs.encode(layer, area, model=Ridge(alpha=10.0), n_boot=0, n_perm=3, rng=0)
    two = cs.encode(layer, area, model=RidgeCV([10.0]), n_boot=0, n_perm=3, rng=0)
    np.testing.assert_allclose(one.data["r"], two.data["r"], atol=1e-10)
    np.testing.assert_allclose(one.data["p"], two.data["p"])


def test_seed_repeats_and_other_units_do_not_change_a_unit(result):
    layer, area, *_ = planted()
    again = cs.encode(layer, area, model=RidgeCV(ALPHAS), n_boot=200, n_perm=199, rng=0)
    assert again.to_frame().equals(result.to_frame())
    part = cs.encode(layer, area[:, :2], model=RidgeCV(ALPHAS), n_boot=0, n_perm=0, rng=0)
    np.testing.assert_allclose(part.data["r"], result.data["r"][:2], atol=1e-12)


def test_ceiling_is_the_planted_one_for_unequal_repeats_and_ratio_is_not_capped():
    rng = np.random.default_rng(1)
    n, t = 400, 6
    which = np.repeat(np.arange(n), rng.integers(2, 6, n))
    signal = rng.normal(size=(n, t))
    trials = signal[which] + rng.normal(size=(which.size, t))
    truth = 1 / (1 + np.mean(1 / np.bincount(which)))
    means, noise = cs.stats.explainable(trials, which)
    np.testing.assert_allclose(cs.stats.weighted_reliability(means, noise), truth, atol=0.09)
    for j in (0, 5):  # the definition, stimulus by stimulus
        own = [trials[which == i, j] for i in range(n)]
        mean = np.array([v.mean() for v in own])
        error = np.array([v.var(ddof=1) / v.size for v in own])
        expected = (mean.var(ddof=1) - error.mean()) / mean.var(ddof=1)
        np.testing.assert_allclose(cs.stats.weighted_reliability(means, noise)[j], expected)
    x = cs.responses(signal, stimulus=np.arange(n))
    y = cs.responses(trials, stimulus=which, repeat="count", kind="rate")
    found = cs.encode(x, y, model=OneToOne(), n_boot=100, n_perm=0, rng=0)
    np.testing.assert_allclose(found.data["ratio"], found.data["r"] / found.data["ceiling"])
    np.testing.assert_allclose(found.data["ratio"], 1, atol=0.06)
    assert float(found.data["ratio"].max()) > 1
    assert not found.data["unreliable"].any()


def test_noise_has_no_ceiling_and_one_repeat_has_none():
    rng = np.random.default_rng(2)
    x = cs.responses(rng.normal(size=(60, 4)), stimulus=np.arange(60))
    noise = cs.responses(rng.normal(size=(180, 40)), stimulus=np.tile(np.arange(60), 3), repeat="count")
    found = cs.encode(x, noise, n_boot=200, n_perm=0, rng=0)
    assert int(found.data["unreliable"].sum()) >= 36
    assert -0.2 < float(found.data["reliability"].mean()) < 0.1
    with pytest.warns(cs.ConsilienceWarning, match="no repeats of every stimulus"):
        once = cs.encode(x, cs.average(noise), n_boot=50, n_perm=0, rng=0)
    assert np.isnan(once.data["ceiling"].values).all()
    assert np.isnan(once.data["ratio"].values).all()


def test_bands_parts_add_up_and_the_empty_band_gets_nothing():
    rng = np.random.default_rng(3)
    a, b, c = (rng.normal(size=(90, q)) for q in (5, 8, 20))
    y = np.stack([a[:, 0] + 0.4 * rng.normal(size=90), b[:, 0] + a[:, 1] + 0.4 * rng.normal(size=90)], axis=1)
    ids = np.arange(90)
    bands = {
        "a": cs.responses(a, stimulus=ids),
        "b": cs.responses(b, stimulus=ids),
        "c": cs.responses(c, stimulus=ids),
    }
    found = cs.encode(
        bands, cs.responses(y, stimulus=ids), model=BandedRidgeCV(n_iter=8), n_boot=100, n_perm=0, rng=0
    )
    np.testing.assert_allclose(found.bands["share"].sum("band"), found.data["r2"], atol=1e-10)
    unique = found.bands["unique"]
    assert float(unique.sel(band="a")[0]) > 0.6
    assert float(unique.sel(band="b")[1]) > 0.25
    assert float(unique.sel(band="c").max()) < 0.03
    assert float(found.bands["unique_low"].sel(band="b")[1]) > 0
    frame = found.to_frame()
    assert {"share a", "unique c"} <= set(frame.columns)
    cs.testing.check_result(found)


def series(n=600, width=5.0, *, seed=0):
    rng = np.random.default_rng(seed)
    x, y = (gaussian_filter1d(rng.normal(size=(n, q)), width, axis=0) for q in (5, 3))
    times = np.arange(n) * 0.02
    return x, y, lambda v, name: cs.responses(v, dims=("time", "unit"), time=times, system=name)


def test_series_with_planted_delay_is_found_and_blocks_keep_their_gap():
    x, y, made = series()
    y[3:, 0] = x[:-3, 2] + 0.1 * y[3:, 0]
    found = cs.encode(made(x, "x"), made(y, "y"), delays=[0, 3], n_boot=100, n_perm=99, rng=0)
    assert float(found.data["r"][0]) > 0.9
    assert float(found.data["p_fwer"][0]) <= 0.05
    assert found.settings["delays"] == [0, 3]
    assert found.settings["gap_steps"] >= found.settings["autocorrelation_steps"]
    assert found.predictions.sizes["time"] == 597
    cs.testing.check_result(found)
    folds = cs.stats.blocked_folds(np.arange(100), 4, 7)
    for train, test in folds:
        assert np.abs(train[:, None] - test).min() == 8
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(100))
    longer = cs.encode(made(x, "x"), made(y, "y"), gap=1.0, n_boot=0, n_perm=0, rng=0)
    assert longer.settings["gap_steps"] == 50


def test_delays_do_not_reach_over_jumps_in_time_and_a_steady_clock_changes_nothing():
    x, y, made = series()
    y[4:, 0] = x[:-4, 1]
    whole = cs.encode(made(x, "x"), made(y, "y"), delays=[0, 4], n_boot=0, n_perm=0, rng=0)
    assert whole.settings["time_breaks"] == 0
    assert whole.settings["step"] == 0.02
    kept = np.r_[0:250, 300:600]
    options = {"delays": [0, 4], "gap": 10, "n_boot": 0, "n_perm": 0, "rng": 0}
    with pytest.warns(cs.ConsilienceWarning, match=r"jumps in time: 1; 8 of 550 samples are left out"):
        pieces = cs.encode(made(x, "x")[kept], made(y, "y")[kept], **options)
    expected = np.setdiff1d(kept, np.r_[0:4, 300:304]) * 0.02
    np.testing.assert_allclose(pieces.predictions["time"].values, expected)
    assert float(pieces.data["r"][0]) > 0.95
    blind = cs.responses(x[kept], dims=("time", "unit"), time=np.arange(550) * 0.02, system="x")
    other = cs.responses(y[kept], dims=("time", "unit"), time=np.arange(550) * 0.02, system="y")
    joined = cs.encode(blind, other, **options)  # the jump hidden: delays mix the two pieces
    assert float(joined.data["r"][0]) < float(pieces.data["r"][0])
    jitter = np.arange(600) * 0.02 + np.random.default_rng(0).uniform(-0.002, 0.002, 600)
    a, b = (cs.responses(v, dims=("time", "unit"), time=jitter, system=s) for v, s in ((x, "x"), (y, "y")))
    np.testing.assert_array_equal(
        cs.encode(a, b, **options).data["r"], cs.encode(made(x, "x"), made(y, "y"), **options).data["r"]
    )


def test_units_that_do_not_vary_over_time_are_named():
    x, y, made = series()
    y[:, 1] = 2.0
    with pytest.warns(cs.ConsilienceWarning, match=r"'area': 1 of 3 units do not vary over time \(unit 1\)"):
        found = cs.encode(made(x, "x"), made(y, "area"), n_boot=0, n_perm=0, rng=0)
    assert found.data["unit"].values.tolist() == [0, 2]


def test_times_that_differ_by_rounding_are_the_same():
    x, y, made = series()
    b = made(y, "y")
    single = cs.responses(x, dims=("time", "unit"), time=(np.arange(600) * 0.02).astype("f4"), system="x")
    one = cs.encode(single, b, n_boot=0, n_perm=0, rng=0)
    two = cs.encode(made(x, "x"), b, n_boot=0, n_perm=0, rng=0)
    np.testing.assert_array_equal(one.data["r"], two.data["r"])
    late = cs.responses(x, dims=("time", "unit"), time=np.arange(600) * 0.02 + 0.004, system="x")
    with pytest.raises(cs.InputError, match=r"600 samples each, up to 0.004 s apart.*x.interp"):
        cs.encode(late, b)


def test_shuffled_folds_of_smooth_unrelated_series_leak_and_blocks_do_not():
    x, y, made = series(seed=4, width=6)
    lags = np.concatenate([np.roll(x, s, axis=0) for s in range(0, 120, 4)], axis=1)
    with pytest.warns(cs.ConsilienceWarning, match=r"neighbours-alike.*give both as series"):
        shuffled = cs.encode(
            cs.responses(lags, stimulus=np.arange(600)),
            cs.responses(y, stimulus=np.arange(600)),
            n_boot=0,
            n_perm=0,
            rng=0,
        )
    assert float(shuffled.data["r2"].min()) > 0.95  # the check has power
    sound = cs.encode(made(lags, "x"), made(y, "y"), n_boot=0, n_perm=99, rng=0)
    assert float(sound.data["r2"].max()) < 0.2
    assert (sound.data["p_fwer"] > 0.05).all()


def test_choosing_features_on_all_stimuli_leaks_and_inside_folds_does_not():
    sound, leaky = [], []
    for seed in range(8):
        rng = np.random.default_rng([5, seed])
        x, y = rng.normal(size=(40, 1000)), rng.normal(size=(40, 1))
        ids = np.arange(40)
        target = cs.responses(y, stimulus=ids)
        inside = make_pipeline(SelectKBest(f_regression, k=20), Ridge(alpha=10.0))
        sound.append(
            cs.encode(cs.responses(x, stimulus=ids), target, model=inside, n_boot=0, n_perm=0, rng=0).value
        )
        kept = SelectKBest(f_regression, k=20).fit(x, y[:, 0]).get_support()
        chosen = cs.responses(x[:, kept], stimulus=ids)
        leaky.append(cs.encode(chosen, target, model=Ridge(alpha=10.0), n_boot=0, n_perm=0, rng=0).value)
    assert abs(np.mean(sound)) < 0.2
    assert np.mean(leaky) > 0.6


def test_groups_are_held_out_drawn_and_relabelled_together():
    rng = np.random.default_rng(6)
    owner = np.repeat(np.arange(15), 4)
    x, y = (rng.normal(size=(15, q))[owner] + 0.2 * rng.normal(size=(60, q)) for q in (10, 3))
    a, b = (cs.responses(v, stimulus=np.arange(60), scene=owner) for v in (x, y))
    with pytest.warns(cs.ConsilienceWarning, match=r"neighbours-alike.*groups='label'"):
        blind = cs.encode(a, b, n_boot=0, n_perm=99, rng=0)
    sound = cs.encode(a, b, groups="scene", n_boot=50, n_perm=99, rng=0)
    assert float(blind.data["r"].min()) > 0.5
    assert float(sound.data["r"].max()) < 0.5
    assert float(sound.data["p_fwer"].min()) > 0.05
    orders, distinct = cs.stats.group_permutations(owner, 5, rng)
    for order in orders:
        assert all(np.unique(owner[order][owner == g]).size == 1 for g in range(15))
    assert distinct == pytest.approx(12.1, abs=0.1)
    few = owner // 5
    c, d = (cs.responses(v, stimulus=np.arange(60), scene=few) for v in (x, y))
    with pytest.warns(cs.ConsilienceWarning, match="can change places in only 6 ways"):
        cs.encode(c, d, groups="scene", cv=3, n_boot=0, n_perm=9, rng=0)


def test_edge_of_the_grid_is_said():
    layer, area, *_ = planted(noise=0.1)
    with pytest.warns(cs.ConsilienceWarning, match="predicted units chose an end of the grid"):
        cs.encode(layer, area, model=RidgeCV([1e4, 1e5, 1e6]), n_boot=0, n_perm=99, rng=0)


def test_plot_has_an_axis_in_and_out(result):
    ax = result.plot()
    assert ax.get_ylabel() == "held-out r"
    assert result.plot(ax=ax) is ax


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cv": 1}, "cv must be a whole number, at least 2"),
        ({"model": RidgeCV}, "model must be an estimator such as"),
        ({"delays": [0]}, "delays= is for series"),
        ({"groups": "scene"}, "no system has a label 'scene'"),
        ({"model": BandedRidgeCV([3, 4])}, "does not fit the bands of x"),
        ({"level": 2}, "level must be a number"),
    ],
)
def test_bad_options_say_so(change, text):
    layer, area, *_ = planted(n=20)
    with pytest.raises(cs.InputError, match=text):
        cs.encode(layer, area, n_boot=0, n_perm=0, **change)


def test_bad_data_say_so():
    layer, area, *_ = planted(n=20)
    with pytest.raises(cs.InputError, match="y must be the responses of one system, got dict"):
        cs.encode(layer, {"V1": area})
    rdm = cs.rdm_data(np.ones((1, 190)), stimulus=np.unique(area["stimulus"].values), distance="correlation")
    with pytest.raises(cs.InputError, match="RDM data, which has no units"):
        cs.encode(rdm, area)
    with pytest.raises(cs.InputError, match="at least 10 shared stimuli"):
        cs.encode(layer[:5], area, join="inner")
    x, y, made = series()
    with pytest.raises(cs.InputError, match="do not have the same times"):
        cs.encode(made(x, "x").isel(time=slice(10, None)), made(y, "y"))
    with pytest.raises(cs.InputError, match="both must be series"):
        cs.encode(layer, made(y, "y"))
    with pytest.raises(cs.InputError, match="delays must be different whole numbers"):
        cs.encode(made(x, "x"), made(y, "y"), delays=[1, 1])
    for gap in ("none", None, True, -1, -0.5, float("nan"), float("inf")):
        with pytest.raises(cs.InputError, match=r"gap must be 'auto', .*a step is 0\.02"):
            cs.encode(made(x, "x"), made(y, "y"), gap=gap)
    with pytest.raises(cs.InputError, match="delays must be different whole numbers of steps"):
        cs.encode(made(x, "x"), made(y, "y"), delays=[0, 0.1])
    with pytest.raises(cs.InputError, match="at least 40 samples with all of their delays"):
        cs.encode(made(x, "x"), made(y, "y"), delays=[0, 700])
    with pytest.raises(cs.InputError, match=r"by= is for responses .*jumps in its times"):
        cs.encode(made(x, "x"), made(y, "y"), by="run")
    with pytest.raises(cs.InputError, match="groups= is for responses"):
        cs.encode(made(x, "x"), made(y, "y"), groups="scene")
    with pytest.raises(cs.InputError, match="are left to train on"):
        cs.encode(made(x, "x"), made(y, "y"), gap=400)


def test_what_encode_refuses_of_draws_models_and_gaps():
    from sklearn.cluster import KMeans
    from sklearn.model_selection import GroupKFold

    rng = np.random.default_rng(0)
    x = cs.responses(rng.normal(size=(40, 5)), stimulus=range(40), system="x")
    y = cs.responses(rng.normal(size=(40, 3)), stimulus=range(40), system="y")
    for options in ({"n_boot": 1}, {"n_perm": 1}):
        with pytest.raises(cs.InputError, match=rf"cs\.encode: {next(iter(options))}=1 says nothing"):
            cs.encode(x, y, **options)
    with pytest.raises(cs.InputError, match=r"must be a regressor, .* got KMeans"):
        cs.encode(x, y, model=KMeans(3))
    with pytest.raises(cs.InputError, match="gap= is for series"):
        cs.encode(x, y, gap=3)
    with pytest.raises(cs.InputError, match=r"splits by groups, .*cs.encode\(..., groups='label'\)"):
        cs.encode(x, y, model=cs.models.RidgeCV(cv=GroupKFold(3)))

    class Sum:
        def fit(self, x, y):
            return self

        def predict(self, x):
            return x.sum(axis=1)

        def get_params(self, deep=True):
            return {}

    with pytest.raises(
        cs.InputError, match=r"Sum predicts an array of shape \(32,\) for 32 rows and 3 units"
    ):
        cs.encode(x, y, model=Sum())


@pytest.mark.parametrize(("p", "model"), [(12, RidgeCV(ALPHAS)), (150, None), (150, PLSCV(cv=3))])
def test_deals_of_the_folds_add_their_variance_to_intervals_and_change_nothing_else(p, model):
    layer, area, *_ = planted(p=p)
    plain, more = (
        cs.encode(layer, area, model=model, n_boot=100, n_perm=19, n_deals=k, rng=3) for k in (0, 2)
    )
    ends = ["ci_low", "ci_high"]
    xr.testing.assert_identical(plain.data.drop_vars(ends), more.data.drop_vars(ends))
    xr.testing.assert_identical(plain.population, more.population)
    xr.testing.assert_identical(plain.predictions, more.predictions)
    seed = resolve_seed(3, who="test")
    r = [plain.data["r"].values]
    for k in range(2):  # the whole procedure, directly
        data = from_trials(
            layer,
            area,
            by="stimulus",
            join="exact",
            cv=5,
            groups=None,
            seed=seed.child(f"deal{k}"),
            who="test",
        )
        held = HeldOut(RidgeCV() if model is None else model, data.x, data.splits, data.inner, None)
        r.append(held.predict(data.y).correlation().columns(np.ones((1, 60)))[0])
    half = [
        np.arctanh(one.data["ci_high"].values) - np.arctanh(one.data["r"].values) for one in (plain, more)
    ]
    added = stats.t.ppf(0.975, 59) ** 2 * np.arctanh(r).var(axis=0, ddof=1)
    np.testing.assert_allclose(half[1] ** 2, half[0] ** 2 + added, rtol=1e-7)
    assert plain.settings["n_deals"] == 0
    assert more.settings["n_deals"] == 2
    assert any("3 deals of the folds" in line for line in more.methods)


def test_folds_that_can_be_dealt_in_one_way_are_not_dealt_again():
    layer, area, *_ = planted(n=12, p=3)
    assert cs.encode(layer, area, cv=12, n_boot=20, n_perm=0, rng=0).settings["n_deals"] == 0
    assert cs.encode(layer, area, n_boot=20, n_perm=0, rng=0).settings["n_deals"] == 3
    assert cs.encode(layer, area, n_boot=0, n_perm=0, rng=0).settings["n_deals"] == 0
    a, b = (
        cs.responses(
            np.random.default_rng(k).normal(size=(300, 2)), dims=("time", "unit"), time=np.arange(300.0)
        )
        for k in (0, 1)
    )
    assert cs.encode(a, b, n_boot=20, n_perm=0, rng=0).settings["n_deals"] == 0
    with pytest.raises(cs.InputError, match="n_deals"):
        cs.encode(layer, area, n_deals=-1)


def test_more_than_fits_in_memory_is_refused_before_it_is_loaded(monkeypatch):
    layer, area, *_ = planted()
    needed = []

    def full(size):
        needed.append(size)
        return "1 MB"

    monkeypatch.setattr(_encode_design, "check_fits", full)
    with pytest.raises(
        cs.InputError, match=r"60 rows of 12 predictors, in 5 folds and .* of y, take .* 1 MB is free"
    ):
        cs.encode(layer, area, n_boot=0, n_perm=0)
    a, b = (
        cs.responses(
            np.random.default_rng(k).normal(size=(300, 2)), dims=("time", "unit"), time=np.arange(300.0)
        )
        for k in (0, 1)
    )
    with pytest.raises(cs.InputError, match=r"rows of 6 predictors \(3 delays\), in 5 folds, take"):
        cs.encode(a, b, delays=range(3), n_boot=0, n_perm=0)
    assert needed == [8 * (60 * 12 * 5 + 240 * 5), 8 * 298 * 6 * 5]


class _Broken(LinearRegression):
    """A fit that went wrong in the ``at``-th call of predict (two in a fold)."""

    def __init__(self, how=None, at=4):
        super().__init__()
        self.how, self.at = how, at

    def fit(self, x, y):
        if self.how == "raises":
            raise RuntimeError("no convergence")
        return super().fit(x, y)

    def predict(self, x):
        out = super().predict(x)
        _Broken.calls += 1
        if _Broken.calls != self.at:
            return out
        if isinstance(self.how, float):
            out[3, 1] *= self.how
            return out
        return {
            "text": out.astype(str),
            "short": out[1:],
            "complex": out + 1j,
            "ragged": [[1.0], [1.0, 2.0]],
        }[self.how]


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (np.nan, r"_Broken predicts nan for unit 'b' in fold 2 of 5 \(1 of 3 units there\)"),
        (np.inf, r"_Broken predicts -?inf for unit 'b' in fold 2 of 5"),
        (1e200, r"_Broken predicts -?\d\S*e\+\d+ for unit 'b' in fold 2 of 5"),
        ("raises", r"_Broken\.fit failed with RuntimeError: no convergence"),
        ("text", "_Broken predicts .*must predict real numbers"),
        ("complex", "_Broken predicts .*must predict real numbers"),
        ("short", r"_Broken predicts an array of shape \(7, 3\) for 8 rows and 3 units"),
        ("ragged", r"_Broken\.predict failed with ValueError"),
    ],
)
def test_a_model_that_fails_or_diverges_in_one_fold_is_refused_and_does_not_score_0(how, text):
    layer, area, *_ = planted(n=40, t=3)
    _Broken.calls = 0
    with pytest.raises(cs.InputError, match=text) as caught:
        cs.encode(layer, area, model=_Broken(how), n_boot=10, n_perm=5, rng=0)
    assert caught.value.code == "model-failed"
    assert (how not in ("raises", "ragged")) or caught.value.__cause__ is not None
    if isinstance(how, float):  # the rows it was fitted to
        _Broken.calls = 0
        with pytest.raises(cs.InputError, match="for unit 'b' in fold 2 of 5"):
            cs.encode(layer, area, model=_Broken(how, at=3), n_boot=10, n_perm=5, rng=0)


@pytest.mark.parametrize("model", [None, PLSCV(), OneToOne(), KernelRidgeCV(), LinearRegression()])
def test_scores_do_not_depend_on_the_size_of_the_data(model):
    layer, area, *_ = planted(n=40, t=3)
    options = {"model": model, "n_boot": 20, "n_perm": 10, "n_deals": 1, "rng": 0}
    there = cs.encode(layer, area, **options)
    for sx, sy in ((2.0**-565, 1.0), (2.0**565, 2.0**-565), (1.0, 2.0**-997), (2.0**-266, 2.0**997)):
        if isinstance(model, LinearRegression):  # of scikit-learn, which squares what it gets
            sx, sy = 1.0, min(sy, 2.0**300)
        found = cs.encode(layer * sx, area * sy, **options)
        for name in ("r", "r2", "p", "ci_low", "ci_high", "ceiling", "reliability"):
            np.testing.assert_allclose(found.data[name], there.data[name], rtol=1e-6, atol=1e-6, err_msg=name)
        for name in ("predicted", "actual"):
            np.testing.assert_allclose(
                found.predictions[name] / sy, there.predictions[name], rtol=1e-6, atol=1e-6
            )


def test_few_draws_and_few_relabellings_are_said():
    layer, area, *_ = planted(n=20, t=3)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[few-draws\] n_boot=20: .* outermost few of 20 draws"):
        result = cs.encode(layer, area, n_boot=20, n_perm=5, n_deals=0, rng=0)
    assert "few-draws" in [w.code for w in result.warnings]
    assert "with n_perm=5 none can be below 0.167" in str(result)
    assert "above chance" not in str(result)
    result = cs.encode(layer, area, n_boot=100, n_perm=19, n_deals=0, rng=0)
    assert "few-draws" not in [w.code for w in result.warnings]
    assert "units above chance" in str(result)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[few-draws\] n_boot=99"):
        assert (
            cs.compare(area, area, measure="cka", n_boot=99, n_perm=0, rng=0).warnings[0].code == "few-draws"
        )


@pytest.mark.filterwarnings("ignore:.*ceiling-missing")
def test_one_unit_has_an_interval_over_stimuli_alone():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    ids = [f"s{i}" for i in range(60)]
    one = cs.responses((x[:, 0] + rng.normal(size=60))[:, None], stimulus=ids, system="y")
    found = cs.encode(cs.responses(x, stimulus=ids, system="x"), one, n_boot=200, n_perm=0, rng=0)
    for name in ("ci_units", "ci_both"):
        assert np.isnan(found.population[f"{name}_low"]) & np.isnan(found.population[f"{name}_high"])
    assert found.interval == (found.data["ci_low"].item(), found.data["ci_high"].item())
    low, high = found.interval
    assert "y: 1 unit, 60 stimuli" in repr(found)
    assert f"  r {found.value:.3f} [{low:.3f}, {high:.3f}] (stimuli)" in repr(found)


def test_the_null_of_one_penalty_for_all_units_does_not_depend_on_how_relabellings_are_batched(monkeypatch):
    """The penalty is chosen by the errors of one relabelling's units, never of others'."""
    from consilience.analyses import _encode_fit

    rng = np.random.default_rng(0)
    x = cs.responses(rng.normal(size=(30, 8)), stimulus=np.arange(30))
    y = cs.responses(rng.normal(size=(30, 3)), stimulus=np.arange(30))
    for model in (cs.models.RidgeCV(per_target=False), cs.models.KernelRidgeCV(per_target=False)):
        nulls = []
        for most in (4096, 3):
            monkeypatch.setattr(_encode_fit, "_TARGETS", most)
            found = cs.encode(x, y, model=model, n_boot=0, n_perm=60, rng=0)
            nulls.append(found.data["null_mean"].values)
        np.testing.assert_allclose(*nulls, rtol=1e-9)


def test_rows_in_the_order_of_time_that_drift_in_both_are_warned_of_and_others_are_not():
    rng = np.random.default_rng(0)
    x, y = (np.cumsum(rng.normal(size=(200, q)), axis=0) for q in (5, 2))
    options = {"n_boot": 0, "n_perm": 0, "rng": 0}
    trial = [f"trial{k}" for k in range(200)]
    with pytest.warns(
        cs.ConsilienceWarning, match=r"neighbours-alike.*rows that follow each other are alike"
    ):
        cs.encode(cs.responses(x, stimulus=trial), cs.responses(y, stimulus=trial), **options)
    white = rng.normal(size=(200, 2))
    seen = x[:, :2] / 10 + white
    for one, two in ((x, white), (white, y), (x, seen)):  # drift on one side, or explained by the other
        cs.encode(cs.responses(one, stimulus=trial), cs.responses(two, stimulus=trial), **options)
    names = [f"{kind}{k}" for kind in ("face", "house") for k in range(100)]  # sorted by kind
    cs.encode(cs.responses(x, stimulus=names), cs.responses(y, stimulus=names), **options)


def test_copies_of_rows_under_other_ids_are_warned_of():
    rng = np.random.default_rng(0)
    x, y = (np.tile(rng.normal(size=(20, q)), (3, 1)) for q in (6, 3))
    ids = np.arange(60)
    options = {"n_boot": 0, "n_perm": 0, "rng": 0}
    with pytest.warns(
        cs.ConsilienceWarning, match=r"duplicate-rows.*of 60 stimuli hold exactly the values, in x and y"
    ):
        cs.encode(cs.responses(x, stimulus=ids), cs.responses(y, stimulus=ids), **options)
    noisy = y + rng.normal(size=y.shape)
    cs.encode(
        cs.responses(x, stimulus=ids), cs.responses(noisy, stimulus=ids), **options
    )  # trials of one stimulus
