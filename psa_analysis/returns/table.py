"""Table: the table in each grid, as rows of text."""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import pandas as pd
from xlsxwriter.utility import xl_col_to_name

from psa_analysis.files import RETURN_FOLDERS
from psa_analysis.findings import DataError, Finding, Severity, did_you_mean, one_of, shorten
from psa_analysis.returns import grids
from psa_analysis.returns.cells import plain_number, read_cell
from psa_analysis.returns.grids import FIELD_OF, FIELDS, plain_heading
from psa_analysis.returns.layout import TITLE_ROWS, Sheet, expected_below, find_table, is_period
from psa_analysis.returns.sources import NO_SIDECAR, Sidecar, raw_files

_FIGURES = ("value", "numerator", "denominator")
ROW_COLUMNS = [*FIELDS, "sheet", "row", "column"]
_NO_ROWS = pd.DataFrame(columns=ROW_COLUMNS, dtype=str).astype({"row": int})
#: Headings of our own template that only help whoever fills it in.
_HELP = {"what is measured", "unit", "last value", "last period", "definition", "title"}
_KNOWN_HEADING = "a heading that we know"
_NOTHING_BEYOND = "nothing where there is no heading"
_TOTAL = r"(?:grand |county |sub-?)?total.*|all (?:districts|areas|authorities)"
#: Headings of columns that were not read that findings name; more are nobody's to read.
_LISTED = 8


def load_returns(
    folder: Path, sidecars: Mapping[str, Sidecar], known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every return and published file of an agreement."""
    tables, findings = [_NO_ROWS.assign(file="")], []
    needed = f"raw/{RETURN_FOLDERS[0]}"
    if not (folder / needed).is_dir():
        findings.append(Finding("warning", needed, "a folder", "Add it, with the files in it."))
    for path, name, beside in raw_files(folder):
        sidecar = sidecars.get(name)
        if sidecar is None and beside.exists():
            continue  # the sidecar was refused, and that finding says why
        try:
            rows, doubts = read_table(path, name, sidecar or NO_SIDECAR, known)
            tables.append(rows)
        except DataError as error:
            doubts = error.findings
        except OSError:  # the machine's, and no fault of the file
            raise
        except Exception as error:  # whatever is in it, the others are still read
            remedy = "Look for what is odd in it, such as a quotation mark left open; save it anew."
            found = f"{type(error).__name__}: {shorten(str(error), 200)}"
            doubts = [Finding("error", name, "a file that can be read", remedy, found=found)]
        findings += doubts
    return pd.concat(tables, ignore_index=True), findings


def read_table(
    path: Path, name: str, sidecar: Sidecar, known: Mapping[str, Iterable[str]]
) -> tuple[pd.DataFrame, list[Finding]]:
    """The figures of one file as rows of text."""
    tables, without_table = [_NO_ROWS], []
    sheets, findings = grids.read_grids(path, name)
    has_refused_rows = any(finding.severity == "error" for finding in findings)
    names = {field: {str(text).casefold() for text in known[field]} for field in known}
    wanted = sidecar.sheet
    if missing := [sheet for sheet in wanted if sheet not in {grid.sheet for grid in sheets}]:
        found = ", ".join(grid.sheet for grid in sheets)
        words = (f"a sheet {' and '.join(missing)}", f"Correct `sheet` in {name}.toml.")
        findings.append(Finding("error", name, *words, found=found))
    for grid in [grid for grid in sheets if not wanted or grid.sheet in wanted]:
        sheet = Sheet(name, grid, sidecar, grid.cells)
        if kind := find_table(sheet, set().union(*names.values())):
            rows = _as_ours(_figures(sheet, kind == "long", names), sidecar)
            unread = [doubt.found for doubt in sheet.findings if doubt.expected == _KNOWN_HEADING]
            refused = any(doubt.expected == _NOTHING_BEYOND for doubt in sheet.findings)
            if (has_refused_rows or refused) and unread and len(rows):
                # One that was refused may be the one that counts of several.
                expected = f"whole rows, since {unread[0]} may tell them apart"
                sheet.add("error", expected, "Complete the rows first.", rows["row"])
                rows = rows[:0]
            tables.append(rows.assign(sheet=grid.sheet)[ROW_COLUMNS])
        findings += sheet.findings
        if not sheet.header and not sheet.findings:
            without_table.append(sheet)
    table = pd.concat(tables, ignore_index=True).assign(file=name)
    if without_table:
        # Covers, contents and notes stand beside the tables of a workbook.
        severity: Severity = "warning" if len(table) else "error"
        remedy = "Name its headings in its sidecar; psa check drafts one."
        if len(table):
            remedy = "It was not read, as it has no table: name its headings if one counts."
        expected = "headings for measure, area, period and value, or periods across the top"
        top = without_table[0].cells.head(TITLE_ROWS)
        fullest = top.loc[(top != "").sum(axis=1).idxmax()]
        found = " | ".join(fullest[fullest != ""])
        names_of = ", ".join(sheet.grid.sheet for sheet in without_table) or None
        findings.append(Finding(severity, name, expected, remedy, found=found, sheet=names_of))
    elif table.empty and not any(finding.severity == "error" for finding in findings):
        remedy = "Ask for them, or correct its sidecar." if sheets else "Ask for it again."
        found = "no figure" if sheets else "an empty file"
        findings.append(Finding("error", name, "a header and figures", remedy, found=found))
    return table, findings


def _as_ours(table: pd.DataFrame, sidecar: Sidecar) -> pd.DataFrame:
    """The rows with our names and conventions in place of the file's, as the sidecar gives them."""
    for column in ("measure", "area", "period"):
        if ours := getattr(sidecar, f"{column}s"):
            names = table[column].str.strip()
            table[column] = names.map(ours).fillna(names)
    if sidecar.year:
        first = 0 if sidecar.year == "begins" else -1
        years = table["period"].str.fullmatch(r"(?:19|20)\d\d")
        begins = table.loc[years, "period"].astype(int) + first
        spans = begins.map(lambda year: f"{year}/{(year + 1) % 100:02}")
        table.loc[years, "period"] = spans.astype("str")
    if sidecar.dash:
        dashes = table["value"].str.fullmatch(r"\s*[-–—]+\s*")
        table["value"] = table["value"].mask(dashes, sidecar.dash)
    return table


def _unread(sheet: Sheet, read: set[int], first: int) -> dict[int, str]:
    """The columns that nothing is read from; those whose heading is not ours are named."""
    # What stands before the figures may tell rows apart without a heading too.
    unread = {
        at: text or f"column {xl_col_to_name(at)}"
        for at, text in sheet.header.items()
        if at not in read and (text or (at < first and (sheet.below[at] != "").any()))
    }
    # What stands below a period is likely to be figures, which must not be missed.
    unknown = [at for at in unread if plain_heading(unread[at]) not in _HELP]
    unknown = sorted({*unknown} - sheet.judged, key=lambda at: (not is_period(unread[at]), at))
    more = f" (the first {_LISTED} of {len(unknown)})" if len(unknown) > _LISTED else ""
    for column in unknown[:_LISTED]:
        severity: Severity = "error" if is_period(text := unread[column]) else "warning"
        remedy = f"The column was not read{more}. {did_you_mean(text, FIELD_OF)}"
        sheet.add(severity, _KNOWN_HEADING, remedy, column=xl_col_to_name(column), found=text)
    return unread


def _without_stray(sheet: Sheet, below: pd.DataFrame, read: set[int], first: int) -> pd.DataFrame:
    """The rows that have nothing without a heading from the first figures on."""
    unheaded = [at for at in below if not sheet.header.get(at) and at > first and at not in read]
    most = sheet.grid.widths.get(sheet.row, 10**6)
    wide = [row for row, width in sheet.grid.widths.items() if width > most]
    # Nor has a figure the end of a thousand: 1,000 without quotation marks is 1 and 000.
    fields = [sheet.fields[name] for name in _FIGURES if name in sheet.fields]
    divided = below[[*sheet.places, *fields]].apply(lambda cells: cells.str.fullmatch(r"0\d\d"))
    of_rows = (below[unheaded] != "").any(axis=1) | divided.any(axis=1)
    stray = below.index[of_rows | below.index.isin(wide)]
    if len(stray):
        remedy = "Give the column one; a figure with a comma in it goes in quotation marks."
        sheet.add("error", _NOTHING_BEYOND, remedy, stray)
    return below.drop(index=stray)


def _figures(sheet: Sheet, long: bool, names: Mapping[str, set[str]]) -> pd.DataFrame:
    """A row for each figure, which stand in one column, or in one for each period or measure."""
    fields, defaults = sheet.fields, sheet.defaults
    measures = {at: text for at, text in sheet.places.items() if text in sheet.sidecar.measures}
    across, places = ("measure", measures) if measures else ("period", sheet.places)
    if long:
        across, places = "value", {fields["value"]: ""}
    named = {name: at for name, at in fields.items() if name not in (across, "value")}
    labels = {name: at for name, at in named.items() if at not in places}
    for column in [] if long else [column for column in sheet.header if column not in places]:
        cells = set(sheet.below[column].str.strip().str.casefold())
        for name in ("measure", "area"):
            if name not in labels and name != across and cells & names[name]:
                labels[name] = column
    read = {*labels.values(), *places}
    unread = _unread(sheet, read, min(places, default=0))
    if not long and "measure" not in labels and sheet.grid.sheet.casefold() in names["measure"]:
        defaults = {"measure": sheet.grid.sheet, **defaults}
    given = {across, *labels, *defaults}
    missing = [name for name in ("measure", "period") if name not in given]
    for name in missing:
        remedy = f"Add the column, or name it under [columns] in {sheet.file}.toml."
        found = ", ".join(filter(None, sheet.header.values()))
        expected = f"a column headed {one_of(FIELDS[name])}"
        sheet.add("error", expected, remedy, column=name, found=found)
    if missing or not places:
        return _NO_ROWS
    below = sheet.below[(sheet.below != "").any(axis=1)]
    below = _until_second_header(sheet, below, labels, [*places])
    below = _without_stray(sheet, below, read, min(places))
    table = pd.DataFrame({name: below[at].str.strip() for name, at in labels.items()}, below.index)
    # What a row is called: its area, or its measure, or what stands first in it.
    title = pd.Series("", below.index) if long else below.iloc[:, 0].str.strip()
    for name in [name for name in ("measure", "area") if name in labels]:
        title = table[name].where(table[name] != "", title)
    table = table.assign(row=below.index, title=title).join(below[list(places)])
    table = table.melt([*labels, "row", "title"], list(places), "place", "value")
    if not long:
        table[across] = table["place"].map(places)
    table["column"] = table["place"].map(xl_col_to_name)
    table = table.sort_values(["row", "place"])
    table = table.assign(**{name: defaults.get(name, "") for name in FIELDS if name not in table})
    table["received"] = table["received"].mask(table["received"] == "", defaults["received"])
    # Without the headings between rows, and words below the table.
    filled = ["value", "period", "numerator", "denominator"] if long else ["value"]
    table = table[table[filled].apply(lambda cells: cells.str.strip() != "").any(axis=1)]
    key = ["measure", "period"] if long else ["place"]
    table = _without_totals(sheet, table, key, names["measure"] | names["area"])
    return _without_breakdowns(sheet, table, [*labels.values()], unread)


def _without_breakdowns(
    sheet: Sheet, table: pd.DataFrame, labels: list[int], unread: dict[int, str]
) -> pd.DataFrame:
    """Without rows of one figure that a column which was not read tells apart: sex, region."""
    if not unread:
        return table
    key = [table[name].str.strip() for name in ("measure", "area", "period", "received")]
    texts = sheet.cells.loc[table["row"], list(unread)].set_axis(table.index)
    several = table["value"].groupby(key).transform("nunique") > 1
    varies = texts[several].groupby([part[several] for part in key]).transform("nunique") > 1
    # A filter may have left the rows of women, and hidden that of all.
    shown = sheet.cells.loc[table["row"].unique(), [*labels, *unread]].reset_index()
    hidden = sheet.grid.hidden.reindex(columns=[*labels, *unread], fill_value="")
    twins = shown.merge(hidden, on=labels, suffixes=("", " hidden")) if labels else shown[:0]
    pairs = [(at, twins[str(at)], twins[f"{at} hidden"]) for at in unread] if len(twins) else []
    differs_if_hidden = {at for at, text, other in pairs if ((text != other) & (text != "")).any()}
    apart = [column for column in unread if varies[column].any() or column in differs_if_hidden]
    # A row that is alone with its figure may be one of several too, whose others are blank.
    differs = (texts[apart] != "").any(axis=1)
    if apart:
        words = " and ".join(unread[column] for column in apart)
        expected = f"one row for each figure: {words} {'differ' if len(apart) > 1 else 'differs'}"
        remedy = f"Say which rows count under [keep] in {sheet.file}.toml."
        sheet.add("error", expected, remedy, table.loc[differs, "row"], found=words)
    return table[~differs]


def _until_second_header(
    sheet: Sheet, below: pd.DataFrame, labels: Mapping[str, int], figures: list[int]
) -> pd.DataFrame:
    """The rows above a second header; what follows it is named and not read."""
    # Nor those below a heading that stands alone: Target, or in thousands.
    has_figures = (below[figures] != "").any(axis=1)
    alone = below[~has_figures & ((below != "").sum(axis=1) == 1)]
    is_title = alone.map(expected_below).ne("").any(axis=1).reindex(below.index)
    naming = ("measure", "area", "period")
    cells = below[[labels[name] for name in naming if name in labels]]
    again = cells.map(lambda text: FIELD_OF.get(text.strip().casefold()) in naming).any(axis=1)
    if places := [at for at, text in sheet.places.items() if text]:
        # Years over other columns of figures: the same ones, or any that are no numbers.
        cells = below[places]
        again |= (cells == pd.Series(sheet.places)[places]).all(axis=1)
        others = cells.map(lambda text: plain_number(text) is None and is_period(text))
        again |= others.sum(axis=1) > len(places) / 2
    again |= is_title.fillna(False).astype(bool) & has_figures[::-1].cummax()
    if not again.any():
        return below
    first = int(below.index[again][0])
    remedy = "Nothing from here on was read: put the second table on a sheet of its own."
    sheet.add("error", "one table to a sheet", remedy, [first])
    return below.loc[: first - 1]


def _without_totals(
    sheet: Sheet, table: pd.DataFrame, key: list[str], names: set[str]
) -> pd.DataFrame:
    """The rows that are no totals; a total that is not the sum of its parts is named."""
    titles = table["title"]
    totals = titles.str.fullmatch(_TOTAL, case=False).astype(bool)
    named = {text.casefold() for text in (*sheet.sidecar.measures, *sheet.sidecar.areas)}
    totals &= ~titles.str.casefold().isin(names | named)
    keys = [table[name] for name in key]
    # Of nothing there is no total: such rows are rows like others, and read as they are.
    totals &= ~totals.groupby(keys).transform("all")
    # A total is of the rows since the one before it, of those up to the next, or of all.
    block, parts = totals.groupby(keys).cumsum(), table["value"][~totals]
    has_total = totals.groupby(keys).transform("any")[parts.index]
    groups = chain(*(parts[has_total].groupby(by) for by in ([*keys, block], keys)))
    sums = {group: _added([*texts]) for group, texts in groups}
    wrong: dict[int, str] = {}
    columns = zip(*(of[totals] for of in (*keys, block, table["value"])), strict=True)
    for at, (*names_of, number, text) in zip(table.index[totals], columns, strict=True):
        group, total = tuple(names_of), _added([text])
        of_blocks = [sums.get((*group, number - 1)), sums.get((*group, number))]
        added = [some for some in (*of_blocks, sums.get(group)) if some]
        if not (total and added):
            wrong[at] = "amounts that add up to it"
        elif all(abs(total[0] - of[0]) > total[1] + of[1] for of in added):
            wrong[at] = f"the sum of the rows above, {added[0][0]:,.10g}"
    if wrong:
        first = next(iter(wrong))
        remedy = "It was not read: ask whether a row is wrong (of rates it need be no sum)."
        numbers, found = table.loc[[*wrong], "row"], table.at[first, "value"]
        sheet.add("warning", wrong[first], remedy, numbers, found=found)
    return table[~totals]


def _added(texts: list[str]) -> tuple[float, float] | None:
    """The sum of figures, and how far rounding may have moved it; None if they are no amounts."""
    figures = [read_cell(text).value for text in texts]
    if not texts or None in figures or any("%" in text for text in texts):
        return None
    decimals = max(len(text.partition(".")[2]) for text in texts)
    return sum(filter(None, figures)), 0.5 * 10.0**-decimals * len(texts) + 1e-9
