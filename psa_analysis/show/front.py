"""Front: the first page of a pack, what needs attention first, and the way to everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import pandas as pd

from psa_analysis.analysis.assessment import STATES
from psa_analysis.analysis.backtest import reference
from psa_analysis.findings import errors
from psa_analysis.report import Report
from psa_analysis.show.comparison import changes_words
from psa_analysis.show.grant import grant_words
from psa_analysis.show.opening import banner
from psa_analysis.show.overview import latest_text, state_counts
from psa_analysis.show.quality import late_table
from psa_analysis.show.reliability import reliability_words
from psa_analysis.show.tables import Column, Html, rows_table, state_cell, templates, title_text
from psa_analysis.words import NOT_STATED, counted, day_text, listed

#: States that someone has to act on, the worst first.
EXCEPTIONS = ("missed", "off track", "no data")


def exceptions(report: Report) -> pd.DataFrame:
    """What needs attention: rows of the assessment, the worst first."""
    rows = report.assessment[report.assessment["role"] == "target"]
    order = rows["state"].map({state: number for number, state in enumerate(EXCEPTIONS)})
    order = order.where(order.notna() | ~rows["late"], len(EXCEPTIONS)).dropna()
    return rows.loc[order.sort_values(kind="stable").index]


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
    counts = counting["state"].value_counts()
    status = report.agreement.assumptions["status"].value_counts()
    return (
        templates()
        .get_template("index.html.j2")
        .render(
            title=title,
            banner=banner(report).html,
            book=report.workbook_name,
            failed=[page for page in pages if page.status != "done"],
            pages=pages,
            counting=counted(len(counting), "measure"),
            states=listed([f"{counts[state]} {state}" for state in STATES if state in counts]),
            forecast=counting["is_forecast"].any(),
            exceptions=_exceptions_table(report).html,
            standing=state_counts(report).html,
            grant=grant_words(report).html,
            moved=changes_words(report).html,
            late=late_table(report).html,
            sure=_reliability_text(),
            cut_off=day_text(report.cut_off),
            errors=len(errors(report.findings)),
            findings=len(report.findings),
            counted=counted,
            assumed=status.get("assumed", 0),
            derived=status.get("derived", 0),
            without_not_stated=(counting["without_status"] == NOT_STATED).sum(),
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


def _exceptions_table(report: Report) -> Html:
    rows = exceptions(report)
    late = rows["expected_period"].map("the return for {} had not come in".format)
    why = rows["reason"].where(rows["state"].isin(EXCEPTIONS), "")
    why = why.where(~rows["late"], why + why.map(lambda text: "; " if text else "") + late)
    columns = [
        Column("Measure"),
        Column("What is measured", title_text),
        Column("State", state_cell),
        Column.number("Latest", latest_text),
        Column("Of period", "latest_period"),
        Column.figure("Planned by then", "planned"),
        Column.figure("Target"),
        Column("Due"),
        Column("Why"),
    ]
    caption = f"Off track, missed, without data or late, {report.period}"
    return rows_table(rows.assign(why=why), columns, caption)


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
        f"{came_true}; {inside:.0%} of the outcomes lay within the range meant for 80%; and the "
        f"error was {less:.0%} below that of the best other forecaster."
    )
