"""The command line. Nothing heavy is imported before a command runs; every fault is one or two lines and an
exit code.

Exit codes: 0 done, 1 a step failed (or a fault of ours), 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    from consilience._cli._guard import guarded

    return guarded(list(sys.argv[1:] if argv is None else argv), signals=argv is None)
