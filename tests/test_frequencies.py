"""Frequencies: measures of months and of terms, from the returned file to the assessment."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from builders import make_sidecars

from psa_analysis.periods import parse_period
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report

SETTINGS = """
[agreement]
name = "Council plan"
council = "Example County Council"
area = "Example"
first_year = "2023/24"
last_year = "2025/26"
[themes]
people = "People"
"""
TARGETS = "reference,theme,outcome\nM1,people,More visits\nT1,people,Fewer exclusions\n"
MEASURES = """\
measure,reference,title,unit,made_of,polarity,basis,frequency,baseline,baseline_period,target,due
M1,M1,Visits in twelve months,visits,cases,higher,rolling_12m,monthly,1200,2022/23,2100,2025/26
M1-month,M1,Visits in a month,visits,cases,higher,point,monthly,100,March 2023,150,March 2026
M1-year,M1,Visits this year,visits,cases,higher,year_to_date,monthly,1200,2022/23,2100,2025/26
T1,T1,Exclusions in a school year,exclusions,cases,lower,annual,termly,90,2021/22,60,2025/26
T1-share,T1,Pupils present,percent,cases,higher,rolling_12m,termly,90,2021/22,95,2025/26
T1-term,T1,Exclusions a term,exclusions,cases,lower,point,termly,30,spring term 2022,20,summer 2026
"""
#: Of each month from April 2020 on, and of each term from autumn 2019 on.
MONTHS = [100 + n for n in range(51)]
TERMS = [30 - n for n in range(14)]


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of today, with months across a workbook and a term in each row of a text."""
    data = tmp_path_factory.mktemp("plan")
    for folder in ("register", "returns"):
        (data / "raw" / folder).mkdir(parents=True)
    (data / "raw" / "agreement.toml").write_text(SETTINGS)
    (data / "raw" / "register" / "targets.csv").write_text(TARGETS)
    (data / "raw" / "register" / "measures.csv").write_text(MEASURES)
    book = openpyxl.Workbook()
    months = pd.date_range("2020-04-01", periods=len(MONTHS), freq="MS").to_pydatetime()
    for row, cells in enumerate(
        [["Measure", "Area", *months], *([m, "Example", *MONTHS] for m in MONTHLY)], start=1
    ):
        for column, cell in enumerate(cells, start=1):
            book.active.cell(row, column, cell).number_format = "mmm-yy" if row == 1 else "0"
    book.save(data / "raw" / "returns" / "visits.xlsx")
    lines = ["measure,area,term,value,numerator,denominator"]
    for number, value in enumerate(TERMS):
        name = ["Autumn", "Spring", "Summer"][number % 3]
        term = f"{name} term {2019 + (number + 2) // 3}"
        lines += [f"{measure},Example,{term},{value},," for measure in ("T1", "T1-term")]
        lines += [f"T1-share,Example,{term},{90 + number % 3},{900 + 10 * (number % 3)},1000"]
    (data / "raw" / "returns" / "schools.csv").write_text("\n".join(lines))
    make_sidecars(data, date(2024, 7, 20))
    return data


MONTHLY = ("M1", "M1-month", "M1-year")


def report(council: Path, period: str) -> Report:
    agreement = load_agreement(council)
    observations, findings = load_observations(agreement)
    assert [finding for finding in findings if finding.severity == "error"] == []
    return make_report(agreement, observations, findings, parse_period(period, "quarter"))


def test_months_and_terms_are_read_and_assessed(council: Path) -> None:
    """From the files to the assessment, with sums that are worked out by hand."""
    made = report(council, "2024-25 Q1")
    readings = made.readings.set_index(["measure", "period"])["reading"]
    # Twelve months up to June 2024, and the first three of the year.
    assert readings["M1", "June 2024"] == sum(MONTHS[-12:])
    assert readings["M1-year", "June 2024"] == sum(MONTHS[-3:])
    assert readings["M1-month", "May 2024"] == MONTHS[-2]
    assert readings["T1", "summer term 2023"] == sum(TERMS[9:12])
    assert pd.isna(readings["T1", "spring term 2024"])
    assert readings["T1-share", "spring term 2024"] == pytest.approx(91)
    rows = made.assessment.set_index("measure")
    # A term is due with the report of the quarter after it; the summer term is not over.
    latest = {"M1": "June 2024", "M1-month": "June 2024", "M1-year": "March 2024"}
    latest |= {"T1": "summer term 2023", "T1-share": "spring term 2024"}
    latest |= {"T1-term": "spring term 2024"}
    assert rows["latest_period"].to_dict() == latest
    assert rows["expected_period"].to_dict() == dict.fromkeys(MONTHLY, "June 2024") | dict.fromkeys(
        ("T1", "T1-share", "T1-term"), "spring term 2024"
    )
    assert not rows["late"].any()
    assert rows.at["M1-month", "year_before"] == MONTHS[-13]
    assert rows.at["T1-term", "year_before"] == TERMS[-4]
    assert rows.at["M1", "required"] == pytest.approx((2100 - sum(MONTHS[-12:])) / 21)


def test_what_can_be_forecast_of_months_and_terms(council: Path) -> None:
    """Whole quarters and school years are; a month or a term by itself is said not to be."""
    outlooks = report(council, "2024-25 Q1").outlooks
    due = {name: outlook.due for name, outlook in outlooks.items() if not outlook.reason}
    assert {name: row["period"] for name, row in due.items()} == {
        **{"M1": "2025-26 Q4", "M1-year": "2025-26 Q4"},
        **{"T1": "2025/26", "T1-share": "2025/26"},
    }
    # Seventeen quarters of steadily more visits, and four school years of fewer exclusions.
    assert (outlooks["M1"].readings, outlooks["T1"].readings) == (17, 4)
    assert outlooks["M1"].periods[0].label == "2024-25 Q2"
    assert sum(MONTHS[-12:]) < due["M1"]["median"] < 2100
    assert due["T1"]["median"] < sum(TERMS[9:12])
    assert outlooks["M1-month"].reason == (
        "the figure of a month decides, and only quarters and years are forecast"
    )
    assert outlooks["T1-term"].reason == (
        "the figure of a school term decides, and only quarters and years are forecast"
    )
