"""Returns: clean observations, or a finding that says what to ask the partner."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from builders import psa, returned

from psa_analysis.analysis.readings import make_readings
from psa_analysis.findings import errors
from psa_analysis.pipeline import ROOT, load_observations
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement
from psa_analysis.returns.cleaning import as_of, clean_returns

HEADER = "measure,area,period,value,received,numerator,denominator,flag,illustrative"


def test_the_shipped_data_is_sound() -> None:
    result = psa("check")
    assert result.exit_code == 0, result.output
    assert "0 errors, 1 warning" in result.output
    # The source's own outlier of 1999, which its note tells of.
    assert "recycling.csv, row 100, column value: found '21.69'" in result.output


def test_every_row_of_the_shipped_files_became_an_observation(loaded: tuple) -> None:
    observations, _ = loaded
    files = (ROOT / "data" / "raw").glob("[rp][eu][tb]*/*.csv")  # returns and published
    assert len(observations) == sum(len(path.read_text().splitlines()) - 1 for path in files)
    illustrative = observations["file"].str.startswith("raw/returns/")
    assert observations["illustrative"].equals(illustrative.rename("illustrative"))


def test_the_illustrative_returns_are_what_the_script_makes(tmp_path: Path) -> None:
    script = ROOT / "data" / "make_illustrative_returns.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    subprocess.run([sys.executable, script, "--check"], check=True)
    raw = ROOT / "data" / "raw"
    for path in [raw / "progress.csv", *(raw / "returns").glob("*.csv")]:
        assert (tmp_path / path.relative_to(raw)).read_text() == path.read_text(), path.name


def test_illustrative_returns_start_at_the_registers_baselines(
    agreement: Agreement, loaded: tuple
) -> None:
    table = make_readings(as_of(loaded[0], date(2007, 1, 1)), agreement)
    found = table.set_index(["measure", "area", "period"])["reading"]
    own = agreement.settings.agreement.area
    period = {"quarterly": "2002-03 Q4", "exam_year": "2001/02", "annual": "2002/03"}
    names = ["N2", "N10", "N13", "N6-eet", "N6-absence", "N7-treatment"]
    names += ["L1-english", "L1-maths", "L2", "L4-incidents", "L4-repeat", "L7"]
    for measure, row in agreement.measures.loc[names].iterrows():
        reading = found[measure, own, period[row["frequency"]]]
        assert reading == pytest.approx(row["baseline"], rel=1e-3), measure


# Each is one row of a return, and what the finding must name: column and words.
BROKEN = [
    ("N22,Leicestershire,2004/05,55,2005-10-15", "measure", "Did you mean 'N2'?"),
    ("N2,Leicestershir,2004/05,55,2005-10-15", "area", "Did you mean 'Leicestershire'?"),
    ("N2,Leicestershire,2004-05 Q3,55,2005-10-15", "period", "an exam year"),
    ("N13,Leicestershire,2004/05,900,2005-10-15", "period", "a quarter"),
    ("N2,Leicestershire,last summer,55,2005-10-15", "period", "a period such as"),
    ("N2,Leicestershire,2004/05,nan,2005-10-15", "value", "figure"),
    ("N2,Leicestershire,2004/05,5_5,2005-10-15", "value", "figure"),
    ("N2,Leicestershire,2004/05,155,2005-10-15", "value", "0 to 100"),
    ("N2,Leicestershire,2004/05,55,05/10/2005", "received", "the day it came in"),
    ("N2,Leicestershire,2004/05,55,2005-02-30", "received", "the day it came in"),
    ("N2,Leicestershire,2004/05,55,2004-10-15", "received", "a day after 2005-06-30"),
    ("N2,Leicestershire,2004/05,55,2005-10-15,,,finall", "flag", "Did you mean 'final'?"),
    ("N2,Leicestershire,2004/05,55,2005-10-15,,,,maybe", "illustrative", "one of yes, no"),
    ("N2,Leicestershire,2004/05,55,2005-10-15,60,100", "value", "numerator over denominator"),
    ("N2,Leicestershire,2004/05,55,2005-10-15,55,", "numerator", "found '55', expected numerator"),
    ("N2,Leicestershire,2004/05,55,2005-10-15,55,0", "denominator", "found '0', expected more"),
    ("N2,Leicestershire,2004/05,100,2005-10-15,110,100", "numerator", "no more than"),
    ("N13,Leicestershire,2004-05 Q3,-9,2005-10-15", "value", "0 or more"),
    ("N13,Leicestershire,2004-05 Q3,９,2005-10-15", "value", "figure"),
    ("N13,Leicestershire,2004-05 Q3,9,2105-10-15", "received", "a day that has been"),
    ("N13,Leicestershire,2004-05 Q3,9,2005-10-15,,,suppressed", "value", "is suppressed"),
    (f"N13,Leicestershire,2004-05 Q3,{'9' * 400},2005-10-15", "value", "figure"),
    (
        "N13-rate,Derbyshire police force area,2004/05,4,2005-10-15,4,1000000",
        "value",
        "numerator over denominator",
    ),
]
GOOD = "L2,Leicestershire,2006/07,87,2007-10-15"


@pytest.mark.parametrize(("row", "column", "words"), BROKEN)
def test_a_broken_row_is_named_and_the_rest_goes_on(
    agreement: Agreement, row: str, column: str, words: str
) -> None:
    observations, findings = clean_returns(returned(GOOD, row), agreement)
    assert observations["row"].tolist() == [2]
    assert {finding.row for finding in findings} == {3}
    assert str(findings[0]).startswith(f"error: raw/returns/test.csv, row 3, column {column}: ")
    assert words in str(findings[0])


def test_check_saves_what_it_could_read_and_names_the_rest(council: Path) -> None:
    new = council / "raw" / "returns" / "new.csv"
    new.write_text(f"{HEADER}\n{GOOD},,,,\n{BROKEN[0][0]},,,,\n")
    (council / "raw" / "returns").joinpath("more").mkdir()
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    assert "received today: raw/returns/new.csv; its sidecar is raw/returns/new.csv.toml" in (
        result.output
    )
    assert "warning: raw/returns/new.csv.toml, column title, producer, licence" in result.output
    assert "error: raw/returns/new.csv, row 3, column measure: " in result.output
    assert "error: raw/returns/more: expected a file" in result.output
    saved = pd.read_parquet(council / "processed" / "observations.parquet")
    assert saved.loc[saved["file"] == "raw/returns/new.csv", "row"].tolist() == [2]
    findings = pd.read_csv(council / "processed" / "findings.csv")
    assert findings.loc[findings["severity"] == "error", "row"].dropna().tolist() == [3]
    assert "received today" not in psa("check", "--data", str(council)).output


def test_a_file_that_cannot_be_read_does_not_stop_the_others(council: Path, loaded: tuple) -> None:
    returns = council / "raw" / "returns"
    (returns / "notes.docx").write_bytes(b"PK")
    (returns / "ragged.csv").write_text("measure,area\nN2\n")
    Path(os.fsdecode(bytes(returns) + b"/caf\xe9.csv")).write_text("x")
    with (returns / "police.csv").open("a") as file:
        file.write("N13,Leicestershire,2006-07 Q1,1,,,,final,2006-08-01,yes,extra\n")
    (returns / "police.csv.toml").unlink()
    observations, findings = load_observations(load_agreement(council))
    assert {(finding.file, finding.row) for finding in errors(findings)} == {
        ("raw/returns/notes.docx", None),
        ("raw/returns/ragged.csv", 2),
        ("raw/returns/ragged.csv", None),
        ("raw/returns/caf\\udce9.csv", None),
        ("raw/returns/police.csv", 102),
    }
    assert len(observations) == len(loaded[0])


def test_a_missing_folder_is_said(council: Path) -> None:
    (council / "raw" / "returns").rename(council / "raw" / "Returns")
    result = psa("check", "--data", str(council))
    assert "warning: raw/returns: expected a folder" in result.output


def test_examination_results_may_come_before_their_school_year_ends(agreement: Agreement) -> None:
    row = "N2,Leicestershire,summer 2007,60,2007-08-23"
    observations, findings = clean_returns(returned(row), agreement)
    assert (len(observations), findings) == (1, [])


def test_twins_that_agree_collapse_and_twins_that_differ_are_kept_out(agreement: Agreement) -> None:
    row = "N13,Leicestershire,2004-05 Q3,900,2005-01-30"
    observations, findings = clean_returns(returned(row, row), agreement)
    assert (len(observations), findings) == (1, [])
    observations, findings = clean_returns(returned(row, row.replace("900", "901")), agreement)
    assert len(observations) == 0
    assert "row 2 and 1 more (3), column value: found '900 final'" in str(findings[0])
    assert "row 3 says 901" in findings[0].expected


def test_as_of_takes_the_last_vintage_known_that_day(agreement: Agreement) -> None:
    rows = [
        "N13,Leicestershire,2004-05 Q3,925,2005-04-28,,,revised",
        "N13,Leicestershire,2004-05 Q3,900,2005-01-30,,,provisional",
    ]
    observations, _ = clean_returns(returned(*rows), agreement)
    days = [date(2005, 1, 29), date(2005, 1, 30), date(2005, 4, 27), date(2005, 4, 28)]
    values = [as_of(observations, day)["value"].tolist() for day in days]
    assert values == [[], [900], [900], [925]]
