"""Cross-validation where a unit varies in one run of trials only: no score that is not a number chooses."""

import numpy as np
import pytest

import consilience as cs
from consilience._core._errors import ConsilienceWarning, InputError
from consilience.models._fold_units import finite_scores


def _with_one_spike():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 12)) + rng.normal(size=(400, 12))
    return x, np.c_[x, np.eye(400)[17]]


@pytest.mark.parametrize("missing", ["raise", "mask"])
def test_one_spike_does_not_take_the_factors_away(missing):
    x, y = _with_one_spike()
    if missing == "mask":
        y[np.random.default_rng(1).random(y.shape) < 0.05] = np.nan
        y[17, -1] = 1.0
    model = cs.models.FactorAnalysis(missing=missing, max_components=3)
    with pytest.warns(ConsilienceWarning, match=r"unit 12\); cross-validation"):
        model.fit(y)
    assert model.n_components_ == 2
    assert np.isfinite(model.cv_scores_).all()
    assert model.components_.shape == (2, 13)
    if missing == "raise":
        alone = cs.models.FactorAnalysis(max_components=3).fit(x)
        np.testing.assert_allclose(model.cv_scores_, alone.cv_scores_, rtol=1e-9)


def test_an_artefact_of_1e9_does_not_either():
    y = _with_one_spike()[1]
    y[:, -1] = 1e9 * y[:, -1] + np.random.default_rng(1).normal(size=400)
    with pytest.warns(ConsilienceWarning, match="constant-in-fold"):
        assert cs.models.FactorAnalysis(max_components=3).fit(y).n_components_ == 2


def test_intervals_of_shared_variance_without_the_unit():
    y = _with_one_spike()[1]
    found = cs.models.FactorAnalysis(2).fit(y).shared_variance_intervals(y, groups=10)
    assert np.isfinite(found.interval[:-1]).all()
    assert np.isnan(found.interval[-1]).all()


def test_dynamics_with_one_spike():
    y = _with_one_spike()[1].reshape(40, 10, 13)
    with pytest.warns(ConsilienceWarning) as said:
        model = cs.models.LDS(max_components=2, max_iter=50, tol=1e-3).fit(y)
    assert any("[constant-in-fold]" in str(w.message) for w in said)
    assert np.isfinite(model.cv_scores_).all()


def test_units_that_all_vary_once_are_refused():
    with pytest.raises(InputError, match="each of 3 units is constant in one of the 5"):
        cs.models.FactorAnalysis().fit(np.eye(50)[:, [3, 20, 40]])


def test_scores_that_are_no_numbers_are_refused():
    finite_scores(np.ones((3, 2)), who="x")
    with pytest.raises(InputError, match=r"1 of 6 .* number 2 .*fold 1") as caught:
        finite_scores(np.array([[1, 1], [1, 1], [1, np.nan]]), who="x")
    assert caught.value.code == "score-not-finite"
