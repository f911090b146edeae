"""Commentary: what people say about a measure or the agreement, beside what the numbers say.

It stands in ``commentary.csv``, which nothing but a person ever writes, and each entry names the
report that it is about. So a report that is made again shows the same commentary again, a later
report does not show words that were meant for an earlier one, and words that were written once the
pack had been seen are there when it is next made, with their date (``docs/register.md``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from psa_analysis.files import meanings, read_table
from psa_analysis.findings import DataError, Finding, did_you_mean, one_of
from psa_analysis.periods import PeriodError, parse_period, read_day
from psa_analysis.register.agreement import Agreement

NAME = "raw/commentary.csv"

#: The columns. ``columns.csv`` describes them.
COLUMNS = meanings("commentary")

#: What an entry about no single measure is about.
WHOLE = "agreement"

#: What may be left out, and what stands in every row then: an entry is for the council alone
#: unless it says otherwise.
_LEFT_OUT = {"audience": "internal", "illustrative": "no"}


def load_commentary(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Read and check the commentary."""
    empty = _typed([])
    if not (agreement.folder / NAME).exists():
        return empty, []
    try:
        table = read_table(agreement.folder / NAME, NAME, list(COLUMNS), _LEFT_OUT)
    except DataError as error:
        return empty, error.findings
    known = [WHOLE, *agreement.measures.index]
    rows, findings = [], []
    for number, row in table.to_dict("index").items():
        row = {name: str(cell).strip() for name, cell in row.items()}
        wrong = next(_row_problems(row, known), None)
        if wrong is None:
            rows.append(row)
        else:
            column, expected, remedy = wrong
            findings.append(
                Finding(
                    "error",
                    NAME,
                    expected,
                    remedy,
                    row=int(str(number)),
                    column=column,
                    found=row[column],
                    measure=row["about"] if row["about"] in known else None,
                )
            )
    return _typed(rows), findings


def _row_problems(row: Mapping[str, str], known: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a row: the column, what was expected, and what to do."""
    if row["about"] not in known:
        yield "about", one_of(known), did_you_mean(row["about"], known)
    try:
        parse_period(row["period"], "quarter")
    except PeriodError:
        yield "period", "a quarter such as 2004-05 Q3", "Give the quarter whose report it is for."
    if read_day(row["written"]) is None:
        yield "written", "a day such as 2005-02-21", "Give the day on which it was written."
    if not row["author"]:
        yield "author", "who wrote it", "Give a name or a team."
    if row["audience"] not in ("internal", "public", ""):
        remedy = "Write public if every report may show it, else internal."
        yield "audience", "internal, public or nothing", remedy
    if not row["text"]:
        yield "text", "what is said", "Write it, or remove the row."
    if row["illustrative"] not in ("yes", "no", ""):
        yield "illustrative", "yes, no or nothing", "Correct the cell."


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of text that were checked, in order of the day written."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    frame["period"] = [parse_period(text, "quarter").label for text in frame["period"]]
    days = [read_day(text) for text in frame["written"]]
    frame["written"] = pd.Series(days, index=frame.index, dtype="datetime64[ns]")
    frame["audience"] = frame["audience"].replace("", "internal")
    frame["illustrative"] = frame["illustrative"] == "yes"
    return frame.sort_values("written", kind="stable", ignore_index=True)


def entries(commentary: pd.DataFrame, about: str, period: str, audience: str) -> pd.DataFrame:
    """What was said about one thing for one report, the oldest first."""
    rows = commentary[(commentary["about"] == about) & (commentary["period"] == period)]
    if audience == "public":
        rows = rows[rows["audience"] == "public"]
    return rows.reset_index(drop=True)
