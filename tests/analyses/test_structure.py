"""The verb `structure`: planted rotations against nulls, p and effects, refusals, warnings, picture and file."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import t as student

import consilience as cs
from consilience._core._seeds import resolve_seed
from consilience.populations import curvature, rotation_ratio, tangling
from consilience.report._sentences import sentences
from consilience.stats import tensor_max_entropy

C, T, N = 8, 30, 20


def rotating(seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, (C, 1)) + 0.3 * np.arange(T)
    return np.stack([np.cos(angle), np.sin(angle)], axis=2) @ rng.normal(size=(2, N)) + noise * rng.normal(
        size=(C, T, N)
    )


def smooth(seed=0):
    return gaussian_filter1d(np.random.default_rng(seed).normal(size=(C, T, N)), 4, axis=1)


def responses(x, repeats=1, noise=0.0, seed=1, **more):
    rng = np.random.default_rng(seed)
    trials = np.repeat(x, repeats, axis=0) + noise * rng.normal(size=(len(x) * repeats, *x.shape[1:]))
    ids = np.repeat([f"reach{k}" for k in range(len(x))], repeats)
    again = {"repeat": "count"} if repeats > 1 else {}
    return cs.responses(
        trials,
        stimulus=ids,
        time=np.arange(x.shape[1]) * 0.01,
        kind="rate",
        dims=("trial", "time", "unit"),
        system="M1",
        **again,
        **more,
    )


@pytest.fixture(scope="module")
def found():
    return cs.structure(
        responses(rotating()),
        statistic=["rotation", "rotation_rate", "tangling"],
        n_components=2,
        n_null=99,
        rng=0,
    )


def test_values_are_those_of_the_plain_functions(found):
    x = rotating()
    plain = rotation_ratio(x, n_components=2, bin_width=0.01)
    value = found.data["value"]
    assert value.sel(statistic="rotation").item() == pytest.approx(plain.ratio)
    assert value.sel(statistic="rotation_rate").item() == pytest.approx(plain.turning_rates[0])
    assert value.sel(statistic="tangling").item() == pytest.approx(
        tangling(x, n_components=2, bin_width=0.01).value
    )
    assert plain.turning_rates[0] == pytest.approx(30, rel=0.04)  # 0.3 rad in 10 ms


def test_null_p_and_effect_by_hand(found):
    stream = resolve_seed(0, who="test").stream("null tensor_max_entropy")
    draws = np.array(
        [rotation_ratio(z, n_components=2).ratio for z in tensor_max_entropy(rotating(), n=99, rng=stream)]
    )
    row = found.data.sel(statistic="rotation", null="tensor_max_entropy")
    np.testing.assert_allclose(found.draws.sel(statistic="rotation").values[0], draws)
    value = row["value"].item()
    assert row["p"].item() == pytest.approx((1 + (draws >= value).sum()) / 100)
    assert row["effect"].item() == pytest.approx((value - draws.mean()) / draws.std(ddof=1))
    assert row["difference"].item() == pytest.approx(value - draws.mean())
    np.testing.assert_allclose(
        [row["null_low"].item(), row["null_high"].item()], np.quantile(draws, [0.025, 0.975])
    )


def test_a_rotation_is_told_from_smooth_noise(found):
    assert found.data["p"].sel(statistic="rotation").item() == 0.01
    assert found.data["claim"].sel(statistic="tangling").item() == "less"
    assert found.data["p"].sel(statistic="tangling").item() == 0.01  # less tangled
    noise = cs.structure(responses(smooth()), n_null=99, rng=0)
    assert noise.data["value"].item() > 0.4  # looks rotational
    assert noise.data["p"].item() > 0.1


def test_nulls_that_lose_more_reject_smooth_noise_and_say_so():
    """Why the null has to fit the claim."""
    with pytest.warns(
        cs.ConsilienceWarning, match=r"null-mismatch.*rotation_r2, phase surrogates lose the covariances"
    ):
        made = cs.structure(
            responses(smooth(3)),
            statistic="rotation_r2",
            null=["tensor_max_entropy", "phase"],
            n_null=99,
            rng=0,
        )
    assert (
        made.data["p"].sel(null="phase").item() <= 0.05 < made.data["p"].sel(null="tensor_max_entropy").item()
    )
    assert [c.code for c in made.warnings] == ["null-mismatch"]


@pytest.mark.parametrize(
    ("statistic", "null", "text"),
    [
        ("rotation", "conditions", "a sequence stays one"),
        ("linear_dynamics", "circular", "lose the covariances"),
        ("curvature", "tensor_max_entropy", "compare curvature between systems"),
        ("variance_in_k", "tensor_max_entropy", "this share with it"),
    ],
)
def test_pairs_that_say_little(statistic, null, text):
    with pytest.warns(cs.ConsilienceWarning, match=f"null-mismatch.*{text}"):
        cs.structure(responses(smooth()), statistic=statistic, null=null, n_null=19, rng=0)


def test_variance_in_k_of_units_that_share_signals():
    shared = np.random.default_rng(0).normal(size=(C, T, 2)) @ np.random.default_rng(1).normal(size=(2, N))
    data = responses(shared + np.random.default_rng(2).normal(size=(C, T, N)))
    made = cs.structure(data, statistic="variance_in_k", null="conditions", n_null=49, rng=0)
    assert made.data["p"].item() == 0.02
    alone = cs.structure(responses(smooth()), statistic="variance_in_k", null="conditions", n_null=49, rng=0)
    assert alone.data["p"].item() > 0.05


@pytest.mark.parametrize("null", ["circular", "phase"])
def test_seams_are_no_null_of_variance_in_k(null):
    with pytest.raises(
        cs.InputError, match=f"{null} is no null of variance_in_k.*null='conditions'"
    ) as error:
        cs.structure(responses(smooth()), statistic="variance_in_k", null=["conditions", null])
    assert error.value.code == "bad-parameter"


def test_trials_are_averaged_by_condition_or_looked_at_one_by_one():
    data = responses(rotating(), repeats=4, noise=1.0)
    made = cs.structure(data, statistic="linear_dynamics", n_null=19, rng=0)
    mean = data.values.reshape(C, 4, T, N).mean(axis=1)
    assert made.data["value"].item() == pytest.approx(rotation_ratio(mean).r2)
    assert made.settings["n_rows"] == C
    single = cs.structure(data, statistic="linear_dynamics", rows="trials", n_null=19, rng=0)
    assert single.data["value"].item() == pytest.approx(rotation_ratio(data.values).r2)
    assert cs.structure(data, by=None, n_null=19, rng=0).settings["n_rows"] == 4 * C


def test_null_of_noise_correlations_is_of_single_trials():
    rng = np.random.default_rng(0)
    shared = responses(rotating(), repeats=6).copy()
    common = rng.normal(size=(6 * C, T, 1)) * np.ones(N)
    made = cs.structure(shared + 2 * common, statistic="variance_in_k", null="trials", n_null=49, rng=0)
    assert made.settings["rows"] == "trials"
    assert made.data["p"].item() == 0.02
    with pytest.raises(cs.InputError, match=r"keeps the mean of every condition.*pass rows='trials'"):
        cs.structure(shared, null=["trials", "phase"])


def test_functions_of_ones_own():
    def speed(x):
        return np.abs(np.diff(x, axis=1)).mean()

    def shuffled_time(x, *, n, rng):
        return (x[:, rng.permutation(x.shape[1])] for _ in range(n))

    made = cs.structure(
        responses(smooth()), statistic=speed, null=shuffled_time, alternative="less", n_null=49, rng=0
    )
    assert made.data["statistic"].item() == "speed"
    assert made.data["null"].item() == "shuffled_time"
    assert made.data["p"].item() == 0.02
    assert made.planes is None
    with pytest.raises(cs.InputError, match=r"returns one finite number, got array\(\[1"):
        cs.structure(responses(smooth()), statistic=lambda x: np.ones(2))

    def few(x, *, n, rng):
        return iter([x])

    with pytest.raises(
        cs.InputError, match=r"null 'few' must give n finite arrays of shape .8, 30, 20., got too few"
    ):
        cs.structure(responses(smooth()), null=few, n_null=20)
    with pytest.raises(cs.InputError, match="got shape"):
        cs.structure(responses(smooth()), null=lambda x, n, rng: iter([x[0]] * n))


def test_two_sided_is_twice_the_smaller_tail():
    data = responses(smooth(2))
    both = [
        cs.structure(data, alternative=a, n_null=99, rng=0).data["p"].item()
        for a in ("greater", "less", "two-sided")
    ]
    assert both[2] == pytest.approx(min(1, 2 * min(both[:2])))


@pytest.mark.filterwarnings(r"ignore:\[null-mismatch\]")
def test_interval_over_conditions_is_the_jackknife():
    x = smooth()
    made = cs.structure(responses(x), statistic="curvature", null="conditions", n_null=19, rng=0)
    left = [curvature(np.delete(x, k, axis=0)).value for k in range(C)]
    half = student.ppf(0.975, C - 1) * np.sqrt((C - 1) * np.var(left))
    assert made.data["ci_high"].item() - made.data["value"].item() == pytest.approx(half)
    assert made.settings["interval"] == "conditions"


def test_interval_over_trials_needs_repeats():
    made = cs.structure(responses(rotating(), repeats=10, noise=2.0), interval="trials", n_null=19, rng=0)
    assert made.settings["interval"] == "trials"
    assert made.data["ci_low"].item() < made.data["value"].item() < made.data["ci_high"].item()
    with pytest.raises(
        cs.InputError, match="needs >= 2 trials of every condition; 8 of 8 have fewer"
    ) as error:
        cs.structure(responses(rotating()), interval="trials")
    assert error.value.code == "no-repeats"


def test_few_conditions_have_no_interval():
    with pytest.warns(cs.ConsilienceWarning, match="few-conditions.*3 conditions that could be left out"):
        made = cs.structure(responses(rotating()[:3]), n_components=2, n_null=19, rng=0)
    assert np.isnan(made.data["ci_low"].item())


def test_ragged_trials():
    data = responses(rotating(), repeats=2)
    valid = np.ones((2 * C, T), dtype=bool)
    valid[0, 20:] = False  # the other trial of this reach goes on
    ragged = data.assign_coords(valid=(("trial", "time"), valid))
    ragged = ragged.where(ragged["valid"])
    made = cs.structure(ragged, n_components=2, n_null=19, rng=0)
    assert made.data["value"].item() == pytest.approx(
        rotation_ratio(rotating(), n_components=2).ratio, rel=0.05
    )
    with pytest.raises(
        cs.InputError, match=r"1 of 16 trials have no value at some times.*cut the data"
    ) as error:
        cs.structure(ragged, rows="trials")
    assert error.value.code == "ragged"
    valid[1, 25:] = False
    with pytest.raises(cs.InputError, match="some conditions have no trial at some times"):
        cs.structure(ragged.assign_coords(valid=(("trial", "time"), valid)))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"statistic": "rotations"}, "statistic must be one of .*Did you mean 'rotation'"),
        ({"null": "tme"}, "null must be one of 'tensor_max_entropy'"),
        ({"statistic": []}, "statistic is empty"),
        ({"by": "reach"}, "no coordinate 'reach' on trial"),
        ({"rows": "units"}, "rows must be one of"),
        ({"n_null": 0}, "n_null must be a whole number, at least 1"),
        ({"alternative": "more"}, "alternative must be one of"),
        ({"n_components": 5}, "n_components must be even"),
    ],
)
def test_refusals(options, text):
    with pytest.raises(cs.InputError, match=text):
        cs.structure(responses(rotating()), **options)


def test_data_without_trials_or_time_or_even_times():
    series = cs.responses(rotating()[0], time=np.arange(T) * 0.01, dims=("time", "unit"), kind="rate")
    with pytest.raises(cs.InputError, match=r"cut trials with rec\.epoch"):
        cs.structure(series)
    with pytest.raises(cs.InputError, match="must have a time axis"):
        cs.structure(responses(rotating()).isel(time=0, drop=True))
    odd = responses(rotating()).isel(time=[0, 1, 2, 5, 6, 9])
    with pytest.raises(cs.InputError, match=r"even steps, got 0.01 to 0.03") as error:
        cs.structure(odd)
    assert error.value.code == "bad-time"
    with pytest.raises(cs.InputError, match="at least 2 conditions and 3 times, got 1 and 30; by= a label"):
        cs.structure(responses(rotating()[:1]))


def test_same_seed_same_numbers_and_data_unchanged():
    data = responses(rotating())
    before = data.copy(deep=True)
    a, b, c = (_quiet(data, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.draws, b.draws)
    assert np.abs(a.draws - c.draws).max() > 0
    assert data.identical(before)


def _quiet(data, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.structure(data, n_null=9, rng=seed, null=["phase", "circular"])


def test_a_constant_unit_changes_nothing():
    x = rotating()
    more = np.concatenate([x, np.full((C, T, 1), 3.0)], axis=2)
    a, b = (cs.structure(responses(v), n_components=2, n_null=19, rng=0) for v in (x, more))
    assert a.data["value"].item() == pytest.approx(b.data["value"].item())
    assert np.isfinite(b.draws).all()


def test_result(found, tmp_path):
    cs.testing.check_result(found)
    assert "rotation         0.9" in repr(found)
    again = cs.load(found.save(tmp_path / "r.nc"))
    np.testing.assert_array_equal(again.draws, found.draws)
    np.testing.assert_array_equal(again.planes, found.planes)
    assert found.to_frame().shape == (3, 12)
    assert found.planes.sizes == {"source": 2, "row": C, "time": T, "axis": 2}


def test_plots(found):
    figure = found.plot().figure
    texts = [t.get_text() for a in figure.axes for t in a.texts]
    assert any(t.startswith("p = 0.01") for t in texts)
    assert {a.get_title(loc="left") for a in figure.axes} >= {
        "rotation ratio",
        "fastest rotation",
        "tangling",
    }
    planes = found.plot(planes=True).figure
    assert "data" in {a.get_title(loc="left") for a in planes.axes}
    assert any("max. entropy: p = 0.01" in a.get_title(loc="left") for a in planes.axes)
    with pytest.raises(cs.InputError, match="planes=True is of a rotation statistic"):
        cs.structure(responses(rotating()), statistic="tangling", n_null=19, rng=0).plot(planes=True)
    with pytest.raises(cs.InputError, match="statistic must be one of"):
        found.plot(statistics="curvature")


def test_words_of_the_report(found):
    said = " ".join(sentences(found))
    assert "Rotation ratio is 0.9" in said
    assert "It is above surrogates of maximum entropy (middle 95 %" in said
    assert "It is below surrogates" in said


@pytest.mark.slow
def test_type_one_of_maximum_entropy_on_data_of_covariances_alone():
    """200 sets drawn from a Kronecker covariance over conditions, time and units: p <= 0.05 in about 0.05 of them."""
    rng = np.random.default_rng(0)
    over_time = gaussian_filter1d(np.eye(20), 2, axis=0)
    hits = 0
    for _ in range(200):
        units, conditions = rng.normal(size=(12, 12)), rng.normal(size=(6, 6)) + 2 * np.eye(6)
        x = np.einsum(
            "ab,tu,nm,bum->atn", conditions, over_time, units, rng.normal(size=(6, 20, 12)), optimize=True
        )
        value = rotation_ratio(x, n_components=4).ratio
        null = [rotation_ratio(z, n_components=4).ratio for z in tensor_max_entropy(x, n=39, rng=rng)]
        hits += (1 + np.sum(np.array(null) >= value)) / 40 <= 0.05
    assert hits / 200 < 0.12


@pytest.mark.parametrize("statistic", ["rotation", "tangling", "variance_in_k"])
def test_conditions_that_are_all_the_same_have_no_structure(statistic):
    x = np.repeat(np.random.default_rng(0).normal(size=(1, 30, 15)).cumsum(axis=1), 6, axis=0)
    data = cs.responses(
        x, dims=("trial", "time", "unit"), time=np.arange(30) * 0.01, stimulus=list("abcdef"), kind="rate"
    )
    with pytest.raises(cs.InputError, match="nothing varies across conditions"):
        cs.structure(data, statistic=statistic, n_null=19, rng=0)
    for call in (
        cs.populations.rotation_ratio,
        cs.models.JPCA(2).fit,
    ):
        with pytest.raises(cs.InputError, match=r"0 axes|nothing varies"):
            call(x)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_rows_that_are_not_shown_are_counted():
    x = np.random.default_rng(0).normal(size=(6, 12, 8)).cumsum(axis=1)
    data = cs.responses(x, dims=("trial", "time", "unit"), time=np.arange(12.0), stimulus=list("abcdef"))
    found = cs.structure(
        data,
        statistic=["rotation", "rotation_r2", "linear_dynamics", "curvature"],
        null=["tensor_max_entropy", "circular", "phase", "conditions"],
        n_components=2,
        n_null=3,
        rng=0,
    )
    lines = str(found).splitlines()
    shown = sum(" null " in line and " effect " in line for line in lines)
    assert f"  and {16 - shown} more rows (a statistic and a null) in .to_frame()" in lines


def arcs(degrees, noise=0.2, trials=6, seed=0):
    """Responses of 5 conditions on planar paths that turn by this angle from step to step, at an uneven speed."""
    rng = np.random.default_rng(seed)
    angle, speed = np.radians(degrees) * np.arange(15), 1 + 0.8 * np.sin(1.3 * np.arange(15))
    steps = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    path = np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)])
    x = np.stack([path @ np.linalg.qr(rng.normal(size=(N, 2)))[0].T for _ in range(5)])
    return responses(x, repeats=trials, noise=noise, seed=seed + 100)


def test_curvature_is_that_of_repeats_and_has_nulls_of_its_own():
    made = cs.structure(arcs(25), statistic="curvature", null=["steps", "line"], n_null=49, rng=0)
    data = arcs(25)
    plain = curvature(data.values, data["stimulus"].values)
    assert made.data["value"].item() == pytest.approx(plain.value)
    assert plain.value == pytest.approx(25, abs=5)
    assert plain.naive > 40
    assert made.settings["corrected"]
    assert made.data["claim"].item() == "two-sided"
    assert (made.data["p"].values <= 0.05).all()
    assert made.data["null_mean"].sel(null="steps").item() == pytest.approx(90, abs=10)
    assert made.data["null_mean"].sel(null="line").item() < 15
    assert made.data["ci_low"].item() < made.data["value"].item()
    alone = cs.structure(arcs(25), statistic="curvature", n_null=49, rng=0)  # its null by default
    assert alone.data["null"].values.tolist() == ["steps"]
    assert alone.data["claim"].item() == "less"
    line = cs.structure(arcs(0), statistic="curvature", null="line", n_null=49, rng=0)
    assert line.data["claim"].item() == "greater"
    assert line.data["p"].item() > 0.05


def test_curvature_of_single_trials_beside_other_nulls_is_the_plain_one():
    single = responses(rotating())
    with pytest.warns(cs.ConsilienceWarning, match=r"null-mismatch.*does not come out as straighter"):
        made = cs.structure(single, statistic="curvature", n_null=19, rng=0)
    assert made.data["value"].item() == pytest.approx(curvature(single.values).value)
    with pytest.raises(cs.InputError, match="3 complete trials of each") as error:
        cs.structure(single, statistic="curvature", null="line")
    assert error.value.code == "bad-parameter"
    with pytest.raises(cs.InputError, match="no other null than 'steps'"):
        cs.structure(arcs(25), statistic="curvature", null=["line", "phase"])
    with pytest.warns(cs.ConsilienceWarning, match=r"null-mismatch.*lose smoothness in time"):
        cs.structure(single, null="steps", n_components=2, n_null=19, rng=0)


def test_curvature_of_repeats_that_do_not_agree():
    x = np.random.default_rng(0).normal(size=(3, 6, N))
    data = responses(x, repeats=2)
    opposite = data.copy(data=data.values * np.tile([1.0, -1.0], 3)[:, None, None])
    opposite = opposite + np.arange(6.0)[:, None, None].repeat(6, 1)[..., :1]
    with pytest.raises(cs.InputError, match="no curvature behind the noise") as error:
        cs.structure(opposite, statistic="curvature")
    assert error.value.code == "no-structure"


@pytest.mark.filterwarnings("ignore:.*null-mismatch")  # of single trials
def test_intervals_stay_in_the_range_of_their_statistic():
    rng = np.random.default_rng(0)
    bends = np.radians([0, 0, 0, 0, 60])[:, None] * np.arange(12)  # four lines and an arc
    path = np.stack([np.cos(bends), np.sin(bends)], axis=2).cumsum(axis=1)
    x = path @ np.linalg.qr(rng.normal(size=(10, 2)))[0].T
    made = cs.structure(responses(x), statistic="curvature", null="steps", n_null=19, rng=0)
    assert made.data["ci_low"].item() == 0
    assert made.data["value"].item() < made.data["ci_high"].item() <= 180
    assert curvature(x).ci_low == 0


def test_a_curvature_that_noise_is_left_in_for_want_of_complete_trials_says_so():
    data, rng = arcs(25), np.random.default_rng(0)
    holes = data.values.copy()
    holes[rng.random(holes.shape) < 0.05] = np.nan
    more = {"kind": "rate", "dims": data.dims, "time": data["time"].values, "missing": "mask_values"}
    lacking = cs.responses(holes, stimulus=data["stimulus"].values, repeat="count", **more)
    with pytest.warns(cs.ConsilienceWarning) as said:
        made = cs.structure(lacking, statistic="curvature", n_null=19, rng=0)
    assert not made.settings["corrected"]
    assert "(of means, noise included)" in str(made)
    codes = {caution.code: str(caution) for caution in made.warnings}
    assert set(codes) == {"noise-bends", "null-mismatch"}, [str(w.message) for w in said]
    assert "has 0 complete trials of 6 (0 of 30 over all conditions)" in codes["noise-bends"]
    with pytest.raises(
        cs.InputError, match=r"3 complete trials of each condition, and .*0 complete trials of 6"
    ):
        cs.structure(lacking, statistic="curvature", null="line")


def test_floor_of_p_is_said():
    data = responses(rotating())
    assert "no p is below 0.050, that of 19 surrogates; n_null= takes more" in str(
        cs.structure(data, n_null=19, rng=0)
    )
    with pytest.warns(cs.ConsilienceWarning, match="few-draws.*two-sided p of 30"):
        two = cs.structure(data, alternative="two-sided", n_null=30, rng=0)
    assert "no p is below 0.032 (two-sided 0.065), that of 30" in str(two)
    assert "no p is below" not in str(cs.structure(data, n_null=199, rng=0))
