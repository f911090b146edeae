"""Trajectories: the planned path from the baseline to the target, and the grant's trigger.

Time is counted in whole months, so that equal quarters are equal steps.
"""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.periods import FREQUENCIES, Period, period_containing, place_in_year, steps_to
from psa_analysis.register.agreement import PROFILES_WITH_POINTS, RULES_WITH_PATH, Agreement, Floats

#: After this long a deciding reading that has not come is no longer only late.
GRACE = timedelta(days=190)

#: Figures nearer than this, or than this share of the planned improvement, are the same.
_NEAR = 1e-9


def exact(value: float) -> Fraction:
    """The simple fraction that a float stands for, so that ties are decided exactly."""
    return Fraction(value).limit_denominator(1_000_000)


def trigger_value(measure: pd.Series, share: float) -> float:
    """The value at which the grant begins: without + share x (target - without)."""
    if pd.isna(measure["without"]) or pd.isna(measure["target"]):
        return float("nan")
    without, target = exact(measure["without"]), exact(measure["target"])
    return float(without + exact(share) * (target - without))


def paid_of_draws(outturns: Floats, without: float, target: float, trigger: float) -> Floats:
    """The proportion of the reward that each drawn outturn pays."""
    reached = (outturns - without) / (target - without)
    return np.where(reached >= trigger - _NEAR, np.minimum(reached, 1), 0.0)


def planned_path(measure: pd.Series, ends: pd.Series, goal: float | None = None) -> pd.Series:
    """The path from the baseline to the target, or another goal, by the measure's profile."""
    goal = measure["target"] if goal is None else goal
    if pd.isna(measure["baseline"]) or pd.isna(goal) or measure["rule"] not in RULES_WITH_PATH:
        return pd.Series(np.nan, index=ends.index)
    if measure["profile"] == "seasonal":
        return _seasonal_path(measure, goal, ends)
    months, levels = _path_points(measure, goal)
    passed = steps_to(ends.dt, 12) - steps_to(baseline_end(measure), 12)
    if measure["profile"] not in PROFILES_WITH_POINTS:
        share = (passed / months[-1]).clip(0, 1)
        if measure["basis"] == "milestone":
            share = np.floor(share)  # not done until it is due
        return measure["baseline"] + share * (goal - measure["baseline"])
    if measure["profile"] == "steps":
        latest = np.searchsorted(months, passed, side="right").clip(1) - 1
        return pd.Series(levels[latest], index=ends.index)
    return pd.Series(np.interp(passed, months, levels), index=ends.index)


def short_of(value: float, row: pd.Series | dict[str, Any], level: float) -> Fraction:
    """How far a value is from a level, or its row's range; 0 or less if reached, exactly."""
    short = exact(level) - exact(value)
    if pd.notna(row["target_to"]):
        return max(short, exact(value) - exact(row["target_to"]))
    return short if row["polarity"] == "higher" else -short


def judging(measure: pd.Series, ends: pd.Series, until: date) -> pd.Series:
    """The measure with the first of its yearly targets that is not passed, or an overdue one."""
    points = measure["points"]
    overdue = [day for day, _ in points if day + GRACE < until]
    begin = max([*ends.dt.date, *overdue], default=date.min)
    for number, (day, target) in enumerate(points):
        if day >= begin:
            at = period_at(measure, day)
            cells = {"target": target, "due": at.label, "due_at": at, "points": points[:number]}
            return pd.Series({**measure, **cells}, name=measure.name)
    return measure


def _path_points(measure: pd.Series, goal: float) -> tuple[Floats, Floats]:
    """Months from the baseline, and levels, that a path runs through up to the goal."""
    baseline, target = measure["baseline"], measure["target"]
    points = measure["points"] if measure["profile"] in PROFILES_WITH_POINTS else ()
    start, due = baseline_end(measure), measure["due_at"].end
    months = np.array([steps_to(day, 12) for day in (start, *(day for day, _ in points), due)])
    levels = np.array([level for _, level in points])
    # Unscaled, a level stays the very figure that the document prints.
    if goal != target:
        levels = baseline + (levels - baseline) * (goal - baseline) / (target - baseline)
    return months - months[0], np.array([baseline, *levels, goal], dtype=float)


def _seasonal_path(measure: pd.Series, goal: float, ends: pd.Series) -> pd.Series:
    """A path in equal steps, with each quarter, say, as high as it usually stands in its year."""
    factors, frequency = measure["seasons"], FREQUENCIES[measure["frequency"]]
    if not factors:
        return pd.Series(np.nan, index=ends.index)
    places, months = place_in_year(ends.dt.month, frequency.kind), steps_to(ends.dt, 12)
    due, start = measure["due_at"].end, steps_to(baseline_end(measure), 12)
    if measure["basis"] == "year_to_date":
        # Where the year will have come to, and what part of a year is usually done by then.
        months = months + 12 * (frequency.per_year - places) // frequency.per_year
        usual = places.map(lambda number: sum(factors[:number]) / frequency.per_year)
    else:
        # The baseline and the target are figures of the quarter, say, that is due.
        due_factor = factors[place_in_year(due.month, frequency.kind) - 1]
        usual = places.map(lambda number: factors[number - 1] / due_factor)
    share = ((months - start) / (steps_to(due, 12) - start)).clip(0, 1)
    return usual * (measure["baseline"] + share * (goal - measure["baseline"]))


def gap_months(measure: pd.Series, end: date, reading: float) -> float:
    """By how many months a reading is ahead of its path (behind: below 0); missing if unknown."""
    planned = planned_path(measure, pd.Series([pd.Timestamp(end)])).iloc[0]
    # A path with seasons goes up and down, so that no month of it can be told from a value.
    if pd.isna(planned) or measure["profile"] == "seasonal":
        return float("nan")
    if (now := steps_to(end, 12) - steps_to(baseline_end(measure), 12)) < 0:
        return float("nan")
    near = _NEAR * abs(measure["target"] - measure["baseline"])
    if abs(reading - planned) <= near:
        return 0.0
    months, levels = _path_points(measure, measure["target"])
    start, last = levels[:-1], levels[:-1] if measure["profile"] == "steps" else levels[1:]
    on = np.flatnonzero((np.minimum(start, last) < reading) & (reading < np.maximum(start, last)))
    between = months[on] + (reading - start[on]) / (last - start)[on] * np.diff(months)[on]
    # Both ends of a flat stretch.
    ends = [months[:-1][abs(reading - start) <= near], months[1:][abs(reading - last) <= near]]
    due = months[-1:][abs(reading - levels[-1:]) <= near]
    gaps = np.concatenate([between, *ends, due]) - now
    # Of all times at which the path has this value, those to come if it is better than planned.
    ahead = (reading > planned) == (measure["polarity"] == "higher")
    gaps = gaps[gaps >= 0] if ahead else gaps[gaps <= 0]
    # Where a step is due on this very day, a reading before it is behind, but by no time.
    nearest = float(min(gaps, key=abs, default=0))
    return nearest if nearest else float("nan")


def required_change(measure: pd.Series, history: pd.DataFrame) -> tuple[float, str | None]:
    """The change in each period that leads to the target, and up to when as much was ever done."""
    if pd.isna(measure["target"]) or history.empty or measure["rule"] in ("standard", "range"):
        return float("nan"), None
    months = steps_to(history["period_end"].dt, 12)
    if (left := steps_to(measure["due_at"].end, 12) - months.iloc[-1]) <= 0:
        return float("nan"), None
    readings = history["reading"].set_axis(months)
    better = 1 if measure["polarity"] == "higher" else -1
    # As the figures are written: 63 less 55.4 is 7.6.
    to_do = float(exact(measure["target"]) - exact(readings.iloc[-1]))
    if better * to_do <= _NEAR:
        return 0.0, None
    yearly = measure["basis"] in ("annual", "year_to_date")
    per_year = 1 if yearly else FREQUENCIES[measure["frequency"]].per_year
    per_period = to_do / (left * per_year / 12)
    changes = better * (readings.to_numpy() - readings.reindex(months - left).to_numpy())
    if np.isnan(changes).all():
        return per_period, None
    if (best := np.nanmax(changes)) < better * to_do - _NEAR:
        return per_period, "never"
    return per_period, history["period"].iloc[int(np.argmax(changes >= best - _NEAR))]


def season_factors(history: pd.DataFrame, frequency: str, before: date) -> tuple[float, ...]:
    """What each quarter, say, usually is of its year's mean; each complete year counts the same."""
    history = history[history["period_end"] < pd.Timestamp(before)]
    of, ends = FREQUENCIES[frequency], history["period_end"]
    # Counted in years that end in December.
    year = (ends + pd.DateOffset(months=12 - of.year_end)).dt.year
    rows = history.assign(year=year, place=place_in_year(ends.dt.month, of.kind))
    years = rows.pivot(index="year", columns="place", values="value")
    years = years.reindex(columns=range(1, of.per_year + 1)).dropna()
    means = years.mean(axis=1)
    if len(years) < 2 or not (means > 0).all():
        return ()
    return tuple(years.div(means, axis=0).mean())


def period_at(measure: pd.Series, day: date) -> Period:
    """The period of a measure's own kind that a day falls into, in its last year if it has many."""
    kind, due = FREQUENCIES[measure["frequency"]].kind, measure["due_at"]
    if kind != "mean_of_years":
        return period_containing(day, kind)
    return due.years_before(due.end.year - day.year)


def baseline_end(measure: pd.Series) -> date:
    """The day at which the baseline stands on the path."""
    period = measure["baseline_at"]
    # A reading that is itself a mean of years stands at the end of the last of them.
    of_years = "mean_of_years" in (measure["basis"], FREQUENCIES[measure["frequency"]].kind)
    if period.kind != "mean_of_years" or of_years:
        return period.end
    return date((period.start.year + period.end.year) // 2, 12, 31)


def with_seasons(agreement: Agreement, known: pd.DataFrame) -> Agreement:
    """The agreement, with the seasons of each measure whose planned path has them."""
    settings, measures = agreement.settings.agreement, agreement.measures
    own = known[known["area"] == settings.area]
    seasons = measures["seasons"].copy()
    for name, frequency in measures.loc[measures["profile"] == "seasonal", "frequency"].items():
        seasons.at[name] = season_factors(own[own["measure"] == name], frequency, settings.begins)
    return replace(agreement, measures=measures.assign(seasons=seasons))
