"""What each unit of a layer contributes to a network's answer, to first order: the order of lesions by attribution."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, nearest
from consilience._core._params import check_count, check_option, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._attribution_points import Objective, Points, points_of, rows_of
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._network import OUTPUT, Network
from consilience.networks._record import record
from consilience.networks._unit import Unit, channel_axis

__all__ = ["aim_at", "objective_of", "unit_attribution"]

_BLOCK = 32
_FLAT = ("unit", "channel", "feature")


def unit_attribution(
    net: Network,
    layer: str,
    stimuli: Any,
    target: Unit | Any,
    *,
    method: Literal["gradient_x_activation", "integrated", "gradient"] = "gradient_x_activation",
    objective: Literal["logit", "log_probability", "probability"] = "logit",
    baseline: Literal["zero", "mean"] | None = None,
    per: Literal["units", "channels"] = "units",
    steps: int = 32,
    batch_size: int | None = None,
    device: str | None = None,
    who: str,
) -> np.ndarray:
    """Attribution of ``f`` to each unit of a layer, per stimulus: (n, units) float64, or (n, channels).

    gradient_x_activation : (a - b) df/da, the first-order effect f(a) - f(b) of setting a unit to its baseline b; exact
    where f is linear in the layer. integrated : (a - b) times the mean of df/da from b to a (Gauss-Legendre, ``steps``
    nodes); its sum over units is f(a) - f(b) of all units at once. gradient : df/da.

    Positive: the unit raises f for this stimulus.

    Parameters
    ----------
    layer : name of a module that is called once and gives one array.   stimuli : n.
    target : a `Unit` (f is its activation), or one class per stimulus, whole numbers (n,).
    objective : what f is of the class: its output, or log or plain softmax probability.
    baseline : "zero", or "mean" over the stimuli, each unit's own. Default: zero for gradient_x_activation, mean for
        integrated.
    per : "channels": summed over places.
    """
    check_option(method, ["gradient_x_activation", "integrated", "gradient"], name="method", who=who)
    check_option(objective, ["logit", "log_probability", "probability"], name="objective", who=who)
    check_option(per, ["units", "channels"], name="per", who=who)
    if baseline is None:
        baseline = "mean" if method == "integrated" else "zero"
    check_option(baseline, ["zero", "mean"], name="baseline", who=who)
    steps = check_count(steps, name="steps", who=who, minimum=1)
    data = check_stimuli(stimuli, who=who)
    n = data.sizes["stimulus"]
    units, classes = aim_at(net, target, data, n, device, who)

    def opened(rows: np.ndarray) -> Any:
        chosen = None if classes is None else objective_of(objective, classes[rows])
        return points_of(
            units, data, rows, layer=layer, objective=chosen, batch_size=batch_size, device=device, who=who
        )

    mean: Any = None
    if baseline == "mean" and method != "gradient":
        total: Any = 0.0
        for rows in rows_of(n, _BLOCK):
            with opened(rows) as points:
                total = total + points.at.double().sum(0)
        mean = total / n
    out = []
    for rows in rows_of(n, _BLOCK):
        with opened(rows) as points:
            start = points.at * 0 if mean is None else mean.to(points.at.dtype).expand_as(points.at)
            out.append(_attributed(points, start, method, steps).double().cpu().numpy())
    values = np.concatenate(out)
    if per == "units":
        return values.reshape(n, -1)
    shape = values.shape[1:]
    kind = type(dict(net.module.named_modules(remove_duplicate=False))[layer]).__name__
    axis = channel_axis(Leaf(layer, 0, shape, axis_names(shape, kind), "flatten")) + 1
    return values.sum(axis=tuple(i for i in range(1, values.ndim) if i != axis))


def _attributed(points: Points, start: Any, method: str, steps: int) -> Any:
    """(b, *shape) for one block."""
    import torch

    b = points.at.shape[0]
    every = torch.arange(b, device=points.at.device)
    if method != "integrated":
        _, grads = points.gradients(points.at, every)
        return grads[0] if method == "gradient" else (points.at - start).double() * grads[0].double()
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    away = points.at - start
    total = torch.zeros(points.at.shape, dtype=torch.float64, device=points.at.device)
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        _, grads = points.gradients(start + float(node) * away, every)
        total += float(weight) * grads[0].double()
    return away.double() * total


def aim_at(
    net: Network,
    target: Any,
    data: xr.DataArray,
    n: int,
    device: str | None,
    who: str,
    output: str = OUTPUT,
) -> tuple[list[Unit], np.ndarray | None]:
    """The units that are read, and the class of each stimulus among them; None for a unit of its own."""
    if isinstance(target, Unit):
        if target.network is not net:
            raise InputError(
                f"{who}: {target.name} is a unit of {target.network.name}, not of {net.name}; give one of that.",
                code="bad-unit",
            )
        return [target], None
    classes = np.asarray(target)
    if classes.shape != (n,) or classes.dtype.kind not in "iu" or (classes < 0).any():
        raise InputError(
            f"{who}: target must be a unit, or one class (a whole number from 0) for each of {n} stimuli; got "
            f"{shorten(target)}.",
            code="bad-target",
        )
    units = outputs_of(net, data, device, who=who, output=output)
    if classes.max() >= len(units):
        raise InputError(
            f"{who}: target has the class {classes.max()}, but {net.name} returns {len(units)} classes (from 0).",
            code="bad-target",
        )
    return units, classes.astype(np.int64)


def outputs_of(
    net: Network, data: xr.DataArray, device: str | None, *, who: str, output: str = OUTPUT
) -> list[Unit]:
    """All units of the array ``output`` that the network returns, a flat array of classes."""
    base = output if output in net.layer_names else OUTPUT
    given = record(net, data[:1], layers=[base], batch_size=1, device=device, progress=False)
    if output not in given:
        raise InputError(
            f"{who}: {net.name} returns {shorten(', '.join(given), 200)}; output= must be one of these, got "
            f"{output!r}.{nearest(output, list(given))}",
            code="bad-target",
        )
    coords = given[output].coords
    places = [str(axis) for axis in coords if coords[axis].dims == ("unit",) and axis not in _FLAT]
    if places:
        raise InputError(
            f"{who}: a class per stimulus needs an array (stimuli, classes); {output!r} of {net.name} has values "
            f"for each {' and '.join(places)} too. Name another as output=, or give units.",
            code="bad-target",
        )
    return [Unit(net, output, f"{output}[{i}]", index=i) for i in range(given[output].sizes["unit"])]


def objective_of(name: str, classes: np.ndarray) -> Objective:
    """values (m, classes), rows (m,) -> (m, 1): of each row's class its output, or log or plain softmax probability."""

    def pick(values: Any, rows: Any) -> Any:
        import torch

        if name != "logit":
            values = torch.log_softmax(values, dim=1)
        mine = torch.as_tensor(classes, device=values.device)[rows]
        found = values.gather(1, mine[:, None])
        return found.exp() if name == "probability" else found

    return pick
