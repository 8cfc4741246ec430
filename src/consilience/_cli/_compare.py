"""``consilience compare A B``: two files, by stimulus id."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from consilience._cli._guard import tell
from consilience._cli._measures import measure_given
from consilience._cli._text import clean, interval, number, table
from consilience._cli._verb import as_json, names_of, read_files, said_as_options, target

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
    rdm: tuple[str, ...],
    labels: tuple[str, ...],
    missing: str | None,
    join: Any,
    n_boot: int,
    n_perm: int,
    level: float,
    seed: int,
    out: str | None,
    as_json_text: bool,
) -> int:
    listed = [source.partition("=")[2] for source in labels]
    written = target(out, [a, b, ids, ids_b, *listed], option="--out")
    names = names_of([a, b])
    with said_as_options(["missing", "rdm"], measures):
        files = read_files(
            [a, b],
            ids=[*([ids] if ids else []), *([f"{names[1]}={ids_b}"] if ids_b else [])],
            labels=labels,
            kind=[kind] if kind else [],
            rdm=rdm,
            repeat=repeat,
            missing=missing,
        )
        from consilience.analyses import compare

        result = compare(
            {names[0]: files[names[0]]},
            {names[1]: files[names[1]]},
            [measure_given(measure) for measure in measures],
            join=join,
            n_boot=n_boot,
            n_perm=n_perm,
            level=level,
            rng=seed,
        )
    if written is not None:
        result.save(written)
    if as_json_text:
        tell(json.dumps(as_json(result, written=written), indent=1))
    else:
        for line in _lines(result):
            tell(line)
        if written is not None:
            tell(f"result: {clean(written, 500)}")
    return 0


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
