"""Small data, a study of them, and a finished run to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

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
