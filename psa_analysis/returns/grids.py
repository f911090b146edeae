"""Grids: any file that a partner sends, sheet by sheet as text."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from xlsxwriter.utility import xl_col_to_name

from psa_analysis.files import meanings, uneven
from psa_analysis.findings import DataError, Finding
from psa_analysis.returns.cells import plain_number, read_cell
from psa_analysis.returns.workbooks import ENDINGS, MOST_CELLS, MOST_COLUMNS, TEXT_FILES

#: Fields of a return, with the headings that stand for each.
FIELDS = {field: text.split(", ") for field, text in meanings("headings of a return").items()}
#: The field that each heading stands for.
FIELD_OF = {heading: field for field, headings in FIELDS.items() for heading in headings}

#: A figure whose comma or point may divide thousands or be the decimals'.
_UNCLEAR = r"(?<![\d.,])[1-9]\d{0,2}[.,]\d{3}(?![\d.,])"


@dataclass(frozen=True)
class Grid:
    """One sheet as text."""

    sheet: str  # its name; empty for a text file
    cells: pd.DataFrame  # rows as a spreadsheet counts them, columns counted from 0
    # Last row and column of each figure that is merged over several cells, by its first.
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    # How many cells each row of a text file has, empty ones at its end included.
    widths: dict[int, int] = field(default_factory=dict)
    hidden: pd.DataFrame = field(default_factory=pd.DataFrame)  # rows that nobody sees


def plain_heading(text: str) -> str:
    """A heading without capitals, signs and spare spaces, as :data:`FIELD_OF` has it."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.casefold()).split()) or text.strip()


def is_header(cells: Iterable[str]) -> bool:
    """Whether a row has the headings of two fields or more."""
    return sum(plain_heading(text) in FIELD_OF for text in cells) >= 2


def read_grids(path: Path, name: str) -> tuple[list[Grid], list[Finding]]:
    """Read a file's sheets as text."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        expected = f"a file ending in {', '.join(ENDINGS)}"
        remedy = "Ask for it in one of these forms."
        raise _refusal(name, expected, remedy, found=ending or "no ending")
    content = path.read_bytes()
    return _read_text(content, name) if ending in TEXT_FILES else _read_workbook(content, name)


def _refusal(name: str, expected: str, remedy: str, **place: Any) -> DataError:
    return DataError([Finding("error", name, expected, remedy, **place)])


def _read_text(content: bytes, name: str) -> tuple[list[Grid], list[Finding]]:
    text, findings = _decode(content, name)
    if not text.strip("\ufeff\r\n\t ,;|\0"):
        return [], findings
    delimiter = max(",;\t|", key=lambda sign: _evenness(text[:20_000], sign))
    if text.count(delimiter) + max(map(text.count, "\r\n")) > MOST_CELLS:
        raise _refusal(name, f"at most {MOST_CELLS:,} cells", "Keep what counts.")
    # Below a header in the first row all rows have its width; titles and the like have any.
    header = next(_csv_rows(text, delimiter))
    headed = is_header(header)
    width = len(header) if headed else _evenness(text[:20_000], delimiter)[1]
    rows = dict(enumerate(_csv_rows(text, delimiter, strict=not headed), start=1))
    if swallowing := _swallowing(rows, delimiter, width, text.count('"') % 2 == 1):
        remedy = "One cell holds the rows below it: look for a quotation mark left open."
        raise _refusal(name, "each quotation mark closed in its own cell", remedy, row=swallowing)
    if headed:
        findings += uneven(name, rows, width)
        # A second header is kept, since none of the rows below it stand under the first.
        rows = {n: row for n, row in rows.items() if len(row) in (0, width) or is_header(row)}
    widths = {number: len(row) for number, row in rows.items()}
    widest = max(widths.values(), default=0)
    if widest > MOST_COLUMNS or len(widths) * widest > MOST_CELLS:
        raise _refusal(name, f"at most {MOST_COLUMNS:,} columns", "Look for a row far wider.")
    columns = zip_longest(*(rows[number] for number in widths), fillvalue="")
    cells = pd.DataFrame(dict(enumerate(columns)), pd.Index(widths, name="row"), dtype=str)
    if delimiter == ";":  # where people write a comma in place of a point, either may be meant
        for column in cells:
            doubtful = cells[column][cells[column].str.contains(_UNCLEAR)]
            doubtful = doubtful[[read_cell(text).value is not None for text in doubtful]]
            cells.loc[doubtful.index, column] = "#unclear " + doubtful
    return [Grid("", cells, widths=widths)] if len(cells) else [], findings


def _swallowing(rows: dict[int, list[str]], sign: str, width: int, is_open: bool) -> int | None:
    """The first row of which a quotation mark left open has swallowed others."""
    # A note may have lines of its own, but none that is as long as a row, or holds a figure.
    for number, row in rows.items():
        _, *lines = re.split(r"\r\n?|\n", sign.join(row).strip())
        for line in (line.split(sign) for line in lines):
            holds_figure = any(plain_number(cell.strip()) is not None for cell in line)
            if len(line) == width or (len(line) > 2 and holds_figure):
                return number
        if lines and is_open and number == len(rows):
            return number
    return None


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


def _open_workbook(content: bytes, name: str) -> list[dict[str, Any]]:
    """The sheets of a workbook, as a child of this process reads them: see `workbooks`."""
    hundreds = len(content) // 100_000  # of thousands of bytes
    seconds = 5 + 3 * hundreds
    # It finds what this process finds, but the libraries of Python first.
    start = "import sys; sys.path += sys.argv[1:-1]; "
    start += "from psa_analysis.returns.workbooks import main; main()"
    command = [sys.executable, "-P", "-c", start, *filter(None, sys.path), str(seconds)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    options: dict[str, Any] = {"input": content, "capture_output": True, "env": environment}
    try:
        # Where the machine is busy it may wait a while.
        done = subprocess.run(command, **options, timeout=9 + 10 * hundreds, check=False)
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        answer = f"what breaks the program that reads it, or takes it over {seconds} seconds"
    if isinstance(answer, str):
        if name.lower().endswith(".parquet"):
            raise _refusal(name, "a Parquet file", "Ask for the file again.", found=answer)
        remedy = "Open it, take off any password and stray cells, and save it as .xlsx."
        raise _refusal(name, "a workbook that opens", remedy, found=answer)
    return answer


def _read_workbook(content: bytes, name: str) -> tuple[list[Grid], list[Finding]]:
    grids, findings = [], []
    for sheet in _open_workbook(content, name):
        cells = pd.DataFrame(sheet["cells"], sheet["rows"], sheet["columns"], dtype=str)
        if not cells.map(str.strip).any(axis=None):
            continue
        if not sheet["visible"]:
            remedy = "The sheet is hidden and was not read: unhide it if it counts."
            about = ("figures on visible sheets", remedy)
            findings.append(Finding("warning", name, *about, sheet=sheet["name"]))
            continue
        rows, columns = sheet["hidden_rows"], sheet["hidden_columns"]
        if places := [*map(str, rows), *map(xl_col_to_name, columns)]:
            found = f"hidden: {', '.join(places[:8])}{' …' if len(places) > 8 else ''}"
            remedy = "What is hidden or filtered away was not read: unhide it if it counts."
            about = ("visible rows and columns", remedy)
            findings.append(Finding("warning", name, *about, sheet=sheet["name"], found=found))
        merged = {}
        for top, bottom, left, right in sheet["merged"]:
            text = cells.at[top, left] if top in cells.index and left in cells else ""
            if read_cell(text).value is not None:
                merged[top, left] = (bottom, right)
            elif text:
                # A name merged over several rows is the name of each.
                cells.loc[top:bottom, left] = text
        cells = cells.drop(columns=columns).rename_axis(index="row")
        shown = cells.drop(index=rows)
        if shown.size:
            grids.append(Grid(sheet["name"], shown, merged, hidden=cells.loc[rows]))
    return grids, findings
