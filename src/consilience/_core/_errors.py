"""Errors and warnings: each has a code, says what came and what to do about it."""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

__all__ = [
    "Caution",
    "ConsilienceError",
    "ConsilienceWarning",
    "InputError",
    "MissingDependencyError",
    "UnknownNameError",
    "cautions_from_json",
    "cautions_to_json",
    "collect_cautions",
    "nearest",
    "warn",
]


class ConsilienceError(Exception):
    """Base of every error that this package raises on purpose.

    ``code`` is a short stable slug (``"nan-values"``) for programs; the text is one sentence for people.
    """

    code: str = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    def __str__(self) -> str:  # KeyError would show the repr of the text
        return str(self.args[0]) if self.args else ""


class InputError(ConsilienceError, ValueError):
    """The input cannot be used as it is; the text says what to do."""

    code = "bad-input"


class UnknownNameError(InputError, KeyError):
    """A name (layer, measure, data set, option) does not exist; the text gives the nearest ones."""

    code = "unknown-name"


class MissingDependencyError(InputError, ImportError):
    """An optional package is needed; the text gives the install line."""

    code = "missing-dependency"


class ConsilienceWarning(UserWarning):
    """A doubt about a result, with a ``code`` and a ``remedy``; it stands in the result as a `Caution`
    too.
    """

    def __init__(self, caution: Caution) -> None:
        super().__init__(f"[{caution.code}] {caution.message} {caution.remedy}".rstrip())
        self.caution = caution

    @property
    def code(self) -> str:
        return self.caution.code

    @property
    def remedy(self) -> str:
        return self.caution.remedy


@dataclass(frozen=True)
class Caution:
    """A recorded warning: ``code`` (slug), ``message`` (what was seen), ``remedy`` (what to do)."""

    code: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"[{self.code}] {self.message} {self.remedy}".rstrip()


def cautions_to_json(cautions: Iterable[Caution]) -> str:
    return json.dumps([asdict(caution) for caution in cautions])


def cautions_from_json(text: str) -> tuple[Caution, ...]:
    return tuple(Caution(**entry) for entry in json.loads(text))


_active: ContextVar[list[Caution] | None] = ContextVar("consilience_cautions", default=None)


@contextmanager
def collect_cautions() -> Iterator[list[Caution]]:
    """Collects what `warn` says inside the block instead of emitting it (the verb emits once, at its own
    door).
    """
    collected: list[Caution] = []
    token = _active.set(collected)
    try:
        yield collected
    finally:
        _active.reset(token)


def warn(code: str, message: str, remedy: str = "", *, stacklevel: int = 2) -> None:
    """Emits a `ConsilienceWarning`, or hands it to the verb that is running."""
    caution = Caution(code, message, remedy)
    collected = _active.get()
    if collected is None:
        warnings.warn(ConsilienceWarning(caution), stacklevel=stacklevel + 1)
    elif caution not in collected:
        collected.append(caution)


def nearest(name: object, known: Iterable[object], *, most: int = 3) -> str:
    """``" Did you mean 'cka'?"``, capitals or not, or, with nothing near, the list of what exists; empty when
    nothing exists.
    """
    names = [str(entry) for entry in known]
    close = difflib.get_close_matches(str(name), names, n=most, cutoff=0.6)
    if not close:
        lower = {entry.lower(): entry for entry in reversed(names)}
        close = [lower[k] for k in difflib.get_close_matches(str(name).lower(), lower, n=most, cutoff=0.6)]
    if close:
        return " Did you mean " + " or ".join(repr(entry) for entry in close) + "?"
    if not names:
        return ""
    shown = ", ".join(repr(entry) for entry in names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f" Known: {shown}{more}."
