"""Workbooks: their sheets as text, read in a process of its own that has limits.

A damaged workbook may panic its reader, keep it busy or take all of the memory. It comes on the
standard input and leaves as JSON; what takes long to import is imported when it is needed.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odf.element import Element

TEXT_FILES = (".csv", ".tsv", ".txt")
#: Of every file that may hold figures.
ENDINGS = (*TEXT_FILES, ".xlsx", ".xlsm", ".xls", ".ods", ".parquet")
#: More cells than this on a sheet are one stray cell far away, or no return; nor has a return more
#: letters.
MOST_CELLS, MOST_COLUMNS, _MOST_LETTERS = 2_000_000, 1_000, 20_000_000
#: To how many bytes a workbook may unpack, and how many its reader may take.
_UNPACKED, _MEMORY = 200 * 10**6, 900 * 10**6
#: What is put into a cell in place of a figure that nobody can see, or that is shown as another.
ERROR, FORMULA, FORMAT = "#error", "=formula", "#format"
#: What a format says that prints digits, thousands or a mark beside a figure, or by its size.
_OTHERWISE = re.compile(r'\[[<>=]|"[^"]*(?:\d|[<*]|\b[kmb]n?\b|thousand|million)[^"]*"', re.I)
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass
class _Sheet:
    """A sheet of a workbook; rows are counted from 1, columns from 0."""

    name: str
    visible: bool = True
    cells: dict[tuple[int, int], str] = field(default_factory=dict)  # by row and column
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)  # first and last of both
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """What leaves the process: the cells of all rows and columns that hold anything."""
        rows, columns = (sorted({place[way] for place in self.cells}) for way in (0, 1))
        is_vast = len(rows) * len(columns) > MOST_CELLS or len(columns) > MOST_COLUMNS
        if is_vast or sum(map(len, self.cells.values())) > _MOST_LETTERS:
            raise ValueError(f"{len(rows):,} rows and {len(columns):,} columns on {self.name}")
        return vars(self) | {
            "rows": rows,
            "columns": columns,
            "cells": [[self.cells.get((row, column), "") for column in columns] for row in rows],
            "hidden_rows": sorted(self.hidden_rows.intersection(rows)),
            "hidden_columns": sorted(self.hidden_columns.intersection(columns)),
        }


def main() -> None:
    """Read the workbook on the standard input; the argument is how many seconds it may take."""
    with suppress(ImportError):  # no such limits on Windows; those of time and cells remain
        import resource

        limits = {resource.RLIMIT_AS: _MEMORY, resource.RLIMIT_CORE: 0}
        for kind, most in (limits | {resource.RLIMIT_CPU: int(sys.argv[-1])}).items():
            with suppress(ValueError):  # it is lower already
                resource.setrlimit(kind, (most, most))
    output, sys.stdout = sys.stdout, sys.stderr  # what a reader prints is no answer
    try:
        answer: Any = [sheet.as_json() for sheet in _read_sheets(sys.stdin.buffer.read())]
    except MemoryError:
        answer = f"more than {_MEMORY // 10**6} MB of memory are needed"
    except Exception as error:  # the libraries raise whatever those below them meet
        answer = str(error)[:200] or type(error).__name__
    output.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))


def _read_sheets(content: bytes) -> Iterator[_Sheet]:
    """Every sheet of a workbook, of whichever kind its bytes say that it is."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        return _old(content)
    if content.startswith(b"PAR1"):
        return _parquet(content)
    if not content.startswith(b"PK"):
        start = content.lstrip()[:200].lower()
        is_page = start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml"))
        raise ValueError("a web page" if is_page else "text" if start else "an empty file")
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        if (size := sum(part.file_size for part in parts.infolist())) > _UNPACKED:
            raise ValueError(f"{size // 10**6:,} MB when unpacked")
    return _open_document(content) if b"opendocument" in content[:200] else _new(content)


def _new(content: bytes) -> Iterator[_Sheet]:
    # None forbids openpyxl to import numpy, half of all the time; for good, as mypy knows modules.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    from openpyxl import load_workbook
    from openpyxl.cell.rich_text import CellRichText

    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if "sheets/" in name]
    has_formulas = any(re.search(rb"<(?:\w+:)?f[\s/>]", sheet) for sheet in sheets)
    formulas = load_workbook(io.BytesIO(content)) if has_formulas else None
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
                elif value is None and formulas and isinstance(cell.column, int):
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

    book = xlrd.open_workbook(file_contents=content, formatting_info=True, ragged_rows=True)
    for shown in book.sheets():
        sheet = _Sheet(shown.name, shown.visibility == 0)
        for row in range(shown.nrows):
            for column in range(shown.row_len(row)):
                value, kind = shown.cell_value(row, column), shown.cell_type(row, column)
                style = book.xf_list[shown.cell_xf_index(row, column)]
                if kind == xlrd.XL_CELL_ERROR:
                    value = ERROR
                elif kind == xlrd.XL_CELL_TEXT and not value:
                    # A formula that was never calculated, or whose result has no letters.
                    value = FORMULA
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
                if text := _text(value, book.format_map[style.format_key].format_str):
                    sheet.cells[row + 1, column] = text
        for first, last, left, right in shown.merged_cells:
            sheet.merged.append((first + 1, last, left, right - 1))
        sheet.hidden_rows = {row + 1 for row, about in shown.rowinfo_map.items() if about.hidden}
        sheet.hidden_columns = {at for at, about in shown.colinfo_map.items() if about.hidden}
        yield sheet


def _open_document(content: bytes) -> Iterator[_Sheet]:
    from odf import opendocument, style, table, text

    book = opendocument.load(io.BytesIO(content))
    raised, unseen, forms = set(), set(), {}
    all_styles = [*book.styles.childNodes, *book.automaticstyles.childNodes]
    # What the formats of numbers show: percentages, or thousands.
    shows = {_attribute(about, "name"): _form(about) for about in all_styles}
    for about in book.getElementsByType(style.Style):
        name = _attribute(about, "name")
        forms[name] = shows.get(_attribute(about, "data-style-name"), "")
        for properties in about.childNodes:
            # "super 58%", or how far above the line: "33% 58%".
            if re.match(r"super|[1-9]\d*%", _attribute(properties, "text-position") or ""):
                raised.add(name)
            if _attribute(properties, "display") == "false":
                unseen.add(name)

    def words(line: Element) -> str:
        return _with_superscripts(
            (str(run) or " ", run.nodeType == 1 and _attribute(run, "style-name") in raised)
            for run in line.childNodes  # those that are empty are spaces, tabs and line breaks
        )

    for shown in book.spreadsheet.getElementsByType(table.Table):
        visible = _attribute(shown, "style-name") not in unseen
        sheet = _Sheet(str(_attribute(shown, "name")), visible)
        usual_forms: list[str] = []
        for about in shown.getElementsByType(table.TableColumn):
            first = len(usual_forms)
            form = forms.get(_attribute(about, "default-cell-style-name"), "")
            usual_forms += [form] * _repeated(about, "number-columns-repeated")
            if _attribute(about, "visibility") in ("collapse", "filter"):
                sheet.hidden_columns |= {*range(first, len(usual_forms))}
        row = 1
        for line in shown.getElementsByType(table.TableRow):
            rows, column = _repeated(line, "number-rows-repeated"), 0
            of_row = forms.get(_attribute(line, "default-cell-style-name"))
            if _attribute(line, "visibility") in ("collapse", "filter"):
                sheet.hidden_rows |= {*range(row, row + rows)}
            for cell in line.childNodes:
                columns = _repeated(cell, "number-columns-repeated")
                lines = [words(node) for node in cell.childNodes if node.qname == text.P().qname]
                covered = cell.qname[1] == "covered-table-cell"
                form = of_row or (usual_forms[column] if column < len(usual_forms) else "")
                if own := _attribute(cell, "style-name"):
                    form = forms.get(own, "")
                value = "" if covered else _open_document_text(cell, "\n".join(lines), form)
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


def _form(about: Element) -> str:
    """The format of a number, as :func:`_text` takes it, that shows what this style shows."""
    if about.qname[1] == "percentage-style":
        return "%"
    factors = [_attribute(part, "display-factor") for part in about.childNodes]
    return "".join("0," + "," * (len(factor) // 3 - 1) for factor in factors if factor)


def _attribute(element: Element, name: str) -> str | None:
    """An attribute, whatever its namespace; odfpy's own getter refuses what it does not expect."""
    found = (value for (_, key), value in element.attributes.items() if key == name)
    return next(found, None)


def _repeated(element: Element, name: str) -> int:
    return min(int(_attribute(element, name) or 1), 2**20)  # as many rows as programs take


def _open_document_text(cell: Element, words: str, form: str) -> str:
    kind, value = _attribute(cell, "value-type"), _attribute(cell, "value")
    if re.match(r"#|Err:", words):
        return ERROR  # which some programs keep as the figure 0
    if kind in ("percentage", "float", "currency") and value:
        return _text(float(value), "%" if kind == "percentage" else form)
    if kind == "date":
        day = str(_attribute(cell, "date-value")).removesuffix("T00:00:00")
        is_month = day.endswith("-01") and re.fullmatch(r"[A-Za-z]+[-\s]\d+", words)
        return words if is_month else day
    # A result that is a text of no letters says that it is a string.
    uncalculated = kind != "string" or _attribute(cell, "string-value") is None
    return FORMULA if _attribute(cell, "formula") and uncalculated and not words else words


def _with_superscripts(runs: Any) -> str:
    """A text of runs; what stands above the line is set apart, as a footnote's number or mark."""
    whole = ""
    for text, raised in runs:
        mark = text.strip() if raised else ""
        marked = text.translate(_SUPERSCRIPTS) if mark.isdigit() else f" ({mark})"
        whole += marked if mark else text
    return whole


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
    if not isinstance(cell, int | float) or not isfinite(cell):
        return cell.isoformat() if isinstance(cell, date) else str(cell)
    if _OTHERWISE.search(form):
        return f"{FORMAT} {cell}"
    # Without what the format only prints, or that keeps a space.
    plain = re.sub(r'"[^"]*"|[\\_*].', "", form)
    if "%" in plain:
        return f"{(100 * Decimal(str(cell))).normalize():f}%"
    if thousands := re.search(r"[0#?](,+)(?![0#?,])", plain):
        return f"{Decimal(str(cell)).scaleb(-3 * len(thousands[1])).normalize():f}"
    return str(int(cell)) if cell == int(cell) and abs(cell) < 1e15 else str(cell)


def _parquet(content: bytes) -> Iterator[_Sheet]:
    from pyarrow import parquet

    file = parquet.ParquetFile(io.BytesIO(content))
    if file.metadata.num_rows * file.metadata.num_columns > MOST_CELLS:
        raise ValueError(f"{file.metadata.num_rows:,} rows")
    sheet, table = _Sheet(""), file.read(use_threads=False)
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    for column, name in enumerate(names):
        for row, value in enumerate([name, *table[name].to_pylist()], start=1):
            sheet.cells[row, column] = "" if value != value else _text(value)
    yield sheet


if __name__ == "__main__":
    main()
