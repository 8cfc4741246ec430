"""Attribution methods at points of a network: raw maps of k targets for the stimuli of one block."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from consilience.networks._attribution_points import Points

__all__ = ["METHODS", "Block", "Raw", "summed", "windows_of"]

_MASKS = 1 << 23  # places of windows that are held at once
METHODS = ("integrated_gradients", "smoothgrad", "grad_cam", "gradient_x_input", "gradient", "occlusion")


@dataclass(frozen=True)
class Block:
    """b stimuli and how they are attributed.

    start : (b, *shape) baseline.   axis : of channels in one point, or None.   scale : (k,) of values.   seeds : (b,)
    of the noise of each stimulus.
    """

    points: Points
    start: Any
    axis: int | None
    k: int
    steps: int
    tolerance: float
    scale: Any
    n_samples: int
    noise: float
    window: tuple[int, ...]
    stride: tuple[int, ...]
    seeds: np.ndarray

    @property
    def rows(self) -> Any:
        return torch.arange(self.points.at.shape[0], device=self.points.at.device)

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(s for i, s in enumerate(self.points.at.shape[1:]) if i != self.axis)

    def pairs(self, stimuli: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(numbers of stimuli, numbers from 0 to count - 1) of all pairs, in pieces of one forward pass."""
        for first in range(0, len(stimuli) * count, self.points.most):
            at = np.arange(first, min(first + self.points.most, len(stimuli) * count))
            yield stimuli[at // count], at % count


@dataclass(frozen=True)
class Raw:
    """values : (k, b, *shape), or (k, b, *places) where ``placed``.   notes : name -> (k, b)."""

    values: Any
    placed: bool = False
    notes: dict[str, Any] = field(default_factory=dict)


def summed(values: Any, axis: int | None) -> Any:
    """(k, b, *shape) over channels: (k, b, *places)."""
    return values if axis is None else values.sum(dim=axis + 2)


def gradient(block: Block) -> Raw:
    return Raw(block.points.gradients(block.points.at, block.rows)[1].double())


def gradient_x_input(block: Block) -> Raw:
    return Raw(gradient(block).values * block.points.at.double())


def integrated_gradients(block: Block) -> Raw:
    """(x - b) times the mean gradient from b to x, Gauss-Legendre; nodes are doubled, up to 8 times ``steps``, for the
    stimuli whose sum is further than the tolerance from f(x) - f(b).
    """
    points, away = block.points, block.points.at - block.start
    b = len(away)
    rise = (points.values(points.at, block.rows) - points.values(block.start, block.rows)).T.double()
    out = torch.zeros((block.k, *away.shape), dtype=torch.float64, device=away.device)
    error, used = torch.zeros_like(rise), torch.zeros_like(rise)
    left, steps = np.arange(b), block.steps
    while left.size:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        here = torch.as_tensor(left, device=away.device)
        total = torch.zeros((block.k, *away.shape), dtype=torch.float64, device=away.device)
        for which, node in block.pairs(left, steps):
            i = torch.as_tensor(which, device=away.device)
            spread = (-1, *(1,) * (away.ndim - 1))
            t = torch.as_tensor((nodes[node] + 1) / 2, dtype=away.dtype, device=away.device).reshape(spread)
            w = torch.as_tensor(weights[node] / 2, device=away.device).reshape(spread)
            total.index_add_(1, i, points.gradients(block.start[i] + t * away[i], i)[1] * w)
        out[:, here] = total[:, here] * away[here].double()
        error[:, here] = out[:, here].reshape(block.k, len(left), -1).sum(2) - rise[:, here]
        used[:, here] = steps
        allowed = block.tolerance * torch.maximum(rise.abs(), block.scale[:, None])
        over = (error.abs() > allowed).any(dim=0).cpu().numpy()
        left = left[over[left]]
        if steps >= 8 * block.steps:
            break
        steps *= 2
    return Raw(out, notes={"completeness_error": error, "steps": used})


def smoothgrad(block: Block) -> Raw:
    """Mean gradient at x + noise; sd of the noise: ``noise`` times the range of x."""
    points = block.points
    at = points.at
    flat = at.reshape(len(at), -1)
    sd = block.noise * (flat.amax(1) - flat.amin(1))
    total = torch.zeros((block.k, *at.shape), dtype=torch.float64, device=at.device)
    shape = (block.k, len(at), *block.places)
    halves = torch.zeros((2, *shape), dtype=torch.float64, device=at.device)
    squares = torch.zeros(shape, dtype=torch.float64, device=at.device)
    draws = [torch.Generator().manual_seed(int(seed)) for seed in block.seeds]
    for which, sample in block.pairs(np.arange(len(at)), block.n_samples):
        i = torch.as_tensor(which, device=at.device)
        noise = torch.stack([torch.randn(at.shape[1:], generator=draws[w]) for w in which])
        spread = (-1, *(1,) * (at.ndim - 1))
        moved = at[i] + noise.to(device=at.device, dtype=at.dtype) * sd[i].reshape(spread)
        found = points.gradients(moved, i)[1].double()
        total.index_add_(1, i, found)
        placed = summed(found, block.axis)
        squares.index_add_(1, i, placed**2)
        for half in range(2):
            mine = torch.as_tensor(np.flatnonzero(sample % 2 == half), device=at.device)
            halves[half].index_add_(1, i[mine], placed[:, mine])
    n = block.n_samples
    mean = summed(total / n, block.axis)
    over = tuple(range(2, mean.ndim))
    variance = (squares / n - mean**2).clamp(min=0) * n / max(n - 1, 1)
    size = (mean**2).mean(dim=over).sqrt()
    one, two = (half.reshape(block.k, len(at), -1) for half in halves)
    notes = {
        "monte_carlo_error": (variance / n).mean(dim=over).sqrt() / size if n > 1 else size * math.nan,
        "monte_carlo_halves": _correlation(one, two) if n > 1 else size * math.nan,
    }
    return Raw(total / n, notes=notes)


def _correlation(a: Any, b: Any) -> Any:
    a, b = (v - v.mean(dim=-1, keepdim=True) for v in (a, b))
    return (a * b).sum(-1) / ((a * a).sum(-1) * (b * b).sum(-1)).sqrt()


def windows_of(
    places: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...]
) -> list[tuple[slice, ...]]:
    """Windows that cover all places; the last along an axis is cut at the border."""
    starts = [
        range(0, (max(0, math.ceil((size - w) / s)) + 1) * s, s) for size, w, s in zip(places, window, stride)
    ]
    return [
        tuple(slice(at, min(at + w, size)) for at, w, size in zip(corner, window, places))
        for corner in itertools.product(*starts)
        if all(at < size for at, size in zip(corner, places))
    ]


def occlusion(block: Block) -> Raw:
    """f(x) - f(x with a window at its baseline), for each place the mean over the windows that hold it."""
    points, at = block.points, block.points.at
    windows = windows_of(block.places, block.window, block.stride)
    whole = points.values(at, block.rows).double()
    fall = torch.zeros((block.k, len(at), len(windows)), dtype=torch.float64, device=at.device)
    out = torch.zeros((block.k, len(at), math.prod(block.places)), dtype=torch.float64, device=at.device)
    times = torch.zeros(out.shape[-1], dtype=torch.float64, device=at.device)
    every = np.arange(len(at))
    size = max(1, min(_MASKS // out.shape[-1], len(windows)))
    for first in range(0, len(windows), size):
        some = windows[first : first + size]
        hidden = torch.zeros((len(some), *block.places), dtype=torch.bool, device=at.device)
        for mask, cut in zip(hidden, some):
            mask[cut] = True
        for which, window in block.pairs(every, len(some)):
            i, w = (torch.as_tensor(v, device=at.device) for v in (which, window))
            mask = hidden[w] if block.axis is None else hidden[w].unsqueeze(block.axis + 1)
            moved = torch.where(mask, block.start[i], at[i])
            fall[:, i, first + w] = (whole[i] - points.values(moved, i).double()).T
        flat = hidden.reshape(len(some), -1).double()
        out += fall[..., first : first + size] @ flat
        times += flat.sum(dim=0)
    return Raw((out / times).reshape(block.k, len(at), *block.places), placed=True)


def grad_cam(points: Points, axis: int, places: tuple[int, ...] | None) -> Raw:
    """max(0, sum_c w_c a_c), w_c the mean gradient over the places of channel c, brought to ``places`` of the input."""
    rows = torch.arange(points.at.shape[0], device=points.at.device)
    _, grads = points.gradients(points.at, rows)
    over = tuple(i for i in range(2, grads.ndim) if i != axis + 2)
    weights = grads.mean(dim=over, keepdim=True)
    cam = (weights * points.at).sum(dim=axis + 2).clamp(min=0)
    if places is not None and len(places) == cam.ndim - 2 <= 3:
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(places)]
        cam = functional.interpolate(cam, size=places, mode=mode, align_corners=False)
    return Raw(cam.double(), placed=True)


RAW: dict[str, Callable[[Block], Raw]] = {
    "integrated_gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "gradient_x_input": gradient_x_input,
    "gradient": gradient,
    "occlusion": occlusion,
}
