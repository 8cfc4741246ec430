"""Searchlights: equal to sphere by sphere, a planted blob is found, family-wise error is held."""

import numpy as np
import pytest

import consilience as cs
from consilience.measures import compare_rdms, crossnobis, rdm

N, REPEATS, EDGE = 8, 4, 12
IDS = [f"s{i}" for i in range(N)]
Y, X = (g.ravel().astype(float) for g in np.mgrid[:EDGE, :EDGE])


def sheet(seed=0, signal=1.2):
    rng = np.random.default_rng(seed)
    stimulus = np.tile(np.arange(N), REPEATS)
    x = rng.normal(size=(len(stimulus), X.size))
    blob = np.hypot(X - 3, Y - 8) <= 2
    positions = np.random.default_rng(99).normal(size=(N, 3))
    x[:, blob] += signal * (positions @ rng.normal(size=(3, int(blob.sum()))))[stimulus]
    data = cs.responses(x, kind="bold", stimulus=[IDS[s] for s in stimulus], repeat="count", system="sheet")
    data = data.assign_coords(run=("trial", np.repeat(np.arange(REPEATS), N)), x=("unit", X), y=("unit", Y))
    target = cs.rdm_data(rdm(positions, distance="euclidean")[None], stimulus=IDS, system="model")
    return data, target, blob


@pytest.mark.parametrize("distance", ["crossnobis", "euclidean", "correlation"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_it_is_one_rdm_per_sphere(distance, method):
    data, target, _ = sheet()
    folds = "run" if distance == "crossnobis" else None
    found = cs.searchlight(
        data, target, radius=2, distance=distance, folds=folds, method=method, n_boot=0, n_perm=0
    )
    stimulus, run = data["stimulus"].values, data["run"].values
    mean = cs.average(data).values
    for k in (0, 17, 99):
        inside = np.hypot(X - X[k], Y - Y[k]) <= 2
        if distance == "crossnobis":
            d = crossnobis(data.values[:, inside], stimulus, folds=run, noise=None)
        else:
            d = rdm(mean[:, inside], distance=distance)
        expected = compare_rdms(d, target.values[0][np.triu_indices(N, 1)], method=method)
        assert found.data["value"].values[k] == pytest.approx(float(expected), abs=1e-9)
        assert found.data["n_units"].values[k] == inside.sum()


def test_diagonal_noise_is_that_of_the_other_folds():
    data, target, _ = sheet()
    found = cs.searchlight(
        data, target, n_units=5, folds="run", noise="diagonal", method="pearson", n_boot=0, n_perm=0
    )
    near = np.argsort(np.hypot(X - 3, Y - 8), kind="stable")[:5]
    d = crossnobis(data.values[:, near], data["stimulus"].values, folds=data["run"].values, noise="diagonal")
    expected = compare_rdms(d, target.values[0][np.triu_indices(N, 1)], method="pearson")
    centre = int(np.flatnonzero((X == 3) & (Y == 8))[0])
    assert found.data["value"].values[centre] == pytest.approx(float(expected), abs=1e-9)


def test_a_planted_blob_is_found():
    data, target, blob = sheet()
    found = cs.searchlight(data, target, radius=2, folds="run", rng=0)
    hit = found.data["p_fwer"].values <= 0.05
    far = np.hypot(X - 3, Y - 8) > 4
    assert hit[(X == 3) & (Y == 8)].all()
    assert hit[blob].mean() > 0.5
    assert not hit[far].any()
    at = found.data.isel(unit=int(np.nanargmax(found.data["value"].values)))
    assert at["ci_low"] <= at["value"] <= at["ci_high"]
    assert (found.data["q"] >= found.data["p"] - 1e-12).all()
    assert (found.data["p_fwer"] >= found.data["p"]).all()
    assert all(row.passed for row in cs.testing.check_result(found))
    assert "p_fwer <= 0.05" in repr(found)
    found.plot()
    found.plot(field="p")


def test_blocks_of_centres_change_nothing(monkeypatch):
    from consilience.analyses import _searchlight

    data, target, _ = sheet()
    options = {"radius": 2, "folds": "run", "n_boot": 40, "n_perm": 40}
    whole = cs.searchlight(data, target, **options)
    monkeypatch.setattr(_searchlight, "_NUMBERS", 500)
    parts = cs.searchlight(data, target, **options)
    for name in whole.data.data_vars:
        np.testing.assert_allclose(parts.data[name], whole.data[name], atol=1e-9)


def test_one_and_three_coordinates_and_flat_spheres():
    data, target, _ = sheet()
    line = cs.searchlight(data, target, radius=3, coordinates=["x"], n_boot=0, n_perm=9)
    line.plot()
    deep = data.assign_coords(z=("unit", (np.arange(X.size) % 3).astype(float)))
    solid = cs.searchlight(deep, target, n_units=6, n_boot=0, n_perm=9)
    assert solid.settings["coordinates"] == ["x", "y", "z"]
    solid.plot()
    twins = data[:, ::2].assign_coords(x=("unit", X[::2]), y=("unit", Y[::2]))
    twins[:, :20] = twins[:, :1].values  # the same in all units of a sphere: no correlation
    flat = cs.searchlight(twins, target, n_units=3, distance="correlation", n_boot=0, n_perm=9)
    assert np.isnan(flat.data["value"]).any()
    flat.plot()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "give radius= or n_units="),
        ({"radius": 1, "n_units": 3}, "give radius= or n_units="),
        ({"radius": 1, "coordinates": ["depth"]}, "no coordinate 'depth' on unit"),
        ({"radius": 1, "distance": "euclidean", "noise": "diagonal"}, "is for distance='crossnobis'"),
        ({"n_units": 1000}, "n_units must be a whole number, between 1 and 144"),
    ],
)
def test_refused_with_words(options, text):
    data, target, _ = sheet()
    with pytest.raises(cs.InputError, match=text):
        cs.searchlight(data, target, **options)


@pytest.mark.slow
def test_family_wise_error_over_centres():
    """99.9 % binomial band of 200 null sheets at 0.05: at most 0.101."""
    hits = 0
    for seed in range(200):
        data, target, _ = sheet(seed, signal=0.0)
        found = cs.searchlight(data, target, radius=2, folds="run", n_boot=0, n_perm=199, rng=seed)
        hits += bool((found.data["p_fwer"] <= 0.05).any())
    assert hits / 200 <= 0.101
