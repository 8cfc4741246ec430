"""Variance components of pair statistics: planted components, the slow definitions, and what bounds them."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.stats import (
    crossed_components,
    jackknife_variance,
    left_out_cosines,
    multinomial_weights,
    once_counted_variance,
    weighted_cosines,
)
from consilience.stats._crossed import sampled_components


@pytest.mark.parametrize("diagonal", [False, True])
def test_left_out_cosines_are_the_weighted_ones(diagonal: bool) -> None:
    n, rng = 7, np.random.default_rng(0)
    size = n * (n - 1) // 2 + n * diagonal
    a, b = rng.normal(size=(3, size)), rng.normal(size=(2, size))
    a[0, [0, 1]] = (
        1e9  # the pairs of stimulus 0 are nearly all of it: a difference of sums has no digits left
    )
    b[1] = 0.0
    found = left_out_cosines(a, b, n, diagonal=diagonal)
    known = weighted_cosines(a, b, 1 - np.eye(n), diagonal=diagonal)
    assert np.allclose(found, known, atol=1e-9, equal_nan=True)
    assert np.isnan(found[:, :, 1]).all()


def test_the_jackknife_counts_single_pairs_twice_and_the_bootstrap_three_times() -> None:
    """A degenerate statistic of pairs: the mean of h_ij, all of whose variance is of single pairs."""
    n, rng = 40, np.random.default_rng(1)
    rows, columns = np.triu_indices(n, 1)
    jack, boot = [], []
    for _ in range(60):
        h = rng.normal(size=rows.size)
        w = multinomial_weights(n, 400, rng)
        draws = (w[:, rows] * w[:, columns]) @ h / rows.size
        kept = 1 - np.eye(n)
        out = (kept[:, rows] * kept[:, columns]) @ h / ((n - 1) * (n - 2) / 2)
        jack.append(jackknife_variance(out))
        boot.append(draws.var(ddof=1))
    true = 1 / rows.size
    assert np.isclose(np.mean(jack) / true, 2, rtol=0.1)
    assert np.isclose(np.mean(boot) / true, 3, rtol=0.1)
    # the average of both: bounds would be passed by single ones
    assert np.isclose(once_counted_variance(np.mean(jack), np.mean(boot), n=n) / true, 1.0, atol=0.3)


def test_once_counted_variance_is_exact_for_means_of_pairs_and_bounded() -> None:
    n, rng = 9, np.random.default_rng(6)
    rows, columns = np.triu_indices(n, 1)
    a = rng.normal(size=n)
    h = a[rows] + a[columns] + rng.normal(size=rows.size)
    h -= h.mean()
    kept = 1 - np.eye(n)
    out = (kept[:, rows] * kept[:, columns]) @ h / ((n - 1) * (n - 2) / 2)
    sums = rows.size * (h.mean() - out * (1 - 2 / n))  # over the pairs of each stimulus
    three, two = (1 - 1 / n) * (1 - 2 / n), 1 - 1 / n
    bootstrap = (three * np.sum(sums**2) + two * np.sum(h**2)) / rows.size**2  # of infinitely many draws
    known = crossed_components(
        np.zeros((1, 1)), out[None, None], h[None, None], n_stimuli=n
    )  # from the pairs themselves
    known = (known.first + known.second)[0, 0]
    assert np.isclose(once_counted_variance(jackknife_variance(out), bootstrap, n=n), known)
    found = once_counted_variance([1.0, 1.0], [3.0, 0.5], n=10**5)
    assert np.allclose(found, [1.0, 1.0], rtol=1e-3)


N, S = 25, 7
ROWS, COLUMNS = np.triu_indices(N, 1)


def sample(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries of pairs and subjects with one component planted: values (1, s), left out, influences."""
    x = np.zeros((S, ROWS.size))
    if kind == "stimuli":
        a = rng.normal(size=N)
        x += a[ROWS] + a[COLUMNS]
    elif kind == "pairs":
        x += rng.normal(size=ROWS.size)
    elif kind == "subjects":
        x += rng.normal(size=(S, 1))
    elif kind == "stimuli x subjects":
        a = rng.normal(size=(S, N))
        x += a[:, ROWS] + a[:, COLUMNS]
    else:
        x += rng.normal(size=x.shape)
    values = x.mean(axis=1)
    kept = 1.0 - np.eye(N)
    v = kept[:, ROWS] * kept[:, COLUMNS]
    return values[None], (x @ v.T / v.sum(axis=1))[None], (x - values[:, None])[:, None]


TRUE = {
    "stimuli": 4 / N,
    "pairs": 2 / (N * (N - 1)),
    "subjects": 1 / S,
    "stimuli x subjects": 4 / (N * S),
    "pairs x subjects": 2 / (N * (N - 1) * S),
}


@pytest.mark.parametrize("kind", TRUE)
def test_planted_components_count_once(kind: str) -> None:
    rng = np.random.default_rng(2)
    raw, both = [], []
    for _ in range(120):
        c = crossed_components(*sample(rng, kind), n_stimuli=N)
        raw.append((c.first + c.second + c.subjects - c.shared)[0, 0])
        both.append(c.variances(np.eye(1))["both"][0])
    assert np.isclose(np.mean(raw) / TRUE[kind], 1, atol=0.15)  # unbiased
    assert (
        0.9 < np.mean(both) / TRUE[kind] < 1.5
    )  # the bounds cost something where one component is all there is


def test_sampled_components_are_those_of_many_draws() -> None:
    rng = np.random.default_rng(5)
    values, out, x = sample(rng, "pairs x subjects")
    two, more, y = sample(rng, "stimuli x subjects")
    values, out, x = (
        np.concatenate([values, two]),
        np.concatenate([out, more]),
        np.concatenate([x, y], axis=1),
    )
    w = multinomial_weights(N, 20000, rng)
    v = w[:, ROWS] * w[:, COLUMNS]
    draws = np.einsum("skp,mp->ksm", x, v, optimize=True) / ROWS.size
    known = crossed_components(values, out, x, n_stimuli=N)
    found = sampled_components(values, out, draws, n_stimuli=N)
    scale = np.abs(known.first + known.second).max()
    for name in ("first", "second", "shared", "subjects"):
        assert np.allclose(getattr(found, name), getattr(known, name), atol=0.06 * scale), name


def test_components_of_combinations_and_one_subject() -> None:
    rng = np.random.default_rng(3)
    parts = [sample(rng, kind) for kind in ("stimuli", "pairs x subjects")]
    values, out, x = (np.concatenate([p[i] for p in parts], axis=int(i == 2)) for i in range(3))
    two = crossed_components(values, out, x, n_stimuli=N)
    row = np.array([[1.0, -1.0]])
    alone = crossed_components(
        values[:1] - values[1:], out[:1] - out[1:], x[:, :1] - x[:, 1:], n_stimuli=N
    ).variances(np.eye(1))
    for factor, known in alone.items():
        assert np.isclose(two.variances(row)[factor], known)
    df = two.degrees(np.eye(2), n_stimuli=N, n_subjects=S)
    assert ((df >= S - 1) & (df <= N + S - 2)).all()
    assert df[0] > df[1]  # all of the first is of 25 stimuli
    one = crossed_components(values[:, :1], out[:, :1], x[:1], n_stimuli=N).variances(row)
    assert one["stimuli"] > 0
    assert np.isnan(one["both"]).all()
