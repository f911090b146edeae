"""The workbook, Parquet and CSV of a pack: figures as they are, and text that stays text."""

import csv
import dataclasses
import io
import json
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
from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell

from psa_analysis.analysis.assessment import STATES
from psa_analysis.files import FORMULA_STARTS, checksum, csv_text
from psa_analysis.findings import visible
from psa_analysis.packs import workbook
from psa_analysis.packs.workbook import SHEETS, assessment_parquet, tables, write_workbook
from psa_analysis.pipeline import ROOT
from psa_analysis.report import Report
from psa_analysis.returns.sources import Sidecar, write_sidecar


@pytest.fixture(scope="module")
def book(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    path = tmp_path_factory.mktemp("book") / "book.xlsx"
    write_workbook(report, path)
    return load_workbook(path)


def rows_of(book: Workbook, sheet: str) -> list[dict[str, Cell]]:
    head, *rows = book[sheet].iter_rows()
    return [dict(zip([cell.value for cell in head], row, strict=True)) for row in rows]


def test_a_sheet_for_each_table_with_its_header_frozen(report: Report, book: Workbook) -> None:
    assert ["summary", *tables(report), "columns"] == [*SHEETS]
    assert book.sheetnames == ["summary", "contents", *tables(report), "columns"]
    for name in book.sheetnames[1:]:
        sheet = book[name]
        assert sheet.freeze_panes in ("B2", "C2"), name
        assert sheet.auto_filter.ref == sheet.dimensions, name
        assert all(cell.font.bold for cell in sheet[1]), name


def test_every_cell_is_what_the_table_says(report: Report, book: Workbook) -> None:
    for name, table in tables(report).items():
        assert [cell.value for cell in book[name][1]] == list(table.columns), name
        for row, record in zip(rows_of(book, name), table.to_dict("records"), strict=True):
            for column, expected in record.items():
                cell, where = row[column], (name, row[column].coordinate)
                if isinstance(expected, list):
                    assert (cell.value or "") == "; ".join(expected), where
                elif pd.isna(expected) or expected == "":
                    assert cell.value is None, where
                elif isinstance(expected, date | pd.Timestamp):
                    assert cell.value == pd.Timestamp(expected), where
                    assert (cell.data_type, cell.number_format) == ("d", "yyyy-mm-dd"), where
                elif isinstance(expected, int | float | Fraction):
                    assert cell.data_type == ("b" if isinstance(expected, bool) else "n"), where
                    assert cell.value == pytest.approx(float(expected), rel=1e-15), where
                else:
                    assert (cell.value, cell.data_type) == (expected, "s"), where


@pytest.mark.parametrize(
    ("sheet", "column", "unit", "value", "shown"),
    [
        ("assessment", "latest", "percent", 63.0, '#,##0.0"%"'),
        ("assessment", "latest", "percent change", -8.3, '+#,##0.0"%";-#,##0.0"%";0"%"'),
        ("assessment", "latest", "incidents", 4852.0, "#,##0"),
        ("assessment", "baseline", "casualties", 42 / 0.72, "#,##0.0"),
        ("assessment", "target", "percent", 19.85, '#,##0.00"%"'),
        ("assessment", "latest", "million journeys", 15.0, "#,##0.00"),
        ("assessment", "chance_target", "incidents", 0.25, "0%"),
        # The same name, in the grant a share.
        ("assessment", "low_80", "incidents", 4274.0, "#,##0"),
        ("grant", "low_80", "incidents", 1.0, "0%"),
        ("grant", "pounds_most", "incidents", 1e6, "£#,##0"),
        ("observations", "value", "percent", 14.29, "General"),
        ("findings", "row", "", 2004.0, "General"),
    ],
)
def test_numbers_have_their_usual_formats(sheet, column, unit, value, shown) -> None:
    assert workbook.number_format(sheet, column, unit, value) == shown


def test_every_sheet_and_column_is_described(report: Report, book: Workbook) -> None:
    rows = [tuple(cell.value for cell in row) for row in book["contents"].iter_rows(min_row=2)]
    assert [name for kind, name, _ in rows if kind == "sheet"] == [*SHEETS]
    assert ("state", "off track", STATES["off track"]) in rows
    columns = [tuple(cell.value for cell in row) for row in book["columns"].iter_rows(min_row=2)]
    expected = [(name, column) for name, table in tables(report).items() for column in table]
    assert [row[:2] for row in columns] == expected
    assert all(meaning for _, _, meaning in rows + columns)


def summary_rows(book: Workbook) -> tuple[int, dict[str, dict[str, Cell]]]:
    """The row of the summary's header, and its rows below by their code."""
    rows = list(book["summary"].iter_rows())
    header = next(row for row in rows if row[1].value == "Code")
    heads = [cell.value for cell in header]
    below = [dict(zip(heads, row, strict=True)) for row in rows[header[0].row :]]
    return header[0].row, {row["Code"].value: row for row in below if row["Code"].value}


def test_the_first_sheet_is_for_managers(report: Report, book: Workbook, tmp_path: Path) -> None:
    sheet, (header, rows) = book.worksheets[0], summary_rows(book)
    assert sheet.title == book.active.title == "summary"
    assessed = report.assessment.set_index("measure")
    counting = assessed.index[assessed["role"] == "target"]
    assert [*rows] == [*counting, *assessed.index.difference(counting, sort=False)]
    text = "\n".join(str(row[0].value) for row in sheet.iter_rows(max_row=header - 1))
    assert "2004-05 Q3, from figures received by 14 February 2005. Internal report." in text
    on_track = (assessed.loc[counting, "state"] == "on track").sum()
    assert f"Of {len(counting)} measures: {on_track} on track, " in text
    shown = {head: cell.value for head, cell in rows["N13"].items()}
    row = report.rows["N13"]
    assert shown["Latest"] == pytest.approx(row["latest"], abs=1e-9)
    assert shown["State"].endswith(f" {row['state']} (forecast)")
    assert shown["Chance of the target"] == f"{int(100 * row['chance_target'])}%"
    assert (shown["Target"], shown["Due"]) == (-20, "2005/06")
    assert shown["Note"] == "reading provisional, illustrative"
    assert rows["N10"]["Note"].value == "target derived, illustrative"
    assert rows["N9"]["Target"].value == "not stated"
    assert rows["N7-gps"]["Note"].value.startswith("return late")
    for name, row in rows.items():
        state, colour = assessed.at[name, "state"], row["State"].fill.fgColor.rgb[2:].lower()
        assert state in row["State"].value
        assert f"#{colour}" == workbook._COLOURS.get(state, "#000000")
    real = dataclasses.replace(report, assessment=report.assessment.assign(illustrative=False))
    write_workbook(real, tmp_path / "b.xlsx")
    lines = [str(row[0].value) for row in load_workbook(tmp_path / "b.xlsx")["summary"]]
    made_up = "outturns in this workbook are made up"
    assert (made_up in text, made_up in "\n".join(lines)) == (True, False)


def test_the_summary_fits_a_page_across(book: Workbook) -> None:
    sheet, (header, rows) = book["summary"], summary_rows(book)
    assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize)) == ("landscape", 9)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.print_title_rows == f"${header}:${header}"
    assert sheet.print_area == f"'summary'!$A$1:$L${sheet.max_row}"
    assert sheet.freeze_panes == f"B{header + 1}"
    widths = {name: column.width for name, column in sheet.column_dimensions.items()}
    # So many characters of 11 points stand on A4 across; print makes them 7 points at the least.
    assert len(widths) == sheet.max_column == 12
    assert sum(widths.values()) < 215
    for row in rows.values():
        for cell in row.values():
            text = cell.value if cell.data_type == "s" else "-1,000.0%"
            longest = max(text.split(), key=len)
            assert len(longest) <= widths[cell.column_letter], cell.coordinate
            assert cell.alignment.wrap_text


def test_the_same_report_gives_the_same_bytes(report: Report, tmp_path: Path, monkeypatch) -> None:
    write_workbook(report, tmp_path / "here.xlsx")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        write_workbook(report, tmp_path / "there.xlsx")
    time.tzset()
    assert (tmp_path / "here.xlsx").read_bytes() == (tmp_path / "there.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "here.xlsx") as parts:
        # Nor is there a time of writing.
        assert {part.date_time[0] for part in parts.infolist()} == {1980}
    assert load_workbook(tmp_path / "here.xlsx").properties.modified == datetime(2005, 2, 14)
    assert assessment_parquet(report) == assessment_parquet(report)


def test_the_public_workbook_names_none_of_our_files(report: Report, tmp_path: Path) -> None:
    nothing = pd.DataFrame(columns=["measure", "area", "period", "reason"])
    public = dataclasses.replace(report, audience="public", withheld=nothing)
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
    # On another type of processor the last digits of what is worked out are others.
    floats = report.assessment.select_dtypes("float") * (1 + 1e-14)
    other = dataclasses.replace(report, assessment=report.assessment.assign(**floats))
    assert assessment_parquet(other) == assessment_parquet(report)
    # The types do not depend on what is known by then, so packs can be put together.
    first = pd.read_parquet(io.BytesIO(assessment_parquet(report_of("1999-00 Q1"))))
    assert first["latest"].isna().all()
    assert first.dtypes.to_dict() == made.dtypes.to_dict()


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
    assert workbook.cell_text("x" * 32_767) == "x" * 32_767
    cut = workbook.cell_text("x" * 40_000)
    assert len(cut) <= 32_767
    assert cut.endswith("x… (cut here)")


def test_csv_marks_what_begins_a_formula_and_nothing_else() -> None:
    starts = ["=1+1", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠1"]
    table = pd.DataFrame({"text": [*starts, "plain", "a=1"], "number": [-1.5, *range(11)]})
    rows = list(csv.reader(io.StringIO(csv_text(table), newline="")))[1:]
    shown = [f"'{text}".replace("\r", "\n") for text in starts]
    assert [row[0] for row in rows] == [*shown, "plain", "a=1"]
    assert rows[0][1] == "-1.5"
    assert table["text"].tolist()[:10] == starts  # the table itself is not touched


#: What each text of the hostile agreement begins with, in turn.
STARTS = ['=HYPERLINK("http://example.org","x")', "+1", "-1+2", "@SUM(1+1)", "\t=1"]
STARTS += ["<script>alert(1)", "</title></details></table>", "{{7*7}}", "$\\undefined{$"]
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


def write_rows(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def hostile_council(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped agreement with hostile text wherever there is free text."""
    folder = tmp_path_factory.mktemp("hostile") / "council"
    raw = folder / "raw"
    shutil.copytree(ROOT / "data" / "raw", raw)
    for name, columns in FREE.items():
        path = raw / "register" / f"{name}.csv"
        with path.open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        for number, row in enumerate(rows):
            for column in columns:
                row[head.index(column)] = hostile(number)
        write_rows(path, [head, *rows])
    hostile_settings(raw / "agreement.toml")
    hostile_returns(raw / "returns")
    head = "measure,area,period,received,action,value,expect,reason,said_by,said_on"
    cells = "N13,Leicestershire,2004-05 Q3,2005-01-28,flag,provisional,"
    correction = [*cells.split(","), hostile(1), hostile(2), "2005-02-01"]
    write_rows(raw / "corrections.csv", [head.split(","), correction])
    return folder


def hostile_settings(path: Path) -> None:
    """Hostile names of the agreement, its council, partners, headings and documents."""
    numbers = iter(range(1, 1000))

    def change(match: re.Match[str]) -> str:
        # JSON escapes as TOML does, which allows control characters as escapes only.
        return f"{match[1]} = {json.dumps(hostile(next(numbers)))}"

    sections = re.split(r"(?m)^(?=\[)", path.read_text(encoding="utf-8"))
    for place, section in enumerate(sections):
        if section.startswith(("[partners]", "[themes]", "[objectives]", "[documents")):
            sections[place] = re.sub(r'(?m)^([\w-]+) = ".*"', change, section)
        if section.startswith("[agreement]"):
            sections[place] = re.sub(r'(?m)^(name|council) = ".*"', change, section)
    path.write_text("".join(sections), encoding="utf-8")


#: Linux lets a file be called like this.
FILE = "=cmd|'x'!A1 <img src=x onerror=alert(1)> ‮.csv"


def hostile_returns(folder: Path) -> None:
    """A file with a hostile name, notes, cells and sidecar."""
    path, later = folder / FILE, ["2005-02-10", "yes"]
    rows = [
        ["measure", "area", "period", "value", "received", "illustrative", "note"],
        # The best incidents so far, so that its file and row reach the assessment.
        ["L4-incidents", "Leicestershire", "2004-05 Q3", "1300", *later, hostile(0)],
        ["N13", "Leicestershire", "2004-05 Q2", hostile(1), *later, hostile(2)],
        [hostile(3), "Leicestershire", "2004-05 Q2", "1", *later, ""],
        ["N13", hostile(4), hostile(5), "1", hostile(6), hostile(8), ""],
    ]
    write_rows(path, [[cell.replace("\x00", "") for cell in row] for row in rows])
    fields = enumerate(["title", "producer", "address", "licence", "note"])
    texts = {name: hostile(number).replace("\x00", "") for number, name in fields}
    sidecar = Sidecar(received=date(2005, 2, 10), checksum=checksum(path), **texts)
    write_sidecar(path.with_name(path.name + ".toml"), sidecar)


@pytest.fixture(scope="module")
def hostile_pack(hostile_council: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack that is made of it; the page on method shows nothing of it."""
    folder = tmp_path_factory.mktemp("hostile_pack")
    (folder / "notebooks").mkdir()
    # The pages that between them show every text that a folder may hold.
    names = ("00_overview", "02_safer_county", "05_corporate_strategy", "06_data_quality")
    for name in names:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder / "notebooks")
    where = ["--outputs", str(folder / "out"), "--notebooks", str(folder / "notebooks")]
    result = psa_run("2004-05 Q3", "--data", str(hostile_council), *where)
    assert result.output.count(": done in") == len(names), result.output
    assert result.exit_code == 1  # the hostile return has errors, and psa check says which
    return folder / "out" / "2004-05-Q3"


#: Where a page may point: into itself or its pack, or to a picture that it holds.
LOCAL = re.compile(r"#|data:image/svg\+xml,|[\w.%-]+(#[\w-]+)?$")


def assert_harmless(html: str, name: str) -> None:
    """Nothing in a page acts, points elsewhere or is hidden; parsed, not only searched."""
    for tag, attributes in Tags(html).tags:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base"), name
        assert not [key for key in attributes if key.startswith("on")], (name, tag)
        for key in {"href", "src", "action", "formaction"} & set(attributes):
            assert LOCAL.match(attributes[key]), (name, attributes[key])
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f‪-‮⁦-⁩\ufffe\uffff]", html), name


def test_no_page_of_a_hostile_agreement_acts(hostile_pack: Path) -> None:
    pages = sorted(hostile_pack.glob("*.html"))
    assert len(pages) == len(list(hostile_pack.glob("*.ipynb"))) + 1 > 4
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert_harmless(html, page.name)
        text = "".join(Tags(html).text)
        script = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
        for shown in (script, "␀␇␛[31m", "[U+202E]edoc"):
            assert shown in text, (page.name, shown)
        tags = [tag for tag, _ in Tags(html).tags]
        assert tags.count("title") == tags.count("main") == tags.count("h1") == 1, page.name
        assert "7*7" in text or "49" not in text
        for tag, attributes in Tags(html).tags:
            if tag == "img":
                svg = ET.fromstring(unquote(attributes["src"].partition(",")[2]))
                assert not [part for part in svg.iter() if part.tag.endswith("}script")]
    overview = "".join(Tags((hostile_pack / "00_overview.html").read_text()).text)
    assert LONG.strip() in overview


def test_no_notebook_of_a_hostile_agreement_acts(hostile_pack: Path) -> None:
    cells = [
        (path.name, output)
        for path in hostile_pack.glob("*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    assert len(cells) > 20
    for name, output in cells:
        # No warning and no error.
        assert output["output_type"] in ("execute_result", "display_data"), output
        data = output["data"]
        assert not {"application/javascript", "text/latex"} & set(data)
        assert_harmless(data.get("text/markdown", ""), name)
        assert_harmless(data.get("text/html", ""), name)
        ET.fromstring(data.get("image/svg+xml", "<svg/>"))


def test_no_csv_of_a_hostile_agreement_is_a_formula(hostile_pack, hostile_council) -> None:
    guarded = 0
    for path in [*hostile_pack.glob("*.csv"), hostile_council / "processed" / "findings.csv"]:
        with path.open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        for cell in cells:
            if cell.startswith(FORMULA_STARTS):
                float(cell)  # a number below nought
            guarded += cell.startswith("'=HYPERLINK")
            assert "\x00" not in cell
    assert guarded


def test_parquet_holds_hostile_text_as_it_is(hostile_pack: Path) -> None:
    made = pd.read_parquet(hostile_pack / "assessment.parquet").set_index("measure")
    assert made.at["N2", "title"] == hostile(0).strip()
    # A name is printed on a line, in which nothing turns the rest around.
    assert made.at["L4-incidents", "file"] == f"raw/returns/{FILE}".replace("\u202e", "\\u202e")


def test_the_workbook_of_a_hostile_agreement(hostile_pack: Path) -> None:
    path = hostile_pack / "2004-05-Q3.xlsx"
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            tree = ET.fromstring(parts.read(name))  # each part is XML
            assert not [tag for tag in tree.iter() if tag.tag.endswith("}f")], name
            assert b"TargetMode" not in parts.read(name), name  # no link leads out
    book = load_workbook(path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    texts = [cell for cell in cells if isinstance(cell.value, str)]
    assert {cell.data_type for cell in texts} == {"s"}
    begun = [cell for cell in texts if cell.value.startswith(FORMULA_STARTS)]
    assert len(begun) > 50
    assert all(cell.quotePrefix for cell in begun)
    titles = [row["title"].value for row in rows_of(book, "assessment")]
    assert titles[0] == visible(hostile(0).strip())
    notes = [row["note"].value for row in rows_of(book, "observations")]
    assert visible(hostile(0).replace("\x00", "")) in notes


def test_commands_print_hostile_tables_safely(hostile_council: Path) -> None:
    made = psa("assess", "2004-05 Q3", "--data", str(hostile_council), "--csv").stdout
    for row in csv.reader(io.StringIO(made, newline="")):
        assert not [cell for cell in row if cell.startswith(("=", "@", "\t"))]
