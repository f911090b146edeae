"""Data quality: whose a finding is, what was revised, what came in and what is asked about."""

import pandas as pd
import pytest
from builders import psa, returned

from psa_analysis.findings import Finding
from psa_analysis.register.agreement import Agreement
from psa_analysis.returns.cleaning import clean_returns
from psa_analysis.returns.partners import findings_by_partner
from psa_analysis.returns.series import check_series


def test_each_finding_goes_to_its_partner(agreement: Agreement) -> None:
    findings = [
        Finding("error", "raw/register/links.csv", "x", "y"),
        Finding("error", "raw/returns/youth_offending_2005.csv", "x", "y"),
        Finding("warning", "raw/returns/any.csv", "x", "y", measure="N13"),
        Finding("error", "raw/returns/police.csv", "x", "y", row=3),
    ]
    table = findings_by_partner(findings, agreement)
    assert table["partner"].tolist() == ["police", "police", "youth-offending", ""]
    assert table["row"].tolist() == [pd.NA, 3, pd.NA, pd.NA]


def test_check_groups_what_it_prints(council) -> None:
    path = council / "raw" / "returns" / "new.csv"
    path.write_text("measure,area,period,value\nN13,Leicestershire,2004-05 Q3,F&M\n")
    output = psa("check", "--data", str(council)).output
    asked = output.split("To ask Leicestershire Constabulary:")[1].splitlines()[1]
    assert "raw/returns/new.csv, row 2, column value: found 'F&M'" in asked
    saved = pd.read_csv(council / "processed" / "findings.csv")
    assert saved["partner"].fillna("").tolist() == ["police", "", ""]


def found_in_series(agreement: Agreement, *rows: str) -> list[str]:
    observations, _ = clean_returns(returned(*rows), agreement)
    return [str(finding) for finding in check_series(observations, agreement)]


def rows_of(measure: str, period: str, values: dict[str, int]) -> list[str]:
    return [f"{measure},{area},{period},{value},2005-01-30" for area, value in values.items()]


@pytest.mark.parametrize(("total", "asked"), [(70, False), (71, True)])
def test_parts_are_compared_with_their_total(agreement: Agreement, total: int, asked: bool) -> None:
    counts = {"N26-county": 60, "N26-trunk": 10, "N26-all": total}
    rows = [f"{name},Leicestershire,2004-05 Q3,{n},2005-01-30" for name, n in counts.items()]
    findings = found_in_series(agreement, *rows)
    assert ["the sum of N26-county, N26-trunk, 70" in text for text in findings] == [True] * asked


@pytest.mark.parametrize(("total", "asked"), [(28, False), (82, True)])
def test_districts_are_compared_with_the_county(
    agreement: Agreement, total: int, asked: bool
) -> None:
    districts = agreement.areas.loc[agreement.areas["kind"] == "district", "area"]
    values = {name: n for n, name in enumerate(districts, 1)} | {"Leicestershire": total}
    findings = found_in_series(agreement, *rows_of("N7-treatment", "2004-05 Q3", values))
    assert ["the 7 parts of Leicestershire, 28" in text for text in findings] == [True] * asked


def test_areas_that_fall_away_are_named(agreement: Agreement) -> None:
    areas = dict.fromkeys(["Blaby", "Melton", "Charnwood"], 9)
    rows = rows_of("N7-treatment", "2004-05 Q2", areas)
    rows += rows_of("N7-treatment", "2004-05 Q3", {"Blaby": 9, "Melton": 9})
    [finding] = found_in_series(agreement, *rows)
    assert "a figure for Charnwood too" in finding


@pytest.mark.parametrize(
    ("measure", "values", "found"),
    [
        # One far from its neighbours; and the newest, beside the year before.
        ("N6-eet", [10, 11, 10, 12, 11, 60, 12, 13, 12], "60"),
        ("N6-absence", [5, 5.5, 5, 6, 5.5, 6, 6, 6.5, 65], "65"),
    ],
)
def test_a_figure_unlike_the_others_is_asked_about(
    agreement: Agreement, measure: str, values: list[float], found: str
) -> None:
    rows = [
        f"{measure},Leicestershire,{1990 + n}/{91 + n},{value},2004-01-30"
        for n, value in enumerate(values)
    ]
    [finding] = found_in_series(agreement, *rows)
    assert f"found '{found}'" in finding


def test_small_numbers_are_marked(agreement: Agreement) -> None:
    observations, _ = clean_returns(
        returned(
            "N7-gps,Leicestershire,2004-05 Q1,4,2005-01-30",
            "N7-gps,Leicestershire,2004-05 Q2,5,2005-01-30",
            "N7-gps,Leicestershire,2004-05 Q3,0,2005-01-30",
            "L5,Leicestershire,2004-05 Q1,40,2005-01-30,4,10",
            "L5,Leicestershire,2004-05 Q2,50,2005-01-30,5,10",
            "L5,Leicestershire,2004-05 Q3,<5,2005-01-30",
        ),
        agreement,
    )
    small = observations.loc[observations["small"], ["measure", "period"]]
    assert small.to_numpy().tolist() == [
        ["L5", "2004-05 Q1"],
        ["L5", "2004-05 Q3"],
        ["N7-gps", "2004-05 Q1"],
    ]
