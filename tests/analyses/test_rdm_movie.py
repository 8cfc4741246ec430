"""RDMs over time: planted structure is found where it is, and nowhere else."""

import numpy as np
import pytest

import consilience as cs

TIME = np.round(np.arange(10) * 0.1, 3)
N, REPEATS, UNITS = 8, 6, 10
IDS = [f"s{i}" for i in range(N)]


def movie_data(seed=0, signal=1.5, on=slice(4, 8)):
    rng = np.random.default_rng(seed)
    group = np.arange(N) % 2
    means = signal * rng.normal(size=(2, UNITS))[group]
    stimulus = np.tile(np.arange(N), REPEATS)
    x = rng.normal(size=(len(stimulus), TIME.size, UNITS))
    x[:, on] += means[stimulus][:, None]
    data = cs.responses(
        x,
        kind="rate",
        stimulus=[IDS[s] for s in stimulus],
        repeat="count",
        time=TIME,
        system="IT",
        dims=("trial", "time", "unit"),
    )
    return data.assign_coords(run=("trial", np.repeat(np.arange(REPEATS), N)))


def models():
    group, other = np.arange(N) % 2, np.arange(N) // 4
    return {
        name: cs.rdm_data((g[:, None] != g).astype(float), stimulus=IDS, system=name)
        for name, g in (("group", group), ("other", other))
    }


@pytest.mark.filterwarnings(r"ignore:\[few-relabellings\]")
def test_planted_structure_is_found_in_its_time():
    movie = cs.rdm_movie(movie_data(), folds="run", models=models(), rng=0)
    group = movie.data.sel(model="group")
    on = np.zeros(TIME.size, bool)
    on[4:8] = True
    assert (group["p_fwer"].values[on] <= 0.05).all()
    assert (group["p_fwer"].values[~on] > 0.05).all()
    assert (movie.data["p_fwer"].sel(model="other") > 0.05).all()
    assert (movie.data["reliability"].values[on] > 0.8).all()
    assert (movie.data["reliability"].values[~on] < 0.6).all()
    g = movie.generalisation.values
    np.testing.assert_allclose(g, g.T)
    np.testing.assert_allclose(np.diag(g), movie.data["reliability"], rtol=1e-10)
    assert g[np.ix_(on, on)].min() > 0.7
    assert abs(g[np.ix_(on, ~on)].mean()) < 0.2
    assert (group["ci_low"] <= group["value"]).all()
    assert (group["value"] <= group["ci_high"]).all()
    assert all(row.passed for row in cs.testing.check_result(movie))
    assert len(movie.to_frame()) == 2 * TIME.size
    assert "group" in repr(movie)
    movie.plot()


def test_each_time_is_what_rdms_gives():
    data = movie_data()
    movie = cs.rdm_movie(data, folds="run", n_boot=0, n_splits=3)
    for t in (0, 5):
        one = cs.rdms(data.isel(time=t), folds="run", n_boot=0, n_splits=0)
        np.testing.assert_allclose(movie.rdms[t], one.rdms[0], rtol=1e-9, atol=1e-12)


def test_windows_average_before_distances():
    data = movie_data()
    movie = cs.rdm_movie(data, folds="run", noise=None, window=0.2, step=0.1, n_boot=0, n_splits=0)
    np.testing.assert_allclose(movie.data["time"], TIME[:9] + 0.1)
    np.testing.assert_allclose(
        movie.rdms[3],
        cs.rdms(data[:, 3:5].mean("time"), folds="run", noise=None, n_splits=0).rdms[0],
        rtol=1e-9,
        atol=1e-12,
    )
    assert cs.rdm_movie(data, noise=None, window=0.3, n_boot=0, n_splits=0).rdms.sizes["time"] == 3
    assert movie.generalisation is None
    with pytest.raises(cs.InputError, match="a window of 3 is longer than the data"):
        cs.rdm_movie(data, window=3.0)
    with pytest.raises(cs.InputError, match="step= needs window="):
        cs.rdm_movie(data, step=0.1)


@pytest.mark.filterwarnings(r"ignore:\[few-relabellings\]")
def test_without_repeats():
    data = movie_data().isel(trial=slice(0, N)).drop_vars("repeat")
    movie = cs.rdm_movie(data, models=models(), n_boot=0, n_perm=20)
    assert movie.settings["distance"] == "correlation"
    assert movie.generalisation is None
    assert np.isnan(movie.data["reliability"]).all()
    assert all(row.passed for row in cs.testing.check_result(movie))
    movie.plot()
    with pytest.raises(cs.InputError, match="at least 2 valid trials"):
        cs.rdm_movie(data, distance="crossnobis")


def test_models_are_matched_by_id():
    data, given = movie_data(), models()["group"]
    turned = given[:, ::-1, ::-1]
    options = {"folds": "run", "noise": None, "n_boot": 0, "n_perm": 0, "n_splits": 0}
    one, two = (cs.rdm_movie(data, models=m, **options).data["value"] for m in (given, turned))
    np.testing.assert_allclose(one, two)
    with pytest.raises(cs.InputError, match="lacks 2 of 8 stimuli, such as 's6'") as found:
        cs.rdm_movie(data, models=given[:, :6, :6])
    assert found.value.code == "ids-differ"
    with pytest.raises(cs.InputError, match=r"must be RDM data; make it with cs.rdm_data"):
        cs.rdm_movie(data, models={"group": given.values})
    with pytest.raises(cs.InputError, match="must have dims"):
        cs.rdm_movie(data.isel(time=0))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*few-relabellings:consilience.ConsilienceWarning")
def test_family_wise_error_over_times():
    """99.9 % binomial band of 200 null movies at 0.05: [0.000, 0.101]."""
    target = models()["group"]
    hits = 0
    for seed in range(200):
        movie = cs.rdm_movie(
            movie_data(seed, signal=0.0),
            folds="run",
            noise=None,
            models=target,
            n_boot=0,
            n_perm=199,
            n_splits=0,
            rng=seed,
        )
        hits += bool((movie.data["p_fwer"] <= 0.05).any())
    assert hits / 200 <= 0.101
