"""Trajectories: the planned path from the baseline to the target, and the grant's trigger.

Each measure's ``profile`` says how its path runs. With *u* the share of the months between
baseline and due period that have passed, *b* the baseline and *t* the target:

=================  ================================================================
profile            planned path
=================  ================================================================
linear, or empty   b + u (t - b): equal steps
constant rate      b (t / b)^u: equal percentage steps
front-loaded       b + (1 - (1 - u)^2) (t - b): most of the improvement early
back-loaded        b + u^2 (t - b): most of the improvement late
steps              each point of trajectories.csv holds until the next
given              straight lines between the points; may fall first and rise later
seasonal           equal steps from year to year, spread over the quarters of each as
                   the measure's own years before the agreement ran
=================  ================================================================

Time is counted in whole months, so that equal quarters are equal steps. A baseline that is a mean
of years stands at the end of the middle one, where a reading of that year stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.periods import Period, quarter_number
from psa_analysis.register.agreement import PROFILES_WITH_POINTS, Agreement, measure_period

Floats = NDArray[np.float64]

#: Share of the improvement planned by a share of the time, and the other way round.
_SHAPES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "": (lambda u: u, lambda s: s),
    "linear": (lambda u: u, lambda s: s),
    "front-loaded": (lambda u: 1 - (1 - u) ** 2, lambda s: 1 - np.sqrt(1 - s)),
    "back-loaded": (lambda u: u**2, np.sqrt),
}

#: After this long a deciding reading that has not come is no longer only late.
GRACE = timedelta(days=190)

#: Two figures nearer than this share of the planned improvement are the same.
_NEAR = 1e-9


def exact(value: float) -> Fraction:
    """The simple fraction that a float stands for, so that ties are decided exactly.

    A float holds 106.9, or 100 x (7320 - 9150) / 9150, only to the nearest of its binary
    neighbours. Fractions with denominators up to a million lie further apart than that, so the
    nearest of them is the figure that was meant.
    """
    return Fraction(value).limit_denominator(1_000_000)


def trigger_value(measure: pd.Series, share: float) -> float:
    """The value at which the grant begins: without + share x (target - without)."""
    if pd.isna(measure["without"]) or pd.isna(measure["target"]):
        return float("nan")
    without, target = exact(measure["without"]), exact(measure["target"])
    return float(without + exact(share) * (target - without))


def planned_path(measure: pd.Series, ends: pd.Series) -> pd.Series:
    """The path from the baseline to the target, by the measure's profile."""
    return _path_to(measure, measure["target"], ends)


def trigger_path(measure: pd.Series, ends: pd.Series, share: float) -> pd.Series:
    """The path from the baseline to the value at which the grant begins, by the same profile."""
    return _path_to(measure, trigger_value(measure, share), ends)


def _path_to(measure: pd.Series, goal: float, ends: pd.Series) -> pd.Series:
    baseline, profile = measure["baseline"], measure["profile"]
    # A goal across zero cannot be reached in equal percentage steps.
    across = profile == "constant rate" and not baseline * goal > 0
    if pd.isna(baseline) or pd.isna(goal) or across:
        return pd.Series(np.nan, index=ends.index)
    start, length = _span(measure)
    passed = _months_of(ends) - start
    if profile in PROFILES_WITH_POINTS:
        at, levels = _knots(measure, goal)
        if profile == "given":
            return pd.Series(np.interp(passed, at, levels), index=ends.index)
        held = np.searchsorted(at, passed, side="right").clip(1) - 1
        return pd.Series(levels[held], index=ends.index)
    if profile == "seasonal":
        return _seasonal(measure, goal, ends)
    share = (passed / length).clip(0, 1)
    if measure["basis"] == "milestone":
        share = np.floor(share)  # not done until it is due
    if profile == "constant rate":
        path = baseline * (goal / baseline) ** share
    else:
        path = baseline + _SHAPES[profile][0](share) * (goal - baseline)
    return pd.Series(path, index=ends.index)


def _months_of(ends: pd.Series) -> NDArray[np.int64]:
    """The month of each day, counted as :func:`_months` does."""
    since_1970 = ends.to_numpy().astype("datetime64[M]").astype(np.int64)
    return since_1970 + 12 * 1970 + 1


def _seasonal(measure: pd.Series, goal: float, ends: pd.Series) -> pd.Series:
    """A path in equal steps, with each quarter as high as it usually stands in its year."""
    factors = measure["seasons"]
    if not factors:
        return pd.Series(np.nan, index=ends.index)
    start, length = _span(measure)
    quarters = quarter_number(ends.dt.month) - 1
    months = ends.dt.year * 12 + ends.dt.month
    if measure["basis"] == "year_to_date":
        # Where the year will have come to, and what part of a year is usually done by then.
        months = months + 3 * (3 - quarters)
        usual = quarters.map(lambda number: sum(factors[: number + 1]) / 4)
    else:
        # The baseline and the target are figures of the quarter that is due.
        due = quarter_number(due_period(measure).end.month) - 1
        usual = quarters.map(lambda number: factors[number] / factors[due])
    share = ((months - start) / length).clip(0, 1)
    return usual * (measure["baseline"] + share * (goal - measure["baseline"]))


def baseline_path(measure: pd.Series, ends: pd.Series) -> pd.Series:
    """Where the baseline would stand: the baseline itself, but for a path with seasons."""
    if measure["profile"] == "seasonal":
        return _path_to(measure, measure["baseline"], ends)
    return pd.Series(measure["baseline"], index=ends.index)


def _knots(measure: pd.Series, goal: float) -> tuple[Floats, Floats]:
    """Months from the start and levels that a path of points runs through, ends included."""
    baseline, points = measure["baseline"], measure["points"]
    start, length = _span(measure)
    scale = (goal - baseline) / (measure["target"] - baseline) if goal != measure["target"] else 1
    at = [_months(day) - start for day, _ in points]
    # Unscaled, a level stays the very figure that the document prints.
    levels = [level if scale == 1 else baseline + (level - baseline) * scale for _, level in points]
    return (
        np.array([0, *at, length], dtype=float),
        np.array([baseline, *levels, goal], dtype=float),
    )


def gap_months(measure: pd.Series, end: date, reading: float) -> tuple[float, str]:
    """How many months a reading is ahead of the planned path, or behind it.

    Notes
    -----
    Better and worse are the polarity's. Where a ``given`` path falls first and rises later it
    takes a value more than once; looking only forward from a better reading and only back from a
    worse one gives the months the sign of the gap.
    """
    if pd.isna(measure["baseline"]) or pd.isna(measure["target"]):
        return float("nan"), "there is no path: the baseline or the target is not stated"
    if measure["profile"] == "seasonal":
        return float("nan"), "a path with seasons goes up and down within each year"
    now = _months(end) - _span(measure)[0]
    if now < 0:
        return float("nan"), "the path has not begun"
    near = _NEAR * abs(measure["target"] - measure["baseline"])
    planned = planned_path(measure, pd.Series([pd.Timestamp(end)])).iloc[0]
    if abs(reading - planned) <= near:
        return 0.0, ""
    moments = _moments(measure, reading, near)
    if _better(measure) * (reading - planned) > 0:
        later = [moment - now for moment in moments if moment >= now]
        if later:
            return min(later), ""
        return float("nan"), "the path does not take this value by the due period"
    earlier = [moment - now for moment in moments if moment <= now]
    if earlier:
        return max(earlier), ""
    return float("nan"), "the path has not taken this value so far"


def _moments(measure: pd.Series, value: float, near: float) -> list[float]:
    """Months from the start at which the path takes a value; both ends of a flat stretch."""
    baseline, target, profile = measure["baseline"], measure["target"], measure["profile"]
    if profile not in PROFILES_WITH_POINTS:
        share = (value - baseline) / (target - baseline)
        if not -_NEAR <= share <= 1 + _NEAR:
            return []
        share = np.clip(share, 0, 1)
        if profile == "constant rate":
            passed = np.log1p(share * (target - baseline) / baseline) / np.log(target / baseline)
        else:
            passed = _SHAPES[profile][1](share)
        # Logarithms may round past the end.
        return [float(np.clip(passed, 0, 1)) * _span(measure)[1]]
    at, levels = _knots(measure, target)
    moments: list[float] = []
    for month, until, level, reached in zip(at, at[1:], levels, levels[1:], strict=False):
        last = level if profile == "steps" else reached
        moments += [month] if abs(value - level) <= near else []
        moments += [until] if abs(value - last) <= near else []
        if min(level, last) < value < max(level, last):
            moments.append(month + (value - level) / (last - level) * (until - month))
    return [*moments, at[-1]] if abs(value - target) <= near else moments


@dataclass(frozen=True)
class Required:
    """What is still to be done, and whether it has been done before.

    Attributes
    ----------
    per_period : float
        Change per period from the latest reading to the target at its due period, in the
        measure's unit; 0 where the target is reached, missing where there is none or it is due.
    periods : float
        Periods left; missing with `per_period`.
    best : float
        The best change over as many periods in the measure's own readings; missing where no two
        of them lie so far apart, or nothing is left to do.
    done_before : str or None
        The period in which the best change was complete, if it was at least what is required.
    """

    per_period: float
    periods: float
    best: float
    done_before: str | None


def required_change(measure: pd.Series, history: pd.DataFrame) -> Required:
    """The run-rate from the latest reading to the target, against the measure's own history."""
    missing = float("nan")
    if pd.isna(measure["target"]) or history.empty:
        return Required(missing, missing, missing, None)
    months = [_months(end) for end in history["period_end"]]
    span = _months(due_period(measure).end) - months[-1]
    if span <= 0:
        return Required(missing, missing, missing, None)
    yearly = measure["frequency"] != "quarterly" or measure["basis"] in ("annual", "year_to_date")
    periods = span / (12 if yearly else 3)
    values = [exact(reading) for reading in history["reading"]]
    to_do = exact(measure["target"]) - values[-1]
    better = _better(measure)
    if better * to_do <= 0:
        return Required(0.0, periods, missing, None)
    at = dict(zip(months, values, strict=True))
    changes = [
        (better * (value - at[month - span]), label)
        for month, value, label in zip(months, values, history["period"], strict=True)
        if month - span in at
    ]
    best, label = max(changes, default=(None, None), key=lambda change: change[0])
    return Required(
        float(to_do) / periods,
        periods,
        missing if best is None else better * float(best),
        label if best is not None and best >= better * to_do else None,
    )


def season_factors(history: pd.DataFrame, before: date) -> tuple[float, ...]:
    """What each quarter usually is of its year's mean, from the complete years of the past.

    Notes
    -----
    Each year counts the same, however large its figures.
    """
    quarters = pd.to_datetime(history["period_end"]).dt.to_period("Q-MAR")
    table = pd.DataFrame(
        {"year": quarters.dt.qyear, "quarter": quarters.dt.quarter, "value": history["value"]}
    ).pivot(index="year", columns="quarter", values="value")
    complete = table.reindex(columns=[1, 2, 3, 4]).dropna()
    complete = complete[[date(int(str(year)), 3, 31) < before for year in complete.index]]
    means = complete.mean(axis=1)
    if len(complete) < 2 or not (means > 0).all():
        return ()
    return tuple(complete.div(means, axis=0).mean())


def due_period(measure: pd.Series) -> Period:
    """The period whose reading decides the measure."""
    return _stated(measure, "due")


def baseline_end(measure: pd.Series) -> date:
    """The day at which the baseline stands on the path."""
    period = _stated(measure, "baseline_period")
    # A reading that is itself a mean of years stands at the end of the last of them.
    if period.kind != "mean_of_years" or measure["basis"] == "mean_of_years":
        return period.end
    return date((period.start.year + period.end.year) // 2, 12, 31)


def _stated(measure: pd.Series, column: str) -> Period:
    period = measure_period(measure, column)
    if period is None:
        raise ValueError(f"{measure.name} has no {column}: it is not stated")
    return period


def _better(measure: pd.Series) -> int:
    return 1 if measure["polarity"] == "higher" else -1


def _span(measure: pd.Series) -> tuple[int, int]:
    """The month in which the path starts, and how many months it takes."""
    start = _months(baseline_end(measure))
    return start, _months(due_period(measure).end) - start


def _months(day: date) -> int:
    return day.year * 12 + day.month


def with_seasons(agreement: Agreement, known: pd.DataFrame) -> Agreement:
    """The agreement, with the seasons of each measure whose planned path has them."""
    settings, measures = agreement.settings.agreement, agreement.measures
    names = measures.index[measures["profile"] == "seasonal"]
    if names.empty:
        return agreement
    begun = settings.begins
    here = known[known["area"] == settings.area]
    seasons = {name: season_factors(here[here["measure"] == name], begun) for name in names}
    filled = [seasons.get(str(name), ()) for name in measures.index]
    return replace(agreement, measures=measures.assign(seasons=filled))
