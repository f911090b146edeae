"""Grids: any file that a partner sends, sheet by sheet as text."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from xlsxwriter.utility import xl_cell_to_rowcol, xl_col_to_name

from psa_analysis.findings import DataError, Finding
from psa_analysis.returns.cells import read_cell

if TYPE_CHECKING:
    from odf.element import Element

#: Fields of a return, with the headings that stand for each.
_HEADINGS = {
    "measure": "measure, indicator, pi, reference, ref, measure id, measure name, indicator name",
    "area": "area, district, authority, local authority, council, "
    "area name, la name, authority name, local authority name",
    "period": "period, month, quarter, term, year, financial year, reporting period, time period",
    "value": "value, figure, actual, result, outturn, indicator value",
    "received": "received, date received",
    "numerator": "numerator, number, top",
    "denominator": "denominator, out of, base",
    "flag": "flag, status",
    "illustrative": "illustrative",
    "note": "note, notes, comment, comments",
}
FIELDS = {field: headings.split(", ") for field, headings in _HEADINGS.items()}
#: The field that each heading stands for.
FIELD_OF = {heading: field for field, headings in FIELDS.items() for heading in headings}

WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}
TEXT_FILES = {".csv", ".tsv", ".txt"}
#: More cells than this on a sheet are one stray cell far away, or no return.
MOST_CELLS = 5_000_000
#: What is put into a cell in place of a figure that nobody can see.
ERROR, FORMULA = "#error", "=formula"
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    quoting = rows if '"' in text else []
    long_cells = (cell for row in quoting for cell in row if "\n" in cell and delimiter in cell)
    for line in (line for cell in long_cells for line in cell.split("\n")[1:]):
        if len(next(_csv_rows(line, delimiter), [])) == len(header):
            remedy = "One cell holds the rows below it: look for a quotation mark left open."
            raise _refusal(name, "each quotation mark closed in its own cell", remedy)
    widths = pd.Series(map(len, rows), cells.index)
    uneven = widths[~widths.isin([0, len(header)])]
    remedy = "Complete the row; text that holds a comma goes in quotation marks."
    expected = f"{len(header)} cells"
    findings += [
        Finding("error", name, expected, remedy, row, found=f"{width} cells")
        for row, width in zip(uneven.index, uneven, strict=True)
    ]
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
        raise _refusal(name, "a Parquet file", "Ask for the file again.", str(error)) from None
    text = table.astype(object).map(str, na_action="ignore").fillna("")
    return [Grid("", _as_cells([[str(column) for column in text], *text.to_numpy().tolist()]))], []


def _read_workbook(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    grids, findings = [], []
    try:
        sheets = [*_read_sheets(path.read_bytes())]
    except Exception as error:  # the libraries raise whatever those below them meet
        remedy = "Open it, take off any password and stray cells, and save it as .xlsx."
        raise _refusal(name, "a workbook that opens", remedy, str(error) or "nothing") from None
    for sheet in sheets:
        if not any(text.strip() for text in sheet.cells.values()):
            continue
        if not sheet.visible:
            remedy = "The sheet is hidden and was not read: unhide it if it counts."
            about = ("figures on visible sheets", remedy)
            findings.append(Finding("warning", name, *about, sheet=sheet.name))
            continue
        rows = sorted({row for row, _ in sheet.cells} & sheet.hidden_rows)
        columns = sorted({column for _, column in sheet.cells} & sheet.hidden_columns)
        if places := [*map(str, rows), *map(xl_col_to_name, columns)]:
            found = f"hidden: {', '.join(places[:8])}{' …' if len(places) > 8 else ''}"
            remedy = "What is hidden or filtered away was not read: unhide it if it counts."
            about = ("visible rows and columns", remedy)
            findings.append(Finding("warning", name, *about, sheet=sheet.name, found=found))
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


@dataclass
class _Sheet:
    """A sheet of a workbook; rows are counted from 1, columns from 0."""

    name: str
    visible: bool = True
    cells: dict[tuple[int, int], str] = field(default_factory=dict)  # by row and column
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)  # first and last of both
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def _read_sheets(content: bytes) -> Iterator[_Sheet]:
    """Every sheet of a workbook, of whichever kind its bytes say that it is."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        return _old(content)
    if not content.startswith(b"PK"):
        start = content.lstrip()[:200].lower()
        is_page = start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml"))
        raise ValueError("a web page" if is_page else "text" if start else "an empty file")
    return _open_document(content) if b"opendocument" in content[:200] else _new(content)


def _new(content: bytes) -> Iterator[_Sheet]:
    from openpyxl import load_workbook  # here, since few returns are workbooks
    from openpyxl.cell.rich_text import CellRichText

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and the like, which hold no figures
        formulas = load_workbook(io.BytesIO(content))
        results = load_workbook(io.BytesIO(content), data_only=True, rich_text=True)
    for shown in results.worksheets:
        sheet = _Sheet(shown.title, shown.sheet_state == "visible")
        if shown.max_row * shown.max_column > MOST_CELLS:
            raise ValueError(f"cells up to {shown.dimensions.rpartition(':')[2]} on {shown.title}")
        for row in shown.iter_rows():
            for cell in row:
                value: Any = cell.value
                if cell.data_type == "e":
                    value = ERROR
                elif isinstance(value, CellRichText):
                    fonts = [getattr(run, "font", None) for run in value]
                    raised = [font and font.vertAlign == "superscript" for font in fonts]
                    value = _with_superscripts(zip(map(str, value), raised, strict=True))
                elif value is None and isinstance(cell.column, int):
                    formula = formulas[shown.title].cell(cell.row, cell.column)
                    # A result of the type str that is empty is a text of no letters.
                    uncalculated = formula.data_type == "f" and cell.data_type != "str"
                    value = FORMULA if uncalculated else None
                if text := _text(value, cell.number_format or ""):
                    sheet.cells[cell.row, cell.column - 1] = text
        for area in shown.merged_cells.ranges:
            sheet.merged.append((area.min_row, area.max_row, area.min_col - 1, area.max_col - 1))
        sheet.hidden_rows = {row for row, about in shown.row_dimensions.items() if about.hidden}
        for about in shown.column_dimensions.values():
            if about.hidden:
                sheet.hidden_columns |= {*range(about.min - 1, about.max)}
        yield sheet


def _old(content: bytes) -> Iterator[_Sheet]:
    import xlrd

    book = xlrd.open_workbook(file_contents=content, formatting_info=True, logfile=io.StringIO())
    for shown in book.sheets():
        sheet = _Sheet(shown.name, shown.visibility == 0)
        for row in range(shown.nrows):
            for column in range(shown.row_len(row)):
                value, kind = shown.cell_value(row, column), shown.cell_type(row, column)
                style = book.xf_list[shown.cell_xf_index(row, column)]
                if kind == xlrd.XL_CELL_ERROR:
                    value = ERROR
                elif kind == xlrd.XL_CELL_DATE:
                    value = xlrd.xldate_as_datetime(value, book.datemode)
                elif kind == xlrd.XL_CELL_BOOLEAN:
                    value = bool(value)
                elif runs := shown.rich_text_runlist_map.get((row, column)):
                    starts = [(0, style.font_index), *runs, (len(value), 0)]
                    value = _with_superscripts(
                        (value[start:end], book.font_list[font].escapement == 1)
                        for (start, font), (end, _) in pairwise(starts)
                    )
                form = book.format_map[style.format_key].format_str
                if text := _text(value, form):
                    sheet.cells[row + 1, column] = text
        for first, last, left, right in shown.merged_cells:
            sheet.merged.append((first + 1, last, left, right - 1))
        sheet.hidden_rows = {row + 1 for row, about in shown.rowinfo_map.items() if about.hidden}
        sheet.hidden_columns = {at for at, about in shown.colinfo_map.items() if about.hidden}
        yield sheet


def _open_document(content: bytes) -> Iterator[_Sheet]:
    from odf import opendocument, style, table, text

    book = opendocument.load(io.BytesIO(content))
    raised, unseen = set(), set()
    for about in book.automaticstyles.getElementsByType(style.Style):
        for properties in about.childNodes:
            # "super 58%", or how far above the line: "33% 58%".
            if re.match(r"super|[1-9]\d*%", _attribute(properties, "text-position") or ""):
                raised.add(_attribute(about, "name"))
            if _attribute(properties, "display") == "false":
                unseen.add(_attribute(about, "name"))

    def words(line: Element) -> str:
        return _with_superscripts(
            (str(run), run.nodeType == 1 and _attribute(run, "style-name") in raised)
            for run in line.childNodes
        )

    for shown in book.spreadsheet.getElementsByType(table.Table):
        visible = _attribute(shown, "style-name") not in unseen
        sheet = _Sheet(str(_attribute(shown, "name")), visible)
        column = 0
        for about in shown.getElementsByType(table.TableColumn):
            number = _repeated(about, "number-columns-repeated")
            if _attribute(about, "visibility") in ("collapse", "filter"):
                sheet.hidden_columns |= {*range(column, column + number)}
            column += number
        row = 1
        for line in shown.getElementsByType(table.TableRow):
            rows, column = _repeated(line, "number-rows-repeated"), 0
            if _attribute(line, "visibility") in ("collapse", "filter"):
                sheet.hidden_rows |= {*range(row, row + rows)}
            for cell in line.childNodes:
                columns = _repeated(cell, "number-columns-repeated")
                lines = [words(node) for node in cell.childNodes if node.qname == text.P().qname]
                covered = cell.qname[1] == "covered-table-cell"
                value = "" if covered else _open_document_text(cell, "\n".join(lines))
                if value and rows * columns + len(sheet.cells) > MOST_CELLS:
                    raise ValueError(f"more than {MOST_CELLS:,} cells on {sheet.name}")
                for place in range(rows * columns) if value else ():
                    sheet.cells[row + place // columns, column + place % columns] = value
                down = row + _repeated(cell, "number-rows-spanned") - 1
                right = column + _repeated(cell, "number-columns-spanned") - 1
                if down > row or right > column:
                    sheet.merged.append((row, down, column, right))
                column += columns
            row += rows
        yield sheet


def _attribute(element: Element, name: str) -> str | None:
    """An attribute, whatever its namespace; odfpy's own getter refuses what it does not expect."""
    found = (value for (_, key), value in element.attributes.items() if key == name)
    return next(found, None)


def _repeated(element: Element, name: str) -> int:
    return int(_attribute(element, name) or 1)


def _open_document_text(cell: Element, words: str) -> str:
    kind, value = _attribute(cell, "value-type"), _attribute(cell, "value")
    if kind in ("percentage", "float", "currency") and value:
        return _text(float(value), "%" if kind == "percentage" else "")
    if kind == "date":
        day = str(_attribute(cell, "date-value")).removesuffix("T00:00:00")
        is_month = day.endswith("-01") and re.fullmatch(r"[A-Za-z]+[-\s]\d+", words)
        return words if is_month else day
    return FORMULA if _attribute(cell, "formula") and not kind and not words else words


def _with_superscripts(runs: Any) -> str:
    """A text of runs; what stands above the line is set apart, as a footnote's number or mark."""
    parts = []
    for text, raised in runs:
        mark = text.strip() if raised else ""
        parts += [
            text.translate(_SUPERSCRIPTS) if mark.isdigit() else f" ({mark})" if mark else text
        ]
    return "".join(parts)


def _text(cell: object, form: str = "") -> str:
    """A cell as it would be typed: 55 and not 55.0, 2.1% for 0.021 so shown, days as 2004-12-31."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        # Apr-13 is stored as the first of April.
        is_month = cell.day == 1 and "m" in form.lower() and "d" not in form.lower()
        return f"{cell:%B %Y}" if is_month else cell.date().isoformat()
    if not isinstance(cell, int | float):
        return cell.isoformat() if isinstance(cell, date) else str(cell)
    # Without what the format only prints, or that keeps a space.
    plain = re.sub(r'"[^"]*"|[\\_*].', "", form)
    if "%" in plain:
        return f"{(100 * Decimal(str(cell))).normalize():f}%"
    if thousands := re.search(r"[0#?](,+)(?![0#?,])", plain):
        return f"{Decimal(str(cell)).scaleb(-3 * len(thousands[1])).normalize():f}"
    return str(int(cell)) if cell == int(cell) and abs(cell) < 1e15 else str(cell)
