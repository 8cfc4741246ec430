"""Adapter: Block and Segment of neo, by their attributes; quantities are converted to s and V."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError
from consilience._core._params import check_count, shorten
from consilience.sources._parts import Parts, SignalParts, TableParts

__all__ = ["from_block", "from_segment"]


def from_block(thing: Any, *, who: str, segment: int | None = None) -> Parts:
    """One segment of a block."""
    count = len(thing.segments)
    if segment is None and count != 1:
        raise InputError(
            f"{who}: the block has {count} segments, each with a clock of its own; give segment=, 0 to {count - 1}.",
            code="which-member",
        )
    at = check_count(0 if segment is None else segment, name="segment", who=who, maximum=count - 1)
    parts = from_segment(thing.segments[at], who=who)
    if not parts.name:
        object.__setattr__(parts, "name", str(getattr(thing, "name", None) or ""))
    return parts


def from_segment(thing: Any, *, who: str) -> Parts:
    """Spike trains as units, analogue signals, epochs as intervals, events."""
    cautions: list[Caution] = []
    trains = [_in(train, "s", f"spike train {i}", who) for i, train in enumerate(thing.spiketrains)]
    signals: dict[str, SignalParts] = {}
    every = [*thing.analogsignals, *getattr(thing, "irregularlysampledsignals", ())]
    for i, signal in enumerate(every):
        signals[_free(signal, f"signal{i}", signals)] = _signal(signal, who)
    tables: dict[str, TableParts] = {}
    for role in ("epochs", "events"):
        for i, table in enumerate(getattr(thing, role)):
            start = _in(table, "s", f"{role} {i}", who)
            labels = np.asarray(table.labels).astype(str) if len(table.labels) == len(start) else None
            tables[_free(table, f"{role}{i}", tables)] = TableParts(
                start=start,
                stop=start + _in(table.durations, "s", f"{role} {i}", who) if role == "epochs" else None,
                columns={} if labels is None else {"label": labels},
            )
    return Parts(
        format="neo",
        name=str(getattr(thing, "name", None) or ""),
        times=np.concatenate(trains) if trains else None,
        splits=np.r_[0, np.cumsum([train.size for train in trains])].astype(np.int64) if trains else None,
        units=_unit_table(thing.spiketrains),
        signals=signals,
        tables=tables,
        **_observed(thing.spiketrains, cautions, who),
        attrs={"source": "neo"},
        cautions=tuple(cautions),
    )


def _in(quantity: Any, unit: str, what: str, who: str) -> np.ndarray:
    """The numbers of a quantity in a unit; a plain array is refused, since its unit is not known."""
    try:
        return np.asarray(quantity.rescale(unit).magnitude, dtype=np.float64)
    except (AttributeError, ValueError, TypeError) as error:
        raise InputError(
            f"{who}: the {what} cannot be converted to {unit} ({type(error).__name__}: {shorten(str(error), 80)}).",
            code="bad-time" if unit == "s" else "bad-signal",
        ) from None


def _signal(signal: Any, who: str) -> SignalParts:
    unit = str(getattr(getattr(signal, "units", ""), "dimensionality", "") or "")
    try:
        values, unit, kind = np.asarray(signal.rescale("V").magnitude), "V", "voltage"
    except (AttributeError, ValueError, TypeError):
        values, kind = np.asarray(signal.magnitude), "behaviour"
    names = getattr(signal, "array_annotations", {}).get("channel_names")
    distinct = names is not None and len(set(map(str, names))) == values.reshape(len(values), -1).shape[1]
    return SignalParts(
        values=values,
        time=_in(signal.times, "s", "signal's times", who),
        kind=kind,
        unit="" if unit == "dimensionless" else unit,
        channels=[str(name) for name in names] if distinct else None,  # type: ignore[union-attr]
    )


def _free(thing: Any, default: str, taken: Any) -> str:
    name = str(getattr(thing, "name", None) or default)
    return name if name not in taken else f"{name}_{len(taken)}"


def _unit_table(trains: Any) -> dict[str, np.ndarray]:
    """Names, where all have one of their own, and the annotations that every train has as a number or text."""
    if not len(trains):
        return {}
    out: dict[str, np.ndarray] = {}
    names = [str(getattr(train, "name", None) or "") for train in trains]
    if all(names) and len(set(names)) == len(names):
        out["unit"] = np.array(names)
    notes = [dict(getattr(train, "annotations", {})) for train in trains]
    for key in notes[0]:
        entries = [note.get(key) for note in notes]
        plain = all(isinstance(e, (str, bool, int, float, np.number)) for e in entries)
        if plain and str(key) not in out and str(key) not in ("unit", "id"):
            out[str(key)] = np.array(entries)
    return out


def _observed(trains: Any, cautions: list[Caution], who: str) -> dict[str, Any]:
    """From t_start to t_stop, the same for all trains; else what all have, and those of each."""
    if not len(trains):
        return {}
    start = np.array([_in(train.t_start, "s", "t_start", who) for train in trains], dtype=np.float64)
    stop = np.array([_in(train.t_stop, "s", "t_stop", who) for train in trains], dtype=np.float64)
    if np.ptp(start) > 1e-9 or np.ptp(stop) > 1e-9:
        cautions.append(
            Caution(
                "spans-differ",
                f"Spike trains begin at {start.min():g} to {start.max():g} s and end at {stop.min():g} to "
                f"{stop.max():g} s.",
                "What all have counts as observed; of fewer units (rec.select) what those have.",
            )
        )
        some = int(stop.min() > start.max())
        return {
            "observed": TableParts(start=np.array([start.max()] * some), stop=np.array([stop.min()] * some)),
            "observed_by_unit": tuple(
                TableParts(start=np.array([a]), stop=np.array([b])) for a, b in zip(start, stop)
            ),
        }
    if stop.min() <= start.max():
        return {}
    return {"observed": TableParts(start=np.array([start.max()]), stop=np.array([stop.min()]))}
