"""Tests of attribution maps: faithfulness, randomised weights, another baseline."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import warn
from consilience._core._seeds import Seed
from consilience.networks._attribution import Attributor, Maps, Method
from consilience.networks._randomised import randomised
from consilience.stats._attribution_scores import patch_numbers, rank_agreement, removal_masks, share_lost

__all__ = ["faithfulness", "other_baseline", "randomisation", "warn_of"]

LEVELS = 9
PATCHES = 14  # per axis, at most
SHARES = (0.0, 0.25, 0.5, 1.0)  # of the layers, from the top; 0: the top layer
SENSITIVITY = ("gradient", "smoothgrad")  # maps whose size counts, not their sign
PATHS = ("integrated_gradients", "occlusion")
LIMIT = 0.5


def faithfulness(
    made: Attributor,
    maps: dict[str, Maps],
    rows: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    n_orders: int,
    seed: Seed,
) -> dict[str, np.ndarray]:
    """Curves (method, k, n, levels) of deletion and insertion, and of random orders (k, n, orders, levels); areas."""
    patches = patch_numbers(made.places, PATCHES, ordered=len(made.shape) > 1)
    count = int(patches.max()) + 1
    n, k = len(rows), made.k
    start, end = (v[:, rows] for v in ends)
    noise = seed.stream("orders").random((n, n_orders, count))
    masks = removal_masks(noise, patches, LEVELS).reshape(n, n_orders * LEVELS, *made.places)
    random = (made.masked(rows, masks) if n_orders else np.zeros((k, n, 0))).reshape(k, n, n_orders, LEVELS)
    out = {name: np.empty((len(maps), k, n, LEVELS)) for name in ("deletion", "insertion")}
    for m, (name, one) in enumerate(maps.items()):
        values = one.values[:, rows].reshape(k, n, -1)
        values = np.abs(values) if name in SENSITIVITY else values
        score = np.zeros((k, n, count))
        which: Any = (slice(None), slice(None), patches.ravel())
        np.add.at(score, which, values)
        for j in range(k):
            both = [removal_masks(sign * score[j], patches, LEVELS) for sign in (1, -1)]
            found = made.masked(rows, np.concatenate(both, axis=1))[j]
            out["deletion"][m, j] = found[:, :LEVELS]
            out["insertion"][m, j] = found[:, LEVELS:]
    for name in ("deletion", "insertion"):
        out[f"{name}_area"] = share_lost(out[name], start, end)
    out["random"] = random
    out["random_area"] = share_lost(random, start[..., None], end[..., None])
    return out


def randomisation(
    made: Attributor,
    methods: dict[str, Method],
    maps: dict[str, Maps],
    rows: np.ndarray,
    seeds: np.ndarray,
    scale: np.ndarray,
    n_null: int,
    seed: Seed,
) -> dict[str, np.ndarray]:
    """Rank correlation of maps with those of networks with shuffled weights: same (method, k, level, n), of the same
    stimulus; absolute, of |maps|; unrelated, mean over the others; number of layers shuffled (level,). Places that
    neither network's maps ever reach are left out: they say where the network looks by construction.
    """
    if not n_null:
        return {}
    draws = seed.stream("weights").integers(0, 2**31, n_null).tolist()
    same: Any = 0.0
    other: Any = 0.0
    size: Any = 0.0
    layers: list[tuple[float, int]] = []
    for draw in draws:
        nets = randomised(made.net, made.data, draw, SHARES, who=made.who)
        layers = [(share, count) for share, count, _ in nets]
        shape = (len(methods), made.k, len(nets), len(rows))
        now, rest, sizes = (np.full(shape, np.nan) for _ in range(3))
        for level, (_, _, net) in enumerate(nets):
            copy = made.on(net)
            for m, (name, method) in enumerate(methods.items()):
                values = copy.maps(method, rows, seeds[rows], scale).values
                for j in range(made.k):
                    a, b = (v.reshape(len(rows), -1) for v in (maps[name].values[j, rows], values[j]))
                    reached = (a != 0).any(axis=0) | (b != 0).any(axis=0)
                    a, b = a[:, reached], b[:, reached]
                    found = absolute = rank_agreement(np.abs(a), np.abs(b))
                    if name not in SENSITIVITY:
                        found = rank_agreement(a, b)
                    sizes[m, j, level] = np.diagonal(absolute)
                    now[m, j, level] = np.diagonal(found)
                    off = np.where(np.eye(len(rows), dtype=bool), np.nan, found)
                    known = np.isfinite(off).sum(axis=1)
                    total = np.nansum(off, axis=1)
                    rest[m, j, level] = np.where(known > 0, total / np.maximum(known, 1), np.nan)
        same, other, size = same + now / n_null, other + rest / n_null, size + sizes / n_null
    return {
        "same": same,
        "unrelated": other,
        "absolute": size,
        "layers": np.array([count for _, count in layers]),
        "total": np.array(layers[-1][1]),
    }


def other_baseline(
    made: Attributor,
    methods: dict[str, Method],
    maps: dict[str, Maps],
    rows: np.ndarray,
    seeds: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """(method, k) mean rank correlation of maps with those of the other of mean and zero; NaN where none is used."""
    out = np.full((len(methods), made.k), np.nan)
    moved = made.with_baseline("mean" if made.baseline_from == "zero" else "zero")
    for m, (name, method) in enumerate(methods.items()):
        if name not in PATHS:
            continue
        values = moved.maps(method, rows, seeds[rows], scale).values
        for j in range(made.k):
            a, b = (v.reshape(len(rows), -1) for v in (maps[name].values[j, rows], values[j]))
            found = np.diagonal(rank_agreement(a, b))
            out[m, j] = np.nanmean(found) if np.isfinite(found).any() else np.nan
    return out


def warn_of(data: Any, made: Attributor, tolerance: float, scale: np.ndarray) -> None:
    """Says what is wrong with the maps."""
    dead = data["dead"]
    if bool(dead.any()):
        listed = dead.sum("stimulus").stack(which=("map", "target"))
        words = [
            f"{int(count)} of {dead.sizes['stimulus']} of {name} for {target}"
            for (name, target), count in zip(listed["which"].values.tolist(), listed.values.tolist())
            if count
        ]
        more = f" and {len(words) - 3} more" if len(words) > 3 else ""
        warn(
            "dead-attribution",
            f"Maps are 0 everywhere: {'; '.join(words[:3])}{more}.",
            "A rectifier is off there, or (grad_cam) nothing in the layer raises the unit; read an earlier layer, or "
            "use integrated_gradients or occlusion.",
        )
    if "completeness_error" in data:
        error = np.abs(data["completeness_error"].values)
        size = np.maximum(np.abs(data["value"] - data["value_baseline"]).values, scale[:, None])
        over = np.isfinite(error) & (error > tolerance * size)
        if over.any():
            worst = float(np.max(np.where(over, error / np.where(size > 0, size, 1), 0)))
            warn(
                "incomplete-attribution",
                f"Integrated gradients of {int(over.any(axis=(0, 1)).sum())} of {error.shape[-1]} stimuli do not "
                f"sum to f(x) - f(baseline): off by up to {worst:.2g} of it after {8 * made.options['steps']} steps.",
                "Raise steps=, or tolerance= where this is near enough.",
            )
    if "agreement_low" in data:
        last = data.isel(layers_shuffled=-1)
        for name in data["map"].values.tolist():
            for unit in data["target"].values.tolist():
                at = last.sel(map=name, target=unit)
                low = float(at["agreement_low"])
                low = low if np.isfinite(low) else float(at["agreement"])
                if low > LIMIT:
                    warn(
                        "insensitive-attribution",
                        f"Maps of {name} for {unit} hardly change when all weights are shuffled: rank correlation "
                        f"{float(at['agreement']):.2f}.",
                        "Such a map shows the stimulus more than the network; use a method that passes "
                        "(.data.agreement), or measure with cs.ablate.",
                    )
