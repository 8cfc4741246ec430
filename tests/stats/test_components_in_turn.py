"""`components_in_turn`: components of a model tested on what those before have left."""

from __future__ import annotations

import numpy as np

from consilience.stats import components_in_turn, parallel_analysis, unrelated_units


def first_share(z: np.ndarray, left: int) -> float:
    """That of PCA."""
    flat = z.reshape(-1, z.shape[-1])
    values = np.linalg.eigvalsh(flat.T @ flat)
    return float(values[-1] / values.sum())


def planted(strengths: list[float], seed: int, rows: int = 200, units: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(rows, len(strengths))) * strengths
    return latents @ np.linalg.qr(rng.normal(size=(units, len(strengths))))[0].T * 2 + rng.normal(
        size=(rows, units)
    )


def by_pca(x: np.ndarray, k: int, seed: int, n: int = 39):
    centred = x - x.mean(axis=0)
    sides, values, axes = np.linalg.svd(centred, full_matrices=False)
    rng = np.random.default_rng(seed)
    return components_in_turn(
        x,
        axes[:k],
        sides[:, :k] * values[:k],
        float(values[0] ** 2 / (values**2).sum()),
        first_share,
        lambda z: unrelated_units(z, rng),
        n=n,
    )


def test_planted_components_are_found_and_no_more() -> None:
    counts = [int((by_pca(planted([2.0, 1.0], seed), 4, seed).p <= 0.05).sum()) for seed in range(40)]
    assert np.mean(np.array(counts) >= 2) >= 0.95
    assert np.mean(np.array(counts) > 2) <= 0.1
    none = [int((by_pca(planted([], seed), 2, seed).p <= 0.05).sum()) for seed in range(60)]
    assert np.mean(np.array(none) > 0) <= 0.12


def test_of_principal_components_it_says_what_parallel_analysis_says() -> None:
    x = planted([2.0, 1.0], 3)
    rng = np.random.default_rng(0)
    known = parallel_analysis(x, 4, lambda z: unrelated_units(z, rng), n=39)
    found = by_pca(x, 4, 0)
    assert (found.p <= 0.05).tolist() == (known.p <= 0.05).tolist() == [True, True, False, False]
    np.testing.assert_allclose(found.null_mean[:2], known.null_mean[:2], rtol=0.1)


def test_p_never_falls_and_what_cannot_be_fitted_has_none() -> None:
    x = planted([2.0, 1.0, 0.5], 1)
    p = by_pca(x, 5, 1).p
    assert (np.diff(p) >= 0).all()
    rng = np.random.default_rng(0)
    unfit = components_in_turn(
        x, np.eye(12)[:2], x[:, :2], 0.5, lambda z, left: float("nan"), lambda z: unrelated_units(z, rng), n=5
    )
    assert np.isnan(unfit.p).all()


def test_constant_rows_have_nothing_left_to_test() -> None:
    x = np.tile(np.arange(6.0), (20, 1))
    out = components_in_turn(x, np.eye(6)[:2], x[:, :2], 0.0, first_share, lambda z: z, n=5)
    assert out.p.tolist() == [1.0, 1.0]
