"""The verb `decode`: labels, numbers and angles told from responses, on trials or stretches of time held out."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import is_classifier, is_regressor

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import check_responses
from consilience._responses._check import refuse_result
from consilience._responses._pseudo import PseudoPopulation
from consilience._results import Decoding
from consilience.analyses import _decode_classes, _decode_values
from consilience.analyses._checks import check_resamples, refused_model
from consilience.analyses._decode_classes import Decoder
from consilience.analyses._decode_design import Design, check_size, from_trials, sides_of, varying_units
from consilience.analyses._decode_pseudo import designs_of_draws
from consilience.analyses._decode_results import results_of
from consilience.analyses._decode_rows import at_common_times, in_order
from consilience.analyses._decode_series import from_series
from consilience.analyses._decode_tables import class_tables, summary, value_tables
from consilience.analyses._decode_target import WHO, Target, read_target
from consilience.models import LDA, MaxCorrelation, RidgeCV
from consilience.models._classifier import Classifier

__all__ = ["decode"]


def decode(
    data: xr.DataArray | PseudoPopulation,
    /,
    target: Any,
    *,
    model: Any = None,
    cv: int = 5,
    groups: str | None = "auto",
    folds: str | None = None,
    gap: int | float | Literal["auto"] = "auto",
    time: Literal["each", "mean"] | None = "each",
    generalise_time: bool = False,
    train_on: Any = None,
    test_on: Any = None,
    circular: bool = False,
    score: str | None = None,
    standardise: bool = True,
    shuffle: bool = False,
    n_draws: int = 10,
    n_boot: int = 1000,
    n_perm: int = 1000,
    n_deals: int = 3,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Decoding:
    """How well a target is told from responses, everything fitted on other trials than it is scored on.

    Classes are scored by balanced accuracy, (1/C) sum_c (share of the trials of class c that were decoded as c), with
    chance 1/C whatever their numbers; numbers by r of held-out predictions as in `cs.encode` (of a single
    split, the correlation over its test rows); angles by the mean
    |decoded - true| the short way round, with chance pi/2.

    Parameters
    ----------
    data : responses (trial, unit) or (trial, time, unit); a series (time, unit); or a `cs.pseudo_population` of units
        recorded apart.
    target : name of a coordinate on trial (time); or an array or DataArray with one entry per row, (n,) or (n, k).
        Text, True/False and one column of whole numbers are classes; floats, and several columns of whole numbers, are
        numbers.
    model : any scikit-learn classifier (regressor, for numbers), pipelines included, or one of `cs.models`. None =
        `LDA` for classes, `RidgeCV` for numbers. What it selects or chooses, it does on training rows.
    cv : number of folds; of classes stratified, of a series contiguous stretches.
    groups : of trials: rows of one group are on one side of every split, drawn and relabelled together. A label on
        trial; None or "trial" = single trials; "auto" = all repeats of a stimulus where the target is a label of
        several stimuli each (category), single trials where each stimulus is a class of its own (identity) or the
        target is one of trials (choice).
    folds : label on trial, such as run or session: each level of it is held out in turn, in place of ``cv``; labels are
        then permuted inside it and whole levels drawn.
    gap : of a series: what is left out of training beside a test stretch, in steps (int) or units of ``time`` (float);
        "auto" = the longest autocorrelation time of target and data (90th percentile of units), and what the model's
        lags span is added.
    time : of (trial, time, unit): decode at "each" time, from the "mean" over time, or None = all times together.
    generalise_time : of classes: train at every time, test at every time.
    train_on, test_on : {label: value or values}, or True/False per trial: condition generalisation. Where the two share
        no group, one split (unless ``folds`` is given); else folds.
    circular : numbers are angles (rad).
    score : "balanced_accuracy", "accuracy", "log_loss", "auc"; "r", "r2"; "circular_error".
    standardise : z-score each unit by its training rows; never done for models of counts.
    shuffle : of a series: deal single samples into folds. Wrong nearly always, warned of.
    n_draws : of a pseudo-population: how often pseudo-trials are made.
    n_boot : draws of rows (groups, blocks) for intervals.   n_perm : relabellings (of a series, circular shifts): one
        product for `LDA`, `MaxCorrelation`, `PoissonNaiveBayes` and ridge, n_perm full fits for other models.
        Of numbers of another condition the interval also holds the variance between halves of the training rows, and
        chance where p > 1 - level (it needs n_perm): 0.94 to 1.00 of 6000 simulated data sets in 20 designs.
    n_deals : how often folds are dealt again, for the interval.   level : of intervals.   rng : seed.

    Returns
    -------
    Decoding : ``.data``, ``.per_class``, ``.confusion``, ``.generalisation``, ``.predictions``.

    Raises
    ------
    InputError : a class with one trial, or missing from a training set (``class-missing``); one class; NaN; labels or
        times that do not match; a model that fails.
    ConsilienceWarning : ``repeats-split``, ``neighbours-alike``, ``shuffled-series``, ``few-relabellings``,
        ``few-blocks``, ``constant-units``, ``time-breaks``, ``times-left-out``, ``few-to-train``, ``class-untested``,
        ``interval-withheld``, ``angle-units``, ``duplicate-rows``.

    References
    ----------
    Brodersen et al. (2010); King & Dehaene (2014); Varoquaux et al. (2017); McCarthy (1969) for half samples.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["left", "right"], 30)
    >>> psth = rng.normal(size=(60, 3, 20)) + np.array([0, 0, 1.0])[:, None] * (y == "left")[:, None, None]
    >>> v4 = cs.responses(
    ...     psth, dims=("trial", "time", "unit"), time=[-0.1, 0.0, 0.1], stimulus=y, repeat="count", choice=y
    ... )
    >>> result = cs.decode(v4, target="choice", n_boot=200, n_perm=200, rng=0)
    >>> (result.data["p_fwer"].sel(target="choice") <= 0.05).values.tolist(), result.onset
    ([False, False, True], 0.1)
    """
    cv = check_count(cv, name="cv", who=WHO, minimum=2)
    n_deals = check_count(n_deals, name="n_deals", who=WHO)
    n_draws = check_count(n_draws, name="n_draws", who=WHO, minimum=1)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    if time is not None:
        check_option(time, ("each", "mean"), name="time", who=WHO)
    seed = resolve_seed(rng, who=WHO)
    options = {"cv": cv, "groups": groups, "folds": folds, "train_on": train_on, "test_on": test_on}
    with collect_cautions() as cautions:
        check_resamples(n_boot, "n_boot", who=WHO)
        check_resamples(n_perm, "n_perm", who=WHO)
        if isinstance(data, PseudoPopulation):
            designs = designs_of_draws(data, target, time=time, n_draws=n_draws, seed=seed, **options)
            system, kind = data.system, data.kind
            if gap != "auto" or shuffle or circular:
                raise InputError(
                    f"{WHO}: gap=, shuffle= and circular= are not for pseudo-populations, of classes.",
                    code="bad-parameter",
                )
        else:
            if n_draws != 10:
                raise InputError(
                    f"{WHO}: n_draws= is how often pseudo-trials are made, and the data are no cs.pseudo_population.",
                    code="bad-parameter",
                )
            checked, design = _design(
                data,
                target,
                model,
                circular=circular,
                gap=gap,
                shuffle=shuffle,
                time=time,
                seed=seed,
                **options,
            )
            designs = [design]
            system, kind = (
                str(checked.attrs.get("system") or "data"),
                str(checked.attrs.get("kind", "activation")),
            )
        first = designs[0]
        chosen = _model(model, first.target)
        if isinstance(chosen, MaxCorrelation) and first.x.shape[2] < 3:
            raise InputError(
                f"{WHO}: MaxCorrelation needs at least 3 units that vary, got {first.x.shape[2]} (over 2 a correlation "
                "is 1 or -1 whatever they say); use cs.models.LDA().",
                code="too-few",
            )
        how = _score(score, first.target, chosen)
        scaled = _standardise(standardise, chosen)
        common = {"n_boot": n_boot, "n_perm": n_perm, "n_deals": n_deals}
        if first.target.codes is not None:
            if generalise_time and first.times is None:
                raise InputError(
                    f"{WHO}: generalise_time=True needs responses (trial, time, unit) and time='each'.",
                    code="bad-dims",
                )
            classes = first.target.classes
            assert classes is not None
            decoder = Decoder(chosen, classes, how, standardise=scaled, generalise=bool(generalise_time))
            tables = [
                class_tables(d, decoder, seed.child(f"draw{k}") if len(designs) > 1 else seed, **common)
                for k, d in enumerate(designs)
            ]
            parts: dict[str, Any] = {
                "score": summary(tables, decoder, level, of="score"),
                "recall": None if tables[0].recall is None else summary(tables, decoder, level, of="recall"),
                "tables": tables,
                "decoder": decoder,
            }
        else:
            if generalise_time:
                raise InputError(
                    f"{WHO}: generalise_time=True is for classes; numbers are decoded at each time.",
                    code="bad-parameter",
                )
            values = [
                _decode_values.Values(chosen, first, t, how, standardise=scaled)
                for t in range(first.x.shape[1])
            ]
            parts = {"score": value_tables(values, first, seed, level=level, **common), "values": values}
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    settings = {
        "verb": "decode",
        "system": system,
        "kind": kind,
        "target": ", ".join(first.target.names),
        "n_classes": None if first.target.classes is None else int(first.target.classes.size),
        "n_units": int(first.x.shape[2]) if time is not None or first.times is not None else len(first.units),
        "model": shorten(chosen, 300),
        "model_name": type(chosen).__name__,
        "score": how.name,
        "higher": how.higher,
        "cv": cv,
        "time": time,
        "generalise_time": bool(generalise_time),
        "train_on": None if train_on is None else shorten(train_on, 200),
        "test_on": None if test_on is None else shorten(test_on, 200),
        "circular": first.target.circular,
        "standardise": scaled,
        "n_draws": n_draws if len(designs) > 1 or isinstance(data, PseudoPopulation) else None,
        "n_boot": n_boot,
        "n_perm": n_perm,
        "n_deals": n_deals,
        "level": level,
        **first.settings,
    }
    return results_of(designs, parts, how, settings, seed=str(seed), cautions=tuple(cautions))


def _design(
    data: Any,
    target: Any,
    model: Any,
    *,
    circular: bool,
    gap: Any,
    shuffle: bool,
    time: Any,
    seed: Seed,
    **options: Any,
) -> tuple[xr.DataArray, Design]:
    refuse_result(data, who=WHO, name="data", expected="responses")
    checked = check_responses(_of_all_trials(data), who=WHO, name="data")
    target = in_order(checked, target, who=WHO)
    if checked.dims == ("time", "unit"):
        checked, target = at_common_times(checked, target, who=WHO)
    check_size(np.asarray(checked.values))
    if checked.dims == ("time", "unit"):
        for name, default in (("groups", "auto"), ("folds", None), ("train_on", None), ("test_on", None)):
            if options[name] != default:
                raise InputError(
                    f"{WHO}: {name}= is for responses with trials; a series is split into stretches of time.",
                    code="bad-parameter",
                )
        found = read_target(checked, target, circular)
        x, units = varying_units(np.asarray(checked.values)[:, None, :], _units(checked), "the series")
        reach = model.reach() if hasattr(model, "reach") else 0
        made = from_series(
            checked, x, units, found, cv=options["cv"], gap=gap, shuffle=bool(shuffle), reach=reach, seed=seed
        )
        return checked, made
    if gap != "auto" or shuffle:
        raise InputError(
            f"{WHO}: gap= and shuffle= are for series ('time', 'unit'); the data have dims {checked.dims}. Keep "
            "related trials together with groups='label', or leave out runs with folds='label'.",
            code="bad-dims",
        )
    if getattr(model, "takes_steps", False):
        raise InputError(
            f"{WHO}: {type(model).__name__} is for series ('time', 'unit'); the data have dims {checked.dims}.",
            code="bad-dims",
        )
    rows = np.ones(checked.sizes["trial"], bool)
    if "valid" in checked.coords and checked["valid"].dims == ("trial",):
        rows = checked["valid"].values
        if not isinstance(target, str):
            target = target[rows] if isinstance(target, xr.DataArray) else np.asarray(target)[rows]
        options = {
            k: v[rows] if isinstance(v, np.ndarray) and v.shape == rows.shape else v
            for k, v in options.items()
        }
        checked = checked[rows]
    found = read_target(checked, target, circular)
    x, times, units = _over_time(checked, time)
    x, units = varying_units(x, units, "the responses")
    sides = sides_of(checked, options.pop("train_on"), options.pop("test_on"))
    return checked, from_trials(checked, x, times, units, found, sides=sides, seed=seed, **options)


def _of_all_trials(data: Any) -> Any:
    """Of trials of unequal lengths, the times that are there in all of them."""
    if (
        not isinstance(data, xr.DataArray)
        or "valid" not in data.coords
        or data["valid"].dims != ("trial", "time")
    ):
        return data
    whole = data["valid"].values.astype(bool).all(axis=0)
    if not whole.any():
        raise InputError(
            f"{WHO}: at no time are all trials valid; cut the window shorter, or leave out the short trials.",
            code="too-few",
        )
    if not whole.all():
        warn(
            "times-left-out",
            f"{int((~whole).sum())} of {whole.size} times are not there in every trial and were left out.",
            "Trials of one length, or a shorter window.",
        )
    return data.isel(time=whole).drop_vars("valid")


def _over_time(data: xr.DataArray, time: str | None) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """(x (n, times, p), times, names of units)."""
    values, units = np.asarray(data.values), _units(data)
    if data.ndim == 2:
        return values[:, None, :], None, units
    times = np.asarray(data["time"].values if "time" in data.coords else np.arange(data.sizes["time"]))
    if time == "each":
        return values, times, units
    if time == "mean":
        return values.mean(axis=1, dtype=np.float64)[:, None, :], None, units
    names = np.array([f"{u} at {t:.4g}" for t in times for u in units])
    return values.reshape(len(values), 1, -1), None, names


def _units(data: xr.DataArray) -> np.ndarray:
    return np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))


def _model(model: Any, target: Target) -> Any:
    classes = target.codes is not None
    if model is None:
        return LDA() if classes else RidgeCV()
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InputError(
            f"{WHO}: model must be an estimator such as cs.models.LDA() or one of scikit-learn, "
            f"{refused_model(model)}.",
            code="bad-parameter",
        )
    if hasattr(model, "__sklearn_tags__"):
        right = is_classifier(model) if classes else is_regressor(model)
        if not right:
            what = (
                "labels, so model must be a classifier"
                if classes
                else "numbers, so model must be a regressor"
            )
            hint = (
                " Whole numbers are taken as labels: pass target.astype(float) to decode them as numbers."
                if classes and target.classes is not None and target.classes.dtype.kind in "iu"
                else ""
            )
            raise InputError(
                f"{WHO}: the target has {what}; got {shorten(model)}.{hint}", code="bad-parameter"
            )
    if getattr(model, "circular", False) and not target.circular:
        raise InputError(
            f"{WHO}: {type(model).__name__} takes the target for angles, and its score would not; pass circular=True.",
            code="bad-parameter",
        )
    if target.circular and getattr(model, "circular", True) is False:
        raise InputError(
            f"{WHO}: circular=True, and {shorten(model)} takes what it decodes for plain numbers, for which 0 and 2 pi "
            "are far apart; give the model circular=True too.",
            code="bad-parameter",
        )
    return model


def _score(score: str | None, target: Target, model: Any) -> Any:
    if target.codes is not None:
        name = check_option(
            score or "balanced_accuracy", _decode_classes.SCORES, name="score of classes", who=WHO
        )
        needs = {"log_loss": ("predict_proba",), "auc": ("predict_proba", "decision_function")}.get(name, ())
        if needs and not isinstance(model, Classifier) and not any(hasattr(model, one) for one in needs):
            raise InputError(
                f"{WHO}: score={name!r} needs a model with {' or '.join(needs)}, and {type(model).__name__} has none; "
                "use score='balanced_accuracy', or another model.",
                code="bad-parameter",
            )
        return _decode_classes.SCORES[name]
    if target.circular:
        name = check_option(score or "circular_error", ("circular_error",), name="score of angles", who=WHO)
    else:
        name = check_option(score or "r", ("r", "r2"), name="score of numbers", who=WHO)
    return _decode_values.SCORES[name]


def _standardise(wanted: bool, model: Any) -> bool:
    """Not for counts, the model's own or the first of a pipeline's."""
    last = getattr(model, "steps", [(None, model)])[0][1]
    return bool(wanted) and not getattr(last, "counts", False)
