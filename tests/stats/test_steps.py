"""Walks and straight lines as surrogates, and lengths of steps behind noise."""

import numpy as np
import pytest

import consilience as cs
from consilience.populations import curvature
from consilience.stats import shuffled_steps, straightened
from consilience.stats._steps import step_lengths, step_products


def line(speeds, units=20, rng=None):
    """(time, units) of a straight path with these steps."""
    axis = np.linalg.qr((rng or np.random.default_rng(0)).normal(size=(units, 1)))[0][:, 0]
    return np.concatenate([[0.0], np.cumsum(speeds)])[:, None] * axis


def arc(degrees, speeds, units=20, rng=None):
    """(time, units) of a path that turns by this angle from step to step."""
    axes = np.linalg.qr((rng or np.random.default_rng(0)).normal(size=(units, 2)))[0]
    angle = np.radians(degrees) * np.arange(len(speeds))
    steps = np.asarray(speeds)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)]) @ axes.T


UNEVEN = np.tile([1.0, 2.0], 8)


class TestShuffledSteps:
    def test_ends_and_steps_are_kept_and_their_order_is_not(self):
        x = np.random.default_rng(0).normal(size=(4, 12, 3)).cumsum(axis=1)
        z = next(shuffled_steps(x, rng=0))
        np.testing.assert_allclose(z[:, [0, -1]], x[:, [0, -1]])
        for old, new in zip(np.diff(x, axis=1), np.diff(z, axis=1), strict=True):
            np.testing.assert_allclose(np.sort(new, axis=0), np.sort(old, axis=0))
            assert np.abs(new - old).max() > 0.1

    def test_trials_of_a_condition_share_an_order(self):
        x = np.random.default_rng(0).normal(size=(6, 12, 3)).cumsum(axis=1)
        label = np.array([0, 1, 0, 1, 0, 1])
        z = next(shuffled_steps(x, label, rng=0))
        means = np.stack([x[label == k].mean(axis=0) for k in (0, 1)])
        moved = np.stack([z[label == k].mean(axis=0) for k in (0, 1)])
        np.testing.assert_allclose(
            np.sort(np.diff(moved, axis=1), axis=1), np.sort(np.diff(means, axis=1), axis=1), atol=1e-12
        )

    def test_a_straight_line_becomes_none_of_its_angle_and_a_circle_a_walk(self):
        still = line(UNEVEN)[None]
        assert curvature(next(shuffled_steps(still))).value == pytest.approx(0, abs=1e-5)
        circle = arc(30, np.ones(36))[None]
        turned = [curvature(z).value for z in shuffled_steps(circle, n=50, rng=0)]
        assert np.mean(turned) == pytest.approx(90, abs=5)

    def test_inputs_and_refusals(self):
        x = np.random.default_rng(0).normal(size=(2, 5, 3))
        before = x.copy()
        list(shuffled_steps(x, n=2))
        np.testing.assert_array_equal(x, before)
        with pytest.raises(cs.InputError, match="3 times"):
            shuffled_steps(x[:, :2])


class TestStraightened:
    @pytest.mark.parametrize("speeds", [np.ones(16), UNEVEN], ids=["steady", "uneven"])
    def test_is_as_straight_as_its_noise_lets_it_be_and_keeps_speed_and_noise(self, speeds):
        rng = np.random.default_rng(0)
        path = arc(40, speeds)
        x = np.tile(path, (24, 1, 1)) + 0.1 * rng.normal(size=(24, *path.shape))
        label = np.repeat([0, 1], 12)
        z = next(straightened(x, label, rng=0))
        assert z.shape == x.shape
        assert curvature(x, label).value == pytest.approx(40, abs=2)
        assert curvature(z, label).value < 8
        mean = z[label == 0].mean(axis=0)
        assert np.linalg.norm(np.diff(mean, axis=0), axis=1) == pytest.approx(speeds, abs=0.5)
        noise = np.concatenate([v - v.mean(axis=0) for v in (z[label == 0], z[label == 1])])
        assert noise.std() == pytest.approx(0.1 * np.sqrt(11 / 12), rel=0.03)

    def test_trials_are_independent(self):
        rng = np.random.default_rng(0)
        x, label = rng.normal(size=(40, 6, 30)), np.repeat([0, 1, 2, 3], 10)
        products = []
        for z in straightened(x, label, n=40, rng=0):
            noise = np.diff(z[label == 0], axis=1) - np.diff(z[label == 0].mean(axis=0), axis=0)
            total = noise.sum(axis=0)
            products.append(step_products(np.diff(z[label == 0], axis=1))[0].mean())
            assert np.abs(total).max() < 1e-9
        assert abs(np.mean(products)) < 6  # 60 were trials one and the same

    def test_refusals(self):
        x = np.random.default_rng(0).normal(size=(8, 6, 3))
        with pytest.raises(
            cs.InputError, match=r"needs >= 3 trials of every condition.*4 of 4 have fewer"
        ) as e:
            straightened(x, np.repeat(list("abcd"), 2))
        assert e.value.code == "no-repeats"
        with pytest.raises(cs.InputError, match="at least 2 conditions") as e:
            straightened(x, ["a"] * 8)
        assert e.value.code == "too-few"


class TestStepLengths:
    def test_are_those_of_the_path_behind_noise(self):
        rng = np.random.default_rng(0)
        found = [
            step_lengths(np.diff(line(UNEVEN) + 0.2 * rng.normal(size=(12, 17, 20)), axis=1))
            for _ in range(30)
        ]
        np.testing.assert_allclose(np.mean(found, axis=0), UNEVEN, atol=0.12)

    def test_of_two_repeats_and_of_noise_they_are_even(self):
        rng = np.random.default_rng(0)
        steps = np.diff(line(UNEVEN) + 0.01 * rng.normal(size=(2, 17, 20)), axis=1)
        assert np.ptp(step_lengths(steps)) == 0
        assert (step_lengths(rng.normal(size=(6, 10, 5))) >= 0).all()


@pytest.mark.parametrize("degrees", [0, 12, 40])
def test_curvature_of_a_path_at_an_uneven_speed(degrees):
    """A line run through at speeds 1, 2, 1, 2 had 37 degrees while steps weighed as at a steady speed."""
    rng = np.random.default_rng(1)
    values = []
    for _ in range(20):
        path = arc(degrees, UNEVEN, rng=rng)
        values.append(curvature(path + 0.1 * rng.normal(size=(10, *path.shape)), np.zeros(10)).value)
    assert np.mean(values) == pytest.approx(degrees, abs=3 if degrees else 6)  # never below 0
