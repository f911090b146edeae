"""Cleaning: from cells as given to observations, with a finding for every doubt."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.files import meanings
from psa_analysis.findings import MEASURES_NAMED, Finding, did_you_mean, one_of
from psa_analysis.periods import FREQUENCIES, PeriodError, parse_period, read_day
from psa_analysis.register import agreement as register
from psa_analysis.returns.cells import FLAGS, plain_number, read_cell, without_footnote
from psa_analysis.returns.sources import AFTER_PERIOD, apply_corrections
from psa_analysis.words import NOT_STATED

_KEY = ["measure", "area", "period", "received"]
_NUMBERS = ["value", "numerator", "denominator"]
#: Units in which a cell may say percent.
_PERCENT_UNITS = {"percent", *register.SIGNED_UNITS, register.OBSERVED_WORDS["rank"]}
_YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")


@dataclass(frozen=True)
class _Doubts:
    """What is wrong or doubtful in the cells of a table."""

    texts: pd.DataFrame  # the cells as given
    findings: list[Finding] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)  # index of each row that has an error

    def add(self, rows: pd.DataFrame, column: str, expected: Any, remedy: Any, **more: Any) -> None:
        """Note a doubt about rows, in words for each or all; remedies may follow what is found."""
        if rows.empty:
            return
        about = {"severity": "error", "found": self.texts[column]} | more
        rows = rows.assign(expected=expected, remedy="" if callable(remedy) else remedy, **about)
        # Each measure's own to its partner; where a file has it everywhere, once.
        everywhere = rows["measure"].nunique() > MEASURES_NAMED
        kind = ["file", "sheet"] if everywhere else ["file", "sheet", "measure"]
        for _, alike in rows.groupby(kind, sort=False):
            row, numbers = alike.iloc[0], alike["row"].tolist()
            measure = None if everywhere else row["measure"]
            area = row["area"] if alike["area"].nunique() == 1 else None
            place = (numbers[0], column, row["found"], measure, row["sheet"] or None)
            figures = alike[["measure", "period"]].drop_duplicates().itertuples(index=False)
            also = (tuple(map(tuple, figures)), tuple(numbers[1:]), area)
            mend = remedy(row["found"]) if callable(remedy) else row["remedy"]
            words = (row["severity"], row["file"], row["expected"], mend)
            self.findings.append(Finding(*words, *place, *also))
        if about["severity"] == "error":
            self.refused.update(rows.index)

    def sound(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The rows that have no error so far."""
        refused = cells.index.isin(self.refused)
        return cells[~refused] if refused.any() else cells


def clean_returns(
    table: pd.DataFrame,
    agreement: register.Agreement,
    today: date | None = None,
    corrections: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Turn the cells of returns into observations."""
    cells = table.reset_index(drop=True).assign(text=table["value"].to_numpy())
    # The names of files and sheets are theirs to the last space.
    for column in cells.columns.drop(["file", "sheet", "row", "column", "text"]):
        cells[column] = _of_each(cells[column], str.strip, "str")
    for column in ("measure", "area", "period"):
        cells[column] = _of_each(cells[column], without_footnote, "str")
    doubts = _Doubts(cells)
    measures = agreement.measures
    titles = {title: name for name, title in measures["title"].drop_duplicates(keep=False).items()}
    cells = _resolve(cells, "measure", list(measures.index), titles, doubts)
    polarity = measures["polarity"].mask(measures["rule"].isin(register.RULES_WITHOUT_DIRECTION))
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
    observations = _read_numbers(cells, measures, doubts)
    observations, misfits = apply_corrections(observations, corrections)
    doubts.findings.extend(misfits)
    observations = _check_values(observations, measures, doubts)
    # Of two rows for one figure neither is taken where one was refused, unless it holds no number.
    refused = cells["text"].str.contains(r"\d") & cells.index.isin(doubts.refused)
    key = [*_KEY, "file", "sheet"]
    refused_row = cells[refused].drop_duplicates(key).set_index(key)["row"].rename("refused_row")
    twins = observations.join(refused_row, on=key).dropna(subset="refused_row")
    expected = "one row for each figure, but row " + twins["refused_row"].astype(int).astype(str)
    doubts.add(twins, "value", expected + ", which was refused, is of it too", "Mend one of them.")
    observations = doubts.sound(observations)
    # Of twins that differ one may have another scale, and would speak for the rest of its file.
    observations = _without_duplicates(observations, doubts)
    observations = _check_scale(observations, measures, doubts)
    observations["small"] = _small(observations, agreement)
    order = ["measure", "area", "period_end", "received", "file", "row"]
    observations = observations.sort_values(order, ignore_index=True)
    return observations[list(meanings("observations"))], doubts.findings


def _of_each(texts: pd.Series, function: Callable[[str], Any], dtype: Any) -> pd.Series:
    """What a function gives for each text; a text that stands in many rows is looked at once."""
    places, different = texts.factorize(use_na_sentinel=False)
    values = pd.Series([function(text) for text in different], dtype=dtype)
    return values.take(places).set_axis(texts.index)


def _resolve(
    cells: pd.DataFrame, column: str, names: list[str], other: dict[str, str], doubts: _Doubts
) -> pd.DataFrame:
    """Replace each spelling, in capitals or not, by the register's; `other` may be titles."""
    known = {text.casefold(): name for text, name in other.items()}
    known |= {name.casefold(): name for name in names}
    resolved = _of_each(cells[column], lambda text: known.get(text.casefold()), "str")
    unknown = cells[resolved.isna()]
    doubts.add(unknown, column, one_of(names), lambda text: did_you_mean(text, names))
    return doubts.sound(cells.assign(**{column: resolved}))


def _of_measure(cells: pd.DataFrame, values: pd.Series) -> pd.Series:
    """What the register says of each row's measure."""
    return _of_each(cells["measure"], values.to_dict().__getitem__, values.dtype)


def _read_periods(cells: pd.DataFrame, frequencies: pd.Series, doubts: _Doubts) -> pd.DataFrame:
    kinds = _of_measure(cells, frequencies.map(lambda name: FREQUENCIES[name].kind))
    columns = ["period", "period_end", "expected"]
    read = pd.DataFrame([*map(_read_period, cells["period"], kinds)], cells.index, columns)
    read = read.astype({"period": "str", "period_end": "datetime64[ns]"})
    doubts.add(cells[read["expected"].notna()], "period", read["expected"], "Correct the period.")
    return doubts.sound(cells.assign(period=read["period"], period_end=read["period_end"]))


@lru_cache(maxsize=65536)
def _read_period(text: str, kind: Any) -> tuple[str | None, date | None, str | None]:
    """A period's label and last day, or else what was expected."""
    try:
        period = parse_period(text, kind)
    except PeriodError as error:
        return None, None, str(error).rpartition("expected ")[2]
    return period.label, period.end, None


def _read_received(
    cells: pd.DataFrame, frequencies: pd.Series, begins: date, today: date, doubts: _Doubts
) -> pd.DataFrame:
    days = _of_each(cells["received"], read_day, "datetime64[ns]")
    days_after = cells["received"].str.extract(AFTER_PERIOD)[0].astype(float)
    received = days.fillna(cells["period_end"] + pd.to_timedelta(days_after, unit="D"))
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
    units = register.observed_units(measures).mask(changes, "what is counted")
    for column in _NUMBERS:
        texts = cells[column]
        numbers = _of_each(texts, plain_number, float)
        odd = cells[numbers.isna() & (texts != "")]
        if len(odd):
            marked = _read_marked(odd, column, _of_measure(odd, units), doubts)
            numbers.loc[odd.index] = marked["value"]
            if column == "value":
                cells.loc[odd.index, ["flag", "note"]] = marked[["flag", "note"]]
        cells = cells.assign(**{column: numbers})
        shown = cells[(cells["flag"] == "suppressed") & numbers.notna()]
        doubts.add(shown, column, "nothing, since the figure is suppressed", "Empty the cell.")
    missing = cells["value"].isna() & (cells["flag"] != "suppressed")
    empty = cells[missing & (doubts.texts["value"].reindex(cells.index) == "")]
    expected = "a figure, [x] if there is none, or [c] if it is confidential"
    doubts.add(empty, "value", expected, "Ask the sender.", severity="warning")
    # An empty cell, or one that says that there is no figure yet, is no observation.
    return doubts.sound(cells[~missing])


def _read_marked(odd: pd.DataFrame, column: str, units: pd.Series, doubts: _Doubts) -> pd.DataFrame:
    """Value, flag and note of the cells that are no plain numbers."""
    read = pd.DataFrame([read_cell(text) for text in odd[column]], odd.index)
    flags = read["flag"].fillna(odd["flag"])
    clash = (flags != odd["flag"]) & (doubts.texts["flag"].reindex(odd.index) != "")
    times, value = read["multiplier"], read["value"].astype(float).mask(clash)
    millions = units.str.startswith("million") & (times != 1)
    value = (value * times).mask(millions & (times == 10**6), value)
    value = value.mask(millions & (times != 10**6), value / 10**6)
    percent = read["percent"] & ~clash & ~units.isin(_PERCENT_UNITS)
    years = read["note"].map(lambda note: {int(year) for year in _YEAR.findall(note)})
    ends = odd["period_end"].dt.year.map(lambda year: {year, year - 1})
    of_other_years = (years - ends).astype(bool) & value.notna() & ~percent
    same_flag = "the same flag in cell and column: '" + odd["flag"] + "' stands in the column"
    ask, wait = "Ask the sender.", "There is none yet: ask when it will come."
    for doubtful, expected, remedy, severity in (
        (read["problem"].notna(), read["problem"], ask, "error"),
        (read["awaited"], "a figure", wait, "warning"),
        (clash, same_flag, "Ask which is right.", "error"),
        (percent, "a figure in " + units + ", not a percentage", ask, "error"),
        (of_other_years, "words about " + odd["period"], "Ask which year it is of.", "warning"),
    ):
        doubts.add(odd[doubtful], column, expected, remedy, severity=severity)
    joined = (odd["note"] + "; " + read["note"]).where(read["note"] != "", odd["note"])
    notes = joined.where(odd["note"] != "", read["note"])
    return pd.DataFrame({"value": value, "flag": flags.mask(clash, odd["flag"]), "note": notes})


def _check_values(figures: pd.DataFrame, measures: pd.DataFrame, doubts: _Doubts) -> pd.DataFrame:
    """Without the figures that the measure's range or their own parts rule out."""
    units = register.observed_units(measures)
    percent = _of_measure(figures, units == "percent")
    value, numerator, denominator = (figures[name] for name in _NUMBERS)
    lowest, highest = (_of_measure(figures, measures[end]) for end in ("floor", "ceiling"))
    beyond = (value < lowest) | (value > highest)
    ranges = lowest[beyond].map("{:,.10g} to ".format) + highest[beyond].map("{:,.10g}".format)
    ranges = ranges.astype("str").str.replace("to inf", "or more")
    # A value printed to d decimals may differ from its parts by half a unit of the last.
    texts = doubts.texts["value"].reindex(figures.index[numerator.notna()])
    decimals = texts.str.extract(r"\.([0-9]+)")[0].str.len().fillna(0).astype(float)
    # What is ranked may be any rate: the register does not say in which unit it is.
    factors = units.map(lambda text: float(register.rate_factor(text) or 1))
    factors = factors.mask(units == register.OBSERVED_WORDS["rank"])
    rate = _of_measure(figures, factors) * numerator / denominator.where(denominator != 0)
    differs = (rate - value).abs() > 0.5 * 10.0 ** -decimals.reindex(value.index) + 1e-9
    differs &= figures["correction"] == ""
    unpaired = numerator.notna() != denominator.notna()
    # A hundred thousand millions are more than any council, and most countries, have of anything.
    whole = _of_measure(figures, units.str.startswith("million")) & (value.abs() >= 1e5)
    in_millions = "a figure in " + _of_measure(figures, units)
    ask = "Ask the sender."
    range_remedy = "Ask the sender; or state the measure's lowest and highest in measures.csv."
    which = "Ask the sender which of the three is wrong."
    for broken, column, expected, remedy in (
        (beyond, "value", ranges, range_remedy),
        (whole, "value", in_millions, "Ask whether all of its digits are written out."),
        (denominator <= 0, "denominator", "more than 0", ask),
        (unpaired, "numerator", "numerator and denominator together", "Give both or neither."),
        (percent & (numerator > denominator), "numerator", "no more than the denominator", ask),
        (differs, "value", "numerator over denominator", which),
    ):
        doubts.add(figures[broken], column, expected, remedy)
    return doubts.sound(figures)


def _check_scale(figures: pd.DataFrame, measures: pd.DataFrame, doubts: _Doubts) -> pd.DataFrame:
    """Without a file's figures of a measure where all are a hundred or so times the usual."""
    # That is what other files say of the same area, or else what the register states.
    other = [*register.OBSERVED_WORDS, "ratio_to_comparator", "gap_to_comparator"]
    # Elsewhere the register's figures are of what is worked out and not of what is returned.
    stated = measures[["baseline", "target"]].astype(float).abs().max(axis=1)
    several = measures["frequency"].isin(["monthly", "quarterly", "termly"])
    summed = several & (measures["unit"] != "percent")
    stated = stated.mask(measures["basis"].isin(other) | summed)
    known = figures[figures["value"] > 0]
    if known.empty:
        return figures
    known = known.assign(stated=_of_measure(known, stated), source=known["file"] + known["sheet"])
    medians = known.groupby(["measure", "area", "source"])["value"].median().reset_index()
    pairs = medians.merge(medians, on=["measure", "area"], suffixes=("", "_usual"))
    pairs = pairs[pairs["source"] != pairs["source_usual"]]
    usual = pairs.groupby(["measure", "area", "source"])["value_usual"].median().rename("usual")
    known = known.join(usual, on=["measure", "area", "source"])
    # Percentages none of which is above one may be parts of one, if the register states nothing.
    alone = ~(known["stated"] > 0) & known["numerator"].isna()
    alone &= ~doubts.texts["value"].reindex(known.index).str.contains("%")
    percent = (register.observed_units(measures) == "percent") & measures["highest"].isna()
    alone &= _of_measure(known, percent) & (known.groupby("measure")["value"].transform("max") <= 1)
    remedy = "Ask whether {:.10g} was meant; if not, state the measure's highest in measures.csv."
    meant = (100 * known.loc[alone, "value"]).map(remedy.format)
    expected = "a percentage above 1, as there is nothing to compare it with"
    doubts.add(known[alone], "value", expected, meant)
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
    return doubts.sound(figures)


def _without_duplicates(observations: pd.DataFrame, doubts: _Doubts) -> pd.DataFrame:
    """One row per key: twins that agree become one, twins that differ are all kept out."""
    distinct = observations.drop_duplicates([*_KEY, *_NUMBERS, "flag", "illustrative"])
    twins = distinct[distinct.duplicated(_KEY, keep=False)]
    texts = [_figure_text(row) for row in twins.itertuples()]
    twins = twins.assign(text=pd.Series(texts, twins.index, dtype="str"))
    says = twins["file"] + " row " + twins["row"].astype("str") + " says " + twins["text"]
    of_figure = says.groupby([twins[name] for name in _KEY])
    # The first is told of the second, and the others of the first.
    other = of_figure.transform("first").where(of_figure.cumcount() > 0, of_figure.shift(-1))
    remedy = "Ask the sender which is right and remove the other; both are kept out."
    doubts.add(twins, "value", "one figure, but " + other, remedy, found=twins["text"])
    return doubts.sound(distinct)


def _figure_text(row: Any) -> str:
    """All that a row says, so that twins that differ in one thing show which."""
    parts = f" ({row.numerator:.15g} of {row.denominator:.15g})"
    value = f"{row.value:.15g}" + (parts if pd.notna(row.numerator) else "")
    return f"{value} {row.flag}{' ' + row.note if row.note else ''}"


def _small(observations: pd.DataFrame, agreement: register.Agreement) -> pd.Series:
    """Counts of people below the threshold, whose publication could point at someone."""
    counts = observations["measure"].isin(counted_measures(agreement.measures))
    numbers = observations[["value", "numerator"]]
    few = (numbers > 0) & (numbers < agreement.settings.disclosure.threshold)
    return few["numerator"] | (counts & few["value"]) | (observations["flag"] == "suppressed")


def counted_measures(measures: pd.DataFrame) -> pd.Index:
    """The measures whose returns hold counts, and no rates, places or milestones."""
    units = register.observed_units(measures)
    uncounted = [register.OBSERVED_WORDS["rank"], register.OBSERVED_WORDS["milestone"]]
    return measures.index[units.map(register.rate_factor).isna() & ~units.isin(uncounted)]


def as_of(observations: pd.DataFrame, cut_off: date) -> pd.DataFrame:
    """What was known on a day: the last vintage received by then of each figure."""
    known = observations[observations["received"] <= pd.Timestamp(cut_off)]
    # Sorted by date received within each figure, so the last one is the newest.
    return known.drop_duplicates(["measure", "area", "period"], keep="last").reset_index(drop=True)
