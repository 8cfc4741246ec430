"""Every command: what it prints, where it writes, how it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import consilience as cs

QUICK = ("--n-boot", 10, "--n-perm", 10)
IDS = ("--ids", "ids.txt")


def refused(outcome, words, code=2):
    assert outcome.code == code
    assert words in outcome.err
    assert outcome.err.startswith("error: ")
    assert len(outcome.err.strip().splitlines()) <= 2
    assert outcome.out == ""


def test_compare(call, files):
    outcome = call(
        "compare", "x.npy", "y.npy", *IDS, *QUICK, "--measure", "rsa", "--measure", "cka", "--out", "r.nc"
    )
    assert outcome.code == 0
    assert "rsa" in outcome.out
    assert "cka" in outcome.out
    assert "result: r.nc" in outcome.out
    result = cs.load("r.nc")
    assert result.data["a"].values.tolist() == ["x"]
    assert result.seed == "0"


def test_compare_as_json(call, files):
    outcome = call("compare", "x.npy", "y.npy", *IDS, "--n-boot", 0, "--n-perm", 0, "--json")
    parsed = json.loads(outcome.out)
    assert outcome.code == 0
    assert parsed["results"][0]["ci_low"] is None
    assert 0 < parsed["results"][0]["value"] < 1
    x, y = np.load("x.npy"), np.load("y.npy")
    assert parsed["results"][0]["value"] == pytest.approx(float(cs.measures.rsa(x, y)), rel=1e-12)


def test_compare_is_repeatable(call, files):
    args = ("compare", "x.npy", "y.npy", *IDS, *QUICK, "--json", "--seed")
    assert call(*args, 3).out == call(*args, 3).out
    assert call(*args, 3).out != call(*args, 4).out


def test_compare_takes_repeats_where_asked(call, files):
    rng = np.random.default_rng(1)
    ids = [f"s{i}" for i in range(20)]
    np.save("trials.npy", np.repeat(np.load("x.npy"), 3, axis=0) + rng.normal(size=(60, 5)))
    (files / "thrice.txt").write_text("\n".join(np.repeat(ids, 3)))
    args = (
        "compare",
        "x.npy",
        "trials.npy",
        *IDS,
        "--ids-b",
        "thrice.txt",
        "--kind",
        "rate",
        *QUICK,
        "--json",
    )
    refused(call(*args), "pass --repeat count if those rows are repeats")
    row = json.loads(call(*args, "--repeat", "count").out)["results"][0]
    trials = cs.responses(np.load("trials.npy"), stimulus=np.repeat(ids, 3), kind="rate", repeat="count")
    one = cs.responses(np.load("x.npy"), stimulus=ids)
    direct = cs.compare(one, trials, "rsa", n_boot=10, n_perm=10, rng=0)
    assert row["value"] == pytest.approx(direct.value, rel=1e-12)
    assert (row["ceiling_low"], row["ceiling_high"]) == pytest.approx(direct.ceiling, rel=1e-12)
    assert row["n_stimuli"] == 20
    refused(call(*args, "--repeat", "average"), "'average' is not 'count'")


def test_compare_prints_all_measures_in_the_order_asked(call, files):
    asked = ["rsa", "procrustes", "cka", "linear_predictivity"]
    outcome = call(
        "compare", "x.npy", "y.npy", *IDS, *QUICK, *(word for name in asked for word in ("-m", name))
    )
    lines = outcome.out.splitlines()
    assert lines[0] == "x and y: 20 stimuli; higher = more alike"
    assert [line.split()[0] for line in lines[1:]] == asked
    assert all("p = " in line and "[" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("no/r.nc", "the folder no does not exist; make it"),
        ("x.npy/r.nc", "x.npy is not a folder"),
        ("folder.nc", "folder.nc is a folder; give a file name"),
        ("n" * 300 + ".nc", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(
    call, files, monkeypatch, out, words
):
    from consilience import sources

    (files / "folder.nc").mkdir()
    monkeypatch.setattr(
        sources, "read_array", lambda *_, **__: pytest.fail("read before the target was checked")
    )
    refused(call("compare", "x.npy", "y.npy", *IDS, "--out", out), words)
    assert sorted(path.name for path in files.iterdir()) == ["folder.nc", "ids.txt", "x.npy", "y.npy"]


def test_a_folder_without_permission_is_refused(call, files, monkeypatch):
    from consilience._cli import _target

    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_target.tempfile, "NamedTemporaryFile", denied)
    refused(
        call("compare", "x.npy", "y.npy", *IDS, "--out", "r.nc"), "r.nc cannot be written (Permission denied)"
    )
    assert not (files / "r.nc").exists()


def test_rows_without_ids_are_a_warning(call, files):
    outcome = call("compare", "x.npy", "y.npy", *QUICK)
    assert outcome.code == 0
    assert "warning: No stimulus ids" in outcome.err
    assert "Pass --ids FILE so that" in outcome.err


def test_advice_names_options(call, files):
    (files / "other.txt").write_text("\n".join(f"s{i}" for i in range(5, 25)))
    both = ("x.npy", "y.npy", *IDS, "--ids-b", "other.txt", *QUICK)
    refused(call("compare", *both), "pass --join inner")
    assert "--join inner left out stimuli" in call("compare", *both, "--join", "inner").err
    (files / "ids.txt").write_text("\n".join(f"s{i // 2}" for i in range(20)))
    refused(call("compare", "x.npy", "y.npy", *IDS, *QUICK), "pass --repeat count if")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--n-boot", "-1"], "-1 is not in the range"),
        (["--n-boot", "1"], "--n-boot 1 says nothing"),
        (["--n-perm", "1.5"], "'1.5' is not a valid integer"),
        (["--level", "1"], "1.0 is not in the range"),
        (["--seed", str(2**130)], "is not in the range"),
        (["--seed", "x"], "'x' is not a valid integer"),
        (["--measure", "ckaa"], "'cka'"),
        (["--join", "outer"], "'outer' is not one of"),
        (["--kind", "voltage?"], "kind must be one of"),
        (["--out", "y.npy"], "must end in .nc"),
        (["--out", "no/r.nc"], "does not exist"),
        (["--nboot", "1"], "No such option"),
        (["--ids", "none.txt"], "does not exist"),
    ],
)
def test_compare_refuses(call, files, args, words):
    refused(call("compare", "x.npy", "y.npy", *IDS, *args), words)
    assert sorted(path.name for path in files.iterdir()) == ["ids.txt", "x.npy", "y.npy"]


def test_compare_never_writes_over_an_input(call, files):
    cs.responses(np.load("x.npy"), stimulus=[f"s{i}" for i in range(20)]).rename("responses").to_netcdf(
        "x.nc", engine="h5netcdf"
    )
    before = (files / "x.nc").read_bytes()
    (files / "link.nc").symlink_to(files / "x.nc")
    refused(call("compare", "x.nc", "y.npy", *IDS, "--out", "x.nc"), "is one of the inputs")
    refused(call("compare", "x.nc", "y.npy", *IDS, "--out", "link.nc"), "is a symbolic link")
    assert (files / "x.nc").read_bytes() == before


def test_compare_refuses_bad_data(call, files):
    np.save("short.npy", np.zeros((19, 3)))
    np.save("nan.npy", np.full((20, 3), np.nan))
    np.save("flat.npy", np.ones((20, 3)))
    np.save("few.npy", np.load("x.npy")[:3])
    refused(call("compare", "x.npy", "short.npy", *IDS), "20 ids for 19 rows")
    refused(call("compare", "x.npy", "nan.npy", *IDS), "values are NaN")
    refused(call("compare", "x.npy", "none.npy", *IDS), "none.npy does not exist")
    (files / "three.txt").write_text("a\nb\nc")
    refused(call("compare", "few.npy", "few.npy", "--ids", "three.txt"), "needs at least 4 stimuli, got 3")
    assert call("compare", "x.npy", "flat.npy", *IDS).code == 2


def test_names_cannot_give_orders_to_the_terminal(call, files):
    evil = files / "\x1b[31mred\x07.npy"
    np.save(evil, np.load("x.npy"))
    outcome = call("compare", evil, "y.npy", *IDS, *QUICK)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    assert "\x07" not in outcome.out + outcome.err
    refused(call("compare", "\x1b[31mnone", "y.npy"), "does not exist")
    assert "\x1b" not in call("compare", "\x1b[31mnone", "y.npy").err
    assert "\x1b" not in call("\x1b[31mnone").err


def test_inspect(call, files):
    np.save("odd.npy", np.where(np.arange(12).reshape(4, 3) == 5, np.nan, 1.0))
    outcome = call("inspect", "odd.npy")
    assert outcome.code == 2
    assert "4 x 3" in outcome.out
    assert "critical: 1 NaN value;" in outcome.out
    assert "warning: no stimulus ids" in outcome.out
    parsed = json.loads(call("inspect", "odd.npy", "--json").out)
    assert parsed["NaN"] == 1
    assert {finding["severity"] for finding in parsed["findings"]} == {"critical", "warning"}
    assert call("inspect", "x.npy").code == 0
    refused(call("inspect", "none.npy"), "does not exist")
    np.save("text.npy", ["a"])
    assert "not real numbers" in call("inspect", "text.npy").out


def test_doubts_about_a_file_are_said(call, files):
    x = np.random.default_rng(1).normal(size=(20, 1))
    np.save("rdm.npy", np.abs(x - x.T))
    np.savetxt("bare.csv", np.random.default_rng(2).normal(size=(20, 4)), delimiter=",")
    for name, code in (("rdm.npy", "looks-like-rdm"), ("bare.csv", "header-of-numbers")):
        assert f"[{code}]" in call("inspect", name).out
        assert code in call("inspect", name, "--json").out
        (files / "study.yaml").write_text(
            f"{{seed: 0, output: out, systems: {{one: {{read: {name}}}, two: {{read: {name}}}}}, "
            "analyses: [{compare: {a: one, b: two, measure: rsa, n_boot: 0, n_perm: 0}}]}"
        )
        assert f"[{code}]" in call("run", "study.yaml", "--no-report").err
        assert code in {
            caution.code for caution in cs.load(files / "out" / "results" / "one_two.nc").warnings
        }
    assert "[looks-like-rdm]" in call("compare", "rdm.npy", "x.npy", *IDS, *QUICK).err


def test_inspect_a_result(call, files):
    call("compare", "x.npy", "y.npy", *IDS, *QUICK, "--out", "r.nc")
    assert "<Comparison>" in call("inspect", "r.nc").out


def test_cite(call, files):
    assert "@article" in call("cite", "rsa").out
    call("compare", "x.npy", "y.npy", *IDS, *QUICK, "--out", "r.nc")
    assert "kriegeskorte" in call("cite", "r.nc").out
    refused(call("cite", "rsaa"), "Did you mean 'rsa'?")
    refused(call("cite", "x.npy"), "is not a netCDF-4 file")


def test_doctor(call):
    outcome = call("doctor")
    assert outcome.code == 0
    for word in ("numpy", "Python", "cores", "BLAS", "cache", "objects92", "all is well"):
        assert word in outcome.out


@pytest.mark.parametrize("place", ["a file", "below a file", "/dev/null"])
def test_doctor_says_where_data_cannot_be_kept(call, files, monkeypatch, place):
    folder = {"a file": files / "x.npy", "below a file": files / "x.npy" / "cache"}.get(place, place)
    monkeypatch.setenv("CONSILIENCE_DATA", str(folder))
    outcome = call("doctor")
    assert outcome.code == 1
    assert "NOT a folder that can be written: set CONSILIENCE_DATA" in outcome.out
    assert "1 problems" not in outcome.out
    monkeypatch.setenv("CONSILIENCE_DATA", str(files / "new" / "cache"))
    assert "(writable)" in call("doctor").out
    assert not (files / "new").exists()


def test_report(call, files):
    call("compare", "x.npy", "y.npy", *IDS, *QUICK, "--out", "r.nc")
    assert call("report", "r.nc", "-o", "page.html").code == 0
    assert "<html" in (files / "page.html").read_text(encoding="utf-8").lower()
    refused(call("report", "x.npy", "-o", "page2.html"), "is not a netCDF-4 file")
    (files / "empty").mkdir()
    refused(call("report", "empty"), "empty holds no results (.nc files)")
    refused(call("report", "r.nc", "-o", "r.nc"), "is one of the results")
    refused(call("report", "r.nc", "-o", "."), "is a folder")
    refused(call("report", "r.nc", "-o", "no/page.html"), "the folder no does not exist")


STUDY = """\
seed: 0
output: out
systems:
  one: {read: x.npy, ids: ids.txt}
  two: {read: y.npy, ids: ids.txt}
analyses:
  - compare: {a: one, b: two, measure: rsa, n_boot: 10, n_perm: 10}
"""


def test_run_and_report(call, files):
    (files / "study.yaml").write_text(STUDY)
    outcome = call("run", "study.yaml", "--workers", 1)
    assert outcome.code == 0
    assert "0 blocks from the store, 4 computed" in outcome.out
    assert "report: out/report.html" in outcome.out
    assert "rsa  one" in outcome.out
    assert "[4/4]" in outcome.err
    (files / "out" / "report.html").unlink()
    assert call("report", "out").code == 0
    assert (files / "out" / "report.html").is_file()
    again = call("run", "study.yaml", "--no-report")
    assert "4 blocks from the store, 0 computed" in again.out
    assert "report:" not in again.out
    assert not (files / "out" / "report.html").exists()
    for name in ("one_two.nc", "one_two.rdms.nc"):
        assert cs.load(files / "out" / "results" / name)


@pytest.mark.parametrize("measure", ["procrustes", "cca", "svcca", "[rsa, procrustes]"])
def test_run_prints_measures_without_a_best_or_an_interval(call, files, measure):
    ids = ", ".join(f"s{i}" for i in range(20))
    (files / "study.yaml").write_text(
        f"""\
seed: 0
output: out
systems:
  one: {{read: x.npy, ids: [{ids}]}}
  two: {{read: y.npy, ids: [{ids}]}}
analyses:
  - compare: {{a: [one, two], b: two, measure: {measure}, held_out: false, n_boot: 10, n_perm: 0}}
"""
    )
    outcome = call("run", "study.yaml", "--workers", 1)
    assert outcome.code == 0, outcome.err
    assert f"{measure.strip('[]').split()[-1]} (in-sample)  one" in outcome.out
    assert "report: out/report.html" in outcome.out


@pytest.mark.parametrize("gone", ["interval", "value"])
def test_the_summary_of_a_best_without_numbers(gone):
    from dataclasses import replace
    from types import SimpleNamespace

    from consilience._cli._summary import summary

    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5))
    ids = [f"s{i}" for i in range(20)]
    one, two = (cs.responses(values, stimulus=ids) for values in (x, x + rng.normal(size=x.shape)))
    result = cs.compare({"one": one, "two": two}, {"it": one}, "rsa", n_boot=20, n_perm=0, rng=0)
    best = result.best_a.copy()
    for name in ("ci_low", "ci_high") if gone == "interval" else ("value",):
        best[name] = best[name] * np.nan
    run = SimpleNamespace(study=SimpleNamespace(analyses=[]), results={"x": replace(result, best_a=best)})
    text = "\n".join(summary(run))
    assert ("held out" in text) == (gone == "interval")
    assert "rsa" in text


def test_run_with_a_failed_step(call, files):
    text = STUDY.replace(
        "analyses:", f"  three: {{read: y.npy, ids: [{', '.join(f't{i}' for i in range(20))}]}}\nanalyses:"
    )
    (files / "study.yaml").write_text(
        text + "  - compare: {name: odd, a: one, b: three, n_boot: 0, n_perm: 0}\n"
    )
    outcome = call("run", "study.yaml")
    assert outcome.code == 1
    assert "error: odd: rsa: cs.compare" in outcome.err
    assert "share no stimulus id" in outcome.err
    assert "ids-disjoint" in (files / "out" / "report.html").read_text(encoding="utf-8")


def test_run_refuses(call, files):
    (files / "study.yaml").write_text(STUDY.replace("seed", "sede"))
    refused(
        call("run", "study.yaml"),
        "study.yaml, line 1: sede is not a key of a study. Did you mean 'seed'? [unknown-key]",
    )
    refused(call("run", "none.yaml"), "none.yaml does not exist. [no-file]")
    (files / "study.yaml").write_text(STUDY)
    refused(call("run", "study.yaml", "--workers", 0), "0 is not in the range 1<=x<=256")
    refused(call("run", "study.yaml", "--workers", 1000), "1000 is not in the range")
    refused(call("run", "study.yaml", "--output", "x.npy"), "x.npy is a file; give a folder")
    assert not (files / "out").exists()


def test_unknown_commands(call):
    outcome = call("compair")
    refused(outcome, "there is no command 'compair'. Did you mean 'compare'?")
    assert outcome.err.rstrip().endswith("[usage]")
    refused(call("--nothing"), "No such option")


def test_help_and_version(call):
    assert call("--version").out == f"consilience {cs.__version__}\n"
    for name in ("run", "demo", "compare", "report", "inspect", "cite", "doctor"):
        assert name in call("--help").out
        assert call(name, "--help").code == 0


def test_faults_of_ours(call, capsys, monkeypatch):
    from consilience._cli import _doctor

    def broken():
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(_doctor, "command", broken)
    outcome = call("doctor")
    assert outcome.code == 1
    assert (
        outcome.err
        == "error: ZeroDivisionError: oops [unexpected]\nthis is a bug; run with --debug for the traceback.\n"
    )
    from consilience._cli import main

    assert main(["doctor", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_demo_study_is_valid(tmp_path):
    from importlib import resources

    from consilience.study import load

    (tmp_path / "demo.yaml").write_text(
        resources.files("consilience.study").joinpath("demo.yaml").read_text(encoding="utf-8")
    )
    study = load(tmp_path / "demo.yaml")
    assert study.analyses[0].baseline == ("untrained", 3)
    assert study.analyses[0].options == {"n_boot": 1000, "n_perm": 1000}


def test_inspect_says_what_three_dimensions_are(call, files):
    rng = np.random.default_rng(0)
    np.savez(
        "movie.npz", responses=rng.normal(size=(6, 4, 2)), stimulus=list("abcdef"), time=np.arange(4) / 10
    )
    outcome = call("inspect", "movie.npz")
    assert outcome.code == 0
    assert "(trial, time, unit): 6 x 4 x 2; rdm-movie reads it" in outcome.out
    stack = np.stack([1 - np.eye(5)] * 2)
    np.save("stack.npy", stack)
    outcome = call("inspect", "stack.npy")
    assert outcome.code == 0
    assert "(rdm, stimulus, stimulus): a stack of RDMs" in outcome.out
    stack[0, 1, 2] = stack[0, 2, 1] = np.nan
    np.save("stack.npy", stack)
    outcome = call("inspect", "stack.npy")
    assert outcome.code == 2
    assert "cs.measures.compare_rdms leaves the pairs out" in outcome.out
    np.save("three.npy", rng.normal(size=(6, 4, 2)))
    assert "rdm-movie reads it with --time FILE" in call("inspect", "three.npy").out
    np.savez("series.npz", responses=rng.normal(size=(9, 2)), time=np.arange(9) / 10)
    outcome = call("inspect", "series.npz")
    assert "time, unit" in outcome.out
    assert "no stimulus ids" not in outcome.out
