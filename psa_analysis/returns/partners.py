"""Partners: what each of them still owes, and the workbook to send them for it."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import xlsxwriter

from psa_analysis.files import write_bytes
from psa_analysis.findings import ParameterError, did_you_mean, one_of
from psa_analysis.register.agreement import observed_units, rate_factor
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import FLAGS
from psa_analysis.words import day_text

#: The template's columns; the loader knows each of them, and reads only those that it needs.
TEMPLATE_COLUMNS = {
    "Measure": 16,
    "What is measured": 34,
    "Definition": 44,
    "Unit": 14,
    "Area": 18,
    "Period": 14,
    "Last period": 14,
    "Last value": 12,
    "Value": 12,
    "Numerator": 12,
    "Denominator": 12,
    "Flag": 12,
    "Note": 34,
}
_TO_FILL = ("Value", "Numerator", "Denominator", "Flag", "Note")
_HEADER_ROW = 4


def due(report: Report) -> pd.DataFrame:
    """What each partner should have returned by now, and whether it came."""
    partners = report.agreement.settings.partners
    known = report.known.sort_values("period_end")
    known = known[known["area"] == report.agreement.settings.agreement.area]
    newest = known.groupby("measure", observed=True)["period"].last()
    rows = report.assessment[report.assessment["expected_period"].notna()]
    measures = report.agreement.measures
    table = pd.DataFrame(
        {
            "partner": rows["measure"].map(measures["partner"]),
            "measure": rows["measure"],
            "title": rows["title"],
            "period": rows["expected_period"],
            "returned": ~rows["late"],
            "last_period": rows["measure"].map(newest),
        }
    )
    # A measure that nobody ever measured and that has no target is owed by nobody.
    owed = table["last_period"].notna() | rows["target"].notna()
    table = table[(table["partner"] != "") & owed]
    order = table["partner"].map({partner: n for n, partner in enumerate(partners)})
    return table.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def write_template(report: Report, partner: str, path: Path) -> pd.DataFrame:
    """Write the workbook in which a partner returns its figures for a period."""
    partners = report.agreement.settings.partners
    if partner not in partners:
        raise ParameterError(
            f"there is no partner '{partner}'; expected {one_of(partners)}. "
            + did_you_mean(partner, partners)
        )
    rows = _template_rows(report, partner)
    if rows.empty:
        raise ParameterError(f"nothing is due from {partners[partner]} for {report.period}")
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        _fill(book, rows, report, partners[partner])
    write_bytes(path, content.getvalue())
    return rows


def _template_rows(report: Report, partner: str) -> pd.DataFrame:
    owed = due(report)
    measures = report.agreement.measures
    units = observed_units(measures)
    known = report.known.sort_values("period_end")
    made = []
    for one in owed[owed["partner"] == partner].itertuples():
        measure = measures.loc[one.measure]
        series = known[known["measure"] == one.measure]
        # The agreement's own area and every one that was ever returned, in the register's order.
        own, listed = report.agreement.settings.agreement.area, report.agreement.areas["area"]
        areas = [own, *listed[listed.isin(series["area"]) & (listed != own)]]
        for area in areas:
            mine = series[series["area"] == area]
            last = mine.iloc[-1] if len(mine) else None
            made.append(
                {
                    "Measure": one.measure,
                    "What is measured": measure["title"],
                    "Definition": measure["definition"],
                    "Unit": units[one.measure],
                    "Area": area,
                    "Period": one.period,
                    "Last period": "" if last is None else last["period"],
                    "Last value": "" if last is None else f"{last['value']:.10g}",
                }
            )
    return pd.DataFrame(made, columns=list(TEMPLATE_COLUMNS), dtype=str).fillna("")


def _fill(book: xlsxwriter.Workbook, rows: pd.DataFrame, report: Report, partner: str) -> None:
    sheet = book.add_worksheet("Return")
    title = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    given = book.add_format({"text_wrap": True, "valign": "top", "font_color": "#505a5f"})
    open_ = book.add_format({"bg_color": "#fff7bf", "border": 1, "valign": "top"})
    name = report.agreement.settings.agreement.name
    sheet.write_string(0, 0, f"{name}: return of {partner} for {report.period}", title)
    sheet.write_string(
        1,
        0,
        "Please fill in the yellow cells and send the workbook back by "
        f"{day_text(report.cut_off)}.",
    )
    sheet.write_string(
        2,
        0,
        "No figure yet: write [x]. Confidential: write [c]. "
        "Give the numerator and denominator of every rate.",
    )
    for column, (text, width) in enumerate(TEMPLATE_COLUMNS.items()):
        sheet.set_column(column, column, width)
        sheet.write_string(_HEADER_ROW, column, text, head)
    for number, row in enumerate(rows.itertuples(index=False), start=_HEADER_ROW + 1):
        for column, (heading, text) in enumerate(zip(TEMPLATE_COLUMNS, row, strict=True)):
            if heading in _TO_FILL:
                sheet.write_blank(number, column, None, open_)
            else:
                # As text, so that no cell can be taken for a formula or a date.
                sheet.write_string(number, column, text, given)
    _validate(sheet, rows)
    sheet.freeze_panes(_HEADER_ROW + 1, 2)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEADER_ROW)


def _validate(sheet: xlsxwriter.workbook.Worksheet, rows: pd.DataFrame) -> None:
    """Let a spreadsheet warn of what cannot be; marks such as [x] must still pass."""
    columns = {heading: column for column, heading in enumerate(TEMPLATE_COLUMNS)}
    for number, unit in enumerate(rows["Unit"], start=_HEADER_ROW + 1):
        limit = 100 if rate_factor(unit) == 100 else 1e12
        for heading in ("Value", "Numerator", "Denominator"):
            most = limit if heading == "Value" else 1e12
            sheet.data_validation(
                number,
                columns[heading],
                number,
                columns[heading],
                {
                    "validate": "decimal",
                    "criteria": "between",
                    "minimum": -1e12,
                    "maximum": most,
                    "error_type": "warning",
                    "error_title": heading,
                    "error_message": f"Expected a number in {unit}, or [x] or [c].",
                },
            )
        sheet.data_validation(
            number,
            columns["Flag"],
            number,
            columns["Flag"],
            {"validate": "list", "source": FLAGS, "error_message": "Choose one of the list."},
        )
