"""The torch modules of `Readout`: a convolutional core, what reads a neuron out of it, and the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

__all__ = [
    "Core",
    "Encoder",
    "FactorisedReadout",
    "FrozenCore",
    "GaussianReadout",
    "Member",
    "Standardise",
    "as_map",
]


class Standardise(nn.Module):
    """(x - mean) / sd, both per channel, of the training stimuli."""

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, mean: Any, sd: Any) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.register_buffer("sd", torch.as_tensor(sd, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.sd


class FrozenCore(nn.Module):
    """A trained network up to one of its layers: (n, channel, y, x), vectors as 1 x 1 maps. Its weights stay what they
    are, and it stays in eval mode.
    """

    def __init__(self, module: nn.Module, layer: str) -> None:
        super().__init__()
        self.net, self.layer = module.requires_grad_(requires_grad=False).eval(), layer

    def train(self, mode: bool = True) -> FrozenCore:
        super().train(mode=False)
        return self

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        found: list[torch.Tensor] = []
        target = dict(self.net.named_modules(remove_duplicate=False)).get(self.layer, self.net)

        def keep(_module: nn.Module, _args: Any, output: Any) -> None:
            found.append(output)
            raise _Enough

        handle = target.register_forward_hook(keep)
        try:
            self.net(*args, **kwargs)
        except _Enough:
            pass
        finally:
            handle.remove()
        return as_map(found[0].float())


def as_map(value: torch.Tensor) -> torch.Tensor:
    """(n, channel, y, x) of a layer's output: (n, token, feature) as a row of tokens, vectors as 1 x 1 maps."""
    if value.ndim == 3:
        return value.transpose(1, 2)[:, :, None]
    return value if value.ndim == 4 else value.flatten(1)[:, :, None, None]


class _Enough(BaseException):
    """The layer has run; the rest of the network need not."""


class Core(nn.Module):
    """Convolutions of stride 1 that keep the size of the map, each with batch normalisation and ELU; the first has
    the large kernel, from the second on they are depth-separable (Sinz et al. 2018).
    """

    def __init__(self, channels: int, size: tuple[int, int], widths: Sequence[int], kernel: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for depth, width in enumerate(widths):
            ky, kx = (_odd(min(kernel if depth == 0 else 3, side)) for side in size)
            pad = (ky // 2, kx // 2)
            made: list[nn.Module] = []
            if depth == 0:
                made += [nn.Conv2d(channels, width, (ky, kx), padding=pad, bias=False)]
            else:
                made += [
                    nn.Conv2d(channels, width, 1, bias=False),
                    nn.Conv2d(width, width, (ky, kx), padding=pad, groups=width, bias=False),
                ]
            self.layers.append(nn.Sequential(*made, nn.BatchNorm2d(width), nn.ELU()))
            channels = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x

    def penalties(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Roughness of the first filters, sum (Laplacian w)^2 / sum w^2, and the mean absolute weight between channels
        of later layers, summed over them.
        """
        first = self.layers[0][0].weight  # type: ignore[index]
        flat = first.reshape(-1, 1, *first.shape[2:])
        stencil = flat.new_zeros(1, 1, 3, 3)
        for axis in (2, 3):
            if flat.shape[axis] > 1:  # along an axis of one pixel nothing is rough
                second = flat.new_tensor([1.0, -2, 1])
                stencil[0, 0] += F.pad(
                    second[:, None] if axis == 2 else second[None],
                    (1, 1, 0, 0) if axis == 2 else (0, 0, 1, 1),
                )
        rough = F.conv2d(flat, stencil, padding=1).square().sum() / flat.square().sum()
        later = [layer[0].weight.abs().mean() for layer in self.layers[1:]]  # type: ignore[index]
        return rough, torch.stack(later).sum() if later else rough.new_zeros(())


def _odd(size: int) -> int:
    return size if size % 2 else max(1, size - 1)


class GaussianReadout(nn.Module):
    """One place per neuron (Lurz et al. 2021): features (n, c, y, x) there, times weights (t, c).

    While training the place is drawn from a Gaussian around its mean, whose covariance is learned; in eval mode it is
    the mean. Places go from -1 to 1, the centres of the outermost pixels.
    """

    noise: torch.Tensor | None = None  # (t, 2), set for one training step

    def __init__(self, channels: int, size: tuple[int, int], n: int, sigma: float = 0.15) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(n, 2))  # (x, y)
        self.root = nn.Parameter(sigma * torch.eye(2).repeat(n, 1, 1))
        self.weight = nn.Parameter(torch.randn(n, channels) / math.sqrt(channels) * 0.1)
        self.bias = nn.Parameter(torch.zeros(n))
        self.still = size == (1, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        place: torch.Tensor = self.mean
        if self.training and self.noise is not None:
            place = place + torch.einsum("tij,tj->ti", self.root, self.noise)
        if self.still:
            found = features[:, :, 0, 0, None].expand(-1, -1, len(place))
        else:
            grid = place.clamp(-1, 1)[None, :, None].expand(len(features), -1, -1, -1)
            found = F.grid_sample(features, grid, align_corners=True, padding_mode="border")[..., 0]
        return torch.einsum("nct,tc->nt", found, self.weight) + self.bias

    def penalty(self) -> torch.Tensor:
        return self.weight.abs().mean()

    def start(self, places: torch.Tensor) -> None:
        """Places (t, 2), (x, y) from -1 to 1."""
        with torch.no_grad():
            self.mean.copy_(places)

    def settle(self) -> None:
        with torch.no_grad():
            self.mean.clamp_(-1, 1)

    def places(self, size: tuple[int, int]) -> torch.Tensor:
        """(t, 2) y and x in pixels of a map of this size."""
        last = self.mean.new_tensor([size[0] - 1, size[1] - 1])
        return (self.mean.detach().flip(1) + 1) / 2 * last


class FactorisedReadout(nn.Module):
    """A non-negative mask over places times weights of features (Klindt et al. 2017):
    r_t = sum_yx m_t(y, x) sum_c w_tc f_c(y, x) / SPREAD + b_t.
    """

    noise: torch.Tensor | None = None
    SPREAD = (
        8.0  # pixels in which an even mask of 1 would sum to 1; entries of about 1 suit the steps of Adam
    )

    def __init__(self, channels: int, size: tuple[int, int], n: int) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.ones(n, size[0] * size[1]))
        self.weight = nn.Parameter(torch.randn(n, channels) / math.sqrt(channels) * 0.1)
        self.bias = nn.Parameter(torch.zeros(n))
        self.size = size

    def start(self, places: torch.Tensor) -> None:
        """Masks as Gaussians (sd 2 pixels) around places (t, 2), (x, y) from -1 to 1."""
        y, x = (torch.arange(side, dtype=torch.float32) for side in self.size)
        at_x, at_y = ((places[:, k] + 1) / 2 * (self.size[1 - k] - 1) for k in (0, 1))
        square = (y[None, :, None] - at_y[:, None, None]) ** 2 + (x[None, None] - at_x[:, None, None]) ** 2
        with torch.no_grad():
            self.mask.copy_(torch.exp(-square / 8).flatten(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        seen = torch.einsum("ncp,tp->nct", features.flatten(2), self.mask) / self.SPREAD
        return torch.einsum("nct,tc->nt", seen, self.weight) + self.bias

    def penalty(self) -> torch.Tensor:
        """Mean over neurons of ||m||_1 ||w||_1 per channel: scale moved from one to the other leaves it."""
        return (self.mask.sum(1) / self.SPREAD * self.weight.abs().mean(1)).mean()

    def settle(self) -> None:
        with torch.no_grad():
            self.mask.clamp_(min=0)

    def masks(self) -> torch.Tensor:
        """(t, y, x) of sum 1."""
        mask = self.mask.detach() + 1e-12
        return (mask / mask.sum(1, keepdim=True)).reshape(-1, *self.size)

    def places(self, size: tuple[int, int]) -> torch.Tensor:
        mask = self.masks()
        y, x = (
            torch.linspace(0, side - 1, own, device=mask.device) for side, own in zip(size, mask.shape[1:])
        )
        return torch.stack([(mask.sum(2) * y).sum(1), (mask.sum(1) * x).sum(1)], dim=1)


class Member(nn.Module):
    """One fitted network of an ensemble: core and readout, and the responses in the units that were recorded."""

    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(
        self,
        core: nn.Module,
        readout: GaussianReadout | FactorisedReadout,
        scale: Any,
        offset: Any,
        rectified: bool,
    ) -> None:
        super().__init__()
        self.core, self.readout, self.rectified = core, readout, rectified
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))
        self.register_buffer("offset", torch.as_tensor(offset, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.readout(self.core(x))
        if self.rectified:
            return (F.elu(out) + 1) * self.scale  # positive; linear above 0
        return out * self.scale + self.offset


class Encoder(nn.Module):
    """The whole: stimuli to predicted responses (n, units), the mean over the members."""

    def __init__(self, front: nn.Module, standard: Standardise, members: Sequence[Member]) -> None:
        super().__init__()
        self.front, self.standard, self.members = front, standard, nn.ModuleList(members)

    def each(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(members, n, units)"""
        seen = self.standard(self.front(*args, **kwargs))
        return torch.stack([member(seen) for member in self.members])

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self.each(*args, **kwargs).mean(0)
