"""Parts of places: channels, units, heads, groups, directions, as sites that masks count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.networks._lesion_find import chosen_steps
from consilience.networks._lesion_places import Parts, Place, Site
from consilience.networks._network import Network
from consilience.networks._unit import Unit, check_width

__all__ = ["Made"]


class Made:
    """Gathers parts, place by place."""

    def __init__(self, net: Network, data: xr.DataArray, times: Any, who: str) -> None:
        self.net, self.data, self.times, self.who = net, data, times, who
        self.names: list[str] = []
        self.layers: list[str] = []
        self.numbers: list[int] = []
        self.sites: list[Site] = []
        self.kinds: list[str] = []

    def done(self) -> Parts:
        twice = (
            next((name for name in self.names if self.names.count(name) > 1), None)
            if len(set(self.names)) < len(self.names)
            else None
        )
        if twice is not None:
            raise InputError(
                f"{self.who}: two parts have the name {twice!r}; give each a name of its own.",
                code="repeated-ids",
            )
        kind = self.kinds[0] if len(set(self.kinds)) == 1 else "parts"
        numbers = np.array(self.numbers, dtype=np.int64)
        return Parts(self.net, self.names, self.layers, kind, numbers, self.sites, self.data)

    def _add(
        self,
        place: Place,
        kind: str,
        names: Sequence[str],
        numbers: Sequence[int],
        space: str,
        owners: np.ndarray,
        places: np.ndarray,
        bases: tuple[np.ndarray, ...] | None = None,
        members: Sequence[int] | None = None,
    ) -> None:
        start = len(self.names)
        if members is None:
            self.names += list(names)
            self.layers += [place.label] * len(names)
            self.numbers += list(numbers)
            members = range(start, start + len(names))
        self.kinds.append(kind)
        owners, places = np.asarray(owners, dtype=np.intp), np.asarray(places, dtype=np.intp)
        self.sites.append(
            Site(place, np.array(members, dtype=np.intp), space, owners, places, bases, self._times(place))
        )

    def _times(self, place: Place) -> np.ndarray | None:
        if self.times is None or place.stepped:
            return None
        if "token" not in place.leaf.axes:
            raise InputError(
                f"{self.who}: layer {place.label!r} has no steps (its shape per stimulus is {place.leaf.shape}); "
                "times= is for sequences and for modules that are called again and again.",
                code="bad-times",
            )
        n = place.leaf.shape[place.leaf.axes.index("token")]
        return chosen_steps(self.times, n, place.label, who=self.who)

    def of_kind(self, kind: str | None, place: Place, n_heads: int | None) -> None:
        shape, label = place.leaf.shape, place.label
        if kind == "layer":
            width = np.arange(place.n_channels)
            self._add(place, "layer", [label], [-1], "channels", np.zeros_like(width), width)
            return
        if kind == "heads":
            if place.mode == "heads":
                n_heads = dict(self.net.module.named_modules(remove_duplicate=False))[place.base].num_heads
            if n_heads is not None:
                n_heads = check_count(n_heads, name="n_heads", who=self.who, minimum=1)
            if n_heads is None or place.n_channels % n_heads:
                raise InputError(
                    f"{self.who}: n_heads must divide the {place.n_channels} features of layer {label!r}; got "
                    f"{shorten(n_heads)}.",
                    code="bad-parameter",
                )
            width = np.arange(place.n_channels)
            owners = width // (place.n_channels // n_heads)
            names = [f"{label}[head {i}]" for i in range(n_heads)]
            self._add(place, "heads", names, range(n_heads), "channels", owners, width)
            return
        if kind == "channels" and len(shape) < 2:
            raise InputError(
                f"{self.who}: layer {label!r} has no channels (its shape per stimulus is {shape}); use parts='units'.",
                code="bad-parts",
            )
        if kind == "units" or len(shape) < 2:
            numbers = np.arange(place.n_units)
            names = [f"{label}[{i}]" for i in numbers]
            space = "channels" if len(shape) < 2 else "units"
            self._add(place, "units", names, numbers.tolist(), space, numbers, numbers)
            return
        numbers = np.arange(place.n_channels)
        what = place.leaf.axes[place.channel_axis]
        what = what if what in ("channel", "feature") else "channel"
        names = [f"{label}[{what} {i}]" for i in numbers]
        self._add(place, "channels", names, numbers.tolist(), "channels", numbers, numbers)

    def of_mapping(self, given: Mapping[Any, Any], parts_of: str, place: Place) -> None:
        if parts_of not in ("units", "channels"):
            raise InputError(
                f"{self.who}: parts_of must be 'units' or 'channels', got {shorten(parts_of)}.",
                code="bad-parameter",
            )
        space = "channels" if parts_of == "channels" or len(place.leaf.shape) < 2 else "units"
        size = place.n_channels if space == "channels" else place.n_units
        owners, places, numbers = [], [], []
        for i, (name, entry) in enumerate(given.items()):
            found = np.atleast_1d(to_numpy(entry))
            if found.dtype == bool and found.shape == (size,):
                found = np.flatnonzero(found)
            fits = found.ndim == 1 and found.size > 0 and found.dtype.kind in "iu"
            if not fits or found.min() < 0 or found.max() >= size:
                raise InputError(
                    f"{self.who}: part {name!r} must be numbers of {parts_of} of layer {place.label!r}, from 0 to "
                    f"{size - 1}; got {shorten(entry)}.",
                    code="no-such-unit",
                )
            found = np.unique(found)
            owners.append(np.full(found.size, i))
            places.append(found)
            numbers.append(int(found[0]) if found.size == 1 else -1)
        if not owners:
            raise InputError(f"{self.who}: parts is empty; name at least one part.", code="bad-parts")
        names = [str(name) for name in given]
        self._add(place, "parts", names, numbers, space, np.concatenate(owners), np.concatenate(places))

    def of_directions(self, given: Any, place: Place, names: list[str] | None) -> None:
        rows = np.atleast_2d(np.array(to_numpy(given), dtype=np.float64))
        widths = {place.n_channels: "channels", place.n_units: "units"}
        if len(place.leaf.shape) < 2:
            widths = {place.n_units: "channels"}
        fits = rows.ndim == 2 and rows.size > 0 and rows.shape[1] in widths
        if not fits or not np.isfinite(rows).all() or not rows.any(axis=1).all():
            raise InputError(
                f"{self.who}: directions must be finite rows, not all 0, of {' or '.join(map(str, widths))} weights "
                f"for layer {place.label!r}; got shape {rows.shape}.",
                code="bad-vector",
            )
        names = names or [f"{place.label}[direction {i}]" for i in range(len(rows))]
        none = np.zeros(0, dtype=np.intp)
        space = widths[rows.shape[1]]
        self._add(
            place, "directions", names, [-1] * len(rows), space, none, none, tuple(row[None] for row in rows)
        )

    def of_units(self, units: Sequence[Unit], places: Mapping[str, Place]) -> None:
        self.names = [unit.name for unit in units]
        self.layers = [unit.layer for unit in units]
        self.numbers = [-1] * len(units)
        for label, place in places.items():
            mine = [i for i, unit in enumerate(units) if unit.layer == label]
            self._of_units([units[i] for i in mine], mine, place)

    def _of_units(self, units: Sequence[Unit], members: list[int], place: Place) -> None:
        flat = len(place.leaf.shape) < 2
        wholes = [unit.vector is None and unit.place(place.leaf) is None for unit in units]
        coarse = [unit.spatial == "mean" and unit.vector is not None for unit in units]
        channels = flat or all(whole or c for whole, c in zip(wholes, coarse))
        space, width = ("channels", place.n_channels) if channels else ("units", place.n_units)
        grid = np.arange(place.n_units).reshape(place.leaf.shape)
        entries: list[np.ndarray] = []
        bases: list[np.ndarray] = []
        for i, unit in enumerate(units):
            if unit.vector is not None:
                check_width(unit, place.leaf)
                entries.append(np.zeros(0, dtype=np.intp))
                if coarse[i] and not channels:
                    bases.append(_spread(unit.vector, place))
                else:
                    bases.append(unit.vector[None])
                continue
            number = unit.place(place.leaf)
            if number is None:
                assert unit.channel is not None
                found = grid.take(unit.channel, axis=place.channel_axis).reshape(-1)
                entries.append(np.array([unit.channel]) if channels else found)
                self.numbers[members[i]] = unit.channel
            else:
                entries.append(np.array([number]))
                self.numbers[members[i]] = number
            bases.append(np.zeros((0, width)))
        owners = np.concatenate([np.full(e.size, i) for i, e in enumerate(entries)])
        spots = np.concatenate(entries)
        if any(unit.vector is not None for unit in units):
            own = [b if b.size else np.eye(width)[e] for b, e in zip(bases, entries)]
            none = np.zeros(0, dtype=np.intp)
            self._add(place, "directions", [], [], space, none, none, tuple(own), members)
        else:
            kind = "channels" if all(wholes) else "units" if not any(wholes) else "parts"
            self._add(place, kind, [], [], space, owners, spots, None, members)


def _spread(vector: np.ndarray, place: Place) -> np.ndarray:
    """(places, units): the direction of the channels at each place of the map, as directions of the units."""
    shape, axis = place.leaf.shape, place.channel_axis
    spots = place.n_units // shape[axis]
    grid = np.moveaxis(np.arange(place.n_units).reshape(shape), axis, -1).reshape(spots, shape[axis])
    out = np.zeros((spots, place.n_units))
    np.put_along_axis(out, grid, vector[None], axis=1)
    return out
