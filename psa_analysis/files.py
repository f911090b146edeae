"""Write a file so that readers see all of it or the old one, and read and write tables of text."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_analysis.findings import DataError, Finding, did_you_mean, one_of, visible

if TYPE_CHECKING:
    import pandas as pd

RETURN_FOLDERS = ("returns", "published")

#: What makes a spreadsheet take a text for a formula, full-width forms included.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@cache
def meanings(table: str) -> dict[str, str]:
    """What each column of one table means, in order; ``columns.csv`` says so."""
    with Path(__file__).with_name("columns.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == table]
    return {row["column"]: row["meaning"] for row in rows}


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of either."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_table(
    path: Path, name: str, columns: list[str], left_out: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a CSV file as text."""

    def wrong(expected: str, remedy: str, **where: Any) -> Finding:
        return Finding("error", name, expected, remedy, **where)

    if not path.is_file():
        remedy = f"Add {path.name}; docs/register.md describes it."
        raise DataError([wrong("the file to exist", remedy)])
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except UnicodeDecodeError as error:
        remedy = "Save the file as 'CSV UTF-8'."
        raise DataError([wrong("text in UTF-8", remedy, found=str(error))]) from None
    except csv.Error as error:
        remedy = "Look for a quotation mark that is not closed, or save it as 'CSV UTF-8'."
        raise DataError([wrong("a CSV file", remedy, found=str(error))]) from None
    if not rows:
        raise DataError([wrong("a header and rows", f"Give it the columns {', '.join(columns)}.")])

    header = [cell.strip() for cell in rows[0]]
    added = {name: text for name, text in (left_out or {}).items() if name not in header}
    numbered = {number: row for number, row in enumerate(rows[1:], start=2) if any(row)}
    problems = [
        wrong(f"a column '{column}'", "Add the column.", row=1, column=column)
        for column in columns
        if column not in header and column not in added
    ]
    for column in dict.fromkeys(header):
        where = {"row": 1, "column": column, "found": column}
        if column not in columns:
            problems.append(wrong(one_of(columns), did_you_mean(column, columns), **where))
        if header.count(column) > 1:
            problems.append(wrong("each column once", "Remove one.", **where))
    for number, row in numbered.items():
        if len(row) != len(header):
            remedy = "Complete the row; text that holds a comma goes in quotation marks."
            found = f"{len(row)} cells"
            problems.append(wrong(f"{len(header)} cells", remedy, row=number, found=found))
    if problems:
        raise DataError(problems)
    import pandas as pd  # here, since an unchanged pack is told without it

    table = pd.DataFrame(list(numbered.values()), columns=header, index=list(numbered), dtype=str)
    return table.assign(**added).astype(str).rename_axis("row")[columns]


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV that is safe to open in a spreadsheet.

    An apostrophe is put before a text that a spreadsheet would take for a formula, line ends are
    of one kind, and what cannot be seen is made visible. Parquet holds texts as they are.
    """

    def harmless(cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        text = visible(f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell)
        # pandas quotes no carriage return, and a spreadsheet would begin a new row at it.
        return text.replace("\r\n", "\n").replace("\r", "\n")

    texts = table.select_dtypes(["object", "str"])
    return table.assign(**texts.map(harmless)).to_csv(index=False)


def read_rows(
    folder: Path,
    file: str,
    columns: list[str],
    left_out: Mapping[str, str] | None = None,
    needed: bool = False,
) -> tuple[pd.DataFrame, list[Finding]]:
    """The rows of a file as text; none, with the findings, where it cannot be read."""
    import pandas as pd

    none = pd.DataFrame(columns=columns, dtype=str).rename_axis("row")
    if not needed and not (folder / file).exists():
        return none, []
    try:
        return read_table(folder / file, file, columns, left_out), []
    except DataError as error:
        return none, error.findings
