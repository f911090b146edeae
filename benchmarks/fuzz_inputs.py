"""The inputs of `fuzz.py`: known figures, rendered as some return, and what is done to them."""

from __future__ import annotations

import datetime
import io
import os
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import odf.table
import odf.text
import pyarrow as pa
import pyarrow.parquet
import xlsxwriter
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from xlsxwriter.utility import xl_col_to_name

import psa_analysis
from psa_analysis.files import checksum
from psa_analysis.periods import FREQUENCIES, parse_period
from psa_analysis.register.rows import TABLES
from psa_analysis.returns.sources import Sidecar, write_sidecar

STARTER = Path(psa_analysis.__file__).parent / "starter"
SECRET = "TOPSECRET"
os.environ["FUZZ_SECRET"] = SECRET
#: Each return that is loaded beside others has measures of its own letter.
LETTERS = "PQRSTUVW"
#: Measures: title, unit, what it is made of, frequency, range of its figures and their decimals.
MEASURES: dict[str, tuple[str, str, str, str, float, float, int]] = {
    "1": ("Household waste recycled", "percent", "amounts", "annual", 19, 27, 2),
    "2": ("Bus journeys", "million journeys", "amounts", "quarterly", 2, 9, 3),
    "3": ("Vehicles removed in 24 hours", "percent", "cases", "quarterly", 31, 96, 2),
    "4-county": ("Casualties on county roads", "casualties", "cases", "quarterly", 1234, 9876, 0),
    "5": ("Domestic burglary", "per 1,000 households", "cases", "annual", 11, 17, 3),
    "6": ("Total household waste", "tonnes", "amounts", "quarterly", 31234, 98765, 0),
    "7": ("Repairs to roads", "million pounds", "amounts", "quarterly", 2, 9, 3),
    "8": ("Incidents reported", "incidents", "cases", "monthly", 1234, 9876, 0),
    "9": ("Change in prices", "percent change", "amounts", "annual", -9, -2, 2),
    "10": ("Visits to libraries", "visits", "amounts", "calendar_year", 123456, 987654, 0),
}
DISTRICTS = ["Oakham", "Elmton", "Ashby"]
PERIODS = {
    "annual": [f"{year}/{year - 1999:02}" for year in range(2000, 2006)],
    "quarterly": [f"{y}-{y - 1999:02} Q{q}" for y in (2004, 2005) for q in (1, 2, 3, 4)],
    "monthly": [f"{month} 2005" for month in ("January", "February", "March", "April", "May")],
    "calendar_year": [str(year) for year in range(2000, 2006)],
}
COUNTS = [name for name, of in MEASURES.items() if of[6] == 0]
RATES = ["1", "3"]
MILLIONS = ["2", "7"]


@dataclass
class Input:
    """The files of one input, and what must come of them."""

    done: str
    files: dict[str, Any]  # by name below raw/; what can be called makes itself at its path
    figures: list[Figure] = field(default_factory=list)
    token: str = ""  # what the names of its files hold
    header: int = 0
    slack: int = 0  # how far from its row a figure may be named
    anything: bool = False  # its numbers may have changed in ways that nobody can tell
    refused: bool = False  # whether a finding must say that it was not opened
    changed: str = ""  # the file of the register that was changed, and its text now
    text: str = ""
    receives: bool = False  # whether psa check makes its sidecar


@dataclass(eq=False)
class Figure:
    """A number that a file holds, and how it is shown there."""

    key: tuple[str, str, str]  # measure, area, period
    value: float | None  # None where no number can be read for certain
    shown: Any = None
    twins: tuple[Any, ...] = ()  # two numbers that stand there; either will do if it is said
    sure: bool = True  # whether its line in the file is as it was made
    sheet: str = ""
    row: int = 0
    column: int = 0

    @property
    def kind(self) -> Any:
        """The kind of its period."""
        return FREQUENCIES[MEASURES[self.key[0][2:]][3]].kind

    @property
    def letters(self) -> str:
        """Its column as a spreadsheet calls it."""
        return str(xl_col_to_name(self.column))


@dataclass
class Raw:
    """A text that is written without quotation marks."""

    text: str


@dataclass
class Percent:
    """A percentage by its format."""

    value: float


@dataclass
class Formula:
    """A formula that was never calculated, or that came to an error."""

    error: str = ""


class Return:
    """A return while it is made: rows of cells, of which figures know what they hold."""

    def __init__(self, rng: random.Random, letter: str, endings: str, only: list[str]) -> None:
        self.rng, self.letter = rng, letter
        self.ending = rng.choice(endings.split())
        self.delimiter = {"csv": ",", "tsv": "\t", "txt": "|"}.get(self.ending, ",")
        self.delimiter = ";" if rng.random() < 0.15 and self.ending == "csv" else self.delimiter
        self.encoding = rng.choice(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "cp1252"])
        self.line_end = rng.choice(["\n", "\n", "\r\n"])
        self.layout = rng.choice(["long", "long", "wide", "wide", "single", "across"])
        name = rng.choice(only or [*MEASURES])
        frequency = MEASURES[name][3]
        alike = [n for n in only or MEASURES if MEASURES[n][3] == frequency and n != name]
        more = rng.sample(alike, min(len(alike), rng.choice([0, 1, 2])))
        self.measures = [name] if self.layout == "single" else [name, *more]
        self.areas = rng.sample(DISTRICTS, rng.choice([1, 2, 3]))
        first = rng.choice([0, 1])
        self.periods = PERIODS[frequency][first : first + rng.choice([1, 2, 3])]
        self.spare = PERIODS[frequency][first + 3 : first + 5]
        self.used: set[float] = set()
        self.sidecar: dict[str, Any] = {}
        self.sheets: list[tuple[str, list[list[Any]], bool]] = []
        self.hidden_rows: list[Any] = []
        self.hidden_columns: list[int] = []
        self.merged: list[tuple[Any, int, int]] = []
        self.names = {
            m: MEASURES[m][0] + f" ({letter})" if rng.random() < 0.3 else f"{letter}-{m}"
            for m in MEASURES
        }
        self.figures: list[Figure] = []
        self.rows = self.table(self.periods)
        self.head = 0

    def figure(self, measure: str, area: str, period: str) -> Figure:
        """A new figure, whose digits no other has."""
        *_, low, high, decimals = MEASURES[measure]
        while (value := round(self.rng.uniform(low, high), decimals)) in self.used or not (
            round(value * 10**decimals) % 10
        ):
            pass
        self.used.add(value)
        value = int(value) if decimals == 0 else value
        self.figures.append(Figure((f"{self.letter}-{measure}", area, period), value, value))
        return self.figures[-1]

    def table(self, periods: list[str]) -> list[list[Any]]:
        """A header and rows with a new figure for each measure, area and period."""
        names, figure = self.names, self.figure
        pairs = [(measure, area) for measure in self.measures for area in self.areas]
        if self.layout == "long":
            header = ["Measure", "Area", "Period", "Value"]
            return [header] + [[names[m], a, p, figure(m, a, p)] for m, a in pairs for p in periods]
        if self.layout == "wide":
            rows = [[names[m], a, *(figure(m, a, p) for p in periods)] for m, a in pairs]
            return [["Measure", "Area", *periods], *rows]
        if self.layout == "single":
            self.sidecar["defaults"] = {"measure": f"{self.letter}-{self.measures[0]}"}
            rows = [[a, *(figure(m, a, p) for p in periods)] for m, a in pairs]
            return [["District", *periods], *rows]
        self.sidecar["measures"] = {names[m]: f"{self.letter}-{m}" for m in self.measures}
        rows = [
            [a, p, *(figure(m, a, p) for m in self.measures)] for a in self.areas for p in periods
        ]
        return [["Area", "Period", *(names[m] for m in self.measures)], *rows]

    def taken(self) -> list[str]:
        """Periods that nothing else has."""
        periods, self.spare = self.spare, []
        return periods

    def insert(self, at: int, *rows: list[Any]) -> None:
        """Put rows in before a place."""
        self.rows[at:at] = rows
        self.head += len(rows) * (at <= self.head)

    @property
    def data(self) -> list[list[Any]]:
        """The rows that hold figures."""
        return [row for row in self.rows if any(isinstance(cell, Figure) for cell in row)]

    def some(self, every: bool = False) -> list[Figure]:
        """One of the figures, or some or all of them, that nothing was done to."""
        plain = [f for row in self.data for f in row if isinstance(f, Figure)]
        plain = [figure for figure in plain if figure.shown is figure.value]
        number = self.rng.choice([1, 1, 2, len(plain)])
        return plain if every else self.rng.sample(plain, min(number, len(plain)))

    @property
    def all_sheets(self) -> list[tuple[str, list[list[Any]], bool]]:
        """Name and rows of each sheet, and whether it is hidden."""
        return [("Return", self.rows, False), *self.sheets]

    def hidden(self, rows: list[list[Any]], chosen: list[Any]) -> list[int]:
        """The places of chosen rows."""
        return [at for at, row in enumerate(rows) if any(row is one for one in chosen)]

    @property
    def is_text(self) -> bool:
        """Whether it is no workbook."""
        return self.ending in ("csv", "tsv", "txt")


@dataclass
class Kind:
    """One thing that may be done to an input."""

    name: str
    do: Callable[..., Any]
    endings: str = (
        "csv csv csv csv csv csv csv csv csv csv csv tsv tsv txt txt txt xlsx xls ods parquet"
    )
    only: list[str] = field(default_factory=list)  # measures that it is for
    stage: str = "table"
    together: bool = True  # whether others may be loaded beside it


KINDS: list[Kind] = []
_TEXT, _BOOK = "csv csv tsv txt", "xlsx xlsx xls ods"


def kind(**about: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(do: Callable[..., Any]) -> Callable[..., Any]:
        KINDS.append(Kind(do.__name__, do, **about))
        return do

    return register


# Things done to a table; those that need to know where rows stand come last.
@kind()
def nothing(r: Return) -> None:
    pass


@kind()
def other_spellings(r: Return) -> None:
    def spelled(period: str) -> Any:
        if match := re.fullmatch(r"(\d{4})-(\d\d) (Q\d)", period):
            months = {"Q1": "Apr-Jun", "Q2": "Jul-Sep", "Q3": "Oct-Dec", "Q4": "Jan-Mar"}[match[3]]
            year = int(match[1]) + (match[3] == "Q4")
            return r.rng.choice([f"{match[3]} {match[1]}/{match[2]}", f"{months} {year}"])
        return re.sub(r"^([A-Z][a-z]{2})[a-z]* 20(\d\d)$", r"\1-\2", f"{period} ").strip()

    replace_periods(r, spelled)


def replace_periods(r: Return, spelled: Callable[[str], Any]) -> None:
    known = {*r.periods}
    for row in r.rows:
        row[:] = [spelled(c) if isinstance(c, str) and c in known else c for c in row]


@kind()
def last_days(r: Return) -> None:
    form = r.rng.choice(["%d/%m/%Y", "%Y-%m-%d", ""])
    if r.ending == "parquet":
        form = form or "%Y-%m-%d"
    of = FREQUENCIES[MEASURES[r.measures[0]][3]].kind

    def day(period: str) -> Any:
        end = parse_period(period, of).end
        return end.strftime(form) if form else end

    replace_periods(r, day)


@kind()
def swapped_columns(r: Return) -> None:
    order = r.rng.sample(range(len(r.rows[r.head])), len(r.rows[r.head]))
    for row in r.rows:
        if len(row) == len(order):
            row[:] = [row[place] for place in order]


@kind()
def swapped_headings(r: Return) -> None:
    if r.layout == "long":
        one, two = r.rng.sample(range(4), 2)
        header = r.rows[r.head]
        header[one], header[two] = header[two], header[one]


_EVERY = Kind("", print).endings
_MARKS = ["(p)", " [r]", "*", " (provisional)", "²", "e", " (see note 3)", "(2)"]
_NO_FIGURE = "[x] [c] - .. n/a TBC <5 c #REF! #N/A #DIV/0! #VALUE! Err:502 ~40 12-34 nan inf 0x1F"
_WORDS = _NO_FIGURE.split(" ")
_ERRORS = [Formula(), Formula(), Formula("#DIV/0!"), Formula("#REF!")]
_FULL_WIDTH = {48 + digit: 0xFF10 + digit for digit in range(10)}


def odd_sign(value: Any, rng: random.Random, _: bool) -> tuple[Any, Any]:
    signs = [" {} ", "£{}", "\u00a0{}", "({})", "+{}", "{}\u200b", "minus"]
    sign = rng.choice(signs)
    if sign == "minus":
        return str(value).replace("-", "−").translate(rng.choice([{}, _FULL_WIDTH])), value
    return sign.format(value), -value if sign == "({})" else value


def with_thousands(value: Any, rng: random.Random, _: bool) -> tuple[Any, Any]:
    text = f"{value:,}".replace(",", rng.choice([",", ",", " ", "\u00a0", "\u2009", "'", "."]))
    return text, float(text) if re.fullmatch(r"\d+\.\d+", text) else value  # 1.234 is no 1,234


def in_full(value: Any, rng: random.Random, _: bool) -> tuple[Any, Any]:
    whole = round(value * 10**6)
    return rng.choice([f"{value}m", f"{whole // 1000}k", f"{whole:,}", whole]), value


#: What may be done to single figures, in which files and to which measures: what is shown instead,
#: and what it says. All of a file's are changed where one alone may be meant as it stands.
_FIGURES: list[tuple[str, str, list[str], bool, Callable[..., tuple[Any, Any]]]] = [
    ("marks", _EVERY, [], False, lambda v, rng, _: (f"{v}{rng.choice(_MARKS)}", v)),
    ("no_figures", _EVERY, [], False, lambda v, rng, _: (rng.choice(_WORDS), None)),
    ("errors_and_formulas", _BOOK, [], False, lambda v, rng, _: (rng.choice(_ERRORS), None)),
    ("unquoted_thousands", "csv", COUNTS, True, lambda v, rng, _: (Raw(f"{v:,}"), v)),
    ("thousands", _EVERY, COUNTS, False, with_thousands),
    (
        "decimal_commas",
        "csv",
        ["2", "7", "5"],
        True,
        lambda v, rng, _: (f"{v}".replace(".", ","), v),
    ),
    (
        "small_decimal_commas",
        "csv",
        ["2", "7", "5"],
        True,
        lambda v, rng, _: (f"{v % 1:.3f}".replace(".", ","), round(v % 1, 3)),
    ),
    ("odd_signs", _TEXT, [], False, odd_sign),
    ("percentages", _EVERY, RATES, False, lambda v, rng, t: (f"{v}%" if t else Percent(v), v)),
    (
        "percentages_of_counts",
        _EVERY,
        [*COUNTS, *MILLIONS],
        False,
        lambda v, rng, text: ("12.3%" if text else Percent(12.3), None),
    ),
    ("millions", _EVERY, MILLIONS, True, in_full),
]


_DELIMITER = {"unquoted_thousands": ",", "decimal_commas": ";", "small_decimal_commas": ";"}


def _change_figures(name: str, every: bool, change: Callable[..., tuple[Any, Any]]) -> Any:
    def do(r: Return) -> None:
        r.delimiter = _DELIMITER.get(name, r.delimiter)
        for figure in r.some(every):
            figure.shown, figure.value = change(figure.value, r.rng, r.is_text)

    return do


for _name, _endings, _only, _all, _change in _FIGURES:
    KINDS.append(Kind(_name, _change_figures(_name, _all, _change), _endings, _only))


@kind(only=RATES)
def fractions_of_one(r: Return) -> None:
    if len(r.some(every=True)) == len(r.figures):
        for figure in r.figures:
            figure.shown = round(figure.value / 100, 4)


@kind(only=COUNTS, endings=_TEXT + " " + _BOOK)
def figures_in_thousands(r: Return) -> None:
    scale, words = r.rng.choice([(1000, "thousands"), (1000, "000s"), (10**6, "millions")])
    for figure in r.some(every=True):
        figure.shown = figure.value / scale
    header = r.rows[r.head]
    if r.rng.random() < 0.5:
        r.insert(0, [f"Figures in {words}"], [])
    else:
        at = next(at for at, cell in enumerate(r.data[0]) if isinstance(cell, Figure))
        header[at:] = [f"{cell} ({words})" for cell in header[at:]]
        r.sidecar = {name: of for name, of in r.sidecar.items() if name != "measures"}


@kind()
def total_row(r: Return) -> None:
    if r.layout == "across":
        return
    block = r.data[: len(r.areas) if r.layout in ("wide", "single") else 1]
    added = block[-1][:]
    right = r.rng.random() < 0.5 or r.measures[0] not in COUNTS or len(block) < 2
    for at in range(len(added)):
        parts = [row[at] for row in block if isinstance(row[at], Figure)]
        if parts:
            whole = sum(f.value or 0 for f in parts)
            added[at] = round(whole, 3)
            if not right:
                if any(figure.shown is not figure.value for figure in parts):
                    continue
                value = r.rng.choice([round(whole / len(parts)), whole + 990])
                added[at] = Figure((parts[0].key[0], "Total", parts[0].key[2]), None, value)
                r.figures.append(added[at])
        elif added[at] in r.areas:
            added[at] = r.rng.choice(["Total", "Grand total", "County total", "All districts"])
    r.insert(r.rows.index(block[-1]) + 1, added)


@kind()
def twins(r: Return) -> None:
    row = r.rng.choice(r.data)
    agree = r.rng.random() < 0.5
    copy = [cell.shown if isinstance(cell, Figure) else cell for cell in row]
    for at, cell in enumerate(row):
        if isinstance(cell, Figure) and not agree:
            cell.twins = (cell.value, r.figure(*_split(cell)).value)
            copy[at], cell.value = cell.twins[1], None
            r.figures.pop()
    r.insert(r.rng.choice([r.head + 1, len(r.rows)]), copy)


def _split(figure: Figure) -> tuple[str, str, str]:
    return figure.key[0][2:], figure.key[1], figure.key[2]


@kind()
def extra_column(r: Return) -> None:
    texts = {
        "Note": ["fine", "checked, twice", 'said "late"', "two\nlines", "", "=1+1", "€ and é"],
        "Officer": ["AB", "CD"],
        "Flag": ["final", "provisional", "r", "Revised"],
        "Received": ["2006-12-30", "30/12/2006", "12/11/2006", "soon"],
        "Sex": ["All"],
        "Type": ["Actual"],
        "Target": [77777],
        "Rank": [3],
    }
    heading = r.rng.choice([*texts])
    for row in r.data:
        row.append(r.rng.choice(texts[heading]))
    r.rows[r.head].append(heading)


def _decoy(cell: Any) -> Any:
    """A number beside a figure that is not it."""
    return (cell.value or 20) + 1 if isinstance(cell, Figure) else ""


@kind()
def other_rows(r: Return) -> None:
    """Rows of women, or of targets, beside those that count."""
    heading, one, other = r.rng.choice([("Sex", "All", "Women"), ("Type", "Actual", "Target")])
    r.rows[r.head].append(heading)
    for row in r.data:
        decoy = [_decoy(cell) if isinstance(cell, Figure) else cell for cell in row]
        row.append(one)
        r.insert(r.rows.index(row) + r.rng.choice([0, 1]), [*decoy, other])


@kind()
def same_heading(r: Return) -> None:
    at = next(at for at, cell in enumerate(r.data[0]) if isinstance(cell, Figure))
    for row in r.data:
        row.append(_decoy(row[at]) if at < len(row) else "")
    r.rows[r.head].append(r.rows[r.head][at])


@kind()
def period_beside_values(r: Return) -> None:
    if r.layout == "long" and r.spare:
        period = r.taken()[0]
        r.rows[r.head].append(period)
        seen = set()
        for row in r.data:
            figure = next(cell for cell in row if isinstance(cell, Figure))
            again = figure.key[:2] in seen
            seen.add(figure.key[:2])
            row.append("" if again else r.figure(*_split(figure)[:2], period))


@kind()
def second_table(r: Return) -> None:
    if r.spare:
        header, *rows = r.table(r.taken())
        r.rows += [[]] * r.rng.choice([0, 1, 3]) + [header, *rows]


@kind(endings="csv tsv xlsx ods")
def side_by_side(r: Return) -> None:
    if r.spare:
        other = r.table(r.taken())
        for at, more in enumerate(other[: len(r.rows) - r.head]):
            r.rows[r.head + at] = [*r.rows[r.head + at], "", *more]
        held = {cell for row in r.rows for cell in row if isinstance(cell, Figure)}
        r.figures = [figure for figure in r.figures if figure in held]


@kind(endings=_BOOK)
def more_sheets(r: Return) -> None:
    if r.spare:
        r.sheets.append(("More", r.table(r.taken()), r.rng.random() < 0.5))
    if r.rng.random() < 0.5:
        r.sheets.append(("Cover", [["Return of the police"], ["Year: 2005/06"]], False))


@kind(endings=_TEXT + " " + _BOOK)
def title_rows(r: Return) -> None:
    texts = ["Quarterly return", "Year: 2004/05", "Prepared by A. Other, ext 5", "Area", "2004/05"]
    for _ in range(r.rng.choice([1, 2, 3, 12, 31])):
        r.insert(0, [r.rng.choice([*texts, ""])])


@kind(endings=_TEXT + " " + _BOOK)
def titled_as_targets(r: Return) -> None:
    title = r.rng.choice(["Targets for 2004-05", "Forecasts 2004/05", "Planned figures"])
    r.insert(0, [title], *[[]] * r.rng.choice([0, 1]))
    for figure in (cell for row in r.data for cell in row if isinstance(cell, Figure)):
        figure.value = None


@kind()
def words_below(r: Return) -> None:
    words = ["Source: crime system", "1 Provisional", "Signed, A. Other", "Total 2004", "n/a", "2"]
    r.rows += [[]] * r.rng.choice([0, 1]) + [[word] for word in r.rng.sample(words, 2)]


@kind(endings=_TEXT)
def stray_quotation_marks(r: Return) -> None:
    rows = r.rng.sample(r.data, min(len(r.data), r.rng.choice([1, 2, 2])))
    at = len(r.rows[r.head])
    r.rows[r.head].append("Note")
    for row in r.data:
        row += [""] * (at - len(row)) + ["seen"]
    ways = ['"open', 'shut"', 'a "word" here', '"', '""', '6" pipe']
    way = r.rng.choice([["same"], ways])
    for number, row in enumerate(rows):
        if way == ["same"] or r.rng.random() < 0.5:
            row[at] = Raw(['"see below', 'see above"'][number % 2])
        else:
            row[at] = Raw(r.rng.choice(ways))


@kind()
def empty_rows_and_columns(r: Return) -> None:
    for _ in range(r.rng.choice([1, 3])):
        r.insert(r.rng.randrange(len(r.rows) + 1), [])
    if r.rng.random() < 0.5:
        for row in r.rows:
            row.insert(0, "") if row else None


@kind(endings=_TEXT)
def ragged_rows(r: Return) -> None:
    for row in r.rng.sample(r.rows, min(2, len(r.rows))):
        way = r.rng.random()
        if way < 0.5:
            row += [""] * r.rng.choice([1, 2, 30])
        elif way < 0.8:
            row.append(r.rng.choice(["x", 5]))
        elif row and not isinstance(row[-1], Figure):
            row.pop()


@kind()
def sidecar_settings(r: Return) -> None:
    header = [str(cell) for cell in r.rows[r.head]]
    choices: list[dict[str, Any]] = [
        {"header_row": r.head + 1},
        {"header_row": [r.head + 2]},
        {"sheet": "Nowhere"},
        {"columns": {"value": header[-1]}},
        {"keep": {header[0]: str(r.data[0][0])}},
        {"keep": {"Sex": "All"}},
        {"year": "begins"},
        {"dash": "0"},
        {"areas": {"Oakham": "Elmton-on-Sea"}},
        {"periods": {r.periods[0]: "nonsense"}},
    ]
    chosen = r.rng.choice(choices)
    r.sidecar |= chosen
    for figure in r.figures:
        figure.sure &= not ("dash" in chosen and figure.shown in ("-", "–", "—"))
    other_column = "columns" in chosen and header[-1] in chain(*PERIODS.values())
    if other_column or {"year", "keep", "header_row"} & chosen.keys():
        for figure in r.figures:
            figure.sure = False


@kind(endings=_BOOK)
def merged_cells(r: Return) -> None:
    row = r.rng.choice(r.data)
    at = next(at for at, cell in enumerate(row) if isinstance(cell, Figure))
    beside = row[at + 1] if at + 1 < len(row) else None
    if r.rng.random() < 0.5 and isinstance(beside, Figure) and row[at].shown is row[at].value:
        row[at].value = None
        r.figures.remove(row[at + 1])
        row[at + 1] = ""
        r.merged.append((row, at, 1))
    elif r.layout in ("long", "wide") and (row := r.data[0]) and len(r.data) > 1:
        below = r.rows[r.rows.index(row) + 1]
        if below and below[0] == row[0] and isinstance(row[0], str):
            below[0] = ""
            r.merged.append((row, 0, 0))


@kind(endings=_BOOK)
def hidden_rows_and_columns(r: Return) -> None:
    if r.rng.random() < 0.5:
        r.hidden_rows.append(r.rng.choice(r.data))
    else:
        at = next(at for at, cell in enumerate(r.data[0]) if isinstance(cell, Figure))
        r.hidden_columns.append(r.rng.choice([at, at, 0]))
        # Of two columns of one heading the one that can be seen counts.
        if r.rows[r.head].count(r.rows[r.head][at]) > 1:
            for row in r.data:
                if isinstance(row[at], Figure):
                    row[at].sure = False


# Things done to the bytes of a file. What is returned says whether its lines can still be told.
@kind(stage="bytes", endings="csv csv csv txt xlsx xls ods parquet")
def flipped_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@kind(stage="bytes", endings="csv xlsx xls ods parquet")
def cut_short(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


@kind(stage="bytes", endings="csv csv xlsx xls ods parquet")
def spliced(content: bytes, rng: random.Random) -> bytes:
    at, to = sorted(rng.randrange(len(content)) for _ in range(2))
    size = rng.choice([1, 1, 4, 64])
    ways = [
        bytes(size),
        b"\xff" * size,
        b'"',
        b"\r",
        b"\n",
        b"\x1b[2J",
        b"\x1a",
        rng.randbytes(size),
    ]
    ways += ["\u202e\u2028".encode(), b"a" * 200_000, b'"' * 3, content[at:to], b"\x00\x01"]
    new = rng.choice(ways)
    return content[:at] + new + content[at + len(new) * rng.choice([0, 1]) :]


@kind(stage="bytes", endings="xls")
def damaged_sectors(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 3])):
        at = rng.choice([0, 512 * rng.randrange(len(content) // 512)]) + 4 * rng.randrange(128)
        changed[at : at + 4] = rng.choice(
            [b"\xff\xff\xff\x7f", b"\xff" * 4, bytes(4), b"\x01\0\0\0"]
        )
    return bytes(changed[: len(content)])


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A workbook with other parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for about in old.infolist():
            part = zipfile.ZipInfo(about.filename)
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, change(about.filename, old.read(about)), compresslevel=1)
    return made.getvalue()


_SHEET = ("xl/worksheets/sheet1.xml", "content.xml")


@kind(stage="bytes", endings="xlsx xlsx ods")
def hostile_xml(content: bytes, rng: random.Random) -> bytes:
    entity = b'<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "%s">]>' % (b"x" * 9999, b"&a;" * 9999)
    row, end = (b"<row", b"</sheetData>")
    stray = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    rows = b'<row r="9"><c r="A9"><v>1</v></c></row>'
    if content[:200].count(b"opendocument"):
        row, end = b"<table:table-row", b"</table:table>"
        stray = b'<table:table-row table:number-rows-repeated="1048575"><table:table-cell/>'
        stray += b'</table:table-row><table:table-row><table:table-cell office:value-type="float" '
        stray += b'office:value="1" table:number-columns-repeated="16384"/></table:table-row>'
        rows = b'<table:table-row><table:table-cell office:value-type="float" office:value="1"/>'
        rows += b"</table:table-row>"
    ways: list[Callable[[bytes], bytes]] = [
        lambda text: text.replace(b"?>", b"?>" + entity, 1).replace(b"</v>", b"&b;</v>"),
        lambda text: text.replace(end, b"<x>" * 50_000 + b"</x>" * 50_000 + end, 1),
        lambda text: text.replace(end, stray + end, 1),
        lambda text: text.replace(end, rows * 1_000_000 + end, 1),
        lambda text: text.replace(end, b" " * 200_000_000 + end, 1),
        lambda text: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', text),
        lambda text: text.replace(
            row, b"<cols><col min='1' max='999999999' hidden='1'/></cols>" + row, 1
        ),
        lambda text: text.replace(
            end, end + b'<mergeCells><mergeCell ref="A9:XFD1048576"/></mergeCells>', 1
        ),
        lambda text: re.sub(rb"<v>[^<]*</v>", b"<f>1+" + b" " * 8192 + b"</f><v/>", text, count=1),
        lambda text: re.sub(rb's="\d+"|t="s"', lambda m: m[0][:-2] + b'99999"', text, count=1),
        lambda text: re.sub(rb' r="[A-Z]+\d+"', b' r="ZZZZ99999999999"', text, count=1),
        lambda text: text.replace(b'repeated="1"', b'repeated="999999999"'),
        lambda text: text[: rng.randrange(len(text))],
        lambda text: flipped_bits(text, rng),
    ]
    way = rng.choice(ways)
    return repacked(content, lambda name, part: way(part) if name in _SHEET else part)


@kind(stage="bytes", endings="xlsx xlsx ods")
def hostile_zip(content: bytes, rng: random.Random) -> bytes:
    where = [match.start() for match in re.finditer(rb"PK\x01\x02|PK\x03\x04", content)]
    changed = bytearray(content)
    at = rng.choice(where) + rng.choice([6, 8, 8, 10, 14, 18, 18, 20, 22, 22, 24, 26, 28, 30, 42])
    changed[at : at + rng.choice([1, 2, 4])] = rng.randbytes(rng.choice([1, 2, 4]))
    if rng.random() < 0.4:
        start = content.find(b"PK\x03\x04", 40) + 60
        changed[start : start + 30] = rng.randbytes(30)
    return bytes(changed)


# Things done to the folder.
_NAME_LIST = (
    "~%s.csv|.%s.csv|%s.CSV|%s\nerror: x.csv|%s\x1b[2Jx.csv|%s\udcff\udcfe.csv|%s\u202e.csv|"
    " %s .csv|-%s.csv|%s.csv~|%s.csv.bak|%s|%s.pdf|%s.csv.toml|%s\r.csv|%s\x07\x7f\x9b.csv|"
    "%s.csv.csv|a'b\"%s.csv|%s\u2028\u2029.csv|con%s.csv|%s.|"
    "{%s}.csv"
)
_NAMES = _NAME_LIST.split("|")
_NAMES += ["%s" + "x" * length + ".csv" for length in (226, 230, 234)]


@kind(stage="folder", endings="csv", together=False)
def odd_name(rng: random.Random, made: Input, name: str) -> None:
    new = "returns/" + rng.choice(_NAMES) % made.token
    beside = made.files.pop(name + ".toml")
    made.files[new] = made.files.pop(name)
    made.receives = rng.random() < 0.5 or len(new) > 250
    if not made.receives:
        made.files[new + ".toml"] = beside
    made.slack = 10**6


def outside(path: Path) -> Path:
    """A file beside the data folder that must not be read."""
    beside = (
        next(parent for parent in path.parents if parent.name == "raw").parent.parent / "out.csv"
    )
    beside.write_text(f"Measure,Area,Period,Value\n{SECRET},Oakham,2004/05,12\n")
    return beside


#: What may stand in place of a file.
_INSTEAD: dict[str, Callable[[Path], Any]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "nothing in it": Path.touch,
    "link to outside": lambda path: path.symlink_to(outside(path)),
    "link to environment": lambda path: path.symlink_to("/proc/self/environ"),
    "link to zeros": lambda path: path.symlink_to("/dev/zero"),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to passwords": lambda path: path.symlink_to("/etc/passwd"),
}


@kind(stage="folder", endings="csv csv xlsx", together=False)
def no_plain_file(rng: random.Random, made: Input, name: str) -> None:
    way = rng.choice([*_INSTEAD])
    made.done += f" ({way})"
    if rng.random() < 0.3:
        name += ".toml"
        for figure in made.figures:
            figure.sure = False
    elif rng.random() < 0.5:
        made.files.pop(name + ".toml")
        made.receives = True
    made.files[name] = _INSTEAD[way]
    made.slack, made.refused = 10**6, True


@kind(stage="folder", endings="csv", together=False)
def no_sidecar(rng: random.Random, made: Input, name: str) -> None:
    made.files.pop(name + ".toml")
    made.receives = rng.random() < 0.7
    made.slack = 10**6


# Things done to the text of the settings, a sidecar or a file of the register.
def at_random(text: str, rng: random.Random, new: str) -> str:
    at = rng.randrange(len(text))
    return text[:at] + new + text[at:]


def in_cell(text: str, rng: random.Random, new: str) -> str:
    """The text with something else in place of a cell of a CSV file or a value of TOML."""
    places = [*re.finditer(r"(?<=[,\n])[^,\n\"]*(?=[,\n])|(?<= = )[^\n#]+", text)]
    match = rng.choice(places)
    return text[: match.start()] + new + text[match.end() :]


@kind(stage="text", together=False)
def flipped_text(text: str, rng: random.Random) -> str | bytes:
    return flipped_bits(text.encode(), rng)


_ODD_WORDS = (
    "1e308 1e309 -0 nan inf 1e-400 0x1F 1_000 １２ ٣ ((((((((((1)))))))))) 1/0 [] -5 true 1.5 "
    "1e15 2005-13-01 9999-12-31 0001-01-01 999999999999999 %s ../../x a;b;c family: area: "
    '<script> =1+1 {{7*7}} \u202eabc \ufeff \' " "open \\'
)
_ODD = _ODD_WORDS.split(" ")
_ODD += [
    "9" * 5000,
    "(" * 99 + "1",
    "-" * 90 + "1",
    "1" + "/3" * 40,
    "0." + "3" * 90,
    "x" * 200_000,
]
_ODD += ["[" * 900 + "]" * 900, "{a = " * 900 + "1" + "}" * 900, "\0", "\r", "a\rb", "\x1b[2J", ""]
_ODD += ["\u2028", '"a""b"', "é" * 300, "family: x; highest first", "not stated", '"a\nb"', " "]


@kind(stage="text", together=False)
def odd_cell(text: str, rng: random.Random) -> str | bytes:
    return in_cell(text, rng, rng.choice(_ODD))


@kind(stage="text", together=False)
def odd_pieces(text: str, rng: random.Random) -> str | bytes:
    pieces = ["\0", "\r", "\n\n\n", '"', '"""', "\x0c", "\x1a", ",", "\t", "\r\n", "[a]\n", "é"]
    return at_random(text, rng, rng.choice([*pieces, "a.b.c=1\n"]))


@kind(stage="text", together=False)
def other_bytes(text: str, rng: random.Random) -> str | bytes:
    ways = [text.encode()[: rng.randrange(len(text))]]
    windows = at_random(text, rng, "£é").encode("cp1252", "replace")
    ways += [windows, b"", b"\n", b"\xff", text.encode("utf-16"), text.encode() + bytes(99)]
    ways += [text.replace("\n", end).encode() for end in ("\r", "\r\n")]
    ways += [b"\xef\xbb\xbf" + text.encode()]
    return rng.choice(ways)


@kind(stage="text", together=False)
def lines_moved(text: str, rng: random.Random) -> str | bytes:
    lines = text.splitlines(keepends=True)
    at, to = sorted(rng.randrange(len(lines)) for _ in range(2))
    ways = [
        [*lines, lines[at]],
        [*lines[:at], lines[to], *lines[at:]],
        lines[:at] + lines[at + 1 :],
    ]
    return "".join(
        rng.choice([*ways, [*lines[:at], "\n", *lines[at:]], [*lines, lines[to] * 2000]])
    )


@kind(stage="text", together=False)
def two_quotation_marks(text: str, rng: random.Random) -> str | bytes:
    """Two stray quotation marks in one column, that swallow the rows between them."""
    lines = text.split("\n")
    at, to = sorted(rng.randrange(len(lines)) for _ in range(2))
    cells, others = lines[at].split(","), lines[to].split(",")
    column = rng.randrange(min(len(cells), len(others)))
    cells[column], others[column] = f'"{cells[column]}', f'{others[column]}"'
    if at != to:
        lines[at], lines[to] = ",".join(cells), ",".join(others)
    return "\n".join(lines)


@kind(stage="text", together=False)
def no_plain_text(text: str, rng: random.Random) -> Any:
    return _INSTEAD[rng.choice([*_INSTEAD])]


_EFFECTIVENESS = """
[objectives]
travel = "Easier travel"

[effectiveness]
index = "I-9"
net_budget = "I-5"
deflator = "I-1"
deflator_area = "Example"
components = "equal"
"""
#: Lines added to the starter's files, so that none is empty.
_MORE_TEXT = """\
register/commitments.csv
C1,travel,high,Roads,Agreed,milestone,,,,,,July 2005,2005-07-31,,agreement,p. 1,
C2,travel,other,Bus,All,level,million journeys,higher,12,2002/03,13,2005/06,2006-03-31,,agreement,p,

register/differences.csv
A1,target,27%,26%,bid,The bid is later.
A4,baseline,404,400,bid,It is exact.

register/facts.csv
A1,homes with a box,120000,homes,2004,agreement,page 3
A5,wardens,12,people,2004,agreement,page 3

register/trajectories.csv
A2,2003/04,12.9,agreement,page 4
A2,2004/05,13.2,agreement,page 4

register/rebases.csv
P-4-county,2004-05 Q1,The count changed,own decision,

register/baskets.csv
Example,A1,3,,points,yes,agreement,page 5
Example,A5,2,,relative,yes,agreement,page 5

commentary.csv
about,period,written,author,audience,text,illustrative
agreement,2004-05 Q3,2005-02-21,the team,public,Half-way through.,yes
A1,2004-05 Q3,2005-02-22,the team,internal,"Bins, and boxes.",yes

progress.csv
commitment,reported,status,day,value,evidence,illustrative
C1,2004-07-13,on track,,,,yes
C1,2005-07-13,done,2005-07-01,,Minutes,yes
C2,2005-07-13,figure,2005-03-31,12.9,Survey,yes

corrections.csv
measure,area,period,received,action,value,expect,reason,said_by,said_on
P-4-county,Ashby,2004-05 Q1,2007-03-01,flag,revised,4321,late,police,2007-03-02
P-4-county,Ashby,2004-05 Q2,2007-03-01,flag,revised,5432,late,police,2007-03-02
"""
_MORE = {
    name: ",".join(TABLES.get(Path(name).stem, ()))
    + "\n" * name.startswith("register")
    + rows
    + "\n"
    for name, _, rows in (part.strip().partition("\n") for part in _MORE_TEXT.split("\n\n"))
}
_ROW = "{0}-{1},{0},{2},As counted,{3},{4},{5},point,{6},{7},{8},not stated,not stated,not stated,,"
_ROW += "waste,agreement,page 2,"


def _row(letter: str, name: str, baseline: str = "not stated", at: str = "not stated") -> str:
    title, unit, made_of, frequency, *_ = MEASURES[name]
    polarity = "lower" if name in ("4-county", "5", "6", "8", "9") else "higher"
    about = (f"{title} ({letter})", f'"{unit}"', made_of, polarity, frequency, baseline, at)
    return _ROW.format(letter, name, *about)


@lru_cache
def register(letters: str = LETTERS[0]) -> dict[str, str]:
    """The text of each file of an agreement, by its name below raw/, without returns."""
    files = {
        str(path.relative_to(STARTER)): path.read_text()
        for path in sorted(STARTER.rglob("*"))
        if path.is_file() and path.parent.name != "returns"
    }
    known = {"1": ("22", "2002/03"), "3": ("60", "2002/03")}
    rows = [_row(letter, name, *known.get(name, ())) for letter in letters for name in MEASURES]
    header, *measures = files["register/measures.csv"].splitlines()
    measures = [f"{row},{'given' * row.startswith('A2,')}" for row in measures]
    if len(letters) == 1:
        files |= _MORE
        files["agreement.toml"] += _EFFECTIVENESS
        index = _row("I", "9", "100", "2002/03").replace("percent change", "index")
        rows += [index, _row("I", "1"), _row("I", "5")]
        letters += "I"
    else:
        measures = [row.removesuffix("given") for row in measures]
    files["register/measures.csv"] = "\n".join([f"{header},profile", *measures, *rows]) + "\n"
    files["register/targets.csv"] += "".join(
        f"{name},places,More of {name},Do it.,police,agreement,page 2\n" for name in letters
    )
    files["register/areas.csv"] += "".join(f"{name},district,Example\n" for name in DISTRICTS)
    return files


def lines_of(text: str) -> Counter[str]:
    return Counter(text.splitlines())


# Files of each kind.
def shown(cell: Any) -> Any:
    cell = cell.shown if isinstance(cell, Figure) else cell
    return cell.text if isinstance(cell, Raw) else cell


def as_text(cell: Any) -> str:
    """What a cell shows where it can hold nothing but text."""
    if isinstance(cell, Formula):
        return cell.error or "=B2*2"
    return f"{cell.value}%" if isinstance(cell, Percent) else f"{cell}"


def _csv(r: Return) -> bytes:
    def quoted(cell: Any) -> str:
        text, is_raw = as_text(shown(cell)), isinstance(getattr(cell, "shown", cell), Raw)
        marked = re.search(rf'["\r\n{re.escape(r.delimiter)}]', text) and not is_raw
        return '"' + text.replace('"', '""') + '"' if marked else text

    lines = (r.delimiter.join(map(quoted, row)) for row in r.rows)
    return (r.line_end.join(lines) + r.line_end).encode(r.encoding, "replace")


def _cells(r: Return, rows: list[list[Any]]) -> Iterator[tuple[int, int, Any, int, int]]:
    """Row, column and content of each cell, and over how many more of each it is merged."""
    merged = {(id(row), at): (1 - right, right) for row, at, right in r.merged}
    covered: set[tuple[int, int]] = set()
    for at, row in enumerate(rows):
        for column, cell in enumerate(map(shown, row)):
            down, right = merged.get((id(row), column), (0, 0))
            if down or right:
                covered.add((at + down, column + right))
            if (at, column) not in covered:
                yield at, column, cell, down, right


def _xlsx(r: Return) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        book.set_properties({"created": datetime.datetime(2005, 1, 1)})
        percent, day = book.add_format({"num_format": "0.00%"}), book.add_format({"num_format": 14})
        for name, rows, is_hidden in r.all_sheets:
            sheet = book.add_worksheet(name)
            for at, column, cell, down, right in _cells(r, rows):
                if down or right:
                    sheet.merge_range(at, column, at + down, column + right, cell)
                elif isinstance(cell, Percent):
                    sheet.write_number(at, column, cell.value / 100, percent)
                elif isinstance(cell, Formula):
                    sheet.write_formula(at, column, "=B2*2", None, cell.error)
                elif isinstance(cell, datetime.date):
                    sheet.write_datetime(at, column, cell, day)
                elif isinstance(cell, str):
                    sheet.write_string(at, column, cell)
                else:
                    sheet.write_number(at, column, cell)
            if is_hidden:
                sheet.hide()
            for at in r.hidden(rows, r.hidden_rows):
                sheet.set_row(at, None, None, {"hidden": True})
            for column in r.hidden_columns if rows is r.rows else []:
                sheet.set_column(column, column, None, None, {"hidden": True})
    return repacked(content.getvalue(), lambda _, part: part.replace(b"</f><v></v>", b"</f>"))


def _xls(r: Return) -> bytes:
    book, content = xlwt.Workbook(), io.BytesIO()
    percent, day = (xlwt.easyxf(num_format_str=form) for form in ("0.00%", "DD/MM/YYYY"))
    for name, rows, is_hidden in r.all_sheets:
        sheet = book.add_sheet(name)
        sheet.visibility = int(is_hidden)
        for at, column, cell, down, right in _cells(r, rows):
            if down or right:
                sheet.write_merge(at, at + down, column, column + right, cell)
            elif isinstance(cell, Percent):
                sheet.write(at, column, cell.value / 100, percent)
            elif isinstance(cell, Formula) and cell.error:
                sheet.row(at).set_cell_error(column, cell.error)
            elif isinstance(cell, Formula):
                sheet.write(at, column, xlwt.Formula("B2*2"))
            elif cell != "":
                is_day = isinstance(cell, datetime.date)
                sheet.write(at, column, cell, *([day] if is_day else []))
        for at in r.hidden(rows, r.hidden_rows):
            sheet.row(at).hidden = True
        for column in r.hidden_columns if rows is r.rows else []:
            sheet.col(column).hidden = True
    book.save(content)
    return content.getvalue()


def _ods(r: Return) -> bytes:
    document, content, unseen = OpenDocumentSpreadsheet(), io.BytesIO(), {"visibility": "collapse"}
    for name, rows, _ in [sheet for sheet in r.all_sheets if not sheet[2]]:
        sheet = odf.table.Table(name=name)
        for column in range(max(map(len, rows))):
            is_hidden = rows is r.rows and column in r.hidden_columns
            sheet.addElement(odf.table.TableColumn(**(unseen if is_hidden else {})))
        hidden, cells = r.hidden(rows, r.hidden_rows), list(_cells(r, rows))
        lines = [odf.table.TableRow(**(unseen if n in hidden else {})) for n in range(len(rows))]
        places = {place[:2]: place[2:] for place in cells}
        for at, column in [(n, c) for n, row in enumerate(rows) for c in range(len(row))]:
            if (at, column) not in places:
                lines[at].addElement(odf.table.CoveredTableCell())
                continue
            cell, down, right = places[at, column]
            words, about = as_text(cell), {"valuetype": "string"} if cell != "" else {}
            if isinstance(cell, Percent):
                about = {"valuetype": "percentage", "value": cell.value / 100}
            elif isinstance(cell, Formula):
                words, formula = cell.error, {"formula": "of:=[.B2]*2"}
                about = formula | ({**about, "stringvalue": ""} if words else {})
            elif isinstance(cell, datetime.date):
                about = {"valuetype": "date", "datevalue": cell.isoformat()}
            elif isinstance(cell, int | float):
                about = {"valuetype": "float", "value": cell}
            about |= {"numbercolumnsspanned": 2} if right else {}
            about |= {"numberrowsspanned": 2} if down else {}
            element = odf.table.TableCell(**about)
            if words:
                element.addElement(odf.text.P(text=words))
            lines[at].addElement(element)
        for line in lines:
            sheet.addElement(line)
        document.spreadsheet.addElement(sheet)
    document.write(content)
    return repacked(content.getvalue(), lambda _, part: part)


def _parquet(r: Return) -> bytes:
    width, content = max(map(len, r.rows)), io.BytesIO()
    header, *rows = ([*map(shown, row)] + [""] * (width - len(row)) for row in r.rows)
    columns = []
    for column in zip(*rows, strict=True):
        is_number = all(isinstance(cell, int | float) for cell in column)
        columns.append(pa.array(column if is_number else [*map(as_text, column)]))
    table = pa.Table.from_arrays(columns, names=[*map(as_text, header)])
    pyarrow.parquet.write_table(table, content)
    return content.getvalue()


_RENDER = {"csv": _csv, "tsv": _csv, "txt": _csv, "xlsx": _xlsx, "xls": _xls, "ods": _ods}
_RENDER |= {"parquet": _parquet}


def _placed(r: Return) -> None:
    """Write into each figure where it stands."""
    for name, rows, _ in r.all_sheets:
        for at, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, Figure):
                    cell.row, cell.column = at, column
                    cell.sheet = "" if r.is_text or r.ending == "parquet" else name
    r.figures = [figure for figure in r.figures if figure.row]  # without those written over


def _after_bytes(r: Return, made: Input, before: bytes, after: bytes) -> None:
    """Which figures stand where they stood, line by line; in a workbook checksums tell."""
    if r.ending in ("xlsx", "ods"):
        return
    if not r.is_text:
        made.anything = True
        for figure in made.figures:
            figure.sure = False
        return
    lines = before.decode(r.encoding, "replace").split(r.line_end)
    left = after.decode(r.encoding, "replace").split(r.line_end)
    header_is_whole = lines[: made.header] == left[: made.header]
    for figure in made.figures:
        line = lines[figure.row - 1] if figure.row <= len(lines) else ""
        figure.sure = header_is_whole and line in left
    made.slack = 2
    made.anything = not header_is_whole


def build(seed: int, number: int) -> Input:
    """An input; the same for the same seed and number."""
    rng = random.Random(f"{seed}/{number}")
    first = KINDS[number % len(KINDS)]
    letter = LETTERS[number % len(LETTERS)]
    is_register = first.stage == "text" and rng.random() < 0.8
    if is_register:
        return _of_register(rng, first)
    fits = [of for of in KINDS if of.stage == "table" and of is not first]
    more = rng.sample(fits, rng.choice([0, 0, 1, 2]) if first.stage == "table" else 0)
    if first.stage == "bytes" and rng.random() < 0.3:
        more = rng.sample(fits, 1)
    r = Return(rng, letter, first.endings if first.stage != "text" else "csv", first.only)
    tables = [of for of in more if r.ending in of.endings.split() and not of.only]
    tables += [first] * (first.stage == "table")
    for of in sorted(tables, key=KINDS.index):
        of.do(r)
    if r.ending == "parquet" and r.head:
        r.rows = r.rows[r.head :]
        r.head = 0
    _placed(r)
    done = [of.name for of in tables] + [first.name] * (first.stage != "table")
    token = f"return{number}x"
    name = f"returns/{token}.{r.ending}"
    content = _RENDER[r.ending](r)
    made = Input(f"{r.ending} {r.layout}: {', '.join(done)}", {}, r.figures, token, r.head + 1)
    if first.stage == "bytes":
        before, content = content, first.do(content, rng)
        _after_bytes(r, made, before, content)
    about = {"title": "A return", "producer": "Police", "licence": "none", "checksum": ""}
    settings = Sidecar(received="45 days after the period", **about, **r.sidecar)

    def sidecar(beside: Path) -> None:
        of = beside.with_name(beside.name.removesuffix(".toml"))
        known = settings.model_copy(update={"checksum": checksum(of)}) if of.is_file() else settings
        write_sidecar(beside.with_name("sidecar"), known)
        beside.with_name("sidecar").rename(beside)
        if first.stage == "text":
            changed = first.do(beside.read_text(), rng)
            beside.unlink()
            if callable(changed):
                changed(beside)
            else:
                beside.write_bytes(changed if isinstance(changed, bytes) else changed.encode())

    made.files = {name: content, name + ".toml": sidecar}
    if first.stage == "text":
        made.slack, made.anything = 10**6, True
        for figure in made.figures:
            figure.sure = False
    if first.stage == "folder":
        first.do(rng, made, name)
    return made


def _of_register(rng: random.Random, first: Kind) -> Input:
    files = register()
    changed = rng.choice([*files, "agreement.toml", "register/measures.csv"])
    new = first.do(files[changed], rng)
    contents: dict[str, Any] = {name: text.encode() for name, text in files.items()}
    contents[changed] = new.encode() if isinstance(new, str) else new
    rows, figures = ["Measure,Area,Period,Value"], []
    for row, value in enumerate((4321, 5432), start=2):
        period = f"2004-05 Q{row - 1}"
        figure = Figure(("P-4-county", "Ashby", period), value, row=row, column=3)
        figure.sure = changed not in (
            "register/measures.csv",
            "register/areas.csv",
            "agreement.toml",
        )
        figures.append(figure)
        rows.append(f"P-4-county,Ashby,{period},{value}")
    contents["returns/a.csv"] = "\n".join(rows).encode()
    about = {"title": "A return", "producer": "Police", "licence": "none", "checksum": ""}
    settings = Sidecar(received=datetime.date(2007, 3, 1), **about)

    def sidecar(beside: Path) -> None:
        known = settings.model_copy(update={"checksum": checksum(beside.with_suffix(""))})
        write_sidecar(beside, known)

    contents["returns/a.csv.toml"] = sidecar
    made = Input(
        f"{changed}: {first.name}", contents, figures, header=1, slack=10**6, changed=changed
    )
    if changed == "corrections.csv":
        made.anything = True
        for figure in figures:
            figure.sure = False
    made.text = new if isinstance(new, str) else ""
    if isinstance(new, bytes):
        made.text = new.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    return made
