"""jPCA: the closed form, planted rotations, ragged conditions, missing values."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from sklearn.utils.estimator_checks import parametrize_with_checks

import consilience as cs
from consilience.linalg._skew import rotation_planes, skew_least_squares
from consilience.models import JPCA

ONE = "a table is one condition in time, so its rows follow each other"
PLANES = "the check asks for n_components=1, and a rotation has planes"
EXPECTED = {
    "check_dont_overwrite_parameters": PLANES,
    "check_fit2d_1sample": PLANES,
    "check_fit2d_1feature": PLANES,
    "check_fit2d_predict1d": PLANES,
    "check_methods_sample_order_invariance": ONE,
    "check_methods_subset_invariance": "missing='raise', and a subset of bins is another course of time",
}


@parametrize_with_checks([JPCA(2, subtract_mean=False)], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(seed=0, conditions=12, times=50, units=25, speeds=(0.25, 0.1), noise=0.0):
    """Planes turning at ``speeds`` (rad per bin), read out by orthonormal axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(units, 2 * len(speeds))))[0]
    state = []
    for k, speed in enumerate(speeds):
        angle = rng.uniform(0, 2 * np.pi, (conditions, 1)) + speed * np.arange(times)
        state += [np.cos(angle) / (k + 1), np.sin(angle) / (k + 1)]
    x = np.stack(state, axis=2) @ axes.T
    return x + 3 * rng.normal(size=(times, units)) + noise * rng.normal(size=x.shape), axes


def test_closed_form_is_the_least_squares_of_all_skew_matrices():
    rng = np.random.default_rng(0)
    for k in (2, 5, 6):
        x = rng.normal(size=(200, k)) * rng.uniform(0.1, 3, k)
        y = rng.normal(size=(200, k)) + x @ rng.normal(size=(k, k))
        upper, design = np.triu_indices(k, 1), []
        for i, j in zip(*upper):  # one column for each free entry
            one = np.zeros((k, k))
            one[i, j], one[j, i] = 1, -1
            design.append((x @ one).ravel())
        entries = np.linalg.lstsq(np.array(design).T, y.ravel(), rcond=None)[0]
        wanted = np.zeros((k, k))
        wanted[upper] = entries
        np.testing.assert_allclose(skew_least_squares(x.T @ x, x.T @ y), wanted - wanted.T, atol=1e-12)


def test_planes_of_a_skew_matrix():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(7, 7))
    a -= a.T
    basis, speed = rotation_planes(a)
    np.testing.assert_allclose(basis.T @ basis, np.eye(7), atol=1e-12)
    blocks = np.zeros((7, 7))
    for p, w in enumerate(speed):
        blocks[2 * p, 2 * p + 1], blocks[2 * p + 1, 2 * p] = w, -w
    np.testing.assert_allclose(basis.T @ a @ basis, blocks, atol=1e-12)
    assert (np.diff(speed) < 0).all()
    assert rotation_planes(np.zeros((4, 4)))[1].tolist() == [0, 0]
    np.testing.assert_allclose(np.linalg.norm(rotation_planes(np.zeros((4, 4)))[0], axis=0), 1)


def test_recovers_planted_planes_speeds_and_direction():
    x, axes = planted()
    model = JPCA(4, bin_width=0.02).fit(x)
    np.testing.assert_allclose(model.rates_ * 0.02, np.sin([0.25, 0.1]), rtol=0.01)
    for plane in range(2):
        own = model.components_[2 * plane : 2 * plane + 2] @ axes[:, 2 * plane : 2 * plane + 2]
        assert np.linalg.svd(own)[1].min() > 0.99
    z = model.transform(x)
    for plane, speed in enumerate([0.25, 0.1]):  # from the first axis to the second, at this speed
        state = z[..., 2 * plane] + 1j * z[..., 2 * plane + 1]
        turned = np.angle((state[:, 1:] * state[:, :-1].conj()).sum())
        assert turned == pytest.approx(speed, rel=0.02)
    assert model.explained_variance_ratio_.sum() == pytest.approx(1.0)
    assert model.ratio_ > 0.97
    assert model.score(x) == pytest.approx(model.r2_skew_)
    np.testing.assert_allclose(model.M_, -model.M_.T, atol=1e-12)
    np.testing.assert_allclose(model.inverse_transform(z), x, atol=1e-9)
    first = model.components_[::2]
    assert (np.take_along_axis(first, np.abs(first).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_turning_rates_do_not_shrink_with_noise():
    rates, turning = [], []
    for seed in range(10):
        x, _ = planted(seed, noise=0.4)
        model, plain = (
            JPCA(2, bin_width=0.02).fit(x),
            cs.populations.rotation_ratio(x, n_components=2, bin_width=0.02),
        )
        np.testing.assert_allclose(plain.turning_rates, model.turning_rates_)
        rates.append(model.rates_[0] * 0.02)
        turning.append(model.turning_rates_[0] * 0.02)
    assert np.mean(rates) < 0.2
    assert np.mean(turning) == pytest.approx(0.25, abs=0.01)


def test_agrees_with_the_plain_statistic_and_held_out_conditions():
    x, _ = planted(noise=0.1, conditions=24)
    model = JPCA(6, soft_normalise=2.0).fit(x)
    plain = cs.populations.rotation_ratio(x, n_components=6, soft_normalise=2.0, folds=4)
    assert plain.ratio == pytest.approx(model.ratio_)
    np.testing.assert_allclose(plain.rates, model.rates_)
    fold = np.arange(24) * 4 // 24
    errors = total = 0.0
    for k in range(4):
        other = JPCA(6, soft_normalise=2.0).fit(x[fold != k])
        steps = np.diff(other.transform(x[fold == k]), axis=1)
        size = (steps**2).sum()
        errors, total = errors + size * (1 - other.score(x[fold == k])), total + size
    assert plain.held_out_r2_skew == pytest.approx(1 - errors / total)
    white = cs.populations.rotation_ratio(np.random.default_rng(0).normal(size=(8, 10, 40)), folds=4)
    assert white.held_out_r2_skew < 0 < white.r2_skew  # nothing is learnt of noise


def test_what_does_not_matter_and_what_does():
    x, _ = planted(noise=0.1)
    model = JPCA(4).fit(x)
    rng = np.random.default_rng(5)
    turned = np.linalg.qr(rng.normal(size=(25, 25)))[0]
    for same in (x + rng.normal(size=25), x + rng.normal(size=(1, 50, 25)), 7 * x, x @ turned, x[::-1]):
        other = JPCA(4).fit(same)
        np.testing.assert_allclose(other.rates_, model.rates_, rtol=1e-6)
        assert other.ratio_ == pytest.approx(model.ratio_)
    back = JPCA(4).fit(x[:, ::-1])  # time runs backwards: as fast, in the other direction
    assert back.rates_[0] == pytest.approx(model.rates_[0], rel=0.1)
    assert JPCA(4).fit(x[:, rng.permutation(50)]).r2_skew_ < 0.3 * model.r2_skew_
    assert JPCA(4, subtract_mean=False).fit(x).r2_skew_ < 0.5 * model.r2_skew_  # the mean is noise here
    assert JPCA(4).fit(x * rng.uniform(0.1, 3, 25)).ratio_ != pytest.approx(model.ratio_, rel=1e-4)


def test_conditions_of_unequal_length_as_list_or_padded():
    x, _ = planted(noise=0.02)
    lengths = np.random.default_rng(0).integers(30, 51, 12)
    ragged = [v[:t] for v, t in zip(x, lengths)]
    padded = np.where(np.arange(50)[:, None] < lengths[:, None, None], x, np.nan)
    a, b = JPCA(4).fit(ragged), JPCA(4, missing="mask").fit(padded)
    np.testing.assert_allclose(a.rates_, b.rates_)
    np.testing.assert_allclose(a.rates_, np.sin([0.25, 0.1]), rtol=0.1)
    parts, whole = a.transform(ragged), b.transform(padded)
    assert [p.shape for p in parts] == [(t, 4) for t in lengths]
    for p, w, t in zip(parts, whole, lengths):
        np.testing.assert_allclose(p[: t - 1], w[: t - 1], atol=1e-9)
        assert np.isnan(w[t:]).all()
    with pytest.raises(cs.InputError, match="pass missing='mask'") as found:
        JPCA(4).fit(padded)
    assert found.value.code == "nan-values"


def test_missing_values_are_left_out():
    x, axes = planted(noise=0.02, conditions=20)
    rng = np.random.default_rng(1)
    holes = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    blank = x.copy()
    blank[3, 20:23] = np.nan
    model = JPCA(4, missing="mask").fit(holes)
    np.testing.assert_allclose(model.rates_, np.sin([0.25, 0.1]), rtol=0.1)
    assert np.linalg.svd(model.components_ @ axes)[1].min() > 0.98
    assert np.isfinite(model.transform(holes)).all()  # 25 units tell of 4 latents with some of them unseen
    some = JPCA(4, missing="omit").fit(blank)
    z = some.transform(blank)
    assert np.isnan(z[3, 20:23]).all()
    assert np.isfinite(z[:3]).all()
    np.testing.assert_allclose(some.rates_, JPCA(4).fit(x).rates_, rtol=0.02)
    # steps over the gap are no steps: values next to it change nothing of the others
    moved = blank.copy()
    moved[3, 19] = np.nan
    assert JPCA(4, missing="omit").fit(moved).r2_skew_ == pytest.approx(some.r2_skew_, rel=0.02)


def test_smooth_noise_looks_rotational():
    """Why a ratio is no claim: no dynamics here."""
    x = gaussian_filter1d(np.random.default_rng(0).normal(size=(8, 60, 50)), 8, axis=1)
    assert JPCA(6).fit(x).ratio_ > 0.4
    white = JPCA(6).fit(np.random.default_rng(0).normal(size=(8, 60, 50)))
    assert white.ratio_ < 0.1
    assert white.r2_ == pytest.approx(0.5, abs=0.05)


def test_more_units_than_bins_and_constant_units():
    x, _ = planted(conditions=3, times=6, units=60)
    wide = JPCA(4).fit(x)
    narrow = JPCA(4).fit(x @ np.linalg.svd(x.reshape(-1, 60), full_matrices=False)[2].T)
    np.testing.assert_allclose(wide.rates_, narrow.rates_)
    x[:, :, 0] = 2
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        model = JPCA(4).fit(x)
    assert (model.components_[:, 0] == 0).all()


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"n_components": 3}, "n_components must be even.*got 3. Use 2 or 4"),
        ({"n_components": 0}, "n_components must be a whole number, at least 2; got 0"),
        ({"n_components": 6}, "vary along 4 axes only, fewer than n_components=6"),
        ({"bin_width": 0}, r"bin_width must be a number in \(0, inf\); got 0"),
        ({"soft_normalise": -1}, "soft_normalise must be a number in"),
    ],
)
def test_refusals(parameters, text):
    with pytest.raises(cs.InputError, match=text):
        JPCA(**parameters).fit(planted()[0])


def test_one_condition_and_longer_ones_later():
    x = planted()[0]
    with pytest.raises(cs.InputError, match="of a single one leaves nothing"):
        JPCA(4).fit(x[:1])
    model = JPCA(4).fit(x[:, :40])
    with pytest.raises(cs.InputError, match=r"a condition has 50 bins.*for 40; cut it"):
        model.transform(x)
    with pytest.raises(cs.InputError, match="25"):
        model.transform(x[..., :20])
    assert model.transform(x[:, :10]).shape == (12, 10, 4)
