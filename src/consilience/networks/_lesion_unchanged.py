"""Which lesions put back what was there anyway: a unit that is always 0 is not changed by how="zero"."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.networks._lesion_places import Site
from consilience.networks._lesion_replace import Replacement, Summary, skipped

__all__ = ["Unchanged"]


class Unchanged:
    """Looks at the intact activations of each place."""

    def __init__(self, sites: list[Site], replacement: Replacement) -> None:
        self.sites, self.replacement = sites, replacement
        self.moved: dict[int, np.ndarray] = {}  # entries that a function or a skipped layer changes
        self.ranges: dict[tuple[int, int], tuple[Any, Any]] = {}  # of x along directions

    def look(self, number: int, call: int, x: Any, given: tuple[Any, ...]) -> None:
        site, how = self.sites[number], self.replacement.name(number)
        if site.bases is not None:
            return
        if callable(how):
            r = self.replacement(number, call, x[None], np.arange(x.shape[0]), 0, x.shape[0])[0]
        elif isinstance(how, str) and how == "skip":
            r = skipped(site.place, x, given, who=self.replacement.who)
        else:
            return
        moved = (r != x).any(0).cpu().numpy()
        self.moved[number] = self.moved.get(number, np.zeros(moved.shape, dtype=bool)) | moved

    def found(self, own: dict[tuple[int, int], Summary], n_parts: int) -> np.ndarray:
        """(P,) bool: parts whose lesion changes no activation of any stimulus. Directions never count."""
        moved: dict[int, np.ndarray] = dict(self.moved)
        for (number, call), summary in own.items():
            if self.sites[number].bases is None and number not in self.moved:
                came = self._moved(number, call, summary)
                moved[number] = moved.get(number, np.zeros(came.shape, dtype=bool)) | came
        out = np.zeros(n_parts, dtype=bool)
        for number, site in enumerate(self.sites):
            if site.bases is not None or number not in moved:
                continue
            entries: Any = moved[number]
            if site.times is not None:
                entries = entries.take(site.times, axis=site.place.leaf.axes.index("token"))
            if site.space == "channels" and entries.ndim:
                entries = np.moveaxis(entries, site.place.channel_axis, 0).reshape(site.width, -1).any(axis=1)
            any_of = np.zeros(site.members.size, dtype=bool)
            np.logical_or.at(any_of, site.owners, entries.reshape(-1)[site.places])
            out[site.members] = ~any_of
        return out

    def _moved(self, number: int, call: int, summary: Summary) -> np.ndarray:
        how = self.replacement.name(number)
        low, high = summary.low, summary.high
        if isinstance(how, np.ndarray) or how == "zero":
            r = self.replacement(number, call, low[None, None], np.zeros(1, dtype=np.intp), 0, 1)
            r = r.reshape(r.shape[-low.ndim :] if r.ndim else ())
            return np.asarray(((low != r) | (high != r)).cpu().numpy())
        there = self.replacement.summaries[number, call]
        same = (low == high) & (there.low == there.high) & (low == there.low)
        return np.asarray((~same).cpu().numpy())
