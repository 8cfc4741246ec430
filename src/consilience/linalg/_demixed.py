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

    def factor(self, table: np.ndarray, k: int) -> np.ndarray:
        """(rows, units) B with B'B the Gram matrix of part ``k`` over all cells, each average once."""
        units = table.shape[-1]
        rows = []
        for averaged, centred in self.pieces[k]:
            times = float(np.prod([self.sizes[a] for a in averaged]))
            x = self._piece(table, averaged, centred).reshape(-1, units)
            rows.append(x if times == 1 else np.sqrt(times) * x)
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def factors(self, table: np.ndarray) -> list[np.ndarray]:
        """Those of all parts."""
        return [self.factor(table, k) for k in range(len(self.parts))]

    def gram(self, table: np.ndarray, k: int, other: np.ndarray | None = None) -> np.ndarray:
        """(units, units) X_k' X_k of part ``k``, cells below each other; with ``other`` Y the mean of X_k' Y_k and its
        transpose.
        """
        x = self.factor(table, k)
        if other is None:
            return x.T @ x
        cross = x.T @ self.factor(other, k)
        return 0.5 * (cross + cross.T)

    def grams(self, table: np.ndarray, other: np.ndarray | None = None) -> list[np.ndarray]:
        """Those of all parts; they sum to the Gram matrix of the centred table."""
        return [self.gram(table, k, other) for k in range(len(self.parts))]

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

    factors : B_k (rows, units) with G_k = B_k' B_k.   noise : cells C, or None.   grams : the G_k, where known.
    total : X (cells, units), centred; None = the factors are those of all parts.
    """

    def __init__(
        self,
        factors: Sequence[np.ndarray],
        noise: np.ndarray | None = None,
        grams: Sequence[np.ndarray] | None = None,
        total: np.ndarray | None = None,
    ) -> None:
        self.factors = list(factors)
        self.units = self.factors[0].shape[1]
        rows = self.factors if total is None else [total]
        self.size = float(sum(np.einsum("ij,ij->", b, b) for b in rows)) / self.units
        self.grams = None if grams is None else list(grams)
        if noise is None and sum(len(b) for b in rows) < self.units:
            all_rows = np.concatenate(rows)  # R acts on the span of the rows only
            s, u = eigh(all_rows @ all_rows.T, check_finite=False)
            keep = s > max(s[-1], 0.0) * self.units * np.finfo(np.float64).eps
            self.values = s[keep]
            self.vectors = all_rows.T @ (u[:, keep] / np.sqrt(s[keep]))
        else:
            whole = total.T @ total if total is not None else self._sum()
            s, self.vectors = eigh(
                whole if noise is None else whole + noise, check_finite=False, overwrite_a=True
            )
            self.values = np.maximum(s, 0.0)
        self._bases: dict[int, tuple[np.ndarray | None, np.ndarray]] = {}

    def _sum(self) -> np.ndarray:
        if self.grams is None:
            self.grams = [b.T @ b for b in self.factors]
        return np.sum(self.grams, axis=0)

    def gram(self, k: int) -> np.ndarray:
        """G_k (units, units)."""
        return self.factors[k].T @ self.factors[k] if self.grams is None else self.grams[k]

    def _basis(self, k: int) -> tuple[np.ndarray | None, np.ndarray]:
        """(E, V' G_k E): E (units, r) spans G_k where it has few dimensions, None = all of them."""
        if k not in self._bases:
            b = self.factors[k]
            if len(b) < 0.8 * self.units:
                e = np.linalg.qr(b.T)[0]
                self._bases[k] = e, (self.vectors.T @ b.T) @ (b @ e)
            else:
                self._bases[k] = None, self.vectors.T @ self.gram(k)
        return self._bases[k]

    def axes(self, k: int, penalty: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(F, D), (units, count) each, strongest first."""
        basis, rotated = self._basis(k)
        above = self.values > self.values[-1] * self.units * np.finfo(np.float64).eps
        weight = 1 / np.where(above, self.values + penalty, penalty or np.inf)
        inner = rotated.T @ (weight[:, None] * rotated)
        n = len(inner)
        _, f = eigh(inner, subset_by_index=[n - count, n - 1], check_finite=False, overwrite_a=True)
        f = f[:, ::-1]
        d = self.vectors @ (weight[:, None] * (rotated @ f))
        return (f if basis is None else basis @ f), d


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
