"""What attribution maps, and their tests, say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import ALPHA, name_of
from consilience.report._words import plural

__all__ = ["of_attribution"]


def of_attribution(result: Any) -> tuple[str, ...]:
    d, s = result.data, result.settings
    said = [
        f"Maps of {plural(d.sizes['target'], 'target')} of {name_of(s.get('system'))} for {d.sizes['stimulus']:,} "
        f"stimuli, in places of the {s.get('coordinates')}; baseline: {s.get('baseline')}."
    ]
    dead = d["dead"].values
    if dead.any():
        said.append(f"{int(dead.sum()):,} of {dead.size:,} maps are 0 everywhere.")
    for name in d["map"].values.tolist():
        at, words = d.sel(map=name), []
        if "deletion_gain" in d:
            p = at["deletion_gain_p"].values
            gain = at["deletion_gain"].values
            if np.isfinite(gain).any():
                text = (
                    f"taking out patches in its order beats random orders by {number(np.nanmean(gain))} of f"
                )
                if np.isfinite(p).any():
                    text += f" (p at most {ALPHA:g} for {int((p <= ALPHA).sum())} of {p.size})"
                words.append(text)
        if "agreement" in d:
            last = at["agreement"].isel(layers_shuffled=-1).values
            if np.isfinite(last).any():
                words.append(f"rank correlation with maps of shuffled weights {number(np.nanmean(last))}")
        if words:
            said.append(f"{name}: {'; '.join(words)}.")
    return tuple(said[:8])
