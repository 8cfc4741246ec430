"""`cs.Network`: its door, its table, its fingerprint, the cache of activations."""

import copy

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn


def vectors(n=5, width=4, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)
    return cs.stimuli(values, ids=[f"v{i}" for i in range(n)])


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3,), "module must be a torch.nn.Module or a callable, got int"),
        (({},), "a state dict must be loaded into its module first"),
        ((nn.Linear,), r"got the class Linear; pass an instance"),
        ((nn.ReLU(), 3), "preprocess must be callable, got 3"),
        ((nn.ReLU(), None, ""), "name must be text"),
        ((cs.Network(nn.ReLU()),), "is a Network already"),
    ],
)
def test_the_door(arguments, message):
    with pytest.raises(cs.InputError, match=message):
        cs.Network(*arguments)


def test_layers_table():
    net = cs.Network(mlp(), name="mlp")
    assert net.layers["name"] == ["0", "1", "2", "output"]
    assert net.layers["type"] == ["Linear", "ReLU", "Linear", "Sequential"]
    assert net.layers["shape"] == [None] * 4
    cs.record(net, vectors(), "1")
    assert net.layers["shape"] == ["6", "6", "2", "2"]
    assert "mlp" in repr(net)
    assert list(net.layers.to_frame().columns) == ["name", "type", "shape"]


def test_fingerprint_follows_content():
    base = cs.Network(mlp()).fingerprint
    assert cs.Network(mlp(), name="other").fingerprint == base
    assert cs.Network(mlp().train()).fingerprint == cs.Network(mlp().eval()).fingerprint == base
    changed = mlp()
    with torch.no_grad():
        changed[0].weight[0, 0] += 1e-6
    assert cs.Network(changed).fingerprint != base
    structure = mlp()
    structure[1] = nn.GELU()
    assert cs.Network(structure).fingerprint != base


def test_fingerprint_follows_preprocess():
    def scaled(scale):
        return lambda block: block * scale

    prints = {cs.Network(mlp(), preprocess=f).fingerprint for f in (None, scaled(1.0), scaled(2.0))}
    assert len(prints) == 3
    assert cs.Network(mlp(), preprocess=scaled(2.0)).fingerprint in prints


def test_fingerprint_is_none_where_content_is_hidden():
    assert cs.Network(lambda block: block).fingerprint is None
    handle = open(__file__)  # noqa: SIM115
    with handle:
        hidden = cs.Network(mlp(), preprocess=lambda block: handle and block)
        assert hidden.fingerprint is None
    assert (
        cs.Network(lambda block: block, key="a").fingerprint
        != cs.Network(lambda block: block, key="b").fingerprint
    )


def test_cache_hits_by_content_and_keeps_labels(tmp_path, monkeypatch):
    calls = []
    net = mlp()
    forward = torch.nn.Sequential.forward

    def counted(self, x):
        calls.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(torch.nn.Sequential, "forward", counted)
    stimuli = vectors(20)
    fresh = cs.record(net, stimuli, ["0", "1"], cache=tmp_path, batch_size=20)
    assert calls == [1, 2, 20]
    again = cs.record(copy.deepcopy(net), stimuli, ["1", "0"], cache=tmp_path, batch_size=20)
    assert calls == [1, 2, 20, 1, 2]  # only the probes
    for name in fresh:
        assert fresh[name].identical(again[name])
    cs.record(net, stimuli, ["0", "2"], cache=tmp_path, batch_size=20)
    assert calls[5:] == [1, 2, 20]
    with torch.no_grad():
        net[0].bias += 1
    changed = cs.record(net, stimuli, "0", cache=tmp_path)
    assert not changed["0"].identical(fresh["0"])


def test_damaged_cache_entries_are_computed_again(tmp_path):
    net, stimuli = mlp(), vectors(20)
    fresh = cs.record(net, stimuli, "0", cache=tmp_path)
    (entry,) = tmp_path.glob("*.npz")
    for damage in (
        b"",
        b"nonsense",
        entry.read_bytes()[:-30],
        entry.read_bytes().replace(fresh["0"].values[0].tobytes(), bytes(24)),
    ):
        entry.write_bytes(damage)
        with pytest.warns(
            cs.ConsilienceWarning, match=r"\[damaged-cache\] The cached activations of layer '0'"
        ):
            again = cs.record(net, stimuli, "0", cache=tmp_path)
        np.testing.assert_array_equal(again["0"].values, fresh["0"].values)
    assert not list(tmp_path.glob("*.part"))


def test_a_pickle_in_the_cache_is_not_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "created"), "w"))

    net, stimuli = mlp(), vectors(20)
    cs.record(net, stimuli, "0", cache=tmp_path)
    (entry,) = tmp_path.glob("*.npz")
    with entry.open("wb") as stream:
        np.savez(stream, values=np.array([Payload()], dtype=object), sha256=np.array("x"))
    with pytest.warns(cs.ConsilienceWarning, match="damaged-cache"):
        cs.record(net, stimuli, "0", cache=tmp_path)
    assert not (tmp_path / "created").exists()


def test_cache_needs_a_key(tmp_path):
    with pytest.raises(cs.InputError, match=r"pass key='...' to cs.Network") as caught:
        cs.record(lambda block: block, vectors(), cache=tmp_path)
    assert caught.value.code == "no-key"
    cs.record(cs.Network(lambda block: block, key="v1"), vectors(), cache=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_cache_true_is_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSILIENCE_DATA", str(tmp_path))
    cs.record(mlp(), vectors(), cache=True)
    assert list((tmp_path / "activations").glob("*.npz"))


def test_unknown_names():
    with pytest.raises(
        KeyError, match=r"no network is called 'efficientnet_lite'\. Did you mean 'efficientnet_lite0'"
    ):
        cs.networks.load("efficientnet_lite")
    with pytest.raises(KeyError, match="no network is called 3"):
        cs.networks.load(3)


def test_a_broken_torchvision_has_no_effect(tmp_path):
    import subprocess
    import sys

    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy as np, torch, consilience as cs;"
        "acts = cs.record(torch.nn.Linear(2, 2), cs.stimuli(np.eye(2), ids=['a', 'b']));"
        "print(acts['output'].shape, 'torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 2) False"


def test_torch_is_not_imported_for_callables():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np, consilience as cs; cs.networks.list();"
        "acts = cs.record(lambda b: b, cs.stimuli(np.eye(2), ids=['a', 'b']));"
        "print(acts['output'].shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 2) False", "import torch inside functions"
