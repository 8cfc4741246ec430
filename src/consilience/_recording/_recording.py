"""Recording: what one session holds, and the two ways from it to responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from numbers import Integral
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._recording._bin import bin_recording
from consilience._recording._checks import as_mask, check_columns, same_entries
from consilience._recording._epoch import epoch
from consilience._recording._intervals import Events, Intervals
from consilience._recording._observed import check_each, in_common
from consilience._recording._signal import Signal
from consilience._recording._spikes import SpikeTrains
from consilience._responses import check_ids

__all__ = ["Recording"]

_WHO = "cs.Recording"


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """One session: spike times, continuous signals, intervals and events on one clock, in seconds.

    ``epoch`` and ``bin`` are the ways from it to responses.

    Parameters
    ----------
    name : shown as the system of the responses.
    spikes : `SpikeTrains`, or a list with one array of spike times (s) per unit.
    units : {column: (n_units,)}, the unit table; its column ``unit`` (or ``id``) gives the names, default 0, 1, ...
    signals : {name: `Signal`}.   intervals : {name: `Intervals`}, such as trials.   events : {name: `Events`}.
    observed : `Intervals` in which spikes were recorded. Without it a silent stretch and the end of the recording look
        the same, and trials outside of all spikes are only said.
    observed_by_unit : one `Intervals` for each unit, where units were recorded at different times (a sorting that lost
        some). ``observed`` is then what all have in common, and that of fewer units once they are chosen.
    subject, session : labels.   attrs : anything else that the source says, as text or numbers.

    Raises
    ------
    InputError : parts of the wrong type, a unit table that does not fit the spikes, nothing in it.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> rec = cs.Recording(
    ...     name="V1",
    ...     spikes=[np.sort(rng.uniform(0, 60, size=600)) for _ in range(3)],
    ...     intervals={"trials": cs.Intervals(np.arange(0, 60, 2), np.arange(1, 61, 2), {"stimulus": ["a", "b"] * 15})},
    ...     observed=cs.Intervals([0], [60]),
    ... )
    >>> rec.epoch(on="trials.start_time", window=(0, 0.5)).sizes
    Frozen({'trial': 30, 'unit': 3})
    >>> rec.epoch(on="trials", window=(-0.2, 0.8), bin=0.1, missing="mask").sizes
    Frozen({'trial': 30, 'time': 10, 'unit': 3})
    >>> rec.bin(0.5).sizes
    Frozen({'time': 120, 'unit': 3})
    """

    name: str = ""
    _: KW_ONLY
    spikes: SpikeTrains | None = None
    units: Mapping[str, np.ndarray] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    intervals: Mapping[str, Intervals] = field(default_factory=dict)
    events: Mapping[str, Events] = field(default_factory=dict)
    observed: Intervals | None = None
    observed_by_unit: Sequence[Intervals] | None = None
    subject: str = ""
    session: str = ""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__  # frozen
        for part in ("name", "subject", "session"):
            said = getattr(self, part)
            if said is None or (isinstance(said, Integral) and not isinstance(said, bool)):
                put(self, part, "" if said is None else str(said))
            elif not isinstance(said, str):
                raise InputError(
                    f"{_WHO}: {part} must be text, got {shorten(said, 60)}.", code="bad-recording"
                )
        spikes = self.spikes
        if spikes is not None and not isinstance(spikes, SpikeTrains):
            if isinstance(spikes, (str, bytes, Mapping)) or not isinstance(spikes, Sequence):
                raise InputError(
                    f"{_WHO}: spikes must be SpikeTrains or a list of spike times per unit, got "
                    f"{type(spikes).__name__}.",
                    code="bad-recording",
                )
            spikes = SpikeTrains.from_list(spikes)
            put(self, "spikes", spikes)
        for part, kind in (("signals", Signal), ("intervals", Intervals), ("events", Events)):
            table = getattr(self, part)
            if not isinstance(table, Mapping):
                raise InputError(
                    f"{_WHO}: {part} must be a mapping {{name: {kind.__name__}}}, got {type(table).__name__}.",
                    code="bad-recording",
                )
            for name, entry in table.items():
                if not isinstance(name, str) or not isinstance(entry, kind):
                    raise InputError(
                        f"{_WHO}: {part}[{shorten(name, 40)}] must be cs.{kind.__name__}, got {type(entry).__name__}.",
                        code="bad-recording",
                    )
            put(self, part, MappingProxyType(dict(table)))
        twice = set(self.intervals) & set(self.events)
        if twice:
            raise InputError(
                f"{_WHO}: intervals and events must have different names; {sorted(twice)[0]!r} is both.",
                code="bad-recording",
            )
        if self.observed is not None and not isinstance(self.observed, Intervals):
            raise InputError(
                f"{_WHO}: observed must be cs.Intervals(start, stop), got {shorten(self.observed, 60)}.",
                code="bad-recording",
            )
        if not hasattr(self.units, "items"):
            raise InputError(
                f"{_WHO}: units must be a mapping {{column: one entry per unit}}, got {shorten(self.units, 60)}.",
                code="bad-recording",
            )
        if self.observed_by_unit is not None:
            each = check_each(self.observed_by_unit, 0 if spikes is None else len(spikes), who=_WHO)
            put(self, "observed_by_unit", each)
            if self.observed is None:
                put(self, "observed", in_common(each))
        if spikes is None and (len(self.units) or not (self.signals or self.intervals or self.events)):
            what = "a unit table and no spikes" if self.units else "nothing in it"
            raise InputError(f"{_WHO}: there is {what}; give spikes or signals.", code="bad-recording")
        units = check_columns(self.units, 0 if spikes is None else len(spikes), who=_WHO, what="unit")
        put(self, "units", MappingProxyType(units))
        if not isinstance(self.attrs, Mapping):
            raise InputError(
                f"{_WHO}: attrs must be a mapping {{name: text or number}}, got {shorten(self.attrs, 60)}.",
                code="bad-recording",
            )
        put(self, "attrs", MappingProxyType(dict(self.attrs)))
        if np.unique(self.unit_names).size != self.unit_names.size:
            raise InputError(f"{_WHO}: the names of units must differ.", code="repeated-units")

    @property
    def unit_names(self) -> np.ndarray:
        """(n_units,) names: the column ``unit`` or ``id`` of the unit table, else 0, 1, ..."""
        n = 0 if self.spikes is None else len(self.spikes)
        named = self.units.get("unit", self.units.get("id"))
        if named is None:
            return np.arange(n)
        whole = (
            named.astype(np.int64) if named.dtype.kind == "f" and (named == np.round(named)).all() else named
        )
        return check_ids(whole, n, who=_WHO, what="unit")

    def span(self, source: Signal | None = None) -> Intervals:
        """From the first to the last thing that was recorded (of one signal, if given), as one interval."""
        if source is not None and not isinstance(source, Signal):
            raise InputError(
                f"Recording.span: source must be a cs.Signal, such as rec.signals['name'], got {shorten(source, 60)}.",
                code="bad-recording",
            )
        ends: list[float] = []
        for signal in [source] if source is not None else self.signals.values():
            if len(signal):
                step = 1 / signal.rate if len(signal) > 1 else 0.0
                ends += [float(signal.time[0]), float(signal.time[-1] + step)]
        if source is None and self.spikes is not None and self.spikes.times.size:
            ends += [float(self.spikes.times.min()), float(self.spikes.times.max())]
        return Intervals([min(ends)], [max(ends)]) if ends else Intervals([], [])

    def epoch(
        self,
        on: Any = None,
        *,
        window: tuple[float, float] | None = None,
        bin: float | None = None,
        reduce: str | None = None,
        of: str | None = None,
        stimulus: Any = None,
        missing: Literal["raise", "omit", "mask"] = "raise",
        system: str | None = None,
    ) -> xr.DataArray:
        """Trials around events: responses (trial, unit), or (trial, time, unit) with ``bin``.

        Bins are [from, to): a spike on an edge belongs to the later bin; within a nanosecond below an edge counts as on
        it. Time is that of the centres of bins, in seconds from the event.

        Parameters
        ----------
        on : "table" or "table.column" of the intervals or events, `Intervals`, `Events`, or times (s). Columns of the
            table become labels of the trials.
        window : (from, to) in seconds from the event. None: each interval whole; with ``bin`` the shorter trials are
            then filled with NaN, and the coordinate ``valid`` over (trial, time) says where.
        bin : width of bins (s), which must divide the window; None: one value for each trial.
        reduce : of spikes "count" or "rate" (spikes/s; default for trials of unequal length without bins). Of signals
            "mean" (default), "circular_mean" (default for radians and degrees that jump from one end of the circle to
            the other; in the range of the signal: 0 to 2 pi stays so, and more than one turn keeps its turn), "min",
            "max", "sum", "std", or "interpolate" (linear, at the centres of bins; no line is drawn over NaN, or over
            more than 3 median steps between samples). Unknown samples (NaN) are left out. A bin with fewer than half of
            the samples that the rate of the signal lets expect is unknown; for "sum" one with a NaN, or with less than
            0.9 of them.
        of : "spikes" (default where there are any) or the name of a signal.
        stimulus : the column with stimulus ids, or one id per trial. Default: a column called stimulus, stimulus_id or
            stimulus_name. Equal ids are repeats.
        missing : trials without a time, of no length, outside of what was recorded, or with an unknown bin: "raise",
            "omit" (leave them out) or "mask" (``valid=False``). Trials without a stimulus id (NaN, None, no text) are
            refused but for "omit".
        system : name of the responses; default that of the recording.

        Raises
        ------
        InputError : unknown names, bins that do not divide the window, trials outside of the recording, memory.
        """
        return epoch(
            self,
            on=on,
            window=window,
            bin=bin,
            reduce=reduce,
            of=of,
            stimulus=stimulus,
            missing=missing,
            system=system,
        )

    def bin(
        self,
        width: float | None = None,
        *,
        within: Intervals | str | None = None,
        reduce: str | None = None,
        of: str | None = None,
        system: str | None = None,
    ) -> xr.DataArray:
        """The whole in bins: responses (time, unit), time in seconds of the recording's clock (centres of bins).

        Parameters
        ----------
        width : of bins (s); must be given.
        within : `Intervals`, or the name of a table of them. Default: what was observed. Bins start anew in each
            interval; where nothing is observed or given, at whole multiples of the width. Bins that were not recorded
            whole are left out, so that spikes, signals and any choice of units share their times.
        reduce, of, system : as in `epoch`; angles that wrap are averaged on the circle and keep their range.

        Raises
        ------
        InputError : nothing recorded within, no interval as long as a bin, unknown names.
        """
        return bin_recording(self, width, within=within, reduce=reduce, of=of, system=system)

    def select(self, units: Any = None) -> Recording:
        """The recording with some units: a mask, or their names in the order wanted.

        Where units were observed at different times (``observed_by_unit``), ``observed`` becomes what these have in
        common.
        """
        who = "Recording.select"
        if units is None:
            raise InputError(f"{who}: say which units: their names, or a mask.", code="bad-label")
        if self.spikes is None:
            raise InputError(f"{who}: the recording has no spikes, so no units.", code="too-few")
        wanted = as_mask(np.atleast_1d(np.asarray(units)))
        if wanted.dtype == bool:
            if wanted.shape != self.unit_names.shape:
                raise InputError(
                    f"{who}: the mask must have one entry for each of {len(self.spikes)} units, got {wanted.shape}.",
                    code="bad-label",
                )
            index = np.flatnonzero(wanted)
        else:
            place = {str(name): i for i, name in enumerate(self.unit_names.tolist())}
            unknown = next((str(name) for name in wanted.tolist() if str(name) not in place), None)
            if unknown is not None:
                raise UnknownNameError(f"{who}: there is no unit {unknown!r}.{nearest(unknown, place)}")
            index = np.array([place[str(name)] for name in wanted.tolist()], dtype=np.int64)
        if not index.size:
            raise InputError(f"{who}: no unit is left.", code="too-few")
        table = {name: entries[index] for name, entries in self.units.items()}
        if "unit" not in table and "id" not in table:
            table["unit"] = self.unit_names[index]
        observed, each, cautions = self.observed, self.observed_by_unit, self.cautions
        if each is not None:
            chosen = tuple(each[int(i)] for i in index)
            if observed == in_common(each):  # not if it was narrowed or said otherwise
                observed = in_common(chosen)
            if all(one == chosen[0] for one in chosen):
                cautions = tuple(c for c in cautions if c.code not in ("observed-differs", "spans-differ"))
            each = chosen
        return replace(
            self,
            spikes=self.spikes.select(index),
            units=table,
            observed=observed,
            observed_by_unit=each,
            cautions=cautions,
        )

    def restrict(self, within: Intervals | str | None = None) -> Recording:
        """The recording with the spikes in some intervals only; ``observed`` says so. Signals and tables stay."""
        who = "Recording.restrict"
        if isinstance(within, str):
            if within not in self.intervals:
                raise UnknownNameError(
                    f"{who}: {within!r} is no table of intervals.{nearest(within, self.intervals)}"
                )
            within = self.intervals[within]
        if not isinstance(within, Intervals):
            raise InputError(
                f"{who}: within must be cs.Intervals(start, stop), or the name of a table of them, got "
                f"{shorten(within, 60)}.",
                code="bad-intervals",
            )
        observed = within.merged() if self.observed is None else self.observed & within
        each = self.observed_by_unit
        return replace(
            self,
            spikes=None if self.spikes is None else self.spikes.within(observed),
            observed=observed,
            observed_by_unit=None if each is None else tuple(one & observed for one in each),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recording):
            return NotImplemented
        same = ("name", "spikes", "observed", "observed_by_unit", "subject", "session")
        return (
            all(getattr(self, name) == getattr(other, name) for name in same)
            and all(
                dict(getattr(self, name)) == dict(getattr(other, name))
                for name in ("signals", "intervals", "events")
            )
            and set(self.units) == set(other.units)
            and all(same_entries(self.units[name], other.units[name]) for name in self.units)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        about = ", ".join(filter(None, (self.subject, self.session)))
        lines = [f"<Recording> {self.name or 'without a name'}" + (f" ({about})" if about else "")]
        if self.spikes is not None:
            columns = f"; columns {', '.join(self.units)}" if self.units else ""
            lines.append(f"  spikes: {len(self.spikes)} units, {self.spikes.times.size} spikes{columns}")
        for part in ("signals", "intervals", "events"):
            for name, entry in getattr(self, part).items():
                lines.append(
                    f"  {part[:-1] if part != 'intervals' else part} {name}: {repr(entry).split('> ')[1]}"
                )
        span = self.observed if self.observed is not None else self.span()
        if len(span):
            word = "observed" if self.observed is not None else "from the first to the last sample"
            lines.append(f"  {word}: {span.start.min():g} to {span.stop.max():g} s, {span.total:g} s in all")
        lines += [f"  {caution}" for caution in self.cautions]
        return "\n".join(lines)
