"""Decoding of real recordings: ``python -m benchmarks.real_recordings [--data DIR] [--out DIR] [--draws N] ...``.

DIR holds ``it_spikes`` (132 sites of macaque IT, recorded apart; Zhang et al. 2011), ``motor`` (M1 and S1 of macaques
that reach; Stevenson et al. 2011) and ``haxby_slice`` (a slice of one person, 12 runs, 8 categories; Haxby et al.
2001); default: the environment variable CONSILIENCE_SHARED, else ``../shared/data`` beside this checkout. What is not
there is skipped; heading is from the data set head_direction. Data are read where they lie; figures go to
``results/real_recordings`` (ignored by git).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import consilience as cs
from benchmarks.real_data import folder
from benchmarks.validity import table
from benchmarks.validity_decode import head, line

SKIP = 2  # volumes (5 s) between the onset of a block and its response


def decode(data: Any, target: Any, **options: Any) -> tuple[Any, float]:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        found = cs.decode(data, target, rng=0, **options)
    return found, time.process_time() - start


def shown(found: Any, at: Any = None) -> list[Any]:
    """[value, interval, p] of the first target, at one time."""
    row = found.data.isel(target=0)
    row = row if at is None else row.sel(time=at, method="nearest")
    value, low, high, p = (float(row[k]) for k in ("value", "ci_low", "ci_high", "p_fwer"))
    return [value, f"[{low:.3f}, {high:.3f}]", f"{p:.4f}" if np.isfinite(p) else "-"]


def it_trials(data: Path) -> xr.DataArray:
    """Single trials (trial, time, unit) of 132 sites, each with its site, object and position; counts in 150 ms."""
    with np.load(data / "it_spikes" / "it_spikes.npz", allow_pickle=False) as file:
        return cs.responses(
            np.round(150.0 * file["rate"][:, :, None]),
            dims=("trial", "time", "unit"),
            time=file["bin_edges"].mean(axis=1) / 1000,
            unit=["rate"],
            stimulus=np.arange(len(file["site"])),
            site=file["site"],
            object=file["objects"][file["object"]],
            position=file["positions"][file["position"]],
            kind="count",
            system="IT",
        )


def it_spikes(data: Path, out: Path, draws: int) -> None:
    trials = it_trials(data)
    population = cs.pseudo_population(trials, by="object", session="site", system="IT")
    print(f"## IT: 7 objects from 132 sites recorded apart\n\n{population}\n")
    rows = []
    for model in (cs.models.MaxCorrelation(), cs.models.LDA(), cs.models.PoissonNaiveBayes()):
        found, seconds = decode(
            population, "object", model=model, cv=10, n_draws=5, n_boot=draws, n_perm=draws
        )
        before = found.data["value"].sel(target="object", time=slice(None, -0.07))
        rows.append(
            [
                type(model).__name__,
                *shown(found, 0.175),
                float(before.mean()),
                float(before.max()),
                found.onset,
                seconds,
            ]
        )
        figure(found, out / f"it_{type(model).__name__}.png")
    table("model,at 100-250 ms,interval,p (over times),mean before,highest before,first time (s),s", rows)
    both = cs.pseudo_population(trials, by=("object", "position"), session="site", system="IT")
    places = ["upper", "middle", "lower"]
    rows = []
    for there in places:
        cells = []
        for here in places:
            sides = {"train_on": {"position": there}, "test_on": {"position": here}}
            late = both_at(both, 0.175)
            found, _ = decode(
                late,
                "object",
                model=cs.models.MaxCorrelation(),
                n_draws=5,
                n_boot=draws,
                n_perm=draws,
                **sides,
            )
            value, ends, p = shown(found)
            cells.append(f"{value:.2f} {ends} p={p}")
        rows.append([there, *cells])
    print("Trained at one position (rows), tested at another, 100-250 ms, chance 0.143:\n")
    table("trained at," + ",".join(f"tested at {p}" for p in places), rows)


def both_at(population: Any, seconds: float) -> Any:
    """The pseudo-population at the time nearest to ``seconds``."""
    import dataclasses

    at = int(np.abs(population.times - seconds).argmin())
    return dataclasses.replace(
        population, values=tuple(v[:, at : at + 1] for v in population.values), times=None
    )


def motor(data: Path) -> dict[str, tuple[xr.DataArray, xr.DataArray]]:
    """{area: (counts in 50 ms, hand (x, y velocity))}."""
    from scipy.io import loadmat

    file = loadmat(data / "motor" / "m1_stevenson_2011.mat")
    other = loadmat(data / "motor" / "s1_data.mat")
    made = {
        "M1": (file["spikes"].T, file["handVel"].T[:, :2], file["time"].ravel()),
        "S1": (other["spikes"], other["vel"], 0.05 * np.arange(len(other["vel"]))),
    }
    return {
        area: (
            cs.responses(spikes, dims=("time", "unit"), time=times, kind="count", system=area),
            xr.DataArray(
                np.asarray(velocity, np.float64),
                dims=("time", "axis"),
                coords={"time": times, "axis": ["x velocity", "y velocity"]},
            ),
        )
        for area, (spikes, velocity, times) in made.items()
    }


def hand(data: Path, out: Path, draws: int) -> None:
    print("## Hand velocity, 5 stretches held out with a gap of the autocorrelation time\n")
    head("area,model,R2 x,R2 y,r x,r y,p,gap (samples),s")
    for area, (spikes, velocity) in motor(data).items():
        lags = range(5) if area == "M1" else range(-4, 3)  # M1 comes before the movement, S1 after it
        for model in (cs.models.RidgeCV(), cs.models.WienerFilter(lags), cs.models.KalmanFilter()):
            found, seconds = decode(
                spikes,
                velocity,
                model=model,
                n_boot=draws,
                n_perm=min(draws, 50) if isinstance(model, cs.models.KalmanFilter) else draws,
            )
            line(velocity_row(area, type(model).__name__, found, seconds))
            figure(found, out / f"{area}_{type(model).__name__}.png")
        found, seconds = decode(spikes, velocity, shuffle=True, n_boot=0, n_perm=0)
        line(velocity_row(area, "RidgeCV, samples shuffled (wrong)", found, seconds))


def velocity_row(area: str, name: str, found: Any, seconds: float) -> list[Any]:
    d = found.data
    r = [
        f"{v:.3f} [{low:.3f}, {high:.3f}]"
        for v, low, high in zip(*(d[k].values for k in ("value", "ci_low", "ci_high")))
    ]
    p = "-" if np.isnan(d["p"].values).any() else " ".join(f"{v:.4f}" for v in d["p"].values)
    return [area, name, *map(float, d["r2"].values), *r, p, found.settings["gap_steps"], seconds]


def head_direction(out: Path, draws: int) -> None:
    """Heading of a mouse from 7 cells of the anterodorsal nucleus, awake; the data set is fetched by name."""
    try:
        rec = cs.datasets.load("head_direction").recording
    except cs.InputError as error:
        if error.code != "not-cached":
            raise
        print(f"head_direction skipped: {error}\n")
        return
    cells, tracked = rec.select(rec.units["area"] == "adn"), rec.intervals["position_time_support"]
    counts, angle = cells.bin(0.2, within=tracked), rec.bin(0.2, of="ry", within=tracked)
    shared = np.intersect1d(counts["time"], angle["time"])
    counts, angle = counts.sel(time=shared), angle.sel(time=shared)
    print("## Heading, 5 stretches held out with a gap; chance 1.571 rad\n")
    head("model,mean error (rad),interval,p (circular shifts),mean of shifted,degrees,gap (samples),s")
    for model in (cs.models.BayesianDecoder(60, circular=True), cs.models.RidgeCV()):
        found, seconds = decode(counts, angle, circular=True, model=model, n_boot=draws, n_perm=draws)
        null, gap = float(found.data["null_mean"].item()), found.settings["gap_steps"]
        line([type(model).__name__, *shown(found), null, float(np.degrees(found.value)), gap, seconds])
        figure(found, out / f"heading_{type(model).__name__}.png")
    print()


def haxby(data: Path) -> xr.DataArray:
    """Volumes (trial, voxel) of 8 categories: brain voxels, each run detrended and z-scored, 5 s after the block."""
    with np.load(data / "haxby_slice" / "haxby_slice.npz", allow_pickle=False) as file:
        bold, label, run, names = (file[k] for k in ("bold", "label", "run", "names"))
    x = bold.reshape(len(bold), -1).astype(np.float64)
    x = x[:, x.mean(axis=0) > 0.3 * x.mean(axis=0).max()]
    for r in np.unique(run):
        own = run == r
        line = np.column_stack([np.ones(own.sum()), np.linspace(-1, 1, own.sum())])
        x[own] -= line @ np.linalg.lstsq(line, x[own], rcond=None)[0]
        x[own] /= x[own].std(axis=0) + 1e-12
    late = np.zeros_like(label)
    late[SKIP:] = np.where(run[SKIP:] == run[:-SKIP], label[:-SKIP], 0)
    kept = late > 0
    return cs.responses(
        x[kept],
        stimulus=np.arange(int(kept.sum())),
        run=run[kept],
        category=names[late[kept]],
        kind="bold",
        system="ventral slice",
    )


def slices(data: Path, out: Path, draws: int) -> None:
    volumes = haxby(data)
    blocks = cs.average(
        volumes.assign_coords(
            stimulus=(
                "trial",
                [f"{r}:{c}" for r, c in zip(volumes["run"].values, volumes["category"].values)],
            ),
            repeat=("trial", np.arange(volumes.sizes["trial"])),
        )
    )
    labels = [str(s).split(":") for s in blocks["stimulus"].values]
    blocks = cs.responses(
        blocks.values,
        stimulus=np.arange(len(labels)),
        run=[int(a) for a, _ in labels],
        category=[b for _, b in labels],
        kind="bold",
        system="ventral slice",
    )
    print(f"## fMRI: 8 categories, {volumes.sizes['unit']} voxels, chance 0.125\n")
    rows = []
    for name, made, options in (
        ("blocks, one run left out", blocks, {"folds": "run"}),
        ("volumes, one run left out", volumes, {"folds": "run"}),
        ("volumes shuffled (wrong)", volumes, {"groups": "trial", "cv": 12}),
    ):
        for model in (cs.models.LDA(), cs.models.MaxCorrelation()):
            wrong = "wrong" in name
            found, seconds = decode(
                made, "category", model=model, n_boot=draws, n_perm=0 if wrong else draws, **options
            )
            rows.append([name, type(model).__name__, *shown(found), seconds])
            if name.startswith("blocks"):
                figure(found, out / f"haxby_{type(model).__name__}.png")
                best = found.per_class.sortby("recall", ascending=False)
                said = ", ".join(f"{c} {v:.2f}" for c, v in zip(best["class"].values, best["recall"].values))
                print(f"{type(model).__name__}: {said}\n")
    rng = np.random.default_rng(
        0
    )  # labels that mean nothing: blocks of volumes get a random category inside each run
    fake = volumes["category"].values.copy()
    for r in np.unique(volumes["run"].values):
        own = volumes["run"].values == r
        names = np.unique(fake[own])
        other = dict(zip(names.tolist(), rng.permutation(names).tolist()))
        fake[own] = [other[c] for c in fake[own].tolist()]
    for name, options in (
        ("random categories, one run left out", {"folds": "run"}),
        ("random categories, volumes shuffled (wrong)", {"groups": "trial", "cv": 12}),
    ):
        found, seconds = decode(volumes, fake, n_boot=draws, n_perm=draws, **options)
        rows.append([name, "LDA", *shown(found), seconds])
    table("what,model,balanced accuracy,interval,p,s", rows)


def figure(found: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found.plot().figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_recordings", description=__doc__)
    parser.add_argument("--data", help="where the recordings lie")
    parser.add_argument("--out", type=Path, default=Path("results") / "real_recordings")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--only", default="", help="it, motor, haxby or heading")
    given = parser.parse_args()
    data = folder(given.data)
    for name, of, run in (
        ("it", "it_spikes", it_spikes),
        ("motor", "motor", hand),
        ("haxby", "haxby_slice", slices),
    ):
        if given.only in name and (data / of).is_dir():
            run(data, given.out, given.draws)
    if given.only in "heading":
        head_direction(given.out, given.draws)


if __name__ == "__main__":
    main()
