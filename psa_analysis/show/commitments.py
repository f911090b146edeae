"""Commitments: what the strategy promised besides the targets, and what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.commitments import COUNTED_DONE, EXCEPTIONS, STATES
from psa_analysis.report import Report
from psa_analysis.show.chart import BEHIND_WORDS, BLUE, DASHED, GREY, ORANGE, PINK, Chart
from psa_analysis.show.tables import illustrative_mark, sentence, table
from psa_analysis.show.views import View, no_view
from psa_analysis.words import NOT_STATED, are, counted, day_text, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def all_commitments(report: Report) -> View:
    """How many commitments are delivered, and each at the date it is due."""
    rows = report.commitments
    if rows.empty:
        return no_view("The register holds no commitments.")
    number = rows["state"].value_counts().reindex(list(STATES), fill_value=0)
    delivered = number[list(COUNTED_DONE)].sum()
    text = (
        f"{delivered} of {counted(len(rows), 'commitment')} {are(delivered)} delivered. "
        f"{number['overdue']} {are(number['overdue'])} overdue, {number['at risk']} at risk and "
        f"{number['no data']} without data. {number[NOT_STATED]} cannot be judged. "
        f"Reports on {rows['illustrative'].sum() or 'none'} are illustrative."
    )
    chart = partial(_commitments_chart, report)
    return View(words=lambda: sentence(text), chart=chart, data=rows)


def commitment_list(report: Report, which: str) -> View:
    """Some commitments: "exceptions", "moved", "not judged", or the others of an objective.

    Exceptions are overdue, at risk or without data; moved are those whose state has changed.
    """
    rows, objectives = report.commitments, report.agreement.settings.objectives
    columns = ["Due", "State", "Why", "Evidence"]
    if which == "exceptions":
        rows = rows[rows["state"].isin(EXCEPTIONS)]
        rows = rows.assign(order=rows["state"].map(EXCEPTIONS.index))
        rows = rows.sort_values(["order", "due_date"])
        title = "Overdue, at risk or no data"
    elif which == "moved":
        changed = rows["previous_state"].notna() & (rows["previous_state"] != rows["state"])
        rows, title, columns = rows[changed], "Changed state", ["Before", "State"]
    elif which == "not judged":
        rows, title, columns = rows[rows["state"] == NOT_STATED], "Cannot be judged", columns[2:]
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


def _commitments_chart(report: Report) -> Chart:
    """Commitments in the quarter in which each is due, by objective, shaped by its state."""
    rows, quarter = report.commitments, pd.Timestamp(report.period.end)
    data = rows[["commitment", "objective", "due_date", "state"]].reset_index(drop=True)
    # What is due after the year in which the agreement ends, or has no date, stands at the right.
    end = pd.Timestamp(report.agreement.settings.agreement.last.end) + pd.offsets.YearEnd(0)
    later, undated = end + pd.DateOffset(months=4), end + pd.DateOffset(months=10)
    due = data["due_date"] + pd.offsets.QuarterEnd(0)
    data["at"] = due.where(due <= end, later).mask(due.isna(), undated)
    # Those of one objective and quarter are stacked, below the name of the objective.
    stack = data.groupby(["objective", "at"]).cumcount()
    objectives = report.agreement.settings.objectives
    present = [name for name in objectives if name in set(data["objective"])]
    room = stack.groupby(data["objective"]).max()[present] + 2.5
    tops = room[::-1].cumsum()
    data["height"] = data["objective"].map(tops) - 1 - stack
    left = data["at"].min() - pd.DateOffset(months=2)
    inches = 1.5 + 0.2 * room.sum()

    def draw(axes: Axes) -> None:
        axes.axvline(quarter, color=GREY, linestyle=DASHED, linewidth=1.2)
        for state, (colour, marker) in COMMITMENT_MARKS.items():
            marks = data[data["state"] == state]
            if len(marks):
                style = {"color": colour, "marker": marker, "markersize": 8, "linestyle": "none"}
                axes.plot(marks["at"], marks["height"], label=state, **style)
        for name, top in tops.items():
            style = {"va": "center", "fontsize": 11, "weight": "bold", "bbox": BEHIND_WORDS}
            axes.text(left, top, objectives[str(name)], **style)
        years = pd.date_range(left, end, freq="YS")
        labels = [*[f"Jan\n{day.year}" for day in years], "later", "no date"]
        axes.set_xticks([*years, later, undated], labels)
        axes.set(xlim=(left, undated + pd.DateOffset(months=3)), yticks=[])
        axes.set(ylim=(0, room.sum() + 1))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, handletextpad=0.3)

    alt = (
        f"{counted(len(data), 'commitment')} by objective and the quarter in which each is due; "
        f"the dashed line is {day_text(quarter)}{illustrative_mark(rows)}."
    )
    margins = (0.02, 0.98, 1 - 0.95 / inches, 0.5 / inches)
    return Chart(draw, alt, data, height=inches, margins=margins)
