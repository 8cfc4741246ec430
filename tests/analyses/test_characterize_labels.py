"""What characterize makes of names, angles and labels as people have them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

import consilience as cs

QUICK = {"n_perm": 20, "rng": 0}
TURN = 2 * np.pi


def followed(values, name=None, **more):
    time = np.arange(len(values)) * 0.05
    return xr.DataArray(values, dims="time", coords={"time": time}, name=name, **more)


@pytest.fixture(scope="module")
def turning():
    rng = np.random.default_rng(0)
    heading = np.cumsum(rng.normal(0, 0.2, 3000)) % TURN
    y = np.cos(heading - 1) + rng.normal(size=heading.size)
    data = cs.responses(y[:, None], time=np.arange(3000) * 0.05, kind="dff", dims=["time", "unit"])
    data.attrs["bin"] = 0.05
    return data, heading


def test_a_series_named_heading_is_an_angle(turning):
    data, heading = turning
    told = cs.characterize(data, followed(heading), period=TURN, **QUICK)
    for name, values, turn in (
        ("heading", heading, TURN),
        ("head_direction", np.rad2deg(heading) - 180, 360.0),
    ):
        found = cs.characterize(data, followed(values, name), **QUICK)
        assert found.settings["period"] == turn
        assert found.data["value"].values == pytest.approx(told.data["value"].values, abs=0.01)
    assert told.data["value"].values[0, 0] > 0.2


def test_a_line_that_jumps_as_an_angle_is_said(turning):
    data, heading = turning
    with pytest.warns(cs.ConsilienceWarning, match=r"\[no-period\] cs.characterize: phi goes .* in one step"):
        cs.characterize(data, followed(heading, "phi"), **QUICK)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[no-period\] .*heading is named as an angle"):
        cs.characterize(data, followed(100 * np.unwrap(heading), "heading"), **QUICK)
    rng = np.random.default_rng(1)
    quiet = {
        "track with laps": (np.arange(3000) * 0.02) % 4,
        "noise": rng.uniform(size=3000),
        "walk": np.cumsum(rng.normal(size=3000)),
        "lost": np.where(rng.random(3000) < 0.05, 0, 50 + np.abs(np.cumsum(rng.normal(size=3000)) % 80 - 40)),
        "two ways": np.sign(np.sin(np.arange(3000) / 50)),
        "direction": np.sign(np.sin(np.arange(3000) / 50)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, values in quiet.items():
            assert (
                cs.characterize(data, followed(values, name), n_perm=0, rng=0).settings["period"] is None
            ), name


def test_names_of_series_are_words(turning):
    data, heading = turning
    column = followed(heading)
    column = column.expand_dims({"unit": [0]}, axis=1).assign_attrs(system="hd")
    place = xr.DataArray(np.stack([np.cos(heading), np.sin(heading)], axis=1), dims=("time", "d"))
    assert cs.characterize(data, column, period=TURN, **QUICK).settings["by"] == "hd"
    assert (
        cs.characterize(data, column.assign_coords(unit=["ry"]), period=TURN, **QUICK).settings["by"] == "ry"
    )
    assert cs.characterize(data, place, **QUICK).settings["by"] == "variable"


def test_silent_and_noise_free_units_are_counted_alike():
    rng = np.random.default_rng(0)
    category = np.repeat(["a", "b"], 20)
    rows = [rng.poisson(np.where(category == "b", 9, 3)), np.where(category == "b", 4, 2), np.zeros(40)]
    data = cs.responses(np.stack(rows, axis=1), stimulus=np.arange(40), kind="count")
    data = data.assign_coords(category=("trial", category))
    with pytest.warns(cs.ConsilienceWarning, match="silent-units"):
        found = cs.characterize(data, n_perm=200, n_floor=5, rng=0)
    silent = found.data.isel(unit=2).to_array().values
    assert np.isnan(silent).all()
    assert set(found.preferred.isel(unit=2).values.tolist()) == {""}
    assert set(found.profile()["n_units"]) == {2}  # d' of unit 1 is infinite
    assert set(found.profile()["tuned"]) == {1.0}
    high = found.data["ci_high"].sel(measure="mutual_information").values[:2]
    assert (high <= 1 + 1e-12).all()
    with pytest.warns(cs.ConsilienceWarning, match="silent-units"):
        sparse = cs.units.lifetime_sparseness(np.stack(rows, axis=1), category, n_perm=0)
    assert np.isnan(sparse.ci_high[2])


def shown(angle, name="direction"):
    rate = 6 * (1 + 0.8 * np.outer(np.cos(2 * np.deg2rad(np.asarray(angle, dtype=float) - 60)), [0, 1]))
    data = cs.responses(
        np.random.default_rng(0).poisson(rate),
        stimulus=np.asarray(angle).astype(str),
        repeat="count",
        kind="count",
    )
    return data.assign_coords({name: ("trial", angle)})


QUICKEST = {"n_perm": 0, "n_floor": 0, "n_splits": 2, "rng": 0}
EIGHT = np.repeat(np.arange(0, 360, 45), 6)


def test_equal_angles_are_one():
    both = np.repeat(np.arange(0, 361, 45), 6)
    data = shown(both)
    found = cs.characterize(data, "direction", **QUICKEST)
    assert found.curves["condition"].values.tolist() == list(range(0, 360, 45))
    assert found.curves["n_rows"].values[0] == 12
    assert {"orientation_selectivity", "direction_selectivity"} <= set(found.data["measure"].values)
    own = cs.units.orientation_selectivity(data.values, both, n_perm=0, n_floor=0)
    np.testing.assert_allclose(own.value, found.data["value"].sel(measure="orientation_selectivity"))
    radians = cs.units.orientation_selectivity(
        data.values, np.deg2rad(both), period=TURN, n_perm=0, n_floor=0
    )
    np.testing.assert_allclose(radians.value, own.value)


def test_indices_left_out_are_named():
    with pytest.warns(cs.ConsilienceWarning, match=r"\[uneven-angles\] .*orientation_selectivity.* left out"):
        found = cs.characterize(shown(np.repeat([0, 60, 120, 180], 6)), "direction", **QUICKEST)
    assert "d_prime" in found.data["measure"].values  # what is left: classes
    for period, match in ((TURN, r"values span 315, 50.1 turns"), (180, "half of what a turn is")):
        with (
            pytest.warns(cs.ConsilienceWarning, match=r"\[uneven-angles\]"),
            pytest.warns(cs.ConsilienceWarning, match=r"\[angle-units\] .*" + match),
        ):
            cs.characterize(shown(EIGHT), "direction", period=period, **QUICKEST)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[text-angles\] .*direction is named as an angle"):
        cs.characterize(shown(EIGHT.astype(str)), "direction", **QUICKEST)


def test_ordinary_angles_are_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = (
            cs.characterize(shown(EIGHT), "direction", **QUICKEST),
            cs.characterize(shown(EIGHT - 180), "direction", period=360, **QUICKEST),
            cs.characterize(shown(EIGHT[:24], "orientation"), "orientation", **QUICKEST),
            cs.characterize(shown(np.tile([-1, 1], 12)), "direction", **QUICKEST),  # left and right
        )
    assert [found.warnings for found in quiet] == [()] * 4


def test_too_few_relabellings_for_q_are_said():
    rng = np.random.default_rng(0)
    category = np.repeat(["a", "b"], 20)
    x = rng.poisson(3, size=(40, 15))
    x[:, :4] += 5 * (category == "b")[:, None]
    data = cs.responses(x, stimulus=np.arange(40), kind="count").assign_coords(category=("trial", category))
    how = {"measures": "eta_squared", "n_floor": 0, "n_splits": 1, "rng": 0}
    with pytest.warns(cs.ConsilienceWarning, match=r"\[few-draws\] .*needs 15 of 15 units .*, not 5"):
        cs.characterize(data, n_perm=20, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (cs.characterize(data, n_perm=200, **how).data["q"].values[0, :4] <= 0.05).all()
        cs.characterize(data[:, :1], n_perm=20, **how)
