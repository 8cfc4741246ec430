"""What results of single units say: quality, mean responses, encoding, searchlight."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._results._quality import MEANING
from consilience._results._unit_table import TUNING
from consilience.plots._labels import number
from consilience.report._phrases import ALPHA, name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_encoding", "of_psth", "of_quality", "of_receptive_field", "of_searchlight", "of_unit_table"]


def of_quality(result: Any) -> tuple[str, ...]:
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


def of_psth(result: Any) -> tuple[str, ...]:
    data, unit = result.data, str(result.settings.get("time_units", "s"))
    times, mean = data["time"].values, data["mean"].mean("unit")
    said = [
        f"Means over {_conditions(result)} at {plural(times.size, 'time')}, "
        f"{plural(data.sizes['unit'], 'unit')}."
    ]
    for name in data["condition"].values.tolist()[:4]:
        row = mean.sel(condition=name).values
        if np.isfinite(row).any():
            at = int(np.nanargmax(row))
            said.append(
                f"{name_of(name)} is highest at {times[at]:g} {unit}: {number(row[at])} "
                f"({result.settings.get('values', '')}), mean of all units."
            )
    return tuple(said)


def of_receptive_field(result: Any) -> tuple[str, ...]:
    data, said = result.data, result.settings
    units, unit = data.sizes["unit"], str(said.get("lag_unit", "frames"))
    what = "frames" if said.get("series") else "stimuli"
    out = [
        f"Fields of {plural(units, 'unit')} by {said.get('method')}, from {said.get('n_frames'):,} {what}."
    ]
    q, score = data["q"].values, data["score"].values
    if np.isfinite(q).any():
        out.append(
            f"{int((q <= ALPHA).sum()):,} of {int(np.isfinite(q).sum()):,} hang on the stimulus (q at most {ALPHA:g})."
        )
    if np.isfinite(score).any():
        best = data.isel(unit=int(np.nanargmax(score)))
        ends = span(best["score_low"], best["score_high"], percent(result))
        out.append(
            f"Correlation with responses held out: median {number(np.nanmedian(score))}; highest that of "
            f"{name_of(best['unit'].item())}, {number(best['score'].item())}{ends}."
        )
    for name, words in (("ceiling", "Noise ceiling"), ("bits_per_spike", "Bits per spike")):
        known = data[name].values[np.isfinite(data[name].values)]
        if known.size:
            out.append(f"{words}: median {number(np.median(known))} of {plural(known.size, 'unit')}.")
    if data.sizes["lag"] > 1 and np.isfinite(data["peak_lag"]).any():
        out.append(
            f"The largest effect comes {number(float(data['peak_lag'].median()))} {unit} before (median)."
        )
    return tuple(out)


def _conditions(result: Any) -> str:
    by = result.settings.get("by", "")
    if by is None:
        return "all trials"
    return f"trials of {plural(result.data.sizes['condition'], 'condition')} ({name_of(by)})"


def of_encoding(result: Any) -> tuple[str, ...]:
    s, d = result.settings, result.data
    low, high = result.interval
    over = ("time" if "n_samples" in s else "stimuli") + " and units" * (d.sizes["unit"] != 1)
    p, ceiling = d["p_fwer"].values, d["ceiling"].values
    ends = span(low, high, percent(result)).replace("interval", f"interval over {over}")
    said = [
        f"{name_of(s.get('x'))} predicts {plural(d.sizes['unit'], 'unit')} of {name_of(s.get('y'))} with a median "
        f"held-out r of {number(result.value)}{ends}."
    ]
    if "d2" in d:
        said.append(_deviance(d))
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
            f"{name_of(band)} {number(float(result.bands['unique'].sel(band=band).median()))}"
            for band in result.bands["band"].values.tolist()
        ]
        said.append(f"Median R2 that only one feature space explains: {', '.join(parts[:6])}.")
    return tuple(said)


def _deviance(d: Any) -> str:
    """Share of deviance of a model of counts, over units."""
    bits = f" ({number(float(d['bits_per_spike'].median()))} bits per spike)" if "bits_per_spike" in d else ""
    said = (
        f"In the median unit {number(float(d['d2'].median()))} of the deviance that a constant mean leaves is "
        f"explained{bits}"
    )
    if "d2_low" in d and np.isfinite(d["d2_low"]).any():
        above = int((d["d2_low"] > 0).sum())
        said += f"; the interval lies above 0 in {above:,} of {d.sizes['unit']:,}"
    return said + "."


def of_searchlight(result: Any) -> tuple[str, ...]:
    value, total = result.data["value"].values, result.data.sizes["unit"]
    if not np.isfinite(value).any():
        return ("No centre has a value.",)
    row = result.data.isel(unit=int(np.nanargmax(value)))
    ends = span(row["ci_low"], row["ci_high"], percent(result))
    said = []
    if np.isfinite(row["p_fwer"]):
        found, wide = (int((result.data[key].values <= ALPHA).sum()) for key in ("p_fwer", "q"))
        said.append(
            f"{found:,} of {plural(total, 'centre')} are told from chance (corrected over centres, maximum statistic); "
            f"{wide:,} at a false discovery rate of 0.05."
        )
    said.append(
        f"The highest value, around {name_of(row['unit'].item())}, is {number(row['value'].item())}{ends}."
    )
    return tuple(said)


def of_unit_table(result: Any) -> tuple[str, ...]:
    s = result.settings
    rows = str(s.get("rows", "rows"))
    said = [
        f"Tuning of {plural(result.data.sizes['unit'], 'unit')} of {name_of(s.get('system'))} to "
        f"{name_of(s.get('by'))}, over {int(s.get('n_rows', 0)):,} {rows}."
    ]
    first = str(result.data["measure"].values[0])
    several = len(result._systems()) > 1
    for row in result.profile(first if several else None).to_dict("records"):
        words = TUNING[row["measure"]][0]
        what = f"{name_of(row['system'])}: {words}" if several else f"{words[0].upper()}{words[1:]}"
        if not row["n_units"]:
            continue
        text = f"{what}: median {number(row['corrected'])} corrected, {number(row['value'])} as published"
        text += f", {number(row['floor'])} for untuned units" if np.isfinite(row["floor"]) else ""
        if np.isfinite(row["tuned"]):
            text += f"; {row['tuned']:.0%} of {plural(row['n_units'], 'unit')} told from chance (q at most {ALPHA:g})"
        said.append(text + ".")
    return tuple(said[:12])
