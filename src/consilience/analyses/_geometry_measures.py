"""What `geometry` can measure: one table, so that the verb has no branch for a measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience.populations._population_score import PopulationScore

__all__ = ["GEOMETRY", "Conditions", "GeometryMeasure"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditions:
    """The trials of one system, as a measure takes them.

    x : (trials, units) float64, finite.   condition : (trials,) int, number of the condition of each trial.   names :
    of the C conditions.   factors : {label: (C,) value of each condition}; one for ``by="category"``, several where
    conditions are the cells of crossed labels.   n_null : draws of a null, 0 = none.   level : of intervals.   rng :
    seed of this measure and system.   options : those of this measure.
    """

    x: np.ndarray
    condition: np.ndarray
    names: tuple[str, ...]
    factors: Mapping[str, np.ndarray]
    n_null: int
    level: float
    rng: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GeometryMeasure:
    """An entry of the table.

    function : from `Conditions` to {"all": score}, or to one score for each label of the conditions besides.
    words : name in figures.   higher : what a high value says.   null : what its null is, in words; "" without one.
    needs_trials : the least number of trials of every condition.   needs_conditions : the least number of conditions.
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
    crossed: bool = False
    range: tuple[float | None, float | None] = (None, None)


# name -> entry; the order is that of tables and figures
GEOMETRY: dict[str, GeometryMeasure] = {}
