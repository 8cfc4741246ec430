"""Information of decoded labels: closed forms, what decoders lose, chance, and what is refused."""

import numpy as np
import pytest

import consilience as cs

info = cs.units.confusion_information


def test_symmetric_channels_in_closed_form():
    for right in (1.0, 0.9, 0.75):
        confusion = np.full((4, 4), 300 * (1 - right) / 3)
        np.fill_diagonal(confusion, 300 * right)
        wrong = max((1 - right) / 3, 1e-300)
        truth = 2 + right * np.log2(right) + 3 * wrong * np.log2(wrong)
        assert info(np.round(confusion), n_perm=0).value[0] == pytest.approx(truth, abs=0.01)


def test_always_wrong_tells_as_much_as_always_right():
    right = 10 * np.eye(5, dtype=int)
    wrong = np.roll(right, 1, axis=1)
    both = info(np.stack([right, wrong], axis=-1), n_perm=50)
    np.testing.assert_allclose(both.value, np.log2(5))
    np.testing.assert_allclose(both.counted["entropy"], np.log2(5))
    assert (both.p == 1 / 101).all()


def test_chance_is_0_and_no_decoder_has_more_than_the_responses():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 20)
    guesses = rng.integers(0, 6, size=(120, 60))
    confusion = np.zeros((6, 6, 60))
    for k in range(60):
        np.add.at(confusion[:, :, k], (labels, guesses[:, k]), 1)
    found = info(confusion, n_perm=100)
    assert found.counted["plain"].mean() > 0.1
    assert abs(found.value.mean()) < 0.03
    assert np.mean(found.p <= 0.05) < 0.15
    counts = rng.poisson(2.0 + 2 * labels, size=(40, 120)).T
    said = np.clip(np.round((counts - 2) / 2), 0, 5).astype(int)  # a decoder of each unit
    confusion = np.zeros((6, 6, 40))
    for k in range(40):
        np.add.at(confusion[:, :, k], (labels, said[:, k]), 1)
    whole = cs.units.mutual_information(counts, labels, n_perm=0)
    assert info(confusion, n_perm=0).value.mean() < whole.value.mean() + 0.02


def test_it_reads_the_confusion_of_decode():
    rng = np.random.default_rng(0)
    names = np.tile(["car", "face", "hand"], 20)
    pattern = {name: rng.normal(size=12) for name in ("car", "face", "hand")}
    x = rng.normal(size=(60, 12)) + 0.7 * np.stack([pattern[name] for name in names])
    it = cs.responses(x, stimulus=names, repeat="count", object=names)
    result = cs.decode(it, target="object", n_boot=0, n_perm=0, rng=0)
    found = info(result.confusion, n_perm=100)
    assert 0.2 < found.value[0] < np.log2(3)
    assert found.p[0] < 0.02


@pytest.mark.parametrize(
    ("confusion", "text"),
    [
        (np.ones((2, 3)), "true label first"),
        (np.array([[0.5, 0.5], [0.2, 0.8]]), "whole numbers of trials"),
        (-np.ones((2, 2)), "whole numbers of trials"),
        (np.array([[1, 0], [5, 5]]), "label 0 has 1"),
        (np.stack([5 * np.eye(2), 6 * np.eye(2)], axis=-1), "as many trials of each label"),
    ],
)
def test_what_is_refused(confusion, text):
    with pytest.raises(cs.InputError, match=text):
        info(confusion)
