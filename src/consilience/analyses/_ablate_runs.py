"""Runs lesions of one network on its stimuli: single parts, and parts removed one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._seeds import Seed
from consilience.analyses._ablate_orders import CHOSEN, Order, by_scores, scores_by_name
from consilience.analyses._ablate_scores import Scores, effects, scores_of
from consilience.analyses._evaluate_outputs import Labels, Score, make_score
from consilience.networks._lesion import Lesions
from consilience.networks._progress import announce_long
from consilience.stats import OffDistribution

__all__ = ["Curves", "Job", "Side", "how_name", "say_cost", "steps_of"]

_RANDOM = ("resample", "noise")
_MOST_STEPS = 33
_SPREAD_STEPS = 17


@dataclass(frozen=True, eq=False)
class Side:
    """Some of the stimuli, their labels, and how outputs for them are scored."""

    data: xr.DataArray
    labels: Labels | None
    rows: np.ndarray
    score: Score
    loss: Score | None
    off: OffDistribution | None


@dataclass(frozen=True, eq=False)
class Curves:
    """Of one ``how``. random : Scores of n_orders x steps lesions.   ordered : {order: Scores of steps}.   intact : of
    the same stimuli.   sequences : {order: (P,)}.
    """

    intact: Scores
    random: Scores | None
    ordered: dict[str, Scores]
    sequences: dict[str, np.ndarray]


@dataclass(eq=False)
class Job:
    """What stays the same for all choices of ``how``."""

    net: Any
    parts: Any
    data: xr.DataArray
    labels: Labels | None
    evaluate: Any
    reference: Any
    n_draws: int
    n_orders: int
    seed: Seed
    watch: str
    output: str
    device: str | None
    batch_size: int | None
    progress: bool | None
    who: str
    off: OffDistribution | None = None
    outputs: np.ndarray = field(default_factory=lambda: np.zeros(0))
    words: dict[str, str] = field(default_factory=dict)

    @property
    def watching(self) -> bool:
        return self.watch != self.output

    def open(self, how: Any, data: xr.DataArray | None = None) -> Lesions:
        """Lesions of the parts; ``data``: of other stimuli than all."""
        reference = self.reference
        if data is not None and reference is None:
            reference = self.data
        return Lesions(
            self.net,
            self.data if data is None else data,
            self.parts,
            how=how,
            reference=reference,
            rng=self.seed.stream(f"lesions {how_name(how)}"),
            batch_size=self.batch_size,
            device=self.device,
            watch=self.watch if self.watching else None,
            output=self.output,
            progress=self.progress,
            noise=int(self.seed.stream("noise of the network").integers(2**62)),
            who=self.who,
        )

    def side(self, rows: np.ndarray) -> Side:
        """Those ``rows`` of the stimuli; `outputs` are known by then."""
        labels = None if self.labels is None else labels_at(self.labels, rows)
        outputs = self.outputs[rows]
        score = make_score(self.evaluate, labels, outputs, who=self.who)
        loss = None
        if score.name == "accuracy":
            loss = make_score("loss", labels, outputs, who=self.who)
        return Side(self.data.isel({self.data.dims[0]: rows}), labels, rows, score, loss, self.off)

    def draws(self, how: Any) -> list[int]:
        return list(range(self.n_draws)) if is_random(how) else [0]

    def scores(self, run: Lesions, side: Side, masks: np.ndarray | None, draws: list[int]) -> Scores:
        return scores_of(
            run,
            masks,
            side.score,
            draws=draws,
            loss=side.loss,
            off=side.off,
            rows=side.rows,
            watching=self.watching,
        )

    def singles(self, run: Lesions, side: Side, how: Any) -> Scores:
        return self.scores(run, side, np.eye(len(self.parts), dtype=bool), self.draws(how))

    def curves(
        self, run: Lesions, side: Side, how: Any, sequences: dict[str, np.ndarray], steps: np.ndarray
    ) -> Curves:
        """Scores along each order; random orders each with a random replacement of their own."""
        intact = self.scores(run, side, None, [0])
        count, rng = len(self.parts), self.seed.stream("orders")
        random = None
        if self.n_orders:
            drawn = [nested(rng.permutation(count), steps) for _ in range(self.n_orders)]
            if is_random(how):
                random = joined([self.scores(run, side, masks, [k]) for k, masks in enumerate(drawn)])
            else:
                random = self.scores(run, side, np.concatenate(drawn), [0])
        ordered = {
            name: self.scores(run, side, nested(sequence, steps), self.draws(how))
            for name, sequence in sequences.items()
        }
        return Curves(intact, random, ordered, sequences)

    def sequences(
        self, orders: list[Order], how: Any, choosing: Side, impacts: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Part numbers in their order of removal, found on the ``choosing`` stimuli (not of random orders)."""
        out = {}
        for order in orders:
            tie = self.seed.stream(f"ties {order.kind}")
            if order.kind == "given":
                assert order.sequence is not None
                out[order.name] = order.sequence
            elif order.kind == "greedy":
                out[order.name] = self._greedy(how, choosing, worst=order.reverse)
            elif order.kind == "impact":
                assert impacts is not None
                out[order.name] = by_scores(impacts, order.reverse, tie)
                self.words[order.kind] = "impact of the part alone"
            elif order.kind in CHOSEN:
                values, self.words[order.kind] = scores_by_name(
                    order.kind,
                    self.net,
                    self.parts,
                    choosing.data,
                    choosing.labels,
                    baseline=how_name(how),
                    device=self.device,
                    batch_size=self.batch_size,
                )
                out[order.name] = by_scores(values, order.reverse, tie)
        return out

    def _greedy(self, how: Any, side: Side, *, worst: bool) -> np.ndarray:
        """At each step the part goes whose loss costs least (most, with ``worst``), beside those that are gone."""
        count = len(self.parts)
        gone = np.zeros(count, dtype=bool)
        sequence: list[int] = []
        plain = Side(side.data, side.labels, side.rows, side.score, None, None)
        self.words["greedy"] = (
            "least is lost by what goes next" if not worst else "most is lost by what goes next"
        )
        with self.open(how, side.data) as run:
            while len(sequence) < count:
                left = np.flatnonzero(~gone)
                masks = np.repeat(gone[None], left.size, axis=0)
                masks[np.arange(left.size), left] = True
                found = self.scores(run, plain, masks, self.draws(how))
                good = found.sign * found.value
                pick = int(left[np.argmin(good) if worst else np.argmax(good)])
                gone[pick] = True
                sequence.append(pick)
        return np.array(sequence)

    def impacts_on(self, how: Any, side: Side) -> np.ndarray:
        """Impact of each part alone on other stimuli, for an order."""
        with self.open(how, side.data) as run:
            intact = self.scores(run, side, None, [0])
            return effects(intact, self.singles(run, side, how), 0.95)[0]


def labels_at(labels: Labels, rows: np.ndarray) -> Labels:
    """Of some stimuli; classes keep their numbers."""
    return Labels(
        values=labels.values[rows],
        codes=None if labels.codes is None else labels.codes[rows],
        classes=labels.classes,
    )


def joined(parts: list[Scores]) -> Scores:
    """Lesions of several runs, one after the other."""

    def glue(name: str) -> np.ndarray | None:
        found = [getattr(one, name) for one in parts]
        return None if found[0] is None else np.concatenate(found)

    value = glue("value")
    assert value is not None
    return Scores(
        value=value,
        each=glue("each"),
        loss=glue("loss"),
        distance=glue("distance"),
        sign=parts[0].sign,
        bounded=parts[0].bounded,
        paired=parts[0].paired,
    )


def nested(sequence: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(steps, P) masks: the first ``k`` parts of the sequence are gone."""
    masks = np.zeros((steps.size, sequence.size), dtype=bool)
    for t, k in enumerate(steps):
        masks[t, sequence[:k]] = True
    return masks


def steps_of(steps: Any, n_parts: int) -> np.ndarray:
    """Numbers of removed parts at which curves are read: 0, all, and what is between."""
    if steps is None:
        if n_parts < _MOST_STEPS:
            return np.arange(n_parts + 1)
        return np.unique(np.linspace(0, n_parts, _SPREAD_STEPS).round().astype(int))
    return np.unique(np.concatenate([[0], np.asarray(steps, dtype=np.int64)]))


def is_random(how: Any) -> bool:
    return isinstance(how, str) and how in _RANDOM


def how_name(how: Any) -> str:
    """What results show for a choice of ``how``."""
    if isinstance(how, str):
        return how
    if callable(how):
        own = str(getattr(how, "__name__", type(how).__name__))
        return "function" if own == "<lambda>" else own
    if isinstance(how, dict):
        return "by layer"
    array = np.asarray(how, dtype=np.float64)
    return f"clamp {float(array):g}" if array.ndim == 0 else "clamp"


def say_cost(seconds: float, lesions: int, share: float, route: str, shown: bool | None) -> None:
    """Announces what a long run will take, in the log and on stderr."""
    how = f" ({route}, {share:.0%} of a forward pass each)"
    announce_long("cs.ablate", f"{lesions:,} lesions", seconds, shown, how=how)
