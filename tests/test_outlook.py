"""The reading that counts at its due period: made of draws by each basis, with its chances."""

import dataclasses
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from builders import AREA, observed, with_measure
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.outlook import (
    NOT_REVISED,
    History,
    Outlook,
    history_of,
    outlooks,
    readings_of_draws,
    revision,
    scale_of,
)
from psa_analysis.analysis.readings import make_readings
from psa_analysis.analysis.trajectory import paid_of_draws
from psa_analysis.periods import parse_period, quarter
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report


def due(*draws: float) -> Outlook:
    return Outlook(np.array(draws)[:, None], (parse_period("2005-06 Q4"),))


def figures_of(report: Report, measure: str) -> pd.Series:
    """What was known of one measure of the county, oldest first."""
    own = report.known[(report.known["measure"] == measure) & (report.known["area"] == AREA)]
    return own.sort_values("period_end").set_index("period")["value"]


def vintages_of(report: Report) -> pd.DataFrame:
    return report.observations[report.observations["received"] <= pd.Timestamp(report.cut_off)]


def without(report: Report, measure: str, start: str, end: str, **changes: object) -> Outlook:
    """The outlook of one measure where its figures of some periods had not come."""
    gone = (report.known["measure"] == measure) & report.known["period_end"].between(start, end)
    ended = report.known["period_end"] <= pd.Timestamp(report.period.end)
    assert gone.any()
    table = report.known[ended & ~gone]
    agreement = with_measure(report.agreement, measure, **changes)
    return outlooks(table, table, agreement, report.period.end)[measure]


# Draws of each basis


def test_a_rolling_year_is_known_quarters_and_drawn_ones(report_of: Callable) -> None:
    """With one quarter to come, the due year is three known ones and that one."""
    report = report_of("2005-06 Q3")
    three = figures_of(report, "N26-county").iloc[-3:].sum()
    outlook = report.outlooks["N26-county"]
    assert [period.label for period in outlook.periods] == ["2005-06 Q4"]
    assert (outlook.draws >= three).all()
    assert three + 30 < outlook.due["median"] < three + 120
    # The nearer the end, the surer.
    early = report_of("2004-05 Q3").outlooks["N26-county"]
    assert np.ptp(outlook.due[["low_80", "high_80"]]) < 0.6 * np.ptp(
        early.due[["low_80", "high_80"]]
    )


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
def test_draws_of_what_happened_make_the_readings_that_were_made(
    agreement: Agreement, basis: str, unit: str
) -> None:
    """One rule by basis: draws of what is to come are made into readings as observations are."""
    counts = [7.0, 9, 8, 12, 6, 11, 9, 10, 5, 8, 7, 9, 6, 6, 4, 8]
    values = counts if unit == "incidents" else [100 * count / 40 for count in counts]
    table = observed("L4-incidents", values, numerator=counts, denominator=[40] * 16)
    changes = {"basis": basis, "unit": unit, "baseline": 36.0, "baseline_period": "2002/03"}
    changed = with_measure(agreement, "L4-incidents", **changes, due="2005-06 Q4")
    expected = make_readings(table, changed).set_index("period")["reading"]
    measure = changed.measures.loc["L4-incidents"]
    history = history_of(measure, table.head(12), date(2005, 3, 31), NOT_REVISED)
    assert isinstance(history, History)
    periods = [quarter(2005, number) for number in (1, 2, 3, 4)]
    draws, reason = readings_of_draws(history, np.array([values]), periods)
    assert reason == ""
    labels = [period.label for period in periods]
    assert draws[0].tolist() == pytest.approx(expected[labels].tolist(), rel=1e-12, nan_ok=True)


def test_the_baseline_is_counted_once(report_of: Callable) -> None:
    """N14 counts from the 112 of 2002/03: quarters of that year are in it already."""
    late = without(report_of("2003-04 Q1"), "N14-into-work", "2003-01-01", "2004-12-31")
    assert [late.periods[0].label, late.periods[-1].label] == ["2002-03 Q4", "2005-06 Q4"]
    assert (late.draws[:, 0] == 112).all()
    # Twelve quarters of about 27 follow, not thirteen.
    assert 112 + 12 * 15 < late.due["median"] < 112 + 12 * 40


def test_missing_denominators_are_named_or_not_needed(report: Report) -> None:
    table = report.known[report.known["period_end"] <= pd.Timestamp(report.period.end)].copy()
    lost = (table["measure"] == "L4-repeat") & (table["period"] == "2004-05 Q3")
    lost |= table["measure"] == "N6-eet"
    table.loc[lost, ["numerator", "denominator"]] = np.nan
    agreement = with_measure(report.agreement, "N6-eet", basis="annual")
    found = outlooks(table, table, agreement, report.period.end)
    assert found["L4-repeat"].reason == "needs numerators and denominators of every period"
    assert found["N6-eet"].reason == ""  # one figure a year needs no denominators to be added


def test_a_gap_to_a_comparator_is_forecast_as_it_was_read(agreement: Agreement) -> None:
    """The readings themselves move on; a gap may cross 0 and a ratio may be above 100 %."""
    figures = [observed("N14-gap", [40.0, 42, 43, 45, 46, 48]), observed("L5", [74.0] * 6)]
    table = pd.concat(figures).assign(received=pd.Timestamp("2004-01-01"))
    agreement = with_measure(agreement, "L5", basis="point")
    changes = {"comparator": "L5", "frequency": "quarterly", "due": "2003-04 Q4"}
    changes["role"] = "supporting"

    def compared(basis: str, unit: str) -> Outlook:
        changed = with_measure(agreement, "N14-gap", basis=basis, unit=unit, **changes)
        return outlooks(table, table, changed, date(2003, 9, 30))["N14-gap"]

    found = compared("gap_to_comparator", "percentage points")
    assert (found.reason, found.readings) == ("", 6)
    # 34, 32, 31, 29, 28, 26: two quarters on.
    assert 18 < found.due["median"] < 26
    table["value"] += np.where(table["measure"] == "N14-gap", 36, 0)
    ratio = compared("ratio_to_comparator", "percent")
    assert ratio.due["median"] > 113  # 84 of 74
    assert (ratio.draws > 0).all()


# What it rests on, and why there is none


@pytest.mark.parametrize(
    ("period", "measure", "gone", "reason"),
    [
        ("2004-05 Q2", "N13", ("2000-01-01", "2003-06-30"), "there is no figure for the baseline"),
        ("2006-07 Q3", "N13", ("2006-01-01", "2006-12-31"), "the period that decides is over"),
        ("2004-05 Q3", "N14-into-work", ("2003-06-30", "2003-09-30"), "a period that the reading"),
        ("2002-03 Q2", "N14-into-work", ("2002-09-30", "2002-09-30"), "the baseline's period has"),
    ],
)
def test_why_there_is_no_forecast_without_some_figures(
    report_of: Callable, period: str, measure: str, gone: tuple[str, str], reason: str
) -> None:
    assert without(report_of(period), measure, *gone).reason.startswith(reason)


def test_the_stated_baseline_is_a_reading_too(report: Report) -> None:
    """53.2 in summer 2002 is the strategy's, whether or not a return repeats it."""
    lost = ("2002-08-31", "2002-08-31")
    found = without(report, "N2", *lost)
    assert found.readings == 3
    assert found.due["median"] == report.outlooks["N2"].due["median"]
    found = without(report, "N2", *lost, baseline_status="assumed")
    assert found.reason == "a forecast needs 3 readings, and there are 2"


def test_an_old_reading_is_named(report: Report) -> None:
    found = without(report, "L7", "2003-04-01", "2005-12-31")
    assert found.note == "the newest reading is that of 2002-03 Q4"


def test_a_new_definition_takes_its_history_with_it(agreement: Agreement, loaded: tuple) -> None:
    """The later of England's two definitions has two readings, and nine more by the older."""
    named = agreement.settings.agreement.model_copy(update={"area": "England"})
    place = agreement.settings.model_copy(update={"agreement": named})
    england = dataclasses.replace(agreement, settings=place)
    changes = {"role": "supporting", "due": "2008/09", "target": 40.0}

    def found(**others: object) -> Outlook:
        changed = with_measure(england, "N2-without-ks4", **changes, **others)
        return outlooks(loaded[0], loaded[0], changed, date(2006, 9, 30))["N2-without-ks4"]

    assert found().readings == 11
    assert 48 < found().due["median"] < 54  # 54.2 in 2005/06, falling by 0.9 a year
    assert "there are 2" in found(continues="").reason


def test_a_spliced_percentage_stays_one(agreement: Agreement) -> None:
    """The older definition is moved by the difference, and not beyond what it can be."""
    older = observed("L2", [97.0, 90.0], 2001, "exam_year")
    newer = observed("L1-english", [98.0, 97.0], 2002, "exam_year")
    table = pd.concat([older, newer]).assign(received=pd.Timestamp("2004-12-01"))
    changed = with_measure(agreement, "L1-english", continues="L2", baseline_status="assumed")
    found = outlooks(table, table, changed, date(2004, 12, 31))["L1-english"]
    assert found.readings == 3  # 105 became 100
    assert (found.draws <= 100).all()


def test_the_same_figures_give_the_same_draws(report: Report) -> None:
    again = outlooks(report.known, vintages_of(report), report.agreement, report.period.end)
    for measure, outlook in report.outlooks.items():
        np.testing.assert_array_equal(outlook.draws, again[measure].draws)


@pytest.mark.parametrize(
    ("unit", "figures", "made_of", "scale"),
    [
        ("people", [4, 5, 4.0], "", "count"),
        ("people", [4, 5, 4.1], "", "positive"),
        ("million journeys", [4, 5, 4.0], "", "positive"),
        ("days", [4, 5, 4.0], "amounts", "positive"),
        ("per 1,000 residents", [4, 5], "", "positive"),
        ("percentage points", [4, -5], "", "real"),
    ],
)
def test_amounts_are_no_counts(unit: str, figures: list[float], made_of: str, scale: str) -> None:
    assert scale_of(unit, figures, made_of) == scale


# Figures that may be revised


def test_first_figures_are_taken_as_they_were_revised_before(report: Report) -> None:
    vintages = vintages_of(report)
    change, spread = revision(vintages, "L4-incidents", AREA)
    raw = pd.read_csv(report.agreement.folder / "raw/returns/police.csv")
    raw = raw[(raw["measure"] == "L4-incidents") & (raw["received"] <= "2005-02-14")]
    figures = raw.pivot(index="period", columns="flag", values="value").dropna()
    ratios = figures["revised"] / figures["provisional"]
    assert len(ratios) == 14
    assert (change, spread) == pytest.approx((ratios.mean() - 1, ratios.std(ddof=1)))
    assert revision(vintages, "L7", AREA) == NOT_REVISED
    assert f"taken {100 * change:.1f}% higher" in report.outlooks["L4-incidents"].note


def test_a_decided_reading_that_may_be_revised_has_its_chance(report_of: Callable) -> None:
    report = report_of("2005-06 Q4")
    row, outlook = report.rows["N13"], report.outlooks["N13"]
    assert row["latest_flag"] == "provisional"
    assert [period.label for period in outlook.periods] == ["2005-06 Q4"]
    # First figures were revised by 2 to 3 % up, of one quarter of the four.
    assert row["latest"] - 0.5 < outlook.due["median"] < row["latest"] + 1.5
    assert 0 < np.ptp(outlook.due[["low_95", "high_95"]]) < 2
    assert row["chance_target"] < 0.01
    assert row["reason"].startswith("the provisional reading of 2005-06 Q4 falls short")
    # The newest quarter's own uncertainty goes into the year that it is part of.
    _, spread = revision(vintages_of(report), "L4-incidents", AREA)
    newest = figures_of(report, "L4-incidents").iloc[-1]
    draws = report.outlooks["L4-incidents"].draws[:, -1]
    assert draws.std() == pytest.approx(newest * spread, rel=0.1)


# Chances


def test_the_rewards_cliff_is_in_its_expectation() -> None:
    """Below 60 % of the stretch nothing; from there p, up to all of it."""
    rising = np.array([106.89, 106.9, 107.2, 107.5, 109])
    falling = np.array([12.6, 11.17, 11.16, 8])
    assert paid_of_draws(rising, 106, 107.5, 0.6) == pytest.approx([0, 0.6, 0.8, 1, 1])
    assert paid_of_draws(falling, 12.6, 10.2, 0.6) == pytest.approx([0, 0, 0.6, 1])


def test_reaching_the_target_exactly_is_reaching_it() -> None:
    assert due(276, 277, 278).chance(277, "lower") == pytest.approx(2 / 3)
    assert due(276, 277, 278).chance(277, "higher") == pytest.approx(2 / 3)
    # A sum that is right but for its last digit.
    assert due(0.1 + 0.2).chance(0.3, "lower") == 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(-1e6, 1e6))
def test_chances_are_mirrored_by_polarity(draws: list[float], target: float) -> None:
    up = due(*draws).chance(target, "higher")
    down = due(*(-draw for draw in draws)).chance(-target, "lower")
    assert up == down
    higher = [due(*draws).chance(target + step, "higher") for step in (0, 1, 100)]
    assert higher == sorted(higher, reverse=True)
