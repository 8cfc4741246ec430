"""The tables of `decode`: scores over time with intervals and p, recall of each class, the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats as distributions

from consilience._core._errors import warn
from consilience.analyses._decode_across import (
    added,
    one_sided,
    training_halves,
    training_variance,
    variance_of_halves,
)
from consilience.analyses._decode_classes import Decoded, Decoder
from consilience.analyses._decode_design import Design
from consilience.analyses._decode_values import Values
from consilience.stats import class_weights, max_statistic_p, p_value, proportion_interval

__all__ = ["ClassTables", "class_tables", "summary", "tests_of", "value_tables"]

FIELDS = ("value", "ci_low", "ci_high", "p", "p_fwer", "null_mean")


@dataclass
class ClassTables:
    """value, variance, items, df : of the score, (times[, times]).   nulls : (m, ...) each, the largest p counts.
    diagonal_null : (m, times), of a matrix of times.   recall, recall_variance (C, times),
    recall_items (C,).   confusion : (C, C, times) counts, true first.   found : the predictions.
    """

    value: np.ndarray
    variance: np.ndarray | None
    items: float
    df: Any
    recall_df: Any
    nulls: list[np.ndarray]
    diagonal_null: np.ndarray | None
    recall: np.ndarray | None
    recall_variance: np.ndarray | None
    recall_items: np.ndarray
    confusion: np.ndarray
    found: Decoded


def class_tables(
    design: Design, decoder: Decoder, seed: Any, *, n_boot: int, n_perm: int, n_deals: int
) -> ClassTables:
    codes, classes = design.target.codes, design.target.classes
    assert codes is not None
    assert classes is not None
    score, size = decoder.score, classes.size
    found = decoder.decode(design.x, codes, design.splits)
    own = codes[found.rows]
    hits = not score.needs_scores
    recalls = _recalls(found, own, size, decoder.generalise) if hits else None
    variance = recall_variance = diagonal_null = None
    df: Any = max(1, design.blocks - 1)
    recall_df: Any = df
    nulls: list[np.ndarray] = []
    if n_boot:
        weights = design.weights(n_boot, seed.stream("bootstrap"))[:, found.rows]
        weights = weights[weights.sum(axis=1) > 0]
        small = class_weights(own, size, balanced=score.balanced, draws=weights)
        draws = np.tensordot(small, found.credits, 1)
        less = design.blocks / max(1, design.blocks - 1)
        variance = design.factor * less * score.gain**2 * draws.var(axis=0, ddof=1)
        others = _others(design, decoder, codes, seed, n_deals)
        variance = variance + _spread(found.value, [o.value for o in others])
        if recalls is not None:
            each = np.stack([_share(weights * (own == c), _diagonal(found, decoder)) for c in range(size)])
            recall_variance = design.factor * less * _variance(each)
            more = [_recalls(o, codes[o.rows], size, decoder.generalise) for o in others]
            recall_variance = recall_variance + _spread(recalls, more)
        if design.across or decoder.generalise:
            variance, df, recall_variance, recall_df = _with_training(
                design, decoder, codes, variance, recall_variance
            )
    if n_perm:
        labels = design.relabel(n_perm, seed.stream("permutations"))
        if design.across or decoder.generalise:
            nulls = list(one_sided(design, decoder, found, labels))
        else:
            nulls = [decoder.values(design.x, labels, design.splits)]
        if decoder.generalise and not design.across:
            narrow = Decoder(decoder.model, classes, score, standardise=decoder.standardise, generalise=False)
            diagonal_null = narrow.values(design.x, labels, design.splits)
    predicted = _diagonal_of(found.predicted, decoder.generalise)
    confusion = np.zeros((size, size, predicted.shape[1]))
    for t in range(predicted.shape[1]):
        np.add.at(confusion[:, :, t], (own, predicted[:, t]), 1)
    groups = _independent(design, found.rows, own, size)
    items = float(size**2 / (1.0 / groups).sum() if score.balanced else groups.sum())
    return ClassTables(
        found.value,
        variance,
        min(items, float(design.blocks)),
        df,
        recall_df,
        nulls,
        diagonal_null,
        recalls,
        recall_variance,
        groups,
        confusion,
        found,
    )


def _with_training(
    design: Design, decoder: Decoder, codes: np.ndarray, variance: Any, recall_variance: Any
) -> tuple[Any, Any, Any, Any]:
    """Variances with that over training rows, and degrees of freedom; of times tested where they were trained (the
    diagonal) as without.
    """
    size, base = decoder.classes.size, max(1, design.blocks - 1)
    shape = variance.shape

    def scores(splits: list[Any]) -> np.ndarray:
        found = decoder.decode(design.x, codes, splits)
        if recall_variance is None:
            return found.value.reshape(-1)
        return np.concatenate(
            [
                found.value.reshape(-1),
                _recalls(found, codes[found.rows], size, decoder.generalise).reshape(-1),
            ]
        )

    more, more_df = training_variance(design, scores)
    more = np.broadcast_to(more, variance.size + (0 if recall_variance is None else recall_variance.size))
    own = more[: variance.size].reshape(shape)
    if decoder.generalise and not design.across:
        own = np.where(np.eye(len(own), dtype=bool), 0.0, own)
    variance, df = added(variance, base, own, more_df)
    recall_df: Any = base
    if recall_variance is not None and design.across:
        rest = more[variance.size :].reshape(recall_variance.shape)
        recall_variance, recall_df = added(recall_variance, base, rest, more_df)
    return variance, df, recall_variance, recall_df


def _variance(draws: np.ndarray) -> np.ndarray:
    """Over draws (C, draws, times), NaN left out; NaN of a class that was never tested."""
    known = np.isfinite(draws).sum(axis=1) > 1
    return np.where(known, np.nanvar(np.where(known[:, None], draws, [[[0.0]]]), axis=1, ddof=1), np.nan)


def _others(design: Design, decoder: Decoder, codes: np.ndarray, seed: Any, n_deals: int) -> list[Decoded]:
    if design.deal is None:
        return []
    deals = [design.deal(seed.child(f"deal{k}")) for k in range(n_deals)]
    return [decoder.decode(design.x, codes, splits) for splits in deals]


def _spread(value: np.ndarray, others: list[Any]) -> np.ndarray | float:
    """Variance over deals of the folds, ``value`` one of them."""
    return np.stack([value, *others]).var(axis=0, ddof=1) if others else 0.0


def _diagonal_of(values: np.ndarray, generalise: bool) -> np.ndarray:
    return np.einsum("ntt->nt", values) if generalise else values


def _diagonal(found: Decoded, decoder: Decoder) -> np.ndarray:
    return _diagonal_of(found.credits, decoder.generalise)


def _recalls(found: Decoded, own: np.ndarray, size: int, generalise: bool) -> np.ndarray:
    credits = _diagonal_of(found.credits, generalise)
    return np.concatenate([_share((own == c)[None].astype(float), credits) for c in range(size)])


def _share(weights: np.ndarray, credits: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, weights @ credits / np.where(total > 0, total, 1.0), np.nan)


def _independent(design: Design, rows: np.ndarray, own: np.ndarray, size: int) -> np.ndarray:
    """(C,) independent items of each class among the test rows; of a series its share of the blocks."""
    if design.owner is None:
        count = np.bincount(own, minlength=size) * min(1.0, design.blocks / len(design.x))
    else:
        count = np.array(
            [np.unique(design.owner[rows[own == c]]).size for c in range(size)], dtype=np.float64
        )
    return np.maximum(1.0, count)


def summary(tables: list[ClassTables], decoder: Decoder, level: float, *, of: str) -> dict[str, np.ndarray]:
    """{field: values} of the score ("score") or of recalls ("recall"); several tables are draws of pseudo-trials, whose
    values are averaged.
    """
    first = tables[0]
    recall = of == "recall"
    values = np.stack([t.recall if recall else t.value for t in tables])  # type: ignore[misc]
    value = values.mean(axis=0)
    out = {name: np.full(value.shape, np.nan) for name in FIELDS}
    out["value"] = value
    parts = [t.recall_variance if recall else t.variance for t in tables]
    if parts[0] is not None:
        variance = np.mean(parts, axis=0)  # type: ignore[arg-type]
        if len(tables) > 1:
            variance = variance + values.var(axis=0, ddof=1) / len(tables)
        df = first.recall_df if recall else first.df
        if decoder.score.bounded or recall:
            items = first.recall_items[:, None] if recall else first.items
            out["ci_low"], out["ci_high"] = proportion_interval(
                value, variance, items=items, level=level, df=df
            )
        else:
            away = distributions.t.ppf((1 + level) / 2, df) * np.sqrt(variance)
            out["ci_low"], out["ci_high"] = _positive(value, away)
    if first.nulls and not recall:
        higher = decoder.score.higher
        made = [
            tests_of([(t.value, t.nulls[k]) for t in tables], higher=higher) for k in range(len(first.nulls))
        ]
        out.update({k: np.max([m[k] for m in made], axis=0) for k in ("p", "p_fwer")})
        out["null_mean"] = made[0]["null_mean"]
        if first.diagonal_null is not None:
            pairs = [(np.diagonal(t.value).copy(), t.diagonal_null) for t in tables]
            one = tests_of(pairs, higher=higher)
            for name in ("p", "null_mean"):
                np.fill_diagonal(out[name], one[name])
    return out


def tests_of(pairs: list[tuple[np.ndarray, Any]], *, higher: bool) -> dict[str, np.ndarray]:
    """p, p_fwer and null_mean of (value, relabelled values (m, ...)).

    Of several draws of pseudo-trials the mean value is held against the relabelled values of each single draw, which
    vary more than a mean over draws does (so p is too high rather than too low), and p is averaged over draws.
    """
    sign = 1.0 if higher else -1.0
    mean = np.mean([value for value, _ in pairs], axis=0)
    p, family = [], []
    for _, null in pairs:
        flat, wide = sign * mean.reshape(-1), sign * null.reshape(len(null), -1)
        p.append(p_value(flat, wide).reshape(mean.shape))
        family.append(max_statistic_p(flat, wide).reshape(mean.shape))
    null_mean = np.mean([null.mean(axis=0) for _, null in pairs], axis=0)
    return {"p": np.mean(p, axis=0), "p_fwer": np.mean(family, axis=0), "null_mean": null_mean}


def value_tables(
    parts: list[Values], design: Design, seed: Any, *, n_boot: int, n_perm: int, n_deals: int, level: float
) -> dict[str, np.ndarray]:
    """{field: (k, times)} of numbers or angles decoded at each time."""
    score = parts[0].score
    value = np.stack([part.values()[0] for part in parts], axis=1)
    out = {name: np.full(value.shape, np.nan) for name in FIELDS}
    out["value"] = value
    tested = n_perm and (not design.across or design.sides_apart)
    if n_boot and design.across and not tested and score.name != "r2":
        warn(
            "interval-withheld",
            "numbers trained and tested on different conditions have no interval without a p-value, which says whether "
            "the training trials know anything.",
            "n_perm of some hundreds (and conditions without trials in common); n_boot=0 where none is wanted.",
        )
    elif n_boot and score.name != "r2":
        weights = design.weights(n_boot, seed.stream("bootstrap"))
        deals = [design.deal(seed.child(f"deal{k}")) for k in range(n_deals)] if design.deal else []
        halves = training_halves(design, seed.stream("training halves")) if design.across else None
        ends = [_value_interval(part, design, weights, deals, halves, level) for part in parts]
        out["ci_low"], out["ci_high"] = (np.stack(end, axis=1) for end in zip(*ends))
    if n_perm and design.across and not design.sides_apart:
        warn(
            "sides-overlap",
            "train_on and test_on share trials, so numbers cannot change places in one of them alone and have no p.",
            "Conditions without trials in common.",
        )
    elif n_perm:
        orders = design.relabel(n_perm, seed.stream("permutations"))
        nulls = [np.stack([part.null(o) for part in parts], axis=2) for o in _trained(design, orders)]
        if design.across:
            nulls.append(np.stack([part.null_of_test(orders) for part in parts], axis=2))  # (m, k, times)
        sign = 1.0 if score.higher else -1.0
        out["p"] = np.max([p_value(sign * value, sign * null) for null in nulls], axis=0)
        out["null_mean"] = nulls[0].mean(axis=0)
        flat = [sign * null.reshape(len(null), -1) for null in nulls]
        family = np.max([max_statistic_p(sign * value.reshape(-1), many) for many in flat], axis=0)
        out["p_fwer"] = family.reshape(value.shape)
    if design.across:
        untold = out["p"] > 1 - level
        out["ci_low"] = np.where(untold, np.minimum(out["ci_low"], score.chance), out["ci_low"])
        out["ci_high"] = np.where(untold, np.maximum(out["ci_high"], score.chance), out["ci_high"])
    return out


def _trained(design: Design, orders: np.ndarray) -> list[np.ndarray]:
    """Of other conditions, orders of the training rows alone."""
    if not design.across:
        return [orders]
    rows = np.concatenate([test for _, test in design.splits])
    out = orders.copy()
    out[:, rows] = rows
    return [out]


def _value_interval(
    part: Values,
    design: Design,
    weights: np.ndarray,
    deals: list[Any],
    halves: list[Any] | None,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """value +- t s, of r on Fisher's scale; s^2 as in `cs.stats.held_out_interval`, across conditions the variance over
    test rows plus that over training rows.
    """
    w = weights[:, part.rows]
    w = w[w.sum(axis=1) > 0]
    top = 1 - 1e-12
    correlation = part.score.name == "r"

    def scaled(v: np.ndarray) -> np.ndarray:
        return np.arctanh(np.clip(v, -top, top)) if correlation else v

    value = part.values()[0]
    base: Any = max(1, design.blocks - 1)
    tested = design.blocks / base * np.nanvar(scaled(part.values(weights=w)), axis=0, ddof=1)
    others = [scaled(part.on(splits)[0]) for splits in deals]
    variance, df = 2.0 * tested + _spread(scaled(value), others), base
    if design.across:
        more: Any = np.nan
        if halves:
            draws = scaled(part.values(weights=w))
            found = np.stack([scaled(np.concatenate([part.on(s), part.on(s, w)])) for s in halves])
            more = variance_of_halves(scaled(value), draws, found[:, 0], found[:, 1:])
        variance, df = added(
            tested + _spread(scaled(value), others), base, more, len(halves or [0, 0]) // 2 - 1
        )
    away = distributions.t.ppf((1 + level) / 2, df) * np.sqrt(variance)
    low, high = scaled(value) - away, scaled(value) + away
    if correlation:
        unknown = np.where(np.isnan(variance), np.nan, 0.0)
        return np.fmin(np.tanh(low), value) + unknown, np.fmax(np.tanh(high), value) + unknown
    return np.maximum(low, 0.0), np.minimum(high, np.pi)


def _positive(value: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of a loss: symmetrical for its logarithm."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(value > 0, np.exp(away / np.where(value > 0, value, 1.0)), 1.0)
    return value / ratio, value * ratio
