"""Activation patching: closed forms of linear networks, what must hold and what must not, controls, bad input."""

import itertools

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.*weak-contrast")

IDS = [f"pair{i}" for i in range(12)]


def linear(*sizes, seed=0):
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    return cs.Network(torch.nn.Sequential(*layers), name="linear")


def deep(seed=0):
    torch.manual_seed(seed)
    return cs.Network(
        torch.nn.Sequential(
            torch.nn.Linear(5, 8),
            torch.nn.ReLU(),
            torch.nn.Linear(8, 6),
            torch.nn.Tanh(),
            torch.nn.Linear(6, 3),
        ),
        name="deep",
    )


def stimuli(seed=0, n=12, width=5, shift=1.0):
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(n, width)) + shift
    two = rng.normal(size=(n, width)) - shift
    return cs.stimuli(one, ids=IDS[:n]), cs.stimuli(two, ids=IDS[:n])


def first(outputs):
    return outputs[:, 0]


FAST = {"n_controls": 1, "n_null": 99}


def test_a_linear_network_gives_the_closed_form_and_both_directions_agree():
    net = linear(5, 4, 1)
    clean, corrupted = stimuli()
    acts = [cs.record(net, data, layers=["0"])["0"].values for data in (clean, corrupted)]
    w = net.module[1].weight.detach().numpy()[0]
    wanted = w * (acts[0] - acts[1])  # (pairs, units)
    for direction in ("denoise", "noise"):
        found = cs.patch(
            net, clean, corrupted, "0", parts="channels", evaluate=first, direction=direction, **FAST
        )
        change = found.pairs["change"].values[0, 0]
        np.testing.assert_allclose(change.T, wanted, atol=1e-5)
        gap = wanted.sum(axis=1).mean()
        np.testing.assert_allclose(found.effect, wanted.mean(axis=0) / gap, atol=1e-5)
        assert abs(found.effect.sum() - 1) < 1e-5
        assert found.effect.dims == ("part",)
        assert set(found.effect["layer"].values.ravel()) == {"0"}


def test_a_whole_layer_that_everything_passes_carries_all_and_itself_nothing():
    net = deep()
    clean, corrupted = stimuli()
    found = cs.patch(net, clean, corrupted, ["0", "1", "2", "3"], evaluate=first, **FAST)
    np.testing.assert_allclose(found.effect, 1, atol=1e-6)
    same = cs.stimuli(clean.values, ids=IDS)
    with pytest.warns(cs.ConsilienceWarning, match="weak-contrast"):
        none = cs.patch(net, clean, same, ["0", "2"], evaluate=first, **FAST)
    assert np.abs(none.data["change"].values).max() == 0


def test_directions_disagree_where_two_parts_carry_the_same():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.copy = torch.nn.Linear(1, 2, bias=False)
            torch.nn.init.ones_(self.copy.weight)

        def forward(self, x):
            return self.copy(x).amax(dim=1, keepdim=True)  # either copy is enough

    clean = cs.stimuli(np.ones((4, 1)) + np.arange(4)[:, None] / 10, ids=IDS[:4])
    corrupted = cs.stimuli(-np.ones((4, 1)), ids=IDS[:4])
    into = {
        direction: cs.patch(
            cs.Network(Twice()),
            clean,
            corrupted,
            "copy",
            parts="channels",
            evaluate=first,
            direction=direction,
            **FAST,
        ).effect
        for direction in ("denoise", "noise")
    }
    np.testing.assert_allclose(into["denoise"], 1, atol=1e-6)
    np.testing.assert_allclose(into["noise"], 0, atol=1e-6)


def test_pairs_go_by_id_never_by_row():
    net = deep()
    clean, corrupted = stimuli()
    turned = corrupted.isel(stimulus=slice(None, None, -1))
    one = cs.patch(net, clean, corrupted, "1", parts="channels", evaluate=first, **FAST)
    two = cs.patch(net, clean, turned, "1", parts="channels", evaluate=first, **FAST)
    np.testing.assert_allclose(one.effect, two.effect, atol=1e-6)
    other = corrupted.assign_coords(stimulus=[f"c{i}" for i in range(12)])
    with pytest.raises(cs.InputError, match="have no partner") as error:
        cs.patch(net, clean, other, "1", evaluate=first)
    assert error.value.code == "unpaired-stimuli"
    listed = cs.patch(
        net,
        clean,
        other,
        "1",
        parts="channels",
        pairs=[(f"pair{i}", f"c{i}") for i in range(12)],
        evaluate=first,
        **FAST,
    )
    np.testing.assert_allclose(listed.effect, one.effect, atol=1e-6)


class Tokens(torch.nn.Module):
    """Reads token 2 alone, through two layers of equal shape."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Linear(3, 4)
        self.mix = torch.nn.Linear(4, 4)
        self.head = torch.nn.Linear(4, 5)

    def forward(self, x):
        h = self.mix(torch.tanh(self.embed(x)))
        h = torch.cat([h[:, :3], h[:, 2:3] + 0 * h[:, 3:4]], dim=1)  # the last token copies token 2
        return self.head(h)


def tokens(seed=0, n=10):
    rng = np.random.default_rng(seed)
    one = cs.stimuli(rng.normal(size=(n, 4, 3)) + 1, ids=IDS[:n])
    two = cs.stimuli(rng.normal(size=(n, 4, 3)) - 1, ids=IDS[:n])
    answers = (
        {"answer": ("stimulus", np.zeros(n, dtype=int))},
        {"answer": ("stimulus", np.ones(n, dtype=int))},
    )
    return one.assign_coords(answers[0]), two.assign_coords(answers[1])


def test_the_grid_finds_the_token_that_matters():
    clean, corrupted = tokens()
    found = cs.patch(
        cs.Network(Tokens(), name="tokens"),
        clean,
        corrupted,
        ["embed", "mix"],
        places="each",
        target="answer",
        **FAST,
    )
    effect = found.data["effect"].sel(part="all")
    np.testing.assert_allclose(effect.sel(place="2"), 1, atol=1e-5)
    np.testing.assert_allclose(effect.sel(place=["0", "1", "3"]), 0, atol=1e-5)
    assert (found.data["p_family"].sel(place="0") == 1).all()
    named = cs.patch(
        cs.Network(Tokens()),
        clean,
        corrupted,
        "embed",
        places={"two": [2], "rest": [0, 1, 3]},
        target="answer",
        **FAST,
    )
    np.testing.assert_allclose(named.effect, [1, 0], atol=1e-5)


def test_noise_on_a_layer_is_undone_there_and_only_where_it_matters():
    clean, _ = tokens()
    net = cs.Network(Tokens(), name="tokens")
    asked = {"target": "answer", "evaluate": "logit", "n_noise": 3, "places": "each", **FAST}
    at = {"layer": "embed", "sd": 3.0, "places": [2]}
    found = cs.patch(net, clean, at, ["embed", "mix"], **asked)
    np.testing.assert_allclose(found.data["effect"].sel(place="2", part="all"), 1, atol=1e-4)
    again = cs.patch(net, clean, at, ["embed", "mix"], batch_size=3, **asked)
    np.testing.assert_allclose(found.data["change"], again.data["change"], atol=1e-5)


def test_a_window_holds_the_layers_around():
    net = deep()
    clean, corrupted = stimuli()
    found = cs.patch(
        net, clean, corrupted, ["1", "3"], window=2, parts={"first": [0, 1]}, evaluate=first, **FAST
    )
    alone = cs.patch(net, clean, corrupted, ["1", "3"], parts={"first": [0, 1]}, evaluate=first, **FAST)
    np.testing.assert_allclose(
        found.effect[0], alone.effect[0], atol=1e-6
    )  # the first has no layer before it
    assert abs(found.effect[1] - alone.effect[1]) > 1e-3


def test_blocks_of_a_map_and_heads():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 2)
    )
    rng = np.random.default_rng(0)
    clean = cs.stimuli((rng.normal(size=(6, 1, 6, 6)) + 0.5).astype(np.float32), ids=IDS[:6])
    corrupted = cs.stimuli((rng.normal(size=(6, 1, 6, 6)) - 0.5).astype(np.float32), ids=IDS[:6])
    net = cs.Network(module, name="cnn")
    found = cs.patch(net, clean, corrupted, "1", places=2, evaluate=first, **FAST)
    assert found.data["place"].values.tolist() == ["y0,x0", "y0,x1", "y1,x0", "y1,x1"]
    assert abs(found.effect.sum() - 1) < 1e-5  # linear after the layer
    heads = cs.patch(net, clean, corrupted, "1", parts=2, evaluate=first, **FAST)
    assert abs(heads.effect.sum() - 1) < 1e-5


def test_network_and_inputs_are_left_as_they_were():
    net = deep()
    net.module.train()
    clean, corrupted = stimuli()
    before = clean.values.copy()
    cs.patch(net, clean, corrupted, "1", evaluate=first, **FAST)
    assert net.module.training
    assert not any(module._forward_hooks for module in net.module.modules())
    np.testing.assert_array_equal(clean.values, before)


def test_the_result_passes_the_suite(tmp_path):
    clean, corrupted = stimuli()
    found = cs.patch(deep(), clean, corrupted, ["1", "3"], parts="channels", evaluate=first, **FAST)
    cs.testing.check_result(found)
    again = cs.patch(
        deep(), clean, corrupted, ["1", "3"], parts="channels", evaluate=first, rng=found.seed, **FAST
    )
    np.testing.assert_array_equal(found.data["p"], again.data["p"])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"places": "each"}, "bad-places"),
        ({"parts": {"x": [99]}}, "bad-parts"),
        ({"evaluate": "difference"}, "no-target"),
        ({"evaluate": "logit", "target": np.full(12, 7)}, "class-mismatch"),
        ({"evaluate": "difrence"}, "bad-evaluate"),
        ({"direction": "up"}, "unknown-option"),
        ({"evaluate": lambda y: float(y.mean())}, "bad-evaluate"),
        ({"pairs": "session"}, "unknown-label"),
    ],
)
def test_bad_input_is_refused(options, code):
    clean, corrupted = stimuli()
    with pytest.raises(cs.InputError) as error:
        cs.patch(deep(), clean, corrupted, "1", **{"evaluate": first, **options})
    assert error.value.code == code


def test_a_callable_and_one_pair_are_refused():
    clean, corrupted = stimuli()
    with pytest.raises(cs.InputError, match="callable") as error:
        cs.patch(lambda x: x, clean, corrupted, "output", evaluate=first)
    assert error.value.code == "not-a-module"
    one = clean.isel(stimulus=[0]), corrupted.isel(stimulus=[0])
    with pytest.raises(cs.InputError, match="at least 2 pairs"):
        cs.patch(deep(), *one, "1", evaluate=first)


def test_passes_that_begin_at_the_patch_give_what_full_passes_give(monkeypatch):
    import consilience.networks._patching as engine

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(4, 4, 3),
        torch.nn.ReLU(inplace=True),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 3),
    )
    rng = np.random.default_rng(0)
    clean, corrupted = (
        cs.stimuli((rng.normal(size=(8, 1, 6, 6)) + shift).astype(np.float32), ids=IDS[:8])
        for shift in (1, -1)
    )
    asked = {"parts": "channels", "evaluate": first, "window": 2, **FAST}
    calls = []
    before = engine.Memories.outputs
    monkeypatch.setattr(engine.Memories, "outputs", lambda *a: calls.append(before(*a)) or calls[-1])
    resumed = cs.patch(module, clean, corrupted, ["1", "2", "3"], **asked)
    assert calls
    assert all(found is not None for found in calls)
    monkeypatch.setattr(engine, "_can_stop", lambda net: False)
    full = cs.patch(module, clean, corrupted, ["1", "2", "3"], **asked)
    np.testing.assert_allclose(resumed.data["change"], full.data["change"], atol=1e-6)
    noise = {"layer": "0", "sd": 1.0}
    full = cs.patch(module, clean, noise, ["1", "3"], **asked)
    monkeypatch.undo()
    resumed = cs.patch(module, clean, noise, ["1", "3"], **asked)
    np.testing.assert_allclose(resumed.data["change"], full.data["change"], atol=1e-6)


def test_the_state_of_a_recurrent_layer_is_patched_step_by_step_and_feeds_back():
    class Reads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.rnn = torch.nn.GRU(2, 5, batch_first=True)
            self.out = torch.nn.Linear(5, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1])

    rng = np.random.default_rng(0)
    clean, corrupted = (
        cs.stimuli((rng.normal(size=(8, 6, 2)) + shift).astype(np.float32), ids=IDS[:8]) for shift in (1, -1)
    )
    net = cs.Network(Reads(), name="gru")
    asked = {"evaluate": first, "places": "each", **FAST}
    state = cs.patch(net, clean, corrupted, "rnn", **asked).effect
    assert state.shape == (6,)
    assert state[5] == pytest.approx(1, abs=1e-5)  # the last state is all that is read
    assert 1e-3 < abs(state[4]) < 1  # an earlier one reaches it through the recurrence
