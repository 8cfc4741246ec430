"""Gabor functions fitted to receptive fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.units._map_fits import Grid, as_maps, fits_in_words, gabor_model, guess_centres, search

__all__ = ["GaborFits", "fit_gabor"]

_WHO = "cs.units.fit_gabor"
_LINEAR = (0, 1)


@dataclass(frozen=True)
class GaborFits:
    """Gabor functions of maps, (units,) each, or numbers for one map. Lengths are in the unit of x.

    x, y : centre of the envelope.
    sigma_across, sigma_along : standard deviations of the envelope across the bars and along them.
    orientation : direction of the bars, radians in [0, pi), from the x axis towards the y axis.
    frequency : cycles per unit of length, across the bars.
    phase : radians in (-pi, pi], at the centre: 0 = a bright bar there, +-pi = a dark one, +-pi/2 = an edge. It is
        counted along the direction (orientation - pi/2).
    amplitude : of the envelope, above 0.
    fve : share of the squared map (about 0) that the function explains.   fitted : (units, y, x).
    """

    x: np.ndarray
    y: np.ndarray
    sigma_across: np.ndarray
    sigma_along: np.ndarray
    orientation: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    amplitude: np.ndarray
    fve: np.ndarray
    fitted: np.ndarray

    def __repr__(self) -> str:
        return fits_in_words(self, ("x", "y", "frequency", "sigma_across", "sigma_along"))


def fit_gabor(maps: Any, /, *, x: Any = None, y: Any = None) -> GaborFits:
    """Gabor function nearest to each map, by least squares from several starts.

    g(x, y) = A exp(-u^2 / (2 sigma_across^2) - v^2 / (2 sigma_along^2)) cos(2 pi f u + phase), with
    u = (x - x0) cos t + (y - y0) sin t across the bars, v = (y - y0) cos t - (x - x0) sin t along them, and orientation
    t + pi/2. Starts come from the peaks of the map's power spectrum and the place of most energy; all maps are fitted
    side by side (Levenberg-Marquardt, analytic derivatives).

    Which parameters the map can tell: A and phase only together with t (turning t by pi changes the sign of phase, so t
    lies in [-pi/2, pi/2)); phase and frequency hardly where fewer than half a cycle lies in the envelope (frequency
    times sigma_across below 0.1: the function is then a Gaussian, or the slope of one), and orientation not at all for
    a round blob. The jackknife of ``ReceptiveField.fit("gabor")`` shows which.

    Confusion: ``fve`` is of the map, noise and all; a Gabor fits 8 numbers, so it explains some of pure noise too.
    ``ReceptiveField.fit`` tests against that.

    Parameters
    ----------
    maps : (units, y, x) or (y, x) real numbers, a filter with 0 = no effect.
    x, y : evenly spaced coordinates of the pixels (degrees, ...); by default pixel numbers from 0.

    Returns
    -------
    GaborFits : NaN for maps that are 0 everywhere.

    Raises
    ------
    InputError : ``not-2d``, ``nan-values``, ``not-numeric``, coordinates that are not even.

    References
    ----------
    Jones & Palmer (1987).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> yy, xx = np.mgrid[:20, :20]
    >>> bars = np.exp(-((xx - 9) ** 2 + (yy - 11) ** 2) / 18) * np.cos(2 * np.pi * 0.15 * (xx - 9))
    >>> found = cs.units.fit_gabor(bars)
    >>> [round(float(v), 3) for v in (found.x, found.y, found.frequency, found.orientation, found.fve)]
    [9.0, 11.0, 0.15, 1.571, 1.0]
    """
    values, grid, single = as_maps(maps, x, y, who=_WHO)
    params, share = gabor_parameters(values, grid)
    return gabor_fits(params, share, grid, single=single)


def gabor_parameters(
    maps: np.ndarray, grid: Grid, *, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of `gabor_model` (units, 8) and shares explained; ``start`` (units, s, 8) instead of own guesses."""
    size = grid.size
    low = np.array([-np.inf, -np.inf, -0.25 * size, -0.25 * size, np.log(0.4), np.log(0.4), 0.0, -np.inf])
    high = np.array([np.inf, np.inf, 1.25 * size, 1.25 * size, np.log(size), np.log(size), 0.5, np.inf])
    free = np.ones(8, dtype=bool)
    starts = _starts(maps, grid) if start is None else start
    return search(gabor_model(grid), maps, starts, _LINEAR, free, low, high)


def gabor_fits(params: np.ndarray, share: np.ndarray, grid: Grid, *, single: bool) -> GaborFits:
    """Parameters in the unit of the coordinates, each in its range."""
    a, b, x0, y0, log_u, log_v, f, theta = params.T
    turns = np.floor(theta / np.pi + 0.5)  # theta into [-pi/2, pi/2); u changes its sign with each half turn
    across = theta - np.pi * turns
    b = np.where(turns % 2 == 1, -b, b)
    with np.errstate(invalid="ignore"):
        fitted = gabor_model(grid)(params)[0].reshape(-1, *grid.shape)
    found = {
        "x": grid.origin[0] + grid.step * x0,
        "y": grid.origin[1] + grid.step * y0,
        "sigma_across": grid.step * np.exp(log_u),
        "sigma_along": grid.step * np.exp(log_v),
        "orientation": np.mod(across + np.pi / 2, np.pi),
        "frequency": f / grid.step,
        "phase": np.arctan2(-b, a),
        "amplitude": np.hypot(a, b),
        "fve": share,
        "fitted": fitted,
    }
    return GaborFits(**{name: value[0] if single else value for name, value in found.items()})


def _starts(maps: np.ndarray, grid: Grid) -> np.ndarray:
    """(units, s, 8): the three largest peaks of the spectrum and a blob, two places, three sizes of the envelope."""
    units, (rows, columns) = len(maps), grid.shape
    n = 2 * max(rows, columns)
    fy, fx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]
    squeeze = np.ptp(grid.y) / (rows - 1)  # length of a step of y
    radius = np.hypot(fx, fy)
    power = np.abs(np.fft.rfft2(maps.reshape(units, rows, columns), s=(n, n))) ** 2
    power[:, radius < 0.75 / max(rows, columns)] = 0  # slower than the map can show
    power[:, radius > 0.45] = 0
    waves = []
    for _ in range(3):
        row, column = np.unravel_index(np.argmax(power.reshape(units, -1), axis=1), power.shape[1:])
        across, down = fx[0, column], fy[row, 0] / squeeze
        waves.append(np.stack([np.hypot(across, down), np.arctan2(down, across)], axis=1))
        near_x = np.abs(fx[None] - fx[0, column][:, None, None]) < 2.5 / n
        near_y = np.abs(fy[None] - fy[row, 0][:, None, None]) < 2.5 / n
        power[near_x & near_y] = 0
    centres = guess_centres(maps, grid)
    peak = np.argmax(np.abs(maps), axis=1)
    places = np.stack([centres, np.stack([grid.x[peak], grid.y[peak]], axis=1)], axis=1)  # (units, 2, 2)
    blob = np.tile([0.25 / grid.size, 0.0], (units, 1))
    out = []
    for wave in [*waves, blob, blob + [0, np.pi / 2]]:
        for k in range(2):
            for share in (0.08, 0.16, 0.3):
                start = np.zeros((units, 8))
                start[:, 2:4] = places[:, k]
                start[:, 4:6] = np.log(max(share * grid.size, 0.8))
                start[:, 6], start[:, 7] = np.minimum(wave[:, 0], 0.5), wave[:, 1]
                out.append(start)
    return np.stack(out, axis=1)
