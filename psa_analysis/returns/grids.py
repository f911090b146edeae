"""Grids: any file that a partner sends, sheet by sheet as text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from xlsxwriter.utility import xl_cell_to_rowcol, xl_col_to_name

from psa_analysis.findings import DataError, Finding
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.workbooks import read_sheets

#: Fields of a return, with the headings that stand for each. The first five must be known.
FIELDS: dict[str, tuple[str, ...]] = {
    "measure": (
        *("measure", "indicator", "pi", "reference", "ref", "measure id"),
        *("measure name", "indicator name"),
    ),
    "area": (
        *("area", "district", "authority", "local authority", "council"),
        *("area name", "la name", "authority name", "local authority name"),
    ),
    "period": ("period", "quarter", "year", "financial year", "reporting period", "time period"),
    "value": ("value", "figure", "actual", "result", "outturn", "indicator value"),
    "received": ("received", "date received"),
    "numerator": ("numerator", "number", "top"),
    "denominator": ("denominator", "out of", "base"),
    "flag": ("flag", "status"),
    "illustrative": ("illustrative",),
    "note": ("note", "notes", "comment", "comments"),
}
#: The field that each heading stands for.
FIELD_OF = {heading: field for field, headings in FIELDS.items() for heading in headings}

WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}
TEXT_FILES = {".csv", ".tsv", ".txt"}


@dataclass(frozen=True)
class Grid:
    """One sheet as text."""

    sheet: str  # its name; empty for a text file
    cells: pd.DataFrame  # rows as a spreadsheet counts them, columns counted from 0
    # Last row and column of each figure that is merged over several cells, by its first.
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)


def plain_heading(text: str) -> str:
    """A heading without capitals, signs and spare spaces, as :data:`FIELD_OF` has it."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.casefold()).split())


def column_number(letters: str) -> int:
    """The number of a column, A being 0."""
    return int(xl_cell_to_rowcol(f"{letters}1")[1])


def read_grids(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    """Read a file's sheets as text."""
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _read_parquet(path, name)
    if ending in TEXT_FILES:
        return _read_text(path.read_bytes(), name)
    if ending in WORKBOOKS:
        return _read_workbook(path, name)
    expected = f"a file ending in {', '.join(sorted(TEXT_FILES | WORKBOOKS))} or .parquet"
    raise _refusal(name, expected, "Ask for it in one of these forms.", ending or "no ending")


def _refusal(name: str, expected: str, remedy: str, found: str | None = None) -> DataError:
    return DataError([Finding("error", name, expected, remedy, found=found)])


def _read_text(content: bytes, name: str) -> tuple[list[Grid], list[Finding]]:
    text, findings = _decode(content, name)
    if not text.strip("\ufeff\r\n\t ,;|\0"):
        return [], [Finding("error", name, "a header and rows", "The file is empty: ask again.")]
    delimiter = max(",;\t|", key=lambda sign: _evenness(text[:20_000], sign))
    header = next(_csv_rows(text[:20_000], delimiter), [])
    # Below a header in the first row all rows have its width; titles and the like have any.
    headed = sum(plain_heading(cell) in FIELD_OF for cell in header) >= 2
    try:
        rows = list(_csv_rows(text, delimiter, strict=not headed))
    except csv.Error as error:
        remedy = "Look for a quotation mark that is not closed."
        raise _refusal(name, "a CSV file", remedy, str(error)) from None
    cells = _as_cells(rows)
    if delimiter == ";":  # where people write a comma in place of a point, either may be meant
        cells = cells.replace(r"^(-?[1-9]\d{0,2}[.,]\d{3})$", r"#unclear \1", regex=True)
    if not headed:
        return [Grid("", cells)], findings
    # A note may have lines; a line that is itself a whole row was swallowed by a quotation mark.
    long_cells = (cell for row in rows for cell in row if "\n" in cell and delimiter in cell)
    for line in (line for cell in long_cells for line in cell.split("\n")[1:]):
        if len(next(_csv_rows(line, delimiter), [])) == len(header):
            remedy = "One cell holds the rows below it: look for a quotation mark left open."
            raise _refusal(name, "each quotation mark closed in its own cell", remedy)
    widths = pd.Series(map(len, rows), cells.index)
    uneven = widths[~widths.isin([0, len(header)])]
    expected = f"{len(header)} cells"
    remedy = "Complete the row; text that holds a comma goes in quotation marks."
    for row, width in uneven.items():
        found = f"{width} cells"
        findings.append(Finding("error", name, expected, remedy, int(str(row)), found=found))
    return [Grid("", cells.drop(index=uneven.index).iloc[:, : len(header)])], findings


def _csv_rows(text: str, delimiter: str, strict: bool = False) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)


def _decode(content: bytes, name: str) -> tuple[str, list[Finding]]:
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encodings = [encoding for mark, encoding in marks.items() if content.startswith(mark)]
    # Without a mark, text of two bytes a character has a zero in every other byte.
    for encoding, zeros in (("utf-16-le", content[1:200:2]), ("utf-16-be", content[0:200:2])):
        if len(zeros) > 4 and zeros.count(0) > 0.7 * len(zeros):
            encodings.append(encoding)
    if encodings:
        return content.decode(encodings[0], errors="replace"), []
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        remedy = "It was read as Windows-1252: look at its names."
        doubt = Finding("warning", name, "text in UTF-8", remedy)
        return content.decode("cp1252", errors="replace"), [doubt]


def _evenness(text: str, delimiter: str) -> tuple[int, int]:
    """How many rows a delimiter divides into the usual number of cells, and that number."""
    widths = [len(row) for row in _csv_rows(text, delimiter) if len(row) > 1]
    usual = max(set(widths), key=widths.count, default=0)
    return widths.count(usual), usual


def _as_cells(rows: list[list[str]]) -> pd.DataFrame:
    index = pd.RangeIndex(1, len(rows) + 1, name="row")
    columns = dict(enumerate(zip_longest(*rows, fillvalue="")))
    return pd.DataFrame(columns, index, dtype=str)


def _read_parquet(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises its own kinds, and those of the system
        remedy = "Ask for the file again."
        raise _refusal(name, "a Parquet file", remedy, str(error) or "nothing") from None
    text = table.astype(object).map(str, na_action="ignore").fillna("")
    return [Grid("", _as_cells([[str(column) for column in text], *text.to_numpy().tolist()]))], []


def _read_workbook(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    grids: list[Grid] = []
    findings: list[Finding] = []
    try:
        sheets = [*read_sheets(path.read_bytes())]
    except Exception as error:  # the libraries raise whatever those below them meet
        remedy = "Open it, take off any password and stray cells, and save it as .xlsx."
        raise _refusal(name, "a workbook that opens", remedy, str(error) or "nothing") from None
    for sheet in sheets:
        if not any(text.strip() for text in sheet.cells.values()):
            continue
        if not sheet.visible:
            remedy = "The sheet is hidden and was not read: unhide it if it counts."
            expected = "figures on visible sheets"
            findings.append(Finding("warning", name, expected, remedy, sheet=sheet.name))
            continue
        rows = sorted({row for row, _ in sheet.cells} & sheet.hidden_rows)
        columns = sorted({column for _, column in sheet.cells} & sheet.hidden_columns)
        if rows or columns:
            places = [*map(str, rows), *map(xl_col_to_name, columns)]
            found = f"hidden: {', '.join(places[:8])}{' …' if len(places) > 8 else ''}"
            remedy = "What is hidden or filtered away was not read: unhide it if it counts."
            place: dict[str, Any] = {"sheet": sheet.name, "found": found}
            findings.append(Finding("warning", name, "visible rows and columns", remedy, **place))
        merged = {}
        for top, bottom, left, right in sheet.merged:
            text = sheet.cells.get((top, left), "")
            if read_cell(text).value is None:
                # A name merged over several rows is the name of each.
                for row in range(top, bottom + 1) if text else ():
                    sheet.cells[row, left] = text
            else:
                merged[top, left] = (bottom, right)
        shown = {
            (row, column): text
            for (row, column), text in sheet.cells.items()
            if row not in sheet.hidden_rows and column not in sheet.hidden_columns
        }
        if shown:
            table = pd.Series(shown, dtype=str).unstack(fill_value="").rename_axis(index="row")
            grids.append(Grid(sheet.name, table, merged))
    return grids, findings
