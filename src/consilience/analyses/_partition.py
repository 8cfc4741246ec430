"""The verb `partition`: how much of an RDM model RDMs explain, alone, uniquely and together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience._responses._check import refuse_result
from consilience._results import VariancePartition
from consilience.analyses._inputs import System, aligned_systems
from consilience.analyses._models import caution_few_relabellings, safe_rdms
from consilience.analyses._variance_parts import VarianceParts
from consilience.measures import rdm
from consilience.measures._rdm import DISTANCES, FlatPatternError
from consilience.measures._rdm_door import check_varies
from consilience.measures._rdm_regression import MOST_MODELS

__all__ = ["partition"]

WHO = "cs.partition"
_COLLINEAR = 1e-8


def partition(
    data: xr.DataArray,
    models: Mapping[str, xr.DataArray],
    /,
    *,
    method: Literal["nnls", "ols"] = "nnls",
    distance: Literal["correlation", "euclidean", "sqeuclidean", "cosine"] = "correlation",
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> VariancePartition:
    """How much of an RDM's variance model RDMs explain: together, alone, uniquely, and in common.

    d_p = c + sum_j w_j m_jp + error over pairs p of stimuli, fitted by least squares for every subset of the
    models, per subject. unique(j) = R2(all) - R2(all but j); the parts in common follow by inclusion and exclusion
    (commonality analysis; a negative one is suppression). All of these are in-sample, so a model of noise has
    a unique part above 0: ``null_mean`` says how much, and ``held_out`` is the same on left-out stimuli.

    Parameters
    ----------
    data : responses (trial, unit) or RDM data (one or several subjects)
    models : {name: responses or RDM data}, 1 to 6; subjects of a model are averaged.
    method : ``"nnls"`` weights w >= 0 (distances of independent features add, and nothing has negative distance),
        ``"ols"`` any sign.
    distance : see `cs.measures.rdm`; for responses. Squared Euclidean distances of independent features add up
        exactly, correlation distances nearly.
    by, join : see `cs.compare`.
    n_boot, n_perm : resamples for intervals, permutations for p; 0 = none.
    level : of the intervals.   rng : seed; None draws one and records it.

    Returns
    -------
    VariancePartition : ``.data`` over part, ``.coefficients``, ``.unique(model)``, ``.to_frame()``, ``.plot()``.
        p of the total and of a model alone: the data's stimuli are relabelled (null: data and models are
        unrelated). p of a unique part: the stimuli of that model are relabelled against the data and the other
        models (null: its RDM is unrelated to all of these).

    Raises
    ------
    InputError : ids that do not match, NaN, fewer than 4 stimuli, no or more than 6 models, a constant RDM,
        models of which one is a mixture of the others.

    References
    ----------
    Nimon et al. (2008) for commonality; Nili et al. (2014) for the ceiling; Schuett et al. (2023) for stimuli and
    subjects together.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> shape, colour = rng.normal(size=(2, 40, 3))
    >>> ids = [f"image{i}" for i in range(40)]
    >>> brain = cs.responses(np.hstack([2 * shape, colour]), stimulus=ids, system="brain")
    >>> models = {"shape": cs.responses(shape, stimulus=ids), "colour": cs.responses(colour, stimulus=ids)}
    >>> result = cs.partition(brain, models, distance="sqeuclidean", n_boot=100, n_perm=100, rng=0)
    >>> round(result.r2, 6), result.unique("shape") > result.unique("colour")
    (1.0, True)
    """
    with collect_cautions() as cautions:
        result = _partition(data, models, method, distance, by, join, n_boot, n_perm, level, rng, cautions)
    for caution in result.warnings:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return result


def _partition(
    data: Any,
    models: Any,
    method: str,
    distance: str,
    by: str,
    join: str,
    n_boot: int,
    n_perm: int,
    level: float,
    rng: Any,
    cautions: list[Caution],
) -> VariancePartition:
    check_option(method, ("nnls", "ols"), name="method", who=WHO)
    check_option(distance, DISTANCES, name="distance", who=WHO)
    for name, count in (("n_boot", n_boot), ("n_perm", n_perm)):
        if check_count(count, name=name, who=WHO) == 1:
            raise InputError(
                f"{WHO}: {name}=1 says nothing; use 0 for none, or some hundreds.", code="bad-parameter"
            )
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    refuse_result(models, who=WHO, name="models")
    if not isinstance(models, Mapping) or not 1 <= len(models) <= MOST_MODELS:
        raise InputError(
            f"{WHO}: models must be a mapping {{name: responses or RDM data}} of 1 to {MOST_MODELS}, got "
            f"{len(models) if isinstance(models, Mapping) else 'a single system'}; join or drop some.",
            code="bad-models",
        )
    if isinstance(data, Mapping):
        raise InputError(
            f"{WHO}: data must be one system, got a mapping; call it once per system.", code="bad-models"
        )
    seed = resolve_seed(rng, who=WHO)
    systems, ids, _, data_references = aligned_systems(
        {"data": data, "models": models}, by=by, join=join, who=WHO
    )
    n = len(ids)
    if n < 4:
        raise InputError(f"{WHO}: at least 4 stimuli are needed, got {n}.", code="too-few")
    brain = systems["data"][0]
    names = [str(name) for name in models]
    y = _standard(_rdms(brain, distance, ids))
    x = _standard(np.stack([_rdms(s, distance, ids).mean(axis=0) for s in systems["models"]]))
    _refuse_mixtures(x, names)
    if n_perm:
        caution_few_relabellings(dict(zip(names, x)), n)
    parts = VarianceParts(x, y, n, names, method == "nnls", seed)
    table = parts.table(n_boot, n_perm, level)
    coefficients = parts.coefficients(level)
    return VariancePartition(
        data=table,
        coefficients=coefficients,
        settings={
            "verb": "partition",
            "method": method,
            "distance": distance,
            "by": by,
            "join": join,
            "n_boot": int(n_boot),
            "n_perm": int(n_perm),
            "level": level,
            "data": brain.name,
            "models": names,
            "n_stimuli": n,
            "n_subjects": len(y),
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=_references(n_boot, n_perm, len(y), data_references),
        methods=_methods(method, n, n_boot, n_perm, level, len(y)),
    )


def _rdms(system: System, distance: str, ids: np.ndarray) -> np.ndarray:
    """(subjects, P)."""
    if system.rdms is not None:
        found = system.rdms
    else:
        try:
            in_blocks = system.distances(distance)
            made = rdm(system.x, distance=distance) if in_blocks is None else in_blocks  # type: ignore[arg-type]
            found = np.asarray(made, dtype=np.float64)[None]
        except FlatPatternError as error:
            raise error.named(ids, who=f"{WHO}, system {system.name!r}") from None
    found = safe_rdms(found, who=f"{WHO}, system {system.name!r}", together=True)
    for one in found:
        try:
            check_varies(one, one)
        except InputError as error:
            raise InputError(f"{WHO}, system {system.name!r}: {error}", code=error.code) from None
    return found


def _standard(v: np.ndarray) -> np.ndarray:
    v = v - v.mean(axis=1, keepdims=True)
    return v / v.std(axis=1, keepdims=True)


def _refuse_mixtures(x: np.ndarray, names: list[str]) -> None:
    for j, name in enumerate(names):
        others = np.delete(x, j, 0)
        rest = x[j] - others.T @ np.linalg.lstsq(others.T, x[j], rcond=None)[0]
        if rest @ rest <= _COLLINEAR * x.shape[1]:
            raise InputError(
                f"{WHO}: the RDM of model {name!r} is a mixture of those of the others, so no part is its own; "
                "leave one of them out.",
                code="bad-models",
            )


def _references(n_boot: int, n_perm: int, subjects: int, of_data: tuple[str, ...]) -> tuple[str, ...]:
    keys = ["kriegeskorte2008representational", "nimon2008r"]
    if n_perm:
        keys.append("phipson2010permutation")
    if subjects > 1:
        keys += ["nili2014toolbox"] + (["schutt2023statistical"] if n_boot else [])
    return tuple(dict.fromkeys([*keys, *of_data]))


def _methods(method: str, n: int, n_boot: int, n_perm: int, level: float, subjects: int) -> tuple[str, ...]:
    signs = "weights constrained to be at least 0" if method == "nnls" else "weights of any sign"
    lines = [
        f"The dissimilarities of {n} stimuli were regressed on those of the models by least squares with a constant "
        f"({signs}), for every subset of the models; unique and common parts of R2 follow from these fits.",
        "The same was done on pairs of which both stimuli were left out of the fit (held out).",
    ]
    if n_boot:
        lines.append(
            f"{level:.0%} intervals resample stimuli by weights on pairs of different stimuli (percentiles of "
            f"{n_boot} draws)."
        )
    if n_perm:
        lines.append(
            f"P-values are one-sided, (b + 1)/(m + 1), from {n_perm} random relabellings: of the data's stimuli for "
            "the total and single models, of the model's own stimuli for its unique part."
        )
    if subjects > 1:
        lines.append("Models were fitted to each subject, and shares of variance averaged over subjects.")
    return tuple(lines)
