"""EfficientNet-Lite0: the architecture by itself; its weights by what it sees in known photographs."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")

from consilience.networks._efficientnet import EfficientNetLite0, ImagePreprocess, SameConv2d  # noqa: E402


@pytest.fixture(scope="module")
def net():
    try:
        return cs.networks.load("efficientnet_lite0")
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("size", [7, 8, 224])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_is_that_of_tensorflow(size, kernel, stride):
    if size == 224 and kernel != 3:
        pytest.skip("one size suffices")
    conv = SameConv2d(1, 1, kernel, stride=stride, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        out = conv(torch.ones(1, 1, size, size))
    assert out.shape[-1] == -(-size // stride)
    total = max((out.shape[-1] - 1) * stride + kernel - size, 0)
    corner = (kernel - total // 2) ** 2  # the smaller half of the padding is at the top and left
    assert out[0, 0, 0, 0].item() == corner


def test_architecture():
    module = EfficientNetLite0()
    assert len(module.state_dict()) == 296
    assert sum(parameter.numel() for parameter in module.parameters()) == 4_652_008
    assert {child.eps for child in module.modules() if isinstance(child, torch.nn.BatchNorm2d)} == {1e-3}


def test_preprocess_of_a_square():
    block = np.zeros((2, 224, 224, 3), np.uint8)
    block[:, 5, 7] = (255, 127, 0)
    x = ImagePreprocess()(block)
    assert x.shape == (2, 3, 224, 224)
    assert x[0, :, 5, 7].tolist() == [1.0, 0.0, -127 / 128]


def test_preprocess_takes_the_central_square_and_grey():
    block = np.full((1, 20, 40), 255, np.uint8)
    block[:, :, :10] = 0
    block[:, :, 30:] = 0
    x = ImagePreprocess()(block)
    assert x.shape == (1, 3, 224, 224)
    assert torch.allclose(x, torch.ones(()))


def test_preprocess_says_what_it_needs():
    with pytest.raises(
        cs.InputError,
        match=r"images \(stimulus, y, x, channel\) .* are needed; got an array of shape \(2, 5\)",
    ):
        ImagePreprocess()(np.zeros((2, 5)))
    with pytest.raises(cs.InputError, match="got list"):
        ImagePreprocess()(["text"])
    with pytest.warns(cs.ConsilienceWarning, match=r"\[dark-images\]"):
        ImagePreprocess()(np.full((1, 8, 8, 3), 0.5))


@pytest.mark.data
def test_load(net):
    assert net.name == "efficientnet_lite0"
    assert not any(child.training for child in net.module.modules())
    assert net.fingerprint == cs.networks.load("efficientnet_lite0").fingerprint is not None
    assert "_blocks.15" in net.layer_names


@pytest.mark.data
def test_known_photographs(net):
    """Photographs that come with other libraries; classes of ImageNet: 985 daisy, 698 palace and their
    kin.
    """
    datasets = pytest.importorskip("sklearn.datasets")
    china, flower = (datasets.load_sample_image(name) for name in ("china.jpg", "flower.jpg"))
    logits = cs.record(net, cs.stimuli(np.stack([china, flower]), ids=["china", "flower"]))["output"]
    names = np.argsort(-logits.values, axis=1)[:, :5]
    assert KNOWN["china"] in names[0]
    assert KNOWN["flower"] in names[1]


KNOWN = {"china": 698, "flower": 985}


@pytest.mark.data
@pytest.mark.slow
def test_blocks_of_objects92(net):
    try:
        objects = cs.datasets.load("objects92")
    except cs.InputError as error:
        pytest.skip(str(error))
    part = objects.stimuli[:8]
    acts = cs.record(net, part, "_blocks.*", spatial="mean")
    assert list(acts) == [f"_blocks.{i}" for i in range(16)]
    assert acts["_blocks.15"].shape == (8, 320)
    base = net.untrained(seed=0, stimuli=part)
    maps = cs.record(base, part, "_blocks.15._bn2")["_blocks.15._bn2"]
    assert abs(float(maps.mean())) < 1e-5
    assert float(maps.std()) == pytest.approx(1, abs=0.02)
