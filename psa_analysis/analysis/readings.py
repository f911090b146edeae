"""Performance: the reading that counts, made from the observations by each measure's basis.

=====================  ==============================================================
basis                  reading
=====================  ==============================================================
point, index           the observation itself
annual                 the financial year, complete: sum of its four quarters
year_to_date           sum of the quarters of the financial year so far
cumulative             the baseline plus all quarters or years after its period
rolling_12m            the last four quarters
mean_of_years          mean of the last complete years: as many as the baseline's period
                       averages, or three
change_from_baseline   100 x (level / base - 1), the level being the last four quarters
                       or the year, the base stated or the level of the baseline period
ratio_to_comparator    100 x the observation / the comparator's reading
gap_to_comparator      the comparator's reading less the observation
rank                   the place among a family of areas; equal figures share the better
milestone              1 if done, 0 if not
=====================  ==============================================================

Sums and means of percentages are sums of their numerators over sums of their denominators. What
lacks a quarter, a year or its comparator gives no reading; the row says what is missing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.intervals import reading_intervals
from psa_analysis.periods import (
    KIND_OF_FREQUENCY,
    Period,
    parse_period,
    period_containing,
    quarter,
    quarter_number,
)
from psa_analysis.register.agreement import (
    NOT_SUMMED,
    Agreement,
    Comparator,
    family_areas,
    measure_period,
    rate_factor,
)

Floats = NDArray[np.float64]

#: Columns of the readings, one row per measure, area and period.
READING_COLUMNS = {
    "measure": "the measure",
    "area": "the place",
    "period": "the period's label",
    "period_end": "the period's last day",
    "reading": "the reading that counts, in the measure's unit; missing if it cannot be made",
    "missing": "why there is no reading, else empty",
    "note": "what to know of the reading: of how many areas a rank is; else empty",
    "lower": "lower end of what chance allows around the reading, 95 in 100 times",
    "upper": "its upper end",
    "interval": "the method of these limits, or why there are none",
    "observed": "the observation of the period itself",
    "numerator": "of a rate: what was counted in what the reading is made from, else missing",
    "denominator": "of a rate: what it was counted among, likewise",
    "flag": "the weakest flag among the observations used",
    "illustrative": "True if any observation used is made up",
    "file": "file of the period's own observation",
    "sheet": "sheet of the period's own observation, for workbooks",
    "row": "row of the period's own observation",
    "column": "column letter of the period's own observation",
}

#: From firm to weak; a reading is as weak as the weakest figure in it.
_FLAG_ORDER = ["final", "revised", "estimated", "provisional", "suppressed"]


def readings(known: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Make the reading that counts for every period that was observed."""
    if known.empty:
        # Typed, so that an agreement without a return yet can be assessed like any other.
        empty = pd.DataFrame(columns=list(READING_COLUMNS))
        return empty.astype({"period_end": "datetime64[ns]", "reading": float, "observed": float})
    observed = _Observed(known)
    made = []
    for name in known["measure"].unique():
        measure = agreement.measures.loc[name]
        made += [
            _read(observed.series(measure, area), measure, observed, agreement)
            for area in observed.areas[name]
        ]
    rows = observed.table.take(np.concatenate([one.rows for one in made]))
    of_observations = ["measure", "area", "period", "period_end", "file", "sheet", "row", "column"]
    columns = ("reading", "missing", "note", "numerator", "denominator", "flag", "illustrative")
    result = rows[of_observations].assign(
        observed=rows["value"],
        **{name: [value for one in made for value in getattr(one, name)] for name in columns},
    )
    result = result.astype({"reading": float, "illustrative": bool}).reset_index(drop=True)
    return _with_limits(result, made, agreement.measures)[list(READING_COLUMNS)]


@dataclass
class _Series:
    """One measure in one area, oldest period first: the observations, or what is made of them.

    Plain columns, which small steps work on far quicker than on a small table.
    """

    basis: str
    area: str
    rows: NDArray[np.intp]  # where the observations stand
    period: list[str]
    end: list[date]
    reading: Floats  # of observations their value
    numerator: Floats
    denominator: Floats
    flag: list[str]
    illustrative: list[bool]
    missing: list[str]
    note: list[str]
    # Of a change, what it was made from.
    level: Floats | None = None
    base: float = float("nan")

    def part(self, kept: slice) -> _Series:
        """Some of its periods."""
        columns: dict[str, Any] = {
            name: column[kept]
            for name, column in vars(self).items()
            if isinstance(column, (list, np.ndarray))
        }
        return replace(self, **columns)

    def without(self, why: str) -> _Series:
        """With no reading, for one reason."""
        return replace(self, reading=self.none, missing=[why] * len(self.period))

    @property
    def none(self) -> Floats:
        """A missing figure for each of its periods."""
        return np.full(len(self.period), np.nan)

    @property
    def months(self) -> NDArray[np.datetime64]:
        """The last month of each of its periods."""
        return np.array(self.end, dtype="datetime64[M]")


class _Observed:
    """Observations, found by measure and area."""

    def __init__(self, known: pd.DataFrame) -> None:
        self.table = known.sort_values(["area", "period_end"], ignore_index=True)
        self._rows = self.table.groupby(["measure", "area"], sort=False).indices
        self.areas: dict[str, list[str]] = {}
        for measure, area in sorted(self._rows):
            self.areas.setdefault(measure, []).append(area)
        self._period, self._flag = self.table["period"].tolist(), self.table["flag"].tolist()
        self._end = self.table["period_end"].dt.date.tolist()
        self._illustrative = self.table["illustrative"].tolist()
        self._columns = [
            self.table[name].to_numpy(dtype=float) for name in ("value", "numerator", "denominator")
        ]

    def series(self, measure: pd.Series, area: str, basis: str = "") -> _Series:
        """The observations of one measure in one area, which may be none."""
        rows = self._rows.get((measure.name, area), np.array([], dtype=int))
        value, over, under = (column[rows] for column in self._columns)
        period, end, flag, illustrative = (
            [column[row] for row in rows]
            for column in (self._period, self._end, self._flag, self._illustrative)
        )
        return _Series(
            basis or measure["basis"],
            area,
            rows,
            period,
            end,
            value,
            over,
            under,
            flag,
            illustrative,
            [""] * len(rows),
            [""] * len(rows),
        )


def _read(
    series: _Series, measure: pd.Series, observed: _Observed, agreement: Agreement
) -> _Series:
    """Readings of one measure in one area; `observed` holds what it may be compared with."""
    basis = series.basis
    if basis in ("point", "index"):
        result = series
    elif basis == "cumulative":
        result = _cumulative(series, measure)
    elif basis in ("annual", "year_to_date", "rolling_12m", "change_from_baseline"):
        result = _windows(series, measure)
    elif basis == "mean_of_years":
        result = _mean_of_years(series, measure)
    elif basis in ("ratio_to_comparator", "gap_to_comparator"):
        result = _compared(series, measure, observed, agreement)
    elif basis == "rank":
        result = _ranked(series, measure, observed, agreement)
    else:
        result = _milestone(series)
    for here, end in enumerate(result.end):
        if basis == "annual" and measure["frequency"] == "quarterly" and end.month != 3:
            result.reading[here], result.missing[here] = np.nan, "the year is not complete"
        elif np.isnan(result.reading[here]) and not result.missing[here]:
            result.missing[here] = "suppressed"
    return _changed(result, measure) if basis == "change_from_baseline" else result


#: Bases whose readings are counts or shares themselves.
_COUNTED = {"point", "annual", "year_to_date", "rolling_12m", "cumulative", "change_from_baseline"}


def _with_limits(result: pd.DataFrame, made: list[_Series], measures: pd.DataFrame) -> pd.DataFrame:
    """What chance allows around each reading, of figures that are made of single cases.

    Of a change the level is what is made of cases.
    """
    level = [one.reading if one.level is None else one.level for one in made]
    base = np.repeat([one.base for one in made], [len(one.period) for one in made])
    measure = measures.loc[result["measure"]].set_axis(result.index)
    basis, change = measure["basis"], measure["basis"] == "change_from_baseline"
    cases = measure["made_of"] == "cases"
    counted = cases & basis.isin(_COUNTED)
    # A change is made of counts, whatever they are called.
    unit = measure["unit"].mask(change, "events")
    figures = result[["numerator", "denominator"]].assign(reading=np.concatenate(level))
    limits = reading_intervals(figures[counted], unit[counted]).reindex(result.index)
    why_not = "not worked out: " + basis.where(cases, "not made of single cases")
    result["interval"] = limits["method"].where(counted, why_not)
    for end in ("lower", "upper"):
        result[end] = limits[end].mask(change, change_from(limits[end], base))
    return result


def periods_used(basis: str, frequency: str, end: date) -> int:
    """How many of its periods, the last of them ending on a day, a reading is made from."""
    if frequency != "quarterly":
        return 1
    return quarter_number(end.month) if basis == "year_to_date" else 4


def added_up(
    values: Floats, numerators: Floats, denominators: Floats, unit: str
) -> tuple[Floats, str]:
    """Several periods' figures as one: their sum, or for rates that of all their cases."""
    factor = rate_factor(unit)
    if values.shape[-1] == 1:
        return values[..., 0], ""
    missing = np.full(values.shape[:-1], np.nan)
    if factor is None and unit in NOT_SUMMED:
        return missing, f"figures in {unit} cannot be added up"
    if factor is None:
        return np.asarray(values.sum(axis=-1)), ""
    if np.isnan(denominators).any():
        return missing, "needs numerators and denominators of every period"
    return np.asarray(factor * numerators.sum(axis=-1) / denominators.sum(axis=-1)), ""


def change_from(level: Any, base: float | Floats) -> Any:
    """Percentage change of a level from its base; numbers or arrays."""
    # Written so that the difference, often exact, comes before the division.
    return 100 * (level - base) / base


def _first_used(months: NDArray[np.datetime64], here: int, periods: int) -> int:
    """Where the first of several quarters stands that end with the one that stands `here`."""
    return int(np.searchsorted(months, months[here] - 3 * (periods - 1)))


def _windows(series: _Series, measure: pd.Series) -> _Series:
    """Sum (or pooled rate) of the quarters that each reading is made from."""
    # What a change is measured in counts; only the change itself is a percentage.
    unit = "" if series.basis == "change_from_baseline" else measure["unit"]
    pooled, frequency = rate_factor(unit) is not None, measure["frequency"]
    over, under, months = series.numerator, series.denominator, series.months
    result = replace(
        series,
        reading=series.none,
        numerator=over.copy(),
        denominator=under.copy(),
        flag=[],
        illustrative=[],
        missing=[],
    )
    for here, end in enumerate(series.end):
        wanted = periods_used(series.basis, frequency, end)
        begin = _first_used(months, here, wanted)
        window = slice(begin, here + 1)
        result.flag.append(weakest(series.flag[window]))
        result.illustrative.append(any(series.illustrative[window]))
        if here + 1 - begin < wanted:
            result.missing.append(f"needs {wanted} quarters, has {here + 1 - begin}")
            continue
        made, why_not = added_up(series.reading[window], over[window], under[window], unit)
        result.reading[here] = float(made)
        result.missing.append(why_not)
        if pooled and wanted > 1 and not why_not:
            result.numerator[here] = over[window].sum()
            result.denominator[here] = under[window].sum()
    return result


def _mean_of_years(series: _Series, measure: pd.Series) -> _Series:
    """Mean (or pooled rate) of the last years, each of them complete."""
    unit, kind = measure["unit"], KIND_OF_FREQUENCY[measure["frequency"]]
    years = years_averaged(measure)
    at = {period: here for here, period in enumerate(series.period)}
    over, under = series.numerator, series.denominator
    result = replace(
        series,
        reading=series.none,
        numerator=over.copy(),
        denominator=under.copy(),
        flag=[],
        illustrative=[],
        missing=[],
    )
    for here, label in enumerate(series.period):
        span = _years_to(parse_period(label, kind), years)
        window = [at[one.label] for year in span for one in year if one.label in at]
        result.flag.append(weakest(series.flag[row] for row in [here, *window]))
        result.illustrative.append(any(series.illustrative[row] for row in [here, *window]))
        known = {series.period[row] for row in window if not np.isnan(series.reading[row])}
        lacking = [
            _year_label(year) for year in span if not known.issuperset(p.label for p in year)
        ]
        why_not = ""
        if not span:
            why_not = "the year is not complete"
        elif lacking:
            why_not = f"needs {years} complete years, lacks {', '.join(lacking)}"
        else:
            made, why_not = added_up(series.reading[window], over[window], under[window], unit)
            whole = float(made) if rate_factor(unit) is not None else float(made) / years
            result.reading[here] = whole
            result.numerator[here] = over[window].sum()
            result.denominator[here] = under[window].sum()
        result.missing.append(why_not)
    return result


def years_averaged(measure: pd.Series) -> int:
    """Over how many years a measure of the basis ``mean_of_years`` is averaged.

    As many as its baseline's period, 5 for ``1994-98``; 3 where that is no mean of years.
    """
    baseline = measure_period(measure, "baseline_period")
    if baseline is None or baseline.kind != "mean_of_years":
        return 3
    return baseline.end.year - baseline.start.year + 1


def _years_to(period: Period, years: int) -> list[list[Period]]:
    """The periods of each of the last years up to one, oldest first; none if it ends no year."""
    if period.kind != "quarter":
        return [[period.years_before(back)] for back in reversed(range(years))]
    if period.end.month != 3:
        return []
    first = period.end.year - 1
    return [[quarter(first - back, n) for n in range(1, 5)] for back in reversed(range(years))]


def _year_label(periods: list[Period]) -> str:
    """The year that these periods make."""
    one = periods[-1]
    return (
        period_containing(one.end, "financial_year").label if one.kind == "quarter" else one.label
    )


def _compared(
    series: _Series, measure: pd.Series, observed: _Observed, agreement: Agreement
) -> _Series:
    """The observation as a percentage of the comparator, or what the comparator is above it."""
    comparator = measure["compared_with"]
    result = replace(series, reading=series.none)
    if comparator is None:
        return result.without("the comparator is not stated")
    if comparator.kind == "area" and comparator.name == series.area:
        return result.without("this is the comparator itself")
    other = _comparator_readings(comparator, measure, series.area, observed, agreement)
    at = {period: there for there, period in enumerate(other.period)}
    name = comparator.name
    for here, period in enumerate(series.period):
        if period not in at:
            result.missing[here] = f"no figure of {name} for {period}"
            continue
        there, own = at[period], series.reading[here]
        compared = other.reading[there]
        result.flag[here] = weakest([series.flag[here], other.flag[there]])
        result.illustrative[here] |= other.illustrative[there]
        if np.isnan(compared):
            result.missing[here] = f"no figure of {name} for {period}: {other.missing[there]}"
        elif np.isnan(own):
            continue
        elif series.basis == "gap_to_comparator":
            result.reading[here] = float(_as_written(compared) - _as_written(own))
        elif compared == 0:
            result.missing[here] = f"the figure of {name} for {period} is 0"
        else:
            result.reading[here] = float(100 * _as_written(own) / _as_written(compared))
    return result


def _as_written(value: float) -> Fraction:
    """A figure as its shortest decimals say, so that 74.1 less 47.9 is 26.2 and no less."""
    return Fraction(str(float(value)))


def _comparator_readings(
    comparator: Comparator, measure: pd.Series, area: str, observed: _Observed, agreement: Agreement
) -> _Series:
    """What is compared with, by period: another measure's readings, or another area's figures."""
    if comparator.kind == "measure":
        measure = agreement.measures.loc[comparator.name]
        return _read(observed.series(measure, area), measure, observed, agreement)
    # The same thing of another area, as it was observed.
    return _read(observed.series(measure, comparator.name, "point"), measure, observed, agreement)


def _ranked(
    series: _Series, measure: pd.Series, observed: _Observed, agreement: Agreement
) -> _Series:
    """The agreement's place among the family, 1 for the best; equals share the better place."""
    comparator, area = measure["compared_with"], agreement.settings.agreement.area
    result = replace(series, reading=series.none)
    if comparator is None:
        return result.without("the comparator is not stated")
    if series.area != area:
        return result.without(f"only {area} is ranked")
    family = family_areas(agreement, comparator.name)
    given: dict[str, list[tuple[float, str, bool]]] = {}
    for one in {name: observed.series(measure, name) for name in family}.values():
        for row in zip(one.period, one.reading, one.flag, one.illustrative, strict=True):
            if not np.isnan(row[1]):
                given.setdefault(row[0], []).append(row[1:])
    for here, (period, own) in enumerate(zip(series.period, series.reading, strict=True)):
        if np.isnan(own):
            continue
        figures, flags, illustrative = zip(*given[period], strict=True)
        result.flag[here] = weakest(flags)
        result.illustrative[here] = any(illustrative)
        there = f"{len(figures)} of the {len(family)} areas of the family"
        if 2 * len(figures) < len(family):
            result.missing[here] = f"only {there} gave a figure, fewer than half"
            continue
        result.reading[here] = place(own, pd.Series(figures), comparator.highest_first)
        result.note[here] = f"ranked among {there}"
    return result


def place(own: float, figures: pd.Series, highest_first: bool) -> int:
    """The place of one figure among others, 1 for the best; equals share the better place."""
    better = figures > own if highest_first else figures < own
    return 1 + int(better.sum())


def _milestone(series: _Series) -> _Series:
    """1 or 0 as observed; what was done once and is not any more is a contradiction."""
    result, done = replace(series, reading=series.none), ""
    for here, value in enumerate(series.reading):
        if value == 0 and done:
            result.missing[here] = f"found 0 (not done), where {done} says 1 (done)"
        elif value in (0, 1):
            result.reading[here] = value
            done = done or (series.period[here] if value == 1 else "")
        elif not np.isnan(value):
            result.missing[here] = f"found {value:.10g}, expected 1 (done) or 0 (not done)"
    return result


def _cumulative(series: _Series, measure: pd.Series) -> _Series:
    """Count up from the baseline; a gap ends the count."""
    baseline = measure_period(measure, "baseline_period")
    if baseline is None:
        return series.without("the baseline's period is not stated")
    flows = series.part(slice(bisect_right(series.end, baseline.end), None))
    quarterly = measure["frequency"] == "quarterly"

    def number(day: date) -> int:
        return day.year * 4 + (day.month - 1) // 3 if quarterly else day.year

    result = replace(flows, reading=measure["baseline"] + np.cumsum(flows.reading))
    for here, end in enumerate(flows.end):
        result.flag[here] = weakest(flows.flag[: here + 1])
        result.illustrative[here] = any(flows.illustrative[: here + 1])
        if here + 1 < number(end) - number(baseline.end):
            result.reading[here] = np.nan
            result.missing[here] = "a period between the baseline and this one is missing"
    return result


def _changed(result: _Series, measure: pd.Series) -> _Series:
    """Percentage change from the base, which is stated or read off the baseline period."""
    base = measure["base"]
    if pd.isna(base):
        baseline = measure_period(measure, "baseline_period")
        own = [
            here
            for here, end in enumerate(result.end)
            if baseline and end == baseline.end and not np.isnan(result.reading[here])
        ]
        base = result.reading[own[0]] if own else float("nan")
        # Every change rests on the baseline's own figures, so it is as weak as they are.
        if own:
            result.illustrative = [
                one or result.illustrative[own[0]] for one in result.illustrative
            ]
            result.flag = [weakest([one, result.flag[own[0]]]) for one in result.flag]
    if pd.isna(base) or base == 0:
        found = "no figure" if pd.isna(base) else "a figure of 0"
        for here, level in enumerate(result.reading):
            if not np.isnan(level):
                result.missing[here] = f"{found} for the baseline period"
        base = float("nan")
    changes = change_from(result.reading, base)
    return replace(result, reading=changes, level=result.reading, base=float(base))


def with_compared(measures: Iterable[str], agreement: Agreement) -> set[str]:
    """Some measures, and those that their readings are compared with."""
    names = set(measures)
    comparators = agreement.measures.loc[list(names), "compared_with"].dropna()
    return names | {comparator.name for comparator in comparators}


def weakest(flags: Iterable[str]) -> str:
    """The weakest of several flags; a reading is as weak as the weakest figure in it."""
    return max(flags, key=_FLAG_ORDER.index)


def observations_used(
    known: pd.DataFrame, agreement: Agreement, measure: str, area: str, period: str
) -> pd.DataFrame:
    """The observations that one reading was made from."""
    row = agreement.measures.loc[measure]
    series = known[(known["measure"] == measure) & (known["area"] == area)]
    series = series.sort_values("period_end")
    own = series[series["period"] == period]
    if own.empty:
        return series.head(0).assign(part="")
    end = own["period_end"].iloc[0]
    basis, frequency = row["basis"], row["frequency"]
    if basis in ("ratio_to_comparator", "gap_to_comparator", "rank"):
        other = _compared_with(known, agreement, row, area, period)
        return pd.concat([own.assign(part="reading"), other.assign(part="comparator")])
    if basis == "mean_of_years":
        last = parse_period(period, KIND_OF_FREQUENCY[frequency])
        labels = [one.label for year in _years_to(last, years_averaged(row)) for one in year]
        return series[series["period"].isin(labels)].assign(part="reading")
    if basis == "cumulative":
        baseline = measure_period(row, "baseline_period")
        start = pd.Timestamp(baseline.end) if baseline else pd.Timestamp.min
        used = series[(series["period_end"] > start) & (series["period_end"] <= end)]
        return used.assign(part="reading")
    if basis in ("annual", "year_to_date", "rolling_12m", "change_from_baseline"):
        used = _used_to(series, end, basis, frequency)
    else:
        used = own
    used = used.assign(part="reading")
    baseline = measure_period(row, "baseline_period")
    if basis != "change_from_baseline" or pd.notna(row["base"]) or baseline is None:
        return used
    at = pd.Timestamp(baseline.end)
    if not (series["period_end"] == at).any():
        return used
    return pd.concat([_used_to(series, at, basis, frequency).assign(part="base"), used])


def _used_to(series: pd.DataFrame, end: pd.Timestamp, basis: str, frequency: str) -> pd.DataFrame:
    """The rows of one measure and area that the reading of a period of theirs is made from."""
    here = int(series["period_end"].searchsorted(end))
    months = series["period_end"].to_numpy().astype("datetime64[M]")
    first = _first_used(months, here, periods_used(basis, frequency, end))
    return series.iloc[first : here + 1]


def _compared_with(
    known: pd.DataFrame, agreement: Agreement, measure: pd.Series, area: str, period: str
) -> pd.DataFrame:
    """The observations behind the comparator of one reading."""
    comparator, name = measure["compared_with"], measure.name
    if comparator is None:
        return known.head(0)
    if comparator.kind == "measure":
        return observations_used(known, agreement, comparator.name, area, period)
    areas = (
        [comparator.name] if comparator.kind == "area" else family_areas(agreement, comparator.name)
    )
    there = (known["measure"] == name) & (known["period"] == period) & known["value"].notna()
    return known[there & known["area"].isin([one for one in areas if one != area])]


@dataclass(frozen=True)
class SameStage:
    """Where earlier years stood at the same quarter of the year.

    Attributes
    ----------
    year_before : float
        The year-to-date reading of the same quarter a year before; missing if there is none.
    share : float
        The share of the whole year (0 to 1) that had been reached at that quarter, as the mean
        over `years`; missing if there is no such year, or for a rate, which does not fill up.
    years : tuple of str
        The complete earlier financial years, oldest first.
    """

    year_before: float
    share: float
    years: tuple[str, ...]


def same_stage(made: pd.DataFrame, period: Period, unit: str) -> SameStage:
    """Compare a year-to-date reading with the same stage of earlier years."""
    if period.kind != "quarter":
        raise ValueError(f"'{period}' is not a quarter, so it is no stage of a year")
    known = made[made["reading"].notna()]
    at = dict(zip(known["period"], known["reading"], strict=True))
    shares: dict[str, float] = {}
    for one in sorted(parse_period(label, "quarter") for label in at):
        if one < period and one.label[-1] == period.label[-1]:
            year = period_containing(one.end, "financial_year")
            whole = at.get(period_containing(year.end, "quarter").label)
            # Of a year without anything no share was reached at any stage.
            if whole:
                shares[year.label] = at[one.label] / whole
    adds_up = rate_factor(unit) is None and unit not in NOT_SUMMED
    share = sum(shares.values()) / len(shares) if shares and adds_up else float("nan")
    year_before = at.get(period.years_before(1).label, float("nan"))
    return SameStage(float(year_before), float(share), tuple(shares))


def splice(old: pd.Series, new: pd.Series) -> tuple[pd.Series, str]:
    """Join two series of one thing across a change of definition, where they overlap."""
    both = [period for period in old.index if period in new.index]
    if not both:
        raise ValueError("the two definitions have no period in common, so they cannot be joined")
    shift = float((new[both] - old[both]).mean())
    before = old[[period for period in old.index if period not in new.index]]
    method = (
        f"The older definition is moved by {shift:+.4g}, the mean difference of the two in "
        f"{', '.join(both)}."
    )
    return pd.concat([before + shift, new]), method
