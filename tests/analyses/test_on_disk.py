"""Responses in a file (np.memmap): read in blocks, the same values, memory that does not grow with the units."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import consilience as cs
from consilience._core._arrays import all_finite
from consilience._core._memory import on_disk, release
from consilience.analyses._inputs import Responses

N, UNITS = 30, 5000
MEASURES = [
    "cka",
    partial(cs.measures.cka, debiased=False),
    partial(cs.measures.cka, kernel="rbf"),
    "distance_correlation",
    partial(cs.measures.mutual_knn, k=2, distance="euclidean"),
    "rsa",
]


def stored(path, values):
    file = np.memmap(path, values.dtype, "w+", shape=values.shape)
    file[:] = values
    file.flush()
    return np.memmap(path, values.dtype, "r", shape=values.shape)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_file_gives_what_memory_gives(tmp_path, dtype):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(N, 4))
    x = (
        signal @ rng.normal(size=(4, UNITS)) + rng.normal(size=(N, UNITS)) + 50 * rng.normal(size=UNITS)
    ).astype(dtype)
    x[:, 7] = 3.0  # a dead unit
    y = signal @ rng.normal(size=(4, 20)) + rng.normal(size=(N, 20))
    ids = rng.permutation(N)  # in another order than sorted
    file = stored(tmp_path / "x", x)
    data = cs.responses(file, stimulus=ids, system="x")
    assert on_disk(data.values)
    other = cs.responses(y, stimulus=ids, system="y")
    options = {"n_boot": 20, "n_perm": 20, "rng": 0}
    here = cs.compare(cs.responses(x, stimulus=ids, system="x"), other, measure=MEASURES, **options)
    there = cs.compare(data, other, measure=MEASURES, **options)
    np.testing.assert_allclose(there.data["value"], here.data["value"], atol=1e-6)
    np.testing.assert_allclose(there.data["ci_low"], here.data["ci_low"], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(file), x)
    assert any(c.code == "constant-units" for c in there.warnings)


def test_some_stimuli_of_a_file(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 300))
    file = stored(tmp_path / "x", x)
    rows, units = np.arange(N)[::-2], np.arange(300) % 3 > 0
    z = x[rows][:, units] - x[rows][:, units].mean(axis=0)
    np.testing.assert_allclose(Responses(file, rows, units).gram(), z @ z.T, atol=1e-9)
    whole = Responses(file)
    assert whole.on_disk
    np.testing.assert_array_equal(whole.columns(10, 20), x[:, 10:20])


def test_what_is_no_file_is_left_alone(tmp_path):
    x = np.ones((4, 3))
    assert not on_disk(x)
    release(x)
    writable = np.memmap(tmp_path / "x", np.float64, "w+", shape=(4, 3))
    writable[:] = 2
    release(writable)  # changes are kept
    np.testing.assert_array_equal(writable, 2)
    assert on_disk(writable[1:])
    assert not on_disk(np.array(writable))


def test_nan_in_a_file_is_found(tmp_path):
    x = np.ones((40, 200_000), np.float32)
    x[33, 5] = np.nan
    file = stored(tmp_path / "x", x)
    assert not all_finite(file)
    with pytest.raises(cs.InputError, match="NaN, first at"):
        cs.responses(file, stimulus=np.arange(40))


CODE = """
import resource, sys, warnings
import numpy as np, scipy.stats, xarray
import consilience as cs
warnings.simplefilter("ignore")
n, p = 200, 250_000
file = np.memmap(sys.argv[1], np.float32, "w+", shape=(n, p))
rng = np.random.default_rng(0)
for row in range(n):
    file[row] = rng.standard_normal(p, dtype=np.float32)
    if row % 10 == 9:
        file.flush()
        file._mmap.madvise(4)
file = np.memmap(sys.argv[1], np.float32, "r", shape=(n, p))
small = cs.responses(np.asarray(file[:, :50]), stimulus=np.arange(n))
cs.compare(small, small, measure="cka", n_boot=50, n_perm=50, rng=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = cs.responses(file, stimulus=np.arange(n))
cs.compare(data, small, measure=["cka", "distance_correlation"], n_boot=50, n_perm=50, rng=0)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (4 * n * p))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are given back on Linux")
def test_memory_does_not_grow_with_the_units(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 0.7  # of 200 MB
