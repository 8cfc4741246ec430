"""``consilience receptive-field RESPONSES STIMULUS``: what in a stimulus, and when, each unit answers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consilience._cli._models import model_given
from consilience._cli._verb import for_each, names_of, read_files, run_verb
from consilience._core._errors import InputError

__all__ = ["command", "lags_given"]


def command(
    *,
    responses: str,
    stimulus: str,
    lags: str | None,
    method: str | None,
    step: float | None,
    start: float | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    keyword: dict[str, Any] = {}
    if lags is not None:
        keyword["lags"] = lags_given(lags)
    if method is not None:
        from consilience.analyses._field_fit import METHODS

        keyword["method"] = method if method in METHODS else model_given(method, option="--method")
    if start is not None and step is None:
        raise click.UsageError("--start goes with --step, the seconds of a frame.")

    def arguments(_: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        of_responses, of_stimulus = _reading_of(responses, stimulus, reading)
        given = _responses(responses, of_responses)
        return (given, _stimulus(stimulus, given, step, start, of_stimulus)), keyword

    return run_verb(
        "receptive_field",
        [],
        arguments,
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )


def lags_given(text: str) -> Any:
    """``20`` frames, ``0.1`` seconds, ``2:12`` or ``0.0:0.1`` from to."""
    parts = text.split(":")
    try:
        numbers = [float(part) if any(c in part for c in ".eE") else int(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise click.BadParameter(
            f"{text!r} is none of 20 (frames), 0.1 (seconds), 2:12 and 0.0:0.1 (from, to).",
            param_hint="--lags",
        )
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def _reading_of(
    responses: str, stimulus: str, reading: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """How each file is read: values that name a file are of that one, a kind that names none of the responses."""
    names = names_of([responses, stimulus])
    out: list[dict[str, Any]] = [dict(reading), dict(reading)]
    for key in ("ids", "kind", "rdm"):
        said = for_each(reading.get(key, ()), names, f"--{key}")
        named = [value for value in reading.get(key, ()) if value.startswith(f"{names[1]}=")]
        if key == "kind" and not named:
            said.pop(names[1], None)
        for name, own in zip(names, out):
            own[key] = [said[name]] if name in said else []
    for i, own in enumerate(out):
        other, mark = f"{names[1 - i]}:", f"{names[i]}:"
        own["labels"] = [v.removeprefix(mark) for v in reading.get("labels", ()) if not v.startswith(other)]
    return out[0], out[1]


def _responses(path: str, reading: dict[str, Any]) -> Any:
    from consilience.sources import read
    from consilience.sources._door import find_source

    place = Path(path)
    if place.exists() and find_source(place, None, {}, "receptive-field").name != "array":
        return read(path)
    return _array(place) if place.suffix.lower() == ".npy" else _labelled(path, reading)


def _stimulus(
    path: str, responses: Any, step: float | None, start: float | None, reading: dict[str, Any]
) -> Any:
    import xarray as xr

    from consilience._recording import Recording

    place = Path(path)
    if not place.exists() and isinstance(responses, Recording) and path in responses.signals:
        if step is None:
            raise click.UsageError(
                f"{path} is a signal of the recording; --step says the seconds of a frame."
            )
        return responses.bin(step, of=path)
    if place.suffix.lower() != ".npy":
        return _labelled(path, reading)
    frames = _array(place)
    if step is None:
        return frames
    names = [f"dim_{k}" for k in range(1, frames.ndim)]
    names = {1: ["feature"], 2: ["y", "x"], 3: ["channel", "y", "x"]}.get(frames.ndim - 1, names)
    times = [(start or 0.0) + step * k for k in range(len(frames))]
    return xr.DataArray(frames, dims=("time", *names), coords={"time": times})


def _array(place: Path) -> Any:
    import numpy as np

    try:
        return np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"receptive-field: {place.name} cannot be read as an array ({str(error)[:120]}); write it with np.save.",
            code="not-an-array",
        ) from None


def _labelled(path: str, reading: dict[str, Any]) -> Any:
    return next(iter(read_files([path], **reading).values()))
