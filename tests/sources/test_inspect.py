"""`consilience inspect` of recordings: six damaged files, each finding with its severity; right files are quiet."""

import json

import numpy as np
import pytest

import consilience as cs
from consilience._cli import main
from consilience.sources._find_in_spikes import find_in_spikes
from consilience.sources._look import find
from consilience.sources._parts import Parts, SignalParts, TableParts

from . import nwb_files as make

EXPECTED = {
    "spikes": {
        ("warning", "silent-units"): "1 of 6 units without a spike (5)",
        ("warning", "unsorted-spikes"): "spike times of 1 unit do not rise (0)",
        ("warning", "duplicate-spikes"): "50 spikes of 1 unit at the time of another of the same unit (1)",
        ("warning", "duplicated-units"): "2 units in 1 group with exactly the same spikes (3, 4)",
    },
    "milliseconds": {
        ("critical", "not-seconds"): "milliseconds or samples?",
        ("warning", "outside-recording"): "trials: ",
    },
    "samples": {
        ("critical", "not-seconds"): "2.28 years: these are no seconds",
        ("warning", "duplicate-spikes"): "",
    },
    "trials": {
        ("critical", "exchanged"): "exchanged: 9 of 9 intervals end before they start (row 0: 5 to 0 s)",
        ("critical", "outside-recording"): "another_clock: all of 5 intervals outside",
        ("warning", "outside-recording"): "trials: 2 of 5 intervals outside of what was recorded",
        ("warning", "rows-without-time"): "trials: 1 of 5 rows without a start or stop",
        ("hint", "empty-table"): "none is empty",
    },
    "signals": {
        (
            "critical",
            "falling-times",
        ): "falling: times do not increase at 1 sample (sample 50 is at 0.1 s after 0.49 s)",
        ("critical", "bad-signal"): "short: 100 rows of values and 90 times",
        (
            "warning",
            "time-jumps",
        ): "tracking: times jump at 1 place, 3 s in all (longest 3.01 s, from 5.99 s)",
        ("warning", "nan-gaps"): "tracking: 60 samples of 1000 with NaN (6.0%), in 2 gaps, the longest 0.5 s",
        ("warning", "constant-channels"): "tracking: 1 of 3 channels constant (2)",
    },
    "transposed": {
        ("warning", "signal-transposed"): "told is stored as (channels, time)",
        ("warning", "transposed"): "untold: 6 samples of 400 channels; transposed?",
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_six_damaged_files(name, tmp_path, capsys):
    path = make.damaged(tmp_path)[name]
    code = main(["inspect", str(path), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    found = {(entry["severity"], entry["code"]): entry["text"] for entry in findings}
    assert set(found) == set(EXPECTED[name])
    for key, text in EXPECTED[name].items():
        assert text in found[key]
    assert code == (2 if any(severity == "critical" for severity, _ in found) else 0)
    order = [("critical", "warning", "hint").index(entry["severity"]) for entry in findings]
    assert order == sorted(order)


def test_a_right_file_is_quiet(tmp_path, capsys):
    path = tmp_path / "right.nwb"
    with make.new(path) as file:
        make.units(file, make.trains(4))
        make.table(file.create_group("intervals"), "trials", np.arange(1, 90, 5), np.arange(2, 91, 5))
        time = np.arange(9000) / 100
        make.series(file.create_group("acquisition"), "x", np.sin(time), time=time, unit="cm")
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "units   4 (0, 1, 2, 3)" in out
    assert "spikes/s a unit, median 8.0" in out
    assert "trials: 18 intervals, 1 to 87 s" in out
    assert "x: 9000, behaviour in cm, 0 to 89.99 s, 100 Hz" in out
    assert out.rstrip().endswith("ok: nothing that an analysis would stumble over")


def test_names_cannot_order_the_terminal(tmp_path, capsys):
    with make.new(tmp_path / "x.nwb") as file:
        make.units(file, make.trains(2), **{"a\x1b[31m\u202e": np.arange(2)})
        make.table(file.create_group("intervals"), "evil\x1b]0;title\x07\r", [0, 1e6], [1, 2e6])
    main(["inspect", str(tmp_path / "x.nwb")])
    out = capsys.readouterr().out
    assert not set("\x1b\x07\r\u202e") & set(out)
    assert "\\x1b[31m" in out


def test_a_cut_file_is_one_line(tmp_path, capsys):
    content = make.whole(tmp_path / "x.nwb").read_bytes()
    (tmp_path / "cut.nwb").write_bytes(content[: len(content) // 2])
    assert main(["inspect", str(tmp_path / "cut.nwb")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


def test_arrays_with_units_as_rows(tmp_path, capsys):
    np.savez(
        tmp_path / "t.npz", responses=np.random.default_rng(0).normal(size=(30, 8)), stimulus=np.arange(8)
    )
    assert main(["inspect", str(tmp_path / "t.npz")]) == 2
    assert (
        "critical: 8 stimulus ids for 30 rows of 8: units x stimuli, transposed?" in capsys.readouterr().out
    )


def spikes(trains, **more):
    each = [np.asarray(train, dtype=float) for train in trains]
    return Parts(
        format="test", times=np.concatenate(each), splits=np.r_[0, np.cumsum([t.size for t in each])], **more
    )


def codes(found):
    return {(entry.severity, entry.code) for entry in found}


def test_rates_that_no_neuron_reaches():
    fast = np.sort(np.random.default_rng(0).uniform(0, 1, 2000))
    assert ("critical", "not-seconds") in codes(find_in_spikes(spikes([fast])))
    assert codes(find_in_spikes(spikes([fast * 4]))) == set()


def test_one_sign_of_another_unit_of_time_is_a_warning():
    whole = [np.arange(0, 100, 5), np.arange(2, 90, 7)]
    assert codes(find_in_spikes(spikes(whole))) == {("warning", "not-seconds")}
    late = spikes(
        [np.sort(np.random.default_rng(0).uniform(0, 3e4, 500))],
        tables={"t": TableParts(start=np.arange(60.0))},
    )
    assert codes(find_in_spikes(late)) == {("warning", "not-seconds")}
    assert "go on to" in next(find_in_spikes(late)).text
    slow = [np.arange(300) * 5.123]
    assert "twice within 0.5 s" in next(find_in_spikes(spikes(slow))).text
    assert codes(find_in_spikes(spikes([[0.5, 8e5 + 0.25]]))) == {("hint", "long")}


def test_the_same_time_in_two_units_is_no_double():
    assert codes(find_in_spikes(spikes([[0.5, 1.25], [1.25, 3.1], [0.2]]))) == set()
    assert codes(find_in_spikes(spikes([[0.5, 1.25, 1.25], [3.1]]))) == {("warning", "duplicate-spikes")}


def test_unknown_negative_and_repeated():
    found = codes(find_in_spikes(spikes([[-1.0, np.nan, 2.25], [np.inf, 0.5]])))
    assert found == {("critical", "nan-spikes"), ("hint", "negative-times")}
    assert ("critical", "repeated-units") in codes(
        find_in_spikes(spikes([[1.5], [2.5]], units={"id": np.array([3, 3])}))
    )
    none = Parts(format="test", times=np.empty(0), splits=np.array([0]))
    assert codes(find_in_spikes(none)) == {("warning", "no-units")}


def test_signals_that_hold_nothing_known():
    time = np.arange(4.0)
    values = np.array([[1, np.nan], [np.inf, np.nan], [2, np.nan], [3, np.nan]])
    parts = Parts(
        format="test",
        signals={
            "a": SignalParts(values=values, time=time),
            "none": SignalParts(values=np.empty((0, 2)), time=np.empty(0)),
            "t": SignalParts(values=np.arange(4.0), time=np.array([0, 1, np.nan, 3])),
            "uneven": SignalParts(values=np.arange(4.0), time=np.array([0, 1, 5, 6.0])),
        },
    )
    assert codes(find(parts, [], "x")) == {
        ("critical", "infinite"),
        ("critical", "nan-times"),
        ("warning", "nan-gaps"),
        ("warning", "all-nan"),
        ("hint", "empty-signal"),
        ("hint", "uneven-times"),
    }


def test_spikes_outside_of_what_was_observed():
    parts = spikes([[0.5, 5.5, 9.5]], observed=TableParts(start=np.array([5.0, 0]), stop=np.array([6.0, 1])))
    found = find(parts, [], "x")
    assert [(entry.severity, entry.code) for entry in found] == [("warning", "spikes-not-observed")]
    assert found[0].text.startswith("1 spike outside")


def test_what_the_recording_itself_refuses_is_critical():
    parts = spikes([[0.5], [1.25]], units={"depth": np.arange(3)})
    found = find(parts, [], "x.nwb")
    assert [(entry.severity, entry.code) for entry in found] == [("critical", "bad-label")]
    assert "x.nwb" in found[0].text


def test_several_variables_are_listed_and_named(tmp_path, capsys):
    path = tmp_path / "several.npz"
    rng = np.random.default_rng(0)
    np.savez(path, rate=rng.normal(size=(30, 4)), lever=np.sin(np.arange(300) / 9))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "holds  lever: (300,) float64" in out
    assert "hint: several variables; name those that are meant: --option spikes=NAME" in out
    assert main(["inspect", str(path), "--option", "signals=lever", "--option", "rate=100"]) == 0
    assert "lever: 300" in capsys.readouterr().out
    assert main(["inspect", str(path), "--option", "rate"]) == 2
    assert "--option must be NAME=VALUE" in capsys.readouterr().err
    assert main(["inspect", str(path), "--option", "sped=3"]) == 2
    assert "no option 'sped'" in capsys.readouterr().err


def test_python_gets_the_same(tmp_path):
    facts, findings = cs.sources.look_into(make.damaged(tmp_path)["samples"])
    assert dict(facts)["format"] == "nwb"
    assert findings[0].severity == "critical"
    np.save(tmp_path / "x.npy", np.ones((4, 3)))
    assert cs.sources.look_into(tmp_path / "x.npy") is None


def test_ids_that_come_again_are_listed_once(tmp_path, capsys):
    np.savez(tmp_path / "t.npz", responses=np.eye(6), stimulus=list("aabbcc"))
    main(["inspect", str(tmp_path / "t.npz")])
    assert "6, 3 different (a, b, c)" in capsys.readouterr().out
