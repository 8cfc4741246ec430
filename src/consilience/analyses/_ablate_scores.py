"""Scores of lesions: per stimulus, of a function of all outputs at once, or of a function that runs the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.analyses._evaluate_outputs import Score
from consilience.stats import OffDistribution, paired_effect, proportion_interval
from consilience.stats._lesion_effects import effect_around, settled

__all__ = ["Scores", "effects", "scores_of"]

_GROUPS = 20  # of stimuli, each left out once


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Of m lesions. value : (m,).   each : (m, k) per stimulus; or jackknife pseudo-values of k groups of stimuli, for
    a function of all outputs; None where there is only the number.   loss, distance : (m, n) cross-entropy, distance
    of activations downstream; None where there is none.   sign : +1 higher is better.
    """

    value: np.ndarray
    each: np.ndarray | None = None
    loss: np.ndarray | None = None
    distance: np.ndarray | None = None
    sign: int = 1
    bounded: bool = False
    paired: bool = True  # are columns of ``each`` stimuli?

    def at(self, rows: Any) -> Scores:
        """Some of the lesions."""
        return Scores(
            value=self.value[rows],
            each=None if self.each is None else self.each[rows],
            loss=None if self.loss is None else self.loss[rows],
            distance=None if self.distance is None else self.distance[rows],
            sign=self.sign,
            bounded=self.bounded,
            paired=self.paired,
        )

    def lost(self, intact: Scores) -> np.ndarray | None:
        """(m, k) what is lost: intact - lesioned, of a loss the other way round."""
        if self.each is None or intact.each is None:
            return None
        return self.sign * settled(intact.each - self.each, intact.each) + 0.0  # no -0

    def level_of(self, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The scores themselves with their interval over stimuli; of accuracy Wilson's."""
        if self.bounded and self.each is not None and self.each.shape[-1] > 1:
            n = self.each.shape[-1]
            variance = self.each.var(axis=-1, ddof=1) / n
            return self.value, *proportion_interval(self.value, variance, items=n, level=level, df=n - 1)
        return effect_around(self.value, self.each, level=level)


def effects(
    intact: Scores, lesioned: Scores, level: float, columns: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Impact (m,) with its interval; over some ``columns`` only, which are stimuli."""
    lost = lesioned.lost(intact)
    if columns is not None:
        assert lost is not None
        return paired_effect(lost[:, columns], level=level, bounded=lesioned.bounded)
    change = lesioned.sign * settled(intact.value - lesioned.value, intact.value) + 0.0  # no -0
    return effect_around(change, lost, level=level, bounded=lesioned.bounded)


def scores_of(
    run: Any,
    masks: np.ndarray | None,
    score: Score,
    *,
    draws: list[int],
    loss: Score | None = None,
    off: OffDistribution | None = None,
    rows: np.ndarray | None = None,
    watching: bool = False,
) -> Scores:
    """Of the masks (m, P), averaged over ``draws``; of the intact network where ``masks`` is None.

    run : `networks._lesion.Lesions`.   rows : which of the stimuli that ``off`` knows are shown.   watching : distances
    are of the layer that the run watches, not of its output.
    """
    n = run.n
    rows = np.arange(n) if rows is None else rows
    away = None if off is None or watching else off

    def parts_of(outputs: np.ndarray, at: slice) -> np.ndarray:
        found = [score(outputs, at) if score.per_stimulus else np.zeros(len(outputs))]
        if loss is not None:
            found.append(loss(outputs, at))
        if away is not None:
            found.append(away.distances(outputs, rows[at]))
        return np.stack(found, axis=1)

    def read(
        found: np.ndarray, whole: tuple[np.ndarray, np.ndarray] | None, seen: np.ndarray | None
    ) -> Scores:
        """``found`` (m, n, columns)."""
        columns = iter(range(1, found.shape[2]))
        each = found[:, :, 0]
        return Scores(
            value=each.mean(axis=1) if whole is None else whole[0],
            each=each if whole is None else whole[1],
            loss=found[:, :, next(columns)] if loss is not None else None,
            distance=found[:, :, next(columns)] if away is not None else seen,
            sign=score.sign,
            bounded=score.name == "accuracy",
            paired=whole is None,
        )

    if masks is None:
        whole = None if score.per_stimulus else _pseudo(lambda: [run.intact], score, n)
        seen = off.intact[rows][None] if watching and off is not None else None
        return read(parts_of(run.intact, slice(0, n))[None], whole, seen)
    total: list[np.ndarray] = []
    sums: list[tuple[np.ndarray, np.ndarray]] = []
    watched: list[np.ndarray] = []
    for draw in draws:
        if score.per_stimulus:
            total.append(run.scores(masks, parts_of, draw=draw))
        else:
            kept: list[np.ndarray] = []
            sums.append(_pseudo(lambda d=draw: run.outputs(masks, draw=d), score, n, kept, parts_of))  # type: ignore[misc]
            total.append(np.stack(kept))
        if watching and off is not None:
            watched.append(np.stack([off.distances(x, rows) for x in run.watched(masks, draw=draw)]))
    whole = (np.mean([v for v, _ in sums], axis=0), np.mean([e for _, e in sums], axis=0)) if sums else None
    return read(np.mean(total, axis=0), whole, np.mean(watched, axis=0) if watched else None)


def _pseudo(
    outputs: Callable[[], Any],
    score: Score,
    n: int,
    kept: list[np.ndarray] | None = None,
    parts_of: Callable[[np.ndarray, slice], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Value (m,) of a function of all outputs, and pseudo-values (m, g) g v - (g - 1) v without group j (Tukey 1958):
    their t interval is that of the jackknife over groups.
    """
    g = min(_GROUPS, n)
    left_out = np.arange(n) % g
    values, pseudo = [], []
    for x in outputs():
        every = np.arange(n)
        value = float(score(x, every))
        without = np.array([float(score(x[left_out != j], every[left_out != j])) for j in range(g)])
        values.append(value)
        pseudo.append(g * value - (g - 1) * without)
        if kept is not None and parts_of is not None:
            kept.append(parts_of(x, slice(0, n)))
    return np.array(values), np.array(pseudo)
