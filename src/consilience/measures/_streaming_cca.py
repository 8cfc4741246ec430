"""In-sample CCA of streams: batches of stimuli in, the value over all of them out, in memory that does not grow."""

from __future__ import annotations

import numpy as np

from consilience.linalg._moments import Moments
from consilience.measures._canonical import check_regularization, nothing_to_correlate
from consilience.measures._stream import Stream

__all__ = ["StreamingCCA"]


class StreamingCCA(Stream):
    """Mean canonical correlation of a stream of batches, in-sample: what `cca` gives of all stimuli at once.

    Meant for many more stimuli than units: independent data score about root of max(p, q)/(n-1).

    Parameters
    ----------
    regularization : c in [0, 1), as in `cca`.   groups : as in `StreamingCKA`.

    Raises
    ------
    InputError : as `cca`, for each batch; units that differ between batches; fewer than 4 stimuli in all.
    ConsilienceWarning ``null-not-zero`` : max(p, q)/(n-1) > 0.1 when a value is asked for.

    References
    ----------
    Hotelling (1936).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(500, 8))
    >>> y = x[:, :5] + np.random.default_rng(1).normal(size=(500, 5))
    >>> here, there = cs.measures.StreamingCCA(), cs.measures.StreamingCCA()
    >>> for start in range(0, 400, 50):
    ...     _ = here.update(x[start : start + 50], y[start : start + 50])
    >>> whole = here.merge(there.update(x[400:], y[400:]))
    >>> bool(abs(whole.value() - cs.measures.cca(x, y)) < 1e-10)
    True
    """

    _measure = "cca"

    def __init__(self, *, regularization: float = 0.0, groups: int = 10) -> None:
        check_regularization(regularization, type(self).__name__)
        super().__init__(groups=groups, regularization=regularization)

    def _of(self, moments: Moments) -> float:
        m = moments.centred()
        means = (moments.x / moments.n, moments.y / moments.n)
        shifts = self._shift or (0.0, 0.0)
        one, two = (
            self._whitener(z, self._gains(np.diag(z) / m.n, mean + shift))
            for z, mean, shift in zip((m.xx, m.yy), means, shifts)
        )
        found = np.linalg.svd(one.T @ m.xy @ two, compute_uv=False)
        return float(np.clip(found, 0.0, 1.0).mean())

    def _gains(self, variances: np.ndarray, means: np.ndarray) -> np.ndarray:
        """What brings the units to one scale, as `cca` does; 0 for those that do not vary."""
        if self._options["regularization"]:
            return np.ones(len(variances))
        sizes = np.sqrt(np.maximum(variances, 0.0))
        rounding = 16 * np.finfo(np.float64).eps * np.abs(means)
        return np.where(sizes > rounding, np.ldexp(1.0, -np.frexp(sizes)[1]), 0.0)

    def _whitener(self, products: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """``products`` (p, p) of units, each times its gain first -> (p, rank)."""
        values, vectors = np.linalg.eigh(products * gains[:, None] * gains[None, :])
        floor = 4 * len(products) * np.finfo(np.float64).eps * values[-1]
        keep = values > max(floor, 0.0)
        if not keep.any():
            raise nothing_to_correlate(self._who)
        values, vectors = values[keep], vectors[:, keep]
        c = self._options["regularization"]
        return gains[:, None] * vectors / np.sqrt((1 - c) * values + c * values.mean())
