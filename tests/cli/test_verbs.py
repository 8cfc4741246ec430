"""Commands of the verbs beside compare: files by name, options in errors, what is written."""

from __future__ import annotations

import json
import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest

import consilience as cs
from consilience import analyses
from consilience._cli._commands import cli
from consilience._cli._text import as_options
from consilience._cli._verb import file_and_system, names_of

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
    before = sorted(path.name for path in files.iterdir())
    refused(call("rdms", "x.npy", *IDS, *args), words)
    assert sorted(path.name for path in files.iterdir()) == before


def test_an_input_is_never_overwritten(call, files):
    cs.responses(np.load("x.npy"), stimulus=[f"s{i}" for i in range(20)]).to_dataset(name="x").to_netcdf(
        "x.nc", engine="h5netcdf"
    )
    before = (files / "x.nc").read_bytes()
    refused(call("rdms", "x.nc", "-o", "x.nc"), "--output x.nc is one of the inputs")
    assert (files / "x.nc").read_bytes() == before


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


# -- one system of several in the RDMs that a command wrote


@pytest.fixture
def two_rdms(call, files):
    assert call("rdms", "x.npy", "y.npy", *IDS, "--distance", "euclidean", "-o", "r.nc").code == 0
    return cs.load("r.nc").to_rdm_data()


def test_a_system_is_chosen_by_its_name(call, files, two_rdms):
    draws = ("--n-boot", 0, "--n-perm", 0, "--json")
    direct = cs.measures.compare_rdms(*(d.values[0] for d in two_rdms.values()), method="spearman")
    for command in (
        ("compare", "r.nc:x", "r.nc:y"),
        ("evaluate-models", "r.nc:x", "r.nc:y", "--method", "spearman"),
    ):
        outcome = call(*command, *draws)
        assert outcome.code == 0, outcome.err
        (row,) = json.loads(outcome.out)["results"]
        assert row["value"] == pytest.approx(direct, rel=1e-12)
    again = json.loads(call("rdms", "r.nc:y", "r.nc:x", "--json").out)
    assert [row["system"] for row in again["results"]] == ["y", "x"]
    mixed = call(
        "evaluate-models", "r.nc:x", "y.npy", "--ids", "y=ids.txt", "--distance", "euclidean", *draws
    )
    assert json.loads(mixed.out)["settings"]["n_stimuli"] == 20


def test_a_system_that_was_not_chosen_is_named(call, files, two_rdms):
    rest = ("--n-boot", 0, "--n-perm", 0)
    refused(
        call("partition", "r.nc", "r.nc:y", *rest), "are of 'x', 'y': it has 2 systems; name one: r.nc:x."
    )
    refused(call("compare", "r.nc:z", "r.nc:y", *rest), "it has no system 'z'; name one: r.nc:")
    refused(call("compare", "none.nc:z", "r.nc:y", *rest), "none.nc does not exist")
    refused(call("compare", "x.npy:z", "r.nc:y", *rest), "this file is none; leave it out")
    refused(call("rdms", "r.nc:x", "-o", "r.nc"), "--output r.nc is one of the inputs")
    with pytest.raises(cs.InputError, match=r"name one: member='x' in Python, 'system: x' in a study file"):
        cs.sources.read_array("r.nc")


def test_names_of_systems_of_a_file(files, monkeypatch):
    for name in ("r.nc", "q.nc", "odd:name.npy"):
        (files / name).write_bytes(b"x")
    assert names_of(["r.nc:V1", "q.nc:IT"]) == ["V1", "IT"]
    assert names_of(["r.nc:V1", "q.nc:V1"]) == ["r.nc:V1", "q.nc:V1"]
    assert file_and_system("r.nc:data: a:b") == ("r.nc", "data: a:b")
    assert file_and_system("odd:name.npy") == ("odd:name.npy", None)
    assert file_and_system("none.npy:V1") == ("none.npy:V1", None)
    assert file_and_system("C:/none.nc:V1") == ("C:/none.nc", "V1")


# -- rdm-movie, searchlight, influence, equivalence


@pytest.fixture
def trials(files):
    """Trials in which a part of the units, and a part of the times, follow a model."""
    rng = np.random.default_rng(4)
    size = np.linspace(0, 1, 8)
    names = np.tile(list("abcdefgh"), 4)
    (files / "trials.txt").write_text("\n".join(names))
    (files / "letters.txt").write_text("\n".join("abcdefgh"))
    np.save("model.npy", np.abs(size[:, None] - size))
    np.save("runs.npy", np.repeat([0, 1, 2, 3], 8))
    signal = np.tile(3 * size[:, None] * rng.normal(size=6), (4, 1))
    volume = rng.normal(size=(32, 12))
    volume[:, :6] += signal
    movie = rng.normal(size=(32, 3, 6))
    movie[:, 1] += signal
    np.save("volume.npy", volume)
    np.save("movie.npy", movie)
    (files / "places.csv").write_text("x,y\n" + "\n".join(f"{k},0" for k in range(12)))
    (files / "times.txt").write_text("0.0\n0.1\n0.2")
    return names, volume, movie, cs.rdm_data(np.load("model.npy"), stimulus=list("abcdefgh"))


REPEATS = ("--repeat", "count", "--label", "run=runs.npy", "--folds", "run")
TO_MODEL = ("--ids", "model=letters.txt", "--rdm", "correlation")


def test_rdm_movie(call, files, trials):
    names, _, movie, model = trials
    args = ("rdm-movie", "movie.npy", "model.npy", *TO_MODEL, "--ids", "movie=trials.txt", *REPEATS)
    args = (*args, "--noise", "none", "--method", "pearson", "--n-splits", 2, *QUICK)
    outcome = call(*args, "--time", "times.txt", "-o", "r.nc")
    assert outcome.code == 0, outcome.err
    assert "result: r.nc" in outcome.out
    found = cs.load("r.nc")
    data = cs.responses(
        movie,
        dims=("trial", "time", "unit"),
        time=[0, 0.1, 0.2],
        stimulus=names,
        repeat="count",
        run=np.repeat([0, 1, 2, 3], 8),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        direct = cs.rdm_movie(
            data, models={"model": model}, folds="run", noise=None, method="pearson", n_splits=2, n_boot=10,
            n_perm=10, rng=0,
        )  # fmt: skip
    np.testing.assert_allclose(found.rdms, direct.rdms, rtol=1e-12)
    np.testing.assert_allclose(found.data["value"], direct.data["value"], rtol=1e-12)
    assert found.data["value"].values.argmax() == 1
    assert "crossnobis" in outcome.out
    windows = json.loads(call(*args, "--time", "times.txt", "--window", 0.2, "--step", 0.1, "--json").out)
    assert [row["time"] for row in windows["results"]] == pytest.approx([0.1, 0.2])
    refused(call(*args), "pass --time FILE with 3 times in seconds from the event")
    refused(call(*args, "--time", "times.txt", "--window", 5), "a window of 5 is longer than the data")
    refused(call(*args, "--time", "times.txt", "--step", 0.1), "--step")
    refused(call("rdm-movie", "volume.npy", "--ids", "trials.txt"), "dims")
    for wrong, words in (
        (("--rdm", "modle=correlation"), "'modle' is none of the files. Did you mean 'model'"),
        (("--label", "run"), "--label must be LABEL=FILE or NAME:LABEL=FILE, such as run=runs.npy; got run."),
    ):
        refused(call(*args, *wrong), words)
    alone = ("rdm-movie", "movie.npy", "--ids", "trials.txt", "--rdm", "correlation")
    assert call(*alone).code == 2


def test_the_movie_of_a_file_that_knows_its_times(call, files, trials):
    names, _, movie, _ = trials
    np.savez("m.npz", responses=movie, stimulus=names, time=[0.0, 0.1, 0.2])
    outcome = call("rdm-movie", "m.npz", "--repeat", "count", "--noise", "none", "--n-boot", 0, "--json")
    assert outcome.code == 0, outcome.err
    assert [row["time"] for row in json.loads(outcome.out)["results"]] == pytest.approx([0, 0.1, 0.2])
    refused(
        call("rdm-movie", "m.npz", "--repeat", "count", "--time", "times.txt"),
        "the file has times of its own; leave it out",
    )


def test_searchlight(call, files, trials):
    names, volume, _, model = trials
    args = ("searchlight", "volume.npy", "model.npy", *TO_MODEL, "--ids", "volume=trials.txt", *REPEATS)
    args = (*args, "--noise", "diagonal", *QUICK)
    places = ("--label", "x=places.csv")
    parsed = json.loads(call(*args, *places, "--radius", 1.5, "--json").out)
    data = cs.responses(
        volume,
        stimulus=names,
        repeat="count",
        run=np.repeat([0, 1, 2, 3], 8),
        x=np.arange(12),
    )
    direct = cs.searchlight(
        data, model, radius=1.5, folds="run", noise="diagonal", n_boot=10, n_perm=10, rng=0
    )
    values = [row["value"] for row in parsed["results"]]
    assert values == pytest.approx(direct.data["value"].values.tolist())
    assert np.mean(values[:5]) > np.mean(values[7:]) + 0.3
    for one in (("--n-units", 3), ("--coordinates", "x,y", "--radius", 1.5, "--label", "y=places.csv")):
        assert call(*args, *places, *one).code == 0
    refused(call(*args, *places), "radius")
    refused(call(*args, "--radius", 1), "say where units are with --label x=FILE")
    refused(call(*args, *places, "--radius", 1, "--coordinates", "x,q"), "q")


def test_influence(call, files):
    x, y = np.load("x.npy"), np.load("y.npy")
    x[7], y[7] = 20 * x[7], 20 * x[7]
    np.save("x.npy", x)
    np.save("y.npy", y)
    args = ("influence", "x.npy", "y.npy", *IDS, "-m", "rsa", "-m", "linear_predictivity", "-m", "cka")
    outcome = call(*args, "-o", "r.nc")
    assert outcome.code == 0, outcome.err
    assert "20 stimuli, each left out once" in outcome.out
    ids = [f"s{i}" for i in range(20)]
    a, b = (cs.responses(v, stimulus=ids) for v in (x, y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        direct = cs.influence({"x": a}, {"y": b}, ["rsa", "linear_predictivity", "cka"], rng=0)
    np.testing.assert_allclose(
        cs.load("r.nc").stimuli["influence"], direct.stimuli["influence"], rtol=1e-9, atol=1e-12
    )
    assert cs.load("r.nc").data["most"].sel(measure="cka").item() == "s7"
    refused(call(*args, "--threshold", -1), "--threshold must be")
    refused(call(*args, "-m", "rsa"), "listed more than once")
    refused(call("influence", "x.npy", *IDS), "Missing argument 'B'")


def test_equivalence(call, files):
    rng = np.random.default_rng(6)
    for name in ("one", "two", "three"):
        np.save(f"{name}.npy", np.load("x.npy") + 0.3 * rng.normal(size=(20, 5)))
    args = ("equivalence", "y.npy", "one.npy", "two.npy", "three.npy", *IDS, "--n-boot", 50)
    parsed = json.loads(call(*args, "--margin", 0.3, "--and", "x.npy", "-m", "cka", "--json").out)
    assert {row["model"] for row in parsed["results"]} == {"y", "x"}
    assert [row["target"] for row in parsed["results"][:4]] == ["one", "two", "three", "all"]
    ids = [f"s{i}" for i in range(20)]
    read = {n: cs.responses(np.load(f"{n}.npy"), stimulus=ids) for n in ("x", "y", "one", "two", "three")}
    models = {n: read.pop(n) for n in ("y", "x")}
    direct = cs.equivalence(models, read, "cka", margin=0.3, n_boot=50, rng=0).to_frame()
    assert [row["difference"] for row in parsed["results"]] == pytest.approx(direct["difference"].tolist())
    refused(call(*args), "Missing option '--margin'")
    refused(call(*args, "--margin", 0), "--margin must be")
    refused(call("equivalence", "y.npy", "one.npy", *IDS, "--margin", 0.1), "at least 2 animals")


def test_equivalence_with_the_subjects_of_one_file(call, files):
    ids = [f"s{i}" for i in range(20)]
    rng = np.random.default_rng(6)
    each = [cs.measures.rdm(np.load("x.npy") + rng.normal(size=(20, 5)), square=True) for _ in range(3)]
    animals = cs.rdm_data(np.stack(each), stimulus=ids, subject=list("abc"), distance="correlation")
    animals.to_dataset(name="responses").to_netcdf("animals.nc", engine="h5netcdf")
    args = ("equivalence", "x.npy", "animals.nc", "--ids", "x=ids.txt", "--margin", 0.2, "--n-boot", 20)
    outcome = call(*args, "--json")
    assert outcome.code == 0, outcome.err
    assert [row["target"] for row in json.loads(outcome.out)["results"]] == ["a", "b", "c", "all"]


def test_every_verb_is_a_command(call):
    listed = call("--help").out
    verbs = {name.replace("_", "-") for name in analyses.__all__} - {
        "deciding-stimuli",
        "select-units",
        "exemplars",
        "interchange",  # a causal model, which is Python
        "project",  # gives an array, not a result
    }
    for name in verbs:
        assert f"\n  {name} " in listed
        assert call(name, "--help").out.startswith(f"Usage: consilience {name} ")


def lines_of_docs():
    for page in sorted((Path(__file__).parents[2] / "docs").rglob("*.md")):
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            yield from (line for line in block.replace("\\\n", " ").splitlines() if line.startswith("consil"))


@pytest.mark.parametrize("line", list(lines_of_docs()))
def test_lines_of_the_docs_are_understood(line):
    _, name, *args = shlex.split(line)
    context = cli.commands[name].make_context(name, args)
    assert context.params


def _rdm_files(rng: np.random.Generator, n: int = 8) -> None:
    base = cs.measures.rdm(rng.normal(size=(n, 6)), square=True)
    noise = [0.2 * cs.measures.rdm(rng.normal(size=(n, 6)), square=True) for _ in range(3)]
    np.save("people.npy", np.stack([base + one for one in noise]))
    for i, one in enumerate(noise):
        np.save(f"part{i}.npy", base + one)
    np.save("good.npy", base)
    np.save("bad.npy", cs.measures.rdm(rng.normal(size=(n, 6)), square=True))
    Path("eight.txt").write_text("\n".join(f"s{i}" for i in range(n)))


EIGHT = ("--rdm", "unknown", "--ids", "eight.txt", "--n-boot", 200, "--n-perm", 50, "--method", "pearson")


def test_models_are_told_apart_in_print_and_in_json(call, files):
    _rdm_files(np.random.default_rng(0))
    outcome = call("evaluate-models", "people.npy", "good.npy", "bad.npy", *EIGHT)
    assert re.search(
        r"good and the next, bad: told apart, difference \d\.\d+, p=\S+ \(corrected\)", outcome.out
    )
    assert re.search(r"good and the noise ceiling: (not told apart from it|below it), p=", outcome.out)
    parsed = json.loads(call("evaluate-models", "people.npy", "good.npy", "bad.npy", *EIGHT, "--json").out)
    assert [(row["model"], row["other"]) for row in parsed["pairs"]] == [("good", "bad")]
    assert parsed["pairs"][0]["p_corrected"] < 0.05
    assert [row["bound"] for row in parsed["ceilings"]] == ["low", "high"]
    one = call("evaluate-models", "part0.npy", "good.npy", "bad.npy", *EIGHT)
    assert "noise ceiling: none for one RDM" in one.out
    assert "as further files (--and FILE)" in one.err


def test_data_in_several_files_and_subjects_of_rdms(call, files):
    _rdm_files(np.random.default_rng(0))
    whole = json.loads(call("evaluate-models", "people.npy", "good.npy", *EIGHT, "--json").out)
    parts = ("part0.npy", "good.npy", "--and", "part1.npy", "--and", "part2.npy")
    several = json.loads(call("evaluate-models", *parts, *EIGHT, "--json").out)
    assert several["settings"]["n_subjects"] == 3
    assert several["results"][0]["value"] == pytest.approx(whole["results"][0]["value"])
    unnamed = call("evaluate-models", "people.npy", "good.npy", *EIGHT)
    assert "Pass --label subject=FILE" in unnamed.err
    Path("who.txt").write_text("ann\nann\nbob\n")
    for entry in ("subject=who.txt", "people:subject=who.txt"):
        named = call("evaluate-models", "people.npy", "good.npy", *EIGHT, "--label", entry, "--json")
        assert json.loads(named.out)["settings"]["n_subjects"] == 2, named.err
    refused(
        call("evaluate-models", "people.npy", "good.npy", *EIGHT, "--label", "run=who.txt"), "'run' belongs"
    )


def test_rdms_in_json(call, files):
    args = ("rdms", "x.npy", *IDS, "--distance", "euclidean", "--n-boot", 0)
    parsed = json.loads(call(*args, "--json").out)
    expected = cs.measures.rdm(np.load("x.npy"), distance="euclidean")
    np.testing.assert_allclose(parsed["rdms"]["x"], expected)
    assert parsed["stimuli"] == [f"s{i}" for i in range(20)]
    written = json.loads(call(*args, "--json", "-o", "r.nc").out)
    assert written["output"] == "r.nc"
    assert "rdms" not in written


def test_the_onset_of_a_movie_is_printed(call, files):
    rng = np.random.default_rng(1)
    pattern, ids = rng.normal(size=(7, 12)), [f"s{i}" for i in range(7)]
    data = rng.normal(size=(28, 6, 12))
    data[:, 3:] += 3 * np.tile(pattern, (4, 1))[:, None]
    np.savez("movie.npz", responses=data, stimulus=ids * 4, time=np.arange(6) / 10)
    np.save("model.npy", cs.measures.rdm(pattern, square=True))
    Path("seven.txt").write_text("\n".join(ids))
    args = ("--ids", "model=seven.txt", "--rdm", "unknown", "--repeat", "count", "--n-boot", 0)
    outcome = call("rdm-movie", "movie.npz", "model.npy", *args, "--n-perm", 200, "--distance", "correlation")
    assert "model told from chance first at 0.3 s, at 3 of 6 times (p_fwer <= 0.05)" in outcome.out, (
        outcome.err
    )
    none = call("rdm-movie", "movie.npz", "model.npy", *args, "--n-perm", 0, "--distance", "correlation")
    assert "told from chance" not in none.out


def test_options_of_measures(call, files):
    asked = ("compare", "x.npy", "y.npy", *IDS, *QUICK)
    outcome = call(*asked, "-m", "rsa:distance=euclidean,method=cosine", "-m", "cka:debiased=no", "--json")
    rows = json.loads(outcome.out)["results"]
    assert [row["measure"] for row in rows] == [
        "rsa(distance=euclidean, method=cosine)",
        "cka(debiased=False)",
    ]
    x, y = np.load("x.npy"), np.load("y.npy")
    assert rows[0]["value"] == pytest.approx(cs.measures.rsa(x, y, distance="euclidean", method="cosine"))
    refused(call(*asked, "-m", "rsa:distanc=euclidean"), "no option 'distanc'. Did you mean 'distance'?")
    refused(call(*asked, "-m", "rsa:distance"), "NAME:OPTION=VALUE")
    refused(call(*asked, "-m", "mutual_knn:k=x"), "k must be a whole number")
    refused(call(*asked, "-m", "cka:debiased=maybe"), "debiased must be yes or no")
    refused(call(*asked, "-m", "rsx:k=1"), "Did you mean 'rsa'?")
    np.save("one.npy", x[:, :1])
    refused(call("compare", "x.npy", "one.npy", *IDS, *QUICK), "use -m rsa:distance=euclidean")
    assert call("influence", "x.npy", "y.npy", *IDS, "-m", "rsa:distance=euclidean").code == 0
    assert call("shape-space", "x.npy", "y.npy", "x.npy", *IDS, "-m", "cka:debiased=no", *QUICK).code == 0


def test_series_are_encoded(call, files):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2))
    y = np.roll(x, 2, axis=0) + 0.5 * rng.normal(size=x.shape)
    times = np.arange(300) / 10
    for name, values in (("vel", x), ("m1", y)):
        np.savez(f"{name}.npz", responses=values, time=times)
        np.save(f"{name}.npy", values)
    np.save("times.npy", times)
    quick = ("--n-boot", 0, "--n-perm", 0, "--json")
    inside = call("encode", "vel.npz", "m1.npz", "--delays", "0:4", "--gap", 3, *quick)
    assert inside.code == 0, inside.err
    rows = json.loads(inside.out)
    assert rows["settings"]["delays"] == [0, 1, 2, 3]
    assert min(row["r"] for row in rows["results"]) > 0.7
    beside = call(
        "encode", "vel.npy", "m1.npy", "--time", "times.npy", "--delays", "0,1,2,3", "--gap", "3", *quick
    )
    assert json.loads(beside.out)["results"] == rows["results"]
    refused(call("encode", "vel.npz", "m1.npz", "--delays", "0:x"), "FROM:TO[:STEP]")
    refused(call("encode", "vel.npz", "m1.npz", "--gap", "far"), "--gap must be auto")
