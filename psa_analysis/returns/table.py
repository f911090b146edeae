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
from psa_analysis.returns.cells import FOOTNOTES, plain_number, read_cell
from psa_analysis.returns.grids import FIELD_OF, FIELDS, plain_heading
from psa_analysis.returns.sources import Sidecar, problem_of, raw_files

ROW_COLUMNS = [*FIELDS, "sheet", "row", "column"]
_NO_ROWS = pd.DataFrame(columns=ROW_COLUMNS, dtype=str).astype({"row": int})

#: Headings of our own template that only help whoever fills it in.
_HELP = {"what is measured", "unit", "last value", "last period", "definition", "title"}

#: Rows that may stand above the header.
_TITLE_ROWS = 30
_TOTAL = r"(?:grand |county |sub-?)?total.*|all (?:districts|areas|authorities)"
_QUARTER_ONLY = re.compile(r"(?:q|quarter|qtr)\s*[1-4]", re.I)
#: What a column says of a row that holds no outturn, and of one that does.
_NOT_AN_OUTTURN = (
    r"(?:annual |year end |local |lpsa )?(?:targets?|forecasts?|plan(?:ned)?|projected|projections?"
    r"|budget|stretch|last year|previous(?: year)?|comparators?|trajectory)"
)
_AN_OUTTURN = r"actuals?|outturns?|results?|observed|achieved|performance|provisional|final"
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
        if problem_of(path, beside) or (sidecar is None and beside.exists()):
            continue  # it or its sidecar was refused, and that finding says why
        rows, doubts = read_table(path, name, sidecar, known)
        tables.append(rows)
        findings += doubts
    return pd.concat(tables, ignore_index=True), findings


def read_table(
    path: Path, name: str, sidecar: Sidecar | None, known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """The figures of one file as rows of text."""
    tables, without_table = [_NO_ROWS], []
    try:
        sheets, findings = grids.read_grids(path, name)
    except DataError as error:
        return _NO_ROWS.assign(file=name), error.findings
    wanted = sidecar.sheet if sidecar else []
    if missing := [sheet for sheet in wanted if sheet not in {grid.sheet for grid in sheets}]:
        found = ", ".join(grid.sheet for grid in sheets)
        expected = f"a sheet {' and '.join(missing)}"
        remedy = f"Correct `sheet` in {name}.toml."
        findings.append(Finding("error", name, expected, remedy, found=found))
    for grid in sheets:
        if not wanted or grid.sheet in wanted:
            sheet = _Sheet(name, grid.sheet, grid.cells, sidecar)
            rows = _lay_out(sheet, grid, known)
            tables.append(rows.assign(sheet=grid.sheet)[ROW_COLUMNS])
            findings += sheet.findings
            if not sheet.header and not sheet.findings:
                without_table.append(sheet)
    table = pd.concat(tables, ignore_index=True).assign(file=name)
    if without_table:
        # Covers, contents and notes stand beside the tables of a workbook.
        severity: Severity = "warning" if len(table) else "error"
        names = ", ".join(sheet.name for sheet in without_table) or None
        expected = "headings for measure, area, period and value, or periods across the top"
        remedy = "Name its headings in its sidecar; psa check drafts one."
        if len(table):
            remedy = "No table was found there: name its headings in the sidecar if one counts."
        found = without_table[0].first_texts()
        finding = Finding(severity, name, expected, remedy, found=found, sheet=names)
        findings.append(finding)
    return table, findings


@dataclass
class _Sheet:
    """A sheet whose table is being read: its header so far, and what is doubtful."""

    file: str
    name: str
    cells: pd.DataFrame
    sidecar: Sidecar | None = None
    row: int = 0  # of the header
    header: dict[int, str] = field(default_factory=dict)  # headings by column
    findings: list[Finding] = field(default_factory=list)
    judged: set[int] = field(default_factory=set)  # columns that say which rows count

    def add(self, severity: Severity, expected: str, remedy: str, **place: Any) -> None:
        """Note what is wrong or doubtful; `place` is its row, its column and what was found."""
        place["sheet"] = self.name or None
        self.findings.append(Finding(severity, self.file, expected, remedy, **place))

    def add_rows(self, rows: Iterable[int], *words: str, **place: Any) -> None:
        """Note what is wrong with several rows."""
        first, *others = map(int, rows)
        self.add(*words, row=first, also=tuple(others), **place)  # type: ignore[arg-type]

    def first_texts(self) -> str:
        """What the row says that has the most words of those at the top."""
        rows = self.cells.head(_TITLE_ROWS)
        fullest = rows.loc[(rows != "").sum(axis=1).idxmax()]
        return " | ".join(fullest[fullest != ""])

    @property
    def below(self) -> pd.DataFrame:
        """The cells below the header."""
        return self.cells.loc[self.row + 1 :]

    @property
    def defaults(self) -> dict[str, str]:
        """What the sidecar says where the file says nothing."""
        if self.sidecar is None:
            return {}
        return {"received": str(self.sidecar.received)} | self.sidecar.defaults

    @property
    def fields(self) -> dict[str, int]:
        """The column of each field that has a heading."""
        plain = {plain_heading(text): column for column, text in self.header.items()}
        named = self.sidecar.columns if self.sidecar else {}
        known = {FIELD_OF[text]: column for text, column in plain.items() if text in FIELD_OF}
        own = {
            name: plain[plain_heading(text)]
            for name, text in named.items()
            if plain_heading(text) in plain
        }
        # A heading that the sidecar gives to one field is not another's.
        return {name: at for name, at in known.items() if at not in own.values()} | own

    @property
    def places(self) -> dict[int, str]:
        """The columns that are headed by a period, or by a measure that the sidecar names."""
        named = {*self.sidecar.measures, *self.sidecar.periods} if self.sidecar else ()
        taken = self.fields.values()
        return {
            column: text
            for column, text in self.header.items()
            if column not in taken and (text in named or _is_period(text))
        }


def _lay_out(sheet: _Sheet, grid: grids.Grid, known: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """Find the table in a grid and give it one row per figure."""
    names = {column: {str(text).casefold() for text in known[column]} for column in known}
    given = sheet.sidecar is not None and sheet.sidecar.header_row
    for row, header in _given_header(sheet) if given else _candidate_headers(grid.cells):
        sheet.row, sheet.header = row, header
        _join_years_to_quarters(sheet)
        fields = {*sheet.fields, *sheet.defaults}
        long = "value" in sheet.fields and "period" in fields
        known_names = set().union(*names.values())
        if not (long or given) and (not sheet.places or _is_no_header(sheet, known_names)):
            continue
        if unclear := _unclear(sheet, long):
            sheet.add("error", *unclear, row=row)
            return _NO_ROWS
        _write_merged(sheet, grid)
        _keep_rows(sheet)
        table = _long(sheet) if long else _wide(sheet, names)
        return _as_ours(table, sheet.sidecar)
    sheet.header = {}
    return _NO_ROWS


def _given_header(sheet: _Sheet) -> Iterator[tuple[int, dict[int, str]]]:
    """The header that the sidecar names; an upper heading stands over those to its right."""
    assert sheet.sidecar is not None
    rows = sheet.cells.reindex(sheet.sidecar.header_row, fill_value="")
    rows = rows.apply(lambda row: row.str.strip(), axis=1)
    if len(rows) > 1:
        upper = rows.iloc[:-1]
        rows.iloc[:-1] = upper.where(upper != "").ffill(axis=1).fillna("")
    joined = {int(column): " ".join(dict.fromkeys(filter(None, rows[column]))) for column in rows}
    yield max(sheet.sidecar.header_row), joined


def _write_merged(sheet: _Sheet, grid: grids.Grid) -> None:
    """Repeat labels that are merged downwards; a figure for several cells is nobody's."""
    labels = [at for name, at in sheet.fields.items() if name not in ("value", "numerator")]
    for (row, column), (last, right) in grid.merged.items():
        if row <= sheet.row or row not in sheet.cells.index:
            continue
        text = sheet.cells.at[row, column]
        if column in labels and column == right:
            sheet.cells.loc[row:last, column] = text
        else:
            sheet.cells.at[row, column] = f"#merged {text}"


def _keep_rows(sheet: _Sheet) -> None:
    """Leave out the rows that do not count: by the sidecar, or since they hold no outturns."""
    below, keep = sheet.below, sheet.sidecar.keep if sheet.sidecar else {}
    by_heading = {plain_heading(text): column for column, text in sheet.header.items()}
    for heading, texts in keep.items():
        column = by_heading.get(plain_heading(heading))
        if column is None:
            seen = ", ".join(filter(None, sheet.header.values()))
            remedy = f"Correct [keep] in {sheet.file}.toml."
            sheet.add("error", f"a column headed {heading}", remedy, row=sheet.row, found=seen)
            below = below[:0]
            break
        sheet.judged.add(column)
        below = below[below[column].str.strip().isin(texts)]
    for column in {*sheet.header} - {*sheet.fields.values()} - {*sheet.places}:
        words = below[column].str.strip().str.casefold()
        other, filled = words.str.fullmatch(_NOT_AN_OUTTURN), (below != "").any(axis=1)
        unclear = filled & ~other & ~words.str.fullmatch(_AN_OUTTURN)
        if not other.any():
            continue
        sheet.judged.add(column)
        place = {"column": xl_col_to_name(column), "found": below.loc[other, column].iloc[0]}
        remedy = "These rows were not read."
        sheet.add_rows(below.index[other], "warning", "what was observed", remedy, **place)
        if unclear.any():
            remedy = f"Write Actual or Target, or say which rows count in {sheet.file}.toml."
            place["found"] = below.loc[unclear, column].iloc[0]
            expected = "Actual or Target in each row"
            sheet.add_rows(below.index[unclear], "error", expected, remedy, **place)
        below = below[~other & ~unclear]
    sheet.cells = pd.concat([sheet.cells.loc[: sheet.row], below])


def _as_ours(table: pd.DataFrame, sidecar: Sidecar | None) -> pd.DataFrame:
    """The rows with our names and conventions in place of the file's, as the sidecar gives them."""
    if sidecar is None or table.empty:
        return table
    for column in ("measure", "area", "period"):
        ours = getattr(sidecar, f"{column}s")
        table[column] = table[column].str.strip().map(lambda text, ours=ours: ours.get(text, text))
    if sidecar.year:
        first = 0 if sidecar.year == "begins" else -1
        years = table["period"].str.fullmatch(r"(?:19|20)\d\d")
        begin = table.loc[years, "period"].astype(int) + first
        spans = begin.astype(str) + "/" + ((begin + 1) % 100).astype(str).str.zfill(2)
        table.loc[years, "period"] = spans
    if sidecar.dash:
        table["value"] = table["value"].mask(
            table["value"].str.fullmatch(r"\s*[-–—]+\s*"), sidecar.dash
        )
    return table


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
            text = FOOTNOTES.sub("", text)
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
    # "Year: 2005/06" on a cover says which period it is, and heads nothing.
    if "period" in sheet.fields and len(sheet.places) == 1:
        return True
    if any(text.casefold() in names or read_cell(text).value is not None for text in others):
        return True
    following = sheet.below.head(1).to_numpy().ravel()
    return sum(plain_heading(text) in FIELD_OF for text in following) >= 2


def _unclear(sheet: _Sheet, long: bool) -> tuple[str, str] | None:
    """What is expected instead of a header that can be read in more than one way, and a remedy."""
    texts = sheet.header.values()
    named = sheet.sidecar.columns if sheet.sidecar else {}
    fields = (FIELD_OF.get(plain_heading(text), "") for text in texts)
    unclear = _repeated(name for name in fields if name not in named)
    above = []
    if not long and sheet.places:
        bare_quarters = [text for text in texts if _QUARTER_ONLY.fullmatch(text)]
        unclear = unclear or _repeated(sheet.places.values()) or bare_quarters
        above = sheet.cells.loc[: sheet.row - 1, min(sheet.places) :].to_numpy().ravel()
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


def _unread(sheet: _Sheet, read: Iterable[int]) -> dict[int, str]:
    """The columns that nothing is read from; those whose heading is not ours are named."""
    unread = {at: text for at, text in sheet.header.items() if text and at not in {*read}}
    for column, text in unread.items():
        if plain_heading(text) not in _HELP and column not in sheet.judged:
            remedy = f"The column was not read. {did_you_mean(text, FIELD_OF)}"
            place = {"row": sheet.row, "column": xl_col_to_name(column), "found": text}
            sheet.add("warning", "a heading that we know", remedy, **place)
    return unread


def _has_columns(sheet: _Sheet, names: Iterable[str], given: Iterable[str]) -> bool:
    """Whether all fields are among those given; those that are not are named."""
    missing = [name for name in names if name not in given]
    for name in missing:
        remedy = f"Add the column, or name it under [columns] in {sheet.file}.toml."
        seen = ", ".join(filter(None, sheet.header.values()))
        place = {"row": sheet.row, "column": name, "found": seen}
        sheet.add("error", f"a column headed {one_of(FIELDS[name])}", remedy, **place)
    return not missing


def _without_stray(sheet: _Sheet, below: pd.DataFrame) -> pd.DataFrame:
    """The rows that have nothing beyond the last heading."""
    last = max((column for column, text in sheet.header.items() if text), default=0)
    unheaded = [column for column in below if column > last]
    stray = below.index[(below[unheaded] != "").any(axis=1)]
    if len(stray):
        remedy = "A figure with a comma in it goes in quotation marks."
        sheet.add_rows(stray, "error", "nothing beyond the last heading", remedy)
    return below.drop(index=stray)


def _long(sheet: _Sheet) -> pd.DataFrame:
    """The rows of a table with one figure a row."""
    fields, below, defaults = sheet.fields, sheet.below, sheet.defaults
    unread = _unread(sheet, fields.values())
    labels = [fields[name] for name in ("measure", "area", "period") if name in fields]
    below = _until_second_header(sheet, below[(below != "").any(axis=1)], labels)
    below = _without_stray(sheet, below)
    if not _has_columns(sheet, ("measure", "period", "value"), {*fields, *defaults}):
        return _NO_ROWS
    table = pd.DataFrame({name: below[column] for name, column in fields.items()})
    table = table.assign(row=below.index, column=xl_col_to_name(fields["value"]))
    table = _with_defaults(table, defaults)
    table = _without_totals(sheet, table, table["area"].str.strip(), ["measure", "period"])
    # A row that gives no figure, measure or period is a line of words below the table.
    cells = table[["value", "period", "numerator", "denominator"]]
    return _without_breakdowns(sheet, table[(cells != "").any(axis=1)], unread)


def _wide(sheet: _Sheet, names: Mapping[str, set[str]]) -> pd.DataFrame:
    """The rows of a table with a period or a measure to each column, one per figure."""
    places, below, defaults = sheet.places, sheet.below, sheet.defaults
    measures = sheet.sidecar.measures if sheet.sidecar else {}
    across = "measure" if {*places.values()} & {*measures} else "period"
    if across == "measure":
        places = {column: text for column, text in places.items() if text in measures}
    labels = {
        name: at
        for name, at in sheet.fields.items()
        if name not in (across, "value") and at not in places
    }
    if across == "period":
        labels.pop("period", None)
    for column in [column for column in sheet.header if column not in places]:
        cells = set(below[column].str.strip().str.casefold())
        for name in ("measure", "area"):
            if name not in labels and name != across and cells & names[name]:
                labels[name] = column
    unread = _unread(sheet, {*labels.values(), *places})
    if "measure" not in labels and sheet.name.casefold() in names["measure"]:
        defaults = {"measure": sheet.name, **defaults}
    needed = {"measure", "period"} - {across}
    if not places or not _has_columns(sheet, needed, {*labels, *defaults}):
        return _NO_ROWS
    below = _without_stray(sheet, _until_second_header(sheet, below, labels.values()))
    table = pd.DataFrame({name: below[at].str.strip() for name, at in labels.items()}, below.index)
    # What a row is called: its area, or its measure, or what stands first in it.
    title = below.iloc[:, 0].str.strip()
    for name in [name for name in ("measure", "area") if name in labels]:
        title = table[name].where(table[name] != "", title)
    table = table.assign(row=below.index, title=title).join(below[list(places)])
    table = table.melt([*labels, "row", "title"], list(places), "place", "value")
    # Without the headings between rows, and words below the table.
    table = table[table["value"].str.strip() != ""].sort_values(["row", "place"])
    table[across] = table["place"].map(places)
    table["column"] = table["place"].map(xl_col_to_name)
    # A total is of the rows since the one before it.
    totals = table["title"].str.fullmatch(_TOTAL, case=False)
    table["part"] = totals.groupby(table["place"]).cumsum() - totals
    table = _without_totals(sheet, table, table["title"], ["place", "part"])
    return _without_breakdowns(sheet, _with_defaults(table, defaults), unread)


def _without_breakdowns(
    sheet: _Sheet, table: pd.DataFrame, unread: Mapping[int, str]
) -> pd.DataFrame:
    """Without rows of one figure that a column which was not read tells apart: sex, region."""
    key = [table[name].str.strip() for name in ("measure", "area", "period", "received")]
    groups = table["value"].groupby(key)
    several = groups.transform("nunique").gt(1).to_numpy()
    if not several.any():
        return table
    rows, apart = table[several], []
    differs = pd.Series(False, rows.index)
    for column, heading in unread.items():
        texts = pd.Series(sheet.cells.loc[rows["row"], column].to_numpy(), rows.index)
        varies = texts.groupby([part[several] for part in key]).transform("nunique") > 1
        differs |= varies
        apart += [heading] if varies.any() else []
    if apart:
        words = " and ".join(apart)
        expected = f"one row for each figure: {words} {'differ' if len(apart) > 1 else 'differs'}"
        remedy = f"Say which rows count under [keep] in {sheet.file}.toml."
        sheet.add_rows(rows.loc[differs, "row"], "error", expected, remedy, found=words)
    return table.drop(index=rows.index[differs])


def _until_second_header(
    sheet: _Sheet, below: pd.DataFrame, columns: Iterable[int]
) -> pd.DataFrame:
    """The rows above a second header; what follows it is named and not read."""
    headings = {*FIELDS["measure"], *FIELDS["area"], *FIELDS["period"]}
    texts = below[list(columns)].map(lambda text: text.strip().casefold())
    again = texts.isin(headings).any(axis=1)
    if places := [at for at, text in sheet.places.items() if text]:
        # Years over other columns of figures: the same ones, or any that are no numbers.
        cells = below[places]
        again |= (cells == pd.Series(sheet.places)[places]).all(axis=1)
        others = cells.map(lambda text: plain_number(text) is None and _is_period(text))
        again |= others.sum(axis=1) > len(places) / 2
    if not again.any():
        return below
    first = int(below.index[again][0])
    remedy = "Nothing from here on was read: put the second table on a sheet of its own."
    sheet.add("error", "one table to a sheet", remedy, row=first)
    return below.loc[: first - 1]


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
