"""Doubts about lesions: choices of ``how`` that disagree, activations far from intact ones, parts without effect."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr

from consilience._core._errors import warn
from consilience.analyses._ablate_runs import Job, how_name
from consilience.analyses._ablate_scores import Scores
from consilience.stats import EffectAgreement, effect_agreement

__all__ = ["agreements", "check_other_hows", "compared_with", "say_doubts"]

ALIKE = 0.7  # a rank correlation below it is disagreement
APART = 0.5  # so is a larger share of parts whose impacts differ
FAR = 2.0  # distance of activations from intact ones, as a multiple
_SAMPLE_PARTS, _SAMPLE_STIMULI = 16, 256
_OTHERS = ("zero", "mean", "resample")


def agreements(
    intact: Scores, singles: Mapping[str, Scores], *, n_boot: int, level: float, rng: np.random.Generator
) -> list[tuple[str, str, EffectAgreement]]:
    """Of each pair of choices of ``how``."""
    out = []
    for a, b in itertools.combinations(singles, 2):
        one, two = singles[a].lost(intact), singles[b].lost(intact)
        if one is not None and two is not None and one.size and one.shape[1] > 1:
            out.append((a, b, effect_agreement(one, two, n_boot=n_boot, level=level, rng=rng)))
    return out


def check_other_hows(
    job: Job, how: str, *, n_boot: int, level: float
) -> tuple[list[tuple[str, str, EffectAgreement]], int]:
    """``how`` against the other usual choices on a few parts and stimuli, and how many lesions that took."""
    rng = job.seed.stream("check how")
    count, n = len(job.parts), job.data.shape[0]
    chosen = np.sort(rng.permutation(count)[:_SAMPLE_PARTS])
    rows = np.sort(rng.permutation(n)[:_SAMPLE_STIMULI])
    side = job.side(rows)
    masks = np.zeros((chosen.size, count), dtype=bool)
    masks[np.arange(chosen.size), chosen] = True
    found: dict[str, Scores] = {}
    intact, lesions = None, 0
    for one in dict.fromkeys((how, *_OTHERS)):
        with job.open(one, side.data) as run:
            intact = job.scores(run, side, None, [0])
            found[one] = job.scores(run, side, masks, job.draws(one))
        lesions += chosen.size * len(job.draws(one))
    assert intact is not None
    every = agreements(intact, found, n_boot=n_boot, level=level, rng=rng)
    return [pair for pair in every if how in pair[:2]], lesions


def say_doubts(
    data: xr.Dataset, curves: xr.Dataset | None, found: list[tuple[str, str, EffectAgreement]], sampled: bool
) -> None:
    """Warns of what the tables show."""
    said, pairs = [], []
    for a, b, one in found:
        reasons = []
        if np.isfinite(one.correlation) and (one.high if np.isfinite(one.high) else one.correlation) < ALIKE:
            reasons.append(f"rank correlation {one.correlation:.2f} [{one.low:.2f}, {one.high:.2f}]")
        if one.n_apart > APART * one.n_parts:
            reasons.append(f"{one.n_apart} of {one.n_parts} parts differ by more than half")
        if reasons:
            pairs.append(f"{a} and {b}")
            said.append(f"{a} and {b}: {', '.join(reasons)}")
    turned = _curve_reasons(curves)
    if said or turned:
        which = ", ".join(pairs[:2]) + (f" (+{len(pairs) - 2})" if len(pairs) > 2 else "")
        where = ", on a sample of parts" if sampled else ""
        warn(
            "lesions-disagree",
            f"What is lost hangs on how: {which or turned[0]}{where}.",
            f"{'; '.join([*said, *turned][:4])}. Run how=['zero', 'mean', 'resample'] and report all; 'resample' keeps "
            "activations nearest to real ones.",
        )
    _say_far(data, curves)
    if "unchanged" in data and data.sizes["part"] and bool(data["unchanged"].any()):
        for how in data["how"].values.tolist():
            count = int(data["unchanged"].sel(how=how).sum())
            if 2 * count > data.sizes["part"]:  # units that never answer are common, and 0 already
                warn(
                    "lesion-without-effect",
                    f"how={how!r} changed no activation of {count} of {data.sizes['part']} parts.",
                    "They have the replaced value for every stimulus already, so their impact is 0 whatever they do: "
                    "show stimuli that drive them, or leave them out.",
                )


def _curve_reasons(curves: xr.Dataset | None) -> list[str]:
    """Orders that stand on the other side of random ones under another ``how``."""
    if curves is None or curves.sizes["how"] < 2:
        return []
    said = []
    low, high = curves["difference_low"], curves["difference_high"]
    for order in curves["order"].values.tolist():
        above = [h for h in curves["how"].values.tolist() if float(low.sel(how=h, order=order)) > 0]
        below = [h for h in curves["how"].values.tolist() if float(high.sel(how=h, order=order)) < 0]
        if above and below:
            said.append(
                f"order {order!r} costs less than random under {', '.join(above)}, more under {', '.join(below)}"
            )
    return said


def _say_far(data: xr.Dataset, curves: xr.Dataset | None) -> None:
    for how in data["how"].values.tolist():
        reasons = []
        if data.sizes["part"]:
            middle = (
                float(np.nanmedian(data["off_distribution"].sel(how=how).values))
                if np.isfinite(data["off_distribution"].sel(how=how).values).any()
                else np.nan
            )
            if middle > FAR:
                reasons.append(
                    f"{middle:.3g} times that of intact ones with one part removed (median over parts)"
                )
        if curves is not None:
            at = curves["off_distribution"].sel(how=how)
            half = at.isel(step=int(np.argmin(np.abs(curves["fraction"].values - 0.5)))).values
            if np.isfinite(half).any() and np.nanmax(half) > FAR:
                reasons.append(
                    f"{np.nanmax(half):.3g} times that of intact ones with half of the parts removed"
                )
        if reasons:
            warn(
                "off-distribution",
                f"how={how!r}: activations downstream are where intact ones never are.",
                f"Their distance is {' and '.join(reasons)}. A loss may then be that of a network out of its range, "
                "not of the part; compare with how='resample'.",
            )


def compared_with(hows: list[object]) -> str | None:
    """The one choice that is checked against the others; None where there is no such check."""
    names = [how_name(how) for how in hows]
    return (
        names[0] if len(hows) == 1 and isinstance(hows[0], str) and names[0] in (*_OTHERS, "noise") else None
    )
