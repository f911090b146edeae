"""Readings by basis against worked examples, and what holds for any series."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.performance import readings, splice
from psa_analysis.periods import parse_period, quarter
from psa_analysis.register import Agreement
from psa_analysis.trajectory import exact

AREA = "Leicestershire"


def observed(
    measure: str, values: list[float | None], first_year: int = 2002, **columns: object
) -> pd.DataFrame:
    """Final quarterly observations from Q1 of a year; None leaves a quarter out."""
    rows = []
    for n, value in enumerate(values):
        period = quarter(first_year + n // 4, n % 4 + 1)
        rows.append(
            {
                "measure": measure, "area": AREA, "period": period.label,
                "period_end": pd.Timestamp(period.end), "value": value, "numerator": None,
                "denominator": None, "flag": "final", "illustrative": False, "file": "f",
                "sheet": "", "row": n, "column": "D",
            }
            | {name: listed[n] for name, listed in columns.items()}
        )  # fmt: skip
    frame = pd.DataFrame(rows).astype({"value": float, "numerator": float, "denominator": float})
    return frame[[value is not None for value in values]]


def with_measure(agreement: Agreement, measure: str, **changes: object) -> Agreement:
    measures = agreement.measures.copy()
    for column, value in changes.items():
        measures.loc[measure, column] = value
    return dataclasses.replace(agreement, measures=measures)


def read(agreement: Agreement, frame: pd.DataFrame) -> dict[str, float]:
    table = readings(frame, agreement)
    return dict(zip(table["period"], table["reading"], strict=True))


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
        "L4-repeat", [100 * n / d for n, d in zip(over, under, strict=True)],
        numerator=over, denominator=under,
    )  # fmt: skip
    # 100 of 1,000, and not the mean of the four rates, 16.4 %.
    assert read(agreement, frame)["2002-03 Q4"] == 10
    frame.loc[frame.index[0], "denominator"] = float("nan")
    table = readings(frame, agreement)
    assert table["missing"].iloc[-1] == "needs numerators and denominators of every quarter"


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


def test_a_basis_that_is_not_computed_says_so(agreement: Agreement) -> None:
    table = readings(observed("N14-gap", [20]), agreement)
    assert table["missing"].tolist() == ["the basis gap_to_comparator is not computed"]
    assert table["reading"].isna().all()


def test_a_reading_is_as_weak_as_its_weakest_observation(agreement: Agreement) -> None:
    flags = ["final", "provisional", "revised", "final", "final", "final"]
    made_up = [False, False, True, False, False, False]
    frame = observed("L4-incidents", [1.0] * 6, flag=flags, illustrative=made_up)
    table = readings(frame, agreement)
    assert table["flag"].tolist()[3:] == ["provisional", "provisional", "revised"]
    assert table["illustrative"].tolist()[3:] == [True, True, True]


counts = st.lists(st.integers(0, 10_000), min_size=4, max_size=16)


@given(counts)
def test_four_quarters_add_up_to_the_year(agreement: Agreement, values: list[int]) -> None:
    made = read(agreement, observed("L4-incidents", [float(v) for v in values]))
    for n, (period, reading) in enumerate(made.items()):
        if n < 3:
            assert pd.isna(reading), period
        else:
            assert reading == sum(values[n - 3 : n + 1])


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
