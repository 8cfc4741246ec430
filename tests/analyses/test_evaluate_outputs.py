"""Scores of outputs: accuracy, loss, probability, functions."""

import numpy as np
import pytest
import xarray as xr

from consilience._core._errors import InputError
from consilience.analyses._evaluate_outputs import make_network_score, make_score, read_labels

WHO = "cs.ablate"
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(12, 4))
TARGET = np.tile(np.arange(4), 3)


def log_softmax(x):
    from scipy.special import log_softmax

    return log_softmax(x, axis=-1)


def test_accuracy_loss_and_probability_of_logits():
    rows = np.arange(12)
    assert np.array_equal(make_score("accuracy", TARGET, LOGITS, who=WHO)(LOGITS), LOGITS.argmax(1) == TARGET)
    expected = -log_softmax(LOGITS)[rows, TARGET]
    loss = make_score("loss", TARGET, LOGITS, who=WHO)
    assert loss.sign == -1
    assert np.allclose(loss(LOGITS), expected)
    assert np.allclose(make_score("probability", TARGET, LOGITS, who=WHO)(LOGITS), np.exp(-expected))
    part = slice(3, 7)
    assert np.allclose(loss(LOGITS[part], part), expected[part])


def test_outputs_that_are_probabilities_are_taken_as_such():
    p = np.exp(log_softmax(LOGITS))
    assert np.allclose(make_score("loss", TARGET, p, who=WHO)(p), -np.log(p[np.arange(12), TARGET]))


def test_ties_share_the_score():
    score = make_score("accuracy", TARGET, LOGITS, who=WHO)
    assert np.allclose(score(np.zeros((12, 4))), 0.25)


def test_steps_are_averaged():
    x, target = RNG.normal(size=(5, 3, 4)), RNG.integers(0, 4, (5, 3))
    hit = (x.argmax(-1) == target).mean(1)
    assert np.allclose(make_score("accuracy", target, x, who=WHO)(x), hit)


def test_text_stands_for_outputs_in_sorted_order():
    names = np.array(["ant", "bee", "cat", "dog"])
    assert np.array_equal(
        make_score("accuracy", names[TARGET], LOGITS, who=WHO)(LOGITS), LOGITS.argmax(1) == TARGET
    )
    with pytest.raises(InputError, match=r"3 names and the network 4 outputs, so their order is not known"):
        make_score("accuracy", names[TARGET % 3], LOGITS, who=WHO)


def test_one_output_of_two_classes_is_log_odds():
    x, target = LOGITS[:, :1], TARGET % 2
    assert np.allclose(make_score("accuracy", target, x, who=WHO)(x), (x[:, 0] > 0) == target)
    assert np.allclose(
        make_score("loss", target, x, who=WHO)(x), np.log1p(np.exp(-x[:, 0] * (2 * target - 1)))
    )


def test_real_numbers_have_a_squared_error():
    wanted = RNG.normal(size=(12, 4))
    loss = make_score("loss", wanted, LOGITS, who=WHO)
    assert np.allclose(loss(LOGITS), ((LOGITS - wanted) ** 2).mean(1))
    with pytest.raises(InputError, match="needs a class for each stimulus"):
        make_score("accuracy", RNG.normal(size=12), LOGITS, who=WHO)


def test_functions():
    each = make_score(lambda out, target: out[:, 0] - target, TARGET, LOGITS, who=WHO)
    assert each.per_stimulus
    assert np.allclose(each(LOGITS[2:5], slice(2, 5)), LOGITS[2:5, 0] - TARGET[2:5])
    whole = make_score(lambda out: out.std(), None, LOGITS, who=WHO)
    assert not whole.per_stimulus
    assert float(whole(LOGITS)) == pytest.approx(LOGITS.std())
    with pytest.raises(InputError, match="another score when fewer stimuli are shown"):
        make_score(lambda out: out[:, 0] - out[:, 0].mean(), None, LOGITS, who=WHO)
    with pytest.raises(InputError, match="takes outputs and target, and target= is None"):
        make_score(lambda out, target: out[:, 0], None, LOGITS, who=WHO)
    with pytest.raises(ValueError, match="read-only"):
        make_score(lambda out: out.__setitem__(0, 0.0), None, LOGITS, who=WHO)


def test_functions_of_the_network():
    net = object()
    score = make_network_score(lambda given: float(given is net), net, who=WHO)
    assert score.on_network
    assert float(score(None)) == 1.0
    assert float(make_network_score(lambda: 0.5, net, who=WHO)(None)) == 0.5
    with pytest.raises(InputError, match="needs stimuli= and target="):
        make_network_score("accuracy", net, who=WHO)


def test_labels():
    stimuli = xr.DataArray(
        np.zeros((4, 2)), dims=("stimulus", "x"), coords={"category": ("stimulus", list("abab"))}
    )
    labels = read_labels(stimuli, "category", who=WHO)
    assert labels.codes.tolist() == [0, 1, 0, 1]
    assert labels.classes.tolist() == ["a", "b"]
    assert read_labels(stimuli, [0.5, 1, 2, 3], who=WHO).codes is None
    assert read_labels(stimuli, np.array([1.0, 0, 1, 0], np.float32), who=WHO).codes.tolist() == [1, 0, 1, 0]
    with pytest.raises(InputError, match=r"have no label 'categori'.*Did you mean 'category'"):
        read_labels(stimuli, "categori", who=WHO)
    with pytest.raises(InputError, match="one entry for each of 4 stimuli, got shape"):
        read_labels(stimuli, [1, 2], who=WHO)


@pytest.mark.parametrize(
    ("evaluate", "target", "words"),
    [
        ("acuracy", TARGET, "Did you mean 'accuracy'"),
        ("accuracy", None, "needs target="),
        ("accuracy", TARGET + 1, "has outputs 0 to 3"),
    ],
)
def test_refusals_say_what_to_do(evaluate, target, words):
    with pytest.raises(InputError, match=words):
        make_score(evaluate, target, LOGITS, who=WHO)


def test_outputs_out_of_range_are_refused():
    with pytest.raises(InputError, match="NaN or infinity"):
        make_score("loss", TARGET, LOGITS, who=WHO)(LOGITS * np.nan)
