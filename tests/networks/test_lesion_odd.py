"""Lesions of modules of every kind: types of numbers, outputs in structures, named inputs, wrappers."""

import dataclasses

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn

from consilience.networks._lesion import Lesions, make_parts  # noqa: E402


def plain():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3))


@dataclasses.dataclass
class Out:
    logits: torch.Tensor
    hidden: tuple


class Structured(nn.Module):
    """One rectifier and one layer called twice; a dataclass with a tuple in it comes out."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.r, self.c = nn.Linear(5, 7), nn.Linear(7, 7), nn.ReLU(), nn.Linear(7, 3)

    def forward(self, x):
        h = self.r(self.a(x))
        g = self.r(self.b(self.r(self.b(h))))
        return Out(self.c(g), (h, g))


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x=None, scale=None):
        return {"y": self.c(torch.relu(self.a(x))) * scale}


def named(block):
    return {"x": block, "scale": np.full((len(block), 1), 2.0, np.float32)}


CASES = {
    "double": (lambda: plain().double(), "0", {}, None),
    "bfloat16": (lambda: plain().bfloat16(), "0", {}, None),
    "half": (lambda: plain().half(), "2", {}, None),
    "the output itself": (plain, "output", {}, None),
    "second call": (Structured, "b#1", {"output": "output[logits]"}, None),
    "shared rectifier": (Structured, "r#1", {"output": "output[hidden][1]"}, None),
    "named inputs": (Named, "a", {}, named),
    "data parallel": (lambda: nn.DataParallel(plain()), "module.0", {}, None),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_routes_agree(case, inference):
    module, layer, kwargs, preprocess = CASES[case]
    torch.manual_seed(0)
    net = cs.Network(module(), preprocess, name="net")
    data = cs.stimuli(np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32), ids=range(12))
    parts = make_parts(net, layer, data, who="test")
    masks = np.random.default_rng(1).random((12, len(parts))) < 0.4
    came = []
    with torch.inference_mode(mode=inference):
        for resume in (True, False):
            with Lesions(net, data, parts, how="mean", resume=resume, who="test", **kwargs) as run:
                came.append(np.stack(list(run.outputs(masks))))
    rough = 1e-2 if case in ("bfloat16", "half") else 1e-6
    np.testing.assert_allclose(came[0], came[1], rtol=0, atol=rough * np.abs(came[1]).max())
    assert np.abs(came[1] - run.intact).max() > 1e-3


def test_outputs_that_are_not_finite_are_refused():
    net = cs.Network(plain(), name="net")
    with torch.no_grad():
        net.module[4].bias[0] = torch.inf
    data = cs.stimuli(np.ones((3, 5), np.float32), ids=["a", "b", "c"])
    parts = make_parts(net, "0", data, who="test")
    with (
        pytest.raises(cs.InputError, match="first for stimulus 'a'") as error,
        Lesions(net, data, parts, who="test"),
    ):
        pass
    assert error.value.code == "nan-values"
