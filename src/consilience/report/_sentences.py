"""What a result says in words: one entry per class of result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from consilience._results import Result
from consilience._results._quality import MEANING
from consilience.plots._labels import number, probability, shortened, visible
from consilience.report._decoding_words import decoding_sentences
from consilience.report._words import listed, plural

__all__ = ["SENTENCES", "sentences"]

ALPHA = 0.05


def sentences(result: Result) -> tuple[str, ...]:
    """The answer in words; where no words are known, what the result prints of itself."""
    words = SENTENCES.get(type(result).__name__)
    return words(result) if words is not None else tuple(line.strip() for line in result._lines()[:3])


def _span(low: Any, high: Any, percent: str = "95 %") -> str:
    """`` (95 % interval 0.1 to 0.3)``, or nothing."""
    low, high = float(low), float(high)
    return (
        f" ({percent} interval {number(low)} to {number(high)})"
        if np.isfinite(low) and np.isfinite(high)
        else ""
    )


def _percent(result: Any) -> str:
    return f"{100 * float(result.settings.get('level', 0.95)):g} %"


def _held_out(value: Any) -> str:
    return f", {number(value)} on stimuli left out of the fit" if np.isfinite(value) else ""


def _name(value: object) -> str:
    return shortened(visible(value), 60)


def _best(result: Any) -> tuple[str, ...]:
    said = []
    for one in list(result)[:4]:
        ends = one.interval or (np.nan, np.nan)
        row = {dim: _name(one.data[dim].values[0]) for dim in ("measure", one.other)}
        said.append(
            f"By {row['measure']}, {_name(one.layer)} is the most like {row[one.other]}: {number(one.value)}"
            f"{_span(*ends)}, on other stimuli than it was chosen on."
        )
    return tuple(said)


def _influence(result: Any) -> tuple[str, ...]:
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
            f"{start} in {_name(row['measure'])} of {_name(row['a'])} and {_name(row['b'])}: "
            f"{number(row['value'])}, and {number(row['without_most'])} without {_name(row['most'])}."
        )
    return tuple(said)


def _quality(result: Any) -> tuple[str, ...]:
    said = []
    units = result.data.sizes["unit"]
    for name in result.data["measure"].values.tolist():
        at = result.data.sel(measure=name)
        value, q = at["value"].values, at["q"].values
        known = value[np.isfinite(value)]
        words, unit, sure = MEANING[name]
        if not known.size or name in ("split_half", "tuning_snr", "cv", "lv"):
            continue
        text = f"{words[0].upper()}{words[1:]} of {known.size:,} of {plural(units, 'unit')}: median "
        text += f"{number(np.median(known))}{' ' + unit if unit else ''}"
        text += f", {number(known.min())} to {number(known.max())}"
        if np.isfinite(q).any():
            text += (
                f"; {int((q <= ALPHA).sum()):,} of {int(np.isfinite(q).sum()):,} {sure} (q at most {ALPHA:g})"
            )
        said.append(text + ".")
    return tuple(said[:6])


def _psth(result: Any) -> tuple[str, ...]:
    data, unit = result.data, str(result.settings.get("time_units", "s"))
    times, mean = data["time"].values, data["mean"].mean("unit")
    said = [
        f"Means over trials of {plural(data.sizes['condition'], 'condition')} ({_name(result.settings.get('by', ''))}) "
        f"at {plural(times.size, 'time')}, {plural(data.sizes['unit'], 'unit')}."
    ]
    for name in data["condition"].values.tolist()[:4]:
        row = mean.sel(condition=name).values
        if np.isfinite(row).any():
            at = int(np.nanargmax(row))
            said.append(
                f"{_name(name)} is highest at {times[at]:g} {unit}: {number(row[at])} "
                f"({result.settings.get('values', '')}), mean of all units."
            )
    return tuple(said)


def _partition(result: Any) -> tuple[str, ...]:
    frame = result.to_frame()
    total = frame[frame["kind"] == "total"].iloc[0]
    models = [_name(name) for name in result.coefficients["model"].values.tolist()]
    said = [
        f"{listed(models)} {'together explain' if len(models) > 1 else 'explains'} {number(total['value'])} of the "
        f"RDM's variance{_span(total['ci_low'], total['ci_high'], _percent(result))}"
        f"{_held_out(total['held_out'])}."
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
                f"{_name(row['models'])} alone adds {number(row['value'])} to what the other"
                f"{' models explain' if len(models) > 2 else ' model explains'}{chance}."
            )
    return tuple(said)


def _shape_space(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("value")
    n, attrs = result.data.sizes["system"], result.data.attrs
    said = []
    for word, row in (("nearest", frame.iloc[0]), ("farthest apart", frame.iloc[-1])):
        ends = _span(row["ci_low"], row["ci_high"], _percent(result))
        pair = f"{_name(row['a'])} and {_name(row['b'])}"
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


def _movie(result: Any) -> tuple[str, ...]:
    data, unit = result.data, str(result.settings.get("time_units", "s"))
    times, agreed = data["time"].values, data["reliability"].values
    said = []
    for model in data["model"].values.tolist()[:4] if "model" in data.dims else []:
        row = data.sel(model=model)
        values, p = row["value"].values, row["p_fwer"].values
        if not np.isfinite(values).any():
            continue
        at = int(np.nanargmax(values))
        ends = _span(row["ci_low"].values[at], row["ci_high"].values[at], _percent(result))
        peak = f"{number(values[at])} at {times[at]:g} {unit}{ends}"
        if not np.isfinite(p).any():
            said.append(f"{_name(model)} is most alike with {peak}.")
        elif (p <= ALPHA).any():
            first, count = times[p <= ALPHA][0], int((p <= ALPHA).sum())
            said.append(
                f"{_name(model)} is told from chance at {count} of {len(times)} times, first at {first:g} {unit} "
                f"(corrected over times); most with {peak}."
            )
        else:
            said.append(f"{_name(model)} is told from chance at no time; its highest value is {peak}.")
    if np.isfinite(agreed).any():
        at = int(np.nanargmax(agreed))
        said.append(
            f"RDMs of two halves of the trials agree most at {times[at]:g} {unit}: r = {number(agreed[at])}."
        )
    return tuple(said)


def _agreement(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("tau")
    same = int(frame["same_ranking"].astype(bool).sum())
    split = result.pairs["split"].values
    said = [
        f"{same} of {plural(len(frame), 'pair')} of measures rank the systems alike; "
        f"{int(split.sum())} of {plural(split.size, 'pair')} of systems are ordered differently by some measures."
    ]
    row = frame.iloc[0]
    if not bool(row["same_ranking"]):
        ends = _span(row["tau_low"], row["tau_high"], _percent(result))
        said.append(
            f"Least agree {_name(row['measure'])} and {_name(row['measure_'])} for {_name(row['b'])}: "
            f"tau = {number(row['tau'])}{ends}."
        )
    return tuple(said)


def _deciding(result: Any) -> tuple[str, ...]:
    at, s = result.data, result.settings
    first, second = _name(s["first"]), _name(s["second"])
    ahead, n = (first if result.difference >= 0 else second), int(at["n_stimuli"])
    said = [
        f"By {_name(s['measure'])}, {first} has {number(float(at['value_first']))} with {_name(s['b'])} and {second} "
        f"{number(float(at['value_second']))} (jackknife standard error of the difference {number(float(at['se']))})."
    ]
    flips = float(at["n_to_flip"])
    if "p" in at and abs(result.difference) > 1e-12:
        told = "is told apart from 0" if result.told_apart else "is not told apart from 0"
        ends = _span(at["ci_low"], at["ci_high"], _percent(result))
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


def _searchlight(result: Any) -> tuple[str, ...]:
    value, total = result.data["value"].values, result.data.sizes["unit"]
    if not np.isfinite(value).any():
        return ("No centre has a value.",)
    row = result.data.isel(unit=int(np.nanargmax(value)))
    ends = _span(row["ci_low"], row["ci_high"], _percent(result))
    said = []
    if np.isfinite(row["p_fwer"]):
        found, wide = (int((result.data[key].values <= ALPHA).sum()) for key in ("p_fwer", "q"))
        said.append(
            f"{found:,} of {plural(total, 'centre')} are told from chance (corrected over centres, maximum statistic); "
            f"{wide:,} at a false discovery rate of 0.05."
        )
    said.append(
        f"The highest value, around {_name(row['unit'].item())}, is {number(row['value'].item())}{ends}."
    )
    return tuple(said)


def _encoding(result: Any) -> tuple[str, ...]:
    s, d = result.settings, result.data
    low, high = result.interval
    over = ("time" if "n_samples" in s else "stimuli") + " and units" * (d.sizes["unit"] != 1)
    p, ceiling = d["p_fwer"].values, d["ceiling"].values
    ends = _span(low, high, _percent(result)).replace("interval", f"interval over {over}")
    said = [
        f"{_name(s.get('x'))} predicts {plural(d.sizes['unit'], 'unit')} of {_name(s.get('y'))} with a median held-out "
        f"r of {number(result.value)}{ends}."
    ]
    if np.isfinite(p).any():
        said.append(f"{int((p < ALPHA).sum()):,} units are told from chance (corrected over units).")
    if np.isfinite(ceiling).any():
        unreliable = d["unreliable"].values.astype(bool)
        ratio = d["ratio"].values[~unreliable & np.isfinite(d["ratio"].values)]
        of = (
            f", the median of r over ceiling {number(np.median(ratio))} of reliable units"
            if ratio.size
            else ""
        )
        said.append(
            f"The median noise ceiling is {number(np.nanmedian(ceiling))}{of}; {int(unreliable.sum()):,} units are not "
            "reliable."
        )
    if result.bands is not None:
        parts = [
            f"{_name(band)} {number(float(result.bands['unique'].sel(band=band).median()))}"
            for band in result.bands["band"].values.tolist()
        ]
        said.append(f"Median R2 that only one feature space explains: {', '.join(parts[:6])}.")
    return tuple(said)


def _evaluation(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("value", ascending=False)
    top, s = frame.iloc[0], result.settings
    both = "ci_both" if np.isfinite(top["ci_both_low"]) else "ci"
    over = "stimuli and subjects" if both == "ci_both" else "stimuli"
    ends = _span(top[f"{both}_low"], top[f"{both}_high"], _percent(result)).replace(
        "interval", f"interval over {over}"
    )
    fair = ", cross-validated" if s.get("cross_validated") else ""
    pairs = result.pairs_frame()
    of = f"Of {plural(len(frame), 'model')}, " if len(frame) > 1 else ""
    said = [
        f"{of}{_name(top['model'])} {_best_or_highest(frame, pairs)}: "
        f"{_name(s.get('method'))} {number(top['value'])}{ends}{fair}."
    ]
    tested = pairs[np.isfinite(pairs["p_corrected"].to_numpy(dtype=float))]
    if len(tested):
        worse = [
            other if one == top["model"] else one
            for one, other, p in zip(tested["model"], tested["other"], tested["p_corrected"])
            if top["model"] in (one, other) and p < ALPHA
        ]
        names = listed([_name(name) for name in worse[:4]]) if worse else "none of the others"
        more = f" and {len(worse) - 4} more" if len(worse) > 4 else ""
        said.append(f"It is told apart from {names}{more} (paired tests, corrected over pairs).")
    low, high = (float(result.ceilings["value"].sel(bound=bound)) for bound in ("low", "high"))
    if np.isfinite(low):
        said.append(f"The noise ceiling is {number(low)} to {number(high)}.")
        p = float(top["p_ceiling_corrected"])
        if np.isfinite(p):
            below = "lies below its lower end" if p < ALPHA else "cannot be told from its lower end"
            said.append(f"{_name(top['model'])} {below} ({probability(p)}).")
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
    return f"has the highest value, but is not told apart from the next, {_name(frame.iloc[1]['model'])} ({chance})"


def _contrasts(result: Any) -> tuple[str, ...]:
    frame = result.to_frame().sort_values("p_corrected", kind="stable")
    sure = frame[frame["p_corrected"] < ALPHA]
    one = len(frame) == 1
    said = [
        f"{len(sure):,} of {plural(len(frame), 'difference')} between systems {'is' if one else 'are'} told apart "
        f"from 0 (corrected: {_name(result.settings.get('correction'))})."
    ]
    for row in sure.head(3).to_dict("records"):
        both = "ci_both" if np.isfinite(row["ci_both_low"]) else "ci"
        ends = _span(row[f"{both}_low"], row[f"{both}_high"], _percent(result))
        said.append(
            f"{_name(row['first'])} minus {_name(row['second'])}, in {_name(row['measure'])} with "
            f"{_name(row['against'])}, is {number(row['difference'])}{ends}."
        )
    return tuple(said)


def _equivalence(result: Any) -> tuple[str, ...]:
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
            f"{_name(row['model'])} is {verdict}: model {number(row['value_model'])}, animals "
            f"{number(row['value_animals'])}, difference {number(row['difference'])}"
            f"{_span(row['ci_low'], row['ci_high'], _percent(result))}."
        )
        each = frame[(frame["model"] == row["model"]) & (frame["target"] != "all")]
        if len(each):
            worst = each.sort_values("difference").iloc[0]
            shown = int((each["p_equivalent"] < ALPHA).sum())
            said.append(
                f"Taken one by one, equivalence was shown for {shown} of {plural(len(each), 'animal')}; the worst is "
                f"{_name(worst['target'])}, difference {number(worst['difference'])}"
                f"{_span(worst['ci_low'], worst['ci_high'], _percent(result))}."
            )
    return tuple(said)


def _rdms(result: Any) -> tuple[str, ...]:
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
        f"{_name(row['system'])} {number(row['reliability'])}"
        f"{_span(row['reliability_low'], row['reliability_high'], _percent(result))}"
        for row in known.head(4).to_dict("records")
    ]
    more = f" and {len(known) - 4} more" if len(known) > 4 else ""
    return (f"RDMs of two halves of the trials agree: r of {', '.join(parts)}{more}.",)


SENTENCES: Mapping[str, Callable[[Any], tuple[str, ...]]] = {
    "Best": _best,
    "Agreement": _agreement,
    "Contrasts": _contrasts,
    "Equivalence": _equivalence,
    "DecidingStimuli": _deciding,
    "Decoding": decoding_sentences,
    "Encoding": _encoding,
    "Influence": _influence,
    "PSTH": _psth,
    "Quality": _quality,
    "ModelEvaluation": _evaluation,
    "RDMMovie": _movie,
    "RDMs": _rdms,
    "Searchlight": _searchlight,
    "ShapeSpace": _shape_space,
    "VariancePartition": _partition,
}
