"""consilience epoch and bin: from a recording to a file that the other commands read."""

import numpy as np
import pytest

import consilience as cs
from consilience._cli import main


@pytest.fixture
def folder(tmp_path):
    """A Phy folder: two good units, 40 s at 1000 samples per second."""
    rng = np.random.default_rng(0)
    path = tmp_path / "phy"
    path.mkdir()
    samples = np.sort(rng.choice(40_000, size=900, replace=False))
    np.save(path / "spike_times.npy", samples)
    np.save(path / "spike_clusters.npy", rng.integers(0, 2, size=900))
    (path / "params.py").write_text("sample_rate = 1000.\ndat_path = 'x.dat'\n")
    (path / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n1\tgood\n")
    return path


def test_bins_are_written_and_read_again(folder, tmp_path, capsys):
    pytest.importorskip("consilience.sources._phy")
    assert main(["bin", str(folder), "--width", "0.5", "-o", str(tmp_path / "a.nc")]) == 0
    assert "units, count (count)" in capsys.readouterr().out
    data = cs.read(tmp_path / "a.nc")
    rec = cs.read(folder)
    np.testing.assert_array_equal(data.values, rec.bin(0.5).values)
    assert data.dims == ("time", "unit")
    assert data.attrs["kind"] == "count"


def test_refused(folder, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.eye(4))
    for arguments, said in (
        (["epoch", str(folder), "--on", "trials", "-o", str(tmp_path / "a.nc")], "on='trials' is no table"),
        (["bin", str(folder), "--width", "0", "-o", str(tmp_path / "a.nc")], "width must be a number"),
        (
            ["bin", str(tmp_path / "x.npy"), "--width", "1", "-o", str(tmp_path / "a.nc")],
            "holds responses already",
        ),
        (["bin", str(folder), "--width", "1", "-o", str(tmp_path)], "must end in .nc"),
        (
            ["bin", str(folder), "--width", "1", "-o", str(tmp_path / "no" / "a.nc")],
            "does not exist; make it, or give another place",
        ),
        (
            ["bin", str(folder), "--width", "1", "--unit", "7", "-o", str(tmp_path / "a.nc")],
            "there is no unit '7'",
        ),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "a.nc").exists()
    assert not list(tmp_path.glob(".writing*"))


def test_the_recording_is_never_written_over(folder, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for output, said in (
        (folder / "spike_times.npy", "must end in .nc"),
        (folder / "new.nc", "lies in an input folder"),
        (tmp_path / "a.csv", "must end in .nc"),
    ):
        assert main(["bin", str(folder), "--width", "1", "-o", str(output)]) == 2
        assert said in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    made = tmp_path / "x.nc"
    cs.sources.write_array(cs.responses(np.eye(4), stimulus=list("abcd")), made)
    kept = made.read_bytes()
    assert main(["bin", str(made), "--width", "1", "-o", str(made)]) == 2
    assert "is one of the inputs" in capsys.readouterr().err
    assert made.read_bytes() == kept
