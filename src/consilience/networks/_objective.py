"""What gradient ascent makes large: a unit, a population pattern, sets that differ, smoothness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Objective", "spread_penalty", "total_variation"]


@dataclass(frozen=True)
class Objective:
    """What each image is to do, from activations (n, k) of k units.

    pattern : "each" (its own unit high), "one-hot" (its own high against the others), "stretch" (all high), or
    "vector" (near a target).   own : (n,) the unit of each image.   centre, spread : (k,) mean and standard
    deviation of each unit over comparison stimuli, by which activations are made comparable.   target : (n, k) for
    "vector".
    """

    pattern: str
    own: Any
    centre: Any
    spread: Any
    target: Any = None

    def rows(self, chosen: Any) -> Objective:
        return Objective(
            self.pattern,
            self.own[chosen],
            self.centre,
            self.spread,
            None if self.target is None else self.target[chosen],
        )

    def __call__(self, values: Any) -> Any:
        """(n,), in standard deviations."""
        import torch

        z = (values - self.centre) / self.spread
        if self.pattern == "each":
            return z.gather(1, self.own[:, None])[:, 0]
        if self.pattern == "stretch":
            return z.mean(dim=1)
        if self.pattern == "vector":
            return -((values - self.target) / self.spread).pow(2).mean(dim=1)
        mine = z.gather(1, self.own[:, None])[:, 0]
        others = z.scatter(1, self.own[:, None], float("-inf"))
        return mine - (torch.logsumexp(others, dim=1) - np.log(max(1, z.shape[1] - 1)))


def spread_penalty(away: Any, sets: list[list[int]]) -> Any:
    """(n,) mean cosine of each image's difference from the background with those of its set."""
    import torch

    flat = torch.nn.functional.normalize(away.flatten(1), dim=1)
    out = flat.new_zeros(len(flat))
    for members in sets:
        if len(members) > 1:
            mine = flat[members]
            cosines = mine @ mine.T
            out[members] = (cosines.sum(dim=1) - cosines.diagonal()) / (len(members) - 1)
    return out


def total_variation(away: Any, places: tuple[int, ...]) -> Any:
    """(n,) mean absolute difference of neighbours over the root mean square."""
    n = len(away)
    rms = away.flatten(1).pow(2).mean(dim=1).sqrt().clamp_min(1e-12)
    total = away.new_zeros(n)
    for axis in places:
        if away.shape[axis + 1] > 1:
            total = total + away.diff(dim=axis + 1).abs().flatten(1).mean(dim=1)
    return total / rms
