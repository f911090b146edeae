"""Partners: what is owed, and templates that read back exactly as they were filled in."""

import random
from dataclasses import replace
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from builders import Edit, ReportOf, make_sidecars, psa

from psa_analysis.findings import ParameterError
from psa_analysis.pipeline import ROOT, load_observations
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.returns.partners import TEMPLATE_COLUMNS, due, write_template

PARTNERS = list(load_agreement(ROOT / "data").settings.partners)


def template(report: Report, partner: str, path: Path) -> pd.DataFrame:
    frames = (report.agreement, report.known, report.assessment)
    return write_template(path, partner, *frames, report.period, report.cut_off)


def test_what_is_owed_is_what_had_not_come(report: Report) -> None:
    table = due(report.agreement, report.known, report.assessment)
    missing = table[~table["returned"]]
    # The team's return for the third quarter came two months after the cut-off; the numbers of
    # N6-ratio, L3 and the like were never measured and have no target, so nobody owes them.
    assert missing["measure"].tolist() == ["N7-treatment", "N7-gps"]
    assert set(missing["partner"]) == {"drug-action-team"}
    assert set(missing["period"]) == {"2004-05 Q3"}
    assert set(missing["last_period"]) == {"2004-05 Q2"}
    assert table.set_index("measure").at["N2", "period"] == "2003/04"


@pytest.mark.parametrize("period", ["2003-04 Q4", "2004-05 Q3", "2005-06 Q1"])
def test_what_is_late_is_the_same_everywhere_with_a_partner_or_without(
    report_of: ReportOf, period: str
) -> None:
    report = report_of(period)
    measures = report.agreement.measures.copy()
    measures.loc[["N7-gps", "N13"], "partner"] = ""
    agreement = replace(report.agreement, measures=measures)
    table = due(agreement, report.known, report.assessment)
    late = report.assessment.set_index("measure")["late"]
    assert {*table.loc[~table["returned"], "measure"]} == {*late[late].index}
    assert table.set_index("measure").at["N13", "partner"] == ""


def test_the_command_lists_who_owes_what() -> None:
    result = psa("due", "2004-05 Q3")
    assert result.exit_code == 1
    assert "Drug and Alcohol Action Team (drug-action-team)" in result.output
    assert "in treatment, 2004-05 Q3; the last to come was" in result.output
    assert "2 returns of 19 missing" in result.output
    assert psa("due", "2004-05 Q2").exit_code == 0


@pytest.mark.parametrize("period", ["2004-05 Q3", "2005-06 Q1"])
def test_every_template_reads_back_exactly(report_of: ReportOf, council: Path, period: str) -> None:
    returns = council / "raw" / "returns"
    # Nothing else of the council, so that every observation is a template's.
    for other in returns.iterdir():
        other.unlink()
    dice = random.Random(period)
    typed = {}
    for partner in PARTNERS:
        path = returns / f"{partner} return.xlsx"
        rows = template(report_of(period), partner, path)
        book = openpyxl.load_workbook(path)
        columns = {heading: number for number, heading in enumerate(TEMPLATE_COLUMNS, start=1)}
        for number, row in enumerate(rows.itertuples(), start=6):
            # Near the last value, as a real return is; a tenth so that decimals are tried.
            value = round(float(row[8] or 50) * dice.uniform(0.97, 1.03), 1)
            flag = dice.choice(["final", "provisional", "estimated"])
            for heading, entry in (("Value", value), ("Flag", flag), ("Note", "as agreed")):
                book["Return"].cell(number, columns[heading]).value = entry
            typed[row.Measure, row.Area, row.Period] = (value, flag, number)
        book.save(path)
    make_sidecars(council, date(2006, 1, 1))
    observations, findings = load_observations(load_agreement(council))
    # Invented parts need not add up to their invented total, and psa check says so.
    doubts = {str(finding) for finding in findings if ".xlsx" in finding.file}
    doubts -= {text for text in doubts if "the sum of" in text or "found 'not stated'" in text}
    assert doubts == set()
    loaded = {
        (row.measure, row.area, row.period): (row.value, row.flag, row.row)
        for row in observations[observations["file"].str.endswith(".xlsx")].itertuples()
    }
    assert loaded == typed


def test_a_template_that_comes_back_empty_is_named(report: Report, council: Path) -> None:
    rows = template(report, "police", council / "raw" / "returns" / "empty.xlsx")
    result = psa("check", "--data", str(council))
    assert result.exit_code == 0
    asked = [line for line in result.output.splitlines() if "empty.xlsx, sheet Return" in line]
    # Vehicle crime of the county and its seven districts, and two measures more.
    assert (len(asked), len(rows)) == (3, 10)
    assert "row 6 and 7 more (7, 8, …)" in asked[0]
    assert all("a figure, [x] if there is none" in line for line in asked)


def test_a_template_has_only_the_partners_own_measures(report: Report, tmp_path: Path) -> None:
    rows = template(report, "police", tmp_path / "police.xlsx")
    assert rows["Measure"].tolist() == [*["N13"] * 8, "L4-incidents", "L4-repeat"]
    assert rows["Area"].tolist()[:2] == ["Leicestershire", "Blaby"]
    assert rows["Last value"].tolist()[0] == "2309"
    book = openpyxl.load_workbook(tmp_path / "police.xlsx")
    kinds = {rule.type for rule in book["Return"].data_validations.dataValidation}
    assert kinds == {"decimal", "list"}


def test_the_command_writes_the_workbook(tmp_path: Path) -> None:
    result = psa("template", "police", "2004-05 Q3", "--output", str(tmp_path / "x.xlsx"))
    assert result.exit_code == 0
    assert "10 figures to fill in" in result.output
    assert len(pd.read_excel(tmp_path / "x.xlsx", engine="openpyxl", header=4)) == 10
    wrong = psa("template", "polcie", "2004-05 Q3")
    assert (wrong.exit_code, "Did you mean 'police'?" in wrong.output) == (2, True)


def test_control_characters_of_a_title_reach_neither_workbook_nor_terminal(
    council: Path, edit: Edit, tmp_path: Path
) -> None:
    edit("register/measures.csv", "N7-gps", "title", "Doctors\x0b\x1b[2J\n0 returns missing")
    arguments = ("drug-action-team", "2004-05 Q3", "--data", str(council))
    psa("template", *arguments, "--output", str(tmp_path / "x.xlsx"))
    rows = pd.read_excel(tmp_path / "x.xlsx", engine="openpyxl", header=4)
    assert "Doctors␋␛[2J\n0 returns missing" in rows["What is measured"].tolist()
    assert "N7-gps: Doctors␋␛[2J␊0 returns missing, " in psa("due", *arguments[1:]).output


def test_nothing_due_is_said(report_of: ReportOf, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="nothing is due from"):
        template(report_of("2002-03 Q1"), "police", tmp_path / "x.xlsx")
