"""The suite of every result: frozen, one screen, saved and read back whole, damage seen."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, ConsilienceError
from consilience._core._seeds import resolve_seed
from consilience._results import CLASSES, Result, load, result_hash
from consilience.testing._rows import CheckRow, Outcome, run_checks

__all__ = ["check_result"]

LINES, COLUMNS = 24, 120
PAYLOAD = "<script>alert(1)</script>"


def _frozen(result: Result) -> Iterator[Outcome]:
    for entry in dataclasses.fields(result):
        try:
            setattr(result, entry.name, None)
            yield f"{entry.name} cannot be set", "-", False, "was set"
            return
        except dataclasses.FrozenInstanceError:
            continue
    yield "frozen", "-", True, f"{len(dataclasses.fields(result))} fields"


def _described(result: Result) -> Iterator[Outcome]:
    frame = result.to_frame()
    yield (
        "table form",
        "-",
        len(frame) > 0 and frame.columns.is_unique,
        f"{len(frame)} rows, {len(frame.columns)} columns",
    )
    yield "versions of what computed it", "-", {"consilience", "numpy", "python"} <= set(result.versions), ""
    yield "settings name the verb", "-", "verb" in result.settings, str(result.settings.get("verb"))
    yield (
        "citations resolve",
        "-",
        result.citations().count("@") >= len(set(result.references)) > 0,
        f"{len(result.references)} references",
    )
    yield (
        "sentences for a methods section",
        "-",
        all(line.endswith(".") for line in result.methods) and bool(result.methods),
        "",
    )


def _screen(result: Result) -> Iterator[Outcome]:
    lines = repr(result).splitlines()
    wide = max(len(line) for line in lines)
    yield "repr on one screen", "-", len(lines) <= LINES, f"{len(lines)} lines"
    yield "repr within 120 columns", "-", wide <= COLUMNS, f"{wide} columns"
    text = repr(result)
    yield "repr without control characters", "-", all(c == "\n" or c.isprintable() for c in text), ""
    hostile = dataclasses.replace(result, warnings=(Caution("code", PAYLOAD, PAYLOAD),))
    page = hostile._repr_html_()
    yield "HTML repr escaped", "-", PAYLOAD not in page and "&lt;script&gt;" in page, ""


def _saved(result: Result, seed: int) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        path = result.save(Path(folder) / "result.nc")
        again = load(path)
        yield (
            "class known to cs.load",
            "-",
            CLASSES.get(type(result).__name__) is type(result),
            type(result).__name__,
        )
        yield (
            "saved and loaded equal",
            "-",
            result_hash(again) == result_hash(result),
            result_hash(result)[:12],
        )
        yield "repr equal after loading", "-", repr(again) == repr(result), ""
        yield "nothing else left behind", "-", [p.name for p in Path(folder).iterdir()] == ["result.nc"], ""
        whole = path.read_bytes()
        damaged = Path(folder) / "damaged.nc"
        yield from _truncated(whole, damaged)
        yield from _flipped(result, whole, damaged, seed)


def _truncated(whole: bytes, damaged: Path) -> Iterator[Outcome]:
    kept = []
    for share in (0.0, 0.1, 0.5, 0.9, 0.999):
        damaged.write_bytes(whole[: int(share * len(whole))])
        try:
            load(damaged)
            kept.append(share)
        except ConsilienceError as error:
            if damaged.name not in str(error):
                kept.append(share)
    yield "truncated files are refused by name", "-", not kept, f"not refused at {kept}" if kept else "5 cuts"


def _flipped(result: Result, whole: bytes, damaged: Path, seed: int) -> Iterator[Outcome]:
    """A flip in the data must be seen; elsewhere in the file it must be seen or harmless."""
    data = (
        np.ascontiguousarray(result.data["value"].values)
        if hasattr(result, "data") and "value" in result.data
        else None
    )
    rng = resolve_seed(seed, who="check_result").stream("flips")
    where = [int(i) for i in rng.integers(0, len(whole), 10)]
    start = whole.find(data.tobytes()) if data is not None else -1
    inside = (
        [start + int(i) for i in rng.integers(0, data.nbytes, 3)] if data is not None and start >= 0 else []
    )
    missed, unseen = [], []
    expected = result_hash(result)
    for at in (*where, *inside):
        broken = bytearray(whole)
        broken[at] ^= 1 << int(rng.integers(0, 8))
        damaged.write_bytes(bytes(broken))
        try:
            equal = result_hash(load(damaged)) == expected
        except ConsilienceError:
            continue
        if not equal:
            missed.append(at)
        elif at in inside:
            unseen.append(at)
    yield (
        "a flipped bit never gives another result",
        "-",
        not missed,
        f"at {missed}" if missed else f"{len(where)} flips",
    )
    if inside:
        yield (
            "a flipped bit in the values is seen",
            "-",
            not unseen,
            f"at {unseen}" if unseen else f"{len(inside)} flips",
        )


def check_result(result: Result, *, rng: int = 0, collect: bool = False) -> list[CheckRow]:
    """Tests what every result promises.

    Frozen; a table form; a repr of at most 24 lines of 120 columns; an escaped HTML repr; citations that
    resolve; saved and loaded it is equal by hash; a truncated file is refused by name; a flipped bit is seen
    or harmless.

    Parameters
    ----------
    result : any result of a verb.   rng : seed of the flips.
    collect : True returns failed rows too, instead of raising.

    Returns
    -------
    list of CheckRow (class, claim, "-", passed, detail)

    Raises
    ------
    CheckError : a promise does not hold (with ``collect=False``).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses(np.random.default_rng(0).normal(size=(8, 5)), stimulus=list("abcdefgh"), system="V1")
    >>> result = cs.compare(x, x, measure="cka", n_boot=20, n_perm=20, rng=0)
    >>> all(row.passed for row in cs.testing.check_result(result))
    True
    """
    checks: list[tuple[str, Callable[[], Any]]] = [
        ("frozen", functools.partial(_frozen, result)),
        ("described", functools.partial(_described, result)),
        ("one screen", functools.partial(_screen, result)),
        ("saved", functools.partial(_saved, result, rng)),
    ]
    return run_checks(type(result).__name__, checks, collect=collect)
