"""A module that is lesioned for whoever runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_places import Parts
from consilience.networks._lesion_replace import lesioned_values, skipped
from consilience.networks._lesion_run import Run
from consilience.networks._network import Network

__all__ = ["lesioned"]


@contextlib.contextmanager
def lesioned(
    net: Network,
    parts: Parts,
    mask: Any,
    *,
    how: Any = "mean",
    reference: Any = None,
    rng: np.random.Generator | None = None,
    device: str | None = None,
    who: str,
) -> Iterator[Network]:
    """While it is open the module itself is lesioned, for whoever runs it: parts ``mask`` (P,) removed, as in
    `Lesions`. Resampled and random values are drawn anew in each pass; ``reference`` defaults to the stimuli that the
    parts were made with. Hooks are removed whatever happens; a lesion that acted in no pass is an error.
    """
    data = parts.stimuli if reference is None else reference
    chosen = to_numpy(mask)
    if chosen.shape != (len(parts),) or chosen.dtype != bool:
        raise InputError(
            f"{who}: mask must be {len(parts)} booleans, one for each part; got {shorten(mask)}.",
            code="bad-shape",
        )
    with Run(net, data, parts, how=how, reference=data, rng=rng, device=device, who=who) as run:
        replacement, masks = run.replacement, chosen[None]
    draws = rng if rng is not None else np.random.default_rng(replacement.entropy)
    acted = np.zeros(len(parts.sites), dtype=bool)
    needed = np.array([bool(chosen[site.members].any()) for site in parts.sites])
    drawn = [0]

    def touch(number: int, call: int, x: Any, given: tuple[Any, ...]) -> Any:
        site, acted[number] = parts.sites[number], True
        if not needed[number]:
            return None
        wide = x[None]
        if isinstance(replacement.name(number), str) and replacement.name(number) == "skip":
            r = skipped(site.place, x, given, who=who)[None]
        else:
            r = replacement(number, call, wide, np.arange(x.shape[0]), drawn[0], x.shape[0])
        return lesioned_values(site, wide, r, masks)[0]

    def start(_module: Any, _args: Any) -> None:
        drawn[0] = int(draws.integers(2**62))

    with contextlib.ExitStack() as stack:
        handle = net.module.register_forward_pre_hook(start)
        stack.callback(handle.remove)
        stack.enter_context(acting(net, run.places, touch))
        yield net
    lacking = np.flatnonzero(needed & ~acted)
    if lacking.size:
        raise not_fired(net, run.places[int(lacking[0])].label, who=who)
