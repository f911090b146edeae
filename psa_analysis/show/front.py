"""Front: the first page of a pack, which answers, and the way to everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from psa_analysis.analysis.backtest import reference
from psa_analysis.findings import errors
from psa_analysis.report import Report
from psa_analysis.show.comparison import changes_words
from psa_analysis.show.grant import grant_words
from psa_analysis.show.opening import banner
from psa_analysis.show.overview import decisions, scorecard
from psa_analysis.show.quality import late
from psa_analysis.show.reliability import reliability_words
from psa_analysis.show.tables import templates
from psa_analysis.words import NOT_STATED, counted, day_text


def front_page(report: Report, title: str, pages: Sequence[Any], exported: dict[str, str]) -> str:
    """The body of the front page, with links into the exported pages."""
    counting = report.assessment[report.assessment["role"] == "target"]
    captions = {
        "grant": "The reward by measure",
        "moved": "What has changed since",
        "method": "How often forecasts came true",
        "doubts": "Findings by partner",
        "assumed": "What is assumed or derived",
    }
    status = report.agreement.assumptions["status"].value_counts()
    card, needed, missing = scorecard(report), decisions(report), late(report)
    return (
        templates()
        .get_template("index.html.j2")
        .render(
            title=title,
            banner=banner(report).html,
            book=report.workbook_name,
            failed=[page for page in pages if page.status != "done"],
            pages=pages,
            states=card.words.text,
            forecast=counting["is_forecast"].any(),
            scorecard=card.table.html,
            decisions=needed.table.html if len(needed.data) else "",
            grant=grant_words(report).html,
            moved=changes_words(report).html,
            late=missing.table.html if len(missing.data) else "",
            sure=_reliability_text(),
            cut_off=day_text(report.cut_off),
            errors=len(errors(report.findings)),
            findings=len(report.findings),
            counted=counted,
            commitments=len(report.commitments),
            assumed=status.get("assumed", 0),
            derived=status.get("derived", 0),
            without_not_stated=(counting["without_status"] == NOT_STATED).sum(),
            counting=counted(len(counting), "measure"),
            links={name: table_address(exported, text) for name, text in captions.items()},
        )
    )


def table_address(exported: dict[str, str], caption: str) -> str | None:
    """The address of the first table whose caption begins so: its page and the heading above."""
    for name, html in exported.items():
        found = re.search(rf"<caption[^>]*>{re.escape(escape(caption))}", html)
        if found:
            above = re.findall(r'<h2 id="([^"]+)"', html[: found.start()])
            return f"{quote(name)}#{above[-1]}" if above else quote(name)
    return None


def _reliability_text() -> str:
    """How often forecasts on the reference series came true, and how wide and wrong they were."""
    reliable, scores = reference("reliability"), reference("scores")
    came_true = reliability_words(reliable[reliable["said_from"] == 0.7]).rstrip(".")
    ours = scores[scores["method"] == "psa_analysis, portfolio"]
    inside = (ours["within_80"] * ours["readings"]).sum() / ours["readings"].sum()
    keys = ["per_year", "panel", "history"]
    peers = scores[~scores["method"].str.startswith("psa_analysis")]
    best = peers.groupby(keys)["crps"].min()
    less = 1 - (ours.set_index(keys)["crps"] / best).mean()
    return (
        f"{came_true}. {inside:.0%} of the outcomes lay within the range meant for 80%. The "
        f"error was {less:.0%} below that of the best other forecaster."
    )
