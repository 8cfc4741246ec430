"""What a network's module gets: shape, bounds, background, contrast and colours of its inputs, and the way back to
stimuli.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._stimuli import stimuli as make_stimuli
from consilience.networks._network import Network, block_of
from consilience.networks._way_back import way_back

__all__ = ["InputSpace", "inputs_of", "learn_space"]

_SHOWN = 64  # stimuli from which scale and colours are learned, at most
_LARGEST = 1 << 28  # bytes of inputs that are looked at
# standard deviations along luminance, red against blue, and green against both; natural colours vary mostly in
# luminance
_OPPONENT = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
_OPPONENT_SD = np.array([1.0, 0.4, 0.2])


@dataclass(frozen=True)
class InputSpace:
    """Inputs of a module, one stimulus at a time.

    shape : of one input.   channel_axis : which axis is no place; None where all are.   low, high : bounds,
    broadcastable to ``shape``.   background : what a stimulus without contrast is, broadcastable.   norm : the length
    (L2) of a stimulus's difference from the background, in the module's units.   colours : (channels, channels), the
    square root of the covariance of channels, largest singular value 1; None: channels are alike.   back : input
    (n, *shape) -> stimuli; None where preprocess cannot be inverted.
    """

    shape: tuple[int, ...]
    channel_axis: int | None
    low: np.ndarray
    high: np.ndarray
    background: np.ndarray
    norm: float
    norm_from: str
    colours: np.ndarray | None = None
    back: Callable[[np.ndarray], np.ndarray] | None = None
    pixels: bool = False  # stimuli are not what the module gets
    box: tuple[slice, ...] | None = None  # outside of which stimuli are background

    @property
    def places(self) -> tuple[int, ...]:
        """Axes that are places or times."""
        return tuple(i for i in range(len(self.shape)) if i != self.channel_axis)

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())

    def within(self, box: tuple[slice, ...]) -> InputSpace:
        """The space whose stimuli are background outside a box; of the same contrast there, where the norm was not
        given.
        """
        share = math.prod(b.stop - b.start for b in box) / math.prod(self.shape)
        if share == 1:
            return self
        return replace(
            self, box=box, norm=self.norm if self.norm_from == "given" else self.norm * math.sqrt(share)
        )

    def fit(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs moved to the norm of this space about the background (within its box), then clipped to its bounds."""
        inputs = np.asarray(inputs, dtype=np.float64)
        away = inputs - self.background
        if self.box is not None:
            there = (slice(None), *self.box)
            cut = away[there].copy()
            away[...] = 0
            away[there] = cut
        length = np.linalg.norm(away.reshape(len(away), -1), axis=1)
        away *= (self.norm / np.where(length > 0, length, 1.0)).reshape(-1, *(1,) * len(self.shape))
        return np.clip(self.background + away, self.low, self.high).astype(np.float32)

    def noise(self, rng: np.random.Generator, n: int, *, ordered: bool) -> np.ndarray:
        """n noise inputs of this norm, 1/f in amplitude where places are ordered, else white."""
        white = rng.normal(size=(n, *self.shape))
        if ordered:
            axes = tuple(i + 1 for i in self.places)
            grids = np.meshgrid(*(np.fft.fftfreq(self.shape[i]) for i in self.places), indexing="ij")
            f = np.sqrt(sum(np.square(grid) for grid in grids))
            weight = 1.0 / np.maximum(f, 1.0 / max(self.shape[i] for i in self.places))
            if self.channel_axis is not None:
                weight = np.expand_dims(weight, self.channel_axis)
            white = np.fft.ifftn(np.fft.fftn(white, axes=axes) * weight, axes=axes).real
        if self.colours is not None and self.channel_axis is not None:
            white = np.moveaxis(
                np.moveaxis(white, self.channel_axis + 1, -1) @ self.colours.T, -1, self.channel_axis + 1
            )
        return self.fit(self.background + white)

    def scrambled(self, inputs: np.ndarray, rng: np.random.Generator, n: int, *, ordered: bool) -> np.ndarray:
        """n copies of one input (*shape) with random phases (the same move of phase in all channels): its amplitude
        spectrum and norm; where places have no order, its values in random order.
        """
        away = np.asarray(inputs, dtype=np.float64) - self.background
        if not ordered:
            flat = np.stack([rng.permutation(away.reshape(-1)) for _ in range(n)])
            return self.fit(self.background + flat.reshape(n, *self.shape))
        axes = tuple(i + 1 for i in self.places)
        part = away if self.box is None else away[self.box]
        sizes = [1 if i == self.channel_axis else size for i, size in enumerate(part.shape)]
        phase = np.fft.fftn(
            rng.normal(size=(n, *sizes)), axes=axes
        )  # of real noise, so that images stay real
        turned = np.fft.fftn(part[None], axes=axes) * phase / np.maximum(np.abs(phase), 1e-300)
        made = np.zeros((n, *self.shape))
        made[(slice(None), *(self.box or (...,)))] = np.fft.ifftn(turned, axes=axes).real
        return self.fit(self.background + made)

    def stimuli(self, inputs: np.ndarray, ids: list[str]) -> xr.DataArray:
        """Inputs as stimuli that `cs.record` turns into these inputs again; as they are where that cannot be."""
        values = np.asarray(inputs, dtype=np.float32)
        if self.back is not None and self.pixels:
            return make_stimuli(self.back(values), ids=ids)
        return xr.DataArray(
            values,
            dims=("stimulus", *(f"dim_{i}" for i in range(1, values.ndim))),
            coords={"stimulus": ids},
            attrs={"kind": "array"},
        )


def inputs_of(net: Network, stimuli: xr.DataArray, *, who: str, rows: Any = slice(None)) -> np.ndarray:
    """What the module gets for stimuli: (n, *shape) float32."""
    kind = str(stimuli.attrs.get("kind", "array"))
    block = block_of(stimuli, rows)
    fed = net.preprocess(block) if net.preprocess is not None else block
    if net.preprocess is None and net.is_module and kind == "images":
        fed = np.moveaxis(fed[..., None] if fed.ndim == 3 else fed, -1, 1)
    if isinstance(fed, tuple) and len(fed) == 1:
        fed = fed[0]
    if not hasattr(fed, "shape") or not hasattr(fed, "dtype"):
        raise InputError(
            f"{who}: preprocess of {net.name} returns {type(fed).__name__}, and inputs are searched in one array; use "
            "a network whose preprocess returns one array.",
            code="bad-stimuli",
        )
    values = to_numpy(fed)
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: the inputs of {net.name} are {values.dtype}, not numbers.", code="not-numeric"
        )
    return values.astype(np.float32)


def learn_space(
    net: Network | None,
    like: xr.DataArray | None,
    shape: Any,
    bounds: Any,
    norm: Any,
    channel_axis: int | None,
    *,
    who: str,
) -> tuple[InputSpace, np.ndarray | None]:
    """The space of inputs, from what is given, what the preprocessing says, and example stimuli; and the inputs of
    those.
    """
    told = getattr(net.preprocess, "input_space", None) if net is not None else None
    known = told() if callable(told) else {}
    shown = _shown(net, like, who) if like is not None else None
    sizes = _shape(shape, shown, known, who)
    if shown is not None and shown.shape[1:] != sizes:
        raise InputError(
            f"{who}: shape={sizes}, but the example stimuli give inputs of shape {shown.shape[1:]}; leave shape out, "
            "or give stimuli of that shape.",
            code="bad-parameter",
        )
    axis = _axis(sizes, channel_axis, who)
    low, high = _bounds(bounds, sizes, axis, shown, known, who)
    over = tuple(i + 1 for i in range(len(sizes)) if i != axis)
    spread = tuple(1 if i != axis else size for i, size in enumerate(sizes))
    colours = None
    if shown is not None:
        background = shown.mean(axis=(0, *over), dtype=np.float64).reshape(spread)
        background = np.clip(background, low, high)
        if axis is not None and 1 < sizes[axis] <= 16:
            colours = _colours(shown, axis)
    else:
        inside = np.isfinite(low) & np.isfinite(high)
        background = np.where(inside, (np.where(inside, low, 0) + np.where(inside, high, 0)) / 2, 0.0)
        background = np.clip(background, low, high)
        if known.get("colours") == "rgb" and axis is not None and sizes[axis] == 3:
            unit = _OPPONENT / np.linalg.norm(_OPPONENT, axis=1, keepdims=True)
            colours = (unit.T * _OPPONENT_SD) @ unit
    background = np.broadcast_to(background, spread).astype(np.float64)
    length, source = _norm(norm, shown, background, low, high, sizes, who)
    space = InputSpace(sizes, axis, low, high, background, length, source, colours)
    return replace(
        space,
        back=way_back(net, like, sizes, axis),
        pixels=net is not None and net.preprocess is not None,
    ), shown


def _shown(net: Network | None, like: xr.DataArray, who: str) -> np.ndarray:
    rows = np.unique(np.linspace(0, like.shape[0] - 1, min(_SHOWN, like.shape[0])).astype(int))
    if net is None:
        return np.asarray(like.values[rows], dtype=np.float32)
    first = inputs_of(net, like, who=who, rows=rows[:1])
    rows = rows[: max(1, _LARGEST // max(1, first.nbytes))]
    shown = inputs_of(net, like, who=who, rows=rows)
    if shown.shape[0] != len(rows) or not np.isfinite(shown).all():
        raise InputError(
            f"{who}: preprocess of {net.name} must give one finite input per stimulus; it gave shape {shown.shape} for "
            f"{len(rows)} stimuli.",
            code="bad-stimuli",
        )
    return shown


def _shape(shape: Any, shown: np.ndarray | None, known: dict[str, Any], who: str) -> tuple[int, ...]:
    if shape is None:
        if shown is not None:
            return tuple(shown.shape[1:])
        if "shape" in known:
            return tuple(known["shape"])
        raise InputError(
            f"{who}: the shape of the module's input is not known; give like= (stimuli such as it was made for), or "
            "shape= (of one input, after preprocess).",
            code="no-shape",
        )
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else shape
    if not isinstance(sizes, (tuple, list)) or not sizes:
        raise InputError(
            f"{who}: shape must be the sizes of one input, e.g. (3, 64, 64), got {shorten(shape)}.",
            code="bad-parameter",
        )
    return tuple(check_count(size, name="shape", who=who, minimum=1) for size in sizes)


def _axis(sizes: tuple[int, ...], asked: int | None, who: str) -> int | None:
    if asked is None or len(sizes) < 2:
        return None
    if not isinstance(asked, (int, np.integer)) or not -len(sizes) <= asked < len(sizes):
        raise InputError(
            f"{who}: channel_axis must be an axis of one input of shape {sizes}, or None, got {shorten(asked)}.",
            code="bad-parameter",
        )
    return int(asked) % len(sizes)


def _bounds(
    bounds: Any,
    sizes: tuple[int, ...],
    axis: int | None,
    shown: np.ndarray | None,
    known: dict[str, Any],
    who: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Given, known, else the range of each channel in the examples, else none."""
    spread = tuple(1 if i != axis else size for i, size in enumerate(sizes))
    if bounds is None and "bounds" in known:
        bounds = known["bounds"]
    if bounds is None:
        if shown is None:
            return np.full(spread, -math.inf), np.full(spread, math.inf)
        over = (0, *(i + 1 for i in range(len(sizes)) if i != axis))
        return (
            shown.min(axis=over).astype(np.float64).reshape(spread),
            shown.max(axis=over).astype(np.float64).reshape(spread),
        )
    try:
        low, high = (np.asarray(to_numpy(bound), dtype=np.float64) for bound in bounds)
        if low.ndim == 1 and axis is not None:
            low, high = low.reshape(spread), high.reshape(spread)
        low, high = np.broadcast_to(low, spread), np.broadcast_to(high, spread)
        right = bool((low < high).all())
    except (TypeError, ValueError):
        right = False
    if not right:
        raise InputError(
            f"{who}: bounds must be (low, high), numbers or one per channel, low < high, in the units of the module's "
            f"input; got {shorten(bounds)}.",
            code="bad-parameter",
        )
    return low, high


def _norm(
    norm: Any,
    shown: np.ndarray | None,
    background: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    sizes: tuple[int, ...],
    who: str,
) -> tuple[float, str]:
    count = math.prod(sizes)
    if norm is not None:
        return check_number(norm, name="norm", who=who, low=0.0), "given"
    if shown is not None:
        lengths = np.linalg.norm((shown - background).reshape(len(shown), -1), axis=1)
        if np.median(lengths) > 0:
            return float(np.median(lengths)), "the median of the example stimuli"
    half = float(np.mean(np.where(np.isfinite(low), high, math.inf) - np.where(np.isfinite(low), low, 0)) / 2)
    if math.isfinite(half):
        return 0.4 * half * math.sqrt(count), "a root mean square of 0.4 of half the range"
    warn(
        "norm-assumed",
        f"Neither norm=, bounds= nor example stimuli were given, so stimuli have a root mean square of 1 (norm "
        f"{math.sqrt(count):.3g}).",
        "Give norm=, or like= stimuli whose contrast it should have.",
    )
    return math.sqrt(count), "a root mean square of 1"


def _colours(shown: np.ndarray, axis: int) -> np.ndarray | None:
    pixels = np.moveaxis(shown, axis + 1, -1).reshape(-1, shown.shape[axis + 1])
    covariance = np.cov(pixels[:: max(1, len(pixels) // 200_000)].T.astype(np.float64))
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    if not values[-1] > 0:
        return None
    sd = np.sqrt(np.clip(values / values[-1], 1e-3, None))
    return (vectors * sd) @ vectors.T
