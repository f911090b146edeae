"""The overview: where every measure stands and how likely its target is to be met."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.assessment import STATES
from psa_analysis.analysis.disclosure import WITHHELD
from psa_analysis.report import Report, of_theme
from psa_analysis.show.chart import DASHED, GREY, STATE_MARKS, Chart
from psa_analysis.show.tables import (
    MARKS,
    Column,
    Html,
    columns_frame,
    rows_table,
    state_cell,
    title_text,
)
from psa_analysis.words import NOT_STATED, chance_text, figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def overview_table(report: Report, theme: str | None = None) -> Html:
    """Every measure of the agreement, or of one theme: where it stands and what is asked."""
    rows = of_theme(report, theme)
    where = "the agreement" if theme is None else report.agreement.settings.themes[theme]
    columns = [
        Column("Measure"),
        Column("What is measured", _title),
        _stated_figure("Baseline"),
        Column.number("Latest", lambda row: latest_text(row) + MARKS.get(row["latest_flag"], "")),
        Column("Of period", "latest_period"),
        Column.figure("Planned by then", "planned"),
        _stated_figure("Target"),
        Column("Due"),
        Column.chance("Chance of the target", "chance_target"),
        Column("State", state_cell),
        Column("Since last reading", "direction"),
        Column("On the year", "direction_on_year"),
    ]
    return rows_table(rows, columns, f"Every measure of {where}, {report.period}")


def _title(row: pd.Series) -> str:
    return title_text(row) + (" (supporting)" if row["role"] == "supporting" else "")


def _stated_figure(heading: str) -> Column:
    """A figure of the register, with a mark where it is not as stated."""
    name = heading.lower()

    def cell(row: pd.Series) -> str:
        status = row[f"{name}_status"]
        if status == NOT_STATED:
            return NOT_STATED
        return figure_text(row[name], row["unit"]) + MARKS.get(status, "")

    return Column.number(heading, cell)


def latest_text(row: pd.Series) -> str:
    """The latest reading, or the sign for one that is not shown."""
    return "[c]" if row["latest_flag"] == WITHHELD else figure_text(row["latest"], row["unit"])


def state_counts(report: Report) -> Html:
    """How many measures that count for the grant are in each state, theme by theme."""
    counting = report.assessment[report.assessment["role"] == "target"]
    counts = pd.crosstab(counting["theme"], counting["state"])
    themes = report.agreement.settings.themes
    counts = counts.reindex(index=list(themes), fill_value=0)
    states = [state for state in STATES if state in counts]
    columns = [Column("Theme"), *(Column.number(state, state) for state in states)]
    rows = counts.assign(theme=[*themes.values()])
    return rows_table(rows, columns, f"Measures by theme and state, {report.period}")


def forecast_table(report: Report, theme: str | None = None) -> Html:
    """How likely each target is to be met, or why nothing can be said."""
    rows = of_theme(report, theme)
    outlooks = [report.outlooks[measure] for measure in rows["measure"]]
    rows = rows.assign(
        readings=[outlook.readings or "–" for outlook in outlooks],
        note=[outlook.reason or outlook.note for outlook in outlooks],
    )
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column("Due"),
        Column.figure("Target"),
        Column.figure("Middle of the forecast", "forecast"),
        Column.between("Eight in ten chances", "low_80", "high_80"),
        Column.chance("Chance of the target", "chance_target"),
        Column.chance("Chance of the trigger", "chance_trigger"),
        Column.number("Readings"),
        Column("Note"),
    ]
    return rows_table(rows, columns, f"How likely each target is to be met, {report.period}")


def progress_chart(report: Report) -> Chart:
    """How much of the planned improvement each measure has made: the agreement in one picture."""
    # A measure far off either way would squeeze the others; the table has its number.
    return _dots_chart(
        report,
        "progress",
        "Of the improvement planned by then",
        lambda share: f"{share:.0%}".replace("-", "−"),
        (-0.5, 2),
        [(0, "-"), (1, DASHED)],
        "Dot plot of the share of the planned improvement made so far by each measure; the dashed "
        "line at 100% is the planned path",
    )


def chance_chart(report: Report) -> Chart:
    """How likely each target is to be met, with the chances that divide the states."""
    states = report.agreement.settings.states
    return _dots_chart(
        report,
        "chance_target",
        "Chance of the target",
        chance_text,
        (0, 1),
        [(states.at_risk, DASHED), (states.on_track, DASHED)],
        "Dot plot of the chance that each target is met; the dashed lines are where at risk begins,"
        f" {states.at_risk:.0%}, and on track, {states.on_track:.0%}",
    )


def _dots_chart(
    report: Report,
    share: str,
    heading: str,
    share_text: Callable[[float], str],
    limits: tuple[float, float],
    lines: list[tuple[float, Any]],
    description: str,
) -> Chart:
    """A dot for each measure at its share, with a colour and a shape for its state."""
    import seaborn as sns

    rows = report.assessment
    rows = rows[rows[share].notna() & rows["state"].isin(STATE_MARKS)]
    data = rows[["measure", "title", share, "state"]].reset_index(drop=True)
    states = [state for state in STATE_MARKS if state in set(data["state"])]

    def draw(axes: Axes) -> None:
        if states:
            sns.scatterplot(
                data.assign(percent=(100 * data[share]).clip(100 * limits[0], 100 * limits[1])),
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
            axes.axvline(100 * place, color=GREY, linestyle=style, linewidth=1.2)
        margin = 3 if limits == (0, 1) else 5
        axes.set(xlabel="", ylabel="", xlim=(100 * limits[0] - margin, 100 * limits[1] + margin))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%".replace("-", "−"))
        axes.grid(axis="x")
        if states:
            axes.legend(
                loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=len(states), title=None
            )

    by_state = "; ".join(
        f"{state}: "
        + ", ".join(f"{row['measure']} {row[share]:.0%}" for _, row in group.iterrows())
        for state, group in data.groupby("state", sort=False)
    )
    columns = [
        Column("Measure"),
        Column("What is measured", "title"),
        Column("State"),
        Column.number(heading, lambda row: share_text(row[share])),
    ]
    shown, height = columns_frame(data, columns), 1.2 + 0.34 * max(len(data), 1)
    margins = (0.16, 0.98, 0.88, 0.12)
    return Chart(draw, f"{description}. {by_state}.", data, shown, height, margins)
