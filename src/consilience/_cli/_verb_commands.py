"""The commands of the verbs beside compare."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._network_commands import (
    ablate,
    attribute,
    patch,
    robustness,
    selectivity_impact,
    synthesize,
)
from consilience._cli._options import MEASURES, call
from consilience._cli._population_commands import geometry, reduce, structure, subspaces
from consilience._cli._unit_commands import (
    characterize,
    decode,
    dimensionality,
    encode,
    predict_perturbation,
    psth,
    quality,
    receptive_field,
    score_perturbation,
    unit_report,
)
from consilience._cli._verb_options import (
    BOOT,
    BY,
    DRAWN_BY,
    FILES,
    FOLDS,
    IN_SAMPLE,
    INFERENCE,
    JOIN,
    LEVEL,
    LIKENESS,
    NOISE,
    SPLITS,
    WRITTEN,
    run_verb,
)

__all__ = ["COMMANDS"]


@click.command()
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--distance",
    help="crossnobis, poisson_crossvalidated (of single trials), correlation, euclidean, cosine, mahalanobis...  "
    "[default: crossnobis where there are repeats, else correlation]",
)
@FOLDS
@NOISE
@SPLITS
@BY
@JOIN
@BOOT
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def rdms(**options: Any) -> int:
    """Dissimilarity matrices of files over the same stimuli, cross-validated over folds where there are repeats."""
    return run_verb("_rdms", options)


@click.command()
@click.argument("data", type=click.Path())
@click.argument("models", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(["nnls", "ols"]),
    help="Weights of models: at least 0, or any.  [default: nnls]",
)
@click.option("--distance", help="For responses: euclidean, cosine...  [default: correlation]")
@BY
@JOIN
@INFERENCE
@FILES
@WRITTEN
def partition(**options: Any) -> int:
    """What part of the RDM of DATA only one of several models explains, and what they share."""
    return run_verb("_partition", options)


@click.command("shape-space")
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--measure",
    "-m",
    help="Distances are the angles of this similarity; cka:debiased=no...  [default: procrustes]",
)
@click.option(
    "--in-sample", is_flag=True, help="Fit alignments and score them on the same stimuli: a metric, inflated."
)
@click.option("--group", "groups", multiple=True, help="NAME=LABEL: the group of a file; give one for each.")
@BY
@JOIN
@INFERENCE
@FILES
@WRITTEN
def shape_space(**options: Any) -> int:
    """Distances between many files, a map of them, their tree, and distances within and between groups."""
    return run_verb("_shape_space", options)


@click.command("evaluate-models")
@click.argument("data", type=click.Path())
@click.argument("models", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--and",
    "more",
    type=click.Path(),
    multiple=True,
    help="A further subject, or part of the data, beside DATA: it gives a noise ceiling.",
)
@click.option(
    "--method",
    help="cosine, pearson, spearman, kendall, rho_a, whitened_cosine, whitened_pearson.  [default: cosine]",
)
@click.option(
    "--weighted",
    multiple=True,
    help="NAME=MODEL,MODEL: a further model, their sum with fitted weights, cross-validated.",
)
@click.option("--cv", type=click.IntRange(min=2), help="Folds of stimuli, where a model is fitted.")
@click.option(
    "--correction",
    type=click.Choice(["holm", "fdr", "max", "none"]),
    help="Of p over models and over pairs.  [default: holm]",
)
@click.option("--distance", help="For responses: euclidean, cosine...  [default: correlation]")
@JOIN
@INFERENCE
@FILES
@WRITTEN
def evaluate_models(**options: Any) -> int:
    """How well models of an RDM explain DATA: values, noise ceilings, tests between all models. Labels that name no
    file are of DATA: --label subject=FILE says of whom each of its RDMs is.
    """
    return run_verb("_evaluate_models", options)


@click.command("rdm-movie")
@click.argument("data", type=click.Path())
@click.argument("models", type=click.Path(), nargs=-1)
@click.option(
    "--time",
    type=click.Path(),
    help="Times of the samples in seconds, one a line or .npy, where DATA (trial, time, unit) has none.",
)
@click.option(
    "--distance",
    help="crossnobis, correlation, euclidean...  [default: crossnobis where there are repeats, else correlation]",
)
@FOLDS
@NOISE
@click.option("--window", type=float, help="Seconds that are averaged before distances are taken.")
@click.option("--step", type=float, help="Seconds from one window to the next.  [default: the window]")
@LIKENESS
@SPLITS
@INFERENCE
@FILES
@WRITTEN
def rdm_movie(**options: Any) -> int:
    """RDMs of DATA over time, their reliability, and when they look like RDMs of MODELS. Labels that name no file are
    of DATA, and --rdm is of the models.
    """
    return run_verb("_rdm_movie", options)


@click.command()
@click.argument("data", type=click.Path())
@click.argument("model", type=click.Path())
@click.option("--radius", type=float, help="Of the spheres, in the unit of the coordinates; or --n-units.")
@click.option("--n-units", type=click.IntRange(min=1), help="The nearest units, the centre included.")
@click.option(
    "--coordinates",
    help="Labels of units, one for each axis of space: x,y.  [default: those of x, y, z that are there]",
)
@click.option(
    "--distance",
    type=click.Choice(["crossnobis", "euclidean", "correlation"]),
    help="[default: crossnobis where there are repeats, else correlation]",
)
@FOLDS
@click.option(
    "--noise", type=click.Choice(["diagonal"]), help="For crossnobis: units by their noise variance."
)
@LIKENESS
@INFERENCE
@FILES
@WRITTEN
def searchlight(**options: Any) -> int:
    """Where the units of DATA look like the RDM in MODEL: the units around each unit. Labels that name no file are of
    DATA (of its units, such as --label x=places.csv, or trials), and --rdm is of the model.
    """
    return run_verb("_searchlight", options)


@click.command()
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@MEASURES
@IN_SAMPLE
@click.option("--threshold", type=float, help="Of abs z beyond which a stimulus is flagged.  [default: 4]")
@click.option("--smallest", type=float, help="Change of the value that counts.  [default: 0.05]")
@BY
@JOIN
@DRAWN_BY
@FILES
@WRITTEN
def influence(**options: Any) -> int:
    """How much each stimulus moves the likeness of A and B: each left out once."""
    return run_verb("_influence", options)


@click.command()
@click.argument("model", type=click.Path())
@click.argument("animals", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--margin",
    type=float,
    required=True,
    help="Difference that does not matter, in units of the measure, chosen before looking.",
)
@click.option("--and", "more", type=click.Path(), multiple=True, help="A further model beside MODEL.")
@click.option("--measure", "-m", help="With an interval; rsa:distance=euclidean,...  [default: rsa]")
@IN_SAMPLE
@JOIN
@BOOT
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def equivalence(**options: Any) -> int:
    """Is MODEL as close to an animal as another animal is? ANIMALS are files, or one that holds RDMs of several
    subjects.
    """
    return run_verb("_equivalence", options)


@click.command()
@click.argument("table", type=click.Path())
@click.option("--scores", required=True, help="The column of scores; higher is better.")
@click.option("--groups", help="The column that says which rows are of one animal.")
@click.option(
    "--interactions", type=click.IntRange(min=2), help="2: also the interactions of all pairs of regions."
)
@click.option("--picture", type=click.Path(), help="Draw the values to this file.")
@LEVEL
@DRAWN_BY
@WRITTEN
def shapley(**options: Any) -> int:
    """What each region adds to a score, from TABLE (.csv) of lesions: a row for each animal or patient, a column for
    each region, 0 intact to 1 destroyed.
    """
    return call("_shapley", **options)


COMMANDS = (
    rdms,
    rdm_movie,
    psth,
    searchlight,
    decode,
    encode,
    evaluate_models,
    partition,
    shape_space,
    equivalence,
    influence,
    dimensionality,
    quality,
    reduce,
    structure,
    geometry,
    subspaces,
    characterize,
    receptive_field,
    unit_report,
    synthesize,
    ablate,
    robustness,
    selectivity_impact,
    shapley,
    attribute,
    predict_perturbation,
    score_perturbation,
    patch,
)
