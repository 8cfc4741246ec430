"""The commands of verbs about whole populations."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._options import DRAWS
from consilience._cli._verb_options import DRAWN_BY, FILES, LEVEL, WRITTEN, run_verb

__all__ = ["structure"]


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
    help="tensor_max_entropy, circular, phase, conditions, trials; several times.  [default: tensor_max_entropy]",
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
@click.option(
    "--time", type=click.Path(), help="Times of the samples in seconds (.txt, .npy), where FILE has none."
)
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def structure(**options: Any) -> int:
    """Is a rotation, or other structure, of trajectories in FILE (trial, time, unit) more than that of surrogates?"""
    return run_verb("_structure", options)
