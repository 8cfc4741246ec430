"""`reduce`: components on held-out rows, on drawn rows, and of surrogates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.base import clone

from consilience._core._errors import InputError, collect_cautions, warn
from consilience._core._seeds import Seed
from consilience.analyses._reduce_fit import Fitted, Fitter
from consilience.analyses._reduce_rows import WHO, Rows
from consilience.models._gpfa import GPFA
from consilience.models._lds import LDS
from consilience.stats import (
    components_in_turn,
    fold_interval,
    matched_components,
    p_value,
    parallel_analysis,
    subspace_overlap,
    turned_to,
    unrelated_units,
)

__all__ = ["Draws", "against_null", "drawn", "held_out", "in_turn", "targeted_scores"]


@contextmanager
def _quiet() -> Iterator[None]:
    """For fits of parts, draws and surrogates: the fit of all rows warns of the data."""
    with collect_cautions(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def held_out(
    fitter: Fitter, whole: Fitted, seed: Seed, *, cv: int, within: bool, level: float
) -> dict[str, Any]:
    """Gains of held-out rows: mean over folds with interval. Components without an order of their own are matched to
    those of all rows.
    """
    k, reference = whole.latents.shape[-1], whole.loadings()
    folds = fitter.rows.folds(cv, within=within, rng=seed.stream("folds"))
    alone, together, units = [], [], []
    for train, test in folds:
        try:
            with _quiet():
                fit = fitter.fit(train)
                a, c = fit.gains(_there(fitter.scored(test)))
        except InputError:
            continue
        if reference is not None and not _in_order(fitter.model):
            own = fit.loadings()
            which = None if own is None else matched_components(reference, own)[0]
            a = a if which is None else np.where(which >= 0, a[np.maximum(which, 0)], np.nan)
        alone.append(_fill(a, k))
        together.append(_fill(c, k))
        if hasattr(fit.model, "unit_scores") and not fitter.labelled:
            with suppress(InputError), _quiet():  # constant there, or nothing left out
                units.append(fit.model.unit_scores(fitter.packed(_there(fitter.array(test)) / fit.scale)))
    if not alone:
        return {
            "held_out": (np.full(k, np.nan),) * 3,
            "held_out_total": (np.full(k, np.nan),) * 3,
            "folds": 0,
        }
    return {
        "held_out": fold_interval(np.array(alone), level),
        "held_out_total": fold_interval(np.array(together), level),
        "units": np.mean(units, axis=0) if units else None,
        "folds": len(alone),
    }


def _in_order(model: Any) -> bool:
    """Whether components come by size, or by marginalization; those of ICA, NMF and the like come in any order."""
    name = type(model).__name__
    return "PCA" in name or name in ("TruncatedSVD", "FactorAnalysis", "GPFA", "PoissonGPFA")


def _there(x: np.ndarray) -> np.ndarray:
    """Without conditions of which no trial is among the rows."""
    if x.ndim == 1:
        return x
    empty = np.isnan(x).all(axis=tuple(range(1, x.ndim)))
    return x[~empty] if empty.any() else x


def _fill(values: np.ndarray, k: int) -> np.ndarray:
    out = np.full(k, np.nan)
    out[: min(k, len(values))] = values[:k]
    return out


@dataclass(frozen=True)
class Draws:
    """Over draws of rows: intervals of what is explained, of loadings, and how alike components are."""

    explained: tuple[np.ndarray, np.ndarray]
    loadings: tuple[np.ndarray, np.ndarray]
    alike: tuple[np.ndarray, np.ndarray, np.ndarray]
    overlap: float


def drawn(
    fitter: Fitter,
    whole: Fitted,
    explained: np.ndarray,
    seed: Seed,
    *,
    n_boot: int,
    within: bool,
    level: float,
) -> Draws | None:
    """Fits of rows drawn with replacement, aligned to ``whole``: orthonormal loadings by the rotation that brings
    them nearest, others by sign and order.
    """
    reference = whole.loadings()
    if reference is None or n_boot < 2:
        return None
    fitter = _settled(fitter, whole)
    k = len(reference)
    turns = k > 1 and bool(np.allclose(reference @ reference.T, np.eye(k), atol=1e-6))
    shares, loadings, alike, overlap = [], [], [], []
    for rows in fitter.rows.draws(n_boot, within=within, rng=seed.stream("draws")):
        try:
            with _quiet():
                fit = fitter.fit(rows)
                own = fit.loadings()
                gains = fit.gains(_there(fitter.scored(rows)))[0]
        except InputError:
            continue
        if own is None:
            continue
        which, sign, cosine = matched_components(reference, own)
        order = np.where(which >= 0, which, 0)
        found = sign[:, None] * own[order]
        shares.append(np.where(which >= 0, _fill(gains, max(k, len(gains)))[order], np.nan))
        loadings.append(turned_to(reference, own) if turns and own.shape == reference.shape else found)
        alike.append(cosine)
        overlap.append(subspace_overlap(reference, own))
    if len(loadings) < 2:
        return None
    tail = (1 - level) / 2
    cosines = np.array(alike)
    low, high = np.quantile(cosines, [tail, 1 - tail], axis=0)
    return Draws(
        _normal_interval(np.array(shares), explained, level),
        _normal_interval(np.array(loadings), reference, level),
        (cosines.mean(axis=0), low, high),
        float(np.mean(overlap)),
    )


def _settled(fitter: Fitter, whole: Fitted) -> Fitter:
    """With the penalty of all rows: chosen within a draw it is tried on copies of fitted trials."""
    found = getattr(whole.model, "regularisation_", None)
    if found is None or "regularisation" not in fitter.model.get_params(deep=False):
        return fitter
    out = copy(fitter)
    out.model = clone(fitter.model).set_params(regularisation=float(found))
    return out


def _normal_interval(draws: np.ndarray, value: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """value -+ z s, s the standard deviation of the draws. (Drawn rows come more than once, so that components explain
    more of them: percentiles would lie above the value.)
    """
    half = ndtri((1 + level) / 2) * np.nanstd(draws, axis=0, ddof=1)
    return value - half, value + half


def against_null(
    fitter: Fitter, whole: Fitted, explained: np.ndarray, seed: Seed, *, n_perm: int, level: float
) -> dict[str, np.ndarray]:
    """p of each component, and the surrogates' mean and quantile: units unrelated to each other."""
    rows: Rows = fitter.rows
    k = explained.size
    stream = seed.stream("null")
    x = fitter.array(np.arange(len(rows.x)))
    least = max(1, 2 * rows.span) if rows.series else 1
    if rows.series and len(x) < 4 * least:
        warn(
            "few-relabellings",
            f"{WHO}: {len(x)} samples are too few for circular shifts of at least {least} steps; there is no null.",
            "A longer recording.",
        )
        return {}
    if type(whole.model).__name__ == "PCA" and not np.isnan(x).any():
        found = parallel_analysis(
            x / whole.scale, k, lambda z: unrelated_units(z, stream, least=least), n=n_perm, level=level
        )
        return {"p": found.p, "null_mean": found.null_mean, "null_high": found.null_high}
    if type(whole.model).__name__ == "FactorAnalysis" and not np.isnan(x).any():
        # fits of surrogates end in factors that are one unit each (Heywood cases), which no real factor exceeds:
        # counted by correlations instead, in which a unit by itself weighs the same in all
        spread = x.reshape(-1, x.shape[-1]).std(axis=0)
        flat = x / np.where(spread > 0, spread, 1.0)
        return {
            "p": parallel_analysis(
                flat, k, lambda z: unrelated_units(z, stream, least=least), n=n_perm, level=level
            ).p
        }
    if in_turn(whole, x):
        return _one_after_the_other(
            fitter, whole, explained, x, stream, least=least, n_perm=n_perm, level=level
        )
    top = []
    kept = bool((x[~np.isnan(x)] >= 0).all())  # what takes counts, or no negative values, gets these
    for _ in range(n_perm):
        z = unrelated_units(x, stream, least=least, moved=kept)
        try:
            with _quiet():
                gains = fitter.fit_to(z).gains(z)[0]
        except InputError:
            continue
        if np.isfinite(gains).any():
            top.append(float(np.nanmax(gains)))
    if not top:
        return {}
    null = np.array(top)
    p = p_value(explained, np.repeat(null[:, None], k, axis=1))
    return {
        "p": p,
        "null_mean": np.full(k, null.mean()),
        "null_high": np.full(k, np.quantile(null, level)),
    }


def in_turn(whole: Fitted, x: np.ndarray) -> bool:
    """Whether components can be taken out of the units: of models of values as they are, where none is missing."""
    model = whole.model
    return isinstance(model, (GPFA, LDS)) and not np.isnan(x).any() and whole.loadings() is not None


def _one_after_the_other(
    fitter: Fitter,
    whole: Fitted,
    explained: np.ndarray,
    x: np.ndarray,
    stream: np.random.Generator,
    *,
    least: int,
    n_perm: int,
    level: float,
) -> dict[str, np.ndarray]:
    loadings = whole.loadings()
    assert loadings is not None
    order = np.argsort(-explained, kind="stable")
    values = np.sqrt(x / whole.scale) if whole.root else x / whole.scale
    linear = {"square_root": False} if whole.root else {}

    def share(z: np.ndarray, left: int) -> float:
        smaller = copy(fitter)
        smaller.model, smaller.standardise = (
            clone(fitter.model).set_params(n_components=left, **linear),
            False,
        )
        try:
            with _quiet():
                return float(np.nanmax(smaller.fit_to(z).gains(z)[0]))
        except InputError:
            return float("nan")

    found = components_in_turn(
        values,
        loadings[order],
        whole.latents[..., order],
        float(explained[order[0]]),
        share,
        lambda z: unrelated_units(z, stream, least=least),
        n=n_perm,
        level=level,
    )
    out = {}
    for name in ("p", "null_mean", "null_high"):
        out[name] = np.empty(explained.size)
        out[name][order] = getattr(found, name)
    return out


def targeted_scores(
    fit: Fitted, rows: Rows, seed: Seed, *, cv: int, n_perm: int, level: float
) -> dict[str, np.ndarray]:
    """r of each axis with its variable on held-out trials, its ends and p; nothing of models without axes of variables.

    The null shuffles the part of a variable that the others do not explain (`TargetedDR.held_out`).
    """
    if not (hasattr(fit.model, "variables_") and hasattr(fit.model, "held_out")):
        return {}
    nothing = np.full(len(fit.model.variables_), np.nan)
    out = {"r": nothing, "r_low": nothing, "r_high": nothing, "p": nothing}
    if not cv:
        return out
    try:
        found = fit.model.held_out(
            rows.x / fit.scale, rows.labels, cv=cv, n_perm=n_perm, level=level, rng=seed.stream("targeted")
        )
    except InputError as error:
        warn("no-null", f"{WHO}: the axes were not tried on held-out trials. {error}", "More trials.")
        return out
    return {
        "r": found.r,
        "r_low": found.low,
        "r_high": found.high,
        "p": nothing if found.p is None else found.p,
    }
