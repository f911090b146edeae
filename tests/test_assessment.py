"""The assessment: known answers, every state, and the expected tables of two periods."""

import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from builders import EXPECTED, ReportOf, observed, with_measure

from psa_analysis.analysis.assessment import COLUMNS, assess
from psa_analysis.analysis.readings import make_readings
from psa_analysis.periods import parse_period, quarter
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement
from psa_analysis.show.measures import facts

#: Draws of forecasts may differ in single cases from processor to processor.
DRAWN = re.compile("forecast|low_.*|high_.*|chance_.*|expected_share")


@pytest.mark.parametrize("period", ["2003-04 Q1", "2004-05 Q3", "2006-07 Q3"])
def test_the_assessment_is_as_expected(report_of: ReportOf, period: str) -> None:
    """A changed figure anywhere in data or code shows here, all at once.

    After an intended change: ``psa assess "2004-05 Q3" --csv > tests/expected/...`` and read
    the difference.
    """
    table = report_of(period).assessment
    expected = pd.read_csv(EXPECTED / f"assessment_{parse_period(period).slug}.csv")
    assert list(table.columns) == list(expected.columns) == list(COLUMNS)
    for column in COLUMNS:
        if column in table.select_dtypes("number"):
            close = {"rtol": 2e-3, "atol": 2e-3} if DRAWN.fullmatch(column) else {"rtol": 1e-12}
            now, then = table[column].astype(float), expected[column].astype(float)
        else:
            # An empty cell of the file is an empty text or none.
            now, then = (frame[column].astype(object) for frame in (table, expected))
            close, now, then = {}, now.where(now.notna(), ""), then.where(then.notna(), "")
        pd.testing.assert_series_equal(now, then, obj=column, **close)


@pytest.mark.parametrize(
    ("latest", "state", "reason"),
    [
        # The plan allows 972 to fall to 940 by March 2004: 950 is better, 930 is not, and neither
        # is an improvement that a share of could be made.
        (950.0, "on track", "reaches a planned path"),
        (940.0, "on track", "reaches a planned path"),
        (930.0, "at risk", "falls short of a planned path"),
    ],
)
def test_a_path_that_falls_first_is_not_taken_for_an_improvement(
    agreement: Agreement, latest: float, state: str, reason: str
) -> None:
    changed = with_measure(agreement, "N7-treatment", profile="given")
    changed.measures.at["N7-treatment", "points"] = ((date(2004, 3, 31), 940.0),)
    frame = observed("N7-treatment", [972.0] * 4 + [latest] * 4)
    row = assessed(changed, frame, "2003-04 Q4", "N7-treatment")
    assert (row["planned"], row["state"]) == (940, state)
    assert pd.isna(row["progress"])
    assert reason in row["reason"]


def assessed(agreement: Agreement, frame: pd.DataFrame, period: str, measure: str) -> pd.Series:
    table = assess(make_readings(frame, agreement), agreement, parse_period(period))
    return table.set_index("measure").loc[measure]


FLAT = [1073.5] * 4  # 4,294 a year, the baseline of L4-incidents


@pytest.mark.parametrize(
    ("values", "period", "state", "forecast"),
    [
        (FLAT, "2002-03 Q4", "not due", True),
        (FLAT, "2003-04 Q1", "no data", True),
        ([*FLAT, *[1120] * 4], "2003-04 Q4", "on track", True),
        ([*FLAT, *[1110] * 4], "2003-04 Q4", "at risk", True),
        ([*FLAT, *[1060] * 4], "2003-04 Q4", "off track", True),
        ([*FLAT * 3, *[1213] * 4], "2005-06 Q4", "achieved", False),
        ([*FLAT * 3, *[1212] * 4], "2005-06 Q4", "missed", False),
        ([], "2002-03 Q4", "not due", True),
        ([], "2003-04 Q1", "no data", True),
    ],
)
def test_states_of_a_quarterly_measure(
    agreement: Agreement, values: list[float], period: str, state: str, forecast: bool
) -> None:
    row = assessed(agreement, observed("L4-incidents", values or [None]), period, "L4-incidents")
    assert (row["state"], row["is_forecast"]) == (state, forecast)


@pytest.mark.parametrize(
    ("polarity", "without", "target", "outturn", "state"),
    [
        ("higher", 106, 107.5, 106.9, "partly achieved"),  # exactly 60 %
        ("higher", 106, 107.5, 106.89, "missed"),
        ("higher", 0.1, 0.3, 0.22, "partly achieved"),  # exactly 60 %, as fractions
        ("higher", 106, 107.5, 107.5, "achieved"),
        ("lower", 12.6, 10.2, 11.16, "partly achieved"),  # exactly 60 %
        ("lower", 12.6, 10.2, 11.17, "missed"),
        ("lower", 12.6, 10.2, 10.2, "achieved"),
        ("lower", 277, 235, 251.8, "partly achieved"),  # exactly 60 %
    ],
)
def test_the_line_at_sixty_percent_is_exact(
    agreement: Agreement, polarity: str, without: float, target: float, outturn: float, state: str
) -> None:
    figures = {"without": without, "target": target, "baseline": without}
    changed = with_measure(agreement, "N7-treatment", polarity=polarity, **figures)
    frame = observed("N7-treatment", [outturn] * 4, first_year=2005)
    assert assessed(changed, frame, "2005-06 Q4", "N7-treatment")["state"] == state


def test_the_due_periods_own_reading_decides_for_good(agreement: Agreement) -> None:
    values = [1160.0] * 4 + [1000.0] * 4
    frame = observed("N7-treatment", values, first_year=2005)
    for period in ("2005-06 Q4", "2006-07 Q1", "2006-07 Q4"):
        row = assessed(agreement, frame, period, "N7-treatment")
        assert row[["state", "latest_period", "late"]].tolist() == ["achieved", "2005-06 Q4", False]


def test_a_deciding_reading_that_never_comes_is_no_data(agreement: Agreement) -> None:
    frame = observed("N7-treatment", [1160.0] * 4, first_year=2004)
    assert assessed(agreement, frame, "2005-06 Q4", "N7-treatment")["state"] == "on track"
    row = assessed(agreement, frame, "2006-07 Q3", "N7-treatment")
    assert row["state"] == "no data"
    assert "2005/06, which decides, had not come in" in row["reason"]


def test_exactly_the_threshold_is_reached(agreement: Agreement) -> None:
    # 0.6 of 1.0 in floats is 0.5999999999999996.
    figures = {"baseline": 10.1, "target": 13.1, "baseline_period": "2002/03"}
    changed = with_measure(agreement, "N6-eet", **figures)
    frame = observed("N6-eet", [10.7], first_year=2003, kind="financial_year")
    assert assessed(changed, frame, "2004-05 Q1", "N6-eet")["state"] == "at risk"


def test_a_gap_is_told_from_a_late_return(agreement: Agreement) -> None:
    frame = observed("L4-incidents", [*FLAT, 1100.0, None, 1100.0])
    row = assessed(agreement, frame, "2003-04 Q3", "L4-incidents")
    assert not row["late"]
    assert row["missing"] == "needs 4 quarters, has 3"
    late = assessed(agreement, frame, "2003-04 Q4", "L4-incidents")
    assert late["late"]
    assert late["expected_period"] == "2003-04 Q4"


THREE_YEARS = [*[2287.5] * 4, *[2000.0] * 8]  # 9,150 in the baseline's year


@pytest.mark.parametrize(
    ("returned", "values", "period", "measure", "state"),
    [
        # Without a baseline.
        ("N7-gps", [6.0], "2002-03 Q4", "N7-gps", "on track"),
        # A year's figure is due with the next quarter's report.
        ("N9", [4.0], "2003-04 Q4", "N10", "not due"),
        ("N9", [4.0], "2004-05 Q1", "N10", "no data"),
        # No baseline period is stated for L5: the agreement itself begins in 2003/04.
        ("N9", [4.0], "2002-03 Q4", "L5", "not due"),
        ("N9", [4.0], "2003-04 Q1", "L5", "no data"),
        # Exactly 20 % less than in the baseline's year, and one crime more.
        ("N13", [*THREE_YEARS, *[1830.0] * 4], "2005-06 Q4", "N13", "achieved"),
        ("N13", [*THREE_YEARS, *[1830.0] * 3, 1831.0], "2005-06 Q4", "N13", "missed"),
    ],
)
def test_what_is_not_stated_not_due_or_exactly_reached(
    agreement: Agreement, returned: str, values: list, period: str, measure: str, state: str
) -> None:
    assert assessed(agreement, observed(returned, values), period, measure)["state"] == state


def test_a_past_quarter_equals_one_from_a_folder_cut_off_then(
    report_of: ReportOf, council: Path
) -> None:
    """Today's assessment of a past quarter equals one from the files as they were then."""
    files = [*council.glob("raw/returns/*.csv"), *council.glob("raw/published/*.csv")]
    tables = {path: pd.read_csv(path, dtype=str, keep_default_na=False) for path in files}
    for path in files:
        path.with_name(path.name + ".toml").unlink()
    for year in ("2003-04", "2004-05", "2005-06", "2006-07"):
        report = report_of(f"{year} Q2")
        for path, table in tables.items():
            table[table["received"] <= str(report.cut_off)].to_csv(path, index=False)
        agreement = load_agreement(council)
        then = make_report(agreement, load_observations(agreement)[0], [], report.period)
        columns = [name for name in COLUMNS if name not in ("file", "row")]
        pd.testing.assert_frame_equal(
            report.assessment[columns], then.assessment[columns], check_dtype=False
        )


def test_a_figure_that_could_not_be_used_is_not_called_late(council: Path) -> None:
    lines = ["measure,area,period,value,received"]
    lines += ["N7-treatment,Leicestershire,2004-05 Q3,F&M,2005-02-01"]
    (council / "raw" / "returns" / "more.csv").write_text("\n".join(lines))
    agreement = load_agreement(council)
    observations, findings = load_observations(agreement)
    report = make_report(agreement, observations, findings, parse_period("2004-05 Q3"))
    row = report.rows["N7-treatment"]
    assert not row["late"]
    assert row["missing"].startswith("a figure for 2004-05 Q3 came in and could not be used")
    assert report.rows["N7-gps"]["late"]


def counted_from_april(agreement: Agreement, profile: str) -> Agreement:
    cells = {"baseline": 100.0, "baseline_period": "2002/03", "target": 160.0, "due": "2005/06"}
    cells |= {"basis": "year_to_date", "profile": profile}
    return with_measure(agreement, "L4-incidents", **cells)


def test_part_of_a_year_is_judged_where_its_plan_has_seasons(
    agreement: Agreement, loaded: tuple
) -> None:
    """10, 20, 30 and 40 a quarter in two years, 36 by the second quarter of 2003-04 planned."""
    rows = observed("L4-incidents", [10, 20, 30, 40] * 2 + [10, 20], first_year=2001)
    rows = rows.assign(received=rows["period_end"] + pd.Timedelta(days=30))
    table = pd.concat([loaded[0].head(0), rows])
    report = make_report(counted_from_april(agreement, "seasonal"), table, [], quarter(2003, 2))
    row = report.rows["L4-incidents"]
    assert row[["latest", "planned"]].tolist() == pytest.approx([30, 36])
    assert row["gap"] == pytest.approx(-6)
    assert row["progress"] == pytest.approx(0)  # 30 is what the baseline's year had by then
    assert (row["previous_period"], row["direction"]) == ("2002-03 Q2", "same")
    # What is left is a matter of years: from 100 in March 2003, 20 a year.
    assert row["required"] == pytest.approx(20)
    assert facts(report, "L4-incidents")["A year before"] == "30 incidents"

    # Without seasons March alone is judged.
    report = make_report(counted_from_april(agreement, ""), table, [], quarter(2003, 2))
    assert report.rows["L4-incidents"]["latest_period"] == "2002-03 Q4"


def test_a_plan_with_seasons_that_nothing_shows_says_so(
    agreement: Agreement, loaded: tuple
) -> None:
    rows = observed("L4-incidents", [10, 20, 30, 40, 12], first_year=2002)
    table = pd.concat([loaded[0].head(0), rows.assign(received=pd.Timestamp("2003-07-01"))])
    changed = counted_from_april(agreement, "seasonal")
    row = make_report(changed, table, [], quarter(2003, 1)).rows["L4-incidents"]
    assert pd.isna(row["planned"])
    # A forecast needs no path.
    assert row["reason"].startswith("the chance that the target is met")
    row = make_report(changed, table.tail(4), [], quarter(2003, 1)).rows["L4-incidents"]
    assert row["state"] in ("not stated", "no data")
