"""What basis functions share: their range, sums, products, and kernels over lags."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number

__all__ = ["Basis", "OneInput"]


class Basis(ABC):
    """Functions phi_1 ... phi_k of one or more inputs. ``basis(x)`` evaluates, ``a + b`` sets side by side (inputs of
    a, then of b; k_a + k_b functions), ``a * b`` multiplies every function of a with every one of b (k_a k_b
    functions).

    n_features : k.   n_inputs : how many arrays (n,) a call takes.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> place = cs.models.basis.BSpline(6) * cs.models.basis.BSpline(6)
    >>> field = place + cs.models.basis.RaisedCosine(8, 0, 2 * np.pi, cyclic=True)
    >>> x, y, heading = np.random.default_rng(0).uniform(size=(3, 50))
    >>> field(x, y, heading).shape
    (50, 44)
    """

    n_features: int
    n_inputs: int = 1

    @abstractmethod
    def __call__(self, *inputs: Any) -> np.ndarray:
        """(n, n_features) values at inputs (n,) each."""

    def __add__(self, other: Basis) -> Basis:
        return Sum(self, other) if isinstance(other, Basis) else NotImplemented

    def __mul__(self, other: Basis) -> Basis:
        return Product(self, other) if isinstance(other, Basis) else NotImplemented

    def _check_inputs(self, inputs: tuple[Any, ...]) -> list[np.ndarray]:
        who = type(self).__name__
        if len(inputs) != self.n_inputs:
            raise InputError(
                f"{who}: takes {self.n_inputs} input{'s' * (self.n_inputs != 1)} (samples,), got {len(inputs)}.",
                code="bad-parameter",
            )
        out = []
        for given in inputs:
            x = to_numpy(as_array(given, name="x", who=who))
            if x.dtype.kind not in "biuf":
                raise InputError(f"{who}: x must hold real numbers, got dtype {x.dtype}.", code="not-numeric")
            if x.ndim != 1:
                raise InputError(f"{who}: x must be (samples,), got shape {x.shape}.", code="bad-dims")
            if not np.isfinite(x).all():
                raise InputError(
                    f"{who}: x has NaN or infinite values; leave those samples out first.", code="nan-values"
                )
            out.append(x.astype(np.float64))
        if len({x.size for x in out}) > 1:
            raise InputError(
                f"{who}: inputs must have the same samples, got {', '.join(str(x.size) for x in out)}.",
                code="rows-differ",
            )
        return out


class Sum(Basis):
    def __init__(self, one: Basis, two: Basis) -> None:
        self.one, self.two = one, two
        self.n_features, self.n_inputs = one.n_features + two.n_features, one.n_inputs + two.n_inputs

    def __call__(self, *inputs: Any) -> np.ndarray:
        x = self._check_inputs(inputs)
        return np.concatenate([self.one(*x[: self.one.n_inputs]), self.two(*x[self.one.n_inputs :])], axis=1)

    def __repr__(self) -> str:
        return f"{self.one!r} + {self.two!r}"


class Product(Basis):
    def __init__(self, one: Basis, two: Basis) -> None:
        self.one, self.two = one, two
        self.n_features, self.n_inputs = one.n_features * two.n_features, one.n_inputs + two.n_inputs

    def __call__(self, *inputs: Any) -> np.ndarray:
        x = self._check_inputs(inputs)
        a, b = self.one(*x[: self.one.n_inputs]), self.two(*x[self.one.n_inputs :])
        return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)

    def __repr__(self) -> str:
        parts = [f"({p!r})" if isinstance(p, Sum) else repr(p) for p in (self.one, self.two)]
        return " * ".join(parts)


class OneInput(Basis):
    """A basis on the interval from ``low`` to ``high``, or, ``cyclic``, on a circle of that length."""

    def __init__(self, n: int, low: float, high: float, *, cyclic: bool, least: int) -> None:
        who = type(self).__name__
        self.n_features = check_count(n, name="n", who=who, minimum=least)
        self.low = check_number(low, name="low", who=who)
        self.high = check_number(high, name="high", who=who)
        self.cyclic = cyclic
        if not self.high > self.low:
            raise InputError(
                f"{who}: high must be above low, got {self.low:g} to {self.high:g}.", code="bad-parameter"
            )

    @abstractmethod
    def _values(self, x: np.ndarray) -> np.ndarray:
        """(n, k) at x inside the range."""

    def __call__(self, *inputs: Any) -> np.ndarray:
        (x,) = self._check_inputs(inputs)
        span = self.high - self.low
        if self.cyclic:
            return self._values(self.low + np.mod(x - self.low, span))
        away = np.maximum(self.low - x, x - self.high)
        if (away > 1e-9 * span).any():
            raise InputError(
                f"{type(self).__name__}: {int((away > 1e-9 * span).sum())} of {x.size} values are outside {self.low:g} "
                f"to {self.high:g}, e.g. {x[np.argmax(away)]:.6g}; give low= and high= that hold them, or clip them.",
                code="out-of-range",
            )
        return self._values(np.clip(x, self.low, self.high))

    def kernel(self, n_lags: int, /) -> np.ndarray:
        """(n_lags, k): the functions as filters over lags, spread from ``low`` to ``high``, for `lagged` and
        `coupling_design`.
        """
        count = check_count(n_lags, name="n_lags", who=f"{type(self).__name__}.kernel", minimum=1)
        at = np.linspace(self.low, self.high, count, endpoint=not self.cyclic)
        return self(at)

    def __repr__(self) -> str:
        end = ", cyclic=True" if self.cyclic else ""
        return f"{type(self).__name__}({self.n_features}, {self.low:g}, {self.high:g}{end})"
