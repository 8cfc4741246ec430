"""What `rdms` says of its own choices: the distance it fell back to, and why there is no reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import warn
from consilience._core._params import shorten
from consilience.analyses._inputs import System
from consilience.analyses._trial_rdms import CROSS_VALIDATED

__all__ = ["has_repeats", "say_of_fallback", "say_of_no_reliability"]


def say_of_fallback(single: Mapping[str, np.ndarray], given: Mapping[str, xr.DataArray]) -> None:
    """Says that stimuli with a single trial, in systems that do repeat others, made the distance that of averages."""
    partly = {name: ids for name, ids in single.items() if ids.size < np.unique(given[name]["stimulus"]).size}
    if not partly:
        return
    name, ids = next(iter(partly.items()))
    listed = ", ".join(shorten(i, 40) for i in ids[:3].tolist()) + (", ..." if ids.size > 3 else "")
    of_one = "1 stimulus has" if ids.size == 1 else f"{ids.size} stimuli have"
    warn(
        "distance-of-averages",
        f"The distance is correlation, of averages over repeats, for all systems: crossnobis, the default for repeats, "
        f"needs at least 2 valid trials of every stimulus, and {of_one} a single one in {shorten(name, 40)} ({listed})"
        f"{f', likewise {len(partly) - 1} more systems' if len(partly) > 1 else ''}.",
        "Leave those stimuli out of all systems to have crossnobis, or name the distance (correlation) if it is meant.",
    )


def has_repeats(system: System, given: xr.DataArray, by: str) -> bool:
    """Responses of which repeats were spoken, whether or not every stimulus has two."""
    return system.trials is not None or (
        system.responses is not None and by == "stimulus" and "repeat" in given.coords
    )


def say_of_no_reliability(
    systems: Sequence[System], distance: str, noise: Any, folds: str | None, n: int
) -> None:
    """One warning for each reason why systems with repeats have no reliability."""
    found: dict[tuple[str, str], list[str]] = {}
    for system in systems:
        found.setdefault(_why_none(system, distance, noise, folds, n), []).append(shorten(system.name, 40))
    for (reason, remedy), names in found.items():
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        warn("reliability-missing", f"No reliability of the RDM of {listed}: {reason}.", remedy)


def _why_none(system: System, distance: str, noise: Any, folds: str | None, n: int) -> tuple[str, str]:
    if n < 4:
        return f"it is an agreement over stimuli, and {n} are too few", "4 stimuli or more have one."
    if system.trials is None:
        return (
            "not every stimulus has two valid trials, so that the trials cannot be halved",
            "Leave out the stimuli with a single trial, or give more trials of them.",
        )
    named = noise.get(system.name) if isinstance(noise, Mapping) else noise
    estimated = distance in ("crossnobis", "mahalanobis") and isinstance(named, str)
    if distance in CROSS_VALIDATED or estimated:
        trials = 4 if distance in CROSS_VALIDATED else 2
        what = f"trials of every stimulus{f' in {trials} folds ({folds})' if folds else ''}"
        return (
            f"a half of its trials is too small for {distance}"
            + (" with a noise covariance estimated from that half" if estimated else ""),
            f"It takes at least {trials} {what}"
            + (", and some 6 to estimate the noise of a half; noise=None needs none" if estimated else "")
            + ". A plain distance (correlation) takes 2.",
        )
    return (
        f"a half of the {f'folds ({folds})' if folds else 'trials'} lacks a stimulus, or has an RDM of equal entries",
        "Give folds that each have every stimulus, or leave folds out." if folds else "Check its responses.",
    )
