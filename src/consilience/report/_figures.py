"""How the figure of a result is shown: heading and caption, one entry per class of result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience.report._decoding_words import decoding_caption
from consilience.report._reduction_figures import further_of_reduction, reduction_caption

__all__ = ["FIGURES", "FURTHER", "Figure"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Heading and caption of a figure of a result; a caption that depends on what is there is a function of it.

    options : of its plot.   table : caption of the result's own table, where its title says another thing.
    """

    title: str = ""
    caption: str | Callable[[Any], str] = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""

    def said(self, result: Any) -> str:
        return self.caption if isinstance(self.caption, str) else self.caption(result)


def _there(values: Any) -> bool:
    return bool(np.isfinite(np.asarray(values, dtype=np.float64)).any())


def _partition(result: Any) -> str:
    frame = result.to_frame()
    said = ["Bars: share of the variance of dissimilarities, in-sample"]
    if _there(frame["ci_low"]):
        both = "ci_both_low" in frame and _there(frame["ci_both_low"])
        said[0] += ", with its interval over stimuli"
        said[0] += " (thick) and over stimuli and subjects (thin)" if both else ""
    if _there(frame["null_mean"]):
        said.append("Upright tick: mean of the permutations, the size of the bias")
    if _there(frame["held_out"]):
        said.append("Open diamond: the share on stimuli left out of the fit")
    if _there(frame["ceiling_high"]):
        said.append("Grey band: noise ceiling")
    return ". ".join(said) + "."


def _evaluation(result: Any) -> str:
    said = "Value of each model"
    said += ", mean over subjects" if result.subjects.sizes["subject"] > 1 else ""
    if _there(result.data["ci_low"]):
        both = _there(result.data["ci_both_low"])
        said += ", with its interval over stimuli" + (
            " (thick) and over stimuli and subjects (thin)" if both else ""
        )
    said += "; grey band: noise ceiling." if _there(result.ceilings["value"]) else "."
    tested = _there(result.pairs["p_corrected"])
    return said + (" Marks between models: paired tests, corrected over pairs." if tested else "")


def _field(result: Any) -> str:
    said = "Filter of each unit, on a scale of its own"
    if result.data.sizes["lag"] > 1:
        said += ", and its course before the response; band: interval of each lag by itself (jackknife over stretches)"
        if _there(result.data["threshold"]):
            said += "; bars: lags at which the covariance with the stimulus is beyond chance"
    return said + ". r: correlation with responses held out."


def _encoding(result: Any) -> str:
    left = "held-out stretches" if "n_samples" in result.settings else "held-out stimuli"
    said = f"Correlation of held-out predictions and responses, unit by unit, with intervals over {left}"
    said += ", against the noise ceiling of the unit (ticks)." if _there(result.data["ceiling"]) else "."
    return said + (_BAND if _there(result.interval) else "")


def _quality(result: Any) -> str:
    said = "For each measure all units, in the order of the first measure's values, with intervals (lines)"
    said += "; open: q above 0.05" if _there(result.data["q"]) else ""
    return said + ("; dashed: what chance gives." if _there(result.data["null_mean"]) else ".")


def _unit_table(result: Any) -> str:
    if len(result._systems()) > 1:
        return (
            "Per system and measure: corrected values (dot: median; bar: the middle half of its units), values as "
            "published (cross), and the floor of untuned units with the same mean, spread and number of trials."
        )
    said = "For each measure all units, sorted by the corrected value, with intervals; crosses: as published"
    said += "; open: q above 0.05" if _there(result.data["q"]) else ""
    said += "; dashed: the floor of untuned units" if _there(result.data["floor"]) else ""
    return said + ". Below: mean responses of the highest, each over its own highest."


def _shapley(result: Any) -> str:
    said = "Shapley values, highest first: what each player adds to the score, over all orders in which they may come"
    said += ", with intervals" if _there(result.data["ci_low"]) else ""
    said += "; open: q above 0.05" if _there(result.data["q"]) else ""
    return said + ". Grey bars: what removing it alone costs, all others being there."


def _dimensionality(result: Any) -> str:
    many = result.data.sizes["system"] > 8
    if many:
        said = (
            "A panel for each measure: value along the systems, with its interval; grey: of unrelated units."
        )
    else:
        said = (
            "Estimates: dot and line, value and interval (an arrow: no upper bound); grey: the same of unrelated "
            "units (to the edge: no bound)."
        )
    if _there(result.spectrum["variance"]):
        said += " Spectrum: variance that repeats, by rank" + ("" if many else ", with its interval")
        said += "; dashed: the power law as fitted, the key gives its exponent corrected for noise and few stimuli."
    if _there(result.saturation["n"]):
        said += " With more units and stimuli: the corrected participation ratio of random subsets"
        said += ("" if many else " (band: middle 95 % of single subsets)") + " and the plain one (dotted)."
    return said


_BAND = " Grey band: interval of the median (dashed), over units and what was held out together."


FIGURES: Mapping[str, Figure] = {
    "Agreement": Figure(
        title="Which measures rank the systems alike",
        caption="Kendall's tau-b between two measures over the systems of side a, with its interval over stimuli below "
        "it; a dot marks measures that put the same system first.",
    ),
    "Best": Figure(
        title="The best, scored fairly",
        caption="Dots: the value of the system chosen on one half of the stimuli and scored on the other, with its "
        "interval over stimuli (thick) and over stimuli and subjects (thin). Open diamonds: the plain maximum, which "
        "is biased up.",
    ),
    "Contrasts": Figure(
        title="Differences between systems",
        caption="Value of the first system minus that of the second, with its interval over stimuli (thick) and over "
        "stimuli and subjects (thin); coloured: corrected p below 0.05.",
    ),
    "Equivalence": Figure(
        title="Model minus animals",
        caption="Value of the model minus that of the other animals: mean over animals with its interval, and each "
        "animal (small dots). Band: the margin. 0: as close as the animals are to each other.",
    ),
    "DecidingStimuli": Figure(
        title="What each stimulus adds to the difference",
        caption="Contributions to the difference of the two values, sorted, with intervals over the other stimuli, "
        "under these responses: their noise is part of it, and other trials may give other stimuli. Filled: corrected "
        "p below 0.05, where the difference itself is told apart from 0 over stimuli. Small axis: the share of the "
        "difference that the most deciding stimuli carry, "
        "chosen and scored on different halves of the other stimuli.",
    ),
    "Decoding": Figure(title="How well it is decoded", caption=decoding_caption),
    "Encoding": Figure(
        title="How well each unit is predicted",
        caption=_encoding,
    ),
    "Influence": Figure(
        title="What each stimulus does to the value",
        caption="Value without the stimulus minus value, sorted, for the pair that one stimulus moves most; flagged "
        "stimuli are named. Below 0: the value falls without it.",
    ),
    "ModelEvaluation": Figure(
        title="How well the models explain the data",
        caption=_evaluation,
    ),
    "PSTH": Figure(
        title="Responses over time",
        caption="Mean over trials at each time, one colour per condition; band: its interval over trials, of each time "
        "by itself. Dotted: time 0.",
    ),
    "Ablation": Figure(
        title="What is lost without parts",
        caption="Curves: the score as parts are removed one after the other; bands are intervals over stimuli, grey is "
        "the mean of random orders and the middle 95 % of single ones. Dots: what is lost without each part alone, "
        "sorted, with intervals; filled: q at most 0.05. Map: by class (positive: lost).",
    ),
    "Geometry": Figure(
        title="Geometry of the conditions",
        caption="Dot and line: value and interval; open where p is above 0.05; grey: the middle 95 % of the null "
        "(dotted: chance), "
        "which the table names for each measure. Of several labels each is looked at across the others; all: the "
        "conditions as a whole (of dichotomies, the best on one half of the trials, scored on the other).",
    ),
    "Subspaces": Figure(
        title="Angles and variance captured",
        caption="Orange: in the other's subspace, with its interval; blue: in the own one, found on other trials, "
        "which is the ceiling; grey: random subspaces with the covariance of both. Dotted: the number of "
        "dimensions compared.",
    ),
    "Dimensionality": Figure(
        title="Dimensions, spectrum and saturation",
        caption=_dimensionality,
    ),
    "Quality": Figure(title="Each unit", caption=_quality),
    "ReceptiveField": Figure(title="Receptive fields", caption=_field),
    "RDMMovie": Figure(
        title="Likeness to the models over time, and how long it lasts",
        caption="Lines: likeness of the RDM at each time to each model, with its interval over stimuli; grey band: "
        "permutations of the stimuli; bars below: told from chance (corrected over times); dashed: how well RDMs of "
        "two halves of the trials agree. Matrix: the RDM of one half at one time with that of the other half at "
        "another.",
    ),
    "Interchange": Figure(
        title="Answers as the causal model expects",
        caption="Dots: units of each variable set to their values for another stimulus, with Wilson's intervals over "
        "pairs. Grey: the middle 95 % of random parts of the same size. Bar: no patch.",
    ),
    "Patching": Figure(
        title="What goes through each place",
        caption="Effect: the share of the difference between clean and corrupted runs that a patch carries (1: all, 0: "
        "none); ratios of means over pairs, lines are Fieller's intervals. Filled or framed: p over all patches at "
        "most 0.05. Diamonds: patches from other runs of the same condition.",
    ),
    "Robustness": Figure(
        title="Scores over noise in each layer",
        caption="Bands: intervals over stimuli, each with noise of its own. Crosses: where half of what is above "
        "chance is lost. Levels are evenly spaced, whatever lies between them.",
    ),
    "Searchlight": Figure(
        title="Where the model fits",
        caption="Likeness of the model to the units around each unit, at its place; ringed: told from chance "
        "(corrected over centres). Neighbours share units, so a value belongs to its surroundings.",
    ),
    "SelectivityImpact": Figure(
        title="Selective units, and units that are needed",
        caption="One dot for each unit: its selectivity, and what is lost without it on all stimuli (left) and on "
        "those of its preferred class (right). Darker: a higher mean activation. r: of disjoint halves of the stimuli, "
        "with its interval over units and stimuli; ceiling: of numbers with this noise. Crosses: units that "
        "never change.",
    ),
    "Reduction": Figure(
        title="Latents, and what they explain", caption=reduction_caption, table="components of the latents"
    ),
    "Structure": Figure(
        title="Against surrogates",
        caption="Line: the value of the data, with its interval; histograms: surrogates of each null, treated alike; "
        "bar: their middle 95 %; tick: their mean. p is of the claim beside the heading; sd: distance from the mean in "
        "standard deviations of the surrogates.",
    ),
    "ShapeSpace": Figure(
        title="The systems among each other",
        caption="Distances in the order of the tree (darker is nearer), the tree above them (filled dot: a cluster of "
        "at least 95 % of the draws over stimuli), and the map of the systems by classical scaling.",
    ),
    "Attribution": Figure(
        title="What activations hang on",
        caption="Red places raise the activation, blue ones lower it; each map on its own scale. Below: areas under "
        "deletion and insertion curves, less those of random orders (0: no better than random), and the rank "
        "correlation of maps with those of a network with shuffled weights (high: the map shows the stimulus and not "
        "the network; bar: maps of different stimuli). Lines: intervals over stimuli.",
    ),
    "Shapley": Figure(title="What each player adds", caption=_shapley),
    "PredictedPerturbation": Figure(
        title="What perturbing units should change",
        caption="Predicted change of the first outcome, a dot with its interval for each family of models; grey: the "
        "middle 95 % of random sets matched in mean response. Right: trials in each of two arms by which the change is "
        "found. Models were fitted to undisturbed activity and assume that the readout is causal.",
    ),
    "PerturbationScore": Figure(
        title="Predictions against the experiment",
        caption="Observed against predicted changes, in standard deviations from trial to trial, one colour for each "
        "family of models; bars: intervals of predictions, standard errors of what was observed. Dashed: equal.",
    ),
    "Synthesis": Figure(
        title="Stimuli made for each unit, beside the best natural ones",
        caption="Number above a picture: the activation, measured again for the stimuli as they are saved. p: against "
        "stimuli with the same amplitude spectrum and random phases; seeds agree: mean cosine, at the best shift, of "
        "stimuli from different starts. Each picture has its own range.",
    ),
    "UnitReport": Figure(
        title="What is known of each unit",
        caption="Of one unit: every number (corrected where there is a correction) with its interval, what chance or "
        "an untuned unit gives, and p (bold: at most 0.05), beside what each part shows. Of many: one row per unit, "
        "each column on its own scale.",
    ),
    "UnitTable": Figure(title="Tuning and selectivity of each unit", caption=_unit_table),
    "VariancePartition": Figure(
        title="What the models explain, together, alone and uniquely",
        caption=_partition,
    ),
}


def _of_structure(result: Any) -> list[Figure]:
    if result.planes is None:
        return []
    caption = (
        "Conditions in the plane in which they turn fastest: of the data, and of one surrogate of each null."
    )
    return [Figure(title="What a rotation looks like", caption=caption, options={"planes": True})]


# Figures that follow the first, in their order
FURTHER: Mapping[str, Callable[[Any], list[Figure]]] = {
    "Reduction": further_of_reduction,
    "Structure": _of_structure,
}
