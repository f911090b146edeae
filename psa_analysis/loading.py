"""Loading and saving: raw files as they were given, and results that are whole or not there.

Every cell is loaded as text, every row with its place. Nothing is interpreted here; what a cell
means is decided in the cleaning.
"""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

import pandas as pd

from psa_analysis.findings import DataError, Finding, did_you_mean, one_of

#: Columns of a return. The first five must be there.
RETURN_COLUMNS = [
    "measure",
    "area",
    "period",
    "value",
    "received",
    "numerator",
    "denominator",
    "flag",
    "illustrative",
    "note",
]
REQUIRED_RETURN_COLUMNS = RETURN_COLUMNS[:5]
RETURN_FOLDERS = ("returns", "published")


def read_table(
    path: Path,
    name: str,
    columns: list[str],
    required: list[str] | None = None,
    ragged: list[Finding] | None = None,
) -> pd.DataFrame:
    """Read a CSV file as text.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What findings call it: its path from the agreement's data folder.
    columns : list of str
        The columns that it may have.
    required : list of str, optional
        The columns that it must have; all of `columns` if not given.
    ragged : list of Finding, optional
        Takes a finding for each row with too few or too many cells, which is left out; if not
        given such a row is an error of the file.

    Returns
    -------
    pandas.DataFrame
        One text column per name in `columns` (empty where the file lacks an optional one);
        the index is the row as a spreadsheet counts it, so the first record is row 2.

    Raises
    ------
    DataError
        If the file is missing, is not text in UTF-8, has ragged rows, or lacks or
        misspells a column.
    """

    def fail(expected: str, remedy: str, found: str | None = None) -> DataError:
        return DataError([Finding("error", name, expected, remedy, found=found)])

    if not path.is_file():
        raise fail("the file to exist", f"Add {path.name}; docs/register.md describes it.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except UnicodeDecodeError as error:
        raise fail("text in UTF-8", "Save the file as 'CSV UTF-8'.", found=str(error)) from None
    except csv.Error as error:
        remedy = "Look for a quotation mark that is not closed, or save it as 'CSV UTF-8'."
        raise fail("a CSV file", remedy, found=str(error)) from None
    if not rows:
        raise fail("a header and rows", f"Give it the columns {', '.join(columns)}.")

    header = [cell.strip() for cell in rows[0]]
    numbered = {number: row for number, row in enumerate(rows[1:], start=2) if any(row)}
    problems = _header_problems(header, name, columns, required or columns)
    uneven = [number for number, row in numbered.items() if len(row) != len(header)]
    (problems if ragged is None else ragged).extend(
        Finding(
            "error", name, f"{len(header)} cells",
            "Complete the row; text that holds a comma goes in quotation marks.",
            row=number, found=f"{len(numbered.pop(number))} cells",
        )
        for number in uneven
    )  # fmt: skip
    if problems:
        raise DataError(problems)
    table = pd.DataFrame(list(numbered.values()), columns=header, index=list(numbered), dtype=str)
    return table.rename_axis("row").reindex(columns=columns, fill_value="")


def _header_problems(
    header: list[str], name: str, columns: list[str], required: list[str]
) -> list[Finding]:
    problems = [
        Finding("error", name, f"a column '{column}'", "Add the column.", row=1, column=column)
        for column in required
        if column not in header
    ]
    problems += [
        Finding(
            "error", name, one_of(columns), did_you_mean(column, columns),
            row=1, column=column, found=column,
        )
        for column in header
        if column not in columns
    ]  # fmt: skip
    problems += [
        Finding(
            "error", name, "each column once", "Remove one.", row=1, column=column, found=column
        )
        for column in sorted({column for column in header if header.count(column) > 1})
    ]
    return problems


def load_returns(raw: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every return and published file of an agreement.

    Parameters
    ----------
    raw : Path
        The agreement's ``raw`` folder.

    Returns
    -------
    table : pandas.DataFrame
        The columns of :data:`RETURN_COLUMNS` as text, with ``file`` and ``row``.
    findings : list of Finding
        Files that could not be read. The others are still loaded.
    """
    tables: list[pd.DataFrame] = []
    findings: list[Finding] = []
    for folder in RETURN_FOLDERS:
        if not (raw / folder).is_dir():
            findings.append(
                Finding("warning", f"raw/{folder}", "a folder", "Add it, with the files in it.")
            )
            continue
        # Editors' lock files begin with a dot or a tilde.
        paths = [path for path in (raw / folder).iterdir() if path.name[0] not in ".~"]
        for path in sorted(paths):
            # A name that is not UTF-8 must still be printable.
            shown = path.name.encode("utf-8", "backslashreplace").decode()
            name = f"raw/{folder}/{shown}"
            if path.suffix.lower() != ".csv" or not path.is_file():
                findings.append(
                    Finding("error", name, "a CSV file", "Save it as 'CSV UTF-8' or take it away.")
                )
                continue
            try:
                table = read_table(path, name, RETURN_COLUMNS, REQUIRED_RETURN_COLUMNS, findings)
            except DataError as error:
                findings += error.findings
            else:
                tables.append(table.reset_index().assign(file=name))
    empty = pd.DataFrame(columns=["row", *RETURN_COLUMNS, "file"])
    return pd.concat(tables, ignore_index=True) if tables else empty, findings


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
