"""Data quality: findings find their partner, revisions and their effect, what came and did not."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from builders import psa, returned

import psa_analysis as library
from psa_analysis.analysis.revisions import (
    definition_breaks,
    findings_by_partner,
    returns_received,
    revisions,
)
from psa_analysis.findings import Finding
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import clean_returns
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


def test_revisions_are_those_between_two_cut_offs(report_of: Callable[[str], Report]) -> None:
    table = revisions(report_of("2004-05 Q3"))
    # The police revise a quarter in the next; examination results become final in January.
    assert set(table["period"]) <= {"2004-05 Q2", "2003/04"}
    assert set(table["measure"]) <= {"N13", "L4-incidents", "N2", "L1-english", "L1-maths", "L2"}
    police = table[table["period"] == "2004-05 Q2"]
    assert set(police["measure"]) == {"N13", "L4-incidents"}
    assert (police["now"] > police["before"]).all()  # first figures are a little low
    incidents = police.set_index("measure").loc["L4-incidents"]
    change = incidents["now"] - incidents["before"]
    assert incidents["reading_now"] - incidents["reading_before"] == change


def test_what_came_in_by_the_cut_off(report_of: Callable[[str], Report]) -> None:
    table = returns_received(report_of("2004-05 Q3")).set_index("file")
    assert table.at["raw/returns/police.csv", "newest"] == "2004-05 Q3"
    assert table.at["raw/returns/drug_action_team.csv", "newest"] == "2004-05 Q2"
    assert (table["received"] <= "2005-02-14").all()
    assert "raw/published/key_stages.csv" not in table.index


def test_the_tables_of_the_page(report: Report) -> None:
    assert "Drug and Alcohol Action Team" in library.late_table(report).text
    assert library.corrections_table(report).text == "Corrections applied: none."
    assert "recycling.csv, row 100, column value" in library.findings_table(report).text
    assert "Commons Hansard" in library.data_log(report).text
    assert "N13\t2004-05 Q2" in library.revisions_table(report).text
    assert library.breaks_table(report).text == "Changes of definition: none."


def test_changes_of_definition_say_how_they_are_joined(report_of: Callable[[str], Report]) -> None:
    """England's two definitions overlap for two years; Leeds has no year of both."""
    table = definition_breaks(report_of("2009-10 Q4")).set_index(["measure", "area"])
    england = table.loc[("N2-without-ks4", "England")]
    assert england["continues"] == "N2-without-age15"
    assert "moved by -0.55, the mean difference of the two in 2004/05, 2005/06" in england["method"]
    apart = table.loc[("N2-ks4", "Leeds"), "method"]
    assert apart.startswith("The two definitions have no period in common")


def series(agreement: Agreement, *rows: str) -> list[Finding]:
    observations, _ = clean_returns(returned(*rows), agreement)
    return check_series(observations, agreement)


@pytest.mark.parametrize(("whole", "asked"), [(70, False), (71, True)])
def test_parts_are_compared_with_their_total(agreement: Agreement, whole: int, asked: bool) -> None:
    found = series(
        agreement,
        "N26-county,Leicestershire,2004-05 Q3,60,2005-01-30",
        "N26-trunk,Leicestershire,2004-05 Q3,10,2005-01-30",
        f"N26-all,Leicestershire,2004-05 Q3,{whole},2005-01-30",
    )
    assert ["the sum of N26-county, N26-trunk, 70" in str(one) for one in found] == [True] * asked


@pytest.mark.parametrize(("whole", "asked"), [(28, False), (82, True)])
def test_districts_are_compared_with_the_county(
    agreement: Agreement, whole: int, asked: bool
) -> None:
    districts = agreement.areas.loc[agreement.areas["kind"] == "district", "area"]
    rows = [f"N7-treatment,{name},2004-05 Q3,{n},2005-01-30" for n, name in enumerate(districts, 1)]
    county = f"N7-treatment,Leicestershire,2004-05 Q3,{whole},2005-01-30"
    found = series(agreement, *rows, county)
    assert ["the 7 parts of Leicestershire, 28" in str(one) for one in found] == [True] * asked


def test_areas_that_fall_away_are_named(agreement: Agreement) -> None:
    areas = ["Blaby", "Melton", "Charnwood"]
    rows = [f"N7-treatment,{area},2004-05 Q2,9,2005-01-30" for area in areas]
    rows += [f"N7-treatment,{area},2004-05 Q3,9,2005-01-30" for area in areas[:2]]
    found = series(agreement, *rows)
    assert ["a figure for Charnwood too" in str(one) for one in found] == [True]


def test_a_figure_far_from_its_neighbours_is_asked_about(agreement: Agreement) -> None:
    values = [10, 11, 10, 12, 11, 60, 12, 13, 12]
    rows = [
        f"N6-eet,Leicestershire,{1990 + n}/{91 + n},{v},2004-01-30" for n, v in enumerate(values)
    ]
    found = series(agreement, *rows)
    assert [one.found for one in found] == ["60"]
    assert "is usual" in found[0].expected


def test_the_newest_figure_is_compared_with_the_year_before(agreement: Agreement) -> None:
    values = [10, 11, 10, 12, 11, 12, 12, 13, 130]
    rows = [
        f"N6-absence,Leicestershire,{1990 + n}/{91 + n},{v / 2},2004-01-30"
        for n, v in enumerate(values)
    ]
    assert [one.found for one in series(agreement, *rows)] == ["65"]


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
    marked = observations[observations["small"]]
    assert list(zip(marked["measure"], marked["period"], strict=True)) == [
        ("L5", "2004-05 Q1"),
        ("L5", "2004-05 Q3"),
        ("N7-gps", "2004-05 Q1"),
    ]
