"""The resamples that all pairs of a call share, and what a block of pairs gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from consilience._core._errors import warn
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._responses import average, check_responses
from consilience.analyses._ceiling_gap import Gap
from consilience.analyses._inputs import System
from consilience.stats import (
    half_splits,
    multinomial_weights,
    permutations,
    split_half_rows,
    two_factor_interval,
)

SPLITS, CEILING_SPLITS, SUBSETS, REFIT_GROUPS = 10, 20, 200, 20


@dataclass(frozen=True)
class Design:
    """The resamples, drawn once per call and shared by all pairs, measures and baselines.

    weights : (m, n) stimulus weights or None.   orders : (k, n) permutations or None.   splits : (SPLITS,
        n) bool halves.   groups : (n,) stimuli of one group are never on both sides of a fold or half; None =
        each its own.   ids : (n,) of the stimuli, for messages.
    """

    n: int
    seed: Seed
    level: float
    n_boot: int
    weights: np.ndarray | None
    orders: np.ndarray | None
    splits: np.ndarray
    refit: bool = False
    groups: np.ndarray | None = None
    ids: np.ndarray | None = None

    @property
    def owners(self) -> np.ndarray:
        """The group of each stimulus, (n,)."""
        return np.arange(self.n) if self.groups is None else self.groups

    @classmethod
    def draw(
        cls,
        n: int,
        *,
        seed: Seed,
        n_boot: int,
        n_perm: int,
        level: float,
        refit: bool,
        groups: np.ndarray | None = None,
        ids: np.ndarray | None = None,
    ) -> Design:
        owners = np.arange(n) if groups is None else groups
        return cls(
            n=n,
            seed=seed,
            level=level,
            n_boot=n_boot,
            weights=multinomial_weights(n, n_boot, seed.stream("stimuli")) if n_boot else None,
            orders=permutations(n, n_perm, seed.stream("permutations")) if n_perm else None,
            splits=half_splits(int(owners.max()) + 1, SPLITS, seed.stream("splits"))[:, owners],
            refit=refit,
            groups=groups,
            ids=ids,
        )

    def subject_weights(self, subjects: tuple[str, ...]) -> np.ndarray:
        """(m, subjects) weights that sum to 1 per draw; the same people get the same weights in every
        system.
        """
        stream = self.seed.stream("subjects:" + "\x1f".join(subjects))
        return multinomial_weights(len(subjects), self.n_boot, stream) / len(subjects)


@dataclass
class Block:
    """See the module docstring; missing parts are None."""

    values: np.ndarray
    pooled: np.ndarray | None = None
    draws: np.ndarray | None = None
    subject_draws: np.ndarray | None = None
    both_draws: np.ndarray | None = None
    interval: tuple[np.ndarray, np.ndarray] | None = None
    # (n, n_a, n_b) values without each stimulus, where values are of pairs of stimuli and can be contrasted
    left_out: np.ndarray | None = None
    gap: Gap | None = None  # variances of value - ceiling_low
    null: np.ndarray | None = None
    ceiling_low: np.ndarray | None = None
    ceiling_high: np.ndarray | None = None
    halves: Callable[[str], Iterator[tuple[np.ndarray, np.ndarray]]] | None = field(default=None, repr=False)
    # what the best is chosen by on each half, where that is not its score there; None = the score
    choices: Callable[[str], Iterator[tuple[np.ndarray, np.ndarray]]] | None = field(default=None, repr=False)
    # (draws, value) -> draws, for scores of which draws show a part of the variation only
    spread: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = field(default=None, repr=False)


def both_interval(
    block: Block, design: Design, n_subjects: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Interval for new stimuli and new subjects, where there are subjects."""
    if block.draws is None or block.subject_draws is None or block.both_draws is None:
        return None
    low, high = np.full(block.values.shape, np.nan), np.full(block.values.shape, np.nan)
    for i, j in np.argwhere(n_subjects > 1):
        low[i, j], high[i, j] = two_factor_interval(
            block.values[i, j],
            block.draws[:, i, j],
            block.subject_draws[:, i, j],
            block.both_draws[:, i, j],
            n_stimuli=design.n,
            n_subjects=int(n_subjects[i, j]),
            level=design.level,
        )
    return low, high


def half_means(system: System, design: Design) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Means of random halves of the repeats, (n, units) each."""
    assert system.trials is not None
    trials = check_responses(system.trials, who="cs.compare", name=system.name)  # loaded once if it is lazy
    for first in half_trials(system, design):
        yield average(trials[first]).values, average(trials[~first]).values


def half_trials(system: System, design: Design) -> Iterator[np.ndarray]:
    """Bool (trials,) of a random half of the repeats of each stimulus, the same for all measures."""
    assert system.trials is not None
    ids = system.trials["stimulus"].values
    yield from split_half_rows(ids, CEILING_SPLITS, design.seed.stream("ceiling"))


def quarter_trials(system: System, design: Design) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Bool (trials,) of two quarters of the repeats, one of each half; none where a stimulus has fewer than four."""
    assert system.trials is not None
    ids = system.trials["stimulus"].values
    if np.unique(ids, return_counts=True)[1].min() < 4:
        return
    draw = design.seed.stream("ceiling quarters")
    for first in half_trials(system, design):
        pair = []
        for half in (np.flatnonzero(first), np.flatnonzero(~first)):
            quarter = np.zeros(ids.size, dtype=bool)
            quarter[half[split_half_rows(ids[half], 1, draw)[0]]] = True
            pair.append(quarter)
        yield pair[0], pair[1]


def quarter_means(system: System, design: Design) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Means of two quarters of the repeats, (n, units) each."""
    assert system.trials is not None
    trials = check_responses(system.trials, who="cs.compare", name=system.name)
    for one, two in quarter_trials(system, design):
        yield average(trials[one]).values, average(trials[two]).values


def per_part(system: System) -> tuple[float, float, float]:
    """1 / repeats, meant over stimuli: in a half, a quarter and the whole."""
    assert system.trials is not None
    counts = np.unique(system.trials["stimulus"].values, return_counts=True)[1]

    def parts(m: np.ndarray) -> np.ndarray:
        return np.concatenate([m // 2, m - m // 2])

    halves = parts(counts)
    quarters = np.maximum(parts(halves), 1)
    return float(np.mean(1 / halves)), float(np.mean(1 / quarters)), float(np.mean(1 / counts))


def ceiling_of_halves(system: System, low: float, high: float) -> tuple[float, float]:
    """(low, high) from halves of the repeats, unless those do not agree at all."""
    if low > 0:
        return low, max(low, high)
    warn(
        "ceiling-missing",
        f"No noise ceiling for {shorten(system.name, 40)}: its repeats do not agree with each other (halves score "
        f"{low:.3f}).",
        "Check the recording; without signal there is nothing to compare.",
    )
    return float("nan"), float("nan")
