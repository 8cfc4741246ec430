"""cs.selectivity_impact: networks built by hand whose selective units are read, not read, or help one class alone."""

import warnings

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")

K, EACH, UNITS = 4, 16, 24
FAST = {"n_boot": 30, "n_perm": 99, "n_splits": 3, "rng": 0}
OWN = np.arange(UNITS) % K


@pytest.fixture(scope="module")
def stimuli():
    label = np.repeat(np.arange(K), EACH)
    x = np.abs(np.random.default_rng(0).normal(size=(label.size, K)) * 0.4 + 2 * np.eye(K)[label])
    made = cs.stimuli(x.astype(np.float32), ids=[f"s{i:03d}" for i in range(label.size)])
    return made.assign_coords(label=("stimulus", label), name=("stimulus", np.array(list("dabc"))[label]))


def shares():
    return np.random.default_rng(1).uniform(0, 1, UNITS)


def built(read, name="net", conv=False):
    """Units that answer to a share of their own class and a share of all; each is read by its class with ``read``."""
    a = shares()[:, None]
    into = a * np.eye(K)[OWN] + (1 - a) / K
    out = np.zeros((K, UNITS))
    out[OWN, np.arange(UNITS)] = read
    module = torch.nn.Sequential(
        torch.nn.Linear(K, UNITS, bias=False), torch.nn.ReLU(), torch.nn.Linear(UNITS, K, bias=False)
    )
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor(into, dtype=torch.float32))
        module[2].weight.copy_(torch.tensor(out, dtype=torch.float32))
    return cs.Network(module, name=name)


def direct_losses(net, stimuli, unit):
    """Cross-entropy without a unit less that with it, by a forward pass of one's own."""
    x = torch.tensor(stimuli.values)
    label = torch.tensor(stimuli["label"].values)
    with torch.no_grad():
        hidden = net.module[1](net.module[0](x))
        without = hidden.clone()
        without[:, unit] = hidden[:, unit].mean()
        losses = [
            torch.nn.functional.cross_entropy(net.module[2](h), label, reduction="none")
            for h in (hidden, without)
        ]
    return (losses[1] - losses[0]).numpy()


def test_selective_units_that_are_read_matter(stimuli):
    found = cs.selectivity_impact(
        built(shares() ** 2), "1", stimuli=stimuli, target="label", evaluate="loss", **FAST
    )
    assert found.value.sel(impact="overall") > 0.7
    assert found.value.sel(impact="preferred") > 0.7
    assert (found.data["p"].sel(impact=["overall", "preferred"]) == 0.01).all()
    assert (found.data["ceiling"] > 0.9).all()
    assert found.settings["n_stimuli"] == K * EACH
    cs.testing.check_result(found)


def test_selective_units_that_are_not_read_do_not(stimuli):
    read = np.where(shares() > 0.5, 0.02, 1.0)  # the code is distributed: what is read is unselective
    found = cs.selectivity_impact(built(read), "1", stimuli=stimuli, target="label", evaluate="loss", **FAST)
    assert found.value.sel(impact="overall") < 0
    assert found.data["difference_low"].size == 1


def test_units_that_help_one_class_and_harm_the_others(stimuli):
    """Overall near 0 or below, class-specific high: both findings in one network."""
    net = built(np.full(UNITS, 0.3))
    with (
        torch.no_grad()
    ):  # the more selective, the more the unit speaks for its class; to all classes at once it is a bias
        net.module[2].weight.mul_(torch.tensor(shares()[None], dtype=torch.float32))
    found = cs.selectivity_impact(
        net, "1", stimuli=stimuli, target="label", evaluate="loss", how="zero", **FAST
    )
    value = found.value
    assert value.sel(impact="preferred") > 0.5
    assert value.sel(impact="preferred") - value.sel(impact="others") > 0.5


def test_impacts_are_those_of_a_forward_pass(stimuli):
    net = built(shares())
    found = cs.selectivity_impact(net, "1", stimuli=stimuli, target="label", evaluate="loss", **FAST)
    for unit in (0, 7):
        lost = direct_losses(net, stimuli, unit)
        np.testing.assert_allclose(found.units["impact"].values[0, unit], lost.mean(), atol=1e-6)
        own = stimuli["label"].values == int(found.units["preferred"].values[unit])
        np.testing.assert_allclose(
            found.units["impact_preferred"].values[0, unit], lost[own].mean(), atol=1e-6
        )
    hidden = np.maximum(stimuli.values @ net.module[0].weight.detach().numpy().T, 0)
    np.testing.assert_allclose(found.units["mean"].values, hidden.mean(axis=0), rtol=1e-5)


def test_several_networks_and_choices(stimuli):
    nets = {"read": built(shares() ** 2), "not": built((1 - shares()) ** 2)}
    found = cs.selectivity_impact(
        nets,
        {"read": "1", "not": "1"},
        stimuli=stimuli,
        target="label",
        evaluate="loss",
        how=["mean", "resample"],
        **FAST,
    )
    assert found.data["value"].dims == ("network", "how", "impact")
    assert found.data["value"].shape == (2, 2, 3)
    assert found.units.sizes["unit"] == 2 * UNITS
    assert found.of("not").sizes["unit"] == UNITS
    overall = found.data["value"].sel(impact="overall", how="mean")
    assert overall.sel(network="read") > overall.sel(network="not")
    assert len(found.to_frame()) == 12
    assert len(found.to_units_frame()) == 4 * UNITS
    with pytest.raises(cs.InputError, match="one network and one choice of how"):
        _ = found.value
    cs.testing.check_result(found)
    alone = cs.selectivity_impact(nets["read"], "1", stimuli=stimuli, target="label", evaluate="loss", **FAST)
    np.testing.assert_allclose(alone.value, found.data["value"].sel(network="read", how="mean"))
    assert "read" in repr(found)


def test_classes_other_than_the_target(stimuli):
    found = cs.selectivity_impact(
        built(shares()), "1", stimuli=stimuli, target="label", by="name", evaluate="loss", **FAST
    )
    assert set(found.units["preferred"].values) == set("abcd")
    assert found.settings["by"] == "name"


def test_without_target_the_network_answers(stimuli):
    net = built(shares())
    with torch.no_grad():
        answers = net.module(torch.tensor(stimuli.values)).argmax(dim=1).numpy()
    options = {"stimuli": stimuli, "by": "label", "evaluate": "loss", **FAST}
    own = cs.selectivity_impact(net, "1", **options)
    given = cs.selectivity_impact(net, "1", target=answers, **options)
    np.testing.assert_array_equal(own.data["value"], given.data["value"])
    with pytest.raises(cs.InputError, match="a class of each of 64 stimuli"):
        cs.selectivity_impact(net, "1", stimuli=stimuli)


def test_channels_are_means_over_places():
    label = np.repeat(np.arange(2), 8)
    images = np.random.default_rng(0).uniform(0, 1, (16, 1, 6, 6)).astype(np.float32)
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 10, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(160, 2)
    )
    net = cs.Network(module, name="conv")
    x = cs.stimuli(images, ids=[f"s{i}" for i in range(16)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        options = {"stimuli": x, "target": label, "evaluate": "loss", "selectivity": "eta_squared", **FAST}
        found = cs.selectivity_impact(net, "1", **options)
        by_units = cs.selectivity_impact(net, "1", parts=[net.channel("1", c) for c in range(10)], **options)
    with torch.no_grad():
        maps = module[1](module[0](torch.tensor(images))).numpy()
    np.testing.assert_allclose(found.units["mean"].values, maps.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found.data["value"].values, by_units.data["value"].values, atol=1e-12)


def test_a_recurrent_layer():
    class Reads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.LSTM(3, 8, batch_first=True)
            self.out = torch.nn.Linear(8, 2)

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1])

    torch.manual_seed(0)
    label = np.repeat(np.arange(2), 8)
    x = np.random.default_rng(0).normal(size=(16, 5, 3)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        found = cs.selectivity_impact(
            cs.Network(Reads().eval(), name="lstm"), "rnn", stimuli=cs.stimuli(x, ids=range(16)), target=label,
            evaluate="loss", selectivity="d_prime", **FAST,
        )  # fmt: skip
    assert found.units.sizes["unit"] == 8
    assert found.units["impact"].values.any()


def test_noise_is_said(stimuli):
    with pytest.warns(cs.ConsilienceWarning, match=r"\[ceiling-low\].*Show more stimuli"):
        # no single unit changes a decision here
        cs.selectivity_impact(built(np.ones(UNITS)), "1", stimuli=stimuli, target="label", **FAST)


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        ({"target": np.arange(K * EACH) // 2}, "classes 0 to 31", "class-mismatch"),
        (
            {"evaluate": lambda outputs: float(outputs.mean())},
            "one number for all stimuli together",
            "no-parts",
        ),
        ({"selectivity": "class_selectivty"}, "selectivity must be", None),
        ({"how": ["mean", "mean"]}, "several different choices", "bad-how"),
        (
            {"target": np.random.default_rng(0).normal(size=K * EACH)},
            "a class of each of 64 stimuli",
            "bad-label",
        ),
    ],
)
def test_what_is_refused(stimuli, options, message, code):
    with pytest.raises(cs.InputError, match=message) as caught:
        cs.selectivity_impact(
            built(shares()),
            "1",
            stimuli=stimuli,
            **{"target": "label", "evaluate": "loss", **FAST, **options},
        )
    assert code is None or caught.value.code == code


def test_finished_tables_are_refused(stimuli):
    found = cs.selectivity_impact(
        built(shares()), "1", stimuli=stimuli, target="label", evaluate="loss", **FAST
    )
    for given in ((found, "1"), (built(shares()), found)):
        with pytest.raises(cs.InputError, match="selectivity and impact come from different") as caught:
            cs.selectivity_impact(*given, stimuli=stimuli, target="label")
        assert caught.value.code == "not-disjoint"


def test_layers_of_networks_must_be_named(stimuli):
    with pytest.raises(cs.InputError, match="names none for network 'b'"):
        cs.selectivity_impact(
            {"a": built(shares()), "b": built(shares())}, {"a": "1"}, stimuli=stimuli, target="label"
        )


def test_plot_and_words(stimuli):
    found = cs.selectivity_impact(
        {"a": built(shares() ** 2), "b": built(shares())},
        "1",
        stimuli=stimuli,
        target="label",
        evaluate="loss",
        **FAST,
    )
    ax = found.plot()
    panels = [panel for panel in ax.figure.axes if panel.get_title(loc="left")]
    assert [panel.get_title(loc="left") for panel in panels] == [
        "all stimuli: a", "preferred class: a", "all stimuli: b", "preferred class: b",
    ]  # fmt: skip
    one = found.plot(networks="a")
    assert len([panel for panel in one.figure.axes if panel.get_title(loc="left")]) == 2
    with pytest.raises(cs.InputError):
        found.plot(networks="c")
    from consilience.report._sentences import sentences

    said = sentences(found)
    assert len(said) == 3
    assert "over stimuli of the unit's preferred class" in said[1]


def test_recorded_responses_are_pointed_to_the_right_function():
    d = cs.responses(np.random.default_rng(0).normal(size=(20, 6)), stimulus=np.arange(20))
    with pytest.raises(cs.InputError, match=r"cs\.units\.selectivity_and_impact"):
        cs.selectivity_impact(d, target="choice")
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    with pytest.raises(cs.InputError, match=r"name the layer.*'0', '1'"):
        cs.selectivity_impact(net, stimuli=cs.stimuli(np.eye(3), ids=range(3)))
    with pytest.raises(cs.InputError, match="stimuli= is missing"):
        cs.selectivity_impact(net, "0")


def test_one_call_of_a_layer_that_is_called_twice(stimuli):
    torch.manual_seed(0)
    first, second, out = torch.nn.Linear(K, UNITS), torch.nn.Linear(UNITS, UNITS), torch.nn.Linear(UNITS, K)

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.out, self.act = first, second, out, torch.nn.ReLU()

        def forward(self, x):
            return self.out(self.act(self.second(self.act(self.first(x)))))

    apart = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), out)
    asked = {"stimuli": stimuli, "target": "label", "evaluate": "loss", **FAST}
    for label, alone in (("act#0", "1"), ("act#1", "3")):
        found = cs.selectivity_impact(cs.Network(Twice(), name="net"), label, **asked)
        wanted = cs.selectivity_impact(cs.Network(apart, name="net"), alone, **asked)
        np.testing.assert_allclose(found.value.values, wanted.value.values, atol=1e-12)
    with pytest.raises(cs.InputError, match=r"cs\.selectivity_impact: .*act#1"):
        cs.selectivity_impact(cs.Network(Twice(), name="net"), "act#7", **asked)


def test_what_a_long_run_takes_is_said_first(stimuli, monkeypatch, capsys):
    from consilience.networks import _progress

    options = {"stimuli": stimuli, "target": "label", "evaluate": "loss", **FAST}
    cs.selectivity_impact(built(shares()), "1", **options)
    assert not capsys.readouterr().err
    monkeypatch.setattr(_progress, "_LONG", 0.0)
    cs.selectivity_impact(built(shares()), "1", how=["mean", "resample"], **options)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("cs.selectivity_impact: 24 lesions of net, how=mean, about ")
    assert second.startswith("cs.selectivity_impact: 120 lesions of net, how=resample, about ")
