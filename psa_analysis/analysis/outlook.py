"""Outlook: the reading that counts, at its due period, as a distribution.

What is observed is forecast (``forecast``), and readings are made of the draws by each measure's
basis, just as ``performance`` makes them of observations: four quarters to a rolling year, flows
added to a count, a change from its base.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.forecast import (
    FEWEST,
    INTERVALS,
    LONGEST,
    SIGNED_UNITS,
    Forecast,
    Scale,
    forecast_series,
    scale_of,
)
from psa_analysis.analysis.readings import (
    Floats,
    added_up,
    change_from,
    periods_used,
    readings,
    splice,
    with_compared,
    years_averaged,
)
from psa_analysis.analysis.trajectory import GRACE
from psa_analysis.periods import (
    KIND_OF_FREQUENCY,
    Kind,
    Period,
    parse_period,
    period_containing,
    step_of,
)
from psa_analysis.register.agreement import Agreement, measure_period, rate_factor

#: Draws of each forecast; chances are then right to half a percentage point.
DRAWS = 10_000
#: Quantiles are draws, so that those of counts are whole.
_DRAWN: Literal["inverted_cdf"] = "inverted_cdf"
_COMPARED = {"ratio_to_comparator", "gap_to_comparator"}
#: Bases whose readings are what is forecast; those of the others are made from it.
_AS_OBSERVED = {"point", "index", *_COMPARED}
#: A place in a family and a thing done or not are no figures that move on from where they are.
_NOT_FORECAST = {"rank", "milestone"}


@dataclass(frozen=True, repr=False)
class Outlook:
    """What is to come of one measure.

    Attributes
    ----------
    draws : numpy.ndarray
        Draws x periods to come, in the measure's unit; the last period is the due one.
    periods : tuple of Period
        The periods to come.
    reason : str
        Why there is no forecast, else empty.
    readings : int
        How many readings it rests on.
    note : str
        What else a reader should know of it.
    """

    draws: Floats = field(repr=False, default_factory=lambda: np.empty((0, 0)))
    periods: tuple[Period, ...] = ()
    reason: str = ""
    readings: int = 0
    note: str = ""

    def __repr__(self) -> str:
        if self.reason:
            return f"no forecast: {self.reason}"
        low, high = self.interval(80)
        return (
            f"forecast for {self.periods[-1]}: middle {self.median:,.4g}, eight in ten chances "
            f"{low:,.4g} to {high:,.4g}, from {self.readings} readings"
        )

    def fan(self) -> pd.DataFrame:
        """Every period to come, for charts."""
        table = pd.DataFrame(
            {
                "period": [period.label for period in self.periods],
                "period_end": pd.to_datetime([period.end for period in self.periods]),
            }
        )
        names = ["median", *(f"{end}_{one}" for one in INTERVALS for end in ("low", "high"))]
        shares = [0.5, *(0.5 + way * one / 200 for one in INTERVALS for way in (-1, 1))]
        table[names] = np.quantile(self.draws, shares, axis=0, method=_DRAWN).T
        return table[table["median"].notna()].reset_index(drop=True)

    def interval(self, percent: int) -> tuple[float, float]:
        """The middle so many per cent of the due reading's distribution."""
        ends = [0.5 - percent / 200, 0.5 + percent / 200]
        low, high = np.quantile(self.draws[:, -1], ends, method=_DRAWN)
        return float(low), float(high)

    @property
    def median(self) -> float:
        """As likely to be exceeded as not."""
        return float(np.quantile(self.draws[:, -1], 0.5, method=_DRAWN))

    def chance(self, value: float, polarity: str) -> float:
        """How likely the due reading is to be this or better, 0 to 1."""
        due = self.draws[:, -1]
        # Draws of sums carry rounding errors in their last digits.
        slack = 1e-9 * max(1.0, abs(value))
        reached = due >= value - slack if polarity == "higher" else due <= value + slack
        return float(reached.mean())

    def expected_share(self, without: float, target: float, trigger: float) -> float:
        """Mean proportion of the reward: nothing below the trigger, from there p up to 1."""
        share = (self.draws[:, -1] - without) / (target - without)
        return float(np.where(share >= trigger - 1e-9, np.minimum(share, 1), 0).mean())


def outlooks(
    known: pd.DataFrame, vintages: pd.DataFrame, agreement: Agreement, until: date
) -> dict[str, Outlook]:
    """Forecast every measure that is not decided."""
    followed = agreement.measures[agreement.measures["role"] != "context"]
    area = agreement.settings.agreement.area
    here = known[known["area"] == area]
    with_what = followed["compared_with"].dropna()
    with_what = with_what[followed["basis"].isin(_COMPARED)]
    compared = with_what.index
    if len(compared):
        # What is compared is not what was observed; it is its readings that are forecast.
        needed = known["measure"].isin(with_compared(compared, agreement))
        made = readings(known[needed], agreement)
        made = made[made["measure"].isin(compared) & (made["area"] == area)]
        made = made.assign(value=made["reading"], denominator=np.nan)
        here = pd.concat([here[~here["measure"].isin(compared)], made], join="inner")
    found: dict[str, Outlook] = {}
    wanted: list[_Wanted] = []
    for name, measure in followed.iterrows():
        usual = Revision() if name in compared else revision(vintages, str(name), area)
        prepared = _prepare(measure, here, until, usual)
        if isinstance(prepared, str):
            found[str(name)] = Outlook(reason=prepared)
        else:
            wanted.append(prepared)
    for per_year in (1, 4):
        same = [one for one in wanted if one.per_year == per_year]
        if same:
            found |= _forecast(same, per_year)
    return {str(name): found[str(name)] for name in followed.index}


@dataclass(frozen=True)
class _Wanted:
    """One measure's figures in equal steps of time, and how far ahead it is due.

    `provisional` says which figures may be revised, and `revised` by how much.
    """

    measure: str
    definition: pd.Series
    per_year: int
    last: Period
    values: Floats
    denominators: Floats
    provisional: NDArray[np.bool_]
    horizon: int
    scale: Scale
    base: float
    revised: float
    note: str

    def place(self, period: Period) -> int:
        """Where the last figure of a period stands in `values`; outside if it is not held."""
        own = period_containing(period.end, self.last.kind)
        return len(self.values) - 1 + step_of(own) - step_of(self.last)


def _prepare(
    measure: pd.Series, known: pd.DataFrame, until: date, usual: Revision
) -> _Wanted | str:
    """The figures to forecast from, or why there is no forecast."""
    due, baseline = measure_period(measure, "due"), measure_period(measure, "baseline_period")
    basis, kind = measure["basis"], KIND_OF_FREQUENCY[measure["frequency"]]
    if due is None:
        return "no document states when it is due"
    if basis in _NOT_FORECAST:
        return f"the basis {basis} is not forecast"
    if basis in _COMPARED and measure["compared_with"] is None:
        return "the comparator is not stated"
    if baseline is not None and until < baseline.end:
        return "the baseline's period has not ended"
    if basis == "cumulative" and (baseline is None or pd.isna(measure["baseline"])):
        return "the baseline that is counted from is not stated"
    table = _figures(measure, known, until)
    if len(table) < FEWEST:
        return f"a forecast needs {FEWEST} readings, and there are {len(table)}"
    last = parse_period(str(table.index[-1]), kind)
    horizon = step_of(period_containing(due.end, kind)) - step_of(last)
    newest_may_change = table["flag"].iloc[-1] in ("provisional", "estimated")
    if horizon <= 0 and (not newest_may_change or usual == Revision()):
        may = " and may still be revised" if newest_may_change else ""
        return f"the period that decides has been observed{may}"
    if horizon > 0 and until > due.end + GRACE:
        return "the period that decides is over, and its reading has not come in"
    # In steps of time: what is missing between two figures is a gap.
    steps = [step_of(parse_period(str(label), kind)) for label in table.index]
    grid = table.set_axis(steps).reindex(range(steps[0], steps[-1] + 1))
    provisional = grid["flag"].isin(["provisional", "estimated"]).to_numpy()
    # A change from the baseline is made of figures that are counted; a ratio may be above 100 %.
    plain = basis in ("change_from_baseline", "ratio_to_comparator")
    unit = "" if plain else str(measure["unit"])
    made_of = "amounts" if basis == "ratio_to_comparator" else str(measure["made_of"])
    scale = scale_of(unit, table["value"], made_of)
    values = grid["value"].to_numpy(dtype=float)
    values = np.where(provisional, _on_scale(values * (1 + usual.mean), scale), values)
    prepared = _Wanted(
        str(measure.name),
        measure,
        4 if kind == "quarter" else 1,
        last,
        values,
        grid["denominator"].to_numpy(dtype=float),
        provisional,
        max(horizon, 0),
        scale,
        float(measure["base"]),
        usual.spread,
        _note(provisional, usual, last, until, kind),
    )
    return _with_base(prepared, baseline)


def _note(
    provisional: NDArray[np.bool_], usual: Revision, last: Period, until: date, kind: Kind
) -> str:
    """What a reader should know of the figures that a forecast rests on."""
    said = []
    if provisional[-1] and usual != Revision():
        way = "higher" if usual.mean >= 0 else "lower"
        said.append(
            f"the newest figure is provisional and was taken {100 * abs(usual.mean):.1f}% {way}, "
            "as first figures were revised before"
        )
    if step_of(period_containing(until, kind)) - step_of(last) > 1:
        said.append(f"the newest reading is that of {last}")
    return "; ".join(said)


def _figures(measure: pd.Series, known: pd.DataFrame, until: date) -> pd.DataFrame:
    """``value``, ``denominator`` and ``flag`` by period, oldest first."""
    kind = KIND_OF_FREQUENCY[measure["frequency"]]
    columns = ["value", "denominator", "flag"]
    own = known[(known["measure"] == measure.name) & known["value"].notna()]
    table = own.sort_values("period_end").set_index("period")[columns]
    baseline = measure_period(measure, "baseline_period")
    if (
        measure["basis"] in ("point", "index")
        and measure["baseline_status"] == "stated"
        and baseline is not None
        and baseline.kind == kind
        and baseline.end <= until
        and baseline.label not in table.index
    ):
        # The baseline is a reading too, and often the only one before the agreement.
        table.loc[baseline.label] = [float(measure["baseline"]), np.nan, "final"]
    if measure["continues"]:
        before = known[(known["measure"] == measure["continues"]) & known["value"].notna()]
        before = before.sort_values("period_end").set_index("period")["value"]
        if set(before.index) & set(table.index):
            joined = splice(before, table["value"])[0].rename("value").to_frame()
            top = 100.0 if measure["unit"] == "percent" else np.inf
            bottom = -np.inf if measure["unit"] in SIGNED_UNITS else 0.0
            joined["value"] = joined["value"].clip(bottom, top)
            table = joined.join(table[["denominator", "flag"]]).fillna({"flag": "final"})
    return table.loc[sorted(table.index, key=lambda label: parse_period(str(label), kind))]


def _with_base(prepared: _Wanted, baseline: Period | None) -> _Wanted | str:
    """For a change from the baseline: what it is measured from."""
    if prepared.definition["basis"] != "change_from_baseline":
        return prepared
    base = prepared.base
    if np.isnan(base):
        if baseline is None:
            return "the baseline's period is not stated"
        place, width = prepared.place(baseline), 4 if prepared.per_year == 4 else 1
        if place - width + 1 >= 0 and place < len(prepared.values):
            base = float(prepared.values[place - width + 1 : place + 1].sum())
    if np.isnan(base) or base == 0:
        return "there is no figure for the baseline period"
    return replace(prepared, base=base)


@dataclass(frozen=True)
class Revision:
    """What first figures of a measure became: their mean relative change, and its spread."""

    mean: float = 0.0
    spread: float = 0.0


#: Fewer revisions than this say nothing of the next.
_FEWEST_REVISIONS = 4


def revision(vintages: pd.DataFrame, measure: str, area: str) -> Revision:
    """How far first figures of a measure are from what they became."""
    own = vintages[(vintages["measure"] == measure) & (vintages["area"] == area)]
    own = own[own["value"].notna() & (own["value"] != 0)].sort_values("received")
    if (own["flag"] == "provisional").sum() < _FEWEST_REVISIONS:
        return Revision()
    first = own[own["flag"] == "provisional"].groupby("period")["value"].first()
    last = own[own["flag"] != "provisional"].groupby("period")["value"].last()
    change = (last / first).dropna() - 1
    if len(change) < _FEWEST_REVISIONS:
        return Revision()
    return Revision(float(change.mean()), float(change.std()))


def _on_scale(values: Floats, scale: Scale) -> Floats:
    """Figures as they can be: whole for counts, at most 100 for percentages, not below 0."""
    values = np.rint(values) if scale == "count" else values
    values = np.minimum(values, 100) if scale == "percent" else values
    return values if scale == "real" else np.maximum(values, 0)


def _forecast(wanted: list[_Wanted], per_year: int) -> dict[str, Outlook]:
    """Forecast measures of one frequency together: they are each other's portfolio."""
    longest = max(len(one.values) for one in wanted)
    panel = np.full((len(wanted), longest), np.nan)
    for row, one in enumerate(wanted):
        panel[row, longest - len(one.values) :] = one.values
    found = forecast_series(
        panel,
        max(one.horizon for one in wanted),
        [one.scale for one in wanted],
        4 if per_year == 4 else 1,
        groups=[one.measure for one in wanted],
        denominators=[_last_known(one.denominators) for one in wanted],
    )
    return {
        one.measure: _made(one, found.of_series(row, one.horizon)) for row, one in enumerate(wanted)
    }


def _last_known(values: Floats) -> float:
    there = values[~np.isnan(values)]
    return float(there[-1]) if len(there) else float("nan")


def _made(one: _Wanted, found: Forecast) -> Outlook:
    """The due reading's draws, from draws of what is to come and of what may be revised."""
    readings = int(found.readings[0])
    if readings < FEWEST:
        return Outlook(reason=f"a forecast needs {FEWEST} readings of the last {LONGEST} periods")
    seed = zlib.crc32(one.measure.encode())
    paths = found.paths(DRAWS, seed)[0]
    past = np.tile(one.values, (DRAWS, 1))
    if one.revised:
        noise = 1 + one.revised * np.random.default_rng(seed + 1).standard_normal(past.shape)
        past = np.where(one.provisional, _on_scale(past * noise, one.scale), past)
        if one.provisional[-1]:
            # What follows starts from the newest figure as it will be.
            paths = _on_scale(paths * noise[:, -1:], one.scale)
    ends = [_after(one.last, step) for step in range(1, one.horizon + 1)] or [one.last]
    draws, why_not = _readings_of(one, np.concatenate([past, paths], axis=1), ends)
    if why_not:
        return Outlook(reason=why_not)
    return Outlook(draws, tuple(ends), "", readings, one.note)


def _readings_of(one: _Wanted, figures: Floats, ends: list[Period]) -> tuple[Floats, str]:
    """Readings of each draw by the measure's basis; or why they cannot be made."""
    basis = one.definition["basis"]
    places = [one.place(period) for period in ends]
    if basis in _AS_OBSERVED:
        return figures[:, places], ""
    if basis == "cumulative":
        baseline = measure_period(one.definition, "baseline_period")
        begin = one.place(baseline) + 1 if baseline is not None else -1
        if begin < 0 or np.isnan(one.values[begin:]).any():
            return figures, "a period between the baseline and the latest is missing"
        flows = figures.copy()
        flows[:, :begin] = 0
        return float(one.definition["baseline"]) + flows.cumsum(axis=1)[:, places], ""
    years = years_averaged(one.definition) if basis == "mean_of_years" else 1
    # A change from the baseline is made of figures that are counted.
    unit = "" if basis == "change_from_baseline" else str(one.definition["unit"])
    cases = np.array([_cases(one, at) for at in range(figures.shape[1])])
    numerators = figures * cases / (rate_factor(unit) or 1)
    draws = np.empty((len(figures), len(places)))
    for number, (place, period) in enumerate(zip(places, ends, strict=True)):
        width = years * periods_used(basis, one.definition["frequency"], period.end)
        window = slice(place - width + 1, place + 1)
        if window.start < 0:
            return draws, f"{width} {'quarters' if one.per_year == 4 else 'years'} are needed"
        made, why_not = added_up(
            figures[:, window],
            numerators[:, window],
            np.tile(cases[window], (len(figures), 1)),
            unit,
        )
        if why_not:
            return draws, why_not
        # Only whole years are readings of these bases.
        in_year = basis in ("annual", "mean_of_years") and one.per_year == 4
        if rate_factor(unit) is None:
            made = made / years
        draws[:, number] = np.nan if in_year and period.end.month != 3 else made
    if np.isnan(draws[:, -1]).any():
        return draws, "a period that the reading is made from is missing"
    return (change_from(draws, one.base) if basis == "change_from_baseline" else draws), ""


def _cases(one: _Wanted, place: int) -> float:
    """The denominator of a quarter; one to come has that of the same quarter a year before."""
    known = len(one.denominators)
    while place >= known:
        place -= 4
    return float(one.denominators[place]) if place >= 0 else _last_known(one.denominators)


def _after(period: Period, steps: int) -> Period:
    """The period so many steps later."""
    months = (3 if period.kind == "quarter" else 12) * steps
    total = period.end.year * 12 + period.end.month - 1 + months
    return period_containing(date(total // 12, total % 12 + 1, 1), period.kind)
