"""How many latents, and whether there are any: `LatentCV`, `shared_structure`, intervals of held-out units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import consilience as cs
from consilience.models._gp_kernels import Lags, kernel_of
from consilience.models._latent_cv import chosen, parts_of
from consilience.models._shared_structure import _shifted, _shuffled
from consilience.models._trials import as_trials

FAST = cs.models.GPFA(1, max_iter=8, tol=0.0)


def planted(lengths, units=15, taus=(1.5, 3.0, 6.0), seed=0, poisson=False):
    rng = np.random.default_rng(seed)
    kernel, loadings = kernel_of("rbf", 1e-3, who="test"), rng.normal(size=(units, len(taus)))
    out = []
    for bins in lengths:
        k = kernel.covariance(Lags.whole(bins), np.asarray(taus))
        x = np.stack([np.linalg.cholesky(c) @ rng.normal(size=bins) for c in k], axis=1)
        shared = x @ loadings.T
        out.append(
            rng.poisson(np.exp(0.6 * shared - 1)).astype(float)
            if poisson
            else shared + rng.normal(size=(bins, units))
        )
    return out


@pytest.mark.parametrize("criterion", ["units", "likelihood"])
def test_the_planted_number_of_latents_is_chosen(criterion):
    trials = planted([20] * 24, units=12)
    found = cs.models.LatentCV(
        cs.models.GPFA(tol=2e-5), [5, 1, 2, 3], cv=3, criterion=criterion, rule="one-se"
    ).fit(trials)
    assert found.n_components_ == 3
    assert found.cv_scores_.shape == (4, 3)
    np.testing.assert_array_equal(found.cv_components_, [1, 2, 3, 5])
    assert found.components_.shape == (3, 12)
    np.testing.assert_allclose(found.unit_scores(trials), found.model_.unit_scores(trials))
    assert found.transform(trials)[0].shape == (20, 3)
    assert found.inverse_transform(found.transform(trials))[0].shape == (20, 12)
    assert found.score(trials) == found.model_.score(trials)


def test_scores_have_intervals_over_folds_in_model_table_words_and_plot():
    trials = planted([10] * 20, units=12, taus=(3.0,))
    found = cs.models.LatentCV(cs.models.GPFA(max_iter=8, tol=0.0), [1, 2, 3], cv=4).fit(trials)
    mean, low, high = found.cv_interval()
    np.testing.assert_allclose(mean, found.cv_scores_.mean(axis=1))
    spread = found.cv_scores_.std(axis=1, ddof=1) * np.sqrt(1 / 4 + 1 / 3)  # Nadeau & Bengio
    np.testing.assert_allclose(high - mean, stats.t.ppf(0.975, 3) * spread)
    np.testing.assert_allclose(mean - low, high - mean)
    assert (found.cv_interval(level=0.5)[1] > low).all()
    with pytest.raises(cs.InputError, match=r"LatentCV.cv_interval: level must be a number"):
        found.cv_interval(level=2)
    ax = cs.plots.plot_component_choice(found)
    assert ax.get_legend_handles_labels()[1] == [f"{found.n_components_} chosen"]
    with pytest.raises(
        cs.InputError, match="GPFA holds no scores of numbers of components; give a Reduction"
    ):
        cs.plots.plot_component_choice(found.model_)

    x = cs.responses(np.concatenate(trials), stimulus=range(200))
    reduced = cs.reduce(x, cs.models.PCA("cv"), n_boot=0, n_perm=0, cv=0, rng=0)
    assert (reduced.choice["ci_low"] <= reduced.choice["score"]).all()  # 0 of no components
    assert "numbers of components chosen: held-out score" in repr(reduced)
    assert cs.plots.plot_component_choice(reduced).get_ylabel() == "held-out score"


def test_reduce_goes_on_with_the_number_that_was_chosen():
    x = cs.responses(
        np.stack(planted([15] * 16, units=10, taus=(2.0, 3.0), seed=2)),
        dims=("trial", "time", "unit"),
        time=np.arange(15) * 0.02,
        stimulus=np.repeat(list("ab"), 8),
        repeat="count",
    )
    model = cs.models.LatentCV(cs.models.GPFA(max_iter=60, tol=1e-3), [1, 2, 3], cv=3)
    found = cs.reduce(x, model, n_boot=3, n_perm=19, cv=3, rng=0)
    assert found.settings["model_name"] == "GPFA"
    assert found.n_components == 2
    assert found.choice["number"].values.tolist() == [1, 2, 3]
    assert (found.components["p"].values <= 0.05).all()  # the second on what the first has left
    assert found.components["timescale"].max() < 0.2  # seconds: the width of bins went to the model inside
    with pytest.raises(
        cs.InputError, match=r"LatentCV: cv=5 deals whole trials into folds, and there are 3; take"
    ):
        cs.models.LatentCV(FAST, [1, 2]).fit(planted([12] * 3))


def test_ragged_trials_with_holes_and_counts():
    rng = np.random.default_rng(0)
    trials = planted([12, 9, 12, 9, 12, 9, 12, 12], units=8, taus=(3.0,), poisson=True)
    for one in trials:
        one[rng.random(one.shape) < 0.1] = np.nan
    model = cs.models.PoissonGPFA(max_iter=8, tol=0.0, missing="mask")
    found = cs.models.LatentCV(model, [1, 2], cv=2).fit(trials)
    assert found.n_components_ in (1, 2)
    assert np.isfinite(found.cv_scores_).all()


def test_fewest_latents_within_one_standard_error():
    scores = np.array([[0.1, 0.2, 0.1], [0.5, 0.52, 0.51], [0.51, 0.52, 0.5], [0.52, 0.51, 0.515]])
    assert chosen(scores, "best") == 3
    assert chosen(scores, "one-se") == 1
    assert chosen(scores[:1], "one-se") == 0


def test_nothing_shared_is_said():
    X = np.random.default_rng(0).normal(size=(12, 8, 6))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[no-structure\] LatentCV: no number of latents predicts"
    ):
        cs.models.LatentCV(FAST, [1, 2], cv=3).fit(X)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_components": [2, 2]}, "n_components must be different numbers of latents"),
        ({"n_components": [0]}, "n_components must be a whole number, at least 1"),
        ({"cv": 1}, "cv must be a whole number, at least 2"),
        ({"cv": 50}, "cv=50 deals whole trials into folds, and there are 6"),
        ({"criterion": "unit"}, "criterion must be one of 'units', 'likelihood', got 'unit'. Did you mean"),
        ({"rule": "1se"}, "rule must be one of 'best', 'one-se'"),
    ],
)
def test_bad_choices_are_refused(change, words):
    with pytest.raises(cs.InputError, match=words):
        cs.models.LatentCV(FAST).set_params(**change).fit(planted([8] * 6))


def test_intervals_of_units_are_those_of_a_ratio_over_trials():
    trials = planted([10, 12, 10, 12, 10, 12], units=6)
    model = cs.models.GPFA(2, max_iter=10, tol=0.0).fit(trials)
    found = model.unit_score_interval(trials)
    np.testing.assert_allclose(found.value, model.unit_scores(trials))
    assert found.overall == pytest.approx(model.shared_score(trials))
    assert found.overall == pytest.approx(found.value.mean())
    assert (found.low < found.value).all()
    assert (found.high > found.value).all()
    assert found.overall_low < found.overall < found.overall_high
    assert (found.score, found.n_trials) == ("R2", 6)
    wider = model.unit_score_interval(trials, level=0.99)
    assert wider.overall_low < found.overall_low
    alone = model.unit_score_interval(trials[:1])
    assert np.isnan(alone.overall_low)
    assert np.isfinite(alone.overall)
    counts = planted([10] * 6, units=6, poisson=True)
    poisson = cs.models.PoissonGPFA(1, max_iter=5, tol=0.0).fit(counts)
    bits = poisson.unit_score_interval(counts)
    spikes = np.concatenate(counts).sum(axis=0)
    assert bits.score == "bits per spike"
    assert bits.overall == pytest.approx((bits.value * spikes).sum() / spikes.sum())


@pytest.mark.slow
def test_intervals_hold_the_score_of_many_trials():
    """Of a fitted model, over draws of 20 test trials; the truth is the score of 4000."""
    everything = planted([10] * 4320, units=6, taus=(3.0,))
    model = cs.models.GPFA(1, max_iter=15, tol=0.0).fit(everything[:20])
    truth = model.shared_score(everything[320:])
    held = 0
    for i in range(15):
        found = model.unit_score_interval(everything[20 + 20 * i : 40 + 20 * i])
        held += found.overall_low <= truth <= found.overall_high
    assert held >= 12


@pytest.mark.parametrize("surrogate", ["trials", "shifts"])
def test_shared_latents_are_found_and_independent_units_are_not(surrogate):
    trials = planted([12] * 14, units=6, taus=(2.0, 3.0))
    found = cs.models.shared_structure(FAST, trials, null=surrogate, n_null=19)
    assert found.p == 0.05
    assert found.value > found.null.max()
    assert found.effect > 5
    assert (found.n_trials, found.n_units, found.surrogate) == (14, 6, surrogate)
    again = cs.models.shared_structure(FAST, trials, null=surrogate, n_null=19)
    np.testing.assert_array_equal(again.null, found.null)


def independent(seed, shared_course):
    """Units of their own autocorrelated noise; the same time course in every trial."""
    rng = np.random.default_rng([seed, 5])
    t = np.arange(8)
    k = np.exp(-((t[:, None] - t) ** 2) / 8) + 1e-6 * np.eye(8)
    noise = np.einsum("ts,nsu->ntu", np.linalg.cholesky(k), rng.normal(size=(10, 8, 5)))
    return noise + shared_course * np.sin(t)[:, None] * rng.normal(size=5)


def test_a_common_time_course_is_structure_for_shifts_but_not_for_trials():
    x = independent(0, 2.0)
    assert cs.models.shared_structure(FAST, x, null="shifts", n_null=19).p == 0.05
    assert cs.models.shared_structure(FAST, x, null="trials", n_null=19).p > 0.05


@pytest.mark.slow
def test_p_is_uniform_where_units_are_independent():
    model = cs.models.GPFA(1, max_iter=5, tol=0.0)
    p = [cs.models.shared_structure(model, independent(i, 1.0), n_null=9, rng=i).p for i in range(60)]
    # discrete: 0.1, 0.2, ..., 1
    assert (
        stats.chisquare(np.bincount((np.array(p) * 10).round().astype(int) - 1, minlength=10)).pvalue > 0.01
    )


def test_trials_change_places_within_length_and_condition_only():
    trials = as_trials([np.full((t, 3), i, float) for i, t in enumerate([4, 5, 4, 4, 5, 4])], who="test")
    strata = np.array([0, 1, 0, 2, 1, 2])
    made = _shuffled(trials, strata, np.random.default_rng(0))
    sets = {0: {0, 2}, 1: {1, 4}, 2: {3, 5}}
    for i, one in enumerate(made.values):
        assert set(np.unique(one)) <= sets[int(strata[i])]
    for u in range(3):  # each unit's trials are all still there
        assert sorted(one[0, u] for one in made.values) == list(range(6))
    ramp = as_trials([np.tile(np.arange(5.0)[:, None], (1, 3)) for _ in range(4)], who="test")
    shifted = _shifted(ramp, np.random.default_rng(0))
    for one in shifted.values:
        assert ((np.diff(one, axis=0) % 5) == 1).all()


def test_holes_move_with_their_values():
    trials = planted([6] * 4, units=4)
    trials[0][2, 1] = np.nan
    made = _shuffled(as_trials(trials, who="t", missing="mask"), np.zeros(4, int), np.random.default_rng(1))
    gaps = np.isnan(np.stack(parts_of(made, np.arange(4))))
    assert gaps.sum() == 1
    assert gaps[:, 2, 1].sum() == 1


def test_what_shared_structure_refuses():
    trials = planted([5, 6, 7, 8], units=4)
    with pytest.raises(cs.InputError, match="no two of 4 trials have the same length and condition"):
        cs.models.shared_structure(FAST, trials)
    with pytest.raises(cs.InputError, match=r"by must have one label a trial \(4\), got 3"):
        cs.models.shared_structure(FAST, trials, by=[0, 1, 1])
    with pytest.raises(cs.InputError, match="null must be one of 'trials', 'shifts'"):
        cs.models.shared_structure(FAST, trials, null="shift")
