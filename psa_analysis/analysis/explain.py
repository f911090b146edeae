"""The cells of returns that a reading was made from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

from psa_analysis.analysis.readings import observations_used
from psa_analysis.register.agreement import Agreement
from psa_analysis.returns.grids import column_number, read_grids

_COLUMNS = ["part", "measure", "area", "period", "value", "flag", "received", "correction"]


def cells_behind(
    known: pd.DataFrame,
    readings: pd.DataFrame,
    agreement: Agreement,
    measure: str,
    period: str | None,
) -> pd.DataFrame:
    """The cells behind one reading of the agreement's area, with the text of each; none for None.

    ``part`` says what a cell went into: the reading, its base, or its comparator.
    """
    area = agreement.settings.agreement.area
    used = observations_used(known, readings, agreement, measure, area, period or "")
    texts = []
    for row in used.itertuples():
        path = agreement.folder / row.file
        cells = _sheets(path, row.file, path.stat().st_mtime_ns)[row.sheet]
        texts.append(cells.at[row.row, column_number(row.column)])
    addresses = used["column"].astype(str) + used["row"].astype(str)
    behind = used[[*_COLUMNS, "file", "sheet"]].assign(cell=addresses, text=texts)
    return behind.reset_index(drop=True)


@lru_cache(maxsize=16)
def _sheets(path: Path, name: str, changed: int) -> dict[str, pd.DataFrame]:
    """The cells of a file's sheets: read once for all measures, unless it has changed since."""
    return {grid.sheet: grid.cells for grid in read_grids(path, name)[0]}
