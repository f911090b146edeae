"""Planned paths, the trigger, and what they say of a reading, against worked examples."""

import math
from datetime import date

import pandas as pd
import pytest
from builders import observed
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis import trajectory
from psa_analysis.analysis.trajectory import gap_months, planned_path, trigger_value
from psa_analysis.periods import quarter
from psa_analysis.register.agreement import Agreement, with_parsed

NAN = math.nan


#: A quarterly measure that is to go from 100 to 160 between March 2003 and March 2006.
PLANNED = {"unit": "people", "polarity": "higher", "basis": "point", "frequency": "quarterly"}
PLANNED |= {"baseline": 100.0, "baseline_period": "2002/03", "without": NAN, "target": 160.0}
PLANNED |= {"due": "2005/06", "interim_period": "", "comparator": "", "profile": "", "points": ()}
PLANNED |= {"rule": "level", "target_to": NAN, "lowest": NAN, "highest": NAN}


def planned(**changes: object) -> pd.Series:
    return with_parsed(pd.DataFrame([PLANNED | changes], index=["X"])).loc["X"]


def at(*months: int) -> pd.Series:
    """Month ends, counted from March 2003."""
    return pd.Series([pd.Timestamp("2003-03-31") + pd.offsets.MonthEnd(n) for n in months])


@pytest.mark.parametrize(
    ("measure", "ends", "values"),
    [
        # 53.2 in summer 2002 to 63 in summer 2005: 9.8 points in three equal steps.
        ("N2", ["2002-08-31", "2003-08-31", "2005-08-31"], [53.2, 53.2 + 9.8 / 3, 63]),
        # 4,294 at March 2003 to 4,852 at March 2006: 46.5 a quarter, whatever its days.
        ("L4-incidents", ["2003-06-30", "2003-09-30", "2006-03-31"], [4340.5, 4387, 4852]),
        # Flat before the baseline and after the due period.
        ("N7-treatment", ["2001-06-30", "2007-06-30"], [972, 1150]),
        # A mean of years stands in its middle; 111 months later, in March 2006, it is due.
        ("N26-county", ["1996-12-31", "2001-06-30"], [235 / 0.72, (57 / 0.72 + 54) * 235 / 111]),
        ("L5", ["2004-12-31"], [NAN]),
        ("L8", ["2004-12-31"], [NAN]),
    ],
)
def test_the_paths_of_the_register(agreement, measure: str, ends, values) -> None:
    path = planned_path(agreement.measures.loc[measure], pd.Series(pd.to_datetime(ends)))
    assert path.tolist() == pytest.approx(values, abs=1e-9, nan_ok=True)


def test_when_a_path_begins_and_ends(agreement: Agreement) -> None:
    county = agreement.measures.loc["N26-county"].copy()
    # A year's reading stands in the middle.
    assert trajectory.baseline_end(county) == date(1996, 12, 31)
    county["basis"] = "mean_of_years"
    assert trajectory.baseline_end(county) == date(1998, 12, 31)


POINTS = ((date(2004, 3, 31), 120.0), (date(2005, 3, 31), 140.0))
STEPS = {"profile": "steps", "points": POINTS}
GIVEN = {"profile": "given", "points": POINTS}
MILESTONE = {"basis": "milestone", "baseline": 0.0, "target": 1.0}
#: Cornwall County Council, Local Transport Plan annex: bus journeys in millions from 2006/07 on,
#: and their change on 2003/04 in per cent as the page prints it.
LEVELS, PRINTED = [7.45, 7.69, 7.84, 8.17, 8.33], [-7, -5, -2, 2, 4]
CORNWALL = {"unit": "million journeys", "frequency": "annual", "profile": "given"}
CORNWALL |= {"baseline": 8.01, "baseline_period": "2003/04", "target": 8.33, "due": "2010/11"}
CORNWALL["points"] = tuple((date(2007 + n, 3, 31), LEVELS[n]) for n in range(4))


@pytest.mark.parametrize(
    ("changes", "months", "values"),
    [
        ({}, (0, 12, 18, 36), [100, 120, 130, 160]),
        (STEPS, (-3, 0, 11, 12, 23, 24, 35, 36, 40), [100] * 3 + [120] * 2 + [140] * 2 + [160] * 2),
        (GIVEN, (6, 12, 18, 24, 30), [110, 120, 130, 140, 150]),
        ({"profile": "given", "points": POINTS[1:]}, (12, 24, 40), [120, 140, 160]),
        # Not done before it is due.
        (MILESTONE, (0, 35, 36), [0, 0, 1]),
        (CORNWALL, (48, 60, 72, 84, 96), LEVELS),
        # No level is given for the two years between: a third of the way down each.
        (CORNWALL, (24, 36), [8.01 - 0.56 / 3, 8.01 - 1.12 / 3]),
    ],
)
def test_each_profile(changes: dict, months: tuple[int, ...], values: list[float]) -> None:
    path = planned_path(planned(**changes), at(*months))
    assert path.tolist() == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize(
    ("without", "target", "trigger"),
    [(33, 35, 34.2), (106, 107.5, 106.9), (12.6, 10.2, 11.16), (0.1, 0.3, 0.22), (277, 235, 251.8)],
)
def test_the_trigger_is_sixty_percent_of_the_stretch(without, target, trigger) -> None:
    # Equal, not close: binary floats put some of these on the wrong side of the line.
    assert trigger_value(planned(without=without, target=target), 0.6) == trigger


def test_the_path_to_the_trigger_has_the_same_shape() -> None:
    for shape in ({}, GIVEN):  # 110 + 60 % of 50 is 140
        row = planned(without=110.0, **shape)
        path = planned_path(row, at(0, 12, 36), trigger_value(row, 0.6))
        assert path.tolist() == pytest.approx([100, 340 / 3, 140], rel=1e-12)
    assert planned_path(planned(), at(0, 36), trigger_value(planned(), 0.6)).isna().all()


MONTHLY = {"target": 136.0}  # 1 a month


@pytest.mark.parametrize(
    ("changes", "month", "reading", "months"),
    [
        (MONTHLY, 12, 118, 6),
        (MONTHLY, 12, 136, 24),
        (MONTHLY, 12, 100, -12),
        # Steps: 120 from month 12, 140 from month 24.
        (STEPS, 18, 120, 0),
        (STEPS, 18, 140, 6),
        (STEPS, 18, 100, -6),
        (STEPS, 12, 100, NAN),
        (STEPS, 18, 130, NAN),
        (STEPS, 18, 110, NAN),
        # Better than the trough: the path is there again 7.5 months later (0.15 of 0.24 a year).
        (CORNWALL, 48, 7.6, 7.5),
        (CORNWALL, 48, 7.45, 0),
        (CORNWALL, 48, 7.3, NAN),
        # On its way down the path is last above a worse reading in the future, not in the past.
        (CORNWALL, 36, 7.6, NAN),
        (CORNWALL, 36, 7.66, 12 + 12 * 0.21 / 0.24),
        # Behind on its way up: 7.6 was planned for 16.5 months earlier.
        (CORNWALL, 72, 7.6, -16.5),
        (CORNWALL, 72, 8.4, NAN),
        ({}, 12, 161, NAN),
        ({}, 12, 99, NAN),
        ({}, -3, 100, NAN),
        ({"baseline": NAN}, 12, 100, NAN),
        ({"target": NAN}, 12, 100, NAN),
    ],
)
def test_months_ahead_of_the_path(changes: dict, month: int, reading: float, months: float) -> None:
    gap = gap_months(planned(**changes), at(month)[0], reading)
    assert gap == pytest.approx(months, abs=1e-9, nan_ok=True)


YEARLY = {"frequency": "annual"}


def history(values: list[float], last: int, step: int = 3) -> pd.DataFrame:
    """Readings every so many months, the last of them in a month counted from March 2003."""
    months = [last - step * (len(values) - 1 - n) for n in range(len(values))]
    return pd.DataFrame(
        {"period": [f"month {n}" for n in months], "period_end": at(*months), "reading": values}
    )


@pytest.mark.parametrize(
    ("changes", "past", "required"),
    [
        # 30 in two quarters; the best two quarters, to month 24, made 35.
        ({}, history([100, 110, 135, 125, 130], 30), (15, "month 24")),
        # 31 in two quarters against a best of 30.
        ({}, history([100, 110, 130, 125, 129], 30), (15.5, "never")),
        # Exactly as much: in floats 0.3 - 0.1 is less than 0.5 - 0.3.
        ({"target": 0.5}, history([0.1, 0.2, 0.3, 0.3], 30), (0.1, "month 27")),
        # Years are the periods of a yearly measure, and of parts of a year.
        (YEARLY, history([100, 140, 120], 24, 12), (40, "month 12")),
        ({"basis": "year_to_date"}, history([100, 140, 120], 24, 12), (40, "month 12")),
        # Reached, due, without a target, without a reading.
        ({}, history([100, 160], 30), (0, None)),
        ({}, history([100, 150], 36), (NAN, None)),
        ({"target": NAN}, history([100, 150], 30), (NAN, None)),
        ({}, history([], 30), (NAN, None)),
        # No two readings lie nine quarters apart: that is not the same as never.
        ({}, history([100, 101], 9), (59 / 9, None)),
    ],
)
def test_what_is_required_and_whether_it_was_done_before(changes, past, required) -> None:
    change, done_before = trajectory.required_change(planned(**changes), past)
    assert change == pytest.approx(required[0], nan_ok=True)
    assert done_before == required[1]


def quarters(*years: list[float]) -> pd.DataFrame:
    """Figures of the quarters of some years, the last of them 2003/04."""
    values = [value for year in years for value in year]
    rows = observed("M", values, 2004 - len(years))
    return rows[["period_end", "value"]].reset_index(drop=True)


def seasonal(**changes: object) -> pd.Series:
    """From 100 in 2002/03 to 160 in 2005/06, with quarters of 10, 20, 30 and 40 %."""
    row = {"basis": "year_to_date", "profile": "seasonal", "seasons": (0.4, 0.8, 1.2, 1.6)}
    return planned(**row | changes)


def test_the_seasons_of_complete_years_before_the_agreement() -> None:
    # 10, 20, 30 and 40 % of one year, 30, 20, 30 and 20 % of the other, each counting the same.
    past = quarters([10, 20, 30, 40], [60, 40, 60, 40], [9, 9, 9, 90])
    factors = trajectory.season_factors(past, "quarterly", date(2003, 4, 1))
    assert factors == pytest.approx((0.8, 0.8, 1.2, 1.2))


@pytest.mark.parametrize(
    "past",
    [
        [[9, 9, 9, 90]],
        [[1, 2, 3, 4], [1, 2, 3, 4]],
        # A year with a gap is not complete, and a year of the agreement is not earlier.
        [[1, 2, NAN, 4], [1, 2, 3, 4], [1, 2, 3, 4]],
        [[0, 0, 0, 0], [1, 2, 3, 4], [1, 2, 3, 4]],
    ],
)
def test_one_odd_year_is_no_season(past: list[list[float]]) -> None:
    assert trajectory.season_factors(quarters(*past), "quarterly", date(2003, 4, 1)) == ()


def test_a_path_with_seasons_counts_up_within_each_year() -> None:
    # Planned for complete years: 100, 120, 140, 160; reached by the quarters: 10, 30, 60, 100 %.
    ends = at(-9, -6, -3, 0, 3, 6, 9, 12, 27, 30, 33, 36)
    assert planned_path(seasonal(), ends).tolist() == pytest.approx(
        [10, 30, 60, 100, 12, 36, 72, 120, 16, 48, 96, 160]
    )
    level = planned_path(seasonal(), ends, 100.0).tolist()
    assert level == pytest.approx([10, 30, 60, 100] * 3)
    # The trigger at 60 % of a stretch from 110: 140.
    row = seasonal(without=110.0)
    assert planned_path(row, ends, trigger_value(row, 0.6)).iloc[-1] == pytest.approx(140)
    assert math.isnan(gap_months(row, quarter(2004, 2).end, 50.0))
    assert planned_path(seasonal(seasons=()), ends).isna().all()
    # Of quarters alone: two of twelve on the level is 110, and the second is half of the fourth.
    row = seasonal(basis="point", baseline_period="2002-03 Q4", due="2005-06 Q4")
    assert planned_path(row, at(0, 6, 36)).tolist() == pytest.approx([100, 55, 160])


@given(st.lists(st.integers(1, 500), min_size=8, max_size=8), st.floats(0.1, 10))
def test_seasons_are_shares_and_not_sizes(values, times: float) -> None:
    past = quarters(values[:4], values[4:], [0, 0, 0, 0])
    factors = trajectory.season_factors(past, "quarterly", date(2003, 4, 1))
    assert sum(factors) == pytest.approx(4)
    assert min(factors) > 0
    scaled = past.assign(value=past["value"] * times)
    scaled = trajectory.season_factors(scaled, "quarterly", date(2003, 4, 1))
    assert scaled == pytest.approx(factors)
    path = planned_path(seasonal(seasons=factors), at(15, 18, 21, 24)).tolist()
    assert path == sorted(path)
    assert path[-1] == pytest.approx(140)


LEVEL = st.integers(1, 400).map(lambda n: n / 4)


@st.composite
def measures(draw) -> pd.Series:
    baseline = draw(LEVEL)
    target = draw(LEVEL.filter(lambda level: level != baseline))
    profile = draw(st.sampled_from(["", "linear", "steps", "given"]))
    months = draw(st.sets(st.integers(1, 35), min_size=1, max_size=6))
    points = tuple((at(month)[0].date(), draw(LEVEL)) for month in sorted(months))
    return planned(
        baseline=baseline,
        target=target,
        profile=profile,
        points=points if profile in ("steps", "given") else (),
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
    path = planned_path(row, at(-more, 0, 36, 36 + more)).tolist()
    ends = [row["baseline"]] * 2 + [row["target"]] * 2
    assert path == pytest.approx(ends, rel=1e-12)


@given(measures(), st.integers(0, 36), LEVEL)
def test_months_have_the_sign_of_the_gap_and_lead_to_the_reading(row, now, reading) -> None:
    months = gap_months(row, at(now)[0], reading)
    mirror = gap_months(mirrored(row), at(now)[0], -reading)
    assert months == pytest.approx(mirror, abs=1e-9, nan_ok=True)
    ahead = reading - planned_path(row, at(now))[0]
    ahead *= 1 if row["polarity"] == "higher" else -1
    if math.isnan(months):
        assert abs(ahead) > 0
        return
    assert (months > 0) == (ahead > 1e-6)
    assert (months < 0) == (ahead < -1e-6)
    assert 0 <= now + months <= 36
    if float(now + months).is_integer() and row["profile"] != "steps":
        planned_then = planned_path(row, at(int(now + months)))[0]
        assert planned_then == pytest.approx(reading, abs=1e-6)


@given(measures(), st.lists(LEVEL, min_size=1, max_size=14), st.integers(1, 11))
def test_what_is_required_leads_to_the_target(row, values, left: int) -> None:
    past = history(values, last=36 - 3 * left)
    change, done_before = trajectory.required_change(row, past)
    mirror = trajectory.required_change(mirrored(row), past.assign(reading=-past["reading"]))
    assert mirror == (-change, done_before)
    better = 1 if row["polarity"] == "higher" else -1
    if change:
        assert values[-1] + left * change == pytest.approx(row["target"])
        assert better * change > 0
        done = any(
            better * (now - then) >= better * (row["target"] - values[-1])
            for then, now in zip(values, values[left:], strict=False)
        )
        assert done == (done_before not in (None, "never"))
    else:
        assert better * (values[-1] - row["target"]) >= 0
