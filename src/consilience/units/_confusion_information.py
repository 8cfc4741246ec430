"""Information about a label in what a decoder says: a lower bound of that in the population it reads."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, as_array, to_numpy
from consilience._core._errors import InputError
from consilience.units._mutual_information import mutual_information
from consilience.units._scores import UnitScores

__all__ = ["confusion_information"]


def confusion_information(
    confusion: Array,
    /,
    *,
    correction: str = "adjusted",
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Information in bits between true and decoded labels, I = sum_sd p(s, d) log2(p(s, d) / (p(s) p(d))).

    What a decoder says is a function of the responses, so that this is at most the information in the population
    (data processing), and at most log2 of the number of labels; a better decoder, more trials to train it or the
    probabilities it gives would tell more. Unlike the share decoded right it counts which labels are taken for which:
    confusions that are always the same cost nothing. Corrected for few trials as in `mutual_information`.

    Parameters
    ----------
    confusion : (C, C) numbers of trials, true label first, of held-out trials, each counted once; or (C, C, m) of m
        decoders of the same trials (at m times, say). `Decoding.confusion` is one.
    correction, n_perm, level, rng : as in `mutual_information`.

    Returns
    -------
    UnitScores : (m,), as `mutual_information`. counted["entropy"] is what a perfect decoder has.

    The interval and p take trials as independent: predictions of one fold have their decoder in common, so that the
    interval is for this set of trained decoders.

    Raises
    ------
    InputError : not square, negative or no whole numbers, other numbers of trials of a label between the m, a label
        with fewer than 2 trials.

    References
    ----------
    Quian Quiroga & Panzeri (2009).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> always_the_other = np.array([[0, 20], [20, 0]])
    >>> float(cs.units.confusion_information(always_the_other, n_perm=0).value[0])
    1.0
    """
    who = "cs.units.confusion_information"
    x = np.asarray(to_numpy(as_array(confusion, name="confusion", who=who)))
    if x.dtype.kind not in "iuf" or x.ndim not in (2, 3) or x.shape[0] != x.shape[1] or x.shape[0] < 2:
        raise InputError(
            f"{who}: confusion must be (C, C) or (C, C, m) numbers of trials, true label first, got {x.shape} of "
            f"{x.dtype}.",
            code="bad-parameter",
        )
    x = x.reshape(*x.shape[:2], -1).astype(np.float64)
    if not np.isfinite(x).all() or (x < 0).any() or (x != np.round(x)).any():
        raise InputError(
            f"{who}: confusion must hold whole numbers of trials; shares, and means over draws of pseudo-trials, do "
            "not say how many trials there were.",
            code="not-counts",
        )
    rows = x.sum(axis=1)
    if (rows != rows[:, :1]).any():
        raise InputError(
            f"{who}: the m matrices must hold as many trials of each label; pass them one by one.",
            code="rows-differ",
        )
    count = rows[:, 0].astype(np.int64)
    if (count < 2).any():
        raise InputError(
            f"{who}: every label needs at least 2 trials, label {int(count.argmin())} has {int(count.min())}.",
            code="no-repeats",
        )
    labels = np.repeat(np.arange(count.size), count)
    decoded = np.empty((labels.size, x.shape[2]), dtype=np.int64)
    for k in range(x.shape[2]):
        said = np.tile(np.arange(count.size), count.size)
        decoded[:, k] = np.repeat(said, x[:, :, k].ravel().astype(np.int64))
    return mutual_information(
        decoded, labels, method="counts", correction=correction, n_perm=n_perm, level=level, rng=rng
    )
