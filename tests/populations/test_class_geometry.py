"""Geometry of classes and of noise: unbiased parts, predicted against measured error, planted truth, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.populations._class_geometry import _parts

pops = cs.populations


def test_parts_of_few_points_are_unbiased():
    rng = np.random.default_rng(0)
    classes, n, units = 3, 6, 10
    means = rng.normal(size=(classes, units))
    mix = 0.5 * rng.normal(size=(classes, units, units))
    s = mix @ np.swapaxes(mix, 1, 2)
    label = np.repeat(np.arange(classes), n)
    total = np.zeros((10, classes))
    repeats = 3000
    for _ in range(repeats):
        x = np.concatenate([m + rng.normal(size=(n, units)) @ a.T for m, a in zip(means, mix)])
        p = _parts(x, label, classes)
        total = total + np.concatenate([p.within[None], p.apart, p.product, p.along])
    mean = total / repeats
    within, apart, product, along = mean[0], mean[1:4], mean[4:7], mean[7:]
    d = means[:, None] - means
    assert np.allclose(within, np.trace(s, axis1=1, axis2=2), rtol=0.02)
    assert np.allclose(apart, (d**2).sum(axis=2), rtol=0.03)
    assert np.allclose(product, np.einsum("aij,bji->ab", s, s), rtol=0.05)
    assert np.allclose(along, np.einsum("abi,aij,abj->ab", d, s, d), rtol=0.08)


@pytest.mark.parametrize("shots", [1, 5])
def test_predicted_error_is_the_measured_one_and_collapse_is_as_planted(shots):
    rng = np.random.default_rng(shots)
    label, axes = np.repeat(np.arange(16), 25), np.geomspace(3, 0.1, 80)
    x = rng.normal(size=(16, 80))[label] + 2 * rng.normal(size=(400, 80)) * axes
    found = pops.class_geometry(x, label, shots=shots, n_perm=19)
    assert found.error_predicted == pytest.approx(found.error, abs=0.02)
    assert found.error_low < found.error < found.error_high
    assert found.ci_low < 80 / (80 + 4 * (axes**2).sum()) < found.ci_high
    assert found.collapse == pytest.approx(4 * (axes**2).sum() / 80, rel=0.2)
    assert found.dimension == pytest.approx((axes**2).sum() ** 2 / (axes**4).sum(), rel=0.1)
    assert found.p == 1 / 20


def test_classes_that_do_not_differ_have_a_fraction_around_zero():
    fractions, ps = [], []
    for s in range(60):
        x = np.random.default_rng(s).normal(size=(50, 30))
        found = pops.class_geometry(x, np.repeat(np.arange(10), 5), shots=2, n_draws=2, n_perm=19)
        fractions.append(found.fraction)
        ps.append(found.p)
    assert abs(np.mean(fractions)) < 3 * np.std(fractions) / np.sqrt(60)
    assert np.mean(np.array(ps) <= 0.1) <= 0.2


def test_class_geometry_of_moved_turned_and_scaled_points():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(6), 8)
    x = rng.normal(size=(6, 100))[label] + rng.normal(size=(48, 100))
    one = pops.class_geometry(x, label, n_perm=0)
    turn = np.linalg.qr(rng.normal(size=(100, 100)))[0]
    two = pops.class_geometry(3 * x @ turn + 5, label, n_perm=0)
    for name in ("fraction", "signal", "dimension", "overlap", "error", "error_predicted"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-6), name
    assert two.within == pytest.approx(9 * one.within, rel=1e-6)
    squeezed = pops.class_geometry(x * np.r_[np.full(10, 9.0), np.ones(90)], label, n_perm=0)
    assert abs(squeezed.dimension / one.dimension - 1) > 0.2
    assert np.isnan(pops.class_geometry(x[:16], label[:16], n_perm=0).ci_low)


def test_separability_rises_with_the_signal_and_has_chance_without():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(8), 12)
    noise, centres = rng.normal(size=(96, 30)), rng.normal(size=(8, 30))
    found = [pops.class_separability(noise + s * centres[label], label, n_perm=39) for s in (0, 0.4, 1)]
    assert found[0].null_low <= found[0].value <= found[0].null_high
    assert found[0].null_mean == pytest.approx(0.5, abs=0.03)
    assert found[0].value < found[1].value < found[2].value
    assert found[0].margin < found[1].margin < found[2].margin
    assert abs(found[1].margin_null) < 0.1
    assert found[1].p == 1 / 40
    assert found[1].ci_low < found[1].value < found[1].ci_high


def test_separability_holds_repeats_of_a_stimulus_together():
    rng = np.random.default_rng(1)
    stimulus = np.repeat(np.arange(40), 6)
    label = stimulus % 4  # classes that mean nothing: stimuli differ, classes do not
    x = rng.normal(size=(40, 50))[stimulus] + 0.3 * rng.normal(size=(240, 50))
    leaky = pops.class_separability(x, label, n_perm=0)
    whole = pops.class_separability(x, label, stimulus, n_perm=39)
    assert leaky.value > 0.75
    assert whole.null_low <= whole.value <= whole.null_high


def planted(
    eps: float, seed: int, units: int = 30, trials: int = 300
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    f = 0.3 * rng.normal(size=units)
    x1, x2 = (
        s * f + rng.normal(size=(trials, units)) + np.sqrt(eps) * rng.normal(size=(trials, 1)) * f
        for s in (0, 1)
    )
    return f, x1, x2


@pytest.mark.parametrize("eps", [0.0, 0.5])
def test_noise_geometry_of_planted_differential_correlations(eps):
    value, cover = [], []
    for seed in range(20):
        f, x1, x2 = planted(eps, seed)
        found = pops.noise_geometry(x1, x2, n_perm=19 if seed == 0 else 0)
        truth = 30 * (1 + eps * f @ f) / (30 + eps * f @ f)
        value.append((found.alignment / truth, found.differential))
        cover.append(
            (found.ci_low <= truth <= found.ci_high, found.differential_low <= eps <= found.differential_high)
        )
        if seed == 0:
            assert (found.p <= 0.1) == (eps > 0)
            assert (found.differential_p <= 0.05) == (eps > 0)
            assert found.null_mean == pytest.approx(1.0, abs=0.15)
            assert (found.angle < 45) == (eps > 0)
            assert found.axis_information[-1] <= found.information.value * 1.3
    mean = np.mean(value, axis=0)
    assert mean[0] == pytest.approx(1.0, abs=0.05)
    assert mean[1] == pytest.approx(eps, abs=0.08)
    assert np.sum(cover, axis=0).min() >= 16


def test_noise_geometry_scales_and_turns():
    _, x1, x2 = planted(0.3, 3)
    one = pops.noise_geometry(x1, x2, n_perm=0)
    other = pops.noise_geometry(5 * x1 + 1, 5 * x2 + 1, ds=2.0, n_perm=0)
    assert other.alignment == pytest.approx(one.alignment)
    assert other.differential == pytest.approx(4 * one.differential)
    assert other.information.value == pytest.approx(one.information.value / 4)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 30)))[0]
    assert pops.noise_geometry(x1 @ turn, x2 @ turn, n_perm=0).alignment == pytest.approx(one.alignment)
    assert one.size_information[-1] == pytest.approx(one.information.value)


def test_refusals_of_class_and_noise_geometry():
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(20, 5)), np.repeat(np.arange(4), 5)
    with pytest.raises(cs.InputError, match="needs >= 6 points of every class"):
        pops.class_geometry(x, label)
    with pytest.raises(
        cs.InputError, match="6 folds need as many stimuli of every class, the smallest has 5"
    ):
        pops.class_separability(x, label, folds=6)
    with pytest.raises(cs.InputError, match="a stimulus stands in two classes"):
        pops.class_separability(x, label, np.arange(20) % 7)
    with pytest.raises(
        cs.InputError, match="30 units need more than 41 trials in all, got 15 \\+ 15"
    ) as caught:
        pops.noise_geometry(rng.normal(size=(15, 30)), rng.normal(size=(15, 30)))
    assert caught.value.code == "too-few"
    with pytest.raises(cs.InputError, match="NaN"):
        pops.noise_geometry(np.full((40, 3), np.nan), rng.normal(size=(40, 3)))
    with pytest.raises(cs.InputError, match="same units"):
        pops.noise_geometry(rng.normal(size=(40, 3)), rng.normal(size=(40, 4)))


def test_noise_alignment_of_planted_noise_with_more_units_than_trials():
    value, cover, ps = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        condition = np.repeat(np.arange(6), 10)
        means = rng.normal(size=(6, 80))
        f = (means[0] - means[1]) / 4
        x = means[condition] + rng.normal(size=(60, 80)) + rng.normal(size=(60, 1)) * f
        c, s = np.cov(means.T), np.eye(80) + np.outer(f, f)
        truth = 80 * np.trace(c @ s) / np.trace(c) / np.trace(s)
        found = pops.noise_alignment(x, condition, n_null=0)
        value.append(found.value / truth)
        cover.append(found.ci_low <= truth <= found.ci_high)
        apart = means[condition] + rng.normal(size=(60, 80))
        ps.append(pops.noise_alignment(apart, condition, n_null=19).p)
    assert np.mean(value) == pytest.approx(1.0, abs=0.06)
    assert np.mean(cover) >= 0.85
    assert np.mean(np.array(ps) <= 0.1) <= 0.22
    assert pops.noise_alignment(x, condition, n_null=19).p <= 0.1


def test_trials_without_noise_and_values_of_any_size():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(20), 8)
    same = rng.normal(size=(20, 30))[label]
    assert np.isnan(pops.noise_alignment(same, label, n_null=3).value)
    found = pops.class_geometry(same, label, n_perm=0)
    assert found.fraction == pytest.approx(1.0)
    assert found.error == 0
    noisy = same + rng.normal(size=same.shape)
    value = pops.class_geometry(noisy, label, n_perm=0).fraction
    for scale in (1e-200, 1e200):
        assert pops.class_geometry(noisy * scale, label, n_perm=0).fraction == pytest.approx(value)
        assert pops.noise_alignment(noisy * scale, label, n_null=0).value == pytest.approx(
            pops.noise_alignment(noisy, label, n_null=0).value
        )
    still = np.c_[noisy, np.full(len(noisy), 3.0)]
    assert pops.class_geometry(still, label, n_perm=0).fraction == pytest.approx(value)


def test_rows_in_their_span_keep_their_products():
    from consilience.populations._manifolds import in_span

    for units in (9, 10, 11, 170):
        x = np.random.default_rng(units).normal(size=(10, units))
        centred = x - x.mean(axis=0)
        assert in_span(x).shape == (10, min(units, 10))
        assert np.allclose(in_span(x) @ in_span(x).T, centred @ centred.T)


def test_shuffled_noise_is_that_of_each_unit_in_an_order_of_its_own():
    from consilience.populations._noise_alignment import _aligned, _shuffled

    rng = np.random.default_rng(0)
    condition = np.tile(np.arange(3), 8)
    x = rng.normal(size=(3, 50))[condition] + rng.normal(size=(24, 1)) + rng.normal(size=(24, 50))
    fast = _shuffled(x, condition, 3, 400, np.random.default_rng(1))
    slow = np.empty(400)
    for k in range(400):
        mixed = np.empty_like(x)
        for c in range(3):
            mixed[condition == c] = rng.permuted(x[condition == c], axis=0)
        slow[k] = _aligned(mixed - mixed.mean(axis=0), condition, 3, 50)
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() / np.sqrt(200))
    assert fast.std() == pytest.approx(slow.std(), rel=0.2)


def test_no_signal_is_said():
    rng = np.random.default_rng(0)
    x1, x2 = rng.normal(size=(2, 60, 8))
    with pytest.warns(cs.ConsilienceWarning, match="two stimuli do not differ beyond noise"):
        found = pops.noise_geometry(x1, x2, n_perm=0)
    assert np.isnan(found.ci_low)
    with pytest.warns(cs.ConsilienceWarning, match="do not differ beyond noise"):
        pops.noise_alignment(np.r_[x1, x2], np.repeat([0, 1], 60), n_null=0)
