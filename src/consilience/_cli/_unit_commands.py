"""The commands of verbs about units: their quality, responses over time, and what predicts or is told from them."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._options import DRAWS, call
from consilience._cli._verb_options import (
    AXES,
    BY,
    DRAWN_BY,
    FILES,
    GAP,
    INFERENCE,
    JOIN,
    LEVEL,
    NUMBERS,
    PERM,
    PICTURE,
    TIMES,
    WRITTEN,
    run_verb,
)

__all__ = [
    "characterize",
    "decode",
    "dimensionality",
    "encode",
    "predict_perturbation",
    "score_perturbation",
    "psth",
    "quality",
    "receptive_field",
    "unit_report",
]


@click.command()
@click.argument("x", type=click.Path())
@click.argument("y", type=click.Path())
@click.option(
    "--band",
    "bands",
    type=click.Path(),
    multiple=True,
    help="A further feature space beside X, with a penalty of its own.",
)
@click.option(
    "--model",
    help="RidgeCV, PLSCV...; with options: GLM:observation=bernoulli,...  [default: RidgeCV; with bands BandedRidgeCV]",
)
@click.option("--cv", type=click.IntRange(min=2), help="Folds.  [default: 5]")
@click.option("--groups", help="A label: stimuli of a group stay together.")
@click.option(
    "--time",
    type=click.Path(),
    multiple=True,
    help="Of series (time, unit): times in seconds, FILE for all files or NAME=FILE, where the file has none.",
)
@click.option(
    "--delays",
    help="Of series: steps by which X is delayed, 0,1,2 or FROM:TO[:STEP] (TO left out); positive = X comes first.",
)
@GAP
@BY
@JOIN
@INFERENCE
@FILES
@WRITTEN
def encode(**options: Any) -> int:
    """Predict every unit of Y from X, on stimuli that were held out, or on held-out stretches of time: files of series
    hold (time, unit), and times.
    """
    return run_verb("_encode", options)


@click.command()
@click.argument("data", type=click.Path(), nargs=-1, required=True)
@click.option("--target", help="The label that is decoded.")
@click.option(
    "--target-file", type=click.Path(), help="Of series: the file (time, values) whose values are decoded."
)
@NUMBERS
@click.option(
    "--by",
    multiple=True,
    help="Of units recorded apart: labels whose combinations are the conditions.  [default: the target]",
)
@click.option("--session", help="The label that tells units recorded apart in one file, such as site.")
@click.option(
    "--n-draws", type=click.IntRange(min=1), help="How often pseudo-trials are made.  [default: 10]"
)
@click.option(
    "--model",
    help="LDA, MaxCorrelation...; with options: BayesianDecoder:bins=60,...  [default: LDA; of numbers RidgeCV]",
)
@click.option("--cv", type=click.IntRange(min=2), help="Folds.  [default: 5]")
@click.option(
    "--groups",
    help="A label: its trials stay together; trial: single trials.  [default: repeats of a stimulus where the target "
    "is a label of several stimuli each]",
)
@click.option("--folds", help="A label (run, session): each of its levels is held out in turn.")
@click.option(
    "--over-time",
    type=click.Choice(["each", "mean", "all"]),
    help="Of (trial, time, unit): decode at each time, from the mean, or from all times together.  [default: each]",
)
@click.option("--generalise-time", is_flag=True, help="Train at each time, test at every time.")
@click.option("--train-on", multiple=True, help="LABEL=VALUE[,VALUE...]: the trials to train on.")
@click.option("--test-on", multiple=True, help="LABEL=VALUE[,VALUE...]: the trials to test on.")
@click.option("--score", help="balanced_accuracy, accuracy, auc, log_loss; r, r2; circular_error.")
@TIMES
@GAP
@INFERENCE
@FILES
@WRITTEN
def decode(**options: Any) -> int:
    """Tell a label of the trials (category, choice), or the series of another file, from the responses in DATA, on
    trials or stretches of time that were held out. Several DATA are sessions recorded apart, whose units are joined to
    a pseudo-population.
    """
    return run_verb("_decode", options)


@click.command("predict-perturbation")
@click.argument("data", type=click.Path())
@click.option("--target", help="The label that models decode.")
@click.option(
    "--target-file",
    type=click.Path(),
    help="Instead of it: a file (time, values) of a series, or the responses of other units (trial, unit).",
)
@NUMBERS
@click.option(
    "--sets",
    multiple=True,
    required=True,
    help="NAME=UNIT,UNIT,...: units that are perturbed together, for each set; or the name of a label of units.",
)
@click.option(
    "--act",
    multiple=True,
    help="silence, to=VALUE, add=VALUE or sd=K (standard deviations); several times for several.  [default: silence]",
)
@click.option("--n-controls", type=DRAWS, help="Matched sets of other units.  [default: 100]")
@click.option("--n-refits", type=DRAWS, help="Fits to halves of the rows.  [default: 40]")
@click.option(
    "--power", type=click.FloatRange(0, 1), help="Of the test that trials are counted for.  [default: 0.8]"
)
@click.option("--alpha", type=click.FloatRange(0, 1), help="Of that test.  [default: 0.05]")
@click.option("--trial", type=click.IntRange(min=1), help="Of a series: steps that make one trial.")
@click.option("--cv", type=click.IntRange(min=2), help="Folds.  [default: 5]")
@click.option("--groups", help="A label: its trials stay together; trial: single trials.")
@click.option("--folds", help="A label (run, session): each of its levels is held out in turn.")
@click.option(
    "--over-time",
    type=click.Choice(["mean", "all"]),
    help="Of (trial, time, unit): from the mean, or from all times together.  [default: mean]",
)
@TIMES
@GAP
@PICTURE
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def predict_perturbation(**options: Any) -> int:
    """What silencing or driving units of DATA should change, as models fitted to undisturbed recordings predict it."""
    return run_verb("_perturbation", options)


@click.command("score-perturbation")
@click.argument("prediction", type=click.Path())
@click.argument("measured", type=click.Path())
@PICTURE
@LEVEL
@WRITTEN
def score_perturbation(**options: Any) -> int:
    """How well PREDICTION, the .nc file of predict-perturbation, met the experiment: MEASURED is a .csv or .tsv with
    the columns perturbation, outcome and change (se, where known), or condition (intact, perturbed) and value of single
    trials.
    """
    return call("_score_perturbation", **options)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--on", help="Of a recording: trials from this table.column, for what needs repeats.")
@click.option("--window", type=(float, float), help="From and to, in seconds from the event.")
@click.option("--stimulus", help="The column with stimulus ids.")
@click.option(
    "--measure", "-m", "measures", multiple=True, help="reliability, firing_rate...  [default: all]"
)
@click.option("--by", help="What counts as the same stimulus.  [default: stimulus]")
@click.option("--groups", help="A label of trials, such as run, the means of whose values are taken out.")
@click.option(
    "--refractory",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds within which a spike is too soon.  [default: 0.0015]",
)
@click.option("--n-splits", type=DRAWS, help="Halves of the repeats.  [default: 100]")
@PERM
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def quality(**options: Any) -> int:
    """How reliable and how clean each unit of FILE is: from repeats, and from spike times of a recording."""
    return run_verb("_quality", options)


@click.command()
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--measure",
    "-m",
    "measures",
    multiple=True,
    help="participation_ratio, cvpca, two_nn...  [default: those that the data allow]",
)
@click.option("--by", help="The label of trials that says what counts as one stimulus.  [default: stimulus]")
@click.option(
    "--match",
    multiple=True,
    help="What is made equal between FILES first: stimuli, bins, units, trials, snr, or all.",
)
@click.option("--n-match", type=click.IntRange(min=1), help="Draws of that.  [default: 10]")
@click.option("--first-rank", type=click.IntRange(min=1), help="Of the power law.")
@click.option("--last-rank", type=click.IntRange(min=2), help="Of the power law.")
@click.option(
    "--gap",
    type=click.IntRange(min=0),
    help="Of a series: samples between stretches.  [default: measured]",
)
@click.option("--n-perm", type=DRAWS, help="Draws of unrelated units; 0 = no null.  [default: 100]")
@LEVEL
@DRAWN_BY
@AXES
@FILES
@WRITTEN
def dimensionality(**options: Any) -> int:
    """How many dimensions the responses of FILES have, by several definitions. Noisy responses need repeats of every
    stimulus. Several FILES are systems, side by side.
    """
    return run_verb("_dimensionality", options)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--by", help="The label of trials that makes conditions.  [default: stimulus]")
@click.option("--all-trials", is_flag=True, help="All trials are one condition.")
@click.option(
    "--time", type=click.Path(), help="Times of the samples in seconds (.txt, .npy), where FILE has none."
)
@LEVEL
@FILES
@WRITTEN
def psth(**options: Any) -> int:
    """Mean responses of FILE (trial, time, unit) over trials, per condition, with intervals."""
    return run_verb("_psth", options)


@click.command()
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option("--by", help="A label of trials: class, stimulus, or angle.  [default: category]")
@click.option(
    "--measure", "-m", "measures", multiple=True, help="class_selectivity, d_prime...  [default: all]"
)
@click.option(
    "--period", type=click.FloatRange(min=0, min_open=True), help="Of angles, the whole turn: 360, 6.2832."
)
@click.option("--groups", help="A label of trials, such as run, within which labels are dealt anew.")
@click.option(
    "--rows",
    type=click.Choice(["trials", "stimuli"]),
    help="What is resampled.  [default: stimuli where a class has several]",
)
@click.option(
    "--noise-mean",
    type=click.FloatRange(min=0, min_open=True),
    help="Give a network's units the noise of neurons with this mean count first.",
)
@click.option(
    "--noise-fano", type=click.FloatRange(min=0, min_open=True), help="Their Fano factor.  [default: 1]"
)
@click.option("--noise-trials", type=click.IntRange(min=1), help="Trials of each stimulus.  [default: 1]")
@click.option("--n-splits", type=DRAWS, help="Halves of the trials.  [default: 100]")
@click.option("--n-floor", type=DRAWS, help="Draws of untuned units; 0 = no floor.  [default: 100]")
@PERM
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def characterize(**options: Any) -> int:
    """What each unit of FILES is tuned to and how sharply, beside chance and the floor of untuned units. Several FILES
    are systems, such as layers.
    """
    return run_verb("_characterize", options)


@click.command("unit-report")
@click.argument("file", type=click.Path())
@click.option("--unit", "units", multiple=True, help="A unit; give several, or none for all.")
@click.option("--by", help="A label of trials: selectivity to it.")
@click.option(
    "--variable",
    "variables",
    multiple=True,
    help="Of a recording: a signal that was followed in time, such as heading; give two for a place.",
)
@click.option(
    "--period", type=click.FloatRange(min=0, min_open=True), help="Of an angle, the whole turn: 360, 6.2832."
)
@click.option(
    "--bin", type=click.FloatRange(min=0, min_open=True), help="Seconds, of the series.  [default: 0.05]"
)
@click.option("--on", help="Of a recording: trials from this table.column.")
@click.option("--window", type=(float, float), help="From and to, in seconds from the event.")
@click.option("--stimulus", help="The column with stimulus ids.")
@PERM
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def unit_report(**options: Any) -> int:
    """All that FILE tells of a unit on one card, or of all units in one table: quality, selectivity, tuning."""
    return run_verb("_unit_report", options)


@click.command("receptive-field")
@click.argument("responses", type=click.Path())
@click.argument("stimulus", type=click.Path())
@click.option(
    "--lags",
    help="How far back: 20 (frames 0 to 19), 0.1 (seconds, with --step), FROM:TO of either.  [default: 20]",
)
@click.option(
    "--method",
    help="sta, whitened, ridge, asd, spline, low_rank, lnp, or a model: LNP:filter=asd,...  [default: ridge]",
)
@click.option(
    "--step", type=click.FloatRange(min=0, min_open=True), help="Seconds of a frame; spike times need it."
)
@click.option("--start", type=float, help="Second at which the first frame comes.  [default: 0]")
@click.option(
    "--cv", type=click.IntRange(min=2), help="Stretches, each predicted by the others.  [default: 5]"
)
@PERM
@LEVEL
@DRAWN_BY
@FILES
@WRITTEN
def receptive_field(**options: Any) -> int:
    """What in STIMULUS, and how long before, each unit of RESPONSES answers to. STIMULUS is a .npy of frames
    (n, ...), a file of features (time, unit), or a signal of the recording RESPONSES.
    """
    return run_verb("_receptive_field", options)
