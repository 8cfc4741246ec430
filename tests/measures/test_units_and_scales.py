"""Units on a large scale, units that do not vary, and units that vary in a few stimuli only."""

import functools
import json

import numpy as np
import pytest

import consilience as cs

pytestmark = pytest.mark.filterwarnings("ignore:.*null-not-zero")
m = cs.measures


def systems(n=30, p=6, q=9, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 4))
    x, y = (shared @ rng.normal(size=(4, k)) + rng.normal(size=(n, k)) for k in (p, q))
    return x, y


BLIND = {
    "cca": m.cca,
    "pwcca": functools.partial(m.pwcca, weights_from="y"),
    "one_to_one": m.one_to_one,
    "soft_match": m.soft_match,
    "one_to_one_held_out": m.one_to_one_held_out,
    "soft_match_held_out": m.soft_match_held_out,
}


@pytest.mark.parametrize("factor", [1e-100, 1e-9, 1e7, 1e12, 1e100])
@pytest.mark.parametrize("name", BLIND)
def test_one_unit_at_another_scale_changes_nothing(name, factor):
    x, y = systems()
    scaled = x.copy()
    scaled[:, 0] = scaled[:, 0] * factor
    expected = float(BLIND[name](x, y))
    assert float(BLIND[name](scaled, y)) == pytest.approx(expected, abs=1e-10)
    if "held_out" not in name:  # the same by the road that `compare` takes
        measure = m.as_measure(BLIND[name], held_out=False)
        a, b = (measure.parts.prepare(z) for z in (scaled, y))
        rows = np.arange(2, 30)
        assert measure.parts.value(a, b) == pytest.approx(expected, abs=1e-10)
        assert measure.parts.value(a[rows], b[rows]) == pytest.approx(
            float(BLIND[name](x[rows], y[rows])), abs=1e-10
        )


@pytest.mark.parametrize("factor", [1e-30, 1e9, 1e30])
def test_one_unit_at_another_scale_in_float32(factor):
    x, y = (z.astype(np.float32) for z in systems())
    scaled = x.copy()
    scaled[:, 0] *= np.float32(factor)
    assert float(m.cca(scaled, y)) == pytest.approx(float(m.cca(x, y)), abs=1e-6)
    assert float(m.one_to_one(scaled, y)) == pytest.approx(float(m.one_to_one(x, y)), abs=1e-6)


def test_the_weights_of_pwcca_keep_the_scale_of_the_units_that_weigh():
    x, y = systems()
    x[:, 0] *= 1e9
    z = x[:, 0] - x[:, 0].mean()
    # canonical correlations and variates, written out
    q, _ = np.linalg.qr((x - x.mean(axis=0)) / x.std(axis=0))
    u, r, _ = np.linalg.svd(q.T @ np.linalg.qr(y - y.mean(axis=0))[0], full_matrices=False)
    h = np.abs((q @ u).T @ z)
    assert float(m.pwcca(x, y)) == pytest.approx(h @ r / h.sum(), abs=1e-6)


@pytest.mark.parametrize("factor", [1.0, 1e9])
def test_streaming_cca_agrees_on_scales_and_on_constant_units(factor):
    x, y = systems()
    expected = float(m.cca(x, y))
    x = np.column_stack([x, np.full(30, 0.1), np.full(30, -3e5)])
    x[:, 0] *= factor
    stream = m.StreamingCCA()
    for rows in np.split(np.arange(30), 3):
        stream.update(x[rows], y[rows])
    assert stream.value() == pytest.approx(expected, abs=1e-10)
    assert float(m.cca(x, y)) == pytest.approx(expected, abs=1e-10)


FEW = {
    "one stimulus": np.eye(20)[:, [3]],
    "one stimulus, above an offset": 0.1 + 0.6 * np.eye(20)[:, [7]],
    "two stimuli": np.eye(20)[:, [3]] * [1, 2, 3] + np.eye(20)[:, [4]] * [2, 1, 0],
    "five units of one stimulus each": np.eye(20)[:, :5],
}
HELD_OUT = {
    "cca": m.cca_held_out,
    "cca, unregularised": functools.partial(m.cca_held_out, regularization=0.0),
    "svcca": m.svcca_held_out,
    "pwcca": m.pwcca_held_out,
    "kernel_cca": functools.partial(m.kernel_cca, kernel="linear"),
    "procrustes": functools.partial(m.procrustes_held_out, alpha=0.5),
    "one_to_one": m.one_to_one_held_out,
}


@pytest.mark.parametrize("few", FEW)
@pytest.mark.parametrize("name", HELD_OUT)
def test_training_stimuli_that_do_not_vary_predict_nothing(name, few):
    x, y = FEW[few], np.random.default_rng(0).normal(size=(20, 4))
    value = float(HELD_OUT[name](x, y))
    assert -0.8 < value < 0.8
    if name != "pwcca":
        assert value == pytest.approx(float(HELD_OUT[name](y, x)), abs=1e-10)
    a, b = (cs.responses(z, stimulus=range(20), system=s) for z, s in ((x, "A"), (y, "B")))
    found = cs.compare(a, b, measure=HELD_OUT[name], n_boot=100, n_perm=20, rng=0)
    assert np.isfinite([found.value, found.p]).all()


@pytest.mark.parametrize("name", HELD_OUT)
def test_nothing_is_predicted_where_no_fold_trains_on_variation(name):
    x, y = np.repeat([0.0, 1.0], 10)[:, None], np.random.default_rng(0).normal(size=(20, 4))
    assert float(HELD_OUT[name](x, y, folds=2, groups=np.repeat([0, 1], 10))) == 0.0


@pytest.mark.parametrize("stream", [m.StreamingCKA, m.StreamingCCA, m.MinibatchCKA])
def test_a_stream_is_not_merged_with_itself(stream):
    x, y = systems()
    one = stream().update(x, y)
    with pytest.raises(cs.InputError, match="count twice"):
        one.merge(one)
    before = repr(one)
    assert repr(one.merge(stream())) == before


@pytest.mark.parametrize("name", ["one_to_one", "soft_match", "one_to_one_held_out", "soft_match_held_out"])
def test_constant_units_are_dropped_by_the_function_as_by_compare(name):
    x, y = systems()
    z = np.column_stack([x[:, :2], np.full(30, 0.1), x[:, 2:], np.zeros(30)])
    with pytest.warns(cs.ConsilienceWarning, match=f"{name}: 2 of 8 units of x.*unit 2, 7"):
        value = getattr(m, name)(z, y)
    assert float(value) == pytest.approx(float(getattr(m, name)(x, y)), abs=1e-12)
    a, b = (cs.responses(v, stimulus=range(30), system=s) for v, s in ((z, "A"), (y, "B")))
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        inside = cs.compare(a, b, measure=name, held_out=False, n_boot=0, n_perm=0, rng=0).value
    if "held_out" not in name:
        assert float(value) == pytest.approx(inside, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", HELD_OUT)
def test_one_number_of_numpy_is_a_scalar(name, dtype):
    x, y = (z.astype(dtype) for z in systems())
    assert type(HELD_OUT[name](x, y)) is np.float64


def test_numbers_are_written_as_json():
    x, y = systems()
    values = [m.rsa(x, y), m.mutual_knn(x, y), m.one_to_one(x, y), m.soft_match(x, y), m.pwcca(x, y)]
    a, b = m.rdm(x), m.rdm(y)
    values += [m.compare_rdms(a, b), m.partial_compare_rdms(a, b, [m.rdm(x[:, :2])])]
    assert json.loads(json.dumps(values)) == [float(v) for v in values]


def test_an_error_of_one_unit_says_that_others_were_dropped():
    one = np.eye(20)[:, [3]] * [1, 0, 0, 0, 0]
    a, b = (
        cs.responses(v, stimulus=range(20), system=s)
        for v, s in ((one, "A"), (np.random.default_rng(0).normal(size=(20, 4)), "B"))
    )
    with pytest.raises(cs.InputError, match=r"at least 2 units, got 1.*4 units that do not vary.*dropped"):
        cs.compare(a, b, measure="rsa", rng=0)


def test_only_errors_of_writing_speak_of_read_only_arrays():
    x, y = systems()
    a, b = (cs.responses(v, stimulus=range(30), system=s) for v, s in ((x, "A"), (y, "B")))
    with pytest.raises(cs.InputError, match="positional argument") as error:
        cs.compare(a, b, measure=lambda x: 1.0, rng=0)
    assert "read-only" not in str(error.value)


@pytest.mark.parametrize("seed", range(5))
def test_intervals_of_few_stimuli_end_in_the_range_of_the_measure(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 6))
    a, b = (
        cs.responses(v, stimulus=range(4), system=s)
        for v, s in ((x, "A"), (x + 0.1 * rng.normal(size=(4, 6)), "B"))
    )
    found = cs.compare(a, b, measure="cka", n_boot=200, n_perm=0, rng=0)
    assert found.to_frame()["ci_high"].max() <= 1.0
