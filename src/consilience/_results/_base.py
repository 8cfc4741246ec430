"""What every result has: settings, seed, versions, warnings, references; a table, a picture, a file."""

from __future__ import annotations

import functools
import html
import importlib
import os
import platform
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr

from consilience._core._citations import bibtex
from consilience._core._errors import Caution, InputError

if TYPE_CHECKING:
    import pandas as pd


_SCREEN = (24, 120)  # lines and columns

# result -> "module:function" that draws it on an axis, and that renders its report section; a test resolves
# every entry
PLOTS = {
    "Ablation": "consilience.plots:plot_ablation",
    "Attribution": "consilience.plots:plot_attribution",
    "Comparison": "consilience.plots:plot_comparison",
    "Best": "consilience.plots:plot_best",
    "RDMs": "consilience.plots:plot_rdms",
    "Equivalence": "consilience.plots:plot_equivalence",
    "ModelEvaluation": "consilience.plots:plot_evaluation",
    "Contrasts": "consilience.plots:plot_contrasts",
    "Encoding": "consilience.plots:plot_encoding",
    "Quality": "consilience.plots:plot_quality",
    "Reduction": "consilience.plots:plot_reduction",
    "ReceptiveField": "consilience.plots:plot_receptive_field",
    "Patching": "consilience.plots:plot_patching",
    "PSTH": "consilience.plots:plot_psth",
    "UnitTable": "consilience.plots:plot_unit_table",
    "UnitReport": "consilience.plots:plot_unit_report",
    "RDMMovie": "consilience.plots:plot_rdm_movie",
    "Robustness": "consilience.plots:plot_robustness",
    "Searchlight": "consilience.plots:plot_searchlight",
    "SelectivityImpact": "consilience.plots:plot_selectivity_impact",
    "Structure": "consilience.plots:plot_structure",
    "Agreement": "consilience.plots:plot_agreement",
    "DecidingStimuli": "consilience.plots:plot_deciding",
    "Decoding": "consilience.plots:plot_decoding",
    "Dimensionality": "consilience.plots:plot_dimensionality",
    "Geometry": "consilience.plots:plot_geometry",
    "Subspaces": "consilience.plots:plot_subspaces",
    "Influence": "consilience.plots:plot_influence",
    "Interchange": "consilience.plots:plot_interchange",
    "ShapeSpace": "consilience.plots:plot_shape_space",
    "Shapley": "consilience.plots:plot_shapley",
    "Synthesis": "consilience.plots:plot_synthesis",
    "PredictedPerturbation": "consilience.plots:plot_predicted_perturbation",
    "PerturbationScore": "consilience.plots:plot_perturbation_score",
    "VariancePartition": "consilience.plots:plot_partition",
}
SECTIONS = {
    "Comparison": "consilience.report:comparison_section",
    "RDMs": "consilience.report:rdms_section",
}

# method of a result -> the analysis of its draws, which stands above results
METHODS = {
    "agreement": "consilience.analyses._agreement:agreement",
    "contrasts": "consilience.analyses._contrasts:contrasts",
    "score_perturbation": "consilience.analyses._score_perturbation:score_perturbation",
    "fit_field": "consilience.analyses._field_shapes:fit_field",
}


def versions() -> dict[str, str]:
    """Versions of this package and of what computed the numbers."""
    out = {"python": platform.python_version()}
    for name in ("consilience", "numpy", "scipy", "xarray", "scikit-learn", "torch"):
        if name == "torch" and "torch" not in sys.modules:
            continue
        found = _version(name)
        if found is not None:
            out[name] = found
    return out


@functools.cache
def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def resolve(table: Mapping[str, str], name: str) -> Any:
    module, function = table[name].split(":")
    return getattr(importlib.import_module(module), function)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Result:
    """Base of every result: settings that rebuild it, seed, versions, warnings, reference keys.

    settings : plain JSON values.   seed : the recorded seed as text; ``rng=result.seed`` draws the same.
    versions : package -> version.   warnings : tuple of `Caution` (code, message, remedy).
    references : keys of references.bib.   methods : sentences for a methods section.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: str = ""
    versions: Mapping[str, str] = field(default_factory=versions)
    warnings: tuple[Caution, ...] = ()
    references: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    title: ClassVar[str] = "Result"

    def citations(self) -> str:
        """BibTeX of the methods and data that this result used."""
        return bibtex(self.references)

    def to_frame(self) -> pd.DataFrame:
        raise InputError(f"{type(self).__name__} has no table form.")

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draws the result on a matplotlib axis (a new one by default) and returns the axis."""
        return resolve(PLOTS, type(self).__name__)(self, ax=ax, **options)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the result to one netCDF-4 file (complete or not at all); `cs.load` reads it and checks
        it.
        """
        from consilience._results._files import save

        return save(self, path)

    def _lines(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        head = f"<{type(self).__name__}> {self.title}"
        first = {caution.code: caution for caution in reversed(self.warnings)}
        shown = [c for c in self.warnings if first[c.code] is c][:4]  # one of each code
        times = Counter(caution.code for caution in self.warnings)
        lines = [head, *self._lines()]
        most = min(4, max(1, (_SCREEN[0] - len(lines) - 1) // max(1, len(shown))))  # lines of one warning
        foot: list[str] = []
        for c in shown:
            more = f" (+{times[c.code] - 1} more)" if times[c.code] > 1 else ""
            foot += _wrapped(f"  warning {c.code}: {c.message}", most, more)
        if len(first) > len(shown):
            left = len(self.warnings) - sum(times[c.code] for c in shown)
            foot.append(f"  and {left} more in .warnings")
        return "\n".join([*lines, *foot])

    def _repr_html_(self) -> str:
        table = (
            self.to_frame()
            .head(40)
            .to_html(index=False, border=0, float_format=lambda v: f"{v:.4g}", escape=True)
        )
        said = "".join(
            f"<li><code>{html.escape(c.code)}</code> {html.escape(c.message)} {html.escape(c.remedy)}</li>"
            for c in self.warnings
        )
        head = f"<strong>{html.escape(type(self).__name__)}</strong> {html.escape(self.title)}"
        return f"<div>{head}{table}{'<ul>' + said + '</ul>' if said else ''}</div>"


def _wrapped(text: str, most: int, end: str) -> list[str]:
    """Lines of a screen, at most so many; ``end`` stays, whatever has to go."""
    options: dict[str, Any] = {"subsequent_indent": "    ", "placeholder": " …"}
    lines = textwrap.wrap(text + end, _SCREEN[1], **options)
    if len(lines) <= most:
        return lines
    lines = textwrap.wrap(text, _SCREEN[1] - len(end), max_lines=most, **options)
    return [*lines[:-1], lines[-1] + end]


def only(data: xr.DataArray, who: str) -> float:
    if data.size != 1:
        raise InputError(
            f"{who} exists for one pair; this result has {data.size}: use .to_frame() or "
            ".data.sel(measure=..., a=..., b=...).",
            code="not-one-pair",
        )
    return float(data.values.reshape(-1)[0])


def known(*values: float) -> tuple[float, ...] | None:
    """The values, or None where one is NaN: not asked for, or there is none."""
    return None if any(value != value for value in values) else values


def counted(n: int | None, noun: str) -> str:
    """``1 model``, ``2 models``."""
    return f"{n} {noun}{'s' * (n != 1)}"


_P_FLOOR = 0.01  # of p, above which it is said


def floor_of_p(n_null: int, what: str, option: str, *, two_sided: bool = False) -> list[str]:
    """The line that says below what no p of ``n_null`` draws can be; none where that is at most 0.01.

    ``two_sided`` : some are, whose p is twice the smaller of both sides.

    >>> floor_of_p(20, "surrogates", "n_null")
    ['  no p is below 0.048, that of 20 surrogates; n_null= takes more']
    """
    low = 1.0 / (n_null + 1)
    if n_null < 1 or low * (1 + two_sided) <= _P_FLOOR:
        return []
    both = f" (two-sided {2 * low:.3f})" if two_sided else ""
    return [f"  no p is below {low:.3f}{both}, that of {n_null} {what}; {option}= takes more"]


def cell(text: object, width: int) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return clean[: width - 1] + "…" if len(clean) > width else clean.ljust(width)
