"""What was reported about the commitments: ``progress.csv``, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from psa_analysis.files import read_table
from psa_analysis.findings import DataError, Finding, did_you_mean, one_of
from psa_analysis.periods import read_day
from psa_analysis.register.agreement import Agreement

NAME = "raw/progress.csv"
PROGRESS_COLUMNS = ["commitment", "reported", "status", "day", "value", "evidence", "illustrative"]

#: What a row of progress.csv may report.
STATUSES = {
    "done": "it is done, since the day given; not for a level or a quartile",
    "not done": "what was reported as done is not done after all",
    "on track": "its lead expects that it will be done by its date",
    "at risk": "its lead doubts that it will",
    "not started": "nothing has been done yet",
    "figure": "the value of a level on the day given, or the quartile, 1 for the top",
}
#: Statuses that say how an unfinished commitment is going.
_OPEN = ("on track", "at risk", "not started")


def load_progress(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Read and check what was reported about the commitments."""
    path = agreement.folder / NAME
    try:
        table = read_table(path, NAME, PROGRESS_COLUMNS) if path.exists() else pd.DataFrame()
    except DataError as error:
        return _typed([]), error.findings
    commitments = agreement.commitments.to_dict("index")
    rows, findings = [], []
    for number, row in table.to_dict("index").items():
        problem = next(_row_problems(row, commitments), None)
        if problem is None:
            rows.append(row | {"row": number})
        else:
            column, expected, remedy = problem
            name, place = row["commitment"], int(str(number))
            findings.append(_error(name, place, column, row[column], expected, remedy))
    progress, twins = _without_twins(_typed(rows))
    return progress, [*findings, *twins, *_contradictions(progress)]


def _error(
    commitment: str, row: int, column: str, found: str, expected: str, remedy: str
) -> Finding:
    return Finding("error", NAME, expected, remedy, row, column, found, measure=commitment)


def _typed(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of text that were checked, as days and numbers, in order of the day reported."""
    frame = pd.DataFrame(rows, columns=[*PROGRESS_COLUMNS, "row"])
    for column in ("reported", "day"):
        days = [read_day(text) if text else None for text in frame[column]]
        frame[column] = pd.Series(days, index=frame.index, dtype="datetime64[ns]")
    frame["value"] = pd.to_numeric(frame["value"].replace("", None)).astype(float)
    frame["illustrative"] = frame["illustrative"] == "yes"
    frame["row"] = frame["row"].astype(int)
    return frame.sort_values("reported", kind="stable", ignore_index=True)


def _row_problems(
    row: Mapping[str, str], commitments: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a row: the column, what was expected, and what to do."""
    if row["commitment"] not in commitments:
        yield "commitment", one_of(commitments), did_you_mean(row["commitment"], commitments)
        return
    commitment, status = commitments[row["commitment"]], row["status"]
    reported, day = read_day(row["reported"]), read_day(row["day"])
    if reported is None:
        yield "reported", "a day such as 2005-01-30", "Give the day on which it was reported."
    allowed = _allowed(commitment)
    if status not in allowed:
        yield "status", one_of(allowed), _status_remedy(status, commitment, allowed)
    dated = status in ("done", "figure")
    if dated and day is None:
        what = "it was done" if status == "done" else "the figure is of"
        yield "day", "a day such as 2005-01-30", f"Give the day that {what}."
    elif dated and day is not None and reported is not None and day > reported:
        yield "day", f"a day up to the one of the report, {reported}", "Correct one of the two."
    elif not dated and row["day"]:
        yield "day", "nothing, since only 'done' and 'figure' have a day", "Empty the cell."
    if status == "figure":
        yield from _value_problems(row["value"], commitment)
    elif row["value"]:
        yield "value", "nothing, since only 'figure' has a value", "Empty the cell."
    if dated and not row["evidence"]:
        yield "evidence", "what shows it", "Name the minutes, the survey or the count."
    if row["illustrative"] not in ("yes", "no", ""):
        yield "illustrative", "yes, no or nothing", "Correct the cell."


def _allowed(commitment: Mapping[str, Any]) -> tuple[str, ...]:
    if commitment["kind"] not in ("level", "quartile"):
        return ("done", "not done", *_OPEN)
    # The figures of a linked commitment are readings, and nobody's word beside them.
    return _OPEN if commitment["measure"] else (*_OPEN, "figure")


def _status_remedy(status: str, commitment: Mapping[str, Any], allowed: tuple[str, ...]) -> str:
    if status == "figure" and commitment["measure"]:
        return f"Remove the row: its figures are the readings of {commitment['measure']}."
    if status in STATUSES and "figure" in allowed:
        return "Report its figure instead: that decides whether it is reached."
    if status in STATUSES:
        return f"Correct the status: the commitment is of the kind {commitment['kind']}."
    return did_you_mean(status, allowed)


def _value_problems(text: str, commitment: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text):
        yield "value", "a number such as 53.2", "Correct the cell."
    elif commitment["kind"] == "quartile" and text not in ("1", "2", "3", "4"):
        yield "value", "1, 2, 3 or 4, 1 for the top quartile", "Give the quartile, not the figure."
    elif commitment["unit"] == "percent" and not 0 <= float(text) <= 100:
        yield "value", "0 to 100 for a percentage", "Correct the cell."


def _without_twins(progress: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Two reports of one day that differ are both kept out; those that agree are one."""
    is_figure = progress["status"] == "figure"
    # A figure is of its day, a status of the day it was reported.
    keys = progress[["commitment", "reported"]].assign(
        figure=is_figure, of=progress["day"].where(is_figure)
    )
    distinct = progress[~keys.join(progress[["status", "day", "value"]]).duplicated()]
    differing = distinct[keys.loc[distinct.index].duplicated(keep=False)]
    expected = "one report of a day, and another row says otherwise"
    remedy = "Ask which is right and remove the other; both are kept out."
    findings = []
    for row in differing.itertuples():
        column = "value" if row.status == "figure" else "status"
        found = f"{row.value:.15g}" if row.status == "figure" else row.status
        findings.append(_error(row.commitment, row.row, column, found, expected, remedy))
    return distinct.drop(differing.index).reset_index(drop=True), findings


def _contradictions(progress: pd.DataFrame) -> list[Finding]:
    """What was reported as done is unfinished by a later report, which does not say why."""
    findings = []
    remedy = "Ask its lead. If it was not done, add a row 'not done' that says so."
    statuses = progress[progress["status"] != "figure"]
    for commitment, rows in statuses.groupby("commitment", sort=False):
        reports = [*rows.itertuples()]
        if done := contradicted(reports):
            expected = f"done, as row {done.row} reported on {done.reported.date()}"
            name, last = str(commitment), reports[-1]
            findings.append(_error(name, last.row, "status", last.status, expected, remedy))
    return findings


def contradicted(reports: Sequence[Any]) -> Any:
    """The report of done, not taken back, that the newest report contradicts; None if none does.

    Reports are rows of one commitment, without its figures, in order of the day reported.
    """
    if not reports or reports[-1].status not in _OPEN:
        return None
    settled = [report for report in reports if report.status in ("done", "not done")]
    return settled[-1] if settled and settled[-1].status == "done" else None
