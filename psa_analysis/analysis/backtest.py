"""Back-tests: what forecasts would have said in the past, and what then came true."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from psa_analysis.analysis.forecast import FEWEST, INTERVALS, forecast_series
from psa_analysis.analysis.intervals import wilson
from psa_analysis.analysis.outlook import scale_of
from psa_analysis.periods import OF_KIND, parse_period, step_of
from psa_analysis.register.agreement import Agreement

#: How far ahead forecasts are tried, in periods.
HORIZONS = {1: 3, 4: 8}
#: Targets are set so many mean steps, times the root of the horizon, from the last reading.
DISTANCES = (-2.0, -1.0, 0.0, 1.0, 2.0)
LEVELS = (np.arange(39) + 0.5) / 39
#: Lengths of history that are told apart: up to so many readings.
HISTORIES = {"3 to 5": 5, "6 to 8": 8, "9 to 12": 12, "13 to 24": 24}

#: What a forecast is of; its origin is the period of the newest reading that it rests on.
KEYS = ["measure", "area", "origin", "period", "readings", "horizon"]
#: Limits of the intervals, and the share of readings that fall below each.
LIMITS = {
    f"{end}_{percent}": 0.5 + sign * percent / 200
    for percent in INTERVALS
    for end, sign in (("low", -1), ("high", 1))
}


def real_panel(observations: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """The newest vintage of every figure of an agreement that is not made up."""
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    real = newest[~newest["illustrative"]]
    columns = {name: real["measure"].map(agreement.measures[name]) for name in ("unit", "made_of")}
    return real[["measure", "area", "period", "value"]].assign(**columns).reset_index(drop=True)


def backtest_panel(panel: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of every series from every moment of its past, and chances of targets then set.

    Errors are continuous ranked probability scores over the mean step of the history.
    """
    table = panel[panel["value"].notna()]
    periods = table["period"].map(parse_period)
    kinds = periods.map(lambda period: period.kind)
    table = table.assign(kind=kinds, step=periods.map(step_of))
    # The forecaster knows quarters and years, and no months or terms.
    per_year = {kind: OF_KIND[kind].per_year for kind in kinds.unique() if kind in OF_KIND}
    results = [
        _from_one_moment(rows, origin, per_year[kind])
        for kind, rows in table[kinds.map(per_year).isin(HORIZONS)].groupby("kind")
        for origin in sorted(rows["step"].unique())
    ]
    found = [result for result in results if result is not None]
    if not found:
        columns = [*KEYS, "observed", "median", *LIMITS, "scaled_crps"]
        targets = [*KEYS, "distance", "target", "chance", "happened"]
        return pd.DataFrame(columns=columns), pd.DataFrame(columns=targets)
    forecasts, chances = zip(*found, strict=True)
    return pd.concat(forecasts, ignore_index=True), pd.concat(chances, ignore_index=True)


def _from_one_moment(
    rows: pd.DataFrame, origin: int, per_year: int
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Every series that has a reading at one moment, forecast from there."""
    horizon = HORIZONS[per_year]
    wide = rows.pivot(index=["measure", "area", "unit", "made_of"], columns="step", values="value")
    wide = wide.reindex(columns=range(rows["step"].min(), origin + horizon + 1))
    # Who is forecast together must not depend on who has a future.
    past = wide.loc[:, :origin]
    past = past[past[origin].notna() & (past.notna().sum(axis=1) >= FEWEST)]
    # Mean change between readings that follow each other; a series that never moved has no step to
    # measure errors by, and is not scored.
    steps = [row.dropna().diff().abs().mean() for _, row in past.iterrows()]
    mean_step = np.array(steps, dtype=float)[:, None]
    observed = np.where(mean_step > 0, wide.loc[past.index, origin + 1 :], np.nan)
    scored = series, ahead = np.nonzero(~np.isnan(observed))
    if not len(series):
        return None
    scales = [
        scale_of(unit, readings, made_of) for (*_, unit, made_of), readings in past.iterrows()
    ]
    names = past.index.to_frame(index=False)[["measure", "area"]]
    groups = names["measure"].tolist()
    forecast = forecast_series(past, horizon, scales, per_year, groups)
    error = observed[..., None] - forecast.quantile(LEVELS)
    crps = 2 * np.where(error >= 0, LEVELS * error, (LEVELS - 1) * error).mean(axis=-1)
    periods = rows.drop_duplicates("step").set_index("step")["period"]
    keys = names.iloc[series].assign(
        origin=periods[origin],
        period=periods.reindex(origin + 1 + ahead).to_numpy(),
        readings=forecast.readings[series],
        horizon=ahead + 1,
    )
    forecasts = keys.assign(
        observed=observed[scored],
        median=forecast.quantile(0.5)[scored],
        **{name: forecast.quantile(share)[scored] for name, share in LIMITS.items()},
        scaled_crps=(crps / mean_step)[scored],
    )
    targets = []
    last = past[[origin]].to_numpy()
    for distance in DISTANCES:
        target = last + distance * mean_step * np.sqrt(np.arange(1, horizon + 1))
        chance, happened = forecast.probability(target, "higher"), observed >= target
        results = {"target": target[scored], "chance": chance[scored], "happened": happened[scored]}
        targets.append(keys.assign(distance=distance, **results))
    return forecasts, pd.concat(targets)


def coverage(forecasts: pd.DataFrame) -> pd.DataFrame:
    """How often readings fell into the intervals, by length of history and horizon."""
    limits = {share: (forecasts[f"low_{share}"], forecasts[f"high_{share}"]) for share in INTERVALS}
    inside = {f"within_{share}": forecasts["observed"].between(*limits[share]) for share in limits}
    history = pd.cut(forecasts["readings"], [FEWEST - 1, *HISTORIES.values()], labels=[*HISTORIES])
    crps = forecasts["scaled_crps"]
    scores = forecasts[["horizon"]].assign(history=history, **inside, scaled_crps=crps)
    return _mean_scores(scores, ["history", "horizon"])


def brier(targets: pd.DataFrame) -> pd.DataFrame:
    """Mean squared difference between chance and what happened, by distance of the target."""
    usual, happened = targets.groupby("distance")["happened"].transform("mean"), targets["happened"]
    scores = {
        "brier": (targets["chance"] - happened) ** 2,
        "base_rate_brier": (usual - happened) ** 2,
    }
    return _mean_scores(targets[["distance"]].assign(**scores), ["distance"])


def _mean_scores(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Number of forecasts and means of the other columns, over all rows and by keys."""
    parts = []
    for rows in (table.assign(**dict.fromkeys(keys, "all")), table):
        groups = rows.groupby(keys, observed=True)
        means = groups.mean()
        means.insert(0, "forecasts", groups.size())
        parts.append(means.reset_index().astype(dict.fromkeys(keys, object)))
    return pd.concat(parts, ignore_index=True)


def reliability(targets: pd.DataFrame) -> pd.DataFrame:
    """Of the forecasts that said so many per cent, how many came true."""
    tenth = (targets["chance"].astype(float) * 10).astype(int).clip(upper=9)
    targets = targets.assign(said_from=tenth / 10, said_to=(tenth + 1) / 10)
    tenths = ["said_from", "said_to"]
    table = targets.groupby(tenths).agg(
        forecasts=("chance", "size"), said=("chance", "mean"), came_true=("happened", "mean")
    )
    # Targets of one history are no independent cases.
    history = ["series"] if "series" in targets else ["measure", "area", "origin"]
    cases = targets.drop_duplicates([*tenths, *history]).groupby(tenths).size()
    low, high = wilson(table["came_true"] * cases, cases)
    return table.assign(low=low, high=high).reset_index()


def reference(name: Literal["scores", "reliability"]) -> pd.DataFrame:
    """What ``benchmarks/forecast.py`` measured on the reference panels."""
    return pd.read_csv(Path(__file__).parent / f"reference_{name}.csv")
