"""Rows that are copies of each other and stand in training and test: one measurement under several ids."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import warn

__all__ = ["doubt_copies", "equal_rows"]

_CONTINUOUS = 0.9  # share of values, the commonest of each unit aside, that no other row has


def equal_rows(*parts: np.ndarray) -> np.ndarray | None:
    """(n,) int, equal for rows that are equal in all parts (n, ...) to the last bit and cannot be so by chance; -1 for
    rows that have no copy. None where there are none, or where values are few (counts, rates of counts, labels as
    numbers), so that rows may be equal by chance.
    """
    if sum(part[0].size for part in parts) < 2:
        return None
    hashes = [hash(tuple(row.tobytes() for row in rows)) for rows in zip(*parts)]
    codes = np.unique(hashes, return_inverse=True)[1].reshape(-1)
    first = np.unique(codes, return_index=True)[1]
    if first.size == codes.size:
        return None
    flat = [part.reshape(len(part), -1) for part in parts]
    few = np.concatenate([rows[:, :: -(-rows.shape[1] // 100)][np.sort(first)] for rows in flat], axis=1)
    unlike = total = 0
    own = np.zeros(len(few), np.int64)
    for column in few.T:
        _, at, count = np.unique(column, return_inverse=True, return_counts=True)
        common = count.argmax() if count.max() > 1 else -1
        at = at.reshape(-1)
        aside = at == common
        single = (count[at] == 1) & ~aside
        own += single
        unlike += int(single.sum())
        total += int((~aside).sum())
    if unlike < _CONTINUOUS * max(total, 1):
        return None
    specific = np.zeros(int(codes.max()) + 1, bool)
    specific[codes[np.sort(first)]] = own > 1  # one value alone tells few patterns of silence apart
    silent = np.all([rows.min(axis=1) == rows.max(axis=1) for rows in flat], axis=0)  # one value throughout
    specific[codes[silent]] = False
    copied = (np.bincount(codes) > 1) & specific
    return np.where(copied[codes], codes, -1) if copied.any() else None


def doubt_copies(
    parts: tuple[np.ndarray, ...],
    splits: list[tuple[np.ndarray, np.ndarray]],
    *,
    what: str,
    of: str,
    remedy: str,
) -> bool:
    """Warns where copies of test rows are in the training set of their fold; did it?"""
    codes = equal_rows(*parts)
    if codes is None:
        return False
    met = np.zeros(len(codes), bool)
    for train, test in splits:
        met[test] |= (codes[test] >= 0) & np.isin(codes[test], codes[train])
    if not met.any():
        return False
    row = int(np.flatnonzero(met)[0])
    other = int(np.flatnonzero((codes == codes[row]) & (np.arange(len(codes)) != row))[0])
    warn(
        "duplicate-rows",
        f"{int(met.sum())} of {len(codes)} {what} hold exactly the {of} of another (counted from 0, rows "
        f"{row} and {other}), and such copies stand in training and test: the score and its p are too good.",
        remedy,
    )
    return True
