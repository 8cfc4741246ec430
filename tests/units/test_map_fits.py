"""Gabor functions, differences of Gaussians and Gaussians fitted to maps."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import least_squares

import consilience as cs
from consilience.units._fit_difference_of_gaussians import dog_model
from consilience.units._map_fits import as_maps, gabor_model

YY, XX = np.mgrid[:20, :20].astype(float)


def gabor(x=9.0, y=11.0, across=2.0, along=3.0, turn=0.4, f=0.15, phase=0.7, a=2.0):
    u = (XX - x) * np.cos(turn) + (YY - y) * np.sin(turn)
    v = (YY - y) * np.cos(turn) - (XX - x) * np.sin(turn)
    return a * np.exp(-(u**2) / 2 / across**2 - v**2 / 2 / along**2) * np.cos(2 * np.pi * f * u + phase)


def many(n, rng):
    across = rng.uniform(1.2, 3, n)
    return {
        "x": rng.uniform(6, 13, n),
        "y": rng.uniform(6, 13, n),
        "across": across,
        "along": rng.uniform(1.2, 4, n),
        "turn": rng.uniform(-np.pi / 2, np.pi / 2, n),
        "f": np.minimum(rng.uniform(0.2, 0.6, n) / across, 0.35),
        "phase": rng.uniform(-np.pi, np.pi, n),
    }


def half_turns(a, b):
    return np.abs((a - b + np.pi / 2) % np.pi - np.pi / 2)


def test_planted_gabors_are_found():
    truth = many(60, np.random.default_rng(0))
    maps = np.stack([gabor(**{k: v[i] for k, v in truth.items()}) for i in range(60)])
    found = cs.units.fit_gabor(maps)
    assert found.fve.min() > 0.9999
    np.testing.assert_allclose(found.x, truth["x"], atol=1e-3)
    np.testing.assert_allclose(found.sigma_across, truth["across"], atol=1e-2)
    np.testing.assert_allclose(found.sigma_along, truth["along"], atol=1e-2)
    np.testing.assert_allclose(found.frequency, truth["f"], atol=1e-3)
    assert half_turns(found.orientation, truth["turn"] + np.pi / 2).max() < 1e-2
    assert np.abs(np.angle(np.exp(1j * (found.phase - truth["phase"])))).max() < 2e-2
    np.testing.assert_allclose(found.amplitude, 2, atol=2e-2)


def test_gabors_in_noise_explain_no_less_than_the_truth():
    rng = np.random.default_rng(1)
    truth = many(40, rng)
    clean = np.stack([gabor(**{k: v[i] for k, v in truth.items()}) for i in range(40)])
    noisy = clean + 0.2 * rng.normal(size=clean.shape)
    found = cs.units.fit_gabor(noisy)
    of_truth = 1 - ((noisy - clean) ** 2).sum((1, 2)) / (noisy**2).sum((1, 2))
    assert (found.fve >= of_truth).mean() >= 0.97
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(found.fitted, clean)]
    assert np.median(alike) > 0.98
    assert np.median(half_turns(found.orientation, truth["turn"] + np.pi / 2)) < 0.05


def test_one_by_one_with_scipy():
    rng = np.random.default_rng(2)
    noisy = gabor() + 0.3 * rng.normal(size=(20, 20))

    def left(p):
        a, phase, rest = p[0], p[1], p[2:]
        return (gabor(rest[0], rest[1], *np.exp(rest[2:4]), rest[4], rest[5], phase, a) - noisy).ravel()

    best = least_squares(left, [2, 0.7, 9, 11, np.log(2), np.log(3), 0.4, 0.15])
    found = cs.units.fit_gabor(noisy)
    assert abs(found.fve - (1 - 2 * best.cost / (noisy**2).sum())) < 1e-6
    assert abs(found.frequency - best.x[7]) < 1e-3


@pytest.mark.parametrize("make", [gabor_model, dog_model])
def test_derivatives(make):
    _, grid, _ = as_maps(YY, None, np.arange(20) * 0.5, who="test")
    model = make(grid)
    p = np.array([[1.0, -0.6, 8.0, 5.0, 0.7, 0.9, 0.12, 0.3]])[:, : 8 if make is gabor_model else 6]
    value, slope = model(p)
    for k in range(p.shape[1]):
        step = np.zeros_like(p)
        step[0, k] = 1e-6
        numeric = (model(p + step)[0] - model(p - step)[0]) / 2e-6
        np.testing.assert_allclose(slope[..., k], numeric, atol=1e-6)
    assert value.shape == (1, 400)


def test_coordinates_scale_and_shift():
    image, image2 = gabor(), gabor(f=0.1)
    plain = cs.units.fit_gabor(np.stack([image, image2]))
    degrees = cs.units.fit_gabor(
        np.stack([image, image2]), x=np.arange(20) * 0.5 - 5, y=np.arange(20) * 0.5 + 1
    )
    np.testing.assert_allclose(degrees.x, plain.x * 0.5 - 5, atol=1e-6)
    np.testing.assert_allclose(degrees.y, plain.y * 0.5 + 1, atol=1e-6)
    np.testing.assert_allclose(degrees.sigma_along, plain.sigma_along * 0.5, rtol=1e-5)
    np.testing.assert_allclose(degrees.frequency, plain.frequency * 2, rtol=1e-5)
    tall = cs.units.fit_gaussian(
        np.exp(-((XX - 9) ** 2) / 18 - (2 * (YY - 9)) ** 2 / 18), y=np.arange(20) * 2.0
    )
    assert abs(tall.sigma_major - 3) < 1e-3
    assert abs(tall.sigma_minor - 3) < 1e-3


def test_invariances_and_what_changes():
    one = cs.units.fit_gabor(gabor())
    scaled = cs.units.fit_gabor(-3 * gabor())
    assert abs(scaled.amplitude - 3 * one.amplitude) < 1e-5
    assert abs(np.angle(np.exp(1j * (scaled.phase - one.phase - np.pi)))) < 1e-5
    for name in ("x", "y", "sigma_across", "sigma_along", "orientation", "frequency", "fve"):
        assert abs(getattr(scaled, name) - getattr(one, name)) < 1e-5
    moved = cs.units.fit_gabor(np.roll(gabor(), 2, axis=1))
    assert abs(moved.x - one.x - 2) < 0.05
    assert cs.units.fit_gabor(gabor() + 0.5).fve < 0.95  # a constant is no part of it


def test_difference_of_gaussians():
    r2 = (XX - 8.3) ** 2 + (YY - 10.6) ** 2
    maps = np.stack([s * (np.exp(-r2 / 2 / 1.7**2) - 0.15 * np.exp(-r2 / 2 / 3.8**2)) for s in (1, -4)])
    found = cs.units.fit_difference_of_gaussians(maps)
    np.testing.assert_allclose(found.x, 8.3, atol=1e-4)
    np.testing.assert_allclose(found.sigma_center, 1.7, atol=1e-3)
    np.testing.assert_allclose(found.sigma_surround, 3.8, atol=1e-3)
    np.testing.assert_allclose(found.amplitude_center, [1, -4], atol=1e-3)
    np.testing.assert_allclose(found.balance, 0.15 * (3.8 / 1.7) ** 2, atol=1e-3)
    assert found.fve.min() > 0.99999
    noisy = cs.units.fit_difference_of_gaussians(
        maps[0] + 0.1 * np.random.default_rng(0).normal(size=(20, 20))
    )
    assert abs(noisy.sigma_center - 1.7) < 0.4


def test_gaussian():
    turn = 0.6
    u = (XX - 7) * np.cos(turn) + (YY - 12) * np.sin(turn)
    v = (YY - 12) * np.cos(turn) - (XX - 7) * np.sin(turn)
    found = cs.units.fit_gaussian(-2 * np.exp(-(u**2) / 2 / 4**2 - v**2 / 2 / 1.5**2))
    got = [
        found.x,
        found.y,
        found.sigma_major,
        found.sigma_minor,
        found.orientation,
        found.amplitude,
        found.fve,
    ]
    np.testing.assert_allclose(got, [7, 12, 4, 1.5, 0.6, -2, 1], atol=1e-4)


def test_degenerate_maps_and_kinds():
    some = cs.units.fit_gabor(np.stack([gabor(), np.zeros((20, 20))]))
    assert np.isfinite(some.fve[0])
    assert all(np.isnan(getattr(some, f.name)[1]).all() for f in dataclasses.fields(some))
    image = (100 * gabor()).round().astype(np.int16)
    image.flags.writeable = False
    assert cs.units.fit_gabor(image).fve > 0.99
    assert cs.units.fit_gabor(image.astype(">f4")).fve > 0.99
    assert np.isfinite(cs.units.fit_gabor(1e-150 * gabor()).frequency)


def test_messages():
    with pytest.raises(
        cs.InputError, match=r"fit_gabor: maps must be \(y, x\) or \(units, y, x\), at least 4 x 4"
    ):
        cs.units.fit_gabor(np.zeros((2, 3, 3)))
    with pytest.raises(cs.InputError, match="maps have 1 NaN or infinite values"):
        cs.units.fit_gaussian(np.where(XX + YY == 0, np.nan, 1.0))
    with pytest.raises(cs.InputError, match="x must be evenly spaced"):
        cs.units.fit_gabor(gabor(), x=np.arange(20.0) ** 2)
    with pytest.raises(cs.InputError, match="y must be 20 coordinates that rise"):
        cs.units.fit_difference_of_gaussians(gabor(), y=[1, 2])


def test_fits_are_told_in_one_line():
    yy, xx = np.mgrid[:12, :12]
    bump = np.exp(-((xx - 5) ** 2 + (yy - 6) ** 2) / 8)
    for fit in (cs.units.fit_gabor, cs.units.fit_difference_of_gaussians, cs.units.fit_gaussian):
        one, two = repr(fit(bump)), repr(fit(np.stack([bump, 0 * bump])))
        assert "one map: x 5, y 6, " in one
        assert "2 maps, 1 with a fit; medians: x 5, y 6, " in two
        assert max(len(one), len(two)) < 260
        assert "\n" not in one + two
        assert "array" not in one + two
