"""Write a file so that readers see all of it or the old one, and read and write tables of text."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from psa_analysis.findings import DataError, Finding, did_you_mean, one_of, shorten, visible

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

RETURN_FOLDERS = ("returns", "published")

#: What makes a spreadsheet take a text for a formula, full-width forms included.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
#: Describes each column of each table.
COLUMNS = Path(__file__).with_name("columns.csv")


@cache
def meanings(table: str) -> dict[str, str]:
    """What each column of one table means, in order; ``columns.csv`` says so."""
    with COLUMNS.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == table]
    return {row["column"]: row["meaning"] for row in rows}


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of either."""
    # A file system takes names of 255 bytes, and the file's own may have that many.
    beside = path.with_name(f".{path.name[:50]}.{os.getpid()}.part")
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


#: A larger file of data is none that somebody made, and would take all of the memory.
MOST_BYTES = 20 * 10**6


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path, all its links followed, leads to something in a folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def unfit(path: Path, folder: Path) -> tuple[str, str] | None:
    """Why a file of a data folder is not opened: what is expected instead, and the remedy."""
    if not is_inside(path, folder):
        return "a file of the data folder itself", "Put a copy there in place of the link."
    if not path.is_file():
        return "a file", "Take the folder, link or device away."
    if path.stat().st_size > MOST_BYTES:
        return f"at most {MOST_BYTES // 10**6} MB", "Keep the rows that count, or several files."
    if not os.access(path, os.R_OK):
        return "a file that may be read", "Ask for the permission to read it."
    return None


def read_plain(path: Path, folder: Path, name: str) -> bytes:
    """The bytes of a plain file inside a data folder; a DataError where it is anything else."""
    if problem := unfit(path, folder):
        raise DataError([Finding("error", name, *problem)])
    return path.read_bytes()


def uneven(name: str, rows: Mapping[int, list[str]], width: int) -> list[Finding]:
    """One finding for the rows of text that have not as many cells as the header, if any."""
    numbers = [number for number, row in rows.items() if len(row) not in (0, width)]
    if not numbers:
        return []
    remedy = "Complete the row; text that holds a comma goes in quotation marks."
    place = (numbers[0], None, f"{len(rows[numbers[0]])} cells")
    return [Finding("error", name, f"{width} cells", remedy, *place, also=tuple(numbers[1:]))]


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV in which no text is a formula to a spreadsheet, and nothing is unseen."""

    def harmless(cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        text = visible(f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell)
        # pandas quotes no carriage return, and a spreadsheet would begin a new row at it.
        return text.replace("\r\n", "\n").replace("\r", "\n")

    texts = table.select_dtypes(["object", "str"])
    return table.assign(**texts.map(harmless)).to_csv(index=False)


def _swallows(row: list[str], width: int) -> bool:
    """Whether a cell holds the rows below it, as between two stray quotation marks."""
    for place, cell in enumerate(row):
        for line in cell.splitlines()[1:]:
            cells = line.split(",")
            # A note has lines of its own, with spaces after its commas and in what is before them.
            is_prose = any(text.startswith(" ") for text in cells)
            is_row = len(cells) > 2 or re.fullmatch(r"[A-Za-z]\S*\d\S*", cells[0])
            if len(cells) in (width, place + 1) and is_row and not is_prose:
                return True
    return False


#: A table that people keep by hand has fewer rows.
_MOST_ROWS = 5_000


def read_rows(
    folder: Path,
    name: str,
    columns: list[str],
    left_out: Mapping[str, str] | None = None,
    needed: bool = False,
) -> tuple[pd.DataFrame, list[Finding]]:
    """The rows of a CSV file as text; none, with the findings, where it cannot be read."""
    import pandas as pd  # here, since an unchanged pack is told without it

    path, rows = folder / name, [columns]
    problems: list[Finding] = []

    def wrong(expected: str, remedy: str, **where: Any) -> None:
        problems.append(Finding("error", name, expected, remedy, **where))

    try:
        if os.path.lexists(path):
            text = read_plain(path, folder, name).decode("utf-8-sig")
            rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
            if not rows:
                wrong("a header and rows", f"Give it the columns {', '.join(columns)}.")
        elif needed:
            wrong("the file to exist", f"Add {path.name}; docs/register.md describes it.")
    except DataError as error:
        problems = error.findings
    except (UnicodeDecodeError, csv.Error) as error:
        remedy = "Look for a quotation mark that is not closed, or save it as 'CSV UTF-8'."
        wrong("text in UTF-8, as CSV", remedy, found=str(error))
    header = [cell.strip() for cell in rows[0]] if rows else columns
    added = {name: text for name, text in (left_out or {}).items() if name not in header}
    numbered = {number: row for number, row in enumerate(rows[1:], start=2) if any(row)}
    for column in columns:
        if column not in header and column not in added:
            wrong(f"a column '{column}'", "Add the column.", row=1, column=column)
    for column in dict.fromkeys(header[: 2 * len(columns)]):
        where = {"row": 1, "column": column, "found": column}
        if column not in columns:
            wrong(one_of(columns), did_you_mean(column, columns), **where)
        if header.count(column) > 1:
            wrong("each column once", "Remove one.", **where)
    problems += uneven(name, numbered, len(header))
    for number, row in numbered.items():
        if _swallows(row, len(header)):
            remedy = "One cell holds the rows below it: look for a quotation mark left open."
            wrong("each quotation mark closed in its own cell", remedy, row=number)
    if len(numbered) > _MOST_ROWS:
        wrong(f"at most {_MOST_ROWS:,} rows", "Keep what counts.", found=f"{len(numbered):,} rows")
    if problems:
        return pd.DataFrame(columns=columns, dtype=str).rename_axis("row"), problems
    table = pd.DataFrame(list(numbered.values()), columns=header, index=list(numbered), dtype=str)
    return table.assign(**added).astype(str).rename_axis("row")[columns], []


#: What pydantic says in other words than a finding.
_EXPECTED = {"missing": "the setting to be there", "extra_forbidden": "a known setting"}
_EXPECTED["string_pattern_mismatch"] = "'45 days after the period'"
#: Of how many names the place of a setting is; pydantic adds the type that it tried.
_NAMES = {"documents": 3, "received": 1}
#: A file of settings is no larger, and no more of them are told of at once.
_MOST_SETTINGS, _MOST_REFUSED = 2**18, 50


def read_settings(path: Path, folder: Path, name: str, model: type[Model], remedy: str) -> Model:
    """The settings of a TOML file; a DataError says what cannot be read, or pydantic refuses."""
    try:
        content = read_plain(path, folder, name)
        if len(content) > _MOST_SETTINGS:
            raise ValueError(f"{len(content):,} bytes")
        return model.model_validate(tomllib.loads(content.decode("utf-8-sig")))
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise DataError(_refused_settings(name, error, remedy)) from None


def _refused_settings(name: str, error: Exception, remedy: str) -> list[Finding]:
    """What is wrong in a TOML file that cannot be read, or whose settings pydantic refuses."""
    from pydantic import ValidationError  # here, since an unchanged pack is told without it

    if not isinstance(error, ValidationError):
        return [Finding("error", name, "TOML in UTF-8", remedy, found=shorten(str(error), 200))]
    # A number or 'not stated' is two errors to pydantic, and one thing to mend.
    wrong: dict[str, Finding] = {}
    found: str | None
    for detail in error.errors()[:_MOST_REFUSED]:
        kind, place = detail["type"], detail["loc"][: _NAMES.get(str(detail["loc"][0]), 2)]
        column = ".".join(map(str, place))
        words = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        expected = _EXPECTED.get(kind, words.rpartition("expected ")[2])
        try:
            found = None if kind == "missing" else str(detail["input"])
        except ValueError:
            found = "what is too long to print"
        if other := wrong.get(column):
            expected, found = f"{other.expected} or {expected}", other.found
        wrong[column] = Finding("error", name, expected, remedy, column=column, found=found)
    return list(wrong.values())
