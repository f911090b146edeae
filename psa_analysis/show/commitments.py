"""Commitments: what the strategy promised besides the targets, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.commitments import COUNTED_DONE, EXCEPTIONS, moved
from psa_analysis.analysis.commitments import STATES as COMMITMENT_STATES
from psa_analysis.report import Report
from psa_analysis.show.chart import BLUE, DASHED, GREY, ORANGE, PINK, Chart
from psa_analysis.show.tables import Html, illustrative_mark, sentence, table
from psa_analysis.show.views import View
from psa_analysis.words import NOT_STATED, are, counted, day_text, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def all_commitments(report: Report) -> View:
    """How many commitments are delivered, and each at the date it is due."""
    return View(
        words=lambda: commitment_words(report),
        chart=lambda: _commitments_chart(report),
        data=report.commitments,
    )


def commitment_words(report: Report) -> Html:
    """How many commitments are delivered, which give cause for concern, and what moved."""
    rows = report.commitments
    if rows.empty:
        return sentence("The register holds no commitments.")
    number = rows["state"].value_counts().reindex(list(COMMITMENT_STATES), fill_value=0)
    delivered, late = number[list(COUNTED_DONE)].sum(), number["done late"]
    words = f"{delivered} of {counted(len(rows), 'commitment')} {are(delivered)} delivered"
    words += f", {late} of them after the date" if late else ""
    sentences = [
        words,
        f"{number['overdue']} {are(number['overdue'])} overdue and {number['at risk']} at risk; "
        f"for {number['no data']} nothing was reported that says where things stand",
        f"{number['on track']} {are(number['on track'])} on track and {number['not due']} not due "
        "within a year",
    ]
    if unjudged := number[NOT_STATED]:
        words = f"{unjudged} cannot be judged, since no document states a date or a figure"
        done = rows.loc[rows["state"] == NOT_STATED, "lead_status"].eq("done").sum()
        sentences.append(words + (f"; their leads call {done} of these done" if done else ""))
    if rows["previous_state"].notna().any():
        sentences.append(f"{len(moved(rows)) or 'None'} changed state since the last report")
    if made_up := rows["illustrative"].sum():
        words = "What was reported is illustrative, that is made up"
        sentences.append(f"{words}, for {made_up} of them")
    return sentence(". ".join(sentences) + ".")


def commitment_list(report: Report, which: str) -> View:
    """Some commitments: those of an objective, or the "exceptions", "moved" or "not judged".

    Exceptions are overdue, at risk or of nobody knows what, the worst first; moved are those whose
    state is another than in the report of the quarter before.
    """
    rows, objectives = report.commitments, report.agreement.settings.objectives
    if which == "exceptions":
        rows = rows[rows["state"].isin(EXCEPTIONS)]
        rows = rows.assign(order=rows["state"].map(EXCEPTIONS.index))
        rows = rows.sort_values(["order", "due_date"], kind="stable")
        title, columns = f"Overdue, at risk, or nothing known, {report.period}", _STATE[:3]
    elif which == "moved":
        rows, columns = moved(rows), ["Last report", "Now", "Why"]
        title = "Changed state since the last report"
    elif which == "not judged":
        rows, columns = rows[rows["state"] == NOT_STATED], ["Why"]
        title = "Cannot be judged"
    elif which in objectives:
        rows, columns = rows[rows["objective"] == which], _STATE
        columns = [*columns, "From"] if report.audience == "internal" else columns
        title = objectives[which]
    else:
        known = ", ".join(["exceptions", "moved", "not judged", *objectives])
        raise KeyError(f"there are no commitments called '{which}'; there are {known}")
    caption = f"{title}{illustrative_mark(rows, 'progress is ')}"
    folded = which in objectives
    return View(table=lambda: table(_listing(rows, columns), caption, folded=folded), data=rows)


#: What most tables of commitments say of each.
_STATE = ["Due", "State", "Why", "Evidence"]


def _listing(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Some columns of commitments as every table of them words them."""
    promises, due, evidence = [], [], []
    for row in rows.itertuples():
        figure = f": {with_unit(row.target, row.unit)}" if row.kind == "level" else ""
        promises.append(f"{row.promise}{figure}")
        day = "" if pd.isna(row.due_date) else f" (by {day_text(row.due_date)})"
        due.append(f"{row.due}{day}")
        source = row.evidence or "its lead’s report"
        made_up = " (illustrative)" if row.illustrative else ""
        reported = pd.notna(row.reported)
        evidence.append(f"{source}, {day_text(row.reported)}{made_up}" if reported else "–")
    cells = {
        "Commitment": rows["commitment"],
        "What is promised": promises,
        "Due": due,
        "Last report": rows["previous_state"],
        "Now": rows["state"],
        "State": rows["state"],
        "Why": rows["reason"].str[:1].str.upper() + rows["reason"].str[1:],
        "Evidence": evidence,
        "From": (rows["file"] + " row " + rows["row"].astype(str)).where(rows["file"] != "", "–"),
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
    rows = report.commitments
    data = rows[["commitment", "objective", "due_date", "state"]].reset_index(drop=True)
    made_up = " The progress is illustrative." if rows["illustrative"].any() else ""
    alt = (
        f"Timeline of {len(data)} commitments by the date they are due, a row of marks for each "
        f"objective; the dashed line is {day_text(report.period.end)}.{made_up}"
    )
    end = pd.Timestamp(report.agreement.settings.agreement.last.end) + pd.offsets.YearEnd(0)
    later, undated = end + pd.DateOffset(months=3), end + pd.DateOffset(months=10)
    at = data["due_date"].where(data["due_date"] <= end, later)
    drawn = data.assign(at=at.where(data["due_date"].notna(), undated))
    objectives = report.agreement.settings.objectives
    drawn["height"], headings = lanes(drawn, list(objectives))
    left = drawn["at"].min() if len(drawn) else end - pd.DateOffset(years=3)
    left -= pd.DateOffset(months=1)
    depth = 1 - min(drawn["height"], default=0)
    inches = 1.5 + 0.27 * depth
    white = {"facecolor": "white", "edgecolor": "none"}
    beside: dict[str, Any] = {"textcoords": "offset points", "fontsize": 9}

    def draw(axes: Axes) -> None:
        for state, (colour, marker) in COMMITMENT_MARKS.items():
            marks = drawn[drawn["state"] == state]
            if len(marks):
                style = {"color": colour, "marker": marker, "markersize": 9, "linestyle": "none"}
                axes.plot(marks["at"], marks["height"], label=state, clip_on=False, **style)
        for row in drawn.itertuples():
            place, box = (row.at, row.height), white | {"pad": 0.5}
            name = axes.annotate(row.commitment, place, (7, 0), va="center", bbox=box, **beside)
            name.set(annotation_clip=False, zorder=2.5)
        axes.set(xlim=(left, undated + pd.DateOffset(months=6)), ylim=(-depth, 0.6))
        for objective, height in headings.items():
            style = {"va": "center", "fontweight": "bold", "fontsize": 11}
            axes.text(left, height, f" {objectives[objective]}", bbox=white | {"pad": 1}, **style)
        # Beneath marks and names, which are easier to read unbroken than a line is.
        quarter, day = pd.Timestamp(report.period.end), day_text(report.period.end)
        axes.axvline(quarter, color=GREY, linestyle=DASHED, linewidth=1.2, zorder=1)
        words, place = f"{day}, this quarter's end", (quarter, -depth)
        axes.annotate(words, place, (5, 4), va="bottom", color=GREY, **beside)
        years = pd.date_range(left, end, freq="YS")
        labels = [*[f"Jan\n{day.year}" for day in years], "later", "no date"]
        axes.set_xticks([*years, later, undated], labels)
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.grid(axis="x", linewidth=0.5)
        if len(drawn):
            corner = (0, 1.0)
            axes.legend(loc="lower left", bbox_to_anchor=corner, ncols=4, handletextpad=0.3)

    margins = (0.02, 0.98, 1 - 0.95 / inches, 0.5 / inches)
    due = [NOT_STATED if pd.isna(day) else day_text(day) for day in data["due_date"]]
    shown = data.assign(due_date=due).set_axis(["Commitment", "Objective", "Due", "State"], axis=1)
    numbers = table(shown, "When each commitment is due", folded=True)
    return Chart(draw, alt, data, numbers, inches, margins)


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
