"""The commands of verbs about whole populations."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._options import DRAWS
from consilience._cli._verb_options import (
    AXES,
    DRAWN_BY,
    FILES,
    GAP,
    LEVEL,
    PICTURE,
    WRITTEN,
    run_verb,
)

__all__ = ["geometry", "reduce", "structure", "subspaces"]


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--statistic",
    multiple=True,
    help="rotation, rotation_r2, rotation_rate, linear_dynamics, tangling, curvature, variance_in_k; several times.  "
    "[default: rotation]",
)
@click.option(
    "--null",
    multiple=True,
    help="tensor_max_entropy, circular, phase, conditions, trials, steps, line; several times.  [default: "
    "tensor_max_entropy, of curvature alone steps]",
)
@click.option("--by", help="The label of trials that makes conditions.  [default: stimulus]")
@click.option("--all-trials", is_flag=True, help="Every trial is a condition.")
@click.option("--rows", type=click.Choice(["conditions", "trials"]), help="What the statistic is of.")
@click.option("--n-components", type=click.IntRange(min=1), help="Axes that trajectories are reduced to.")
@click.option("--keep-mean", is_flag=True, help="Do not take out the mean over conditions at each time.")
@click.option(
    "--soft-normalise",
    type=click.FloatRange(min=0),
    help="Divide units by their range plus this, in their unit.",
)
@click.option(
    "--alternative", type=click.Choice(["greater", "less", "two-sided"]), help="Where the claim lies."
)
@click.option("--interval", type=click.Choice(["conditions", "trials"]), help="What is left out in turn.")
@click.option("--n-null", type=DRAWS, help="Surrogates.  [default: 500]")
@LEVEL
@DRAWN_BY
@AXES
@FILES
@WRITTEN
def structure(**options: Any) -> int:
    """Is a rotation, or other structure, of trajectories in FILE (trial, time, unit) more than that of surrogates?"""
    return run_verb("_structure", options)


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--model",
    help="pca, fa, gpfa, dpca, jpca, lds, cp, or a name of cs.models; or with options, pca:n_components=3, of several "
    "the one that held-out units choose, gpfa:n_components=1+2+4.  [default: pca]",
)
@click.option("--by", "label", multiple=True, help="A label of trials that makes conditions; several times.")
@click.option("--single-trials", is_flag=True, help="Fit single trials, not means of conditions.")
@click.option("--means", is_flag=True, help="Fit means of conditions, not single trials.")
@click.option("--standardise", is_flag=True, help="Divide units by their standard deviation.")
@click.option("--cv", type=click.IntRange(min=0), help="Folds; 0 = nothing held out.  [default: 5]")
@click.option(
    "--groups",
    help="A label: trials of a group are held out together; trial = each by itself.  [default: auto]",
)
@GAP
@PICTURE
@click.option(
    "--n-boot",
    type=DRAWS,
    help="Draws of rows; 0 = no intervals.  [default: 200 for PCA and models of scikit-learn, 20 for others]",
)
@click.option(
    "--n-perm",
    "--surrogates",
    "n_perm",
    type=DRAWS,
    help="Surrogates, or shuffles of labels: p is at least 1 / (this + 1); 0 = no p.  [default: 200 for PCA, factor "
    "analysis and models of scikit-learn, 20 for others, each of which is a fit]",
)
@LEVEL
@DRAWN_BY
@AXES
@FILES
@WRITTEN
def reduce(**options: Any) -> int:
    """Latents of the population in FILE: variance explained held out and against a null, loadings, their stability."""
    return run_verb("_reduce", options)


@click.command()
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option("--by", help="With one FILE: the label of trials, of two values, that parts it in two.")
@click.option(
    "--condition",
    multiple=True,
    help="The label of trials whose means are compared; several times: their cells.  [default: stimulus, where it "
    "has 4 trials of each]",
)
@click.option("--trials", is_flag=True, help="Trials are the samples, noise is part of the covariance.")
@click.option("--k", type=click.IntRange(min=1), help="Dimensions.  [default: as hold 80 % of the variance]")
@click.option("--join", type=click.Choice(["exact", "inner"]), help="Same units, or those that both have.")
@click.option("--n-splits", type=click.IntRange(min=1), help="Into halves of the trials.  [default: 10]")
@click.option("--n-null", type=DRAWS, help="Random subspaces; 0 = none.  [default: 1000]")
@LEVEL
@DRAWN_BY
@AXES
@FILES
@WRITTEN
def subspaces(**options: Any) -> int:
    """Do two epochs, days or areas (two FILES, or one and --by) with the same units use the same dimensions?"""
    return run_verb("_subspaces", options)


@click.command()
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--by",
    multiple=True,
    required=True,
    help="The label of trials that makes conditions; several times: their cells are the conditions.",
)
@click.option(
    "--measure", "-m", "methods", multiple=True, help="ccgp, parallelism, shattering...  [default: all]"
)
@click.option(
    "--match",
    multiple=True,
    help="What is made equal between FILES first: stimuli, bins, units, trials, snr, or all.",
)
@click.option("--n-draws", type=click.IntRange(min=1), help="Draws of that.  [default: 5]")
@click.option(
    "--baseline",
    multiple=True,
    metavar="[NAME=]FILE",
    help="An untrained copy of FILE, or of the one called NAME; several times: more copies. The result then has the "
    "gain over them.",
)
@click.option("--device", help="Torch device for capacity, such as cuda.  [default: none, NumPy]")
@click.option("--as-they-are", is_flag=True, help="Do not z-score units.")
@click.option("--n-null", type=DRAWS, help="Draws of the null; 0 = none.  [default: 200]")
@LEVEL
@DRAWN_BY
@AXES
@FILES
@WRITTEN
def geometry(**options: Any) -> int:
    """How do the conditions of FILES lie to each other? Several FILES are systems, such as layers, side by side."""
    return run_verb("_geometry", options)
