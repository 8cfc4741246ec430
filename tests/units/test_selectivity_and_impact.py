"""Selectivity against impact of arrays: against the definition in loops, planted relations, and what is refused."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

import consilience as cs
from consilience.stats._split_correlation import split_correlation
from consilience.units._class_halves import stratified_halves

K, EACH, UNITS = 4, 12, 30


def planted(seed=0, *, own=1.0, other=0.0, noise=0.2, each=EACH):
    """Units of which the selective ones matter for their own class (own) and for the others (other)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(K), each)
    gain = rng.uniform(0.5, 3, UNITS)
    mine = labels[:, None] == np.arange(UNITS) % K
    x = rng.gamma(4.0, 0.25, (labels.size, UNITS)) * (1 + gain * mine)
    lost = gain * np.where(mine, own, other) + noise * rng.normal(size=x.shape)
    return x, lost, labels


def direct(x, lost, labels, halves):
    """The definition, in loops."""
    values = {"overall": [], "preferred": [], "others": []}
    partial = {"overall": [], "preferred": [], "others": []}
    for split in halves:
        for a, b in (split, split[::-1]):
            s, c = np.empty(UNITS), np.empty(UNITS, dtype=int)
            for u in range(UNITS):
                means = np.array([x[a & (labels == k), u].mean() for k in range(K)])
                c[u] = means.argmax()
                rest = np.delete(means, c[u]).mean()
                s[u] = (means.max() - rest) / (means.max() + rest)
            impact = {
                "overall": np.array([lost[b, u].mean() for u in range(UNITS)]),
                "preferred": np.array([lost[b & (labels == c[u]), u].mean() for u in range(UNITS)]),
                "others": np.array([lost[b & (labels != c[u]), u].mean() for u in range(UNITS)]),
            }
            design = np.column_stack(
                [np.ones(UNITS), rankdata(x[a].mean(axis=0)), rankdata(x[a].std(axis=0))]
            )
            for key, i in impact.items():
                values[key].append(spearmanr(s, i)[0])
                left = [
                    r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in (rankdata(s), rankdata(i))
                ]
                partial[key].append(np.corrcoef(*left)[0, 1])
    return [np.mean(v) for v in values.values()], [np.mean(v) for v in partial.values()]


def test_it_is_the_definition():
    x, lost, labels = planted(other=0.3)
    found = cs.units.selectivity_and_impact(x, lost, labels, n_splits=3, n_boot=0, n_perm=0, rng=5)
    halves = stratified_halves(labels, 3, cs._core._seeds.resolve_seed(5, who="").stream("splits"))
    value, partial = direct(x, lost, labels, halves)
    np.testing.assert_allclose(found.value, value, atol=1e-12)
    np.testing.assert_allclose(found.partial, partial, atol=1e-9)
    assert np.isnan(found.p).all()
    assert np.isnan(found.ci_low).all()


def test_halves_are_disjoint_and_stratified():
    labels = np.repeat([0, 1, 2], [5, 8, 7])
    halves = stratified_halves(labels, 20, np.random.default_rng(0))
    assert (halves.sum(axis=1) == 1).all()
    for k, n in enumerate((5, 8, 7)):
        sizes = halves[:, 0, labels == k].sum(axis=1)
        assert set(sizes) <= {n // 2, -(-n // 2)}


def test_units_that_matter_for_their_own_class_only():
    found = cs.units.selectivity_and_impact(*planted(own=1.0, other=-1 / 3), n_boot=50, n_perm=99)
    assert found.value[1] > 0.7  # class-specific: as Zhou et al.
    assert abs(found.value[0]) < 0.4  # overall: gains and losses of the classes cancel, as Morcos et al.
    assert found.difference_low > 0
    assert found.p[1] == 0.01
    assert found.p[0] > 0.01


def test_selective_units_that_are_useless():
    x, lost, labels = planted(own=0.0)
    found = cs.units.selectivity_and_impact(x, lost, labels, n_boot=50, n_perm=99)
    assert found.p[:2].min() > 0.05
    assert found.ci_low[0] < 0 < found.ci_high[0]


@pytest.mark.parametrize("kind", ["class_selectivity", "d_prime", "eta_squared", "lifetime_sparseness"])
def test_every_index_sees_it(kind):
    found = cs.units.selectivity_and_impact(*planted(), selectivity=kind, n_boot=0, n_perm=0)
    assert found.value[1] > 0.6


@pytest.mark.parametrize("kind", ["d_prime", "eta_squared"])
def test_indices_of_differences_allow_a_shift(kind):
    x, lost, labels = planted()
    options = {"selectivity": kind, "n_boot": 0, "n_perm": 0}
    np.testing.assert_allclose(
        cs.units.selectivity_and_impact(x - 5, lost, labels, **options).value,
        cs.units.selectivity_and_impact(x, lost, labels, **options).value,
    )


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_what_changes_nothing(scale):
    x, lost, labels = planted()
    options = {"n_boot": 0, "n_perm": 0}
    plain = cs.units.selectivity_and_impact(x, lost, labels, **options)
    other = cs.units.selectivity_and_impact(
        (scale * x).astype(np.float32), scale * lost, labels + 3, **options
    )
    np.testing.assert_allclose(other.value, plain.value, atol=1e-6)
    shifted = cs.units.selectivity_and_impact(
        x + 5, lost, labels, **options
    )  # of a ratio a shift is not free
    assert np.abs(shifted.value - plain.value).max() > 1e-3


def test_inputs_stay_as_they_are():
    x, lost, labels = planted()
    kept = x.copy(), lost.copy(), labels.copy()
    for v in (x, lost, labels):
        v.flags.writeable = False
    cs.units.selectivity_and_impact(x, lost, labels, n_boot=3, n_perm=3)
    for v, k in zip((x, lost, labels), kept):
        np.testing.assert_array_equal(v, k)


def test_order_of_stimuli_and_names_of_classes_change_little():
    x, lost, labels = planted()
    order = np.random.default_rng(1).permutation(len(x))
    one = cs.units.selectivity_and_impact(x, lost, labels, n_boot=0, n_perm=0, n_splits=40)
    two = cs.units.selectivity_and_impact(
        x[order], lost[order], np.array(list("dcba"))[labels[order]], n_boot=0, n_perm=0, n_splits=40
    )
    np.testing.assert_allclose(one.value, two.value, atol=0.03)
    assert set(two.preferred) == set("abcd")


def test_ceiling_tells_noise_from_no_relation():
    noisy = cs.units.selectivity_and_impact(*planted(noise=8.0), n_boot=0, n_perm=0)
    clean = cs.units.selectivity_and_impact(*planted(noise=0.1), n_boot=0, n_perm=0)
    assert not noisy.ceiling[1] > 0.7
    assert clean.ceiling[1] > 0.8
    assert clean.reliability_selectivity == pytest.approx(noisy.reliability_selectivity)


def test_the_ceiling_is_what_a_perfect_relation_reaches():
    found = [
        cs.units.selectivity_and_impact(*planted(seed, noise=2.0), n_boot=0, n_perm=0) for seed in range(30)
    ]
    value = np.mean([one.value[1] for one in found])
    ceiling = np.sqrt(np.mean([one.reliability[1] * one.reliability_selectivity for one in found]))
    assert 0.4 < ceiling < 0.65
    assert value == pytest.approx(ceiling, abs=0.05)


def test_partial_takes_out_what_goes_with_the_mean():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(K), 20)
    drive = rng.uniform(0, 1, 200)
    mine = labels[:, None] == np.arange(200) % K
    x = rng.gamma(25.0, 0.04, (labels.size, 200)) * (0.05 + drive * (1 + 3 * rng.uniform(0.5, 1, 200) * mine))
    lost = drive + 0.05 * rng.normal(size=x.shape)  # needed as it is driven, not as it is selective
    found = cs.units.selectivity_and_impact(x, lost, labels, n_boot=0, n_perm=199)
    assert found.p[0] < 0.05
    assert abs(found.partial[0]) < 0.5 * abs(found.value[0])


def test_silent_units_are_left_out():
    x, lost, labels = planted()
    x[:, 3] = 0
    found = cs.units.selectivity_and_impact(x, lost, labels, n_boot=0, n_perm=0)
    assert found.kept.sum() == UNITS - 1
    assert np.isnan(found.selectivity[3])
    left = np.arange(UNITS) != 3
    without = cs.units.selectivity_and_impact(x[:, left], lost[:, left], labels, n_boot=0, n_perm=0)
    np.testing.assert_allclose(found.value, without.value)


def test_blocks_of_draws_change_nothing(monkeypatch):
    from consilience.units import _selectivity_and_impact as module

    one = cs.units.selectivity_and_impact(*planted(), n_boot=7, n_perm=0, rng=2)
    monkeypatch.setattr(module, "_BLOCK", 1)
    two = cs.units.selectivity_and_impact(*planted(), n_boot=7, n_perm=0, rng=2)
    np.testing.assert_allclose(one.ci_low, two.ci_low)
    np.testing.assert_allclose(one.se_stimuli, two.se_stimuli)


def test_a_covariate_that_is_the_number_itself_leaves_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 20))
    made = split_correlation(x, y, np.stack([x, x**3]))
    assert made.partial() == pytest.approx(0.0, abs=1e-9)
    assert made.plain() == pytest.approx(np.mean([spearmanr(a, b)[0] for a, b in zip(x, y)]))


@pytest.mark.parametrize(
    ("change", "message", "code"),
    [
        (lambda x, lost, labels: (x - 3, lost, labels), "negative responses", "negative-responses"),
        (lambda x, lost, labels: (x, lost[:-1], labels), "must both be", "shape-mismatch"),
        (lambda x, lost, labels: (x, np.full_like(lost, np.nan), labels), "losses hold NaN", "nan-values"),
        (lambda x, lost, labels: (x[:, :3], lost[:, :3], labels), "over 3 units", "too-few"),
        (lambda x, lost, labels: (x, lost, np.arange(len(labels)) // 3), "4 stimuli each", "too-few"),
        (lambda x, lost, labels: (np.zeros_like(x), lost, labels), "respond in every half", "too-few"),
    ],
)
def test_what_is_refused(change, message, code):
    with pytest.raises(cs.InputError, match=message) as caught:
        cs.units.selectivity_and_impact(*change(*planted()))
    assert caught.value.code == code


@pytest.mark.slow
def test_type_i_error_and_coverage():
    values, covered, p = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, _, labels = planted(seed, each=10)
        lost = rng.normal(size=UNITS) + 0.3 * rng.normal(size=x.shape)
        found = cs.units.selectivity_and_impact(x, lost, labels, n_boot=60, n_perm=99, rng=seed)
        values.append(found.value)
        covered.append((found.ci_low < 0) & (found.ci_high > 0))
        p.append(found.p)
    assert np.abs(np.mean(values, axis=0)).max() < 0.08
    assert (np.mean(covered, axis=0) > 0.85).all()
    assert (np.mean(np.array(p) <= 0.05, axis=0) < 0.15).all()


def test_the_result_is_said_on_a_few_lines():
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(4), 10)
    found = cs.units.selectivity_and_impact(
        rng.poisson(3, (40, 8)), rng.normal(size=(40, 8)), labels, n_boot=9, n_perm=9
    )
    lines = repr(found).splitlines()
    assert lines[0].startswith("<ImpactScores>")
    assert len(lines) == 5
    assert max(map(len, lines)) <= 120
