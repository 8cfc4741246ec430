"""What every section of the page is made of: templates, figures with captions, settings as rows."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consilience._core._params import require
from consilience.plots._labels import shortened, visible
from consilience.report._tables import Table

__all__ = ["Picture", "environment", "left_out", "section", "settings_rows", "slugged"]

_MOST_SETTINGS = 80
_MOST_ENTRIES = 40


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure: one or several SVGs, the caption below them, and what the script may show on hovering."""

    id: str
    title: str
    svgs: tuple[str, ...]
    caption: str
    notes: tuple[str, ...] = ()
    layout: str = "stack"
    data: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def environment() -> Any:
    """The jinja2 environment: escaping is on everywhere, and control characters are shown, not sent."""
    jinja2 = require("jinja2", extra="report", purpose="The HTML report")
    markup = require("markupsafe", extra="report", purpose="The HTML report").Markup

    def shown(value: Any) -> Any:
        plain_text = isinstance(value, str) and not isinstance(value, markup)
        return visible(value, keep="\n") if plain_text else value

    return jinja2.Environment(
        loader=jinja2.PackageLoader("consilience.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def slugged(name: object) -> str:
    """A name as id and file name: ASCII letters, digits and hyphens.

    >>> slugged("Layers vs. IT!"), slugged("<>")
    ('layers-vs-it', 'step')
    """
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in str(name)[:60]).lower()
    return "-".join(part for part in kept.split("-") if part) or "step"


def section(
    result: Any,
    name: str,
    slug: str,
    pictures: Sequence[Picture],
    tables: Sequence[Table],
    *,
    said: Sequence[str] = (),
) -> str:
    """HTML of one result: heading, what is said of it, figures, tables with their downloads."""
    return str(
        environment()
        .get_template("section.html.j2")
        .render(
            name=shortened(visible(name), 80),
            slug=slug,
            kind=type(result).__name__,
            title=result.title,
            said=said,
            pictures=pictures,
            tables=tables,
        )
    )


def left_out(shown: int, total: int, what: str) -> list[str]:
    """The sentence for a caption where not everything is drawn; nothing where all is."""
    return (
        [f"The first {shown} of {total:,} {what} are drawn; all are in the tables."] if total > shown else []
    )


def settings_rows(result: Any) -> list[tuple[str, str]]:
    """The settings, nested ones as ``a.b``, lists of alike entries one a line, other values as JSON."""
    rows = _walk("", dict(result.settings)) if result.settings else []
    more = len(rows) - _MOST_SETTINGS
    rest = [("…", f"{more} more in the result file")] if more > 0 else []
    return [*rows[:_MOST_SETTINGS], *rest, ("seed", result.seed or "none")]


def _walk(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        inner = [(f"{prefix}.{key}" if prefix else str(key), entry) for key, entry in value.items()]
        return [row for key, entry in inner for row in _walk(key, entry)]
    if isinstance(value, (list, tuple)) and value and all(isinstance(entry, Mapping) for entry in value):
        lines = [_entry(entry) for entry in value]
        if len(lines) > _MOST_ENTRIES:
            lines = [*lines[: _MOST_ENTRIES - 2], f"… {len(lines) - _MOST_ENTRIES + 1} more", lines[-1]]
        return [(prefix, "\n".join(lines))]
    text = _json(value)
    return [(prefix, text if len(text) <= 400 else f"{text[:300]}… ({len(text):,} characters)")]


def _entry(entry: Mapping[str, Any]) -> str:
    """One line for one of several alike settings: its first value, then what else is set."""
    words = [(key, _json(value)) for key, value in entry.items() if value not in (None, "", [], {})]
    first = shortened(visible(words[0][1]), 80) if words else ""
    rest = ", ".join(f"{key} {value}" for key, value in words[1:])
    return f"{first}{': ' if rest else ''}{shortened(visible(rest), 200)}"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
