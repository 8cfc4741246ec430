"""Spikes into trials x bins x units."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

SPIKES, UNITS, TRIALS, BINS, WIDTH = 10_000_000, 500, 5000, 100, 0.01
LOOP = "loop of numpy.histogram"
SHARE = 20  # units that the loop is run for


def rows(threads: int) -> list[Row]:
    rng = np.random.default_rng(0)
    seconds = TRIALS * 1.5
    trains = [np.sort(rng.uniform(0, seconds, size=SPIKES // UNITS)) for _ in range(UNITS)]
    onsets = np.arange(TRIALS) * 1.5 + 0.2
    recording = cs.Recording(spikes=cs.SpikeTrains.from_list(trains), observed=cs.Intervals([0], [seconds]))
    ids = np.arange(TRIALS)
    window = (-0.1, -0.1 + BINS * WIDTH)

    def ours() -> Any:
        return recording.epoch(on=onsets, window=window, bin=WIDTH, stimulus=ids).values

    def loop() -> Any:
        out = np.zeros((TRIALS, BINS, SHARE), dtype=np.float32)
        edges = window[0] + WIDTH * np.arange(BINS + 1)
        for u, times in enumerate(trains[:SHARE]):
            for k, onset in enumerate(onsets):
                out[k, :, u] = np.histogram(times, bins=onset + edges)[0]
        return out

    def check(answers: dict[str, Any]) -> str:
        away = np.abs(answers[OURS][:, :, :SHARE] - answers[LOOP])
        # a spike within a nanosecond of an edge may fall on either side of it
        other = int((away != 0).sum())
        assert away.max() <= 1, away.max()
        assert other <= 1e-6 * away.size, other
        return (
            f"the same counts ({int(answers[LOOP].sum())} spikes of {SHARE} units, {other} counted otherwise)"
        )

    return [
        Row(
            "epochs",
            f"{SPIKES:.0e} spikes of {UNITS} units into {TRIALS} trials x {BINS} bins",
            (
                Side(OURS, ours),
                Side(LOOP, loop, factor=UNITS / SHARE, per=f"{SHARE} of {UNITS} units, scaled"),
            ),
            check,
            (Target("faster", 20.0, LOOP),),
            repeats=3,
            notes=(
                "One search of each unit's spikes for all trials, and one scatter: work goes with spikes, not bins. "
                "The responses alone take 1.0 GB (float32); the result of the loop is that of 20 units.",
            ),
        )
    ]
