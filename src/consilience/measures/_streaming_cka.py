"""Debiased CKA of streams: batches of stimuli in, the value over all of them out, in memory that does not grow."""

from __future__ import annotations

from consilience.linalg._moments import Moments
from consilience.measures._cka import debiased_cka
from consilience.measures._stream import Stream

__all__ = ["StreamingCKA"]


class StreamingCKA(Stream):
    """Debiased linear CKA of a stream of batches: the value that `cka` gives of all stimuli at once.

    Keeps float64 sums: sum x x', sum x y', sum y y', and the sums with |x|^2 and |y|^2 that the debiased form
    needs; the mean of the first batch is taken off every batch, so that float32 data with a large offset keeps
    its digits. Memory: ``groups`` times 8 (p^2 + p q + q^2) bytes, whatever the number of stimuli.

    Parameters
    ----------
    groups : how many separate sums are kept, for the interval (1 = no interval, least memory).

    Raises
    ------
    InputError : as `cka`, for each batch; units that differ between batches; fewer than 4 stimuli in all.

    References
    ----------
    Kornblith et al. (2019); Song et al. (2012).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 8))
    >>> y = x[:, :5] + rng.normal(size=(500, 5))
    >>> stream = cs.measures.StreamingCKA()
    >>> for rows in np.split(np.arange(500), 20):
    ...     _ = stream.update(x[rows], y[rows])
    >>> stream
    <StreamingCKA> 500 stimuli in 20 batches, 8 and 5 units
    >>> bool(abs(stream.value() - cs.measures.cka(x, y)) < 1e-10)
    True
    >>> low, high = stream.interval()
    >>> low < stream.value() < high
    True
    """

    _measure = "cka"

    def __init__(self, *, groups: int = 10) -> None:
        super().__init__(groups=groups)

    def _of(self, moments: Moments) -> float:
        return float(debiased_cka(moments.centred()))
