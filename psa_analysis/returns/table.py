"""Table: the table in each grid, as rows of figures with the cell of each.

The header is found below title rows, periods may run across the top, total rows are checked and
left out. What a cell means is decided later, in :mod:`psa_analysis.returns.cleaning`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.files import RETURN_FOLDERS
from psa_analysis.findings import DataError, Finding, Severity, did_you_mean, one_of
from psa_analysis.periods import PeriodError, parse_period, read_day
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.grids import (
    FIELD_OF,
    FIELDS,
    Grid,
    column_letter,
    plain_heading,
    read_grids,
)
from psa_analysis.returns.sources import Sidecar, raw_files, shown, sidecar_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

ROW_COLUMNS = [*FIELDS, "sheet", "row", "column"]
_NO_ROWS = pd.DataFrame(columns=ROW_COLUMNS, dtype=str).astype({"row": int})

#: Headings of our own template that only help whoever fills it in.
HELP = {"what is measured", "unit", "last value", "last period", "definition", "title"}

#: Rows that may stand above the header.
_TITLE_ROWS = 30
_TOTAL = re.compile(r"(?:grand |county |sub-?)?total.*|all (?:districts|areas|authorities)", re.I)
_QUARTER_ONLY = re.compile(r"(?:q|quarter|qtr)\s*[1-4]", re.I)
_NOT_OBSERVED = re.compile(
    r"\b(?:targets?|forecasts?|plan(?:ned)?|projected|last year|previous)\b", re.I
)


def load_returns(
    folder: Path, sidecars: Mapping[str, Sidecar], known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every return and published file of an agreement."""
    tables = [_NO_ROWS.assign(file="")]
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
        if sidecar is None and sidecar_of(path).exists():
            continue  # its sidecar was refused, and that finding says why
        defaults = {"received": sidecar.received.isoformat()} | sidecar.defaults if sidecar else {}
        try:
            grids, doubts = read_grids(path, name)
        except DataError as error:
            findings += error.findings
            continue
        findings += doubts
        for grid in grids:
            rows, doubts = lay_out(grid, name, known, defaults)
            findings += doubts
            tables.append(rows.assign(file=name))
    filled = [table for table in tables if len(table)]
    return pd.concat(filled or tables[:1], ignore_index=True), findings


@dataclass(frozen=True)
class _Sheet:
    """A grid whose table is being read: its header so far, and what is doubtful."""

    grid: Grid
    file: str
    row: int = 0  # of the header
    header: dict[int, str] = field(default_factory=dict)  # headings by column
    findings: list[Finding] = field(default_factory=list)

    def add(self, severity: Severity, expected: str, remedy: str, **place: Any) -> None:
        """Note what is wrong or doubtful; `place` is its row, its column and what was found."""
        sheet = self.grid.sheet or None
        self.findings.append(Finding(severity, self.file, expected, remedy, sheet=sheet, **place))

    @property
    def below(self) -> pd.DataFrame:
        """The cells below the header."""
        return self.grid.cells.loc[self.row + 1 :]

    @property
    def fields(self) -> dict[str, int]:
        """The column of each field that has a heading."""
        plain = {column: plain_heading(text) for column, text in self.header.items()}
        return {FIELD_OF[text]: column for column, text in plain.items() if text in FIELD_OF}

    @property
    def periods(self) -> dict[int, str]:
        """The columns that are headed by a period."""
        return {column: text for column, text in self.header.items() if _is_period(text)}


def lay_out(
    grid: Grid, name: str, known: Mapping[str, Iterable[str]], defaults: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Find the table in a grid and give it one row per figure."""
    names = {field: {str(text).casefold() for text in known[field]} for field in known}
    for row, header in _candidate_headers(grid):
        sheet = _with_years_in_quarters(_Sheet(grid, name, row, header))
        fields, periods = sheet.fields, sheet.periods
        long = "value" in fields and ("period" in fields or "period" in defaults)
        if not long and (not periods or _is_no_header(sheet, set().union(*names.values()))):
            continue
        if unclear := _unclear(sheet, long):
            sheet.add("error", *unclear, row=row)
            rows = _NO_ROWS
        else:
            rows = _long(sheet, defaults) if long else _wide(sheet, names, defaults)
        return rows.assign(sheet=grid.sheet)[ROW_COLUMNS], sheet.findings
    sheet = _Sheet(grid, name)
    texts = (text for text in grid.cells.head(_TITLE_ROWS).to_numpy().ravel() if text)
    expected = "a header row: measure, area, period and value, or periods across the top"
    remedy = "Ask for the table on our template."
    sheet.add("error", expected, remedy, found=next(texts, ""))
    return _NO_ROWS, sheet.findings


def _candidate_headers(grid: Grid) -> Iterator[tuple[int, dict[int, str]]]:
    """Rows that may be the header, from the top; a year over four quarters is written into each."""
    top = grid.cells.head(_TITLE_ROWS + 1)
    rows = [
        {column: text.strip() for column, text in enumerate(cells)}
        for cells in top.itertuples(index=False, name=None)
    ]
    above: dict[int, str] = {}
    numbered = zip(top.index, rows, [*rows[1:], {}], strict=True)
    for number, row, following in islice(numbered, _TITLE_ROWS):
        headings = sum(plain_heading(text) in FIELD_OF for text in row.values())
        if headings < 2 and any(_QUARTER_ONLY.fullmatch(text) for text in following.values()):
            above = row  # the years over the header's quarters
            continue
        joined, year = {}, ""
        for column, text in row.items():
            # A year stands in the first of the cells that it covers.
            quarter = _QUARTER_ONLY.fullmatch(text)
            year = above.get(column) or (year if quarter else "")
            joined[column] = f"{year} {text}" if quarter and year else text
        yield int(number), joined
        above = row


def _with_years_in_quarters(sheet: _Sheet) -> _Sheet:
    """A year and its quarter in two columns, as one column of periods."""
    by_heading = {plain_heading(text): column for column, text in sheet.header.items()}
    years = [by_heading[name] for name in ("year", "financial year") if name in by_heading]
    if len(years) != 1 or "quarter" not in by_heading:
        return sheet
    year, quarter = years[0], by_heading["quarter"]
    numbers = sheet.below[quarter].str.strip()
    numbers = numbers.where(~numbers.isin(["1", "2", "3", "4"]), "Q" + numbers)
    cells = sheet.grid.cells.drop(columns=year)
    cells.loc[sheet.row + 1 :, quarter] = (
        sheet.below[year].str.strip() + " " + numbers
    ).str.strip()
    header = {column: text for column, text in sheet.header.items() if column != year}
    return replace(sheet, grid=replace(sheet.grid, cells=cells), header=header)


def _is_period(text: str) -> bool:
    if re.fullmatch(r"(?:19|20)\d\d-\d\d-\d\d", text):
        return read_day(text) is not None
    try:
        parse_period(text)
    except PeriodError:
        # What has two meanings is meant as a period all the same, and refused later.
        return bool(re.fullmatch(r"(?i)fy ?\d\d|q[1-4] (?:19|20)\d\d|(?:19|20)\d\d \d?q\d+", text))
    return True


def _is_no_header(sheet: _Sheet, names: set[str]) -> bool:
    """Whether a row that names periods is data, or stands over another header."""
    others = [text for text in sheet.header.values() if text and not _is_period(text)]
    if any(text.casefold() in names or read_cell(text).value is not None for text in others):
        return True
    headings = [plain_heading(text) for text in sheet.below.head(1).to_numpy().ravel()]
    return sum(heading in FIELD_OF for heading in headings) >= 2


def _unclear(sheet: _Sheet, long: bool) -> tuple[str, str] | None:
    """What is expected instead of a header that can be read in more than one way, and a remedy."""
    texts = list(sheet.header.values())
    fields = [FIELD_OF.get(plain_heading(text), "") for text in texts]
    unclear = _repeated(fields)
    if not long and not unclear:
        bare_quarters = [text for text in texts if _QUARTER_ONLY.fullmatch(text)]
        unclear = _repeated(sheet.periods.values()) or bare_quarters
    if unclear:
        remedy = "Send one table with one column for each, and years above every quarter."
        return f"one column for each of {', '.join(unclear)}", remedy
    if long:
        return None
    above = sheet.grid.cells.loc[: sheet.row - 1, min(sheet.periods) :].to_numpy().ravel()
    # Columns under such words hold something else than outturns.
    words = next((text for text in above if _NOT_OBSERVED.search(text)), "")
    if not words:
        return None
    expected = f"figures that were observed: '{words}' stands above the periods"
    return expected, "Send what was observed alone, without targets or forecasts beside it."


def _repeated(texts: Iterable[str]) -> list[str]:
    listed = [text for text in texts if text]
    return sorted({text for text in listed if listed.count(text) > 1})


def _name_unread_columns(sheet: _Sheet, periods: Iterable[int] = ()) -> None:
    names = [heading for headings in FIELDS.values() for heading in headings]
    for column, text in sheet.header.items():
        if column not in periods and plain_heading(text) not in {*FIELD_OF, *HELP, ""}:
            remedy = f"The column was not read. {did_you_mean(text, names)}"
            place = {"row": sheet.row, "column": column_letter(column), "found": text}
            sheet.add("warning", "a heading that we know", remedy, **place)


def _without_columns(sheet: _Sheet, names: Iterable[str]) -> pd.DataFrame:
    for name in names:
        expected = f"a column headed {one_of(FIELDS[name])}"
        remedy = "Add the column, or name it in the file's sidecar."
        sheet.add("error", expected, remedy, row=sheet.row, column=name)
    return _NO_ROWS


def _long(sheet: _Sheet, defaults: Mapping[str, str]) -> pd.DataFrame:
    """The rows of a table with one figure a row."""
    fields, below = sheet.fields, sheet.below
    below = below[(below != "").any(axis=1)]
    _name_unread_columns(sheet)
    labels = [fields[name] for name in ("measure", "area", "period") if name in fields]
    below = _until_second_header(sheet, below, labels)
    unheaded = [column for column, text in sheet.header.items() if not text]
    stray = below.index[(below[unheaded] != "").any(axis=1)]
    for number in stray:
        remedy = "A figure with a comma in it goes in quotation marks."
        sheet.add("error", "nothing beyond the last heading", remedy, row=int(number))
    missing = [name for name in ("measure", "period", "value") if name not in {*fields, *defaults}]
    if missing:
        return _without_columns(sheet, missing)
    below = below.drop(index=stray)
    table = pd.DataFrame({name: below[column] for name, column in fields.items()})
    table = table.assign(row=below.index, column=column_letter(fields["value"]))
    table = _with_defaults(table, defaults)
    totals = table["area"].str.strip().str.fullmatch(_TOTAL.pattern, case=False)
    table = _without_totals(sheet, table, totals, ["measure", "period"])
    # A row that gives no figure, measure or period is a line of words below the table.
    cells = table[["value", "period", "numerator", "denominator"]]
    return table[(cells != "").any(axis=1)]


def _wide(
    sheet: _Sheet, names: Mapping[str, set[str]], defaults: Mapping[str, str]
) -> pd.DataFrame:
    """The rows of a table with a period to each column, one per figure."""
    periods, below = sheet.periods, sheet.below
    labels = {name: at for name, at in sheet.fields.items() if name not in ("period", "value")}
    _name_unread_columns(sheet, periods)
    for column in [column for column in sheet.header if column not in periods]:
        cells = set(below[column].str.strip().str.casefold())
        for name in ("measure", "area"):
            if name not in labels and cells & names[name]:
                labels[name] = column
    if "measure" not in {*labels, *defaults}:
        if sheet.grid.sheet.casefold() not in names["measure"]:
            return _without_columns(sheet, ["measure"])
        defaults = {**defaults, "measure": sheet.grid.sheet}
    below = _until_second_header(sheet, below, labels.values())
    texts = {name: below[column].str.strip() for name, column in labels.items()}
    table = pd.DataFrame(texts, index=below.index)
    # What a row is called: its area, or its measure, or what stands first in it.
    title = below.iloc[:, 0].str.strip()
    for name in [name for name in ("measure", "area") if name in labels]:
        title = table[name].where(table[name] != "", title)
    table = table.assign(row=below.index, title=title).join(below[list(periods)])
    table = table.melt([*labels, "row", "title"], list(periods), "place", "value")
    # Without the headings between rows, and words below the table.
    table = table[table["value"].str.strip() != ""].sort_values(["row", "place"])
    table["period"] = table["place"].map(periods)
    table["column"] = table["place"].map(column_letter)
    totals = table["title"].str.fullmatch(_TOTAL.pattern, case=False)
    # A total is of the rows since the one before it.
    table["part"] = totals.groupby(table["place"]).cumsum() - totals
    table = _without_totals(sheet, table, totals, ["place", "part"])
    return _with_defaults(table, defaults)


def _until_second_header(
    sheet: _Sheet, below: pd.DataFrame, columns: Iterable[int]
) -> pd.DataFrame:
    """The rows above a second header; what follows it is named and not read."""
    headings = {*FIELDS["measure"], *FIELDS["area"], *FIELDS["period"]}
    texts = below[list(columns)].map(lambda text: text.strip().casefold())
    again = below.index[texts.isin(headings).any(axis=1)]
    if again.empty:
        return below
    remedy = (
        "Another header stands here, and nothing from it on was read: put the second table "
        "on a sheet of its own."
    )
    sheet.add("error", "one table to a sheet", remedy, row=int(again[0]))
    return below.loc[: again[0] - 1]


def _with_defaults(table: pd.DataFrame, defaults: Mapping[str, str]) -> pd.DataFrame:
    """The table with what its sidecar says where it says nothing itself."""
    table = table.assign(**{name: defaults.get(name, "") for name in FIELDS if name not in table})
    blank = table["received"].str.strip() == ""
    return table.assign(received=table["received"].mask(blank, defaults.get("received", "")))


def _without_totals(
    sheet: _Sheet, table: pd.DataFrame, totals: pd.Series, key: list[str]
) -> pd.DataFrame:
    """The rows that are no totals; a total that is not the sum of its parts is named."""
    totals = totals.astype(bool)
    if not totals.any():
        return table
    parts_of = table[~totals].groupby(key)["value"].agg(list).to_dict()
    for total in table[totals].itertuples():
        parts = parts_of.get(tuple(getattr(total, name) for name in key), [])
        if not _adds_up(total.value, parts):
            added = sum(read_cell(part).value or 0 for part in parts)
            expected = f"the sum of the rows above, {added:,.10g}"
            remedy = (
                "The total is not loaded; ask the sender whether it or one of the rows is wrong."
            )
            sheet.add("warning", expected, remedy, row=int(total.row), found=total.value)
    return table[~totals]


def _adds_up(total: str, parts: list[str]) -> bool:
    """Whether figures add up to a total as far as their decimals can tell."""
    texts = [total, *parts]
    figures = [value for text in texts if (value := read_cell(text).value) is not None]
    if not parts or len(figures) < len(texts) or any("%" in part for part in parts):
        return True  # what cannot be added up is not wrong
    whole, *added = figures
    if min(added) <= whole <= max(added) and len(added) > 1:
        return True  # an average of the rows, as for rates
    decimals = max(len(text.partition(".")[2].rstrip("%")) for text in texts)
    return abs(sum(added) - whole) <= 0.5 * 10.0**-decimals * (len(added) + 1)
