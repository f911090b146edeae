"""Cost-effectiveness: the index, its baskets and its budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.show.tables import Column, illustrative_mark, rows_table, sentence
from psa_analysis.show.views import View, no_view
from psa_analysis.words import counted, figure_text, listed, range_text

if TYPE_CHECKING:
    from psa_analysis.analysis.effectiveness import CostEffectiveness
    from psa_analysis.report import Report


def _index_text(value: float) -> str:
    return figure_text(value, "index")


def _no_index(report: Report) -> str:
    """Why there is no index of cost-effectiveness, or nothing."""
    if report.agreement.baskets.empty or report.agreement.settings.effectiveness is None:
        return "The register has no baskets, so the index cannot be made from them."
    return "" if report.effectiveness.years else "The index's first year has not ended."


def cost_effectiveness(report: Report) -> View:
    """The index of cost-effectiveness as the baskets give it, of all components together."""
    if reason := _no_index(report):
        return no_view(reason)
    indices = report.effectiveness
    return View(words=lambda: sentence(effectiveness_sentences(indices)), data=indices.overall)


def components(report: Report) -> View:
    """The indices and net budgets of each component, year by year."""
    if reason := _no_index(report):
        return no_view(reason)
    indices, section = report.effectiveness, report.agreement.settings.effectiveness
    assert section is not None
    unit = report.agreement.measures.at[section.net_budget, "unit"]
    together = indices.overall.assign(component="All together")
    rows = pd.concat([indices.components, together], ignore_index=True).assign(unit=unit)
    columns = [
        Column("Component"),
        Column("Year"),
        Column.number("Share", lambda row: range_text(row["share"], row["share"], 1)),
        Column.figure(f"Net budget, {unit}", "net_budget"),
        Column.number("Performance", lambda row: _index_text(row["performance"])),
        Column.number("Real cost", lambda row: _index_text(row["cost"])),
        Column.number("Cost-effectiveness", lambda row: _index_text(row["ratio"])),
    ]
    if (rows["missing"] != "").any():
        columns.append(Column("What is lacking", "missing"))
    caption = f"Performance, cost and cost-effectiveness, {indices.years[0]} = 100"
    caption += illustrative_mark(rows)
    return View(table=lambda: rows_table(rows, columns, caption, folded=True), data=rows)


def effectiveness_sentences(indices: CostEffectiveness) -> str:
    """A few sentences on the cost-effectiveness of all components together."""
    first = indices.years[0]
    later = indices.overall[indices.overall["year"] != first]
    known = later[later["ratio"].notna()]
    sentences = [] if len(later) else [f"No year after {first} has ended yet"]
    if len(known):
        last = known.iloc[-1]
        year, performance, cost = last["year"], last["performance"], last["cost"]
        who = counted(indices.components["component"].nunique(), "component")
        sentences += [
            f"In {year} the {who} together stood at {_index_text(last['ratio'])} ({first} is 100): "
            f"performance at {_index_text(performance)} over real cost at {_index_text(cost)}",
            f"Performance less cost is {_index_text(performance - cost)} points",
        ]
        if last["differs"]:
            sentences.append(
                f"The index that was returned is {_index_text(last['returned'])}: the page on data "
                "quality says what to ask"
            )
        rows = indices.indicators[indices.indicators["year"] == year]
        for row in rows[rows["definition"] != ""].itertuples():
            sentences.append(f"{row.title} in {row.component} is {row.definition}")
    for row in later[later["ratio"].isna()].itertuples():
        lacking = row.missing.split("; ")
        who = listed(lacking) if len(lacking) < 4 else f"{len(lacking)} components"
        sentences.append(f"For {row.year} there is no index yet, for want of figures of {who}")
    if indices.overall["illustrative"].any():
        sentences.append("The figures are illustrative")
    return ". ".join(sentences) + "."
