"""From a figure of a page back to the cells that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pandas as pd

from psa_analysis.analysis.readings import observations_used
from psa_analysis.findings import ParameterError
from psa_analysis.register.agreement import FIGURES, RULES_WITH_PATH
from psa_analysis.report import Report, assessment_row, readings_with_path
from psa_analysis.returns.grids import column_number, read_grids
from psa_analysis.returns.sources import raw_files
from psa_analysis.show.tables import state_cell
from psa_analysis.words import NOT_STATED, day_text, figure_text, with_unit

_COLUMNS = ["part", "measure", "area", "period", "value", "flag", "received", "correction"]
#: What a cell went into, in the order of the chain.
_PARTS = {"base": "Base from", "reading": "Made from", "comparator": "Compared"}

#: How the planned path of each profile runs.
PATHS = {
    "linear": "equal steps from the baseline to the target",
    "steps": "each level is held until the next",
    "given": "straight lines between the levels that are given",
    "seasonal": "equal steps from year to year, each quarter as usual for its season",
}


def cells_used(report: Report, measure: str) -> pd.DataFrame:
    """The cells behind the latest reading of one measure, with the text of each.

    ``part`` says what a cell went into: the reading, its base, or its comparator.
    """
    row, agreement = assessment_row(report, measure), report.agreement
    if report.audience == "public":
        raise ParameterError("cells of returns are for internal reports: open one of that audience")
    period = "" if pd.isna(row["latest"]) else row["latest_period"]
    key = measure, agreement.settings.agreement.area, period
    used = observations_used(report.known, report.readings, agreement, key)
    texts, paths = [], {name: path for path, name, _ in raw_files(agreement.folder)}
    for cell in used.itertuples():
        path = paths[cell.file]
        cells = _sheets(path, cell.file, path.stat().st_mtime_ns)[cell.sheet]
        texts.append(cells.at[cell.row, column_number(cell.column)])
    addresses = used["column"].astype(str) + used["row"].astype(str)
    behind = used[[*_COLUMNS, "file", "sheet"]].assign(cell=addresses, text=texts)
    return behind.reset_index(drop=True)


@lru_cache(maxsize=16)
def _sheets(path: Path, name: str, changed: int) -> dict[str, pd.DataFrame]:
    """The cells of a file's sheets: read once for all measures, unless it has changed since."""
    return {grid.sheet: grid.cells for grid in read_grids(path, name)[0]}


def explanation(report: Report, measure: str) -> Iterator[tuple[str, str]]:
    """The chain behind one measure's latest figure, a label and a text at a time, to its cells."""
    row = assessment_row(report, measure)
    day = day_text(report.cut_off)
    yield "Measure", f"{measure}: {row['title']}, {report.period}, figures received by {day}"
    yield "State", f"{state_cell(row).capitalize()}: {row['reason']}"
    for last in readings_with_path(report, measure).tail(1).itertuples():
        latest = f"{with_unit(last.reading, row)} for {last.period}"
        yield "Latest", f"{latest} ({last.flag}), made by the basis {row['basis']}"
        if last.note:
            yield "Remark", last.note
        low, high = (figure_text(limit, row) for limit in (last.lower, last.upper))
        chance = f"{low} to {high}, 95 in 100 times ({last.interval})"
        yield "Chance", last.interval if pd.isna(last.lower) else chance
    yield from _register_lines(report, row)
    cells = cells_used(report, measure)
    for part, label in _PARTS.items():
        for cell in cells[cells["part"] == part].itertuples():
            # Other areas and measures stand in the same table, so those say which they are.
            other = f"{cell.measure}, {cell.area}, " if part == "comparator" else ""
            figure = f"{cell.value:,.10g} ({cell.flag}), received {cell.received:%Y-%m-%d}"
            place = f"{cell.file}, sheet {cell.sheet}" if cell.sheet else cell.file
            corrected = f"; corrected: {cell.correction}" if cell.correction else ""
            place = f"{place}, cell {cell.cell}: {cell.text!r}{corrected}"
            yield label, f"{other}{cell.period}: {figure}, {place}"
    sources = report.sources[report.sources["file"].isin(cells["file"])]
    for source in sources.sort_values("file").itertuples():
        yield "Source", f"{source.file}: {source.title}; {source.producer}"


def _register_lines(report: Report, row: pd.Series) -> Iterator[tuple[str, str]]:
    """Each figure of the register with its status, and why if no document states it."""
    definition = report.agreement.measures.loc[row["measure"]]
    yield "Documents", f"{definition['document']}: {definition['location']}"
    assumptions = report.agreement.assumptions
    own = assumptions[assumptions["item"] == row["measure"]]
    reasons = own.set_index("column")["reason"].to_dict()
    for figure in FIGURES:
        if status := definition[f"{figure}_status"]:
            # The base is a level, whose change is the reading.
            value = figure_text(definition[figure], "" if figure == "base" else row)
            text = NOT_STATED if status == NOT_STATED else f"{value} ({status})"
            why = reasons.get(figure)
            yield figure.capitalize(), f"{text}: {why}" if why else text
    if pd.notna(definition["target_to"]):
        yield "Up to", figure_text(definition["target_to"], row)
    if definition["rule"] in RULES_WITH_PATH and definition[["baseline", "target"]].notna().all():
        levels = [f"{figure_text(v, row)} by {day_text(day)}" for day, v in definition["points"]]
        yield "Path", "; ".join([PATHS[definition["profile"] or "linear"], *levels])
    if definition["comparator"]:
        yield "Comparator", definition["comparator"]
    for column in ("basis", "comparator", "definition", "baseline_period", "due"):
        if why := reasons.get(column):
            yield "Assumed", f"{column.replace('_', ' ')}: {why}"
    if row["missing"]:
        yield "Missing", row["missing"]
