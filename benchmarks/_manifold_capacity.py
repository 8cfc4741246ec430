"""Mean-field capacity of 50 manifolds beside one quadratic programme at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer

__all__ = ["rows"]

CLASSES, POINTS, UNITS, DRAWS, FEW = 50, 50, 500, 300, 10
LOOP, INTERIOR = "scipy nnls, one draw at a time", "cvxopt qp, one draw at a time"


def _data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(CLASSES), POINTS)
    return rng.normal(size=(CLASSES, UNITS))[label] + rng.normal(size=(label.size, UNITS)), label


def _clouds(x: np.ndarray, label: np.ndarray) -> list[np.ndarray]:
    """(points, axes + 1) of each class: around its centre, in lengths of it, in axes of its own, and 1 beside."""
    x = x - x.mean(axis=0)
    out = []
    for c in range(CLASSES):
        centre = x[label == c].mean(axis=0)
        own = (x[label == c] - centre) / np.linalg.norm(centre)
        out.append(np.c_[np.linalg.qr(own.T, mode="r").T, np.ones(POINTS)])
    return out


def rows(threads: int) -> list[Row]:
    x, label = _data()
    clouds = _clouds(x, label)
    draws = [np.random.default_rng(c).normal(size=(DRAWS, s.shape[1])) for c, s in enumerate(clouds)]

    def ours() -> Any:
        return cs.populations.manifold_capacity(x, label, centres="keep", n_draws=DRAWS, n_perm=0)

    def loop() -> float:
        found = [
            np.mean([((optimize.nnls(s.T, -t)[0] @ s) ** 2).sum() for t in ts])
            for s, ts in zip(clouds, draws, strict=True)
        ]
        return float(1 / np.mean(found))

    sides = [Side(OURS, ours), Side(LOOP, loop)]
    solver = peer("cvxopt")
    if solver is not None:
        (cvxopt,) = solver
        cvxopt.solvers.options.update(
            {"show_progress": False, "abstol": 1e-10, "reltol": 1e-10, "feastol": 1e-10}
        )

        def interior() -> float:
            total = []
            for s, ts in zip(clouds, draws, strict=True):
                square, sides_ = cvxopt.matrix(np.eye(s.shape[1])), cvxopt.matrix(-s)
                zero = cvxopt.matrix(np.zeros(POINTS))
                for t in ts[:FEW]:
                    v = np.array(cvxopt.solvers.qp(square, cvxopt.matrix(-t), sides_, zero)["x"])[:, 0]
                    total.append(((v - t) ** 2).sum())
            return float(1 / np.mean(total))

        sides.append(Side(INTERIOR, interior, DRAWS / FEW, f"{FEW} draws, times {DRAWS // FEW}"))

    def check(answers: dict[str, Any]) -> str:
        from consilience.populations._cone_draws import multipliers

        away = 0.0
        for s, ts in zip(clouds[:5], draws[:5], strict=True):
            found = ((multipliers(s, -ts @ s.T) @ s) ** 2).sum(axis=1)
            other = np.array([((optimize.nnls(s.T, -t)[0] @ s) ** 2).sum() for t in ts])
            away = max(away, close(found, other, 1e-8, "programmes"))
        ratio = answers[OURS].value / answers[LOOP]
        if not 0.98 < ratio < 1.02:
            raise AssertionError(f"capacities differ by a factor {ratio:.4f}, not within 2 % (other draws).")
        said = f"the programmes of 5 classes within {away:.1g} (1e-8); capacity of other draws: ratio {ratio:.4f}"
        if INTERIOR in answers:
            said += f", to cvxopt's {answers[OURS].value / answers[INTERIOR]:.3f}"
        return said

    return [
        Row(
            "capacity",
            f"manifold capacity, {CLASSES} classes x {POINTS} points x {UNITS} units, {DRAWS} draws",
            tuple(sides),
            check,
            (Target("faster", 10.0, INTERIOR),),
            repeats=3,
            notes=(
                "Ours is the whole function: mean and centres, axes, programmes, radius, dimension, and all again with "
                "half of the points; the loops get the clouds in their axes and solve the programmes alone. The "
                "published implementation solves one programme at a time by cvxopt.",
            ),
            missing=() if solver is not None else ("cvxopt",),
        )
    ]
