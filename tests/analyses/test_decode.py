"""`cs.decode`: scores, planted truth, splits that do not leak, relabellings, series, pseudo-populations, bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter1d
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import consilience as cs
from consilience.models import (
    LDA,
    BayesianDecoder,
    KalmanFilter,
    MaxCorrelation,
    PoissonNaiveBayes,
    RidgeCV,
    WienerFilter,
)

pytestmark = pytest.mark.filterwarnings(r"ignore:\[(few-blocks)\]")
NONE = {"n_boot": 0, "n_perm": 0}
QUICK = {"n_boot": 100, "n_perm": 99, "n_deals": 2}


def quiet(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.decode(*args, **{**NONE, "rng": 0, **options})


def trials(n=60, p=12, classes=3, effect=1.0, seed=0, **labels):
    rng = np.random.default_rng(seed)
    y = np.tile(np.array(["car", "face", "hand", "kiwi"])[:classes], n // classes)
    pattern = {c: effect * rng.normal(size=p) for c in np.unique(y)}
    x = rng.normal(size=(n, p)) + np.stack([pattern[c] for c in y])
    return cs.responses(x, stimulus=y, repeat="count", object=y, system="IT", **labels)


def over_time(effect=1.2, n=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.tile(["left", "right"], n // 2)
    gain = np.array([0.0, 0.0, 0.6, 1.0, 1.0])
    x = rng.normal(size=(n, 5, 10)) + effect * gain[:, None] * (y == "left")[:, None, None]
    return cs.responses(
        x,
        dims=("trial", "time", "unit"),
        time=np.arange(-2, 3) / 10,
        stimulus=y,
        repeat="count",
        choice=y,
        system="FEF",
    )


def smooth(n=600, p=8, noise=1.0, seed=0, kind="rate"):
    rng = np.random.default_rng(seed)
    z = gaussian_filter1d(rng.normal(size=(n, 2)), 4, axis=0)
    z /= z.std(axis=0)
    x = z @ rng.normal(size=(2, p)) + noise * rng.normal(size=(n, p))
    data = cs.responses(x, dims=("time", "unit"), time=np.arange(n) / 20, kind=kind, system="M1")
    target = xr.DataArray(z, dims=("time", "axis"), coords={"time": data["time"], "axis": ["x", "y"]})
    return data, target


# -- what it computes ------------------------------------------------------------------------------------------------


def test_classes_are_decoded_as_by_hand():
    data = trials()
    found = cs.decode(data, "object", n_boot=0, n_perm=0, rng=0)
    again = cs.decode(
        data, "object", model=LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3), **NONE, rng=0
    )
    ours = cs.decode(data, "object", model=LDA(shrinkage=0.3, priors="empirical"), **NONE, rng=0)
    np.testing.assert_array_equal(ours.predictions["predicted"], again.predictions["predicted"])
    for one in (found, again):
        p = one.predictions
        assert one.value == pytest.approx(balanced_accuracy_score(p["actual"], p["predicted"]))
        counts = one.confusion.values
        assert counts.sum() == 60
        for k, name in enumerate(one.confusion["true"].values):
            own = p["actual"].values == name
            assert counts[k].sum() == own.sum()
            recall = (p["predicted"].values[own] == name).mean()
            assert float(one.per_class["recall"].sel({"class": name})) == pytest.approx(recall)
    assert found.data["chance"].item() == pytest.approx(1 / 3)
    assert found.settings["score"] == "balanced_accuracy"
    assert found.settings["kept_together"] == "trial"  # each stimulus a class of its own
    assert np.isnan(found.data["p"].item())


@pytest.mark.parametrize(
    "model",
    [
        LinearSVC(),
        LogisticRegression(),
        GaussianNB(),
        KNeighborsClassifier(3),
        MaxCorrelation(),
        make_pipeline(SelectKBest(f_classif, k=8), LDA()),
    ],
)
def test_any_classifier_will_do(model):
    found = cs.decode(trials(effect=1.5), "object", model=model, **NONE, rng=0)
    assert found.value > 0.8
    assert found.settings["model_name"] == type(model).__name__


def test_scores_of_probabilities():
    data = trials(classes=2, effect=0.6)
    model = LogisticRegression()
    loss = cs.decode(data, "object", model=model, score="log_loss", **NONE, rng=0)
    # the same folds by hand
    hard = cs.decode(data, "object", model=model, **NONE, rng=0)
    x, y = data.values, data["object"].values
    total = []
    from consilience._core._seeds import resolve_seed
    from consilience.stats import stratified_folds

    codes = np.unique(y, return_inverse=True)[1]
    for test in stratified_folds(codes, np.arange(60), 5, resolve_seed(0, who="t").stream("folds")):
        train = np.setdiff1d(np.arange(60), test)
        z = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
        p = LogisticRegression().fit(z[train], y[train]).predict_proba(z[test])
        total.append(log_loss(y[test], p, labels=["car", "face"]) * test.size)
        assert (p.argmax(axis=1) == (hard.predictions["predicted"].values[test] == "face")).all()
    assert loss.value == pytest.approx(sum(total) / 60)
    assert loss.settings["higher"] is False
    assert loss.data["chance"].item() == pytest.approx(np.log(2))
    area = cs.decode(data, "object", score="auc", **QUICK, rng=0)
    assert 0.7 < area.value < 1
    assert area.data["p"].item() <= 0.02
    assert area.data["ci_low"].item() < area.value < area.data["ci_high"].item()
    better = cs.decode(data, "object", model=model, score="log_loss", **{**QUICK, "n_perm": 20}, rng=0)
    assert better.data["p"].item() <= 0.1
    assert 0 < better.data["ci_low"].item() < better.value < better.data["ci_high"].item()
    with pytest.raises(
        cs.InputError, match=r"score of classes must be one of .* got 'acuracy'. Did you mean 'accuracy'"
    ):
        cs.decode(data, "object", score="acuracy", **NONE)


def test_time_is_resolved_corrected_and_generalised():
    data = over_time()
    found = cs.decode(data, "choice", **QUICK, rng=0)
    p = found.data["p_fwer"].sel(target="choice").values
    assert (p[:2] > 0.05).all()
    assert (p[3:] <= 0.05).all()
    assert found.onset in (0.0, 0.1)
    for t in (0, 3):
        alone = cs.decode(data.isel(time=[t]), "choice", **NONE, rng=0)
        assert alone.data["value"].values[0, 0] == pytest.approx(found.data["value"].values[0, t])
    wide = cs.decode(data, "choice", generalise_time=True, **QUICK, rng=0)
    np.testing.assert_array_equal(np.diagonal(wide.generalisation["value"]), found.data["value"][0])
    np.testing.assert_array_equal(wide.data["p_fwer"], found.data["p_fwer"])
    square = wide.generalisation["p_fwer"].values
    assert square.shape == (5, 5)
    assert (np.diagonal(square) >= found.data["p_fwer"].values[0] - 1e-12).all()  # a larger family
    assert square[3, 4] <= 0.05
    assert square[0, 4] > 0.05
    mean = cs.decode(data, "choice", time="mean", **NONE, rng=0)
    together = cs.decode(data, "choice", time=None, **NONE, rng=0)
    assert "time" not in mean.data.dims
    assert together.settings["n_units"] == 50
    assert mean.value > 0.8
    assert together.value > 0.8
    with pytest.raises(cs.InputError, match=r"Decoding.value is of one time, and there are 5; read .data"):
        _ = found.value
    with pytest.raises(cs.InputError, match=r"generalise_time=True needs responses"):
        cs.decode(data, "choice", time="mean", generalise_time=True, **NONE)


def test_relabelled_values_are_those_of_relabelled_data():
    from consilience.analyses._decode_classes import SCORES, Decoder
    from consilience.stats import label_permutations

    data = trials(n=24, classes=3)
    codes = np.unique(data["object"].values, return_inverse=True)[1]
    splits = [(np.setdiff1d(np.arange(24), np.arange(k, 24, 4)), np.arange(k, 24, 4)) for k in range(4)]
    strata = np.arange(24) % 4
    orders, _ = label_permutations(codes, np.arange(24), strata, 6, np.random.default_rng(0))
    x = data.values[:, None, :]
    for model in (LDA(), MaxCorrelation(), GaussianNB()):
        for name in ("balanced_accuracy", "log_loss", "auc"):
            if name == "log_loss" and isinstance(model, MaxCorrelation):
                continue
            decoder = Decoder(model, np.arange(3), SCORES[name], standardise=True, generalise=False)
            many = decoder.values(x, orders, splits)
            one = [decoder.decode(x, own, splits).value for own in orders]
            np.testing.assert_allclose(many, one, rtol=1e-9)


def test_numbers_and_angles():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 6))
    speed = x[:, 0] + 0.5 * rng.normal(size=80)
    data = cs.responses(x, stimulus=np.arange(80), speed=speed, system="MT")
    found = cs.decode(data, "speed", **QUICK, rng=0)
    assert found.settings["model_name"] == "RidgeCV"
    assert found.data["p"].item() == 0.01
    assert found.data["ci_low"].item() < found.value < found.data["ci_high"].item()
    p = found.predictions
    residual = p["actual"].values[:, 0] - p["predicted"].values[:, 0]
    assert found.data["r2"].item() == pytest.approx(1 - residual.var() / speed.var(), abs=0.05)
    one = cs.decode(data, "speed", model=Ridge(), **NONE, rng=0)
    assert one.value == pytest.approx(found.value, abs=0.05)
    r2 = cs.decode(data, "speed", score="r2", n_boot=100, n_perm=19, rng=0)
    assert r2.value == pytest.approx(found.data["r2"].item())
    assert np.isnan(r2.data["ci_low"].item())
    angle = rng.uniform(0, 2 * np.pi, 80)
    seen = np.column_stack([np.cos(angle), np.sin(angle)]) @ rng.normal(size=(2, 6)) + 0.5 * x
    turned = cs.responses(seen, stimulus=np.arange(80))
    round_it = cs.decode(turned, angle, circular=True, **QUICK, rng=0)
    assert round_it.value < 0.8
    assert round_it.data["p"].item() == 0.01
    assert round_it.settings["higher"] is False
    moved = cs.decode(turned, angle + 4 * np.pi, circular=True, **NONE, rng=0)
    assert moved.value == pytest.approx(round_it.value)
    noise = cs.decode(data, angle, circular=True, **QUICK, rng=0)
    assert abs(noise.value - np.pi / 2) < 0.4
    assert noise.data["p"].item() > 0.05


def test_train_and_test_on_other_conditions():
    data = trials(n=120, effect=1.0, classes=3)
    place = np.repeat(["up", "down"], 60)
    x = data.values.copy()
    x[place == "down"] = x[place == "down"][:, ::-1]  # another code: nothing carries over
    other = cs.responses(
        x, stimulus=np.arange(120), object=data["object"].values, position=place, system="V1"
    )
    inside = cs.decode(
        other, "object", train_on={"position": "up"}, test_on={"position": ["up"]}, **QUICK, rng=0
    )
    across = cs.decode(
        other, "object", train_on={"position": "up"}, test_on={"position": "down"}, **QUICK, rng=0
    )
    assert inside.value > 0.8
    assert inside.settings["single_split"] is False
    assert across.settings["single_split"] is True
    assert across.value < 0.6
    assert across.predictions.sizes["trial"] == 60
    same = cs.responses(
        data.values, stimulus=np.arange(120), object=data["object"].values, position=place, system="IT"
    )
    carried = cs.decode(same, "object", train_on=place == "up", test_on=place == "down", **QUICK, rng=0)
    assert carried.value > 0.8
    assert carried.data["p"].item() == 0.01
    with pytest.raises(
        cs.InputError, match=r"test_on: no trial has position = 'left'; there are \['down', 'up'\]"
    ):
        cs.decode(other, "object", train_on={"position": "up"}, test_on={"position": "left"}, **NONE)
    with pytest.raises(cs.InputError, match=r"class 'hand' is in test_on and not in train_on"):
        cs.decode(other, "object", train_on=data["object"].values != "hand", test_on=place == "down", **NONE)


def test_training_that_knows_nothing_is_not_told_from_chance_by_test_trials_that_do():
    rng = np.random.default_rng(1)
    y, place = np.tile(["a", "b"], 30), np.repeat(["up", "down"], 30)
    told, held = [], []
    for k in range(12):
        x = rng.normal(size=(60, 10))
        x[place == "down"] += 1.5 * ((y == "a")[place == "down", None] - 0.5) * rng.normal(size=10)
        data = cs.responses(x, stimulus=np.arange(60), choice=y, position=place, angle=x[:, 0] * 0.5)
        sides = {"train_on": {"position": "up"}, "test_on": {"position": "down"}}
        found = cs.decode(data, "choice", **sides, **QUICK, rng=k)
        told.append(found.data["p"].item() <= 0.05)
        held.append(found.interval[0] <= 0.5 <= found.interval[1])
    assert sum(told) <= 2  # 12 * 0.36 before
    assert sum(held) >= 11
    over = (
        x.reshape(60, 1, 10) * np.array([0.0, 1.0])[:, None]
        + rng.normal(size=(60, 2, 10)) * np.array([1.0, 0.1])[:, None]
    )
    timed = cs.responses(
        over, dims=("trial", "time", "unit"), time=[0.0, 1.0], stimulus=np.arange(60), choice=y
    )
    square = cs.decode(timed, "choice", generalise_time=True, **QUICK, rng=0)
    line = cs.decode(timed, "choice", **QUICK, rng=0)
    np.testing.assert_allclose(square.data["p"], line.data["p"])
    np.testing.assert_allclose(np.diagonal(square.generalisation["ci_low"]), line.data["ci_low"][0])
    with pytest.warns(cs.ConsilienceWarning, match="interval-withheld"):
        number = cs.decode(data, "angle", **sides, n_boot=99, n_perm=0, rng=0)
    assert np.isnan(number.interval).all()
    with pytest.warns(cs.ConsilienceWarning, match="sides-overlap"):
        cs.decode(data, "angle", train_on={"position": "up"}, n_boot=0, n_perm=99, rng=0)


# -- what must not leak ----------------------------------------------------------------------------------------------


def test_repeats_of_a_stimulus_stay_together_where_the_target_is_a_label_of_stimuli():
    rng = np.random.default_rng(0)
    which = np.repeat(np.arange(20), 4)
    values, sound, leaky = [], [], []
    for k in range(4):
        values = rng.normal(size=(20, 30))[which] + 0.5 * rng.normal(size=(80, 30))
        data = cs.responses(values, stimulus=which, repeat="count", category=which % 2)
        found = cs.decode(data, "category", **NONE, rng=k)
        assert found.settings["kept_together"] == "stimulus"
        sound.append(found.value)
        with pytest.warns(cs.ConsilienceWarning, match=r"\[repeats-split\] 'category' is a label of stimuli"):
            leaky.append(cs.decode(data, "category", groups="trial", **NONE, rng=k).value)
    assert np.mean(sound) < 0.65
    assert np.mean(leaky) > 0.8
    identity = cs.decode(data, "stimulus", cv=4, **NONE, rng=0)
    assert identity.settings["kept_together"] == "trial"
    assert identity.value > 0.9
    choice = data.assign_coords(choice=("trial", np.tile([0, 1], 40)))
    assert cs.decode(choice, "choice", **NONE, rng=0).settings["kept_together"] == "trial"
    mixed = data.assign_coords(kind=("trial", np.where(which == 0, "lone", "many")))
    with pytest.raises(cs.InputError, match=r"class 'lone' of 'kind' has one stimulus, others have several"):
        cs.decode(mixed, "kind", **NONE)


def test_units_are_chosen_and_scaled_inside_folds():
    inside, outside = [], []
    for k in range(6):
        rng = np.random.default_rng(k)
        x, y = rng.normal(size=(40, 600)), np.tile([0, 1], 20)
        data = cs.responses(x, stimulus=np.arange(40))
        model = make_pipeline(SelectKBest(f_classif, k=15), LDA())
        inside.append(cs.decode(data, y, model=model, **NONE, rng=k).value)
        kept = SelectKBest(f_classif, k=15).fit(x, y).get_support()
        outside.append(cs.decode(data[:, kept], y, **NONE, rng=k).value)
    assert abs(np.mean(inside) - 0.5) < 0.12
    assert np.mean(outside) > 0.8


def test_unbalanced_classes_have_the_chance_of_balanced_ones():
    values = []
    for k in range(8):
        y = np.repeat([0, 1], [48, 12])
        data = cs.responses(np.random.default_rng(k).normal(size=(60, 10)), stimulus=np.arange(60))
        values.append(cs.decode(data, y, **NONE, rng=k).value)
        assert cs.decode(data, y, score="accuracy", **NONE, rng=k).data["chance"].item() == 0.8
    assert abs(np.mean(values) - 0.5) < 0.1


def runs(seed=0, blocks=True):
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(6), 20)
    y = np.concatenate([np.repeat(rng.permutation(4), 5) for _ in range(6)])
    drift = np.concatenate([gaussian_filter1d(rng.normal(size=(20, 15)), 2.5, axis=0) for _ in range(6)])
    x = 3 * drift * blocks + rng.normal(size=(120, 15))
    return cs.responses(x, stimulus=np.arange(120), run=run, category=y, kind="bold", system="VT")


def test_block_designs_are_left_out_by_run():
    data = runs()
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[neighbours-alike\].*whole stretches change places inside a run"
    ):
        sound = cs.decode(data, "category", folds="run", **QUICK, rng=0)
    assert sound.settings["kept_together"] == "run"
    assert sound.settings["n_folds"] == 6
    assert sound.value < 0.45
    with pytest.warns(cs.ConsilienceWarning, match=r"\[neighbours-alike\].*they stand in training and test"):
        leaky = cs.decode(data, "category", **NONE, rng=0)
    assert leaky.value > sound.value + 0.1
    calm = runs(blocks=False)  # blocks, but nothing slow in the data: no warning
    assert not cs.decode(calm, "category", folds="run", **QUICK, rng=0).warnings
    for test in range(6):
        own = data["run"].values == test
        assert own.sum() == 20


def test_series_are_held_out_in_stretches_with_a_gap():
    data, target = smooth()
    found = cs.decode(data, target, **QUICK, rng=0)
    assert found.data["target"].values.tolist() == ["x", "y"]
    assert (found.data["p"] <= 0.05).all()
    assert found.settings["gap_steps"] >= found.settings["autocorrelation_steps"]
    assert cs.decode(data, target, gap=0.5, **NONE, rng=0).settings["gap_steps"] == 10
    for model, reach in ((WienerFilter((-1, 0, 1, 2)), 3), (KalmanFilter(lag=-1), 1), (Ridge(), 0)):
        other = cs.decode(data, target, model=model, gap=5, **NONE, rng=0)
        assert other.settings["gap_steps"] == 5 + reach
        assert other.value > 0.6
    lagged = cs.decode(data, target, model=WienerFilter(range(-3, 4)), **NONE, rng=0)
    assert lagged.value > found.value
    unrelated = gaussian_filter1d(np.random.default_rng(9).normal(size=600), 8)
    slow = cs.responses(
        gaussian_filter1d(np.random.default_rng(3).normal(size=(600, 30)), 8, axis=0),
        dims=("time", "unit"),
        time=np.arange(600) / 20,
    )
    sound = cs.decode(slow, unrelated, **{**QUICK, "n_perm": 60}, rng=0)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[shuffled-series\]"):
        leaky = cs.decode(slow, unrelated, shuffle=True, **NONE, rng=0)
    assert sound.data["p"].item() > 0.05
    assert leaky.value > 0.5


def test_a_heading_is_decoded_from_counts():
    rng = np.random.default_rng(0)
    heading = np.cumsum(0.25 * rng.normal(size=800)) % (2 * np.pi)
    preferred = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    counts = rng.poisson(4 * np.exp(2 * (np.cos(heading[:, None] - preferred) - 1)))
    data = cs.responses(counts, dims=("time", "unit"), time=np.arange(800) / 20, kind="count")
    found = cs.decode(
        data, heading, circular=True, model=BayesianDecoder(36, circular=True), n_boot=100, n_perm=25, rng=0
    )
    assert found.value < 0.5
    assert found.data["p"].item() < 0.05
    assert found.settings["standardise"] is False
    ridge = cs.decode(data, heading, circular=True, **NONE, rng=0)
    assert ridge.value < 0.6
    states = (np.cos(heading) > 0).astype(int)
    told = cs.decode(data, states, model=PoissonNaiveBayes(), **QUICK, rng=0)
    assert told.value > 0.8
    assert told.data["p"].item() <= 0.05
    assert told.predictions["predicted"].dims == ("time",)


# -- pseudo-populations ----------------------------------------------------------------------------------------------


def sessions(effect=1.0, seed=0, more=0):
    rng = np.random.default_rng(seed)
    out = {}
    for k in range(6):
        n = 9 + k % 3 + more
        y, place = np.repeat(["a", "b"], 2 * n), np.tile(np.repeat(["up", "down"], n), 2)
        x = rng.normal(size=(y.size, 2)) + effect * rng.normal(size=2) * (y == "a")[:, None]
        out[f"day {k}"] = cs.responses(x, stimulus=y, repeat="count", object=y, position=place, kind="rate")
    return out


def test_pseudo_trials_never_share_a_trial():
    marked, count = {}, 0
    for name, data in sessions().items():
        marked[name] = data.copy(data=np.arange(count, count + data.size).reshape(data.shape))
        count += data.size
    population = cs.pseudo_population(marked, by="object")
    drawn = population.draw(4, rng=0)
    assert drawn.sizes["unit"] == 12
    assert np.unique(drawn.values).size == drawn.size
    for fold in range(4):
        rows = drawn["fold"].values == fold
        assert np.unique(drawn["object"].values[rows], return_counts=True)[1].tolist() == [4, 4]
    for name, data in marked.items():  # trials stand in their own condition
        unit = [str(u).startswith(f"{name}:") for u in drawn["unit"].values]
        for y in ("a", "b"):
            allowed = data.values[data["object"].values == y]
            assert np.isin(drawn.values[np.ix_(drawn["object"].values == y, unit)], allowed).all()


def test_pseudo_populations_are_decoded():
    population = cs.pseudo_population(sessions(), by="object", system="IT")
    assert "12 units of 6 sessions" in repr(population)
    found = cs.decode(population, "object", n_draws=4, **QUICK, rng=0)
    assert found.value > 0.8
    assert found.draws.sizes["draw"] == 4
    assert found.value == pytest.approx(float(found.draws.mean()))
    assert found.data["p"].item() <= 0.02
    assert found.data["ci_low"].item() < found.value < found.data["ci_high"].item()
    assert found.predictions is None
    cs.testing.check_result(found)
    nothing = cs.decode(cs.pseudo_population(sessions(0.0), by="object"), "object", n_draws=4, **QUICK, rng=0)
    assert nothing.data["p"].item() > 0.05
    both = cs.pseudo_population(sessions(more=4), by=("object", "position"))
    across = cs.decode(
        both, "object", train_on={"position": "up"}, test_on={"position": "down"}, n_draws=2, **QUICK, rng=0
    )
    assert across.settings["single_split"] is True
    assert across.value > 0.8
    long = xr.concat(
        [
            d.isel(unit=0).assign_coords(site=("trial", np.full(d.sizes["trial"], k)))
            for k, d in enumerate(sessions().values())
        ],
        dim="trial",
    ).drop_vars(["unit", "stimulus", "repeat"])
    table = cs.responses(
        long.values[:, None],
        stimulus=np.arange(long.size),
        site=long["site"].values,
        object=long["object"].values,
    )
    same = cs.pseudo_population(table, by="object", session="site")
    assert same.counts.tolist() == cs.pseudo_population(sessions(), by="object").counts.tolist()


def test_pseudo_populations_refuse_what_does_not_fit():
    parts = sessions()
    with pytest.raises(cs.InputError, match=r"has 18 trials of object='a', fewer than 19 folds; use cv=18"):
        cs.decode(cs.pseudo_population(parts, by="object"), "object", cv=19, **NONE)
    with pytest.raises(
        cs.InputError, match=r"'objct' is no coordinate on trial of 'day 0'. Did you mean 'object'"
    ):
        cs.pseudo_population(parts, by="objct")
    lacking = {**parts, "day 2": parts["day 2"][parts["day 2"]["object"].values == "a"]}
    with pytest.raises(cs.InputError, match=r"session 'day 2' has no trial of object='b'"):
        cs.pseudo_population(lacking, by="object")
    with pytest.raises(cs.InputError, match=r"one array needs session='label'"):
        cs.pseudo_population(parts["day 0"], by="object")
    with pytest.raises(
        cs.InputError, match=r"target of a pseudo-population must be one of its labels, \['object'\]"
    ):
        cs.decode(cs.pseudo_population(parts, by="object"), "position", **NONE)
    with pytest.raises(cs.InputError, match=r"groups= and folds= are not for pseudo-populations"):
        cs.decode(cs.pseudo_population(parts, by="object"), "object", folds="run", **NONE)


# -- results, seeds, bad input ---------------------------------------------------------------------------------------


def test_results_keep_every_promise():
    for found in (
        cs.decode(trials(), "object", **QUICK, rng=0),
        cs.decode(over_time(), "choice", generalise_time=True, **QUICK, rng=0),
        cs.decode(*smooth(), **QUICK, rng=0),
    ):
        cs.testing.check_result(found)
        found.plot()
        assert found.settings["verb"] == "decode"


def test_one_seed_gives_one_result_and_inputs_stay_as_they_are():
    data = over_time()
    before = data.copy(deep=True)
    one, two, other = (cs.decode(data, "choice", **QUICK, rng=k) for k in (3, 3, 4))
    xr.testing.assert_identical(one.data, two.data)
    assert not one.data.equals(other.data)
    again = cs.decode(data, "choice", **QUICK, rng=one.seed)
    xr.testing.assert_identical(one.data, again.data)
    xr.testing.assert_identical(data, before)


def test_kinds_of_numbers_make_no_difference():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 30)
    x = rng.integers(0, 9, size=(60, 6)) + 2 * y[:, None]
    want = cs.decode(cs.responses(x.astype(float), stimulus=np.arange(60)), y, **NONE, rng=0).value
    for made in (x, x.astype(np.uint8), x.astype(np.float32), x.astype(">f8")):
        made.flags.writeable = False
        assert cs.decode(cs.responses(made, stimulus=np.arange(60)), y, **NONE, rng=0).value == want
    assert cs.decode(cs.responses(x, stimulus=np.arange(60)), y == 1, **NONE, rng=0).value == want
    names = np.array(["no", "yes"], dtype=object)[y]
    assert cs.decode(cs.responses(x, stimulus=np.arange(60)), names, **NONE, rng=0).value == want


def test_constant_units_are_dropped_and_masked_trials_left_out():
    data = trials()
    x = data.values.copy()
    x[:, 3] = 7.0
    dead = data.copy(data=x)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[constant-units\] the responses: 1 of 12 units do not vary"
    ):
        found = cs.decode(dead, "object", **NONE, rng=0)
    assert found.value == cs.decode(data[:, np.arange(12) != 3], "object", **NONE, rng=0).value
    with pytest.raises(cs.InputError, match=r"every unit of the responses has the same value"):
        cs.decode(data.copy(data=np.ones_like(x)), "object", **NONE)
    x[5, 2] = np.nan
    with pytest.raises(cs.InputError, match=r"NaN"):
        cs.decode(data.copy(data=x), "object", **NONE)
    masked = data.assign_coords(valid=("trial", np.arange(60) >= 3))
    assert quiet(masked, "object").settings["n_trials"] == 57
    short = over_time()
    valid = np.ones((40, 5), bool)
    valid[7, 4] = False
    ragged = short.assign_coords(valid=(("trial", "time"), valid))
    with pytest.warns(cs.ConsilienceWarning, match=r"\[times-left-out\] 1 of 5 times"):
        assert cs.decode(ragged, "choice", **NONE, rng=0).data.sizes["time"] == 4
    with pytest.raises(cs.InputError, match=r"at no time are all trials valid"):
        cs.decode(short.assign_coords(valid=(("trial", "time"), np.zeros((40, 5), bool))), "choice", **NONE)


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("objet", {}, r"target='objet' is no coordinate on trial. Did you mean 'object'"),
        (
            np.arange(59),
            {},
            r"target must have one entry for each of 60 rows of the data \(trial\), got shape \(59,\)",
        ),
        (np.zeros(60, int), {}, r"target 'target' has one class, 0"),
        (np.zeros(60), {}, r"target 'target' is the same in every row"),
        (
            np.arange(60),
            {},
            r"class 0 of 'target' has 1 trial \(60 of 60 classes have one\).*target.astype\(float\)",
        ),
        (
            np.where(np.arange(60) == 4, np.nan, 1.0),
            {},
            r"target has NaN or infinity in 1 of 60 rows, first in row 4",
        ),
        (
            np.array(["a"] * 58 + ["b"] * 2),
            {},
            r"cv=5 folds need at least 5 trials of every class, got 2 of 'b'; use cv=2",
        ),
        ("object", {"model": Ridge()}, r"the target has labels, so model must be a classifier"),
        (np.linspace(0, 1, 60), {"model": LDA()}, r"the target has numbers, so model must be a regressor"),
        ("object", {"model": LDA}, r"model must be an estimator such as cs.models.LDA\(\)"),
        (
            "object",
            {"model": "lda:shrinkage=0.1"},
            r"a text: .*; here write cs\.models\.LDA\(shrinkage=0\.1\)",
        ),
        ("object", {"model": KalmanFilter()}, r"KalmanFilter is for series"),
        ("object", {"model": PoissonNaiveBayes()}, r"takes spike counts, got a least value of -"),
        ("object", {"model": LDA(shrinkage=2.0)}, r"LDA: shrinkage must be a number in \[0, 1\]"),
        ("object", {"cv": 1}, r"cv must be a whole number, at least 2"),
        ("object", {"gap": 3}, r"gap= and shuffle= are for series"),
        ("object", {"folds": "run"}, r"folds='run' is no coordinate on trial"),
        ("object", {"time": "eech"}, r"time must be one of 'each', 'mean', got 'eech'. Did you mean 'each'"),
        ("object", {"score": "r"}, r"score of classes must be one of"),
        (np.linspace(0, 1, 60), {"score": "auc"}, r"score of numbers must be one of 'r', 'r2'"),
        ("object", {"train_on": {"object": "car"}}, r"class 'face' is in test_on and not in train_on"),
        (np.array([1 + 2j] * 60), {}, r"target must be labels .* or real numbers, got dtype complex128"),
        (np.array(["a", None] * 30, dtype=object), {}, r"target has no label in 30 of 60 rows"),
        ("object", {"n_perm": 1}, r"n_perm=1 says nothing"),
    ],
)
def test_bad_input_is_refused_in_words(target, options, said):
    with pytest.raises(cs.InputError, match=said):
        cs.decode(trials(), target, **{**NONE, **options})


def test_bad_series_and_folds_are_refused_in_words():
    data, target = smooth(200)
    with pytest.raises(
        cs.InputError, match=r"data and target do not have the same times \(200 and 80 samples\)"
    ):
        cs.decode(data, target[:80], **NONE)
    with pytest.raises(cs.InputError, match=r"groups= is for responses with trials"):
        cs.decode(data, target, groups="run", **NONE)
    with pytest.raises(cs.InputError, match=r"at least 40 samples are needed, got 30"):
        cs.decode(data[:30], target[:30], **NONE)
    halves = (np.arange(200) >= 100).astype(int)
    with pytest.raises(cs.InputError, match=r"in fold \d of 2 .*class"):
        cs.decode(data, halves, cv=2, **NONE)
    lone = runs().assign_coords(run=("trial", np.zeros(120, int)))
    with pytest.raises(cs.InputError, match=r"folds='run' has one level"):
        cs.decode(lone, "category", folds="run", **NONE)
    apart = runs()
    apart = apart.assign_coords(run=("trial", apart["category"].values))
    with pytest.raises(cs.InputError, match=r"in fold 1 of 4 class 0 is tested and has no training rows"):
        cs.decode(apart, "category", folds="run", **NONE)
    with pytest.raises(cs.InputError, match=r"not-responses|must be responses"):
        cs.decode(np.zeros((4, 3)), "object", **NONE)
    with pytest.raises(cs.InputError, match=r"generalise_time=True is for classes"):
        cs.decode(data, target, generalise_time=True, **NONE)


def test_angles_are_said_to_be_angles():
    data = cs.responses(
        np.random.default_rng(0).poisson(3, size=(60, 5)), dims=("time", "unit"), time=np.arange(60)
    )
    with pytest.raises(
        cs.InputError, match=r"BayesianDecoder takes the target for angles.*pass circular=True"
    ):
        cs.decode(data, np.linspace(0, 6, 60), model=BayesianDecoder(circular=True), gap=0, **NONE)


def test_numbers_change_places_inside_conditions():
    from consilience.analyses._decode_relabel import _inside

    owner = np.array([0, 1, 0, 1, 1, 0])
    orders = _inside(owner, 50, np.random.default_rng(0))
    assert (owner[orders] == owner).all()
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert len(np.unique(orders, axis=0)) > 15
    x = np.random.default_rng(1).normal(size=(60, 4))
    side = np.repeat([0, 1], 30)
    data = cs.responses(x, stimulus=np.arange(60), side=side, speed=x[:, 0] + 10 * side)
    found = cs.decode(data, "speed", train_on={"side": 0}, test_on={"side": 1}, n_boot=0, n_perm=99, rng=0)
    assert found.data["p"].item() == 0.01
    assert found.predictions.sizes["trial"] == 30


def _across(rng, n, p, effects, circular=False):
    y = rng.uniform(0, 2 * np.pi, 2 * n) if circular else rng.normal(size=2 * n)
    seen = np.column_stack([np.cos(y), np.sin(y)]) if circular else y[:, None]
    way = np.random.default_rng(3).normal(size=(seen.shape[1], p)) / np.sqrt(p)
    x = rng.normal(size=(2 * n, p)) + np.repeat(effects, n)[:, None] * (seen @ way)
    data = cs.responses(x, stimulus=np.arange(2 * n), side=np.repeat([0, 1], n))
    return data, y, {"train_on": {"side": 0}, "test_on": {"side": 1}, "circular": circular}


@pytest.mark.parametrize("circular", [False, True])
def test_numbers_across_conditions_have_intervals_that_hold_what_other_training_trials_give(circular):
    few = {"n_boot": 60, "n_perm": 39}
    made = []
    for k in range(14):
        data, y, sides = _across(np.random.default_rng(k), 40, 5, (1.5, 1.5), circular)
        found = cs.decode(data, y, **sides, **few, rng=k)
        made.append((found.value, *found.interval))
    value, low, high = np.array(made).T
    assert ((low <= value.mean()) & (value.mean() <= high)).sum() >= 12
    assert ((low < value) & (value < high)).all()
    chance, holds = (np.pi / 2 if circular else 0.0), []
    for k in range(12):  # the training trials know nothing, those of the test do
        data, y, sides = _across(np.random.default_rng(100 + k), 40, 5, (0.0, 3.0), circular)
        found = cs.decode(data, y, **sides, **few, rng=k)
        low, high = found.interval
        holds.append(low <= chance <= high)
        if found.data["p"].item() > 0.05:
            assert holds[-1]
    assert sum(holds) >= 10
    assert any("halves of the training rows" in line for line in found.methods)


def test_numbers_across_conditions_with_few_training_trials_have_no_interval():
    data, y, sides = _across(np.random.default_rng(0), 8, 2, (2.0, 2.0))
    with pytest.warns(cs.ConsilienceWarning, match="few-to-train"):
        found = cs.decode(data, y, **sides, n_boot=50, n_perm=39, rng=0)
    assert np.isnan(found.interval).all()
    assert found.data["p"].item() <= 1


def test_targets_of_trials_that_depend_on_the_stimulus_are_warned_of():
    rng = np.random.default_rng(0)
    stimulus, speed = np.repeat(np.arange(12), 8), rng.normal(size=12)
    x = rng.normal(size=(12, 20))[stimulus] + rng.normal(size=(96, 20))
    data = cs.responses(x, stimulus=stimulus, repeat="count")
    reaction = speed[stimulus] + 0.5 * rng.normal(size=96)
    for target in (reaction, np.where(reaction > 0, "left", "right")):
        with pytest.warns(cs.ConsilienceWarning, match=r"repeats-split.*groups='stimulus'"):
            cs.decode(data, target, **NONE)
    cs.decode(
        data.assign_coords(reaction=("trial", reaction)), "reaction", groups="stimulus", **NONE
    )  # is silent
    cs.decode(data, reaction - np.array([reaction[stimulus == s].mean() for s in stimulus]), **NONE)


def test_blocks_with_a_drift_are_warned_of_though_few():
    rng = np.random.default_rng(0)
    label = np.repeat(np.array(["a", "b", "a", "b"]), 30)
    noise = rng.normal(size=(120, 20))
    drift = np.cumsum(rng.normal(size=(120, 20)), axis=0) / np.sqrt(60)
    with pytest.warns(cs.ConsilienceWarning, match="neighbours-alike"):
        cs.decode(cs.responses(noise + drift, stimulus=np.arange(120), label=label), "label", **NONE)
    cs.decode(cs.responses(noise, stimulus=np.arange(120), label=label), "label", **NONE)


def test_missing_labels_are_counted_not_made_a_class():
    data = trials()
    labels = data["object"].values
    for nothing in (None, np.nan, pd.NA, "", "nan"):
        broken = labels.astype(object)
        broken[[3, 7]] = nothing
        with pytest.raises(cs.InputError, match=r"no label in 2 of 60 rows .* first in row 3"):
            cs.decode(data, broken, **NONE)


def test_targets_with_ids_are_taken_by_them():
    data = trials()
    labels = data["object"].values
    right = cs.decode(data, labels, **NONE, rng=0).value
    series = pd.Series(labels).sample(frac=1, random_state=0)
    assert cs.decode(data, series, **NONE, rng=0).value == right
    back = xr.DataArray(labels[::-1], dims="trial", coords={"trial": np.arange(60)[::-1]})
    assert cs.decode(data, back, **NONE, rng=0).value == right
    with pytest.raises(cs.InputError, match=r"the index of target does not hold the ids of the trials"):
        cs.decode(data, pd.Series(labels, index=np.arange(60) + 7), **NONE)
    other = xr.DataArray(labels[::-1], dims="trial", coords={"stimulus": ("trial", labels[::-1])})
    with pytest.raises(cs.InputError, match=r"their stimulus differs in \d+ of 60 trials"):
        cs.decode(data, other, **NONE)


def test_scores_need_models_that_have_them():
    data = trials()
    found = cs.decode(
        data,
        "object",
        model=DecisionTreeClassifier(random_state=0),
        score="auc",
        n_boot=100,
        n_perm=20,
        rng=0,
    )
    assert np.isfinite([found.value, *found.interval]).all()
    with pytest.raises(cs.InputError, match=r"score='log_loss' needs a model with predict_proba"):
        cs.decode(data, "object", model=LinearSVC(), score="log_loss", **NONE)
    with pytest.raises(cs.InputError, match=r"MaxCorrelation needs at least 3 units that vary, got 2"):
        cs.decode(data[:, :2], "object", model=MaxCorrelation(), **NONE)
    with pytest.raises(cs.InputError, match=r"a float64 cannot hold"):
        cs.decode(data * 1e300, "object", **NONE)
    with pytest.raises(cs.InputError, match=r"n_draws= is how often pseudo-trials are made"):
        cs.decode(data, "object", n_draws=3, **NONE)
    series, target = smooth()
    with pytest.raises(cs.InputError, match=r"n_perm=10 circular shifts are too few"):
        cs.decode(series, target, n_boot=0, n_perm=10)
    place = np.repeat(["up", "down"], 30)
    kept = (place == "up") | (data["object"].values != "hand")
    part = data[kept].assign_coords(position=("trial", place[kept]))
    with pytest.warns(cs.ConsilienceWarning, match="class-untested"):
        cs.decode(part, "object", train_on={"position": "up"}, test_on={"position": "down"}, **QUICK)


def test_degrees_and_radians_are_told_apart():
    data = trials()
    angle = np.random.default_rng(0).uniform(0, 6.28, 60)
    with pytest.warns(cs.ConsilienceWarning, match=r"angle-units.*takes radians"):
        cs.decode(data, np.rad2deg(angle), circular=True, **NONE)
    with pytest.warns(cs.ConsilienceWarning, match=r"angle-units.*plain numbers"):
        cs.decode(data.assign_coords(angle=("trial", angle, {"units": "rad"})), "angle", **NONE)
    with pytest.raises(cs.InputError, match=r"circular=True is for angles"):
        cs.decode(data, "object", circular=True, **NONE)


def test_a_model_that_fails_is_named():
    class Broken(LogisticRegression):
        def fit(self, X, y):
            raise RuntimeError("no memory left")

    with pytest.raises(
        cs.InputError, match=r"Broken.fit failed in fold 1 of 5 with RuntimeError: no memory left"
    ):
        cs.decode(trials(), "object", model=Broken(), **NONE)


def test_groups_that_mix_classes_stay_whole():
    data = trials(n=60, classes=2, effect=1.0)
    day = np.repeat(np.arange(10), 6)
    offset = 5 * np.random.default_rng(0).normal(size=(10, 12))
    data = data.copy(data=data.values + offset[day]).assign_coords(day=("trial", day))
    found = cs.decode(data, "object", groups="day", **QUICK, rng=0)
    assert found.settings["kept_together"] == "day"
    assert found.settings["n_groups"] == 10
    assert 0 < found.data["p"].item() <= 1


def test_ridge_relabelled_at_once_is_relabelled_one_by_one():
    data, target = smooth(300, p=5)
    many = cs.decode(data, target, model=RidgeCV(cv=3), n_boot=0, n_perm=25, rng=0)
    alone = cs.decode(
        data, target, model=make_pipeline(RidgeCV(alphas=many_alphas(), cv=3)), n_boot=0, n_perm=25, rng=0
    )
    assert many.data["p"].values == pytest.approx(alone.data["p"].values)


def many_alphas():
    return 10.0 ** np.arange(-3, 5)


def test_series_are_matched_where_one_lacks_some_bins_of_a_grid():
    rng = np.random.default_rng(0)
    hand = np.cumsum(rng.normal(size=(400, 1)), axis=0) * 0.1 + rng.normal(size=(400, 1))
    x = hand @ rng.normal(size=(1, 5)) + rng.normal(size=(400, 5))
    time = np.arange(400) / 10
    known = np.ones(400, bool)
    known[[0, 1, 398, 399]] = False
    cells = cs.responses(x, dims=("time", "unit"), time=time, kind="rate")
    place = cs.responses(hand[known], dims=("time", "unit"), time=time[known] + 1e-5, kind="behaviour")
    with pytest.warns(
        cs.ConsilienceWarning, match="4 of 400 times of the data are not in the target, and 0 of 396"
    ):
        found = cs.decode(cells, place, n_boot=0, n_perm=0, gap=3)
    direct = cs.decode(cells[known], hand[known], n_boot=0, n_perm=0, gap=3)
    np.testing.assert_allclose(found.data["value"], direct.data["value"])
    assert found.data["target"].values.tolist() == ["0"]
    named = cs.decode(cells[known], place.assign_attrs(system="hand"), n_boot=0, n_perm=0, gap=3)
    assert named.data["target"].values.tolist() == ["hand"]
    for other in (place[:150], place.assign_coords(time=place["time"] + 0.05), place[::2]):
        with pytest.raises(cs.InputError, match="same times"):
            cs.decode(cells, other, n_boot=0, n_perm=0)


def test_numbers_of_trials_that_drift_with_the_responses_are_warned_of_and_others_are_not():
    rng = np.random.default_rng(0)
    drift, speed = (np.cumsum(rng.normal(size=(200, q)), axis=0) for q in (5, 1))
    ids, white = np.arange(200), rng.normal(size=(200, 5))
    with pytest.warns(cs.ConsilienceWarning, match=r"neighbours-alike.*alike in 'target'.*as a series"):
        cs.decode(cs.responses(drift, stimulus=ids), speed[:, 0], **NONE)
    run = ids // 50
    runs = cs.responses(drift, stimulus=ids, run=run)
    with pytest.warns(cs.ConsilienceWarning, match=r"neighbours-alike.*one by one, so p is too small"):
        cs.decode(runs, speed[:, 0], folds="run", groups=None, **NONE)
    cs.decode(runs, speed[:, 0], folds="run", **NONE)  # whole runs change places
    for x, y in (
        (white, speed[:, 0]),
        (drift, white[:, 0]),
        (white + speed / 5, speed[:, 0]),  # follows the target
        (
            white + np.exp(2 * np.cos(np.linspace(0, 3, 200)[:, None] - np.arange(5))),
            np.linspace(0, 3, 200),
        ),  # sorted
    ):
        cs.decode(cs.responses(x, stimulus=ids), y, **NONE)


def test_copies_of_trials_in_training_and_test_are_warned_of():
    rng = np.random.default_rng(0)
    x, y = np.repeat(rng.normal(size=(20, 10)), 3, axis=0), np.repeat(np.tile(["a", "b"], 10), 3)
    ids = np.arange(60)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"duplicate-rows.*of 60 trials hold exactly the responses"
    ):
        cs.decode(cs.responses(x, stimulus=ids), y, **NONE)
    kept = cs.responses(x, stimulus=ids, image=ids // 3)
    cs.decode(kept, y, groups="image", **NONE)
    for few in (rng.poisson(0.2, size=(60, 10)), rng.poisson(0.5, size=(60, 4)) / 0.05):  # equal by chance
        cs.decode(cs.responses(few, stimulus=ids, kind="count"), y, model=LinearSVC(), **NONE)


def test_a_column_of_labels_is_labels():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 30)
    data = cs.responses(rng.normal(size=(60, 4)) + y[:, None], stimulus=np.arange(60))
    flat = cs.decode(data, y, rng=0, **NONE)
    for column in (y[:, None], (y > 0)[:, None], pd.DataFrame({"side": y}, index=np.arange(60))):
        found = cs.decode(data, column, rng=0, **NONE)
        assert found.settings["score"] == "balanced_accuracy"
        assert found.value == flat.value
    with pytest.raises(cs.InputError, match=r"labels must be one per row.*argmax"):
        cs.decode(data, y[:, None] == np.arange(2), **NONE)
    assert (
        cs.decode(data, np.stack([y, rng.permutation(y)], axis=1), **NONE).settings["score"] == "r"
    )  # places


def test_p_is_that_of_one_time_and_target():
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 20)
    data = cs.responses(rng.normal(size=(40, 4)) + 2 * (y == "a")[:, None], stimulus=np.arange(40))
    found = cs.decode(data, y, n_boot=0, n_perm=99, rng=0)
    assert found.p == float(found.data["p"][0]) == 0.01
    assert cs.decode(data, y, **NONE).p is None
    with pytest.raises(cs.InputError, match=r"one time and target, and there are 2"):
        _ = cs.decode(data, rng.normal(size=(40, 2)), **NONE).p


def test_a_model_of_plain_numbers_is_not_given_angles():
    rng = np.random.default_rng(0)
    x, angle = rng.poisson(3, size=(60, 5)), rng.uniform(0, 6, size=60)
    data = cs.responses(x, stimulus=np.arange(60), kind="count")
    with pytest.raises(cs.InputError, match=r"takes what it decodes for plain numbers.*circular=True too"):
        cs.decode(data, angle, circular=True, model=BayesianDecoder(24), **NONE)


def test_targets_too_large_to_square_are_refused():
    rng = np.random.default_rng(0)
    n = 200
    data = cs.responses(rng.normal(size=(n, 4)), dims=("time", "unit"), time=np.arange(n) * 0.1)
    for scale in (1e200, 1e-200):
        with pytest.raises(cs.InputError, match=r"largest value of the target is .* cannot hold"):
            cs.decode(data, rng.normal(size=n) * scale, **NONE)


def test_rows_that_are_silent_or_nearly_so_are_no_copies():
    from consilience.analyses._equal_rows import equal_rows

    rng = np.random.default_rng(0)
    assert all(equal_rows(2.0 * (rng.random((60, 3)) < 0.1)) is None for _ in range(20))
    once = np.zeros((60, 3))
    once[3] = rng.normal(size=3)
    assert equal_rows(once) is None
    assert (equal_rows(np.repeat(rng.normal(size=(20, 2)), 3, axis=0)) >= 0).all()
