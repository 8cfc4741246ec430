"""Demixed PCA with the penalty chosen on held-out trials, beside the dPCA package."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, peer
from consilience._core._seeds import resolve_seed
from consilience.models._dpca_data import read_trials

__all__ = ["rows"]

N, S, Q, T, TRIALS, SPLITS, K = 100, 6, 2, 100, 20, 3, 10
LAMBDAS = 1e-7 * 1.4 ** np.arange(45)  # the grid of the package, times the sum of squares, squared
THEIRS = "dPCA"
JOIN = {"st": ["s", "st"], "qt": ["q", "qt"], "sqt": ["sq", "sqt"]}


def _data() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Single trials: three axes of stimulus, choice and time each, with white noise three times as large."""
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, T)
    x = np.zeros((S, Q, T, N))
    for k in range(1, 4):
        x += np.einsum("n,s,t->stn", *rng.normal(size=(1, N)), rng.normal(size=S), np.sin(2 * np.pi * k * t))[
            :, None
        ]
        x += np.einsum("n,q,t->qtn", *rng.normal(size=(1, N)), rng.normal(size=Q), np.cos(2 * np.pi * k * t))
        x += np.einsum("n,t->tn", *rng.normal(size=(1, N)), np.sin(3 * np.pi * k * t))
    trials = x + 3 * rng.normal(size=(TRIALS, *x.shape))
    at = np.indices((TRIALS, S, Q)).reshape(3, -1)
    return trials.reshape(-1, T, N), {"s": at[1], "q": at[2]}


def rows(threads: int) -> list[Row]:
    x, y = _data()
    table = np.moveaxis(x.reshape(TRIALS, S, Q, T, N), -1, 1)  # as the package takes it
    mean = table.mean(axis=0)
    centred = mean - mean.mean(axis=(1, 2, 3), keepdims=True)
    grid = LAMBDAS**2 * float((centred**2).sum()) * N

    def ours() -> Any:
        model = cs.models.DPCA(K, regularisation=grid, noise="none", cv=SPLITS, criterion="units", rng=0)
        return model.fit(x, y)

    sides = [Side(OURS, ours)]
    found = peer("dPCA.dPCA")
    theirs: Any = None
    if found is not None:
        base = found[0].dPCA
        crossed = read_trials(x, y, labels=None, missing="raise", who="benchmark")
        held = crossed.deal(SPLITS, 1, resolve_seed(0, who="benchmark").stream("splits"))
        tests = [np.moveaxis(x[h[0][:, 0]].reshape(S, Q, T, N), -1, 0) for h in held]

        class Given(base):  # type: ignore[misc, valid-type]
            """The package with our splits, and penalties that mean the same in each of them."""

            def train_test_split(self, X: Any, trialX: Any, **_: Any) -> Any:
                test = tests[self.at]
                self.at += 1
                train = (X * TRIALS - test) / (TRIALS - 1)
                return self._zero_mean(train), self._zero_mean(test)

        def run(power_iterations: int) -> Any:
            model = Given(
                labels="sqt", join=dict(JOIN), n_components=K, regularizer=0.1, n_iter=power_iterations
            )
            model.debug, model.protect, model.n_trials = 0, ["t"], 1
            losses, total = [], 0.0
            with contextlib.redirect_stdout(io.StringIO()):
                for s in range(SPLITS):
                    train = (mean * TRIALS - tests[s]) / (TRIALS - 1)
                    size = float((model._zero_mean(train) ** 2).sum())
                    model.at = s
                    losses.append(model.crossval_score(np.sqrt(grid * size / N) / size, mean, table)[0])
                    total += float((model._zero_mean(tests[s]) ** 2).sum())
                errors = np.sum(losses, axis=0) / total
                best = int(errors.argmin())
                model.regularizer = LAMBDAS[best]
                model._fit(mean, optimize=False)
            return errors, best

        def theirs() -> Any:
            return run(0)

        sides.append(Side(THEIRS, theirs))

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        model = answers[OURS]
        looked = np.isfinite(model.cv_errors_)
        exact, best = run(40)
        away = float(np.abs(model.cv_errors_ - exact)[looked].max())
        mine = int(np.nanargmin(model.cv_errors_))
        if away > 1e-6 or mine != best:
            raise AssertionError(
                f"errors on held-out trials differ by {away:.3g}; penalty {mine}, theirs {best}."
            )
        fast, quick = answers[THEIRS]
        return (
            f"errors at the {looked.sum()} penalties we look at differ by {away:.1e} from those of the package with 40 "
            f"power iterations in its randomised SVD, and the same of {len(grid)} penalties is chosen ({mine}); as it "
            f"comes, without, its errors are within {float(np.abs(fast / exact - 1).max()):.1%} and it chooses {quick}"
        )

    return [
        Row(
            "dpca",
            f"dPCA, {N} units x {S} stimuli x {Q} choices x {T} bins, {TRIALS} trials, {len(grid)} penalties, {SPLITS} "
            "splits",
            tuple(sides),
            check,
            (Target("faster", 10.0, THEIRS),),
            repeats=3,
            notes=(
                "The same splits and penalties, each unit predicted from the others. One eigendecomposition of a split "
                "serves all penalties; every eighth is looked at, then half as far from the best, and so on.",
            ),
            missing=() if found is not None else ("dPCA",),
        )
    ]
