"""The reading that counts at its due period: made of draws by each basis, with its chances."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from builders import observed, with_measure
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_analysis.analysis.forecast import scale_of
from psa_analysis.analysis.outlook import (
    Outlook,
    Revision,
    _prepare,
    _readings_of,
    _Wanted,
    outlooks,
    revision,
)
from psa_analysis.analysis.readings import readings
from psa_analysis.periods import parse_period, quarter
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of


def due(*readings: float) -> Outlook:
    return Outlook(np.array(readings)[:, None], (parse_period("2005-06 Q4"),))


def known(report: Report) -> pd.DataFrame:
    """What the report knew of the county; districts and schools have figures of their own."""
    figures = as_of(report.observations, report.cut_off)
    return figures[figures["area"] == report.agreement.settings.agreement.area]


def test_a_rolling_year_is_known_quarters_and_drawn_ones(report_of: Callable) -> None:
    """With one quarter to come, the due year is three known ones and that one."""
    report = report_of("2005-06 Q3")
    series = known(report)
    series = series[(series["measure"] == "N26-county") & (series["area"] == "Leicestershire")]
    three = series.sort_values("period_end")["value"].iloc[-3:]
    outlook = report.outlooks["N26-county"]
    assert [period.label for period in outlook.periods] == ["2005-06 Q4"]
    assert (outlook.draws >= three.sum()).all()
    assert three.sum() + 30 < outlook.median < three.sum() + 120
    # The nearer the end, the surer.
    early = report_of("2004-05 Q3").outlooks["N26-county"].interval(80)
    late = outlook.interval(80)
    assert late[1] - late[0] < 0.6 * (early[1] - early[0])


def test_what_has_been_counted_stays_counted(report: Report) -> None:
    outlook = report.outlooks["N14-into-work"]
    latest = report.assessment.set_index("measure").at["N14-into-work", "latest"]
    assert latest == 373
    assert (outlook.draws >= 373).all()
    assert (np.diff(outlook.draws, axis=1) >= 0).all()


def test_a_change_is_measured_from_its_base(report: Report) -> None:
    draws = report.outlooks["N13"].draws
    assert (draws > -100).all()
    series = known(report)
    series = series[series["measure"] == "N13"].sort_values("period_end").set_index("period")
    base = series.loc["2002-03 Q1":"2002-03 Q4", "value"].sum()
    assert base == 9150
    # Every draw is a whole number of crimes against that base.
    crimes = base * (1 + draws[:, -1] / 100)
    np.testing.assert_allclose(crimes, np.rint(crimes), atol=1e-6)


def test_a_rolling_percentage_weighs_quarters_by_their_cases(report_of: Callable) -> None:
    report = report_of("2005-06 Q3")
    outlook = report.outlooks["L4-repeat"]
    assert ((outlook.draws >= 0) & (outlook.draws <= 100)).all()
    latest = report.assessment.set_index("measure").at["L4-repeat", "latest"]
    assert abs(outlook.median - latest) < 1.5


def test_the_stated_baseline_is_a_reading_too(report: Report) -> None:
    """53.2 in summer 2002 is the strategy's, whether or not a return repeats it."""
    returned = known(report)
    lost = returned[~((returned["measure"] == "N2") & (returned["period"] == "2001/02"))]
    assert len(lost) == len(returned) - 1
    found = outlooks(lost, lost, report.agreement, report.period.end)["N2"]
    assert found.readings == 3
    assert (
        found.median == outlooks(returned, lost, report.agreement, report.period.end)["N2"].median
    )
    measures = report.agreement.measures.copy()
    measures.loc["N2", "baseline_status"] = "assumed"
    agreement = dataclasses.replace(report.agreement, measures=measures)
    found = outlooks(lost, lost, agreement, report.period.end)["N2"]
    assert found.reason == "a forecast needs 3 readings, and there are 2"


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        ("L3", "no document states when it is due"),
        ("N6-ratio", "the comparator is not stated"),
        ("N10", "a forecast needs 3 readings, and there are 2"),
    ],
)
def test_why_there_is_no_forecast(report: Report, measure: str, says: str) -> None:
    assert report.outlooks[measure].reason == says
    row = report.assessment.set_index("measure").loc[measure]
    assert row["no_forecast"] == says
    assert pd.isna(row["forecast"])
    assert pd.isna(row["chance_target"])


def test_what_is_decided_is_not_forecast(report_of: Callable) -> None:
    row = report_of("2006-07 Q3").assessment.set_index("measure").loc["N13"]
    assert row["no_forecast"] == "the period that decides has been observed"
    assert row["state"] in ("achieved", "missed")


def test_states_follow_from_the_chances(report: Report) -> None:
    states = report.agreement.settings.states
    rows = report.assessment[report.assessment["chance_target"].notna()]
    assert len(rows) >= 15
    for row in rows.itertuples():
        chance = row.chance_target
        expected = (
            "on track"
            if chance >= states.on_track
            else "at risk"
            if chance >= states.at_risk
            else "off track"
        )
        assert row.state == expected
        assert row.is_forecast
        assert row.low_95 <= row.low_80 <= row.low_50 <= row.forecast
        assert row.forecast <= row.high_50 <= row.high_80 <= row.high_95


def test_the_rewards_cliff_is_in_its_expectation() -> None:
    """Below 60 % of the stretch nothing; from there p, up to all of it."""
    outlook = due(106.89, 106.9, 107.2, 107.5, 109)
    assert outlook.expected_share(106, 107.5, 0.6) == pytest.approx((0 + 0.6 + 0.8 + 1 + 1) / 5)
    falling = due(12.6, 11.17, 11.16, 10.2, 8)
    assert falling.expected_share(12.6, 10.2, 0.6) == pytest.approx((0 + 0 + 0.6 + 1 + 1) / 5)


def test_reaching_the_target_exactly_is_reaching_it() -> None:
    assert due(276, 277, 278).chance(277, "lower") == pytest.approx(2 / 3)
    assert due(276, 277, 278).chance(277, "higher") == pytest.approx(2 / 3)
    # A sum that is right but for its last digit.
    assert due(0.1 + 0.2).chance(0.3, "lower") == 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(-1e6, 1e6))
@settings(deadline=None)
def test_chances_are_mirrored_by_polarity(readings: list[float], target: float) -> None:
    up = due(*readings).chance(target, "higher")
    down = due(*(-one for one in readings)).chance(-target, "lower")
    assert up == down
    higher = [due(*readings).chance(target + step, "higher") for step in (0, 1, 100)]
    assert higher == sorted(higher, reverse=True)


def test_first_figures_are_taken_as_they_were_revised_before(report: Report) -> None:
    vintages = report.observations[report.observations["received"] <= pd.Timestamp(report.cut_off)]
    usual = revision(vintages, "L4-incidents", "Leicestershire")
    # 14 quarters were revised by then, 0.2 to 3.6 % upwards.
    ratios = [
        1058 / 1046,
        1167 / 1162,
        937 / 916,
        1004 / 984,
        1098 / 1081,
        1179 / 1138,
        1011 / 988,
        1006 / 1000,
        1169 / 1130,
        1182 / 1180,
        1043 / 1012,
        1078 / 1065,
        1218 / 1187,
        1318 / 1311,
    ]
    assert usual.mean == pytest.approx(np.mean(ratios) - 1)
    assert usual.spread == pytest.approx(np.std(ratios, ddof=1))
    assert revision(vintages, "L7", "Leicestershire") == Revision()
    assert "taken 1.8% higher" in report.outlooks["L4-incidents"].note


def test_a_new_definition_takes_its_history_with_it(agreement: Agreement, loaded: tuple) -> None:
    """The later of England's two definitions has two readings, and nine more by the older."""
    measures = agreement.measures.copy()
    name = "N2-without-ks4"
    measures.loc[name, ["role", "due", "target"]] = ["supporting", "2008/09", 40.0]
    named = agreement.settings.agreement.model_copy(update={"area": "England"})
    place = agreement.settings.model_copy(update={"agreement": named})
    changed = dataclasses.replace(agreement, measures=measures, settings=place)
    found = outlooks(loaded[0], loaded[0], changed, date(2006, 9, 30))[name]
    assert found.readings == 11
    assert 48 < found.median < 54  # 54.2 in 2005/06, falling by 0.9 a year
    measures.loc[name, "continues"] = ""
    assert "there are 2" in outlooks(loaded[0], loaded[0], changed, date(2006, 9, 30))[name].reason


def test_the_same_figures_give_the_same_draws(report: Report) -> None:
    vintages = report.observations[report.observations["received"] <= pd.Timestamp(report.cut_off)]
    again = outlooks(known(report), vintages, report.agreement, report.period.end)
    for measure, outlook in report.outlooks.items():
        np.testing.assert_array_equal(outlook.draws, again[measure].draws)


def without(report: Report, measure: str, start: str, end: str) -> dict[str, Outlook]:
    """Outlooks of a report that lacks a measure's figures of some periods."""
    table = known(report)
    gone = (table["measure"] == measure) & table["period_end"].between(start, end)
    assert gone.any()
    kept = table[~gone & (table["period_end"] <= pd.Timestamp(report.period.end))]
    return outlooks(kept, kept, report.agreement, report.period.end)


def test_the_baseline_is_counted_once(report_of: Callable) -> None:
    """N14 counts from the 112 of 2002/03: quarters of that year are in it already."""
    assert report_of("2002-03 Q2").outlooks["N14-into-work"].reason == (
        "the baseline's period has not ended"
    )
    report = report_of("2003-04 Q1")
    late = without(report, "N14-into-work", "2003-01-01", "2004-12-31")["N14-into-work"]
    assert [late.periods[0].label, late.periods[-1].label] == ["2002-03 Q4", "2005-06 Q4"]
    assert (late.draws[:, 0] == 112).all()
    # Twelve quarters of about 27 follow, not thirteen.
    assert 112 + 12 * 15 < late.median < 112 + 12 * 40


def test_a_base_that_is_not_held_is_not_guessed(report_of: Callable) -> None:
    report = report_of("2004-05 Q2")
    found = without(report, "N13", "2000-01-01", "2003-06-30")["N13"]
    assert found.reason == "there is no figure for the baseline period"


def test_a_decided_reading_that_may_be_revised_has_its_chance(report_of: Callable) -> None:
    report = report_of("2005-06 Q4")
    row = report.assessment.set_index("measure").loc["N13"]
    assert row["latest_flag"] == "provisional"
    outlook = report.outlooks["N13"]
    assert [period.label for period in outlook.periods] == ["2005-06 Q4"]
    # First figures were revised by 2 to 3 % up, of one quarter of the four.
    assert row["latest"] - 0.5 < outlook.median < row["latest"] + 1.5
    low, high = outlook.interval(95)
    assert 0 < high - low < 2
    assert row["chance_target"] < 0.01
    assert row["reason"].startswith("the chance that the target is met is")


def test_a_figure_that_may_be_revised_is_not_certain(report_of: Callable) -> None:
    """The newest quarter's own uncertainty goes into the year that it is part of."""
    report = report_of("2005-06 Q4")
    vintages = report.observations[report.observations["received"] <= pd.Timestamp(report.cut_off)]
    usual = revision(vintages, "L4-incidents", "Leicestershire")
    draws = report.outlooks["L4-incidents"].draws[:, -1]
    newest = known(report)
    newest = newest[newest["measure"] == "L4-incidents"].sort_values("period_end")["value"].iloc[-1]
    assert draws.std() == pytest.approx(newest * usual.spread, rel=0.1)


def test_missing_denominators_are_named_or_not_needed(report: Report) -> None:
    table = known(report)
    table = table[table["period_end"] <= pd.Timestamp(report.period.end)].copy()
    parts = ["numerator", "denominator"]
    table.loc[(table["measure"] == "L4-repeat") & (table["period"] == "2004-05 Q3"), parts] = np.nan
    table.loc[table["measure"] == "N6-eet", parts] = np.nan
    measures = report.agreement.measures.copy()
    measures.loc["N6-eet", "basis"] = "annual"
    agreement = dataclasses.replace(report.agreement, measures=measures)
    found = outlooks(table, table, agreement, report.period.end)
    assert found["L4-repeat"].reason == "needs numerators and denominators of every period"
    assert found["N6-eet"].reason == ""  # one figure a year needs no denominators to be added


def test_a_reading_that_never_came_has_no_chance(report_of: Callable) -> None:
    report = report_of("2006-07 Q3")
    found = without(report, "N13", "2006-01-01", "2006-12-31")["N13"]
    assert found.reason == "the period that decides is over, and its reading has not come in"


def test_an_old_reading_is_named(report: Report) -> None:
    found = without(report, "L7", "2003-04-01", "2005-12-31")["L7"]
    assert found.note == "the newest reading is that of 2002-03 Q4"


def test_a_spliced_percentage_stays_one(agreement: Agreement, loaded: tuple) -> None:
    """The older definition is moved by the difference, and not beyond what it can be."""
    columns = dict.fromkeys(loaded[0].columns)
    rows = [
        ("L2", "2001/02", 97.0),
        ("L2", "2002/03", 90.0),
        ("L1-english", "2002/03", 98.0),
        ("L1-english", "2003/04", 97.0),
    ]
    table = pd.DataFrame(
        [
            columns
            | {
                "measure": measure,
                "area": "Leicestershire",
                "period": period,
                "period_end": pd.Timestamp(int(period[:4]) + 1, 8, 31),
                "value": value,
                "flag": "final",
                "received": pd.Timestamp("2004-12-01"),
            }
            for measure, period, value in rows
        ]
    ).astype({"denominator": float})
    measures = agreement.measures.copy()
    measures.loc["L1-english", ["continues", "baseline_status"]] = ["L2", "assumed"]
    changed = dataclasses.replace(agreement, measures=measures)
    found = outlooks(table, table, changed, date(2004, 12, 31))["L1-english"]
    assert found.readings == 3  # 105 became 100
    assert (found.draws <= 100).all()


def test_amounts_are_no_counts() -> None:
    assert scale_of("people", [4, 5, 4.0]) == "count"
    assert scale_of("people", [4, 5, 4.1]) == "positive"
    assert scale_of("million journeys", [4, 5, 4.0]) == "positive"
    assert scale_of("days", [4, 5, 4.0], "amounts") == "positive"
    assert scale_of("per 1,000 residents", [4, 5]) == "positive"
    assert scale_of("percentage points", [4, -5]) == "real"


@pytest.mark.parametrize("unit", ["incidents", "percent"])
@pytest.mark.parametrize(
    "basis",
    [
        "point",
        "annual",
        "year_to_date",
        "rolling_12m",
        "change_from_baseline",
        "cumulative",
        "mean_of_years",
    ],
)
def test_a_draw_that_says_what_happened_makes_the_reading_that_was_made(
    agreement: Agreement, basis: str, unit: str
) -> None:
    """One rule by basis: draws of what is to come are made into readings as observations are."""
    over = [7.0, 9, 8, 12, 6, 11, 9, 10, 5, 8, 7, 9, 6, 6, 4, 8]
    values = over if unit == "incidents" else [100 * one / 40 for one in over]
    table = observed("L4-incidents", values, numerator=over, denominator=[40] * 16)
    changed = with_measure(
        agreement,
        "L4-incidents",
        basis=basis,
        unit=unit,
        baseline=36.0,
        due="2005-06 Q4",
        baseline_period="2002/03",
        made_of="cases",
    )
    made = readings(table, changed).set_index("period")["reading"]
    measure = changed.measures.loc["L4-incidents"]
    prepared = _prepare(measure, table.head(12), date(2005, 3, 31), Revision())
    assert isinstance(prepared, _Wanted)
    ends = [quarter(2005, number) for number in (1, 2, 3, 4)]
    draws, why_not = _readings_of(prepared, np.array([values]), ends)
    if basis == "mean_of_years" and unit == "percent":
        assert made.dropna().tolist() == pytest.approx(
            [100 * sum(over[n : n + 12]) / 480 for n in (0, 4)]
        )
    assert why_not == ""
    assert draws[0, -1] == pytest.approx(made["2005-06 Q4"], rel=1e-12)
    assert draws[0].tolist() == pytest.approx(
        made[[period.label for period in ends]].tolist(), rel=1e-12, nan_ok=True
    )


def test_a_gap_to_a_comparator_is_forecast_as_it_was_read(agreement: Agreement) -> None:
    """The readings themselves move on; a gap may cross 0 and a ratio may be above 100 %."""
    own = observed("N14-gap", [40.0, 42, 43, 45, 46, 48])
    other = observed("L5", [74.0, 74, 74, 74, 74, 74])
    table = pd.concat([own, other]).assign(received=pd.Timestamp("2004-01-01"))
    changes = {
        "comparator": "L5",
        "frequency": "quarterly",
        "due": "2003-04 Q4",
        "unit": "percentage points",
        "role": "supporting",
    }
    agreement = with_measure(agreement, "L5", basis="point")
    changed = with_measure(agreement, "N14-gap", basis="gap_to_comparator", **changes)
    found = outlooks(table, table, changed, date(2003, 9, 30))["N14-gap"]
    assert (found.reason, found.readings) == ("", 6)
    # 34, 32, 31, 29, 28, 26: two quarters on.
    assert 18 < found.median < 26
    changes |= {"unit": "percent", "basis": "ratio_to_comparator"}
    ratio = outlooks(
        table.assign(value=table["value"].where(table["measure"] == "L5", table["value"] + 36)),
        table,
        with_measure(agreement, "N14-gap", **changes),
        date(2003, 9, 30),
    )["N14-gap"]
    assert ratio.median > 113  # 84 of 74
    assert (ratio.draws > 0).all()
