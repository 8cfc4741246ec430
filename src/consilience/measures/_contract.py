"""The measure contract: a function of two arrays, the claims it makes, and the parts that inference is
built from.

A measure is ``f(x, y, /, *, options) -> float``, samples (stimuli) first, higher = more alike. `measure`
records its `Claims` (which one suite tests, both ways) and a factory of its parts. There are three kinds of
parts, one per rule of resampling over stimuli:

pairs        `PairParts`: one vector over pairs of stimuli per system; every draw is a weighted cosine.
predictions  `PredictionParts`: held-out predictions per stimulus; every draw is a weighted mean of them.
subsample    `SubsampleParts`: in-sample alignments; values on subsets of stimuli (delete-d).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.measures._other_names import suggestion
from consilience.stats import left_out_cosines, permuted_cosines, spearman_brown, weighted_cosines
from consilience.stats._pairs import square

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
    "measure",
    "names",
]

INVARIANCES = (
    "translation",  # one vector added to all stimuli
    "scaling",  # all values times one positive number
    "rotation",  # orthogonal transformation of the units
    "permutation",  # units in another order
    "unit_scaling",  # each unit times its own positive number
    "affine",  # invertible linear transformation of the units
    "stimulus_shift",  # one number per stimulus added to all units
    "stimulus_scaling",  # each stimulus' pattern times its own positive number
)
SIMILARITIES = frozenset({"translation", "scaling", "rotation", "permutation"})  # what keeps the geometry


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a measure says of itself. The common suite tests each claim; verbs, warnings and docs follow them.

    label : name in text.   range : (lowest, highest) possible.
    itself : value of a system with itself; None = no fixed value.   symmetric : f(x, y) == f(y, x).
    invariant, invariant_y : transformations of x (of y) that leave the value; all others must change it.
    null : expected value for independent Gaussian data of n stimuli, p and q units.
    null_text : the same in words.
    inflation : what must exceed 0.1 for the warning ``null-not-zero``; None = null itself.
    resample : rule for intervals over stimuli.
    held_out : name of the held-out form that `compare` uses instead.
    takes_rdms : can be computed from RDMs alone.   min_stimuli : fewest stimuli.
    libraries : array libraries it runs on.   converts : the work is done in NumPy whatever came in.
    references : keys of references.bib.   method : one sentence for a methods section.
    """

    label: str
    range: tuple[float, float]
    itself: float | None
    symmetric: bool
    invariant: frozenset[str]
    invariant_y: frozenset[str] | None = None
    null: Callable[[int, int, int], float] = lambda n, p, q: 0.0
    null_text: str = "0"
    inflation: Callable[[int, int, int], float] | None = None
    resample: Literal["pairs", "predictions", "subsample", "none"] = "none"
    held_out: str | None = None
    takes_rdms: bool = False
    min_stimuli: int = 4
    libraries: tuple[str, ...] = ("numpy", "torch", "array_api_strict")
    converts: bool = False
    references: tuple[str, ...] = ()
    method: str = ""

    def inflated(self, n: int, p: int, q: int) -> bool:
        """Would independent data of this size score so high that the value misleads (above 0.1)?"""
        return (self.inflation or self.null)(n, p, q) > 0.1


class PairParts:
    """Parts of a measure whose value is a cosine of pair vectors.

    prepare : x (n, p) -> pair vector (P,), float64, ranked and centred once.
    from_rdm : (condensed RDM (n(n-1)/2,), name of its distance) -> pair vector; None where RDMs cannot be
        used.
    rdm_distance : name of the distance of an RDM on the other side -> the distance by which responses
        become an RDM to match it.
    again : pair vector -> pair vector, applied to a mean of vectors before it is used as one (re-ranking);
        None = nothing to do.
    diagonal : the vectors carry the n diagonal entries.
    from_gram : (Gram matrix (n, n), float64; rounding of the dtype of the responses) -> pair vector, for responses
        that are read in blocks of units; None = they are read whole.
    gram : of which patterns that Gram matrix is: "columns" = less about the mean of each unit, "rows" = less the
        mean of each stimulus over units, "origin" = as they are; of "rows" and "origin" at length 1 and less one
        vector, so that half the squared distances are 1 - cosine.

    A class of its own overrides what a cosine does not give: ``channels`` numbers per pair, one channel after
    the other in the vector; ``has_ceiling``: the value between halves of the repeats says what noise allows.
    """

    rule = "pairs"
    channels = 1
    has_ceiling = True

    def __init__(
        self,
        prepare: Callable[[Array], Array],
        *,
        from_rdm: Callable[[np.ndarray, str], np.ndarray] | None = None,
        rdm_distance: Callable[[str], str] | None = None,
        again: Callable[[np.ndarray], np.ndarray] | None = None,
        diagonal: bool = False,
        from_gram: Callable[[np.ndarray, float], np.ndarray] | None = None,
        gram: Literal["columns", "rows", "origin"] = "columns",
    ) -> None:
        self.prepare = prepare
        self.from_gram = from_gram
        self.gram = gram
        self.from_rdm = from_rdm
        self.rdm_distance = rdm_distance
        self.again = again
        self.diagonal = diagonal

    def normalise(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (k, P) at norm 1; a vector of zeros (all pairs equally far apart) has no direction and is
        refused by `combine`.
        """
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norm > 0, norm, np.nan)

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Values (n_a, n_b) of pair vectors a (n_a, P) and b (n_b, P); with weights (draws, n): (draws,
        n_a, n_b).
        """
        if weights is None:
            return self.normalise(a) @ self.normalise(b).T
        return weighted_cosines(a, b, weights, diagonal=self.diagonal)

    def left_out(self, a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
        """Values (n, n_a, n_b) without each of the n stimuli, ranked and centred as with all of them."""
        if type(self).combine is PairParts.combine:
            return left_out_cosines(a, b, n, diagonal=self.diagonal)
        return self.combine(a, b, 1.0 - np.eye(n))

    def permute(
        self, a: np.ndarray, b: np.ndarray, orders: np.ndarray, groups: np.ndarray | None = None
    ) -> np.ndarray:
        """Values (permutations, n_a, n_b') with the stimuli of a relabelled; columns of b with one group
        are averaged first.
        """
        unit = self.normalise(b)
        if groups is not None:
            unit = np.stack([unit[groups == g].mean(axis=0) for g in range(groups.max() + 1)])
        return permuted_cosines(self.normalise(a), unit, orders, diagonal=self.diagonal)

    def pool(self, vectors: np.ndarray) -> np.ndarray:
        """The mean of several subjects' vectors (k, P), each at norm 1 first, as a model: (P,)."""
        mean = self.normalise(vectors).mean(axis=0)
        return self.again(mean) if self.again is not None else mean

    def bound(self, vectors: np.ndarray) -> np.ndarray:
        """The vector (P,) with the highest mean value against ``vectors`` (k, P): the mean of the
        normalised ones, for a cosine.
        """
        return self.normalise(vectors).mean(axis=0)


@dataclass(frozen=True)
class Predictions:
    """What each held-out stimulus adds to a score: value of column k under weights w is sum w top /
    sqrt(sum w left . sum w right).

    top, left, right : (n, k).   share : (k,) of sum 1, what each column counts; None = all alike.
    """

    top: np.ndarray
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray | None = None

    def score(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Mean over columns: () without weights, (draws,) with weights (draws, n). A column that does not
        vary scores 0.
        """
        each = self.columns(np.ones((1, self.top.shape[0])) if weights is None else weights)
        value = each.mean(axis=1) if self.share is None else each @ self.share
        return value[0] if weights is None else value

    def draws(self, weights: np.ndarray) -> np.ndarray:
        """Values (draws,) of resamples of the stimuli: `score`, unless more of the value hangs on who was drawn."""
        return self.score(weights)

    def columns(self, weights: np.ndarray) -> np.ndarray:
        """Value of each column, (draws, k), under weights (draws, n)."""
        below = np.sqrt((weights @ self.left) * (weights @ self.right))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(below > 0, (weights @ self.top) / below, 0.0)


class PredictionParts:
    """Parts of a measure whose value is a score of held-out predictions.

    prepare : x (n, p) -> what the fit needs of x, once per system (its lossless low-dimensional form).
    prepare_y : the same for y; None = as x.
    plan : (prepared x, folds, groups) -> object with ``predict(prepared y) -> Predictions``: everything
        that does not depend on y.
    ceiling : (half 1, half 2), each (n, q) -> (low, high); None = the measure itself on the halves.
    """

    rule = "predictions"

    def __init__(
        self,
        prepare: Callable[[Array], Any],
        plan: Callable[[Any, list[np.ndarray], np.ndarray | None], Any],
        *,
        prepare_y: Callable[[Array], Any] | None = None,
        ceiling: Callable[[np.ndarray, np.ndarray], tuple[float, float]] | None = None,
        folds: int = 5,
    ) -> None:
        self.prepare = prepare
        self.prepare_y = prepare_y or prepare
        self.plan = plan
        self.ceiling = ceiling
        self.folds = folds


class SubsampleParts:
    """Parts of an in-sample alignment: prepare(x) -> scores (n, r) with X X' kept; value(scores of x,
    scores of y) -> float.
    """

    rule = "subsample"

    def __init__(
        self, prepare: Callable[[Array], np.ndarray], value: Callable[[np.ndarray, np.ndarray], float]
    ) -> None:
        self.prepare = prepare
        self.value = value


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
    import inspect

    known = [
        p.name for p in inspect.signature(entry.function).parameters.values() if p.kind is p.KEYWORD_ONLY
    ]
    for option in options:
        if option not in known:
            raise UnknownNameError(
                f"{who}: measure {entry.name!r} has no option {option!r}.{nearest(option, known)}",
                code="unknown-option",
            )


def square_of(vector: np.ndarray, n: int) -> np.ndarray:
    return square(vector[None], n)[0]


def halves_ceiling(score: float) -> tuple[float, float]:
    """(low, high) from the value between two halves of the repeats: itself, and sqrt of its Spearman-Brown
    extrapolation.
    """
    return score, float(np.sqrt(spearman_brown(score)))
