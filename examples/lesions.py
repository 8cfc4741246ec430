"""What a trained network loses without each unit of a layer, three ways of removing it, and what each unit adds.

``python examples/lesions.py figure.png`` writes the picture.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import torch
from sklearn.datasets import load_digits

import consilience as cs


def trained() -> tuple[cs.Network, object]:
    """A small network for handwritten digits, and images that it has not seen."""
    digits = load_digits()
    x, y = (digits.images / 16).astype(np.float32), digits.target
    train = np.arange(len(y)) % 3 > 0
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Linear(24, 10)
    )
    adam = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(80):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(
            module(torch.from_numpy(x[train])), torch.from_numpy(y[train])
        ).backward()
        adam.step()
    shown = cs.stimuli(x[~train], ids=np.flatnonzero(~train))
    return cs.Network(module, name="digits"), shown.assign_coords(digit=("stimulus", y[~train]))


def main() -> None:
    net, shown = trained()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)  # they stand in the results, which are printed
        lost = cs.ablate(
            net,
            "2",
            stimuli=shown,
            target="digit",
            how=["zero", "mean", "resample"],
            order=["random", "selectivity"],
            rng=0,
        )
        shares = cs.shapley(net, "2", stimuli=shown, target="digit", rng=0)
        needed = cs.selectivity_impact(net, "2", stimuli=shown, target="digit", evaluate="loss", rng=0)
    print(lost)
    print(shares)
    print(needed)
    if len(sys.argv) > 1:
        lost.plot().figure.savefig(sys.argv[1], dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
