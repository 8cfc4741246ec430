"""The verb `rdms`: RDMs of several systems over the same stimuli, and their maps, for looking at."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, collect_cautions
from consilience._core._params import check_option
from consilience._responses import iterate_systems
from consilience._results import RDMs
from consilience.analyses._inputs import System, aligned_systems, condensed
from consilience.linalg import classical_mds, rotate_onto
from consilience.measures import rdm
from consilience.measures._compare_rdms import PREPARE
from consilience.measures._rdm import FlatPatternError
from consilience.stats._pairs import square

__all__ = ["rdms"]


def rdms(
    systems: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    *,
    distance: Literal["correlation", "euclidean", "sqeuclidean", "cosine"] = "correlation",
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
) -> RDMs:
    """RDMs of systems over the same stimuli, with a two-dimensional map of the stimuli for each and one of
    the systems.

    Parameters
    ----------
    systems : responses, RDM data (subjects are averaged; its own distance stays), or a mapping {name: either}
    distance : see `cs.measures.rdm`; for responses.   by, join : see `cs.compare`.

    Returns
    -------
    RDMs : ``.rdms`` (system, stimulus, stimulus_), stimuli in the order of the first system; ``.map``
        (system, stimulus, axis) by classical multidimensional scaling, each turned onto the first system's;
        ``.systems_map`` (system, axis) from 1 - Spearman between RDMs.

    Raises
    ------
    InputError : ids that do not match, NaN, a flat pattern.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Torgerson (1952).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses(np.random.default_rng(0).normal(size=(6, 20)), stimulus=list("abcdef"), system="V1")
    >>> cs.rdms(x).rdms.shape
    (1, 6, 6)
    """
    who = "cs.rdms"
    check_option(distance, ["correlation", "euclidean", "sqeuclidean", "cosine"], name="distance", who=who)
    with collect_cautions() as cautions:
        found, ids, _, references = aligned_systems({"systems": systems}, by=by, join=join, who=who)
        vectors = np.stack([_vector(s, distance, ids, who) for s in found["systems"]])
        order = _given_order(next(iterate_systems(systems, who=who, side="systems"))[1], by, ids)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    names = [s.name for s in found["systems"]]
    squares = square(vectors, len(ids))[:, order][:, :, order]
    ids = ids[order]
    vectors = condensed(squares)
    maps, shares = zip(*(classical_mds(d, 2) for d in squares))
    turned = [maps[0], *(rotate_onto(m, maps[0]) for m in maps[1:])]
    systems_map = None
    if len(names) > 2:
        ranks = np.stack([PREPARE["spearman"](v) for v in vectors])
        ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
        gap = np.clip(1 - ranks @ ranks.T, 0, None)
        systems_map = xr.DataArray(
            classical_mds((gap + gap.T) / 2, 2)[0], dims=("system", "axis"), coords={"system": names}
        )
    return RDMs(
        rdms=xr.DataArray(
            squares,
            dims=("system", "stimulus", "stimulus_"),
            coords={"system": names, "stimulus": ids, "stimulus_": ids},
        ),
        map=xr.DataArray(
            np.stack(turned), dims=("system", "stimulus", "axis"), coords={"system": names, "stimulus": ids}
        ),
        systems_map=systems_map,
        data=xr.Dataset(
            {
                "explained": ("system", np.array(shares)),
                "n_subjects": ("system", np.array([len(s.subjects) or 1 for s in found["systems"]])),
                "distance": (
                    "system",
                    np.array([s.distance or distance for s in found["systems"]], dtype=object),
                ),
            },
            coords={"system": names},
        ),
        settings={"verb": "rdms", "distance": distance, "by": by, "join": join, "n_stimuli": len(ids)},
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(["kriegeskorte2008representational", "torgerson1952multidimensional", *references])
        ),
        methods=(
            f"Representational dissimilarity matrices use {distance} distance where responses were "
            "available. Maps are classical multidimensional "
            "scaling to two axes.",
        ),
    )


def _vector(system: System, distance: str, ids: np.ndarray, who: str) -> np.ndarray:
    if system.rdms is not None:
        return system.rdms.mean(axis=0)
    assert system.x is not None
    try:
        return np.asarray(rdm(system.x, distance=distance))  # type: ignore[arg-type]
    except FlatPatternError as error:
        raise error.named(ids, who=f"{who}, system {system.name!r}") from None


def _given_order(first: xr.DataArray, by: str, ids: np.ndarray) -> np.ndarray:
    """Rows of the sorted ``ids`` in the order in which the first system has them."""
    given = first[by].values.tolist()
    seen = {key: row for row, key in reversed(list(enumerate(given)))}
    return np.array(sorted(range(len(ids)), key=lambda row: seen[ids[row].item()]))
