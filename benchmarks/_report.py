"""The markdown table of a run, and the machine it was made on (no host name, no paths)."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks._row import OURS, Outcome, Target

__all__ = ["machine", "table"]

_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "xarray", "rsatoolbox", "torch-cka")


def machine(load: str) -> str:
    """What the timings depend on; ``load`` is the load average before them."""
    from threadpoolctl import threadpool_info

    import consilience

    blas = sorted(
        {
            f"{one['internal_api']} {one.get('version') or ''}".strip()
            for one in threadpool_info()
            if one.get("user_api") == "blas"
        }
    )
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    lines = [
        "# Benchmarks",
        "",
        (
            "Made by `python -m benchmarks`; see `benchmarks/__init__.py`. Each row asserts equal "
            "answers before anything is timed; the sides are"
        ),
        (
            "timed in turn within one process. Times are medians (least in brackets; `once`: a call of more "
            "than 20 s, timed once); a ratio above 1 means that we are faster. Memory is what a first call took "
            "above what was there before, at its peak, looked at every 2 ms."
        ),
        "",
        f"- {_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        f"- BLAS: {', '.join(blas)}",
        f"- consilience {consilience.__version__}, {', '.join(found)}",
        (
            f"- load average at the start: {load} (above 0, others were using the cores: take "
            "ratios, not seconds)"
        ),
    ]
    return "\n".join(lines)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{value * 1e3:.3g} ms"


def _bytes(value: int | None) -> str:
    if value is None:
        return ""
    return "< 1 MB" if value < 1 << 20 else f"{value / (1 << 20):.0f} MB"


def _goal(target: Target | None, outcome: Outcome) -> str:
    if target is None:
        return ""
    if target.kind != "within":
        return target.text()
    return f"{target.text()} (we take {outcome.median(OURS) / outcome.median(target.side):.3g}x)"


def table(outcomes: list[Outcome], threads: int) -> str:
    """One line per side; then what was checked, row by row."""
    lines = [
        f"## {threads} thread{'s' if threads > 1 else ''} (BLAS and torch)",
        "",
        "| row | side | median (least) | ratio of medians (of least) | memory | target | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        ours, least = outcome.median(OURS), outcome.least(OURS)
        for side in outcome.row.sides:
            name = side.name + (f" ({side.per})" if side.per else "")
            median, best = outcome.median(side.name), outcome.least(side.name)
            ratio = "" if side.name == OURS else f"{median / ours:.3g} ({best / least:.3g})"
            target = next((t for t in outcome.row.targets if (t.side or OURS) == side.name), None)
            met = {True: "yes", False: "**no**", None: ""}[target.met(outcome) if target else None]
            lines.append(
                f"| {outcome.row.name if side.name == OURS else ''} | {name} | "
                f"{_seconds(median)} ({_seconds(best) if len(outcome.times[side.name]) > 1 else 'once'}) | {ratio} | "
                f"{_bytes(outcome.memory.get(side.name))} | "
                f"{_goal(target, outcome)} | {met} |"
            )
        lines += [f"| | {name} | not importable, left out | | | | |" for name in outcome.row.missing]
    lines.append("")
    for outcome in outcomes:
        notes = "".join(f" {note}" for note in outcome.row.notes)
        lines.append(
            f"- **{outcome.row.name}**: {outcome.row.work}; {outcome.row.repeats} repeats. "
            f"Checked: {outcome.checked}.{notes}"
        )
    return "\n".join(lines)
