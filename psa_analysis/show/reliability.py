"""Reliability: how often forecasts came true, and how they do beside others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.backtest import backtest_panel, real_panel
from psa_analysis.show.chart import BLUE, DASHED, GREY, Chart
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.show.views import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from psa_analysis.report import Report


def backtest_agreement(report: Report) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Back-test of all figures of a report's agreement that are not made up.

    Whenever they came in: this tries the method, and is not what the report knew.
    """
    return backtest_panel(real_panel(report.observations, report.agreement))


def reliability_view(reliable: pd.DataFrame, of_what: str) -> View:
    """What forecasts said against how often it came true."""
    shown = reliable[reliable["said_from"].isin([0.1, 0.4, 0.7])]
    return View(
        words=lambda: sentence(reliability_words(shown).replace("\n", " ")),
        chart=lambda: _reliability_chart(reliable, of_what),
        data=reliable,
    )


def _reliability_table(reliable: pd.DataFrame, of_what: str) -> Html:
    """Of the forecasts that said so many per cent, how many came true."""
    columns = {
        "Chance that was given": _chances(reliable),
        "Forecasts": reliable["forecasts"].map("{:,}".format),
        "Came true": _percent(reliable["came_true"]),
        "Chance alone allows": _percent(reliable["low"]) + " to " + _percent(reliable["high"]),
    }
    caption = f"How often forecasts came true: {of_what}"
    return table(pd.DataFrame(columns), caption, numeric=list(columns)[1:], folded=True)


def coverage_table(covered: pd.DataFrame, of_what: str) -> Html:
    """How often readings fell into the intervals, by length of history and horizon."""
    columns = {
        "Readings known": covered["history"],
        "Periods ahead": covered["horizon"],
        "Forecasts": covered["forecasts"].map("{:,}".format),
        "Within the 50% interval": _percent(covered["within_50"]),
        "Within the 80% interval": _percent(covered["within_80"]),
        "Within the 95% interval": _percent(covered["within_95"]),
    }
    return table(
        pd.DataFrame(columns),
        f"Readings within the intervals: {of_what}",
        numeric=list(columns)[2:],
        folded=len(covered) > 8,
    )


def reference_table(scores: pd.DataFrame) -> Html:
    """Our forecasts beside the best other forecaster, on the reference panels."""
    keys = ["per_year", "panel", "history"]
    peers = scores[~scores["method"].str.startswith("psa_analysis")]
    best = peers.loc[peers.groupby(keys)["crps"].idxmin(), [*keys, "method", "crps"]]
    alone = scores[scores["method"] == "psa_analysis, portfolio"][[*keys, "crps", "within_80"]]
    rows = scores[scores["method"] == "psa_analysis"]
    rows = rows.merge(best, on=keys, suffixes=("", "_best"))
    rows = rows.merge(alone, on=keys, suffixes=("", "_alone"))
    columns = {
        "Panel": rows["panel"] + rows["per_year"].map({1: ", yearly", 4: ", quarterly"}),
        "Readings known": rows["history"],
        "Series": rows["series"],
        "Error, ours": rows["crps"].map("{:.2f}".format),
        "Error, ours as in a report": rows["crps_alone"].map("{:.2f}".format),
        "Error, best other": rows["crps_best"].map("{:.2f}".format),
        "Which that is": rows["method_best"],
        "Within our 80% interval": _percent(rows["within_80"]),
        "The same as in a report": _percent(rows["within_80_alone"]),
    }
    numeric = [name for name in columns if name not in ("Panel", "Which that is")]
    return table(pd.DataFrame(columns), "Forecasts of the reference panels", numeric=numeric)


def reliability_words(reliable: pd.DataFrame) -> str:
    """Of the forecasts that said so many per cent, how many came true: a sentence a line."""
    parts = zip(
        reliable["forecasts"], _chances(reliable), _percent(reliable["came_true"]), strict=True
    )
    return "\n".join(
        f"Of the {forecasts:,} forecasts that said {chances}, {came_true} came true."
        for forecasts, chances, came_true in parts
    )


def _reliability_chart(reliable: pd.DataFrame, of_what: str) -> Chart:
    """What forecasts said against how often it came true: on the line is right."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=GREY, linestyle=DASHED, linewidth=1.5)
        below = 100 * (reliable["came_true"] - reliable["low"])
        above = 100 * (reliable["high"] - reliable["came_true"])
        axes.errorbar(
            100 * reliable["said"],
            100 * reliable["came_true"],
            yerr=[below, above],
            fmt="o",
            color=BLUE,
            markersize=7,
            capsize=4,
        )
        axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="Chance that was given")
        axes.set_title("Share that came true", loc="left", fontsize=12)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}%")

    alt = (
        "Dot plot of the chances that forecasts gave against how often they came true; on the "
        "dashed line both are the same."
    )
    numbers, margins = _reliability_table(reliable, of_what), (0.12, 0.72, 0.92, 0.14)
    return Chart(draw, alt, reliable, numbers, 4.6, margins)


def _percent(shares: pd.Series) -> pd.Series:
    # As text even where there is no row, for it is put together with more.
    return shares.map("{:.0%}".format).astype(str)


def _chances(reliable: pd.DataFrame) -> pd.Series:
    """``70 to 80%``: the chances that forecasts were put together by."""
    lowest = (100 * reliable["said_from"]).map("{:.0f} to ".format).astype(str)
    return lowest + _percent(reliable["said_to"])
