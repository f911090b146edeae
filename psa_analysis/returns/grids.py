"""Grids: any file that a partner sends, as text with the row and column of each cell.

One grid per sheet: CSV in any common encoding and delimiter, and the workbooks that
python-calamine reads. What stands where is found out later, in the reading.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from psa_analysis.findings import DataError, Finding
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.headings import FIELD_OF, plain_heading

WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}
TEXT_FILES = {".csv", ".tsv", ".txt"}


@dataclass(frozen=True)
class Grid:
    """One sheet as text.

    Attributes
    ----------
    sheet : str
        The sheet's name; empty for a text file.
    cells : pandas.DataFrame
        Text; the index is the row as a spreadsheet counts it, the columns count from 0.
    """

    sheet: str
    cells: pd.DataFrame


def column_letter(number: int) -> str:
    """A column's letters, 0 being A."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def read_grids(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    """Read a file's sheets as text."""
    ending = path.suffix.lower()
    if ending in TEXT_FILES:
        return _read_text(path.read_bytes(), name)
    if ending in WORKBOOKS:
        return _read_workbook(path, name)
    raise DataError(
        [
            Finding(
                "error",
                name,
                f"a file ending in {', '.join(sorted(TEXT_FILES | WORKBOOKS))}",
                "Ask for it in one of these forms.",
                found=ending or "no ending",
            )
        ]
    )


# Text files


def _read_text(content: bytes, name: str) -> tuple[list[Grid], list[Finding]]:
    text, findings = _decode(content, name)
    if not text.strip("\ufeff\r\n\t ,;|\0"):
        return [], [Finding("error", name, "a header and rows", "The file is empty: ask again.")]
    delimiter = _delimiter(text)
    plain, ragged = _read_even(text, delimiter, name)
    if plain is not None:
        return [Grid("", plain)], findings + ragged
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise DataError(
            [
                Finding(
                    "error",
                    name,
                    "a CSV file",
                    "Look for a quotation mark that is not closed.",
                    found=str(error),
                )
            ]
        ) from None
    return [Grid("", _padded(rows))], findings


def _decode(content: bytes, name: str) -> tuple[str, list[Finding]]:
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), []
    # Without a mark, text of two bytes a character has a zero in every other byte.
    for encoding, zeros in (("utf-16-le", content[1:200:2]), ("utf-16-be", content[0:200:2])):
        if len(zeros) > 4 and zeros.count(0) > 0.7 * len(zeros):
            return content.decode(encoding, errors="replace"), []
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        doubt = Finding(
            "warning", name, "text in UTF-8", "It was read as Windows-1252: look at its names."
        )
        return content.decode("cp1252", errors="replace"), [doubt]


def _delimiter(text: str) -> str:
    """The delimiter that divides most rows of the beginning into the same number of cells."""
    sample = text[:20_000]

    def evenness(delimiter: str) -> tuple[int, int]:
        rows = list(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter))
        widths = [len(row) for row in rows if len(row) > 1]
        if not widths:
            return 0, 0
        usual = max(set(widths), key=widths.count)
        return widths.count(usual), usual

    return max(",;\t|", key=evenness)


def _read_even(text: str, delimiter: str, name: str) -> tuple[pd.DataFrame | None, list[Finding]]:
    """A file whose header is its first row, read fast; None if it is not of that kind.

    Rows of another width than the header's become findings.
    """
    sample = csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=delimiter)
    header = next(sample, [])
    known = sum(plain_heading(cell) in FIELD_OF for cell in header)
    if known < 2 or "\0" in text:
        return None, []
    findings: list[Finding] = []

    def uneven(row: pyarrow.csv.InvalidRow) -> str:
        findings.append(
            Finding(
                "error",
                name,
                f"{row.expected_columns} cells",
                "Complete the row; text that holds a comma goes in quotation marks.",
                row=row.number,
                found=f"{row.actual_columns} cells",
            )
        )
        return "skip"

    content = pa.py_buffer(text.encode("utf-8", errors="replace"))
    names = [str(number) for number in range(len(header))]

    def read(threads: bool) -> pd.DataFrame:
        findings.clear()
        return pyarrow.csv.read_csv(
            content,
            read_options=pyarrow.csv.ReadOptions(use_threads=threads, column_names=names),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=uneven,
            ),
            # Text repeats: as codes it takes a tenth of the room.
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
                strings_can_be_null=False,
            ),
        ).to_pandas()

    try:
        frame = read(threads=True)
        if findings:
            # Only on one thread are rows numbered.
            frame = read(threads=False)
    except pa.ArrowInvalid:
        return None, []
    if '"' in text and any(_swallowed(frame[name], delimiter) for name in frame):
        raise DataError(
            [
                Finding(
                    "error",
                    name,
                    "each quotation mark closed in its own cell",
                    "One cell holds the rows below it: look for a quotation mark left open.",
                )
            ]
        )
    # Skipped rows still count: number the rest as the spreadsheet does.
    skipped = [finding.row for finding in findings]
    frame.index = pd.RangeIndex(1, len(frame) + len(skipped) + 1).drop(skipped)
    return frame.set_axis(range(len(header)), axis=1), findings


def _swallowed(column: pd.Series, delimiter: str) -> bool:
    """Whether a cell holds what look like further rows."""
    texts = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    lines = texts[texts.str.contains("\n", regex=False)]
    return bool(lines.str.contains(delimiter, regex=False).any())


def _padded(rows: Iterable[list[str]]) -> pd.DataFrame:
    listed = list(rows)
    width = max((len(row) for row in listed), default=0)
    padded = [row + [""] * (width - len(row)) if len(row) < width else row for row in listed]
    frame = pd.DataFrame(padded, columns=range(width), dtype=str)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    return frame


# Workbooks


def _read_workbook(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    try:
        book = CalamineWorkbook.from_path(str(path))
    except (CalamineError, OSError, ValueError) as error:
        raise DataError(
            [
                Finding(
                    "error",
                    name,
                    "a workbook that opens",
                    "Open it, take any password off and save it.",
                    found=str(error) or "nothing",
                )
            ]
        ) from None
    grids, findings = [], []
    marked = _marked_cells(path) if path.suffix.lower() in (".xlsx", ".xlsm") else {}
    for place, about in enumerate(book.sheets_metadata):
        try:
            sheet = book.get_sheet_by_index(place)
            rows = sheet.to_python(skip_empty_area=False)
        except (CalamineError, ValueError, OSError, OverflowError) as error:
            findings.append(
                Finding(
                    "error",
                    name,
                    "a sheet that can be read",
                    "Ask for the workbook again.",
                    sheet=about.name,
                    found=str(error),
                )
            )
            continue
        if not any(cell != "" for row in rows for cell in row):
            continue
        if about.visible != SheetVisibleEnum.Visible:
            findings.append(
                Finding(
                    "warning",
                    name,
                    "figures on visible sheets",
                    "The sheet is hidden and was not read: unhide it if it counts.",
                    sheet=about.name,
                )
            )
            continue
        text = [[_text(cell) for cell in row] for row in rows]
        for row, column, shown_as in marked.get(about.name, []):
            if row >= len(text):
                continue
            text[row] += [""] * (column + 1 - len(text[row]))
            if shown_as != "%":
                text[row][column] = shown_as
            elif _NUMBER.fullmatch(text[row][column]):
                # As it is shown and was typed: the cell holds 0.55 and says 55%.
                text[row][column] = f"{(100 * Decimal(text[row][column])).normalize():f}%"
        for (top, left), (bottom, _) in sheet.merged_cell_ranges or []:
            # A name merged over several rows is the name of each; a figure is not.
            if (
                top < len(text)
                and left < len(text[top])
                and read_cell(text[top][left]).value is None
            ):
                for below in range(top + 1, min(bottom + 1, len(text))):
                    text[below][left] = text[top][left]
        grids.append(Grid(about.name, _padded(text)))
    return grids, findings


def _text(cell: object) -> str:
    """A workbook's cell as it would be typed: 55 and not 55.0, days as 2004-12-31."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)


_NUMBER = re.compile(r"-?[0-9.]+(?:e-?[0-9]+)?")
#: A number (no type, or type n) in one of the styles to be filled in.
_STYLED = rb'<c r="([A-Z]+)([0-9]+)"(?=[^>]*\bs="(?:%b)")(?![^>]*\bt="[^n])'
_ERROR = re.compile(rb'<c r="([A-Z]+)([0-9]+)"[^>]*\bt="e"')
#: A formula without a value; one of type str has an empty text for its value, which is one.
_FORMULA = re.compile(
    rb'<c r="([A-Z]+)([0-9]+)"(?![^>]*t="str")[^>]*>\s*<f\b[^>]*(?:/>|>[^<]*</f>)'
    rb"\s*(?:<v\s*/>|<v></v>)?\s*</c>"
)


def _marked_cells(path: Path) -> dict[str, list[tuple[int, int, str]]]:
    """Cells, by sheet, whose text is not what the reader gives: row, column and text, or "%".

    A formula that gave an error or was never calculated reads as empty, and an empty cell asks
    for nothing; a figure that is shown as a percentage reads as a fraction.
    """
    found: dict[str, list[tuple[int, int, str]]] = {}
    try:
        with zipfile.ZipFile(path) as parts:
            book = parts.read("xl/workbook.xml").decode("utf-8", errors="replace")
            links = parts.read("xl/_rels/workbook.xml.rels").decode("utf-8", errors="replace")
            # With the bytes that must be there, since a plain search is far faster.
            patterns = [(b"<f", _FORMULA, "=formula"), (b't="e"', _ERROR, "#error")]
            if "xl/styles.xml" in parts.namelist():
                styles = parts.read("xl/styles.xml").decode("utf-8", errors="replace")
                if shares := _percent_styles(styles):
                    styled = re.compile(_STYLED % "|".join(shares).encode())
                    patterns.insert(0, (b"<c", styled, "%"))
            targets = {
                _attribute(link, "Id"): _attribute(link, "Target")
                for link in re.findall(r"<Relationship\b[^>]*>", links)
            }
            for sheet in re.findall(r"<sheet\b[^>]*>", book):
                target = targets.get(_attribute(sheet, "r:id"), "")
                part = "xl/" + target.removeprefix("/xl/").removeprefix("xl/")
                if part not in parts.namelist():
                    continue
                sheet_part = parts.read(part)
                cells = [
                    (int(row) - 1, column_number(letters.decode()), shown)
                    for needed, pattern, shown in patterns
                    if needed in sheet_part
                    for letters, row in pattern.findall(sheet_part)
                ]
                if cells:
                    found[_unescape(_attribute(sheet, "name"))] = cells
    except (KeyError, zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
        return {}  # the reader itself will say what is wrong with the file
    return found


def _percent_styles(styles: str) -> list[str]:
    """The numbers of the styles that show a fraction as a percentage."""
    percent = {"9", "10"}  # built in: 0% and 0.00%
    for tag in re.findall(r"<numFmt\b[^>]*>", styles):
        # A sign in quotation marks or after a backslash is only printed.
        code = re.sub(r'"[^"]*"|\\.', "", _unescape(_attribute(tag, "formatCode")))
        if "%" in code:
            percent.add(_attribute(tag, "numFmtId"))
    formats = re.search(r"<cellXfs\b.*?</cellXfs>", styles, re.DOTALL)
    used = re.findall(r"<xf\b[^>]*>", formats[0]) if formats else []
    return [str(n) for n, tag in enumerate(used) if _attribute(tag, "numFmtId") in percent]


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf'\b{re.escape(name)}="([^"]*)"', tag)
    return match[1] if match else ""


def _unescape(text: str) -> str:
    for mark, sign in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ):
        text = text.replace(mark, sign)
    return text


def column_number(letters: str) -> int:
    """The number of a column, A being 0."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1
