"""``--picture FILE``: the result, drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from consilience._cli._target import check_target

__all__ = ["drawing"]


def drawing(picture: str | None) -> Callable[[Any], list[str]]:
    """What a command does with its result, and the line that it prints then. A file that cannot be written is refused
    here, before anything is computed.
    """
    place = None if picture is None else check_target(Path(picture), who="--picture")

    def drawn(result: Any) -> list[str]:
        if place is None:
            return []
        result.plot().figure.savefig(place, dpi=150, bbox_inches="tight")
        return [f"picture: {place}"]

    return drawn
