"""PWCCA: canonical correlations weighted by how much of one system each direction carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from consilience._core._arrays import Array, as_same_library, float64, to_numpy
from consilience._core._params import check_option
from consilience.linalg import centre_columns, constant_columns, principal_scores, to_safe_size
from consilience.measures._canonical import canonical_null, squared_null, varying_scores, whiten
from consilience.measures._canonical_plan import Variates, Whitener, joined, shrunk_whitener, whitened
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
from consilience.measures._held_out import alignment_claims, alignment_parts, deviations, held_out_score

__all__ = ["pwcca", "pwcca_held_out"]

SIDES = ("x", "y")
_UNITS, _DRAWS = 500, 100  # of which draws of the weights are made, and draws in one go
_OF_UNITS = SIMILARITIES - {"rotation"}  # the weights add up over the units as they are


def _units(x: Array) -> np.ndarray:
    """Centred responses (n, p), NumPy float64, in the units they came in; 0 where they do not vary."""
    varying = ~to_numpy(constant_columns(x))
    return to_numpy(float64(centre_columns(to_safe_size(x)))) * varying


def _scores(z: np.ndarray) -> np.ndarray:
    return np.asarray(principal_scores(z - z.mean(axis=0)))


def _carried(directions: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Weights (k,), of sum 1: sum over units of |canonical variate . unit| (Morcos et al. 2018, eq. 3)."""
    weights = np.abs(directions.T @ units).sum(axis=1)
    return weights / weights.sum()


def _order(x: Any, y: Any, side: str) -> tuple[Any, Any]:
    return (x, y) if side == "x" else (y, x)


# -- in-sample ---------------------------------------------------------------------------------------------


def _value(x: np.ndarray, y: np.ndarray, side: str) -> float:
    """``x``, ``y``: (n, units), in the units they came in on the side that weighs."""
    one, two = _order(x, y, side)
    one = one - one.mean(axis=0)
    # the scale of single units tells only how much they weigh, not which directions there are
    a, b = (whiten(varying_scores(z, who="pwcca", level=True)) for z in (one, two))
    u, size, _ = np.linalg.svd(a.T @ b, full_matrices=False)
    return float(_carried(a @ u, one) @ np.clip(size, 0.0, 1.0))


def _claims(*, weights_from: str = "x") -> Claims:
    check_option(weights_from, SIDES, name="weights_from", who="pwcca")
    whole = SIMILARITIES | {"unit_scaling", "affine"}
    of_x, of_y = _order(_OF_UNITS, whole, weights_from)
    return Claims(
        label=f"PWCCA (in-sample, weighted by {weights_from})",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=False,
        invariant=of_x,
        invariant_y=of_y,
        null=canonical_null,
        null_text="that of CCA for white data: mean squared value max(p, q)/(n-1); 1 once max(p, q) >= n-1",
        inflation=squared_null,
        resample="subsample",
        held_out="pwcca_held_out",
        references=("morcos2018insights", "hotelling1936relations"),
        method=(
            f"Canonical correlations were averaged with weights by how much of the units of {weights_from} each "
            "canonical variate carries (PWCCA, in-sample: inflated when units are many)."
        ),
    )


def _parts(*, weights_from: str = "x") -> SubsampleParts:
    check_option(weights_from, SIDES, name="weights_from", who="pwcca")
    return SubsampleParts(_units, lambda x, y: _value(x, y, weights_from))


@measure(claims=_claims, parts=_parts)
def pwcca(x: Array, y: Array, /, *, weights_from: Literal["x", "y"] = "x") -> Array:
    """Projection-weighted CCA, in-sample: canonical correlations, those that carry more of one system more.

    value = sum_k w_k r_k / sum_k w_k, r_k the canonical correlations and w_k = sum_j |h_k . x_j| over the units
    x_j (centred columns) of the side that weighs, h_k (length 1) its canonical variates. Not symmetric, and,
    unlike CCA, it depends on the units in which the weighing side is given: rotating them changes it. In-sample
    it is inflated as CCA is (1 once max(p, q) >= n - 1): use `pwcca_held_out` there (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    weights_from : the side whose units weigh, ``"x"`` or ``"y"``. (The published code takes the side with
        fewer units.)

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : max(p, q)/(n-1) > 0.1.

    References
    ----------
    Morcos, Raghu & Bengio (2018).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> float(cs.measures.pwcca(x, x @ rng.normal(size=(3, 3))).round(6))
    1.0
    """
    claims = _claims(weights_from=weights_from)
    x, y = two_systems(x, y, who="pwcca")
    warn_null(claims, x.shape[0], x.shape[1], y.shape[1], "cs.measures.pwcca_held_out")
    return as_same_library(np.asarray(_value(_units(x), _units(y), weights_from)), x)


# -- held out ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fold:
    """train : rows.   variates : (n_train, k) of the side that weighs.   units : (n_train, some).   tied : how many of
    the first variates are not told apart.
    """

    train: np.ndarray
    variates: np.ndarray
    units: np.ndarray
    tied: int

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the variates (draws, k), of sum 1, as the stimuli drawn (draws, n) have them."""
        terms = (self.variates[:, :, None] * self.units[:, None, :]).reshape(len(self.train), -1)
        out = np.empty((len(weights), self.variates.shape[1]))
        for start in range(0, len(weights), _DRAWS):
            sums = np.abs(weights[start : start + _DRAWS, self.train] @ terms)
            out[start : start + _DRAWS] = sums.reshape(len(sums), *self.variates.shape[1:], -1).sum(axis=2)
        out[:, : self.tied] = out[:, : self.tied].mean(axis=1, keepdims=True)
        return out / np.maximum(out.sum(axis=1, keepdims=True), 1e-300)


@dataclass(frozen=True)
class _Weighted(Predictions):
    """Predictions whose shares are found from the training stimuli, so that they vary with who was drawn.

    Draws are spread by sqrt(2) for the part of the stimuli in the fits (`cross_validated_draws`); that of the shares
    is counted once, so it is divided by as much. Simulated: with the shares as given a 95 % interval covers 92 % of
    500 sets at 60, 120 and 240 stimuli, with this 95, 96 and 96 %.
    """

    folds: tuple[_Fold, ...] = ()

    def draws(self, weights: np.ndarray) -> np.ndarray:
        each, k = self.columns(weights), self.top.shape[1]
        if not self.folds:
            return np.asarray(each @ self.share)
        once = np.ones((1, self.top.shape[0]))
        change = np.mean([f.shares(weights)[:, :k] - f.shares(once)[:, :k] for f in self.folds], axis=0)
        return np.asarray(each @ self.share + (each * change).sum(axis=1) / np.sqrt(2.0))


class _WeightedPlan:
    """Canonical directions and their weights from the training stimuli of each fold, correlations from the
    others.
    """

    def __init__(self, x: np.ndarray, folds: list[np.ndarray], side: str, whitener: Whitener) -> None:
        self.n, self.folds, self.side, self.whitener = x.shape[0], folds, side, whitener
        low = _scores(x)
        self.rank, self.sides = low.shape[1], list(whitened(low, folds, whitener))
        self.units = self._training(x) if side == "x" else []

    def _training(self, z: np.ndarray) -> list[np.ndarray]:
        return [deviations(z, test)[0] for test in self.folds]

    def predict(self, y: np.ndarray) -> Predictions:
        low = _scores(y)
        sides = zip(self.sides, whitened(low, self.folds, self.whitener))
        found = [Variates.of(*pair, min(self.rank, low.shape[1])) for pair in sides]
        shares, drawn = [], []
        for fit, units, test in zip(found, self.units or self._training(y), self.folds):
            if not fit.x.shape[1]:  # a system does not vary over these training stimuli
                continue
            variates = fit.x if self.side == "x" else fit.y
            share = _carried(variates, units)
            share[: fit.tied] = share[: fit.tied].mean()
            some = units[:, :: -(-units.shape[1] // _UNITS)]
            drawn.append(_Fold(np.setdiff1d(np.arange(self.n), test), variates, some, fit.tied))
            shares.append(share)
        out = joined([fit.terms() for fit in found], self.folds)
        share = np.mean([share[: out.shape[2]] for share in shares] or [np.ones(1)], axis=0)
        return _Weighted(out[0], out[1], out[2], share / share.sum(), folds=tuple(drawn))


def _held_out_claims(*, weights_from: str = "x", **options: Any) -> Claims:
    check_option(weights_from, SIDES, name="weights_from", who="pwcca_held_out")
    of_x, of_y = _order(_OF_UNITS, SIMILARITIES, weights_from)
    return alignment_claims(
        label=f"PWCCA (held out, weighted by {weights_from})",
        itself=1.0,
        symmetric=False,
        invariant=of_x,
        invariant_y=of_y,
        references=("morcos2018insights", "hotelling1936relations", "ledoit2004well"),
        method=(
            "Canonical directions (covariances shrunk by Ledoit-Wolf) were fitted with the stimuli of a fold held "
            "out; the correlations of the held-out projections were averaged with weights by how much of the units "
            f"of {weights_from} each canonical variate carries in the training stimuli (PWCCA)."
        ),
    )


def _held_out_parts(
    *, weights_from: str = "x", regularization: float | None = None, folds: int = 5, **split: Any
) -> PredictionParts:
    check_option(weights_from, SIDES, name="weights_from", who="pwcca_held_out")
    whitener = shrunk_whitener(regularization, "pwcca_held_out")
    return alignment_parts(
        lambda x, tests: _WeightedPlan(x, tests, weights_from, whitener),
        folds=folds,
        who="pwcca_held_out",
        prepare=_units,
    )


@measure(claims=_held_out_claims, parts=_held_out_parts)
def pwcca_held_out(
    x: Array,
    y: Array,
    /,
    *,
    weights_from: Literal["x", "y"] = "x",
    regularization: float | None = None,
    folds: int = 5,
    groups: Any = None,
    rng: Any = 0,
) -> Array:
    """Projection-weighted CCA on stimuli held out: 0 for unrelated systems, however many units.

    value = sum_k w_k r_k, r_k the correlation of both sides' projections of the held-out stimuli as in
    `cca_held_out`, w_k the weights of `pwcca` from the training stimuli, of sum 1, averaged over folds.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    weights_from : the side whose units weigh.   regularization : as in `cca_held_out`, None = Ledoit-Wolf.
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike. The interval of `cs.compare` takes the
    directions as given and draws the weights too (simulated, 10 units, 500 sets: a 95 % interval covers 95 % at 60
    stimuli, 96 % at 120 and 240).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.

    References
    ----------
    Morcos, Raghu & Bengio (2018).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> float(cs.measures.pwcca_held_out(x, x)) > 0.99
    True
    """
    parts = _held_out_parts(weights_from=weights_from, regularization=regularization, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="pwcca_held_out")
