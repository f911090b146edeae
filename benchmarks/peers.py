"""Forecasters that people use, in one shape: those of ``statsforecast`` and ``statsmodels``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from panels import Cases
from scipy.stats import norm

LEVELS = (np.arange(99) + 0.5) / 99
#: Thresholds: so many mean steps, times the root of the horizon, from the last reading.
DISTANCES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


@dataclass(frozen=True)
class Predicted:
    """One method's forecasts: quantiles, two intervals, probabilities at thresholds, seconds."""

    quantiles: np.ndarray
    within_80: np.ndarray
    within_95: np.ndarray
    probability: np.ndarray
    seconds: float


def thresholds(cases: Cases) -> np.ndarray:
    """Series x horizon x distance."""
    ahead = np.sqrt(np.arange(1, cases.future.shape[1] + 1))
    step = cases.naive_error[:, None, None] * ahead[None, :, None] * DISTANCES
    return cases.history[:, -1][:, None, None] + step


def normal(cases: Cases, mean: np.ndarray, spread: np.ndarray, seconds: float) -> Predicted:
    """A peer's forecasts from its means and standard deviations."""
    spread = np.maximum(spread, 1e-9 * np.abs(cases.history).mean())
    wanted = thresholds(cases)
    return Predicted(
        mean[..., None] + spread[..., None] * norm.ppf(LEVELS),
        np.abs(cases.future - mean) <= norm.ppf(0.9) * spread,
        np.abs(cases.future - mean) <= norm.ppf(0.975) * spread,
        norm.sf((wanted - mean[..., None]) / spread[..., None]),
        seconds,
    )


def peer(model: Callable[[int], object]) -> Callable[[Cases], Predicted | None]:
    """A model of statsforecast, series by series as it works; None where it refuses them."""

    def predict(cases: Cases) -> Predicted | None:
        season = cases.per_year if cases.history.shape[1] >= 2 * cases.per_year else 1
        horizon = cases.future.shape[1]
        means, spreads = [], []
        # Compiled before it is timed.
        try:
            model(season).forecast(y=cases.history[0], h=horizon, level=[80])
        except Exception:
            return None
        began = time.perf_counter()
        for history in cases.history:
            try:
                found = model(season).forecast(y=history, h=horizon, level=[80])
            except Exception:
                return None
            means.append(found["mean"])
            spreads.append((found["hi-80"] - found["lo-80"]) / 2 / norm.ppf(0.9))
        seconds = time.perf_counter() - began
        return normal(*_mended(cases, np.array(means), np.array(spreads)), seconds)

    return predict


def statsmodels_ets(cases: Cases) -> Predicted | None:
    """Additive exponential smoothing of statsmodels: as much of it as the history can carry."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    readings, horizon, season = cases.history.shape[1], cases.future.shape[1], cases.per_year
    means, spreads = [], []
    began = time.perf_counter()
    for history in cases.history:
        try:
            found = ETSModel(
                pd.Series(history),
                error="add",
                trend="add" if readings >= 6 else None,
                damped_trend=readings >= 8,
                seasonal="add" if season > 1 else None,
                seasonal_periods=season if season > 1 else None,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = found.fit(disp=False, maxiter=200)
            ahead = found.get_prediction(start=readings, end=readings + horizon - 1)
            table = ahead.summary_frame(alpha=0.2)
            means.append(table["mean"].to_numpy())
            spreads.append((table["pi_upper"] - table["pi_lower"]).to_numpy() / 2 / norm.ppf(0.9))
        except Exception:
            return None
    return normal(*_mended(cases, np.array(means), np.array(spreads)), time.perf_counter() - began)


def _mended(
    cases: Cases, mean: np.ndarray, spread: np.ndarray
) -> tuple[Cases, np.ndarray, np.ndarray]:
    """Where a peer gives no forecast or interval, its naive one stands in, to its advantage."""
    broken = ~np.isfinite(mean) | ~np.isfinite(spread)
    mean = np.where(broken, cases.history[:, -1:], mean)
    return cases, mean, np.where(broken, cases.naive_error[:, None], spread)


def methods(quick: bool) -> dict[str, Callable[[Cases], Predicted | None]]:
    from statsforecast.models import (
        AutoARIMA,
        AutoETS,
        AutoTheta,
        Naive,
        RandomWalkWithDrift,
        SeasonalNaive,
    )

    found: dict[str, Callable[[Cases], Predicted | None]] = {
        "naive": peer(lambda season: Naive()),
        "drift": peer(lambda season: RandomWalkWithDrift()),
        "seasonal naive": peer(lambda season: SeasonalNaive(season_length=max(season, 1))),
        "AutoETS": peer(lambda season: AutoETS(season_length=season)),
        "AutoTheta": peer(lambda season: AutoTheta(season_length=season)),
    }
    if not quick:
        found["statsmodels ETS"] = statsmodels_ets
        found["AutoARIMA"] = peer(lambda season: AutoARIMA(season_length=season))
    return found
