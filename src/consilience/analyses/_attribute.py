"""The verb `attribute`: what a unit's answer to a stimulus hangs on, and whether to believe it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience._results import Attribution
from consilience._stimuli import check_stimuli
from consilience.analyses._attribute_checks import faithfulness, other_baseline, randomisation, warn_of
from consilience.analyses._attribute_tables import tables
from consilience.networks import Network, Unit, respond
from consilience.networks._attribution import Attributor
from consilience.networks._attribution_places import last_maps
from consilience.networks._network import OUTPUT, as_network, is_module
from consilience.networks._unit import as_units
from consilience.networks._unit_attribution import aim_at, outputs_of

if TYPE_CHECKING:
    from consilience.networks._attribution import Method

__all__ = ["attribute"]

WHO = "cs.attribute"
NAMES = ("integrated_gradients", "smoothgrad", "grad_cam", "gradient_x_input", "gradient", "occlusion")
REFERENCES = {
    "integrated_gradients": "sundararajan2017axiomatic",
    "smoothgrad": "smilkov2017smoothgrad",
    "grad_cam": "selvaraju2017gradcam",
    "gradient": "simonyan2014deep",
    "gradient_x_input": "shrikumar2017just",
    "occlusion": "zeiler2014visualizing",
}


def attribute(
    units: Unit | Sequence[Unit] | Network | Any,
    stimuli: xr.DataArray | Any,
    /,
    *,
    target: Any = None,
    method: str
    | Callable[[Any, Callable[[Any], Any]], Any]
    | Sequence[str | Callable[..., Any]] = "integrated_gradients",
    layer: str | None = None,
    baseline: Literal["mean", "zero"] | Any = None,
    steps: int = 32,
    tolerance: float = 0.02,
    n_samples: int = 32,
    noise: float = 0.15,
    window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    channel_axis: int | None = 0,
    n_check: int = 12,
    n_orders: int = 8,
    n_null: int = 1,
    n_perm: int = 999,
    level: float = 0.95,
    output: str = "output",
    device: str | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> Attribution:
    """Maps of what each place of a stimulus contributes to the activation f of a unit, with three tests of the maps.

    With x the module's input and b the baseline, summed over channels:

    - ``gradient``: df/dx (Simonyan 2014). ``gradient_x_input``: x df/dx.
    - ``integrated_gradients``: (x - b) times the mean of df/dx on the line from b to x (Sundararajan 2017); its sum is
      f(x) - f(b). Gauss-Legendre; nodes are doubled, up to 8 ``steps``, where the sum is off by more than
      ``tolerance``.
    - ``smoothgrad``: the mean of df/dx over ``n_samples`` draws of x + Gaussian noise (Smilkov 2017).
    - ``grad_cam``: max(0, sum_c w_c a_c) of the maps a_c of a convolution layer, w_c the mean gradient over places,
      interpolated to the input (Selvaraju 2017).
    - ``occlusion``: f(x) - f(x with a window at b), mean over the windows that hold a place (Zeiler & Fergus 2014).
    - a function f(points (b, *shape) tensor, value) -> (b, *shape) or (b, *places), where value(points) is the unit's
      activation (b,), through which gradients flow.

    A map is not evidence by itself. On ``n_check`` stimuli: *faithfulness*, the area under f while patches are set to
    the baseline, highest first (deletion) or lowest first (insertion), against random orders of the same patches
    (Petsiuk 2018); *randomisation*, the rank correlation with the maps of copies of the network with shuffled weights,
    from the top layer down to the whole network (Adebayo 2018), next to that of maps of different stimuli; the
    *baseline*, the rank correlation of maps with those of another baseline.

    Not to be confused with the effect of a lesion (`cs.ablate`), which is measured and not inferred from a gradient;
    nor with what a unit prefers (`cs.synthesize`).

    Parameters
    ----------
    units : a unit or a list of units of one network (`Network.unit`, `channel`, `direction`); or a network, whose
        output for the class of each stimulus is then attributed.
    stimuli : n, what `cs.stimuli` returns or takes.
    target : with a network: the class of each stimulus (whole numbers), or the name of a label of the stimuli that
        holds them. Default: the class that the network gives each stimulus.
    method : one or several.
    layer : of grad_cam: its convolution layer (default: the last with maps). Of the others: attribute to the output of
        this layer, not to the input (tokens: their embedding).
    baseline : of integrated_gradients, occlusion and faithfulness, in units of what the module gets. "mean" of the
        stimuli (for inputs with places one value per channel), "zero", an array, or stimuli (their mean). Default:
        mean.
    steps, tolerance : of integrated_gradients; the tolerance is relative to the larger of |f(x) - f(b)| and its root
        mean square over stimuli.   n_samples, noise : of smoothgrad; sd as a share of the range of each stimulus.
    window, stride : of occlusion, in places. Default: an eighth of each side, and half of that; single units of
        vectors.
    channel_axis : the axis of an input that is summed over, not a place; None: there is none.
    n_check : stimuli (drawn) that the tests are made on; 0: none.   n_orders : random orders per stimulus.
    n_null : networks with shuffled weights; 0: none.   n_perm : sign flips over stimuli.   level : of intervals.
    output : with a network that returns several arrays: the one of the classes, a label as in `cs.record`, such as
        ``"output[logits]"``.   device : where to run, for this call.

    Returns
    -------
    Attribution : ``.maps`` (map, target, stimulus, places) and ``.data``

    Raises
    ------
    InputError : a callable network; inputs without gradients (``not-differentiable``: tokens need ``layer``); a unit
        that does not depend on the input (``no-gradient``); a baseline that does not fit (``bad-baseline``).
    ConsilienceWarning ``insensitive-attribution`` : maps hardly change when all weights are shuffled; they show the
        stimulus and not the network.   ``incomplete-attribution`` : integrated gradients do not sum to f(x) - f(b).
        ``dead-attribution`` : maps that are 0 everywhere.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014); Zeiler & Fergus (2014); Shrikumar et al. (2017); Sundararajan, Taly & Yan
    (2017); Smilkov et al. (2017); Selvaraju et al. (2017); Adebayo et al. (2018); Petsiuk, Das & Saenko (2018).

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> module = torch.nn.Linear(3, 1, bias=False)
    >>> module.weight.data[:] = torch.tensor([1.0, -2.0, 0.0])
    >>> net = cs.Network(module, name="linear")
    >>> stimuli = cs.stimuli(np.array([[1.0, 1.0, 1.0], [3.0, 1.0, 0.0]]), ids=["a", "b"])
    >>> found = cs.attribute(net.unit("output", 0), stimuli, baseline="zero", n_check=0)
    >>> found.maps.values[0, 0].round(6).tolist()  # w (x - b)
    [[1.0, -2.0, 0.0], [3.0, -2.0, 0.0]]
    """
    seed = resolve_seed(rng, who=WHO)
    methods = _methods(method)
    options: dict[str, Any] = {
        "steps": check_count(steps, name="steps", who=WHO, minimum=1),
        "tolerance": check_number(tolerance, name="tolerance", who=WHO, low=0, high=1),
        "n_samples": check_count(n_samples, name="n_samples", who=WHO, minimum=1),
        "noise": check_number(noise, name="noise", who=WHO, low=0, high=10),
        "window": window,
        "stride": stride,
    }
    n_check = check_count(n_check, name="n_check", who=WHO)
    n_orders = check_count(n_orders, name="n_orders", who=WHO)
    n_null = check_count(n_null, name="n_null", who=WHO)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0, high=1)
    with collect_cautions() as cautions:
        data = check_stimuli(stimuli, who=WHO)
        chosen, classes = _targets(units, target, data, output, device)
        cam_layer, own = (layer, None) if list(methods) == ["grad_cam"] else (None, layer)
        if "grad_cam" in methods and own is not None:
            raise InputError(
                f"{WHO}: with layer= the methods attribute to that layer, and grad_cam draws from it; ask for grad_cam "
                "in a call of its own.",
                code="bad-parameter",
            )
        made = Attributor.of(
            chosen,
            classes,
            data,
            layer=own,
            cam_layer=cam_layer,
            channel_axis=channel_axis,
            baseline=baseline,
            options=options,
            device=device,
            who=WHO,
        )
        made = _with_cam(made, methods)
        every = np.arange(len(data))
        value, base = made.values(every)
        scale = np.sqrt(((value - base) ** 2).mean(axis=1))
        seeds = seed.stream("noise").integers(0, 2**31, len(data))
        maps = {name: made.maps(one, every, seeds, scale) for name, one in methods.items()}
        rows = np.sort(seed.stream("check").permutation(len(data))[: min(n_check, len(data))])
        found: dict[str, Any] = {}
        if rows.size:
            found["faithfulness"] = faithfulness(made, maps, rows, (value, base), n_orders, seed)
            found["baseline"] = other_baseline(made, methods, maps, rows[:4], seeds, scale)
            found["randomisation"] = randomisation(made, methods, maps, rows, seeds, scale, n_null, seed)
        arrays = tables(made, maps, (value, base), rows, found, n_perm, level, seed)
        warn_of(arrays[1], made, options["tolerance"], scale)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    keys = [REFERENCES[name] for name in methods if name in REFERENCES]
    return Attribution(
        maps=arrays[0],
        data=arrays[1],
        pictures=arrays[2],
        settings={
            "verb": "attribute",
            "system": made.net.name,
            "methods": list(methods),
            "layer": own,
            "cam_layer": made.cam_layer if "grad_cam" in methods else None,
            "targets": "the class of each stimulus" if classes is not None else "units",
            "baseline": made.baseline_from,
            "coordinates": arrays[0].attrs["where"],
            **{name: list(v) if isinstance(v, tuple) else v for name, v in made.options.items()},
            "n_stimuli": len(data),
            "n_check": int(rows.size),
            "n_orders": n_orders,
            "n_null": n_null,
            "n_perm": n_perm,
            "level": level,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=(
            *dict.fromkeys(keys),
            *(("petsiuk2018rise", "adebayo2018sanity") if rows.size else ()),
            *made.net.references,
        ),
        methods=_sentences(made, list(methods), rows, n_orders, n_null),
    )


def _methods(method: Any) -> dict[str, Method]:
    asked = [method] if isinstance(method, str) or callable(method) else method
    if not isinstance(asked, (list, tuple)) or not asked:
        raise InputError(
            f"{WHO}: method must be a method, a function or a list of them, got {shorten(method)}.",
            code="bad-parameter",
        )
    found: dict[str, Method] = {}
    for one in asked:
        if not callable(one):
            check_option(one, NAMES, name="method", who=WHO)
        name = str(getattr(one, "__name__", type(one).__name__)) if callable(one) else one
        if name in found or (callable(one) and name in NAMES):
            raise InputError(
                f"{WHO}: two methods have the name {name!r}; give each its own.", code="bad-parameter"
            )
        found[name] = one
    return found


def _targets(
    units: Any, target: Any, data: xr.DataArray, output: str, device: str | None
) -> tuple[list[Unit], np.ndarray | None]:
    if not (isinstance(units, Network) or is_module(units)):
        if target is not None or output != OUTPUT:
            raise InputError(
                f"{WHO}: target= and output= (the class of each stimulus) go with a network; units are "
                "targets themselves.",
                code="bad-parameter",
            )
        found = as_units(units, who=WHO)
        names = [unit.name for unit in found]
        if len(set(names)) < len(names):
            raise InputError(
                f"{WHO}: two units have one name ({shorten(max(names, key=names.count))}); give name=.",
                code="bad-unit",
            )
        return found, None
    net = as_network(units, who=WHO)
    if isinstance(target, str):
        if target not in data.coords or data[target].dims != ("stimulus",):
            raise InputError(
                f"{WHO}: the stimuli have no label {shorten(target)}; give the class of each stimulus.",
                code="bad-target",
            )
        target = data[target].values
    if target is None:
        every = outputs_of(net, data, device, who=WHO, output=output)
        target = respond(every, data, device=device).argmax(axis=1)
    return aim_at(net, target, data, len(data), device, WHO, output=output)


def _with_cam(made: Attributor, methods: dict[str, Method]) -> Attributor:
    from dataclasses import replace

    if "grad_cam" not in methods or made.cam_layer is not None:
        return made
    found = last_maps(made.units, len(made.places))
    if found is None:
        raise InputError(
            f"{WHO}: {made.net.name} has no layer with maps before {made.units[0].layer!r}, of which grad_cam could "
            "draw one; give layer=, or another method.",
            code="bad-layers",
        )
    return replace(made, cam_layer=found)


def _sentences(
    made: Attributor, methods: list[str], rows: np.ndarray, n_orders: int, n_null: int
) -> tuple[str, ...]:
    what = (
        "the input" if made.layer is None else f"the output of layer {made.layer}"
    ) + f" of {made.net.name}"
    said = [f"Attribution to {what} by {', '.join(methods)}; baseline: {made.baseline_from}."]
    if rows.size:
        said.append(
            f"On {rows.size} stimuli, areas under deletion and insertion curves were compared with {n_orders} random "
            f"orders of the same patches, and maps with those of {n_null} network(s) with shuffled weights (Spearman's "
            "correlation)."
        )
    return tuple(said)
