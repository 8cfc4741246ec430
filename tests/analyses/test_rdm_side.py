"""RDMs from trials and what is made of them: what a first-time user with repeats got wrong in silence."""

import functools
import warnings

import numpy as np
import pytest

import consilience as cs

pytestmark = pytest.mark.filterwarnings("ignore:.*reliability-missing")  # four runs: halves are small

IDS = [f"s{i}" for i in range(8)]


def trials(seed=0, *, runs=4, units=20, order=None, scale=1.0, drop=(), **labels):
    """8 stimuli x 4 runs; ``order``: of the stimuli in each run; ``drop``: rows that are left out."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(8, units))
    rows = np.concatenate([np.arange(8) if order is None else order(run) for run in range(runs)])
    x = (truth[rows] + rng.normal(size=(8 * runs, units))) * scale
    keep = np.setdiff1d(np.arange(8 * runs), drop)
    return cs.responses(
        x[keep],
        stimulus=np.array(IDS)[rows][keep],
        repeat="count",
        run=np.repeat(np.arange(runs), 8)[keep],
        system="area",
        **labels,
    )


def model(vector=None):
    d = np.abs(np.subtract.outer(np.arange(8.0), np.arange(8.0))) if vector is None else vector
    return cs.rdm_data(d, stimulus=IDS, system="model")


# -- RDMs of several parts are matched by id


def test_rdms_in_a_mapping_are_matched_by_id():
    data = trials(order=lambda run: np.random.default_rng(run).permutation(8))
    parts = {
        f"runs {kept}": cs.rdms(
            data[np.isin(data["run"], kept)], folds="run", noise=None, n_splits=0, n_boot=0
        )
        for kept in ([0, 1], [2, 3])
    }
    orders = [one.rdms["stimulus"].values.tolist() for one in parts.values()]
    assert orders[0] != orders[1]
    brain = cs.rdm_data(parts, system="brain")
    assert brain["subject"].values.tolist() == list(parts)
    assert brain.attrs["distance"] == "crossnobis"
    for one, name in zip(brain, parts):
        there = parts[name].rdms[0]
        expected = there.sel(stimulus=brain["stimulus"], stimulus_=brain["stimulus_"].values)
        np.testing.assert_allclose(one.values, expected.values)
    as_data = cs.rdm_data({name: one.to_rdm_data()["area"] for name, one in parts.items()})
    np.testing.assert_array_equal(as_data.values, brain.values)


def test_rdms_in_a_mapping_are_refused_where_they_do_not_fit():
    one, two = trials(0), trials(1)
    both = cs.rdms({"a": one, "b": two}, distance="euclidean", n_splits=0)
    with pytest.raises(cs.InputError, match=r"are of 2 systems \(a, b\); choose one"):
        cs.rdm_data({"x": both})
    with pytest.raises(cs.InputError, match="take one system with"):
        cs.rdm_data(both, stimulus=IDS)
    with pytest.raises(cs.InputError, match="leave stimulus="):
        cs.rdm_data({"x": model()}, stimulus=IDS)
    with pytest.raises(cs.InputError, match="of one distance"):
        cs.rdm_data({"x": model(), "y": both.to_rdm_data()["a"]})
    with pytest.raises(cs.InputError, match="another order"):
        cs.rdm_data(both.rdms, stimulus=IDS[::-1], subject=["a", "b"])
    with pytest.raises(cs.InputError, match="2 subjects"):
        cs.rdm_data({"x": cs.rdm_data(both.rdms, stimulus=IDS, subject=["a", "b"])})
    with pytest.raises(cs.InputError, match="at least one"):
        cs.rdm_data({})


# -- values that are very large or very small


@pytest.mark.parametrize("scale", [1e-170, 1e200])
def test_rdms_of_any_size_or_a_sentence(scale):
    one, other = trials(), trials(scale=scale)
    for distance in ("crossnobis", "mahalanobis"):
        given = {"distance": distance, "folds": "run" if distance == "crossnobis" else None, "n_boot": 0}
        np.testing.assert_allclose(
            cs.rdms(other, **given).rdms.values, cs.rdms(one, **given).rdms.values, rtol=1e-8, atol=1e-10
        )
    for options in ({"folds": "run", "noise": None}, {"distance": "euclidean"}):
        with pytest.raises(cs.InputError, match=r"system 'area': values around .* in another unit") as error:
            cs.rdms(other, **options)
        assert error.value.code == "out-of-range"


# -- nothing that was asked for is passed over in silence

PLACES = {"x": ("unit", np.arange(20.0))}
OFF = {"n_boot": 0}


def refused(code, match, call):
    with pytest.raises(cs.InputError, match=match) as error:
        call()
    assert error.value.code == code


def test_a_misspelt_label_or_noise_is_refused_whatever_the_distance():
    one = trials()
    movie = cs.responses(
        one.values[:, None, :].repeat(2, 1),
        dims=("trial", "time", "unit"),
        stimulus=one["stimulus"].values,
        repeat="count",
        time=[0.0, 0.1],
        run=one["run"].values,
    )
    near = one.assign_coords(PLACES)
    plain = {"distance": "correlation", **OFF}
    refused("unknown-label", "no system has a label 'rnu'.*'run'", lambda: cs.rdms(one, folds="rnu", **plain))
    refused("unknown-label", "'rnu'", lambda: cs.searchlight(near, model(), radius=2, folds="rnu", **plain))
    refused("unknown-label", "'rnu'", lambda: cs.rdm_movie(movie, folds="rnu", **plain))
    for verb, data in ((cs.rdms, one), (cs.rdm_movie, movie)):
        for noise, code, text in (
            ("shrinkag", "unknown-option", "noise"),
            ("diagonal", "bad-noise", "leave noise= out"),
        ):
            refused(code, text, functools.partial(verb, data, noise=noise, **plain))
    refused(
        "bad-parameter",
        "folds='run' is for distance='crossnobis'",
        lambda: cs.searchlight(near, model(), radius=2, folds="run", **plain),
    )
    refused("needs-responses", "RDM data has no trials", lambda: cs.rdms(model(), folds="run"))
    right = (
        cs.rdms(one, folds="run", **OFF),
        cs.searchlight(near, model(), radius=2, folds="run", n_boot=0, n_perm=0),
    )
    assert [found.settings["distance"] for found in right] == ["crossnobis", "crossnobis"]


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_folds_or_noise_without_repeats_do_not_change_the_distance_in_silence():
    one = trials(drop=[8, 16, 24])  # of s0 the first run alone is left
    text = r"folds= is for trials that repeat, and 1 stimulus of 'area' has a single valid trial \('s0'\)"
    refused("no-repeats", text, lambda: cs.rdms(one, folds="run"))
    refused("no-repeats", "noise= is for trials", lambda: cs.rdms(one, noise="diagonal"))
    near = one.assign_coords(PLACES)
    refused("no-repeats", text, lambda: cs.searchlight(near, model(), radius=2, folds="run"))
    assert cs.rdms(one, **OFF).settings["distance"] == "correlation"
    assert cs.rdms(one, distance="correlation", folds="run", **OFF).settings["folds"] == "run"


def test_the_advice_on_single_trials_works():
    one = trials(drop=[8, 16, 24])
    with pytest.warns(cs.ConsilienceWarning) as seen:
        cs.rdms(one, **OFF)
    said = next(w.message for w in seen if w.message.code == "ceiling-missing")
    rest = eval(said.remedy.split(": ", 1)[1].rstrip("."), {"data": one})
    found = cs.rdms(rest, folds="run", noise="diagonal", **OFF)
    assert found.settings["distance"] == "crossnobis"
    assert "s0" not in found.rdms["stimulus"].values


# -- searchlight


def test_spheres_that_are_too_small_are_said():
    far = trials().assign_coords(x=("unit", 10.0 * np.arange(20)))
    options = {"distance": "correlation", "n_boot": 0, "n_perm": 0}
    refused(
        "small-spheres",
        "no sphere has the 3 units.*largest has 1.*nearest two units are 10 apart",
        lambda: cs.searchlight(far, model(), radius=2, **options),
    )
    edge = trials().assign_coords(x=("unit", np.r_[np.arange(19.0), 50.0]))
    with pytest.warns(cs.ConsilienceWarning, match="3 of 20 spheres have fewer than the 3 units"):
        found = cs.searchlight(edge, model(), radius=1, **options)
    assert int(np.isnan(found.data["value"]).sum()) == 3
    assert [w.code for w in found.warnings] == ["small-spheres"]
    with pytest.warns(cs.ConsilienceWarning, match="holds one unit alone"):
        cs.searchlight(far, model(), radius=2, folds="run", n_boot=0, n_perm=0)


def test_a_place_that_is_nan_is_named():
    lost = trials().assign_coords(x=("unit", np.r_[np.arange(3.0), np.nan, np.arange(4.0, 20)]))
    refused(
        "nan-values",
        "coordinate 'x' is nan for 1 of 20 units, the first is unit 3; drop them",
        lambda: cs.searchlight(lost, model(), radius=2),
    )
    kept = lost.isel(unit=np.isfinite(lost["x"].values))  # what is advised
    found = cs.searchlight(kept, model(), radius=2, folds="run", n_boot=0, n_perm=0)
    assert found.data.sizes["unit"] == 19


# -- names in messages


def test_an_rdm_without_structure_is_named():
    flat = cs.rdm_data(1 - np.eye(8), stimulus=IDS, system="flat")
    text = "RDM of system 'flat' are equal .1., so that it has no structure"
    refused("constant-rdm", text, lambda: cs.compare(flat, model(), n_boot=0, n_perm=0))
    near = trials().assign_coords(PLACES)
    text = r"cs.searchlight: all entries of the RDM of target\['flat'\]"
    refused("constant-rdm", text, lambda: cs.searchlight(near, flat, radius=2, n_boot=0, n_perm=0))
    both = {"flat": flat, "other": model()}
    with pytest.raises(cs.InputError) as error:
        cs.compare(both, model(), n_boot=0, n_perm=0)
    assert "'flat'" in str(error.value)
    assert "'other'" not in str(error.value)


def test_negative_counts_and_milliseconds_are_doubted():
    x = np.random.default_rng(0).normal(size=(4, 3))
    with pytest.warns(cs.ConsilienceWarning, match="kind='count' and values below 0") as seen:
        cs.responses(x, stimulus=list("abcd"), kind="count")
    assert [w.message.code for w in seen] == ["negative-counts"]
    cs.responses(np.abs(x), stimulus=list("abcd"), kind="count")
    epochs = {"stimulus": list("abcd"), "dims": ("trial", "time", "unit")}
    with pytest.warns(cs.ConsilienceWarning, match="from -200 to 400 s within a trial.*divide") as seen:
        cs.responses(x[:, :, None], time=[-200, 100, 400], **epochs)
    assert [w.message.code for w in seen] == ["long-epoch"]
    cs.responses(x[:, :, None], time=[-0.2, 0.1, 0.4], **epochs)


# -- RDMs that were saved are data


def test_saved_rdms_are_read_as_rdm_data(tmp_path):
    from consilience.sources import read_array

    one, two = trials(0), trials(1)
    cs.rdms(one, folds="run", noise="diagonal", **OFF).save(tmp_path / "one.nc")
    got = read_array(tmp_path / "one.nc", system="area")
    expected = cs.rdms(one, folds="run", noise="diagonal", **OFF).to_rdm_data()["area"]
    np.testing.assert_array_equal(got.values, expected.values)
    assert got.attrs["distance"] == "crossnobis"
    cs.rdms({"a": one, "b": two}, folds="run", noise="diagonal", **OFF).save(tmp_path / "two.nc")
    assert read_array(tmp_path / "two.nc", member="b").attrs["system"] == "b"
    refused("which-member", "are of 'a', 'b': it has 2 systems", lambda: read_array(tmp_path / "two.nc"))
    refused("which-member", "no system 'c'", lambda: read_array(tmp_path / "two.nc", member="c"))
    refused("ids-differ", "ids of their own", lambda: read_array(tmp_path / "one.nc", ids=IDS[::-1]))
    refused("bad-rdm", "not 'cosine'", lambda: read_array(tmp_path / "one.nc", rdm="cosine"))
    refused("bad-label", "leave labels out", lambda: read_array(tmp_path / "one.nc", labels={"run": [1]}))
    other = cs.compare(one, two, n_boot=0, n_perm=0)
    other.save(tmp_path / "other.nc")
    refused("is-a-result", "is a result", lambda: read_array(tmp_path / "other.nc"))
    np.save(tmp_path / "x.npy", one.values)
    refused("bad-system", "leave it out", lambda: read_array(tmp_path / "x.npy", member="a"))


def test_a_study_reads_saved_rdms(tmp_path):
    cs.rdms({"a": trials(0), "b": trials(1)}, folds="run", noise="diagonal", **OFF).save(tmp_path / "r.nc")
    model().to_netcdf(tmp_path / "m.nc", engine="h5netcdf")
    (tmp_path / "s.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n  area: {read: r.nc, system: b}\n  model: {read: m.nc}\n"
        "analyses:\n  - partition: {data: area, models: model, n_boot: 0, n_perm: 0}\n"
    )
    run = cs.study.run(tmp_path / "s.yaml", report=False)
    assert run.exit_code == 0
    assert not run.failures


# -- models with few different relabellings


def test_the_smallest_p_of_a_model_of_one_against_the_rest_is_said():
    house = (np.arange(8) == 0).astype(float)
    rest = cs.rdm_data(np.abs(np.subtract.outer(house, house)), stimulus=IDS, system="house")
    text = r"Model 'house' has 8 relabellings that differ: its p is at least 0.12"
    near = trials().assign_coords(PLACES)
    for call in (
        lambda: cs.partition(model(), {"house": rest}, n_boot=0, n_perm=50, rng=0),
        lambda: cs.searchlight(near, rest, radius=2, folds="run", n_boot=0, n_perm=50),
    ):
        with pytest.warns(cs.ConsilienceWarning, match=text):
            found = call()
        assert [w.code for w in found.warnings] == ["few-relabellings"]
    cs.searchlight(near, rest, radius=2, folds="run", n_boot=0, n_perm=0)
    cs.searchlight(near, model(), radius=2, folds="run", n_boot=0, n_perm=50)


def test_compare_says_it_once_for_each_system_of_rdms():
    house = (np.arange(8) == 0).astype(float)
    rest = cs.rdm_data(np.abs(np.subtract.outer(house, house)), stimulus=IDS, system="house")
    both = {"house": rest, "other": model()}
    few = cs.rdm_data(
        cs.measures.rdm(np.random.default_rng(0).normal(size=(4, 9))), stimulus=IDS[:4], system="few"
    )
    options = {"n_boot": 0, "n_perm": 50, "rng": 0}

    def said(*sides, measure="rsa", **options):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            found = cs.compare(*sides, measure, **options)
        assert len(seen) == len(found.warnings)
        return [(w.message, w.remedy) for w in found.warnings if w.code == "few-relabellings"]

    ((message, remedy),) = said(
        both, both, measure=["rsa", functools.partial(cs.measures.rsa, method="pearson")], **options
    )
    assert message == "RDM data 'house' has 8 relabellings that differ: its p is at least 0.12."
    assert "some are alike" in remedy
    ((message, remedy),) = said(few, few, **options)
    assert "24 relabellings" in message
    assert remedy == "4 stimuli have no more, so more permutations do not help; more stimuli would."
    assert not said(both, both, **{**options, "n_perm": 0})
    assert not said(model(), trials(), **options)


# -- what is drawn and said


def test_a_map_of_signed_values_parts_its_colours_at_zero():
    from matplotlib.collections import PatchCollection

    near = trials().assign_coords(x=("unit", np.arange(20.0) % 5), y=("unit", np.arange(20.0) // 5))
    found = cs.searchlight(near, model(), radius=1, folds="run", n_boot=0, n_perm=0)
    value = found.data["value"].values
    assert value.min() < 0 < value.max()
    box = found.plot().child_axes[0]
    image = next(c for c in box.collections if isinstance(c, PatchCollection))
    low, high = image.get_clim()
    assert low == pytest.approx(-high)
    assert high == pytest.approx(np.abs(value).max())
    assert box.get_title(loc="left") == "area and model"


def test_the_sentence_of_the_best_model_says_where_it_is_not_told_apart():
    from consilience.report._sentences import SENTENCES

    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 5))
    near = [x + 0.3 * rng.normal(size=x.shape) for _ in range(6)]
    rdms = [cs.measures.rdm(one, distance="euclidean", square=True) for one in near]
    data = cs.rdm_data(np.stack(rdms[:4]), stimulus=IDS, subject=list("ABCD"), system="area")
    models = {name: model(d) for name, d in zip(("one", "two"), rdms[4:])}
    found = cs.evaluate_models(models, data, method="pearson", n_boot=200, n_perm=50, rng=0)
    said = SENTENCES["ModelEvaluation"](found)
    p = float(found.pairs_frame()["p_corrected"].iloc[0])
    assert ("explains the data best" in said[0]) == (p < 0.05)
    assert ("is not told apart from the next" in said[0]) == (p >= 0.05)
    parts = SENTENCES["VariancePartition"](cs.partition(data, models, n_boot=0, n_perm=50, rng=0))
    assert any("alone adds" in one and "to what the other model explains" in one for one in parts)
