"""How stimuli are written as numbers that gradient ascent moves: Fourier coefficients or the values themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from consilience.networks._input_space import InputSpace

__all__ = ["Parameters"]

_START = 0.1  # size of a random start; its length does not matter, but a step of Adam is as long as its rate


class Parameters:
    """Stimuli of a space as numbers z (n, ...): ``draw`` makes a start, ``inputs`` the stimuli.

    "fourier": x = background + norm * u / |u|, u = colours @ irfft(z * w), w = 1 / max(f, 1 / longest side) ** decay
    (f in cycles per place), so that a step moves all scales alike, as they are in natural stimuli. "pixel":
    u = z. Both are clipped to the bounds; a value at a bound gets the gradients that lead back inside.
    """

    def __init__(self, space: InputSpace, kind: str, decay: float, device: Any, dtype: Any) -> None:
        import torch

        self.space, self.kind = space, kind
        self.places = space.places
        self.sizes = [space.shape[i] for i in self.places]

        def tensor(values: Any) -> Any:
            return torch.as_tensor(np.array(values), dtype=dtype, device=device)

        self.low, self.high = tensor(space.low), tensor(space.high)
        self.background = tensor(space.background)
        self.weight: Any = None
        self.colours: Any = None
        if kind == "fourier":
            self.weight = tensor(_weights(self.sizes, decay))
            if space.colours is not None:
                self.colours = tensor(space.colours)
                self.uncolour = tensor(np.linalg.inv(space.colours))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """A random start (1, ...) float64."""
        if self.kind == "pixel":
            return _START * rng.normal(size=(1, *self.space.shape))
        channels = [] if self.space.channel_axis is None else [self.space.shape[self.space.channel_axis]]
        half = [*self.sizes[:-1], self.sizes[-1] // 2 + 1]
        return _START * rng.normal(size=(1, *channels, *half, 2))

    def raw(self, z: Any) -> Any:
        """Differences from the background, of any length: (n, *shape)."""
        import torch

        if self.kind == "pixel":
            return z
        spectrum = torch.view_as_complex(z) * self.weight
        axes = tuple(range(-len(self.sizes), 0))
        u = torch.fft.irfftn(spectrum, s=self.sizes, dim=axes, norm="ortho")
        if self.colours is not None:
            u = torch.einsum("cd,nd...->nc...", self.colours, u)
        axis = self.space.channel_axis
        return u if axis in (None, 0) else u.movedim(1, axis + 1)

    def inputs(self, z: Any, window: Any = None, norm: Any = None) -> Any:
        """Stimuli (n, *shape) of the norm and within the bounds, gradients flowing to z.

        window : (n, *shape) or broadcastable, 1 where the stimulus may differ from the background, else 0.
        norm : (n,) instead of that of the space.
        """
        from consilience.networks._clip import clipped

        u = self.raw(z)
        if window is not None:
            u = u * window
        length = u.flatten(1).norm(dim=1).clamp_min(1e-12)
        size = self.space.norm if norm is None else norm
        u = u * (size / length).reshape(-1, *(1,) * len(self.space.shape))
        return clipped(self.background + u, self.low, self.high)

    def of_inputs(self, inputs: Any) -> Any:
        """The z whose stimuli are ``inputs`` (n, *shape), as large as a random start."""
        import torch

        u = inputs - self.background
        rms = u.flatten(1).pow(2).mean(dim=1).sqrt().clamp_min(1e-12)
        u = u * (_START / rms).reshape(-1, *(1,) * len(self.space.shape))
        if self.kind == "pixel":
            return u
        axis = self.space.channel_axis
        u = u if axis in (None, 0) else u.movedim(axis + 1, 1)
        if self.colours is not None:
            u = torch.einsum("cd,nd...->nc...", self.uncolour, u)
        axes = tuple(range(-len(self.sizes), 0))
        return torch.view_as_real(torch.fft.rfftn(u, dim=axes, norm="ortho") / self.weight)


def _weights(sizes: list[int], decay: float) -> np.ndarray:
    """1 / f ** decay on the grid of rfftn, of root mean square 1."""
    grids = [np.fft.fftfreq(size) for size in sizes[:-1]] + [np.fft.rfftfreq(sizes[-1])]
    squared = sum(np.square(grid) for grid in np.meshgrid(*grids, indexing="ij"))
    lowest = 1.0 / max(max(sizes), 1)
    weight = 1.0 / np.maximum(np.sqrt(squared), lowest) ** decay
    return np.asarray(weight / math.sqrt(np.mean(weight**2)))
