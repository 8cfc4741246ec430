"""Games fitted to tables of lesions: exact without noise, leave-one-out in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.stats._lesion_table import (
    PENALTIES,
    PairwiseGame,
    inflation,
    jackknife_games,
    left_out_errors,
    observed_game,
    observed_interactions,
)
from consilience.stats._lesion_table_fit import (
    fitted_values,
    free_interactions,
    left_out_r2,
    permuted_fit_p,
    products_told,
)
from consilience.stats._shapley import all_coalitions, shapley_interactions, shapley_values


def table(n=60, p=5, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.random((n, p)) < 0.6).astype(float)
    b, products = rng.normal(size=p), np.triu(rng.normal(size=(p, p)), 1)
    return x, 1 + x @ b + np.einsum("ni,ij,nj->n", x, products, x), b, products + products.T


def test_a_game_of_pairs_is_found_whole():
    x, y, b, products = table()
    game = PairwiseGame(x, np.arange(60), np.array([0.0]))
    fit = game.fit(y[:, None])
    np.testing.assert_allclose(fit.shapley[:, 0], b + products.sum(1) / 2, atol=1e-9)
    np.testing.assert_allclose(fit.single[:, 0], b + products.sum(1), atol=1e-9)
    np.testing.assert_allclose(fit.products[..., 0], products, atol=1e-9)
    np.testing.assert_allclose(fit.ends[:, 0], [1, 1 + b.sum() + products.sum() / 2], atol=1e-9)
    np.testing.assert_allclose(game.predict(fit, x)[:, 0], y, atol=1e-9)
    assert fit.shapley.sum() == pytest.approx(fit.ends[1, 0] - fit.ends[0, 0])


def test_graded_lesions_give_the_same_game():
    rng = np.random.default_rng(1)
    _, _, b, products = table()
    x = rng.random((60, 5))
    y = x @ b + np.einsum("ni,ij,nj->n", x, products, x) / 2
    fit = PairwiseGame(x, np.arange(60), np.array([0.0])).fit(y[:, None])
    np.testing.assert_allclose(fit.shapley[:, 0], b + products.sum(1) / 2, atol=1e-8)


@pytest.mark.parametrize("owners", [np.arange(40), np.repeat(np.arange(20), 2)])
def test_errors_of_left_out_animals_are_those_of_refits(owners):
    x, y, _, _ = table(40, 4, seed=2)
    y = y + np.random.default_rng(3).normal(size=40)
    penalties = np.array([0.01, 1.0, np.inf])
    whole = PairwiseGame(x, owners, penalties)
    scale, mean = whole.scale, x.mean(axis=0)
    i, j = np.triu_indices(4, 1)
    main = np.column_stack([np.ones(40), x - mean])
    products = (x - mean)[:, i] * (x - mean)[:, j]
    q = np.linalg.qr(main)[0]
    ridged = (products - q @ (q.T @ products)) * scale  # the same predictors as in the closed form
    for a, penalty in enumerate(penalties):
        design = main if np.isinf(penalty) else np.column_stack([main, ridged])
        weight = np.zeros(design.shape[1])
        weight[5:] = 0 if np.isinf(penalty) else 40 * penalty
        errors = np.empty(40)
        for g in np.unique(owners):
            out = owners == g
            d = design[~out]
            coefficients = np.linalg.solve(d.T @ d + np.diag(weight), d.T @ y[~out])
            errors[out] = y[out] - design[out] @ coefficients
        assert whole.errors(y[:, None])[a, 0] == pytest.approx((errors**2).mean(), rel=1e-6)


def test_without_pairs_in_the_truth_the_penalty_tends_to_none():
    rng = np.random.default_rng(4)
    x = (rng.random((50, 6)) < 0.6).astype(float)
    y = (x @ rng.normal(size=6))[:, None] + 0.5 * rng.normal(size=(50, 40))
    fit = PairwiseGame(x, np.arange(50)).fit(y)
    assert (fit.penalty >= 0.3).mean() > 0.7


def test_jackknife_leaves_out_whole_animals():
    x, y, _, _ = table(40, 4)
    fits, count = jackknife_games(x, y, np.repeat(np.arange(20), 2), PENALTIES)
    assert count == 20
    rest = np.arange(40) >= 2
    direct = PairwiseGame(x[rest], np.repeat(np.arange(20), 2)[rest], PENALTIES).fit(y[rest][:, None])
    np.testing.assert_allclose(fits[0].shapley, direct.shapley)
    assert jackknife_games(x, y, np.arange(40), PENALTIES, most=8)[1] == 8


def test_inflation_is_that_of_regressions():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(50, 4))
    x[:, 3] = x[:, 0] + 0.5 * rng.normal(size=50)
    for i in range(4):
        others = np.column_stack([np.ones(50), np.delete(x, i, axis=1)])
        left = x[:, i] - others @ np.linalg.lstsq(others, x[:, i], rcond=None)[0]
        assert inflation(x)[i] == pytest.approx(((x[:, i] - x[:, i].mean()) ** 2).sum() / (left**2).sum())
    tied = inflation(np.column_stack([x, x[:, 1]]))
    assert np.isinf(tied).tolist() == [False, True, False, False, True]


def test_observed_coalitions():
    rng = np.random.default_rng(6)
    truth = rng.normal(size=8)
    row = np.repeat(np.arange(8), 5)
    y = truth[row] + 0.1 * rng.normal(size=40)
    value, variance, df, mean = observed_game(row, y, 3)
    np.testing.assert_allclose(value, shapley_values(mean))
    assert mean.shape == (8,)
    assert (df > 4).all()
    spread = [
        observed_game(row, truth[row] + 0.1 * np.random.default_rng(k).normal(size=40), 3)[0]
        for k in range(300)
    ]
    np.testing.assert_allclose(np.var(spread, axis=0), 0.01 / 5 * weight_squares(), rtol=0.3)
    np.testing.assert_allclose(variance, 0.01 / 5 * weight_squares(), rtol=0.6)


def weight_squares():
    return (shapley_values(np.eye(len(all_coalitions(3)))) ** 2).sum(axis=1)


def test_interactions_of_coalitions_that_were_all_seen():
    rng = np.random.default_rng(3)
    row = np.repeat(np.arange(8), 5)
    y = rng.normal(size=40)
    value, variance, df = observed_interactions(row, y, 3)
    means = y.reshape(8, 5).mean(axis=1)
    np.testing.assert_allclose(value, shapley_interactions(means)[np.triu_indices(3, 1)], atol=1e-12)
    weights = shapley_interactions(np.eye(8))[0, 1]
    np.testing.assert_allclose(variance[0], weights**2 @ (y.reshape(8, 5).var(axis=1, ddof=1) / 5))
    assert (df > 4).all()
    assert (df < 32).all()


def test_values_and_free_products_of_a_game_without_noise_have_no_error():
    x, y, b, products = table()
    groups = np.arange(60)
    assert products_told(x, groups)
    assert not products_told(np.column_stack([x[:, 0], x[:, 0]]), groups)
    value, variance, df = free_interactions(x, y, groups)
    np.testing.assert_allclose(value, products[np.triu_indices(5, 1)], atol=1e-9)
    assert variance.max() < 1e-16
    assert set(df) == {60 - 16}
    found = fitted_values(PairwiseGame(x, groups), x, y, groups)
    np.testing.assert_allclose(found.value, b + products.sum(1) / 2, atol=0.02)
    assert set(found.df) == {60 - 6}
    np.testing.assert_allclose(found.fit.alone[:, 0], b, atol=0.05)


def test_r2_of_groups_left_out_and_p_of_a_fit_tell_signal_from_noise():
    x, y, *_ = table()
    groups, rng = np.arange(60), np.random.default_rng(0)
    noise = rng.normal(size=60)
    r2 = {}
    for name, scores in (("signal", y), ("noise", noise)):
        error, spread = left_out_errors(x, scores, groups, groups % 10, PENALTIES)
        r2[name], low, high = left_out_r2(error, spread, groups, level=0.95, rng=np.random.default_rng(0))
        assert r2[name] == pytest.approx(1 - error.sum() / spread.sum())
        assert low <= r2[name] <= high <= 1
    assert r2["signal"] > 0.99 > 0.3 > r2["noise"]
    game = PairwiseGame(x, groups)
    assert permuted_fit_p(game, y, groups, rng=rng, draws=99) == 0.01
    assert permuted_fit_p(game, noise, groups, rng=rng, draws=99) > 0.02
    assert np.isnan(permuted_fit_p(PairwiseGame(x, groups % 2), y, groups % 2, rng=rng))
