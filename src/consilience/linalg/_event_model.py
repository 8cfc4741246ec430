"""The linear model of events in slow signals: expected responses, drifts, and the weights of single-event estimates."""

from __future__ import annotations

import numpy as np
from scipy import special

__all__ = ["drifts", "event_weights", "expected_response", "variance_inflation", "with_more"]

_PEAK, _UNDERSHOOT, _RATIO = (
    6.0,
    16.0,
    1 / 6,
)  # shapes of two gamma densities (scale 1 s), and the share of the second


def expected_response(times: np.ndarray, onset: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """(events, times): the response to each event, x(t) = H(t - onset) - H(t - onset - duration).

    H is the integral of the canonical response h = (g6 - g16 / 6) / (5 / 6), gk the gamma density of shape k and scale
    1 s: peak near 5 s, undershoot near 15 s, area 1, so that a lasting event comes to 1. An event without duration
    is h(t - onset) times 1 s.
    """
    late = np.asarray(times, dtype=np.float64)[None] - np.asarray(onset, dtype=np.float64)[:, None]
    long = np.asarray(duration, dtype=np.float64)[:, None]
    brief = long <= 0
    return np.where(brief, _density(late), _integral(late) - _integral(late - np.where(brief, 1.0, long)))


def _density(t: np.ndarray) -> np.ndarray:
    s = np.maximum(t, 0.0)
    first = s ** (_PEAK - 1) * np.exp(-s) / special.gamma(_PEAK)
    second = s ** (_UNDERSHOOT - 1) * np.exp(-s) / special.gamma(_UNDERSHOOT)
    return np.where(t > 0, (first - _RATIO * second) / (1 - _RATIO), 0.0)


def _integral(t: np.ndarray) -> np.ndarray:
    s = np.maximum(t, 0.0)
    return (special.gammainc(_PEAK, s) - _RATIO * special.gammainc(_UNDERSHOOT, s)) / (1 - _RATIO)


def drifts(n: int, step: float, high_pass: float) -> np.ndarray:
    """(n, k): a constant and the cosines cos(pi j (t + 1/2) / n), j = 1 ... floor(2 n step high_pass), orthonormal: all
    that is slower than ``high_pass`` (Hz)."""
    many = min(int(np.floor(2 * n * step * high_pass)), n - 1)
    waves = np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(many + 1)) / n)
    return waves / np.sqrt((waves**2).sum(axis=0))


def with_more(nuisance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Orthonormal columns (n, k) of ``nuisance`` and of the rows (m, n) that are not 0."""
    some = rows[(rows**2).sum(axis=1) > 0]
    left = some - (some @ nuisance) @ nuisance.T
    size = np.sqrt((left**2).sum(axis=1))
    left = left[size > 1e-9]
    if not len(left):
        return nuisance
    _, s, vt = np.linalg.svd(left / size[size > 1e-9][:, None], full_matrices=False)
    return np.column_stack([nuisance, vt[s > 1e-6 * s[0]].T])


def event_weights(
    responses: np.ndarray, nuisance: np.ndarray, groups: np.ndarray, *, separately: bool
) -> np.ndarray:
    """Weights (events, n) whose product with the data (n, units) gives one least-squares estimate per event.

    responses : (events, n) expected.   nuisance : (n, k) orthonormal, fitted along.   groups : (events,) numbers.
    separately : True: for each event a model of its own, with that event and, for each group, the sum of the other
    events (LS-S). False: one model with a regressor for each event (LS-A).

    Raises
    ------
    numpy.linalg.LinAlgError : an event cannot be told from the others or from the nuisance.
    """
    x = responses - (responses @ nuisance) @ nuisance.T
    if not separately:
        return _left_inverse(x)
    member = (groups[:, None] == np.unique(groups)[None]).astype(np.float64)
    total = member.T @ x  # (groups, n)
    out = np.empty_like(x)
    for j in range(len(x)):
        others = total - np.outer(member[j], x[j])
        others = others[(others**2).sum(axis=1) > 1e-12 * (x[j] ** 2).sum()]
        out[j] = _left_inverse(np.vstack([x[j], others]))[0]
    return out


def _left_inverse(rows: np.ndarray) -> np.ndarray:
    """W with W rows' = 1, of smallest length: (k, n) for independent rows (k, n)."""
    size = np.sqrt((rows**2).sum(axis=1))
    if (size <= 1e-12).any():
        raise np.linalg.LinAlgError("no expected response")
    u, s, vt = np.linalg.svd(rows / size[:, None], full_matrices=False)
    if len(rows) > rows.shape[1] or s[-1] <= 1e-6 * s[0]:
        raise np.linalg.LinAlgError("linearly dependent")
    return (u / s) @ vt / size[:, None]


def variance_inflation(weights: np.ndarray, responses: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """(events,): how many times the variance of an estimate (under white noise) is that of the event alone."""
    x = responses - (responses @ nuisance) @ nuisance.T
    return np.asarray((weights**2).sum(axis=1) * (x**2).sum(axis=1))
