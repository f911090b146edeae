"""The text of every page of the shipped packs, as a reader meets it, beside what it was.

A line for each heading, paragraph, caption, alternative text and row of a table, in
``expected/pages/<audience>-<page>.txt``. Where a change is meant, record them anew with
``PSA_RECORD=1 pytest tests/test_snapshots.py`` and look at what git says has changed.
"""

import difflib
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from builders import EXPECTED

from psa_analysis.pipeline import ROOT

PAGES = ["index", *(path.stem for path in sorted((ROOT / "notebooks").glob("0*.ipynb")))]
INLINE = {"a", "span", "strong", "em", "code", "wbr", "th", "td"}


class Lines(HTMLParser):
    """The text of a page, a line for each block."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(re.sub("<(style|script)>.*?</\\1>", "", html, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.text += "" if tag in INLINE else "\n"
        self.text += f"Picture: {dict(attrs)['alt']}\n" if tag == "img" else ""

    def handle_endtag(self, tag: str) -> None:
        self.text += " | " if tag in ("th", "td") else "" if tag in INLINE else "\n"

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split("\n"))


@pytest.mark.parametrize("audience", ["internal", "public"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_it_said(pack_of: Callable[[str], Path], audience: str, page: str) -> None:
    html = (pack_of(audience) / f"{page}.html").read_text(encoding="utf-8")
    html = re.sub(r"psa_analysis [\d.]+\w*", "psa_analysis VERSION", html.replace(str(ROOT), "."))
    lines = [" ".join(line.split()) for line in Lines(html).text.splitlines()]
    now = [line for line in lines if line]
    path = EXPECTED / "pages" / f"{audience}-{page}.txt"
    if os.environ.get("PSA_RECORD"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(now) + "\n", encoding="utf-8")
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    difference = difflib.unified_diff(before, now, "expected", "now", lineterm="", n=1)
    assert before == now, "\n".join([*difference, "If this is meant: see the top of this file."])
