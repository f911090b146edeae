"""Explain: from a figure of a page back to the cells that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pandas as pd

from psa_analysis.analysis.readings import observations_used
from psa_analysis.findings import ParameterError
from psa_analysis.register.rows import FIGURES
from psa_analysis.report import Report, assessment_row, readings_with_path
from psa_analysis.returns.grids import column_number, read_grids
from psa_analysis.words import NOT_STATED, day_text, figure_text, state_text, with_unit


def cells_used(report: Report, measure: str) -> pd.DataFrame:
    """The cells behind the latest reading of one measure."""
    row = assessment_row(report, measure)
    if report.audience == "public":
        raise ParameterError("cells of returns are for internal reports: open one of that audience")
    columns = [
        "part",
        "measure",
        "area",
        "period",
        "value",
        "flag",
        "received",
        "correction",
        "file",
        "sheet",
    ]
    if pd.isna(row["latest"]):
        return pd.DataFrame(columns=[*columns, "cell", "text"])
    used = observations_used(
        report.known,
        report.readings,
        report.agreement,
        measure,
        report.agreement.settings.agreement.area,
        row["latest_period"],
    )
    made = used[columns].assign(cell=used["column"] + used["row"].astype(str))
    folder = report.agreement.folder
    grids = {
        name: _sheets(folder / name, name, (folder / name).stat().st_mtime_ns)
        for name in used["file"].unique()
    }
    made["text"] = [
        grids[one.file][one.sheet].at[one.row, column_number(one.column)]
        for one in used.itertuples()
    ]
    return made.reset_index(drop=True)


@lru_cache(maxsize=16)
def _sheets(path: Path, name: str, changed: int) -> dict[str, pd.DataFrame]:
    """The cells of a file's sheets: read once for all measures, unless it has changed since."""
    return {grid.sheet: grid.cells for grid in read_grids(path, name)[0]}


def explain(report: Report, measure: str) -> Iterator[str]:
    """The chain behind one measure's state, a line at a time, ending in files and cells."""
    row = assessment_row(report, measure)
    unit = str(row["unit"])
    definition = report.agreement.measures.loc[measure]
    yield (
        f"{measure}: {row['title']}. Report of {report.period}, from figures received by "
        f"{day_text(report.cut_off)}."
    )
    yield f"State      {state_text(row)}"
    if pd.notna(row["latest"]):
        yield (
            f"Latest     {with_unit(row['latest'], unit)} for {row['latest_period']} "
            f"({row['latest_flag']}), made by the basis {row['basis']}"
        )
        if note := _note(report, row):
            yield f"Note       {note}"
    if pd.notna(row["planned"]):
        path = f"a straight line from {row['baseline_period']} to {row['due']}"
        yield f"Planned    {figure_text(row['planned'], unit)} by then, on {path}"
    yield from _chance_line(report, measure, unit)
    if pd.notna(row["forecast"]):
        outlook = report.outlooks[measure]
        between = f"{figure_text(row['low_80'], unit)} and {figure_text(row['high_80'], unit)}"
        note = f"; {outlook.note}" if outlook.note else ""
        yield (
            f"Forecast   {figure_text(row['forecast'], unit)} for {row['due']}, eight in ten "
            f"chances between {between}, from {outlook.readings} readings{note}"
        )
    else:
        yield f"Forecast   none: {row['no_forecast']}"
    yield f"Documents  {definition['document']}: {definition['location']}"
    yield from _register_lines(report, measure, definition, unit)
    if row["missing"]:
        yield f"Missing    {row['missing']}"
    if row["late"]:
        yield f"Late       the return for {row['expected_period']} had not come in"
    cells = cells_used(report, measure)
    parts = (
        ("base", "Base made from"),
        ("reading", "Latest made from"),
        ("comparator", "Compared with"),
    )
    for part, title in parts:
        mine = cells[cells["part"] == part]
        if len(mine):
            yield f"{title}:"
        for one in mine.itertuples():
            place = f"{one.file}, sheet {one.sheet}" if one.sheet else one.file
            figure = f"{one.value:,.10g} ({one.flag}), received {one.received:%Y-%m-%d}"
            # Other areas and measures stand in the same table, so those say which they are.
            of = f"{one.measure}, {one.area}, " if part == "comparator" else ""
            yield f"  {of}{one.period}  {figure}: {place}, cell {one.cell}, which says {one.text!r}"
            if one.correction:
                yield f"    corrected: {one.correction}"
    sources = report.sources[report.sources["file"].isin(cells["file"])]
    for source in sources.sort_values("file").itertuples():
        yield f"Source     {source.file}: {source.title}; {source.producer}"


def _note(report: Report, row: pd.Series) -> str:
    """What is to be known of the latest reading."""
    own = report.own_readings[row["measure"]]
    return str(own.loc[own["period"] == row["latest_period"], "note"].iloc[0])


def _chance_line(report: Report, measure: str, unit: str) -> Iterator[str]:
    """What chance alone allows around the latest reading, and by which method."""
    own = readings_with_path(report, measure)
    if len(own):
        last = own.iloc[-1]
        method = str(last["interval"])
        if pd.notna(last["lower"]):
            ends = f"{figure_text(last['lower'], unit)} to {figure_text(last['upper'], unit)}"
            method = f"{ends}, 95 in 100 times ({method})"
        yield f"Chance     {method}"


def _register_lines(
    report: Report, measure: str, definition: pd.Series, unit: str
) -> Iterator[str]:
    """Each figure of the register with its status, and why if no document states it."""
    reasons = report.agreement.assumptions.set_index(["item", "column"])["reason"].to_dict()
    for figure in FIGURES:
        status = definition[f"{figure}_status"]
        if not status:
            continue
        said = (
            NOT_STATED
            if status == NOT_STATED
            else f"{figure_text(definition[figure], unit)} ({status})"
        )
        why = reasons.get((measure, figure))
        yield f"{figure.capitalize():<10} {said}{f': {why}' if why else ''}"
    if definition["comparator"]:
        yield f"Comparator {definition['comparator']}"
    for column in ("basis", "comparator", "definition", "baseline_period", "due"):
        if why := reasons.get((measure, column)):
            yield f"Assumed    {column.replace('_', ' ')}: {why}"
