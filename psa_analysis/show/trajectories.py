"""Readings on their way to the target: with their origin, and as pictures large and small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.trajectory import (
    baseline_end,
    due_period,
    planned_path,
    trigger_path,
    trigger_value,
)
from psa_analysis.report import Report, assessment_row, readings_not_shown, readings_with_path
from psa_analysis.show.chart import (
    BLUE,
    GREY,
    STATE_MARKS,
    TEAL,
    Chart,
    Labels,
    as_svg,
    label_ends,
    mark_years,
    new_figure,
    year_step,
)
from psa_analysis.show.explain import explanation
from psa_analysis.show.tables import Html, sentence, table, templates
from psa_analysis.words import (
    NOT_SHOWN,
    STATE_SIGNS,
    counted,
    day_text,
    figure_text,
    listed,
    state_text,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def readings_table(report: Report, measure: str) -> Html:
    """The readings behind a measure's chart, each with the file and row it came from."""
    definition = report.agreement.measures.loc[measure]
    unit = definition["unit"]
    data = readings_with_path(report, measure)
    frame = pd.DataFrame(
        {
            "Period": data["period"],
            "Reading": [figure_text(value, unit) for value in data["reading"]],
            "Chance allows": [
                "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
                for low, high in zip(data["lower"], data["upper"], strict=True)
            ],
            "By": data["interval"].str.replace("not worked out: ", "–, "),
            "Planned": [figure_text(value, unit) for value in data["planned"]],
            "Observed in the period": [
                "[c]" if pd.isna(value) else f"{value:,.10g}" for value in data["observed"]
            ],
            "Flag": data["flag"],
        }
    )
    frame = _with_withheld(frame, data, report, measure)
    if report.audience == "internal":
        sheet = data["sheet"].map(lambda name: f" sheet {name}" if name else "")
        frame["From"] = data["file"] + sheet + " " + data["column"] + data["row"].astype(str)
    caption = f"{definition['title']}: readings and planned path"
    shown = table(
        frame,
        caption,
        folded=True,
        numeric=["Reading", "Chance allows", "Planned", "Observed in the period"],
    )
    if report.audience != "internal":
        return shown
    lines = list(explanation(report, measure))
    chain = templates().get_template("chain.html.j2").render(title=definition["title"], lines=lines)
    return Html(shown.html + chain, shown.text + "\n\n" + "\n".join(lines))


def _with_withheld(
    frame: pd.DataFrame, data: pd.DataFrame, report: Report, measure: str
) -> pd.DataFrame:
    """The readings with a row for each that is held back."""
    own = readings_not_shown(report, measure)
    if own.empty:
        return frame
    columns = ["Reading", "Chance allows", "Planned", "Observed in the period"]
    hidden = pd.DataFrame({"Period": own["period"]}).assign(**dict.fromkeys(columns, "[c]"))
    hidden = hidden.assign(By=NOT_SHOWN, Planned="–", Flag="–")
    ends = pd.concat([data["period_end"], own["period_end"]], ignore_index=True)
    both = pd.concat([frame, hidden], ignore_index=True)
    return both.loc[ends.sort_values(kind="stable").index].reset_index(drop=True)


def context_table(report: Report, reference: str) -> Html:
    """Published figures of other places that bear on a target, as known at the cut-off."""
    measures = report.agreement.measures
    context = measures[(measures["reference"] == reference) & (measures["role"] == "context")]
    rows = report.readings[report.readings["measure"].isin(context.index)]
    # What is made up was not published.
    rows = rows[~rows["illustrative"].astype(bool)]
    if rows.empty:
        return sentence(
            f"No published figures that bear on {reference} were known by "
            f"{day_text(report.cut_off)}."
        )
    frame = pd.DataFrame(
        {
            "Figure": rows["measure"].map(context["title"]),
            "Area": rows["area"],
            "Period": rows["period"],
            "Value": [
                with_unit(value, context.at[measure, "unit"])
                for measure, value in zip(rows["measure"], rows["observed"], strict=True)
            ],
            "Source": rows["file"].map(report.sources.set_index("file")["address"]),
        }
    )
    return table(
        frame, f"Published figures that bear on {reference}", numeric=["Value"], folded=True
    )


def trajectory_chart(report: Report, measure: str) -> Chart:
    """The readings of one measure against the planned path to its target."""
    row = assessment_row(report, measure)
    definition = report.agreement.measures.loc[measure]
    own = readings_with_path(report, measure)
    data = own[["period", "reading", "flag", "planned"]]
    gaps = readings_not_shown(report, measure)
    outlook = report.outlooks[measure]
    fan = outlook.fan() if not outlook.reason else None
    if fan is not None:
        data = pd.concat([data, fan.drop(columns="period_end")], ignore_index=True)

    with new_figure(8, 4.2) as (figure, axes):
        figure.subplots_adjust(left=0.1, right=0.8, top=0.95, bottom=0.12)
        labels = _draw_path(axes, definition, report.agreement.settings.grant.trigger)
        if fan is not None:
            labels += _draw_fan(axes, fan, own, str(row["unit"]))
        if len(own):
            labels += _draw_readings(axes, own, gaps, str(row["unit"]), fan is not None)
            if definition["continues"]:
                _draw_break(axes, own)
        elif len(gaps):
            # Low, since a target without a path stands in the middle.
            axes.text(
                0.5,
                0.15,
                "Readings not shown: small numbers",
                transform=axes.transAxes,
                ha="center",
            )
        elif not labels:
            axes.text(0.5, 0.5, "No readings and no path", transform=axes.transAxes, ha="center")
        axes.margins(x=0.02, y=0.12)
        label_ends(axes, labels)
        mark_years(axes, year_step(axes))
        axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, str(row["unit"])))
        if not np.ptp(axes.dataLim.intervaly) > 0 and pd.notna(row["target"]):
            # One level has no scale.
            axes.set_yticks([row["target"]])
        svg = as_svg(figure)
    alt = _trajectory_alt(row, own, len(gaps))
    if definition["continues"] and len(own):
        alt += f" From {own['period'].iloc[0]} on by a new definition, marked [b]."
    return Chart(svg, alt, data, _trajectory_shown(data, row))


def _draw_break(axes: Axes, own: pd.DataFrame) -> None:
    """Where a new definition begins: a line across the chart, with the mark for a break."""
    begins = own["period_end"].iloc[0]
    axes.axvline(begins, color=GREY, linewidth=1)
    axes.annotate(
        "[b] new definition",
        (begins, 1),
        (4, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=GREY,
        fontsize=10,
        va="top",
    )


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
            fan["period_end"],
            fan[f"low_{percent}"],
            fan[f"high_{percent}"],
            color=BLUE,
            alpha=shade,
            linewidth=0,
        )
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
        own["period_end"][~firm],
        own["reading"][~firm],
        "o",
        markerfacecolor="white",
        markeredgecolor=BLUE,
        markeredgewidth=2,
        markersize=7,
    )
    last = own.iloc[-1]
    text = f"{last['period']}: {figure_text(last['reading'], unit)}"
    if not ahead:
        return [(last["reading"], last["period_end"], text, BLUE)]
    # Above a rising line and below a falling one, to the left: line and fan are elsewhere.
    falling = last["reading"] < own["reading"].mean()
    axes.annotate(
        text,
        (last["period_end"], last["reading"]),
        (-10, -24 if falling else 24),
        textcoords="offset points",
        color=BLUE,
        ha="right",
        fontsize=11,
        va="top" if falling else "bottom",
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
    )
    return []


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


def small_multiples(report: Report) -> Chart:
    """Every measure that counts, a small picture each: readings, path, target and forecast."""
    rows = report.assessment[report.assessment["role"] == "target"].reset_index(drop=True)
    across = 3
    down = max(1, -(-len(rows) // across))
    height = 0.5 + 1.75 * down
    with new_figure(8, height) as (figure, axes):
        axes.remove()
        figure.subplots_adjust(
            left=0.03,
            right=0.97,
            top=1 - 0.62 / height,
            bottom=0.3 / height,
            wspace=0.12,
            hspace=0.85,
        )
        for place, row in rows.iterrows():
            panel = figure.add_subplot(down, across, int(str(place)) + 1)
            _draw_small(panel, report, row)
        svg = as_svg(figure)
    names = [
        "measure",
        "title",
        "state",
        "latest",
        "latest_period",
        "planned",
        "forecast",
        "low_80",
        "high_80",
        "target",
        "due",
    ]
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
    headings = {
        "latest": "Latest",
        "planned": "Planned by then",
        "forecast": "Forecast",
        "target": "Target",
    }
    shown = rows[["measure", "title", "state"]].set_axis(
        ["Measure", "What is measured", "State"], axis=1
    )
    for column, heading in headings.items():
        shown[heading] = [*map(figure_text, rows[column], rows["unit"])]
    return shown.assign(Due=rows["due"])


def _draw_small(axes: Axes, report: Report, row: pd.Series) -> None:
    """One small picture: the state in words and by shape, the figures in the heading."""
    from matplotlib.dates import num2date

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
            [last["period_end"]],
            [last["reading"]],
            marker,
            markersize=9,
            color=colour,
            markerfacecolor=colour if firm else "white",
            markeredgewidth=2,
        )
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
        # A target without readings and path is one date.
        ends = sorted(set(axes.dataLim.intervalx))
        axes.set_xticks(ends, [str(num2date(end).year) for end in ends], fontsize=9)
        if len(ends) > 1:
            first, last_label = axes.get_xticklabels()
            first.set_horizontalalignment("left")
            last_label.set_horizontalalignment("right")
    else:
        axes.set_xticks([])
