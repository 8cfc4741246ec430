"""What the numbers of `cs.reduce` are worth: how often p is wrong and right, what intervals hold.

``python -m benchmarks.latents`` writes latents.md beside this file (about 3 minutes on one core).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

import consilience as cs

HERE = Path(__file__).parent
SETS = 100


def smooth(rng: np.random.Generator, shape: tuple[int, ...], width: int, axis: int) -> np.ndarray:
    long = list(shape)
    long[axis] += width - 1
    kernel = np.ones(width) / np.sqrt(width)
    return np.apply_along_axis(lambda v: np.convolve(v, kernel, "valid"), axis, rng.normal(size=long))


def axis_of(rng: np.random.Generator, p: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(p, 1)))[0][:, 0]


def trials(rng: np.random.Generator, size: float, n: int = 60, p: int = 15) -> xr.DataArray:
    x = rng.normal(size=(n, p)) + size * rng.normal(size=(n, 1)) * axis_of(rng, p)
    return cs.responses(x, stimulus=range(n))


def courses(rng: np.random.Generator, size: float, n: int = 30, t: int = 10, p: int = 15) -> xr.DataArray:
    x = smooth(rng, (n, t, p), 5, 1) + size * rng.normal(size=(n, 1, 1)) * axis_of(rng, p)
    return cs.responses(x, stimulus=range(n), dims=("trial", "time", "unit"), time=np.arange(t) * 0.05)


def series(rng: np.random.Generator, size: float, n: int = 500, p: int = 10) -> xr.DataArray:
    x = smooth(rng, (n, p), 10, 0) + size * smooth(rng, (n, 1), 10, 0) * axis_of(rng, p)
    return cs.responses(x, dims=("time", "unit"), time=np.arange(n) * 0.1)


def conditions(rng: np.random.Generator, size: float, each: int = 8, p: int = 15) -> xr.DataArray:
    """8 conditions over 20 bins, courses of each unit and condition its own; with size shared along one axis."""
    own = smooth(rng, (8, 20, p), 5, 1)
    shared = size * smooth(rng, (8, 20, 1), 5, 1) * axis_of(rng, p)
    x = np.repeat(own + shared, each, axis=0) + rng.normal(size=(8 * each, 20, p))
    labels = np.repeat(np.arange(8), each)
    return cs.responses(
        x, stimulus=labels, repeat="count", dims=("trial", "time", "unit"), time=np.arange(20) * 0.05
    )


DESIGNS: dict[str, tuple[Callable[..., xr.DataArray], dict[str, object], float]] = {
    "60 trials x 15 units": (trials, {}, 1.5),
    "40 trials x 400 units": (lambda rng, size: trials(rng, size, 40, 400), {}, 6.0),
    "30 trials x 10 smooth bins x 15 units": (courses, {}, 1.5),
    "means of 8 conditions x 20 smooth bins x 15 units": (conditions, {"labels": "stimulus"}, 2.5),
    "series of 500 smooth samples x 10 units": (series, {}, 1.5),
}


def tests() -> list[str]:
    rows = []
    for name, (make, options, size) in DESIGNS.items():
        found = []
        for seed in range(SETS):
            for strength in (0.0, size):
                data = make(np.random.default_rng(seed), strength)
                made = cs.reduce(data, cs.models.PCA(2), cv=0, n_boot=0, n_perm=59, rng=seed, **options)  # type: ignore[arg-type]
                found.append(made.components["p"].values <= 0.05)
        none, one = np.array(found).reshape(SETS, 2, 2).swapaxes(0, 1)
        rows.append(f"| {name} | {none[:, 0].mean():.3f} | {one[:, 0].mean():.3f} | {one[:, 1].mean():.3f} |")
    return rows


def intervals() -> list[str]:
    """What 95 % intervals hold, against what the same fit explains of 20000 new trials, and against planted axes."""
    rows = []
    for n, p, size in ((60, 15, 3.0), (60, 15, 1.5), (200, 40, 3.0)):
        held, loaded, narrow = [], [], []
        for seed in range(SETS):
            rng = np.random.default_rng(seed)
            axis = axis_of(rng, p)
            x, new = (rng.normal(size=(m, p)) + size * rng.normal(size=(m, 1)) * axis for m in (n, 5000))
            made = cs.reduce(
                cs.responses(x, stimulus=range(n)), cs.models.PCA(1), n_boot=40, n_perm=0, rng=seed
            )
            new = new - x.mean(axis=0)
            w = made.loadings["loading"].values[0]  # type: ignore[index]
            truth = float(((new @ w) ** 2).sum() / (new**2).sum())
            c = made.components
            held.append(float(c["held_out_low"][0]) <= truth <= float(c["held_out_high"][0]))
            true = axis * np.sign(axis @ w)
            low, high = (made.loadings[k].values[0] for k in ("ci_low", "ci_high"))  # type: ignore[index]
            loaded.append(((low <= true) & (true <= high)).mean())
            narrow.append((high - low).mean())
        rows.append(
            f"| {n} trials x {p} units, component of sd {size:g} | {np.mean(held):.3f} | {np.mean(loaded):.3f} | "
            f"{np.mean(narrow):.2f} |"
        )
    return rows


def main() -> None:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    text = [
        "# What the numbers of `cs.reduce` are worth",
        "",
        f"`python -m benchmarks.latents`; {SETS} simulated data sets a row, PCA, 59 surrogates, 95 % intervals. Noise",
        "has variance 1 in every unit; 'smooth' is a moving mean of 5 bins (10 samples). The share of data sets with",
        "p at most 0.05:",
        "",
        "| data | first component, none planted | the planted one | a second one, one planted |",
        "|---|---|---|---|",
        *tests(),
        "",
        "Intervals, of what the fitted component explains of 5000 new trials, and of the planted loadings:",
        "",
        "| data | held-out interval holds | loading intervals hold | mean width of these |",
        "|---|---|---|---|",
        *intervals(),
        "",
    ]
    (HERE / "latents.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
