"""One self-contained HTML page from results: no outside request, no script needed, all numbers in it."""

from __future__ import annotations

from consilience.report._comparison import comparison_section
from consilience.report._page import render, write
from consilience.report._rdms import rdms_section
from consilience.report._result import result_section

__all__ = ["comparison_section", "rdms_section", "render", "result_section", "write"]
