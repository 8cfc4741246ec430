"""Every keyword of the five verbs of populations can be reached from the command line and from a study."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

import consilience as cs
from consilience import analyses
from consilience.study import load

OF_PYTHON = {
    "rng": "--seed, and seed: of the study",
    "baseline": "copies: files of the command, of networks in a study; tested below",
    "device": "of the machine, not of the study; of the command tested below",
    "progress": "a line on stderr",
}
# verb -> keyword -> (words of the command, the same in a study, what the verb is given)
TABLE = {
    "reduce": {
        "model": (["--model", "lds:n_components=2"], "model: 'lds:n_components=2'", "LDS(n_components=2)"),
        "labels": (["--by", "side", "--by", "place"], "labels: [side, place]", ["side", "place"]),
        "average": (["--means"], "average: true", True),
        "standardise": (["--standardise"], "standardise: true", True),
        "cv": (["--cv", 3], "cv: 3", 3),
        "groups": (["--groups", "place"], "groups: place", "place"),
        "gap": (["--gap", "0.5"], "gap: 0.5", 0.5),
        "n_boot": (["--n-boot", 7], "n_boot: 7", 7),
        "n_perm": (["--surrogates", 99], "n_perm: 99", 99),
        "level": (["--level", 0.9], "level: 0.9", 0.9),
    },
    "dimensionality": {
        "measures": (["-m", "cvpca", "-m", "shared"], "measures: [cvpca, shared]", ["cvpca", "shared"]),
        "by": (["--by", "place"], "by: place", "place"),
        "match": (["--match", "all"], "match: all", ["all"]),
        "n_match": (["--n-match", 3], "n_match: 3", 3),
        "fit": (["--first-rank", 2, "--last-rank", 9], "fit: [2, 9]", [2, 9]),
        "gap": (["--gap", 4], "gap: 4", 4),
        "n_perm": (["--n-perm", 9], "n_perm: 9", 9),
        "level": (["--level", 0.9], "level: 0.9", 0.9),
    },
    "structure": {
        "statistic": (["--statistic", "tangling"], "statistic: tangling", ["tangling"]),
        "null": (["--null", "phase", "--null", "circular"], "null: [phase, circular]", ["phase", "circular"]),
        "by": (["--all-trials"], "by: none", None),
        "rows": (["--rows", "trials"], "rows: trials", "trials"),
        "n_components": (["--n-components", 4], "n_components: 4", 4),
        "subtract_mean": (["--keep-mean"], "subtract_mean: false", False),
        "soft_normalise": (["--soft-normalise", 5], "soft_normalise: 5", 5.0),
        "alternative": (["--alternative", "less"], "alternative: less", "less"),
        "interval": (["--interval", "trials"], "interval: trials", "trials"),
        "n_null": (["--n-null", 9], "n_null: 9", 9),
        "level": (["--level", 0.9], "level: 0.9", 0.9),
    },
    "subspaces": {
        "by": (["--by", "side"], "by: side", "side"),
        "condition": (
            ["--condition", "side", "--condition", "place"],
            "condition: [side, place]",
            ["side", "place"],
        ),
        "k": (["--k", 3], "k: 3", 3),
        "join": (["--join", "inner"], "join: inner", "inner"),
        "n_splits": (["--n-splits", 3], "n_splits: 3", 3),
        "n_null": (["--n-null", 9], "n_null: 9", 9),
        "level": (["--level", 0.9], "level: 0.9", 0.9),
    },
    "geometry": {
        "by": (["--by", "side", "--by", "place"], "by: [side, place]", ["side", "place"]),
        "methods": (
            ["-m", "ccgp", "-m", "parallelism"],
            "methods: [ccgp, parallelism]",
            ["ccgp", "parallelism"],
        ),
        "match": (["--match", "units", "--match", "snr"], "match: [units, snr]", ["units", "snr"]),
        "n_draws": (["--n-draws", 3], "n_draws: 3", 3),
        "standardise": (["--as-they-are"], "standardise: false", False),
        "n_null": (["--n-null", 9], "n_null: 9", 9),
        "level": (["--level", 0.9], "level: 0.9", 0.9),
    },
}
NEEDED = {"geometry": {"by": (["--by", "side"], "by: side")}}
SIDES = {"subspaces": "a: pfc"}
PLACES = [(verb, keyword) for verb, table in TABLE.items() for keyword in table]


@pytest.fixture
def pfc(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(size=(12, 6, 4))
    made = cs.responses(
        x, dims=("trial", "time", "unit"), time=np.arange(6) * 0.1, stimulus=np.repeat(range(6), 2), repeat="count",
        side=np.tile(["l", "r"], 6), place=np.tile(["a", "b", "c"], 4), kind="rate",
    )  # fmt: skip
    made.to_netcdf(tmp_path / "pfc.nc")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(folder, verb, lines, name="pfc"):
    body = ", ".join([SIDES.get(verb, f"data: {name}"), *lines, "name: z"])
    text = "seed: 0\noutput: out\nsystems:\n  pfc: {read: pfc.nc}\nanalyses:\n"
    (folder / "study.yaml").write_text(f"{text}  - {verb}: {{{body}}}\n")
    return folder / "study.yaml"


def plain(value):
    if hasattr(value, "get_params"):
        return repr(value)
    return list(value) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("verb", TABLE)
def test_no_keyword_is_left_out(verb):
    signature = inspect.signature(getattr(cs, verb)).parameters.values()
    keywords = {p.name for p in signature if p.kind is p.KEYWORD_ONLY or p.name == "model"}
    assert set(TABLE[verb]) == keywords - set(OF_PYTHON)


@pytest.mark.parametrize(("verb", "keyword"), PLACES)
def test_keyword_from_the_command_line_and_from_a_study(call, pfc, monkeypatch, verb, keyword):
    words, line, want = TABLE[verb][keyword]
    needed = [entry for key, entry in NEEDED.get(verb, {}).items() if key != keyword]
    heard = {}

    def verb_heard(*data, **options):
        heard.update(options)
        raise cs.InputError("heard", code="heard")

    monkeypatch.setattr(analyses, verb, verb_heard)
    outcome = call(verb, "pfc.nc", *(word for entry in needed for word in entry[0]), *words)
    assert outcome.err.strip() == "error: heard [heard]"
    assert plain(heard[keyword]) == want
    (analysis,) = load(study(pfc, verb, [*(entry[1] for entry in needed), line])).analyses
    given = analysis.options[keyword]
    if keyword == "model":
        from consilience.study._verbs import VERBS

        given = VERBS[verb].made["model"](given)
    given = [given] if isinstance(want, list) and isinstance(given, str) else given
    assert plain(given) == want


def copies_of(folder, *seeds):
    for seed in seeds:
        x = np.random.default_rng(seed).normal(size=(12, 4))
        made = cs.responses(
            x, stimulus=np.repeat(range(6), 2), repeat="count", side=np.tile(["l", "r"], 6), kind="rate"
        )
        made.to_netcdf(folder / f"copy{seed}.nc")


def test_baseline_and_device_of_geometry_from_the_command_line(call, pfc):
    copies_of(pfc, 1, 2, 3, 4)
    asked = ("--by", "side", "-m", "between", "--n-null", 0)
    found = call("geometry", "copy1.nc", *asked, "--baseline", "copy2.nc", "--baseline", "copy3.nc", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["settings"]["baseline_seeds"] == [0, 1]
    two = ("geometry", "copy1.nc", "copy2.nc", *asked)
    found = call(*two, "--baseline", "copy1=copy3.nc", "--baseline", "copy2=copy4.nc")
    assert found.code == 0, found.err
    assert found.out.count("gain") == 2
    for words, said in (
        (("--baseline", "copy3.nc"), "Write NAME=FILE, once for each copy"),
        (("--baseline", "copy1=copy3.nc"), "as many copies of every file; there are 1 of copy1, 0 of copy2"),
        (("--baseline", "copi1=copy3.nc"), "Did you mean 'copy1'"),
        (("--device", "nonsense"), "device must be one that torch has"),
    ):
        refused = call(*two, *words)
        assert refused.code == 2
        assert said in " ".join(refused.err.split())
    once = ("geometry", "copy1.nc", *asked, "--baseline", "copy2.nc")
    assert call(*once, "--output", "copy2.nc").code == 2


MISTAKES = [
    ("reduce", ["--model", "pca:n_component=2"], "model: 'pca:n_component=2'", "Did you mean 'n_components'"),
    ("reduce", ["--model", "pca:"], "model: 'pca:'", "nothing after the colon"),
    ("reduce", ["--model", "umap"], "model: umap", "'umap' is not a model that reduces."),
    ("reduce", ["--gap", "wide"], "gap: wide", "auto"),
    ("reduce", ["--surrogates", "many"], "n_perm: many", "many"),
    ("reduce", ["--means", "--single-trials"], None, "give --single-trials or --means, not both."),
    ("dimensionality", ["-m", "cvpcaa"], "measures: cvpcaa", "cvpca"),
    ("dimensionality", ["--match", "unit"], "match: unit", "units"),
    ("dimensionality", ["--first-rank", 9, "--last-rank", 3], "fit: [9, 3]", "first < last"),
    ("structure", ["--statistic", "rotatio"], "statistic: rotatio", "rotation"),
    ("structure", ["--null", "shuffle"], "null: shuffle", "tensor_max_entropy"),
    ("structure", ["--all-trials", "--by", "side"], None, "give --by LABEL or --all-trials, not both."),
    ("subspaces", ["--by", "side", "--condition", "plac"], "by: side, condition: [side, plac]", "Did you mean 'place'"),
    ("subspaces", ["--by", "side", "--join", "outer"], "by: side, join: outer", "inner"),
    ("geometry", ["--by", "sid"], "by: sid", "Did you mean 'side'?"),
    ("geometry", ["--by", "side", "--match", "trial"], "by: side, match: trial", "trials"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "words", "line", "said"), MISTAKES, ids=[f"{m[0]} {m[1]}" for m in MISTAKES]
)
def test_a_mistake_gets_one_clear_sentence(call, pfc, verb, words, line, said):
    outcome = call(verb, "pfc.nc", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.strip().count("\n") <= 3  # one sentence; click's usage has lines above it
    if line is None:
        return
    from consilience.study import run

    with pytest.raises(cs.InputError) as error:
        run(study(pfc, verb, [line]))
    assert said in str(error.value)
    assert "study.yaml, line 6" in str(error.value)


def test_single_missing_values_from_a_file(call, pfc):
    x = np.random.default_rng(0).normal(size=(30, 8, 4))
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    np.save("x.npy", x)
    np.save("t.npy", np.arange(8) * 0.1)
    args = ("x.npy", "--time", "t.npy", "--dims", "trial,time,unit")
    few = ("--n-boot", 0, "--n-perm", 0)
    asked = call("reduce", *args, *few)
    assert asked.code == 2
    assert "or 'mask_values' to mark these values alone" in asked.err
    found = call("reduce", *args, *few, "--missing", "mask_values", "--model", "fa:n_components=1", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["settings"]["n_trials"] == 30
    refused = call("geometry", *args, "--missing", "mask_values", "--by", "stimulus")
    assert refused.code == 2
    assert "single values that are missing" in refused.err


def test_what_the_floor_of_p_is(call, pfc):
    outcome = call(
        "reduce", "pfc.nc", "--model", "cp:n_components=1", "--n-boot", 0, "--cv", 0, "--surrogates", 4
    )
    assert "no p is below 0.200, that of 4 surrogates; n_perm= takes more" in outcome.out


def test_names_that_are_listed_are_those_of_the_verbs():
    """Lists in help and in studies against the tables of the verbs."""
    from consilience.analyses._dimensionality_measures import OF_SERIES, OF_TRIALS
    from consilience.analyses._match import MATCHED
    from consilience.analyses._structure_statistics import STATISTICS
    from consilience.stats import SURROGATES
    from consilience.study import _verb_readers, _verbs_populations, _verbs_units

    assert set(_verbs_populations._STATISTICS) == set(STATISTICS)
    assert set(_verbs_populations._NULLS) == set(SURROGATES)
    assert set(_verb_readers.MATCHES) == {*MATCHED, "all"}
    assert set(_verbs_units._OF_DIMENSION) == {*OF_TRIALS, *OF_SERIES}
