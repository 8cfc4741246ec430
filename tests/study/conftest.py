"""Small data, a study of them, and a finished run to start from."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STUDY = """\
seed: 0
output: out
report: false
systems:
  one: {read: x.npy, ids: ids.txt}
  two: {read: y.npy, ids: ids.txt, kind: rate}
analyses:
  - compare: {a: one, b: two, measure: [rsa, cka], n_boot: 20, n_perm: 20}
"""


def write_data(folder: Path, n: int = 24, units: int = 6) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, units))
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", x + 0.5 * rng.normal(size=x.shape))
    (folder / "ids.txt").write_text("\n".join(f"s{i}" for i in range(n)) + "\n")
    (folder / "study.yaml").write_text(STUDY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from consilience.study import run

    folder = tmp_path_factory.mktemp("finished")
    write_data(folder)
    run(folder / "study.yaml")
    return folder


@pytest.fixture
def done(_finished: Path, tmp_path: Path) -> Path:
    """A copy of a folder in which the study has run (the store does not mind being moved)."""
    return Path(shutil.copytree(_finished, tmp_path / "done"))


@pytest.fixture
def toy_network(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A small network and 30 stimuli of three categories, which studies get under any name of a network or data set."""
    torch = pytest.importorskip("torch")
    import consilience as cs

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Sigmoid(), torch.nn.Linear(8, 3))
    net = cs.Network(module, name="toy", key="toy")
    labels = np.arange(30) % 3
    x = np.random.default_rng(0).normal(size=(30, 4)) + labels[:, None]
    stimuli = cs.stimuli(x, ids=range(30)).assign_coords(category=("stimulus", labels))
    monkeypatch.setattr(cs.networks, "load", lambda name: copy.deepcopy(net))
    for place in ("_plan", "_blocks"):
        monkeypatch.setattr(f"consilience.study.{place}.get_stimuli", lambda *_, **__: stimuli)
    return net, stimuli
