"""Gabor fits to many maps beside one map at a time, and the null of a receptive field beside one average per shift."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target
from consilience.units._fit_gabor import _starts
from consilience.units._map_fits import as_maps, gabor_model

__all__ = ["rows"]

MAPS, SIDE, NOISE = 40, 20, 0.15
FRAMES, PIXELS, UNITS, LAGS, SHIFTS = 20000, 15, 10, 10, 100
ONE_MAP, ONE_SHIFT = "SciPy, one map at a time", "one average per shift"


def _maps() -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    made = []
    for _ in range(MAPS):
        across, turn = rng.uniform(1.3, 3), rng.uniform(0, np.pi)
        x0, y0 = rng.uniform(6, 13, 2)
        u = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
        v = (y - y0) * np.cos(turn) - (x - x0) * np.sin(turn)
        wave = np.cos(2 * np.pi * rng.uniform(0.2, 0.5) / across * u + rng.uniform(-3, 3))
        made.append(np.exp(-(u**2) / 2 / across**2 - v**2 / 2 / rng.uniform(1.3, 3.5) ** 2) * wave)
    return np.stack(made) + NOISE * rng.normal(size=(MAPS, SIDE, SIDE))


def _gabors() -> Row:
    from scipy.optimize import least_squares

    maps = _maps()
    values, grid, _ = as_maps(maps, None, None, who="benchmark")
    model, starts = gabor_model(grid), _starts(values, grid)

    def theirs() -> np.ndarray:
        """From the four starts whose linear parameters fit best, as we do; the same derivatives."""
        share = np.empty(MAPS)
        for k, target in enumerate(values):
            guesses = []
            for start in starts[k]:
                even, odd = model(start[None])[1][0, :, :2].T
                ab, left = np.linalg.lstsq(np.stack([even, odd], axis=1), target, rcond=None)[:2]
                guesses.append((float(left[0]) if left.size else np.inf, np.r_[ab, start[2:]]))
            found = [
                least_squares(
                    lambda p, t=target: model(p[None])[0][0] - t,  # type: ignore[misc]
                    guess,
                    jac=lambda p: model(p[None])[1][0],
                    method="lm",
                    xtol=1e-8,
                    ftol=1e-9,
                )
                for _, guess in sorted(guesses, key=lambda one: one[0])[:4]
            ]
            share[k] = 1 - 2 * min(one.cost for one in found) / (target @ target)
        return share

    def check(answers: dict[str, Any]) -> str:
        worse = float((answers[ONE_MAP] - answers[OURS].fve).max())
        if worse > 1e-3:
            raise AssertionError(f"one map is explained {worse:.3g} less than by SciPy.")
        return f"share of each map explained at most {max(worse, 0):.1g} below SciPy's"

    return Row(
        "gabors",
        f"Gabor functions of {MAPS} maps of {SIDE} x {SIDE} pixels with noise",
        (Side(OURS, lambda: cs.units.fit_gabor(maps)), Side(ONE_MAP, theirs)),
        check,
        (Target("faster", 3.0, ONE_MAP),),
        repeats=3,
        notes=("Both from the four best of the same starts, with the same analytic derivatives.",),
    )


def _null() -> Row:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(FRAMES, PIXELS, PIXELS)).astype(np.float32)
    y = rng.poisson(0.5, size=(FRAMES, UNITS)).astype(np.float64)
    lags = range(LAGS)

    def ours() -> np.ndarray:
        found = cs.units.map_test(x, y, lags=lags, n_perm=SHIFTS, rng=0)
        return np.abs(found.z).max(axis=(1, 2, 3))

    def theirs() -> np.ndarray:
        model = cs.models.SpikeTriggeredAverage(lags=lags, response="values")
        fields = np.stack(
            [model.fit(x, np.roll(y, shift, axis=0)).coef_ for shift in range(1000, 1000 + SHIFTS)]
        )
        own = model.fit(x, y).coef_
        return np.abs(own / fields.std(axis=0)).max(axis=(1, 2, 3))

    def check(answers: dict[str, Any]) -> str:
        ratio = answers[OURS] / answers[ONE_SHIFT]
        if not 0.6 < ratio.min() <= ratio.max() < 1.2:  # theirs is the largest of ratios to noisy deviations
            raise AssertionError(f"largest z differ by factors {ratio.min():.2f} to {ratio.max():.2f}.")
        return (
            f"largest z over that by {SHIFTS} averages: {ratio.min():.2f} to {ratio.max():.2f} (their standard "
            f"deviations are of {SHIFTS} shifts, ours of all {FRAMES})"
        )

    return Row(
        "field-null",
        f"null of a receptive field: {UNITS} units x {FRAMES} frames of {PIXELS} x {PIXELS} x {LAGS} lags, "
        f"{SHIFTS} shifts",
        (Side(OURS, ours), Side(ONE_SHIFT, theirs)),
        check,
        (Target("faster", 5.0, ONE_SHIFT),),
        repeats=3,
    )


def rows(threads: int) -> list[Row]:
    return [_gabors(), _null()]
