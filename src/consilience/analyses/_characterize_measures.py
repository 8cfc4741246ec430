"""The measures of `characterize`: which the data allow, and how each is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience import units
from consilience._core._seeds import Seed
from consilience.units import Selectivity
from consilience.units._classes import as_classes
from consilience.units._untuned import untuned_rows

__all__ = ["ANY_SIGN", "CIRCULAR", "OF_CLASSES", "REFERENCES", "measures_of"]

CIRCULAR = ("orientation_selectivity", "direction_selectivity", "circular_variance")
ANY_SIGN = ("d_prime", "roc_auc", "eta_squared", "mutual_information")
OF_CLASSES = ("class_selectivity", "lifetime_sparseness", *ANY_SIGN)
_INFORMATION_FLOOR = 5  # draws of untuned units, of which a table is counted each
REFERENCES = {
    "class_selectivity": ("morcos2018insights",),
    "lifetime_sparseness": ("treves1991what", "rolls1995sparseness", "vinje2000sparse"),
    "orientation_selectivity": ("ringach2002orientation", "mazurek2014robust"),
    "direction_selectivity": ("mazurek2014robust",),
    "circular_variance": ("ringach2002orientation",),
    "d_prime": ("green1966signal",),
    "roc_auc": ("green1966signal", "delong1988comparing", "hanley1982meaning"),
    "eta_squared": ("hays1963statistics",),
    "mutual_information": ("panzeri1996analytical",),
}


def measures_of(
    x: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    period: float | None,
    seed: Seed,
    said: dict[str, Any],
) -> dict[str, Callable[[], Selectivity]]:
    """{name: what computes it} of rows (n, units) with labels (n,), or angles with a period."""
    shared = {key: said[key] for key in ("n_perm", "n_floor", "level")}

    def of(name: str, **more: Any) -> Callable[[], Selectivity]:
        own = {**shared, **more}
        if name in ("d_prime", "roc_auc"):
            own["n_floor"] = min(own["n_floor"], 20)
        own["n_splits"] = min(said["n_splits"], 20) if name == "roc_auc" else said["n_splits"]
        return lambda: getattr(units, name)(x, labels, groups=groups, rng=seed.child(name), **own)

    free = {**said, "n_perm": 0 if groups is not None else said["n_perm"]}  # its relabellings know no groups
    table = {name: of(name) for name in OF_CLASSES if name != "mutual_information"}
    table["mutual_information"] = lambda: _information(x, labels, free, seed.child("mutual_information"))
    if period is not None:
        table = {**{name: of(name, period=period) for name in CIRCULAR}, **table}
        for harmonic, names in (
            (2, ("orientation_selectivity", "circular_variance")),
            (1, ("direction_selectivity",)),
        ):
            if not _even(labels, period, harmonic):
                for name in names:
                    del table[name]
    if (x < 0).any():
        table = {name: call for name, call in table.items() if name in ANY_SIGN}
    return table


def _even(labels: np.ndarray, period: float, harmonic: int) -> bool:
    """At least 3 angles whose vector sum is 0."""
    z = np.exp(2j * np.pi * harmonic * np.unique(labels).astype(np.float64) / period)
    return np.unique(np.round(z, 6)).size >= 3 and abs(z.mean()) <= 1e-3


def _information(x: np.ndarray, labels: np.ndarray, said: dict[str, Any], seed: Seed) -> Selectivity:
    found = units.mutual_information(x, labels, n_perm=said["n_perm"], level=said["level"], rng=seed)  # type: ignore[arg-type]
    classes = as_classes(x, labels, who="cs.units.mutual_information")
    means, variances = classes.moments()
    nothing = np.full(found.value.size, np.nan)
    draws = [
        units.mutual_information(rows, labels, correction="none", n_perm=0, level=said["level"]).value
        for rows in untuned_rows(
            classes, means, variances, min(said["n_floor"], _INFORMATION_FLOOR), seed.stream("floor")
        )
    ]
    return Selectivity(
        value=found.counted["plain"],
        corrected=found.value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        null_mean=found.counted["plain_null"],
        p=found.p,
        floor=np.mean(draws, axis=0) if draws else nothing,
        preferred=classes.names[means.argmax(axis=0)],
        stability=nothing,
        level=found.level,
    )
