"""What a network is, as a hash: structure, weights, buffers, the code of its own classes, and its
preprocessing.
"""

from __future__ import annotations

import functools
import hashlib
import types
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._arrays import to_numpy

if TYPE_CHECKING:
    from consilience.networks._network import Network

__all__ = ["fingerprint_of"]


class _Unknown(Exception):
    """Something whose content cannot be hashed."""


def fingerprint_of(net: Network) -> str | None:
    digest = hashlib.sha256(b"consilience network 1\0")
    if net.key is not None:
        digest.update(f"key\0{net.key}\0".encode())
    try:
        if net.is_module:
            try:
                _module(net.module, digest)
            except _Unknown:
                if net.key is None:  # with a key its user vouches for the content
                    raise
        elif net.key is None:
            return None
        digest.update(b"preprocess\0")
        if net.preprocess is not None:
            try:
                _value(net.preprocess, digest, 0)
            except _Unknown:
                if net.key is None:
                    raise
    except _Unknown:
        return None
    return digest.hexdigest()


def _module(module: Any, digest: Any) -> None:
    for name, child in module.named_modules(remove_duplicate=False):
        kind = type(child)
        digest.update(f"module\0{name}\0{kind.__module__}.{kind.__qualname__}\0".encode())
        digest.update(child.extra_repr().encode())
        if not kind.__module__.startswith("torch."):
            _code(getattr(kind.forward, "__code__", None), digest)
        if child._forward_hooks or child._forward_pre_hooks or "forward" in vars(child):
            raise _Unknown  # what a hook or a patched forward does to activations is in no weight
        for attribute, value in sorted(vars(child).items()):
            if attribute != "training" and not attribute.startswith("_"):
                digest.update(f"{attribute}=".encode())
                _value(value, digest, 0)
    entries = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    for name, tensor in entries:
        _tensor(name, tensor, digest)


def _tensor(name: str, tensor: Any, digest: Any) -> None:
    digest.update(f"tensor\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
    values = np.ascontiguousarray(to_numpy(tensor))
    digest.update(values.data if values.size else b"")


def _code(code: types.CodeType | None, digest: Any) -> None:
    if code is None:
        return
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _code(constant, digest)
        else:
            digest.update(repr(constant).encode())


def _value(value: Any, digest: Any, depth: int) -> None:
    """Hashes what is plainly data or code; raises `_Unknown` for the rest."""
    if depth > 8:
        raise _Unknown
    kind = type(value)
    digest.update(f"{kind.__module__}.{kind.__qualname__}\0".encode())
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic, np.dtype)):
        digest.update(repr(value).encode())
    elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
        digest.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif kind.__module__.startswith("torch") and hasattr(value, "numel") and hasattr(value, "dtype"):
        _tensor("", value, digest)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _value(entry, digest, depth + 1)
    elif isinstance(value, dict):
        for entry in value.items():
            _value(entry, digest, depth + 1)
    elif isinstance(value, (types.ModuleType, type, types.BuiltinFunctionType, np.ufunc)):
        digest.update(f"{getattr(value, '__module__', '')}.{value.__name__}".encode())
    elif isinstance(value, types.MethodType):
        _value(value.__func__, digest, depth + 1)
        _value(value.__self__, digest, depth + 1)
    elif isinstance(value, types.FunctionType):
        _function(value, digest, depth)
    elif isinstance(value, functools.partial):
        _value((value.func, value.args, value.keywords), digest, depth + 1)
    elif hasattr(value, "named_modules"):
        _module(value, digest)
    elif hasattr(value, "__dict__") and callable(value):
        _value(kind.__call__, digest, depth + 1)
        _value(vars(value), digest, depth + 1)
    elif kind.__module__.startswith("torch"):  # dtypes, devices and the like
        digest.update(repr(value).encode())
    else:
        raise _Unknown


def _function(function: types.FunctionType, digest: Any, depth: int) -> None:
    """A function by its code, defaults, closure and the globals that it names; library functions by name."""
    digest.update(f"{function.__module__}.{function.__qualname__}\0".encode())
    package = str(function.__module__).split(".")[0]
    if package in ("torch", "numpy", "scipy", "xarray"):
        return
    _code(function.__code__, digest)
    if package == "consilience":  # what our own code calls is ours too
        return
    for cell in function.__closure__ or ():
        _value(cell.cell_contents, digest, depth + 1)
    _value((function.__defaults__, function.__kwdefaults__), digest, depth + 1)
    for name in _names(function.__code__):
        if name in function.__globals__:
            _value(function.__globals__[name], digest, depth + 1)


def _names(code: types.CodeType) -> list[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(_names(constant))
    return sorted(names)
