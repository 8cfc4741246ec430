"""Procrustes similarity and its family up to CCA, in-sample and held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience._core._arrays import Array, array_namespace, float64, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.linalg import centre_columns, principal_scores, to_safe_size
from consilience.measures._cka import warn_null
from consilience.measures._contract import (
    SIMILARITIES,
    Claims,
    PredictionParts,
    Predictions,
    SubsampleParts,
    measure,
)
from consilience.measures._door import two_systems
from consilience.measures._held_out import (
    alignment_claims,
    alignment_parts,
    deviations,
    held_out_score,
    scores,
)
from consilience.measures._procrustes_null import family_null

__all__ = ["check_alpha", "partly_whitened", "procrustes", "procrustes_held_out"]


def check_alpha(alpha: float, who: str) -> float:
    return check_number(alpha, name="alpha", who=who, low=0.0, high=1.0, closed=True)


def partly_whitened(z: Array, alpha: float) -> Array:
    """Principal scores ``z`` (n, r) with each singular value s replaced by alpha s + (1 - alpha) rms(s)."""
    if alpha == 1:
        return z
    xp = array_namespace(z)
    size = xp.sqrt(xp.sum(z * z, axis=0))
    return z * (alpha + (1 - alpha) * xp.sqrt(xp.mean(size * size)) / size)[None, :]


def _claims(*, alpha: float = 1.0) -> Claims:
    return Claims(
        label="Procrustes similarity (in-sample)" if alpha == 1 else "partly whitened Procrustes (in-sample)",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=SIMILARITIES if alpha else SIMILARITIES | {"unit_scaling", "affine"},
        null=family_null(alpha),
        null_text="about 0.85 sqrt(p/n) for p < n/10 units on both sides; 0.75 at p = n; goes to 1 beyond",
        resample="subsample",
        held_out="procrustes_held_out",
        references=("schonemann1966generalized", "williams2021generalized"),
        method=(
            "The best rotation of one system onto the other was fitted on all stimuli (Procrustes, "
            "in-sample: inflated when units are many)."
        ),
    )


def _similarity(x: Array, y: Array) -> Array:
    xp = array_namespace(x, y)
    below = xp.sqrt(xp.sum(x * x) * xp.sum(y * y))
    if x.shape[1] == 0 or y.shape[1] == 0 or float(below) <= 0:
        raise InputError(
            "procrustes: a system has the same pattern for all stimuli, so there is nothing to align.",
            code="no-structure",
        )
    return xp.sum(xp.linalg.svdvals(x.T @ y)) / below


def nuclear_norm(c: np.ndarray) -> float:
    """Sum of the singular values of ``c``, to 1e-8 of it at worst: roots of the eigenvalues of its smaller Gram matrix,
    where their rounding, d = k eps times the largest of k, lets the roots s be off by no more in sum (each by d / 2s,
    or sqrt(d)); else, as for many singular values of 0, by the decomposition of ``c``.
    """
    values = np.linalg.eigvalsh(c.T @ c if c.shape[0] >= c.shape[1] else c @ c.T)
    roots = np.sqrt(np.maximum(values, 0.0))
    rounding = values.size * np.finfo(np.float64).eps * max(float(values[-1]), 0.0)
    worst = np.minimum(rounding / np.maximum(2 * roots, 1e-300), np.sqrt(rounding))
    if 0 < np.sum(worst) <= 1e-8 * roots.sum():
        return float(roots.sum())
    return float(np.linalg.svd(c, compute_uv=False).sum())


def _reduced(x: Array) -> np.ndarray:
    """``x`` (n, p) centred, float64; its principal scores where it has as many units as stimuli."""
    if x.shape[1] >= x.shape[0]:
        return scores(x)
    return to_numpy(float64(centre_columns(to_safe_size(x))))


class RotationParts(SubsampleParts):
    """Parts of Procrustes; ``matrix`` gives the values of many systems with each other, every one prepared once."""

    def __init__(self, alpha: float, value: Callable[[np.ndarray, np.ndarray], float]) -> None:
        super().__init__(_reduced, value)
        self.alpha = alpha

    def matrix(self, prepared: list[np.ndarray]) -> np.ndarray:
        """Values (k, k) of prepared systems (n, r_k), symmetric, 1 on the diagonal."""
        k = len(prepared)
        out = np.eye(k)
        starts = np.cumsum([0, *(z.shape[1] for z in prepared)])
        whole = np.empty(
            (len(prepared[0]), starts[-1])
        )  # side by side: one product for a system with all others
        for i, z in enumerate(prepared):
            z = z - z.mean(axis=0)
            z = partly_whitened(principal_scores(z), self.alpha) if self.alpha < 1 else z
            starts[i + 1] = starts[i] + z.shape[1]
            np.divide(z, np.linalg.norm(z), out=whole[:, starts[i] : starts[i + 1]])
        products = np.empty(int(np.diff(starts).max()) * int(starts[-1]))  # filled again for each system
        for i in range(k - 1):
            left, right = whole[:, starts[i] : starts[i + 1]], whole[:, starts[i + 1] : starts[-1]]
            crossed = products[: left.shape[1] * right.shape[1]].reshape(left.shape[1], -1)
            np.matmul(left.T, right, out=crossed)
            for j in range(i + 1, k):
                c = crossed[:, starts[j] - starts[i + 1] : starts[j + 1] - starts[i + 1]]
                out[i, j] = out[j, i] = min(1.0, nuclear_norm(np.ascontiguousarray(c)))
        return out


def _parts(*, alpha: float = 1.0) -> SubsampleParts:
    check_alpha(alpha, "procrustes")

    def value(x: np.ndarray, y: np.ndarray) -> float:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        if alpha < 1:
            x, y = (partly_whitened(principal_scores(z), alpha) for z in (x, y))
        return float(_similarity(x, y))

    return RotationParts(alpha, value)


@measure(claims=_claims, parts=_parts)
def procrustes(x: Array, y: Array, /, *, alpha: float = 1.0) -> Array:
    """Procrustes similarity, in-sample: overlap of two systems after the best rotation of one onto the other.

    value = ||X'Y||_* / (||X|| ||Y||), X and Y centred, ||.||_* the sum of singular values, ||.|| the Frobenius
    norm; arccos of it is the angular Procrustes distance, a metric (Williams et al. 2021; `shape_distance`).
    With alpha < 1 both are partly whitened first, X (alpha I + (1 - alpha) rms(s) (X'X)^-1/2), rms(s) the root
    mean square of the singular values of X over its rank: 1 is Procrustes, 0 the sum of the canonical
    correlations over sqrt(rank X rank Y), which is `cca` where the ranks are equal. (Williams et al. whiten
    without rms(s); their alpha then means another mixture for each unit of measurement.) Independent data
    score high when units are many (n = 100: 0.75 at 100 units, 0.975 at 1000): use `procrustes_held_out`
    there (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows; p and
        q may differ
    alpha : in [0, 1], from CCA to Procrustes.

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation, alpha outside [0, 1].
    ConsilienceWarning ``null-not-zero`` : independent data of this size would score above 0.1.

    References
    ----------
    Schoenemann (1966); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 4))
    >>> rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    >>> float(cs.measures.procrustes(x, 2 * x @ rotation).round(6))
    1.0
    """
    who = "procrustes"
    check_alpha(alpha, who)
    x, y = two_systems(x, y, who=who)
    instead = "cs.measures.procrustes_held_out" if alpha else "cs.measures.cca_held_out"
    warn_null(_claims(alpha=alpha), x.shape[0], x.shape[1], y.shape[1], instead)
    return _similarity(
        *(partly_whitened(principal_scores(centre_columns(to_safe_size(z))), alpha) for z in (x, y))
    )


# -- held out ----------------------------------------------------------------------------------------------


class _RotationPlan:
    """The rotation fitted on the training stimuli of each fold, both sides' held-out stimuli under it."""

    def __init__(self, x: np.ndarray, folds: list[np.ndarray], alpha: float = 1.0) -> None:
        self.n, self.folds, self.alpha = x.shape[0], folds, alpha
        self.sides = [self._side(x, test) for test in folds]

    def _side(self, z: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Training and test deviations, whitened in part by the training ones."""
        inside, outside = deviations(z, test)
        if self.alpha == 1:
            return inside, outside
        values, axes = np.linalg.eigh(inside.T @ inside)
        known = values > values[-1] * 1e-12  # no whitening where the training stimuli do not vary
        gain = np.full(values.size, self.alpha)
        if known.any():
            gain[known] += (1 - self.alpha) * np.sqrt(values[known].mean() / values[known])
        w = (axes * gain) @ axes.T
        return inside @ w, outside @ w

    def predict(self, y: np.ndarray) -> Predictions:
        top, left, right = (np.zeros((self.n, 1)) for _ in range(3))
        for (x_in, a), test in zip(self.sides, self.folds):
            y_in, b = self._side(y, test)
            u, size, vt = np.linalg.svd(x_in.T @ y_in, full_matrices=False)
            known = size > size[0] * 1e-12  # the training stimuli say nothing on how the others rotate
            top[test, 0] = np.einsum("ik,ik->i", a @ u[:, known], b @ vt[known].T)
            left[test, 0], right[test, 0] = np.einsum("ik,ik->i", a, a), np.einsum("ik,ik->i", b, b)
        return Predictions(top, left, right)


def _held_out_claims(**options: Any) -> Claims:
    return alignment_claims(
        label="Procrustes similarity (held out)",
        itself=None,
        references=("schonemann1966generalized", "williams2021generalized"),
        method=(
            "The best rotation of one system onto the other was fitted with the stimuli of a fold held out; "
            "the value is the normalised overlap of the held-out stimuli."
        ),
    )


def _held_out_parts(*, alpha: float = 1.0, folds: int = 5, **split: Any) -> PredictionParts:
    check_alpha(alpha, "procrustes_held_out")
    if alpha == 0:
        raise InputError(
            "procrustes_held_out: alpha=0 whitens wholly, and directions that hardly vary would decide about the "
            "held-out stimuli; use cca_held_out (measure='cca'), which shrinks, or an alpha above 0.",
            code="bad-parameter",
        )
    return alignment_parts(
        lambda x, tests: _RotationPlan(x, tests, alpha), folds=folds, who="procrustes_held_out"
    )


@measure(claims=_held_out_claims, parts=_held_out_parts)
def procrustes_held_out(
    x: Array, y: Array, /, *, alpha: float = 1.0, folds: int = 5, groups: Any = None, rng: Any = 0
) -> Array:
    """Procrustes similarity on stimuli held out: 0 for unrelated systems, however many units.

    The rotation Q is fitted on the training stimuli of each fold; value = sum_i <x_i Q, y_i> / sqrt(sum_i
    |x_i|^2 sum_i |y_i|^2) over all held-out stimuli i, both as deviations from the training mean. Directions in
    which the training stimuli do not vary (there are some once units outnumber them) have no rotation: they
    count in the lengths, not in the overlap.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    alpha : in (0, 1], as in `procrustes`; the whitening is that of the training stimuli.
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds, alpha outside (0, 1].

    References
    ----------
    Schoenemann (1966); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> float(cs.measures.procrustes_held_out(x, x)) > 0.99
    True
    """
    parts = _held_out_parts(alpha=alpha, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="procrustes_held_out")
