"""Adapter: a folder of Suite2p; its fluorescence as dF/F, the deconvolved traces, and the table of regions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError
from consilience._core._params import check_number
from consilience.linalg._moving import moving_percentile
from consilience.sources._files import check_file, show
from consilience.sources._npy import read_npy
from consilience.sources._parts import Parts, SignalParts

__all__ = ["is_suite2p", "read_suite2p"]

_PLANE = re.compile(r"^plane(\d+)$")


def is_suite2p(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """A folder with F.npy and iscell.npy, or with folders plane0, plane1, ... or combined of that kind?"""
    return bool(_planes(path))


def _planes(path: Path) -> list[tuple[int | None, Path]]:
    """(number, folder) of each plane: this folder, its planeN, those of its suite2p folder, else combined."""

    def traces(folder: Path) -> bool:
        return (folder / "F.npy").is_file() and (folder / "iscell.npy").is_file()

    if not path.is_dir():
        return []
    if traces(path):
        named = _PLANE.match(path.name)
        return [(int(named[1]) if named else None, path)]
    for root in (path, path / "suite2p"):
        if not root.is_dir():
            continue
        numbered = [(_PLANE.match(entry.name), entry) for entry in root.iterdir()]
        found = sorted((int(m[1]), entry) for m, entry in numbered if m is not None and traces(entry))
        if found:
            return list(found)
        if traces(root / "combined"):
            return [(None, root / "combined")]
    return []


def read_suite2p(
    path: Path,
    *,
    who: str,
    rate: float | None = None,
    cells: bool = True,
    neuropil: float | None = 0.7,
    percentile: float = 8.0,
    window: float = 60.0,
) -> Parts:
    """The traces of every region of interest as signals (frame, region): ``dff``, ``fluorescence`` and ``deconvolved``.

    fluorescence = F - neuropil x Fneu.   dff = (fluorescence - F0) / F0, F0 the ``percentile`` of fluorescence within
    ``window`` seconds around each moment (taken 20 times per window, linear in between, windows shorter at the ends).
    deconvolved = spks.npy, in Suite2p's arbitrary units, not spikes. Regions whose F0 is not above 0 at some time have
    no dF/F: they are left out of ``dff`` and said.

    The table of channels has plane, roi (Suite2p's number within the plane), iscell and iscell_probability.

    Parameters
    ----------
    rate : frames per second *of one plane*. ops.npy, where Suite2p keeps it, is a pickle and is never loaded, so it
        must be given. Time 0 is the first frame.
    cells : keep only what Suite2p's classifier (or a person) calls a cell. False: every region.
    neuropil : the share of the neuropil's fluorescence that is taken off; None takes nothing off.
    percentile, window : of the baseline F0, in percent and seconds.
    """
    if rate is None:
        ops = "; ops.npy is a pickle and is never loaded" if (path / "ops.npy").is_file() else ""
        raise InputError(
            f"{who}: give rate=, the frames per second of one plane (fs in the settings of Suite2p{ops}).",
            code="rate-needed",
        )
    per_second = check_number(rate, name="rate", who=who, low=0.0)
    share = (
        0.0
        if neuropil is None
        else check_number(neuropil, name="neuropil", who=who, low=0.0, high=2.0, closed=True)
    )
    q = check_number(percentile, name="percentile", who=who, low=0.0, high=100.0)
    width = check_number(window, name="window", who=who, low=0.0)
    planes = _planes(path)
    read = [_plane(folder, share, cells, who) for _, folder in planes]
    frames = [len(entry["fluorescence"]) for entry in read]
    shortest, cautions = min(frames), []
    if max(frames) > shortest:
        cautions.append(
            Caution(
                "planes-cut",
                f"The planes have {shortest} to {max(frames)} frames, and are read up to {shortest}.",
                "One frame more or less is how scanning ends; more than that is an incomplete file.",
            )
        )
    several = len(planes) > 1
    columns = {
        "plane": np.concatenate(
            [np.full(len(e["roi"]), -1 if number is None else number) for (number, _), e in zip(planes, read)]
        ),
        **{name: np.concatenate([e[name] for e in read]) for name in ("roi", "iscell", "iscell_probability")},
    }
    if planes[0][0] is None:
        del columns["plane"]
    if not columns["roi"].size:
        raise InputError(
            f"{who}: no region is called a cell in iscell.npy; cells=False reads all of them.", code="too-few"
        )
    names = columns["roi"] if not several else [f"{p}_{r}" for p, r in zip(columns["plane"], columns["roi"])]
    time = np.arange(shortest) / per_second

    def signal(values: np.ndarray, kind: str, unit: str, keep: Any = slice(None)) -> SignalParts:
        return SignalParts(
            values=values,
            time=time,
            kind=kind,
            unit=unit,
            channels=np.asarray(names)[keep],
            columns={name: entries[keep] for name, entries in columns.items()},
        )

    traces = np.concatenate([e["fluorescence"][:shortest] for e in read], axis=1)
    if not np.isfinite(traces).all():
        raise InputError(f"{who}: F.npy or Fneu.npy has NaN or infinite entries.", code="nan-values")
    signals = {}
    base = moving_percentile(traces, max(1, round(width * per_second)), q)
    sound = (base > 0).all(axis=0)
    if sound.any():
        dff = ((traces[:, sound] - base[:, sound]) / base[:, sound]).astype(np.float32)
        signals["dff"] = signal(dff, "dff", "", sound)
    if not sound.all():
        cautions.append(
            Caution(
                "baseline-not-positive",
                f"{int((~sound).sum())} of {sound.size} regions have a baseline of fluorescence that is not above 0, "
                "and so no dF/F; they are left out of 'dff'.",
                "A smaller neuropil= (it was taken off), or use 'fluorescence'.",
            )
        )
    signals["fluorescence"] = signal(traces, "activation", "a.u.")
    if all("deconvolved" in e for e in read):
        spks = np.concatenate([e["deconvolved"][:shortest] for e in read], axis=1)
        signals["deconvolved"] = signal(spks, "activation", "a.u.")
    return Parts(
        format="suite2p",
        signals=signals,
        attrs={
            "source": "Suite2p",
            "frame_rate": per_second,
            "neuropil": share,
            "baseline": f"{q:g} % in {width:g} s",
        },
        cautions=tuple(cautions),
    )


def _plane(folder: Path, share: float, cells: bool, who: str) -> dict[str, np.ndarray]:
    """Traces (frame, region) of one folder, and the columns of its regions."""
    raw = _array(folder / "F.npy", who)
    iscell = _array(folder / "iscell.npy", who)
    if iscell.ndim == 1:
        iscell = np.stack([iscell, np.full(iscell.shape, np.nan)], axis=1)
    if raw.ndim != 2 or iscell.shape != (len(raw), 2):
        raise InputError(
            f"{who}: {show(folder / 'F.npy')} must be (regions, frames) and iscell.npy (regions, 2), got "
            f"{raw.shape} and {iscell.shape}.",
            code="bad-signal",
        )
    keep = iscell[:, 0] > 0 if cells else np.ones(len(raw), dtype=bool)
    out = {
        "roi": np.flatnonzero(keep),
        "iscell": iscell[keep, 0] > 0,
        "iscell_probability": iscell[keep, 1].astype(np.float64),
    }
    values = raw[keep].astype(np.float32)
    if share > 0:
        if not (folder / "Fneu.npy").is_file():
            raise InputError(
                f"{who}: there is no Fneu.npy beside F.npy, so no neuropil can be taken off; neuropil=None does "
                "without.",
                code="no-file",
            )
        values -= np.float32(share) * _like(folder / "Fneu.npy", raw.shape, who)[keep].astype(np.float32)
    out["fluorescence"] = np.ascontiguousarray(values.T)
    if (folder / "spks.npy").is_file():
        spks = _like(folder / "spks.npy", raw.shape, who)[keep]
        out["deconvolved"] = np.ascontiguousarray(spks.T.astype(np.float32))
    return out


def _like(path: Path, shape: Sequence[int], who: str) -> np.ndarray:
    values = _array(path, who)
    if values.shape != tuple(shape):
        raise InputError(
            f"{who}: {show(path)} has shape {values.shape}, and F.npy {tuple(shape)}; they are not of one run.",
            code="bad-signal",
        )
    return values


def _array(path: Path, who: str) -> np.ndarray:
    values = read_npy(check_file(path, who=who), who=who).values
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: {show(path)} holds {values.dtype}, and numbers are expected.", code="not-numeric"
        )
    return values
