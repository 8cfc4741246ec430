"""The commands of the verbs beside compare, and the options that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from consilience._cli._options import DRAWS, LABEL, MEASURES, MISSING, RDM, SEED, call, debug

__all__ = ["COMMANDS"]

_READING = ("ids", "labels", "kind", "rdm", "repeat", "missing")


def _stack(*options: Any) -> Callable[[Any], Any]:
    def dress(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return dress


_files = _stack(
    click.option(
        "--ids",
        multiple=True,
        help="Stimulus ids: FILE for all files, or NAME=FILE for one (.txt, .json, .yaml or .npy).",
    ),
    LABEL,
    click.option(
        "--kind",
        multiple=True,
        help="What values are (activation, count, rate, dff, bold, voltage, latent): for all files, or NAME=KIND.",
    ),
    RDM,
    click.option(
        "--repeat",
        type=click.Choice(["count"]),
        help="count: rows of equal id are repeats of one stimulus.",
    ),
    MISSING,
)
_written = _stack(
    click.option("--output", "-o", type=click.Path(), help="Write the result to this .nc file."),
    click.option("--json", "as_json_text", is_flag=True, help="Print JSON."),
    debug,
)
_join = click.option(
    "--join", type=click.Choice(["exact", "inner"]), help="inner: shared ids only.  [default: exact]"
)
_by = click.option("--by", help="Average trials by this label.  [default: stimulus]")
_boot = click.option("--n-boot", type=DRAWS, help="Resamples; 0 = no interval.  [default: 1000]")
_perm = click.option("--n-perm", type=DRAWS, help="Permutations; 0 = no p.  [default: 1000]")
_level = click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of intervals.  [default: 0.95]",
)
_seed = click.option("--seed", "rng", type=SEED, default=0, show_default=True, help="Whole number.")
_inference = _stack(_boot, _perm, _level, _seed)
_folds = click.option("--folds", help="A label (run, session): its trials are held out together.")
_noise = click.option(
    "--noise",
    type=click.Choice(["shrinkage", "shrinkage_diagonal", "diagonal", "full", "none"]),
    help="Noise covariance of units, from the trials; diagonal where they were not recorded at once.  [default: "
    "shrinkage]",
)
_splits = click.option(
    "--n-splits", type=DRAWS, help="Halves of the trials for reliability; 0 = none.  [default: 10]"
)
_likeness = click.option(
    "--method",
    type=click.Choice(["spearman", "pearson", "cosine"]),
    help="How RDMs are compared with those of models.  [default: spearman]",
)
_in_sample = click.option(
    "--in-sample",
    is_flag=True,
    help="Score what a measure fits on the stimuli that it was fitted to: inflated.",
)


def _run(module: str, options: dict[str, Any]) -> int:
    reading = {key: options.pop(key) for key in _READING}
    return call(module, reading=reading, **options)


@click.command()
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--distance",
    help="crossnobis, poisson_crossvalidated (of single trials), correlation, euclidean, cosine, mahalanobis...  "
    "[default: crossnobis where there are repeats, else correlation]",
)
@_folds
@_noise
@_splits
@_by
@_join
@_boot
@_level
@_seed
@_files
@_written
def rdms(**options: Any) -> int:
    """Dissimilarity matrices of files over the same stimuli, cross-validated over folds where there are repeats."""
    return _run("_rdms", options)


@click.command()
@click.argument("data", type=click.Path())
@click.argument("models", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(["nnls", "ols"]),
    help="Weights of models: at least 0, or any.  [default: nnls]",
)
@click.option("--distance", help="For responses: euclidean, cosine...  [default: correlation]")
@_by
@_join
@_inference
@_files
@_written
def partition(**options: Any) -> int:
    """What part of the RDM of DATA only one of several models explains, and what they share."""
    return _run("_partition", options)


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
@_by
@_join
@_inference
@_files
@_written
def shape_space(**options: Any) -> int:
    """Distances between many files, a map of them, their tree, and distances within and between groups."""
    return _run("_shape_space", options)


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
    "--model", help="RidgeCV, KernelRidgeCV, PLSCV...  [default: RidgeCV; with bands BandedRidgeCV]"
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
@click.option(
    "--gap",
    help="Of series: left out of training beside a test stretch, steps (3), seconds (0.3) or auto.  [default: auto]",
)
@_by
@_join
@_inference
@_files
@_written
def encode(**options: Any) -> int:
    """Predict every unit of Y from X, on stimuli that were held out, or on held-out stretches of time: files of series
    hold (time, unit), and times.
    """
    return _run("_encode", options)


@click.command()
@click.argument("data", type=click.Path(), nargs=-1, required=True)
@click.option("--target", help="The label that is decoded.")
@click.option(
    "--target-file", type=click.Path(), help="Of series: the file (time, values) whose values are decoded."
)
@click.option("--numbers", is_flag=True, help="The label's values are numbers, not classes.")
@click.option("--circular", is_flag=True, help="They are angles in radians.")
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
    "--model", help="LDA, RidgeCV, MaxCorrelation, PoissonNaiveBayes...  [default: LDA; of numbers RidgeCV]"
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
@click.option(
    "--time",
    type=click.Path(),
    multiple=True,
    help="Times in seconds, FILE for all files or NAME=FILE, where the file has none.",
)
@click.option(
    "--gap",
    help="Of series: left out of training beside a test stretch, steps (3), seconds (0.3) or auto.  [default: auto]",
)
@_inference
@_files
@_written
def decode(**options: Any) -> int:
    """Tell a label of the trials (category, choice), or the series of another file, from the responses in DATA, on
    trials or stretches of time that were held out. Several DATA are sessions recorded apart, whose units are joined to
    a pseudo-population.
    """
    return _run("_decode", options)


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
@_join
@_inference
@_files
@_written
def evaluate_models(**options: Any) -> int:
    """How well models of an RDM explain DATA: values, noise ceilings, tests between all models. Labels that name no
    file are of DATA: --label subject=FILE says of whom each of its RDMs is.
    """
    return _run("_evaluate_models", options)


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
@_folds
@_noise
@click.option("--window", type=float, help="Seconds that are averaged before distances are taken.")
@click.option("--step", type=float, help="Seconds from one window to the next.  [default: the window]")
@_likeness
@_splits
@_inference
@_files
@_written
def rdm_movie(**options: Any) -> int:
    """RDMs of DATA over time, their reliability, and when they look like RDMs of MODELS. Labels that name no file are
    of DATA, and --rdm is of the models.
    """
    return _run("_rdm_movie", options)


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
@_folds
@click.option(
    "--noise", type=click.Choice(["diagonal"]), help="For crossnobis: units by their noise variance."
)
@_likeness
@_inference
@_files
@_written
def searchlight(**options: Any) -> int:
    """Where the units of DATA look like the RDM in MODEL: the units around each unit. Labels that name no file are of
    DATA (of its units, such as --label x=places.csv, or trials), and --rdm is of the model.
    """
    return _run("_searchlight", options)


@click.command()
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@MEASURES
@_in_sample
@click.option("--threshold", type=float, help="Of abs z beyond which a stimulus is flagged.  [default: 4]")
@click.option("--smallest", type=float, help="Change of the value that counts.  [default: 0.05]")
@_by
@_join
@_seed
@_files
@_written
def influence(**options: Any) -> int:
    """How much each stimulus moves the likeness of A and B: each left out once."""
    return _run("_influence", options)


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
@_in_sample
@_join
@_boot
@_level
@_seed
@_files
@_written
def equivalence(**options: Any) -> int:
    """Is MODEL as close to an animal as another animal is? ANIMALS are files, or one that holds RDMs of several
    subjects.
    """
    return _run("_equivalence", options)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--on", help="Of a recording: trials from this table.column, for what needs repeats.")
@click.option("--window", type=(float, float), help="From and to, in seconds from the event.")
@click.option("--stimulus", help="The column with stimulus ids.")
@click.option(
    "--measure", "-m", "measures", multiple=True, help="reliability, firing_rate...  [default: all]"
)
@click.option("--by", help="What counts as the same stimulus.  [default: stimulus]")
@click.option(
    "--refractory",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds within which a spike is too soon.  [default: 0.0015]",
)
@click.option("--n-splits", type=DRAWS, help="Halves of the repeats.  [default: 100]")
@_perm
@_level
@_seed
@_files
@_written
def quality(**options: Any) -> int:
    """How reliable and how clean each unit of FILE is: from repeats, and from spike times of a recording."""
    return _run("_quality", options)


@click.command()
@click.argument("file", type=click.Path())
@click.option("--by", help="The label of trials that makes conditions.  [default: stimulus]")
@click.option(
    "--time", type=click.Path(), help="Times of the samples in seconds (.txt, .npy), where FILE has none."
)
@_level
@_files
@_written
def psth(**options: Any) -> int:
    """Mean responses of FILE (trial, time, unit) over trials, per condition, with intervals."""
    return _run("_psth", options)


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
    quality,
)
