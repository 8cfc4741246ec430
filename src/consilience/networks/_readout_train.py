"""Training of one network of `Readout`: early stopping, drops of the learning rate, the best state kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from consilience._core._errors import InputError
from consilience.networks._readout_modules import Core, Member

__all__ = ["Course", "TrainingSet", "responses_loss", "train"]

_TINY = 1e-8


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """x : (n, c, y, x) float32.   y : (n, t), anything where ``weight`` is 0.   weight : (n, t) how many trials.
    Tensors on one device.
    """

    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor


@dataclass(frozen=True)
class Course:
    """loss : on the held-out part, by epoch.   best : the epoch that was kept.   ended : it stopped by itself."""

    loss: tuple[float, ...]
    best: int
    ended: bool


def responses_loss(
    out: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, *, poisson: bool
) -> Any:
    """Mean over trials of the negative log-likelihood, without constants.

    Poisson: predicted - y log predicted, over the mean response of all units.   Gaussian: (predicted - y)^2 / 2 in
    units of each unit's own standard deviation.
    """
    if poisson:
        each = (out - y * torch.log(out + _TINY)) / scale.mean()
    else:
        each = ((out - y) / scale).square() / 2
    return (weight * each).sum() / weight.sum()


def train(
    member: Member,
    data: TrainingSet,
    rows: np.ndarray,
    held: np.ndarray,
    *,
    poisson: bool,
    rng: np.random.Generator,
    batch_size: int,
    learning_rate: float,
    max_epochs: int,
    patience: int,
    n_drops: int,
    smoothness: float,
    sparsity: float,
    after_epoch: Callable[[], None],
    who: str,
) -> Course:
    """Trains in place by Adam. After ``patience`` epochs without a lower held-out loss the best state comes back and
    the learning rate drops to 0.3 of it, ``n_drops`` times; then it ends.
    """
    steps = _steps(member, learning_rate, places=False)
    device = data.x.device
    core, readout = member.core, member.readout
    best, state, losses, kept, waited, drops = np.inf, _copied(member), [], 0, 0, 0
    ended = False
    for epoch in range(max_epochs):
        member.train()
        for batch in _batches(rng.permutation(rows), batch_size):
            at = torch.from_numpy(batch).to(device)
            noise = rng.normal(size=(data.y.shape[1], 2)).astype(np.float32)
            readout.noise = torch.from_numpy(noise).to(device)
            loss = responses_loss(
                member(data.x[at]), data.y[at], data.weight[at], member.scale, poisson=poisson
            )
            loss = loss + sparsity * readout.penalty()
            if isinstance(core, Core):
                rough, wide = core.penalties()
                loss = loss + smoothness * rough + sparsity * wide
            steps.zero_grad(set_to_none=True)
            loss.backward()
            steps.step()
            readout.settle()
        readout.noise = None
        losses.append(_held_loss(member, data, held, batch_size, poisson=poisson))
        after_epoch()
        if np.isfinite(losses[-1]) and (
            losses[-1] < best - 1e-6 * max(abs(best), 1.0) or not np.isfinite(best)
        ):
            best, state, kept, waited = losses[-1], _copied(member), epoch, 0
            continue
        waited += 1
        if waited >= patience or not np.isfinite(losses[-1]):
            member.load_state_dict(state)
            drops, waited = drops + 1, 0
            if drops > n_drops:
                ended = True
                break
            steps = _steps(member, learning_rate * 0.3**drops, places=True)
    if not np.isfinite(best):
        raise InputError(
            f"{who}: the training diverged: the held-out loss was never finite in {len(losses)} epochs; a lower "
            f"learning_rate= than {learning_rate:g}, or responses of an ordinary size.",
            code="training-diverged",
        )
    member.load_state_dict(state)
    member.eval()
    return Course(tuple(losses), kept, ended)


def _steps(member: Member, learning_rate: float, *, places: bool) -> torch.optim.Adam:
    """Places stay where they start until the learning rate has dropped once: while features are still random, a place
    would leave where its neuron looks, and does not come back.
    """
    held = () if places else ("readout.mean", "readout.root")
    return torch.optim.Adam(
        [p for name, p in member.named_parameters() if p.requires_grad and name not in held], lr=learning_rate
    )


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Batches of about ``size``; none of one row, which batch normalisation could not use."""
    return np.array_split(rows, max(1, len(rows) // size))


def _held_loss(member: Member, data: TrainingSet, held: np.ndarray, size: int, *, poisson: bool) -> float:
    member.eval()
    total, weights = 0.0, 0.0
    with torch.no_grad():
        for batch in np.array_split(held, max(1, len(held) // (4 * size))):
            at = torch.from_numpy(batch).to(data.x.device)
            weight = data.weight[at]
            loss = responses_loss(member(data.x[at]), data.y[at], weight, member.scale, poisson=poisson)
            total += float(loss) * float(weight.sum())
            weights += float(weight.sum())
    return total / weights


def _copied(member: Member) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in member.state_dict().items()}
