"""Every registered measure passes the common suite; false claims do not."""

import dataclasses
import functools

import numpy as np
import pytest

import consilience as cs
from consilience.measures._contract import as_measure
from consilience.testing import CheckError, check_measure, every_measure


@pytest.mark.parametrize("measure", every_measure(), ids=lambda m: m.key)
def test_every_claim_holds_both_ways(measure):
    rows = check_measure(measure)
    assert {row.library for row in rows} >= {"numpy", "torch", "array_api_strict"}
    assert len(rows) > 50


FALSE = {
    "symmetric": {"symmetric": False},
    "invariant, too much": {
        "invariant": frozenset({"translation", "scaling", "rotation", "permutation", "affine"})
    },
    "invariant, too little": {"invariant": frozenset({"translation", "scaling", "rotation"})},
    "value on itself": {"itself": 0.9},
    "range": {"range": (0.1, 0.2)},
    "null": {"null": lambda n, p, q: 0.2},
    "fewest stimuli": {"min_stimuli": 5},
    "references": {"references": ("nobody1900nothing",)},
    "rule": {"resample": "subsample"},
    "RDMs": {"takes_rdms": False},
}


@pytest.mark.parametrize("claim", FALSE)
def test_a_false_claim_is_caught(claim):
    good = as_measure("cka", who="test", held_out=False)
    bad = dataclasses.replace(good, claims=dataclasses.replace(good.claims, **FALSE[claim]))
    with pytest.raises(CheckError, match="do not hold"):
        check_measure(bad)


def test_collect_returns_the_failed_rows():
    good = as_measure("cka", who="test", held_out=False)
    bad = dataclasses.replace(good, claims=dataclasses.replace(good.claims, itself=0.5))
    failed = [row for row in check_measure(bad, collect=True) if not row.passed]
    assert [row.claim for row in failed] == ["value on itself"]


def test_a_user_function_that_changes_its_input_is_caught():
    def careless(x, y):
        x -= x.mean()
        return float((x * x).sum())

    with pytest.raises(CheckError, match="inputs unchanged"):
        check_measure(careless)


def test_a_user_function_that_wraps_integers_is_caught():
    def wrapping(x, y):
        return float(np.mean(np.asarray(x)[0] - np.asarray(x)[1]))

    with pytest.raises(CheckError, match="uint8"):
        check_measure(wrapping)


def test_the_key_names_options_before_the_form():
    key = as_measure(functools.partial(cs.measures.cca, regularization=0.1), held_out=False).key
    assert key == "cca(regularization=0.1) (in-sample)"
    assert as_measure("cca", held_out=False).key == "cca (in-sample)"
    assert as_measure(functools.partial(cs.measures.cca, regularization=0.1)).key == "cca(regularization=0.1)"


def test_every_exported_measure_is_registered():
    functions = {n for n in cs.measures.__all__ if callable(getattr(cs.measures, n)) and n.islower()}
    helpers = {
        "as_measure",
        "claims",
        "measure",
        "names",
        "rdm",
        "compare_rdms",
        "mean_shape",
        "shape_distance",
        "soft_match_distance",
        "stochastic_shape_distance",
        "stochastic_shape_floor",
        "stochastic_shape_interval",
        "crossnobis",
        "poisson_crossvalidated",
        "partial_compare_rdms",
        "minibatch_cka",
    }
    assert functions - helpers == set(cs.measures.names()), "add the export line, or the @measure decorator"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("CKA", "'cka'"),
        ("RSA", "'rsa'"),
        ("kernelCCA", "'kernel_cca'"),
        ("linear_cka", "'cka'"),
        ("cka_debiased", "'cka'"),
        ("knn", "'mutual_knn'"),
        ("pls", "cs.models.PLSCV"),
        ("ridge", "'linear_predictivity'"),
        ("dcor", "'distance_correlation'"),
        ("bures", "method='bures'"),
        ("cosine_cov", "method='whitened_cosine'"),
        ("crossnobis", "cs.rdms"),
        ("soft_matching", "'soft_match'"),
        ("permutation", "'one_to_one'"),
        ("procrustes_distance", "shape_distance"),
        ("nbs", "method='bures'"),
        ("Normalized_Bures_Similarity", "'procrustes'"),
        ("rv", "debiased=False"),
        ("RV_coefficient", "debiased=False"),
        ("semi_matching", "not there; the nearest is 'soft_match'"),
        ("jaccard", "not there; the nearest is 'mutual_knn'"),
        ("stochastic_shape_distance", "cs.measures.stochastic_shape_distance"),
        ("nothing like it at all", "'rsa'"),
    ],
)
def test_names_of_other_packages_are_answered_with_ours(asked, meant):
    with pytest.raises(cs.InputError) as error:
        cs.measures.claims(asked)
    assert meant in str(error.value)
