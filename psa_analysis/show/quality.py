"""Quality: what came in and from where, what is late or doubtful, corrected or revised."""

from __future__ import annotations

from typing import Any

import pandas as pd

from psa_analysis.analysis.revisions import (
    corrections_applied,
    definition_breaks,
    findings_by_partner,
    returns_received,
    revisions,
)
from psa_analysis.findings import shorten
from psa_analysis.report import Report
from psa_analysis.returns.partners import due
from psa_analysis.show.tables import Html, table
from psa_analysis.words import day_text, figure_text


def returns_table(report: Report) -> Html:
    """What had come in by the cut-off, file by file."""
    rows = returns_received(report)
    frame = pd.DataFrame(
        {
            "File": rows["file"],
            "Figures": [f"{count:,}" for count in rows["rows"]],
            "Measures": rows["measures"],
            "Newest period": rows["newest"],
            "Last received": [day_text(day) for day in rows["received"]],
            "Kind": rows["illustrative"].map({True: "illustrative", False: "published"}),
        }
    )
    caption = f"Received by {day_text(report.cut_off)}"
    return table(frame, caption, numeric=["Figures", "Measures"])


def late_table(report: Report) -> Html:
    """Returns that were due and had not come in."""
    rows = due(report.agreement, report.known, report.assessment)
    rows = rows[~rows["returned"]]
    frame = pd.DataFrame(
        {
            "Partner": rows["partner"].map(report.agreement.settings.partners),
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "Period due": rows["period"],
            "Last that came": rows["last_period"],
        }
    )
    return table(frame, f"Late on {day_text(report.cut_off)}")


def findings_table(report: Report) -> Html:
    """What is wrong or doubtful in the files as they stand, by the partner to ask."""
    rows = findings_by_partner(report.findings, report.agreement)
    names = {**report.agreement.settings.partners, "": "nobody in particular"}
    frame = pd.DataFrame(
        {
            "Ask": rows["partner"].map(names),
            "Severity": rows["severity"],
            "Where": [_where(row) for row in rows.itertuples()],
            "Found": rows["found"].map(shorten, na_action="ignore"),
            "Expected": rows["expected"],
            "What to do": rows["remedy"],
        }
    )
    return table(frame, "Findings by partner")


def _where(row: Any) -> str:
    parts = [row.file, row.sheet, row.row, row.column]
    names = ["", "sheet ", "row ", "column "]
    return ", ".join(
        f"{name}{part}" for name, part in zip(names, parts, strict=True) if pd.notna(part)
    )


def corrections_table(report: Report) -> Html:
    """The corrections that figures of this report rest on."""
    frame = corrections_applied(report).set_axis(
        ["Measure", "Area", "Period", "Figure used", "Correction", "File"], axis=1
    )
    return table(frame, "Corrections applied", numeric=["Figure used"])


def revisions_table(report: Report) -> Html:
    """Figures that were revised since the last report, and the readings that this changed."""
    rows = revisions(report)
    units = rows["measure"].map(report.agreement.measures["unit"])
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "Period": rows["period"],
            "Figure before": [f"{value:,.10g}" for value in rows["before"]],
            "Figure now": [f"{value:,.10g}" for value in rows["now"]],
            "Reading before": [*map(figure_text, rows["reading_before"], units)],
            "Reading now": [*map(figure_text, rows["reading_now"], units)],
        }
    )
    numeric = ["Figure before", "Figure now", "Reading before", "Reading now"]
    return table(frame, "Revised since the last report", numeric=numeric)


def breaks_table(report: Report) -> Html:
    """Series whose definition changed, and what joins the two."""
    rows = definition_breaks(report)
    titles = report.agreement.measures["title"]
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["measure"].map(titles),
            "Continues": rows["continues"],
            "Area": rows["area"],
            "How they are joined": rows["method"],
        }
    )
    return table(frame, "Changes of definition")


def data_log(report: Report) -> Html:
    """Where every raw file came from."""
    frame = report.sources[["file", "title", "producer", "address", "licence", "note"]].set_axis(
        ["File", "What it is", "Producer", "Where found", "Terms", "Note"], axis=1
    )
    return table(frame, "Data log", folded=True)
