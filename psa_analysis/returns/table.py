"""Table: the table in each grid, as rows of figures as text, with the cell of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from xlsxwriter.utility import xl_col_to_name

from psa_analysis.files import RETURN_FOLDERS
from psa_analysis.findings import DataError, Finding, Severity, did_you_mean, one_of
from psa_analysis.periods import PeriodError, parse_period, read_day
from psa_analysis.returns import grids
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.grids import FIELD_OF, FIELDS, plain_heading
from psa_analysis.returns.sources import Sidecar, raw_files

ROW_COLUMNS = [*FIELDS, "sheet", "row", "column"]
_NO_ROWS = pd.DataFrame(columns=ROW_COLUMNS, dtype=str).astype({"row": int})

#: Headings of our own template that only help whoever fills it in.
_HELP = {"what is measured", "unit", "last value", "last period", "definition", "title"}

#: Rows that may stand above the header.
_TITLE_ROWS = 30
_TOTAL = r"(?:grand |county |sub-?)?total.*|all (?:districts|areas|authorities)"
_QUARTER_ONLY = re.compile(r"(?:q|quarter|qtr)\s*[1-4]", re.I)
_NOT_OBSERVED = re.compile(
    r"\b(?:targets?|forecasts?|plan(?:ned)?|projected|last year|previous)\b", re.I
)


def load_returns(
    folder: Path, sidecars: Mapping[str, Sidecar], known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every return and published file of an agreement."""
    tables, findings = [_NO_ROWS.assign(file="")], []
    needed = f"raw/{RETURN_FOLDERS[0]}"
    if not (folder / needed).is_dir():
        findings.append(Finding("warning", needed, "a folder", "Add it, with the files in it."))
    for path, name, beside in raw_files(folder):
        sidecar = sidecars.get(name)
        if path.is_file() and sidecar is None and beside.exists():
            continue  # its sidecar was refused, and that finding says why
        defaults = {"received": sidecar.received.isoformat()} | sidecar.defaults if sidecar else {}
        try:
            sheets, doubts = grids.read_grids(path, name)
        except DataError as error:
            findings += error.findings
            continue
        findings += doubts
        for grid in sheets:
            rows, doubts = _lay_out(grid, name, known, defaults)
            findings += doubts
            tables.append(rows.assign(file=name))
    return pd.concat(tables, ignore_index=True), findings


@dataclass
class _Sheet:
    """A sheet whose table is being read: its header so far, and what is doubtful."""

    file: str
    name: str
    cells: pd.DataFrame
    row: int = 0  # of the header
    header: dict[int, str] = field(default_factory=dict)  # headings by column
    findings: list[Finding] = field(default_factory=list)

    def add(self, severity: Severity, expected: str, remedy: str, **place: Any) -> None:
        """Note what is wrong or doubtful; `place` is its row, its column and what was found."""
        place["sheet"] = self.name or None
        self.findings.append(Finding(severity, self.file, expected, remedy, **place))

    @property
    def below(self) -> pd.DataFrame:
        """The cells below the header."""
        return self.cells.loc[self.row + 1 :]

    @property
    def fields(self) -> dict[str, int]:
        """The column of each field that has a heading."""
        plain = {column: plain_heading(text) for column, text in self.header.items()}
        return {FIELD_OF[text]: column for column, text in plain.items() if text in FIELD_OF}

    @property
    def periods(self) -> dict[int, str]:
        """The columns that are headed by a period."""
        return {column: text for column, text in self.header.items() if _is_period(text)}


def _lay_out(
    grid: grids.Grid, file: str, known: Mapping[str, Iterable[str]], defaults: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Find the table in a grid and give it one row per figure."""
    names = {column: {str(text).casefold() for text in known[column]} for column in known}
    for row, header in _candidate_headers(grid.cells):
        sheet = _Sheet(file, grid.sheet, grid.cells, row, header)
        _join_years_to_quarters(sheet)
        long = "value" in sheet.fields and ("period" in sheet.fields or "period" in defaults)
        if not long and (not sheet.periods or _is_no_header(sheet, set().union(*names.values()))):
            continue
        if unclear := _unclear(sheet, long):
            sheet.add("error", *unclear, row=row)
            rows = _NO_ROWS
        else:
            rows = _long(sheet, defaults) if long else _wide(sheet, names, defaults)
        return rows.assign(sheet=grid.sheet)[ROW_COLUMNS], sheet.findings
    sheet = _Sheet(file, grid.sheet, grid.cells)
    texts = (text for text in grid.cells.head(_TITLE_ROWS).to_numpy().ravel() if text)
    expected = "a header row: measure, area, period and value, or periods across the top"
    sheet.add("error", expected, "Ask for the table on our template.", found=next(texts, ""))
    return _NO_ROWS, sheet.findings


def _candidate_headers(cells: pd.DataFrame) -> Iterator[tuple[int, dict[int, str]]]:
    """Rows that may be the header, from the top; a year over four quarters is written into each."""
    top = cells.head(_TITLE_ROWS + 1)
    rows = [dict(zip(top.columns, map(str.strip, row), strict=True)) for row in top.to_numpy()]
    above: dict[int, str] = {}
    for number, row, following in zip(top.index[:_TITLE_ROWS], rows, [*rows[1:], {}], strict=False):
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


def _join_years_to_quarters(sheet: _Sheet) -> None:
    """Make one column of periods from a column of years and one of their quarters."""
    by_heading = {plain_heading(text): column for column, text in sheet.header.items()}
    years = [by_heading[name] for name in ("year", "financial year") if name in by_heading]
    if len(years) != 1 or "quarter" not in by_heading:
        return
    quarter = by_heading["quarter"]
    numbers = sheet.below[quarter].str.strip()
    numbers = numbers.where(~numbers.isin(["1", "2", "3", "4"]), "Q" + numbers)
    periods = sheet.below[years[0]].str.strip() + " " + numbers
    sheet.cells = sheet.cells.drop(columns=years)
    sheet.cells.loc[sheet.row + 1 :, quarter] = periods.str.strip()
    del sheet.header[years[0]]


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
    following = sheet.below.head(1).to_numpy().ravel()
    return sum(plain_heading(text) in FIELD_OF for text in following) >= 2


def _unclear(sheet: _Sheet, long: bool) -> tuple[str, str] | None:
    """What is expected instead of a header that can be read in more than one way, and a remedy."""
    texts = sheet.header.values()
    unclear = _repeated(FIELD_OF.get(plain_heading(text), "") for text in texts)
    above = []
    if not long:
        bare_quarters = [text for text in texts if _QUARTER_ONLY.fullmatch(text)]
        unclear = unclear or _repeated(sheet.periods.values()) or bare_quarters
        above = sheet.cells.loc[: sheet.row - 1, min(sheet.periods) :].to_numpy().ravel()
    if unclear:
        remedy = "Send one table with one column for each, and years above every quarter."
        return f"one column for each of {', '.join(unclear)}", remedy
    for text in above:
        # Columns under such words hold something else than outturns.
        if _NOT_OBSERVED.search(text):
            expected = f"figures that were observed: '{text}' stands above the periods"
            return expected, "Send what was observed alone, without targets or forecasts."
    return None


def _repeated(texts: Iterable[str]) -> list[str]:
    return sorted(text for text, times in Counter(texts).items() if text and times > 1)


def _name_unread_columns(sheet: _Sheet, periods: Iterable[int] = ()) -> None:
    for column, text in sheet.header.items():
        if column not in periods and plain_heading(text) not in {*FIELD_OF, *_HELP, ""}:
            remedy = f"The column was not read. {did_you_mean(text, FIELD_OF)}"
            place = {"row": sheet.row, "column": xl_col_to_name(column), "found": text}
            sheet.add("warning", "a heading that we know", remedy, **place)


def _has_columns(sheet: _Sheet, names: Iterable[str], given: Iterable[str]) -> bool:
    """Whether all fields are among those given; those that are not are named."""
    missing = [name for name in names if name not in given]
    for name in missing:
        remedy = "Add the column, or name it in the file's sidecar."
        place = {"row": sheet.row, "column": name}
        sheet.add("error", f"a column headed {one_of(FIELDS[name])}", remedy, **place)
    return not missing


def _long(sheet: _Sheet, defaults: Mapping[str, str]) -> pd.DataFrame:
    """The rows of a table with one figure a row."""
    fields, below = sheet.fields, sheet.below
    _name_unread_columns(sheet)
    labels = [fields[name] for name in ("measure", "area", "period") if name in fields]
    below = _until_second_header(sheet, below[(below != "").any(axis=1)], labels)
    unheaded = [column for column, text in sheet.header.items() if not text]
    stray = below.index[(below[unheaded] != "").any(axis=1)]
    for number in stray:
        remedy = "A figure with a comma in it goes in quotation marks."
        sheet.add("error", "nothing beyond the last heading", remedy, row=int(number))
    if not _has_columns(sheet, ("measure", "period", "value"), {*fields, *defaults}):
        return _NO_ROWS
    below = below.drop(index=stray)
    table = pd.DataFrame({name: below[column] for name, column in fields.items()})
    table = table.assign(row=below.index, column=xl_col_to_name(fields["value"]))
    table = _with_defaults(table, defaults)
    table = _without_totals(sheet, table, table["area"].str.strip(), ["measure", "period"])
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
    if "measure" not in labels and sheet.name.casefold() in names["measure"]:
        defaults = {"measure": sheet.name, **defaults}
    if not _has_columns(sheet, ["measure"], {*labels, *defaults}):
        return _NO_ROWS
    below = _until_second_header(sheet, below, labels.values())
    table = pd.DataFrame({name: below[at].str.strip() for name, at in labels.items()}, below.index)
    # What a row is called: its area, or its measure, or what stands first in it.
    title = below.iloc[:, 0].str.strip()
    for name in [name for name in ("measure", "area") if name in labels]:
        title = table[name].where(table[name] != "", title)
    table = table.assign(row=below.index, title=title).join(below[list(periods)])
    table = table.melt([*labels, "row", "title"], list(periods), "place", "value")
    # Without the headings between rows, and words below the table.
    table = table[table["value"].str.strip() != ""].sort_values(["row", "place"])
    table["period"] = table["place"].map(periods)
    table["column"] = table["place"].map(xl_col_to_name)
    # A total is of the rows since the one before it.
    totals = table["title"].str.fullmatch(_TOTAL, case=False)
    table["part"] = totals.groupby(table["place"]).cumsum() - totals
    table = _without_totals(sheet, table, table["title"], ["place", "part"])
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
    remedy = "Nothing from here on was read: put the second table on a sheet of its own."
    sheet.add("error", "one table to a sheet", remedy, row=int(again[0]))
    return below.loc[: again[0] - 1]


def _with_defaults(table: pd.DataFrame, defaults: Mapping[str, str]) -> pd.DataFrame:
    """The table with what its sidecar says where it says nothing itself."""
    table = table.assign(**{name: defaults.get(name, "") for name in FIELDS if name not in table})
    blank = table["received"].str.strip() == ""
    return table.assign(received=table["received"].mask(blank, defaults.get("received", "")))


def _without_totals(
    sheet: _Sheet, table: pd.DataFrame, titles: pd.Series, key: list[str]
) -> pd.DataFrame:
    """The rows that are no totals; a total that is not the sum of its parts is named."""
    totals = titles.str.fullmatch(_TOTAL, case=False).astype(bool)
    parts_of = table[~totals].groupby(key)["value"].agg(list).to_dict()
    for total in table[totals].itertuples():
        parts = parts_of.get(tuple(getattr(total, name) for name in key), [])
        texts = [total.value, *parts]
        figures = [value for text in texts if (value := read_cell(text).value) is not None]
        # What cannot be added up is not wrong: gaps and percentages.
        if not parts or len(figures) < len(texts) or any("%" in part for part in parts):
            continue
        whole, *added = figures
        average = len(added) > 1 and min(added) <= whole <= max(added)  # as for rates
        decimals = max(len(text.partition(".")[2].rstrip("%")) for text in texts)
        if not average and abs(sum(added) - whole) > 0.5 * 10.0**-decimals * len(texts):
            expected = f"the sum of the rows above, {sum(added):,.10g}"
            remedy = "The total was not read: ask the sender whether it or a row is wrong."
            sheet.add("warning", expected, remedy, row=int(total.row), found=total.value)
    return table[~totals]
