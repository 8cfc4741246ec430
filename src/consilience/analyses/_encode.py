"""The verb `encode`: how well one system predicts each unit of another, on stimuli or stretches of time held out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import is_regressor

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience._responses._check import refuse_result
from consilience._results import Encoding
from consilience.analyses._checks import check_resamples, refused_model
from consilience.analyses._encode_design import EncodingData, from_series, from_trials
from consilience.analyses._encode_fit import HeldOut, Predicted, dealt_again, with_bands
from consilience.analyses._encode_order import doubt_rows
from consilience.analyses._encode_tables import band_table, score_tables
from consilience.models import BandedRidgeCV, RidgeCV

__all__ = ["encode"]

WHO = "cs.encode"


def encode(
    x: xr.DataArray | Mapping[str, xr.DataArray],
    y: xr.DataArray,
    /,
    *,
    model: Any = None,
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    cv: int = 5,
    groups: str | None = None,
    gap: int | float | Literal["auto"] = "auto",
    delays: Any = None,
    n_boot: int = 1000,
    n_perm: int = 1000,
    n_deals: int = 3,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Encoding:
    """How well x predicts each unit of y, everything fitted and chosen on other stimuli than it is scored on.

    For a fold with training rows T and unit u: d_i = (prediction_i - mean_T(y_u)) / s_T, e_i = y_iu - mean_T(y_u),
    s_T the root mean square of the predictions' deviations inside T; r_u = sum d_i e_i / sqrt(sum d_i^2 sum e_i^2)
    over all held-out rows, as in `cs.measures.linear_predictivity`; R2_u = 1 - sum (y_iu - prediction_i)^2 / sum
    e_i^2. Penalties are chosen inside T. Models of counts (`GLM`, `GLMCV`) are scored by their likelihood too, beside
    the constant mean_T(y_u): ``d2``, the share of deviance explained, and bits per spike.

    Parameters
    ----------
    x : responses (trial, unit) or series (time, unit), the predictors; or {band: either}, several feature spaces.
    y : responses (trial, unit), matched to x by stimulus id, repeats averaged for the fit and kept for ceilings; or a
        series (time, unit) with the times of x. x predicts y: for the other direction call ``encode(y, x)``.
    model : a model of `cs.models`, or any scikit-learn regressor. None = `RidgeCV`, with bands `BandedRidgeCV`.
    by, join : see `cs.compare`.   cv : number of folds: stimuli dealt at random; contiguous stretches of a series.
    groups : label on trial; stimuli of a group are on one side of every split, outer and inner, and are drawn and
        relabelled together.
    gap : of a series: what is left out of training beside a test stretch, in steps (int) or in units of ``time``
        (float); "auto" = the longest measured autocorrelation time (90th percentile over units). What `delays` span
        is added.
    delays : of a series: steps by which x is delayed, side by side, e.g. range(10); positive = x comes first. They do
        not reach over jumps in ``time`` of 1.5 steps or more (pieces of a recording): such samples are left out.
    n_boot : draws of held-out stimuli (groups, blocks of time); the fits are given, and the spread is corrected for
        the stimuli's part in them (`cs.stats.cross_validated_draws`). 0 = no intervals.
    n_deals : how often the folds, outer and inner, are dealt again and everything is fitted again; the variance of r
        over the deals (repeated cross-validation) is added to that of the draws. r, p and ceilings are of the first
        deal. 0 = none, as for a series and for as many folds as stimuli or groups, which can be dealt in one way.
        In simulations intervals of r at 95 % held it in 0.94 to 0.97, from 6 stimuli for each feature to 5 features
        for each stimulus; without the deals in 0.91 to 0.96, least with more features than stimuli. With n_perm=0
        each deal costs as much as the fit.
    n_perm : relabellings of stimuli (circular shifts of y for a series), everything fitted anew: cheap for ridge and
        `OneToOne`, n_perm full fits for other models (a GLM: some tens, or 0). 0 = no p.
    level : of the intervals.   rng : seed.

    Returns
    -------
    Encoding : ``.data`` per unit, ``.population``, ``.bands``, ``.predictions``.

    Raises
    ------
    InputError : ids or times that do not match, too few stimuli, a model that fails or predicts no finite numbers.
    ConsilienceWarning : ``penalty-at-edge``, ``ceiling-missing``, ``few-blocks``, ``few-draws``,
        ``few-relabellings``, ``constant-units``, ``time-breaks``, ``neighbours-alike``, ``duplicate-rows``.

    References
    ----------
    Naselaris, Kay, Nishimoto & Gallant (2011); Schoppe et al. (2016); Dupre la Tour et al. (2022).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(60, 10))
    >>> ids = [f"image{i}" for i in range(60)]
    >>> layer = cs.responses(a, stimulus=ids, system="layer")
    >>> v1 = cs.responses(a[:, :3] + rng.normal(size=(60, 3)), stimulus=ids, kind="rate", system="V1")
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", cs.ConsilienceWarning)
    ...     result = cs.encode(layer, v1, n_boot=100, n_perm=100, rng=0)
    >>> bool((result.data["p_fwer"] < 0.05).all())
    True
    """
    cv = check_count(cv, name="cv", who=WHO, minimum=2)
    n_deals = check_count(n_deals, name="n_deals", who=WHO, minimum=0)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    for side, given in (("x", x), ("y", y)):
        refuse_result(given, who=WHO, name=side, expected="responses")
    if not isinstance(y, xr.DataArray):
        raise InputError(
            f"{WHO}: y must be the responses of one system, got {type(y).__name__}.", code="not-responses"
        )
    with collect_cautions() as cautions:
        check_resamples(n_boot, "n_boot", who=WHO)
        check_resamples(n_perm, "n_perm", who=WHO)
        data = _data(x, y, by=by, join=join, cv=cv, groups=groups, gap=gap, delays=delays, seed=seed)
        chosen = _model(model, list(data.bands.values()))
        held = HeldOut(chosen, data.x, data.splits, data.inner, data.groups, data.units)
        found = held.predict(data.y, bands=len(data.bands) > 1)
        n_deals = n_deals if n_boot and data.deal is not None else 0
        others = (data.deal(seed.child(f"deal{k}")) for k in range(n_deals)) if data.deal else ()
        deals = dealt_again(chosen, data.x, data.y, data.groups, others)
        table, population = score_tables(held, found, data, seed, n_boot, n_perm, level, deals)
        bands = band_table(found, chosen, data, seed, n_boot, level) if len(data.bands) > 1 else None
        if data.axis[0] == "stimulus":
            left = found.actual - found.predicted
            doubt_rows(data.x, data.y, left, held.rows, data.splits, order=data.order, owner=data.groups)
        _doubts(table, data, found)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    settings = {
        "verb": "encode",
        "x": data.names[0],
        "y": data.names[1],
        "kind_x": data.kinds[0],
        "kind_y": data.kinds[1],
        "direction": "x predicts y",
        "model": shorten(chosen, 300),
        "model_name": type(chosen).__name__,
        "cv": cv,
        "by": by,
        "join": join,
        "n_boot": n_boot,
        "n_perm": n_perm,
        "n_deals": n_deals,
        "level": level,
        "bands": data.bands,
        **data.settings,
    }
    row, ids = data.axis
    return Encoding(
        data=table,
        population=population,
        bands=bands,
        predictions=xr.Dataset(
            {
                "predicted": ((row, "unit"), (found.predicted + found.mean) * found.size),
                "actual": ((row, "unit"), (found.actual + found.mean) * found.size),
            },
            coords={row: ids[held.rows], "unit": data.units},
        ),
        settings=settings,
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys([*_references(chosen, data), "phipson2010permutation", *data.references])
        ),
        methods=_methods(settings),
    )


def _data(x: Any, y: xr.DataArray, **options: Any) -> EncodingData:
    series = y.dims == ("time", "unit")
    if series:
        for name, default in (("groups", None), ("by", "stimulus"), ("join", "exact")):
            if options[name] != default:
                raise InputError(
                    f"{WHO}: {name}= is for responses (trial, unit); a series is split into stretches of time, and its "
                    "pieces (runs, sessions) are told apart by jumps in its times.",
                    code="bad-parameter",
                )
        kept = {k: options[k] for k in ("cv", "gap", "delays", "seed")}
        return from_series(x, y, who=WHO, **kept)
    if options["delays"] is not None:
        raise InputError(
            f"{WHO}: delays= is for series ('time', 'unit'); y has dims {y.dims}.", code="bad-dims"
        )
    if options["gap"] != "auto":
        raise InputError(
            f"{WHO}: gap= is for series ('time', 'unit'); y has dims {y.dims}, and its stimuli are dealt into folds at "
            "random; keep related ones together with groups='label'.",
            code="bad-dims",
        )
    kept = {k: options[k] for k in ("by", "join", "cv", "groups", "seed")}
    return from_trials(x, y, who=WHO, **kept)


def _model(model: Any, sizes: list[int]) -> Any:
    if model is None:
        model = BandedRidgeCV() if len(sizes) > 1 else RidgeCV()
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InputError(
            f"{WHO}: model must be an estimator such as cs.models.RidgeCV() or a scikit-learn regressor, "
            f"{refused_model(model)}.",
            code="bad-parameter",
        )
    if hasattr(model, "__sklearn_tags__") and not is_regressor(model):
        raise InputError(
            f"{WHO}: model must be a regressor, whose predict gives one value per row and unit of y; got "
            f"{shorten(model)}, which is none. Use cs.models.RidgeCV() or a scikit-learn regressor.",
            code="bad-parameter",
        )
    return with_bands(model, sizes, WHO)


def _doubts(table: xr.Dataset, data: EncodingData, found: Predicted) -> None:
    if "alpha_at_edge" in table:
        real = (table["p"].values <= 0.05) | (~np.isfinite(table["p"].values) & (table["r2"].values > 0.05))
        edge = table["alpha_at_edge"].values & real
        if edge.any():
            warn(
                "penalty-at-edge",
                f"{int(edge.sum())} of {int(real.sum())} predicted units chose an end of the grid, e.g. "
                f"{shorten(table['unit'].values[edge][0].item(), 24)}.",
                "Give the model a wider grid, e.g. cs.models.RidgeCV(alphas=...).",
            )
    if data.trials is None and data.axis[0] == "stimulus":
        warn(
            "ceiling-missing",
            f"{shorten(data.names[1], 24)} has no repeats of every stimulus, so its units have no ceiling.",
            "Pass unaveraged trials with repeat='count'.",
        )


def _references(model: Any, data: EncodingData) -> list[str]:
    own = {
        "RidgeCV": ["hoerl1970ridge"],
        "BandedRidgeCV": ["nunez2019voxelwise", "dupre2022feature"],
        "KernelRidgeCV": ["saunders1998ridge"],
        "PLSCV": ["dayal1997improved"],
        "OneToOne": ["li2016convergent"],
        "GLM": ["mccullagh1989generalized", "truccolo2005point", "cameron1997r"],
        "GLMCV": ["mccullagh1989generalized", "truccolo2005point", "cameron1997r"],
    }
    out = ["naselaris2011encoding", *own.get(type(model).__name__, [])]
    return [*out, "schoppe2016measuring"] if data.trials is not None else out


def _methods(settings: dict[str, Any]) -> tuple[str, ...]:
    if "n_samples" in settings:
        split = (
            f"{settings['cv']} contiguous stretches of time held out in turn, {settings['gap_steps']} steps beside "
            "each left out of training"
        )
        test = "circular shifts of the responses"
    else:
        split = f"{settings['cv']} folds of stimuli held out in turn"
        test = "permutations of the stimuli"
    said = [
        f"Each unit of {settings['y']} was predicted from {settings['x']} by {settings['model_name']}, with {split}; "
        "everything was fitted and chosen on the training part.",
        "The score is the correlation of predicted and actual deviations from the training mean.",
    ]
    if settings["n_perm"]:
        said.append(f"p-values are from {settings['n_perm']} {test}, with all fits repeated.")
    if settings["n_boot"]:
        said.append(
            f"Intervals are from {settings['n_boot']} bootstrap draws of held-out predictions, spread by sqrt(2) for "
            "the part of the stimuli in the fits"
            + (
                f"; the variance over {settings['n_deals'] + 1} deals of the folds is added."
                if settings["n_deals"]
                else "."
            )
        )
    return tuple(said)
