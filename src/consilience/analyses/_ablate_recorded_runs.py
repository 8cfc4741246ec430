"""Lesions of fitted decoders and encoders: orders found on training rows, scores of all lesions on test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience.analyses._recorded_fits import Fit, Task, fits_of
from consilience.analyses._recorded_scores import Scorer, Terms
from consilience.models._removed_units import predictions_without, replacements
from consilience.stats._held_out_change import settled_to_first, unchanged
from consilience.units._tuning_strength import tuning_strength

__all__ = ["Orders", "Plan", "Run", "run_lesions"]

_CHUNK = 8_000_000  # predictions held at once
RANDOM_HOWS = ("resample", "noise")


@dataclass
class Orders:
    """random : (draws, P) orders in which parts go.   named : {name: function of a fold's fit -> (P,) order}."""

    random: np.ndarray
    named: dict[str, Callable[[Fit], np.ndarray]] = field(default_factory=dict)


@dataclass
class Plan:
    """columns : (P, p) bool, the columns of x that each part holds.   steps : (S,) numbers of parts removed."""

    columns: np.ndarray
    orders: Orders
    steps: np.ndarray
    single: bool

    def masks(self, fit: Fit, n_random: int) -> np.ndarray:
        """(M, P) bool for one fold: none, each part alone, random orders, named orders at their steps."""
        size = len(self.columns)
        parts = [np.zeros((1, size), bool)]
        if self.single:
            parts.append(np.eye(size, dtype=bool))
        every = [*self.orders.random[:n_random], *(found(fit) for found in self.orders.named.values())]
        for order in every:
            rank = np.empty(size, dtype=np.int64)
            rank[order] = np.arange(size)
            parts.append(rank < self.steps[:, None])
        return np.concatenate(parts)


@dataclass
class Run:
    """terms : one for each draw of replaced values.   n_random : random orders that were run."""

    terms: list[Terms]
    n_random: int
    scorer: Scorer
    plan: Plan

    def split(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Values (..., M) of all lesions: "intact" (...), "single" (..., P), "random" (..., draws, S), and each named
        order (..., S).
        """
        out = {"intact": values[..., 0]}
        at = 1
        if self.plan.single:
            out["single"] = values[..., 1 : 1 + len(self.plan.columns)]
            at += len(self.plan.columns)
        size = self.plan.steps.size
        lead = values.shape[:-1]
        out["random"] = values[..., at : at + self.n_random * size].reshape(*lead, self.n_random, size)
        at += self.n_random * size
        for name in self.plan.orders.named:
            out[name] = values[..., at : at + size]
            at += size
        return out

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """(draws, M), the mean over draws of replaced values; what differs from no lesion by rounding is as without."""
        return settled_to_first(np.mean([self.scorer.values(t, weights) for t in self.terms], axis=0), axis=1)

    def each(self, weights: np.ndarray | None = None) -> np.ndarray:
        """(draws, 1 + P, k) of no lesion and of single parts, of each class, column or unit."""
        count = 1 + len(self.plan.columns) * self.plan.single
        cut = [
            Terms(*(None if v is None else v[:, :count] for v in (t.top, t.left, t.right)))  # type: ignore[arg-type]
            for t in self.terms
        ]
        return settled_to_first(np.mean([self.scorer.each(t, weights) for t in cut], axis=0), axis=1)

    @property
    def unchanged(self) -> np.ndarray:
        """(P,) single parts whose lesion changed no row's part in the score."""
        size = len(self.plan.columns)
        same = np.ones(size, bool)
        for t in self.terms:
            for one in (t.top, t.left):
                if one is not None:
                    same &= unchanged(one[:, : 1 + size])
        return same


def run_lesions(
    task: Task,
    fits: list[Fit],
    plan: Plan,
    how: Any,
    scorer: Scorer,
    *,
    n_random: int,
    n_draws: int,
    seed: Seed,
    moved: Callable[[int], None] | None = None,
) -> Run:
    """Every lesion of the plan, in every fold. how : see `models._removed_units.replacements`, or "refit": the model is
    fitted anew without the parts.
    """
    draws = n_draws if isinstance(how, str) and how in RANDOM_HOWS else 1
    totals: list[Terms] = []
    for draw in range(draws):
        rng = seed.stream(f"{how if isinstance(how, str) else 'given'} {draw}")
        total: Terms | None = None
        for fit in fits:
            masks = plan.masks(fit, n_random)
            if total is None:
                total = scorer.empty(len(masks))
            if isinstance(how, str) and how == "refit":
                for k, told in enumerate(_refitted(task, fit, masks, plan.columns)):
                    scorer.add(total, fit, told[None], slice(k, k + 1))
                    if moved is not None:
                        moved(1)
                continue
            instead = replacements(how, fit.x, fit.inside, rng)
            if instead.shape != fit.x.shape or not np.isfinite(instead).all():
                raise InputError(
                    f"cs.ablate: how={shorten(how)} must give finite values of the shape it was given, "
                    f"{fit.x.shape}; got shape {instead.shape}.",
                    code="bad-parameter",
                )
            wide = masks @ plan.columns
            k = scorer.width(fit)
            step = max(1, _CHUNK // (len(fit.test) * k * (3 if scorer.score == "r" else 1)))
            for start in range(0, len(masks), step):
                told = predictions_without(
                    fit.predict, fit.affine, fit.x, instead, wide[start : start + step], stacked=fit.stacked
                )
                scorer.add(total, fit, told, slice(start, start + len(told)))
        assert total is not None
        totals.append(total)
    return Run(totals, n_random, scorer, plan)


def _refitted(task: Task, fit: Fit, masks: np.ndarray, columns: np.ndarray) -> Any:
    """Predictions (rows, k) of the test rows for each mask, the model fitted to what is left."""
    known: dict[bytes, np.ndarray] = {}
    for mask in masks:
        key = mask.tobytes()
        if key not in known:
            kept = ~(mask @ columns)
            if not kept.any():
                known[key] = np.broadcast_to(_constant(task, fit), (len(fit.test), _constant(task, fit).size))
            else:
                again = fits_of(task, [(fit.train, fit.test)], kept)[0]
                known[key] = again.predict(again.x)
                if task.kind in ("numbers", "units"):
                    known[key] = known[key] / np.where(again.spread > 0, again.spread, 1.0) * fit.spread
        yield known[key]


def _constant(task: Task, fit: Fit) -> np.ndarray:
    """(k,) what a model without inputs says: the most frequent class, or the mean."""
    if task.kind == "classes":
        return np.bincount(task.codes[fit.train], minlength=len(task.names)).astype(np.float64)
    return np.zeros(np.size(fit.mean))


def selectivity_order(task: Task, columns: np.ndarray, sign: float) -> Callable[[Fit], np.ndarray]:
    """Parts by tuning of their units on the training rows of a fold, strongest first (``sign`` 1)."""

    def order(fit: Fit) -> np.ndarray:
        if task.kind == "classes":
            strength = tuning_strength(fit.inside, codes=task.codes[fit.train])
        else:
            strength = tuning_strength(
                fit.inside, values=task.actual[fit.train], circular=task.kind == "angles"
            )
        part = columns @ strength / columns.sum(axis=1)
        return np.argsort(-sign * part, kind="stable")

    return order


def impact_order(task: Task, columns: np.ndarray, scorer: Scorer, sign: float) -> Callable[[Fit], np.ndarray]:
    """Parts by what the lesion of each alone costs on the training rows of a fold (at their mean), most first."""

    def order(fit: Fit) -> np.ndarray:
        inside = Fit(
            fit.train, fit.train, fit.inside, fit.inside, fit.predict, fit.mean, fit.spread, fit.stacked
        )
        masks = (
            np.concatenate([np.zeros((1, len(columns)), bool), np.eye(len(columns), dtype=bool)]) @ columns
        )
        if not fit.stacked:
            raise InputError(
                "cs.ablate: order='impact' needs predictions of training rows, which models of series do not give "
                "here; use order='selectivity' or an array of scores.",
                code="bad-parameter",
            )
        told = predictions_without(
            fit.predict,
            fit.affine,
            fit.inside,
            replacements("mean", fit.inside, fit.inside, np.random.default_rng(0)),
            masks,
        )
        value = scorer.of_rows(inside, told)
        value = settled_to_first(value, axis=0)
        loss = (value[0] - value[1:]) * (1 if scorer.higher else -1)
        return np.argsort(-sign * loss, kind="stable")

    return order
