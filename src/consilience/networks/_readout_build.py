"""What `Readout.fit` is made of: checks, features of the core, the split, an untrained member."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience.networks._network import Network
from consilience.networks._random import GLOBAL_GENERATOR
from consilience.networks._readout_data import Shown, as_stimuli, layout_of
from consilience.networks._readout_modules import (
    Core,
    FactorisedReadout,
    FrozenCore,
    GaussianReadout,
    Member,
    as_map,
)
from consilience.networks._record import record

__all__ = [
    "FEWEST",
    "Reshaped",
    "check_options",
    "check_units",
    "device_of",
    "features_of",
    "loss_of",
    "scales_of",
    "split_rows",
    "untrained_member",
]

_WHO = "cs.models.Readout"
FEWEST = 20  # stimuli; of fewer, no part can be held out that says when to stop


def check_options(model: Any) -> None:
    check_option(model.readout, ["gaussian", "factorised"], name="readout", who=_WHO)
    check_option(model.loss, ["auto", "poisson", "gaussian"], name="loss", who=_WHO)
    for name, minimum in (
        ("n_models", 1),
        ("batch_size", 2),
        ("max_epochs", 1),
        ("patience", 1),
        ("n_drops", 0),
    ):
        check_count(getattr(model, name), name=name, who=_WHO, minimum=minimum)
    check_count(model.kernel, name="kernel", who=_WHO, minimum=1)
    check_number(model.held_out, name="held_out", who=_WHO, low=0.0, high=0.8)
    check_number(model.learning_rate, name="learning_rate", who=_WHO, low=0.0)
    for name in ("smoothness", "sparsity"):
        check_number(getattr(model, name), name=name, who=_WHO, low=0.0, high=np.inf, closed=True)
    if (model.core is None) != (model.layer is None):
        raise InputError(
            f"{_WHO}: core= and layer= go together: a trained network and the layer of it that is read; got "
            f"{'layer' if model.core is None else 'core'} alone.",
            code="bad-parameter",
        )
    if isinstance(model.features, (int, str)) or not len(model.features):
        raise InputError(
            f"{_WHO}: features must be the channels of each layer, such as (12, 12), got {shorten(model.features)}.",
            code="bad-parameter",
        )
    for width in model.features:
        check_count(width, name="features", who=_WHO, minimum=1)


def loss_of(model: Any, data: Shown) -> str:
    if model.loss != "auto":
        return model.loss
    return "poisson" if data.kind == "count" else "gaussian"


def check_units(data: Shown, loss: str) -> None:
    stimuli = (data.weight > 0).sum(axis=0)
    if (stimuli < FEWEST).any():
        worst = int(stimuli.argmin())
        raise InputError(
            f"{_WHO}: {int((stimuli < FEWEST).sum())} of {stimuli.size} units have responses to fewer than "
            f"{FEWEST} stimuli, e.g. {shorten(data.units[worst].item(), 24)} to {int(stimuli[worst])}; leave them "
            "out.",
            code="too-few",
        )
    if loss == "poisson" and (data.trials < 0).any():
        raise InputError(
            f"{_WHO}: a Poisson loss needs counts, and {int((data.trials < 0).sum())} responses are negative; do "
            "not centre them, or use loss='gaussian'.",
            code="negative-counts",
        )
    spread = np.where(data.weight > 0, data.y, np.nan)
    flat = np.nanmax(spread, axis=0) - np.nanmin(spread, axis=0) <= 0
    if flat.all():
        raise InputError(f"{_WHO}: no unit responds differently to any two stimuli.", code="constant-units")
    if flat.any():
        warn(
            "constant-units",
            f"{_WHO}: {int(flat.sum())} of {flat.size} units never vary, e.g. "
            f"{shorten(data.units[flat][0].item(), 24)}; their prediction is their mean.",
            "Leave them out, or look whether they were lost.",
        )


def features_of(model: Any, data: Shown) -> tuple[Any, Any, np.ndarray, tuple[int, int]]:
    """What stands before the readout, the preprocessing, maps (n, c, y, x) of all stimuli, and the size of a
    stimulus in pixels.
    """
    if model.core is None:
        layout = layout_of(data.stimuli, model.shape, who=_WHO)
        maps = layout(data.stimuli.values)
        return torch.nn.Identity(), layout, maps, (maps.shape[2], maps.shape[3])
    net = model.core if isinstance(model.core, Network) else Network(model.core)
    if not net.is_module:
        raise InputError(
            f"{_WHO}: core must be a torch module (in a cs.Network), got the callable {net.name}; record its "
            "features and use cs.encode.",
            code="not-a-module",
        )
    stimuli = data.stimuli
    if model.shape is not None:
        layout = layout_of(stimuli, model.shape, who=_WHO)
        values = stimuli.values.reshape(len(stimuli), *layout.sizes)
        stimuli = as_stimuli(values, who=_WHO)
    acts = record(net, stimuli, model.layer, device=None if model.device == "auto" else model.device)
    if len(acts) != 1:
        raise InputError(
            f"{_WHO}: layer {model.layer!r} of {net.name} gives {len(acts)} arrays; choose one that gives one.",
            code="several-arrays",
        )
    found = next(iter(acts.values()))
    front = FrozenCore(copy.deepcopy(net.module).cpu(), str(model.layer))
    acted = torch.from_numpy(found.values.reshape(len(found), *net._shapes[str(model.layer)]))
    maps = as_map(acted).numpy()
    preprocess = net.preprocess
    if model.shape is not None:
        preprocess = Reshaped(net.preprocess, layout.sizes)
    own = [length for dim, length in zip(stimuli.dims[1:], stimuli.shape[1:]) if dim != "channel"]
    size = (own[0], own[1]) if len(own) >= 2 else (1, own[0])
    return front, preprocess, np.ascontiguousarray(maps), size


def split_rows(model: Any, data: Shown, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    names, number = np.unique(data.groups, return_inverse=True)
    if names.size < 5:
        raise InputError(
            f"{_WHO}: at least 5 groups are needed, so that some can be held out, got {names.size}.",
            code="too-few",
        )
    n_held = min(max(1, round(model.held_out * names.size)), names.size - 2)
    held = np.isin(number, rng.permutation(names.size)[:n_held])
    return np.flatnonzero(~held), np.flatnonzero(held)


def untrained_member(
    model: Any,
    channels: int,
    size: tuple[int, int],
    n: int,
    scale: np.ndarray,
    offset: np.ndarray,
    loss: str,
    seed: int,
) -> Member:
    with GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        core: torch.nn.Module = torch.nn.Identity()
        if model.core is None:
            core = Core(channels, size, list(model.features), model.kernel)
            channels = int(model.features[-1])
        kind = GaussianReadout if model.readout == "gaussian" else FactorisedReadout
        return Member(core, kind(channels, size, n), scale, offset, loss == "poisson")


def device_of(model: Any) -> torch.device:
    if model.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=model.device).device
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{_WHO}: device {shorten(model.device)} cannot be used here ({reason}); use device='cpu'.",
            code="bad-device",
        ) from None


class Reshaped:
    """Vectors as images, then the preprocessing of a trained network."""

    def __init__(self, preprocess: Any, sizes: Sequence[int]) -> None:
        self.preprocess, self.sizes = preprocess, tuple(sizes)

    def __call__(self, block: np.ndarray) -> Any:
        images = np.asarray(block).reshape(len(block), *self.sizes)
        if self.preprocess is not None:
            return self.preprocess(images)
        images = images[..., None] if images.ndim == 3 else images
        return np.moveaxis(images, -1, 1).astype(np.float32)


def scales_of(data: Shown, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """(t,) scale and offset of the responses: their mean and 0 for counts, else standard deviation and mean."""
    total = data.weight.sum(axis=0)
    mean = (data.weight * data.y).sum(axis=0) / total
    if loss == "poisson":
        return np.where(mean > 0, mean, 1.0), np.zeros_like(mean)
    sd = np.sqrt((data.weight * np.where(data.weight > 0, data.y - mean, 0.0) ** 2).sum(axis=0) / total)
    return np.where(sd > 0, sd, 1.0), mean
