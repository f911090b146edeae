"""Partners: what each of them still owes or is asked, and the workbook to send them for it."""

import io
from collections.abc import Iterable
from datetime import date
from pathlib import Path, PurePosixPath

import pandas as pd
import xlsxwriter

from psa_analysis.files import meanings, write_bytes
from psa_analysis.findings import Finding, ParameterError, did_you_mean, one_of, visible
from psa_analysis.periods import Period, parse_period, period_containing
from psa_analysis.register.agreement import Agreement, observed_units
from psa_analysis.returns.cells import FLAGS
from psa_analysis.words import day_text

#: The template's columns that are printed and those to fill in, with their widths.
_PRINTED = {"Measure": 16, "What is measured": 34, "Definition": 44, "Unit": 14}
_PRINTED |= {"Area": 18, "Period": 14, "Last period": 14, "Last value": 12}
_TO_FILL = {"Value": 12, "Numerator": 12, "Denominator": 12, "Flag": 12, "Note": 34}
TEMPLATE_COLUMNS = _PRINTED | _TO_FILL
_HEADER_ROW = 4
#: The most letters of a cell.
_LONGEST = 32_767

#: What a spreadsheet warns of, or refuses; marks such as [x] must still pass as figures.
_NUMBER = {"validate": "decimal", "criteria": "between", "minimum": -1e12, "maximum": 1e12}
_NUMBER |= {"error_type": "warning", "error_message": "Expected a number, or [x] or [c]."}
_RULES: dict[str, dict[str, object]] = {
    **dict.fromkeys(("Value", "Numerator", "Denominator"), _NUMBER),
    "Flag": {"validate": "list", "source": FLAGS, "error_message": "Choose one of the list."},
}


def due(agreement: Agreement, known: pd.DataFrame, assessment: pd.DataFrame) -> pd.DataFrame:
    """What should have come in by the cut-off, and whether it did; `partner` may be empty."""
    partners = [*agreement.settings.partners, ""]
    known = known[known["area"] == agreement.settings.agreement.area].sort_values("period_end")
    rows = assessment[assessment["expected_period"].notna()]
    table = rows[["measure", "title"]].assign(
        partner=rows["measure"].map(agreement.measures["partner"]).astype("str"),
        period=rows["expected_period"],
        returned=~rows["late"],
        last_period=rows["measure"].map(known.groupby("measure")["period"].last()),
    )
    # A measure that nobody ever measured and that has no target is owed by nobody.
    owed = table["last_period"].notna() | rows["target"].notna()
    order = partners.index
    table = table[owed].sort_values("partner", key=lambda names: names.map(order), kind="stable")
    columns = ["partner", "measure", "title", "period", "returned", "last_period"]
    return table[columns].reset_index(drop=True)


def write_template(
    path: Path,
    partner: str,
    agreement: Agreement,
    known: pd.DataFrame,
    assessment: pd.DataFrame,
    period: Period,
    cut_off: date,
) -> pd.DataFrame:
    """Write the workbook in which a partner returns its figures for a period; gives its rows."""
    partners = agreement.settings.partners
    if partner not in partners:
        expected = f"expected {one_of(partners)}. {did_you_mean(partner, partners)}"
        raise ParameterError(f"there is no partner '{partner}'; {expected}")
    owed = due(agreement, known, assessment)
    rows = _template_rows(owed[owed["partner"] == partner], agreement, known)
    if rows.empty:
        raise ParameterError(f"nothing is due from {partners[partner]} for {period}")
    lines = [
        f"{agreement.settings.agreement.name}: return of {partners[partner]} for {period}",
        f"Please fill in the yellow cells and send the workbook back by {day_text(cut_off)}.",
        "No figure yet: write [x]. Confidential: write [c]. Give both parts of every rate.",
    ]
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        _write_sheet(book, lines, rows)
    write_bytes(path, content.getvalue())
    return rows


def _template_rows(owed: pd.DataFrame, agreement: Agreement, known: pd.DataFrame) -> pd.DataFrame:
    """A row for each measure that is owed, and each area that it was ever returned for."""
    own, measures = agreement.settings.agreement.area, agreement.measures
    key = ["measure", "area"]
    newest = known.sort_values("period_end").drop_duplicates(key, keep="last")
    # The agreement's own area in any case, and first.
    areas = [own, *agreement.areas["area"][agreement.areas["area"] != own]]
    table = owed[["measure", "period"]].merge(pd.DataFrame({"area": areas}), how="cross")
    table = table.assign(period=table["period"].map(_periods_of_quarter)).explode("period")
    table = table.merge(newest[[*key, "period", "value"]], "left", key, suffixes=("", "_last"))
    table = table[table["period_last"].notna() | (table["area"] == own)].reset_index(drop=True)
    columns = {
        "Measure": table["measure"],
        "What is measured": table["measure"].map(measures["title"]),
        "Definition": table["measure"].map(measures["definition"]),
        "Unit": table["measure"].map(observed_units(measures)),
        "Area": table["area"],
        "Period": table["period"],
        "Last period": table["period_last"],
        "Last value": table["value"].map("{:.10g}".format, na_action="ignore"),
    }
    return pd.DataFrame(columns, columns=list(TEMPLATE_COLUMNS), dtype=str).fillna("")


def _periods_of_quarter(expected: str) -> list[str]:
    """The period that is expected, and of months those of its quarter before it."""
    period = parse_period(expected)
    if period.kind != "month":
        return [expected]
    ends = pd.date_range(period_containing(period.end, "quarter").start, period.end, freq="ME")
    return [period_containing(end.date(), "month").label for end in ends]


def _write_sheet(book: xlsxwriter.Workbook, lines: list[str], rows: pd.DataFrame) -> None:
    sheet = book.add_worksheet("Return")
    title = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    printed = book.add_format({"text_wrap": True, "valign": "top", "font_color": "#505a5f"})
    yellow = book.add_format({"bg_color": "#fff7bf", "border": 1, "valign": "top"})
    for number, line in enumerate(lines):
        sheet.write_string(number, 0, visible(line), None if number else title)
    for column, (heading, width) in enumerate(TEMPLATE_COLUMNS.items()):
        sheet.set_column(column, column, width)
        sheet.write_string(_HEADER_ROW, column, heading, head)
        for number, text in enumerate(rows[heading], start=_HEADER_ROW + 1):
            if heading in _PRINTED:
                # As text, so that no cell can be taken for a formula or a date.
                sheet.write_string(number, column, visible(text)[:_LONGEST], printed)
            else:
                sheet.write_blank(number, column, None, yellow)
        if heading in _RULES:
            place = (_HEADER_ROW + 1, column, _HEADER_ROW + len(rows), column)
            sheet.data_validation(*place, _RULES[heading])
    sheet.freeze_panes(_HEADER_ROW + 1, 2)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(_HEADER_ROW)


def findings_by_partner(findings: Iterable[Finding], agreement: Agreement) -> pd.DataFrame:
    """The findings with the partner whom each is for, indexed by their places among those given.

    It is the one who returns the measure, or else the one that the file is named for, if any.
    """
    columns = meanings("findings")
    table = pd.DataFrame([*findings], columns=[*columns, "also"]).astype({"row": "Int64"})
    table["count"] = 1 + table["also"].str.len().astype(int)
    partners = agreement.settings.partners
    by_measure = table["measure"].map(agreement.measures["partner"]).fillna("")
    stems = table["file"].map(lambda name: PurePosixPath(name).name.casefold().replace("_", "-"))
    by_file = stems.map(lambda stem: next((name for name in partners if stem.startswith(name)), ""))
    table["partner"] = by_measure.where(by_measure != "", by_file)
    order = [*partners, ""].index
    table = table.sort_values("partner", key=lambda names: names.map(order), kind="stable")
    return table[list(columns)]
