"""Crossnobis RDMs, and movies of them, from trials."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer

__all__ = ["rows"]

PEER = "rsatoolbox calc_rdm"
SIZES = ((1000, 2000, 2), (200, 500, 8))  # conditions, units, runs
TIMES, CONDITIONS, UNITS, RUNS = 40, 92, 100, 6


def _design(conditions: int, runs: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.arange(conditions), runs), np.repeat(np.arange(runs), conditions)


def _row(name: str, conditions: int, units: int, runs: int, noisy: bool) -> Row:
    rng = np.random.default_rng(0)
    stimulus, run = _design(conditions, runs)
    x = rng.normal(size=(conditions * runs, units))
    noise = None
    if noisy:
        noise = cs.linalg.noise_covariance(rng.normal(size=(300, units))).precision

    def ours() -> Any:
        return cs.measures.crossnobis(x, stimulus, folds=run, noise=noise)

    sides = [Side(OURS, ours)]
    found = peer("rsatoolbox.data", "rsatoolbox.rdm")
    if found is not None:
        data, rdm = found
        made = data.Dataset(x, obs_descriptors={"stimulus": stimulus.tolist(), "run": run.tolist()})

        def theirs() -> Any:
            return rdm.calc_rdm(made, "crossnobis", "stimulus", noise=noise, cv_descriptor="run")

        sides.append(Side(PEER, theirs))

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        away = close(answers[OURS], answers[PEER].dissimilarities[0], 1e-10, "crossnobis")
        return f"the same distances within {away:.1g} (1e-10)"

    precision = "with a given noise precision" if noisy else "without noise covariance"
    note = (
        "rsatoolbox averages the training runs anew for each fold and multiplies by a noise precision in each, the "
        "identity where none is given; we average each run once, change units once, and sum over pairs of runs as "
        "the square of a sum minus a sum of squares."
    )
    if noisy:
        note += " The change of units is most of the work; ours also checks that the precision is one."
    return Row(
        name,
        f"crossnobis of {conditions} conditions x {units} units x {runs} runs, {precision}",
        tuple(sides),
        check,
        () if noisy else (Target("faster", 3.0, PEER),),
        notes=(note,),
        missing=() if found is not None else ("rsatoolbox",),
    )


def _movie() -> Row:
    rng = np.random.default_rng(0)
    stimulus, run = _design(CONDITIONS, RUNS)
    x = rng.normal(size=(stimulus.size, TIMES, UNITS))
    time = np.arange(TIMES) * 0.01
    data = cs.responses(
        x, stimulus=stimulus, repeat="count", time=time, dims=("trial", "time", "unit"), system="data"
    ).assign_coords(run=("trial", run))

    def ours() -> Any:
        return cs.rdm_movie(data, folds="run", noise=None, n_splits=0, n_boot=0, n_perm=0)

    sides = [Side(OURS, ours)]
    found = peer("rsatoolbox.data", "rsatoolbox.rdm")
    if found is not None:
        theirs_data, rdm = found
        made = theirs_data.TemporalDataset(
            np.swapaxes(x, 1, 2),
            obs_descriptors={"stimulus": stimulus.tolist(), "run": run.tolist()},
            time_descriptors={"time": time},
        )

        def theirs() -> Any:
            return rdm.calc_rdm_movie(made, "crossnobis", "stimulus", cv_descriptor="run")

        sides.append(Side("rsatoolbox calc_rdm_movie", theirs))

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        rows, columns = np.triu_indices(CONDITIONS, 1)
        away = close(
            answers[OURS].rdms.values[:, rows, columns],
            answers["rsatoolbox calc_rdm_movie"].dissimilarities,
            1e-10,
            "movie",
        )
        return f"the same distances at all times within {away:.1g} (1e-10)"

    return Row(
        "rdm-movie",
        f"crossnobis RDMs at {TIMES} times, {CONDITIONS} conditions x {UNITS} units x {RUNS} runs",
        tuple(sides),
        check,
        repeats=3,
        missing=() if found is not None else ("rsatoolbox",),
    )


def rows(threads: int) -> list[Row]:
    made = [
        _row("crossnobis" if not noisy else "crossnobis-noise", *size, noisy)
        for noisy in (False, True)
        for size in SIZES
    ]
    return [*made, _movie()]
