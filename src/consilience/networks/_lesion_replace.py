"""What stands in for a lesioned activation: nothing, its mean, another stimulus's activation, noise, a number, a
function of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import shorten
from consilience.networks._lesion_places import Place, Site

__all__ = ["HOWS", "Replacement", "Summary", "check_how", "lesioned_values", "skipped"]

HOWS = ("zero", "mean", "resample", "noise", "skip")


def check_how(how: Any, *, who: str) -> Any:
    """``how`` as a name, a finite number or array, or a function."""
    if callable(how) or (isinstance(how, str) and how in HOWS):
        return how
    if isinstance(how, Mapping):
        return {str(key): check_how(entry, who=who) for key, entry in how.items()}
    try:
        values = (
            None if isinstance(how, (str, bytes)) or how is None else np.array(to_numpy(how), dtype=float)
        )
    except (TypeError, ValueError):
        values = None
    if values is None or not values.size or not np.isfinite(values).all():
        raise InputError(
            f"{who}: how must be one of {', '.join(HOWS)}, a finite number or array, or a function of the activations; "
            f"got {shorten(how)}.",
            code="bad-how",
        )
    return values


class Summary:
    """Mean, spread, range and, where asked for, all values of one place over stimuli, from one block at a time."""

    def __init__(self, shape: tuple[int, ...], *, keep: int = 0) -> None:
        self.shape, self.n, self.keep = shape, 0, keep
        self.mean: Any = None
        self.squares: Any = None
        self.low: Any = None
        self.high: Any = None
        self.values: Any = None

    def add(self, x: Any) -> None:
        """``x`` (b, *shape), a tensor."""
        wide = x.double() if x.device.type != "mps" else x.float()
        b = x.shape[0]
        mean, low, high = wide.mean(0), x.amin(0), x.amax(0)
        squares = ((wide - mean) ** 2).sum(0)
        if self.n == 0:
            self.mean, self.squares, self.low, self.high = mean, squares, low, high
        else:
            step = mean - self.mean
            self.squares = self.squares + squares + step**2 * (self.n * b / (self.n + b))
            self.mean = self.mean + step * (b / (self.n + b))
            self.low, self.high = self.low.minimum(low), self.high.maximum(high)
        if self.keep:
            if self.values is None:
                self.values = x.new_empty((self.keep, *x.shape[1:]), device="cpu")
            self.values[self.n : self.n + b] = x
        self.n += b

    @property
    def sd(self) -> Any:
        return (self.squares / self.n).sqrt()


class Replacement:
    """Gives r of x' = x + Pi (r - x) for each place, broadcastable to (lesions, stimuli, *shape)."""

    def __init__(self, how: Any, places: list[Place], entropy: int, *, itself: bool, who: str) -> None:
        self.how, self.places, self.entropy, self.itself, self.who = how, places, entropy, itself, who
        self.summaries: dict[tuple[int, int], Summary] = {}  # (place, call) -> over the reference
        self.n_reference = 0
        self._donors: tuple[Any, Any] = (None, None)
        self._fixed: dict[Any, Any] = {}
        self._noise: tuple[Any, Any] = (None, None)

    def name(self, number: int) -> Any:
        how = self.how
        if isinstance(how, dict):
            label = self.places[number].label
            if label not in how:
                raise InputError(f"{self.who}: how names no value for layer {label!r}.", code="bad-how")
            how = how[label]
        return how

    def needs_values(self, number: int) -> bool:
        return isinstance(self.name(number), str) and self.name(number) == "resample"

    def needs_reference(self) -> bool:
        return any(
            self.name(i) in ("mean", "resample", "noise")
            for i in range(len(self.places))
            if isinstance(self.name(i), str)
        )

    def check_memory(self, number: int, n: int) -> None:
        needed = n * self.places[number].n_units * 4
        lacking = check_fits(needed) if self.needs_values(number) else None
        if lacking is not None:
            raise InputError(
                f"{self.who}: resampling keeps layer {self.places[number].label!r} for all {n:,} reference stimuli, "
                f"{gigabytes(needed)}, with {lacking} free; give fewer with reference=, or how='mean'.",
                code="too-large",
            )

    def donors(self, draw: int, n: int) -> np.ndarray:
        """For each of n stimuli the number of the reference stimulus whose activation it gets; never itself."""
        key = draw, n
        if self._donors[0] != key:
            rng = np.random.default_rng([self.entropy, draw])
            if self.itself and self.n_reference > 1:
                found = rng.integers(0, self.n_reference - 1, n)
                found += found >= np.arange(n)
            else:
                found = rng.integers(0, self.n_reference, n)
            self._donors = key, found
        return np.asarray(self._donors[1])

    def __call__(self, number: int, call: int, x: Any, rows: np.ndarray, draw: int, n: int) -> Any:
        """``x`` (m, b, *shape) of the stimuli ``rows`` (b,) of n."""
        how = self.name(number)
        if callable(how):
            return self._of_function(how, number, x)
        if isinstance(how, np.ndarray):
            return self._clamped(how, number, x)
        if how == "zero":
            return x.new_zeros(())
        summary = self.summaries[number, call]
        if how == "mean":
            return self._as(("mean", number, call), summary.mean, x)
        if how == "resample":
            return summary.values[self.donors(draw, n)[rows]].to(x.device)
        return self._of_noise(number, call, summary, x, rows, draw)

    def _as(self, key: Any, value: Any, x: Any) -> Any:
        key = (*key, x.dtype, x.device)
        if key not in self._fixed:
            self._fixed[key] = value.to(dtype=x.dtype, device=x.device)
        return self._fixed[key]

    def _of_function(self, how: Callable[[Any], Any], number: int, x: Any) -> Any:
        flat = x.reshape(-1, *x.shape[2:])
        new = how(flat.clone())
        if tuple(getattr(new, "shape", ())) != tuple(flat.shape):
            raise InputError(
                f"{self.who}: how(activations) must return an array of the same shape, {tuple(flat.shape)} at layer "
                f"{self.places[number].label!r}; got {tuple(getattr(new, 'shape', ()))}.",
                code="bad-how",
            )
        import torch

        return torch.as_tensor(new, dtype=x.dtype, device=x.device).reshape(x.shape)

    def _clamped(self, how: np.ndarray, number: int, x: Any) -> Any:
        import torch

        place = self.places[number]
        if how.size == 1:
            value = how.reshape(())
        elif how.shape == place.leaf.shape:
            value = how
        elif how.shape == (place.n_units,):
            value = how.reshape(place.leaf.shape)
        elif how.shape == (place.n_channels,):
            value = how.reshape([-1 if i == place.channel_axis else 1 for i in range(len(place.leaf.shape))])
        else:
            raise InputError(
                f"{self.who}: how must be one number, or one for each unit or channel of layer {place.label!r} (its "
                f"shape per stimulus is {place.leaf.shape}); got shape {how.shape}.",
                code="bad-how",
            )
        return self._as(("clamp", number), torch.as_tensor(np.ascontiguousarray(value)), x)

    def _of_noise(self, number: int, call: int, summary: Summary, x: Any, rows: np.ndarray, draw: int) -> Any:
        import torch

        key = (number, call, draw, int(rows[0]), len(rows))
        if self._noise[0] != key:
            # one stream for each stimulus: the same noise whatever the blocks
            drawn = np.stack(
                [
                    np.random.default_rng([self.entropy, draw, number, call, int(row)]).standard_normal(
                        math.prod(summary.shape), dtype=np.float32
                    )
                    for row in rows
                ]
            ).reshape(len(rows), *summary.shape)
            self._noise = key, torch.from_numpy(drawn).to(x.device)
        return self._as(("mean", number, call), summary.mean, x) + self._noise[1].to(x.dtype) * self._as(
            ("sd", number, call), summary.sd, x
        )


def lesioned_values(site: Site, x: Any, r: Any, masks: np.ndarray) -> Any:
    """x' = x + Pi (r - x) for each mask (m, P): (m, b, *shape). ``x`` is that, or (1, b, *shape), shared by all masks;
    ``r`` is broadcastable to it.
    """
    import torch

    if site.bases is None:
        chosen = torch.from_numpy(site.chosen(masks)).to(x.device)
        shape = site.place.leaf.shape
        if site.space == "channels":
            sizes = [site.width if i == site.place.channel_axis else 1 for i in range(len(shape))]
        else:
            sizes = list(shape)
        chosen = chosen.reshape(len(masks), 1, *sizes)
        if site.times is not None:
            chosen = chosen & _on_times(site, x.device)
        return torch.where(chosen, r.to(x.dtype), x)
    x = x.expand(len(masks), *x.shape[1:])
    r = r.to(x.dtype).expand(x.shape)
    axis = site.place.channel_axis + 2
    new = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    for i, mask in enumerate(masks):
        basis = torch.as_tensor(site.span(mask), dtype=x.dtype, device=x.device)
        if site.space == "channels":
            away = (r[i] - x[i]).movedim(axis - 1, -1) if x.ndim > 2 else r[i] - x[i]
            step = (away @ basis) @ basis.T
            step = step.movedim(-1, axis - 1) if x.ndim > 2 else step
        else:
            step = (((r[i] - x[i]).flatten(1) @ basis) @ basis.T).reshape(x[i].shape)
        new[i] = x[i] + step
    return new if site.times is None else torch.where(_on_times(site, x.device), new, x)


def _on_times(site: Site, device: Any) -> Any:
    """(1, 1, *shape with other axes 1) bool: the steps that are lesioned."""
    import torch

    assert site.times is not None
    axes = site.place.leaf.axes
    on = torch.zeros(site.place.leaf.shape[axes.index("token")], dtype=torch.bool, device=device)
    on[torch.from_numpy(site.times)] = True
    return on.reshape(1, 1, *[-1 if axis == "token" else 1 for axis in axes])


def skipped(place: Place, x: Any, given: tuple[Any, ...], *, who: str) -> Any:
    """What goes into a layer, as its output (stimuli first)."""
    axis = place.leaf.stimulus_axis
    for value in given:
        if hasattr(value, "movedim") and tuple(value.shape) == tuple(x.movedim(0, axis).shape):
            return value.movedim(axis, 0)
    shapes = [tuple(value.shape) for value in given if hasattr(value, "shape")]
    raise InputError(
        f"{who}: how='skip' lets a layer hand on what it gets, but layer {place.label!r} gets {shapes} and gives "
        f"{tuple(x.shape)}; choose layers whose input and output have one shape.",
        code="bad-how",
    )
