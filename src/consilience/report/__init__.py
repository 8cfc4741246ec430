"""One self-contained HTML page from results: no outside request, readable without scripts, every number in it."""

from __future__ import annotations

from consilience.report._page import render, write
from consilience.report._sections import comparison_section, rdms_section

__all__ = ["comparison_section", "rdms_section", "render", "write"]
