"""Drafts: what a sidecar may say of a table that is not ours, for somebody to complete."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from psa_analysis.files import checksum
from psa_analysis.returns import grids
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.layout import TITLE_ROWS, Sheet, given_header, is_period, titled
from psa_analysis.returns.sources import NO_SIDECAR, Sidecar

#: What the heading of a field that names things is likely to say.
_LIKELY = {
    "period": r"period|year|date|month|quarter",
    "area": r"area|authorit|district|council|region|geog|country|place|county|\bla\b|name",
    "measure": r"measure|indicator|series|desc|statistic",
}
_EVERYONE = r"(?i)all\b.*|total.*|persons?|both.*|everyone|england"
#: Names of one column that a draft lists; more are nobody's to type.
_LISTED = 8


def draft_sidecar(
    path: Path, name: str, known: Mapping[str, Iterable[str]], own: str, today: date
) -> Sidecar | None:
    """What a sidecar may say of the largest table in a file; None where there is no table."""
    try:
        read = grids.read_grids(path, name)[0]
    except Exception:  # which the finding of the file tells
        return None
    tables = [(grid, rows) for grid in read if (rows := _header_rows(grid.cells))]
    if not tables:
        return None
    grid, rows = max(tables, key=lambda table: table[0].cells.size)
    layout: dict[str, Any] = {"sheet": [grid.sheet]} if len(tables) > 1 or grid.sheet else {}
    layout |= {"header_row": rows} | _columns(grid, rows, known, own)
    sheet = Sheet(name, grid, NO_SIDECAR, grid.cells, rows[-1], given_header(grid.cells, rows))
    if len(rows) == 1 and titled(sheet, [*sheet.header]):
        del layout["header_row"]  # it would say that the figures are what they should be
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
    grid: grids.Grid, rows: list[int], known: Mapping[str, Iterable[str]], own: str
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
        named = [field for field in ours if ours[field]]
        likely = [field for field in _LIKELY if re.search(_LIKELY[field], heading, re.IGNORECASE)]
        if names.map(is_period).mean() > 0.7 and "period" not in columns and not across:
            columns["period"] = heading
            if names.str.fullmatch(r"(?:19|20)\d\d").any():
                extra["year"] = "ends"
        elif texts.map(_is_figure).mean() > 0.6:
            figures += [] if re.search(r"(?i)\bcode\b|\bid\b|rank|year", heading) else [heading]
            extra |= {"dash": "[x]"} if texts.isin(["-", "–"]).any() else {}
        elif len(texts) < len(below):
            keep[heading] = [""]  # a breakdown: where it says nothing, the row is of all
        elif named:
            columns.setdefault(named[0], heading)
            some = ours[named[0]]
            keep |= {heading: some[:_LISTED]} if len(some) < len(names) else {}
        elif likely:
            columns.setdefault(likely[0], heading)
            if columns.get("measure") == heading:
                measures = dict.fromkeys(names[:_LISTED], "")
        elif 1 < len(names) < len(texts):
            totals = names[names.str.fullmatch(_EVERYONE)]
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
