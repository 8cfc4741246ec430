"""Quality of units in real recordings: reliability of 132 neurons of macaque IT, and spike trains of rat CA1.

Run as ``python -m benchmarks.real_recordings_quality [--data DIR] [--out DIR]``. DIR holds ``it_spikes/it_spikes.npz``
(Zhang et al. 2011), ``hippocampus/linear-track_spikes.mat`` (13 tetrodes, 31 units) and ``calcium/hvc_mackevicius.mat``
(Mackevicius et al. 2019); default: the environment variable CONSILIENCE_SHARED, else ``../shared/data`` beside this
checkout. A data set that is not there is skipped. Data are read where they lie, never copied; figures and a report go
to ``results/real_recordings`` (ignored by git).
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

import consilience as cs
from benchmarks.real_data import folder, it_spikes

WINDOW = (0.07, 0.26)  # s after the stimulus: centres of the 150 ms bins that are averaged


def hippocampus(data: Path) -> cs.Recording:
    """The 31 units of all tetrodes and 6 entries without spikes, with the time in which they were recorded."""
    from scipy.io import loadmat

    spikes = loadmat(data / "hippocampus" / "linear-track_spikes.mat", squeeze_me=True)["spikes"]
    names, times, span = [], [], None
    for tetrode, cells in enumerate(spikes):
        for k, cell in enumerate(np.atleast_1d(cells)):
            if getattr(cell, "dtype", None) is None or cell.dtype.names is None:
                continue
            found = np.atleast_1d(cell["time"].item()).astype(float)
            names.append(f"tetrode{tetrode + 1}.{k}")
            times.append(np.sort(found))
            span = np.asarray(cell["timerange"].item(), dtype=float)
    assert span is not None
    return cs.Recording(
        name="rat CA1",
        spikes=times,
        units={"unit": np.array(names)},
        observed=cs.Intervals(span[:1], span[1:]),
    )


def calcium(data: Path) -> xr.DataArray:
    """Fluorescence (time, unit) of 75 neurons, at 30 frames a second."""
    from scipy.io import loadmat

    neural = loadmat(data / "calcium" / "hvc_mackevicius.mat")["NEURAL"].T
    time = np.arange(len(neural)) / 30
    return cs.responses(neural, kind="dff", dims=("time", "unit"), time=time, system="songbird HVC")


def report(data: Path, out: Path) -> list[str]:
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        if (data / "it_spikes" / "it_spikes.npz").exists():
            trials = it_spikes(data)
            for name, window in (("after the stimulus", WINDOW), ("before the stimulus", (-0.4, -0.1))):
                began = time.process_time()
                part = trials.sel(time=slice(*window)).mean("time", keep_attrs=True)
                found = cs.quality(part, rng=0)
                said += [
                    f"macaque IT, {name} ({time.process_time() - began:.1f} s of processor)",
                    repr(found),
                ]
            part = trials.sel(time=slice(*WINDOW)).mean("time", keep_attrs=True)
            found = cs.quality(part, rng=0)
            found.plot().figure.savefig(out / "it_quality.png")
            said += regression_to_the_mean(part)
        if (data / "hippocampus" / "linear-track_spikes.mat").exists():
            recording = hippocampus(data)
            began = time.process_time()
            found = cs.quality(recording, rng=0)
            said += [f"rat CA1 ({time.process_time() - began:.1f} s of processor)", repr(found)]
            found.plot().figure.savefig(out / "ca1_quality.png")
            good = found.select(contamination=(None, 0.1), firing_rate=0.05)
            said.append(
                f"contamination at most 0.1, at least 0.05 spikes/s: {good.size} of {len(recording.spikes)}"
            )
            said += pairs(recording)
        if (data / "calcium" / "hvc_mackevicius.mat").exists():
            found = cs.quality(calcium(data), rng=0)
            said += ["songbird HVC, calcium", repr(found)]
            found.plot().figure.savefig(out / "hvc_quality.png")
    return said


def regression_to_the_mean(trials: xr.DataArray) -> list[str]:
    """What the most reliable fifth of the units scores on the trials that chose them, and on the others."""
    others = cs.select_units(trials, by={"reliability": (None, 1.0)}, rng=1)  # all units
    chose = json.loads(others.attrs["units_chosen"])["trials"]
    own, other = (
        cs.quality(part, measures=["explainable_variance"], n_perm=0).data["value"].values[0]
        for part in (trials.isel(trial=chose), others)
    )
    top = np.argsort(own)[-own.size // 5 :]
    return [
        f"explainable variance of the fifth of the units that looks best on one half of the trials: "
        f"{own[top].mean():.3f} on that half, {other[top].mean():.3f} on the other"
    ]


def pairs(recording: cs.Recording) -> list[str]:
    """Pairs of units on different tetrodes with timing finer than 20 ms."""
    began = time.process_time()
    found = cs.units.cross_correlogram(
        recording.spikes, observed=recording.observed, width=0.002, longest=0.06, jitter=0.02
    )
    tetrode = np.array([str(name).split(".")[0] for name in recording.unit_names])
    apart = tetrode[found.pairs[:, 0]] != tetrode[found.pairs[:, 1]]
    p = found.p()
    sure = p < 0.05 / p.size
    return [
        f"correlograms of {len(p)} pairs ({time.process_time() - began:.2f} s of processor): {int(sure.sum())} with "
        f"timing finer than 20 ms (p < 0.05 / pairs), {int((sure & apart).sum())} of them of units on two tetrodes"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_recordings_quality", description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--out", type=Path, default=Path("results/real_recordings"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    said = report(folder(options.data), options.out)
    (options.out / "quality.txt").write_text("\n".join(said) + "\n")
    print("\n".join(said))


if __name__ == "__main__":
    main()
