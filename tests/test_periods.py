"""Periods: every spelling gives the one label, and nothing ambiguous is guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.periods import PeriodError, parse_period, period_containing, quarter


@pytest.mark.parametrize(
    ("text", "kind", "label", "start", "end"),
    [
        ("2004-05 Q3", None, "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("2004/05 Q4", None, "2004-05 Q4", date(2005, 1, 1), date(2005, 3, 31)),
        ("q1 2004-05", None, "2004-05 Q1", date(2004, 4, 1), date(2004, 6, 30)),
        ("  2004-2005   Q2 ", None, "2004-05 Q2", date(2004, 7, 1), date(2004, 9, 30)),
        ("2003/04", None, "2003/04", date(2003, 4, 1), date(2004, 3, 31)),
        ("2003-04", None, "2003/04", date(2003, 4, 1), date(2004, 3, 31)),
        ("1999-2000", None, "1999/00", date(1999, 4, 1), date(2000, 3, 31)),
        ("1999/00", None, "1999/00", date(1999, 4, 1), date(2000, 3, 31)),
        ("summer 2005", None, "2004/05", date(2004, 9, 1), date(2005, 8, 31)),
        ("2004/05", "exam_year", "2004/05", date(2004, 9, 1), date(2005, 8, 31)),
        ("2005", None, "2005", date(2005, 1, 1), date(2005, 12, 31)),
        ("1994-98", None, "1994-98", date(1994, 1, 1), date(1998, 12, 31)),
        ("1994-98 average", None, "1994-98", date(1994, 1, 1), date(1998, 12, 31)),
        ("Q3 04-05", None, "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("Oct-Dec 2004", None, "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("January to March 2005", None, "2004-05 Q4", date(2005, 1, 1), date(2005, 3, 31)),
        ("Dec-04 quarter", None, "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("quarter ending 31 Dec 2004", None, "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("2004/5", None, "2004/05", date(2004, 4, 1), date(2005, 3, 31)),
        ("FY 2004/05", None, "2004/05", date(2004, 4, 1), date(2005, 3, 31)),
        ("academic year 2004/05", None, "2004/05", date(2004, 9, 1), date(2005, 8, 31)),
        ("2004-12-31", "quarter", "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("31/12/2004", "quarter", "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("38352", "quarter", "2004-05 Q3", date(2004, 10, 1), date(2004, 12, 31)),
        ("2005-03-31", "financial_year", "2004/05", date(2004, 4, 1), date(2005, 3, 31)),
    ],
)
def test_spellings(text: str, kind: str | None, label: str, start: date, end: date) -> None:
    period = parse_period(text, kind)
    assert (period.label, period.start, period.end) == (label, start, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2004-05 Q5",
        "2004-06 Q1",
        "Q3",
        "04/05",
        "2005/04",
        "2005-01",
        "1990-2005",
        "TBC",
        "2004-05 Q31",
        "2004-05Q3x",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="is not a period for certain; expected"):
        parse_period(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FY04", "FY04 may begin or end in 2004"),
        ("Q3 2004", "a calendar year's quarters are others"),
        ("1991 1Q1", "without a footnote's number"),
        ("2004-05 Q31", "without a footnote's number"),
        ("04/05", "two digits may be a month"),
        ("Dec-04", "this names a month"),
    ],
)
def test_what_has_two_meanings_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(PeriodError, match=says):
        parse_period(text)


@pytest.mark.parametrize("text", ["2004-12-30", "05/04/2005", "38351", "Nov-Jan 2005"])
def test_a_day_that_ends_no_quarter_is_refused(text: str) -> None:
    with pytest.raises(PeriodError):
        parse_period(text, "quarter")


def test_another_kind_is_refused() -> None:
    with pytest.raises(PeriodError, match="is a financial year; expected a quarter"):
        parse_period("2004/05", "quarter")


@given(st.integers(1990, 2040), st.integers(1, 4))
def test_quarters_follow_one_another(year: int, number: int) -> None:
    period = quarter(year, number)
    assert parse_period(period.label) == period
    following = quarter(year, number + 1) if number < 4 else quarter(year + 1, 1)
    assert (following.start - period.end).days == 1
    assert period.years_before(1) == quarter(year - 1, number)
    assert period_containing(period.start, "quarter") == period
    assert period_containing(period.end, "quarter") == period


@given(st.integers(1990, 2040), st.sampled_from(["financial_year", "exam_year"]))
def test_years_read_back(year: int, kind: str) -> None:
    period = parse_period(f"{year}/{(year + 1) % 100:02d}", kind)
    assert parse_period(period.label, kind) == period
    assert (period.start - period.years_before(1).end).days == 1
    assert period_containing(period.start, kind) == period_containing(period.end, kind) == period
