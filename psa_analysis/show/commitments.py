"""Commitments: what the strategy promised besides the targets, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.commitments import COUNTED_DONE, EXCEPTIONS, moved
from psa_analysis.analysis.commitments import STATES as COMMITMENT_STATES
from psa_analysis.report import Report
from psa_analysis.show.chart import BLUE, DASHED, GREY, ORANGE, PINK, Chart
from psa_analysis.show.tables import illustrative_mark, sentence, table
from psa_analysis.show.views import View
from psa_analysis.words import NOT_STATED, are, counted, day_text, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def all_commitments(report: Report) -> View:
    """How many commitments are delivered, and each at the date it is due."""
    return View(
        words=lambda: sentence(commitment_text(report.commitments)),
        chart=lambda: _commitments_chart(report),
        data=report.commitments,
    )


def commitment_text(rows: pd.DataFrame) -> str:
    """How many commitments are in each state."""
    if rows.empty:
        return "The register holds no commitments."
    number = rows["state"].value_counts().reindex(list(COMMITMENT_STATES), fill_value=0)
    delivered = number[list(COUNTED_DONE)].sum()
    text = (
        f"{delivered} of {counted(len(rows), 'commitment')} {are(delivered)} delivered, "
        f"{number['done late']} of them late. {number['overdue']} {are(number['overdue'])} "
        f"overdue, {number['at risk']} at risk, and for {number['no data']} there is no report. "
        f"{number['on track']} {are(number['on track'])} on track and {number['not due']} not due "
        f"within a year. {number[NOT_STATED]} cannot be judged."
    )
    if made_up := rows["illustrative"].sum():
        text += f" What was reported is illustrative for {made_up}."
    return text


def commitment_list(report: Report, which: str) -> View:
    """Some commitments: "exceptions", "moved", "not judged", or the others of an objective.

    Exceptions are overdue, at risk or without data, the worst first; moved are those whose state
    is another than in the report of the quarter before.
    """
    rows, objectives = report.commitments, report.agreement.settings.objectives
    columns = ["Due", "As worded", "State", "Why", "Evidence"]
    if which == "exceptions":
        rows = rows[rows["state"].isin(EXCEPTIONS)]
        rows = rows.assign(order=rows["state"].map(EXCEPTIONS.index))
        rows = rows.sort_values(["order", "due_date"], kind="stable")
        title = "Overdue, at risk or no data"
    elif which == "moved":
        rows, title, columns = moved(rows), "Changed state", ["Before", "State"]
    elif which == "not judged":
        rows, title, columns = rows[rows["state"] == NOT_STATED], "Cannot be judged", columns[3:]
    elif which in objectives:
        others = (rows["objective"] == which) & ~rows["state"].isin([*EXCEPTIONS, NOT_STATED])
        rows, title = rows[others], objectives[which]
    else:
        known = ", ".join(["exceptions", "moved", "not judged", *objectives])
        raise KeyError(f"there are no commitments called '{which}'; there are {known}")
    caption = f"{title}{illustrative_mark(rows)}"
    folded = which not in ("exceptions", "moved")
    return View(table=lambda: table(_listing(rows, columns), caption, folded=folded), data=rows)


def _listing(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Some columns of commitments as every table of them words them."""
    if rows.empty:
        return rows
    figures = [
        f": {with_unit(row.target, row.unit)}" if row.kind == "level" else ""
        for row in rows.itertuples()
    ]
    why = rows["reason"].str[:1].str.upper() + rows["reason"].str[1:]
    cells = {
        "Commitment": rows["commitment"],
        "What is promised": rows["promise"] + figures,
        "Due": rows["due_date"].astype(object).map(day_text, "ignore"),
        "As worded": rows["due"],
        "Before": rows["previous_state"],
        "State": rows["state"],
        "Why": why + rows["illustrative"].map({True: " (illustrative)", False: ""}),
        "Evidence": rows["evidence"].replace("", None),
    }
    return pd.DataFrame(cells)[["Commitment", "What is promised", *columns]]


#: Colour and marker of each state of a commitment: four colours, and a shape for each.
COMMITMENT_MARKS = {
    "overdue": (PINK, "s"),
    "at risk": (ORANGE, "^"),
    "no data": (GREY, "X"),
    "done late": (BLUE, "D"),
    "on track": (BLUE, "o"),
    "done": (BLUE, "P"),
    "not due": (GREY, "v"),
    "not stated": (GREY, "*"),
}

#: A mark and its name take as much room as so many days.
ROOM = 135


def _commitments_chart(report: Report) -> Chart:
    """Every commitment at the date it is due, objective by objective, with the shape of its state.

    What is due after the year in which the agreement ends, or has no date, stands at the right.
    """
    rows, objectives = report.commitments, report.agreement.settings.objectives
    data = rows[["commitment", "objective", "due_date", "state"]].reset_index(drop=True)
    quarter = pd.Timestamp(report.period.end)
    alt = (
        f"Timeline of {len(data)} commitments by the date they are due, a row of marks for each "
        f"objective; the dashed line is {day_text(quarter)}{illustrative_mark(rows)}."
    )
    end = pd.Timestamp(report.agreement.settings.agreement.last.end) + pd.offsets.YearEnd(0)
    later, undated = end + pd.DateOffset(months=3), end + pd.DateOffset(months=10)
    due = data["due_date"]
    drawn = data.assign(at=due.where(due <= end, later).mask(due.isna(), undated))
    drawn["height"], headings = lanes(drawn, list(objectives))
    left = min(drawn["at"], default=end - pd.DateOffset(years=3)) - pd.DateOffset(months=1)
    depth = 1 - min(drawn["height"], default=0)
    inches = 1.5 + 0.27 * depth
    white: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    beside: dict[str, Any] = {"textcoords": "offset points", "fontsize": 9}

    def draw(axes: Axes) -> None:
        for state, (colour, marker) in COMMITMENT_MARKS.items():
            marks = drawn[drawn["state"] == state]
            if len(marks):
                style = {"color": colour, "marker": marker, "markersize": 9, "linestyle": "none"}
                axes.plot(marks["at"], marks["height"], label=state, clip_on=False, **style)
        for row in drawn.itertuples():
            place = (row.at, row.height)
            name = axes.annotate(row.commitment, place, (7, 0), va="center", bbox=white, **beside)
            name.set(annotation_clip=False, zorder=2.5)
        for objective, height in headings.items():
            style = {"va": "center", "fontweight": "bold", "fontsize": 11}
            axes.text(left, height, f" {objectives[objective]}", bbox=white, **style)
        # Beneath marks and names, which are easier to read unbroken than a line is.
        axes.axvline(quarter, color=GREY, linestyle=DASHED, linewidth=1.2, zorder=1)
        words = f"{day_text(quarter)}, this quarter's end"
        axes.annotate(words, (quarter, -depth), (5, 4), color=GREY, **beside)
        years = pd.date_range(left, end, freq="YS")
        labels = [*[f"Jan\n{day.year}" for day in years], "later", "no date"]
        axes.set_xticks([*years, later, undated], labels)
        axes.set(xlim=(left, undated + pd.DateOffset(months=6)), ylim=(-depth, 0.6), yticks=[])
        axes.grid(visible=False)
        axes.grid(axis="x", linewidth=0.5)
        if len(drawn):
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, handletextpad=0.3)

    margins = (0.02, 0.98, 1 - 0.95 / inches, 0.5 / inches)
    return Chart(draw, alt, data, height=inches, margins=margins)


def lanes(drawn: pd.DataFrame, objectives: list[str]) -> tuple[pd.Series, dict[str, int]]:
    """A height for each mark, so that none stands in another's room; and for each heading."""
    heights = pd.Series(0, index=drawn.index)
    headings: dict[str, int] = {}
    top = 0
    for objective in objectives:
        marks = drawn[drawn["objective"] == objective].sort_values("at", kind="stable")
        if marks.empty:
            continue
        headings[objective] = top
        ends: list[pd.Timestamp] = []
        for index, day in marks["at"].items():
            free = [n for n, taken in enumerate(ends) if day - taken >= pd.Timedelta(days=ROOM)]
            lane = free[0] if free else len(ends)
            ends[lane : lane + 1] = [day]
            heights.loc[index] = top - 1 - lane
        top -= len(ends) + 2
    return heights, headings
