"""The verb `structure`: a statistic of a population's trajectories, and what surrogates have of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import recorded_cautions
from consilience._results import Structure
from consilience.analyses._structure_asked import (
    WHO,
    Function,
    claim_of,
    entries_of,
    refuse_seams,
    repeats_asked,
    rows_asked,
)
from consilience.analyses._structure_data import Repeats, Rows, rows_of
from consilience.analyses._structure_planes import planes_of
from consilience.analyses._structure_statistics import (
    KEEPS,
    NULL_REFERENCES,
    STATISTICS,
    measured,
    mismatch,
    of_function,
)
from consilience.stats import SURROGATES, against_draws, jackknife_interval

__all__ = ["structure"]

_GROUPS = 30  # of conditions or trials, left out in turn
_FEWEST = 5  # of those, for an interval


def structure(
    data: xr.DataArray,
    /,
    *,
    statistic: str | Function | Sequence[str | Function] = "rotation",
    null: str | Function | Sequence[str | Function] | None = None,
    by: str | None = "stimulus",
    rows: str | None = None,
    n_components: int | None = None,
    subtract_mean: bool = True,
    soft_normalise: float | None = None,
    alternative: str | None = None,
    interval: str | None = None,
    n_null: int = 500,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Structure:
    """Is a rotation, or other structure, of a population's trajectories more than that of surrogates without it?

    The statistic of the data, and of ``n_null`` surrogates treated in the same way from their first step on. p =
    (b + 1) / (m + 1), b the number of the m surrogates at or beyond the value; effect = (value - mean) / standard
    deviation of the surrogates.

    Smooth noise and sequences of units have high values of every statistic here without any dynamics, so the value
    alone says nothing. What a small p says hangs on what the surrogates keep: "tensor_max_entropy" keeps means and
    covariances over time, units and conditions (smoothness, correlations, tuning), and is the null of a claim of
    dynamics. Others lose more than the dynamics, or less; where that is known, it is said (``null-mismatch``).

    Parameters
    ----------
    data : responses (trial, time, unit), times in even steps.
    statistic : "rotation" (R2 of the best rotation over R2 of any linear law: `cs.populations.rotation_ratio`),
        "rotation_r2", "rotation_rate" (at which states turn in the fastest plane, rad/s), "linear_dynamics" (R2 of any
        linear law), "tangling", "curvature", "variance_in_k" (k = n_components), a function of an array (rows, time,
        units) that returns a number, or several.
    null : "tensor_max_entropy", "circular", "phase", "conditions", "trials", "steps", "line" (see
        `cs.stats.SURROGATES`), a function ``null(x, n=, rng=)`` that gives arrays like x, or several; None =
        "tensor_max_entropy", of curvature alone "steps". With "steps" (is it straighter than a walk of the same steps
        in another order?), "line" (does it bend more than noise bends a line? 3 trials of each condition) or both, and
        no other, the curvature is that of trials, free of noise, where every condition has two that are complete.
    by : the label of trials that makes conditions; None = every trial is one.
    rows : "conditions" (means over the trials of each) or "trials" (single ones), what the statistic is of; None =
        conditions, and trials for the null "trials".
    n_components : axes that trajectories are reduced to; None = 6 for rotations, 8 for tangling, 2 for variance_in_k.
    subtract_mean : take the mean over rows out at each time (rotations, variance_in_k).
    soft_normalise : divide units by their range plus this; None = as they are.
    alternative : "greater", "less" or "two-sided"; None = where the claim lies: less for tangling and curvature (of
        "line" greater, of both nulls two-sided), two-sided for the rate, else greater.
    interval : "conditions" or "trials", what is left out in turn (jackknife, t): how the value would change with
        others, cut at the ends of the statistic's range. None = rows. With "trials" all conditions keep their place,
        and each needs two trials.
    n_null : surrogates; no p is below 1 / (n_null + 1), two-sided 2 / (n_null + 1), so that 19 and 39 are the fewest
        for p of 0.05.   level : of the interval.   rng : seed.

    Returns
    -------
    Structure : ``.data``, ``.draws``, ``.planes``, ``.to_frame()``, ``.plot()``.

    In simulations p of "tensor_max_entropy" was at most 0.05 in 0.02 to 0.06 of 400 data sets with covariances over
    time, units and conditions alone (rotation, rotation_r2, linear_dynamics; of tangling in 0.02 to 0.09: read p of it
    near 0.05 as none); of curvature against "steps" and "line" in 0.03 to 0.10 of 40.
    Intervals of 95 % over conditions held the truth in 0.96 to 1.00 of 400 (wide where there is no
    structure), those over trials in 0.93 to 1.00 of 150. See benchmarks/rotations.md.

    Raises
    ------
    InputError : no time, trials that are cut short at different times (cut all to the time they share), one condition;
        a null that is known to reject without structure (variance_in_k against "circular", "phase").
    ConsilienceWarning : ``null-mismatch``: the null does not answer the claim; ``few-conditions``: no interval;
        ``few-draws``; ``noise-bends``: too few complete trials to take noise out of a curvature.

    References
    ----------
    Elsayed & Cunningham (2017); those of the statistic: ``result.citations()``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, (8, 1)) + 0.3 * np.arange(30)
    >>> x = np.stack([np.cos(angle), np.sin(angle)], axis=2) @ rng.normal(size=(2, 20)) + rng.normal(size=(8, 30, 20))
    >>> data = cs.responses(x, stimulus=[f"reach{k}" for k in range(8)], time=np.arange(30) * 0.01, kind="rate",
    ...                     dims=("trial", "time", "unit"), system="M1")
    >>> found = cs.structure(data, n_components=2, n_null=99, rng=0)
    >>> found.data["p"].item()
    0.01
    """
    seed = resolve_seed(rng, who=WHO)
    n_null = check_count(n_null, name="n_null", who=WHO, minimum=1)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    statistics = entries_of(statistic, STATISTICS, "statistic")
    if null is None:
        null = "steps" if set(statistics) == {"curvature"} else "tensor_max_entropy"
    nulls = entries_of(null, SURROGATES, "null")
    refuse_seams(statistics, nulls)
    if alternative is not None:
        check_option(alternative, ("greater", "less", "two-sided"), name="alternative", who=WHO)
    with collect_cautions() as cautions:
        made = rows_of(data, by=by, rows=rows_asked(rows, nulls), who=WHO)
        options = {
            "n_components": n_components,
            "subtract_mean": bool(subtract_mean),
            "soft_normalise": soft_normalise,
            "bin_width": made.bin_width,
        }

        repeats = repeats_asked(made, statistics, nulls)

        def value_of(x: np.ndarray, repeats: Repeats | None = None) -> np.ndarray:
            named = measured(
                tuple(name for name, entry in statistics.items() if entry is None), x, options, repeats
            )
            return np.array(
                [
                    named[name] if entry is None else of_function(entry, x, WHO)
                    for name, entry in statistics.items()
                ]
            )

        value = value_of(made.x, repeats)
        if not np.isfinite(value).all():
            raise InputError(
                f"{WHO}: the repeats of no condition agree on how it moves, so there is no curvature behind the noise; "
                "take longer steps (wider bins) or more repeats, or smooth.",
                code="no-structure",
            )
        low, high, left_out = _interval(made, value, value_of, repeats is not None, interval, level, seed)
        for row, name in enumerate(statistics):
            if statistics[name] is None:  # of its own, whose range is known
                cut = np.clip([low[row], high[row]], *STATISTICS[name].bounds)
                low[row], high[row] = min(cut[0], value[row]), max(cut[1], value[row])
        draws = np.empty((len(statistics), len(nulls), n_null))
        firsts = []
        for column, (name, entry) in enumerate(nulls.items()):
            every = _surrogates(name, entry, made, repeats, n_null, seed)
            for k in range(n_null):
                x, moved = next(every, (None, None))
                x = _checked(x, made, name)
                draws[:, column, k] = value_of(x, moved)
                if k == 0:
                    firsts.append(x)
            for known in statistics:
                why = mismatch(known, name, corrected=repeats is not None)
                if why is not None:
                    warn(
                        "null-mismatch",
                        f"{WHO}: for {known}, {name} {why}.",
                        "Use null='tensor_max_entropy'."
                        if STATISTICS[known].dynamics
                        else "Read it with that in mind.",
                    )
        claims = [alternative or claim_of(name, entry, nulls) for name, entry in statistics.items()]
        both = "two-sided" in claims
        if n_null < (39 if both else 19):
            warn(
                "few-draws",
                f"{WHO}: {'two-sided ' * both}p of {n_null} surrogates cannot reach 0.05.",
                "n_null of some hundreds.",
            )
        planes = None
        if any(name in STATISTICS and STATISTICS[name].family == "rotation" for name in statistics):
            planes = planes_of(made, firsts, list(nulls), options)
        for caution in recorded_cautions(data):
            if caution.code != "made-up-ids":  # nothing is aligned
                warn(caution.code, caution.message, caution.remedy)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return Structure(
        data=_table(list(statistics), list(nulls), value, low, high, draws, claims),
        draws=xr.DataArray(
            draws,
            dims=("statistic", "null", "draw"),
            coords={"statistic": list(statistics), "null": list(nulls)},
        ),
        planes=planes,
        settings={
            "verb": "structure",
            "system": str(data.attrs.get("system") or "data"),
            "by": by,
            **made.about(),
            "n_null": n_null,
            "level": level,
            "interval": left_out,
            "corrected": repeats is not None,
            **{key: option for key, option in options.items() if key != "bin_width"},
            "units": {name: made.unit_of(name) for name in statistics},
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(
                [
                    *(
                        key
                        for name in statistics
                        if name in STATISTICS
                        for key in STATISTICS[name].references
                    ),
                    *(key for name in nulls for key in NULL_REFERENCES.get(name, ())),
                    "elsayed2017structure",
                ]
            )
        ),
        methods=(_methods(statistics, nulls, made, n_null, left_out, level),),
    )


def _surrogates(
    name: str, entry: Function | None, made: Rows, repeats: Repeats | None, n: int, seed: Seed
) -> Iterator[tuple[Any, Repeats | None]]:
    """Surrogates of the rows, or of their trials, with means over those."""
    stream = seed.stream(f"null {name}")
    if repeats is not None:
        trials, condition = repeats
        for moved in SURROGATES[name](trials, condition, n=n, rng=stream):
            means = np.stack([moved[condition == k].mean(axis=0) for k in np.unique(condition)])
            yield means, (moved, condition)
        return
    if entry is not None:
        given = iter(entry(made.x, n=n, rng=stream))
    elif name == "trials":
        given = SURROGATES[name](made.x, made.condition, n=n, rng=stream)
    else:
        given = SURROGATES[name](made.x, n=n, rng=stream)
    for x in given:
        yield x, None


def _checked(surrogate: Any, made: Rows, name: str) -> np.ndarray:
    shape = None if surrogate is None else np.shape(surrogate)
    x = np.asarray(surrogate, dtype=np.float64) if shape == made.x.shape else np.full(1, np.nan)
    if not np.isfinite(x).all():
        raise InputError(
            f"{WHO}: null {shorten(name, 40)} must give n finite arrays of shape {made.x.shape}, got "
            f"{'too few' if surrogate is None else f'shape {shape}' if shape != made.x.shape else 'NaN or infinity'}.",
            code="bad-parameter",
        )
    return x


def _interval(
    made: Rows,
    value: np.ndarray,
    value_of: Any,
    corrected: bool,
    interval: str | None,
    level: float,
    seed: Seed,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Ends of the jackknife interval, and what was left out, in words; NaN where too few could be."""
    none = np.full(value.size, np.nan)
    over = (
        made.rows
        if interval is None
        else check_option(interval, ("conditions", "trials"), name="interval", who=WHO)
    )
    subsets = list(made.without(over, _GROUPS, seed.stream("interval"), WHO))
    if len(subsets) < _FEWEST:
        warn(
            "few-conditions",
            f"{WHO}: {len(subsets)} {over} that could be left out in turn are too few for an interval.",
            f"{_FEWEST} or more; or interval='trials' where there are repeats.",
        )
        return none, none, "none"
    try:
        left = np.stack([value_of(x, repeats if corrected else None) for x, repeats in subsets])
    except InputError as error:
        if error.code not in ("rank-deficient", "too-few"):
            raise
        warn(
            "few-conditions", f"{WHO}: no interval, as {error}", "More conditions, or a smaller n_components."
        )
        return none, none, "none"
    low, high = jackknife_interval(value, left, n=len(left), left_out=1, level=level, exhaustive=True)
    return low, high, over


def _table(
    statistics: list[str],
    nulls: list[str],
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    draws: np.ndarray,
    claims: list[str],
) -> xr.Dataset:
    both = ("statistic", "null")
    return xr.Dataset(
        {
            "value": ("statistic", value),
            "ci_low": ("statistic", low),
            "ci_high": ("statistic", high),
            "claim": ("statistic", np.array(claims, dtype=object)),
            **{key: (both, found) for key, found in against_draws(value, draws, claims).items()},
        },
        coords={"statistic": statistics, "null": nulls},
    )


def _methods(statistics: Any, nulls: Any, made: Rows, n_null: int, left_out: str, level: float) -> str:
    what = ", ".join(STATISTICS[name].label if name in STATISTICS else name for name in statistics)
    kept = "; ".join(f"{name} ({KEEPS[name]} kept)" if name in KEEPS else name for name in nulls)
    said = (
        f"Structure of the trajectories of {made.about()['n_rows']} {made.rows} ({what}) was compared with {n_null} "
        f"surrogates of each of {len(nulls)} null{'s' * (len(nulls) != 1)}: {kept}; p = (b + 1) / (m + 1)"
    )
    if left_out != "none":
        said += f"; {level:.0%} intervals are from a jackknife over {left_out}"
    return said + "."
