"""Cost-effectiveness: the index, its baskets and its budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.effectiveness import AGREES_WITHIN
from psa_analysis.analysis.trajectory import due_period
from psa_analysis.periods import parse_period
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, GREY, ORANGE, TEAL, Chart
from psa_analysis.show.tables import Column, Html, illustrative_mark, rows_table, sentence, table
from psa_analysis.show.views import View, no_view
from psa_analysis.words import counted, figure_text, listed, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from psa_analysis.analysis.effectiveness import CostEffectiveness
    from psa_analysis.report import Report
    from psa_analysis.show.chart import Labels

_TOGETHER = "All together"


def _index_text(value: float) -> str:
    return figure_text(value, "index")


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else f"{share:.1%}"


def _no_index(report: Report) -> str:
    """Why there is no index of cost-effectiveness, or nothing."""
    if report.agreement.baskets.empty or report.agreement.settings.effectiveness is None:
        return "The register has no baskets, so the index cannot be made from them."
    return "" if report.effectiveness.years else "The index's first year has not ended."


def _index_measure(report: Report) -> pd.Series:
    section = report.agreement.settings.effectiveness
    assert section is not None
    return report.agreement.measures.loc[section.index]


def cost_effectiveness(report: Report) -> View:
    """The index of cost-effectiveness as the baskets give it, of all components and each."""
    if reason := _no_index(report):
        return no_view(reason)
    indices, index = report.effectiveness, _index_measure(report)
    return View(
        words=lambda: sentence(effectiveness_sentences(indices, index)),
        chart=lambda: _effectiveness_chart(indices, index),
        table=lambda: _effectiveness_table(indices),
        data=indices.overall,
    )


def components(report: Report) -> View:
    """What performance and cost brought to each component, and the budgets behind the cost."""
    if reason := _no_index(report):
        return no_view(reason)
    return View(
        chart=lambda: _components_chart(report.effectiveness),
        table=lambda: _budgets_table(report),
        data=report.effectiveness.components,
    )


def effectiveness_sentences(indices: CostEffectiveness, index: pd.Series) -> str:
    """A few sentences on the cost-effectiveness of all components together."""
    first, components = indices.years[0], indices.components
    later = indices.overall[indices.overall["year"] != first]
    known = later[later["ratio"].notna()]
    sentences = [] if len(later) else [f"No year after {first} has ended yet"]
    if len(known):
        last = known.iloc[-1]
        who = counted(components["component"].nunique(), "component")
        sentences.append(
            f"In {last['year']} the {who} together stood at {_index_text(last['ratio'])}, where "
            f"{first} is 100: performance at {_index_text(last['performance'])} over cost, in the "
            f"prices of {first}, at {_index_text(last['cost'])}"
        )
        sentences += _gain_sentences(last, index)
        ratios = components[components["year"] == last["year"]].set_index("component")["ratio"]
        highest, lowest = (
            f"{name} {_index_text(ratios[name])}" for name in (ratios.idxmax(), ratios.idxmin())
        )
        lost = counted(int((ratios < 100).sum()), "component")
        sentences.append(f"Highest stands {highest}, lowest {lowest}, and {lost} below 100")
    for row in later[later["ratio"].isna()].itertuples():
        lacking = row.missing.split("; ")
        who = listed(lacking) if len(lacking) < 4 else f"{len(lacking)} components"
        lack = "lacks" if len(lacking) == 1 else "lack"
        sentences.append(f"For {row.year} there is no index yet: {who} {lack} something")
    if indices.overall["illustrative"].any():
        sentences.append("The figures are illustrative")
    return ". ".join(sentences) + "."


def _gain_sentences(last: pd.Series, index: pd.Series) -> list[str]:
    """What was gained beside the target, and the index that was returned."""
    way = "gained" if last["ratio"] >= 100 else "lost"
    moved = f"Points {way}: {_index_text(abs(last['ratio'] - 100))}"
    if pd.notna(index["target"]):
        target = _index_text(index["target"] - 100)
        moved += f"; the target asks for {target} to be gained by {index['due']}"
    difference = _index_text(last["difference"])
    sentences = [f"{moved}. Read as a difference, performance less cost, it is {difference}"]
    if pd.notna(last["returned"]):
        agree = abs(last["ratio"] - last["returned"]) <= AGREES_WITHIN + 1e-9
        same = "the same" if agree else "another one: the page on data quality says what to ask"
        returned = _index_text(last["returned"])
        sentences.append(f"The index that was returned for {last['year']}, {returned}, is {same}")
    return sentences


def _effectiveness_table(indices: CostEffectiveness) -> Html:
    """The indices of each component and of all together, year by year."""
    first, *years = indices.years
    shares = indices.components.loc[indices.components["year"] == first, "share"]
    overall = indices.overall.assign(component=_TOGETHER, share=shares.sum(min_count=1))
    # Of all together nothing is lacking but what its components lack.
    rows = pd.concat([indices.components, overall.assign(missing="")], ignore_index=True)
    by_year = rows.pivot(index="component", columns="year").loc[rows["component"].unique()]
    frame = by_year["share"][[first]].map(_percent).set_axis(["Share"], axis=1)
    headings = {"performance": "Performance", "cost": "Cost", "ratio": "Cost-effectiveness"}
    for name, heading in headings.items():
        figures = by_year[name][years].map(_index_text)
        frame = frame.join(figures.add_prefix(f"{heading} "))
    numeric = list(frame.columns)
    lacking = rows[rows["missing"] != ""].groupby("component")["missing"].unique()
    if len(lacking):
        frame["What is lacking"] = lacking.map("; ".join).reindex(frame.index, fill_value="")
    caption = f"Indices of performance, cost and cost-effectiveness, {first} = 100"
    frame = frame.reset_index(names="Component")
    return table(frame, caption + illustrative_mark(rows), numeric=numeric)


def _budgets_table(report: Report) -> Html:
    """The net budgets behind the index of cost, as returned and in prices of the baseline year."""
    indices, section = report.effectiveness, report.agreement.settings.effectiveness
    assert section is not None
    unit = report.agreement.measures.at[section.net_budget, "unit"]
    columns = [
        Column("Component"),
        Column("Year"),
        Column.figure("In the year's prices", "net_budget"),
        Column.figure(f"In prices of {indices.years[0]}", "real_budget"),
        Column.number("Index of cost", lambda row: _index_text(row["cost"])),
    ]
    rows = indices.components.assign(unit=unit)
    return rows_table(rows, columns, f"Net budgets, {unit}{illustrative_mark(rows)}", folded=True)


def _effectiveness_chart(indices: CostEffectiveness, index: pd.Series) -> Chart:
    """The cost-effectiveness of all components together, against the target and what was expected.

    The shaded band reaches from the lowest component to the highest.
    """
    ratios = indices.components.groupby("year")["ratio"]
    data = indices.overall[["year", "ratio"]].rename(columns={"ratio": "together"})
    data["lowest"] = ratios.min(skipna=False).to_numpy()
    data["highest"] = ratios.max(skipna=False).to_numpy()
    known = data[data["together"].notna()].reset_index(drop=True)
    if known.empty:
        return chart.only_words("Chart of cost-effectiveness: no index can be made.")

    def draw(axes: Axes) -> None:
        ends = pd.to_datetime([parse_period(year).end for year in known["year"]])
        axes.axhline(100, color=GREY, linewidth=1)
        axes.fill_between(
            ends, known["lowest"], known["highest"], color=BLUE, alpha=0.15, linewidth=0
        )
        axes.plot(ends, known["together"], "o-", color=BLUE, markersize=6)
        last = known.iloc[-1]
        lines = {"together": _TOGETHER}
        if last["highest"] > last["lowest"]:
            lines |= {"lowest": "Lowest", "highest": "Highest"}
        labels: Labels = [
            (last[name], ends[-1], f"{text} {_index_text(last[name])}", BLUE)
            for name, text in lines.items()
        ]
        labels += _draw_aims(axes, index)
        axes.margins(x=0.04, y=0.12)
        chart.label_ends(axes, labels)
        chart.mark_years(axes, 1)

    shown = data.set_index("year").map(_index_text).reset_index().rename(columns=str.capitalize)
    together = listed([*map(_index_text, known["together"])])
    alt = (
        f"Line chart of the cost-effectiveness of all components together, {together}, with the "
        "target; the shaded band reaches from the lowest component to the highest."
    )
    mark = illustrative_mark(indices.overall)
    numbers = table(shown, f"Cost-effectiveness by year{mark}", list(shown)[1:], folded=True)
    return Chart(draw, alt + mark, data, numbers, margins=(0.1, 0.72, 0.95, 0.12))


def _draw_aims(axes: Axes, index: pd.Series) -> Labels:
    """Draw the target and what was expected without the agreement, when they are due."""
    labels: Labels = []
    for aim, marker, size, colour in (("target", "*", 14, GREY), ("without", "_", 16, TEAL)):
        if pd.notna(index[aim]):
            due = pd.Timestamp(due_period(index).end)
            axes.plot([due], [index[aim]], marker, color=colour, markersize=size, markeredgewidth=2)
            mark = " [a]" if index[f"{aim}_status"] == "assumed" else ""
            text = f"{aim.capitalize()} {_index_text(index[aim])}{mark}"
            labels.append((index[aim], due, text, colour))
    return labels


def _components_chart(indices: CostEffectiveness) -> Chart:
    """What performance and cost brought to each component's cost-effectiveness, in points.

    The two bars of a component add up to its distance from 100, which the diamond marks.
    """
    overall = indices.overall.assign(component=_TOGETHER)
    rows = pd.concat([indices.components, overall], ignore_index=True)
    later = rows["ratio"].notna() & ~rows["year"].isin(indices.years[:1])
    year = max(rows.loc[later, "year"], default="")
    columns = ["component", "from_performance", "from_cost", "ratio"]
    data = rows.loc[rows["year"] == year, columns].reset_index(drop=True)
    drawn = data[data["ratio"].notna()]
    if drawn.empty:
        text = "Bar chart of what performance and cost brought: no index can be made."
        return chart.only_words(text)
    height = 1.2 + 0.42 * max(len(data), 1)

    def draw(axes: Axes) -> None:
        places = [len(data) - 1 - number for number in drawn.index]
        _draw_bars(axes, drawn, places)
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.set_yticks(range(len(data)), data["component"][::-1])
        axes.set_ylim(-0.7, len(data) - 0.3)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: _index_text(value))
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, title=None)

    headings = ["Component", "From performance", "From cost", "Both together"]
    shown = data.assign(ratio=data["ratio"] - 100).set_axis(headings, axis=1)
    shown[headings[1:]] = shown[headings[1:]].map(signed)
    mark = illustrative_mark(indices.overall)
    what = f"Points that performance and cost brought to cost-effectiveness in {year}{mark}"
    numbers = table(shown, what, headings[1:], folded=True)
    margins = (0.28, 0.9, 1 - 0.6 / height, 0.5 / height)
    return Chart(draw, f"Bar chart of the p{what[1:]}.", data, numbers, height, margins)


def _draw_bars(axes: Axes, rows: pd.DataFrame, places: list[int]) -> None:
    """Draw what performance and cost brought side by side, and a diamond where both end."""
    performance, cost, net = rows["from_performance"], rows["from_cost"], rows["ratio"] - 100
    # On the same side of 0 the bar of cost goes on where that of performance ends.
    start = performance.where(cost * performance > 0, 0)
    bar: dict[str, Any] = {"height": 0.62, "edgecolor": "white", "linewidth": 0}
    axes.barh(places, performance, color=BLUE, label="From performance", **bar)
    axes.barh(places, cost, left=start, color=ORANGE, label="From cost", hatch="///", **bar)
    diamond: dict[str, Any] = {"color": "black", "markersize": 7, "markeredgecolor": "white"}
    axes.plot(net, places, "D", label="Both together", **diamond)
    beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "annotation_clip": False}
    for value, place in zip(net, places, strict=True):
        axes.annotate(signed(value), (1.02, place), va="center", **beside)
