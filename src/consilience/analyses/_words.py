"""What was done, in words: settings, references, sentences for a methods section."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from consilience._core._params import shorten
from consilience.analyses._inputs import System, people_of
from consilience.measures import Measure


def settings_of(
    measures: list[Measure],
    systems: dict[str, list[System]],
    ids: np.ndarray,
    by: str,
    join: str,
    n_boot: int,
    n_perm: int,
    level: float,
    held_out: bool,
    refit: bool,
    seeds: list[int],
) -> dict[str, Any]:
    def side(name: str) -> list[dict[str, Any]]:
        return [
            {
                "name": s.name,
                "kind": s.kind,
                "units": None if s.responses is None else s.responses.shape[1],
                "subjects": people_of(s),
                "distance": s.distance,
            }
            for s in systems[name]
        ]

    return {
        "verb": "compare",
        "by": by,
        "join": join,
        "measures": [
            {
                "key": m.key,
                "label": m.claims.label,
                "function": getattr(m.function, "__name__", m.name),
                "options": {k: _plain(v) for k, v in m.options.items()},
                "resample": m.claims.resample,
            }
            for m in measures
        ],
        "n_boot": int(n_boot),
        "n_perm": int(n_perm),
        "level": level,
        "held_out": bool(held_out),
        "refit": bool(refit),
        "baseline_seeds": seeds,
        "a": side("a"),
        "b": side("b"),
        "n_stimuli": len(ids),
        "stimuli_sha256": hashlib.sha256("\x1f".join(map(str, ids.tolist())).encode()).hexdigest(),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else shorten(value)


def references_of(
    measures: list[Measure],
    systems: dict[str, list[System]],
    n_boot: int,
    n_perm: int,
    of_data: tuple[str, ...],
) -> tuple[str, ...]:
    keys = [key for one in measures for key in one.claims.references]
    if n_perm:
        keys.append("phipson2010permutation")
    if n_boot and any(one.claims.resample == "predictions" for one in measures):
        keys.append("nadeau2003inference")
    several = any(people_of(s) > 1 for group in systems.values() for s in group)
    if several:
        keys.append("nili2014toolbox")
        if n_boot:
            keys.append("schutt2023statistical")
    if n_boot and any(one.claims.resample == "subsample" for one in measures):
        keys.append("shao1989general")
    return tuple(dict.fromkeys([*keys, *of_data]))


_RULES = {
    "pairs": "stimuli were resampled by weights on pairs of different stimuli (percentiles)",
    "predictions": "held-out predictions were resampled, and the draws spread by sqrt(2) for the stimuli's part in "
    "the fits and by the variance over 4 deals of the folds (t on Fisher's z for correlations)",
    "subsample": "a delete-d jackknife over stimuli covers the expectation at this number of stimuli only",
    "none": "no interval over stimuli is given",
}


def methods_of(
    measures: list[Measure],
    n: int,
    n_boot: int,
    n_perm: int,
    level: float,
    refit: bool,
    systems: dict[str, list[System]],
    seeds: list[int],
) -> tuple[str, ...]:
    lines = [f"Systems were matched by stimulus id ({n} stimuli); repeats were averaged."]
    for one in measures:
        rule = _RULES[one.claims.resample]
        if refit and one.claims.resample == "predictions":
            rule = "everything was refitted with groups of stimuli left out (grouped jackknife)"
        tail = f" For its {level:.0%} interval, {rule} ({n_boot} draws)." if n_boot else ""
        lines.append(one.claims.method + tail)
    if n_perm:
        lines.append(
            f"P-values are one-sided, (b + 1)/(m + 1), from {n_perm} random relabellings of the stimuli; "
            "the p of a best system uses the maximum over "
            "the systems of its side."
        )
    if any(people_of(s) > 1 for group in systems.values() for s in group):
        lines.append(
            "Where a system has several subjects, values are means over subjects (sessions averaged "
            "first), ceilings leave out one subject at a time "
            "(low) or none (high), and intervals for new stimuli and new subjects together use the "
            "variance 2 (s2_subjects + s2_stimuli) - s2_both."
        )
    lines.append(
        "The best system of a side was chosen on one random half of the stimuli and scored on the other, "
        "averaged over 10 splits in both directions."
    )
    if seeds:
        lines.append(
            f"The same was done with {len(seeds)} baseline copies (seeds {', '.join(map(str, seeds))}); "
            "differences use the same resamples."
        )
    return tuple(lines)
