"""Drafts: what a sidecar may say of a table that is not on our template, to be completed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from psa_analysis.files import checksum
from psa_analysis.findings import DataError
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.grids import Grid, read_grids
from psa_analysis.returns.layout import TITLE_ROWS, given_header, is_period
from psa_analysis.returns.sources import Sidecar

#: What the heading of a field that names things is likely to say.
_LIKELY = {
    "period": r"period|year|date|month|quarter",
    "area": r"area|authorit|district|council|region|geog|country|place|county|\bla\b|name",
    "measure": r"measure|indicator|series|desc|statistic",
}
_TOTAL = r"(?i)all\b.*|total.*|persons?|both.*|everyone|england"
#: Names of one column that a draft lists; more are nobody's to type.
_LISTED = 8


def draft_sidecar(
    path: Path, name: str, known: Mapping[str, Iterable[str]], own: str, today: date
) -> Sidecar | None:
    """What a sidecar may say of the largest table in a file; None where there is no table."""
    try:
        tables = [(grid, _header_rows(grid.cells)) for grid in read_grids(path, name)[0]]
    except DataError:
        return None
    tables = [(grid, rows) for grid, rows in tables if rows]
    if not tables:
        return None
    grid, rows = max(tables, key=lambda table: table[0].cells.size)
    layout: dict[str, Any] = {"sheet": [grid.sheet]} if len(tables) > 1 or grid.sheet else {}
    layout |= {"header_row": rows} | _columns(grid, rows, known, own)
    return Sidecar(received=today, checksum=checksum(path), draft=True, **layout)


def _is_figure(text: str) -> bool:
    return read_cell(text).value is not None and not is_period(text.strip())


def _header_rows(cells: pd.DataFrame) -> list[int]:
    """The rows just above the first figures; two where the lower one has gaps."""
    top = cells.head(TITLE_ROWS)
    filled = (top != "").sum(axis=1)
    figures = top.map(_is_figure).sum(axis=1)
    first = figures.index[(figures > 0) & (filled > 1)]
    above = filled.loc[: first[0] - 1] if len(first) else filled[:0]
    above = above[above > 1]
    if above.empty:
        return []
    lowest = int(above.index[-1])
    has_gaps = above.iloc[-1] < filled[first[0]]
    upper = [int(row) for row in above.index[-2:-1] if has_gaps and row == lowest - 1]
    return [*upper, lowest]


def _columns(
    grid: Grid, rows: list[int], known: Mapping[str, Iterable[str]], own: str
) -> dict[str, Any]:
    """Which heading is which field, from what stands below it."""
    header = given_header(grid.cells, rows)
    below = grid.cells.loc[rows[-1] + 1 :].map(str.strip)
    columns: dict[str, str] = {}
    keep: dict[str, list[str]] = {}
    measures: dict[str, str] = {}
    figures, extra = [], {}
    across = [at for at, text in header.items() if is_period(text)]
    for at, heading in ((at, text) for at, text in header.items() if at not in across):
        texts = below[at][below[at] != ""]
        if texts.empty or not heading:
            continue
        names = texts.drop_duplicates()
        ours = {field: [text for text in names if text in {*known[field]}] for field in known}
        if names.map(is_period).mean() > 0.7 and "period" not in columns and not across:
            columns["period"] = heading
            if names.str.fullmatch(r"(?:19|20)\d\d").any():
                extra["year"] = "ends"
        elif texts.map(_is_figure).mean() > 0.6:
            figures += [] if re.search(r"(?i)\bcode\b|\bid\b|rank|year", heading) else [heading]
            extra |= {"dash": "[x]"} if texts.isin(["-", "–"]).any() else {}
        elif len(texts) < len(below):
            keep[heading] = [""]  # a breakdown: where it says nothing, the row is of all
        elif field := next((field for field in ours if ours[field]), ""):
            columns.setdefault(field, heading)
            keep |= {heading: ours[field][:_LISTED]} if len(ours[field]) < len(names) else {}
        elif field := next(
            (field for field in _LIKELY if re.search(_LIKELY[field], heading, re.IGNORECASE)), ""
        ):
            columns.setdefault(field, heading)
            if columns[field] == heading and field == "measure":
                measures = dict.fromkeys(names[:_LISTED], "")
        elif 1 < len(names) < len(texts):
            totals = names[names.str.fullmatch(_TOTAL)]
            keep[heading] = [(totals if len(totals) else names).iloc[0]]
    if len(figures) == 1 and not across:
        columns["value"] = figures[0]
    elif not across:
        measures = dict.fromkeys(figures[:_LISTED], "")
        columns.pop("measure", None)
    needed = {"measure": "", "area": own, "period": ""}
    given = {*columns, "measure" if measures else "", "period" if across else ""}
    defaults = {field: text for field, text in needed.items() if field not in given}
    found = {"defaults": defaults, "columns": columns, "measures": measures, "keep": keep} | extra
    return {name: value for name, value in found.items() if value}
