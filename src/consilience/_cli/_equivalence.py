"""``consilience equivalence MODEL ANIMAL...``: is a model as close to an animal as another animal is?"""

from __future__ import annotations

from typing import Any

from consilience._cli._measures import measure_given
from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *,
    model: str,
    animals: tuple[str, ...],
    more: tuple[str, ...],
    in_sample: bool,
    measure: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    count = 1 + len(more)

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = list(systems.items())
        people = dict(named[count:])
        alone = next(iter(people.values())) if len(people) == 1 else None  # RDMs of several subjects
        several = alone is not None and alone.sizes.get("rdm", 1) > 1
        return (dict(named[:count]), alone if several else people), {"held_out": not in_sample}

    return run_verb(
        "equivalence",
        [model, *more, *animals],
        arguments,
        reading=reading,
        options={**options, "measure": measure_given(measure)},
        output=output,
        as_json_text=as_json_text,
        measures=[measure],
    )
