"""The commands of verbs about networks: lesions, and stimuli made for their units."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._options import DRAWS, call
from consilience._cli._verb_options import (
    DRAWN_BY,
    EVALUATED,
    FILES,
    GAP,
    INFERENCE,
    LEVEL,
    PERM,
    PICTURE,
    SHOWN,
    UNITS,
    WRITTEN,
    run_verb,
)

__all__ = ["ablate", "attribute", "patch", "robustness", "selectivity_impact", "synthesize"]


@click.command()
@UNITS
@click.option(
    "--natural", help="A data set (objects92) or a folder of images, to compare with and to start from."
)
@click.option("--steps", type=click.IntRange(min=2), help="Of gradient ascent.  [default: 128]")
@click.option("--n-seeds", type=click.IntRange(min=1), help="Stimuli of each unit.  [default: 2]")
@click.option(
    "--no-transforms",
    "still",
    is_flag=True,
    help="Stimuli are not moved between steps (small fields never are).",
)
@click.option("--norm", type=click.FloatRange(min=0, min_open=True), help="Of the contrast.")
@click.option(
    "--picture", type=click.Path(), help="Draw the stimuli to this file, beside the best natural ones."
)
@DRAWN_BY
@WRITTEN
def synthesize(**options: Any) -> int:
    """Stimuli that drive UNITS of LAYER of NETWORK most (efficientnet_lite0), and what they are worth."""
    return call("_synthesize", **options)


@click.command()
@click.argument("network", metavar="NETWORK|DATA")
@click.argument("layer", required=False)
@click.option(
    "--stimuli", "shown", help="Of a network: a data set (objects92, mnist) or a folder of images; needed."
)
@click.option(
    "--target",
    help="Of a network: labels of the stimuli, one of theirs by name, or a file (.txt, .json, .yaml or .npy) of output "
    "numbers.  [default: what the intact network answers]  Of DATA: the label that is decoded.",
)
@click.option(
    "--target-file",
    type=click.Path(),
    help="Of DATA: instead of --target a file (time, values) of a series, or the responses of other units.",
)
@click.option("--numbers", is_flag=True, help="Of DATA: the label's values are numbers, not classes.")
@click.option("--circular", is_flag=True, help="They are angles in radians.")
@click.option(
    "--evaluate",
    type=click.Choice(["accuracy", "loss", "probability"]),
    help="Of a network.  [default: accuracy]",
)
@click.option("--score", help="Of DATA: balanced_accuracy, accuracy; r; circular_error.")
@click.option(
    "--how",
    multiple=True,
    help="zero, mean, resample, noise; of DATA also refit; may be given several times.  [default: mean]",
)
@click.option(
    "--refit",
    is_flag=True,
    help="Of DATA, beside --how: fit anew without the unit, to see what no other unit knows.",
)
@click.option(
    "--order",
    multiple=True,
    help="random, selectivity, impact, and of a network attribution, greedy; -selectivity: the other end first; may be "
    "given several times.  [default: random]",
)
@click.option(
    "--parts",
    type=click.Choice(["units", "channels", "layer", "components"]),
    help="Of a network: what is removed.",
)
@click.option("--n-orders", type=click.IntRange(min=0), help="Random orders.  [default: 20; of DATA 100]")
@click.option("--most", type=click.IntRange(min=4), help="Of a network: use the first so many stimuli.")
@click.option("--alone", is_flag=True, help="Parts one by one only, no curves.")
@click.option(
    "--unchecked", is_flag=True, help="Of a network: do not compare the choice of --how with others."
)
@click.option("--model", help="Of DATA: LDA, RidgeCV...; with options: GLM:observation=bernoulli,...")
@click.option("--cv", type=click.IntRange(min=2), help="Of DATA: folds.  [default: 5]")
@click.option("--groups", help="Of DATA: a label, whose trials stay together; trial: single trials.")
@click.option("--folds", help="Of DATA: a label (run, session), each level of which is held out in turn.")
@click.option(
    "--time",
    type=click.Path(),
    multiple=True,
    help="Of DATA: times in seconds, FILE for all files or NAME=FILE, where the file has none.",
)
@GAP
@PICTURE
@INFERENCE
@FILES
@WRITTEN
def ablate(**options: Any) -> int:
    """What NETWORK loses without each part of LAYER, and as parts go one after the other; or what a model that tells
    --target from DATA (a file of responses) loses without each unit.
    """
    return run_verb("_ablate", options)


@click.command()
@click.argument("network")
@click.argument("layer")
@SHOWN
@click.option(
    "--by", required=True, help="Classes of the stimuli: one of their labels (category), or a file of labels."
)
@click.option(
    "--target",
    help="The right outputs: a label of the stimuli, or a file of output numbers.  [default: what the intact network "
    "answers]",
)
@EVALUATED
@click.option(
    "--selectivity",
    type=click.Choice(["class_selectivity", "d_prime", "eta_squared", "lifetime_sparseness"]),
    help="[default: class_selectivity]",
)
@click.option(
    "--how", multiple=True, help="mean, zero, resample, noise; may be given several times.  [default: mean]"
)
@click.option("--parts", type=click.Choice(["units", "channels"]), help="What is removed.")
@click.option("--n-splits", type=click.IntRange(min=1), help="Halves of the stimuli.  [default: 5]")
@click.option("--n-boot", type=DRAWS, help="Draws of each interval; 0 = none.  [default: 300]")
@PICTURE
@PERM
@LEVEL
@DRAWN_BY
@WRITTEN
def selectivity_impact(**options: Any) -> int:
    """Are the selective units of LAYER those that NETWORK needs, overall and for the class they prefer?"""
    return call("_selectivity_impact", **options)


@click.command()
@click.argument("network")
@click.argument("layers", nargs=-1, required=True)
@SHOWN
@click.option(
    "--target",
    help="Labels of the stimuli: one of theirs by name, or a file (.txt, .json, .yaml or .npy) of output numbers.  "
    "[default: what the intact network answers]",
)
@EVALUATED
@click.option(
    "--noise", type=click.Choice(["gaussian", "signal-dependent", "dropout"]), help="[default: gaussian]"
)
@click.option(
    "--scale",
    type=click.Choice(["unit", "layer"]),
    help="Of the noise: each unit's own standard deviation, or one for the layer.  [default: unit]",
)
@click.option(
    "--strength",
    "strengths",
    type=click.FloatRange(min=0),
    multiple=True,
    help="Of the noise; several, rising.  [default: 0.25, 0.5, 1, 2, 4]",
)
@click.option("--n-draws", type=click.IntRange(min=1), help="Of noise, for each stimulus.  [default: 10]")
@click.option("--most", type=click.IntRange(min=4), help="Use the first so many stimuli.")
@PICTURE
@INFERENCE
@WRITTEN
def robustness(**options: Any) -> int:
    """What noise in each of LAYERS costs NETWORK, and at which strength half is lost."""
    return call("_robustness", **options)


@click.command()
@UNITS
@SHOWN
@click.option(
    "--method",
    multiple=True,
    help="integrated_gradients, smoothgrad, grad_cam, gradient_x_input, gradient, occlusion; may be given several "
    "times.  [default: integrated_gradients]",
)
@click.option("--most", type=click.IntRange(min=1), help="Use the first so many stimuli.")
@click.option(
    "--n-check", type=click.IntRange(min=0), help="Stimuli that the maps are tested on.  [default: 12]"
)
@click.option("--picture", type=click.Path(), help="Draw the maps to this file.")
@LEVEL
@DRAWN_BY
@WRITTEN
def attribute(**options: Any) -> int:
    """Maps of what UNITS of LAYER of NETWORK answer to in each stimulus, with tests of the maps."""
    return call("_attribute", **options)


@click.command()
@click.argument("network")
@click.argument("layers", nargs=-1, required=True)
@click.option(
    "--clean",
    required=True,
    help="A folder of images, a data set, or a .txt with a text a line: what the network answers well.",
)
@click.option(
    "--corrupted",
    help="The same, with the same names of images or numbers of lines: what it answers otherwise.  [this, or --noise]",
)
@click.option("--noise", help="Instead of --corrupted: the layer on which noise corrupts the clean stimuli.")
@click.option(
    "--sd",
    type=click.FloatRange(min=0, min_open=True),
    help="Of the noise, in standard deviations of that layer.  [default: 3]",
)
@click.option(
    "--pairs",
    help="A label of both by which stimuli are paired.  [default: their names, or numbers of lines]",
)
@click.option(
    "--target",
    help="The right outputs: a label of the stimuli, or a file (.txt, .json, .yaml or .npy) of output numbers of the "
    "clean stimuli.  [default: what the network answers to them]",
)
@click.option(
    "--other",
    help="The outputs that they are set against: the same of the corrupted stimuli.  [default: --target, where it is "
    "a label; else what the network answers to them]",
)
@click.option(
    "--evaluate",
    type=click.Choice(["difference", "logit", "probability", "loss", "accuracy"]),
    help="difference: output of the target less that of the other.  [default: difference; with --noise and no --other "
    "probability]",
)
@click.option(
    "--direction",
    type=click.Choice(["denoise", "noise"]),
    help="denoise: clean into corrupted.  [default: denoise]",
)
@click.option("--places", help="each, or a number of blocks along each axis.  [default: all together]")
@click.option("--parts", help="channels, or a number of equal runs of features.  [default: all together]")
@click.option(
    "--window", type=click.IntRange(min=1), help="Neighbouring layers patched together.  [default: 1]"
)
@click.option("--n-controls", type=click.IntRange(min=0, max=1000), help="Foreign patches.  [default: 4]")
@click.option("--n-noise", type=click.IntRange(min=1, max=10_000), help="Draws of --noise.  [default: 8]")
@click.option("--n-null", type=DRAWS, help="Draws for p; 0 = none.  [default: 2000]")
@PICTURE
@LEVEL
@DRAWN_BY
@WRITTEN
def patch(**options: Any) -> int:
    """How much of what sets two runs of NETWORK apart goes through each of LAYERS (activation patching)."""
    return call("_patch", **options)
