"""A measure in a study: a name, or a name with options; refused with the line before anything is computed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.study._readers import plain, refused, wanted
from consilience.study._yaml import Node

__all__ = ["Measure", "check_measures", "read_measure"]

_ELSEWHERE = {"groups": "groups: of compare", "rng": "seed: of the study"}


@dataclass(frozen=True)
class Measure:
    """A measure by name, with options. ``node`` is where it stands; ``takes_rdms`` whether RDMs alone will do."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    takes_rdms: bool = True
    node: Node | None = field(default=None, compare=False, repr=False)

    @property
    def label(self) -> str:
        listed = ", ".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}({listed})" if listed else self.name


def read_measure(node: Node) -> Measure:
    if isinstance(node.value, str):
        name, options = node, {}
    elif isinstance(node.value, dict) and "name" in node.value:
        name = node.value["name"]
        options = {key: entry for key, entry in node.value.items() if key != "name"}
    else:
        raise wanted(node, "a measure: a name, or a mapping with name: and options")
    from consilience import measures

    known = list(measures.names())
    if name.value not in known:
        raise name.error(
            f"{shorten(name.value)} is not a measure.{nearest(name.value, known)}", code="unknown-measure"
        )
    _check_names(name.value, options)
    return Measure(name.value, {key: plain(entry) for key, entry in options.items()}, node=node)


def _check_names(measure: str, options: Mapping[str, Node]) -> None:
    from consilience import measures

    parameters = inspect.signature(getattr(measures, measure)).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in _ELSEWHERE]
    for option, node in options.items():
        if option in _ELSEWHERE:
            raise node.error(f"is not set for one measure; give {_ELSEWHERE[option]}.", code="unknown-option")
        if option not in known:
            raise node.error(
                f"is not an option of {measure}.{nearest(option, known) or ' It has none.'}",
                code="unknown-option",
            )


def check_measures(listed: tuple[Measure, ...], *, held_out: bool) -> tuple[Measure, ...]:
    """The measures with what `compare` would make of them: values of options that it would refuse are refused
    here."""
    return tuple(_resolved(one, held_out) for one in listed)


def _resolved(one: Measure, held_out: bool) -> Measure:
    try:
        claims = _resolve(one.name, one.options, held_out).claims
    except Exception as error:  # noqa: BLE001  whatever a value does in a measure, the user gets its line
        raise _blamed(one, held_out, error) from None
    return Measure(one.name, one.options, bool(claims.takes_rdms), one.node)


def _resolve(name: str, options: Mapping[str, Any], held_out: bool) -> Any:
    from consilience import measures
    from consilience.analyses._checks import resolve_measures

    (found,) = resolve_measures([functools.partial(getattr(measures, name), **options)], held_out)
    return found


def _blamed(one: Measure, held_out: bool, error: Exception) -> InputError:
    """The error, at the option that causes it alone; else at the measure."""
    assert one.node is not None
    for option, value in one.options.items():
        try:
            _resolve(one.name, {option: value}, held_out)
        except Exception as alone:  # noqa: BLE001
            node = one.node.value[option]
            if isinstance(alone, InputError):
                return refused(node, alone, begins=option)
            return node.error(f"cannot be {shorten(value, 40)} in {one.name}.", code="wrong-type")
    if isinstance(error, InputError):
        return refused(one.node, error)
    return one.node.error(f"these options do not go together ({shorten(str(error))}).", code="wrong-type")
