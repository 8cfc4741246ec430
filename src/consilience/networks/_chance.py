"""Networks that draw at random in their forward pass: found, said, and given the same draws in every pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from consilience._core._errors import warn

__all__ = ["Chance", "find_chance", "same_draws"]


class Chance:
    """Passes of a block of stimuli draw the same numbers, whatever was drawn before, and whatever is lesioned."""

    def __init__(self, device: Any, entropy: int) -> None:
        self.device, self.entropy = device, entropy

    @contextlib.contextmanager
    def of_block(self, start: int) -> Iterator[None]:
        """Draws of the block that begins at stimulus ``start``; the generator is afterwards what it was."""
        seed = int(np.random.SeedSequence([self.entropy, int(start)]).generate_state(1, np.uint64)[0] >> 1)
        with same_draws(seed, self.device):
            yield


@contextlib.contextmanager
def same_draws(seed: int, device: Any = None) -> Iterator[None]:
    """torch draws from ``seed`` while it is open, and its generators (the CPU's, and that of ``device``; None: of the
    GPU in use) are afterwards what they were.
    """
    import torch

    if device is None and torch.cuda.is_initialized():
        device = torch.device("cuda", torch.cuda.current_device())
    cuda = getattr(device, "type", "cpu") == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.manual_seed(seed)
        yield


def find_chance(
    name: str, device: Any, one: Callable[[], np.ndarray], eps: float, entropy: int, *, who: str
) -> Chance | None:
    """None for a network that draws nothing. ``one`` runs it twice on the same stimuli; a difference is said.

    What draws from torch's generators shows in their state, even where these stimuli come out alike.
    """
    import torch

    cuda = getattr(device, "type", "cpu") == "cuda"

    def state() -> list[Any]:
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if cuda else [])]

    with same_draws(0, device):
        before = state()
        first = one()
        drew = not all(torch.equal(a, b) for a, b in zip(before, state()))
        second = one()
        differ = _differ(first, second, eps)
        for _ in range(_TRIES if drew and not differ else 0):  # dropout of a small share shows now and then
            differ = differ or _differ(first, one(), eps)
    if drew and not differ:
        return Chance(device, entropy)
    if not differ:
        return None
    if drew:
        warn(
            "stochastic-network",
            f"{who}: {name} draws at random in its forward pass (two passes of one stimulus differ), so results are "
            "those of one draw of its noise, the same in the intact network and after every change.",
            "Switch the noise off (nn.Dropout is off by itself, functional.dropout needs training=self.training), or "
            "compare several values of rng.",
        )
        return Chance(device, entropy)
    warn(
        "stochastic-network",
        f"{who}: two passes of one stimulus through {name} differ, and not by torch's generator, so its noise is taken "
        "for effects and the same rng gives other numbers.",
        "Switch the noise off, or draw it with torch.",
    )
    return Chance(device, entropy)


_TRIES = 8


def _differ(first: np.ndarray, second: np.ndarray, eps: float) -> bool:
    scale = float(np.abs(first).max(initial=0.0))
    if not np.isfinite(scale):
        return False  # refused elsewhere
    return bool(np.abs(first - second).max(initial=0.0) > 100 * eps * scale)
