"""Back-tests: what forecasts would have said in the past, and what then came true.

Every series is forecast from each moment at which it had a reading and two before, with what had
happened up to it and no others, for each horizon, and compared with what was observed. Places of
one measure learn from each other at the same moment; in a report a measure usually has one place,
and learns from the portfolio alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from psa_analysis.analysis.forecast import FEWEST, INTERVALS, forecast_series, scale_of
from psa_analysis.analysis.intervals import wilson
from psa_analysis.periods import parse_period, step_of
from psa_analysis.register.agreement import Agreement

#: How far ahead forecasts are tried, in periods.
HORIZONS = {1: 3, 4: 8}
#: Targets are set so many mean steps, times the root of the horizon, from the last reading.
DISTANCES = (-2.0, -1.0, 0.0, 1.0, 2.0)
LEVELS = (np.arange(39) + 0.5) / 39
#: Lengths of history that are told apart: up to so many readings.
HISTORIES = {"3 to 5": 5, "6 to 8": 8, "9 to 12": 12, "13 to 24": 24}

#: What a forecast is of: a row for each series, moment and horizon. The origin is the period of the
#: newest of the readings that it rests on.
KEYS = ["measure", "area", "origin", "period", "readings", "horizon"]
#: Limits of the intervals, and the share of readings that fall below each.
LIMITS = {
    f"{end}_{percent}": 0.5 + sign * percent / 200
    for percent in INTERVALS
    for end, sign in (("low", -1), ("high", 1))
}

_PER_YEAR: dict[object, Literal[1, 4]] = {"quarter": 4}


def real_panel(observations: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """The newest vintage of every figure of an agreement that is not made up."""
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    real = newest[~newest["illustrative"]]
    columns = {name: real["measure"].map(agreement.measures[name]) for name in ("unit", "made_of")}
    return real[["measure", "area", "period", "value"]].assign(**columns).reset_index(drop=True)


def backtest_panel(panel: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of every series from every moment of its past, and chances of targets then set.

    A panel has the columns of :func:`real_panel`. Errors of forecasts are continuous ranked
    probability scores (``crps``), in the measure's unit and over the mean step of the history.
    """
    table = panel[panel["value"].notna()]
    periods = table["period"].map({text: parse_period(text) for text in table["period"].unique()})
    table = table.assign(
        kind=[period.kind for period in periods], step=[step_of(period) for period in periods]
    )
    columns = [*KEYS, "observed", "median", *LIMITS, "crps", "scaled_crps"]
    forecasts = [pd.DataFrame(columns=columns)]
    targets = [pd.DataFrame(columns=[*KEYS, "distance", "target", "chance", "happened"])]
    for kind, rows in table[table["kind"] != "mean_of_years"].groupby("kind"):
        for origin in sorted(rows["step"].unique()):
            result = _from_one_moment(rows, int(origin), _PER_YEAR.get(kind, 1))
            if result is not None:
                forecasts.append(result[0])
                targets.append(result[1])
    # The empty frames stand for no result at all: they would spoil the types of others.
    return (
        pd.concat(forecasts[1:] or forecasts, ignore_index=True),
        pd.concat(targets[1:] or targets, ignore_index=True),
    )


def _from_one_moment(
    rows: pd.DataFrame, origin: int, per_year: Literal[1, 4]
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Every series that has a reading at one moment, forecast from there."""
    horizon = HORIZONS[per_year]
    steps = range(rows["step"].min(), origin + horizon + 1)
    wide = rows.pivot(index=["measure", "area"], columns="step", values="value")
    wide = wide.reindex(columns=steps)
    past, future = wide.loc[:, :origin], wide.loc[:, origin + 1 :]
    # Who is forecast together must not depend on who has a future.
    usable = past[origin].notna() & (past.notna().sum(axis=1) >= FEWEST)
    past, future = past[usable], future[usable]
    if past.empty:
        return None
    # Mean change between readings that follow each other; a series that never moved has no step to
    # measure errors by, and is not scored.
    mean_step = past.apply(lambda row: row.dropna().diff().abs().mean(), axis=1).to_numpy()[:, None]
    observed = np.where(mean_step > 0, future, np.nan)
    if np.isnan(observed).all():
        return None
    measures = rows.drop_duplicates("measure").set_index("measure")
    scales = [
        scale_of(measures.at[measure, "unit"], readings, measures.at[measure, "made_of"])
        for (measure, _), readings in past.iterrows()
    ]
    groups = past.index.get_level_values("measure").tolist()
    forecast = forecast_series(past.to_numpy(), horizon, scales, per_year, groups)
    error = observed[..., None] - forecast.quantile(LEVELS)
    crps = 2 * np.where(error >= 0, LEVELS * error, (LEVELS - 1) * error).mean(axis=-1)
    scored = np.nonzero(~np.isnan(observed))
    series, ahead = scored
    periods = rows.drop_duplicates("step").set_index("step")["period"]
    keys: dict[str, Any] = {
        "measure": past.index.get_level_values("measure")[series],
        "area": past.index.get_level_values("area")[series],
        "origin": periods[origin],
        "period": periods.reindex(origin + 1 + ahead).to_numpy(),
        "readings": forecast.readings[series],
        "horizon": ahead + 1,
    }
    limits = {name: forecast.quantile(share)[scored] for name, share in LIMITS.items()}
    results = keys | {"observed": observed[scored], "median": forecast.quantile(0.5)[scored]}
    errors = {"crps": crps[scored], "scaled_crps": (crps / mean_step)[scored]}
    forecasts = pd.DataFrame(results | limits | errors)
    targets = []
    last = past[[origin]].to_numpy()
    for distance in DISTANCES:
        target = last + distance * mean_step * np.sqrt(np.arange(1, horizon + 1))
        scores = {
            "distance": distance,
            "target": target[scored],
            "chance": forecast.probability(target, "higher")[scored],
            "happened": (observed >= target)[scored],
        }
        targets.append(pd.DataFrame(keys | scores))
    return forecasts, pd.concat(targets, ignore_index=True)


def coverage(forecasts: pd.DataFrame) -> pd.DataFrame:
    """How often readings fell into the intervals, by length of history and horizon."""
    observed = forecasts["observed"]
    inside = {
        f"within_{percent}": (
            (observed >= forecasts[f"low_{percent}"]) & (observed <= forecasts[f"high_{percent}"])
        )
        for percent in INTERVALS
    }
    history = pd.cut(forecasts["readings"], [FEWEST - 1, *HISTORIES.values()], labels=[*HISTORIES])
    columns = [*inside, "scaled_crps"]
    return _mean_scores(
        forecasts.assign(history=history, **inside), ["history", "horizon"], columns
    )


def brier(targets: pd.DataFrame) -> pd.DataFrame:
    """Mean squared difference between chance and what happened, by distance of the target."""
    usual = targets.groupby("distance")["happened"].transform("mean")
    scores = {
        "brier": (targets["chance"] - targets["happened"]) ** 2,
        "base_rate_brier": (usual - targets["happened"]) ** 2,
    }
    return _mean_scores(targets.assign(**scores), ["distance"], list(scores))


def _mean_scores(table: pd.DataFrame, keys: list[str], columns: list[str]) -> pd.DataFrame:
    """Number of forecasts and means of columns, over all rows and by keys."""
    everything = table.assign(**dict.fromkeys(keys, "all"))
    parts = []
    for rows in (everything, table):
        groups = rows.groupby(keys, observed=True)
        means = groups[columns].mean()
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
