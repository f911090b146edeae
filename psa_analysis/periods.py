"""Periods: the spellings that returns use, and the one that we store; docs/register.md has both."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Kind = Literal[
    "month", "quarter", "term", "financial_year", "exam_year", "calendar_year", "mean_of_years"
]


class Frequency(NamedTuple):
    """How often a measure is observed."""

    kind: Kind  # of the period that each figure is of
    freq: str  # the same as pandas calls it
    per_year: int
    year_end: int  # the last month of the year that the periods make up
    name: str

    @property
    def step(self) -> str:
        """What it is counted in: ``month``, ``quarter``, ``term`` or ``year``."""
        return self.name.rpartition(" ")[2]


FREQUENCIES = {
    "monthly": Frequency("month", "M", 12, 3, "a month"),
    "quarterly": Frequency("quarter", "Q-MAR", 4, 3, "a quarter"),
    "termly": Frequency("term", "4M", 3, 8, "a school term"),
    "annual": Frequency("financial_year", "Y-MAR", 1, 3, "a financial year"),
    "exam_year": Frequency("exam_year", "Y-AUG", 1, 8, "an exam year"),
    "calendar_year": Frequency("calendar_year", "Y-DEC", 1, 12, "a calendar year"),
    # One ends each year: 2018-20, 2019-21. How many years it has is for the measure to say.
    "several_years": Frequency("mean_of_years", "Y-DEC", 1, 12, "a mean of years"),
}

KIND_NAMES = {frequency.kind: frequency.name for frequency in FREQUENCIES.values()}
#: The kinds of which a day says which period it is in.
OF_KIND = {of.kind: of for name, of in FREQUENCIES.items() if name != "several_years"}

_EXPECTED = "a period such as 2004-05 Q3, Q3 2004-05, 2004/05, summer 2005, 2004, April 2004, "
_EXPECTED += "autumn term 2004 or 1994-98"

#: Of four months each, so that they make up the school year: spring is January to April.
_TERMS = ["autumn", "spring", "summer"]
#: Not the calendar module's, which are those of the session's language.
_MONTH_NAMES = ["January", "February", "March", "April", "May", "June", "July", "August"]
_MONTH_NAMES += ["September", "October", "November", "December"]
_MONTHS = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTH_NAMES) + "|sept"
_SECOND = r"(?P<dash>\s*[-/–]\s*)(?P<second>(?:19|20)?[0-9]{2}|[0-9])"
_YEARS = r"(?P<first>(?:19|20)[0-9]{2})" + _SECOND
_SHORT_YEARS = r"(?P<first>(?:19|20)?[0-9]{2})" + _SECOND
#: As the Department for Education writes them: 200405.
_YEARS_TOGETHER = r"(?P<first>(?:19|20)[0-9]{2})(?P<second>[0-9]{2})"
_Q = r"(?:Q|quarter|qtr)\s*(?P<quarter>[1-4])"
_YEAR = r"(?P<year>(?:19|20)[0-9]{2})"
_TERM = rf"(?P<term>{'|'.join(_TERMS)})(?:\s+term)?"
_TWO_DIGITS = r"(?P<month>0[1-9]|1[0-2])"
#: A month with a year in full, or in two digits: Dec 2004, Dec-04.
_MONTH_YEAR = rf"(?P<month>{_MONTHS})[-\s.']*(?P<year>(?:19|20)?[0-9]{{2}})"
_FROM = rf"(?P<from>{_MONTHS})(?:[-\s.']*(?P<begins>(?:19|20)?[0-9]{{2}}))?\s*(?:-|–|to)\s*"
_ENDING = r"(?:end\w+|to)\s+(?:\d\d?\s+)?"
_KIND = r"financial year|FY|academic year|school year|AY"
#: Days of 1900 to 2199, so that a mistyped one is a finding and not an overflow.
_DAY = re.compile(r"(19[0-9]{2}|2[01][0-9]{2})-([0-9]{2})-([0-9]{2})")
_BRITISH_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/((?:19|20)[0-9]{2})")
#: Spreadsheets count days from 30 December 1899: these are 1954 to 2036.
_SERIAL = re.compile(r"[234][0-9]{4}")

#: Spellings that real returns hold and that have more than one meaning, with what to write.
_AMBIGUOUS = {
    r"FY\s*'?[0-9]{2}(?:[0-9]{2})?": "both years, as 2003/04: FY04 may begin or end in 2004",
    rf"{_Q}\s*,?\s*(?:19|20)[0-9]{{2}}|(?:19|20)[0-9]{{2}}\s*,?\s*Q[1-4]": (
        "the quarter's financial year, as 2004-05 Q3: a calendar year's quarters are others"
    ),
    r"(?:19|20)[0-9]{2}\s+[0-9]Q[1-4]|.*Q[1-4][0-9]": (
        "the quarter without a footnote's number, as 2004-05 Q3"
    ),
    r"[0-9]{2}\s*[-/–]\s*[0-9]{2}": "years in full, as 2004/05: two digits may be a month",
}


class PeriodError(ValueError):
    """A period that cannot be read for certain."""


@dataclass(frozen=True, order=True)
class Period:
    """A span of time that a reading belongs to; sorted by last day, then by first day."""

    end: date  # both days are included
    start: date
    kind: Kind
    label: str  # the one spelling that is stored

    def __str__(self) -> str:
        return self.label

    @property
    def slug(self) -> str:
        """The label as a folder's name: ``2004-05-Q3``."""
        return re.sub(r"[ /]", "-", self.label)

    def years_before(self, years: int) -> "Period":
        """The same period, so many years earlier."""
        if self.kind == "mean_of_years":
            return mean_of_years(self.start.year - years, self.end.year - years)
        return period_containing(self.start.replace(year=self.start.year - years), self.kind)


def quarter(first_year: int, number: int) -> Period:
    """Quarter `number` (1 is April to June) of the financial year that begins in `first_year`."""
    return period_containing(date(first_year + number // 4, 3 * number % 12 + 1, 1), "quarter")


@lru_cache(maxsize=4096)
def period_containing(day: date, kind: Kind) -> Period:
    """The period of a kind that a day falls into."""
    if kind not in OF_KIND:
        raise PeriodError("a mean of years has no calendar")
    # The same as a pandas Period of that frequency, which takes half a second to import.
    months, year_end = 12 // OF_KIND[kind].per_year, OF_KIND[kind].year_end
    begins = steps_to(day, 12) - (steps_to(day, 12) - year_end) % months
    start, end = _first_day(begins), _first_day(begins + months) - timedelta(days=1)
    first_year = start.year - (start.month <= year_end % 12)
    years, number = f"{first_year}/{(first_year + 1) % 100:02d}", place_in_year(end.month, kind)
    labels: dict[Kind, str] = {
        "month": f"{_MONTH_NAMES[start.month - 1]} {start.year}",
        "quarter": f"{years.replace('/', '-')} Q{number}",
        "term": f"{_TERMS[(number - 1) % 3]} term {start.year}",
        "calendar_year": str(start.year),
    }
    return Period(end, start, kind, labels.get(kind, years))


def _first_day(month: int) -> date:
    """The first day of a month, as :func:`steps_to` counts them."""
    return date(month // 12, month % 12 + 1, 1)


def mean_of_years(first: int, last: int) -> Period:
    """The calendar years from one to another."""
    label = f"{first}-{last % 100:02d}"
    return Period(date(last, 12, 31), date(first, 1, 1), "mean_of_years", label)


def place_in_year(month: Any, kind: Kind) -> Any:
    """Which period of its year ends in a month, or in each of several: June has quarter 1."""
    frequency = OF_KIND[kind]
    return (month - frequency.year_end - 1) % 12 * frequency.per_year // 12 + 1


def steps_to(days: Any, per_year: Any) -> Any:
    """Time in months, quarters, terms or years, to those that end on days (the ``dt`` too)."""
    return (days.year * 12 + days.month - 1) * per_year // 12


def step_of(period: Period) -> int:
    """Time counted in steps of the period's own kind."""
    return int(steps_to(period.end, OF_KIND[period.kind].per_year if period.kind in OF_KIND else 1))


@lru_cache(maxsize=4096)
def parse_period(text: str, kind: Kind | None = None) -> Period:
    """Read a period; where a text may be of several kinds, it is of the one that is wanted."""
    clean = " ".join(text.replace("\u00a0", " ").split())
    if not (meanings := [*_meanings(clean, kind)]):
        advice = (words for ways, words in _AMBIGUOUS.items() if re.fullmatch(ways, clean, re.I))
        expected = next(advice, _EXPECTED)
        raise PeriodError(f"'{text}' is not a period for certain; expected {expected}")
    found = next((period for period in meanings if period.kind == kind), meanings[0])
    if kind is not None and found.kind != kind:
        raise PeriodError(f"'{text}' is {KIND_NAMES[found.kind]}; expected {KIND_NAMES[kind]}")
    return found


def _meanings(text: str, kind: Kind | None) -> Iterator[Period]:
    """Every period that a text may stand for, the usual one first."""
    for pattern, read in _SPELLINGS:
        if match := pattern.fullmatch(text):
            yield from read(match.groupdict())
    if kind == "month" and (match := re.fullmatch(_YEAR + _TWO_DIGITS, text)):
        yield from _months(match.groupdict())
    # A day, or a spreadsheet's number for one, stands for the period that it is the last of.
    if kind in OF_KIND and (day := read_day(text)):
        found = period_containing(day, kind)
        yield from [found] if found.end == day else []


def _quarters(words: dict[str, str]) -> Iterator[Period]:
    first, last = _span(words)
    if last == first + 1:
        yield quarter(first, int(words["quarter"]))


def _several_years(words: dict[str, str]) -> Iterator[Period]:
    first, last = _span(words)
    named = (words["kind"] or words["after"] or "").casefold()
    is_mean = named in ("average", "mean")
    if last == first + 1 and not is_mean:
        # Written plainly, 2004/05 is whichever kind of year the measure has.
        if not named or named.startswith("f"):
            yield period_containing(date(first, 4, 1), "financial_year")
        if not named.startswith("f"):
            yield period_containing(date(first, 9, 1), "exam_year")
    elif (is_mean or not named) and words.get("dash") and first + 1 < last <= first + 10:
        yield mean_of_years(first, last)


def _one_year(words: dict[str, str]) -> Iterator[Period]:
    kind: Kind = "exam_year" if words["summer"] else "calendar_year"
    yield period_containing(date(int(words["year"]), 1, 1), kind)


def _terms(words: dict[str, str]) -> Iterator[Period]:
    number = _TERMS.index(words["term"].casefold())
    first, last = _span(words) if words["first"] else (int(words["year"]),) * 2
    if last <= first + 1:
        # The autumn's year is the first of the two, and the others' is the second.
        day = date(last if number else first, (8 + 4 * number) % 12 + 1, 1)
        yield period_containing(day, "term")


def _months(words: dict[str, str]) -> Iterator[Period]:
    """The period, if there is one, from one month to another: a month, a quarter or a year."""

    def counted(month: str, year: str) -> int:
        names = [name[:3].casefold() for name in _MONTH_NAMES]
        place = int(month) - 1 if month.isdigit() else names.index(month[:3].casefold())
        return 12 * _century(year) + place

    last = first = counted(words["month"], words["year"])
    if "from" in words:
        first = counted(words["from"], words["begins"] or words["year"])
    elif "three" in words:
        first = last - 2
    for kind in OF_KIND:
        period = period_containing(_first_day(last), kind)
        if (steps_to(period.start, 12), steps_to(period.end, 12)) == (first, last):
            yield period


def read_day(text: str) -> date | None:
    """A day written as 2005-01-30, as 30/01/2005 where that has one meaning, or as a serial."""
    with suppress(ValueError):
        if _SERIAL.fullmatch(text):
            return date(1899, 12, 30) + timedelta(days=int(text))
        if match := _DAY.fullmatch(text):
            return date(*map(int, match.groups()))
        if match := _BRITISH_DAY.fullmatch(text):
            # 05/04/2005 is in April or May, depending on who typed it.
            day, month, year = map(int, match.groups())
            return date(year, month, day) if day > 12 or day == month else None
    return None


def _span(words: dict[str, str]) -> tuple[int, int]:
    """Both years of a span in full: 1999 and 2000 for ``1999-00``, ``99-00`` and ``1999-2000``."""
    first, second = _century(words["first"]), words["second"]
    if len(second) == 4:
        return first, int(second)
    last = first - first % 10 ** len(second) + int(second)
    return first, last + 100 if last <= first and len(second) == 2 else last


def _century(year: str) -> int:
    """A year of four digits, or of two between 1970 and 2069."""
    number = int(year)
    if number < 100:
        number += 1900 if number >= 70 else 2000
    return number


#: Every spelling, with what reads its parts.
_SPELLINGS = [
    (re.compile(text, re.IGNORECASE), read)
    for text, read in (
        (rf"{_SHORT_YEARS}\s*,?\s*{_Q}", _quarters),
        (rf"{_Q}\s*,?\s*(?:of\s+)?{_SHORT_YEARS}", _quarters),
        (rf"(?P<kind>{_KIND})?\s*{_YEARS}(?:\s+(?P<after>average|mean|{_KIND}))?", _several_years),
        (rf"(?P<kind>{_KIND})?\s*{_YEARS_TOGETHER}(?:\s+(?P<after>{_KIND}))?", _several_years),
        (rf"(?:calendar year\s+|(?P<summer>summer\s+))?{_YEAR}", _one_year),
        (rf"{_TERM}\s*,?\s+(?:{_YEAR}|{_YEARS})", _terms),
        (rf"{_YEARS}\s+{_TERM}", _terms),
        (rf"{_YEAR}-{_TWO_DIGITS}", _months),
        (_MONTH_YEAR, _months),
        (_FROM + _MONTH_YEAR, _months),
        (rf"{_MONTH_YEAR}\s+(?P<three>quarter|qtr)", _months),
        (rf"(?P<three>quarter|qtr|(?:3|three) months)\s+{_ENDING}{_MONTH_YEAR}", _months),
    )
]
