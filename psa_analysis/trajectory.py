"""Trajectories: the planned path from the baseline to the target, and the grant's trigger."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pandas as pd

from psa_analysis.periods import Period
from psa_analysis.register import measure_period


def exact(value: float) -> Fraction:
    """The simple fraction that a float stands for, so that ties are decided exactly.

    A float holds 106.9, or 100 x (7320 - 9150) / 9150, only to the nearest of its binary
    neighbours. Fractions with denominators up to a million lie further apart than that, so the
    nearest of them is the figure that was meant.
    """
    return Fraction(value).limit_denominator(1_000_000)


def trigger_value(measure: pd.Series, share: float) -> float:
    """The value at which the grant begins: without + share x (target - without).

    Parameters
    ----------
    measure : pandas.Series
        A row of ``Agreement.measures``.
    share : float
        Share of the stretch, 0.6 in first-generation agreements.

    Returns
    -------
    float
        In the measure's unit; missing where ``without`` or ``target`` is not stated.
    """
    if pd.isna(measure["without"]) or pd.isna(measure["target"]):
        return float("nan")
    without, target = exact(measure["without"]), exact(measure["target"])
    return float(without + exact(share) * (target - without))


def planned_path(measure: pd.Series, ends: pd.Series) -> pd.Series:
    """The linear path from the baseline to the target.

    Parameters
    ----------
    measure : pandas.Series
        A row of ``Agreement.measures``.
    ends : pandas.Series
        Last days of the periods to give it for.

    Returns
    -------
    pandas.Series
        In the measure's unit and on the index of `ends`. The baseline until its period ends,
        the target from the due period on; missing where one of the two is not stated.

    Notes
    -----
    Time is counted in whole months, so that equal quarters are equal steps. A baseline that is
    a mean of years stands at the end of the middle one, where a reading of that year stands.
    """
    if pd.isna(measure["baseline"]) or pd.isna(measure["target"]):
        return pd.Series(np.nan, index=ends.index)
    start = _months(baseline_end(measure))
    due = _months(due_period(measure).end)
    months = ends.dt.year * 12 + ends.dt.month
    share = ((months - start) / (due - start)).clip(0, 1)
    return measure["baseline"] + share * (measure["target"] - measure["baseline"])


def due_period(measure: pd.Series) -> Period:
    """The period whose reading decides the measure."""
    return _stated(measure, "due")


def baseline_end(measure: pd.Series) -> date:
    """The day at which the baseline stands on the path."""
    period = _stated(measure, "baseline_period")
    if period.kind != "mean_of_years":
        return period.end
    return date((period.start.year + period.end.year) // 2, 12, 31)


def _stated(measure: pd.Series, column: str) -> Period:
    period = measure_period(measure, column)
    if period is None:
        raise ValueError(f"{measure.name} has no {column}: it is not stated")
    return period


def _months(day: date) -> int:
    return day.year * 12 + day.month
