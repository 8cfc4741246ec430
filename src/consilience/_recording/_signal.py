"""A continuous signal: samples over time, some channels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import check_option, shorten
from consilience._recording._checks import as_mask, check_columns, check_times, frozen, same_entries
from consilience._responses import KINDS, check_ids

__all__ = ["Signal"]

_ROWS = 1 << 20  # samples that are looked at together


class Signal:
    """Samples of some channels over time, on one clock: heading, position, dF/F, voltage.

    Parameters
    ----------
    values : (n, channels) or (n,) real numbers. An HDF5 data set stays on disk, and is read where it is used. NaN is
        allowed: gaps of a tracker.
    time : (n,) seconds, increasing.
    kind : what a value is: one of the kinds of responses.
    unit : of the values, as text ("V", "cm", "radians").
    channels : names; default 0, 1, ...
    columns : {name: (channels,) numbers or text}, the table of channels: depth of a contact, place of a voxel, whether
        a region of interest is a cell. `epoch` and `bin` write its columns on the units of the responses.

    Raises
    ------
    InputError : other lengths, times that do not increase.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> cs.Signal(np.zeros((5, 2)), np.arange(5) / 100, kind="behaviour", unit="cm", channels=["x", "y"])
    <Signal> 5 samples x 2 channels (x, y), behaviour in cm, 0 to 0.04 s, about 100 Hz
    """

    def __init__(
        self,
        values: Any,
        time: Any,
        *,
        kind: str = "behaviour",
        unit: str = "",
        channels: Sequence[Hashable] | np.ndarray | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        who = "cs.Signal"
        times = check_times(time, name="time", who=who)
        if (np.diff(times) <= 0).any():
            row = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 1
            raise InputError(
                f"{who}: time must increase; sample {row} is at {times[row]:g} s after {times[row - 1]:g} s.",
                code="bad-time",
            )
        if not hasattr(values, "shape") or not hasattr(values, "dtype"):
            values = np.asarray(values)
        shape = tuple(values.shape)
        if len(shape) not in (1, 2) or shape[0] != times.size or values.dtype.kind not in "biuf":
            raise InputError(
                f"{who}: values must be numbers (samples, channels) with one row per time ({times.size}), got shape "
                f"{shape} of dtype {values.dtype}.",
                code="bad-signal",
            )
        count = shape[1] if len(shape) == 2 else 1
        self.kind = str(check_option(kind, KINDS, name="kind", who=who))
        self.unit, self.time, self._values = str(unit), frozen(times), values
        self.channels = (
            np.arange(count) if channels is None else check_ids(channels, count, who=who, what="channel")
        )
        if np.unique(self.channels).size != count:
            raise InputError(
                f"{who}: channel names must differ, got {shorten(channels)}.", code="repeated-units"
            )
        self.columns: Mapping[str, np.ndarray] = MappingProxyType(
            check_columns(columns, count, who=who, what="channel")
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.time.size, self.channels.size

    @property
    def values(self) -> np.ndarray:
        """(n, channels) float64 or float32, read from disk if they lie there."""
        return self.rows(0, self.time.size)

    def rows(self, first: int, last: int) -> np.ndarray:
        """Samples first to last - 1, (last - first, channels)."""
        found = np.asarray(self._values[first:last])
        if found.dtype.kind != "f" or found.dtype.itemsize not in (4, 8):
            found = found.astype(np.float32 if found.dtype == np.float16 else np.float64)
        elif not found.dtype.isnative:
            found = found.astype(found.dtype.newbyteorder("="))
        return frozen(found.reshape(found.shape[0], self.channels.size))

    @cached_property
    def rate(self) -> float:
        """Samples per second: 1 over the median step; NaN for one sample."""
        return float(1 / np.median(np.diff(self.time))) if self.time.size > 1 else float("nan")

    @cached_property
    def reach(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lowest and highest known value, and the largest step between known samples that follow each other, of each
        channel (channels,); NaN where none is known."""
        low, high, jump = (np.full(self.channels.size, np.nan) for _ in range(3))
        last = np.full(self.channels.size, np.nan)
        for first in range(0, self.time.size, _ROWS):
            values = self.rows(first, min(self.time.size, first + _ROWS)).astype(np.float64)
            for c, column in enumerate(values.T):
                known = column[np.isfinite(column)]
                if known.size:
                    steps = np.abs(np.diff(known, prepend=last[c] if np.isfinite(last[c]) else known[0]))
                    low[c], high[c] = np.fmin(low[c], known.min()), np.fmax(high[c], known.max())
                    jump[c], last[c] = np.fmax(jump[c], steps.max()), known[-1]
        return low, high, jump

    def select(self, channels: Any) -> Signal:
        """Some channels, with their columns: a mask, or their names in the order wanted. The values are read."""
        who, wanted = "Signal.select", as_mask(np.atleast_1d(np.asarray(channels)))
        if wanted.dtype == bool and wanted.shape != self.channels.shape:
            raise InputError(
                f"{who}: the mask must have one entry for each of {self.channels.size} channels, got {wanted.shape}.",
                code="bad-label",
            )
        if wanted.dtype == bool:
            index = np.flatnonzero(wanted)
        else:
            place = {str(name): i for i, name in enumerate(self.channels.tolist())}
            unknown = next((str(name) for name in wanted.tolist() if str(name) not in place), None)
            if unknown is not None:
                raise UnknownNameError(f"{who}: there is no channel {unknown!r}.{nearest(unknown, place)}")
            index = np.array([place[str(name)] for name in wanted.tolist()], dtype=np.int64)
        if not index.size:
            raise InputError(f"{who}: no channel is left.", code="too-few")
        return Signal(
            self.values[:, index],
            self.time,
            kind=self.kind,
            unit=self.unit,
            channels=self.channels[index],
            columns={name: entries[index] for name, entries in self.columns.items()},
        )

    def __len__(self) -> int:
        return self.time.size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Signal):
            return NotImplemented
        return (
            (self.kind, self.unit, self.shape) == (other.kind, other.unit, other.shape)
            and np.array_equal(self.time, other.time)
            and np.array_equal(self.channels, other.channels)
            and set(self.columns) == set(other.columns)
            and all(same_entries(self.columns[name], other.columns[name]) for name in self.columns)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        named = ", ".join(map(str, self.channels[:4])) + (", ..." if self.channels.size > 4 else "")
        unit = f" in {self.unit}" if self.unit else ""
        span = (
            f", {self.time[0]:g} to {self.time[-1]:g} s, about {self.rate:.4g} Hz" if self.time.size else ""
        )
        many = f"{self.channels.size} channel" + ("s" if self.channels.size != 1 else "")
        table = f"; columns {', '.join(self.columns)}" if self.columns else ""
        return f"<Signal> {self.time.size} samples x {many} ({named}), {self.kind}{unit}{span}{table}"
