"""`score_perturbation`: predicted perturbations held against the experiment that came later."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
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
        Accuracy and shares are between 0 and 1, angles in radians, as they are predicted; trials that are NaN are left
        out with a warning.
    level : of intervals; that of predictions is their own.

    Returns
    -------
    PerturbationScore : ``.data`` by family, ``.pairs``. The family "any" is the mean of families with the union of
        their intervals. Outcomes of one perturbation are of the same trials: shares, r and p take the number of
        perturbations (``n_independent``) for that of independent changes, and of two classes, whose shares mirror each
        other, one is counted (``counted`` in pairs). A change of exactly 0 has no sign, right or wrong, and is not
        among the ``n_signs``.

    Raises
    ------
    InputError : missing columns, names that were not predicted, no finite change, a condition without trials, values
        that are no numbers or cannot be those of the outcome (percent, degrees).

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
    with collect_cautions() as cautions:
        table = _observed(observed)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    d = prediction.data
    for column, dim in (("perturbation", "perturbation"), ("outcome", "outcome")):
        missing = [v for v in table[column] if v not in set(d[dim].values.tolist())]
        if missing:
            raise InputError(
                f"{WHO}: {column} {shorten(missing[0])} was not predicted; there are "
                f"{shorten(d[dim].values.tolist(), 200)}.",
                code="unknown-name",
            )
    _check_units(table, str(prediction.settings.get("task", "")))
    counted = _counted(table, d["outcome"].values.tolist(), str(prediction.settings.get("task", "")))
    group = np.unique(np.array(table["perturbation"], dtype=str), return_inverse=True)[1]
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
        given = change[f], low[f], high[f], table["change"], table["se"], control[f], sd, group
        rows.append(prediction_scores(*(v[counted] for v in given), level=level)[0])
        _, agrees, within = prediction_scores(*given, level=level)
        right.append(agrees)
        inside.append(within)
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
            "counted": ("pair", counted),
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
            "n_counted": int(counted.sum()),
            "n_perturbations": int(group.max()) + 1,
        },
        seed=prediction.seed,
        warnings=tuple(cautions),
        references=("wilson1927probable",),
        methods=(
            f"{int(counted.sum())} observed changes of {int(group.max()) + 1} perturbations were held against "
            "those that models of undisturbed activity had predicted; "
            "correlation and error are of changes over the standard deviation from trial to trial, intervals and p "
            "are by perturbation, the outcomes of which are of the same trials.",
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
    if not names:
        raise InputError(f"{WHO}: observed has no rows; give at least one observed change.", code="too-few")
    if not by_trial:
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InputError(
                f"{WHO}: {twice[0]!r}, {twice[1]!r} stands twice in observed; give one change for each, or single "
                "trials with condition and value.",
                code="bad-parameter",
            )
        change = _numbers(given, "change")
        bad = np.flatnonzero(~np.isfinite(change))
        if bad.size:
            raise InputError(
                f"{WHO}: every observed change must be a finite number; row {bad[0]} ({names[bad[0]][0]!r}, "
                f"{names[bad[0]][1]!r}) has {change[bad[0]]}. Leave it out.",
                code="nan-values",
            )
        se = _numbers(given, "se") if "se" in columns else np.full(change.shape, np.nan)
        bad = np.flatnonzero((se < 0) | np.isinf(se))
        if bad.size:
            raise InputError(
                f"{WHO}: se must be 0 or more, or NaN where it is not known; row {bad[0]} ({names[bad[0]][0]!r}, "
                f"{names[bad[0]][1]!r}) has {se[bad[0]]:g}.",
                code="bad-parameter",
            )
    else:
        change, se, names = _from_trials(given, names)
    return {
        "perturbation": [p for p, _ in names],
        "outcome": [o for _, o in names],
        "change": change,
        "se": se,
    }


def _from_trials(
    given: Any, names: list[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, str]]]:
    value, condition = _numbers(given, "value"), np.asarray(given["condition"]).astype(str)
    bad = np.flatnonzero(~np.isfinite(value))
    if bad.size:
        warn(
            "trials-omitted",
            f"{WHO}: {bad.size} of {value.size} trials are NaN or infinite and are left out (first: row {bad[0]}, "
            f"{names[bad[0]][0]!r}, {names[bad[0]][1]!r}).",
            "Find out why they are missing: trials that are missing because of the perturbation are part of its "
            "effect.",
        )
    odd = sorted(set(condition.tolist()) - {"intact", "perturbed"})
    if odd:
        raise InputError(
            f"{WHO}: condition must be 'intact' or 'perturbed', got {shorten(odd[0])}.", code="bad-label"
        )
    unique = list(dict.fromkeys(names))
    change, se = np.zeros(len(unique)), np.zeros(len(unique))
    for k, one in enumerate(unique):
        own = np.array([n == one for n in names]) & np.isfinite(value)
        arms = [value[own & (condition == c)] for c in ("perturbed", "intact")]
        if min(a.size for a in arms) < 2:
            raise InputError(
                f"{WHO}: {one[0]!r}, {one[1]!r} needs at least 2 trials of each condition that are no NaN, got "
                f"{arms[0].size} perturbed and {arms[1].size} intact.",
                code="too-few",
            )
        change[k] = arms[0].mean() - arms[1].mean()
        se[k] = np.sqrt(sum(a.var(ddof=1) / a.size for a in arms))
    return change, se, unique


def _numbers(given: Any, column: str) -> np.ndarray:
    found = np.asarray(given[column])
    if found.dtype.kind == "O" and all(
        v is None or isinstance(v, (bool, int, float, np.number)) for v in found
    ):
        found = found.astype(np.float64)
    if found.dtype.kind not in "biuf":
        first = next((v for v in found.tolist() if isinstance(v, str)), found.flat[0])
        raise InputError(
            f"{WHO}: {column} must be numbers, got {shorten(first)}; convert the column with astype(float).",
            code="not-numeric",
        )
    return found.astype(np.float64)


def _check_units(table: dict[str, Any], task: str) -> None:
    """Changes that cannot be: shares in percent, angles in degrees."""
    most, unit = {
        "classes": (1.0, "shares between 0 and 1, not in percent"),
        "angles": (2 * np.pi, "radians"),
    }.get(task, (np.inf, ""))
    far = np.flatnonzero(np.abs(table["change"]) > most * (1 + 1e-9))
    if far.size:
        i = int(far[0])
        raise InputError(
            f"{WHO}: {table['perturbation'][i]!r} changes {table['outcome'][i]!r} by {table['change'][i]:g}, which "
            f"cannot be: outcomes were predicted in {unit}. Convert change and se, or value.",
            code="bad-units",
        )


def _counted(table: dict[str, Any], outcomes: list[str], task: str) -> np.ndarray:
    """Of two classes, whose shares mirror each other, the first that stands in the table."""
    shares = [o for o in outcomes if o.startswith("share of ")]
    out = np.ones(len(table["outcome"]), bool)
    if task != "classes" or len(shares) != 2:
        return out
    met: set[str] = set()
    for k, (perturbation, outcome) in enumerate(zip(table["perturbation"], table["outcome"])):
        if outcome in shares:
            out[k] = perturbation not in met
            met.add(perturbation)
    return out
