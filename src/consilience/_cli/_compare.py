"""``consilience compare A B``: two files, by stimulus id."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from consilience._cli._text import clean

__all__ = ["command"]


def command(
    *,
    a: str,
    b: str,
    measures: tuple[str, ...],
    ids: str | None,
    ids_b: str | None,
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
    one = read_array(a, ids=ids, kind=kind, system=names[0])
    two = read_array(b, ids=ids_b or ids, kind=kind, system=names[1])
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
        click.echo(json.dumps(_as_json(result), indent=1))
    else:
        click.echo("\n".join(clean(line, 300) for line in repr(result).splitlines()))
        if target is not None:
            click.echo(f"result: {clean(target, 500)}")
    return 0


def _target(out: str | None, inputs: list[str | None]) -> Path | None:
    """Refuses, before anything is computed, a target that is no .nc file or that is an input."""
    if out is None:
        return None
    path = Path(out)
    if path.suffix != ".nc":
        raise click.UsageError(f"--out must end in .nc, got {clean(out, 100)}.")
    if path.is_symlink():
        raise click.UsageError(f"--out {clean(out, 100)} is a symbolic link; give a file of its own.")
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
