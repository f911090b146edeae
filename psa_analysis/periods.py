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
from datetime import date
from functools import lru_cache
from typing import Literal

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

_YEARS = r"(?P<first>(?:19|20)\d\d)\s*[-/–]\s*(?P<second>(?:19|20)?\d\d)"
_QUARTER_LAST = re.compile(rf"{_YEARS}\s*,?\s*Q(?P<quarter>[1-4])", re.IGNORECASE)
_QUARTER_FIRST = re.compile(rf"Q(?P<quarter>[1-4])\s*,?\s*{_YEARS}", re.IGNORECASE)
_TWO_YEARS = re.compile(_YEARS)
_SUMMER = re.compile(r"summer\s+(?P<year>(?:19|20)\d\d)", re.IGNORECASE)
_ONE_YEAR = re.compile(r"(?P<year>(?:19|20)\d\d)")


class PeriodError(ValueError):
    """A period that cannot be read for certain."""


@dataclass(frozen=True, order=True)
class Period:
    """A span of time that a reading belongs to.

    Sorting is by last day, then by first day.

    Attributes
    ----------
    end, start : date
        Last and first day, both included.
    kind : str
        One of the kinds in the module's table.
    label : str
        The one spelling that is stored.
    """

    end: date
    start: date
    kind: Kind
    label: str

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


def period_containing(day: date, kind: Kind) -> Period:
    """The period of a kind that a day falls into.

    Raises
    ------
    PeriodError
        For a mean of years, of which there is no calendar.
    """
    first_month = {"quarter": 4, "financial_year": 4, "exam_year": 9, "calendar_year": 1}
    if kind not in first_month:
        raise PeriodError("a mean of years has no calendar")
    first_year = day.year - (day.month < first_month[kind])
    if kind == "quarter":
        return quarter(first_year, (day.month - 4) % 12 // 3 + 1)
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
    """Read a period.

    Parameters
    ----------
    text : str
        A spelling from the module's table or one of ``2004/05 Q3``, ``Q3 2004-05``,
        ``2004-05``, ``1999-2000``, ``summer 2005``.
    kind : str, optional
        The kind that is expected. It decides what ``2004/05`` means (a financial or an
        exam year); any other contradiction is an error.

    Raises
    ------
    PeriodError
        If the text is not a period or is one of another kind. The message says which.
    """
    clean = " ".join(text.split())
    found = _read(clean, exam_year=kind == "exam_year")
    if found is None:
        raise PeriodError(f"'{text}' is not a period; expected {EXPECTED}")
    if kind is not None and found.kind != kind:
        raise PeriodError(f"'{text}' is {KIND_NAMES[found.kind]}; expected {KIND_NAMES[kind]}")
    return found


def _read(text: str, exam_year: bool) -> Period | None:
    if match := _QUARTER_LAST.fullmatch(text) or _QUARTER_FIRST.fullmatch(text):
        first = int(match["first"])
        return quarter(first, int(match["quarter"])) if _last(match) == first + 1 else None
    if match := _TWO_YEARS.fullmatch(text):
        first, last = int(match["first"]), _last(match)
        if last == first + 1:
            return _year("exam_year" if exam_year else "financial_year", first)
        if first < last <= first + 10:
            label = f"{first}-{last % 100:02d}"
            return Period(date(last, 12, 31), date(first, 1, 1), "mean_of_years", label)
        return None
    if match := _SUMMER.fullmatch(text):
        return _year("exam_year", int(match["year"]) - 1)
    if match := _ONE_YEAR.fullmatch(text):
        return _year("calendar_year", int(match["year"]))
    return None


def _last(match: re.Match[str]) -> int:
    """The second year of a span in full: 2000 for both ``1999-00`` and ``1999-2000``."""
    first, second = int(match["first"]), match["second"]
    if len(second) == 4:
        return int(second)
    century = first // 100 * 100
    last = century + int(second)
    return last if last > first else last + 100
