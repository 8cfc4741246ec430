"""Capacity of balls, points and subspaces in closed form."""

from __future__ import annotations

import numpy as np
from scipy import integrate, special, stats

from consilience._core._params import check_number

__all__ = ["ball_capacity"]


def ball_capacity(radius: float, dimension: float, /, *, margin: float = 0.0) -> float:
    """Manifolds per unit that a linear readout can sort into two, where each is a ball of random centre and axes.

    1 / alpha = E_T F(T), T ~ N(0, I) of dimension + 1 numbers, F the squared distance from T to the allowed cone
    {v0 - R |v| >= margin}. With t0 the part along the centre and r the length of the others (chi, D degrees of
    freedom),

        F = 0                                   where t0 >= margin + R r
        F = (margin + R r - t0)^2 / (1 + R^2)   where margin - r / R <= t0 < margin + R r
        F = (margin - t0)^2 + r^2               below

    R = 0 gives points, alpha = 2; R to infinity gives subspaces, alpha = 1 / (D + 1/2).

    Parameters
    ----------
    radius : of the ball over the length of its centre; 0 or more, inf for subspaces.   dimension : D >= 0, need not be
        whole.   margin : kappa >= 0, in units of the length of the centre.

    Returns
    -------
    float : alpha = classes / units at which half of all dichotomies are linearly separable.

    Raises
    ------
    InputError : a number out of its range.

    References
    ----------
    Gardner (1988); Chung, Lee & Sompolinsky (2016, 2018).

    Examples
    --------
    >>> import consilience as cs
    >>> round(cs.populations.ball_capacity(0.0, 5), 6), round(cs.populations.ball_capacity(float("inf"), 5), 6)
    (2.0, 0.181818)
    >>> round(cs.populations.ball_capacity(1.0, 5), 4)
    0.3333
    """
    who = "cs.populations.ball_capacity"
    subspace = radius == np.inf
    r = 0.0 if subspace else check_number(radius, name="radius", who=who, low=0.0, closed=True)
    d = check_number(dimension, name="dimension", who=who, low=0.0, closed=True)
    k = check_number(margin, name="margin", who=who, low=0.0, closed=True)
    point = _squared_below(k)
    if subspace:
        return 1.0 / (point + d)
    if r == 0 or d == 0:
        return 1.0 / point

    def expected(length: float) -> float:
        high, low = k + r * length, k - length / r
        upper = _squared_below(high) - _between(high, low)
        return upper / (1 + r * r) + _between(k, low) + length**2 * float(special.ndtr(low))

    chi = stats.chi(d)
    ends = chi.ppf(1e-13), chi.isf(1e-13)
    value = integrate.quad(
        lambda t: float(chi.pdf(t)) * expected(t), *ends, limit=200, points=[float(chi.mean())]
    )[0]
    return float(1.0 / value)


def _squared_below(a: float) -> float:
    """E (a - z)^2 over z < a, z standard normal."""
    return _between(a, a)


def _between(a: float, top: float) -> float:
    """E (a - z)^2 over z < top."""
    density = float(np.exp(-top * top / 2) / np.sqrt(2 * np.pi))
    return (a * a + 1) * float(special.ndtr(top)) + (2 * a - top) * density
