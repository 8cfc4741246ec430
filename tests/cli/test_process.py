"""The command line as a process: signals, kills, closed pipes, poor terminals, start-up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

BASE = [sys.executable, "-m", "consilience._cli"]

STUDY = """\
seed: 0
output: out
report: false
systems:
  one: {read: x.npy, ids: ids.txt}
  two: {read: y.npy, ids: ids.txt}
analyses:
"""


def environment(**more: str) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHONWARN"))
    }
    return {**kept, "MPLBACKEND": "Agg", **more}


def run(
    *args: object, cwd: Path, timeout: float = 120, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BASE, *map(str, args)],
        cwd=cwd,
        capture_output=True,
        timeout=timeout,
        check=False,
        env=env or environment(),
        encoding="utf-8",
    )


def write_study(folder: Path, steps: int, draws: int = 300) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 20))
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", x + rng.normal(size=x.shape))
    (folder / "ids.txt").write_text("\n".join(f"s{i}" for i in range(80)))
    lines = [
        f"  - compare: "
        f"{{name: step{i}, a: one, b: two, measure: rsa, n_boot: {draws + i}, n_perm: {draws}}}\n"
        for i in range(steps)
    ]
    (folder / "study.yaml").write_text(STUDY + "".join(lines))


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*BASE, "run", "study.yaml"],
        # a shell starts background jobs with SIGINT ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        encoding="utf-8",
    )


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return


def contents(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in (folder / "out" / "results").glob("*.nc")}
    return {**found, "table.csv": (folder / "out" / "table.csv").read_bytes()}


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        write_study(folder, steps=3)
    assert run("run", "study.yaml", cwd=whole).returncode == 0
    rng = np.random.default_rng()
    for word in ("", "[1/", "[4/"):  # before anything, and after so many blocks, at any moment
        process = start(killed)
        if word:
            wait_for(process, word)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.communicate()
        for path in (killed / "out").glob("results/*.nc"):
            assert path.stat().st_size > 0
    last = run("run", "study.yaml", cwd=killed)
    assert last.returncode == 0, last.stderr
    assert " 0 blocks from the store" not in last.stdout
    assert contents(killed) == contents(whole)
    assert not list((killed / "out" / ".blocks").glob(".writing*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_within_two_seconds(tmp_path, number):
    write_study(tmp_path, steps=6, draws=60000)
    process = start(tmp_path)
    wait_for(process, "[2/")
    time.sleep(0.3)
    started = time.perf_counter()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    seconds = time.perf_counter() - started
    assert process.returncode == 130
    assert seconds < 2
    assert "the same command goes on from there" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_second_process_is_refused(tmp_path):
    write_study(tmp_path, steps=6, draws=60000)
    process = start(tmp_path)
    try:
        wait_for(process, "[2/")
        second = run("run", "study.yaml", cwd=tmp_path)
        assert second.returncode == 2
        assert f"process {process.pid} on" in second.stderr
        assert "[output-busy]" in second.stderr
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("command", ["run study.yaml", "doctor", "--help", "inspect x.npy"])
def test_a_reader_that_leaves_is_no_error(tmp_path, command):
    write_study(tmp_path, steps=2, draws=20)
    piped = subprocess.run(
        ["bash", "-c", f"{' '.join(BASE)} {command} | (exec <&-); echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=tmp_path,
        env=environment(),
    )
    assert piped.stdout.strip() == "0"
    assert [line for line in piped.stderr.splitlines() if not line.startswith("[")] == []
    if command.startswith("run"):
        assert (tmp_path / "out" / "table.csv").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_closed_and_full_output(tmp_path):
    command = " ".join(BASE)
    piped = subprocess.run(
        ["bash", "-c", f"{command} --help | head -c 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=tmp_path,
    )
    assert piped.stderr == ""
    full = subprocess.run(
        ["bash", "-c", f"{command} doctor > /dev/full"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=tmp_path,
    )
    assert "Traceback" not in full.stderr
    assert full.returncode != 0


def test_poor_terminals(tmp_path):
    np.save(tmp_path / "é\u202e.npy", np.eye(5))
    plain = run("inspect", "é\u202e.npy", cwd=tmp_path)
    assert plain.returncode == 0
    assert "\u202e" not in plain.stdout
    poor = environment(
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        COLUMNS="20",
        NO_COLOR="1",
        TERM="dumb",
        TZ="Asia/Tokyo",
    )
    same = run("inspect", "é\u202e.npy", cwd=tmp_path, env=poor)
    assert same.returncode == 0
    assert same.stdout.splitlines()[1:] == plain.stdout.splitlines()[1:]
    assert "\x1b" not in same.stdout
    assert run("--help", cwd=tmp_path, env=poor).returncode == 0


def test_help_loads_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom consilience._cli import main\nmain(['--help'])\n"
        "heavy = {'numpy', 'scipy', 'xarray', 'torch', 'matplotlib', 'dask', 'rich', 'yaml', 'pandas'} & "
        "set(sys.modules)\n"
        "sys.exit(f'loaded for --help: {sorted(heavy)}; import them inside the command' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment(),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
