"""What tests are made from: observations, agreements with a change, pages taken apart."""

import base64
import dataclasses
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache, partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import xlsxwriter
from click.testing import CliRunner, Result
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from psa_analysis.cli import main
from psa_analysis.files import checksum
from psa_analysis.periods import OF_KIND, Kind, Period, period_containing
from psa_analysis.register.agreement import Agreement, with_parsed
from psa_analysis.report import Report
from psa_analysis.returns.grids import FIELDS
from psa_analysis.returns.sources import Sidecar, raw_files, write_sidecar
from psa_analysis.show.chart import Chart

AREA = "Leicestershire"
#: What the fixtures report_of and edit are.
ReportOf = Callable[[str], Report]
Edit = Callable[..., int]

EXPECTED = Path(__file__).parent / "expected"


def psa(*arguments: str) -> Result:
    """Run the command in this process; an exception that is not an exit fails the test."""
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert "Traceback" not in result.output, result.output
    return result


#: Run ``psa run`` in this process: what it warms up then serves all tests of the process.
psa_run = partial(psa, "run")


def notebook(folder: Path, name: str, *cells: str, kernel: str = "python3") -> Path:
    """Write a small notebook: a heading, the parameters, and more cells of code."""
    folder.mkdir(exist_ok=True)
    parameters = 'period = "2004-05 Q3"\ndata = "data"\naudience = "internal"'
    code = [new_code_cell(cell) for cell in (parameters, *cells)]
    made = new_notebook(cells=[new_markdown_cell("# A page"), *code])
    made.cells[1].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": kernel, "display_name": "", "language": "python"}
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(made, folder / name)
    return folder / name


def bytes_of(pack: Path) -> dict[str, str]:
    """Checksums of a pack's files, but for the manifest, which says when it was made."""
    return {path.name: checksum(path) for path in pack.iterdir() if path.name != "manifest.json"}


def consecutive(kind: Kind, first_year: int, number: int) -> list[Period]:
    """Periods of one kind, one after another, from the first that begins in a year."""
    month, step = OF_KIND[kind].year_end % 12 + 1, 12 // OF_KIND[kind].per_year
    begins = pd.date_range(date(first_year, month, 1), periods=number, freq=f"{step}MS")
    return [period_containing(day.date(), kind) for day in begins]


def observed(
    measure: str,
    values: list[float | None],
    first_year: int = 2002,
    kind: Kind = "quarter",
    area: str = AREA,
    **columns: object,
) -> pd.DataFrame:
    """Final observations of one measure, oldest first; None leaves a period out.

    Further columns are one value, or a list of one for each period.
    """
    periods = consecutive(kind, first_year, len(values))
    frame = pd.DataFrame(
        {
            "measure": measure,
            "area": area,
            "period": [period.label for period in periods],
            "period_end": pd.to_datetime([period.end for period in periods]),
            "value": values,
            "numerator": None,
            "denominator": None,
            "flag": "final",
            "illustrative": False,
            "file": "f",
            "sheet": "",
            "row": range(len(values)),
            "column": "D",
        }
    ).assign(**columns)
    frame = frame.astype({"value": float, "numerator": float, "denominator": float})
    return frame[[value is not None for value in values]]


def with_measure(agreement: Agreement, measure: str, **changes: object) -> Agreement:
    """The agreement with other cells in one row of its measures."""
    measures = agreement.measures.copy()
    for column, value in changes.items():
        measures.loc[measure, column] = value
    return dataclasses.replace(agreement, measures=with_parsed(measures))


def returned(*lines: str) -> pd.DataFrame:
    """Cells of a return, as loading gives them, from lines of comma-separated text."""
    cells = [line.split(",") for line in lines]
    filled = [row + [""] * (len(FIELDS) - len(row)) for row in cells]
    table = pd.DataFrame(filled, columns=list(FIELDS), dtype=str)
    rows = range(2, len(table) + 2)
    return table.assign(file="raw/returns/test.csv", sheet="", row=rows, column="D")


def workbook(merged: dict[str, str] | None = None, **sheets: list[list]) -> bytes:
    """Sheets by name; a pair in a cell is a formula and its value, or a figure and its format."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name.replace("_", " "))
            cells = [(n, m, cell) for n, line in enumerate(lines) for m, cell in enumerate(line)]
            for *place, cell in cells:
                if not isinstance(cell, tuple):
                    sheet.write(*place, cell)
                elif str(cell[0]).startswith("="):
                    sheet.write_formula(*place, cell[0], None, cell[1])
                else:
                    sheet.write(*place, cell[0], book.add_format({"num_format": cell[1]}))
            for places, text in (merged or {}).items():
                sheet.merge_range(places, text)
            if name == "Hidden":
                sheet.hide()
    return content.getvalue()


def unpacked(path: Path) -> Iterator[str]:
    """All that a file says, decoded: the parts of a workbook, the pictures in a page."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        yield table.to_csv() + table.to_json()
    elif path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            yield from (book.read(name).decode() for name in book.namelist())
    else:
        text = path.read_text(encoding="utf-8")
        yield text
        yield unquote(text)
        for encoded in re.findall(r"base64,([A-Za-z0-9+/=]{40,})", text):
            yield base64.b64decode(encoded).decode("utf-8", "ignore")


@lru_cache(maxsize=1)
def texts(folder: Path) -> list[tuple[str, str]]:
    """The names of a pack's files and what they say, unpacked once however much is sought."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(path.name, text) for path in paths for text in unpacked(path)]


class Tags(HTMLParser):
    """The start tags of a page, with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def drawn_text(chart: Chart) -> str:
    """What is written in a picture, which must be sound XML."""
    return "".join(ET.fromstring(chart.svg).itertext())


def make_sidecars(folder: Path, today: date) -> None:
    """What `psa check` makes on a day for the files that have no sidecar."""
    for path, _, beside in [file for file in raw_files(folder) if not file[2].exists()]:
        write_sidecar(beside, Sidecar(received=today, checksum=checksum(path)))
