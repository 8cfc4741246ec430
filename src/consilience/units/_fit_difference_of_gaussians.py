"""Differences of Gaussians (centre and surround) fitted to maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.units._least_squares import Model
from consilience.units._map_fits import Grid, as_maps, fits_in_words, guess_centres, search

__all__ = ["DifferenceOfGaussiansFits", "fit_difference_of_gaussians"]

_WHO = "cs.units.fit_difference_of_gaussians"
_LINEAR = (0, 1)


@dataclass(frozen=True)
class DifferenceOfGaussiansFits:
    """Centre and surround of maps, (units,) each, or numbers for one map. Lengths are in the unit of x.

    x, y : their common middle.   sigma_center, sigma_surround : standard deviations, the first the smaller.
    amplitude_center : height of the centre at the middle, above 0 for an on centre.
    amplitude_surround : that of the surround, which is taken away; of the centre's sign where they oppose each other.
    balance : volume of the surround over that of the centre, A_s sigma_s^2 / (A_c sigma_c^2): 1 = an even field of
        light has no effect, 0 = no surround.
    fve : share of the squared map (about 0) explained.   fitted : (units, y, x).
    """

    x: np.ndarray
    y: np.ndarray
    sigma_center: np.ndarray
    sigma_surround: np.ndarray
    amplitude_center: np.ndarray
    amplitude_surround: np.ndarray
    balance: np.ndarray
    fve: np.ndarray
    fitted: np.ndarray

    def __repr__(self) -> str:
        return fits_in_words(self, ("x", "y", "sigma_center", "sigma_surround", "balance"))


def fit_difference_of_gaussians(maps: Any, /, *, x: Any = None, y: Any = None) -> DifferenceOfGaussiansFits:
    """Difference of two round Gaussians nearest to each map, by least squares from several starts.

    g(r) = A_c exp(-r^2 / (2 sigma_c^2)) - A_s exp(-r^2 / (2 sigma_s^2)), r the distance from the middle,
    sigma_s >= 1.1 sigma_c.

    Which parameters the map can tell: with sigma_s near sigma_c the two amplitudes grow together and only their
    difference is told; without a surround (balance near 0) sigma_s is not. A surround wider than the map is a slope
    across it.

    Parameters
    ----------
    maps : (units, y, x) or (y, x) real numbers.   x, y : evenly spaced coordinates; by default pixel numbers from 0.

    Returns
    -------
    DifferenceOfGaussiansFits : NaN for maps that are 0 everywhere.

    Raises
    ------
    InputError : ``not-2d``, ``nan-values``, ``not-numeric``, coordinates that are not even.

    References
    ----------
    Rodieck (1965).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> yy, xx = np.mgrid[:24, :24]
    >>> r2 = (xx - 11) ** 2 + (yy - 12) ** 2
    >>> found = cs.units.fit_difference_of_gaussians(np.exp(-r2 / 8) - 0.2 * np.exp(-r2 / 32))
    >>> [round(float(v), 3) for v in (found.sigma_center, found.sigma_surround, found.balance)]
    [2.0, 4.0, 0.8]
    """
    values, grid, single = as_maps(maps, x, y, who=_WHO)
    params, share = dog_parameters(values, grid)
    return dog_fits(params, share, grid, single=single)


def dog_model(grid: Grid) -> Model:
    """a exp(-r^2 / 2 s^2) + b exp(-r^2 / 2 (q s)^2) of the parameters a, b, x0, y0, log s, log q."""
    x, y = grid.x[None], grid.y[None]

    def model(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b, x0, y0, log_s, log_q = (p[:, [k]] for k in range(6))
        dx, dy = x - x0, y - y0
        square = dx * dx + dy * dy
        inner, outer = np.exp(-2 * log_s), np.exp(-2 * (log_s + log_q))
        centre, surround = np.exp(-0.5 * square * inner), np.exp(-0.5 * square * outer)
        slope = a * centre * inner + b * surround * outer
        out = np.empty((*square.shape, 6))
        out[..., 0], out[..., 1] = centre, surround
        out[..., 2], out[..., 3] = slope * dx, slope * dy
        out[..., 4], out[..., 5] = slope * square, b * surround * outer * square
        return a * centre + b * surround, out

    return model


def dog_parameters(
    maps: np.ndarray, grid: Grid, *, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of `dog_model` (units, 6) and shares explained."""
    size = grid.size
    low = np.array([-np.inf, -np.inf, -0.25 * size, -0.25 * size, np.log(0.4), np.log(1.1)])
    high = np.array([np.inf, np.inf, 1.25 * size, 1.25 * size, np.log(size), np.log(10)])
    starts = _starts(maps, grid) if start is None else start
    return search(dog_model(grid), maps, starts, _LINEAR, np.ones(6, dtype=bool), low, high)


def dog_fits(params: np.ndarray, share: np.ndarray, grid: Grid, *, single: bool) -> DifferenceOfGaussiansFits:
    """Parameters in the unit of the coordinates."""
    a, b, x0, y0, log_s, log_q = params.T
    with np.errstate(divide="ignore", invalid="ignore"):
        balance = -b * np.exp(2 * log_q) / a
    found = {
        "x": grid.origin[0] + grid.step * x0,
        "y": grid.origin[1] + grid.step * y0,
        "sigma_center": grid.step * np.exp(log_s),
        "sigma_surround": grid.step * np.exp(log_s + log_q),
        "amplitude_center": a,
        "amplitude_surround": -b,
        "balance": balance,
        "fve": share,
        "fitted": dog_model(grid)(params)[0].reshape(-1, *grid.shape),
    }
    return DifferenceOfGaussiansFits(**{name: value[0] if single else value for name, value in found.items()})


def _starts(maps: np.ndarray, grid: Grid) -> np.ndarray:
    """(units, s, 6): two places, four sizes, three ratios."""
    peak = np.argmax(np.abs(maps), axis=1)
    out = []
    for place in (guess_centres(maps, grid), np.stack([grid.x[peak], grid.y[peak]], axis=1)):
        for share in (0.04, 0.08, 0.16, 0.3):
            for ratio in (1.4, 2.0, 3.5):
                start = np.zeros((len(maps), 6))
                start[:, 2:4] = place
                start[:, 4], start[:, 5] = np.log(max(share * grid.size, 0.6)), np.log(ratio)
                out.append(start)
    return np.stack(out, axis=1)
