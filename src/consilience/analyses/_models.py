"""Model RDMs given to a verb, brought to the order of its stimuli by id."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience._responses import check_rdm_data, is_rdm_data, select_ids, stimulus_ids
from consilience._responses._check import refuse_result
from consilience.analyses._inputs import condensed
from consilience.linalg import to_safe_size
from consilience.linalg._centre import safe_power
from consilience.measures._compare_rdms import PREPARE, check_varies
from consilience.stats import distinct_relabellings
from consilience.stats._pairs import square

__all__ = [
    "RDM_METHODS",
    "caution_few_relabellings",
    "constant_rdm",
    "model_vectors",
    "safe_rdms",
    "unit_rows",
]

FEW_RELABELLINGS = 100  # different RDMs of a model, below which its smallest p is said

RDM_METHODS = ("spearman", "pearson", "cosine")


def model_vectors(models: object, ids: np.ndarray, *, who: str, what: str) -> dict[str, np.ndarray]:
    """{name: condensed RDM over ``ids``} of RDM data, or of a mapping {name: RDM data}; subjects are averaged."""
    if isinstance(models, xr.DataArray):
        models = {str(models.attrs.get("system") or models.name or "model"): models}
    refuse_result(models, who=who, name=what, expected="RDM data")
    if not isinstance(models, Mapping) or not models:
        raise InputError(
            f"{who}: {what} must be RDM data or a mapping {{name: RDM data}}, got {type(models).__name__}; make it "
            "with cs.rdm_data(d, stimulus=ids), so that stimuli are matched by id.",
            code="bad-rdm",
        )
    out = {}
    for name, given in models.items():
        if not is_rdm_data(given):
            raise InputError(
                f"{who}: {what}[{name!r}] must be RDM data; make it with cs.rdm_data(d, stimulus=ids), so that stimuli "
                "are matched by id.",
                code="bad-rdm",
            )
        data = check_rdm_data(given, who=who, name=f"{what}[{name!r}]")
        own = stimulus_ids(data)
        missing = ids[~np.isin(ids, own)] if own.dtype.kind == ids.dtype.kind else ids
        if missing.size:
            raise InputError(
                f"{who}: {what}[{name!r}] lacks {missing.size} of {ids.size} stimuli, such as "
                f"{missing[0].item()!r}; give both the same ids.",
                code="ids-differ",
            )
        vector = condensed(np.asarray(select_ids(data, ids).values, dtype=np.float64)).mean(axis=0)
        try:
            out[str(name)] = check_varies(vector, vector)
        except InputError:
            raise constant_rdm(vector, who, f"{what}[{name!r}]") from None
    return out


def constant_rdm(vector: np.ndarray, who: str, name: str) -> InputError:
    return InputError(
        f"{who}: all entries of the RDM of {name} are equal ({float(vector.flat[0]):.4g}), so that it has no structure "
        "to compare; check its data, or leave it out.",
        code="constant-rdm",
    )


def safe_rdms(rdms: np.ndarray, *, who: str, together: bool) -> np.ndarray:
    """RDMs (k, pairs) of any size over a power of two, for what does not depend on their scale: ``together`` over one
    for all, where they are averaged or mixed; refused where they differ so much that one would be lost.
    """
    if not together:
        return np.stack([to_safe_size(row) for row in rdms])
    made = np.asarray(to_safe_size(rdms))
    if any(safe_power(row) != 1.0 for row in made):
        tops = np.abs(rdms).max(axis=1)
        raise InputError(
            f"{who}: its RDMs have largest entries from {tops.min():.0e} to {tops.max():.0e}, too far apart for a "
            "float64 to work with them together; give them in one unit, or at least of like sizes.",
            code="out-of-range",
        )
    return made


def unit_rows(vectors: np.ndarray, method: str) -> np.ndarray:
    """RDMs (k, pairs), ranked or centred as ``method`` asks, at norm 1; NaN where all entries are equal."""
    made = np.stack([PREPARE[method](v) for v in vectors])
    norm = np.linalg.norm(made, axis=1, keepdims=True)
    return made / np.where(norm > 1e-12 * np.abs(vectors).max(initial=1e-300), norm, np.nan)


def caution_few_relabellings(models: Mapping[str, np.ndarray], n: int, *, what: str = "Model") -> None:
    """Says of which models ({name: condensed RDM of ``n`` stimuli}) relabelling makes so few different RDMs that p is
    bounded from below. ``what``: they are called.
    """
    for name, vector in models.items():
        count = distinct_relabellings(square(np.asarray(vector)[None], n)[0], most=FEW_RELABELLINGS)
        if count < FEW_RELABELLINGS:
            alike = count < math.factorial(min(n, 6))
            warn(
                "few-relabellings",
                f"{what} {shorten(name, 30)} has {count} relabellings that differ: its p is at least "
                f"{1 / count:.2g}.",
                f"Of its {n} stimuli some are alike, so more permutations do not help; more stimuli, or a model that "
                "tells more of them apart, would."
                if alike
                else f"{n} stimuli have no more, so more permutations do not help; more stimuli would.",
            )
