"""Tables of conditions: labels, levels, and which terms make which marginalization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.linalg._demixed import Marginal, Marginals, all_terms

__all__ = ["condition_table", "levels_of", "marginals_of"]

TIME = "time"


def condition_table(y: Any, labels: Any, n: int, who: str) -> dict[str, np.ndarray]:
    """{label: (n,)} of a mapping, a data frame, a structured array, or one column."""
    if y is None:
        raise InputError(
            f"{who}: y must tell the condition of each trial, e.g. {{'stimulus': (trial,), 'choice': (trial,)}}. "
            "requires y to be passed, but the target y is None.",
            code="bad-parameter",
        )
    names = [labels] if isinstance(labels, str) else (None if labels is None else list(labels))
    if isinstance(y, Mapping):
        table = {str(k): v for k, v in y.items()}
    elif hasattr(y, "columns"):
        table = {str(k): y[k] for k in y.columns}
    elif getattr(getattr(y, "dtype", None), "names", None):
        table = {k: y[k] for k in y.dtype.names}
    else:
        column = np.asarray(y)
        if column.ndim == 2 and column.shape[1] == 1:
            column = column[:, 0]
        if column.ndim != 1 or (names is not None and len(names) > 1):
            raise InputError(
                f"{who}: y must be a table {{label: (trial,)}}, or one label (trial,), got shape {column.shape}"
                f"{'' if names is None else f' for labels {names}'}.",
                code="bad-shape",
            )
        table = {names[0] if names else "condition": column}
    for name in names or ():
        if name not in table:
            raise UnknownNameError(
                f"{who}: y has no label {shorten(name)}.{nearest(name, table)}", code="unknown-label"
            )
    if names is not None and (not names or len(set(names)) < len(names)):
        raise InputError(
            f"{who}: labels must be one or more different names, got {shorten(labels)}.", code="bad-parameter"
        )
    out = {name: np.asarray(table[name]) for name in (names or table)}
    if not out:
        raise InputError(f"{who}: y holds no label.", code="bad-parameter")
    for name, column in out.items():
        if column.shape != (n,):
            raise InputError(
                f"{who}: label {name!r} must have one entry per trial, {n}, got shape {column.shape}.",
                code="rows-differ",
            )
        if name == TIME or ":" in name:
            raise InputError(
                f"{who}: a label cannot be named {name!r}: 'time' and ':' are for the marginalizations; rename it.",
                code="bad-parameter",
            )
    return out


def levels_of(table: Mapping[str, np.ndarray], who: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    levels, places = {}, []
    for name, column in table.items():
        bad = (
            ~np.isfinite(column)
            if column.dtype.kind == "f"
            else np.array([v is None or v != v for v in column.tolist()], bool)
        )
        if bad.any():
            raise InputError(
                f"{who}: label {name!r} is NaN or missing in {int(bad.sum())} of {len(column)} trials (first: trial "
                f"{int(np.argmax(bad))}); leave these trials out.",
                code="nan-values",
            )
        try:
            found, place = np.unique(column, return_inverse=True)
        except TypeError:
            found, place = np.unique(column.astype(str), return_inverse=True)
        if len(found) < 2:
            raise InputError(
                f"{who}: label {name!r} has one level only ({found[0].item()!r}), one class; leave it out.",
                code="one-class",
            )
        levels[name] = found
        places.append(place.reshape(-1))
    shape = tuple(len(v) for v in levels.values())
    if np.prod([float(s) for s in shape]) > 1e6:
        raise InputError(
            f"{who}: labels with {' x '.join(map(str, shape))} levels are no table of conditions; group the levels.",
            code="bad-parameter",
        )
    return levels, np.ravel_multi_index(tuple(places), shape)


def marginals_of(
    labels: Sequence[str], sizes: Sequence[int], times: int, combine: Any, who: str
) -> Marginals:
    """Which terms make which marginalization."""
    time = times > 1
    names = [*labels, TIME] if time else list(labels)
    if len(names) > 8:
        raise InputError(f"{who}: at most 7 labels, got {len(labels)}.", code="bad-parameter")
    terms = {":".join(names[a] for a in sorted(term)): term for term in all_terms(len(names))}
    if combine is None:
        groups = {name: [name] for name in terms}
    elif isinstance(combine, str) and combine == TIME:
        groups = {}
        for name, term in terms.items():
            group = ":".join(names[a] for a in sorted(term) if names[a] != TIME) or TIME
            groups.setdefault(group, []).append(name)
    elif isinstance(combine, Mapping):
        groups = _own_groups(combine, terms, names, who)
    else:
        raise InputError(
            f"{who}: combine must be 'time', None or {{name: [terms]}}, got {shorten(combine)}.",
            code="bad-parameter",
        )
    parts = tuple(Marginal(name, tuple(terms[t] for t in found)) for name, found in groups.items())
    return Marginals((*sizes, times) if time else tuple(sizes), parts, time)


def _own_groups(combine: Mapping[Any, Any], terms: Any, names: list[str], who: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    taken: set[str] = set()
    for group, listed in combine.items():
        members = []
        for entry in [listed] if isinstance(listed, str) else listed:
            wanted = entry.split(":") if isinstance(entry, str) else list(entry)
            key = ":".join(sorted(wanted, key=lambda v: names.index(v) if v in names else -1))
            if key not in terms:
                raise UnknownNameError(
                    f"{who}: combine names {shorten(entry)}, which is no term.{nearest(key, terms)}",
                    code="unknown-label",
                )
            if key in taken:
                raise InputError(f"{who}: combine names {key!r} twice.", code="bad-parameter")
            taken.add(key)
            members.append(key)
        if not members:
            raise InputError(f"{who}: combine joins nothing as {shorten(group)}.", code="bad-parameter")
        groups[str(group)] = members
    rest = {name: [name] for name in terms if name not in taken}
    if clash := set(rest) & set(groups):
        raise InputError(
            f"{who}: combine calls a group {sorted(clash)[0]!r}, the name of a term that is not in it.",
            code="bad-parameter",
        )
    order = {name: k for k, name in enumerate(terms)}
    return dict(
        sorted([*groups.items(), *rest.items()], key=lambda item: min(order[name] for name in item[1]))
    )
