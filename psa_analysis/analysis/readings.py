"""Readings: the figure that counts, made from the observations by each measure's basis.

``docs/register.md`` lists the bases. Where something is missing there is no reading.
"""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.analysis.intervals import reading_intervals
from psa_analysis.files import meanings
from psa_analysis.periods import FREQUENCIES, place_in_year, steps_to
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, family_areas, rate_factor

#: From firm to weak; a reading is as weak as the weakest figure in it.
FLAGS = ["final", "revised", "estimated", "provisional", "suppressed"]

_SERIES = ["measure", "area"]
#: What is known of every figure besides its value.
_MARKS = ["weakness", "illustrative"]
#: What of its definition a measure's readings are made by.
_DEFINITION = ["basis", "frequency", "unit", "made_of", "baseline", "base", "compared_with"]
#: Bases that set observations beside those of another measure or area.
COMPARED = ("ratio_to_comparator", "gap_to_comparator")
#: Why periods cannot be added up.
NOT_ADDED_UP = "figures in {} cannot be added up"
NO_DENOMINATORS = "needs numerators and denominators of every period"
#: Bases that add up what was counted, whatever the unit of the reading.
SUMS_OF_COUNTS = ("cumulative", "change_from_baseline")
#: Bases whose readings are made of whole years.
OF_YEARS = ("annual", "rolling_12m", "change_from_baseline", "mean_of_years")
#: Bases whose readings are counts or shares themselves.
_COUNTED = ("point", "annual", "year_to_date", "rolling_12m", "cumulative", "change_from_baseline")


def make_readings(known: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Make the reading that counts for every period that was observed."""
    columns = list(meanings("readings"))
    if known.empty:
        # Typed, so that an agreement without a return yet can be assessed like any other.
        empty = pd.DataFrame(columns=columns)
        return empty.astype({"period_end": "datetime64[ns]", "reading": float, "observed": float})
    rows = _milestones(_changes(_sums(_with_definitions(known, agreement.measures))))
    rows = _with_limits(_comparisons(_ranks(rows, agreement)))
    rows["flag"] = rows["weakness"].map(dict(enumerate(FLAGS)))
    return rows[columns]


def _with_definitions(known: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """The observations, oldest first, each with what its reading is made by."""
    names = known["measure"].unique()
    frequencies = measures.loc[names, "frequency"].map(FREQUENCIES)
    definitions = measures.loc[names, _DEFINITION].assign(
        order=range(len(names)),
        per_year=[frequency.per_year for frequency in frequencies],
        of_step=[frequency.step for frequency in frequencies],
        year_end=[frequency.year_end for frequency in frequencies],
        years=[years_averaged(measures.loc[name]) for name in names],
        baseline_end=pd.to_datetime([at and at.end for at in measures.loc[names, "baseline_at"]]),
    )
    rows = known.rename(columns={"value": "observed"}).assign(note="")
    rows = rows.join(definitions, on="measure").sort_values(["order", "area", "period_end"])
    # What is counted up from a baseline begins after it.
    before = (rows["basis"] == "cumulative") & (rows["period_end"] <= rows["baseline_end"])
    rows = rows[~before].reset_index(drop=True)
    ends = rows["period_end"]
    rows["step"] = steps_to(ends.dt, rows["per_year"])
    used = [periods_used(measures.loc[names[n]], days) for n, days in ends.groupby(rows["order"])]
    rows["periods"] = pd.concat(used)
    rows["weakness"] = rows["flag"].map(FLAGS.index)
    return rows


def periods_used(measure: pd.Series, ends: pd.Series) -> pd.Series:
    """How many periods, the last of them ending on each day, a reading is made of."""
    basis, baseline = measure["basis"], measure["baseline_at"]
    frequency = FREQUENCIES[measure["frequency"]]
    if basis == "cumulative" and baseline is not None:
        return steps_to(ends.dt, frequency.per_year) - steps_to(baseline.end, frequency.per_year)
    if basis == "year_to_date":
        return place_in_year(ends.dt.month, frequency.kind)
    periods = frequency.per_year if basis in OF_YEARS else 1
    return pd.Series(periods * years_averaged(measure), ends.index)


def years_averaged(measure: pd.Series) -> int:
    """Over how many years a ``mean_of_years`` is averaged, as its baseline; else 1."""
    baseline = measure["baseline_at"]
    if measure["basis"] != "mean_of_years":
        return 1
    if baseline is None or baseline.kind != "mean_of_years":
        return 3
    return baseline.end.year - baseline.start.year + 1


def _windows(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each period that each ``reading`` is made of, oldest first, observed or not."""
    windows = rows.loc[rows.index.repeat(rows["periods"]), [*_SERIES, "step", "periods"]]
    windows["step"] += 1 - windows["periods"] + windows.groupby(level=0).cumcount()
    windows = windows.drop(columns="periods").reset_index(names="reading")
    figures = ["observed", "numerator", "denominator", "period_end", *_MARKS]
    return windows.merge(rows[[*_SERIES, "step", *figures]], how="left", on=[*_SERIES, "step"])


def _sums(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with sums, means or pooled rates of the periods that each reading is made of."""
    windows = _windows(rows)
    by_reading = windows.groupby("reading")
    sums = by_reading[["observed", "numerator", "denominator"]].sum(skipna=False)
    basis, several = rows["basis"], rows["periods"] > 1
    counted_up, mean = basis == "cumulative", basis == "mean_of_years"
    unit = rows["unit"].mask(basis.isin(SUMS_OF_COUNTS), "")
    factor = unit.map(rate_factor).astype(float)
    pooled = several & factor.notna()
    reading = sums["observed"] / rows["years"] + rows["baseline"].where(counted_up, 0)
    reading = reading.mask(pooled, factor * sums["numerator"] / sums["denominator"])
    # A suppressed figure is a return, but no part of a complete year.
    has = by_reading["weakness"].count().mask(mean, by_reading["observed"].count())
    lacks = has < rows["periods"]
    alone = basis.isin([*COMPARED, "rank"]) & rows["compared_with"].isna()
    within_year = rows["period_end"].dt.month != rows["year_end"]
    needs_years = "needs " + rows["years"].astype("str") + " complete years, lacks "
    needs_periods = "needs " + rows["periods"].astype("str") + " " + rows["of_step"] + "s, has "
    missing = _first_reason(
        (alone, "the comparator is not stated"),
        (counted_up & rows["baseline_end"].isna(), "the baseline's period is not stated"),
        (basis.isin(["annual", "mean_of_years"]) & within_year, "the year is not complete"),
        (counted_up & lacks, "a period between the baseline and this one is missing"),
        (mean & lacks, needs_years + _years_lacking(windows, rows[mean])),
        (lacks, needs_periods + has.astype("str")),
        (several & unit.isin(NOT_SUMMED), unit.map(NOT_ADDED_UP.format)),
        (pooled & sums["denominator"].isna(), NO_DENOMINATORS),
        (reading.isna(), "suppressed"),
    )
    pooled &= ~lacks & sums["denominator"].notna()
    return rows.assign(
        reading=reading.mask(missing != ""),
        missing=missing,
        numerator=rows["numerator"].mask(pooled, sums["numerator"]),
        denominator=rows["denominator"].mask(pooled, sums["denominator"]),
        weakness=by_reading["weakness"].max().astype(int),
        illustrative=windows["illustrative"].eq(True).groupby(windows["reading"]).any(),
        used_from=by_reading["period_end"].min(),
    )


def _first_reason(
    *reasons: tuple[pd.Series, pd.Series | str], otherwise: pd.Series | str = ""
) -> pd.Series:
    """The text of the first of several conditions that holds in each row."""
    conditions, texts = zip(*reasons, strict=True)
    return pd.Series(np.select(conditions, texts, otherwise), conditions[0].index, dtype="str")


def _years_lacking(windows: pd.DataFrame, means: pd.DataFrame) -> pd.Series:
    """The years that each mean lacks a figure of, as text."""
    lacking = windows[windows["observed"].isna()]
    lacking = lacking.join(means[["per_year", "year_end"]], on="reading", how="inner")
    per_year, year_end = lacking["per_year"], lacking["year_end"]
    year = (lacking["step"] + per_year * (12 - year_end) // 12) // per_year
    two_years = (year - 1).astype("str") + "/" + year.astype("str").str[-2:]
    years = two_years.mask(year_end == 12, year.astype("str"))
    return years.groupby(lacking["reading"]).agg(lambda labels: ", ".join(labels.unique()))


def change_from(level: Any, base: Any) -> Any:
    """Percentage change of a level from its base; numbers or columns."""
    # Written so that the difference, often exact, comes before the division.
    return 100 * (level - base) / base


def _changes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with changes of a ``level`` from its ``base``, stated or of the baseline period."""
    change = rows["basis"] == "change_from_baseline"
    read_off = change & rows["base"].isna() & (rows["period_end"] == rows["baseline_end"])
    baselines = rows[read_off & rows["reading"].notna()]
    baseline = rows[_SERIES].merge(baselines[[*_SERIES, "reading", *_MARKS]], "left", on=_SERIES)
    base = rows["base"].fillna(baseline["reading"])
    known = change & rows["reading"].notna()
    missing = _first_reason(
        (known & base.isna(), "no figure for the baseline period"),
        (known & base.eq(0), "a figure of 0 for the baseline period"),
        otherwise=rows["missing"],
    )
    base = base.replace(0, np.nan)
    # Every change rests on the baseline's own figures, so it is as weak as they are.
    return rows.assign(
        level=rows["reading"],
        base=base,
        reading=rows["reading"].mask(change, change_from(rows["reading"], base)),
        missing=missing,
        weakness=np.fmax(rows["weakness"], baseline["weakness"]).astype(int),
        illustrative=rows["illustrative"] | baseline["illustrative"].eq(True),
    )


def _comparisons(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with percentages of the comparator's figure, or what that is above the own one."""
    compared = rows[rows["basis"].isin(COMPARED) & rows["compared_with"].notna()]
    for _, own in compared.groupby("measure", sort=False):
        comparator, basis = own["compared_with"].iloc[0], own["basis"].iloc[0]
        if comparator.kind == "measure":
            keys, others = ["area", "period"], rows[rows["measure"] == comparator.name]
        else:
            keys, others = ["period"], own[own["area"] == comparator.name]
        others = others[[*keys, "reading", "missing", *_MARKS]]
        other = own[keys].merge(others, "left", on=keys).set_index(own.index)
        figure = f"figure of {comparator.name} for " + own["period"].astype("str")
        itself = (own["area"] == comparator.name) & (comparator.kind == "area")
        zero = (other["reading"] == 0) & (basis == "ratio_to_comparator")
        missing = _first_reason(
            (itself, "this is the comparator itself"),
            (other["weakness"].isna(), "no " + figure),
            (other["reading"].isna(), "no " + figure + ": " + other["missing"]),
            (own["reading"].isna(), own["missing"]),
            (zero, "the " + figure + " is 0"),
        )
        # As their shortest decimals say, so that 74.1 less 47.9 is 26.2 and no less.
        figures = [own["reading"], other["reading"].mask(zero)]
        local, beside = (column.map(lambda value: Decimal(str(value))) for column in figures)
        result = beside - local if basis == "gap_to_comparator" else 100 * local / beside
        rows.loc[own.index, "reading"] = result.astype(float).mask(missing != "")
        rows.loc[own.index, "missing"] = missing
        rows.loc[own.index, "weakness"] = np.fmax(own["weakness"], other["weakness"]).astype(int)
        rows.loc[own.index, "illustrative"] |= other["illustrative"].eq(True)
    return rows


def _ranks(rows: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """The rows with the agreement's place among a family, 1 for the best; equals share it."""
    area = agreement.settings.agreement.area
    ranked = rows[(rows["basis"] == "rank") & rows["compared_with"].notna()]
    rows.loc[ranked.index, "reading"] = np.nan
    for _, own in ranked.groupby("measure", sort=False):
        comparator = own["compared_with"].iloc[0]
        rows.loc[own.index[own["area"] != area], "missing"] = f"only {area} is ranked"
        family = family_areas(agreement, comparator.name)
        for _, period in own[own["area"].isin(family) & own["reading"].notna()].groupby("period"):
            row = period.index[period["area"] == area]
            present = f"{len(period)} of the {len(family)} areas of the family"
            rows.loc[row, "weakness"] = period["weakness"].max()
            rows.loc[row, "illustrative"] = period["illustrative"].any()
            if 2 * len(period) < len(family):
                rows.loc[row, "missing"] = f"only {present} gave a figure, fewer than half"
                continue
            places = period["reading"].rank(method="min", ascending=not comparator.highest_first)
            rows.loc[row, "reading"] = places[row]
            rows.loc[row, "note"] = f"ranked among {present}"
    return rows


def _milestones(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with milestones done (1) or not (0); what was done once cannot be undone."""
    values = rows["reading"].where(rows["basis"] == "milestone")
    done = rows["period"].where(values == 1).groupby([rows["measure"], rows["area"]])
    undone = (values == 0) & done.ffill().notna()
    neither = values.notna() & ~values.isin([0, 1])
    found = "found " + values.map("{:.10g}".format)
    missing = _first_reason(
        (undone, "found 0 (not done), where " + done.transform("first") + " says 1 (done)"),
        (neither, found + ", expected 1 (done) or 0 (not done)"),
        otherwise=rows["missing"],
    )
    return rows.assign(reading=rows["reading"].mask(undone | neither), missing=missing)


def _with_limits(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with what chance allows around each reading that is made of single cases."""
    change, cases = rows["basis"] == "change_from_baseline", rows["made_of"] == "cases"
    counted = cases & rows["basis"].isin(_COUNTED)
    # A change is made of counts, whatever they are called.
    level = rows["level"].where(change, rows["reading"])
    figures = rows[["numerator", "denominator"]].assign(reading=level)
    units = rows["unit"].mask(change, "events")
    limits = reading_intervals(figures[counted], units[counted]).reindex(rows.index)
    no_cases = rows["made_of"].map({"headcount": "decided, and not moved by chance"})
    no_cases = no_cases.fillna("not made of single cases")
    why_not = "not worked out: " + rows["basis"].where(cases, no_cases)
    rows["interval"] = limits["method"].where(counted, why_not)
    for end in ("lower", "upper"):
        rows[end] = limits[end].mask(change, change_from(limits[end], rows["base"]))
    return rows


def observations_used(
    known: pd.DataFrame, readings: pd.DataFrame, agreement: Agreement, key: tuple[str, str, str]
) -> pd.DataFrame:
    """The observations that the reading of a measure, area and period was made from, by part."""
    measure, area, period = key
    rows = readings[(readings["measure"] == measure) & (readings["area"] == area)]
    own = known[(known["measure"] == measure) & (known["area"] == area)].sort_values("period_end")
    definition = agreement.measures.loc[measure]
    made_of = {"reading": rows[rows["period"] == period]}
    baseline = definition["baseline_at"]
    if definition["basis"] == "change_from_baseline" and pd.isna(definition["base"]) and baseline:
        made_of = {"base": rows[rows["period_end"] == pd.Timestamp(baseline.end)], **made_of}
    parts = [
        (part, own[own["period_end"].between(row["used_from"].min(), row["period_end"].max())])
        for part, row in made_of.items()
    ]
    comparator = definition["compared_with"]
    if comparator is not None and comparator.kind == "measure":
        used = observations_used(known, readings, agreement, (comparator.name, area, period))
        parts.append(("comparator", used))
    elif comparator is not None:
        areas = [comparator.name]
        if comparator.kind == "family":
            areas = family_areas(agreement, comparator.name)
        others = known["area"].isin(areas) & (known["area"] != area) & known["value"].notna()
        others &= (known["measure"] == measure) & (known["period"] == period)
        parts.append(("comparator", known[others]))
    return pd.concat([used.assign(part=part) for part, used in parts])


def splice(old: pd.Series, new: pd.Series) -> tuple[pd.Series, str]:
    """Join two series of one thing across a change of definition, if they overlap; and how."""
    if (both := old.index[old.index.isin(new.index)]).empty:
        return new, "The two definitions have no period in common, so they cannot be joined."
    shift = float((new[both] - old[both]).mean())
    method = f"The older definition is moved by {shift:+.4g}, the mean difference of the two in "
    return pd.concat([old.drop(both) + shift, new]), f"{method}{', '.join(both)}."
