"""Forecasts: how likely each reading to come is, from three to twenty-four that have come.

Gaussian processes with an unknown variance predict a Student t (Rasmussen and Williams 2006, ch. 2;
Gelman and others, Bayesian Data Analysis, ch. 14). ``docs/forecast.md`` explains the five steps.
"""

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

from psa_analysis.register.agreement import Scale

#: Limits of the intervals that are shown, and the share of readings that fall below each.
LIMITS = {
    f"{end}_{percent}": 0.5 + sign * percent / 200
    for percent in (50, 80, 95)
    for end, sign in (("low", -1), ("high", 1))
}
#: Readings that are looked at, counted from the newest; older ones say little.
LONGEST = 24
#: Fewer readings than this are refused: two make a line, and nothing says how far it holds.
FEWEST = 3
#: A group of fewer series than this joins all other such series, as a portfolio.
SMALLEST_GROUP = 10
#: Degrees of freedom of every forecast; fewer or more were no better on any reference panel.
DEGREES = 4
#: Series of a group that it learns from; more change nothing that can be seen.
_LEARNT_FROM = 2000
#: Scales of whole figures, and those on which figures are forecast as they are.
_WHOLE, _AS_THEY_ARE = ("count", "headcount"), ("real", "headcount")
_ALL = slice(None)

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
Times = tuple[float, ...]


@dataclass(frozen=True)
class Prior:
    """What is usual of a kind of series, before any reading."""

    # Of each model: variances of level, drift, noise, season and its change.
    models: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]  # Logarithms of how much each is believed.
    # Guessed sizes of change, how firm and how large, all equally believed.
    volatilities: tuple[tuple[float, float], ...]
    # Logarithm of the factor on the spread: constant, per 1 / readings, per log horizon, both, and
    # per logarithm of the spread itself.
    spread: tuple[float, float, float, float, float]

    @property
    def beliefs(self) -> Array:
        """Logarithms of how much each model and volatility together is believed."""
        number = len(self.volatilities)
        return np.repeat(np.log(softmax(self.weights) / number), number)


@dataclass(frozen=True)
class Constants:
    """What is usual: for years or for quarters, from the reference panels."""

    own: Prior  # Of what each series does by itself ...
    common: Prior  # ... and of the path that the series of a group have in common.
    # Size of group that takes out half of what its series have in common; None takes out nothing.
    half_group: float | None
    prior_series: float  # How many series of a group outweigh the prior of the others.
    learning: float  # Powers of the likelihood, since no model is right: for the group ...
    trust: float  # ... and for one series.
    percent: float  # Logarithms of a factor more on the spread of percentages ...
    count: float  # ... and of counts.
    towards: float  # How many spreads figures move where somebody works towards a target.


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
    level: Array  # What each series was divided by.
    scale: NDArray[np.str_]  # Of each series, its Scale.
    readings: Numbers  # That each forecast rests on; fewer than FEWEST give none.
    own: Array  # Series x horizon x horizon: covariance of what each does by itself ...
    common: Array  # ... and groups x horizon x horizon: of what the series of each group share.
    group: Numbers  # Of each series.

    def quantile(self, share: ArrayLike) -> Array:
        """Values that the reading falls below with the given probabilities."""
        values = self._figures(stdtrit(DEGREES, np.atleast_1d(share)))
        return values if np.ndim(share) else values[..., 0]

    def probability(self, value: ArrayLike, polarity: Literal["higher", "lower"]) -> Array:
        """How likely the reading is to be `value` or better."""
        higher = polarity == "higher"
        target = np.asarray(value, dtype=float)
        if target.ndim < 2:
            target = np.broadcast_to(target, self.level.shape)[:, None]
        # A count of 277 stands for 276.5 to 277.5.
        edge = np.ceil(target) - 0.5 if higher else np.floor(target) + 0.5
        target = np.where(np.isin(self.scale, _WHOLE)[:, None], edge, target)
        steady = _steadied(target, self.scale) / self.level[:, None]
        below = stdtr(DEGREES, (steady - self.centre) / self.spread)
        # Beyond the ends of the scale there is nothing; the ends themselves can be reached.
        bottom, top = _ends(self.scale)
        below = np.where(target > top if higher else target >= top, 1.0, below)
        below = np.where(target <= bottom if higher else target < bottom, 0.0, below)
        chance = 1 - below if higher else below
        return np.where(np.isnan(self.spread) | np.isnan(target), np.nan, chance)

    def paths(self, number: int, seed: int, rows: slice = _ALL, until: slice = _ALL) -> Array:
        """Joint draws of the periods to come, of all series or some: series x number x horizon."""
        generator = np.random.default_rng(seed)
        own, common = self.own[rows, until, until], self.common[:, until, until]
        group = self.group[rows]

        def normal(covariance: Array) -> Array:
            draws = generator.standard_normal((*covariance.shape[:2], number))
            return np.linalg.cholesky(covariance + 1e-12 * np.eye(covariance.shape[1])) @ draws

        # Series of one group share the draws of what they have in common.
        deviates = normal(own) + normal(common)[group]
        deviates /= np.sqrt(np.einsum("shh->sh", own + common[group]) + 1e-12)[..., None]
        deviates /= np.sqrt(generator.chisquare(DEGREES, (len(own), 1, number)) / DEGREES)
        return self._figures(deviates, rows, until).swapaxes(1, 2)

    def _figures(self, deviates: Array, rows: slice = _ALL, until: slice = _ALL) -> Array:
        """The figures so many spreads from the centre: series x horizon x deviates."""
        centre, spread = self.centre[rows, until, None], self.spread[rows, until, None]
        steady = (centre + spread * deviates) * self.level[rows, None, None]
        kind, from_0 = self.scale[rows, None, None], np.maximum(steady, 0)
        figures = {
            "percent": 100 * np.sin(np.clip(steady, 0, np.pi / 2)) ** 2,
            "real": steady,
            "count": np.rint(from_0**2),
            "headcount": np.rint(from_0),
        }
        return np.select([kind == name for name in figures], [*figures.values()], from_0**2)


def forecast_series(
    readings: ArrayLike,
    horizon: int,
    scale: Scale | Sequence[Scale],
    per_year: int = 1,
    groups: Sequence[object] | None = None,
    denominators: ArrayLike | None = None,
    towards: ArrayLike = 0,
    usual: Constants | None = None,
) -> Forecast:
    """Forecasts of a panel of series, all from the same moment on.

    Readings are series x periods in equal steps, the newest last, missing where a series has none.
    Groups say which series are of one kind, such as one measure in many places; without them all
    are. Denominators are of percentages: how many cases the next reading will rest on. Series that
    somebody works to raise are `towards` 1, those to lower -1.
    """
    values = np.array(readings, dtype=float, ndmin=2)[:, -LONGEST:]
    scales = np.broadcast_to(np.asarray(scale, dtype="U9"), len(values))
    bottom, top = _ends(scales)
    wrong = ((values < bottom) | (values > top) | np.isinf(values)).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(f"series {first}: a reading is no figure of the scale {scales[first]}")
    count = (~np.isnan(values)).sum(axis=1)
    steady = _steadied(values, scales)
    level = _levels(values, steady, scales)
    centre, spread = np.full((2, len(values), horizon), np.nan)
    own, common = np.tile(np.eye(horizon), (len(values), 1, 1)), np.zeros((1, horizon, horizon))
    group = np.zeros(len(values), dtype=np.int64)
    rows = np.flatnonzero(count >= FEWEST)
    if len(rows) and horizon:
        steady = steady[rows] / level[rows, None]
        group[rows], alike = _grouped(groups, rows)
        usual = usual or constants(per_year)
        paths = _common_paths(steady, group[rows], alike, usual)
        by_itself = steady - paths.ffill(axis=1).fillna(0).to_numpy()[group[rows]]
        panel = _Panel(by_itself, group[rows], per_year, usual.own, usual)
        centre[rows], own[rows] = panel.predictions(horizon, panel.learnt_beliefs())
        # What a group has in common is one series more, and no surer than any other.
        middle, common = np.zeros((len(alike), horizon)), np.zeros((len(alike), horizon, horizon))
        moved = np.flatnonzero(paths.notna().sum(axis=1) >= FEWEST)
        of_path = _Panel(paths.to_numpy()[moved], 0 * moved, per_year, usual.common, usual)
        middle[moved], common[moved] = of_path.predictions(horizon, usual.common.beliefs[None])
        centre += middle[group]
        by_scale = usual.percent * (scales == "percent") + usual.count * (scales == "count")
        width = np.exp(by_scale)[:, None] * np.sqrt(np.einsum("shh->sh", own + common[group]))
        spread[rows] = width[rows]
        centre += usual.towards * np.reshape(towards, (-1, 1)) * spread
    # No forecast is narrower than chance: Poisson for counts, binomial for percentages.
    cases = np.asarray(np.nan if denominators is None else denominators, dtype=float)
    binomial = 1 / (4 * np.where(cases > 0, cases, np.inf))
    chance = np.select([scales == "count", scales == "percent"], [0.25, binomial], 0.0) / level**2
    spread = np.maximum(spread, np.sqrt(chance * (1 + 1 / np.maximum(count, 1)))[:, None])
    return Forecast(centre, spread, level, scales, count, own, common, group)


def _ends(scales: NDArray[np.str_]) -> tuple[Array, Array]:
    """The lowest and the highest figure that there can be, as columns."""
    bottom, top = np.where(scales == "real", -np.inf, 0), np.where(scales == "percent", 100, np.inf)
    return bottom[:, None], top[:, None]


def _steadied(values: Array, scales: NDArray[np.str_]) -> Array:
    """Figures, series x periods, on the scale on which chance is about as large everywhere."""
    kind = scales[:, None]
    share = np.arcsin(np.sqrt(np.clip(values / 100, 0, 1)))
    root = np.sqrt(np.maximum(values, 0))
    return np.select([kind == "percent", np.isin(kind, _AS_THEY_ARE)], [share, values], root)


def _levels(values: Array, steady: Array, scales: NDArray[np.str_]) -> Array:
    """What each series is divided by, so that the size of change is a share of the level."""
    table = pd.DataFrame(values)
    steps = table.ffill(axis=1).diff(axis=1).where(table.notna())
    changes = 10 * np.sqrt((steps**2).mean(axis=1))
    means = pd.DataFrame(steady).mean(axis=1)
    # A percentage has a level already; where figures have no root, it is ten usual changes.
    level = np.select([scales == "percent", np.isin(scales, _AS_THEY_ARE)], [1.0, changes], means)
    return np.where(level > 0, level, 1.0)


def _grouped(groups: Sequence[object] | None, rows: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """The number of each series' group, and of each group whether its series are of one kind."""
    if groups is None:
        return np.zeros(len(rows), dtype=np.int64), np.ones(1, dtype=bool)
    codes, _ = pd.factorize(pd.Series(list(groups), dtype=object)[rows], use_na_sentinel=False)
    # All too small groups together are one, a portfolio of unlike series.
    small = np.bincount(codes)[codes] < SMALLEST_GROUP
    kinds, group = np.unique(np.where(small, len(rows), codes), return_inverse=True)
    return group, kinds < len(rows)


def _common_paths(
    steady: Array, group: Numbers, alike: NDArray[np.bool_], usual: Constants
) -> pd.DataFrame:
    """Groups x periods: the median changes of each group's series, added up."""
    table = pd.DataFrame(steady)
    steps = (table - table.ffill(axis=1).shift(axis=1)).groupby(group)
    count = steps.count()
    steps = count / (count + (usual.half_group or 0)) * steps.median()
    alike = alike & (usual.half_group is not None)
    known = (table.groupby(group).count() > 0).mul(alike, axis=0)
    return steps.fillna(0).cumsum(axis=1).where(known)


@dataclass(frozen=True)
class _Panel:
    """Series on the steady scale, and the number of each one's group."""

    values: Array
    group: Numbers
    per_year: int
    prior: Prior
    usual: Constants

    def predictions(self, horizon: int, beliefs: Array) -> tuple[Array, Array]:
        """Centre and covariance of the periods to come, from what each group believes."""
        centre = np.empty((len(self.values), horizon))
        covariance = np.empty((len(self.values), horizon, horizon))
        for rows, time, readings in self.patterns(np.arange(len(self.values))):
            models = self.fit(time, np.arange(1.0, horizon + 1))
            centre[rows], covariance[rows] = models.predict(readings, beliefs[self.group[rows]])
        return centre, covariance

    def fit(self, time: Array, ahead: Array) -> "_Models":
        """All models for readings and forecasts at these times."""
        # How far a forecast reaches counts from the newest reading, wherever the panel ends.
        times = tuple(time - time[-1]), tuple(ahead - time[-1])
        return _models(*times, self.per_year, self.prior, self.usual)

    def patterns(self, rows: Numbers) -> Iterator[tuple[Numbers, Array, Array]]:
        """Series with readings at the same times, up to 0: their rows, the times, the readings."""
        known = ~np.isnan(self.values[rows])
        pattern = known @ (2 ** np.arange(known.shape[1]))
        for places in pd.Series(pattern).groupby(pattern).indices.values():
            columns = np.flatnonzero(known[places[0]])
            time = columns - (known.shape[1] - 1.0)
            yield rows[places], time, self.values[np.ix_(rows[places], columns)]

    def learnt_beliefs(self) -> Array:
        """Logarithms of how much each group's series believe each model and volatility."""
        usual, prior = self.usual, np.exp(self.prior.beliefs)
        groups = pd.Series(self.group).groupby(self.group)
        sample = groups.head(_LEARNT_FROM).sort_values(kind="stable").index.to_numpy()
        likelihood = np.empty((len(self.values), len(prior)))
        for rows, time, readings in self.patterns(sample):
            likelihood[rows] = self.fit(time, np.array([])).likelihood(readings)[1]
        likelihood, group = usual.learning * likelihood[sample], self.group[sample]
        size = np.bincount(group)
        beliefs = np.tile(np.log(prior), (len(size), 1))
        for _ in range(8):
            share = softmax(beliefs[group] + likelihood, axis=1)
            believed = np.add.reduceat(share, np.cumsum(size) - size, axis=0)
            total = usual.prior_series * prior + believed
            beliefs = np.log(total / (usual.prior_series + size)[:, None])
        return beliefs


class _Models:
    """All models for differences of readings at the same times from the newest of them."""

    def __init__(
        self, time: Times, ahead: Times, per_year: int, prior: Prior, usual: Constants
    ) -> None:
        """Fit to readings at `time`, the newest at 0, for forecasts at `ahead`."""
        self.prior, self.usual = prior, usual
        self.reach, last = np.array(ahead), len(time) - 1
        times = np.array([*time, *ahead])
        joint = np.array([_covariance(times, model, per_year) for model in prior.models])
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
        firm, large = np.array(self.prior.volatilities).T
        series, differences = len(readings), readings.shape[1] - 1
        errors = (readings[:, :-1] - readings[:, -1:]) @ self.roots
        errors = errors.reshape(series, -1, differences)
        rate = 0.5 * np.einsum("skd,skd->sk", errors, errors)[:, :, None] + firm * large**2
        degrees = firm + differences / 2
        constant = gammaln(degrees) - gammaln(firm) + firm * np.log(firm * large**2)
        return rate, (constant - self.size[:, None] - degrees * np.log(rate)).reshape(series, -1)

    def predict(self, readings: Array, beliefs: Array) -> tuple[Array, Array]:
        """Predictions by the average of all models, as wide as such forecasts usually miss."""
        rate, likelihood = self.likelihood(readings)
        share = softmax(beliefs + self.usual.trust * likelihood, axis=1).reshape(rate.shape)
        degrees = 2 * np.array(self.prior.volatilities)[:, 0] + readings.shape[1] - 1
        variance = np.einsum("skv,skv,v->sk", share, rate, 2 / degrees)
        models, horizon = self.covariances.shape[:2]
        each = ((readings[:, :-1] - readings[:, -1:]) @ self.pulls).reshape(-1, models, horizon)
        by_model = share.sum(axis=2)
        centre = np.einsum("sk,skh->sh", by_model, each)
        off = each - centre[:, None, :]
        joint = np.einsum("sk,khg->shg", variance, self.covariances)
        joint += np.einsum("sk,skh,skg->shg", by_model, off, off)
        # How much wider forecasts are than the models say, by history, horizon and width.
        constant, per_reading, per_log, both, per_width = self.prior.spread
        short, far = 1 / readings.shape[1], np.log(self.reach)
        factor = constant + per_reading * short + per_log * far + both * short * far
        factor = factor + per_width * np.log(np.einsum("shh->sh", joint)) / 2
        joint *= np.exp(factor)[:, :, None] * np.exp(factor)[:, None, :]
        return centre + readings[:, -1:], joint


#: Kept, since the same times recur.
_models = lru_cache(maxsize=1024)(_Models)


def _covariance(times: Array, model: tuple[float, ...], per_year: int) -> Array:
    """How the readings of one model vary together, relative to its unknown variance."""
    wander, drift, noise, season, change = model
    at = times - times.min() + 1
    result = wander * np.minimum.outer(at, at) + drift * np.outer(at, at) + noise * np.eye(len(at))
    if per_year > 1:
        same_season = np.subtract.outer(at, at) % per_year == 0
        year = np.ceil(at / per_year)
        result += same_season * (season + change * np.minimum.outer(year, year))
    return np.asarray(result)
