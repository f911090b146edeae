"""Files and cells as they really come: each ends in observations or in what to ask."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter
import xlwt
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from psa_analysis.findings import Finding
from psa_analysis.register.agreement import Agreement
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.cleaning import clean_returns
from psa_analysis.returns.sources import Sidecar
from psa_analysis.returns.table import load_returns

# Cells: text, value, flag, percent sign, multiplier.
CELLS = [
    ("55", 55, None),
    ("55.0", 55, None),
    (" 55 ", 55, None),
    ("-3", -3, None),
    ("−3", -3, None),
    (".5", 0.5, None),
    ("1,234", 1234, None),
    ("1,234,567.8", 1234567.8, None),
    ("£1,234", 1234, None),
    ("-£5", -5, None),
    ("£-5", -5, None),
    ("(12)", -12, None),
    ("(1,200.50)", -1200.5, None),
    ("55%", 55, None),
    ("55 %", 55, None),
    ("77(r)", 77, "revised"),
    ("77 (r)", 77, "revised"),
    ("77r", 77, "revised"),
    ("77 [r]", 77, "revised"),
    ("77(p)", 77, "provisional"),
    ("77[e]", 77, "estimated"),
    ("77 R", 77, "revised"),
    ("10.96% (2005 provisional)", 10.96, "provisional"),
    ("12 (estimate)", 12, "estimated"),
    ("12 (final)", 12, "final"),
    ("12 provisional", 12, "provisional"),
    ("12 [prov]", 12, "provisional"),
    ("0 (2004 baseline)", 0, None),
    ("77[b]", 77, None),
    ("77(u)", 77, None),
    ("77*", 77, None),
    ("12 (see overleaf)", 12, None),
    ("c", None, "suppressed"),
    ("[c]", None, "suppressed"),
    ("*", None, "suppressed"),
    ("<5", None, "suppressed"),
    ("< 5", None, "suppressed"),
    ("under 5", None, "suppressed"),
    ("fewer than 10", None, "suppressed"),
    ("\u00a077(r)\u00a0", 77, "revised"),
]
AWAITED = [
    "x",
    "[x]",
    "..",
    ":",
    "N/A",
    "n/a",
    "NA",
    "#N/A",
    "TBC",
    "tba",
    "TBD",
    "z",
    "[z]",
    "Awaiting published figure",
    "awaited",
    "not yet available",
    "pending",
    "to follow",
    "No data",
    "not available",
    "due in May 2005",
]
UNREADABLE = [
    "99.43%100% A",
    "F&M",
    "-",
    "—",
    "nil",
    "?",
    "See notes",
    "1991 1Q1",
    "12 34",
    "1,23",
    "5e3",
    "#DIV/0!",
    "#REF!",
    "=B3/B4",
    "(12",
    "12)",
    "£(3)",
    "5 (forecast)",
    "5(f)",
    "77(q)",
    "77(2)",
    "3 4",
    "12.5%m",
    "5 (provisional, revised)",
    "c. 50",
    "~50",
    "50+",
    "٣",
    "９",
    "1_000",
    "nan",
    "inf",
    "0x1F",
    "1.2.3",
    "--5",
    "5-6",
    "5/6",
    "9" * 400,
    "<script>5</script>",
    "12 (target)",
    "1 234",
]


@pytest.mark.parametrize(("text", "value", "flag"), CELLS)
def test_cells_that_can_be_read(text: str, value: float | None, flag: str | None) -> None:
    cell = read_cell(text)
    assert cell.problem is None
    assert (cell.value, cell.flag, cell.awaited) == (value, flag, False)
    assert cell.percent == ("%" in text)


@pytest.mark.parametrize("text", AWAITED)
def test_cells_that_say_there_is_no_figure(text: str) -> None:
    cell = read_cell(text)
    assert (cell.value, cell.awaited, cell.problem, cell.note) == (None, True, None, text)


@pytest.mark.parametrize("text", UNREADABLE)
def test_cells_that_nobody_can_be_sure_of(text: str) -> None:
    cell = read_cell(text)
    assert cell.value is None
    assert cell.problem


@pytest.mark.parametrize(
    ("text", "times"), [("18.36m", 10**6), ("5k", 10**3), ("£2.5bn", 10**9), ("3 million", 10**6)]
)
def test_cells_in_thousands_and_millions(text: str, times: int) -> None:
    assert read_cell(text).multiplier == times


@given(st.decimals(-10_000_000, 10_000_000, places=3))
def test_no_number_is_ever_changed(number) -> None:
    for text in (f"{number}", f"{number:,}", f"{number}(r)", f" {number} [p]"):
        assert read_cell(text).value == float(number)


@given(st.text())
def test_any_text_is_a_figure_a_gap_or_a_problem(text: str) -> None:
    cell = read_cell(text)
    if cell.value is not None:
        assert cell.problem is None
        digits = re.sub(r"[^0-9.]", "", text)
        assert f"{abs(cell.value):.15g}".rstrip("0").rstrip(".") in digits or "," in text or digits


# Files: each gives the observations and the findings that it must end in.
Row = tuple[str, str, str, float | None, str]


@pytest.fixture
def load(agreement: Agreement, tmp_path: Path) -> Callable[..., tuple[pd.DataFrame, list[Finding]]]:
    """Load one file as if it had been dropped into the returns."""

    def loaded(name: str, content: bytes, **defaults: str) -> tuple[pd.DataFrame, list[Finding]]:
        folder = tmp_path / "data"
        (folder / "raw" / "returns").mkdir(parents=True, exist_ok=True)
        (folder / "raw" / "published").mkdir(exist_ok=True)
        (folder / "raw" / "returns" / name).write_bytes(content)
        sidecar = Sidecar(received=date(2005, 2, 1), checksum="", defaults=defaults)
        known = {
            "measure": [*agreement.measures.index, *agreement.measures["title"]],
            "area": agreement.areas["area"],
        }
        table, findings = load_returns(folder, {f"raw/returns/{name}": sidecar}, known)
        observations, more = clean_returns(table, agreement, today=date(2006, 1, 1))
        return observations, [*findings, *more]

    return loaded


def rows(observations: pd.DataFrame) -> list[Row]:
    columns = ["measure", "period", "value", "flag"]
    cells = observations["column"] + observations["row"].astype(str)
    listed = observations[columns].astype(object).where(observations[columns].notna(), None)
    return [
        (*row, cell)
        for row, cell in zip(listed.itertuples(index=False, name=None), cells, strict=True)
    ]


LONG = "Measure,Area,Period,Value\nN13,Leicestershire,2004-05 Q3,2300\n"
WIDE = "Measure,Area,2004-05 Q1,2004-05 Q2\nN13,Leicestershire,2300,2310\n"
TWO = [("N13", "2004-05 Q1", 2300, "final", "C2"), ("N13", "2004-05 Q2", 2310, "final", "D2")]
ONE = [("N13", "2004-05 Q3", 2300, "final", "D2")]

TEXT_FILES = {
    "plain": (LONG.encode(), ONE, []),
    "byte order mark": (LONG.encode("utf-8-sig"), ONE, []),
    "utf-16": (LONG.encode("utf-16"), ONE, []),
    "utf-16 without a mark": (LONG.encode("utf-16-le"), ONE, []),
    "windows-1252": (LONG.replace("2300", "£2300").encode("cp1252"), ONE, ["Windows-1252"]),
    "carriage returns": (LONG.replace("\n", "\r").encode(), ONE, []),
    "windows line ends": (LONG.replace("\n", "\r\n").encode(), ONE, []),
    "semicolons": (LONG.replace(",", ";").encode(), ONE, []),
    "tabs": (LONG.replace(",", "\t").encode(), ONE, []),
    "pipes": (LONG.replace(",", "|").encode(), ONE, []),
    "no last line end": (LONG.rstrip().encode(), ONE, []),
    "blank lines": (
        LONG.replace("\nN13", "\n\n\nN13").encode(),
        [("N13", "2004-05 Q3", 2300, "final", "D4")],
        [],
    ),
    "quoted commas": (LONG.replace("2300", '"2,300"').encode(), ONE, []),
    "title rows": (
        ("Return for the quarter\nMade by A. N. Other, ext 5\n\n" + LONG).encode(),
        [("N13", "2004-05 Q3", 2300, "final", "D5")],
        [],
    ),
    "words below": ((LONG + "\nSource: crime recording system\n").encode(), ONE, ["4 cells"]),
    "other headings": (
        LONG.replace("Measure,Area,Period,Value", "Indicator,District,Quarter,Actual").encode(),
        ONE,
        [],
    ),
    "columns in another order": (
        b"Value,Period,Area,Measure\n2300,2004-05 Q3,Leicestershire,N13\n",
        [("N13", "2004-05 Q3", 2300, "final", "A2")],
        [],
    ),
    "a column we do not know": (
        b"Measure,Area,Period,Value,Officer\nN13,Leicestershire,2004-05 Q3,2300,AB\n",
        ONE,
        ["column E: found 'Officer'"],
    ),
    "measure by title": (LONG.replace("N13", "vehicle CRIME").encode(), ONE, []),
    "measure mistyped": (LONG.replace("N13", "N31").encode(), [], ["found 'N31'"]),
    "area mistyped": (
        LONG.replace("Leicestershire", "Liecestershire").encode(),
        [],
        ["Did you mean 'Leicestershire'?"],
    ),
    "no measure column": (
        b"Area,Period,Value\nLeicestershire,2004-05 Q3,2300\n",
        [],
        ["a column headed one of measure"],
    ),
    "an empty file": (b"", [], ["The file is empty"]),
    "only spaces": (b" \r\n \r\n", [], ["The file is empty"]),
    "only words": (b"Please find attached\nRegards\n", [], ["a header row"]),
    "a header alone": (b"Measure,Area,Period,Value\n", [], []),
    "revised": (
        LONG.replace("2300", "2300(r)").encode(),
        [("N13", "2004-05 Q3", 2300, "revised", "D2")],
        [],
    ),
    "flag twice": (
        b"Measure,Area,Period,Value,Flag\nN13,Leicestershire,2004-05 Q3,2300(r),provisional\n",
        [],
        ["the same flag in cell and column"],
    ),
    "to be confirmed": (LONG.replace("2300", "TBC").encode(), [], ["found 'TBC'"]),
    "a dash": (LONG.replace("2300", "-").encode(), [], ["this may mean either"]),
    "an empty value": (LONG.replace("2300", "").encode(), [], ["[x] if there is none"]),
    "suppressed": (
        LONG.replace("2300", "<5").encode(),
        [("N13", "2004-05 Q3", None, "suppressed", "D2")],
        [],
    ),
    "two figures in a cell": (
        b"Measure,Area,Period,Value\nL4-repeat,Leicestershire,2004-05 Q3,99.43%100% A\n",
        [],
        ["one plain figure"],
    ),
    "a percentage for a count": (LONG.replace("2300", "23%").encode(), [], ["not a percentage"]),
    "millions": (
        b"Measure,Area,Period,Value\nN9,Leicestershire,2004-05 Q3,3.81m\n",
        [("N9", "2004-05 Q3", 3.81, "final", "D2")],
        [],
    ),
    "units for millions": (
        b'Measure,Area,Period,Value\nN9,Leicestershire,2004-05 Q3,"3,810k"\n',
        [("N9", "2004-05 Q3", 3.81, "final", "D2")],
        [],
    ),
    "a fraction for a percentage": (
        b"Measure,Area,Period,Value\nN2,Leicestershire,summer 2004,0.554\n",
        [],
        ["Ask whether 55.4 was meant"],
    ),
    "a footnote in the period": (LONG.replace("Q3", "Q31").encode(), [], ["without a footnote"]),
    "FY04": (b"Measure,Area,Period,Value\nN6-eet,Leicestershire,FY04,56\n", [], ["FY04 may begin"]),
    "a day for a quarter": (LONG.replace("2004-05 Q3", "31/12/2004").encode(), ONE, []),
    "a serial for a quarter": (LONG.replace("2004-05 Q3", "38352").encode(), ONE, []),
    "an American date": (
        b"Measure,Area,Period,Value,Received\nN13,Leicestershire,2004-05 Q3,2300,01/05/2005\n",
        [],
        ["the day it came in"],
    ),
    "words of another year": (
        b"Measure,Area,Period,Value\nN6-eet,Leicestershire,2003/04,50 (2002 baseline)\n",
        [("N6-eet", "2003/04", 50, "final", "D2")],
        ["words about 2003/04"],
    ),
    "twins that agree": ((LONG + LONG.splitlines()[1] + "\n").encode(), ONE, []),
    "twins that differ": (
        (LONG + LONG.splitlines()[1].replace("2300", "2301") + "\n").encode(),
        [],
        ["says 2300 final", "says 2301 final"],
    ),
    "a ragged row": ((LONG + "N13,Leicestershire,2004-05 Q2,1,2,3\n").encode(), ONE, ["'6 cells'"]),
    "zero bytes": (LONG.replace("N13,", "N1\0003,").encode(), [], ["column measure: found 'N1"]),
    "a quotation mark left open": (LONG.replace("2300", '"2300').encode(), ONE, []),
    "year and quarter apart": (
        b"Measure,Area,Financial year,Quarter,Value\n"
        b"N13,Leicestershire,2004/05,1,2300\nN13,Leicestershire,2004/05,Q2,2310\n",
        [("N13", "2004-05 Q1", 2300, "final", "E2"), ("N13", "2004-05 Q2", 2310, "final", "E3")],
        [],
    ),
    "a year that contradicts its quarter": (
        b"Measure,Area,Year,Quarter,Value\nN13,Leicestershire,2003/04,2004-05 Q1,2300\n",
        [],
        ["found '2003/04 2004-05 Q1'"],
    ),
    "a quarter without its year": (
        b"Measure,Area,Year,Quarter,Value\nN13,Leicestershire,,Q1,2300\n",
        [],
        ["found 'Q1'"],
    ),
    "markup": (LONG.replace("N13", "<b>N13</b>").encode(), [], ["found '<b>N13</b>'"]),
    "wide": (WIDE.encode(), TWO, []),
    "wide with titles": (
        ("Vehicle crime return\n\n" + WIDE).encode(),
        [(m, p, v, f, f"{c[0]}4") for m, p, v, f, c in TWO],
        [],
    ),
    "wide with other spellings": (WIDE.replace("2004-05 Q1", "Apr-Jun 2004").encode(), TWO, []),
    "wide, years over quarters": (
        b",,2004/05,\nMeasure,Area,Q1,Q2\nN13,Leicestershire,2300,2310\n",
        [(m, p, v, f, f"{c[0]}3") for m, p, v, f, c in TWO],
        [],
    ),
    "wide with days": (WIDE.replace("2004-05 Q1", "2004-06-30").encode(), TWO, []),
    "wide without headings": (WIDE.replace("Measure,Area", ",").encode(), TWO, []),
    "wide with a blank": (WIDE.replace("2310", "").encode(), TWO[:1], []),
    "wide with notes in cells": (
        WIDE.replace("2310", "2310 (p)").encode(),
        [TWO[0], (*TWO[1][:3], "provisional", "D2")],
        [],
    ),
    "a total that adds up": (
        b"Measure,Area,2003/04\nL8,Blaby,10\nL8,Melton,5\nL8,Total,15\n",
        [("L8", "2003/04", 10, "final", "C2"), ("L8", "2003/04", 5, "final", "C3")],
        [],
    ),
    "a total with digits swapped": (
        b"Measure,Area,2003/04\nL8,Blaby,10\nL8,Melton,5\nL8,Total,51\n",
        [("L8", "2003/04", 10, "final", "C2"), ("L8", "2003/04", 5, "final", "C3")],
        ["the sum of the rows above, 15"],
    ),
    "a total in a long table": (
        b"Measure,Area,Period,Value\nL8,Blaby,2003/04,10\nL8,Melton,2003/04,5\nL8,Total,2003/04,51\n",
        [("L8", "2003/04", 10, "final", "D2"), ("L8", "2003/04", 5, "final", "D3")],
        ["the sum of the rows above, 15"],
    ),
    "a second header over the periods": (
        b",,2004-05 Q1,,2004-05 Q2,\nMeasure,Area,Target,Actual,Target,Actual\nN13,Leicestershire,1,2,3,4\n",
        [],
        ["a header row"],
    ),
    "targets beside outturns": (
        b",,Actual,,Target,\nMeasure,Area,2002/03,2003/04,2004/05,2005/06\nN6-eet,Leicestershire,55,60,80,85\n",
        [],
        ["'Target' stands above the periods"],
    ),
    "a second table below": (
        (WIDE + "\n" + WIDE.replace("2004-05", "2003-04")).encode(),
        TWO,
        ["one table to a sheet"],
    ),
    "two tables side by side": (
        b"Measure,Area,Period,Value,,Measure,Area,Period,Value\nN13,Leicestershire,2004-05 Q1,1,,N13,Leicestershire,2004-05 Q2,2\n",
        [],
        ["one column for each of area, measure, period, value"],
    ),
    "two columns of figures": (
        LONG.replace("Value", "Value,Actual").replace("2300", "2300,2200").encode(),
        [],
        ["one column for each of value"],
    ),
    "a quotation mark that swallows rows": (
        b'measure,area,period,value,note\nN13,Leicestershire,2004-05 Q1,1,"ok\nN13,Leicestershire,2004-05 Q2,2,\n',
        [],
        ["a quotation mark left open"],
    ),
    "a comma in a figure below a title": (
        ("Return,,,\n" + LONG.replace("2300", "2,300")).encode(),
        [],
        ["nothing beyond the last heading"],
    ),
    "a blank measure beside a default": (
        b"Measure,Area,2004-05 Q1\nN26-county,Blaby,11\n,Charnwood,12\n",
        [("N26-county", "2004-05 Q1", 11, "final", "C2")],
        ["row 3, column measure: found ''"],
    ),
    "quarters before their year": (
        b",,,2003/04,\nMeasure,Area,Q4,Q1,Q2\nN13,Leicestershire,1,2,3\n",
        [],
        ["one column for each of Q4"],
    ),
    "two columns of years": (
        b"Measure,Area,Year,Financial year,Quarter,Value\nN13,Leicestershire,2004,2004/05,Q1,1\n",
        [],
        ["one column for each of period"],
    ),
    "a row of parts without its period": (
        b"Measure,Area,Period,Value,Numerator,Denominator\nL5,Leicestershire,,,5,9\n",
        [],
        ["row 2, column period"],
    ),
    "periods down and areas across": (
        b"Measure,Period,Blaby,Charnwood\nN26-county,2004-05 Q1,3,4\n",
        [],
        ["a header row"],
    ),
    "millions in full": (
        (
            "Measure,Area,Period,Value\n"
            + "".join(f"N9,Leicestershire,{y}-0{y - 1999} Q1,3.8\n" for y in range(2001, 2005))
            + "N9,Leicestershire,2004-05 Q2,3800000\n"
        ).encode(),
        [
            ("N9", f"{y}-0{y - 1999} Q1", 3.8, "final", f"D{n}")
            for n, y in enumerate(range(2001, 2005), 2)
        ],
        ["1,000,000 times the usual"],
    ),
    "a percentage as a fraction": (
        b"Measure,Area,Period,Value\nL5,Leicestershire,2004-05 Q1,.62\n",
        [],
        ["looks like a fraction"],
    ),
}


@pytest.mark.parametrize("case", TEXT_FILES)
def test_text_files(load: Callable, case: str) -> None:
    content, expected, says = TEXT_FILES[case]
    defaults = {"measure": "N26-all"} if case == "a blank measure beside a default" else {}
    observations, findings = load("return.csv", content, **defaults)
    assert rows(observations) == expected, "\n".join(map(str, findings))
    said = "\n".join(map(str, findings))
    assert len(findings) == len(says), said
    for words in says:
        assert words in said


def workbook(fill: Callable[[xlsxwriter.Workbook], None]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        fill(book)
    return content.getvalue()


def table(sheet: xlsxwriter.workbook.Worksheet, *lines: list, top: int = 0) -> None:
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            sheet.write(row + top, column, cell)


HEAD = ["Measure", "Area", "Period", "Value"]
LINE = ["N13", "Leicestershire", "2004-05 Q3", 2300]


def _one(book: xlsxwriter.Workbook) -> None:
    table(book.add_worksheet("Crime"), HEAD, LINE)


def _titles(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Crime")
    sheet.merge_range("A1:D1", "Quarterly return")
    table(sheet, HEAD, LINE, top=3)


def _several(book: xlsxwriter.Workbook) -> None:
    table(book.add_worksheet("One"), HEAD, LINE)
    table(book.add_worksheet("Two"), HEAD, ["L4-incidents", *LINE[1:3], 1200])
    table(book.add_worksheet("Notes"), ["Figures are from the crime system"])


def _hidden(book: xlsxwriter.Workbook) -> None:
    _one(book)
    hidden = book.add_worksheet("Old")
    table(hidden, HEAD, ["N13", "Leicestershire", "2003-04 Q3", 1])
    hidden.hide()


def _formula(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Crime")
    table(sheet, HEAD, LINE[:3])
    sheet.write_formula("D2", "=1150*2", None, 2300)


def _merged_years(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Crime")
    sheet.merge_range("C1:D1", "2004/05")
    table(sheet, ["Measure", "Area", "Q1", "Q2"], ["N13", "Leicestershire", 2300, 2310], top=1)


def _days(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Crime")
    table(sheet, HEAD, LINE)
    sheet.write_datetime("C2", date(2004, 12, 31), book.add_format({"num_format": "mmm-yy"}))


def _error(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Crime")
    table(sheet, HEAD, LINE[:3])
    sheet.write_formula("D2", "=1/0", None, "#DIV/0!")


def _percentages(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Crime")
    quarters = ["2003-04 Q4", "2004-05 Q1", "2004-05 Q2", "2004-05 Q3"]
    table(sheet, HEAD, *(["L4-repeat", "Leicestershire", quarter, ""] for quarter in quarters))
    printed = book.add_format({"num_format": '0.0"%"'})  # the sign is printed, nothing is scaled
    sheet.write_number("D2", 0.111, book.add_format({"num_format": "0%"}))
    sheet.write_number("D3", 0.07, book.add_format({"num_format": "0.0%;[Red]-0.0%"}))
    sheet.write_number("D4", 11.5, printed)
    sheet.write_string("D5", "11.6", book.add_format({"num_format": "0%"}))


def _sheet_named_for_its_measure(book: xlsxwriter.Workbook) -> None:
    table(
        book.add_worksheet("N13"),
        ["Area", "2004-05 Q1", "2004-05 Q2"],
        ["Leicestershire", 2300, 2310],
    )


IN_SHEET = [("N13", "2004-05 Q3", 2300, "final", "D2")]
WORKBOOKS = {
    "one sheet": (_one, IN_SHEET, []),
    "titles and a merged cell": (_titles, [("N13", "2004-05 Q3", 2300, "final", "D5")], []),
    "several sheets": (
        _several,
        [("L4-incidents", "2004-05 Q3", 1200, "final", "D2"), *IN_SHEET],
        ["sheet Notes"],
    ),
    "a hidden sheet": (_hidden, IN_SHEET, ["The sheet is hidden"]),
    "a formula's value": (_formula, IN_SHEET, []),
    "a year merged over quarters": (
        _merged_years,
        [(m, p, v, f, f"{c[0]}3") for m, p, v, f, c in TWO],
        [],
    ),
    "a day shown as a month": (_days, IN_SHEET, []),
    "a formula's error": (_error, [], ["a spreadsheet's error"]),
    "percentages that hold fractions": (
        _percentages,
        [
            ("L4-repeat", *figure)
            for figure in (
                ("2003-04 Q4", 11.1, "final", "D2"),
                ("2004-05 Q1", 7, "final", "D3"),
                ("2004-05 Q2", 11.5, "final", "D4"),
                ("2004-05 Q3", 11.6, "final", "D5"),
            )
        ],
        [],
    ),
    "a sheet named for its measure": (
        _sheet_named_for_its_measure,
        [(m, p, v, f, f"{chr(ord(c[0]) - 1)}2") for m, p, v, f, c in TWO],
        [],
    ),
}


@pytest.mark.parametrize("case", WORKBOOKS)
def test_workbooks(load: Callable, case: str) -> None:
    fill, expected, says = WORKBOOKS[case]
    observations, findings = load("return.xlsx", workbook(fill))
    said = "\n".join(map(str, findings))
    assert rows(observations) == expected, said
    assert len(findings) == len(says), said
    for words in says:
        assert words in said


def test_a_formula_that_was_never_calculated_is_a_finding(load: Callable) -> None:
    whole = workbook(_formula)
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.namelist():
            new.writestr(part, re.sub(rb"</f><v>2300</v>", b"</f>", old.read(part)))
    observations, findings = load("return.xlsx", changed.getvalue())
    assert rows(observations) == []
    assert "sheet Crime, row 2, column value" in str(findings[0])
    assert "let it calculate, save it" in str(findings[0])


def test_old_workbooks_are_read(load: Callable) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Crime")
    for row, line in enumerate([HEAD, LINE]):
        for column, cell in enumerate(line):
            sheet.write(row, column, cell)
    content = io.BytesIO()
    book.save(content)
    observations, findings = load("return.xls", content.getvalue())
    assert (rows(observations), findings) == (IN_SHEET, [])


def test_open_documents_are_read(load: Callable) -> None:
    content = io.BytesIO()
    pd.DataFrame([LINE], columns=HEAD).to_excel(content, engine="odf", index=False)
    observations, findings = load("return.ods", content.getvalue())
    assert (rows(observations), findings) == (IN_SHEET, [])


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + b"\0" * 60, b"not a workbook"])
@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_a_broken_workbook_is_one_finding(load: Callable, ending: str, content: bytes) -> None:
    observations, findings = load(f"return.{ending}", content)
    assert len(observations) == 0
    assert ["a workbook that opens" in str(finding) for finding in findings] == [True]


RAW_EXPORT = """;2001/02;2002/03;2003/04
Local Authorities
Derby;73;73;77(r)
Leicestershire;75;76;80(r)
Rutland;82;x;84(r)
Regions
East Midlands;75;76;81(r)
"""


def test_the_departments_raw_export(load: Callable) -> None:
    """The shape of an untouched export: areas down, years across, marks in cells, headings."""
    observations, findings = load("ks2.txt", RAW_EXPORT.encode(), measure="L1-ks2-maths4")
    assert len(observations) == 11
    cell = observations.set_index(["area", "period"])
    assert cell.loc[("Leicestershire", "2003/04"), ["value", "flag"]].tolist() == [80, "revised"]
    assert cell.loc[("Leicestershire", "2003/04"), ["row", "column"]].tolist() == [4, "D"]
    assert [(f.row, f.found) for f in findings] == [(5, "x")]


@given(st.binary(max_size=400))
@example(b"\xff\xfe")
@example(b"\0" * 50)
@example(LONG.encode() + b"\xff")
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_whatever_the_bytes_there_is_no_exception(
    load: Callable, ending: str, content: bytes
) -> None:
    observations, findings = load(f"any.{ending}", content)
    assert len(observations) or findings or not content.strip(b"\r\n\t ,;|\0\xef\xbb\xbf\xff\xfe")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["N13", "L4-incidents", "N99", ""]),
            st.sampled_from(["2004-05 Q1", "2004-05 Q2", "Q3 04-05", "FY04", ""]),
            st.one_of(
                st.integers(0, 99999).map(str), st.sampled_from(["TBC", "77(r)", "-", "<5", ""])
            ),
        ),
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t"]),
)
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_every_figure_is_loaded_unchanged_or_named(
    load: Callable, lines: list, delimiter: str
) -> None:
    """Nothing is lost: a row is an observation, has a finding, or was empty."""
    text = [["measure", "area", "period", "value"]]
    text += [[measure, "Leicestershire", period, value] for measure, period, value in lines]
    content = "\n".join(delimiter.join(line) for line in text)
    observations, findings = load("any.csv", content.encode())
    named = {finding.row for finding in findings}
    taken = dict(zip(observations["row"], observations["value"], strict=True))
    # A twin that agrees with an earlier row is that row.
    said = {tuple(line) for row, line in enumerate(text, start=1) if row in taken or row in named}
    for row, (_, _, period, value) in enumerate(text, start=1):
        if row == 1 or (value == "" and period == ""):
            continue
        if row in taken and value.isdigit():
            assert taken[row] == float(value)
        assert row in taken or row in named or tuple(text[row - 1]) in said
