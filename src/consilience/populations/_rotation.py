"""How well a rotation describes how a population goes on, next to any linear law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.linalg._skew import rotation_planes, turning_angles
from consilience.populations._linear_dynamics import (
    explained,
    leading_axes,
    linear_fit,
    prepared,
    soft_scale,
)
from consilience.stats._tensor_door import as_tensor

__all__ = ["Rotation", "rotation_ratio"]

WHO = "cs.populations.rotation_ratio"


@dataclass(frozen=True, kw_only=True, eq=False)
class Rotation:
    """A rotation fitted to a population.

    ratio : r2_skew / r2.   r2_skew : share of the squared steps that the best pure rotation explains.   r2 : share that
    the best linear law explains.   rates : (n_components // 2,) angular speed of each plane of the fitted M, fastest
    first, rad/s (or rad per bin).   turning_rates : of the same planes, the angle by which states turn from bin to bin,
    over the bin.   held_out_r2_skew, held_out_r2 : of conditions that nothing was fitted to; NaN without ``folds``.
    """

    ratio: float
    r2_skew: float
    r2: float
    rates: np.ndarray
    turning_rates: np.ndarray
    held_out_r2_skew: float
    held_out_r2: float


def rotation_ratio(
    x: Array,
    /,
    *,
    n_components: int = 6,
    subtract_mean: bool = True,
    soft_normalise: float | None = None,
    bin_width: float = 1.0,
    folds: int = 0,
) -> Rotation:
    """R2 of the best rotation of a population's state over R2 of the best linear law: the plain statistic of jPCA.

    z_t are the first principal components of the responses less their mean over conditions, d_t = z_(t+1) - z_t.
    A skew-symmetric M (which rotates) and an unconstrained M are fitted to d = M z by least squares, each
    R2 = 1 - ||d - M z||^2 / ||d||^2, and the ratio is between 0 and 1. A rotation by w rad per bin has
    M of +- sin w and a ratio of cos^2(w / 2), as steps of a circle point inwards: bins of a tenth of a turn or less.

    ``rates`` are those of M (Churchland et al.), and shrink with noise: by signal / (signal + noise) of the variances
    in the plane. ``turning_rates`` do not where noise is independent from bin to bin (the angle of the sum of
    conj(w_t) w_(t+1), w the two coordinates as a complex number), nor by the sine; of planes without a rotation they
    are erratic.

    **A high ratio is not evidence of a rotation.** Data that are smooth in time, and sequences of units that are active
    one after the other, have ratios of 0.5 to 0.9 without any dynamics (Elsayed & Cunningham 2017; Lebedev et al.
    2019): report `cs.structure`, which gives the null. Noise makes the ratio *smaller*: d_t and z_t share the noise of
    z_t, with opposite signs, which an unconstrained M explains (R2 = 0.5 of pure noise) and a rotation cannot.

    Parameters
    ----------
    x : (conditions, time, units), finite: means of conditions, usually.
    n_components : even, the dimension of z.   subtract_mean : take the mean over conditions out at each time.
    soft_normalise : divide each unit by its range plus this, in its own unit (5 spikes/s in Churchland et al.); None =
        as it is.   bin_width : s from bin to bin, for rates in rad/s; 1 = rad per bin.
    folds : of conditions held out in turn, for the R2 on new conditions (mean, axes and M are those of the others).

    Returns
    -------
    Rotation

    Raises
    ------
    InputError : fewer than 2 conditions with ``subtract_mean``, fewer than 3 bins, n_components odd or more than the
        data have.

    References
    ----------
    Churchland et al. (2012).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, (10, 1)) + 0.2 * np.arange(40)  # 0.2 rad per bin
    >>> x = np.stack([np.cos(angle), np.sin(angle)], axis=2) @ np.linalg.qr(rng.normal(size=(20, 2)))[0].T
    >>> found = cs.populations.rotation_ratio(x, n_components=2, bin_width=0.01)
    >>> round(found.ratio, 2), found.rates.round(1)  # sin(0.2) / 0.01
    (0.99, array([19.9]))
    """
    values = as_tensor(x, who=WHO, least=(2 if subtract_mean else 1, 3, 2))
    k = check_components(n_components, values, who=WHO)
    if soft_normalise is not None:
        soft_normalise = check_number(
            soft_normalise, name="soft_normalise", who=WHO, low=0.0, high=1e300, closed=True
        )
    bin_width = check_number(bin_width, name="bin_width", who=WHO, low=0.0)
    folds = check_count(folds, name="folds", who=WHO, maximum=len(values))
    z = prepared(values, subtract_mean=subtract_mean, soft=soft_normalise)
    axes, variance = leading_axes(z, k)
    if variance[k - 1] <= 1e-12 * max(variance[0], 1e-300):
        rank = int((variance > 1e-12 * max(variance[0], 1e-300)).sum())
        raise InputError(
            f"{WHO}: the data, less their means, vary along {rank} axes only, fewer than n_components={k}; ask for at "
            "most as many.",
            code="rank-deficient",
        )
    states = z @ axes
    before, steps = flows(states)
    fit = linear_fit(before, steps)
    basis, speed = rotation_planes(fit.skew)
    held = _held_out(values, k, subtract_mean, soft_normalise, folds) if folds else (np.nan, np.nan)
    return Rotation(
        ratio=fit.ratio,
        r2_skew=fit.r2_skew,
        r2=fit.r2,
        rates=speed / bin_width,
        turning_rates=turning_angles(before, before + steps, basis) / bin_width,
        held_out_r2_skew=held[0],
        held_out_r2=held[1],
    )


def flows(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States (n, k) and the steps (n, k) that follow them, of (conditions, time, k)."""
    k = states.shape[-1]
    return states[:, :-1].reshape(-1, k), np.diff(states, axis=1).reshape(-1, k)


def check_components(n_components: object, x: np.ndarray, *, who: str, even: bool = True) -> int:
    most = min(x.shape[2], x.shape[0] * x.shape[1])
    k = check_count(
        n_components, name="n_components", who=who, minimum=2 if even else 1, maximum=max(most, 2)
    )
    if even and k % 2:
        raise InputError(
            f"{who}: n_components must be even, as a rotation has planes; got {k}. Use {k - 1} or {k + 1}.",
            code="bad-parameter",
        )
    return k


def _held_out(
    values: np.ndarray, k: int, subtract_mean: bool, soft: float | None, folds: int
) -> tuple[float, float]:
    """R2 of the steps of all conditions, each predicted by what was fitted to the other folds."""
    fold = np.arange(len(values)) * folds // len(values)
    rest, total = np.zeros(2), 0.0
    for number in range(folds):
        train, test = values[fold != number], values[fold == number]
        if soft is not None:
            scale = soft_scale(train, soft)
            train, test = train / scale, test / scale
        mean = train.mean(axis=0 if subtract_mean else (0, 1), keepdims=True)
        axes = leading_axes(train - mean, k)[0]
        fit = linear_fit(*flows((train - mean) @ axes))
        states, steps = flows((test - mean) @ axes)
        size = float((steps**2).sum())
        rest += [size * (1 - explained(states, steps, a)) if size else 0.0 for a in (fit.skew, fit.full)]
        total += size
    skew, full = 1 - rest / total if total else (np.nan, np.nan)
    return float(skew), float(full)
