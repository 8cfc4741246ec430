"""`cs.dimensionality`: what it takes, refuses and says."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience.study import run

RATIOS = ["participation_ratio", "participation_ratio_units"]


def brain(n=60, units=40, dims=5, repeats=3, noise=1.0, kind="rate", seed=0, **labels) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, dims)) @ rng.normal(size=(dims, units)) / np.sqrt(dims)
    ids = np.repeat(np.arange(n), repeats)
    x = signal[ids] + noise * rng.normal(size=(ids.size, units))
    more = {"repeat": "count"} if repeats > 1 else {}
    return cs.responses(x, stimulus=ids, kind=kind, system="V1", **more, **labels)


def network(n=60, units=50, dims=6, seed=1) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dims)) @ rng.normal(size=(dims, units))
    return cs.responses(x, stimulus=np.arange(n), kind="activation", system="net")


def test_noisy_responses_with_repeats():
    found = cs.dimensionality(brain(units=30), n_perm=10, rng=0)
    assert found.data["measure"].values.tolist() == [*RATIOS, "cvpca", "shared"]
    at = found.data.sel(system="V1", measure="participation_ratio")
    assert at["ci_low"] < 5 < at["ci_high"]
    assert at["p"] == pytest.approx(1 / 11)
    assert found.data["value"].sel(system="V1", measure="shared") == 5
    direct = cs.populations.participation_ratio(brain(units=30).values, brain()["stimulus"].values, n_perm=0)
    assert at["value"] == pytest.approx(direct.value)
    assert found.spectrum["kind"].values.tolist() == ["cvPCA"]
    grown = found.extrapolated.sel(system="V1")
    assert np.all(np.diff(grown["value"].values) > 0)
    assert grown["value"].values[-1] == pytest.approx(float(at["value"]))
    assert found.counts["repeats"].item() == 3
    assert "V1: 30 units, 180 trials, 60 stimuli" in repr(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of files broken on purpose
def test_result_passes_the_checks_of_results():
    cs.testing.check_result(cs.dimensionality(brain(), measures=RATIOS, n_perm=4, rng=0))


def test_one_noisy_trial_is_refused_with_a_way_on():
    single = brain(repeats=1)
    with pytest.raises(cs.InputError, match="a single trial of some stimuli") as error:
        cs.dimensionality(single)
    assert error.value.code == "no-repeats"
    assert "measures=['shared']" in str(error.value)
    assert "kind='activation'" in str(error.value)
    with pytest.raises(cs.InputError, match="need >= 2 repeats"):
        cs.dimensionality(single, measures="cvpca")
    assert (
        cs.dimensionality(brain(n=150, units=25, repeats=1), measures="shared", n_perm=0, rng=0).data["value"]
        == 5
    )


def test_one_trial_of_a_network_is_fine_and_repeats_of_it_are_copies():
    net = network()
    found = cs.dimensionality(net, n_perm=4, rng=0)
    assert found.data["measure"].size == 7
    assert found.spectrum["kind"].values.tolist() == ["PCA"]
    twice = xr.concat([net, net], dim="trial").assign_coords(repeat=("trial", np.repeat([0, 1], 60)))
    again = cs.dimensionality(twice, measures=RATIOS, n_perm=0, rng=0)
    assert np.allclose(again.data["value"], found.data["value"].sel(measure=RATIOS))


def test_neighbours_of_noisy_means_warn():
    with pytest.warns(cs.ConsilienceWarning, match="noise-counts"):
        found = cs.dimensionality(brain(), measures=["two_nn", "effective_rank"], n_perm=2, rng=0)
    assert [caution.code for caution in found.warnings] == ["noise-counts"]


def test_series_are_split_in_time():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 2)) @ rng.normal(size=(2, 20)) + rng.normal(size=(1200, 20))
    series = xr.DataArray(
        x, dims=("time", "unit"), coords={"time": np.arange(1200) * 0.1}, attrs={"kind": "dff", "system": "a"}
    )
    found = cs.dimensionality(series, measures=["svca"], gap=0, rng=0)
    assert found.data["value"].item() == 2
    assert found.counts["n_samples"].item() == 1200
    with pytest.raises(cs.InputError, match=r"is a series .* of which cvpca cannot be had"):
        cs.dimensionality(series, measures="cvpca")
    with pytest.raises(cs.InputError, match="is trials, of which svca cannot be had"):
        cs.dimensionality(network(), measures="svca")


def test_by_another_label_and_over_time():
    values = brain(n=12, repeats=5).values
    data = cs.responses(values, stimulus=np.arange(60), kind="rate", category=np.repeat(np.arange(12), 5))
    found = cs.dimensionality(data, by="category", measures=RATIOS, n_perm=0, rng=0)
    assert found.counts["n_stimuli"].item() == 12
    assert found.counts["repeats"].item() == 5
    with pytest.raises(cs.InputError, match="by must be a label on trial") as error:
        cs.dimensionality(data, by="colour")
    assert error.value.code == "bad-by"
    flat = brain()
    timed = xr.DataArray(
        np.stack([flat.values, flat.values], axis=1),
        dims=("trial", "time", "unit"),
        coords={"stimulus": flat["stimulus"], "repeat": flat["repeat"], "time": [0.0, 0.1]},
        attrs=flat.attrs,
    )
    one, two = (cs.dimensionality(d, measures=RATIOS, n_perm=0, rng=0).data["value"] for d in (flat, timed))
    assert np.allclose(one, two)


def test_several_systems_matched():
    systems = {"net": network(n=80, units=120, dims=5), "V1": brain(n=60, noise=1.0)}
    plain = cs.dimensionality(systems, measures=RATIOS, n_perm=0, rng=0)
    assert plain.counts["n_units"].values.tolist() == [120, 40]
    found = cs.dimensionality(systems, measures=RATIOS, match="all", n_match=4, n_perm=0, rng=0)
    assert found.counts["n_units"].values.tolist() == [40, 40]
    assert found.counts["repeats"].values.tolist() == [3, 3]
    assert found.settings["matched"]["units"] == 40
    at = found.data.sel(measure="participation_ratio")
    assert np.all((at["ci_low"] < 5) & (at["ci_high"] > 5))
    again = cs.dimensionality(systems, measures=RATIOS, match="all", n_match=4, n_perm=0, rng=0)
    assert np.array_equal(found.data["value"], again.data["value"])
    with pytest.raises(cs.InputError, match="there is one"):
        cs.dimensionality(systems["V1"], match="units", measures=RATIOS)


def test_bad_options():
    with pytest.raises(cs.InputError, match="Did you mean 'two_nn'"):
        cs.dimensionality(network(), measures="twonn")
    with pytest.raises(cs.InputError, match="measures is empty"):
        cs.dimensionality(network(), measures=[])
    with pytest.raises(cs.InputError, match="first < last"):
        cs.dimensionality(network(), fit=(3, 1))
    with pytest.raises(cs.InputError, match="n_perm=1 says nothing"):
        cs.dimensionality(network(), n_perm=1)
    with pytest.raises(cs.InputError, match="none of the 50 units varies"):
        cs.dimensionality(network() * 0)


def test_too_few_to_bound_it_is_said():
    unbounded = np.random.default_rng(0).normal(size=(20, 10))
    data = cs.responses(unbounded, stimulus=np.arange(20), kind="activation")
    with pytest.warns(cs.ConsilienceWarning, match="unbounded-dimension"):
        found = cs.dimensionality(data, measures="participation_ratio", n_perm=0, rng=0)
    assert found.data["ci_high"] == np.inf
    assert found.data["ci_low"] > 8
    with pytest.warns(cs.ConsilienceWarning, match="no-signal"):
        cs.dimensionality(
            brain(n=8, units=6, repeats=2, noise=50.0), measures="participation_ratio", n_perm=0, rng=0
        )


def test_plot_report_file_and_words(tmp_path):
    systems = {"net": network(), "V1": brain()}
    found = cs.dimensionality(systems, measures=[*RATIOS, "cvpca"], fit=(1, 5), n_perm=5, rng=0)
    ax = found.plot()
    assert [panel.get_title(loc="left") for panel in ax.figure.axes if panel is not ax] == [
        "estimates",
        "spectrum (PCA, cvPCA)",
        "with more units",
        "with more stimuli",
    ]
    found.plot(systems="V1")
    loaded = cs.load(found.save(tmp_path / "d.nc"))
    assert loaded.to_frame().equals(found.to_frame())
    from consilience.report._sentences import sentences

    said = sentences(found)
    assert said[0].startswith("net: participation ratio, corrected ")
    assert "unrelated units: above " in said[0]
    page = cs.report.render({"dimensions": found}, title="Dimensions")
    assert "participation ratio, corrected" in page


def test_study(tmp_path):
    brain().to_netcdf(tmp_path / "v.nc")
    (tmp_path / "study.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n  v1: {read: v.nc}\nanalyses:\n"
        "  - dimensionality: {data: v1, measures: [participation_ratio], n_perm: 5, name: table}\n"
    )
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    assert 3 < done.results["table"].data["value"].item() < 9


def test_exemplars_of_a_category_are_repeats_whatever_the_kind():
    rng = np.random.default_rng(0)
    c = np.repeat(np.arange(30), 5)
    x = (rng.normal(size=(30, 2)) @ rng.normal(size=(2, 60)))[c] + 4 * rng.normal(size=(150, 60))
    found = {}
    for kind in ("activation", "rate"):
        data = cs.responses(x, kind=kind, stimulus=[f"i{k}" for k in range(150)], category=c)
        found[kind] = cs.dimensionality(data, by="category", measures=RATIOS, n_perm=0, rng=0)
    assert np.array_equal(found["activation"].data["value"], found["rate"].data["value"])
    assert found["activation"].counts["n_trials"].item() == 150
    assert found["activation"].counts["n_stimuli"].item() == 30
    assert found["activation"].data["value"].values.flat[0] < 3
    alone = np.where(np.arange(150) == 149, 99, c)
    data = cs.responses(x, kind="activation", stimulus=[f"i{k}" for k in range(150)], category=alone)
    with pytest.raises(cs.InputError, match="and others a single one"):
        cs.dimensionality(data, by="category", measures=RATIOS)
    matched = cs.dimensionality(
        {"a": data[:149], "b": data[:148]},
        by="category",
        measures=RATIOS[1],
        match="trials",
        n_match=2,
        n_perm=0,
    )
    assert matched.counts["repeats"].values.tolist() == [3, 3]


def test_one_measure_that_needs_more_points_does_not_refuse_the_others():
    few = network(n=8, dims=1)
    with pytest.warns(
        cs.ConsilienceWarning, match="two_nn of 'net' is left out: at least 10 distinct points"
    ):
        found = cs.dimensionality(few, n_perm=0, rng=0)
    assert "two_nn" not in found.data["measure"].values
    assert "neighbours." not in str(found.warnings[0])
    with pytest.raises(cs.InputError, match="at least 10 distinct points are needed, got 8"):
        cs.dimensionality(few, measures=["two_nn"])


@pytest.mark.parametrize("dims", [1, 5, 20])
def test_no_exponent_of_few_dimensions_is_a_note_unless_asked_for(dims):
    x = np.random.default_rng(0).normal(size=(120, dims))
    if dims < 20:
        x = x @ np.random.default_rng(1).normal(size=(dims, 60))  # the spectrum ends; else it is flat
    data = cs.responses(x, stimulus=np.arange(120), kind="activation", system="net")
    found = cs.dimensionality(data, measures=None, n_perm=0, rng=0) if dims < 20 else None
    with pytest.warns(cs.ConsilienceWarning, match="no-exponent") as said:
        named = cs.dimensionality(data, measures="cvpca", n_perm=0, rng=0)
    assert "more trials" not in str(said[0].message)
    assert np.isnan(named.data["value"].item())
    if found is not None:
        assert not found.warnings
        note = found.data["note"].sel(measure="cvpca").item()
        assert note.endswith(f"(the spectrum ends at rank {dims})")
        assert note in repr(found)
        assert note in found.to_frame()["note"].values


def test_all_tables_are_medians_over_the_same_draws():
    systems = {"net": network(units=120, dims=12), "V1": network(units=30, dims=5, seed=3)}
    found = cs.dimensionality(
        systems, measures=[*RATIOS, "cvpca"], fit=(1, 4), match="units", n_match=3, n_perm=0, rng=0
    )
    value = found.data["value"].sel(measure="participation_ratio").values
    assert np.array_equal(found.extrapolated["value"].values[:, -1], value)
    assert np.allclose(found.saturation["value"].sel(along="units").values[:, -1], value)
    exponent = found.data["value"].sel(measure="cvpca").values
    assert np.array_equal(found.spectrum["exponent"].values, exponent, equal_nan=True)
    one = cs.dimensionality(systems, measures=RATIOS, match="units", n_match=1, n_perm=0, rng=0)
    assert one.data["value"].sel(measure="participation_ratio").values[0] != value[0]


def test_a_pseudo_population_is_drawn_and_matched_by_the_names_of_its_conditions():
    names = np.array([f"s{k}" for k in range(12)])
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(12, 2)) @ rng.normal(size=(2, 15))
    ids = np.repeat(np.arange(12), 6)
    parts = {
        f"u{u}": cs.responses(
            signal[ids, u : u + 1] + 0.3 * rng.normal(size=(72, 1)),
            stimulus=names[ids],
            repeat="count",
            kind="rate",
            object=names[ids],
        )
        for u in range(15)
    }
    population = cs.pseudo_population(parts, by="object")
    found = cs.dimensionality(population, measures=RATIOS[1], n_match=3, n_perm=0, rng=0)
    assert found.counts["repeats"].item() == 6
    assert found.settings["pseudo"] == ["pseudo-population"]
    assert "medians over 3 draws of pseudo-trials" in repr(found)
    assert 1 < found.data["value"].item() < 3
    x = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 30))
    net = cs.responses(x, stimulus=[f"s{k}" for k in range(20)], kind="activation")
    both = {"IT": population, "net": net}
    options = {"measures": RATIOS[1], "n_match": 2, "n_perm": 0, "rng": 0}
    matched = cs.dimensionality(both, match="all", **options)
    assert matched.counts["n_stimuli"].values.tolist() == [12, 12]
    assert matched.counts["n_units"].values.tolist() == [15, 15]
    with pytest.warns(cs.ConsilienceWarning, match=r"stimuli-differ.*'IT' 12, 'net' 20"):
        cs.dimensionality(both, match="units", **options)
    other = net.assign_coords(stimulus=("trial", np.arange(20)))
    with pytest.warns(cs.ConsilienceWarning, match=r"stimuli-not-shared.* 12 of each system were drawn"):
        drawn = cs.dimensionality({"IT": population, "net": other}, match=["stimuli", "units"], **options)
    assert drawn.counts["n_stimuli"].values.tolist() == [12, 12]


def test_means_over_time_are_said():
    x = np.random.default_rng(0).normal(size=(40, 5, 6))
    data = cs.responses(
        x, stimulus=np.arange(40), kind="activation", dims=("trial", "time", "unit"), time=np.arange(5) * 0.1
    )
    found = cs.dimensionality(data, measures="effective_rank", n_perm=0, rng=0)
    assert "means over time; of one bin: data.sel(time=...)" in repr(found)
    assert "over time" not in repr(cs.dimensionality(data[:, 0], measures="effective_rank", n_perm=0, rng=0))


def test_the_range_of_shared_dimensionality_holds_it_and_only_the_fit_of_all_speaks(monkeypatch):
    from consilience._core._errors import warn
    from consilience.analyses import _dimensionality_measures as measures

    numbers = iter([5, *[3, 4, 3, 4, 3]])

    def fitted(*_):
        number = next(numbers)
        warn("noise-at-floor", f"FactorAnalysis.fit: of {number}.", "Look.")
        return number, 50.0

    monkeypatch.setattr(measures, "_factors", fitted)
    with pytest.warns(cs.ConsilienceWarning, match="5 factors explain some of its 25 units wholly"):
        found = cs.dimensionality(brain(n=30, units=25), measures="shared", n_perm=0, rng=0)
    assert len(found.warnings) == 1
    assert found.data[["value", "ci_low", "ci_high"]].to_array().values.ravel().tolist() == [5, 3, 5]
