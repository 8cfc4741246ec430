"""Targeted axes of many shuffles of one variable at once: `TargetedDR.held_out` written for whole batches."""

from __future__ import annotations

import numpy as np

__all__ = ["codes_of", "shuffled_scores"]

_AT_ONCE = 2**24  # numbers of one batch


def codes_of(column: np.ndarray) -> np.ndarray:
    """(n,) which value of a variable a trial has; of more than six values, which quarter."""
    values = np.unique(column)
    cuts = values[1:] if values.size <= 6 else np.quantile(column, [0.25, 0.5, 0.75])
    return np.searchsorted(cuts, column, side="right")


def shuffled_scores(
    x: np.ndarray,
    z: np.ndarray,
    v: int,
    shuffled: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    n_components: int | None,
) -> np.ndarray:
    """(draws,) partial correlation, over test trials, of the shuffled variable with the projection on its axis.

    The coefficients of a variable are the products of what the others leave of it with the activity, so that those of
    all draws and bins are one matrix product; the condition means and their principal axes are those of each draw.

    x : (trial, time, unit).   z : (trial, v) variables.   shuffled : (draws, trial) what takes the place of column v.
    """
    own, later = x[train], x[test]
    n, t, p = own.shape
    flat = own.reshape(n, t * p)
    others = [np.column_stack([np.ones(len(rows)), np.delete(z[rows], v, axis=1)]) for rows in (train, test)]
    rest = _left(others[0], shuffled[:, train])
    fixed = np.zeros(n, dtype=np.int64)  # conditions by the other variables
    for column in np.delete(z[train], v, axis=1).T:
        fixed = fixed * 8 + codes_of(column)
    out = np.empty(len(shuffled))
    batch = max(1, _AT_ONCE // (t * p))
    for start in range(0, len(shuffled), batch):
        here = slice(start, start + batch)
        coefficients = (rest[here] @ flat).reshape(-1, t, p)
        axes = np.empty((len(coefficients), p))
        peaks = np.empty(len(coefficients), dtype=np.int64)
        for d, values in enumerate(coefficients):
            basis = _basis(flat, fixed * 8 + codes_of(shuffled[start + d, train]), t, n_components)
            told = values if basis is None else values @ basis
            peaks[d] = np.einsum("tk,tk->t", told, told).argmax()
            axes[d] = told[peaks[d]] if basis is None else basis @ told[peaks[d]]
        on = np.empty((len(axes), len(test)))
        for bin_ in np.unique(peaks):
            which = peaks == bin_
            on[which] = axes[which] @ later[:, bin_].T
        on, asked = (_left(others[1], values) for values in (on, shuffled[here][:, test]))
        size = np.linalg.norm(on, axis=1) * np.linalg.norm(asked, axis=1)
        out[here] = np.divide((on * asked).sum(axis=1), size, out=np.zeros(len(on)), where=size > 0)
    return out


def _left(others: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(draws, n) what columns ``others`` (n, m) leave of each row."""
    q = np.linalg.qr(others)[0]
    return np.asarray(values - (values @ q) @ q.T)


def _basis(flat: np.ndarray, codes: np.ndarray, t: int, k: int | None) -> np.ndarray | None:
    """(p, k) principal axes of the condition means, None where nothing would be left out; by the smaller products."""
    _, index, count = np.unique(codes, return_inverse=True, return_counts=True)
    p = flat.shape[1] // t
    if k is None or k >= min(len(count) * t, p):
        return None
    member = (index.reshape(-1) == np.arange(len(count))[:, None]) / count[:, None]
    means = (member @ flat).reshape(-1, p)
    means = means - means.mean(axis=0)
    if p <= len(means):
        return np.linalg.eigh(means.T @ means)[1][:, -k:]
    values, vectors = np.linalg.eigh(means @ means.T)
    length = np.sqrt(np.maximum(values[-k:], 0.0))
    return (means.T @ vectors[:, -k:]) / np.where(length > 0, length, 1.0)
