"""Rule ``pairs``: one vector per system (and subject); every draw is a weighted cosine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.analyses import _ceiling_gap as gaps
from consilience.analyses._design import (
    Block,
    Design,
    ceiling_of_halves,
    half_means,
    half_trials,
    per_part,
    quarter_means,
    quarter_trials,
)
from consilience.analyses._inputs import System, people_of
from consilience.measures import Measure, PairParts, rdm
from consilience.measures._rdm import FlatPatternError
from consilience.stats import (
    leave_one_out_ceiling,
    percentile_interval,
    repeats_ceiling,
)


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


class PairsBlock:
    """Rule ``pairs``: one vector per system (and subject); every draw is a weighted cosine."""

    def __init__(
        self, measure: Measure, a: list[System], b: list[System], design: Design, device: Any
    ) -> None:
        self.parts: PairParts = measure.parts
        self.a, self.b, self.design, self.device = a, b, design, device
        self._vectors: dict[tuple[int, str], np.ndarray] = {}
        self._ceilings_of: dict[tuple[int, str], gaps.Score | None] = {}
        self._tested = design.n_boot > 0 and gaps.tested(self.parts)

    def _array(self, x: np.ndarray) -> Any:
        if self.device is None:
            return x
        import torch

        return torch.tensor(np.ascontiguousarray(x), device=self.device)

    def _direct(self, x: np.ndarray, flavour: str) -> np.ndarray:
        """Pair vector of responses ``x``."""
        if not flavour:
            return _numpy(self.parts.prepare(self._array(x)))
        assert self.parts.from_rdm is not None
        assert self.parts.rdm_distance is not None
        distance = self.parts.rdm_distance(flavour)
        return self.parts.from_rdm(_numpy(rdm(self._array(x), distance=distance)), flavour)  # type: ignore[arg-type]

    def _of_system(self, system: System, flavour: str, trials: np.ndarray | None = None) -> np.ndarray | None:
        """Pair vector of the mean responses of a system, read in blocks where they are not in memory; its RDM is made
        once for all measures. ``trials``: of means over these only; then None where they are not read in blocks.
        """
        assert system.responses is not None
        if not flavour:
            if self.parts.from_gram is not None:
                gram = system.gram(self.parts.gram, trials)
                if gram is not None:
                    return _numpy(self.parts.from_gram(gram, system.responses.eps))
            return None if trials is not None else self._direct(_x(system), flavour)
        assert self.parts.from_rdm is not None
        assert self.parts.rdm_distance is not None
        distance = self.parts.rdm_distance(flavour)
        if trials is not None:
            half = system.distances(distance, trials)
            return None if half is None else self.parts.from_rdm(half, flavour)

        def make() -> np.ndarray:
            made = system.distances(distance)
            return _numpy(rdm(self._array(_x(system)), distance=distance) if made is None else made)  # type: ignore[arg-type]

        return self.parts.from_rdm(system.rdm(distance, make), flavour)

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
                try:
                    found = self._of_system(system, flavour)
                    assert found is not None
                    self._vectors[key] = found[None]
                except FlatPatternError as error:
                    ids = np.arange(self.design.n) if self.design.ids is None else self.design.ids
                    raise error.named(ids, who=f"cs.compare, system {system.name!r}") from None
                except InputError as error:
                    used = None if system.responses is None else system.responses.units
                    lost = 0 if used is None else int((~used).sum())
                    why = f" ({lost} units that do not vary over stimuli were dropped before)" if lost else ""
                    raise InputError(f"{system.name}: {error}{why}", code=error.code) from None
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
            if max(shape) > 1:  # else there is no difference to test
                out.left_out = self.left_out()
        if self._tested:
            out.gap = self._gaps(shape)
        return out

    def _fill(self, out: Block, rows: np.ndarray, columns: np.ndarray, fa: str, fb: str) -> None:
        a, b = [self.a[i] for i in rows], [self.b[j] for j in columns]
        va, oa = self.stacked(a, fb)
        vb, ob = self.stacked(b, fa)
        where = np.ix_(rows, columns)
        out.values[where] = _subject_mean(_subject_mean(self.parts.combine(va, vb), oa, 0), ob, 1)
        assert out.pooled is not None
        out.pooled[where] = self._pooled(a, b, fa, fb)
        full: Any = (slice(None), *where)
        if self.design.weights is not None:
            assert out.draws is not None and out.subject_draws is not None and out.both_draws is not None  # noqa: PT018
            each = self.parts.combine(va, vb, self.design.weights)
            out.draws[full] = _subject_mean(_subject_mean(each, oa, 1), ob, 2)
            several = np.array([[max(people_of(s), people_of(t)) > 1 for t in b] for s in a])
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

    def weighted_values(self) -> np.ndarray:
        """Values (draws, n_a, n_b) under the weights of the design, means over subjects; nothing else."""
        weights = self.design.weights
        assert weights is not None
        out = np.full((len(weights), len(self.a), len(self.b)), np.nan)
        for rows, columns, fa, fb in self.groups():
            va, oa = self.stacked([self.a[i] for i in rows], fb)
            vb, ob = self.stacked([self.b[j] for j in columns], fa)
            each = self.parts.combine(va, vb, weights)
            where: Any = (slice(None), *np.ix_(rows, columns))
            out[where] = _subject_mean(_subject_mean(each, oa, 1), ob, 2)
        return out

    def left_out(self) -> np.ndarray:
        """Values (n, n_a, n_b) without each stimulus, means over subjects."""
        out = np.full((self.design.n, len(self.a), len(self.b)), np.nan)
        for rows, columns, fa, fb in self.groups():
            va, oa = self.stacked([self.a[i] for i in rows], fb)
            vb, ob = self.stacked([self.b[j] for j in columns], fa)
            each = self.parts.left_out(va, vb, self.design.n)
            where: Any = (slice(None), *np.ix_(rows, columns))
            out[where] = _subject_mean(_subject_mean(each, oa, 1), ob, 2)
        return out

    def _subject_weights(self, systems: list[System]) -> np.ndarray:
        parts = [
            self.design.subject_weights(s.subjects)
            if people_of(s) > 1
            else np.ones((self.design.n_boot, people_of(s)))
            for s in systems
        ]
        return np.concatenate(parts, axis=1)

    def _pooled(self, a: list[System], b: list[System], fa: str, fb: str) -> np.ndarray:
        """Values against the mean RDM of a system's subjects; NaN where neither side has several."""
        out = np.full((len(a), len(b)), np.nan)
        if not any(people_of(s) > 1 for s in (*a, *b)):
            return out

        def mean(system: System, flavour: str) -> np.ndarray:
            if system.rdms is None or people_of(system) == 1:
                return self.vectors(system, flavour)[:1]
            assert self.parts.from_rdm is not None
            return self.parts.from_rdm(system.rdms.mean(axis=0), system.distance)[None]

        values = self.parts.combine(
            np.concatenate([mean(s, fb) for s in a]), np.concatenate([mean(s, fa) for s in b])
        )
        several = np.array([[max(people_of(s), people_of(t)) > 1 for t in b] for s in a])
        return np.where(several, values, np.nan)

    def _ceilings(self, a: list[System], b: list[System], fa: str, fb: str) -> tuple[np.ndarray, np.ndarray]:
        of_b = [self._ceiling(s, fa) for s in b]
        of_a = [self._ceiling(s, fb) for s in a]
        both = np.array([[_joint_ceiling(ca, cb) for cb in of_b] for ca in of_a])
        return both[..., 0], both[..., 1]

    def _ceiling(self, system: System, flavour: str) -> tuple[float, float]:
        if people_of(system) > 1:
            v = self.vectors(system, flavour)
            others = np.array(
                [
                    self.parts.combine(v[s : s + 1], self.parts.pool(np.delete(v, s, 0))[None])[0, 0]
                    for s in range(len(v))
                ]
            )
            top = self.parts.bound(v)[None]
            everyone = np.array([self.parts.combine(v[s : s + 1], top)[0, 0] for s in range(len(v))])
            if self._tested:
                self._ceilings_of[id(system), flavour] = gaps.of_subjects(self.parts, v, self.design.n)
            return leave_one_out_ceiling(np.arange(len(v)), others, everyone)
        if system.trials is None or not self.parts.has_ceiling:
            return float("nan"), float("nan")
        scores = []

        def scored() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for one, two in self._half_vectors(system, flavour):
                scores.append(float(self.parts.combine(one[None], two[None])[0, 0]))
                yield one, two

        if self._tested:
            self._ceilings_of[id(system), flavour] = gaps.of_halves(self.parts, scored(), self.design.n)
        else:
            deque(scored(), maxlen=0)
        low, quarters = float(np.mean(scores)), []
        if low > 0:
            quarters = [
                float(self.parts.combine(one[None], two[None])[0, 0])
                for one, two in self._quarter_vectors(system, flavour)
            ]
        quarter = float(np.mean(quarters)) if quarters else None
        half, fourth, whole = per_part(system)
        high = repeats_ceiling(low, quarter, per_half=half, per_quarter=fourth, per_all=whole)
        return ceiling_of_halves(system, low, high)

    def _gaps(self, shape: tuple[int, int]) -> gaps.Gap:
        """Variances of value - ceiling_low, where one side alone has a ceiling."""
        out, n = gaps.Gap.blank(shape), self.design.n
        for rows, columns, fa, fb in self.groups():
            for i in rows:
                for j in columns:
                    sides = [(self.a[i], fb, self.b[j], fa), (self.b[j], fa, self.a[i], fb)]
                    known = [
                        side for side in sides if self._ceilings_of.get((id(side[0]), side[1])) is not None
                    ]
                    if len(known) != 1:
                        continue
                    system, flavour, other, its = known[0]
                    v, w = self.vectors(system, flavour), self.vectors(other, its)
                    if len(w) > 1:
                        continue
                    ceiling = self._ceilings_of[id(system), flavour]
                    assert ceiling is not None
                    value = gaps.of_values(self.parts, v, np.broadcast_to(w, v.shape), n)
                    found = gaps.gap_variances(value, ceiling, n)
                    for column, number in zip((out.variance, out.df, out.variance_both, out.df_both), found):
                        column[i, j] = number
        return out

    def _half_vectors(self, system: System, flavour: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pair vectors of the means of random halves of the repeats."""
        halves = ((first, ~first) for first in half_trials(system, self.design))
        yield from self._part_vectors(system, flavour, halves, half_means)

    def _quarter_vectors(self, system: System, flavour: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pair vectors of the means of two quarters of the repeats."""
        yield from self._part_vectors(system, flavour, quarter_trials(system, self.design), quarter_means)

    def _part_vectors(
        self,
        system: System,
        flavour: str,
        pairs: Iterator[tuple[np.ndarray, np.ndarray]],
        means: Callable[[System, Design], Iterator[tuple[np.ndarray, np.ndarray]]],
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if system.responses is not None and system.responses.on_disk:
            found = 0
            for first, second in pairs:
                one = self._of_system(system, flavour, first)
                two = self._of_system(system, flavour, second)
                if one is None or two is None:
                    break
                found += 1
                yield one, two
            if found:
                return
        for x, y in means(system, self.design):
            yield self._direct(x, flavour), self._direct(y, flavour)

    def halves(self, mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each split the values on its two halves. Mode ``point``: (1, n_a, n_b, 1); ``subjects``: (m,
        n_a, n_b, 1), subjects resampled; ``draws``: (m, n_a, n_b, 2), stimuli resampled, then stimuli and
        subjects."""
        n, design = self.design.n, self.design
        rows, columns = np.triu_indices(n, 1)
        for split in design.splits:
            pair = []
            for half in (split, ~split):
                inside = half[rows] & half[columns]
                if self.parts.diagonal:
                    inside = np.concatenate([inside, half])
                inside = np.tile(inside, self.parts.channels)
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
            index: Any = (slice(None), *np.ix_(rows, columns))
            if mode != "subjects":
                out[(*index, 0)] = _subject_mean(_subject_mean(each, oa, 1), ob, 2)
            if mode != "point":
                ua, ub = self._subject_weights(a), self._subject_weights(b)
                out[(*index, -1)] = _subject_weighted(_subject_weighted(each, ua, oa, 1), ub, ob, 2)
        return out


def _joint_ceiling(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """The ceiling of a pair: of the one side that has one, or, by attenuation, the product where both have."""
    if not np.isfinite(a[0]) or not np.isfinite(b[0]):
        return b if np.isfinite(b[0]) else a
    return a[0] * b[0], a[1] * b[1]


def _x(system: System) -> np.ndarray:
    assert system.responses is not None
    return system.responses.take()


def _numpy(x: Any) -> np.ndarray:
    from consilience._core._arrays import to_numpy

    return np.asarray(to_numpy(x), dtype=np.float64)
