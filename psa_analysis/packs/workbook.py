"""The workbook of a pack: every table behind its pages, for whoever goes on with the figures."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime, time
from fractions import Fraction
from functools import cache
from math import isfinite
from pathlib import Path

import pandas as pd
import xlsxwriter

from psa_analysis.analysis.assessment import STATES
from psa_analysis.files import FORMULA_STARTS, column_meanings, csv_text, meanings, write_bytes
from psa_analysis.findings import Finding, visible
from psa_analysis.register.agreement import PARSED, Agreement, observed_units
from psa_analysis.report import Report
from psa_analysis.show.grant import grants
from psa_analysis.show.opening import banner
from psa_analysis.show.quality import findings_by_partner
from psa_analysis.words import decimals

#: What stays in the house: where a figure stands in which file, and what its sender wrote.
_INTERNAL = {
    "assessment": ["file", "row"],
    "readings": ["file", "sheet", "row", "column"],
    "observations": ["note", "file", "sheet", "row", "column"],
    "commitments": ["file", "row"],
    "findings": ["file", "sheet", "row", "column", "found"],
    "data log": ["file"],
}

#: What the register says of a commitment and its state does not repeat.
_AGREED = meanings("commitments as agreed")
#: What a sheet has beside the columns of its table.
_FURTHER = {
    "readings": {"unit": "unit of the reading and of its limits"},
    "observations": {"unit": "unit of the value"},
    "commitments": _AGREED,
}

#: What each sheet holds, in order.
SHEETS = {table: columns[""] for table, columns in column_meanings().items() if "" in columns}

#: What the columns of each sheet mean.
MEANINGS = {sheet: meanings(sheet) | _FURTHER.get(sheet, {}) for sheet in SHEETS}

_LIMITS = {f"{end}_{share}" for end in ("low", "high") for share in (50, 80, 95)}
#: Figures in the unit of their row.
_FIGURES = _LIMITS | {
    *("baseline", "base", "without", "target", "trigger", "interim", "outturn", "reading"),
    *("latest", "planned", "previous", "year_before", "forecast", "lower", "upper"),
}
#: Shares from 0 to 1.
_SHARES = {
    *("progress", "chance_target", "chance_trigger", "expected_share"),
    *("proportion", "least", "most"),
}
#: Figures with a number format of their own. Differences in per cent are points, so without a sign.
_FORMATS = {
    "gap": "#,##0.0##",
    "required": "#,##0.0##",
    "gap_months": "0.0",
    "pot_share": "0.0%",
    "pounds_least": "£#,##0",
    "pounds_most": "£#,##0",
}

#: Gives the format of a look: of bold text, of figures in per cent.
Look = Callable[..., xlsxwriter.format.Format]

#: What a cell can hold, in characters.
_CHARACTERS = 32_767


def tables(report: Report) -> dict[str, pd.DataFrame]:
    """The tables of a pack that leave the suite, fit for the report's audience."""
    agreement = report.agreement
    agreed = agreement.commitments[list(_AGREED)]
    units, observed = agreement.measures["unit"], observed_units(agreement.measures)
    exported = {
        "assessment": report.assessment,
        "grant": grants(report),
        "readings": _with_unit(report.readings.drop(columns="used_from"), units),
        "observations": _with_unit(report.known, observed),
        "targets": agreement.targets.reset_index(),
        "measures": agreement.measures.drop(columns=list(PARSED)).reset_index(),
        "commitments": report.commitments.join(agreed, on="commitment"),
        "links": agreement.links,
        "assumptions": agreement.assumptions,
        "findings": findings_by_partner(report.findings, agreement),
        "data log": report.sources,
    }
    if report.audience == "internal":
        return exported
    exported["findings"] = exported["findings"][exported["findings"]["measure"].notna()]
    return {
        name: table.drop(columns=_INTERNAL.get(name, [])).reset_index(drop=True)
        for name, table in exported.items()
    }


def _with_unit(table: pd.DataFrame, units: pd.Series) -> pd.DataFrame:
    """A table of figures with each one's unit beside its measure and area."""
    exported = table.copy()
    exported.insert(2, "unit", table["measure"].map(units).astype("str"))
    return exported


def assessment_parquet(report: Report) -> bytes:
    """The assessment as a Parquet file: the same columns and types in every pack."""
    table = tables(report)["assessment"]
    numbers = _FIGURES | _SHARES | set(_FORMATS)
    # A column in which nothing is known has no type of its own.
    open_ = [name for name in table.columns if table[name].dtype == "object"]
    typed = table.astype({name: "float64" if name in numbers else "str" for name in open_})
    return typed.to_parquet(index=False)


def write_tables(report: Report, folder: Path) -> None:
    """Write a report's tables and workbook."""
    exported = tables(report)
    commitments = exported["commitments"]
    # The workbook has the register's columns beside these; here they stand in the register.
    commitments = commitments[[name for name in report.commitments if name in commitments]]
    write_bytes(folder / "assessment.csv", csv_text(exported["assessment"]).encode())
    write_bytes(folder / "assessment.parquet", assessment_parquet(report))
    write_bytes(folder / "commitments.csv", csv_text(commitments).encode())
    write_workbook(report, folder / report.workbook_name)


def write_workbook(report: Report, path: Path) -> None:
    """Write the workbook of a pack: a cover, a sheet for each table, and what its columns mean.

    Numbers are numbers and days are days, with their usual formats; no text is ever a formula.
    The same report gives the same bytes.
    """
    exported = tables(report)
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as book:
        name = visible(report.agreement.settings.agreement.name)
        book.set_properties(
            {
                "title": f"{name}, {report.period}"[:255],
                # Not the time of writing, which would differ from run to run.
                "created": datetime.combine(report.cut_off, time()),
            }
        )
        look = cache(lambda **properties: book.add_format({"valign": "top", **properties}))
        _cover(book, look, report, exported)
        for sheet, table in exported.items():
            _sheet(book, look, sheet, table)
        described = [
            (sheet, column, MEANINGS[sheet][column])
            for sheet, table in exported.items()
            for column in table.columns
        ]
        columns = pd.DataFrame(described, columns=["sheet", "column", "meaning"])
        _sheet(book, look, "columns", columns)
    write_bytes(path, content.getvalue())


def _write(
    sheet: xlsxwriter.worksheet.Worksheet,
    look: Look,
    row: int,
    column: int,
    value: object,
    number: str = "General",
    **properties: object,
) -> None:
    """Write one cell as what it is; `number` is the number format of a number."""
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value, look(**properties))
    elif isinstance(value, date):
        day = value if isinstance(value, datetime) else datetime.combine(value, time())
        sheet.write_datetime(row, column, day, look(num_format="yyyy-mm-dd", **properties))
    elif isinstance(value, int | float | Fraction) and isfinite(value):
        sheet.write_number(row, column, float(value), look(num_format=number, **properties))
    elif value != "":
        text = cell_text(str(value))
        if text.startswith(FORMULA_STARTS):
            # Excel would make it a formula once somebody edits the cell.
            properties["quote_prefix"] = True
        sheet.write_string(row, column, text, look(**properties))


def cell_text(text: str) -> str:
    """A text as a cell of a workbook can hold it: visible, and cut with a mark where too long."""
    shown = visible(text)
    return shown if len(shown) <= _CHARACTERS else f"{shown[: _CHARACTERS - 20]}… (cut here)"


def number_format(sheet: str, column: str, unit: str, value: float) -> str:
    """The number format of a figure, by its column and the unit of its row."""
    if column in _FORMATS:
        return _FORMATS[column]
    if column in _SHARES or (sheet == "grant" and column in ("low_80", "high_80")):
        return "0%"
    if column not in _FIGURES and (sheet, column) != ("commitments", "value"):
        observed = column in ("value", "numerator", "denominator", "observed")
        return "#,##0" if observed and float(value).is_integer() else "General"
    number = "#,##0" + ("." + "0" * decimals(value, unit) if decimals(value, unit) else "")
    if unit == "percent":
        return f'{number}"%"'
    if unit == "percent change":
        return f'+{number}"%";-{number}"%";0"%"'
    return number


def _sheet(book: xlsxwriter.Workbook, look: Look, name: str, table: pd.DataFrame) -> None:
    """One table, its header frozen, with filters and columns as wide as what they hold."""
    sheet = book.add_worksheet(name)
    columns = list(table.columns)
    plain = table.astype(object).where(table.notna(), None)
    for place, column in enumerate(columns):
        widths = [len(column) + 3, *(len(_plain(cell)) + 1 for cell in plain[column].head(500))]
        sheet.set_column(place, place, min(max(*widths, 8), 48))
    # The name of what a row is about stays in sight too.
    sheet.freeze_panes(1, 2 if columns[:2] == ["period", "measure"] else 1)
    sheet.autofilter(0, 0, max(len(table), 1), len(columns) - 1)
    for place, column in enumerate(columns):
        _write(sheet, look, 0, place, column, bold=True, bottom=1)
    units = plain["unit"].fillna("") if "unit" in plain else [""] * len(plain)
    records = plain.itertuples(index=False, name=None)
    for row, (unit, record) in enumerate(zip(units, records, strict=True), start=1):
        for place, value in enumerate(record):
            if isinstance(value, int | float | Fraction):
                form = number_format(name, columns[place], unit, float(value))
                _write(sheet, look, row, place, value, form)
            elif value is not None:
                _write(sheet, look, row, place, value)
    _for_paper(sheet)
    sheet.repeat_rows(0)


def _plain(cell: object) -> str:
    """About what a cell shows."""
    if cell is None:
        return ""
    if isinstance(cell, float | Fraction):
        return f"{float(cell):,.2f}%"
    return "2004-12-31" if isinstance(cell, date) else str(cell)


def _for_paper(sheet: xlsxwriter.worksheet.Worksheet) -> None:
    sheet.set_paper(9)  # A4
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&RPage &P of &N")


def _cover(
    book: xlsxwriter.Workbook, look: Look, report: Report, exported: dict[str, pd.DataFrame]
) -> None:
    """Whose workbook this is, what is not real in it, and how to read it."""
    sheet = book.add_worksheet("cover")
    for place, width in enumerate((22, 100, 10)):
        sheet.set_column(place, place, width)
    _for_paper(sheet)
    row = 0
    _write(sheet, look, row, 0, report.agreement.settings.agreement.name, bold=True, font_size=14)
    # The pages' own banner, so that both say the same.
    for line in banner(report).text.replace("on this page", "in this workbook").splitlines():
        row += 1
        _write(sheet, look, row, 0, line, bold=line.startswith(("Illustrative", "Draft")))
    shown = report.audience == "public"
    key = {name: text for name, text in meanings("cover").items() if name != "left out" or shown}
    for heading, lines in {"Sheets": SHEETS, "States": STATES, "How to read it": key}.items():
        row += 2
        heads = [heading, "What it means", *(["Rows"] if heading == "Sheets" else [])]
        for place, head in enumerate(heads):
            _write(sheet, look, row, place, head, bold=True, bottom=1)
        for name, meaning in lines.items():
            row += 1
            if heading == "Sheets":
                sheet.write_url(row, 0, f"internal:'{name}'!A1", string=name)
            else:
                _write(sheet, look, row, 0, name)
            _write(sheet, look, row, 1, meaning, text_wrap=True)
            if name in exported:
                _write(sheet, look, row, 2, len(exported[name]), "#,##0")


def save_processed(
    agreement: Agreement, observations: pd.DataFrame, findings: list[Finding]
) -> None:
    """Write the clean observations and the findings to the agreement's ``processed`` folder."""
    folder = agreement.folder / "processed"
    folder.mkdir(exist_ok=True)
    write_bytes(folder / "observations.parquet", observations.to_parquet(index=False))
    table = findings_by_partner(findings, agreement)
    write_bytes(folder / "findings.csv", csv_text(table).encode())
