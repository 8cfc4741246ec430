"""Peers that reference tests are held against: `make peers` installs them into a folder of their own."""

import os
import sys
from pathlib import Path

import pytest

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # workers share the cores: more threads each would wait for one another
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

_PEERS = Path(os.environ.get("CONSILIENCE_PEERS") or Path(__file__).resolve().parents[1] / ".peers")
if _PEERS.is_dir() and str(_PEERS) not in sys.path:
    sys.path.append(str(_PEERS))  # last, so that nothing of the environment is shadowed


@pytest.fixture(autouse=True)
def _closed_figures():
    """No test leaves figures open for the next one: matplotlib warns of more than 20."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
