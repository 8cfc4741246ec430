"""How good the outputs of a network are: accuracy, loss, probability of the class, or a function of the caller's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.networks._chance import same_draws

__all__ = [
    "EVALUATES",
    "Labels",
    "Score",
    "evaluate_masks",
    "make_network_score",
    "make_score",
    "read_labels",
]

EVALUATES = ("accuracy", "loss", "probability")
_TINY = 1e-12  # a probability of 0 costs 27.6 nats, not infinity


@dataclass(frozen=True, kw_only=True)
class Labels:
    """values : (n, ...) the target as numbers or text.   codes : (n,) 0 ... C - 1, and classes (C,) their names, in
    order; None where the target is real numbers, or not one label per stimulus.
    """

    values: np.ndarray
    codes: np.ndarray | None = None
    classes: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good outputs are.

    name : in words.   sign : +1 higher is better, -1 lower is (a loss).   per_stimulus : f(outputs (b, *out), rows)
    gives (b,) numbers; else f(outputs (n, *out)) gives one, and has no parts per stimulus.   on_network : f takes
    nothing and runs the network itself; ``per_stimulus`` then says whether it gives (n,) numbers or one.
    """

    name: str
    sign: int = 1
    per_stimulus: bool = True
    on_network: bool = False
    f: Callable[..., np.ndarray]

    def __call__(self, outputs: np.ndarray, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        return self.f(outputs, rows)


def read_labels(stimuli: xr.DataArray, target: Any, *, who: str) -> Labels | None:
    """``target`` of n stimuli: an array (n,) or (n, ...), the name of a coordinate of the stimuli, or None."""
    if target is None:
        return None
    n = stimuli.sizes[stimuli.dims[0]]
    if isinstance(target, str):
        known = [str(k) for k, c in stimuli.coords.items() if c.dims == stimuli.dims[:1] and k != "stimulus"]
        if target not in known:
            raise InputError(
                f"{who}: the stimuli have no label {target!r}; pass target= as an array of {n} labels, or the name of "
                f"a coordinate on stimulus.{nearest(target, known)}",
                code="unknown-label",
            )
        values = np.asarray(stimuli[target].values)
    else:
        values = to_numpy(target)
    if values.dtype.kind == "O" and all(isinstance(v, str) for v in values.ravel().tolist()):
        values = values.astype(str)
    if values.dtype.kind not in "biufU":
        raise InputError(
            f"{who}: target must be labels (text or whole numbers) or real numbers, got dtype {values.dtype}.",
            code="bad-label",
        )
    if values.ndim == 0 or values.shape[0] != n:
        raise InputError(
            f"{who}: target must have one entry for each of {n} stimuli, got shape {values.shape}.",
            code="shape-mismatch",
        )
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            bad = int(np.argwhere(~np.isfinite(values))[0][0])
            raise InputError(
                f"{who}: target has NaN or infinity, first for stimulus {bad}; leave those stimuli out.",
                code="nan-values",
            )
        if values.ndim == 1 and np.array_equal(values, np.round(values)) and np.abs(values).max() < 2**53:
            values = values.astype(np.int64)
    elif values.dtype.kind in "iub":
        values = values.astype(np.int64)
    if values.ndim > 1 or values.dtype.kind == "f":
        return Labels(values=values)
    classes, codes = np.unique(values, return_inverse=True)
    if classes.size > max(2, n // 2) and values.dtype.kind != "U":  # numbers that happen to be whole
        return Labels(values=values)
    return Labels(values=values, codes=codes, classes=classes)


def make_score(evaluate: Any, target: Labels | Any, outputs: np.ndarray, *, who: str) -> Score:
    """The score that ``evaluate`` names, for outputs like the intact ``outputs`` (n, *out).

    ``"accuracy"``: 1 where the largest of the (classes,) outputs is the target's (1 / k where k are equally large).
    ``"loss"``: cross-entropy, - log softmax(outputs)[target], for class targets (outputs that are probabilities,
    not negative with sum 1, are taken as such); mean squared error for real numbers. ``"probability"``: softmax of
    the target class. Outputs (n, steps, classes) with a target (n, steps) are averaged over steps. A function gets
    (outputs, target), or (outputs), and returns (n,) scores, or one number; higher is better. Text labels stand for
    outputs in sorted order.
    """
    outputs = np.asarray(outputs)
    labels = (
        target
        if isinstance(target, Labels) or target is None
        else read_labels(xr.DataArray(np.zeros(len(outputs)), dims="stimulus"), target, who=who)
    )
    if callable(evaluate):
        return _function(evaluate, labels, outputs, who)
    if not isinstance(evaluate, str) or evaluate not in EVALUATES:
        hint = nearest(evaluate, EVALUATES) if isinstance(evaluate, str) else ""
        raise InputError(
            f"{who}: evaluate must be 'accuracy', 'loss', 'probability' or a function, got {shorten(evaluate)}."
            f"{hint if hint.startswith(' Did') else ''}",
            code="bad-evaluate",
        )
    if labels is None:
        raise InputError(
            f"{who}: evaluate={evaluate!r} needs target= (a label per stimulus, or the name of a coordinate of the "
            "stimuli); or pass a function of the outputs.",
            code="no-target",
        )
    values = labels.values
    if evaluate == "loss" and (values.dtype.kind == "f" or _numbers(values, outputs)):
        return Score(name="mean squared error", sign=-1, f=_squared(values, outputs, who))
    logits, index = _class_outputs(labels, outputs, who, evaluate)
    as_probabilities = _are_probabilities(logits(outputs))

    def log_p(block: np.ndarray, rows: Any) -> np.ndarray:
        x = _finite(logits(block), who)
        if as_probabilities:
            x = np.log(np.maximum(x, _TINY) / np.maximum(x.sum(axis=-1, keepdims=True), _TINY))
        else:
            x = x - x.max(axis=-1, keepdims=True)
            x = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
        return np.take_along_axis(x, index[rows][..., None], axis=-1)[..., 0]

    def accuracy(block: np.ndarray, rows: Any) -> np.ndarray:
        x = _finite(logits(block), who)
        top = x == x.max(axis=-1, keepdims=True)
        hit = np.take_along_axis(top, index[rows][..., None], axis=-1)[..., 0]
        return _per_stimulus(hit / top.sum(axis=-1))

    if evaluate == "accuracy":
        return Score(name="accuracy", f=accuracy)
    if evaluate == "loss":
        return Score(name="cross-entropy", sign=-1, f=lambda block, rows: _per_stimulus(-log_p(block, rows)))
    return Score(
        name="probability of the class", f=lambda block, rows: _per_stimulus(np.exp(log_p(block, rows)))
    )


def make_network_score(evaluate: Any, net: Any, *, noise: int = 0, who: str) -> Score:
    """A function f(net), or f(), that runs the network itself and returns one number, or (n,) scores of stimuli in a
    fixed order. It is called with what the caller passed as the network; torch draws from the seed ``noise`` in it, so
    that networks that draw at random meet the same noise intact and lesioned.
    """
    if not callable(evaluate):
        raise InputError(
            f"{who}: evaluate={shorten(evaluate)} needs stimuli= and target=; without stimuli= pass a function of the "
            "network, f(net) -> number.",
            code="no-stimuli",
        )
    takes = _positional(evaluate)

    def run(*_ignored: Any) -> np.ndarray:
        with same_draws(noise):
            value = np.asarray(to_numpy(evaluate(net) if takes else evaluate()), dtype=np.float64)
        return _checked_value(value, who)

    return Score(name=_name(evaluate), per_stimulus=False, on_network=True, f=run)


def evaluate_masks(run: Any, masks: np.ndarray, score: Score, *, draw: int = 0) -> np.ndarray:
    """Scores under lesions: (m, n), or (m, 1) for a function that has no parts per stimulus.

    run : `networks._lesion.Lesions`.   masks : (m, P) bool, True = removed.
    """
    if score.per_stimulus:
        return np.asarray(run.scores(masks, score.f, draw=draw), dtype=np.float64)
    return np.array([[float(score.f(outputs, slice(None)))] for outputs in run.outputs(masks, draw=draw)])


def _function(f: Callable[..., Any], labels: Labels | None, outputs: np.ndarray, who: str) -> Score:
    two = _positional(f) >= 2
    if two and labels is None:
        raise InputError(
            f"{who}: {_name(f)} takes outputs and target, and target= is None; pass it, or a function of the outputs.",
            code="no-target",
        )

    def call(block: np.ndarray, rows: Any) -> np.ndarray:
        block = block.view()
        block.flags.writeable = False
        value = f(block, labels.values[rows]) if two and labels is not None else f(block)
        return _checked_value(np.asarray(to_numpy(value), dtype=np.float64), who)

    n = len(outputs)
    whole = call(outputs, slice(None))
    if whole.ndim == 0:
        return Score(name=_name(f), per_stimulus=False, f=call)
    half = slice(0, max(1, n // 2))
    part = call(outputs[half], half) if n > 1 else whole
    if whole.shape != (n,) or part.shape != whole[half].shape:
        raise InputError(
            f"{who}: {_name(f)} must return one number per stimulus, ({n},), or a single number, got shape "
            f"{whole.shape}.",
            code="bad-evaluate",
        )
    if not np.allclose(part, whole[half], rtol=1e-5, atol=1e-8):
        raise InputError(
            f"{who}: {_name(f)} gives a stimulus another score when fewer stimuli are shown; it must score each by "
            "itself, or return a single number.",
            code="bad-evaluate",
        )
    return Score(name=_name(f), f=call)


def _checked_value(value: np.ndarray, who: str) -> np.ndarray:
    if value.ndim == 1 and value.size == 1:
        value = value.reshape(())
    if value.ndim > 1 or not value.size:
        raise InputError(
            f"{who}: evaluate must return one number, or one per stimulus, got shape {value.shape}.",
            code="bad-evaluate",
        )
    if not np.isfinite(value).all():
        raise InputError(f"{who}: evaluate returned NaN or infinity.", code="nan-values")
    return value


def _positional(f: Callable[..., Any]) -> int:
    """How many positional arguments a function takes; 1 where that is not known."""
    try:
        known = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(p.kind == p.VAR_POSITIONAL for p in known):
        return 2
    return sum(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and (p.default is p.empty or p.name == "target")
        for p in known
    )


def _name(f: Any) -> str:
    own = str(getattr(f, "__name__", type(f).__name__))
    return "score" if own == "<lambda>" else own


def _numbers(values: np.ndarray, outputs: np.ndarray) -> bool:
    """Is a whole-number target the value of the output itself, not a class? One output, and values beside 0 and 1."""
    single = outputs.ndim == values.ndim or outputs.shape[-1] == 1
    return values.dtype.kind in "iu" and single and not np.isin(values, (0, 1)).all()


def _squared(values: np.ndarray, outputs: np.ndarray, who: str) -> Callable[..., np.ndarray]:
    shape = (values.shape[0], int(np.prod(values.shape[1:])))
    if outputs.size != values.size:
        raise InputError(
            f"{who}: a target of real numbers must have the shape of the outputs, {outputs.shape}, got {values.shape}; "
            "classes are text or whole numbers.",
            code="shape-mismatch",
        )
    wanted = values.reshape(shape).astype(np.float64)
    return lambda block, rows: ((_finite(block, who).reshape(len(block), -1) - wanted[rows]) ** 2).mean(
        axis=1
    )


def _class_outputs(
    labels: Labels, outputs: np.ndarray, who: str, evaluate: str
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """How outputs become (b[, steps], classes), and the number of the target's class (n[, steps])."""
    values = labels.values
    if values.dtype.kind == "f":
        raise InputError(
            f"{who}: evaluate={evaluate!r} needs a class for each stimulus (text or whole numbers); the target is real "
            "numbers. Use evaluate='loss', or a function.",
            code="bad-label",
        )

    def same(block: np.ndarray) -> np.ndarray:
        return np.asarray(block, dtype=np.float64)

    def two(block: np.ndarray) -> np.ndarray:  # one output is the log odds of the second class
        odds = np.asarray(block, dtype=np.float64).reshape((len(block), *values.shape[1:]))
        return np.stack([np.zeros_like(odds), odds], axis=-1)

    one = outputs.size == values.size
    if not one and (outputs.ndim != values.ndim + 1 or outputs.shape[: values.ndim] != values.shape):
        raise InputError(
            f"{who}: evaluate={evaluate!r} reads outputs (stimuli, classes), or (stimuli, steps, classes) with a "
            f"target (stimuli, steps); the outputs are {outputs.shape} and the target {values.shape}. Name "
            "another output= or pass a function.",
            code="shape-mismatch",
        )
    k = 2 if one else outputs.shape[-1]
    if values.dtype.kind == "U":
        names = np.unique(values)
        if names.size != k:
            raise InputError(
                f"{who}: the target has {names.size} names and the network {k} outputs, so their order is not known; "
                "pass the number of the output of each stimulus as target=.",
                code="class-mismatch",
            )
        index = np.searchsorted(names, values)
    else:
        index = values
        if index.min() < 0 or index.max() >= k:
            raise InputError(
                f"{who}: target has classes {int(index.min())} to {int(index.max())}, and the network has outputs 0 to "
                f"{k - 1}; pass the number of the output of each stimulus.",
                code="class-mismatch",
            )
    return (two if one else same), index


def _are_probabilities(x: np.ndarray) -> bool:
    return bool((x >= 0).all() and np.allclose(x.sum(axis=-1), 1.0, atol=1e-4))


def _per_stimulus(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.reshape(len(x), -1).mean(axis=1))


def _finite(x: np.ndarray, who: str) -> np.ndarray:
    if not np.isfinite(x).all():
        raise InputError(
            f"{who}: the outputs hold NaN or infinity; a lesion may drive the network out of range; use how='mean'.",
            code="nan-values",
        )
    return x
