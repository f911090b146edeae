"""Provenance: every figure can be walked back to the cell that it came from."""

import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from builders import AREA, Edit, make_sidecars, psa

from psa_analysis.pipeline import load_observations, open_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.returns.sources import read_sidecars, write_sidecar
from psa_analysis.show.measures import cells_used, explanation


def test_the_command_prints_the_chain_that_the_pages_show(report: Report) -> None:
    result = psa("explain", "N13", "2004-05 Q3")
    rows = [*explanation(report, "N13")]
    assert result.output.splitlines() == [f"{label:<10} {text}" for label, text in rows]
    assert result.output.count("police.csv, cell D") == 8
    source = dict(rows)["Source"]
    assert source.startswith("raw/returns/police.csv: Illustrative returns, made by ")
    without_a_figure = dict(explanation(report, "L8"))
    assert without_a_figure["State"] == "Not stated: no document states a target"
    assert "Made from" not in without_a_figure
    wrong = psa("explain", "N31", "2004-05 Q3")
    assert wrong.exit_code == 2
    assert "there is no measure 'N31' in the assessment. Did you mean 'N13'?" in wrong.output


@pytest.mark.parametrize(
    ("profile", "path"),
    [
        ("", "equal steps from the baseline to the target"),
        ("given", "straight lines between the levels that are given; 4,400 by 31 March 2004"),
        ("steps", "each level is held until the next; 4,400 by 31 March 2004"),
    ],
)
def test_the_planned_path_that_was_used_is_named(
    council: Path, edit: Edit, profile: str, path: str
) -> None:
    if profile:
        edit("register/measures.csv", "L4-incidents", "profile", profile)
        points = "measure,period,value\nL4-incidents,2003-04 Q4,4400\n"
        (council / "raw" / "register" / "trajectories.csv").write_text(points)
    output = psa("explain", "L4-incidents", "2004-05 Q3", "--data", str(council)).output
    assert f"\nPath       {path}\n" in output


def test_a_workbooks_figure_ends_in_its_sheet_and_cell(council: Path) -> None:
    cells = {"Measure": "Drug users in treatment", "Area": "Leicestershire", "2004-05 Q3": 1077}
    path = council / "raw" / "returns" / "treatment.xlsx"
    pd.DataFrame([cells]).to_excel(path, sheet_name="Treatment ", startrow=4, index=False)
    make_sidecars(council, date(2005, 2, 1))
    report = open_report("2004-05 Q3", str(council))
    used = cells_used(report, "N7-treatment").iloc[0]
    assert (used["sheet"], used["cell"], used["text"]) == ("Treatment ", "C6", "1077")
    rows = explanation(report, "N7-treatment")
    assert any("sheet Treatment , cell C6: '1077'" in text for _, text in rows)


#: Cells of measures.csv, the return's rows, the latest reading, and the parts of the chain: the
#: row of the return, None for one of another file, and the area where it is not Leicestershire.
REGION_RANK = {"polarity": "lower", "unit": "place", "comparator": "family: region; highest first"}
NEW_BASES = {
    "mean_of_years": (
        "N7-sustained",
        {},
        ["2000/01,10,10,100", "2001/02,30,30,100", "2002/03,40,40,100", "2003/04,50,100,200"],
        42.5,
        [("reading", 3), ("reading", 4), ("reading", 5)],
    ),
    "ratio_to_comparator": (
        "N6-ratio",
        {"comparator": "area: England"},
        ["2003/04,44.1,,", "2003/04,63%,,,England"],
        70,
        [("reading", 2), ("comparator", 3, "England")],
    ),
    # A count of people, as both parts of a rate: the unit of a return is percent.
    "gap_to_comparator": (
        "N14-gap",
        {"comparator": "N6-eet"},
        ["2003/04,35.2,352,1000"],
        None,
        [("reading", 2), ("comparator", None)],
    ),
    "rank": (
        "N7-sustained",
        REGION_RANK,
        [
            "2003/04,50%,1,2",
            *("2003/04,60,,,London", "2003/04,50,,,East", "2003/04,[c],,,South East"),
            *("2003/04,7,,,South West", "2003/04,70,,,North West"),
        ],
        3,
        [
            ("reading", 2),
            *(("comparator", 4, "East"), ("comparator", 3, "London")),
            *(("comparator", 7, "North West"), ("comparator", 6, "South West")),
        ],
    ),
    "milestone": ("L8", {"unit": "done"}, ["2002/03,0,,", "2003/04,1,,"], 1, [("reading", 3)]),
}


@pytest.mark.parametrize("basis", NEW_BASES)
def test_each_basis_from_the_return_to_its_cells(council: Path, edit: Edit, basis: str) -> None:
    measure, cells, rows, reading, chain = NEW_BASES[basis]
    for column, text in ({"basis": basis} | cells).items():
        edit("register/measures.csv", measure, column, text)
    lines = ["measure,period,value,numerator,denominator,area"]
    lines += [",".join([measure, *row.split(","), AREA][:6]) for row in rows]
    (council / "raw" / "returns" / "made_up.csv").write_text("\n".join(lines) + "\n")
    make_sidecars(council, date(2004, 6, 1))
    report = open_report("2004-05 Q3", str(council))
    assert not [finding for finding in report.findings if finding.file.endswith("made_up.csv")]
    row = report.assessment.set_index("measure").loc[measure]
    used = cells_used(report, measure)
    assert row["latest_period"] == "2003/04"
    if reading is None:  # what another file holds, less the return's 35.2
        other = used.loc[used["part"] == "comparator"].iloc[0]
        assert (other["measure"], other["period"]) == ("N6-eet", "2003/04")
        reading = pytest.approx(float(other["text"]) - 35.2)
    assert row["latest"] == reading
    assert [
        (row.part, int(row.cell[1:]) if row.file.endswith("made_up.csv") else None, row.area)
        for row in used.itertuples()
    ] == [(*part, AREA)[:3] for part in chain]
    rows = [*explanation(report, measure)]
    named = [text for label, text in rows if label == "Comparator"]
    assert named == [text for key, text in cells.items() if key == "comparator"]
    for row in used[used["part"] == "comparator"].itertuples():
        start = f"{row.measure}, {row.area}, 2003/04: {row.value:.10g} "
        assert any(text.startswith(start) and f"cell {row.cell}:" in text for _, text in rows)
    remark = ("Remark", "ranked among 5 of the 10 areas of the family")
    assert (remark in rows) == (basis == "rank")


def test_a_comparator_that_no_document_names_is_said(council: Path) -> None:
    path = council / "raw" / "returns" / "gap.csv"
    path.write_text("measure,area,period,value\nN14-gap,Leicestershire,2003/04,47.9\n")
    make_sidecars(council, date(2004, 6, 1))
    output = psa("explain", "N14-gap", "2004-05 Q3", "--data", str(council)).output
    assert "Comparator not stated" in output
    assert "Missing    the comparator is not stated" in output


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("police.csv.toml", "received = ", "recieved = ", "police.csv.toml"),
        ("police.csv.toml", "received = 2026-11-22", 'received = "soon"', "found 'soon'"),
        ("police.csv.toml", "title = ", "title ", "TOML in UTF-8"),
        # A file that has changed since it came.
        ("police.csv", "2309", "2310", "raw/returns/police.csv: found 'another checksum'"),
    ],
)
def test_a_file_whose_sidecar_does_not_fit_is_named_and_not_read(
    council: Path, name: str, old: str, new: str, says: str
) -> None:
    path = council / "raw" / "returns" / name
    path.write_text(path.read_text().replace(old, new))
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    assert says in result.output
    saved = pd.read_parquet(council / "processed" / "observations.parquet")
    assert "raw/returns/police.csv" not in set(saved["file"])


def test_a_sidecar_reads_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "raw" / "returns" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_text("x")
    make_sidecars(tmp_path, date(2005, 2, 1))
    sidecar = read_sidecars(tmp_path)[0]["raw/returns/a.csv"]
    odd = {"title": 'quotes " and \\ and £ and \n lines', "defaults": {"measure": "N13"}}
    odd |= {"keep": {'Sex, "all"': ["Alle", "1"]}, "header_row": [3, 4], "year": "ends"}
    changed = sidecar.model_copy(update=odd)
    write_sidecar(file.with_name("a.csv.toml"), changed)
    assert read_sidecars(tmp_path)[0]["raw/returns/a.csv"] == changed


CORRECTION = """\
measure,area,period,received,action,value,expect,reason,said_by,said_on
N13,Leicestershire,2004-05 Q3,2005-02-01,override,2312,2309,offences found,an analyst,2005-02-03
"""


@pytest.fixture
def correct(council: Path) -> Callable[..., tuple[pd.DataFrame, list]]:
    """Load the council, of which the police alone sent a return, with one correction of it."""
    returns = council / "raw" / "returns"
    for path in {*returns.iterdir()} - {*returns.glob("police.csv*")}:
        path.unlink()

    def load(**changes: str) -> tuple[pd.DataFrame, list]:
        row = pd.read_csv(io.StringIO(CORRECTION), dtype=str).assign(**changes)
        row.to_csv(council / "raw" / "corrections.csv", index=False)
        observations, findings = load_observations(load_agreement(council))
        first = observations[observations["received"] == "2005-02-01"]
        first = first.set_index(["measure", "area", "period"], drop=False)
        figure = first[first.index == ("N13", "Leicestershire", "2004-05 Q3")]
        return figure, [finding for finding in findings if finding.file == "raw/corrections.csv"]

    return load


def test_each_action_of_a_correction(correct: Callable) -> None:
    figure, findings = correct()
    assert findings == []
    assert figure["value"].tolist() == [2312]
    assert figure["correction"].item() == "override: offences found (an analyst, 2005-02-03)"
    assert correct(action="scale", value="10")[0]["value"].tolist() == [23090]
    assert correct(action="flag", value="estimated")[0]["flag"].tolist() == ["estimated"]
    assert len(correct(action="drop", value="")[0]) == 0
    assert correct(action="flag", value="suppressed")[0]["value"].isna().all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expect": "1990"}, "The source seems to be mended: remove the correction."),
        ({"expect": ""}, "the figure as it stands"),
        ({"action": "replace"}, "expected one of drop, override, scale, flag"),
        ({"value": "many"}, "expected a number"),
        ({"action": "flag", "value": "wrong"}, "expected one of final"),
        ({"period": "2004-05 Q4"}, "There are 0: correct the row."),
        ({"measure": "N99"}, "There are 0"),
        ({"value": "nan"}, "expected a number"),
        ({"expect": "nan"}, "the figure as it stands"),
        ({"reason": ""}, "why, who said so and when"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(
    correct: Callable, changes: dict[str, str], says: str
) -> None:
    figure, findings = correct(**changes)
    assert figure["value"].tolist() == [2309]
    assert [says in str(finding) for finding in findings] == [True]
    assert findings[0].row == 2


def test_a_correction_is_shown_in_the_chain(correct: Callable, council: Path) -> None:
    correct()
    output = psa("explain", "N13", "2004-05 Q3", "--data", str(council)).output
    assert "cell D90: '2309.0'" in output
    assert "corrected: override: offences found" in output
