"""Selectivity of every class against the rest: nothing is chosen, so nothing is biased by choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from consilience._core._arrays import Array
from consilience._core._params import check_option
from consilience._core._seeds import resolve_seed
from consilience.stats import fdr
from consilience.units._class_selectivity import class_selectivity
from consilience.units._classes import as_classes
from consilience.units._d_prime import d_prime
from consilience.units._roc_auc import roc_auc

__all__ = ["ClassScores", "one_vs_rest"]

_MEASURES = {"d_prime": d_prime, "roc_auc": roc_auc, "class_selectivity": class_selectivity}


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassScores:
    """names : (k,) labels.   value, ci_low, ci_high : (k, units), signed, of each label against the rest.   p : (k,
    units), two-sided, of relabellings.   q : false discovery rate over all classes and units.   measure, level.
    """

    names: np.ndarray
    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p: np.ndarray
    q: np.ndarray
    measure: str
    level: float

    def __repr__(self) -> str:
        k, units = self.value.shape
        return f"<ClassScores> {self.measure} of {k} classes against the rest, {units} units"


def one_vs_rest(
    responses: Array,
    labels: Array,
    /,
    *,
    measure: Literal["d_prime", "roc_auc", "class_selectivity"] = "d_prime",
    groups: Array | None = None,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> ClassScores:
    """`d_prime`, `roc_auc` or `class_selectivity` of each label in turn against all others, with its sign.

    No class is chosen, so no value is high by choice; d' is the one without the bias of few trials. To say that a unit
    prefers one of the k classes, look at q, which is corrected over all of them.

    Parameters
    ----------
    responses : (n, units).   labels : (n,), at least 2 rows of each.   measure : which.   groups, n_perm, level, rng :
        as there; labels are dealt anew in the same way for all classes.

    Returns
    -------
    ClassScores

    Raises
    ------
    InputError, ConsilienceWarning : those of the measure.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> labels = np.repeat(["car", "face", "hand"], 30)
    >>> x = 2.0 * (labels == "face")[:, None] + np.random.default_rng(0).normal(size=(90, 1))
    >>> found = cs.units.one_vs_rest(x, labels, n_perm=200)
    >>> found.names[found.value[:, 0] > 0].tolist()
    ['face']
    """
    who = "cs.units.one_vs_rest"
    check_option(measure, tuple(_MEASURES), name="measure", who=who)
    seed = resolve_seed(rng, who=who)
    names = as_classes(responses, labels, who=who, groups=groups).names
    made = [
        _MEASURES[measure](
            responses,
            labels,
            label=name,
            groups=groups,
            n_splits=1,
            n_perm=n_perm,
            n_floor=0,
            level=level,
            rng=seed,  # type: ignore[arg-type]
        )
        for name in names.tolist()
    ]
    value, low, high, p = (
        np.stack([getattr(one, key) for one in made]) for key in ("corrected", "ci_low", "ci_high", "p")
    )
    return ClassScores(
        names=names,
        value=value,
        ci_low=low,
        ci_high=high,
        p=p,
        q=fdr(p) if np.isfinite(p).any() else p,
        measure=measure,
        level=level,
    )
