"""Noise in layers: the closed form of a linear readout, scales, draws, half levels, what must not move."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import consilience as cs
from consilience._results._robustness import half_words
from consilience.report._patching_words import of_robustness

torch = pytest.importorskip("torch")

FAST = {"n_boot": 200, "n_perm": 99}


def readout(weights):
    module = torch.nn.Sequential(
        torch.nn.Identity(), torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False)
    )
    with torch.no_grad():
        module[1].weight.copy_(torch.from_numpy(weights))
    return cs.Network(module, name="readout")


def data(n=300, width=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width)) * np.linspace(0.3, 3, width)
    return cs.stimuli(x.astype(np.float32), ids=[f"s{i}" for i in range(n)])


@pytest.mark.parametrize("scale", ["unit", "layer"])
def test_accuracy_of_a_linear_readout_is_the_closed_form(scale):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(2, 6)).astype(np.float32)
    stimuli = data()
    x = stimuli.values.astype(float)
    w = (weights[0] - weights[1]).astype(float)
    target = (x @ w < 0).astype(int)  # all right without noise
    sd = x.std(axis=0)
    if scale == "layer":
        sd = np.full(6, np.sqrt((sd**2).mean()))
    levels = [0.25, 0.5, 1, 2]
    found = cs.robustness(
        readout(weights), "0", stimuli=stimuli, target=target, scale=scale, levels=levels, n_draws=40, **FAST
    )
    margin = np.abs(x @ w)
    wanted = [norm.cdf(margin / (a * np.linalg.norm(w * sd))) for a in levels]
    value = found.data["value"].values[0]
    assert value[0] == 1
    for got, p in zip(value[1:], wanted):
        assert abs(got - p.mean()) < 4.5 * np.sqrt((p * (1 - p)).mean() / (300 * 40))
    curve = np.array([1.0, *(p.mean() for p in wanted)])
    chance = found.settings["chance"]
    half = cs.stats.half_height(np.array([0, *levels]), curve, chance)
    assert np.isinf(half) == np.isinf(found.layers["half_level"].values[0])


def test_dropout_and_signal_dependent_noise_have_their_moments():
    stimuli = data(400, 5)
    identity = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    x = stimuli.values.astype(float)
    square = (
        cs.robustness(
            identity,
            "0",
            stimuli=stimuli,
            evaluate=lambda y: (y**2).sum(axis=1),
            levels=[0.5],
            n_draws=60,
            **FAST,
        )
        .data["value"]
        .values[0]
    )
    added = square[1] - square[0]
    assert abs(added - 0.25 * x.var(axis=0).sum()) < 0.06 * added
    signal = (
        cs.robustness(
            identity,
            "0",
            stimuli=stimuli,
            evaluate=lambda y: (y**2).sum(axis=1),
            noise="signal-dependent",
            levels=[0.5],
            n_draws=60,
            **FAST,
        )
        .data["value"]
        .values[0]
    )
    assert abs((signal[1] - signal[0]) - added) < 0.1 * added  # of the same mean power
    gone = (
        cs.robustness(
            identity,
            "0",
            stimuli=stimuli,
            evaluate=lambda y: (y == 0).mean(axis=1),
            noise="dropout",
            levels=[0.3],
            n_draws=20,
            **FAST,
        )
        .data["value"]
        .values[0]
    )
    assert abs(gone[1] - 0.3) < 0.01


def test_draws_do_not_depend_on_batches_and_levels_share_them():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    stimuli = data(30)
    target = np.arange(30) % 3
    asked = {
        "stimuli": stimuli,
        "target": target,
        "evaluate": "probability",
        "n_draws": 3,
        "chance": 0.0,
        **FAST,
    }
    one = cs.robustness(module, ["0", "1"], **asked)
    two = cs.robustness(module, ["0", "1"], batch_size=7, **asked)
    np.testing.assert_allclose(one.data["value"], two.data["value"], atol=1e-6)
    fewer = cs.robustness(module, ["0", "1"], **asked, levels=[1, 2])
    np.testing.assert_allclose(
        one.data["value"].sel(level=[1, 2]), fewer.data["value"].sel(level=[1, 2]), atol=1e-6
    )


def test_many_units_that_say_the_same_stand_more_noise():
    one = torch.nn.Linear(1, 1, bias=False)
    many = torch.nn.Linear(1, 64, bias=False)
    out = torch.nn.Linear(64, 2, bias=False)
    first = torch.nn.Sequential(one, many, out)
    with torch.no_grad():
        one.weight.fill_(1)
        many.weight.fill_(1)
        out.weight.copy_(torch.stack([torch.ones(64), -torch.ones(64)]))
    x = np.where(np.arange(80) % 2, 1.0, -1.0)[:, None].astype(np.float32)
    stimuli = cs.stimuli(x, ids=[f"s{i}" for i in range(80)])
    found = cs.robustness(first, ["0", "1"], stimuli=stimuli, target=(x[:, 0] < 0).astype(int), **FAST)
    area = found.layers["area"].values
    assert area[1] > area[0] + 0.05
    assert found.differences["p_family"].values[0, 1] <= 0.02
    assert found.differences["value"].values[1, 0] == pytest.approx(area[1] - area[0])
    assert np.isinf(found.layers["half_level"].values[1])
    assert found.settings["chance"] == pytest.approx(39 / 79, abs=0.02)


def test_a_function_is_noise_too_and_the_module_is_left_alone():
    module = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    module.train()
    stimuli = data(20)
    before = stimuli.values.copy()
    found = cs.robustness(
        module,
        "1",
        stimuli=stimuli,
        target=np.arange(20) % 2,
        evaluate="loss",
        noise=lambda x, level, rng: x,
        **FAST,
    )
    np.testing.assert_allclose(np.ptp(found.data["value"].values), 0, atol=1e-6)
    assert np.isnan(found.layers["half_level"].values[0])
    assert module.training
    np.testing.assert_array_equal(stimuli.values, before)
    with pytest.raises(cs.InputError, match="same shape") as error:
        cs.robustness(
            module,
            "1",
            stimuli=stimuli,
            target=np.arange(20) % 2,
            noise=lambda x, level, rng: x[:, :1],
            **FAST,
        )
    assert error.value.code == "bad-how"


def test_the_result_passes_the_suite_and_chance_is_said():
    stimuli = data(20)
    target = np.arange(20) % 2
    net = readout(np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32))
    with pytest.warns(cs.ConsilienceWarning, match="at-chance"):
        found = cs.robustness(net, "0", stimuli=stimuli, target=target, chance=1.0, **FAST)
    assert np.isnan(found.layers["half_level"].values).all()
    cs.testing.check_result(found)


@pytest.mark.parametrize("rng", range(3))
def test_an_intact_score_that_may_be_chance_has_no_half_level(rng):
    stimuli = data(40, seed=rng)
    net = readout(np.random.default_rng(rng).normal(size=(2, 6)).astype(np.float32))
    answers = stimuli.values @ net.module[1].weight.detach().numpy().T
    target = answers.argmax(axis=1)
    target[:17] = 1 - target[:17]  # 23 of 40 right: above one half, and not with certainty
    with pytest.warns(cs.ConsilienceWarning, match="at-chance"):
        found = cs.robustness(net, ["0", "1"], stimuli=stimuli, target=target, chance=0.5, **FAST)
    assert np.isnan(found.layers["half_level"].values).all()
    assert np.isnan(found.layers["half_high"].values).all()
    assert "half level unknown" in repr(found)
    assert any("no half level is known" in one for one in of_robustness(found))
    assert "above_chance" not in found.data.attrs


def test_half_levels_beyond_the_levels_are_said_as_such():
    assert half_words(0.5, 0.3, np.inf, 4.0) == "half lost at 0.5 [0.3, > 4]"
    assert half_words(np.inf, 2.0, np.inf, 4.0) == "half lost at > 4 [2, > 4]"
    assert half_words(np.inf, np.inf, np.inf, 4.0) == "half lost beyond 4"
    assert half_words(np.nan, np.nan, np.nan, 4.0) == "half level unknown"
    stimuli = data(60)
    net = readout(np.eye(2, 6, dtype=np.float32))
    target = stimuli.values[:, :2].argmax(axis=1)
    found = cs.robustness(net, "0", stimuli=stimuli, target=target, levels=[0.1, 0.2], chance=0.5, **FAST)
    assert "half lost beyond 0.2" in repr(found)
    assert "inf" not in repr(found)
    half = found.layers.assign(half_level=("layer", [0.15]), half_low=("layer", [0.12]))
    assert "0.12 to more than 0.20, the highest level" in " ".join(of_robustness(replace(found, layers=half)))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"levels": [1, 0.5]}, "bad-parameter"),
        ({"noise": "dropout", "levels": [0, 1]}, "bad-parameter"),
        ({"noise": "gausian"}, "unknown-option"),
        ({"target": None}, "no-target"),
        ({"evaluate": lambda y: 1.0}, "bad-evaluate"),
        ({"scale": "each"}, "unknown-option"),
    ],
)
def test_bad_input_is_refused(options, code):
    net = readout(np.ones((2, 6), dtype=np.float32))
    with pytest.raises(cs.InputError) as error:
        cs.robustness(net, "0", **{"stimuli": data(12), "target": np.arange(12) % 2, **FAST, **options})
    assert error.value.code == code


def test_half_height_and_falling_are_those_of_a_slow_fit():
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(0)
    curves = rng.normal(size=(50, 6)) - np.arange(6)
    for curve, mine in zip(curves, cs.stats.falling(curves)):
        peer = isotonic.IsotonicRegression(increasing=False).fit_transform(np.arange(6), curve)
        np.testing.assert_allclose(mine, peer, atol=1e-12)
    levels = np.array([0, 1, 2, 4.0])
    assert cs.stats.half_height(levels, np.array([1, 0.9, 0.7, 0.1]), 0.2) == pytest.approx(2 + 2 * 0.1 / 0.6)
    assert np.isnan(cs.stats.half_height(levels, np.array([0.1, 0.1, 0.1, 0.1]), 0.2))


def test_what_a_long_run_takes_is_said_first(monkeypatch, capsys):
    from consilience.networks import _progress

    net, stimuli = readout(np.eye(2, 6, dtype=np.float32)), data(40)
    options = {"stimuli": stimuli, "target": np.arange(40) % 2, "levels": [1, 2], "n_draws": 3, **FAST}
    cs.robustness(net, "0", **options)
    assert not capsys.readouterr().err
    monkeypatch.setattr(_progress, "_LONG", 0.0)
    cs.robustness(net, "0", **options)
    assert capsys.readouterr().err.startswith("cs.robustness: 6 passes over 40 stimuli, about ")
    cs.robustness(net, "0", progress=False, **options)
    assert not capsys.readouterr().err
