"""The section of a Comparison: map, profiles, the best, and every number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots import plot_best, plot_dots, plot_map, plot_profile
from consilience.plots._labels import label, visible
from consilience.plots._read import check_is, level, names
from consilience.plots._style import figure, style
from consilience.report._base import Picture, left_out, section, slugged
from consilience.report._svg import Drawings
from consilience.report._tables import table
from consilience.report._words import kind_of_a, listed, plural

if TYPE_CHECKING:
    from consilience._results import Comparison

__all__ = ["comparison_section"]

MOST_MEASURES = 6
MOST_PANELS = 6
_BELOW = "all values are in the tables below"


def comparison_section(
    result: Comparison,
    *,
    name: str = "comparison",
    slug: str | None = None,
    drawings: Drawings | None = None,
    stimuli: Any = None,
    thumbnails: Any = None,
) -> str:
    """HTML of one Comparison: map, profiles, the best, and every number; a fragment, without style sheet.

    Parameters
    ----------
    name : the step's name, for the heading.   slug : for ids and file names; by default from the name.
    drawings : the page's figures; they number the ids, so that several sections can share a page.
    stimuli, thumbnails : taken so that all sections are called alike; a comparison shows none.
    """
    check_is(result, "Comparison", "comparison_section")
    drawings = drawings or Drawings()
    slug = slug or slugged(name)
    noun = kind_of_a(result)
    several = result.data.sizes["a"] > 1
    pictures = [_map(result, slug, drawings), _profile(result, slug, drawings)] if several else []
    pictures += [] if several else [_values(result, slug, drawings)]
    tables = [table(result.to_frame(), caption="Every pair", name=slug)]
    if result.best_a is not None:
        pictures.append(_best(result, slug, drawings))
        with_copies = ", with the difference to each untrained copy" if result.baselines is not None else ""
        best_a = result.best("a").to_frame()
        tables.append(table(best_a, caption=f"The best {noun}{with_copies}", name=f"{slug}-best"))
    if result.best_b is not None:
        tables.append(table(result.best("b").to_frame(), caption="The best of side b", name=f"{slug}-best-b"))
    if result.baselines is not None:
        rows = result.baselines.to_dataframe(dim_order=["seed", "measure", "a", "b"]).reset_index()
        tables.append(table(rows, caption="Untrained copies", name=f"{slug}-untrained"))
    return section(result, name, slug, pictures, tables)


def _measures(result: Comparison) -> tuple[list[Any], list[str]]:
    all_of_them = names(result.data, "measure")
    return all_of_them[:MOST_MEASURES], left_out(MOST_MEASURES, len(all_of_them), "measures")


def _map(result: Comparison, slug: str, drawings: Drawings) -> Picture:
    measures, notes = _measures(result)
    a, b, noun = result.data.sizes["a"], result.data.sizes["b"], kind_of_a(result)
    svgs = []
    for measure in measures:
        made = figure(9.6, 1.7 + 0.36 * min(b, 40))
        with style(svg=True):
            plot_map(result, made.add_subplot(), measure=measure)
        what = f"{visible(measure)[:80]}: {plural(a, noun)} by {plural(b, 'system')}"
        svgs.append(drawings.svg(made, f"Heat map of {what}; {_BELOW}."))
    said = [
        f"Value of each measure for each {noun} (columns, in the order of the data) and system (rows);",
        "darker is more alike.",
        _sizes(result),
    ]
    if result.best_a is not None:
        said.append(f"The {noun} chosen as best (on other stimuli than it is scored on) is framed.")
    said.append(_ceiling(result, "The column set apart is the noise ceiling, coloured by its upper end."))
    return Picture(
        id=f"{slug}-map",
        title=f"Which {noun} is like which system",
        svgs=tuple(svgs),
        caption=_joined(said),
        notes=tuple(notes),
    )


def _profile(result: Comparison, slug: str, drawings: Drawings) -> Picture:
    measures, notes = _measures(result)
    b = names(result.data, "b")
    return Picture(
        id=f"{slug}-profile",
        title=f"Profile over the {kind_of_a(result)}s",
        svgs=tuple(_panels(result, measure, b[:MOST_PANELS], drawings) for measure in measures),
        caption=_explained(result),
        notes=(*notes, *left_out(MOST_PANELS, len(b), "systems")),
    )


def _panels(result: Comparison, measure: Any, systems: list[Any], drawings: Drawings) -> str:
    across = min(len(systems), 2 if result.data.sizes["a"] > 8 else 3)
    down = -(-len(systems) // across)
    made = figure(9.6 if across > 1 else 7.2, 2.9 * down + 0.4)
    with style(svg=True):
        axes = made.subplots(down, across, sharey=True, squeeze=False)
        handles: dict[str, Any] = {}
        for k, ax in enumerate(axes.flat):
            if k >= len(systems):
                ax.set_axis_off()
                continue
            plot_profile(result, ax, measure=measure, b=[systems[k]], legend=False)
            if k % across:
                ax.set_ylabel("")
            curve = label(systems[k])  # the panel's title names the curve already
            for handle, words in zip(*ax.get_legend_handles_labels()):
                if words != curve:
                    handles.setdefault(words, handle)
        if handles:
            made.legend(
                list(handles.values()),
                list(handles),
                loc="outside upper left",
                ncols=min(5, len(handles)),
                handlelength=1.6,
                columnspacing=1.6,
            )
    who = listed([visible(system)[:40] for system in systems])
    what = f"{visible(measure)[:80]} over {plural(result.data.sizes['a'], kind_of_a(result))} for {who}"
    return drawings.svg(made, f"Curves of {what}; {_BELOW}.")


def _values(result: Comparison, slug: str, drawings: Drawings) -> Picture:
    measures, notes = _measures(result)
    svgs = []
    for measure in measures:
        made = figure(8.4, 1.2 + 0.36 * min(result.data.sizes["b"], 40))
        with style(svg=True):
            plot_dots(result, made.add_subplot(), measure=measure)
        svgs.append(drawings.svg(made, f"Values of {visible(measure)[:80]} with intervals; {_BELOW}."))
    return Picture(
        id=f"{slug}-values",
        title="How alike",
        svgs=tuple(svgs),
        caption=_explained(result),
        notes=tuple(notes),
    )


def _best(result: Comparison, slug: str, drawings: Drawings) -> Picture:
    best, noun = result.best("a"), kind_of_a(result)
    rows = best.data.sizes["measure"] * best.data.sizes["b"]
    made = figure(9.6, 1.1 + 0.4 * min(rows, 30))
    with style(svg=True):
        plot_best(best, made.add_subplot())
    said = [
        f"Dots: the value of the {noun} chosen on one half of the stimuli, scored on the other, with its",
        f"{_percent(result)} interval over stimuli (thick) and over stimuli and subjects (thin, where there",
        f"are several). Open diamonds: the plain maximum over {noun}s, which is biased up.",
    ]
    if result.baselines is not None:
        said.append("Grey dots: untrained copies, chosen likewise; gain: the smallest difference to one.")
    return Picture(
        id=f"{slug}-best",
        title=f"The best {noun}, scored fairly",
        svgs=(drawings.svg(made, f"The best {noun} for each system and measure; {_BELOW}."),),
        caption=_joined(said),
    )


# -- captions ------------------------------------------------------------------------------------------------


def _joined(said: list[str]) -> str:
    return " ".join(part for part in said if part)


def _percent(result: Comparison) -> str:
    return f"{100 * level(result):g} %"


def _known(result: Comparison, name: str) -> bool:
    return name in result.data and bool(np.isfinite(result.data[name].values).any())


def _sizes(result: Comparison) -> str:
    stimuli, subjects = _span(result, "n_stimuli"), _span(result, "n_subjects")
    parts = [f"{stimuli} stimuli"] if stimuli else []
    if subjects:
        parts.append(f"{subjects} subject{'' if subjects == '1' else 's'} in each system of side b")
    return f"n = {', '.join(parts)}." if parts else ""


def _span(result: Comparison, name: str) -> str:
    if not _known(result, name):
        return ""
    low, high = float(result.data[name].min()), float(result.data[name].max())
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"


def _ceiling(result: Comparison, words: str) -> str:
    if _known(result, "ceiling_high"):
        return words
    by = str(result.data.attrs.get("by") or result.settings.get("by") or "stimulus")
    if by != "stimulus":
        return f"No noise ceiling: stimuli were averaged by {visible(by)[:40]}."
    return "No noise ceiling: it needs several subjects or repeats."


def _over_subjects(result: Comparison) -> bool:
    ceiling = np.isfinite(result.data["ceiling_high"].values)
    return bool((ceiling & ~(result.data["n_subjects"].values <= 1)).any())


def _over_repeats(result: Comparison) -> bool:
    ceiling = np.isfinite(result.data["ceiling_high"].values)
    return bool((ceiling & (result.data["n_subjects"].values <= 1)).any())


def _explained(result: Comparison) -> str:
    """What bands, lines and marks of a profile or a dot plot mean, as far as they are there."""
    said = []
    if _known(result, "ci_low"):
        said.append(
            f"Dark band or line: {_percent(result)} interval over stimuli, conditional on the subjects."
        )
    else:
        said.append("No intervals: none were asked for, or the measure has none.")
    if _known(result, "ci_both_low"):
        said.append("Light band or thin line: over stimuli and subjects together.")
    if _known(result, "null_mean"):
        said.append("Dotted: mean of the permutations of stimuli.")
    elif _known(result, "null_expected"):
        said.append("Dotted: what independent data are expected to give.")
    people = "over subjects, leaving each out (lower end) and with all of them (upper end)"
    repeats = "from random halves of the repeats"
    kinds = [people] if _over_subjects(result) else []
    kinds += [repeats] if _over_repeats(result) else []
    said.append(_ceiling(result, f"Grey band: noise ceiling {', or '.join(kinds)}."))
    if result.baselines is not None:
        seeds = plural(result.baselines.sizes["seed"], "seed")
        said.append(f"Thin grey lines or dots: the same network, untrained ({seeds}).")
    if result.best_a is not None:
        said.append(f"Ring: the {kind_of_a(result)} chosen as best.")
    return _joined([*said, _sizes(result)])
