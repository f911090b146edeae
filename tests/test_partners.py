"""Partners: what is owed, and templates that read back exactly as they were filled in."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from builders import psa

from psa_analysis.findings import ParameterError
from psa_analysis.pipeline import ROOT, load_observations
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.returns.partners import TEMPLATE_COLUMNS, due
from psa_analysis.returns.partners import write_template as write
from psa_analysis.returns.sources import make_sidecars


def write_template(report: Report, partner: str, path: Path) -> pd.DataFrame:
    frames = (report.agreement, report.known, report.assessment)
    return write(path, partner, *frames, report.period, report.cut_off)


PARTNERS = list(load_agreement(ROOT / "data").settings.partners)


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


def test_the_command_lists_who_owes_what() -> None:
    result = psa("due", "2004-05 Q3")
    assert result.exit_code == 1
    assert "Drug and Alcohol Action Team (drug-action-team)" in result.output
    assert (
        "N7-treatment: Drug users in treatment, 2004-05 Q3; the last to come was" in result.output
    )
    assert "2 returns of 19 missing" in result.output
    assert psa("due", "2004-05 Q2").exit_code == 0


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("period", ["2004-05 Q3", "2005-06 Q1"])
def test_every_template_reads_back_exactly(
    report_of: Callable[[str], Report], council: Path, partner: str, period: str
) -> None:
    report = report_of(period)
    path = council / "raw" / "returns" / f"{partner} return.xlsx"
    rows = write_template(report, partner, path)
    dice = random.Random(f"{partner} {period}")
    book = openpyxl.load_workbook(path)
    sheet = book["Return"]
    columns = {heading: number for number, heading in enumerate(TEMPLATE_COLUMNS, start=1)}
    typed = {}
    for number, row in enumerate(rows.itertuples(), start=6):
        last = float(row[8] or 50)
        # Near the last value, as a real return is; a tenth of one so that decimals are tried.
        value = round(last * dice.uniform(0.97, 1.03), 1)
        flag = dice.choice(["final", "provisional", "estimated"])
        for heading, entry in (("Value", value), ("Flag", flag), ("Note", "as agreed")):
            sheet.cell(number, columns[heading]).value = entry
        typed[row.Measure, row.Area, row.Period] = (value, flag, number)
    book.save(path)

    # Nothing else of the council, so that every observation is the template's.
    for other in (council / "raw" / "returns").iterdir():
        if other != path:
            other.unlink()
    make_sidecars(council, date(2006, 1, 1))
    observations, findings = load_observations(load_agreement(council))
    mine = observations[observations["file"] == f"raw/returns/{path.name}"]
    # Invented parts need not add up to their invented total, and psa check says so.
    doubts = [one for one in findings if path.name in one.file and "the sum of" not in one.expected]
    assert {finding.found for finding in doubts} == {"not stated"}  # the sidecar's own blanks
    read = {
        (row.measure, row.area, row.period): (row.value, row.flag, row.row)
        for row in mine.itertuples()
    }
    assert read == typed
    assert set(mine["note"]) == {"as agreed"}
    assert set(mine["column"]) == {"I"}


def test_a_template_that_comes_back_empty_is_named(report: Report, council: Path) -> None:
    path = council / "raw" / "returns" / "empty.xlsx"
    rows = write_template(report, "police", path)
    result = psa("check", "--data", str(council))
    assert result.exit_code == 0
    asked = [line for line in result.output.splitlines() if "empty.xlsx, sheet Return" in line]
    # Vehicle crime of the county and its seven districts, and two measures more.
    assert len(asked) == len(rows) == 10
    assert all("a figure, [x] if there is none" in line for line in asked)


def test_a_template_has_only_the_partners_own_measures(report: Report, tmp_path: Path) -> None:
    rows = write_template(report, "police", tmp_path / "police.xlsx")
    assert rows["Measure"].tolist() == [*["N13"] * 8, "L4-incidents", "L4-repeat"]
    assert rows["Area"].tolist()[:2] == ["Leicestershire", "Blaby"]
    assert rows["Last value"].tolist()[0] == "2222"
    book = openpyxl.load_workbook(tmp_path / "police.xlsx")
    kinds = {rule.type for rule in book["Return"].data_validations.dataValidation}
    assert kinds == {"decimal", "list"}


def test_the_command_writes_the_workbook(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    result = psa("template", "police", "2004-05 Q3", "--output", str(path))
    assert result.exit_code == 0
    assert "10 figures to fill in" in result.output
    assert isinstance(pd.read_excel(path, engine="openpyxl", header=4), pd.DataFrame)
    wrong = psa("template", "polcie", "2004-05 Q3")
    assert wrong.exit_code == 2
    assert "Did you mean 'police'?" in wrong.output


def test_nothing_due_is_said(report_of: Callable[[str], Report], tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="nothing is due from"):
        write_template(report_of("2002-03 Q1"), "police", tmp_path / "x.xlsx")
