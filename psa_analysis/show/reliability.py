"""Reliability: how often forecasts came true, and how they do beside others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.forecast import INTERVALS
from psa_analysis.show.chart import BLUE, DASHED, GREY, Chart
from psa_analysis.show.tables import Column, Html, rows_table, sentence
from psa_analysis.show.views import View, no_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = {1: "yearly", 4: "quarterly"}


def reliability_view(reliable: pd.DataFrame, of_what: str) -> View:
    """What forecasts said against how often it came true."""
    shown = reliable[reliable["said_from"].isin([0.1, 0.4, 0.7])]
    return View(
        words=lambda: sentence(reliability_words(shown).replace("\n", " ")),
        chart=lambda: _reliability_chart(reliable, of_what),
        data=reliable,
    )


def reliability_words(reliable: pd.DataFrame) -> str:
    """Of the forecasts that said so many per cent, how many came true: a sentence a line."""
    return "\n".join(
        f"Of the {row.forecasts:,} forecasts that said {100 * row.said_from:.0f} to "
        f"{row.said_to:.0%}, {row.came_true:.0%} came true."
        for row in reliable.itertuples()
    )


def reliability_table(reliable: pd.DataFrame, of_what: str) -> Html:
    """Of the forecasts that said so many per cent, how many came true."""
    columns = [
        _shares("Chance that was given", "said_from", "said_to"),
        Column.number("Forecasts", lambda row: f"{row['forecasts']:,.0f}"),
        _shares("Came true", "came_true"),
        _shares("Chance alone allows", "low", "high"),
    ]
    return rows_table(reliable, columns, f"How often forecasts came true: {of_what}", folded=True)


def _reliability_chart(reliable: pd.DataFrame, of_what: str) -> Chart:
    """What forecasts said against how often it came true: on the line is right."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=GREY, linestyle=DASHED, linewidth=1.5)
        said, came_true = 100 * reliable["said"], 100 * reliable["came_true"]
        limits = [came_true - 100 * reliable["low"], 100 * reliable["high"] - came_true]
        axes.errorbar(said, came_true, limits, fmt="o", color=BLUE, markersize=7, capsize=4)
        axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="Chance that was given")
        axes.set_title("Share that came true", loc="left", fontsize=12)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}%")

    alt = (
        "Dot plot of the chances that forecasts gave against how often they came true; on the "
        "dashed line both are the same."
    )
    numbers, margins = reliability_table(reliable, of_what), (0.12, 0.72, 0.92, 0.14)
    return Chart(draw, alt, reliable, numbers, 4.6, margins)


def coverage_view(covered: pd.DataFrame, of_what: str) -> View:
    """How often readings fell into the intervals, by length of history and horizon."""
    if covered.empty:
        return no_view(f"No forecasts could be tried on {of_what}.")
    columns = [
        Column("Readings known", "history"),
        Column.number("Periods ahead", "horizon"),
        Column.number("Forecasts", lambda row: f"{row['forecasts']:,.0f}"),
        *(_shares(f"Within the {percent}% range", f"within_{percent}") for percent in INTERVALS),
    ]
    total = covered.iloc[0]
    text = (
        f"Of {total['forecasts']:,} readings, {total['within_80']:.0%} fell within the 80% range."
    )
    caption = f"Readings within the ranges: {of_what}"
    return View(
        words=lambda: sentence(text),
        table=lambda: rows_table(covered, columns, caption, folded=True),
        data=covered,
    )


def reference_view(scores: pd.DataFrame) -> View:
    """Our forecasts, made as in a report, beside the best other forecaster."""
    keys = ["per_year", "panel", "history"]
    peers = scores[~scores["method"].str.startswith("psa_analysis")]
    best = peers.loc[peers.groupby(keys)["crps"].idxmin(), [*keys, "method", "crps"]]
    rows = scores[scores["method"] == "psa_analysis, portfolio"]
    rows = rows.merge(best, on=keys, suffixes=("", "_best"))
    columns = [
        Column("Panel", lambda row: f"{row['panel']}, {_KINDS[row['per_year']]}"),
        Column.number("Readings known", "history"),
        Column.number("Series"),
        Column.number("Our error", lambda row: f"{row['crps']:.2f}"),
        Column.number("Best other", lambda row: f"{row['crps_best']:.2f}"),
        Column("Which that is", "method_best"),
        _shares("Within our 80% range", "within_80"),
    ]
    less = 1 - (rows["crps"] / rows["crps_best"]).mean()
    text = f"Our error was {less:.0%} below that of the best other forecaster."
    caption = "Forecasts of the reference series"
    return View(
        words=lambda: sentence(text),
        table=lambda: rows_table(rows, columns, caption, folded=True),
        data=rows,
    )


def _shares(heading: str, *names: str) -> Column:
    """A column of shares, or of ranges of them."""
    return Column.number(heading, lambda row: " to ".join(f"{row[name]:.0%}" for name in names))
