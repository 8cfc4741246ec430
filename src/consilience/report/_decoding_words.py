"""What a `Decoding` says in words, and the caption of its figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability
from consilience.report._phrases import name_of
from consilience.report._words import plural

__all__ = ["decoding_caption", "decoding_sentences"]


def decoding_sentences(result: Any) -> tuple[str, ...]:
    s, d = result.settings, result.data
    score = str(s["score"]).replace("_", " ")
    timed = "time" in d.dims
    best = None
    if timed:
        mean = d["value"].values.mean(axis=0)
        best = int(mean.argmin() if s.get("higher") is False else mean.argmax())
    said = []
    for k, target in enumerate(d["target"].values.tolist()[:4]):
        row = d.isel(target=k) if best is None else d.isel(target=k, time=best)
        low, high, p = (float(row[v]) for v in ("ci_low", "ci_high", "p_fwer"))
        ends = (
            f" ({100 * float(s.get('level', 0.95)):g} % interval {number(low)} to {number(high)})"
            if np.isfinite(low)
            else ""
        )
        chance = f", where chance is {number(float(row['chance']))}"
        tested = f" ({probability(p)}{', corrected over times' if timed else ''})" if np.isfinite(p) else ""
        at = f" at its best time, {d['time'].values[best]:.4g} s" if best is not None else ""
        said.append(
            f"{name_of(target)} is decoded from {name_of(s['system'])} by {name_of(s['model_name'])} with a held-out "
            f"{score} of {number(float(row['value']))}{ends}{at}{chance}{tested}."
        )
    if timed and np.isfinite(d["p_fwer"].values).any():
        count = int((d["p_fwer"].values <= 0.05).any(axis=0).sum())
        first = f", the first of them {_minus(result.onset)} s" if result.onset is not None else ""
        said.append(
            f"It is above chance at {count} of {plural(d.sizes['time'], 'time')} (corrected over times){first}."
        )
    if result.per_class is not None and not timed and result.per_class.sizes["class"] > 2:
        recall = result.per_class["recall"].values
        names = result.per_class["class"].values.tolist()
        high, low = float(np.nanmax(recall)), float(np.nanmin(recall))
        said.append(
            f"All classes are right equally often ({number(high)})."
            if high == low
            else f"Most often right is {name_of(names[int(np.nanargmax(recall))])} ({number(high)}), "
            f"least often {name_of(names[int(np.nanargmin(recall))])} ({number(low)})."
        )
    return tuple(said)


def _minus(seconds: float) -> str:
    return f"{seconds:.4g}".replace("-", "−")


def decoding_caption(result: Any) -> str:
    timed, classes = "time" in result.data.dims, result.confusion is not None
    interval = bool(np.isfinite(result.data["ci_low"].values).any())
    if not timed and not classes:
        if "n_samples" in result.settings:
            return "Decoded (held out) and true values over a stretch in the middle of the recording."
        return "Decoded (held out) against true values; dashed: equal."
    said = []
    if timed:
        said.append(
            "Score at each time"
            + (" with its interval (band)" if interval else "")
            + "; dashed: chance"
            + (
                "; bars: told from chance, corrected over times."
                if np.isfinite(result.data["p_fwer"]).any()
                else "."
            )
        )
    if result.generalisation is not None:
        said.append(
            "Matrix: trained at one time, tested at another; outlined: told from chance, corrected over the matrix."
        )
    elif classes:
        said.append("Confusions: the share of each true class (row) that was decoded as each class.")
    if not timed and result.per_class is not None:
        said.append("Dots: recall of each class" + (" with its interval." if interval else "."))
    return " ".join(said)
