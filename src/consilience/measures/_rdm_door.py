"""The door of functions of RDMs: condensed or square in, condensed float64 out, entries kept or left out."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import as_array, n_from_condensed, to_numpy
from consilience._core._errors import InputError

__all__ = ["check_varies", "condensed_rdm", "kept_pairs", "pair_weights"]


def check_varies(vector: np.ndarray, rdm: np.ndarray, *, rounding: float = 0.0) -> np.ndarray:
    """Refuses an RDM all of whose entries are equal, or differ by at most ``rounding``: it has no structure."""
    spread = float(np.max(rdm) - np.min(rdm))
    if spread <= max(rounding, 1e-12 * float(np.max(np.abs(rdm)) or 1.0)):
        raise InputError(
            f"compare_rdms: all entries of an RDM are equal ({float(rdm.flat[0]):.4g}), so its comparison "
            "is not defined; check the data of that system.",
            code="constant-rdm",
        )
    return vector


def condensed_rdm(x: object, name: str, *, who: str = "compare_rdms", missing: str = "raise") -> np.ndarray:
    """``x`` as condensed float64 (P,), NaN where an entry is missing (refused with ``missing="raise"``)."""
    array = to_numpy(as_array(x, name=name, who=who))
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: {name} must hold real numbers, got dtype {array.dtype}; convert it to float first.",
            code="not-numeric",
        )
    array = np.asarray(array, dtype=np.float64)
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        n = array.shape[0]
        upper, lower = array[np.triu_indices(n, 1)], array.T[np.triu_indices(n, 1)]
        _check_known(array if missing == "raise" else upper, name, who, missing)
        size = np.nanmax(np.abs(upper), initial=0)
        unequal = (np.isnan(upper) != np.isnan(lower)) | (np.abs(upper - lower) > 1e-6 * size)
        if unequal.any():
            raise InputError(
                f"{who}: {name} is not symmetric; average it with its transpose on purpose.",
                code="not-symmetric",
            )
        array = upper
    elif array.ndim != 1 or n_from_condensed(array.size) is None:
        raise InputError(
            f"{who}: {name} must be a condensed RDM (n(n-1)/2,) or a square one (n, n), got shape "
            f"{array.shape}; make it with cs.measures.rdm.",
            code="bad-rdm",
        )
    if array.size < 3:
        raise InputError(
            f"{who}: {name} needs at least 3 stimuli (3 pairs), got {array.size} pairs.", code="too-few"
        )
    _check_known(array, name, who, missing)
    return array


def _check_known(array: np.ndarray, name: str, who: str, missing: str) -> None:
    if np.isfinite(array).all() or (missing == "omit" and not np.isinf(array).any()):
        return
    remedy = (
        "fill or drop those stimuli first"
        if missing == "omit" or np.isinf(array).any()
        else "fill or drop those stimuli first, or leave those pairs out with missing='omit'"
    )
    raise InputError(f"{who}: {name} has NaN or infinite entries; {remedy}.", code="nan-values")


def kept_pairs(*vectors: np.ndarray, who: str) -> np.ndarray:
    """Bool (P,): pairs that no vector lacks; refuses fewer than 3."""
    kept = ~np.isnan(np.stack(vectors)).any(axis=0)
    if kept.sum() < 3:
        raise InputError(
            f"{who}: {int(kept.sum())} of {kept.size} pairs have an entry in every RDM (and a weight), and 3 are "
            "needed; compare RDMs that share more pairs.",
            code="too-few",
        )
    return kept


def pair_weights(weights: object, pairs: int, *, who: str) -> np.ndarray:
    """Weights (P,) per pair, from condensed or square ones: finite, not negative, not all 0."""
    array = np.asarray(to_numpy(as_array(weights, name="weights", who=who)))
    if array.ndim == 2 and array.shape[0] == array.shape[1] == n_from_condensed(pairs):
        array = array[np.triu_indices(array.shape[0], 1)]
    real = array.dtype.kind in "biuf"
    if not real or array.shape != (pairs,) or not np.isfinite(array).all() or (array < 0).any():
        raise InputError(
            f"{who}: weights must be one finite number >= 0 for each of the {pairs} pairs, condensed or square; "
            f"got shape {array.shape}{'' if real else f' of {array.dtype}'}.",
            code="bad-weights",
        )
    return array.astype(np.float64)
