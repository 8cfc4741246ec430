"""The same numbers from every array library, dtype and memory layout, and inputs left as they were."""

from __future__ import annotations

import functools
import hashlib
import importlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._arrays import array_namespace, to_numpy
from consilience.testing._rows import Outcome

if TYPE_CHECKING:
    from consilience.testing._measure import Subject

__all__ = ["library_checks"]

DOUBLE, SINGLE = 1e-8, 2e-5
KNOWN = ("numpy", "torch", "array_api_strict")


def library_checks(subject: Subject, libraries: Sequence[str]) -> list[tuple[str, Callable[[], Any]]]:
    claimed = libraries or subject.claims.libraries
    checks: list[tuple[str, Callable[[], Any]]] = [("dtypes", functools.partial(_dtypes, subject))]
    if subject.stated:
        for library in claimed:
            if library in KNOWN and _installed(library):
                checks.append((library, functools.partial(_library, subject, library)))
        if "torch" in claimed and _installed("torch"):
            checks.append(("torch layouts", functools.partial(_torch_layouts, subject)))
    checks.append(("inputs unchanged", functools.partial(_unchanged, subject)))
    return checks


def _installed(library: str) -> bool:
    try:
        importlib.import_module(library)
    except ImportError:
        return False
    return True


def _as(library: str, x: np.ndarray) -> Any:
    return x if library == "numpy" else importlib.import_module(library).asarray(x.copy())


def _same(claim: str, library: str, value: Any, expected: float, tolerance: float) -> Outcome:
    gap = abs(float(value) - expected)
    return claim, library, gap <= tolerance, f"differs by {gap:.1e}"


def _library(s: Subject, library: str) -> Iterator[Outcome]:
    x, y = (_as(library, z) for z in (s.x, s.y))
    value = s.measure(x, y)
    yield _same("the value of NumPy float64", library, value, s.value, DOUBLE)
    own = getattr(value, "ndim", None) == 0 and array_namespace(value) is array_namespace(x)
    if library == "numpy":
        own = own or isinstance(value, np.floating)
    yield "a 0-d array of the input's library", library, own, type(value).__name__
    x32, y32 = (z.astype(np.float32) for z in (s.x, s.y))
    expected = s(x32.astype(np.float64), y32.astype(np.float64))
    yield _same(
        "float32 as float64", library, s.measure(_as(library, x32), _as(library, y32)), expected, SINGLE
    )
    if {"translation", "stimulus_shift"} & s.claims.invariant:
        x32 = (s.x * 100 + 1e6).astype(np.float32)
        expected = s(x32.astype(np.float64), s.y)
        value = s.measure(_as(library, x32), _as(library, s.y.astype(np.float32)))
        yield _same("common offset of 1e6 in float32", library, value, expected, 5 * SINGLE)
    whole = np.round(s.x * 10).astype(np.int64)
    value = s.measure(_as(library, whole), y)
    yield _same("int64 as float64", library, value, s(whole.astype(np.float64), s.y), DOUBLE)


def _bools(s: Subject) -> np.ndarray:
    rng = s.rng("bool")
    while True:
        x = rng.random((s.n, 12)) < 0.5
        if not any(m in (0.0, 1.0) for m in (*x.mean(axis=0), *x.mean(axis=1))):
            return x


def _dtypes(s: Subject) -> Iterator[Outcome]:
    y = s.y
    small = np.clip(np.round(s.x * 20 + 120), 0, 255)
    for dtype in ("uint8", "int16", "uint64"):
        yield _same(f"{dtype} as float64", "numpy", s.measure(small.astype(dtype), y), s(small, y), DOUBLE)
    flags = _bools(s)
    yield _same("bool as float64", "numpy", s.measure(flags, y), s(flags.astype(np.float64), y), DOUBLE)
    half = s.x.astype(np.float16)
    yield _same("float16 as float64", "numpy", s.measure(half, y), s(half.astype(np.float64), y), 1e-3)
    yield _same("big-endian", "numpy", s.measure(s.x.astype(">f8"), y.astype(">f8")), s.value, DOUBLE)
    yield _same("Fortran order", "numpy", s.measure(np.asfortranarray(s.x), y), s.value, DOUBLE)
    wide = np.zeros((2 * s.n, 3 * s.x.shape[1]))
    wide[::2, ::3] = s.x
    yield _same("strided view", "numpy", s.measure(wide[::2, ::3], y), s.value, DOUBLE)
    backwards = s.x[::-1, ::-1].copy()[::-1, ::-1]
    yield _same("negative strides", "numpy", s.measure(backwards, y), s.value, DOUBLE)
    fixed = s.x.copy()
    fixed.flags.writeable = False
    yield _same("read-only", "numpy", s.measure(fixed, y), s.value, DOUBLE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, s.x)
        mapped = np.load(path, mmap_mode="r")
        yield _same("read-only memory map", "numpy", s.measure(mapped, y), s.value, DOUBLE)
        del mapped
    tiny = s.x * 1e-310
    if "scaling" in s.claims.invariant:
        value = float(s.measure(s.x * 1e-150, y))
        yield _same("values near 1e-150", "numpy", value, s.value, 1e-6)
    try:
        finite = bool(np.isfinite(float(s.measure(tiny, y))))
        said = "a number"
    except ValueError as error:
        finite, said = True, f"refused: {error}"
    yield "subnormal values: a number or a refusal", "numpy", finite, said


def _torch_layouts(s: Subject) -> Iterator[Outcome]:
    import torch

    x, y = torch.tensor(s.x), torch.tensor(s.y)
    gradient = s.measure(x.clone().requires_grad_(), y)
    yield _same("requires_grad", "torch", gradient, s.value, DOUBLE)
    yield "the value is detached", "torch", not gradient.requires_grad, ""
    coarse = x.to(torch.bfloat16)
    yield _same(
        "bfloat16 as float64",
        "torch",
        s.measure(coarse, y.float()),
        s(coarse.double().numpy(), s.y),
        5 * SINGLE,
    )
    yield _same("transposed layout", "torch", s.measure(x.T.contiguous().T, y), s.value, DOUBLE)
    maps = x.reshape(s.n, 1, 3, 3).expand(-1, 2, -1, -1).contiguous(memory_format=torch.channels_last)
    flat = maps.flatten(1)
    yield _same("channels_last, flattened", "torch", s.measure(flat, y), s(flat.numpy().copy(), s.y), DOUBLE)
    flags = torch.tensor(_bools(s))
    yield _same("bool as float64", "torch", s.measure(flags, y), s(flags.double().numpy(), s.y), DOUBLE)


def _digest(x: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(to_numpy(x)).tobytes()).hexdigest()


def _unchanged(s: Subject) -> Iterator[Outcome]:
    for library in ("numpy", "torch") if s.stated and _installed("torch") else ("numpy",):
        for dtype in (np.float64, np.float32):
            x, y = (_as(library, z.astype(dtype)) for z in (s.x, s.y))
            before = _digest(x), _digest(y)
            s.measure(x, y)
            yield f"inputs unchanged, {np.dtype(dtype).name}", library, before == (_digest(x), _digest(y)), ""
