"""What `geometry` can measure: one table, so that the verb has no branch for a measure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from consilience.analyses._geometry_classes import between, few_shot, held_out, manifold, noise
from consilience.populations import (
    PopulationScore,
    cross_condition_generalisation,
    parallelism_score,
    shattering_dimensionality,
)
from consilience.populations._manifold_capacity import FEW_CLASSES
from consilience.populations._manifolds import in_span

__all__ = ["GEOMETRY", "Conditions", "GeometryMeasure"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditions:
    """The trials of one system, as a measure takes them.

    x : (trials, units) float64, finite.   condition : (trials,) int, number of the condition of each trial.   names :
    of the C conditions.   factors : {label: (C,) value of each condition}; one for ``by="category"``, several where
    conditions are the cells of crossed labels.   n_null : draws of a null, 0 = none.   level : of intervals.   rng :
    seed of this measure and system.   options : those of this measure.   device : torch device of what can use one,
    None = NumPy.
    """

    x: np.ndarray
    condition: np.ndarray
    names: tuple[str, ...]
    factors: Mapping[str, np.ndarray]
    n_null: int
    level: float
    rng: int
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None

    @functools.cached_property
    def span(self) -> np.ndarray:
        """(trials, trials) where units are more: x turned into the axes of its rows, for what depends on their products
        alone. Of a layer of 100,000 units it takes longer than most measures, so they share it.
        """
        return in_span(self.x)

    @property
    def sizes(self) -> dict[str, int]:
        return {
            "n_trials": len(self.x),
            "n_units": self.x.shape[1],
            "n_conditions": len(self.names),
            "fewest": int(np.bincount(self.condition).min()),
        }


@dataclass(frozen=True, kw_only=True)
class GeometryMeasure:
    """An entry of the table.

    function : from `Conditions` to {"all": score}, or to one score for each label of the conditions besides.
    words : name in figures.   higher : what a high value says.   null : what its null is, in words; "" without one.
    needs_trials : the least number of trials of every condition.   needs_conditions : the least number of conditions.
    unasked : the least and the greatest number of conditions at which it is measured without being named.
    crossed : it needs conditions that are cells of crossed labels.   references : keys of references.bib.
    method : a sentence for the methods.   range : of its axis, None where there is no end.
    """

    function: Callable[[Conditions], Mapping[str, PopulationScore]]
    words: str
    higher: str
    null: str
    needs_trials: int
    needs_conditions: int
    references: tuple[str, ...]
    method: str
    unasked: tuple[int, float] = (0, float("inf"))
    crossed: bool = False
    range: tuple[float | None, float | None] = (None, None)


_MANY = 16  # conditions of one label: of more the best of all ways to part them is a costly lottery
_MOST = 8  # conditions of which all ways to part them are looked at beside the labels that cross in them


def _others(conditions: Conditions, label: str) -> np.ndarray:
    """(trials,) number of the levels of all labels but one together."""
    rest = [values for name, values in conditions.factors.items() if name != label]
    codes = [np.unique(values, return_inverse=True)[1] for values in rest]
    joint = np.unique(np.stack(codes), axis=1, return_inverse=True)[1]
    return np.asarray(joint).reshape(-1)[conditions.condition]


def _of_dichotomies(
    function: Callable[..., PopulationScore],
) -> Callable[[Conditions], dict[str, PopulationScore]]:
    """Of each of several crossed labels, across the others; and of the best of all ways to part the conditions."""

    def measured(c: Conditions) -> dict[str, PopulationScore]:
        common = {"n_null": c.n_null, "level": c.level, "rng": c.rng, **c.options}
        out = {}
        crossed = len(c.factors) > 1
        few = not crossed or len(c.names) <= _MOST
        if few and len(c.names) >= 4 and np.bincount(c.condition).min() >= 4:
            best = function(c.span, c.condition, **common)
            out["all"] = replace(best, note=_named(best.note, c), n_units=c.x.shape[1])
        for label, values in c.factors.items() if crossed else ():
            found = function(c.span, values[c.condition], _others(c, label), **common)
            out[label] = replace(found, n_units=c.x.shape[1])
        return out

    return measured


def _named(note: str, c: Conditions) -> str:
    """``"0, 1 | 2, 3"`` with the names of the conditions; of bare numbers with the label that they are of."""
    sides = [[c.names[int(k)] for k in side.split(", ")] for side in note.split(" | ")] if note else []
    said = " | ".join(", ".join(side) for side in sides)
    bare = len(c.factors) == 1 and said.translate(str.maketrans("", "", "0123456789.-, |")) == ""
    return f"{next(iter(c.factors))} {said}" if said and bare else said


def _shattering(c: Conditions) -> dict[str, PopulationScore]:
    common = {"n_null": min(c.n_null, 100), "level": c.level, "rng": c.rng, **c.options}
    return {"all": replace(shattering_dimensionality(c.span, c.condition, **common), n_units=c.x.shape[1])}


_UNRELATED = "conditions arranged at random"
_SHUFFLED = "conditions of the trials shuffled"

# name -> entry; the order is that of tables and figures
GEOMETRY: dict[str, GeometryMeasure] = {
    "ccgp": GeometryMeasure(
        function=_of_dichotomies(cross_condition_generalisation),
        words="cross-condition generalisation",
        higher="what is told in some conditions is told in others by the same readout",
        null=_UNRELATED,
        needs_trials=2,
        needs_conditions=4,
        unasked=(0, _MANY),
        references=("bernardi2020geometry",),
        method="Cross-condition generalisation is the share right of a linear discriminant on conditions, and trials, "
        "that it was not trained on.",
        range=(0.0, 1.0),
    ),
    "parallelism": GeometryMeasure(
        function=_of_dichotomies(parallelism_score),
        words="parallelism",
        higher="a difference points the same way in all conditions",
        null=_UNRELATED,
        needs_trials=2,
        needs_conditions=4,
        unasked=(0, _MANY),
        references=("bernardi2020geometry",),
        method="The parallelism score is the mean cosine between differences of condition means, whose lengths were "
        "corrected for noise.",
        range=(-1.0, 1.0),
    ),
    "shattering": GeometryMeasure(
        function=_shattering,
        words="shattering (mean accuracy)",
        higher="more ways to part the conditions in two can be told",
        null="trials without conditions",
        needs_trials=2,
        needs_conditions=4,
        references=("bernardi2020geometry", "rigotti2013importance"),
        method="Shattering is the held-out accuracy of linear discriminants, averaged over ways to part the conditions "
        "in two halves.",
        range=(0.0, 1.0),
    ),
    "capacity": GeometryMeasure(
        function=functools.partial(manifold, name="capacity"),
        words="manifold capacity",
        higher="more classes per unit can be sorted by a linear readout",
        null=_SHUFFLED,
        needs_trials=3,
        needs_conditions=4,
        unasked=(FEW_CLASSES, float("inf")),
        references=("chung2018classification", "cohen2020separability"),
        method="Manifold capacity, radius and dimension are those of the mean-field theory of point clouds, after the "
        "axes that centres share were taken off.",
        range=(0.0, None),
    ),
    "radius": GeometryMeasure(
        function=functools.partial(manifold, name="radius"),
        words="manifold radius",
        higher="clouds are wide for the distance of their centres",
        null=_SHUFFLED,
        needs_trials=3,
        needs_conditions=4,
        unasked=(FEW_CLASSES, float("inf")),
        references=("chung2018classification",),
        method="The radius is in lengths of the centres.",
        range=(0.0, None),
    ),
    "dimension": GeometryMeasure(
        function=functools.partial(manifold, name="dimension"),
        words="manifold dimension",
        higher="clouds spread in many directions",
        null=_SHUFFLED,
        needs_trials=3,
        needs_conditions=4,
        unasked=(FEW_CLASSES, float("inf")),
        references=("chung2018classification",),
        method="The dimension is that of the points of a cloud that hold a readout back.",
        range=(0.0, None),
    ),
    "between": GeometryMeasure(
        function=between,
        words="variance between conditions",
        higher="conditions lie apart for how far their trials spread",
        null=_SHUFFLED,
        needs_trials=3,
        needs_conditions=2,
        references=("sorscher2022neural",),
        method="The share of variance between conditions was corrected for few trials.",
    ),
    "few_shot_error": GeometryMeasure(
        function=few_shot,
        words="few-shot error",
        higher="two conditions are harder to learn from few trials",
        null="one of two by chance",
        needs_trials=3,
        needs_conditions=2,
        references=("sorscher2022neural",),
        method="The few-shot error is that of the nearer of two prototypes, on trials left out, as means over pairs.",
        range=(0.0, 1.0),
    ),
    "separability": GeometryMeasure(
        function=held_out,
        words="separability of pairs",
        higher="a linear readout tells two conditions on trials left out",
        null=_SHUFFLED,
        needs_trials=2,
        needs_conditions=2,
        references=("ledoit2004well",),
        method="Separability is the share right of linear discriminants on trials left out, as a mean over pairs.",
        range=(0.0, 1.0),
    ),
    "noise_alignment": GeometryMeasure(
        function=noise,
        words="noise along the signal",
        higher="noise moves the population as the conditions do",
        null="each unit's trials shuffled",
        needs_trials=3,
        needs_conditions=2,
        references=("morenobote2014information",),
        method="Noise alignment is the noise variance along the differences of conditions, over that of a mean "
        "direction.",
    ),
}
