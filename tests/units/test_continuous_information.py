"""Information of continuous responses: closed forms of Gaussians, scikit-learn, direct counts of neighbours, chance."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import digamma
from scipy.stats import norm, rankdata
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

import consilience as cs

LN2 = np.log(2)
neighbours, copula = cs.units.neighbour_information, cs.units.copula_information


def gaussian(n, rho, units=5, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return rho * y[:, None] + np.sqrt(1 - rho**2) * rng.normal(size=(n, units)), y


def bits(rho):
    return -0.5 * np.log2(1 - rho**2)


def slow(n, units, tau, seed):
    keep = np.exp(-1 / tau)
    noise = np.random.default_rng(seed).normal(size=(n + 300, units))
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], noise, axis=0)[300:]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("estimator", [1, 2])
def test_neighbours_find_the_closed_form(rho, estimator):
    x, y = gaussian(2000, rho, units=8)
    found = neighbours(x, y, estimator=estimator, n_perm=0)
    assert found.value.mean() == pytest.approx(bits(rho), abs=0.03)
    assert np.mean((found.ci_low <= bits(rho)) & (found.ci_high >= bits(rho))) >= 0.75


def test_neighbours_are_those_of_scikit_learn():
    x, y = gaussian(300, 0.6)
    np.testing.assert_allclose(
        neighbours(x, y, n_perm=0).value * LN2, mutual_info_regression(x, y, random_state=0), atol=1e-6
    )
    labels = np.repeat([0, 1, 2], [60, 100, 140])
    x = np.random.default_rng(1).normal(size=(300, 4)) + labels[:, None]
    for k in (3, 5):
        np.testing.assert_allclose(
            neighbours(x, labels, k=k, n_perm=0).value * LN2,
            mutual_info_classif(x, labels, n_neighbors=k, random_state=0),
            atol=1e-6,
        )


def test_second_estimator_by_direct_count():
    x, y = gaussian(80, 0.7, units=1)
    u, v = (x[:, 0] - x.mean()) / x.std(), (y - y.mean()) / y.std()
    total = 0.0
    for i in range(80):
        far = np.maximum(np.abs(u - u[i]), np.abs(v - v[i]))
        far[i] = np.inf
        near = np.argsort(far)[:3]
        wide, tall = np.abs(u[near] - u[i]).max(), np.abs(v[near] - v[i]).max()
        nx = np.sum(np.abs(u - u[i]) <= wide + 1e-12) - 1
        ny = np.sum(np.abs(v - v[i]) <= tall + 1e-12) - 1
        total += digamma(nx) + digamma(ny)
    expected = (digamma(3) - 1 / 3 + digamma(80) - total / 80) / LN2
    assert neighbours(x, y, estimator=2, n_perm=0).value[0] == pytest.approx(expected, abs=1e-5)


def test_a_label_of_two_gaussians_in_closed_form():
    """Bits about which of two normals, 2 sd apart, a number came from: by quadrature."""
    grid = np.linspace(-8, 10, 20_001)
    rows = np.stack([norm.pdf(grid), norm.pdf(grid, 2)])
    step = grid[1] - grid[0]

    def entropy(p):
        return -np.sum(p * np.log2(np.maximum(p, 1e-300))) * step

    truth = entropy(rows.mean(axis=0)) - np.mean([entropy(row) for row in rows])
    labels = np.repeat(["a", "b"], 1000)
    x = np.random.default_rng(0).normal(size=(2000, 6)) + 2 * (labels == "b")[:, None]
    assert neighbours(x, labels, n_perm=0).value.mean() == pytest.approx(truth, abs=0.02)
    low = copula(x, labels, n_perm=0).value.mean()
    assert truth - 0.05 < low < truth + 0.01


def test_a_relation_that_goes_up_and_down():
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, 1500)
    x = (y**2)[:, None] + 0.1 * rng.normal(size=(1500, 3))
    assert (neighbours(x, y, n_perm=50).value > 0.8).all()
    assert (np.abs(copula(x, y, n_perm=50).value) < 0.02).all()  # as its docstring says


def test_an_angle_has_no_ends():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 1500)
    x = np.cos(angle - 1)[:, None] + 0.3 * rng.normal(size=(1500, 2))
    turned = (angle + 2.5) % (2 * np.pi)
    for call in (neighbours, copula):
        one = call(x, angle, period=2 * np.pi, n_perm=0).value
        np.testing.assert_allclose(call(x, turned, period=2 * np.pi, n_perm=0).value, one, atol=0.1)
        np.testing.assert_allclose(call(x, np.degrees(angle), period=360, n_perm=0).value, one, atol=0.01)
        assert (one > 0.8).all()


def test_copula_is_its_equation():
    x, y = gaussian(200, 0.5, units=3)
    z = [norm.ppf(rankdata(v) / 201) for v in (*x.T, y)]
    terms = digamma((200 - np.arange(1, 3)) / 2)
    one = (np.log(2) - np.log(199) + terms[0]) / 2
    two = (2 * (np.log(2) - np.log(199)) + terms.sum()) / 2
    found = copula(x, y, n_perm=0)
    for u in range(3):
        r = np.corrcoef(z[u], z[3])[0, 1]
        assert found.value[u] == pytest.approx((-0.5 * np.log(1 - r**2) - 2 * one + two) / LN2)
    np.testing.assert_allclose(copula(np.exp(x), y**3, n_perm=0).value, found.value)  # ranks alone
    assert not np.allclose(copula(x**2, y, n_perm=0).value, found.value, atol=0.01)


@pytest.mark.parametrize("call", [neighbours, copula])
def test_without_information_it_is_0(call):
    x, y = gaussian(150, 0.0, units=40, seed=3)
    found = call(x, y, n_perm=60)
    assert abs(found.value.mean()) < 0.03
    assert np.mean(found.p <= 0.05) < 0.16
    labels = np.repeat([0, 1, 2], 50)
    found = call(x, labels, n_perm=60)
    assert abs(found.value.mean()) < 0.03
    assert np.mean(found.p <= 0.05) < 0.16


@pytest.mark.parametrize("call", [neighbours, copula])
def test_series_are_shifted_not_shuffled(call):
    x, y = slow(600, 20, 10, 0), slow(600, 1, 10, 1)[:, 0]
    shuffled = call(x, y, n_perm=40)
    shifted = call(x, y, n_perm=40, series=True)
    assert np.mean(shuffled.p <= 0.05) > 0.3  # frames are not trials
    assert np.mean(shifted.p <= 0.05) < np.mean(shuffled.p <= 0.05)
    assert abs(shifted.value.mean()) < 0.03
    assert shuffled.value.mean() > 0.005


def test_types_seeds_and_inputs():
    x, y = gaussian(120, 0.6, units=2)
    kept = x.copy()
    for call in (neighbours, copula):
        one = call(x, y, n_perm=10, rng=1)
        two = call(x.astype(">f8"), y.tolist(), n_perm=10, rng=1)
        np.testing.assert_array_equal(one.value, two.value)
        np.testing.assert_array_equal(one.p, two.p)
        np.testing.assert_array_equal(x, kept)
        np.testing.assert_allclose(call(7 - 3 * x, y, n_perm=0).value, one.value, atol=0.06)


@pytest.mark.parametrize("call", [neighbours, copula])
def test_degenerate_input(call):
    x, y = gaussian(60, 0.5, units=2)
    x[:, 1] = 2.0
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*1 of 2 units"):
        found = call(x, y, n_perm=10)
    assert found.value[1] == found.ci_low[1] == 0
    assert found.p[1] == 1
    name = call.__name__
    for target, text in [
        (y[:50], "rows-differ"),
        (np.where(y > 1, np.nan, y), "nan-values"),
        (np.ones(60), "no-structure"),
        (np.ones(60, dtype=int), "too-few"),
        (np.arange(60), "too-few"),
    ]:
        with pytest.raises(cs.InputError, match=name) as error:
            call(x, target, n_perm=0)
        assert error.value.code == text


def test_counts_are_not_distances():
    counts = np.random.default_rng(0).poisson(2, size=(200, 2))
    with pytest.warns(cs.ConsilienceWarning, match=r"tied-values.*2 of 2 units"):
        neighbours(counts, np.random.default_rng(1).normal(size=200), n_perm=0)
