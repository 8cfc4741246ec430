"""One forward pass of a network on a block of stimuli: inputs, evaluation mode, hooks, outputs as named
tensors.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from consilience._core._errors import ConsilienceError, InputError, warn
from consilience._core._params import require, shorten
from consilience.networks._network import Network

__all__ = ["capturing", "evaluation", "leaves", "run_block", "say_batches", "without_statistics"]


def is_array(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type)


def leaves(output: Any) -> list[tuple[str, Any]]:
    """The arrays in an output, with suffixes: tuples and lists ``[0]``, dicts ``[key]``, dataclasses
    ``[field]``.

    None and things that are not arrays are left out; an only array has no suffix.
    """
    found = list(_walk(output, ""))
    return [("", found[0][1])] if len(found) == 1 else found


def _walk(output: Any, suffix: str) -> Iterator[tuple[str, Any]]:
    if is_array(output):
        yield suffix, output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            yield from _walk(value, f"{suffix}[{key}]")
    elif isinstance(output, (tuple, list)):
        for index, value in enumerate(output):
            yield from _walk(value, f"{suffix}[{index}]")
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for entry in dataclasses.fields(output):
            yield from _walk(getattr(output, entry.name), f"{suffix}[{entry.name}]")


@contextlib.contextmanager
def evaluation(net: Network, device: str | None, *, who: str) -> Iterator[Any]:
    """The module in eval mode, without gradients, on ``device``; each module's training flag and the device
    are restored.
    """
    if not net.is_module:
        yield None
        return
    import torch

    module = net.module
    tensors = [*module.parameters(), *module.buffers()]
    lazy = [
        name
        for name, p in module.named_parameters()
        if isinstance(p, torch.nn.parameter.UninitializedParameter)
    ]
    if lazy:
        raise InputError(
            f"{who}: {lazy[0]} of {net.name} has no shape yet (a lazy module); run the module once first.",
            code="bad-network",
        )
    home = tensors[0].device if tensors else torch.device("cpu")
    target = _device(device or net.device, home, who)
    flags = [(child, child.training) for child in module.modules()]
    try:
        if target != home:
            module.to(target)
        module.eval()
        with torch.no_grad():
            yield target
    finally:
        for child, flag in flags:
            child.training = flag
        if target != home:
            module.to(home)


def _device(device: Any, home: Any, who: str) -> Any:
    import torch

    if device is None:
        return home
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{who}: device {shorten(device)} cannot be used here ({reason}); use device='cpu'.",
            code="bad-device",
        ) from None
    return torch.empty(0, device=target).device


def shorten_text(text: str, limit: int = 600) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def run_block(net: Network, block: Any, stimuli_kind: str, device: Any, *, who: str) -> Any:
    """What the network returns for a block of stimuli; any failure inside becomes an `InputError` with the
    shapes.
    """
    stage = "preprocess"
    try:
        fed = net.preprocess(block) if net.preprocess is not None else block
        stage = "forward pass"
        if not net.is_module:
            return net.module(fed)
        args, kwargs = _arguments(net, fed, stimuli_kind, device)
        return net.module(*args, **kwargs)
    except ConsilienceError:
        raise
    except Exception as error:
        what = (
            f"shape {block.shape}, {block.dtype}" if isinstance(block, np.ndarray) else f"{len(block)} texts"
        )
        hint = "" if net.preprocess is not None else ". Does it need preprocess=?"
        odd = without_statistics(net)
        if odd and len(block) == 1:
            hint = (
                f". Shapes are found by one stimulus, and {odd[0]} keeps no running statistics, so one alone cannot "
                "be normalised; use track_running_stats=True"
            )
        said = shorten_text(str(error).strip().rstrip("."))
        raise InputError(
            f"{who}: the {stage} of {net.name} failed on a block of stimuli ({what}): "
            f"{type(error).__name__}: {said}{hint}",
            code="forward-failed",
        ) from error


def _arguments(
    net: Network, fed: Any, stimuli_kind: str, device: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    torch = require("torch", extra="torch", purpose="a torch module")
    precision = next((p.dtype for p in net.module.parameters() if p.is_floating_point()), torch.float32)

    def tensor(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            value = torch.from_numpy(
                np.ascontiguousarray(value.astype(value.dtype.newbyteorder("="), copy=False))
            )
        if isinstance(value, torch.Tensor):
            return value.to(device=device, dtype=precision if value.is_floating_point() else None)
        return value

    if net.preprocess is None and stimuli_kind == "images":
        fed = _images(fed, net.name)
    if isinstance(fed, Mapping):
        return (), {str(key): tensor(value) for key, value in fed.items()}
    if isinstance(fed, tuple):
        return tuple(tensor(value) for value in fed), {}
    return (tensor(fed),), {}


def _images(block: np.ndarray, name: str) -> np.ndarray:
    warn(
        "no-preprocess",
        f"{name} has no preprocess, so it got images as float (stimulus, channel, y, x) with values as they "
        f"are ({block.dtype}).",
        "Pass preprocess= to cs.Network if it was trained on scaled images.",
    )
    block = block[..., None] if block.ndim == 3 else block
    return np.moveaxis(block, -1, 1).astype(np.float32 if block.dtype.kind != "f" else block.dtype)


def without_statistics(net: Network) -> list[str]:
    """Batch normalisation layers that use each batch's own statistics even in eval mode."""
    if not net.is_module:
        return []
    import torch

    base = torch.nn.modules.batchnorm._BatchNorm
    return [
        name
        for name, child in net.module.named_modules()
        if isinstance(child, base) and child.running_mean is None
    ]


def say_batches(net: Network, *, who: str) -> bool:
    """Whether each batch is normalised by itself, which is said."""
    odd = without_statistics(net)
    if odd:
        warn(
            "batch-dependent",
            f"{who}: {odd[0]} of {net.name} keeps no running statistics, so it normalises each batch by itself: what a "
            f"stimulus gives, and what is lost, depends on the stimuli that are shown with it.",
            "Use track_running_stats=True, or state batch_size.",
        )
    return bool(odd)


@contextlib.contextmanager
def capturing(net: Network, names: list[str], keep: Callable[[str, Any], None]) -> Iterator[None]:
    """Hooks on the named layers: ``keep(name, output)`` is called each time one has run. Hooks are removed
    whatever happens.
    """
    handles: list[Any] = []
    if not net.is_module:
        yield
        return
    modules = dict(net.module.named_modules(remove_duplicate=False))

    def hook(name: str) -> Callable[..., None]:
        def run(_module: Any, _args: Any, output: Any) -> None:
            keep(name, output)

        return run

    try:
        for name in names:
            target = modules.get(name, net.module)  # what is no sub-module is OUTPUT, the whole network
            handles.append(target.register_forward_hook(hook(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()
