"""Receptive fields: spike-triggered averages and covariances of many neurons, evidence steps beside RFEst."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer
from consilience.models._asd_evidence import Evidence

__all__ = ["rows"]

N, UNITS, LAGS, RATE = 60000, 100, 15, 0.3
PRODUCT = "one matrix product per lag"
LOOP, SOME = "covariance of each neuron's spikes", 5
STEPS, SHAPE, FRAMES = 20, (5, 10, 10), 4000
THEIRS = f"RFEst ASD, {STEPS} steps"


def rows(threads: int) -> list[Row]:
    return [_average(), *(_covariance(rate) for rate in (RATE, 1.0)), _evidence()]


def _average() -> Row:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, 20, 20), dtype=np.float32)
    y = rng.poisson(RATE, size=(N, UNITS))
    flat, left = x.reshape(N, -1), np.ascontiguousarray(y.T.astype(np.float32))

    def ours() -> Any:
        model = cs.models.SpikeTriggeredAverage(LAGS).fit(x, y)
        return model.coef_.reshape(UNITS, LAGS, -1) + model.mean_.reshape(LAGS, -1)

    def products() -> Any:
        out = np.empty((LAGS, UNITS, flat.shape[1]), np.float32)
        for k in range(LAGS):
            np.matmul(left[:, LAGS - 1 :], flat[LAGS - 1 - k : N - k], out=out[k])
        return out.transpose(1, 0, 2) / y[LAGS - 1 :].sum(axis=0)[:, None, None]

    def check(answers: dict[str, Any]) -> str:
        away = close(answers[OURS], answers[PRODUCT], 1e-5, "averages")
        return f"{UNITS} averages of {LAGS} x 400 differ by at most {away:.1g}"

    return Row(
        "sta",
        f"spike-triggered average, {UNITS} neurons x {N} frames of 20 x 20 x {LAGS} lags, float32",
        (Side(OURS, ours), Side(PRODUCT, products)),
        check,
        (Target("within", 1.3, PRODUCT),),
        notes=(
            "The product alone: no checks, no centring, no standard errors, sums in float32, counts turned into "
            "float32 beforehand.",
        ),
    )


def _covariance(rate: float) -> Row:
    rng = np.random.default_rng(0)
    pixels = 16
    x = rng.standard_normal((N, pixels), dtype=np.float32)
    drive = x @ rng.standard_normal((pixels, UNITS)).astype(np.float32)
    y = rng.poisson(rate * (drive / drive.std(axis=0)) ** 2)

    def ours() -> Any:
        return cs.models.SpikeTriggeredCovariance(LAGS, n_null=0, project=True).fit(x, y).eigenvalues_[:SOME]

    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), LAGS, axis=0)[:, :, ::-1]
    design = windows.transpose(0, 2, 1).reshape(len(windows), -1)
    spread, turn = np.linalg.eigh(np.cov(design.T, bias=True))
    root, middle, late = turn / np.sqrt(spread), design.mean(axis=0), y[LAGS - 1 :]

    def each() -> Any:
        out = []
        for u in range(SOME):
            ensemble = np.repeat(design, late[:, u], axis=0)
            mean = root.T @ (ensemble.mean(axis=0) - middle)
            away = np.eye(mean.size) - np.outer(mean, mean) / (mean @ mean)
            values, _ = np.linalg.eigh(away @ root.T @ np.cov(ensemble.T, bias=True) @ root @ away)
            out.append(np.delete(values, np.abs(values).argmin())[::-1])
        return np.stack(out)

    def check(answers: dict[str, Any]) -> str:
        away = close(answers[OURS][:, :-1], answers[LOOP], 1e-3, "eigenvalues")
        return f"eigenvalues of {SOME} neurons differ by at most {away:.1g} (ours sums blocks of float32)"

    return Row(
        "stc" if rate == RATE else f"stc-{rate:g}",
        f"spike-triggered covariance, {UNITS} neurons x {N} frames of {pixels} bars x {LAGS} lags, rate {rate:g}",
        (Side(OURS, ours), Side(LOOP, each, factor=UNITS / SOME, per=f"{SOME} of {UNITS} neurons")),
        check,
        (Target("faster", 5.0, LOOP),),
        repeats=3,
        notes=(
            "The loop gets the design of all windows and its whitening ready made; of each neuron it takes the windows "
            "of its spikes, NumPy's covariance of them, whitened, without the axis of their mean, and eigenvectors, in "
            "float64. Ours makes design and whitening too. A frame with several spikes is met once by ours, so that "
            "the gain grows with the rate.",
        ),
    )


def _evidence() -> Row:
    rng = np.random.default_rng(0)
    t, a, b = np.meshgrid(*[np.arange(k) for k in SHAPE], indexing="ij")
    w = np.exp(-((t - 2) ** 2) / 2 - ((a - 4) ** 2 + (b - 5) ** 2) / 4).ravel()
    x = rng.normal(size=(FRAMES, w.size))
    x -= x.mean(axis=0)
    y = 0.3 * x @ w + 2 * rng.normal(size=FRAMES)
    y -= y.mean()
    start = np.array([1.5, 1.0, 1.5, 1.5, 1.5])  # noise standard deviation, rho, lengths
    theta = np.log([start[0] ** 2, *start[1:]])

    def ours() -> Any:
        evidence = Evidence(x.T @ x, SHAPE, FRAMES)
        cross, square = x.T @ y, float(y @ y)
        for _ in range(STEPS):
            found = evidence.at(theta, cross, square)
        return found[0]

    sides = [Side(OURS, ours)]
    found = peer("rfest", "jax")

    if found is not None:
        rfest, jax = found
        jax.config.update("jax_enable_x64", val=True)

        def theirs() -> Any:
            model = rfest.ASD(x, y, SHAPE, compute_mle=False)
            model.fit(p0=start.tolist(), num_iters=STEPS, verbose=False, tolerance=STEPS + 1)
            return -float(model.negative_log_evidence(jax.numpy.array(start)))

        sides.append(Side(THEIRS, theirs))

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        away = close(answers[OURS], answers[THEIRS], 0.02, "log evidences")
        return f"log evidences at the start, {answers[OURS]:.3f}, differ by {away:.1g} nats"

    return Row(
        "asd",
        f"evidence and gradient of ASD, {STEPS} steps, {FRAMES} x {' x '.join(map(str, SHAPE))}",
        tuple(sides),
        check,
        (Target("faster", 5.0, THEIRS),),
        repeats=3,
        notes=(
            "Ours: the Gram matrix, then evidence and gradient as often as RFEst steps, all at its start, where the "
            "prior is roughest and a step dearest. RFEst, as it comes, compiles its step in every fit, and adds to the "
            "diagonal of its prior.",
        ),
        missing=() if found is not None else ("rfest", "jax"),
    )
