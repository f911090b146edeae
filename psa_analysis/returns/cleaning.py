"""Cleaning: from cells as given to observations, with a finding for every doubt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.files import meanings
from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import FREQUENCIES, Period, PeriodError, parse_period, read_day
from psa_analysis.register.agreement import (
    OBSERVED_WORDS,
    RULES_WITHOUT_DIRECTION,
    SIGNED_UNITS,
    Agreement,
    observed_units,
    rate_factor,
)
from psa_analysis.returns.cells import FLAGS, FOOTNOTES, plain_number, read_cell
from psa_analysis.returns.sources import apply_corrections
from psa_analysis.words import NOT_STATED

#: Columns of the observations, one row per measure, area, period and date received.
OBSERVATION_COLUMNS = meanings("observations")

_KEY = ["measure", "area", "period", "received"]

#: Units in which a cell may say percent.
_PERCENT_UNITS = {"percent", *SIGNED_UNITS, OBSERVED_WORDS["rank"]}

#: A doubt about more measures of a file than this is one about the file.
_MEASURES_NAMED = 5

_YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")


@dataclass(frozen=True)
class _Doubts:
    """What is wrong or doubtful in the cells of a table."""

    texts: pd.DataFrame  # the cells as given
    findings: list[Finding] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)  # index of each row that has an error

    def add(self, rows: pd.DataFrame, column: str, expected: Any, remedy: Any, **more: Any) -> None:
        """Note a doubt about every row, in words for all or a series of them."""
        if rows.empty:
            return
        about = {"severity": "error", "found": self.texts[column]} | more
        rows = rows.assign(expected=expected, remedy=remedy, **about)
        # Each measure's own to its partner; where a file has it everywhere, once.
        everywhere = rows["measure"].nunique() > _MEASURES_NAMED
        kind = ["file", "sheet"] if everywhere else ["file", "sheet", "measure"]
        for _, alike in rows.groupby(kind, sort=False):
            row, numbers = alike.iloc[0], alike["row"].tolist()
            measure = None if everywhere else row["measure"]
            area = row["area"] if alike["area"].nunique() == 1 else None
            place = (numbers[0], column, row["found"], measure, row["sheet"] or None)
            figures = alike[["measure", "period"]].drop_duplicates().itertuples(index=False)
            also = (tuple(map(tuple, figures)), tuple(numbers[1:]), area)
            words = (row["severity"], row["file"], row["expected"], row["remedy"])
            self.findings.append(Finding(*words, *place, *also))
        if about["severity"] == "error":
            self.refused.update(rows.index)

    def sound(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The rows that have no error so far."""
        return cells[~cells.index.isin(self.refused)]


def clean_returns(
    table: pd.DataFrame,
    agreement: Agreement,
    today: date | None = None,
    corrections: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Turn the cells of returns into observations."""
    cells = table.reset_index(drop=True)
    # The names of files and sheets are theirs to the last space.
    for column in cells.columns.drop(["file", "sheet", "row", "column"]):
        cells[column] = cells[column].str.strip()
    for column in ("measure", "area", "period"):
        # Each different text is looked at once.
        plain = {text: FOOTNOTES.sub("", text) for text in cells[column].unique()}
        cells[column] = cells[column].map(plain).astype(cells[column].dtype)
    doubts = _Doubts(cells)
    measures = agreement.measures
    titles = {title: name for name, title in measures["title"].items()}
    cells = _resolve(cells, "measure", list(measures.index), titles, doubts)
    polarity = measures["polarity"].mask(measures["rule"].isin(RULES_WITHOUT_DIRECTION))
    unjudged = cells[cells["measure"].map(polarity) == NOT_STATED]
    remedy = "Give it a polarity in register/measures.csv, or leave its figures out."
    doubts.add(unjudged, "measure", "a measure of which higher or lower is better", remedy)
    cells = doubts.sound(cells)
    cells = _resolve(cells, "area", list(agreement.areas["area"]), {}, doubts)
    cells = _resolve(cells, "flag", FLAGS, {"": "final"}, doubts)
    cells = _resolve(cells, "illustrative", ["yes", "no"], {"": "no"}, doubts)
    cells["illustrative"] = cells["illustrative"] == "yes"
    cells = _read_periods(cells, measures["frequency"], doubts)
    begins = agreement.settings.agreement.begins
    cells = _read_received(cells, measures["frequency"], begins, today or date.today(), doubts)
    cells = _read_numbers(cells, measures, doubts)
    observations, misfits = apply_corrections(cells, corrections)
    doubts.findings.extend(misfits)
    observations = _check_values(observations, measures, doubts)
    observations = _check_scale(observations, measures, doubts)
    observations = _without_duplicates(observations, doubts)
    observations["small"] = _small(observations, agreement)
    order = ["measure", "area", "period_end", "received", "file", "row"]
    observations = observations.sort_values(order, ignore_index=True)
    return observations[list(OBSERVATION_COLUMNS)], doubts.findings


def _resolve(
    cells: pd.DataFrame, column: str, names: list[str], other: dict[str, str], doubts: _Doubts
) -> pd.DataFrame:
    """Replace each spelling, in capitals or not, by the register's; `other` may be titles."""
    known = other | {name: name for name in names}
    resolved = cells[column].str.casefold().map({text.casefold(): known[text] for text in known})
    unknown = cells[resolved.isna()]
    remedies = unknown[column].map(lambda text: did_you_mean(text, names))
    doubts.add(unknown, column, one_of(names), remedies)
    return doubts.sound(cells.assign(**{column: resolved})).astype({column: "str"})


def _of_measure(cells: pd.DataFrame, values: pd.Series) -> pd.Series:
    """What the register says of each row's measure."""
    # Without rows a map gives text, whatever the values are.
    return cells["measure"].map(values).astype(values.dtype)


def _read_periods(cells: pd.DataFrame, frequencies: pd.Series, doubts: _Doubts) -> pd.DataFrame:
    kinds = cells["measure"].map({name: FREQUENCIES[of].kind for name, of in frequencies.items()})
    # Each spelling for each kind of period is read once.
    pairs = pd.MultiIndex.from_arrays([cells["period"], kinds])
    places, different = pairs.factorize()
    read = pd.Series([_period_or_expected(*pair) for pair in different], dtype=object)
    periods = read.take(places).set_axis(cells.index)
    broken = periods.map(lambda period: isinstance(period, str)).astype(bool)
    doubts.add(cells[broken], "period", periods, "Correct the period.")
    cells, periods = doubts.sound(cells), periods[~broken]
    ends = pd.to_datetime(periods.map(lambda period: period.end)).astype("datetime64[ns]")
    labels = periods.map(lambda period: period.label).astype("str")
    return cells.assign(period=labels, period_end=ends)


def _period_or_expected(text: str, kind: Any) -> Period | str:
    try:
        return parse_period(text, kind)
    except PeriodError as error:
        return str(error).rpartition("expected ")[2]


def _read_received(
    cells: pd.DataFrame, frequencies: pd.Series, begins: date, today: date, doubts: _Doubts
) -> pd.DataFrame:
    texts = cells["received"].drop_duplicates()
    after_period = texts.str.extract(r"^(\d{1,3}) days after the period$")[0].astype(float)
    days_after_period = cells["received"].map(dict(zip(texts, after_period, strict=True)))
    days = {text: read_day(text) for text in texts}
    # Within two centuries, so that a mistyped one is a finding and not an overflow.
    known = {text: day for text, day in days.items() if day and 1900 <= day.year <= 2200}
    received = pd.to_datetime(cells["received"].map(known)).astype("datetime64[ns]")
    counted = cells["period_end"] + pd.to_timedelta(days_after_period.astype(float), unit="D")
    received = received.fillna(counted)
    # Figures of schools come in July and August, before the school year ends.
    schools = _of_measure(cells, frequencies.isin(["exam_year", "termly"]))
    after = cells["period_end"] - pd.to_timedelta(schools * 62, unit="D")
    in_sidecar = "Correct the date, or give it in the file's sidecar."
    for broken, expected, remedy in (
        (received.isna(), "the day it came in, such as 2005-01-30", in_sidecar),
        (received <= after, "", "Correct the date or the period."),
        (received > pd.Timestamp(today), "a day that has been", "Correct the date."),
    ):
        a_day = after[broken].map("a day after {:%Y-%m-%d}, given the period".format)
        doubts.add(cells[broken], "received", expected or a_day, remedy)
    # Figures of the agreement's years that came together, long after, are in no report until then.
    together = cells.groupby("file")["received"].transform("nunique") == 1
    late = together & (received > cells["period_end"] + pd.Timedelta(days=550))
    late &= cells["period_end"] > pd.Timestamp(begins)
    late &= cells["period"].where(late).groupby(cells["file"]).transform("nunique") > 1
    expected = "days of receipt: no report of a quarter before this day will know these figures"
    written = 'received = "45 days after the period", or the day of publication,'
    remedy = f"Write {written} in its sidecar."
    doubts.add(cells[late], "received", expected, remedy, severity="warning")
    return doubts.sound(cells.assign(received=received))


def _read_numbers(cells: pd.DataFrame, measures: pd.DataFrame, doubts: _Doubts) -> pd.DataFrame:
    """The rows that have a figure or a suppressed one, with their numbers."""
    # A change is worked out from counts, and a percentage would be the change itself.
    changes = measures["basis"] == "change_from_baseline"
    units = observed_units(measures).mask(changes, "what is counted")
    for column in ("value", "numerator", "denominator"):
        texts = cells[column]
        numbers = texts.map({text: plain_number(text) for text in texts.unique()}).astype(float)
        odd = cells[numbers.isna() & (texts != "")]
        if len(odd):
            marked = _read_marked(odd, column, _of_measure(odd, units), doubts)
            numbers.loc[odd.index] = marked["value"]
            if column == "value":
                cells.loc[odd.index, ["flag", "note"]] = marked[["flag", "note"]]
        cells = cells.assign(**{column: numbers})
        shown = cells[(cells["flag"] == "suppressed") & numbers.notna()]
        expected = "nothing, since the figure is suppressed"
        doubts.add(shown, column, expected, "Empty the cell.")
    missing = cells["value"].isna() & (cells["flag"] != "suppressed")
    empty = cells[missing & (doubts.texts["value"].reindex(cells.index) == "")]
    expected = "a figure, [x] if there is none, or [c] if it is confidential"
    doubts.add(empty, "value", expected, "Ask the sender.", severity="warning")
    # An empty cell, or one that says that there is no figure yet, is no observation.
    return doubts.sound(cells[~missing])


def _read_marked(
    rows: pd.DataFrame, column: str, units: pd.Series, doubts: _Doubts
) -> pd.DataFrame:
    """Value, flag and note of the cells that are no plain numbers."""
    read = pd.DataFrame([read_cell(text) for text in rows[column]], rows.index)
    flags = read["flag"].fillna(rows["flag"])
    clash = (flags != rows["flag"]) & (doubts.texts["flag"].reindex(rows.index) != "")
    times, value = read["multiplier"], read["value"].astype(float).mask(clash)
    millions = units.str.startswith("million") & (times != 1)
    value = (value * times).mask(millions & (times == 10**6), value)
    value = value.mask(millions & (times != 10**6), value / 10**6)
    percent = read["percent"] & ~clash & ~units.isin(_PERCENT_UNITS)
    years = read["note"].map(lambda note: {int(year) for year in _YEAR.findall(note)})
    ends = rows["period_end"].dt.year.map(lambda year: {year, year - 1})
    of_other_years = (years - ends).astype(bool) & value.notna() & ~percent
    same_flag = "the same flag in cell and column: '" + rows["flag"] + "' stands in the column"
    ask, wait = "Ask the sender.", "There is none yet: ask when it will come."
    for doubtful, expected, remedy, severity in (
        (read["problem"].notna(), read["problem"], ask, "error"),
        (read["awaited"], "a figure", wait, "warning"),
        (clash, same_flag, "Ask which is right.", "error"),
        (percent, "a figure in " + units + ", not a percentage", ask, "error"),
        (of_other_years, "words about " + rows["period"], "Ask which year it is of.", "warning"),
    ):
        doubts.add(rows[doubtful], column, expected, remedy, severity=severity)
    both = (rows["note"] != "") & (read["note"] != "")
    notes = rows["note"] + both.map({True: "; ", False: ""}) + read["note"]
    return pd.DataFrame({"value": value, "flag": flags.mask(clash, rows["flag"]), "note": notes})


def _check_values(
    observations: pd.DataFrame, measures: pd.DataFrame, doubts: _Doubts
) -> pd.DataFrame:
    """Without the figures that the measure's range or their own parts rule out."""
    units = observed_units(measures)
    percent = _of_measure(observations, units) == "percent"
    value = observations["value"]
    lowest, highest = (_of_measure(observations, measures[end]) for end in ("floor", "ceiling"))
    beyond = (value < lowest) | (value > highest)
    ranges = [
        f"{low:,.10g} to {high:,.10g}" if isfinite(high) else f"{low:,.10g} or more"
        for low, high in zip(lowest[beyond], highest[beyond], strict=True)
    ]
    numerator, denominator = observations["numerator"], observations["denominator"]
    # A value printed to d decimals may differ from its parts by half a unit of the last.
    texts = doubts.texts["value"].reindex(observations.index[numerator.notna()])
    decimals = texts.str.extract(r"\.([0-9]+)")[0].str.len().fillna(0).astype(float)
    # What is ranked may be any rate: the register does not say in which unit it is.
    factors = units.map(lambda text: float(rate_factor(text) or 1))
    factors = factors.mask(units == OBSERVED_WORDS["rank"])
    rate = _of_measure(observations, factors) * numerator / denominator.where(denominator != 0)
    differs = (rate - value).abs() > 0.5 * 10.0 ** -decimals.reindex(value.index) + 1e-9
    differs &= observations["correction"] == ""
    unpaired = numerator.notna() != denominator.notna()
    ask = "Ask the sender."
    range_remedy = "Ask the sender; or state the measure's lowest and highest in measures.csv."
    which = "Ask the sender which of the three is wrong."
    for broken, column, expected, remedy in (
        (beyond, "value", pd.Series(ranges, value.index[beyond]), range_remedy),
        (denominator <= 0, "denominator", "more than 0", ask),
        (unpaired, "numerator", "numerator and denominator together", "Give both or neither."),
        (percent & (numerator > denominator), "numerator", "no more than the denominator", ask),
        (differs, "value", "numerator over denominator", which),
    ):
        doubts.add(observations[broken], column, expected, remedy)
    return doubts.sound(observations)


def _check_scale(
    observations: pd.DataFrame, measures: pd.DataFrame, doubts: _Doubts
) -> pd.DataFrame:
    """Without a file's figures of a measure where all are a hundred or so times the usual.

    One figure that stands out is kept: low areas are low. What is usual is what other files say of
    the same area, or else what the register states.
    """
    other = [*OBSERVED_WORDS, "ratio_to_comparator", "gap_to_comparator"]
    # Elsewhere the register's figures are of what is worked out and not of what is returned.
    stated = measures[["baseline", "target"]].astype(float).abs().max(axis=1)
    several = measures["frequency"].isin(["monthly", "quarterly", "termly"])
    summed = several & (measures["unit"] != "percent")
    stated = stated.mask(measures["basis"].isin(other) | summed)
    known = observations[observations["value"] > 0]
    if known.empty:
        return observations
    known = known.assign(stated=_of_measure(known, stated), source=known["file"] + known["sheet"])
    medians = known.groupby(["measure", "area", "source"])["value"].median().reset_index()
    pairs = medians.merge(medians, on=["measure", "area"], suffixes=("", "_usual"))
    pairs = pairs[pairs["source"] != pairs["source_usual"]]
    usual = pairs.groupby(["measure", "area", "source"])["value_usual"].median().rename("usual")
    known = known.join(usual, on=["measure", "area", "source"])
    own = known.groupby(["measure", "area"])["value"].transform("median")
    usual = known["usual"].fillna(known["stated"]).fillna(own)
    magnitude = np.log10(known["value"] / usual.where(usual > 0))
    of_file = magnitude.groupby([known["measure"], known["source"]])
    least, most = of_file.transform("min"), of_file.transform("max")
    nearest = pd.concat([least.abs(), most.abs()], axis=1).min(axis=1)
    for power in (2, 3, 6, -2, -3, -6):
        size = f"{10**power:,} times" if power > 0 else f"a {10**-power:,}th of"
        # A scale shifts all alike: none may lie nearer to what is usual.
        all_off = ((least + most) / 2 - power).abs().lt(0.3) & (nearest > 1.3)
        off = known[all_off | ((magnitude - power).abs().lt(0.15) & (power == 6))]
        about = usual[off.index].map(f"about {{:,.4g}}: this is {size} the usual".format)
        meant = (off["value"] / 10.0**power).map("Ask whether {:,.10g} was meant.".format)
        doubts.add(off, "value", about, meant)
    return doubts.sound(observations)


def _without_duplicates(observations: pd.DataFrame, doubts: _Doubts) -> pd.DataFrame:
    """One row per key: twins that agree become one, twins that differ are all kept out."""
    figure = ["value", "numerator", "denominator", "flag", "illustrative"]
    distinct = observations.drop_duplicates([*_KEY, *figure])
    twins = distinct[distinct.duplicated(_KEY, keep=False)]
    twins = twins.assign(text=[_figure_text(row) for row in twins.itertuples()])
    expected = {}
    for _, rows in twins.groupby(_KEY, sort=False):
        for index in rows.index:
            other = rows.drop(index).iloc[0]
            place = f"{other['file']} row {other['row']}"
            expected[index] = f"one figure, but {place} says {other['text']}"
    remedy = "Ask the sender which is right and remove the other; both are kept out."
    doubts.add(twins, "value", pd.Series(expected, dtype=str), remedy, found=twins["text"])
    return doubts.sound(distinct)


def _figure_text(row: Any) -> str:
    """All that a row says, so that twins that differ in one thing show which."""
    parts = f" ({row.numerator:.15g} of {row.denominator:.15g})"
    value = f"{row.value:.15g}" + (parts if pd.notna(row.numerator) else "")
    return f"{value} {row.flag}{' ' + row.note if row.note else ''}"


def _small(observations: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """Counts of people below the threshold, whose publication could point at someone."""
    threshold = agreement.settings.disclosure.threshold
    counts = observations["measure"].isin(counted_measures(agreement.measures))
    numbers = observations[["value", "numerator"]]
    few = (numbers > 0) & (numbers < threshold)
    return few["numerator"] | (counts & few["value"]) | (observations["flag"] == "suppressed")


def counted_measures(measures: pd.DataFrame) -> pd.Index:
    """The measures whose returns hold counts, and no rates, places or milestones."""
    units = observed_units(measures)
    uncounted = [OBSERVED_WORDS["rank"], OBSERVED_WORDS["milestone"]]
    return measures.index[units.map(rate_factor).isna() & ~units.isin(uncounted)]


def as_of(observations: pd.DataFrame, cut_off: date) -> pd.DataFrame:
    """What was known on a day: the last vintage received by then of each figure."""
    known = observations[observations["received"] <= pd.Timestamp(cut_off)]
    # Sorted by date received within each figure, so the last one is the newest.
    return known.drop_duplicates(["measure", "area", "period"], keep="last").reset_index(drop=True)
