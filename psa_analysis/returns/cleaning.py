"""Cleaning: from cells as given to observations, with a finding for every doubt.

An error keeps the row out and names it; a warning lets it in. Nothing is dropped silently
and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import KIND_OF_FREQUENCY, PeriodError, parse_period, read_day
from psa_analysis.register.agreement import OBSERVED_WORDS, Agreement, observed_units, rate_factor
from psa_analysis.returns.cells import read_cell
from psa_analysis.returns.corrections import apply_corrections

#: Columns of the observations, one row per measure, area, period and date received.
OBSERVATION_COLUMNS = {
    "measure": "the measure, as in the register",
    "area": "the place, as in the register",
    "period": "the period's label",
    "period_end": "the period's last day",
    "value": "the figure in the measure's unit; missing where it was suppressed",
    "numerator": "the upper part of a rate, where it was given",
    "denominator": "the lower part of a rate, where it was given",
    "flag": "final, provisional, revised, estimated or suppressed",
    "illustrative": "True for a figure that is made up",
    "small": "True for a count below the disclosure threshold, or a rate of so few",
    "received": "the day it came in",
    "note": "what the sender wrote beside it",
    "correction": "what was corrected and why, else empty",
    "file": "the raw file, from the data folder",
    "sheet": "the sheet of a workbook, else empty",
    "row": "the row as a spreadsheet counts it",
    "column": "the letter of the figure's column",
}

FLAGS = ["final", "provisional", "revised", "estimated", "suppressed"]

KEY = ["measure", "area", "period", "received"]

#: Percentages, rates and counts cannot be negative; changes and gaps can.
_SIGNED_UNITS = {"percent change", "percentage points"}

_PLAIN = r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?"

#: Problems found so far: the row of the table, and the finding about it.
Problems = list[tuple[int, Finding]]


def clean_returns(
    table: pd.DataFrame,
    agreement: Agreement,
    today: date | None = None,
    corrections: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Turn the cells of returns into observations."""
    cells = table.reset_index(drop=True)
    for column in cells.columns.drop("row"):
        # The names of files and sheets are theirs to the last space.
        place = column in ("file", "sheet", "column")
        cells[column] = cells[column].astype("category") if place else _coded(cells[column])
    findings: list[Finding] = []

    def keep(problems: Problems) -> None:
        """Note the problems and go on without the rows that have an error."""
        nonlocal cells
        findings.extend(finding for _, finding in problems)
        bad = {index for index, finding in problems if finding.severity == "error"}
        if bad:
            cells = cells.drop(index=list(bad))

    names = dict(zip(agreement.measures.index, agreement.measures["title"], strict=True))
    keep(_resolve(cells, "measure", names))
    keep(_resolve(cells, "area", {name: name for name in agreement.areas["area"]}))
    cells["given_flag"] = cells["flag"]
    keep(_resolve(cells, "flag", {name: name for name in FLAGS}, blank="final"))
    keep(_resolve(cells, "illustrative", {"yes": "yes", "no": "no"}, blank="no"))
    keep(_read_periods(cells, agreement))
    keep(_read_received(cells, agreement, today or date.today()))
    keep(_read_numbers(cells, agreement))

    observations = cells.assign(illustrative=cells["illustrative"] == "yes")
    # An empty cell, or one that says that there is no figure yet, is no observation.
    observations = observations[~observations["none"]]
    observations, misfits = apply_corrections(
        observations, corrections if corrections is not None else pd.DataFrame(), FLAGS
    )
    findings += misfits
    for check in (_check_values, _check_scale):
        problems = check(cells, observations, agreement)
        findings += [finding for _, finding in problems]
        bad = {index for index, finding in problems if finding.severity == "error"}
        observations = observations.drop(index=list(bad)) if bad else observations
    observations, duplicates = _collapse_duplicates(observations)
    findings += duplicates
    observations = observations.assign(small=_small(observations, agreement))
    observations = _in_order(observations)[list(OBSERVATION_COLUMNS)].reset_index(drop=True)
    for column in observations.select_dtypes("category").columns:
        observations[column] = _plain(observations[column])
    return observations, findings


def _plain(column: pd.Series) -> pd.Series:
    """Coded text as text."""
    texts = column.cat.categories.astype("str").array.take(column.cat.codes.to_numpy())
    return pd.Series(texts, index=column.index, name=column.name)


def _coded(column: pd.Series) -> pd.Series:
    """Text as codes and the texts they stand for, without space around them.

    While a table is cleaned its text is kept like this: a million rows hold a few thousand
    different names and figures, and each is understood once.
    """
    coded = column.astype("category")
    stripped = [str(text).strip() for text in coded.cat.categories]
    return _recoded(coded, stripped)


def _recoded(column: pd.Series, texts: list[str]) -> pd.Series:
    """Coded text with another text for each of its categories; several may become the same."""
    unique = list(dict.fromkeys(texts))
    places = {text: place for place, text in enumerate(unique)}
    codes = np.array([places[text] for text in texts], dtype=np.int64)
    made = pd.Categorical.from_codes(
        codes[column.cat.codes], categories=pd.Index(unique, dtype=str)
    )
    return pd.Series(made, index=column.index, name=column.name)


def _in_order(observations: pd.DataFrame) -> pd.DataFrame:
    """Sorted by measure, area, period and day; by codes, since sorting text is slow."""
    keys = []
    for column in ("row", "file", "received", "period_end", "area", "measure"):
        values = observations[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            rank = np.argsort(np.argsort(values.cat.categories.to_numpy()))
            keys.append(rank[values.cat.codes] if len(rank) else values.cat.codes.to_numpy())
        else:
            keys.append(values.to_numpy())
    return observations.iloc[np.lexsort(keys)]


def _finding(
    row: pd.Series, column: str, expected: str, remedy: str, severity: str = "error"
) -> Finding:
    return Finding(
        severity,  # type: ignore[arg-type]  # one of the two words
        row["file"],
        expected,
        remedy,
        row=int(row["row"]),
        column=column,
        found=str(row[column]),
        measure=row["measure"],
        sheet=row["sheet"] or None,
        period=str(row["period"]),
    )


def _problems(
    cells: pd.DataFrame,
    broken: pd.Series,
    column: str,
    expected: str,
    remedy: str,
    severity: str = "error",
) -> Problems:
    """The same problem in every row that `broken` marks."""
    return [
        (int(str(index)), _finding(row, column, expected, remedy, severity))
        for index, row in cells[broken].iterrows()
    ]


def _resolve(
    cells: pd.DataFrame, column: str, names: dict[str, str], blank: str | None = None
) -> Problems:
    """Replace each spelling by the register's: its name or title, in capitals or not."""
    by_spelling = {title.casefold(): name for name, title in names.items()}
    by_spelling |= {name.casefold(): name for name in names}
    if blank is not None:
        by_spelling[""] = blank
    spellings = list(cells[column].cat.categories)
    unknown = [text for text in spellings if text.casefold() not in by_spelling]
    problems: Problems = [
        (int(str(index)), _finding(row, column, one_of(names), did_you_mean(row[column], names)))
        for index, row in cells[cells[column].isin(unknown)].iterrows()
    ]
    resolved = [by_spelling.get(text.casefold(), text) for text in spellings]
    cells[column] = _recoded(cells[column], resolved)
    return problems


def _of_measure(cells: pd.DataFrame, values: pd.Series) -> pd.Series:
    """What the register says of each row's measure."""
    return cells["measure"].astype("category").map(values.to_dict()).astype(values.dtype)


def _read_periods(cells: pd.DataFrame, agreement: Agreement) -> Problems:
    frequencies = agreement.measures["frequency"].map(KIND_OF_FREQUENCY)
    kinds = [frequencies.get(measure) for measure in cells["measure"].cat.categories]
    texts = list(cells["period"].cat.categories)
    pairs = cells["measure"].cat.codes.to_numpy().astype(np.int64) * len(texts)
    pairs = pairs + cells["period"].cat.codes.to_numpy()
    different, place = np.unique(pairs, return_inverse=True)
    labels, ends = [], np.empty(len(different), dtype="datetime64[ns]")
    wrong: dict[int, str] = {}
    for number, pair in enumerate(different):
        text, kind = texts[pair % len(texts)], kinds[pair // len(texts)]
        try:
            period = parse_period(text, kind)
        except PeriodError as error:
            wrong[number] = str(error).rpartition("expected ")[2]
            labels.append(text)
            ends[number] = np.datetime64("NaT")
        else:
            labels.append(period.label)
            ends[number] = np.datetime64(period.end)
    bad = np.isin(place, list(wrong))
    problems: Problems = [
        (int(str(index)), _finding(row, "period", wrong[place[at]], "Correct the period."))
        for at, (index, row) in zip(np.flatnonzero(bad), cells[bad].iterrows(), strict=True)
    ]
    cells["period_end"] = ends[place] if len(different) else pd.Series(dtype="datetime64[ns]")
    coded = pd.Series(pd.Categorical.from_codes(place, categories=range(len(labels))), cells.index)
    cells["period"] = _recoded(coded, labels) if labels else cells["period"]
    return problems


def _read_received(cells: pd.DataFrame, agreement: Agreement, today: date) -> Problems:
    text = cells["received"]
    days = [read_day(one) for one in text.cat.categories]
    # Within two centuries, so that a mistyped one is a finding and not an overflow.
    inside = [
        np.datetime64(day) if day is not None and 1900 <= day.year <= 2200 else np.datetime64("NaT")
        for day in days
    ]
    known = np.array(inside, dtype="datetime64[ns]")
    cells["received"] = known[text.cat.codes] if len(known) else pd.Series(dtype="datetime64[ns]")
    shown = cells.assign(received=text)
    unread = cells["received"].isna()
    problems = _problems(
        shown,
        unread,
        "received",
        "the day it came in, such as 2005-01-30",
        "Correct the date, or give it in the file's sidecar.",
    )
    # Examination results come in July and August, before their school year ends.
    exams = _of_measure(cells, agreement.measures["frequency"] == "exam_year")
    first = cells["period_end"] - pd.to_timedelta(exams * 62, unit="D")
    for index, row in shown[cells["received"] <= first].iterrows():
        expected = f"a day after {first[index]:%Y-%m-%d}, given the period"
        remedy = "Correct the date or the period."
        problems.append((int(str(index)), _finding(row, "received", expected, remedy)))
    late = cells["received"] > pd.Timestamp(today)
    return problems + _problems(shown, late, "received", "a day that has been", "Correct the date.")


def _read_numbers(cells: pd.DataFrame, agreement: Agreement) -> Problems:
    """Numbers from the cells; adds ``none``, True where a cell says that there is no figure."""
    problems: Problems = []
    units = _of_measure(cells, observed_units(agreement.measures))
    changes = _of_measure(cells, agreement.measures["basis"] == "change_from_baseline")
    cells["value_text"] = cells["value"]
    cells["none"] = False
    for column in ("value", "numerator", "denominator"):
        text = cells[column]
        texts, codes = text.cat.categories, text.cat.codes.to_numpy()
        if not (texts != "").any():
            cells[column] = np.nan
            continue
        plain = np.asarray(texts.str.fullmatch(_PLAIN), dtype=bool)
        known = pd.to_numeric(texts.where(plain, None), errors="coerce").to_numpy(dtype=float)
        numbers = pd.Series(known[codes], index=cells.index)
        others = cells.index[(~plain & (texts != ""))[codes]]
        if len(others):
            cells = _uncoded(cells, ("flag", "note"))
        for index in others:
            row = cells.loc[index]
            # A change is worked out from counts, and a percentage would be the change itself.
            unit = "what is counted" if changes[index] else units[index]
            number, flag, note, problem = _understand(text[index], unit, row)
            if problem is not None:
                severity, expected, remedy = problem
                found = row.copy()
                found[column] = text[index]
                problems.append((int(index), _finding(found, column, expected, remedy, severity)))
            numbers[index] = number
            if column == "value":
                cells.loc[index, ["flag", "note"]] = flag, note
                cells.loc[index, "none"] = pd.isna(number) and flag != "suppressed"
        cells[column] = numbers
        given = (cells["flag"] == "suppressed") & numbers.notna()
        if given.any():
            problems += _problems(
                cells.assign(**{column: text}),
                given,
                column,
                "nothing, since the figure is suppressed",
                "Empty the cell.",
            )
    empty = (cells["value_text"] == "") & (cells["flag"] != "suppressed")
    if empty.any():
        problems += _problems(
            cells.assign(value=""),
            empty & ~cells["none"],
            "value",
            "a figure, [x] if there is none, or [c] if it is confidential",
            "Ask the sender.",
            "warning",
        )
        cells.loc[empty, "none"] = True
    return problems


def _uncoded(cells: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The same table with plain text in these columns, so that single cells can be changed."""
    for column in columns:
        cells[column] = cells[column].astype("str")
    return cells


def _understand(
    text: str, unit: str, row: pd.Series
) -> tuple[float, str, str, tuple[str, str, str] | None]:
    """A cell that is no plain number: figure, flag, note, and what is wrong or to be asked."""
    cell = read_cell(text)
    nothing = float("nan")
    note = "; ".join(part for part in (row["note"], cell.note) if part)
    if cell.problem is not None:
        return nothing, row["flag"], note, ("error", cell.problem, "Ask the sender.")
    if cell.awaited:
        asked = ("warning", "a figure", "There is none yet: ask the sender when it will come.")
        return nothing, row["flag"], note, asked
    if cell.flag and row["given_flag"] and cell.flag != row["given_flag"]:
        expected = f"the same flag in cell and column: '{row['given_flag']}' stands in the column"
        return nothing, row["flag"], note, ("error", expected, "Ask which is right.")
    flag = cell.flag or row["flag"]
    if cell.value is None:
        return nothing, flag, note, None
    ranked = OBSERVED_WORDS["rank"]
    if cell.percent and unit not in ("percent", "percent change", "percentage points", ranked):
        expected = f"a figure in {unit}, not a percentage"
        return nothing, flag, note, ("error", expected, "Ask the sender.")
    value = cell.value * cell.multiplier
    if unit.startswith("million") and cell.multiplier != 1:
        value = (
            cell.value
            if cell.multiplier == 10**6
            else value / (1 if cell.multiplier == 1 else 10**6)
        )
    years = {int(year) for year in _YEAR.findall(cell.note)}
    own = {row["period_end"].year, row["period_end"].year - 1}
    if years - own:
        words = ("warning", f"words about {row['period']}", "Ask which year the figure is of.")
        return value, flag, note, words
    return value, flag, note, None


_YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")


def _check_values(
    cells: pd.DataFrame, observations: pd.DataFrame, agreement: Agreement
) -> Problems:
    """Figures that their unit or their own parts rule out."""
    units = observed_units(agreement.measures)
    percent = _of_measure(observations, units == "percent")
    signed = _of_measure(observations, units.isin([*_SIGNED_UNITS, OBSERVED_WORDS["rank"]]))
    value, over, under = (observations[name] for name in ("value", "numerator", "denominator"))
    rate = pd.Series(np.nan, index=observations.index)
    tolerance = rate
    if under.notna().any():
        # A value printed to d decimals may differ from its parts by half a unit of the last.
        text = observations["value_text"]
        decimals = text.cat.categories.str.extract(r"\.([0-9]+)")[0].str.len().fillna(0)
        tolerance = pd.Series(
            0.5 * 10.0 ** -decimals.to_numpy(dtype=float)[text.cat.codes] + 1e-9, observations.index
        )
        factors = units.map(lambda unit: float(rate_factor(unit) or 1))
        # What is ranked may be any rate: the register does not say in which unit it is.
        factors[units == OBSERVED_WORDS["rank"]] = np.nan
        rate = _of_measure(observations, factors) * over / under.where(under != 0)
    shown = observations.assign(value=observations["value_text"])
    corrected = observations["correction"] != ""
    rules = [
        (
            percent & ((value < 0) | (value > 100)),
            "value",
            "0 to 100 for a percentage",
            "Ask the sender; a factor of 100 is a common slip.",
        ),
        (~signed & ~percent & (value < 0), "value", "0 or more", "Ask the sender."),
        (under.notna() & (under <= 0), "denominator", "more than 0", "Ask the sender."),
        (
            over.notna() != under.notna(),
            "numerator",
            "numerator and denominator together",
            "Give both or neither.",
        ),
        (percent & (over > under), "numerator", "no more than the denominator", "Ask the sender."),
        (
            ((rate - value).abs() > tolerance) & ~corrected,
            "value",
            "numerator over denominator",
            "Ask the sender which of the three is wrong.",
        ),
    ]
    return [
        problem
        for broken, column, expected, remedy in rules
        for problem in _problems(shown, broken.fillna(False), column, expected, remedy)
    ]


def _check_scale(cells: pd.DataFrame, observations: pd.DataFrame, agreement: Agreement) -> Problems:
    """A figure a hundred or a thousand times its usual size is in another unit."""
    known = observations[observations["value"] > 0]
    groups = known.groupby(["measure", "area"], sort=False, observed=True)["value"]
    usual = groups.transform("median").where(groups.transform("count") >= 4)
    # Elsewhere the register's figures are of what is worked out and not of what is returned.
    other = [*OBSERVED_WORDS, "ratio_to_comparator", "gap_to_comparator"]
    register = agreement.measures[~agreement.measures["basis"].isin(other)]
    stated = (
        register["baseline"]
        .where(register["frequency"] != "quarterly")
        .fillna(register["target"].where(register["frequency"] != "quarterly"))
    )
    usual = usual.fillna(_of_measure(known, stated.astype(float)))
    times = np.log10((known["value"] / usual.where(usual > 0)).astype(float))
    problems: Problems = []
    for power in (2, 3, 6):
        for sign, words in ((1, "times"), (-1, "of")):
            off = (times - sign * power).abs() < 0.15
            for index, row in known[off.fillna(False)].iterrows():
                size = f"{10**power:,} {words}" if sign > 0 else f"a {10**power:,}th {words}"
                likely = row["value"] / 10.0 ** (sign * power)
                shown = row.copy()
                shown["value"] = row["value_text"]
                problems.append(
                    (
                        int(str(index)),
                        _finding(
                            shown,
                            "value",
                            f"about {usual[index]:,.4g}: this is {size} the usual",
                            f"Ask whether {likely:,.10g} was meant.",
                        ),
                    )
                )
    fractions = _check_fractions(observations, agreement)
    named = {index for index, _ in fractions}
    return fractions + [problem for problem in problems if problem[0] not in named]


def _check_fractions(observations: pd.DataFrame, agreement: Agreement) -> Problems:
    """A spreadsheet shows 0.55 as 55%: a percentage of 1 or so where more is usual."""
    measures = agreement.measures
    usual = measures["target"].fillna(measures["baseline"])
    compared = measures["basis"].isin(["ratio_to_comparator", "gap_to_comparator"])
    usual = usual.where((measures["unit"] == "percent") & ~compared)
    given = _of_measure(observations, usual.astype(float))
    few = (observations["value"] > 0) & (observations["value"] <= 1.5) & (given >= 5)
    alone = few & observations["denominator"].isna()
    return [
        (
            int(str(index)),
            _finding(
                row.copy().rename(index).where(row.index != "value", row["value_text"]),
                "value",
                "a percentage, 0 to 100: this looks like a fraction",
                f"Ask whether {100 * row['value']:.10g} was meant; if not, give its parts.",
            ),
        )
        for index, row in observations[alone].iterrows()
    ]


def _small(observations: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """Counts of people below the threshold, whose publication could point at someone."""
    threshold = agreement.settings.disclosure.threshold
    no_counts = [OBSERVED_WORDS["rank"], OBSERVED_WORDS["milestone"]]
    counted = observed_units(agreement.measures).map(
        lambda unit: rate_factor(unit) is None and unit not in no_counts
    )
    counts = _of_measure(observations, counted.astype(bool))
    value, over = observations["value"], observations["numerator"]
    few = counts & (value > 0) & (value < threshold)
    return few | (over > 0) & (over < threshold) | (observations["flag"] == "suppressed")


def _collapse_duplicates(observations: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """One row per key: twins that agree become one, twins that differ are all kept out."""
    said = ["value", "numerator", "denominator", "flag", "illustrative"]
    if not observations.duplicated(KEY).any():
        return observations, []
    distinct = observations.drop_duplicates(KEY + said)
    differing = distinct[distinct.duplicated(KEY, keep=False)]
    findings = []
    for _, twins in differing.groupby(KEY, sort=False, observed=True):
        for number, (_, row) in enumerate(twins.iterrows()):
            other = twins.iloc[0 if number else 1]
            findings.append(
                Finding(
                    "error",
                    row["file"],
                    f"one figure, but {other['file']} row {other['row']} says {_said(other)}",
                    "Ask the sender which is right and remove the other; both are kept out.",
                    row=int(row["row"]),
                    column="value",
                    found=_said(row),
                    measure=row["measure"],
                    sheet=row["sheet"] or None,
                    period=row["period"],
                )
            )
    return distinct.drop(differing.index), findings


def _said(row: pd.Series) -> str:
    """All that a row says, so that twins that differ in one thing show which."""
    parts = f" ({row['numerator']:.15g} of {row['denominator']:.15g})"
    value = f"{row['value']:.15g}" + (parts if pd.notna(row["numerator"]) else "")
    return f"{value} {row['flag']}{' ' + row['note'] if row['note'] else ''}"


def as_of(observations: pd.DataFrame, cut_off: date) -> pd.DataFrame:
    """What was known on a day: the last vintage received by then of each figure."""
    known = observations[observations["received"] <= np.datetime64(cut_off, "ns")]
    # Sorted by date received within each figure, so the last one is the newest.
    return known.drop_duplicates(["measure", "area", "period"], keep="last").reset_index(drop=True)


def check_series(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """Warnings that only a whole series or several series together can give.

    Parts that do not add up to their total, areas that have fallen away, and figures far from
    both of their neighbours. Of each figure the newest vintage is looked at.
    """
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    newest = newest[newest["value"].notna()]
    return [
        *_parts_of_measures(newest, agreement),
        *_parts_of_areas(newest, agreement),
        *_coverage(newest),
        *_outliers(newest, agreement),
    ]


def _parts_of_measures(newest: pd.DataFrame, agreement: Agreement) -> Iterable[Finding]:
    values = newest.set_index(["measure", "area", "period"])
    for total, parts in agreement.measures["parts"].items():
        for (_, area, period), row in (
            values[values.index.isin([total], level=0)].iterrows() if parts else ()
        ):
            keys = [(part, area, period) for part in parts]
            if all(key in values.index for key in keys):
                yield from _sum_finding(
                    row, total, values.loc[keys, "value"].sum(), ", ".join(parts)
                )


def _parts_of_areas(newest: pd.DataFrame, agreement: Agreement) -> Iterable[Finding]:
    areas = agreement.areas
    no_sums = [*_SIGNED_UNITS, OBSERVED_WORDS["rank"], OBSERVED_WORDS["milestone"]]
    counted = observed_units(agreement.measures).map(
        lambda unit: rate_factor(unit) is None and unit not in no_sums
    )
    made_from = agreement.settings.effectiveness
    # What is of councils does not add up: the county council's is not that of its districts.
    of_councils = {*agreement.baskets["indicator"], made_from.net_budget if made_from else ""}
    mine = newest[newest["measure"].isin(set(counted.index[counted]) - of_councils)]
    # Districts make a county, and so do its schools: each kind of part by itself.
    kinds = areas[areas["part_of"] != ""].groupby(["part_of", "kind"])["area"]
    for (whole, _), parts in kinds:
        sums = mine[mine["area"].isin(parts)].groupby(["measure", "period"], observed=True)["value"]
        complete = sums.sum()[sums.count() == len(parts)]
        wholes = mine[mine["area"] == whole].set_index(["measure", "period"])
        for key, added in complete.items():
            if key in wholes.index:
                row = wholes.loc[key]
                yield from _sum_finding(row, key[0], added, f"the {len(parts)} parts of {whole}")


def _sum_finding(row: pd.Series, measure: object, added: float, parts: str) -> Iterable[Finding]:
    if abs(row["value"] - added) > 1e-9 * max(1, abs(added)):
        yield Finding(
            "warning",
            row["file"],
            f"the sum of {parts}, {added:,.15g}",
            "Ask the sender whether the total or a part is wrong.",
            row=int(row["row"]),
            column="value",
            found=f"{row['value']:,.15g}",
            measure=str(measure),
            sheet=row["sheet"] or None,
        )


def _coverage(newest: pd.DataFrame) -> Iterable[Finding]:
    """Areas that sent a figure last time and not this time."""
    for measure, series in newest.groupby("measure", sort=False, observed=True):
        period_ends, areas = series["period_end"].to_numpy(), series["area"].to_numpy()
        ends = np.unique(period_ends)[-2:]
        if len(ends) < 2:
            continue
        before, now = (set(areas[period_ends == end]) for end in ends)
        gone = sorted(before - now)
        # One or two areas come and go; a body of them that shrinks has lost someone.
        if len(before) >= 3 and gone:
            row = series[period_ends == ends[1]].iloc[0]
            yield Finding(
                "warning",
                row["file"],
                f"a figure for {', '.join(gone)} too, as the period before",
                "Ask who has not sent theirs.",
                column="area",
                found=f"{len(now)} areas",
                measure=str(measure),
                sheet=row["sheet"] or None,
            )


def _outliers(newest: pd.DataFrame, agreement: Agreement) -> Iterable[Finding]:
    """Figures far from the mean of their neighbours, compared with how far others are.

    Neighbours are a year apart, so that seasons do not count. The measure of "far" is the median
    distance of the series itself; six times that, and a tenth of the figure, is worth a question.
    """
    for (measure, _), series in newest.groupby(["measure", "area"], sort=False, observed=True):
        step = 4 if agreement.measures.at[str(measure), "frequency"] == "quarterly" else 1
        if len(series) < 2 * step + 6:
            continue
        series = series.sort_values("period_end")
        values = series["value"].to_numpy()
        before, after = np.full((2, len(values)), np.nan)
        before[step:], after[:-step] = values[:-step], values[step:]
        distance = np.abs(values - (before + after) / 2)
        usual = float(np.nanmedian(distance))
        far = (distance > 6 * usual) & (distance > 0.1 * np.abs(values))
        # A wild figure makes its neighbours look wild too: the wildest of them is meant.
        around = np.pad(distance, step, constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(around, 2 * step + 1)
        wildest = distance >= np.fmax.reduce(around, axis=1)
        # The newest figures have no later neighbour: they are compared with the year before.
        change = np.abs(values - before)
        moved = np.arange(len(values)) >= len(values) - step
        distance = np.where(moved, change, distance)
        moved &= (change > 6 * np.nanmedian(change)) & (change > 0.3 * np.abs(before))
        far[:-step] &= ~moved[step:]
        for place in np.flatnonzero((far & wildest) | moved):
            row = series.iloc[place]
            yield Finding(
                "warning",
                row["file"],
                f"nearer the figures a year from it: it is {distance[place]:,.4g} away, "
                f"where {usual:,.4g} is usual",
                "Ask whether it is right.",
                row=int(row["row"]),
                column="value",
                found=f"{row['value']:,.15g}",
                measure=str(measure),
                sheet=row["sheet"] or None,
            )
