"""Grids: any file that a partner sends, sheet by sheet as text."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum
from xlsxwriter.utility import xl_cell_to_rowcol

from psa_analysis.findings import DataError, Finding
from psa_analysis.returns.cells import read_cell

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

#: Fields of a return, with the headings that stand for each. The first five must be known.
FIELDS: dict[str, tuple[str, ...]] = {
    "measure": ("measure", "indicator", "pi", "reference", "ref", "measure id"),
    "area": ("area", "district", "authority", "local authority", "council"),
    "period": ("period", "quarter", "year", "financial year", "reporting period"),
    "value": ("value", "figure", "actual", "result", "outturn"),
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


def plain_heading(text: str) -> str:
    """A heading without capitals, signs and spare spaces, as :data:`FIELD_OF` has it."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.casefold()).split())


def column_number(letters: str) -> int:
    """The number of a column, A being 0."""
    return int(xl_cell_to_rowcol(f"{letters}1")[1])


def read_grids(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    """Read a file's sheets as text."""
    if not path.is_file():
        raise _refusal(name, "a file", "Take the folder or link away.")
    ending = path.suffix.lower()
    if ending in TEXT_FILES:
        return _read_text(path.read_bytes(), name)
    if ending in WORKBOOKS:
        return _read_workbook(path, name)
    expected = f"a file ending in {', '.join(sorted(TEXT_FILES | WORKBOOKS))}"
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
    if not headed:
        return [Grid("", cells)], findings
    if any("\n" in cell and delimiter in cell for row in rows for cell in row):
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


def _read_workbook(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    try:
        book = CalamineWorkbook.from_path(str(path))
        shown = _open_twice(path) if path.suffix.lower() in (".xlsx", ".xlsm") else {}
    except Exception as error:  # openpyxl raises whatever the library below it meets
        remedy = "Open it, take any password off and save it."
        raise _refusal(name, "a workbook that opens", remedy, str(error) or "nothing") from None
    grids: list[Grid] = []
    findings: list[Finding] = []
    for number, about in enumerate(book.sheets_metadata):
        place: dict[str, Any] = {"sheet": about.name}
        try:
            sheet = book.get_sheet_by_index(number)
            rows = sheet.to_python(skip_empty_area=False)
        except (CalamineError, ValueError, OSError, OverflowError) as error:
            place["found"] = str(error)
            remedy = "Ask for the workbook again."
            findings.append(Finding("error", name, "a sheet that can be read", remedy, **place))
            continue
        if not any(cell != "" for row in rows for cell in row):
            continue
        if about.visible != SheetVisibleEnum.Visible:
            remedy = "The sheet is hidden and was not read: unhide it if it counts."
            findings.append(Finding("warning", name, "figures on visible sheets", remedy, **place))
            continue
        text = [[_text(cell) for cell in row] for row in rows]
        if about.name in shown:
            _write_as_shown(text, *shown[about.name])
        for (top, left), (bottom, _) in sheet.merged_cell_ranges or []:
            inside = top < len(text) and left < len(text[top])
            # A name merged over several rows is the name of each; a figure is not.
            if inside and read_cell(text[top][left]).value is None:
                for row in text[top + 1 : bottom + 1]:
                    row[left] = text[top][left]
        grids.append(Grid(about.name, _as_cells(text)))
    return grids, findings


def _text(cell: object) -> str:
    """A workbook's cell as it would be typed: 55 and not 55.0, days as 2004-12-31."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _open_twice(path: Path) -> dict[str, tuple[Worksheet, Worksheet]]:
    """Each sheet by its name, with formulas and with their results."""
    from openpyxl import load_workbook  # here, since few returns are workbooks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and the like, which hold no figures
        books = [load_workbook(path, data_only=results) for results in (False, True)]
    return {sheet.title: (sheet, books[1][sheet.title]) for sheet in books[0].worksheets}


def _write_as_shown(text: list[list[str]], formulas: Worksheet, results: Worksheet) -> None:
    """Put in what python-calamine reads as empty or as a fraction: broken formulas, percentages."""
    area = {"max_row": len(text), "max_col": len(text[0])}
    for row, *both in zip(text, formulas.iter_rows(**area), results.iter_rows(**area), strict=True):
        for column, (formula, result) in enumerate(zip(*both, strict=True)):
            if result.data_type == "e":
                row[column] = "#error"
            elif result.data_type == "n" and result.value is not None:
                # Without what the format only prints, or that keeps a space.
                if "%" in re.sub(r'"[^"]*"|[\\_*].', "", result.number_format):
                    row[column] = f"{(100 * Decimal(str(result.value))).normalize():f}%"
            # A result of the type str that is empty is a text of no letters.
            elif formula.data_type == "f" and result.value is None and result.data_type != "str":
                row[column] = "=formula"
