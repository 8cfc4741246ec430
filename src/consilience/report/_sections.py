"""The parts of the page that belong to one result: what to draw, the captions, the tables."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._params import require
from consilience.plots import (
    plot_best,
    plot_dots,
    plot_map,
    plot_profile,
    plot_rdms,
    plot_stimulus_map,
    plot_systems_map,
)
from consilience.plots._labels import shortened, visible
from consilience.plots._rdms import MOST_PICTURES, ranked
from consilience.plots._read import check_is, level, names
from consilience.plots._style import figure, style
from consilience.plots._thumbnails import thumbnails
from consilience.report._svg import Drawings, png_uri
from consilience.report._tables import Table, table
from consilience.report._words import findings, kind_of_a, listed, plural

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Comparison, RDMs

__all__ = ["comparison_section", "environment", "rdms_section"]

MOST_MEASURES = 6
MOST_PANELS = 6
MOST_MAPS = 6
MOST_COLUMNS = 60
THUMBNAIL = 40
_HOVER_BYTES = 400_000


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure: one or several SVGs, the caption below them, and what its script may show on hovering."""

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
        return (
            value
            if isinstance(value, markup)
            else visible(value, keep="\n")
            if isinstance(value, str)
            else value
        )

    return jinja2.Environment(
        loader=jinja2.PackageLoader("consilience.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def comparison_section(
    result: Comparison,
    *,
    name: str = "comparison",
    drawings: Drawings | None = None,
    stimuli: Any = None,
    thumbnails: Any = None,
) -> str:
    """HTML of one Comparison: map, profiles, the best, and every number. Without ``drawings`` it stands alone.

    Parameters
    ----------
    name : the step's name: heading, ids and file names of the downloads.
    drawings : the page's figures; they number the ids, so that several sections can share a page.
    stimuli, thumbnails : taken for the sake of one call for all sections; a comparison shows none.
    """
    check_is(result, "Comparison", "comparison_section")
    drawings = drawings or Drawings()
    slug = slugged(name)
    pictures = _compared(result, slug, drawings)
    frames = [table(result.to_frame(), caption="Every pair", name=f"{slug}")]
    if result.best_a is not None:
        frames.append(table(result.best("a").to_frame(), caption=f"The best {kind_of_a(result)}, with the differences to each untrained copy"
                            if result.baselines is not None else f"The best {kind_of_a(result)}", name=f"{slug}-best"))  # fmt: skip
    if result.best_b is not None:
        frames.append(table(result.best("b").to_frame(), caption="The best of side b", name=f"{slug}-best-b"))
    if result.baselines is not None:
        rows = result.baselines.to_dataframe(dim_order=["seed", "measure", "a", "b"]).reset_index()
        frames.append(table(rows, caption="Untrained copies", name=f"{slug}-untrained"))
    return _section(result, name, slug, pictures, frames, "Comparison")


def rdms_section(
    result: RDMs,
    *,
    name: str = "rdms",
    drawings: Drawings | None = None,
    stimuli: Any = None,
    thumbnails: Any = None,
) -> str:
    """HTML of one RDMs result: pictures with the stimuli beside them, maps, table. Without ``drawings`` it stands alone.

    Parameters
    ----------
    name : the step's name: heading, ids and file names of the downloads.
    stimuli : DataArray (stimulus, y, x[, channel]) uint8; ``thumbnails``, a mapping id -> picture, goes first.
    """
    check_is(result, "RDMs", "rdms_section")
    own = drawings is None
    drawings = drawings or Drawings()
    slug = slugged(name)
    pictures = _pictured(result, slug, drawings, stimuli, thumbnails)
    frames = [
        table(result.to_frame(), caption="Systems", name=f"{slug}-systems"),
        table(_pairs(result), caption="Dissimilarities", name=f"{slug}-pairs", most=20),
    ]
    html = _section(result, name, slug, pictures, frames, "RDMs")
    return html + str(drawings.pictures()) if own else html


def other_section(result: Any, *, name: str, **_: Any) -> str:
    """HTML of a result that has no section of its own: its table."""
    slug = slugged(name)
    try:
        frames = [table(result.to_frame(), caption=result.title, name=slug)]
    except ValueError:
        frames = []
    return _section(result, name, slug, [], frames, type(result).__name__)


def slugged(name: object) -> str:
    """A name as id and file name: ASCII letters, digits and hyphens."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in str(name)[:60]).strip("-").lower()
    return "-".join(part for part in kept.split("-") if part) or "step"


def _section(
    result: Any, name: str, slug: str, pictures: list[Picture], tables: list[Table], kind: str
) -> str:
    template = environment().get_template("section.html.j2")
    return str(
        template.render(
            name=shortened(visible(name), 80),
            slug=slug,
            kind=kind,
            title=result.title,
            pictures=pictures,
            tables=tables,
            settings=settings_rows(result),
        )
    )


def settings_rows(result: Any) -> list[tuple[str, str]]:
    """The settings, nested ones as ``a.b``, values as JSON."""

    def walk(prefix: str, value: Any) -> list[tuple[str, str]]:
        if isinstance(value, Mapping) and value:
            return [
                row
                for key, inner in value.items()
                for row in walk(f"{prefix}.{key}" if prefix else str(key), inner)
            ]
        if isinstance(value, (list, tuple)) and value and all(isinstance(entry, Mapping) for entry in value):
            lines = [_entry(entry) for entry in value]
            text = "\n".join(lines if len(lines) <= 40 else [*lines[:38], f"… {len(lines) - 39} more", lines[-1]])
            return [(prefix, text)]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        return [(prefix, text if len(text) <= 400 else text[:300] + f"… ({len(text):,} characters)")]

    rows = walk("", dict(result.settings)) if result.settings else []
    return [
        *rows[:80],
        *([("…", f"{len(rows) - 80} more in the result file")] if len(rows) > 80 else []),
        ("seed", result.seed or "none"),
    ]


def _entry(entry: Mapping[str, Any]) -> str:
    """One line for one of several alike settings: its first value, then what else is set."""
    words = [(key, value) for key, value in entry.items() if value not in (None, "", [], {})]
    rest = [f"{key} {value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False, default=str)}" for key, value in words[1:]]
    first = shortened(visible(words[0][1]), 80) if words else ""
    return f"{first}{': ' if rest else ''}{shortened(visible(', '.join(rest)), 200)}"


# -- Comparison ------------------------------------------------------------------------------------------------------


def _compared(result: Comparison, slug: str, drawings: Drawings) -> list[Picture]:
    measures, a, b = (names(result.data, dim) for dim in ("measure", "a", "b"))
    shown = measures[:MOST_MEASURES]
    left = (
        [f"The first {MOST_MEASURES} of {len(measures)} measures are drawn; all are in the table."]
        if len(measures) > MOST_MEASURES
        else []
    )
    n, noun = _sizes(result), kind_of_a(result)
    pictures = []
    if len(a) > 1:
        maps = []
        for measure in shown:
            with style(svg=True):
                ax = plot_map(
                    result, figure(9.6, 1.35 + 0.36 * min(len(b), 40)).add_subplot(), measure=measure
                )
            maps.append(
                drawings.svg(
                    ax.figure,
                    f"Heat map of {visible(measure)[:80]}: {plural(len(a), noun)} by {plural(len(b), 'system')}; all values are in the table below.",
                )
            )
        best = (
            f" The {noun} chosen as best (on other stimuli than it is scored on) is framed."
            if result.best_a is not None
            else ""
        )
        pictures.append(Picture(
            id=f"{slug}-map", title=f"Which {noun} is like which system", svgs=tuple(maps), notes=tuple(left),
            caption=f"Value of each measure for each {noun} (columns, in the order of the data) and system (rows); darker is more alike. {n}"
                    f"{best}{_ceiling_words(result, ' The column set apart is the noise ceiling, its colour that of the upper end.')}",
        ))  # fmt: skip
        panels = b[:MOST_PANELS]
        notes = [
            *left,
            *(
                [f"The first {MOST_PANELS} of {len(b)} systems are drawn; all are in the table."]
                if len(b) > MOST_PANELS
                else []
            ),
        ]
        pictures.append(Picture(
            id=f"{slug}-profile", title=f"Profile over the {noun}s", notes=tuple(notes),
            svgs=tuple(_profiles(result, measure, panels, drawings) for measure in shown), caption=_profile_caption(result),
        ))  # fmt: skip
    else:
        drawn = []
        for measure in shown:
            with style(svg=True):
                ax = plot_dots(
                    result, figure(8.4, 1.2 + 0.36 * min(len(b), 40)).add_subplot(), measure=measure
                )
            drawn.append(
                drawings.svg(
                    ax.figure,
                    f"Values of {visible(measure)[:80]} with intervals; all values are in the table below.",
                )
            )
        pictures.append(
            Picture(
                id=f"{slug}-values",
                title="How alike",
                svgs=tuple(drawn),
                notes=tuple(left),
                caption=_profile_caption(result),
            )
        )
    if result.best_a is not None:
        best_a = result.best("a")
        rows = len(names(best_a.data, "measure")) * len(names(best_a.data, "b"))
        with style(svg=True):
            ax = plot_best(best_a, figure(9.6, 1.1 + 0.4 * min(rows, 30)).add_subplot())
        words = f"Best {noun} for each system and measure; all values are in the table below."
        untrained = (
            " Grey dots: untrained copies, chosen in the same way; the words give the smallest difference to one of them."
            if result.baselines is not None
            else ""
        )
        pictures.append(Picture(
            id=f"{slug}-best", title=f"The best {noun}, scored fairly", svgs=(drawings.svg(ax.figure, words),),
            caption=f"Dots: the value of the {noun} chosen on one half of the stimuli, scored on the other, with its {_percent(result)} interval over stimuli "
                    f"(thick) and over stimuli and subjects (thin, where there are several). Open diamonds: the plain maximum over {noun}s, which is biased up.{untrained}",
        ))  # fmt: skip
    return pictures


def _profiles(result: Comparison, measure: str, panels: list[Any], drawings: Drawings) -> str:
    across = min(len(panels), 2 if result.data.sizes["a"] > 8 else 3)
    down = -(-len(panels) // across)
    with style(svg=True):
        made = figure(9.6 if across > 1 else 7.2, 2.9 * down + 0.4)
        axes = made.subplots(down, across, sharey=True, squeeze=False)
        handles: dict[str, Any] = {}
        for k, ax in enumerate(axes.flat):
            if k >= len(panels):
                ax.set_axis_off()
                continue
            plot_profile(result, ax, measure=measure, b=[panels[k]], legend=False)
            if k % across:
                ax.set_ylabel("")
            for handle, words in zip(*ax.get_legend_handles_labels()):
                handles.setdefault(words, handle)
        own = [words for words in handles if words not in _panel_titles(axes, len(panels))]
        if own:
            made.legend(
                [handles[w] for w in own],
                own,
                loc="outside upper left",
                ncols=min(5, len(own)),
                handlelength=1.6,
                columnspacing=1.6,
            )
    systems = listed([visible(p)[:40] for p in panels])
    return drawings.svg(
        made,
        f"Curves of {visible(measure)[:80]} over {result.data.sizes['a']} {kind_of_a(result)}s for {systems}; all values are in the table below.",
    )


def _panel_titles(axes: Any, count: int) -> set[str]:
    return {ax.get_title(loc="left") for ax in list(axes.flat)[:count]}


def _percent(result: Any) -> str:
    return f"{100 * level(result):g} %"


def _known(result: Comparison, field_name: str) -> bool:
    return field_name in result.data and bool(np.isfinite(result.data[field_name].values).any())


def _sizes(result: Comparison) -> str:
    def span(field_name: str) -> str:
        values = result.data[field_name].values if field_name in result.data else np.array([np.nan])
        known = values[np.isfinite(values)]
        return (
            ""
            if known.size == 0
            else f"{known.min():.0f}"
            if known.min() == known.max()
            else f"{known.min():.0f} to {known.max():.0f}"
        )

    stimuli, subjects = span("n_stimuli"), span("n_subjects")
    parts = [f"{stimuli} stimuli"] if stimuli else []
    if subjects:
        parts.append(f"{subjects} subject{'s' * (subjects != '1')} in each system of side b")
    return f"n = {', '.join(parts)}." if parts else ""


def _ceiling_words(result: Comparison, words: str) -> str:
    return (
        words
        if _known(result, "ceiling_high")
        else " No noise ceiling: it needs several subjects or repeats."
    )


def _profile_caption(result: Comparison) -> str:
    said = []
    if _known(result, "ci_low"):
        said.append(
            f"Dark band or line: {_percent(result)} interval over stimuli, conditional on the subjects."
        )
    if _known(result, "ci_both_low"):
        said.append("Light band or thin line: over stimuli and subjects together.")
    if not _known(result, "ci_low"):
        said.append("No intervals: none were asked for, or the measure has none.")
    if _known(result, "null_mean"):
        said.append("Dotted: mean of the permutations of stimuli.")
    elif _known(result, "null_expected"):
        said.append("Dotted: what independent data are expected to give.")
    said.append(
        _ceiling_words(
            result,
            "Grey band: noise ceiling, from leaving out whole subjects (lower end) and from their mean (upper end).",
        ).strip()
    )
    if result.baselines is not None:
        said.append(
            f"Thin grey lines: {plural(result.baselines.sizes['seed'], 'seed')} of the same network, untrained."
        )
    if result.best_a is not None:
        said.append(f"Ring: the {kind_of_a(result)} chosen as best.")
    return " ".join([*said, _sizes(result)]).strip()


# -- RDMs ------------------------------------------------------------------------------------------------------------


def _pictured(result: RDMs, slug: str, drawings: Drawings, stimuli: Any, small: Any) -> list[Picture]:
    systems, ids = (
        names(result.rdms.to_dataset(name="rdm"), "system"),
        result.rdms["stimulus"].values.tolist(),
    )
    given = small if small is not None else stimuli
    tiny = thumbnails(given, ids, size=THUMBNAIL, who="report")
    shown = systems[:MOST_PICTURES]
    across = {1: 1, 2: 2, 3: 3, 4: 2}.get(len(shown), 3 if len(shown) <= 9 else 4)
    edge = {1: 5.2, 2: 4.6, 3: 3.15, 4: 2.4}[across]
    down = -(-len(shown) // across)
    with style(svg=True):
        ax = plot_rdms(result, figure(edge * across, (edge + 0.25) * down + 0.45).add_subplot(), stimuli=tiny)
    words = f"Representational dissimilarity matrices of {plural(len(shown), 'system')} over {plural(len(ids), 'stimulus')}."
    distance = result.settings.get("distance")
    beside = (
        " Stimuli stand along the edges in the order of rows and columns."
        if tiny and len(systems) <= 6 and len(ids) <= 120
        else ""
    )
    pictures = [Picture(
        id=f"{slug}-rdms", title="What each system finds alike", svgs=(drawings.svg(ax.figure, words),), data=_hover(result, shown, ids, tiny, drawings),
        caption=f"Each square is one system; a pixel is a pair of stimuli. Colour: percentile rank of its dissimilarity within the system (blue: alike, brown: unlike)."
                f"{f' Distance: {distance}.' if isinstance(distance, str) else ''} Subjects averaged. n = {plural(len(ids), 'stimulus')}.{beside}",
        notes=tuple([f"The first {MOST_PICTURES} of {len(systems)} systems are drawn."] if len(systems) > MOST_PICTURES else []),
    )]  # fmt: skip
    maps = []
    frames = _category(stimuli)
    for system in systems[:MOST_MAPS]:
        with style(svg=True):
            ax = plot_stimulus_map(
                _with_category(result, frames), figure(5, 5.1).add_subplot(), system=system, stimuli=tiny
            )
        maps.append(
            drawings.svg(
                ax.figure,
                f"Map of {plural(len(ids), 'stimulus')} for {visible(system)[:80]}: near means represented alike.",
            )
        )
    pictures.append(Picture(
        id=f"{slug}-map", title="The stimuli as each system sees them", svgs=tuple(maps), layout="grid",
        caption="Classical multidimensional scaling of each RDM to two axes, turned onto the first system: near means represented alike. The axes have no unit. "
                "The share explained is that of the RDM's positive variance; what it leaves out may matter." + (" Frames: category." if frames else ""),
        notes=tuple([f"The first {MOST_MAPS} of {len(systems)} systems are drawn."] if len(systems) > MOST_MAPS else []),
    ))  # fmt: skip
    if result.systems_map is not None:
        with style(svg=True):
            ax = plot_systems_map(result, figure(7.2, 4.4).add_subplot())
        pictures.append(Picture(
            id=f"{slug}-systems", title="The systems among each other", svgs=(drawings.svg(ax.figure, f"Map of {plural(len(systems), 'system')} by the likeness of their RDMs."),),
            caption="Near means like RDMs (1 - Spearman correlation between them, classical scaling to two axes). The axes have no unit.",
        ))  # fmt: skip
    return pictures


def _category(stimuli: Any) -> dict[Any, str]:
    coords = getattr(stimuli, "coords", {})
    if "category" in coords and coords["category"].dims == ("stimulus",):
        return dict(zip(stimuli["stimulus"].values.tolist(), map(str, coords["category"].values.tolist())))
    return {}


def _with_category(result: RDMs, table: dict[Any, str]) -> RDMs:
    if not table or "category" in result.map.coords:
        return result
    from dataclasses import replace

    ids = result.map["stimulus"].values.tolist()
    return replace(
        result, map=result.map.assign_coords(category=("stimulus", [table.get(i, "") for i in ids]))
    )


def _hover(
    result: RDMs, systems: list[Any], ids: list[Any], tiny: dict[Any, np.ndarray], drawings: Drawings
) -> dict[str, str]:
    """What the script shows of the pair under the pointer: ranks as one byte each, names, pictures."""
    n = len(ids)
    if n < 2 or n > 256 or len(systems) * n * n > 2 * _HOVER_BYTES:
        return {}
    upper = np.triu_indices(n, 1)
    packed = []
    for system in systems:
        ranks = ranked(result.rdms.sel(system=system).values)[upper]
        packed.append(
            base64.b64encode(
                np.where(np.isfinite(ranks), np.round(ranks), 255).astype(np.uint8).tobytes()
            ).decode("ascii")
        )
    short = [shortened(visible(i), 60) for i in ids]
    small = [drawings.share(png_uri(tiny[i]), THUMBNAIL, THUMBNAIL) if i in tiny else "" for i in ids]
    return {
        "ranks": " ".join(packed),
        "names": json.dumps(short),
        "pictures": " ".join(small) if any(small) else "",
        "n": str(n),
    }


def _pairs(result: RDMs) -> Any:
    """One row per pair of stimuli, one column per system."""
    import pandas as pd

    ids = result.rdms["stimulus"].values
    upper = np.triu_indices(len(ids), 1)
    columns: dict[str, Any] = {"stimulus": ids[upper[0]], "stimulus_": ids[upper[1]]}
    kept: xr.DataArray = result.rdms[:MOST_COLUMNS]
    for system, square in zip(kept["system"].values.tolist(), kept.values):
        columns[f"{system}"] = np.asarray(square, dtype=np.float64)[upper]
    return pd.DataFrame(columns)


def answers(result: Comparison) -> list[Any]:
    return findings(result)
