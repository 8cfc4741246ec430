"""Rotation, tangling and curvature of trajectories: closed forms, invariances, noise."""

import numpy as np
import pytest

import consilience as cs
from consilience.populations import curvature, rotation_ratio, tangling, variance_in_k


def circle(times=60, turns=1.0):
    t = 2 * np.pi * turns * np.arange(times) / times
    return np.stack([np.cos(t), np.sin(t)], axis=1)[None]


class TestRotationRatio:
    def test_a_circle_in_closed_form(self):
        rng = np.random.default_rng(0)
        angle = rng.uniform(0, 2 * np.pi, (30, 1)) + 0.4 * np.arange(25)
        x = np.stack([np.cos(angle), np.sin(angle)], axis=2)
        found = rotation_ratio(x, n_components=2, bin_width=0.01)
        assert found.r2 == pytest.approx(1)
        assert found.ratio == pytest.approx(np.cos(0.2) ** 2)
        assert found.rates[0] == pytest.approx(np.sin(0.4) / 0.01)

    def test_decay_is_linear_and_no_rotation(self):
        x = np.random.default_rng(0).normal(size=(20, 1, 4)) * 0.9 ** np.arange(30)[:, None]
        found = rotation_ratio(x, n_components=4)
        assert found.r2 == pytest.approx(1)
        assert found.ratio == pytest.approx(0, abs=1e-9)

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"n_components": 3}, "n_components must be even"),
            ({"n_components": 10}, "n_components must be a whole number, between 2 and 4; got 10"),
            ({"folds": 30}, "folds must be a whole number, between 0 and 5; got 30"),
        ],
    )
    def test_refusals(self, options, text):
        x = np.random.default_rng(0).normal(size=(5, 8, 4))
        with pytest.raises(cs.InputError, match=text):
            rotation_ratio(x, **{"n_components": 4, **options})

    def test_a_rank_too_low(self):
        x = np.random.default_rng(0).normal(size=(5, 8, 2)) @ np.ones((2, 6))
        with pytest.raises(cs.InputError, match="vary along 1 axes only") as found:
            rotation_ratio(x, n_components=2)
        assert found.value.code == "rank-deficient"


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_squares_that_no_float_holds(scale):
    x = np.random.default_rng(0).normal(size=(5, 12, 4)).cumsum(axis=1)
    assert rotation_ratio(scale * x, n_components=4).ratio == pytest.approx(
        rotation_ratio(x, n_components=4).ratio
    )
    assert tangling(scale * x).value == pytest.approx(tangling(x).value)
    assert curvature(scale * x).value == pytest.approx(curvature(x).value)
    assert variance_in_k(scale * x, 2) == pytest.approx(variance_in_k(x, 2))


def test_arrays_of_other_kinds_and_inputs_unchanged():
    x = np.random.default_rng(0).integers(0, 50, size=(5, 12, 4))
    wanted = [
        f(x.astype(float))
        for f in (lambda z: rotation_ratio(z, n_components=4).ratio, lambda z: tangling(z).value)
    ]
    for kind in (np.uint8, ">f8", np.float32):
        given = x.astype(kind)
        given.flags.writeable = False
        assert rotation_ratio(given, n_components=4).ratio == pytest.approx(wanted[0])
        assert tangling(given).value == pytest.approx(wanted[1])
    assert curvature(x > 25).value > 0
    torch = pytest.importorskip("torch")
    assert tangling(torch.tensor(x, dtype=torch.float64, requires_grad=True)).value == pytest.approx(
        wanted[1]
    )


class TestVarianceInK:
    def test_is_that_of_the_eigenvalues(self):
        x = np.random.default_rng(0).normal(size=(5, 12, 8)) * np.arange(1, 9)
        for mean in (False, True):
            rest = x - x.mean(axis=0 if mean else (0, 1))
            values = np.linalg.eigvalsh(np.cov(rest.reshape(-1, 8).T, bias=True) + 0)[::-1]
            assert variance_in_k(x, 3, subtract_mean=mean) == pytest.approx(values[:3].sum() / values.sum())

    def test_wide_data_and_all_axes(self):
        x = np.random.default_rng(0).normal(size=(2, 4, 30))
        assert variance_in_k(x, 7) == pytest.approx(1)
        assert variance_in_k(x, 30) == pytest.approx(1)
        with pytest.raises(cs.InputError, match="k must be a whole number, between 1 and 30; got 31"):
            variance_in_k(x, 31)

    def test_nothing_varies(self):
        with pytest.raises(cs.InputError, match="nothing varies"):
            variance_in_k(np.ones((2, 4, 3)), 1)


class TestTangling:
    def test_a_circle_in_closed_form(self):
        """The other side is farthest: 4 w^2 / (4 + 0.1), w the chord of a step."""
        found = tangling(circle(), n_components=2, bin_width=0.01)
        chord = 2 * np.sin(np.pi / 60) / 0.01
        assert found.value == pytest.approx(chord**2 * 4 / 4.1, rel=1e-3)
        assert found.epsilon == pytest.approx(0.1)

    def test_a_crossing(self):
        """(sin t, sin 2t) passes the origin twice, in directions (1, 2) and (-1, 2): 2^2 over eps = 0.1."""
        t = np.arange(2000) * 2 * np.pi / 2000
        x = np.stack([np.sin(t), np.sin(2 * t)], axis=1)[None]
        found = tangling(x, n_components=2, bin_width=t[1], quantile=1.0)
        assert found.value == pytest.approx(40, rel=0.02)
        assert found.value > 30 * tangling(circle(2000), n_components=2, bin_width=t[1]).value

    def test_is_that_of_a_plain_loop(self):
        x = np.random.default_rng(0).normal(size=(3, 9, 5)).cumsum(axis=1)
        z = x - x.mean(axis=(0, 1))
        speed, at = np.diff(z, axis=1).reshape(-1, 5) / 0.1, z[:, :-1].reshape(-1, 5)
        eps = 0.1 * (z**2).sum(axis=2).mean()
        q = [
            max(((speed[i] - speed[j]) ** 2).sum() / (((at[i] - at[j]) ** 2).sum() + eps) for j in range(24))
            for i in range(24)
        ]
        found = tangling(x, n_components=5, bin_width=0.1)
        np.testing.assert_allclose(found.q.ravel(), q)
        assert found.value == pytest.approx(np.quantile(q, 0.9))

    def test_scale_and_rotation_leave_it_and_speed_does_not(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(4, 30, 6)).cumsum(axis=1)
        value = tangling(x).value
        assert tangling(3 * x + rng.normal(size=6)).value == pytest.approx(value)
        assert tangling(x @ np.linalg.qr(rng.normal(size=(6, 6)))[0]).value == pytest.approx(value)
        assert tangling(x, bin_width=0.5).value == pytest.approx(4 * value)
        assert tangling(x * rng.uniform(0.1, 3, 6)).value != pytest.approx(value, rel=0.01)

    def test_data_that_never_vary(self):
        assert tangling(np.ones((2, 5, 3))).value == 0

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"softening": 0}, "softening must be a number in"),
            ({"n_components": 0}, "n_components must be a whole number"),
            ({"n_components": "all"}, "n_components must be a whole number"),
        ],
    )
    def test_refusals(self, options, text):
        with pytest.raises(cs.InputError, match=text):
            tangling(circle(), **options)


class TestCurvature:
    @pytest.mark.parametrize("degrees", [10.0, 90.0])
    def test_a_circle_has_its_angle_and_a_line_none(self, degrees):
        t = np.radians(degrees) * np.arange(8)
        assert curvature(np.stack([np.cos(t), np.sin(t)], axis=1)[None]).value == pytest.approx(degrees)
        line = np.arange(8.0)[:, None] * np.array([1.0, -2, 3])
        assert curvature(line[None]).value == pytest.approx(0, abs=1e-5)

    def test_pure_noise_is_at_120_degrees(self):
        x = np.random.default_rng(0).normal(size=(5, 100, 2000))
        assert curvature(x).value == pytest.approx(120, abs=1)

    def test_repeats_take_the_bias_of_noise_away(self):
        """12 degrees a step; of the mean over 20 repeats the naive angle is four times that."""
        rng = np.random.default_rng(0)
        axes = np.linalg.qr(rng.normal(size=(100, 2)))[0]
        t = np.radians(12) * np.arange(15)
        path = 5 * np.stack([np.cos(t), np.sin(t)], axis=1) @ axes.T
        values, naive = [], []
        for _ in range(30):
            x = path + 0.35 * rng.normal(size=(60, 15, 100))
            found = curvature(x, np.repeat(["a", "b", "c"], 20))
            values.append(found.value)
            naive.append(found.naive)
            assert found.corrected
        assert abs(np.mean(values) - 12) < 3 * np.std(values) / np.sqrt(30) + 0.3
        assert np.mean(naive) > 35

    def test_interval_over_conditions_holds_the_truth(self):
        """95 % intervals over 8 conditions, of angles that differ between conditions: in a binomial band of 300."""
        rng = np.random.default_rng(0)
        inside = 0
        for _ in range(300):
            angle = np.radians(rng.normal(40, 6, 8))[:, None] * np.arange(10)
            x = np.stack([np.cos(angle), np.sin(angle)], axis=2)
            found = curvature(x)
            inside += found.ci_low <= 40 <= found.ci_high
        assert 0.91 < inside / 300 < 0.985

    def test_scale_shift_rotation_and_direction_of_time_leave_it(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(3, 10, 6))
        value = curvature(x).value
        for same in (4 * x, x + rng.normal(size=6), x @ np.linalg.qr(rng.normal(size=(6, 6)))[0], x[:, ::-1]):
            assert curvature(same).value == pytest.approx(value)
        assert curvature(x * rng.uniform(0.1, 3, 6)).value != pytest.approx(value, rel=1e-3)
        assert curvature(x[:, ::2]).value != pytest.approx(value, rel=1e-3)

    def test_single_condition_has_no_interval_and_still_steps_no_angle(self):
        found = curvature(circle())
        assert np.isnan([found.ci_low, found.ci_high]).all()
        x = np.concatenate([circle(12)[0][:4], circle(12)[0][3:4], circle(12)[0][3:7]])[None]
        assert curvature(x).value == pytest.approx(30)

    def test_repeats_that_do_not_agree(self):
        x = np.random.default_rng(3).normal(size=(4, 4, 3))
        with pytest.warns(cs.ConsilienceWarning, match="no-agreement"):
            found = curvature(x, ["a", "a", "b", "b"])
        assert np.isnan(found.each).any()

    def test_nothing_moves(self):
        with pytest.raises(cs.InputError, match="never move") as found:
            curvature(np.ones((2, 5, 3)))
        assert found.value.code == "no-structure"
