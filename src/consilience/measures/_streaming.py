"""CKA and CCA of streams: batches of stimuli in, the value over all of them out, in memory that does not grow."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from consilience._core._arrays import Array, as_matrix, float64, same_rows, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.linalg import centre_columns, principal_scores, to_safe_size
from consilience.linalg._moments import Moments, moments_of, shift_of
from consilience.measures._cca import _check_regularization
from consilience.measures._cca import _claims as _cca_claims
from consilience.measures._cka import debiased_cka, debiased_hsic, warn_null
from consilience.measures._door import two_systems
from consilience.stats import jackknife_interval

__all__ = ["MinibatchCKA", "StreamingCCA", "StreamingCKA", "minibatch_cka"]

S = TypeVar("S", bound="_Stream")
_FEWEST = 4


def _batch(x: object, y: object, who: str) -> tuple[np.ndarray, np.ndarray]:
    """A batch, of one stimulus or more, as NumPy arrays of one dtype; units may be constant within it."""
    one, two = as_matrix(x, name="x", who=who), as_matrix(y, name="y", who=who)
    same_rows(one, two, who=who)
    if one.dtype != two.dtype:
        one, two = float64(one), float64(two)
    return to_numpy(one), to_numpy(two)


def _power_of(x: np.ndarray) -> float:
    """1, or the power of two that brings ``x`` to about 1 where its squares would overflow or vanish."""
    top = float(np.abs(x).max())
    limit = 2.0**100 if x.dtype == np.float64 else 2.0**30
    return 1.0 if top == 0 or 1 / limit < top < limit else math.ldexp(1.0, math.frexp(top)[1])


class _Stream:
    """Moments of the batches so far, dealt in turn to ``groups`` sums."""

    _who = "stream"

    def __init__(self, *, groups: int = 10) -> None:
        self._groups: list[Moments | None] = [None] * check_count(
            groups, name="groups", who=self._who, minimum=1
        )
        self._shift: tuple[np.ndarray, np.ndarray] | None = None
        self._size = 1.0, 1.0  # powers of two by which batches are divided
        self._batches = 0

    @property
    def n(self) -> int:
        """Stimuli so far."""
        return sum(group.n for group in self._groups if group is not None)

    def update(self: S, x: Array, y: Array, /) -> S:
        """Adds the stimuli of a batch, ``x`` (m, p) and ``y`` (m, q): any m from 1 on, the same p and q each
        time.
        """
        x, y = _batch(x, y, f"{self._who}.update")
        if self._shift is None:
            self._size = _power_of(x), _power_of(y)
        if self._size != (1.0, 1.0):
            x, y = x / x.dtype.type(self._size[0]), y / y.dtype.type(self._size[1])
        if self._shift is None:
            self._shift = to_numpy(shift_of(x)), to_numpy(shift_of(y))
        if (x.shape[1], y.shape[1]) != tuple(map(len, self._shift)):
            raise InputError(
                f"{self._who}.update: batches so far had {len(self._shift[0])} and {len(self._shift[1])} units, this "
                f"one has {x.shape[1]} and {y.shape[1]}; every batch must have the same units.",
                code="units-differ",
            )
        part = moments_of(x, y, *(s.astype(x.dtype) for s in self._shift))
        # a shift that the dtype of this batch rounds is made up for
        rounded = [s.astype(x.dtype).astype(np.float64) - s for s in self._shift]
        if any(r.any() for r in rounded):
            part = part.shifted(*rounded)
        self._into(self._batches % len(self._groups), part)
        self._batches += 1
        return self

    def _into(self, place: int, part: Moments) -> None:
        held = self._groups[place]
        self._groups[place] = part if held is None else held.add(part)

    def merge(self: S, other: S, /) -> S:
        """Adds what ``other`` of the same kind has seen (say, on another machine); ``other`` is left as it is."""
        if type(other) is not type(self) or len(other._groups) != len(self._groups) or not self._like(other):
            raise InputError(
                f"{self._who}.merge: the other must be a {type(self).__name__} with the same options, got {other!r}.",
                code="bad-parameter",
            )
        if other._shift is None:
            return self
        if self._shift is None:
            self._shift, self._size = other._shift, other._size
        if [len(s) for s in self._shift] != [len(s) for s in other._shift]:
            raise InputError(
                f"{self._who}.merge: the two have seen other numbers of units.", code="units-differ"
            )
        self._resize(tuple(max(pair) for pair in zip(self._size, other._size)))
        factors = [theirs / mine for mine, theirs in zip(self._size, other._size)]
        moved = [
            theirs.astype(np.float64) * factor - mine
            for mine, theirs, factor in zip(self._shift, other._shift, factors)
        ]
        for place, part in enumerate(other._groups):
            if part is not None:
                part = part if factors == [1.0, 1.0] else part.scaled(*factors)
                self._into((self._batches + place) % len(self._groups), part.shifted(*moved))
        self._batches += other._batches
        return self

    def _resize(self, size: Any) -> None:
        """Divides by ``size``, no smaller than what was divided by so far."""
        factors = [mine / new for mine, new in zip(self._size, size)]
        if factors != [1.0, 1.0] and self._shift is not None:
            self._groups = [part and part.scaled(*factors) for part in self._groups]
            one, two = (shift.astype(np.float64) * factor for shift, factor in zip(self._shift, factors))
            self._shift, self._size = (one, two), size

    def _like(self, other: Any) -> bool:
        return True

    def _total(self, without: int = -1) -> Moments:
        total: Moments | None = None
        for place, part in enumerate(self._groups):
            if part is not None and place != without:
                total = (
                    part.shifted(np.zeros(part.x.size), np.zeros(part.y.size))
                    if total is None
                    else total.add(part)
                )
        if total is None or total.n < _FEWEST:
            raise InputError(
                f"{self._who}: at least {_FEWEST} stimuli are needed, got {0 if total is None else total.n}; call "
                "update(x, y) first.",
                code="too-few",
            )
        return total

    def _of(self, moments: Moments) -> float:
        raise NotImplementedError

    def value(self) -> float:
        """The value over all stimuli so far."""
        return self._of(self._total())

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """(low, high): value +- t sd, by leaving out one group of batches at a time (grouped jackknife).

        It holds where batches are alike, as those of a shuffled stream are: stimuli of one batch that resemble
        each other (frames of a film) must not be spread over batches. There must be as many batches as groups.
        """
        level = check_number(level, name="level", who=f"{self._who}.interval", low=0.0, high=1.0)
        if len(self._groups) == 1:
            raise InputError(
                f"{self._who}.interval: groups=1 keeps a single sum, of which none can be left out; make it with "
                f"{self._who}(groups=10).",
                code="too-few",
            )
        full = [place for place, part in enumerate(self._groups) if part is not None]
        if len(full) < len(self._groups):
            raise InputError(
                f"{self._who}.interval: at least {len(self._groups)} batches are needed, one per group, got "
                f"{self._batches}; use smaller batches, or {self._who}(groups=...) with fewer groups.",
                code="too-few",
            )
        without = np.array([self._of(self._total(place)) for place in full])
        low, high = jackknife_interval(
            self.value(), without, n=len(full), left_out=1, level=level, exhaustive=True
        )
        return max(float(low), self._range[0]), min(float(high), self._range[1])

    _range = (-1.0, 1.0)

    def __repr__(self) -> str:
        units = "" if self._shift is None else f", {len(self._shift[0])} and {len(self._shift[1])} units"
        return f"<{type(self).__name__}> {self.n} stimuli in {self._batches} batches{units}"


class StreamingCKA(_Stream):
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

    _who = "StreamingCKA"

    def _of(self, moments: Moments) -> float:
        return float(debiased_cka(moments.centred()))


class StreamingCCA(_Stream):
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
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 8))
    >>> y = x[:, :5] + rng.normal(size=(500, 5))
    >>> stream = cs.measures.StreamingCCA()
    >>> for rows in np.split(np.arange(500), 20):
    ...     _ = stream.update(x[rows], y[rows])
    >>> bool(abs(stream.value() - cs.measures.cca(x, y)) < 1e-10)
    True
    """

    _who = "StreamingCCA"
    _range = (0.0, 1.0)

    def __init__(self, *, regularization: float = 0.0, groups: int = 10) -> None:
        _check_regularization(regularization, self._who)
        super().__init__(groups=groups)
        self._regularization = regularization

    def _like(self, other: Any) -> bool:
        return bool(self._regularization == other._regularization)

    def value(self) -> float:
        total = self._total()
        claims = _cca_claims(regularization=self._regularization)
        warn_null(
            claims, total.n, total.x.size, total.y.size, "cs.measures.cca_held_out on some of the stimuli"
        )
        return self._of(total)

    def _of(self, moments: Moments) -> float:
        m = moments.centred()
        one, two = (self._whitener(z) for z in (m.xx, m.yy))
        found = np.linalg.svd(one.T @ m.xy @ two, compute_uv=False)
        return float(np.clip(found, 0.0, 1.0).mean())

    def _whitener(self, products: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(products)
        floor = 4 * len(products) * np.finfo(np.float64).eps * values[-1]
        keep = values > max(floor, 0.0)
        if not keep.any():
            raise InputError(
                f"{self._who}: a system has the same pattern for all stimuli, so there is nothing to correlate.",
                code="no-structure",
            )
        values, vectors = values[keep], vectors[:, keep]
        return vectors / np.sqrt((1 - self._regularization) * values + self._regularization * values.mean())


class MinibatchCKA:
    """Minibatch CKA: unbiased HSIC of each batch, averaged over batches, then the ratio.

    value = sum_b HSIC_b(K, L) / sqrt(sum_b HSIC_b(K, K) sum_b HSIC_b(L, L)), HSIC the unbiased estimator on the
    stimuli of a batch, each batch weighed alike. Each HSIC has the expectation of that over all stimuli, so that
    the value tends to the debiased CKA with the number of batches, whatever their size; it is noisier than
    `StreamingCKA`, which gives the value itself where units fit in memory squared. Batches must be random draws:
    batches of one class each measure something else. Memory: three numbers per batch.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 8))
    >>> y = x[:, :5] + rng.normal(size=(2000, 5))
    >>> batches = cs.measures.MinibatchCKA()
    >>> for rows in np.split(np.arange(2000), 20):
    ...     _ = batches.update(x[rows], y[rows])
    >>> bool(abs(batches.value() - cs.measures.cka(x, y)) < 0.03)
    True

    References
    ----------
    Nguyen, Raghu & Kornblith (2021); Song et al. (2012).
    """

    def __init__(self) -> None:
        self._terms: list[tuple[float, float, float]] = []

    def update(self, x: Array, y: Array, /) -> MinibatchCKA:
        """Adds a batch of at least 4 stimuli, ``x`` (m, p) and ``y`` (m, q)."""
        x, y = two_systems(x, y, who="MinibatchCKA.update")
        n = x.shape[0]
        found = debiased_hsic(_either_route(to_numpy(x), to_numpy(y)))
        xy, xx, yy = (float(v) / (n * (n - 3)) for v in found)
        self._terms.append((xy, xx, yy))
        return self

    def merge(self, other: MinibatchCKA, /) -> MinibatchCKA:
        """Adds the batches of ``other``."""
        if not isinstance(other, MinibatchCKA):
            raise InputError(
                f"MinibatchCKA.merge: the other must be a MinibatchCKA, got {type(other).__name__}.",
                code="bad-parameter",
            )
        self._terms += other._terms
        return self

    def _ratio(self, sums: np.ndarray) -> np.ndarray:
        xy, xx, yy = np.moveaxis(sums, -1, 0)
        if not ((xx > 0).all() and (yy > 0).all()):
            raise InputError(
                "MinibatchCKA: the batches show no structure over stimuli in one of the systems (their mean unbiased "
                "HSIC with itself is not above 0); use larger or more batches.",
                code="no-structure",
            )
        return np.asarray(xy / np.sqrt(xx * yy))

    def value(self) -> float:
        """The value over the batches so far."""
        if not self._terms:
            raise InputError("MinibatchCKA: no batch yet; call update(x, y) first.", code="too-few")
        return float(self._ratio(np.array(self._terms).sum(axis=0)))

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """(low, high): value +- t sd, by leaving out one batch at a time (jackknife); from 3 batches on."""
        level = check_number(level, name="level", who="MinibatchCKA.interval", low=0.0, high=1.0)
        terms = np.array(self._terms)
        if len(terms) < 3:
            raise InputError(
                f"MinibatchCKA.interval: at least 3 batches are needed, got {len(terms)}; use smaller batches.",
                code="too-few",
            )
        without = self._ratio(terms.sum(axis=0) - terms)
        low, high = jackknife_interval(
            self.value(), without, n=len(terms), left_out=1, level=level, exhaustive=True
        )
        return float(low), float(high)

    def __repr__(self) -> str:
        return f"<MinibatchCKA> {len(self._terms)} batches"


def _either_route(x: np.ndarray, y: np.ndarray) -> Moments:
    """Centred moments by products of units, or, with more units than stimuli, of the coordinates they span."""
    n = x.shape[0]
    x, y = (
        principal_scores(centre_columns(to_safe_size(z))) if z.shape[1] > n else float64(z) for z in (x, y)
    )
    return moments_of(x, y, shift_of(x), shift_of(y)).centred()


def minibatch_cka(x: Array, y: Array, /, *, batch_size: int = 256, rng: Any = 0) -> float:
    """`MinibatchCKA` of arrays, their stimuli dealt at random into batches of ``batch_size``; the rest is left out.

    Equal to debiased `cka` in the limit of many batches; more noisy the smaller the batches. Use `cka` where all
    stimuli fit: this is for values that were, or can only be, computed that way.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    batch_size : stimuli per batch, at least 4.   rng : seed of the deal.

    Returns
    -------
    float; 0 for unrelated systems; not bounded by 1 where batches are few.

    Raises
    ------
    InputError : as `cka`; fewer stimuli than ``batch_size``; batches without structure.

    References
    ----------
    Nguyen, Raghu & Kornblith (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(1000, 8))
    >>> round(cs.measures.minibatch_cka(x, 2 * x, batch_size=50), 6)
    1.0
    """
    who = "minibatch_cka"
    x, y = two_systems(x, y, who=who)
    size = check_count(batch_size, name="batch_size", who=who, minimum=4)
    n = x.shape[0]
    if n < size:
        raise InputError(
            f"{who}: batch_size={size} is more than the {n} stimuli there are; use a smaller batch_size, or cka.",
            code="too-few",
        )
    x, y = to_numpy(x), to_numpy(y)
    order = resolve_seed(rng, who=who).stream("batches").permutation(n)
    batches = MinibatchCKA()
    for start in range(0, n - size + 1, size):
        rows = order[start : start + size]
        batches.update(x[rows], y[rows])
    return batches.value()
