"""The verb `partition`: how much of an RDM model RDMs explain, alone, uniquely and together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import Seed, resolve_seed
from consilience._results import VariancePartition
from consilience.analyses._inputs import System, aligned_systems
from consilience.measures import rdm
from consilience.measures._rdm import DISTANCES, FlatPatternError
from consilience.measures._rdm_door import check_varies
from consilience.measures._rdm_regression import (
    MOST_MODELS,
    commonalities,
    fit_subsets,
    held_out_r2,
    moments,
)
from consilience.stats import (
    group_folds,
    multinomial_weights,
    p_value,
    percentile_interval,
    permutations,
    permuted_cosines,
    two_factor_interval,
)

__all__ = ["partition"]

WHO = "cs.partition"
FOLDS, FOLDINGS, FEWEST = 5, 10, 4  # of held-out R^2; stimuli of a fold
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
    rng: int | np.random.Generator | np.random.SeedSequence | None = None,
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
    parts = _Parts(x, y, n, names, method == "nnls", seed)
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
        assert system.x is not None
        try:
            found = np.asarray(rdm(system.x, distance=distance), dtype=np.float64)[None]  # type: ignore[arg-type]
        except FlatPatternError as error:
            raise error.named(ids, who=f"{WHO}, system {system.name!r}") from None
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


class _Parts:
    """Subset fits of the whole, of draws and of permutations, and the table made of them."""

    def __init__(
        self, x: np.ndarray, y: np.ndarray, n: int, names: list[str], nonnegative: bool, seed: Seed
    ) -> None:
        self.x, self.y, self.n, self.names, self.seed = x, y, n, names, seed
        self.nonnegative = nonnegative
        k = self.k = len(names)
        full = (1 << k) - 1
        common = commonalities(k)
        # rows of the table: (kind, subset of models, what it is of the R^2 of all subsets)
        rows = [("total", full, np.eye(full + 1)[full])]
        if k > 1:
            rows += [("alone", 1 << j, np.eye(full + 1)[1 << j]) for j in range(k)]
            rows += [("unique", 1 << j, common[(1 << j) - 1]) for j in range(k)]
            several = [s for s in range(1, full + 1) if s.bit_count() > 1]
            rows += [("common", s, common[s - 1]) for s in sorted(several, key=lambda s: (s.bit_count(), s))]
        self.kinds = [kind for kind, _, _ in rows]
        self.subsets = [subset for _, subset, _ in rows]
        self.of_r2 = np.stack([row for _, _, row in rows])
        self._draws: tuple[np.ndarray, np.ndarray] | None = None
        self.r2, self.weights = self._fits(np.ones((1, n)))

    def _fits(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gram, cross, variance = moments(self.x, self.y, weights).centred()
        r2, beta = fit_subsets(gram, cross, variance, nonnegative=self.nonnegative)
        # weights per standard deviation, of the draw's own pairs
        spread = np.sqrt(np.einsum("mjj->mj", gram))[:, None, :] / np.sqrt(variance)[:, :, None]
        return r2, beta[:, :, -1] * spread

    def _words(self, subset: int) -> str:
        return " + ".join(name for j, name in enumerate(self.names) if subset >> j & 1)

    def table(self, n_boot: int, n_perm: int, level: float) -> xr.Dataset:
        each = self.r2[0] @ self.of_r2.T  # (subjects, rows)
        value, blank = each.mean(axis=0), np.full(len(self.kinds), np.nan)
        columns: dict[str, Any] = {"value": value}
        for name in ("ci", "ci_subjects", "ci_both"):
            columns[f"{name}_low"], columns[f"{name}_high"] = blank.copy(), blank.copy()
        columns |= {"p": blank.copy(), "null_mean": blank.copy(), "held_out": self._held_out()}
        columns["ceiling_low"], columns["ceiling_high"] = blank.copy(), blank.copy()
        columns["ceiling_low"][0], columns["ceiling_high"][0] = self._ceiling()
        if n_boot:
            self._intervals(columns, each, n_boot, level)
        if n_perm:
            self._nulls(columns, n_perm)
        labels = [
            kind if kind == "total" else f"{kind}: {self._words(subset)}"
            for kind, subset in zip(self.kinds, self.subsets)
        ]
        return xr.Dataset(
            {
                "kind": ("part", np.array(self.kinds, dtype=object)),
                "models": ("part", np.array([self._words(s) for s in self.subsets], dtype=object)),
                **{name: ("part", v) for name, v in columns.items()},
            },
            coords={"part": np.array(labels, dtype=object)},
        )

    def _intervals(self, columns: dict[str, Any], each: np.ndarray, n_boot: int, level: float) -> None:
        draws, weights = self._fits(multinomial_weights(self.n, n_boot, self.seed.stream("stimuli")))
        by_subject = draws @ self.of_r2.T  # (draws, subjects, rows)
        self._draws = by_subject.mean(axis=1), weights.mean(axis=1)
        value, stimuli = each.mean(axis=0), by_subject.mean(axis=1)
        columns["ci_low"], columns["ci_high"] = percentile_interval(stimuli, value, level)
        s = len(self.y)
        if s < 2:
            return
        people = multinomial_weights(s, n_boot, self.seed.stream("subjects")) / s
        subjects = people @ each
        both = np.einsum("ds,dsr->dr", people, by_subject)
        columns["ci_subjects_low"], columns["ci_subjects_high"] = percentile_interval(subjects, value, level)
        columns["ci_both_low"], columns["ci_both_high"] = two_factor_interval(
            value, stimuli, subjects, both, n_stimuli=self.n, n_subjects=s, level=level
        )

    def _r2_of(self, gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
        """R^2 (m, 2^k), mean over subjects, from correlations."""
        variance = np.ones((len(cross), cross.shape[2]))
        return fit_subsets(gram, cross, variance, nonnegative=self.nonnegative)[0].mean(axis=1)

    def _nulls(self, columns: dict[str, Any], n_perm: int) -> None:
        orders = permutations(self.n, n_perm, self.seed.stream("permutations"))
        size = np.sqrt(self.x.shape[1])
        x, y = self.x / size, self.y / size
        gram = np.repeat((x @ x.T)[None], n_perm, axis=0)
        cross = np.repeat((x @ y.T)[None], n_perm, axis=0)
        moved = self._r2_of(gram, permuted_cosines(x, y, orders)) @ self.of_r2.T
        null = np.where(np.isin(self.kinds, ("total", "alone"))[None], moved, np.nan)
        for row, (kind, subset) in enumerate(zip(self.kinds, self.subsets)):
            if kind != "unique":
                continue
            j = subset.bit_length() - 1
            others = [i for i in range(self.k) if i != j]
            found = permuted_cosines(x[j : j + 1], np.concatenate([x[others], y]), orders)[:, 0]
            its_gram, its_cross = gram.copy(), cross.copy()
            its_gram[:, j, others] = its_gram[:, others, j] = found[:, : self.k - 1]
            its_cross[:, j] = found[:, self.k - 1 :]
            null[:, row] = self._r2_of(its_gram, its_cross) @ self.of_r2[row]
        known = np.isfinite(null).all(axis=0)
        columns["p"][known] = p_value(columns["value"][known], null[:, known])
        columns["null_mean"][known] = null[:, known].mean(axis=0)

    def _held_out(self) -> np.ndarray:
        folds = min(FOLDS, self.n // FEWEST)
        if folds < 2:
            return np.full(len(self.kinds), np.nan)
        stream = self.seed.stream("folds")
        found = [
            held_out_r2(
                self.x,
                self.y,
                group_folds(np.arange(self.n), folds, stream, who=WHO),
                n=self.n,
                nonnegative=self.nonnegative,
            ).mean(axis=0)
            for _ in range(FOLDINGS)
        ]
        return np.asarray(self.of_r2 @ np.mean(found, axis=0))

    def _ceiling(self) -> tuple[float, float]:
        """R^2 of each subject's RDM by the mean of the others' and by the mean of all."""
        s = len(self.y)
        if s < 2:
            return float("nan"), float("nan")
        means = [np.delete(self.y, i, 0).mean(axis=0) for i in range(s)], [self.y.mean(axis=0)] * s

        def r2(one: np.ndarray, other: np.ndarray) -> float:
            r = float(np.corrcoef(one, other)[0, 1])
            return max(r, 0.0) ** 2 if self.nonnegative else r * r

        low, high = (float(np.mean([r2(v, m) for v, m in zip(self.y, group)])) for group in means)
        return low, high

    def coefficients(self, level: float) -> xr.Dataset:
        value = self.weights[0].mean(axis=0)
        low = high = np.full(self.k, np.nan)
        if self._draws is not None:
            low, high = percentile_interval(self._draws[1], value, level)
        return xr.Dataset(
            {"value": ("model", value), "ci_low": ("model", low), "ci_high": ("model", high)},
            coords={"model": np.array(self.names, dtype=object)},
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
