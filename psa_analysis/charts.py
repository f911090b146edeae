"""Charts: pictures that carry their own words and numbers.

Colours and style are the Government Analysis Function's (package ``afcharts``). No chart uses
colour alone, and each has alternative text made from the numbers it draws.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

from psa_analysis.commitments import STATES as COMMITMENT_STATES
from psa_analysis.control import OUR_RULES, Control, ControlRules
from psa_analysis.effectiveness import Effectiveness
from psa_analysis.families import (
    FamilyOutlook,
    Funnel,
    family_figures,
    family_outlook,
    figure_unit,
    funnel,
    standings,
)
from psa_analysis.findings import shorten, visible
from psa_analysis.grant import gain_curve, gains, pot, whole_grant
from psa_analysis.links import linked
from psa_analysis.pages import Html, no_family, no_funnel, table
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import (
    Report,
    assessment_row,
    control_of,
    day_text,
    readings_not_shown,
    readings_with_path,
)
from psa_analysis.places import SURE, decompose, hotspots
from psa_analysis.register.rows import NOT_STATED
from psa_analysis.show.words import (
    STATE_SIGNS,
    chance_text,
    control_sentences,
    counted,
    difference_text,
    figure_text,
    level_text,
    listed,
    range_text,
    signed,
    state_text,
)
from psa_analysis.trajectory import (
    baseline_end,
    due_period,
    planned_path,
    trigger_path,
    trigger_value,
)

BLUE, TEAL, PINK, ORANGE, GREY, _ = get_af_colours("categorical", number_of_colours=6)

#: Colour and marker of a state: at most four colours, and a shape for each.
STATE_MARKS = {
    "achieved": (BLUE, "P"), "on track": (BLUE, "o"),
    "partly achieved": (ORANGE, "D"), "at risk": (ORANGE, "^"),
    "missed": (PINK, "s"), "off track": (PINK, "X"),
}  # fmt: skip


@dataclass(frozen=True, repr=False)
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
    shown : pandas.DataFrame, optional
        The same as a reader expects them, rounded and with headings in words: what the page's
        table under the chart shows. Without it the table is made of `data`.
    """

    svg: str
    alt: str
    data: pd.DataFrame
    shown: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return self.alt

    def numbers(self) -> Html:
        """The numbers drawn as a folded table."""
        frame = _plainly(self.data) if self.shown is None else self.shown
        words = self.alt.removeprefix("Illustrative figures. ")
        what = re.split(r"[.:;](?:\s|$)", words, maxsplit=1)[0]
        what += " (illustrative)" if "Illustrative figures." in self.alt else ""
        numeric = [name for name in frame.columns[1:] if frame[name].map(_is_figure).all()]
        return table(frame, f"{what}: the numbers", numeric=numeric, folded=True)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        # The page template takes words and numbers from the metadata; in JupyterLab, where the
        # numbers are at hand as `data`, only the picture shows.
        numbers = self.numbers().html if len(self.data) else ""
        alt = visible(self.alt)
        return (
            {"image/svg+xml": self.svg, "text/plain": alt},
            {"image/svg+xml": {"alt": alt, "numbers": numbers}},
        )


def _plainly(data: pd.DataFrame) -> pd.DataFrame:
    """Numbers to four figures, and columns' names as headings."""
    frame = data.rename(columns=lambda name: str(name).replace("_", " ").capitalize())
    for name in frame.select_dtypes("number"):
        frame[name] = frame[name].map("{:,.4g}".format, na_action="ignore")
    return frame


def _is_figure(text: object) -> bool:
    return bool(pd.isna(text) or re.fullmatch(r"–|(under |over )?[−+£-]?\d.*", str(text)))


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
    gaps = readings_not_shown(report, measure)
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
            labels += _draw_readings(axes, own, gaps, str(row["unit"]), fan is not None)
            if definition["continues"]:
                _draw_break(axes, own)
        elif len(gaps):
            axes.text(0.5, 0.5, "Readings not shown: small numbers", transform=axes.transAxes,
                      ha="center")  # fmt: skip
        elif not labels:
            axes.text(0.5, 0.5, "No readings and no path", transform=axes.transAxes, ha="center")
        axes.margins(x=0.02, y=0.12)
        _label_ends(axes, labels)
        axes.xaxis.set_major_locator(mpl.dates.YearLocator(_year_step(axes), month=3, day=31))
        axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("Mar\n%Y"))
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, str(row["unit"])))
        svg = _svg(figure)
    alt = _trajectory_alt(row, own, len(gaps))
    if definition["continues"] and len(own):
        alt += f" From {own['period'].iloc[0]} on by a new definition, marked [b]."
    return Chart(svg, alt, data, _trajectory_shown(data, row))


def _draw_break(axes: Axes, own: pd.DataFrame) -> None:
    """Where a new definition begins: a line across the chart, with the mark for a break."""
    begins = own["period_end"].iloc[0]
    axes.axvline(begins, color=GREY, linewidth=1)
    axes.annotate(
        "[b] new definition", (begins, 1), (4, -4), xycoords=("data", "axes fraction"),
        textcoords="offset points", color=GREY, fontsize=10, va="top",
    )  # fmt: skip


def _trajectory_shown(data: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """Readings, and below them the forecasts of the periods to come."""
    unit = str(row["unit"])
    shown = pd.DataFrame({"Period": data["period"]})
    for heading, column in (("Reading", "reading"), ("Planned", "planned")):
        shown[heading] = [figure_text(value, unit) for value in data[column]]
    if "median" in data:
        shown["Middle of the forecast"] = [figure_text(value, unit) for value in data["median"]]
        for heading, percent in (("Half of the chances", 50), ("Eight in ten chances", 80)):
            ends = zip(data[f"low_{percent}"], data[f"high_{percent}"], strict=True)
            shown[heading] = [
                "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in ends
            ]
    return shown.assign(Flag=data["flag"])


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


def _draw_readings(
    axes: Axes, own: pd.DataFrame, gaps: pd.DataFrame, unit: str, ahead: bool
) -> Labels:
    """The line of readings, with gaps where some are not shown; those not final are hollow."""
    firm = own["flag"].isin(["final", "revised"])
    # What chance alone allows around each reading, where that is known.
    axes.vlines(own["period_end"], own["lower"], own["upper"], color=BLUE, linewidth=1, alpha=0.5)
    line = pd.concat([own, gaps])[["period_end", "reading"]] if len(gaps) else own
    line = line.sort_values("period_end")
    axes.plot(line["period_end"], line["reading"], color=BLUE)
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


def _trajectory_alt(row: pd.Series, own: pd.DataFrame, gaps: int) -> str:
    unit = str(row["unit"])
    if not len(own):
        start = f"Chart of {row['title']}: no readings."
        if gaps:
            start = f"Chart of {row['title']}: the readings are not shown, since numbers are small."
    elif gaps:
        start = (
            f"Line chart of {row['title']}: {counted(len(own), 'reading')} up to "
            f"{own['period'].iloc[-1]}, and {counted(gaps, 'gap')} where numbers are small."
        )
    else:
        start = (
            f"Line chart of {row['title']}: {len(own)} readings up to {row['latest_period']}, the "
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
    rows = report.assessment
    rows = rows[rows["progress"].notna() & rows["state"].isin(STATE_MARKS)]
    data = rows[["measure", "title", "progress", "state"]].reset_index(drop=True)
    # A measure far off either way would squeeze the others; the table has its number.
    drawn = data.assign(percent=(100 * data["progress"]).clip(-50, 200))
    svg = _dots_by_state(drawn, (-55, 205), [(0, "-"), (100, (0, (5, 3)))])
    alt = (
        "Dot plot of the share of the planned improvement made so far by each measure; the dashed "
        f"line at 100% is the planned path. {_listed_by_state(data, 'progress')}."
    )
    share = data["progress"].map(lambda one: f"{one:.0%}".replace("-", "−"))
    return Chart(svg, alt, data, _dots_shown(data, "Of the improvement planned by then", share))


def chance_chart(report: Report) -> Chart:
    """How likely each target is to be met, with the chances that divide the states."""
    rows = report.assessment
    rows = rows[rows["chance_target"].notna() & rows["state"].isin(STATE_MARKS)]
    data = rows[["measure", "title", "chance_target", "state"]].reset_index(drop=True)
    drawn = data.assign(percent=100 * data["chance_target"])
    states = report.agreement.settings.states
    lines = [(100 * states.at_risk, (0, (5, 3))), (100 * states.on_track, (0, (5, 3)))]
    svg = _dots_by_state(drawn, (-3, 103), lines)
    alt = (
        "Dot plot of the chance that each target is met; the dashed lines are where at risk begins,"
        f" {states.at_risk:.0%}, and on track, {states.on_track:.0%}. "
        f"{_listed_by_state(data, 'chance_target')}."
    )
    chance = data["chance_target"].map(chance_text)
    return Chart(svg, alt, data, _dots_shown(data, "Chance of the target", chance))


def _dots_shown(data: pd.DataFrame, heading: str, figures: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Measure": data["measure"],
            "What is measured": data["title"],
            "State": data["state"],
            heading: figures,
        }
    )


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
    shown = pd.DataFrame(
        {
            "Chance that was given, on average": table["said"].map("{:.0%}".format),
            "Came true": table["came_true"].map("{:.0%}".format),
            "Chance alone allows": [
                f"{row.low:.0%} to {row.high:.0%}" for row in table.itertuples()
            ],
        }
    )
    return Chart(svg, alt, table, shown)


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
    tenths = data.iloc[::10]
    shown = pd.DataFrame(
        {
            "At least so much of the pot": tenths["share"].map("{:.0%}".format),
            "Chance at the least": tenths["least"].map(chance_text),
            "Chance at the most": tenths["most"].map(chance_text),
        }
    )
    return Chart(svg, alt, data, shown)


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
    data = data[["measure", "step", "least", "most", "certain"]]
    return Chart(svg, alt, data, _gains_shown(curves))


def _gains_shown(curves: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row a measure, a column a step."""
    steps = {-0.5: "Half of the way less", 0.0: "As forecast", 0.5: "Half of the way more",
             1.0: "The whole way more"}  # fmt: skip
    columns = {
        heading: [range_text(*_at(curve, step)) for curve in curves.values()]
        for step, heading in steps.items()
    }
    return pd.DataFrame({"Measure": list(curves)} | columns)


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
    shown = pd.DataFrame(
        {
            "Target": data["target"],
            "Linked to": data["linked_to"],
            "Correlation": data["correlation"].map("{:g}".format, na_action="ignore"),
        }
    ).fillna(NOT_STATED)
    return Chart(svg, alt, data, shown)


def family_chart(report: Report, measure: str, family: str, own: str | None = None) -> Chart:
    """A family over time: each authority, where the top quartile begins, and where it is heading.

    Parameters
    ----------
    report : Report
        The period's report.
    measure : str
        A measure of the register with yearly figures of the family.
    family : str
        A family of ``families.csv``, or a kind of area.
    own : str, optional
        The followed measure with the agreement's own readings of the same thing.

    Raises
    ------
    KeyError
        If there is no such measure or family.
    """
    if said := no_family(report, family):
        return _only_words(said)
    definition = report.agreement.measures.loc[measure]
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    edges = standings(report, measure, family)
    edges = edges[edges["edge"].notna()]
    if edges.empty:
        return _only_words(
            f"{definition['title']}: too few figures had come in by {day_text(report.cut_off)}."
        )
    figures = family_figures(report, measure, family)
    figures = figures[figures["left_out"] == ""]
    ahead = family_outlook(report, measure, family, own)
    with _figure(8, 4.6) as (drawing, axes):
        drawing.subplots_adjust(left=0.1, right=0.76, top=0.95, bottom=0.12)
        others = figures[figures["area"] != area]
        for _, line in others.groupby("area"):
            axes.plot(line["period_end"], line["figure"], color=GREY, linewidth=0.8, alpha=0.6)
        last = others[others["period_end"] == others["period_end"].max()]
        low = last.loc[last["figure"].idxmin()]
        labels: Labels = [(low["figure"], low["period_end"], "Other authorities", GREY)]
        labels += _draw_edge(axes, edges, ahead, unit)
        labels += _draw_own(axes, figures[figures["area"] == area], ahead, area, unit)
        axes.margins(x=0.03, y=0.08)
        _label_ends(axes, labels)
        axes.xaxis.set_major_locator(mpl.dates.YearLocator(_year_step(axes), month=3, day=31))
        axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("Mar\n%Y"))
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        svg = _svg(drawing)
    data = pd.concat(
        [
            figures[["area", "period", "figure"]],
            edges[["period", "edge"]].set_axis(["period", "figure"], axis=1).assign(area=_EDGE),
            *(
                one.fan()[["period", "median", "low_80", "high_80"]]
                .rename(columns={"median": "figure"})
                .assign(area=name)
                for name, one in ((_EDGE, ahead.edge), (area, ahead.own))
                if not ahead.reason
            ),
        ],
        ignore_index=True,
    )
    alt = _family_alt(definition, edges, ahead, area, unit, family)
    return Chart(svg, alt, data, _family_shown(data, unit))


def _family_shown(data: pd.DataFrame, unit: str) -> pd.DataFrame:
    """A row an area, a column a year; what is forecast stands with its range."""
    texts = [
        figure_text(row.figure, unit)
        if pd.isna(row.low_80)
        else f"{figure_text(row.figure, unit)} "
        f"({figure_text(row.low_80, unit)} to {figure_text(row.high_80, unit)})"
        for row in data.reindex(columns=["figure", "low_80", "high_80"]).itertuples()
    ]
    long = data[["area", "period"]].assign(text=texts)
    wide = long.pivot(index="area", columns="period", values="text")
    wide = wide.loc[long["area"].unique(), sorted(long["period"].unique())]
    return wide.fillna("–").reset_index(names="Area").rename_axis(columns=None)


#: What the edge is called in charts and their data.
_EDGE = "Top quartile begins"


def _draw_edge(axes: Axes, edges: pd.DataFrame, ahead: FamilyOutlook, unit: str) -> Labels:
    """Where the top quartile began, dashed, and the shaded range of where it will."""
    newest = edges.iloc[-1]
    axes.plot(edges["period_end"], edges["edge"], color=TEAL, linestyle=(0, (5, 2)), linewidth=2.2)
    if ahead.reason:
        text = f"Top quartile {figure_text(newest['edge'], unit)}"
        return [(newest["edge"], newest["period_end"], text, TEAL)]
    fan = ahead.edge.fan()
    ends = [newest["period_end"], *fan["period_end"]]
    axes.fill_between(
        ends, [newest["edge"], *fan["low_80"]], [newest["edge"], *fan["high_80"]],
        color=TEAL, alpha=0.25, linewidth=0,
    )  # fmt: skip
    axes.plot(ends, [newest["edge"], *fan["median"]], color=TEAL, linestyle=":", linewidth=2)
    due = fan.iloc[-1]
    text = f"Top quartile {figure_text(due['median'], unit)}"
    return [(due["median"], due["period_end"], text, TEAL)]


def _draw_own(axes: Axes, own: pd.DataFrame, ahead: FamilyOutlook, area: str, unit: str) -> Labels:
    """The own area's line, heavier and with points, and bars for eight in ten chances."""
    if own.empty:
        return []
    axes.plot(own["period_end"], own["figure"], "o-", color=BLUE, linewidth=2.6, markersize=6)
    last = own.iloc[-1]
    if ahead.reason:
        text = f"{area} {figure_text(last['figure'], unit)}"
        return [(last["figure"], last["period_end"], text, BLUE)]
    fan = ahead.own.fan()
    axes.plot(
        [last["period_end"], *fan["period_end"]], [last["figure"], *fan["median"]],
        color=BLUE, linestyle=":", linewidth=2,
    )  # fmt: skip
    axes.errorbar(
        fan["period_end"], fan["median"],
        yerr=[fan["median"] - fan["low_80"], fan["high_80"] - fan["median"]],
        fmt="o", color=BLUE, markerfacecolor="white", capsize=5, linewidth=1.5,
    )  # fmt: skip
    due = fan.iloc[-1]
    text = f"{area} {figure_text(due['median'], unit)}"
    return [(due["median"], due["period_end"], text, BLUE)]


def _family_alt(
    definition: pd.Series, edges: pd.DataFrame, ahead: FamilyOutlook, area: str, unit: str,
    family: str,
) -> str:  # fmt: skip
    made_up = "Illustrative figures. " if edges["illustrative"].any() else ""
    first, newest = edges.iloc[0], edges.iloc[-1]
    said = (
        f"{made_up}Line chart of {definition['title']}: each authority of the {family}, up to "
        f"{newest['period']}. The dashed line is where the top quartile begins: "
        f"{figure_text(first['edge'], unit)} in {first['period']}"
    )
    if len(edges) > 1:
        said += f", {figure_text(newest['edge'], unit)} in {newest['period']}"
    if pd.notna(newest["figure"]):
        said += f". The heavy line is {area}, the latest {figure_text(newest['figure'], unit)}"
    if ahead.reason:
        return f"{said}. No forecast: {ahead.reason}."
    low, high = ahead.edge.interval(80)
    own_low, own_high = ahead.own.interval(80)
    return (
        f"{said}. The shaded forecast of the top quartile for {ahead.edge.periods[-1]} has its "
        f"middle at {figure_text(ahead.edge.median, unit)}, eight in ten chances between "
        f"{figure_text(low, unit)} and {figure_text(high, unit)}; that of {area}, drawn as bars, "
        f"{figure_text(ahead.own.median, unit)}, between {figure_text(own_low, unit)} and "
        f"{figure_text(own_high, unit)}. The chance that {area} is in the top quartile then is "
        f"{chance_text(float(ahead.chance[-1]))}."
    )


def _only_words(text: str) -> Chart:
    """Instead of a picture of nothing."""
    with _figure(8, 1) as (drawing, axes):
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")
        svg = _svg(drawing)
    return Chart(svg, text, pd.DataFrame())


def funnel_chart(report: Report, measure: str, family: str) -> Chart:
    """A family's figures by their number of cases, within what chance allows around the mean.

    Parameters
    ----------
    report, measure, family
        As in :func:`family_chart`.
    """
    if said := no_funnel(report, measure, family):
        return _only_words(said)
    definition, made = report.agreement.measures.loc[measure], funnel(report, measure, family)
    unit, area = figure_unit(definition), report.agreement.settings.agreement.area
    units, curve = made.units, made.curve
    with _figure(8, 4.6) as (drawing, axes):
        drawing.subplots_adjust(left=0.1, right=0.84, top=0.95, bottom=0.14)
        axes.axhline(made.mean, color=GREY, linewidth=1.5)
        end = curve.iloc[-1]
        labels: Labels = [(made.mean, end["denominator"], "Mean", GREY)]
        for percent, style in (("95", (0, (5, 3))), ("99.8", "-")):
            for side in ("low", "high"):
                axes.plot(
                    curve["denominator"], curve[f"{side}_{percent}"],
                    color=GREY, linestyle=style, linewidth=1,
                )  # fmt: skip
            text = f"{percent}% limits"
            labels.append((end[f"high_{percent}"], end["denominator"], text, GREY))
        for name, marker, colour, rows in _funnel_groups(units, area):
            axes.plot(
                rows["denominator"], rows["figure"], marker, color=colour, markersize=8,
                markerfacecolor="white" if name == "within" else colour,
            )  # fmt: skip
        _name_points(axes, made, area)
        axes.margins(x=0.03, y=0.06)
        _label_ends(axes, labels)
        axes.set_xlabel("Number of cases that each figure is made of")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        svg = _svg(drawing)
    shown = pd.DataFrame(
        {
            "Area": units["area"],
            "Cases": [figure_text(value, "") for value in units["denominator"]],
            "Figure": [figure_text(value, unit) for value in units["figure"]],
        }
        | {
            f"{percent}% limits": [
                f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in zip(units[f"low_{percent}"], units[f"high_{percent}"], strict=True)
            ]
            for percent in ("95", "99.8")
        }
        | {"Outside": units["outside"].replace("", "–")}
    )
    return Chart(svg, _funnel_alt(definition, made, area, unit), units, shown)


def _funnel_groups(units: pd.DataFrame, area: str) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Points that share a marker and a colour."""
    others, beyond = units["area"] != area, units["outside"].str.split().str[-1].fillna("")
    yield "within", "o", GREY, units[others & (beyond == "")]
    yield "95", "^", ORANGE, units[others & (beyond == "95%")]
    yield "99.8", "s", PINK, units[others & (beyond == "99.8%")]
    yield "own", "D", BLUE, units[~others]


def _name_points(axes: Axes, made: Funnel, area: str) -> None:
    """The own area's name, and those of the authorities beyond the widest limits."""
    units = made.units
    own, far = units["area"] == area, units["outside"].str.endswith("99.8%")
    middle = (units["denominator"].min() + units["denominator"].max()) / 2
    wide = units["denominator"].max() - units["denominator"].min()
    for _, row in units[own | far].iterrows():
        above, right = row["figure"] > made.mean, row["denominator"] <= middle
        if row["area"] == area:
            # Others may be near, so its name goes where fewer of them are.
            near = units[(units["denominator"] - row["denominator"]).abs() < wide / 4]["figure"]
            above = (near > row["figure"]).sum() < (near < row["figure"]).sum()
        axes.annotate(
            row["area"], (row["denominator"], row["figure"]), (0, 9 if above else -9),
            textcoords="offset points", ha="left" if right else "right", fontsize=11,
            va="bottom" if above else "top", color=BLUE if row["area"] == area else PINK,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def _funnel_alt(definition: pd.Series, made: Funnel, area: str, unit: str) -> str:
    made_up = "Illustrative figures. " if made.illustrative else ""
    beyond = made.units[made.units["outside"] != ""]
    named = [f"{row['area']} {row['outside']}" for _, row in beyond.iterrows()]
    own = made.units[made.units["area"] == area]
    ours = f" {area} is at {figure_text(own['figure'].iloc[0], unit)}." if len(own) else ""
    return (
        f"{made_up}Funnel plot of {definition['title']}, {made.period}: {len(made.units)} "
        f"authorities by number of cases, around their mean of {figure_text(made.mean, unit)}, "
        f"with 95% limits (dashed) and 99.8% limits.{ours} Beyond the limits: "
        f"{', '.join(named) or 'none'}."
    )


#: Colour and marker of each state of a commitment: four colours, and a shape for each.
COMMITMENT_MARKS = {
    "overdue": (PINK, "s"), "at risk": (ORANGE, "^"), "no data": (GREY, "X"),
    "done late": (BLUE, "D"), "on track": (BLUE, "o"), "done": (BLUE, "P"),
    "not due": (GREY, "v"), "not stated": (GREY, "*"),
}  # fmt: skip

#: A mark and its name take as much room as so many days.
_ROOM = 135


def commitments_chart(report: Report) -> Chart:
    """Every commitment at the date it is due, objective by objective, with the shape of its state.

    What is due after the year in which the agreement ends, or has no date, stands at the right.
    """
    rows = report.commitments
    data = rows[["commitment", "objective", "due_date", "state"]].reset_index(drop=True)
    end = pd.Timestamp(parse_period(report.agreement.settings.agreement.last_year).end)
    end += pd.offsets.YearEnd(0)
    later, undated = end + pd.DateOffset(months=3), end + pd.DateOffset(months=10)
    at = data["due_date"].where(data["due_date"] <= end, later)
    drawn = data.assign(at=at.where(data["due_date"].notna(), undated))
    objectives = report.agreement.settings.objectives
    heights, headings = _lanes(drawn, list(objectives))
    depth = 1 - min(heights.values(), default=0)
    with _figure(8, 1.5 + 0.27 * depth) as (figure, axes):
        inches = 1.5 + 0.27 * depth
        figure.subplots_adjust(left=0.02, right=0.98, top=1 - 0.95 / inches, bottom=0.5 / inches)
        for state, (colour, marker) in COMMITMENT_MARKS.items():
            mine = drawn["state"] == state
            if mine.any():
                lanes = [heights[index] for index in drawn.index[mine]]
                axes.plot(
                    drawn["at"][mine], lanes, linestyle="none", marker=marker, color=colour,
                    markersize=9, label=state, clip_on=False,
                )  # fmt: skip
        for index, row in drawn.iterrows():
            axes.annotate(
                row["commitment"], (row["at"], heights[int(str(index))]), (7, 0),
                textcoords="offset points", va="center", fontsize=9, annotation_clip=False,
            )  # fmt: skip
        first = drawn["at"].min() if len(drawn) else end - pd.DateOffset(years=3)
        left = first - pd.DateOffset(months=1)
        axes.set(xlim=(left, undated + pd.DateOffset(months=6)), ylim=(-depth, 0.6))
        for objective, height in headings.items():
            axes.text(
                left, height, f" {objectives[objective]}", va="center", fontweight="bold",
                fontsize=11, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        axes.axvline(
            mpl.dates.date2num(report.period.end), color=GREY, linestyle=(0, (5, 3)), linewidth=1.2
        )
        years = pd.date_range(left, end, freq="YS")
        axes.set_xticks(
            [*years, later, undated], [*[f"Jan\n{day.year}" for day in years], "later", "no date"]
        )
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.grid(axis="x", linewidth=0.5)
        if len(drawn):
            axes.legend(
                loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, title=None, handletextpad=0.3
            )
        svg = _svg(figure)
    by_state = "; ".join(
        f"{state}: {', '.join(data['commitment'][data['state'] == state])}"
        for state in COMMITMENT_STATES
        if (data["state"] == state).any()
    )
    made_up = " The progress is illustrative." if rows["illustrative"].any() else ""
    alt = (
        f"Timeline of {len(data)} commitments by the date they are due, a row of marks for each "
        f"objective; the dashed line is {day_text(report.period.end)}. {by_state or 'None'}."
        f"{made_up}"
    )
    shown = pd.DataFrame(
        {
            "Commitment": data["commitment"],
            "Objective": data["objective"].map(report.agreement.settings.objectives),
            "Due": [NOT_STATED if pd.isna(day) else day_text(day) for day in data["due_date"]],
            "State": data["state"],
        }
    )
    return Chart(svg, alt, data, shown)


def _lanes(drawn: pd.DataFrame, objectives: list[str]) -> tuple[dict[int, int], dict[str, int]]:
    """A height for each mark, so that none stands in another's room; and for each heading."""
    heights: dict[int, int] = {}
    headings: dict[str, int] = {}
    top = 0
    for objective in objectives:
        mine = drawn[drawn["objective"] == objective].sort_values("at", kind="stable")
        if mine.empty:
            continue
        headings[objective] = top
        ends: list[pd.Timestamp] = []
        for index, day in mine["at"].items():
            free = [n for n, taken in enumerate(ends) if day - taken >= pd.Timedelta(days=_ROOM)]
            lane = free[0] if free else len(ends)
            ends[lane : lane + 1] = [day]
            heights[int(str(index))] = top - 1 - lane
        top -= len(ends) + 2
    return heights, headings


#: Colour and shape of a part that is short of what is asked, or as good or better.
PART_MARKS = {"short": (PINK, "s"), "not short": (BLUE, "o"), "may be chance": (GREY, "D")}


def contributions_chart(report: Report, measure: str, kind: str | None = None) -> Chart:
    """What each part adds to the gap to the target; to the reading where none is stated.

    Parameters
    ----------
    report : Report
        The period's report.
    measure : str
        A measure of the register.
    kind : str, optional
        The kind of its parts, where there are figures of several.

    Raises
    ------
    KeyError
        If there is no such measure or kind of part.
    """
    apart = decompose(report, measure, kind)
    definition = report.agreement.measures.loc[measure]
    if apart.reason:
        return _no_parts_chart(measure, str(definition["title"]), apart.reason)
    unit, better = str(definition["unit"]), 1 if definition["polarity"] == "higher" else -1
    column = "gap" if apart.table["gap"].notna().all() else "level"
    data = apart.table[["part"]].assign(adds=apart.table[column].astype(float))
    data = data.iloc[(better * data["adds"]).argsort(kind="stable")].reset_index(drop=True)
    short = better * data["adds"] < 0 if column == "gap" else data["adds"] != data["adds"]
    data["mark"] = np.where(short, "short", "not short")
    with _figure(8, 1.2 + 0.34 * len(data)) as (figure, axes):
        _part_axes(figure, axes, data["part"])
        axes.axvline(0, color=GREY, linewidth=1.2)
        axes.hlines(data.index, 0, data["adds"], color=GREY, linewidth=1.5)
        for mark, words in (("short", "short of the target"), ("not short", "beyond the target")):
            mine = data[data["mark"] == mark]
            colour, shape = PART_MARKS[mark]
            label = words if column == "gap" and len(mine) else None
            axes.plot(mine["adds"], mine.index, shape, color=colour, markersize=9, label=label)
        for place, value in data["adds"].items():
            axes.annotate(
                difference_text(value, unit), (value, place), (10 if value >= 0 else -10, 0),
                textcoords="offset points", va="center", ha="left" if value >= 0 else "right",
                fontsize=11,
            )  # fmt: skip
        axes.margins(x=0.2)
        axes.xaxis.set_major_formatter(lambda value, _: difference_text(value, unit))
        if column == "gap":
            axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, title=None)
        svg = _svg(figure)
    what = "the gap to the target" if column == "gap" else "the reading"
    total = difference_text(float(data["adds"].sum()), unit, named=True)
    each = "; ".join(f"{row.part} {difference_text(row.adds, unit)}" for row in data.itertuples())
    made_up = " Illustrative figures." if apart.illustrative else ""
    alt = (
        f"Dot plot of what each {apart.kind} adds to {what} of {definition['title']} in "
        f"{apart.period}, {total} in all. {each}.{made_up}"
    )
    adds = data["adds"].map(lambda value: difference_text(value, unit))
    return Chart(svg, alt, data, pd.DataFrame({"Part": data["part"], "Adds": adds}))


def hotspots_chart(report: Report, measure: str, kind: str | None = None) -> Chart:
    """Each part's figure after allowing for chance, with its interval, against the whole's.

    Parameters
    ----------
    report : Report
        The period's report.
    measure : str
        A measure of the register.
    kind : str, optional
        The kind of its parts, where there are figures of several.

    Raises
    ------
    KeyError
        If there is no such measure or kind of part.
    """
    found = hotspots(report, measure, kind)
    definition, area = (
        report.agreement.measures.loc[measure],
        report.agreement.settings.agreement.area,
    )
    if found.reason:
        return _no_parts_chart(measure, str(definition["title"]), found.reason)
    data, unit = found.table.copy(), found.unit
    data["mark"] = np.select(
        [data["chance_worse"] >= SURE, data["chance_worse"] <= 1 - SURE],
        ["short", "not short"], "may be chance",
    )  # fmt: skip
    # The worst at the top, as in the chart of contributions.
    data = data[::-1].reset_index(drop=True) if definition["polarity"] == "higher" else data
    words = {"short": f"worse than {area}", "not short": f"better than {area}",
             "may be chance": "may be chance"}  # fmt: skip
    with _figure(8, 1.5 + 0.34 * len(data)) as (figure, axes):
        _part_axes(figure, axes, data["part"])
        axes.axvline(found.whole, color=GREY, linestyle=(0, (5, 3)), linewidth=1.5)
        axes.hlines(data.index, data["lower"], data["upper"], color=GREY, linewidth=1.5)
        axes.plot(data["observed"], data.index, "|", color=GREY, markersize=11, label="as observed")
        for mark, (colour, shape) in PART_MARKS.items():
            mine = data[data["mark"] == mark]
            if len(mine):
                axes.plot(mine["shrunken"], mine.index, shape, color=colour, markersize=8,
                          label=words[mark])  # fmt: skip
        axes.margins(x=0.05)
        axes.xaxis.set_major_formatter(lambda value, _: figure_text(value, unit))
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, title=None)
        svg = _svg(figure)
    each = "; ".join(
        f"{row.part} {figure_text(row.shrunken, unit)} ({figure_text(row.lower, unit)} to "
        f"{figure_text(row.upper, unit)}), {words[row.mark]}"
        for row in data.itertuples()
    )
    made_up = " Illustrative figures." if found.decomposition.illustrative else ""
    alt = (
        f"Dot plot of {definition['title']} by {found.decomposition.kind} in "
        f"{found.decomposition.period} after allowing for chance; the dashed line is {area}, "
        f"{figure_text(found.whole, unit)}. {each}.{made_up}"
    )
    shown = pd.DataFrame(
        {
            "Part": data["part"],
            "As observed": [figure_text(value, unit) for value in data["observed"]],
            "Allowing for chance": [figure_text(value, unit) for value in data["shrunken"]],
            "95 in 100 chances": [
                f"{figure_text(row.lower, unit)} to {figure_text(row.upper, unit)}"
                for row in data.itertuples()
            ],
            "Beside the whole": data["mark"].map(words),
        }
    )
    return Chart(svg, alt, data, shown)


def _part_axes(figure: Figure, axes: Axes, parts: pd.Series) -> None:
    """A row for each part, the first at the top."""
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.36, right=0.97, top=1 - 0.7 / height, bottom=0.4 / height)
    names = [shorten(str(name), 34) for name in parts]
    axes.set_yticks(range(len(parts)), [name[:1].upper() + name[1:] for name in names])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")


def _no_parts_chart(measure: str, title: str, reason: str) -> Chart:
    with _figure(8, 1.2) as (figure, axes):
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No figures by part", transform=axes.transAxes, ha="center")
        svg = _svg(figure)
    return Chart(svg, f"No chart of {measure} ({title}) by part: {reason}.", pd.DataFrame())


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


#: Colour, marker and size of each kind of figure in a control chart.
CONTROL_MARKS = {
    "ordinary": (GREY, "o", 6), "improvement": (BLUE, "D", 9), "concern": (ORANGE, "^", 11),
}  # fmt: skip


def control_chart(report: Report, measure: str, rules: ControlRules = OUR_RULES) -> Chart:
    """The control chart of one measure: its quarters, their mean and limits, and what stands out.

    Where there can be none, the picture says why.

    Parameters
    ----------
    report : Report
        The period's report.
    measure : str
        A measure of the assessment.
    rules : ControlRules
        The conventions.

    Raises
    ------
    KeyError
        If there is no such measure in the assessment.
    """
    title = assessment_row(report, measure)["title"]
    control = control_of(report, measure, rules)
    said = control_sentences(control)
    if control.reason:
        return _only_words(f"{title}. {said}")
    with _figure(8, 4.2) as (figure, axes):
        figure.subplots_adjust(left=0.1, right=0.77, top=0.92, bottom=0.12)
        labels = _draw_limits(axes, control)
        _draw_quarters(axes, control)
        axes.margins(x=0.03, y=0.12)
        _label_ends(axes, labels)
        _mark_rebases(axes, control)
        axes.xaxis.set_major_locator(mpl.dates.YearLocator(_year_step(axes), month=3, day=31))
        axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("Mar\n%Y"))
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, control.unit))
        svg = _svg(figure)
    points, unit = control.points, control.unit
    shown = pd.DataFrame({"Quarter": points["period"]})
    for heading, column in (("Figure", "value"), ("Mean", "centre"), ("Lower limit", "lower"),
                            ("Upper limit", "upper")):  # fmt: skip
        shown[heading] = [figure_text(value, unit) for value in points[column]]
    shown = shown.assign(**{"What stands out": points["kind"], "Flag": points["flag"]})
    alt = f"Control chart of {title}, quarter by quarter. {said}"
    return Chart(svg, alt, points, shown)


def _draw_limits(axes: Axes, control: Control) -> Labels:
    """Mean, limits and target; gives the labels that belong at the right edge."""
    points = control.points
    for _, phase in points.groupby("phase"):
        ends = phase["period_end"]
        # Trial limits are dotted, others dashed.
        style = (0, (1, 2)) if phase["trial"].iloc[0] else (0, (5, 3))
        axes.plot(ends, phase["centre"], color=GREY, linewidth=1.5)
        for limit in ("lower", "upper"):
            axes.plot(ends, phase[limit], color=GREY, linestyle=style, linewidth=1.5)
    last = points.iloc[-1]
    kind = "trial limit" if last["trial"] else "limit"
    labels: Labels = [
        (last[column], last["period_end"], f"{name} {level_text(last[column], control.unit)}", GREY)
        for column, name in (
            ("centre", "Mean"), ("upper", f"Upper {kind}"), ("lower", f"Lower {kind}"),
        )
    ]  # fmt: skip
    if pd.notna(control.target):
        axes.axhline(control.target, color=TEAL, linestyle=(0, (5, 2, 1, 2)), linewidth=1.5)
        text = f"Target {figure_text(control.target, control.unit)}"
        labels.append((control.target, last["period_end"], text, TEAL))
    return labels


def _draw_quarters(axes: Axes, control: Control) -> None:
    """The figures, with a colour and a shape for what stands out; provisional ones are hollow."""
    points = control.points
    for _, phase in points.groupby("phase"):
        axes.plot(phase["period_end"], phase["value"], color=GREY, linewidth=1)
    firm = points["flag"].isin(["final", "revised"])
    for kind, (colour, marker, size) in CONTROL_MARKS.items():
        of_kind = points["kind"] == kind
        shape: dict[str, Any] = {
            "marker": marker, "markersize": size, "color": colour, "linestyle": "none",
        }  # fmt: skip
        shown = points[of_kind & firm]
        axes.plot(shown["period_end"], shown["value"], **shape)
        hollow = points[of_kind & ~firm]
        axes.plot(
            hollow["period_end"], hollow["value"], **shape,
            markerfacecolor="white", markeredgewidth=2,
        )  # fmt: skip
        if of_kind.any():
            axes.plot([], [], **shape, label=kind.capitalize())
    if (points["kind"] != "ordinary").any():
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, title=None)


def _mark_rebases(axes: Axes, control: Control) -> None:
    """A line before the first quarter of each new phase, with its name."""
    ends = control.points.set_index("period")["period_end"]
    for rebase in control.rebases:
        between = ends[rebase.period] - pd.Timedelta(days=46)
        axes.axvline(between, color=GREY, linewidth=0.8)
        axes.annotate(
            f"From {rebase.period}", (between, 1), (4, -4), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=GREY, fontsize=11, va="top",
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def small_multiples(report: Report) -> Chart:
    """Every measure that counts, a small picture each: readings, path, target and forecast."""
    rows = report.assessment[report.assessment["role"] == "target"].reset_index(drop=True)
    across = 3
    down = max(1, -(-len(rows) // across))
    height = 0.5 + 1.75 * down
    with _figure(8, height) as (figure, axes):
        axes.remove()
        figure.subplots_adjust(
            left=0.03, right=0.97, top=1 - 0.62 / height, bottom=0.3 / height, wspace=0.12,
            hspace=0.85,
        )  # fmt: skip
        for place, row in rows.iterrows():
            panel = figure.add_subplot(down, across, int(str(place)) + 1)
            _draw_small(panel, report, row)
        svg = _svg(figure)
    names = ["measure", "title", "state", "latest", "latest_period", "planned", "forecast",
             "low_80", "high_80", "target", "due"]  # fmt: skip
    data = rows[names]
    by_state = [
        f"{state}: {listed(own['measure'].tolist())}"
        for state, own in rows.groupby("state", sort=False)
    ]
    alt = (
        f"{counted(len(rows), 'small line chart')}, one for each measure that counts, with its "
        f"readings, planned path, forecast and target. {'; '.join(by_state)}."
    )
    return Chart(svg, alt, data, _small_shown(rows))


def _small_shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The figures of the small pictures as a reader expects them."""
    headings = {"latest": "Latest", "planned": "Planned by then", "forecast": "Forecast",
                "target": "Target"}  # fmt: skip
    shown = rows[["measure", "title", "state"]].set_axis(
        ["Measure", "What is measured", "State"], axis=1
    )
    for column, heading in headings.items():
        shown[heading] = [*map(figure_text, rows[column], rows["unit"])]
    return shown.assign(Due=rows["due"])


def _draw_small(axes: Axes, report: Report, row: pd.Series) -> None:
    """One small picture: the state in words and by shape, the figures in the heading."""
    unit, measure = str(row["unit"]), str(row["measure"])
    own = readings_with_path(report, measure)
    outlook = report.outlooks[measure]
    colour, marker = STATE_MARKS.get(str(row["state"]), (GREY, "o"))
    definition = report.agreement.measures.loc[measure]
    _draw_path(axes, definition, report.agreement.settings.grant.trigger)
    if not outlook.reason:
        _draw_fan(axes, outlook.fan(), own, unit)
    if len(own):
        last = own.iloc[-1]
        axes.plot(own["period_end"], own["reading"], color=BLUE, linewidth=1.5)
        # Hollow where the figure may still change, as in the large charts.
        firm = last["flag"] in ("final", "revised")
        axes.plot(
            [last["period_end"]], [last["reading"]], marker, markersize=9, color=colour,
            markerfacecolor=colour if firm else "white", markeredgewidth=2,
        )  # fmt: skip
    elif pd.isna(row["target"]):
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", fontsize=10)
    figures = figure_text(row["latest"], unit) if pd.notna(row["latest"]) else "no reading"
    if row["latest_flag"] == "withheld":
        figures = "not shown"
    if pd.notna(row["target"]):
        figures += f", target {figure_text(row['target'], unit)}"
    sign = f"{STATE_SIGNS[row['state']]} " if row["state"] in STATE_SIGNS else ""
    axes.set_title(
        f"{measure}: {sign}{row['state']}\n{figures}", loc="left", fontsize=10, color="black"
    )
    axes.margins(x=0.06, y=0.18)
    axes.set_yticks([])
    axes.grid(visible=False)
    if len(own) or pd.notna(row["target"]):
        ends = [mpl.dates.num2date(end).year for end in axes.dataLim.intervalx]
        axes.set_xticks(axes.dataLim.intervalx, [str(year) for year in ends], fontsize=9)
        first, last_label = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last_label.set_horizontalalignment("right")
    else:
        axes.set_xticks([])
