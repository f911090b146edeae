"""Readings by basis against worked examples, and what holds for any series."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest
from builders import AREA, observed, with_measure
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_analysis.analysis.intervals import wilson
from psa_analysis.analysis.readings import observations_used, readings, same_stage, splice
from psa_analysis.analysis.trajectory import exact
from psa_analysis.periods import KIND_OF_FREQUENCY, parse_period, quarter
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of


def read(agreement: Agreement, frame: pd.DataFrame) -> dict[str, float]:
    table = readings(frame, agreement)
    return dict(zip(table["period"], table["reading"], strict=True))


def test_the_order_of_observations_makes_no_difference(report: Report) -> None:
    known = as_of(report.observations, report.cut_off)
    shuffled = known.sample(frac=1, random_state=1)
    made = readings(shuffled, report.agreement)
    order = {name: place for place, name in enumerate(known["measure"].unique())}
    made = made.sort_values("measure", key=lambda names: names.map(order), kind="stable")
    pd.testing.assert_frame_equal(made.reset_index(drop=True), readings(known, report.agreement))


def test_point_is_the_observation(agreement: Agreement) -> None:
    made = read(agreement, observed("N7-treatment", [900, 950, 972]))
    assert list(made.values()) == [900, 950, 972]


def test_rolling_twelve_months_needs_four_quarters(agreement: Agreement) -> None:
    table = readings(observed("L4-incidents", [1, 2, 3, 4, 5, None, 7, 8, 9, 10]), agreement)
    made = dict(zip(table["period"], table["reading"], strict=True))
    assert made["2002-03 Q4"] == 10
    assert made["2003-04 Q1"] == 14
    assert made["2004-05 Q2"] == 34
    missing = dict(zip(table["period"], table["missing"], strict=True))
    assert missing["2002-03 Q3"] == "needs 4 quarters, has 3"
    assert missing["2003-04 Q4"] == "needs 4 quarters, has 3"
    assert pd.isna(made["2003-04 Q4"])


def test_rolling_percentages_pool_numerators_and_denominators(agreement: Agreement) -> None:
    over, under = [10, 20, 30, 40], [100, 100, 100, 700]
    frame = observed(
        "L4-repeat",
        [100 * n / d for n, d in zip(over, under, strict=True)],
        numerator=over,
        denominator=under,
    )
    # 100 of 1,000, and not the mean of the four rates, 16.4 %.
    assert read(agreement, frame)["2002-03 Q4"] == 10
    frame.loc[frame.index[0], "denominator"] = float("nan")
    table = readings(frame, agreement)
    assert table["missing"].iloc[-1] == "needs numerators and denominators of every period"


def test_annual_and_year_to_date_start_again_each_april(agreement: Agreement) -> None:
    values = [1, 2, 3, 4, 10, 20, 30, 40]
    so_far = with_measure(agreement, "L4-incidents", basis="year_to_date")
    made = read(so_far, observed("L4-incidents", values))
    assert list(made.values()) == [1, 3, 6, 10, 10, 30, 60, 100]
    annual = with_measure(agreement, "L4-incidents", basis="annual")
    table = readings(observed("L4-incidents", values), annual)
    nan = float("nan")
    assert table["reading"].tolist() == pytest.approx(
        [nan] * 3 + [10] + [nan] * 3 + [100], nan_ok=True
    )
    assert table["missing"].tolist()[4] == "the year is not complete"


def test_cumulative_counts_up_from_the_baseline(agreement: Agreement) -> None:
    values = [30, 30, 30, 22, 40, 45, None, 50]
    table = readings(observed("N14-into-work", values), agreement)
    assert table["period"].tolist()[0] == "2003-04 Q1"
    assert table["reading"].tolist()[:2] == [152, 197]
    assert pd.isna(table["reading"].iloc[2])
    assert table["missing"].iloc[2] == "a period between the baseline and this one is missing"


def test_change_from_a_stated_base(agreement: Agreement) -> None:
    made = read(agreement, observed("N26-all", [70, 69, 69, 69]))
    assert made["2002-03 Q4"] == pytest.approx(100 * (277 / (277 / 0.72) - 1), abs=1e-12)
    assert made["2002-03 Q4"] == pytest.approx(-28, abs=1e-12)


def test_change_from_the_baseline_periods_own_level(agreement: Agreement) -> None:
    made = read(agreement, observed("N13", [250, 250, 250, 250, 200, 200, 200, 200]))
    assert made["2002-03 Q4"] == 0
    assert made["2003-04 Q4"] == pytest.approx(-20, abs=1e-12)
    late = readings(observed("N13", [200] * 4, first_year=2003), agreement)
    assert late["missing"].iloc[-1] == "no figure for the baseline period"


def test_every_exact_fifth_is_exactly_minus_twenty(agreement: Agreement) -> None:
    """A fall of exactly 20 % meets a target of 20 %, whatever the baseline."""
    for base in range(8000, 10001, 20):
        frame = observed("N13", [base / 4] * 4 + [base / 5] * 4)
        assert exact(readings(frame, agreement)["reading"].iloc[-1]) == -20


def test_changes_and_counts_of_school_years_start_after_the_baselines(agreement: Agreement) -> None:
    rows = [("2001/02", 500), ("2002/03", 520), ("2003/04", 550)]
    frame = pd.concat([observed("N2", [value]) for _, value in rows], ignore_index=True)
    frame["period"] = [period for period, _ in rows]
    frame["period_end"] = [pd.Timestamp(parse_period(p, "exam_year").end) for p in frame["period"]]
    counted = with_measure(agreement, "N2", basis="cumulative", baseline=500.0)
    assert list(read(counted, frame).values()) == [1020, 1570]
    changed = with_measure(agreement, "N2", basis="change_from_baseline")
    assert list(read(changed, frame).values()) == pytest.approx([0, 4, 10])


def test_what_cannot_be_added_up_gives_no_reading(agreement: Agreement) -> None:
    for unit in ("index", "percentage points"):
        table = readings(
            observed("L4-incidents", [4.0] * 4), with_measure(agreement, "L4-incidents", unit=unit)
        )
        assert table["missing"].iloc[-1] == f"figures in {unit} cannot be added up"
    thousand = with_measure(agreement, "L4-repeat", unit="per 1,000 residents")
    frame = observed("L4-repeat", [10.0] * 4, numerator=[100] * 4, denominator=[10_000] * 4)
    assert read(thousand, frame)["2002-03 Q4"] == 10


def test_a_base_of_nothing_gives_no_reading(agreement: Agreement) -> None:
    table = readings(observed("N13", [0.0] * 4 + [5.0] * 4), agreement)
    assert table["reading"].isna().all()
    assert table["missing"].iloc[-1] == "a figure of 0 for the baseline period"


def test_marks_of_every_observation_used_reach_the_reading(agreement: Agreement) -> None:
    made_up = [False] * 4 + [True] * 3 + [False]
    flags = ["provisional"] * 4 + ["final"] * 4
    frame = observed("N14-into-work", [30.0] * 8, illustrative=made_up, flag=flags)
    last = readings(frame, agreement).iloc[-1]
    assert last["illustrative"]
    assert last["flag"] == "final"  # the flows before the baseline's end are not in it
    made_up = [True] * 4 + [False] * 4
    last = readings(observed("N13", [30.0] * 8, illustrative=made_up, flag=flags), agreement).iloc[
        -1
    ]
    assert last["illustrative"]
    assert last["flag"] == "provisional"  # the baseline year is in every change


def test_no_observation_gives_a_table_that_can_be_assessed(agreement: Agreement) -> None:
    nothing = readings(observed("N13", [None]), agreement)
    assert nothing.empty
    assert nothing["period_end"].dt.year.empty


def test_a_reading_is_as_weak_as_its_weakest_observation(agreement: Agreement) -> None:
    flags = ["final", "provisional", "revised", "final", "final", "final"]
    made_up = [False, False, True, False, False, False]
    frame = observed("L4-incidents", [1.0] * 6, flag=flags, illustrative=made_up)
    table = readings(frame, agreement)
    assert table["flag"].tolist()[3:] == ["provisional", "provisional", "revised"]
    assert table["illustrative"].tolist()[3:] == [True, True, True]


counts = st.lists(st.integers(0, 10_000), min_size=4, max_size=16)


@settings(deadline=None)
@given(counts)
def test_four_quarters_add_up_to_the_year(agreement: Agreement, values: list[int]) -> None:
    made = read(agreement, observed("L4-incidents", [float(v) for v in values]))
    for n, (period, reading) in enumerate(made.items()):
        if n < 3:
            assert pd.isna(reading), period
        else:
            assert reading == sum(values[n - 3 : n + 1])


@settings(deadline=None)
@given(counts, st.randoms())
def test_the_order_of_rows_does_not_matter(agreement: Agreement, values: list[int], random) -> None:
    frame = observed("L4-incidents", [float(v) for v in values])
    order = list(frame.index)
    random.shuffle(order)
    pd.testing.assert_frame_equal(readings(frame.loc[order], agreement), readings(frame, agreement))


def test_definitions_are_joined_only_where_they_overlap(loaded: tuple) -> None:
    """England's pupils without five GCSEs: the definition of 2004/05 and two years of both."""
    england = loaded[0][loaded[0]["area"] == "England"].set_index("period")
    old = england.loc[england["measure"] == "N2-without-age15", "value"]
    new = england.loc[england["measure"] == "N2-without-ks4", "value"]
    joined, method = splice(old, new)
    # 55.7 and 54.7 by the old, 55.1 and 54.2 by the new: 0.55 lower.
    assert method.startswith("The older definition is moved by -0.55, the mean difference")
    assert method.endswith("in 2004/05, 2005/06.")
    assert joined["2003/04"] == pytest.approx(57.3 - 0.55)
    assert joined["2004/05"] == 55.1
    assert len(joined) == 11
    leeds = loaded[0][loaded[0]["area"] == "Leeds"].set_index("period")
    with pytest.raises(ValueError, match="no period in common"):
        splice(
            leeds.loc[leeds["measure"] == "N2-age15", "value"],
            leeds.loc[leeds["measure"] == "N2-ks4", "value"],
        )


def yearly(
    agreement: Agreement,
    measure: str,
    figures: dict[str, float | None],
    area: str = AREA,
    **columns: object,
) -> pd.DataFrame:
    """Final observations by period's label; None is a suppressed figure."""
    kind = KIND_OF_FREQUENCY[agreement.measures.at[measure, "frequency"]]
    frame = observed(measure, [0.0] * len(figures)).assign(area=area, **columns)
    frame["period"] = list(figures)
    frame["period_end"] = [pd.Timestamp(parse_period(label, kind).end) for label in figures]
    frame["value"] = [float("nan") if value is None else value for value in figures.values()]
    frame["flag"] = frame["flag"].mask(frame["value"].isna(), "suppressed")
    return frame


def last(agreement: Agreement, frame: pd.DataFrame, measure: str, area: str = AREA) -> pd.Series:
    table = readings(frame, agreement)
    return table[(table["measure"] == measure) & (table["area"] == area)].iloc[-1]


def parts(
    agreement: Agreement, frame: pd.DataFrame, measure: str, period: str
) -> list[tuple[str, str, str, str]]:
    used = observations_used(frame, agreement, measure, AREA, period)
    return list(used[["part", "measure", "area", "period"]].itertuples(index=False, name=None))


# Means of years


def test_a_mean_has_as_many_years_as_its_baseline(agreement: Agreement) -> None:
    casualties = with_measure(
        agreement, "N26-stats19", basis="mean_of_years", baseline_period="1994-98"
    )
    figures = {str(1994 + n): value for n, value in enumerate([400, 390, 380, 370, 365, 300.0])}
    frame = yearly(casualties, "N26-stats19", figures)
    table = readings(frame, casualties).set_index("period")
    assert table.at["1998", "reading"] == 381  # 1,905 over five years
    assert table.at["1999", "reading"] == 361
    assert table.at["1997", "missing"] == "needs 5 complete years, lacks 1993"
    assert pd.isna(table.at["1997", "reading"])
    assert [row[3] for row in parts(casualties, frame, "N26-stats19", "1999")] == [
        "1995",
        "1996",
        "1997",
        "1998",
        "1999",
    ]


def test_a_mean_without_such_a_baseline_is_of_three_years(agreement: Agreement) -> None:
    journeys = with_measure(agreement, "N26-stats19", basis="mean_of_years")
    figures: dict[str, float | None] = {"2001": 10, "2002": 20, "2004": 60, "2005": 9, "2006": None}
    table = readings(yearly(journeys, "N26-stats19", figures), journeys).set_index("period")
    assert table["reading"].isna().all()
    assert table.at["2004", "missing"] == "needs 3 complete years, lacks 2003"
    assert table.at["2002", "missing"] == "needs 3 complete years, lacks 2000"
    assert table.at["2006", "missing"] == "needs 3 complete years, lacks 2006"


def test_a_mean_of_quarters_is_of_complete_financial_years(agreement: Agreement) -> None:
    journeys = with_measure(agreement, "L4-incidents", basis="mean_of_years")
    values = [1.0, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400, 5, 6, 7, 8]
    frame = observed("L4-incidents", values, illustrative=[True] + [False] * 15)
    table = readings(frame, journeys).set_index("period")
    assert table.at["2004-05 Q4", "reading"] == 370  # 10, 100 and 1,000
    assert table.at["2004-05 Q4", "illustrative"]
    assert not table.at["2005-06 Q4", "illustrative"]
    assert table.at["2005-06 Q4", "reading"] == 1126 / 3
    assert table.at["2004-05 Q3", "missing"] == "the year is not complete"
    assert [row[3] for row in parts(journeys, frame, "L4-incidents", "2005-06 Q4")] == list(
        frame["period"].iloc[4:]
    )
    gap = frame.drop(index=frame.index[6])
    assert last(journeys, gap, "L4-incidents")["missing"] == (
        "needs 3 complete years, lacks 2003/04"
    )


def test_a_mean_of_rates_pools_its_years(agreement: Agreement) -> None:
    rate = with_measure(agreement, "N7-sustained", basis="mean_of_years")
    figures: dict[str, float | None] = {"2002/03": 10, "2003/04": 20, "2004/05": 50}
    parted = yearly(
        rate, "N7-sustained", figures, numerator=[10, 20, 400], denominator=[100, 100, 800]
    )
    # 430 of 1,000, and not the mean of the three rates.
    assert last(rate, parted, "N7-sustained")["reading"] == 43
    alone = yearly(rate, "N7-sustained", figures)
    assert last(rate, alone, "N7-sustained")["missing"] == (
        "needs numerators and denominators of every period"
    )
    index = with_measure(agreement, "N10", basis="mean_of_years")
    table = last(index, yearly(index, "N10", figures), "N10")
    assert table["missing"] == "figures in index cannot be added up"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=12, max_size=24))
def test_a_mean_of_years_lies_between_its_years(agreement: Agreement, values: list[int]) -> None:
    changed = with_measure(agreement, "L4-incidents", basis="mean_of_years")
    made = read(changed, observed("L4-incidents", [float(v) for v in values]))
    for n, reading in enumerate(made.values()):
        if n % 4 == 3 and n >= 11:
            years = [sum(values[first : first + 4]) for first in (n - 11, n - 7, n - 3)]
            assert min(years) - 1e-9 <= reading <= max(years) + 1e-9
            assert 3 * reading == pytest.approx(sum(years))
        else:
            assert pd.isna(reading)


# Comparators


def test_a_ratio_is_a_percentage_of_another_measure(agreement: Agreement) -> None:
    compared = with_measure(agreement, "N6-ratio", comparator="N7-sustained")
    own = yearly(compared, "N6-ratio", {"2003/04": 44.1, "2004/05": 50.0, "2005/06": None})
    other = yearly(
        compared,
        "N7-sustained",
        {"2003/04": 63.0, "2005/06": 60.0},
        flag=["provisional", "final"],
        illustrative=True,
    )
    frame = pd.concat([own, other], ignore_index=True)
    table = readings(frame, compared)
    table = table[table["measure"] == "N6-ratio"].set_index("period")
    assert table.at["2003/04", "reading"] == 70
    assert table.at["2003/04", "flag"] == "provisional"
    assert table.at["2003/04", "illustrative"]
    assert table.at["2004/05", "missing"] == "no figure of N7-sustained for 2004/05"
    assert table.at["2005/06", "missing"] == "suppressed"
    assert table["reading"].isna().tolist() == [False, True, True]
    assert parts(compared, frame, "N6-ratio", "2003/04") == [
        ("reading", "N6-ratio", AREA, "2003/04"),
        ("comparator", "N7-sustained", AREA, "2003/04"),
    ]


def test_a_gap_is_the_comparator_less_the_figure(agreement: Agreement) -> None:
    compared = with_measure(agreement, "N14-gap", comparator="area: England")
    own = yearly(compared, "N14-gap", {"2003/04": 47.9, "2004/05": 80.0, "2005/06": 50.0})
    england = yearly(
        compared, "N14-gap", {"2003/04": 74.1, "2004/05": 75.0, "2005/06": None}, area="England"
    )
    frame = pd.concat([own, england], ignore_index=True)
    table = readings(frame, compared)
    there = table[table["area"] == "England"]
    assert set(there["missing"]) == {"this is the comparator itself"}
    here = table[table["area"] == AREA].set_index("period")
    assert here["reading"].tolist()[:2] == [26.2, -5]
    assert here.at["2005/06", "missing"] == "no figure of England for 2005/06: suppressed"
    assert here.at["2005/06", "flag"] == "suppressed"
    assert parts(compared, frame, "N14-gap", "2004/05") == [
        ("reading", "N14-gap", AREA, "2004/05"),
        ("comparator", "N14-gap", "England", "2004/05"),
    ]


def test_the_comparator_is_read_by_its_own_basis(agreement: Agreement) -> None:
    compared = with_measure(
        agreement, "N14-gap", comparator="L4-incidents", unit="incidents", frequency="quarterly"
    )
    frame = pd.concat(
        [observed("N14-gap", [1.0, 1, 1, 4]), observed("L4-incidents", [5.0] * 4)],
        ignore_index=True,
    )
    table = readings(frame, compared)
    table = table[table["measure"] == "N14-gap"].set_index("period")
    assert table.at["2002-03 Q4", "reading"] == 16  # four quarters of 5, less 4
    assert table.at["2002-03 Q3", "missing"] == (
        "no figure of L4-incidents for 2002-03 Q3: needs 4 quarters, has 3"
    )
    used = parts(compared, frame, "N14-gap", "2002-03 Q4")
    assert [part for part, *_ in used] == ["reading", *["comparator"] * 4]


def test_nothing_is_compared_with_what_is_not_stated_or_nothing(agreement: Agreement) -> None:
    for measure in ("N6-ratio", "N14-gap"):
        table = readings(yearly(agreement, measure, {"2003/04": 40.0}), agreement)
        assert table["missing"].tolist() == ["the comparator is not stated"]
        assert table["reading"].isna().all()
    compared = with_measure(agreement, "N6-ratio", comparator="area: England")
    own = yearly(compared, "N6-ratio", {"2003/04": 40.0})
    assert last(compared, own, "N6-ratio")["missing"] == "no figure of England for 2003/04"
    nothing = yearly(compared, "N6-ratio", {"2003/04": 0.0}, area="England")
    frame = pd.concat([own, nothing], ignore_index=True)
    assert last(compared, frame, "N6-ratio")["missing"] == "the figure of England for 2003/04 is 0"


tenths = st.integers(1, 1000)


@settings(max_examples=20, deadline=None)
@given(tenths, tenths)
def test_ratios_and_gaps_are_exact(agreement: Agreement, own: int, other: int) -> None:
    """The reading is the float nearest to the true result of the figures as they are written."""
    for measure, true in [
        ("N6-ratio", Fraction(100 * own, other)),
        ("N14-gap", Fraction(other - own, 10)),
    ]:
        compared = with_measure(agreement, measure, comparator="area: England")
        frame = pd.concat(
            [
                yearly(compared, measure, {"2003/04": own / 10}),
                yearly(compared, measure, {"2003/04": other / 10}, area="England"),
            ],
            ignore_index=True,
        )
        assert last(compared, frame, measure)["reading"] == float(true)


# Ranks

#: Ten places: nine regions and the agreement's own area.
REGIONS = [
    "North East",
    "North West",
    "Yorkshire and the Humber",
    "East Midlands",
    "West Midlands",
    "East",
    "London",
    "South East",
    "South West",
]


def ranked(agreement: Agreement, order: str = "highest") -> Agreement:
    return with_measure(
        agreement,
        "N7-sustained",
        basis="rank",
        polarity="lower",
        unit="place",
        comparator=f"family: region; {order} first",
    )


def family(agreement: Agreement, own: float | None, others: list[float | None]) -> pd.DataFrame:
    """A period's figures of the agreement's area and of as many regions as are given."""
    figures = {AREA: own} | dict(zip(REGIONS, others, strict=False))
    frames = [
        yearly(agreement, "N7-sustained", {"2003/04": value}, area=area)
        for area, value in figures.items()
    ]
    return pd.concat(frames, ignore_index=True)


def test_equal_figures_share_the_better_place(agreement: Agreement) -> None:
    others: list[float | None] = [90, 80, 70, 70, 60, 50, 40, 30, 20]
    frame = family(agreement, 70.0, others)
    made = last(ranked(agreement), frame, "N7-sustained")
    assert made["reading"] == 3
    assert made["note"] == "ranked among 10 of the 10 areas of the family"
    assert made["missing"] == ""
    # From the lowest: 20, 30, 40, 50, 60 are better.
    assert last(ranked(agreement, "lowest"), frame, "N7-sustained")["reading"] == 6
    # The next after those that share a place comes as many places later.
    assert last(ranked(agreement), family(agreement, 65.0, others), "N7-sustained")["reading"] == 5
    used = parts(ranked(agreement), frame, "N7-sustained", "2003/04")
    assert used[0] == ("reading", "N7-sustained", AREA, "2003/04")
    assert {(part, area) for part, _, area, _ in used[1:]} == {
        ("comparator", area) for area in REGIONS
    }


def test_a_rank_needs_half_of_the_family(agreement: Agreement) -> None:
    half = last(ranked(agreement), family(agreement, 55.0, [90, 20, None, 60, 10]), "N7-sustained")
    assert half["reading"] == 3
    assert half["note"] == "ranked among 5 of the 10 areas of the family"
    few = last(ranked(agreement), family(agreement, 55.0, [90, 20, None, 60]), "N7-sustained")
    assert pd.isna(few["reading"])
    assert few["missing"] == "only 4 of the 10 areas of the family gave a figure, fewer than half"
    hidden = last(ranked(agreement), family(agreement, None, [90, 20, 5, 60, 2]), "N7-sustained")
    assert hidden["missing"] == "suppressed"
    region = last(ranked(agreement), family(agreement, 55.0, [90.0] * 9), "N7-sustained", "London")
    assert region["missing"] == "only Leicestershire is ranked"
    none = with_measure(ranked(agreement), "N7-sustained", comparator="not stated")
    made = last(none, family(agreement, 55.0, [90.0] * 9), "N7-sustained")
    assert made["missing"] == "the comparator is not stated"


def test_a_rank_is_as_weak_as_the_weakest_of_the_family(agreement: Agreement) -> None:
    frame = family(agreement, 55.0, [90.0] * 9)
    frame.loc[4, "flag"] = "provisional"
    frame.loc[5, "illustrative"] = True
    made = last(ranked(agreement), frame, "N7-sustained")
    assert (made["flag"], made["illustrative"]) == ("provisional", True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 20), st.lists(st.integers(0, 20), min_size=9, max_size=9))
def test_both_orders_of_a_rank_add_up(agreement: Agreement, own: int, others: list[int]) -> None:
    """From the top and from the bottom: n + 1, less one for each that shares the place."""
    frame = family(agreement, float(own), [float(value) for value in others])
    top, bottom = (
        last(ranked(agreement, order), frame, "N7-sustained")["reading"]
        for order in ("highest", "lowest")
    )
    assert top + bottom == 11 - others.count(own)
    assert 1 <= top <= 10


# Milestones


def test_a_milestone_is_done_or_not_and_stays_so(agreement: Agreement) -> None:
    changed = with_measure(agreement, "N7-gps", basis="milestone")
    table = readings(observed("N7-gps", [0.0, 0, 1, 1, 0, 1, 0.5]), changed)
    nan = float("nan")
    assert table["reading"].tolist() == pytest.approx([0, 0, 1, 1, nan, 1, nan], nan_ok=True)
    assert table["missing"].tolist() == [
        "",
        "",
        "",
        "",
        "found 0 (not done), where 2002-03 Q3 says 1 (done)",
        "",
        "found 0.5, expected 1 (done) or 0 (not done)",
    ]
    frame = observed("N7-gps", [0.0, 1.0])
    assert [row[3] for row in parts(changed, frame, "N7-gps", "2002-03 Q2")] == ["2002-03 Q2"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=12))
def test_no_milestone_is_undone_silently(agreement: Agreement, values: list[float]) -> None:
    changed = with_measure(agreement, "N7-gps", basis="milestone")
    table = readings(observed("N7-gps", values), changed)
    made = table["reading"].dropna().tolist()
    assert made == sorted(made)  # never from done to not done
    assert ((table["missing"] != "") == table["reading"].isna()).all()
    assert made.count(1) == values.count(1)
    first = values.index(1) if 1 in values else len(values)
    assert made.count(0) == values[:first].count(0)


# The same stage of earlier years


def test_a_part_of_a_year_beside_the_same_part_of_earlier_years(agreement: Agreement) -> None:
    so_far = with_measure(agreement, "L4-incidents", basis="year_to_date")
    values = [10.0, 20, 30, 40, 10, 50, 10, 30, 15, 25]
    made = readings(observed("L4-incidents", values), so_far)
    stage = same_stage(made, quarter(2004, 2), "incidents")
    assert stage.year_before == 60
    # 30 of 100 in 2002/03 and 60 of 100 in 2003/04.
    assert stage.share == pytest.approx(0.45)
    assert stage.years == ("2002/03", "2003/04")
    first = same_stage(made, quarter(2002, 2), "incidents")
    assert pd.isna(first.year_before) and pd.isna(first.share) and first.years == ()
    assert same_stage(made, quarter(2003, 4), "incidents").share == 1
    rate = same_stage(made, quarter(2004, 2), "percent")
    assert rate.year_before == 60
    assert pd.isna(rate.share)  # half of a year's rate is not half of the way to it
    with pytest.raises(ValueError, match="is not a quarter"):
        same_stage(made, parse_period("2004/05", "financial_year"), "incidents")


def test_a_year_that_is_not_whole_says_nothing_of_the_stage(agreement: Agreement) -> None:
    so_far = with_measure(agreement, "L4-incidents", basis="year_to_date")
    values = [10.0, 20, None, 40, 10, 50, 10, 30, 0, 0, 0, 0, 15, 25]
    made = readings(observed("L4-incidents", values), so_far)
    stage = same_stage(made, quarter(2005, 2), "incidents")
    assert stage.years == ("2003/04",)  # one lacks a quarter, one has nothing in it
    assert stage.share == 0.6
    assert stage.year_before == 0


@settings(max_examples=20, deadline=None)
@given(counts)
def test_stages_only_rise_in_a_year_of_counts(agreement: Agreement, values: list[int]) -> None:
    so_far = with_measure(agreement, "L4-incidents", basis="year_to_date")
    made = readings(observed("L4-incidents", [float(value) for value in values]), so_far)
    shares = [same_stage(made, quarter(2010, n), "incidents").share for n in range(1, 5)]
    if any(sum(values[n : n + 4]) for n in range(0, len(values) - 3, 4)):
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[3] == 1
    else:
        assert all(pd.isna(share) for share in shares)


def test_readings_carry_what_chance_allows(report: Report) -> None:
    """Byar, Wilson and exact limits of the readings themselves, each naming its method."""
    own = report.readings[report.readings["area"] == "Leicestershire"]
    last = own.sort_values("period_end").groupby("measure").last()
    z = 1.959963984540054
    count = 272
    county = last.loc["N26-county"]
    assert county["reading"] == count
    assert county["interval"] == "Byar"
    assert county["lower"] == pytest.approx(
        count * (1 - 1 / (9 * count) - z / (3 * count**0.5)) ** 3
    )
    # A change from 9,150 has the limits of its count, as changes.
    crime = last.loc["N13"]
    crimes = 9150 * (1 + crime["reading"] / 100)
    upper = (crimes + 1) * (1 - 1 / (9 * (crimes + 1)) + z / (3 * (crimes + 1) ** 0.5)) ** 3
    assert crime["upper"] == pytest.approx(100 * (upper - 9150) / 9150)
    assert crime["lower"] < crime["reading"] < crime["upper"]
    # A rolling percentage pools its quarters: Wilson of the sums.
    repeat = last.loc["L4-repeat"]
    known = as_of(report.observations, report.cut_off)
    year = known[known["measure"] == "L4-repeat"].sort_values("period_end").tail(4)
    low, high = wilson(year["numerator"].sum(), year["denominator"].sum())
    assert (repeat["lower"], repeat["upper"]) == pytest.approx((100 * low, 100 * high))
    assert repeat["interval"] == "Wilson"
    assert last.loc["N7-gps", "interval"] == "exact Poisson"
    for measure in ("L7", "N9", "N10"):
        assert pd.isna(last.loc[measure, "lower"])
        assert last.loc[measure, "interval"] == "not worked out: not made of single cases"
