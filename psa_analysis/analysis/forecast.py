"""Forecasts: how likely each reading to come is, from three to twenty-four that have come.

1. Readings are put on a scale on which chance is about as large everywhere: the square root for
   counts and other positive figures, the arcsine of the root for percentages (Anscombe 1948).
2. A few small models are fitted in closed form: a level that wanders, a drift, noise around the
   level, and for quarters a seasonal pattern, in different proportions. Each is a Gaussian process
   with an unknown variance, so that it predicts a Student t (Rasmussen and Williams 2006, ch. 2;
   Gelman and others, Bayesian Data Analysis, ch. 14).
3. They are averaged by how well each explains the history. Four readings cannot tell them apart, so
   the weights begin at what is usual (``constants.json``, made by ``benchmarks/calibrate.py`` from
   reference panels) and move with all series of the group: what measures of this kind do.
4. The group's common drift is taken out before and put back after, shrunk by the group's size.
5. The spread is scaled by what such forecasts missed by: on the reference panels, by history and
   horizon; and in the group itself, where every series' last reading is forecast from those before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter
from scipy.special import gammaln, stdtr, stdtrit

from psa_analysis.register.agreement import rate_factor

#: What a figure can be: ``percent`` lies in 0 to 100, a ``count`` is a whole number, ``positive``
#: is anything else from 0 up, ``real`` may be negative.
Scale = Literal["percent", "count", "positive", "real"]
SCALES: tuple[Scale, ...] = ("percent", "count", "positive", "real")

#: Intervals that are shown, in per cent.
INTERVALS = (50, 80, 95)
#: Readings that are looked at, counted from the newest; older ones say little.
LONGEST = 24
#: Fewer readings than this are refused: two make a line, and nothing says how far it holds.
FEWEST = 3
#: A group of fewer series than this tells little of its own kind, and joins all other such series.
SMALLEST_GROUP = 10
#: Series of a group that its weights are learnt from; more change nothing that can be seen.
_LEARNT_FROM = 2000
_CHUNK = 4096
#: A group's own errors may narrow or widen its forecasts so far.
_OWN_SCALE = (0.4, 2.5)
#: The spread was calibrated for histories of this many readings and more.
_SHORTEST_CALIBRATED = 4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Constants:
    """What is usual: for years or for quarters, from the reference panels.

    Attributes
    ----------
    models : tuple of tuple
        Variances of each model relative to one another: level, drift, slope, noise, season and
        change of season, and the slope's damping.
    weights : tuple of float
        How much each model is believed before any reading, as logarithms.
    volatilities : tuple of tuple
        Prior guesses of the size of change: how firm, and how large relative to the level.
    volatility_weights : tuple of float
        How much each of these is believed, as logarithms.
    prior_series : float
        How many series of a group outweigh the weights above.
    learning, trust : float
        Powers of the likelihood, below 1 since no model is right: for the group, for one series.
    drift, drift_series : float
        Share of the group's common drift that is kept, and the size of group that halves it.
    own_scale, own_series : float
        The same for the scale of the group's own errors.
    spread : tuple of float
        Logarithm of the factor on the spread: constant, per 1 / readings, per log horizon, per
        log horizon / readings.
    tails : float
        Factor on the degrees of freedom: real series surprise more often than their models do.
    """

    models: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    volatilities: tuple[tuple[float, float], ...]
    volatility_weights: tuple[float, ...]
    prior_series: float
    learning: float
    trust: float
    drift: float
    drift_series: float
    own_scale: float
    own_series: float
    spread: tuple[float, float, float, float]
    tails: float


@cache
def constants(per_year: int) -> Constants:
    """The constants for yearly (1) or quarterly (4) readings."""
    stored = json.loads((Path(__file__).parent / "constants.json").read_text())
    return TypeAdapter(Constants).validate_python(stored[str(per_year)])


@dataclass(frozen=True)
class Forecast:
    """Predictive distributions: one per series and period to come.

    On each series' own scale the distribution is a Student t.

    Attributes
    ----------
    centre, spread : numpy.ndarray
        Series x horizon; missing where there is no forecast.
    degrees : numpy.ndarray
        Degrees of freedom of each series.
    level : numpy.ndarray
        What each series was divided by.
    scale : numpy.ndarray of str
        Each series' scale, one of :data:`SCALES`.
    readings : numpy.ndarray of int
        How many readings each forecast rests on; fewer than :data:`FEWEST` give none.
    correlation : numpy.ndarray or None
        Series x horizon x horizon: how the periods to come go together. Only where asked for.
    """

    centre: Array
    spread: Array
    degrees: Array
    level: Array
    scale: NDArray[np.str_]
    readings: NDArray[np.int64]
    correlation: Array | None = None

    def quantile(self, share: ArrayLike) -> Array:
        """Values that the reading falls below with the given probabilities."""
        shares = np.atleast_1d(np.asarray(share, dtype=float))
        if not ((shares > 0) & (shares < 1)).all():
            raise ValueError(f"probabilities lie between 0 and 1, not {shares}")
        # Degrees of freedom come in halves, so each is looked up once.
        different, place = np.unique(self.degrees, return_inverse=True)
        deviates = stdtrit(different[:, None], shares[None, :])[place]
        values = self.centre[..., None] + self.spread[..., None] * deviates[:, None, :]
        values = _back(values * self.level[:, None, None], self.scale)
        return values if np.ndim(share) else values[..., 0]

    def probability(self, value: ArrayLike, polarity: Literal["higher", "lower"]) -> Array:
        """How likely the reading is to be `value` or better."""
        if polarity not in ("higher", "lower"):
            raise ValueError(f"polarity is higher or lower, not {polarity}")
        wanted = np.asarray(value, dtype=float)
        if wanted.ndim < 2:
            wanted = np.broadcast_to(wanted, self.level.shape)[:, None]
        # A count of 277 stands for 276.5 to 277.5.
        scale = self.scale[:, None]
        counted = scale == "count"
        edge = np.ceil(wanted) - 0.5 if polarity == "higher" else np.floor(wanted) + 0.5
        wanted = np.where(counted, edge, wanted)
        below = stdtr(
            self.degrees[:, None],
            (_forth(wanted, self.scale) / self.level[:, None] - self.centre) / self.spread,
        )
        # Beyond the ends of the scale there is nothing.
        top = np.where(scale == "percent", 100.0, np.inf)
        bottom = np.where(scale == "real", -np.inf, 0.0)
        if polarity == "higher":
            found = np.where(wanted > top, 0.0, 1 - below)
            found = np.where(wanted <= bottom, 1.0, found)
        else:
            found = np.where(wanted < bottom, 0.0, below)
            found = np.where(wanted >= top, 1.0, found)
        return np.where(np.isnan(self.spread) | np.isnan(wanted), np.nan, found)

    def one(self, number: int, horizon: int) -> Forecast:
        """The forecast of one series alone, no further than a horizon."""
        row, ahead = slice(number, number + 1), slice(horizon)
        together = None if self.correlation is None else self.correlation[row, ahead, ahead]
        return Forecast(
            self.centre[row, ahead],
            self.spread[row, ahead],
            self.degrees[row],
            self.level[row],
            self.scale[row],
            self.readings[row],
            together,
        )

    def paths(self, number: int, seed: int) -> Array:
        """Draws of all periods to come together, for what is made of several of them."""
        if self.correlation is None:
            raise ValueError("paths need a forecast made with joint=True")
        generator = np.random.default_rng(seed)
        shape = (len(self.level), number, self.centre.shape[1])
        # Half of them mirrored, so that the middle of the draws is the middle of the forecast.
        half = generator.standard_normal((shape[0], -(-number // 2), shape[2]))
        normal = np.concatenate([half, -half], axis=1)[:, :number]
        stretch = generator.chisquare(self.degrees[:, None], (shape[0], half.shape[1]))
        stretch = np.concatenate([stretch, stretch], axis=1)[:, :number]
        root = np.linalg.cholesky(self.correlation + 1e-9 * np.eye(shape[2]))
        drawn = np.einsum("shg,sng->snh", root, normal)
        drawn *= np.sqrt(self.degrees[:, None] / stretch)[..., None]
        values = self.centre[:, None, :] + self.spread[:, None, :] * drawn
        return _back(values * self.level[:, None, None], self.scale)


#: Units whose figures may be negative.
SIGNED_UNITS = ("percent change", "percentage points")


def scale_of(unit: str, values: ArrayLike, made_of: str = "") -> Scale:
    """What figures of a unit are, to a forecast."""
    if unit == "percent":
        return "percent"
    if unit in SIGNED_UNITS:
        return "real"
    figures = np.asarray(values, dtype=float)
    figures = figures[~np.isnan(figures)]
    whole = bool((figures == np.rint(figures)).all()) and rate_factor(unit) is None
    amounts = made_of == "amounts" or unit == "index" or unit.startswith("million ")
    return "count" if whole and not amounts else "positive"


def forecast_series(
    readings: ArrayLike,
    horizon: int,
    scale: Scale | Sequence[Scale],
    per_year: Literal[1, 4] = 1,
    groups: Sequence[object] | None = None,
    denominators: ArrayLike | None = None,
    joint: bool = False,
    usual: Constants | None = None,
) -> Forecast:
    """Forecast a panel of series, all from the same moment on.

    Parameters
    ----------
    readings : array, series x periods
        Equal steps in time, the newest last; missing where a series has none, at the beginning,
        in the middle or at the end. Only the newest 24 columns are looked at.
    horizon : int
        How many periods after the last column.
    scale : str or sequence of str
        What the figures are, for all or for each series: one of :data:`SCALES`.
    per_year : {1, 4}
        Yearly or quarterly readings.
    groups : sequence, optional
        Which series are of one kind, such as one measure in many places; all of them if not given.
        Groups of fewer than ten are taken together, as a portfolio without a common drift.
    denominators : array, one per series, optional
        For percentages: how many cases the next reading will rest on. No forecast is narrower
        than their chance variation.
    joint : bool
        Also how the periods to come go together, which :meth:`Forecast.paths` needs.
    usual : Constants, optional
        Other constants than the shipped ones, for calibrating them.

    Returns
    -------
    Forecast

    Raises
    ------
    ValueError
        If an argument has another shape, or a figure does not fit its scale.
    """
    values = np.array(readings, dtype=float, ndmin=2)[:, -LONGEST:]
    scales = np.broadcast_to(np.asarray(scale, dtype="U8"), len(values))
    _check(values, horizon, scales, per_year)
    usual = usual or constants(per_year)
    held = ~np.isnan(values)
    count = held.sum(axis=1)
    level = _levels(values, scales)
    changed = _forth(values, scales) / level[:, None]
    enough = np.flatnonzero(count >= FEWEST)
    result = Forecast(
        np.full((len(values), horizon), np.nan),
        np.full((len(values), horizon), np.nan),
        np.full(len(values), 3.0),
        level,
        scales,
        count,
        np.tile(np.eye(horizon), (len(values), 1, 1)) if joint else None,
    )
    if not len(enough) or not horizon:
        return result
    group, portfolio = _grouped(groups, len(values), enough)
    panel = _Panel(changed[enough], held[enough], group, portfolio)
    noise = _noise(values, scales, level, denominators)[enough]
    centre, spread, degrees, correlation = _predict(panel, horizon, per_year, usual, joint)
    floor = np.sqrt(noise * (1 + 1 / count[enough]))
    result.centre[enough] = centre
    result.spread[enough] = np.maximum(spread, floor[:, None])
    result.degrees[enough] = degrees
    if result.correlation is not None:
        result.correlation[enough] = correlation
    return result


def _check(values: Array, horizon: int, scales: NDArray[np.str_], per_year: int) -> None:
    if horizon < 0:
        raise ValueError(f"the horizon is a number of periods, not {horizon}")
    if per_year not in (1, 4):
        raise ValueError(f"readings come once or four times a year, not {per_year} times")
    if unknown := set(scales.tolist()) - set(SCALES):
        raise ValueError(f"a scale is one of {', '.join(SCALES)}, not {', '.join(sorted(unknown))}")
    if np.isinf(values).any():
        raise ValueError("a reading is infinite")
    below = (values < 0).any(axis=1) & (scales != "real")
    above = (values > 100).any(axis=1) & (scales == "percent")
    for wrong, words in ((below, "is negative"), (above, "is above 100")):
        if wrong.any():
            number = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"series {number}: a reading {words}, and its scale {scales[number]}")


def _forth(values: Array, scales: NDArray[np.str_]) -> Array:
    """Figures on the scale on which chance is about as large everywhere."""
    kind = scales.reshape((-1,) + (1,) * (values.ndim - 1))
    share = np.arcsin(np.sqrt(np.clip(values / 100, 0, 1)))
    root = np.sqrt(np.maximum(values, 0))
    return np.where(kind == "percent", share, np.where(kind == "real", values, root))


def _back(changed: Array, scales: NDArray[np.str_]) -> Array:
    """The figures that :func:`_forth` was given; counts are whole."""
    kind = scales.reshape((-1,) + (1,) * (changed.ndim - 1))
    share = 100 * np.sin(np.clip(changed, 0, np.pi / 2)) ** 2
    square = np.maximum(changed, 0) ** 2
    square = np.where(kind == "count", np.rint(square), square)
    return np.where(kind == "percent", share, np.where(kind == "real", changed, square))


def _levels(values: Array, scales: NDArray[np.str_]) -> Array:
    """What each series is divided by, so that the size of change is a share of the level.

    A percentage has a level already, and the same one whether successes or failures are counted.
    A figure that may be negative has none: ten times its usual change stands for it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        held = ~np.isnan(values)
        filled = np.where(held, _forth(values, scales), 0.0)
        root = filled.sum(axis=1) / held.sum(axis=1)
        usual = np.array([_usual_change(row) for row in values[scales == "real"]])
    level = np.where(scales == "percent", 1.0, root)
    level[scales == "real"] = 10 * usual
    return np.where((level > 0) & np.isfinite(level), level, 1.0)


def _usual_change(row: Array) -> float:
    """Root mean square of the changes from each reading to the next, whatever lies between."""
    steps = np.diff(row[~np.isnan(row)])
    return float(np.sqrt((steps**2).mean())) if len(steps) else 0.0


def _noise(
    values: Array, scales: NDArray[np.str_], level: Array, denominators: ArrayLike | None
) -> Array:
    """Chance variation of a single reading on the changed scale: Poisson or binomial."""
    cases = np.full(len(values), np.nan)
    if denominators is not None:
        cases = np.broadcast_to(np.asarray(denominators, dtype=float), len(values))
    with np.errstate(divide="ignore"):
        binomial = np.where(cases > 0, 1 / (4 * cases), 0.0)
    known = np.where(scales == "count", 0.25, np.where(scales == "percent", binomial, 0.0))
    return known / level**2


def _grouped(
    groups: Sequence[object] | None, size: int, enough: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int | None]:
    """Numbers of groups from 0, and which of them is the portfolio of all that are too small."""
    if groups is None:
        return np.zeros(len(enough), dtype=np.int64), None
    if len(groups) != size:
        raise ValueError(f"there are {size} series and {len(groups)} groups")
    numbers: dict[object, int] = {}
    codes = np.array([numbers.setdefault(one, len(numbers)) for one in groups], dtype=np.int64)
    codes = codes[enough]
    small = np.bincount(codes, minlength=len(numbers))[codes] < SMALLEST_GROUP
    codes = np.where(small, len(numbers), codes)
    different, codes = np.unique(codes, return_inverse=True)
    return codes.astype(np.int64), len(different) - 1 if small.any() else None


@dataclass(frozen=True)
class _Panel:
    """Series on the changed scale: figures, which of them are there, and each one's group."""

    values: Array
    held: NDArray[np.bool_]
    group: NDArray[np.int64]
    portfolio: int | None

    def patterns(self) -> Iterator[tuple[NDArray[np.int64], Array]]:
        """Series with readings at the same places: their numbers, and these places.

        The place of the last column is 0, the one before -1.
        """
        held = self.held
        packed = np.packbits(held, axis=1)
        _, first, pattern = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(pattern.reshape(-1), kind="stable")
        ends = np.cumsum(np.bincount(pattern.reshape(-1)))[:-1]
        for one, rows in zip(first, np.split(order, ends), strict=True):
            places = np.flatnonzero(held[one]).astype(float) - (held.shape[1] - 1)
            yield rows.astype(np.int64), places


def _predict(
    panel: _Panel, horizon: int, per_year: int, usual: Constants, joint: bool
) -> tuple[Array, Array, Array, Array]:
    """Centre, spread, degrees of freedom and correlation of every series of a panel."""
    drift = _common_drift(panel, per_year, usual)
    weights, own = _learn(panel, drift, per_year, usual)
    shape = (len(panel.values), horizon)
    centre, spread, degrees = np.empty(shape), np.empty(shape), np.empty(len(panel.values))
    correlation = np.empty((len(panel.values) if joint else 0, horizon, horizon))
    ahead = np.arange(1.0, horizon + 1)
    for rows, places in panel.patterns():
        models = _fit(tuple(places), tuple(ahead), per_year, usual)
        # How far a forecast reaches counts from the newest reading, wherever the panel ends.
        reach = ahead - places[-1]
        factor = _spread_factor(len(places), reach, usual)
        held_out = np.minimum(reach.astype(int) - 1, own.shape[1] - 1)
        columns = (places + panel.values.shape[1] - 1).astype(int)
        for start in range(0, len(rows), _CHUNK):
            some = rows[start : start + _CHUNK]
            slope = drift[panel.group[some]][:, None]
            values = panel.values[np.ix_(some, columns)] - slope * places
            believed = weights[panel.group[some]]
            middle, width, degrees[some] = models.predict(values, believed, usual)
            if joint:
                correlation[some] = models.correlation(values, believed, usual)
            centre[some] = middle + slope * ahead
            spread[some] = width * factor * own[panel.group[some]][:, held_out]
    return centre, spread, degrees, correlation


def _common_drift(panel: _Panel, per_year: int, usual: Constants) -> Array:
    """Each group's median change per period, shrunk by how few series it is the median of.

    Between the newest reading and the oldest of the same season.
    """
    columns = panel.values.shape[1]
    last = columns - 1 - panel.held[:, ::-1].argmax(axis=1)
    apart = last[:, None] - np.arange(columns)
    season = panel.held & (apart > 0) & (apart % per_year == 0)
    first = season.argmax(axis=1)
    row = np.arange(len(panel.values))
    with np.errstate(invalid="ignore", divide="ignore"):
        change = (panel.values[row, last] - panel.values[row, first]) / (last - first)
    change[~season.any(axis=1)] = np.nan
    drift = np.zeros(panel.group.max() + 1)
    for number in range(len(drift)):
        mine = change[(panel.group == number) & ~np.isnan(change)]
        # Unlike measures move in unlike directions, so a portfolio has no common drift.
        if len(mine) and number != panel.portfolio:
            shrunk = len(mine) / (len(mine) + usual.drift_series)
            drift[number] = usual.drift * shrunk * np.median(mine)
    return drift


def _learn(panel: _Panel, drift: Array, per_year: int, usual: Constants) -> tuple[Array, Array]:
    """What each group teaches: the models' weights, and the scale of its own errors by horizon."""
    sizes = np.bincount(panel.group)
    # Evenly spread over the group, so that the same panel teaches the same every time.
    rank = np.empty(len(panel.group), dtype=np.int64)
    order = np.argsort(panel.group, kind="stable")
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = np.ceil(sizes / _LEARNT_FROM).astype(np.int64)
    chosen = np.flatnonzero(rank % step[panel.group] == 0)
    chosen = chosen[np.argsort(panel.group[chosen], kind="stable")]
    sample = _Panel(panel.values[chosen], panel.held[chosen], panel.group[chosen], panel.portfolio)
    prior = _prior(usual)
    likelihood = np.empty((len(chosen), len(prior)))
    errors = np.full((len(chosen), per_year), np.nan)
    columns = panel.values.shape[1]
    for rows, places in sample.patterns():
        index = (places + columns - 1).astype(int)
        values = sample.values[np.ix_(rows, index)] - drift[sample.group[rows]][:, None] * places
        likelihood[rows] = _fit(tuple(places), (), per_year, usual).likelihood(values)
    used = np.bincount(sample.group)
    begins = np.cumsum(used) - used
    weights = np.tile(prior, (len(sizes), 1))
    begin = np.exp(prior)
    for _ in range(8):
        share = _softmax(weights[sample.group] + usual.learning * likelihood)
        total = np.add.reduceat(share, begins, axis=0)
        weights = np.log(
            (usual.prior_series * begin + total) / (usual.prior_series + used)[:, None]
        )
    for rows, places in sample.patterns():
        # A year is held out where that leaves two, else the last reading.
        out = per_year if len(places) >= 3 * per_year else 1
        if len(places) - out < FEWEST:
            continue
        index = (places + columns - 1).astype(int)
        values = sample.values[np.ix_(rows, index)] - drift[sample.group[rows]][:, None] * places
        now = places[-out - 1]
        models = _fit(tuple(places[:-out] - now), tuple(places[-out:] - now), per_year, usual)
        middle, width, degrees = models.predict(
            values[:, :-out], weights[sample.group[rows]], usual
        )
        width = width * _spread_factor(len(places) - out, places[-out:] - now, usual)
        usually = stdtrit(degrees, 0.9)[:, None]
        missed = np.abs(values[:, -out:] - middle) / width / usually
        # A series that never moved has nothing to say of how far others miss.
        missed[np.ptp(sample.values[np.ix_(rows, index)], axis=1) == 0] = np.nan
        errors[rows, :out] = missed
    own = np.ones((len(sizes), per_year))
    for number in range(len(sizes)):
        mine = errors[sample.group == number]
        for ahead in range(per_year):
            there = mine[~np.isnan(mine[:, ahead]), ahead]
            if len(there):
                kept = usual.own_scale * len(there) / (len(there) + usual.own_series)
                low, high = _OWN_SCALE
                own[number, ahead] = np.clip(np.quantile(there, 0.8), low, high) ** kept
            elif ahead:
                own[number, ahead] = own[number, ahead - 1]
    return weights, own


def _spread_factor(readings: int, ahead: Array, usual: Constants) -> Array:
    constant, per_reading, per_log, both = usual.spread
    log, readings = np.log(ahead), max(readings, _SHORTEST_CALIBRATED)
    return np.asarray(np.exp(constant + per_reading / readings + log * (per_log + both / readings)))


def _prior(usual: Constants) -> Array:
    """Logarithm of each model's and volatility's weight before any reading."""
    models = np.log(_softmax(np.array(usual.weights)))
    sizes = np.log(_softmax(np.array(usual.volatility_weights)))
    return np.asarray((models[:, None] + sizes[None, :]).ravel())


def _softmax(values: Array) -> Array:
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class _Models:
    """All models for readings at the same places, ready to be multiplied with readings.

    Attributes
    ----------
    roots : numpy.ndarray
        For differences from the newest reading, of which there are one fewer than readings:
        differences x (models x differences). The product's squares add up to a model's misfit.
    size : numpy.ndarray
        Half the logarithm of each model's determinant.
    pulls : numpy.ndarray
        Differences x (models x horizon): the product is each model's prediction.
    covariances : numpy.ndarray
        Models x horizon x horizon, relative to the unknown variance.
    firm, large : numpy.ndarray
        The prior guesses of the variance.
    """

    roots: Array
    size: Array
    pulls: Array
    covariances: Array
    firm: Array
    large: Array

    def _misfit(self, values: Array) -> tuple[Array, Array]:
        """Scale of the variance's posterior, and the log likelihood, of every series and model."""
        own = values[:, :-1] - values[:, -1:]
        readings = values.shape[1]
        squares = (own @ self.roots) ** 2
        # Summed by a product, which is faster than by an axis.
        misfit = squares.reshape(-1, readings - 1) @ np.ones(readings - 1)
        rate = 0.5 * misfit.reshape(len(values), -1, 1) + self.firm * self.large**2
        degrees = self.firm + (readings - 1) / 2
        constant = (
            gammaln(degrees) - gammaln(self.firm) + self.firm * np.log(self.firm * self.large**2)
        )
        likelihood = constant - self.size[:, None] - degrees * np.log(rate)
        return rate, likelihood

    def likelihood(self, values: Array) -> Array:
        """Log likelihood: series x (models x volatilities)."""
        return self._misfit(values)[1].reshape(len(values), -1)

    def predict(
        self, values: Array, weights: Array, usual: Constants
    ) -> tuple[Array, Array, Array]:
        """Centre, spread and degrees of freedom of the average of all models."""
        share, variance, each = self._believed(values, weights, usual)
        own = share.sum(axis=2)
        centre = np.einsum("sk,skh->sh", own, each)
        apart = np.einsum("sk,skh->sh", own, (each - centre[:, None, :]) ** 2)
        spread = np.sqrt(variance @ np.einsum("khh->kh", self.covariances) + apart)
        degrees = 2 * self.firm + values.shape[1] - 1
        average = np.clip(usual.tails * np.einsum("skv,v->s", share, degrees), 3, 60)
        return centre + values[:, -1:], spread, np.rint(2 * average) / 2

    def correlation(self, values: Array, weights: Array, usual: Constants) -> Array:
        """How the periods to come go together in the average of all models."""
        share, variance, each = self._believed(values, weights, usual)
        own = share.sum(axis=2)
        off = each - np.einsum("sk,skh->sh", own, each)[:, None, :]
        joint = np.einsum("sk,khg->shg", variance, self.covariances)
        joint += np.einsum("sk,skh,skg->shg", own, off, off)
        width = np.sqrt(np.einsum("shh->sh", joint))
        return np.asarray(joint / width[:, :, None] / width[:, None, :])

    def _believed(
        self, values: Array, weights: Array, usual: Constants
    ) -> tuple[Array, Array, Array]:
        """Each model's share, its variance times its share, and its own prediction."""
        rate, likelihood = self._misfit(values)
        share = _softmax(weights + usual.trust * likelihood.reshape(len(values), -1))
        share = share.reshape(rate.shape)
        degrees = 2 * self.firm + values.shape[1] - 1
        variance = np.einsum("skv,skv,v->sk", share, rate, 2 / degrees)
        each = (values[:, :-1] - values[:, -1:]) @ self.pulls
        return share, variance, each.reshape(len(values), len(self.size), -1)


def _fit(
    places: tuple[float, ...], ahead: tuple[float, ...], per_year: int, usual: Constants
) -> _Models:
    """Work out every model for readings at `places` and periods `ahead` of the last column."""
    return _fitted(places, ahead, per_year, usual.models, usual.volatilities)


@lru_cache(maxsize=1024)
def _fitted(
    places: tuple[float, ...],
    ahead: tuple[float, ...],
    per_year: int,
    models: tuple[tuple[float, ...], ...],
    volatilities: tuple[tuple[float, float], ...],
) -> _Models:
    last = len(places) - 1
    time = np.array([*places, *ahead])
    roots, sizes, pulls, covariances = [], [], [], []
    for model in models:
        whole = _covariance(time, model, per_year)
        # Of differences from the newest reading, since the level itself may be anything.
        apart = whole - whole[:, [last]] - whole[[last], :] + whole[last, last]
        past, joint, ahead_of = (
            apart[:last, :last],
            apart[last + 1 :, :last],
            apart[last + 1 :, last + 1 :],
        )
        inverse = np.linalg.inv(past)
        lower = np.linalg.cholesky((inverse + inverse.T) / 2)
        pull = joint @ inverse
        roots.append(lower)
        sizes.append(-np.log(np.diag(lower)).sum())
        pulls.append(pull.T)
        covariances.append(ahead_of - pull @ joint.T)
    firm, large = np.array(volatilities).T
    return _Models(
        np.hstack(roots), np.array(sizes), np.hstack(pulls), np.array(covariances), firm, large
    )


def _covariance(time: Array, model: tuple[float, ...], per_year: int) -> Array:
    """How the readings of one model vary together, relative to its unknown variance."""
    wander, drift, slope, noise, season, change, damping = model
    since = time - time.min() + 1
    periods = round(float(since.max()))
    steps = np.arange(1.0, periods + 1)
    result = wander * np.minimum.outer(since, since) + noise * np.eye(len(time))
    # What a slope of one adds up to after so many periods, where it fades.
    travelled = np.concatenate([[0.0], np.cumsum(damping ** np.arange(periods))])
    at = np.rint(since).astype(int)
    result += drift * np.outer(travelled[at], travelled[at])
    if slope:
        for shock in steps:
            after = travelled[np.maximum(at - int(shock) + 1, 0)]
            result += slope * np.outer(after, after)
    if season and per_year > 1:
        same = (np.subtract.outer(at, at) % per_year) == 0
        year = np.ceil(since / per_year)
        result += same * (season + change * np.minimum.outer(year, year))
    return np.asarray(result)
