"""``consilience compare A B``: two files, by stimulus id."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from consilience._cli._guard import tell
from consilience._cli._target import check_target
from consilience._cli._text import as_options, clean, interval, number, table
from consilience._core._errors import ConsilienceWarning, InputError

__all__ = ["command"]


def command(
    *,
    a: str,
    b: str,
    measures: tuple[str, ...],
    ids: str | None,
    ids_b: str | None,
    repeat: str | None,
    kind: str | None,
    join: Any,
    n_boot: int,
    n_perm: int,
    level: float,
    seed: int,
    out: str | None,
    as_json: bool,
) -> int:
    from consilience.sources import read_array

    target = _target(out, [a, b, ids, ids_b])
    names = _names(a, b)
    with _said_as_options():
        one = read_array(a, ids=ids, kind=kind, system=names[0], repeat=repeat)
        two = read_array(b, ids=ids_b or ids, kind=kind, system=names[1], repeat=repeat)
        from consilience.analyses import compare

        result = compare(
            {names[0]: one},
            {names[1]: two},
            list(measures),
            join=join,
            n_boot=n_boot,
            n_perm=n_perm,
            level=level,
            rng=seed,
        )
    if target is not None:
        result.save(target)
    if as_json:
        tell(json.dumps(_as_json(result), indent=1))
    else:
        for line in _lines(result):
            tell(line)
        if target is not None:
            tell(f"result: {clean(target, 500)}")
    return 0


@contextmanager
def _said_as_options() -> Iterator[None]:
    """Errors and warnings that name an argument in Python name the option here instead."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def said(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if isinstance(message, ConsilienceWarning):
                caution = message.caution
                message = ConsilienceWarning(
                    replace(caution, message=as_options(caution.message), remedy=as_options(caution.remedy))
                )
            show(message, *args, **kwargs)

        warnings.showwarning = said
        try:
            yield
        except InputError as error:
            text = as_options(str(error))
            if text == str(error):
                raise
            raise InputError(text, code=error.code) from None


def _lines(result: Any) -> Iterator[str]:
    """All measures, in the order in which they were asked for."""
    data = result.data.isel(a=0, b=0)
    a, b = (clean(data[side].item(), 60) for side in "ab")
    yield f"{a} and {b}: {int(data['n_stimuli'].max())} stimuli; higher = more alike"
    rows = []
    for i, measure in enumerate(data["measure"].values.tolist()):
        one = {
            str(name): float(values[i]) for name, values in data.data_vars.items() if values.dtype.kind == "f"
        }
        ceiling = interval(one["ceiling_low"], one["ceiling_high"])
        p = one["p"]
        rows.append(
            (
                measure,
                number(one["value"]),
                interval(one["ci_low"], one["ci_high"]),
                f"p = {p:.3g}" if math.isfinite(p) else "",
                f"ceiling {ceiling}" if ceiling else "",
            )
        )
    yield from table(rows, limit=80)


def _target(out: str | None, inputs: list[str | None]) -> Path | None:
    """Refuses, before anything is computed, a target that is no .nc file or that is an input."""
    if out is None:
        return None
    path = Path(out)
    if path.suffix != ".nc":
        raise click.UsageError(f"--out must end in .nc, got {clean(out, 100)}.")
    if path.is_symlink():
        raise click.UsageError(f"--out {clean(out, 100)} is a symbolic link; give a file of its own.")
    check_target(path, who="--out")
    for source in inputs:
        if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
            raise click.UsageError(f"--out {clean(out, 100)} is one of the inputs; give another name.")
    return path


def _names(a: str, b: str) -> tuple[str, str]:
    one, two = Path(a).stem or "a", Path(b).stem or "b"
    if one == two:
        one, two = str(a), str(b)
    return (one, two) if one != two else (f"{one} (a)", f"{two} (b)")


def _as_json(result: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") else value
        return None if isinstance(value, float) and not math.isfinite(value) else value

    rows = [
        {str(key): plain(value) for key, value in row.items()} for row in result.to_frame().to_dict("records")
    ]
    return {
        "results": rows,
        "settings": json.loads(json.dumps(dict(result.settings), default=str)),
        "seed": result.seed,
        "versions": dict(result.versions),
        "warnings": [{"code": c.code, "message": c.message, "remedy": c.remedy} for c in result.warnings],
    }
