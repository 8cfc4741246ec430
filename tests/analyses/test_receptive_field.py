"""cs.receptive_field: planted fields from every kind of input, chance, predictions, intervals, messages."""

import numpy as np
import pytest
import xarray as xr

import consilience as cs

YY, XX = np.mgrid[:10, :10].astype(float)


def gabor(x=5.0, y=4.0, turn=0.5, phase=0.6):
    u = (XX - x) * np.cos(turn) + (YY - y) * np.sin(turn)
    v = (YY - y) * np.cos(turn) - (XX - x) * np.sin(turn)
    map_ = np.exp(-(u**2 + v**2) / 2 / 1.8**2) * np.cos(2 * np.pi * 0.16 * u + phase)
    return map_ / np.linalg.norm(map_)


COURSE = np.array([0.0, 0.4, 1.0, 0.3, -0.4])


def movie(n, rng, units=2):
    """Frames (n, 10, 10), counts (n, units) and the fields (units, 5, 10, 10); the last unit is unrelated."""
    frames = rng.normal(size=(n, 10, 10))
    fields = np.stack([np.multiply.outer(COURSE, gabor(turn=0.5 + k)) for k in range(units)])
    fields[-1] = 0
    drive = np.einsum("nyx,ulyx->lnu", frames, fields)
    total = sum(np.roll(drive[k], k, axis=0) for k in range(5))
    return frames, rng.poisson(np.exp(0.7 * total - 0.7)), fields


def alike(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


@pytest.fixture(scope="module")
def shown():
    return movie(3000, np.random.default_rng(0))


@pytest.fixture(scope="module")
def found(shown):
    frames, counts, _ = shown
    return cs.receptive_field(counts, frames, lags=5, method="sta", rng=0)


def test_planted_field(shown, found):
    _, counts, fields = shown
    data = found.data
    assert data["value"].dims == ("unit", "lag", "y", "x")
    assert alike(data["value"][0], fields[0]) > 0.75
    assert data["p"][0] == 1 / 1001
    assert data["p"][1] > 0.05
    assert found.significant().tolist() == [0]
    assert data["peak_lag"][0] == 2
    assert data["score"][0] > 0.3
    assert data["score_low"][0] > 0.2
    assert data["score_low"][1] < 0 < data["score_high"][1]
    assert data["n_spikes"].values.tolist() == counts.sum(axis=0).tolist()
    assert data["separability"][0] > 2 * data["separability"][1]
    np.testing.assert_allclose(found.temporal()[0], COURSE, atol=0.15)
    assert alike(found.spatial()[0], gabor()) > 0.9
    assert found.folds.sizes["fold"] == 5
    assert np.isnan(data["bits_per_spike"]).all()
    product = (data["temporal"] * data["spatial"]).transpose(*data["value"].dims)
    left = np.linalg.svd((data["value"] - product)[0].values.reshape(5, -1), compute_uv=False)
    assert left[-1] < 1e-12


def test_what_every_result_promises(shown):
    frames, counts, _ = shown
    found = cs.receptive_field(counts[:500], frames[:500, ::3, ::3], lags=2, method="sta", n_perm=20, rng=0)
    assert all(row.passed for row in cs.testing.check_result(found))
    frame = found.to_frame()
    assert len(frame) == 2
    assert {"score", "p", "q", "separability", "ceiling"} <= set(frame.columns)


@pytest.mark.parametrize(
    ("method", "least"),
    [("whitened", 0.75), ("ridge", 0.78), ("asd", 0.93), (cs.models.RidgeRF(lags=5, cv=3), 0.78)],
)
def test_methods(shown, method, least):
    frames, counts, fields = shown
    found = cs.receptive_field(
        counts[:, :1], frames, lags=5 if isinstance(method, str) else None, method=method, n_perm=50, rng=0
    )
    assert alike(found.data["value"][0], fields[0]) > least
    assert found.data["score"][0] > 0.2


def test_spike_times_are_the_counts_of_their_frames(shown):
    frames, counts, _ = shown
    frames, counts = frames[:1500], counts[:1500]
    rng = np.random.default_rng(1)
    step = 0.02
    start = 3.0 + step * np.arange(1500)
    trains = [
        np.sort(np.repeat(start, counts[:, u]) + step * rng.random(counts[:, u].sum())) for u in range(2)
    ]
    trains[0] = np.r_[1.0, trains[0], 500.0]  # before and after
    stimulus = xr.DataArray(frames, dims=("time", "y", "x"), coords={"time": start})
    plain = cs.receptive_field(counts, frames, lags=5, method="sta", n_perm=20, rng=0)
    timed = cs.receptive_field(trains, stimulus, lags=0.1, method="sta", n_perm=20, rng=0)
    np.testing.assert_allclose(timed.data["value"], plain.data["value"])
    np.testing.assert_allclose(timed.data["lag"], step * np.arange(5))
    assert timed.settings["lag_unit"] == "s"
    rec = cs.Recording(name="V1", spikes=trains, observed=cs.Intervals([0], [600]))
    again = cs.receptive_field(rec, stimulus, lags=(0.0, 0.1), method="sta", n_perm=20, rng=0)
    np.testing.assert_allclose(again.data["value"], plain.data["value"])
    series = cs.responses(counts, kind="count", dims=("time", "unit"), time=start, system="V1")
    same = cs.receptive_field(series, stimulus, lags=5, method="sta", n_perm=20, rng=0)
    np.testing.assert_allclose(same.data["value"], plain.data["value"])
    late = cs.receptive_field(trains, stimulus, lags=(1, 3), method="sta", n_perm=20, rng=0)
    np.testing.assert_allclose(late.data["lag"], [0.02, 0.04])


def test_gaps_and_what_was_not_observed(shown):
    frames, counts, _ = shown
    frames, counts = frames[:900], counts[:900, 0]
    start = 0.1 * np.arange(900) + np.where(np.arange(900) >= 400, 7.0, 0.0)
    spikes = np.sort(np.repeat(start, counts) + 0.1 * np.random.default_rng(0).random(counts.sum()))
    stimulus = xr.DataArray(frames, dims=("time", "y", "x"), coords={"time": start})
    gap = cs.receptive_field([spikes], stimulus, lags=3, method="sta", n_perm=20, rng=0)
    assert gap.settings["n_stretches"] == 2
    model = cs.models.SpikeTriggeredAverage(lags=3).fit(frames, counts, trials=np.repeat([0, 1], [400, 500]))
    np.testing.assert_allclose(gap.data["value"], model.coef_)
    rec = cs.Recording(name="a", spikes=[spikes], observed=cs.Intervals([0, 30.05], [20, 110]))
    part = cs.receptive_field(rec, stimulus, lags=3, method="sta", n_perm=20, rng=0)
    assert part.settings["n_frames"] == 900 - 101  # the frame from 30.0 s is not whole
    assert part.settings["n_stretches"] == 3
    # spikes in a frame before the gap count there alone
    early = cs.receptive_field(
        [np.sort(np.r_[spikes, start[399] + 3.0])], stimulus, lags=3, method="sta", n_perm=0, rng=0
    )
    assert early.data["n_spikes"][0] == gap.data["n_spikes"][0]


def test_signal_of_a_recording():
    rng = np.random.default_rng(3)
    time = 0.001 * np.arange(20000)
    level = np.repeat(rng.normal(size=4000), 5)
    rate = 20 * np.exp(np.roll(level, 10))
    spikes = time[rng.random(20000) < rate * 0.001] + 0.0005
    rec = cs.Recording(
        name="ear",
        spikes=[spikes],
        signals={"level": cs.Signal(level, time)},
        observed=cs.Intervals([0], [20]),
    )
    found = cs.receptive_field(rec, rec.bin(0.005, of="level"), lags=0.03, method="sta", n_perm=200, rng=0)
    assert found.data["value"].dims == ("unit", "lag")
    assert float(found.data["peak_lag"][0]) == pytest.approx(0.01)
    assert found.data["p"][0] < 0.01
    assert np.isnan(found.data["separability"][0])
    found.plot()


def test_trials_of_images_by_id_with_repeats():
    rng = np.random.default_rng(4)
    ids = [f"im{k:03d}" for k in range(300)]
    images = cs.stimuli(rng.normal(size=(300, 10, 10)), ids=ids)
    order = rng.permutation(np.repeat(np.arange(300), 3))
    drive = np.einsum("nyx,yx->n", images.values, gabor())
    trials = np.stack([drive, 0 * drive], axis=1)[order] + rng.normal(size=(900, 2))
    data = cs.responses(
        trials, kind="rate", stimulus=np.array(ids)[order], repeat="count", unit=["a", "b"], system="V4"
    )
    found = cs.receptive_field(data, images.rename(dim_1="y", dim_2="x"), n_perm=200, rng=0)
    assert found.data["value"].shape == (2, 1, 10, 10)
    assert alike(found.data["value"].sel(unit="a"), gabor()) > 0.8
    assert found.significant().tolist() == ["a"]
    ceiling = found.data["ceiling"].sel(unit="a")
    assert abs(ceiling - np.sqrt(1 / (1 + 1 / 3))) < 0.04
    assert 0.5 < found.data["score"].sel(unit="a") < ceiling
    counted = cs.responses(
        np.ones((900, 1)) + (trials[:, :1] > 0), kind="count", stimulus=np.array(ids)[order], repeat="count"
    )
    spikes = cs.receptive_field(counted, images.rename(dim_1="y", dim_2="x"), n_perm=0, rng=0).data[
        "n_spikes"
    ]
    assert spikes.values.tolist() == [float(counted.sum())]
    shuffled = images.isel(stimulus=rng.permutation(300)).rename(dim_1="y", dim_2="x")
    again = cs.receptive_field(data, shuffled, n_perm=200, rng=0)
    np.testing.assert_allclose(again.data["value"], found.data["value"])
    with pytest.raises(cs.InputError, match="shown one by one have no lags"):
        cs.receptive_field(data, images, lags=3)
    with pytest.raises(cs.InputError, match="1 of 300 stimulus ids of the responses are not among"):
        cs.receptive_field(data, images[1:])


def test_units_of_a_network():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(1, 3, 10, bias=True)
    planted = np.stack([gabor(turn=0.3 + 0.7 * k, phase=k) for k in range(3)])
    with torch.no_grad():
        layer.weight[:] = torch.as_tensor(planted[:, None], dtype=torch.float32)
    net = cs.Network(
        torch.nn.Sequential(layer, torch.nn.ReLU()),
        preprocess=lambda block: torch.as_tensor(np.asarray(block), dtype=torch.float32)[:, None],
        name="net",
    )
    noise = rng.normal(size=(1000, 10, 10))
    units = [net.unit("1", k) for k in range(3)]
    found = cs.receptive_field(units, noise, n_perm=100, rng=0)
    assert found.data["value"].dims == ("unit", "lag", "y", "x")
    for k in range(3):
        assert alike(found.data["value"][k], planted[k]) > 0.97
    assert (found.data["p"] <= 0.01).all()
    one = cs.receptive_field(units[0], noise, n_perm=0, rng=0)
    np.testing.assert_allclose(one.data["value"][0], found.data["value"][0], rtol=1e-6)
    net = cs.Network(net.module, net.preprocess, "net")  # for images of another size
    wide = cs.receptive_field(
        net.unit("1", channel=0, y=2, x=3), rng.normal(size=(600, 16, 16)), n_perm=0, rng=0
    )
    assert wide.data["value"].shape == (1, 1, 10, 10)  # what it can see of 16 x 16
    assert wide.data["y"].values.tolist() == list(range(2, 12))
    assert wide.data["x"].values.tolist() == list(range(3, 13))
    assert alike(wide.data["value"][0], planted[0]) > 0.9
    whole = cs.receptive_field(
        net.unit("1", channel=0, y=2, x=3), rng.normal(size=(600, 16, 16)), crop=False, n_perm=0, rng=0
    )
    assert whole.data["value"].shape == (1, 1, 16, 16)
    described = found.fit("gabor", n_null=20)
    turns = (
        described["orientation"] - np.pi / 2 - (0.3 + 0.7 * np.arange(3)) + np.pi / 2
    ) % np.pi - np.pi / 2
    assert np.abs(turns).max() < 0.05
    np.testing.assert_allclose(described["frequency"], 0.16, atol=0.01)


def test_gabor_of_a_field_and_of_noise(found):
    frame = found.fit("gabor", n_null=40)
    assert frame["unit"].tolist() == [0, 1]
    one = frame.iloc[0]
    assert abs((one["orientation"] - np.pi / 2 - 0.5 + np.pi / 2) % np.pi - np.pi / 2) < 0.15
    assert one["x_low"] < 5 < one["x_high"]
    assert one["frequency_low"] < 0.16 < one["frequency_high"]
    assert one["fve"] > 0.85
    assert one["p"] < 0.05
    assert frame["p"][1] > 0.05
    blob = found.fit("gaussian", unit=0, n_null=0)
    assert blob["fve"][0] < one["fve"]
    assert np.isnan(blob["p"][0])
    assert {"sigma_center", "balance_low"} <= set(found.fit("dog", unit=[0], n_null=0).columns)
    with pytest.raises(KeyError, match="shape must be one of 'gabor', 'dog', 'gaussian'"):
        found.fit("gabr")


def test_complex_cell_by_its_axes():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(5000, 8))
    a, b = np.zeros(8), np.zeros(8)
    a[2:4], b[4:6] = [0.8, -0.6], [0.6, 0.8]
    drive = np.roll(x @ a, 1) ** 2 + np.roll(x @ b, 1) ** 2
    y = np.stack([rng.poisson(0.3 * drive + 0.1), rng.poisson(0.7, 5000)], axis=1)
    found = cs.receptive_field(y, x, lags=2, method="stc", n_perm=100, rng=0)
    linear = cs.receptive_field(y, x, lags=2, method="ridge", n_perm=100, rng=0)
    data = found.data
    assert data["p"][0] < 0.05 < linear.data["p"][0]
    assert data["score"][0] > linear.data["score"][0] + 0.3
    assert data["n_excitatory"].values.tolist() == [2, 0]
    axes = data["axes"].sel(unit=0).values[:2, 1]
    plane = np.linalg.qr(axes.T)[0]
    for truth in (a, b):
        assert np.linalg.norm(plane.T @ truth) > 0.93
    assert data["axes"].dims == ("unit", "axis", "lag", "feature")
    assert np.isfinite(data["ci_low"][0]).all()
    assert (data["ci_high"] - data["ci_low"])[0].max() < 1
    found.plot()


def test_intervals_hold_the_field():
    held, total = 0, 0
    for k in range(12):
        rng = np.random.default_rng(100 + k)
        x = rng.normal(size=(1500, 6))
        w = np.zeros((2, 6))
        w[1, 2:4] = 0.5, -0.5
        y = np.roll(x @ w[1], 1) + rng.normal(size=1500)
        found = cs.receptive_field(y, x, lags=2, method="sta", n_perm=0, rng=0)
        low, high = found.data["ci_low"][0].values, found.data["ci_high"][0].values
        held, total = held + ((low <= w) & (w <= high)).sum(), total + w.size
    assert 0.88 < held / total < 0.99


def test_silent_units_and_slow_ones(shown):
    frames, counts, _ = shown
    silent = np.c_[counts[:800, 0], np.zeros(800)]
    with pytest.warns(cs.ConsilienceWarning, match="1 of 2 units never fire or never vary"):
        found = cs.receptive_field(silent, frames[:800], lags=3, method="sta", n_perm=20, rng=0)
    assert np.isnan(found.data["p"][1])
    assert np.isnan(found.data["value"][1]).all()
    assert np.isfinite(found.data["score"][0])
    assert np.isnan(found.fit("gaussian", n_null=5)["x"][1])
    found.plot()
    slow = np.cumsum(np.random.default_rng(0).normal(size=(600, 2)), axis=0)
    with pytest.warns(cs.ConsilienceWarning, match="few-independent"):
        cs.receptive_field(slow[:, 0], slow[:, 1], lags=2, method="sta", n_perm=20, rng=0)
    with pytest.raises(cs.InputError, match="none of 1 units varies"):
        cs.receptive_field(np.zeros(50), np.random.default_rng(0).normal(size=50), lags=2)


def test_same_seed_same_numbers_and_inputs_stay(shown):
    frames, counts, _ = shown
    frames, counts = frames[:600].copy(), counts[:600].copy()
    for array in (frames, counts):
        array.flags.writeable = False
    one = cs.receptive_field(counts, frames, lags=3, n_perm=50, rng=7)
    two = cs.receptive_field(counts.astype(np.int16), frames.astype(">f8"), lags=3, n_perm=50, rng=7)
    xr.testing.assert_allclose(one.data, two.data)


def test_messages(shown):
    frames, counts, _ = shown
    step = xr.DataArray(frames[:100], dims=("time", "y", "x"), coords={"time": 0.01 * np.arange(100)})
    bent = step.assign_coords(time=0.01 * np.arange(100) + 0.002 * (np.arange(100) % 2))
    cases = [
        ((counts[:99], frames[:100]), {}, "responses must have a row for each of the 100 frames"),
        ((counts[:100].T, frames[:100]), {}, "look transposed: pass responses.T"),
        (([[0.1, 0.2]], frames[:100]), {}, "spike times need a stimulus with times"),
        (([[0.1, 0.2]], bent), {}, "frames of the stimulus are not even: 49 of 99 steps"),
        (
            ([[1000.0, 2000.0]], step),
            {},
            "no spike falls into a frame: frames from 0 to 1 s, spikes 1000 to 2000 s",
        ),
        ((np.sort(np.random.default_rng(0).random(30)), step), {}, r"Spike times come as a list"),
        ((counts[:100], frames[:100]), {"lags": 0.1}, "are seconds, and the stimulus has no times"),
        ((counts[:100], frames[:100]), {"lags": "x"}, "lags must be a number of frames"),
        ((counts[:100], frames[:100]), {"lags": (3, 3)}, "lags must be a number of frames"),
        ((counts[:100], frames[:100]), {"method": "rigde"}, "Did you mean 'ridge'"),
        (
            (counts[:100], frames[:100]),
            {"method": cs.models.RidgeCV()},
            "must be an estimator of receptive fields",
        ),
        ((counts[:100], step.rename(y="unit")), {}, "a dim of stimulus is called 'unit'"),
        ((counts[:100], step.transpose("y", "time", "x")), {}, "the first dim of stimulus must be 'time'"),
        ((counts[:100], "level"), {}, "a signal of a recording becomes one by"),
        (
            (counts[:100], np.where(frames[:100] > 3, np.nan, frames[:100])),
            {},
            "stimulus has NaN or infinite values in",
        ),
        ((counts[:100], np.ones((100, 4))), {}, "all 100 frames of the stimulus are alike"),
        (
            ([[0.1]], step.assign_coords(time=np.arange(100).astype("datetime64[s]"))),
            {},
            "must be numbers, seconds",
        ),
        ((counts[:100], frames[:100]), {"cv": 1}, "cv must be a whole number, at least 2"),
        ((counts[:100], frames[:100]), {"crop": "yes"}, "crop must be True or False"),
        ((np.where(counts[:100] > 2, np.nan, counts[:100]), frames[:100]), {}, "responses have"),
    ]
    for given, options, words in cases:
        with pytest.raises(cs.InputError, match=words):
            cs.receptive_field(*given, n_perm=0, rng=0, **options)


def test_pictures(shown, found):
    frames, counts, _ = shown
    assert found.plot().figure is not None
    many = cs.receptive_field(
        np.repeat(counts[:600], 3, axis=1), frames[:600], lags=3, method="sta", n_perm=20, rng=0
    )
    assert many.plot().figure is not None
    sound = cs.receptive_field(counts[:600], frames[:600, 0], lags=3, method="sta", n_perm=20, rng=0)
    assert sound.plot().figure is not None
    assert cs.plots.plot_receptive_field(found, units=[1]).figure is not None
    colour = cs.receptive_field(
        counts[:600], frames[:600].reshape(600, 5, 10, 2)[..., [0, 1, 1]], lags=2, n_perm=0, rng=0
    )
    assert colour.space == ("y", "x", "channel")
    colour.plot()


def test_single_stimuli_are_never_few(shown):
    """Relabellings of images shown one by one are exact, however few."""
    frames, _, _ = shown
    images = frames[:60]
    y = images[:, :1, 0] + 0.5 * np.random.default_rng(0).normal(size=(60, 1))
    given = cs.stimuli(images, ids=[f"im{k}" for k in range(60)])
    data = cs.responses(y, kind="rate", stimulus=given["stimulus"].values)
    found = cs.receptive_field(data, given, n_perm=50, rng=0)
    assert not [one for one in found.warnings if one.code == "few-independent"]
    # dims of cs.stimuli of an array, the last is x
    table = found.fit("gaussian", n_null=0)
    named = cs.receptive_field(data, given.rename(dim_1="y", dim_2="x"), n_perm=0, rng=0)
    assert np.allclose(table["x"], named.fit("gaussian", n_null=0)["x"])


def test_the_very_times_of_the_responses_are_those_of_the_frames():
    rng = np.random.default_rng(0)
    recording = cs.Recording(spikes=[np.sort(rng.uniform(0, 20, 400))])
    counts = recording.bin(0.02)
    frames = xr.DataArray(
        rng.normal(size=counts.sizes["time"]), dims="time", coords={"time": counts["time"].values}
    )
    found = cs.receptive_field(counts, frames, lags=5, method="sta", n_perm=20, rng=0)
    assert found.data.sizes["lag"] == 5
    with pytest.raises(cs.InputError, match="bin both on one grid"):
        cs.receptive_field(counts, frames.assign_coords(time=frames["time"] + 0.005), lags=5)


def test_spikes_in_milliseconds_and_a_stimulus_in_a_part(shown):
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 60, 1200))
    frames = xr.DataArray(rng.normal(size=3000), dims="time", coords={"time": 0.02 * np.arange(3000)})
    with pytest.warns(cs.ConsilienceWarning, match="spikes-outside.*lie outside of the frames"):
        cs.receptive_field([1000 * times], frames, lags=3, method="sta", n_perm=0, rng=0)
    cs.receptive_field([times], frames[:600], lags=3, method="sta", n_perm=0, rng=0)  # a fifth of it


def test_says_how_many_frames_are_needed():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=200), rng.normal(size=200)
    with pytest.raises(cs.InputError, match=r"Of the 30 frames .* about 60 frames") as error:
        cs.receptive_field(y[:30], x[:30], lags=8, n_perm=0, rng=0)
    assert error.value.code == "too-few"
    cs.receptive_field(y[:64], x[:64], lags=8, method="ridge", n_perm=0, rng=0)


def test_axes_that_are_significant_are_all_drawn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 6, 6))
    counts = rng.poisson(0.3 * (x[:, 2, 3] ** 2 + x[:, 4, 1] ** 2))
    noise = rng.poisson(0.5, 4000)
    found = cs.receptive_field(np.c_[counts, noise], x, lags=1, method="stc", n_perm=60, rng=0)
    assert found.data["n_excitatory"].values.tolist() == [2, 0]
    titles = [one.get_title("left") for one in found.plot().figure.axes]
    assert [one for one in titles if "excitatory" in one] == ["0\nexcitatory 1", "0\nexcitatory 2"]


def test_a_field_in_one_channel_is_fitted_there():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:9, :9]
    frames = rng.normal(size=(1500, 3, 9, 9))
    blob = np.exp(-((x - 4) ** 2 + (y - 5) ** 2) / 5)
    responses = np.einsum("ncyx,yx->nc", frames[:, 1:], blob) + rng.normal(size=(1500, 2))
    field = cs.receptive_field(responses, frames, lags=1, n_perm=0, rng=0)
    found = field.fit("gaussian", n_null=19)
    assert found["channel"].tolist() == [1, 2]  # that with the most power, of each unit
    np.testing.assert_allclose(found[["x", "y"]], [[4, 5], [4, 5]], atol=0.2)
    other = field.fit("gaussian", channel=0, n_null=19)
    assert other["channel"].tolist() == [0, 0]
    assert (other["fve"] < found["fve"]).all()
    with pytest.raises(cs.InputError, match="channel"):
        field.fit("gaussian", channel="red")
    plain = cs.receptive_field(responses, frames[:, 0], lags=1, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match=r"channel=0 is for stimuli with channels; this one has \(y, x\)"):
        plain.fit("gaussian", channel=0)
