"""Labels as people have them: text in object arrays, pandas columns, categoricals; missing and mixed ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import consilience as cs
from consilience._core._labels import plain_labels

TEXT = np.repeat(["a", "b"], 20)
KINDS = {
    "object": TEXT.astype(object),
    "series": pd.Series(TEXT),
    "string": pd.Series(TEXT, dtype="string"),
    "category": pd.Series(TEXT, dtype="category"),
    "categorical": pd.Categorical(TEXT),
    "list": TEXT.tolist(),
}
X = np.random.default_rng(0).poisson(np.where(TEXT == "b", 9, 3)[:, None] * [1, 1, 0] + [0, 1, 4])


@pytest.mark.parametrize("kind", KINDS)
def test_text_of_any_kind_is_a_label(kind):
    labels = KINDS[kind]
    u = cs.units
    for of in (
        lambda c: u.mutual_information(X, c, n_perm=10).value,
        lambda c: u.eta_squared(X, c, n_perm=10).value,
        lambda c: u.d_prime(X, c, n_perm=0, n_floor=0).value,
        lambda c: u.one_vs_rest(X, c, n_perm=10).value,
        lambda c: u.copula_information(X, c, n_perm=10).value,
        lambda c: u.fano_factor(X, c).value,
        lambda c: u.noise_correlations(X, c).value,
        lambda c: u.eta_squared(X, np.tile([0, 1], 20), groups=c, n_perm=10).p,
        lambda c: u.mixed_selectivity(X, c, np.tile([0, 1], 20), n_perm=10).value,
    ):
        np.testing.assert_array_equal(of(labels), of(TEXT))


def test_missing_and_mixed_labels_are_named_by_trial():
    for lost in (None, np.nan, pd.NA):
        for kind in (list, pd.Series, lambda v: np.array(v, dtype=object)):
            with pytest.raises(cs.InputError, match=r"labels is missing .* in 1 of 40 trials, trial 7 first"):
                cs.units.mutual_information(X, kind([*TEXT[:7], lost, *TEXT[8:]]))
    with pytest.raises(cs.InputError, match=r"all text or all numbers, got 'a' beside 3 \(trial 39\)"):
        cs.units.mutual_information(X, [*TEXT[:-1].tolist(), 3])
    with pytest.raises(cs.InputError, match="must be text or numbers"):
        cs.units.mutual_information(X, np.array([[]] * 40 + [None], dtype=object)[:40])


def test_numbers_in_object_arrays_stay_numbers():
    for given, kind in (([1, 2], "i"), ([1, 2.5], "f"), ([2.5, 1], "f"), ([True, False], "b")):
        made = plain_labels(np.array(given, dtype=object), name="labels", who="who")
        assert made.dtype.kind == kind
        assert made.tolist() == given


def test_labels_on_trial_of_any_kind():
    data = cs.responses(X, stimulus=[f"i{k}" for k in range(40)], kind="count")
    told = cs.characterize(data.assign_coords(category=("trial", TEXT)), n_perm=0, n_floor=0, rng=0)
    for kind in ("object", "string", "categorical"):
        found = cs.characterize(
            data.assign_coords(category=("trial", KINDS[kind])), n_perm=0, n_floor=0, rng=0
        )
        np.testing.assert_array_equal(found.data["value"], told.data["value"])
    lost = np.array([None, *TEXT[1:]], dtype=object)
    with pytest.raises(cs.InputError, match=r"category is missing .* trial 0 first"):
        cs.characterize(data.assign_coords(category=("trial", lost)))
