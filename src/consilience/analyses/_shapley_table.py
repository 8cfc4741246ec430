"""Tables of real lesions for `cs.shapley`: games fitted to them, and what that fit is worth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience.analyses._shapley_game import WHO
from consilience.analyses._shapley_run import Played
from consilience.analyses._shapley_table_read import check_table, read_table, seen_coalitions
from consilience.stats import fdr, t_test
from consilience.stats._lesion_table import (
    PENALTIES,
    PairwiseGame,
    inflation,
    left_out_errors,
    observed_game,
    observed_interactions,
    pairs_seen,
)
from consilience.stats._lesion_table_fit import (
    fitted_values,
    free_interactions,
    left_out_r2,
    permuted_fit_p,
    products_told,
)
from consilience.stats._shapley import single_contributions

__all__ = ["play_table"]

TANGLED = 10.0  # inflation of variance from which lesions are said to hang together
FOLDS = 10
FEW = 2  # animals in which a pair must be seen in each of its four ways
FAR = 0.2  # of a region's range that was never seen, from which its values are said to be extrapolated


def play_table(
    table: Any, scores: Any, groups: Any, names: Sequence[Any] | None, options: dict[str, Any], seed: Seed
) -> Played:
    lesions, y, animals, regions = read_table(table, scores, groups, names)
    n_animals = int(animals.max()) + 1
    lesioned = check_table(lesions, animals, regions)
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
    code = seen_coalitions(x, n_animals)
    spread = inflation(x)
    if code is not None:
        value, variance, df, mean = observed_game(code, y, len(regions))
        single, alone = single_contributions(mean)
        about |= {"method": "observed coalitions", "v_all": float(mean[-1]), "v_nobody": float(mean[0])}
        data = _table(regions, value, variance, df, single, alone, level)
        interactions = None
        if pairs and len(regions) > 1:
            interactions = _pairs(regions, *observed_interactions(code, y, len(regions)), level)
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
    found = fitted_values(game, x, y, animals)
    fit = found.fit
    data = _table(regions, found.value, found.variance, found.df, fit.single[:, 0], fit.alone[:, 0], level)
    order = seed.stream("folds").permutation(n_animals)
    fold = np.empty(n_animals, dtype=np.int64)
    fold[order] = np.arange(n_animals) % min(FOLDS, n_animals)
    error, spread = left_out_errors(x, y, animals, fold[animals], PENALTIES)
    r2, low, high = left_out_r2(error, spread, animals, level=level, rng=seed.stream("bootstrap"))
    about = {
        "method": "main effects and products of two" if game.seen else "main effects",
        "n_products": game.seen,
        "penalty": float(fit.penalty[0]) if game.seen and np.isfinite(fit.penalty[0]) else None,
        "v_nobody": float(fit.ends[0, 0]),
        "v_all": float(fit.ends[1, 0]),
        "r2": r2,
        "r2_low": low,
        "r2_high": high,
        "r2_p": permuted_fit_p(game, y, animals, rng=seed.stream("permutations")),
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


def _free_pairs(
    x: np.ndarray, y: np.ndarray, animals: np.ndarray, regions: list[str], level: float
) -> xr.Dataset:
    n, p = int(animals.max()) + 1, len(regions)
    terms = 1 + p + p * (p - 1) // 2
    if n < terms + 5:
        raise InputError(
            f"{WHO}: {n} animals for the {terms} terms of all pairs of {p} regions; at least {terms + 5} are needed "
            "for interactions=. Join regions, or leave it out.",
            code="too-few",
        )
    if not products_told(x, animals):
        raise InputError(
            f"{WHO}: some pairs of regions were never lesioned in all four ways (both, either, none), so not all "
            "interactions can be told; join regions, or leave interactions= out.",
            code="confounded-lesions",
        )
    return _pairs(regions, *free_interactions(x, y, animals), level)


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
    regions: list[str], value: np.ndarray, variance: np.ndarray, df: np.ndarray, level: float
) -> xr.Dataset:
    """Of all pairs of regions."""
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
    first, second = zip(*itertools.combinations(regions, 2))
    out = xr.Dataset({name: ("pair", values) for name, values in columns.items()})
    out["first"], out["second"] = ("pair", np.asarray(first)), ("pair", np.asarray(second))
    return out.assign_coords(pair=[f"{a}, {b}" for a, b in zip(first, second)])
