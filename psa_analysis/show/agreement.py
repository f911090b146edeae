"""The agreement: its targets and their links, and what is assumed."""

from __future__ import annotations

from psa_analysis.report import Report, of_theme
from psa_analysis.show.tables import Column, Html, rows_table
from psa_analysis.words import listed


def targets(report: Report, theme: str | None = None) -> Html:
    """What each target is about, who is in it, and which targets it is linked to."""
    rows = report.agreement.targets
    if theme is not None:
        of_theme(report, theme)
        rows = rows[rows["theme"] == theme]
    links = report.agreement.links.groupby("reference")["linked_to"].agg(list)
    columns = [
        Column("Reference"),
        Column("Outcome"),
        Column("How", "description"),
        Column("Partners", lambda row: "; ".join(row["partners"])),
        Column("Linked to", lambda row: listed(links.get(row["reference"], []))),
    ]
    caption = "The targets, their partners and their links"
    return rows_table(rows.reset_index(names="reference"), columns, caption, folded=True)


def notes(report: Report, theme: str | None = None) -> Html:
    """Every assumed or derived figure behind the measures shown, with its reason."""
    measures = report.agreement.measures
    shown = measures.index[measures["reference"].isin(of_theme(report, theme)["reference"])]
    rows = report.agreement.assumptions
    columns = [
        Column("Measure", "item"),
        Column("What", lambda row: row["column"].replace("_", " ")),
        Column("Status"),
        Column("How and why", "reason"),
        Column("Quality"),
        Column("Impact"),
    ]
    rows = rows[rows["item"].isin({*shown, "agreement", "measures"})]
    return rows_table(rows, columns, "What is assumed or derived", folded=True)
