"""How many latents: chosen by held-out units of held-out trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience.models._fold_units import finite_scores
from consilience.models._trials import Trials, as_trials
from consilience.stats import fold_interval, group_folds

__all__ = ["LatentCV"]


class LatentCV(TransformerMixin, BaseEstimator):
    """A latent model whose number of latents is chosen on trials that it was not fitted to.

    For each fold and number, the model is fitted to the other trials, and each unit of the held-out trials is predicted
    from the other units of its trial ("units", co-smoothing), or their log-likelihood per value is taken
    ("likelihood"). The likelihood rises with anything that units share; held-out units ask whether it predicts, which
    is what dimension is to mean here. The model of the number chosen is then fitted to all trials. Its score on the
    same trials is not a held-out one: keep other trials for that.

    Parameters
    ----------
    model : `GPFA`, `PoissonGPFA`, or any estimator with ``n_components``, ``unit_scores`` and ``score``.
    n_components : numbers to try.
    criterion : "units" or "likelihood".
    rule : "best"; or "one-se": the fewest latents whose mean difference from the best over folds is within one standard
        error of that difference.
    cv : folds of whole trials, dealt at random.   rng : of that deal.

    Attributes
    ----------
    n_components_ : chosen.   cv_components_ : the numbers, rising.   cv_scores_ : (numbers, folds); `cv_interval` gives
        their means with intervals.
    model_ : fitted to all trials.
    components_, mean_ : of ``model_``, as are `transform`, `inverse_transform`, `score` and `unit_scores`.

    References
    ----------
    Yu et al. (2009); Nadeau & Bengio (2003).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = np.cumsum(rng.normal(size=(30, 20, 2)), axis=1) / 3
    >>> X = x @ rng.normal(size=(2, 15)) + rng.normal(size=(30, 20, 15))
    >>> found = cs.models.LatentCV(cs.models.GPFA(tol=1e-4), [1, 2, 4], cv=3).fit(X)
    >>> found.n_components_, found.cv_scores_.shape
    (2, (3, 3))
    >>> mean, low, high = found.cv_interval()
    >>> bool((low < mean).all() and (mean < high).all())
    True
    """

    def __init__(
        self,
        model: Any,
        n_components: Sequence[int] = (1, 2, 4, 8),
        *,
        criterion: str = "units",
        rule: str = "one-se",
        cv: int = 5,
        rng: Any = 0,
    ) -> None:
        self.model = model
        self.n_components = n_components
        self.criterion = criterion
        self.rule = rule
        self.cv = cv
        self.rng = rng

    def fit(self, X: Any, y: Any = None) -> Any:
        """Fits. X : trials, as the model takes them.   y : ignored."""
        check_option(self.criterion, ("units", "likelihood"), name="criterion", who="LatentCV")
        check_option(self.rule, ("best", "one-se"), name="rule", who="LatentCV")
        numbers = [
            check_count(k, name="n_components", who="LatentCV", minimum=1)
            for k in np.atleast_1d(self.n_components)
        ]
        if not numbers or len(set(numbers)) < len(numbers):
            raise InputError(
                f"LatentCV: n_components must be different numbers of latents, got {shorten(self.n_components)}.",
                code="bad-parameter",
            )
        numbers = sorted(numbers)
        missing = "mask" if getattr(self.model, "missing", "mask") != "raise" else "raise"
        trials = as_trials(X, who="LatentCV.fit", missing=missing, flat="trial")
        folds = check_count(self.cv, name="cv", who="LatentCV", minimum=2)
        if folds > len(trials):
            raise InputError(
                f"LatentCV: cv={folds} deals whole trials into folds, and there are {len(trials)}; take fewer "
                "folds, or cut a long recording into trials.",
                code="too-few",
            )
        rng = resolve_seed(self.rng, who="LatentCV").stream("folds")
        held = group_folds(np.arange(len(trials)), folds, rng, who="LatentCV")
        self.cv_scores_ = np.array([[self._held_out(k, trials, test) for test in held] for k in numbers])
        finite_scores(self.cv_scores_, who="LatentCV.fit")
        self.cv_components_ = np.array(numbers)
        self.n_components_ = numbers[chosen(self.cv_scores_, self.rule)]
        if self.criterion == "units" and not self.cv_scores_.mean(axis=1).max() > 0:
            warn(
                "no-structure",
                f"LatentCV: no number of latents predicts held-out units better than their means (best score "
                f"{self.cv_scores_.mean(axis=1).max():.3g}).",
                "There may be nothing that units share: test it by cs.models.shared_structure.",
            )
        self.model_ = clone(self.model).set_params(n_components=self.n_components_).fit(X)
        self.components_, self.mean_ = self.model_.components_, self.model_.mean_
        self.n_features_in_ = trials.units
        return self

    def _held_out(self, k: int, trials: Trials, test: np.ndarray) -> float:
        rest = np.setdiff1d(np.arange(len(trials)), test)
        model = clone(self.model).set_params(n_components=k).fit(parts_of(trials, rest))
        new = parts_of(trials, test)
        return float(model.score(new)) if self.criterion == "likelihood" else shared_score(model, new)

    def cv_interval(self, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(numbers,) mean score over folds of each number of latents, and the low and high ends of its interval.

        The score meant is that of a fit to as many trials as a fold leaves, over draws of the trials. mean -+
        t sqrt((1 / folds + 1 / (folds - 1)) s^2): fits of different folds share trials, for which the second term
        stands (Nadeau & Bengio 2003). With 2 or 3 folds it is wide. Of the number that was chosen for its score, the
        score is a little too good, as the best of several is.
        """
        check_is_fitted(self, "model_")
        check_number(level, name="level", who="LatentCV.cv_interval", low=0.0, high=1.0)
        return fold_interval(self.cv_scores_.T, level)

    def transform(self, X: Any) -> Any:
        """Latents, as ``model_`` gives them."""
        return self._fitted().transform(X)

    def inverse_transform(self, X: Any) -> Any:
        """Expected values of units, as ``model_`` gives them."""
        return self._fitted().inverse_transform(X)

    def score(self, X: Any, y: Any = None) -> float:
        """Log-likelihood per value of X. y : ignored."""
        return float(self._fitted().score(X))

    def unit_scores(self, X: Any) -> np.ndarray:
        """(units,) each unit predicted from the others."""
        return np.asarray(self._fitted().unit_scores(X))

    def _fitted(self) -> Any:
        check_is_fitted(self, "model_")
        return self.model_


def shared_score(model: Any, X: Any) -> float:
    """How well units are predicted from each other, in one number."""
    if hasattr(model, "shared_score"):
        return float(model.shared_score(X))
    return float(np.nanmean(model.unit_scores(X)))


def chosen(scores: np.ndarray, rule: str) -> int:
    """Index of the number of latents from scores (numbers, folds), numbers rising."""
    best = int(np.argmax(scores.mean(axis=1)))
    if rule == "best":
        return best
    below = scores[best] - scores
    error = below.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    return int(np.flatnonzero(below.mean(axis=1) <= error)[0])


def parts_of(trials: Trials, which: np.ndarray) -> list[np.ndarray]:
    """[(t, units)] of some trials, NaN where nothing was seen."""
    if trials.seen is None:
        return [trials.values[i] for i in which]
    return [np.where(trials.seen[i], trials.values[i], np.nan) for i in which]
