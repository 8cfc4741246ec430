"""Phy / Kilosort folders: spikes and tables as they stand there, nothing run, nothing unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import consilience as cs

PARAMS = """dat_path = r'C:\\data\\raw.bin'
n_channels_dat = 4
dtype = 'int16'
offset = 0
sample_rate = 20000.0
hp_filtered = False
"""
TRAINS = {3: [100, 900, 5000], 7: [200, 400], 8: [300, 800, 1600, 19999]}  # samples


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def folder(tmp_path):
    here = tmp_path / "sorted"
    here.mkdir()
    samples = np.concatenate([TRAINS[c] for c in TRAINS])
    owner = np.concatenate([np.full(len(TRAINS[c]), c) for c in TRAINS])
    order = np.argsort(samples)
    np.save(here / "spike_times.npy", samples[order].astype(np.uint64)[:, None])
    np.save(here / "spike_clusters.npy", owner[order].astype(np.int32))
    np.save(here / "amplitudes.npy", (owner[order] * 10.0)[:, None] + np.arange(9)[:, None] % 2)
    (here / "params.py").write_text(PARAMS)
    (here / "cluster_group.tsv").write_text("cluster_id\tgroup\n3\tgood\n8\tnoise\n")
    (here / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n3\tmua\n7\tmua\n8\tgood\n11\tgood\n")
    (here / "cluster_info.tsv").write_text("cluster_id\tdepth\tgroup\n3\t40.5\tgood\n7\t80\t\n8\t20\tnoise\n")
    return here


def read(folder, **options):
    with pytest.warns(cs.ConsilienceWarning, match="labelled noise"):
        return cs.read(folder, **options)


def test_spikes_are_the_samples_over_the_rate(folder):
    rec = read(folder)
    assert rec.unit_names.tolist() == [3, 7, 8]
    for i, cluster in enumerate(TRAINS):
        np.testing.assert_array_equal(rec.spikes.of(i), np.array(TRAINS[cluster]) / 20000.0)
    assert rec.name == "sorted"
    assert rec.attrs["sample_rate"] == 20000.0


def test_the_tables_become_columns_of_units(folder):
    rec = read(folder)
    np.testing.assert_array_equal(rec.units["depth"], [40.5, 80, 20])
    assert rec.units["group"].tolist() == ["good", "", "noise"]
    assert rec.units["KSLabel"].tolist() == ["mua", "mua", "good"]
    assert rec.units["quality"].tolist() == ["good", "mua", "noise"]  # by hand where said, else by Kilosort
    samples, owner = np.load(folder / "spike_times.npy")[:, 0], np.load(folder / "spike_clusters.npy")
    amplitude = np.load(folder / "amplitudes.npy")[:, 0]
    assert samples.size == 9
    np.testing.assert_allclose(rec.units["amplitude"], [amplitude[owner == c].mean() for c in TRAINS])


def test_quality_keeps_units_and_their_spikes_together(folder):
    good = cs.read(folder, quality="good")
    assert good.unit_names.tolist() == [3]
    np.testing.assert_array_equal(good.spikes.of(0), np.array(TRAINS[3]) / 20000)
    both = cs.read(folder, quality=["mua", "good"])
    assert both.unit_names.tolist() == [3, 7]
    np.testing.assert_array_equal(both.spikes.of(1), np.array(TRAINS[7]) / 20000)
    with pytest.raises(cs.InputError, match=r"no unit is labelled 'god'\. Did you mean 'good'\?"):
        cs.read(folder, quality="god")


def test_without_tables_every_cluster_is_a_unit(folder):
    for file in folder.glob("cluster_*"):
        file.unlink()
    (folder / "amplitudes.npy").unlink()
    rec = cs.read(folder)
    assert set(rec.units) == {"unit"}
    with pytest.raises(cs.InputError, match=r"no cluster_group.tsv or cluster_KSLabel.tsv"):
        cs.read(folder, quality="good")


def test_templates_stand_for_clusters_before_phy_has_run(folder):
    (folder / "spike_clusters.npy").rename(folder / "spike_templates.npy")
    assert read(folder).unit_names.tolist() == [3, 7, 8]


def test_unsorted_spikes_are_sorted_and_said(folder):
    samples, owner = np.load(folder / "spike_times.npy"), np.load(folder / "spike_clusters.npy")
    np.save(folder / "spike_times.npy", samples[::-1])
    np.save(folder / "spike_clusters.npy", owner[::-1])
    with pytest.warns(cs.ConsilienceWarning) as seen:
        rec = cs.read(folder)
    assert {w.message.code for w in seen} == {"unsorted-spikes", "noise-units"}
    np.testing.assert_array_equal(rec.spikes.of(2), np.array(TRAINS[8]) / 20000)


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "sample_rate = float(30000)",
        "sample_rate = __import__('pathlib').Path('{0}').touch() or 30000",
        "open('{0}', 'w')",
        "if True:\n    sample_rate = 1",
        "sample_rate = 30000 + 1",
        "def f(): pass",
        "a = b = 30000",
    ],
)
def test_code_in_params_is_refused_and_not_run(folder, line, tmp_path):
    ran = tmp_path / "ran"
    (folder / "params.py").write_text("n = 1\n" + line.format(ran))
    with pytest.raises(cs.InputError, match=r"line 2, is more than 'name = value'") as caught:
        cs.read(folder)
    assert caught.value.code == "code-refused"
    assert not ran.exists()
    assert read(folder, rate=20000).spikes.of(0)[0] == 0.005  # the file is not needed then


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sample_rate = -5", "must be a number in"),
        ("sample_rate = 'fast'", "must be a number in"),
        ("sampling_rate = 3", "says no sample_rate"),
        ("sample_rate = (", "no list of 'name = value' lines"),
    ],
)
def test_params_that_say_no_rate(folder, text, words):
    (folder / "params.py").write_text(text)
    with pytest.raises(cs.InputError, match=words):
        cs.read(folder)


def test_no_params(folder):
    (folder / "params.py").unlink()
    with pytest.raises(cs.InputError, match="give rate=") as caught:
        cs.read(folder)
    assert caught.value.code == "rate-needed"


@pytest.mark.parametrize("name", ["spike_times.npy", "spike_clusters.npy", "amplitudes.npy"])
def test_pickles_are_refused_and_not_run(folder, name, tmp_path):
    ran = tmp_path / "ran"
    np.save(folder / name, np.array([Payload(ran)], dtype=object), allow_pickle=True)
    with pytest.raises(cs.InputError, match="never loaded"):
        cs.read(folder)
    assert not ran.exists()
    (folder / name).write_bytes(pickle.dumps(Payload(ran)))
    with pytest.raises(cs.InputError):
        cs.read(folder)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["spike_times.npy", "spike_clusters.npy", "amplitudes.npy"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9, 0.99])
def test_truncated_files(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(cs.InputError, match=name) as caught:
        cs.read(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("spike_times.npy", np.linspace(0, 1, 9), "holds fractions"),
        ("spike_times.npy", np.zeros((9, 2), int), "one whole number per spike"),
        ("spike_times.npy", np.array(["a"] * 9), "one whole number per spike"),
        ("spike_times.npy", np.arange(8), "has 8 spikes and spike_clusters.npy 9"),
        ("amplitudes.npy", np.ones(4), "has 4 entries for 9 spikes"),
    ],
)
def test_arrays_of_the_wrong_kind(folder, name, values, words):
    np.save(folder / name, values)
    with pytest.raises(cs.InputError, match=words):
        cs.read(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cluster_id\tgroup\n3\n", "line 2: 1 columns"),
        ("group\nx\n", "no column cluster_id"),
        ("a\ta\n1\t2\n", "two columns"),
    ],
)
def test_damaged_tables(folder, text, words):
    (folder / "cluster_group.tsv").write_text(text)
    with pytest.raises(cs.InputError, match=words):
        cs.read(folder)


def test_a_table_with_a_header_only_says_nothing(folder):
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n")
    (folder / "cluster_info.tsv").unlink()
    assert cs.read(folder).units["quality"].tolist() == ["mua", "mua", "good"]


def test_unknown_options_are_listed(folder):
    with pytest.raises(cs.InputError, match=r"no option 'qality'; the options .* quality, rate"):
        cs.read(folder, qality="good")


def test_noise_is_counted_among_the_units_chosen(folder):
    rec = read(folder, units=[3, 8])
    assert [c.message for c in rec.cautions] == ["1 of the 2 units read are labelled noise."]
    assert cs.read(folder, units=[3, 7]).cautions == ()


def test_clusters_below_0_are_no_units(folder):
    owner = np.load(folder / "spike_clusters.npy")
    np.save(folder / "spike_clusters.npy", np.where(owner == 7, -1, owner))
    with pytest.warns(cs.ConsilienceWarning) as seen:
        rec = cs.read(folder)
    assert rec.unit_names.tolist() == [3, 8]
    assert [c.code for c in rec.cautions] == ["unassigned-spikes", "noise-units"]
    assert "2 of 9 spikes" in str(seen[0].message)
    amplitude = np.load(folder / "amplitudes.npy")[:, 0]
    np.testing.assert_allclose(rec.units["amplitude"], [amplitude[owner == c].mean() for c in (3, 8)])
    np.save(folder / "spike_clusters.npy", np.full(owner.size, -1))
    with pytest.raises(cs.InputError, match="so there is no unit"):
        cs.read(folder)


def test_two_rows_of_one_cluster(folder):
    group = folder / "cluster_group.tsv"
    group.write_text("cluster_id\tgroup\n3\tgood\n3\tgood\n8\tnoise\n99\tgood\n99\tmua\n")
    assert [c.code for c in read(folder).cautions] == ["noise-units"]  # they agree, or have no spike
    group.write_text("cluster_id\tgroup\n3\tmua\n3\tgood\n8\tnoise\n")
    with pytest.warns(cs.ConsilienceWarning, match=r"rows-contradict.*3 \('group': 'mua and good'\)"):
        assert cs.read(folder, quality="good").unit_names.tolist() == [3]
