"""Gaussian-process factor analysis beside elephant."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, peer
from consilience.models._gp_kernels import kernel_of
from consilience.models._gp_posterior import Parameters, blocks_of, expect
from consilience.models._gpfa import constants_of, em
from consilience.models._trials import as_trials

__all__ = ["rows"]

TRIALS, UNITS, BINS, LATENTS, STEPS, FOLDS = 50, 100, 50, 8, 20, 3
WHOLE, PIECES = "elephant, whole trials", "elephant, as it comes"


def _data() -> np.ndarray:
    """(TRIALS, BINS, UNITS): latents of time constants of 2 to 12 bins, noise of variance 0.3 to 1.5."""
    rng = np.random.default_rng(0)
    t = np.arange(BINS)
    out = np.sqrt(rng.uniform(0.3, 1.5, UNITS)) * rng.normal(size=(TRIALS, BINS, UNITS)) + rng.normal(
        size=UNITS
    )
    for tau in np.linspace(2, 12, LATENTS):
        k = (1 - 1e-3) * np.exp(-((t[:, None] - t) ** 2) / (2 * tau**2)) + 1e-3 * np.eye(BINS)
        x = rng.normal(size=(TRIALS, BINS)) @ np.linalg.cholesky(k).T
        out += x[:, :, None] * rng.normal(size=UNITS) / np.sqrt(LATENTS)
    return out


def _rows_of(y: np.ndarray) -> np.ndarray:
    """As elephant has trials."""
    out = np.empty(len(y), dtype=[("T", int), ("y", object)])
    for i, one in enumerate(y):
        out[i] = len(one), one.T.copy()
    return out


def _theirs(core: Any, y: np.ndarray, *, pieces: bool) -> dict[str, Any]:
    """elephant's parameters after STEPS steps: its own fit, which cuts trials in pieces of 20 bins, or the same on
    whole trials.
    """
    cut = core.gpfa_util.cut_trials
    if not pieces:
        core.gpfa_util.cut_trials = lambda trials, seg_length=20: trials
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            np.random.seed(0)  # noqa: NPY002  the overlaps of its pieces are drawn from it
            return core.fit(_rows_of(y), x_dim=LATENTS, bin_width=20.0, em_max_iters=STEPS)[0]
    finally:
        core.gpfa_util.cut_trials = cut


def _ours(y: np.ndarray) -> Any:
    return cs.models.GPFA(LATENTS, max_iter=STEPS, tol=0.0).fit(y)


def _same_steps(core: Any, y: np.ndarray) -> tuple[float, float, float]:
    """Log-likelihoods after STEPS steps from one start: ours, theirs, and theirs by our formula."""
    data = as_trials(y, who="benchmark")
    rng = np.random.default_rng(1)
    start = Parameters(
        rng.normal(size=(UNITS, LATENTS)) * 0.3, data.mean(), data.variance() / 2, np.full(LATENTS, 5.0)
    )
    theirs = {
        "covType": "rbf",
        "gamma": 1 / start.tau**2,
        "eps": np.full(LATENTS, 1e-3),
        "d": start.mean.copy(),
        "C": start.loadings.copy(),
        "R": np.diag(start.noise),
        "notes": {"learnKernelParams": True, "learnGPNoise": False, "RforceDiagonal": True},
    }
    rows = _rows_of(y)
    found, *_ = core.em(theirs, rows, max_iters=STEPS)
    value = core.exact_inference_with_ll(rows, found)[1]
    kernel, blocks = kernel_of("rbf", 1e-3, who="benchmark"), blocks_of(data)
    again = Parameters(found["C"], found["d"], np.diag(found["R"]), 1 / np.sqrt(found["gamma"]))
    mine, *_ = em(data, start, kernel, constants_of(data, 0.01, (0.2, 500.0)), STEPS, 0.0)

    def likelihood(p: Parameters) -> float:
        return float(sum(expect(block, p, kernel).log_likelihood.sum() for block in blocks))

    return likelihood(mine), float(value), likelihood(again)


def rows(threads: int) -> list[Row]:
    y = _data()
    deal = np.arange(TRIALS) % FOLDS
    sides, folds = [Side(OURS, lambda: _ours(y))], [Side(OURS, lambda: _our_folds(y, deal))]
    found = peer("elephant.gpfa.gpfa_core")
    if found is not None:
        core = found[0]
        sides += [
            Side(WHOLE, lambda: _theirs(core, y, pieces=False)),
            Side(PIECES, lambda: _theirs(core, y, pieces=True)),
        ]
        folds += [
            Side(WHOLE, lambda: _their_folds(core, y, deal, pieces=False)),
            Side(PIECES, lambda: _their_folds(core, y, deal, pieces=True)),
        ]

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        mine, theirs, formula = _same_steps(found[0], y)
        if abs(formula / theirs - 1) > 1e-10 or abs(mine / theirs - 1) > 1e-6:
            raise AssertionError(f"log-likelihoods differ: {mine}, {theirs}, by our formula {formula}.")
        ours = float(answers[OURS].log_likelihood(y).sum())
        reached = [
            float(found[0].exact_inference_with_ll(_rows_of(y), answers[s])[1]) for s in (WHOLE, PIECES)
        ]
        if ours < max(reached) - 1.0:
            raise AssertionError(f"our fit is less likely: {ours}, theirs {reached}.")
        return (
            f"log-likelihood of their parameters {theirs:.6f}, by our formula the same to "
            f"{abs(formula - theirs):.2g}; after {STEPS} steps from one start ours is {mine:.4f} "
            f"({abs(mine - theirs):.2g} away). From each one's own start, all whole trials: ours {ours:.0f}, theirs "
            f"{reached[0]:.0f} and, fitted to pieces, {reached[1]:.0f}"
        )

    def check_folds(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        ours, *others = (float(np.sum(answers[s])) for s in (OURS, WHOLE, PIECES))
        if ours < max(others) - 1.0:
            raise AssertionError(f"our held-out log-likelihood is less: {ours}, theirs {others}.")
        return (
            f"held-out log-likelihood of {TRIALS} trials: ours {ours:.0f}, theirs {others[0]:.0f} and, fitted to "
            f"pieces, {others[1]:.0f}; the likelihoods themselves are compared in the row before"
        )

    note = (
        "elephant's own fit cuts trials in pieces of 20 bins, which makes it a little faster; whole trials are the "
        "same model as ours. Its loadings start from factor analysis, ours from the same turned to time.",
    )
    missing = () if found is not None else ("elephant",)
    shape = f"{TRIALS} trials x {UNITS} units x {BINS} bins, {LATENTS} latents, {STEPS} EM steps"
    return [
        Row(
            "gpfa",
            f"GPFA, {shape}",
            tuple(sides),
            check,
            (Target("faster", 3.0, WHOLE), Target("faster", 3.0, PIECES)),
            notes=note,
            missing=missing,
        ),
        Row(
            "gpfa-cv",
            f"GPFA, {FOLDS} folds, held-out log-likelihood; {shape}",
            tuple(folds),
            check_folds,
            (Target("faster", 5.0, WHOLE), Target("faster", 5.0, PIECES)),
            repeats=9,
            notes=note,
            missing=missing,
        ),
    ]


def _our_folds(y: np.ndarray, deal: np.ndarray) -> list[float]:
    return [float(_ours(y[deal != f]).log_likelihood(y[deal == f]).sum()) for f in range(FOLDS)]


def _their_folds(core: Any, y: np.ndarray, deal: np.ndarray, *, pieces: bool) -> list[float]:
    return [
        float(
            core.exact_inference_with_ll(_rows_of(y[deal == f]), _theirs(core, y[deal != f], pieces=pieces))[
                1
            ]
        )
        for f in range(FOLDS)
    ]
