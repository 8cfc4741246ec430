"""The principal components of a layer, as directions that lesions remove."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience.networks._chance import same_draws
from consilience.networks._forward import evaluation, run_block
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_places import Place
from consilience.networks._network import Network, block_of

__all__ = ["components"]

_BATCH = 32
_WIDEST = 8192  # units or channels; their covariance is kept


def components(
    net: Network, place: Place, stimuli: xr.DataArray, most: int | None, device: str | None, *, who: str
) -> np.ndarray:
    """(k, width) orthonormal rows, by falling variance: of a map the components of its channels, each place of each
    stimulus a sample; else of the units, each stimulus a sample. At most ``most``, and those with variance only.
    """
    width = place.n_channels
    if width > _WIDEST:
        raise InputError(
            f"{who}: principal components of {width:,} units of layer {place.label!r} are too many to take apart (at "
            f"most {_WIDEST:,}); give directions of your own.",
            code="too-large",
        )
    total, products, n = np.zeros(width), np.zeros((width, width)), 0

    def touch(_number: int, _call: int, x: Any, _given: Any) -> None:
        nonlocal total, products, n
        rows = x.movedim(place.channel_axis + 1, -1).reshape(-1, width).double().cpu().numpy()
        total, products, n = total + rows.sum(axis=0), products + rows.T @ rows, n + len(rows)

    kind = str(stimuli.attrs.get("kind", "array"))
    with evaluation(net, device, who=who) as target, acting(net, [place], touch), same_draws(0, target):
        for start in range(0, len(stimuli), _BATCH):
            run_block(net, block_of(stimuli, slice(start, start + _BATCH)), kind, target, who=who)
    if n == 0:
        raise not_fired(net, place.label, who=who)
    mean = total / n
    values, vectors = np.linalg.eigh(products / n - np.outer(mean, mean))
    rank = int((values > 1e-10 * max(values[-1], np.finfo(float).tiny)).sum())
    rank = min(rank, n - 1)
    if rank < 1:
        raise InputError(
            f"{who}: layer {place.label!r} does not vary over these stimuli, so it has no components; show others.",
            code="too-few",
        )
    return np.ascontiguousarray(vectors.T[::-1][: min(rank, most or rank)])
