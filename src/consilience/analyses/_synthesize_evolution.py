"""`synthesize` without gradients: a search for each target, and one result of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._results import Synthesis
from consilience.networks import StimulusSearch, Unit
from consilience.networks._input_space import InputSpace

__all__ = ["evolve"]

WHO = "cs.synthesize"


def evolve(
    target: list[Unit] | Callable[[np.ndarray], Any],
    space: InputSpace,
    seed: Seed,
    options: dict[str, Any],
    callback: Callable[[StimulusSearch], Any] | None,
    device: str | None,
) -> Synthesis:
    """A search for each unit, or for the callable."""
    if callback is not None and not callable(callback):
        raise InputError(
            f"{WHO}: callback must take the search, after each generation, got {shorten(callback)}.",
            code="bad-parameter",
        )
    if not isinstance(target, list):
        name = getattr(target, "__name__", "neuron")
        name = "neuron" if name == "<lambda>" else name
        return _one(lambda shown: target(shown.values), space, seed, options, callback, name, name)
    found = [
        _one(
            lambda shown, unit=unit: unit.respond(shown, device=device),  # type: ignore[misc]
            space,
            seed.child(unit.name),
            options,
            callback,
            unit.network.name,
            unit.name,
        )
        for unit in target
    ]
    if len(found) == 1:
        return replace(found[0], seed=str(seed))
    presented = sum(one.settings["presentations"] for one in found)
    return replace(
        found[0],
        data=xr.concat(
            [one.data for one in found],
            dim="target",
            join="outer",
            data_vars="all",
            coords="minimal",
            compat="override",
        ),
        stimuli=xr.concat([one.stimuli for one in found], dim="stimulus", combine_attrs="override"),
        seed=str(seed),
        settings={**found[0].settings, "presentations": presented},
        methods=(f"{len(found)} stimuli were evolved in {presented} presentations.", *found[0].methods[1:]),
    )


def _one(
    show: Callable[[xr.DataArray], Any],
    space: InputSpace,
    seed: Seed,
    options: dict[str, Any],
    callback: Callable[[StimulusSearch], Any] | None,
    system: str,
    name: str,
) -> Synthesis:
    search = StimulusSearch(space=space, rng=seed, **options)
    while not search.done:
        shown = search.ask()
        responses = np.asarray(to_numpy(show(shown)), dtype=np.float64)
        if responses.shape != (len(shown),):
            raise InputError(
                f"{WHO}: the target must return one number per stimulus, ({len(shown)},) for a batch of shape "
                f"{shown.shape}; it returned shape {responses.shape}.",
                code="bad-shape",
            )
        search.tell(responses)
        if callback is not None and not search.done and callback(search) is True:
            search.stop()
    return search.result(system=system, target=name)
