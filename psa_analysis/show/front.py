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


def front_page(report: Report, title: str, pages: Sequence[Any], made: dict[str, str]) -> str:
    """The body of the front page."""
    return (
        templates()
        .get_template("index.html.j2")
        .render(
            title=title,
            banner=banner(report).html,
            book=report.workbook_name,
            failed=[page for page in pages if page.status != "done"],
            pages=pages,
            attention=[_attention_words(report), _exceptions_table(report).html],
            standing=state_counts(report).html,
            grant=grant_words(report).html,
            grant_link=_place(made, "The reward by measure"),
            moved=changes_words(report).html,
            moved_link=_place(made, "What has changed since"),
            late=late_table(report).html,
            sure=_sure_words(report),
            method_link=_place(made, "How often forecasts came true"),
            doubts=_doubts(report),
            doubts_link=_place(made, "Findings by partner"),
            assumed=_assumed_words(report),
            assumed_link=_place(made, "What is assumed or derived"),
        )
    )


def _place(made: dict[str, str], caption: str) -> str | None:
    """The address of the first table whose caption begins so: its page and the heading above."""
    for name, html in made.items():
        found = re.search(rf"<caption[^>]*>{re.escape(escape(caption))}", html)
        if found:
            above = re.findall(r'<h2 id="([^"]+)"', html[: found.start()])
            return f"{quote(name)}#{above[-1]}" if above else quote(name)
    return None


def _attention_words(report: Report) -> str:
    rows = report.assessment[report.assessment["role"] == "target"]
    counts = rows["state"].value_counts()
    said = [f"{counts[state]} {state}" for state in STATES if state in counts]
    text = f"Of {counted(len(rows), 'measure')} that count for the grant: {listed(said)}."
    if rows["is_forecast"].any():
        text += " While the agreement runs a state is a forecast of whether the target will be met."
    return text


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


def _sure_words(report: Report) -> list[str]:
    """What the forecasts and figures rest on, a paragraph each."""
    reliable, scores = reference("reliability"), reference("scores")
    said = reliability_words(reliable[reliable["said_from"] == 0.7]).rstrip(".")
    ours = scores[scores["method"] == "psa_analysis, portfolio"]
    inside = (ours["within_80"] * ours["readings"]).sum() / ours["readings"].sum()
    keys = ["per_year", "panel", "history"]
    peers = scores[~scores["method"].str.startswith("psa_analysis")]
    best = peers.groupby(keys)["crps"].min()
    less = 1 - (ours.set_index(keys)["crps"] / best).mean()
    return [
        "Forecasts are ranges with chances, tried on series of councils, countries and firms whose "
        f"outcome is known. {said}; {inside:.0%} of the outcomes lay within the range meant for "
        f"80%; and the error was {less:.0%} below that of the best other forecaster. Constants of "
        "the method were set on these series, which flatters it a little.",
        f"Figures use only what had been received by {day_text(report.cut_off)} and are worked out "
        "in the same way every time; the council can follow each back to the cell of the file that "
        "it came from.",
    ]


def _doubts(report: Report) -> str:
    wrong = len(errors(report.findings))
    doubtful = counted(len(report.findings) - wrong, "warning")
    kept_out = f"{counted(wrong, 'error')}, whose figures are kept out," if wrong else "no error"
    return (
        f"Checks of the returns as they stand today found {kept_out} and {doubtful} to ask about."
    )


def _assumed_words(report: Report) -> str:
    counts = report.agreement.assumptions["status"].value_counts()
    rows = report.assessment[report.assessment["role"] == "target"]
    open_ = int((rows["without_status"] == NOT_STATED).sum())
    text = (
        f"The register marks {counts.get('assumed', 0)} of its entries as assumed and "
        f"{counts.get('derived', 0)} as derived from others, each with its reason."
    )
    if open_:
        text += (
            " Performance without the agreement is not stated for "
            f"{open_} of {counted(len(rows), 'measure')} that count."
        )
    return text
