"""Attribution maps of units, or of each stimulus's class, by several methods; values of stimuli with places taken out;
copies of the network with randomised weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, collect_cautions
from consilience._core._params import require, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._attribution_points import Points, points_of, rows_of
from consilience.networks._controls import _copy, _recalibrated, permuted
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._network import Network
from consilience.networks._tap import base_of
from consilience.networks._unit import Unit, channel_axis
from consilience.networks._unit_attribution import objective_of
from consilience.networks._way_back import way_back

__all__ = ["Attributor", "Maps", "Method", "last_maps", "randomised"]

Method = str | Callable[[Any, Callable[[Any], Any]], Any]
_BLOCK = 16


@dataclass(frozen=True)
class Maps:
    """values : (k, n, *places) float64.   notes : name -> (k, n)."""

    values: np.ndarray
    notes: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Attributor:
    """How stimuli are attributed; made by `Attributor.of`, the same for copies of the network (`on`)."""

    net: Network
    units: list[Unit]
    classes: np.ndarray | None
    data: xr.DataArray
    layer: str | None
    cam_layer: str | None
    shape: tuple[int, ...]  # of one point
    axes: tuple[str, ...]
    axis: int | None  # of channels
    baseline: Any  # (1, *shape) tensor on the CPU
    baseline_from: str
    options: dict[str, Any]
    device: str | None
    who: str

    @property
    def k(self) -> int:
        return len(self.units) if self.classes is None else 1

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(size for i, size in enumerate(self.shape) if i != self.axis)

    @property
    def place_names(self) -> tuple[str, ...]:
        return tuple(name for i, name in enumerate(self.axes) if i != self.axis)

    @classmethod
    def of(
        cls,
        units: list[Unit],
        classes: np.ndarray | None,
        data: xr.DataArray,
        *,
        layer: str | None,
        cam_layer: str | None,
        channel_axis: int | None,
        baseline: Any,
        options: dict[str, Any],
        device: str | None,
        who: str,
    ) -> Attributor:
        net = units[0].network
        made = cls(net, units, classes, data, layer, cam_layer, (), (), None, None, "", options, device, who)
        with made._open(np.arange(1)) as points:
            shape = tuple(points.at.shape[1:])
        axes, axis = _layout(net, layer, shape, data, channel_axis, who)
        made = replace(made, shape=shape, axes=axes, axis=axis)
        value, said = made._baseline(baseline)
        return replace(made, baseline=value, baseline_from=said, options=made._filled(options))

    def on(self, net: Network) -> Attributor:
        """The same for a copy of the network."""
        return replace(self, net=net, units=[replace(unit, network=net) for unit in self.units])

    def with_baseline(self, baseline: Any) -> Attributor:
        value, said = self._baseline(baseline)
        return replace(self, baseline=value, baseline_from=said)

    def inputs(self, rows: np.ndarray) -> np.ndarray:
        """Points (n, *shape) of stimuli."""
        parts = []
        for mine in rows_of(len(rows), _BLOCK):
            with self._open(rows[mine]) as points:
                parts.append(points.at.float().cpu().numpy())
        return np.concatenate(parts)

    def values(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """f at the stimuli and at the baseline, (k, n) each."""
        masks = np.zeros((len(rows), 2, *self.places), dtype=bool)
        masks[:, 1] = True
        found = self.masked(rows, masks)
        return found[..., 0], found[..., 1]

    def masked(self, rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """f (k, n, m) of stimuli with places (n, m, *places) at their baseline."""
        torch = require("torch", extra="torch", purpose=self.who)
        m = masks.shape[1]
        out = []
        for mine in rows_of(len(rows), _BLOCK):
            with self._open(rows[mine]) as points:
                at, start = points.at, self._start(points)
                parts = []
                for first in range(0, len(mine) * m, points.most):
                    pair = np.arange(first, min(first + points.most, len(mine) * m))
                    i = torch.as_tensor(pair // m, device=at.device)
                    off = torch.as_tensor(masks[mine[pair // m], pair % m], device=at.device)
                    off = off if self.axis is None else off.unsqueeze(self.axis + 1)
                    parts.append(points.values(torch.where(off, start[i], at[i]), i).double().cpu().numpy())
                out.append(np.concatenate(parts).reshape(len(mine), m, self.k))
        return np.moveaxis(np.concatenate(out), 2, 0)

    def maps(self, method: Method, rows: np.ndarray, seeds: np.ndarray, scale: np.ndarray) -> Maps:
        """Maps of stimuli. seeds : (n,) of their noise.   scale : (k,) of values, for the completeness error."""
        torch = require("torch", extra="torch", purpose=self.who)
        from consilience.networks import _attribution_methods as methods

        values, notes = [], []
        for mine in rows_of(len(rows), _BLOCK):
            if method == "grad_cam":
                raw = self._grad_cam(rows[mine])
            else:
                with self._open(rows[mine]) as points:
                    if callable(method):
                        raw = self._user(method, points)
                    else:
                        block = methods.Block(
                            points=points,
                            start=self._start(points),
                            axis=self.axis,
                            k=self.k,
                            scale=torch.as_tensor(scale, dtype=torch.float64, device=points.at.device),
                            seeds=seeds[mine],
                            **self.options,
                        )
                        raw = methods.RAW[method](block)
            found = raw.values if raw.placed else methods.summed(raw.values, self.axis)
            values.append(found.double().cpu().numpy())
            notes.append({name: note.double().cpu().numpy() for name, note in raw.notes.items()})
        return Maps(
            np.concatenate(values, axis=1),
            {name: np.concatenate([note[name] for note in notes], axis=1) for name in notes[0]},
        )

    # -- inside

    def _open(self, rows: np.ndarray, layer: str | None = None) -> Any:
        chosen = None if self.classes is None else objective_of("logit", self.classes[rows])
        return points_of(
            self.units,
            self.data,
            rows,
            layer=layer or self.layer,
            objective=chosen,
            device=self.device,
            who=self.who,
        )

    def _start(self, points: Points) -> Any:
        return self.baseline.to(device=points.at.device, dtype=points.at.dtype).expand_as(points.at)

    def _grad_cam(self, rows: np.ndarray) -> Any:
        from consilience.networks._attribution_methods import grad_cam

        assert self.cam_layer is not None
        with self._open(rows, self.cam_layer) as points:
            shape = tuple(points.at.shape[1:])
            axes, axis = _layout(self.net, self.cam_layer, shape, self.data, None, self.who)
            if axis is None or len(axes) != len(self.places) + 1:
                raise InputError(
                    f"{self.who}: grad_cam needs a layer of maps, channels by {len(self.places)} axes of places as the "
                    f"input has; layer {self.cam_layer!r} of {self.net.name} has shape {shape}.",
                    code="bad-layers",
                )
            return grad_cam(points, axis, self.places)

    def _user(self, method: Callable[..., Any], points: Points) -> Any:
        """A function of the user: f(points (b, *shape) tensor, value) -> (b, *shape) or (b, *places); value(points) is
        the target's value (b,), through which gradients flow.
        """
        import torch

        from consilience.networks._attribution_methods import Raw

        every = torch.arange(len(points.at), device=points.at.device)
        parts = []
        for j in range(self.k):

            def value(at: Any, j: int = j) -> Any:
                return points.run(at, every)[:, j]

            found = torch.as_tensor(method(points.at.clone(), value)).detach()
            placed = tuple(found.shape) == (len(points.at), *self.places)
            if not placed and tuple(found.shape) != tuple(points.at.shape):
                raise InputError(
                    f"{self.who}: the attribution function returned shape {tuple(found.shape)}; it must return "
                    f"{tuple(points.at.shape)} or one number for each place, {(len(points.at), *self.places)}.",
                    code="bad-shape",
                )
            if not bool(torch.isfinite(found).all()):
                raise InputError(
                    f"{self.who}: the attribution function returned NaN or infinity.", code="nan-values"
                )
            parts.append(found.double())
        return Raw(torch.stack(parts), placed=placed)

    def _baseline(self, asked: Any) -> tuple[Any, str]:
        torch = require("torch", extra="torch", purpose=self.who)
        if asked is None or (isinstance(asked, str) and asked in ("mean", "zero")):
            if asked == "zero":
                return torch.zeros((1, *self.shape)), "zero"
            values = self._mean(self.data)
            even = self.layer is None and len(self.shape) > 1
            if even:
                over = tuple(i for i in range(len(self.shape)) if i != self.axis)
                values = np.broadcast_to(values.mean(axis=over, keepdims=True), self.shape)
            said = "the mean of the stimuli" + (", the same at every place" if even else "")
            return torch.as_tensor(values[None].copy()), said
        if isinstance(asked, xr.DataArray) and asked.dims[:1] == ("stimulus",):
            shown = check_stimuli(asked, who=self.who)
            return torch.as_tensor(self._mean(shown)[None]), f"the mean of {len(shown)} given stimuli"
        try:
            values = np.asarray(to_numpy(asked), dtype=np.float64)
            values = np.broadcast_to(values, self.shape)
            right = bool(np.isfinite(values).all())
        except (TypeError, ValueError):
            right = False
        if not right:
            raise InputError(
                f"{self.who}: baseline must be 'mean', 'zero', stimuli, or finite numbers that fit what is attributed, "
                f"of shape {self.shape}; got {shorten(asked)}.",
                code="bad-baseline",
            )
        return torch.as_tensor(values[None].copy()), "given"

    def _mean(self, data: xr.DataArray) -> np.ndarray:
        """(*shape) float64 over stimuli."""
        total: Any = 0.0
        for rows in rows_of(len(data), _BLOCK):
            with points_of(
                self.units, data, rows, layer=self.layer, device=self.device, who=self.who
            ) as points:
                total = total + points.at.double().sum(0).cpu().numpy()
        if np.shape(total) != self.shape:
            raise InputError(
                f"{self.who}: the stimuli of baseline= give points of shape {np.shape(total)}, those to attribute "
                f"{self.shape}.",
                code="bad-baseline",
            )
        return np.asarray(total / len(data))

    def _filled(self, options: dict[str, Any]) -> dict[str, Any]:
        """Window and stride of occlusion, where they are not given."""
        loose = len(self.shape) == 1  # units have no neighbours
        window, stride = options["window"], options["stride"]
        if window is None:
            window = tuple(1 if loose else math.ceil(size / 8) for size in self.places)
        else:
            window = _sizes(window, self.places, "window", self.who)
        if stride is None:
            stride = tuple(max(1, w // 2) for w in window)
        else:
            stride = _sizes(stride, self.places, "stride", self.who)
        if any(s > w for s, w in zip(stride, window)):
            raise InputError(
                f"{self.who}: stride {stride} is larger than window {window}, so that places are left out.",
                code="bad-parameter",
            )
        return {**options, "window": window, "stride": stride}

    def in_place(self) -> bool:
        """Whether places of the input are those of the stimuli (y, x...)."""
        like = self.data
        if self.layer is not None:
            return False
        sizes = tuple(size for dim, size in zip(like.dims, like.shape) if dim not in ("stimulus", "channel"))
        images = like.attrs.get("kind") == "images"
        same = sizes == self.places if images else like.shape[1:] == self.shape
        return same and way_back(self.net, like, self.shape, self.axis) is not None if images else same


def _sizes(asked: Any, places: tuple[int, ...], name: str, who: str) -> tuple[int, ...]:
    sizes = (asked,) * len(places) if isinstance(asked, (int, np.integer)) else tuple(asked)
    if len(sizes) != len(places) or not all(
        isinstance(s, (int, np.integer)) and 1 <= s <= size for s, size in zip(sizes, places)
    ):
        raise InputError(
            f"{who}: {name} must be a whole number, or one for each of {places} places; got {shorten(asked)}.",
            code="bad-parameter",
        )
    return tuple(int(s) for s in sizes)


def _layout(
    net: Network, layer: str | None, shape: tuple[int, ...], data: xr.DataArray, channel: int | None, who: str
) -> tuple[tuple[str, ...], int | None]:
    """Names of the axes of one point, and which counts channels."""
    if layer is not None:
        kind = type(dict(net.module.named_modules(remove_duplicate=False))[layer]).__name__
        axes = axis_names(shape, kind)
        return axes, channel_axis(Leaf(layer, 0, shape, axes, "flatten")) if len(shape) > 1 else None
    if len(shape) < 2 or channel is None:
        return tuple("unit" if len(shape) == 1 else f"axis_{i}" for i in range(len(shape))), None
    if not -len(shape) <= channel < len(shape):
        raise InputError(
            f"{who}: channel_axis must be an axis of one input of shape {shape}, or None; got {channel}.",
            code="bad-parameter",
        )
    axis = channel % len(shape)
    names = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}.get(len(shape) - 1) or tuple(
        f"axis_{i}" for i in range(len(shape) - 1)
    )
    return (*names[:axis], "channel", *names[axis:]), axis


def randomised(
    net: Network, data: xr.DataArray, seed: int, shares: Sequence[float], *, who: str
) -> list[tuple[float, int, Network]]:
    """Copies whose top layers have shuffled weights: (share, number of layers, network). A copy's shuffled layers are
    those of the copy before, and more; the last share, 1, is the whole network. Statistics of normalisation layers are
    recalibrated. Layers are counted in the module's order.
    """
    with collect_cautions():
        whole = permuted(net, seed=seed, stimuli=None if not _normalised(net) else data)
    other = dict(whole.module.named_parameters())
    owners = [
        name
        for name, child in net.module.named_modules()
        if any(True for _ in child.parameters(recurse=False))
    ]
    out: list[tuple[float, int, Network]] = []
    for share in shares:
        count = len(owners) if share >= 1 else max(1, round(share * len(owners)))
        if out and out[-1][1] == count:
            continue
        if count == len(owners):
            out.append((share, count, whole))
            continue
        copy = _copy(net, f"top{count}shuffled{seed}", who)
        chosen = set(owners[-count:])
        torch = require("torch", extra="torch", purpose=who)
        with torch.no_grad():
            for name, parameter in copy.module.named_parameters():
                if name.rpartition(".")[0] in chosen:
                    parameter.copy_(other[name])
        with collect_cautions():
            out.append((share, count, _recalibrated(copy, data if _normalised(net) else None, who)))
    return out


def _normalised(net: Network) -> bool:
    from consilience.networks._controls import _tracked

    return bool(_tracked(net.module))


def last_maps(units: list[Unit], dims: int) -> str | None:
    """The last layer before the units with maps of ``dims`` axes of places, of more than one place, that is called once
    and gives one array; None where there is none. Known once a unit was read.
    """
    net = units[0].network
    seen = net._spots[1] if net._spots else None
    if seen is None:
        return None
    found = None
    leaves = {name for name, child in net.module.named_modules() if not any(True for _ in child.children())}
    ends = {base_of(net, unit.layer, who="") for unit in units}
    for key, sizes in seen.one.items():
        if key[0] in ends:
            break
        axis = seen.axes.get(key)
        if key[0] not in leaves or axis != 0 or seen.calls[key[0]] != 1 or key[2]:
            continue
        if len(sizes) == dims + 2 and all(size > 1 for size in sizes[2:]):
            found = key[0]
    return found
