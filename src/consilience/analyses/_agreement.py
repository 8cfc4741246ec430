"""Rank agreement between the measures of a comparison: `Comparison.agreement`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._results import Agreement, Comparison
from consilience.stats import percentile_interval
from consilience.stats._rank_agreement import kendall_tau_b, same_top, spearman_rho

__all__ = ["agreement"]

WHO = "Comparison.agreement"
SHARED = ("pairs", "predictions")  # rules whose draws are the same resamples of stimuli


def agreement(comparison: Comparison) -> Agreement:
    """See `Comparison.agreement`."""
    data = comparison.data
    measures, systems = data["measure"].values.tolist(), data["a"].values.tolist()
    if len(measures) < 2:
        raise InputError(
            f"{WHO}: agreement is between measures, and this comparison has one; give "
            "cs.compare(..., measure=[...]) several.",
            code="nothing-to-choose",
        )
    if len(systems) < 3:
        raise InputError(
            f"{WHO}: a ranking needs at least 3 systems on side a, got {len(systems)}.",
            code="nothing-to-choose",
        )
    value = data["value"].transpose("b", "measure", "a").values
    draws = _shared_draws(comparison, measures)
    size = (len(data["b"]), len(measures), len(measures))
    out = {
        name: np.full(size, np.nan) for name in ("tau", "tau_low", "tau_high", "spearman", "same_top_share")
    }
    same = {name: np.zeros(size, bool) for name in ("same_ranking", "same_top")}
    for k in range(len(measures)):
        for l in range(len(measures)):
            x, y = value[:, k], value[:, l]
            out["tau"][:, k, l] = tau = kendall_tau_b(x, y)
            out["spearman"][:, k, l] = spearman_rho(x, y)
            same["same_ranking"][:, k, l] = tau > 1 - 1e-12
            same["same_top"][:, k, l] = same_top(x, y)
            one, two = draws[k], draws[l]
            if one is None or two is None:
                continue
            drawn = kendall_tau_b(one, two)
            low, high = percentile_interval(drawn, tau, float(comparison.settings["level"]))
            out["tau_low"][:, k, l], out["tau_high"][:, k, l] = low, high
            out["same_top_share"][:, k, l] = same_top(one, two).mean(axis=0)
    rows, columns = np.triu_indices(len(systems), 1)
    gap = np.swapaxes(value[..., rows] - value[..., columns], 1, 2)  # (b, pair, measure)
    support = np.full(gap.shape, np.nan)
    for k, one in enumerate(draws):
        if one is not None:
            moved = one[..., rows] - one[..., columns]
            support[..., k] = np.mean(np.sign(moved) == np.sign(gap[..., k]), axis=0)
    sign = np.sign(np.where(np.abs(gap) <= 1e-12, 0.0, gap))
    coords = {"b": data["b"].values, "measure": data["measure"].values}
    return Agreement(
        data=xr.Dataset(
            {name: (("b", "measure", "measure_"), v) for name, v in {**out, **same}.items()},
            coords={**coords, "measure_": data["measure"].values},
        ),
        pairs=xr.Dataset(
            {
                "difference": (("b", "pair", "measure"), gap),
                "support": (("b", "pair", "measure"), support),
                "split": (("b", "pair"), (sign.max(axis=-1) > 0) & (sign.min(axis=-1) < 0)),
            },
            coords={
                **coords,
                "pair": np.arange(len(rows)),
                "first": ("pair", np.array(systems, dtype=object)[rows]),
                "second": ("pair", np.array(systems, dtype=object)[columns]),
            },
        ),
        settings={**comparison.settings, "verb": "agreement", "n_systems": len(systems)},
        seed=comparison.seed,
        warnings=comparison.warnings,
        references=tuple(dict.fromkeys(["kendall1938new", *comparison.references])),
        methods=(
            *comparison.methods,
            "Measures were compared by Kendall's tau-b between their values over systems, with percentiles over the "
            "same resamples of stimuli.",
        ),
    )


def _shared_draws(comparison: Comparison, measures: list[str]) -> list[np.ndarray | None]:
    """For each measure its draws (draws, b, a), if they are resamples that others share."""
    if comparison.draws is None:
        return [None] * len(measures)
    rules = {str(m["key"]): str(m["resample"]) for m in comparison.settings["measures"]}
    known = set(comparison.draws["measure"].values.tolist())
    out: list[np.ndarray | None] = []
    for key in measures:
        if key not in known or rules.get(str(key)) not in SHARED:
            out.append(None)
            continue
        drawn = comparison.draws.sel(measure=key).transpose("draw", "b", "a").values
        out.append(drawn[np.isfinite(drawn).all(axis=(1, 2))])
    sizes = {len(d) for d in out if d is not None}
    return out if len(sizes) <= 1 else [None] * len(measures)
