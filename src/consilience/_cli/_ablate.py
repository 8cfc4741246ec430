"""``consilience ablate NETWORK LAYER``, or ``ablate DATA --target LABEL``: what is lost without parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consilience._cli._decode import with_target
from consilience._cli._encode import gap_given
from consilience._cli._models import model_given
from consilience._cli._picture import drawing
from consilience._cli._synthesize import stimuli_of
from consilience._cli._verb import for_each, names_of, run_verb, said_as_options

__all__ = ["command", "target_of"]


def command(
    *,
    network: str,
    layer: str | None,
    shown: str | None,
    most: int | None,
    target_file: str | None,
    numbers: bool,
    circular: bool,
    refit: bool,
    model: str | None,
    cv: int | None,
    groups: str | None,
    folds: str | None,
    score: str | None,
    gap: str | None,
    time: tuple[str, ...],
    reading: dict[str, Any],
    evaluate: str | None,
    parts: str | None,
    n_perm: int | None,
    alone: bool,
    unchecked: bool,
    how: tuple[str, ...],
    order: tuple[str, ...],
    picture: str | None,
    **same: Any,
) -> int:
    of_networks: dict[str, Any] = {"evaluate": evaluate, "parts": parts, "n_perm": n_perm}
    of_files: dict[str, Any] = {"cv": cv, "groups": groups, "folds": folds, "score": score}
    given: dict[str, Any] = {"curves": False} if alone else {}
    if how:
        given["how"] = list(how) if len(how) > 1 else how[0]
    if order:
        given["order"] = list(order) if len(order) > 1 else order[0]
    drawn = drawing(picture)

    if layer is None:
        networks_only = {**of_networks, "stimuli": shown, "most": most, "unchecked": unchecked or None}
        _refuse(networks_only, "NETWORK LAYER")
        flags = {"numbers": numbers, "circular": circular, "refit": refit}
        return _recorded(
            network, target_file, model, gap, time, flags, given, reading, more=drawn, **of_files, **same
        )
    files_only = {
        **of_files,
        **{key: on or None for key, on in (("numbers", numbers), ("circular", circular), ("refit", refit))},
        **{key: value or None for key, value in reading.items()},
        "target_file": target_file,
        "model": model,
        "gap": gap,
        "time": time or None,
    }
    _refuse(files_only, "DATA")
    if shown is None:
        raise click.UsageError("--stimuli is missing: a data set (objects92, mnist) or a folder of images.")
    return _network(
        network, layer, shown, most, {**given, "check_how": not unchecked}, drawn, {**of_networks, **same}
    )


def _refuse(options: dict[str, Any], what: str) -> None:
    found = next((key for key, value in options.items() if value is not None), None)
    if found is not None:
        option = {"labels": "label"}.get(found, found).replace("_", "-")
        raise click.UsageError(
            f"--{option} is for {what}; `consilience ablate --help` lists which options go with it."
        )


def _network(
    network: str,
    layer: str,
    shown: str,
    most: int | None,
    given: dict[str, Any],
    drawn: Any,
    options: dict[str, Any],
) -> int:
    from consilience import networks

    target, output, as_json_text = (options.pop(key) for key in ("target", "output", "as_json_text"))
    with said_as_options([*options, "stimuli", "target", "how", "order"], ()):
        net = networks.load(network)
        stimuli = stimuli_of(shown, "--stimuli", most)
        labels = target_of(net, stimuli, target)
    return run_verb(
        "ablate",
        [],
        lambda _systems: ((net, layer), {"stimuli": stimuli, "target": labels, **given}),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def _recorded(
    path: str,
    target_file: str | None,
    model: str | None,
    gap: str | None,
    time: tuple[str, ...],
    flags: dict[str, bool],
    given: dict[str, Any],
    reading: dict[str, Any],
    *,
    target: str | None,
    output: str | None,
    as_json_text: bool,
    more: Any,
    **options: Any,
) -> int:
    """The units of a file, taken out of a model that tells a label or a series, or predicts other units."""
    if (target is None) == (target_file is None):
        raise click.UsageError(
            "of DATA give one of --target LABEL, and --target-file FILE with a series (time, values) or the responses "
            "of other units; of a network give its LAYER, too."
        )
    paths = [path] if target_file is None else [path, target_file]
    if model is not None:
        given["model"] = model_given(model)
    if gap is not None:
        given["gap"] = gap_given(gap)
    given |= {key: True for key in ("circular", "refit") if flags[key]}
    times = {name: {"time": source} for name, source in for_each(time, names_of(paths), "--time").items()}

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        first, wanted = with_target(systems, target, numbers=flags["numbers"])
        return (first,), {"target": wanted, **given}

    return run_verb(
        "ablate",
        paths,
        arguments,
        reading={**reading, "times": times},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=more,
    )


def target_of(net: Any, stimuli: Any, target: str | None) -> Any:
    """Labels from a file, the name of a label of the stimuli, or, without either, what the intact network answers."""
    from consilience.sources._labels import read_label
    from consilience.study._lesions import answers_of

    if target is None:
        return answers_of(net, stimuli)
    if target not in stimuli.coords and Path(target).suffix:
        return read_label(target, "target", who="--target")
    return target
