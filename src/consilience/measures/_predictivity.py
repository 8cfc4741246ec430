"""Linear predictivity: how well one system's responses predict each unit of another on stimuli held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._arrays import Array, float64, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, shorten
from consilience.linalg import RidgePlan, constant_columns, to_safe_size
from consilience.measures._contract import Claims, PredictionParts, Predictions, measure
from consilience.measures._held_out import held_out_score, scores
from consilience.stats import spearman_brown

__all__ = ["linear_predictivity"]

_TARGETS = 2048  # relabelled targets solved together
ALPHAS = tuple(10.0 ** np.arange(-5, 4))
_FEWEST = 6  # stimuli


class _Plan:
    def __init__(
        self, x: np.ndarray, folds: list[np.ndarray], groups: np.ndarray | None, alphas: np.ndarray
    ) -> None:
        self.ridge = RidgePlan(x, folds, alphas, groups)

    def predict(self, y: np.ndarray) -> Predictions:
        found = self.ridge.predict(y)
        # each fold in units of its own training spread: pooled raw predictions score below 0 on unrelated
        # data, because folds whose training set happens to agree with the rest predict strongly and right,
        # the others weakly and wrong
        predicted = found.predicted.copy()
        for fold, spread in zip(self.ridge.folds, found.spread):
            predicted[fold.test] /= np.where(spread > 0, spread, 1.0)
        return Predictions(predicted * found.actual, predicted * predicted, found.actual * found.actual)

    def permuted_scores(self, y: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """Scores (permutations,) with the stimuli of ``y`` relabelled, many at once as one wide target."""
        n, q = y.shape
        step = max(1, _TARGETS // q)
        out = np.empty(len(orders))
        for start in range(0, len(orders), step):
            part = orders[start : start + step]
            wide = np.swapaxes(y[part], 0, 1).reshape(n, -1)
            columns = self.predict(wide).columns(np.ones((1, n)))
            out[start : start + step] = columns.reshape(len(part), q).mean(axis=1)
        return out


def _ceiling(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Per unit the correlation r of two halves of the repeats: (mean r, mean sign(r) sqrt(Spearman-Brown of
    |r|)). Signed, because roots of the positive half of pure noise alone would look like a ceiling.
    """
    a, b = one - one.mean(axis=0), two - two.mean(axis=0)
    below = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    r = np.where(below > 0, (a * b).sum(axis=0) / np.where(below > 0, below, 1.0), 0.0)
    top = np.sign(r) * np.sqrt(np.nan_to_num(spearman_brown(np.abs(r))))
    return float(r.mean()), float(top.mean())


def _targets(y: Array) -> np.ndarray:
    constant = to_numpy(constant_columns(y))
    values = to_numpy(to_safe_size(float64(y)))
    if constant.all():
        raise InputError(
            "linear_predictivity: every unit of y has the same value for all stimuli, so nothing can be "
            "predicted.",
            code="constant-units",
        )
    if constant.any():
        listed = ", ".join(map(str, np.flatnonzero(constant)[:3]))
        warn(
            "constant-units",
            f"linear_predictivity: {int(constant.sum())} of {constant.size} units of y, which do not vary over "
            f"stimuli (unit {listed}{', ...' if constant.sum() > 3 else ''}), were dropped.",
            "Drop them yourself, or check the recording.",
            stacklevel=4,
        )
    return values[:, ~constant]


def _check_alphas(alphas: Sequence[float]) -> np.ndarray:
    try:
        values = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or (values <= 0).any():
        raise InputError(
            f"linear_predictivity: alphas must be positive finite numbers, got {shorten(alphas)}.",
            code="bad-parameter",
        )
    return np.sort(values)


_METHOD = (
    "Each unit of the second system was predicted from the first by ridge regression with the stimuli of a "
    "fold held out; the penalty was chosen per unit inside the training stimuli. The score is the correlation "
    "of predicted and actual deviations from the training mean, averaged over units."
)


def _claims(*, alphas: Sequence[float] = ALPHAS, folds: int = 5, groups: Any = None, rng: Any = 0) -> Claims:
    return Claims(
        label="linear predictivity (held-out ridge)",
        range=(-1.0, 1.0),
        itself=None,
        symmetric=False,
        invariant=frozenset({"translation", "scaling", "rotation", "permutation"}),
        invariant_y=frozenset({"translation", "scaling", "permutation", "unit_scaling"}),
        resample="predictions",
        min_stimuli=_FEWEST,
        converts=True,
        references=("yamins2014performance", "hoerl1970ridge"),
        method=_METHOD,
    )


def _parts(
    *, alphas: Sequence[float] = ALPHAS, folds: int = 5, groups: Any = None, rng: Any = 0
) -> PredictionParts:
    grid = _check_alphas(alphas)
    check_count(folds, name="folds", who="linear_predictivity", minimum=2)
    return PredictionParts(
        scores,
        lambda x, tests, owner: _Plan(x, tests, owner, grid),
        prepare_y=_targets,
        ceiling=_ceiling,
        folds=folds,
    )


@measure(claims=_claims, parts=_parts)
def linear_predictivity(
    x: Array,
    y: Array,
    /,
    *,
    alphas: Sequence[float] = ALPHAS,
    folds: int = 5,
    groups: Sequence[Any] | np.ndarray | None = None,
    rng: Any = 0,
) -> Array:
    """How well ``x`` predicts each unit of ``y``, linearly, on stimuli held out.

    For a fold with training stimuli T and test stimuli S, unit u: ridge fit on T, e_i = y_iu - mean_T(y_u),
    d_i = (prediction_i - mean_T(y_u)) / s_T, s_T the root mean square of the fit's predictions inside T; r_u
    = sum_i d_i e_i / sqrt(sum_i d_i^2 sum_i e_i^2) over all held-out i; value = mean over u of r_u. Centring
    by the training mean and scaling by s_T keep unrelated systems at 0 (a Pearson correlation pooled over
    folds is biased below 0). r, never r^2.

    Parameters
    ----------
    x : array (n stimuli, p units), the predictors;  y : array (n stimuli, q units), the targets, same stimuli
        in the same rows
    alphas : penalties, relative to the mean squared length of a centred row of x; chosen per unit by
        leave-one-group-out inside T.
    folds : number of folds.   groups : n labels; stimuli of one group are never on both sides of a split.
    rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = better predicted; 0 for unrelated systems. Not
    symmetric: x predicts y.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds, all targets constant.
    ConsilienceWarning ``constant-units`` : targets without variation were dropped.

    References
    ----------
    Yamins et al. (2014); Hoerl & Kennard (1970).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 10))
    >>> float(cs.measures.linear_predictivity(x, x @ rng.normal(size=(10, 5)))) > 0.99
    True
    """
    parts = _parts(alphas=alphas, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="linear_predictivity", fewest=_FEWEST)
