"""Streams equal the value of all stimuli at once, and their intervals hold."""

import re

import numpy as np
import pytest

import consilience as cs
from consilience.linalg._moments import moments_of, shift_of
from consilience.measures import as_measure


def data(n=600, p=12, q=9, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    x = shared @ rng.normal(size=(3, p)) + rng.normal(size=(n, p)) + offset * rng.normal(size=p)
    return x, shared @ rng.normal(size=(3, q)) + rng.normal(size=(n, q)) + offset


def direct(x, y):
    """Debiased CKA by U-centred n x n kernels."""
    parts = as_measure("cka").parts
    a, b = (parts.prepare(np.asarray(z, dtype=np.float64)) for z in (x, y))
    return a @ b / np.sqrt((a @ a) * (b @ b))


def fed(stream, x, y, sizes=(1, 7, 150, 42, 200, 60, 40, 60, 20, 10, 10)):
    assert sum(sizes) == len(x)
    for rows in np.split(np.arange(len(x)), np.cumsum(sizes)[:-1]):
        stream.update(x[rows], y[rows])
    return stream


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_a_stream_is_the_value_of_all_stimuli(offset):
    x, y = data(offset=offset)
    stream = fed(cs.measures.StreamingCKA(), x, y)
    assert stream.n == 600
    assert stream.value() == pytest.approx(direct(x, y), abs=1e-10)
    assert fed(cs.measures.StreamingCCA(), x, y).value() == pytest.approx(
        float(cs.measures.cca(x, y)), abs=1e-10
    )
    shrunk = cs.measures.StreamingCCA(regularization=0.2)
    assert fed(shrunk, x, y).value() == pytest.approx(
        float(cs.measures.cca(x, y, regularization=0.2)), abs=1e-10
    )


def test_float32_with_a_large_offset_keeps_its_digits():
    x, y = (z.astype(np.float32) for z in data(offset=1000.0))
    exact = direct(x, y)
    assert fed(cs.measures.StreamingCKA(), x, y).value() == pytest.approx(exact, abs=1e-5)
    assert float(cs.measures.cka(x, y)) == pytest.approx(exact, abs=1e-5)


def test_batches_of_other_dtypes_add_up():
    x, y = data(offset=3.3)
    stream = cs.measures.StreamingCKA(groups=1)
    stream.update(x[:200], y[:200]).update(x[200:400].astype(np.float32), y[200:400]).update(x[400:], y[400:])
    assert stream.value() == pytest.approx(direct(x, y), abs=1e-6)
    half = cs.measures.StreamingCKA(groups=1).update(x[:200], y[:200])
    half.update(x[200:].astype(np.float32), y[200:].astype(np.float32))
    assert half.value() == pytest.approx(direct(x, y), abs=1e-5)


def test_merged_streams_are_one_stream():
    x, y = data(offset=5.0)
    one, two = (cs.measures.StreamingCKA(groups=3) for _ in range(2))
    for k in range(0, 300, 50):
        one.update(x[k : k + 50], y[k : k + 50])
    for k in range(300, 600, 60):
        two.update(x[k : k + 60], y[k : k + 60])
    before = two.value()
    assert one.merge(two).value() == pytest.approx(direct(x, y), abs=1e-10)
    assert (one.n, two.value()) == (600, before)
    assert cs.measures.StreamingCKA(groups=3).merge(two).value() == pytest.approx(before, abs=1e-12)
    assert one.merge(cs.measures.StreamingCKA(groups=3)).n == 600


def test_moments_shift_as_the_data_do():
    x, y = data(50)
    d, e = np.arange(12.0), np.arange(9.0)
    zero = np.zeros(12), np.zeros(9)
    moved, fresh = moments_of(x, y, *zero).shifted(d, e), moments_of(x + d, y + e, *zero)
    for name in fresh.__dataclass_fields__:
        np.testing.assert_allclose(getattr(moved, name), getattr(fresh, name), rtol=1e-9, atol=1e-7)
    assert shift_of(x).dtype == x.dtype


def test_a_stream_warns_refuses_and_says_what_it_has():
    x, y = data(20)
    stream = cs.measures.StreamingCKA()
    with pytest.raises(cs.InputError, match="at least 4 stimuli are needed, got 0; call update"):
        stream.value()
    stream.update(x, y)
    assert repr(stream) == "<StreamingCKA> 20 stimuli in 1 batches, 12 and 9 units"
    with pytest.raises(cs.InputError, match="had 12 and 9 units, this one has 11 and 9") as error:
        stream.update(x[:, :-1], y)
    assert error.value.code == "units-differ"
    with pytest.raises(cs.InputError, match="at least 10 batches are needed, one per group, got 1"):
        stream.interval()
    with pytest.raises(cs.InputError, match="must be a StreamingCKA with the same options"):
        stream.merge(cs.measures.StreamingCCA())
    with pytest.raises(cs.InputError, match="NaN"):
        stream.update(np.full((3, 12), np.nan), y[:3])
    assert stream.n == 20
    with pytest.warns(cs.ConsilienceWarning, match=re.escape("[null-not-zero]")):
        cs.measures.StreamingCCA().update(x, y).value()
    flat = cs.measures.StreamingCKA().update(np.ones((20, 3)), y)
    with pytest.raises(cs.InputError, match="no structure over stimuli"):
        flat.value()


def test_torch_batches_are_taken():
    torch = pytest.importorskip("torch")
    x, y = data(100)
    stream = cs.measures.StreamingCKA().update(torch.tensor(x), torch.tensor(y))
    assert stream.value() == pytest.approx(direct(x, y), abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["StreamingCKA", "MinibatchCKA"])
def test_intervals_cover(kind):
    rng = np.random.default_rng(0)
    mix_x, mix_y = rng.normal(size=(3, 8)), rng.normal(size=(3, 6))

    def draw(n):
        shared = rng.normal(size=(n, 3))
        return shared @ mix_x + 2 * rng.normal(size=(n, 8)), shared @ mix_y + 2 * rng.normal(size=(n, 6))

    truth, hits = float(cs.measures.cka(*draw(300_000))), 0
    for _ in range(300):
        stream = getattr(cs.measures, kind)()
        for _ in range(20):
            stream.update(*draw(20))
        low, high = stream.interval()
        hits += low <= truth <= high
    assert 0.91 <= hits / 300 <= 0.98


def test_minibatch_cka_is_the_published_ratio_and_tends_to_cka():
    x, y = data(2000)

    def hsic(k, m):  # Song et al. (2012), eq. 5, as Nguyen et al. (2021) write it
        n = len(k)
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        ones = np.ones(n)
        last = 2 / (n - 2) * ones @ k @ m @ ones
        return (np.trace(k @ m) + ones @ k @ ones * (ones @ m @ ones) / ((n - 1) * (n - 2)) - last) / (
            n * (n - 3)
        )

    terms, batches = [], cs.measures.MinibatchCKA()
    for rows in np.split(np.arange(2000), 40):
        k, m = x[rows] @ x[rows].T, y[rows] @ y[rows].T
        terms.append((hsic(k, m), hsic(k, k), hsic(m, m)))
        batches.update(x[rows], y[rows])
    xy, xx, yy = np.sum(terms, axis=0)
    assert batches.value() == pytest.approx(xy / np.sqrt(xx * yy), abs=1e-10)
    low, high = batches.interval()
    assert low < direct(x, y) < high
    assert cs.measures.minibatch_cka(x, y, batch_size=2000) == pytest.approx(direct(x, y), abs=1e-10)


def test_minibatch_cka_of_more_units_than_stimuli_and_its_refusals():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 300))
    batches = cs.measures.MinibatchCKA()
    for rows in np.split(np.arange(64), 4):
        batches.update(x[rows], x[rows] * 2 + 1)
    assert batches.value() == pytest.approx(1.0, abs=1e-10)
    assert repr(batches) == "<MinibatchCKA> 4 batches"
    assert cs.measures.MinibatchCKA().merge(batches).value() == batches.value()
    with pytest.raises(cs.InputError, match="no batch yet"):
        cs.measures.MinibatchCKA().value()
    with pytest.raises(cs.InputError, match="at least 3 batches are needed, got 0"):
        cs.measures.MinibatchCKA().interval()
    with pytest.raises(cs.InputError, match="batch_size=256 is more than the 64 stimuli"):
        cs.measures.minibatch_cka(x, x)


@pytest.mark.parametrize("size", [1e-200, 1e-60, 1e90])
def test_streams_of_very_small_and_very_large_numbers(size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5))
    y = x[:, :3] + rng.normal(size=(80, 3))
    for kind, whole in (
        (cs.measures.StreamingCKA, cs.measures.cka),
        (cs.measures.StreamingCCA, cs.measures.cca),
    ):
        one, two = kind(groups=2), kind(groups=2)
        one.update(size * x[:30], y[:30])
        two.update(x[30:50] * size, y[30:50]).update(x[50:] * size, y[50:])
        assert one.merge(two).value() == pytest.approx(float(whole(x, y)), abs=1e-10)
    ordinary = cs.measures.StreamingCKA().update(x[:40], y[:40])
    if size > 1e-100:  # another size within one stream, through merge
        small = cs.measures.StreamingCKA().update(size * x[40:], y[40:])
        expected = cs.measures.cka(np.concatenate([x[:40], size * x[40:]]), y)
        assert ordinary.merge(small).value() == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(("size", "dtype"), [(1e-200, "f8"), (1e90, "f8"), (3e8, "f4")])
@pytest.mark.parametrize("units", [3, 60])
def test_minibatches_of_very_small_and_very_large_numbers_count_alike(size, dtype, units):
    """At 3e8 some batches of float32 pass the size beyond which they are divided, others do not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, units)).astype(dtype)
    y = x[:, :3] + 2 * rng.normal(size=(200, 3)).astype(dtype)

    def fed_minibatches(scale):
        one, two = cs.measures.MinibatchCKA(), cs.measures.MinibatchCKA()
        for k, rows in enumerate(np.split(np.arange(200), 10)):
            (one if k < 4 else two).update(x[rows] * np.asarray(scale, dtype), y[rows])
        return one.merge(two)

    plain, scaled = fed_minibatches(1.0), fed_minibatches(size)
    assert scaled.value() == pytest.approx(plain.value(), abs=1e-6)
    assert scaled.interval() == pytest.approx(plain.interval(), abs=1e-6)


def test_what_an_interval_of_a_stream_lacks_is_said_in_its_own_name():
    x = np.random.default_rng(0).normal(size=(40, 3))
    for kind in (cs.measures.StreamingCKA, cs.measures.StreamingCCA):
        single = kind(groups=1).update(x, x).update(x, x)
        with pytest.raises(cs.InputError, match=rf"{kind.__name__}\.interval: groups=1 keeps a single sum"):
            single.interval()
        few = kind(groups=4).update(x, x)
        with pytest.raises(cs.InputError, match=rf"4 batches are needed, .* or {kind.__name__}\(groups="):
            few.interval()
    with pytest.raises(cs.InputError, match="x"):
        cs.measures.StreamingCKA().update(x[:0], x[:0])
