"""Kalman filter, smoother and EM step of a linear dynamical system seen through many units with independent noise."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from consilience.models._linear_gaussian import regress
from consilience.models._trials import Trials, patterns_of

__all__ = ["System", "Smoothed", "em_step", "in_order", "in_units", "positive", "smooth"]

_FEW = 4  # trials of one length that are worth a loop of their own
_LENGTHS = 3  # such lengths that may be


@dataclass(frozen=True)
class System:
    """x_1 ~ N(m0, V0), x_{t+1} = A x_t + w, w ~ N(0, Q); y_t = C x_t + d + v, v ~ N(0, diag(R)).

    A, Q, V0 : (k, k).   C : (p, k).   d, R : (p,).   m0 : (k,).
    """

    A: np.ndarray
    Q: np.ndarray
    C: np.ndarray
    d: np.ndarray
    R: np.ndarray
    m0: np.ndarray
    V0: np.ndarray

    def turned(self, map: np.ndarray) -> System:
        """The same in coordinates ``map`` x."""
        back = np.linalg.inv(map)
        return replace(
            self,
            A=map @ self.A @ back,
            Q=map @ self.Q @ map.T,
            C=self.C @ back,
            m0=map @ self.m0,
            V0=map @ self.V0 @ map.T,
        )


@dataclass(frozen=True)
class Smoothed:
    """mean : (n, k) given all bins of the trial, filtered : (n, k) given those up to it, of all bins stacked.
    cov : (m, k, k), of bin t: cov[index[t]].   now, before, step : (k, k) sums of E[x x'] over bins with one before,
    over bins with one after, and of E[x_{t+1} x_t'].   first : (trials, k) means and first_cov : (k, k) mean covariance
    of first bins.   log_likelihood : (trials,) nats.
    """

    mean: np.ndarray
    filtered: np.ndarray
    cov: np.ndarray
    index: np.ndarray
    now: np.ndarray
    before: np.ndarray
    step: np.ndarray
    first: np.ndarray
    first_cov: np.ndarray
    log_likelihood: np.ndarray


def _symmetric(x: np.ndarray) -> np.ndarray:
    return (x + np.swapaxes(x, -1, -2)) / 2


def smooth(trials: Trials, system: System) -> Smoothed:
    """Posterior of the states. Trials of one length without missing values share their covariances and gains."""
    k = len(system.A)
    rest = trials.data - system.d
    if trials.mask is not None:
        rest *= trials.mask
        kinds, index = patterns_of(trials.mask)
    else:
        kinds, index = np.ones((1, trials.units), bool), np.zeros(trials.n_bins, np.int64)
    told = rest @ (system.C / system.R[:, None])  # C' R^-1 (y - d)
    square = (rest * rest) @ (1 / system.R)
    pairs = (system.C[:, :, None] * system.C[:, None, :]).reshape(trials.units, k * k)
    precision = ((kinds / system.R) @ pairs).reshape(len(kinds), k, k)
    constant = kinds @ np.log(2 * np.pi * system.R)

    whole = np.asarray(kinds.all(axis=1))[index]
    starts = trials.starts
    entire = np.array([whole[a:b].all() for a, b in itertools.pairwise(starts)])
    groups = [(t, group[entire[group]]) for t, group in trials.by_length().items()]
    groups = [(t, group) for t, group in groups if group.size]
    few = [t for t, group in groups if group.size < _FEW]
    if (
        len(few) > _LENGTHS
    ):  # a loop over bins for each length would cost more than covariances for each trial
        entire &= ~np.isin(trials.lengths, few)
        groups = [(t, group) for t, group in groups if t not in few]
    holes = np.flatnonzero(~entire)
    shared = [
        _shared(group, t, starts, told, precision[int(np.argmax(kinds.all(axis=1)))], system)
        for t, group in groups
    ]
    if holes.size:
        shared.append(_each(holes, trials, told, precision, index, system))
    out = Smoothed(
        np.empty((trials.n_bins, k)),
        np.empty((trials.n_bins, k)),
        np.concatenate([part.cov for part in shared]),
        np.empty(trials.n_bins, np.int64),
        np.sum([part.now for part in shared], axis=0),
        np.sum([part.before for part in shared], axis=0),
        np.sum([part.step for part in shared], axis=0),
        np.empty((len(trials), k)),
        np.sum([part.first_cov for part in shared], axis=0) / len(trials),
        np.empty(len(trials)),
    )
    base = -0.5 * np.add.reduceat(square + constant[index], starts[:-1])
    offset = 0
    for part in shared:
        out.mean[part.rows], out.filtered[part.rows] = part.mean, part.filtered
        out.index[part.rows] = part.index + offset
        out.first[part.trials] = part.first
        out.log_likelihood[part.trials] = base[part.trials] + part.log_likelihood
        offset += len(part.cov)
    return out


@dataclass(frozen=True)
class _Part:
    trials: np.ndarray
    rows: np.ndarray
    mean: np.ndarray
    filtered: np.ndarray
    cov: np.ndarray
    index: np.ndarray
    now: np.ndarray
    before: np.ndarray
    step: np.ndarray
    first: np.ndarray
    first_cov: np.ndarray
    log_likelihood: np.ndarray


def _update(ahead: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariances (..., k, k) after a bin, and log det(I + P J): (P^-1 + J)^-1 without inverting P."""
    inner = np.eye(ahead.shape[-1]) + ahead @ precision
    return _symmetric(np.linalg.solve(inner, ahead)), np.linalg.slogdet(inner)[1]


def _shared(
    group: np.ndarray,
    length: int,
    starts: np.ndarray,
    told: np.ndarray,
    precision: np.ndarray,
    system: System,
) -> _Part:
    """Trials of one length without missing values. Covariances that no longer change are not computed again."""
    k, n = len(system.A), group.size
    rows = starts[group][:, None] + np.arange(length)
    b = told[rows].swapaxes(0, 1)  # (time, trial, k)
    ahead, after = np.empty((length, k, k)), np.empty((length, k, k))
    log_det = np.empty(length)
    steady = length
    ahead[0] = system.V0
    for t in range(length):
        after[t], log_det[t] = _update(ahead[t], precision)
        if t + 1 == length:
            break
        ahead[t + 1] = _symmetric(system.A @ after[t] @ system.A.T + system.Q)
        if np.abs(ahead[t + 1] - ahead[t]).max() <= 1e-14 * np.abs(ahead[t]).max():
            after[t + 1], log_det[t + 1] = _update(ahead[t + 1], precision)
            ahead[t + 2 :], after[t + 2 :], log_det[t + 2 :] = ahead[t + 1], after[t + 1], log_det[t + 1]
            steady = t + 1
            break
    predicted, filtered = np.empty((length, n, k)), np.empty((length, n, k))
    now = np.broadcast_to(system.m0, (n, k))
    likelihood = np.zeros(n)
    for t in range(length):
        predicted[t] = now
        gain = b[t] - now @ precision
        filtered[t] = now + gain @ after[t]
        # of y' R^-1 y - ..., what depends on the prediction
        likelihood += np.einsum("ik,ik->i", now, b[t] + gain) + np.einsum("ik,kl,il->i", gain, after[t], gain)
        now = filtered[t] @ system.A.T
    likelihood = 0.5 * (likelihood - log_det.sum())

    mean, cov = filtered.copy(), after.copy()
    cross = np.zeros((k, k))
    gains: dict[int, np.ndarray] = {}
    settled = False
    for t in range(length - 2, -1, -1):
        key = min(t, steady)
        if key not in gains:
            gains[key] = _smoother_gain(system.A, after[t], ahead[t + 1])
        g = gains[key]
        mean[t] = filtered[t] + (mean[t + 1] - predicted[t + 1]) @ g.T
        if settled and t >= steady:
            cov[t] = cov[t + 1]
        else:
            cov[t] = _symmetric(after[t] + g @ (cov[t + 1] - ahead[t + 1]) @ g.T)
            settled = np.abs(cov[t] - cov[t + 1]).max() <= 1e-14 * np.abs(cov[t]).max()
        cross += cov[t + 1] @ g.T
    flat = mean.reshape(-1, k)
    second = flat.T @ flat + n * cov.sum(axis=0)
    ends = [mean[i].T @ mean[i] + n * cov[i] for i in (0, -1)]
    return _Part(
        group,
        rows.ravel(),
        mean.swapaxes(0, 1).reshape(-1, k),
        filtered.swapaxes(0, 1).reshape(-1, k),
        cov,
        np.tile(np.arange(length), n),
        second - ends[0],
        second - ends[1],
        mean[1:].reshape(-1, k).T @ mean[:-1].reshape(-1, k) + n * cross,
        mean[0],
        n * cov[0],
        likelihood,
    )


def _smoother_gain(a: np.ndarray, after: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """P_t A' P_{t+1|t}^-1, (..., k, k)."""
    size = np.trace(ahead, axis1=-2, axis2=-1)[..., None, None] / ahead.shape[-1]
    eased = ahead + 1e-13 * size * np.eye(ahead.shape[-1])
    return np.swapaxes(np.linalg.solve(eased, a @ after), -1, -2)


def _each(
    group: np.ndarray,
    trials: Trials,
    told: np.ndarray,
    precision: np.ndarray,
    index: np.ndarray,
    system: System,
) -> _Part:
    """Trials with missing values: covariances of their own, all trials in one batch; after its end a trial goes on
    with nothing seen.
    """
    k, n = len(system.A), group.size
    lengths = trials.lengths[group]
    span = int(lengths.max())
    inside = np.arange(span) < lengths[:, None]  # (trial, time)
    rows = (trials.starts[group][:, None] + np.arange(span))[inside]
    b = np.zeros((n, span, k))
    b[inside] = told[rows]
    kind = np.full((n, span), len(precision))
    kind[inside] = index[rows]
    seen = np.concatenate([precision, np.zeros((1, k, k))])
    ahead, after = np.empty((span, n, k, k)), np.empty((span, n, k, k))
    predicted, filtered = np.empty((span, n, k)), np.empty((span, n, k))
    likelihood = np.zeros(n)
    now, cov_now = np.broadcast_to(system.m0, (n, k)), np.broadcast_to(system.V0, (n, k, k))
    for t in range(span):
        j = seen[kind[:, t]]
        predicted[t], ahead[t] = now, cov_now
        after[t], log_det = _update(cov_now, j)
        gain = b[:, t] - np.einsum("ik,ikl->il", now, j)
        moved = np.einsum("ikl,il->ik", after[t], gain)
        filtered[t] = now + moved
        likelihood += (
            np.einsum("ik,ik->i", now, b[:, t] + gain) + np.einsum("ik,ik->i", gain, moved) - log_det
        )
        now = filtered[t] @ system.A.T
        cov_now = _symmetric(system.A @ after[t] @ system.A.T + system.Q)
    mean, cov = filtered.copy(), after.copy()
    cross = np.zeros((k, k))
    for t in range(span - 2, -1, -1):
        g = _smoother_gain(system.A, after[t], ahead[t + 1])
        mean[t] += np.einsum("ikl,il->ik", g, mean[t + 1] - predicted[t + 1])
        cov[t] = _symmetric(after[t] + g @ (cov[t + 1] - ahead[t + 1]) @ np.swapaxes(g, -1, -2))
        cross += np.einsum("ikl,iml->km", cov[t + 1][inside[:, t + 1]], g[inside[:, t + 1]])
    stacked, spread = mean.swapaxes(0, 1)[inside], cov.swapaxes(0, 1)[inside]
    second = stacked.T @ stacked + spread.sum(axis=0)
    last = lengths - 1, np.arange(n)
    first_second = mean[0].T @ mean[0] + cov[0].sum(axis=0)
    last_second = mean[last].T @ mean[last] + cov[last].sum(axis=0)
    going = inside[:, 1:]
    return _Part(
        group,
        rows,
        stacked,
        filtered.swapaxes(0, 1)[inside],
        spread,
        np.arange(len(rows)),
        second - first_second,
        second - last_second,
        mean[1:].swapaxes(0, 1)[going].T @ mean[:-1].swapaxes(0, 1)[going] + cross,
        mean[0],
        cov[0].sum(axis=0),
        0.5 * likelihood,
    )


def em_step(
    trials: Trials, system: System, found: Smoothed, *, lowest: np.ndarray, free_start: bool
) -> System:
    """The parameters of the largest expected log-likelihood (Shumway & Stoffer 1982; Ghahramani & Hinton 1996), R kept
    at ``lowest`` (p,) or above.
    """
    steps = trials.n_bins - len(trials)
    a = linalg.solve(_eased(found.before), found.step.T, assume_a="pos").T
    q = _symmetric(found.now - a @ found.step.T) / steps
    c, d, left = regress(trials.data, trials.mask, found.mean, found.cov, found.index)
    made = replace(system, A=a, Q=positive(q), C=c.T, d=d, R=np.maximum(left / trials.counts, lowest))
    if free_start:
        m0 = found.first.mean(axis=0)
        about = found.first - m0
        made = replace(made, m0=m0, V0=positive(found.first_cov + about.T @ about / len(trials)))
    return made


def _eased(x: np.ndarray) -> np.ndarray:
    return x + 1e-12 * np.trace(x) / len(x) * np.eye(len(x))


def positive(x: np.ndarray, share: float = 1e-9) -> np.ndarray:
    values, vectors = np.linalg.eigh(_symmetric(x))
    floor = share * max(float(values[-1]), np.finfo(float).tiny)
    return _symmetric((vectors * np.maximum(values, floor)) @ vectors.T)


def in_units(system: System, covariance: np.ndarray) -> System:
    """The same system in states of covariance I (given the one that they have) whose columns of C are orthogonal, the
    longest first, the largest entry of each positive.
    """
    return system.turned(in_order(covariance, system.C))


def in_order(covariance: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(k, k) map of states of that covariance to ones of covariance I, whose ``columns`` (p, k) are then orthogonal,
    the longest first, the largest entry of each positive.
    """
    values, vectors = np.linalg.eigh(_symmetric(covariance))
    root = np.sqrt(np.maximum(values, 1e-12 * values[-1]))
    whiten = (vectors / root).T
    scaled = columns @ (vectors * root)
    _, _, v = np.linalg.svd(scaled, full_matrices=True)
    turn = v[: covariance.shape[0]]
    c = scaled @ turn.T
    sign = np.sign(c[np.abs(c).argmax(axis=0), np.arange(c.shape[1])])
    return np.asarray(np.where(sign == 0, 1.0, sign)[:, None] * (turn @ whiten))
