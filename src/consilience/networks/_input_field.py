"""Which part of the input a unit of a network can see, and which it does see: theoretical and effective field."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, require
from consilience._core._seeds import resolve_seed
from consilience._stimuli import check_stimuli
from consilience.networks._controls import _copy
from consilience.networks._forward import _arguments
from consilience.networks._gradient import reading, with_gradients
from consilience.networks._network import Network, block_of
from consilience.networks._unit import Unit, as_units
from consilience.units import fit_gaussian

__all__ = ["InputField", "input_field"]

_WHO = "cs.networks.input_field"
_BATCH = 8


@dataclass(frozen=True, repr=False)
class InputField:
    """Made by `input_field`; over the input of the module (after preprocess), channels taken together.

    names : (units,).
    support : bool (units, *space), the theoretical field: places that can change the unit at all.
    box : (units, dims, 2) first place of it and the one after its last, along each dim; ``size`` their difference.
    effective : (units, *space) root mean square gradient over stimuli, summed over channels before the root.
    x, y, sigma_major, sigma_minor : (units,) of a Gaussian fitted to it, pixels; NaN for other than two dims of space.
    fve : (units,) share of it that the Gaussian explains.
    share : (units,) pixels of the support that together have 95 % of the squared gradient, over all of it.
    """

    names: tuple[str, ...]
    support: np.ndarray
    box: np.ndarray
    effective: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sigma_major: np.ndarray
    sigma_minor: np.ndarray
    fve: np.ndarray
    share: np.ndarray

    def __repr__(self) -> str:
        sides = [" x ".join(map(str, one)) for one in self.size.tolist()]
        said = ", ".join(f"{name}: {side}" for name, side in zip(self.names[:3], sides))
        more = f", and {len(self.names) - 3} more" if len(self.names) > 3 else ""
        return f"<InputField> {said}{more} (of {' x '.join(map(str, self.support.shape[1:]))} places)"

    @property
    def size(self) -> np.ndarray:
        """(units, dims) sides of the theoretical field."""
        return np.asarray(self.box[..., 1] - self.box[..., 0])

    def crop(self, unit: int = 0) -> tuple[slice, ...]:
        """Slices of the dims of space that hold the theoretical field of one unit, for the module's input."""
        return tuple(slice(int(a), int(b)) for a, b in self.box[unit])


def input_field(
    units: Unit | Sequence[Unit], stimuli: Any, /, *, n_draws: int = 8, rng: Any = 0
) -> InputField:
    """Theoretical and effective receptive field of units of a network, such as those of convolutions.

    Theoretical: the places of the input that can reach the unit. They are found by gradients through a copy of the
    network whose weights are all equal and above 0, whose normalisations pass values on, and whose maxima (pooling
    modules) are means, on random inputs above 0: no path is then closed or cancels, and a gradient is 0 only where none
    leads. Effective: how much each place does change it, e(x) = sqrt(mean over stimuli of sum over channels of
    (d unit / d x)^2), in the trained network, for these stimuli. It is mostly a Gaussian far smaller than the
    theoretical one (Luo et al. 2016).

    Confusion: neither says what the unit likes; that is `cs.receptive_field`, which can be given the part of the
    stimuli within ``crop()``.

    Parameters
    ----------
    units : a unit or a list of units of one network (a torch module with one input (n, channel, *space) or (n, d)).
    stimuli : what `cs.stimuli` returns or takes; a few dozen will do.
    n_draws : random inputs for the theoretical field.   rng : their seed.

    Returns
    -------
    InputField, in places of the module's input: where preprocess resizes, of the resized image.

    Raises
    ------
    InputError : no torch module, several inputs.
    ConsilienceWarning ``dead-units`` : no stimulus gives a unit any gradient (a ReLU that is shut).

    References
    ----------
    Luo et al. (2016).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> _ = torch.manual_seed(0)
    >>> layers = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Conv2d(2, 2, 3, stride=2))
    >>> net = cs.Network(layers, preprocess=lambda block: torch.as_tensor(block).float()[:, None], name="net")
    >>> images = np.random.default_rng(0).normal(size=(20, 15, 15))
    >>> found = cs.networks.input_field(net.unit("2", channel=0), cs.stimuli(images, ids=range(20)))
    >>> found.size.tolist(), found.crop()
    ([[5, 5]], (slice(6, 11, None), slice(6, 11, None)))
    """
    mine = as_units(units, who=_WHO)
    n_draws = check_count(n_draws, name="n_draws", who=_WHO, minimum=1)
    generator = resolve_seed(rng, who=_WHO).stream("inputs")
    data = check_stimuli(stimuli, who=_WHO)
    net = mine[0].network
    if not net.is_module:
        raise InputError(
            f"{_WHO}: {net.name} is a callable, through which no gradients flow; wrap the torch module.",
            code="not-a-module",
        )
    require("torch", extra="torch", purpose=_WHO)
    squares: Any = None
    with with_gradients():
        for start in range(0, data.shape[0], _BATCH):
            rows = slice(start, min(start + _BATCH, data.shape[0]))
            part = (_gradients(mine, _input(net, data, rows)) ** 2).sum(axis=1)
            squares = part if squares is None else squares + part
        effective = np.sqrt(_over_channels(squares) / data.shape[0])
        support = (effective > 0) | _reach(mine, data, n_draws, generator)
    dead = ~(effective > 0).reshape(len(mine), -1).any(axis=1)
    if dead.any():
        warn(
            "dead-units",
            f"{_WHO}: {int(dead.sum())} of {dead.size} units have no gradient for any of {data.shape[0]} stimuli, e.g. "
            f"{mine[int(np.argmax(dead))].name}.",
            "Their effective field is 0: more stimuli, or the layer before the ReLU.",
        )
    return _described(tuple(unit.name for unit in mine), support, effective)


def _reach(units: list[Unit], data: Any, n_draws: int, generator: np.random.Generator) -> np.ndarray:
    """Bool (units, *space): where the copy with open paths has gradients."""
    torch = require("torch", extra="torch", purpose=_WHO)
    net = units[0].network
    even = _open_copy(net)
    copies = [dataclasses.replace(unit, network=even, **_even_readout(unit)) for unit in units]
    like = _input(net, data, slice(0, 1))
    found: Any = None
    for _ in range(n_draws):
        drawn = torch.as_tensor(generator.random(tuple(like.shape)) + 0.1).to(like.device)
        part = _over_channels(np.abs(_gradients(copies, drawn)).sum(axis=1)) > 0
        found = part if found is None else found | part
    return np.asarray(found)


def crop_of(units: Sequence[Unit], data: Any) -> tuple[slice, ...] | None:
    """Slices of y and x that hold all that the units can see of images with the dims of ``data``; None where places of
    the images are not those of the module's input, or that is not known.
    """
    mine = list(units)
    if not mine[0].network.is_module or not {"y", "x"} <= set(data.dims):
        return None
    try:
        with with_gradients():
            like = _input(mine[0].network, data, slice(0, 1))
            if like.ndim != 4 or tuple(like.shape[2:]) != (data.sizes["y"], data.sizes["x"]):
                return None
            seen = np.asarray(_reach(mine, data, 4, np.random.default_rng(0)).any(axis=0))
    except InputError:
        return None
    edges = [np.flatnonzero(np.any(seen, axis=axis)) for axis in (1, 0)]
    if not edges[0].size:
        return None
    return tuple(slice(int(edge[0]), int(edge[-1]) + 1) for edge in edges)


def _input(net: Network, data: Any, rows: slice) -> Any:
    """What the module gets of some stimuli: one tensor."""
    torch = require("torch", extra="torch", purpose=_WHO)
    block = block_of(data, rows)
    fed = net.preprocess(block) if net.preprocess is not None else block
    device = next((p.device for p in net.module.parameters()), torch.device("cpu"))
    args, named = _arguments(net, fed, str(data.attrs.get("kind", "array")), device)
    if len(args) != 1 or named or not isinstance(args[0], torch.Tensor) or not args[0].is_floating_point():
        raise InputError(
            f"{_WHO}: {net.name} must take one tensor of real numbers, (n, channel, *space) or (n, d).",
            code="bad-stimuli",
        )
    return args[0]


def _gradients(units: list[Unit], inputs: Any) -> np.ndarray:
    """(units, n, *input) derivative of each unit for each input with respect to that input."""
    torch = require("torch", extra="torch", purpose=_WHO)
    out = np.zeros((len(units), *inputs.shape))
    with reading(units, inputs, who=_WHO) as read:
        leaf = inputs.detach().clone().requires_grad_(True)  # noqa: FBT003  torch's own name
        values = read(leaf).sum(dim=0)
        for k in range(len(units)):
            (found,) = torch.autograd.grad(
                values[k], leaf, retain_graph=k + 1 < len(units), allow_unused=True
            )
            if found is not None:
                out[k] = found.detach().cpu().double().numpy()  # numpy has no bfloat16
    return out


def _over_channels(values: np.ndarray) -> np.ndarray:
    """(units, channel, *space) summed over channels; (units, d) as it is."""
    return values.sum(axis=1) if values.ndim > 2 else values


def _open_copy(net: Network) -> Network:
    """A copy through which every path is open: equal weights above 0, normalisations that pass values on, means in
    place of maxima.
    """
    torch = require("torch", extra="torch", purpose=_WHO)
    nn = torch.nn
    made = _copy(net, "open", _WHO)
    made.module = _means_for_maxima(made.module, nn).double()  # products of many small weights
    kinds = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
    own = {id(p) for child in made.module.modules() if isinstance(child, kinds) for p in child.parameters()}
    with torch.no_grad():
        for child in made.module.modules():
            if isinstance(child, kinds):
                for name, value in (
                    ("weight", 1.0),
                    ("bias", 0.0),
                    ("running_mean", 0.0),
                    ("running_var", 1.0),
                ):
                    tensor = getattr(child, name, None)
                    if tensor is not None:
                        tensor.fill_(value)
        for parameter in made.module.parameters():
            if id(parameter) not in own and parameter.is_floating_point():
                # a mean over what comes in; biases (one dim) 0
                parameter.fill_(1.0 / parameter[0].numel() if parameter.ndim > 1 else 0.0)
    return made


def _means_for_maxima(module: Any, nn: Any) -> Any:
    """Modules of maximum pooling become means over the same windows."""
    for name, child in module.named_children():
        for dims in (1, 2, 3):
            kind = getattr(nn, f"MaxPool{dims}d")
            if isinstance(child, kind) and not child.return_indices and child.dilation in (1, (1,) * dims):
                mean = getattr(nn, f"AvgPool{dims}d")(
                    child.kernel_size, child.stride, child.padding, ceil_mode=child.ceil_mode
                )
                setattr(module, name, mean)
                break
            kind = getattr(nn, f"AdaptiveMaxPool{dims}d")
            if isinstance(child, kind):
                setattr(module, name, getattr(nn, f"AdaptiveAvgPool{dims}d")(child.output_size))
                break
        else:
            _means_for_maxima(child, nn)
    return module


def _even_readout(unit: Unit) -> dict[str, Any]:
    """Weights of a direction, by size alone, so that nothing cancels."""
    return {} if unit.vector is None else {"vector": np.abs(unit.vector)}


def _described(names: tuple[str, ...], support: np.ndarray, effective: np.ndarray) -> InputField:
    count, dims = len(names), support.ndim - 1
    box = np.zeros((count, dims, 2), dtype=np.int64)
    for k in range(count):
        for axis in range(dims):
            seen = np.flatnonzero(support[k].any(axis=tuple(a for a in range(dims) if a != axis)))
            if seen.size:
                box[k, axis] = seen[0], seen[-1] + 1
    power = -np.sort(-(effective.reshape(count, -1) ** 2), axis=1)
    total = power.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        most = (np.cumsum(power, axis=1) < 0.95 * total).sum(axis=1) + 1
        share = np.where(total[:, 0] > 0, most / support.reshape(count, -1).sum(axis=1), np.nan)
    fitted = {key: np.full(count, np.nan) for key in ("x", "y", "sigma_major", "sigma_minor", "fve")}
    for k in range(count):
        inside = tuple(slice(int(a), int(b)) for a, b in box[k])
        if dims == 2 and min(s.stop - s.start for s in inside) >= 4 and effective[k].any():
            found = fit_gaussian(effective[k][inside])
            for key, values in fitted.items():
                values[k] = getattr(found, key)
            fitted["x"][k] += inside[1].start
            fitted["y"][k] += inside[0].start
    return InputField(names=names, support=support, box=box, effective=effective, share=share, **fitted)
