"""Periods: every spelling gives the one label, and nothing ambiguous is guessed."""

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.periods import OF_KIND, PeriodError, parse_period, period_containing, step_of


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
        ("201516", "exam_year", "2015/16", date(2015, 9, 1), date(2016, 8, 31)),
        ("AY2024/25", None, "2024/25", date(2024, 9, 1), date(2025, 8, 31)),
        ("2023/24 academic year", None, "2023/24", date(2023, 9, 1), date(2024, 8, 31)),
        ("April 2014 to March 2015", None, "2014/15", date(2014, 4, 1), date(2015, 3, 31)),
        ("Jan-Dec 2004", None, "2004", date(2004, 1, 1), date(2004, 12, 31)),
        ("Apr-13", "month", "April 2013", date(2013, 4, 1), date(2013, 4, 30)),
        ("2024-04", None, "April 2024", date(2024, 4, 1), date(2024, 4, 30)),
        # With a year that follows it is a year, unless the measure is monthly.
        ("2004-05", None, "2004/05", date(2004, 4, 1), date(2005, 3, 31)),
        ("2004-05", "month", "May 2004", date(2004, 5, 1), date(2004, 5, 31)),
        ("30/04/2024", "month", "April 2024", date(2024, 4, 1), date(2024, 4, 30)),
        ("Autumn term 2024", None, "autumn term 2024", date(2024, 9, 1), date(2024, 12, 31)),
        ("2024/25 spring", None, "spring term 2025", date(2025, 1, 1), date(2025, 4, 30)),
        ("summer 2005", "term", "summer term 2005", date(2005, 5, 1), date(2005, 8, 31)),
    ],
)
def test_spellings(text: str, kind: str | None, label: str, start: date, end: date) -> None:
    period = parse_period(text, kind)
    assert (period.label, period.start, period.end) == (label, start, end)


NO_PERIODS = (
    "|2004-05 Q5|2004-06 Q1|Q3|04/05|2005/04|2024-13|1990-2005|201512|autumn term 2004/06|TBC"
)


@pytest.mark.parametrize("text", [*NO_PERIODS.split("|"), "2004-05 Q31", "2004-05Q3x"])
def test_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="is not a period for certain; expected"):
        parse_period(text)


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("FY04", None, "FY04 may begin or end in 2004"),
        ("Q3 2004", None, "a calendar year's quarters are others"),
        ("1991 1Q1", None, "without a footnote's number"),
        ("2004-05 Q31", None, "without a footnote's number"),
        ("04/05", None, "two digits may be a month"),
        ("2004/05", "quarter", "is a financial year; expected a quarter"),
        ("Dec-04", "quarter", "is a month; expected a quarter"),
        ("AY2024/25", "financial_year", "is an exam year; expected a financial year"),
    ],
)
def test_two_meanings_or_another_kind_are_refused_with_what_to_write(text, kind, says) -> None:
    with pytest.raises(PeriodError, match=says):
        parse_period(text, kind)


@pytest.mark.parametrize("text", ["2004-12-30", "05/04/2005", "38351", "Nov-Jan 2005", "Decile 4"])
def test_a_day_that_ends_no_quarter_is_refused(text: str) -> None:
    with pytest.raises(PeriodError):
        parse_period(text, "quarter")


@given(st.dates(date(1990, 1, 1), date(2040, 12, 31)), st.sampled_from([*OF_KIND]))
def test_labels_read_back_and_periods_follow_one_another(day: date, kind: str) -> None:
    period = period_containing(day, kind)
    assert period.start <= day <= period.end
    if kind != "term":  # pandas has none
        span = pd.Period(day, OF_KIND[kind].freq)
        assert (period.start, period.end) == (span.start_time.date(), span.end_time.date())
    assert parse_period(period.label, kind) == period
    # Only a school year is written as a financial year is.
    assert parse_period(period.label).kind == (kind if kind != "exam_year" else "financial_year")
    following = period_containing(period.end + timedelta(days=1), kind)
    assert step_of(following) == step_of(period) + 1
    assert period.years_before(1).years_before(-1) == period
    assert step_of(period) - step_of(period.years_before(1)) == OF_KIND[kind].per_year
