"""Noise along the signal and differential correlations from few trials: bias, spread and cover of `noise_geometry`.

Writes benchmarks/noise_geometry.md. About half a minute on one core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import consilience as cs

HERE = Path(__file__).resolve().parent
UNITS, REPEATS = 40, 60


def one(trials: int, eps: float) -> str:
    found = []
    for k in range(REPEATS):
        rng = np.random.default_rng(k)
        f = 0.3 * rng.normal(size=UNITS)
        x1, x2 = (
            s * f + rng.normal(size=(trials, UNITS)) + np.sqrt(eps) * rng.normal(size=(trials, 1)) * f
            for s in (0, 1)
        )
        g = cs.populations.noise_geometry(x1, x2, n_perm=0)
        length = float(f @ f)
        truth = UNITS * (1 + eps * length) / (UNITS + eps * length)
        information = length / (1 + eps * length)
        found.append(
            (
                g.alignment / truth,
                g.ci_low <= truth <= g.ci_high,
                g.differential,
                g.differential_low <= eps <= g.differential_high,
                g.information.value / information,
                g.information.naive / information,
            )
        )
    ratio, cover, epsilon, held, corrected, naive = np.array(found, dtype=np.float64).T
    cells = [
        f"{trials} + {trials}",
        f"{eps:g}",
        f"{ratio.mean():.3f} +- {ratio.std(ddof=1):.3f}",
        f"{cover.mean():.2f}",
        f"{np.nanmean(epsilon):.3f} +- {np.nanstd(epsilon):.3f}",
        f"{np.nanmedian(epsilon):.3f}",
        f"{held.mean():.2f}",
        f"{corrected.mean():.2f}",
        f"{naive.mean():.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    lines = [
        "# Noise against the signal, from few trials",
        "",
        f"Made by `python -m benchmarks.noise_geometry`: {UNITS} units, Gaussian noise I + epsilon f f', {REPEATS}",
        "data sets each (mean and standard deviation). Ratios are to the truth; cover is of 95 % intervals.",
        "",
        "| trials | epsilon | alignment, ratio | cover | epsilon found | median | cover | information, corrected | "
        "plain |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for trials in (30, 50, 100, 300):
        for eps in (0.0, 0.5):
            lines.append(one(trials, eps))
            print(lines[-1], flush=True)
    (HERE / "noise_geometry.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
