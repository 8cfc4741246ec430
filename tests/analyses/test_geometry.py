"""The verb `geometry`: the table of measures, labels that cross, systems, pseudo-populations, the result."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience._core._citations import bibtex
from consilience.analyses._geometry_measures import GEOMETRY

OURS = ["ccgp", "parallelism", "shattering"]
QUICK = {"methods": OURS, "n_null": 20, "rng": 0}


def population(*, factorised: bool = True, trials: int = 6, seed: int = 0, units: int = 60, name: str = "it"):
    rng = np.random.default_rng(seed)
    thing, place = np.repeat([0, 1], 3), np.tile([0, 1, 2], 2)
    means = (
        rng.normal(size=(2, units))[thing] + rng.normal(size=(3, units))[place]
        if factorised
        else rng.normal(size=(6, units))
    )
    ids = np.repeat(np.arange(6), trials)
    return cs.responses(
        means[ids] + rng.normal(size=(ids.size, units)),
        stimulus=ids,
        repeat="count",
        thing=np.array(["car", "face"])[thing[ids]],
        place=np.array(["left", "middle", "right"])[place[ids]],
        unit=[f"u{k:03d}" for k in range(units)],
        kind="rate",
        system=name,
    )


def test_floor_of_p_is_said():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(4), 10)
    one = cs.responses(rng.normal(size=(40, 8)), stimulus=ids, repeat="count", kind="rate")
    said = "no p is below 0.048, that of 20 draws of the null; n_null= takes more"
    assert said in str(cs.geometry(one, by="stimulus", methods="between", n_null=20, rng=0))
    assert "no p is below" not in str(cs.geometry(one, by="stimulus", methods="between", n_null=0, rng=0))
    assert "no p is below" not in str(cs.geometry(one, by="stimulus", methods="between", n_null=99, rng=0))


def test_labels_that_cross_and_the_result():
    found = cs.geometry(population(), by=["thing", "place"], **QUICK)
    value = found.data["value"]
    assert float(value.sel(measure="ccgp", of="thing").item()) > 0.95
    assert float(value.sel(measure="parallelism", of="thing").item()) == pytest.approx(1, abs=0.15)
    assert np.isnan(value.sel(measure="shattering", of="thing").item())
    assert found.data["note"].sel(measure="ccgp", of="all").item().count("|") == 1
    assert found.counts["n_conditions"].item() == 6
    assert set(found.to_frame()["of"]) == {"all", "thing", "place"}
    assert "bernardi2020geometry" in found.references
    cs.testing.check_result(found)
    assert len(repr(found).splitlines()) < 24


def test_one_label_asks_for_the_conditions_as_a_whole():
    found = cs.geometry(population(factorised=False), by="stimulus", **QUICK)
    assert found.data["of"].values.tolist() == ["all"]
    assert found.data["value"].sel(measure="shattering").item() > 0.95


def test_systems_stand_side_by_side_and_can_be_made_equal():
    systems = {"one": population(), "two": population(factorised=False, units=40, seed=1)}
    found = cs.geometry(
        systems,
        by=["thing", "place"],
        methods="parallelism",
        match=["units", "trials"],
        n_draws=2,
        n_null=0,
        rng=0,
    )
    assert found.counts["n_units"].values.tolist() == [40, 40]
    one, two = found.data["value"].sel(measure="parallelism", of="thing").values
    assert one > 0.8 > 0.4 > two
    assert found.settings["matched"]["units"] == 40


def test_units_recorded_apart():
    whole = population(trials=8)
    apart = {
        f"session {k}": whole[:, 20 * k : 20 * (k + 1)].isel(trial=np.random.default_rng(k).permutation(48))
        for k in range(3)
    }
    joined = cs.pseudo_population(apart, by=["thing", "place"], system="joined")
    found = cs.geometry(joined, by=["thing", "place"], methods="ccgp", n_draws=2, n_null=0, rng=0)
    assert found.data["value"].sel(of="thing").item() > 0.95
    assert found.counts["n_units"].item() == 60
    with pytest.raises(cs.InputError, match=r"population\.draw"):
        cs.geometry({"a": joined, "b": whole}, by="thing", match="units")


def test_units_of_any_scale_count_the_same_unless_told():
    data = population()
    loud = data * np.where(np.arange(60) < 30, 10.0, 1.0)
    loud.attrs = data.attrs
    same = [
        cs.geometry(d, by=["thing", "place"], methods="parallelism", n_null=0, rng=0).data["value"].values
        for d in (data, loud)
    ]
    assert np.allclose(*same, equal_nan=True)
    raw = cs.geometry(
        loud, by=["thing", "place"], methods="parallelism", standardise=False, n_null=0, rng=0
    ).data["value"]
    assert not np.allclose(raw.values, same[0], equal_nan=True)


def test_what_the_conditions_do_not_allow_is_left_out_or_refused():
    data = population()
    with pytest.raises(cs.InputError, match="4 conditions, and there are 2") as error:
        cs.geometry(data, by="thing", methods="shattering")
    assert error.value.code == "too-few"
    single = data.isel(trial=slice(None, None, 6))
    with pytest.raises(cs.InputError, match="2 trials of each condition") as error:
        cs.geometry(single, by=["thing", "place"], methods="ccgp")
    with pytest.raises(cs.InputError, match="Did you mean 'thing'"):
        cs.geometry(data, by="thin")
    with pytest.raises(cs.InputError, match="methods must be one of"):
        cs.geometry(data, by="thing", methods="ccpg")
    with pytest.raises(cs.InputError, match="several different"):
        cs.geometry(data, by=["thing", "thing"])


def test_every_entry_of_the_table_is_whole():
    for name, entry in GEOMETRY.items():
        assert entry.words, name
        assert entry.higher, name
        assert entry.method.endswith("."), name
        assert bibtex(entry.references), name
        assert entry.needs_trials >= 1, name


def test_dots_and_curves():
    pytest.importorskip("matplotlib")
    found = cs.geometry(population(), by=["thing", "place"], methods=OURS, n_null=0, rng=0)
    assert len(found.plot().figure.axes) == 4
    layers = {f"layer{k}": population(seed=k, name=f"layer{k}") for k in range(5)}
    several = cs.geometry(layers, by=["thing", "place"], methods="parallelism", n_null=0, rng=0)
    assert len(several.plot().figure.axes) == 2
    from consilience.report._geometry_words import of_geometry

    assert any("layer0" in text for text in of_geometry(several))


def test_capacity_of_few_conditions_is_left_out_unless_named():
    found = cs.geometry(population(), by="stimulus", n_null=5, rng=0)
    assert found.data["measure"].values.tolist() == [
        name for name in GEOMETRY if name not in ("capacity", "radius", "dimension")
    ]
    assert not found.warnings
    with pytest.warns(cs.ConsilienceWarning, match="6 classes"):
        cs.geometry(population(), by="stimulus", methods="capacity", n_null=0, rng=0)


def test_what_is_costly_of_many_conditions_is_left_out_unless_named():
    ids = np.repeat(np.arange(18), 4)
    x = (
        np.random.default_rng(0).normal(size=(18, 40))[ids]
        + np.random.default_rng(1).normal(size=(72, 40)) / 4
    )
    many = cs.responses(x, stimulus=ids, repeat="count", kind="rate", system="many")
    found = cs.geometry(many, by="stimulus", n_null=1, rng=0)
    assert {"ccgp", "parallelism"}.isdisjoint(found.data["measure"].values.tolist())
    assert {"capacity", "shattering"} <= set(found.data["measure"].values.tolist())
    named = cs.geometry(many, by="stimulus", methods="parallelism", n_null=0, rng=0)
    assert np.isfinite(named.data["value"].item())


def test_a_long_run_says_how_long(monkeypatch, capsys):
    systems = {"one": population(), "two": population(seed=1)}
    quick = {"by": "stimulus", "methods": "between", "n_null": 0, "rng": 0}
    cs.geometry(systems, **quick)
    monkeypatch.setattr("consilience.networks._progress._LONG", 0.0)
    cs.geometry(systems, progress=False, **quick)
    assert capsys.readouterr().err == ""
    cs.geometry(systems, **quick)
    assert capsys.readouterr().err.startswith("cs.geometry: 1 more to measure, about ")


def test_intervals_of_shares_stay_among_shares():
    data = population()
    found = cs.geometry(
        data.isel(unit=slice(0, 6)), by=["thing", "place"], methods=["ccgp", "shattering"], n_null=0, rng=0
    )
    one = found.to_frame()
    assert (one["value"] > 0.5).all()
    known = one[np.isfinite(one["ci_high"])]
    assert len(known) >= 3
    assert ((known["ci_low"] >= 0) & (known["ci_high"] <= 1) & (known["ci_low"] < known["value"])).all()


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_values_of_any_size(scale):
    data = population()
    sized = (data * scale).assign_attrs(data.attrs)
    for standardise in (True, False):
        a, b = (
            cs.geometry(
                d,
                by=["thing", "place"],
                methods=["ccgp", "parallelism", "separability"],
                n_null=0,
                standardise=standardise,
                rng=0,
            )
            for d in (data, sized)
        )
        assert np.allclose(a.data["value"], b.data["value"], equal_nan=True)


def test_words_have_no_p_where_there_is_none():
    from consilience.report._geometry_words import of_geometry

    found = cs.geometry(population(), by="stimulus", methods="few_shot_error", rng=0)
    assert "nan" not in " ".join(of_geometry(found))


def test_nulls_lie_within_the_axes():
    pytest.importorskip("matplotlib")
    found = cs.geometry(
        population(), by=["thing", "place"], methods=["ccgp", "parallelism"], n_null=20, rng=0
    )
    for panel, name in zip(found.plot().figure.axes[1:], ("ccgp", "parallelism"), strict=True):
        left, right = panel.get_xlim()
        at = found.data.sel(measure=name)
        assert left < float(at["null_low"].min())
        assert right > float(at["null_high"].max())


def test_curves_of_groups_of_layers_are_not_joined():
    from consilience.plots._along_systems import runs_of

    both = [f"{net} layer {k}" for net in ("trained", "untrained") for k in range(3)]
    assert runs_of(both) == [("trained", [0, 1, 2]), ("untrained", [3, 4, 5])]
    for one in (["layer 0", "layer 1", "layer 2"], ["a", "b", "c"], ["x 1", "y 1", "x 2", "y 2"]):
        assert runs_of(one) == [("", list(range(len(one))))]
