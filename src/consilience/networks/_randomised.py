"""Copies of a network whose weights are randomised from the top down."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from consilience._core._errors import collect_cautions
from consilience._core._params import require
from consilience.networks._controls import _copy, _recalibrated, _tracked, permuted
from consilience.networks._network import Network

__all__ = ["randomised"]


def randomised(
    net: Network, data: xr.DataArray, seed: int, shares: Sequence[float], *, who: str
) -> list[tuple[float, int, Network]]:
    """Copies whose top layers have shuffled weights: (share, number of layers, network). A copy's shuffled layers are
    those of the copy before, and more; the last share, 1, is the whole network. Statistics of normalisation layers are
    recalibrated. Layers are counted in the module's order.
    """
    with collect_cautions():
        whole = permuted(net, seed=seed, stimuli=None if not _normalised(net) else data)
    other = dict(whole.module.named_parameters())
    owners = [
        name
        for name, child in net.module.named_modules()
        if any(True for _ in child.parameters(recurse=False))
    ]
    out: list[tuple[float, int, Network]] = []
    for share in shares:
        count = len(owners) if share >= 1 else max(1, round(share * len(owners)))
        if out and out[-1][1] == count:
            continue
        if count == len(owners):
            out.append((share, count, whole))
            continue
        copy = _copy(net, f"top{count}shuffled{seed}", who)
        chosen = set(owners[-count:])
        torch = require("torch", extra="torch", purpose=who)
        with torch.no_grad():
            for name, parameter in copy.module.named_parameters():
                if name.rpartition(".")[0] in chosen:
                    parameter.copy_(other[name])
        with collect_cautions():
            out.append((share, count, _recalibrated(copy, data if _normalised(net) else None, who)))
    return out


def _normalised(net: Network) -> bool:
    return bool(_tracked(net.module))
