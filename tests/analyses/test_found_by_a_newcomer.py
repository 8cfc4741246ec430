"""Ways to a wrong number in silence that a first-time user found."""

import functools

import numpy as np
import pytest

import consilience as cs

IDS = [f"s{i}" for i in range(20)]


def system(seed, **labels):
    return cs.responses(np.random.default_rng(seed).normal(size=(20, 6)), stimulus=IDS, **labels)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cca", {"regularization": -1}),
        ("cca", {"regularization": 2}),
        ("svcca", {"k": 0}),
        ("svcca", {"threshold": 5}),
    ],
)
def test_options_of_a_measure_are_checked_through_compare_too(name, options):
    measure = functools.partial(getattr(cs.measures, name), **options)
    with pytest.raises(cs.InputError, match="must be"):
        cs.compare(system(0), system(1), measure=measure)


def test_sets_have_no_order_and_are_no_ids():
    with pytest.raises(cs.InputError, match="stimulus must be a list of 20 ids"):
        cs.responses(np.ones((20, 2)), stimulus=set(IDS))


def test_two_names_that_read_alike_are_refused():
    with pytest.raises(cs.InputError, match="two systems named '1'"):
        cs.compare({1: system(0), "1": system(1)}, system(2))


def test_a_measure_cannot_change_the_data_of_others():
    def greedy(x, y):
        x -= 1
        return 0.0

    with pytest.raises(cs.InputError, match=r"'greedy' failed with ValueError.*read-only"):
        cs.compare(system(0), system(1), measure=[greedy, "cka"], n_boot=0, n_perm=0)


@pytest.mark.parametrize("found", [np.nan, np.inf, np.zeros(2), None, "0.5"])
def test_a_measure_must_return_one_finite_number(found):
    with pytest.raises(cs.InputError) as error:
        cs.compare(system(0), system(1), measure=lambda x, y: found, n_boot=0, n_perm=0)
    assert error.value.code == "measure-failed"


def test_truthy_words_are_no_booleans():
    with pytest.raises(cs.InputError, match="held_out must be True or False, got 'no'"):
        cs.compare(system(0), system(1), measure="cca", held_out="no")


def test_the_ceiling_of_a_pair_does_not_depend_on_its_order():
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.normal(size=(20, 8)), 4, axis=0)
    noisy, clean = (
        cs.responses(
            truth + s * rng.normal(size=truth.shape),
            stimulus=np.repeat(IDS, 4),
            repeat="count",
            kind="rate",
            system=str(s),
        )
        for s in (1.5, 0.1)
    )
    one = cs.compare(noisy, clean, n_boot=0, n_perm=0, rng=0)
    two = cs.compare(clean, noisy, n_boot=0, n_perm=0, rng=0)
    assert one.ceiling == pytest.approx(two.ceiling)
    assert one.ceiling[1] < 0.95


def test_a_flat_pattern_names_its_system_and_stimulus():
    x = np.random.default_rng(0).normal(size=(20, 6))
    x[7] = 1.0
    flat = cs.responses(x, stimulus=IDS, system="V4")
    with pytest.raises(cs.InputError, match="system 'V4': stimulus 's7' has the same value"):
        cs.compare(flat, system(1))


def test_a_link_is_not_written_through_or_replaced(tmp_path):
    (tmp_path / "real.nc").write_text("keep")
    (tmp_path / "link.nc").symlink_to(tmp_path / "real.nc")
    with pytest.raises(cs.InputError, match="a link or a device"):
        cs.compare(system(0), system(1), n_boot=0, n_perm=0).save(tmp_path / "link.nc")
    assert (tmp_path / "real.nc").read_text() == "keep"


def test_ids_given_beside_a_file_with_other_ids_are_refused(tmp_path):
    np.savez(
        tmp_path / "own.npz",
        responses=np.random.default_rng(0).normal(size=(20, 4)),
        stimulus=np.array(IDS[::-1]),
    )
    with pytest.raises(cs.InputError, match="has stimulus ids of its own"):
        cs.sources.read_array(tmp_path / "own.npz", ids=IDS)


def test_a_hooked_network_is_not_taken_from_the_cache(tmp_path):
    torch = pytest.importorskip("torch")
    net = cs.Network(torch.nn.Sequential(torch.nn.Linear(4, 3)), preprocess=torch.from_numpy)
    assert net.fingerprint is not None
    net.module[0].register_forward_hook(lambda module, given, out: out * 50)
    assert net.fingerprint is None


def test_rdms_name_the_stimulus_of_a_flat_pattern():
    x = np.random.default_rng(0).normal(size=(20, 6))
    x[7] = 1.0
    with pytest.raises(cs.InputError, match=r"^cs\.rdms, system 'V4': stimulus 's7' has the same value"):
        cs.rdms(cs.responses(x, stimulus=IDS, system="V4"))


def noise(seed, *, n=20, p=6, **labels):
    x = np.random.default_rng(seed).normal(size=(n, p))
    return cs.responses(x, stimulus=IDS[:n], **labels)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_in_sample_measures_choose_no_best():
    several = {"one": noise(0), "two": noise(1)}
    result = cs.compare(several, noise(2), ["cka", "procrustes"], held_out=False, n_boot=20, n_perm=20, rng=0)
    assert any("in-sample values rise as stimuli get fewer" in caution.message for caution in result.warnings)
    assert list(result.best().data["measure"].values) == ["cka"]
    result = cs.compare(several, noise(2), "procrustes", held_out=False, n_boot=20, n_perm=20, rng=0)
    with pytest.raises(cs.InputError, match="no best of side a was chosen"):
        result.best()
    assert float(result.data["ci_high"].max()) <= 1


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_labels_that_differ_between_systems_are_refused():
    a = noise(0, category=np.repeat(range(5), 4))
    b = noise(1, category=np.tile(range(5), 4))
    for options in ({"groups": "category"}, {"by": "category"}):
        with pytest.raises(cs.InputError, match="stimulus 's1' has category 0 in 'a' and 1 in 'b'") as caught:
            cs.compare(a, b, "cka", n_boot=0, n_perm=0, **options)
        assert caught.value.code == "labels-differ"
    with pytest.raises(cs.InputError, match="groups must be the name of a label on trial, got ndarray"):
        cs.compare(a, a, "cka", groups=np.repeat(range(5), 4))


def test_groups_say_what_they_do_not_do():
    a = {"one": noise(0, category=np.repeat([0, 1], 10)), "two": noise(1, category=np.repeat([0, 1], 10))}
    with pytest.warns(cs.ConsilienceWarning) as said:
        result = cs.compare(
            a, noise(2), "linear_predictivity", groups="category", n_boot=10, n_perm=10, rng=0
        )
    codes = {caution.code for caution in result.warnings}
    assert {"groups-not-resampled", "best-not-chosen"} <= codes
    assert any("has 2 groups, too few to choose" in str(one.message) for one in said)


def test_the_best_says_that_it_is_not_refitted():
    with pytest.warns(cs.ConsilienceWarning, match="refit=True refits for the intervals of single pairs"):
        cs.compare(
            {"one": noise(0), "two": noise(1)}, noise(2), "procrustes", refit=True, n_boot=10, n_perm=0, rng=0
        )


def test_repeats_that_do_not_agree_give_no_ceiling():
    rng = np.random.default_rng(3)
    noisy = cs.responses(rng.normal(size=(40, 5)), stimulus=IDS * 2, repeat="count", system="pure noise")
    with pytest.warns(cs.ConsilienceWarning, match="'pure noise': its repeats do not agree with each other"):
        result = cs.compare(noise(0), noisy, "cka", n_boot=0, n_perm=0)
    assert np.isnan(result.data["ceiling_high"].item())


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("measures", [["cka", "procrustes"], ["procrustes", "cka"], ["procrustes"]])
def test_results_without_a_best_are_drawn_and_reported(measures, tmp_path):
    from consilience import report

    a = {"one": noise(0), "two": noise(1)}
    result = cs.compare(a, noise(2), measures, held_out=False, n_boot=20, n_perm=20, rng=0)
    assert len(result.plot().figure.get_axes()) >= len(measures)
    report.write(tmp_path / "report.html", {"in-sample": result}, title="In-sample")
    assert "procrustes (in-sample)" in (tmp_path / "report.html").read_text()


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_recorded_seed_can_be_passed_back(tmp_path):
    options = {"measure": "cka", "n_boot": 20, "n_perm": 20}
    for given in (0, None, np.random.SeedSequence(2**140).spawn(2)[1]):
        drawn = cs.compare(system(0), system(1), rng=given, **options)
        kept = cs.load(drawn.save(tmp_path / f"{drawn.seed[:9]}.nc"))
        again = cs.compare(system(0), system(1), rng=kept.seed, **options)
        assert again.seed == drawn.seed
        np.testing.assert_array_equal(again.draws, drawn.draws)


def test_warnings_say_the_side_where_both_have_the_name():
    dead = system(0).copy()
    dead[:, 5] = 1.0
    nets = {"2": dead, "3": system(1)}
    with pytest.warns(cs.ConsilienceWarning) as said:
        found = cs.compare(nets, {"2": dead, "5": dead}, n_boot=0, n_perm=0, rng=0)
    dropped = [str(w.message) for w in said if "constant-units" in str(w.message)]
    assert [text.split(": 1 of 6")[0] for text in dropped] == [
        "[constant-units] '2' (side a)",
        "[constant-units] '2' (side b)",
        "[constant-units] '5'",
    ]
    assert repr(found).count("constant-units") == 1  # a code once; the rest is counted
    assert "and were dropped. (+2 more)" in " ".join(repr(found).split())
