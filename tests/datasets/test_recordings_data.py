"""head_direction, calcium and grasshopper: what is in them."""

import numpy as np
import pytest

import consilience as cs

pytestmark = pytest.mark.data


def loaded(name):
    try:
        return cs.datasets.load(name)
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise


def test_head_direction():
    data = loaded("head_direction")
    rec = data.recording
    assert data.recordings == {"A2929-200711": rec}
    assert (data.stimuli, data.categories, dict(data.systems)) == (None, None, {})
    assert "15 units; signals rx, ry, rz" in repr(data)
    assert "eLife" in repr(data)
    assert len(rec.spikes) == 15
    assert rec.spikes.times.size == 98794
    assert rec.units["area"].tolist() == ["adn"] * 7 + ["ca1"] * 8
    epochs = rec.intervals["epochs"]
    assert epochs.columns["tags"].tolist() == ["sleep", "wake"]
    assert epochs == cs.Intervals([0, 600], [600, 1200], {"tags": ["sleep", "wake"]})
    heading = rec.signals["ry"]
    assert (heading.unit, heading.shape) == ("radian", (63527, 1))
    assert abs(heading.rate - 120) < 1
    values = heading.values
    assert values.min() >= 0
    assert values.max() <= 2 * np.pi
    spread = {name: np.ptp(np.percentile(rec.signals[name].values, [5, 95])) for name in "xyz"}
    assert 4 * spread["y"] < min(spread["x"], spread["z"]), "y is the height"
    assert rec.cautions == ()


def test_calcium():
    rec = loaded("calcium").recording
    cells = rec.signals["Fluorescence"]
    assert rec.spikes is None
    assert cells.shape == (35743, 10)
    assert (cells.kind, cells.unit) == ("activation", "lumens")
    assert rec.bin(1.0, of="Fluorescence").sizes == {"time": 1191, "unit": 10}


def test_grasshopper():
    data = loaded("grasshopper")
    assert list(data.recordings) == ["200 Hz", "800 Hz"]
    assert "Rokem" in data.citation
    for rec, spikes in zip(data.recordings.values(), (929, 868)):
        assert rec.spikes.counts.tolist() == [spikes]
        assert np.diff(rec.spikes.of(0)).min() > 0.003  # refractory: the times are in seconds
        level = rec.signals["level"]
        assert (level.unit, level.shape) == ("dB", (200000, 1))
        assert abs(level.rate - 20000) < 1
        assert abs(level.values.std() - 6) < 0.05  # the spread that the files state
        assert rec.cautions == ()


def test_written_and_read_back(tmp_path):
    pytest.importorskip("pynwb")
    rec = loaded("head_direction").recording
    assert cs.read(cs.write_nwb(rec, tmp_path / "x.nwb")) == rec


def test_a_study_says_what_it_cannot_do_with_it(tmp_path):
    loaded("head_direction")
    (tmp_path / "s.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n  a: {dataset: head_direction}\n  b: {dataset: calcium}\n"
        "analyses:\n  - compare: {a: a, b: b, measure: cka}\n"
    )
    from consilience._cli import main

    assert main(["run", str(tmp_path / "s.yaml")]) == 2


def test_a_study_says_that_it_has_no_stimuli(tmp_path, capsys):
    loaded("head_direction")
    try:
        cs.networks.load("efficientnet_lite0")
    except cs.InputError as error:
        pytest.skip(str(error))
    (tmp_path / "s.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n"
        '  a: {network: efficientnet_lite0, layers: ["_blocks.3"], stimuli: head_direction}\n'
        "  b: {dataset: objects92, select: [monkey_IT]}\n"
        "analyses:\n  - compare: {a: a, b: b, measure: rsa}\n"
    )
    from consilience._cli import main

    assert main(["run", str(tmp_path / "s.yaml")]) == 2
    assert "holds recordings and has no stimuli" in capsys.readouterr().err
