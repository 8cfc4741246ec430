"""How much of the variance lies along a few axes."""

from __future__ import annotations

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience.populations._linear_dynamics import leading_axes, prepared
from consilience.stats._tensor_door import as_tensor

__all__ = ["variance_in_k"]

WHO = "cs.populations.variance_in_k"


def variance_in_k(x: Array, k: int, /, *, subtract_mean: bool = False) -> float:
    """Share of the variance of a population along its first k principal axes, of the data that the axes are from.

    sum of the k largest eigenvalues of the covariance of units over conditions and time, over the sum of all. In
    sample: noise raises it where there are few samples for the units, so it needs a null (`cs.structure`), and is no
    estimate of dimensionality (`cs.dimensionality`).

    Parameters
    ----------
    x : (conditions, time, units), finite.   k : axes.
    subtract_mean : less the mean over conditions at each time; else less the mean of all.

    Raises
    ------
    InputError : not three axes, NaN, no variance (``no-structure``).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(10, 20, 2)) @ np.eye(2, 30)
    >>> round(cs.populations.variance_in_k(x, 2), 6)
    1.0
    """
    values = as_tensor(x, who=WHO, least=(2 if subtract_mean else 1, 1, 1))
    k = check_count(k, name="k", who=WHO, minimum=1, maximum=values.shape[2])
    variance = leading_axes(prepared(values, subtract_mean=subtract_mean, soft=None), 1)[1]
    if variance.sum() <= 0:
        raise InputError(f"{WHO}: nothing varies, so there is no share of it.", code="no-structure")
    return float(variance[:k].sum() / variance.sum())
