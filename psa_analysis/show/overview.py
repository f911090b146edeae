"""The overview: where every measure stands and how likely its target is to be met."""

from __future__ import annotations

from typing import Any

import pandas as pd

from psa_analysis.analysis.assessment import STATES
from psa_analysis.analysis.disclosure import WITHHELD
from psa_analysis.report import Report, of_theme
from psa_analysis.show.chart import GREY, STATE_MARKS, Chart, as_svg, new_figure
from psa_analysis.show.tables import Html, states_shown, table, titled
from psa_analysis.words import NOT_STATED, chance_text, figure_text


def overview_table(report: Report, theme: str | None = None) -> Html:
    """Every measure of the agreement, or of one theme: where it stands and what is asked."""
    rows = of_theme(report, theme)
    units = rows["unit"]
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": titled(rows)
            + rows["role"].map({"supporting": " (supporting)"}).fillna(""),
            "Baseline": _figures(rows, "baseline", units),
            "Latest": _latest(rows),
            "Of period": rows["latest_period"],
            "Planned by then": [*map(figure_text, rows["planned"], units)],
            "Target": _figures(rows, "target", units),
            "Due": rows["due"],
            "Chance of the target": [*map(chance_text, rows["chance_target"])],
            "State": states_shown(rows),
            "Since last reading": rows["direction"],
            "On the year": rows["direction_on_year"],
        }
    )
    where = "the agreement" if theme is None else report.agreement.settings.themes[theme]
    return table(
        frame,
        f"Every measure of {where}, {report.period}",
        numeric=["Baseline", "Latest", "Planned by then", "Target", "Chance of the target"],
    )


def _figures(rows: pd.DataFrame, figure: str, units: pd.Series) -> list[str]:
    """Register figures with a mark where they are not as stated."""
    marks = {"assumed": " [a]", "derived": " [d]"}
    return [
        NOT_STATED if status == NOT_STATED else figure_text(value, unit) + marks.get(status, "")
        for value, unit, status in zip(rows[figure], units, rows[f"{figure}_status"], strict=True)
    ]


def _latest(rows: pd.DataFrame) -> list[str]:
    """Readings with the symbols of the Government Analysis Function."""
    marks = {"provisional": " [p]", "revised": " [r]", "estimated": " [e]"}
    return [
        "[c]"
        if flag == WITHHELD
        else figure_text(value, unit) + (marks.get(flag, "") if isinstance(flag, str) else "")
        for value, unit, flag in zip(rows["latest"], rows["unit"], rows["latest_flag"], strict=True)
    ]


def state_counts(report: Report) -> Html:
    """How many measures that count for the grant are in each state, theme by theme."""
    counting = report.assessment[report.assessment["role"] == "target"]
    counts = pd.crosstab(counting["theme"], counting["state"])
    themes = report.agreement.settings.themes
    counts = counts.reindex(index=list(themes), fill_value=0)
    counts = counts[[state for state in STATES if state in counts]]
    frame = counts.reset_index().astype(object)
    frame["theme"] = frame["theme"].map(themes)
    frame = frame.rename(columns={"theme": "Theme"})
    return table(
        frame, f"Measures by theme and state, {report.period}", numeric=list(counts.columns)
    )


def forecast_table(report: Report, theme: str | None = None) -> Html:
    """How likely each target is to be met, or why nothing can be said."""
    rows = of_theme(report, theme)
    units = rows["unit"]
    between = [
        "–" if pd.isna(low) else f"{figure_text(low, unit)} to {figure_text(high, unit)}"
        for low, high, unit in zip(rows["low_80"], rows["high_80"], units, strict=True)
    ]
    outlooks = [report.outlooks[measure] for measure in rows["measure"]]
    frame = pd.DataFrame(
        {
            "Measure": rows["measure"],
            "What is measured": rows["title"],
            "Due": rows["due"],
            "Target": [*map(figure_text, rows["target"], units)],
            "Middle of the forecast": [*map(figure_text, rows["forecast"], units)],
            "Eight in ten chances": between,
            "Chance of the target": [*map(chance_text, rows["chance_target"])],
            "Chance of the trigger": [*map(chance_text, rows["chance_trigger"])],
            "Readings": [one.readings or "–" for one in outlooks],
            "Note": [one.reason or one.note for one in outlooks],
        }
    )
    numeric = [
        "Target",
        "Middle of the forecast",
        "Eight in ten chances",
        "Chance of the target",
        "Chance of the trigger",
        "Readings",
    ]
    return table(frame, f"How likely each target is to be met, {report.period}", numeric=numeric)


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
    import seaborn as sns

    states = [state for state in STATE_MARKS if state in set(drawn["state"])]
    with new_figure(8, 1.2 + 0.34 * max(len(drawn), 1)) as (figure, axes):
        figure.subplots_adjust(left=0.16, right=0.98, top=0.88, bottom=0.12)
        if states:
            sns.scatterplot(
                drawn,
                x="percent",
                y="measure",
                hue="state",
                style="state",
                hue_order=states,
                style_order=states,
                palette={state: STATE_MARKS[state][0] for state in states},
                markers={state: STATE_MARKS[state][1] for state in states},
                s=110,
                ax=axes,
            )
        for place, style in lines:
            axes.axvline(place, color=GREY, linestyle=style, linewidth=1.2)
        axes.set(xlabel="", ylabel="", xlim=limits)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%".replace("-", "−"))
        axes.grid(axis="x")
        if states:
            axes.legend(
                loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=len(states), title=None
            )
        return as_svg(figure)


def _listed_by_state(data: pd.DataFrame, column: str) -> str:
    return "; ".join(
        f"{state}: "
        + ", ".join(f"{row['measure']} {row[column]:.0%}" for _, row in group.iterrows())
        for state, group in data.groupby("state", sort=False)
    )
