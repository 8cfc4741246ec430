"""What results about systems and measures side by side say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability, visible
from consilience.report._phrases import ALPHA, name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_agreement", "of_best", "of_contrasts", "of_deciding", "of_influence", "of_shape_space"]


def of_best(result: Any) -> tuple[str, ...]:
    said = []
    for one in list(result)[:4]:
        ends = one.interval or (np.nan, np.nan)
        row = {dim: name_of(one.data[dim].values[0]) for dim in ("measure", one.other)}
        said.append(
            f"By {row['measure']}, {name_of(one.layer)} is the most like {row[one.other]}: {number(one.value)}"
            f"{span(*ends)}, on other stimuli than it was chosen on."
        )
    return tuple(said)


def of_agreement(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("tau")
    same = int(frame["same_ranking"].astype(bool).sum())
    split = result.pairs["split"].values
    said = [
        f"{same} of {plural(len(frame), 'pair')} of measures rank the systems alike; "
        f"{int(split.sum())} of {plural(split.size, 'pair')} of systems are ordered differently by some measures."
    ]
    row = frame.iloc[0]
    if not bool(row["same_ranking"]):
        ends = span(row["tau_low"], row["tau_high"], percent(result))
        said.append(
            f"Least agree {name_of(row['measure'])} and {name_of(row['measure_'])} for {name_of(row['b'])}: "
            f"tau = {number(row['tau'])}{ends}."
        )
    return tuple(said)


def of_contrasts(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("p_corrected", kind="stable")
    sure = frame[frame["p_corrected"] < ALPHA]
    one = len(frame) == 1
    said = [
        f"{len(sure):,} of {plural(len(frame), 'difference')} between systems {'is' if one else 'are'} told apart "
        f"from 0 (corrected: {name_of(result.settings.get('correction'))})."
    ]
    for row in sure.head(3).to_dict("records"):
        both = "ci_both" if np.isfinite(row["ci_both_low"]) else "ci"
        ends = span(row[f"{both}_low"], row[f"{both}_high"], percent(result))
        said.append(
            f"{name_of(row['first'])} minus {name_of(row['second'])}, in {name_of(row['measure'])} with "
            f"{name_of(row['against'])}, is {number(row['difference'])}{ends}."
        )
    return tuple(said)


def of_deciding(result: Any) -> tuple[str, ...]:
    at, s = result.data, result.settings
    first, second = name_of(s["first"]), name_of(s["second"])
    ahead, n = (first if result.difference >= 0 else second), int(at["n_stimuli"])
    said = [
        f"By {name_of(s['measure'])}, {first} has {number(float(at['value_first']))} with {name_of(s['b'])} and "
        f"{second} {number(float(at['value_second']))} (jackknife standard error of the "
        f"difference {number(float(at['se']))})."
    ]
    flips = float(at["n_to_flip"])
    if "p" in at and abs(result.difference) > 1e-12:
        told = "is told apart from 0" if result.told_apart else "is not told apart from 0"
        ends = span(at["ci_low"], at["ci_high"], percent(result))
        said.append(
            f"The difference, {number(result.difference)}{ends}, {told} "
            f"over stimuli ({probability(float(at['p']))})."
        )
        said.append(
            "What each stimulus adds holds for these responses, whose noise is part of it; other trials may give "
            "other stimuli."
        )
    if abs(result.difference) <= 1e-12:
        said.append("There is no difference to decide.")
    elif np.isfinite(flips):
        said.append(f"Without {int(flips)} of {plural(n, 'stimulus')}, {ahead} is not ahead any more.")
    else:
        said.append(
            f"{ahead} stays ahead whichever stimuli that speak for it are left out, up to half of {n:,} stimuli."
        )
    return tuple(said)


def of_influence(result: Any) -> tuple[str, ...]:
    frame = result.data.to_dataframe().reset_index()
    said = []
    for row in frame.sort_values("n_flagged", ascending=False).head(4).to_dict("records"):
        flagged = int(row["n_flagged"])
        start = (
            f"{plural(flagged, 'stimulus')} of {int(row['n_stimuli']):,} stand{'s' * (flagged == 1)} out"
            if flagged
            else f"No stimulus of {int(row['n_stimuli']):,} stands out"
        )
        said.append(
            f"{start} in {name_of(row['measure'])} of {name_of(row['a'])} and {name_of(row['b'])}: "
            f"{number(row['value'])}, and {number(row['without_most'])} without {name_of(row['most'])}."
        )
    return tuple(said)


def of_shape_space(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("value")
    n, attrs = result.data.sizes["system"], result.data.attrs
    said = []
    for word, row in (("nearest", frame.iloc[0]), ("farthest apart", frame.iloc[-1])):
        ends = span(row["ci_low"], row["ci_high"], percent(result))
        pair = f"{name_of(row['a'])} and {name_of(row['b'])}"
        said.append(f"Of {plural(n, 'system')}, {pair} are {word}: {number(row['value'])} rad{ends}.")
    if result.groups is not None:
        within, between, p = (float(result.groups[key]) for key in ("within", "between", "p"))
        chance = f" ({probability(p)})" if np.isfinite(p) else ""
        said.append(
            f"Systems of one group are {number(within)} rad apart, of different groups {number(between)}{chance}."
        )
    if attrs["metric"] == "yes":
        said.append("The distance is a metric.")
    else:
        broken = f"{attrs['violations']} of {attrs['triples']} triangles are broken"
        said.append(f"The distance is no metric ({visible(attrs['metric'])}); {broken}.")
    return tuple(said)
