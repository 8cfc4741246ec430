"""RSA in full on real recordings (crossnobis, ceilings, weighted models, tests, movies, searchlight), and encoding of
time series.

Run as ``python -m benchmarks.real_data [--data DIR] [--out DIR] [--draws N]``. DIR holds ``it_spikes/it_spikes.npz``
(132 neurons of macaque IT, 7 objects x 3 positions; Zhang et al. 2011), ``haxby_slice/haxby_slice.npz`` (a slice of
one person, 12 runs, 8 categories; Haxby et al. 2001), and the series of `benchmarks._real_series` (``motor``,
``calcium``, ``hippocampus``); default: the environment variable CONSILIENCE_SHARED, else ``../shared/data`` beside
this checkout. A data set that is not there is skipped. Data are read where they lie, never copied; figures and a
report go to ``results/real_data`` (ignored by git).
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import consilience as cs
from benchmarks import _real_series
from consilience._results import Result

SKIP = 2  # volumes (5 s) between the onset of a block and its response


def folder(given: str | None) -> Path:
    """Where recordings lie."""
    fallback = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(given or os.environ.get("CONSILIENCE_SHARED") or fallback)


def it_spikes(data: Path, *, rng: int = 0) -> xr.DataArray:
    """Pseudo-trials (trial, time, unit) in spikes/s: neurons were not recorded together, so each neuron's trials of a
    condition are dealt at random to as many pseudo-trials as the neuron with the fewest trials has.

    Labels: stimulus ("face upper"), object, position, repeat and fold (the repeat). Time: centres of 150 ms bins.
    """
    with np.load(data / "it_spikes" / "it_spikes.npz", allow_pickle=False) as file:
        rate, edges = file["rate"], file["bin_edges"]
        site, thing, place = file["site"], file["object"], file["position"]
        things, places = file["objects"].tolist(), file["positions"].tolist()
    draw = np.random.default_rng(rng)
    sites = np.unique(site)
    cells = [(o, p) for o in range(len(things)) for p in range(len(places))]
    rows = {
        (s, o, p): draw.permutation(np.flatnonzero((site == s) & (thing == o) & (place == p)))
        for s in sites
        for o, p in cells
    }
    repeats = min(len(found) for found in rows.values())
    values = np.empty((len(cells) * repeats, rate.shape[1], len(sites)), np.float64)
    for c, (o, p) in enumerate(cells):
        for j, s in enumerate(sites):
            values[c * repeats : (c + 1) * repeats, :, j] = 1000.0 * rate[rows[s, o, p][:repeats]]
    fold = np.tile(np.arange(repeats), len(cells))
    return cs.responses(
        values,
        kind="rate",
        dims=("trial", "time", "unit"),
        time=edges.mean(axis=1) / 1000.0,
        unit=[f"site{s}" for s in sites],
        stimulus=np.repeat([f"{things[o]} {places[p]}" for o, p in cells], repeats),
        object=np.repeat([things[o] for o, _ in cells], repeats),
        position=np.repeat([places[p] for _, p in cells], repeats),
        repeat=fold,
        fold=fold,
        system="macaque IT",
    )


def haxby_slice(data: Path) -> tuple[xr.DataArray, np.ndarray]:
    """Block averages (trial, unit), and what is left of each volume within its block (volumes, unit), which says how
    noise is correlated between voxels. Each run's voxels are freed of a line and divided by their standard deviation
    at rest; a block is the mean of its volumes from 5 s after its onset to 5 s after its end.

    Labels: stimulus (the category), run; on unit x, y (voxels of the slice).
    """
    with np.load(data / "haxby_slice" / "haxby_slice.npz", allow_pickle=False) as file:
        bold, label, run, names = file["bold"], file["label"], file["run"], file["names"].tolist()
    mask = bold.mean(axis=0) > 0.5 * np.percentile(bold.mean(axis=0), 90)
    mask &= bold.std(axis=0) > 0
    flat = bold[:, mask].astype(np.float64)
    blocks, stimuli, runs, left = [], [], [], []
    for one in np.unique(run):
        part, said = flat[run == one], label[run == one]
        line = np.column_stack([np.ones(len(part)), np.linspace(-1, 1, len(part))])
        part = part - line @ np.linalg.lstsq(line, part, rcond=None)[0]
        shown = np.concatenate([np.zeros(SKIP, said.dtype), said[:-SKIP]])
        rest = part[shown == 0]
        part = (part - rest.mean(axis=0)) / np.maximum(rest.std(axis=0), 1e-9)
        for category in range(1, len(names)):
            volumes = part[shown == category]
            blocks.append(volumes.mean(axis=0))
            left.append(volumes - blocks[-1])
            stimuli.append(names[category])
            runs.append(int(one))
    y, x = np.nonzero(mask)
    trials = cs.responses(
        np.stack(blocks),
        kind="bold",
        stimulus=stimuli,
        repeat="count",
        run=np.array(runs),
        unit=[f"v{a}_{b}" for a, b in zip(y, x)],
        system="ventral temporal slice",
    )
    places = {"x": ("unit", x.astype(float)), "y": ("unit", y.astype(float))}
    return trials.assign_coords(places), np.concatenate(left)


def one_hot(label: np.ndarray, stimulus: np.ndarray, name: str) -> xr.DataArray:
    """One column for each entry of a label, as responses."""
    kinds = np.unique(label)
    columns = (label[:, None] == kinds[None]).astype(float)
    return cs.responses(columns, stimulus=stimulus, unit=kinds, system=name)


def models_of(labels: Mapping[str, np.ndarray], stimulus: np.ndarray) -> dict[str, xr.DataArray]:
    """RDMs that are 0 within a class and 1 between classes, as RDM data."""
    return {
        name: cs.rdm_data(
            (values[:, None] != values[None, :]).astype(float),
            stimulus=stimulus,
            distance="unknown",
            system=name,
        )
        for name, values in labels.items()
    }


def split_rdms(trials: xr.DataArray, folds: str, parts: int, **options: Any) -> xr.DataArray:
    """One crossnobis RDM for each of ``parts`` sets of folds, as RDM data whose "subjects" are those sets: what an RDM
    of so many folds can be explained to (a ceiling), with measurements as a second factor beside stimuli."""
    names = np.unique(trials[folds].values)
    made = {}
    for part in range(parts):
        kept = names[part::parts]
        some = trials[np.isin(trials[folds].values, kept)]
        name = f"{folds}s {', '.join(map(str, kept))}"
        made[name] = cs.rdms(some, distance="crossnobis", folds=folds, n_splits=0, **options)
    return cs.rdm_data(made, system=trials.attrs["system"])


# -- what is asked of each recording


def ask_it(data: Path, draws: int) -> dict[str, Result]:
    """Objects and positions in macaque IT."""
    trials = it_spikes(data)
    window = trials.sel(time=0.175, method="nearest").drop_vars("time")  # 100 to 250 ms
    ids = np.unique(trials["stimulus"].values)
    thing, place = (np.array([name.split()[k] for name in ids]) for k in (0, 1))
    models = models_of({"object": thing, "position": place, "face": thing == "face"}, ids)
    options: dict[str, Any] = {
        "distance": "crossnobis",
        "folds": "fold",
        "noise": "diagonal",
        "n_boot": draws,
        "rng": 0,
    }
    found = cs.rdms(window, **options)
    known = found.to_rdm_data()["macaque IT"]
    return {
        "IT: RDM at 100 to 250 ms": found,
        "IT: models tested": cs.evaluate_models(
            {
                **models,
                "weighted object + position": cs.models.WeightedRDM(
                    {name: models[name] for name in ("object", "position")}
                ),
            },
            split_rdms(window, "fold", 4, noise="diagonal"),
            method="pearson",
            n_boot=draws,
            n_perm=draws,
            rng=0,
        ),
        "IT: object, position, face": cs.partition(known, models, n_boot=draws, n_perm=draws, rng=0),
        "IT: each neuron by object and position": cs.encode(
            {"object": one_hot(thing, ids, "object"), "position": one_hot(place, ids, "position")},
            window,
            cv=7,
            n_boot=draws,
            n_perm=min(draws, 100),
            rng=0,
        ),
        "IT: over time": cs.rdm_movie(
            trials,
            models={name: models[name] for name in ("object", "position")},
            method="pearson",
            n_perm=draws,
            **options,
        ),
    }


def ask_haxby(data: Path, draws: int) -> dict[str, Result]:
    """Faces, houses, animals and things in a slice of ventral temporal cortex."""
    trials, left = haxby_slice(data)
    noise = cs.linalg.noise_covariance(left)
    ids = np.unique(trials["stimulus"].values)
    things = np.isin(ids, ["bottle", "chair", "scissors", "shoe"])
    models = models_of(
        {
            "face": ids == "face",
            "house": ids == "house",
            "animate": np.isin(ids, ["face", "cat"]),
            "things alike": np.where(things, "thing", ids),
        },
        ids,
    )
    found = cs.rdms(trials, distance="crossnobis", folds="run", noise=noise, n_boot=draws, rng=0)
    known = found.to_rdm_data()["ventral temporal slice"]
    splits = split_rdms(trials, "run", 4, noise=noise)
    return {
        "Haxby: RDM": found,
        "Haxby: models tested": cs.evaluate_models(
            models, splits, method="pearson", n_boot=draws, n_perm=draws, rng=0
        ),
        "Haxby: with a weighted one, cross-validated": cs.evaluate_models(
            {
                **models,
                "weighted face + house + animate": cs.models.WeightedRDM(
                    {name: models[name] for name in ("face", "house", "animate")}
                ),
            },
            splits,
            method="pearson",
            n_boot=draws,
            n_perm=draws,
            rng=0,
        ),
        "Haxby: face, house, animate": cs.partition(
            known,
            {name: models[name] for name in ("face", "house", "animate")},
            n_boot=draws,
            n_perm=draws,
            rng=0,
        ),
        "Haxby: searchlight, things alike": cs.searchlight(
            trials,
            models["things alike"],
            radius=2.5,
            distance="crossnobis",
            folds="run",
            method="pearson",
            n_boot=draws,
            n_perm=draws,
            rng=0,
        ),
    }


ASKED: dict[str, Callable[[Path, int], dict[str, Result]]] = {
    "it_spikes/it_spikes.npz": ask_it,
    "haxby_slice/haxby_slice.npz": ask_haxby,
    "motor/m1_stevenson_2011.mat": _real_series.ask_motor,
    "calcium/hvc_mackevicius.mat": _real_series.ask_song,
    "hippocampus/linear-track_spikes.mat": _real_series.ask_track,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder of the recordings")
    parser.add_argument("--out", default="results/real_data", help="folder for figures and report")
    parser.add_argument("--draws", type=int, default=1000, help="resamples and permutations")
    options = parser.parse_args()
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    data, out = folder(options.data), Path(options.out)
    results: dict[str, Result] = {}
    for name, ask in ASKED.items():
        if not (data / name).is_file():
            print(f"skipped, there is no {name}", flush=True)
            continue
        started = time.perf_counter()
        found = ask(data, options.draws)
        results |= found
        for step, result in found.items():
            print(f"## {step}\n\n{result}\n", flush=True)
            if isinstance(result, cs.ModelEvaluation):
                print(result.pairs_frame().round(3).to_string(index=False), "\n", flush=True)
        print(f"({name}: {time.perf_counter() - started:.0f} s)\n", flush=True)
    if results:
        out.mkdir(parents=True, exist_ok=True)
        for step, result in results.items():
            picture = "".join(c if c.isalnum() else "_" for c in step)
            result.plot().figure.savefig(out / f"{picture}.png", dpi=120)
        cs.report.write(out / "report.html", results, title="Representations in recordings")
        if any(f"{step}, {_real_series.DEALT}" in results for step in results):
            _real_series.figure(results, data).savefig(out / "series.png", dpi=120)
        print(f"figures and report: {out}")


if __name__ == "__main__":
    main()
