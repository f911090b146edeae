"""Workbooks: each sheet's cells as text, as a reader sees them, and what the sheet hides."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odf.element import Element

#: More cells than this on a sheet are one stray cell far away, or no return.
MOST_CELLS = 5_000_000

#: What is put into a cell in place of a figure that nobody can see.
ERROR, FORMULA = "#error", "=formula"

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass
class Sheet:
    """A sheet of a workbook; rows are counted from 1, columns from 0."""

    name: str
    visible: bool = True
    cells: dict[tuple[int, int], str] = field(default_factory=dict)  # by row and column
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)  # first and last of both
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)

    def put(self, row: int, column: int, text: str) -> None:
        """Write a text into a cell."""
        if text:
            self.cells[row, column] = text


def read_sheets(content: bytes) -> Iterator[Sheet]:
    """Every sheet of a workbook, of whichever kind its bytes say that it is."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        return _old(content)
    if not content.startswith(b"PK"):
        start = content.lstrip()[:200].lower()
        is_page = start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml"))
        raise ValueError("a web page" if is_page else "text" if start else "an empty file")
    return _open_document(content) if b"opendocument" in content[:200] else _new(content)


def _new(content: bytes) -> Iterator[Sheet]:
    from openpyxl import load_workbook  # here, since few returns are workbooks
    from openpyxl.cell.rich_text import CellRichText

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and the like, which hold no figures
        formulas = load_workbook(io.BytesIO(content))
        results = load_workbook(io.BytesIO(content), data_only=True, rich_text=True)
    for shown in results.worksheets:
        sheet = Sheet(shown.title, shown.sheet_state == "visible")
        if shown.max_row * shown.max_column > MOST_CELLS:
            raise ValueError(f"cells up to {shown.dimensions.rpartition(':')[2]} on {shown.title}")
        for row in shown.iter_rows():
            for cell in row:
                value: Any = cell.value
                if cell.data_type == "e":
                    value = ERROR
                elif isinstance(value, CellRichText):
                    runs = [(str(run), getattr(run, "font", None)) for run in value]
                    value = _with_superscripts(
                        (text, font is not None and font.vertAlign == "superscript")
                        for text, font in runs
                    )
                elif value is None and isinstance(cell.column, int):
                    formula = formulas[shown.title].cell(cell.row, cell.column)
                    # A result of the type str that is empty is a text of no letters.
                    uncalculated = formula.data_type == "f" and cell.data_type != "str"
                    value = FORMULA if uncalculated else None
                sheet.put(cell.row, cell.column - 1, _text(value, cell.number_format or ""))
        for area in shown.merged_cells.ranges:
            sheet.merged.append((area.min_row, area.max_row, area.min_col - 1, area.max_col - 1))
        sheet.hidden_rows = {row for row, about in shown.row_dimensions.items() if about.hidden}
        for about in shown.column_dimensions.values():
            if about.hidden:
                sheet.hidden_columns |= {*range(about.min - 1, about.max)}
        yield sheet


def _old(content: bytes) -> Iterator[Sheet]:
    import xlrd

    book = xlrd.open_workbook(file_contents=content, formatting_info=True, logfile=io.StringIO())
    for shown in book.sheets():
        sheet = Sheet(shown.name, shown.visibility == 0)
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
                sheet.put(row + 1, column, _text(value, form))
        for first, last, left, right in shown.merged_cells:
            sheet.merged.append((first + 1, last, left, right - 1))
        sheet.hidden_rows = {row + 1 for row, about in shown.rowinfo_map.items() if about.hidden}
        sheet.hidden_columns = {at for at, about in shown.colinfo_map.items() if about.hidden}
        yield sheet


def _open_document(content: bytes) -> Iterator[Sheet]:
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

    def words(cell: Element) -> str:
        lines = [node for node in cell.childNodes if node.qname == text.P().qname]
        return "\n".join(
            _with_superscripts(
                (str(run), run.nodeType == 1 and _attribute(run, "style-name") in raised)
                for run in line.childNodes
            )
            for line in lines
        )

    for shown in book.spreadsheet.getElementsByType(table.Table):
        sheet = Sheet(str(_attribute(shown, "name")), _attribute(shown, "style-name") not in unseen)
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
                covered = cell.qname[1] == "covered-table-cell"
                value = "" if covered else _open_document_text(cell, words(cell))
                if value and rows * columns + len(sheet.cells) > MOST_CELLS:
                    raise ValueError(f"more than {MOST_CELLS:,} cells on {sheet.name}")
                for place in range(rows * columns) if value else ():
                    sheet.put(row + place // columns, column + place % columns, value)
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
        return str(_attribute(cell, "date-value")).removesuffix("T00:00:00")
    return FORMULA if _attribute(cell, "formula") and not kind and not words else words


def _with_superscripts(runs: Any) -> str:
    """A text of runs; what stands above the line is set apart, as a footnote's number or mark."""
    parts = [
        (text.translate(_SUPERSCRIPTS) if text.strip().isdigit() else f" ({text.strip()})")
        if raised and text.strip()
        else text
        for text, raised in runs
    ]
    return "".join(parts)


def _text(cell: object, form: str = "") -> str:
    """A cell as it would be typed: 55 and not 55.0, 2.1% for 0.021 so shown, days as 2004-12-31."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    if not isinstance(cell, int | float):
        return cell.isoformat() if isinstance(cell, date) else str(cell)
    # Without what the format only prints, or that keeps a space.
    plain = re.sub(r'"[^"]*"|[\\_*].', "", form)
    if "%" in plain:
        return f"{(100 * Decimal(str(cell))).normalize():f}%"
    if thousands := re.search(r"[0#?](,+)(?![0#?,])", plain):
        return f"{Decimal(str(cell)).scaleb(-3 * len(thousands[1])).normalize():f}"
    return str(int(cell)) if cell == int(cell) and abs(cell) < 1e15 else str(cell)
