"""Places that are no module's output: a layer's input, the heads of attention, the state of a recurrent layer."""

from __future__ import annotations

import re
from typing import Any

import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience.networks._chance import same_draws
from consilience.networks._forward import run_block
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._lesion_find import chosen_steps
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_places import Place
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._probe import stimulus_axis
from consilience.networks._tap import Seen

__all__ = ["inside"]

_INPUT = ".input"


def inside(
    net: Network,
    seen: Seen,
    label: str,
    parts: Any,
    n_heads: int | None,
    times: Any,
    data: xr.DataArray,
    target: Any,
    *,
    who: str,
) -> Place | None:
    """The place that ``label`` names, if it is one of these."""
    import torch

    modules = dict(net.module.named_modules(remove_duplicate=False))
    recurrent = re.fullmatch(r"(?P<base>.+?)(\[0\]|\.(?P<level>[0-9]+))?", label)
    if recurrent is not None and isinstance(modules.get(recurrent["base"]), torch.nn.RNNBase):
        return _state(net, seen, label, recurrent["base"], recurrent["level"], times, who=who)
    if isinstance(parts, str) and parts == "heads":
        found = _heads(net, modules, label, n_heads, who=who)
        if found is not None:
            return _seen_inside(net, found[0], found[1], found[2], data, target, who=who)
    if label not in modules and label.endswith(_INPUT) and label.removesuffix(_INPUT) in modules:
        return _seen_inside(net, label, label.removesuffix(_INPUT), "input", data, target, who=who)
    return None


def _heads(
    net: Network, modules: dict[str, Any], label: str, n_heads: int | None, *, who: str
) -> tuple[str, str, str] | None:
    """(label, module, "heads" or "input"): where the heads lie side by side, before they are projected together. None:
    features of the layer's output.
    """
    import torch

    # nn.MultiheadAttention by its own name, by that of its output, or by that of its projection
    named = label.removesuffix(".out_proj").removesuffix("[0]")
    module = modules.get(named)
    if isinstance(module, torch.nn.MultiheadAttention):
        if n_heads is not None:
            given = check_count(n_heads, name="n_heads", who=who, minimum=1)
            if given != module.num_heads:
                raise InputError(
                    f"{who}: layer {named!r} has {module.num_heads} heads, not {given}; leave n_heads out.",
                    code="bad-parameter",
                )
        return named, named, "heads"
    base = re.sub(r"(#\d+)?(\[.*\])?$", "", label)
    module = modules.get(label, modules.get(label.removesuffix(_INPUT), modules.get(base)))
    if isinstance(module, torch.nn.Linear):  # the projection of concatenated heads
        if module.out_features == 3 * module.in_features:
            raise InputError(
                f"{who}: layer {label!r} of {net.name} gives 3 times the {module.in_features} features that it gets, "
                "as a layer does that makes queries, keys and values: what goes in is no heads yet, and what comes "
                "out is all three of each. Name the projection after the heads (its input is cut), or give the "
                "features of each head yourself, parts={'head 0': [...]} with parts_of='channels'.",
                code="bad-parts",
            )
        if label in modules:
            return label, label, "input"
        if "#" in label:
            raise InputError(
                f"{who}: layer {base!r} of {net.name} is called several times; heads that go into it can be lesioned "
                "where it is called once.",
                code="several-arrays",
            )
    within = [name for name, m in modules.items() if isinstance(m, torch.nn.MultiheadAttention)]
    whole = base == OUTPUT and OUTPUT not in modules
    mine = [name for name in within if whole or base == name or name.startswith(f"{base}.")]
    if mine:
        raise InputError(
            f"{who}: the features of {label!r} of {net.name} are no heads; those of its attention are parts of "
            f"layer {mine[0]!r}.",
            code="bad-parts",
        )
    return None


def _seen_inside(
    net: Network, label: str, base: str, mode: str, data: xr.DataArray, target: Any, *, who: str
) -> Place:
    """The place, with the shape that one and two stimuli show."""
    kind = str(data.attrs.get("kind", "array"))
    shapes: list[list[tuple[int, ...]]] = []
    tentative = Place(label, base, "", None, Leaf(label, 0, (), (), "flatten"), mode)
    for count in (1, 2):
        came: list[tuple[int, ...]] = []

        def touch(_number: int, _call: int, x: Any, _given: Any, came: list[tuple[int, ...]] = came) -> None:
            came.append(tuple(x.shape))

        with acting(net, [tentative], touch), same_draws(0, target):
            run_block(net, block_of(data, [0] * count), kind, target, who=who)
        shapes.append(came)
    one, two = shapes
    if not one:
        raise not_fired(net, label, who=who)
    if len(one) > 1 or len(two) != 1:
        raise InputError(
            f"{who}: layer {base!r} of {net.name} is called {len(one)} times in one pass; what goes into it can be "
            "lesioned where it is called once.",
            code="several-arrays",
        )
    axis = stimulus_axis(one[0], two[0], 2)
    if axis is None:
        raise InputError(
            f"{who}: what goes into layer {base!r} of {net.name} has no axis that counts stimuli (shape {one[0]} for "
            "one stimulus); choose another layer.",
            code="no-output",
        )
    sizes = one[0][:axis] + one[0][axis + 1 :]
    leaf = Leaf(label, axis, sizes, axis_names(sizes, ""), "flatten")
    return Place(label, base, "", frozenset([0]), leaf, mode)


def _state(
    net: Network, seen: Seen, label: str, base: str, level: str | None, times: Any, *, who: str
) -> Place:
    """The hidden state of one layer of a recurrent module; its calls are the steps."""
    module = dict(net.module.named_modules(remove_duplicate=False))[base]
    kind = type(module).__name__
    if seen.calls.get(base, 0) == 0:
        raise not_fired(net, label, who=who)
    if module.bidirectional or module.proj_size:
        what = "runs in both directions" if module.bidirectional else "projects its state"
        raise InputError(
            f"{who}: {base!r} ({kind}) of {net.name} {what}; states of unidirectional layers without projection can be "
            "lesioned so that it feeds back.",
            code="bad-layers",
        )
    number = module.num_layers - 1 if level is None else int(level)
    if number >= module.num_layers:
        raise InputError(
            f"{who}: {base!r} ({kind}) of {net.name} has {module.num_layers} layers, {base}.0 to "
            f"{base}.{module.num_layers - 1}; got {label!r}.",
            code="bad-layers",
        )
    along = 1 if module.batch_first else 0
    key = base, 0, "[0]"
    if key not in seen.one or len(seen.one[key]) != 3 or seen.axes.get(key) != 1 - along:
        raise InputError(
            f"{who}: {base!r} ({kind}) of {net.name} must get plain tensors with the stimuli along axis {1 - along} "
            "(batch_first says which), no packed sequences.",
            code="bad-layers",
        )
    steps = seen.one[key][along] * seen.calls[base]
    calls = None if times is None else frozenset(chosen_steps(times, steps, label, who=who).tolist())
    leaf = Leaf(label, 0, (module.hidden_size,), ("unit",), "flatten")
    return Place(label, base, "", calls, leaf, "recurrent", number, stepped=True)
