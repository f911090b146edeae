"""The planned path and the trigger against worked examples."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.periods import quarter
from psa_analysis.register import Agreement
from psa_analysis.trajectory import baseline_end, due_period, planned_path, trigger_value


def path(agreement: Agreement, measure: str, *days: str) -> list[float]:
    ends = pd.Series(pd.to_datetime(list(days)))
    return planned_path(agreement.measures.loc[measure], ends).tolist()


def test_equal_steps_from_baseline_to_target(agreement: Agreement) -> None:
    # 53.2 in summer 2002 to 63 in summer 2005: 9.8 points in three equal steps.
    made = path(agreement, "N2", "2002-08-31", "2003-08-31", "2004-08-31", "2005-08-31")
    assert made == pytest.approx([53.2, 53.2 + 9.8 / 3, 53.2 + 19.6 / 3, 63], abs=1e-12)


def test_quarters_are_equal_steps_whatever_their_days(agreement: Agreement) -> None:
    # 4,294 at March 2003 to 4,852 at March 2006: 46.5 a quarter.
    ends = [quarter(2003 + n // 4, n % 4 + 1).end.isoformat() for n in range(12)]
    made = path(agreement, "L4-incidents", *ends)
    assert made == pytest.approx([4294 + 46.5 * (n + 1) for n in range(12)], abs=1e-9)


def test_flat_before_the_baseline_and_after_the_due_period(agreement: Agreement) -> None:
    assert path(agreement, "N7-treatment", "2001-06-30", "2007-06-30") == [972, 1150]


def test_a_mean_of_years_stands_in_its_middle(agreement: Agreement) -> None:
    county = agreement.measures.loc["N26-county"]
    assert baseline_end(county) == date(1996, 12, 31)
    assert path(agreement, "N26-county", "1996-12-31") == [pytest.approx(235 / 0.72)]
    # 111 months later, in March 2006, it is due.
    halfway = path(agreement, "N26-county", "2001-06-30")[0]
    assert halfway == pytest.approx(235 / 0.72 + 54 / 111 * (235 - 235 / 0.72), abs=1e-9)


def test_no_path_without_a_baseline_or_a_target(agreement: Agreement) -> None:
    for measure in ("L5", "N9", "L8"):
        assert pd.isna(path(agreement, measure, "2004-12-31")).all()
    with pytest.raises(ValueError, match="N9 has no due: it is not stated"):
        due_period(agreement.measures.loc["N9"])


def measure(without: float, target: float) -> pd.Series:
    return pd.Series({"without": without, "target": target})


@pytest.mark.parametrize(
    ("without", "target", "trigger"),
    [(33, 35, 34.2), (106, 107.5, 106.9), (12.6, 10.2, 11.16), (0.1, 0.3, 0.22), (277, 235, 251.8)],
)
def test_the_trigger_is_sixty_percent_of_the_stretch(
    without: float, target: float, trigger: float
) -> None:
    # Equal, not close: binary floats put some of these on the wrong side of the line.
    assert trigger_value(measure(without, target), 0.6) == trigger


@given(st.decimals(-1000, 1000, places=2), st.decimals(-1000, 1000, places=2))
def test_the_trigger_lies_between_without_and_target(without, target) -> None:
    value = trigger_value(measure(float(without), float(target)), 0.6)
    assert float(min(without, target)) <= value <= float(max(without, target))
