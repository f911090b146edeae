"""Outlook: the reading that counts, at its due period, as a distribution.

What is observed is forecast, and readings are made of its draws as ``readings`` makes others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from psa_analysis.analysis import forecast, readings
from psa_analysis.analysis.forecast import Array
from psa_analysis.analysis.trajectory import GRACE
from psa_analysis.periods import FREQUENCIES, Period, parse_period, period_containing, step_of
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, Scale, rate_factor, scale_of

#: Draws of each forecast; chances are then right to half a percentage point.
DRAWS = 10_000


@dataclass(frozen=True)
class Outlook:
    """What is to come of one measure."""

    # Draws x periods to come, in the measure's unit; the last period is the due one.
    draws: Array = field(default_factory=lambda: np.empty((1, 0)), repr=False)
    periods: tuple[Period, ...] = field(default=(), repr=False)
    reason: str = ""  # why there is no forecast
    readings: int = 0  # how many it rests on
    note: str = ""  # what else a reader should know of it

    def quantile(self, shares: float | list[float]) -> Array:
        """What each reading to come falls below with these probabilities, in rows."""
        # Quantiles are draws, so that those of counts are whole.
        return np.quantile(self.draws, shares, axis=0, method="inverted_cdf")

    def fan(self) -> pd.DataFrame:
        """Every period to come, for charts."""
        ends = pd.to_datetime([period.end for period in self.periods])
        labels = pd.array([period.label for period in self.periods], dtype="str")
        shares = {"median": 0.5} | forecast.LIMITS
        levels = dict(zip(shares, self.quantile([*shares.values()]), strict=True))
        table = pd.DataFrame({"period": labels, "period_end": ends, **levels})
        return table[table["median"].notna()].reset_index(drop=True)

    @property
    def due(self) -> pd.Series:
        """The due reading's row of the fan."""
        return self.fan().iloc[-1]

    def until(self, end: date) -> Outlook:
        """The same up to the period that ends on a day, as if that were the due one."""
        number = sum(period.end <= end for period in self.periods)
        draws = self.draws[:, :number]
        if not number or np.isnan(draws[:, -1]).any():
            return Outlook(reason=self.reason or "the period that decides has been observed")
        return replace(self, draws=draws, periods=self.periods[:number])

    def chance(self, value: float, polarity: str) -> float:
        """How likely the due reading is to be this or better, 0 to 1."""
        due = self.draws[:, -1]
        # Draws of sums carry rounding errors in their last digits.
        slack = 1e-9 * max(1.0, abs(value))
        reached = due >= value - slack if polarity == "higher" else due <= value + slack
        return float(reached.mean())


#: How measures are forecast whose own frequency the forecaster has no constants for.
FORECAST_AS = {"monthly": "quarterly", "termly": "exam_year"}

#: Mean and spread of the changes of first figures, where too few of them were revised.
NOT_REVISED = (0.0, 0.0)


def revision(vintages: pd.DataFrame, measure: str, area: str) -> tuple[float, float]:
    """Mean and spread of the relative changes from first figures to what they became."""
    own = vintages[(vintages["measure"] == measure) & (vintages["area"] == area)]
    own = own[own["value"].notna() & (own["value"] != 0)].sort_values("received")
    provisional = own["flag"] == "provisional"
    first = own[provisional].groupby("period")["value"].first()
    last = own[~provisional].groupby("period")["value"].last()
    changes = (last / first).dropna() - 1
    if len(changes) < 4:
        return NOT_REVISED
    return float(changes.mean()), float(changes.std())


def outlooks(
    known: pd.DataFrame, vintages: pd.DataFrame, agreement: Agreement, until: date
) -> dict[str, Outlook]:
    """The forecast of every measure that is not decided, or why there is none."""
    followed = agreement.measures[agreement.measures["role"] != "context"]
    area = agreement.settings.agreement.area
    columns = ["measure", "area", "period", "period_end", "received", "value", "flag"]
    columns += ["numerator", "denominator"]
    figures, vintages = (table.loc[table["area"] == area, columns] for table in (known, vintages))
    with_comparator = followed["compared_with"].notna()
    compared = followed.index[with_comparator & followed["basis"].isin(readings.COMPARED)]
    if len(compared):
        # What is compared is not what was observed; it is its readings that are forecast.
        series = readings.make_readings(known, agreement)
        series = series[series["measure"].isin(compared) & (series["area"] == area)]
        series = series.assign(value=series["reading"], denominator=np.nan)
        figures = pd.concat([figures[~figures["measure"].isin(compared)], series], join="inner")
    histories = {}
    for name, measure in followed.iterrows():
        usual = NOT_REVISED if name in compared else revision(vintages, str(name), area)
        of_measure: tuple[pd.Series, pd.DataFrame] | str = (measure, figures)
        if measure["frequency"] in FORECAST_AS:
            of_measure, usual = _added_up(measure, figures), NOT_REVISED
        histories[str(name)] = (
            of_measure if isinstance(of_measure, str) else history_of(*of_measure, until, usual)
        )
    found = _forecast_together(histories, 1) | _forecast_together(histories, 4)
    return {
        name: Outlook(reason=history) if isinstance(history, str) else found[name]
        for name, history in histories.items()
    }


def _added_up(measure: pd.Series, figures: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame] | str:
    """A measure and its figures in quarters or school years, or why they cannot be made."""
    frequency, basis = FORECAST_AS[measure["frequency"]], measure["basis"]
    coarse, fine = FREQUENCIES[frequency], FREQUENCIES[measure["frequency"]]
    unit = "" if basis in readings.SUMS_OF_COUNTS else measure["unit"]
    if basis not in (*readings.OF_YEARS, "year_to_date", "cumulative"):
        return f"the figure of {fine.name} decides, and only quarters and years are forecast"
    if unit in NOT_SUMMED:
        return readings.NOT_ADDED_UP.format(unit)
    for at in (measure["due_at"], measure["baseline_at"] if not unit else None):
        if at is not None and period_containing(at.end, coarse.kind).end != at.end:
            return f"only whole {coarse.step}s are forecast, and {at} ends in the middle of one"
    rows = figures[figures["measure"].isin([measure.name, measure["continues"]])]
    groups = rows.groupby(["measure", rows["period_end"].dt.to_period(coarse.freq)])
    table = groups[["value", "numerator", "denominator"]].sum(skipna=False)
    table["flag"] = groups["flag"].agg(lambda flags: max(flags, key=readings.FLAGS.index))
    table = table[groups.size() == fine.per_year // coarse.per_year].reset_index()
    if factor := rate_factor(unit):
        table["value"] = factor * table["numerator"] / table["denominator"]
        if len(table) and table["value"].isna().all():
            return readings.NO_DENOMINATORS
    ends = table["period_end"].dt.end_time.dt.normalize()
    labels = [period_containing(end.date(), coarse.kind).label for end in ends]
    in_place = pd.Series({**measure, "frequency": frequency}, name=measure.name)
    return in_place, table.assign(period=labels, period_end=ends)


@dataclass(frozen=True)
class History:
    """One measure's figures in equal steps of time, and how far ahead it is due."""

    measure: pd.Series
    figures: pd.DataFrame  # by step of time: value, denominator, provisional; gaps are missing
    last: Period
    horizon: int
    scale: Scale
    base: float  # what a change is measured from; missing for other bases
    revised: float  # the spread of what provisional figures may become
    note: str

    @property
    def per_year(self) -> int:
        """How many of its figures make up a year."""
        return FREQUENCIES[self.measure["frequency"]].per_year

    @property
    def towards(self) -> int:
        """1 where somebody works to raise the figures, -1 where to lower them, else 0."""
        works = self.measure["rule"] in ("level", "yearly") and pd.notna(self.measure["target"])
        return {"higher": 1, "lower": -1}.get(self.measure["polarity"], 0) if works else 0


def history_of(
    measure: pd.Series, known: pd.DataFrame, until: date, usual: tuple[float, float]
) -> History | str:
    """The figures to forecast from, or why there is no forecast."""
    due, baseline = measure["due_at"], measure["baseline_at"]
    basis, (kind, _, per_year, *_) = measure["basis"], FREQUENCIES[measure["frequency"]]
    if due is None:
        return "no document states when it is due"
    # A place in a family and a thing done or not do not move on from where they are.
    if basis in ("rank", "milestone"):
        return f"the basis {basis} is not forecast"
    if kind == "mean_of_years":
        return "figures of several years overlap, and are not forecast"
    if basis in readings.COMPARED and measure["compared_with"] is None:
        return "the comparator is not stated"
    if baseline is not None and until < baseline.end:
        return "the baseline's period has not ended"
    if basis == "cumulative" and (baseline is None or pd.isna(measure["baseline"])):
        return "the baseline that is counted from is not stated"
    if len(table := _figures(measure, known, until)) < forecast.FEWEST:
        return f"a forecast needs {forecast.FEWEST} readings, and there are {len(table)}"
    last = parse_period(table.index[-1], kind)
    horizon = step_of(period_containing(due.end, kind)) - step_of(last)
    table["provisional"] = table["flag"].isin(["provisional", "estimated"])
    newest_is_open, is_revised = table["provisional"].iloc[-1], usual != NOT_REVISED
    if horizon <= 0 and not (newest_is_open and is_revised):
        may = " and may still be revised" if newest_is_open else ""
        return f"the period that decides has been observed{may}"
    if horizon > 0 and until > due.end + GRACE:
        return "the period that decides is over, and its reading has not come in"
    # A change from the baseline is made of figures that are counted; a ratio may be above 100 %.
    counts = basis in ("change_from_baseline", "ratio_to_comparator")
    made_of = "amounts" if basis == "ratio_to_comparator" else measure["made_of"]
    negative = basis not in (*readings.COMPARED, "change_from_baseline") and measure["floor"] < 0
    scale = scale_of("" if counts else measure["unit"], table["value"], made_of, negative)
    change, spread = usual
    revised = _on_scale(table["value"] * (1 + change), scale)
    table["value"] = table["value"].mask(table["provisional"], revised)
    steps = [step_of(parse_period(label, kind)) for label in table.index]
    figures = table.set_axis(steps).reindex(range(steps[0], steps[-1] + 1))
    figures["provisional"] = figures["provisional"].eq(True)
    base = float(measure["base"])
    if basis == "change_from_baseline" and np.isnan(base) and baseline is not None:
        end = step_of(period_containing(baseline.end, kind))
        base = figures["value"].reindex(range(end - per_year + 1, end + 1)).sum(skipna=False)
    if basis == "change_from_baseline" and (np.isnan(base) or base == 0):
        return "there is no figure for the baseline period"
    notes = []
    if newest_is_open and is_revised:
        by = f"{100 * abs(change):.1f}% {'higher' if change >= 0 else 'lower'}"
        notes.append(f"the newest figure is provisional, and taken {by} as usually revised")
    if step_of(period_containing(until, kind)) - step_of(last) > 1:
        notes.append(f"the newest reading is that of {last}")
    return History(measure, figures, last, max(horizon, 0), scale, base, spread, "; ".join(notes))


def _figures(measure: pd.Series, known: pd.DataFrame, until: date) -> pd.DataFrame:
    """``value``, ``denominator`` and ``flag`` by period, oldest first."""
    kind = FREQUENCIES[measure["frequency"]].kind
    own = known["measure"].isin([measure.name, measure["continues"]]) & known["value"].notna()
    known = known[own].sort_values("period_end").set_index("period")
    table = known.loc[known["measure"] == measure.name, ["value", "denominator", "flag"]]
    # A stated baseline is a reading too, and often the only one before the agreement.
    stated = measure["basis"] in ("point", "index") and measure["baseline_status"] == "stated"
    first = measure["baseline_at"] if stated else None
    if first and first.kind == kind and first.end <= until and first.label not in table.index:
        table.loc[first.label] = [float(measure["baseline"]), np.nan, "final"]
    before = known.loc[known["measure"] == measure["continues"], "value"]
    if before.index.isin(table.index).any():
        values = readings.splice(before, table["value"])[0]
        values = values.clip(measure["floor"], measure["ceiling"])
        table = table.reindex(values.index).assign(value=values).fillna({"flag": "final"})
    return table.loc[sorted(table.index, key=lambda label: parse_period(label, kind))]


def _on_scale(values: Array, scale: Scale) -> Array:
    """Figures as they can be: whole for counts, at most 100 for percentages, not below 0."""
    low, high = {"percent": (0, 100), "real": (-np.inf, np.inf)}.get(scale, (0, np.inf))
    return np.clip(np.rint(values) if scale in ("count", "headcount") else values, low, high)


def _forecast_together(histories: dict[str, History | str], per_year: int) -> dict[str, Outlook]:
    """Outlooks of all measures of one frequency: they are each other's portfolio."""
    together = {
        name: history
        for name, history in histories.items()
        if isinstance(history, History) and history.per_year == per_year
    }
    if not together:
        return {}
    longest = max(len(history.figures) for history in together.values())
    panel = np.full((len(together), longest), np.nan)
    for row, history in enumerate(together.values()):
        panel[row, longest - len(history.figures) :] = history.figures["value"]
    cases = [history.figures["denominator"].ffill().iloc[-1] for history in together.values()]
    scales = [history.scale for history in together.values()]
    horizon = max(history.horizon for history in together.values())
    towards = [history.towards for history in together.values()]
    found = forecast.forecast_series(panel, horizon, scales, per_year, [*together], cases, towards)
    outlooks = [_outlook(row, history, found) for row, history in enumerate(together.values())]
    return dict(zip(together, outlooks, strict=True))


def _outlook(row: int, history: History, found: forecast.Forecast) -> Outlook:
    """The due reading's draws, from draws of what is to come and of what may be revised."""
    if (number := int(found.readings[row])) < forecast.FEWEST:
        within = f"of the last {forecast.LONGEST} periods"
        return Outlook(reason=f"a forecast needs {forecast.FEWEST} readings {within}")
    seed = zlib.crc32(str(history.measure.name).encode())
    to_come = found.paths(DRAWS, seed, slice(row, row + 1), slice(history.horizon))[0]
    past = np.tile(history.figures["value"], (DRAWS, 1))
    if history.revised:
        provisional = history.figures["provisional"].to_numpy()
        noise = np.random.default_rng(seed + 1).standard_normal(past.shape)
        factors = 1 + history.revised * noise
        past = np.where(provisional, _on_scale(past * factors, history.scale), past)
        if provisional[-1]:
            # What follows starts from the newest figure as it will be.
            to_come = _on_scale(to_come * factors[:, -1:], history.scale)
    ends = [history.last]
    for _ in range(history.horizon):
        ends.append(period_containing(ends[-1].end + timedelta(days=1), history.last.kind))
    ends = ends[1:] or ends
    draws, reason = readings_of_draws(history, np.concatenate([past, to_come], axis=1), ends)
    if reason:
        return Outlook(reason=reason)
    return Outlook(draws, tuple(ends), "", number, history.note)


def readings_of_draws(history: History, figures: Array, periods: list[Period]) -> tuple[Array, str]:
    """Readings of draws of figures, draws x periods, by its basis, or why not."""
    measure, basis = history.measure, history.measure["basis"]
    unit = "" if basis in readings.SUMS_OF_COUNTS else measure["unit"]
    per_year = history.per_year
    denominators = history.figures["denominator"]
    cases, newest = denominators.tolist(), denominators.ffill().iloc[-1]
    while len(cases) < figures.shape[1]:
        # A quarter to come has the cases of the same quarter a year before.
        cases.append(cases[-per_year] if len(cases) >= per_year else newest)
    draws = np.full((len(figures), len(periods)), np.nan)
    ends = pd.Series(pd.to_datetime([period.end for period in periods]))
    lacking = "a period that the reading is made from is missing"
    for number, width in enumerate(readings.periods_used(measure, ends)):
        stop = step_of(periods[number]) - history.figures.index[0] + 1
        window = slice(stop - width, stop)
        if width > stop:
            return draws, lacking
        if width > 1 and unit in NOT_SUMMED:
            return draws, readings.NOT_ADDED_UP.format(unit)
        if width > 1 and rate_factor(unit) is not None:
            if np.isnan(weights := np.array(cases[window])).any():
                return draws, readings.NO_DENOMINATORS
            draws[:, number] = (figures[:, window] * weights).sum(axis=1) / weights.sum()
        else:
            draws[:, number] = figures[:, window].sum(axis=1) / readings.years_averaged(measure)
    if basis in ("annual", "mean_of_years"):
        # Only whole years are readings of these bases.
        draws[:, ends.dt.month != FREQUENCIES[measure["frequency"]].year_end] = np.nan
    if np.isnan(draws[:, -1]).any():
        return draws, lacking
    if basis == "cumulative":
        return draws + float(measure["baseline"]), ""
    if basis == "change_from_baseline":
        return readings.change_from(draws, history.base), ""
    return draws, ""
