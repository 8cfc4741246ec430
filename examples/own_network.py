"""Do two trainings of one small network, from two seeds, end in the same representations?"""

import sys

import numpy as np
from sklearn.datasets import load_digits

import consilience as cs

try:
    import torch
except ImportError:
    sys.exit("own_network.py needs torch: pip install 'consilience[torch]'")

torch.set_num_threads(1)  # small layers: threads would only wait for each other
digits = load_digits()  # 1797 pictures of 8 x 8 pixels, shipped with scikit-learn
train, test = slice(0, 1500), slice(1500, 1597)
LAYERS = ["conv1", "conv2", "hidden", "output"]


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(16, 16, 3, padding=1, stride=2)
        self.hidden = torch.nn.Linear(16 * 4 * 4, 32)
        self.last = torch.nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x)).flatten(1)
        return self.last(torch.relu(self.hidden(x)))


def preprocess(block):
    return torch.from_numpy(np.asarray(block, dtype=np.float32))[:, None] / 16


def trained(seed: int) -> cs.Network:
    torch.manual_seed(seed)
    module = Small()
    x, y = preprocess(digits.images[train]), torch.from_numpy(digits.target[train])
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
    return cs.Network(module, preprocess=preprocess, name=f"seed {seed}")


pictures = cs.stimuli(digits.images[test], ids=[f"digit{i}" for i in range(1500, 1597)])
nets = [trained(seed) for seed in (0, 1)]
acts = [cs.record(net, pictures, layers=LAYERS) for net in nets]
for net, act in zip(nets, acts):
    right = (act["output"].values.argmax(axis=1) == digits.target[test]).mean()
    print(f"{net.name}: {right:.0%} of {pictures.sizes['stimulus']} new digits right")

untrained = {0: cs.record(nets[0].untrained(seed=0), pictures, layers=LAYERS)}
result = cs.compare(acts[0], acts[1], measure="cka", n_boot=100, n_perm=100, baseline=untrained, rng=0)
table = result.data["value"].squeeze("measure").to_pandas()
print("\nCKA, layers of seed 0 (rows) with layers of seed 1 (columns):")
print(table.round(2).to_string())
print("\nThe same with an untrained copy of seed 0:")
print(result.baselines["value"].squeeze(["seed", "measure"]).to_pandas().round(2).to_string())
print()
print(result.best())
