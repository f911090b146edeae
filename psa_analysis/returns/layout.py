"""Layout: where the table of a sheet begins, what its columns are, and which of its rows count."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from xlsxwriter.utility import xl_col_to_name

from psa_analysis.findings import Finding, Severity, shorten
from psa_analysis.periods import PeriodError, parse_period, read_day
from psa_analysis.returns.cells import read_cell, without_footnote
from psa_analysis.returns.grids import FIELD_OF, Grid, is_header, plain_heading
from psa_analysis.returns.sources import Sidecar

#: Rows that may stand above the header.
TITLE_ROWS = 30
_QUARTER_ONLY = re.compile(r"(?:q|quarter|qtr)\s*[1-4]", re.I)
#: What a column says of a row that holds no outturn, and of one that does.
_NOT_AN_OUTTURN = (
    r"(?:[\w-]+ ){0,2}(?:targets?|forecasts?|plan(?:ned)?|projected|projections?|predicted|budget"
    r"|stretch|last year|prior year|previous(?: year)?|comparators?|trajectory)\W*"
)
_AN_OUTTURN = r"actuals?|outturns?|results?|observed|achieved|performance|provisional|final"
_NOT_OBSERVED = re.compile(
    r"\b(?:targets?|forecasts?|plan(?:ned)?|projected|projections?|predicted|trajectory"
    r"|last year|prior year|previous)\b",
    re.I,
)
#: Words above a table with which it holds what was observed, whatever else they name.
_OBSERVED = re.compile(r"\b(?:against|towards?|progress|monitoring|returns?|observed)\b", re.I)
#: What says that all figures below are to be multiplied.
_SCALED = re.compile(
    r"\b(?:hundreds|(?:thousand|[mb]illion)s?|[x×] ?1,?000|1?000s)\b|(?<![\d,])000\b|£(?:k|mn?)\b",
    re.I,
)
#: What is no word about figures: Target N13, as a document calls it; per 100 000.
_REFERENCE = re.compile(
    r"\btarget:? (?:[a-z]+-?\d+|\d{1,2})\b|\bper (?:one |a )?[\d, ]*(?:thousand|[mb]illion)?", re.I
)
#: A day as people write it, in spellings that are no period for certain too.
_A_DAY = re.compile(
    r"\d\d?(?P<sign>[/.-])\d\d?(?P=sign)(?:\d\d)?\d\d(?: [0:]+)?|(?:19|20)\d\d[/.]\d\d?[/.]\d\d?"
    r"|\d\d?(?:st|nd|rd|th)?[ -](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -,]+"
    r"(?:\d\d)?\d\d",
    re.I,
)
#: Words after a heading's year with which the column is not, or not plainly, what was observed.
_NOT_THE_FIGURE = re.compile(
    rf"[^a-z ]|hundred|thousand|million|change|rank|{_NOT_OBSERVED.pattern}|\b(?:ytd|to date|number"
    r"|part year|cumulative|baseline|average|variance|difference|budget|expected|numerator|n|p|r"
    r"|denominator|provisional|revised|estimated?|girls|boys|(?:wo)?men|(?:fe)?males?|lower|upper)\b"
)


@dataclass
class Sheet:
    """A sheet whose table is being read: its header so far, and what is doubtful."""

    file: str
    grid: Grid
    sidecar: Sidecar
    cells: pd.DataFrame  # those of the grid, less what is found not to count
    row: int = 0  # of the header
    header: dict[int, str] = field(default_factory=dict)  # headings by column
    findings: list[Finding] = field(default_factory=list)
    judged: set[int] = field(default_factory=set)  # columns that say which rows count

    def add(
        self, severity: Severity, expected: str, remedy: str, rows: Iterable[int] = (), **place: Any
    ) -> None:
        """Note what is wrong or doubtful in some rows, or else in the header."""
        first, *others = [*map(int, rows)] or [self.row]
        place |= {"sheet": self.grid.sheet or None, "row": first, "also": tuple(others)}
        self.findings.append(Finding(severity, self.file, expected, remedy, **place))

    @property
    def below(self) -> pd.DataFrame:
        """The cells below the header."""
        return self.cells.loc[self.row + 1 :]

    @property
    def defaults(self) -> dict[str, str]:
        """What the sidecar says where the file says nothing."""
        return {"received": str(self.sidecar.received)} | self.sidecar.defaults

    @property
    def fields(self) -> dict[str, int]:
        """The column of each field that has a heading."""
        plain = {plain_heading(text): column for column, text in self.header.items()}
        known = {FIELD_OF[text]: column for text, column in plain.items() if text in FIELD_OF}
        named = {name: plain_heading(text) for name, text in self.sidecar.columns.items()}
        own = {name: plain[text] for name, text in named.items() if text in plain}
        # A heading that the sidecar gives to one field is not another's.
        return {name: at for name, at in known.items() if at not in own.values()} | own

    @property
    def places(self) -> dict[int, str]:
        """The columns that are headed by a period, or by a measure that the sidecar names."""
        named = {*self.sidecar.measures, *self.sidecar.periods}
        taken = self.fields.values()
        return {
            column: text
            for column, text in self.header.items()
            if column not in taken and (text in named or is_period(text))
        }


def find_table(sheet: Sheet, names: set[str]) -> str:
    """Find the header and the rows that count: ``long`` or ``wide``, empty where there is none."""
    given = sheet.sidecar.header_row
    known = [(max(given), given_header(sheet.grid.cells, given))] if given else []
    for row, header in known or _candidate_headers(sheet.grid.cells):
        sheet.row, sheet.header = row, header
        _drop_shared_words(sheet)
        _join_years_to_quarters(sheet)
        long = "value" in sheet.fields and "period" in {*sheet.fields, *sheet.defaults}
        if not (long or given) and (not sheet.places or _is_no_header(sheet, names)):
            continue
        if unclear := _unclear(sheet, long):
            sheet.add("error", *unclear)
            return ""
        if not given:
            _name_figures_above(sheet, names)
        if title := titled(sheet, [sheet.fields["value"]] if long else [*sheet.places]):
            sheet.add("warning" if given else "error", *title)
            if not given:
                return ""
        _write_merged(sheet)
        _keep_rows(sheet)
        return "long" if long else "wide"
    sheet.header = {}
    return ""


def given_header(cells: pd.DataFrame, numbers: list[int]) -> dict[int, str]:
    """The headings of a header of known rows; an upper one stands over those to its right."""
    rows = cells.reindex(numbers, fill_value="").map(lambda text: without_footnote(text.strip()))
    upper = rows.iloc[:-1]
    rows.iloc[:-1] = upper.where(upper != "").ffill(axis=1).fillna("")
    return {int(column): " ".join(dict.fromkeys(filter(None, rows[column]))) for column in rows}


def _write_merged(sheet: Sheet) -> None:
    """Repeat labels that are merged downwards; a figure for several cells is nobody's."""
    labels = [at for name, at in sheet.fields.items() if name not in ("value", "numerator")]
    for (row, column), (last, right) in sheet.grid.merged.items():
        if row <= sheet.row or row not in sheet.cells.index or column not in sheet.cells:
            continue
        text = sheet.cells.at[row, column]
        if column in labels and column == right:
            sheet.cells.loc[row:last, column] = text
        else:
            sheet.cells.loc[row:last, column:right] = f"#merged {text}"


def _keep_rows(sheet: Sheet) -> None:
    """Leave out the rows that do not count: by the sidecar, or since they hold no outturns."""
    below = sheet.below
    by_heading = {plain_heading(text): column for column, text in sheet.header.items()}
    for heading, texts in sheet.sidecar.keep.items():
        column = by_heading.get(plain_heading(heading))
        if column is None:
            seen = ", ".join(filter(None, sheet.header.values()))
            remedy = f"Correct [keep] in {sheet.file}.toml."
            sheet.add("error", f"a column headed {heading}", remedy, found=seen)
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
        remedy, rows = "These rows were not read.", below.index[other]
        sheet.add("warning", "what was observed", remedy, rows, **place)
        if unclear.any():
            remedy = f"Write Actual or Target, or say which rows count in {sheet.file}.toml."
            place["found"] = below.loc[unclear, column].iloc[0]
            rows = below.index[unclear]
            sheet.add("error", "Actual or Target in each row", remedy, rows, **place)
        below = below[~other & ~unclear]
    sheet.cells = pd.concat([sheet.cells.loc[: sheet.row], below])


def _candidate_headers(cells: pd.DataFrame) -> Iterator[tuple[int, dict[int, str]]]:
    """Rows that may be the header, from the top; a year over four quarters is written into each."""
    top = cells.head(TITLE_ROWS + 1)
    rows = [dict(zip(top.columns, map(str.strip, row), strict=True)) for row in top.to_numpy()]
    above: dict[int, str] = {}
    for number, row, following in zip(top.index[:TITLE_ROWS], rows, [*rows[1:], {}], strict=False):
        headings = sum(plain_heading(text) in FIELD_OF for text in row.values())
        if headings < 2 and any(_QUARTER_ONLY.fullmatch(text) for text in following.values()):
            above = row  # the years over the header's quarters
            continue
        joined, year = {}, ""
        for column, text in row.items():
            # A year stands in the first of the cells that it covers.
            quarter = _QUARTER_ONLY.fullmatch(text)
            year = (above.get(column) or year) if quarter else ""
            text = without_footnote(text)
            joined[column] = f"{year} {text}" if quarter and year else text
        yield int(number), joined
        above = row


def _drop_shared_words(sheet: Sheet) -> None:
    """Make periods of headings such as 2009 visitors, 2010 visitors, which share their words."""
    named = {*sheet.sidecar.measures, *sheet.sidecar.periods}
    parts = {
        column: (period, words.casefold())
        for column, text in sheet.header.items()
        for period, _, words in [text.partition(" ")]
        if words and text not in named and is_period(period) and not is_period(text)
    }
    shared = {words for _, words in parts.values()}
    if len(parts) > 1 and len(shared) == 1 and not _NOT_THE_FIGURE.search("".join(shared)):
        sheet.header |= {column: period for column, (period, _) in parts.items()}


def _join_years_to_quarters(sheet: Sheet) -> None:
    """Make one column of periods from a column of years and one of their quarters."""
    by_heading = {plain_heading(text): column for column, text in sheet.header.items()}
    years = [by_heading[name] for name in ("year", "financial year") if name in by_heading]
    if len(years) != 1 or "quarter" not in by_heading:
        return
    quarter = by_heading["quarter"]
    numbers = sheet.below[quarter].str.strip().str.replace("^([1-4])$", r"Q\1", regex=True)
    periods = sheet.below[years[0]].str.strip() + " " + numbers
    sheet.cells = sheet.cells.drop(columns=years)
    sheet.cells.loc[sheet.row + 1 :, quarter] = periods.str.strip()
    del sheet.header[years[0]]


def is_period(text: str) -> bool:
    """Whether a heading or label is meant as a period."""
    if re.fullmatch(r"(?:19|20)\d\d-\d\d-\d\d", text):
        return read_day(text) is not None
    if _A_DAY.fullmatch(text):
        return True
    try:
        parse_period(text)
    except PeriodError:
        # What has two meanings is meant as a period all the same, and refused later.
        return bool(re.fullmatch(r"(?i)fy ?\d\d|q[1-4] (?:19|20)\d\d|(?:19|20)\d\d \d?q\d+", text))
    return True


def _is_no_header(sheet: Sheet, names: set[str]) -> bool:
    """Whether a row that names periods is data, or stands over another header."""
    others = [text for text in sheet.header.values() if text and not is_period(text)]
    # "Year: 2005/06" on a cover says which period it is, and heads nothing.
    if "period" in sheet.fields and len(sheet.places) == 1:
        return True
    if any(text.casefold() in names or read_cell(text).value is not None for text in others):
        return True
    return is_header(sheet.below.head(1).to_numpy().ravel())


def _unclear(sheet: Sheet, long: bool) -> tuple[str, str] | None:
    """What is expected instead of a header that can be read in more than one way, and a remedy."""
    texts, named = sheet.header.values(), sheet.sidecar.columns
    known = {text: field for text, field in FIELD_OF.items() if field not in named}
    known |= {plain_heading(text): field for field, text in named.items()}
    unclear = _repeated(known.get(plain_heading(text), "") for text in texts)
    if not long and sheet.places:
        bare_quarters = [text for text in texts if _QUARTER_ONLY.fullmatch(text)]
        unclear = unclear or _repeated(sheet.places.values()) or bare_quarters
    if unclear:
        remedy = "Send one table with one column for each, and years above every quarter."
        return f"one column for each of {', '.join(unclear)}", remedy
    return None


def expected_below(title: str, is_heading: bool = False) -> str:
    """What is expected instead of figures below such a title; empty where they may be read."""
    words = _REFERENCE.sub("", title)
    # A heading may speak of targets all the same: the share answered within target.
    if not is_heading and _NOT_OBSERVED.search(words) and not _OBSERVED.search(words):
        return "figures that were observed"
    return "figures written out in full" if _SCALED.search(words) else ""


def titled(sheet: Sheet, figures: list[int]) -> tuple[str, str] | None:
    """What is expected of a table whose titles or headings say that its figures are others."""
    above = filter(None, sheet.cells.loc[: sheet.row - 1].to_numpy().ravel())
    headings = [sheet.header[column] for column in (min(sheet.header), *figures)]
    for title in [sheet.grid.sheet, *above, *headings]:
        if expected := expected_below(title, title in headings):
            remedy = f"If they are, say so: header_row = {sheet.row} in {sheet.file}.toml."
            return f"{expected}: '{shorten(title)}' stands above them", remedy
    return None


def _name_figures_above(sheet: Sheet, names: set[str]) -> None:
    """Name rows of names and figures above the header, as of a table whose header is not one."""

    def kind(text: str) -> str:
        if text.casefold() in names or not text or is_period(text):
            return "name" if text.casefold() in names else ""
        return "words" if read_cell(text).value is None else "figure"

    kinds = sheet.cells.loc[: sheet.row - 1].map(str.strip).map(kind)
    is_data = (kinds == "name").any(axis=1) & (kinds == "figure").any(axis=1)
    if len(rows := kinds.index[is_data & (kinds != "words").all(axis=1)]):
        remedy = "What stands above the header was not read: put each table on its own sheet."
        sheet.add("warning", "one table to a sheet", remedy, rows)


def _repeated(texts: Iterable[str]) -> list[str]:
    return sorted(text for text, times in Counter(texts).items() if text and times > 1)
