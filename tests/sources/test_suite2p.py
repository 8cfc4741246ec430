"""Suite2p folders: dF/F by the rule that is stated, the table of regions, no pickle loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import consilience as cs
from consilience.linalg._moving import moving_percentile

N, FRAMES, RATE = 5, 400, 10.0


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def write(folder, *, seed=0, frames=FRAMES, n=N):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    neuropil = 100 + rng.normal(size=(n, frames)).astype(np.float32)
    cell = 200 + 10 * rng.random((n, frames)).astype(np.float32)
    np.save(folder / "F.npy", cell + np.float32(0.7) * neuropil)
    np.save(folder / "Fneu.npy", neuropil)
    np.save(folder / "spks.npy", rng.random((n, frames)).astype(np.float32))
    flags = np.stack([np.arange(n) % 2 == 0, np.linspace(0.1, 0.9, n)], axis=1)
    np.save(folder / "iscell.npy", flags)
    return cell, flags


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "plane0")
    return tmp_path / "plane0"


def test_signals_table_and_time(folder):
    rec = cs.read(folder, rate=RATE)
    assert set(rec.signals) == {"dff", "fluorescence", "deconvolved"}
    dff = rec.signals["dff"]
    assert dff.shape == (FRAMES, 3)
    assert dff.kind == "dff"
    np.testing.assert_allclose(dff.time, np.arange(FRAMES) / RATE)
    assert dff.channels.tolist() == [0, 2, 4]
    assert dff.columns["iscell"].all()
    assert dff.columns["plane"].tolist() == [0, 0, 0]
    np.testing.assert_allclose(dff.columns["iscell_probability"], [0.1, 0.5, 0.9])
    np.testing.assert_array_equal(rec.signals["deconvolved"].values, np.load(folder / "spks.npy")[::2].T)
    every = cs.read(folder, rate=RATE, cells=False)
    assert every.signals["dff"].columns["iscell"].tolist() == [True, False, True, False, True]


def test_dff_is_the_stated_rule(folder):
    """Against the definition, frame by frame at the middles of windows."""
    raw, neuropil = np.load(folder / "F.npy"), np.load(folder / "Fneu.npy")
    fluorescence = (raw - np.float32(0.7) * neuropil)[0]
    rec = cs.read(folder, rate=RATE, percentile=20, window=10.0)  # windows of 100 frames, every 5
    np.testing.assert_allclose(rec.signals["fluorescence"].values[:, 0], fluorescence, rtol=1e-6)
    got = rec.signals["dff"].values[:, 0]
    for frame in (0, 5, 100, 215, 395):
        base = np.percentile(fluorescence[max(0, frame - 50) : frame + 51], 20)
        assert got[frame] == pytest.approx((fluorescence[frame] - base) / base, rel=1e-4)


def test_planted_transients_are_found_over_bleaching(tmp_path):
    """A decaying baseline with transients of 50 %: dF/F is 0.5 in them, about 0 elsewhere."""
    here = tmp_path / "s2p"
    here.mkdir()
    frames = 6000
    base = 400 * np.exp(-np.arange(frames) / 8000)
    event = np.zeros(frames)
    for start in range(300, frames, 700):
        event[start : start + 20] = 0.5
    np.save(here / "F.npy", (base * (1 + event))[None].astype(np.float32))
    np.save(here / "iscell.npy", [[1.0, 0.9]])
    dff = cs.read(here, rate=20.0, neuropil=None).signals["dff"].values[:, 0]
    np.testing.assert_allclose(dff[event > 0], 0.5, atol=0.12)  # F0 is a low percentile of a falling baseline
    assert np.abs(dff[event == 0]).max() < 0.12


def test_neuropil_is_taken_off_as_said(folder):
    none = cs.read(folder, rate=RATE, neuropil=None).signals["fluorescence"].values
    np.testing.assert_array_equal(none, np.load(folder / "F.npy")[::2].T)
    half = cs.read(folder, rate=RATE, neuropil=0.5).signals["fluorescence"].values
    np.testing.assert_allclose(half, none - 0.5 * np.load(folder / "Fneu.npy")[::2].T, rtol=1e-6)


def test_regions_without_a_positive_baseline_have_no_dff(folder):
    raw = np.load(folder / "F.npy")
    raw[2] -= 260  # below 0 after the neuropil is off
    np.save(folder / "F.npy", raw)
    with pytest.warns(cs.ConsilienceWarning, match="1 of 3 regions") as seen:
        rec = cs.read(folder, rate=RATE)
    assert seen[0].message.code == "baseline-not-positive"
    assert rec.signals["dff"].channels.tolist() == [0, 4]
    assert rec.signals["fluorescence"].channels.tolist() == [0, 2, 4]


def test_planes_are_joined_and_cut_to_the_shortest(tmp_path):
    root = tmp_path / "suite2p"
    write(root / "plane0", seed=0)
    write(root / "plane1", seed=1, frames=FRAMES - 1)
    (root / "combined").mkdir()
    for place in (root, tmp_path):
        with pytest.warns(cs.ConsilienceWarning, match="399 to 400 frames"):
            rec = cs.read(place, rate=RATE)
        dff = rec.signals["dff"]
        assert dff.shape == (FRAMES - 1, 6)
        assert dff.channels.tolist() == ["0_0", "0_2", "0_4", "1_0", "1_2", "1_4"]
        assert dff.columns["plane"].tolist() == [0, 0, 0, 1, 1, 1]


def test_columns_reach_the_responses(folder):
    data = cs.read(folder, rate=RATE).bin(0.5, of="dff")
    assert data.attrs["kind"] == "dff"
    assert data["iscell_probability"].dims == ("unit",)


def test_the_rate_is_asked_for_and_ops_is_not_loaded(folder, tmp_path):
    ran = tmp_path / "ran"
    np.save(folder / "ops.npy", np.array(Payload(ran), dtype=object), allow_pickle=True)
    with pytest.raises(cs.InputError, match=r"ops.npy is a pickle and is never loaded") as caught:
        cs.read(folder)
    assert caught.value.code == "rate-needed"
    cs.read(folder, rate=RATE)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["F.npy", "Fneu.npy", "iscell.npy", "spks.npy"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_truncated_files(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(cs.InputError, match=name):
        cs.read(folder, rate=RATE)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("F.npy", np.zeros((4, FRAMES)), r"must be \(regions, frames\)"),
        ("F.npy", np.zeros(N), r"must be \(regions, frames\)"),
        ("F.npy", np.full((N, FRAMES), np.nan, np.float32), "NaN"),
        ("Fneu.npy", np.zeros((N, 3)), "they are not of one run"),
        ("spks.npy", np.array([["a"] * FRAMES] * N), "numbers are expected"),
        ("iscell.npy", np.zeros((N, 2)), "no region is called a cell"),
    ],
)
def test_arrays_of_the_wrong_kind(folder, name, values, words):
    np.save(folder / name, values)
    with pytest.raises(cs.InputError, match=words):
        cs.read(folder, rate=RATE)


def test_pickles_are_refused_and_not_run(folder, tmp_path):
    ran = tmp_path / "ran"
    np.save(folder / "F.npy", np.array([Payload(ran)], dtype=object), allow_pickle=True)
    with pytest.raises(cs.InputError, match="never loaded"):
        cs.read(folder, rate=RATE)
    assert not ran.exists()


def test_no_neuropil_file(folder):
    (folder / "Fneu.npy").unlink()
    with pytest.raises(cs.InputError, match="neuropil=None does without"):
        cs.read(folder, rate=RATE)
    assert "dff" in cs.read(folder, rate=RATE, neuropil=None).signals


def test_moving_percentile_of_short_and_constant_arrays():
    np.testing.assert_array_equal(moving_percentile(np.full((3, 2), 7.0), 100, 8), np.full((3, 2), 7.0))
    np.testing.assert_array_equal(moving_percentile(np.array([[4.0]]), 5, 8), [[4.0]])
