"""Cost-effectiveness: the index, its baskets and its budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, GREY, ORANGE, Chart
from psa_analysis.show.tables import Column, Html, illustrative_mark, rows_table, sentence, table
from psa_analysis.show.views import View, no_view
from psa_analysis.words import counted, figure_text, listed, range_text, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    """The index of cost-effectiveness as the baskets give it, of all components and each."""
    if reason := _no_index(report):
        return no_view(reason)
    return View(
        words=lambda: sentence(effectiveness_sentences(report.effectiveness)),
        table=lambda: _effectiveness_table(report),
        data=report.effectiveness.overall,
    )


def components(report: Report) -> View:
    """What performance and cost brought to each component."""
    if reason := _no_index(report):
        return no_view(reason)
    indices = report.effectiveness
    return View(chart=lambda: _components_chart(indices), data=indices.components)


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


def _effectiveness_table(report: Report) -> Html:
    """The indices and net budgets of each component and of all together, year by year."""
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
    return rows_table(rows, columns, caption + illustrative_mark(rows), folded=True)


def _components_chart(indices: CostEffectiveness) -> Chart:
    """What performance and cost brought to each component's cost-effectiveness, in points.

    The two bars of a component add up to its distance from 100, which the diamond marks.
    """
    together = indices.overall.assign(component="All together")
    rows = pd.concat([indices.components, together], ignore_index=True)
    later = rows["ratio"].notna() & (rows["year"] != indices.years[0])
    if not later.any():
        text = "Bar chart of what performance and cost brought: no index can be made."
        return chart.only_words(text)
    year = rows.loc[later, "year"].max()
    data = rows.loc[rows["year"] == year, ["component", "from_performance", "from_cost", "ratio"]]
    headings = ["Component", "From performance", "From cost", "Both together"]
    bars = data.assign(ratio=data["ratio"] - 100).set_axis(headings, axis=1)
    height = 1.2 + 0.42 * len(data)

    def draw(axes: Axes) -> None:
        drawn = bars[::-1].set_index("Component")
        colours = {"From performance": BLUE, "From cost": ORANGE}
        drawn[[*colours]].plot.barh(stacked=True, color=colours, width=0.62, ax=axes)
        for bar in axes.patches[len(drawn) :]:
            bar.set_hatch("///")
        net = drawn["Both together"]
        axes.plot(net, range(len(net)), "D", color="black", label="Both together")
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.set_yticklabels([f"{name}  {signed(value)}" for name, value in net.items()])
        axes.set_ylabel("")
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: _index_text(value))
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, title=None)

    shown = bars.assign(**bars[headings[1:]].map(signed))
    mark = illustrative_mark(indices.overall)
    what = f"Points that performance and cost brought to cost-effectiveness in {year}{mark}"
    numbers = table(shown, what, headings[1:], folded=True)
    margins = (0.36, 0.97, 1 - 0.6 / height, 0.5 / height)
    return Chart(draw, f"Bar chart of the p{what[1:]}.", data, numbers, height, margins)
