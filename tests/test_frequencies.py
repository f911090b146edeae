"""Frequencies: measures of months and of terms, from the returned file to the assessment."""

import re
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from builders import make_sidecars, workbook

from psa_analysis.findings import DataError
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.returns.partners import write_template

SETTINGS = """
agreement = {name = "P", council = "C", area = "C", first_year = "2023/24", last_year = "2025/26"}
partners = {visits = "Libraries", schools = "Schools"}
themes = {people = "People"}
"""
TARGETS = "reference,theme,outcome\nM1,people,More visits\nT1,people,Fewer exclusions\n"
MEASURES = """\
measure,reference,title,unit,polarity,basis,frequency,baseline,baseline_period,target,due,partner
M1,M1,Visits,visits,higher,rolling_12m,monthly,1200,2022/23,2100,2025/26,visits
M1-month,M1,In a month,visits,higher,point,monthly,100,March 2023,150,March 2026,
M1-year,M1,So far,visits,higher,year_to_date,monthly,1200,2022/23,2100,2025/26,
M1-museum,M1,Museum,visits,higher,point,calendar_year,300,2022,400,2025,visits
M1-life,M1,Life,years,higher,point,several_years,78,2017-19,81,2023-25,
T1,T1,Exclusions,exclusions,lower,annual,termly,90,2021/22,60,2025/26,schools
T1-share,T1,Present,percent,higher,rolling_12m,termly,90,2021/22,95,2025/26,
T1-term,T1,In a term,exclusions,lower,point,termly,30,spring term 2022,20,summer 2026,
"""
#: Of each month from April 2020 on, and of each term from autumn 2019 on.
MONTHS, TERMS = [100 + n for n in range(51)], [30 - n for n in range(14)]
OF_MONTHS, OF_TERMS = ["M1", "M1-month", "M1-year"], ["T1", "T1-share", "T1-term"]


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of today, with months across a workbook and a term in each row of a text."""
    raw = tmp_path_factory.mktemp("plan") / "raw"
    for folder in ("register", "returns"):
        (raw / folder).mkdir(parents=True)
    days = pd.date_range("2020-04-01", periods=len(MONTHS), freq="MS").to_pydatetime()
    rows = [["Measure", "Area", *((day, "mmm-yy") for day in days)]]
    rows += [[name, "C", *MONTHS] for name in OF_MONTHS]
    (raw / "returns" / "visits.xlsx").write_bytes(workbook(visits=rows))
    lines = ["measure,area,term,value,numerator,denominator"]
    for number, value in enumerate(TERMS):
        name, year = ["Autumn", "Spring", "Summer"][number % 3], 2019 + (number + 2) // 3
        lines += [f"{measure},C,{name} term {year},{value},," for measure in ("T1", "T1-term")]
        lines += [f"T1-share,C,{name} {year},{90 + number % 3},{900 + 10 * (number % 3)},1000"]
    for path, text in {
        "agreement.toml": SETTINGS,
        "register/targets.csv": TARGETS,
        "register/measures.csv": MEASURES,
        "returns/museum.csv": "Measure,Area,2022 visitors,2023 visitors\nM1-museum,C,310,330\n",
        "returns/life.csv": "Measure,Area,2019-21,2020-22,2021-23\nM1-life,C,78.5,79,79.8\n",
        "returns/schools.csv": "\n".join(lines),
    }.items():
        (raw / path).write_text(text)
    make_sidecars(raw.parent, date(2024, 7, 20))
    return raw.parent


@pytest.fixture(scope="module")
def report(council: Path) -> Report:
    agreement = load_agreement(council)
    observations, findings = load_observations(agreement)
    assert [finding for finding in findings if finding.severity == "error"] == []
    return make_report(agreement, observations, findings, parse_period("2024-25 Q1"))


def test_months_and_terms_are_read_and_assessed(report: Report) -> None:
    """From the files to the assessment, with sums that are worked out by hand."""
    readings = report.readings.set_index(["measure", "period"])["reading"]
    assert readings["M1", "June 2024"] == sum(MONTHS[-12:])
    assert readings["M1-year", "June 2024"] == sum(MONTHS[-3:])
    assert readings["T1", "summer term 2023"] == sum(TERMS[9:12])
    assert pd.isna(readings["T1", "spring term 2024"])
    assert readings["T1-share", "spring term 2024"] == pytest.approx(91)
    assert [readings["M1-museum", year] for year in ("2022", "2023")] == [310, 330]
    rows = report.assessment.set_index("measure")
    latest = ["June 2024", "June 2024", "March 2024", "summer term 2023"]
    latest += ["spring term 2024", "spring term 2024"]
    assert rows.loc[OF_MONTHS + OF_TERMS, "latest_period"].tolist() == latest
    assert {*rows.loc[OF_MONTHS, "expected_period"]} == {"June 2024"}
    assert {*rows.loc[OF_TERMS, "expected_period"]} == {"spring term 2024"}
    assert not rows["late"].any()
    # Means of three years stand at the end of the last: four years of six have passed.
    assert rows.at["M1-life", "expected_period"] == rows.at["M1-life", "latest_period"] == "2021-23"
    assert rows.at["M1-life", "planned"] == 80
    assert (
        report.outlooks["M1-life"].reason
        == "figures of several years overlap, and are not forecast"
    )
    assert rows.at["M1-month", "year_before"] == MONTHS[-13]
    assert rows.at["T1-term", "year_before"] == TERMS[-4]
    assert rows.at["M1", "required"] == pytest.approx((2100 - sum(MONTHS[-12:])) / 21)


def test_what_can_be_forecast_of_months_and_terms(report: Report) -> None:
    """Whole quarters and school years are; a month or a term by itself is said not to be."""
    outlooks = report.outlooks
    due = {name: outlook.due for name, outlook in outlooks.items() if not outlook.reason}
    last = {"M1": "2025-26 Q4", "M1-year": "2025-26 Q4", "T1": "2025/26", "T1-share": "2025/26"}
    assert {name: row["period"] for name, row in due.items()} == last
    # Seventeen quarters of steadily more visits, and four school years of fewer exclusions.
    assert (outlooks["M1"].readings, outlooks["T1"].readings) == (17, 4)
    assert sum(MONTHS[-12:]) < due["M1"]["median"] < 2100
    assert due["T1"]["median"] < sum(TERMS[9:12])
    why = "the figure of a school term decides, and only quarters and years are forecast"
    assert outlooks["T1-term"].reason == why


def test_a_partner_is_asked_for_each_month_of_the_quarter(report: Report, tmp_path: Path) -> None:
    frames = report.agreement, report.known, report.assessment
    rows = write_template(tmp_path / "x", "visits", *frames, report.period, report.cut_off)
    asked = [("M1", f"{month} 2024") for month in ("April", "May", "June")]
    assert [*zip(rows["Measure"], rows["Period"], strict=True)] == [*asked, ("M1-museum", "2023")]


@pytest.mark.parametrize(
    ("period", "changed", "words"),
    [
        ("2023-25", "2022-25", "as many years as each figure and the baseline have"),
        ("2025/26", "2005-06", "April 2004, or a year as 2004/05: this may be either"),
        ("2025/26", "2025-26 Q4", "a month or a financial year, as its frequency says"),
    ],
)
def test_a_due_period_of_another_kind_is_refused(
    council: Path, tmp_path: Path, period: str, changed: str, words: str
) -> None:
    data = shutil.copytree(council, tmp_path / "plan")
    measures = MEASURES.replace(period, changed)
    (data / "raw" / "register" / "measures.csv").write_text(measures)
    with pytest.raises(DataError, match=re.escape(words)):
        load_agreement(data)
