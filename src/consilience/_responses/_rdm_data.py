"""`rdm_data`: systems of which only dissimilarity matrices are known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    Caution,
    InputError,
    cautions_to_json,
    warn,
)
from consilience._core._params import check_number, check_option, shorten
from consilience._responses._check import WARNINGS, check_rdm_data
from consilience._responses._ids import check_ids, check_text, made_up_ids, repeated
from consilience._responses._make import as_numeric
from consilience._responses._match import common_ids, select_ids
from consilience._responses._schema import DISTANCES


def rdm_data(
    rdms: object,
    *,
    stimulus: Sequence[Hashable] | np.ndarray | None = None,
    distance: str = "unknown",
    subject: Sequence[Hashable] | np.ndarray | None = None,
    session: Sequence[Hashable] | np.ndarray | None = None,
    kind: str = "rdm",
    system: str | None = None,
    tolerance: float = 1e-6,
) -> xr.DataArray:
    """Makes RDM data: a system of which only representational dissimilarity matrices are known.

    Parameters
    ----------
    rdms : array (stimulus, stimulus), (rdm, stimulus, stimulus), or condensed (rdm, n(n-1)/2) in SciPy's
        order
        Dissimilarities: symmetric, zero on the diagonal, finite.
        Or a mapping {subject: RDM data of one subject, or the result of `cs.rdms` of one system}: these are brought
        to the same stimuli **by id** (each may have them in another order), and know their ids and distance.
    stimulus : n ids, all different, in the order of the rows. Without them ``stim0000...`` are made up (warning
        ``made-up-ids``).
    distance : what the entries are: "correlation", "sqeuclidean", "euclidean", "cosine", "mahalanobis",
        "crossnobis", "poisson", "poisson_crossvalidated" or "unknown". CKA needs one of the first two.
    subject, session : one entry per RDM. Sessions are averaged within a subject; ceilings and intervals go
        over subjects. Without ``subject`` each RDM counts as a subject (warning ``made-up-subjects``).
    system : the name that results show.
    tolerance : how far, relative to the largest entry, an RDM may be from symmetric and from a zero diagonal.

    Returns
    -------
    xarray.DataArray (rdm, stimulus, stimulus_), float64, coordinates ``subject`` and ``session`` on rdm.

    Raises
    ------
    InputError : not square or condensed, not symmetric, diagonal not zero, NaN, repeated ids, fewer than 3
        stimuli; of a mapping: other ids, several subjects under one name, different distances.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> d = 1 - np.corrcoef(np.random.default_rng(0).normal(size=(5, 20)))
    >>> it = cs.rdm_data(d, stimulus=list("abcde"), distance="correlation", system="IT")
    >>> it.dims, it.shape
    (('rdm', 'stimulus', 'stimulus_'), (1, 5, 5))
    """
    who = "cs.rdm_data"
    check_option(distance, DISTANCES, name="distance", who=who)
    check_text([str(system or "")], who=who, what="system")
    tolerance = check_number(tolerance, name="tolerance", who=who, low=0.0, high=1.0, closed=True)
    if isinstance(rdms, Mapping):
        if stimulus is not None or subject is not None or session is not None:
            raise InputError(
                f"{who}: RDMs in a mapping know their stimuli, and its keys are the subjects; leave stimulus=, "
                "subject= and session= out.",
                code="bad-rdm",
            )
        rdms, stimulus, subject, distance = _of_subjects(rdms, distance, who)
    elif hasattr(rdms, "to_rdm_data"):
        raise InputError(
            f"{who}: these RDMs know their ids already; take one system with .to_rdm_data()[name], or give several "
            "subjects as a mapping {subject: RDMs}.",
            code="bad-rdm",
        )
    elif isinstance(rdms, xr.DataArray) and "stimulus" in rdms.coords and stimulus is not None:
        own = rdms["stimulus"].values
        if list(own.tolist()) != list(np.asarray(stimulus).tolist()):
            raise InputError(
                f"{who}: the RDM has ids of its own, in another order than stimulus= (first "
                f"{shorten(own[0].item(), 40)}); leave stimulus= out of a mapping {{subject: RDM data}}, or pass "
                "rdms.values on purpose.",
                code="ids-differ",
            )
    values = np.array(as_numeric(rdms, who), dtype=np.float64)
    values = _square(values, who)
    n = values.shape[-1]
    if len(values) == 0:
        raise InputError(f"{who}: the stack is empty; at least 1 RDM is needed.", code="too-few")
    if n < 3:
        raise InputError(f"{who}: an RDM needs at least 3 stimuli, got {n}.", code="too-few")
    if not np.isfinite(values).all():
        r, i, j = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"{who}: RDM {r} has a NaN or infinite entry at ({i}, {j}); fill or drop that stimulus "
            "first. cs.measures.compare_rdms compares RDMs with missing pairs (missing='omit'); verbs do not.",
            code="nan-values",
        )
    scale = np.abs(values).max(axis=(1, 2))
    for r in range(len(values)):
        lopsided = np.abs(values[r] - values[r].T).max()
        if lopsided > tolerance * scale[r]:
            raise InputError(
                f"{who}: RDM {r} is not symmetric (largest difference {lopsided:.3g}); for a "
                "cross-validated matrix average it with its "
                "transpose on purpose.",
                code="not-symmetric",
            )
        diagonal = np.abs(np.diagonal(values[r])).max()
        if diagonal > tolerance * scale[r]:
            raise InputError(
                f"{who}: RDM {r} has {diagonal:.3g} on its diagonal; a dissimilarity of a stimulus with "
                "itself is 0. Is it a similarity?",
                code="bad-diagonal",
            )
    values = (values + np.swapaxes(values, 1, 2)) / 2
    values[:, np.arange(n), np.arange(n)] = 0.0
    cautions = []
    if stimulus is None:
        ids = made_up_ids(n)
        cautions.append(
            Caution(
                "made-up-ids",
                f"No stimulus ids were given for {system or 'this RDM'}; stim0000... stand for its rows in "
                "their order.",
                "Pass stimulus=[...] so that systems are aligned by id, not by row.",
            )
        )
    else:
        ids = check_ids(stimulus, n, who=who)
    if np.unique(ids).size != n:
        raise InputError(
            f"{who}: stimulus ids of an RDM must differ; {repeated(ids)} come more than once.",
            code="repeated-ids",
        )
    count = len(values)
    if subject is None and count > 1:
        cautions.append(
            Caution(
                "made-up-subjects",
                f"{system or 'This stack'} has {count} RDMs and no subject ids; each counts as a subject of "
                f"its own (s1 to s{count}).",
                "Pass subject=[...], one id per RDM; RDMs of one subject get the same id.",
            )
        )
    coords: dict[str, Any] = {"stimulus": ids, "stimulus_": ids}
    coords["subject"] = (
        "rdm",
        check_ids(subject, count, who=who, what="subject")
        if subject is not None
        else np.array([f"s{i + 1}" for i in range(count)]),
    )
    if session is not None:
        coords["session"] = ("rdm", check_ids(session, count, who=who, what="session"))
    data = xr.DataArray(
        values,
        dims=("rdm", "stimulus", "stimulus_"),
        coords=coords,
        attrs={"kind": kind, "system": system or "", "distance": distance},
    )
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy)
    if cautions:
        data.attrs[WARNINGS] = cautions_to_json(cautions)
    return data


def _of_subjects(
    given: Mapping[Any, object], distance: str, who: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """(RDMs, ids, subjects, distance) of {subject: RDMs}, matched by id, in the order of the first."""
    found: dict[str, xr.DataArray] = {}
    for name, entry in given.items():
        if hasattr(entry, "to_rdm_data"):
            systems = entry.to_rdm_data()
            if len(systems) != 1:
                raise InputError(
                    f"{who}: the RDMs of {str(name)!r} are of {len(systems)} systems ({', '.join(systems)}); choose "
                    "one with .to_rdm_data()[system].",
                    code="bad-rdm",
                )
            entry = next(iter(systems.values()))
        checked = check_rdm_data(entry, who=who, name=f"rdms[{name!r}]")
        if "subject" in checked.coords and np.unique(checked["subject"].values).size > 1:
            raise InputError(
                f"{who}: rdms[{name!r}] has RDMs of {np.unique(checked['subject'].values).size} subjects; give one "
                "subject under each name, or that array as it is.",
                code="bad-rdm",
            )
        found[str(name)] = checked
    if len(found) < max(1, len(given)):
        raise InputError(f"{who}: rdms must have at least one entry, under different names.", code="too-few")
    said = {str(data.attrs.get("distance", "unknown")) for data in found.values()}
    if len(said) > 1 or (distance != "unknown" and said - {distance, "unknown"}):
        raise InputError(
            f"{who}: RDMs of one system must be of one distance, got {', '.join(sorted(said | {distance}))}; make them "
            "alike.",
            code="bad-rdm",
        )
    common_ids(found, join="exact", who=who)
    ids = next(iter(found.values()))["stimulus"].values
    subjects = np.repeat(list(found), [data.sizes["rdm"] for data in found.values()])
    values = np.concatenate([select_ids(data, ids).values for data in found.values()])
    return values, ids, subjects, distance if distance != "unknown" else said.pop()


def _square(values: np.ndarray, who: str) -> np.ndarray:
    if values.ndim == 2 and values.shape[0] == values.shape[1]:
        return values[None]
    if values.ndim == 3 and values.shape[1] == values.shape[2]:
        return values
    if values.ndim in (1, 2):
        condensed = np.atleast_2d(values)
        n = (1 + int(np.sqrt(1 + 8 * condensed.shape[1]))) // 2
        if n * (n - 1) // 2 == condensed.shape[1]:
            out = np.zeros((len(condensed), n, n))
            rows, columns = np.triu_indices(n, 1)
            out[:, rows, columns] = condensed
            return out + np.swapaxes(out, 1, 2)
    raise InputError(
        f"{who}: rdms must be (stimulus, stimulus), (rdm, stimulus, stimulus) or condensed (rdm, "
        f"n(n-1)/2), got shape {values.shape}.",
        code="bad-rdm",
    )
