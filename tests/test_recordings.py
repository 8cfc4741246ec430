"""Real recordings, where they are at hand: what is known of them is found."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

real_data = pytest.importorskip("benchmarks.real_data")
real_series = pytest.importorskip("benchmarks._real_series")
DATA = real_data.folder(None)


def needs(name):
    return pytest.mark.skipif(not (DATA / name / f"{name}.npz").is_file(), reason=f"{name} is not here")


@needs("it_spikes")
def test_objects_are_in_it_after_the_stimulus_and_not_before():
    trials = real_data.it_spikes(DATA)
    assert trials.shape == (399, 18, 132)
    ids = np.unique(trials["stimulus"].values)
    thing = np.array([name.split()[0] for name in ids])
    models = real_data.models_of({"object": thing}, ids)
    movie = cs.rdm_movie(
        trials.sel(time=[-0.225, 0.175], method="nearest"),
        distance="crossnobis",
        folds="fold",
        noise="diagonal",
        models=models,
        method="pearson",
        n_boot=50,
        n_perm=100,
        rng=0,
    )
    before, after = movie.data["value"].sel(model="object").values
    assert abs(before) < 0.15
    assert after > 0.35
    assert movie.data["p_fwer"].sel(model="object").values[1] < 0.05


@needs("haxby_slice")
def test_houses_are_far_from_all_else_in_the_slice():
    trials, left = real_data.haxby_slice(DATA)
    assert trials.sizes == {"trial": 96, "unit": 447}
    found = cs.rdms(
        trials, distance="crossnobis", folds="run", noise=cs.linalg.noise_covariance(left), n_splits=0
    )
    d = found.rdms.sel(system="ventral temporal slice")
    house = d.sel(stimulus="house").drop_sel(stimulus_="house").mean()
    others = d.drop_sel(stimulus="house", stimulus_="house").values
    assert float(house) > 1.8 * others[~np.eye(7, dtype=bool)].mean()


@pytest.mark.skipif(not (DATA / "motor").is_dir(), reason="recordings are not here")
@pytest.mark.filterwarnings(r"ignore:\[(penalty-at-edge|few-blocks)\]")
def test_motor_cortex_leads_the_hand_by_a_tenth_of_a_second_or_two():
    hand, area = real_series.motor(DATA)
    r = [
        cs.encode(hand, area[:, ::4], delays=[d], n_boot=0, n_perm=0, rng=0).value
        for d in (-6, -2, -1, 0, 3, 6)
    ]
    assert max(r) in r[1:3]  # steps of 100 ms; negative: the cells come first
    assert max(r) > 0.2
    assert max(r[0], r[4], r[5]) < 0.75 * max(r)


@pytest.mark.skipif(not (DATA / "hippocampus").is_dir(), reason="recordings are not here")
def test_a_track_run_in_pieces_is_encoded_within_them():
    place, area = real_series.track(DATA)
    with pytest.warns(cs.ConsilienceWarning, match="jumps in time: 205; 0 of 563"):
        now = cs.encode(place, area, n_boot=0, n_perm=99, rng=0)
    with pytest.warns(cs.ConsilienceWarning, match="jumps in time"):
        before = cs.encode(place, area, delays=[0, 1], n_boot=0, n_perm=0, rng=0)
    assert int((now.data["p_fwer"] <= 0.05).sum()) >= 4
    inside = np.diff(place["time"].values) < 0.3  # samples whose last one was recorded
    assert before.settings["n_samples"] == inside.sum()
