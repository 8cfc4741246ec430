"""grasshopper: spikes of one auditory receptor, and the envelope of the sound that it heard."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from consilience._core._catalogue import Entry, package_file
from consilience._core._fetch import fetch
from consilience._recording import Intervals, Recording, Signal, SpikeTrains
from consilience.datasets._dataset import Dataset

__all__ = ["load"]

_CITATION = """\
Rokem A, Watzl S, Gollisch T, Stemmler M, Herz AVM, Samengo I (2006) J Neurophysiol 95:2541-2552"""

_NOTES = (
    "One receptor neuron of Locusta migratoria, two recordings of 10 s: a tone of 2.5 kHz whose level is Gaussian "
    "noise (standard deviation 6 dB) up to 200 Hz ('200 Hz') or 800 Hz ('800 Hz'). Signal 'envelope' is its amplitude, "
    "1 = the largest; 'level' is 20 log10 of it, in dB, which is Gaussian. Both at 20 kHz."
)
_CUT_OFF = {"1": "200 Hz", "2": "800 Hz"}  # number in the names of the files -> cut-off of the noise
_STEP = 50e-6  # s


def load(entry: Entry) -> Dataset:
    """Two recordings of one neuron; times in the files are whole microseconds."""
    places = {PurePosixPath(member).name: path for member, path in fetch(package_file(entry)).items()}
    made = {
        name: _recording(
            name, places[f"grasshopper_stimulus{i}.txt"], places[f"grasshopper_spike_times{i}.txt"]
        )
        for i, name in _CUT_OFF.items()
    }
    return Dataset(
        name=entry.name,
        recordings=made,
        citation=_CITATION,
        licence=entry.licence,
        source=str(entry.source),
        notes=_NOTES,
    )


def _recording(name: str, stimulus: Path, spikes: Path) -> Recording:
    amplitude = np.loadtxt(stimulus, usecols=1)
    time = _STEP * np.arange(amplitude.size)
    return Recording(
        name=f"grasshopper {name}",
        spikes=SpikeTrains.from_list([1e-6 * np.loadtxt(spikes)]),
        signals={
            "envelope": Signal(amplitude, time, channels=["envelope"]),
            "level": Signal(20 * np.log10(amplitude), time, unit="dB", channels=["level"]),
        },
        observed=Intervals([0.0], [_STEP * amplitude.size]),
    )
