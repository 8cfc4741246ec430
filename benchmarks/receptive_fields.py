"""How well is a known receptive field found, per method, stimulus and number of spikes?

Run as ``python -m benchmarks.receptive_fields``. A simple cell (a Gabor in space times a biphasic course in time,
half-rectified) and a complex cell (the energy of a quadrature pair) see white noise or patches of photographs
(scikit-learn's sample images in grey at a quarter of their size: crops of 10 x 10 pixels at random places less their
mean, each frame a new one), and fire Poisson spikes, 0.25 a frame. Two numbers for each fit: the cosine of estimate and
truth as filters, pixel by pixel, and the correlation of their outputs on new frames of the same kind, which does not
ask for what the stimulus does not show. Of the complex cell, two excitatory axes are taken: the smaller cosine of the
principal angles between the found and the true plane, and the smaller canonical correlation of their outputs. Means
over seeds with 95 % t intervals. Written to receptive_fields.md and .png beside this file.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.datasets import load_sample_images

import consilience as cs

TARGET = Path(__file__).with_suffix(".md")
SEEDS, SIDE, LAGS, RATE = 5, 10, 3, 0.25
SPIKES = (250, 1000, 4000, 16000)
STIMULI = ("white noise", "photographs")
COURSE = np.array([0.4, 1.0, -0.6])
SIMPLE: dict[str, Callable[[], Any]] = {
    "STA": lambda: cs.models.SpikeTriggeredAverage(LAGS),
    "whitened STA": lambda: cs.models.SpikeTriggeredAverage(LAGS, whiten=True),
    "ridge": lambda: cs.models.RidgeRF(LAGS),
    "ASD": lambda: cs.models.ASD(LAGS),
    "splines, Poisson": lambda: cs.models.SplineRF(LAGS, n_splines=[3, 7, 7], observation="poisson"),
    "rank 1": lambda: cs.models.LowRankRF(LAGS, rank=1, n_null=0),
}
COMPLEX = {
    "STC": lambda: cs.models.SpikeTriggeredCovariance(LAGS, rng=0),
    "quadratic ridge": lambda: cs.models.QuadraticRF(LAGS, n_components=45, rng=0),
}


def gabor(phase: float) -> np.ndarray:
    """(LAGS, SIDE, SIDE), of length 1."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    along = x * np.cos(0.6) + y * np.sin(0.6)
    space = np.exp(-(x**2 + y**2) / (2 * 1.8**2)) * np.cos(2 * np.pi * along / 5 + phase)
    out = COURSE[:, None, None] * (space - space.mean())
    return out / np.linalg.norm(out)


def frames(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, SIDE, SIDE) of mean 0 and variance 1 over all."""
    if kind == "white noise":
        return rng.normal(size=(n, SIDE, SIDE)).astype(np.float32)
    images = [image.mean(axis=2) for image in load_sample_images().images]
    images = [i[: len(i) // 4 * 4].reshape(-1, 4, i.shape[1] // 4, 4).mean(axis=(1, 3)) for i in images]
    which = rng.integers(0, len(images), n)
    out = np.empty((n, SIDE, SIDE), np.float32)
    for i, image in enumerate(images):
        at = np.flatnonzero(which == i)
        top = rng.integers(0, image.shape[0] - SIDE, at.size)
        left = rng.integers(0, image.shape[1] - SIDE, at.size)
        windows = np.lib.stride_tricks.sliding_window_view(image, (SIDE, SIDE))
        out[at] = windows[top, left]
    out -= out.mean(axis=(1, 2), keepdims=True)
    return out / out.std()


def output(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """(n, k) what filters w (k, lags, *space) give, from the first frame with a full past."""
    flat = x.reshape(len(x), -1)
    return sum(flat[LAGS - 1 - k : len(x) - k] @ w[:, k].reshape(len(w), -1).T for k in range(LAGS))


def fire(g: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spikes of a simple (one output) or complex (two) cell."""
    drive = np.maximum(g[:, 0], 0) if g.shape[1] == 1 else (g**2).sum(axis=1)
    return rng.poisson(RATE * drive / drive.mean())


def plane(a: np.ndarray, b: np.ndarray) -> float:
    """The smaller canonical correlation of columns, not centred."""
    q, r = (np.linalg.qr(v)[0] for v in (a, b))
    return float(np.linalg.svd(q.T @ r, compute_uv=False).min())


def once(kind: str, spikes: int, seed: int) -> dict[str, tuple[float, ...]]:
    """{method: (filter, output[, found axes])} of one draw."""
    rng = np.random.default_rng([seed, spikes, STIMULI.index(kind)])
    n = int(spikes / RATE)
    x, new = frames(kind, n, rng), frames(kind, 6000, rng)
    out: dict[str, tuple[float, ...]] = {}
    simple, pair = gabor(0.4)[None], np.stack([gabor(0.4), gabor(0.4 + np.pi / 2)])
    y = np.zeros(n, int)
    y[LAGS - 1 :] = fire(output(x, simple), rng)
    for name, make in SIMPLE.items():
        w = make().fit(x, y).coef_.astype(np.float64)
        cosine = float((w * simple).sum() / np.linalg.norm(w))
        out[name] = cosine, float(np.corrcoef(output(new, w)[:, 0], output(new, simple)[:, 0])[0, 1])
    y[LAGS - 1 :] = fire(output(x, pair), rng)
    for name, made in COMPLEX.items():
        model = made().fit(x, y)
        axes = model.excitatory_[0, :2]
        out[name] = (
            plane(axes.reshape(2, -1).T, pair.reshape(2, -1).T),
            plane(output(new, axes), output(new, pair)),
            float(model.n_excitatory_[0]),
            float(model.n_suppressive_[0]),
        )
    return out


def interval(values: np.ndarray) -> tuple[float, float, float]:
    mean = float(values.mean())
    away = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return mean, mean - float(away), mean + float(away)


def draw(found: dict[tuple[str, str, int], np.ndarray], path: Path) -> None:
    from matplotlib.figure import Figure

    from consilience.plots._style import PALETTE, dress, style

    panels = [(kind, which) for which in (0, 1) for kind in STIMULI]
    with style():
        figure = Figure(figsize=(9.6, 6.2), facecolor="white", layout="constrained")
        for ax, (kind, which) in zip(figure.subplots(2, 2, sharex=True, sharey=True).ravel(), panels):
            dress(ax)
            for k, name in enumerate([*SIMPLE, *COMPLEX]):
                values = np.array([interval(found[kind, name, s][:, which]) for s in SPIKES])
                at = np.array(SPIKES) * 1.035 ** (k - 3.5)
                dashed = "--" if name in COMPLEX else "-"
                color = PALETTE[k % len(PALETTE)]
                ax.vlines(at, values[:, 1], values[:, 2], color=color, linewidth=1.6)
                ax.plot(at, values[:, 0], dashed, marker="o", color=color, linewidth=1.0, markersize=4.5,
                        markeredgecolor="white", label=name)  # fmt: skip
            ax.set_xscale("log")
            ax.set_xticks(SPIKES, [str(s) for s in SPIKES])
            ax.minorticks_off()
            ax.set_ylim(-0.05, 1.05)
            ax.set_title(kind if which == 0 else "")
        for row, text in enumerate(("cosine of filters", "correlation of outputs")):
            figure.axes[2 * row].set_ylabel(text)
        for ax in figure.axes[2:]:
            ax.set_xlabel("spikes")
        figure.axes[0].set_title("white noise")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        title = "solid: simple cell\ndashed: complex cell"
        figure.legend(handles, labels, loc="outside right upper", frameon=False, title=title)
        figure.savefig(path, dpi=120)


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    found: dict[tuple[str, str, int], np.ndarray] = {}
    for kind in STIMULI:
        for spikes in SPIKES:
            every = [once(kind, spikes, seed) for seed in range(SEEDS)]
            for name in every[0]:
                found[kind, name, spikes] = np.array([one[name] for one in every])
    columns = " | ".join(f"{s} spikes" for s in SPIKES)
    lines = [
        "# Recovery of known receptive fields",
        "",
        f"`python -m benchmarks.receptive_fields`: {SIDE} x {SIDE} pixels x {LAGS} lags, {RATE:g} spikes a frame, "
        f"{SEEDS} seeds; mean [95 % t interval over seeds]. First the cosine of estimate and truth as filters, then "
        "the correlation of their outputs on new frames; of the complex cell the smaller one of the two dimensions of "
        "its plane, and how many axes were significant (2 is right).",
    ]
    for cell, methods in (("Simple cell", SIMPLE), ("Complex cell", COMPLEX)):
        for kind in STIMULI:
            lines += [
                "",
                f"## {cell}, {kind}",
                "",
                f"| method | of | {columns} |",
                "|---|---|" + "---|" * len(SPIKES),
            ]
            for name in methods:
                for which, what in enumerate(("filter", "output")):
                    cells = []
                    for s in SPIKES:
                        value, low, high = interval(found[kind, name, s][:, which])
                        cells.append(f"{value:.3f} [{low:.3f}, {high:.3f}]")
                    lines.append(f"| {name if which == 0 else ''} | {what} | " + " | ".join(cells) + " |")
                if cell == "Complex cell":
                    counts = [found[kind, name, s][:, 2:].mean(axis=0) for s in SPIKES]
                    told = " | ".join(f"{high:.1f} excitatory, {low:.1f} suppressive" for high, low in counts)
                    lines.append(f"| | axes | {told} |")
    TARGET.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw(found, TARGET.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
