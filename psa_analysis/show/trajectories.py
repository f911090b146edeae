"""Readings on their way to the target: with their origin, and as pictures large and small."""

from typing import Any

import pandas as pd

from psa_analysis.analysis import trajectory
from psa_analysis.periods import FREQUENCIES
from psa_analysis.register.agreement import RULES_WITH_PATH
from psa_analysis.report import Report, assessment_row, readings_not_shown, readings_with_path
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, GREY, STATE_MARKS, TEAL, Axes, Chart, Labels
from psa_analysis.show.tables import Column, Html, columns_frame, rows_table, table
from psa_analysis.show.views import View, no_view
from psa_analysis.words import NOT_SHOWN, counted, figure_text, with_unit

#: Published figures older than this say little of today.
CONTEXT_YEARS = 10


def readings_table(report: Report, measure: str) -> Html:
    """The readings of a measure and the forecasts of periods to come, each with its origin."""
    definition, outlook = report.agreement.measures.loc[measure], report.outlooks[measure]
    shown = {"unit": definition["unit"], "decimals": report.decimals[measure]}
    rows = [readings_with_path(report, measure), readings_not_shown(report, measure)]
    rows = pd.concat(rows, ignore_index=True).sort_values("period_end", kind="stable")
    hidden = rows["missing"] == NOT_SHOWN
    columns = [
        Column("Period"),
        Column.figure("Reading"),
        Column.between("Chance allows", "lower", "upper"),
        Column.figure("Planned"),
        Column.number("Observed in the period", lambda row: f"{row['observed']:,.10g}"),
        Column("Flag"),
    ]
    if report.audience == "internal":
        columns.append(Column("From", _origin))
    frame = columns_frame(rows.assign(**shown), columns)
    frame.loc[hidden, ["Reading", "Chance allows"]] = "[c]"
    frame.loc[hidden, ["Planned", "Flag"]] = "–"
    # A reading may be held back though the figure observed in its period is not small.
    frame.loc[hidden | rows["observed"].isna(), "Observed in the period"] = "[c]"
    if not outlook.reason:
        columns = [Column("Period"), Column.figure("Forecast", "median")]
        columns.append(Column.between("80% range", "low_80", "high_80"))
        forecasts = columns_frame(outlook.fan().assign(**shown), columns)
        frame = pd.concat([frame, forecasts], ignore_index=True)
    numeric = [name for name in frame.columns if name not in ("Period", "Flag", "From")]
    return table(frame, f"{measure}: readings, planned path and forecast", numeric, folded=True)


def _origin(row: pd.Series) -> str:
    sheet = f" sheet {row['sheet']}" if row["sheet"] else ""
    return f"{row['file']}{sheet} {row['column']}{row['row']}"


def context(report: Report, reference: str) -> View:
    """Published figures of other places that bear on a target, of the last ten years."""
    measures = report.agreement.measures
    others = measures[(measures["reference"] == reference) & (measures["role"] == "context")]
    # What is made up was not published.
    published = report.readings[~report.readings["illustrative"].astype(bool)]
    begin = pd.Timestamp(report.period.end) - pd.DateOffset(years=CONTEXT_YEARS)
    rows = published[published["measure"].isin(others.index) & (published["period_end"] >= begin)]
    if rows.empty:
        return no_view(f"No published figures of the last {CONTEXT_YEARS} years were known.")
    addresses = report.sources.set_index("file")["address"]
    rows = rows.join(others[["title", "unit"]], on="measure")
    columns = [
        Column("Figure", "title"),
        Column("Area"),
        Column("Period"),
        Column.number("Value", lambda row: with_unit(row["observed"], row["unit"])),
        Column("Source", lambda row: addresses.get(row["file"])),
    ]
    caption = f"Published figures that bear on {reference}"
    return View(table=lambda: rows_table(rows, columns, caption, folded=True), data=rows)


def trajectory_chart(report: Report, measure: str) -> Chart:
    """The readings of one measure against the planned path to its target."""
    row, definition = assessment_row(report, measure), report.agreement.measures.loc[measure]
    readings, gaps = readings_with_path(report, measure), readings_not_shown(report, measure)
    unit, outlook = str(row["unit"]), report.outlooks[measure]
    fan = pd.DataFrame() if outlook.reason else outlook.fan()

    def draw(axes: Axes) -> None:
        labels = _draw_path(axes, definition, report.agreement.settings.grant.trigger)
        if len(fan):
            labels += _draw_fan(axes, fan, readings, row)
        if len(readings):
            _draw_readings(axes, readings, gaps, row)
            if definition["continues"]:
                begins = readings["period_end"].iloc[0]
                chart.mark_beginning(axes, begins, "[b] new definition", fontsize=10)
        elif len(gaps):
            # Low, since a target without a path stands in the middle.
            chart.note(axes, "Readings not shown: small numbers", 0.15)
        elif not labels:
            chart.note(axes, "No readings and no path")
        axes.margins(x=0.02, y=0.12)
        chart.finish_time_axes(axes, labels, unit)

    alt = _trajectory_alt(row, readings, len(gaps))
    if definition["continues"] and len(readings):
        alt += f" From {readings['period'].iloc[0]} on by a new definition, marked [b]."
    data = readings[["period", "reading", "flag", "planned"]]
    data = pd.concat([data, fan.drop(columns="period_end", errors="ignore")], ignore_index=True)
    numbers, margins = readings_table(report, measure), (0.1, 0.8, 0.92, 0.12)
    return Chart(draw, alt, data, numbers, margins=margins)


def _draw_path(axes: Axes, measure: pd.Series, share: float) -> Labels:
    """Planned path, target and trigger; gives the labels that belong at the right edge."""
    if pd.isna(measure["target"]):
        return []
    due = pd.Timestamp(measure["due_at"].end)
    ends = measure[["target", "target_to"]].dropna()
    labels: Labels = [(end, due, f"Target {figure_text(end, measure)}", GREY) for end in ends]
    axes.plot([due] * len(ends), ends, marker="*", markersize=14, color=GREY, linestyle="none")
    if measure["rule"] not in RULES_WITH_PATH:
        for end in ends:
            axes.axhline(end, color=GREY, linestyle=chart.DASHED, linewidth=1.5)
    elif pd.notna(measure["baseline"]):
        start = pd.Timestamp(trajectory.baseline_end(measure))
        straight = measure["profile"] in ("", "linear")
        # A straight line needs its ends; another path is drawn month by month, or by its seasons.
        seasonal = measure["profile"] == "seasonal"
        step = f"{12 // FREQUENCIES[measure['frequency']].per_year if seasonal else 1}ME"
        ends = pd.Series([start, due] if straight else pd.date_range(start, due, freq=step))
        path = trajectory.planned_path(measure, ends)
        axes.plot(ends, path, color=GREY, linestyle=chart.DASHED, linewidth=1.5)
        axes.plot([start], [measure["baseline"]], marker="|", markersize=14, color=GREY)
        # Where the grant begins, on the way; nothing where 'without' is not stated.
        way = trajectory.planned_path(measure, ends, trajectory.trigger_value(measure, share))
        if way.notna().all():
            axes.plot(ends, way, color=TEAL, linestyle=(0, (1, 3)), linewidth=1.5)
    if pd.notna(trigger := trajectory.trigger_value(measure, share)):
        axes.plot([due], [trigger], marker="_", markersize=16, markeredgewidth=2, color=TEAL)
        mark = " [a]" if measure["without_status"] == "assumed" else ""
        labels.append((trigger, due, f"Trigger {figure_text(trigger, measure)}{mark}", TEAL))
    return labels


def _draw_fan(axes: Axes, fan: pd.DataFrame, readings: pd.DataFrame, row: pd.Series) -> Labels:
    """Where the readings to come are likely to be: half, and eight in ten, of the chances."""
    # From the latest reading on, so that the fan opens where the line ends.
    begin = readings[["period_end"]].tail(1)
    levels = dict.fromkeys(fan.columns.difference(["period", "period_end"]), readings["reading"])
    fan = pd.concat([begin.assign(**levels), fan], ignore_index=True)
    for percent, shade in ((80, 0.15), (50, 0.25)):
        low, high = fan[f"low_{percent}"], fan[f"high_{percent}"]
        axes.fill_between(fan["period_end"], low, high, color=BLUE, alpha=shade, linewidth=0)
    axes.plot(fan["period_end"], fan["median"], color=BLUE, linestyle=":", linewidth=2)
    due = fan.iloc[-1]
    axes.plot([due["period_end"]] * 2, due[["low_80", "high_80"]], "_", color=BLUE, markersize=10)
    return [(due["median"], due["period_end"], f"Forecast {figure_text(due['median'], row)}", BLUE)]


def _draw_readings(axes: Axes, readings: pd.DataFrame, gaps: pd.DataFrame, row: pd.Series) -> None:
    """The line of readings, with gaps where some are not shown; those not final are hollow."""
    ends, values = readings["period_end"], readings["reading"]
    # What chance alone allows around each reading, where that is known.
    axes.vlines(ends, readings["lower"], readings["upper"], color=BLUE, linewidth=1, alpha=0.5)
    line = pd.concat([readings, gaps]).sort_values("period_end")
    axes.plot(line["period_end"], line["reading"], color=BLUE)
    firm = readings["flag"].isin(["final", "revised"])
    axes.plot(ends[firm], values[firm], "o", color=BLUE, markersize=6)
    axes.plot(ends[~firm], values[~firm], "o", markeredgecolor=BLUE, markersize=7, **chart.HOLLOW)
    # Above the picture, where no line crosses it, and tied to its point.
    last = readings.iloc[-1]
    text, end = f"{last['period']}: {figure_text(last['reading'], row)}", last["period_end"]
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 1, "linestyle": ":"}
    style: dict[str, Any] = {"textcoords": ("data", "axes fraction"), "ha": "center"}
    style |= {"color": BLUE, "fontsize": 11, "arrowprops": line}
    axes.annotate(text, (end, last["reading"]), (end, 1.02), **style)


def _trajectory_alt(row: pd.Series, readings: pd.DataFrame, gaps: int) -> str:
    """What the large chart shows, in words."""
    text = f"Line chart of {row['title']}: {counted(len(readings), 'reading')}"
    for last in readings[-1:].itertuples():
        text += f", the latest {figure_text(last.reading, row)} in {last.period}"
    if gaps:
        text += f", with {counted(gaps, 'gap')} where numbers are small"
    if pd.isna(row["target"]):
        return f"{text}. No target is stated."
    ends = [figure_text(end, row) for end in row[["target", "target_to"]].dropna()]
    text += f". Target: {' to '.join(ends)} by {row['due']}."
    if pd.notna(row["forecast"]):
        text += f" Forecast: {figure_text(row['forecast'], row)}."
    return text


def sparkline(report: Report, row: pd.Series) -> Chart:
    """The readings of one measure with its planned path, forecast and target, very small."""
    measure = str(row["measure"])
    readings, outlook = readings_with_path(report, measure), report.outlooks[measure]

    def draw(axes: Axes) -> None:
        _draw_path(axes, report.agreement.measures.loc[measure], 1)
        if not outlook.reason:
            _draw_fan(axes, outlook.fan(), readings, row)
        if len(readings):
            colour, marker = STATE_MARKS.get(str(row["state"]), (GREY, "o"))
            axes.plot("period_end", "reading", data=readings, color=BLUE, linewidth=2)
            last = readings.iloc[-1]
            axes.plot([last["period_end"]], [last["reading"]], marker, color=colour, markersize=9)
        axes.margins(x=0.06, y=0.18)
        axes.set_axis_off()

    return Chart(draw, "", readings, height=0.6, margins=(0.01, 0.99, 0.98, 0.02), width=2.4)
