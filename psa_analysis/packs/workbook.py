"""The workbook of a pack: a summary for managers, and every table behind its pages."""

import io
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from fractions import Fraction
from functools import cache
from math import isfinite
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from psa_analysis import words
from psa_analysis.analysis.assessment import STATES, WITHHELD
from psa_analysis.files import COLUMNS, FORMULA_STARTS, csv_text, meanings, write_bytes
from psa_analysis.findings import Finding, visible
from psa_analysis.register.agreement import PARSED, Agreement, observed_units
from psa_analysis.register.rows import PRINTED
from psa_analysis.report import Report
from psa_analysis.returns.partners import findings_by_partner
from psa_analysis.show.agreement import banner
from psa_analysis.show.grant import grants
from psa_analysis.show.overview import scorecard
from psa_analysis.show.tables import MARKS, STATE_SIGNS, state_cell, title_text
from psa_analysis.words import chance_text, decimals, range_text

#: Format ("unit" is in the unit of its row) and audience of each column, from ``columns.csv``.
_DESCRIBED = pd.read_csv(COLUMNS, keep_default_na=False)
_SHEET_OF_TABLE = _DESCRIBED["table"].str.removesuffix(" in the workbook")
_ABOUT = _DESCRIBED.set_index([_SHEET_OF_TABLE, "column"]).to_dict("index")

#: Columns that a sheet has only where something stands in them.
_IF_ANY = {"measures": ["trigger", "paid", "target_to"], "grant": ["paid", "difference"]}

#: The columns of the summary, and what heads them.
_SUMMARY = meanings("headings of the summary")
_RIGHT = {"chance", "latest", "planned", "target", "reward"}
#: Green, amber and red, behind each state's sign and word.
_COLOURS = meanings("colours of the summary")

#: What the register says of a commitment and its state does not repeat.
_AGREED = meanings("commitments in the workbook")

#: What each sheet holds, in order.
SHEETS = meanings("sheets")

Look = Callable[..., xlsxwriter.format.Format]  # gives a cell's format from its properties


def tables(report: Report) -> dict[str, pd.DataFrame]:
    """The tables of a pack that leave the suite, fit for the report's audience."""
    agreement, measures = report.agreement, report.agreement.measures
    exported = {
        "assessment": report.assessment,
        "grant": grants(report),
        "readings": _with_unit(report.readings.drop(columns="used_from"), measures["unit"]),
        "observations": _with_unit(report.known, observed_units(measures)),
        "targets": agreement.targets.reset_index(),
        "measures": measures.drop(columns=list(PARSED)).reset_index(),
        "commitments": report.commitments.join(agreement.commitments[[*_AGREED]], on="commitment"),
        "links": agreement.links,
        "assumptions": agreement.assumptions,
        "findings": findings_by_partner(report.findings, agreement),
        "data log": report.sources,
    }
    for name in ("assessment", "grant"):  # types of processor differ in the last digits of these
        floats = exported[name].select_dtypes("float")
        exported[name] = exported[name].assign(**floats.map(lambda value: float(f"{value:.10g}")))
    for name, columns in _IF_ANY.items():
        sheet = exported[name]
        exported[name] = sheet.drop(columns=[each for each in columns if sheet[each].isna().all()])
    if report.audience == "internal":
        return exported
    exported["findings"] = exported["findings"][exported["findings"]["measure"].notna()]
    for name, table in exported.items():
        public = [column for column in table if not _ABOUT[name, column]["audience"]]
        exported[name] = table[public].reset_index(drop=True)
    return exported


def _with_unit(table: pd.DataFrame, units: pd.Series) -> pd.DataFrame:
    table = table.copy()
    table.insert(2, "unit", table["measure"].map(units).astype("str"))
    return table


def assessment_parquet(report: Report) -> bytes:
    """The assessment as a Parquet file: the same columns and types in every pack."""
    table = tables(report)["assessment"]
    # A column in which nothing is known has no type of its own.
    open_ = [name for name in table.columns if table[name].dtype == "object"]
    types = {name: "float64" if _ABOUT["assessment", name]["format"] else "str" for name in open_}
    return table.astype(types).to_parquet(index=False)


def write_tables(report: Report, folder: Path) -> str:
    """Write tables and workbook, and the clean observations; says what could not be saved."""
    exported = tables(report)
    # The workbook has the register's columns beside these.
    commitments = exported["commitments"].drop(columns=list(_AGREED))
    write_bytes(folder / "assessment.csv", csv_text(exported["assessment"]).encode())
    write_bytes(folder / "assessment.parquet", assessment_parquet(report))
    write_bytes(folder / "commitments.csv", csv_text(commitments).encode())
    write_workbook(report, folder / f"{report.period.slug}.xlsx")
    if report.audience == "internal":  # a public report holds less than was returned
        try:
            save_processed(report.agreement, report.observations, report.findings)
        except OSError as error:  # a data folder that is read-only still makes a pack
            return f"not saved: {error.strerror}: {error.filename}"
    return ""


def write_workbook(report: Report, path: Path) -> None:
    """Write the workbook: a summary, the contents, a sheet for each table, columns' meanings."""
    exported = tables(report)
    content = io.BytesIO()
    options: dict[str, Any] = {"constant_memory": True, "tmpdir": str(path.parent)}
    options |= {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(content, options) as book:
        title = f"{visible(report.agreement.settings.agreement.name)}, {report.period}"[:255]
        # Not the time of writing, which would differ from run to run.
        book.set_properties({"title": title, "created": datetime.combine(report.cut_off, time())})
        look = cache(lambda **properties: book.add_format({"valign": "top", **properties}))
        _summary(book, look, report)
        texts = {"sheet": SHEETS, "state": STATES, "to know": meanings("contents")}
        rows = [(kind, *text) for kind, of_kind in texts.items() for text in of_kind.items()]
        contents = pd.DataFrame(rows, columns=["kind", "name", "meaning"])
        if report.audience == "internal":
            contents = contents[contents["name"] != "left out"]
        names = [(sheet, column) for sheet, table in exported.items() for column in table]
        described = [(*name, _ABOUT[name]["meaning"]) for name in names]
        columns = pd.DataFrame(described, columns=["sheet", "column", "meaning"])
        for name, table in ({"contents": contents} | exported | {"columns": columns}).items():
            _sheet(book, look, name, table)
    write_bytes(path, content.getvalue())


def _write(sheet: Worksheet, look: Look, row: int, column: int, value: Any, **form: Any) -> None:
    """Write one cell as what it is, in the form that is given; nothing where there is no value."""
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    elif isinstance(value, float) and not isfinite(value):
        value = str(value)
    if isinstance(value, str):
        value = cell_text(value)
        # Excel would make it a formula once somebody edits the cell.
        form["quote_prefix"] = value.startswith(FORMULA_STARTS)
    elif isinstance(value, date):
        form["num_format"] = "yyyy-mm-dd"
    if value is not None and value != "":
        sheet.write(row, column, value, look(**form))


def cell_text(text: str) -> str:
    """A text as a cell of a workbook can hold it: visible, and cut with a mark where too long."""
    shown, most = visible(text), 32_767
    return shown if len(shown) <= most else f"{shown[: most - 20]}… (cut here)"


def number_format(sheet: str, column: str, unit: str, value: Any) -> str:
    """The number format of a figure, by its column and the unit of its row."""
    own = _ABOUT.get((sheet, column), {"format": ""})["format"]
    if not own or not isinstance(value, int | float | Fraction):
        return "General"
    if own == "observed":
        return "#,##0" if float(value).is_integer() else "General"
    if own != "unit":
        return own
    stated = len(f"{float(value):.10g}".partition(".")[2]) if column in PRINTED else 0
    places = decimals(float(value), unit, stated if stated < 5 else 0)
    number = ("#,##0." + "0" * places).rstrip(".")
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
        widths = [len(column) + 3, *(_width(cell) + 1 for cell in plain[column].head(500))]
        sheet.set_column(place, place, min(max(*widths, 8), 48))
    # The name of what a row is about stays in sight too.
    sheet.freeze_panes(1, 2 if columns[:2] == ["period", "measure"] else 1)
    sheet.autofilter(0, 0, max(len(table), 1), len(columns) - 1)
    sheet.write_row(0, 0, columns, look(bold=True, bottom=1))
    for row, record in enumerate(plain.to_dict("records"), start=1):
        for place, (column, value) in enumerate(record.items()):
            number = number_format(name, column, record.get("unit") or "", value)
            _write(sheet, look, row, place, value, num_format=number)
    _for_paper(sheet, 0)


def _width(cell: object) -> int:
    """About how many characters a cell shows."""
    if isinstance(cell, float | Fraction):
        return len(f"{float(cell):,.2f}%")
    return len("2004-12-31") if isinstance(cell, date) else len(str(cell))


def _summary(book: xlsxwriter.Workbook, look: Look, report: Report) -> None:
    """The sheet for managers, on one page in print: whether each target will be met."""
    sheet = book.add_worksheet("summary")
    rows = report.assessment.merge(grants(report)[["measure", "least", "most"]], how="left")
    targets = rows.apply(words.target_text, axis=1)
    one_figure = rows["target"].notna() & rows["target_to"].isna()
    shown = rows.assign(
        title=rows.apply(title_text, axis=1),
        chance=rows["chance_target"].map(chance_text),
        latest=rows["latest"].astype(object).mask(rows["latest_flag"] == WITHHELD, "[c]"),
        target=rows["target"].astype(object).where(one_figure, targets),
        reward=[*map(range_text, rows["least"], rows["most"])],
        note=rows.apply(_note, axis=1),
    )
    signs = rows["state"].map(STATE_SIGNS)
    shown["state"] = (signs.fillna("") + " " + rows.apply(state_cell, axis=1)).str.strip()
    shown = shown.astype(object).where(shown.notna(), "–")[list(_SUMMARY)]
    for place, (column, heading) in enumerate(_SUMMARY.items()):
        widths = [*map(len, heading.split()), *map(_width, shown[column])]
        sheet.set_column(place, place, min(max(widths) + 2, 48 if column == "title" else 24))
    # The pages' own banner, so that both say the same.
    text = banner(report).text.replace("on this page", "in this workbook")
    lines = [*text.splitlines(), scorecard(report).words.text]
    for row, part in enumerate(part for line in lines for part in wrap(line, 150)):
        _write(sheet, look, row, 0, part, bold=row == 0)
    header = row = row + 1
    # Only Excel finds by itself how high a row of wrapped texts is.
    sheet.set_row(row, 45)
    sheet.write_row(row, 0, _SUMMARY.values(), look(bold=True, bottom=1, text_wrap=True))
    for role, group in meanings("groups of the summary").items():
        row += 1
        _write(sheet, look, row, 0, group, bold=True)
        for index, record in rows[rows["role"] == role].iterrows():
            row += 1
            title, note = shown.loc[index, ["title", "note"]]
            sheet.set_row(row, 15 * max(len(wrap(title, 48)), len(wrap(note, 24))))
            for place, (column, value) in enumerate(shown.loc[index].items()):
                form = {"align": "right", "indent": 1} if column in _RIGHT else {}
                if column == "state" and record["state"] in _COLOURS:
                    form = {"bg_color": _COLOURS[record["state"]]}
                form["num_format"] = number_format("assessment", column, record["unit"], value)
                _write(sheet, look, row, place, value, text_wrap=True, border=4, **form)
    sheet.freeze_panes(header + 1, 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:L{row + 1}"})
    sheet.print_area(0, 0, row, len(_SUMMARY) - 1)
    _for_paper(sheet, header)
    sheet.set_margins(left=0.4, right=0.4)


def _note(row: pd.Series) -> str:
    """What to know of the figures of a row of the assessment."""
    flag, status = row["latest_flag"], row["target_status"]
    notes = {
        words.tolerance_text(row): pd.notna(row["by_tolerance"]),
        "return late": row["late"],
        "[c] small numbers": flag == WITHHELD,
        f"reading {flag}": flag in MARKS,
        f"target {status}": status in MARKS,
        "illustrative": row["illustrative"],
    }
    return ", ".join(text for text, applies in notes.items() if applies) or "–"


def _for_paper(sheet: Worksheet, header: int) -> None:
    sheet.set_paper(9)  # A4
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&RPage &P of &N")
    sheet.repeat_rows(header)


def save_processed(
    agreement: Agreement, observations: pd.DataFrame, findings: Iterable[Finding]
) -> None:
    """Write the clean observations and the findings to the agreement's ``processed`` folder."""
    folder = agreement.folder / "processed"
    folder.mkdir(exist_ok=True)
    write_bytes(folder / "observations.parquet", observations.to_parquet(index=False))
    table = findings_by_partner(findings, agreement)
    write_bytes(folder / "findings.csv", csv_text(table).encode())
