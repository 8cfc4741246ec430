"""`from_object`: recordings and responses from the objects of other packages, told by their attributes.

None of those packages is imported here: an object has them loaded already.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, collect_cautions, nearest, warn
from consilience._core._params import shorten
from consilience._recording import Recording
from consilience.sources._parts import Parts

__all__ = ["KINDS_OF_OBJECT", "from_object"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """what : in words.   has : attributes that tell it.   make : "module:function" (object, *, who, **options).
    options : that it takes.   lacks : attributes that speak against it.
    """

    what: str
    has: tuple[str, ...]
    make: str
    options: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def fits(self, thing: object) -> bool:
        return all(hasattr(thing, name) for name in self.has) and not any(
            hasattr(thing, name) for name in self.lacks
        )

    def function(self) -> Callable[..., Any]:
        module, name = self.make.split(":")
        return getattr(importlib.import_module(module), name)


# the first that fits
KINDS_OF_OBJECT = (
    Kind(
        what="xarray.DataArray",
        has=("dims", "coords", "assign_coords", "dtype"),
        make="consilience.sources._xarray:from_data_array",
        options=("stimulus", "kind", "clock"),
    ),
    Kind(
        what="xarray.Dataset",
        has=("dims", "coords", "assign_coords", "data_vars"),
        make="consilience.sources._xarray:from_dataset",
        options=("variable", "stimulus", "kind", "clock"),
    ),
    Kind(
        what="mne.Epochs",
        has=("get_data", "ch_names", "times", "info", "events", "event_id"),
        make="consilience.sources._mne:from_epochs",
        options=("stimulus", "picks"),
    ),
    Kind(
        what="mne.Evoked",
        has=("data", "ch_names", "times", "info", "nave"),
        make="consilience.sources._mne:from_evoked",
        options=("picks",),
    ),
    Kind(
        what="mne.io.Raw",
        has=("get_data", "ch_names", "times", "info", "annotations", "first_samp"),
        make="consilience.sources._mne:from_raw",
        options=("picks", "reject_by_annotation"),
    ),
    Kind(
        what="neo.Segment",
        has=("spiketrains", "analogsignals", "epochs", "events"),
        make="consilience.sources._neo:from_segment",
    ),
    Kind(
        what="neo.Block",
        has=("segments", "rec_datetime"),
        make="consilience.sources._neo:from_block",
        options=("segment",),
    ),
    Kind(
        what="an object of pynapple (Ts, Tsd, TsdFrame, TsGroup, IntervalSet)",
        has=("time_support",),
        make="consilience.sources._pynapple:from_pynapple",
    ),
    Kind(
        what="pynapple.IntervalSet",
        has=("start", "end", "intersect", "set_diff"),
        make="consilience.sources._pynapple:from_pynapple",
    ),
    Kind(
        what="pandas.DataFrame",
        has=("iloc", "columns", "index", "dtypes", "to_numpy"),
        make="consilience.sources._pandas:from_frame",
        options=("stimulus", "kind", "units", "labels", "repeat", "missing"),
        lacks=("time_support",),
    ),
    Kind(
        what="a Sorting of SpikeInterface",
        has=("get_unit_ids", "get_unit_spike_train", "get_num_segments"),
        make="consilience.sources._spikeinterface:from_sorting",
        options=("segment",),
    ),
)


def from_object(thing: Any, /, *, name: str | None = None, **options: Any) -> Recording | xr.DataArray:
    """A recording, or responses, from an object of MNE, neo, pynapple, SpikeInterface, xarray or pandas.

    ==================================  =======================================================================
    object                              becomes
    ==================================  =======================================================================
    mne Epochs                          responses (trial, time, unit): stimulus = name of the event, in V (T) as MNE has
                                        it; ``metadata`` as labels; channel type and whether bad on the units
    mne Evoked                          responses (time, unit)
    mne Raw                             a recording with the signal ``raw``; annotations as intervals, and those called
                                        bad are no part of what was observed
    neo Segment, Block (``segment=``)   a recording: spike trains, analogue signals, epochs, events; in s and V whatever
                                        their units
    pynapple Ts, Tsd, TsdFrame,         a recording: spikes with the columns of the group, signals, intervals. A mapping
    TsGroup, IntervalSet                {name: object} is one recording of all
    SpikeInterface Sorting              a recording: spikes with the properties of units
    xarray DataArray, Dataset           responses, if it follows the schema; (presentation, neuroid) and time_bin are
                                        renamed
    pandas DataFrame                    responses: index or ``stimulus`` as ids, columns of numbers as units, others as
                                        labels. Whole numbers beside columns with fractions (with ``kind="count"``
                                        those with fractions), and columns called trial, category, rt and the like, are
                                        taken as labels, and that is said; ``units`` and ``labels`` decide
    ==================================  =======================================================================

    Parameters
    ----------
    thing : the object. It is told by its attributes, not by its class, and not changed.
    name : of the recording or system; default: what the object says.
    **options : ``segment`` (number) of neo and SpikeInterface, ``stimulus`` (a column of metadata, or a coordinate),
        ``variable`` of a Dataset, ``kind`` of values of xarray and pandas, ``clock`` of time_bin: its ticks per second
        (1000 for milliseconds). Of pandas ``units``: names of the columns that are units, all others are labels; or
        ``labels``: names of those that are labels, the other columns of numbers are units; with both, columns in
        neither are left out; ``repeat`` and ``missing`` as `cs.responses` takes them. Of MNE ``picks``: names or types
        of channels, or "all"; default: data that are not marked bad, as MNE has it; what was left out is said. Of Raw
        ``reject_by_annotation=False``: spans called bad count as observed.

    Raises
    ------
    InputError : another object, several segments without ``segment``, values that cannot be converted to s.

    Examples
    --------
    >>> import numpy as np, consilience as cs, xarray as xr
    >>> made = xr.DataArray(np.eye(2), dims=("presentation", "neuroid"), coords={"image": ("presentation", ["a", "b"])})
    >>> cs.from_object(made, stimulus="image", kind="rate").dims
    ('trial', 'unit')
    """
    who = "cs.from_object"
    if isinstance(thing, Recording):
        return thing
    with collect_cautions() as said:
        got = _made(thing, options, who)
        if isinstance(got, Parts):
            if name is not None or not got.name:
                object.__setattr__(got, "name", name or type(thing).__name__)  # made just now
            got = got.recording(who=who)
        elif name is not None:
            got = got.assign_attrs(system=name)
    every = list(dict.fromkeys([*(got.cautions if isinstance(got, Recording) else ()), *said]))
    if isinstance(got, Recording):
        object.__setattr__(got, "cautions", tuple(every))
    for caution in every:
        warn(caution.code, caution.message, caution.remedy)
    return got


def _made(thing: Any, options: dict[str, Any], who: str) -> Any:
    if isinstance(thing, Mapping) and not hasattr(thing, "time_support") and not hasattr(thing, "data_vars"):
        from consilience.sources._pynapple import from_many

        return from_many(thing, who=who)
    kind = next((entry for entry in KINDS_OF_OBJECT if entry.fits(thing)), None)
    if kind is None:
        known = "; ".join(dict.fromkeys(entry.what for entry in KINDS_OF_OBJECT))
        raise InputError(
            f"{who}: {type(thing).__module__}.{type(thing).__name__} is no object that is known ({known}); make "
            "cs.responses or cs.Recording of its arrays.",
            code="unknown-object",
        )
    unknown = next((key for key in options if key not in kind.options), None)
    if unknown is not None:
        takes = f"the options are {', '.join(kind.options)}" if kind.options else "there are none"
        raise UnknownNameError(
            f"{who}: for {kind.what} there is no option {shorten(unknown, 40)}; {takes}."
            + (nearest(unknown, kind.options) if kind.options else ""),
            code="unknown-option",
        )
    return kind.function()(thing, who=who, **options)
