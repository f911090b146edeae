"""Charts: pictures that carry their own words and numbers.

Colours and style are the Government Analysis Function's (package ``afcharts``). No chart uses
colour alone, and each has alternative text made from the numbers it draws.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import matplotlib.dates
import matplotlib.style
import numpy as np
import pandas as pd
import seaborn as sns
from afcharts.af_colours import get_af_colours
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from psa_analysis.effectiveness import Effectiveness
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import Report, assessment_row, readings_with_path
from psa_analysis.trajectory import (
    baseline_end,
    due_period,
    planned_path,
    trigger_path,
    trigger_value,
)
from psa_analysis.words import counted, figure_text, listed, signed, state_text

BLUE, TEAL, PINK, ORANGE, GREY, _ = get_af_colours("categorical", number_of_colours=6)
#: Colour and marker of a state: at most four colours, and a shape for each.
STATE_MARKS = {
    "achieved": (BLUE, "P"), "on track": (BLUE, "o"),
    "partly achieved": (ORANGE, "D"), "at risk": (ORANGE, "^"),
    "missed": (PINK, "s"), "off track": (PINK, "X"),
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A picture with its alternative text and its data.

    Attributes
    ----------
    svg : str
        The picture; text in it stays text.
    alt : str
        What it shows, in words, from the same numbers.
    data : pandas.DataFrame
        The numbers drawn.
    """

    svg: str = field(repr=False)
    alt: str
    data: pd.DataFrame = field(repr=False)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        # The page template takes the alternative text from the metadata; nbval compares both.
        return (
            {"image/svg+xml": self.svg, "text/plain": self.alt},
            {"image/svg+xml": {"alt": self.alt}},
        )


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure in the house style that leaves no global state behind."""
    with mpl.rc_context(), mpl.style.context("afcharts.afcharts"):
        # Text stays text and ids stay the same, so equal numbers give equal bytes.
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "psa", "font.size": 12})
        figure = Figure(figsize=(width, height))
        yield figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # Nothing in the file may point outside it.
    return buffer.getvalue().partition("<!DOCTYPE")[0] + buffer.getvalue().partition('dtd">\n')[2]


def trajectory_chart(report: Report, measure: str) -> Chart:
    """The readings of one measure against the planned path to its target.

    Parameters
    ----------
    report : Report
        The period's report.
    measure : str
        A measure of the register that is a target or supports one.

    Raises
    ------
    KeyError
        If there is no such measure in the assessment.
    """
    row = assessment_row(report, measure)
    definition = report.agreement.measures.loc[measure]
    own = readings_with_path(report, measure)
    data = own[["period", "reading", "flag", "planned"]]
    outlook = report.outlooks[measure]
    fan = outlook.fan() if not outlook.reason else None
    if fan is not None:
        data = pd.concat([data, fan.drop(columns="period_end")], ignore_index=True)

    with _figure(8, 4.2) as (figure, axes):
        figure.subplots_adjust(left=0.1, right=0.8, top=0.95, bottom=0.12)
        labels = _draw_path(axes, definition, report.agreement.settings.grant.trigger)
        if fan is not None:
            labels += _draw_fan(axes, fan, own, str(row["unit"]))
        if len(own):
            labels += _draw_readings(axes, own, str(row["unit"]), fan is not None)
        elif not labels:
            axes.text(0.5, 0.5, "No readings and no path", transform=axes.transAxes, ha="center")
        axes.margins(x=0.02, y=0.12)
        _label_ends(axes, labels)
        axes.xaxis.set_major_locator(mpl.dates.YearLocator(_year_step(axes), month=3, day=31))
        axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("Mar\n%Y"))
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, str(row["unit"])))
        svg = _svg(figure)
    return Chart(svg, _trajectory_alt(row, len(own)), data)


#: What stands at the right edge: the value and day of a point, the text and the colour.
Labels = list[tuple[float, pd.Timestamp, str, str]]


def _draw_path(axes: Axes, measure: pd.Series, share: float) -> Labels:
    """Planned path, target and trigger; gives the labels that belong at the right edge."""
    if pd.isna(measure["target"]):
        return []
    due = pd.Timestamp(due_period(measure).end)
    target = f"Target {figure_text(measure['target'], measure['unit'])}"
    labels: Labels = [(measure["target"], due, target, GREY)]
    axes.plot([due], [measure["target"]], marker="*", markersize=14, color=GREY, linestyle="none")
    if pd.notna(measure["baseline"]):
        start = pd.Timestamp(baseline_end(measure))
        straight = measure["profile"] in ("", "linear")
        # A straight line needs its ends; another path is drawn month by month.
        ends = pd.Series([start, due] if straight else pd.date_range(start, due, freq="ME"))
        axes.plot(
            ends, planned_path(measure, ends), color=GREY, linestyle=(0, (5, 3)), linewidth=1.5
        )
        axes.plot([start], [measure["baseline"]], marker="|", markersize=14, color=GREY)
        # Where the grant begins, on the way; nothing where 'without' is not stated.
        way = trigger_path(measure, ends, share)
        if way.notna().all():
            axes.plot(ends, way, color=TEAL, linestyle=(0, (1, 3)), linewidth=1.5)
    trigger = trigger_value(measure, share)
    if pd.notna(trigger):
        axes.plot([due], [trigger], marker="_", markersize=16, markeredgewidth=2, color=TEAL)
        mark = " [a]" if measure["without_status"] == "assumed" else ""
        text = f"Trigger {figure_text(trigger, measure['unit'])}{mark}"
        labels.append((trigger, due, text, TEAL))
    return labels


def _draw_fan(axes: Axes, fan: pd.DataFrame, own: pd.DataFrame, unit: str) -> Labels:
    """Where the readings to come are likely to be: half, and eight in ten, of the chances."""
    # From the latest reading on, so that the fan opens where the line ends.
    columns = [name for name in fan if name not in ("period", "period_end")]
    if len(own):
        last = own.iloc[-1]
        begin = pd.DataFrame(
            [{"period_end": last["period_end"]} | dict.fromkeys(columns, last["reading"])]
        )
        fan = pd.concat([begin, fan], ignore_index=True)
    for percent, shade in ((80, 0.15), (50, 0.25)):
        axes.fill_between(
            fan["period_end"], fan[f"low_{percent}"], fan[f"high_{percent}"],
            color=BLUE, alpha=shade, linewidth=0,
        )  # fmt: skip
    axes.plot(fan["period_end"], fan["median"], color=BLUE, linestyle=":", linewidth=2)
    due = fan.iloc[-1]
    for end in ("low_80", "high_80"):
        axes.plot([due["period_end"]], [due[end]], marker="_", color=BLUE, markersize=10)
    middle = f"Forecast {figure_text(due['median'], unit)}"
    return [(due["median"], due["period_end"], middle, BLUE)]


def _draw_readings(axes: Axes, own: pd.DataFrame, unit: str, ahead: bool) -> Labels:
    """The line of readings; figures that may still change are hollow."""
    firm = own["flag"].isin(["final", "revised"])
    # What chance alone allows around each reading, where that is known.
    axes.vlines(own["period_end"], own["lower"], own["upper"], color=BLUE, linewidth=1, alpha=0.5)
    axes.plot(own["period_end"], own["reading"], color=BLUE)
    axes.plot(own["period_end"][firm], own["reading"][firm], "o", color=BLUE, markersize=6)
    axes.plot(
        own["period_end"][~firm], own["reading"][~firm], "o",
        markerfacecolor="white", markeredgecolor=BLUE, markeredgewidth=2, markersize=7,
    )  # fmt: skip
    last = own.iloc[-1]
    text = f"{last['period']}: {figure_text(last['reading'], unit)}"
    if not ahead:
        return [(last["reading"], last["period_end"], text, BLUE)]
    # Above a rising line and below a falling one, to the left: line and fan are elsewhere.
    falling = last["reading"] < own["reading"].mean()
    axes.annotate(
        text, (last["period_end"], last["reading"]), (-10, -24 if falling else 24),
        textcoords="offset points", color=BLUE, ha="right", fontsize=11,
        va="top" if falling else "bottom",
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
    )  # fmt: skip
    return []


def _label_ends(axes: Axes, labels: Labels) -> None:
    """Labels at the right edge, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    room = (high - low) * 0.09
    height = -np.inf
    for value, end, text, colour in sorted(labels):
        height = max(value, height + room)
        axes.annotate(
            text, (end, value), (1.02, height), textcoords=("axes fraction", "data"), color=colour,
            va="center", annotation_clip=False, fontsize=11,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkB": 8},
        )  # fmt: skip


def _year_step(axes: Axes) -> int:
    left, right = axes.get_xlim()
    return 2 if right - left > 365 * 7 else 1


def _trajectory_alt(row: pd.Series, count: int) -> str:
    unit = str(row["unit"])
    if not count:
        start = f"Chart of {row['title']}: no readings."
    else:
        start = (
            f"Line chart of {row['title']}: {count} readings up to {row['latest_period']}, the "
            f"latest {figure_text(row['latest'], unit)}."
        )
    if pd.isna(row["target"]):
        return f"{start} No target is stated, so no path is drawn."
    path = f" The target is {figure_text(row['target'], unit)} by {row['due']}"
    if pd.notna(row["planned"]):
        path += f"; the dashed planned path stands at {figure_text(row['planned'], unit)} by then"
    ahead = ""
    if pd.notna(row["forecast"]):
        ahead = (
            f" The shaded forecast for {row['due']} has its middle at "
            f"{figure_text(row['forecast'], unit)}; eight in ten chances lie between "
            f"{figure_text(row['low_80'], unit)} and {figure_text(row['high_80'], unit)}."
        )
    return f"{start}{path}.{ahead} {state_text(row)}."


def progress_chart(report: Report) -> Chart:
    """How much of the planned improvement each measure has made: the agreement in one picture."""
    table = report.assessment
    shown = table[table["progress"].notna() & table["state"].isin(STATE_MARKS)]
    data = shown[["measure", "title", "progress", "state"]].reset_index(drop=True)
    # A measure far off either way would squeeze the others; the table has its number.
    drawn = data.assign(percent=(100 * data["progress"]).clip(-50, 200))
    svg = _dots_by_state(drawn, (-55, 205), [(0, "-"), (100, (0, (5, 3)))])
    alt = (
        "Dot plot of the share of the planned improvement made so far by each measure; the dashed "
        f"line at 100% is the planned path. {_listed_by_state(data, 'progress')}."
    )
    return Chart(svg, alt, data)


def chance_chart(report: Report) -> Chart:
    """How likely each target is to be met, with the chances that divide the states."""
    table = report.assessment
    shown = table[table["chance_target"].notna() & table["state"].isin(STATE_MARKS)]
    data = shown[["measure", "title", "chance_target", "state"]].reset_index(drop=True)
    drawn = data.assign(percent=100 * data["chance_target"])
    states = report.agreement.settings.states
    lines = [(100 * states.at_risk, (0, (5, 3))), (100 * states.on_track, (0, (5, 3)))]
    svg = _dots_by_state(drawn, (-3, 103), lines)
    alt = (
        "Dot plot of the chance that each target is met; the dashed lines are where at risk begins,"
        f" {states.at_risk:.0%}, and on track, {states.on_track:.0%}. "
        f"{_listed_by_state(data, 'chance_target')}."
    )
    return Chart(svg, alt, data)


def _dots_by_state(
    drawn: pd.DataFrame, limits: tuple[float, float], lines: list[tuple[float, Any]]
) -> str:
    """A dot for each measure at its ``percent``, with a colour and a shape for its state."""
    states = [state for state in STATE_MARKS if state in set(drawn["state"])]
    with _figure(8, 1.2 + 0.34 * max(len(drawn), 1)) as (figure, axes):
        figure.subplots_adjust(left=0.16, right=0.98, top=0.88, bottom=0.12)
        if states:
            sns.scatterplot(
                drawn, x="percent", y="measure", hue="state", style="state", hue_order=states,
                style_order=states, palette={state: STATE_MARKS[state][0] for state in states},
                markers={state: STATE_MARKS[state][1] for state in states}, s=110, ax=axes,
            )  # fmt: skip
        for place, style in lines:
            axes.axvline(place, color=GREY, linestyle=style, linewidth=1.2)
        axes.set(xlabel="", ylabel="", xlim=limits)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        axes.grid(axis="x")
        if states:
            axes.legend(
                loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=len(states), title=None
            )
        return _svg(figure)


def _listed_by_state(data: pd.DataFrame, column: str) -> str:
    return "; ".join(
        f"{state}: "
        + ", ".join(f"{row['measure']} {row[column]:.0%}" for _, row in group.iterrows())
        for state, group in data.groupby("state", sort=False)
    )


def reliability_chart(table: pd.DataFrame) -> Chart:
    """What forecasts said against how often it came true: on the line is right.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`psa_analysis.backtest.reliability` gives it.
    """
    with _figure(6, 4.6) as (figure, axes):
        figure.subplots_adjust(left=0.12, right=0.96, top=0.92, bottom=0.14)
        axes.plot([0, 100], [0, 100], color=GREY, linestyle=(0, (5, 3)), linewidth=1.5)
        below = 100 * (table["came_true"] - table["low"])
        above = 100 * (table["high"] - table["came_true"])
        axes.errorbar(
            100 * table["said"], 100 * table["came_true"], yerr=[below, above], fmt="o",
            color=BLUE, markersize=7, capsize=4,
        )  # fmt: skip
        axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="Chance that was given")
        axes.set_title("Share that came true", loc="left", fontsize=12)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        svg = _svg(figure)
    said = "; ".join(
        f"where {row.said:.0%} was said, {row.came_true:.0%}" for row in table.itertuples()
    )
    alt = (
        "Dot plot of the chances that forecasts gave against how often they came true; on the "
        f"dashed line both are the same. Came true: {said}."
    )
    return Chart(svg, alt, table)


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
    with _figure(8, 4.2) as (figure, axes):
        figure.subplots_adjust(left=0.1, right=0.72, top=0.95, bottom=0.12)
        if made_from is None or known.empty:
            axes.text(0.5, 0.5, "No index", transform=axes.transAxes, ha="center")
            return Chart(_svg(figure), "Chart of cost-effectiveness: no index can be made.", data)
        index = report.agreement.measures.loc[made_from.index]
        ends = pd.to_datetime([parse_period(year).end for year in known["year"]])
        axes.axhline(100, color=GREY, linewidth=1)
        axes.fill_between(
            ends, known["lowest"].astype(float), known["highest"].astype(float),
            color=BLUE, alpha=0.15, linewidth=0,
        )  # fmt: skip
        axes.plot(ends, known["together"], "o-", color=BLUE, markersize=6)
        last = known.iloc[-1]
        labels: Labels = [
            (last[name], ends[-1], f"{text} {figure_text(last[name], 'index')}", BLUE)
            for name, text in (("together", "All together"), ("lowest", "Lowest"),
                               ("highest", "Highest"))
            if name == "together" or last["highest"] > last["lowest"]
        ]  # fmt: skip
        labels += _draw_aims(axes, index)
        axes.margins(x=0.04, y=0.12)
        _label_ends(axes, labels)
        axes.xaxis.set_major_locator(mpl.dates.YearLocator(1, month=3, day=31))
        axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("Mar\n%Y"))
        svg = _svg(figure)
    return Chart(svg, _effectiveness_alt(report, index, known), data)


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


def contributions_chart(report: Report) -> Chart:
    """What performance and cost brought to each component's cost-effectiveness, in points.

    The two bars of a component add up to its distance from 100, which the diamond marks.
    """
    made = report.effectiveness
    columns = ["component", "from_performance", "from_cost", "ratio"]
    together = made.overall.assign(component="All together")
    rows = pd.concat([made.components, together], ignore_index=True)
    newest = max(rows.loc[rows["ratio"].notna() & ~rows["year"].isin(made.years[:1]), "year"],
                 default="")  # fmt: skip
    data = rows.loc[rows["year"] == newest, columns].reset_index(drop=True)
    drawn = data[data["ratio"].notna()]
    height = 1.2 + 0.42 * max(len(data), 1)
    with _figure(8, height) as (figure, axes):
        figure.subplots_adjust(left=0.28, right=0.9, top=1 - 0.6 / height, bottom=0.5 / height)
        if drawn.empty:
            axes.text(0.5, 0.5, "No index", transform=axes.transAxes, ha="center")
            alt = "Bar chart of what performance and cost brought: no index can be made."
            return Chart(_svg(figure), alt, data)
        places = [len(data) - 1 - number for number in drawn.index]
        for name, label, colour, hatch in (
            ("from_performance", "From performance", BLUE, ""),
            ("from_cost", "From cost", ORANGE, "///"),
        ):
            # On the same side of 0 the second bar goes on where the first one ends.
            same = drawn["from_cost"] * drawn["from_performance"] > 0
            start = drawn["from_performance"].where(same & (name == "from_cost"), 0)
            axes.barh(
                places, drawn[name], left=start, height=0.62, color=colour, label=label,
                hatch=hatch, edgecolor="white", linewidth=0,
            )  # fmt: skip
        net = drawn["ratio"] - 100
        axes.plot(net, places, "D", color="black", markersize=7, markeredgecolor="white",
                  label="Both together")  # fmt: skip
        for value, place in zip(net, places, strict=True):
            axes.annotate(
                signed(value), (1.02, place), xycoords=("axes fraction", "data"), va="center",
                annotation_clip=False,
            )  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.set_yticks(range(len(data)), data["component"][::-1])
        axes.set_ylim(-0.7, len(data) - 0.3)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: figure_text(value, "index"))
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, title=None)
        svg = _svg(figure)
    return Chart(svg, _contributions_alt(made, data, newest), data)


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
