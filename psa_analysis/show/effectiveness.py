"""Cost-effectiveness: the index, its baskets and its budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.effectiveness import AGREES_WITHIN, Effectiveness
from psa_analysis.analysis.trajectory import due_period
from psa_analysis.periods import parse_period
from psa_analysis.report import Report
from psa_analysis.show.chart import (
    BLUE,
    GREY,
    ORANGE,
    TEAL,
    Chart,
    Labels,
    as_svg,
    label_ends,
    mark_years,
    new_figure,
)
from psa_analysis.show.tables import Html, illustrative_mark, sentence, table
from psa_analysis.words import counted, figure_text, listed, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def effectiveness_words(report: Report) -> Html:
    """A few sentences on the index of cost-effectiveness, as the baskets give it."""
    made, made_from = report.effectiveness, report.agreement.settings.effectiveness
    if made_from is None or not made.years:
        return _no_index(report)
    return sentence(effectiveness_sentences(made, report.agreement.measures.loc[made_from.index]))


def _no_index(report: Report) -> Html:
    if report.agreement.baskets.empty:
        return sentence("The register has no baskets, so the index cannot be made from them.")
    return sentence("The year that the index starts from has not ended.")


def effectiveness_table(report: Report) -> Html:
    """The indices of each component and of all together, year by year."""
    made = report.effectiveness
    if not made.years:
        return _no_index(report)
    first, *years = made.years
    share = made.components.loc[made.components["year"] == first, "share"].sum(min_count=1)
    together = made.overall.assign(component="All together", share=share)
    rows = pd.concat([made.components, together], ignore_index=True)
    by_year = rows.set_index(["component", "year"])
    components = list(dict.fromkeys(rows["component"]))
    frame = pd.DataFrame({"Component": components})
    frame["Share"] = [_percent(by_year.at[(one, first), "share"]) for one in components]
    for name, heading in (
        ("performance", "Performance"),
        ("cost", "Cost"),
        ("ratio", "Cost-effectiveness"),
    ):
        for year in years:
            figures = [figure_text(by_year.at[(one, year), name], "index") for one in components]
            frame[f"{heading} {year}"] = figures
    numeric = list(frame.columns[1:])
    lacking = rows[(rows["missing"] != "") & (rows["component"] != "All together")]
    if len(lacking):
        # Of all together nothing is lacking but what its components lack.
        said = lacking.groupby("component")["missing"].agg(lambda all_: "; ".join(all_.unique()))
        frame["What is lacking"] = frame["Component"].map(said).fillna("")
    caption = f"Indices of performance, cost and cost-effectiveness, {first} = 100"
    return table(frame, caption + illustrative_mark(rows), numeric=numeric)


def budgets_table(report: Report) -> Html:
    """The net budgets behind the index of cost, as returned and in prices of the baseline year."""
    made, made_from = report.effectiveness, report.agreement.settings.effectiveness
    if made_from is None or not made.years:
        return _no_index(report)
    unit = report.agreement.measures.at[made_from.net_budget, "unit"]
    rows = made.components
    frame = pd.DataFrame(
        {
            "Component": rows["component"],
            "Year": rows["year"],
            "In the year's prices": [figure_text(value, unit) for value in rows["net_budget"]],
            f"In prices of {made.years[0]}": [
                figure_text(value, unit) for value in rows["real_budget"]
            ],
            "Index of cost": [figure_text(value, "index") for value in rows["cost"]],
        }
    )
    caption = f"Net budgets, {unit}{illustrative_mark(rows)}"
    return table(frame, caption, numeric=list(frame.columns[2:]), folded=True)


def basket_contributions_table(report: Report, component: str | None = None) -> Html:
    """What each indicator added to the index of performance, in the newest year there is."""
    made, baskets = report.effectiveness, report.agreement.baskets
    if len(baskets) and component is not None and component not in set(baskets["component"]):
        known = ", ".join(dict.fromkeys(baskets["component"]))
        raise KeyError(f"there is no component '{component}'; the baskets have {known}")
    if not made.years:
        return _no_index(report)
    rows = made.indicators[made.indicators["year"] == (made.latest or made.years[-1])]
    if component is not None:
        rows = rows[rows["component"] == component]
    rows = rows.reset_index(drop=True)
    units = rows["indicator"].map(report.agreement.measures["unit"])
    named = units.isin(["percent", "percent change", "index"])
    year = rows["year"].iloc[0]
    frame = pd.DataFrame(
        {
            "Indicator": rows["title"].where(named, rows["title"] + ", " + units),
            "Component": rows["component"],
            "Better": rows["polarity"],
            "Weight": [_percent(share) for share in rows["share"]],
            made.years[0]: [*map(figure_text, rows["baseline"], units)],
            year: [*map(figure_text, rows["figure"], units)],
            "Change counts": rows["change"].map(
                {"relative": "as per cent of the first", "points": "in percentage points"}
            ),
            "Points added": [signed(value, 2) for value in rows["contribution"]],
        }
    )
    note = rows["definition"].where(rows["definition"] != "", rows["missing"])
    weak = rows["flag"].isin(["provisional", "estimated"])
    note = note.where(~weak, note + " (" + rows["flag"] + ")").str.strip()
    if (note != "").any():
        frame["Note"] = note
    caption = f"Points that each indicator adds to the index of performance, {year}"
    if component is not None:
        frame = frame.drop(columns="Component")
        added = signed(rows["contribution"].sum(skipna=False), 2)
        frame.loc[len(rows), ["Indicator", "Points added"]] = "All indicators", added
        frame, caption = frame.fillna(""), f"{component}: {caption.lower()}"
    numeric = ["Weight", made.years[0], year, "Points added"]
    return table(
        frame, caption + illustrative_mark(rows), numeric=numeric, folded=component is None
    )


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else f"{share:.1%}"


def effectiveness_sentences(made: Effectiveness, index: pd.Series) -> str:
    """A few sentences on the cost-effectiveness of all components together."""
    count = counted(made.components["component"].nunique(), "component")
    first = made.years[0]
    later = made.overall[made.overall["year"] != first]
    known = later[later["ratio"].notna()]
    said = [] if len(later) else [f"No year after {first} has ended yet"]
    if len(known):
        last = known.iloc[-1]
        said += _together(last, index, f"In {last['year']} the {count} together", first)
        own = made.components[made.components["year"] == last["year"]]
        said.append(_apart(own.set_index("component")["ratio"]))
    for row in later[later["ratio"].isna()].itertuples():
        lacking = row.missing.split("; ")
        who = listed(lacking) if len(lacking) < 4 else f"{len(lacking)} components"
        said.append(
            f"For {row.year} there is no index yet: {who} lack{'s' * (len(lacking) == 1)} something"
        )
    if made.overall["illustrative"].any():
        said.append("The figures are illustrative")
    return ". ".join(said) + "."


def _together(last: pd.Series, index: pd.Series, who: str, first: str) -> list[str]:
    """Where the index of all components stands, and what that is of the target."""
    ratio, performance, cost, difference = (
        figure_text(last[name], "index") for name in ("ratio", "performance", "cost", "difference")
    )
    said = [
        f"{who} stood at {ratio}, where {first} is 100: performance at {performance} over cost, "
        f"in the prices of {first}, at {cost}"
    ]
    gained = figure_text(abs(last["ratio"] - 100), "index")
    way = "gained" if last["ratio"] >= 100 else "lost"
    moved = f"Points {way}: {gained}"
    if pd.notna(index["target"]):
        asked = figure_text(index["target"] - 100, "index")
        moved += f"; the target asks for {asked} to be gained by {index['due']}"
    said.append(f"{moved}. Read as a difference, performance less cost, it is {difference}")
    if pd.notna(last["returned"]):
        agree = abs(last["ratio"] - last["returned"]) <= AGREES_WITHIN + 1e-9
        same = "the same" if agree else "another one: the page on data quality says what to ask"
        returned = figure_text(last["returned"], "index")
        said.append(f"The index that was returned for {last['year']}, {returned}, is {same}")
    return said


def _apart(ratios: pd.Series) -> str:
    """The components that stand highest and lowest, and how many have lost."""
    ends = [
        f"{name} {figure_text(ratios[name], 'index')}"
        for name in (ratios.idxmax(), ratios.idxmin())
    ]
    lost = counted(int((ratios < 100).sum()), "component")
    return f"Highest stands {ends[0]}, lowest {ends[1]}, and {lost} below 100"


def effectiveness_chart(report: Report) -> Chart:
    """The cost-effectiveness of all components together, against the target and what was expected.

    The shaded band reaches from the lowest component to the highest.
    """
    made, made_from = report.effectiveness, report.agreement.settings.effectiveness
    columns = ["year", "together", "lowest", "highest"]
    data = pd.DataFrame(columns=columns)
    if made_from is not None and made.years:
        each = made.components.pivot(index="year", columns="component", values="ratio")
        whole = each.notna().all(axis=1)
        data = pd.DataFrame(
            {
                "year": made.overall["year"],
                "together": made.overall["ratio"],
                "lowest": each.min(axis=1).where(whole).to_numpy(),
                "highest": each.max(axis=1).where(whole).to_numpy(),
            }
        )
    known = data[data["together"].notna()].reset_index(drop=True)
    with new_figure(8, 4.2) as (figure, axes):
        figure.subplots_adjust(left=0.1, right=0.72, top=0.95, bottom=0.12)
        if made_from is None or known.empty:
            axes.text(0.5, 0.5, "No index", transform=axes.transAxes, ha="center")
            return Chart(as_svg(figure), "Chart of cost-effectiveness: no index can be made.", data)
        index = report.agreement.measures.loc[made_from.index]
        ends = pd.to_datetime([parse_period(year).end for year in known["year"]])
        axes.axhline(100, color=GREY, linewidth=1)
        axes.fill_between(
            ends,
            known["lowest"].astype(float),
            known["highest"].astype(float),
            color=BLUE,
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(ends, known["together"], "o-", color=BLUE, markersize=6)
        last = known.iloc[-1]
        labels: Labels = [
            (last[name], ends[-1], f"{text} {figure_text(last[name], 'index')}", BLUE)
            for name, text in (
                ("together", "All together"),
                ("lowest", "Lowest"),
                ("highest", "Highest"),
            )
            if name == "together" or last["highest"] > last["lowest"]
        ]
        labels += _draw_aims(axes, index)
        axes.margins(x=0.04, y=0.12)
        label_ends(axes, labels)
        mark_years(axes, 1)
        svg = as_svg(figure)
    shown = pd.DataFrame({"Year": data["year"]})
    for name in columns[1:]:
        shown[name.capitalize()] = [figure_text(value, "index") for value in data[name]]
    return Chart(svg, _effectiveness_alt(report, index, known), data, shown)


def _draw_aims(axes: Axes, index: pd.Series) -> Labels:
    """The target, and what was expected without the agreement, when they are due."""
    labels: Labels = []
    for aim, marker, size, colour in (("target", "*", 14, GREY), ("without", "_", 16, TEAL)):
        if pd.notna(index[aim]):
            due = pd.Timestamp(due_period(index).end)
            axes.plot([due], [index[aim]], marker, color=colour, markersize=size, markeredgewidth=2)
            mark = " [a]" if index[f"{aim}_status"] == "assumed" else ""
            text = f"{aim.capitalize()} {figure_text(index[aim], 'index')}{mark}"
            labels.append((index[aim], due, text, colour))
    return labels


def _effectiveness_alt(report: Report, index: pd.Series, known: pd.DataFrame) -> str:
    made = report.effectiveness
    last = known.iloc[-1]
    own = made.components[made.components["year"] == last["year"]].set_index("component")["ratio"]
    figures = listed([figure_text(value, "index") for value in known["together"]])
    years = last["year"] if len(known) == 1 else f"{known['year'].iloc[0]} to {last['year']}"
    alt = (
        f"Line chart of the cost-effectiveness of {counted(len(own), 'component')} together, "
        f"{years}: {figures}."
    )
    if own.max() > own.min():
        alt += (
            f" The shaded band reaches in {last['year']} from {own.idxmin()}, "
            f"{figure_text(own.min(), 'index')}, to {own.idxmax()}, "
            f"{figure_text(own.max(), 'index')}."
        )
    if pd.notna(index["target"]):
        alt += f" The target is {figure_text(index['target'], 'index')} by {index['due']}"
        if pd.notna(index["without"]):
            assumed = ", assumed," if index["without_status"] == "assumed" else ""
            without = figure_text(index["without"], "index")
            alt += f"; {without}{assumed} was expected without the agreement"
        alt += "."
    return f"{alt} Illustrative figures." if made.overall["illustrative"].any() else alt


def basket_contributions_chart(report: Report) -> Chart:
    """What performance and cost brought to each component's cost-effectiveness, in points.

    The two bars of a component add up to its distance from 100, which the diamond marks.
    """
    made = report.effectiveness
    columns = ["component", "from_performance", "from_cost", "ratio"]
    together = made.overall.assign(component="All together")
    rows = pd.concat([made.components, together], ignore_index=True)
    newest = max(
        rows.loc[rows["ratio"].notna() & ~rows["year"].isin(made.years[:1]), "year"], default=""
    )
    data = rows.loc[rows["year"] == newest, columns].reset_index(drop=True)
    drawn = data[data["ratio"].notna()]
    height = 1.2 + 0.42 * max(len(data), 1)
    with new_figure(8, height) as (figure, axes):
        figure.subplots_adjust(left=0.28, right=0.9, top=1 - 0.6 / height, bottom=0.5 / height)
        if drawn.empty:
            axes.text(0.5, 0.5, "No index", transform=axes.transAxes, ha="center")
            alt = "Bar chart of what performance and cost brought: no index can be made."
            return Chart(as_svg(figure), alt, data)
        places = [len(data) - 1 - number for number in drawn.index]
        for name, label, colour, hatch in (
            ("from_performance", "From performance", BLUE, ""),
            ("from_cost", "From cost", ORANGE, "///"),
        ):
            # On the same side of 0 the second bar goes on where the first one ends.
            same = drawn["from_cost"] * drawn["from_performance"] > 0
            start = drawn["from_performance"].where(same & (name == "from_cost"), 0)
            axes.barh(
                places,
                drawn[name],
                left=start,
                height=0.62,
                color=colour,
                label=label,
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
            )
        net = drawn["ratio"] - 100
        axes.plot(
            net,
            places,
            "D",
            color="black",
            markersize=7,
            markeredgecolor="white",
            label="Both together",
        )
        for value, place in zip(net, places, strict=True):
            axes.annotate(
                signed(value),
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                annotation_clip=False,
            )
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.set_yticks(range(len(data)), data["component"][::-1])
        axes.set_ylim(-0.7, len(data) - 0.3)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: figure_text(value, "index"))
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, title=None)
        svg = as_svg(figure)
    shown = pd.DataFrame({"Component": data["component"]})
    for name, heading in (("from_performance", "From performance"), ("from_cost", "From cost")):
        shown[heading] = [signed(value) for value in data[name]]
    shown["Both together"] = [signed(value) for value in data["ratio"] - 100]
    return Chart(svg, _contributions_alt(made, data, newest), data, shown)


def _contributions_alt(made: Effectiveness, data: pd.DataFrame, year: str) -> str:
    said = "; ".join(
        f"{row.component}: no index"
        if pd.isna(row.ratio)
        else f"{row.component}: {signed(row.from_performance)} from performance, "
        f"{signed(row.from_cost)} from cost, {signed(row.ratio - 100)} together"
        for row in data.itertuples()
    )
    end = " Illustrative figures." if made.overall["illustrative"].any() else ""
    return (
        "Bar chart of the points that performance and cost brought to cost-effectiveness in "
        f"{year}. {said}.{end}"
    )
