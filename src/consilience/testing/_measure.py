"""The suite of every measure: each of its claims, tested both ways."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from consilience._core._citations import references
from consilience._core._errors import InputError
from consilience._core._seeds import resolve_seed
from consilience.measures._contract import INVARIANCES, Claims, Measure, as_measure, names
from consilience.stats import group_folds
from consilience.testing._libraries import library_checks
from consilience.testing._rows import CheckRow, Outcome, run_checks

__all__ = ["VARIANTS", "check_measure", "every_measure"]

SAME, OTHER = 1e-8, 1e-6  # a declared invariance moves the value less than SAME, others more than OTHER
SIZES = ((60, 4, 4), (60, 20, 10), (40, 60, 30))  # (n, p, q) at which the stated null is simulated
ASYMPTOTIC = 0.03  # a stated null other than 0 is a large-n formula

# the options that change a claim, beside each measure's defaults
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "cka": (
        {"kernel": "rbf"},
        {"debiased": False},
        {"kernel": "rbf", "debiased": False},
        {"units": "sampled"},
    ),
    "distance_correlation": ({"debiased": False},),
    "mutual_knn": ({"k": 3}, {"distance": "euclidean"}),
    "pwcca": ({"weights_from": "y"},),
    "pwcca_held_out": ({"weights_from": "y"}, {"regularization": 0.1}),
    "kernel_cca": ({"kernel": "linear"}, {"components": 3}),
    "rsa": (
        {"method": "pearson"},
        {"method": "kendall"},
        {"method": "cosine"},
        {"distance": "euclidean"},
        {"distance": "cosine"},
        {"distance": "euclidean", "method": "pearson"},
        {"distance": "cosine", "method": "cosine"},
        {"distance": "euclidean", "method": "cosine"},
        {"method": "rho_a"},
        {"method": "whitened_cosine"},
        {"method": "whitened_pearson"},
        {"method": "bures"},
        {"distance": "euclidean", "method": "whitened_cosine"},
        {"distance": "euclidean", "method": "bures"},
    ),
    "cca": ({"regularization": 0.1},),
    "cca_held_out": ({"regularization": 0.1},),
    "svcca": ({"k": 3},),
    "svcca_held_out": ({"k": 3},),
    "procrustes": ({"alpha": 0.5}, {"alpha": 0.0}),
    "procrustes_held_out": ({"alpha": 0.5},),
    "soft_match": ({"mass": 0.7},),
    "soft_match_held_out": ({"mass": 0.7},),
}


def every_measure() -> list[Measure]:
    """All registered measures, with the options that change a claim."""
    found = []
    for name in names():
        for options in ({}, *VARIANTS.get(name, ())):
            spec: Any = as_measure(name, who="testing", held_out=False).function
            spec = functools.partial(spec, **options) if options else name
            found.append(as_measure(spec, who="testing", held_out=False))
    return found


def planted(n: int, p: int, q: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two systems that share part of their signal; with means and a falling spectrum, so that every
    transformation matters where it may.
    """
    k = min(p, q, 4)
    signal = rng.normal(size=(n, k))

    def system(units: int) -> np.ndarray:
        falling = 2.0 ** -np.arange(units)
        own = (rng.normal(size=(n, units)) * falling) @ np.linalg.qr(rng.normal(size=(units, units)))[0]
        return signal @ rng.normal(size=(k, units)) + 1.5 * own + rng.normal(size=units)

    return system(p), system(q)


def transformed(name: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``x`` after one of `INVARIANCES`, drawn at random."""
    n, p = x.shape
    if name == "translation":
        return x + 3 * rng.normal(size=p)
    if name == "scaling":
        return 2.7 * x
    if name == "rotation":
        return x @ np.linalg.qr(rng.normal(size=(p, p)))[0]
    if name == "permutation":
        return x[:, rng.permutation(p)]
    if name == "unit_scaling":
        return x * np.exp(rng.normal(size=p))
    if name == "affine":
        return x @ (np.eye(p) + 0.7 * rng.normal(size=(p, p)))
    if name == "stimulus_shift":
        return x + 2 * rng.normal(size=(n, 1))
    return x * np.exp(0.7 * rng.normal(size=(n, 1)))


class Subject:
    """A measure with the data of the suite."""

    def __init__(self, measure: Measure, seed: int) -> None:
        self.measure, self.claims, self.seed = measure, measure.claims, seed
        self.stated = measure.parts is not None  # a bare user function states nothing
        self.n = max(24, self.claims.min_stimuli)
        self.x, self.y = planted(self.n, 9, 6, self.rng("data"))

    def rng(self, name: str) -> np.random.Generator:
        return resolve_seed(self.seed, who="check_measure").stream(name)

    def __call__(self, x: Any, y: Any) -> float:
        return float(self.measure(x, y))

    @functools.cached_property
    def value(self) -> float:
        return self(self.x, self.y)


def _sides(claims: Claims) -> list[tuple[str, frozenset[str]]]:
    of_y = claims.invariant_y if claims.invariant_y is not None else claims.invariant
    return [("x", claims.invariant), ("y", of_y)]


def _invariances(s: Subject) -> Iterator[Outcome]:
    for side, declared in _sides(s.claims):
        for odd in sorted(declared - set(INVARIANCES)):
            yield f"invariance {odd} of {side}", "numpy", False, "no such invariance; see INVARIANCES"
        for name in INVARIANCES:
            rng = s.rng(f"{side} {name}")
            if side == "x":
                other = s(transformed(name, s.x, rng), s.y)
            else:
                other = s(s.x, transformed(name, s.y, rng))
            moved = abs(other - s.value)
            if name in declared:
                yield f"{name} of {side} leaves it", "numpy", moved <= SAME, f"moves by {moved:.1e}"
            else:
                yield f"{name} of {side} changes it", "numpy", moved > OTHER, f"moves by {moved:.1e}"


def _wide(s: Subject) -> Iterator[Outcome]:
    """With more units than stimuli an alignment has directions that no stimulus fixes: none may count."""
    rng = s.rng("wide data")
    signal = rng.normal(size=(s.n, 3))
    x, y = (signal @ rng.normal(size=(3, k)) + rng.normal(size=(s.n, k)) for k in (2 * s.n, 2 * s.n - 5))
    value = s(x, y)
    for side, declared in _sides(s.claims):
        for name in sorted(declared & set(INVARIANCES)):
            rng = s.rng(f"wide {side} {name}")
            other = s(transformed(name, x, rng), y) if side == "x" else s(x, transformed(name, y, rng))
            moved = abs(other - value)
            claim = f"{name} of {side} leaves it, more units than stimuli"
            yield claim, "numpy", moved <= SAME, f"moves by {moved:.1e}"
    if s.claims.symmetric:
        gap = abs(s(y, x) - value)
        yield "symmetric, more units than stimuli", "numpy", gap <= SAME, f"differs by {gap:.1e}"


def _range(s: Subject) -> Iterator[Outcome]:
    low, high = s.claims.range
    rng = s.rng("range")
    values = [s.value, s(s.x, s.x), s(s.x, -s.x), s(s.x, s.x[::-1])]
    for _ in range(20):
        values.append(s(*(rng.normal(size=(s.n, int(k))) for k in rng.integers(2, 40, size=2))))
    inside = low - 1e-9 <= min(values) and max(values) <= high + 1e-9
    yield "range", "numpy", inside, f"[{min(values):.3f}, {max(values):.3f}] seen, [{low:g}, {high:g}] stated"


def _itself(s: Subject) -> Iterator[Outcome]:
    value = s(s.x, s.x)
    if s.claims.itself is not None:
        yield "value on itself", "numpy", abs(value - s.claims.itself) <= SAME, f"{value:.9f}"
    else:
        # a fixed value would hold with more units than stimuli too
        wide = s.rng("wide").normal(size=(s.n, 2 * s.n))
        other = s(wide, wide)
        yield "no fixed value on itself", "numpy", abs(value - other) > OTHER, f"{value:.6f}, {other:.6f}"


def _symmetry(s: Subject) -> Iterator[Outcome]:
    gap = abs(s(s.y, s.x) - s.value)
    if s.claims.symmetric:
        yield "symmetric", "numpy", gap <= SAME, f"differs by {gap:.1e}"
    else:
        yield "asymmetric", "numpy", gap > OTHER, f"differs by {gap:.1e}"


def _min_stimuli(s: Subject) -> Iterator[Outcome]:
    least = s.claims.min_stimuli
    rng = s.rng("few")
    x, y = rng.normal(size=(least, 5)), rng.normal(size=(least, 4))
    value = s(x, y)
    yield f"works with {least} stimuli", "numpy", bool(np.isfinite(value)), f"{value:.3f}"
    try:
        value = s(x[:-1], y[:-1])
        yield f"refuses {least - 1} stimuli", "numpy", False, f"gave {value:.3f}"
    except InputError as error:
        yield f"refuses {least - 1} stimuli", "numpy", str(least) in str(error), str(error)


def _reordering(s: Subject) -> Iterator[Outcome]:
    order = s.rng("order").permutation(s.n)
    if s.claims.resample == "predictions":  # folds belong to stimuli, so they move with them
        folds = _folds(s)
        where = np.argsort(order)
        moved = _score(s, s.x[order], s.y[order], [np.sort(where[test]) for test in folds])
        gap = abs(moved - _score(s, s.x, s.y, folds))
    else:
        gap = abs(s(s.x[order], s.y[order]) - s.value)
    yield "reordering the stimuli of both leaves it", "numpy", gap <= SAME, f"moves by {gap:.1e}"
    gap = abs(s(s.x[order], s.y) - s.value)
    yield "reordering the stimuli of one changes it", "numpy", gap > OTHER, f"moves by {gap:.1e}"


def _folds(s: Subject) -> list[np.ndarray]:
    count = int(s.measure.options.get("folds", s.measure.parts.folds))
    seed = resolve_seed(s.measure.options.get("rng", 0), who="check_measure")
    return group_folds(np.arange(s.n), count, seed.stream("folds"), who="check_measure")


def _score(
    s: Subject, x: np.ndarray, y: np.ndarray, folds: list[np.ndarray], weights: np.ndarray | None = None
) -> float:
    parts = s.measure.parts
    found = parts.plan(parts.prepare(x), folds, None).predict(parts.prepare_y(y)).score(weights)
    return float(found if weights is None else found[0])


def _composed(s: Subject) -> Iterator[Outcome]:
    parts, rule = s.measure.parts, s.claims.resample
    yield (
        "parts of the stated rule",
        "numpy",
        getattr(parts, "rule", "none") == rule,
        f"{getattr(parts, 'rule', 'none')}, {rule}",
    )
    if rule == "pairs":
        a, b = (np.asarray(parts.prepare(z))[None] for z in (s.x, s.y))
        gap = abs(parts.combine(a, b)[0, 0] - s.value)
        yield "combine(prepare, prepare) is the function", "numpy", gap <= SAME, f"differs by {gap:.1e}"
        gap = abs(parts.combine(a, b, np.ones((1, s.n)))[0, 0, 0] - s.value)
        yield "equal weights give the value", "numpy", gap <= SAME, f"differs by {gap:.1e}"
        order = s.rng("permute").permutation(s.n)
        gap = abs(parts.permute(a, b, order[None])[0, 0, 0] - s(s.x[order], s.y))
        yield "permute is the function on reordered stimuli", "numpy", gap <= SAME, f"differs by {gap:.1e}"
    elif rule == "predictions":
        gap = abs(_score(s, s.x, s.y, _folds(s)) - s.value)
        yield "score(predict(plan)) is the function", "numpy", gap <= SAME, f"differs by {gap:.1e}"
        gap = abs(_score(s, s.x, s.y, _folds(s), np.ones((1, s.n))) - s.value)
        yield "equal weights give the value", "numpy", gap <= SAME, f"differs by {gap:.1e}"
    elif rule == "subsample":
        gap = abs(parts.value(parts.prepare(s.x), parts.prepare(s.y)) - s.value)
        yield "value(prepare, prepare) is the function", "numpy", gap <= SAME, f"differs by {gap:.1e}"
        rows = np.arange(s.n - 3)
        gap = abs(parts.value(parts.prepare(s.x)[rows], parts.prepare(s.y)[rows]) - s(s.x[rows], s.y[rows]))
        yield (
            "rows of the prepared parts give the value on those stimuli",
            "numpy",
            gap <= 1e-6,
            f"differs by {gap:.1e}",
        )
    from_rdm = getattr(parts, "from_rdm", None) is not None
    yield "RDMs are taken as stated", "numpy", from_rdm == s.claims.takes_rdms, f"from_rdm: {from_rdm}"


def _null(s: Subject) -> Iterator[Outcome]:
    for n, p, q in SIZES:
        stated = s.claims.null(n, p, q)
        rng = s.rng(f"null {n} {p} {q}")
        draws = 40 if s.claims.resample == "predictions" else 100
        values = np.array([s(rng.normal(size=(n, p)), rng.normal(size=(n, q))) for _ in range(draws)])
        error = values.std(ddof=1) / np.sqrt(draws)
        claim = f"null at n={n}, p={p}, q={q}"
        said = f"stated {stated:.3f}, simulated {values.mean():.3f} +- {error:.3f}"
        if np.isnan(stated):
            yield claim, "numpy", True, f"none stated, simulated {values.mean():.3f}"
        elif stated == 0:
            yield claim, "numpy", abs(values.mean()) <= 4 * error, said
        else:
            yield claim, "numpy", abs(values.mean() - stated) <= 4 * error + ASYMPTOTIC, said
        if s.claims.inflation is None and not np.isnan(stated):
            yield (
                f"warns as the null says at n={n}, p={p}, q={q}",
                "numpy",
                s.claims.inflated(n, p, q) == (stated > 0.1),
                "",
            )


def _paper(s: Subject) -> Iterator[Outcome]:
    unknown = [key for key in s.claims.references if key not in references()]
    yield (
        "references resolve",
        "-",
        bool(s.claims.references) and not unknown,
        ", ".join(unknown) or ", ".join(s.claims.references),
    )
    yield "a sentence for a methods section", "-", s.claims.method.endswith("."), s.claims.method
    if s.claims.held_out is not None:
        yield "its held-out form exists", "-", s.claims.held_out in names(), s.claims.held_out


def check_measure(
    measure: str | Callable[..., Any] | Measure,
    *,
    libraries: Sequence[str] = (),
    rng: int = 0,
    collect: bool = False,
) -> list[CheckRow]:
    """Tests what a measure says of itself: each claim, and that what it does not claim does not hold.

    Every declared invariance leaves the value, with more units than stimuli too, and every undeclared one
    changes it (for x, and for y); range; value on itself; symmetry; fewest stimuli; order of the stimuli; the
    stated null, by simulation; the function equals its parts; every array library, dtype and memory layout;
    inputs are left as they were. A bare function states nothing, so only what needs no claim is tested.

    Parameters
    ----------
    measure : a name, a measure function, `functools.partial` of one with options, or any function
        (x, y) -> float
    libraries : array libraries to try; () = all it claims that are installed.   rng : seed of the data.
    collect : True returns failed rows too, instead of raising.

    Returns
    -------
    list of CheckRow (measure, claim, library, passed, detail)

    Raises
    ------
    CheckError : a claim does not hold (with ``collect=False``).

    Examples
    --------
    >>> import consilience as cs
    >>> rows = cs.testing.check_measure(lambda x, y: float((x.mean() - y.mean()) ** 2))
    >>> all(row.passed for row in rows)
    True
    """
    subject = Subject(as_measure(measure, who="check_measure", held_out=False), rng)
    checks: list[tuple[str, Callable[[], Any]]] = []
    if subject.stated:
        named = {
            "invariances": _invariances,
            "more units than stimuli": _wide,
            "range": _range,
            "value on itself": _itself,
            "symmetry": _symmetry,
            "fewest stimuli": _min_stimuli,
            "order of stimuli": _reordering,
            "parts": _composed,
            "null": _null,
            "paper": _paper,
        }
        checks += [(name, functools.partial(check, subject)) for name, check in named.items()]
    checks += library_checks(subject, libraries)
    return run_checks(subject.measure.key, checks, collect=collect)
