"""docs/warnings-and-errors.md lists every code that the source uses, once, and no other."""

from __future__ import annotations

import re
from collections import Counter

from .blocks import ROOT
from .codes import used

PAGE = ROOT / "docs" / "warnings-and-errors.md"


def listed():
    return re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_code_is_explained():
    missing = {code: places for code, places in used().items() if code not in listed()}
    assert not missing, f"add to {PAGE.relative_to(ROOT)} (code, what came, what to do): {missing}"


def test_no_code_is_explained_that_nothing_uses():
    gone = sorted(set(listed()) - set(used()))
    assert not gone, f"remove from {PAGE.relative_to(ROOT)}: {gone}"


def test_no_code_is_listed_twice():
    assert [code for code, count in Counter(listed()).items() if count > 1] == []


def test_each_row_says_what_to_do():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert all(len(cell.strip()) > 2 for row in rows for cell in row.strip("|").split("|")), "an empty cell"
