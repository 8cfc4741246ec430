"""Marginalisation of condition means over crossed factors, and demixed axes from Gram matrices alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh

__all__ = ["Demixer", "Marginal", "Marginals", "penalised_losses"]

Term = frozenset[int]  # axes of a table of means


@dataclass(frozen=True)
class Marginal:
    """A sum of terms of the decomposition of a table (*factors, units) into averages and deviations.

    A term is a set S of axes: averaged over the axes outside of S, then centred along each axis in S.
    """

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Marginals:
    """All terms of a table with axes ``sizes``, each in one of ``parts``. ``time``: the last axis is time."""

    sizes: tuple[int, ...]
    parts: tuple[Marginal, ...]
    time: bool

    @cached_property
    def pieces(self) -> tuple[tuple[tuple[tuple[int, ...], tuple[int, ...]], ...], ...]:
        """For each part (axes averaged over, axes centred): S and S with time make one piece, time left as it is."""
        axes, out = frozenset(range(len(self.sizes))), []
        last = len(self.sizes) - 1
        for part in self.parts:
            left, found = set(part.terms), []
            for term in part.terms:
                if term not in left:
                    continue
                left.remove(term)
                twin = term ^ {last} if self.time else None
                if twin in left and len(twin) and len(term):
                    left.remove(twin)
                    found.append((axes - term - {last}, term - {last}))
                else:
                    found.append((axes - term, term))
            out.append(tuple((tuple(sorted(a)), tuple(sorted(c))) for a, c in found))
        return tuple(out)

    def _piece(self, table: np.ndarray, averaged: tuple[int, ...], centred: tuple[int, ...]) -> np.ndarray:
        out = table.mean(axis=averaged, keepdims=True) if averaged else table
        for axis in centred:
            out = out - out.mean(axis=axis, keepdims=True)
        return out

    def part(self, table: np.ndarray, k: int) -> np.ndarray:
        """Part ``k`` of a table (*sizes, units), of the same shape."""
        return np.broadcast_to(
            sum(self._piece(table, *piece) for piece in self.pieces[k]), table.shape
        ).reshape(table.shape)

    def gram(self, table: np.ndarray, k: int, other: np.ndarray | None = None) -> np.ndarray:
        """(units, units) X_k' X_k of part ``k``, cells below each other; with ``other`` Y the mean of X_k' Y_k and its
        transpose.
        """
        units = table.shape[-1]
        out = np.zeros((units, units))
        for averaged, centred in self.pieces[k]:
            times = float(np.prod([self.sizes[a] for a in averaged]))
            x = self._piece(table, averaged, centred).reshape(-1, units)
            if other is None:
                out += times * (x.T @ x)
            else:
                y = self._piece(other, averaged, centred).reshape(-1, units)
                cross = x.T @ y
                out += (0.5 * times) * (cross + cross.T)
        return out

    def grams(self, table: np.ndarray, other: np.ndarray | None = None) -> list[np.ndarray]:
        """Those of all parts; they sum to the Gram matrix of the centred table."""
        return [self.gram(table, k, other) for k in range(len(self.parts))]

    def squares(self, table: np.ndarray) -> np.ndarray:
        """(parts, units) sums of squares of each part over all cells."""
        out = np.zeros((len(self.parts), table.shape[-1]))
        for k, pieces in enumerate(self.pieces):
            for averaged, centred in pieces:
                times = float(np.prod([self.sizes[a] for a in averaged]))
                x = self._piece(table, averaged, centred).reshape(-1, table.shape[-1])
                out[k] += times * np.einsum("ij,ij->j", x, x)
        return out

    def noise_shares(self, k: int) -> tuple[float, float]:
        """(share of the noise about the mean over time, share of that of the mean) of single cells that is left in
        part ``k``, when the noise of different conditions is independent.

        The projection on a term keeps, of each condition, prod over S of (1 - 1/L) times prod over the others of 1/L.
        """
        about = level = 0.0
        last = len(self.sizes) - 1
        for averaged, centred in self.pieces[k]:
            conditions = [a for a in range(len(self.sizes)) if not (self.time and a == last)]
            share = float(
                np.prod(
                    [1 - 1 / self.sizes[a] if a in centred else 1 / self.sizes[a] for a in conditions]
                    or [1.0]
                )
            )
            if not self.time or last not in centred:
                level += share
            if self.time and last not in averaged:
                about += share
        return about, level

    def rank(self, k: int) -> int:
        """The most dimensions that part ``k`` of any table can have."""
        return int(sum(np.prod([self.sizes[a] - 1 for a in term] or [1]) for term in self.parts[k].terms))


def all_terms(axes: int) -> list[Term]:
    """Every set of axes but the empty one, small ones first."""
    return [
        frozenset(chosen)
        for size in range(1, axes + 1)
        for chosen in itertools.combinations(range(axes), size)
    ]


class Demixer:
    """Axes of parts X_k of a table X (cells, units) for any penalty, from one eigendecomposition.

    Minimises ||X_k - X D F'||^2 + cells tr(F D' C D F') + a ||D F'||^2 over F, D (units, q) of reduced rank: with
    R = X'X + cells C + a I, F = the leading eigenvectors of G_k R^-1 G_k, G_k = X_k' X_k, and D = R^-1 G_k F. All that
    hangs on the data is (units, units). C : covariance of the noise of single trials; a : the penalty.

    grams : G_k.   noise : cells C, or None.
    """

    def __init__(self, grams: Sequence[np.ndarray], noise: np.ndarray | None = None) -> None:
        self.grams = list(grams)
        total = np.sum(self.grams, axis=0)
        self.size = float(np.trace(total)) / len(total)
        s, self.vectors = eigh(total if noise is None else total + noise, check_finite=False)
        self.values = np.maximum(s, 0.0)
        self._rotated: dict[int, np.ndarray] = {}

    def axes(self, k: int, penalty: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(F, D), (units, count) each, strongest first."""
        if k not in self._rotated:
            self._rotated[k] = self.vectors.T @ self.grams[k]
        rotated = self._rotated[k]
        above = self.values > self.values[-1] * len(self.values) * np.finfo(np.float64).eps
        weight = 1 / np.where(above, self.values + penalty, penalty or np.inf)
        inner = rotated.T @ (weight[:, None] * rotated)
        n = len(inner)
        _, f = eigh(inner, subset_by_index=[n - count, n - 1], check_finite=False, overwrite_a=True)
        f = f[:, ::-1]
        return f, self.vectors @ (weight[:, None] * (rotated @ f))


def penalised_losses(
    demixer: Demixer,
    k: int,
    counts: int,
    penalties: np.ndarray,
    *,
    target: np.ndarray,
    source: np.ndarray,
    others: bool,
) -> np.ndarray:
    """(penalties,) sums of squared errors, over test cells, of part ``k`` predicted from what was not trained on.

    target : (units, units) Gram matrix of part ``k`` of the test cells with the whole table that predicts it.
    source : (units, units) Gram matrix of the table that predicts.   others : each unit is predicted from the others,
        so that its own noise does not predict itself.

    ||Y_k - Y K'||^2 = tr H_k - 2 tr K H_k + tr K H K' with K = F D', less its diagonal where ``others``.
    """
    pairs = [demixer.axes(k, float(a), counts) for a in penalties]
    d = np.concatenate([pair[1] for pair in pairs], axis=1)
    f = np.concatenate([pair[0] for pair in pairs], axis=1)
    hd, td = source @ d, target @ d
    shape = (len(d), len(penalties), counts)
    cross = (td * f).reshape(shape).sum(axis=2)  # (units, penalties): diagonal of H_k K'
    out = np.trace(target) - 2 * cross.sum(axis=0)
    inner = np.einsum("npq,npr->pqr", d.reshape(shape), hd.reshape(shape), optimize=True)  # D'HD, and F'F = I
    out = out + np.einsum("pqq->p", inner)
    if others:
        diagonal = (d * f).reshape(shape).sum(axis=2)
        own = (hd * f).reshape(shape).sum(axis=2)  # diagonal of H K'
        out += (
            2 * diagonal * np.diag(target)[:, None]
            - 2 * diagonal * own
            + diagonal**2 * np.diag(source)[:, None]
        ).sum(axis=0)
    return out
