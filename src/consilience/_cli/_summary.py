"""A study on one screen: per system of side b the best of side a, its interval, and how it stands to the
untrained copies; other results in the lines that they print."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from consilience._cli._text import clean, interval, number

__all__ = ["summary"]


def summary(run: Any) -> list[str]:
    """Lines for every result of a `StudyRun` that is no picture."""
    from consilience._results import Comparison

    lines: list[str] = []
    kinds = {analysis.name: analysis.baseline[0] for analysis in run.study.analyses if analysis.baseline}
    asked = {analysis.name for analysis in run.study.analyses}
    for name, result in run.results.items():
        if isinstance(result, Comparison):
            lines += [
                clean(name, 100),
                *_comparison(result, kinds.get(name, "copy")),
                *_between(result, run.results.get(f"{name} RDMs")),
                "",
            ]
        elif name in asked:
            lines += [clean(name, 100), *(clean(line, 120) for line in repr(result).splitlines()[1:]), ""]
    return lines


def _comparison(result: Any, copies: str) -> Iterator[str]:
    n = int(np.nanmax(result.data["n_stimuli"].values))
    sizes = result.data.sizes
    yield f"  {n} stimuli, {sizes['a']} x {sizes['b']} systems, {_level(result)} intervals over stimuli"
    best = result.best("a") if result.best_a is not None else None
    for b in result.data["b"].values.tolist():
        yield f"  {clean(b, 60)}"
        for measure in result.data["measure"].values.tolist():
            one = best[measure, b] if best is not None and measure in best.data["measure"].values else None
            if one is None or not np.isfinite(one.value):
                yield from _pairs(result, measure, b)
            else:
                yield from _best(result, one, measure, b, copies)


def _level(result: Any) -> str:
    level = result.settings.get("level")
    return f"{100 * level:g} %" if isinstance(level, (int, float)) else "95 %"


def _value(data: Any, name: str) -> float:
    return float(data[name].values.reshape(-1)[0]) if name in data else float("nan")


def _pairs(result: Any, measure: str, b: str) -> Iterator[str]:
    for a in result.data["a"].values.tolist():
        row = result.data.sel(measure=measure, a=a, b=b)
        parts = [f"    {clean(measure, 24)}  {clean(a, 40)}  {number(_value(row, 'value'))}"]
        parts.append(interval(_value(row, "ci_low"), _value(row, "ci_high")))
        p = _value(row, "p")
        parts.append(f"p = {p:.3g}" if np.isfinite(p) else "")
        ceiling = interval(_value(row, "ceiling_low"), _value(row, "ceiling_high"))
        parts.append(f"ceiling {ceiling}" if ceiling else "")
        yield "  ".join(part for part in parts if part)


def _best(result: Any, best: Any, measure: str, b: str, copies: str) -> Iterator[str]:
    data = best.data
    share = _value(data, "share")
    chosen = f"{clean(best.layer, 40)}" + (
        f" (chosen in {100 * share:.0f} % of splits)" if np.isfinite(share) else ""
    )
    ends = interval(_value(data, "ci_low"), _value(data, "ci_high"))
    held_out = f"{number(best.value)} {ends}".rstrip()
    yield f"    {clean(measure, 24)}: best {chosen}, held out {held_out}"
    both = interval(_value(data, "ci_both_low"), _value(data, "ci_both_high"))
    if both:
        yield f"      over stimuli and subjects {both}"
    naive_name, naive = best.naive
    yield f"      plain maximum {number(naive)} at {clean(naive_name, 40)}"
    if "seed" in data.dims:
        for seed in data["seed"].values.tolist():
            row = data.sel(seed=seed)
            text = f"      minus {copies} {seed}: {number(_value(row, 'difference'))} "
            text += interval(_value(row, "difference_low"), _value(row, "difference_high"))
            both = interval(_value(row, "difference_both_low"), _value(row, "difference_both_high"))
            yield text.rstrip() + (f"; over stimuli and subjects {both}" if both else "")
    if best.layer in result.data["a"].values:
        row = result.data.sel(measure=measure, a=best.layer, b=b)
        ceiling = interval(_value(row, "ceiling_low"), _value(row, "ceiling_high"))
        if ceiling:
            yield f"      noise ceiling {ceiling}"


def _between(result: Any, pictures: Any) -> Iterator[str]:
    """How alike the mean RDMs of the systems on side b are."""
    if pictures is None:
        return
    from consilience.measures import compare_rdms

    known = pictures.rdms["system"].values.tolist()
    for one, two in combinations([name for name in result.data["b"].values.tolist() if name in known], 2):
        value = float(
            compare_rdms(
                pictures.rdms.sel(system=one).values, pictures.rdms.sel(system=two).values, method="pearson"
            )
        )
        names = f"{clean(one, 40)} and {clean(two, 40)}"
        yield f"  {names}: Pearson correlation of their mean RDMs {number(value)}"
