"""One block of a comparison: all pairs of two sides under one measure, with draws, null and ceilings, by
the measure's rule.

Each rule's engine gives the same few things, so that the verb has no branch for a measure:
    values (n_a, n_b), pooled (n_a, n_b), draws over stimuli / subjects / both (m, n_a, n_b), interval over
    stimuli, null (k, n_a, n_b), ceilings (n_a, n_b) x 2, and `halves`, the values on both halves of each
    split under each draw (for the nested best).
"""

from __future__ import annotations

from typing import Any

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.analyses._by_pairs import PairsBlock
from consilience.analyses._by_predictions import predictions_block
from consilience.analyses._by_subsets import whole_block
from consilience.analyses._design import Block, Design
from consilience.analyses._inputs import System
from consilience.analyses._models import constant_rdm
from consilience.measures import Measure
from consilience.measures._rdm_door import check_varies

__all__ = ["run_block"]


def run_block(
    measure: Measure, a: list[System], b: list[System], design: Design, *, who: str, device: Any = None
) -> Block:
    """All pairs of ``a`` and ``b`` under one measure."""
    rule = measure.claims.resample
    if any(s.rdms is not None for s in (*a, *b)) and not measure.claims.takes_rdms:
        named = next(s.name for s in (*a, *b) if s.rdms is not None)
        raise InputError(
            f"{who}: measure {measure.key!r} needs responses, and {named!r} is known by its RDM only; use "
            "'rsa' or 'cka'.",
            code="needs-responses",
        )
    if rule == "pairs":
        try:
            return PairsBlock(measure, a, b, design, device).block()
        except InputError as error:
            if error.code != "constant-rdm":
                raise
            raise _named(error, [*a, *b], who) from None
    if rule == "predictions":
        return predictions_block(measure, a, b, design, who)
    return whole_block(measure, a, b, design)


def _named(error: InputError, systems: list[System], who: str) -> InputError:
    """The same error with the name of the system whose RDM has no structure."""
    for system in systems:
        known = system.rdms if system.rdms is not None else list(system._rdms.values())
        for one in known:
            try:
                check_varies(one, one)
            except InputError:
                return constant_rdm(one, who, f"system {shorten(system.name, 60)}")
    return error
