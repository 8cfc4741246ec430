"""The fit and the predictions of `Readout`, once its options and data are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._seeds import Seed
from consilience.networks._forward import run_block
from consilience.networks._gradient import with_gradients
from consilience.networks._network import Network, block_of
from consilience.networks._progress import progress_bar
from consilience.networks._readout_build import (
    device_of,
    features_of,
    scales_of,
    split_rows,
    untrained_member,
)
from consilience.networks._readout_data import Shown
from consilience.networks._readout_modules import Encoder, Standardise
from consilience.networks._readout_start import first_places
from consilience.networks._readout_train import Course, TrainingSet, train

__all__ = ["Fitted", "fit_network", "predict_each"]

_WHO = "cs.models.Readout"
_BATCH = 256  # stimuli predicted at once


@dataclass(frozen=True, eq=False)
class Fitted:
    """size : (y, x) of a stimulus in pixels.   maps : (c, y, x) of what the readouts, or the first layer, see."""

    encoder: Encoder
    preprocess: Any
    size: tuple[int, int]
    maps: tuple[int, ...]
    courses: list[Course]


@with_gradients()
def fit_network(model: Any, data: Shown, loss: str, seed: Seed) -> Fitted:
    """The ensemble, trained. ``model`` : the estimator, whose options are checked."""
    front, preprocess, maps, size = features_of(model, data)
    flat = np.sqrt(maps.astype(np.float64).var(axis=(0, 2, 3)))
    if not (flat > 0).any():
        raise InputError(
            f"{_WHO}: all stimuli are alike; there is nothing to predict from.", code="constant-units"
        )
    mean = maps.mean(axis=(0, 2, 3), dtype=np.float64)
    standard = Standardise(mean, np.where(flat > 1e-6 * flat.max(), flat, flat.max()))
    device = device_of(model)
    with torch.no_grad():
        x = standard(torch.from_numpy(maps))
    scale, offset = scales_of(data, loss)
    tensors = TrainingSet(
        x.to(device),
        torch.from_numpy(data.y.astype(np.float32)).to(device),
        torch.from_numpy(data.weight.astype(np.float32)).to(device),
    )
    members, courses = [], []
    with progress_bar("training", model.n_models * model.max_epochs, model.progress) as advance:
        for number in range(model.n_models):
            own = seed.child(f"member{number}")
            rows, held = split_rows(model, data, own.stream("split"))
            number_of = int(own.stream("weights").integers(2**63 - 1))
            member = untrained_member(
                model,
                x.shape[1],
                (x.shape[2], x.shape[3]),
                data.units.size,
                scale,
                offset,
                loss,
                number_of,
            )
            places = first_places(
                x[rows].numpy(), data.y[rows], data.weight[rows], features=model.core is not None
            )
            member.readout.start(torch.from_numpy(places))
            member.to(device)
            courses.append(
                train(
                    member,
                    tensors,
                    rows,
                    held,
                    poisson=loss == "poisson",
                    rng=own.stream("training"),
                    batch_size=model.batch_size,
                    learning_rate=model.learning_rate,
                    max_epochs=model.max_epochs,
                    patience=model.patience,
                    n_drops=model.n_drops,
                    smoothness=model.smoothness,
                    sparsity=model.sparsity,
                    after_epoch=lambda: advance(1),
                    who=_WHO,
                )
            )
            members.append(member.cpu())
    return Fitted(Encoder(front, standard, members), preprocess, size, tuple(x.shape[1:]), courses)


def predict_each(encoder: Encoder, preprocess: Any, data: xr.DataArray, name: str, *, who: str) -> np.ndarray:
    """(members, n, t)"""
    each = Network(_Each(encoder), preprocess, name=name)
    kind = str(data.attrs.get("kind", "array"))
    out = []
    with torch.no_grad():
        for start in range(0, len(data), _BATCH):
            block = block_of(data, slice(start, start + _BATCH))
            out.append(run_block(each, block, kind, torch.device("cpu"), who=who).double().numpy())
    return np.concatenate(out, axis=1)


class _Each(torch.nn.Module):
    """The encoder as a module that returns each member's prediction."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self.encoder.each(*args, **kwargs)
