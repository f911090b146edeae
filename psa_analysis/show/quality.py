"""Quality: what came in and from where, what is late or doubtful, corrected or revised."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.comparison import definition_breaks, revised_figures
from psa_analysis.findings import COLUMNS, shorten, to_frame
from psa_analysis.periods import period_containing
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of
from psa_analysis.returns.partners import due
from psa_analysis.show.tables import Column, Html, rows_table
from psa_analysis.words import day_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psa_analysis.findings import Finding
    from psa_analysis.register.agreement import Agreement


def returns_table(report: Report) -> Html:
    """What had come in by the cut-off, file by file."""
    columns = [
        Column("File"),
        Column.number("Figures", lambda row: f"{row['figures']:,}"),
        Column.number("Measures"),
        Column("Newest period"),
        Column("Last received", lambda row: day_text(row["received"])),
        Column("Kind", lambda row: "illustrative" if row["illustrative"] else "published"),
    ]
    caption = f"Received by {day_text(report.cut_off)}"
    return rows_table(returns_received(report), columns, caption)


def returns_received(report: Report) -> pd.DataFrame:
    """What had come in by the cut-off: a row for each file."""
    received = report.observations
    received = received[received["received"] <= pd.Timestamp(report.cut_off)]
    by_file = received.sort_values("period_end").groupby("file", sort=True, observed=True)
    return by_file.agg(
        figures=("row", "size"),
        measures=("measure", "nunique"),
        newest_period=("period", "last"),
        received=("received", "max"),
        illustrative=("illustrative", "any"),
    ).reset_index()


def late_table(report: Report) -> Html:
    """Returns that were due and had not come in."""
    rows = due(report.agreement, report.known, report.assessment)
    partners = report.agreement.settings.partners
    columns = [
        Column("Partner", lambda row: partners[row["partner"]]),
        Column("Measure"),
        Column("What is measured", "title"),
        Column("Period due", "period"),
        Column("Last that came", "last_period"),
    ]
    return rows_table(rows[~rows["returned"]], columns, f"Late on {day_text(report.cut_off)}")


def findings_table(report: Report) -> Html:
    """What is wrong or doubtful in the files as they stand, by the partner to ask."""
    names = {**report.agreement.settings.partners, "": "nobody in particular"}
    columns = [
        Column("Ask", lambda row: names[row["partner"]]),
        Column("Severity"),
        Column("Where", _place),
        Column(
            "Found", lambda row: row["found"] if pd.isna(row["found"]) else shorten(row["found"])
        ),
        Column("Expected"),
        Column("What to do", "remedy"),
    ]
    rows = findings_by_partner(report.findings, report.agreement)
    rows["found"] = rows["found"].map(shorten, na_action="ignore")
    return rows_table(rows, columns, "Findings by partner")


def findings_by_partner(findings: Iterable[Finding], agreement: Agreement) -> pd.DataFrame:
    """The findings with the partner whom each is for, sorted so that each can be sent its own.

    The partner is the one who returns the measure, or else the one that the file is named for;
    empty where neither says.
    """
    table = to_frame(findings)
    partners = agreement.settings.partners
    by_measure = table["measure"].map(agreement.measures["partner"]).fillna("")
    stems = table["file"].map(lambda name: PurePosixPath(name).name.casefold().replace("_", "-"))
    by_file = stems.map(lambda stem: next((name for name in partners if stem.startswith(name)), ""))
    table.insert(0, "partner", by_measure.where(by_measure != "", by_file))
    order = {partner: number for number, partner in enumerate([*partners, ""])}
    rank = table["partner"].map(order)
    return table.iloc[np.lexsort([table.index, rank])].reset_index(drop=True)[["partner", *COLUMNS]]


def _place(row: pd.Series) -> str:
    """``police.csv, row 3, column value``."""
    sheet, line, column = (
        f"{name} {row[name]}" if pd.notna(row[name]) else "" for name in ("sheet", "row", "column")
    )
    return ", ".join(filter(None, [row["file"], sheet, line, column]))


def corrections_table(report: Report) -> Html:
    """The corrections that figures of this report rest on."""
    columns = [
        *[Column("Measure"), Column("Area"), Column("Period")],
        Column.number("Figure used", "value"),
        *[Column("Correction"), Column("File")],
    ]
    rows = report.known[report.known["correction"] != ""]
    return rows_table(rows, columns, "Corrections applied")


def revisions_table(report: Report) -> Html:
    """Figures that were revised since the last report, and the readings that this changed."""
    rows = revised_since(report)
    rows["unit"] = rows["measure"].map(report.agreement.measures["unit"])
    columns = [
        Column("Measure"),
        Column("Period"),
        Column.number("Figure before", lambda row: f"{row['before']:,.10g}"),
        Column.number("Figure now", lambda row: f"{row['now']:,.10g}"),
        Column.figure("Reading before"),
        Column.figure("Reading now"),
    ]
    return rows_table(rows, columns, "Revised since the last report")


def revised_since(report: Report) -> pd.DataFrame:
    """Figures of the agreement's area that have changed since the quarter before."""
    earlier = period_containing(report.period.start - timedelta(days=1), "quarter")
    days = timedelta(days=report.agreement.settings.calendar.cut_off_days)
    known_before = as_of(report.observations, earlier.end + days)
    return revised_figures(known_before, report.known, report.readings, report.agreement)


def breaks_table(report: Report) -> Html:
    """Series whose definition changed, and what joins the two."""
    measures = report.agreement.measures
    columns = [
        Column("Measure"),
        Column("What is measured", lambda row: measures.at[row["measure"], "title"]),
        Column("Continues"),
        Column("Area"),
        Column("How they are joined", "method"),
    ]
    rows = definition_breaks(report.readings, measures)
    return rows_table(rows, columns, "Changes of definition")


def data_log(report: Report) -> Html:
    """Where every raw file came from."""
    columns = [
        Column("File"),
        Column("What it is", "title"),
        Column("Producer"),
        Column("Where found", "address"),
        Column("Terms", "licence"),
        Column("Note"),
    ]
    return rows_table(report.sources, columns, "Data log", folded=True)
