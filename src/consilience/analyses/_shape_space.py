"""The verb `shape_space`: many systems at once, their distances, map, tree and groups."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses._check import refuse_result
from consilience._results import ShapeSpace
from consilience.analyses._angles import angle, expected_angles, metric_of, similarities
from consilience.analyses._checks import MeasureLike, check_resamples
from consilience.analyses._inputs import aligned_systems
from consilience.linalg import classical_mds
from consilience.measures import as_measure
from consilience.measures._held_out import scores
from consilience.measures._mean_shape import mean_of_scores
from consilience.stats import p_value

__all__ = ["shape_space"]

WHO = "cs.shape_space"
_AXES = 10  # of the mean shape that are kept
_SLACK = 1e-9  # rounding is no broken triangle


def shape_space(
    systems: Mapping[str, xr.DataArray],
    /,
    measure: MeasureLike = "procrustes",
    *,
    held_out: bool = True,
    labels: Mapping[str, Any] | None = None,
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> ShapeSpace:
    """Many systems in one space: distance = arccos of a similarity, for every pair, with their map and tree.

    Each system is prepared once, and the same resamples of stimuli serve all pairs, so that clusters can be followed
    draw by draw. The angle is a metric for measures that are a cosine of two vectors, one of each system (rsa, cka and
    other measures over pairs of stimuli), and for procrustes in-sample (Williams et al. 2021). For the others, held-out
    ones among them, it is an order of pairs only; the result says so and counts the triangles that it breaks. An
    asymmetric measure is averaged over its two directions first.

    Parameters
    ----------
    systems : mapping {name: responses or RDM data} of at least 3; matched by stimulus id
    measure : a name, a measure function or `functools.partial` of one, with values in [-1, 1]; e.g.
        ``partial(cs.measures.procrustes, alpha=0.5)`` for the family up to CCA.
    held_out : False takes the in-sample form of alignments: a metric, but inflated where units are many.
    labels : {name: label}, such as the architecture of each system: mean distances within and between
        labels, and p of their difference when labels are dealt anew to the systems, n_perm times.
    by, join : see `cs.compare`.   n_boot : resamples of stimuli; 0 = none.   level : of the intervals.

    Returns
    -------
    ShapeSpace : ``.data`` (system, system_), ``.map``, ``.tree``, ``.mean``, ``.groups``, ``.draws``, ``.plot()``.
        ``.mean`` is that of `mean_shape`, under rotations and without whitening, whatever the measure and its alpha.

    Raises
    ------
    InputError : fewer than 3 systems, ids that do not match, a measure with values outside [-1, 1], labels that do
        not name the systems.

    References
    ----------
    Williams et al. (2021); Torgerson (1952); each measure's own.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> signals = rng.normal(size=(2, 60, 5))
    >>> def layer(k):
    ...     units = signals[k] @ rng.normal(size=(5, 12)) + rng.normal(size=(60, 12))
    ...     return cs.responses(units, stimulus=range(60))
    >>> systems = {f"{'ab'[k]}{i}": layer(k) for k in (0, 1) for i in range(4)}
    >>> labels = {name: name[0] for name in systems}
    >>> space = cs.shape_space(systems, "cka", labels=labels, n_boot=100, n_perm=100, rng=0)
    >>> space.data.attrs["metric"], float(space.groups["within"]) < float(space.groups["between"])
    ('yes', True)
    """
    with collect_cautions() as cautions:
        result = _shape_space(
            systems, measure, held_out, labels, by, join, n_boot, n_perm, level, rng, cautions
        )
    for caution in result.warnings:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return result


def _shape_space(
    systems: Any,
    spec: Any,
    held_out: bool,
    labels: Any,
    by: str,
    join: str,
    n_boot: int,
    n_perm: int,
    level: float,
    rng: Any,
    cautions: list[Any],
) -> ShapeSpace:
    check_resamples(n_boot, "n_boot", who=WHO)
    check_resamples(n_perm, "n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    if not isinstance(held_out, (bool, np.bool_)):
        raise InputError(f"{WHO}: held_out must be True or False, got {held_out!r}.", code="bad-parameter")
    refuse_result(systems, who=WHO, name="systems")
    if not isinstance(systems, Mapping) or len(systems) < 3:
        count = len(systems) if isinstance(systems, Mapping) else type(systems).__name__
        raise InputError(
            f"{WHO}: systems must be a mapping {{name: responses}} of at least 3, got {count}; cs.compare takes two.",
            code="too-few",
        )
    seed = resolve_seed(rng, who=WHO)
    one = as_measure(spec, who=WHO, held_out=held_out)
    found, ids, _, references = aligned_systems({"systems": systems}, by=by, join=join, who=WHO)
    sides, n = found["systems"], len(ids)
    names = [s.name for s in sides]
    group = _labels(labels, names)
    if n < max(4, one.claims.min_stimuli):
        raise InputError(
            f"{WHO}: measure {one.key!r} needs at least {max(4, one.claims.min_stimuli)} stimuli, got {n}.",
            code="too-few",
        )
    similarity, draws, interval = similarities(one, sides, n, seed, n_boot, level, ids, WHO)
    if np.nanmax(np.abs(similarity)) > 1 + 1e-6:
        raise InputError(
            f"{WHO}: measure {one.key!r} has values outside [-1, 1] (up to {np.nanmax(np.abs(similarity)):.3g}), which "
            "have no arccos; give a normalised one.",
            code="bad-measure",
        )
    distance = angle(similarity)
    null = expected_angles(one, sides, n)
    tree, drawn = linkage(squareform(distance, checks=False), "average"), None
    if draws is not None:
        drawn = angle(draws)
    triples, violations, worst = _triangles(distance)
    points, explained = classical_mds(distance, 2)
    low, high = (
        (np.full(distance.shape, np.nan),) * 2
        if interval is None
        else (angle(interval[1]), angle(interval[0]))
    )
    mean = None
    if all(s.responses is not None for s in sides):
        shape = mean_of_scores([scores(s.x) for s in sides], 1e-8, who=WHO).shape[:, :_AXES]
        mean = xr.DataArray(shape, dims=("stimulus", "axis"), coords={"stimulus": ids})
    dims, coords = ("system", "system_"), {"system": names, "system_": names}
    metric = metric_of(one)
    return ShapeSpace(
        data=xr.Dataset(
            {
                "value": (dims, distance),
                "similarity": (dims, similarity),
                "ci_low": (dims, low),
                "ci_high": (dims, high),
                "null_expected": (dims, null),
            },
            coords=coords,
            attrs={
                "metric": metric,
                "triples": triples,
                "violations": violations,
                "worst": worst,
                "level": level,
            },
        ),
        map=xr.DataArray(
            points, dims=("system", "axis"), coords={"system": names}, attrs={"explained": explained}
        ),
        tree=xr.Dataset(
            {
                **{k: ("merge", tree[:, i].astype(int)) for i, k in enumerate(("left", "right"))},
                "height": ("merge", tree[:, 2]),
                "size": ("merge", tree[:, 3].astype(int)),
                "support": ("merge", _support(tree, drawn)),
            }
        ),
        mean=mean,
        draws=None if drawn is None else xr.DataArray(drawn, dims=("draw", *dims), coords=coords),
        groups=None if group is None else _groups(distance, group, n_perm, seed),
        settings={
            "verb": "shape_space",
            "measure": one.key,
            "resample": one.claims.resample,
            "held_out": bool(held_out),
            "labels": None
            if group is None
            else {name: str(g) for name, g in zip(names, _labels_of(labels, names))},
            "by": by,
            "join": join,
            "n_boot": int(n_boot),
            "n_perm": int(n_perm),
            "level": level,
            "n_stimuli": n,
            "stimuli_sha256": hashlib.sha256("\x1f".join(map(str, ids.tolist())).encode()).hexdigest(),
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(
                [
                    *one.claims.references,
                    "williams2021generalized",
                    "torgerson1952multidimensional",
                    *(["phipson2010permutation"] if group is not None and n_perm else []),
                    *references,
                ]
            )
        ),
        methods=(
            one.claims.method or f"The measure was {one.key}.",
            "Distances are the arccos of the similarity; systems were mapped by classical multidimensional scaling and "
            "clustered by average linkage.",
        ),
    )


# -- space -------------------------------------------------------------------------------------------------


def _triangles(d: np.ndarray) -> tuple[int, int, float]:
    """Triangles (i, j, k) in all, those with a side longer than the two others together, and the largest excess."""
    k = len(d)
    excess = np.full(math.comb(k, 3), -np.inf)
    at = 0
    for i in range(k - 2):
        rows, columns = np.triu_indices(k - i - 1, 1)
        a, b, c = d[i, i + 1 + rows], d[i, i + 1 + columns], d[i + 1 + rows, i + 1 + columns]
        longest = np.maximum(np.maximum(a, b), c)
        excess[at : at + len(a)] = 2 * longest - (a + b + c)
        at += len(a)
    broken = excess > _SLACK
    return len(excess), int(broken.sum()), float(excess[broken].max()) if broken.any() else 0.0


def _clusters(tree: np.ndarray, k: int) -> list[frozenset[int]]:
    members = [frozenset([i]) for i in range(k)]
    for left, right in tree[:, :2].astype(int):
        members.append(members[left] | members[right])
    return members[k:]


def _support(tree: np.ndarray, draws: np.ndarray | None) -> np.ndarray:
    k = len(tree) + 1
    if draws is None:
        return np.full(k - 1, np.nan)
    wanted = _clusters(tree, k)
    count = np.zeros(k - 1)
    for d in draws:
        there = set(_clusters(linkage(squareform(d, checks=False), "average"), k))
        count += [cluster in there for cluster in wanted]
    return count / len(draws)


# -- groups ------------------------------------------------------------------------------------------------


def _labels_of(labels: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    by_text = {str(key): value for key, value in labels.items()}
    return [by_text[str(name)] for name in names]


def _labels(labels: Any, names: list[str]) -> np.ndarray | None:
    if labels is None:
        return None
    if not isinstance(labels, Mapping) or {str(key) for key in labels} != {str(name) for name in names}:
        raise InputError(
            f"{WHO}: labels must be a mapping with one label for each system, got {shorten(labels)}.",
            code="bad-groups",
        )
    group = np.unique([str(v) for v in _labels_of(labels, names)], return_inverse=True)[1]
    counts = np.bincount(group)
    if counts.size < 2 or counts.max() < 2:
        raise InputError(
            f"{WHO}: labels must make at least 2 groups, one of them with 2 systems, got {counts.size} for "
            f"{len(names)} systems.",
            code="bad-groups",
        )
    return group


def _groups(d: np.ndarray, group: np.ndarray, n_perm: int, seed: Seed) -> xr.Dataset:
    rows, columns = np.triu_indices(len(d), 1)
    pairs = d[rows, columns]

    def means(labels: np.ndarray) -> tuple[float, float]:
        same = labels[rows] == labels[columns]
        return float(pairs[same].mean()), float(pairs[~same].mean())

    within, between = means(group)
    p = float("nan")
    if n_perm:
        random = seed.stream("labels")
        null = np.array([np.subtract(*means(random.permutation(group))[::-1]) for _ in range(n_perm)])
        p = float(p_value(between - within, null))
        counts = np.bincount(group)
        ways = math.factorial(len(d)) / math.prod(map(math.factorial, counts))
        ways /= math.prod(
            map(math.factorial, np.bincount(counts))
        )  # groups of one size can change their names
        if ways < 20:
            warn(
                "few-systems",
                f"{len(d)} systems can be dealt to these groups in {ways:.0f} ways only, so p cannot fall below "
                f"{1 / ways:.2f}.",
                "Read the two means; more systems for a test.",
            )
    return xr.Dataset({"within": within, "between": between, "difference": between - within, "p": p})
