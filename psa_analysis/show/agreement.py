"""The agreement: its targets, what its documents leave open, and what is assumed instead."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from psa_analysis.report import Report, of_theme
from psa_analysis.show.tables import Html, table
from psa_analysis.words import NOT_STATED, listed


def targets_table(report: Report, theme: str | None = None) -> Html:
    """What each target is about, who is in it, and which targets it is linked to."""
    targets = report.agreement.targets
    if theme is not None:
        of_theme(report, theme)
        targets = targets[targets["theme"] == theme]
    links = report.agreement.links.groupby("reference")["linked_to"].agg(list)
    frame = pd.DataFrame(
        {
            "Reference": targets.index,
            "Outcome": targets["outcome"],
            "How": targets["description"],
            "Partners": targets["partners"].map("; ".join),
            "Linked to": [listed(links.get(reference, [])) for reference in targets.index],
        }
    )
    return table(frame, "The targets, their partners and their links", folded=True)


def not_stated_table(report: Report) -> Html:
    """What the documents leave open, measure by measure."""
    gaps: dict[str, Callable[[pd.Series], bool]] = {
        "baseline": lambda row: row["baseline_status"] == NOT_STATED,
        "target": lambda row: row["target_status"] == NOT_STATED,
        "performance without the agreement": lambda row: row["without_status"] == NOT_STATED,
        "due date": lambda row: row["due"] == NOT_STATED,
        "unit": lambda row: row["unit"] == NOT_STATED,
    }
    rows = [
        (row["measure"], row["title"], listed([gap for gap, open_ in gaps.items() if open_(row)]))
        for _, row in report.assessment.iterrows()
        if any(open_(row) for open_ in gaps.values())
    ]
    frame = pd.DataFrame(rows, columns=["Measure", "Title", "Not stated"])
    return table(frame, "What neither document states")


def differences_table(report: Report) -> Html:
    """Where the two documents do not say the same, and which is used."""
    frame = report.agreement.differences.set_axis(
        ["Reference", "Subject", "The bid says", "The strategy says", "Used", "Why"], axis=1
    )
    return table(frame, "Where the documents differ")


def notes(report: Report, theme: str | None = None) -> Html:
    """Every assumed or derived figure behind the measures shown, with its reason."""
    measures = report.agreement.measures
    shown = measures.index[measures["reference"].isin(of_theme(report, theme)["reference"])]
    rows = report.agreement.assumptions
    rows = rows[rows["item"].isin({*shown, "agreement", "measures"})]
    rows = rows.assign(column=rows["column"].str.replace("_", " "))
    frame = rows[["item", "column", "status", "reason", "quality", "impact"]].set_axis(
        ["Measure", "What", "Status", "How and why", "Quality", "Impact"], axis=1
    )
    return table(frame, "What is assumed or derived", folded=True)
