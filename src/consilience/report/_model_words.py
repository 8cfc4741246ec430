"""What results about RDMs and models of them say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability
from consilience.report._phrases import ALPHA, held_out, name_of, percent, span
from consilience.report._words import listed, plural

__all__ = ["of_equivalence", "of_evaluation", "of_movie", "of_partition", "of_rdms"]


def of_rdms(result: Any) -> tuple[str, ...]:
    frame = result.to_frame()
    if "reliability" not in frame:
        return ()
    known = frame[np.isfinite(frame["reliability"].to_numpy(dtype=float))]
    if not len(known):
        n = plural(result.rdms.sizes["stimulus"], "stimulus")
        return (
            f"How reliable the RDMs over {n} are is not known: no halves of the trials could be compared.",
        )
    parts = [
        f"{name_of(row['system'])} {number(row['reliability'])}"
        f"{span(row['reliability_low'], row['reliability_high'], percent(result))}"
        for row in known.head(4).to_dict("records")
    ]
    more = f" and {len(known) - 4} more" if len(known) > 4 else ""
    return (f"RDMs of two halves of the trials agree: r of {', '.join(parts)}{more}.",)


def of_movie(result: Any) -> tuple[str, ...]:
    data, unit = result.data, str(result.settings.get("time_units", "s"))
    times, agreed = data["time"].values, data["reliability"].values
    said = []
    for model in data["model"].values.tolist()[:4] if "model" in data.dims else []:
        row = data.sel(model=model)
        values, p = row["value"].values, row["p_fwer"].values
        if not np.isfinite(values).any():
            continue
        at = int(np.nanargmax(values))
        ends = span(row["ci_low"].values[at], row["ci_high"].values[at], percent(result))
        peak = f"{number(values[at])} at {times[at]:g} {unit}{ends}"
        if not np.isfinite(p).any():
            said.append(f"{name_of(model)} is most alike with {peak}.")
        elif (p <= ALPHA).any():
            first, count = times[p <= ALPHA][0], int((p <= ALPHA).sum())
            said.append(
                f"{name_of(model)} is told from chance at {count} of {len(times)} times, first at {first:g} {unit} "
                f"(corrected over times); most with {peak}."
            )
        else:
            said.append(f"{name_of(model)} is told from chance at no time; its highest value is {peak}.")
    if np.isfinite(agreed).any():
        at = int(np.nanargmax(agreed))
        said.append(
            f"RDMs of two halves of the trials agree most at {times[at]:g} {unit}: r = {number(agreed[at])}."
        )
    return tuple(said)


def of_partition(result: Any) -> tuple[str, ...]:
    frame = result.to_frame()
    total = frame[frame["kind"] == "total"].iloc[0]
    models = [name_of(name) for name in result.coefficients["model"].values.tolist()]
    said = [
        f"{listed(models)} {'together explain' if len(models) > 1 else 'explains'} {number(total['value'])} of the "
        f"RDM's variance{span(total['ci_low'], total['ci_high'], percent(result))}"
        f"{held_out(total['held_out'])}."
    ]
    if np.isfinite(total["ceiling_high"]):
        said.append(
            f"The noise ceiling is {number(total['ceiling_low'])} to {number(total['ceiling_high'])}."
        )
    unique = frame[frame["kind"] == "unique"].sort_values("value", ascending=False)
    for row in unique.head(3).to_dict("records"):
        chance = (
            f" ({probability(row['p'])}; a model of noise gives {number(row['null_mean'])})"
            if np.isfinite(row["p"])
            else ""
        )
        if len(models) > 1:
            said.append(
                f"{name_of(row['models'])} alone adds {number(row['value'])} to what the other"
                f"{' models explain' if len(models) > 2 else ' model explains'}{chance}."
            )
    return tuple(said)


def of_evaluation(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("value", ascending=False)
    top, s = frame.iloc[0], result.settings
    both = "ci_both" if np.isfinite(top["ci_both_low"]) else "ci"
    over = "stimuli and subjects" if both == "ci_both" else "stimuli"
    ends = span(top[f"{both}_low"], top[f"{both}_high"], percent(result)).replace(
        "interval", f"interval over {over}"
    )
    fair = ", cross-validated" if s.get("cross_validated") else ""
    pairs = result.pairs_frame()
    of = f"Of {plural(len(frame), 'model')}, " if len(frame) > 1 else ""
    said = [
        f"{of}{name_of(top['model'])} {_best_or_highest(frame, pairs)}: "
        f"{name_of(s.get('method'))} {number(top['value'])}{ends}{fair}."
    ]
    tested = pairs[np.isfinite(pairs["p_corrected"].to_numpy(dtype=float))]
    if len(tested):
        worse = [
            other if one == top["model"] else one
            for one, other, p in zip(tested["model"], tested["other"], tested["p_corrected"])
            if top["model"] in (one, other) and p < ALPHA
        ]
        names = listed([name_of(name) for name in worse[:4]]) if worse else "none of the others"
        more = f" and {len(worse) - 4} more" if len(worse) > 4 else ""
        said.append(f"It is told apart from {names}{more} (paired tests, corrected over pairs).")
    low, high = (float(result.ceilings["value"].sel(bound=bound)) for bound in ("low", "high"))
    if np.isfinite(low):
        said.append(f"The noise ceiling is {number(low)} to {number(high)}.")
        p = float(top["p_ceiling_corrected"])
        if np.isfinite(p):
            below = "lies below its lower end" if p < ALPHA else "cannot be told from its lower end"
            said.append(f"{name_of(top['model'])} {below} ({probability(p)}).")
    else:
        said.append("No noise ceiling exists for these data.")
    return tuple(said)


def _best_or_highest(frame: Any, pairs: Any) -> str:
    """What is said of the model with the highest value: is it told apart from the next one?"""
    if len(frame) < 2:
        return "explains the data"
    both = {frame.iloc[0]["model"], frame.iloc[1]["model"]}
    p = next(
        (
            float(p)
            for one, other, p in zip(pairs["model"], pairs["other"], pairs["p_corrected"])
            if {one, other} == both
        ),
        float("nan"),
    )
    if p < ALPHA:
        return "explains the data best"
    chance = probability(p) if np.isfinite(p) else "no test was made"
    return f"has the highest value, but is not told apart from the next, {name_of(frame.iloc[1]['model'])} ({chance})"


def of_equivalence(result: Any) -> tuple[str, ...]:
    frame = result.to_frame()
    margin, said = float(result.settings["margin"]), []
    for row in frame[frame["target"] == "all"].head(4).to_dict("records"):
        if row["p_equivalent"] < ALPHA:
            verdict = f"shown to be as close to an animal as the other animals are, within {number(margin)}, on average"
        elif row["p_below"] < ALPHA:
            verdict = "shown to be less close to an animal than the other animals are"
        elif row["p_not_inferior"] < ALPHA:
            verdict = (
                f"shown to be no less close to an animal by {number(margin)} than the other animals are, but not to be "
                "as close"
            )
        else:
            verdict = (
                "neither shown to be as close to an animal as the other animals are nor to be less close"
            )
        said.append(
            f"{name_of(row['model'])} is {verdict}: model {number(row['value_model'])}, animals "
            f"{number(row['value_animals'])}, difference {number(row['difference'])}"
            f"{span(row['ci_low'], row['ci_high'], percent(result))}."
        )
        each = frame[(frame["model"] == row["model"]) & (frame["target"] != "all")]
        if len(each):
            worst = each.sort_values("difference").iloc[0]
            shown = int((each["p_equivalent"] < ALPHA).sum())
            said.append(
                f"Taken one by one, equivalence was shown for {shown} of {plural(len(each), 'animal')}; the worst is "
                f"{name_of(worst['target'])}, difference {number(worst['difference'])}"
                f"{span(worst['ci_low'], worst['ci_high'], percent(result))}."
            )
    return tuple(said)
