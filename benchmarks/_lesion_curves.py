"""Accuracy while more and more units of a layer are removed in random orders, and the area under it with its interval.

The area is above chance and divided by that of the intact network, (mean over the share removed of accuracy - chance)
/ (intact accuracy - chance): 1 is a network that nothing hurts, 0 one that the first unit brings to chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from consilience.analyses._evaluate_outputs import make_score
from consilience.networks._lesion import Lesions, make_parts

__all__ = ["CHANCE", "Curve", "over_seeds", "random_curve"]

CHANCE, WHO = 0.1, "benchmarks"


@dataclass(frozen=True)
class Curve:
    """share (steps,) of the units removed; accuracy (orders, steps); the normalised ``area`` with a 95 % interval
    over stimuli and orders together (``low``, ``high``).
    """

    share: np.ndarray
    accuracy: np.ndarray
    intact: float
    area: float
    low: float
    high: float


def random_curve(
    net: Any,
    layer: str,
    stimuli: Any,
    target: np.ndarray,
    *,
    how: str,
    reference: Any,
    n_orders: int = 20,
    n_steps: int = 12,
    n_boot: int = 1000,
    rng: int = 0,
) -> Curve:
    """Curves of ``n_orders`` random orders, the same for every ``how``; values that replace units come from
    ``reference``, other stimuli than those scored.
    """
    parts = make_parts(net, layer, stimuli, who=WHO)
    order_rng = np.random.default_rng([rng, 1])
    steps = np.unique(np.round(np.linspace(0, len(parts), n_steps + 1)).astype(int))
    hits = np.empty((n_orders, len(steps), len(target)))
    with Lesions(
        net, stimuli, parts, how=how, reference=reference, rng=np.random.default_rng([rng, 2]), who=WHO
    ) as run:
        score = make_score("accuracy", target, run.intact, who=WHO)
        for k in range(n_orders):
            rank = np.empty(len(parts), dtype=int)
            rank[order_rng.permutation(len(parts))] = np.arange(len(parts))
            hits[k] = run.scores(rank[None, :] < steps[:, None], score.f, draw=k)
    share = steps / len(parts)
    each = np.trapezoid(hits, share, axis=1)  # (orders, stimuli)
    intact = hits[0, 0]

    boot = np.random.default_rng([rng, 3])
    of_stimuli = boot.multinomial(len(target), np.full(len(target), 1 / len(target)), n_boot) / len(target)
    of_orders = boot.multinomial(n_orders, np.full(n_orders, 1 / n_orders), n_boot) / n_orders
    drawn = np.einsum("bo,on,bn->b", of_orders, each, of_stimuli, optimize=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (drawn - CHANCE) / (of_stimuli @ intact - CHANCE)
    low, high = np.quantile(ratio, [0.025, 0.975])
    return Curve(
        share=share,
        accuracy=hits.mean(axis=2),
        intact=float(intact.mean()),
        area=float((each.mean() - CHANCE) / (intact.mean() - CHANCE)),
        low=float(low),
        high=float(high),
    )


def over_seeds(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over seeds and the t interval of it: of three seeds as wide as 4.3 standard errors."""
    values = np.asarray(values, dtype=np.float64)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)
