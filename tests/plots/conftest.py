"""Puts the synthetic results in reach of the tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
