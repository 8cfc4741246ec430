"""Targeted dimensionality reduction: planted axes, regression written out, held-out scores with their null, doors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import consilience as cs
from consilience.models import TargetedDR


def planted(n=150, t=8, p=25, *, noise=0.7, correlated=0.0, seed=0):
    rng = np.random.default_rng(seed)
    motion = rng.normal(size=n)
    colour = correlated * motion + np.sqrt(1 - correlated**2) * rng.normal(size=n)
    axes = np.linalg.qr(rng.normal(size=(p, 2)))[0].T
    course = np.sin(np.linspace(0.2, np.pi - 0.2, t))
    x = (motion[:, None, None] * axes[0] + colour[:, None, None] * axes[1]) * course[None, :, None]
    x = x + rng.normal(size=p) + noise * rng.normal(size=x.shape)
    return x, {"motion": motion, "colour": colour}, axes


def cosines(model, axes):
    return np.abs((model.components_ * axes).sum(axis=1))


@pytest.mark.parametrize("correlated", [0.0, 0.7])
def test_planted_axes_are_found(correlated):
    x, y, axes = planted(correlated=correlated)
    model = TargetedDR().fit(x, y)
    assert cosines(model, axes).min() > 0.9
    assert model.variables_ == ("motion", "colour")
    assert set(model.peak_bins_) <= {2, 3, 4, 5}
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(2), atol=1e-12)
    # the difference of means of a label that goes with another one is not its axis
    naive = x[y["colour"] > 0, 4].mean(axis=0) - x[y["colour"] <= 0, 4].mean(axis=0)
    naive /= np.linalg.norm(naive)
    if correlated:
        assert abs(naive @ axes[1]) < cosines(model, axes)[1] - 0.05


def test_coefficients_are_those_of_the_regression():
    x, y, _ = planted(n=60)
    model = TargetedDR(None, orthogonal=False).fit(x, y)
    z = np.column_stack([np.ones(60), *[(v - v.mean()) / v.std() for v in y.values()]])
    direct = np.linalg.lstsq(z, x[:, 3], rcond=None)[0][1:]
    np.testing.assert_allclose(model.coefficients_[:, 3], direct, atol=1e-10)
    peak = model.peak_bins_[0]
    assert peak == np.linalg.norm(model.coefficients_[0], axis=1).argmax()
    b = model.coefficients_[0, peak]
    np.testing.assert_allclose(model.components_[0], b / np.linalg.norm(b))


def test_values_missing_and_trials_that_end_early():
    x, y, axes = planted()
    rng = np.random.default_rng(1)
    full = TargetedDR().fit(x, y)
    holes = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    model = TargetedDR(missing="mask").fit(holes, y)
    assert cosines(model, axes).min() > 0.88
    ragged = [trial[: rng.integers(6, 9)] for trial in x]
    assert cosines(TargetedDR().fit(ragged, y), axes).min() > 0.88
    rare = x.copy()
    rare[0, 0, 0] = np.nan
    np.testing.assert_allclose(
        TargetedDR(missing="mask").fit(rare, y).components_, full.components_, atol=0.02
    )
    z = model.transform(holes)
    assert z.shape == (150, 8, 2)
    assert np.isnan(z).any()


def test_positions_tell_the_variables():
    x, y, _ = planted(noise=0.3)
    model = TargetedDR().fit(x[:100], {k: v[:100] for k, v in y.items()})
    z = model.transform(x[100:])
    assert abs(np.corrcoef(z[:, 4, 0], y["motion"][100:])[0, 1]) > 0.9
    assert abs(np.corrcoef(z[:, 4, 0], y["colour"][100:])[0, 1]) < 0.4
    back = model.inverse_transform(z)
    np.testing.assert_allclose(model.transform(back), z, atol=1e-10)


def test_oblique_axes_give_back_their_own_positions():
    x, y, _ = planted(noise=0.3)
    model = TargetedDR(orthogonal=False).fit(x, y)
    z = np.random.default_rng(0).normal(size=(5, 8, 2))
    np.testing.assert_allclose(model.transform(model.inverse_transform(z)), z, atol=1e-10)


def test_held_out_scores_and_their_null():
    x, y, _ = planted(n=80)
    y = {**y, "nothing": np.random.default_rng(7).normal(size=80)}
    found = TargetedDR().held_out(x, y, n_perm=50)
    assert found.names == ("motion", "colour", "nothing")
    assert (found.r[:2] > 0.5).all()
    assert (found.low <= found.r).all()
    np.testing.assert_allclose(found.p[:2], 1 / 51)
    assert found.p[2] > 0.05
    assert found.null.shape == (50, 3)
    assert TargetedDR().held_out(x, y, n_perm=0).p is None


@pytest.mark.slow
def test_p_of_a_variable_without_axis_that_goes_with_one_that_has_one():
    below = []
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        x, y, _ = planted(n=50, t=4, p=12, seed=seed)
        other = 0.7 * y["motion"] + np.sqrt(1 - 0.49) * rng.normal(size=50)
        found = TargetedDR().held_out(x, {"motion": y["motion"], "other": other}, n_perm=39, rng=seed)
        below.append(found.p <= 0.1)
    share = np.mean(below, axis=0)
    assert share[0] == 1.0
    assert share[1] < 0.25


def test_labels_of_two_values_tables_and_static_data():
    x, y, axes = planted()
    side = np.where(y["motion"] > 0, "left", "right")
    model = TargetedDR().fit(x[:, 4], pd.DataFrame({"side": side, "colour": y["colour"]}))
    assert model.variables_ == ("side", "colour")
    assert cosines(model, axes).min() > 0.75
    assert model.transform(x[:, 4]).shape == (150, 2)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y must be a mapping"),
        ({"a": np.ones(10)}, "expected one value for each of 150 trials"),
        ({"a": np.ones(150)}, "'a' has one value in all 150 trials"),
        ({"a": ["x", "y", "z"] * 50}, "3 values that are not numbers.*cs.models.DPCA"),
        ({"a": np.arange(150.0), "b": 3 - 2 * np.arange(150.0)}, "linearly dependent"),
        ({"a": np.where(np.arange(150) == 3, np.nan, 1.0)}, "not finite"),
    ],
)
def test_bad_variables(y, message):
    with pytest.raises(cs.InputError, match=message):
        TargetedDR().fit(planted()[0], y)


def test_bad_sizes():
    x, y, _ = planted(n=20)
    with pytest.raises(cs.InputError, match="need at least 5 trials, got 4"):
        TargetedDR().fit(x[:4], {k: v[:4] for k, v in y.items()})
    with pytest.raises(cs.InputError, match="use fewer folds"):
        TargetedDR().held_out(x, y, cv=10)
    with pytest.raises(cs.InputError, match=r"latents must be \(\.\.\., 2\)"):
        TargetedDR().fit(x, y).inverse_transform(np.ones((3, 5)))


def test_nothing_of_the_input_changes():
    x, y, _ = planted(n=40)
    before, label = x.copy(), y["motion"].copy()
    TargetedDR().fit(x, y)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y["motion"], label)


@pytest.mark.parametrize(("t", "p"), [(5, 18), (2, 60)])
def test_all_shuffles_at_once_are_those_one_by_one(t, p):
    from consilience.models._targeted import _variables
    from consilience.models._targeted_conditions import shuffled_scores

    x, y, _ = planted(n=50, t=t, p=p)
    y["side"] = np.where(np.arange(50) % 3 == 0, "left", "right")
    names, z = _variables(y, 50, "test")
    rng = np.random.default_rng(1)
    shuffled = rng.permuted(np.tile(z[:, 1], (4, 1)), axis=1)
    model = TargetedDR(3)
    model._varies = np.ones(p, bool)
    train, test = np.arange(35), np.arange(35, 50)
    for k in (3, None):
        model.n_components = k
        found = shuffled_scores(x, z, 1, shuffled, train, test, k)
        for d, values in enumerate(shuffled):
            one = z.copy()
            one[:, 1] = values
            assert found[d] == pytest.approx(model._told(x, None, names, one, train, test)[1])
