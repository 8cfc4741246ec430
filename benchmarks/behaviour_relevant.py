"""Are the states that behaviour follows found among larger ones that it does not? PSID, linear dynamics, PCA.

Run as ``python -m benchmarks.behaviour_relevant [folder]``. Planted: 20 units see two states that move the hand (0.9
exp(+-0.2i)) and four others, driven three times as strongly (0.95 exp(+-0.6i), 0.9 exp(+-1.2i)), in 30 trials of 60
bins; whole, ragged (30 to 60 bins), or with 20 % of the values of units and behaviour missing at random. R2 of
behaviour on 20 new, whole trials, and the larger distance of the two relevant eigenvalues from the nearest found.
PSID(k, min(k, 2)) and PSID(k, 0) (subspace identification, behaviour by regression), LDS (EM; behaviour regressed on
filtered states), PCA (behaviour regressed on components of each bin; eigenvalues of their regression on the bin
before). Then motor cortex: 171 units of M1 and hand velocity during reaching (Stevenson et al. 2011), 50 ms bins, in
pieces of 5 s; looked for in the folder given, else the environment variable CONSILIENCE_SHARED, else ``../shared/data``
beside this checkout, and left out where it is not. Written to behaviour_relevant.md beside this file.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import linalg
from scipy.io import loadmat
from scipy.optimize import linear_sum_assignment

import consilience as cs
from benchmarks.latent_recovery import cell
from consilience.models._lds_smooth import System, smooth
from consilience.models._trials import as_trials
from consilience.stats import fold_interval

TARGET = Path(__file__).with_suffix(".md")
SEEDS, TRIALS, TEST, SPAN, UNITS = 10, 30, 20, 60, 20
KINDS = ("whole", "ragged", "20 % missing")
MODELS = ("PSID", "PSID, none relevant", "LDS", "PCA")
SHIFTS, PIECE, FOLDS, HORIZON = 19, 100, 5, 5


def turning(size: float, angle: float) -> np.ndarray:
    return size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


A = linalg.block_diag(turning(0.9, 0.2), turning(0.95, 0.6), turning(0.9, 1.2))
RELEVANT = 0.9 * np.exp(np.array([0.2j, -0.2j]))
DRIVE = np.array([1.0, 1.0, 3.0, 3.0, 3.0, 3.0])


def planted(seed: int, trials: int = TRIALS + TEST) -> tuple[np.ndarray, np.ndarray, System]:
    """Units, behaviour, and the system that they come from."""
    rng = np.random.default_rng(seed)
    state = linalg.solve_discrete_lyapunov(A, np.diag(DRIVE**2))
    c = rng.normal(size=(UNITS, 6))
    x = rng.normal(size=(trials, SPAN, 6))
    x[:, 0] = x[:, 0] @ np.linalg.cholesky(state).T
    for t in range(1, SPAN):
        x[:, t] = x[:, t - 1] @ A.T + DRIVE * x[:, t]
    units = x @ c.T + 2 * rng.normal(size=(trials, SPAN, UNITS))
    hand = x[..., :2] + rng.normal(size=(trials, SPAN, 2))
    truth = System(A, np.diag(DRIVE**2), c, np.zeros(UNITS), np.full(UNITS, 4.0), np.zeros(6), state)
    return units, hand, truth


def spoiled(units: np.ndarray, hand: np.ndarray, kind: str, seed: int) -> tuple[Any, Any, str]:
    rng = np.random.default_rng(1000 + seed)
    if kind == "whole":
        return units, hand, "raise"
    if kind == "ragged":
        ends = rng.integers(SPAN // 2, SPAN + 1, size=len(units))
        return [u[:e] for u, e in zip(units, ends)], [h[:e] for h, e in zip(hand, ends)], "raise"
    holes = [np.where(rng.random(v.shape) < 0.2, np.nan, v) for v in (units, hand)]
    return holes[0], holes[1], "mask"


def stacked(parts: Any) -> np.ndarray:
    return np.concatenate(list(parts))


def r2(hand: np.ndarray, said: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.asarray(1 - ((hand - said) ** 2).sum(axis=0) / ((hand - mean) ** 2).sum(axis=0))


def by_regression(train: Any, hand: Any, test: Any, held: Any) -> np.ndarray:
    """R2 of each held-out behaviour regressed on states; missing behaviour is left out."""
    z, y = stacked(train), stacked(hand)
    wide = np.column_stack([z, np.ones(len(z))])
    new = np.column_stack([stacked(test), np.ones(len(stacked(test)))])
    said = []
    for column in y.T:
        there = np.isfinite(column) & np.isfinite(wide).all(axis=1)
        said.append(new @ np.linalg.lstsq(wide[there], column[there], rcond=None)[0])
    return r2(stacked(held), np.array(said).T, np.nanmean(y, axis=0))


def fitted(name: str, k: int, train: Any, hand: Any, test: Any, held: Any, missing: str) -> Any:
    """(R2 of behaviours, eigenvalues)."""
    if name.startswith("PSID"):
        psid = cs.models.PSID(k, min(k, 2) if name == "PSID" else 0, missing=missing).fit(train, hand)
        return psid.behaviour_scores(test, held), psid.eigenvalues_
    if name == "LDS":
        lds = cs.models.LDS(k, missing=missing).fit(train)
        states = lds.transform(train, causal=True), lds.transform(test, causal=True)
        return by_regression(states[0], hand, states[1], held), lds.eigenvalues_
    pca = cs.models.PCA(k, missing=missing).fit(train)
    z = list(pca.transform(train))
    before, after = stacked([v[:-1] for v in z]), stacked([v[1:] for v in z])
    there = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    moved = np.linalg.lstsq(before[there], after[there], rcond=None)[0]
    return by_regression(z, hand, pca.transform(test), held), np.linalg.eigvals(moved)


def away(found: np.ndarray) -> float:
    distance = np.abs(RELEVANT[:, None] - found)
    return float(distance[linear_sum_assignment(distance)].max())


def recovery(seeds: int) -> list[str]:
    lines = [
        "| states | model | data | R2 of behaviour | error of the relevant eigenvalues |",
        "|---|---|---|---|---|",
    ]
    ceiling = []
    for seed in range(seeds):
        units, hand, truth = planted(seed)
        states = smooth(as_trials(units, who="truth"), truth).filtered[TRIALS * SPAN :]
        ceiling.append(float(r2(stacked(hand[TRIALS:]), states[:, :2], np.zeros(2)).mean()))
    lines.append(f"| 6 | the planted system itself, filtered | | {cell(ceiling, 3)} | 0 |")
    for k in (2, 4, 6):
        for name in MODELS:
            for kind in KINDS:
                scores, errors = [], []
                for seed in range(seeds):
                    units, hand, _ = planted(seed)
                    train, told, missing = spoiled(units[:TRIALS], hand[:TRIALS], kind, seed)
                    score, values = fitted(name, k, train, told, units[TRIALS:], hand[TRIALS:], missing)
                    scores.append(float(np.mean(score)))
                    errors.append(away(values))
                lines.append(f"| {k} | {name} | {kind} | {cell(scores, 3)} | {cell(errors, 3)} |")
    return lines


def numbers(seeds: int) -> list[str]:
    lines = [
        "| trials | data | relevant states chosen, of " + str(seeds) + " | R2 of behaviour |",
        "|---|---|---|---|",
    ]
    for trials in (15, TRIALS, 120):
        for kind in KINDS if trials == TRIALS else KINDS[:1]:
            got, scores = [], []
            for seed in range(seeds):
                units, hand, _ = planted(seed, trials + TEST)
                train, told, missing = spoiled(units[:trials], hand[:trials], kind, seed)
                model = cs.models.PSID(6, missing=missing).fit(train, told)
                got.append(model.n_relevant_)
                scores.append(model.score(units[trials:], hand[trials:]))
            found = ", ".join(f"{k}: {got.count(k)}x" for k in sorted(set(got)))
            lines.append(f"| {trials} | {kind} | {found} | {cell(scores, 3)} |")
    return lines


def null(seeds: int) -> list[str]:
    """p of behaviour of another draw: it has the same memory, and nothing to do with these units."""
    p, top = [], []
    for seed in range(seeds):
        units, hand = planted(seed, 15)[0], planted(500 + seed, 15)[1]
        found = cs.models.PSID(2, 2).held_out(units, hand, n_shifts=SHIFTS, rng=seed)
        p += found.p.tolist()  # type: ignore[union-attr]
        top.append(float(found.r2.max()))
    share = np.mean(np.array(p) <= 0.05)
    return [
        f"Behaviour of another draw, 15 trials, two relevant states, {SHIFTS} shifts: p at most 0.05 in {share:.2f} of "
        f"{len(p)} behaviours of {seeds} draws (largest held-out R2 {max(top):.2f})."
    ]


def folder_of(argv: list[str]) -> Path:
    default = os.environ.get("CONSILIENCE_SHARED", str(TARGET.parents[2] / "shared" / "data"))
    return Path(argv[1] if len(argv) > 1 else default)


def motor(folder: Path) -> list[str]:
    path = folder / "motor" / "m1_stevenson_2011.mat"
    if not path.exists():
        return ["The recording is not here; this section was left out."]
    file = loadmat(path)
    bins = file["spikes"].shape[1] // PIECE * PIECE
    spikes = file["spikes"][:, :bins].T.astype(float).reshape(-1, PIECE, file["spikes"].shape[0])
    hand = file["handVel"][:2, :bins].T.astype(float).reshape(-1, PIECE, 2)
    n = len(spikes)
    folds = [np.arange(n) * FOLDS // n == f for f in range(FOLDS)]
    lines = [
        "| states | model | R2 of x | R2 of y | R2 of shifted behaviour, at most (x, y) | p (x, y) |",
        "|---|---|---|---|---|---|",
    ]

    def row(k: int, name: str, value: Any, low: Any, high: Any, null_: str, p: str) -> str:
        cells = [f"{v:.2f} [{a:.2f}, {b:.2f}]" for v, a, b in zip(value, low, high)]
        return f"| {k} | {name} | {cells[0]} | {cells[1]} | {null_} | {p} |"

    for k in (2, 4, 8):
        for name, relevant in (("PSID", k), ("PSID, none relevant", 0)):
            found = cs.models.PSID(k, relevant, horizon=HORIZON, bin_width=0.05).held_out(
                spikes, hand, cv=FOLDS, n_shifts=SHIFTS if relevant == 4 else 0
            )
            words = "", ""
            if found.null is not None and found.p is not None:
                most = found.null.max(axis=0)
                words = f"{most[0]:.2f}, {most[1]:.2f}", f"{found.p[0]:.2f}, {found.p[1]:.2f}"
            lines.append(row(k, name, found.r2, found.ci_low, found.ci_high, *words))
        for name in ("LDS", "PCA"):
            scores = np.array(
                [fitted(name, k, spikes[~f], hand[~f], spikes[f], hand[f], "raise")[0] for f in folds]
            )
            lines.append(row(k, name, *fold_interval(scores, 0.95), "", ""))
    every = np.array([by_regression(spikes[~f], hand[~f], spikes[f], hand[f]) for f in folds])
    lines.append(
        row(spikes.shape[2], "regression on all units of the bin", *fold_interval(every, 0.95), "", "")
    )
    return lines


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    sections = (
        (
            "# States that behaviour follows",
            f"`python -m benchmarks.behaviour_relevant`: {UNITS} units, two relevant states and four others driven "
            f"three times as strongly, {TRIALS} trials of {SPAN} bins, {SEEDS} draws; mean [95 % t interval over "
            "draws]. R2 on new trials, from bins up to and including each; at two states PSID has only relevant ones. "
            "Error: the larger distance of the eigenvalues 0.9 exp(+-0.2i) from those found, each paired with its own.",
            lambda: recovery(SEEDS),
        ),
        (
            "## Number of relevant states by cross-validation",
            'Two are planted; `PSID(6)`, `n_relevant="cv"`.',
            lambda: numbers(SEEDS),
        ),
        ("## Behaviour that has nothing to do with the units", "", lambda: null(2 * SEEDS)),
        (
            "## Motor cortex and hand velocity",
            f"171 units of M1, 50 ms bins, pieces of {PIECE} bins, {FOLDS} folds of neighbouring pieces, horizon of "
            f"{HORIZON} bins; R2 [95 % t interval over folds, widened for shared training data]. Null: velocity "
            f"shifted on a circle over the whole recording, {SHIFTS} times, fitted again (p of at least "
            f"{1 / (SHIFTS + 1):.2f}).",
            lambda: motor(folder_of(sys.argv)),
        ),
    )
    text: list[str] = []
    for title, words, make in sections:  # written after each, so that a run that is stopped leaves something
        text += [title, "", *([words, ""] if words else []), *make(), ""]
        TARGET.write_text("\n".join(text))
    print("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
