"""Commands of the verbs beside compare: files by name, options in errors, what is written."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import consilience as cs
from consilience._cli._text import as_options
from consilience._cli._verb import names_of

from .test_commands import IDS, QUICK, refused


def test_names_of_files():
    assert names_of(["a/x.npy", "b/y.csv"]) == ["x", "y"]
    assert names_of(["a/x.npy", "b/x.npy", "y.npy"]) == ["a/x.npy", "b/x.npy", "y"]
    assert names_of(["x.npy", "x.npy"]) == ["x.npy (a)", "x.npy (b)"]
    assert names_of(["x.npy"] * 3) == ["x.npy (1)", "x.npy (2)", "x.npy (3)"]


def test_advice_for_python_as_options():
    text = "cs.rdms: distance must be one of 'a'; pass folds='run' or n_boot=200."
    assert as_options(text, ["distance", "folds"]) == (
        "--distance must be one of 'a'; pass --folds run or --n-boot 200."
    )


def test_rdms(call, files):
    outcome = call("rdms", "x.npy", "y.npy", *IDS, "--distance", "euclidean", "-o", "r.nc")
    assert outcome.code == 0, outcome.err
    assert "2 systems x 20 stimuli, euclidean distance" in outcome.out
    assert "result: r.nc" in outcome.out
    ids = [f"s{i}" for i in range(20)]
    direct = cs.rdms(
        {name: cs.responses(np.load(f"{name}.npy"), stimulus=ids) for name in "xy"}, distance="euclidean"
    )
    np.testing.assert_allclose(cs.load("r.nc").rdms, direct.rdms, rtol=1e-12)


def test_rdms_as_json(call, files):
    parsed = json.loads(call("rdms", "x.npy", *IDS, "--json").out)
    assert parsed["results"][0]["system"] == "x"
    assert parsed["settings"]["verb"] == "rdms"


def test_files_that_hold_rdms_and_ids_of_one_file(call, files):
    np.save("d.npy", cs.measures.rdm(np.load("x.npy"), square=True))
    args = ("rdms", "x.npy", "d.npy", "--ids", "x=ids.txt", "--ids", "d=ids.txt", "--rdm", "d=correlation")
    parsed = json.loads(call(*args, "--json").out)
    assert [row["distance"] for row in parsed["results"]] == ["correlation", "correlation"]
    assert parsed["results"][0]["explained"] == pytest.approx(parsed["results"][1]["explained"])


def test_labels_reach_the_verb(call, files):
    (files / "trials.csv").write_text("half\n" + "a\nb\nc\nd\n" * 5)
    outcome = call("rdms", "x.npy", *IDS, "--label", "half=trials.csv", "--by", "half", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["settings"]["n_stimuli"] == 4
    refused(call("rdms", "x.npy", *IDS, "--by", "half"), "half")


def test_crossnobis_with_folds(call, files):
    rng = np.random.default_rng(3)
    np.save("trials.npy", np.tile(rng.normal(size=(6, 5)), (4, 1)) + 0.3 * rng.normal(size=(24, 5)))
    (files / "trials.txt").write_text("\n".join("abcdef" * 4))
    np.save("runs.npy", np.repeat([0, 1, 2, 3], 6))
    args = ("rdms", "trials.npy", "--ids", "trials.txt", "--repeat", "count", "--label", "run=runs.npy")
    outcome = call(*args, "--folds", "run", "--noise", "none", "--n-boot", 20, "-o", "r.nc")
    assert outcome.code == 0, outcome.err
    assert "crossnobis distance" in outcome.out
    direct = cs.measures.crossnobis(
        np.load("trials.npy"), list("abcdef" * 4), folds=np.load("runs.npy"), noise=None, square=True
    )
    np.testing.assert_allclose(cs.load("r.nc").rdms.values[0], direct, rtol=1e-10)
    refused(call(*args, "--folds", "session"), "session")


def test_partition(call, files):
    outcome = call("partition", "x.npy", "y.npy", *IDS, "--method", "ols", *QUICK, "--json")
    assert outcome.code == 0, outcome.err
    parsed = json.loads(outcome.out)
    ids = [f"s{i}" for i in range(20)]
    x, y = (cs.responses(np.load(f"{n}.npy"), stimulus=ids) for n in "xy")
    direct = cs.partition(x, {"y": y}, method="ols", n_boot=10, n_perm=10, rng=0)
    assert [row["value"] for row in parsed["results"]] == pytest.approx(direct.data["value"].values.tolist())
    refused(call("partition", "x.npy", *IDS), "MODELS")


def test_shape_space(call, files):
    np.save("z.npy", np.random.default_rng(5).normal(size=(20, 4)))
    groups = ("--group", "x=one", "--group", "y=one", "--group", "z=two")
    args = ("shape-space", "x.npy", "y.npy", "z.npy", *IDS, "--measure", "cka", *QUICK)
    parsed = json.loads(call(*args, *groups, "--json").out)
    assert [(row["a"], row["b"]) for row in parsed["results"]] == [("x", "y"), ("x", "z"), ("y", "z")]
    ids = [f"s{i}" for i in range(20)]
    systems = {n: cs.responses(np.load(f"{n}.npy"), stimulus=ids) for n in "xyz"}
    direct = cs.shape_space(systems, "cka", n_boot=10, n_perm=10, rng=0).to_frame()
    assert [row["value"] for row in parsed["results"]] == pytest.approx(direct["value"].tolist())
    assert "groups: within" in call(*args, *groups).out
    refused(call(*args, "--group", "x"), "--group must be NAME=LABEL, got x.")
    refused(call("shape-space", "x.npy", "y.npy", *IDS), "at least 3")


def test_encode(call, files):
    args = ("encode", "x.npy", "y.npy", *IDS, "--cv", 4, *QUICK)
    parsed = json.loads(call(*args, "--json").out)
    assert len(parsed["results"]) == 5
    ids = [f"s{i}" for i in range(20)]
    x, y = (cs.responses(np.load(f"{n}.npy"), stimulus=ids) for n in "xy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        direct = cs.encode(x, y, cv=4, n_boot=10, n_perm=10, rng=0)
    assert [row["r"] for row in parsed["results"]] == pytest.approx(direct.data["r"].values.tolist())
    assert "x predicts y: 5 units" in call(*args, "--model", "PLSCV").out
    np.save("z.npy", np.random.default_rng(5).normal(size=(20, 4)))
    assert "z: median share of R2" in call(*args, "--band", "z.npy").out
    refused(call(*args, "--model", "RigdeCV"), "Did you mean 'RidgeCV'")


def test_evaluate_models(call, files):
    np.save("z.npy", np.load("x.npy") + np.load("y.npy"))
    args = ("evaluate-models", "z.npy", "x.npy", "y.npy", *IDS, "--method", "pearson", *QUICK)
    parsed = json.loads(call(*args, "--json").out)
    assert [row["model"] for row in parsed["results"]] == ["x", "y"]
    ids = [f"s{i}" for i in range(20)]
    x, y, z = (cs.responses(np.load(f"{n}.npy"), stimulus=ids) for n in "xyz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        direct = cs.evaluate_models({"x": x, "y": y}, z, method="pearson", n_boot=10, n_perm=10, rng=0)
    assert [row["value"] for row in parsed["results"]] == pytest.approx(direct.data["value"].values.tolist())
    assert "3 models" in call(*args, "--weighted", "both=x,y").out
    refused(call(*args, "--weighted", "both"), "--weighted must be NAME=MODEL,MODEL")
    refused(call(*args, "--weighted", "both=x,q"), "'q' is none of the models")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--distance", "cosin"], "--distance must be one of"),
        (["--ids", "z=ids.txt"], "'z' is none of the files"),
        (["--label", "run"], "--label must be LABEL=FILE or NAME:LABEL=FILE"),
        (["--label", "z:run=runs.npy"], "'z' is none of the files"),
        (["--label", "run=runs.npy"], "runs.npy does not exist"),
        (["--output", "r.txt"], "--output must end in .nc"),
        (["--missing", "drop"], "'drop' is not one of"),
    ],
)
def test_refused_by_option(call, files, args, words):
    refused(call("rdms", "x.npy", *IDS, *args), words)


def test_an_input_is_never_overwritten(call, files):
    cs.responses(np.load("x.npy"), stimulus=[f"s{i}" for i in range(20)]).to_dataset(name="x").to_netcdf(
        "x.nc", engine="h5netcdf"
    )
    refused(call("rdms", "x.nc", "-o", "x.nc"), "--output x.nc is one of the inputs")


def test_missing_values_are_named_as_an_option(call, files):
    values = np.load("x.npy")
    values[3, 1] = np.nan
    np.save("x.npy", values)
    refused(call("rdms", "x.npy", *IDS), "--missing omit")
    assert call("rdms", "x.npy", *IDS, "--missing", "omit").code == 0


def test_compare_reads_rdms_labels_and_missing_as_the_other_commands_do(call, files):
    np.save("d.npy", cs.measures.rdm(np.load("x.npy"), square=True))
    draws = ("--n-boot", "0", "--n-perm", "0")
    args = ("compare", "x.npy", "d.npy", "--ids", "ids.txt", "--rdm", "d=correlation", *draws)
    outcome = call(*args, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["results"][0]["value"] == pytest.approx(1)
    x = np.load("x.npy")
    x[3, 1] = np.nan
    np.save("nan.npy", x)
    (files / "trials.csv").write_text("half\n" + "a\nb\nc\nd\n" * 5)
    both = ("compare", "nan.npy", "y.npy", "--ids", "ids.txt", "--label", "half=trials.csv", *draws)
    assert call(*both).code == 2
    outcome = call(*both, "--missing", "omit", "--join", "inner")
    assert "19 stimuli" in outcome.out


@pytest.mark.filterwarnings("default::consilience.ConsilienceWarning")
def test_a_file_that_looks_like_an_rdm_is_doubted_once(call, files):
    np.save("d.npy", cs.measures.rdm(np.load("x.npy"), square=True))
    outcome = call("evaluate-models", "x.npy", "d.npy", *IDS, "--n-boot", "0", "--n-perm", "0")
    assert outcome.err.count("[looks-like-rdm]") == 1
    assert "pass --rdm correlation" in outcome.err


def test_rdms_of_one_command_are_data_of_the_next(call, files):
    np.save("d.npy", cs.measures.rdm(np.load("y.npy"), square=True))
    assert call("rdms", "x.npy", *IDS, "--distance", "euclidean", "-o", "r.nc").code == 0
    args = ("partition", "r.nc", "d.npy", "--ids", "d=ids.txt", "--rdm", "d=correlation")
    outcome = call(*args, "--n-boot", "0", "--n-perm", "0", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["settings"]["data"] == "r"
