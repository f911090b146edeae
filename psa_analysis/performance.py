"""Performance: the reading that counts, made from the observations by each measure's basis.

=====================  ==============================================================
basis                  reading
=====================  ==============================================================
point, index           the observation itself
annual                 the financial year: sum of its four quarters
year_to_date           sum of the quarters of the financial year so far
cumulative             the baseline plus all quarters or years after its period
rolling_12m            the last four quarters
change_from_baseline   100 x (level / base - 1), the level being the last four quarters
                       or the year, the base stated or the level of the baseline period
=====================  ==============================================================

Sums of percentages are sums of their numerators over sums of their denominators. A sum that
lacks a quarter gives no reading; the row says what is missing. The other bases of the design
need comparators and are computed as those arrive; until then they give no reading.
"""

from __future__ import annotations

import pandas as pd

from psa_analysis.periods import parse_period
from psa_analysis.register import NOT_STATED, Agreement

#: Columns of the readings, one row per measure, area and period.
READING_COLUMNS = {
    "measure": "the measure",
    "area": "the place",
    "period": "the period's label",
    "period_end": "the period's last day",
    "reading": "the reading that counts, in the measure's unit; missing if it cannot be made",
    "missing": "why there is no reading, else empty",
    "observed": "the observation of the period itself",
    "flag": "the weakest flag among the observations used",
    "illustrative": "True if any observation used is made up",
    "file": "file of the period's own observation",
    "row": "row of the period's own observation",
}

#: From firm to weak; a reading is as weak as the weakest figure in it.
_FLAG_ORDER = ["final", "revised", "estimated", "provisional", "suppressed"]


def readings(known: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Make the reading that counts for every period that was observed.

    Parameters
    ----------
    known : pandas.DataFrame
        Observations with one vintage each (:func:`psa_analysis.cleaning.as_of`).
    agreement : Agreement
        The register that says each measure's basis.

    Returns
    -------
    pandas.DataFrame
        The columns of :data:`READING_COLUMNS`, in order of measure, area and period.
    """
    made = [
        _readings_of_one(series.sort_values("period_end"), agreement.measures.loc[str(measure)])
        for (measure, _), series in known.groupby(["measure", "area"], sort=False)
    ]
    if not made:
        return pd.DataFrame(columns=list(READING_COLUMNS))
    return pd.concat(made, ignore_index=True)[list(READING_COLUMNS)]


def _readings_of_one(series: pd.DataFrame, measure: pd.Series) -> pd.DataFrame:
    """Readings of one measure in one area; `series` is in order of period."""
    basis = measure["basis"]
    result = series[
        ["measure", "area", "period", "period_end", "illustrative", "file", "row"]
    ].copy()
    result["observed"] = series["value"]
    result["missing"], result["flag"] = "", ""
    if basis in ("point", "index"):
        result["reading"] = series["value"]
        result["flag"] = series["flag"]
    elif basis == "cumulative":
        return _cumulative(series, result, measure)
    elif basis in ("annual", "year_to_date", "rolling_12m", "change_from_baseline"):
        first = _first_quarter_used(series, basis, measure["frequency"])
        result["reading"] = _windows(series, first, measure["unit"], result)
    else:
        result["reading"] = float("nan")
        result["flag"] = series["flag"]
        result["missing"] = f"the basis {basis} is not computed"
    result.loc[result["reading"].isna() & (result["missing"] == ""), "missing"] = "suppressed"
    if basis == "change_from_baseline":
        result["reading"] = _change(result, measure)
        result.loc[result["reading"].isna() & (result["missing"] == ""), "missing"] = (
            "no figure for the baseline period"
        )
    return result


def _first_quarter_used(series: pd.DataFrame, basis: str, frequency: str) -> pd.Series:
    """End of the first period that goes into each reading."""
    ends = series["period_end"]
    if frequency != "quarterly":
        return ends
    if basis == "year_to_date":
        financial_year = ends.dt.to_period("Q-MAR").dt.qyear
        return pd.to_datetime((financial_year - 1).astype(str) + "-06-30")
    return ends - pd.offsets.QuarterEnd(3)


def _windows(series: pd.DataFrame, first: pd.Series, unit: str, result: pd.DataFrame) -> pd.Series:
    """Sum (or pooled percentage) of each window; fills in flag, illustrative and missing."""
    totals: list[float] = []
    rate = unit in ("percent", "index") or unit.startswith("per ")
    for index, start in first.items():
        end = series.at[index, "period_end"]
        window = series[(series["period_end"] >= start) & (series["period_end"] <= end)]
        quarters = (end.year - start.year) * 4 + (end.quarter - start.quarter) + 1
        result.at[index, "flag"] = _weakest(window["flag"])
        result.at[index, "illustrative"] = bool(window["illustrative"].any())
        total = float("nan")
        if len(window) < quarters:
            result.at[index, "missing"] = f"needs {quarters} quarters, has {len(window)}"
        elif not rate or quarters == 1:
            total = window["value"].sum(skipna=False)
        elif window["denominator"].isna().any():
            result.at[index, "missing"] = "needs numerators and denominators of every quarter"
        else:
            total = 100 * window["numerator"].sum() / window["denominator"].sum()
        totals.append(total)
    return pd.Series(totals, index=series.index)


def _cumulative(series: pd.DataFrame, result: pd.DataFrame, measure: pd.Series) -> pd.DataFrame:
    """Count up from the baseline; a gap ends the count."""
    if measure["baseline_period"] == NOT_STATED:
        result["reading"], result["flag"] = float("nan"), series["flag"]
        result["missing"] = "the baseline's period is not stated"
        return result
    start = pd.Timestamp(parse_period(measure["baseline_period"]).end)
    counted = series["period_end"] > start
    flows = series["value"].where(counted, 0)
    result["reading"] = measure["baseline"] + flows.cumsum(skipna=False)
    quarterly = measure["frequency"] == "quarterly"
    steps = series["period_end"].dt.to_period("Q" if quarterly else "Y").astype("int64")
    before = pd.Period(start, "Q" if quarterly else "Y").ordinal
    expected = steps - before
    gap = counted & (counted.cumsum() < expected)
    result.loc[gap, "missing"] = "a period between the baseline and this one is missing"
    result.loc[gap | ~counted, "reading"] = float("nan")
    result["flag"] = [_weakest(series["flag"].iloc[: n + 1]) for n in range(len(series))]
    return result[counted]


def _change(result: pd.DataFrame, measure: pd.Series) -> pd.Series:
    """Percentage change from the base, which is stated or read off the baseline period."""
    base = measure["base"]
    if pd.isna(base):
        end = pd.Timestamp(parse_period(measure["baseline_period"]).end)
        at_baseline = result.loc[result["period_end"] == end, "reading"]
        base = at_baseline.iloc[0] if len(at_baseline) else float("nan")
    return 100 * (result["reading"] / base - 1)


def _weakest(flags: pd.Series) -> str:
    return max(flags, key=_FLAG_ORDER.index)
