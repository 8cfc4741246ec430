"""Tables of real lesions for `cs.shapley`: read, checked, fitted, and what that fit is worth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, nearest, warn
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience.analyses._shapley_game import WHO
from consilience.analyses._shapley_run import Played
from consilience.stats import (
    fdr,
    group_permutations,
    held_out_interval,
    jackknife_variance,
    multinomial_weights,
    p_value,
    permutations,
    t_test,
)
from consilience.stats._lesion_table import (
    PENALTIES,
    PairwiseGame,
    inflation,
    jackknife_games,
    left_out_errors,
    observed_game,
    pairs_seen,
)
from consilience.stats._shapley import shapley_interactions

__all__ = ["play_table"]

TANGLED = 10.0  # inflation of variance from which lesions are said to hang together
FOLDS, DRAWS = 10, 1000
FEW = 2  # animals in which a pair must be seen in each of its four ways
FAR = 0.2  # of a region's range that was never seen, from which its values are said to be extrapolated


def play_table(
    table: Any, scores: Any, groups: Any, names: Sequence[Any] | None, options: dict[str, Any], seed: Seed
) -> Played:
    lesions, y, animals, regions = _read(table, scores, groups, names)
    n_animals = int(animals.max()) + 1
    lesioned = _check(lesions, animals, regions)
    level, pairs = options["level"], options["interactions"] > 0
    x = 1.0 - lesions
    base, y = float(y[0]), y - y[0]  # so that equal scores give 0 and not rounding
    if not y.any():
        warn("no-fit", f"{WHO}: all scores are equal, so that all values are 0.", "Scores that differ.")
    about: dict[str, Any] = {
        "system": "lesions",
        "score": scores if isinstance(scores, str) else "score",
        "level": level,
        "n_rows": len(y),
        "n_animals": n_animals,
    }
    code = _observed(x, n_animals)
    spread = inflation(x)
    if code is not None:
        value, variance, df, mean = observed_game(code, y, len(regions))
        single = mean[-1] - mean[(len(mean) - 1) ^ (1 << np.arange(len(regions)))]
        alone = mean[1 << np.arange(len(regions))] - mean[0]
        about |= {"method": "observed coalitions", "v_all": float(mean[-1]), "v_nobody": float(mean[0])}
        data = _table(regions, value, variance, df, single, alone, level)
        interactions = None
        if pairs and len(regions) > 1:
            of_means = shapley_interactions(np.eye(len(mean)))
            chosen = list(itertools.combinations(range(len(regions)), 2))
            w = np.stack([of_means[i, j] for i, j in chosen])
            count = np.bincount(code, minlength=len(mean))
            own = np.bincount(code, weights=(y - mean[code]) ** 2, minlength=len(mean)) / (count - 1) / count
            parts = w**2 * own
            own_df = parts.sum(1) ** 2 / np.maximum((parts**2 / (count - 1)).sum(1), 1e-300)
            interactions = _pairs(regions, chosen, w @ mean, parts.sum(1), own_df, level)
    else:
        data, interactions, more = _fitted(x, y, animals, regions, pairs, level, seed)
        about |= more
    about |= {"v_all": about["v_all"] + base, "v_nobody": about["v_nobody"] + base}
    data["lesions"] = ("player", lesioned)
    data["inflation"] = ("player", spread)
    return Played(data, interactions, about)


def _fitted(
    x: np.ndarray,
    y: np.ndarray,
    animals: np.ndarray,
    regions: list[str],
    pairs: bool,
    level: float,
    seed: Seed,
) -> tuple[xr.Dataset, xr.Dataset | None, dict[str, Any]]:
    n_animals, p = int(animals.max()) + 1, len(regions)
    if n_animals < p + 4:
        raise InputError(
            f"{WHO}: {n_animals} animals for {p} regions; at least {p + 4} are needed. Join regions, or add animals.",
            code="too-few",
        )
    tangled = inflation(x)
    if tangled.max() > TANGLED:
        worst = np.argsort(-tangled)[:3]
        warn(
            "confounded-lesions",
            f"{WHO}: lesions of {', '.join(shorten(regions[i], 30) for i in worst if tangled[i] > TANGLED)} hang on "
            f"the other lesions; the variance of their values is up to {tangled.max():.0f} times what it would be.",
            "Read such regions together: join them to one, or lesion them apart.",
        )
    _say_unseen(x, animals, regions, tangled > TANGLED)
    game = PairwiseGame(x, animals)
    fit = game.fit(y[:, None])
    fits, count = jackknife_games(x, y, animals, PENALTIES)
    value = fit.shapley[:, 0]
    variance = jackknife_variance(np.stack([f.shapley[:, 0] for f in fits]))
    df = np.full(p, float(max(1, min(count, n_animals) - 1 - p)))
    alone = fit.single[:, 0] - fit.products[:, :, 0].sum(axis=1)
    data = _table(regions, value, variance, df, fit.single[:, 0], alone, level)
    order = seed.stream("folds").permutation(n_animals)
    fold = np.empty(n_animals, dtype=np.int64)
    fold[order] = np.arange(n_animals) % min(FOLDS, n_animals)
    error, spread = left_out_errors(x, y, animals, fold[animals], PENALTIES)
    r2, low, high = _r2(error, spread, animals, level, seed)
    about = {
        "method": "main effects and products of two" if game.seen else "main effects",
        "n_products": game.seen,
        "penalty": float(fit.penalty[0]) if game.seen and np.isfinite(fit.penalty[0]) else None,
        "v_nobody": float(fit.ends[0, 0]),
        "v_all": float(fit.ends[1, 0]),
        "r2": r2,
        "r2_low": low,
        "r2_high": high,
        "r2_p": _p_of_fit(game, y, animals, seed),
    }
    if r2 <= 0:
        warn(
            "no-fit",
            f"{WHO}: lesions do not predict the scores of animals left out (R2 {r2:.2f}).",
            "The values are those of a fit that does not hold; more animals, or other scores.",
        )
    interactions = _free_pairs(x, y, animals, regions, level) if pairs and p > 1 else None
    return data, interactions, about


def _say_unseen(x: np.ndarray, animals: np.ndarray, regions: list[str], said: np.ndarray) -> None:
    """What the fit takes from nowhere: products of pairs that were not seen, and ends of what was lesioned in part."""
    low, high = x.min(axis=0), x.max(axis=0)
    seen = pairs_seen(x, animals)
    first, second = np.triu_indices(len(regions), 1)
    least = seen[:, first, second].min(axis=0)
    few = np.flatnonzero((least < FEW) & ~(said[first] & said[second]))
    if few.size:
        ways = ("both lesioned", "only the second lesioned", "only the first lesioned", "both intact")
        named = []
        for k in few[np.argsort(least[few], kind="stable")][:4]:
            i, j = int(first[k]), int(second[k])
            named.append(
                f"{shorten(regions[i], 30)} and {shorten(regions[j], 30)} "
                f"({ways[int(seen[:, i, j].argmin())]} in {least[k]})"
            )
        warn(
            "unseen-pairs",
            f"{WHO}: {few.size} of {least.size} pairs of regions were seen in fewer than {FEW} animals in one of their "
            f"four ways: {', '.join(named)}{', ...' if few.size > 4 else ''}. What such regions do together is "
            "assumed, not measured: none at all where it was never seen, which the interval does not know.",
            "Animals of those ways; until then values of these regions say nothing of how one stands in for the other.",
        )
    far = np.flatnonzero((low > FAR) | (high < 1 - FAR))
    if far.size:
        named = [
            f"{shorten(regions[i], 30)} {1 - high[i]:.0%} to {1 - low[i]:.0%}"
            for i in far[np.argsort(-low[far])]
        ]
        warn(
            "extrapolated-lesions",
            f"{WHO}: lesions of {far.size} regions did not go from none to whole ({', '.join(named[:4])}"
            f"{', ...' if far.size > 4 else ''}); values are of whole regions, by extrapolation.",
            "Divide lesions by the largest of the region, for values of what was in fact lesioned; or larger lesions.",
        )


def _r2(
    error: np.ndarray, spread: np.ndarray, animals: np.ndarray, level: float, seed: Seed
) -> tuple[float, float, float]:
    n = int(animals.max()) + 1
    e, s = (np.bincount(animals, weights=v, minlength=n) for v in (error, spread))
    weights = multinomial_weights(n, DRAWS, seed.stream("bootstrap"))
    value = 1 - e.sum() / s.sum() if s.sum() > 0 else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = 1 - (weights @ e) / (weights @ s)
    low, high = held_out_interval(draws, value, level=level, blocks=n)
    return float(value), float(low), min(float(high), 1.0)


def _p_of_fit(game: PairwiseGame, y: np.ndarray, animals: np.ndarray, seed: Seed) -> float:
    """Scores dealt to other animals: the smallest error of left-out animals over penalties, against its own."""
    rng, n_animals = seed.stream("permutations"), int(animals.max()) + 1
    if n_animals == len(y):
        orders = permutations(len(y), 999, rng)
    else:
        orders, distinct = group_permutations(animals, 999, rng)
        if distinct < 2:  # fewer than 100 ways of dealing blocks of equal size
            return float("nan")
    dealt = y[orders].T
    best = -game.errors(np.column_stack([y, dealt])).min(axis=0)
    return float(p_value(best[0], best[1:]))


def _free_pairs(
    x: np.ndarray, y: np.ndarray, animals: np.ndarray, regions: list[str], level: float
) -> xr.Dataset:
    """Products without a penalty, which would draw them to 0."""
    n, p = int(animals.max()) + 1, len(regions)
    terms = 1 + p + p * (p - 1) // 2
    if n < terms + 5:
        raise InputError(
            f"{WHO}: {n} animals for the {terms} terms of all pairs of {p} regions; at least {terms + 5} are needed "
            "for interactions=. Join regions, or leave it out.",
            code="too-few",
        )
    free = np.array([0.0])
    whole = PairwiseGame(x, animals, free)
    together = np.column_stack([whole.main[:, 1:], whole.products])
    if np.linalg.matrix_rank(together - together.mean(axis=0), tol=1e-8 * np.sqrt(len(y))) < terms - 1:
        raise InputError(
            f"{WHO}: some pairs of regions were never lesioned in all four ways (both, either, none), so not all "
            "interactions can be told; join regions, or leave interactions= out.",
            code="confounded-lesions",
        )
    fits, count = jackknife_games(x, y, animals, free)
    chosen = list(itertools.combinations(range(p), 2))
    first, second = (np.array(side) for side in zip(*chosen))
    value = whole.fit(y[:, None]).products[first, second, 0]
    variance = jackknife_variance(np.stack([f.products[first, second, 0] for f in fits]))
    df = np.full(len(chosen), float(max(1, min(n, count) - terms)))
    return _pairs(regions, chosen, value, variance, df, level)


def _table(
    regions: list[str],
    value: np.ndarray,
    variance: np.ndarray,
    df: np.ndarray,
    single: np.ndarray,
    alone: np.ndarray,
    level: float,
) -> xr.Dataset:
    test = t_test(value, variance, df=df, level=level)
    columns = {
        "value": value,
        "ci_low": test.low,
        "ci_high": test.high,
        "se_sampling": np.zeros_like(value),
        "half_sampling": np.zeros_like(value),
        "se_stimuli": np.sqrt(variance),
        "p": test.p,
        "q": fdr(test.p),
        "single": single,
        "alone": alone,
    }
    data = xr.Dataset({name: ("player", values) for name, values in columns.items()})
    return data.assign_coords(player=np.asarray(regions))


def _pairs(
    regions: list[str],
    chosen: list[tuple[int, int]],
    value: np.ndarray,
    variance: np.ndarray,
    df: np.ndarray,
    level: float,
) -> xr.Dataset:
    test = t_test(value, variance, df=df, level=level)
    columns = {
        "value": value,
        "ci_low": test.low,
        "ci_high": test.high,
        "se_sampling": np.zeros_like(value),
        "se_stimuli": np.sqrt(variance),
        "p": test.p,
        "q": fdr(test.p),
    }
    first, second = ([regions[k] for k in side] for side in zip(*chosen))
    out = xr.Dataset({name: ("pair", values) for name, values in columns.items()})
    out["first"], out["second"] = ("pair", np.asarray(first)), ("pair", np.asarray(second))
    return out.assign_coords(pair=[f"{a}, {b}" for a, b in zip(first, second)])


# What came


def _read(
    table: Any, scores: Any, groups: Any, names: Sequence[Any] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Lesions (n, P), scores (n,), number of the animal (n,), names of the regions."""
    if scores is None:
        raise InputError(
            f"{WHO}: a table of lesions needs scores=: a number for each row, or the name of its column. (A network "
            "needs layer=, a function names=.)",
            code="bad-parameter",
        )
    columns = getattr(table, "columns", None)
    if columns is not None:
        if names is not None:
            raise InputError(
                f"{WHO}: the columns of the table name its regions; leave names= out.", code="bad-parameter"
            )
        known = [str(c) for c in columns]
        if len(set(known)) != len(known):
            raise InputError(
                f"{WHO}: two columns of the table have one name; rename one.", code="bad-parameter"
            )
        left = dict(zip(known, (table.iloc[:, i] for i in range(len(known)))))
        scores, groups = _column(left, scores, "scores"), _column(left, groups, "groups")
        if not left:
            raise InputError(f"{WHO}: the table has no column of lesions.", code="too-few")
        lesions = np.column_stack([_numbers(v, f"column {shorten(k, 40)}") for k, v in left.items()])
        regions = list(left)
    else:
        lesions = _numbers(table, "the table of lesions")
        if lesions.ndim != 2:
            raise InputError(
                f"{WHO}: lesions must be (animals, regions), got shape {lesions.shape}.", code="bad-shape"
            )
        if isinstance(table, xr.DataArray) and names is None and table.dims[1] in table.coords:
            names = table[table.dims[1]].values.tolist()
        regions = (
            [f"region{i}" for i in range(lesions.shape[1])] if names is None else [str(v) for v in names]
        )
        if len(regions) != lesions.shape[1] or len(set(regions)) != len(regions):
            raise InputError(
                f"{WHO}: names= must be {lesions.shape[1]} different names, got {shorten(regions)}.",
                code="shape-mismatch",
            )
    y = _numbers(scores, "scores")
    if y.shape != (len(lesions),):
        raise InputError(
            f"{WHO}: scores= must have one number for each of {len(lesions)} rows, got shape {y.shape}.",
            code="shape-mismatch",
        )
    animals = np.arange(len(y))
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != y.shape:
            raise InputError(
                f"{WHO}: groups= must have one label for each of {len(y)} rows, got shape {labels.shape}.",
                code="shape-mismatch",
            )
        animals = np.unique(labels.astype(str), return_inverse=True)[1]
    if (lesions < 0).any() or (lesions > 1).any():
        raise InputError(
            f"{WHO}: lesions go from 0 (intact) to 1 (destroyed), got {lesions.min():g} to {lesions.max():g}; divide "
            "volumes or percentages by their largest.",
            code="bad-lesions",
        )
    return lesions, y, animals, regions


def _column(left: dict[str, Any], wanted: Any, name: str) -> Any:
    if not isinstance(wanted, str):
        return wanted
    if wanted not in left:
        raise InputError(
            f"{WHO}: the table has no column {wanted!r} for {name}=.{nearest(wanted, left)}",
            code="unknown-label",
        )
    return left.pop(wanted)


def _numbers(values: Any, what: str) -> np.ndarray:
    found = np.asarray(to_numpy(values.to_numpy() if hasattr(values, "to_numpy") else values))
    if found.dtype.kind not in "biuf":
        raise InputError(
            f"{WHO}: {what} must be numbers, got dtype {found.dtype}; leave columns of text out of the table, or name "
            "them as groups=.",
            code="not-numeric",
        )
    found = found.astype(np.float64)
    if not np.isfinite(found).all():
        raise InputError(
            f"{WHO}: {what}: {int((~np.isfinite(found)).sum())} values are NaN or infinite; leave those rows out.",
            code="nan-values",
        )
    return found


def _check(lesions: np.ndarray, animals: np.ndarray, regions: list[str]) -> np.ndarray:
    """(P,) in how many animals each region was lesioned; refuses what no fit can tell apart."""
    count = np.array([np.unique(animals[column > 0]).size for column in lesions.T])
    spared = np.array([np.unique(animals[column < column.max()]).size for column in lesions.T])
    few = np.flatnonzero((count < 2) | (spared < 2))
    if few.size:
        i = int(few[0])
        raise InputError(
            f"{WHO}: {shorten(regions[i], 40)} was lesioned in {count[i]} animals and spared (or lesioned less) in "
            f"{spared[i]}; each needs at least 2. Leave the region out, or join it to another.",
            code="never-lesioned",
        )
    if len(lesions) > lesions.shape[1]:
        tied = np.flatnonzero(np.isinf(inflation(1 - lesions)))
        if tied.size:
            raise InputError(
                f"{WHO}: lesions of {', '.join(shorten(regions[i], 30) for i in tied[:4])} cannot be told apart: the "
                "others determine them exactly. Join them to one region.",
                code="confounded-lesions",
            )
    return count


def _observed(x: np.ndarray, n_animals: int) -> np.ndarray | None:
    """The number of each row's coalition, where every coalition was seen in two animals; else None."""
    p = x.shape[1]
    if p > 8 or len(x) != n_animals or not np.isin(x, (0, 1)).all():
        return None
    code = (x.astype(np.int64) << np.arange(p)).sum(axis=1)
    return code if np.bincount(code, minlength=2**p).min() >= 2 else None
