"""Forecasts: how likely each reading to come is, from three to twenty-four that have come.

Gaussian processes with an unknown variance predict a Student t (Rasmussen and Williams 2006, ch. 2;
Gelman and others, Bayesian Data Analysis, ch. 14). ``docs/forecast.md`` explains the five steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter
from scipy.special import gammaln, softmax, stdtr, stdtrit

from psa_analysis.register.agreement import SIGNED_UNITS, rate_factor

#: What a figure can be: ``percent`` lies in 0 to 100, a ``count`` is a whole number, ``positive``
#: is anything else from 0 up, ``real`` may be negative.
Scale = Literal["percent", "count", "positive", "real"]

#: Intervals that are shown, in per cent.
INTERVALS = (50, 80, 95)
#: Readings that are looked at, counted from the newest; older ones say little.
LONGEST = 24
#: Fewer readings than this are refused: two make a line, and nothing says how far it holds.
FEWEST = 3
#: A group of fewer series than this joins all other such series, as a portfolio.
SMALLEST_GROUP = 10
#: Series of a group that it learns from; more change nothing that can be seen.
_LEARNT_FROM = 2000
#: Series that are worked on at once, so that a large panel does not fill the memory.
_CHUNK = 4096

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
#: Centre and spread of series x horizon, degrees of freedom, correlation between horizons.
Moments = tuple[Array, Array, Array, Array]


@dataclass(frozen=True)
class Constants:
    """What is usual: for years or for quarters, from the reference panels."""

    # Of each model: variances of level, drift, slope, noise, season and its change.
    models: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]  # Logarithms of how much each is believed before any reading.
    volatilities: tuple[tuple[float, float], ...]  # Guessed sizes of change: how firm, how large.
    volatility_weights: tuple[float, ...]
    prior_series: float  # How many series of a group outweigh the weights above.
    learning: float  # Powers of the likelihood, since no model is right: for the group ...
    trust: float  # ... and for one series.
    drift: float  # Share of the group's common drift that is kept ...
    drift_series: float  # ... and the size of group that halves it.
    own_scale: float  # The same for the scale of the group's own errors.
    own_series: float
    # Logarithm of the factor on the spread: constant, per 1 / readings, per log horizon, both.
    spread: tuple[float, float, float, float]
    tails: float  # Factor on the degrees of freedom: real series surprise more than their models.


@cache
def constants(per_year: int) -> Constants:
    """The constants for yearly (1) or quarterly (4) readings."""
    stored = json.loads((Path(__file__).parent / "constants.json").read_text())
    return TypeAdapter(Constants).validate_python(stored[str(per_year)])


@dataclass(frozen=True)
class Forecast:
    """Predictive distributions: a Student t on its own scale for each series and period to come."""

    centre: Array  # Series x horizon; missing where there is no forecast.
    spread: Array
    degrees: Array  # Degrees of freedom of each series.
    level: Array  # What each series was divided by.
    scale: NDArray[np.str_]  # Of each series, its Scale.
    readings: Numbers  # That each forecast rests on; fewer than FEWEST give none.
    correlation: Array  # Series x horizon x horizon: how the periods to come go together.

    def quantile(self, share: ArrayLike) -> Array:
        """Values that the reading falls below with the given probabilities."""
        # Degrees of freedom come in halves, so each is looked up once.
        different, place = np.unique(self.degrees, return_inverse=True)
        deviates = stdtrit(different[:, None], np.atleast_1d(share))[place]
        values = self._figures(deviates[:, None, :], self.centre[..., None], self.spread[..., None])
        return values if np.ndim(share) else values[..., 0]

    def probability(self, value: ArrayLike, polarity: Literal["higher", "lower"]) -> Array:
        """How likely the reading is to be `value` or better."""
        higher = polarity == "higher"
        target = np.asarray(value, dtype=float)
        if target.ndim < 2:
            target = np.broadcast_to(target, self.level.shape)[:, None]
        # A count of 277 stands for 276.5 to 277.5.
        edge = np.ceil(target) - 0.5 if higher else np.floor(target) + 0.5
        target = np.where(self.scale[:, None] == "count", edge, target)
        steady = _steadied(target, self.scale) / self.level[:, None]
        below = stdtr(self.degrees[:, None], (steady - self.centre) / self.spread)
        # Beyond the ends of the scale there is nothing; the ends themselves can be reached.
        bottom, top = _ends(self.scale)
        below = np.where(target > top if higher else target >= top, 1.0, below)
        below = np.where(target <= bottom if higher else target < bottom, 0.0, below)
        chance = 1 - below if higher else below
        return np.where(np.isnan(self.spread) | np.isnan(target), np.nan, chance)

    def of_series(self, number: int, horizon: int) -> Forecast:
        """The forecast of one series alone, no further than a horizon."""
        own = {name: part[number : number + 1] for name, part in vars(self).items()}
        for name in ("centre", "spread"):
            own[name] = own[name][:, :horizon]
        own["correlation"] = own["correlation"][:, :horizon, :horizon]
        return Forecast(**own)

    def paths(self, number: int, seed: int) -> Array:
        """Draws of all periods to come together, for what is made of several of them."""
        generator = np.random.default_rng(seed)
        series, horizon = self.centre.shape
        # Half of them mirrored, so that the middle of the draws is the middle of the forecast.
        half = generator.standard_normal((series, -(-number // 2), horizon))
        stretch = generator.chisquare(self.degrees[:, None], half.shape[:2])
        normal = np.concatenate([half, -half], axis=1)[:, :number]
        stretch = np.tile(stretch, 2)[:, :number]
        root = np.linalg.cholesky(self.correlation + 1e-9 * np.eye(horizon))
        deviates = np.einsum("shg,sng->snh", root, normal)
        deviates *= np.sqrt(self.degrees[:, None] / stretch)[..., None]
        return self._figures(deviates, self.centre[:, None, :], self.spread[:, None, :])

    def _figures(self, deviates: Array, centre: Array, spread: Array) -> Array:
        """The figures so many spreads from the centre; counts are whole."""
        steady = (centre + spread * deviates) * self.level[:, None, None]
        kind = self.scale[:, None, None]
        share = 100 * np.sin(np.clip(steady, 0, np.pi / 2)) ** 2
        square = np.maximum(steady, 0) ** 2
        square = np.where(kind == "count", np.rint(square), square)
        return np.select([kind == "percent", kind == "real"], [share, steady], square)


def scale_of(unit: str, values: ArrayLike, made_of: str = "", negative: bool = False) -> Scale:
    """What figures of a unit are, to a forecast; `negative` where they may be below 0."""
    figures = pd.Series(values, dtype=float).dropna()
    if unit in SIGNED_UNITS or negative or (figures < 0).any():
        return "real"
    if unit == "percent":
        return "percent"
    whole = bool((figures == figures.round()).all()) and rate_factor(unit) is None
    amounts = made_of == "amounts" or unit == "index" or unit.startswith("million ")
    return "count" if whole and not amounts else "positive"


def forecast_series(
    readings: ArrayLike,
    horizon: int,
    scale: Scale | Sequence[Scale],
    per_year: int = 1,
    groups: Sequence[object] | None = None,
    denominators: ArrayLike | None = None,
    usual: Constants | None = None,
) -> Forecast:
    """Forecasts of a panel of series, all from the same moment on.

    Readings are series x periods in equal steps, the newest last, missing where a series has none.
    Groups say which series are of one kind, such as one measure in many places; without them all
    are. Denominators are of percentages: how many cases the next reading will rest on.
    """
    values = np.array(readings, dtype=float, ndmin=2)[:, -LONGEST:]
    scales = np.broadcast_to(np.asarray(scale, dtype="U8"), len(values))
    bottom, top = _ends(scales)
    wrong = ((values < bottom) | (values > top) | np.isinf(values)).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(f"series {first}: a reading is no figure of the scale {scales[first]}")
    count = (~np.isnan(values)).sum(axis=1)
    steady = _steadied(values, scales)
    level = _levels(values, steady, scales)
    centre, spread = np.full((2, len(values), horizon), np.nan)
    degrees, correlation = np.full(len(values), 3.0), np.tile(np.eye(horizon), (len(values), 1, 1))
    rows = np.flatnonzero(count >= FEWEST)
    if len(rows) and horizon:
        steady = steady[rows] / level[rows, None]
        group, in_portfolio = _grouped(groups, rows)
        usual = usual or constants(per_year)
        drift = _common_drift(steady, group, per_year, usual)
        # Unlike measures move in unlike directions, so a portfolio has no common drift.
        drift[in_portfolio] = 0
        periods = np.arange(1.0 - steady.shape[1], horizon + 1)
        moved = np.nanmax(steady, axis=1) > np.nanmin(steady, axis=1)
        without_drift = steady - drift[:, None] * periods[:-horizon]
        panel = _Panel(without_drift, moved, group, per_year, usual)
        for places, found in panel.predictions(horizon):
            some = rows[places]
            centre[some], spread[some], degrees[some], correlation[some] = found
        centre[rows] += drift[:, None] * periods[-horizon:]
    # No forecast is narrower than chance: Poisson for counts, binomial for percentages.
    cases = np.asarray(np.nan if denominators is None else denominators, dtype=float)
    binomial = 1 / (4 * np.where(cases > 0, cases, np.inf))
    chance = np.select([scales == "count", scales == "percent"], [0.25, binomial], 0.0) / level**2
    spread = np.maximum(spread, np.sqrt(chance * (1 + 1 / np.maximum(count, 1)))[:, None])
    return Forecast(centre, spread, degrees, level, scales, count, correlation)


def _ends(scales: NDArray[np.str_]) -> tuple[Array, Array]:
    """The lowest and the highest figure that there can be, as columns."""
    bottom, top = np.where(scales == "real", -np.inf, 0), np.where(scales == "percent", 100, np.inf)
    return bottom[:, None], top[:, None]


def _steadied(values: Array, scales: NDArray[np.str_]) -> Array:
    """Figures, series x periods, on the scale on which chance is about as large everywhere."""
    kind = scales[:, None]
    share = np.arcsin(np.sqrt(np.clip(values / 100, 0, 1)))
    root = np.sqrt(np.maximum(values, 0))
    return np.select([kind == "percent", kind == "real"], [share, values], root)


def _levels(values: Array, steady: Array, scales: NDArray[np.str_]) -> Array:
    """What each series is divided by, so that the size of change is a share of the level.

    A percentage has a level already; where figures may be negative, it is ten usual changes.
    """
    table = pd.DataFrame(values)
    steps = table.ffill(axis=1).diff(axis=1).where(table.notna())
    changes = 10 * np.sqrt((steps**2).mean(axis=1))
    means = pd.DataFrame(steady).mean(axis=1)
    level = np.select([scales == "percent", scales == "real"], [1.0, changes], means)
    return np.where(level > 0, level, 1.0)


def _grouped(groups: Sequence[object] | None, rows: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """The number of each series' group, and which are in the portfolio of all too small ones."""
    if groups is None:
        return np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=bool)
    codes, _ = pd.factorize(pd.Series(list(groups), dtype=object)[rows], use_na_sentinel=False)
    small = np.bincount(codes)[codes] < SMALLEST_GROUP
    return np.unique(np.where(small, len(rows), codes), return_inverse=True)[1], small


def _common_drift(steady: Array, group: Numbers, per_year: int, usual: Constants) -> Array:
    """The median change per period of each series' group, shrunk by how few series have one."""
    known = ~np.isnan(steady)
    row, columns = np.arange(len(known)), np.arange(known.shape[1])
    last = columns[-1] - known[:, ::-1].argmax(axis=1)
    distance = last[:, None] - columns
    # From the oldest reading of the newest one's season, where there is one.
    season = known & (distance > 0) & (distance % per_year == 0)
    first = season.argmax(axis=1)
    periods = np.where(season.any(axis=1), last - first, np.nan)
    changes = pd.Series((steady[row, last] - steady[row, first]) / periods).groupby(group)
    count, median = changes.transform("count"), changes.transform("median")
    drift = usual.drift * count / (count + usual.drift_series) * median
    return drift.fillna(0).to_numpy(copy=True)


@dataclass(frozen=True)
class _Panel:
    """Series on the steady scale without their common drift, and the number of each one's group."""

    values: Array
    moved: NDArray[np.bool_]  # which of them ever did
    group: Numbers
    per_year: int
    usual: Constants

    def predictions(self, horizon: int) -> Iterator[tuple[Numbers, Moments]]:
        """Predictions of the periods to come, of some series at a time."""
        groups = pd.Series(self.group).groupby(self.group)
        sample = groups.head(_LEARNT_FROM).sort_values(kind="stable").index.to_numpy()
        weights = self.learnt_weights(sample)
        own = self.own_errors(sample[self.moved[sample]], weights)
        ahead = np.arange(1.0, horizon + 1)
        for rows, time, readings in self.patterns(np.arange(len(self.values))):
            group, models = self.group[rows], self.fit(time, ahead)
            centre, width, degrees, correlation = models.predict(readings, weights[group])
            held_out = np.minimum(models.reach.astype(int), self.per_year) - 1
            yield rows, (centre, width * own[group][:, held_out], degrees, correlation)

    def fit(self, time: Array, ahead: Array) -> _Models:
        """All models for readings and forecasts at these times."""
        # How far a forecast reaches counts from the newest reading, wherever the panel ends.
        return _models(tuple(time - time[-1]), tuple(ahead - time[-1]), self.per_year, self.usual)

    def patterns(self, rows: Numbers) -> Iterator[tuple[Numbers, Array, Array]]:
        """Series with readings at the same times, up to 0: their rows, the times, the readings."""
        known = ~np.isnan(self.values[rows])
        pattern = known @ (2 ** np.arange(known.shape[1]))
        for places in pd.Series(pattern).groupby(pattern).indices.values():
            columns = np.flatnonzero(known[places[0]])
            time = columns - (known.shape[1] - 1.0)
            for start in range(0, len(places), _CHUNK):
                some = rows[places[start : start + _CHUNK]]
                yield some, time, self.values[np.ix_(some, columns)]

    def learnt_weights(self, sample: Numbers) -> Array:
        """Logarithms of how much each group's series believe each model and volatility."""
        usual = self.usual
        prior = np.outer(softmax(usual.weights), softmax(usual.volatility_weights)).ravel()
        likelihood = np.empty((len(self.values), len(prior)))
        for rows, time, readings in self.patterns(sample):
            likelihood[rows] = self.fit(time, np.array([])).likelihood(readings)[1]
        likelihood, group = usual.learning * likelihood[sample], self.group[sample]
        size = np.bincount(group)
        weights = np.tile(np.log(prior), (len(size), 1))
        for _ in range(8):
            share = softmax(weights[group] + likelihood, axis=1)
            believed = np.add.reduceat(share, np.cumsum(size) - size, axis=0)
            total = usual.prior_series * prior + believed
            weights = np.log(total / (usual.prior_series + size)[:, None])
        return weights

    def own_errors(self, sample: Numbers, weights: Array) -> Array:
        """The scale of each group's own errors by horizon, from readings that were held out."""
        errors = np.full((len(self.values), self.per_year), np.nan)
        for rows, time, readings in self.patterns(sample):
            # A year is held out where that leaves two, else the last reading.
            out = self.per_year if len(time) >= 3 * self.per_year else 1
            if len(time) - out < FEWEST:
                continue
            models = self.fit(time[:-out], time[-out:])
            past, held_out = readings[:, :-out], readings[:, -out:]
            centre, width, degrees, _ = models.predict(past, weights[self.group[rows]])
            errors[rows, :out] = np.abs(held_out - centre) / width / stdtrit(degrees, 0.9)[:, None]
        groups = pd.DataFrame(errors).groupby(self.group)
        count = groups.count()
        shrunk = self.usual.own_scale * count / (count + self.usual.own_series)
        scale = (groups.quantile(0.8).clip(0.4, 2.5) ** shrunk).where(count > 0)
        return scale.ffill(axis=1).fillna(1.0).to_numpy()


class _Models:
    """All models for differences of readings at the same times from the newest of them."""

    def __init__(
        self, time: tuple[float, ...], ahead: tuple[float, ...], per_year: int, usual: Constants
    ) -> None:
        """Fit to readings at `time`, the newest at 0, for forecasts at `ahead`."""
        self.usual, self.reach, last = usual, np.array(ahead), len(time) - 1
        times = np.array([*time, *ahead])
        joint = np.array([_covariance(times, model, per_year) for model in usual.models])
        # Of differences from the newest reading, since the level itself may be anything.
        newest = joint[:, last : last + 1, :]
        joint = joint - newest.transpose(0, 2, 1) - newest + newest[:, :, last : last + 1]
        past, across = joint[:, :last, :last], joint[:, last + 1 :, :last]
        inverse = np.linalg.inv(past)
        lower = np.linalg.cholesky((inverse + inverse.transpose(0, 2, 1)) / 2)
        pull = across @ inverse
        # Differences x (models x differences): squares of products add up to misfits.
        self.roots = lower.transpose(1, 0, 2).reshape(last, -1)
        # Half the logarithm of each model's determinant.
        self.size = -np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        # Differences x (models x horizon): the product is each model's prediction.
        self.pulls = pull.transpose(2, 0, 1).reshape(last, -1)
        # Models x horizon x horizon, relative to the unknown variance.
        self.covariances = joint[:, last + 1 :, last + 1 :] - pull @ across.transpose(0, 2, 1)

    def likelihood(self, readings: Array) -> tuple[Array, Array]:
        """Scale of the variance's posterior, and log likelihood: series x models x volatilities."""
        firm, large = np.array(self.usual.volatilities).T
        series, differences = len(readings), readings.shape[1] - 1
        errors = (readings[:, :-1] - readings[:, -1:]) @ self.roots
        errors = errors.reshape(series, -1, differences)
        rate = 0.5 * np.einsum("skd,skd->sk", errors, errors)[:, :, None] + firm * large**2
        degrees = firm + differences / 2
        constant = gammaln(degrees) - gammaln(firm) + firm * np.log(firm * large**2)
        return rate, (constant - self.size[:, None] - degrees * np.log(rate)).reshape(series, -1)

    def predict(self, readings: Array, weights: Array) -> Moments:
        """Predictions by the average of all models, as wide as such forecasts usually miss."""
        rate, likelihood = self.likelihood(readings)
        share = softmax(weights + self.usual.trust * likelihood, axis=1).reshape(rate.shape)
        degrees = 2 * np.array(self.usual.volatilities)[:, 0] + readings.shape[1] - 1
        variance = np.einsum("skv,skv,v->sk", share, rate, 2 / degrees)
        models, horizon = self.covariances.shape[:2]
        each = ((readings[:, :-1] - readings[:, -1:]) @ self.pulls).reshape(-1, models, horizon)
        by_model = share.sum(axis=2)
        centre = np.einsum("sk,skh->sh", by_model, each)
        off = each - centre[:, None, :]
        joint = np.einsum("sk,khg->shg", variance, self.covariances)
        joint += np.einsum("sk,skh,skg->shg", by_model, off, off)
        width = np.sqrt(np.einsum("shh->sh", joint))
        correlation = joint / width[:, :, None] / width[:, None, :]
        average = np.clip(self.usual.tails * np.einsum("skv,v->s", share, degrees), 3, 60)
        # How much wider forecasts are than the models say, by history and horizon.
        constant, per_reading, per_log, both = self.usual.spread
        number = max(readings.shape[1], 4)  # calibrated from four readings on
        by_reach = np.log(self.reach) * (per_log + both / number)
        spread = width * np.exp(constant + per_reading / number + by_reach)
        return centre + readings[:, -1:], spread, np.rint(2 * average) / 2, correlation


#: Kept, since the same times recur.
_models = lru_cache(maxsize=1024)(_Models)


def _covariance(times: Array, model: tuple[float, ...], per_year: int) -> Array:
    """How the readings of one model vary together, relative to its unknown variance."""
    wander, drift, slope, noise, season, change = model
    at = times - times.min() + 1
    result = wander * np.minimum.outer(at, at) + drift * np.outer(at, at) + noise * np.eye(len(at))
    # A slope that has changed in some period moves all that comes after.
    after = np.maximum(at[:, None] - np.arange(at.max()), 0)
    result += slope * after @ after.T
    if per_year > 1:
        same_season = np.subtract.outer(at, at) % per_year == 0
        year = np.ceil(at / per_year)
        result += same_season * (season + change * np.minimum.outer(year, year))
    return np.asarray(result)
