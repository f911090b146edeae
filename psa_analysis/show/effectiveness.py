"""Cost-effectiveness: the index, its baskets and its budgets."""

import pandas as pd

from psa_analysis.analysis.effectiveness import CostEffectiveness
from psa_analysis.report import Report
from psa_analysis.show.tables import Column, illustrative_mark, rows_table, sentence
from psa_analysis.show.views import View, no_view
from psa_analysis.words import counted, figure_text, listed


def cost_effectiveness(report: Report) -> View:
    """The index of cost-effectiveness as the baskets give it, together and by component."""
    indices = report.effectiveness
    if report.agreement.baskets.empty or report.agreement.settings.effectiveness is None:
        return no_view("The register has no baskets, so the index cannot be made from them.")
    if not indices.years:
        return no_view("The index's first year has not ended.")
    unit = report.agreement.measures.at[report.agreement.settings.effectiveness.net_budget, "unit"]
    together = indices.overall.assign(component="All together")
    rows = pd.concat([indices.components, together], ignore_index=True).assign(unit=unit)
    columns = [
        Column("Component"),
        Column("Year"),
        Column.share("Share", "share", "share", 1),
        Column.figure(f"Net budget, {unit}", "net_budget"),
        Column.figure("Performance", unit="index"),
        Column.figure("Real cost", "cost", "index"),
        Column.figure("Cost-effectiveness", "ratio", "index"),
    ]
    if (rows["missing"] != "").any():
        columns.append(Column("What is lacking", "missing"))
    caption = f"Performance, cost and cost-effectiveness, {indices.years[0]} = 100"
    table = rows_table(rows, columns, caption + illustrative_mark(rows), folded=True)
    text = sentence(effectiveness_sentences(indices))
    return View(words=lambda: text, table=lambda: table, data=indices.overall)


def effectiveness_sentences(indices: CostEffectiveness) -> str:
    """A few sentences on the cost-effectiveness of all components together."""
    first = indices.years[0]
    later = indices.overall[indices.overall["year"] != first]
    known = later[later["ratio"].notna()]
    sentences = [] if len(later) else [f"No year after {first} has ended yet"]
    if len(known):
        last = known.iloc[-1]
        figures = last[["ratio", "performance", "cost", "returned"]]
        ratio, performance, cost, returned = (figure_text(value, "index") for value in figures)
        who = counted(indices.components["component"].nunique(), "component")
        sentences.append(
            f"In {last['year']} the {who} together stood at {ratio} ({first} is 100): "
            f"performance {performance} over real cost {cost}"
        )
        if last["differs"]:
            sentences.append(f"The index that was returned is {returned}")
        rows = indices.indicators[indices.indicators["year"] == last["year"]]
        for row in rows[rows["definition"] != ""].itertuples():
            sentences.append(f"{row.title} in {row.component} is {row.definition}")
    for row in later[later["ratio"].isna()].itertuples():
        lacking = row.missing.split("; ")
        who = listed(lacking) if len(lacking) < 4 else f"{len(lacking)} components"
        sentences.append(f"For {row.year} there is no index yet: figures of {who} are missing")
    if indices.overall["illustrative"].any():
        sentences.append("The figures are illustrative")
    return ". ".join(sentences) + "."
