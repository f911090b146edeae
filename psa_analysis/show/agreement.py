"""The agreement: its targets and their links, what its documents leave open and what is assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from psa_analysis.findings import shorten
from psa_analysis.register.agreement import linked
from psa_analysis.report import Report, of_theme
from psa_analysis.show.chart import BLUE, TEAL, Chart
from psa_analysis.show.tables import Column, Html, rows_table, table
from psa_analysis.show.views import View
from psa_analysis.words import counted, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def links(report: Report) -> View:
    """The agreement's links: targets by theme in a column, an arc for each link."""
    return View(chart=lambda: _links_chart(report), data=report.agreement.links)


def _links_chart(report: Report) -> Chart:
    targets, settings = report.agreement.targets, report.agreement.settings
    # Each target has a line of the column, and each theme one more for its heading.
    new_theme = targets["theme"] != targets["theme"].shift()
    lines = np.arange(len(targets)) + 0.9 * new_theme.cumsum()
    data = _linked_pairs(report)
    starts, ends = data["target"].map(lines), data["linked_to"].map(lines)

    def draw(axes: Axes) -> None:
        at: dict[str, Any] = {"va": "center", "ha": "left"}
        for name, row in targets.iterrows():
            line = lines[name]
            if new_theme[name]:
                heading = settings.themes[row["theme"]]
                axes.text(-0.62, line - 0.9, heading, fontweight="bold", **at)
            axes.text(-0.6, line, f"{name}  {shorten(row['outcome'], 62)}", **at)
            axes.plot([0.52], [line], "o", color=BLUE, markersize=7)
        half = np.linspace(-np.pi / 2, np.pi / 2, 40)
        reach = 0.45 / (ends - starts).max() * (ends - starts)
        for start, end, out in zip(starts, ends, reach, strict=True):
            # Longer links reach further out, so that arcs do not cover one another.
            arc = (start + end) / 2 + (end - start) / 2 * np.sin(half)
            axes.plot(0.52 + out * np.cos(half), arc, color=TEAL, linewidth=2)
        axes.set(xlim=(-0.65, 1), ylim=(max(lines, default=0) + 0.6, -0.8))
        axes.axis("off")

    numbers = table(data.set_axis(["Target", "Linked to"], axis=1), "Links", folded=True)
    alt = f"Diagram of the targets by theme with an arc for each of {counted(len(data), 'link')}."
    height = 0.5 + 0.36 * len(targets)
    return Chart(draw, alt, data, numbers, height, (0.02, 0.98, 0.98, 0.02))


def _linked_pairs(report: Report) -> pd.DataFrame:
    """Pairs of targets that the agreement links, each once, in its order."""
    order = [*report.agreement.targets.index]
    pairs = dict.fromkeys(
        tuple(sorted(pair, key=order.index))
        for _, link in report.agreement.links.iterrows()
        for pair in linked(link, report.agreement.settings.topics)
    )
    return pd.DataFrame([*pairs], columns=["target", "linked_to"])
