"""The equations of preferential subspace identification, on covariances of windows of bins, and its Kalman filter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from consilience.models._trials import Trials, patterns_of

__all__ = ["Innovations", "Windows", "filtered", "identify", "lagged_cross", "stabilised", "windows"]

_STABLE = 0.999
_MOST_SHRUNK = 0.95  # all of it would leave no dynamics


@dataclass(frozen=True)
class Windows:
    """Covariances of windows of 2 i bins: i of the past (rising in time), i of the future.

    past : ((i + 1) p, (i + 1) p) of activity of the past and the bin now.   future : (i p, (i + 1) p) of activity of
    the future with those.   behaviour : (i b, (i + 1) p) of behaviour of the future with those.   blocks : i.
    """

    past: np.ndarray
    future: np.ndarray
    behaviour: np.ndarray
    blocks: int


@dataclass(frozen=True)
class Innovations:
    """x_{t+1} = A x_t + w, y_t = C x_t + v, cov(w, v) = [[Q, S], [S', R]]; x of the first bin ~ N(0, V0). Q, S, R as
    the paper has them: x_t is what the past says of the state, so that R holds activity outside these states too.
    """

    A: np.ndarray
    C: np.ndarray
    Q: np.ndarray
    S: np.ndarray
    R: np.ndarray
    V0: np.ndarray


def lagged_cross(left: Trials, right: Trials, lags: int) -> np.ndarray:
    """(lags, a, b) mean of left_{t + lag} right_t', lag 0 .., over pairs of one trial that were both seen."""
    owner = np.repeat(np.arange(len(right)), right.lengths)
    out = np.empty((lags, left.units, right.units))
    whole = left.mask is None and right.mask is None

    def seen(trials: Trials, rows: np.ndarray) -> np.ndarray:
        return np.ones((rows.size, trials.units)) if trials.mask is None else trials.mask[rows].astype(float)

    for lag in range(lags):
        here = np.flatnonzero(owner[lag:] == owner[: owner.size - lag])
        count = here.size if whole else seen(left, here + lag).T @ seen(right, here)
        out[lag] = left.data[here + lag].T @ right.data[here] / np.maximum(count, 1)
    return out


def windows(own: np.ndarray, cross: np.ndarray, blocks: int, bins: int) -> Windows:
    """From lagged covariances: ``own`` (2 i, p, p) of y_{t + lag} with y_t, lags 0 .. 2 i - 1, and ``cross``
    (2 i, b, p) of behaviour at t + lag with y_t, lags 0 .. 2 i - 1, each pooled over all pairs. What is inverted is
    made positive and shrunk towards its mean diagonal as a covariance of ``bins`` normal samples (Chen et al. 2010).
    """
    i, p = blocks, own.shape[1]

    def at(lag: int) -> np.ndarray:
        return own[lag] if lag >= 0 else own[-lag].T

    past = np.block([[at(r - c) for c in range(i + 1)] for r in range(i + 1)])
    future = np.block([[at(i + r - c) for c in range(i + 1)] for r in range(i)])
    behaviour = np.block([[cross[i + r - c] for c in range(i + 1)] for r in range(i)])
    size = len(past)
    trace, square = float(np.trace(past)), float((past * past).sum())
    away = square - trace**2 / size
    share = ((1 - 2 / size) * square + trace**2) / max((bins + 1 - 2 / size) * away, np.finfo(float).tiny)
    share = min(_MOST_SHRUNK, max(share, 1e-9))
    even = trace / size
    past = (1 - share) * past + share * even * np.eye(size)
    lowest = float(linalg.eigh(past, eigvals_only=True, subset_by_index=[0, 0])[0])
    if lowest < 1e-9 * even:  # pairs of values seen in different bins need not make a covariance
        past += (1e-6 * even - lowest) * np.eye(size)
    # the future's blocks of the bin now and later are covariances too: keep them those of `past` where they are in it
    future = (1 - share) * future
    future[:p] = past[-p:]
    return Windows(past, future, (1 - share) * behaviour, i)


def _solve(spread: np.ndarray, b: np.ndarray) -> np.ndarray:
    """spread^-1 b, also where a state is nothing or twice there."""
    size = np.sqrt(np.maximum(np.diag(spread), 1e-150))
    even = spread / size / size[:, None] + 1e-13 * np.eye(len(spread))
    return np.asarray(np.linalg.lstsq(even, b / size[:, None], rcond=1e-12)[0] / size[:, None])


def identify(w: Windows, k: int, relevant: int) -> tuple[Innovations, np.ndarray]:
    """The system of k states, of which ``relevant`` are taken for behaviour first, and Cz (b, k): Sani et al. (2021),
    methods, equations 10 to 35. States are linear in activity of the past, X = M Y_p; so is every product of them.
    """
    i, p = w.blocks, len(w.past) // (w.blocks + 1)
    b = len(w.behaviour) // i
    size = i * p
    p_all = w.past
    p_past = p_all[:size, :size]
    solve_past = linalg.cho_factor(p_past, lower=True, check_finite=False)
    solve_all = linalg.cho_factor(p_all, lower=True, check_finite=False)
    now = np.zeros((0, size))  # X_k = now Y_p
    ahead = np.zeros((0, size + p))  # X_{k+1} = ahead [Y_p; Y_i]

    def stage(rows: np.ndarray, later: np.ndarray, width: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """rows : covariance of what is predicted with Y_p; later : without its first block, with [Y_p; Y_i]."""
        weights = linalg.cho_solve(solve_past, rows.T, check_finite=False).T
        product = weights @ rows.T
        total = len(product)
        values, vectors = linalg.eigh(
            (product + product.T) / 2, subset_by_index=[total - count, total - 1], check_finite=False
        )
        values, vectors = np.maximum(values[::-1], max(1e-14 * values[-1], 1e-100)), vectors[:, ::-1]
        observe = vectors * values**0.25  # U S^(1/2); the eigenvalues are S^2
        weights_later = linalg.cho_solve(solve_all, later.T, check_finite=False).T
        x = (vectors * values**-0.25).T @ weights
        x_next = np.linalg.lstsq(observe[:-width], weights_later, rcond=1e-12)[0]
        return x, x_next

    if relevant:
        now, ahead = stage(w.behaviour[:, :size], w.behaviour[b:], b, relevant)
    if k > relevant:
        rows, later = w.future[:, :size], w.future[p:]
        if relevant:
            spread = now @ p_past @ now.T
            said = _solve(spread, now @ rows.T).T  # Y_f on X_1
            rows = rows - said @ (now @ p_past)
            later = later - said[:-p] @ (ahead @ p_all)
        second, second_ahead = stage(rows, later, p, k - relevant)
        now, ahead = np.concatenate([now, second]), np.concatenate([ahead, second_ahead])

    wide = np.concatenate([now, np.zeros((k, p))], axis=1)  # X_k from [Y_p; Y_i]
    here = np.concatenate([np.zeros((p, size)), np.eye(p)], axis=1)  # Y_i
    spread = wide @ p_all @ wide.T
    moved = ahead @ p_all @ wide.T
    a = np.zeros((k, k))
    if relevant:
        first = slice(0, relevant)
        a[first, first] = _solve(spread[first, first], moved[first, first].T).T
    if k > relevant:
        a[relevant:] = _solve(spread, moved[relevant:].T).T
    c = _solve(spread, wide @ p_all[:, size:]).T
    cz = _solve(spread, now @ w.behaviour[:b, :size].T).T
    rest = np.concatenate([ahead - a @ wide, here - c @ wide])
    noise = rest @ p_all @ rest.T
    noise = (noise + noise.T) / 2
    return Innovations(a, c, noise[:k, :k], noise[:k, k:], noise[k:, k:], (spread + spread.T) / 2), cz


def stabilised(system: Innovations) -> Innovations:
    """A with no eigenvalue outside the unit circle."""
    radius = float(np.abs(np.linalg.eigvals(system.A)).max(initial=0.0))
    return replace(system, A=system.A * (_STABLE / radius)) if radius > _STABLE else system


def filtered(trials: Trials, system: Innovations) -> np.ndarray:
    """(n, k) states that the bins of a trial up to and including each say of the next, E[x_{t+1} | y_1 .. y_t]: the
    Kalman filter with cov(w, v) = S and full R. ``trials`` less the mean of training. Missing values say nothing.
    """
    k = len(system.A)
    if trials.mask is None:
        kinds, index = np.ones((1, trials.units), bool), np.zeros(trials.n_bins, np.int64)
    else:
        kinds, index = patterns_of(trials.mask)
    told, driven = np.zeros((trials.n_bins, k)), np.zeros((trials.n_bins, k))
    precision, coupling, shared = (np.zeros((len(kinds), k, k)) for _ in range(3))
    order = np.argsort(index, kind="stable")
    edges = np.searchsorted(index[order], np.arange(len(kinds) + 1))
    for m, seen in enumerate(kinds):
        if not seen.any():
            continue
        part = linalg.cho_factor(system.R[np.ix_(seen, seen)], lower=True, check_finite=False)
        c, s = system.C[seen], system.S[:, seen]
        weights = linalg.cho_solve(part, np.concatenate([c, s.T], axis=1), check_finite=False)
        rows = order[edges[m] : edges[m + 1]]
        y = trials.data[rows][:, seen]
        told[rows], driven[rows] = y @ weights[:, :k], y @ weights[:, k:]
        precision[m], coupling[m], shared[m] = c.T @ weights[:, :k], s @ weights[:, :k], s @ weights[:, k:]
    span, n = int(trials.lengths.max()), len(trials)
    common = trials.mask is None  # then all trials share their gains
    x, spread = np.zeros((n, k)), np.broadcast_to(system.V0, (1 if common else n, k, k))
    out = np.empty((trials.n_bins, k))
    gains: tuple[np.ndarray, np.ndarray] | None = None
    for t in range(span):
        going = np.flatnonzero(trials.lengths > t)
        rows = trials.starts[going] + t
        kind = np.zeros(1, np.int64) if common else index[rows]
        if gains is None:
            ahead = spread if common else spread[going]
            after = np.linalg.solve(np.eye(k) + ahead @ precision[kind], ahead)
            after = (after + after.swapaxes(1, 2)) / 2
            move = system.A - coupling[kind]
            later = move @ after @ move.swapaxes(1, 2) + system.Q - shared[kind]
            later = (later + later.swapaxes(1, 2)) / 2
            if common:
                if np.abs(later - spread).max() <= 1e-12 * np.abs(system.V0).max():
                    gains = after, move
                spread = later
            else:
                spread = np.array(spread)
                spread[going] = later
        else:
            after, move = gains
        now = x[going]
        if common:
            now = now + (told[rows] - now @ precision[0]) @ after[0]
            now = now @ move[0].T + driven[rows]
        else:
            gain = told[rows] - np.einsum("ikl,il->ik", precision[kind], now)
            now = now + np.einsum("ikl,il->ik", after, gain)
            now = np.einsum("ikl,il->ik", move, now) + driven[rows]
        x[going] = now
        out[rows] = now
    return out
