"""The pages against the code: names, claims, layers, links, example scripts; and no path of a machine."""

from __future__ import annotations

import ast
import operator
import re
import subprocess
import sys
import tomllib

import pytest

import consilience as cs

from .blocks import PAGES, ROOT, blocks

PACKAGES = (
    "datasets",
    "linalg",
    "measures",
    "models",
    "models.basis",
    "networks",
    "plots",
    "populations",
    "report",
    "stats",
    "study",
    "testing",
    "units",
)
BUILT_IN = list(cs.measures.names())
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
WRITTEN = [*PAGES, *EXAMPLES, ROOT / "docs" / "make_images.py", ROOT / "CHANGELOG.md", ROOT / "CITATION.cff"]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def public_names():
    yield from (f"cs.{name}" for name in cs.__all__)
    for package in PACKAGES:
        yield from (f"cs.{package}.{name}" for name in operator.attrgetter(package)(cs).__all__)


def test_every_public_name_has_a_line_in_the_api():
    page = text_of("docs/api.md")
    missing = [name for name in public_names() if not re.search(rf"`{re.escape(name)}[`(]", page)]
    assert not missing, f"add one line each to docs/api.md: {missing}"


def test_the_api_lists_no_name_that_is_gone():
    known = {*public_names(), *(f"cs.{package}" for package in PACKAGES)}
    known |= {f"cs.sources.{name}" for name in cs.sources.__all__}
    listed = re.findall(r"^\| `(cs\.[A-Za-z_.0-9]+)", text_of("docs/api.md"), re.MULTILINE)
    assert [name for name in listed if name not in known] == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_table_of_measures_is_what_they_claim(name):
    claims = cs.measures.as_measure(name, who="docs", held_out=False).claims
    row = next(
        (
            line
            for line in text_of("docs/choosing-a-measure.md").splitlines()
            if line.startswith(f"| `{name}` |")
        ),
        None,
    )
    assert row is not None, f"docs/choosing-a-measure.md has no row for {name}"
    _, blind, rule, null, rdms = (cell.strip() for cell in row.strip("| ").split("|"))
    assert set(blind.split(", ")) == claims.invariant
    assert rule == claims.resample
    assert (null == "0") == (claims.null(60, 100, 100) == 0)
    assert (rdms == "yes") == claims.takes_rdms


def test_the_layers_are_those_that_are_enforced():
    settings = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    enforced = next(contract["layers"] for contract in settings if contract["type"] == "layers")
    drawn = next(b.code for b in blocks(ROOT / "docs" / "architecture.md") if b.language == "layers")
    assert drawn.split("\n")[:-1] == enforced


def test_the_layout_names_every_sub_package():
    page = text_of("docs/architecture.md")
    source = ROOT / "src" / "consilience"
    folders = [p.name for p in source.iterdir() if p.is_dir() and (p / "__init__.py").exists()]
    assert [name for name in folders if f"  {name}/" not in page] == []
    drawn = re.findall(r"^  (\w+)/ ", page, re.MULTILINE)
    assert [name for name in drawn if name not in folders] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    def anchors(path):
        heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}

    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {target}"


def test_the_readme_lists_every_command():
    from consilience._cli._commands import cli

    listed = re.findall(r"^\| `consilience ([a-z-]+)", text_of("README.md"), re.MULTILINE)
    assert set(listed) == set(cli.commands)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_address_or_path_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    hosts = set(re.findall(r"https?://([^/\s)>\"']+)", text))
    assert hosts <= {"keepachangelog.com", "semver.org", "doi.org"}
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|Users|mnt)/", text)
    assert not re.search(r"[A-Z]:\\", text)


# -- examples


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_are_listed_and_compile(path):
    ast.parse(path.read_text(encoding="utf-8"))
    assert f"(examples/{path.name})" in text_of("README.md")


def test_the_readme_example_is_the_script():
    lines = next(b.code for b in blocks(ROOT / "README.md") if b.needs_data).splitlines()
    script = {line.strip() for line in text_of("examples/objects92.py").splitlines()}
    assert [line for line in lines if line.strip() and line.strip() not in script] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.name != "objects92.py"], ids=lambda p: p.name)
def test_examples_run(path, tmp_path):
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
    assert list(tmp_path.iterdir()) == [], "an example leaves files behind"


def test_the_example_with_data_says_that_it_is_skipped(tmp_path):
    """Nothing cached and pip told to use no index: one sentence, exit code 0."""
    import os

    env = {**os.environ, "CONSILIENCE_DATA": str(tmp_path / "empty"), "PIP_NO_INDEX": "1"}
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        env.pop(name, None)
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "objects92.py")],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("skipped: ")


def test_the_picture_is_there():
    image = ROOT / "docs" / "images" / "layer_profile.png"
    assert image.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "docs/images/layer_profile.png" in text_of("README.md")
