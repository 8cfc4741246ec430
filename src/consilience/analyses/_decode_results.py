"""From arrays to the labelled result of `decode`, its references and its sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution
from consilience._results import Decoding
from consilience.analyses._decode_design import Design
from consilience.analyses._decode_tables import tests_of

__all__ = ["results_of"]

_REFERENCES = {
    "LDA": ["fisher1936use", "ledoit2004well"],
    "RidgeCV": ["hoerl1970ridge"],
    "MaxCorrelation": ["meyers2008dynamic"],
    "PoissonNaiveBayes": ["zhang1998interpreting"],
    "BayesianDecoder": ["zhang1998interpreting"],
    "WienerFilter": ["carmena2003learning"],
    "KalmanFilter": ["wu2006bayesian"],
}


def results_of(
    designs: list[Design],
    parts: dict[str, Any],
    score: Any,
    settings: dict[str, Any],
    *,
    seed: str,
    cautions: tuple[Caution, ...],
) -> Decoding:
    first = designs[0]
    common: dict[str, Any] = {
        "settings": settings,
        "seed": seed,
        "warnings": cautions,
        "references": tuple(dict.fromkeys(_references(settings))),
        "methods": _methods(settings),
    }
    if "tables" in parts:
        return Decoding(**_of_classes(first, parts, score), **common)
    return Decoding(**_of_values(first, parts, score), **common)


def _of_classes(design: Design, parts: dict[str, Any], score: Any) -> dict[str, Any]:
    tables, found = parts["tables"], parts["score"]
    codes, classes, times = design.target.codes, design.target.classes, design.times
    assert codes is not None
    assert classes is not None
    own = codes[tables[0].found.rows]
    out: dict[str, Any] = {}
    line = found
    if parts["decoder"].generalise:
        out["generalisation"] = xr.Dataset(
            {k: (("train_time", "test_time"), v) for k, v in found.items()},
            coords={"train_time": times, "test_time": times},
        )
        line = {k: np.diagonal(v).copy() for k, v in found.items()}
        line["p_fwer"] = _diagonal_family(tables, score)
    out["data"] = _data(
        {k: v[None] for k, v in line.items()}, design, np.array([score.chance(own, classes.size)])
    )
    labels = np.array([str(c) for c in classes.tolist()])
    if parts["recall"] is not None:
        kept = {"value": "recall", "ci_low": "ci_low", "ci_high": "ci_high"}
        out["per_class"] = _timed(
            {new: parts["recall"][old] for old, new in kept.items()}, ("class",), {"class": labels}, times
        ).assign(n_trials=("class", np.bincount(own, minlength=classes.size)))
    counts = np.mean([t.confusion for t in tables], axis=0)
    out["confusion"] = _timed(
        {"count": counts}, ("true", "predicted"), {"true": labels, "predicted": labels}, times
    )["count"]
    if len(tables) > 1 or design.settings.get("pseudo"):
        stacked = np.stack([np.diagonal(t.value).copy() if t.value.ndim == 2 else t.value for t in tables])
        out["draws"] = _timed({"score": stacked}, ("draw",), {"draw": np.arange(len(tables))}, times)["score"]
    else:
        rows, predicted = tables[0].found.rows, tables[0].found.predicted
        if parts["decoder"].generalise:
            predicted = np.einsum("ntt->nt", predicted)
        order = np.argsort(rows, kind="stable")
        dim, ids = design.row_ids
        made = _timed({"predicted": labels[predicted[order]]}, (dim,), {dim: ids[rows[order]]}, times)
        out["predictions"] = made.assign(actual=(dim, labels[own[order]]))
    return out


def _diagonal_family(tables: list[Any], score: Any) -> np.ndarray:
    """p_fwer of the diagonal, over the diagonal."""
    if not tables[0].nulls:
        return np.full(len(tables[0].value), np.nan)
    value = [np.diagonal(t.value).copy() for t in tables]
    if tables[0].diagonal_null is not None:
        families = [[t.diagonal_null for t in tables]]
    else:
        families = [[np.einsum("mtt->mt", t.nulls[k]) for t in tables] for k in range(len(tables[0].nulls))]
    found = [tests_of(list(zip(value, nulls)), higher=score.higher)["p_fwer"] for nulls in families]
    return np.asarray(np.max(found, axis=0))


def _of_values(design: Design, parts: dict[str, Any], score: Any) -> dict[str, Any]:
    values = parts["values"]
    found = dict(parts["score"])
    names = design.target.names
    if not design.target.circular:
        found["r2"] = np.stack([_r2(v) for v in values], axis=1)
    chance = np.full(len(names), score.chance)
    dim, ids = design.row_ids
    rows = values[0].rows
    predicted = np.stack([v.predicted() for v in values], axis=1)  # (rows, times, k)
    made = {
        "predicted": ((dim, "time_decoded", "target"), predicted),
        "actual": ((dim, "target"), design.target.values[rows]),  # type: ignore[index]
    }
    shown = xr.Dataset(made, coords={dim: ids[rows], "target": names})
    if design.times is None:
        shown = shown.isel(time_decoded=0)
    else:
        shown = shown.rename(time_decoded="time").assign_coords(time=design.times)
    return {"data": _data(found, design, chance), "predictions": shown}


def _r2(values: Any) -> np.ndarray:
    found = values.found
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - ((found.actual - found.predicted) ** 2).sum(axis=0) / (found.actual**2).sum(axis=0)


def _data(found: dict[str, np.ndarray], design: Design, chance: np.ndarray) -> xr.Dataset:
    table = _timed(found, ("target",), {"target": np.array(design.target.names)}, design.times)
    return table.assign(chance=("target", chance))


def _timed(
    values: dict[str, np.ndarray], dims: tuple[str, ...], coords: dict[str, Any], times: Any
) -> xr.Dataset:
    """Arrays whose last axis is time; without it where there was none."""
    if times is None:
        return xr.Dataset({k: (dims, v[..., 0]) for k, v in values.items()}, coords=coords)
    return xr.Dataset({k: ((*dims, "time"), v) for k, v in values.items()}, coords={**coords, "time": times})


def _references(settings: dict[str, Any]) -> list[str]:
    out = [*_REFERENCES.get(settings["model_name"], []), "varoquaux2017assessing"]
    if settings["score"] == "balanced_accuracy":
        out.append("brodersen2010balanced")
    if settings["score"] == "auc":
        out.append("hand2001simple")
    if settings["generalise_time"]:
        out.append("king2014characterizing")
    if settings["n_boot"] and settings["n_classes"]:
        out.append("korn1998confidence")
    if settings["n_boot"] and settings["n_perm"] and not settings["n_classes"] and settings.get("across"):
        out.append("mccarthy1969pseudoreplication")
    if settings["n_perm"]:
        out.append("phipson2010permutation")
    return out


def _methods(said: dict[str, Any]) -> tuple[str, ...]:
    if "n_samples" in said:
        held = (
            "samples dealt into folds at random"
            if said["shuffle"]
            else f"{said['n_folds']} contiguous stretches of time held out in turn, {said['gap_steps']} steps beside "
            "each left out of training"
        )
        drawn, test = f"blocks of {said['block_steps']} samples", "circular shifts of the target"
    else:
        kept = said["kept_together"]
        held = (
            "one split by condition"
            if said["single_split"]
            else f"each {said['folds']} held out in turn"
            if said["folds"]
            else f"{said['n_folds']} folds of single trials held out in turn"
            if kept == "trial"
            else f"{said['n_folds']} folds held out in turn, trials of one {kept} kept together"
        )
        drawn = "test trials" if kept == "trial" else f"test trials, whole levels of {kept}"
        test = (
            "permutations of the labels inside folds" if said["n_classes"] else "permutations of the target"
        )
        if said["across"] or said["generalise_time"]:
            test += ", of the training rows alone and of the test rows alone (the larger p"
            test += ")" if said["across"] else "; on the diagonal of both at once)"
    lines = [
        f"{said['target'][:200]} was decoded from {said['system'][:100]} by {said['model_name']}, with {held}; "
        "everything was fitted on the training part"
        + (", units z-scored by it." if said["standardise"] else "."),
        f"The score is {said['score'].replace('_', ' ')}.",
    ]
    if said["n_draws"]:
        lines.append(
            f"Units recorded apart were joined to pseudo-trials {said['n_draws']} times, training and test from "
            "different trials; scores are means over these draws."
        )
    if said["n_perm"]:
        lines.append(f"p-values are from {said['n_perm']} {test}, with all fits repeated.")
    if said["n_boot"] and (said["n_classes"] or not said.get("across") or said["n_perm"]):
        fixed = "n_samples" in said or said["folds"] is not None or bool(said.get("single_split"))
        across = bool(said.get("across"))
        doubled = (fixed or not said["n_classes"]) and not across
        added = said["n_deals"] and not fixed and not said["n_draws"]
        lines.append(
            f"Intervals are from {said['n_boot']} bootstrap draws of {drawn}"
            + (", their variance doubled for the part of the training rows" if doubled else "")
            + ("; the variance over deals of the folds is added" if added else "")
            + (
                "; the variance over halves of the training rows is added, and an interval reaches to chance where p "
                f"is above {1 - said['level']:.2g}"
                if across and not said["n_classes"]
                else "; a delete-a-group jackknife of the training rows is added"
                + ("" if across else " off the diagonal")
                if across or said["generalise_time"]
                else ""
            )
            + ("; the variance over draws of pseudo-trials is added." if said["n_draws"] else ".")
        )
    return tuple(lines)
