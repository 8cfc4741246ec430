"""Halves of two sets of responses, and what their covariances share."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.populations._halves import Sampled
from consilience.populations._principal_angles import angles_between
from consilience.populations._trial_groups import groups_kept

__all__ = ["Halves", "along", "leading_axes", "refuse_noise", "same_space"]

_SHARE = 0.8  # of the variance, in `Halves.enough`


def same_space(one: Sampled, two: Sampled) -> tuple[Sampled, Sampled, np.ndarray | None]:
    """Both rotated into the space that their rows span, where units are more than rows, and the axes (units, r) of it;
    of one common size.
    """
    rows = np.concatenate([s.x.reshape(-1, s.x.shape[2]) for s in (one, two)])
    size = np.abs(rows).max() or 1.0
    if rows.shape[1] <= len(rows):
        return Sampled(one.x / size, one.number), Sampled(two.x / size, two.number), None
    rows = rows / size
    value, left = np.linalg.eigh(rows @ rows.T)
    kept = value > value[-1] * len(rows) * np.finfo(np.float64).eps
    axes = rows.T @ (left[:, kept] / np.sqrt(value[kept]))
    return Sampled(one.x / size @ axes, one.number), Sampled(two.x / size @ axes, two.number), axes


class Halves:
    """Halves of both, fixed, so that the jackknife leaves trials out of the same halves."""

    def __init__(
        self,
        one: Sampled,
        two: Sampled,
        axes: np.ndarray | None,
        paired: bool,
        n_splits: int,
        rng: np.random.Generator,
    ) -> None:
        self.both = (one, two)
        self.axes = axes
        self.paired = paired
        per = max(2, min(one.fewest, two.fewest) // 2)
        self.halves = []
        for _ in range(n_splits):
            first = _half(one.strata, per, rng)
            other = first if paired else _half(two.strata, per, rng)
            self.halves += [(first, other), (first[::-1], other[::-1])]

    def most(self) -> int:
        """The highest k: dimensions that a half can have."""
        dims = []
        for side, s in enumerate(self.both):
            rows = self.halves[0][side][0]
            count = np.unique(s.number[rows]).size if s.number is not None else int(rows.sum())
            dims.append(count * s.x.shape[1] - 1)
        return max(1, min(*dims, self.both[0].x.shape[2] - 1))

    def covariances(
        self, split: int, keep: tuple[np.ndarray, np.ndarray] | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """(of the first half, of the second half) of a and of b."""
        out = []
        for side, s in enumerate(self.both):
            pair = self.halves[split][side]
            rows = pair if keep is None else (pair[0] & keep[side], pair[1] & keep[side])
            out.append((s.covariance(rows[0]), s.covariance(rows[1])))
        return out

    def measured(self, most: int, keep: tuple[np.ndarray, np.ndarray] | None = None) -> dict[str, Any]:
        """Sums over splits: other, own (2, most): variance in each dimension; total (2,); plain index parts (2, most);
        angles need a k, so bases are kept.
        """
        other, own, total, sample = (
            np.zeros((2, most)),
            np.zeros((2, most)),
            np.zeros(2),
            np.zeros((2, most)),
        )
        bases = []
        n = len(self.halves)
        for split in range(n):
            covariances = self.covariances(split, keep)
            axes, second = [], []
            for first, last in covariances:
                axes.append(leading_axes(first, most)[1])
                second.append(last)
            for side in (0, 1):
                own[side] += along(second[side], axes[side])
                other[side] += along(second[side], axes[1 - side])
                total[side] += np.trace(second[side])
                if keep is None:
                    sample[side] += np.linalg.eigvalsh(second[side])[::-1][:most]
            bases.append(axes)
        return {"other": other / n, "own": own / n, "total": total / n, "sample": sample / n, "bases": bases}

    def angles(self, bases: list[list[np.ndarray]], k: int) -> tuple[np.ndarray, np.ndarray]:
        """((k,) between a half of a and the other half of b, (k,) between halves of the same), means over splits. Split
        2 s + 1 is split 2 s with its halves changed over.
        """
        between: list[np.ndarray] = []
        same: list[np.ndarray] = []
        for s in range(0, len(bases), 2):
            (a1, b1), (a2, b2) = bases[s], bases[s + 1]
            for x, y, into in ((a1, b2, between), (a2, b1, between), (a1, a2, same), (b1, b2, same)):
                into.append(angles_between(x[:, :k], y[:, :k]))
        return np.mean(between, axis=0), np.mean(same, axis=0)

    def enough(self, most: int, who: str) -> int:
        found = self.measured(most)
        refuse_noise(found, who)
        share = np.cumsum(found["own"], axis=1) / found["total"][:, None]
        return int(max((share < _SHARE).sum(axis=1).max() + 1, 1)) if (share[:, -1] >= _SHARE).all() else most

    def groups(self, rng: np.random.Generator) -> list[list[tuple[np.ndarray, np.ndarray]]]:
        """Lists of (kept of a, kept of b): trials of a left out, and of b; together where they are paired."""
        one, two = self.both
        every = tuple(np.ones(len(s.x), dtype=bool) for s in self.both)
        if self.paired:
            return [[(keep, keep) for keep in groups_kept(one.strata, rng)]]
        return [
            [(keep, every[1]) for keep in groups_kept(one.strata, rng)],
            [(every[0], keep) for keep in groups_kept(two.strata, rng)],
        ]


def _half(strata: np.ndarray, per: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Two halves, bool (trials,): ``per`` trials of each condition in the first, as many others in the second, the rest
    in neither, so that both sets find their subspaces from as many trials.
    """
    first, second = np.zeros(strata.size, dtype=bool), np.zeros(strata.size, dtype=bool)
    for c in range(int(strata.max()) + 1):
        own = rng.permutation(np.flatnonzero(strata == c))
        first[own[:per]], second[own[per : 2 * per]] = True, True
    return [first, second]


def leading_axes(covariance: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    value, vector = np.linalg.eigh(covariance)
    return value[::-1][:k], vector[:, ::-1][:, :k]


def along(covariance: np.ndarray, axes: np.ndarray) -> np.ndarray:
    return np.einsum("uk,uv,vk->k", axes, covariance, axes, optimize=True)


def refuse_noise(found: dict[str, Any], who: str) -> None:
    for side, name in enumerate("ab"):
        if not found["own"][side].sum() > 0 or not found["total"][side] > 0:
            raise InputError(
                f"{who}: {name} has no variance beyond noise that its halves share, so it has no subspace; use more "
                "trials, or give no conditions.",
                code="no-signal",
            )
