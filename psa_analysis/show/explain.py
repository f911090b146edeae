"""From a figure of a page back to the cells that it came from."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from psa_analysis.analysis.explain import cells_behind
from psa_analysis.findings import ParameterError
from psa_analysis.register.rows import FIGURES
from psa_analysis.report import Report, assessment_row, own_readings, readings_with_path
from psa_analysis.words import NOT_STATED, day_text, figure_text, state_text, with_unit

#: What a cell went into, in the order of the chain.
_PARTS = {"base": "Base made from", "reading": "Latest made from", "comparator": "Compared with"}


def cells_used(report: Report, measure: str) -> pd.DataFrame:
    """The cells behind the latest reading of one measure."""
    row = assessment_row(report, measure)
    if report.audience == "public":
        raise ParameterError("cells of returns are for internal reports: open one of that audience")
    period = None if pd.isna(row["latest"]) else row["latest_period"]
    return cells_behind(report.known, report.readings, report.agreement, measure, period)


def explanation(report: Report, measure: str) -> Iterator[str]:
    """The chain behind one measure's state, a line at a time, ending in files and cells."""
    row = assessment_row(report, measure)
    received = f"from figures received by {day_text(report.cut_off)}"
    yield f"{measure}: {row['title']}. Report of {report.period}, {received}."
    for label, text in [*_assessment_lines(report, row), *_register_lines(report, row)]:
        yield f"{label:<10} {text}"
    cells = cells_used(report, measure)
    for part, title in _PARTS.items():
        of_part = cells[cells["part"] == part]
        if len(of_part):
            yield f"{title}:"
        for cell in of_part.itertuples():
            # Other areas and measures stand in the same table, so those say which they are.
            other = f"{cell.measure}, {cell.area}, " if part == "comparator" else ""
            figure = f"{cell.value:,.10g} ({cell.flag}), received {cell.received:%Y-%m-%d}"
            place = f"{cell.file}, sheet {cell.sheet}" if cell.sheet else cell.file
            place = f"{place}, cell {cell.cell}, which says {cell.text!r}"
            yield f"  {other}{cell.period}  {figure}: {place}"
            if cell.correction:
                yield f"    corrected: {cell.correction}"
    sources = report.sources[report.sources["file"].isin(cells["file"])]
    for source in sources.sort_values("file").itertuples():
        yield f"{'Source':<10} {source.file}: {source.title}; {source.producer}"


def _assessment_lines(report: Report, row: pd.Series) -> Iterator[tuple[str, str]]:
    """State, latest reading, planned path, chance and forecast, each with its label."""
    measure, unit = row["measure"], row["unit"]
    yield "State", state_text(row)
    if pd.notna(row["latest"]):
        readings = own_readings(report, measure).set_index("period")
        latest = f"{with_unit(row['latest'], unit)} for {row['latest_period']}"
        yield "Latest", f"{latest} ({row['latest_flag']}), made by the basis {row['basis']}"
        if note := readings.at[row["latest_period"], "note"]:
            yield "Note", note
    if pd.notna(row["planned"]):
        path = f"a straight line from {row['baseline_period']} to {row['due']}"
        yield "Planned", f"{figure_text(row['planned'], unit)} by then, on {path}"
    for last in readings_with_path(report, measure).tail(1).itertuples():
        ends = f"{figure_text(last.lower, unit)} to {figure_text(last.upper, unit)}"
        limits = f"{ends}, 95 in 100 times ({last.interval})"
        yield "Chance", str(last.interval) if pd.isna(last.lower) else limits
    if pd.notna(row["forecast"]):
        outlook = report.outlooks[measure]
        between = f"{figure_text(row['low_80'], unit)} and {figure_text(row['high_80'], unit)}"
        note = f"; {outlook.note}" if outlook.note else ""
        yield (
            "Forecast",
            f"{figure_text(row['forecast'], unit)} for {row['due']}, eight in ten chances between "
            f"{between}, from {outlook.readings} readings{note}",
        )
    else:
        yield "Forecast", f"none: {row['no_forecast']}"


def _register_lines(report: Report, row: pd.Series) -> Iterator[tuple[str, str]]:
    """Each figure of the register with its status, and why if no document states it."""
    measure = row["measure"]
    definition = report.agreement.measures.loc[measure]
    yield "Documents", f"{definition['document']}: {definition['location']}"
    reasons = report.agreement.assumptions.set_index(["item", "column"])["reason"].to_dict()
    for figure in FIGURES:
        if status := definition[f"{figure}_status"]:
            text = f"{figure_text(definition[figure], row['unit'])} ({status})"
            why = reasons.get((measure, figure))
            text = NOT_STATED if status == NOT_STATED else text
            yield figure.capitalize(), f"{text}: {why}" if why else text
    if definition["comparator"]:
        yield "Comparator", definition["comparator"]
    for column in ("basis", "comparator", "definition", "baseline_period", "due"):
        if why := reasons.get((measure, column)):
            yield "Assumed", f"{column.replace('_', ' ')}: {why}"
    if row["missing"]:
        yield "Missing", row["missing"]
    if row["late"]:
        yield "Late", f"the return for {row['expected_period']} had not come in"
