"""Provenance: every figure can be walked back to the cell that it came from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter
from builders import psa

from psa_analysis.pipeline import load_observations, open_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.returns.sources import (
    Sidecar,
    load_corrections,
    make_sidecars,
    read_sidecars,
    write_sidecar,
)
from psa_analysis.show.explain import cells_used, explanation

TEN = [
    *("N2", "L1-maths", "L2", "N6-eet", "N14-into-work"),
    *("N13", "L4-repeat", "N26-all", "N7-treatment", "L7"),
]


def cell(folder: Path, file: str, address: str) -> str:
    """What stands in a cell of a CSV file, read by nothing of ours."""
    with (folder / file).open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    return rows[int(address[1:]) - 1][ord(address[0]) - ord("A")]


@pytest.mark.parametrize("measure", TEN)
def test_ten_figures_of_the_pages_end_in_the_right_cells(report: Report, measure: str) -> None:
    used = cells_used(report, measure)
    assert len(used)
    for row in used.itertuples():
        text = cell(report.agreement.folder, row.file, row.cell)
        assert text == row.text
        assert float(text) == row.value
    row = report.assessment.set_index("measure").loc[measure]
    values = used.groupby("part")["value"].sum()
    basis = row["basis"]
    # The reading worked out again from the cells alone.
    if basis == "point":
        assert values["reading"] == row["latest"]
    elif basis == "cumulative":
        assert row["baseline"] + values["reading"] == row["latest"]
    elif basis == "change_from_baseline":
        base = values.get("base", 277 / 0.72)
        assert 100 * (values["reading"] / base - 1) == pytest.approx(row["latest"], abs=1e-9)
    else:
        assert used["value"].min() <= row["latest"] <= used["value"].max()


def test_the_command_prints_the_chain() -> None:
    result = psa("explain", "N13", "2004-05 Q3")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[1].startswith("State      Off track (forecast): ")
    assert any(line.startswith("Forecast   −") and "15 readings" in line for line in lines)
    assert "Chance     −10.3% to −6.4%, 95 in 100 times (Byar)" in lines
    cells = [line for line in lines if "raw/returns/police.csv, cell D" in line]
    assert len(cells) == 8
    assert "2004-05 Q3  2,222 (provisional), received 2005-02-01" in result.output
    assert "Base       not stated" in result.output
    assert "Target     −20% (stated)" in result.output


def test_a_wrong_measure_is_one_line() -> None:
    result = psa("explain", "N31", "2004-05 Q3")
    assert result.exit_code == 2
    assert "there is no measure 'N31' in the assessment. Did you mean 'N13'?" in result.output


def test_a_measure_without_a_figure_says_why(report: Report) -> None:
    lines = list(explanation(report, "L8"))
    assert cells_used(report, "L8").empty
    assert "State      Not stated: no document states a target" in lines
    assert not any("cell" in line for line in lines)


def test_a_workbooks_figure_ends_in_its_sheet_and_cell(council: Path) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Treatment ")
        for column, text in enumerate(["Measure", "Area", "2004-05 Q3"]):
            sheet.write(4, column, text)
        for column, value in enumerate(["Drug users in treatment", "Leicestershire", 1077]):
            sheet.write(5, column, value)
    path = council / "raw" / "returns" / "treatment.xlsx"
    path.write_bytes(content.getvalue())
    make_sidecars(council, date(2005, 2, 1))
    report = open_report("2004-05 Q3", str(council))
    used = cells_used(report, "N7-treatment").iloc[0]
    assert (used["sheet"], used["cell"], used["text"]) == ("Treatment ", "C6", "1077")
    lines = explanation(report, "N7-treatment")
    assert any("sheet Treatment , cell C6, which says '1077'" in line for line in lines)


#: Cells of measures.csv, the return's rows, the latest reading, and the parts of the chain as
#: (part, area, row of the return); a row of None stands in another file.
NEW_BASES = {
    "mean_of_years": (
        "N7-sustained",
        {},
        [
            "Leicestershire,2000/01,10,10,100",
            "Leicestershire,2001/02,30,30,100",
            "Leicestershire,2002/03,40,40,100",
            "Leicestershire,2003/04,50,100,200",
        ],
        42.5,
        [
            ("reading", "Leicestershire", 3),
            ("reading", "Leicestershire", 4),
            ("reading", "Leicestershire", 5),
        ],
    ),
    "ratio_to_comparator": (
        "N6-ratio",
        {"comparator": "area: England"},
        ["Leicestershire,2003/04,44.1,,", "England,2003/04,63%,,"],
        70,
        [("reading", "Leicestershire", 2), ("comparator", "England", 3)],
    ),
    "gap_to_comparator": (
        "N14-gap",
        {"comparator": "N6-eet"},
        # A count of people, as both parts of a rate: the unit of a return is percent.
        ["Leicestershire,2003/04,35.2,352,1000"],
        None,
        [("reading", "Leicestershire", 2), ("comparator", "Leicestershire", None)],
    ),
    "rank": (
        "N7-sustained",
        {"polarity": "lower", "unit": "place", "comparator": "family: region; highest first"},
        [
            "Leicestershire,2003/04,50%,1,2",
            "London,2003/04,60,,",
            "East,2003/04,50,,",
            "South East,2003/04,[c],,",
            "South West,2003/04,7,,",
            "North West,2003/04,70,,",
        ],
        3,
        [
            ("reading", "Leicestershire", 2),
            ("comparator", "East", 4),
            ("comparator", "London", 3),
            ("comparator", "North West", 7),
            ("comparator", "South West", 6),
        ],
    ),
    "milestone": (
        "L8",
        {"unit": "done"},
        ["Leicestershire,2002/03,0,,", "Leicestershire,2003/04,1,,"],
        1,
        [("reading", "Leicestershire", 3)],
    ),
}


@pytest.mark.parametrize("basis", NEW_BASES)
def test_each_basis_from_the_return_to_its_cells(
    council: Path, edit: Callable[..., int], basis: str
) -> None:
    measure, cells, rows, reading, chain = NEW_BASES[basis]
    for column, text in ({"basis": basis} | cells).items():
        edit("register/measures.csv", measure, column, text)
    path = council / "raw" / "returns" / "made_up.csv"
    lines = ["measure,area,period,value,numerator,denominator", *(f"{measure},{r}" for r in rows)]
    path.write_text("\n".join(lines) + "\n")
    make_sidecars(council, date(2004, 6, 1))
    report = open_report("2004-05 Q3", str(council))
    assert not [finding for finding in report.findings if finding.file.endswith("made_up.csv")]
    row = report.assessment.set_index("measure").loc[measure]
    used = cells_used(report, measure)
    assert row["latest_period"] == "2003/04"
    if reading is None:  # what another file holds, less the return's 35.2
        other = used.loc[used["part"] == "comparator"].iloc[0]
        assert (other["measure"], other["period"]) == ("N6-eet", "2003/04")
        assert float(other["text"]) == other["value"]
        reading = pytest.approx(other["value"] - 35.2)
    assert row["latest"] == reading
    rows_used = [
        (row.part, row.area, int(row.cell[1:]) if row.file.endswith("made_up.csv") else None)
        for row in used.itertuples()
    ]
    assert rows_used == chain
    printed = list(explanation(report, measure))
    named = [line for line in printed if line.startswith("Comparator ")]
    assert named == [f"Comparator {text}" for key, text in cells.items() if key == "comparator"]
    for row in used[used["part"] == "comparator"].itertuples():
        start = f"  {row.measure}, {row.area}, 2003/04  {row.value:.10g} "
        assert any(line.startswith(start) and f"cell {row.cell}," in line for line in printed)
    note = "Note       ranked among 5 of the 10 areas of the family"
    assert (note in printed) == (basis == "rank")


def test_a_comparator_that_no_document_names_is_said(council: Path) -> None:
    path = council / "raw" / "returns" / "gap.csv"
    path.write_text("measure,area,period,value\nN14-gap,Leicestershire,2003/04,47.9\n")
    make_sidecars(council, date(2004, 6, 1))
    result = psa("explain", "N14-gap", "2004-05 Q3", "--data", str(council))
    assert result.exit_code == 0
    assert "Comparator not stated" in result.output
    assert "Missing    the comparator is not stated" in result.output


# Sidecars


def test_a_file_that_has_changed_since_it_came_is_not_read(council: Path) -> None:
    with (council / "raw" / "returns" / "waste.csv").open("a") as file:
        file.write("\n")
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    assert "error: raw/returns/waste.csv: found 'another checksum'" in result.output
    saved = pd.read_parquet(council / "processed" / "observations.parquet")
    assert "raw/returns/waste.csv" not in set(saved["file"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("received = ", "recieved = "), "police.csv.toml"),
        (("received = 2026-11-22", 'received = "soon"'), "column received: found 'soon'"),
        (("title = ", "title "), "TOML in UTF-8"),
    ],
)
def test_a_broken_sidecar_is_named(council: Path, change: tuple[str, str], says: str) -> None:
    path = council / "raw" / "returns" / "police.csv.toml"
    path.write_text(path.read_text().replace(*change))
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_sidecar_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "raw" / "returns").mkdir(parents=True)
    file = tmp_path / "raw" / "returns" / "a.csv"
    file.write_text("x")
    assert make_sidecars(tmp_path, date(2005, 2, 1)) == ["raw/returns/a.csv"]
    odd = 'quotes " and \\ and £ and \n lines'
    sidecar = read_sidecars(tmp_path)[0]["raw/returns/a.csv"]
    changed = sidecar.model_copy(update={"title": odd, "defaults": {"measure": "N13"}})
    write_sidecar(file.with_name("a.csv.toml"), changed)
    assert read_sidecars(tmp_path)[0]["raw/returns/a.csv"] == changed
    assert isinstance(changed, Sidecar)


# Corrections


@pytest.fixture
def correct(council: Path) -> Callable[..., tuple[pd.DataFrame, list]]:
    """Load the council with one correction of a figure of the police."""

    def load(**changes: str) -> tuple[pd.DataFrame, list]:
        row = {
            "measure": "N13",
            "area": "Leicestershire",
            "period": "2004-05 Q3",
            "received": "2005-02-01",
            "action": "override",
            "value": "2225",
            "expect": "2222",
            "reason": "two offences found",
            "said_by": "a police analyst",
            "said_on": "2005-02-03",
        } | changes
        pd.DataFrame([row]).to_csv(council / "raw" / "corrections.csv", index=False)
        observations, findings = load_observations(load_agreement(council))
        key = (observations["measure"] == "N13") & (observations["period"] == "2004-05 Q3")
        key &= observations["area"] == "Leicestershire"
        first = observations[key & (observations["received"] == "2005-02-01")]
        return first, [finding for finding in findings if finding.file == "raw/corrections.csv"]

    return load


def test_each_action_of_a_correction(correct: Callable) -> None:
    figure, findings = correct()
    assert findings == []
    assert figure["value"].tolist() == [2225]
    assert figure["correction"].item() == (
        "override: two offences found (a police analyst, 2005-02-03)"
    )
    assert correct(action="scale", value="10")[0]["value"].tolist() == [22220]
    assert correct(action="flag", value="estimated")[0]["flag"].tolist() == ["estimated"]
    assert len(correct(action="drop", value="")[0]) == 0
    hidden = correct(action="flag", value="suppressed")[0]
    assert hidden["value"].isna().all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expect": "1990"}, "The source seems to be mended: remove the correction."),
        ({"expect": ""}, "the figure as it stands"),
        ({"action": "replace"}, "expected one of drop, override, scale, flag"),
        ({"value": "many"}, "expected a number"),
        ({"action": "flag", "value": "wrong"}, "expected one of final"),
        ({"period": "2004-05 Q4"}, "There are 0: correct the row."),
        ({"received": "2005-02-02"}, "There are 0"),
        ({"measure": "N99"}, "There are 0"),
        ({"value": "inf"}, "expected a number"),
        ({"value": "nan"}, "expected a number"),
        ({"expect": "nan"}, "the figure as it stands"),
        ({"reason": ""}, "why, who said so and when"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(
    correct: Callable, changes: dict[str, str], says: str
) -> None:
    figure, findings = correct(**changes)
    assert figure["value"].tolist() == [2222]
    assert [says in str(finding) for finding in findings] == [True]
    assert findings[0].row == 2


def test_a_correction_is_shown_in_the_chain(correct: Callable, council: Path) -> None:
    correct()
    result = psa("explain", "N13", "2004-05 Q3", "--data", str(council))
    assert "which says '2222.0'" in result.output
    assert "corrected: override: two offences found" in result.output
    assert load_corrections(council)[1] == []
