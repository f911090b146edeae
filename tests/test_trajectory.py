"""Planned paths, the trigger, and what they say of a reading, against worked examples."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.trajectory import (
    baseline_end,
    baseline_path,
    due_period,
    gap_months,
    planned_path,
    required_change,
    season_factors,
    trigger_path,
    trigger_value,
)
from psa_analysis.periods import quarter
from psa_analysis.register.agreement import Agreement


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


def planned(**changes: object) -> pd.Series:
    """A quarterly measure that is to go from 100 to 160 between March 2003 and March 2006."""
    row = {
        "unit": "people",
        "polarity": "higher",
        "basis": "point",
        "frequency": "quarterly",
        "baseline": 100.0,
        "baseline_period": "2002/03",
        "without": math.nan,
        "target": 160.0,
        "due": "2005/06",
        "profile": "",
        "points": (),
    }
    return pd.Series(row | changes, name="X")


def at(*months: int) -> pd.Series:
    """Month ends, counted from March 2003."""
    return pd.Series([pd.Timestamp("2003-03-31") + pd.offsets.MonthEnd(n) for n in months])


STEPS = ((date(2004, 3, 31), 120.0), (date(2005, 3, 31), 140.0))


@pytest.mark.parametrize(
    ("changes", "months", "values"),
    [
        ({}, (0, 12, 18, 36), [100, 120, 130, 160]),
        ({"profile": "linear"}, (0, 12, 18, 36), [100, 120, 130, 160]),
        # 20 % a year: 100, 120, 144, 172.8.
        ({"profile": "constant rate", "target": 172.8}, (0, 12, 24, 36), [100, 120, 144, 172.8]),
        # 10 % less a year.
        ({"profile": "constant rate", "target": 72.9}, (0, 12, 24, 36), [100, 90, 81, 72.9]),
        ({"profile": "constant rate", "baseline": -10, "target": -40}, (0, 18), [-10, -20]),
        # Half the time: three quarters of the improvement, or one.
        ({"profile": "front-loaded"}, (0, 18, 36), [100, 145, 160]),
        ({"profile": "back-loaded"}, (0, 18, 36), [100, 115, 160]),
        (
            {"profile": "steps", "points": STEPS},
            (-3, 0, 11, 12, 23, 24, 35, 36, 40),
            [100, 100, 100, 120, 120, 140, 140, 160, 160],
        ),
        ({"profile": "given", "points": STEPS}, (6, 12, 18, 24, 30), [110, 120, 130, 140, 150]),
        ({"profile": "given", "points": STEPS[1:]}, (12, 24, 40), [120, 140, 160]),
    ],
)
def test_each_profile(changes: dict, months: tuple[int, ...], values: list[float]) -> None:
    made = planned_path(planned(**changes), at(*months))
    assert made.tolist() == pytest.approx(values, rel=1e-12)


#: Cornwall County Council, Local Transport Plan annex: bus journeys in millions, and the change on
#: 2003/04 in per cent as the page prints it.
CORNWALL = {
    "2006/07": (7.45, -7),
    "2007/08": (7.69, -5),
    "2008/09": (7.84, -2),
    "2009/10": (8.17, 2),
    "2010/11": (8.33, 4),
}


def cornwall() -> pd.Series:
    points = [(date(int(year[:4]) + 1, 3, 31), value) for year, (value, _) in CORNWALL.items()]
    return planned(
        unit="million journeys",
        frequency="annual",
        baseline=8.01,
        baseline_period="2003/04",
        target=8.33,
        due="2010/11",
        profile="given",
        points=tuple(points[:-1]),
    )


def test_a_published_path_that_falls_and_then_rises() -> None:
    ends = pd.Series(pd.to_datetime([f"{int(year[:4]) + 1}-03-31" for year in CORNWALL]))
    made = planned_path(cornwall(), ends)
    assert made.tolist() == [value for value, _ in CORNWALL.values()]
    # No level is given for the two years between: a third of the way down each.
    between = planned_path(cornwall(), pd.Series(pd.to_datetime(["2005-03-31", "2006-03-31"])))
    assert between.tolist() == pytest.approx([8.01 - 0.56 / 3, 8.01 - 1.12 / 3], abs=1e-12)


def test_our_percentages_catch_the_misprint_of_the_published_path() -> None:
    ends = pd.Series(pd.to_datetime([f"{int(year[:4]) + 1}-03-31" for year in CORNWALL]))
    change = 100 * (planned_path(cornwall(), ends) - 8.01) / 8.01
    wrong = {
        year: round(own, 1)
        for (year, (_, printed)), own in zip(CORNWALL.items(), change, strict=True)
        if round(own) != printed
    }
    # The page prints -5 %.
    assert wrong == {"2007/08": -4.0}


def test_the_path_to_the_trigger_has_the_same_shape() -> None:
    to_140 = {"without": 110.0}  # 110 + 60 % of 50
    for profile, halfway in [("", 120), ("front-loaded", 130), ("back-loaded", 110)]:
        made = trigger_path(planned(**to_140, profile=profile), at(0, 18, 36), 0.6)
        assert made.tolist() == pytest.approx([100, halfway, 140], rel=1e-12)
    steady = planned(without=110.0, profile="constant rate")
    assert trigger_path(steady, at(18), 0.6)[0] == pytest.approx(math.sqrt(100 * 140), rel=1e-12)
    # A third and two thirds of the way to 160 are a third and two thirds of the way to 140.
    steps = planned(**to_140, profile="steps", points=STEPS)
    assert trigger_path(steps, at(0, 12, 24, 36), 0.6).tolist() == pytest.approx(
        [100, 100 + 40 / 3, 100 + 80 / 3, 140], rel=1e-12
    )


def test_no_path_to_a_trigger_that_is_not_known_or_lies_across_zero() -> None:
    assert trigger_path(planned(), at(0, 36), 0.6).isna().all()
    across = planned(baseline=1.0, target=4.0, without=-20.0, profile="constant rate")
    assert trigger_value(across, 0.6) == -5.6
    assert trigger_path(across, at(0, 36), 0.6).isna().all()
    assert planned_path(across, at(36)).tolist() == [4]


MONTHLY = {"target": 136.0}  # 1 a month


@pytest.mark.parametrize(
    ("changes", "month", "reading", "months"),
    [
        (MONTHLY, 12, 112, 0),
        (MONTHLY, 12, 118, 6),
        (MONTHLY, 12, 106, -6),
        (MONTHLY, 12, 136, 24),
        (MONTHLY, 12, 100, -12),
        (MONTHLY, 36, 130, -6),
        ({"baseline": 136.0, "target": 100.0, "polarity": "lower"}, 12, 118, 6),
        ({"baseline": 136.0, "target": 100.0, "polarity": "lower"}, 12, 130, -6),
        # 101 of 100 to 136 is 1 / 36 of the way: u = 1 / 6.
        (MONTHLY | {"profile": "back-loaded"}, 12, 101, -6),
        (MONTHLY | {"profile": "front-loaded"}, 12, 127, 6),
        ({"target": 172.8, "profile": "constant rate"}, 6, 120, 6),
        # Steps: 120 from month 12, 140 from month 24.
        ({"profile": "steps", "points": STEPS}, 18, 120, 0),
        ({"profile": "steps", "points": STEPS}, 18, 140, 6),
        ({"profile": "steps", "points": STEPS}, 18, 160, 18),
        ({"profile": "steps", "points": STEPS}, 18, 100, -6),
    ],
)
def test_months_ahead_of_the_path(changes: dict, month: int, reading: float, months: float) -> None:
    made, why_not = gap_months(planned(**changes), at(month)[0], reading)
    assert (made, why_not) == (pytest.approx(months, abs=1e-9), "")


@pytest.mark.parametrize(
    ("end", "reading", "months"),
    [
        # Better than the trough: the path is there again 7.5 months later (0.15 of 0.24 a year).
        ("2007-03-31", 7.6, 7.5),
        ("2007-03-31", 7.45, 0),
        # On its way down the path is last above a worse reading in the future, not in the past.
        ("2006-03-31", 7.6, None),
        ("2006-03-31", 7.66, 12 + 12 * 0.21 / 0.24),
        ("2007-03-31", 7.3, None),
        # Behind on its way up: 7.6 was planned for 16.5 months earlier.
        ("2009-03-31", 7.6, -16.5),
        ("2009-03-31", 8.4, None),
    ],
)
def test_months_on_a_path_that_falls_and_rises(
    end: str, reading: float, months: float | None
) -> None:
    made, why_not = gap_months(cornwall(), pd.Timestamp(end), reading)
    if months is None:
        assert math.isnan(made)
        assert why_not.startswith("the path ")
    else:
        assert (made, why_not) == (pytest.approx(months, abs=1e-9), "")


@pytest.mark.parametrize(
    ("changes", "month", "reading", "why_not"),
    [
        ({}, 12, 161, "the path does not take this value by the due period"),
        ({}, 12, 99, "the path has not taken this value so far"),
        ({"profile": "steps", "points": STEPS}, 18, 130, "the path does not take this value"),
        ({"profile": "steps", "points": STEPS}, 18, 110, "the path has not taken this value"),
        ({}, -3, 100, "the path has not begun"),
        ({"baseline": math.nan}, 12, 100, "there is no path"),
        ({"target": math.nan}, 12, 100, "there is no path"),
    ],
)
def test_why_there_are_no_months(changes: dict, month: int, reading: float, why_not: str) -> None:
    months, said = gap_months(planned(**changes), at(month)[0], reading)
    assert math.isnan(months)
    assert said.startswith(why_not)


def history(values: list[float], last: int, step: int = 3) -> pd.DataFrame:
    """Readings every so many months, the last of them in a month counted from March 2003."""
    months = [last - step * (len(values) - 1 - n) for n in range(len(values))]
    return pd.DataFrame(
        {"period": [f"month {n}" for n in months], "period_end": at(*months), "reading": values}
    )


def test_what_is_still_required_and_whether_it_was_done_before() -> None:
    # 30 in two quarters; the best two quarters, to month 24, made 35.
    made = required_change(planned(), history([100, 110, 135, 125, 130], last=30))
    assert (made.per_period, made.periods, made.best, made.done_before) == (15, 2, 35, "month 24")
    # 31 in two quarters against a best of 30.
    short = required_change(planned(), history([100, 110, 130, 125, 129], last=30))
    assert (short.per_period, short.best, short.done_before) == (15.5, 30, None)
    # Exactly as much: in floats 0.3 - 0.1 is less than 0.5 - 0.3.
    fine = planned(baseline=0.0, target=0.5)
    tie = required_change(fine, history([0.1, 0.2, 0.3, 0.3], last=30))
    assert tie.done_before == "month 27"


def test_less_is_better_where_it_is() -> None:
    fewer = planned(baseline=160.0, target=100.0, polarity="lower")
    made = required_change(fewer, history([160, 150, 125, 135, 130], last=30))
    assert (made.per_period, made.best, made.done_before) == (-15, -35, "month 24")


def test_years_are_the_periods_of_a_yearly_measure() -> None:
    yearly = planned(frequency="annual")
    made = required_change(yearly, history([100, 140, 120], last=24, step=12))
    assert (made.per_period, made.periods, made.done_before) == (40, 1, "month 12")
    total = planned(basis="year_to_date")
    assert required_change(total, history([100, 140, 120], last=24, step=12)) == made


def test_nothing_is_required_of_what_is_reached_due_or_has_no_target() -> None:
    reached = required_change(planned(), history([100, 160], last=30))
    assert (reached.per_period, reached.done_before) == (0, None)
    for made in (
        required_change(planned(), history([100, 150], last=36)),
        required_change(planned(target=math.nan), history([100, 150], last=30)),
        required_change(planned(), history([], last=30)),
    ):
        assert math.isnan(made.per_period)
        assert made.done_before is None
    # No two readings lie nine quarters apart: that is not the same as never.
    young = required_change(planned(), history([100, 101], last=9))
    assert young.per_period == pytest.approx(59 / 9)
    assert math.isnan(young.best)


def seasons(years: dict[int, list[float]]) -> pd.DataFrame:
    rows = [
        (pd.Timestamp(quarter(year, n + 1).end), value)
        for year, values in years.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["period_end", "value"])


def seasonal(**changes: object) -> pd.Series:
    """From 100 in 2002/03 to 160 in 2005/06, with quarters of 10, 20, 30 and 40 %."""
    row = planned(baseline=100.0, target=160.0, profile="seasonal", seasons=(0.4, 0.8, 1.2, 1.6))
    row["basis"], row["baseline_period"], row["due"] = "year_to_date", "2002/03", "2005/06"
    return pd.Series(row.to_dict() | changes, name=row.name)


def test_the_seasons_of_complete_years_before_the_agreement() -> None:
    # 10, 20, 30 and 40 % of one year, 30, 20, 30 and 20 % of the other, each counting the same.
    past = seasons({2001: [10, 20, 30, 40], 2002: [60, 40, 60, 40], 2003: [9, 9, 9, 90]})
    assert season_factors(past, date(2003, 4, 1)) == pytest.approx((0.8, 0.8, 1.2, 1.2))


@pytest.mark.parametrize(
    "past",
    [
        {2002: [1, 2, 3, 4]},
        {},
        # A year with a gap is not complete, and a year of the agreement is not earlier.
        {2001: [1, 2, math.nan, 4], 2002: [1, 2, 3, 4], 2003: [1, 2, 3, 4]},
        {2001: [0, 0, 0, 0], 2002: [1, 2, 3, 4]},
    ],
)
def test_one_odd_year_is_no_season(past: dict) -> None:
    assert season_factors(seasons(past), date(2003, 4, 1)) == ()


def test_a_path_with_seasons_counts_up_within_each_year() -> None:
    # Planned for whole years: 100, 120, 140, 160; reached by the quarters: 10, 30, 60, 100 %.
    ends = pd.Series(
        [pd.Timestamp(quarter(year, n).end) for year in (2002, 2003, 2005) for n in (1, 2, 3, 4)]
    )
    assert planned_path(seasonal(), ends).tolist() == pytest.approx(
        [10, 30, 60, 100, 12, 36, 72, 120, 16, 48, 96, 160]
    )
    assert baseline_path(seasonal(), ends).tolist() == pytest.approx([10, 30, 60, 100] * 3)
    # The trigger at 60 % of a stretch from 110: 140.
    row = seasonal(without=110.0)
    assert trigger_path(row, ends, 0.6).iloc[-1] == pytest.approx(140)
    assert math.isnan(gap_months(row, quarter(2004, 2).end, 50.0)[0])
    assert planned_path(seasonal(seasons=()), ends).isna().all()


def test_a_path_of_quarters_with_seasons_runs_between_equal_quarters() -> None:
    row = seasonal(basis="point", baseline_period="2002-03 Q4", due="2005-06 Q4")
    ends = pd.Series(
        [
            pd.Timestamp(quarter(2002, 4).end),
            pd.Timestamp(quarter(2003, 2).end),
            pd.Timestamp(quarter(2005, 4).end),
        ]
    )
    # Two quarters on of twelve the level is 110; the second quarter is half of the fourth.
    assert planned_path(row, ends).tolist() == pytest.approx([100, 55, 160])


LEVEL = st.integers(1, 400).map(lambda n: n / 4)
SHAPES = ["", "linear", "constant rate", "front-loaded", "back-loaded"]


@st.composite
def measures(draw, profiles: tuple[str, ...] = (*SHAPES, "steps", "given")) -> pd.Series:
    baseline = draw(LEVEL)
    target = draw(LEVEL.filter(lambda level: level != baseline))
    profile = draw(st.sampled_from(profiles))
    points = ()
    if profile in ("steps", "given"):
        months = sorted(draw(st.sets(st.integers(1, 35), min_size=1, max_size=6)))
        points = tuple((at(month)[0].date(), draw(LEVEL)) for month in months)
    return planned(
        baseline=baseline,
        target=target,
        profile=profile,
        points=points,
        polarity="higher" if target > baseline else "lower",
    )


def mirrored(row: pd.Series) -> pd.Series:
    turned = row.copy()
    turned["baseline"], turned["target"] = -row["baseline"], -row["target"]
    turned["points"] = tuple((day, -value) for day, value in row["points"])
    turned["polarity"] = "lower" if row["polarity"] == "higher" else "higher"
    return turned


@given(measures(), st.integers(0, 60))
def test_every_path_starts_at_the_baseline_and_ends_at_the_target(row, more: int) -> None:
    made = planned_path(row, at(-more, 0, 36, 36 + more)).tolist()
    ends = [row["baseline"]] * 2 + [row["target"]] * 2
    assert made == pytest.approx(ends, rel=1e-12)


@given(measures(tuple(SHAPES)))
def test_without_points_every_month_is_nearer_the_target(row) -> None:
    steps = planned_path(row, at(*range(37))).diff().dropna() * (row["target"] - row["baseline"])
    assert (steps > 0).all()


@given(measures(("", "linear")), st.integers(-5, 45))
def test_the_straight_line_is_what_it_always_was(row, month: int) -> None:
    share = min(max(month / 36, 0), 1)
    line = row["baseline"] + share * (row["target"] - row["baseline"])
    assert planned_path(row, at(month)).tolist() == [line]


@given(measures(tuple(SHAPES)), st.integers(0, 36), st.integers(0, 36))
def test_a_reading_that_the_path_takes_elsewhere_is_so_many_months_off(row, now, then) -> None:
    reading = planned_path(row, at(then))[0]
    months, why_not = gap_months(row, at(now)[0], reading)
    # At its flat end the shape loses half of the digits.
    assert (months, why_not) == (pytest.approx(then - now, abs=1e-6), "")


@given(measures(), st.integers(0, 36), LEVEL)
def test_months_have_the_sign_of_the_gap_and_lead_to_the_reading(row, now, reading) -> None:
    months, why_not = gap_months(row, at(now)[0], reading)
    ahead = reading - planned_path(row, at(now))[0]
    ahead *= 1 if row["polarity"] == "higher" else -1
    if why_not:
        assert math.isnan(months)
        assert abs(ahead) > 0
        return
    assert (months > 0) == (ahead > 1e-6)
    assert (months < 0) == (ahead < -1e-6)
    assert 0 <= now + months <= 36
    if float(now + months).is_integer() and row["profile"] != "steps":
        there = planned_path(row, at(int(now + months)))[0]
        assert there == pytest.approx(reading, abs=1e-6)


@given(measures(), st.integers(0, 36), LEVEL)
def test_better_means_better_whichever_way_is_up(row, now, reading) -> None:
    one, other = (
        gap_months(row, at(now)[0], reading),
        gap_months(mirrored(row), at(now)[0], -reading),
    )
    assert one[1] == other[1]
    assert one[0] == pytest.approx(other[0], abs=1e-9, nan_ok=True)


@given(measures(), st.lists(LEVEL, min_size=1, max_size=14), st.integers(1, 11))
def test_what_is_required_leads_to_the_target(row, values, left: int) -> None:
    past = history(values, last=36 - 3 * left)
    made = required_change(row, past)
    turned = required_change(mirrored(row), past.assign(reading=-past["reading"]))
    assert turned.per_period == -made.per_period
    assert turned.done_before == made.done_before
    better = 1 if row["polarity"] == "higher" else -1
    if made.per_period:
        assert values[-1] + left * made.per_period == pytest.approx(row["target"])
        assert better * made.per_period > 0
        done = any(
            better * (now - then) >= better * (row["target"] - values[-1])
            for then, now in zip(values, values[left:], strict=False)
        )
        assert done == (made.done_before is not None)
    else:
        assert better * (values[-1] - row["target"]) >= 0


@given(st.lists(st.integers(1, 500), min_size=8, max_size=8), st.floats(0.1, 10))
def test_seasons_are_shares_and_not_sizes(values, times: float) -> None:
    past = seasons({2000: values[:4], 2001: values[4:]})
    factors = season_factors(past, date(2003, 4, 1))
    assert sum(factors) == pytest.approx(4)
    assert min(factors) > 0
    scaled = season_factors(past.assign(value=past["value"] * times), date(2003, 4, 1))
    assert scaled == pytest.approx(factors)
    row = seasonal(seasons=factors)
    ends = pd.Series([pd.Timestamp(quarter(2004, n).end) for n in (1, 2, 3, 4)])
    made = planned_path(row, ends).tolist()
    assert made == sorted(made)
    assert made[-1] == pytest.approx(140)


def test_a_milestone_is_not_planned_before_it_is_due(agreement: Agreement) -> None:
    measure = agreement.measures.loc["N7-gps"].copy()
    measure[["basis", "baseline", "target", "baseline_period"]] = ["milestone", 0.0, 1.0, "2002/03"]
    ends = pd.Series(pd.to_datetime(["2003-03-31", "2005-12-31", "2006-03-31"]))
    assert planned_path(measure, ends).tolist() == [0, 0, 1]


def test_a_mean_of_years_stands_at_the_end_of_the_last(agreement: Agreement) -> None:
    measure = agreement.measures.loc["N26-county"].copy()
    assert baseline_end(measure) == date(1996, 12, 31)  # a year's reading stands in the middle
    measure["basis"] = "mean_of_years"
    assert baseline_end(measure) == date(1998, 12, 31)
