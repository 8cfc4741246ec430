"""The measure contract: a function of two arrays, the claims it makes, and the parts that inference is
built from.

A measure is ``f(x, y, /, *, options) -> float``, samples (stimuli) first, higher = more alike. `measure`
records its `Claims` (`_claims.py`) and a factory of its parts (`_parts.py`) under its name; `as_measure` finds
it again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.measures._claims import INVARIANCES, SIMILARITIES, Claims
from consilience.measures._other_names import suggestion
from consilience.measures._parts import (
    PairParts,
    PredictionParts,
    Predictions,
    SubsampleParts,
    halves_ceiling,
    square_of,
)

__all__ = [
    "INVARIANCES",
    "SIMILARITIES",
    "Claims",
    "Measure",
    "PairParts",
    "PredictionParts",
    "Predictions",
    "SubsampleParts",
    "as_measure",
    "claims",
    "halves_ceiling",
    "measure",
    "names",
    "square_of",
]


@dataclass(frozen=True)
class Measure:
    """A registered measure with its options filled in. ``measure(x, y)`` calls the public function.

    key : unique text for results, e.g. ``"cka"``, ``"cka(kernel=rbf)"`` or
        ``"cca(regularization=0.1) (in-sample)"``.
    """

    name: str
    function: Callable[..., Any]
    options: Mapping[str, Any]
    claims: Claims
    parts: Any

    @property
    def key(self) -> str:
        if not self.options:
            return self.name
        name, space, form = self.name.partition(" ")
        return f"{name}({', '.join(f'{k}={v}' for k, v in sorted(self.options.items()))}){space}{form}"

    def __call__(self, x: Array, y: Array) -> Any:
        return self.function(x, y, **self.options)


@dataclass(frozen=True)
class _Entry:
    name: str
    function: Callable[..., Any]
    claims: Callable[..., Claims]
    parts: Callable[..., Any]


_REGISTRY: dict[str, _Entry] = {}
F = TypeVar("F", bound=Callable[..., Any])


def measure(*, claims: Callable[..., Claims] | Claims, parts: Callable[..., Any]) -> Callable[[F], F]:
    """Registers a function as a measure; ``claims`` and ``parts`` take its options as keywords (claims may
    be constant).
    """
    make = claims if not isinstance(claims, Claims) else (lambda **_: claims)

    def register(function: F) -> F:
        name = function.__name__
        if name in _REGISTRY:
            raise InputError(
                f"measure {name!r} is registered already; choose another name.", code="repeated-name"
            )
        _REGISTRY[name] = _Entry(name, function, make, parts)
        return function

    return register


def names() -> list[str]:
    """The registered measures, held-out forms included."""
    return sorted(_REGISTRY)


def _user_measure(function: Callable[..., Any], options: Mapping[str, Any]) -> Measure:
    label = getattr(function, "__name__", type(function).__name__)
    claims = Claims(
        label=label,
        range=(-np.inf, np.inf),
        itself=None,
        symmetric=False,
        invariant=frozenset(),
        null=lambda n, p, q: float("nan"),
        null_text="not stated",
        resample="none",
        libraries=("numpy",),
        method=f"The function {label} was given by the user.",
    )
    return Measure(label, function, dict(options), claims, None)


def as_measure(
    spec: str | Callable[..., Any] | Measure, *, who: str = "as_measure", held_out: bool = True
) -> Measure:
    """A name, a measure function, a `functools.partial` of one, or any user function ``(x, y) -> float``,
    as a `Measure`.

    With ``held_out=True`` an in-sample alignment (cca, svcca, procrustes) is replaced by its held-out form.
    """
    if isinstance(spec, Measure):
        return spec
    options: dict[str, Any] = {}
    if isinstance(spec, functools.partial):
        if spec.args:
            raise InputError(
                f"{who}: a measure given as functools.partial may fix keywords only, got "
                f"{shorten(spec.args)}.",
                code="bad-measure",
            )
        options, spec = dict(spec.keywords), spec.func
    if isinstance(spec, str):
        if spec not in _REGISTRY:
            raise UnknownNameError(
                f"{who}: no measure {spec!r}.{suggestion(spec, names())}", code="unknown-measure"
            )
        entry = _REGISTRY[spec]
    elif callable(spec):
        found = [e for e in _REGISTRY.values() if e.function is spec]
        if not found:
            return _user_measure(spec, options)
        entry = found[0]
    else:
        several = isinstance(spec, (list, tuple))
        said = (
            "one measure is asked for, got a list"
            if several
            else "measure must be a name, a function or a list"
        )
        what = "; give one of its entries" if several else f" of them, got {shorten(spec)}"
        raise InputError(f"{who}: {said}{what}.", code="bad-measure")
    _check_options(entry, options, who)
    claims = entry.claims(**options)
    if held_out and claims.held_out is not None:
        other = _REGISTRY[claims.held_out]
        _check_options(other, options, who)
        return Measure(entry.name, other.function, options, other.claims(**options), other.parts(**options))
    name = entry.name if claims.held_out is None else f"{entry.name} (in-sample)"
    return Measure(name, entry.function, options, claims, entry.parts(**options))


def claims(name: str, **options: Any) -> Claims:
    """What the measure ``name`` (see `names`) says of itself with these options.

    Raises
    ------
    UnknownNameError : no such measure, or no such option of it.

    Examples
    --------
    >>> import consilience as cs
    >>> cs.measures.claims("cka").null_text
    '0'
    >>> cs.measures.claims("cka", debiased=False).inflated(100, 50, 50)
    True
    """
    if name not in _REGISTRY:
        raise UnknownNameError(
            f"claims: no measure {name!r}.{suggestion(name, names())}", code="unknown-measure"
        )
    _check_options(_REGISTRY[name], options, "claims")
    return _REGISTRY[name].claims(**options)


def _check_options(entry: _Entry, options: Mapping[str, Any], who: str) -> None:
    known = [
        p.name for p in inspect.signature(entry.function).parameters.values() if p.kind is p.KEYWORD_ONLY
    ]
    for option in options:
        if option not in known:
            raise UnknownNameError(
                f"{who}: measure {entry.name!r} has no option {option!r}.{nearest(option, known)}",
                code="unknown-option",
            )
