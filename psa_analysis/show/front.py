"""Front: the first page of a pack, which answers, and the way to everything else."""

import re
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any
from urllib.parse import quote

from psa_analysis.findings import errors
from psa_analysis.report import Report
from psa_analysis.show.agreement import banner
from psa_analysis.show.comparison import changes_words
from psa_analysis.show.grant import grant_words, grants
from psa_analysis.show.overview import decisions, scorecard
from psa_analysis.show.record import trust_text
from psa_analysis.show.tables import render
from psa_analysis.words import are, counted


def front_page(report: Report, title: str, pages: Sequence[Any], exported: dict[str, str]) -> str:
    """The body of the front page, with links into the exported pages."""
    counting = report.assessment[report.assessment["role"] == "target"]
    card, rewards = scorecard(report), grants(report)
    return render(
        "index",
        title=title,
        report=report,
        banner=banner(report),
        pages=pages,
        trust=trust_text(report) if counting["is_forecast"].any() else "",
        answers=card.words,
        scorecard=_linked(card.table.html, exported),
        decisions=decisions(report),
        grant=grant_words(report) if len(rewards) else "",
        moved=changes_words(report),
        errors=len(errors(report.findings)),
        counted=counted,
        are=are,
        status=report.agreement.assumptions["status"].tolist(),
        without=rewards["without_status"].tolist(),
        address=partial(table_address, exported),
    )


def _linked(card: str, exported: dict[str, str]) -> str:
    """The scorecard with each name leading to the section of its measure, where a page has one."""

    def link(found: re.Match[str]) -> str:
        pages = [name for name, html in exported.items() if f'<h3 id="{found[1]}"' in html]
        return f'<a href="{quote(pages[0])}#{found[1]}">{found[2]}</a>' if pages else found[2]

    return re.sub(r'<a href="#([^"]*)">(.*?)</a>', link, card)


def table_address(exported: dict[str, str], caption: str) -> str | None:
    """The address of the first table whose caption begins so: its page and the heading above."""
    for name, html in exported.items():
        if found := re.search(rf"<caption[^>]*>{re.escape(escape(caption))}", html):
            above = re.findall(r'<h2 id="([^"]+)"', html[: found.start()])
            return f"{quote(name)}#{above[-1]}" if above else quote(name)
    return None
