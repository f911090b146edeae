"""Periods: the spellings that returns use, and the one spelling that we store.

A period has a kind, a first and a last day and a label:

=================  ==============  =========================================
kind               label           covers
=================  ==============  =========================================
quarter            2004-05 Q3      October to December 2004
financial_year     2004/05         April 2004 to March 2005
exam_year          2004/05         September 2004 to August 2005: summer 2005
calendar_year      2004            January to December 2004
mean_of_years      1994-98         several calendar years
=================  ==============  =========================================

What cannot be read for certain is refused, never guessed.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal

Kind = Literal["quarter", "financial_year", "exam_year", "calendar_year", "mean_of_years"]

#: The kind of period in which a measure of each frequency is observed.
KIND_OF_FREQUENCY: dict[str, Kind] = {
    "quarterly": "quarter",
    "annual": "financial_year",
    "exam_year": "exam_year",
    "calendar_year": "calendar_year",
}

KIND_NAMES: dict[Kind, str] = {
    "quarter": "a quarter",
    "financial_year": "a financial year",
    "exam_year": "an exam year",
    "calendar_year": "a calendar year",
    "mean_of_years": "a mean of years",
}

EXPECTED = "a period such as 2004-05 Q3, Q3 2004-05, 2004/05, summer 2005, 2004 or 1994-98"

_YEARS = r"(?P<first>(?:19|20)[0-9]{2})\s*[-/–]\s*(?P<second>(?:19|20)?[0-9]{2}|[0-9])"
_SHORT_YEARS = r"(?P<first>[0-9]{2})\s*[-/–]\s*(?P<second>[0-9]{2})"
_Q = r"(?:Q|quarter|qtr)\s*(?P<quarter>[1-4])"
_MONTH = r"(?P<{}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_YEAR = r"(?P<year>(?:19|20)[0-9]{2})"
#: A month with a year in full, or in two digits: Dec 2004, Dec-04.
_MONTH_YEAR = _MONTH.format("last") + r"[-\s.']*(?P<year>(?:19|20)?[0-9]{2})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_QUARTERS = [
    _pattern(rf"{_YEARS}\s*,?\s*{_Q}"),
    _pattern(rf"{_Q}\s*,?\s*(?:of\s+)?{_YEARS}"),
    _pattern(rf"{_SHORT_YEARS}\s*,?\s*{_Q}"),
    _pattern(rf"{_Q}\s*,?\s*(?:of\s+)?{_SHORT_YEARS}"),
]
_THREE_MONTHS = _pattern(rf"{_MONTH.format('from')}\s*(?:-|–|to)\s*{_MONTH_YEAR}")
_QUARTER_TO = [
    _pattern(rf"{_MONTH_YEAR}\s+(?:quarter|qtr)"),
    _pattern(
        r"(?:quarter|qtr|3 months|three months)\s+(?:ending|ended|to)\s+(?:[0-9]{1,2}\s+)?"
        + _MONTH_YEAR
    ),
]
_TWO_YEARS = _pattern(rf"(?P<kind>financial year|FY|academic year|school year)?\s*{_YEARS}")
_SUMMER = _pattern(rf"summer\s+{_YEAR}")
_ONE_YEAR = _pattern(rf"(?:calendar year\s+)?{_YEAR}")
_MEAN = _pattern(rf"{_YEARS}\s+(?:average|mean)")
_DAY = _pattern(r"([12][0-9]{3})-([0-9]{2})-([0-9]{2})")
_BRITISH_DAY = _pattern(r"([0-9]{1,2})/([0-9]{1,2})/((?:19|20)[0-9]{2})")
#: Spreadsheets count days from 30 December 1899: these are 1954 to 2036.
_SERIAL = _pattern(r"[234][0-9]{4}")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}

#: Spellings that real returns hold and that have more than one meaning, with what to write.
_AMBIGUOUS = [
    (
        _pattern(r"FY\s*'?[0-9]{2}(?:[0-9]{2})?"),
        "a financial year by both its years, as 2003/04: FY04 may begin or end in 2004",
    ),
    (
        _pattern(rf"{_Q}\s*,?\s*(?:19|20)[0-9]{{2}}|(?:19|20)[0-9]{{2}}\s*,?\s*Q[1-4]"),
        "the quarter's financial year, as 2004-05 Q3: a calendar year's quarters are others",
    ),
    (
        _pattern(r"(?:19|20)[0-9]{2}\s+[0-9]Q[1-4]|.*Q[1-4][0-9]"),
        "the quarter without a footnote's number, as 2004-05 Q3",
    ),
    (_pattern(_SHORT_YEARS), "years in full, as 2004/05: two digits may also be a month"),
    (_pattern(_MONTH_YEAR), "the quarter, as 2004-05 Q3: this names a month"),
]


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

    def years_before(self, years: int) -> Period:
        """The same period, so many years earlier."""
        first = self.start.year - years
        if self.kind == "quarter":
            return quarter(first - (self.start.month < 4), int(self.label[-1]))
        if self.kind == "mean_of_years":
            raise PeriodError(f"{self.label} is a mean of several years: it has no year before")
        return _year(self.kind, first)


def quarter(first_year: int, number: int) -> Period:
    """Quarter `number` (1 is April to June) of the financial year that begins in `first_year`."""
    year = first_year + (number == 4)
    month = 3 * number + 1 if number < 4 else 1
    label = f"{first_year}-{(first_year + 1) % 100:02d} Q{number}"
    return Period(_last_day(year, month + 2), date(year, month, 1), "quarter", label)


def quarter_number(month: Any) -> Any:
    """Which quarter of the financial year a month, or each of several, is in: April gives 1."""
    return (month - 4) % 12 // 3 + 1


def period_containing(day: date, kind: Kind) -> Period:
    """The period of a kind that a day falls into."""
    first_month = {"quarter": 4, "financial_year": 4, "exam_year": 9, "calendar_year": 1}
    if kind not in first_month:
        raise PeriodError("a mean of years has no calendar")
    first_year = day.year - (day.month < first_month[kind])
    if kind == "quarter":
        return quarter(first_year, quarter_number(day.month))
    return _year(kind, first_year)


def _year(kind: Kind, first_year: int) -> Period:
    """The financial, exam or calendar year that begins in `first_year`."""
    if kind == "calendar_year":
        return Period(date(first_year, 12, 31), date(first_year, 1, 1), kind, str(first_year))
    label = f"{first_year}/{(first_year + 1) % 100:02d}"
    month = 4 if kind == "financial_year" else 9
    return Period(_last_day(first_year + 1, month - 1), date(first_year, month, 1), kind, label)


def _last_day(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


@lru_cache(maxsize=4096)
def parse_period(text: str, kind: Kind | None = None) -> Period:
    """Read a period."""
    clean = " ".join(text.replace("\u00a0", " ").split())
    found = _read(clean, kind)
    if found is None:
        better = next((words for pattern, words in _AMBIGUOUS if pattern.fullmatch(clean)), None)
        raise PeriodError(f"'{text}' is not a period for certain; expected {better or EXPECTED}")
    if kind is not None and found.kind != kind:
        raise PeriodError(f"'{text}' is {KIND_NAMES[found.kind]}; expected {KIND_NAMES[kind]}")
    return found


def _read(text: str, kind: Kind | None) -> Period | None:
    for pattern in _QUARTERS:
        if match := pattern.fullmatch(text):
            first, last = _span(match)
            return quarter(first, int(match["quarter"])) if last == first + 1 else None
    if match := _THREE_MONTHS.fullmatch(text):
        found = _quarter_to(match)
        begins = _MONTHS[match["from"][:3].casefold()]
        return found if found is not None and found.start.month == begins else None
    for pattern in _QUARTER_TO:
        if match := pattern.fullmatch(text):
            return _quarter_to(match)
    if match := _TWO_YEARS.fullmatch(text):
        return _two_years(match, kind)
    if match := _MEAN.fullmatch(text):
        return _mean(*_span(match))
    if match := _SUMMER.fullmatch(text):
        return _year("exam_year", int(match["year"]) - 1)
    if match := _ONE_YEAR.fullmatch(text):
        return _year("calendar_year", int(match["year"]))
    return _from_day(text, kind)


def _two_years(match: re.Match[str], kind: Kind | None) -> Period | None:
    first, last = _span(match)
    if last == first + 1:
        named = (match["kind"] or "").casefold()
        school = named.startswith(("academic", "school"))
        # Written plainly, 2004/05 is whichever kind of year the measure has.
        exam = school or (not named and kind == "exam_year")
        return _year("exam_year" if exam else "financial_year", first)
    return None if match["kind"] else _mean(first, last)


def _mean(first: int, last: int) -> Period | None:
    if not first + 1 < last <= first + 10:
        return None
    label = f"{first}-{last % 100:02d}"
    return Period(date(last, 12, 31), date(first, 1, 1), "mean_of_years", label)


def _quarter_to(match: re.Match[str]) -> Period | None:
    """The quarter whose last month is named."""
    month = _MONTHS[match["last"][:3].casefold()]
    if month % 3:
        return None
    return period_containing(date(_century(match["year"]), month, 1), "quarter")


def _from_day(text: str, kind: Kind | None) -> Period | None:
    """A day, or a spreadsheet's number for one, that is the last of a period of the kind asked."""
    day = read_day(text)
    if day is None or kind is None or kind == "mean_of_years":
        return None
    found = period_containing(day, kind)
    return found if found.end == day else None


def read_day(text: str) -> date | None:
    """A day written as 2005-01-30, as 30/01/2005 where that has one meaning, or as a serial.

    None for anything else, 05/04/2005 included, which is in April or May depending on who typed it.
    """
    if match := _DAY.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    elif match := _BRITISH_DAY.fullmatch(text):
        day, month, year = (int(part) for part in match.groups())
        if day <= 12 and day != month:
            return None
    elif _SERIAL.fullmatch(text):
        return date(1899, 12, 30) + timedelta(days=int(text))
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _span(match: re.Match[str]) -> tuple[int, int]:
    """Both years of a span in full: 1999 and 2000 for ``1999-00``, ``99-00`` and ``1999-2000``."""
    first, second = _century(match["first"]), match["second"]
    if len(second) == 4:
        return first, int(second)
    if len(second) == 1:
        return first, first // 10 * 10 + int(second)
    last = first // 100 * 100 + int(second)
    return first, last if last > first else last + 100


def _century(year: str) -> int:
    """A year of four digits, or of two between 1970 and 2069."""
    number = int(year)
    if len(year) == 4:
        return number
    return number + (1900 if number >= 70 else 2000)


def step_of(period: Period) -> int:
    """Time counted in steps of the period's own kind: quarters, or years by their last day."""
    end = period.end
    return (end.year * 12 + end.month) // 3 if period.kind == "quarter" else end.year
