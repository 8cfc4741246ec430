"""Every Python block of README and docs runs and prints what stands beneath it; every study is valid."""

from __future__ import annotations

import contextlib
import io
import linecache
import warnings

import pytest

import consilience as cs
from consilience.measures import _contract

from .blocks import PAGES, ROOT, blocks, same_output

WITH_CODE = [page for page in PAGES if any(b.language == "python" and not b.needs_data for b in blocks(page))]
WITH_DATA = [page for page in PAGES if any(b.needs_data for b in blocks(page))]
STUDIES = [
    (page, b) for page in PAGES for b in blocks(page) if b.language == "yaml" and "analyses:" in b.code
]


def name_of(entry):
    return str(entry.relative_to(ROOT)) if hasattr(entry, "relative_to") else f"line {entry.line}"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch, tmp_path):
    """Measures that a page registers are gone after it; files that it writes lie in a folder of its own."""
    monkeypatch.setattr(_contract, "_REGISTRY", dict(_contract._REGISTRY))
    monkeypatch.chdir(tmp_path)


def run(page, *, data):
    """Runs the blocks of a page one after another in one namespace; returns how many ran."""
    ran = 0
    space = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language != "python" or (block.needs_data and not data):
            continue
        source = f"{page.relative_to(ROOT)}, block at line {block.line}"
        linecache.cache[source] = (len(block.code), None, block.code.splitlines(keepends=True), source)
        printed = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            exec(compile(block.code, source, "exec"), space)
        ran += 1
        if block.expected is not None:
            wrong = same_output(block.expected, printed.getvalue())
            assert not wrong, f"{source}: {wrong}\nall of it:\n{printed.getvalue()}"
    return ran


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_python_blocks_run(page):
    assert run(page, data=False) == sum(b.language == "python" and not b.needs_data for b in blocks(page))


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_DATA, ids=name_of)
def test_python_blocks_run_with_data(page):
    try:
        cs.datasets.load("objects92")
        cs.networks.load("efficientnet_lite0")
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise
    assert run(page, data=True) == sum(b.language == "python" for b in blocks(page))


@pytest.mark.parametrize(("page", "block"), STUDIES, ids=name_of)
def test_studies_are_valid(page, block, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(block.code, encoding="utf-8")
    assert cs.study.load(path).analyses
