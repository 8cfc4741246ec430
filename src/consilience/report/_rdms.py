"""The section of RDMs: pictures with the stimuli beside them, maps, every dissimilarity."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots import plot_rdms, plot_stimulus_map, plot_systems_map
from consilience.plots._labels import shortened, visible
from consilience.plots._rdms import MOST_PICTURES, ranked
from consilience.plots._read import check_is
from consilience.plots._style import figure, style
from consilience.plots._thumbnails import thumbnails as shrunk
from consilience.report._base import Picture, left_out, section, slugged
from consilience.report._svg import Drawings, png_uri
from consilience.report._tables import table
from consilience.report._words import plural

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from consilience._results import RDMs
    from consilience.plots._thumbnails import Thumbnails

__all__ = ["rdms_section"]

MOST_MAPS = 6
THUMBNAIL = 40
_MOST_COLUMNS = 60
_MOST_PAIRS_SHOWN = 20
_HOVER_STIMULI = 256
_HOVER_BYTES = 800_000


def rdms_section(
    result: RDMs,
    *,
    name: str = "rdms",
    slug: str | None = None,
    drawings: Drawings | None = None,
    stimuli: xr.DataArray | None = None,
    thumbnails: Thumbnails | None = None,
) -> str:
    """HTML of one RDMs result: pictures with the stimuli beside them, maps, tables; a fragment, without
    style sheet.

    Parameters
    ----------
    name : the step's name, for the heading.   slug : for ids and file names; by default from the name.
    drawings : the page's figures, which keep the pictures of stimuli; without it they are in the fragment.
    stimuli : DataArray (stimulus, y, x[, channel]) uint8.   thumbnails : id -> picture, shown instead.
    """
    check_is(result, "RDMs", "rdms_section")
    own = drawings is None
    drawings = drawings or Drawings()
    slug = slug or slugged(name)
    ids = result.rdms["stimulus"].values.tolist()
    tiny = shrunk(stimuli if thumbnails is None else thumbnails, ids, size=THUMBNAIL, who="report")
    pictures = [_squares(result, slug, drawings, ids, tiny), _maps(result, slug, drawings, stimuli, tiny)]
    if result.systems_map is not None:
        pictures.append(_systems(result, slug, drawings))
    tables = [
        table(result.to_frame(), caption="Systems", name=f"{slug}-systems"),
        table(_pairs(result), caption="Dissimilarities", name=f"{slug}-pairs", most=_MOST_PAIRS_SHOWN),
    ]
    html = section(result, name, slug, pictures, tables)
    return html + str(drawings.pictures()) if own else html


def _squares(
    result: RDMs, slug: str, drawings: Drawings, ids: list[Any], tiny: dict[Any, np.ndarray]
) -> Picture:
    systems = result.rdms["system"].values.tolist()
    shown = systems[:MOST_PICTURES]
    across = {1: 1, 2: 2, 3: 3, 4: 2}.get(len(shown), 3 if len(shown) <= 9 else 4)
    edge = {1: 5.2, 2: 4.6, 3: 3.15, 4: 2.4}[across]
    made = figure(edge * across, (edge + 0.25) * -(-len(shown) // across) + 0.45)
    with style(svg=True):
        plot_rdms(result, made.add_subplot(), stimuli=tiny)
    n = plural(len(ids), "stimulus")
    distance = result.settings.get("distance")
    said = [
        "Each square is one system; a pixel is a pair of stimuli. Colour: percentile rank of its "
        "dissimilarity",
        "within the system (blue: alike, brown: unlike); the diagonal is left grey.",
        f"Distance: {distance}." if isinstance(distance, str) else "",
        f"Subjects averaged. n = {n}.",
    ]
    if tiny and len(shown) <= 6 and len(ids) <= 120:
        said.append("Stimuli stand along the edges in the order of rows and columns, in staggered lines.")
    if not tiny:
        said.append("Names beside the rows are those of the stimuli, in the order of rows and columns.")
    words = f"Representational dissimilarity matrices of {plural(len(shown), 'system')} over {n}."
    return Picture(
        id=f"{slug}-rdms",
        title="What each system finds alike",
        svgs=(drawings.svg(made, words),),
        data=_hover(result, shown, ids, tiny, drawings),
        caption=" ".join(part for part in said if part),
        notes=tuple(left_out(MOST_PICTURES, len(systems), "systems")),
    )


def _maps(result: RDMs, slug: str, drawings: Drawings, stimuli: Any, tiny: dict[Any, np.ndarray]) -> Picture:
    systems = result.map["system"].values.tolist()
    n = plural(result.map.sizes["stimulus"], "stimulus")
    labelled = _with_category(result, stimuli)
    svgs = []
    for system in systems[:MOST_MAPS]:
        made = figure(5, 5.1)
        with style(svg=True):
            plot_stimulus_map(labelled, made.add_subplot(), system=system, stimuli=tiny)
        words = f"Map of {n} for {visible(system)[:80]}: near means represented alike."
        svgs.append(drawings.svg(made, words))
    said = [
        "Classical multidimensional scaling of each RDM to two axes, turned onto the first system: near "
        "means",
        "represented alike. The axes have no unit. The share explained is that of the RDM's positive "
        "variance;",
        "what it leaves out may matter.",
    ]
    if "category" in labelled.map.coords:
        said.append("Colour: category.")
    return Picture(
        id=f"{slug}-map",
        title="The stimuli as each system sees them",
        svgs=tuple(svgs),
        layout="grid",
        caption=" ".join(said),
        notes=tuple(left_out(MOST_MAPS, len(systems), "systems")),
    )


def _systems(result: RDMs, slug: str, drawings: Drawings) -> Picture:
    assert result.systems_map is not None
    made = figure(7.2, 3.6)
    with style(svg=True):
        plot_systems_map(result, made.add_subplot())
    words = f"Map of {plural(result.systems_map.sizes['system'], 'system')} by how alike their RDMs are."
    near = "Near means like RDMs (1 - Spearman correlation between them, classical scaling to two axes)."
    return Picture(
        id=f"{slug}-systems",
        title="The systems among each other",
        svgs=(drawings.svg(made, words),),
        caption=f"{near} The axes have no unit.",
    )


def _with_category(result: RDMs, stimuli: Any) -> RDMs:
    """The result with the stimuli's ``category`` as coordinate of its map, where they have one."""
    coords = getattr(stimuli, "coords", {})
    if "category" in result.map.coords or "category" not in coords or "stimulus" not in coords:
        return result
    if coords["category"].dims != ("stimulus",):
        return result
    table_of = dict(zip(stimuli["stimulus"].values.tolist(), map(str, coords["category"].values.tolist())))
    labels = [table_of.get(key, "") for key in result.map["stimulus"].values.tolist()]
    return replace(result, map=result.map.assign_coords(category=("stimulus", labels)))


def _hover(
    result: RDMs, systems: list[Any], ids: list[Any], tiny: dict[Any, np.ndarray], drawings: Drawings
) -> dict[str, str]:
    """What the script shows of the pair under the pointer: ranks as one byte each, names, pictures."""
    n = len(ids)
    if n < 2 or n > _HOVER_STIMULI or len(systems) * n * n > _HOVER_BYTES:
        return {}
    upper = np.triu_indices(n, 1)
    packed = []
    for k in range(len(systems)):
        ranks = ranked(result.rdms.values[k])[upper]
        whole = np.where(np.isfinite(ranks), np.round(np.nan_to_num(ranks)), 255).astype(np.uint8)
        packed.append(base64.b64encode(whole.tobytes()).decode("ascii"))
    small = [drawings.share(png_uri(tiny[i]), THUMBNAIL, THUMBNAIL) if i in tiny else "" for i in ids]
    return {
        "ranks": " ".join(packed),
        "names": json.dumps([shortened(visible(i), 60) for i in ids]),
        "pictures": " ".join(small) if all(small) else "",
    }


def _pairs(result: RDMs) -> pd.DataFrame:
    """One row per pair of stimuli, one column per system."""
    import pandas as pd

    ids = result.rdms["stimulus"].values
    rows, columns = np.triu_indices(len(ids), 1)
    first = pd.DataFrame({"stimulus": ids[rows], "stimulus_": ids[columns]})
    kept = result.rdms[:_MOST_COLUMNS]
    systems = [str(system) for system in kept["system"].values.tolist()]
    values = np.asarray(kept.values, dtype=np.float64)[:, rows, columns].T
    return pd.concat([first, pd.DataFrame(values, columns=systems)], axis=1)
