"""The search for one rotation that serves many terms: accelerated alternation, and Newton steps in a trust region."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Curvature", "Step", "alternate", "newton", "polar", "tangent"]

_MEMORY = 8  # moves of the extrapolation
_INNER = 40  # products with the Hessian in a step, at most
_ENOUGH = 1e-4  # squared gradient of the model, relative to its first, at which they end
_QUIET = 2  # steps in a row that change little, at which the search ends

# Step: Q -> (value, pull): the value falls or stays when Q becomes polar(pull), and -2 pull is its gradient
Step = Callable[[np.ndarray], tuple[float, np.ndarray]]
Curvature = Callable[[np.ndarray], np.ndarray]  # D -> change of the pull when Q moves by D


def polar(a: np.ndarray) -> np.ndarray:
    u, _, vt = np.linalg.svd(a)
    return u @ vt


def tangent(q: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Gradient with respect to A in Q exp(A), A antisymmetric."""
    turned = q.T @ pull
    return turned.T - turned


# -- alternation -------------------------------------------------------------------------------------------


def alternate(step: Step, q: np.ndarray, tolerance: float, most: int) -> tuple[np.ndarray, float, bool]:
    """(rotation, value, settled). The plain step T = polar(pull) never raises the value; the extrapolated one is kept
    where it is no higher than where it started, else the plain one follows.
    """
    value, pull = step(q)
    plain = polar(pull)
    points: list[np.ndarray] = []
    moves: list[np.ndarray] = []
    scale = abs(value) + float(np.abs(np.sum(pull * q)))
    for _ in range(most):
        points, moves = [*points[1 - _MEMORY :], plain.ravel()], [*moves[1 - _MEMORY :], (plain - q).ravel()]
        candidate = _extrapolated(points, moves).reshape(q.shape) if len(moves) > 1 else plain
        found = step(candidate)
        if found[0] > value and candidate is not plain:
            candidate, points, moves = plain, [], []
            found = step(candidate)
        settled = abs(value - found[0]) <= tolerance * scale and (len(moves) > 1 or candidate is plain)
        if found[0] <= value:
            q, (value, pull) = candidate, found
            plain = polar(pull)
        if settled:
            return q, value, True
    return q, value, False


def _extrapolated(points: list[np.ndarray], moves: list[np.ndarray]) -> np.ndarray:
    """Anderson acceleration (Walker & Ni 2011), brought back to the nearest rotation."""
    f, g = np.stack(moves), np.stack(points)
    df, dg = np.diff(f, axis=0), np.diff(g, axis=0)
    gram = df @ df.T
    weights = np.linalg.solve(gram + 1e-10 * (np.trace(gram) + 1e-300) * np.eye(len(gram)), df @ f[-1])
    side = int(np.sqrt(f.shape[1]))
    return polar((g[-1] - weights @ dg).reshape(side, side)).ravel()


# -- Newton ------------------------------------------------------------------------------------------------


def newton(
    curved: Callable[[np.ndarray], tuple[float, np.ndarray, Curvature]],
    q: np.ndarray,
    tolerance: float,
    most: int,
) -> tuple[np.ndarray, float, bool]:
    """(rotation, value, settled) by Newton steps over the rotations, Q -> Q (I - A/2)^-1 (I + A/2), A antisymmetric.

    A solves the model of second order within a trust region by conjugate gradients (Steihaug 1983; Absil et al.
    2007), which need products with the Hessian only: far cheaper than another value. They are preconditioned by the
    model that the plain alternation solves, A S + S A with S the symmetric part of Q'pull, and the region is measured
    in its norm. Directions of negative curvature are followed, so that saddles and flat stretches are left.
    """
    value, pull, curvature = curved(q)
    scale = abs(value) + 2 * abs(float(np.sum(pull * q)))
    eye = np.eye(len(q))
    radius, quiet = 0.0, 0
    for _ in range(most):
        turned = q.T @ pull
        model = _Model(q, (turned + turned.T) / 2, curvature)
        radius = radius or 0.5 * float(np.sqrt(np.abs(np.trace(model.symmetric)) + 1e-300))
        move, promised, length = _steihaug(model, tangent(q, pull), radius)
        if promised <= 0:
            return q, value, True
        new = q @ np.linalg.solve(eye - move / 2, eye + move / 2)
        found = curved(new)
        fall = value - found[0]
        inside = length < 0.99 * radius
        if fall < 0.25 * promised:
            radius = 0.25 * length
        elif fall > 0.75 * promised and not inside:
            radius = 2 * radius
        if fall > 0:
            q, (value, pull, curvature) = new, found
        quiet = quiet + 1 if (fall if fall > 0 else promised) <= tolerance * scale else 0
        if quiet == _QUIET or (quiet and inside) or radius < 1e-12 * np.sqrt(scale):
            return q, value, True
    return q, value, False


class _Model:
    """Products with the Hessian and with the inverse of the preconditioner."""

    def __init__(self, q: np.ndarray, symmetric: np.ndarray, curvature: Curvature) -> None:
        self.q, self.symmetric, self.curvature = q, symmetric, curvature
        size, self.axes = np.linalg.eigh(symmetric)
        size = np.abs(size)
        sums = size[:, None] + size[None, :]
        self.sums = np.maximum(sums, 1e-8 * max(float(sums.max()), 1e-300))

    def times(self, a: np.ndarray) -> np.ndarray:
        turned = self.q.T @ self.curvature(self.q @ a)
        return a @ self.symmetric + self.symmetric @ a - (turned - turned.T)

    def preconditioned(self, a: np.ndarray) -> np.ndarray:
        return self.axes @ ((self.axes.T @ a @ self.axes) / self.sums) @ self.axes.T


def _steihaug(model: _Model, gradient: np.ndarray, radius: float) -> tuple[np.ndarray, float, float]:
    """(move, fall that the model promises, length of the move): conjugate gradients that end at the radius."""
    move, moved = np.zeros_like(gradient), np.zeros_like(gradient)  # moved: Hessian times move
    left = gradient
    pulled = model.preconditioned(left)
    direction = -pulled
    rest = first = float(np.sum(left * pulled))
    # <move, move>, <move, direction> and <direction, direction> in the norm of the preconditioner
    inner, cross, square = 0.0, 0.0, rest
    for _ in range(_INNER):
        if not rest > 0:
            break
        turned = model.times(direction)
        curve = float(np.sum(direction * turned))
        share = rest / curve if curve > 0 else np.inf
        if curve <= 0 or inner + 2 * share * cross + share * share * square >= radius * radius:
            reach = (-cross + np.sqrt(max(cross * cross + square * (radius * radius - inner), 0.0))) / square
            move, moved = move + reach * direction, moved + reach * turned
            inner = radius * radius
            break
        move, moved = move + share * direction, moved + share * turned
        inner += 2 * share * cross + share * share * square
        left = left + share * turned
        pulled = model.preconditioned(left)
        before, rest = rest, float(np.sum(left * pulled))
        if rest <= _ENOUGH * first:
            break
        ratio = rest / before
        direction = ratio * direction - pulled
        cross = ratio * (cross + share * square)
        square = rest + ratio * ratio * square
    promised = -float(np.sum(gradient * move) + np.sum(move * moved) / 2)
    return move, promised, float(np.sqrt(inner))
