"""The verb compare: alignment, resamples, ceilings, the nested best."""

import functools
import warnings

import numpy as np
import pytest
from scipy import stats

import consilience as cs
from consilience._results import result_hash

IDS = [f"im{i:02d}" for i in range(24)]
RULES = {
    "pairs": "rsa",
    "predictions": "linear_predictivity",
    "pairs, tau": functools.partial(cs.measures.rsa, method="kendall"),
    "in-sample": "procrustes",
}


def values(seed, n=24, units=10, rank=6):
    rng = np.random.default_rng(seed)
    return np.random.default_rng(99).normal(size=(n, rank)) @ rng.normal(size=(rank, units)) + rng.normal(
        size=(n, units)
    )


def system(seed, ids=IDS, name="", **options):
    return cs.responses(values(seed, len(ids)), stimulus=ids, system=name, **options)


def run(a, b, measure="cka", n_boot=40, n_perm=40, rng=0, **options):
    return cs.compare(a, b, measure=measure, n_boot=n_boot, n_perm=n_perm, rng=rng, **options)


def held_out(rule):
    return {"held_out": rule != "in-sample"}


# -- alignment ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("rule", RULES)
def test_row_order_changes_nothing_at_all(rule):
    a, b = system(0), system(1)
    one = run(a, b, RULES[rule], **held_out(rule))
    order = np.random.default_rng(0).permutation(24)
    for x, y in ((a[order], b), (a[::-1], b[order]), (a, b[::-1])):
        two = run(x, y, RULES[rule], **held_out(rule))
        assert two.p == one.p
        assert two.value == one.value
        assert two.interval == one.interval


def test_row_order_of_rdms_changes_nothing():
    d = np.asarray(cs.measures.rdm(values(1), square=True))
    order = np.random.default_rng(0).permutation(24)
    moved = cs.rdm_data(d[np.ix_(order, order)], stimulus=[IDS[i] for i in order], kind="activation")
    _, b = brains()
    people = list(range(len(b) + 1))
    one = run(system(0), cs.rdm_data(np.r_[d[None], b], stimulus=IDS, subject=people), "rsa")
    both = np.r_[d[None], b][:, order][:, :, order]
    two = run(system(0)[::-1], cs.rdm_data(both, stimulus=[IDS[i] for i in order], subject=people), "rsa")
    assert (one.value, one.p, one.interval, one.ceiling) == (two.value, two.p, two.interval, two.ceiling)
    aligned, _ = cs.align(moved, system(0))
    np.testing.assert_array_equal(aligned.values[0], d)


def test_values_are_those_of_the_aligned_arrays():
    a, b = system(0), system(1)
    for name in ("rsa", "cka"):
        expected = float(getattr(cs.measures, name)(a.values, b.values))
        assert run(a, b[::-1], name).value == pytest.approx(expected, abs=1e-12)


def test_ids_that_do_not_match_are_refused_with_counts_and_examples():
    a = system(0)
    with pytest.raises(
        cs.InputError, match=r"share no stimulus id: 'im00', 'im01', 'im02', \.\.\. \(24 in all\)"
    ):
        run(a, a.assign_coords(stimulus=("trial", [f"x{i}" for i in range(24)])))
    with pytest.raises(cs.InputError, match=r"20 shared, 4 only in .*pass join='inner'"):
        run(a, system(1)[:20])
    with pytest.raises(cs.InputError, match=r"are text .*whole numbers.*convert them to one type"):
        run(a, a.assign_coords(stimulus=("trial", np.arange(24))))
    with pytest.raises(cs.InputError, match=r"come more than once .*repeat='count'"):
        cs.responses(np.eye(4), stimulus=list("aabc"))
    broken = a.assign_coords(stimulus=("trial", ["im00"] * 2 + IDS[2:]))
    with pytest.raises(cs.InputError, match="come more than once"):
        run(broken, a)


def test_inner_join_uses_the_shared_stimuli_and_says_so():
    a, b = system(0), system(1)[4:]
    with pytest.warns(cs.ConsilienceWarning, match=r"stimuli-left-out.*4 of"):
        result = run(a, b, join="inner", n_boot=100)
    assert result.value == pytest.approx(float(cs.measures.cka(a.values[4:], b.values)), abs=1e-12)
    assert int(result.data["n_stimuli"].item()) == 20
    assert [c.code for c in result.warnings] == ["stimuli-left-out"]


def test_repeats_are_averaged_weighing_each_trial():
    x, y = values(0), values(1)
    rng = np.random.default_rng(0)
    counts = rng.integers(2, 5, 24)
    rows = np.repeat(np.arange(24), counts)
    noisy = x[rows] + rng.normal(size=(rows.size, 10))
    order = rng.permutation(rows.size)
    a = cs.responses(noisy[order], stimulus=[IDS[i] for i in rows[order]], repeat="count")
    means = np.stack([noisy[rows == i].mean(axis=0) for i in range(24)])
    result = run(a, cs.responses(y, stimulus=IDS))
    assert result.value == pytest.approx(float(cs.measures.cka(means, y)), abs=1e-12)


def test_by_category_averages_within_it():
    category = [f"c{i % 6}" for i in range(24)]
    a, b = system(0, category=category), system(1, category=category)
    result = run(a, b, by="category")
    means = [np.stack([s.values[i::6].mean(axis=0) for i in range(6)]) for s in (a, b)]
    assert result.value == pytest.approx(float(cs.measures.cka(*means)), abs=1e-12)
    with pytest.raises(KeyError, match="Did you mean 'category'"):
        run(a, b, by="categori")


# -- resamples ---------------------------------------------------------------------------------------------


def test_resamples_are_shared_by_all_pairs_and_measures():
    a = {"one": system(0), "again": system(0), "two": system(2)}
    result = run(a, {"b": system(1)}, ["rsa", "cka"])
    draws = result.draws
    assert (draws.sel(a="one") == draws.sel(a="again")).all()
    alone = run(system(0), system(1), "cka")
    np.testing.assert_allclose(
        alone.draws.values.ravel(), draws.sel(measure="cka", a="one").values.ravel(), atol=1e-12
    )
    both = [result.data["p"].sel(a=k, measure="rsa").item() for k in ("one", "again")]
    assert both[0] == both[1]
    pair = draws.sel(measure="cka", a="one", b="b") - draws.sel(measure="cka", a="two", b="b")
    assert float(pair.std()) < float(draws.sel(measure="cka", a="one", b="b").std() * 2)


def test_draws_of_one_side_are_paired_with_baselines():
    a = {"l1": system(0)}
    result = run(a, {"b": system(1)}, baseline={0: {"l1": system(0)}, 1: {"l1": system(5)}})
    assert (result.baseline_draws.sel(seed=0) == result.draws).all()
    assert not (result.baseline_draws.sel(seed=1) == result.draws).all()


@pytest.mark.parametrize("rng", [0, np.random.SeedSequence(3), 2**100])
def test_same_seed_same_bytes(rng):
    one, two = (run(system(0), system(1), ["rsa", "linear_predictivity"], rng=rng) for _ in range(2))
    assert result_hash(one) == result_hash(two)


def test_other_seed_other_draws_and_a_drawn_seed_is_recorded():
    one, two = run(system(0), system(1), rng=0), run(system(0), system(1), rng=1)
    assert one.value == two.value
    assert not np.isclose(one.draws, two.draws).all()
    free = run(system(0), system(1), rng=None)
    again = run(system(0), system(1), rng=int(free.seed))
    assert result_hash(free) == result_hash(again)


def test_none_means_none():
    result = run(system(0), system(1), n_boot=0, n_perm=0)
    assert result.draws is None
    for name in ("ci_low", "ci_high", "p", "null_mean"):
        assert np.isnan(result.data[name].values).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_boot": 1}, "n_boot=1 says nothing"),
        ({"n_perm": 1}, "n_perm=1 says nothing"),
        ({"n_boot": -1}, "n_boot must be a whole number, at least 0"),
        ({"n_perm": 10.0}, "n_perm must be a whole number"),
        ({"level": 0}, r"level must be a number in \(0, 1\)"),
        ({"level": 1}, r"level must be a number in \(0, 1\)"),
        ({"level": 2}, r"level must be a number in \(0, 1\)"),
        ({"rng": -1}, "rng must be an int from 0"),
        ({"rng": 0.5}, "rng must be an int from 0"),
        ({"join": "outer"}, "join must be one of 'exact', 'inner', got 'outer'"),
        ({"measure": "ckaa"}, "no measure 'ckaa'. Did you mean 'cka'"),
        ({"measure": []}, "measure is an empty list"),
        ({"measure": ["cka", "cka"]}, "listed more than once"),
        ({"measure": 3}, "measure must be a name, a function or a list"),
        (
            {"measure": functools.partial(cs.measures.cka, kernal="rbf")},
            "no option 'kernal'. Did you mean 'kernel'",
        ),
        ({"measure": functools.partial(cs.measures.cka, kernel="rbff")}, "Did you mean 'rbf'"),
        ({"measure": functools.partial(cs.measures.cca_held_out, folds=1)}, "folds must be"),
        ({"measure": functools.partial(cs.measures.cca_held_out, folds=25)}, "folds must be between 2 and"),
        ({"baseline": {}}, "baseline must be a mapping"),
        ({"baseline": {"x": {}}}, "baseline keys are seeds"),
        ({"baseline": {0: {"other": None}}}, "under the same names in the same order"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, text):
    with pytest.raises(cs.InputError, match=text) as caught:
        run(system(0), system(1), **options)
    assert caught.value.code not in ("error", "")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["rsa", "cka", "linear_predictivity", "cca", "svcca", "procrustes"])
@pytest.mark.parametrize("in_sample", [False, True])
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_intervals_hold_their_value_and_the_null_of_independent_data(name, in_sample):
    if in_sample and name not in ("cca", "svcca", "procrustes"):
        pytest.skip("has one form")
    rng = np.random.default_rng(7)
    a, b = (cs.responses(rng.normal(size=(60, 20)), stimulus=[f"s{i}" for i in range(60)]) for _ in range(2))
    result = run(a, b, name, n_boot=300, n_perm=99, held_out=not in_sample)
    low, high = result.interval
    null = float(result.data["null_expected"].item())
    assert low <= result.value <= high
    assert low <= null <= high
    assert abs(result.null - null) < 0.03
    assert result.p > 0.01


def test_p_is_small_for_shared_signal_and_counts_the_value_itself():
    result = run(system(0), system(1), n_perm=99)
    assert result.p == 1 / 100
    assert set(np.round(run(system(0), system(1), n_perm=7).data["p"].values.ravel() * 8, 9) % 1) == {0.0}


# -- forms and functions -----------------------------------------------------------------------------------


def test_alignments_are_held_out_unless_asked():
    a, b = system(0), system(1)
    for name in ("cca", "svcca", "procrustes"):
        result = run(a, b, name)
        assert "held out" in result.settings["measures"][0]["label"]
        assert result.data["measure"].values.tolist() == [name]
        with pytest.warns(cs.ConsilienceWarning, match="null-not-zero"):
            inside = run(a, b, name, held_out=False)
        assert inside.value > result.value
        assert inside.value == pytest.approx(_quiet(getattr(cs.measures, name), a.values, b.values), abs=1e-9)


def _quiet(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return float(function(*arguments))


def test_a_users_function_gets_a_p_but_no_interval():
    def overlap(x, y):
        return float(np.abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]))

    with pytest.warns(cs.ConsilienceWarning, match="no-interval"):
        result = run(system(0), system(1), overlap)
    assert result.interval is None
    assert 0 < result.p <= 1
    assert result.value == overlap(system(0).values, system(1).values)
    assert result.data["measure"].values.tolist() == ["overlap"]


def test_refit_gives_a_wider_statement_about_the_fit():
    a, b = system(0), system(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        plain, refit = (run(a, b, "linear_predictivity", n_boot=200, refit=r) for r in (False, True))
    assert plain.value == refit.value
    assert plain.interval != refit.interval
    assert any("refitted" in line for line in refit.methods)


def test_float32_and_device_agree_with_numpy():
    pytest.importorskip("torch")
    a, b = system(0), system(1)
    a.values.flags.writeable = False
    for name in ("rsa", "cka"):
        one, two = run(a, b, name), run(a, b, name, device="cpu")
        assert two.value == pytest.approx(one.value, abs=1e-12)
        assert two.p == one.p
        assert run(a.astype("float32"), b.astype("float32"), name).value == pytest.approx(one.value, abs=2e-5)


# -- what is dropped, said, kept ---------------------------------------------------------------------------


def test_constant_units_are_dropped_and_named():
    a = system(0, unit=[f"u{i}" for i in range(10)])
    broken = a.copy(deep=True)
    broken.values[:, 3], broken.values[:, 7] = 0.1, 5.0
    with pytest.warns(cs.ConsilienceWarning, match=r"constant-units.*2 of 10 units.*'u3', 'u7'"):
        result = run(broken, system(1), "linear_predictivity", n_boot=0)
    kept = np.delete(a.values, [3, 7], axis=1)
    clean = cs.responses(kept, stimulus=IDS)
    assert result.value == pytest.approx(
        run(clean, system(1), "linear_predictivity", n_boot=0).value, abs=1e-12
    )
    assert int(result.data["n_units_a"].item()) == 8
    with pytest.raises(cs.InputError, match=r"every unit of .* has the same value for all 24 stimuli"):
        run(a.copy(data=np.full((24, 10), 0.1)), system(1))


def test_warnings_come_once_and_stand_in_the_result():
    with pytest.warns(cs.ConsilienceWarning, match="made-up-ids"):
        a = cs.responses(values(0), system="a")
    with pytest.warns(cs.ConsilienceWarning, match="made-up-ids"):
        b = cs.responses(values(1), system="b")
    with pytest.warns(cs.ConsilienceWarning) as record:
        result = run({"one": a, "two": a}, b, ["rsa", "cka"])
    codes = [w.message.code for w in record]
    assert codes == [c.code for c in result.warnings]
    assert codes.count("made-up-ids") == 2  # of a and of b, once each
    assert all(w.filename == __file__ or "test_compare" in w.filename for w in record)
    assert all(c.remedy for c in result.warnings)


def test_inputs_are_left_as_they_were():
    a = {"x": system(0, kind="rate", repeat="count", ids=[*IDS[:12], *IDS[:12]]), "y": system(2)[:12]}
    b = cs.rdm_data(
        np.stack([cs.measures.rdm(values(s)[:12], square=True) for s in (1, 2)]),
        stimulus=IDS[:12],
        subject=["p", "q"],
    )
    before = [v.copy(deep=True) for v in (*a.values(), b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        run(a, b, "rsa", baseline={0: a})
    for old, new in zip(before, (*a.values(), b)):
        assert old.identical(new)


# -- RDM data, subjects, ceilings --------------------------------------------------------------------------


def brains(count=4, noise=1.0, seed=0, n=24, sessions=1):
    rng = np.random.default_rng(seed)
    true = values(1, n)
    made = [true + noise * rng.normal(size=true.shape) for _ in range(count * sessions)]
    return true, np.stack([cs.measures.rdm(x, square=True) for x in made])


@pytest.mark.filterwarnings("ignore:.ceiling-missing")
def test_rdms_and_responses_of_one_system_agree():
    x, y = values(0), values(1)
    responses, other = cs.responses(x, stimulus=IDS), cs.responses(y, stimulus=IDS)
    for distance, name in (("correlation", "correlation"), ("euclidean", "sqeuclidean")):
        d = cs.rdm_data(cs.measures.rdm(x, distance=distance, square=True), stimulus=IDS, distance=name)
        spec = functools.partial(cs.measures.rsa, distance=distance)
        assert run(d, other, spec).value == pytest.approx(run(responses, other, spec).value, abs=1e-12)
    assert run(d, other, "cka").value == pytest.approx(run(responses, other, "cka").value, abs=1e-9)


@pytest.mark.filterwarnings("ignore:.ceiling-missing")
def test_cka_of_a_correlation_rdm_normalises_the_other_side_alike():
    x, y = values(0), values(1)
    z = y - y.mean(axis=1, keepdims=True)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    w = x - x.mean(axis=1, keepdims=True)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    d = cs.rdm_data(cs.measures.rdm(y, square=True), stimulus=IDS, distance="correlation")
    result = run(cs.responses(x, stimulus=IDS), d, "cka")
    assert result.value == pytest.approx(float(cs.measures.cka(w, z)), abs=1e-9)


@pytest.mark.parametrize("distance", ["unknown", "euclidean", "cosine"])
def test_cka_of_other_distances_is_refused(distance):
    d = cs.rdm_data(cs.measures.rdm(values(1), square=True), stimulus=IDS, distance=distance)
    for a, b in ((system(0), d), (d, system(0)), (d, d)):
        with pytest.raises(
            cs.InputError, match=rf"RDM of '{distance}' distances is no kernel; .*measure='rsa'"
        ):
            run(a, b, "cka")
    with pytest.raises(cs.InputError, match=r"needs responses, and .* is known by its RDM only"):
        run(system(0), d, "linear_predictivity")


def test_value_is_the_mean_over_subjects_and_sessions_come_first():
    _, d = brains(count=3, sessions=2)
    subject = ["p", "p", "q", "q", "r", "r"]
    b = cs.rdm_data(d, stimulus=IDS, subject=subject, session=[1, 2] * 3, system="IT")
    result = run(system(0), b, "rsa")
    mine = cs.measures.rdm(values(0))
    means = [d[i : i + 2].mean(axis=0) for i in (0, 2, 4)]
    each = [float(cs.measures.compare_rdms(mine, m, method="spearman")) for m in means]
    assert result.value == pytest.approx(np.mean(each), abs=1e-12)
    assert int(result.data["n_subjects"].item()) == 3
    pooled = float(cs.measures.compare_rdms(mine, np.mean(means, axis=0), method="spearman"))
    assert float(result.data["value_pooled"].item()) == pytest.approx(pooled, abs=1e-12)
    ranks = [stats.rankdata(m[np.triu_indices(24, 1)]) for m in means]
    ranks = [(r - r.mean()) / np.linalg.norm(r - r.mean()) for r in ranks]
    low = [
        stats.spearmanr(ranks[s], np.round(np.mean(np.delete(ranks, s, 0), axis=0), 9)).statistic
        for s in range(3)
    ]
    high = [ranks[s] @ (top := np.mean(ranks, axis=0)) / np.linalg.norm(top) for s in range(3)]
    assert result.ceiling == (pytest.approx(np.mean(low), abs=1e-12), pytest.approx(np.mean(high), abs=1e-12))


def test_ceilings_hold_the_true_model():
    """Subjects are noisy copies of one truth: the true RDM scores between the ceilings."""
    true, d = brains(count=8, noise=1.0, n=24)
    b = cs.rdm_data(d, stimulus=IDS, distance="correlation", subject=range(8))
    for name in ("rsa", "cka"):
        result = run(cs.responses(true, stimulus=IDS), b, name)
        low, high = result.ceiling
        assert low - 0.03 < result.value < high + 0.01
        assert float(result.data["ratio"].item()) == pytest.approx(result.value / high)


@pytest.mark.parametrize("name", ["rsa", "cka", "linear_predictivity", "procrustes"])
def test_the_repeats_ceiling_is_what_the_true_model_reaches(name):
    """Noisy repeats of a known truth, and the truth itself as the model."""
    rng = np.random.default_rng(3)
    n, repeats = 120, 8
    ids = [f"s{i:03d}" for i in range(n)]
    true = rng.normal(size=(n, 6))
    trials = np.concatenate([true + 1.5 * rng.normal(size=true.shape) for _ in range(repeats)])
    brain = cs.responses(trials, stimulus=ids * repeats, repeat="count", kind="rate")
    result = run(cs.responses(true, stimulus=ids), brain, name, n_boot=0, n_perm=0)
    low, high = result.ceiling
    assert low < high <= 1
    assert result.value == pytest.approx(high, abs=0.05)


@pytest.mark.parametrize(("least", "most", "off"), [(6, 6, 0.03), (4, 9, 0.03), (2, 2, 0.1), (3, 3, 0.1)])
def test_the_repeats_ceiling_of_noisy_rdms_is_neither_above_nor_below_the_true_model(least, most, off):
    """The noise of an RDM has a part that falls with the square of the repeats (Spearman-Brown is 10 % too low here);
    trials in any order.
    """
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        ids = [f"i{k}" for k in range(20)]
        true = 0.5 * rng.normal(size=(20, 40))
        which = rng.permutation(np.repeat(np.arange(20), rng.integers(least, most + 1, size=20)))
        trials = true[which] + rng.normal(size=(which.size, 40))
        brain = cs.responses(trials, stimulus=[ids[k] for k in which], repeat="count", kind="rate")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            result = cs.compare(
                cs.responses(true, stimulus=ids), brain, measure=["rsa", "cka"], n_boot=0, n_perm=0, rng=0
            )
        found.append([result.data[k].values.ravel() for k in ("value", "ceiling_high")])
    value, ceiling = np.nanmean(found, axis=0)
    np.testing.assert_allclose(value, ceiling, atol=off)


def test_one_showing_has_no_ceiling_and_says_so():
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-missing"):
        result = run(system(0), system(1, kind="rate"))
    assert result.ceiling is None


def test_a_ceiling_near_zero_gives_no_ratio():
    rng = np.random.default_rng(0)
    brain = cs.responses(rng.normal(size=(48, 100)), stimulus=IDS * 2, repeat="count", kind="rate")
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-too-low"):
        result = run(system(0), brain, "linear_predictivity", n_boot=0)
    assert np.isnan(result.data["ratio"].item())


def test_the_interval_for_both_factors_is_at_least_each_alone():
    _, d = brains(count=5)
    result = run(system(0), cs.rdm_data(d, stimulus=IDS, subject=range(5)), "rsa", n_boot=400)
    both = float((result.data["ci_both_high"] - result.data["ci_both_low"]).item())
    stimuli = np.subtract(*result.interval[::-1])
    assert both > stimuli
    assert both > float((result.data["ci_subjects_high"] - result.data["ci_subjects_low"]).item())


# -- the nested best ---------------------------------------------------------------------------------------


def layers(n, signal, rng, count=6):
    """Layer k shares a growing then falling part of the brain's signal; layer 3 is best."""
    out = {}
    for k in range(count):
        weight = 1.5 * np.exp(-((k - 3) ** 2))
        turn = np.linalg.qr(rng.normal(size=(20, signal.shape[1])))[0].T
        x = 2 * weight * signal @ turn + rng.normal(size=(n, 20))
        out[f"layer{k}"] = cs.responses(x, stimulus=[f"s{i:03d}" for i in range(n)])
    return out


@pytest.mark.parametrize("name", ["rsa", "cka", "linear_predictivity"])
def test_the_best_layer_is_found(name):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(80, 5))
    a = layers(80, signal, rng)
    brain = cs.responses(
        signal @ rng.normal(size=(5, 15)) + rng.normal(size=(80, 15)),
        stimulus=[f"s{i:03d}" for i in range(80)],
    )
    result = run(a, {"IT": brain}, name, n_boot=100, n_perm=50)
    best = result.best()
    assert best.layer == "layer3"
    assert best.naive[0] == "layer3"
    assert best.value <= best.naive[1] + 0.05
    low, high = best.interval
    assert low <= best.value <= high
    assert float(best.data["p"].item()) == pytest.approx(1 / 51)


def nested_of_noise(name, seed, n=40, count=6):
    rng = np.random.default_rng(seed)
    ids = [f"s{i:02d}" for i in range(n)]
    a = {f"l{k}": cs.responses(rng.normal(size=(n, 8)), stimulus=ids) for k in range(count)}
    b = cs.responses(rng.normal(size=(n, 8)), stimulus=ids)
    best = run(a, b, name, n_boot=0, n_perm=0, rng=seed).best()
    return best.value, best.naive[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rsa", "cka", "linear_predictivity"])
def test_the_nested_best_of_noise_is_unbiased_where_the_maximum_is_not(name):
    found = np.array([nested_of_noise(name, seed) for seed in range(40)])
    nested, naive = found.T
    error = nested.std(ddof=1) / np.sqrt(40)
    assert abs(nested.mean()) < 4 * error
    assert naive.mean() > 6 * error


def test_baseline_differences_are_paired():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40, 5))
    a = layers(40, signal, rng)
    brain = cs.responses(
        signal @ rng.normal(size=(5, 15)) + rng.normal(size=(40, 15)),
        stimulus=[f"s{i:03d}" for i in range(40)],
    )
    result = run(
        a, {"IT": brain}, "cka", baseline={0: a, 7: layers(40, np.zeros_like(signal), rng)}, n_boot=200
    )
    best = result.best().data
    assert float(best["difference"].sel(seed=0).item()) == 0
    assert float(best["difference_low"].sel(seed=0).item()) == 0
    assert float(best["difference_low"].sel(seed=7).item()) > 0
