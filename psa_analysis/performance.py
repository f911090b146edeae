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

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.intervals import reading_intervals
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
    family_areas,
    measure_period,
    rate_factor,
)
from psa_analysis.register.rows import Comparator, parse_comparator

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
    """Make the reading that counts for every period that was observed.

    Parameters
    ----------
    known : pandas.DataFrame
        Observations with one vintage each (:func:`psa_analysis.returns.cleaning.as_of`).
    agreement : Agreement
        The register that says each measure's basis.

    Returns
    -------
    pandas.DataFrame
        The columns of :data:`READING_COLUMNS`, in order of measure, area and period.
    """
    made = []
    for name, rows in known.groupby("measure", sort=False):
        measure = agreement.measures.loc[str(name)]
        # Nothing of other periods goes into these, so all areas are read at once.
        alone = measure["basis"] in ("point", "index")
        areas = [("", rows)] if alone else rows.groupby("area", sort=False)
        made += [_readings_of_one(series, measure, known, agreement) for _, series in areas]
    if not made:
        # Typed, so that an agreement without a return yet can be assessed like any other.
        empty = pd.DataFrame(columns=list(READING_COLUMNS))
        return empty.astype({"period_end": "datetime64[ns]", "reading": float, "observed": float})
    return pd.concat(made, ignore_index=True)[list(READING_COLUMNS)]


def _readings_of_one(
    series: pd.DataFrame, measure: pd.Series, known: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """Readings of one measure in one area; `known` holds what it may be compared with."""
    series = series.sort_values(["area", "period_end"])
    basis = measure["basis"]
    made = [
        "measure",
        "area",
        "period",
        "period_end",
        "illustrative",
        "flag",
        "file",
        "sheet",
        "row",
        "column",
    ]
    result = series[made].copy()
    result["observed"] = series["value"]
    result["missing"] = result["note"] = ""
    result["numerator"], result["denominator"] = series["numerator"], series["denominator"]
    if basis in ("point", "index"):
        result["reading"] = series["value"]
    elif basis == "cumulative":
        result = _cumulative(series, result, measure)
    elif basis in ("annual", "year_to_date", "rolling_12m", "change_from_baseline"):
        first = _first_quarter_used(series, basis, measure["frequency"])
        # What a change is measured in counts; only the change itself is a percentage.
        unit = "" if basis == "change_from_baseline" else measure["unit"]
        result["reading"] = _windows(series, first, unit, result)
    elif basis == "mean_of_years":
        result = _mean_of_years(series, result, measure)
    elif basis in ("ratio_to_comparator", "gap_to_comparator"):
        result = _compared(result, measure, known, agreement)
    elif basis == "rank":
        result = _ranked(result, measure, known, agreement)
    else:
        result = _milestone(result)
    if basis == "annual" and measure["frequency"] == "quarterly":
        in_year = series["period_end"].dt.month != 3
        result.loc[in_year, ["reading", "missing"]] = float("nan"), "the year is not complete"
    lacking = result["reading"].isna()
    if lacking.any():
        result.loc[lacking & (result["missing"] == ""), "missing"] = "suppressed"
    result = _with_limits(result, measure)
    return _change(result, measure) if basis == "change_from_baseline" else result


#: Bases whose readings are counts or shares themselves.
_COUNTED = {
    "point", "annual", "year_to_date", "rolling_12m", "cumulative", "change_from_baseline",
}  # fmt: skip


def _with_limits(result: pd.DataFrame, measure: pd.Series) -> pd.DataFrame:
    """What chance allows around each reading, of figures that are made of single cases."""
    if measure["made_of"] != "cases" or measure["basis"] not in _COUNTED:
        why = "not made of single cases" if measure["made_of"] != "cases" else measure["basis"]
        return result.assign(lower=np.nan, upper=np.nan, interval=f"not worked out: {why}")
    # A change is made of counts, whatever they are called.
    unit = "events" if measure["basis"] == "change_from_baseline" else measure["unit"]
    limits = reading_intervals(result[["reading", "numerator", "denominator"]], unit)
    return result.assign(lower=limits["lower"], upper=limits["upper"], interval=limits["method"])


def periods_used(basis: str, frequency: str, end: date) -> int:
    """How many of its periods, the last of them ending on a day, a reading is made from.

    Parameters
    ----------
    basis : {"annual", "year_to_date", "rolling_12m", "change_from_baseline"}
    frequency : str
        The measure's; anything but quarterly has one period a year.
    end : date
        The reading's last day.
    """
    if frequency != "quarterly":
        return 1
    return quarter_number(end.month) if basis == "year_to_date" else 4


def added_up(
    values: Floats, numerators: Floats, denominators: Floats, unit: str
) -> tuple[Floats, str]:
    """Several periods' figures as one: their sum, or for rates that of all their cases.

    Parameters
    ----------
    values, numerators, denominators : numpy.ndarray
        Shape (..., periods); the last two count for rates only.
    unit : str
        What the values are in; ``""`` for what is counted.

    Returns
    -------
    made : numpy.ndarray
        Shape (...), in the unit; missing where it cannot be made or a value is missing.
    why_not : str
        Why figures of this kind cannot be added up, else empty.
    """
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


def change_from(level: Any, base: float) -> Any:
    """Percentage change of a level, a number or an array, from its base."""
    # Written so that the difference, often exact, comes before the division.
    return 100 * (level - base) / base


def _first_quarter_used(series: pd.DataFrame, basis: str, frequency: str) -> pd.Series:
    """End of the first period that goes into each reading."""
    ends = series["period_end"]
    back = [periods_used(basis, frequency, end) - 1 for end in ends]
    if not any(back):
        return ends
    months = ends.to_numpy().astype("datetime64[M]") - 3 * np.array(back)
    last = (months + 1).astype("datetime64[D]") - 1
    return pd.Series(last.astype("datetime64[ns]"), index=ends.index)


def _windows(series: pd.DataFrame, first: pd.Series, unit: str, result: pd.DataFrame) -> pd.Series:
    """Sum (or pooled rate) of each window; fills in flag, illustrative and missing."""
    pooled = rate_factor(unit) is not None
    ends, starts = series["period_end"].to_numpy(), first.to_numpy()
    begins = np.searchsorted(ends, starts)
    # Whole quarters between the two, both counted.
    wanted = (series["period_end"].dt.year - first.dt.year) * 4 + 1
    wanted += series["period_end"].dt.quarter - first.dt.quarter
    values, over, under = _columns(series)
    flags, illustrative = series["flag"].tolist(), series["illustrative"].to_numpy(dtype=bool)
    totals, missing = np.full(len(series), np.nan), [""] * len(series)
    numerators, denominators = over.copy(), under.copy()
    weak, made_up = list(flags), illustrative.copy()
    for here, (begin, quarters) in enumerate(zip(begins, wanted, strict=True)):
        window = slice(begin, here + 1)
        weak[here], made_up[here] = weakest(flags[window]), illustrative[window].any()
        if here + 1 - begin < quarters:
            missing[here] = f"needs {quarters} quarters, has {here + 1 - begin}"
            continue
        made, missing[here] = added_up(values[window], over[window], under[window], unit)
        totals[here] = float(made)
        if pooled and quarters > 1 and not missing[here]:
            numerators[here], denominators[here] = over[window].sum(), under[window].sum()
    result["flag"], result["illustrative"], result["missing"] = weak, made_up, missing
    result["numerator"], result["denominator"] = numerators, denominators
    return pd.Series(totals, index=series.index)


def _columns(window: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Values, numerators and denominators."""
    table = window[["value", "numerator", "denominator"]].to_numpy(dtype=float)
    return table[:, 0], table[:, 1], table[:, 2]


def _mean_of_years(series: pd.DataFrame, result: pd.DataFrame, measure: pd.Series) -> pd.DataFrame:
    """Mean (or pooled rate) of the last years, each of them complete."""
    unit, kind = measure["unit"], KIND_OF_FREQUENCY[measure["frequency"]]
    years = years_averaged(measure)
    figures = series.set_index("period")
    totals: list[float] = []
    for index, label in result["period"].items():
        span = _years_to(parse_period(label, kind), years)
        window = figures[figures.index.isin([one.label for year in span for one in year])]
        result.at[index, "flag"] = weakest([result.at[index, "flag"], *window["flag"]])
        result.at[index, "illustrative"] |= bool(window["illustrative"].any())
        observed = set(window.index[window["value"].notna()])
        lacking = [
            _year_label(year) for year in span if not observed.issuperset(p.label for p in year)
        ]
        total, missing = float("nan"), ""
        if not span:
            missing = "the year is not complete"
        elif lacking:
            missing = f"needs {years} complete years, lacks {', '.join(lacking)}"
        else:
            made, missing = added_up(*_columns(window), unit)
            total = float(made) if rate_factor(unit) is not None else float(made) / years
            parts = ["numerator", "denominator"]
            result.loc[index, parts] = window[parts].sum(min_count=len(window)).to_numpy()
        totals.append(total)
        result.at[index, "missing"] = missing
    return result.assign(reading=totals)


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
    result: pd.DataFrame, measure: pd.Series, known: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """The observation as a percentage of the comparator, or what the comparator is above it."""
    comparator, area = parse_comparator(measure["comparator"]), result["area"].iloc[0]
    result["reading"] = float("nan")
    if comparator is None:
        return result.assign(missing="the comparator is not stated")
    if comparator.kind == "area" and comparator.name == area:
        return result.assign(missing="this is the comparator itself")
    others = _comparator_readings(comparator, measure, area, known, agreement)
    name = comparator.name
    for index, own in result.iterrows():
        if own["period"] not in others.index:
            result.at[index, "missing"] = f"no figure of {name} for {own['period']}"
            continue
        other = others.loc[own["period"]]
        result.at[index, "flag"] = weakest([own["flag"], other["flag"]])
        result.at[index, "illustrative"] = own["illustrative"] or other["illustrative"]
        if pd.isna(other["reading"]):
            why = f"no figure of {name} for {own['period']}: {other['missing']}"
            result.at[index, "missing"] = why
        elif pd.isna(own["observed"]):
            continue
        elif measure["basis"] == "gap_to_comparator":
            gap = _as_written(other["reading"]) - _as_written(own["observed"])
            result.at[index, "reading"] = float(gap)
        elif other["reading"] == 0:
            result.at[index, "missing"] = f"the figure of {name} for {own['period']} is 0"
        else:
            ratio = 100 * _as_written(own["observed"]) / _as_written(other["reading"])
            result.at[index, "reading"] = float(ratio)
    return result


def _as_written(value: float) -> Fraction:
    """A figure as its shortest decimals say, so that 74.1 less 47.9 is 26.2 and no less."""
    return Fraction(str(float(value)))


def _comparator_readings(
    comparator: Comparator, measure: pd.Series, area: str, known: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """What is compared with, by period: another measure's readings, or another area's figures."""
    if comparator.kind == "measure":
        other = agreement.measures.loc[comparator.name]
    else:
        # The same thing of another area, as it was observed.
        other, area = measure.copy(), comparator.name
        other["basis"] = "point"
    series = known[(known["measure"] == other.name) & (known["area"] == area)]
    if series.empty:
        return pd.DataFrame(columns=list(READING_COLUMNS)).set_index("period")
    return _readings_of_one(series, other, known, agreement).set_index("period")


def _ranked(
    result: pd.DataFrame, measure: pd.Series, known: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """The agreement's place among the family, 1 for the best; equals share the better place."""
    comparator, area = parse_comparator(measure["comparator"]), agreement.settings.agreement.area
    result["reading"] = float("nan")
    if comparator is None:
        return result.assign(missing="the comparator is not stated")
    if result["area"].iloc[0] != area:
        return result.assign(missing=f"only {area} is ranked")
    family = family_areas(agreement, comparator.name)
    mine = (known["measure"] == measure.name) & known["area"].isin(family)
    given = known[mine & known["value"].notna()]
    for index, own in result[result["observed"].notna()].iterrows():
        figures = given[given["period"] == own["period"]]
        result.at[index, "flag"] = weakest(figures["flag"])
        result.at[index, "illustrative"] = bool(figures["illustrative"].any())
        there = f"{len(figures)} of the {len(family)} areas of the family"
        if 2 * len(figures) < len(family):
            result.at[index, "missing"] = f"only {there} gave a figure, fewer than half"
            continue
        result.at[index, "reading"] = place(
            own["observed"], figures["value"], comparator.highest_first
        )
        result.at[index, "note"] = f"ranked among {there}"
    return result


def place(own: float, figures: pd.Series, highest_first: bool) -> int:
    """The place of one figure among others, 1 for the best; equals share the better place.

    Parameters
    ----------
    own : float
        The figure that is ranked; whether it stands among the others makes no difference.
    figures : pandas.Series
        The figures of the family, none missing.
    highest_first : bool
        Whether the highest figure has place 1.
    """
    better = figures > own if highest_first else figures < own
    return 1 + int(better.sum())


def _milestone(result: pd.DataFrame) -> pd.DataFrame:
    """1 or 0 as observed; what was done once and is not any more is a contradiction."""
    result["reading"] = float("nan")
    done = ""
    for index, value in result["observed"].items():
        if value == 0 and done:
            result.at[index, "missing"] = f"found 0 (not done), where {done} says 1 (done)"
        elif value in (0, 1):
            result.at[index, "reading"] = value
            done = done or (result.at[index, "period"] if value == 1 else "")
        elif pd.notna(value):
            result.at[index, "missing"] = f"found {value:.10g}, expected 1 (done) or 0 (not done)"
    return result


def _cumulative(series: pd.DataFrame, result: pd.DataFrame, measure: pd.Series) -> pd.DataFrame:
    """Count up from the baseline; a gap ends the count."""
    baseline = measure_period(measure, "baseline_period")
    if baseline is None:
        return result.assign(reading=float("nan"), missing="the baseline's period is not stated")
    counted = series["period_end"] > pd.Timestamp(baseline.end)
    flows, result = series[counted], result[counted].copy()
    result["reading"] = measure["baseline"] + flows["value"].cumsum(skipna=False)
    quarterly = measure["frequency"] == "quarterly"
    frequency = "Q" if quarterly else "Y"
    steps = flows["period_end"].dt.to_period(frequency).astype("int64")
    expected = steps - pd.Period(pd.Timestamp(baseline.end), frequency).ordinal
    gap = np.arange(1, len(flows) + 1) < expected
    result.loc[gap, "missing"] = "a period between the baseline and this one is missing"
    result.loc[gap, "reading"] = float("nan")
    result["flag"] = [weakest(flows["flag"].iloc[: n + 1]) for n in range(len(flows))]
    result["illustrative"] = flows["illustrative"].cummax()
    return result


def _change(result: pd.DataFrame, measure: pd.Series) -> pd.DataFrame:
    """Percentage change from the base, which is stated or read off the baseline period."""
    base = measure["base"]
    if pd.isna(base):
        baseline = measure_period(measure, "baseline_period")
        own = result["period_end"] == (pd.Timestamp(baseline.end) if baseline else pd.NaT)
        own &= result["reading"].notna()
        base = result.loc[own, "reading"].iloc[0] if own.any() else float("nan")
        # Every change rests on the baseline's own figures, so it is as weak as they are.
        if own.any():
            at_baseline = result[own].iloc[0]
            result["illustrative"] |= bool(at_baseline["illustrative"])
            result["flag"] = [weakest(pair) for pair in zip(
                result["flag"], [at_baseline["flag"]] * len(result), strict=True)]  # fmt: skip
    if pd.isna(base) or base == 0:
        found = "no figure" if pd.isna(base) else "a figure of 0"
        unmade = result["reading"].notna()
        result.loc[unmade, "missing"] = f"{found} for the baseline period"
        result["reading"] = float("nan")
        result["lower"] = result["upper"] = float("nan")
    for column in ("reading", "lower", "upper"):
        result[column] = change_from(result[column], base)
    return result


def with_compared(measures: Iterable[str], agreement: Agreement) -> set[str]:
    """Some measures, and those that their readings are compared with."""
    names = set(measures)
    return names | set(agreement.measures.loc[list(names), "comparator"].map(_compared_name))


def _compared_name(text: str) -> str:
    comparator = parse_comparator(text)
    return comparator.name if comparator else ""


def weakest(flags: Iterable[str]) -> str:
    """The weakest of several flags; a reading is as weak as the weakest figure in it."""
    return max(flags, key=_FLAG_ORDER.index)


def observations_used(
    known: pd.DataFrame, agreement: Agreement, measure: str, area: str, period: str
) -> pd.DataFrame:
    """The observations that one reading was made from.

    Parameters
    ----------
    known : pandas.DataFrame
        Observations with one vintage each, as :func:`readings` was given them.
    agreement : Agreement
        The register that says the measure's basis.
    measure, area, period : str
        Which reading.

    Returns
    -------
    pandas.DataFrame
        Rows of `known`, each part in order of period, with a column ``part``: ``reading``,
        ``base`` for those that make the figure that a change is measured from, or
        ``comparator`` for those of other measures and areas. Empty if there is no such
        observation.
    """
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
        start = _first_quarter_used(own, basis, frequency).iloc[0]
        used = series[(series["period_end"] >= start) & (series["period_end"] <= end)]
    else:
        used = own
    used = used.assign(part="reading")
    baseline = measure_period(row, "baseline_period")
    if basis != "change_from_baseline" or pd.notna(row["base"]) or baseline is None:
        return used
    at = series[series["period_end"] == pd.Timestamp(baseline.end)]
    if at.empty:
        return used
    start = _first_quarter_used(at, basis, frequency).iloc[0]
    base = series[
        (series["period_end"] >= start) & (series["period_end"] <= at["period_end"].iloc[0])
    ]
    return pd.concat([base.assign(part="base"), used])


def _compared_with(
    known: pd.DataFrame, agreement: Agreement, measure: pd.Series, area: str, period: str
) -> pd.DataFrame:
    """The observations behind the comparator of one reading."""
    comparator, name = parse_comparator(measure["comparator"]), measure.name
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
    """Compare a year-to-date reading with the same stage of earlier years.

    Parameters
    ----------
    made : pandas.DataFrame
        Readings of one measure and area with the basis ``year_to_date``, as :func:`readings`
        gives them; at least ``period`` and ``reading``, in any order.
    period : Period
        The quarter that is looked at; only earlier financial years are used.
    unit : str
        The measure's unit.

    Raises
    ------
    ValueError
        If the period is not a quarter.
    """
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
    """Join two series of one thing across a change of definition, where they overlap.

    Parameters
    ----------
    old, new : pandas.Series
        Readings by period's label; both definitions are kept as series of their own.

    Returns
    -------
    spliced : pandas.Series
        The new series, and before it the old one moved by the mean difference of the two over
        the periods that have both.
    method : str
        What was done, in words, to be printed wherever the spliced series is shown.

    Raises
    ------
    ValueError
        If no period has both: then nothing says how the definitions compare.
    """
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
