"""Do channels that attribution ranks high matter when they are removed? A small network for digits, disjoint stimuli.

    python benchmarks/attribution_and_lesions.py

Prints the table of docs/howto/attribution.md.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

import consilience as cs
from consilience.networks._lesion import Lesions, make_parts
from consilience.networks._unit_attribution import unit_attribution
from consilience.stats import multinomial_weights
from consilience.stats._rank_agreement import spearman_rho

WHO = "benchmarks"
DRAWS = 1000
METHODS = (
    ("activation x gradient of the output", "gradient_x_activation", "logit"),
    ("the same, of log probability", "gradient_x_activation", "log_probability"),
    ("integrated, of the output", "integrated", "logit"),
    ("integrated, of log probability", "integrated", "log_probability"),
    ("gradient of the output", "gradient", "logit"),
)


def trained(seed: int, x: np.ndarray, y: np.ndarray) -> torch.nn.Module:
    torch.manual_seed(seed)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 32, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(128, 10),
    )
    optimiser = torch.optim.Adam(module.parameters(), lr=3e-3)
    images, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(12):
        for rows in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(module(images[rows]), labels[rows]).backward()
            optimiser.step()
    return module.eval()


def impacts(net: cs.Network, layer: str, shown: object, other: object, y: np.ndarray, how: str) -> np.ndarray:
    """(channels, n): fall of log probability of each stimulus's class when the channel is removed."""

    def score(outputs: np.ndarray, rows: slice) -> np.ndarray:
        away = outputs - outputs.max(axis=1, keepdims=True)
        log = away - np.log(np.exp(away).sum(axis=1, keepdims=True))
        return log[np.arange(len(outputs)), y[rows]]

    parts = make_parts(net, layer, shown, who=WHO)
    with Lesions(net, shown, parts, how=how, reference=other, who=WHO) as run:
        masks = np.eye(len(parts) + 1, len(parts), dtype=bool)  # the last removes nothing
        found = run.scores(masks, score)
    return found[-1] - found[:-1]


def main() -> None:
    digits = load_digits()
    x = (digits.images[:, None] / 16).astype(np.float32)
    rows = np.random.default_rng(0).permutation(len(x))
    train, held = rows[:1200], rows[1200:]
    print(
        "| attribution | layer 1, zero | layer 1, mean | layer 2, zero | layer 2, mean |\n|---|---|---|---|---|"
    )
    seeds, table = range(3), {words: [[] for _ in range(4)] for words, _, _ in METHODS}
    for seed in seeds:
        net = cs.Network(trained(seed, x[train], digits.target[train]), name="digits")
        stimuli = cs.stimuli(x[held], ids=held)
        half = len(held) // 2
        one, two = stimuli[:half], stimuli[half:]
        y1, y2 = digits.target[held[:half]], digits.target[held[half:]]
        draws = np.random.default_rng(seed)
        w1, w2 = (multinomial_weights(len(v), DRAWS, draws) for v in (one, two))
        for column, (layer, how) in enumerate((("1", "zero"), ("1", "mean"), ("3", "zero"), ("3", "mean"))):
            lost = impacts(net, layer, two, one, y2, how)
            for words, method, objective in METHODS:
                each = unit_attribution(
                    net,
                    layer,
                    one,
                    y1,
                    method=method,
                    objective=objective,
                    baseline=how,
                    per="channels",
                    who=WHO,
                )
                value = spearman_rho(each.mean(0), lost.mean(1))
                drawn = spearman_rho(w1 @ each, w2 @ lost.T)
                table[words][column].append((float(value), *np.percentile(drawn, [2.5, 97.5])))
    for words, columns in table.items():
        cells = []
        for found in columns:
            values = ", ".join(f"{value:.2f}" for value, _, _ in found)
            cells.append(f"{values} [{found[0][1]:.2f}, {found[0][2]:.2f}]")
        print(f"| {words} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
