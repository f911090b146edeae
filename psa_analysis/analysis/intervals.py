"""Intervals: how far chance alone may move a percentage, a rate or a count, 95 times in 100.

The methods are those of the technical guide on confidence intervals of Public Health England, now
the Office for Health Improvement and Disparities (Public Health Data Science, May 2018). They
assume independent cases, which percentages of tonnes or pounds are not made of.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import gammainccinv, gammaincinv, ndtri

from psa_analysis.register.agreement import NOT_SUMMED, Floats, rate_factor
from psa_analysis.words import NOT_STATED

#: Lower and upper limits, as arrays of the shape of what was given.
Limits = tuple[Floats, Floats]

#: From this count on Byar's approximation is within 0.2 % of the exact 95 % limits.
BYAR_FROM = 10

_TAIL = (1 - 0.95) / 2
_Z = -ndtri(_TAIL)


def wilson(numerator: ArrayLike, denominator: ArrayLike) -> Limits:
    """Wilson's score limits of a share (R. G. Newcombe, Statistics in Medicine 17, 1998, 857)."""
    cases, all_cases = np.asarray(numerator, float), np.asarray(denominator, float)
    fits = (all_cases > 0) & (cases >= 0) & (cases <= all_cases)
    cases, all_cases = np.where(fits, cases, np.nan), np.where(fits, all_cases, np.nan)
    middle = cases + _Z**2 / 2
    half = _Z * np.sqrt(cases * (all_cases - cases) / all_cases + _Z**2 / 4)
    # None and all of the cases have limits of exactly 0 and 1, which rounding would miss.
    lower = np.where(cases == 0, 0.0, (middle - half) / (all_cases + _Z**2))
    upper = np.where(cases == all_cases, 1.0, (middle + half) / (all_cases + _Z**2))
    return lower, upper


def exact_poisson(count: ArrayLike) -> Limits:
    """Exact limits of the mean that a count was drawn from (F. Garwood, Biometrika 28, 1936)."""
    events = np.asarray(count, float)
    events = np.where(events >= 0, events, np.nan)
    # At a shape of 0 the quantile is 0, and undefined for the function.
    lower = np.where(events == 0, 0.0, gammaincinv(np.where(events == 0, 1, events), _TAIL))
    return lower, gammainccinv(events + 1, _TAIL)


def byar(count: ArrayLike) -> Limits:
    """Byar's limits of the mean that a count was drawn from; the exact ones below 10."""
    events = np.asarray(count, float)
    exact_lower, exact_upper = exact_poisson(events)
    many = events >= BYAR_FROM
    x = np.where(many, events, np.nan)
    lower = x * (1 - 1 / (9 * x) - _Z / (3 * np.sqrt(x))) ** 3
    x = x + 1
    upper = x * (1 - 1 / (9 * x) + _Z / (3 * np.sqrt(x))) ** 3
    return np.where(many, lower, exact_lower), np.where(many, upper, exact_upper)


def reading_intervals(figures: pd.DataFrame, units: pd.Series) -> pd.DataFrame:
    """``lower``, ``upper`` and ``method`` of each reading, by the method that its unit asks for."""
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
