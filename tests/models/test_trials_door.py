"""The door of models of sequences: containers, missing values, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.models._trials import as_trials, constant_units, patterns_of, trial_folds

X = np.random.default_rng(0).normal(size=(4, 6, 3))


def door(x, **options):
    return as_trials(x, who="Model.fit", **options)


def test_three_containers_give_the_same_stack():
    for x in (X, list(X), tuple(X), np.array(X, order="F"), X.astype(">f8"), X.reshape(24, 3)):
        made = door(x)
        np.testing.assert_array_equal(made.stacked(), X.reshape(24, 3))
        assert made.units == 3
        assert made.n_bins == 24
        assert made.n_values == 72
        assert made.mask is None
        assert made.seen is None
    assert len(door(X)) == 4
    assert len(door(X.reshape(24, 3))) == 24
    assert len(door(X.reshape(24, 3), flat="trial")) == 1
    np.testing.assert_array_equal(door(X).values[2], X[2])


def test_latents_come_back_in_the_container_of_the_data():
    stack = np.arange(48.0).reshape(24, 2)
    assert door(X).like(stack).shape == (4, 6, 2)
    back = door(list(X)).like(stack)
    assert isinstance(back, list)
    assert [b.shape for b in back] == [(6, 2)] * 4
    np.testing.assert_array_equal(door(X.reshape(24, 3)).like(stack), stack)
    np.testing.assert_array_equal(door(list(X)).like(back)[1], back[1])


def test_ragged_arrays_are_padded_with_nan():
    x = X.copy()
    x[1, 4:] = np.nan
    x[3, 1:] = np.nan
    x[0, 2, 1] = np.nan
    made = door(x, missing="mask")
    assert made.lengths.tolist() == [6, 4, 6, 1]
    assert made.n_values == 17 * 3 - 1
    assert made.seen is not None
    assert not made.seen[0][2, 1]
    assert made.values[0][2, 1] == 0
    latents = made.like(np.ones((17, 2)))
    np.testing.assert_array_equal(np.isnan(latents[..., 0]), np.isnan(x).all(axis=2))
    assert made.by_length() == {1: [3], 4: [1], 6: pytest.approx(np.array([0, 2]))}
    omitted = door(x, missing="omit")
    assert omitted.lengths.tolist() == [6, 4, 6, 1]
    assert omitted.blank.sum() == 1
    np.testing.assert_allclose(made.mean(), [np.nanmean(x[..., u]) for u in range(3)])
    np.testing.assert_allclose(made.variance(), [np.nanvar(x[..., u]) for u in range(3)])
    rest = made.centred(made.mean())
    assert rest.values[0][2, 1] == 0
    np.testing.assert_allclose(rest.data.sum(axis=0), 0, atol=1e-12)
    picked = made.pick(np.array([3, 1]))
    assert picked.lengths.tolist() == [1, 4]
    assert picked.mask is None
    np.testing.assert_array_equal(picked.values[1], x[1, :4])
    assert made.take(np.array([0, 2])).mask is None


def test_blank_bins_at_the_end_of_a_list_are_bins():
    x = [X[0], np.vstack([X[1], np.full((3, 3), np.nan)])]
    made = door(x, missing="mask")
    assert made.lengths.tolist() == [6, 9]
    assert made.blank.sum() == 3


def test_padding_alone_needs_no_mask():
    x = X.copy()
    x[1, 4:] = np.nan
    assert door(x, missing="mask").mask is None


def test_masked_entries_are_missing():
    x = np.ma.masked_array(X, mask=np.zeros(X.shape, bool))
    x.mask[0, 0, 0] = True
    assert not door(x, missing="mask").mask[0, 0]


def test_data_are_not_changed_and_may_be_read_only():
    x = X.copy()
    x[0, 0, 0] = np.nan
    x.setflags(write=False)
    before = x.copy()
    made = door(x, missing="mask").centred(np.ones(3))
    np.testing.assert_array_equal(x, before)
    assert made.data[0, 0] == 0
    for kind in (np.int64, np.int8, bool, np.float32, np.float16):
        assert door(np.ones((2, 3, 2), kind)).data.dtype == np.float64


@pytest.mark.parametrize(
    ("x", "options", "code", "words"),
    [
        (np.where(X > 1.5, np.nan, X), {}, "nan-values", "missing='mask'"),
        (np.where(X > 1.5, np.inf, X), {"missing": "mask"}, "nan-values", "infinite"),
        (np.full((2, 3, 2), np.nan), {"missing": "mask"}, "nan-values", "trial 0 holds no value"),
        ([X[0], X[1, :, :2]], {}, "bad-shape", "trial 1 has shape"),
        ([X[0], X[1, 0]], {}, "bad-shape", "trial 1 has shape"),
        (X.astype(complex), {}, "not-numeric", "real numbers"),
        (np.array([["a", "b"]]), {}, "not-numeric", "real numbers"),
        (X[0, 0], {}, "bad-shape", "(trial, time, unit)"),
        (X[None], {}, "bad-shape", "(trial, time, unit)"),
        (X[:, :0], {}, "too-few", "empty"),
        (X * 1e130, {}, "out-of-range", "use other units"),
        (X * 1e-130, {}, "out-of-range", "use other units"),
        (X, {"units": 4}, "units-differ", "3 units, expected 4"),
        (X, {"missing": "drop"}, "unknown-option", "missing must be one of"),
    ],
    ids=[
        "nan",
        "inf",
        "no-value",
        "units",
        "one-axis",
        "complex",
        "text",
        "vector",
        "four",
        "empty",
        "large",
        "small",
        "count",
        "option",
    ],
)
def test_refusals_say_what_to_do(x, options, code, words):
    with pytest.raises(cs.InputError) as caught:
        door(x, **options)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert str(caught.value).startswith("Model.fit")


def test_padding_is_refused_without_a_word_on_missing():
    x = X.copy()
    x[1, 4:] = np.nan
    with pytest.raises(cs.InputError, match="1 of 4 trials end in bins of NaN"):
        door(x)


def test_omit_with_no_whole_bin():
    x = X.copy()
    x[..., 0] = np.nan
    with pytest.raises(cs.InputError, match="missing='mask'"):
        door(x, missing="omit")


def test_constant_units_are_left_out_with_a_warning():
    x = X.copy()
    x[..., 1] = 7.1
    with pytest.warns(cs.ConsilienceWarning, match="constant-units") as seen:
        kept = constant_units(door(x), who="Model.fit")
    assert kept.tolist() == [True, False, True]
    assert "unit 1" in str(seen[0].message)
    x[0, 0, 1] = np.nan
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        kept = constant_units(door(x, missing="mask"), who="Model.fit")
    assert kept.tolist() == [True, False, True]
    with pytest.raises(cs.InputError, match="no unit of 3 varies"):
        constant_units(door(np.ones((2, 3, 3))), who="Model.fit")
    x[..., 1] = np.nan
    with pytest.raises(cs.InputError, match="unit 1"):
        constant_units(door(x, missing="mask"), who="Model.fit")


def test_too_few_bins():
    with pytest.raises(cs.InputError, match="at least 100 bins, got 24 in 4 trials") as caught:
        door(X).need(100, who="Model.fit", what="a fit")
    assert caught.value.code == "too-few"


def test_patterns_of_missing_values():
    rng = np.random.default_rng(1)
    mask = rng.random((50, 11)) < 0.9
    kinds, index = patterns_of(mask)
    np.testing.assert_array_equal(kinds[index], mask)
    assert len(kinds) == len(np.unique(mask, axis=0))


def test_folds_are_runs_of_whole_trials():
    made = door([np.ones((t, 2)) * t for t in (5, 1, 1, 1, 1, 1, 5)])
    folds = trial_folds(made, 3, who="Model.fit")
    assert [test.tolist() for _, test in folds] == [[0], [1, 2, 3, 4, 5], [6]]
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(7))
    long = door([np.ones((50, 2)), np.ones((2, 2)), np.ones((2, 2))])
    assert [test.tolist() for _, test in trial_folds(long, 3, who="Model.fit")] == [[0], [1], [2]]
    with pytest.raises(cs.InputError, match="cut it into a list of trials"):
        trial_folds(door(X[0], flat="trial"), 3, who="Model.fit")
