"""Tables as councils and ministries publish them: each is loaded by a sidecar that was drafted."""

import os
import re
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from builders import psa, workbook

from psa_analysis.findings import Finding, errors
from psa_analysis.pipeline import ROOT
from psa_analysis.register.agreement import Agreement
from psa_analysis.returns.cleaning import clean_returns
from psa_analysis.returns.drafts import draft_sidecar
from psa_analysis.returns.sources import Sidecar, write_sidecar
from psa_analysis.returns.table import load_returns

OWN = "Leicestershire"
Loaded = tuple[pd.DataFrame, list[Finding], str]
#: What somebody fills in, of what the draft has left open or has to be corrected.
Completed = dict[str, object]


@pytest.fixture
def publish(agreement: Agreement, tmp_path: Path) -> Callable[..., Loaded]:
    """Draft the sidecar of a file, complete it and load the file."""

    def published(name: str, content: bytes, completed: Completed) -> Loaded:
        path = tmp_path / "raw" / "published" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / "returns").mkdir(exist_ok=True)
        path.write_bytes(content)
        known = {
            "measure": [*agreement.measures.index, *agreement.measures["title"]],
            "area": [*agreement.areas["area"]],
        }
        draft = draft_sidecar(path, name, known, OWN, date(2026, 1, 1))
        assert draft is not None and draft.draft
        beside = path.with_name(f"{name}.toml")
        write_sidecar(beside, draft)
        text = beside.read_text()
        sidecar = Sidecar.model_validate(tomllib.loads(text) | {"draft": False} | completed)
        table, findings = load_returns(tmp_path, {f"raw/published/{name}": sidecar}, known)
        observations, more = clean_returns(table, agreement, today=date(2026, 1, 2))
        return observations, [*findings, *more], text

    return published


def of_two_years(measure: str, **places: tuple[float, float]) -> list[tuple]:
    """What must come out: the figures of 2003/04 and 2004/05 of each place."""
    rows = [(place, {"2003/04": then, "2004/05": now}) for place, (then, now) in places.items()]
    return [(measure, place, *cell) for place, row in rows for cell in row.items()]


NOTES = [["Notes"], ["Figures are rounded."], ["Contact: statistics team"]]
#: Shapes in which figures are published: the file, what is filled in, and what must come out as
#: measure, area, period and value.
SHAPES: dict[str, tuple[str, bytes, Completed, list[tuple[str, str, str, float]]]] = {
    "two rows a year, told apart by a unit": (
        "recycling.csv",
        b"Year,Unit,Household waste recycled\n2003/04,Tonnes,91820\n2003/04,%,27.4\n"
        b"2004/05,Tonnes,99100\n2004/05,%,29.949999999999999\n",
        {"defaults": {"measure": "N6-eet", "area": OWN}, "keep": {"Unit": "%"}, "measures": {}},
        [("N6-eet", OWN, "2003/04", 27.4), ("N6-eet", OWN, "2004/05", 29.95)],
    ),
    "several measures as columns": (
        "exclusions.csv",
        b"time_period,la_name,english_rate,maths_rate\n200304,Leicestershire,71.5,70.25\n"
        b"200304,Rutland,80,81\n",
        {
            "measures": {"english_rate": "L1-english", "maths_rate": "L1-maths"},
            "periods": {"200304": "2003/04"},
            "keep": {"la_name": [OWN]},
        },
        [("L1-english", OWN, "2003/04", 71.5), ("L1-maths", OWN, "2003/04", 70.25)],
    ),
    "the third sheet of a workbook of many": (
        "regional.xlsx",
        workbook(
            Cover=[["Year:", "2004/05"], ["Version:", 12]],
            Contents=[["Table 1", "Recycling by region"]],
            Table_1=[
                ["Recycling by authority"],
                [],
                ["Authority", "2003/04", "2004/05"],
                ["Leicestershire", 27.4, 30],
                ["Derby", 19, 20],
            ],
            Notes=NOTES,
        ),
        {"defaults": {"measure": "N6-eet"}, "keep": {"Authority": [OWN]}},
        [("N6-eet", OWN, "2003/04", 27.4), ("N6-eet", OWN, "2004/05", 30.0)],
    ),
    "a header in row ten, breakdowns and days": (
        "attainment.csv",
        b"Level and gender\n\n\n\n\n\n\n\n\nPeriod covered,Gender,Level,Figure (%)\n"
        b"01/09/2003 to 31/08/2004,All,5+ A*-C,52.1\n01/09/2003 to 31/08/2004,Girls,5+ A*-C,56.9\n"
        b"01/09/2003 to 31/08/2004,All,1+ A*-G,96\n",
        {
            "defaults": {"measure": "N2", "area": OWN},
            "periods": {"01/09/2003 to 31/08/2004": "2003/04"},
            "keep": {"Gender": "All", "Level": "5+ A*-C"},
        },
        [("N2", OWN, "2003/04", 52.1)],
    ),
    "two header rows, years down": (
        "waiting.xlsx",
        workbook(
            Table=[
                ["Pupils reaching level 5"],
                ["Year", "English", None, "Maths", None],
                [None, "Number", "%", "Number", "%"],
                ["2003/04", 5600, 71.5, 5500, 70.25],
                ["2004/05", 5700, 72, 5600, 71],
            ]
        ),
        {
            "measures": {"English %": "L1-english", "Maths %": "L1-maths"},
            "header_row": [2, 3],
            "columns": {"period": "Year"},
        },
        [
            *of_two_years("L1-english", Leicestershire=(71.5, 72)),
            *of_two_years("L1-maths", Leicestershire=(70.25, 71)),
        ],
    ),
    "a development indicator with breakdowns": (
        "indicator.csv",
        b"Year,Units,Sex,Region,GeoCode,Value\n2004,Percent,,,,27.4\n2004,Percent,Female,,,28\n"
        b"2005,Percent,,,,30\n2005,Percent,Male,East,E12,29\n",
        {
            "defaults": {"measure": "N6-eet", "area": OWN},
            "year": "ends",
            "keep": {"Sex": "", "Region": ""},
        },
        [("N6-eet", OWN, "2003/04", 27.4), ("N6-eet", OWN, "2004/05", 30.0)],
    ),
    "classes on two sheets": (
        "council_tax.xlsx",
        workbook(
            Band_A=[["Council", "2003/04", "2004/05"], ["Blaby", 10, 11]],
            Band_B=[["Council", "2003/04", "2004/05"], ["Charnwood", 14, 15]],
            Notes=NOTES,
        ),
        {"sheet": ["Band A", "Band B"], "defaults": {"measure": "L8"}},
        of_two_years("L8", Blaby=(10, 11), Charnwood=(14, 15)),
    ),
    "codes as columns and periods of their own": (
        "benchmark.csv",
        b"Authority,Period,BV82a,BV45\nLeicestershire,2003-05,27.4,9.1\nDerby,2003-05,20,9\n",
        {
            "measures": {"BV82a": "N6-eet"},
            "periods": {"2003-05": "2004/05"},
            "keep": {"Authority": [OWN]},
        },
        [("N6-eet", OWN, "2004/05", 27.4)],
    ),
    "dashes, footnotes and a metadata sheet": (
        "fly_tipping.xlsx",
        workbook(
            Metadata=[["Publisher", "Department"], ["Issued", "2005-08-01"]],
            Data=[["LA_name", "2003/04¹", "2004/05"], ["Blaby", "10²", "-"], ["Charnwood", 14, 15]],
        ),
        {"defaults": {"measure": "L8"}, "dash": "0"},
        of_two_years("L8", Blaby=(10, 0), Charnwood=(14, 15)),
    ),
    "years with a word as headings": (
        "visits.csv",
        b"Place,2004 visitors,2005 visitors\nBlaby,10,11\nMelton,5,6\n",
        {
            "defaults": {"measure": "L8"},
            "header_row": 1,
            "columns": {"area": "Place"},
            "measures": {},
            "periods": {"2004 visitors": "2003/04", "2005 visitors": "2004/05"},
        },
        of_two_years("L8", Blaby=(10, 11), Melton=(5, 6)),
    ),
    "names of other people's": (
        "long.csv",
        b"Short Desc,Where,When,How many\nKey stage 2 English,Leics,2003/04,71.5\n"
        b"Key stage 2 Maths,Leics,2003/04,70.25\n",
        {
            "columns": {
                "measure": "Short Desc",
                "area": "Where",
                "period": "When",
                "value": "How many",
            },
            "measures": {"Key stage 2 English": "L1-english", "Key stage 2 Maths": "L1-maths"},
            "areas": {"Leics": OWN},
            "keep": {},
        },
        [("L1-english", OWN, "2003/04", 71.5), ("L1-maths", OWN, "2003/04", 70.25)],
    ),
    "actuals and targets in turn": (
        "scorecard.csv",
        b"Ref,Kind,2003/04,2004/05,2005/06\nN6-eet,Actual,27.4,30,\nN6-eet,Target,28,31,35\n",
        {"defaults": {"area": OWN}},
        [("N6-eet", OWN, "2003/04", 27.4), ("N6-eet", OWN, "2004/05", 30.0)],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_published_table_is_loaded_by_a_sidecar_that_was_drafted(
    publish: Callable[..., Loaded], shape: str
) -> None:
    name, content, completed, expected = SHAPES[shape]
    observations, findings, draft = publish(name, content, completed)
    printed = "\n".join([draft, *map(str, findings)])
    rows = observations[["measure", "area", "period", "value"]].to_numpy().tolist()
    assert sorted(map(tuple, rows)) == sorted(expected), printed
    assert not errors(findings), printed
    assert len(draft.splitlines()) <= 15
    assert len(findings) <= 6, printed


def test_the_example_of_the_documentation_is_read_as_it_says(
    publish: Callable[..., Loaded],
) -> None:
    text = (ROOT / "docs" / "returns.md").read_text()
    files = dict(re.findall(r"<!-- file: raw/published/(\S+) -->\n```\n(.*?)```", text, re.DOTALL))
    table = files["attainment.csv"].replace("Exampleshire", OWN)
    sidecar = tomllib.loads(files["attainment.csv.toml"])
    completed = sidecar | {"defaults": {"measure": "N6-eet"}, "measures": {}}
    observations, findings, draft = publish("attainment.csv", table.encode(), completed)
    rows = observations[["period", "value"]].to_numpy().tolist()
    assert rows == [["2003/04", 52.1], ["2004/05", 54.3]], findings
    assert not errors(findings)
    drafted = tomllib.loads(draft)
    # The draft has found all that the example says, but for the measure.
    assert all(drafted[key] == sidecar[key] for key in ("columns", "year"))
    assert drafted["keep"] == {"sex": ["All"]}


def test_check_drafts_reads_nothing_by_the_draft_and_all_by_the_sidecar(council: Path) -> None:
    """What somebody does at the command line, from the file that came to its figures."""
    path = council / "raw" / "returns" / "rates.csv"
    path.write_text("When,Where,Rate\n2003/04,Blaby,52.1\n2004/05,Blaby,54.3\n")
    first = psa("check", "--data", str(council))
    assert first.exit_code == 1
    assert "received today: raw/returns/rates.csv; complete the draft" in first.output
    assert "found 'a draft', expected a sidecar that somebody has completed" in first.output
    beside = path.with_name("rates.csv.toml")
    text = beside.read_text().replace("draft = true\n", "")
    beside.write_text(text.replace('{"measure" = ""', '{"measure" = "N6-eet"'))
    second = psa("check", "--data", str(council))
    assert second.exit_code == 0, second.output
    saved = pd.read_parquet(council / "processed" / "observations.parquet")
    read = saved.loc[saved["file"] == "raw/returns/rates.csv", ["area", "period", "value"]]
    assert read.to_numpy().tolist() == [["Blaby", "2003/04", 52.1], ["Blaby", "2004/05", 54.3]]


def to_elsewhere(path: Path) -> None:
    """A link to what stood here, moved out of the data folder."""
    council = path.resolve().parents[1 if path.name == "published" else 2]
    path.symlink_to((council / path.name).rename(council.parent / path.name))


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a" * 248 + ".csv", Path.touch, "expected a name of at most 250 letters"),
        ("x\nerror: all is well.pdf", Path.touch, r"raw/returns/x\nerror: all is well.pdf: found"),
        ("pipe.csv", os.mkfifo, "raw/returns/pipe.csv: expected a file"),
        ("a" * 240 + ".csv", lambda path: path.write_text("x"), "aaa.csv: found 'x', expected"),
        ("~x.csv", Path.touch, "warning: raw/returns/~x.csv: expected a name that begins with"),
        ("z.csv.toml", Path.touch, "warning: raw/returns/z.csv.toml: expected the file z.csv"),
        ("x.csv", lambda path: path.symlink_to("/etc/passwd"), "x.csv: expected a file of the"),
        ("x.csv", lambda path: path.symlink_to("x.csv"), "returns/x.csv: expected a file. Take"),
        ("../published", to_elsewhere, "raw/published: expected a folder of the data folder"),
        ("../agreement.toml", os.mkfifo, "raw/agreement.toml: expected a file. Take"),
        ("../progress.csv", os.mkfifo, "raw/progress.csv: expected a file. Take"),
        ("../corrections.csv", Path.mkdir, "raw/corrections.csv: expected a file. Take"),
        ("../register/links.csv", os.mkfifo, "raw/register/links.csv: expected a file. Take"),
        ("police.csv.toml", to_elsewhere, "police.csv.toml: expected a file of the data folder"),
        ("police.csv.toml", os.mkfifo, "raw/returns/police.csv: expected a file police.csv.toml"),
    ],
)
def test_what_is_no_plain_file_is_a_finding_and_stops_nothing(
    council: Path, name: str, make: Callable[[Path], object], says: str
) -> None:
    path = council / "raw" / "returns" / name
    if path.exists():
        path.rename(council / path.name)
    make(path)
    result = psa("check", "--data", str(council))
    assert result.exit_code == (not says.startswith("warning"))
    assert says in result.output
    refused = {"../agreement.toml", "../register/links.csv"}
    assert ("observations of" in result.output) == (name not in refused)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("N13,Leicestershire,2004-05 Q3,abc{}", "column value: found 'abc0'"),
        ("crime {},Leicestershire,2004-05 Q3,5", "column measure: found 'crime 0'"),
        ("N13,Leicestershire,in {},5", "column period: found 'in 0'"),
    ],
)
def test_eighty_thousand_faults_are_one_finding(council: Path, row: str, says: str) -> None:
    path = council / "raw" / "returns" / "many.csv"
    rows = "".join(f"{row.format(n)}\n" for n in range(80_000))
    path.write_text("measure,area,period,value\n" + rows)
    output = psa("check", "--data", str(council)).output
    assert f"row 2 and 79,999 more (3, 4, …), {says}" in output
    assert len(output.splitlines()) < 30
