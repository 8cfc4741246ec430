"""Least squares with a skew-symmetric matrix, in closed form, and the planes it rotates."""

from __future__ import annotations

import numpy as np

__all__ = ["rotation_planes", "skew_least_squares", "turning_angles"]


def skew_least_squares(inner: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """The skew-symmetric A (k, k) that makes ||Y - X A|| least, from ``inner`` X'X and ``cross`` X'Y.

    X'X A + A X'X = X'Y - Y'X, which in the eigenbasis of X'X (eigenvalues l) is A_ij = (X'Y - Y'X)_ij / (l_i + l_j).
    Where l_i + l_j is 0 nothing is known of A_ij, and it is 0.
    """
    value, basis = np.linalg.eigh(inner)
    value = np.maximum(value, 0.0)
    both = value[:, None] + value
    turned = basis.T @ (cross - cross.T) @ basis
    known = both > 1e-14 * max(float(value[-1]), 1e-300)
    a = basis @ np.where(known, turned / np.where(known, both, 1.0), 0.0) @ basis.T
    return np.asarray((a - a.T) / 2)


def rotation_planes(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Planes in which a skew-symmetric A (k, k) turns rows, d = x A: orthonormal ``basis`` (k, k), columns two and two,
    fastest first, and the angular speeds (k // 2,), >= 0, from the first column of a plane towards the second. With k
    odd the last column does not turn.
    """
    k = len(a)
    value, vector = np.linalg.eigh(1j * a)  # Hermitian: eigenvalues +- speed
    order = np.argsort(-value)[: k // 2]
    speed = np.maximum(value[order], 0.0)
    columns: list[np.ndarray] = []
    for at in order:
        columns += [np.sqrt(2) * vector[:, at].real, np.sqrt(2) * vector[:, at].imag]
    # planes of no speed have no basis of their own: what is left, orthonormal
    basis = np.zeros((k, k))
    done = 0
    for plane in range(k // 2):
        if speed[plane] <= 1e-12 * max(speed[0], 1e-300) or speed[plane] == 0:
            break
        basis[:, 2 * plane], basis[:, 2 * plane + 1] = columns[2 * plane], columns[2 * plane + 1]
        done = 2 * plane + 2
    speed[done // 2 :] = 0.0
    if done < k:
        u, _s, _ = np.linalg.svd(np.eye(k) - basis[:, :done] @ basis[:, :done].T)
        basis[:, done:] = u[:, : k - done]
    for plane in range(done // 2):  # x moves by x A: from the first column towards the second
        one, two = basis[:, 2 * plane], basis[:, 2 * plane + 1]
        if one @ a @ two < 0:
            basis[:, 2 * plane + 1] = -two
    return basis, speed


def turning_angles(states: np.ndarray, later: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(k // 2,) angle, radians, by which rows turn in each plane from ``states`` to ``later`` (n, k): the angle of the
    sum of conj(w) w', w = first + i second coordinate. Noise that is independent in both cancels.
    """
    last = basis.shape[1] // 2 * 2
    planes = basis[:, 0:last:2] + 1j * basis[:, 1:last:2]
    return np.asarray(np.angle(((states @ planes).conj() * (later @ planes)).sum(axis=0)))
