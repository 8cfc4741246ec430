"""Scores of pairs of runs: the difference of two answers, or what `evaluate` names elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience.analyses._evaluate_outputs import EVALUATES, make_score, read_labels

__all__ = ["PairScore", "make_pair_score", "pair_labels"]

_OWN = ("difference", "logit")
_WORDS = {"difference": "difference of the two answers", "logit": "output of the target"}


def pair_labels(
    sides: tuple[xr.DataArray, xr.DataArray | None], target: Any, other: Any, *, who: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(n, ...) the target of each pair, from the clean side, and its rival, from the corrupted one."""
    one, two = sides
    found = read_labels(one, target, who=who)
    if other is None and isinstance(target, str) and two is not None and target in two.coords:
        other = target
    if other is None:
        return None if found is None else found.values, None
    rival = read_labels(two if isinstance(other, str) and two is not None else one, other, who=who)
    return None if found is None else found.values, None if rival is None else rival.values


class PairScore:
    """Scores (b,) of outputs (b, ...) of some pairs, higher = better."""

    def __init__(self, evaluate: Any, target: Any, other: Any, position: int | None, who: str) -> None:
        self.evaluate, self.target, self.other, self.position, self.who = (
            evaluate,
            target,
            other,
            position,
            who,
        )
        self.name = _WORDS.get(evaluate, str(evaluate)) if isinstance(evaluate, str) else "score"
        self._made: Any = None

    def learn(self, outputs: np.ndarray, n: int) -> None:
        """What the outputs of one block say about all ``n`` pairs."""
        if self._made is not None or self.evaluate in _OWN:
            return
        read = self._read(outputs)
        full = read[np.resize(np.arange(len(read)), n)]
        self._made = make_score(self.evaluate, self.target, full, who=self.who)
        if not self._made.per_stimulus:
            raise InputError(
                f"{self.who}: evaluate must give one number for each pair, (n,), not one for all of them.",
                code="bad-evaluate",
            )
        self.name = self._made.name

    def __call__(self, outputs: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        read = self._read(outputs)
        if self._made is not None:
            return np.asarray(self._made.sign * self._made(read, pairs), dtype=np.float64)
        value = self._of(read, self.target, pairs, "target")
        return value if self.evaluate == "logit" else value - self._of(read, self.other, pairs, "other")

    def _read(self, outputs: np.ndarray) -> np.ndarray:
        if self.position is None and (callable(self.evaluate) or outputs.ndim < 3):
            return outputs
        at = -1 if self.position is None else self.position
        if outputs.ndim < 3 or not -outputs.shape[1] <= at < outputs.shape[1]:
            raise InputError(
                f"{self.who}: position={at} is not a token of the output, whose shape per stimulus is "
                f"{outputs.shape[1:]}.",
                code="bad-parameter",
            )
        return outputs[:, at]

    def _of(self, read: np.ndarray, labels: np.ndarray | None, pairs: np.ndarray, name: str) -> np.ndarray:
        if labels is None:
            raise InputError(
                f"{self.who}: evaluate={self.evaluate!r} needs {name}= (the number of the output for each pair, or the "
                "name of a label of the stimuli); or pass a function of the outputs.",
                code="no-target",
            )
        labels = np.asarray(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or read.ndim != 2:
            raise InputError(
                f"{self.who}: {name} must be the number of an output for each pair, and outputs (pairs, outputs); got "
                f"{labels.dtype} {labels.shape} and outputs {read.shape}.",
                code="bad-label",
            )
        mine = labels[pairs]
        if mine.min() < 0 or mine.max() >= read.shape[1]:
            raise InputError(
                f"{self.who}: {name} names output {int(mine.max())}, and there are {read.shape[1]}, from 0.",
                code="class-mismatch",
            )
        return np.asarray(read[np.arange(len(mine)), mine], dtype=np.float64)


def make_pair_score(evaluate: Any, target: Any, other: Any, position: int | None, *, who: str) -> PairScore:
    known = (*_OWN, *EVALUATES)
    if not callable(evaluate) and evaluate not in known:
        raise InputError(
            f"{who}: evaluate must be one of {', '.join(map(repr, known))} or a function of the outputs, got "
            f"{evaluate!r}.",
            code="bad-evaluate",
        )
    return PairScore(evaluate, target, other, position, who)
