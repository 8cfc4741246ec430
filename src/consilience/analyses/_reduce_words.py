"""`reduce`: what is said of a run: its cost, doubts about the model, methods."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from consilience._core._errors import collect_cautions, warn
from consilience.analyses._reduce_fit import Fitter
from consilience.analyses._reduce_rows import WHO, Rows
from consilience.networks._progress import announce_long

__all__ = ["announce_fits", "methods_of", "say_of_model"]


def announce_fits(fitter: Fitter, rows: np.ndarray, kind: str, fits: dict[str, int], spent: float) -> None:
    """Says what folds, draws and surrogates will take, where that is more than 5 s: by the time of a fit."""
    total = sum(fits.values())
    if spent < 1.0 < spent * total:  # the first one loads and warms up
        with collect_cautions():
            start = time.perf_counter()
            fitter.fit(rows)
            spent = time.perf_counter() - start
    listed = ", ".join(f"{count} {what}" for what, count in fits.items() if count)
    announce_long(WHO, f"{total} further fits of {kind} ({listed})", total * spent, None)


def say_of_model(kind: str, parts: dict[str, Any]) -> None:
    if kind == "JPCA":
        warn(
            "no-null",
            f"{WHO}: the rotations of JPCA have no null here: smoothed noise and sequences of shifted peaks look "
            "rotational too.",
            "Test them with cs.structure.",
        )
    near = parts.get("neighbours")
    if near is None:
        return
    n = near.attrs
    if n["kept"] <= n["null_high"] or min(n["over_seeds"], n["over_subsamples"]) < 0.5:
        warn(
            "embedding-unstable",
            f"{WHO}: of {n['n_neighbours']} neighbours in the map, {n['over_seeds']:.0%} are the same over seeds and "
            f"{n['over_subsamples']:.0%} over subsamples; {n['kept']:.0%} are neighbours in the data (of permuted data "
            f"up to {n['null_high']:.0%}).",
            "Read no groups or distances off this map; more rows, or another number of neighbours.",
        )


def methods_of(
    kind: str, k: int, fitted: str, rows: Rows, folds: int, n_perm: int, average: bool
) -> tuple[str, ...]:
    of = {
        "conditions": f"the means of conditions ({', '.join(rows.levels)})",
        "trials": "single trials",
        "series": "the time series",
    }[fitted]
    said = [f"{k} component{'s' * (k != 1)} of {of} were fitted by {kind}."]
    if folds:
        how = (
            f"stretches of time, {rows.gap} samples beside each left out of training"
            if rows.series
            else "trials of every condition"
            if average
            else "groups of trials"
        )
        said.append(
            f"Explained variance was computed on {folds} folds of held-out rows ({how}), with t intervals."
        )
    if n_perm:
        said.append(
            f"Components were tested against {n_perm} surrogates in which units were unrelated "
            + ("(circular shifts)." if rows.series else "(trials in another order for each unit).")
        )
    return tuple(said)
