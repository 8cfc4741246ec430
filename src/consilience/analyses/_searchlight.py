"""The verb `searchlight`: how alike a model is to the units near each unit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy.sparse import csr_matrix

from consilience._core._errors import (
    ConsilienceWarning,
    InputError,
    collect_cautions,
)
from consilience._core._params import check_number, check_option
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses._check import refuse_result
from consilience._results import Searchlight
from consilience.analyses._inputs import System, aligned_systems
from consilience.analyses._models import RDM_METHODS, caution_few_relabellings, model_vectors, unit_rows
from consilience.analyses._spheres import WHO, check_spheres, places_of_units, spheres_of
from consilience.analyses._trial_rdms import (
    check_draws,
    checked_trials,
    chosen_distance,
    fold_labels,
    single_trials,
)
from consilience.linalg import noise_covariance, stimulus_residuals
from consilience.measures import rdm
from consilience.measures._rdm import FlatPatternError
from consilience.measures._repeats import fold_means
from consilience.stats import (
    multinomial_weights,
    p_value,
    permutations,
    weighted_cosines,
)
from consilience.stats._fisher import fisher_interval
from consilience.stats._pairs import square
from consilience.stats._permutation import false_discovery_q

__all__ = ["searchlight"]

DISTANCES = ("crossnobis", "euclidean", "correlation")
_NUMBERS = 1 << 24  # of pairs x units, and of pairs x centres, held at once


def searchlight(
    data: xr.DataArray,
    target: xr.DataArray,
    /,
    *,
    radius: float | None = None,
    n_units: int | None = None,
    coordinates: Sequence[str] | None = None,
    distance: Literal["crossnobis", "euclidean", "correlation"] | None = None,
    folds: str | None = None,
    noise: Literal["diagonal"] | None = None,
    method: Literal["spearman", "pearson", "cosine"] = "spearman",
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | None = 0,
) -> Searchlight:
    """Likeness of a model RDM to the RDM of the units around each unit.

    Parameters
    ----------
    data : responses (trial, unit) with coordinates on unit
    target : RDM data, matched by stimulus id
    radius : of the sphere, in the unit of the coordinates (a unit at just this distance is inside), or n_units : the
        nearest units, itself included. One of them.
    coordinates : labels on unit; default those of "x", "y", "z" that are there
    distance : "crossnobis" (single trials; ``folds`` as in `cs.rdms`), "euclidean" or "correlation" (averages over
        repeats); default crossnobis where every stimulus repeats, else correlation
    noise : for crossnobis: "diagonal" divides each unit by its noise variance (residuals of the other folds); None.
        Per sphere covariances are not offered: these distances are sums over units, which makes them fast.
    method : comparison with the target (see `cs.measures.compare_rdms`); for the coverage of intervals see
        `cs.rdm_movie`
    n_boot, n_perm : draws and relabellings of stimuli, the same for all centres; 0 = none.   level : of intervals.
    rng : seed

    Returns
    -------
    Searchlight : ``.data`` (unit): value, ci_low, ci_high (interval over stimuli), p (one-sided stimulus permutation),
        p_fwer (maximum statistic over centres), q (Benjamini-Hochberg false discovery rate), n_units (in the sphere).
        NaN where the sphere's RDM is flat. A value belongs to its sphere, not to its centre: neighbours share units.

    Raises
    ------
    InputError : no coordinates, both or neither of radius and n_units, a target without the stimuli, no repeats for
        crossnobis.

    References
    ----------
    Kriegeskorte, Goebel & Bandettini (2006); Walther et al. (2016); Westfall & Young (1993).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(8, 30))
    >>> data = cs.responses(x, stimulus=list("abcdefgh"), system="V1").assign_coords(x=("unit", np.arange(30.0)))
    >>> model = cs.rdm_data(cs.measures.rdm(x[:, 10:15])[None], stimulus=list("abcdefgh"), system="model")
    >>> found = cs.searchlight(data, model, radius=2, n_boot=0, n_perm=0)
    >>> int(found.data["value"].values.argmax())
    12
    """
    refuse_result(data, who=WHO, name="data", expected="responses")
    check_option(method, RDM_METHODS, name="method", who=WHO)
    if distance is not None:
        check_option(distance, DISTANCES, name="distance", who=WHO)
    if noise is not None:
        check_option(noise, ["diagonal"], name="noise", who=WHO)
    check_draws(n_boot=n_boot, n_perm=n_perm, who=WHO)
    check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    with collect_cautions() as cautions:
        found, ids, _, references = aligned_systems({"data": data}, by="stimulus", join="exact", who=WHO)
        system = found["data"][0]
        if system.responses is None:
            raise InputError(f"{WHO}: data must be responses, not RDM data.", code="needs-responses")
        targets = model_vectors(target, ids, who=WHO, what="target")
        if n_perm:
            caution_few_relabellings(targets, len(ids))
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    kept = np.ones(data.sizes["unit"], bool) if system.responses.units is None else system.responses.units
    names, places = places_of_units(data, coordinates, kept)
    spheres = spheres_of(places, radius, n_units)
    fold_labels(data, folds, who=WHO, name=system.name)
    used: str | None = distance
    if used is None:
        asked = {"folds=": folds is not None, "noise=": noise is not None}
        single = {} if system.trials is not None else {system.name: single_trials(data)}
        used = chosen_distance(asked, single, who=WHO)
    if noise is not None and used != "crossnobis":
        raise InputError(
            f"{WHO}: noise={noise!r} is for distance='crossnobis'; leave it out.", code="bad-noise"
        )
    if folds is not None and used != "crossnobis":
        raise InputError(
            f"{WHO}: folds={folds!r} is for distance='crossnobis', and {used!r} is of averages; leave it out.",
            code="bad-parameter",
        )
    with collect_cautions() as said:
        check_spheres(spheres, places, 3 if used == "correlation" else 1, used)
    cautions += said
    for caution in said:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    rdms_of = _maker(system, used, folds, noise, seed)
    columns = _scan(
        rdms_of, spheres, next(iter(targets.values())), method, n_boot, n_perm, level, seed, len(ids)
    )
    coords: dict[str, Any] = {
        "unit": data["unit"].values[kept] if "unit" in data.coords else np.flatnonzero(kept)
    }
    coords |= {name: ("unit", places[:, k]) for k, name in enumerate(names)}
    return Searchlight(
        data=xr.Dataset({name: ("unit", values) for name, values in columns.items()}, coords=coords),
        settings={
            "verb": "searchlight",
            "system": system.name,
            "target": next(iter(targets)),
            "distance": used,
            "folds": folds,
            "noise": noise,
            "method": method,
            "radius": radius,
            "n_units": n_units,
            "coordinates": list(names),
            "n_boot": n_boot,
            "n_perm": n_perm,
            "level": level,
            "n_stimuli": len(ids),
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(["kriegeskorte2006information", "kriegeskorte2008representational", *references])
        ),
        methods=(
            f"A searchlight compared ({method}) the representational dissimilarity matrix ({used}) of the units "
            "around each unit with that of the target; family-wise p by the maximum statistic over centres.",
        ),
    )


def _maker(system: System, distance: str, folds: str | None, noise: str | None, seed: Seed) -> Any:
    """Function of the rows of a membership matrix -> RDMs (centres, pairs)."""
    assert system.responses is not None
    if distance == "correlation":
        x = np.asarray(system.x, dtype=np.float64)
        return lambda spheres: _correlations(x, spheres)
    if distance == "euclidean":
        x = np.asarray(system.x, dtype=np.float64)
        return _Additive((x - x.mean(axis=0))[None], None)
    if system.trials is None:
        raise InputError(
            f"{WHO}: distance='crossnobis' needs at least 2 valid trials of every stimulus; use "
            "distance='correlation'.",
            code="no-repeats",
        )
    given = fold_labels(system.trials, folds, who=WHO, name=system.name)
    made = checked_trials(system.trials.values, system.trials["stimulus"].values, given, seed, who=WHO)
    if not made.present.all():
        raise InputError(
            f"{WHO}: some stimuli have no trial in some folds; the searchlight needs every stimulus in every fold: "
            "merge folds, or leave folds=None.",
            code="no-common-folds",
        )
    precision = None
    if noise == "diagonal":
        precision = np.zeros((len(made.names), made.x.shape[1]))
        for m in range(len(made.names)):
            others = made.fold != m
            varies = np.ptp(made.x[others], axis=0) > 0
            r = stimulus_residuals(
                made.x[others][:, varies], made.stimulus[others], runs=made.fold[others], who=WHO
            )
            precision[m, varies] = noise_covariance(r, method="diagonal").precision
    return _Additive(fold_means(made), precision)


@dataclass(frozen=True)
class _Additive:
    """Distances that are sums over units: pairs x units once, times units x centres.

    means : (folds, n, units); one fold = plain squared Euclidean.   precision : (folds, units) or None.
    """

    means: np.ndarray
    precision: np.ndarray | None

    def __call__(self, spheres: csr_matrix) -> np.ndarray:
        units = np.unique(spheres.indices)
        within = spheres[:, units]
        folds, n, _ = self.means.shape
        rows, columns = np.triu_indices(n, 1)
        out = np.empty((rows.size, spheres.shape[0]))
        step = max(1, _NUMBERS // units.size)
        for start in range(0, rows.size, step):
            part = slice(start, start + step)
            out[part] = (within @ self._terms(rows[part], columns[part], units).T).T
        counts = np.asarray(spheres.sum(axis=1)).ravel()
        return (out / counts / max(1, folds * (folds - 1))).T

    def _terms(self, i: np.ndarray, j: np.ndarray, units: np.ndarray) -> np.ndarray:
        """What each unit adds to each pair, summed over ordered pairs of folds: (pairs, units)."""
        apart = [(m[:, units][i] - m[:, units][j]) for m in self.means]
        if len(apart) == 1:
            return apart[0] * apart[0]
        total = np.sum(apart, axis=0)
        out = np.zeros_like(total)
        for k, one in enumerate(apart):
            term = one * (total - one)
            out += term if self.precision is None else term * self.precision[k, units]
        return out


def _correlations(x: np.ndarray, spheres: csr_matrix) -> np.ndarray:
    n = x.shape[0]
    out = np.full((spheres.shape[0], n * (n - 1) // 2), np.nan)
    for k in range(spheres.shape[0]):
        members = spheres.indices[spheres.indptr[k] : spheres.indptr[k + 1]]
        if members.size < 3:  # between 2 units every correlation is 1 or -1
            continue
        try:
            out[k] = rdm(x[:, members])
        except FlatPatternError:
            continue
    return out


def _scan(
    rdms_of: Any,
    spheres: csr_matrix,
    target: np.ndarray,
    method: str,
    n_boot: int,
    n_perm: int,
    level: float,
    seed: Seed,
    n: int,
) -> dict[str, np.ndarray]:
    """Every column of the result, block of centres by block of centres."""
    centres = spheres.shape[0]
    model = unit_rows(target[None], method)
    relabelled = None
    if n_perm:
        whole = square(model, n)[0]
        rows, columns = np.triu_indices(n, 1)
        orders = permutations(n, n_perm, seed.stream("permutations"))
        relabelled = np.stack([whole[o[rows], o[columns]] for o in orders])
    weights = multinomial_weights(n, n_boot, seed.stream("bootstrap")) if n_boot else None
    names = ("value", "ci_low", "ci_high", "p", "p_fwer", "q")
    out = {name: np.full(centres, np.nan) for name in names}
    out["n_units"] = np.asarray(spheres.sum(axis=1)).ravel()
    top = np.full(n_perm, -np.inf)
    step = max(1, _NUMBERS // max(target.size, n_perm, n_boot, 1))
    for start in range(0, centres, step):
        part = slice(start, min(start + step, centres))
        made = rdms_of(spheres[part])
        known = np.isfinite(made).all(axis=1)
        a = np.full(made.shape, np.nan)
        if known.any():
            a[known] = unit_rows(made[known], method)
        known &= np.isfinite(a).all(axis=1)
        where = np.arange(part.start, part.stop)[known]
        if where.size == 0:
            continue
        value = a[known] @ model[0]
        out["value"][where] = value
        if relabelled is not None:
            null = (a[known] @ relabelled.T).T
            out["p"][where] = p_value(value, null)
            top = np.maximum(top, null.max(axis=1))
        if weights is not None:
            draws = weighted_cosines(a[known], model, weights)[:, :, 0]
            out["ci_low"][where], out["ci_high"][where] = fisher_interval(draws, value, level, n=n)
    if n_perm:
        known = np.isfinite(out["value"])
        if known.any():
            null = np.broadcast_to(top[:, None], (n_perm, int(known.sum())))
            out["p_fwer"][known] = p_value(out["value"][known], null)
            out["q"][known] = false_discovery_q(out["p"][known])
    return out
