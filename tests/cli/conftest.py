"""Runs the command line in this process, and small files for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consilience._cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*args: object) -> Outcome:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x + rng.normal(size=x.shape))
    (tmp_path / "ids.txt").write_text("\n".join(f"s{i}" for i in range(20)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A network of five channels and three outputs, which the command line loads under any name."""
    import torch

    import consilience as cs

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 5),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 3),
    )
    made = cs.Network(
        module,
        preprocess=lambda block: torch.from_numpy(np.moveaxis(block.astype(np.float32), -1, 1) / 128 - 1),
        name="small",
    )
    monkeypatch.setattr(cs.networks, "load", lambda name: made)
    return made


@pytest.fixture
def labelled_photos(tmp_path: Path) -> Path:
    """A folder of 24 pictures; their labels lie beside it in labels.npy."""
    from PIL import Image

    place = tmp_path / "photos"
    place.mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (24, 12, 12, 3)).astype(np.uint8)):
        Image.fromarray(image).save(place / f"p{i:02d}.png")
    np.save(tmp_path / "labels.npy", np.arange(24) % 3)
    return place
