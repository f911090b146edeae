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

import re
from contextlib import suppress
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

#: The month in which a year begins.
_FIRST_MONTH = {"quarter": 4, "financial_year": 4, "exam_year": 9, "calendar_year": 1}

_EXPECTED = "a period such as 2004-05 Q3, Q3 2004-05, 2004/05, summer 2005, 2004 or 1994-98"

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_SECOND = r"\s*[-/–]\s*(?P<second>(?:19|20)?[0-9]{2}|[0-9])"
_YEARS = r"(?P<first>(?:19|20)[0-9]{2})" + _SECOND
_SHORT_YEARS = r"(?P<first>(?:19|20)?[0-9]{2})" + _SECOND
_Q = r"(?:Q|quarter|qtr)\s*(?P<quarter>[1-4])"
_YEAR = r"(?P<year>(?:19|20)[0-9]{2})"
_MONTH = rf"(?P<{{}}>{'|'.join(_MONTHS)})[a-z]*"
#: A month with a year in full, or in two digits: Dec 2004, Dec-04.
_MONTH_YEAR = _MONTH.format("last") + r"[-\s.']*(?P<year>(?:19|20)?[0-9]{2})"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_QUARTERS = [
    _pattern(rf"{_SHORT_YEARS}\s*,?\s*{_Q}"),
    _pattern(rf"{_Q}\s*,?\s*(?:of\s+)?{_SHORT_YEARS}"),
]
_QUARTERS_TO = [
    _pattern(rf"{_MONTH.format('from')}\s*(?:-|–|to)\s*{_MONTH_YEAR}"),
    _pattern(rf"{_MONTH_YEAR}\s+(?:quarter|qtr)"),
    _pattern(rf"(?:quarter|qtr|(?:3|three) months)\s+(?:end\w+|to)\s+(?:\d\d?\s+)?{_MONTH_YEAR}"),
]
_TWO_YEARS = _pattern(
    rf"(?P<kind>financial year|FY|academic year|school year)?\s*{_YEARS}"
    r"(?P<mean>\s+(?:average|mean))?"
)
_ONE_YEAR = _pattern(rf"(?:calendar year\s+|(?P<summer>summer\s+))?{_YEAR}")
_DAY = _pattern(r"([12][0-9]{3})-([0-9]{2})-([0-9]{2})")
_BRITISH_DAY = _pattern(r"([0-9]{1,2})/([0-9]{1,2})/((?:19|20)[0-9]{2})")
#: Spreadsheets count days from 30 December 1899: these are 1954 to 2036.
_SERIAL = _pattern(r"[234][0-9]{4}")

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
    _MONTH_YEAR: "the quarter, as 2004-05 Q3: this names a month",
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

    def years_before(self, years: int) -> Period:
        """The same period, so many years earlier."""
        return period_containing(self.start.replace(year=self.start.year - years), self.kind)


def _whole_months(start: date, months: int, kind: Kind, label: str) -> Period:
    years, month = divmod(start.month - 1 + months, 12)
    following = date(start.year + years, month + 1, 1)
    return Period(following - timedelta(days=1), start, kind, label)


def quarter(first_year: int, number: int) -> Period:
    """Quarter `number` (1 is April to June) of the financial year that begins in `first_year`."""
    start = date(first_year + number // 4, 3 * number % 12 + 1, 1)
    label = f"{first_year}-{(first_year + 1) % 100:02d} Q{number}"
    return _whole_months(start, 3, "quarter", label)


def quarter_number(month: Any) -> Any:
    """Which quarter of the financial year a month, or each of several, is in: April gives 1."""
    return (month - 4) % 12 // 3 + 1


def period_containing(day: date, kind: Kind) -> Period:
    """The period of a kind that a day falls into."""
    if kind not in _FIRST_MONTH:
        raise PeriodError("a mean of years has no calendar")
    first_year = day.year - (day.month < _FIRST_MONTH[kind])
    if kind == "quarter":
        return quarter(first_year, quarter_number(day.month))
    return _year(kind, first_year)


def _year(kind: Kind, first_year: int) -> Period:
    """The financial, exam or calendar year that begins in `first_year`."""
    calendar = kind == "calendar_year"
    label = str(first_year) if calendar else f"{first_year}/{(first_year + 1) % 100:02d}"
    return _whole_months(date(first_year, _FIRST_MONTH[kind], 1), 12, kind, label)


@lru_cache(maxsize=4096)
def parse_period(text: str, kind: Kind | None = None) -> Period:
    """Read a period."""
    clean = " ".join(text.replace("\u00a0", " ").split())
    found = _read(clean, kind)
    if found is None:
        meant = (words for ways, words in _AMBIGUOUS.items() if _pattern(ways).fullmatch(clean))
        expected = next(meant, _EXPECTED)
        raise PeriodError(f"'{text}' is not a period for certain; expected {expected}")
    if kind is not None and found.kind != kind:
        raise PeriodError(f"'{text}' is {KIND_NAMES[found.kind]}; expected {KIND_NAMES[kind]}")
    return found


def _read(text: str, kind: Kind | None) -> Period | None:
    for pattern in _QUARTERS:
        if match := pattern.fullmatch(text):
            first, last = _span(match)
            return quarter(first, int(match["quarter"])) if last == first + 1 else None
    for pattern in _QUARTERS_TO:
        if match := pattern.fullmatch(text):
            return _quarter_to(match)
    if match := _TWO_YEARS.fullmatch(text):
        return _two_years(match, kind)
    if match := _ONE_YEAR.fullmatch(text):
        year = int(match["year"])
        return _year("exam_year", year - 1) if match["summer"] else _year("calendar_year", year)
    # A day, or a spreadsheet's number for one, stands for the period that it is the last of.
    day = read_day(text)
    if day is None or kind is None or kind not in _FIRST_MONTH:
        return None
    found = period_containing(day, kind)
    return found if found.end == day else None


def _two_years(match: re.Match[str], kind: Kind | None) -> Period | None:
    first, last = _span(match)
    named = (match["kind"] or "").casefold()
    if last == first + 1 and not match["mean"]:
        # Written plainly, 2004/05 is whichever kind of year the measure has.
        exam = named.startswith(("academic", "school")) or (not named and kind == "exam_year")
        return _year("exam_year" if exam else "financial_year", first)
    if named or not first + 1 < last <= first + 10:
        return None
    label = f"{first}-{last % 100:02d}"
    return Period(date(last, 12, 31), date(first, 1, 1), "mean_of_years", label)


def _quarter_to(match: re.Match[str]) -> Period | None:
    """The quarter whose last month is named, and perhaps its first."""
    named = match.groupdict()
    month = 1 + _MONTHS.index(named["last"][:3].casefold())
    first = named.get("from", _MONTHS[month - 3])[:3].casefold()
    if month % 3 or first != _MONTHS[month - 3]:
        return None
    return period_containing(date(_century(named["year"]), month, 1), "quarter")


def read_day(text: str) -> date | None:
    """A day written as 2005-01-30, as 30/01/2005 where that has one meaning, or as a serial.

    None for anything else, 05/04/2005 included, which is in April or May depending on who typed it.
    """
    with suppress(ValueError):
        if _SERIAL.fullmatch(text):
            return date(1899, 12, 30) + timedelta(days=int(text))
        if match := _DAY.fullmatch(text):
            return date(*map(int, match.groups()))
        if match := _BRITISH_DAY.fullmatch(text):
            day, month, year = map(int, match.groups())
            return date(year, month, day) if day > 12 or day == month else None
    return None


def _span(match: re.Match[str]) -> tuple[int, int]:
    """Both years of a span in full: 1999 and 2000 for ``1999-00``, ``99-00`` and ``1999-2000``."""
    first, second = _century(match["first"]), match["second"]
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


def step_of(period: Period) -> int:
    """Time counted in steps of the period's own kind: quarters, or years by their last day."""
    end = period.end
    return (end.year * 12 + end.month) // 3 if period.kind == "quarter" else end.year
