"""Linear probes with control tasks: does a layer hold a label, or does the probe learn by heart?"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats as scipy_stats

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import check_responses
from consilience.models._ridge import RidgeCV
from consilience.stats import p_value, stratified_folds

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LinearProbe", "linear_probe"]

_WHO = "cs.networks.linear_probe"


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearProbe:
    """What a linear probe finds. Made by `linear_probe`.

    value, ci_low, ci_high : balanced accuracy on rows held out.   chance : 1 / classes.   p : one-sided, labels dealt
    anew.   control, control_high : mean and 95th percentile of the accuracies of control tasks (without ``types``: of
    relabelled rows).   selectivity, selectivity_low, selectivity_high : value - control; NaN without ``types``.
    coef_ (k, p), intercept_ (k,), classes_ (k,) : the probe fitted to all rows, so that
    ``cs.networks.directions(net, layer, probe)`` gives its classes as units.
    predicted, actual : (n,) labels of the rows, predicted held out.   n_rows, n_types : how many.   seed : recorded.

    It holds a fitted probe and is not written by `cs.load`'s format: keep its numbers with ``to_frame().to_csv(path)``.
    """

    value: float
    ci_low: float
    ci_high: float
    chance: float
    p: float
    control: float
    control_high: float
    selectivity: float
    selectivity_low: float
    selectivity_high: float
    coef_: np.ndarray
    intercept_: np.ndarray
    classes_: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray
    n_rows: int
    n_types: int
    level: float
    seed: str

    def to_frame(self) -> pd.DataFrame:
        """One row: the numbers above, without the arrays."""
        import pandas as pd

        row = {one.name: getattr(self, one.name) for one in fields(self)}
        return pd.DataFrame([{key: value for key, value in row.items() if not isinstance(value, np.ndarray)}])

    def __repr__(self) -> str:
        lines = [
            f"<LinearProbe> {self.classes_.size} classes, {self.n_rows} rows"
            + (f" of {self.n_types} types" if self.n_types else ""),
            f"  balanced accuracy {self.value:.3f} [{self.ci_low:.3f}, {self.ci_high:.3f}], chance {self.chance:.3g}, "
            f"p={self.p:.3g}",
        ]
        if self.n_types:
            lines.append(
                f"  control tasks {self.control:.3f}; selectivity {self.selectivity:.3f} "
                f"[{self.selectivity_low:.3f}, {self.selectivity_high:.3f}]"
            )
        return "\n".join(lines)


def linear_probe(
    acts: xr.DataArray,
    target: Any,
    /,
    *,
    types: Any = None,
    cv: int = 5,
    n_control: int = 200,
    level: float = 0.95,
    rng: Any = 0,
) -> LinearProbe:
    """How well a linear readout of a layer tells a label, beside control tasks that only memory can solve.

    Ridge regression of each class's indicator over its share, the penalty chosen on inner folds; the class with the
    largest output is predicted for rows held out; value = mean over classes of the share told right.

    A label that belongs to a *type* (the animacy of a category, the part of speech of a word) can be told by
    recognising the type. In a control task (Hewitt & Liang 2019) every type gets a label at random, as many of each as
    there are; a probe that solves it knows types, not the label. selectivity = value - mean over control tasks. Rows of
    each type are on both sides of every split, so both tasks can use the types. p says whether the true label is told
    better than labels dealt to types at random. With few types there are few ways to deal: 8 types, 4 of each class,
    give 70.

    Confused with it: `cs.decode(layer, target, groups=...)`, which holds out whole types and asks whether the label
    reaches new ones, which no control task can.

    Parameters
    ----------
    acts : responses (trial, unit), such as a layer from `cs.record`.
    target : name of a label on trial, or n labels.   types : name of a label on trial, or n labels, each with one
        target; without them there is no control task, and rows are relabelled.
    cv : folds.   n_control : control tasks; one solution of the ridge serves all.   level : of the intervals: jackknife
        over types (rows) of the held-out predictions, the fits given, t.   rng : seed.

    Returns
    -------
    LinearProbe

    In simulations (16 types of 8 rows) p was at most 0.05 in 0.067 of 300 layers without the label, and intervals at
    95 % held the mean accuracy and selectivity in 0.93 of 200.

    Raises
    ------
    InputError : one class, a type with two targets or fewer rows than folds, labels of another number.

    References
    ----------
    Alain & Bengio (2017); Hewitt & Liang (2019).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> kind = np.repeat(np.arange(20), 10)  # 20 categories, half of them alive
    >>> alive = kind % 2
    >>> layer = rng.normal(size=(200, 30)) + 2 * alive[:, None] * (np.arange(30) < 3)
    >>> acts = cs.responses(layer, stimulus=range(200), category=kind, alive=alive, system="layer")
    >>> probe = cs.networks.linear_probe(acts, "alive", types="category", n_control=99)
    >>> probe.value > 0.9, probe.selectivity > 0.3, probe.p
    (True, True, 0.01)
    """
    data = check_responses(acts, who=_WHO, name="acts")
    if data.dims != ("trial", "unit"):
        raise InputError(
            f"{_WHO}: acts must be (trial, unit), got {data.dims}; average over time first.", code="bad-dims"
        )
    cv = check_count(cv, name="cv", who=_WHO, minimum=2)
    n_control = check_count(n_control, name="n_control", who=_WHO, minimum=1)
    level = check_number(level, name="level", who=_WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=_WHO)
    classes, code = np.unique(_labels(data, target, "target"), return_inverse=True)
    if classes.size < 2:
        raise InputError(f"{_WHO}: all rows have the target {shorten(classes[0].item())}.", code="one-class")
    kinds, kind = (
        (None, code) if types is None else np.unique(_labels(data, types, "types"), return_inverse=True)
    )
    if kinds is not None:
        _check_types(kinds, kind, code)
    fewest = np.bincount(kind).min()
    if fewest < cv:
        raise InputError(
            f"{_WHO}: every {'class' if kinds is None else 'type'} needs a row in each of the {cv} folds, and one has "
            f"{fewest}; fewer folds, or leave it out.",
            code="too-few",
        )
    x = data.values.astype(np.float64)
    tasks = _tasks(code, None if kinds is None else kind, n_control, seed)
    predicted = _held_out(x, tasks, kind, classes.size, cv, seed)
    right = predicted == tasks
    unit = np.arange(len(x)) if kinds is None else kind
    value = _balanced(right, tasks, classes.size)
    low, high = _jackknifed(right[:, :1], tasks[:, :1], unit, classes.size, level)
    low, high = max(0.0, low), min(1.0, high)  # a share
    control = value[1:].mean()
    choose = (np.nan, np.nan)
    if kinds is not None:
        choose = _jackknifed(right, tasks, unit, classes.size, level)
    final = RidgeCV(cv=_splits(kind, cv, seed.stream("refit"))).fit(
        x, _indicators(code[:, None], classes.size)
    )
    return LinearProbe(
        value=float(value[0]),
        ci_low=low,
        ci_high=high,
        chance=1.0 / classes.size,
        p=float(p_value(value[0], value[1:])),
        control=float(control),
        control_high=float(np.quantile(value[1:], 0.95)),
        selectivity=float(value[0] - control) if kinds is not None else np.nan,
        selectivity_low=choose[0],
        selectivity_high=choose[1],
        coef_=final.coef_,
        intercept_=np.asarray(final.intercept_),
        classes_=classes,
        predicted=classes[predicted[:, 0]],
        actual=classes[code],
        n_rows=len(x),
        n_types=0 if kinds is None else kinds.size,
        level=level,
        seed=str(seed),
    )


def _labels(data: xr.DataArray, given: Any, what: str) -> np.ndarray:
    if isinstance(given, str):
        known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
        if given not in known:
            raise UnknownNameError(
                f"{_WHO}: {what}={given!r} is no label on trial.{nearest(given, known)}", code="unknown-label"
            )
        return np.asarray(data[given].values)
    labels = np.asarray(given)
    if labels.shape != (data.sizes["trial"],):
        raise InputError(
            f"{_WHO}: {what} must be the name of a label on trial or {data.sizes['trial']} labels, got shape "
            f"{labels.shape}.",
            code="bad-label",
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InputError(f"{_WHO}: {what} has NaN; leave those rows out.", code="nan-values")
    return labels


def _check_types(kinds: np.ndarray, kind: np.ndarray, code: np.ndarray) -> None:
    pairs = np.unique(np.stack([kind, code], axis=1), axis=0)
    if len(pairs) > kinds.size:
        twice = kinds[np.bincount(pairs[:, 0]).argmax()]
        raise InputError(
            f"{_WHO}: rows of the type {shorten(twice.item(), 40)} have several targets; in a control task each type "
            "has one, so types must be finer than the target.",
            code="bad-label",
        )


def _tasks(code: np.ndarray, kind: np.ndarray | None, n: int, seed: Seed) -> np.ndarray:
    """(rows, 1 + n) class of each row: the true task, then control tasks."""
    dealer = seed.stream("control")
    if kind is None:
        return np.stack([code, *(dealer.permutation(code) for _ in range(n))], axis=1)
    own = np.empty(kind.max() + 1, dtype=np.int64)
    own[kind] = code
    return np.stack([code, *(dealer.permutation(own)[kind] for _ in range(n))], axis=1)


def _indicators(tasks: np.ndarray, k: int) -> np.ndarray:
    """(rows, tasks k) each class's indicator over its share, which makes the largest output balanced."""
    one = (tasks[:, :, None] == np.arange(k)).astype(np.float64)
    share = one.mean(axis=0)
    return (one / np.where(share > 0, share, 1.0)).reshape(len(tasks), -1)


def _splits(kind: np.ndarray, cv: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    rows = np.arange(kind.size)
    return [(np.setdiff1d(rows, test), test) for test in stratified_folds(kind, rows, cv, rng)]


def _held_out(x: np.ndarray, tasks: np.ndarray, kind: np.ndarray, k: int, cv: int, seed: Seed) -> np.ndarray:
    """(rows, tasks) predicted classes."""
    out = np.empty_like(tasks)
    for fold, (train, test) in enumerate(_splits(kind, cv, seed.stream("folds"))):
        inner = _splits(kind[train], cv, seed.stream(f"inner{fold}"))
        model = RidgeCV(cv=inner).fit(x[train], _indicators(tasks[train], k))
        out[test] = model.predict(x[test]).reshape(test.size, -1, k).argmax(axis=2)
    return out


def _balanced(right: np.ndarray, tasks: np.ndarray, k: int) -> np.ndarray:
    """(tasks,) mean over classes of the share told right."""
    own = tasks[:, :, None] == np.arange(k)
    counts = own.sum(axis=0)
    share = (right[:, :, None] & own).sum(axis=0) / np.maximum(counts, 1)
    return np.asarray(np.where(counts > 0, share, 0.0).sum(axis=1) / (counts > 0).sum(axis=1))


def _jackknifed(
    right: np.ndarray, tasks: np.ndarray, unit: np.ndarray, k: int, level: float
) -> tuple[float, float]:
    """Of the first task's accuracy, less the mean of the others where there are any; one unit left out at a time."""

    def score(kept: np.ndarray) -> float:
        found = _balanced(right[kept], tasks[kept], k)
        return float(found[0] - found[1:].mean()) if found.size > 1 else float(found[0])

    names = np.unique(unit)
    left = np.array([score(unit != name) for name in names])
    n = names.size
    half = scipy_stats.t.ppf((1 + level) / 2, n - 1) * np.sqrt(
        (n - 1) / n * ((left - left.mean()) ** 2).sum()
    )
    whole = score(np.ones(unit.size, dtype=bool))
    return whole - half, whole + half
