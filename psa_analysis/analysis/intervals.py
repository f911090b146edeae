"""Intervals: how far chance alone may move a percentage, a rate or a count.

The methods are those of the technical guide on confidence intervals of Public Health England, now
the Office for Health Improvement and Disparities (Public Health Data Science, May 2018): Wilson's
score for a share, Byar's approximation for a count from 10 on, the exact Poisson limits below 10.

They assume independent cases. Percentages of tonnes or pounds are not made of cases; whoever calls
these functions leaves them out, since a unit of ``percent`` does not show it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainccinv, gammaincinv, ndtri

from psa_analysis.register.agreement import NOT_SUMMED, rate_factor
from psa_analysis.words import NOT_STATED

#: Lower and upper limits, as arrays of the shape of what was given.
Limits = tuple[NDArray[np.float64], NDArray[np.float64]]

#: From this count on Byar's approximation is within 0.2 % of the exact 95 % limits.
BYAR_FROM = 10


def wilson(numerator: ArrayLike, denominator: ArrayLike, confidence: float = 0.95) -> Limits:
    """Wilson's score limits of a share.

    Notes
    -----
    The two shares p at which (x/n - p)^2 = z^2 p (1 - p) / n: E. B. Wilson, "Probable inference,
    the law of succession, and statistical inference", JASA 22 (1927), 209-212; method 3 of
    R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872.
    """
    z = -ndtri(_tail(confidence))
    cases, all_cases = np.broadcast_arrays(_floats(numerator), _floats(denominator))
    fits = (all_cases > 0) & (cases >= 0) & (cases <= all_cases)
    cases, all_cases = np.where(fits, cases, np.nan), np.where(fits, all_cases, np.nan)
    middle = cases + z**2 / 2
    half = z * np.sqrt(cases * (all_cases - cases) / all_cases + z**2 / 4)
    # None and all of the cases have limits of exactly 0 and 1, which rounding would miss.
    lower = np.where(cases == 0, 0.0, (middle - half) / (all_cases + z**2))
    upper = np.where(cases == all_cases, 1.0, (middle + half) / (all_cases + z**2))
    return lower, upper


def exact_poisson(count: ArrayLike, confidence: float = 0.95) -> Limits:
    """Exact limits of the mean that a count was drawn from.

    Notes
    -----
    Half the quantiles of chi-square with 2 x and 2 x + 2 degrees of freedom, which are quantiles
    of the gamma distribution: F. Garwood, Biometrika 28 (1936), 437-442.
    """
    tail = _tail(confidence)
    events = _floats(count)
    events = np.where(events >= 0, events, np.nan)
    # At a shape of 0 the quantile is 0, and undefined for the function.
    lower = np.where(events == 0, 0.0, gammaincinv(np.where(events == 0, 1, events), tail))
    return lower, gammainccinv(events + 1, tail)


def byar(count: ArrayLike, confidence: float = 0.95) -> Limits:
    """Byar's limits of the mean that a count was drawn from; the exact ones below 10.

    Notes
    -----
    N. E. Breslow and N. E. Day, "Statistical methods in cancer research", volume II (1987), 69:
    x (1 - 1 / 9x - z / 3 sqrt(x))^3, and with x + 1 and + z for the upper limit.
    """
    z = -ndtri(_tail(confidence))
    events = _floats(count)
    exact_lower, exact_upper = exact_poisson(events, confidence)
    many = events >= BYAR_FROM
    x = np.where(many, events, np.nan)
    lower = x * (1 - 1 / (9 * x) - z / (3 * np.sqrt(x))) ** 3
    x = x + 1
    upper = x * (1 - 1 / (9 * x) + z / (3 * np.sqrt(x))) ** 3
    return np.where(many, lower, exact_lower), np.where(many, upper, exact_upper)


def reading_intervals(figures: pd.DataFrame, units: pd.Series | str) -> pd.DataFrame:
    """``lower``, ``upper`` and ``method`` of each reading, by the method that its unit asks for.

    `figures` has the columns ``reading``, ``numerator`` and ``denominator``.
    """
    units = pd.Series(units, index=figures.index, dtype="str")
    columns = ["reading", "numerator", "denominator"]
    reading, numerator, denominator = figures[columns].to_numpy(dtype=float).T
    factor = units.map(rate_factor).to_numpy(dtype=float)
    percent, rate = (units == "percent").to_numpy(), ~np.isnan(factor)
    # Chance moves whole events; a figure in millions or a mean of years is not one of them.
    no_events = units.isin([*NOT_SUMMED, NOT_STATED]) | units.str.startswith("million ")
    no_count = no_events.to_numpy() | (reading < 0) | (reading % 1 != 0)
    no_fit = (denominator <= 0) | (numerator < 0) | (percent & (numerator > denominator))
    cases = np.where(rate, numerator, reading)
    methods = {
        "not worked out: no figure": np.isnan(reading),
        "not worked out: not a count": ~rate & no_count,
        "not worked out: no denominator": rate & np.isnan(denominator),
        "not worked out: no numerator": rate & np.isnan(numerator),
        "not worked out: numerator and denominator do not fit": rate & no_fit,
        "Wilson": percent,
        "exact Poisson": cases < BYAR_FROM,
    }
    method = np.select([*methods.values()], [*methods], "Byar")
    cases = np.where(np.char.startswith(method, "not worked out"), np.nan, cases)
    per = np.divide(factor, denominator, where=rate & (denominator > 0), out=np.ones_like(cases))
    shares, counts = wilson(cases, denominator), byar(cases)
    lower, upper = (np.where(percent, 100 * shares[end], counts[end] * per) for end in (0, 1))
    return pd.DataFrame({"lower": lower, "upper": upper, "method": method}, figures.index)


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected between 0 and 1, such as 0.95")
    return (1 - confidence) / 2


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=float)
