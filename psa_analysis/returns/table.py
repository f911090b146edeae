"""Reading: the table in each grid, as rows of figures with the cell of each.

The header is found below title rows, periods may run across the top, total rows are checked and
left out. What a cell means is decided later, in the cleaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from psa_analysis.files import RETURN_FOLDERS
from psa_analysis.findings import DataError, Finding, did_you_mean, one_of
from psa_analysis.periods import PeriodError, parse_period, read_day
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.grids import Grid, column_letter, read_grids
from psa_analysis.returns.headings import FIELD_OF, FIELDS, HELP, plain_heading
from psa_analysis.returns.sources import ENDING, Sidecar, raw_files, shown

ROW_COLUMNS = [*FIELDS, "sheet", "row", "column"]

_TOTAL = re.compile(r"(?:grand |county |sub-?)?total.*|all (?:districts|areas|authorities)", re.I)
_QUARTER_ONLY = re.compile(r"(?:q|quarter|qtr)\s*[1-4]", re.IGNORECASE)
#: Rows that may stand above the header.
_TITLE_ROWS = 30


def load_returns(
    folder: Path, sidecars: Mapping[str, Sidecar], known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every return and published file of an agreement."""
    tables: list[pd.DataFrame] = []
    findings = [
        Finding("warning", f"raw/{part}", "a folder", "Add it, with the files in it.")
        for part in RETURN_FOLDERS[:1]  # the published figures are a help, the returns are needed
        if not (folder / "raw" / part).is_dir()
    ]
    for path in raw_files(folder / "raw"):
        name = shown(path, folder)
        if not path.is_file():
            findings.append(Finding("error", name, "a file", "Take the folder or link away."))
            continue
        sidecar = sidecars.get(name)
        if sidecar is None and path.with_name(path.name + ENDING).exists():
            continue  # its sidecar was refused, and that finding says why
        defaults = dict(sidecar.defaults) if sidecar else {}
        if sidecar:
            defaults.setdefault("received", sidecar.received.isoformat())
        try:
            grids, doubts = read_grids(path, name)
        except DataError as error:
            findings += error.findings
            continue
        findings += doubts
        for grid in grids:
            rows, doubts = lay_out(grid, name, known, defaults)
            findings += doubts
            tables.append(rows.assign(file=_same(name, rows.index)))
    columns = [*ROW_COLUMNS, "file"]
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=columns, dtype=str).astype({"row": int}), findings
    return (filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True))[
        columns
    ], findings


def lay_out(
    grid: Grid, name: str, known: Mapping[str, Iterable[str]], defaults: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Find the table in a grid and give it one row per figure."""
    place = {"file": name, "sheet": grid.sheet or None}
    names = {str(one).casefold() for field in known.values() for one in field}
    for row, header in _candidate_headers(grid):
        grid, header = _with_years_in_quarters(grid, row, header)
        field_of = {
            column: FIELD_OF[plain]
            for column, text in header.items()
            if (plain := plain_heading(text)) in FIELD_OF
        }
        listed = [*field_of.values()]
        fields = {field: column for column, field in field_of.items()}
        periods = {column: text for column, text in header.items() if _is_period(text)}
        long = "value" in fields and ("period" in fields or "period" in defaults)
        if not long and (not periods or _is_no_header(grid, row, header, periods, names)):
            continue
        twice = sorted({field for field in listed if listed.count(field) > 1})
        again = sorted({text for text in periods.values() if [*periods.values()].count(text) > 1})
        bare = [text for text in header.values() if _QUARTER_ONLY.fullmatch(text)]
        if twice or (not long and (again or bare)):
            return _refused(
                f"one column for each of {', '.join(twice or again or bare)}",
                row,
                place,
                "Send one table with one column for each, and years above every quarter.",
            )
        if not long and (words := _words_above(grid, row, periods)):
            return _refused(
                f"figures that were observed: '{words}' stands above the periods",
                row,
                place,
                "Send what was observed alone, without targets or forecasts beside it.",
            )
        return (
            _long(grid, row, header, fields, defaults, place)
            if long
            else _wide(grid, row, header, fields, periods, known, defaults, place)
        )
    missing = Finding(
        "error",
        name,
        "a header row: measure, area, period and value, or periods across the top",
        "Ask for the table on our template.",
        sheet=grid.sheet or None,
        found=_first_text(grid),
    )
    return pd.DataFrame(columns=ROW_COLUMNS), [missing]


def _with_years_in_quarters(
    grid: Grid, row: int, header: dict[int, str]
) -> tuple[Grid, dict[int, str]]:
    """A year and its quarter in two columns, as one column of periods."""
    by_heading = {plain_heading(text): column for column, text in header.items()}
    years = [by_heading[name] for name in ("year", "financial year") if name in by_heading]
    if len(years) != 1 or "quarter" not in by_heading:
        return grid, header
    year, quarter = years[0], by_heading["quarter"]
    below = grid.cells.loc[row + 1 :]
    numbers = below[quarter].astype("str").str.strip()
    numbers = numbers.where(~numbers.isin(["1", "2", "3", "4"]), "Q" + numbers)
    cells = grid.cells.astype({quarter: "str"})
    cells.loc[row + 1 :, quarter] = (
        below[year].astype("str").str.strip() + " " + numbers
    ).str.strip()
    rest = {column: text for column, text in header.items() if column != year}
    return Grid(grid.sheet, cells.drop(columns=year)), rest


def _refused(
    expected: str, row: int, place: dict[str, str | None], remedy: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """No row of a sheet that could be read in more than one way."""
    finding = Finding("error", str(place["file"]), expected, remedy, sheet=place["sheet"], row=row)
    return pd.DataFrame(columns=ROW_COLUMNS), [finding]


def _is_no_header(
    grid: Grid, row: int, header: dict[int, str], periods: dict[int, str], names: set[str]
) -> bool:
    """Whether a row that names periods is data, or stands over another header."""
    others = [text for column, text in header.items() if column not in periods and text]
    if any(text.casefold() in names or read_cell(text).value is not None for text in others):
        return True
    below = grid.cells.loc[row + 1 : row + 1]
    headings = [plain_heading(str(cell)) for cell in below.to_numpy().ravel()]
    return sum(heading in FIELD_OF for heading in headings) >= 2


_NOT_OBSERVED = re.compile(
    r"\b(?:targets?|forecasts?|plan(?:ned)?|projected|last year|previous)\b", re.I
)


def _words_above(grid: Grid, row: int, periods: dict[int, str]) -> str:
    """Words above the periods that say that a column holds something else than outturns."""
    above = grid.cells.loc[: row - 1, min(periods) :]
    return next(
        (str(cell) for cell in above.to_numpy().ravel() if _NOT_OBSERVED.search(str(cell))), ""
    )


def _second_header(below: pd.DataFrame, labels: Iterable[int]) -> int | None:
    """The row where another table begins, if one does."""
    headings = {*FIELDS["measure"], *FIELDS["area"], *FIELDS["period"]}
    for column in labels:
        # Each different text once: a long table repeats its names.
        same = [text for text in below[column].unique() if str(text).strip().casefold() in headings]
        if same:
            return int(below.index[below[column].isin(same)][0])
    return None


def _first_text(grid: Grid) -> str:
    texts = (
        str(cell) for _, row in grid.cells.head(_TITLE_ROWS).iterrows() for cell in row if cell
    )
    return next(texts, "")


def _candidate_headers(grid: Grid) -> Iterator[tuple[int, dict[int, str]]]:
    """Rows that may be the header, from the top; a year over four quarters is written into each."""
    above: dict[int, str] = {}
    top = grid.cells.head(_TITLE_ROWS + 1)
    columns = [int(column) for column in top.columns]
    listed = [
        (
            int(number),
            {column: str(cell).strip() for column, cell in zip(columns, cells, strict=True)},
        )
        for number, *cells in top.itertuples(name=None)
    ]
    for place, (number, row) in enumerate(listed[:_TITLE_ROWS]):
        following = listed[place + 1][1] if place + 1 < len(listed) else {}
        headings = sum(plain_heading(text) in FIELD_OF for text in row.values())
        if headings < 2 and any(_QUARTER_ONLY.fullmatch(text) for text in following.values()):
            above = row  # the years over the header's quarters
            continue
        joined, year = {}, ""
        for column, text in row.items():
            # A year stands in the first of the cells that it covers.
            year = above.get(column) or (year if _QUARTER_ONLY.fullmatch(text) else "")
            whole = f"{year} {text}"
            joined[column] = whole if _QUARTER_ONLY.fullmatch(text) and year else text
        yield number, joined
        above = row


def _is_period(text: str) -> bool:
    if re.fullmatch(r"(?:19|20)\d\d-\d\d-\d\d", text):
        return read_day(text) is not None
    try:
        parse_period(text)
    except PeriodError:
        # What has two meanings is meant as a period all the same, and refused later.
        return bool(re.fullmatch(r"(?i)fy ?\d\d|q[1-4] (?:19|20)\d\d|(?:19|20)\d\d \d?q\d+", text))
    return True


def _long(
    grid: Grid,
    row: int,
    header: dict[int, str],
    fields: dict[str, int],
    defaults: Mapping[str, str],
    place: dict[str, str | None],
) -> tuple[pd.DataFrame, list[Finding]]:
    """A table with one figure a row."""
    below = grid.cells.loc[row + 1 :]
    below = below[(below != "").any(axis=1)]
    findings = _unread_columns(header, row, place)
    labels = [fields[field] for field in ("measure", "area", "period") if field in fields]
    below = _until_second_table(below, labels, findings, place)
    unheaded = [column for column, text in header.items() if not text]
    stray = below.index[(below[unheaded] != "").any(axis=1)] if unheaded else below.index[:0]
    findings += [
        Finding(
            "error",
            str(place["file"]),
            "nothing beyond the last heading",
            "A figure with a comma in it goes in quotation marks.",
            sheet=place["sheet"],
            row=int(number),
        )
        for number in stray
    ]
    below = below.drop(index=stray)
    missing = [
        field for field in ("measure", "period", "value") if field not in {*fields, *defaults}
    ]
    if missing:
        findings += [_missing_column(field, row, place) for field in missing]
        return pd.DataFrame(columns=ROW_COLUMNS), findings
    rows = pd.DataFrame(index=below.index)
    for field in FIELDS:
        rows[field] = (
            below[fields[field]] if field in fields else _same(defaults.get(field, ""), below.index)
        )
    if "received" in fields and "received" in defaults and (rows["received"] == "").any():
        given = rows["received"].astype("str")
        rows["received"] = given.where(given != "", defaults["received"])
    rows["sheet"] = _same(grid.sheet, below.index)
    rows["row"] = below.index
    rows["column"] = _same(column_letter(fields["value"]), below.index)
    totals = (
        rows["area"].str.fullmatch(_TOTAL.pattern, case=False) if len(rows) else rows["area"] == ""
    )
    if totals.any():
        findings += _check_totals_long(rows, totals, place)
        rows = rows[~totals]
    # A row that gives no figure, measure or period is a line of words below the table.
    words = (rows["value"] == "") & (rows["period"] == "")
    words &= (rows["numerator"] == "") & (rows["denominator"] == "")
    return rows[~words][ROW_COLUMNS].reset_index(drop=True), findings


def _until_second_table(
    below: pd.DataFrame,
    labels: Iterable[int],
    findings: list[Finding],
    place: dict[str, str | None],
) -> pd.DataFrame:
    """The rows above a second header; what follows it is named and not read."""
    again = _second_header(below, labels)
    if again is None:
        return below
    findings.append(
        Finding(
            "error",
            str(place["file"]),
            "one table to a sheet",
            "Another header stands here, and nothing from it on was read: put the second table "
            "on a sheet of its own.",
            sheet=place["sheet"],
            row=again,
        )
    )
    return below.loc[: again - 1]


def _same(text: str, index: pd.Index) -> pd.Series:
    """One text for every row, held once."""
    codes = np.zeros(len(index), dtype=np.int8)
    return pd.Series(pd.Categorical.from_codes(codes, categories=[text]), index=index)


def _wide(
    grid: Grid,
    row: int,
    header: dict[int, str],
    fields: dict[str, int],
    periods: dict[int, str],
    known: Mapping[str, Iterable[str]],
    defaults: Mapping[str, str],
    place: dict[str, str | None],
) -> tuple[pd.DataFrame, list[Finding]]:
    """A table with a period to each column."""
    below = grid.cells.loc[row + 1 :]
    findings = _unread_columns({c: t for c, t in header.items() if c not in periods}, row, place)
    labels = dict(fields)
    for field in ("measure", "area"):
        names = {str(listed).casefold() for listed in known[field]}
        for column in header:
            cells = below[column].str.strip().str.casefold()
            if field not in labels and column not in periods and cells.isin(names).any():
                labels[field] = column
    if "measure" not in labels and "measure" not in defaults:
        if grid.sheet.casefold() not in {str(listed).casefold() for listed in known["measure"]}:
            return pd.DataFrame(columns=ROW_COLUMNS), [
                *findings,
                _missing_column("measure", row, place),
            ]
        defaults = {**defaults, "measure": grid.sheet}
    below = _until_second_table(below, labels.values(), findings, place)
    made: list[dict[str, object]] = []
    since = 0
    for number, cells in below.iterrows():
        own = {field: str(cells[column]).strip() for field, column in labels.items()}
        figures = {column: str(cells[column]) for column in periods if str(cells[column]).strip()}
        if not figures:
            continue  # a heading between rows, or words below the table
        label = own.get("area") or own.get("measure") or str(cells.iloc[0]).strip()
        if _TOTAL.fullmatch(label):
            findings += _check_totals_wide(made[since:], figures, int(str(number)), place)
            since = len(made)
            continue
        for column, figure in figures.items():
            made.append(
                {field: own.get(field, defaults.get(field, "")) for field in FIELDS}
                | {
                    "period": periods[column],
                    "value": figure,
                    "sheet": grid.sheet,
                    "row": int(str(number)),
                    "column": column_letter(column),
                }
            )
    return pd.DataFrame(made, columns=ROW_COLUMNS), findings


def _unread_columns(
    header: dict[int, str], row: int, place: dict[str, str | None]
) -> list[Finding]:
    names = [heading for headings in FIELDS.values() for heading in headings]
    return [
        Finding(
            "warning",
            str(place["file"]),
            "a heading that we know",
            f"The column was not read. {did_you_mean(text, names)}",
            sheet=place["sheet"],
            row=row,
            column=column_letter(column),
            found=text,
        )
        for column, text in header.items()
        if text and plain_heading(text) not in {*FIELD_OF, *HELP, ""}
    ]


def _missing_column(field: str, row: int, place: dict[str, str | None]) -> Finding:
    return Finding(
        "error",
        str(place["file"]),
        f"a column headed {one_of(FIELDS[field])}",
        "Add the column, or name it in the file's sidecar.",
        sheet=place["sheet"],
        row=row,
        column=field,
    )


def _sums(total: str, parts: list[str]) -> bool:
    """Whether figures add up to a total as far as their decimals can tell."""
    figures = [read_cell(part).value for part in parts]
    whole = read_cell(total).value
    if whole is None or not figures or any(figure is None for figure in figures):
        return True  # what cannot be added up is not wrong
    known = [figure for figure in figures if figure is not None]
    if min(known) <= whole <= max(known) and len(known) > 1:
        return True  # an average of the rows, as for rates
    decimals = max(len(text.partition(".")[2].rstrip("%")) for text in (total, *parts))
    added = sum(figure for figure in figures if figure is not None)
    return abs(added - whole) <= 0.5 * 10.0**-decimals * (len(figures) + 1)


def _total_finding(row: int, found: str, parts: list[str], place: dict[str, str | None]) -> Finding:
    added = sum(value for part in parts if (value := read_cell(part).value) is not None)
    return Finding(
        "warning",
        str(place["file"]),
        f"the sum of the rows above, {added:,.10g}",
        "The total is not loaded; ask the sender whether it or one of the rows is wrong.",
        sheet=place["sheet"],
        row=row,
        found=found,
    )


def _check_totals_wide(
    made: list[dict[str, object]], figures: dict[int, str], row: int, place: dict[str, str | None]
) -> list[Finding]:
    findings = []
    for column, total in figures.items():
        parts = [str(one["value"]) for one in made if one["column"] == column_letter(column)]
        if not any("%" in part for part in parts) and not _sums(total, parts):
            findings.append(_total_finding(row, total, parts, place))
    return findings


def _check_totals_long(
    rows: pd.DataFrame, totals: pd.Series, place: dict[str, str | None]
) -> list[Finding]:
    findings = []
    for number, total in rows[totals].iterrows():
        same = ~totals & (rows["measure"] == total["measure"]) & (rows["period"] == total["period"])
        parts = rows.loc[same, "value"].tolist()
        if not _sums(total["value"], parts):
            findings.append(_total_finding(int(str(number)), total["value"], parts, place))
    return findings
