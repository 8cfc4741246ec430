"""The answer at the head of the page: one sentence, a few more, and a card for each system of side b."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from consilience._results import Comparison, RDMs, Result
from consilience.plots._labels import number, shortened, visible
from consilience.report._sentences import sentences as answer_of
from consilience.report._words import Finding, findings, headline, listed, other_measures, plural

__all__ = ["answer"]

_MOST_CARDS = 8
_MOST_SENTENCES = 6  # steps that say all; further ones say their first sentence
_MOST_STEPS = 20


def answer(results: Mapping[str, Result], failed: list[dict[str, str]]) -> dict[str, Any]:
    if not results:
        words = (
            f"No results: {'the step' if len(failed) == 1 else f'all {len(failed)} steps'} failed."
            if failed
            else "No results: nothing was computed."
        )
        return {"headline": words, "sentences": [], "groups": [], "more": 0}
    compared = {name: result for name, result in results.items() if isinstance(result, Comparison)}
    lead, more = "", 0
    sentences: list[tuple[str, tuple[str, ...]]] = []
    groups: list[dict[str, Any]] = []
    for name, result in compared.items():
        found = findings(result)
        lead = lead or headline(found, result)
        where = f"{shortened(visible(name), 40)}: " if len(compared) > 1 else ""
        others = other_measures(found)
        sentences += [
            (where, (*f.sentences, *filter(None, [others.get(f.b)])))
            for f in found
            if f.measure == found[0].measure
        ]
        for measure in dict.fromkeys(f.measure for f in found):
            same = [f for f in found if f.measure == measure]
            room = max(0, _MOST_CARDS - sum(len(group["cards"]) for group in groups))
            more += max(0, len(same) - room)
            if room:
                scale = _scale(same)
                groups.append(
                    {"name": where + visible(measure), "cards": [_card(f, *scale) for f in same[:room]]}
                )
    shown = sentences[:_MOST_SENTENCES]
    room = _MOST_SENTENCES - len(shown)
    for name, other in results.items():
        pictures = name.endswith(" RDMs") and name.removesuffix(" RDMs") in compared  # of a comparison
        if not isinstance(other, Comparison) and not pictures:
            where = f"{shortened(visible(name), 40)}: " if len(results) > 1 else ""
            said = answer_of(other)
            if said and not lead and not isinstance(other, RDMs):
                lead, said = said[0], said[1:]
            if said and len(shown) < _MOST_STEPS:
                shown.append((where, said if room > 0 else said[:1]))
                room -= 1
    if not lead:
        lead = _described(results)
    at = [card["x"] for group in groups for card in group["cards"]]
    marks = {name: any(one[name] for one in at) for name in ("low", "ceiling_low", "baselines", "null")}
    return {
        "headline": lead,
        "sentences": shown,
        "groups": groups,
        "marks": marks,
        "more": more,
    }


def _described(results: Mapping[str, Result]) -> str:
    parts = []
    for result in results.values():
        if isinstance(result, RDMs):
            parts.append(
                f"RDMs of {plural(result.rdms.sizes['system'], 'system')} over "
                f"{plural(result.rdms.sizes['stimulus'], 'stimulus')}"
            )
    parts = parts or [plural(len(results), "result")]
    return f"{listed(parts[:3])}; no comparison was asked for."


def _scale(found: list[Finding]) -> tuple[float, float]:
    known = [
        v
        for f in found
        for v in (f.value, f.low, f.high, f.ceiling_high, f.naive_value, f.null, *f.baselines, 0.0)
        if np.isfinite(v)
    ]
    low, high = min(known), max(known)
    return low, (high if high > low else low + 1) + 0.02 * (high - low)


def _card(f: Finding, low: float, high: float) -> dict[str, Any]:
    def at(value: float) -> str | None:
        return f"{2 + 196 * (value - low) / (high - low):.1f}" if np.isfinite(value) else None

    facts = []
    if f.interval:
        facts.append((f"{f.percent} interval, {f.over}", f.interval))
    if np.isfinite(f.ceiling_high):
        facts.append(("noise ceiling", f"{number(f.ceiling_low)} to {number(f.ceiling_high)}"))
    if f.baselines:
        facts.append(
            (
                "untrained copies",
                listed([number(v) for v in f.baselines[:4]]) + (", …" if len(f.baselines) > 4 else ""),
            )
        )
    if np.isfinite(f.naive_value):
        facts.append(("plain maximum (biased up)", f"{number(f.naive_value)} at {shortened(f.naive, 24)}"))
    if np.isfinite(f.p):
        facts.append(("permutation p", "< 0.001" if f.p < 0.00095 else f"{f.p:.2g}"))
    return {
        "system": f.b,
        "measure": visible(f.measure),
        "chosen": f.chosen,
        "value": number(f.value),
        "reliable": f.reliable,
        "facts": facts,
        "x": {
            "value": at(f.value),
            "low": at(f.low),
            "high": at(f.high),
            "ceiling_low": at(f.ceiling_low),
            "ceiling_high": at(f.ceiling_high),
            "null": at(f.null),
            "zero": at(0.0),
            "baselines": [at(v) for v in f.baselines[:20]],
        },
        "ceiling_width": f"{196 * (f.ceiling_high - f.ceiling_low) / (high - low):.1f}"
        if np.isfinite(f.ceiling_low)
        else "0",
    }
