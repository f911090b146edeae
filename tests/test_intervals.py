"""Limits against published values, against their own definitions, and what holds for any."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.intervals import byar, exact_poisson, reading_intervals, wilson


@pytest.mark.parametrize(
    ("method", "cases", "lower", "upper", "digits"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
        (wilson, (81, 263), 0.2553, 0.3662, 5e-5),
        (wilson, (15, 148), 0.0624, 0.1605, 5e-5),
        (wilson, (0, 20), 0.0000, 0.1611, 5e-5),
        (wilson, (1, 29), 0.0061, 0.1718, 5e-5),
        # prop.test of R 3.6.2 without continuity correction, as scipy's own tests quote it.
        (wilson, (3, 10), 0.1077913, 0.6032219, 5e-8),
        (wilson, (0, 10), 0.0, 0.2775328, 5e-8),
        (wilson, (10, 10), 0.7224672, 1.0, 5e-8),
        # Garwood, Biometrika 28 (1936), 437-442, to two decimals, as tables of them have it.
        (exact_poisson, (0,), 0, 3.69, 5e-3),
        (exact_poisson, (1,), 0.03, 5.57, 5e-3),
        (exact_poisson, (5,), 1.62, 11.67, 5e-3),
        (exact_poisson, (10,), 4.80, 18.39, 5e-3),
    ],
)
def test_limits_are_those_that_were_published(method, cases, lower, upper, digits) -> None:
    assert method(*cases) == pytest.approx((lower, upper), abs=digits)


@pytest.mark.parametrize("count", [10, 11, 50, 500])
def test_byar_is_within_a_fifth_of_a_percent_of_the_exact_limits(count: int) -> None:
    # The claim of Public Health England's guide, which is why the methods change over at 10.
    np.testing.assert_allclose(byar(count), exact_poisson(count), rtol=0.002)
    assert byar(count)[0] != exact_poisson(count)[0]
    assert byar(9) == exact_poisson(9)


@given(st.integers(1, 10**6), st.data())
def test_wilson_is_the_same_seen_from_the_other_side(n: int, data) -> None:
    x = data.draw(st.integers(0, n))
    (lower, upper), (other_lower, other_upper) = wilson(x, n), wilson(n - x, n)
    assert lower == pytest.approx(1 - other_upper, abs=1e-12)
    assert upper == pytest.approx(1 - other_lower, abs=1e-12)
    assert 0 <= lower <= x / n <= upper <= 1
    assert lower < upper


@given(st.integers(1, 10**4), st.data(), st.integers(2, 50))
def test_wilson_rises_with_the_share_and_narrows_with_more_cases(n: int, data, times: int) -> None:
    x = data.draw(st.integers(0, n - 1))
    limits, next_limits = (np.array(wilson(cases, n)) for cases in (x, x + 1))
    assert (next_limits > limits).all()
    assert np.ptp(wilson(x * times, n * times)) < np.ptp(limits)


@given(st.integers(0, 10**6))
def test_limits_of_counts_hold_the_count_and_rise_with_it(count: int) -> None:
    for limits in (byar, exact_poisson):
        lower, upper = limits(count)
        assert 0 <= lower <= count <= upper
        following = limits(count + 1)
        assert following[0] > lower
        assert following[1] > upper


def test_columns_at_once_and_missing_where_there_is_nothing_to_say() -> None:
    lower, upper = wilson([5, np.nan, 5, 5, -1, 11], [10, 10, np.nan, 0, 10, 10])
    assert np.isnan(lower).tolist() == np.isnan(upper).tolist() == [False] + [True] * 5
    assert wilson([[1, 2]], 10)[0].shape == (1, 2)
    assert np.isnan(byar([np.nan, -1, 12, 3])[0]).tolist() == [True, True, False, False]
    assert byar([12, 3])[1].tolist() == [byar(12)[1], exact_poisson(3)[1]]


#: Unit, reading, numerator and denominator, the method that is to be used, and the limits.
ROWS = [
    ("percent", 65, 65, 100, "Wilson", 100 * np.array(wilson(65, 100))),
    ("per 1,000 residents", 15, 90, 6000, "Byar", np.array(byar(90)) / 6),
    ("per 1,000 residents", 1, 6, 6000, "exact Poisson", np.array(exact_poisson(6)) / 6),
    ("incidents", 4294, None, None, "Byar", byar(4294)),
    ("casualties", 10, None, None, "Byar", byar(10)),
    ("casualties", 9, None, None, "exact Poisson", exact_poisson(9)),
    ("percent", 65, None, None, "no denominator", None),
    ("percent", 65, None, 100, "no numerator", None),
    ("percent", 65, 110, 100, "numerator and denominator do not fit", None),
    ("per 1,000 residents", 15, 90, 0, "numerator and denominator do not fit", None),
    ("percent", None, 65, 100, "no figure", None),
    ("percent change", -20, None, None, "not a count", None),
    ("percentage points", 3, None, None, "not a count", None),
    ("index", 104, None, None, "not a count", None),
    ("not stated", 12, None, None, "not a count", None),
    ("million journeys", 18, None, None, "not a count", None),
    ("casualties", 235 / 0.72, None, None, "not a count", None),
    ("people", -1, None, None, "not a count", None),
]


def test_each_unit_has_its_method_and_limits_in_it() -> None:
    columns = ["unit", "reading", "numerator", "denominator", "method", "limits"]
    frame = pd.DataFrame(ROWS, columns=columns, index=range(50, 50 + len(ROWS)))
    frame = frame.astype({"reading": float, "numerator": float, "denominator": float})
    intervals = reading_intervals(frame, frame["unit"])
    assert list(intervals.columns) == ["lower", "upper", "method"]
    assert intervals.index.equals(frame.index)
    worked = frame["limits"].notna()
    methods = frame["method"].where(worked, "not worked out: " + frame["method"])
    assert intervals["method"].tolist() == methods.tolist()
    assert intervals.loc[~worked, ["lower", "upper"]].isna().all(axis=None)
    limits = intervals.loc[worked, ["lower", "upper"]].to_numpy()
    assert limits == pytest.approx(np.array(frame.loc[worked, "limits"].tolist()), rel=1e-12)
    assert reading_intervals(frame.head(0), frame["unit"].head(0)).empty
