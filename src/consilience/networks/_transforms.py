"""Small random moves of all stimuli between steps, so that what is found does not hang on single places."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import check_count, check_number, shorten
from consilience.networks._input_space import InputSpace

__all__ = ["Transforms", "shifted"]

_KNOWN = ("jitter", "rotate", "zoom")


class Transforms:
    """``"auto"``: jitter of 1/32 of the side of what the unit sees (none below 32 places). A mapping: jitter (places),
    rotate (degrees), zoom (fraction), each drawn evenly up to that. Callables: applied to the batch of inputs, a
    tensor, as they are.
    """

    def __init__(self, given: Any, space: InputSpace, *, who: str) -> None:
        self.space = space
        self.jitter, self.rotate, self.zoom = 0, 0.0, 0.0
        self.auto = False
        self.own: list[Callable[[Any], Any]] = []
        if given is None:
            return
        if isinstance(given, str) and given == "auto":
            self.auto = space.channel_axis is not None
        elif isinstance(given, Mapping):
            for name in given:
                if name not in _KNOWN:
                    raise UnknownNameError(
                        f"{who}: transforms has no {shorten(name)}.{nearest(name, _KNOWN)}",
                        code="unknown-option",
                    )
            self.jitter = check_count(given.get("jitter", 0), name="jitter", who=who)
            self.rotate = check_number(
                given.get("rotate", 0), name="rotate", who=who, low=0, high=180, closed=True
            )
            self.zoom = check_number(given.get("zoom", 0), name="zoom", who=who, low=0, high=0.9, closed=True)
            if (self.rotate or self.zoom) and (len(space.places) != 2 or space.channel_axis != 0):
                raise InputError(
                    f"{who}: rotate and zoom are for images (channel, y, x), and inputs have shape {space.shape}; use "
                    "jitter, or a callable of your own.",
                    code="bad-parameter",
                )
        else:
            own = [given] if callable(given) else given
            if not isinstance(own, Sequence) or isinstance(own, str) or not all(callable(f) for f in own):
                raise InputError(
                    f"{who}: transforms must be 'auto', None, a mapping such as {{'jitter': 4}}, or callables of a "
                    f"batch of inputs, got {shorten(given)}.",
                    code="bad-parameter",
                )
            self.own = list(own)

    @property
    def any(self) -> bool:
        """Whether something other than jitter moves stimuli."""
        return bool(self.rotate or self.zoom or self.own)

    @property
    def settings(self) -> dict[str, Any]:
        return {"jitter": self.jitter, "rotate": self.rotate, "zoom": self.zoom, "own": len(self.own)}

    def jitter_of(self, box: Sequence[slice]) -> tuple[int, ...]:
        """Along each place, how far an image is moved whose unit sees this box."""
        if not self.auto:
            return (self.jitter,) * len(self.space.places)
        return tuple((box[i].stop - box[i].start) // 32 for i in self.space.places)

    def __call__(
        self, x: Any, rng: np.random.Generator, jitter: Sequence[tuple[int, ...]] | None = None
    ) -> Any:
        """``jitter``: of each image, along each place. Images with the same are moved alike, whatever the batch."""
        x = self._moved(x, rng.random(len(self.space.places)), jitter)
        if self.rotate or self.zoom:
            x = _turned(
                x,
                math.radians(float(rng.uniform(-self.rotate, self.rotate))),
                1.0 + float(rng.uniform(-self.zoom, self.zoom)),
            )
        for own in self.own:
            x = own(x)
        return x

    def _moved(self, x: Any, drawn: np.ndarray, jitter: Sequence[tuple[int, ...]] | None) -> Any:
        import torch

        each = (
            [self.jitter_of([slice(0, size) for size in self.space.shape])] * len(x)
            if jitter is None
            else jitter
        )
        kinds = list(dict.fromkeys(each))
        if not any(map(any, kinds)):
            return x
        by = {kind: np.floor(drawn * (2 * np.array(kind) + 1)).astype(int) - np.array(kind) for kind in kinds}
        if len(kinds) == 1:
            return shifted(x, self.space, by[kinds[0]])
        return torch.cat([shifted(x[i : i + 1], self.space, by[kind]) for i, kind in enumerate(each)])


def shifted(x: Any, space: InputSpace, by: Sequence[int] | np.ndarray) -> Any:
    """A batch moved by whole places, what leaves on one side coming in on the other."""
    return x.roll(tuple(int(b) for b in by), dims=tuple(i + 1 for i in space.places))


def _turned(x: Any, angle: float, zoom: float) -> Any:
    import torch
    from torch.nn import functional

    height, width = x.shape[-2:]
    c, s = math.cos(angle) / zoom, math.sin(angle) / zoom
    matrix = torch.tensor(
        [[c, -s * height / width, 0], [s * width / height, c, 0]], dtype=x.dtype, device=x.device
    )
    grid = functional.affine_grid(matrix.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
