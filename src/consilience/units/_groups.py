"""Means of groups of trials (runs, sessions, blocks), taken out before signal and noise are told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg._noise import labelled

__all__ = ["Groups", "groups_of"]


@dataclass(frozen=True, eq=False)
class Groups:
    """What an additive fit of stimuli and g groups to trials, sorted by stimulus, needs.

    number : (trials,) group of each row.   counts : (n,) trials of each stimulus.   starts : (n,) its first row.
    table : (n, g) trials of each stimulus in each group.   inverse : (g, g) of the normal equations of groups, after
    stimuli are taken off.   single, means : what residual variances are multiplied by to be of single trials, and
    further to be of the fitted means of stimuli: 1 for as many trials of every stimulus in every group.
    """

    number: np.ndarray
    counts: np.ndarray
    starts: np.ndarray
    table: np.ndarray
    inverse: np.ndarray
    single: float
    means: float

    def without(self, x: np.ndarray) -> np.ndarray:
        """Trials (trials, units) less the fitted effect of their group; effects are 0 on average over trials."""
        sums = np.add.reduceat(x, self.starts, axis=0)
        own = np.stack([x[self.number == g].sum(axis=0) for g in range(self.table.shape[1])])
        effect = self.inverse @ (own - self.table.T @ (sums / self.counts[:, None]))
        effect = effect - self.table.sum(axis=0) @ effect / len(x)
        return np.asarray(x - effect[self.number])

    def dealt(self, rng: np.random.Generator) -> np.ndarray:
        """An order (trials,) in which rows change places with others of their group."""
        order = np.empty(self.number.size, dtype=np.int64)
        order[np.argsort(self.number, kind="stable")] = np.lexsort((rng.random(order.size), self.number))
        return order


def groups_of(
    groups: Array, order: np.ndarray, counts: np.ndarray, starts: np.ndarray, *, who: str
) -> Groups | None:
    """`Groups` of trials that are sorted by stimulus with ``order``; None where all are of one group.

    Refused where groups cannot be told from stimuli: no stimulus leads from one group to the next.
    """
    names, number = labelled(groups, order.size, name="groups", who=who)
    if names.size == 1:
        return None
    number = number[order]
    n, g = counts.size, names.size
    table = np.zeros((n, g))
    np.add.at(table, (np.repeat(np.arange(n), counts), number), 1.0)
    share = table / counts[:, None]
    normal = np.diag(table.sum(axis=0)) - table.T @ share
    value, vector = np.linalg.eigh(normal)
    kept = value > 1e-9 * table.sum(axis=0).max()
    left = order.size - n - (g - 1)
    if kept.sum() < g - 1:
        raise InputError(
            f"{who}: groups of trials share no stimuli, so that differences between groups cannot be told from "
            f"differences between stimuli ({g} groups such as {shorten(names[0].item(), 24)}). Give groups in which "
            "some stimuli are the same, or none.",
            code="groups-confounded",
        )
    if left < 1:
        raise InputError(
            f"{who}: {order.size} trials of {n} stimuli in {g} groups leave no repeats once the means of groups are "
            "taken out; more trials, or fewer groups.",
            code="no-repeats",
        )
    inverse = (vector[:, kept] / value[kept]) @ vector[:, kept].T
    away = share - share.mean(axis=0)
    more = np.einsum("ng,gh,nh->", away, inverse, away) / max(1, n - 1)
    return Groups(
        number, counts, starts, table, inverse, (order.size - n) / left, 1 + more / float(np.mean(1 / counts))
    )
