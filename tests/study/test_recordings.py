"""Studies of recordings: cut as the file says, with the numbers of Recording.epoch and .bin."""

import numpy as np
import pytest

import consilience as cs


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    onset = np.arange(1, 41) * 1.0
    tuning = rng.uniform(2, 40, size=(10, 6))
    trains = []
    for u in range(6):
        rate = tuning[np.arange(40) % 10, u]
        times = [t + np.sort(rng.uniform(0, 0.5, size=rng.poisson(r / 2))) for t, r in zip(onset, rate)]
        trains.append(np.concatenate([[0.2], *times, [41.9]]))  # spikes around all trials
    np.savez(
        tmp_path / "session.npz",
        times=np.concatenate(trains),
        unit=np.repeat(np.arange(6), [t.size for t in trains]),
        start_time=onset,
        stop_time=onset + 0.5,
        stimulus=np.array([f"s{i % 10}" for i in range(40)]),
    )
    return tmp_path


OPTIONS = "{spikes: times, clusters: unit, trials: {start_time: start_time, stop_time: stop_time, stimulus: stimulus}}"


def study(folder, cut):
    path = folder / "study.yaml"
    path.write_text(
        f"""seed: 0
output: out
systems:
  v1: {{read: session.npz, options: {OPTIONS}, {cut}}}
analyses:
  - compare: {{a: v1, b: v1, measure: cka, n_boot: 20, n_perm: 20}}
"""
    )
    return path


def test_a_recording_is_cut_into_the_epochs_that_the_file_says(folder):
    run = cs.study.run(
        study(folder, "epoch: {on: trials.start_time, window: [0, 0.5], stimulus: stimulus}"), report=False
    )
    assert run.exit_code == 0
    data = run.results["v1_v1"]
    assert int(data.data["n_stimuli"].item()) == 10
    assert data.value == pytest.approx(1)


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("epoch: {on: trial, window: [0, 1]}", "line 4: systems.v1.epoch: on='trial' is no table"),
        ("epoch: {on: trials, window: [0, 1], bin: 0.3}", "bins of 0.3 s do not divide the window"),
        ("bin: 0.5, units: [77]", "there is no unit '77'"),
    ],
)
def test_what_cannot_be_cut_is_refused_at_its_line(folder, cut, said):
    with pytest.raises(cs.InputError) as caught:
        cs.study.run(study(folder, cut), report=False)
    assert said in str(caught.value)
    assert "line 4" in str(caught.value)


def test_a_file_of_responses_is_not_cut(folder):
    np.save(folder / "x.npy", np.eye(4))
    made = folder / "study.yaml"
    study(folder, "bin: 1")
    made.write_text(made.read_text().replace("session.npz, options: " + OPTIONS, "x.npy"))
    with pytest.raises(cs.InputError, match=r"cuts a recording, and x.npy holds responses; leave bin: out"):
        cs.study.run(made, report=False)
