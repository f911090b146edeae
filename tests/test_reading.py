"""Files and cells as they really come: each ends in observations or in what to ask."""

import io
import re
import shutil
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import odf.number
import odf.style
import odf.table
import odf.text
import openpyxl
import pandas as pd
import pytest
import xlwt
from builders import workbook
from hypothesis import given
from hypothesis import strategies as st
from odf.opendocument import OpenDocumentSpreadsheet
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from psa_analysis.findings import Finding
from psa_analysis.register.agreement import Agreement
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.cleaning import clean_returns
from psa_analysis.returns.sources import Sidecar
from psa_analysis.returns.table import load_returns

#: Cells that say the same, with their value and flag.
CELLS = [
    (["55", "55.0", " 55 ", "55%", "55 %"], 55, None),
    (["-3", "−3", "-3.0E+0", "-3e0"], -3, None),
    (["9.3699999999999992", "9.37", "9.37²", "0.937E1"], 9.37, None),
    ([".5", "0.5"], 0.5, None),
    (["1,234", "£1,234"], 1234, None),
    (["1,234,567.8"], 1234567.8, None),
    (["-£5", "£-5", "(5)"], -5, None),
    (["(1,200.50)"], -1200.5, None),
    (["77(r)", "77 (r)", "77r", "77 [r]", "77 R", "\u00a077(r)\u00a0"], 77, "revised"),
    (["77(p)", "77 provisional", "77 [prov]"], 77, "provisional"),
    (["77[e]", "77 (estimate)"], 77, "estimated"),
    (["77 (final)"], 77, "final"),
    (["10.96% (2005 provisional)"], 10.96, "provisional"),
    (["0 (2004 baseline)"], 0, None),
    (["77[b]", "77(u)", "77*", "77 (see overleaf)"], 77, None),
    (["c", "[c]", "*", "<5", "< 5", "under 5", "fewer than 10"], None, "suppressed"),
]
AWAITED = (
    "x|[x]|..|:|N/A|n/a|NA|#N/A|TBC|tba|TBD|z|[z]|Awaiting published figure|awaited"
    "|not yet available|pending|to follow|No data|not available|due in May 2005"
)
UNREADABLE = (
    "99.43%100% A|F&M|-|—|nil|?|See notes|1991 1Q1|12 34|1,23|0,5|#DIV/0!|#REF!|=B3/B4|(12|12)|£(3)"
    "|5 (forecast)|5(f)|77(q)|77(2)|3 4|12.5%m|5 (provisional, revised)|c. 50|~50|50+|٣|９|1_000|nan"
    "|inf|0x1F|1.2.3|--5|5-6|5/6|<script>5</script>|12 (target)|1 234|" + "9" * 400
)


@pytest.mark.parametrize(
    ("text", "value", "flag"), [(text, *rest) for texts, *rest in CELLS for text in texts]
)
def test_cells_that_can_be_read(text: str, value: float | None, flag: str | None) -> None:
    cell = read_cell(text)
    assert (cell.value, cell.flag, cell.awaited, cell.problem) == (value, flag, False, None)
    assert cell.percent == ("%" in text)


@pytest.mark.parametrize("text", [*AWAITED.split("|"), *UNREADABLE.split("|")])
def test_cells_without_a_figure_that_anybody_can_be_sure_of(text: str) -> None:
    cell = read_cell(text)
    assert cell.value is None
    if text in AWAITED.split("|"):
        assert (cell.awaited, cell.problem, cell.note) == (True, None, text)
    else:
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
        assert re.search("[0-9]", text)


# Files: each gives the observations and the findings that it must end in.
Row = tuple[str, str, float | None, str, str]
Loaded = tuple[pd.DataFrame, list[Finding]]


@pytest.fixture
def load(agreement: Agreement, tmp_path: Path) -> Callable[..., Loaded]:
    """Load one file as if it had been dropped into the returns."""

    def loaded(name: str, content: bytes, columns: Any = (), **defaults: str) -> Loaded:
        returns = tmp_path / "raw" / "returns"
        shutil.rmtree(returns, ignore_errors=True)
        returns.mkdir(parents=True)
        (returns / name).write_bytes(content)
        about = {"checksum": "", "columns": dict(columns), "defaults": defaults}
        sidecar = Sidecar(received=date(2005, 2, 1), **about)
        known = {
            "measure": [*agreement.measures.index, *agreement.measures["title"]],
            "area": agreement.areas["area"],
        }
        table, findings = load_returns(tmp_path, {f"raw/returns/{name}": sidecar}, known)
        observations, more = clean_returns(table, agreement, today=date(2006, 1, 1))
        return observations, [*findings, *more]

    return loaded


def check(result: Loaded, expected: list[Row], words: list[str]) -> None:
    """The rows are those expected, and each finding has its words."""
    observations, findings = result
    printed = "\n".join(map(str, findings))
    columns = observations[["measure", "period", "value", "flag"]].astype(object)
    cells = observations["column"] + observations["row"].astype(str)
    rows = columns.where(columns.notna(), None).assign(cell=cells)
    assert list(rows.itertuples(index=False, name=None)) == expected, printed
    assert len(findings) == len(words), printed
    assert all(text in printed for text in words), printed


def figure(period: str, value: float | None, cell: str, measure: str = "N13", flag="final") -> Row:
    return (measure, period, value, flag, cell)


Q1, Q2, Q3 = "2004-05 Q1", "2004-05 Q2", "2004-05 Q3"
HEADER = "Measure,Area,Period,Value\n"
SIDE = f"N13,Blaby,{Q3},2300"
LONG = f"{HEADER}{SIDE}\n"
YEARS = "Measure,Area,Year,Quarter,Value\nN13,Blaby,"
WIDE = "Measure,Area,2004-05 Q1,2004-05 Q2\nN13,Blaby,2300,2310\n"
OLDER = WIDE.replace("2004-05", "2003-04")
PARTS = "Measure,Area,2003/04\nL8,Blaby,10\nL8,Melton,5\n"
LONG_PARTS = HEADER + "L8,Blaby,2003/04,10\nL8,Melton,2003/04,5\n"
ONE = [figure(Q3, 2300, "D2")]
REVISED = [figure(Q3, 2300, "D2", flag="revised")]
TWO = [figure(Q1, 2300, "C2"), figure(Q2, 2310, "D2")]
PROVISIONAL = figure(Q2, 2310, "D2", flag="provisional")
TWO_BELOW = [figure(Q1, 2300, "C3"), figure(Q2, 2310, "D3")]
L8 = [figure("2003/04", 10, "C2", "L8"), figure("2003/04", 5, "C3", "L8")]
L8_LONG = [(*cells[:4], cells[4].replace("C", "D")) for cells in L8]
L8_LOWER = [figure("2003/04", 10, "C3", "L8"), figure("2003/04", 5, "C4", "L8")]
QUARTERS = [(f"{year}-0{year - 1999} Q1", 3.8, f"D{year - 1999}") for year in range(2001, 2005)]


def with_column(heading: str, cell: str, value: str = "2300") -> str:
    return f"{HEADER.strip()},{heading}\nN13,Blaby,{Q3},{value},{cell}\n"


LOW = {"2000/01": 7.1, "2001/02": 6.4, "2002/03": 3.1, "2003/04": 1.2}
#: Files that all say the same.
SAME = {
    "plain": LONG,
    "byte order mark": LONG.encode("utf-8-sig"),
    "utf-16": LONG.encode("utf-16"),
    "utf-16 without a mark": LONG.encode("utf-16-le"),
    "carriage returns": LONG.replace("\n", "\r"),
    "windows line ends": LONG.replace("\n", "\r\n"),
    "semicolons": LONG.replace(",", ";"),
    "tabs": LONG.replace(",", "\t"),
    "pipes": LONG.replace(",", "|"),
    "no last line end": LONG.rstrip(),
    "quoted commas": LONG.replace("2300", '"2,300"'),
    "a quotation mark left open": LONG.replace("2300", '"2300'),
    "other headings": LONG.replace(HEADER, "Indicator,District,Quarter,Actual\n"),
    "measure by title": LONG.replace("N13", "vehicle CRIME"),
    "a day for a quarter": LONG.replace(Q3, "31/12/2004"),
    "a serial for a quarter": LONG.replace(Q3, "38352"),
    "twins that agree": LONG + LONG.splitlines()[1],
}
HEADINGS = "headings for measure"
#: Files of which nothing is taken in, with the words of each finding.
REFUSED = {
    "measure mistyped": (LONG.replace("N13", "N31"), "found 'N31'"),
    "area mistyped": (LONG.replace("Blaby", "Blabi"), "Did you mean 'Blaby'?"),
    "no measure": ("Area,Period,Value\nBlaby,2004-05 Q3,2300\n", "headed one of measure"),
    "an empty file": ("", "found 'an empty file'"),
    "only spaces": (" \r\n \r\n", "found 'an empty file'"),
    "a byte order mark alone": (b"\xff\xfe", "found 'an empty file'"),
    "nothing but zeros": (b"\0" * 50, "found 'an empty file'"),
    "only words": ("Please find attached\nRegards\n", "headings for measure"),
    "a header alone": (HEADER, "a header and figures"),
    "to be confirmed": (LONG.replace("2300", "TBC"), "found 'TBC'"),
    "a dash": (LONG.replace("2300", "-"), "this may mean either"),
    "an empty value": (LONG.replace("2300", ""), "[x] if there is none"),
    "a point among semicolons": (LONG.replace(",", ";").replace("2300", "2.300"), "one meaning"),
    "a comma among semicolons": (LONG.replace(",", ";").replace("2300", "2,300"), "one meaning"),
    "two in a cell": (HEADER + f"L4-repeat,Blaby,{Q3},99.43%100% A\n", "one plain figure"),
    "a percentage for a count": (LONG.replace("2300", "23%"), "not a percentage"),
    "a fraction": (HEADER + "N2,Blaby,summer 2004,0.554\n", "whether 55.4 was meant"),
    "a bare fraction": (HEADER + "L5,Blaby,2004-05 Q1,.62\n", "a 100th of the usual"),
    "a footnote in the period": (LONG.replace("Q3", "Q31"), "without a footnote"),
    "FY04": (HEADER + "N6-eet,Blaby,FY04,56\n", "FY04 may begin"),
    "zero bytes": (LONG.replace("N13,", "N1\0003,"), "column measure: found 'N1"),
    "markup": (LONG.replace("N13", "<b>N13</b>"), "found '<b>N13</b>'"),
    "an American date": (with_column("Received", "01/05/2005"), "the day it came in"),
    "flag twice": (with_column("Flag", "provisional", "2300(r)"), "the same flag in cell and"),
    "twins that differ": (LONG + f"N13,Blaby,{Q3},9\n", "row 2 and 1 more (3)"),
    "a year against its quarter": (YEARS + "2003/04,2004-05 Q1,9\n", "found '2003/04 2004-05 Q1'"),
    "a quarter without its year": (YEARS + ",Q1,2300\n", "found 'Q1'"),
    "two headers": (f",,{Q1},\nMeasure,Area,Target,Actual\nN13,Blaby,1,2\n", HEADINGS),
    "targets": (",,Actual,Target\n,,2002/03,2004/05\nN6-eet,Blaby,5,8\n", "'Target' stands"),
    "side by side": (f"{HEADER[:-1]},,{HEADER}{SIDE},,{SIDE}\n", "for each of area, measure"),
    "two figures": (with_column("Actual", "2200"), "one column for each of value"),
    "quarters first": (",,,2003/04,\n,,Q4,Q1,Q2\nN13,Blaby,1,2,3\n", "one column for each of Q4"),
    "a mark that swallows rows": (with_column("note", f'"ok\nN13,Blaby,{Q2},2,'), "mark left open"),
    "a comma": ("Return,,,\n" + LONG.replace("2300", "2,300"), "where there is no heading"),
    "no period": (f"{HEADER[:-1]},Numerator,Denominator\nL5,Blaby,,,5,9\n", "row 2, column period"),
    "targets by year": (OLDER.replace(" Q1", " target").replace(" Q2", " target"), "headings for"),
    "thousands": (OLDER.replace(" Q1", " 000s").replace(" Q2", " 000s"), "headings for measure"),
    "a word after one year": (PARTS.replace("2003/04", "2003/04 schools"), "headings for measure"),
    "areas across": ("Measure,Period,Blaby,Oadby\nN26-county,2004-05 Q1,3,4\n", HEADINGS),
}
RARE = HEADER + "N10-planning,Blaby,2002/03,{}\nN10-planning,Blaby,2003/04,{}\n"
BARE = "Measure,Area,Q1,Q2\n"
THREE, MIDDLE = f"Measure,Area,{Q1},{Q2},{Q3},\n", "Measure,Note,Area,Period,Value\n"
NOTED = with_column("Note", '"ok')
REFUSED |= {
    "a measure alone among totals": (LONG.replace("Blaby", "Total"), "column area: found 'Total'"),
    "an unquoted decimal comma": (LONG.replace("2300", "0,123"), "found '5 cells'"),
    "a decimal comma": (LONG.replace("2300", '"0,123"'), "whose comma is clear"),
    "nothing before a nought": (LONG.replace("2300", "0123"), "does not begin with 0"),
    "a mark among semicolons": (LONG.replace(",", ";").replace("2300", "£9,512(p)"), "one meaning"),
    "millions in full and alone": (HEADER + f'N9,Blaby,{Q3},"3,456,000"\n', "a figure in million"),
    "no quotation marks": (f"Return\n{THREE}N13,Blaby,1,000,1,010,,\n", "where there is no"),
    "thousands that fit": (f"Return\n{THREE}N13,Blaby,1,000,7,\n", "where there is no"),
    "marks below a title": (f'Return\n{NOTED}N13,Blaby,{Q2},2,fine"\n', "mark left open"),
    "marks in the middle": (f'{MIDDLE}N13,"a,Blaby,{Q1},1\nN13,b",Blaby,{Q2},2\n', "left open"),
    "a cell without end": (with_column("Note", "x" * 200_000), "a file that can be read"),
    "a twin unread": (f"{LONG}{SIDE}\n".replace(",2300\nN", ",4 5\nN"), "one plain", "but row 2,"),
    "fractions of nothing known": (RARE.format(".62", "1"), "whether 62 was meant"),
    "a band of targets": (f",,Progress,Target\n{WIDE}", "'Target' stands above them"),
    "a year of something else": (f"Updated,2004/05\n{BARE}N13,Blaby,1,2\n", HEADINGS),
    "no heading": (f"Measure,Area,{Q1},,{Q2}\nN13,Blaby,1,5,2\n", "where there is no heading"),
    "a mark open to the end": (NOTED + f"N13,Blaby,{Q2},2\n", "mark left open"),
}
for title in ("Targets for 2004-05", "Forecast outturn", "Planned", "Figures in thousands", "£m"):
    REFUSED[title] = (f"{title}\n{LONG}", "stands above them")
    REFUSED[f"{title}, wide"] = (f"{title}\n{WIDE}", "stands above them")
LOW_SHARE = [figure("2002/03", 0.5, "D2", "N10-planning")]
TYPES = f"Measure,Area,Type,{Q1},{Q2}\nN13,Blaby,Actual,2300,{{}}\nN13,Blaby,Target,1,2\n"
ACTUALS = [figure(Q1, 2300, "D2"), figure(Q2, 2310, "E2")]
#: Files with the rows and the words that they end in.
READ = {
    "windows-1252": (LONG.replace("2300", "£2300").encode("cp1252"), ONE, "Windows-1252"),
    "blank lines": (LONG.replace("\nN13", "\n\n\nN13"), [figure(Q3, 2300, "D4")]),
    "title rows": ("Return\nMade by A. Other, ext 5\n\n" + LONG, [figure(Q3, 2300, "D5")]),
    "words below": (LONG + "\nSource: crime recording system\n", ONE, "4 cells"),
    "a ragged row": (LONG + "N13,Blaby,2004-05 Q2,1,2,3\n", ONE, "'6 cells'"),
    "another order": (f"Value,Period,Area,Measure\n2,{Q3},Blaby,N13\n", [figure(Q3, 2, "A2")]),
    "an unknown column": (with_column("Officer", "AB"), ONE, "column E: found 'Officer'"),
    "revised": (LONG.replace("2300", "2300(r)"), REVISED),
    "one flag twice": (with_column("Flag", "Revised", "2300(r)"), REVISED),
    "suppressed": (LONG.replace("2300", "<5"), [figure(Q3, None, "D2", flag="suppressed")]),
    "millions": (HEADER + f"N9,Blaby,{Q3},3.81m\n", [figure(Q3, 3.81, "D2", "N9")]),
    "units for millions": (HEADER + f'N9,Blaby,{Q3},"3,810k"\n', [figure(Q3, 3.81, "D2", "N9")]),
    "millions in full": (
        HEADER
        + "".join(f"N9,Blaby,{period},3.8\n" for period, *_ in QUARTERS)
        + f"N9,Blaby,{Q2},3800000\n",
        [figure(*cells, "N9") for cells in QUARTERS],
        "expected a figure in million",
    ),
    "another year": (LONG.replace("2300", "2300 (2002 baseline)"), ONE, "words about 2004-05 Q3"),
    "year and quarter": (YEARS + "2004/05,3,2300\n", [figure(Q3, 2300, "E2")]),
    "wide": (WIDE, TWO),
    "wide with titles": ("Vehicle crime return\n" + WIDE, TWO_BELOW),
    "wide with other spellings": (WIDE.replace(Q1, "Apr-Jun 2004"), TWO),
    "wide with days": (WIDE.replace(Q1, "2004-06-30"), TWO),
    "wide with British days": (WIDE.replace(Q1, "30/06/2004"), TWO),
    "years over quarters": (",,2004/05,\nMeasure,Area,Q1,Q2\nN13,Blaby,2300,2310\n", TWO_BELOW),
    "wide without headings": (WIDE.replace("Measure,Area", ","), TWO),
    "wide with a blank": (WIDE.replace("2310", ""), TWO[:1]),
    "wide with notes": (WIDE.replace("2310", "2310(p)"), [TWO[0], PROVISIONAL]),
    "a total that adds up": (PARTS + "L8,Total,15\n", L8),
    "a total with digits swapped": (PARTS + "L8,Total,51\n", L8, "the sum of the rows above, 15"),
    "a total within its rows": (PARTS + "L8,Total,7\n", L8, "the sum of the rows above, 15"),
    "a total above its parts": (PARTS.replace("\n", "\nL8,Total,15\n", 1), L8_LOWER),
    "a title with a target in it": ("Progress against targets: target N13\n" + WIDE, TWO_BELOW),
    "a day with points": (WIDE.replace(Q1, "30.06.04"), TWO[1:], "found '30.06.04'"),
    "a day beside a value": (with_column("30/09/2004", "7"), ONE, "column E: found '30/09/2004'"),
    "a total of each part": (
        PARTS.replace("L8,Melton", "L8,Total,10\nL8,Melton") + "L8,Total,5\n",
        [L8[0], figure("2003/04", 5, "C4", "L8")],
    ),
    "a long table's total": (LONG_PARTS + "L8,Total,2003/04,51\n", L8_LONG, "the rows above, 15"),
    "actuals and targets": (TYPES.format(2310), ACTUALS, "row 3, column C: found 'Target'"),
    "targets where there is no actual": (TYPES.format(""), ACTUALS[:1], "column C: found 'Target'"),
    "rows told apart by a breakdown": (
        with_column("Sex", "All") + f"N13,Blaby,{Q3},1100,Women\n",
        [],
        "column E: found 'Sex'",
        "Sex differs. Say which rows count",
    ),
    "a note of two lines": (
        with_column("Note", '"Checked by us,\nthen sent on, 3 May"') + f"N13,Blaby,{Q2},2310,\n",
        [figure(Q2, 2310, "D3"), *ONE],
    ),
    "low percentages": (
        HEADER + "".join(f"N6-eet,Blaby,{period},{value}\n" for period, value in LOW.items()),
        [figure(*low, f"D{row}", "N6-eet") for row, low in enumerate(LOW.items(), 2)],
    ),
    "a second table without headings": (
        WIDE.replace("Measure,Area", ",") + ",,2004-05 Q1,2004-05 Q2\nL4-incidents,Blaby,1,2\n",
        TWO,
        "one table to a sheet",
    ),
    "a low percentage that says so": (RARE.format("0.5%", "[x]"), LOW_SHARE, "There is none yet"),
    "a dash beside a figure": (LONG + SIDE.replace("2300", "-"), ONE, "this may mean either"),
    "targets below their heading": (
        f"{WIDE}Targets,,,\n{SIDE}\n",
        TWO,
        "row 3: expected one table",
    ),
    "a total of shares": (
        f"{PARTS}L8,Total,15%\n",
        L8,
        "found '15%', expected amounts that add up",
    ),
    "a second table": (f"{WIDE}\n{OLDER}", TWO, "one table to a sheet"),
    "a narrow second table": (
        f"{WIDE}Measure,Area,{Q3}\nN13,Blaby,1\n",
        TWO,
        "'3 cells'",
        "one table",
    ),
    "figures above the header": ("N13,Blaby,1,2\n" + WIDE, TWO_BELOW, "row 1: expected one table"),
}


HEAD, LINE = ["Measure", "Area", "Period", "Value"], ["N13", "Blaby", Q3, 2300]
OLD = ["N13", "Blaby", Q1, 1]
QUARTERLY = [[*HEAD[:2], "Q1", "Q2"], [*LINE[:2], 2300, 2310]]
DAY = (date(2004, 12, 31), "mmm-yy")
#: Periods, figures, and cells that show them. The sign in quotation marks is only printed, and
#: nothing is scaled; nor is text.
PERCENTAGES = [
    ("2003-04 Q4", 11.1, (0.111, "0%")),
    (Q1, 7, (0.07, "0.0%;[Red]-0.0%")),
    (Q2, 11.5, (11.5, '0.0"%"')),
    (Q3, 11.6, ("11.6", "0%")),
]
WORKBOOKS = {
    "plain": (workbook(Crime=[HEAD, LINE]), ONE),
    "a title": (workbook({"A1:D1": "Return"}, Crime=[[], HEAD, LINE]), [figure(Q3, 2300, "D3")]),
    "several sheets": (
        workbook(One=[HEAD, LINE], Two=[HEAD, ["L4-incidents", "Blaby", Q3, 9]], Notes=[["By us"]]),
        [figure(Q3, 9, "D2", "L4-incidents"), *ONE],
        "sheet Notes",
    ),
    "hidden": (workbook(Crime=[HEAD, LINE], Hidden=[HEAD, OLD]), ONE, "The sheet is hidden"),
    "scaled": (workbook(Crime=[HEAD, [*LINE[:3], (2.3, '0.0,"k"')]]), [], "found '#format 2.3'"),
    "by size": (workbook(Crime=[HEAD, [*LINE[:3], (3, '[<5]"*";0')]]), [], "found '#format 3'"),
    "a formula": (workbook(Crime=[HEAD, [*LINE[:3], ("=1150*2", 2300)]]), ONE),
    "an error": (workbook(Crime=[HEAD, [*LINE[:3], ("=1/0", "#DIV/0!")]]), [], "spreadsheet's"),
    "a merged year": (workbook({"C1:D1": "2004/05"}, Crime=[[], *QUARTERLY]), TWO_BELOW),
    "a merged name": (
        workbook({"A2:A3": "N13"}, Crime=[HEAD, [None, *LINE[1:]], ["", "Blaby", Q2, 2310]]),
        [figure(Q2, 2310, "D3"), *ONE],
    ),
    "a day shown as a month": (workbook(Crime=[HEAD, ["N13", "Blaby", DAY, 2300]]), ONE),
    "percentages": (
        workbook(Crime=[HEAD, *(["L4-repeat", "Blaby", at, cell] for at, _, cell in PERCENTAGES)]),
        [figure(at, n, f"D{row}", "L4-repeat") for row, (at, n, _) in enumerate(PERCENTAGES, 2)],
    ),
    "a sheet named for its measure": (
        workbook(N13=[["Area", Q1, Q2], ["Blaby", 2300, 2310]]),
        [figure(Q1, 2300, "B2"), figure(Q2, 2310, "C2")],
    ),
}
FILES = {
    **{name: ("csv", content, ONE) for name, content in SAME.items()},
    **{name: ("csv", content, [], *words) for name, (content, *words) in REFUSED.items()},
    **{name: ("csv", *case) for name, case in READ.items()},
    **{f"workbook, {name}": ("xlsx", *case) for name, case in WORKBOOKS.items()},
}


@pytest.mark.parametrize("case", FILES)
def test_files(load: Callable, case: str) -> None:
    ending, content, expected, *words = FILES[case]
    binary = content if isinstance(content, bytes) else content.encode()
    check(load(f"return.{ending}", binary), expected, words)


def test_a_row_is_not_taken_for_the_one_beside_it_that_was_refused(load: Callable) -> None:
    """Women stand alone once the row of all is refused, or their figure is blank there."""
    header = "Measure,Area,2004-05 Q1,2004-05 Q2,Sex\n"
    wide = f"{header}N26-county,Blaby,5,744,8,654,All\nN26-county,Blaby,45,46,Women\n"
    words = ["found '7 cells', expected 5", "'Sex'", "since Sex may tell them apart"]
    check(load("a.csv", wide.encode()), [], words)
    blank = f"{header}N26-county,Blaby,,91,All\nN26-county,Blaby,45,46,Women\n"
    check(load("b.csv", blank.encode()), [], ["'Sex'", "Sex differs"])
    words[0] = "nothing where there is no heading"
    check(load("c.csv", f"Return\n{wide}".encode()), [], words)
    rows = [[*HEAD, "Sex"], [*LINE, "All"], [*LINE[:3], 9, "Women"]]
    words = ["found 'hidden: 2'", "'Sex'", "row 3: found 'Sex', expected one row for each figure"]
    check(load("d.xls", old_workbook(rows, hidden=1)), [], words)
    rows = [[*HEAD, "Unit"], ["L4-incidents", "Blaby", Q3, 9, "incidents"], [*LINE, "crimes"]]
    check(load("e.xls", old_workbook(rows, hidden=1)), [figure(Q3, 2300, "D3")], words[:1])


def test_what_a_sidecar_says_stands_where_the_file_says_nothing(load: Callable) -> None:
    """A column that has blanks is the file's own, and they are asked about."""
    blank = b"Measure,Area,2004-05 Q1\nN26-county,Blaby,11\n,Charnwood,12\n"
    expected = [figure(Q1, 11, "C2", "N26-county")]
    words = ["row 3, column measure: found ''"]
    check(load("a.csv", blank, measure="N26-all"), expected, words)
    content = b"2004-05 Q1,2004-05 Q2\n11,12\n"
    expected = [figure(Q1, 11, "A2", "N26-all"), figure(Q2, 12, "B2", "N26-all")]
    check(load("c.csv", content, measure="N26-all", area="Blaby"), expected, [])


def test_a_sidecar_makes_no_figures_of_thousands_or_of_two_columns(load: Callable) -> None:
    thousands = LONG.replace("Value", "Value (thousands)").encode()
    result = load("a.csv", thousands, {"value": "Value (thousands)"})
    check(
        result, [], ["'Value (thousands)' stands above them. If they are, say so: header_row = 1"]
    )
    within = "% within target per 100 000"
    check(load("c.csv", LONG.replace("Value", within).encode(), {"value": within}), ONE, [])
    twice = with_column("Value", "2200").encode()
    check(load("b.csv", twice, {"value": "Value"}), [], ["one column for each of value"])


@pytest.mark.parametrize(
    ("value", "empty", "words"),
    [(2300, b"", "let it calculate, save it"), ("text", b"<v></v>", "[x] if there is none")],
)
def test_a_formula_without_a_value_is_a_finding(
    load: Callable, value: object, empty: bytes, words: str
) -> None:
    """It was never calculated, unless its result is a text of no letters."""
    content = workbook(Crime=[HEAD, [*LINE[:3], ("=F2", value)]])
    check(load("return.xlsx", without_results(content, empty)), [], [words])


def without_results(content: bytes, empty: bytes = b"") -> bytes:
    """An .xlsx whose formulas were never calculated, or have another result."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.namelist():
            new.writestr(part, re.sub(rb"(?<=</f>)<v>\w+</v>", empty, old.read(part)))
    return changed.getvalue()


def old_workbook(rows: list[list[object]], hidden: int | None = None) -> bytes:
    """An .xls; a pair in a cell is a figure and its format, a list the runs of a rich text."""
    book, content = xlwt.Workbook(), io.BytesIO()
    sheet, raised = book.add_sheet("Crime"), xlwt.easyfont("escapement superscript")
    for row, line in enumerate(rows):
        for column, cell in enumerate(line):
            if isinstance(cell, tuple):
                sheet.write(row, column, cell[0], xlwt.easyxf(num_format_str=cell[1]))
            elif isinstance(cell, list):
                sheet.write_rich_text(row, column, (cell[0], (cell[1], raised)))
            else:
                sheet.write(row, column, cell)
    if hidden is not None:
        sheet.row(hidden).hidden = True
    book.save(content)
    return content.getvalue()


def open_document(rows: list[list[object]], hidden: int | None = None) -> bytes:
    """An .ods of the same; a cell that is None stands below the name that is merged over it."""
    document, content = OpenDocumentSpreadsheet(), io.BytesIO()
    raised = odf.style.Style(name="raised", family="text")
    raised.addElement(odf.style.TextProperties(textposition="33% 58%"))
    document.automaticstyles.addElement(raised)
    form = odf.number.PercentageStyle(name="N10")
    form.addElement(odf.number.Number(decimalplaces="1"))
    document.automaticstyles.addElement(form)
    percent = odf.style.Style(name="percent", family="table-cell", datastylename="N10")
    document.automaticstyles.addElement(percent)
    sheet = odf.table.Table(name="Crime")
    for number, line in enumerate(rows):
        row = odf.table.TableRow(**({"visibility": "collapse"} if number == hidden else {}))
        for column, cell in enumerate(line):
            below = number + 1 < len(rows) and column < len(rows[number + 1])
            spans = 2 if below and rows[number + 1][column] is None else 1
            if cell is None:
                row.addElement(odf.table.CoveredTableCell())
                continue
            kind = {"valuetype": "string"}
            if isinstance(cell, dict):
                kind = dict(cell)
                cell = kind.pop("words", "")
            elif isinstance(cell, tuple):
                kind = {"valuetype": "float", "value": cell[0], "stylename": "percent"}
            elif isinstance(cell, float | int):
                kind = {"valuetype": "float", "value": cell}
            element = odf.table.TableCell(**kind, numberrowsspanned=spans)
            text = odf.text.P(text=cell[0] if isinstance(cell, list) else str(cell))
            if isinstance(cell, list):
                text.addElement(odf.text.Span(stylename=raised, text=cell[1]))
            if cell != "":
                element.addElement(text)
            row.addElement(element)
        sheet.addElement(row)
    document.spreadsheet.addElement(sheet)
    document.write(content)
    return content.getvalue()


#: The same in each kind of workbook: a percentage by its format, a footnote's number, a hidden row.
SHOWN = [
    HEAD,
    ["L4-repeat", "Blaby", Q1, (0.021, "0.0%")],
    ["L4-repeat", "Blaby", Q2, (0.024, "0.0%")],
    ["L4-incidents", "Blaby", [Q1, "1"], ["281", "3"]],
    ["N13", "Blaby", Q1, 2300],
]
RICH = [
    figure(Q1, 281, "D4", "L4-incidents"),
    figure(Q1, 2.1, "D2", "L4-repeat"),
    figure(Q2, 2.4, "D3", "L4-repeat"),
]


def rich_workbook() -> bytes:
    """An .xlsx of the same."""
    book = openpyxl.load_workbook(io.BytesIO(workbook(Crime=SHOWN[:3])))
    sheet, raised = book["Crime"], InlineFont(vertAlign="superscript")
    for row, line in enumerate(SHOWN[3:], start=4):
        for column, cell in enumerate(line, start=1):
            rich = isinstance(cell, list) and CellRichText(cell[0], TextBlock(raised, cell[1]))
            sheet.cell(row, column, rich or cell)
    sheet.row_dimensions[5].hidden = True
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("xls", old_workbook(SHOWN, hidden=4)),
        ("ods", open_document(SHOWN, hidden=4)),
        ("xlsx", rich_workbook()),
        ("xls", rich_workbook()),  # named otherwise than it is
    ],
)
def test_workbooks_of_each_kind_are_read_as_they_are_shown(
    load: Callable, ending: str, content: bytes
) -> None:
    result = load(f"return.{ending}", content)
    check(result, RICH, ["found 'hidden: 5'"])
    assert "footnote 3" in result[0]["note"].tolist()


def test_xml_that_is_spelled_otherwise_is_the_same_workbook(load: Callable) -> None:
    """A prefix before each name, single quotation marks and line breaks within the tags."""
    source, changed = io.BytesIO(workbook(Crime=SHOWN[:3])), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.namelist():
            text = old.read(part)
            if part.startswith("xl/") and part.endswith(".xml"):
                text = re.sub(rb"<(/?)(?=[a-zA-Z])", rb"<\1x:", text).replace(
                    b' xmlns="', b' xmlns:x="'
                )
                text = text.replace(b'"', b"'").replace(b"<x:c r=", b"<x:c\n r=")
            new.writestr(part, text)
    check(load("return.xlsx", changed.getvalue()), RICH[1:], [])


def test_merged_names_are_repeated_and_a_merged_figure_is_nobodys(load: Callable) -> None:
    names = [HEAD, ["N13", "Blaby", Q1, 2300], [None, "Blaby", Q2, 2310]]
    rows = [figure(Q1, 2300, "D2"), figure(Q2, 2310, "D3")]
    check(load("return.ods", open_document(names)), rows, [])
    wide = [[*HEAD[:2], Q1, Q2], ["N13", "Blaby"]]
    merged = workbook({"C2:D2": 2300}, Crime=wide)
    says = "found '#merged 2300', expected a figure for each cell"
    check(load("return.xlsx", merged), [], [says])
    twin = workbook({"C2:D2": 2300}, Crime=[*wide, ["N13", "Blaby", 2300, 2310]])
    check(load("return.xlsx", twin), [], [says, "but row 2, which was refused, is of it too"])


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"<html><table><tr><td>1", "found 'a web page'"), (LONG.encode(), "found 'text'")],
)
def test_what_is_only_called_a_workbook_is_said(load: Callable, content: bytes, says: str) -> None:
    check(load("return.xls", content), [], [says])


def test_one_stray_cell_is_a_finding_and_not_all_of_the_memory(load: Callable) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(Crime=[HEAD, LINE])))
    book["Crime"]["XFD1048576"] = 0
    content = io.BytesIO()
    book.save(content)
    check(load("return.xlsx", content.getvalue()), [], ["cells up to XFD1048576 on Crime"])


def test_a_parquet_file_is_a_return(load: Callable) -> None:
    content = io.BytesIO()
    pd.DataFrame([LINE], columns=HEAD).to_parquet(content)
    check(load("return.parquet", content.getvalue()), ONE, [])
    check(load("return.parquet", b"PAR1"), [], ["expected a Parquet file"])


def wide_of(cell: object) -> list[list[object]]:
    return [[*HEAD[:2], Q1, Q2], [*LINE[:2], cell, 2310]]


WRONG = {"valuetype": "float", "value": 0, "formula": "of:=1/0", "words": "#DIV/0!"}


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.xlsx", workbook(S=wide_of(("=1/0", "#DIV/0!"))), "#error"),
        ("a.ods", open_document(wide_of(WRONG)), "#error"),
        ("a.xlsx", without_results(workbook(S=wide_of(("=1*2", 2)))), "=formula"),
        ("a.xls", old_workbook(wide_of(xlwt.Formula("1*2"))), "=formula"),
        ("a.ods", open_document(wide_of({"formula": "of:=1*2"})), "=formula"),
    ],
)
def test_what_no_workbook_shows_is_a_finding(load: Callable, name, content, found: str) -> None:
    check(load(name, content), [figure(Q2, 2310, "D2")], [f"found '{found}'"])


def test_a_workbook_that_is_a_bomb_or_broken_is_one_finding(load: Callable) -> None:
    bomb = io.BytesIO(workbook(Crime=[HEAD, LINE]))
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/more.xml", b" " * 201_000_000)
    check(load("return.xlsx", bomb.getvalue()), [], ["found '201 MB when unpacked'"])
    old = bytearray(old_workbook([HEAD, LINE]))
    old[512:700] = b"\xff" * 188
    check(load("return.xls", bytes(old)), [], ["a workbook that opens"])


def test_no_file_of_the_user_is_taken_for_a_library(load: Callable, tmp_path, monkeypatch) -> None:
    (tmp_path / "calendar.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    check(load("return.xlsx", workbook(Crime=[HEAD, LINE])), ONE, [])


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + b"\0" * 60, b"not a workbook"])
@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_a_broken_workbook_is_one_finding(load: Callable, ending: str, content: bytes) -> None:
    check(load(f"return.{ending}", content), [], ["a workbook that opens"])


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
    cell = observations.set_index(["area", "period"]).loc[("Leicestershire", "2003/04")]
    assert cell[["value", "flag", "row", "column"]].tolist() == [80, "revised", 4, "D"]
    assert [(finding.row, finding.found) for finding in findings] == [(5, "x")]
