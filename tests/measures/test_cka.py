"""CKA at the ends of the number range, where squares overflow or vanish."""

import functools

import numpy as np
import pytest

import consilience as cs
from consilience.measures import as_measure


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize(
    ("dtype", "exponents"), [(np.float32, (-110, -40, 40, 70, 120)), (np.float64, (-900, -150, 150, 900))]
)
def test_the_size_of_values_does_not_matter(dtype, exponents, debiased):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 30)).astype(dtype)
    measure = as_measure(functools.partial(cs.measures.cka, debiased=debiased))

    def vector(z):
        found = measure.parts.prepare(z)
        return found / np.linalg.norm(found)

    for exponent in exponents:
        np.testing.assert_allclose(vector(np.ldexp(x, exponent)), vector(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [12, 300])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_float32_gives_what_float64_gives(n, offset):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 5000)) + offset * rng.normal(size=5000)
    y = x[:, :400] + rng.normal(size=(n, 400))
    x, y = x.astype(np.float32), y.astype(np.float32)
    exact = cs.measures.cka(x.astype(np.float64), y.astype(np.float64))
    assert float(cs.measures.cka(x, y)) == pytest.approx(float(exact), abs=1e-6)
