"""Back-tests: what forecasts would have said at every moment of the past, and what then came.

At every period the forecasts are made from the readings up to it and no others, for each horizon,
and compared with what was observed. Places of one measure learn from each other at the same
moment; in a report a measure usually has one place, and learns from the portfolio alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.forecast import FEWEST, forecast, scale_of
from psa_analysis.analysis.intervals import wilson
from psa_analysis.analysis.outlook import INTERVALS
from psa_analysis.findings import DataError, Finding, did_you_mean
from psa_analysis.periods import PeriodError, parse_period, step_of
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report

#: How far ahead forecasts are tried, in periods.
HORIZONS = {1: 3, 4: 8}
#: Targets are set so many mean steps, times the root of the horizon, from the last reading.
DISTANCES = (-2.0, -1.0, 0.0, 1.0, 2.0)
LEVELS = (np.arange(39) + 0.5) / 39

#: Columns of the forecasts, one row per series, moment and horizon.
FORECAST_COLUMNS = {
    "measure": "the measure",
    "area": "the place",
    "origin": "the period of the newest reading that the forecast knew",
    "period": "the period that was forecast",
    "readings": "how many readings it rests on",
    "horizon": "how many periods ahead",
    "observed": "what then came",
    "median": "the middle of the forecast",
    "low_50": "the 50 % interval's ends",
    "high_50": "",
    "low_80": "the 80 % interval's ends",
    "high_80": "",
    "low_95": "the 95 % interval's ends",
    "high_95": "",
    "crps": "continuous ranked probability score, in the measure's unit",
    "scaled_crps": "the same over the mean step within the history",
}

_PER_YEAR = {"quarter": 4}
#: No return holds a figure of this size.
_LARGEST = 1e15


def read_panel(path: Path, units: dict[str, str]) -> pd.DataFrame:
    """Read a panel: measure, area, period, value, and unit where it is not known."""
    name = path.name
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(
            [Finding("error", name, "a CSV or Parquet file", "Name another.", found=str(error))]
        ) from None
    missing = [one for one in ("measure", "area", "period", "value") if one not in table]
    if missing:
        raise DataError(
            [
                Finding(
                    "error",
                    name,
                    f"a column '{one}'",
                    did_you_mean(one, table.columns) or "Add it.",
                    column=one,
                )
                for one in missing
            ]
        )
    table = table.reset_index(drop=True)
    problems: list[Finding] = []

    def refuse(rows: pd.Series, column: str, expected: str, remedy: str) -> None:
        problems.extend(
            Finding(
                "error",
                name,
                expected,
                remedy,
                row=int(row) + 2,
                column=column,
                found=str(table.at[row, column]),
            )
            for row in table.index[rows]
        )

    for column in ("measure", "area"):
        refuse(table[column].isna(), column, "a name", "Fill the cell.")
    truth = table["value"].map(lambda value: isinstance(value, bool | np.bool_))
    number = pd.to_numeric(table["value"].where(~truth), errors="coerce").astype(float)
    number = number.where(number.abs() < _LARGEST)
    wrong = number.isna() & table["value"].notna()
    refuse(wrong, "value", f"a number below {_LARGEST:.0e}", "Correct the cell.")
    labels: dict[object, str] = {}
    for text in table["period"].unique():
        try:
            labels[text] = parse_period(str(text)).label
        except PeriodError as error:
            expected = str(error).rpartition("expected ")[2]
            refuse(table["period"] == text, "period", expected, "Correct the cell.")
            refuse(table["period"].isna() & pd.isna(text), "period", expected, "Fill the cell.")
    table["period"] = table["period"].map(labels)
    given = table.get("unit", pd.Series(np.nan, index=table.index))
    unit = given.where(given.isna(), given.astype(str))
    unit = unit.astype(object).where(given.notna(), table["measure"].map(units))
    several = unit.groupby(table["measure"]).transform("nunique") > 1
    refuse(several, "measure", "one unit for a measure", "Give each unit a measure of its own.")
    for one in table.loc[unit.isna(), "measure"].unique():
        remedy = did_you_mean(str(one), units) or "Say what its figures are, such as percent."
        expected = "a column 'unit', or a measure of the register"
        refuse((table["measure"] == one) & unit.isna(), "measure", expected, remedy)
    remedy = "Correct the cell, or the unit."
    above = (unit == "percent") & ((number > 100) | (number < 0))
    refuse(above, "value", "0 to 100 for a percentage", remedy)
    signed = unit.isin(["percent", "percent change", "percentage points"])
    refuse(~signed & (number < 0), "value", "0 or more", remedy)
    repeated = table.duplicated(["measure", "area", "period"])
    refuse(repeated, "period", "each figure only once", "Keep one of them.")
    if problems:
        raise DataError(problems)
    return table[["measure", "area", "period"]].assign(value=number, unit=unit)


def real_panel(observations: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """The newest vintage of every figure of an agreement that is not made up."""
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    real = newest[~newest["illustrative"]]
    columns = {name: real["measure"].map(agreement.measures[name]) for name in ("unit", "made_of")}
    return real[["measure", "area", "period", "value"]].assign(**columns).reset_index(drop=True)


def backtest(
    panel: pd.DataFrame, progress: Callable[[int, int], None] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecast every series from every moment of its past."""
    table = panel[panel["value"].notna()].copy()
    if "made_of" not in table:
        table["made_of"] = ""
    periods = {text: parse_period(str(text)) for text in table["period"].unique()}
    table["kind"] = [periods[text].kind for text in table["period"]]
    table["step"] = [step_of(periods[text]) for text in table["period"]]
    made: list[pd.DataFrame] = []
    missed: list[pd.DataFrame] = []
    jobs = [
        (kind, rows, origin)
        for kind, rows in table[table["kind"] != "mean_of_years"].groupby("kind", sort=True)
        for origin in sorted(rows["step"].unique())
    ]
    for done, (kind, rows, origin) in enumerate(jobs, 1):
        found = _from_one_moment(rows, int(origin), _PER_YEAR.get(str(kind), 1))
        if found is not None:
            made.append(found[0])
            missed.append(found[1])
        if progress is not None:
            progress(done, len(jobs))
    if not made:
        empty = pd.DataFrame(columns=list(FORECAST_COLUMNS))
        return empty, pd.DataFrame(columns=["distance", "target", "chance", "happened"])
    forecasts = pd.concat(made, ignore_index=True)[list(FORECAST_COLUMNS)]
    return forecasts, pd.concat(missed, ignore_index=True)


def _from_one_moment(
    rows: pd.DataFrame, origin: int, per_year: int
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
    # Between readings that follow each other in the history; one that never moved has no step to
    # measure errors by, and is not scored.
    step = pd.Series([_usual_step(row) for row in past.to_numpy()], index=past.index)
    future = future.where(step > 0)
    if future.isna().all(axis=None):
        return None
    labels = rows.drop_duplicates("step").set_index("step")["period"]
    units = rows.drop_duplicates("measure").set_index("measure")["unit"]
    made_of = rows.drop_duplicates("measure").set_index("measure")["made_of"]
    scales = [
        scale_of(units[measure], past.loc[(measure, area)], made_of[measure])
        for measure, area in past.index
    ]
    found = forecast(
        past.to_numpy(),
        horizon,
        scales,
        4 if per_year == 4 else 1,
        groups=past.index.get_level_values("measure").tolist(),
    )
    ends = [share for percent in INTERVALS for share in (0.5 - percent / 200, 0.5 + percent / 200)]
    limits = found.quantile([0.5, *ends])
    quantiles = found.quantile(LEVELS)
    observed = future.to_numpy()
    error = observed[..., None] - quantiles
    crps = 2 * np.where(error >= 0, LEVELS * error, (LEVELS - 1) * error).mean(axis=-1)
    series, ahead = np.nonzero(~np.isnan(observed))
    index = past.index[series]
    names = ["median", *(f"{end}_{one}" for one in INTERVALS for end in ("low", "high"))]
    forecasts = pd.DataFrame(
        {
            "measure": index.get_level_values("measure"),
            "area": index.get_level_values("area"),
            "origin": labels[origin],
            "period": labels.reindex(origin + 1 + ahead).to_numpy(),
            "readings": found.readings[series],
            "horizon": ahead + 1,
            "observed": observed[series, ahead],
            "crps": crps[series, ahead],
            "scaled_crps": crps[series, ahead] / step.to_numpy()[series],
        }
        | dict(zip(names, limits[series, ahead].T, strict=True))
    )
    last = past[origin].to_numpy()
    targets, chances = [], []
    for distance in DISTANCES:
        away = distance * step.to_numpy()[:, None] * np.sqrt(np.arange(1, horizon + 1))
        wanted = last[:, None] + away
        targets.append(wanted[series, ahead])
        chances.append(found.probability(wanted, "higher")[series, ahead])
    wanted_of = forecasts[["measure", "area", "origin", "period", "readings", "horizon"]]
    return forecasts, pd.concat([wanted_of] * len(DISTANCES), ignore_index=True).assign(
        distance=np.repeat(DISTANCES, len(forecasts)),
        target=np.concatenate(targets),
        chance=np.concatenate(chances),
        happened=np.concatenate([observed[series, ahead] >= one for one in targets]),
    )


def _usual_step(row: NDArray[np.float64]) -> float:
    """Mean size of the changes from each reading to the next; missing where there is none."""
    steps = np.abs(np.diff(row[~np.isnan(row)]))
    return float(steps.mean()) if len(steps) else float("nan")


def coverage(forecasts: pd.DataFrame) -> pd.DataFrame:
    """How often readings fell into the intervals, by length of history and horizon."""
    if forecasts.empty:
        return pd.DataFrame(
            columns=[
                "history",
                "horizon",
                "forecasts",
                "within_50",
                "within_80",
                "within_95",
                "scaled_crps",
            ]
        )
    inside = {
        f"within_{one}": (forecasts["observed"] >= forecasts[f"low_{one}"])
        & (forecasts["observed"] <= forecasts[f"high_{one}"])
        for one in INTERVALS
    }
    table = forecasts.assign(
        **inside,
        history=pd.cut(
            forecasts["readings"],
            [2, 5, 8, 12, 24],
            labels=["3 to 5", "6 to 8", "9 to 12", "13 to 24"],
        ).astype(str),
    )
    summary = {
        "forecasts": ("observed", "size"),
        **{name: (name, "mean") for name in inside},
        "scaled_crps": ("scaled_crps", "mean"),
    }
    order = ["3 to 5", "6 to 8", "9 to 12", "13 to 24"]
    parts = table.groupby(["history", "horizon"]).agg(**summary).reset_index()
    parts = parts.sort_values(
        ["history", "horizon"],
        key=lambda column: column.map(order.index) if column.name == "history" else column,
    )
    whole = table.assign(history="all", horizon="all").groupby(["history", "horizon"])
    return pd.concat([whole.agg(**summary).reset_index(), parts], ignore_index=True)


def reliability(targets: pd.DataFrame) -> pd.DataFrame:
    """Of the forecasts that said so many per cent, how many came true."""
    rows = []
    tenth = np.minimum((targets["chance"].to_numpy(dtype=float) * 10).astype(int), 9)
    which = ["series"] if "series" in targets else ["measure", "area", "origin"]
    for number in range(10):
        mine = targets[tenth == number]
        if mine.empty:
            continue
        share = float(mine["happened"].mean())
        histories = len(mine.drop_duplicates(which))
        low, high = wilson(share * histories, histories)
        rows.append(
            (
                number / 10,
                (number + 1) / 10,
                len(mine),
                float(mine["chance"].mean()),
                share,
                float(low),
                float(high),
            )
        )
    names = ["said_from", "said_to", "forecasts", "said", "came_true", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def brier(targets: pd.DataFrame) -> pd.DataFrame:
    """Mean squared difference between chance and what happened, by distance of the target."""
    usual = targets.groupby("distance")["happened"].transform("mean")
    table = pd.DataFrame(
        {
            "distance": targets["distance"],
            "brier": (targets["chance"] - targets["happened"]) ** 2,
            "base_rate_brier": (usual - targets["happened"]) ** 2,
        }
    )
    scores = {
        "forecasts": ("brier", "size"),
        "brier": ("brier", "mean"),
        "base_rate_brier": ("base_rate_brier", "mean"),
    }
    parts = table.groupby("distance").agg(**scores).reset_index()
    whole = table.assign(distance="all").groupby("distance").agg(**scores).reset_index()
    return pd.concat([whole, parts.astype({"distance": object})], ignore_index=True)


def reference(name: Literal["scores", "reliability"]) -> pd.DataFrame:
    """What ``benchmarks/forecast.py`` measured on the reference panels."""
    return pd.read_csv(Path(__file__).parent / f"reference_{name}.csv")


def backtest_agreement(report: Report) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Back-test of all figures of a report's agreement that are not made up.

    Whenever they came in: this tries the method, and is not what the report knew.
    """
    return backtest(real_panel(report.observations, report.agreement))
