"""Scores of synthetic stimuli: against natural ones, random phases, other seeds, small changes, another network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience.networks._input_space import InputSpace, inputs_of
from consilience.networks._network import Network

__all__ = ["Values", "agreement", "natural_values", "null_values", "robustness", "starts_from"]

_BLOCK = 64  # natural stimuli in memory at a time, as inputs


@dataclass(frozen=True)
class Values:
    """From activations (n, k) of k units the value of each of t targets, (n, t); see `cs.synthesize`."""

    pattern: str
    own: np.ndarray  # (t,) the unit of each target
    centre: np.ndarray
    spread: np.ndarray
    target: np.ndarray | None

    def __call__(self, activations: np.ndarray) -> np.ndarray:
        z = (activations - self.centre) / self.spread
        if self.pattern == "each":
            return activations[:, self.own]
        if self.pattern == "stretch":
            return z.mean(axis=1, keepdims=True)
        if self.pattern == "vector":
            assert self.target is not None
            far = (activations[:, None] - self.target[None]) / self.spread
            return -(far**2).mean(axis=2)
        out = np.empty((len(z), len(self.own)))
        for column, unit in enumerate(self.own):
            others = np.delete(z, unit, axis=1)
            top = others.max(axis=1, keepdims=True)
            mean = top[:, 0] + np.log(np.exp(others - top).mean(axis=1))
            out[:, column] = z[:, unit] - mean
        return out


Respond = Callable[[np.ndarray], np.ndarray]  # inputs (n, *shape) -> activations (n, k)


def natural_values(
    net: Network,
    stimuli: xr.DataArray,
    spaces: Sequence[InputSpace],
    respond: Respond,
    values: Values,
    *,
    who: str,
) -> np.ndarray:
    """Values (n, t) of natural stimuli brought to the norm of each target's space (and cut to its box)."""
    of_target = [(space.box, space.norm) for space in spaces]
    parts = []
    for start in range(0, stimuli.shape[0], _BLOCK):
        inputs = inputs_of(net, stimuli, who=who, rows=slice(start, start + _BLOCK))
        out = np.empty((len(inputs), len(spaces)))
        for kind in dict.fromkeys(map(str, of_target)):  # targets that see the same share their pass
            mine = [t for t, one in enumerate(of_target) if str(one) == kind]
            out[:, mine] = values(respond(spaces[mine[0]].fit(inputs)))[:, mine]
        parts.append(out)
    return np.concatenate(parts)


def starts_from(net: Network, stimuli: xr.DataArray, best: np.ndarray, *, who: str) -> np.ndarray:
    """Inputs of the natural stimuli at rows ``best``."""
    rows, back = np.unique(best, return_inverse=True)
    return inputs_of(net, stimuli, who=who, rows=rows)[back]


def null_values(
    spaces: Sequence[InputSpace],
    inputs: np.ndarray,
    respond: Respond,
    values: Values,
    n_null: int,
    streams: Sequence[np.random.Generator],
    *,
    ordered: bool,
    also: Callable[[np.ndarray], np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """For each target's best input, values (t, n_null) of that input with random phases; those of ``also`` (inputs ->
    (n, t)); and the mean cosine, at the best shift, of pairs of them.
    """
    found = np.full((len(inputs), n_null), np.nan)
    other = None if also is None else np.full_like(found, np.nan)
    alike = np.full(len(inputs), np.nan)
    for t, rng in enumerate(streams):
        if not n_null or not np.isfinite(inputs[t]).all():
            continue
        made = spaces[t].scrambled(inputs[t], rng, n_null, ordered=ordered)
        found[t] = values(respond(made))[:, t]
        if other is not None and also is not None:
            other[t] = also(made)[:, t]
        alike[t] = agreement(spaces[t], made[: min(6, n_null)], ordered=ordered)[1]
    return found, other, alike


def agreement(space: InputSpace, inputs: np.ndarray, *, ordered: bool) -> tuple[float, float]:
    """Mean cosine of pairs of inputs (differences from the background), as they are and at the best shift."""
    n = len(inputs)
    if n < 2:
        return np.nan, np.nan
    away = inputs.astype(np.float64) - space.background
    flat = away.reshape(n, -1)
    away /= np.maximum(np.linalg.norm(flat, axis=1), 1e-300).reshape(-1, *(1,) * (away.ndim - 1))
    flat = away.reshape(n, -1)
    pairs = np.triu_indices(n, 1)
    plain = float(np.mean((flat @ flat.T)[pairs]))
    if not ordered:
        return plain, plain
    axes = tuple(i + 1 for i in space.places)
    spectra = np.fft.fftn(away, axes=axes)
    best = []
    for i, j in zip(*pairs):
        product = spectra[i] * np.conj(spectra[j])
        if space.channel_axis is not None:
            product = product.sum(axis=space.channel_axis)
        best.append(float(np.fft.ifftn(product).real.max()))
    return plain, float(np.mean(best))


def robustness(
    space: InputSpace,
    inputs: np.ndarray,
    respond: Respond,
    values: Values,
    rng: np.random.Generator,
    *,
    ordered: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean values (t,) of each target's best input after small shifts, and after added noise."""
    shift, noise = np.full(len(inputs), np.nan), np.full(len(inputs), np.nan)
    step = max(1, max((space.shape[i] for i in space.places), default=1) // 64)
    for t, one in enumerate(inputs):
        if not np.isfinite(one).all():
            continue
        if ordered:
            moved = [np.roll(one, sign * step, axis=axis) for axis in space.places for sign in (-1, 1)]
            shift[t] = values(respond(np.stack(moved)))[:, t].mean()
        white = rng.normal(size=(4, *space.shape))
        white *= (0.2 * space.norm / np.linalg.norm(white.reshape(4, -1), axis=1)).reshape(
            -1, *(1,) * len(space.shape)
        )
        noisy = np.clip(one + white, space.low, space.high).astype(np.float32)
        noise[t] = values(respond(noisy))[:, t].mean()
    return shift, noise


def share_left(after: np.ndarray, value: np.ndarray, null: np.ndarray) -> Any:
    """(after - null) / (value - null), NaN where the value is not above the null."""
    rise = value - null
    return np.where(rise > 0, (after - null) / np.where(rise > 0, rise, 1.0), np.nan)
