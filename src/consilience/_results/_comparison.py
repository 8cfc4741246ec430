"""`Comparison`: every measure for every pair of systems."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience._results._base import METHODS, Result, cell, known, only, resolve
from consilience._results._best import Best

if TYPE_CHECKING:
    import pandas as pd

    from consilience._results._agreement import Agreement
    from consilience._results._contrasts import Contrasts


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Comparison(Result):
    """How alike systems are: every measure, for every pair of a system on side a and one on side b. Made by
    `cs.compare`.

    data : Dataset (measure, a, b) with
        value (mean over subjects), value_pooled (against the mean RDM, where there are several subjects),
        ci_low, ci_high (interval over stimuli, conditional on the subjects), ci_subjects_low/_high,
        ci_both_low/_high (stimuli and subjects together), p (stimulus permutation, one-sided), p_fwer
        (max-statistic over side a), null_mean (mean of the permutations), null_expected (closed form for
        independent data), ceiling_low, ceiling_high, ratio (value / ceiling_high), n_stimuli, n_subjects,
        n_units_a, n_units_b. NaN = not asked for or does not exist.
    draws : DataArray (measure, a, b, draw), the same resamples of stimuli for all pairs; None with n_boot=0.
    baselines, baseline_draws : the same with a leading dim seed, for untrained copies of side a; or None.
    subject_draws, both_draws : as draws, of subjects, and of stimuli and subjects; None where no side has several.
    leave_one_out : DataArray (measure, a, b, stimulus), the values without each stimulus, means over subjects, of
        measures of pairs of stimuli (RSA, CKA); None where there is one pair of systems.
    ceiling_gap : Dataset (measure, a, b) with the variance of value - ceiling_low over stimuli and its degrees of
        freedom (variance, df), and over stimuli and subjects (variance_both, df_both), for `contrasts`; NaN where
        it is not tested. None with n_boot=0.
    best_a, best_b : Datasets behind `best`; None where that side has one system.
    """

    data: xr.Dataset
    draws: xr.DataArray | None = None
    baselines: xr.Dataset | None = None
    baseline_draws: xr.DataArray | None = None
    best_a: xr.Dataset | None = None
    best_b: xr.Dataset | None = None
    subject_draws: xr.DataArray | None = None
    both_draws: xr.DataArray | None = None
    leave_one_out: xr.DataArray | None = None
    ceiling_gap: xr.Dataset | None = None

    title: ClassVar[str] = "how alike two systems represent the same stimuli"

    @property
    def value(self) -> float:
        """The value, where there is one pair."""
        return only(self.data["value"], "Comparison.value")

    def _one(self, *names: str, of: str) -> tuple[float, ...] | None:
        return known(*(only(self.data[name], f"Comparison.{of}") for name in names))

    @property
    def interval(self) -> tuple[float, ...] | None:
        """(ci_low, ci_high) over stimuli, where there is one pair; None with n_boot=0."""
        return self._one("ci_low", "ci_high", of="interval")

    @property
    def p(self) -> float | None:
        """One-sided permutation p, where there is one pair; None with n_perm=0."""
        found = self._one("p", of="p")
        return None if found is None else found[0]

    @property
    def ceiling(self) -> tuple[float, ...] | None:
        """(ceiling_low, ceiling_high), where there is one pair; None where the data allow none."""
        return self._one("ceiling_low", "ceiling_high", of="ceiling")

    @property
    def null(self) -> float | None:
        """Mean of the permutations, where there is one pair; None with n_perm=0."""
        found = self._one("null_mean", of="null")
        return None if found is None else found[0]

    def to_frame(self) -> pd.DataFrame:
        """One row per (measure, a, b), the variables of `data` as columns."""
        return self.data.to_dataframe(dim_order=["measure", "a", "b"]).reset_index()

    def best(self, side: Literal["a", "b"] = "a") -> Best:
        """The best system of one side for each (measure, system of the other side): chosen on other stimuli
        than it is scored on.
        """
        check_option(side, ["a", "b"], name="side", who="Comparison.best")
        table = self.best_a if side == "a" else self.best_b
        if table is None and self.data.sizes[side] > 1:
            raise InputError(
                f"Comparison.best: no best of side {side} was chosen: in-sample measures rise as stimuli get fewer, "
                "and groups must be at least 4; use held_out=True and more groups, or read the plain values.",
                code="nothing-to-choose",
            )
        if table is None:
            raise InputError(
                f"Comparison.best: side {side} has one system, so there is nothing to choose.",
                code="nothing-to-choose",
            )
        common = {f.name: getattr(self, f.name) for f in fields(Result)}
        return Best(data=table, side=side, **common)

    def agreement(self) -> Agreement:
        """Whether the measures rank the systems of side a alike, for each system of side b: Kendall's tau-b,
        Spearman's rho, and whether they put the same system first.

        Intervals and shares are over the draws that the measures share (rules pairs and predictions); in-sample
        measures are resampled otherwise and get none. Draws add noise to both rankings, so that an interval says
        how little may be left of the agreement, rather than how much. At least 2 measures and 3 systems.
        """
        found: Agreement = resolve(METHODS, "agreement")(self)
        return found

    def contrasts(
        self,
        side: Literal["a", "b"] = "a",
        *,
        reference: str | None = None,
        against: str | None = None,
        correction: Literal["holm", "fdr", "max", "none"] = "holm",
    ) -> Contrasts:
        """Which systems of one side are more alike to each system of the other: all pairs, or each against one.

        Differences are paired by the draws that all systems share. The variance is that of the measure's rule
        (pairs of stimuli: `cs.stats.once_counted_variance` of draws and `leave_one_out`; held-out scores:
        draws; in-sample measures: delete-d jackknife), over stimuli, and over stimuli and subjects
        (`cs.stats.two_factor_variance`, less what it counts more than once) where the other side has several;
        intervals and p from Student's t.
        In simulations of 400 pairs of equal systems (CKA, 40 stimuli) 12 differences had p < 0.05 where the systems
        were unrelated to the other side, 28 where both were related to it, 22 where they correlated too. With 8
        subjects tests are conservative, 0 to 3 %.

        reference : a system of the side that the others are held against; "ceiling", the lower noise ceiling (where no
            system has that name); None = all pairs.
        against : one system of the other side; None = each in turn.
        correction : within one measure and one system of the other side: "holm", "fdr" (Benjamini-Hochberg), "max"
            (step-down maximum over the draws; not against the ceiling), "none".

        Against the ceiling: value - ceiling_low, p one-sided (below it), for measures whose values are cosines of pairs
        of stimuli (RSA but for kendall and rho_a, CKA, distance correlation, ...), mutual k-nearest neighbours (of
        repeats) and held-out scores, where one side alone has repeats or at least 3 subjects. Value and ceiling vary
        together: over stimuli by the difference without each stimulus and the influence of each pair
        (`cs.stats.crossed_components`), over subjects by the jackknife, in which each is target and part of the
        others' mean, less what stimuli explain of it; held-out scores by the jackknife over at most 40 groups of
        stimuli, and once more what the fits add. The lower ceiling is what the other subjects, or one half of the
        repeats, say: a true model is above it, with repeats far above, so that "below" is sure and "not below" is not
        "perfect". In simulations (200 data sets or more) the intervals covered 93 to 94 % (RSA, 4 repeats, 40 to 80
        stimuli), 94 to 96 % (CKA), 97 to 98 % (linear predictivity), 95 to 98 % (RSA, 3 to 8 subjects); a model no
        better or worse than the mean of s - 1 subjects was called below at 5 % in 1 to 3 %, a true one never.
        """
        found: Contrasts = resolve(METHODS, "contrasts")(
            self, side=side, reference=reference, against=against, correction=correction
        )
        return found

    def _lines(self) -> list[str]:
        frame = self.to_frame().sort_values(["measure", "b", "value"], ascending=[True, True, False])
        sizes = " x ".join(f"{self.data.sizes[d]} {d}" for d in ("measure", "a", "b"))
        n = int(np.nanmax(self.data["n_stimuli"].values))
        lines = [f"  {sizes}; {n} stimuli; higher = more alike"]
        width = min(32, max([20, *(len(str(name)) for name in self.data["measure"].values)]))
        for row in frame.head(12).to_dict("records"):
            names = f"{cell(row['measure'], width)} {cell(row['a'], 22)} {cell(row['b'], 16)}"
            text = f"  {names} {row['value']:7.3f}"
            if np.isfinite(row["ci_low"]):
                text += f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            if np.isfinite(row["p"]):
                text += f"  p={row['p']:.3g}"
            if np.isfinite(row["ceiling_low"]):
                text += f"  ceiling [{row['ceiling_low']:.3f}, {row['ceiling_high']:.3f}]"
            lines.append(text)
        if len(frame) > 12:
            lines.append(f"  ... {len(frame) - 12} more in .to_frame()")
        return lines
