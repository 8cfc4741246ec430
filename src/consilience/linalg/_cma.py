"""Evolution of a normal distribution towards high values of an unknown, noisy function (CMA-ES)."""

from __future__ import annotations

import math

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number

__all__ = ["CMA"]

_FULL = 200  # dimensions up to which the whole covariance is learned


class CMA:
    """Covariance matrix adaptation: points are drawn from N(mean, step^2 C); mean, step and C follow the better half.

    mean <- sum_i w_i x_(i) over the best half of a generation (largest values first), w_i ~ log((n + 1) / 2) - log i;
    the step grows while successive moves agree; C learns from the path of the mean and from the better points. Only the
    order of values counts, so values may be noisy and on any scale. Above 200 dimensions C is diagonal (separable),
    which learns (d + 2) / 3 times faster.

    Parameters
    ----------
    start : (d,) first mean.   step : first standard deviation, in the units of ``start``.
    n_points : per generation. Default: 4 + 3 log d.   diagonal : default: above 200 dimensions.

    References
    ----------
    Hansen & Ostermeier (2001); Ros & Hansen (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> search = cs.linalg.CMA(np.zeros(5), step=0.5)
    >>> for _ in range(80):
    ...     points = search.ask(rng)
    ...     search.tell(points, -((points - np.arange(5)) ** 2).sum(axis=1))
    >>> search.mean.round(3) + 0.0
    array([0., 1., 2., 3., 4.])
    """

    def __init__(
        self, start: np.ndarray, *, step: float, n_points: int | None = None, diagonal: bool | None = None
    ) -> None:
        who = "cs.linalg.CMA"
        mean = np.array(start, dtype=np.float64)
        if mean.ndim != 1 or not mean.size or not np.isfinite(mean).all():
            raise InputError(
                f"{who}: start must be (d,) finite numbers, got shape {mean.shape}.", code="bad-shape"
            )
        d = mean.size
        self.mean = mean
        self.step = check_number(step, name="step", who=who, low=0)
        self.n_points = (
            4 + int(3 * math.log(d))
            if n_points is None
            else check_count(n_points, name="n_points", who=who, minimum=4)
        )
        self.diagonal = d > _FULL if diagonal is None else bool(diagonal)
        half = self.n_points // 2
        weights = math.log((self.n_points + 1) / 2) - np.log(np.arange(1, half + 1))
        self._weights = weights / weights.sum()
        mass = 1.0 / np.sum(self._weights**2)
        self._mass = mass
        self._c_step = (mass + 2) / (d + mass + 5)
        self._damp = 1 + 2 * max(0.0, math.sqrt((mass - 1) / (d + 1)) - 1) + self._c_step
        self._c_path = (4 + mass / d) / (d + 4 + 2 * mass / d)
        faster = (d + 2) / 3 if self.diagonal else 1.0
        self._c_one = min(1.0, faster * 2 / ((d + 1.3) ** 2 + mass))
        self._c_rank = min(1 - self._c_one, faster * 2 * (mass - 2 + 1 / mass) / ((d + 2) ** 2 + mass))
        self._length = math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d**2))  # of a standard normal vector
        self._path_step, self._path = np.zeros(d), np.zeros(d)
        self._covariance = np.ones(d) if self.diagonal else np.eye(d)
        self._axes, self._sd = (np.eye(0), np.ones(d)) if self.diagonal else (np.eye(d), np.ones(d))
        self.n_generations = 0

    def ask(self, rng: np.random.Generator) -> np.ndarray:
        """Points (n_points, d) of the next generation."""
        z = rng.normal(size=(self.n_points, self.mean.size)) * self._sd
        return self.mean + self.step * (z if self.diagonal else z @ self._axes.T)

    def tell(self, points: np.ndarray, values: np.ndarray) -> None:
        """Learns from points (n_points, d) and their values (n_points,), the larger the better.

        Raises
        ------
        InputError : other shapes; values that are not finite.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (self.n_points,) or np.shape(points) != (self.n_points, self.mean.size):
            raise InputError(
                f"cs.linalg.CMA: {self.n_points} points of {self.mean.size} numbers and a value for each are needed, "
                f"got points {np.shape(points)} and values {values.shape}.",
                code="bad-shape",
            )
        if not np.isfinite(values).all():
            raise InputError(
                "cs.linalg.CMA: values must be finite; leave the generation out.", code="nan-values"
            )
        d = self.mean.size
        best = points[np.argsort(-values, kind="stable")[: len(self._weights)]]
        moves = (best - self.mean) / self.step
        move = self._weights @ moves
        self.mean = self.mean + self.step * move
        white = move / self._sd if self.diagonal else self._axes @ ((self._axes.T @ move) / self._sd)
        c = self._c_step
        self._path_step = (1 - c) * self._path_step + math.sqrt(c * (2 - c) * self._mass) * white
        self.n_generations += 1
        length = float(np.linalg.norm(self._path_step))
        usual = (
            length / math.sqrt(1 - (1 - c) ** (2 * self.n_generations)) < (1.4 + 2 / (d + 1)) * self._length
        )
        c = self._c_path
        self._path = (1 - c) * self._path + usual * math.sqrt(c * (2 - c) * self._mass) * move
        left = 1 - self._c_one - self._c_rank + (not usual) * self._c_one * c * (2 - c)
        if self.diagonal:
            self._covariance = (
                left * self._covariance
                + self._c_one * self._path**2
                + self._c_rank * (self._weights @ moves**2)
            )
            self._sd = np.sqrt(self._covariance)
        else:
            self._covariance = (
                left * self._covariance
                + self._c_one * np.outer(self._path, self._path)
                + self._c_rank * (moves.T * self._weights) @ moves
            )
            values_, self._axes = np.linalg.eigh((self._covariance + self._covariance.T) / 2)
            self._sd = np.sqrt(np.maximum(values_, 1e-20))
        self.step *= math.exp(min(1.0, (self._c_step / self._damp) * (length / self._length - 1)))
