"""Parts: what each part of a measure adds to its level, its change and its gap to the target.

Parts are areas within the agreement's, or measures that add up to one (``docs/places.md``).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betaln, gammaln

from psa_analysis.analysis.outlook import DRAWS, Outlook
from psa_analysis.analysis.readings import years_averaged
from psa_analysis.findings import ParameterError, did_you_mean
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, Floats, rate_factor
from psa_analysis.words import NOT_STATED, listed

#: The row for what no part holds.
REST = "Not in any part"
#: What :func:`scenario` may set a part to besides a figure: the whole's present rate.
AVERAGE = "average"

#: Bases whose readings are sums, or rates of sums.
_SUMMED = {"point", "annual", "year_to_date", "cumulative", "rolling_12m", "mean_of_years"}
#: Lowest and highest figure of a unit; 0 and no limit for any other.
_RANGES = {"percent": (0.0, 100.0), "percent change": (-100.0, np.inf)}
#: What was counted in the whole and its parts, by the last day of each reading.
Sums = dict[pd.Timestamp, pd.DataFrame]
#: The name under which the whole stands among its parts.
_WHOLE = ""
_GRID = (15, 40)  # how many means and how many spreads are tried


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A measure as the sum of its parts, at the newest period that they have figures for."""

    definition: pd.Series = field(repr=False)  # the measure's row of the register
    area: str  # the whole
    unit: str
    better: int  # 1 where higher is better, else -1
    target: float  # missing where none is stated
    kind: str = ""  # of its parts
    parts: tuple[str, ...] = ()  # all that the register has of this kind
    period: str = ""
    since: str = ""  # the period that the change is counted from; empty if there is none
    level: float = float("nan")  # from numerators and denominators, not rounded
    # One row per part, in the register's order (columns.csv, parts).
    table: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    whole: pd.Series = field(repr=False, default_factory=pd.Series)  # what was counted in it
    missing: tuple[str, ...] = ()  # parts that lack a figure
    illustrative: bool = False
    reason: str = ""  # why there is none, else empty

    @property
    def named(self) -> pd.DataFrame:
        """The rows of the parts, without what none of them holds."""
        return self.table[self.table["part"] != REST]


def contributions(parts: pd.DataFrame, target: float = float("nan")) -> pd.DataFrame:
    """Contributions that add up to the whole, after E. M. Kitagawa, JASA 50 (1955), 1168-1194."""
    level, weight = parts["level"], parts["weight"]
    level_before, weight_before = parts["level_before"], parts["weight_before"]
    rate = level / weight.mask(weight == 0)
    rate_before = level_before / weight_before.mask(weight_before == 0)
    mean = (level.sum() + level_before.sum()) / 2
    # Counts that had nothing to take shares of before have no weights that could move.
    change = level - level_before - mean * (weight - weight_before).fillna(0)
    within = (weight + weight_before) / 2 * (rate - rate_before)
    # A part that has no rate at one of the periods has all of its change under "mix".
    within = within.fillna(0).where(change.notna())
    columns = {"rate": rate, "level": level, "change": change, "within": within}
    columns |= {"mix": change - within, "gap": level - weight * target}
    # Sums of floats are off in their last digits, and 0.45 is shown as another figure then.
    return pd.DataFrame(columns, parts.index).round(11).assign(weight=weight)


def decomposition(
    measure: str,
    agreement: Agreement,
    observations: pd.DataFrame,
    known: pd.DataFrame,
    readings: pd.DataFrame,
) -> Decomposition:
    """Take a measure apart, by the first kind of parts of the register that ever sent a figure."""
    definition, area = agreement.measures.loc[measure], agreement.settings.agreement.area
    unit, basis = definition["unit"], definition["basis"]
    better = 1 if definition["polarity"] == "higher" else -1
    result = Decomposition(definition, area, unit, better, float(definition["target"]))
    if basis != "change_from_baseline" and (basis not in _SUMMED or unit in NOT_SUMMED):
        return replace(result, reason=f"parts of a reading in {unit} ({basis}) do not add up")
    if definition["polarity"] == NOT_STATED:
        return replace(result, reason="neither higher nor lower is better")
    areas = agreement.areas.loc[agreement.areas["part_of"] == area, ["kind", "area"]]
    names = list(definition["parts"] or ())
    named = pd.DataFrame({"kind": "measure", "area": area, "part": names, "measure": names})
    parts = pd.concat([areas.assign(part=areas["area"], measure=measure), named])
    if (sent := parts.merge(observations[["measure", "area"]].drop_duplicates())).empty:
        return replace(result, reason=f"no figures of {measure} by part have come in")
    kind = sent["kind"].iloc[0]
    parts = parts[parts["kind"] == kind].set_index("part")
    result = replace(result, kind=kind, parts=tuple(parts.index))
    if not (sums := _sums(parts, result, known, readings)):
        reason = f"no figures of {measure} by {kind} had come in by the cut-off"
        return replace(result, reason=reason)
    others = parts.loc[parts["measure"] != measure, "measure"]
    return _decomposed(result, agreement.measures.loc[others], sums)


def _sums(
    parts: pd.DataFrame, decomposed: Decomposition, known: pd.DataFrame, readings: pd.DataFrame
) -> Sums:
    """What was counted in the whole and its parts, over all the periods of each reading."""
    measure, area = str(decomposed.definition.name), decomposed.area
    whole = pd.DataFrame({"measure": measure, "area": area}, index=[_WHOLE])
    named = pd.concat([whole, parts[["measure", "area"]]]).rename_axis("part").reset_index()
    figures, needed = named.merge(known, on=["measure", "area"]), ["numerator", "denominator"]
    if rate_factor(decomposed.unit) is None:
        figures["numerator"], figures["denominator"] = figures["value"], np.nan
        needed = ["numerator"]
    result: Sums = {}
    for reading in readings[readings["reading"].notna()].itertuples():
        used = figures[figures["period_end"].between(reading.used_from, reading.period_end)]
        periods = list(used.loc[used["part"] == _WHOLE, "period"])
        rows = used[used["period"].isin(periods)].groupby("part")
        table = rows[["numerator", "denominator"]].sum(min_count=len(periods))
        table["illustrative"], table["periods"] = rows["illustrative"].any(), [periods] * len(table)
        table = table.assign(period=reading.period).reindex(named["part"]).dropna(subset=needed)
        if _WHOLE in table.index and len(table) > 1:
            result[reading.period_end] = table
    return result


def _decomposed(result: Decomposition, others: pd.DataFrame, sums: Sums) -> Decomposition:
    """The same with its table; `others` are the measures that are its parts."""
    definition = result.definition
    start = pd.to_datetime(definition["baseline_at"] and definition["baseline_at"].end)
    *ends, newest = sums
    now = sums[newest]
    # Compared only with a period that has a part in common with this one.
    earlier = [end for end in ends if len(now.index.intersection(sums[end].index)) > 1]
    before = start if start in earlier else next(iter(earlier), None)
    nothing = now.assign(numerator=np.nan, denominator=np.nan, period="")
    joined = now.join(sums.get(before, nothing).add_suffix("_before"), how="inner")
    if definition["basis"] == "change_from_baseline":
        base = _bases(definition, others, sums.get(start))
        joined = joined[joined.index.isin(base.index)]
        if _WHOLE not in joined.index or len(joined) < 2 or base[_WHOLE] <= 0:
            reason = f"the figure that {definition.name} is measured from is not known part by part"
            return replace(result, reason=reason)
        joined = joined.assign(denominator=base, denominator_before=base)
    joined = _with_levels(joined, definition)
    whole, rows = joined.loc[_WHOLE], _with_rest(joined)
    counted = rows.drop(columns=["level", "weight", "level_before", "weight_before"])
    return replace(
        result,
        period=whole["period"],
        since=whole["period_before"],
        level=round(whole["level"], 11),
        table=counted.join(contributions(rows, result.target)).rename_axis("part").reset_index(),
        whole=whole,
        missing=tuple(name for name in result.parts if name not in joined.index),
        illustrative=bool(joined[["illustrative", "illustrative_before"]].any(axis=None)),
    )


def _bases(definition: pd.Series, others: pd.DataFrame, start: pd.DataFrame | None) -> pd.Series:
    """What the change of the whole and of each part is measured from, where it is known."""
    base = pd.Series(dtype=float) if start is None else start["numerator"].copy()
    if pd.notna(definition["base"]):
        base[_WHOLE] = definition["base"]
    # A measure of its own has its own figure of the same years in the register.
    same = others["baseline_period"] == definition["baseline_period"]
    others = others[same & ~others["unit"].isin(NOT_SUMMED)]
    return others["base"].fillna(others["baseline"]).dropna().combine_first(base)


def _with_levels(sums: pd.DataFrame, definition: pd.Series) -> pd.DataFrame:
    """Levels and weights, now and before, of the whole and of each part."""
    basis, factor = definition["basis"], rate_factor(definition["unit"])
    result = sums.copy()
    if basis == "cumulative" and factor is None:
        result.loc[_WHOLE, ["numerator", "numerator_before"]] += definition["baseline"]
    for when in ("", "_before"):
        numerator, denominator = result[f"numerator{when}"], result[f"denominator{when}"]
        weight = denominator / denominator[_WHOLE]
        if basis == "change_from_baseline":
            level = 100 * (numerator - denominator) / denominator[_WHOLE]
        elif factor is not None:
            level = factor * numerator / denominator[_WHOLE]
        else:
            level = numerator / years_averaged(definition)
            # A count has no denominator: its target is shared out as it stood before.
            before = result["numerator_before"]
            weight = before / (before[_WHOLE] or np.nan)
        result[f"level{when}"], result[f"weight{when}"] = level, weight
    return result


def _with_rest(joined: pd.DataFrame) -> pd.DataFrame:
    """The parts, and what none of them holds if that is anything."""
    columns = ["numerator", "denominator", "level", "weight"]
    columns += [f"{name}_before" for name in columns]
    parts, whole = joined.drop(index=_WHOLE)[columns], joined.loc[_WHOLE, columns].astype(float)
    rest = whole - parts.sum(min_count=1)
    rest = rest.mask(rest.abs() <= 1e-9 * parts.abs().sum(), 0.0)
    return pd.concat([parts, rest.to_frame(REST).T]) if rest.fillna(0).any() else parts


@dataclass(frozen=True, eq=False)
class Hotspots:
    """Where parts differ from the whole by more than chance."""

    decomposition: Decomposition
    unit: str = ""  # of every figure: the measure's, or ``percent change`` for counts
    whole: float = float("nan")
    # One row per part, worst first (columns.csv, hot spots).
    table: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    reason: str = ""  # why there is nothing to say, else empty


def shrunken_draws(
    numerator: ArrayLike, denominator: ArrayLike, events: bool = False, seed: int = 0
) -> Floats:
    """Draws of the rates behind counts, each near its own; with fewer cases it is nearer to all."""
    # From one Beta (for events Gamma), averaged over its mean and spread on a grid.
    cases, size = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    pooled = cases.sum() / size.sum()
    chance = pooled if events else pooled * (1 - pooled)
    variation = (size * (cases / size - pooled) ** 2).sum() + chance * len(size)
    typical = np.sqrt(variation / size.sum())
    reach = 4 * typical / np.sqrt(len(size))
    means = np.linspace(max(pooled - reach, pooled / 1e3), pooled + reach, _GRID[0])
    means = means if events else np.minimum(means, 1 - (1 - pooled) / 1e3)
    spreads = (np.arange(_GRID[1]) + 0.5) / _GRID[1] * 5 * typical
    mean, spread = (axis.reshape(-1, 1) for axis in np.meshgrid(means, spreads))
    if events:
        first, second = (mean / spread) ** 2, mean / spread**2
        fits = gammaln(first + cases) - gammaln(first) + first * np.log(second)
        fits -= (first + cases) * np.log(second + size)
    else:
        # A share cannot spread further than between none and all.
        possible = spread**2 < mean * (1 - mean)
        mean, spread = mean[possible][:, None], spread[possible][:, None]
        strength = mean * (1 - mean) / spread**2 - 1
        first, second = mean * strength, (1 - mean) * strength
        fits = betaln(first + cases, second + size - cases) - betaln(first, second)
    weights = np.exp(fits.sum(axis=1) - fits.sum(axis=1).max())
    generator = np.random.default_rng(seed)
    drawn = generator.choice(len(weights), DRAWS, p=weights / weights.sum())
    first, second = first[drawn], second[drawn]
    if events:
        return generator.gamma(first + cases, 1 / (second + size))
    return generator.beta(first + cases, second + size - cases)


def compared_parts(decomposed: Decomposition) -> Hotspots:
    """Where parts are better or worse than the whole after allowing for chance."""
    if reason := _not_comparable(decomposed):
        return Hotspots(decomposed, reason=reason)
    parts, whole, better = decomposed.named, decomposed.whole, decomposed.better
    factor = rate_factor(decomposed.unit)
    # A count is of nothing, so we look at the later one's share of the events of both periods.
    denominator, whole_denominator = (
        counted["denominator"] if factor else counted["numerator"] + counted["numerator_before"]
        for counted in (parts, whole)
    )
    events = factor not in (None, 100)
    numerator, all_cases = parts["numerator"], np.inf if events else denominator.sum()
    if (denominator <= 0).any() or not 0 < numerator.sum() < all_cases:
        return Hotspots(decomposed, reason="all or none of the cases are counted")

    def shown(share: Any) -> Any:
        """In the unit that readers see."""
        with np.errstate(divide="ignore"):
            return factor * share if factor else 100 * (share / (1 - share) - 1)

    seed = zlib.crc32(str(decomposed.definition.name).encode())
    draws = shown(shrunken_draws(numerator, denominator, events, seed))
    level = float(shown(whole["numerator"] / whole_denominator))
    lower, middle, upper = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
    worse = (better * draws < better * level).mean(axis=0)
    verdict = np.select([worse >= 0.975, worse <= 0.025], ["worse", "better"], "may be chance")
    table = parts[["part"]].assign(observed=shown(numerator / denominator), shrunken=middle)
    table = table.assign(lower=lower, upper=upper, chance_worse=worse, verdict=verdict)
    table = table.sort_values("shrunken", ascending=better == 1, ignore_index=True, kind="stable")
    return Hotspots(decomposed, decomposed.unit if factor else "percent change", level, table)


def _not_comparable(decomposed: Decomposition) -> str:
    """Why nothing can be said of where parts differ, or nothing."""
    whole, since = decomposed.whole, decomposed.since
    if decomposed.reason:
        return decomposed.reason
    if decomposed.definition["made_of"] != "cases":
        return "the figures are not made of single cases"
    if len(decomposed.named) < 3:
        return "it takes 3 parts to see how far they differ"
    if rate_factor(decomposed.unit) is not None:
        return ""
    if not since:
        return "there is no earlier period to compare with"
    if set(whole["periods"]) & set(whole["periods_before"]):
        return f"the readings of {since} and {decomposed.period} share some of their cases"
    return ""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What the whole would be if some parts were at other levels."""

    decomposition: Decomposition
    # One row per part that is set (columns.csv, what if).
    table: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    level: float = float("nan")  # the whole's reading then
    effect: float = float("nan")  # the same less its reading now
    closed: float = float("nan")  # share of the way to the target, missing if it is reached
    chance_before: float = float("nan")  # of the target, as forecast
    chance_after: float = float("nan")  # with the draws of the due reading moved by the effect
    reason: str = ""  # why nothing can be said, else empty


def scenario(
    decomposed: Decomposition, changes: Mapping[str, float | str], outlook: Outlook | None
) -> WhatIf:
    """What the whole's reading and the chance of its target would be if parts were elsewhere."""
    if decomposed.reason:
        return WhatIf(decomposed, reason=decomposed.reason)
    for name in changes:
        if name not in decomposed.parts:
            known = f"There is {listed(list(decomposed.parts))}"
            remedy = did_you_mean(name, decomposed.parts)
            raise KeyError(f"{decomposed.definition.name} has no part '{name}'. {remedy} {known}")
    rows = decomposed.table.set_index("part")
    if absent := listed([name for name in changes if name not in rows.index]):
        return WhatIf(decomposed, reason=f"no figures of {absent} had come in by the cut-off")
    rows, factor = rows.loc[list(changes)], rate_factor(decomposed.unit) or 100
    counts = bool(rows["denominator"].isna().all())
    now = rows["level" if counts else "rate"]
    figures = [_figure(name, value, decomposed, counts) for name, value in changes.items()]
    then = pd.Series(figures, rows.index, dtype=float)
    effect = (then - now) * (1 if counts else rows["weight"])
    more = effect if counts else effect * decomposed.whole["denominator"] / factor
    columns = {"now": now, "then": then, "more": more.round(6), "effect": effect.round(11)}
    table = pd.DataFrame(columns).reset_index()
    total, target = float(effect.sum()), decomposed.target
    left = target - decomposed.level
    closed = total / left if left * decomposed.better > 0 else float("nan")
    result = WhatIf(decomposed, table, round(decomposed.level + total, 11), total, closed)
    if outlook is None or outlook.reason or np.isnan(target):
        return result
    draws = np.clip(outlook.draws + total, *_RANGES.get(decomposed.unit, (0, np.inf)))
    moved, polarity = replace(outlook, draws=draws), decomposed.definition["polarity"]
    before, after = outlook.chance(target, polarity), moved.chance(target, polarity)
    return replace(result, chance_before=before, chance_after=after)


def _figure(name: str, value: float | str, decomposed: Decomposition, counts: bool) -> float:
    """The figure that a part is set to, as its unit allows it."""
    if value == AVERAGE and not counts:
        return decomposed.level
    low, high = _RANGES.get(decomposed.unit, (0, np.inf))
    if isinstance(value, str) or not low <= value <= high or value == np.inf:
        expected = f"{low:g} to {high:g}" if high == 100 else f"{low:g} or more"
        expected += f" ({decomposed.unit})" + ("" if counts else f", or '{AVERAGE}'")
        raise ParameterError(f"{name} is set to {value!r}; expected {expected}")
    return float(value)
