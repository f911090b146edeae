"""Reliability: how often forecasts came true, and how they do beside others."""

from __future__ import annotations

import pandas as pd

from psa_analysis.show.chart import BLUE, GREY, Chart, as_svg, new_figure
from psa_analysis.show.tables import Html, sentence, table


def reliability_table(reliable: pd.DataFrame, of_what: str) -> Html:
    """Of the forecasts that said so many per cent, how many came true."""
    frame = pd.DataFrame(
        {
            "Chance that was given": [
                f"{100 * row.said_from:.0f} to {100 * row.said_to:.0f}%"
                for row in reliable.itertuples()
            ],
            "Forecasts": [f"{count:,}" for count in reliable["forecasts"]],
            "Came true": [f"{share:.0%}" for share in reliable["came_true"]],
            "Chance alone allows": [
                f"{row.low:.0%} to {row.high:.0%}" for row in reliable.itertuples()
            ],
        }
    )
    return table(
        frame, f"How often forecasts came true: {of_what}", numeric=list(frame.columns[1:])
    )


def reliability_sentences(reliable: pd.DataFrame) -> Html:
    """The same in words, for a low, a middling and a high chance."""
    asked = reliable[reliable["said_from"].isin([0.1, 0.4, 0.7])]
    return sentence(" ".join(reliability_words(asked).splitlines()))


def coverage_table(covered: pd.DataFrame, of_what: str) -> Html:
    """How often readings fell into the intervals, by length of history and horizon."""
    frame = pd.DataFrame(
        {
            "Readings known": covered["history"],
            "Periods ahead": covered["horizon"],
            "Forecasts": [f"{count:,}" for count in covered["forecasts"]],
            **{
                f"Within the {one}% interval": [
                    f"{share:.0%}" for share in covered[f"within_{one}"]
                ]
                for one in (50, 80, 95)
            },
        }
    )
    return table(
        frame,
        f"Readings within the intervals: {of_what}",
        numeric=list(frame.columns[2:]),
        folded=len(frame) > 8,
    )


def reference_table(scores: pd.DataFrame) -> Html:
    """Our forecasts beside the best other forecaster, on the reference panels."""
    keys = ["per_year", "panel", "history"]
    peers = scores[~scores["method"].str.startswith("psa_analysis")]
    best = peers.loc[peers.groupby(keys)["crps"].idxmin(), [*keys, "method", "crps"]]
    both = scores[scores["method"] == "psa_analysis"].merge(best, on=keys, suffixes=("", "_best"))
    alone = scores[scores["method"] == "psa_analysis, portfolio"][[*keys, "crps", "within_80"]]
    both = both.merge(alone, on=keys, suffixes=("", "_alone"))
    frame = pd.DataFrame(
        {
            "Panel": both["panel"] + both["per_year"].map({1: ", yearly", 4: ", quarterly"}),
            "Readings known": both["history"],
            "Series": both["series"],
            "Error, ours": [f"{value:.2f}" for value in both["crps"]],
            "Error, ours as in a report": [f"{value:.2f}" for value in both["crps_alone"]],
            "Error, best other": [f"{value:.2f}" for value in both["crps_best"]],
            "Which that is": both["method_best"],
            "Within our 80% interval": [f"{share:.0%}" for share in both["within_80"]],
            "The same as in a report": [f"{share:.0%}" for share in both["within_80_alone"]],
        }
    )
    numeric = [name for name in frame.columns if name not in ("Panel", "Which that is")]
    return table(frame, "Forecasts of the reference panels", numeric=numeric)


def reliability_words(table: pd.DataFrame) -> str:
    """Of the forecasts that said so many per cent, how many came true: a sentence a line."""
    return "\n".join(
        f"Of the {row.forecasts:,} forecasts that said {100 * row.said_from:.0f} to "
        f"{100 * row.said_to:.0f}%, {row.came_true:.0%} came true."
        for row in table.itertuples()
    )


def reliability_chart(table: pd.DataFrame) -> Chart:
    """What forecasts said against how often it came true: on the line is right."""
    with new_figure(6, 4.6) as (figure, axes):
        figure.subplots_adjust(left=0.12, right=0.96, top=0.92, bottom=0.14)
        axes.plot([0, 100], [0, 100], color=GREY, linestyle=(0, (5, 3)), linewidth=1.5)
        below = 100 * (table["came_true"] - table["low"])
        above = 100 * (table["high"] - table["came_true"])
        axes.errorbar(
            100 * table["said"],
            100 * table["came_true"],
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
        svg = as_svg(figure)
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
