"""Reading: any file that a partner sends, as rows of figures with the cell of each.

Two steps. A file becomes grids of text, one per sheet: CSV in any common encoding and delimiter,
and the workbooks that python-calamine reads. A grid becomes long rows: the header is found below
title rows, periods may run across the top, total rows are checked and left out. What a cell means
is decided later, in the cleaning.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from psa_analysis.findings import DataError, Finding, did_you_mean, one_of
from psa_analysis.loading import RETURN_FOLDERS
from psa_analysis.periods import PeriodError, parse_period, read_day
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.provenance import ENDING, Sidecar, raw_files, shown

WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}
TEXT_FILES = {".csv", ".tsv", ".txt"}

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
_FIELD_OF = {heading: field for field, headings in FIELDS.items() for heading in headings}
#: Headings of our own template that only help whoever fills it in.
_HELP = {"what is measured", "unit", "last value", "last period", "definition", "title"}
ROW_COLUMNS = [*FIELDS, "sheet", "row", "column"]

_TOTAL = re.compile(r"(?:grand |county |sub-?)?total.*|all (?:districts|areas|authorities)", re.I)
_QUARTER_ONLY = re.compile(r"(?:q|quarter|qtr)\s*[1-4]", re.IGNORECASE)
#: Rows that may stand above the header.
_TITLE_ROWS = 30


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
    """Read a file's sheets as text.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What findings call it.

    Returns
    -------
    grids : list of Grid
        The visible sheets that hold anything.
    findings : list of Finding
        Sheets left out, and doubts about the encoding.

    Raises
    ------
    DataError
        If the file cannot be read at all.
    """
    ending = path.suffix.lower()
    if ending in TEXT_FILES:
        return _read_text(path.read_bytes(), name)
    if ending in WORKBOOKS:
        return _read_workbook(path, name)
    raise DataError(
        [
            Finding(
                "error", name, f"a file ending in {', '.join(sorted(TEXT_FILES | WORKBOOKS))}",
                "Ask for it in one of these forms.", found=ending or "no ending",
            )
        ]
    )  # fmt: skip


def load_returns(
    folder: Path, sidecars: Mapping[str, Sidecar], known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every return and published file of an agreement.

    Parameters
    ----------
    folder : Path
        The agreement's data folder.
    sidecars : mapping
        What is known of each file; a file whose sidecar is refused is not read.
    known : mapping
        The names of each ``measure`` and ``area`` that the register knows.

    Returns
    -------
    table : pandas.DataFrame
        The columns of :data:`ROW_COLUMNS` as text, with ``file``.
    findings : list of Finding
        What could not be read. Every other file, sheet and row is still loaded.
    """
    tables: list[pd.DataFrame] = []
    findings = [
        Finding("warning", f"raw/{part}", "a folder", "Add it, with the files in it.")
        for part in RETURN_FOLDERS[:1]  # the published figures are a help, the returns are needed
        if not (folder / "raw" / part).is_dir()
    ]
    for path in raw_files(folder / "raw"):
        name = shown(path, folder)
        if not path.is_file():
            findings.append(Finding("error", name, "a file", "Take the folder or link away."))
            continue
        sidecar = sidecars.get(name)
        if sidecar is None and path.with_name(path.name + ENDING).exists():
            continue  # its sidecar was refused, and that finding says why
        defaults = dict(sidecar.defaults) if sidecar else {}
        if sidecar:
            defaults.setdefault("received", sidecar.received.isoformat())
        try:
            grids, doubts = read_grids(path, name)
        except DataError as error:
            findings += error.findings
            continue
        findings += doubts
        for grid in grids:
            rows, doubts = lay_out(grid, name, known, defaults)
            findings += doubts
            tables.append(rows.assign(file=_same(name, rows.index)))
    columns = [*ROW_COLUMNS, "file"]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=columns, dtype=str).astype({"row": int}), findings
    return (filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True))[
        columns
    ], findings


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
                    "error", name, "a CSV file", "Look for a quotation mark that is not closed.",
                    found=str(error),
                )
            ]
        ) from None  # fmt: skip
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
    known = sum(_heading(cell) in _FIELD_OF for cell in header)
    if known < 2 or "\0" in text:
        return None, []
    findings: list[Finding] = []

    def uneven(row: pyarrow.csv.InvalidRow) -> str:
        findings.append(
            Finding(
                "error", name, f"{row.expected_columns} cells",
                "Complete the row; text that holds a comma goes in quotation marks.",
                row=row.number, found=f"{row.actual_columns} cells",
            )
        )  # fmt: skip
        return "skip"

    content = pa.py_buffer(text.encode("utf-8", errors="replace"))
    names = [str(number) for number in range(len(header))]

    def read(threads: bool) -> pd.DataFrame:
        findings.clear()
        return pyarrow.csv.read_csv(
            content,
            read_options=pyarrow.csv.ReadOptions(use_threads=threads, column_names=names),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False,
                invalid_row_handler=uneven,
            ),
            # Text repeats: as codes it takes a tenth of the room.
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
                strings_can_be_null=False,
            ),
        ).to_pandas()  # fmt: skip

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
                    "error", name, "each quotation mark closed in its own cell",
                    "One cell holds the rows below it: look for a quotation mark left open.",
                )
            ]
        )  # fmt: skip
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
                    "error", name, "a workbook that opens",
                    "Open it, take any password off and save it.", found=str(error) or "nothing",
                )
            ]
        ) from None  # fmt: skip
    grids, findings = [], []
    marked = _marked_cells(path) if path.suffix.lower() in (".xlsx", ".xlsm") else {}
    for place, about in enumerate(book.sheets_metadata):
        try:
            sheet = book.get_sheet_by_index(place)
            rows = sheet.to_python(skip_empty_area=False)
        except (CalamineError, ValueError, OSError, OverflowError) as error:
            findings.append(
                Finding(
                    "error", name, "a sheet that can be read", "Ask for the workbook again.",
                    sheet=about.name, found=str(error),
                )
            )  # fmt: skip
            continue
        if not any(cell != "" for row in rows for cell in row):
            continue
        if about.visible != SheetVisibleEnum.Visible:
            findings.append(
                Finding(
                    "warning", name, "figures on visible sheets",
                    "The sheet is hidden and was not read: unhide it if it counts.",
                    sheet=about.name,
                )
            )  # fmt: skip
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


# From a grid to rows


def lay_out(
    grid: Grid, name: str, known: Mapping[str, Iterable[str]], defaults: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Find the table in a grid and give it one row per figure.

    Parameters
    ----------
    grid : Grid
        A sheet.
    name : str
        What findings call the file.
    known : mapping
        The names of each ``measure`` and ``area`` that the register knows.
    defaults : mapping
        Fields that the file does not give, from its sidecar.

    Returns
    -------
    rows : pandas.DataFrame
        Text in the columns of :data:`ROW_COLUMNS`; ``column`` is the letter of the figure's column.
    findings : list of Finding
        Columns and rows that were not read, totals that do not add up.
    """
    place = {"file": name, "sheet": grid.sheet or None}
    names = {str(one).casefold() for field in known.values() for one in field}
    for row, header in _candidate_headers(grid):
        grid, header = _with_years_in_quarters(grid, row, header)
        listed = [
            _FIELD_OF[_heading(text)] for text in header.values() if _heading(text) in _FIELD_OF
        ]
        fields = {
            _FIELD_OF[_heading(text)]: column
            for column, text in header.items()
            if _heading(text) in _FIELD_OF
        }
        periods = {column: text for column, text in header.items() if _is_period(text)}
        long = "value" in fields and ("period" in fields or "period" in defaults)
        if not long and (not periods or _is_no_header(grid, row, header, periods, names)):
            continue
        twice = sorted({field for field in listed if listed.count(field) > 1})
        again = sorted({text for text in periods.values() if [*periods.values()].count(text) > 1})
        bare = [text for text in header.values() if _QUARTER_ONLY.fullmatch(text)]
        if twice or (not long and (again or bare)):
            return _refused(
                f"one column for each of {', '.join(twice or again or bare)}", row, place,
                "Send one table with one column for each, and years above every quarter.",
            )  # fmt: skip
        if not long and (words := _words_above(grid, row, periods)):
            return _refused(
                f"figures that were observed: '{words}' stands above the periods", row, place,
                "Send what was observed alone, without targets or forecasts beside it.",
            )  # fmt: skip
        return (
            _long(grid, row, header, fields, defaults, place)
            if long
            else _wide(grid, row, header, fields, periods, known, defaults, place)
        )
    missing = Finding(
        "error", name, "a header row: measure, area, period and value, or periods across the top",
        "Ask for the table on our template.", sheet=grid.sheet or None,
        found=_first_text(grid),
    )  # fmt: skip
    return pd.DataFrame(columns=ROW_COLUMNS), [missing]


def _with_years_in_quarters(
    grid: Grid, row: int, header: dict[int, str]
) -> tuple[Grid, dict[int, str]]:
    """A year and its quarter in two columns, as one column of periods."""
    by_heading = {_heading(text): column for column, text in header.items()}
    years = [by_heading[name] for name in ("year", "financial year") if name in by_heading]
    if len(years) != 1 or "quarter" not in by_heading:
        return grid, header
    year, quarter = years[0], by_heading["quarter"]
    below = grid.cells.loc[row + 1 :]
    numbers = below[quarter].astype("str").str.strip()
    numbers = numbers.where(~numbers.isin(["1", "2", "3", "4"]), "Q" + numbers)
    cells = grid.cells.astype({quarter: "str"})
    cells.loc[row + 1 :, quarter] = (
        below[year].astype("str").str.strip() + " " + numbers
    ).str.strip()
    rest = {column: text for column, text in header.items() if column != year}
    return Grid(grid.sheet, cells.drop(columns=year)), rest


def _refused(
    expected: str, row: int, place: dict[str, str | None], remedy: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """No row of a sheet that could be read in more than one way."""
    finding = Finding(
        "error", str(place["file"]), expected, remedy, sheet=place["sheet"], row=row
    )  # fmt: skip
    return pd.DataFrame(columns=ROW_COLUMNS), [finding]


def _is_no_header(
    grid: Grid, row: int, header: dict[int, str], periods: dict[int, str], names: set[str]
) -> bool:
    """Whether a row that names periods is data, or stands over another header."""
    others = [text for column, text in header.items() if column not in periods and text]
    if any(text.casefold() in names or read_cell(text).value is not None for text in others):
        return True
    below = grid.cells.loc[row + 1 : row + 1]
    headings = [_heading(str(cell)) for cell in below.to_numpy().ravel()]
    return sum(heading in _FIELD_OF for heading in headings) >= 2


_NOT_OBSERVED = re.compile(
    r"\b(?:targets?|forecasts?|plan(?:ned)?|projected|last year|previous)\b", re.I
)


def _words_above(grid: Grid, row: int, periods: dict[int, str]) -> str:
    """Words above the periods that say that a column holds something else than outturns."""
    above = grid.cells.loc[: row - 1, min(periods) :]
    return next(
        (str(cell) for cell in above.to_numpy().ravel() if _NOT_OBSERVED.search(str(cell))), ""
    )


def _second_header(below: pd.DataFrame, labels: Iterable[int]) -> int | None:
    """The row where another table begins, if one does."""
    headings = {*FIELDS["measure"], *FIELDS["area"], *FIELDS["period"]}
    for column in labels:
        # Each different text once: a long table repeats its names.
        same = [text for text in below[column].unique() if str(text).strip().casefold() in headings]
        if same:
            return int(below.index[below[column].isin(same)][0])
    return None


def _heading(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.casefold()).split())


def _first_text(grid: Grid) -> str:
    texts = (
        str(cell) for _, row in grid.cells.head(_TITLE_ROWS).iterrows() for cell in row if cell
    )
    return next(texts, "")


def _candidate_headers(grid: Grid) -> Iterator[tuple[int, dict[int, str]]]:
    """Rows that may be the header, from the top; a year over four quarters is written into each."""
    above: dict[int, str] = {}
    top = grid.cells.head(_TITLE_ROWS + 1)
    columns = [int(column) for column in top.columns]
    listed = [
        (
            int(number),
            {column: str(cell).strip() for column, cell in zip(columns, cells, strict=True)},
        )
        for number, *cells in top.itertuples(name=None)
    ]
    for place, (number, row) in enumerate(listed[:_TITLE_ROWS]):
        following = listed[place + 1][1] if place + 1 < len(listed) else {}
        headings = sum(_heading(text) in _FIELD_OF for text in row.values())
        if headings < 2 and any(_QUARTER_ONLY.fullmatch(text) for text in following.values()):
            above = row  # the years over the header's quarters
            continue
        joined, year = {}, ""
        for column, text in row.items():
            # A year stands in the first of the cells that it covers.
            year = above.get(column) or (year if _QUARTER_ONLY.fullmatch(text) else "")
            whole = f"{year} {text}"
            joined[column] = whole if _QUARTER_ONLY.fullmatch(text) and year else text
        yield number, joined
        above = row


def _is_period(text: str) -> bool:
    if re.fullmatch(r"(?:19|20)\d\d-\d\d-\d\d", text):
        return read_day(text) is not None
    try:
        parse_period(text)
    except PeriodError:
        # What has two meanings is meant as a period all the same, and refused later.
        return bool(re.fullmatch(r"(?i)fy ?\d\d|q[1-4] (?:19|20)\d\d|(?:19|20)\d\d \d?q\d+", text))
    return True


def _long(
    grid: Grid, row: int, header: dict[int, str], fields: dict[str, int],
    defaults: Mapping[str, str], place: dict[str, str | None],
) -> tuple[pd.DataFrame, list[Finding]]:  # fmt: skip
    """A table with one figure a row."""
    below = grid.cells.loc[row + 1 :]
    below = below[(below != "").any(axis=1)]
    findings = _unread_columns(header, row, place)
    labels = [fields[field] for field in ("measure", "area", "period") if field in fields]
    below = _until_second_table(below, labels, findings, place)
    unheaded = [column for column, text in header.items() if not text]
    stray = below.index[(below[unheaded] != "").any(axis=1)] if unheaded else below.index[:0]
    findings += [
        Finding(
            "error", str(place["file"]), "nothing beyond the last heading",
            "A figure with a comma in it goes in quotation marks.", sheet=place["sheet"],
            row=int(number),
        )
        for number in stray
    ]  # fmt: skip
    below = below.drop(index=stray)
    missing = [
        field for field in ("measure", "period", "value") if field not in {*fields, *defaults}
    ]
    if missing:
        findings += [_missing_column(field, row, place) for field in missing]
        return pd.DataFrame(columns=ROW_COLUMNS), findings
    rows = pd.DataFrame(index=below.index)
    for field in FIELDS:
        rows[field] = (
            below[fields[field]] if field in fields else _same(defaults.get(field, ""), below.index)
        )
    if "received" in fields and "received" in defaults and (rows["received"] == "").any():
        given = rows["received"].astype("str")
        rows["received"] = given.where(given != "", defaults["received"])
    rows["sheet"] = _same(grid.sheet, below.index)
    rows["row"] = below.index
    rows["column"] = _same(column_letter(fields["value"]), below.index)
    totals = (
        rows["area"].str.fullmatch(_TOTAL.pattern, case=False) if len(rows) else rows["area"] == ""
    )
    if totals.any():
        findings += _check_totals_long(rows, totals, place)
        rows = rows[~totals]
    # A row that gives no figure, measure or period is a line of words below the table.
    words = (rows["value"] == "") & (rows["period"] == "")
    words &= (rows["numerator"] == "") & (rows["denominator"] == "")
    return rows[~words][ROW_COLUMNS].reset_index(drop=True), findings


def _until_second_table(
    below: pd.DataFrame, labels: Iterable[int], findings: list[Finding],
    place: dict[str, str | None],
) -> pd.DataFrame:  # fmt: skip
    """The rows above a second header; what follows it is named and not read."""
    again = _second_header(below, labels)
    if again is None:
        return below
    findings.append(
        Finding(
            "error", str(place["file"]), "one table to a sheet",
            "Another header stands here, and nothing from it on was read: put the second table "
            "on a sheet of its own.", sheet=place["sheet"], row=again,
        )
    )  # fmt: skip
    return below.loc[: again - 1]


def _same(text: str, index: pd.Index) -> pd.Series:
    """One text for every row, held once."""
    codes = np.zeros(len(index), dtype=np.int8)
    return pd.Series(pd.Categorical.from_codes(codes, categories=[text]), index=index)


def _wide(
    grid: Grid, row: int, header: dict[int, str], fields: dict[str, int], periods: dict[int, str],
    known: Mapping[str, Iterable[str]], defaults: Mapping[str, str], place: dict[str, str | None],
) -> tuple[pd.DataFrame, list[Finding]]:  # fmt: skip
    """A table with a period to each column."""
    below = grid.cells.loc[row + 1 :]
    findings = _unread_columns({c: t for c, t in header.items() if c not in periods}, row, place)
    labels = dict(fields)
    for field in ("measure", "area"):
        names = {str(listed).casefold() for listed in known[field]}
        for column in header:
            cells = below[column].str.strip().str.casefold()
            if field not in labels and column not in periods and cells.isin(names).any():
                labels[field] = column
    if "measure" not in labels and "measure" not in defaults:
        if grid.sheet.casefold() not in {str(listed).casefold() for listed in known["measure"]}:
            return pd.DataFrame(columns=ROW_COLUMNS), [
                *findings,
                _missing_column("measure", row, place),
            ]
        defaults = {**defaults, "measure": grid.sheet}
    below = _until_second_table(below, labels.values(), findings, place)
    made: list[dict[str, object]] = []
    since = 0
    for number, cells in below.iterrows():
        own = {field: str(cells[column]).strip() for field, column in labels.items()}
        figures = {column: str(cells[column]) for column in periods if str(cells[column]).strip()}
        if not figures:
            continue  # a heading between rows, or words below the table
        label = own.get("area") or own.get("measure") or str(cells.iloc[0]).strip()
        if _TOTAL.fullmatch(label):
            findings += _check_totals_wide(made[since:], figures, int(str(number)), place)
            since = len(made)
            continue
        for column, figure in figures.items():
            made.append(
                {field: own.get(field, defaults.get(field, "")) for field in FIELDS}
                | {
                    "period": periods[column], "value": figure, "sheet": grid.sheet,
                    "row": int(str(number)), "column": column_letter(column),
                }
            )  # fmt: skip
    return pd.DataFrame(made, columns=ROW_COLUMNS), findings


def _unread_columns(
    header: dict[int, str], row: int, place: dict[str, str | None]
) -> list[Finding]:
    names = [heading for headings in FIELDS.values() for heading in headings]
    return [
        Finding(
            "warning", str(place["file"]), "a heading that we know",
            f"The column was not read. {did_you_mean(text, names)}",
            sheet=place["sheet"], row=row, column=column_letter(column), found=text,
        )
        for column, text in header.items()
        if text and _heading(text) not in {*_FIELD_OF, *_HELP, ""}
    ]  # fmt: skip


def _missing_column(field: str, row: int, place: dict[str, str | None]) -> Finding:
    return Finding(
        "error", str(place["file"]), f"a column headed {one_of(FIELDS[field])}",
        "Add the column, or name it in the file's sidecar.", sheet=place["sheet"], row=row,
        column=field,
    )  # fmt: skip


def _sums(total: str, parts: list[str]) -> bool:
    """Whether figures add up to a total as far as their decimals can tell."""
    figures = [read_cell(part).value for part in parts]
    whole = read_cell(total).value
    if whole is None or not figures or any(figure is None for figure in figures):
        return True  # what cannot be added up is not wrong
    known = [figure for figure in figures if figure is not None]
    if min(known) <= whole <= max(known) and len(known) > 1:
        return True  # an average of the rows, as for rates
    decimals = max(len(text.partition(".")[2].rstrip("%")) for text in (total, *parts))
    added = sum(figure for figure in figures if figure is not None)
    return abs(added - whole) <= 0.5 * 10.0**-decimals * (len(figures) + 1)


def _total_finding(row: int, found: str, parts: list[str], place: dict[str, str | None]) -> Finding:
    added = sum(value for part in parts if (value := read_cell(part).value) is not None)
    return Finding(
        "warning", str(place["file"]), f"the sum of the rows above, {added:,.10g}",
        "The total is not loaded; ask the sender whether it or one of the rows is wrong.",
        sheet=place["sheet"], row=row, found=found,
    )  # fmt: skip


def _check_totals_wide(
    made: list[dict[str, object]], figures: dict[int, str], row: int, place: dict[str, str | None]
) -> list[Finding]:
    findings = []
    for column, total in figures.items():
        parts = [str(one["value"]) for one in made if one["column"] == column_letter(column)]
        if not any("%" in part for part in parts) and not _sums(total, parts):
            findings.append(_total_finding(row, total, parts, place))
    return findings


def _check_totals_long(
    rows: pd.DataFrame, totals: pd.Series, place: dict[str, str | None]
) -> list[Finding]:
    findings = []
    for number, total in rows[totals].iterrows():
        same = ~totals & (rows["measure"] == total["measure"]) & (rows["period"] == total["period"])
        parts = rows.loc[same, "value"].tolist()
        if not _sums(total["value"], parts):
            findings.append(_total_finding(int(str(number)), total["value"], parts, place))
    return findings
