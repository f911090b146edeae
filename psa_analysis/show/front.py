"""Front: the first page of a pack, which answers, and the way to everything else."""

import re
from collections.abc import Sequence
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
from psa_analysis.words import NOT_STATED, are, counted

#: What the front page links to, by how the caption of the table there begins.
_CAPTIONS = {
    "grant": "The reward by measure",
    "moved": "What has changed since",
    "method": "How often forecasts came true",
    "doubts": "Findings by partner",
    "assumed": "What is assumed or derived",
}


def front_page(report: Report, title: str, pages: Sequence[Any], exported: dict[str, str]) -> str:
    """The body of the front page, with links into the exported pages."""
    counting = report.assessment[report.assessment["role"] == "target"]
    rewards = grants(report)
    card, needed = scorecard(report), decisions(report)
    return render(
        "index",
        title=title,
        report=report,
        banner=banner(report).html,
        pages=pages,
        trust=trust_text(report) if counting["is_forecast"].any() else "",
        answers=card.words.html,
        scorecard=_linked(card.table.html, exported),
        decisions=needed.table.html if len(needed.data) else "",
        grant=grant_words(report).html if len(rewards) else "",
        moved=changes_words(report).html,
        errors=len(errors(report.findings)),
        counted=counted,
        are=are,
        status=report.agreement.assumptions["status"].tolist(),
        without_not_stated=(rewards["without_status"] == NOT_STATED).sum(),
        counting=counted(len(rewards), "target"),
        links={name: table_address(exported, text) for name, text in _CAPTIONS.items()},
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
        found = re.search(rf"<caption[^>]*>{re.escape(escape(caption))}", html)
        if found:
            above = re.findall(r'<h2 id="([^"]+)"', html[: found.start()])
            return f"{quote(name)}#{above[-1]}" if above else quote(name)
    return None
