"""Does the test-suite see a broken formula? ``python -m benchmarks.sabotage [word ...]``.

The package is copied, one line of it is broken, and the part of the suite that should notice is run on the copy.
A row is good when a test fails. A sabotage that nothing notices, or whose line is no longer in the source, ends
in exit code 1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Sabotage:
    """``old`` becomes ``new`` in ``file`` (below src/consilience); ``tests`` are pytest arguments."""

    name: str
    file: str
    old: str
    new: str
    tests: str


VALUES, CLAIMS = "tests/measures/test_references.py", "tests/measures/test_claims.py"
STATS, COMPARE, LINALG = (
    "tests/stats/test_resampling.py",
    "tests/analyses/test_compare.py",
    "tests/linalg/test_linalg.py",
)

ALL = [
    Sabotage(
        "centring dropped", "linalg/_centre.py", "        return x - mean\n", "        return x\n", VALUES
    ),
    Sabotage(
        "biased HSIC called debiased",
        "measures/_centred.py",
        "    off = k - xp.eye(n",
        "    off = k - 0 * xp.eye(n",
        VALUES,
    ),
    Sabotage(
        "diagonal vector taken from every row",
        "measures/_centred.py",
        "    off = k - xp.eye(n, dtype=k.dtype, device=k.device) * k\n",
        "    off = k - xp.linalg.diagonal(k)\n",
        VALUES,
    ),
    Sabotage(
        "p = b / m",
        "stats/_permutation.py",
        "(count + 1.0) / (null.shape[0] + 1.0)",
        "count / null.shape[0]",
        STATS,
    ),
    Sabotage(
        "ties do not count in p",
        "stats/_permutation.py",
        "return null >= value - ",
        "return null > value + ",
        STATS,
    ),
    Sabotage(
        "naive bootstrap: duplicates are pairs",
        "stats/_pairs.py",
        "    top, norm_a, norm_b = np.split",
        "    twice = (w * (w - 1) / 2).sum(axis=0)\n"
        "    near_a, near_b = -np.abs(a).max(axis=1), -np.abs(b).max(axis=1)\n"
        "    extra = [np.outer(near_a, near_b).ravel(), near_a**2, near_b**2]\n"
        "    sums += np.concatenate(extra)[:, None] * twice\n"
        "    top, norm_a, norm_b = np.split",
        f"{STATS} -k 'noise or weights'",
    ),
    Sabotage(
        "square root forgotten in weighted cosine",
        "stats/_pairs.py",
        "below = np.sqrt(norm_a",
        "below = (norm_a",
        STATS,
    ),
    Sabotage(
        "square root forgotten in RDM",
        "measures/_rdm.py",
        "short = 1.0 / xp.sqrt(",
        "short = 1.0 / (",
        VALUES,
    ),
    Sabotage(
        "compare by row",
        "analyses/_inputs.py",
        "_unless_in_order(order[np.searchsorted(own[order], ids)], len(own))",
        "_unless_in_order(np.arange(len(ids)), len(own))",
        COMPARE,
    ),
    Sabotage(
        "aligned by row",
        "_responses/_match.py",
        "    rows = np.concatenate([order[lo:hi] for lo, hi in zip(left, right)])",
        "    rows = np.arange(own.size)",
        "tests/test_responses.py",
    ),
    Sabotage(
        "RDMs aligned by row",
        "_responses/_match.py",
        "        rows = order[np.searchsorted(own[order], ids)]",
        "        rows = np.arange(own.size)",
        COMPARE,
    ),
    Sabotage(
        "leak: fitted on the test stimuli",
        "linalg/_ridge.py",
        "        train = np.setdiff1d(np.arange(self.n), test)",
        "        train = np.arange(self.n)",
        f"{VALUES} -k predictivity",
    ),
    Sabotage(
        "leak: alpha by single stimuli, not groups",
        "linalg/_ridge.py",
        "if fold.groups is None:",
        "if fold.groups is not self:",
        f"{VALUES} -k predictivity",
    ),
    Sabotage(
        "seed + i instead of named streams",
        "_core/_seeds.py",
        "self.entropy, spawn_key=(*self.spawn_key, zlib.crc32(name.encode()))\n        )\n        return",
        "self.entropy + sum(name.encode()) % 10\n        )\n        return",
        f"{STATS} -k streams",
    ),
    Sabotage(
        "draws not shared by pairs",
        "analyses/_by_pairs.py",
        "            each = self.parts.combine(va, vb, self.design.weights)\n",
        "            turned = [np.roll(self.design.weights, i, axis=0) for i in range(len(va))]\n"
        "            each = [self.parts.combine(va[i : i + 1], vb, w) for i, w in enumerate(turned)]\n"
        "            each = np.concatenate(each, axis=1)\n",
        f"{COMPARE} -k shared",
    ),
    Sabotage(
        "held-out rotation of directions without data",
        "measures/_procrustes.py",
        "known = size > size[0] * 1e-12",
        "known = size > -1",
        VALUES,
    ),
    Sabotage(
        "null of CCA without its finite-size term",
        "measures/_canonical.py",
        "finite = (ends",
        "finite = 0 * (ends",
        VALUES,
    ),
    Sabotage(
        "ranks skipped in Spearman",
        "measures/_compare_rdms.py",
        '"spearman": rank,',
        '"spearman": _centre,',
        VALUES,
    ),
    Sabotage(
        "tau-b for tau-a",
        "measures/_ranks.py",
        "    return tau_b * np.sqrt((n - ties[0]) * (n - ties[1])) / n",
        "    return tau_b",
        VALUES,
    ),
    Sabotage(
        "best scored on the half it was chosen on",
        "analyses/_best.py",
        "((one, second), (two, first))",
        "((one, first), (two, second))",
        f"{COMPARE} -k 'nested and cka'",
    ),
    Sabotage(
        "choice sees predictions fitted on the other half",
        "analyses/_best.py",
        "((s, s) for s in scores) if block.choices is None else zip(scores, block.choices(mode))",
        "((s, s) for s in scores)",
        f"{COMPARE} -k 'nested and predictivity'",
    ),
    Sabotage(
        "sessions not averaged within a subject",
        "analyses/_inputs.py",
        "values[subjects == subject].mean(axis=0)",
        "values[subjects == subject][0]",
        f"{COMPARE} -k sessions",
    ),
    Sabotage(
        "constant unit by variance == 0",
        "linalg/_centre.py",
        "    return (high - low) <= tolerance * float(xp.finfo(x.dtype).eps) * size",
        "    return xp.var(x, axis=0) == 0",
        LINALG,
    ),
    Sabotage(
        "percentiles for in-sample subsets",
        "analyses/_by_subsets.py",
        "low, high = jackknife_interval(out.values, out.draws, n=n, left_out=d, level=design.level)",
        "low, high = np.quantile(out.draws, [0.025, 0.975], axis=0)",
        f"{COMPARE} -k intervals_hold",
    ),
    Sabotage(
        "jackknife without its factor (n - d) / d",
        "stats/_intervals.py",
        "(n - left_out) / left_out * np.nanvar",
        "np.nanvar",
        STATS,
    ),
    Sabotage(
        "held-out draws given the fits",
        "stats/_intervals.py",
        "np.sqrt(2.0) * (draws - value)",
        "(draws - value)",
        STATS,
    ),
    Sabotage(
        "variance of both factors taken as it is",
        "stats/_intervals.py",
        "2 * (s2_stimuli + s2_subjects) - s2_both",
        "s2_both",
        STATS,
    ),
    Sabotage(
        "ceiling without its square root",
        "measures/_parts.py",
        "np.sqrt(spearman_brown(score))",
        "spearman_brown(score)",
        f"{COMPARE} -k ceiling",
    ),
    Sabotage(
        "a false claim: CKA invariant to affine maps",
        "measures/_cka.py",
        '"rotation", "permutation"}',
        '"rotation", "permutation", "affine"}',
        f"{CLAIMS} -k 'both_ways and cka'",
    ),
    Sabotage(
        "labels left out of the hash",
        "_results/_files.py",
        'if variable.dtype.kind in "OUT":\n            digest',
        'if variable.dtype.kind in "OUT":\n            continue\n            digest',
        "tests/test_results.py -k hash",
    ),
]


def attempt(one: Sabotage, folder: Path) -> tuple[str, str]:
    """("caught" | "MISSED" | "STALE", the first test that failed)."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder / "pyproject.toml")
    path = folder / "src" / "consilience" / one.file
    text = path.read_text(encoding="utf-8")
    if one.old not in text:
        return "STALE", "the line is not in the source any more"
    path.write_text(text.replace(one.old, one.new), encoding="utf-8")
    arguments = [a.strip("'") for a in re.findall(r"'[^']*'|\S+", one.tests)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    failed = re.search(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.MULTILINE)
    if done.returncode == 1 and failed:
        return "caught", failed.group(1)
    return "MISSED", f"pytest ended with {done.returncode}"


def main(words: list[str]) -> int:
    chosen = [s for s in ALL if not words or any(word in s.name for word in words)]
    print("| sabotage | file | outcome | by the test | s |\n|---|---|---|---|---|", flush=True)
    bad, start = 0, time.perf_counter()
    for one in chosen:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            outcome, test = attempt(one, Path(folder))
        bad += outcome != "caught"
        print(
            f"| {one.name} | {one.file} | {outcome} | {test} | {time.perf_counter() - begun:.0f} |",
            flush=True,
        )
    print(f"\n{len(chosen) - bad} of {len(chosen)} caught, {time.perf_counter() - start:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
