"""The verb `reduce`: latents of a population, with what they explain held out, their null and their stability."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import clone

from consilience._core._errors import Caution, ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import PseudoPopulation, recorded_cautions
from consilience._results import Reduction
from consilience.analyses._reduce_fit import Fitted, Fitter, prepared
from consilience.analyses._reduce_rows import WHO, Rows, read_rows
from consilience.analyses._reduce_tables import (
    conditions_table,
    decoder_of,
    latents_table,
    loadings_table,
    names_of_components,
    parts_of,
)
from consilience.analyses._reduce_tests import against_null, drawn, held_out, in_turn, targeted_scores
from consilience.analyses._reduce_words import announce_fits, methods_of, say_of_model

__all__ = ["reduce"]

_SLOW = 20  # draws and surrogates of a model that is slow to fit
_QUICK = 200
_REFERENCES = {
    "PCA": ("horn1965rationale", "vitale2017selecting"),
    "DPCA": ("kobak2016demixed",),
    "GPFA": ("yu2009gaussian",),
    "JPCA": ("churchland2012neural",),
    "CP": ("carroll1970cp", "williams2018tensor"),
    "TargetedDR": ("mante2013context",),
    "Embedding": ("venna2001neighborhood", "vandermaaten2008visualizing", "mcinnes2018umap"),
}


def reduce(
    data: xr.DataArray | PseudoPopulation | Mapping[str, xr.DataArray | PseudoPopulation],
    /,
    model: Any = None,
    *,
    labels: str | Sequence[str] | None = None,
    average: bool | Literal["auto"] = "auto",
    standardise: bool = False,
    cv: int = 5,
    groups: str | None = "auto",
    gap: int | float | Literal["auto"] = "auto",
    n_boot: int | Literal["auto"] = "auto",
    n_perm: int | Literal["auto"] = "auto",
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Any:
    """Latents of a population, with the numbers that say how far to trust them.

    Of a component with latents z_j and loadings a_j, the share explained of rows x (less the model's origin, the mean)
    is (||x||^2 - ||x - z_j a_j||^2) / ||x||^2: of the rows that were fitted, of rows that were held out, and of
    surrogates in which units have nothing to do with each other. Models without a mean (`CP`, NMF) are counted about
    the units' means over fitted rows too, z_j a_j less its own mean.

    Parameters
    ----------
    data : responses (trial, unit), (trial, time, unit), a series (time, unit), or {name: responses}: then a mapping of
        results is returned. Values that are missing (``missing="mask_values"`` of `cs.responses`) are left out of the
        fit by models that can. One trial of 20 times or more is taken as a series. A `cs.pseudo_population` (units
        recorded apart) goes to `DPCA`, or as means of its conditions to other models; folds and draws then have trials
        of every condition and session, and latents are those of the means.
    model : a reducing estimator of `cs.models` or scikit-learn; None = `cs.models.PCA` of at most 10 components. With
        ``missing="raise"`` and trials of unequal lengths it becomes "mask"; a ``bin_width`` of 1 becomes the step of
        ``time`` (s); embeddings of scikit-learn and UMAP become `cs.models.Embedding`, which says how stable they are.
    labels : labels on trial, whose combinations are conditions; None = stimulus, where it repeats.
    average : fit the means of conditions (True) or single trials (False). "auto": means for `JPCA`, and for `PCA` and
        estimators of others where ``labels`` is given; else single trials, which models of trial-to-trial noise need.
        Latents are always those of single trials; `conditions` has their means.
    standardise : divide each unit by its standard deviation over the rows that are fitted.
    cv : folds. Of means, trials of every condition are held out, of single trials groups of trials, of a series
        stretches of time; 0 = none. A number of components that the model chooses itself is chosen once, on all rows.
    groups : label of trials that are held out and drawn together; "auto" = repeats of a stimulus, where there
        are 10 stimuli or more; single trials else, and where ``labels`` is given.
    gap : of a series: left out of training beside a test stretch; "auto" = the autocorrelation time of units (90th
        percentile), else steps (int) or seconds (float).
    n_boot : draws of rows for intervals of what is explained and of loadings.   n_perm : surrogates. "auto": 200 for
        PCA, `TargetedDR` and factor analysis (n_perm) and estimators of others, 20 for others, each of which is a fit:
        p is then at least 1 / 21 = 0.048 (``.p_floor``), enough for 0.05 and for no correction. 0 = none. Of models
        that need labels these are shuffles of labels. A run of more than 5 s says what it will take.
    level : of intervals.   rng : seed.

    Returns
    -------
    Reduction, or {name: Reduction}.

    Notes
    -----
    p of PCA: components one after the other, against what surrogates of the residuals show (deflated parallel
    analysis); of FactorAnalysis the same of correlations of units, without a null of shares (p_j: are there j factors?
    With two planted in 12 units of 100 trials, the second had p <= 0.05 in 97 % of draws and a third in 1 %); of `GPFA`
    and `LDS` one after the other by fits to what those before have left (one latent planted in 12 units, 20 trials of
    20 bins: a second had p <= 0.05 in 2 of 132 data sets, and was found in all of 48 with more). Of other models, and
    with missing values, each against the largest component of surrogates, which is conservative for later ones.
    p of `TargetedDR`: of r, the correlation of each axis with its variable on held-out trials, against shuffled labels.
    Surrogates: trials of each unit in another order, moved on a circle in time; series moved on a circle. That units
    covary at all is what they lack; a null of *dynamics* is another one: `cs.structure`.

    Raises
    ------
    InputError : a function in place of a model (``bad-parameter``), a label that is none (``bad-label``) or that is
        missing on some trials, NaN for a model that takes none (``nan-values``).
    ConsilienceWarning : ``few-blocks``, ``few-trials`` (no or rough intervals), ``one-trial``, ``latents-missing``,
        ``trials-omitted`` (marked as not valid), ``no-null`` (rotations of `JPCA`), ``embedding-unstable``, those of
        the model.

    References
    ----------
    Horn (1965); Vitale et al. (2017); Nadeau & Bengio (2003).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> side = np.tile(["left", "right"], 30)
    >>> ramp = np.linspace(0, 1, 8)[:, None] * np.where(side == "left", 1, -1)[:, None, None]
    >>> x = ramp * rng.normal(size=12) + 0.5 * rng.normal(size=(60, 8, 12))
    >>> pfc = cs.responses(x, dims=("trial", "time", "unit"), time=np.arange(8) * 0.05, stimulus=side, repeat="count")
    >>> found = cs.reduce(pfc, cs.models.PCA(3), labels="stimulus", n_boot=20, n_perm=100, rng=0)
    >>> found.n_significant, dict(found.conditions.sizes)
    (1, {'condition': 2, 'time': 8, 'component': 3})
    """
    cv = check_count(cv, name="cv", who=WHO)
    if cv == 1:
        raise InputError(
            f"{WHO}: cv must be at least 2, or 0 for no held-out rows; got 1.", code="bad-parameter"
        )
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    counts = {
        name: value if value == "auto" else check_count(value, name=name, who=WHO)
        for name, value in (("n_boot", n_boot), ("n_perm", n_perm))
    }
    if (isinstance(average, str) and average != "auto") or not isinstance(average, (str, bool)):
        raise InputError(
            f"{WHO}: average must be True, False or 'auto', got {shorten(average)}.", code="bad-parameter"
        )
    seed = resolve_seed(rng, who=WHO)
    options: dict[str, Any] = {
        "labels": labels,
        "average": average,
        "standardise": bool(standardise),
        "cv": cv,
        "groups": groups,
        "gap": gap,
        "level": level,
        **counts,
    }
    if isinstance(data, Mapping):
        if not data:
            raise InputError(f"{WHO}: data is an empty mapping.", code="too-few")
        return {
            str(name): _one(one, model, options, seed.child(str(name)), str(name))
            for name, one in data.items()
        }
    return _one(data, model, options, seed, None)


def _one(data: Any, model: Any, options: dict[str, Any], seed: Seed, name: str | None) -> Reduction:
    with collect_cautions() as cautions:
        made = _reduced(data, model, options, seed, name)
    said: list[Caution] = list(dict.fromkeys(cautions))
    for caution in said:
        warnings.warn(ConsilienceWarning(caution), stacklevel=4)
    recorded = recorded_cautions(data) if isinstance(data, xr.DataArray) else ()
    made["warnings"] = tuple(dict.fromkeys([*recorded, *said]))
    return Reduction(**made)


def _reduced(data: Any, model: Any, options: dict[str, Any], seed: Seed, name: str | None) -> dict[str, Any]:
    level = options["level"]
    rows = read_rows(data, options["labels"], options["groups"], options["gap"])
    chosen, average = prepared(model, rows, options["average"])
    kind = type(chosen).__name__
    every = np.arange(len(rows.x))
    fitter = Fitter(chosen, rows, average=average, standardise=options["standardise"])
    start = time.perf_counter()
    fit = fitter.fit(every)
    k = fit.latents.shape[-1]
    if k == 0:
        raise InputError(
            f"{WHO}: {kind} keeps no component of these data; ask for a number, such as n_components=2.",
            code="no-structure",
        )
    choice = fit.model
    if hasattr(choice, "model_") and hasattr(
        choice, "cv_components_"
    ):  # from here on, the model of that number
        fit.model = choice.model_
        chosen = fitter.model = clone(fit.model)
        kind = type(chosen).__name__
    _fix_number(fitter, chosen, k)
    spent = time.perf_counter() - start
    shown = rows.shown
    known = fit.of(shown.x)
    z = fit.latents if known is None or not (average or shown is not rows) else known
    names = names_of_components(fit.model, k)
    scored = fitter.scored(every)
    alone, together = fit.gains(scored)
    projects = known is not None and hasattr(fit.model, "inverse_transform")
    quick = kind == "PCA" or not type(chosen).__module__.startswith("consilience.")
    n_boot, n_perm = (
        (_QUICK if quick else _SLOW) if options[o] == "auto" else options[o] for o in ("n_boot", "n_perm")
    )
    # factors are counted by correlations, without fits of surrogates
    counted = kind == "FactorAnalysis" and not np.isnan(rows.x).any()
    if (kind == "TargetedDR" or counted) and options["n_perm"] == "auto":
        n_perm = _QUICK
    several = rows.codes is not None and int(np.bincount(rows.strata).min()) >= 2
    within = (average or fitter.labelled) and several
    few = (
        rows.few(within=within, averaged=average or fitter.labelled)
        if projects and kind != "TargetedDR"
        else ""
    )
    if few and (options["cv"] or n_boot):
        warn(
            "few-trials",
            f"{WHO}: {few}.",
            "More trials, or labels with more trials each; a single long one is a series, "
            "cs.responses(x[0], dims=('time', 'unit')), of which stretches of time are drawn.",
        )
    draw = n_boot and (within or not (average or fitter.labelled)) and (rows.series or rows.n_groups > 1)
    nothing = np.full(k, np.nan)
    if projects:
        counted_only = counted or (kind == "PCA" and not np.isnan(rows.x).any())  # surrogates without fits
        turns = k if in_turn(fit, rows.x) and not fitter.labelled else 1
        words = "shuffles" if fitter.labelled else "surrogates" if turns == 1 else "surrogates at most"
        number = 0 if counted_only else n_perm * turns
        fits = {"folds": options["cv"], "draws": n_boot if draw else 0, words: number}
        announce_fits(fitter, every, kind, fits, spent)
    held: dict[str, Any] = {"held_out": (nothing,) * 3, "held_out_total": (nothing,) * 3, "folds": 0}
    if options["cv"] and projects and (within or not (average or fitter.labelled)):
        held = held_out(fitter, fit, seed, cv=options["cv"], within=within, level=level)
    draws = None
    if projects and draw:
        draws = drawn(fitter, fit, alone, seed, n_boot=n_boot, within=within, level=level)
    null: dict[str, np.ndarray] = {}
    if projects and n_perm and not fitter.labelled:
        null = against_null(fitter, fit, alone, seed, n_perm=n_perm, level=level)
    parts = parts_of(
        fit,
        rows,
        names,
        seed,
        {"cv": options["cv"], "level": level, "n_shuffles": n_perm if fitter.labelled else 0},
        choice,
    )
    say_of_model(kind, parts)
    table = {
        "explained": alone,
        "ci_low": nothing if draws is None else draws.explained[0],
        "ci_high": nothing if draws is None else draws.explained[1],
        "explained_total": together,
        **{
            f"{key}{end}": value
            for key in ("held_out", "held_out_total")
            for end, value in zip(("", "_low", "_high"), held[key])
        },
        "p": null.get("p", nothing),
        "null_mean": null.get("null_mean", nothing),
        "null_high": null.get("null_high", nothing),
        **{
            f"alike{end}": nothing if draws is None else draws.alike[i]
            for i, end in enumerate(("", "_low", "_high"))
        },
    }
    if "marginalizations" in parts:
        table["p"] = parts["marginalizations"]["component_p"].values
    table |= targeted_scores(fit, rows, seed, cv=options["cv"], n_perm=n_perm, level=level)
    ratio = getattr(fit.model, "explained_variance_ratio_", None)
    table["ratio"] = (
        np.asarray(ratio, dtype=np.float64) if ratio is not None and np.shape(ratio) == (k,) else nothing
    )
    of_means = _of_means(fit, rows, z)
    decoder = None
    if known is not None:
        whole = of_means is None or not np.isnan(z).any(axis=-1).all()
        decoder = (
            decoder_of(fit, shown.x, z)
            if whole or of_means is None
            else decoder_of(fit, rows.means(every), of_means)
        )
    loadings = loadings_table(
        rows, fit, names, None if draws is None else draws.loadings, decoder, held.get("units")
    )
    own = fit.loadings()
    turned = own is not None and k > 1 and bool(np.allclose(own @ own.T, np.eye(k), atol=1e-6))
    kept = data if isinstance(data, xr.DataArray) else rows.data
    system = name or str(kept.attrs.get("system") or "data")
    fitted = "series" if rows.series else "conditions" if average else "trials"
    return {
        "latents": latents_table(shown, z, names),
        "components": xr.Dataset(
            {key: ("component", v) for key, v in table.items()}, coords=_coords(fit.model, names)
        ),
        "loadings": loadings,
        "conditions": conditions_table(shown, z, names, level, of_means),
        **parts,
        "settings": {
            "verb": "reduce",
            "system": system,
            "kind": str(kept.attrs.get("kind", "activation")),
            "model": shorten(fit.model, 300),
            "model_name": kind,
            "labels": list(rows.levels),
            "fitted": fitted,
            "n_fitted": len(fitter.array(every)),
            "n_trials": None if rows.series else len(rows.x),
            "n_units": int(rows.x.shape[-1]),
            "standardise": options["standardise"],
            "cv": options["cv"],
            "n_folds": int(held["folds"]),
            "groups": options["groups"],
            "gap": int(rows.gap) if rows.series else None,
            "span": int(rows.span) if rows.series else None,
            "n_boot": int(n_boot) if draws is not None else 0,
            "n_perm": int(n_perm) if null or fitter.labelled else 0,
            "null": "shuffled labels" if fitter.labelled else "unrelated units",
            "aligned": "rotation" if turned else "order and sign",
            "overlap": None if draws is None else draws.overlap,
            "level": level,
        },
        "seed": str(seed),
        "references": (*_REFERENCES.get(kind, ()), "nadeau2003inference")
        if held["folds"]
        else _REFERENCES.get(kind, ()),
        "methods": methods_of(kind, k, fitted, rows, held["folds"], n_perm if null else 0, average),
    }


def _of_means(fit: Fitted, rows: Rows, z: np.ndarray) -> np.ndarray | None:
    """(condition, ..., k) latents of the means of conditions, where those of some bins of trials are not known though
    some of their units are; None else. Says so.
    """
    if z.ndim != rows.x.ndim or rows.sessions is not None or len(z) != len(rows.x):
        return None
    lost = np.isnan(z).any(axis=-1) & ~np.isnan(rows.x).all(axis=-1)
    if not lost.any():
        return None
    warn(
        "latents-missing",
        f"{WHO}: {type(fit.model).__name__} reads latents out of all units, so that they are not known in "
        f"{lost.mean():.0%} of the bins, in which some unit's value is missing.",
        "The axes, what they explain, and the latents of means of conditions do not depend on that; factor analysis, "
        "PCA, LDS and GPFA infer the latents of such bins.",
    )
    return None if rows.codes is None else fit.of(rows.means(np.arange(len(rows.x))))


def _fix_number(fitter: Fitter, model: Any, k: int) -> None:
    """Folds, draws and surrogates are fitted with the number of components that was chosen on all rows."""
    asked = model.get_params(deep=False).get("n_components", k)
    if isinstance(asked, str) or (isinstance(asked, float) and not isinstance(asked, bool)):
        fitter.model.set_params(n_components=k)


def _coords(model: Any, names: list[str]) -> dict[str, Any]:
    coords: dict[str, Any] = {"component": names}
    own = getattr(model, "marginalization_", None)
    if own is not None and len(own) == len(names):
        coords["marginalization"] = ("component", np.asarray(own).astype(str))
    times = getattr(model, "timescales_", None)
    if times is not None and np.shape(times) == (len(names),):
        # of the processes, of which orthonormal latents are mixtures
        coords["timescale"] = ("component", np.asarray(times, dtype=np.float64))
    return coords
