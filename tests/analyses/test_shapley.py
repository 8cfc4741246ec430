"""`cs.shapley`: networks, functions and tables of lesions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import consilience as cs
from consilience.stats import all_coalitions, shapley_values

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(12, 6), torch.nn.ReLU(), torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3)
    )
    return cs.Network(module.double(), name="small")


@pytest.fixture(scope="module")
def stimuli():
    x = np.random.default_rng(0).normal(size=(40, 12))
    return cs.stimuli(x, ids=[f"s{i:02d}" for i in range(40)])


@pytest.fixture(scope="module")
def target(net, stimuli):
    with torch.no_grad():
        noisy = net.module(torch.from_numpy(stimuli.values)).numpy()
    return (noisy + 0.3 * np.random.default_rng(1).normal(size=noisy.shape)).argmax(axis=1)


def by_hooks(net, stimuli, layer, target, replace):
    """Accuracy of all coalitions of the units of a layer, one forward pass each: (2^P, n)."""
    x = torch.from_numpy(stimuli.values)
    module = net.module[layer]
    with torch.no_grad():
        width = net.module[: layer + 1](x).shape[1]
        found = []
        for present in all_coalitions(width):
            keep = torch.from_numpy(present)
            hook = module.register_forward_hook(
                lambda m, i, out, keep=keep: torch.where(keep, out, replace(out))
            )
            out = net.module(x).numpy()
            hook.remove()
            found.append(out.argmax(axis=1) == target)
    return np.array(found, dtype=float)


# Networks


@pytest.mark.parametrize("how", ["mean", "zero"])
def test_units_of_a_layer_by_brute_force(net, stimuli, target, how):
    replace = (
        (lambda out: out.mean(dim=0, keepdim=True).expand_as(out)) if how == "mean" else torch.zeros_like
    )
    values = by_hooks(net, stimuli, 1, target, replace)
    made = cs.shapley(net, "1", stimuli=stimuli, target=target, how=how)
    each = shapley_values(values)
    np.testing.assert_allclose(made.data["each"].values, each, atol=1e-12)
    np.testing.assert_allclose(made.value, each.mean(axis=1), atol=1e-12)
    assert made.exact
    assert made.value.sum() == pytest.approx(made.total)
    full = len(values) - 1
    single = values[full].mean() - values[full ^ (1 << np.arange(6))].mean(axis=1)
    np.testing.assert_allclose(made.data["single"], single, atol=1e-12)
    for k, name in enumerate(made.data["class"].values.tolist()):
        np.testing.assert_allclose(
            made.data["class_value"][:, k], each[:, target == int(name)].mean(axis=1), atol=1e-12
        )


def test_linear_network_closed_form(stimuli):
    """v is linear in who is there: phi_i = w_i (x_i - mean x_i) for each stimulus."""
    module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(12, 1)).double()
    net = cs.Network(module, name="linear")
    sampled = cs.shapley(
        net, "0", stimuli=stimuli, evaluate=lambda out: out[:, 0], exact=False, budget=1000, rng=0
    )
    w = module[1].weight.detach().numpy().ravel()
    expected = w[:, None] * (stimuli.values - stimuli.values.mean(axis=0)).T
    np.testing.assert_allclose(sampled.data["each"], expected, atol=1e-9)
    assert not sampled.exact
    assert sampled.settings["n_coalitions"] < 1000
    np.testing.assert_allclose(sampled.data["se_sampling"], 0, atol=1e-8)


def test_a_loss_is_turned_round_and_groups_are_players(net, stimuli, target):
    groups = {"first": [0, 1], "second": [2, 3], "third": [4, 5]}
    made = cs.shapley(net, "1", stimuli=stimuli, target=target, evaluate="loss", parts=groups)
    assert made.data["player"].values.tolist() == list(groups)
    assert made.settings["v_all"] > made.settings["v_nobody"]
    single = cs.shapley(net, "1", stimuli=stimuli, target=target, evaluate="loss")
    assert single.total == pytest.approx(made.total)


def test_random_replacements_are_drawn_anew_with_each_set(net, stimuli, target):
    options = {
        "stimuli": stimuli,
        "target": target,
        "evaluate": "probability",
        "how": "resample",
        "budget": 600,
    }
    with pytest.warns(cs.ConsilienceWarning, match="precision-not-reached"):
        made = cs.shapley(net, "1", precision=1e-6, rng=0, **options)
    assert not made.exact
    assert (made.data["se_sampling"].values > 0).any()
    assert made.value.sum() == pytest.approx(made.total, abs=1e-9)
    with pytest.warns(cs.ConsilienceWarning):
        again = cs.shapley(net, "1", precision=1e-6, rng=made.seed, **options)
    np.testing.assert_array_equal(again.value, made.value)


def test_against_captum(stimuli):
    """Inputs as players with a baseline of 0, exact, for each stimulus."""
    attr = pytest.importorskip("captum.attr")
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        torch.nn.Identity(), torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
    ).double()
    few = cs.stimuli(stimuli.values[:5, :6], ids=list("abcde"))
    made = cs.shapley(
        cs.Network(module, name="mlp"), "0", stimuli=few, evaluate=lambda out: out[:, 0], how="zero"
    )
    with torch.no_grad():
        theirs = attr.ShapleyValues(module).attribute(torch.from_numpy(few.values), target=0).numpy()
    np.testing.assert_allclose(made.data["each"].values.T, theirs, atol=1e-6)  # theirs is of single precision


def test_a_function_that_runs_the_network_itself(net, stimuli, target):
    x = torch.from_numpy(stimuli.values)

    def accuracy(module):
        with torch.no_grad():
            return float((module(x).argmax(dim=1).numpy() == target).mean())

    three = {"a": [0, 1], "b": [2, 3], "c": [4, 5]}
    made = cs.shapley(net.module, "1", evaluate=accuracy, parts=three)
    direct = cs.shapley(net, "1", stimuli=stimuli, target=target, parts=three)
    np.testing.assert_allclose(made.value, direct.value, atol=1e-9)
    assert np.isnan(made.data["p"]).all()
    assert "no interval over stimuli" in repr(made)
    assert len(net.module[1]._forward_hooks) == 0


@pytest.mark.parametrize(
    ("layer", "code"), [("1", "no-stimuli"), (None, "no-layer"), ("nowhere", "unknown-layer")]
)
def test_networks_that_lack_something_are_refused(net, stimuli, target, layer, code):
    given = {} if code == "no-stimuli" else {"stimuli": stimuli, "target": target}
    with pytest.raises(cs.InputError, match=r"cs\.shapley:") as caught:
        cs.shapley(net, layer, **given)
    assert caught.value.code == code


def test_one_player():
    made = cs.shapley(lambda present: present[:, 0] * 2.0, n_players=1, exact=False)
    assert made.value.values.tolist() == [2.0]


# Functions


def majority(present):
    return present.sum(axis=1) > present.shape[1] / 2


def test_exact_and_sampled_agree():
    rng = np.random.default_rng(2)
    weight, out = rng.normal(size=(9, 14)), rng.normal(size=14)
    game = lambda present: np.maximum(present @ weight, 0) @ out  # noqa: E731
    exact = cs.shapley(game, n_players=9, interactions=3)
    sampled = cs.shapley(game, n_players=9, exact=False, precision=0.05, interactions=3, rng=0)
    assert (np.abs(sampled.value - exact.value) <= sampled.data["half_sampling"]).mean() > 0.8
    assert np.abs(sampled.value - exact.value).max() < 0.1
    assert np.isnan(exact.data["ci_low"]).all()
    assert sampled.settings["reached"]
    wide = (sampled.interactions["ci_high"] - sampled.interactions["ci_low"]).max()
    both = dict(zip(exact.interactions["pair"].values.tolist(), exact.interactions["value"].values))
    for pair, value in zip(
        sampled.interactions["pair"].values.tolist(), sampled.interactions["value"].values
    ):
        if pair in both:
            assert abs(value - both[pair]) < wide


def test_pairs_of_more_than_ten_players_exactly():
    product = lambda present: (present[:, 2] & present[:, 7]) + 2.0 * present[:, 4]  # noqa: E731
    made = cs.shapley(product, n_players=11, interactions=3)
    values = dict(zip(made.interactions["pair"].values.tolist(), made.interactions["value"].values.tolist()))
    assert values == pytest.approx({"player2, player4": 0, "player2, player7": 1, "player4, player7": 0})


def test_large_majority_game_needs_few_coalitions_per_player():
    made = cs.shapley(majority, n_players=41, precision=0.04, rng=0)
    assert np.abs(made.value - 1 / 41).max() < 0.04
    assert made.value.sum() == pytest.approx(1)
    assert made.settings["n_coalitions"] < 20_000


def test_names_and_order_do_not_matter_for_symmetric_games():
    made = cs.shapley(majority, names=["a", "b", "c"])
    np.testing.assert_allclose(made.value, 1 / 3)
    assert made.to_frame()["player"].tolist() == ["a", "b", "c"]


def test_intervals_over_stimuli_hold_the_population():
    """100 samples of 40 stimuli, all coalitions: 0.95 asked."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(5, 6))

    def game_of(x):
        return lambda present: np.tanh((present @ weight)[:, None] + x).sum(axis=2) > 0.3

    truth = cs.shapley(game_of(rng.normal(size=(20_000, 6))), n_players=5).value
    covered, flips = [], []
    for _ in range(100):
        found = cs.shapley(game_of(rng.normal(size=(40, 6))), n_players=5).data
        covered.append((found["ci_low"].values <= truth) & (truth <= found["ci_high"].values))
        x = rng.normal(size=(40, 6))
        null = cs.shapley(
            lambda present, x=x: (present[:, None] * x[None, :, :5]).sum(axis=2), n_players=5
        ).data
        flips.append(null["p"].values < 0.05)
    assert 0.92 < np.mean(covered) < 0.98
    assert 0.02 < np.mean(flips) < 0.08


@pytest.mark.parametrize(
    ("game", "options", "code"),
    [
        (majority, {}, "bad-parameter"),
        (majority, {"names": ["a", "a"]}, "bad-parameter"),
        (majority, {"names": ["a", "b"], "n_players": 3}, "shape-mismatch"),
        (majority, {"n_players": 3, "scores": [1.0]}, "bad-parameter"),
        (majority, {"n_players": 3, "target": [0, 1]}, "bad-parameter"),
        (majority, {"n_players": 3, "interactions": 1}, "bad-parameter"),
        (majority, {"n_players": 3, "exact": 1}, "bad-parameter"),
        (majority, {"n_players": 3, "level": 1.5}, "bad-parameter"),
        (majority, {"n_players": 30, "exact": True}, "bad-parameter"),
        (majority, {"n_players": 30, "budget": 200}, "small-budget"),
        (lambda present: 1.0, {"n_players": 3}, "bad-game"),
        (lambda present: present[:1].sum(axis=1), {"n_players": 3}, "bad-game"),
        (lambda present: np.full(len(present), "a"), {"n_players": 3}, "bad-game"),
        (lambda present: np.where(present[:, 0], np.nan, 1.0), {"n_players": 3}, "nan-values"),
        ("text", {}, "bad-parameter"),
    ],
)
def test_what_does_not_fit_is_refused(game, options, code):
    with pytest.raises(cs.InputError) as caught:
        cs.shapley(game, **options)
    assert caught.value.code == code
    assert str(caught.value).startswith("cs.shapley:")


def test_a_game_cannot_change_what_it_is_shown():
    def rude(present):
        present[:] = True
        return present.sum(axis=1)

    with pytest.raises(ValueError, match="read-only"):
        cs.shapley(rude, n_players=3)


# Tables of lesions


def lesioned(n=90, p=6, seed=0, noise=0.7, share=0.4):
    rng = np.random.default_rng(seed)
    lesions = (rng.random((n, p)) < share).astype(float)
    x = 1 - lesions
    scores = 1 + 3 * x[:, 0] + 2 * x[:, 1] * x[:, 2] + noise * rng.normal(size=n)
    truth = np.zeros(p)
    truth[[0, 1, 2]] = 3, 1, 1
    return lesions, scores, truth


def test_planted_regions_are_found():
    lesions, scores, truth = lesioned()
    made = cs.shapley(lesions, scores=scores, names=list("ABCDEF"), interactions=2, rng=0)
    assert ((made.data["ci_low"] <= truth) & (truth <= made.data["ci_high"])).sum() >= 5
    assert (made.data["q"].values < 0.05).tolist() == [True, True, True, False, False, False]
    assert made.settings["r2"] > 0.6
    assert made.settings["r2_p"] == pytest.approx(0.001)
    top = made.interactions.isel(pair=int(np.abs(made.interactions["value"].values).argmax()))
    assert top["pair"].item() == "B, C"
    assert made.value.sum() == pytest.approx(made.total)


def test_frames_text_and_groups():
    pd = pytest.importorskip("pandas")
    lesions, scores, _ = lesioned()
    frame = pd.DataFrame(lesions, columns=list("ABCDEF")).assign(
        score=scores, animal=np.repeat(np.arange(45), 2)
    )
    made = cs.shapley(frame, scores="score", groups="animal", rng=0)
    assert made.settings["n_animals"] == 45
    assert made.data["player"].values.tolist() == list("ABCDEF")
    plain = cs.shapley(lesions, scores=scores, rng=0)
    assert not np.allclose(plain.data["se_stimuli"], made.data["se_stimuli"])
    with pytest.raises(cs.InputError, match="Did you mean 'score'"):
        cs.shapley(frame, scores="scores")
    with pytest.raises(cs.InputError, match="must be numbers"):
        cs.shapley(frame.assign(sex="f"), scores="score")


def test_scores_that_hang_on_nothing_say_so():
    lesions, scores, _ = lesioned()
    rng = np.random.default_rng(1)
    with pytest.warns(cs.ConsilienceWarning, match="no-fit"):
        made = cs.shapley(lesions, scores=rng.permutation(scores), rng=0)
    assert made.settings["r2_p"] > 0.05


def test_observed_coalitions_are_averaged():
    row = np.repeat(np.arange(8), 3)
    lesions = ~all_coalitions(3)[row]
    scores = np.random.default_rng(2).normal(size=24) + row
    made = cs.shapley(lesions, scores=scores, interactions=2)
    means = np.array([scores[row == k].mean() for k in range(8)])
    np.testing.assert_allclose(made.value, shapley_values(means))
    assert made.settings["method"] == "observed coalitions"
    assert np.isfinite(made.interactions["ci_low"]).all()


def test_confounded_lesions():
    lesions, scores, _ = lesioned()
    twice = np.column_stack([lesions, lesions[:, 0]])
    with pytest.raises(cs.InputError, match="'region0', 'region6' cannot be told apart") as caught:
        cs.shapley(twice, scores=scores)
    assert caught.value.code == "confounded-lesions"
    nearly = twice.copy()
    nearly[:2, 6] = 1 - nearly[:2, 6]
    with pytest.warns(cs.ConsilienceWarning, match="confounded-lesions"):
        cs.shapley(nearly, scores=scores, rng=0)


def test_pairs_that_were_never_lesioned_together_are_said():
    lesions = np.tile(np.vstack([np.eye(3), np.zeros((1, 3))]), (6, 1))
    x = 1 - lesions
    scores = 20 * np.maximum(x[:, 0], x[:, 1]) + 10 * x[:, 2] + np.random.default_rng(3).normal(size=24)
    with pytest.warns(cs.ConsilienceWarning, match=r"3 of 3 pairs .*'a' and 'b' \(both lesioned in 0\)"):
        made = cs.shapley(lesions, scores=scores, names=list("abc"), rng=0)
    assert made.settings["method"] == "main effects"
    assert "without products of two" in made.methods[0]
    few = np.concatenate([lesions, [[1, 1, 0]]])
    with pytest.warns(cs.ConsilienceWarning, match=r"'a' and 'b' \(both lesioned in 1\)"):
        made = cs.shapley(few, scores=np.append(scores, 10.0), names=list("abc"), rng=0)
    assert "1 of 3 products" in made.methods[0]
    both = np.vstack([lesions, np.tile([[1, 1, 0], [1, 0, 1], [0, 1, 1]], (2, 1))])
    made = cs.shapley(both, scores=both @ [1.0, 2, 3] + np.arange(len(both)) % 2, rng=0)
    assert "unseen-pairs" not in {w.code for w in made.warnings}


def test_lesions_that_were_never_whole_are_said():
    lesions, scores, _ = lesioned()
    with pytest.warns(cs.ConsilienceWarning, match="'region0' 0% to 30%"):
        cs.shapley(0.3 * lesions, scores=scores, rng=0)
    made = cs.shapley(np.random.default_rng(0).random((90, 6)), scores=scores, rng=0)
    assert not {"extrapolated-lesions", "unseen-pairs"} & {w.code for w in made.warnings}


@pytest.mark.parametrize("p", [3, 6])
def test_equal_scores_are_said_and_give_zero(p):
    with pytest.warns(cs.ConsilienceWarning, match="no-fit.*all scores are equal"):
        made = cs.shapley(lesioned()[0][:, :p], scores=np.full(90, 0.1), rng=0)
    assert (made.value == 0).all()
    assert made.settings["v_all"] == pytest.approx(0.1)
    assert "nan" not in repr(made)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda a, s: (a * 2, s), "bad-lesions"),
        (lambda a, s: (a, s[:-1]), "shape-mismatch"),
        (lambda a, s: (a * np.arange(6).clip(0, 1), s), "never-lesioned"),
        (lambda a, s: (np.vstack([np.eye(6), 1 - np.eye(6)])[:9], s[:9]), "too-few"),
        (lambda a, s: (np.where(a == 1, np.nan, a), s), "nan-values"),
        (lambda a, s: (a[:, 0], s), "bad-shape"),
        (lambda a, s: (a, None), "bad-parameter"),
    ],
)
def test_tables_that_do_not_do(change, code):
    lesions, scores = change(*lesioned(share=0.5)[:2])
    with pytest.raises(cs.InputError) as caught:
        cs.shapley(lesions, scores=scores)
    assert caught.value.code == code


def test_types_of_tables_and_inputs_are_left_alone():
    lesions, scores, _ = lesioned()
    kept = lesions.copy(), scores.copy()
    made = cs.shapley(lesions, scores=scores, rng=0)
    np.testing.assert_array_equal(lesions, kept[0])
    np.testing.assert_array_equal(scores, kept[1])
    for other in (
        lesions.astype(bool),
        lesions.astype(np.uint8),
        lesions.astype(">f8"),
        torch.from_numpy(lesions),
    ):
        np.testing.assert_allclose(cs.shapley(other, scores=scores, rng=0).value, made.value)


# Results


def results(net, stimuli, target):
    yield cs.shapley(net, "1", stimuli=stimuli, target=target, interactions=3)
    yield cs.shapley(majority, n_players=25, exact=False, precision=0.04, interactions=3, rng=0)
    lesions, scores, _ = lesioned()
    yield cs.shapley(lesions, scores=scores, interactions=2, rng=0)


def test_results(net, stimuli, target):
    for made in results(net, stimuli, target):
        assert all(row.passed for row in cs.testing.check_result(made))
        ax = made.plot()
        assert len(ax.get_yticklabels()) >= min(6, made.data.sizes["player"])
        made.plot(kind="interactions")
        if "class" in made.data:
            made.plot(kind="classes")
        else:
            with pytest.raises(cs.InputError, match="no classes"):
                made.plot(kind="classes")


def test_many_players_are_cut_in_the_picture():
    made = cs.shapley(lambda present: present @ np.arange(40.0), n_players=40, rng=0)
    words = [t.get_text() for t in made.plot(most=10).get_yticklabels()]
    assert words[0] == "player39"
    assert "30 more between" in words
    with pytest.raises(cs.InputError, match="interactions="):
        made.plot(kind="interactions")


def test_pairs_add_up_in_a_game_of_pairs():
    """With pairs alone, v(all) - v(nobody) is the sum of main effects and interactions."""
    rng = np.random.default_rng(5)
    b, products = rng.normal(size=5), np.triu(rng.normal(size=(5, 5)), 1)
    game = lambda present: present @ b + np.einsum("mi,ij,mj->m", present * 1.0, products, present * 1.0)  # noqa: E731
    made = cs.shapley(game, n_players=5, interactions=5)
    for (i, j), value in zip(itertools.combinations(range(5), 2), made.interactions["value"].values):
        assert value == pytest.approx(products[i, j])


def test_values_carry_their_labels():
    made = cs.shapley(lambda present: present @ [2.0, 1.0], names=["a", "b"])
    assert float(made.value.sel(player="a")) == 2.0
    np.testing.assert_array_equal(np.asarray(made.value), [2.0, 1.0])
