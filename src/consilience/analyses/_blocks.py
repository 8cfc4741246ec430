"""One block of a comparison: all pairs of two sides under one measure, with draws, null and ceilings, by
the measure's rule.

Each rule's engine gives the same few things, so that the verb has no branch for a measure:
    values (n_a, n_b), pooled (n_a, n_b), draws over stimuli / subjects / both (m, n_a, n_b), interval over
    stimuli, null (k, n_a, n_b),
    ceilings (n_a, n_b) x 2, and `halves`, the values on both halves of each split under each draw (for the
    nested best).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._seeds import Seed
from consilience._responses import average
from consilience.analyses._inputs import System
from consilience.measures import Measure, PairParts, rdm
from consilience.measures._contract import halves_ceiling
from consilience.stats import (
    group_folds,
    half_splits,
    jackknife_interval,
    leave_one_out_ceiling,
    multinomial_weights,
    percentile_interval,
    permutations,
    split_half_rows,
    subset_rows,
    two_factor_interval,
)

__all__ = ["Block", "Design", "run_block"]

SPLITS, CEILING_SPLITS, SUBSETS, REFIT_GROUPS = 10, 20, 200, 20


@dataclass(frozen=True)
class Design:
    """The resamples, drawn once per call and shared by all pairs, measures and baselines.

    weights : (m, n) stimulus weights or None.   orders : (k, n) permutations or None.   splits : (SPLITS,
        n) bool halves.
    """

    n: int
    seed: Seed
    level: float
    n_boot: int
    weights: np.ndarray | None
    orders: np.ndarray | None
    splits: np.ndarray
    refit: bool = False

    @classmethod
    def draw(cls, n: int, *, seed: Seed, n_boot: int, n_perm: int, level: float, refit: bool) -> Design:
        return cls(
            n=n,
            seed=seed,
            level=level,
            n_boot=n_boot,
            weights=multinomial_weights(n, n_boot, seed.stream("stimuli")) if n_boot else None,
            orders=permutations(n, n_perm, seed.stream("permutations")) if n_perm else None,
            splits=half_splits(n, SPLITS, seed.stream("splits")),
            refit=refit,
        )

    def subject_weights(self, subjects: tuple[str, ...]) -> np.ndarray:
        """(m, subjects) weights that sum to 1 per draw; the same people get the same weights in every
        system.
        """
        stream = self.seed.stream("subjects:" + "\x1f".join(subjects))
        return multinomial_weights(len(subjects), self.n_boot, stream) / len(subjects)


@dataclass
class Block:
    """See the module docstring; missing parts are None."""

    values: np.ndarray
    pooled: np.ndarray | None = None
    draws: np.ndarray | None = None
    subject_draws: np.ndarray | None = None
    both_draws: np.ndarray | None = None
    interval: tuple[np.ndarray, np.ndarray] | None = None
    null: np.ndarray | None = None
    ceiling_low: np.ndarray | None = None
    ceiling_high: np.ndarray | None = None
    halves: Callable[[str], Iterator[tuple[np.ndarray, np.ndarray]]] | None = field(default=None, repr=False)


def run_block(
    measure: Measure, a: list[System], b: list[System], design: Design, *, who: str, device: Any = None
) -> Block:
    """All pairs of ``a`` and ``b`` under one measure."""
    rule = measure.claims.resample
    if any(s.rdms is not None for s in (*a, *b)) and not measure.claims.takes_rdms:
        named = next(s.name for s in (*a, *b) if s.rdms is not None)
        raise InputError(
            f"{who}: measure {measure.key!r} needs responses, and {named!r} is known by its RDM only; use "
            "'rsa' or 'cka'.",
            code="needs-responses",
        )
    if rule == "pairs":
        return _Pairs(measure, a, b, design, device).block()
    if rule == "predictions":
        return _predictions(measure, a, b, design, who)
    return _whole(measure, a, b, design)


# -- pairs -------------------------------------------------------------------------------------------------
# ----------


def _subject_mean(values: np.ndarray, owner: np.ndarray, axis: int) -> np.ndarray:
    """Mean over the rows of one system along ``axis``."""
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    counts = np.diff(np.r_[starts, owner.size])
    shape = [1] * values.ndim
    shape[axis] = -1
    return np.add.reduceat(values, starts, axis=axis) / counts.reshape(shape)


def _subject_weighted(values: np.ndarray, weights: np.ndarray, owner: np.ndarray, axis: int) -> np.ndarray:
    """Weighted sum over the rows of one system along ``axis`` of values (m or 1, ...); weights (m, rows)
    sum to 1 within a system.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    shape = [1] * values.ndim
    shape[0], shape[axis] = weights.shape
    return np.add.reduceat(values * weights.reshape(shape), starts, axis=axis)


class _Pairs:
    """Rule ``pairs``: one vector per system (and subject); every draw is a weighted cosine."""

    def __init__(
        self, measure: Measure, a: list[System], b: list[System], design: Design, device: Any
    ) -> None:
        self.parts: PairParts = measure.parts
        self.a, self.b, self.design, self.device = a, b, design, device
        self._vectors: dict[tuple[int, str], np.ndarray] = {}

    def _array(self, x: np.ndarray) -> Any:
        if self.device is None:
            return x
        import torch

        return torch.as_tensor(np.ascontiguousarray(x), device=self.device)

    def _direct(self, x: np.ndarray, flavour: str, system: System | None = None) -> np.ndarray:
        """Pair vector of responses ``x``; with ``system``, whose mean responses they are, its RDM is made
        once for all measures.
        """
        if not flavour:
            return _numpy(self.parts.prepare(self._array(x)))
        assert self.parts.from_rdm is not None
        assert self.parts.rdm_distance is not None
        distance = self.parts.rdm_distance(flavour)

        def make() -> np.ndarray:
            return _numpy(rdm(self._array(x), distance=distance))  # type: ignore[arg-type]

        return self.parts.from_rdm(make() if system is None else system.rdm(distance, make), flavour)

    def vectors(self, system: System, flavour: str) -> np.ndarray:
        """(subjects, P); ``flavour``: the distance of the RDMs on the other side, "" where that side has
        responses.
        """
        key = (id(system), "" if system.rdms is not None else flavour)
        if key not in self._vectors:
            if system.rdms is not None:
                assert self.parts.from_rdm is not None
                self._vectors[key] = np.stack([self.parts.from_rdm(d, system.distance) for d in system.rdms])
            else:
                assert system.x is not None
                self._vectors[key] = self._direct(system.x, flavour, system)[None]
        return self._vectors[key]

    def _flavour(self, system: System) -> str:
        return system.distance if system.rdms is not None else ""

    def groups(self) -> Iterator[tuple[np.ndarray, np.ndarray, str, str]]:
        """Sub-blocks in which every pair is prepared alike: (rows of a, columns of b, flavour of a, flavour
        of b).
        """
        kinds_a = [self._flavour(s) for s in self.a]
        kinds_b = [self._flavour(s) for s in self.b]
        for fa in dict.fromkeys(kinds_a):
            for fb in dict.fromkeys(kinds_b):
                yield (
                    np.flatnonzero([k == fa for k in kinds_a]),
                    np.flatnonzero([k == fb for k in kinds_b]),
                    fa,
                    fb,
                )

    def stacked(self, systems: list[System], flavour: str) -> tuple[np.ndarray, np.ndarray]:
        rows = [self.vectors(s, flavour) for s in systems]
        return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(r) for r in rows])

    def block(self) -> Block:
        m, k = self.design.n_boot, 0 if self.design.orders is None else len(self.design.orders)
        shape = (len(self.a), len(self.b))
        out = Block(values=np.full(shape, np.nan), pooled=np.full(shape, np.nan), halves=self.halves)
        out.ceiling_low, out.ceiling_high = np.full(shape, np.nan), np.full(shape, np.nan)
        if m:
            out.draws, out.subject_draws, out.both_draws = (np.full((m, *shape), np.nan) for _ in range(3))
        if k:
            out.null = np.full((k, *shape), np.nan)
        for rows, columns, fa, fb in self.groups():
            self._fill(out, rows, columns, fa, fb)
        if m:
            assert out.draws is not None
            out.interval = percentile_interval(out.draws, out.values, self.design.level)
        return out

    def _fill(self, out: Block, rows: np.ndarray, columns: np.ndarray, fa: str, fb: str) -> None:
        a, b = [self.a[i] for i in rows], [self.b[j] for j in columns]
        va, oa = self.stacked(a, fb)
        vb, ob = self.stacked(b, fa)
        where = np.ix_(rows, columns)
        out.values[where] = _subject_mean(_subject_mean(self.parts.combine(va, vb), oa, 0), ob, 1)
        assert out.pooled is not None
        out.pooled[where] = self._pooled(a, b, fa, fb)
        full = (slice(None), *where)
        if self.design.weights is not None:
            assert out.draws is not None and out.subject_draws is not None and out.both_draws is not None  # noqa: PT018
            each = self.parts.combine(va, vb, self.design.weights)
            out.draws[full] = _subject_mean(_subject_mean(each, oa, 1), ob, 2)
            several = np.array([[max(_people(s), _people(t)) > 1 for t in b] for s in a])
            ua, ub = self._subject_weights(a), self._subject_weights(b)
            point = self.parts.combine(va, vb)[None]
            for target, source in ((out.subject_draws, point), (out.both_draws, each)):
                weighted = _subject_weighted(_subject_weighted(source, ua, oa, 1), ub, ob, 2)
                target[full] = np.where(several[None], weighted, np.nan)
        if self.design.orders is not None:
            assert out.null is not None
            out.null[full] = _subject_mean(self.parts.permute(va, vb, self.design.orders, groups=ob), oa, 1)
        low, high = self._ceilings(a, b, fa, fb)
        assert out.ceiling_low is not None and out.ceiling_high is not None  # noqa: PT018
        out.ceiling_low[where], out.ceiling_high[where] = low, high

    def _subject_weights(self, systems: list[System]) -> np.ndarray:
        parts = [
            self.design.subject_weights(s.subjects)
            if _people(s) > 1
            else np.ones((self.design.n_boot, _people(s)))
            for s in systems
        ]
        return np.concatenate(parts, axis=1)

    def _pooled(self, a: list[System], b: list[System], fa: str, fb: str) -> np.ndarray:
        """Values against the mean RDM of a system's subjects; NaN where neither side has several."""
        out = np.full((len(a), len(b)), np.nan)
        if not any(_people(s) > 1 for s in (*a, *b)):
            return out

        def mean(system: System, flavour: str) -> np.ndarray:
            if system.rdms is None or _people(system) == 1:
                return self.vectors(system, flavour)[:1]
            assert self.parts.from_rdm is not None
            return self.parts.from_rdm(system.rdms.mean(axis=0), system.distance)[None]

        values = self.parts.combine(
            np.concatenate([mean(s, fb) for s in a]), np.concatenate([mean(s, fa) for s in b])
        )
        several = np.array([[max(_people(s), _people(t)) > 1 for t in b] for s in a])
        return np.where(several, values, np.nan)

    def _ceilings(self, a: list[System], b: list[System], fa: str, fb: str) -> tuple[np.ndarray, np.ndarray]:
        of_b = [self._ceiling(s, fa) for s in b]
        of_a = [self._ceiling(s, fb) for s in a]
        both = np.array([[cb if np.isfinite(cb[0]) else ca for cb in of_b] for ca in of_a])
        return both[..., 0], both[..., 1]

    def _ceiling(self, system: System, flavour: str) -> tuple[float, float]:
        if _people(system) > 1:
            v = self.vectors(system, flavour)
            others = np.array(
                [
                    self.parts.combine(v[s : s + 1], self.parts.pool(np.delete(v, s, 0))[None])[0, 0]
                    for s in range(len(v))
                ]
            )
            top = self.parts.bound(v)[None]
            everyone = np.array([self.parts.combine(v[s : s + 1], top)[0, 0] for s in range(len(v))])
            return leave_one_out_ceiling(np.arange(len(v)), others, everyone)
        if system.trials is None:
            return float("nan"), float("nan")
        scores = [
            float(
                self.parts.combine(self._direct(one, flavour)[None], self._direct(two, flavour)[None])[0, 0]
            )
            for one, two in _half_means(system, self.design)
        ]
        return halves_ceiling(float(np.mean(scores)))

    def halves(self, mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each split the values on its two halves. Mode ``point``: (1, n_a, n_b, 1); ``subjects``: (m,
        n_a, n_b, 1), subjects
        resampled; ``draws``: (m, n_a, n_b, 2), stimuli resampled, then stimuli and subjects."""
        n, design = self.design.n, self.design
        rows, columns = np.triu_indices(n, 1)
        for split in design.splits:
            pair = []
            for half in (split, ~split):
                inside = half[rows] & half[columns]
                if self.parts.diagonal:
                    inside = np.concatenate([inside, half])
                weights = (
                    design.weights[:, half]
                    if mode == "draws" and design.weights is not None
                    else np.ones((1, int(half.sum())))
                )
                pair.append(self._half(np.flatnonzero(inside), weights, mode))
            yield pair[0], pair[1]

    def _half(self, inside: np.ndarray, weights: np.ndarray, mode: str) -> np.ndarray:
        size = 1 if mode == "point" else self.design.n_boot
        out = np.full((size, len(self.a), len(self.b), 2 if mode == "draws" else 1), np.nan)
        for rows, columns, fa, fb in self.groups():
            a, b = [self.a[i] for i in rows], [self.b[j] for j in columns]
            va, oa = self.stacked(a, fb)
            vb, ob = self.stacked(b, fa)
            each = self.parts.combine(va[:, inside], vb[:, inside], weights)
            index = (slice(None), *np.ix_(rows, columns))
            if mode != "subjects":
                out[(*index, 0)] = _subject_mean(_subject_mean(each, oa, 1), ob, 2)
            if mode != "point":
                ua, ub = self._subject_weights(a), self._subject_weights(b)
                out[(*index, -1)] = _subject_weighted(_subject_weighted(each, ua, oa, 1), ub, ob, 2)
        return out


def _people(system: System) -> int:
    return 1 if system.rdms is None else len(system.rdms)


def _numpy(x: Any) -> np.ndarray:
    from consilience._core._arrays import to_numpy

    return np.asarray(to_numpy(x), dtype=np.float64)


def _half_means(system: System, design: Design) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Means of random halves of the repeats, (n, units) each."""
    assert system.trials is not None
    ids = system.trials["stimulus"].values
    for first in split_half_rows(ids, CEILING_SPLITS, design.seed.stream("ceiling")):
        yield average(system.trials[first]).values, average(system.trials[~first]).values


# -- predictions
# -----------------------------------------------------------------------------------------------------


def _predictions(measure: Measure, a: list[System], b: list[System], design: Design, who: str) -> Block:
    """Rule ``predictions``: folds fixed by stimulus, held-out predictions resampled; conditional on the
    fitted folds.
    """
    parts, n = measure.parts, design.n
    count = int(measure.options.get("folds", parts.folds))
    folds = group_folds(np.arange(n), count, design.seed.stream("folds"), who=who)
    shape = (len(a), len(b))
    out = Block(values=np.full(shape, np.nan))
    out.ceiling_low, out.ceiling_high = np.full(shape, np.nan), np.full(shape, np.nan)
    if design.weights is not None:
        out.draws = np.full((design.n_boot, *shape), np.nan)
    if design.orders is not None:
        out.null = np.full((len(design.orders), *shape), np.nan)
    prepared_y = [parts.prepare_y(s.x) for s in b]
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    predictions: dict[tuple[int, int], Any] = {}
    ceilings = [_prediction_ceiling(measure, s, design, folds) for s in b]
    for i, s in enumerate(a):
        x = parts.prepare(s.x)
        plan = parts.plan(x, folds, None)
        for j, y in enumerate(prepared_y):
            found = predictions[i, j] = plan.predict(y)
            out.values[i, j] = found.score()
            out.ceiling_low[i, j], out.ceiling_high[i, j] = ceilings[j]
            if out.draws is not None:
                out.draws[:, i, j] = found.score(design.weights)
            if design.refit and design.n_boot:
                low[i, j], high[i, j] = _refit_interval(parts, x, y, out.values[i, j], design, count, who)
            if out.null is not None and design.orders is not None:
                out.null[:, i, j] = _permuted(plan, y, design.orders)
    if out.draws is not None:
        out.interval = (
            (low, high) if design.refit else percentile_interval(out.draws, out.values, design.level)
        )

    def halves(mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        weights = design.weights if mode == "draws" and design.weights is not None else np.ones((1, n))
        for split in design.splits:
            pair = []
            for half in (split, ~split):
                values = np.empty((len(weights), *shape, 2 if mode == "draws" else 1))
                for (i, j), found in predictions.items():
                    values[:, i, j] = found.score(weights * half)[:, None]
                pair.append(values)
            yield pair[0], pair[1]

    out.halves = halves
    return out


def _permuted(plan: Any, y: np.ndarray, orders: np.ndarray) -> np.ndarray:
    if hasattr(plan, "permuted_scores"):
        return plan.permuted_scores(y, orders)
    return np.array([plan.predict(y[order]).score() for order in orders])


def _refit_interval(
    parts: Any, x: np.ndarray, y: np.ndarray, value: float, design: Design, count: int, who: str
) -> tuple[float, float]:
    """Everything refitted with one group of stimuli left out at a time (grouped jackknife)."""
    groups = min(design.n, REFIT_GROUPS)
    left_out = group_folds(np.arange(design.n), groups, design.seed.stream("refit"), who=who)
    kept = [np.setdiff1d(np.arange(design.n), rows) for rows in left_out]
    values = []
    for k, rows in enumerate(kept):
        folds = group_folds(
            np.arange(rows.size), min(count, rows.size), design.seed.stream(f"refit{k}"), who=who
        )
        values.append(parts.plan(x[rows], folds, None).predict(y[rows]).score())
    low, high = jackknife_interval(
        value, np.array(values), n=groups, left_out=1, level=design.level, exhaustive=True
    )
    return float(low), float(high)


def _prediction_ceiling(
    measure: Measure, system: System, design: Design, folds: list[np.ndarray]
) -> tuple[float, float]:
    if system.trials is None:
        return float("nan"), float("nan")
    parts = measure.parts
    if parts.ceiling is not None:
        return tuple(np.mean([parts.ceiling(one, two) for one, two in _half_means(system, design)], axis=0))  # type: ignore[return-value]
    scores = [
        parts.plan(parts.prepare(one), folds, None).predict(parts.prepare_y(two)).score()
        for one, two in _half_means(system, design)
    ]
    return halves_ceiling(float(np.mean(scores)))


# -- whole: in-sample alignments and functions without parts
# -----------------------------------------------------------


def _whole(measure: Measure, a: list[System], b: list[System], design: Design) -> Block:
    """Rules ``subsample`` (delete-d jackknife) and ``none`` (a user's own function: no interval over
    stimuli).
    """
    n, shape = design.n, (len(a), len(b))
    parts = measure.parts
    prepare: Callable[[Any], np.ndarray] = parts.prepare if parts is not None else (lambda x: x)
    value: Callable[[np.ndarray, np.ndarray], float] = (
        parts.value if parts is not None else (lambda x, y: float(measure(x, y)))
    )
    xs, ys = [prepare(s.x) for s in a], [prepare(s.x) for s in b]
    out = Block(values=np.array([[value(x, y) for y in ys] for x in xs]))
    out.ceiling_low, out.ceiling_high = np.full(shape, np.nan), np.full(shape, np.nan)
    for j, s in enumerate(b):
        if s.trials is not None:
            scores = [value(prepare(one), prepare(two)) for one, two in _half_means(s, design)]
            out.ceiling_low[:, j], out.ceiling_high[:, j] = halves_ceiling(float(np.mean(scores)))
    if parts is not None and design.n_boot:
        d = max(1, round(n / 10))
        subsets = subset_rows(n, n - d, min(design.n_boot, SUBSETS), design.seed.stream("subsets"))
        out.draws = np.array([[[value(x[rows], y[rows]) for y in ys] for x in xs] for rows in subsets])
        out.interval = jackknife_interval(out.values, out.draws, n=n, left_out=d, level=design.level)
    if design.orders is not None:
        out.null = np.array([[[value(x[order], y) for y in ys] for x in xs] for order in design.orders])

    def halves(mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for split in design.splits:
            yield tuple(
                np.array([[[value(x[half], y[half])] for y in ys] for x in xs])[None]
                for half in (split, ~split)
            )  # type: ignore[misc]

    out.halves = halves
    return out


def both_interval(
    block: Block, design: Design, n_subjects: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Interval for new stimuli and new subjects, where there are subjects."""
    if block.draws is None or block.subject_draws is None or block.both_draws is None:
        return None
    low, high = np.full(block.values.shape, np.nan), np.full(block.values.shape, np.nan)
    for i, j in np.argwhere(n_subjects > 1):
        low[i, j], high[i, j] = two_factor_interval(
            block.values[i, j],
            block.draws[:, i, j],
            block.subject_draws[:, i, j],
            block.both_draws[:, i, j],
            n_stimuli=design.n,
            n_subjects=int(n_subjects[i, j]),
            level=design.level,
        )
    return low, high
