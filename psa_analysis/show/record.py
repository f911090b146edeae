"""The record of earlier forecasts: what we said, what came, and how far to trust the next."""

import numpy as np
import pandas as pd

from psa_analysis.analysis import backtest
from psa_analysis.report import Report, assessment_row, memoised
from psa_analysis.show import chart
from psa_analysis.show.chart import BLUE, GREY, ORANGE, Axes, Chart
from psa_analysis.show.tables import Column, rows_table, sentence
from psa_analysis.show.views import View, no_view
from psa_analysis.words import counted


def record_of(report: Report, *measures: str) -> pd.DataFrame:
    """What was said a year before of the readings of some measures, and what came."""
    rows = backtest.year_before(report.record)
    return rows[rows["measure"].isin(measures)]


def record_text(rows: pd.DataFrame) -> str:
    """How many readings came within the ranges that they were given; nothing if none came."""
    if rows.empty:
        return ""
    counts, measures = rows["place"].value_counts(), rows["measure"].nunique()
    which = f"of {measures} measures" if measures > 1 else f"since {rows['period'].iloc[0]}"
    beyond = [f"{counts[place]} came {place}" for place in ("better", "worse") if place in counts]
    within = f"{counts.get('within', 0)} of {counted(len(rows), 'reading')} {which} came within"
    return f"{'; '.join([f'{within} the range given a year before', *beyond])}."


def lean_text(report: Report) -> str:
    """Which way forecasts have leaned, where that is more than chance; else nothing."""
    share, measures, p = backtest.lean(report.record) or (0, 0, 1)
    if p >= 0.05:
        return ""
    mood, way = ("gloomy", "better") if share > 0.5 else ("hopeful", "worse")
    most = f"{measures * max(share, 1 - share):.0f} of {measures} measures came out {way}"
    text = f"Forecasts have been too {mood}: {most}, beyond chance."
    return f"{text} No chance is moved: on reference series such leans did not last."


def record_view(report: Report, measure: str) -> View:
    """The ranges that the readings of one measure were given, and where each came."""
    row, rows = assessment_row(report, measure), record_of(report, measure)
    if rows.empty:
        return no_view("No reading has come that was forecast before.")

    def draw(axes: Axes) -> None:
        bars = {"linewidth": 8, "color": GREY, "alpha": 0.35, "label": "80% range said"}
        axes.vlines("period_end", "low_80", "high_80", data=rows, **bars)
        marks = {"better": (BLUE, "D"), "within": (GREY, "o"), "worse": (ORANGE, "X")}
        for place, (colour, marker) in marks.items():
            came = rows[rows["place"] == place]
            style = {"color": colour, "linestyle": "none", "markersize": 9}
            axes.plot(came["period_end"], came["observed"], marker, label=f"Came: {place}", **style)
        chart.finish_time_axes(axes, [], str(row["unit"]))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title=None)

    ranges = Column.between("80% range said", "low_80", "high_80")
    columns = [Column("Period"), Column("In the report of", "origin"), ranges]
    columns += [Column.figure("Came", "observed"), Column("It is", "place")]
    rows = rows.assign(unit=row["unit"], decimals=row["decimals"])
    numbers = rows_table(rows, columns, f"Earlier forecasts of {measure}", folded=True)
    alt = f"The ranges forecast of {row['title']}, and the readings that came."
    picture = Chart(draw, alt, rows, numbers, height=2.4, margins=(0.1, 0.77, 0.95, 0.22))
    return View(words=lambda: sentence(record_text(rows)), chart=lambda: picture, data=rows)


@memoised
def tried(report: Report) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts and chances tried on the agreement's own figures, except what is made up."""
    return backtest.backtest_panel(backtest.real_panel(report.observations, report.agreement))


@memoised
def trust_text(report: Report) -> str:
    """How often forecasts held: the agreement's own where there are enough, else others."""
    panels = backtest.reference("scores").query("method == 'psa_analysis, portfolio'")
    usual = np.average(panels["within_80"], weights=panels["readings"])
    text = f"On reference series, {usual:.0%} of outcomes lay in the range meant for 80%."
    chances, where = backtest.reference("reliability"), " on reference series"
    own = report.record[~report.record["illustrative"].astype(bool)]
    which = "that earlier reports forecast"
    if len(own) < backtest.ENOUGH:
        (own, targets), which = tried(report), "among the agreement's own published figures"
        if len(own) >= backtest.ENOUGH:
            chances, where = backtest.reliability(targets), ""
    if len(own) >= backtest.ENOUGH:
        share, low, high = backtest.held(own)
        wrong = "narrow" if share < usual else "wide"
        first = "" if low <= usual <= high else f"Ranges have been too {wrong} here. "
        text = f"{first}Of {len(own):,} outcomes {which}, {share:.0%} lay in the range meant for "
        text += f"80%; on reference series {usual:.0%} did."
    chances = chances[chances["forecasts"] >= backtest.ENOUGH]
    worst = chances.loc[(chances["came_true"] - chances["said"]).abs().idxmax()]
    tenth = f"{100 * worst['said_from']:.0f} to {worst['said_to']:.0%}"
    came = f"{worst['came_true']:.0%} came true"
    return f"{text} Chances of {tenth} were furthest off{where}: {came}."
