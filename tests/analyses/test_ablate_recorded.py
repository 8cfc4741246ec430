"""`cs.ablate` of recorded data: lesions of decoders and encoders on rows held out."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import consilience as cs
from consilience.analyses._recorded_fits import fits_of
from consilience.models._removed_units import affine_part, predictions_without, replacements
from consilience.stats._held_out_change import area_under, held_out_change

pytestmark = pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")


def classes(n=90, seed=0, gain=2.5, units=8):
    """Unit c alone is driven by class c, for the first two of three classes; the others are noise."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    x = rng.normal(size=(n, units))
    x[:, 0] += gain * (codes == 0)
    x[:, 1] += gain * (codes == 1)
    return cs.responses(x, stimulus=np.arange(n), label=np.array(["a", "b", "c"])[codes], system="V4")


def series(n=1500, units=6, seed=0):
    rng = np.random.default_rng(seed)
    heading = np.cumsum(rng.normal(0, 0.25, n)) % (2 * np.pi)
    preferred = np.arange(units) * 2 * np.pi / units
    depth = np.linspace(2.0, 0.0, units)  # the last is not tuned
    rate = 3 * np.exp(depth * (np.cos(heading[:, None] - preferred) - 1))
    made = cs.responses(
        rng.poisson(rate).astype(float),
        dims=("time", "unit"),
        time=np.arange(n) * 0.1,
        kind="count",
        system="ADN",
    )
    return made, heading


@pytest.fixture(scope="module")
def of_classes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.ablate(
            classes(), target="label", how=["mean", "zero", "resample"], refit=True, n_boot=200,
            order=["selectivity", "-selectivity", "impact"], n_orders=30, rng=0,
        )  # fmt: skip


def test_units_that_carry_the_classes_are_needed(of_classes):
    data = of_classes.data
    for how in ("mean", "zero", "resample", "refit"):
        at = data.sel(how=how)
        assert set(np.argsort(-at["impact"].values)[:2]) == {0, 1}
        assert (at["q"].values[:2] < 0.05).all()
        assert (at["ci_low"].values[:2] > 0).all()
        assert (np.abs(at["impact"].values[2:]) < 0.1).all()
    assert of_classes.settings["n_parts"] == 8


def test_classes_that_a_unit_carries_are_lost(of_classes):
    each = of_classes.data["class_impact"].sel(how="mean").values
    assert each[0].argmax() == 0
    assert each[1].argmax() == 1


def test_curves_fall_first_by_selectivity_and_end_at_chance(of_classes):
    curves = of_classes.curves
    assert curves["fraction"].values[[0, -1]].tolist() == [0, 1]
    at = curves.sel(how="mean")
    np.testing.assert_allclose(at["score"].values[:, 0], float(of_classes.data["intact"]))
    np.testing.assert_allclose(at["score"].values[:, -1], 1 / 3)  # one class is told whatever comes
    area = at["area"]
    assert float(area.sel(order="selectivity")) < float(area.sel(order="random"))
    assert float(area.sel(order="-selectivity")) > float(area.sel(order="random"))
    assert float(at["p"].sel(order="selectivity")) < 0.01
    assert float(at["difference_high"].sel(order="selectivity")) < 0
    assert np.isnan(at["p"].sel(order="random"))


def test_result_keeps_its_promises_and_choices_agree(of_classes):
    cs.testing.check_result(of_classes)
    assert of_classes.agreement.sizes["pair"] == 3  # refitting answers another question
    assert (of_classes.agreement["correlation"] > 0.5).all()
    assert "assumes that the readout is causal" in " ".join(of_classes.methods)


def test_intact_score_is_that_of_decode(of_classes):
    data = classes()
    told = cs.decode(data, "label", n_boot=0, n_perm=0, rng=0)
    assert float(of_classes.data["intact"]) == pytest.approx(told.value)
    made, heading = series()
    told = cs.decode(made, heading, circular=True, n_boot=0, n_perm=0, rng=0)
    lost = cs.ablate(made, target=heading, circular=True, n_boot=0, curves=False, rng=0)
    assert float(lost.data["intact"]) == pytest.approx(float(told.data["value"].item()))


@pytest.mark.parametrize("how", ["mean", "zero", 0.7])
def test_single_lesions_are_those_of_a_plain_loop(how):
    """The closed form against sklearn's own predictions on test rows in which one column was replaced."""
    data = classes(60)
    found = cs.ablate(
        data,
        target="label",
        model=LogisticRegression(),
        how=how,
        standardise=False,
        n_boot=0,
        curves=False,
        rng=3,
    )
    x, y = data.values, data["label"].values
    splits = cs.decode(data, "label", n_boot=0, n_perm=0, rng=3)  # the same folds, by the same seed
    folds = _folds(data, 3)
    assert splits.value > 0.5
    for unit in (0, 5):
        right = np.zeros(60)
        for train, test in folds:
            z = x[test].copy()
            z[:, unit] = {"mean": x[train, unit].mean(), "zero": 0.0}.get(how, how)
            right[test] = LogisticRegression().fit(x[train], y[train]).predict(z) == y[test]
        want = np.mean([right[y == c].mean() for c in "abc"])
        assert found.data["score"].values[0, unit] == pytest.approx(want)


def _folds(data, rng):
    from consilience._core._seeds import resolve_seed
    from consilience.analyses._recorded_task import Fitting, read_task

    seed = resolve_seed(rng, who="x")
    task, _ = read_task(data, "label", None, Fitting(standardise=False), seed=seed, who="cs.ablate")
    return task.splits


def test_refitting_is_fitting_to_the_units_that_are_left():
    data = classes(60)
    found = cs.ablate(
        data,
        target="label",
        model=LogisticRegression(),
        how="refit",
        standardise=False,
        n_boot=0,
        curves=False,
        rng=3,
    )
    x, y = data.values, data["label"].values
    right = np.zeros(60)
    for train, test in _folds(data, 3):
        kept = [1, 2, 3, 4, 5, 6, 7]
        right[test] = (
            LogisticRegression().fit(x[train][:, kept], y[train]).predict(x[test][:, kept]) == y[test]
        )
    want = np.mean([right[y == c].mean() for c in "abc"])
    assert found.data["score"].values[0, 0] == pytest.approx(want)
    assert np.isnan(found.data["off_distribution"]).all()  # no input is disturbed


def test_redundant_units_are_needed_by_the_decoder_and_not_by_the_information():
    """Two copies of one signal: either is missed by a decoder that reads both, none when it may learn again."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=400)
    x = np.column_stack([y, y]) + 0.1 * rng.normal(size=(400, 2))
    data = cs.responses(np.column_stack([x, rng.normal(size=400)]), stimulus=np.arange(400))
    found = cs.ablate(
        data, target=y, model=Ridge(), refit=True, how="resample", n_boot=100, curves=False, rng=0
    )
    impact = found.data["impact"]
    assert (impact.sel(how="resample").values[:2] > 0.2).all()
    assert (np.abs(impact.sel(how="refit").values[:2]) < 0.01).all()


def test_models_that_are_not_linear_are_asked_row_by_row():
    data = classes()
    found = cs.ablate(
        data, target="label", model=KNeighborsClassifier(5), n_boot=50, order="selectivity", n_orders=5, rng=0
    )
    assert set(np.argsort(-found.data["impact"].values[0])[:2]) == {0, 1}


def test_a_series_of_headings_by_tuning():
    made, heading = series()
    found = cs.ablate(
        made,
        target=heading,
        circular=True,
        order=["selectivity", "-selectivity"],
        n_orders=20,
        n_boot=200,
        rng=0,
    )
    assert found.settings["evaluate"] == "circular_error"
    assert found.data["impact"].values[0, 0] > 0.05  # the error grows
    assert abs(float(found.data["impact"].values[0, -1])) < 0.01
    at = found.curves.sel(how="mean")
    assert float(at["area"].sel(order="selectivity")) > float(at["area"].sel(order="-selectivity"))
    assert float(at["score"].sel(order="random")[-1]) > 1.2  # near pi / 2
    cs.testing.check_result(found)


def test_models_that_know_the_order_of_time():
    made, heading = series(600)
    speed = np.stack([np.cos(heading), np.sin(heading)], axis=1)
    found = cs.ablate(
        made,
        target=speed,
        model=cs.models.WienerFilter(lags=range(2)),
        n_boot=50,
        curves=False,
        n_orders=2,
        rng=0,
    )
    assert found.data["impact"].values[0, 0] > 0.02


def test_encoders_lose_the_units_of_the_target_that_a_predictor_drives():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 5))
    b = a[:, :3] + 0.5 * rng.normal(size=(80, 3))
    ids = [f"image{i}" for i in range(80)]
    x = cs.responses(a, stimulus=ids, system="layer")
    y = cs.responses(b, stimulus=ids, kind="rate", system="V1")
    found = cs.ablate(x, target=y, n_boot=100, n_deals=1, order="selectivity", n_orders=10, rng=0)
    each = found.data["class_impact"].sel(how="mean").values
    assert each.shape == (5, 3)
    assert each[:3].argmax(axis=1).tolist() == [0, 1, 2]
    assert np.abs(each[3:]).max() < 0.05
    told = cs.encode(x, y, n_boot=0, n_perm=0, rng=0)
    assert float(found.data["intact"]) == pytest.approx(float(told.data["r"].mean()))


def test_parts_are_units_of_an_area_or_as_named():
    data = classes().assign_coords(area=("unit", ["it", "it", "v1", "v1", "v1", "v1", "v1", "v1"]))
    found = cs.ablate(data, target="label", parts="area", n_boot=100, n_orders=3, rng=0)
    assert found.data["part"].values.tolist() == ["it", "v1"]
    assert found.data["impact"].values[0, 0] > 0.3
    named = cs.ablate(
        data, target="label", parts={"both": [0, 1], "rest": [2, 3]}, n_boot=0, n_orders=3, rng=0
    )
    assert named.data["impact"].sel(part="both").item() == pytest.approx(found.data["impact"].values[0, 0])
    assert np.isnan(named.data["ci_low"]).all()


def test_times_of_a_unit_are_removed_together():
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 2
    x = rng.normal(size=(60, 3, 4))
    x[:, 1, 2] += 3 * codes
    data = cs.responses(
        x, dims=("trial", "time", "unit"), time=[0.0, 0.1, 0.2], stimulus=np.arange(60), side=codes
    )
    found = cs.ablate(data, target="side", time=None, n_boot=0, n_orders=3, rng=0)
    assert found.data.sizes["part"] == 4
    assert found.data["impact"].values[0].argmax() == 2


def test_orders_are_found_on_training_rows_and_given_ones_kept():
    data = classes()
    scores = np.array([0.0, 5, 1, 2, 3, 4, 6, 7])
    found = cs.ablate(data, target="label", order={"mine": scores}, n_orders=3, n_boot=0, rng=0)
    assert found.curves["sequence"].sel(order="mine").values.tolist() == [7, 6, 1, 5, 4, 3, 2, 0]
    numbers = np.arange(8)[::-1]
    again = cs.ablate(data, target="label", order=numbers, n_orders=3, n_boot=0, rng=0)
    assert again.curves["sequence"].sel(order="given").values.tolist() == numbers.tolist()


def test_noise_units_and_the_seed():
    data = classes()
    one = cs.ablate(data, target="label", how="resample", n_boot=50, n_orders=3, rng=5)
    two = cs.ablate(data, target="label", how="resample", n_boot=50, n_orders=3, rng=one.seed)
    np.testing.assert_array_equal(one.data["impact"].values, two.data["impact"].values)


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"how": "mode"}, "unknown-option", "how"),
        ({"how": []}, "bad-parameter", "how is empty"),
        ({"order": "best"}, "unknown-option", "order"),
        ({"order": np.arange(3.0)}, "bad-order", "8 finite scores"),
        ({"parts": "area"}, "unknown-label", "no coordinate on unit"),
        ({"parts": {"a": [99]}}, "unknown-name", "99"),
        ({"time": "each"}, "bad-parameter", "time='mean'"),
        ({"delays": [1]}, "bad-parameter", "encoders"),
        ({"evaluate": "loss"}, "bad-parameter", "score="),
        ({"target": "nothing"}, "unknown-label", "cs.ablate"),
        ({"how": lambda x: x[:1]}, "bad-parameter", "shape"),
        ({"score": "auc"}, "unknown-option", "score of classes"),
    ],
)
def test_bad_input_is_said(change, code, text):
    with pytest.raises(cs.InputError, match=text) as error:
        cs.ablate(classes(30), **({"target": "label", "n_orders": 3, "n_boot": 0, "rng": 0} | change))
    assert str(error.value).startswith("cs.ablate")
    if code != "unknown-option":
        assert error.value.code == code


def test_affine_models_are_told_from_others():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(30, 4)), rng.normal(size=(4, 2))
    found = affine_part(lambda z: z @ w + 3, x, x.mean(0), x.std(0))
    np.testing.assert_allclose(found.weights, w)
    np.testing.assert_allclose(found.offset, 3)
    assert affine_part(lambda z: np.exp(z @ w), x, x.mean(0), x.std(0)) is None
    assert affine_part(lambda z: (z @ w > 0) * 1.0, x, x.mean(0), x.std(0)) is None


def test_masks_are_one_product_and_the_same_as_stacked_rows():
    rng = np.random.default_rng(0)
    x, w, masks = rng.normal(size=(30, 6)), rng.normal(size=(6, 2)), rng.random((9, 6)) < 0.5
    instead = replacements("resample", x, rng.normal(size=(50, 6)), np.random.default_rng(1))

    def model(z):
        return z @ w - 1

    closed = predictions_without(model, affine_part(model, x, x.mean(0), x.std(0)), x, instead, masks)
    np.testing.assert_allclose(closed, predictions_without(model, None, x, instead, masks), atol=1e-12)
    np.testing.assert_allclose(
        closed, predictions_without(model, None, x, instead, masks, stacked=False), atol=1e-12
    )


def test_changes_that_are_always_the_same_have_no_error():
    low, high, p = held_out_change(np.zeros((50, 2)), np.zeros(2), level=0.95, blocks=20)
    assert low.tolist() == high.tolist() == [0, 0]
    assert p.tolist() == [1, 1]
    assert area_under(np.array([1.0, 0.5, 0.0]), np.array([0, 0.5, 1.0])) == pytest.approx(0.5)


def test_fits_are_made_once_for_each_fold():
    data = classes(30)
    assert len(_folds(data, 0)) == 5
    assert callable(fits_of)


@pytest.mark.slow
def test_p_of_units_without_information_and_coverage_of_the_decoder():
    """Units of pure noise in a decoder that works: p < 0.05 in at most 0.08 of them."""
    found = []
    for k in range(60):
        data = classes(90, seed=100 + k)
        found += (
            cs.ablate(data, target="label", n_boot=200, curves=False, rng=k).data["p"].values[0, 2:].tolist()
        )
    assert np.mean(np.array(found) < 0.05) < 0.08


def test_head_direction_cells():
    try:
        rec = cs.datasets.load("head_direction").recording
    except cs.InputError as error:
        if error.code != "not-cached":
            raise
        pytest.skip(str(error))
    tracked = rec.intervals["position_time_support"]
    counts, heading = rec.bin(0.3, within=tracked), rec.bin(0.3, of="ry", within=tracked)
    found = cs.ablate(
        counts, target=heading, circular=True, refit=True, order="selectivity", n_orders=5, n_boot=100, rng=0
    )
    of_adn = counts["area"].values == "adn"
    for how in ("mean", "refit"):
        impact = found.data["impact"].sel(how=how).values
        assert impact[of_adn].max() > 5 * np.abs(impact[~of_adn]).max()
        at = found.curves.sel(how=how)["difference_low"].sel(order="selectivity")
        assert float(at) > 0  # the error grows faster than in random orders


@pytest.mark.parametrize("how", ["mean", "resample"])
@pytest.mark.parametrize(
    "model",
    [LogisticRegression(l1_ratio=1, C=0.05, solver="liblinear"), DecisionTreeClassifier(max_depth=1)],
)
def test_units_that_the_decoder_never_reads_are_not_needed(model, how):
    rng = np.random.default_rng(3)
    y = np.tile(["l", "r"], 100)
    x = rng.normal(size=(200, 6))
    x[:, 1] += 1.5 * (y == "l")
    data = cs.responses(x, stimulus=np.arange(200), choice=y)
    at = cs.ablate(data, target="choice", model=model, how=how, n_boot=200, n_orders=2, rng=0).data.sel(
        how=how
    )
    never = at["unchanged"].values
    assert never.sum() >= 3
    assert (at["impact"].values[never] == 0).all()
    assert (at["p"].values[never] == 1).all()
    assert np.flatnonzero(at["q"].values < 0.05).tolist() == [1]


def test_numbers_and_orders_are_of_the_units_that_were_recorded():
    rng = np.random.default_rng(3)
    y = np.tile(["l", "r"], 60)
    x = rng.normal(size=(120, 6))
    x[:, 1] += 2 * (y == "l")
    x[:, 0] = 5  # dropped
    data = cs.responses(x, stimulus=np.arange(120), choice=y)
    for order in (
        [3, 5, 1, 2, 4],
        [3, 0, 5, 1, 2, 4],
        ["3", "5", "1", "2", "4"],
        {"given": [0.0, 3, 2, 5, 1, 4]},
    ):
        found = cs.ablate(data, target="choice", order=order, n_orders=2, n_boot=0, rng=0)
        assert found.data["unit"].values.tolist() == [1, 2, 3, 4, 5]
        went = found.data["part"].values[found.curves["sequence"].sel(order="given").values]
        assert went.tolist() == ["3", "5", "1", "2", "4"]


def test_an_order_against_few_random_ones_is_known_roughly():
    rng = np.random.default_rng(0)
    draws, orders = 0.01 * rng.normal(size=(500, 1)), np.array([[0.1], [0.2], [0.3]])
    low, high, p = held_out_change(draws, np.array([0.3]), level=0.95, blocks=200, factor=1, orders=orders)
    assert (high - low)[0] > 2 * 4 * np.sqrt(0.01 / 3)  # t of 2 degrees of freedom
    assert p[0] > 0.02
    with pytest.warns(cs.ConsilienceWarning, match="few-orders") as said:
        cs.ablate(classes(), target="label", order="selectivity", n_orders=5, n_boot=100, n_deals=0, rng=0)
    assert {w.filename for w in said} == {__file__}  # the line of the caller


def test_permutations_are_refused_where_there_are_none():
    with pytest.raises(cs.InputError, match="n_perm"):
        cs.ablate(classes(), target="label", n_perm=500)


def test_trials_that_are_left_out_are_said_with_the_unit_that_lacks_them():
    data = classes()
    x = data.values.copy()
    x[5:60, 2] = np.nan
    masked = cs.responses(x, stimulus=np.arange(90), label=data["label"].values, missing="mask")
    with pytest.warns(cs.ConsilienceWarning, match="55 of 90 trials were .*NaN, of unit 2[.]") as said:
        cs.ablate(masked, target="label", curves=False, n_boot=100, n_deals=0, rng=0)
    assert [w.message.code for w in said].count("trials-omitted") == 1
    x[data["label"].values != "a", 3] = np.nan
    masked = cs.responses(x, stimulus=np.arange(90), label=data["label"].values, missing="mask")
    with pytest.raises(cs.InputError, match=r"NaN, of units 2, 3[.]"):
        cs.ablate(masked, target="label", curves=False, n_boot=0, rng=0)


@pytest.mark.parametrize("blank", [None, np.nan, ""])
def test_units_without_an_area_are_no_part(blank):
    area = np.array(["V1", "V1", "V4", blank, "V4", blank, "V4", "V1"], dtype=object)
    data = classes().assign_coords(area=("unit", area))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = cs.ablate(data, target="label", parts="area", curves=False, n_boot=0, rng=0)
    assert found.data["part"].values.tolist() == ["V1", "V4"]
    assert not [w for w in said if not issubclass(w.category, cs.ConsilienceWarning)]
    assert len([w for w in said if "2 of 8" in str(w.message)]) == 1
