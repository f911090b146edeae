"""The workbook, Parquet and CSV of a pack: figures as they are, and text that stays text."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
import time
import xml.etree.ElementTree as ET
import zipfile
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
from builders import Tags, psa, psa_run
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell

from psa_analysis.files import FORMULA_STARTS, checksum, csv_text
from psa_analysis.findings import visible
from psa_analysis.packs.workbook import (
    MEANINGS,
    SHEETS,
    assessment_parquet,
    cell_text,
    number_format,
    tables,
    write_workbook,
)
from psa_analysis.pipeline import ROOT, open_report
from psa_analysis.report import Report
from psa_analysis.returns.sources import Sidecar, write_sidecar
from psa_analysis.show.grant import grants


@pytest.fixture(scope="module")
def book(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    path = tmp_path_factory.mktemp("book") / "book.xlsx"
    write_workbook(report, path)
    return load_workbook(path)


def rows_of(book: Workbook, sheet: str) -> list[dict[str, Cell]]:
    head, *rows = book[sheet].iter_rows()
    return [dict(zip([cell.value for cell in head], row, strict=True)) for row in rows]


# Figures as they are


def test_a_sheet_for_each_table_with_its_header_frozen(report: Report, book: Workbook) -> None:
    assert book.sheetnames == ["cover", *SHEETS]
    made = tables(report)
    assert [*made, "columns"] == list(SHEETS)
    for name in SHEETS:
        sheet = book[name]
        assert sheet.freeze_panes in ("B2", "C2"), name
        assert sheet.auto_filter.ref == sheet.dimensions, name
        assert all(cell.font.bold for cell in sheet[1]), name
        if name in made:
            assert sheet.max_row == len(made[name]) + 1, name
            assert [cell.value for cell in sheet[1]] == list(made[name].columns), name


def test_every_cell_is_what_the_table_says(report: Report, book: Workbook) -> None:
    for name, table in tables(report).items():
        for row, record in zip(rows_of(book, name), table.to_dict("records"), strict=True):
            for column, said in record.items():
                found, where = row[column].value, (name, row[column].coordinate)
                if isinstance(said, list):
                    assert (found or "") == "; ".join(said), where
                elif pd.isna(said) or said == "":
                    assert found is None, where
                elif isinstance(said, bool):
                    assert found is said, where
                elif isinstance(said, date | pd.Timestamp):
                    assert isinstance(found, datetime), where
                    assert found == pd.Timestamp(said), where
                    assert row[column].number_format == "yyyy-mm-dd", where
                elif isinstance(said, int | float | Fraction):
                    assert isinstance(found, int | float), where
                    assert found == pytest.approx(float(said), rel=1e-15), where
                else:
                    assert (found, row[column].data_type) == (said, "s"), where


@pytest.mark.parametrize(
    ("sheet", "column", "unit", "value", "shown"),
    [
        ("assessment", "latest", "percent", 63.0, '#,##0.0"%"'),
        ("assessment", "latest", "percent change", -8.3, '+#,##0.0"%";-#,##0.0"%";0"%"'),
        ("assessment", "latest", "incidents", 4852.0, "#,##0"),
        ("assessment", "baseline", "casualties", 58.333, "#,##0.0"),
        ("assessment", "baseline", "casualties", 326.388, "#,##0"),
        ("assessment", "latest", "million journeys", 15.0, "#,##0.00"),
        ("assessment", "chance_target", "incidents", 0.25, "0%"),
        # The same name, in the grant a share.
        ("assessment", "low_80", "incidents", 4274.0, "#,##0"),
        ("grant", "low_80", "incidents", 1.0, "0%"),
        ("grant", "pounds_most", "incidents", 1e6, "£#,##0"),
        ("observations", "value", "incidents", 4852.0, "#,##0"),
        ("observations", "value", "percent", 14.29, "General"),
        ("findings", "row", "", 2004.0, "General"),
    ],
)
def test_numbers_have_their_usual_formats(
    sheet: str, column: str, unit: str, value: float, shown: str
) -> None:
    assert number_format(sheet, column, unit, value) == shown


def test_the_cover_says_what_this_is(report: Report, book: Workbook, tmp_path: Path) -> None:
    text = "\n".join(str(cell.value) for row in book["cover"] for cell in row if cell.value)
    assert "2004-05 Q3, from figures received by 14 February 2005. Internal report." in text
    assert "Illustrative: the outturns in this workbook are made up" in text
    for name in SHEETS:
        assert name in text
    assert book["cover"]["A6"].hyperlink.location == "'assessment'!A1"
    assert book.properties.created == datetime(2005, 2, 14)
    real = dataclasses.replace(report, assessment=report.assessment.assign(illustrative=False))
    write_workbook(real, tmp_path / "b.xlsx")
    lines = [str(row[0].value) for row in load_workbook(tmp_path / "b.xlsx")["cover"]]
    assert not [line for line in lines if line.startswith("Illustrative")]


def test_every_column_is_described(report: Report, book: Workbook) -> None:
    said = {
        (row["sheet"].value, row["column"].value): row["meaning"].value
        for row in rows_of(book, "columns")
    }
    for name, table in tables(report).items():
        assert set(table.columns) <= set(MEANINGS[name])
        assert all(said[name, column] for column in table.columns)
    assert len(said) == sum(len(table.columns) for table in tables(report).values())


def test_the_same_report_gives_the_same_bytes(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_workbook(report, tmp_path / "one.xlsx")
    # In another place.
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        write_workbook(report, tmp_path / "two.xlsx")
    time.tzset()
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.xlsx") as parts:
        # Nor is there a time of writing.
        assert {part.date_time[0] for part in parts.infolist()} == {1980}
    assert load_workbook(tmp_path / "one.xlsx").properties.modified == datetime(2005, 2, 14)
    assert assessment_parquet(report) == assessment_parquet(report)


def test_the_public_workbook_names_none_of_our_files(report: Report, tmp_path: Path) -> None:
    public = dataclasses.replace(report, audience="public")
    write_workbook(public, tmp_path / "b.xlsx")
    book = load_workbook(tmp_path / "b.xlsx")
    # What a sidecar notes for readers stays.
    book["data log"].delete_cols([cell.value for cell in book["data log"][1]].index("note") + 1)
    cells = {str(cell.value) for sheet in book for row in sheet for cell in row if cell.value}
    # Published figures are cited by the file that they are in.
    files = [name.rpartition("/")[2] for name in report.sources["file"] if "returns/" in name]
    assert files
    assert not [cell for cell in cells if any(name in cell for name in files)]
    assert "note" not in [cell.value for cell in book["observations"][1]]
    assert "names of files, what senders wrote beside a figure, and findings about files" in cells
    # The figures are the same.
    inside = tables(report)["assessment"].drop(columns=["file", "row"])
    pd.testing.assert_frame_equal(tables(public)["assessment"], inside)
    assert "file" not in pd.read_parquet(io.BytesIO(assessment_parquet(public)))


def test_parquet_holds_the_assessment_as_it_is(report: Report, report_of) -> None:
    made = pd.read_parquet(io.BytesIO(assessment_parquet(report)))
    pd.testing.assert_frame_equal(made, report.assessment)
    # The types do not depend on what is known by then, so packs can be put together.
    first = pd.read_parquet(io.BytesIO(assessment_parquet(report_of("1999-00 Q1"))))
    assert first["latest"].isna().all()
    assert first.dtypes.to_dict() == made.dtypes.to_dict()


# Text that stays text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x1b", "a␀b␛"),
        ("\x7f", "␡"),
        ("a‮b⁦", "a[U+202E]b[U+2066]"),
        ("\ufffe\uffff", "��"),
        ("a\tb\nc\rd", "a\tb\nc\rd"),
        ("שלום\u200f é", "שלום\u200f é"),
    ],
)
def test_nothing_is_hidden_in_a_text(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_text_too_long_for_a_cell_is_cut_with_a_mark() -> None:
    assert cell_text("x" * 32_767) == "x" * 32_767
    cut = cell_text("x" * 40_000)
    assert len(cut) <= 32_767
    assert cut.endswith("x… (cut here)")


def test_csv_is_safe_in_a_spreadsheet_and_numbers_stay_numbers() -> None:
    starts = ["=1+1", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "＝1", "plain", "a=1", None]
    table = pd.DataFrame({"text": starts, "number": [-1.5, *range(9)]})
    made = csv_text(table)
    rows = list(csv.reader(io.StringIO(made, newline="")))
    shown = ["'=1+1", "'+1", "'-1+2", "'@SUM(1)", "'\t=1", "'\n=1", "'＝1", "plain", "a=1"]
    assert [row[0] for row in rows[1:]] == [*shown, ""]
    assert rows[1][1] == "-1.5"
    assert table["text"].tolist()[:-1] == starts[:-1]  # the table itself is not touched


@given(st.text())
def test_no_text_begins_a_formula_in_csv(text: str) -> None:
    made = csv_text(pd.DataFrame({"text": [text, "x"]}))
    cell = list(csv.reader(io.StringIO(made, newline="")))[1]
    assert not "".join(cell).startswith(FORMULA_STARTS)


#: What each text of the hostile agreement begins with, in turn.
STARTS = [
    '=HYPERLINK("http://example.org","x")',
    "+1",
    "-1+2",
    "@SUM(1+1)",
    "\t=1",
    "<script>alert(1)",
    "</title></details></table>",
    "{{7*7}}",
    "$\\undefined{$",
]
TAIL = (
    " <script>alert(1)</script>\"'><img src=x onerror=alert(1)> [x](javascript:alert(1)) "
    "‮edoc‬ \x00\x07\x1b[31m\ufffe &lt; {% raw %}"
)
LONG = " long" * 2_000


def hostile(number: int) -> str:
    """A text that begins another way for each number; every seventh has 10,000 characters."""
    return f"{STARTS[number % len(STARTS)]} {number}{TAIL}{LONG if number % 7 == 0 else ''}"


#: The columns of the register that hold free text.
FREE = {
    "../progress": ["evidence"],
    "targets": ["outcome", "description", "partners", "rationale", "location"],
    "measures": ["title", "definition", "location"],
    "commitments": ["priority", "promise", "location"],
    "families": ["location"],
    "baskets": ["location"],
    "assumptions": ["reason"],
    "differences": ["subject", "bid", "strategy", "used", "reason"],
    "facts": ["fact", "unit", "location"],
}


@pytest.fixture(scope="module")
def hostile_council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped agreement with hostile text wherever there is free text."""
    folder = tmp_path_factory.mktemp("hostile") / "council"
    shutil.copytree(ROOT / "data" / "raw", folder / "raw")
    raw = folder / "raw"
    for name, columns in FREE.items():
        path = raw / "register" / f"{name}.csv"
        with path.open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        for number, row in enumerate(rows):
            for column in columns:
                row[head.index(column)] = hostile(number)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
    _hostile_settings(raw / "agreement.toml")
    _hostile_returns(raw / "returns")
    (raw / "corrections.csv").write_text(
        "measure,area,period,received,action,value,expect,reason,said_by,said_on\n"
        f"N13,Leicestershire,2004-05 Q3,2005-01-28,flag,provisional,,{_quoted(1)},{_quoted(2)},"
        "2005-02-01\n",
        encoding="utf-8",
    )
    return folder


def _quoted(number: int) -> str:
    return '"' + hostile(number).replace('"', '""') + '"'


def _hostile_settings(path: Path) -> None:
    """Hostile names of the agreement, its council, partners, headings and documents."""
    numbers = iter(range(1, 1000))

    def change(match: re.Match[str]) -> str:
        # TOML allows control characters as escapes only.
        text = hostile(next(numbers)).replace("\\", "\\\\").replace('"', '\\"')
        text = "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in text)
        return f'{match[1]} = "{text}"'

    sections = re.split(r"(?m)^(?=\[)", path.read_text(encoding="utf-8"))
    for place, section in enumerate(sections):
        if section.startswith(("[partners]", "[themes]", "[objectives]", "[documents")):
            sections[place] = re.sub(r'(?m)^([\w-]+) = ".*"', change, section)
        if section.startswith("[agreement]"):
            sections[place] = re.sub(r'(?m)^(name|council) = ".*"', change, section)
    path.write_text("".join(sections), encoding="utf-8")


#: Linux lets a file be called like this.
FILE = "=cmd|'x'!A1 <img src=x onerror=alert(1)> ‮.csv"


def _hostile_returns(folder: Path) -> None:
    """A file with a hostile name, notes, cells and sidecar."""
    path = folder / FILE
    rows = [
        ["measure", "area", "period", "value", "received", "illustrative", "note"],
        # The best incidents so far, so that its file and row reach the assessment.
        ["L4-incidents", "Leicestershire", "2004-05 Q3", "1300", "2005-02-10", "yes", hostile(0)],
        ["N13", "Leicestershire", "2004-05 Q2", hostile(1), "2005-02-10", "yes", hostile(2)],
        [hostile(3), "Leicestershire", "2004-05 Q2", "1", "2005-02-10", "yes", ""],
        ["N13", hostile(4), hostile(5), "1", hostile(6), hostile(8), ""],
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[cell.replace("\x00", "") for cell in row] for row in rows])
    fields = enumerate(["title", "producer", "address", "licence", "note"])
    texts = {name: hostile(number).replace("\x00", "") for number, name in fields}
    write_sidecar(
        path.with_name(path.name + ".toml"),
        Sidecar(received=date(2005, 2, 10), checksum=checksum(path), **texts),
    )


@pytest.fixture(scope="module")
def hostile_pack(hostile_council: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack that is made of it; the page on method shows nothing of it."""
    folder = tmp_path_factory.mktemp("hostile_pack")
    (folder / "notebooks").mkdir()
    # The pages that between them show every text that a folder may hold.
    names = ("00_overview", "02_safer_county", "05_corporate_strategy", "06_data_quality")
    shown = [ROOT / "notebooks" / f"{name}.ipynb" for name in names]
    for path in shown:
        shutil.copy(path, folder / "notebooks")
    where = ["--outputs", str(folder / "out"), "--notebooks", str(folder / "notebooks")]
    result = psa_run("2004-05 Q3", "--data", str(hostile_council), *where)
    assert result.output.count(": done in") == len(shown), result.output
    assert result.exit_code == 1  # the hostile return has errors, and psa check says which
    return folder / "out" / "2004-05-Q3"


#: Where a page may point: into itself or its pack, or to a picture that it holds.
LOCAL = re.compile(r"#|data:image/svg\+xml,|[\w.%-]+(#[\w-]+)?$")


def assert_harmless(html: str, name: str) -> None:
    """Nothing in a page acts, points elsewhere or is hidden; parsed, not only searched."""
    parsed = Tags(html)
    for tag, attributes in parsed.tags:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base"), name
        assert not [one for one in attributes if one.startswith("on")], (name, tag)
        for key in ("href", "src", "action", "formaction"):
            target = attributes.get(key)
            if target is not None:
                assert LOCAL.match(target), (name, target)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f‪-‮⁦-⁩\ufffe\uffff]", html), name


def test_no_page_of_a_hostile_agreement_acts(hostile_pack: Path) -> None:
    pages = sorted(hostile_pack.glob("*.html"))
    assert len(pages) == len(list(hostile_pack.glob("*.ipynb"))) + 1 > 4
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert_harmless(html, page.name)
        parsed = Tags(html)
        said = "".join(parsed.text)
        assert "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>" in said, page.name
        assert "␀␇␛[31m" in said, page.name
        assert "[U+202E]edoc" in said, page.name
        tags = [tag for tag, _ in parsed.tags]
        assert tags.count("title") == tags.count("main") == tags.count("h1") == 1, page.name
        assert "7*7" in said or "49" not in said
        for tag, attributes in parsed.tags:
            if tag == "img":
                svg = unquote(attributes["src"].removeprefix("data:image/svg+xml,"))
                tree = ET.fromstring(svg)
                assert not [one for one in tree.iter() if one.tag.endswith("}script")]
    overview = "".join(Tags((hostile_pack / "00_overview.html").read_text()).text)
    assert LONG.strip() in overview


def test_no_notebook_of_a_hostile_agreement_acts(hostile_pack: Path) -> None:
    outputs = 0
    for path in hostile_pack.glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                assert not {"text/markdown", "application/javascript", "text/latex"} & set(data)
                # No warning and no error.
                assert output["output_type"] in ("execute_result", "display_data"), output
                if "text/html" in data:
                    assert_harmless(data["text/html"], path.name)
                    outputs += 1
                if "image/svg+xml" in data:
                    ET.fromstring(data["image/svg+xml"])
    assert outputs > 20


def test_no_csv_of_a_hostile_agreement_is_a_formula(
    hostile_pack: Path, hostile_council: Path
) -> None:
    made = [*hostile_pack.glob("*.csv"), hostile_council / "processed" / "findings.csv"]
    guarded = 0
    for path in made:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                for cell in row:
                    if cell.startswith(FORMULA_STARTS):
                        float(cell)  # a number below nought
                    guarded += cell.startswith("'=HYPERLINK")
                    assert "\x00" not in cell
    assert guarded


def test_parquet_holds_hostile_text_as_it_is(hostile_pack: Path) -> None:
    made = pd.read_parquet(hostile_pack / "assessment.parquet").set_index("measure")
    assert made.at["N2", "title"] == hostile(0).strip()
    assert made.at["L4-incidents", "file"] == f"raw/returns/{FILE}"


def test_the_workbook_of_a_hostile_agreement(hostile_pack: Path) -> None:
    path = hostile_pack / "2004-05-Q3.xlsx"
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            tree = ET.fromstring(parts.read(name))  # each part is XML
            assert not [tag for tag in tree.iter() if tag.tag.endswith("}f")], name
            assert b"TargetMode" not in parts.read(name), name  # no link leads out
    book = load_workbook(path)
    begun = 0
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str):
                    assert cell.data_type == "s"
                    if cell.value.startswith(FORMULA_STARTS):
                        assert cell.quotePrefix, cell.coordinate
                        begun += 1
    assert begun > 50
    titles = [row["title"].value for row in rows_of(book, "assessment")]
    assert titles[0] == visible(hostile(0).strip())
    notes = [row["note"].value for row in rows_of(book, "observations")]
    assert visible(hostile(0).replace("\x00", "")) in notes


def test_commands_print_hostile_tables_safely(hostile_council: Path) -> None:
    report = open_report("2004-05 Q3", str(hostile_council))
    assert len(grants(report)) == 20
    made = psa("assess", "2004-05 Q3", "--data", str(hostile_council), "--csv").stdout
    for row in csv.reader(io.StringIO(made, newline="")):
        assert not [cell for cell in row if cell.startswith(("=", "@", "\t"))]
