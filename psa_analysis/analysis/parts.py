"""Places: what each part of a measure adds to its level, its change and its gap to the target.

Parts are areas of one kind that are part of the agreement's area (``areas.csv``), or the measures
that add up to this one (``parts`` of ``measures.csv``). With w the share of the whole that a part
has and r its rate, so that the whole is the sum of w r:

==================  ============================================================
contribution        formula (docs/places.md)
==================  ============================================================
to the level        w r
to the change       within: mean w x change of r; mix: change of w x (mean r less the mean of
                    the whole); Kitagawa (1955)
to the gap          w (r - target)
==================  ============================================================

These are worked out in fractions and add up to the whole exactly. What the parts do not cover is
a row of its own. How far a part differs from the whole by more than chance is another question:
:func:`hotspots` answers it with rates shrunken towards the whole's.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln

from psa_analysis.analysis.readings import observations_used, years_averaged
from psa_analysis.analysis.trajectory import exact, planned_path
from psa_analysis.findings import ParameterError, did_you_mean
from psa_analysis.periods import KIND_OF_FREQUENCY, parse_period
from psa_analysis.register.agreement import NOT_SUMMED, measure_period, rate_factor
from psa_analysis.report import Report, memoised
from psa_analysis.words import listed

#: The row for what no part holds.
REST = "not in any part"
#: The kind of those parts that are measures themselves.
MEASURES = "measure"
#: What :func:`what_if` may set a part to besides a figure: the whole's present rate.
AVERAGE = "average"
#: Fewer parts than this say nothing of how far parts differ.
FEWEST_PARTS = 3
#: From this chance on a part is called better or worse: the whole is outside its 95% interval.
SURE = 0.975
#: Draws of the parts' rates; chances are then right to half a percentage point.
_DRAWS = 10_000
#: How many means and how many spreads are tried.
_GRID = (15, 40)

#: Bases whose readings are sums, or rates of sums.
_SUMMED = {
    "point",
    "annual",
    "year_to_date",
    "cumulative",
    "rolling_12m",
    "mean_of_years",
    "change_from_baseline",
}

#: Columns of the contributions, one row per part; all figures are exact fractions.
CONTRIBUTION_COLUMNS = {
    "part": "the area or measure, or 'not in any part'",
    "numerator": "what is counted in the part, over the periods of the reading",
    "denominator": "what a rate is of, or the base of a change; missing for counts",
    "numerator_before": "what was counted at the period compared with",
    "denominator_before": "what the rate was of then",
    "rate": "the part's own reading in the measure's unit; missing where its denominator is 0",
    "weight": "the part's share of the whole; for counts its share at the period compared with",
    "level": "contribution to the whole's reading",
    "change": "contribution to the change since the period compared with",
    "within": "as much of the change as comes from the part's own rate",
    "mix": "as much of it as comes from the part's share of the whole",
    "gap": "contribution to the reading less the target",
    "gap_to_path": "contribution to the reading less the planned path",
}


@dataclass(frozen=True)
class Decomposition:
    """A measure taken apart at one period.

    Attributes
    ----------
    measure, kind : str
        The measure, and the kind of its parts.
    period, since : str
        The newest period whose parts had come in, and the one that its change is counted from
        (empty if there is none).
    level, before : Fraction or None
        The whole's reading at both, from numerators and denominators and not rounded.
    target, path : Fraction or None
        The target, and the planned path at the period.
    table : pandas.DataFrame
        The columns of :data:`CONTRIBUTION_COLUMNS`, the parts in the register's order.
    whole : pandas.Series
        What was counted in the whole: the columns that are counts.
    overlap : bool
        True if the two readings share a period, as rolling years less than a year apart do.
    missing : tuple of str
        Parts without a figure, each with the period that it lacks.
    illustrative : bool
        True if any figure used is made up.
    reason : str
        Why the measure cannot be taken apart, else empty.
    """

    measure: str
    kind: str = ""
    period: str = ""
    since: str = ""
    level: Fraction | None = None
    before: Fraction | None = None
    target: Fraction | None = None
    path: Fraction | None = None
    table: pd.DataFrame = field(
        repr=False, default_factory=lambda: pd.DataFrame(columns=list(CONTRIBUTION_COLUMNS))
    )
    whole: pd.Series = field(repr=False, default_factory=lambda: pd.Series(dtype=object))
    overlap: bool = False
    missing: tuple[str, ...] = ()
    illustrative: bool = False
    reason: str = ""


def contributions(
    parts: pd.DataFrame, target: Fraction | None = None, path: Fraction | None = None
) -> pd.DataFrame:
    """Contributions of parts that add up to the whole, in exact fractions.

    Notes
    -----
    E. M. Kitagawa, "Components of a difference between two rates", JASA 50 (1955), 1168-1194. Her
    mix effect of a part is the change of its share times its mean rate. Here the mean of the whole
    is taken off that rate: the shares' changes add up to nothing, so the sum stays the same, and
    a part below the average that grows is seen to pull the whole down. A part that has no rate at
    one of the periods has all of its change under mix.
    """
    made = []
    compared = parts["level_before"].notna().all() and len(parts) > 0
    mean = (parts["level"].sum() + parts["level_before"].sum()) / 2 if compared else None
    for row in parts.itertuples(index=False):
        rate = _ratio(row.level, row.weight)
        one: dict[str, Fraction | None] = {"rate": rate, "weight": row.weight, "level": row.level}
        if mean is not None:
            one |= _change(row, rate, mean)
        for name, goal in (("gap", target), ("gap_to_path", path)):
            if goal is not None and row.weight is not None:
                one[name] = row.level - row.weight * goal
        made.append(one)
    columns = ["rate", "weight", "level", "change", "within", "mix", "gap", "gap_to_path"]
    table = pd.DataFrame(made, columns=columns, index=parts.index, dtype=object)
    return table.where(table.notna(), None)


def _change(row: Any, rate: Fraction | None, mean: Fraction) -> dict[str, Fraction | None]:
    """What one part adds to the change; `mean` is that of the whole's two readings."""
    if row.weight is None or row.weight_before is None:
        # Counts that had nothing to take shares of before.
        return {"change": row.level - row.level_before}
    before, moved = _ratio(row.level_before, row.weight_before), row.weight - row.weight_before
    within = Fraction(0)
    mix = row.level - row.level_before - mean * moved
    if rate is not None and before is not None:
        within = (row.weight + row.weight_before) / 2 * (rate - before)
        mix -= within
    return {"change": within + mix, "within": within, "mix": mix}


def _ratio(over: Fraction | None, under: Fraction | None) -> Fraction | None:
    return over / under if over is not None and under else None


@memoised
def decompose(
    report: Report, measure: str, kind: str | None = None, since: str | None = None
) -> Decomposition:
    """Take a measure apart at the newest period whose parts had come in by the cut-off."""
    if measure not in report.agreement.measures.index:
        known = report.agreement.measures.index
        raise KeyError(f"there is no measure '{measure}'. {did_you_mean(measure, known)}")
    definition = report.agreement.measures.loc[measure]
    kinds = _parts(report, measure)
    if kind is not None and kind not in kinds:
        there = listed(list(kinds)) or "no parts"
        raise KeyError(f"{measure} has no parts of the kind '{kind}'; there is {there}")
    if definition["basis"] not in _SUMMED or (
        definition["basis"] != "change_from_baseline" and definition["unit"] in NOT_SUMMED
    ):
        return Decomposition(
            measure,
            reason=f"parts of a reading in {definition['unit']} "
            f"({definition['basis']}) do not add up",
        )
    with_figures = _with_figures(report, kinds)
    if kind is None and len(with_figures) > 1:
        raise ParameterError(
            f"{measure} has figures by {listed(with_figures)}: say which kind of part"
        )
    if kind is None and not with_figures:
        return Decomposition(measure, reason=f"no figures of {measure} by part have come in")
    chosen = kind or with_figures[0]
    return _taken_apart(report, definition, chosen, kinds[chosen], since)


#: The name of a part, and whose figures it is: measure and area.
Part = tuple[str, str, str]


def _parts(report: Report, measure: str) -> dict[str, list[Part]]:
    """The parts that the register gives a measure, by kind."""
    own = report.agreement.settings.agreement.area
    areas = report.agreement.areas
    within = areas[areas["part_of"] == own]
    kinds = {
        str(kind): [(str(area), measure, str(area)) for area in group["area"]]
        for kind, group in within.groupby("kind", sort=False)
    }
    if parts := report.agreement.measures.at[measure, "parts"]:
        kinds[MEASURES] = [(part, part, own) for part in parts]
    return kinds


def _with_figures(report: Report, kinds: dict[str, list[Part]]) -> list[str]:
    """The kinds of which any part has ever sent a figure, whenever it came."""
    seen = set(zip(report.observations["measure"], report.observations["area"], strict=True))
    return [kind for kind, parts in kinds.items() if any(part[1:] in seen for part in parts)]


def _taken_apart(
    report: Report, definition: pd.Series, kind: str, parts: list[Part], since: str | None
) -> Decomposition:
    """The decomposition by one kind of part."""
    measure, own = str(definition.name), report.agreement.settings.agreement.area
    figures = _figures(report, definition, [(_WHOLE, measure, own), *parts])
    found = list(figures)
    if not found:
        why = f"no figures of {measure} by {kind} had come in by the cut-off"
        return Decomposition(measure, kind, reason=why)
    period, start = found[-1], _baseline_label(definition, found)
    now = figures[period]
    # Compared only with a period that has a part in common with this one.
    earlier = [one for one in found[:-1] if len(now.index.intersection(figures[one].index)) > 1]
    before = start if start in earlier else next(iter(earlier), "")
    if since is not None:
        before = parse_period(since, KIND_OF_FREQUENCY[definition["frequency"]]).label
        if before not in earlier:
            there = f"expected one of {listed(earlier)}" if earlier else "there are no others"
            raise KeyError(
                f"no figures of {measure} by {kind} to compare with for {since}; {there}"
            )
    needed, joined = [(period, now.index)], now.drop(columns="periods")
    if before:
        needed.append((before, figures[before].index))
        joined = joined.join(figures[before].add_suffix("_before"), how="inner")
    else:
        joined = joined.assign(numerator_before=None, denominator_before=None)
    if definition["basis"] == "change_from_baseline":
        base = _bases(report, definition, parts, figures.get(start))
        needed.append((start or str(definition["baseline_period"]), base.index))
        joined = joined[joined.index.isin(base.index)]
        if _WHOLE not in joined.index or len(joined) < 2 or base[_WHOLE] <= 0:
            why = f"the figure that {measure} is measured from is not known part by part"
            return Decomposition(measure, kind, reason=why)
        joined = joined.assign(denominator=base, denominator_before=base if before else None)
    missing = tuple(
        f"{name} ({next(label for label, there in needed if name not in there)})"
        for name, _, _ in parts
        if name not in joined.index
    )
    made = _with_levels(joined, definition)
    target = exact(definition["target"]) if pd.notna(definition["target"]) else None
    ends = pd.Series(
        [pd.Timestamp(parse_period(period, KIND_OF_FREQUENCY[definition["frequency"]]).end)]
    )
    planned = planned_path(definition, ends).iloc[0]
    path = exact(planned) if pd.notna(planned) else None
    whole, rows = made.loc[_WHOLE], _with_rest(made)
    table = rows.drop(columns=["level", "weight"]).join(contributions(rows, target, path))
    windows = [set(figures[label]["periods"].iloc[0]) for label in (period, before) if label]
    return Decomposition(
        measure,
        kind,
        period,
        before,
        whole["level"],
        whole["level_before"],
        target,
        path,
        table.rename_axis("part").reset_index()[list(CONTRIBUTION_COLUMNS)],
        whole,
        len(windows) == 2 and bool(windows[0] & windows[1]),
        missing,
        bool(joined.filter(like="illustrative").any(axis=None)),
    )


#: The name under which the whole stands among its parts.
_WHOLE = ""


def _figures(report: Report, definition: pd.Series, parts: list[Part]) -> dict[str, pd.DataFrame]:
    """What was counted in the whole and in its parts, for each reading that has both.

    Exact, over all the periods that go into the reading; a part that lacks one of them is left
    out. Oldest first.
    """
    _, measure, own = parts[0]
    read = report.own_readings.get(measure, report.readings.head(0))
    columns = ["value"]
    if rate_factor(definition["unit"]) is not None:
        columns = ["numerator", "denominator"]
    known = report.known[report.known["measure"].isin({one for _, one, _ in parts})]
    # What each part counted in each period, and whether that is made up.
    counted: dict[tuple[str, str], dict[str, tuple[list[float], bool]]] = {}
    named = known[["measure", "area", "period", "illustrative", *columns]]
    for one, area, label, made_up, *figures in named[named[columns].notna().all(axis=1)].itertuples(
        index=False
    ):
        counted.setdefault((one, area), {})[label] = figures, made_up
    whole = known[(known["measure"] == measure) & (known["area"] == own)]
    found: dict[str, pd.DataFrame] = {}
    for label in read.loc[read["reading"].notna(), "period"]:
        used = observations_used(whole, read, report.agreement, measure, own, label)
        periods = list(used.loc[used["part"] == "reading", "period"])
        rows: dict[str, list[object]] = {}
        for name, one, area in parts:
            there = counted.get((one, area), {})
            if any(period not in there for period in periods):
                continue
            sums: list[Fraction | None] = [
                sum(map(exact, column), Fraction(0))
                for column in zip(*(there[period][0] for period in periods), strict=True)
            ]
            made_up = any(there[period][1] for period in periods)
            rows[name] = [*sums, *[None] * (2 - len(sums)), made_up, periods]
        if _WHOLE in rows and len(rows) > 1:
            titles = ["numerator", "denominator", "illustrative", "periods"]
            found[label] = pd.DataFrame.from_dict(rows, "index", object, titles)
    return found


def _baseline_label(definition: pd.Series, found: list[str]) -> str:
    """The reading of the baseline's period, or nothing."""
    baseline, kind = measure_period(definition, "baseline_period"), definition["frequency"]
    ends = {parse_period(label, KIND_OF_FREQUENCY[kind]).end: label for label in found}
    return ends.get(baseline.end, "") if baseline is not None else ""


def _bases(
    report: Report, definition: pd.Series, parts: list[Part], at_baseline: pd.DataFrame | None
) -> pd.Series:
    """What the change of the whole and of each part is measured from, where it is known."""
    counted = at_baseline["numerator"] if at_baseline is not None else pd.Series(dtype=object)
    base = counted.to_dict()
    if pd.notna(definition["base"]):
        base[_WHOLE] = exact(definition["base"])
    for name, measure, _ in parts:
        if measure != definition.name:
            # A measure of its own has its own figure of the same years in the register.
            row = report.agreement.measures.loc[measure]
            own = row["base"] if pd.notna(row["base"]) else row["baseline"]
            same = row["baseline_period"] == definition["baseline_period"]
            if same and row["unit"] not in NOT_SUMMED and pd.notna(own):
                base[name] = exact(own)
    return pd.Series(base, dtype=object)


def _with_levels(counted: pd.DataFrame, definition: pd.Series) -> pd.DataFrame:
    """Levels and weights, now and before, of the whole and of each part."""
    basis, factor = definition["basis"], rate_factor(definition["unit"])
    made = counted.copy()
    for when in ("", "_before"):
        over, under = made[f"numerator{when}"], made[f"denominator{when}"]
        if over.isna().any():
            made[f"level{when}"] = made[f"weight{when}"] = None
        elif basis == "change_from_baseline":
            made[f"level{when}"] = 100 * (over - under) / under[_WHOLE]
            made[f"weight{when}"] = under / under[_WHOLE]
        elif factor is not None:
            made[f"level{when}"] = factor * over / under[_WHOLE]
            made[f"weight{when}"] = under / under[_WHOLE]
        else:
            if basis == "cumulative":
                made.loc[_WHOLE, f"numerator{when}"] += exact(definition["baseline"])
            years = years_averaged(definition) if basis == "mean_of_years" else 1
            made[f"level{when}"] = made[f"numerator{when}"] / Fraction(years)
            # A count has no denominator: its target is shared out as it stood before.
            before = made["numerator_before"]
            shared = before.notna().all() and before[_WHOLE] != 0
            made[f"weight{when}"] = before / before[_WHOLE] if shared else None
    return made


def _with_rest(made: pd.DataFrame) -> pd.DataFrame:
    """The parts, and what none of them holds if that is anything."""
    columns = [
        f"{name}{when}"
        for name in ("numerator", "denominator", "level", "weight")
        for when in ("", "_before")
    ]
    parts = made.drop(index=_WHOLE)[columns]
    rest = {
        column: made.at[_WHOLE, column] - parts[column].sum()
        if made[column].notna().all()
        else None
        for column in columns
    }
    return (
        pd.concat([parts, pd.DataFrame(rest, index=[REST], dtype=object)])
        if any(rest.values())
        else parts
    )


@dataclass(frozen=True)
class Hotspots:
    """Where parts differ from the whole by more than chance.

    Attributes
    ----------
    decomposition : Decomposition
        What it rests on.
    unit : str
        Of every figure: the measure's, or ``percent change`` for counts.
    whole : float
        The whole's figure.
    spread : float
        Standard deviation between the parts' own figures, what chance adds left out.
    table : pandas.DataFrame
        One row per part, highest first: ``part``, ``observed``, ``shrunken``, ``lower`` and
        ``upper`` (95 in 100 chances), ``chance_worse`` (that the part is worse than the whole),
        ``place_low`` and ``place_high`` (places, 1 for the best, 95 in 100 chances).
    reason : str
        Why there is nothing to say, else empty.
    """

    decomposition: Decomposition
    unit: str = ""
    whole: float = float("nan")
    spread: float = float("nan")
    table: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    reason: str = ""


def shrunken_draws(
    numerator: ArrayLike, denominator: ArrayLike, events: bool = False, seed: int = 0
) -> NDArray[np.float64]:
    """Draws of the rates behind counts: each near its own, the fewer its cases the nearer to all.

    Notes
    -----
    The parts' rates are drawn from one distribution, whose mean and spread are not known: Beta with
    binomial counts, or Gamma with Poisson ones (D. Clayton and J. Kaldor, Biometrics 43 (1987),
    671-681; R. J. Marshall, Applied Statistics 40 (1991), 283-294). Both estimate the spread and
    then take it as known, which makes intervals too narrow for a few parts. Here it is averaged
    over, on a grid, by how well each spread explains the counts; before them every standard
    deviation is as likely (A. Gelman, Bayesian Analysis 1 (2006), 515-534), and every mean.
    """
    over, under = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if len(over) < FEWEST_PARTS:
        raise ValueError(f"there are {len(over)} parts; expected at least {FEWEST_PARTS}")
    pooled = over.sum() / under.sum()
    if pooled <= 0 or (not events and pooled >= 1):
        raise ValueError("all or none of the cases are counted")
    chance = pooled if events else pooled * (1 - pooled)
    apart = (under * (over / under - pooled) ** 2).sum() + chance * len(under)
    typical = np.sqrt(apart / under.sum())
    reach = 4 * typical / np.sqrt(len(under))
    means = np.linspace(max(pooled - reach, pooled / 1e3), pooled + reach, _GRID[0])
    means = means if events else np.minimum(means, 1 - (1 - pooled) / 1e3)
    spreads = (np.arange(_GRID[1]) + 0.5) / _GRID[1] * 5 * typical
    mean, spread = (axis.ravel() for axis in np.meshgrid(means, spreads))
    if events:
        first, second = (mean / spread) ** 2, mean / spread**2
        fits = gammaln(first[:, None] + over) - gammaln(first)[:, None]
        fits += (first * np.log(second))[:, None]
        fits -= (first[:, None] + over) * np.log(second[:, None] + under)
    else:
        # A share cannot spread further than between none and all.
        possible = spread**2 < mean * (1 - mean)
        mean, spread = mean[possible], spread[possible]
        size = mean * (1 - mean) / spread**2 - 1
        first, second = mean * size, (1 - mean) * size
        fits = betaln(first[:, None] + over, second[:, None] + under - over)
        fits -= betaln(first, second)[:, None]
    weights = np.exp(fits.sum(axis=1) - fits.sum(axis=1).max())
    generator = np.random.default_rng(seed)
    which = generator.choice(len(weights), _DRAWS, p=weights / weights.sum())
    first, second = first[which, None], second[which, None]
    if events:
        return generator.gamma(first + over, 1 / (second + under))
    return generator.beta(first + over, second + under - over)


@memoised
def hotspots(
    report: Report, measure: str, kind: str | None = None, since: str | None = None
) -> Hotspots:
    """Where parts are better or worse than the whole after allowing for chance.

    A count has nothing that it is of, so its change since another period is looked at: of all the
    events of both periods, the share that fell into the later one.
    """
    apart = decompose(report, measure, kind, since)
    definition = report.agreement.measures.loc[measure]
    factor = rate_factor(definition["unit"])
    if reason := _no_hotspots(apart, definition):
        return Hotspots(apart, reason=reason)
    parts = apart.table[apart.table["part"] != REST]
    over, under, unit = parts["numerator"], parts["denominator"], str(definition["unit"])
    whole = apart.whole["numerator"], apart.whole["denominator"]
    if factor is None:
        under, unit = over + parts["numerator_before"], "percent change"
        whole = whole[0], whole[0] + apart.whole["numerator_before"]
    if (under <= 0).any() or not 0 < over.sum() < (
        under.sum() if factor in (None, 100) else np.inf
    ):
        return Hotspots(apart, reason="all or none of the cases are counted")

    def shown(share: ArrayLike) -> NDArray[np.float64]:
        """In the unit that readers see."""
        given = np.asarray(share, dtype=float)
        return 100 * (given / (1 - given) - 1) if factor is None else factor * given

    seed = zlib.crc32(measure.encode())
    draws = shown(shrunken_draws(over, under, factor not in (None, 100), seed))
    level = float(shown(float(whole[0] / whole[1])))
    worse = _better(definition)
    lower, middle, upper = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
    places = (-worse * draws).argsort(axis=1).argsort(axis=1) + 1
    low, high = np.quantile(places, [0.025, 0.975], axis=0, method="inverted_cdf")
    with np.errstate(divide="ignore"):
        observed = shown(np.asarray(over / under, dtype=float))
    table = pd.DataFrame(
        {
            "part": parts["part"],
            "observed": observed,
            "shrunken": middle,
            "lower": lower,
            "upper": upper,
            "chance_worse": (worse * draws < worse * level).mean(axis=0),
            "place_low": low.astype(int),
            "place_high": high.astype(int),
        }
    )
    table = table.sort_values("shrunken", ascending=False, kind="stable").reset_index(drop=True)
    return Hotspots(apart, unit, level, float(np.median(draws.std(axis=1))), table)


def _no_hotspots(apart: Decomposition, definition: pd.Series) -> str:
    """Why nothing can be said of where parts differ, or nothing."""
    if apart.reason:
        return apart.reason
    if definition["made_of"] != "cases":
        return "the figures are not made of single cases"
    if (apart.table["part"] != REST).sum() < FEWEST_PARTS:
        return f"it takes {FEWEST_PARTS} parts to see how far they differ"
    if rate_factor(definition["unit"]) is not None:
        return ""
    if not apart.since:
        return "there is no earlier period to compare with"
    if apart.overlap:
        return f"the readings of {apart.since} and {apart.period} share some of their cases"
    return ""


@dataclass(frozen=True)
class WhatIf:
    """What the whole would be if some parts were at other levels.

    Attributes
    ----------
    decomposition : Decomposition
        What it rests on.
    table : pandas.DataFrame
        One row per part that is set: ``part``, ``now`` and ``then``, its figure, ``weight`` (for
        rates), ``more``, how many more would be counted in it, and ``effect``, what that adds to
        the whole's reading. Exact fractions.
    level : Fraction or None
        The whole's reading then.
    effect : Fraction or None
        The same less its reading now: the effects added up.
    closed : Fraction or None
        The share of the way from the reading to the target that this makes; None where the
        target is reached or not stated.
    chance_before, chance_after : float
        Chance of the target as forecast, and with the draws of the due reading moved by the
        effect; missing if there is no forecast or no target.
    reason : str
        Why nothing can be said, else empty.
    """

    decomposition: Decomposition
    table: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    level: Fraction | None = None
    effect: Fraction | None = None
    closed: Fraction | None = None
    chance_before: float = float("nan")
    chance_after: float = float("nan")
    reason: str = ""


def what_if(
    report: Report, measure: str, changes: Mapping[str, float | str], kind: str | None = None
) -> WhatIf:
    """What the whole's reading and the chance of its target would be if parts were elsewhere.

    Notes
    -----
    Every draw of the due reading is moved by the same number of points, since what the parts gain
    comes on top of whatever the others do; none goes beyond 0 or 100 per cent.
    """
    apart = decompose(report, measure, kind)
    if apart.kind:
        known = [name for name, _, _ in _parts(report, measure)[apart.kind]]
        for name in changes:
            if name not in known:
                raise KeyError(
                    f"{measure} has no part '{name}'. {did_you_mean(name, known)} "
                    f"There is {listed(known)}"
                )
    if apart.reason:
        return WhatIf(apart, reason=apart.reason)
    rows = apart.table.set_index("part")
    absent = [name for name in changes if name not in rows.index]
    if absent:
        return WhatIf(apart, reason=f"no figures of {listed(absent)} had come in by the cut-off")
    definition = report.agreement.measures.loc[measure]
    made = [
        _one_change(name, given, rows.loc[name], apart, definition)
        for name, given in changes.items()
    ]
    table = pd.DataFrame(
        made, columns=["part", "now", "then", "weight", "more", "effect"], dtype=object
    )
    effect = sum(table["effect"], Fraction(0))
    assert apart.level is not None
    level, target = apart.level + effect, apart.target
    closed = None
    if target is not None and (target - apart.level) * _better(definition) > 0:
        closed = effect / (target - apart.level)
    before, after = _chances(report, measure, target, effect)
    return WhatIf(apart, table, level, effect, closed, before, after)


def _one_change(
    name: str, given: float | str, row: pd.Series, apart: Decomposition, definition: pd.Series
) -> list[object]:
    """What one part adds to the whole's reading if it is set to a figure."""
    unit = str(definition["unit"])
    counted = pd.isna(row["denominator"])
    now = row["level"] if counted else row["rate"]
    average = given == AVERAGE and not counted
    then = apart.level if average else _allowed(name, given, unit, counted)
    assert then is not None
    if counted:
        return [name, now, then, None, then - now, then - now]
    whole = apart.whole["denominator"]
    effect = row["weight"] * (then - now)
    return [name, now, then, row["weight"], effect * whole / (rate_factor(unit) or 100), effect]


def _allowed(name: str, given: float | str, unit: str, counted: bool) -> Fraction:
    """A figure as the unit allows it."""
    low, high = _RANGES.get(unit, (0, np.inf))
    if isinstance(given, str) or not low <= given <= high or given == np.inf:
        words = f"{low:g} to {high:g}" if high == 100 else f"{low:g} or more"
        average = "" if counted else f", or '{AVERAGE}'"
        raise ParameterError(f"{name} is set to {given!r}; expected {words} ({unit}){average}")
    return exact(float(given))


def _chances(
    report: Report, measure: str, target: Fraction | None, effect: Fraction
) -> tuple[float, float]:
    """The chance of the target as forecast, and with every draw of the due reading moved."""
    outlook = report.outlooks.get(measure)
    if outlook is None or outlook.reason or target is None:
        return float("nan"), float("nan")
    definition = report.agreement.measures.loc[measure]
    low, high = _RANGES.get(str(definition["unit"]), (0, np.inf))
    moved = replace(outlook, draws=np.clip(outlook.draws + float(effect), low, high))
    polarity = str(definition["polarity"])
    return outlook.chance(float(target), polarity), moved.chance(float(target), polarity)


#: Lowest and highest figure of a unit; 0 and no limit for any other.
_RANGES = {"percent": (0.0, 100.0), "percent change": (-100.0, np.inf)}


def _better(measure: pd.Series) -> int:
    return 1 if measure["polarity"] == "higher" else -1
