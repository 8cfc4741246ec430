"""What stimuli made for units say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import ALPHA, name_of
from consilience.report._words import plural

__all__ = ["of_synthesis"]


def of_synthesis(result: Any) -> tuple[str, ...]:
    d, s = result.data, result.settings
    value = d["value"].values
    made = np.isfinite(value)
    targets = plural(d.sizes["target"], "target")
    said = [
        f"Stimuli were made for {targets} of {name_of(s.get('system'))}, each from "
        f"{plural(d.sizes['seed'], 'start')}."
    ]
    if not made.all():
        said.append(f"{int((~made).sum())} of them have none: no start had a gradient.")
    p = d["p"].values
    if np.isfinite(p).any():
        said.append(
            f"{int((p <= ALPHA).sum())} of {int(np.isfinite(p).sum())} are above stimuli of the same spectrum with "
            f"random phases (p at most {ALPHA:g})."
        )
    best = d["natural_best"].values
    if np.isfinite(best).any():
        said.append(
            f"{int((value > best)[made].sum())} of {int(made.sum())} drive their target more than each of "
            f"{int(s.get('n_natural', 0)):,} natural stimuli."
        )
    agree = d["agreement_shifted"].values
    if np.isfinite(agree).any():
        said.append(
            f"Stimuli of different starts have a median cosine of {number(float(np.nanmedian(agree)))} at the best "
            "shift"
            + (
                f", {number(float(np.nanmedian(d['agreement_null'].values)))} with random phases."
                if np.isfinite(d["agreement_null"]).any()
                else "."
            )
        )
    check = d["check_p"].values
    if np.isfinite(check).any():
        said.append(
            f"In {name_of(s.get('check'))}, which they were not made for, {int((check <= ALPHA).sum())} of "
            f"{int(np.isfinite(check).sum())} are above stimuli with random phases."
        )
    return tuple(said)
