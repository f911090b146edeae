"""What forecasts said and what came: tried on the past, and in the reports of earlier quarters."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import bdtr

from psa_analysis.analysis.forecast import FEWEST, LIMITS, forecast_series
from psa_analysis.analysis.intervals import wilson
from psa_analysis.periods import OF_KIND, parse_period, step_of, steps_to
from psa_analysis.register.agreement import Agreement, scale_of

#: How far ahead forecasts are tried, in periods.
HORIZONS = {1: 3, 4: 8}
#: Targets are set so many mean steps, times the root of the horizon, from the last reading.
DISTANCES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])

#: What a forecast is of; its origin is the period of the newest reading that it rests on.
KEYS = ["measure", "area", "origin", "period", "readings", "horizon"]

#: With fewer measures even votes that all agree may well be chance.
FEWEST_MEASURES = 6
#: Fewer forecasts than this say too little of how far to trust the next.
ENOUGH = 100


def real_panel(observations: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """The newest vintage of every figure of an agreement that is not made up."""
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    real = newest[~newest["illustrative"]]
    panel = real[["measure", "area", "period", "value"]].reset_index(drop=True)
    return panel.join(agreement.measures[["unit", "made_of"]], on="measure")


def backtest_panel(panel: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of every series from every moment of its past, and chances of targets then set."""
    table = panel[panel["value"].notna()]
    periods = table["period"].map(parse_period)
    table = table.assign(kind=[period.kind for period in periods], step=periods.map(step_of))
    found = []
    for kind, rows in table.groupby("kind"):
        # The forecaster knows quarters and years, and no months or terms.
        if kind in OF_KIND and OF_KIND[kind].per_year in HORIZONS:
            series = ["measure", "area", "unit", "made_of"]
            wide = rows.pivot(index=series, columns="step", values="value")
            wide = wide.reindex(columns=range(wide.columns[0], wide.columns[-1] + 1))
            labels = rows.drop_duplicates("step").set_index("step")["period"]
            for origin in labels.index.sort_values():
                found.append(_from_one_moment(wide, labels, origin, OF_KIND[kind].per_year))
    if not (results := [result for result in found if result is not None]):
        columns = [*KEYS, "observed", "median", *LIMITS]
        return pd.DataFrame(columns=columns), pd.DataFrame(columns=[*KEYS, "chance", "happened"])
    forecasts, chances = zip(*results, strict=True)
    return pd.concat(forecasts, ignore_index=True), pd.concat(chances, ignore_index=True)


def _from_one_moment(
    wide: pd.DataFrame, labels: pd.Series, origin: int, per_year: int
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Every series that has a reading at one moment, forecast from there."""
    horizon = HORIZONS[per_year]
    # Who is forecast together must not depend on who has a future.
    past = wide.loc[:, :origin]
    past = past[past[origin].notna() & (past.notna().sum(axis=1) >= FEWEST)]
    # Mean change between readings that follow each other; a series that never moved is not tried.
    step = past.ffill(axis=1).diff(axis=1).abs().where(past.notna()).mean(axis=1).to_numpy()
    ahead = np.arange(1, horizon + 1)
    observed = wide.reindex(past.index, columns=origin + ahead).to_numpy()
    tried = series, number = np.nonzero(~np.isnan(observed) & (step[:, None] > 0))
    if not len(series):
        return None
    names = past.index.to_frame(index=False)
    scales = [*map(scale_of, names.pop("unit"), past.to_numpy(), names.pop("made_of"))]
    forecast = forecast_series(past, horizon, scales, per_year, names["measure"].tolist())
    keys = names.iloc[series].assign(
        origin=labels[origin],
        period=labels.reindex(origin + ahead).to_numpy()[number],
        readings=forecast.readings[series],
        horizon=ahead[number],
    )
    limits = {name: forecast.quantile(share)[tried] for name, share in LIMITS.items()}
    median = forecast.quantile(0.5)[tried]
    targets = []
    for distance in DISTANCES:
        target = past[[origin]].to_numpy() + distance * step[:, None] * np.sqrt(ahead)
        chance, happened = forecast.probability(target, "higher"), observed >= target
        targets.append(keys.assign(chance=chance[tried], happened=happened[tried]))
    return keys.assign(observed=observed[tried], median=median, **limits), pd.concat(targets)


def make_record(
    forecasts: pd.DataFrame, readings: pd.DataFrame, measures: pd.DataFrame
) -> pd.DataFrame:
    """Each forecast that an earlier report gave of a reading that has come since and is final.

    ``place`` says where it came beside the 80 % range, ``side`` whether it was better (1) or worse
    (-1) than the middle. Measures of which neither way is better have no record.
    """
    firm = readings[readings["reading"].notna() & readings["flag"].isin(["final", "revised"])]
    came = firm[["measure", "period", "reading", "illustrative"]]
    rows = forecasts.merge(came.rename(columns={"reading": "observed"}))
    ways = rows["measure"].map(measures["polarity"].map({"higher": 1.0, "lower": -1.0}))
    rows, better = rows[ways.notna()], ways.dropna().astype(float)
    ahead = steps_to(rows["period_end"].dt, 4) - steps_to(rows["origin_end"].dt, 4)
    # Sums carry rounding errors in their last digits.
    levels = rows[["observed", "median", "low_80", "high_80"]].round(9)
    inside = levels["observed"].clip(levels["low_80"], levels["high_80"])
    side, beyond = (better * np.sign(levels["observed"] - at) for at in (levels["median"], inside))
    place = beyond.map({1: "better", 0: "within", -1: "worse"})
    return rows.assign(quarters_ahead=ahead, side=side, place=place)


def year_before(record: pd.DataFrame) -> pd.DataFrame:
    """Of each reading the forecast given a year before, or the longest before if none was."""
    ahead = record[record["quarters_ahead"].between(1, 4)]
    longest = ahead.groupby(["measure", "period"])["quarters_ahead"].transform("max")
    return ahead[ahead["quarters_ahead"] == longest].sort_values("period_end", kind="stable")


def lean(record: pd.DataFrame) -> tuple[float, int, float] | None:
    """The share of measures that came out better, their number, and the p value of a sign test."""
    # A measure has one vote, since its readings are no independent cases (docs/forecast.md).
    sides = year_before(record).groupby("measure")["side"].mean()
    votes = sides[sides != 0] > 0
    number, better = len(votes), int(votes.sum())
    if number < FEWEST_MEASURES:
        return None
    tail = bdtr(min(better, number - better), number, 0.5)
    return better / number, number, min(1.0, 2 * float(tail))


def held(forecasts: pd.DataFrame) -> tuple[float, float, float]:
    """The share of readings in their 80 % ranges, and its limits of chance."""
    # What all areas of one measure did in a year is one case: they move together.
    share = forecasts["observed"].between(forecasts["low_80"], forecasts["high_80"]).mean()
    years = forecasts["period"].map(lambda label: parse_period(label).end.year)
    cases = len(set(zip(forecasts["measure"], years, strict=True)))
    low, high = wilson(share * cases, cases)
    return float(share), float(low), float(high)


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


def reference(name: Literal["scores", "reliability", "trends"]) -> pd.DataFrame:
    """What ``benchmarks/forecast.py`` and ``trends.py`` measured on the reference panels."""
    return pd.read_csv(Path(__file__).parent / f"reference_{name}.csv")
