"""A planted population: how many dimensions, which latents, which variable has an axis, and is there a rotation.

``python examples/populations.py figure.png`` writes the picture.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import xarray as xr

import consilience as cs


def planted() -> xr.DataArray:
    """Fifty units, eight reaches of twelve trials: a plane that turns, starts by reach, and a common course."""
    rng = np.random.default_rng(0)
    reach = np.tile(np.arange(8), 12)
    time = np.arange(40) * 0.02
    angle = 2 * np.pi * reach[:, None] / 8 + 8 * time
    latents = np.stack(
        [np.cos(angle), np.sin(angle), np.broadcast_to(2 * np.exp(-time / 0.2), angle.shape)], axis=2
    )
    axes = np.linalg.qr(rng.normal(size=(50, 3)))[0].T
    return cs.responses(
        4 * latents @ axes + rng.normal(size=(96, 40, 50)),
        dims=("trial", "time", "unit"),
        stimulus=[f"reach{k}" for k in reach],
        repeat="count",
        time=time,
        kind="rate",
        system="M1",
    )


def main() -> None:
    data = planted()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)  # they stand in the results, which are printed
        found = cs.reduce(data, cs.models.PCA(5), labels="stimulus", n_boot=20, rng=0)
        turning = cs.structure(cs.average(data), statistic="rotation", n_null=59, rng=0)
    print(found)
    print(turning)
    if len(sys.argv) > 1:
        ax = found.plot()
        ax.figure.savefig(sys.argv[1], dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
