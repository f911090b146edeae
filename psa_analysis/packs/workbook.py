"""The workbook of a pack: every table behind its pages, for whoever goes on with the figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from fractions import Fraction
from functools import cache
from math import isfinite
from pathlib import Path

import pandas as pd
import xlsxwriter

from psa_analysis.analysis.assessment import COLUMNS, STATES
from psa_analysis.analysis.commitments import COLUMNS as COMMITMENT_COLUMNS
from psa_analysis.analysis.grant import GRANT_COLUMNS, grants
from psa_analysis.analysis.readings import READING_COLUMNS
from psa_analysis.files import FORMULA_STARTS, csv_text, write_bytes
from psa_analysis.findings import Finding, visible
from psa_analysis.register.agreement import PARSED, Agreement, observed_units
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import OBSERVATION_COLUMNS
from psa_analysis.show.opening import banner
from psa_analysis.show.quality import findings_by_partner
from psa_analysis.words import decimals

#: What each sheet holds, in order.
SHEETS = {
    "assessment": "where each measure stands: every figure of the pages",
    "grant": "what each measure's reward has come to, or may come to",
    "readings": "the readings that count, as known at the cut-off",
    "observations": "the figures that the readings are made of, as known at the cut-off",
    "targets": "the register: the targets of the agreement",
    "measures": "the register: what is measured, from where to where and until when",
    "commitments": "what else the strategy promises, and where each of it stands",
    "links": "the register: targets that the agreement links",
    "assumptions": "the register: what no document states, and what stands in its place",
    "findings": "what is wrong or doubtful in the files as they stand",
    "data log": "where every file came from",
}

#: What stays in the house: where a figure stands in which file, and what its sender wrote.
_INTERNAL = {
    "assessment": ["file", "row"],
    "readings": ["file", "sheet", "row", "column"],
    "observations": ["note", "file", "sheet", "row", "column"],
    "commitments": ["file", "row"],
    "findings": ["file", "sheet", "row", "column", "found"],
    "data log": ["file"],
}

_PLACE = {"document": "the document that says so", "location": "where in it"}

#: What the columns mean that are described nowhere else in the package.
_MEANINGS = {
    "targets": {
        "reference": "the bid's reference",
        "theme": "heading of the bid",
        "outcome": "what is to be reached",
        "rationale": "why, as short tags",
        "description": "how, in brief",
        "partners": "who takes part",
    },
    "measures": {
        "measure": "the reference, with a suffix where it has several measures",
        "reference": "the target that it belongs to",
        "role": "target counts for the grant; supporting is assessed beside it; context is shown",
        "title": "a short name",
        "definition": "what is counted",
        "objective": "heading of the strategy, or not stated",
        "unit": "unit of the reading",
        "made_of": "cases where people or events are counted, amounts, or empty",
        "polarity": "whether higher or lower is better",
        "basis": "how the reading is made from what is observed",
        "frequency": "how often it is observed",
        "baseline": "performance at the start",
        "baseline_period": "the period of the baseline",
        "base": "the figure that change is measured from",
        "without": "performance expected without the agreement",
        "target": "performance agreed",
        "due": "the period whose reading decides",
        "profile": "how the planned path runs; empty is in equal steps",
        "weight": "weight among the target's measures; empty for equal weights",
        "interim": "a level agreed for the time between",
        "interim_period": "the period whose reading has to reach it",
        "parts": "measures that add up to this one",
        "continues": "the measure that this one continues under another definition",
        "comparator": "what a ratio, gap or rank is made against",
        "partner": "who returns it",
        "baseline_status": "stated, derived, assumed or not stated; empty where none applies",
        "base_status": "the same of the base",
        "without_status": "the same of the performance without",
        "target_status": "the same of the target",
    },
    "links": {
        "reference": "the target that states the link",
        "linked_to": "a target, or a topic of the agreement",
        "correlation": "how closely the two go together; empty where not stated",
    },
    "assumptions": {
        "item": "the measure or commitment, or what all of them have in common",
        "column": "what of it is assumed or derived",
        "status": "assumed, or derived by a formula from stated figures",
        "reason": "why, or the formula",
        "quality": "how good the ground is",
        "impact": "how much hangs on it",
    },
    "findings": {
        "partner": "whom to ask; empty for nobody in particular",
        "severity": "an error keeps the figure out, a warning lets it in",
        "measure": "the measure that it is about",
        "file": "the file",
        "sheet": "the sheet of a workbook",
        "row": "the row as a spreadsheet counts it",
        "column": "the column's name",
        "found": "what stands there",
        "expected": "what should stand there",
        "remedy": "how to mend it",
    },
    "data log": {
        "file": "the file",
        "title": "what it is",
        "producer": "who made it",
        "address": "where it was found",
        "licence": "on which terms",
        "published": "when its producer published it",
        "received": "the day it came in",
        "checksum": "SHA-256 of the file as it came",
        "note": "what a reader should know",
    },
}

#: What the register says of a commitment and its state does not repeat.
_AGREED = {"baseline": "where it starts", "baseline_period": "the period of the baseline", **_PLACE}

#: The columns that the sheets' descriptions come from: one place for each.
MEANINGS: dict[str, dict[str, str]] = {
    "assessment": COLUMNS,
    "grant": GRANT_COLUMNS,
    "readings": READING_COLUMNS | {"unit": "unit of the reading and of its limits"},
    "observations": OBSERVATION_COLUMNS | {"unit": "unit of the value"},
    "commitments": COMMITMENT_COLUMNS | _AGREED,
    **{
        name: own | (_PLACE if name in ("targets", "measures") else {})
        for name, own in _MEANINGS.items()
    },
}

#: Figures in the unit of their row.
_FIGURES = {
    "baseline",
    "base",
    "without",
    "target",
    "trigger",
    "interim",
    "latest",
    "planned",
    "previous",
    "year_before",
    "forecast",
    "low_50",
    "high_50",
    "low_80",
    "high_80",
    "low_95",
    "high_95",
    "outturn",
    "reading",
    "lower",
    "upper",
}
#: Shares from 0 to 1.
_SHARES = {
    "progress",
    "chance_target",
    "chance_trigger",
    "expected_share",
    "proportion",
    "least",
    "most",
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

#: What a sheet can hold below its header, and a cell in characters.
_ROWS = 1_048_575
_CHARACTERS = 32_767


def tables(report: Report) -> dict[str, pd.DataFrame]:
    """The tables of a pack that leave the suite, fit for the report's audience."""
    agreement = report.agreement
    known = report.known
    units, observed = agreement.measures["unit"], observed_units(agreement.measures)
    made = {
        "assessment": report.assessment,
        "grant": grants(report),
        "readings": _with_unit(report.readings, units),
        "observations": _with_unit(known, observed),
        "targets": agreement.targets.reset_index(),
        "measures": agreement.measures.drop(columns=list(PARSED)).reset_index(),
        "commitments": report.commitments.join(
            agreement.commitments[list(_AGREED)], on="commitment"
        ),
        "links": agreement.links,
        "assumptions": agreement.assumptions,
        "findings": findings_by_partner(report.findings, agreement),
        "data log": report.sources,
    }
    if report.audience == "internal":
        return made
    made["findings"] = made["findings"][made["findings"]["measure"].notna()]
    return {
        name: table.drop(columns=_INTERNAL.get(name, [])).reset_index(drop=True)
        for name, table in made.items()
    }


def _with_unit(table: pd.DataFrame, units: pd.Series) -> pd.DataFrame:
    """A table of figures with each one's unit beside its measure and area."""
    made = table.copy()
    made.insert(2, "unit", table["measure"].map(units).astype("str"))
    return made


def assessment_parquet(report: Report) -> bytes:
    """The assessment as a Parquet file: the same columns and types in every pack."""
    table = tables(report)["assessment"]
    numbers = _FIGURES | _SHARES | set(_FORMATS)
    # A column in which nothing is known has no type of its own.
    open_ = [name for name in table.columns if table[name].dtype == "object"]
    typed = table.astype({name: "float64" if name in numbers else "str" for name in open_})
    return typed.to_parquet(index=False)


def workbook_name(report: Report) -> str:
    """File name of the workbook in a pack."""
    return report.workbook_name


def write_workbook(report: Report, path: Path) -> None:
    """Write the workbook of a pack: a cover, a sheet for each table, and what its columns mean.

    Numbers are numbers and days are days, with their usual formats; no text is ever a formula.
    The same report gives the same bytes.
    """
    made = tables(report)
    content = io.BytesIO()
    # Row by row, so that a million observations need no more memory than one.
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as book:
        name = visible(report.agreement.settings.agreement.name)
        book.set_properties(
            {
                "title": f"{name}, {report.period}"[:255],
                # Not the time of writing, which would differ from run to run.
                "created": datetime.combine(report.cut_off, time()),
            }
        )
        look = _looks(book)
        _cover(book, look, report, made)
        for sheet, table in made.items():
            _sheet(book, look, sheet, table)
        described = [
            (sheet, column, MEANINGS[sheet][column])
            for sheet, table in made.items()
            for column in table.columns
        ]
        columns = pd.DataFrame(described, columns=["sheet", "column", "meaning"])
        _sheet(book, look, "columns", columns)
    write_bytes(path, content.getvalue())


def _looks(book: xlsxwriter.Workbook) -> Look:
    """Gives the format of a look, the same one every time."""

    @cache
    def look(**properties: object) -> xlsxwriter.format.Format:
        return book.add_format({"valign": "top", **properties})

    return look


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
    whole = float(value).is_integer()
    if column not in _FIGURES and (sheet, column) != ("commitments", "value"):
        return (
            "#,##0"
            if whole and column in ("value", "numerator", "denominator", "observed")
            else "General"
        )
    number = "#,##0" + ("." + "0" * decimals(value, unit) if decimals(value, unit) else "")
    if unit == "percent":
        return f'{number}"%"'
    if unit == "percent change":
        return f'+{number}"%";-{number}"%";0"%"'
    return number


def _sheet(book: xlsxwriter.Workbook, look: Look, name: str, table: pd.DataFrame) -> None:
    """One table, its header frozen, with filters and columns as wide as what they hold."""
    sheet = book.add_worksheet(name)
    shown = table.head(_ROWS)
    units = shown["unit"].fillna("").tolist() if "unit" in shown else [""] * len(shown)
    for place, width in enumerate(_widths(shown)):
        sheet.set_column(place, place, width)
    # The name of what a row is about stays in sight too.
    sheet.freeze_panes(1, 2 if list(shown.columns[:2]) == ["period", "measure"] else 1)
    sheet.autofilter(0, 0, max(len(shown), 1), len(shown.columns) - 1)
    for place, column in enumerate(shown.columns):
        _write(sheet, look, 0, place, column, bold=True, bottom=1)
    names = list(shown.columns)
    for row, (unit, record) in enumerate(zip(units, _records(shown), strict=True), start=1):
        for place, value in enumerate(record):
            if value is None:
                continue
            form = "General"
            if isinstance(value, int | float | Fraction):
                form = number_format(name, names[place], unit, float(value))
            _write(sheet, look, row, place, value, form)
    _for_paper(sheet)
    sheet.repeat_rows(0)


def _records(table: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """The rows as plain values, None where there is nothing."""
    plain = table.astype(object).where(table.notna(), None)
    return plain.itertuples(index=False, name=None)


def _widths(table: pd.DataFrame) -> list[int]:
    """Widths in characters; of long tables the first rows say enough."""
    first = table.head(500).astype(object).where(table.head(500).notna(), "")
    longest = [
        max([len(str(name)) + 3, *(len(_plain(cell)) + 1 for cell in first[name])])
        for name in first.columns
    ]
    return [min(max(width, 8), 48) for width in longest]


def _plain(cell: object) -> str:
    """About as many characters as a cell shows."""
    if isinstance(cell, float | Fraction):
        return f"{float(cell):,.2f}%"
    return "2004-12-31" if isinstance(cell, date) else str(cell)


def _for_paper(sheet: xlsxwriter.worksheet.Worksheet) -> None:
    sheet.set_paper(9)  # A4
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&RPage &P of &N")


def _cover(
    book: xlsxwriter.Workbook, look: Look, report: Report, made: dict[str, pd.DataFrame]
) -> None:
    """Whose workbook this is, what is not real in it, and how to read it."""
    sheet = book.add_worksheet("cover")
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 100)
    sheet.set_column(2, 2, 10)
    _for_paper(sheet)
    row = 0
    _write(sheet, look, row, 0, report.agreement.settings.agreement.name, bold=True, font_size=14)
    # The pages' own banner, so that both say the same.
    for line in banner(report).text.replace("on this page", "in this workbook").splitlines():
        row += 1
        _write(sheet, look, row, 0, line, bold=line.startswith(("Illustrative", "Draft")))
    parts = {"Sheets": _sheets_held(made), "States": STATES, "How to read it": _key(report)}
    for heading, lines in parts.items():
        row += 2
        _write(sheet, look, row, 0, heading, bold=True, bottom=1)
        _write(sheet, look, row, 1, "What it means", bold=True, bottom=1)
        if heading == "Sheets":
            _write(sheet, look, row, 2, "Rows", bold=True, bottom=1)
        for name, meaning in lines.items():
            row += 1
            if heading == "Sheets":
                sheet.write_url(row, 0, f"internal:'{name}'!A1", string=name)
            else:
                _write(sheet, look, row, 0, name)
            _write(sheet, look, row, 1, meaning, text_wrap=True)
            if name in made:
                _write(sheet, look, row, 2, len(made[name]), "#,##0")


def _sheets_held(made: dict[str, pd.DataFrame]) -> dict[str, str]:
    held = {name: SHEETS[name] for name in made}
    for name, table in made.items():
        if len(table) > _ROWS:
            held[name] += (
                f"; a sheet holds {_ROWS:,} rows, so the last {len(table) - _ROWS:,} are not here"
            )
    return held | {"columns": "what each column of each sheet means"}


def _key(report: Report) -> dict[str, str]:
    key = {
        "empty cell": "there is none, or it is not stated: the status column beside it says which",
        "illustrative": "TRUE where a figure, or one that it is made of, is made up",
        "flag": "final, provisional (may still be revised), revised, estimated or suppressed",
        "shares and chances": "0 to 1, shown in per cent; figures in per cent are 0 to 100",
        "assumed": "an assumption of ours: the sheet assumptions says why",
        "text": "always text, never a formula; control characters and characters that turn the "
        "direction of text are shown as signs, and texts over 32,767 characters are cut",
    }
    if report.audience == "public":
        key["left out"] = (
            "names of files, what senders wrote beside a figure, and findings about files"
        )
    return key


def save_processed(
    agreement: Agreement, observations: pd.DataFrame, findings: list[Finding]
) -> None:
    """Write the clean observations and the findings to the agreement's ``processed`` folder."""
    folder = agreement.folder / "processed"
    folder.mkdir(exist_ok=True)
    write_bytes(folder / "observations.parquet", observations.to_parquet(index=False))
    table = findings_by_partner(findings, agreement)
    write_bytes(folder / "findings.csv", csv_text(table).encode())
