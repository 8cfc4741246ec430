"""dPCA beside trials that it was not fitted to: held-out variance and significance, as methods."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.models._dpca_cv import HeldOut, criterion_of, explained_held_out
from consilience.models._dpca_data import Crossed, read_trials
from consilience.models._dpca_noise import noise_of
from consilience.models._dpca_significance import Significance, label_significance

__all__ = ["HeldOutTests"]

WHO = "DPCA"


class HeldOutTests:
    """`held_out` and `significance` of `DPCA`."""

    labels: Any
    missing: str
    criterion: str | None
    rng: Any
    noise_: str
    levels_: dict[str, Any]
    regularisation_: float
    _marginals: Any
    _counts: list[int]
    _grid: Any
    _start: Any
    _noise_kind: Any
    _choose: Any
    get_params: Any

    def held_out(
        self, X: Any, y: Any = None, *, n_folds: int = 10, level: float = 0.95, rng: Any = None
    ) -> HeldOut:
        """What this model, fitted to some trials, explains of the others, as a share of the signal variance.

        The means of training trials as the components show them predict X_f of the held-out ones: sum over folds of
        ||Y_f||^2 - ||Y_f - F D X_f||^2 over the signal variance, the sum of <X, Y>, which noise does not add to. The
        penalty is chosen anew without each fold. Intervals: jackknife over folds of trials; n_folds is at most the
        trials of the rarest condition, and intervals take 3.
        """
        data = read_trials(X, y, labels=self.labels, missing=self.missing, who=WHO)
        data.check(WHO)
        level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
        least = int(data.counts.min())
        asked = min(check_count(n_folds, name="n_folds", who=WHO, minimum=2), least)
        grid = self._grid()
        if asked < 2 or (len(grid) > 1 and least - -(-least // asked) < 2):
            raise InputError(
                f"{WHO}: held-out trials take {2 if len(grid) == 1 else 4} trials of every condition, the rarest has "
                f"{least}; leave that condition out{'' if len(grid) == 1 else ', or give a number as regularisation'}.",
                code="too-few",
            )
        model = type(self)(**self.get_params(deep=False))
        means = data.means().reshape(*data.shape, data.times, data.units)
        model._start(means, data.levels)
        kind = model._noise_kind(noise_of(data) is not None)
        seed = resolve_seed(self.rng if rng is None else rng, who=WHO)

        def penalty_of(left: Crossed) -> float:
            if len(grid) == 1:
                return float(grid[0])
            criterion = criterion_of(self.criterion, left, WHO)
            best, _ = model._choose(left, kind, grid, criterion, seed.stream("inner"))
            return float(grid[best])

        return explained_held_out(
            data,
            model._marginals,
            model._counts,
            penalty_of,
            folds=asked,
            noise=kind,
            level=level,
            rng=seed.stream("folds"),
        )

    def significance(
        self, X: Any, y: Any = None, *, n_shuffles: int = 100, n_splits: int = 20, rng: Any = None
    ) -> Significance:
        """Do components tell their label on held-out trials, against shuffles of labels across trials within units?

        In each split one trial of every condition (and session) is held out, the model is fitted to the others with the
        penalty of this model, and the held-out trial, averaged over the other labels, is given to the label whose
        training mean is nearest, for each component and time. Shuffled: the label changes places across trials that
        agree in the other labels, whole trials at a time, within units, so that what a unit is, and what the other
        labels do to it, stays. Interactions: deviations from the model without the interaction change places across all
        trials. (A shuffle across units, as one program does it, gives every unit the same mean: another null.)

        The shuffle takes trials of different levels as draws from one distribution. Where a level is rare *and* its
        noise is larger, they are not, although the means may be equal: with a tenth of the trials and twice the noise
        p <= .05 comes in about .10 of data sets.
        """
        check_is_fitted(self, "components_")
        data = read_trials(
            X, y, labels=list(self.levels_), missing=self.missing, who=WHO, estimator=self, reset=False
        )
        data.check(WHO)
        if data.counts.min() < 2:
            criterion_of("units", data, WHO)
        shuffles = check_count(n_shuffles, name="n_shuffles", who=WHO, minimum=1)
        splits = check_count(n_splits, name="n_splits", who=WHO, minimum=1)
        seed = resolve_seed(self.rng if rng is None else rng, who=WHO)
        return label_significance(
            data,
            self._marginals,
            self._counts,
            self.regularisation_,
            shuffles=shuffles,
            splits=splits,
            noise=self.noise_,
            seed=seed,
        )
