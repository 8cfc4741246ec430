"""`score_perturbation`: predicted perturbations held against the experiment that came later."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import check_number, shorten
from consilience._results._perturbation_score import PerturbationScore
from consilience._results._predicted_perturbation import PredictedPerturbation
from consilience.stats._prediction_scores import prediction_scores

__all__ = ["score_perturbation"]

WHO = "cs.score_perturbation"


def score_perturbation(
    prediction: PredictedPerturbation, observed: Any, /, *, level: float = 0.95
) -> PerturbationScore:
    """How well predicted changes met the experiment: signs, coverage of intervals, correlation, error against nulls.

    For predictions c_j and observed changes o_j in units of the outcome's standard deviation from trial to trial: the
    share of equal signs, the share of o_j inside the predicted intervals (widened by the standard error of o_j), r, and
    sqrt(mean (c_j - o_j)^2) beside that of two nulls, c_j = 0 and c_j = change of matched controls.

    Parameters
    ----------
    prediction : of `cs.predict_perturbation`, such as `cs.load` reads.
    observed : DataFrame with the columns ``perturbation`` and ``outcome``, named as in ``prediction.data``, and either
        ``change`` (and ``se``, its standard error, where it is known), one row for each; or ``condition`` ("intact" or
        "perturbed") and ``value``, one row for each trial: the change is then the difference of the means.
    level : of intervals; that of predictions is their own.

    Returns
    -------
    PerturbationScore : ``.data`` by family, ``.pairs``. The family "any" is the mean of families with the union of
        their intervals.

    Raises
    ------
    InputError : missing columns, names that were not predicted, no finite change, a condition without trials.

    References
    ----------
    Wilson (1927) for the interval of shares; Fisher (1915) for that of r.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np, pandas as pd, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> rates = rng.poisson(5, size=(300, 20)).astype(float)
    >>> speed = rates[:, :5].sum(axis=1) + rng.normal(size=300)
    >>> m1 = cs.responses(rates, stimulus=np.arange(300), kind="count", system="M1")
    >>> models = {"ridge": cs.models.RidgeCV(), "PLS": cs.models.PLSCV()}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", cs.ConsilienceWarning)
    ...     said = cs.predict_perturbation(
    ...         m1, speed, sets={"first": range(5)}, families=models, n_controls=20, n_refits=10, rng=0
    ...     )
    >>> later = pd.DataFrame(
    ...     {"perturbation": ["silence first"], "outcome": ["target"], "change": [-24.0], "se": [1.0]}
    ... )
    >>> bool(said.score(later).data["inside"].sel(family="ridge") == 1)
    True
    """
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    if not isinstance(prediction, PredictedPerturbation):
        raise InputError(
            f"{WHO}: prediction must be a PredictedPerturbation, got {type(prediction).__name__}.",
            code="not-a-result",
        )
    table = _observed(observed)
    d = prediction.data
    for column, dim in (("perturbation", "perturbation"), ("outcome", "outcome")):
        missing = [v for v in table[column] if v not in set(d[dim].values.tolist())]
        if missing:
            raise InputError(
                f"{WHO}: {column} {shorten(missing[0])} was not predicted; there are "
                f"{shorten(d[dim].values.tolist(), 200)}.",
                code="unknown-name",
            )
    at = {k: xr.DataArray(table[k], dims="pair") for k in ("perturbation", "outcome")}
    own = d[["change", "ci_low", "ci_high", "control_mean", "sd"]].sel(at)
    joined = prediction.families.sel(at)
    families = [*map(str, d["family"].values.tolist()), "any"]

    def with_any(name: str, last: np.ndarray) -> np.ndarray:
        return np.concatenate([own[name].transpose("family", "pair").values, last[None]])

    change = with_any("change", joined["change"].values)
    low, high = with_any("ci_low", joined["low"].values), with_any("ci_high", joined["high"].values)
    control = with_any("control_mean", own["control_mean"].mean("family").values)
    sd = own["sd"].mean("family").values
    rows, right, inside = [], [], []
    for f in range(len(families)):
        scores, r, i = prediction_scores(
            change[f], low[f], high[f], table["change"], table["se"], control[f], sd, level=level
        )
        rows.append(scores)
        right.append(r)
        inside.append(i)
    data = xr.Dataset(
        {k: ("family", np.array([row[k] for row in rows])) for k in rows[0]}, coords={"family": families}
    )
    order = np.argsort(np.argsort(data["error"].values[:-1], kind="stable"), kind="stable") + 1.0
    data = data.assign(rank=("family", np.append(order, np.nan)))
    pairs = xr.Dataset(
        {
            "predicted": (("family", "pair"), change),
            "low": (("family", "pair"), low),
            "high": (("family", "pair"), high),
            "control_mean": (("family", "pair"), control),
            "sign_agrees": (("family", "pair"), np.stack(right)),
            "inside": (("family", "pair"), np.stack(inside)),
            "observed": ("pair", table["change"]),
            "observed_se": ("pair", table["se"]),
            "sd": ("pair", sd),
        },
        coords={
            "family": families,
            "perturbation": ("pair", np.array(table["perturbation"], dtype=str)),
            "outcome": ("pair", np.array(table["outcome"], dtype=str)),
        },
    )
    said = prediction.settings
    return PerturbationScore(
        data=data,
        pairs=pairs,
        settings={
            "verb": "score_perturbation",
            "system": said.get("system", ""),
            "target": said.get("target", ""),
            "data_sha256": said.get("data_sha256", ""),
            "prediction_level": said.get("level"),
            "level": level,
            "n_pairs": int(pairs.sizes["pair"]),
        },
        seed=prediction.seed,
        references=("wilson1927probable",),
        methods=(
            f"{pairs.sizes['pair']} observed changes were held against those that models of undisturbed activity had "
            "predicted; correlation and error are of changes over the standard deviation from trial to trial.",
        ),
    )


def _observed(given: Any) -> dict[str, Any]:
    """{perturbation, outcome: lists; change, se: (n,)}."""
    if not hasattr(given, "columns") or not hasattr(given, "to_dict"):
        raise InputError(
            f"{WHO}: observed must be a DataFrame with perturbation, outcome and change (se), or condition and value; "
            f"got {type(given).__name__}.",
            code="bad-parameter",
        )
    columns = {str(c) for c in given.columns}
    by_trial = {"condition", "value"} <= columns
    lacking = [c for c in ("perturbation", "outcome") if c not in columns]
    if lacking or not (by_trial or "change" in columns):
        raise InputError(
            f"{WHO}: observed lacks {', '.join(lacking) or 'change (or condition and value)'}; it has the columns "
            f"{shorten(sorted(columns))}.",
            code="unknown-label",
        )
    names = [(str(p), str(o)) for p, o in zip(given["perturbation"], given["outcome"])]
    if not by_trial:
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InputError(
                f"{WHO}: {twice[0]!r}, {twice[1]!r} stands twice in observed; give one change for each, or single "
                "trials with condition and value.",
                code="bad-parameter",
            )
        change = np.asarray(given["change"], np.float64)
        se = np.asarray(given["se"], np.float64) if "se" in columns else np.full(change.shape, np.nan)
    else:
        change, se, names = _from_trials(given, names)
    if not len(names) or not np.isfinite(change).all():
        raise InputError(f"{WHO}: every observed change must be a finite number.", code="nan-values")
    return {
        "perturbation": [p for p, _ in names],
        "outcome": [o for _, o in names],
        "change": change,
        "se": se,
    }


def _from_trials(
    given: Any, names: list[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, str]]]:
    value, condition = np.asarray(given["value"], np.float64), np.asarray(given["condition"]).astype(str)
    odd = sorted(set(condition.tolist()) - {"intact", "perturbed"})
    if odd:
        raise InputError(
            f"{WHO}: condition must be 'intact' or 'perturbed', got {shorten(odd[0])}.", code="bad-label"
        )
    unique = list(dict.fromkeys(names))
    change, se = np.zeros(len(unique)), np.zeros(len(unique))
    for k, one in enumerate(unique):
        own = np.array([n == one for n in names])
        arms = [value[own & (condition == c)] for c in ("perturbed", "intact")]
        if min(a.size for a in arms) < 2:
            raise InputError(
                f"{WHO}: {one[0]!r}, {one[1]!r} needs at least 2 trials of each condition, got {arms[0].size} "
                f"perturbed and {arms[1].size} intact.",
                code="too-few",
            )
        change[k] = arms[0].mean() - arms[1].mean()
        se[k] = np.sqrt(sum(a.var(ddof=1) / a.size for a in arms))
    return change, se, unique
