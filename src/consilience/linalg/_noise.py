"""Noise covariance of units from residuals, and the change of units in which that noise is white."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.blas import dtrmm

from consilience._core._arrays import Array, as_array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._labels import plain_labels
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import check_number, check_option, shorten
from consilience.linalg._shrinkage import ledoit_wolf

__all__ = [
    "NOISE_METHODS",
    "NoiseCovariance",
    "Residuals",
    "estimated_covariance",
    "identity_shrinkage",
    "lower_factor",
    "noise_covariance",
    "refuse_silent",
    "stimulus_residuals",
    "towards_diagonal",
    "whitener",
]

_MANY = 2000  # units; below, a covariance always fits
NOISE_METHODS = ("shrinkage", "shrinkage_diagonal", "diagonal", "full")


@dataclass(frozen=True, eq=False)
class NoiseCovariance:
    """A noise covariance of p units, and how it was estimated.

    covariance : (p, p), or (p,) variances for method "diagonal", in squared units of the responses.
    shrinkage : in [0, 1]; 0 = the sample covariance, 1 = its target.   dof : degrees of freedom.   method : see
        `noise_covariance`.
    """

    covariance: np.ndarray
    shrinkage: float
    dof: float
    method: str

    @functools.cached_property
    def precision(self) -> np.ndarray:
        """The inverse, (p, p), or (p,) for method "diagonal"."""
        if self.covariance.ndim == 1:
            return 1.0 / self.covariance
        root = self.whitener
        return root @ root.T

    @functools.cached_property
    def whitener(self) -> np.ndarray:
        """W with W W' = precision, (p, p) upper triangular, or (p,) for method "diagonal": x @ W has white noise."""
        if self.covariance.ndim == 1:
            return 1.0 / np.sqrt(self.covariance)
        lower = lower_factor(self.covariance)
        return solve_triangular(lower, np.eye(lower.shape[0]), lower=True).T

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """``x`` (n, p) in units whose noise has covariance I."""
        return whitened(x, self.whitener)


@dataclass(frozen=True, eq=False)
class Residuals:
    """values : (n, p), what is left of trials after their means.   dof : n minus the number of means fitted."""

    values: np.ndarray
    dof: int


def lower_factor(matrix: np.ndarray) -> np.ndarray:
    try:
        lower = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise _singular("the covariance has no inverse") from None
    diagonal = np.diag(lower)
    if diagonal.min() <= 1e-8 * diagonal.max():
        raise _singular(f"the covariance has no inverse that can be trusted (condition above {1e16:.0g})")
    return lower


def _singular(what: str) -> InputError:
    return InputError(
        f"noise_covariance: {what}: some units (or sums of units) have no noise of their own; use "
        "method='shrinkage', or drop constant and duplicated units.",
        code="singular-noise",
    )


def stimulus_residuals(
    trials: Array, stimulus: Array, /, *, runs: Array | None = None, who: str = "stimulus_residuals"
) -> Residuals:
    """What is left of each trial after the mean of its stimulus: noise, with its degrees of freedom.

    With ``runs``: minus the mean of its stimulus in its run, dof = trials - pairs (stimulus, run), where every such
    pair has at least 2 trials. Else stimulus and run means are fitted together by least squares, x_sr = a_s + b_r +
    residual, dof = trials - stimuli - runs + 1 (for connected designs), so that a drift between runs is no noise.

    Parameters
    ----------
    trials : array (n trials, p units)
    stimulus : (n,) stimulus of each trial.   runs : (n,) run of each trial, or None.

    Returns
    -------
    Residuals

    Raises
    ------
    InputError : no stimulus has a second trial (code ``no-repeats``), labels of another length, NaN.

    References
    ----------
    Walther et al. (2016).

    Examples
    --------
    >>> from consilience.linalg import stimulus_residuals
    >>> made = stimulus_residuals([[1.0], [3.0], [5.0]], ["a", "a", "b"])
    >>> made.values.ravel().tolist(), made.dof
    ([-1.0, 1.0, 0.0], 1)
    """
    x = np.asarray(to_numpy(as_matrix(trials, name="trials", who=who)), dtype=np.float64)
    one = codes(stimulus, len(x), name="stimulus", who=who)
    if runs is not None:
        two = codes(runs, len(x), name="runs", who=who)
        cells = np.unique(one * (two.max() + 1) + two, return_inverse=True)[1]
        if np.bincount(cells).min() >= 2:
            one = cells
        elif two.max() > 0:
            return _additive(x, one, two, who)
    counts = np.bincount(one)
    return _with_dof(x - _means(x, one)[one], len(x) - counts.size, who)


def codes(labels: Array, n: int, *, name: str, who: str) -> np.ndarray:
    """Labels (n,) as numbers 0, 1, ... in sorted order."""
    return labelled(labels, n, name=name, who=who)[1]


def labelled(labels: Array, n: int, *, name: str, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels, sorted, and the number (n,) of each one among them."""
    given = plain_labels(labels, name=name, who=who)
    if given.ndim != 1 or len(given) != n:
        raise InputError(
            f"{who}: {name} must be one label per trial ({n},), got shape {given.shape}.", code="bad-label"
        )
    if given.dtype.kind not in "biufUSM":
        raise InputError(
            f"{who}: {name} must be text or numbers, got {shorten(given[0])} ({given.dtype}).",
            code="bad-label",
        )
    return np.unique(given, return_inverse=True)


def _means(x: np.ndarray, owner: np.ndarray) -> np.ndarray:
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.add.reduceat(x[order], starts, axis=0) / counts[:, None]


def _additive(x: np.ndarray, one: np.ndarray, two: np.ndarray, who: str) -> Residuals:
    """Residuals of stimulus and run means fitted together: run means, after stimuli are taken off both sides."""
    inside = x - _means(x, one)[one]
    dummies = np.eye(two.max() + 1)[two]
    dummies -= _means(dummies, one)[one]
    u, s, _ = np.linalg.svd(dummies, full_matrices=False)
    basis = u[:, s > 1e-8 * max(s[0], 1.0)]
    return _with_dof(inside - basis @ (basis.T @ inside), len(x) - (int(one.max()) + 1) - basis.shape[1], who)


def _with_dof(values: np.ndarray, dof: int, who: str) -> Residuals:
    if dof < 1:
        raise InputError(
            f"{who}: noise needs repeats, and {len(values)} trials leave no degree of freedom after the means of "
            "their stimuli; give trials that are not averaged, or a noise covariance of your own.",
            code="no-repeats",
        )
    return Residuals(values, dof)


def noise_covariance(
    residuals: Array | Residuals,
    /,
    *,
    method: Literal["shrinkage", "shrinkage_diagonal", "diagonal", "full"] = "shrinkage",
    dof: float | None = None,
) -> NoiseCovariance:
    """Covariance of the noise of units, from residuals; with shrinkage it has an inverse however few trials there are.

    With R the residuals and S = R'R / dof:

    ``"full"``                S; refused where it has no inverse (fewer degrees of freedom than units)
    ``"diagonal"``            the variances alone, as a vector
    ``"shrinkage"``           (1 - r) S + r m I, m = tr(S)/p, r as in Ledoit & Wolf (2004)
    ``"shrinkage_diagonal"``  (1 - r) S + r diag(S), r = sum Var(c_ij) / sum c_ij^2 over i != j, c the correlations
                              (Schaefer & Strimmer 2005), for units of different variance

    Both count the degrees of freedom, not the rows, of residuals.

    Parameters
    ----------
    residuals : `Residuals` (see `stimulus_residuals`), or array (n, p), whose column means are taken off
    dof : degrees of freedom; default those of `Residuals`, n - 1 for an array

    Returns
    -------
    NoiseCovariance : ``.covariance``, ``.precision``, ``.shrinkage``, ``.whiten(x)``. The mean of an inverse is not
        the inverse of the mean: with few trials a precision is too large by about dof / (dof - p - 1) ("full").

    Raises
    ------
    InputError : no inverse (code ``singular-noise``), too large for memory, NaN, fewer than 2 rows.

    References
    ----------
    Ledoit & Wolf (2004); Schaefer & Strimmer (2005).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.linalg import noise_covariance
    >>> made = noise_covariance(np.random.default_rng(0).normal(size=(50, 100)))
    >>> made.covariance.shape, 0.9 < made.shrinkage <= 1
    ((100, 100), True)
    """
    made = estimated_covariance(residuals, method, dof)
    _ = made.whitener  # refused here, not where it is used
    return made


def estimated_covariance(residuals: Array | Residuals, method: str, dof: float | None) -> NoiseCovariance:
    """`noise_covariance` that has not been asked for its inverse."""
    who = "noise_covariance"
    check_option(method, NOISE_METHODS, name="method", who=who)
    if isinstance(residuals, Residuals):
        r, natural = residuals.values, float(residuals.dof)
    else:
        r = np.asarray(
            to_numpy(as_matrix(residuals, name="residuals", who=who, min_rows=2)), dtype=np.float64
        )
        r, natural = r - r.mean(axis=0), float(len(r) - 1)
    free = natural if dof is None else check_number(dof, name="dof", who=who, low=0.0)
    n, p = r.shape
    variances = np.einsum("ij,ij->j", r, r) / free
    if method != "shrinkage":
        refuse_silent(variances, method)
    if method == "diagonal":
        return NoiseCovariance(variances, 1.0, free, method)
    lacking = check_fits(8 * 3 * p * p) if p > _MANY else None
    if lacking is not None:
        raise InputError(
            f"{who}: a covariance of {p} units needs {gigabytes(8 * 3 * p * p)} and {lacking} is free; use "
            "method='diagonal', or fewer units.",
            code="too-large",
        )
    if method == "full":
        if free < p:
            raise _singular(
                f"{free:g} degrees of freedom are fewer than {p} units, so a full covariance is singular"
            )
        made = NoiseCovariance(r.T @ r / free, 0.0, free, method)
    elif method == "shrinkage":
        if free >= n - 1:
            shrunk, shrinkage = ledoit_wolf(r)
            made = NoiseCovariance(shrunk * (n / free), shrinkage, free, method)
        else:
            made = NoiseCovariance(*_towards_identity(r, free), free, method)
    else:
        s = r.T @ r / free
        shrinkage = towards_diagonal(r / np.sqrt(variances), free)
        s *= 1 - shrinkage
        np.fill_diagonal(s, variances)
        made = NoiseCovariance(s, shrinkage, free, method)
    return made


def refuse_silent(variances: np.ndarray, method: str) -> None:
    silent = np.flatnonzero(variances <= 1e-24 * variances.max(initial=0.0))
    if silent.size:
        listed = ", ".join(map(str, silent[:3].tolist()))
        raise InputError(
            f"noise_covariance: {silent.size} of {variances.size} units have no noise at all (unit {listed}"
            f"{', ...' if silent.size > 3 else ''}), so method={method!r} would divide by 0; drop them, or use "
            "method='shrinkage'.",
            code="singular-noise",
        )


def _towards_identity(r: np.ndarray, dof: float) -> tuple[np.ndarray, float]:
    """Ledoit & Wolf (2004) for residuals with fewer degrees of freedom than rows: b2 = (mean ||x||^4 - ||S||^2) / dof,
    where a residual has dof / n of the variance of the x that it stands for.

    Taken as n independent rows, residuals would be shrunk too little (by about dof / n).
    """
    p = r.shape[1]
    s = r.T @ r
    shrinkage, m = identity_shrinkage(s, np.einsum("ij,ij->i", r, r), dof, p)
    s *= (1 - shrinkage) / dof
    s[np.diag_indices(p)] += shrinkage * m
    return s, shrinkage


def identity_shrinkage(product: np.ndarray, norms: np.ndarray, dof: float, p: int) -> tuple[float, float]:
    """(shrinkage, mean variance m) from R'R or RR' (both have what it takes) and the squared norms (n,) of the rows."""
    m = float(np.trace(product)) / dof / p
    squared = float(np.sum(product * product)) / (dof * dof)
    d2 = squared - p * m * m
    fourth = norms.size * float(np.sum(norms * norms)) / (dof * dof)
    return (1.0 if d2 <= 0 else min(max((fourth - squared) / dof, 0.0), d2) / d2), m


def towards_diagonal(z: np.ndarray, dof: float) -> float:
    """Schaefer & Strimmer (2005), eq. 10, for columns z of variance 1: the sums over i != j of Var(c_ij) =
    (n sum_k w_kij^2 - (sum_k w_kij)^2) / dof^3 and of c_ij^2, w_kij = z_ki z_kj, c_ij = sum_k w_kij / dof.

    Theirs with dof = n - 1; for residuals as in `_towards_identity`.
    """
    n, p = z.shape
    if p < 2:
        return 1.0
    squares = z * z
    product = z.T @ z if p <= n else z @ z.T
    cross = float(np.sum(product * product)) - float(np.sum(squares.sum(axis=0) ** 2))
    fourth = float(np.sum(squares.sum(axis=1) ** 2)) - float(np.sum(squares * squares))
    variance = (n * fourth - cross) / dof**3
    below = cross / (dof * dof)
    return 1.0 if below <= 0 else float(min(max(variance / below, 0.0), 1.0))


def whitened(x: np.ndarray, root: np.ndarray) -> np.ndarray:
    """``x`` (n, p) times a whitener: (p,), or (p, p) triangular, which takes half of a product."""
    if root.ndim == 1:
        return x * root
    if root.shape[0] < _MANY // 8 or x.dtype != np.float64:
        return x @ root
    lower = not np.triu(root, 1).any()
    if not lower and np.tril(root, -1).any():
        return x @ root
    # dtrmm wants columns: (x W)' = W' x', and W' has its entries on the other side of the diagonal
    return dtrmm(1.0, root.T, x.T, side=0, lower=int(not lower)).T


def whitener(noise: NoiseCovariance | Array, p: int, /, *, who: str) -> np.ndarray:
    """W with W W' = the precision, from what users give as ``noise``: (p, p), or (p,) for independent units.

    A `NoiseCovariance` knows both; an array is a **precision** (inverse covariance): (p, p) symmetric and positive
    definite, or (p,) inverse variances.
    """
    if isinstance(noise, NoiseCovariance):
        if noise.covariance.shape[0] != p:
            raise _other_units(noise.covariance.shape, p, who)
        return noise.whitener
    given = np.asarray(to_numpy(as_array(noise, name="noise", who=who)))
    if given.dtype.kind not in "biuf":
        raise InputError(f"{who}: noise must hold real numbers, got {given.dtype}.", code="not-numeric")
    given = given.astype(np.float64)
    if given.shape not in ((p,), (p, p)):
        raise _other_units(given.shape, p, who)
    if not np.isfinite(given).all():
        raise InputError(f"{who}: noise has NaN or infinite entries.", code="nan-values")
    if given.ndim == 1:
        if (given <= 0).any():
            raise _not_precision(who)
        return np.sqrt(given)
    if np.abs(given - given.T).max() > 1e-8 * np.abs(given).max():
        raise _not_precision(who)
    try:
        return np.linalg.cholesky((given + given.T) / 2)
    except np.linalg.LinAlgError:
        raise _not_precision(who) from None


def _other_units(shape: tuple[int, ...], p: int, who: str) -> InputError:
    return InputError(
        f"{who}: noise must be of the {p} units of the data, (p, p) or (p,), got shape {shape}.",
        code="bad-noise",
    )


def _not_precision(who: str) -> InputError:
    return InputError(
        f"{who}: noise given as an array is a precision (inverse covariance): symmetric and positive definite, "
        "which this is not; pass the result of cs.linalg.noise_covariance(residuals).",
        code="bad-noise",
    )
