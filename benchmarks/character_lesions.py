"""Which hidden units of char_lstm its predictions need, and what those units are tuned to.

Run as ``python -m benchmarks.character_lesions``. The text is plain sentences of Python's own reference
(``pydoc_data.topics``, which every installation has). Each of the 2 x 128 hidden units is removed at every time step,
so that its absence feeds back; what is lost is told in bits per character. Units are then read while the network reads
other sentences, character by character: how much of a unit's variance do properties of the text explain, against
shifts of them along the text? Writes character_lesions.md and docs/images/character_lesions.png.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs
from benchmarks.label_noise_lesions import commit
from consilience.analyses._evaluate_outputs import make_score
from consilience.networks._lesion import Lesions, make_parts
from consilience.stats import fdr, paired_effect, sign_flip_p

TARGET = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "character_lesions.png"
LAYERS = ("rnn_1", "rnn_2")
SEGMENTS, EACH, APART = 100, 14, 9  # segments of text; characters told in each, this far apart
N_READ, SHIFTS = 8000, 400
WORDS = {
    "kind": "small letter, capital, space, quote or other mark",
    "vowel": "a vowel, among letters",
    "which letter": "which letter, among letters",
    "place in word": "letters since the last that was none: 0, 1, 2, 3-4, 5-7, 8 or more",
    "length of word": "of the word that a space ends: 1-2, 3-4, 5-7, 8 or more letters",
    "in quotes": "between double quotes",
    "place in sentence": "characters since the sentence began: to 10, 20, 40, 80, more",
}


def sentences() -> list[str]:
    """Sentences of at least 60 characters without code: letters, commas, quotes and the like only."""
    from pydoc_data.topics import topics

    found = []
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            for one in re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(paragraph.split())):
                plain = re.fullmatch(r"[A-Z][A-Za-z ,;'\"-]*[.!?]", one)
                code = re.search(r"[a-z][A-Z]|[ \"][A-Z]{2}", one)
                if len(one) >= 60 and plain and not code:
                    found.append(one)
    return list(dict.fromkeys(found))


def texts() -> tuple[str, str]:
    """Two texts: the sentences of even and of odd number."""
    found = sentences()
    return " ".join(found[::2]), " ".join(found[1::2])


def windows(text: str, ends: np.ndarray) -> Any:
    """The 40 characters before each of ``ends``."""
    return cs.stimuli([text[e - 40 : e] for e in ends], ids=[f"at{e:06d}" for e in ends])


def lesions(net: cs.Network, text: str) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """For each layer and way to remove: impact in bits per character (units, segments) with interval, p and q."""
    starts = np.linspace(100, len(text) - 200, SEGMENTS).astype(int)
    ends = (starts[:, None] + APART * np.arange(EACH)).ravel()
    stimuli = windows(text, ends)
    vocabulary = net.preprocess.vocabulary  # type: ignore[union-attr]
    target = np.array([vocabulary.get(text[e], 0) for e in ends])
    reference = windows(text, np.linspace(60, len(text) - 1, 200).astype(int))
    found = {}
    for layer in LAYERS:
        parts = make_parts(net, layer, stimuli, who="benchmarks")
        for how in ("mean", "zero"):
            with Lesions(net, stimuli, parts, how=how, reference=reference, who="benchmarks") as run:
                score = make_score("loss", target, run.intact, who="benchmarks")
                intact = score.f(run.intact, slice(None)) / np.log(2)
                bits = run.scores(np.eye(len(parts), dtype=bool), score.f) / np.log(2)
            lost = (bits - intact).reshape(len(parts), SEGMENTS, EACH).mean(axis=2)
            value, low, high = paired_effect(lost)
            p, _ = sign_flip_p(lost, 9999, np.random.default_rng(0))
            found[layer, how] = {
                "impact": value,
                "low": low,
                "high": high,
                "q": fdr(p),
                "lost": lost,
                "intact": intact.reshape(SEGMENTS, EACH).mean(axis=1),
            }
            print(layer, how, f"{time.process_time():.0f} s", flush=True)
    return found


def properties(text: str, ends: np.ndarray) -> dict[str, np.ndarray]:
    """The class of the last character that was read, of each property; -1 where it does not apply."""
    kinds: dict[str, list[int]] = {name: [] for name in WORDS}
    for e in ends:
        c, sentence = text[e - 1], re.split(r"[.!?] ", text[max(0, e - 600) : e])[-1]
        letter = c.isalpha()
        within = len(re.findall(r"[A-Za-z]*$", sentence)[0])
        before = len(re.findall(r"[A-Za-z]*$", sentence[:-1])[0])
        kinds["kind"].append(
            0 if c.islower() else 1 if c.isupper() else 2 if c == " " else 3 if c == '"' else 4
        )
        kinds["vowel"].append(int(c.lower() in "aeiou") if letter else -1)
        kinds["which letter"].append(ord(c.lower()) - 97 if letter else -1)
        kinds["place in word"].append(int(np.searchsorted([1, 2, 3, 5, 8], within, side="right")))
        kinds["length of word"].append(
            int(np.searchsorted([3, 5, 8], before, side="right")) if c == " " and before else -1
        )
        kinds["in quotes"].append(sentence.count('"') % 2)
        kinds["place in sentence"].append(int(np.searchsorted([11, 21, 41, 81], len(sentence), side="right")))
    return {name: np.array(values) for name, values in kinds.items()}


def explained(x: np.ndarray, labels: np.ndarray, rows: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Share of the variance of x (time, units) over the rows ``scored`` that means of classes over ``rows`` predict:
    1 - sum (x - mean of its class)^2 / sum (x - mean)^2, from sums of classes alone.
    """
    codes = np.arange(labels.max() + 1)
    fitted, told = (np.equal(labels[of][:, None], codes).astype(np.float64) for of in (rows, scored))
    count, number = fitted.sum(axis=0), told.sum(axis=0)[:, None]
    sums, own = fitted.T @ x[rows], told.T @ x[scored]
    means = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], sums.sum(axis=0) / count.sum())
    squares = told.any(axis=1).astype(np.float64) @ np.square(x[scored])
    rest = squares - (2 * means * own - number * means**2).sum(axis=0)
    around = squares - own.sum(axis=0) ** 2 / number.sum()
    return np.asarray(1 - rest / np.maximum(around, 1e-12))


def tuning(net: cs.Network, text: str) -> dict[str, dict[str, np.ndarray]]:
    """For each layer: (properties, units) share of variance on the second half of the text, with class means of the
    first; q against shifts of the property along the text.
    """
    ends = np.arange(40, 40 + N_READ)
    labels = properties(text, ends)
    states: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    for block in np.array_split(ends, max(1, N_READ // 1000)):  # whole sequences are recorded: some at a time
        acts = cs.record(net, windows(text, block), layers=list(LAYERS))
        for layer in LAYERS:
            states[layer].append(np.asarray(acts[f"{layer}[1][0]"].values, dtype=np.float64))
    first, second = np.arange(N_READ // 2), np.arange(N_READ // 2, N_READ)
    shifts = np.random.default_rng(0).integers(200, N_READ // 2 - 200, SHIFTS)
    found = {}
    for layer in LAYERS:
        x = np.concatenate(states[layer])
        value = np.stack([explained(x, of, first, second) for of in labels.values()])
        above = np.ones(value.shape)
        for shift in shifts:
            for k, of in enumerate(labels.values()):
                moved = np.concatenate([np.roll(of[first], shift), np.roll(of[second], shift)])
                above[k] += explained(x, moved, first, second) >= value[k]
        p = above / (SHIFTS + 1)
        found[layer] = {"explained": value, "q": fdr(p.ravel()).reshape(p.shape)}
        print(layer, "tuning", f"{time.process_time():.0f} s", flush=True)
    return found


def page(lost: Mapping[tuple[str, str], Any], tuned: Mapping[str, Any]) -> list[str]:
    names = list(WORDS)
    intact = lost[LAYERS[0], "mean"]["intact"]
    value, low, high = paired_effect(intact)
    said = [
        "# Hidden units of char_lstm",
        "",
        f"`python -m benchmarks.character_lesions`: {SEGMENTS} segments of sentences of Python's reference, with "
        f"{EACH} characters to tell in each, every time from the 40 before it. The intact network needs "
        f"{value:.2f} bits per character [{low:.2f}, {high:.2f}] (it was trained on other texts). Each hidden unit is "
        "removed at every time step, so that its absence feeds back: set to its mean over 200 other windows and time "
        "steps of the text, or to 0. Intervals are t intervals over segments; q from sign flips of segments, false "
        "discovery rate over the 128 units of a layer.",
        "",
        "| layer | how | units with q < 0.05, worse without | better without | median impact | largest impact | "
        "halves of the segments agree | mean and zero agree |",
        "|" + "---|" * 8,
    ]
    for layer in LAYERS:
        agree = stats.spearmanr(lost[layer, "mean"]["impact"], lost[layer, "zero"]["impact"])[0]
        for how in ("mean", "zero"):
            one = lost[layer, how]
            halves = stats.spearmanr(one["lost"][:, ::2].mean(axis=1), one["lost"][:, 1::2].mean(axis=1))[0]
            sure = one["q"] < 0.05
            said.append(
                f"| {layer} | {how} | {int((sure & (one['impact'] > 0)).sum())} | "
                f"{int((sure & (one['impact'] < 0)).sum())} | {np.median(one['impact']):+.4f} | "
                f"{one['impact'].max():+.3f} | {halves:.2f} | {agree:.2f} |"
            )
    said += [
        "",
        "Agreement is Spearman's correlation of impacts over units.",
        "",
        "## Units whose removal costs most",
        "",
        "Chosen on the segments of even number, their impact told on those of odd number (15 segments; mean "
        f"replacement). Tuning was measured on other sentences, read character by character ({N_READ:,} windows): the "
        "share of the unit's variance on the second half of it that the means of the classes of a property on the "
        "first half predict; the "
        f"best two properties with q < 0.05 against {SHIFTS} shifts of the property along the text (over all units and "
        "properties of a layer).",
        "",
        "| unit | bits per character lost | of which set to 0 | tuned to (share of variance) |",
        "|---|---|---|---|",
    ]
    for layer, unit in chosen(lost):
        one, zero = lost[layer, "mean"]["lost"][unit, 1::2], lost[layer, "zero"]["lost"][unit, 1::2]
        v, lo, hi = paired_effect(one)
        z = zero.mean()
        share, q = tuned[layer]["explained"][:, unit], tuned[layer]["q"][:, unit]
        best = [k for k in np.argsort(-share) if q[k] < 0.05 and share[k] > 0][:2]
        words = ", ".join(f"{names[k]} {share[k]:.2f}" for k in best) or "none of these"
        said.append(f"| {layer}, {unit} | {v:+.3f} [{lo:+.3f}, {hi:+.3f}] | {z:+.3f} | {words} |")
    said += [
        "",
        "## What units are tuned to, and whether that goes with their impact",
        "",
        "| property | "
        + " | ".join(f"{layer}: units tuned, median share, correlation with impact" for layer in LAYERS)
        + " |",
        "|---|" + "---|" * len(LAYERS),
    ]
    for k, name in enumerate(names):
        cells = [f"{name}: {WORDS[name]}"]
        for layer in LAYERS:
            share, q = tuned[layer]["explained"][k], tuned[layer]["q"][k]
            r = stats.spearmanr(share, lost[layer, "mean"]["impact"])[0]
            away = stats.norm.ppf(0.975) * np.sqrt(1.06 / (len(share) - 3))
            ends = np.tanh(np.arctanh(r) + np.array([-away, away]))
            cells.append(
                f"{int(((q < 0.05) & (share > 0)).sum())} of {len(share)}, {np.median(share):.3f}, {r:+.2f} "
                f"[{ends[0]:+.2f}, {ends[1]:+.2f}]"
            )
        said.append("| " + " | ".join(cells) + " |")
    return said


def chosen(lost: Mapping[tuple[str, str], Any], count: int = 6) -> list[tuple[str, int]]:
    """The units of each layer with the largest impact on the segments of even number."""
    out = []
    for layer in LAYERS:
        on = lost[layer, "mean"]["lost"][:, ::2].mean(axis=1)
        out += [(layer, int(unit)) for unit in np.argsort(-on)[:count]]
    return out


def draw(lost: Mapping[tuple[str, str], Any], tuned: Mapping[str, Any], path: Path) -> None:
    """Sorted impacts with intervals, and what the units of largest impact are tuned to."""
    from matplotlib.figure import Figure

    from consilience.plots._style import PALETTE, dress, style

    with style():
        figure = Figure(figsize=(9.4, 3.9), facecolor="white", layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        dress(left)
        for k, layer in enumerate(LAYERS):
            one = lost[layer, "mean"]
            order = np.argsort(-one["impact"])
            x = np.arange(1, len(order) + 1)
            left.vlines(x, one["low"][order], one["high"][order], color=PALETTE[k], alpha=0.25, linewidth=1.2)
            left.plot(x, one["impact"][order], "o", markersize=2.5, color=PALETTE[k], label=f"{layer}, mean")
            left.plot(
                x,
                np.sort(lost[layer, "zero"]["impact"])[::-1],
                color=PALETTE[k],
                linewidth=0.9,
                linestyle="--",
                label=f"{layer}, zero",
            )
        left.axhline(0, color="#a3acb7", linewidth=0.8)
        left.set_xlabel("hidden units, sorted by impact")
        left.set_ylabel("bits per character lost")
        left.set_title("what the removal of a unit costs")
        left.legend(loc="upper right")
        top = chosen(lost)
        table = np.array([tuned[layer]["explained"][:, unit] for layer, unit in top])
        sure = np.array([tuned[layer]["q"][:, unit] < 0.05 for layer, unit in top])
        image = right.imshow(
            np.maximum(table, 0), cmap="Blues", vmin=0, vmax=max(0.3, table.max()), aspect="auto"
        )
        for (i, j), value in np.ndenumerate(table):
            if sure[i, j] and value > 0:
                dark = value > 0.6 * max(0.3, table.max())
                right.text(
                    j,
                    i,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if dark else "#1f2329",
                )
        right.set_xticks(range(len(WORDS)), list(WORDS), rotation=35, ha="right")
        right.set_yticks(range(len(top)), [f"{layer}, {unit}" for layer, unit in top])
        right.spines[["left", "bottom"]].set_visible(False)
        right.tick_params(length=0)
        right.set_title("tuning of the units that cost most")
        figure.colorbar(image, ax=right, label="share of variance, other text", shrink=0.8)
        figure.savefig(path, dpi=130)


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.process_time()
    net = cs.networks.load("char_lstm")
    one, other = texts()
    tuned = tuning(net, other)
    lost = lesions(net, one)
    draw(lost, tuned, PICTURE)
    said = page(lost, tuned)
    said += [
        "",
        f"Run on commit {commit()}, Python {sys.version.split()[0]}; {time.process_time() - start:.0f} s of one core.",
    ]
    TARGET.write_text("\n".join(said) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
