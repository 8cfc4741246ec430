"""Surrogates: what each keeps, and what each destroys."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize

import consilience as cs
from consilience.stats import (
    circularly_shifted,
    phase_randomised,
    shuffled_conditions,
    shuffled_trials,
    tensor_max_entropy,
)
from consilience.stats._tensor_max_entropy import fit_max_entropy

EVERY = {
    "tensor_max_entropy": tensor_max_entropy,
    "circular": circularly_shifted,
    "phase": phase_randomised,
    "conditions": shuffled_conditions,
    "trials": shuffled_trials,
}


@pytest.fixture(scope="module")
def smooth():
    """Smooth in time, correlated over units and conditions, with means: (6, 20, 8)."""
    rng = np.random.default_rng(0)
    x = gaussian_filter1d(rng.normal(size=(6, 20, 8)), 2, axis=1) @ rng.normal(size=(8, 8))
    x = np.tensordot(rng.normal(size=(6, 6)), x, axes=1)
    return x + rng.normal(size=(6, 1, 1)) + rng.normal(size=(1, 20, 1)) + 3 * rng.normal(size=(1, 1, 8))


def rotating(rng, conditions=8, times=40, units=15, noise=0.0):
    """Units that read a plane rotating at one speed from phases of the conditions."""
    phase = rng.uniform(0, 2 * np.pi, (conditions, 1)) + 0.3 * np.arange(times)
    state = np.stack([np.cos(phase), np.sin(phase)], axis=2)
    return state @ rng.normal(size=(2, units)) + noise * rng.normal(size=(conditions, times, units))


def covariances(x):
    rest = x
    for axes in ((0, 2), (0, 1), (1, 2)):
        rest = rest - rest.mean(axis=axes, keepdims=True)
    flat = [np.moveaxis(rest, k, 0).reshape(x.shape[k], -1) for k in range(3)]
    return x - rest, [f @ f.T for f in flat]


class TestTensorMaxEntropy:
    def test_the_model_has_the_covariances_of_the_data_to_rounding(self, smooth):
        fitted = fit_max_entropy(smooth)
        mean, wanted = covariances(smooth)
        assert fitted.error < 1e-9
        np.testing.assert_allclose(fitted.mean, mean, atol=1e-12)
        for axis in range(3):
            others = tuple(k for k in range(3) if k != axis)
            v = fitted.vectors[axis]
            got = (v * fitted.variances.sum(axis=others)) @ v.T
            np.testing.assert_allclose(got, wanted[axis], atol=1e-8 * np.trace(wanted[axis]))

    def test_samples_have_them_in_expectation(self, smooth):
        mean, wanted = covariances(smooth)
        drawn = np.stack(list(tensor_max_entropy(smooth, n=4000, rng=1)))
        assert np.abs(drawn.mean(axis=0) - mean).max() < 5 * smooth.std() / np.sqrt(4000) * 1.5
        for axis in range(3):
            flat = np.moveaxis(drawn - mean, axis + 1, 0).reshape(smooth.shape[axis], -1)
            got = flat @ flat.T / len(drawn)
            np.testing.assert_allclose(got, wanted[axis], atol=0.03 * np.diag(wanted[axis]).max())

    def test_the_variances_are_those_of_a_plain_minimisation(self):
        """The published way: the dual by its gradient, here with a general minimiser."""
        x = np.random.default_rng(3).normal(size=(3, 4, 5)) * np.linspace(1, 3, 5)
        fitted = fit_max_entropy(x)
        targets = [np.linalg.eigvalsh(s) for s in covariances(x)[1]]
        sizes = np.cumsum([len(t) for t in targets])[:-1]

        def kronecker(log):
            a, b, c = np.split(np.exp(log), sizes)
            return 1.0 / (a[:, None, None] + b[None, :, None] + c[None, None, :])

        def error(log):
            d = kronecker(log)
            sums = np.concatenate([d.sum(axis=(1, 2)), d.sum(axis=(0, 2)), d.sum(axis=(0, 1))])
            return ((np.log(sums) - np.log(np.concatenate(targets))) ** 2).sum()

        start = np.log(3) - np.log(np.concatenate(targets))
        found = minimize(error, start, method="BFGS", options={"gtol": 1e-12, "maxiter": 5000})
        np.testing.assert_allclose(fitted.variances, kronecker(found.x), rtol=1e-4)

    def test_of_equal_variances_it_is_white(self):
        white = fit_max_entropy(np.random.default_rng(0).normal(size=(4, 5, 6)), keep="unit")
        flat = white.variances / white.variances.sum(axis=(0, 1))
        np.testing.assert_allclose(flat, 1 / 20, rtol=1e-8)

    @pytest.mark.parametrize("keep", [("time",), ("time", "unit"), ("condition", "unit")], ids="-".join)
    def test_axes_that_are_not_kept_are_uncorrelated(self, smooth, keep):
        fitted = fit_max_entropy(smooth, keep=keep)
        wanted = covariances(smooth)[1]
        for axis, name in enumerate(("condition", "time", "unit")):
            others = tuple(k for k in range(3) if k != axis)
            v = fitted.vectors[axis]
            got = (v * fitted.variances.sum(axis=others)) @ v.T
            if name in keep:
                np.testing.assert_allclose(got, wanted[axis], atol=1e-8 * np.trace(wanted[axis]))
            else:
                even = np.trace(wanted[0]) / smooth.shape[axis] * np.eye(smooth.shape[axis])
                np.testing.assert_allclose(got, even, atol=1e-8 * np.trace(even))
                assert np.ptp(fitted.mean, axis=axis).max() < 1e-12

    def test_more_units_than_bins_and_a_rank_of_three(self):
        rng = np.random.default_rng(0)
        x = gaussian_filter1d(rng.normal(size=(4, 10, 3)), 2, axis=1) @ rng.normal(size=(3, 60))
        fitted = fit_max_entropy(x)
        assert fitted.error < 1e-9
        assert fitted.vectors[2].shape[1] <= 4  # 3, and a mean
        z = fitted.sample(rng)
        assert z.shape == x.shape
        assert np.isfinite(z).all()

    def test_eigenvalues_over_ten_orders_are_met(self):
        x = gaussian_filter1d(np.random.default_rng(0).normal(size=(8, 60, 50)), 8, axis=1)
        assert fit_max_entropy(x).error < 1e-9

    def test_a_rotation_is_destroyed(self):
        rng = np.random.default_rng(0)
        x = rotating(rng)
        x = x - x.mean(axis=0)

        def lagged_asymmetry(z):
            """How far covariances at a lag of one bin are not symmetric: what a rotation makes."""
            a, b = z[:, :-1].reshape(-1, z.shape[2]), z[:, 1:].reshape(-1, z.shape[2])
            s = a.T @ b
            return np.linalg.norm(s - s.T) / np.linalg.norm(s)

        null = [lagged_asymmetry(z) for z in tensor_max_entropy(x, n=40, rng=0)]
        assert lagged_asymmetry(x) > max(null)

    def test_nothing_around_the_means(self):
        x = np.arange(4.0)[:, None, None] + np.arange(5.0)[:, None] ** 2 + np.arange(3.0)
        with pytest.raises(cs.InputError, match="nothing around it") as found:
            tensor_max_entropy(x)
        assert found.value.code == "no-structure"

    @pytest.mark.parametrize("scale", [1e-170, 1e170])
    def test_squares_that_no_float_holds(self, smooth, scale):
        small, plain = next(tensor_max_entropy(smooth * scale)), next(tensor_max_entropy(smooth))
        np.testing.assert_allclose(small / scale, plain, atol=1e-6)

    def test_a_large_offset(self, smooth):
        moved, plain = next(tensor_max_entropy(smooth + 1e6)), next(tensor_max_entropy(smooth))
        np.testing.assert_allclose(moved - 1e6, plain, atol=1e-3)

    def test_names_of_axes(self, smooth):
        with pytest.raises(cs.InputError, match="condition, time, unit, got 'neuron'"):
            tensor_max_entropy(smooth, keep="neuron")


class TestCircular:
    def test_values_of_a_series_are_kept_and_lags_are_not_small(self, smooth):
        z = next(circularly_shifted(smooth, least=3, rng=0))
        np.testing.assert_array_equal(np.sort(z, axis=1), np.sort(smooth, axis=1))
        for c in range(6):
            for u in range(8):
                lag = [k for k in range(20) if np.array_equal(np.roll(smooth[c, :, u], k), z[c, :, u])]
                assert len(lag) == 1
                assert 3 <= lag[0] <= 17

    def test_own_units_keep_relations_of_trials_and_own_trials_of_units(self, smooth):
        units, trials = (
            next(circularly_shifted(smooth, own="unit", rng=0)),
            next(circularly_shifted(smooth, own="trial")),
        )

        # one unit over trials: correlations of its time courses stay
        for u in range(8):
            np.testing.assert_allclose(np.corrcoef(units[:, :, u]), np.corrcoef(smooth[:, :, u]))
        for c in range(6):
            np.testing.assert_allclose(np.corrcoef(trials[c].T), np.corrcoef(smooth[c].T))
            assert np.abs(np.corrcoef(units[c].T) - np.corrcoef(smooth[c].T)).max() > 0.1

    def test_least_by_itself_is_the_autocorrelation_time(self):
        x = np.random.default_rng(0).normal(size=(1, 400, 1))
        x = gaussian_filter1d(x, 10, axis=1)
        lags = [
            int(np.argmax([z[0, k, 0] == x[0, 0, 0] for k in range(400)]))
            for z in circularly_shifted(x, n=200, rng=0)
        ]
        assert min(lags) >= 25
        assert max(lags) <= 375

    def test_least_beyond_half(self, smooth):
        with pytest.raises(cs.InputError, match="least must be a whole number, between 0 and 10; got 11"):
            circularly_shifted(smooth, least=11)


class TestPhase:
    @pytest.mark.parametrize("times", [20, 21])
    def test_powers_are_kept(self, smooth, times):
        x = np.concatenate([smooth, smooth[:, ::-1]], axis=1)[:, :times]
        z = next(phase_randomised(x, rng=0))
        np.testing.assert_allclose(np.abs(np.fft.rfft(z, axis=1)), np.abs(np.fft.rfft(x, axis=1)), atol=1e-9)
        np.testing.assert_allclose(z.mean(axis=1), x.mean(axis=1))
        assert np.abs(z - x).max() > 0.1

    def test_common_phases_keep_covariances_at_every_circular_lag_and_own_do_not(self, smooth):
        common, own = next(phase_randomised(smooth, own="trial")), next(phase_randomised(smooth))
        for lag in (0, 1, 5):
            wanted = [x.T @ np.roll(x, lag, axis=0) for x in smooth]
            np.testing.assert_allclose([z.T @ np.roll(z, lag, axis=0) for z in common], wanted, atol=1e-9)
            assert np.abs(np.array([z.T @ np.roll(z, lag, axis=0) for z in own]) - wanted).max() > 0.1

    def test_common_phases_keep_a_rotation(self):
        """Why they are no null for it."""
        x = rotating(np.random.default_rng(0), times=42)  # 2 whole turns, nearly
        z = next(phase_randomised(x, own="trial", rng=0))

        def turn(v):
            s = np.einsum("ctu,ctv->uv", v, np.roll(v, -1, axis=1))
            return np.linalg.norm(s - s.T) / np.linalg.norm(s)

        np.testing.assert_allclose(turn(z), turn(x), rtol=1e-9)
        assert turn(next(phase_randomised(x, rng=0))) < 0.8 * turn(x)


class TestShuffles:
    def test_conditions_of_a_unit_stay_its_own(self, smooth):
        z = next(shuffled_conditions(smooth, rng=0))
        for u in range(8):
            rows = {smooth[c, :, u].tobytes() for c in range(6)}
            assert {z[c, :, u].tobytes() for c in range(6)} == rows
        np.testing.assert_allclose(z.mean(axis=0), smooth.mean(axis=0))
        assert np.abs(np.corrcoef(z.mean(axis=1).T) - np.corrcoef(smooth.mean(axis=1).T)).max() > 0.1

    def test_trials_keep_means_of_conditions_and_lose_noise_correlations(self):
        rng = np.random.default_rng(0)
        labels = np.repeat(["a", "b", "c"], 100)
        tuning = rng.normal(size=(3, 5, 4))
        x = (
            tuning[np.repeat([0, 1, 2], 100)]
            + rng.normal(size=(300, 1, 1))
            + 0.1 * rng.normal(size=(300, 5, 4))
        )
        z = next(shuffled_trials(x, labels, rng=0))
        for label in "abc":
            np.testing.assert_allclose(z[labels == label].mean(axis=0), x[labels == label].mean(axis=0))
            np.testing.assert_allclose(z[labels == label].var(axis=0), x[labels == label].var(axis=0))
        alike = [np.corrcoef(v[labels == "a"].mean(axis=1).T)[0, 1] for v in (x, z)]
        assert alike[0] > 0.9
        assert abs(alike[1]) < 0.4

    def test_single_trials_of_all_conditions(self):
        with pytest.raises(cs.InputError, match="each of 3 conditions has a single trial") as found:
            shuffled_trials(np.zeros((3, 2, 2)) + np.arange(2), ["a", "b", "c"])
        assert found.value.code == "no-repeats"

    def test_one_condition(self):
        with pytest.raises(cs.InputError, match="needs at least 2 trials or conditions"):
            shuffled_conditions(np.ones((1, 4, 2)))


class TestAll:
    @pytest.mark.parametrize("name", sorted(EVERY))
    def test_seeds_shapes_and_inputs_unchanged(self, smooth, name):
        make, before = EVERY[name], smooth.copy()
        read_only = smooth.astype(">f8")
        read_only.flags.writeable = False
        first, again, other = (
            list(make(x, n=3, rng=seed)) for x, seed in ((smooth, 1), (read_only, 1), (smooth, 2))
        )
        np.testing.assert_array_equal(first, again)
        assert np.abs(np.array(first) - other).max() > 0
        assert np.abs(first[0] - first[1]).max() > 0
        assert first[0].shape == smooth.shape
        assert first[0].dtype == np.float64
        np.testing.assert_array_equal(smooth, before)
        assert list(make(smooth, n=0)) == []

    @pytest.mark.parametrize("name", sorted(EVERY))
    def test_whole_numbers_are_taken_and_nan_is_not(self, name):
        x = np.random.default_rng(0).integers(0, 9, size=(4, 10, 3)).astype(np.uint8)
        np.testing.assert_array_equal(next(EVERY[name](x)), next(EVERY[name](x.astype(float))))
        bad = x.astype(float)
        bad[0, 0, 0] = np.nan
        with pytest.raises(cs.InputError, match="1 NaN or infinite") as found:
            EVERY[name](bad)
        assert found.value.code == "nan-values"
        with pytest.raises(cs.InputError, match=r"must be 3-D .*got shape \(10, 3\); use x\[None\]"):
            EVERY[name](bad[0])

    @pytest.mark.parametrize("name", ["circular", "phase"])
    def test_own(self, smooth, name):
        with pytest.raises(cs.InputError, match="own must be 'trial', 'unit' or both, got 'time'"):
            EVERY[name](smooth, own="time")

    def test_names(self):
        assert {name: cs.stats.surrogates(name) for name in EVERY} == EVERY
        with pytest.raises(cs.InputError, match="Did you mean 'phase'"):
            cs.stats.surrogates("phases")


class TestTrialsOfUnequalLengths:
    LENGTHS = (20, 14, 14, 20, 9, 9)

    @pytest.fixture
    def ragged(self):
        x = gaussian_filter1d(np.random.default_rng(0).normal(size=(6, 20, 4)), 2, axis=1)
        for row, length in zip(x, self.LENGTHS, strict=True):
            row[length:] = np.nan
        return x

    def parts(self, x):
        return [row[:length] for row, length in zip(x, self.LENGTHS, strict=True)]

    @pytest.mark.parametrize("name", ["circular", "phase", "trials"])
    def test_end_where_they_end_and_lists_are_the_same(self, ragged, name):
        more = ([0, 1, 1, 0, 1, 1],) if name == "trials" else ()
        before = ragged.copy()
        z = next(EVERY[name](ragged, *more, rng=0))
        np.testing.assert_array_equal(np.isnan(z), np.isnan(ragged))
        np.testing.assert_array_equal(next(EVERY[name](self.parts(ragged), *more, rng=0)), z)
        np.testing.assert_array_equal(ragged, before)

    def test_a_shift_goes_round_at_the_length_of_the_trial(self, ragged):
        for own in (("trial", "unit"), ("unit",)):
            z = next(circularly_shifted(ragged, least=2, own=own, rng=0))
            lags = np.array(
                [
                    [
                        next(k for k in range(2, len(a) - 1) if np.array_equal(np.roll(a[:, u], k), b[:, u]))
                        for u in range(4)
                    ]
                    for a, b in zip(self.parts(ragged), self.parts(z), strict=True)
                ]
            )
            assert (np.ptp(lags, axis=0) == 0).all() == (own == ("unit",))

    def test_powers_of_each_trial_are_kept(self, ragged):
        z = next(phase_randomised(ragged, rng=0))
        for a, b in zip(self.parts(ragged), self.parts(z), strict=True):
            np.testing.assert_allclose(np.abs(np.fft.rfft(a, axis=0)), np.abs(np.fft.rfft(b, axis=0)))
        with pytest.raises(cs.InputError, match="trials of 9 to 20 bins have different frequencies") as error:
            phase_randomised(ragged, own="unit")
        assert error.value.code == "ragged"

    def test_trials_change_places_with_those_of_their_length(self, ragged):
        z = next(shuffled_trials(ragged, [0, 1, 1, 0, 1, 1], rng=1))
        for pair in ([0, 3], [1, 2], [4, 5]):
            np.testing.assert_array_equal(np.sort(z[pair], axis=0), np.sort(ragged[pair], axis=0))
        with pytest.raises(cs.InputError, match="of 6 trials 1 are as long as no other") as error:
            shuffled_trials(ragged, [0, 0, 1, 0, 2, 2])
        assert error.value.code == "ragged"

    @pytest.mark.parametrize(
        ("function", "why"),
        [
            (tensor_max_entropy, "a complete rectangle; cut them"),
            (shuffled_conditions, "cannot take the place"),
            (cs.stats.shuffled_steps, "steps of a condition"),
        ],
    )
    def test_what_needs_a_rectangle_says_why(self, ragged, function, why):
        for given in (ragged, self.parts(ragged)):
            with pytest.raises(cs.InputError, match=f"end at different times.*{why}") as error:
                function(given)
            assert error.value.code == "ragged"

    def test_other_missing_values_are_refused(self, ragged):
        ragged[0, 3, 1] = np.nan
        with pytest.raises(
            cs.InputError, match="NaN or infinite values, within trials or in some units"
        ) as error:
            circularly_shifted(ragged)
        assert error.value.code == "nan-values"
        with pytest.raises(cs.InputError, match="the same units"):
            circularly_shifted([np.ones((4, 2)), np.ones((5, 3))])
