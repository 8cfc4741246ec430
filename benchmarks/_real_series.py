"""Time series of recordings for `benchmarks.real_data`: rates from movement and place, calcium from song.

Each is asked as it should be, with stretches of time held out and a gap beside them, and for contrast with the same
samples dealt into folds one by one, which lets neighbours of a test sample into training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import consilience as cs
from consilience._results import Encoding, Result

DEALT = "samples dealt at random"  # what a result for contrast is called
BIN = 2  # samples of 50 ms in a bin of motor cortex


def motor(data: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """Hand (position, velocity, speed) and spike counts of macaque M1 in bins of 100 ms, neurons of at least 1 spike/s.

    Stevenson et al. (2011), centre-out reaching: 171 neurons, 13 minutes.
    """
    from scipy.io import loadmat

    file = loadmat(data / "motor" / "m1_stevenson_2011.mat")
    n = file["time"].size // BIN * BIN
    time = file["time"].ravel()[:n].reshape(-1, BIN).mean(axis=1)
    place, velocity, spikes = (
        np.asarray(file[name].T[:n], np.float64).reshape(n // BIN, BIN, -1)
        for name in ("handPos", "handVel", "spikes")
    )
    place, velocity, counts = place.mean(axis=1)[:, :2], velocity.mean(axis=1)[:, :2], spikes.sum(axis=1)
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    kept = counts.sum(axis=0) / (time[-1] - time[0]) >= 1.0
    hand = cs.responses(
        np.column_stack([place, velocity, speed]),
        dims=("time", "unit"),
        time=time,
        unit=["x", "y", "vx", "vy", "speed"],
        system="hand",
    )
    names = np.array([f"n{j}" for j in range(kept.size)])[kept]
    area = cs.responses(
        counts[:, kept], dims=("time", "unit"), time=time, unit=names, kind="count", system="M1"
    )
    return hand, area


def song(data: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """Song (10 principal components of the spectrogram, averaged in frames) and calcium of HVC, 30 frames per second.

    Mackevicius et al. (2019): 75 neurons, 22 s.
    """
    from scipy.io import loadmat

    file = loadmat(data / "calcium" / "hvc_mackevicius.mat")
    calcium, sound = file["NEURAL"].T, file["SONG"].T
    frames, rate = len(calcium), float(file["VIDEOfs"].item())
    owner = np.minimum((np.arange(len(sound)) / float(file["SONGfs"].item()) * rate).astype(int), frames - 1)
    summed = np.stack([np.bincount(owner, column, frames) for column in sound.T], axis=1)
    mean = summed / np.bincount(owner, minlength=frames)[:, None]
    left, size, _ = np.linalg.svd(mean - mean.mean(axis=0), full_matrices=False)
    time = (np.arange(frames) + 0.5) / rate
    spectrum = cs.responses(left[:, :10] * size[:10], dims=("time", "unit"), time=time, system="song")
    return spectrum, cs.responses(calcium, dims=("time", "unit"), time=time, kind="dff", system="HVC")


def track(data: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """Place (15 bumps along a track for each direction of running) and spike counts of rat CA1 in bins of 250 ms, of
    the bins in which the rat ran: a recording in pieces, whose times jump. Units of at least 50 such spikes.
    """
    from scipy.io import loadmat

    raw = (data / "hippocampus" / "linear-track_trajectory.videoPositionTracking").read_bytes()
    raw = raw[raw.index(b"<End settings>\n") + 15 :]
    seen = np.frombuffer(
        raw[: len(raw) // 12 * 12], [("t", "<u4"), *((name, "<u2") for name in ("x", "y", "u", "v"))]
    )
    seen = seen[(seen["x"] > 0) & (seen["y"] > 0)]
    width = 0.25
    at = seen["t"] / 30000.0
    edges = np.arange(at[0], at[-1], width)
    time, middle = edges[:-1] + width / 2, np.column_stack([seen["x"], seen["y"]]).astype(float)
    middle = np.column_stack([np.interp(time, at, v) for v in middle.T])
    middle -= middle.mean(axis=0)
    along = middle @ np.linalg.svd(middle, full_matrices=False)[2][0]
    along = (along - np.quantile(along, 0.01)) / np.ptp(np.quantile(along, [0.01, 0.99]))  # 0 ... 1
    speed = np.gradient(along, width)
    ran = (np.abs(speed) > 0.05) & (along > -0.1) & (along < 1.1)
    bumps = np.exp(-0.5 * ((along[:, None] - np.linspace(0, 1, 15)) * 14) ** 2)
    place = np.concatenate([bumps * (speed > 0)[:, None], bumps * (speed < 0)[:, None]], axis=1)
    cells: dict[str, np.ndarray] = {}
    tetrodes = loadmat(data / "hippocampus" / "linear-track_spikes.mat")["spikes"][0, 0][0, 0]
    for k, tetrode in enumerate(np.ravel(tetrodes)):
        for j, cell in enumerate(np.ravel(tetrode)):
            if getattr(cell, "size", 0):  # empty where a tetrode has no such cluster
                cells[f"t{k}c{j}"] = np.histogram(np.ravel(cell["time"][0, 0]), edges)[0]
    kept = {name: counts[ran] for name, counts in cells.items() if counts[ran].sum() >= 50}
    x = cs.responses(place[ran], dims=("time", "unit"), time=time[ran], system="place")
    counts = np.stack(list(kept.values()), axis=1).astype(float)
    return x, cs.responses(
        counts, dims=("time", "unit"), time=time[ran], unit=list(kept), kind="count", system="CA1"
    )


def dealt(x: xr.DataArray, y: xr.DataArray, delays: range, **options: Any) -> Encoding:
    """For contrast, what not to do: samples as if they were independent stimuli, dealt into folds one by one."""
    rows = np.arange(max(0, *delays), x.sizes["time"] + min(0, *delays))
    delayed = np.concatenate([x.values[rows - d] for d in delays], axis=1)
    return cs.encode(
        cs.responses(delayed, stimulus=rows, system=x.attrs["system"]),
        cs.responses(y.values[rows], stimulus=rows, unit=y["unit"].values, system=y.attrs["system"]),
        n_boot=0,
        n_perm=0,
        **options,
    )


def ask_motor(data: Path, draws: int) -> dict[str, Result]:
    """Motor cortex from 300 ms of movement before to 300 ms after."""
    hand, area = motor(data)
    delays = range(-3, 4)
    return {
        "M1 from movement": cs.encode(hand, area, delays=delays, n_boot=draws, n_perm=min(draws, 99), rng=0),
        f"M1 from movement, {DEALT}": dealt(hand, area, delays, rng=0),
    }


def ask_track(data: Path, draws: int) -> dict[str, Result]:
    """Hippocampus from place, only while the rat runs."""
    place, area = track(data)
    return {
        "CA1 from place": cs.encode(place, area, n_boot=draws, n_perm=draws, rng=0),
        f"CA1 from place, {DEALT}": dealt(place, area, range(1), rng=0),
    }


def ask_song(data: Path, draws: int) -> dict[str, Result]:
    """HVC from the last third of a second of song; and from song that is 11 s away, which cannot drive it."""
    sound, area = song(data)
    delays = range(10)
    wrong = area.copy(data=np.roll(area.values, area.sizes["time"] // 2, axis=0))
    found: dict[str, Result] = {}
    for name, y in (("HVC from song", area), ("HVC from song of another time", wrong)):
        found[name] = cs.encode(sound, y, delays=delays, n_boot=draws, n_perm=draws, rng=0)
        found[f"{name}, {DEALT}"] = dealt(sound, y, delays, rng=0)
    return found


def by_delay(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """(delays in s, r (delays, neurons)) of motor cortex from the movement of one moment; negative: M1 comes first."""
    hand, area = motor(data)
    steps = np.arange(-8, 9)
    r = [cs.encode(hand, area, delays=[d], n_boot=0, n_perm=0, rng=0).data["r"].values for d in steps]
    return steps * 0.1, np.stack(r)


def figure(found: dict[str, Result], data: Path) -> Any:
    """Each neuron's r with stretches held out, against samples dealt at random; and r of M1 by delay."""
    import matplotlib.pyplot as plt

    names = [name for name in found if f"{name}, {DEALT}" in found]
    delays = (data / "motor").is_dir()
    drawn, axes = plt.subplots(
        1,
        len(names) + delays,
        figsize=(3.2 * (len(names) + delays), 3.4),
        layout="constrained",
        squeeze=False,
    )
    for ax, name in zip(axes[0], names):
        sound, leaky = (
            one.data["r"].values
            for one in (found[name], found[f"{name}, {DEALT}"])
            if isinstance(one, Encoding)
        )
        ends = np.array([min(sound.min(), leaky.min()) - 0.03, max(sound.max(), leaky.max()) + 0.03])
        ax.plot(ends, ends, color="0.7", lw=1, zorder=0)
        ax.scatter(sound, leaky, s=12, alpha=0.6, lw=0)
        ax.set(xlim=ends, ylim=ends, xlabel="r, stretches held out")
        ax.set_title(f"{name}\nmedian {np.median(sound):.2f}, dealt {np.median(leaky):.2f}", fontsize=9)
        ax.set_aspect("equal")
    axes[0, 0].set_ylabel(f"r, {DEALT}")
    if delays:
        at, r = by_delay(data)
        ax = axes[0, -1]
        ax.fill_between(at, *np.percentile(r, [25, 75], axis=1), alpha=0.2, lw=0)
        ax.plot(at, np.median(r, axis=1))
        ax.axvline(0, color="0.7", lw=1, zorder=0)
        ax.set(xlabel="delay, s (negative: M1 first)", ylabel="r (median, quartiles)")
        ax.set_title("M1 from movement of one moment", fontsize=9)
    return drawn
