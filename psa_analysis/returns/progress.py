"""What was reported about the commitments: ``progress.csv``, read and checked."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from psa_analysis.files import meanings, read_rows
from psa_analysis.findings import Finding, did_you_mean, grouped, one_of
from psa_analysis.periods import read_day
from psa_analysis.register.agreement import Agreement

NAME = "raw/progress.csv"
PROGRESS_COLUMNS = ["commitment", "reported", "status", "day", "value", "evidence", "illustrative"]
#: What a row of progress.csv may report.
STATUSES = meanings("reports of progress")
_A_DAY = "a day such as 2005-01-30"
#: Statuses that say how an unfinished commitment is going.
_OPEN = ("on track", "at risk", "not started")


def load_progress(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Read and check what was reported about the commitments."""
    table, findings = read_rows(agreement.folder, NAME, PROGRESS_COLUMNS)
    commitments = agreement.commitments.to_dict("index")
    rows = []
    for row in table.reset_index().to_dict("records"):
        if problem := _problem(row, commitments):
            findings.append(_error(row, *problem))
        else:
            rows.append(row)
    progress, twins = _without_twins(_typed(rows))
    return progress, grouped([*findings, *twins, *_contradictions(progress)])


def _error(row: Mapping[Any, Any], column: str, expected: str, remedy: str) -> Finding:
    place = (row["row"], column, row[column], row["commitment"])
    return Finding("error", NAME, expected, remedy, *place)


def _typed(rows: list[dict[Any, Any]]) -> pd.DataFrame:
    """Rows of text that were checked, as days and numbers, in order of the day reported."""
    frame = pd.DataFrame(rows, columns=[*PROGRESS_COLUMNS, "row"])
    for column in ("reported", "day"):
        frame[column] = pd.to_datetime(frame[column].map(read_day)).astype("datetime64[ns]")
    frame["value"] = pd.to_numeric(frame["value"].replace("", None))
    frame["illustrative"] = frame["illustrative"] == "yes"
    frame = frame.astype({"value": float, "row": int})
    return frame.sort_values("reported", kind="stable", ignore_index=True)


def _problem(row: Mapping[Any, Any], commitments: Mapping[Any, Any]) -> tuple[str, str, str] | None:
    """The first thing that is wrong with a row: the column, what was expected, what to do."""
    if row["commitment"] not in commitments:
        return "commitment", one_of(commitments), did_you_mean(row["commitment"], commitments)
    commitment, status = commitments[row["commitment"]], row["status"]
    kind, measure, mend = commitment["kind"], commitment["measure"], "Correct the cell."
    reported, day = read_day(row["reported"]), read_day(row["day"])
    if reported is None:
        return "reported", _A_DAY, "Give the day on which it was reported."
    allowed = [*_OPEN, "done", "not done"]
    if kind in ("level", "quartile"):
        # The figures of a linked commitment are readings, and nobody's word beside them.
        allowed = [*_OPEN] if measure else [*_OPEN, "figure"]
    if status not in allowed:
        read = f"Its kind is {kind}" + (f", read from {measure}." if measure else ".")
        remedy = read if status in STATUSES else did_you_mean(status, allowed)
        return "status", one_of(allowed), remedy
    if status in ("done", "figure"):
        if day is None:
            return "day", _A_DAY, "Give the day that it was done, or that the figure is of."
        if day > reported:
            return "day", f"a day up to that of the report, {reported}", mend
        if not row["evidence"]:
            return "evidence", "what shows it", "Name the minutes, the survey or the count."
    elif row["day"]:
        return "day", "nothing, since only 'done' and 'figure' have a day", "Empty the cell."
    if status == "figure":
        if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", row["value"]):
            return "value", "a number such as 53.2", mend
        if kind == "quartile" and row["value"] not in ("1", "2", "3", "4"):
            return "value", "1, 2, 3 or 4, 1 for the top quartile", mend
        if commitment["unit"] == "percent" and not 0 <= float(row["value"]) <= 100:
            return "value", "0 to 100 for a percentage", mend
    elif row["value"]:
        return "value", "nothing, since only 'figure' has a value", "Empty the cell."
    if row["illustrative"] not in ("yes", "no", ""):
        return "illustrative", "yes, no or nothing", mend
    return None


def _without_twins(progress: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Two reports of one day that differ are both kept out; those that agree are one."""
    is_figure = progress["status"] == "figure"
    # A figure is of its day, a status of the day it was reported.
    of = progress["day"].where(is_figure)
    keys = progress[["commitment", "reported"]].assign(figure=is_figure, of=of)
    distinct = progress[~keys.join(progress[["status", "day", "value"]]).duplicated()]
    differing = distinct[keys.loc[distinct.index].duplicated(keep=False)]
    expected = "one report of a day, and another row says otherwise"
    remedy = "Ask which is right and remove the other; both are kept out."
    values = differing["value"].map("{:.15g}".format)
    findings = [
        _error(row, "value" if row["status"] == "figure" else "status", expected, remedy)
        for row in differing.assign(value=values).to_dict("records")
    ]
    return distinct.drop(differing.index).reset_index(drop=True), findings


def _contradictions(progress: pd.DataFrame) -> list[Finding]:
    """What was reported as done is unfinished by a later report, which does not say why."""
    findings = []
    remedy = "Ask its lead. If it was not done, add a row 'not done' that says so."
    for _, rows in progress[progress["status"] != "figure"].groupby("commitment", sort=False):
        if done := contradicted([*rows.itertuples()]):
            expected = f"done, as row {done.row} reported on {done.reported.date()}"
            findings.append(_error(rows.iloc[-1], "status", expected, remedy))
    return findings


def contradicted(reports: Sequence[Any]) -> Any:
    """The report of done, not taken back, that the newest of a commitment's reports contradicts."""
    settled = [report for report in reports if report.status in ("done", "not done")]
    if settled and settled[-1].status == "done" and reports[-1].status in _OPEN:
        return settled[-1]
    return None
