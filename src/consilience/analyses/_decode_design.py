"""What `decode` needs of its data: rows, folds, draws of rows, relabellings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience.analyses._decode_across import training_parts
from consilience.analyses._decode_relabel import (
    constant_within,
    depends_on,
    doubt_order,
    exchanged,
    relabeller,
)
from consilience.analyses._decode_target import WHO, Target, label_of
from consilience.analyses._equal_rows import doubt_copies
from consilience.linalg import constant_columns
from consilience.stats import (
    group_folds,
    group_weights,
    multinomial_weights,
    stratified_folds,
)

__all__ = ["Design", "check_size", "from_trials", "sides_of", "varying_units"]

Split = tuple[np.ndarray, np.ndarray]
Inner = Callable[[np.ndarray, int], list[Split]]
FEWEST = 4


@dataclass
class Design:
    """x : (n, times, p).   times : (times,) or None.   splits : (training rows, test rows).   weights : draws of rows.
    relabel : labels (m, n) or, for numbers, orders (m, n), for the null.   blocks : independent items that are drawn.
    factor : of the variance of draws, for the training rows' part.   owner : (n,) the item that each row belongs to,
    None = blocks of time.   deal : folds again, or the training set of a single split without a random part; None where
    there is one way.   parts : (n,) the part that a training row is left out with, for the variance over training
    rows.   across : training and test are of different conditions.   sides_apart : and share no row.
    """

    x: np.ndarray
    units: np.ndarray
    times: np.ndarray | None
    target: Target
    splits: list[Split]
    weights: Callable[[int, np.random.Generator], np.ndarray]
    relabel: Callable[[int, np.random.Generator], np.ndarray]
    blocks: int
    factor: float
    owner: np.ndarray | None = None
    deal: Callable[[Seed], list[Split]] | None = None
    parts: np.ndarray | None = None
    across: bool = False
    sides_apart: bool = False
    inner: Inner | None = None
    clock: np.ndarray | None = None
    row_ids: tuple[str, np.ndarray] = ("trial", np.empty(0))
    settings: dict[str, Any] = field(default_factory=dict)


def varying_units(x: np.ndarray, units: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Without the units that are the same in every row and at every time."""
    kept = ~np.asarray(constant_columns(x.reshape(-1, x.shape[2])))
    if not kept.any():
        raise InputError(
            f"{WHO}: every unit of {name} has the same value in every row.", code="constant-units"
        )
    if not kept.all():
        warn(
            "constant-units",
            f"{name}: {int((~kept).sum())} of {kept.size} units do not vary (unit "
            f"{shorten(units[~kept][0].item(), 24)}) and were dropped.",
            "Expected for dead or silent units; else check the recording.",
        )
    return x[:, :, kept], units[kept]


def check_size(x: np.ndarray) -> None:
    """Refuses values whose squares, summed, a float64 cannot hold."""
    top = max(float(x.max()), -float(x.min())) if x.size and x.dtype.kind == "f" else 0.0
    if top > 1e140 or 0 < top < 1e-140:
        raise InputError(
            f"{WHO}: the largest value of the data is {top:.3g}, whose squares a float64 cannot hold; bring them to "
            "another unit (multiply by a power of ten).",
            code="out-of-range",
        )


def sides_of(data: xr.DataArray, train_on: Any, test_on: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """(rows to train on, rows to test on), bool (n,) each; None where both are all."""
    if train_on is None and test_on is None:
        return None
    return _side(data, train_on, "train_on"), _side(data, test_on, "test_on")


def _side(data: xr.DataArray, given: Any, option: str) -> np.ndarray:
    n = data.sizes["trial"]
    if given is None:
        return np.ones(n, bool)
    if isinstance(given, Mapping):
        out = np.ones(n, bool)
        for label, wanted in given.items():
            values = label_of(data, label, f"{option} label")
            listed = [wanted] if isinstance(wanted, str) or np.ndim(wanted) == 0 else list(wanted)
            known = set(values.tolist())
            for one in listed:
                plain = one.item() if hasattr(one, "item") else one
                if plain not in known:
                    raise InputError(
                        f"{WHO}: {option}: no trial has {label} = {shorten(plain)}; there are "
                        f"{shorten(sorted(known, key=str)[:8])}.",
                        code="bad-label",
                    )
            out &= np.isin(values, np.asarray(listed))
    else:
        out = np.asarray(given)
        if out.shape != (n,) or out.dtype.kind != "b":
            raise InputError(
                f"{WHO}: {option} must be {{label: value or list of values}}, or True/False for each of {n} trials; "
                f"got {shorten(given)}.",
                code="bad-parameter",
            )
    if not out.any():
        raise InputError(f"{WHO}: {option}={shorten(given)} holds no trial.", code="too-few")
    return out


def from_trials(
    data: xr.DataArray,
    x: np.ndarray,
    times: np.ndarray | None,
    units: np.ndarray,
    target: Target,
    *,
    cv: int,
    groups: Any,
    folds: str | None,
    sides: tuple[np.ndarray, np.ndarray] | None,
    seed: Seed,
) -> Design:
    """Rows are trials; whole groups of them are dealt into folds, stratified by class."""
    n = len(x)
    if n < FEWEST:
        raise InputError(f"{WHO}: at least {FEWEST} trials are needed, got {n}.", code="too-few")
    run = None if folds is None else np.unique(label_of(data, folds, "folds"), return_inverse=True)[1]
    owner, what = _groups(data, target, groups, run, sides)
    if target.codes is not None:
        _check_classes(target, owner, what, sides)
    constant = constant_within(owner, target.constant_key)
    train_side, test_side = sides if sides is not None else (np.ones(n, bool),) * 2
    apart = sides is not None and run is None
    apart = apart and not (set(owner[train_side].tolist()) & set(owner[test_side].tolist()))

    def dealt(seed: Seed) -> list[np.ndarray]:
        rng = seed.stream("folds")
        if target.codes is not None and constant:
            return stratified_folds(target.codes, owner, cv, rng)
        return group_folds(owner, cv, rng, who=WHO)

    def pairs(tests: list[np.ndarray]) -> list[Split]:
        out = []
        for test in tests:
            train = np.setdiff1d(np.arange(n), test)
            out.append((train[train_side[train]], test[test_side[test]]))
        return _checked([p for p in out if p[1].size], target)

    if apart:
        one = (np.flatnonzero(train_side), np.flatnonzero(test_side))
        splits = _checked([one], target)
        deal: Any = None
        strata = np.where(train_side, 0, np.where(test_side, 1, 2))
    elif run is not None:
        levels = int(run.max()) + 1
        if levels < 2:
            raise InputError(
                f"{WHO}: folds={folds!r} has one level, and at least 2 are needed to leave one out.",
                code="too-few",
            )
        splits, deal = pairs([np.flatnonzero(run == r) for r in range(levels)]), None
        strata = run
        if groups == "auto" and what == "trial":
            owner, what = run, str(folds)  # trials of a run may depend on each other
    else:
        count = _least_groups(target, owner, constant)
        if cv > count:
            of = "class" if target.codes is not None and constant else "all"
            word = what if what in ("trial", "stimulus") else "group"
            raise InputError(
                f"{WHO}: cv={cv} folds need at least {cv} {_plural(word)} of every class, got {count} of "
                f"{shorten(_rarest(target, owner))}; use cv={max(count, 2)}, or more trials."
                if of == "class"
                else f"{WHO}: cv={cv} folds need at least {cv} {_plural(word)}, got {count}; use a smaller cv.",
                code="too-few",
            )
        tests = dealt(seed)
        splits = pairs(tests)
        deal = (lambda again: pairs(dealt(again))) if cv < count or cv < n else None
        strata = np.empty(n, dtype=np.int64)
        for k, rows in enumerate(tests):
            strata[rows] = k
        if not constant:
            strata = owner  # labels change places inside a group, which is inside a fold
    drawn = np.unique(owner, return_inverse=True)[1]

    def inner(train: np.ndarray, count: int) -> list[Split]:
        own = np.unique(owner[train], return_inverse=True)[1]
        count = min(count, int(own.max()) + 1)
        parts = group_folds(own, count, seed.stream(f"inner{train[0]}-{train.size}"), who=WHO)
        return [(np.setdiff1d(np.arange(train.size), test), test) for test in parts]

    across = sides is not None and not np.array_equal(train_side, test_side)
    sides_apart = across and not (train_side & test_side).any()
    if sides_apart and target.codes is None:
        strata = np.where(train_side, 0, np.where(test_side, 1, 2))
    exchange = exchanged(x, target, drawn, what, run, strata)
    stimulus = np.unique(data["stimulus"].values, return_inverse=True)[1]
    doubt_order(x, target, drawn, stimulus, run, constant=constant)
    doubt_copies(
        (x,),
        splits,
        what="trials",
        of="responses",
        remedy="One id for all copies (stimulus=, or a label for groups=) keeps them together; else drop the copies.",
    )
    relabel = relabeller(target, exchange, strata, drawn, constant=constant, apart=sides_apart)
    rows = np.flatnonzero(train_side)
    codes = target.codes if constant else None
    parts = training_parts(owner, codes, rows, seed.stream("training parts"), who=WHO)
    blocks = int(drawn.max()) + 1
    return Design(
        x=x,
        units=units,
        times=times,
        target=target,
        splits=splits,
        weights=lambda count, rng: (
            multinomial_weights(n, count, rng) if blocks == n else group_weights(drawn, count, rng)
        ),
        relabel=relabel,
        blocks=blocks,
        factor=1.0 if deal is not None or across else 2.0,
        owner=drawn,
        deal=deal,
        parts=parts,
        across=across,
        sides_apart=sides_apart,
        inner=inner,
        row_ids=("trial", np.arange(n)),
        settings={
            "n_trials": n,
            "n_stimuli": int(np.unique(data["stimulus"].values).size),
            "kept_together": what,
            "n_groups": int(np.unique(owner).size),
            "folds": folds,
            "n_folds": len(splits),
            "single_split": bool(apart),
            "across": across,
            "n_train": None if sides is None else int(train_side.sum()),
            "n_test": None if sides is None else int(test_side.sum()),
        },
    )


def _groups(
    data: xr.DataArray, target: Target, groups: Any, run: np.ndarray | None, sides: Any
) -> tuple[np.ndarray, str]:
    """(n,) int: rows that are on one side of every split, and what they are."""
    n = data.sizes["trial"]
    single = np.arange(n)
    stimulus = np.unique(data["stimulus"].values, return_inverse=True)[1]
    repeats = bool(np.bincount(stimulus).max() > 1)
    of_stimuli = constant_within(stimulus, target.constant_key)
    per_class = _groups_of_classes(target, stimulus)
    several = per_class is None or bool((per_class > 1).any())
    leaks = repeats and of_stimuli and several
    by_trial = groups is None or groups in ("trial", "auto")
    if by_trial and repeats and not of_stimuli and (run is None or _shared(stimulus, run)):
        met = sides is None or bool(set(stimulus[sides[0]]) & set(stimulus[sides[1]]))
        if met and depends_on(stimulus, target):
            warn(
                "repeats-split",
                f"{target.names[0]!r} depends on the stimulus, and repeats of one stimulus stand in training and test, "
                "so what is decoded may be the stimulus.",
                "groups='stimulus' keeps repeats together; or decode the trials of one stimulus, or the target less "
                "its mean for each stimulus.",
            )
    if groups is None or groups == "trial" or (groups == "auto" and run is not None):
        if sides is not None and not set(stimulus[sides[0]]) & set(stimulus[sides[1]]):
            leaks = False
        if leaks and (run is None or _shared(stimulus, run)):
            warn(
                "repeats-split",
                f"{target.names[0]!r} is a label of stimuli, and repeats of one stimulus stand in training and test, "
                "so what is decoded may be the stimulus.",
                "Leave groups out (repeats then stay together), or read the result as decoding of these stimuli only.",
            )
        return single, "trial"
    if groups != "auto":
        return np.unique(label_of(data, groups, "groups"), return_inverse=True)[1], str(groups)
    if not leaks:
        return single, "trial"
    if per_class is not None and bool((per_class < 2).any()):
        assert target.classes is not None
        lone = target.classes[np.flatnonzero(per_class < 2)[0]].item()
        raise InputError(
            f"{WHO}: class {shorten(lone)} of {target.names[0]!r} has one stimulus, others have several; repeats of a "
            "stimulus stay together, so it cannot be trained and tested. Leave it out, or split single trials with "
            "groups='trial' (what is decoded may then be the stimulus).",
            code="too-few",
        )
    return stimulus, "stimulus"


def _shared(owner: np.ndarray, run: np.ndarray) -> bool:
    """Does a group stand in several runs?"""
    return not constant_within(owner, run)


def _groups_of_classes(target: Target, owner: np.ndarray) -> np.ndarray | None:
    if target.codes is None or target.classes is None:
        return None
    pairs = np.unique(np.stack([target.codes, owner]), axis=1)[0]
    return np.bincount(pairs, minlength=target.classes.size)


def _least_groups(target: Target, owner: np.ndarray, constant: bool) -> int:
    per_class = _groups_of_classes(target, owner)
    return int(np.unique(owner).size if per_class is None or not constant else per_class.min())


def _rarest(target: Target, owner: np.ndarray) -> Any:
    per_class = _groups_of_classes(target, owner)
    assert per_class is not None
    assert target.classes is not None
    return target.classes[int(per_class.argmin())].item()


def _plural(word: str) -> str:
    return "stimuli" if word == "stimulus" else f"{word}s"


def _check_classes(target: Target, owner: np.ndarray, what: str, sides: Any) -> None:
    assert target.codes is not None
    assert target.classes is not None
    if target.classes.size < 2:
        raise InputError(
            f"{WHO}: target {target.names[0]!r} has one class, {shorten(target.classes[0].item())}; at least 2 are "
            "needed.",
            code="one-class",
        )
    count = np.bincount(target.codes, minlength=target.classes.size)
    if (count < 2).any():
        lone = target.classes[np.flatnonzero(count < 2)]
        many = f" ({lone.size} of {target.classes.size} classes have one)" if lone.size > 1 else ""
        hint = (
            " Numbers to be decoded as numbers must be floats: target.astype(float)."
            if target.classes.dtype.kind in "iu"
            else ""
        )
        raise InputError(
            f"{WHO}: class {shorten(lone[0].item())} of {target.names[0]!r} has 1 trial{many}; at least 2 are needed, "
            f"one to train and one to test.{hint}",
            code="too-few",
        )
    if sides is not None:
        train, test = (set(target.codes[s].tolist()) for s in sides)
        if missing := test - train:
            raise InputError(
                f"{WHO}: class {shorten(target.classes[min(missing)].item())} is in test_on and not in train_on, so it "
                "cannot be learnt.",
                code="class-missing",
            )
        if missing := train - test:
            warn(
                "class-untested",
                f"class {shorten(target.classes[min(missing)].item())} is in train_on and not in test_on: it can be "
                f"taken for others, and has no score of its own ({len(missing)} of {target.classes.size} classes).",
                "Leave its trials out of train_on, where that is not meant.",
            )


def _checked(splits: list[Split], target: Target) -> list[Split]:
    """Every class that is tested is in every training set."""
    for k, (train, test) in enumerate(splits):
        if train.size < 2:
            raise InputError(f"{WHO}: fold {k + 1} of {len(splits)} has no rows to train on.", code="too-few")
        if target.codes is None or target.classes is None:
            continue
        missing = np.setdiff1d(target.codes[test], target.codes[train])
        if missing.size or np.unique(target.codes[train]).size < 2:
            name = target.classes[missing[0] if missing.size else target.codes[train][0]].item()
            said = (
                f"class {shorten(name)} is tested and has no training rows"
                if missing.size
                else f"all training rows are of class {shorten(name)}"
            )
            raise InputError(
                f"{WHO}: in fold {k + 1} of {len(splits)} {said}; use other folds (each must hold several classes), or "
                "leave that class out.",
                code="class-missing",
            )
    return splits
