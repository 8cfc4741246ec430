"""Ridge and banded ridge of many targets beside himalaya."""

from __future__ import annotations

import functools
import tracemalloc
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer

__all__ = ["rows"]

N, P, T, FOLDS = 2000, 5000, 5000, 5
ALPHAS = 10.0 ** np.arange(-1, 9)
BANDED, BAND, TARGETS, MIXTURES = 500, 625, 500, 100
KERNEL, PRIMAL = "himalaya KernelRidgeCV", "himalaya RidgeCV"
GROUPED, MULTIPLE = "himalaya GroupRidgeCV", "himalaya MultipleKernelRidgeCV"


def _data(n: int, p: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """float32, centred; a tenth of the features carry signal, each target has its own noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, p)).astype(np.float32)
    used = p // 10
    noise = rng.exponential(size=t) * np.sqrt(used)
    y = x[:, :used] @ rng.normal(size=(used, t)).astype(np.float32) + noise * rng.normal(size=(n, t))
    return x - x.mean(axis=0), (y - y.mean(axis=0)).astype(np.float32)


def _peak(call: Any) -> float:
    """MB that NumPy holds at most during a call, besides its inputs."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def ridge(n: int = N, p: int = P, t: int = T, repeats: int = 3) -> Row:
    x, y = _data(n, p, t)

    def ours() -> Any:
        model = cs.models.RidgeCV(ALPHAS, cv=FOLDS, fit_intercept=False).fit(x, y)
        return model, model.predict(x[:50])

    sides = [Side(OURS, ours)]
    found = peer("himalaya.kernel_ridge", "himalaya.ridge", "sklearn.model_selection")
    if found is not None:
        kernel, primal, selection = found
        folds = selection.KFold(FOLDS)

        def theirs(make: Any) -> Any:
            model = make(alphas=ALPHAS, cv=folds).fit(x, y)
            return model, model.predict(x[:50])

        sides += [
            Side(KERNEL, functools.partial(theirs, kernel.KernelRidgeCV)),
            Side(PRIMAL, functools.partial(theirs, functools.partial(primal.RidgeCV, fit_intercept=False))),
        ]

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return f"nothing to compare with; peak {_peak(ours):.0f} MB"
        model, ours_said = answers[OURS]
        them, said = answers[KERNEL]
        same = np.isclose(np.asarray(them.best_alphas_), model.alpha_, rtol=1e-3)
        if same.mean() < 0.99:
            raise AssertionError(f"only {same.mean():.3f} of the penalties agree.")
        scale = float(np.abs(np.asarray(said)).max())
        away = close(ours_said[:, same] / scale, np.asarray(said)[:, same] / scale, 2e-3, "predictions")
        return (
            f"{same.mean():.4f} of the penalties equal; predictions of those within {away:.1g} of the largest "
            f"(float32); peak {_peak(ours):.0f} MB, theirs {_peak(sides[1].call):.0f} MB"
        )

    return Row(
        "ridge",
        f"ridge, {n} x {p} -> {t} targets, float32, {ALPHAS.size} penalties, {FOLDS} folds, a penalty per target",
        tuple(sides),
        check,
        (Target("faster", 1.1, KERNEL), Target("faster", 4.0, PRIMAL)),
        repeats=repeats,
        notes=(
            "Ours makes one eigenproblem of the whole kernel; the error on a fold left out follows from a block of the "
            "inverse. himalaya solves one per fold and one more for the refit.",
        ),
        missing=() if found is not None else ("himalaya",),
    )


def banded(
    n: int = BANDED, p: int = BAND, t: int = TARGETS, mixtures: int = MIXTURES, repeats: int = 3
) -> Row:
    x, y = _data(n, 2 * p, t)
    for part in (slice(0, p), slice(p, None)):
        x[:, part] /= np.sqrt((x[:, part] ** 2).sum() / n)
    given = np.random.default_rng(1).dirichlet([0.5, 0.5], mixtures)
    alphas = 10.0 ** np.arange(-5, 5)

    def ours() -> Any:
        model = cs.models.BandedRidgeCV([p, p], n_iter=given, alphas=alphas, cv=FOLDS, fit_intercept=False)
        return model.fit(x, y).predict(x[:50])

    sides = [Side(OURS, ours)]
    found = peer("himalaya.kernel_ridge", "himalaya.ridge", "sklearn.model_selection")
    if found is not None:
        kernel, primal, selection = found
        options = {"n_iter": given, "alphas": alphas, "progress_bar": False}
        split = np.repeat([0, 1], p)

        def grouped() -> Any:
            model = primal.GroupRidgeCV(
                groups=split, solver_params=options, cv=selection.KFold(FOLDS), fit_intercept=False
            )
            return np.asarray(model.fit(x, y).predict(x[:50]))

        def multiple() -> Any:
            kernels = np.stack([x[:, k] @ x[:, k].T for k in (slice(0, p), slice(p, None))])
            model = kernel.MultipleKernelRidgeCV(
                kernels="precomputed", solver_params=options, cv=selection.KFold(FOLDS)
            )
            return np.asarray(model.fit(kernels, y).predict(kernels[:, :50]))

        sides += [Side(GROUPED, grouped), Side(MULTIPLE, multiple)]

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        scale = np.abs(answers[MULTIPLE]).max()
        gap = np.abs(answers[OURS] - answers[MULTIPLE]).max(axis=0) / scale
        share = float((gap < 5e-3).mean())
        if share < 0.95:
            raise AssertionError(f"only {share:.3f} of the targets agree.")
        return (
            f"same mixtures, penalties and folds: predictions of {share:.3f} of the targets within 5e-3 of the largest "
            "(float32; the others chose a mixture of nearly equal error)"
        )

    return Row(
        "banded",
        (
            f"banded ridge, {n} x (2 x {p}) -> {t} targets, float32, {mixtures} mixtures, {alphas.size} penalties, "
            f"{FOLDS} folds"
        ),
        tuple(sides),
        check,
        (Target("faster", 2.0, GROUPED),),
        repeats=repeats,
        missing=() if found is not None else ("himalaya",),
    )


def rows(threads: int) -> list[Row]:
    return [ridge(), banded()]
