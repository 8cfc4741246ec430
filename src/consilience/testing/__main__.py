"""``python -m consilience.testing [measure ...]``: measure x claim x library, and what does not hold."""

from __future__ import annotations

import sys
import time
from collections import Counter

from consilience._core._table import Table
from consilience.measures._contract import Measure
from consilience.testing._measure import check_measure, every_measure
from consilience.testing._rows import CheckRow

GROUPS = {
    "invariances": ("leaves it", "changes it"),
    "range, itself, symmetry": ("range", "itself", "symmetric"),
    "fewest stimuli": ("stimuli",),
    "null": ("null",),
    "parts": ("parts", "combine", "permute", "weights", "score(", "value(", "RDMs"),
    "references": ("references", "methods section", "held-out form"),
    "dtypes, layouts": ("",),
}


def _group(row: CheckRow) -> str:
    if row.claim.startswith("null") or row.claim.startswith("warns"):
        return "null"
    for name, marks in GROUPS.items():
        if any(mark in row.claim for mark in marks):
            return name
    return "dtypes, layouts"


def _line(measure: Measure, rows: list[CheckRow], seconds: float) -> list[str]:
    held = Counter((_group(row), row.passed) for row in rows)
    cells = []
    for group in GROUPS:
        good, bad = held[group, True], held[group, False]
        cells.append(f"{good}" if not bad else f"{good} of {good + bad}")
    libraries = sorted({row.library for row in rows} - {"-"})
    return [measure.key, measure.claims.resample, *cells, " ".join(libraries), f"{seconds:.1f}"]


def main(arguments: list[str]) -> int:
    chosen = [m for m in every_measure() if not arguments or m.name in arguments]
    lines, failed, total = [], [], 0
    for measure in chosen:
        start = time.perf_counter()
        rows = check_measure(measure, collect=True)
        lines.append(_line(measure, rows, time.perf_counter() - start))
        failed += [row for row in rows if not row.passed]
        total += len(rows)
    sys.stdout.write(f"{Table(['measure', 'rule', *GROUPS, 'libraries', 'seconds'], lines)!r}\n\n")
    sys.stdout.write(f"{total} claims of {len(chosen)} measures tested, {len(failed)} do not hold\n")
    for row in failed:
        sys.stdout.write(f"  {row.measure}: {row.claim} ({row.library}): {row.detail}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
