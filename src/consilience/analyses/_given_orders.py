"""Orders of removal as given: part numbers, part names, or scores; what could be read in two ways is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import shorten

__all__ = ["Listed", "doubt_few_orders", "order_of_list", "order_of_scores", "orders_asked"]

WHO = "cs.ablate"
_FEW = 10  # random orders


@dataclass(frozen=True, eq=False)
class Listed:
    """The P parts that are there among ``total``, the rest being units that never vary.

    names : (P,).   numbers : (P,) the number of each among all.   ids : (total,) whole numbers that all go by, where
    those are not 0 ... total - 1.
    """

    names: Sequence[str]
    numbers: np.ndarray
    total: int
    ids: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    dropped: Sequence[str] = ()


def orders_asked(order: Any, parts: Listed, known: Sequence[str]) -> list[tuple[str, str | np.ndarray]]:
    """(name, one of ``known`` or the (P,) parts in order) of each order in ``order``: a name, part numbers or names,
    scores, {name: scores}, or a list of these.
    """
    if isinstance(order, str):
        return [(order, order)]
    if isinstance(order, Mapping):
        return [(str(name), order_of_scores(values, parts)) for name, values in order.items()]
    listed = list(order) if isinstance(order, (list, tuple)) else None
    if listed is None or not any(isinstance(v, (str, Mapping)) or np.ndim(v) > 0 for v in listed):
        return [("given", order_of_list(order, parts))]
    text = all(isinstance(v, str) for v in listed)
    if text and not any(v in known for v in listed) and any(v in parts.names for v in listed):
        return [("given", order_of_list(listed, parts))]
    out: list[tuple[str, str | np.ndarray]] = []
    for one in listed:
        if isinstance(one, str):
            out.append((one, one))
        elif isinstance(one, Mapping):
            out += [(str(name), order_of_scores(values, parts)) for name, values in one.items()]
        else:
            name = "given" if len(listed) == 1 else f"given {len(out) + 1}"
            out.append((name, order_of_list(one, parts)))
    return out


def order_of_scores(values: Any, parts: Listed) -> np.ndarray:
    """(P,) parts in order, highest score first, from a score for each of them (or of all, with those left out)."""
    scores = to_numpy(values)
    if scores.shape == (parts.total,) and scores.dtype.kind in "biuf":
        scores = scores[parts.numbers]
    if (
        scores.shape != (len(parts.names),)
        or scores.dtype.kind not in "biuf"
        or not np.isfinite(scores).all()
    ):
        raise InputError(
            f"{WHO}: {{name: scores}} of order= must hold {_count(parts)} finite scores, one for each part (highest "
            f"first), got {shorten(values)}.",
            code="bad-order",
        )
    return np.argsort(-scores.astype(np.float64), kind="stable")


def order_of_list(values: Any, parts: Listed) -> np.ndarray:
    """(P,) parts in order, from a bare list: part numbers or names in order, or scores that are not whole numbers."""
    given = to_numpy(values)
    if given.ndim == 1 and given.dtype.kind in "UO" and all(isinstance(v, str) for v in given.tolist()):
        return _by_names(given.tolist(), parts)
    if given.ndim == 1 and given.dtype.kind in "iu":
        return _by_numbers(given, parts)
    sizes = ((len(parts.names),), (parts.total,))
    if given.shape not in sizes or given.dtype.kind != "f" or not np.isfinite(given).all():
        raise InputError(
            f"{WHO}: an order must hold {_count(parts)} finite scores (the highest goes first), or part numbers "
            f"or names in order; got {shorten(values)}.",
            code="bad-order",
        )
    if np.array_equal(np.sort(given), np.arange(given.size)):
        raise InputError(
            f"{WHO}: order={shorten(values)} could be part numbers or scores; write whole numbers (integers) for part "
            "numbers in order, {name: scores} for scores.",
            code="bad-order",
        )
    return order_of_scores(given, parts)


def _by_numbers(given: np.ndarray, parts: Listed) -> np.ndarray:
    ways = [_places(given, parts.numbers, np.arange(parts.total))]
    if parts.ids.size:
        ways.append(_places(given, parts.ids[parts.numbers], parts.ids))
    read = [one for one in ways if one is not None]
    if not read:
        raise InputError(
            f"{WHO}: order={shorten(given.tolist())} does not name each of {len(parts.names)} parts once by its "
            f"number, 0 to {parts.total - 1}; for scores write {{name: scores}}.",
            code="bad-order",
        )
    if len(read) > 1 and not np.array_equal(read[0], read[1]):
        raise InputError(
            f"{WHO}: order={shorten(given.tolist())} could be ids of units or their places in the data, which "
            f"differ here; name them as text, {shorten([str(v) for v in given.tolist()])}, for ids, or write {{name: "
            "scores}.",
            code="bad-order",
        )
    return read[0]


def _places(given: np.ndarray, there: np.ndarray, every: np.ndarray) -> np.ndarray | None:
    """Places in ``there`` of what is ``given``, if it names each once and else only what was left out."""
    own = given[np.isin(given, there)]
    if np.unique(given).size < given.size or not np.isin(given, every).all() or own.size < there.size:
        return None
    sorter = np.argsort(there)
    return np.asarray(sorter[np.searchsorted(there, own, sorter=sorter)])


def _by_names(given: list[str], parts: Listed) -> np.ndarray:
    at = {name: k for k, name in enumerate(parts.names)}
    unknown = [v for v in given if v not in at and v not in parts.dropped]
    absent = [v for v in parts.names if v not in given]
    if unknown or absent or len(set(given)) < len(given) or len(at) < len(parts.names):
        why = (
            f"there is no part {shorten(unknown[0])}"
            if unknown
            else f"part {shorten(absent[0])} is not in it"
            if absent
            else "a name comes twice"
        )
        raise InputError(
            f"{WHO}: an order must name each of {len(parts.names)} parts once, and {why}; got {shorten(given)}.",
            code="bad-order",
        )
    return np.array([at[v] for v in given if v in at], dtype=np.int64)


def _count(parts: Listed) -> str:
    size = len(parts.names)
    return str(size) if parts.total == size else f"{size} (or, with those that were dropped, {parts.total})"


def doubt_few_orders(n_orders: int) -> None:
    """Warns where an order stands against few random ones."""
    if 0 < n_orders < _FEW:
        warn(
            "few-orders",
            f"n_orders={n_orders}: an order is compared with the mean of {n_orders} random ones, known roughly; "
            "p and interval of the difference are rough too.",
            f"n_orders of {2 * _FEW} or more.",
        )
