"""Limits against published values, against their own definitions, and what holds for any."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.intervals import byar, exact_poisson, reading_intervals, wilson

getcontext().prec = 40

#: The normal quantiles of 97.5 % and 99.9 %, to more digits than a float holds.
Z95 = Decimal("1.959963984540054235524594430520551527955")
Z998 = Decimal("3.090232306167813541540399830107379205491")


@pytest.mark.parametrize(
    ("numerator", "denominator", "confidence", "lower", "upper", "digits"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
        (81, 263, 0.95, 0.2553, 0.3662, 5e-5),
        (15, 148, 0.95, 0.0624, 0.1605, 5e-5),
        (0, 20, 0.95, 0.0000, 0.1611, 5e-5),
        (1, 29, 0.95, 0.0061, 0.1718, 5e-5),
        # prop.test of R 3.6.2 without continuity correction, as scipy's own tests quote it.
        (3, 10, 0.95, 0.1077913, 0.6032219, 5e-8),
        (3, 10, 0.99, 0.07956632, 0.6799753, 5e-8),
        (0, 10, 0.95, 0.0, 0.2775328, 5e-8),
        (10, 10, 0.95, 0.7224672, 1.0, 5e-8),
    ],
)
def test_wilson_gives_published_limits(
    numerator: int, denominator: int, confidence: float, lower: float, upper: float, digits: float
) -> None:
    made = wilson(numerator, denominator, confidence)
    assert made == (pytest.approx(lower, abs=digits), pytest.approx(upper, abs=digits))


@pytest.mark.parametrize(
    ("numerator", "denominator", "confidence", "z"),
    [(65, 100, 0.95, Z95), (1045, 5000, 0.998, Z998), (1, 29, 0.95, Z95), (277, 50000, 0.95, Z95)],
)
def test_wilson_to_the_last_digit(
    numerator: int, denominator: int, confidence: float, z: Decimal
) -> None:
    """The roots of p^2 (n + z^2) - p (2 x + z^2) + x^2 / n, in 40 digits."""
    x, n = Decimal(numerator), Decimal(denominator)
    a, b, c = n + z * z, 2 * x + z * z, x * x / n
    root = (b * b - 4 * a * c).sqrt()
    expected = [float((b - root) / (2 * a)), float((b + root) / (2 * a))]
    assert wilson(numerator, denominator, confidence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("count", "lower", "upper"),
    # Garwood, Biometrika 28 (1936), 437-442, to two decimals, as tables of Poisson limits have it.
    [(0, 0, 3.69), (1, 0.03, 5.57), (5, 1.62, 11.67), (10, 4.80, 18.39)],
)
def test_exact_poisson_gives_published_limits(count: int, lower: float, upper: float) -> None:
    made = exact_poisson(count)
    assert made == (pytest.approx(lower, abs=5e-3), pytest.approx(upper, abs=5e-3))


def poisson_at_most(count: int, mean: Decimal) -> Decimal:
    terms = (mean**k / math.factorial(k) for k in range(count + 1))
    return (-mean).exp() * sum(terms, Decimal(0))


def mean_where(count: int, share: Decimal) -> float:
    """The mean of which a count of at most `count` has this chance, by halving."""
    low, high = Decimal(0), Decimal(10 * count + 60)
    for _ in range(110):
        middle = (low + high) / 2
        low, high = (middle, high) if poisson_at_most(count, middle) > share else (low, middle)
    return float(low)


@pytest.mark.parametrize("count", [1, 3, 9, 10, 42, 120])
@pytest.mark.parametrize("confidence", ["0.95", "0.998"])
def test_exact_poisson_to_the_last_digit(count: int, confidence: str) -> None:
    """Sums of the Poisson distribution itself: no chi-square, no gamma."""
    tail = (1 - Decimal(confidence)) / 2
    expected = [mean_where(count - 1, 1 - tail), mean_where(count, tail)]
    assert exact_poisson(count, float(confidence)) == pytest.approx(expected, rel=1e-11)


def test_no_event_has_a_limit_in_closed_form() -> None:
    assert exact_poisson(0) == (0, pytest.approx(-math.log(0.025), rel=1e-12))


@pytest.mark.parametrize("count", [10, 42, 277, 4294])
def test_byar_to_the_last_digit(count: int) -> None:
    x = Decimal(count)
    lower = x * (1 - 1 / (9 * x) - Z95 / (3 * x.sqrt())) ** 3
    x += 1
    upper = x * (1 - 1 / (9 * x) + Z95 / (3 * x.sqrt())) ** 3
    assert byar(count) == pytest.approx([float(lower), float(upper)], abs=1e-9)


def test_chance_moves_277_casualties_by_about_33() -> None:
    lower, upper = byar(277)
    assert (277 - lower, upper - 277) == (pytest.approx(32, abs=1), pytest.approx(34.6, abs=1))


@pytest.mark.parametrize("count", [10, 11, 50, 500])
def test_byar_is_within_a_fifth_of_a_percent_of_the_exact_limits(count: int) -> None:
    # The claim of Public Health England's guide, which is why the methods change over at 10.
    for near, exact in zip(byar(count), exact_poisson(count), strict=True):
        assert near == pytest.approx(exact, rel=0.002)


def test_the_methods_change_over_at_ten() -> None:
    assert byar(9) == exact_poisson(9)
    assert byar(10)[0] != exact_poisson(10)[0]
    made = reading_intervals(pd.DataFrame({"value": [9.0, 10.0]}), "casualties")
    assert made["method"].tolist() == ["exact Poisson", "Byar"]


CONFIDENCE = st.floats(0.5, 0.999)


@given(st.integers(1, 10**6), st.data(), CONFIDENCE)
def test_wilson_is_the_same_seen_from_the_other_side(n: int, data, confidence: float) -> None:
    x = data.draw(st.integers(0, n))
    (lower, upper), (other_lower, other_upper) = (
        wilson(x, n, confidence),
        wilson(n - x, n, confidence),
    )
    assert lower == pytest.approx(1 - other_upper, abs=1e-12)
    assert upper == pytest.approx(1 - other_lower, abs=1e-12)
    assert 0 <= lower <= x / n <= upper <= 1
    assert lower < upper


@given(st.integers(1, 10**4), st.data(), CONFIDENCE, st.integers(2, 50))
def test_wilson_rises_with_the_share_and_narrows_with_more_cases(
    n: int, data, confidence: float, times: int
) -> None:
    x = data.draw(st.integers(0, n - 1))
    one, next_one = wilson(x, n, confidence), wilson(x + 1, n, confidence)
    assert next_one[0] > one[0]
    assert next_one[1] > one[1]
    more = wilson(x * times, n * times, confidence)
    assert more[1] - more[0] < one[1] - one[0]


@given(st.integers(0, 10**6), st.floats(0.5, 0.99), st.floats(0.001, 0.009))
def test_limits_of_counts_hold_the_count_and_widen_with_confidence(
    count: int, confidence: float, more: float
) -> None:
    for limits in (byar, exact_poisson):
        lower, upper = limits(count, confidence)
        assert 0 <= lower <= count <= upper
        surer = limits(count, confidence + more)
        assert surer[0] <= lower
        assert surer[1] > upper
        next_one = limits(count + 1, confidence)
        assert next_one[0] > lower
        assert next_one[1] > upper
        if count:
            # More events are known more closely for their size.
            twice = limits(2 * count, confidence)
            assert (twice[1] - twice[0]) / 2 < upper - lower


def test_whole_columns_at_once_and_missing_where_there_is_nothing_to_say() -> None:
    lower, upper = wilson([5, np.nan, 5, 5, -1, 11], [10, 10, np.nan, 0, 10, 10])
    assert np.isnan(lower).tolist() == np.isnan(upper).tolist() == [False] + [True] * 5
    assert wilson([[1, 2]], 10)[0].shape == (1, 2)
    assert np.isnan(byar([np.nan, -1, 12, 3])[0]).tolist() == [True, True, False, False]
    assert byar([12, 3])[1].tolist() == [byar(12)[1], exact_poisson(3)[1]]


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, float("nan")])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    for limits in (lambda: wilson(1, 2, confidence), lambda: byar(1, confidence)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            limits()


#: Unit, value, numerator and denominator, and the method that is to be used.
ROWS = [
    ("percent", 65, 65, 100, "Wilson"),
    ("per 1,000 residents", 15, 90, 6000, "Byar"),
    ("per 1,000 residents", 1, 6, 6000, "exact Poisson"),
    ("incidents", 4294, None, None, "Byar"),
    ("casualties", 7, None, None, "exact Poisson"),
    ("percent", 65, None, None, "not worked out: no denominator"),
    ("percent", 65, None, 100, "not worked out: no numerator"),
    ("percent", 65, 110, 100, "not worked out: numerator and denominator do not fit"),
    ("per 1,000 residents", 15, 90, 0, "not worked out: numerator and denominator do not fit"),
    ("percent", None, 65, 100, "not worked out: no figure"),
    ("percent change", -20, None, None, "not worked out: not a count"),
    ("percentage points", 3, None, None, "not worked out: not a count"),
    ("index", 104, None, None, "not worked out: not a count"),
    ("not stated", 12, None, None, "not worked out: not a count"),
    ("million journeys", 18, None, None, "not worked out: not a count"),
    ("casualties", 235 / 0.72, None, None, "not worked out: not a count"),
    ("people", -1, None, None, "not worked out: not a count"),
]


def table(rows: list[tuple]) -> pd.DataFrame:
    columns = ["unit", "value", "numerator", "denominator", "method"]
    index = range(50, 50 + len(rows))
    frame = pd.DataFrame(rows, columns=columns, index=index)
    return frame.astype({"value": float, "numerator": float, "denominator": float})


def test_each_unit_has_its_method() -> None:
    frame = table(ROWS)
    made = reading_intervals(frame, frame["unit"])
    assert list(made.columns) == ["lower", "upper", "method"]
    assert made.index.equals(frame.index)
    assert made["method"].tolist() == frame["method"].tolist()
    worked = ~frame["method"].str.startswith("not")
    assert made[["lower", "upper"]].notna().all(axis=1).equals(worked)


def test_limits_stand_in_the_unit_of_the_reading() -> None:
    frame = table(ROWS)
    made = reading_intervals(frame, frame["unit"])
    bounds = dict(zip(range(5), made[["lower", "upper"]].to_numpy().tolist(), strict=False))
    assert bounds[0] == pytest.approx([100 * float(limit) for limit in wilson(65, 100)], rel=1e-12)
    assert bounds[1] == pytest.approx([float(limit) / 6 for limit in byar(90)], rel=1e-12)
    assert bounds[2] == pytest.approx([float(limit) / 6 for limit in byar(6)], rel=1e-12)
    assert bounds[3] == pytest.approx([float(limit) for limit in byar(4294)], rel=1e-12)
    inside = made["lower"].isna() | frame["value"].between(made["lower"], made["upper"])
    assert inside.all()


def test_readings_without_their_parts_are_taken_as_they_are() -> None:
    made = reading_intervals(pd.DataFrame({"reading": [42.0, np.nan]}), "casualties")
    assert made["method"].tolist() == ["Byar", "not worked out: no figure"]
    assert reading_intervals(pd.DataFrame({"reading": []}), "percent").empty
    # The index may hold a label twice, as a frame put together from two has it.
    twice = pd.DataFrame({"reading": [42.0, 5.0]}, index=[1, 1])
    assert reading_intervals(twice, "casualties")["method"].tolist() == ["Byar", "exact Poisson"]
