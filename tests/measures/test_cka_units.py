"""CKA corrected for sampled units: unbiased entries, planted populations, and what it says where it cannot."""

import warnings
from functools import partial

import numpy as np
import pytest

import consilience as cs
from consilience.measures._cka_units import unit_vectors

sampled = partial(cs.measures.cka, units="sampled")


def u_centred(k):
    n = len(k)
    off = k - np.diag(np.diag(k))
    row = off.sum(0)
    out = off - row[:, None] / (n - 2) - row[None] / (n - 2) + row.sum() / ((n - 1) * (n - 2))
    return out[np.triu_indices(n, 1)]


def test_both_channels_are_what_the_loop_over_pairs_of_units_gives():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(9, 5)) + 3
    each = np.array([u_centred(np.outer(z, z)) for z in (x - x.mean(0)).T])
    pairs = [each[u] * each[v] for u in range(5) for v in range(5) if u != v]
    kernel, squares = np.split(unit_vectors(x), 2)
    np.testing.assert_allclose(kernel, each.mean(0), atol=1e-12)
    np.testing.assert_allclose(squares, np.mean(pairs, axis=0), atol=1e-12)


def populations(n=60, units=20000, seed=0):
    """Two populations of tuned units: a shared part, a part of each, and noise of single units."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=(n, 4)), rng.normal(size=(n, 4))
    x = shared @ rng.normal(size=(4, units)) + rng.normal(size=(n, units))
    y = np.c_[shared[:, :2], own] @ rng.normal(size=(6, units)) + rng.normal(size=(n, units))
    return x, y


def test_samples_of_a_population_have_its_value_on_average():
    x, y = populations()
    truth = float(sampled(x, y))
    assert truth == pytest.approx(float(cs.measures.cka(x, y)), abs=0.01)
    rng = np.random.default_rng(1)
    for units, few in ((10, 200), (30, 100), (200, 30)):
        plain, corrected = [], []
        for _ in range(few):
            a, b = (z[:, rng.choice(z.shape[1], units, replace=False)] for z in (x, y))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", cs.ConsilienceWarning)
                plain.append(float(cs.measures.cka(a, b)))
                corrected.append(float(sampled(a, b)))
        error = np.std(corrected) / np.sqrt(few)
        # a ratio of unbiased sums: a remainder of order 1/units
        assert abs(np.mean(corrected) - truth) < 3 * error + 0.3 / units
        if units <= 30:
            assert np.mean(plain) < truth - 0.1 / units * 10
            assert abs(np.mean(corrected) - truth) < abs(np.mean(plain) - truth) / 3


def test_above_one_is_not_clipped_and_said():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 12)) + rng.normal(size=(30, 12))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[above-one\] CKA corrected for sampled units is 1\.\d\d"
    ):
        assert float(sampled(x, x)) > 1


def test_white_data_is_alike_to_nothing_and_said():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 12)), rng.normal(size=(30, 12)) @ np.diag(np.r_[9, np.ones(11)])
    values = []
    for seed in range(30):
        x = np.random.default_rng(seed).normal(size=(30, 12))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            values.append(float(sampled(x, y)))
        assert any(w.message.code == "units-too-few" for w in seen)
    assert 0.0 in values


def test_noise_of_single_units_does_not_lower_it():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(200, 4))
    x, y = (signal @ rng.normal(size=(4, 150)) + 4 * rng.normal(size=(200, 150)) for _ in range(2))
    clean = float(cs.measures.cka(*(signal @ rng.normal(size=(4, 3000)) for _ in range(2))))
    assert float(cs.measures.cka(x, y)) < 0.6
    assert float(sampled(x, y)) == pytest.approx(clean, abs=0.1)


def test_compare_gives_interval_p_and_no_ceiling():
    x, y = populations(units=40)
    ids = [f"s{i}" for i in range(60)]
    rng = np.random.default_rng(0)
    trials = np.concatenate([y + rng.normal(size=y.shape), y + rng.normal(size=y.shape)])
    a = cs.responses(x, stimulus=ids, system="a", kind="activation")
    b = cs.responses(trials, stimulus=ids * 2, system="b", repeat="count")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        result = cs.compare(a, b, measure=sampled, n_boot=200, n_perm=100, rng=0)
        plain = cs.compare(a, b, measure="cka", n_boot=0, n_perm=100, rng=0)
    low, high = result.interval
    assert low < result.value < high
    assert result.value > plain.value
    assert result.p == plain.p
    assert np.isnan(float(result.data["ceiling_low"].item()))
    assert "cka(units=sampled)" in repr(result)


def test_the_best_of_several_is_chosen_by_halves():
    x, y = populations(units=60)
    ids = [f"s{i}" for i in range(60)]
    other = np.random.default_rng(5).normal(size=(60, 3)) @ np.random.default_rng(6).normal(size=(3, 60))
    layers = {"near": cs.responses(x, stimulus=ids), "far": cs.responses(other, stimulus=ids)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        result = cs.compare(
            layers, cs.responses(y, stimulus=ids), measure=sampled, n_boot=50, n_perm=50, rng=0
        )
    assert np.isfinite(result.best().value)


@pytest.mark.parametrize("options", [{"kernel": "rbf"}, {"debiased": False}])
def test_other_forms_are_refused(options):
    x = np.random.default_rng(0).normal(size=(20, 5))
    with pytest.raises(cs.InputError, match="units='sampled' is there for the debiased linear form only"):
        sampled(x, x, **options)
    with pytest.raises(cs.InputError, match="units must be one of 'all', 'sampled', got 'some'"):
        cs.measures.cka(x, x, units="some")
    with pytest.raises(cs.InputError, match="needs at least 2 units"):
        sampled(x[:, :1], x)
