"""Contrasts of a comparison: paired differences between systems, from the draws that all pairs share."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience._results import Comparison, Contrasts, Result
from consilience.stats import (
    adjust,
    jackknife_variance,
    once_counted_variance,
    t_test,
    two_factor_variance,
)
from consilience.stats._crossed import crossed_degrees

__all__ = ["contrasts", "variance_of"]

_WHO = "Comparison.contrasts"
CEILING = "ceiling"
_FIELDS = ("difference", "ci_low", "ci_high", "ci_both_low", "ci_both_high", "p", "p_corrected")


def contrasts(
    comparison: Comparison, *, side: str, reference: str | None, against: str | None, correction: str
) -> Contrasts:
    """See `Comparison.contrasts`."""
    check_option(side, ["a", "b"], name="side", who=_WHO)
    check_option(correction, ("holm", "fdr", "max", "none"), name="correction", who=_WHO)
    other = "b" if side == "a" else "a"
    names, others = ([str(v) for v in comparison.data[d].values] for d in (side, other))
    if reference == CEILING and CEILING not in names:
        return _below_ceiling(comparison, side, names, others, against, correction)
    if len(names) < 2:
        raise InputError(
            f"{_WHO}: side {side} has one system, so there is no difference.", code="nothing-to-choose"
        )
    if comparison.draws is None:
        raise InputError(
            f"{_WHO}: there are no draws (n_boot=0, or measures without a rule of resampling); compare again with "
            "n_boot=1000.",
            code="no-draws",
        )
    if reference is not None:
        check_option(reference, [*names, CEILING], name="reference", who=_WHO)
    if against is not None:
        others = [check_option(against, others, name="against", who=_WHO)]
    if reference is None:
        first, second = np.triu_indices(len(names), 1)
    else:
        second = np.array([names.index(reference)] * (len(names) - 1))
        first = np.delete(np.arange(len(names)), second[0])
    columns: dict[str, list[Any]] = {name: [] for name in ("measure", "first", "second", "against", *_FIELDS)}
    rules = {m["key"]: m["resample"] for m in comparison.settings["measures"]}
    for key in [str(v) for v in comparison.draws["measure"].values]:
        for name in others:
            found = _family(comparison, key, side, {other: name}, rules[key], first, second, correction)
            if found is None:
                continue
            columns["measure"] += [key] * len(first)
            columns["first"] += [names[i] for i in first]
            columns["second"] += [names[j] for j in second]
            columns["against"] += [name] * len(first)
            for field in _FIELDS:
                columns[field] += found[field].tolist()
    if not columns["measure"]:
        raise InputError(f"{_WHO}: no measure has draws here; use one with an interval.", code="no-draws")
    common = _common(comparison, side, reference, against, correction)
    if comparison.leave_one_out is not None:
        common["references"] = tuple(dict.fromkeys([*comparison.references, "efron1981jackknife"]))
    common["methods"] = (
        *comparison.methods,
        "Differences between systems were tested with the draws that they share (for measures of pairs of stimuli, and "
        "the values without each stimulus) and Student's t; p-values were "
        f"corrected ({correction}) within one measure and one system of the other side.",
    )
    return _made(columns, side, common)


def _common(
    comparison: Comparison, side: str, reference: str | None, against: str | None, correction: str
) -> dict[str, Any]:
    """What a result carries, and the settings of this one."""
    common = {f.name: getattr(comparison, f.name) for f in fields(Result)}
    common["settings"] = {
        **comparison.settings,
        "verb": "contrasts",
        "side": side,
        "reference": reference,
        "against": against,
        "correction": correction,
    }
    return common


def _made(columns: dict[str, list[Any]], side: str, common: dict[str, Any]) -> Contrasts:
    data = {
        name: ("contrast", np.array(v, dtype=np.float64 if name in _FIELDS else object))
        for name, v in columns.items()
    }
    return Contrasts(data=xr.Dataset(data), side=side, **common)


def _below_ceiling(
    comparison: Comparison,
    side: str,
    names: list[str],
    others: list[str],
    against: str | None,
    correction: Any,
) -> Contrasts:
    """Each system against the lower noise ceiling of its pair, one-sided."""
    if correction == "max":
        raise InputError(
            f"{_WHO}: correction='max' needs draws, which differences from the ceiling do not have; use 'holm', "
            "'fdr' or 'none'.",
            code="bad-parameter",
        )
    if against is not None:
        others = [check_option(against, others, name="against", who=_WHO)]
    if comparison.ceiling_gap is None:
        raise InputError(
            f"{_WHO}: the ceiling was not resampled (n_boot=0); compare again with n_boot=1000.",
            code="no-draws",
        )
    other = "b" if side == "a" else "a"
    level = float(comparison.settings["level"])
    columns: dict[str, list[Any]] = {name: [] for name in ("measure", "first", "second", "against", *_FIELDS)}
    for key in [str(v) for v in comparison.data["measure"].values]:
        for name in others:
            here = {"measure": key, other: name}
            table, gap = comparison.data.sel(here), comparison.ceiling_gap.sel(here)
            difference = (table["value"] - table["ceiling_low"]).values
            of_stimuli, of_both = (gap[v].values for v in ("variance", "variance_both"))
            known = np.flatnonzero(np.isfinite(difference) & np.isfinite(of_stimuli))
            if not known.size:
                continue
            difference, of_stimuli, of_both = difference[known], of_stimuli[known], of_both[known]
            df, df_both = gap["df"].values[known], gap["df_both"].values[known]
            one = t_test(difference, of_stimuli, df=df, level=level)
            two = t_test(difference, of_both, df=np.nan_to_num(df_both, nan=1.0), level=level)
            both = np.isfinite(of_both)
            p = t_test(
                difference,
                np.where(both, of_both, of_stimuli),
                df=np.where(both, df_both, df),
                level=level,
                side="less",
            ).p
            found = {
                "difference": difference,
                "ci_low": one.low,
                "ci_high": one.high,
                "ci_both_low": two.low,
                "ci_both_high": two.high,
                "p": p,
                "p_corrected": adjust(p, correction),
            }
            columns["measure"] += [key] * known.size
            columns["first"] += [names[i] for i in known]
            columns["second"] += [CEILING] * known.size
            columns["against"] += [name] * known.size
            for field in _FIELDS:
                columns[field] += found[field].tolist()
    if not columns["measure"]:
        raise InputError(
            f"{_WHO}: no measure here has a noise ceiling that is tested. It takes repeats of every stimulus or at "
            "least 3 subjects, on one side alone, 6 stimuli, and a measure whose ceiling can be resampled (see the "
            "docstring); for RDMs of subjects by other methods use cs.evaluate_models.",
            code="no-ceiling",
        )
    common = _common(comparison, side, CEILING, against, correction)
    common["references"] = tuple(
        dict.fromkeys([*comparison.references, "efron1981jackknife", "nili2014toolbox"])
    )
    common["methods"] = (
        *comparison.methods,
        "Values were held against the lower noise ceiling with the variance of their difference, value and ceiling "
        "under the same stimuli (and subjects), and Student's t, one-sided; p-values were corrected "
        f"({correction}) within one measure and one system of the other side.",
    )
    return _made(columns, side, common)


def _family(
    comparison: Comparison,
    key: str,
    side: str,
    where: dict[str, str],
    rule: str,
    first: np.ndarray,
    second: np.ndarray,
    correction: Any,
) -> dict[str, np.ndarray] | None:
    """All contrasts under one measure and against one system; None where its draws are missing."""
    here = {"measure": key, **where}
    table = comparison.data.sel(here)
    draws = _draws(comparison.draws, here, side)
    if draws is None:
        return None
    value = table["value"].values
    n = int(table["n_stimuli"].values[0])
    level = float(comparison.settings["level"])
    difference = value[first] - value[second]
    away = draws[:, first] - draws[:, second]
    without = _draws(comparison.leave_one_out, here, side)
    if without is not None:
        without = without[:, first] - without[:, second]
    variance = variance_of(rule, away, without, n)
    once = variance
    test = t_test(difference, variance, df=n - 1, level=level)
    blank = np.full(difference.shape, np.nan)
    out = {
        "difference": difference,
        "ci_low": test.low,
        "ci_high": test.high,
        "ci_both_low": blank,
        "ci_both_high": blank,
        "p": test.p,
    }
    people = table["n_subjects"].values
    s = np.minimum(people[first], people[second])
    subjects, both = (_draws(d, here, side) for d in (comparison.subject_draws, comparison.both_draws))
    if subjects is not None and both is not None and (s > 1).all():
        one, two = (d[:, first] - d[:, second] for d in (subjects, both))
        of_stimuli, of_subjects, of_both = (np.nanvar(d, axis=0, ddof=1) for d in (away, one, two))
        count = int(s.min())
        variance = two_factor_variance(of_stimuli, of_subjects, of_both, n_stimuli=n, n_subjects=count)
        if without is not None:
            # pairs count three times in it; of the pairs that the bootstrap has more of than the jackknife, those of
            # single subjects count once already: at most a third of what resampling both adds to each alone
            single = of_stimuli - jackknife_variance(without)
            single -= np.maximum(of_both - of_stimuli - of_subjects, 0.0) / 3
            least = np.maximum(once, of_subjects)
            variance = np.maximum(variance - 2 * np.maximum(np.nan_to_num(single), 0.0), least)
        sizes = {"n_stimuli": n, "n_subjects": count}
        df = crossed_degrees(stimuli=once, subjects=of_subjects, both=variance, **sizes)
        test, away = t_test(difference, variance, df=df, level=level), two
        out |= {"ci_both_low": test.low, "ci_both_high": test.high, "p": test.p}
    out["p_corrected"] = adjust(test.p, correction, draws=away if correction == "max" else None)
    return out


def variance_of(rule: str, draws: np.ndarray, left_out: np.ndarray | None, n: int) -> np.ndarray:
    """Variance over stimuli of values, from their draws (m, ...) and their values without each stimulus (n, ...).

    By the rule of the measure: of pairs, what counts single pairs once; of predictions, that of the draws, which hold
    the fits' part; of subsamples, the delete-d jackknife.
    """
    variance = np.nanvar(draws, axis=0, ddof=1)
    if rule == "subsample":
        d = max(1, round(n / 10))
        return np.asarray(variance * (n - d) / d)
    if rule == "pairs" and left_out is not None:
        once = once_counted_variance(jackknife_variance(left_out), variance, n=n)
        return np.where(np.isfinite(once), once, variance * n / (n - 1))
    return np.asarray(variance * n / (n - 1))


def _draws(draws: xr.DataArray | None, where: dict[str, str], side: str) -> np.ndarray | None:
    """(draws, systems of the side), or None where they are missing. Measures of other rules have fewer draws."""
    if draws is None or where["measure"] not in draws["measure"].values:
        return None
    values = draws.sel(where).transpose(..., side).values
    values = values[np.isfinite(values).any(axis=1)]
    return values if len(values) > 1 and np.isfinite(values).any(axis=0).all() else None
