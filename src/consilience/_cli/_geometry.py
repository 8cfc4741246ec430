"""``consilience geometry FILE --by LABEL``: how the conditions of populations lie to each other."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._text import clean
from consilience._cli._verb import axes_of, names_of, read_files, run_verb
from consilience._core._errors import nearest

__all__ = ["command"]


def command(
    *,
    files: tuple[str, ...],
    by: tuple[str, ...],
    methods: tuple[str, ...],
    match: tuple[str, ...],
    baseline: tuple[str, ...],
    as_they_are: bool,
    dims: str | None,
    time: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    options["methods"] = list(methods) or None
    options["match"] = list(match) or None
    if as_they_are:
        options["standardise"] = False
    reading = {**reading, "times": axes_of(files, dims, time)}
    names = names_of(files)
    copies = _copies(baseline, names)

    def arguments(systems: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        keyword: dict[str, Any] = {"by": list(by)}
        if copies:
            read = [read_files(list(one.values()), names=names, **reading) for one in copies]
            keyword["baseline"] = {
                seed: one if len(names) > 1 else one[names[0]] for seed, one in enumerate(read)
            }
        return (systems if len(names) > 1 else systems[names[0]],), keyword

    return run_verb(
        "geometry",
        list(files),
        arguments,
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
        also=[path for one in copies for path in one.values()],
    )


def _copies(baseline: tuple[str, ...], names: list[str]) -> list[dict[str, str]]:
    """{name: file} of each copy, from FILE of one system, NAME=FILE of several: the first of every system, ..."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for entry in baseline:
        name, equals, path = entry.partition("=")
        if equals and name in found:
            found[name].append(path)
        elif len(names) == 1:
            found[names[0]].append(entry)
        else:
            raise click.UsageError(
                f"--baseline {clean(entry, 100)}: {clean(name, 60)!r} is none of the files.{nearest(name, names)} "
                "Write NAME=FILE, once for each copy of each file."
            )
    if len({len(paths) for paths in found.values()}) > 1:
        said = ", ".join(f"{len(paths)} of {clean(name, 40)}" for name, paths in list(found.items())[:4])
        raise click.UsageError(f"--baseline must give as many copies of every file; there are {said}.")
    return [dict(zip(names, one, strict=True)) for one in zip(*found.values(), strict=True)]
