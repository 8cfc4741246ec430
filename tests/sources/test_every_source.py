"""The suite of sources on a right file of each, and its converse: what breaks a promise is found."""

import numpy as np
import pytest

import consilience as cs
from consilience.sources._parts import Parts
from consilience.sources._sources import SOURCES, Source

from . import nwb_files as make

RNG = np.random.default_rng(0)


def nwb(folder):
    return make.whole(folder / "x.nwb"), {}


def array(folder):
    np.savez(folder / "x.npz", responses=RNG.normal(size=(12, 3)), stimulus=np.arange(12))
    return folder / "x.npz", {}


def phy(folder):
    home = folder / "sorted"
    home.mkdir()
    clusters = RNG.integers(0, 3, 600)
    np.save(home / "spike_times.npy", np.sort(RNG.integers(0, 30_000 * 60, 600)))
    np.save(home / "spike_clusters.npy", clusters)
    (home / "params.py").write_text("sample_rate = 30000.0\n")
    (home / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n1\tgood\n2\tgood\n")
    return home, {}


def suite2p(folder):
    home = folder / "suite2p" / "plane0"
    home.mkdir(parents=True)
    f = 100 + RNG.normal(size=(4, 900))
    np.save(home / "F.npy", f)
    np.save(home / "Fneu.npy", 0.1 * f)
    np.save(home / "spks.npy", np.abs(RNG.normal(size=(4, 900))))
    np.save(home / "iscell.npy", np.array([[1, 0.9], [1, 0.8], [0, 0.1], [1, 0.7]]))
    return folder / "suite2p", {"rate": 30.0}


def variables(folder):
    np.savez(folder / "v.npz", lever=RNG.normal(size=500))
    return folder / "v.npz", {"signals": "lever", "rate": 100.0}


@pytest.mark.parametrize("made", [nwb, array, phy, suite2p, variables])
def test_the_promises_of_every_source(made, tmp_path):
    path, options = made(tmp_path)
    rows = cs.testing.check_source(path, **options)
    assert all(row.passed for row in rows)


def fits(path, head, options):
    return head.startswith(b"odd")


def read(path, *, who):
    content = path.read_bytes()
    if len(content) < 50:
        raise cs.InputError("too short,\nand the name is missing", code="damaged-file")
    return Parts(format="odd", times=RNG.uniform(size=5), splits=np.array([0, 5]))


def test_broken_promises_are_found(tmp_path, monkeypatch):
    odd = Source(name="odd", what="an odd file", fits=f"{__name__}:fits", read=f"{__name__}:read")
    monkeypatch.setattr("consilience.sources._door.SOURCES", (odd, *SOURCES))
    (tmp_path / "x.odd").write_bytes(b"odd" + bytes(100))
    rows = cs.testing.check_source(tmp_path / "x.odd", collect=True)
    failed = {row.claim for row in rows if not row.passed}
    assert failed >= {
        "read twice, the same",
        "damage is one sentence that names the file, or read",
        "cut files are refused",
    }
    with pytest.raises(cs.testing.CheckError):
        cs.testing.check_source(tmp_path / "x.odd")
