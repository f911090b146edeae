"""Charts: pictures that carry their own words and numbers.

Colours and style are the Government Analysis Function's (package ``afcharts``). No chart uses
colour alone, and each has alternative text made from the numbers it draws.
"""

from __future__ import annotations

import io
import warnings
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

from psa_analysis.findings import shorten
from psa_analysis.grant import gain_curve, gains, pot, whole_grant
from psa_analysis.links import linked
from psa_analysis.pipeline import Report, assessment_row, readings_with_path
from psa_analysis.trajectory import (
    baseline_end,
    due_period,
    planned_path,
    trigger_path,
    trigger_value,
)
from psa_analysis.words import chance_text, counted, figure_text, range_text, state_text, visible

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
        alt = visible(self.alt)
        return (
            {"image/svg+xml": self.svg, "text/plain": alt},
            {"image/svg+xml": {"alt": alt}},
        )


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure in the house style that leaves no global state behind."""
    with warnings.catch_warnings(), mpl.rc_context(), mpl.style.context("afcharts.afcharts"):
        # Text stays text and ids stay the same, so equal numbers give equal bytes.
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "psa", "font.size": 12})
        # A price is no mathematics, and it is the reader's fonts that draw the text.
        mpl.rcParams["text.parse_math"] = False
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure = Figure(figsize=(width, height))
        yield figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = visible(buffer.getvalue())
    # Nothing in the file may point outside it.
    return svg.partition("<!DOCTYPE")[0] + svg.partition('dtd">\n')[2]


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
        # A straight line needs its ends; another path is drawn month by month, or by quarters.
        step = "QE-MAR" if measure["profile"] == "seasonal" else "ME"
        ends = pd.Series([start, due] if straight else pd.date_range(start, due, freq=step))
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


def grant_chart(report: Report) -> Chart:
    """How likely at least each share of the pot is, at the least and at the most."""
    made = whole_grant(report)
    shares = np.arange(101) / 100
    chances = [made.chance(float(share)) for share in shares]
    data = pd.DataFrame(chances, columns=["least", "most"]).assign(share=shares)
    data = data[["share", "least", "most"]]
    with _figure(8, 3.6) as (figure, axes):
        figure.subplots_adjust(left=0.09, right=0.97, top=0.88, bottom=0.16)
        axes.fill_between(
            100 * shares, 100 * data["least"], 100 * data["most"], color=BLUE, alpha=0.2,
            linewidth=0,
        )  # fmt: skip
        axes.plot(100 * shares, 100 * data["least"], color=BLUE, label="at the least")
        if not np.allclose(data["least"], data["most"]):
            axes.plot(
                100 * shares, 100 * data["most"], color=BLUE, linestyle=(0, (5, 3)),
                label="at the most",
            )  # fmt: skip
            axes.legend(loc="upper right")
        axes.set(xlim=(0, 100), ylim=(0, 102), xlabel="At least so much of the pot")
        axes.set_title("Chance", loc="left", fontsize=12)
        axes.grid(axis="x")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        svg = _svg(figure)
    low, high = made.expected()
    said = "; ".join(
        f"at least {row.share:.0%}: {_range_of_chances(row.least, row.most)}"
        for row in data.iloc[10:100:20].itertuples()
    )
    alt = (
        "Line chart of the chance that the reward comes to at least each share of the pot. "
        f"Expected: {range_text(low, high)} of the pot. {said}."
    )
    if pot(report.agreement.settings) is None:
        alt += " The pot is not stated in pounds."
    return Chart(svg, alt, data)


def _range_of_chances(low: float, high: float) -> str:
    one, other = chance_text(low), chance_text(high)
    return one if one == other else f"{one} to {other}"


def gains_chart(report: Report, most: int = 6) -> Chart:
    """How the expected reward of single measures grows with a better outturn: with its cliff.

    Parameters
    ----------
    report : Report
    most : int
        How many measures: those of which a better outturn brings most.
    """
    names = gains(report)["measure"].head(most).tolist()
    steps = tuple(number / 50 for number in range(-25, 51))
    curves = {name: gain_curve(report, name, steps) for name in names}
    rows = -(-max(len(names), 1) // 3)
    with _figure(8, 0.6 + 2.2 * rows) as (figure, axes):
        axes.remove()
        figure.subplots_adjust(
            left=0.08, right=0.98, top=1 - 0.4 / (0.6 + 2.2 * rows), hspace=0.5, wspace=0.12,
            bottom=0.55 / (0.6 + 2.2 * rows),
        )  # fmt: skip
        panels = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, name in zip(panels, names, strict=False):
            curve = curves[name]
            x = 100 * curve["step"]
            panel.fill_between(
                x, 100 * curve["least"], 100 * curve["most"], color=BLUE, alpha=0.2, linewidth=0
            )
            panel.plot(x, 100 * curve["least"], color=BLUE)
            panel.plot(x, 100 * curve["most"], color=BLUE, linestyle=(0, (5, 3)))
            panel.step(x, 100 * curve["certain"], color=TEAL, linestyle=":", where="post")
            panel.axvline(0, color=GREY, linewidth=1)
            panel.set_title(name, loc="left", fontsize=12)
            panel.set(ylim=(0, 103), xlim=(-50, 100), xticks=[0, 50])
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:+.0f}%" if value else "0")
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
        for panel in panels[len(names) :]:
            panel.remove()
        svg = _svg(figure)
    data = pd.concat(
        [curve.assign(measure=name) for name, curve in curves.items()]
        or [pd.DataFrame(columns=["step", "least", "most", "certain", "measure"])],
        ignore_index=True,
    )
    said = "; ".join(
        f"{name}: {range_text(*_at(curve, 0.0))} now, {range_text(*_at(curve, 0.5))} with half of "
        "the way more"
        for name, curve in curves.items()
    )
    alt = (
        "Small line charts, one a measure, of the expected share of its reward if the due reading "
        f"were better or worse by part of the way to its target. {said or 'None can be drawn'}."
    )
    return Chart(svg, alt, data[["measure", "step", "least", "most", "certain"]])


def _at(curve: pd.DataFrame, step: float) -> tuple[float, float]:
    row = curve[curve["step"] == step].iloc[0]
    low, high = sorted((float(row["least"]), float(row["most"])))
    return low, high


def links_chart(report: Report) -> Chart:
    """The agreement's links: targets by theme in a column, an arc for each link."""
    agreement = report.agreement
    targets, topics = agreement.targets, agreement.settings.topics
    pairs: dict[frozenset[str], float] = {}
    for _, row in agreement.links.iterrows():
        for pair in linked(row, topics):
            known = pairs.get(frozenset(pair), np.nan)
            stated = row["correlation"]
            pairs[frozenset(pair)] = known if pd.isna(stated) else float(stated)
    order = {str(name): float(place) for place, name in enumerate(targets.index)}
    ends = [sorted(pair, key=lambda name: order[name]) for pair in pairs]
    data = pd.DataFrame(ends, columns=["target", "linked_to"]).assign(correlation=[*pairs.values()])
    with _figure(8, 0.5 + 0.36 * len(order)) as (figure, axes):
        figure.subplots_adjust(left=0.02, right=0.98, top=0.98, bottom=0.02)
        theme, shift = "", 0.0
        for name, row in targets.iterrows():
            place = order[str(name)] + shift
            if row["theme"] != theme:
                theme, shift, place = row["theme"], shift + 0.9, place + 0.9
                heading = agreement.settings.themes[theme]
                axes.text(-0.62, place - 0.9, heading, va="center", ha="left", fontweight="bold")
            order[str(name)] = place
            axes.text(-0.6, place, f"{name}  {shorten(row['outcome'], 62)}", va="center", ha="left")
            axes.plot([0.52], [place], "o", color=BLUE, markersize=7)
        deepest = max((abs(order[a] - order[b]) for a, b in ends), default=1)
        for (one, other), strength in zip(ends, pairs.values(), strict=True):
            half = np.linspace(-np.pi / 2, np.pi / 2, 40)
            middle, radius = (order[one] + order[other]) / 2, abs(order[one] - order[other]) / 2
            # Longer links reach further out, so that arcs do not cover one another.
            out = 0.52 + 0.45 * (2 * radius / deepest) * np.cos(half)
            style = (0, (5, 3)) if pd.isna(strength) else "-"
            axes.plot(out, middle + radius * np.sin(half), color=TEAL, linestyle=style, linewidth=2)
        axes.set(xlim=(-0.65, 1), ylim=(max(order.values(), default=0) + 0.6, -0.8))
        axes.axis("off")
        svg = _svg(figure)
    said = "; ".join(f"{one} and {other}" for one, other in ends)
    kind = "dashed: no correlation is stated" if data["correlation"].isna().any() else "all stated"
    alt = (
        f"Diagram of the targets by theme with an arc for each of {counted(len(ends), 'link')} "
        f"({kind}): {said or 'none'}."
    )
    return Chart(svg, alt, data)
