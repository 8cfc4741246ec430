"""Two-dimensional Gaussians fitted to maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.units._map_fits import Grid, as_maps, fits_in_words, gabor_model, guess_centres, search

__all__ = ["GaussianFits", "fit_gaussian"]

_WHO = "cs.units.fit_gaussian"
_FREE = np.array([True, False, True, True, True, True, False, True])  # a Gabor of frequency 0


@dataclass(frozen=True)
class GaussianFits:
    """Gaussians of maps, (units,) each, or numbers for one map. Lengths are in the unit of x.

    x, y : centre.   sigma_major, sigma_minor : the longer and the shorter standard deviation.
    orientation : of the longer axis, radians in [0, pi), from the x axis towards the y axis; not told by a round one.
    amplitude : at the centre, of either sign.
    fve : share of the squared map (about 0) explained.   fitted : (units, y, x).
    """

    x: np.ndarray
    y: np.ndarray
    sigma_major: np.ndarray
    sigma_minor: np.ndarray
    orientation: np.ndarray
    amplitude: np.ndarray
    fve: np.ndarray
    fitted: np.ndarray

    def __repr__(self) -> str:
        return fits_in_words(self, ("x", "y", "sigma_major", "sigma_minor"))


def fit_gaussian(maps: Any, /, *, x: Any = None, y: Any = None) -> GaussianFits:
    """Two-dimensional Gaussian nearest to each map, by least squares from several starts.

    g(x, y) = A exp(-u^2 / (2 s_u^2) - v^2 / (2 s_v^2)) with u, v the coordinates along two turned axes. There is no
    constant: a map has 0 where there is no effect.

    Parameters
    ----------
    maps : (units, y, x) or (y, x) real numbers.   x, y : evenly spaced coordinates; by default pixel numbers from 0.

    Returns
    -------
    GaussianFits : NaN for maps that are 0 everywhere.

    Raises
    ------
    InputError : ``not-2d``, ``nan-values``, ``not-numeric``, coordinates that are not even.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> yy, xx = np.mgrid[:16, :16]
    >>> found = cs.units.fit_gaussian(-2 * np.exp(-((xx - 6) ** 2 / 8 + (yy - 9) ** 2 / 18)))
    >>> [round(float(v), 3) for v in (found.x, found.y, found.sigma_major, found.sigma_minor, found.amplitude)]
    [6.0, 9.0, 3.0, 2.0, -2.0]
    """
    values, grid, single = as_maps(maps, x, y, who=_WHO)
    params, share = gaussian_parameters(values, grid)
    return gaussian_fits(params, share, grid, single=single)


def gaussian_parameters(
    maps: np.ndarray, grid: Grid, *, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of `gabor_model` with frequency 0, (units, 8), and shares explained."""
    size = grid.size
    low = np.array([-np.inf, 0.0, -0.25 * size, -0.25 * size, np.log(0.4), np.log(0.4), 0.0, -np.inf])
    high = np.array([np.inf, 0.0, 1.25 * size, 1.25 * size, np.log(2 * size), np.log(2 * size), 0.0, np.inf])
    starts = _starts(maps, grid) if start is None else start
    return search(gabor_model(grid), maps, starts, (0,), _FREE, low, high)


def gaussian_fits(params: np.ndarray, share: np.ndarray, grid: Grid, *, single: bool) -> GaussianFits:
    """Parameters in the unit of the coordinates, each in its range."""
    log_u, log_v, theta = params[:, 4], params[:, 5], params[:, 7]
    turned = np.where(log_v > log_u, theta + np.pi / 2, theta)
    found = {
        "x": grid.origin[0] + grid.step * params[:, 2],
        "y": grid.origin[1] + grid.step * params[:, 3],
        "sigma_major": grid.step * np.exp(np.maximum(log_u, log_v)),
        "sigma_minor": grid.step * np.exp(np.minimum(log_u, log_v)),
        "orientation": np.mod(turned, np.pi),
        "amplitude": params[:, 0],
        "fve": share,
        "fitted": gabor_model(grid)(params)[0].reshape(-1, *grid.shape),
    }
    return GaussianFits(**{name: value[0] if single else value for name, value in found.items()})


def _starts(maps: np.ndarray, grid: Grid) -> np.ndarray:
    """(units, s, 8): two places, three sizes, two directions."""
    peak = np.argmax(np.abs(maps), axis=1)
    out = []
    for place in (guess_centres(maps, grid), np.stack([grid.x[peak], grid.y[peak]], axis=1)):
        for share in (0.06, 0.15, 0.3):
            for theta in (0.2, 0.2 + np.pi / 4, 0.2 + np.pi / 2, 0.2 + 3 * np.pi / 4):
                start = np.zeros((len(maps), 8))
                start[:, 2:4], start[:, 7] = place, theta
                start[:, 4] = np.log(max(share * grid.size, 0.8))
                start[:, 5] = np.log(max(0.7 * share * grid.size, 0.6))
                out.append(start)
    return np.stack(out, axis=1)
