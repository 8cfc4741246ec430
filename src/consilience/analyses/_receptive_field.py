"""The verb `receptive_field`: what in a stimulus, and when, each unit answers to, with significance and prediction."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from consilience import units as per_unit
from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import recorded_cautions
from consilience._results import ReceptiveField
from consilience.analyses._field_axes import AxesField
from consilience.analyses._field_fit import Fits, Method, block_length, chosen, fit_all, jackknife, lags_of
from consilience.analyses._field_input import WHO, Shown, given
from consilience.models import LNP
from consilience.stats import fdr
from consilience.units._held_out import held_out_bits, held_out_correlation

__all__ = ["receptive_field"]

_DRAWS = 1000
_FEW = 100.0  # independent frames


def receptive_field(
    responses: Any,
    stimulus: Any,
    /,
    *,
    lags: Any = None,
    method: Any = "ridge",
    cv: int = 5,
    crop: bool = True,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> ReceptiveField:
    """Which part of a stimulus, and how long before, drives each unit: one call for neurons and units of networks.

    The filter w of y_t ~ sum_k w_k . x_{t-k} (+ a nonlinearity, by method), tested against chance, scored on stretches
    of the recording that it was not fitted to, with intervals.

    Parameters
    ----------
    responses : of frames that follow each other: (frames, units) or (frames,) counts, rates, dF/F; responses
        (time, unit); a `cs.Recording`, `cs.SpikeTrains` or a list of spike times (s), one array a unit (a spike at time
        s belongs to the frame with t_i <= s < t_{i+1}). Of images shown one by one: responses (trial, unit) with the
        ids of the stimuli; repeats are averaged. Units of a network, ``net.unit(layer, 12)`` or a list of them: they
        are shown all stimuli in one pass.
    stimulus : (frames, *space), of any number of dims of space: an envelope (frames,), a spectrogram (frames,
        frequency), images (frames, y, x), (frames, channel, y, x); or a DataArray whose first dim is ``time`` (s, the
        start of each frame; of ``rec.bin(width, of=signal)`` the middles, as told by its attribute ``bin``), or
        ``stimulus`` (`cs.stimuli`). Jumps of 1.5 steps or more are gaps that no lag reaches over; other uneven frames
        are refused. Frames outside of what a recording observed are left out.
    lags : how far back: a whole number of frames (20 = lags 0 to 19), seconds (a decimal number, where frames have
        times), or (start, stop) of either. None = 20 frames, or those of the estimator; single stimuli have lag 0.
    method : "sta" (spike-triggered average), "whitened", "ridge", "asd", "spline", "low_rank", "lnp", "stc" (axes of
        the spike-triggered covariance), or an estimator of `cs.models` with options. "sta" for white noise; "ridge" for
        natural or coloured stimuli; "asd" for few spikes and smooth fields; "lnp" for a rate with a nonlinearity,
        scored in bits per spike. "stc" for units that answer to either sign (complex cells): ``value`` is the leading
        axis, ``axes`` all, ``axis_p`` their nested p; p is that of the first of either end, and predictions are a
        quadratic form of average and axes.
    cv : stretches (groups of single stimuli), each predicted by a fit to the others, less the frames beside it.
    crop : of units of a network that see a part of the images: only that part, as `cs.networks.input_field` finds it
        (where the images are not resized); coordinates y and x say which.
    n_perm : circular shifts (relabellings of single stimuli) for p; 0 = none.   level : of intervals.   rng : seed.

    Returns
    -------
    ReceptiveField : ``.data`` (unit, lag, *space), ``.fit("gabor")``, ``.spatial()``, ``.temporal()``,
        ``.significant()``, ``.plot()``. Intervals of the filter are a jackknife over the ``cv`` stretches: of what the
        method estimates, with its shrinkage and blur. The interval of the score is over stretches of time, p that of
        `cs.units.map_test`: largest entry of the map of covariances, of whatever method.

    Confusion: the field of a linear method is not the neuron; a score well below the ceiling says how much it lacks. A
    unit that answers to contrast alone (complex cell) has no linear field, and p is that of having one.

    Raises
    ------
    InputError : ``rows-differ``, ``uneven-frames``, ``ids-differ``, ``outside-recording``, ``bad-time``, ``too-few``.
    ConsilienceWarning : ``silent-units``; ``few-independent``: stimulus and responses change so slowly that p is too
        small; ``spikes-outside``: nearly all spikes lie outside of the frames, as milliseconds do.

    References
    ----------
    Chichilnisky (2001); Theunissen et al. (2001); Sahani & Linden (2003); those of the method: ``result.citations()``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(4000, 8, 8))
    >>> drive = np.roll(x[:, 3, 4] - x[:, 3, 5], 2)
    >>> counts = rng.poisson(np.exp(0.5 * drive - 1))
    >>> found = cs.receptive_field(counts, x, lags=5, method="sta", rng=0)
    >>> np.unravel_index(found.data["value"][0].values.argmax(), (5, 8, 8))
    (np.int64(2), np.int64(3), np.int64(4))
    >>> float(found.data["p"][0]) < 0.01, float(found.data["peak_lag"][0])
    (True, 2.0)
    """
    seed = resolve_seed(rng, who=WHO)
    cv = check_count(cv, name="cv", who=WHO, minimum=2)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    if not isinstance(crop, bool):
        raise InputError(f"{WHO}: crop must be True or False, got {shorten(crop)}.", code="bad-parameter")
    with collect_cautions() as cautions:
        shown = given(responses, stimulus, crop=crop)
        steps = lags_of(lags, shown)
        use = chosen(method, steps, shown, n_perm, seed)
        _say_silent(shown)
        fits = fit_all(use, shown, cv, seed.stream("folds"))
        made = _tables(use, shown, fits, n_perm, level, seed)
    recorded = recorded_cautions(responses) if isinstance(responses, xr.DataArray) else ()
    cautions = [caution for caution in cautions if caution.code != "no-events"]  # said as silent-units
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    data, folds = made
    return ReceptiveField(
        data=data,
        folds=folds,
        settings={
            "verb": "receptive_field",
            "system": shown.system,
            "kind": shown.kind,
            "method": use.name,
            "lags": [int(use.lags[0]), int(use.lags[-1]) + 1],
            "lag_unit": "frames" if shown.step is None else "s",
            "step": shown.step,
            "series": shown.series,
            "n_frames": len(shown.responses),
            "n_stretches": int(np.unique(shown.stretch).size),
            "cv": cv,
            "crop": crop,
            "n_perm": n_perm,
            "level": level,
            "options": {key: shorten(v) for key, v in sorted(use.estimator.get_params(deep=False).items())},
        },
        seed=str(seed),
        warnings=tuple(dict.fromkeys([*recorded, *cautions])),
        references=tuple(
            dict.fromkeys(
                [*use.references, "depireux2001spectro", "theiler1992testing", "benjamini1995controlling"]
            )
        ),
        methods=_methods(use, shown, cv, n_perm, level),
    )


def _say_silent(shown: Shown) -> None:
    flat = np.ptp(shown.responses, axis=0) <= 1e-12 * np.abs(shown.responses).max(axis=0)
    if flat.all():
        raise InputError(
            f"{WHO}: none of {flat.size} units varies over the {len(shown.responses)} "
            f"{'frames' if shown.series else 'stimuli'}; look whether responses and stimulus belong together.",
            code="constant-units",
        )
    if flat.any():
        warn(
            "silent-units",
            f"{WHO}: {int(flat.sum())} of {flat.size} units never fire or never vary, e.g. "
            f"{shorten(shown.names[flat][0].item(), 24)}.",
            "Their numbers are NaN; leave them out, or look whether they were lost.",
        )


def _tables(
    use: Method, shown: Shown, fits: Fits, n_perm: int, level: float, seed: Seed
) -> tuple[xr.Dataset, xr.DataArray]:
    names, space = shown.names, shown.space
    counts = shown.kind == "count" and shown.series
    flat = np.ptp(shown.responses, axis=0) <= 1e-12 * np.abs(shown.responses).max(axis=0)
    value, folds = fits.value.copy(), fits.folds.copy()
    value[flat], folds[:, flat] = np.nan, np.nan
    se, low, high = jackknife(folds, level, value)
    test = per_unit.map_test(
        shown.frames,
        shown.responses,
        lags=use.lags,
        trials=shown.stretch if shown.series else None,
        exchangeable=not shown.series,
        n_perm=n_perm,
        level=level,
        rng=seed.child("map_test"),
    )
    slow = test.n_effective[~flat] < _FEW
    if n_perm and shown.series and slow.any():  # relabellings of single stimuli are exact
        warn(
            "few-independent",
            f"{WHO}: for the lags, and for how slowly stimulus and responses change together, the recording is short: "
            f"{int(slow.sum())} of {slow.size} units have fewer than {_FEW:g} independent shifts "
            f"({test.n_effective[~flat].min():.0f} at least).",
            "p is then too small (at most about twice); a longer recording, fewer lags, or a faster stimulus.",
        )
    parts = per_unit.separability(value)
    each = np.stack([per_unit.separability(one).index for one in folds])
    _, index_low, index_high = jackknife(each, level, parts.index)
    scored = (fits.fold >= 0) & np.isfinite(fits.predicted).all(axis=1)
    if not scored.any():
        scored = fits.fold >= 0
    y, predicted = shown.responses[scored], fits.predicted[scored]
    block = block_length(shown, use.lags)
    score = held_out_correlation(
        y,
        predicted,
        fits.fold[scored],
        block=block,
        n_draws=_DRAWS,
        level=level,
        rng=seed.stream("score"),
    )
    nothing = np.full(names.size, np.nan)
    per = {
        "score": score.value,
        "score_low": score.ci_low,
        "score_high": score.ci_high,
        "bits_per_spike": nothing,
        "bits_low": nothing,
        "bits_high": nothing,
        "ceiling": nothing,
        "ceiling_low": nothing,
        "ceiling_high": nothing,
        "n_spikes": shown.responses.sum(axis=0)
        if counts
        else nothing
        if shown.spikes is None
        else shown.spikes,
        "statistic": test.statistic,
        "null_mean": test.null_mean,
        "threshold": test.threshold,
        "p": test.p,
        "q": fdr(test.p) if np.isfinite(test.p).any() else test.p,
        "separability": parts.index,
        "separability_low": np.maximum(index_low, 0.0),
        "separability_high": np.minimum(index_high, 1.0),
    }
    if counts and _predicts_rate(fits.estimator):
        bits = held_out_bits(
            y,
            predicted,
            fits.base[scored],
            block=block,
            n_draws=_DRAWS,
            level=level,
            rng=seed.stream("bits"),
        )
        per |= {"bits_per_spike": bits.value, "bits_low": bits.ci_low, "bits_high": bits.ci_high}
    if shown.repeats is not None:
        found = per_unit.explainable_variance(*shown.repeats, of="mean", n_perm=0, level=level)
        for key, share in (("", found.value), ("_low", found.ci_low), ("_high", found.ci_high)):
            per[f"ceiling{key}"] = np.sqrt(np.where(share > 0, share, np.nan))
    more: dict[str, Any] = {}
    if isinstance(fits.estimator, AxesField):
        more, tested = _axes(fits.estimator, space, flat)
        per |= tested
        per["q"] = fdr(per["p"]) if np.isfinite(per["p"]).any() else per["p"]
    unit = 1.0 if shown.step is None else shown.step
    lag = use.lags * unit if shown.step is not None else use.lags.astype(np.int64)
    power = np.sqrt((value.reshape(names.size, use.lags.size, -1) ** 2).sum(axis=2))
    peak = np.where(
        np.isfinite(power).all(axis=1), np.asarray(lag)[np.nan_to_num(power).argmax(axis=1)], np.nan
    )
    per["peak_lag"] = peak
    full, over = (
        ("unit", "lag", *space),
        {"value": value, "se": se, "ci_low": low, "ci_high": high, "z": test.z},
    )
    coords = {"unit": names, "lag": lag, **shown.coords}
    for axis, dim in enumerate(space):
        coords.setdefault(dim, np.arange(value.shape[2 + axis]))
    data = xr.Dataset(
        {key: (full, entry) for key, entry in over.items()}
        | {"spatial": (("unit", *space), parts.spatial), "temporal": (("unit", "lag"), parts.temporal)}
        | {key: ("unit", np.asarray(entry, dtype=np.float64)) for key, entry in per.items()}
        | more,
        coords=coords,
    )
    return data, xr.DataArray(
        folds, dims=("fold", *full), coords={"fold": np.arange(len(folds)), **coords}, name="folds"
    )


def _axes(
    estimator: AxesField, space: tuple[str, ...], flat: np.ndarray
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """All axes as variables of the result, and the test of the leading ones in place of that of the map."""
    found = estimator.stc_
    axes = np.concatenate([found.excitatory_, found.suppressive_], axis=1)
    p = np.concatenate([found.p_excitatory_, found.p_suppressive_], axis=1)
    k = estimator.n_axes
    names = [*(f"excitatory {i}" for i in range(k)), *(f"suppressive {i}" for i in range(k))]
    first = p[:, [0, k]]
    with np.errstate(invalid="ignore"):
        both = np.minimum(1.0, 2 * first.min(axis=1))  # either end
    nothing = np.full(flat.size, np.nan)
    values = found.eigenvalues_
    one = 1.0 if found.response_ == "counts" else 0.0
    return (
        {
            "axis": ("axis", names),
            "axes": (("unit", "axis", "lag", *space), axes),
            "axis_p": (("unit", "axis"), p),
            "n_excitatory": ("unit", found.n_excitatory_.astype(np.float64)),
            "n_suppressive": ("unit", found.n_suppressive_.astype(np.float64)),
        },
        {
            "statistic": np.where(flat, np.nan, np.nanmax(np.abs(values - one), axis=1, initial=0.0)),
            "null_mean": nothing,
            "threshold": nothing,
            "p": np.where(flat, np.nan, both),
        },
    )


def _predicts_rate(estimator: Any) -> bool:
    """Whether predictions are expected counts, never below 0."""
    return isinstance(estimator, LNP) or getattr(estimator, "observation", "") == "poisson"


def _methods(use: Method, shown: Shown, cv: int, n_perm: int, level: float) -> tuple[str, ...]:
    what = "stretches of consecutive frames" if shown.series else "groups of stimuli"
    said = [
        f"Receptive fields were estimated by {use.name} from {len(shown.responses)} "
        f"{'frames' if shown.series else 'stimuli'}"
        + (
            f" at {use.lags.size} lags"
            + (f" of {1000 * shown.step:.4g} ms" if shown.step is not None else " of one frame")
            if shown.series
            else ""
        )
        + f"; intervals ({level:.0%}) of filters are jackknife intervals over {cv} {what}, and scores are correlations "
        f"of responses with predictions of fits to the other {what.split()[0]}."
    ]
    if n_perm:
        said.append(
            "The leading axes of the spike-triggered covariance were tested against circular shifts of the response."
            if use.name == "stc"
            else "A field was tested by the largest absolute entry of the map of standardised covariances of response "
            f"and stimulus, against {n_perm} "
            + ("circular shifts of the response." if shown.series else "relabellings of the stimuli.")
        )
    return tuple(said)
