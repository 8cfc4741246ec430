"""Attribution maps of units, or of each stimulus's class, by several methods; values of stimuli with places out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import require, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._attribution_places import layout, windows
from consilience.networks._attribution_points import Points, points_of, rows_of
from consilience.networks._network import Network
from consilience.networks._unit import Unit
from consilience.networks._unit_attribution import objective_of
from consilience.networks._way_back import way_back

__all__ = ["Attributor", "Maps", "Method"]

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
        axes, axis = layout(net, layer, shape, data, channel_axis, who)
        made = replace(made, shape=shape, axes=axes, axis=axis)
        value, said = made._baseline(baseline)
        return replace(
            made,
            baseline=value,
            baseline_from=said,
            options={**options, **windows(shape, made.places, options, who)},
        )

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
            axes, axis = layout(self.net, self.cam_layer, shape, self.data, None, self.who)
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

    def in_place(self) -> bool:
        """Whether places of the input are those of the stimuli (y, x...)."""
        like = self.data
        if self.layer is not None:
            return False
        sizes = tuple(size for dim, size in zip(like.dims, like.shape) if dim not in ("stimulus", "channel"))
        images = like.attrs.get("kind") == "images"
        same = sizes == self.places if images else like.shape[1:] == self.shape
        return same and way_back(self.net, like, self.shape, self.axis) is not None if images else same
