"""Running a study: store, resume, changed data, failures, output folder, threads."""

from __future__ import annotations

import csv
import json
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from consilience import ConsilienceWarning, InputError
from consilience import load as load_result
from consilience.study import StudyRun, run

from .conftest import STUDY


def files(folder: Path) -> dict[str, bytes]:
    out = {path.name: path.read_bytes() for path in (folder / "results").iterdir()}
    return {**out, "table.csv": (folder / "table.csv").read_bytes()}


def test_a_run_and_a_second_one(folder):
    first = run(folder / "study.yaml")
    assert isinstance(first, StudyRun)
    assert first.report is None
    assert first.exit_code == 0
    assert (first.computed, first.stored) == (5, 0)  # two data sets, two comparisons, the pictures
    comparison = first.results["one_two"]
    assert comparison.data["measure"].values.tolist() == ["rsa", "cka"]
    assert comparison.data.sizes == {"measure": 2, "a": 1, "b": 1}
    assert comparison.draws.sizes["draw"] == 20
    before = files(folder / "out")
    second = run(folder / "study.yaml", workers=1)
    assert (second.computed, second.stored) == (0, 5)
    assert files(folder / "out") == before
    assert "5 blocks from the store, 0 computed" in repr(second)


def test_bytes_do_not_depend_on_workers(done):
    before = files(done / "out")
    run(done / "study.yaml", output=done / "q", workers=4)
    assert files(done / "q") == before


def test_a_study_equals_compare(done):
    import consilience as cs
    from consilience.sources import read_array

    result = load_result(done / "out" / "results" / "one_two.nc")
    one, two = (read_array(done / f"{name}.npy", ids=done / "ids.txt") for name in "xy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)
        direct = cs.compare({"one": one}, {"two": two}, ["rsa", "cka"], n_boot=20, n_perm=20, rng=0)
    np.testing.assert_allclose(result.data["value"], direct.data["value"], rtol=1e-12)
    np.testing.assert_allclose(result.draws, direct.draws, rtol=1e-10)
    assert result.data["p"].values.tolist() == direct.data["p"].values.tolist()
    assert dict(result.settings) == json.loads(
        json.dumps(direct.settings | {"a": result.settings["a"], "b": result.settings["b"]})
    )


def test_changed_data_under_the_same_name_are_computed_again(done):
    before = load_result(done / "out" / "results" / "one_two.nc").data["value"].values
    np.save(done / "y.npy", np.load(done / "y.npy") + np.random.default_rng(1).normal(size=(24, 6)))
    again = run(done / "study.yaml")
    assert (again.computed, again.stored) == (4, 1)
    assert not np.allclose(again.results["one_two"].data["value"], before)


def test_only_what_changed_is_computed(done):
    (done / "study.yaml").write_text(STUDY.replace("[rsa, cka]", "[rsa, cka, {name: cka, kernel: rbf}]"))
    again = run(done / "study.yaml")
    assert (again.computed, again.stored) == (1, 5)
    labels = again.results["one_two"].data["measure"].values.tolist()
    assert len(set(labels)) == 3


def test_damaged_blocks_are_computed_again(done):
    before = files(done / "out")
    path = next(path for path in (done / "out" / ".blocks").glob("*/result.nc"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))
    with pytest.warns(ConsilienceWarning, match="was damaged; it is computed again"):
        again = run(done / "study.yaml")
    assert again.computed == 1
    assert again.warnings[0].code == "damaged-block"
    assert files(done / "out") == before


FAILING = STUDY + "  - compare: {name: odd, a: one, b: three, measure: [rsa], n_boot: 0, n_perm: 0}\n"
OTHER_IDS = ", ".join(f"t{i}" for i in range(24))
FAILING = FAILING.replace("analyses:", f"  three: {{read: y.npy, ids: [{OTHER_IDS}]}}\nanalyses:")


def test_a_failed_step_stops_nothing_else(folder):
    (folder / "study.yaml").write_text(FAILING)
    result = run(folder / "study.yaml")
    assert result.exit_code == 1
    assert list(result.results) == ["one_two", "one_two RDMs"]
    assert [failure.step for failure in result.failures] == ["odd: rsa", "odd: RDM pictures"]
    assert "share no stimulus id" in result.failures[0].error
    assert result.failures[0].code == "ids-disjoint"
    assert result.failures[1].error == "not run, because odd: rsa failed."
    record = json.loads((folder / "out" / "run.json").read_text())
    assert record["failures"][0]["code"] == "ids-disjoint"


@pytest.mark.parametrize(
    ("old", "new", "words", "code"),
    [
        (
            "n_boot: 20",
            "by: categry",
            "compare.by is 'categry', which 'one' has no label for",
            "unknown-label",
        ),
        ("n_boot: 20", "by: stimlus", "Did you mean 'stimulus'?", "unknown-label"),
        (
            "n_boot: 20",
            "groups: repeats",
            "compare.groups is 'repeats', a label that no system has",
            "unknown-label",
        ),
        (
            "[rsa, cka]",
            "[rsa, linear_predictivity]",
            "measure[1] linear_predictivity needs responses",
            "needs-responses",
        ),
    ],
)
def test_what_the_data_do_not_have_is_refused_before_anything_is_computed(folder, old, new, words, code):
    text = STUDY.replace(old, new)
    if code == "needs-responses":
        np.save(folder / "y.npy", 1 - np.corrcoef(np.load(folder / "x.npy")))
        text = text.replace("kind: rate", "rdm: correlation")
    (folder / "study.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        run(folder / "study.yaml")
    assert str(caught.value).startswith("study.yaml, line 8: ")
    assert words in str(caught.value)
    assert caught.value.code == code
    assert [path.name for path in (folder / "out" / ".blocks").iterdir()] == ["lock"]


def test_rdms_are_matched_by_stimulus_only(folder):
    np.save(folder / "y.npy", 1 - np.corrcoef(np.load(folder / "x.npy")))
    text = STUDY.replace("kind: rate", "rdm: correlation").replace(
        "a: one, b: two", "by: stimulus, a: two, b: one"
    )
    (folder / "study.yaml").write_text(text)
    assert run(folder / "study.yaml").exit_code == 0
    (folder / "study.yaml").write_text(text.replace("by: stimulus", "by: category"))
    with pytest.raises(InputError, match=r"line 8: .*'two' is RDM data, which is matched by stimulus"):
        run(folder / "study.yaml")


def test_stimuli_that_are_nowhere_are_refused_with_the_line(folder):
    text = STUDY.replace(
        "{read: x.npy, ids: ids.txt}", "{network: efficientnet_lite0, layers: x, stimuli: objects29}"
    )
    (folder / "study.yaml").write_text(text)
    with pytest.raises(
        InputError, match=r"line 5: systems\.one\.stimuli 'objects29' is neither .*'objects92'"
    ):
        run(folder / "study.yaml")


def test_layers_that_are_nowhere_are_refused_with_the_line(folder, monkeypatch):
    import consilience as cs

    monkeypatch.setattr(
        cs.networks, "load", lambda name: cs.Network(lambda x: {"fc": x}, name="toy", key="toy")
    )
    monkeypatch.setattr("consilience.study._plan.get_stimuli", lambda *_, **__: cs.stimuli(np.eye(4)))
    text = STUDY.replace(
        "{read: x.npy, ids: ids.txt}",
        "{network: efficientnet_lite0, layers: [output, fcc], stimuli: objects92}",
    )
    (folder / "study.yaml").write_text(text)
    with pytest.raises(
        InputError, match=r"study.yaml, line 5: systems\.one\.layers\[1\]: toy has no layer 'fcc'"
    ):
        run(folder / "study.yaml")


def test_only_bad_input_and_no_result_is_bad_input(folder):
    (folder / "study.yaml").write_text(FAILING.replace("b: two", "b: three"))
    assert run(folder / "study.yaml").exit_code == 2


def test_faults_of_ours_are_kept_apart(folder, monkeypatch):
    from consilience.study import _blocks

    def broken(settings, needs, target):
        raise ZeroDivisionError("oops")

    monkeypatch.setitem(_blocks.BLOCKS, "compare", broken)
    result = run(folder / "study.yaml")
    assert result.exit_code == 1
    assert result.failures[0].error == "ZeroDivisionError: 'oops'"
    assert "broken" in result.failures[0].traceback


def test_results_of_removed_steps_go(done):
    (done / "study.yaml").write_text(STUDY.replace("{a: one", "{name: new, a: one"))
    run(done / "study.yaml")
    assert sorted(path.name for path in (done / "out" / "results").iterdir()) == ["new.nc", "new.rdms.nc"]


def test_step_names_cannot_leave_the_folder(folder):
    (folder / "study.yaml").write_text(STUDY.replace("{a: one", "{name: ../../../evil, a: one"))
    run(folder / "study.yaml")
    assert not list(folder.parent.glob("evil*"))
    assert not list(folder.glob("evil*"))
    names = [path.name for path in (folder / "out" / "results").iterdir()]
    assert len(names) == 2
    assert all("evil-" in name for name in names)


def test_the_table_is_safe_for_spreadsheets(folder):
    text = STUDY.replace("one:", "'=cmd()':").replace("a: one", "a: '=cmd()', name: '@x'")
    (folder / "study.yaml").write_text(text)
    run(folder / "study.yaml")
    with (folder / "out" / "table.csv").open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows[1][0] == "'@x"
    assert rows[1][2] == "'=cmd()"
    assert "-" in "".join(rows[1][4:]) or all(not cell.startswith("'") for cell in rows[1][4:])


def test_threads_are_one_inside_and_restored_after(folder):
    seen = []

    def spy(event):
        if event.state == "computed" and "rsa" in event.label:
            seen.extend(entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas")

    before = [entry["num_threads"] for entry in threadpool_info()]
    run(folder / "study.yaml", progress=spy)
    assert seen
    assert set(seen) == {1}
    assert [entry["num_threads"] for entry in threadpool_info()] == before


@pytest.mark.parametrize("workers", [0, -5, 257, 1000, 1.5, True])
def test_workers_are_checked(folder, workers):
    with pytest.raises(InputError, match="workers must be a whole number, between 1 and 256"):
        run(folder / "study.yaml", workers=workers)


def test_two_runs_in_one_output_are_refused(folder):
    from consilience.study._lock import hold

    (folder / "out" / ".blocks").mkdir(parents=True)
    with (
        hold(folder / "out" / ".blocks" / "lock", output=folder / "out"),
        pytest.raises(InputError, match=f"process {os.getpid()} on .* is writing into") as caught,
    ):
        run(folder / "study.yaml")
    assert caught.value.code == "output-busy"


def test_the_lock_of_a_dead_process_is_free(done):
    (done / "out" / ".blocks" / "lock").write_text('{"pid": 999999, "host": "elsewhere"}')
    assert run(done / "study.yaml").exit_code == 0


def test_outputs_that_cannot_be(folder):
    (folder / "file").write_text("x")
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    for output, words in [
        (folder / "file", "is a file; give a folder"),
        (folder / "file" / "below", "cannot be used|cannot write"),
        (folder / "link", "is a symbolic link"),
        (folder / ("n" * 300), "File name too long"),
        ("http://x/y", "is an address"),
    ]:
        with pytest.raises(InputError, match=words):
            run(folder / "study.yaml", output=output)
    assert list((folder / "real").iterdir()) == []


def test_inputs_are_never_overwritten(folder):
    (folder / "out" / "results").mkdir(parents=True)
    (folder / "x.npy").rename(folder / "out" / "results" / "x.npy")
    (folder / "study.yaml").write_text(STUDY.replace("read: x.npy", "read: out/results/x.npy"))
    with pytest.raises(InputError, match="lies where output is written"):
        run(folder / "study.yaml")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("flush failed (file write failed: errno = 28, buf)"),
    ],
)
def test_a_full_disk_ends_the_run(folder, monkeypatch, error):
    from consilience.study import _blocks

    def full(settings, needs, target):
        raise error

    monkeypatch.setitem(_blocks.BLOCKS, "compare", full)
    with pytest.raises(InputError, match="No space left on device") as caught:
        run(folder / "study.yaml")
    assert caught.value.code == "cannot-write"
    assert not list((folder / "out").glob("*.csv"))


def test_an_interrupt_stops_and_the_next_run_goes_on(folder):
    def interrupt(event):
        if event.state == "computed" and ":" in event.label:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder / "study.yaml", workers=1, progress=interrupt)
    while any(thread.name.startswith("consilience-block") for thread in threading.enumerate()):
        pass
    again = run(folder / "study.yaml")
    assert again.exit_code == 0
    assert again.stored >= 2


def test_mapping_input_and_the_report(folder, monkeypatch):
    calls = {}

    def write(path, results, **options):
        calls.update(options, results=list(results))
        Path(path).write_text("page")

    import consilience.report

    monkeypatch.setattr(consilience.report, "write", write, raising=False)
    monkeypatch.chdir(folder)
    study = {
        "seed": 1,
        "output": "m",
        "question": "why?",
        "systems": {
            "one": {"read": "x.npy", "ids": "ids.txt"},
            "two": {"read": folder / "y.npy", "ids": [f"s{i}" for i in range(24)]},
        },
        "analyses": [{"compare": {"a": "one", "b": "two", "measure": "cka", "n_boot": 0, "n_perm": 0}}],
    }
    result = run(study)
    assert result.report == folder / "m" / "report.html"
    assert (folder / "m" / "report.html").read_text() == "page"
    assert calls["question"] == "why?"
    assert calls["results"] == ["one_two", "one_two RDMs"]
    assert calls["run"]["seed"] == 1


def test_a_report_that_fails_keeps_the_results(folder, monkeypatch):
    import consilience.report

    def write(*_, **__):
        raise RuntimeError("no page")

    monkeypatch.setattr(consilience.report, "write", write, raising=False)
    result = run(folder / "study.yaml", report=True)
    assert result.exit_code == 1
    assert result.failures[-1].step == "report"
    assert (folder / "out" / "results" / "one_two.nc").is_file()
    assert json.loads((folder / "out" / "run.json").read_text())["failures"][0]["step"] == "report"


def test_systems_of_one_name_are_kept_apart(tmp_path):
    from consilience.study._arrays import write_arrays
    from consilience.study._blocks import merged_side

    from .test_store import array

    for name in "pq":
        (tmp_path / name).mkdir()
        write_arrays(tmp_path / name, {"layer": array()})
    assert list(merged_side([("p", tmp_path / "p")])) == ["layer"]
    assert list(merged_side([("p", tmp_path / "p"), ("q", tmp_path / "q")])) == ["p/layer", "q/layer"]
