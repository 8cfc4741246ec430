"""Angles between subspaces and their alignment: closed forms, planted angles, nulls both ways, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import subspace_angles

import consilience as cs

UNITS = 40


def planted(
    theta: float, *, trials: int = 8, noise: float = 1.0, seed: int = 0, dims: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, condition): all axes of b are turned by theta from those of a, into dimensions of their own."""
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.normal(size=(UNITS, 2 * dims)))[0].T
    axes = q[:dims], np.cos(theta) * q[:dims] + np.sin(theta) * q[dims:]
    ids = np.repeat(np.arange(24), trials)
    scale = noise * np.linspace(0.3, 1.5, UNITS)
    a, b = (
        (rng.normal(size=(24, dims)) * [3, 2.5, 2] @ own)[ids] + scale * rng.normal(size=(ids.size, UNITS))
        for own in axes
    )
    return a, b, ids


def found(theta: float, *, n_null: int = 99, **options):
    a, b, ids = planted(theta, **options)
    return cs.populations.subspace_alignment(
        a, b, condition_a=ids, condition_b=ids, k=3, n_null=n_null, n_splits=4
    )


def test_angles_are_those_of_scipy_and_exact_when_small():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 20)), rng.normal(size=(5, 20))
    assert np.allclose(cs.populations.principal_angles(a, b), subspace_angles(a.T, b.T)[::-1])
    near = a + 1e-9 * rng.normal(size=a.shape)
    assert (cs.populations.principal_angles(a, near) < 1e-8).all()
    assert (cs.populations.principal_angles(a, near) > 0).all()


def test_angles_do_not_know_the_basis_but_the_order_of_units():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3, 12)), rng.normal(size=(3, 12))
    mixed = rng.normal(size=(3, 3)) @ a
    turned = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    before = cs.populations.principal_angles(a, b)
    assert np.allclose(before, cs.populations.principal_angles(mixed, b))
    assert np.allclose(before, cs.populations.principal_angles(a @ turned, b @ turned))
    assert np.allclose(before, cs.populations.principal_angles(b, a))
    assert not np.allclose(before, cs.populations.principal_angles(a, b[:, ::-1]))


def test_alignment_index_is_its_equation():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(60, 8)) * np.arange(1, 9), rng.normal(size=(50, 8)) * np.arange(8, 0, -1)
    c_a, c_b = np.cov(a.T), np.cov(b.T)
    d = np.linalg.eigh(c_b)[1][:, ::-1][:, :3]
    direct = np.trace(d.T @ c_a @ d) / np.linalg.eigvalsh(c_a)[::-1][:3].sum()
    assert cs.populations.alignment_index(a, b, k=3) == pytest.approx(direct, rel=1e-10)
    assert cs.populations.alignment_index(a, b, k=8) == pytest.approx(1)


@pytest.mark.parametrize("degrees", [0, 45, 90])
def test_planted_alignment_is_recovered_without_the_bias_of_noise(degrees):
    theta = np.radians(degrees)
    values = np.mean([found(theta, seed=seed, n_null=0).value for seed in range(4)], axis=0)
    assert np.allclose(values, np.cos(theta) ** 2, atol=0.06)


def test_the_same_subspace_is_at_its_ceiling_and_the_published_index_is_not():
    one = found(0.0, trials=4)
    assert (np.abs(one.value - 1) < 0.12).all()
    assert (one.p_ceiling > 0.02).all()
    assert (one.index_halves < 0.92).all()
    assert np.allclose(one.index_halves, one.index_ceiling, atol=0.1)
    assert (one.p_units <= 0.01).all()
    assert (np.abs(one.angles - one.angles_ceiling)[:2] < np.radians(8)).all()


def test_orthogonal_subspaces_are_told_from_chance_and_from_the_ceiling():
    one = found(np.pi / 2)
    assert (one.value < 0.1).all()
    assert (one.p_ceiling < 1e-3).all()
    assert (one.p_orthogonal <= 0.05).all()
    assert (one.ci_low <= one.value).all()
    assert (one.value <= one.ci_high).all()
    assert one.angles[0] > one.angles_ceiling[0]


def test_units_noisy_in_both_do_not_make_them_alike_once_conditions_are_given():
    rng = np.random.default_rng(3)
    q = np.linalg.qr(rng.normal(size=(UNITS, 4)))[0].T
    ids = np.repeat(np.arange(20), 10)
    noise = np.where(np.arange(UNITS) < 3, 8.0, 0.3)  # three units are noise in both
    a, b = (
        (3 * rng.normal(size=(20, 2)) @ own)[ids] + noise * rng.normal(size=(200, UNITS))
        for own in (q[:2], q[2:])
    )
    with_noise = cs.populations.subspace_alignment(a, b, k=2, n_null=0, n_splits=3)
    without = cs.populations.subspace_alignment(
        a, b, condition_a=ids, condition_b=ids, k=2, n_null=0, n_splits=3
    )
    assert (with_noise.value > 0.8).all()
    assert (without.value < 0.5).all()


def test_times_are_samples_more_units_than_rows_and_kinds_of_arrays():
    a, b, ids = planted(0.0, trials=4, seed=4)
    three = [np.stack([x, 0.5 * x], axis=1) for x in (a, b)]  # the second time adds nothing new
    flat = cs.populations.subspace_alignment(
        a, b, condition_a=ids, condition_b=ids, k=2, n_null=0, n_splits=2
    )
    timed = cs.populations.subspace_alignment(
        *three, condition_a=ids, condition_b=ids, k=2, n_null=0, n_splits=2
    )
    assert np.allclose(flat.value, timed.value, atol=0.05)
    wide = [np.concatenate([x, np.zeros((len(x), 400))], axis=1) for x in (a, b)]
    padded = cs.populations.subspace_alignment(
        *wide, condition_a=ids, condition_b=ids, k=2, n_null=9, n_splits=2
    )
    assert np.allclose(flat.value, padded.value, rtol=1e-6)
    assert padded.n_units == 440
    again = cs.populations.subspace_alignment(
        a.astype(">f4"), b.astype(np.float32), condition_a=ids, condition_b=ids, k=2, n_null=0, n_splits=2
    )
    assert np.allclose(flat.value, again.value, rtol=1e-4)


def test_paired_trials_do_not_align_through_noise_that_they_share():
    rng = np.random.default_rng(5)
    q = np.linalg.qr(rng.normal(size=(UNITS, 4)))[0].T
    ids = np.repeat(np.arange(12), 12)
    shared = 3 * rng.normal(size=(144, UNITS))  # the same noise in both epochs of a trial
    a, b = ((3 * rng.normal(size=(12, 2)) @ own)[ids] + shared for own in (q[:2], q[2:]))
    values = {
        paired: cs.populations.subspace_alignment(
            a, b, condition_a=ids, condition_b=ids, k=2, paired=paired, n_null=0, n_splits=8
        ).value.mean()
        for paired in (True, False)
    }
    assert abs(values[True]) < 0.25


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda a, b, i: (a, b[:, :5], i, i), "units-differ", "same units"),
        (lambda a, b, i: (a[::4], b, i[::4], i), "no-repeats", "4 repeats"),
        (lambda a, b, i: (np.where(a == a[0, 0], np.nan, a), b, i, i), "nan-values", "NaN"),
        (lambda a, b, i: (a, b, i, None), "bad-parameter", "neither"),
        (lambda a, b, i: (a[:2], b, i[:2], i), "bad-shape", "4 trials"),
        (lambda a, b, i: (a * 0, b, i, i), "no-signal", "variance"),
    ],
)
def test_refusals_say_what_to_do(change, code, words):
    a, b, ids = planted(0.0, trials=4)
    x, y, one, two = change(a, b, ids)
    with pytest.raises(cs.InputError, match=words) as error:
        cs.populations.subspace_alignment(x, y, condition_a=one, condition_b=two, k=2, n_null=0)
    assert error.value.code == code


def test_refusals_of_the_plain_functions():
    x = np.random.default_rng(0).normal(size=(10, 4))
    with pytest.raises(cs.InputError, match="same units") as error:
        cs.populations.principal_angles(x, x[:, :3])
    assert error.value.code == "units-differ"
    with pytest.raises(cs.InputError, match="spans nothing"):
        cs.populations.principal_angles(x, 0 * x)
    with pytest.raises(cs.InputError, match="fewer than k=3") as error:
        cs.populations.alignment_index(x, x * [1, 1, 0, 0], k=3)
    assert error.value.code == "rank-deficient"
