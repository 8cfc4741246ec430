"""What single responses are asked to tell: a label or a variable of each sample, and what chance makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from consilience._core._angles import say_turns
from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._labels import plain_labels
from consilience._core._params import check_number
from consilience.linalg._noise import labelled
from consilience.stats import autocorrelation_time, circular_shifts, p_value

__all__ = ["Target", "chance", "target_of"]


@dataclass(frozen=True, eq=False)
class Target:
    """labels : (n,) numbers of labels, or None.   values : (n, d) float64, or None.   period : of the values."""

    labels: np.ndarray | None
    values: np.ndarray | None
    period: float | None

    @property
    def circle(self) -> np.ndarray:
        """(n, d) values, angles as cosine and sine."""
        if self.values is None:
            raise TypeError
        if self.period is None:
            return self.values
        angle = 2 * np.pi * self.values / self.period
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)

    def rows(self, order: np.ndarray) -> Target:
        return Target(
            None if self.labels is None else self.labels[order],
            None if self.values is None else self.values[order],
            self.period,
        )


def target_of(
    responses: Array, target: Array, period: float | None, *, who: str, few: int
) -> tuple[np.ndarray, Target]:
    """Checks. Text, whole numbers and True/False are labels; floats, and all with a period, are a variable."""
    x = np.asarray(to_numpy(as_matrix(responses, name="responses", who=who, min_rows=few)), dtype=np.float64)
    y = plain_labels(target, name="target", who=who)
    if y.dtype.kind in "fiu" and (y.dtype.kind == "f" or period is not None):
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(x) or not y.shape[1]:
            raise InputError(
                f"{who}: target must be one value, or one row, for each of {len(x)} samples, got {y.shape}.",
                code="rows-differ",
            )
        y = y.astype(np.float64)
        if not np.isfinite(y).all():
            raise InputError(f"{who}: target has infinite values; drop those samples.", code="nan-values")
        if period is not None:
            period = check_number(period, name="period", who=who, low=0.0)
            say_turns(y, period, who=who, given=f"period={period:.4g}", stacklevel=4)
            y = np.mod(y, period)
        if (np.ptp(y, axis=0) == 0).any():
            raise InputError(f"{who}: target never changes.", code="no-structure")
        return x, Target(None, y, period)
    names, code = labelled(y, len(x), name="target", who=who)
    if names.size < 2:
        raise InputError(f"{who}: target has one label only.", code="too-few")
    return x, Target(code, None, None)


def chance(
    value: np.ndarray,
    measure: Callable[[Target], np.ndarray],
    target: Target,
    n_perm: int,
    *,
    series: bool,
    x: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and p under relabelling: samples in random order, or (of a series) the target moved on a circle by
    at least 5 autocorrelation times of whichever of both is slower for it, at most a quarter of all."""
    n, missing = len(x), np.full(value.shape, np.nan)
    if not n_perm:
        return missing, missing, missing
    if series:
        y = target.circle if target.labels is None else np.eye(target.labels.max() + 1)[target.labels]
        least = int(np.ceil(min(5 * float(autocorrelation_time(y).max()), n / 4)))
        shifts = circular_shifts(n, least, n_perm, rng)
        draws = np.stack([measure(target.rows((np.arange(n) + s) % n)) for s in shifts])
    else:
        draws = np.stack([measure(target.rows(rng.permutation(n))) for _ in range(n_perm)])
    return draws.mean(axis=0), draws.var(axis=0, ddof=1), p_value(value, draws)
