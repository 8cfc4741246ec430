"""Interchange interventions: networks built to compute a formula hold its variables where they were put."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")


class Formula(torch.nn.Module):
    """(a and b) or (c and d), through hidden units: a and b in unit 2, c and d in unit 5; the others are not used, or
    copies of inputs.
    """

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(4, 8)
        self.out = torch.nn.Linear(8, 2)
        with torch.no_grad():
            self.hidden.weight.zero_()
            self.hidden.bias.zero_()
            self.hidden.weight[2, :2] = 1
            self.hidden.bias[2] = -1
            self.hidden.weight[5, 2:] = 1
            self.hidden.bias[5] = -1
            self.hidden.weight[[0, 1, 3, 4], [0, 1, 2, 3]] = 1
            self.out.weight.zero_()
            self.out.weight[1, [2, 5]] = 1
            self.out.bias.copy_(torch.tensor([0.5, 0.0]))

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


def pairs(n=120, seed=0):
    rng = np.random.default_rng(seed)
    base, source = rng.integers(0, 2, (2, n, 4)).astype(bool)
    ids = [f"pair{i}" for i in range(n)]
    stimuli = [cs.stimuli(x.astype(np.float32), ids=ids) for x in (base, source)]
    left, right = source[:, 0] & source[:, 1], source[:, 2] & source[:, 3]
    expected = {
        "a and b": (left | (base[:, 2] & base[:, 3])).astype(int),
        "c and d": ((base[:, 0] & base[:, 1]) | right).astype(int),
        "a": ((source[:, 0] & base[:, 1]) | (base[:, 2] & base[:, 3])).astype(int),
    }
    return stimuli, expected, (base, source)


def test_variables_are_found_where_they_were_put_and_not_elsewhere():
    (base, source), expected, _ = pairs()
    found = cs.interchange(
        cs.Network(Formula(), name="formula"),
        base,
        source,
        "hidden",
        {"a and b": [2], "c and d": [5], "a": [0]},
        expected=expected,
        n_random=99,
    )
    d = found.data
    assert d["accuracy"].values[:2].tolist() == [1, 1]
    assert d["accuracy_changed"].values[:2].tolist() == [1, 1]
    # unit 0 is a copy of a: it can be decoded there, and is not used
    assert d["accuracy"].values[2] == d["unpatched"].values[2] < 1
    assert d["accuracy_changed"].values[2] == 0
    assert (d["random_mean"].values[:2] < 1).all()
    assert (d["ci_low"].values[:2] > 0.9).all()
    cs.testing.check_result(found)


def test_a_rotated_copy_is_found_by_its_direction_alone():
    torch.manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(8, 8))[0]
    module = Formula()
    turned = torch.nn.Sequential(
        torch.nn.Sequential(module.hidden, torch.nn.ReLU(), torch.nn.Linear(8, 8, bias=False)),
        torch.nn.Linear(8, 2),
    )
    with torch.no_grad():
        turned[0][2].weight.copy_(rotation)
        turned[1].weight.copy_(module.out.weight @ rotation.T)
        turned[1].bias.copy_(module.out.bias)
    (base, source), expected, _ = pairs()
    direction = rotation[:, 2].numpy()[None]
    found = cs.interchange(
        turned,
        base,
        source,
        "0",
        {"a and b": direction, "one unit": [2]},
        expected={"a and b": expected["a and b"], "one unit": expected["a and b"]},
        n_random=49,
    )
    accuracy = found.data["accuracy"].values
    assert accuracy[0] == 1
    assert accuracy[1] < 1
    assert found.data["p"].values[0] == 1 / 50


def test_sums_and_a_function_that_reads_them():
    class Adds(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.sums = torch.nn.Linear(3, 2, bias=False)
            self.sums.weight.data = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])

        def forward(self, x):
            return self.sums(x).sum(dim=1)

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (2, 30, 3))
    ids = [f"{i}" for i in range(30)]
    one, two = (cs.stimuli(1.0 * x, ids=ids) for x in (a, b))
    asked = {"predict": lambda y: y.round(), "n_random": 9}
    right = cs.interchange(
        Adds(), one, two, "sums", {"s": [0]}, expected=b[:, 0] + b[:, 1] + a[:, 2], **asked
    )
    wrong = cs.interchange(
        Adds(), one, two, "sums", {"s": [1]}, expected=b[:, 0] + b[:, 1] + a[:, 2], **asked
    )
    assert right.data["accuracy"].item() == 1
    assert wrong.data["accuracy"].item() < 0.3


def test_pairs_that_share_stimuli_widen_the_interval():
    rng = np.random.default_rng(0)
    hits = np.repeat(rng.integers(0, 2, 20), 10).astype(float)
    alone, df = cs.stats.crossed_mean_variance(hits, np.arange(200), np.arange(200))
    assert df == 199
    np.testing.assert_allclose(alone, hits.var(ddof=1) / 200)
    shared, df = cs.stats.crossed_mean_variance(hits, np.repeat(np.arange(20), 10), np.arange(200))
    assert df == 19
    assert shared > 8 * alone


def test_bad_input_and_a_warning():
    (base, source), expected, _ = pairs(20)
    module = Formula()
    with pytest.raises(cs.InputError) as error:
        cs.interchange(module, base, source, "hidden", {"a": [8]}, expected=expected["a"])
    assert error.value.code == "bad-parts"
    with pytest.raises(cs.InputError) as error:
        cs.interchange(module, base, source, "hidden", {"a": [0], "b": [1]}, expected={"a": expected["a"]})
    assert error.value.code == "no-target"
    with pytest.raises(cs.InputError) as error:
        cs.interchange(module, base, source, "hidden", {"a": [0]}, expected=expected["a"][:3])
    assert error.value.code == "shape-mismatch"
    with pytest.warns(cs.ConsilienceWarning, match="nothing-changes"):
        cs.interchange(module, base, base, "hidden", {"a and b": [2]}, expected=_own(base), n_random=0)


def _own(stimuli):
    x = stimuli.values > 0
    return ((x[:, 0] & x[:, 1]) | (x[:, 2] & x[:, 3])).astype(int)
