"""Noise in the output of a layer, at several levels in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.networks._patching import Interventions, Spread

__all__ = ["KINDS", "noise_scores"]

KINDS = ("gaussian", "signal-dependent", "dropout")


def noise_scores(
    engine: Interventions,
    n: int,
    levels: np.ndarray,
    noise: Any,
    scale: str,
    n_draws: int,
    score: Callable[[np.ndarray, Any], np.ndarray],
    entropy: int,
    advance: Callable[[int], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (layers, levels, n), means over draws, with the first level (no noise) left 0; and the root mean square of
    the units' standard deviations (layers,).
    """
    spreads = engine.spread(n)
    loud = levels[1:]
    found = np.zeros((len(engine.places), levels.size, n))
    # levels that go through in one pass; one where batches are normalised by themselves
    parts = [[k] for k in range(loud.size)] if engine.by_batch else [list(range(loud.size))]
    block = max(1, min(n, engine.size // len(parts[0])))
    for number in range(len(engine.places)):
        for start in range(0, n, block):
            rows = np.arange(start, min(start + block, n))
            for draw in range(n_draws):
                for part in parts:
                    change = _change(noise, scale, loud[part], rows, spreads[number], (entropy, draw, number))
                    outputs = engine.changed(rows, number, len(part), change)
                    for k, came in zip(part, outputs):
                        found[number, 1 + k, rows] += np.asarray(score(came, rows)) / n_draws
                    advance(rows.size * len(part))
    rms = [math.sqrt(np.mean([s.rms**2 for s in spread.values()])) for spread in spreads]
    return found, np.array(rms)


def _change(
    noise: Any,
    scale: str,
    levels: np.ndarray,
    rows: np.ndarray,
    spread: dict[int, Spread],
    key: tuple[int, int, int],
) -> Callable[[int, Any], Any]:
    import torch

    def change(call: int, x: Any) -> Any:
        wide = x.reshape(levels.size, rows.size, *x.shape[1:])
        if callable(noise):
            return _of_function(noise, wide, levels, (*key, call)).reshape(x.shape)
        # one stream for each stimulus and draw: the same noise at all levels, whatever the batches
        streams = [np.random.default_rng([*key, call, int(row)]) for row in rows]
        shape = tuple(x.shape[1:])
        strength = torch.as_tensor(levels, dtype=x.dtype, device=x.device).reshape(-1, *(1,) * (x.ndim))
        if noise == "dropout":
            drawn = np.stack([rng.random(shape, dtype=np.float32) for rng in streams])
            kept = torch.from_numpy(drawn).to(device=x.device, dtype=x.dtype) >= strength
            return (wide * kept / (1 - strength)).reshape(x.shape)
        drawn = np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in streams])
        e = torch.from_numpy(drawn).to(device=x.device, dtype=x.dtype)
        at = spread[call]
        sd = at.sd if scale == "unit" else np.asarray(at.rms)
        size = torch.as_tensor(sd, dtype=x.dtype, device=x.device)
        if noise == "signal-dependent":
            mean = torch.as_tensor(np.where(at.size > 0, at.size, 1.0), dtype=x.dtype, device=x.device)
            return (wide + strength * size * (wide.abs() / mean).sqrt() * e).reshape(x.shape)
        return (wide + strength * size * e).reshape(x.shape)

    return change


def _of_function(noise: Callable[..., Any], wide: Any, levels: np.ndarray, key: tuple[int, ...]) -> Any:
    import torch

    parts = []
    for k, level in enumerate(levels.tolist()):
        values = wide[k].detach().cpu().numpy().copy()
        new = np.asarray(noise(values, level, np.random.default_rng(list(key))))
        if new.shape != values.shape:
            raise InputError(
                f"cs.robustness: noise(activations, level, rng) must return an array of the same shape, "
                f"{values.shape}; got {new.shape}.",
                code="bad-how",
            )
        parts.append(torch.as_tensor(new, dtype=wide.dtype, device=wide.device))
    return torch.stack(parts)
