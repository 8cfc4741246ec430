"""What the solvers of GLMs of many neurons share: which neurons still descend, and neurons in chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Course", "Solved", "in_chunks"]

_TOGETHER = 1 << 24  # entries (n, t) of neurons that are solved together
_DONE = 0.3  # share of the neurons at work that are at their end, past which the others go on alone


@dataclass(frozen=True)
class Solved:
    """theta : (q + 1, t).   gain : (t,) expected gain of log-likelihood (nats) that is left.   iterations : (t,)."""

    theta: np.ndarray
    gain: np.ndarray
    iterations: np.ndarray


class Course:
    """The neurons of one descent: those at work, and where each stood last. theta : (q + 1, t) where they start."""

    def __init__(self, theta: np.ndarray) -> None:
        t = theta.shape[1]
        self._theta, self._gain = theta.copy(), np.full(t, np.inf)
        self._iterations, self._active = np.zeros(t, np.int64), np.arange(t)

    def note(self, theta: np.ndarray, gain: np.ndarray, iteration: int) -> None:
        """Where the neurons at work stand, and what they may still gain."""
        self._theta[:, self._active], self._gain[self._active] = theta, gain
        self._iterations[self._active] = iteration

    def fewer(self, done: np.ndarray) -> np.ndarray | None:
        """Which of the neurons at work go on, where enough are ``done`` to go on without them."""
        if done.mean() <= _DONE:
            return None
        kept = np.flatnonzero(~done)
        self._active = self._active[kept]
        return kept

    def solved(self) -> Solved:
        return Solved(self._theta, self._gain, self._iterations)


def in_chunks(solve, design, y, observation, alpha, theta, tol, max_iter, *more):
    """``solve`` for some neurons at a time, so that memory is bounded."""
    t = y.shape[1]
    width = max(1, _TOGETHER // max(1, design.n))
    parts = []
    for start in range(0, t, width):
        u = np.arange(start, min(start + width, t))
        parts.append(
            solve(design, y[:, u], observation.take(u), alpha[u], theta[:, u], tol[u], max_iter, *more)
        )
    return Solved(
        np.concatenate([p.theta for p in parts], axis=1),
        np.concatenate([p.gain for p in parts]),
        np.concatenate([p.iterations for p in parts]),
    )
