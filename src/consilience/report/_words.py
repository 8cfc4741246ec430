"""The answer in plain words, built from the numbers: what is best, how sure that is, and against what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import number, probability, shortened, visible
from consilience.plots._read import field as read
from consilience.plots._read import level, names

if TYPE_CHECKING:
    from consilience._results import Comparison

__all__ = ["Finding", "findings", "headline", "kind_of_a", "listed", "other_measures", "plural"]

ALPHA = 0.05
_MOST_COMPARED = 30  # systems: beyond, all pairs take long


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a comparison says of one system of side b by one measure. NaN: not asked for, or not there."""

    measure: str
    b: str
    chosen: str
    noun: str
    count: int
    value: float
    low: float
    high: float
    over: str
    percent: str
    ceiling_low: float
    ceiling_high: float
    null: float
    p: float
    share: float
    naive: str
    naive_value: float
    baselines: tuple[float, ...] = ()
    differences: tuple[float, ...] = ()
    difference_low: float = np.nan
    difference_high: float = np.nan
    nested: bool = True
    by: str = "stimulus"
    people: bool = True  # the ceiling is one over subjects, not over repeats
    sentences: tuple[str, ...] = field(default=(), compare=False)

    @property
    def reliable(self) -> bool:
        """Told from chance: by the permutation where there is one, else by the interval over the null."""
        if np.isfinite(self.p):
            return self.p < ALPHA
        null = self.null if np.isfinite(self.null) else 0.0
        return not np.isfinite(self.low) or self.low > null

    @property
    def ratio(self) -> float:
        return (
            self.value / self.ceiling_high
            if np.isfinite(self.ceiling_high) and self.ceiling_high > 0
            else np.nan
        )

    @property
    def interval(self) -> str:
        return f"{number(self.low)} to {number(self.high)}" if np.isfinite(self.low) else ""


def other_measures(found: list[Finding]) -> dict[str, str]:
    """{system of side b: what the measures after the first choose for it}, where there are several."""
    first = found[0].measure
    out: dict[str, str] = {}
    for one in (f for f in found if f.measure == first and f.nested and np.isfinite(f.value)):
        others = [f for f in found if f.b == one.b and f.measure != first and np.isfinite(f.value)]
        same = [_name(f.measure) for f in others if f.reliable and f.chosen == one.chosen]
        said = [f"By {listed(same)}, too, it is {one.chosen}."] if same and one.reliable else []
        for f in others:
            if not f.reliable:
                said.append(f"By {_name(f.measure)} no {f.noun} can be told from chance.")
            elif f.chosen != one.chosen or not one.reliable:
                said.append(f"By {_name(f.measure)} it is {f.chosen} ({number(f.value)}).")
        out[one.b] = " ".join(said[:4])
    return out


def findings(result: Comparison) -> list[Finding]:
    """One per (measure, b), measures first."""
    out = []
    for measure in names(result.data, "measure"):
        for b in names(result.data, "b"):
            nested = result.best_a is not None and measure in result.best_a["measure"].values
            out.append((_nested if nested else _single)(result, measure, b))
    return out


def kind_of_a(result: Comparison) -> str:
    """What side a consists of: layers where settings or untrained copies say so, else systems."""
    said = result.settings.get("a_kind", "")
    if said in ("layer", "system"):
        return str(said)
    side: Any = result.settings.get("a")
    several = isinstance(side, list) and len(side) > 1
    if several and all(isinstance(entry, Mapping) and entry.get("kind") == "activation" for entry in side):
        return "layer"
    return "layer" if result.baselines is not None else "system"


def plural(count: int, noun: str) -> str:
    """``3 layers``, ``1 stimulus``, ``2 stimuli``, ``2 copies``."""
    ies = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    many = "stimuli" if noun == "stimulus" else f"{noun[:-1]}ies" if ies else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


def listed(entries: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return entries[0] if len(entries) == 1 else f"{', '.join(entries[:-1])} and {entries[-1]}"


def _name(value: object) -> str:
    return shortened(visible(value), 60)


def _span(table: Any, where: Mapping[str, Any]) -> tuple[float, float, str]:
    for key, words in (("ci_both", "stimuli and subjects"), ("ci", "stimuli")):
        low, high = float(read(table, f"{key}_low", **where)), float(read(table, f"{key}_high", **where))
        if np.isfinite(low) and np.isfinite(high):
            return low, high, words
    return np.nan, np.nan, ""


def _common(
    result: Comparison, measure: str, b: Any, chosen: Any, at: Callable[[str], float]
) -> dict[str, Any]:
    """What a finding has whether or not its system was chosen; ``at`` reads the table at it."""
    return {
        "measure": measure,
        "b": _name(b),
        "chosen": _name(chosen),
        "noun": kind_of_a(result),
        "count": result.data.sizes["a"],
        "percent": f"{100 * level(result):g} %",
        "by": str(result.data.attrs.get("by") or result.settings.get("by") or "stimulus"),
        "people": not at("n_subjects") <= 1,
        "ceiling_low": at("ceiling_low"),
        "ceiling_high": at("ceiling_high"),
        "null": at("null_mean") if np.isfinite(at("null_mean")) else at("null_expected"),
    }


def _nested(result: Comparison, measure: Any, b: Any) -> Finding:
    best = result.best_a
    assert best is not None
    where = {"measure": measure, "b": b}
    row = best.sel(where)
    chosen = row["chosen"].item()
    low, high, over = _span(best, where)
    known = chosen in names(result.data, "a")
    cell = {**where, "a": chosen}

    def at(name: str) -> float:
        return float(read(result.data, name, **cell)) if known else np.nan

    finding = _common(result, str(measure), b, chosen, at) | {
        "value": float(row["value"]),
        "low": low,
        "high": high,
        "over": over,
        "p": float(read(best, "p", **where)),
        "share": float(read(best, "share", **where)),
        "naive": _name(row["naive"].item()) if "naive" in row else "",
        "naive_value": float(read(best, "naive_value", **where)),
    }
    if "difference" in best:
        gap = np.atleast_1d(read(best, "difference", **where))
        finding["baselines"] = tuple(
            float(v) for v in np.atleast_1d(read(best, "baseline_value", **where)) if np.isfinite(v)
        )
        finding["differences"] = tuple(float(v) for v in gap if np.isfinite(v))
        if finding["differences"]:
            k = int(np.nanargmin(gap))
            for key in ("difference_both", "difference"):
                ends = [
                    float(np.atleast_1d(read(best, f"{key}_{end}", **where))[k]) for end in ("low", "high")
                ]
                if np.all(np.isfinite(ends)):
                    finding["difference_low"], finding["difference_high"] = ends
                    break
    made = Finding(**finding)
    return Finding(**finding, sentences=_nested_sentences(made))


def _single(result: Comparison, measure: Any, b: Any) -> Finding:
    """Without a nested choice: the only system of side a, or the one with the highest plain value."""
    values = read(result.data, "value", measure=measure, b=b)
    a = names(result.data, "a")[int(np.nanargmax(values)) if np.isfinite(values).any() else 0]
    where = {"measure": measure, "b": b, "a": a}

    def at(name: str) -> float:
        return float(read(result.data, name, **where))

    low, high, over = _span(result.data, where)
    untrained = (
        np.atleast_1d(read(result.baselines, "value", **where))
        if result.baselines is not None
        else np.array([])
    )
    finding = _common(result, str(measure), b, a, at) | {
        "value": at("value"),
        "low": low,
        "high": high,
        "over": over,
        "p": at("p"),
        "share": np.nan,
        "naive": "",
        "naive_value": np.nan,
        "baselines": tuple(float(v) for v in untrained if np.isfinite(v)),
        "nested": False,
    }
    made = Finding(**finding)
    return Finding(**finding, sentences=_single_sentences(made))


def _scored(f: Finding, corrected: str = "") -> str:
    inside = [f"{f.percent} interval over {f.over} {f.interval}"] if f.interval else []
    inside += [probability(f.p) + corrected] if np.isfinite(f.p) else []
    return f"{f.measure} = {number(f.value)}" + (f" ({'; '.join(inside)})" if inside else "")


def _nested_sentences(f: Finding) -> tuple[str, ...]:
    if not np.isfinite(f.value):
        return (f"No value of {f.measure} exists for {f.b}.",)
    scored = _scored(f, f", corrected over {f.noun}s")
    if f.reliable:
        start = f"Of {plural(f.count, f.noun)}, {f.chosen} is the most like {f.b}: {scored}"
        said = [f"{start}, on other stimuli than it was chosen on."]
    else:
        said = [f"No {f.noun} can be told from chance for {f.b}: the best, {f.chosen}, has {scored}."]
    if not np.isfinite(f.p) and not np.isfinite(f.low):
        said.append("Neither an interval nor a test was asked for, so chance is not ruled out.")
    said += _against_ceiling(f) + _against_untrained(f)
    if np.isfinite(f.share) and f.share < 0.5:
        often = f"in {100 * f.share:.0f} % of the splits of the stimuli"
        said.append(f"The choice is not settled: {f.chosen} came first {often}.")
    return tuple(said)


def _single_sentences(f: Finding) -> tuple[str, ...]:
    if not np.isfinite(f.value):
        return (f"No value of {f.measure} exists for {f.chosen} and {f.b}.",)
    if f.count > 1:
        biased = "It was chosen and scored on the same stimuli, which biases the value up."
        start = f"Of {plural(f.count, f.noun)}, {f.chosen} has the highest plain value for {f.b}"
        said = [f"{start}: {_scored(f)}. {biased}"]
    else:
        start = f"{f.chosen} and {f.b}" + (": " if f.reliable else " cannot be told from unrelated systems: ")
        said = [f"{start}{_scored(f)}."]
    if not np.isfinite(f.p) and not np.isfinite(f.low):
        said.append("Neither an interval nor a test was asked for, so chance is not ruled out.")
    said += _against_ceiling(f)
    if f.baselines:
        said.append(f"Untrained copies have {_range(f.baselines)}.")
    return tuple(said)


def _against_ceiling(f: Finding) -> list[str]:
    if not np.isfinite(f.ratio):
        why = "" if f.by == "stimulus" else f" (stimuli were averaged by {shortened(visible(f.by), 40)})"
        missing = f"No noise ceiling exists for {f.b}{why}, so how much is left to explain is not known."
        return [missing] if f.reliable else []
    ceiling = f"the noise ceiling ({number(f.ceiling_low)} to {number(f.ceiling_high)})"
    if f.value > f.ceiling_high:
        sets = "the subjects' disagreement" if f.people else "the noise between repeats"
        return [f"That is above {ceiling}, which {sets} sets: read it with care."]
    if f.value >= f.ceiling_low:
        if not f.reliable:
            return [
                f"{ceiling[0].upper()}{ceiling[1:]} starts no higher: these data tell no good model from chance."
            ]
        return [f"That lies inside {ceiling}: these data cannot tell it from a perfect model."]
    if not f.reliable:
        return []
    what = "the subjects share" if f.people else "comes back in every repeat"
    return [
        f"That is {100 * f.ratio:.0f} % of the upper end of {ceiling}, so part of what {what} is left "
        "unexplained."
    ]


def _against_untrained(f: Finding) -> list[str]:
    if not f.differences:
        return []
    smallest = number(min(f.differences))
    interval = ""
    if np.isfinite(f.difference_low):
        interval = f" (interval {number(f.difference_low)} to {number(f.difference_high)})"
    seeds = plural(len(f.differences), "seed")
    reach = f"the same network untrained reaches {_range(f.baselines)} at its best ({seeds})"
    if min(f.differences) <= 0:
        return [f"Training does not explain it: {reach}."]
    if np.isfinite(f.difference_low) and f.difference_low <= 0:
        return [f"Whether training matters is open: {reach}, at least {smallest} less{interval}."]
    return [f"Training matters: {reach}, at least {smallest} less{interval}."]


def _range(values: tuple[float, ...]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def headline(found: list[Finding], result: Comparison | None = None) -> str:
    """One sentence over the systems of side b, by the first measure; of ``result``, with draws, it says whether the
    first is told apart from the next."""
    first = [f for f in found if f.measure == found[0].measure and np.isfinite(f.value)]
    if not first:
        return "The comparison has no values."
    sure = [f for f in first if f.reliable]
    by = f"By {_name(found[0].measure)}, " if len({f.measure for f in found}) > 1 else ""
    if not found[0].nested:
        f = first[0]
        if f.count > 1:
            next_one = _not_told_apart(result, f.measure, "a", f.b)
            return f"{f.chosen} has the highest {f.measure} with {f.b}: {number(f.value)}{next_one}."
        if len(first) == 1:
            are = "are" if f.reliable else "cannot be shown to be"
            return f"{f.chosen} and {f.b} {are} alike: {f.measure} {number(f.value)}."
        top = max(first, key=lambda one: one.value)
        next_one = _not_told_apart(result, top.measure, "b", top.chosen)
        return f"{top.chosen} is most like {top.b}: {top.measure} {number(top.value)}{next_one}."
    if not sure:
        return (
            f"{by}no {found[0].noun} can be told from chance."
            if by
            else f"No {found[0].noun} can be told from chance."
        )
    by_layer: dict[str, list[str]] = {}
    for f in sure:
        by_layer.setdefault(f.chosen, []).append(f.b)
    parts = [
        f"{layer} is the {sure[0].noun} most like {listed(systems[:4])}"
        + (f" and {len(systems) - 4} more" if len(systems) > 4 else "")
        for layer, systems in list(by_layer.items())[:3]
    ]
    more = f" ({len(by_layer) - 3} more below)" if len(by_layer) > 3 else ""
    return by + re.sub(r"\s+", " ", "; ".join(parts)) + more + "."


def _not_told_apart(result: Comparison | None, measure: str, side: Literal["a", "b"], against: str) -> str:
    """``, but not told apart from the next, x (0.75)``, by the paired difference of the two over the draws; nothing
    where they are told apart, or where there are no draws."""
    if result is None or result.draws is None or not 2 <= result.data.sizes[side] <= _MOST_COMPARED:
        return ""
    other = "b" if side == "a" else "a"
    try:
        frame = result.contrasts(side=side).to_frame()
        there = next(name for name in names(result.data, other) if _name(name) == against)
        at = next(name for name in names(result.data, "measure") if str(name) == measure)
        values = np.asarray(read(result.data, "value", **{"measure": at, other: there}), dtype=np.float64)
    except (InputError, StopIteration):
        return ""
    order = [k for k in np.argsort(-values, kind="stable") if np.isfinite(values[k])][:2]
    if len(order) < 2:
        return ""
    two = [str(names(result.data, side)[k]) for k in order]
    row = frame[
        (frame["measure"].astype(str) == measure)
        & (frame["against"].astype(str) == str(there))
        & frame["first"].isin(two)
        & frame["second"].isin(two)
    ]
    p = float(row["p_corrected"].iloc[0]) if len(row) == 1 else np.nan
    if not np.isfinite(p) or p < ALPHA:
        return ""
    return f", but not told apart from the next, {_name(two[1])} ({number(float(values[order[1]]))})"
