"""A fitted `Readout` in one safetensors file: weights as tensors, the rest as JSON. Nothing in it can run."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import torch
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._whole_file import plain_path, whole_file
from consilience.networks._network import Network
from consilience.networks._readout_build import Reshaped, untrained_member
from consilience.networks._readout_data import AsMaps
from consilience.networks._readout_modules import Encoder, FrozenCore, Standardise
from consilience.networks._readout_train import Course

__all__ = ["load", "save"]

_FORMAT = "1"
_WHO = "cs.models.Readout"
_STORED = (
    "layer",
    "readout",
    "shape",
    "features",
    "kernel",
    "loss",
    "n_models",
    "held_out",
    "batch_size",
    "learning_rate",
    "max_epochs",
    "patience",
    "n_drops",
    "smoothness",
    "sparsity",
)


def save(model: Any, path: Any) -> None:
    from safetensors.torch import save_file

    front = model.encoder_.front
    tensors = {
        name: value.contiguous().clone()
        for name, value in model.encoder_.state_dict().items()
        if not name.startswith("front.")
    }
    layout = model._preprocess if isinstance(model._preprocess, AsMaps) else None
    header = {
        "options": {name: _plain(getattr(model, name)) for name in _STORED},
        "units": model.units_.tolist(),
        "loss": model.loss_,
        "seed": model.seed_,
        "n_stimuli": model.n_stimuli_,
        "stimulus_shape": list(model.stimulus_shape_),
        "stimulus_size": list(model.stimulus_size_),
        "layout": None if layout is None else [list(layout.shape), list(layout.sizes), layout.channel],
        "maps": list(model._maps),
        "seen": sorted(model.seen_),
        "courses": [[list(c.loss), c.best, c.ended] for c in model.courses_],
        "core": _fingerprint(front.net) if isinstance(front, FrozenCore) else None,
    }
    with whole_file(path, who=f"{_WHO}.save", example="readout.safetensors") as name:
        save_file(tensors, name, metadata={"consilience_readout": _FORMAT, "header": json.dumps(header)})


def load(cls: Any, path: Any, core: Any) -> Any:
    from safetensors import SafetensorError, safe_open

    who = f"{_WHO}.load"
    source = plain_path(path, who)
    if not source.is_file():
        raise InputError(f"{who}: there is no file {source}.", code="no-file")
    try:
        with safe_open(source, framework="pt") as opened:
            meta = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        header = json.loads(meta["header"]) if meta.get("consilience_readout") == _FORMAT else None
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{who}: {source} cannot be read ({str(error).splitlines()[0][:120]}); save it again.",
            code="damaged-file",
        ) from None
    if header is None:
        raise InputError(
            f"{who}: {source} is no fitted Readout of this version; Readout.save writes them.",
            code="not-a-result",
        )
    try:
        return _made(cls, header, tensors, core, who)
    except (KeyError, TypeError, RuntimeError, IndexError) as error:
        raise InputError(
            f"{who}: {source} does not hold together ({type(error).__name__}: {str(error).splitlines()[0][:120]}); "
            "save it again.",
            code="damaged-file",
        ) from None


def _made(cls: Any, header: dict[str, Any], tensors: dict[str, Any], core: Any, who: str) -> Any:
    front: Any = torch.nn.Identity()
    preprocess: Any = None
    if header["core"] is not None:
        if core is None:
            raise InputError(
                f"{who}: this Readout reads layer {header['options']['layer']!r} of a trained network, which is not "
                "in the file; pass it as core=.",
                code="bad-network",
            )
        net = core if isinstance(core, Network) else Network(core)
        if not net.is_module or _fingerprint(net.module) != header["core"]:
            raise InputError(
                f"{who}: core={net.name} is not the network that this Readout was fitted on (its weights or structure "
                "differ).",
                code="bad-network",
            )
        front = FrozenCore(copy.deepcopy(net.module).cpu(), header["options"]["layer"])
        preprocess = net.preprocess
    model = cls(core, **header["options"])
    channels, *size = header["maps"]
    model._maps = tuple(header["maps"])
    if header["layout"] is not None:
        preprocess = AsMaps(*header["layout"])
    elif model.shape is not None:
        preprocess = Reshaped(preprocess, model.shape)
    n = len(header["units"])
    nothing = np.zeros(n)
    members = [
        untrained_member(model, channels, (size[0], size[1]), n, nothing, nothing, header["loss"], seed=0)
        for _ in range(model.n_models)
    ]
    encoder = Encoder(front, Standardise(np.zeros(channels), np.ones(channels)), members)
    lacking, strange = encoder.load_state_dict(tensors, strict=False)
    if strange or any(not name.startswith("front.") for name in lacking):
        raise KeyError(f"tensors {[*lacking, *strange][:3]}")
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values() if value.is_floating_point()):
        raise InputError(
            f"{who}: the file holds weights that are NaN or infinite; save it again.", code="damaged-file"
        )
    shape = tuple(header["stimulus_shape"])
    stimuli = xr.DataArray(np.empty((1, *shape), np.float32))
    units = np.array(header["units"])
    model._adopt(encoder, preprocess, stimuli, tuple(header["stimulus_size"]), units, header["loss"])
    model.courses_ = [Course(tuple(loss), best, ended) for loss, best, ended in header["courses"]]
    model.seed_, model.n_stimuli_ = header["seed"], header["n_stimuli"]
    model.seen_ = frozenset(header["seen"])
    model._flat = False
    return model


def _fingerprint(module: Any) -> str:
    return str(Network(module).fingerprint or "unknown")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value
