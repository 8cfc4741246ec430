"""Games that `cs.shapley` plays: the parts of a network under lesions, or a function of coalitions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.analyses._evaluate_outputs import evaluate_masks, make_score, read_labels
from consilience.networks._lesion import Lesions

__all__ = ["Game", "function_game", "network_game"]

WHO = "cs.shapley"
HELD = 1 << 22  # values of coalitions that are held at once
MOST_CLASSES = 200


@dataclass
class Game:
    """``values(present (m, P), draw)`` -> (m, n): what coalitions are worth for each of n stimuli (n = 1 without any),
    higher = better. ``random``: it hangs on the draw of what replaces the absent.
    """

    names: list[str]
    play: Callable[[np.ndarray, int], np.ndarray]
    n: int
    members: np.ndarray  # (groups, n): all stimuli, then the classes
    classes: list[str] = field(default_factory=list)
    stimuli: list[Any] = field(default_factory=list)
    random: bool = False
    per_stimulus: bool = True
    score: str = "value"
    system: str = "game"
    about: dict[str, Any] = field(default_factory=dict)
    seconds: Callable[[int], float] = lambda m: 0.0
    played: int = 0

    def values(self, present: np.ndarray, draw: int = 0) -> np.ndarray:
        """In pieces, so that (m, n) of a piece stays small."""
        size = max(1, HELD // self.n)
        parts = [self.play(present[i : i + size], draw) for i in range(0, len(present), size)]
        self.played += len(present)
        return np.concatenate(parts)


def network_game(run: Lesions, evaluate: Any, target: Any, *, random: bool, who: str = WHO) -> Game:
    """The parts of ``run`` as players; whoever is absent is lesioned. Losses are turned round: higher = better."""
    labels = read_labels(run.data, target, who=who)
    score = make_score(evaluate, labels, run.intact, who=who)
    n = run.n if score.per_stimulus else 1
    members, classes = [np.ones(n, dtype=bool)], []
    known = None if labels is None or labels.codes is None else labels.classes
    if labels is not None and score.per_stimulus and known is not None and 2 <= len(known) <= MOST_CLASSES:
        classes = [str(name) for name in known.tolist()]
        members += [np.asarray(labels.codes == k) for k in range(len(classes))]

    def play(present: np.ndarray, draw: int) -> np.ndarray:
        return score.sign * evaluate_masks(run, ~present, score, draw=draw)

    cost = run.cost(1)
    return Game(
        names=list(run.names),
        play=play,
        n=n,
        members=np.array(members),
        classes=classes,
        stimuli=run.data[run.data.dims[0]].values.tolist() if score.per_stimulus else [],
        random=random,
        per_stimulus=score.per_stimulus,
        score=score.name if score.sign > 0 else f"{score.name}, below 0",
        system=run.net.name,
        about={"route": cost.route, "share": float(cost.share)},
        seconds=lambda m: float(run.cost(m).seconds),
    )


def function_game(game: Callable[..., Any], names: Sequence[Any] | None, n_players: Any) -> Game:
    """``game(present (m, P) bool)`` -> (m,), or (m, n) with a value for each of n stimuli."""
    if names is None and n_players is None:
        raise InputError(
            f"{WHO}: a function needs its players: names=[...] or n_players=.", code="bad-parameter"
        )
    known = None if names is None else [str(name) for name in names]
    count = len(known) if known is not None else 0
    if n_players is not None:
        n_players = check_count(n_players, name="n_players", who=WHO, minimum=1)
        if known is not None and count != n_players:
            raise InputError(f"{WHO}: {count} names for n_players={n_players}.", code="shape-mismatch")
        count = n_players
    if known is None:
        known = [f"player{i}" for i in range(count)]
    if len(set(known)) != len(known) or not known:
        raise InputError(
            f"{WHO}: names= must be different, and at least one; got {shorten(known)}.", code="bad-parameter"
        )

    def call(present: np.ndarray) -> np.ndarray:
        asked = present.copy()
        asked.flags.writeable = False
        found = np.asarray(to_numpy(game(asked)))
        if found.dtype.kind not in "biuf" or found.ndim not in (1, 2) or found.shape[0] != len(present):
            raise InputError(
                f"{WHO}: the game gets present, booleans ({len(present)}, {count}), and must return one number for "
                f"each row, ({len(present)},) or ({len(present)}, stimuli); got shape {found.shape}, {found.dtype}.",
                code="bad-game",
            )
        found = found.astype(np.float64)
        known = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
        if not known.all():
            raise InputError(
                f"{WHO}: the game is NaN or infinite for {int((~known).sum())} coalitions, e.g. that of "
                f"{shorten(np.flatnonzero(present[~known][0]).tolist(), 60)}.",
                code="nan-values",
            )
        return found

    ends = np.zeros((2, count), dtype=bool)
    ends[1] = True
    start = time.perf_counter()
    first = call(ends)
    seconds = (time.perf_counter() - start) / 2
    n = first.shape[1] if first.ndim == 2 else 1

    def play(present: np.ndarray, draw: int) -> np.ndarray:
        found = call(present).reshape(len(present), -1)
        if found.shape[1] != n:
            raise InputError(
                f"{WHO}: the game returned {n} values a coalition, then {found.shape[1]}.", code="bad-game"
            )
        return found

    return Game(
        names=known,
        play=play,
        n=n,
        members=np.ones((1, n), dtype=bool),
        stimuli=list(range(n)) if first.ndim == 2 else [],
        per_stimulus=first.ndim == 2 and n > 1,
        score=str(getattr(game, "__name__", "value")).replace("<lambda>", "value"),
        seconds=lambda m: seconds * m,
    )
