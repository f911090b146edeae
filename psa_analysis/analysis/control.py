"""Control charts: whether a quarter is ordinary, or a sign that something has changed.

Charts of single figures with limits from their moving ranges (XmR), read by the rules of the NHS's
Making Data Count. Tools differ in the conventions; each is a field of :class:`ControlRules`, and
docs/control.md says which tool does what.

Mean plus and minus 2.66 mean moving ranges: W. A. Shewhart, "Economic control of quality of
manufactured product" (1931); D. J. Wheeler, "Understanding variation" (1993). 2.66 is 3 / d2 with
d2 = 1.128, the mean range of two draws from a normal distribution in standard deviations; 3.267 is
D4, the upper limit of such ranges in mean ranges. The rules for runs, trends and two in three:
Western Electric, "Statistical quality control handbook" (1956); L. S. Nelson, Journal of Quality
Technology 16 (1984), 237-239.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import parse_period, period_containing
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, rate_factor

#: Below this chance, season or not, quarters are said to differ by the time of year.
SEASON_CHANCE = 0.05

Mark = Literal["all", "end"]
Ties = Literal["break", "skip"]
Third = Literal["same side", "any"]
MarkTwo = Literal["close", "window"]
TrendBy = Literal["direction", "side"]


@dataclass(frozen=True)
class ControlRules:
    """The conventions of a control chart; the defaults are ours.

    Attributes
    ----------
    limit_factor, screen_factor : float
        2.66 and 3.267, as printed in tables; 3 / 1.128 is 2.6596.
    screen_outliers : bool
        Leave moving ranges above `screen_factor` mean ranges out of the limits, once (L. S.
        Nelson, Journal of Quality Technology 14 (1982), 172-173), so that one wild figure does not
        hide itself.
    limits_from : int, optional
        Mean and limits from the first so many figures of each phase; None takes all.
    run : int
        So many figures in a row on one side of the mean.
    trend : int
        So many figures in a row each above, or each below, the one before; 7 are 6 steps.
    mark : {"all", "end"}
        Mark all of a run or trend, or only from the figure on that completes it.
    ties : {"break", "skip"}
        A figure on the mean ends a run, and one equal to the one before ends a trend; or it is
        passed over.
    count_outside : bool
        Whether a figure beyond the limits counts as one of the two in three.
    third_point : {"same side", "any"}
        Where the third of two in three lies: on the same side of the mean, or anywhere.
    mark_two_in_three : {"close", "window"}
        Mark the two close to the limit, or all three.
    trend_by : {"direction", "side"}
        A trend is an improvement if it goes the better way; or each of its figures is one if it
        lies on the better side of the mean.
    keep_possible : bool
        End limits where the figure itself must end: at 0, and at 100 for percentages.
    trial_below : int
        Limits from fewer figures are trial limits.
    fewest : int
        The fewest figures that limits are made of.
    """

    limit_factor: float = 2.66
    screen_factor: float = 3.267
    screen_outliers: bool = True
    limits_from: int | None = None
    run: int = 7
    trend: int = 7
    mark: Mark = "all"
    ties: Ties = "break"
    count_outside: bool = False
    third_point: Third = "same side"
    mark_two_in_three: MarkTwo = "close"
    trend_by: TrendBy = "direction"
    keep_possible: bool = True
    trial_below: int = 12
    fewest: int = 6

    def __post_init__(self) -> None:
        choices = {
            "mark": Mark,
            "ties": Ties,
            "third_point": Third,
            "mark_two_in_three": MarkTwo,
            "trend_by": TrendBy,
        }
        for name, kind in choices.items():
            given, known = getattr(self, name), get_args(kind)
            if given not in known:
                raise ValueError(
                    f"{name} is {given!r}; expected {one_of(known)}. "
                    + did_you_mean(str(given), known)
                )
        least = {"run": 2, "trend": 3, "fewest": 2, "trial_below": 0, "limits_from": 2}
        for name, number in least.items():
            given = getattr(self, name)
            if given is not None and given < number:
                raise ValueError(f"{name} is {given}; expected at least {number}")


#: The conventions that reports are made with.
OUR_RULES = ControlRules()


@dataclass(frozen=True)
class Rebase:
    """Where mean and limits start anew, and why.

    Attributes
    ----------
    period : str
        The first period of the new phase.
    reason : str
        What changed then; there is no rebase without one.
    """

    period: str
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError(f"the rebase at {self.period} has no reason; say what changed then")


@dataclass(frozen=True)
class Control:
    """The control chart of one measure.

    Attributes
    ----------
    points : pandas.DataFrame
        The columns of :func:`xmr` with ``period``, ``period_end``, ``flag`` and ``illustrative``,
        a row per quarter; empty where there is a `reason`.
    unit : str
        Unit of the figures.
    rules : ControlRules
        The conventions.
    reason : str
        Why there is no chart, else empty.
    target : float
        The target where a quarter's figure can be compared with it, else missing.
    assurance : str
        As :func:`assurance` gives it for the newest phase.
    season : float
        Share of the differences between quarters that the time of year explains, 0 to 1, where
        that is more than chance, else missing.
    rebases : tuple of Rebase
        Those that the limits follow.
    refused : tuple of (Rebase, str)
        Those that they cannot follow, each with the reason.
    """

    points: pd.DataFrame = field(repr=False)
    unit: str = ""
    rules: ControlRules = OUR_RULES
    reason: str = ""
    target: float = float("nan")
    assurance: str = ""
    season: float = float("nan")
    rebases: tuple[Rebase, ...] = ()
    refused: tuple[tuple[Rebase, str], ...] = ()


#: Columns of the chart's points beside the value, one row per figure.
POINT_COLUMNS = {
    "value": "the figure",
    "phase": "0, and one more from each rebase on",
    "centre": "mean of the phase",
    "lower": "lower limit",
    "upper": "upper limit",
    "outside": "1 above the upper limit, -1 below the lower one, else 0",
    "run": "1 in a run above the mean, -1 in one below it, else 0",
    "trend": "1 in a rising trend, -1 in a falling one, else 0",
    "two_in_three": "1 where two in three are close to the upper limit, -1 to the lower, else 0",
    "kind": "ordinary, improvement or concern; neutral without a polarity",
    "trial": "True where the limits are trial limits",
}


def xmr(
    values: pd.Series,
    polarity: str = "",
    rules: ControlRules = OUR_RULES,
    rebases: Sequence[Rebase] = (),
) -> pd.DataFrame:
    """Mean, limits and signs of a special cause for each figure of a series."""
    if polarity not in ("higher", "lower", ""):
        raise KeyError(f"there is no polarity '{polarity}'; there are higher, lower and ''")
    known = list(values.dropna().index)
    for rebase in rebases:
        if rebase.period not in known:
            raise KeyError(f"there is no figure for {rebase.period}; expected {one_of(known)}")
    applied, refused = fitting_rebases(known, rebases, rules.fewest)
    if refused:
        raise ValueError("; ".join(why for _, why in refused))
    starts = [0, *(values.index.get_loc(rebase.period) for rebase in applied), len(values)]
    phases = [
        _phase(values.iloc[start:end], polarity, rules).assign(phase=number)
        for number, (start, end) in enumerate(pairwise(starts))
    ]
    return pd.concat(phases)[list(POINT_COLUMNS)]


def fitting_rebases(
    periods: Sequence[str], rebases: Sequence[Rebase], fewest: int
) -> tuple[list[Rebase], list[tuple[Rebase, str]]]:
    """The rebases that leave enough figures on either side, and the others with the reason."""
    applied: list[Rebase] = []
    refused: list[tuple[Rebase, str]] = []
    place = {period: number for number, period in enumerate(periods)}
    start = 0
    for rebase in sorted(rebases, key=lambda one: place.get(one.period, -1)):
        if rebase.period not in place:
            refused.append((rebase, f"there is no figure for {rebase.period}"))
            continue
        before, after = place[rebase.period] - start, len(periods) - place[rebase.period]
        if min(before, after) < fewest:
            few, where = (before, "before") if before < fewest else (after, "from")
            why = f"limits need {fewest} figures, and there are {few} {where} {rebase.period}"
            refused.append((rebase, f"{why}{' on' if where == 'from' else ''}"))
            continue
        applied.append(rebase)
        start = place[rebase.period]
    return applied, refused


def _phase(values: pd.Series, polarity: str, rules: ControlRules) -> pd.DataFrame:
    """Mean, limits and signs of one stretch without a rebase."""
    # Exact, as the figures are written: on a line or beside it must not hang on rounding.
    figures = [None if pd.isna(one) else Fraction(str(float(one))) for one in values]
    based = figures[: rules.limits_from]
    known = [one for one in based if one is not None]
    ranges = [abs(b - a) for a, b in pairwise(based) if a is not None and b is not None]
    frame = pd.DataFrame({"value": values.astype(float)}, index=values.index)
    frame["trial"] = len(known) < rules.trial_below
    if not ranges:
        empty = {"centre": np.nan, "lower": np.nan, "upper": np.nan, "kind": "ordinary"}
        return frame.assign(outside=0, run=0, trend=0, two_in_three=0, **empty)
    centre, width = _mean(known), _as_written(rules.limit_factor) * _mean_range(ranges, rules)
    away = [None if one is None else one - centre for one in figures]
    sides = [None if one is None else _sign(one) for one in away]
    outside = [0 if one is None or abs(one) <= width else _sign(one) for one in away]
    close = [
        one is not None and 3 * abs(one) > 2 * width and (rules.count_outside or not beyond)
        for one, beyond in zip(away, outside, strict=True)
    ]
    run = _marked(sides, rules.run, rules)
    trend = _trend(figures, rules)
    two = two_in_three(close, sides, rules.third_point)
    if rules.mark_two_in_three == "close":
        two = [
            mark if near and side == mark else 0
            for mark, near, side in zip(two, close, sides, strict=True)
        ]
    signs = [
        beyond or in_run or in_two or _trend_sign(in_trend, side or 0, rules)
        for beyond, in_run, in_two, in_trend, side in zip(
            outside, run, two, trend, sides, strict=True
        )
    ]
    return frame.assign(
        centre=float(centre),
        lower=float(centre - width),
        upper=float(centre + width),
        outside=outside,
        run=run,
        trend=trend,
        two_in_three=two,
        kind=[_kind(sign, polarity) for sign in signs],
    )


def _as_written(value: float) -> Fraction:
    return Fraction(str(float(value)))


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction()) / len(values)


def _mean_range(ranges: Sequence[Fraction], rules: ControlRules) -> Fraction:
    """The mean moving range, without the outlying ones if so agreed."""
    mean = _mean(ranges)
    if not rules.screen_outliers:
        return mean
    highest = _as_written(rules.screen_factor) * mean
    return _mean([one for one in ranges if one <= highest])


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def run_ends(sides: Sequence[int | None], length: int) -> list[int]:
    """Where so many in a row have one sign: that sign at the last of them and on, else 0."""
    ends, count, before = [], 0, None
    for side in sides:
        count = (count + 1 if side == before else 1) if side else 0
        ends.append(side if side and count >= length else 0)
        before = side
    return ends


def trend_ends(values: Sequence[Fraction | float | None], length: int) -> list[int]:
    """Where so many in a row rose (1) or fell (-1): at the last of them and on, else 0."""
    if not values:
        return []
    steps: list[int | None] = [None]
    steps += [None if a is None or b is None else (b > a) - (b < a) for a, b in pairwise(values)]
    return run_ends(steps, length - 1)


def fill_back(ends: Sequence[int], length: int) -> list[int]:
    """The whole of each run or trend from where it was complete."""
    return [
        next((end for end in ends[place : place + length] if end), 0) for place in range(len(ends))
    ]


def _marked(sides: Sequence[int | None], length: int, rules: ControlRules) -> list[int]:
    kept = [place for place, side in enumerate(sides) if side != 0 or rules.ties == "break"]
    ends = run_ends([sides[place] for place in kept], length)
    return _placed(kept, ends, length, len(sides), rules)


def _trend(figures: Sequence[Fraction | None], rules: ControlRules) -> list[int]:
    kept: list[int] = []
    for place, figure in enumerate(figures):
        tied = bool(kept) and figure is not None and figure == figures[kept[-1]]
        if not tied or rules.ties == "break":
            kept.append(place)
    ends = trend_ends([figures[place] for place in kept], rules.trend)
    return _placed(kept, ends, rules.trend, len(figures), rules)


def _placed(
    kept: Sequence[int], ends: Sequence[int], length: int, count: int, rules: ControlRules
) -> list[int]:
    """Marks of the figures that were not passed over, at their places among all."""
    marks = fill_back(ends, length) if rules.mark == "all" else ends
    placed = [0] * count
    for place, mark in zip(kept, marks, strict=True):
        placed[place] = mark
    return placed


def two_in_three(
    close: Sequence[bool | int], sides: Sequence[int | None], third: Third = "same side"
) -> list[int]:
    """Threes in a row of which two are close to one limit: 1 the upper, -1 the lower, else 0."""
    marks = [0] * len(sides)
    for first in range(len(sides) - 2):
        three = range(first, first + 3)
        around = [sides[place] for place in three]
        for side in (1, -1):
            near = sum(bool(close[place]) and sides[place] == side for place in three)
            fits = around.count(side) == 3 if third == "same side" else None not in around
            if near >= 2 and fits:
                for place in three:
                    marks[place] = marks[place] or side
    return marks


def _trend_sign(trend: int, side: int, rules: ControlRules) -> int:
    """Which way a figure counts that is only in a trend; one on the mean goes with the trend."""
    return (side or trend) if trend and rules.trend_by == "side" else trend


def _kind(sign: int, polarity: str) -> str:
    if not sign:
        return "ordinary"
    if not polarity:
        return "neutral"
    return "improvement" if (sign > 0) == (polarity == "higher") else "concern"


def assurance(lower: float, upper: float, target: float, polarity: str) -> str:
    """Whether a process that stays as it is reaches a target."""
    if pd.isna(target) or pd.isna(lower) or not polarity:
        return ""
    if lower <= target <= upper:
        return "unreliable"
    hits = (target < lower) == (polarity == "higher")
    return "consistently hits" if hits else "consistently misses"


def season_share(
    values: Sequence[float], seasons: Sequence[int], phases: Sequence[int]
) -> tuple[float, float]:
    """How much of the differences between figures the time of year explains."""
    y = np.asarray(values, dtype=float)
    there = ~np.isnan(y)
    levels = pd.get_dummies(pd.Series(phases)[there]).to_numpy(dtype=float)
    quarters = pd.get_dummies(pd.Series(seasons)[there]).to_numpy(dtype=float)
    line = np.column_stack([levels, np.arange(len(y), dtype=float)[there]])
    without, few = _residual(line, y[there])
    within, many = _residual(np.column_stack([line, quarters]), y[there])
    left, gained = int(there.sum()) - many, many - few
    if left < 3 or not gained or without <= 1e-12 * float(y[there] @ y[there]):
        return float("nan"), float("nan")
    share = 1 - within / without
    return share, float(fdtrc(gained, left, (share / gained) / max((1 - share) / left, 1e-300)))


def _residual(design: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    """Sum of squares that a regression leaves, and how many numbers it fits."""
    found, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    return float(((y - design @ found) ** 2).sum()), int(rank)


#: Bases whose reading is no figure of its own period's alone.
_COMPARED = {
    "ratio_to_comparator": "the reading compares two figures",
    "gap_to_comparator": "the reading compares two figures",
    "rank": "the reading is a place among others",
    "milestone": "a milestone is done or not",
}

_YEARLY = {
    "annual": "once a financial year",
    "exam_year": "once a school year",
    "calendar_year": "once a calendar year",
}


def measure_control(
    observed: pd.DataFrame,
    measure: pd.Series,
    unit: str,
    rebases: Sequence[Rebase] = (),
    rules: ControlRules = OUR_RULES,
) -> Control:
    """The control chart of one measure's quarters, or why there is none.

    Charted is what was observed in each quarter. Rolling readings share three quarters with their
    neighbours, so that they follow one another and break the rules.
    """
    points = _every_quarter(observed) if measure["frequency"] == "quarterly" else observed
    known = list(points.loc[points["observed"].notna(), "period"])
    reason = _why_none(measure, len(known), rules)
    if reason:
        return Control(pd.DataFrame(columns=list(POINT_COLUMNS)), unit, rules, reason)
    newest = points["period_end"].iloc[-1]
    rebases = [one for one in rebases if pd.Timestamp(parse_period(one.period).end) <= newest]
    applied, refused = fitting_rebases(known, rebases, rules.fewest)
    polarity = str(measure["polarity"])
    made = xmr(points.set_index("period")["observed"], polarity, rules, applied)
    if rules.keep_possible:
        lowest, highest = _possible(unit)
        made = made.assign(
            lower=made["lower"].clip(lower=lowest), upper=made["upper"].clip(upper=highest)
        )
    made = points.drop(columns="observed").merge(made, left_on="period", right_index=True)
    target = quarterly_target(measure)
    last = made.iloc[-1]
    share, chance = season_share(
        made["value"].tolist(), made["period_end"].dt.quarter.tolist(), made["phase"].tolist()
    )
    return Control(
        made.reset_index(drop=True),
        unit,
        rules,
        "",
        target,
        assurance(last["lower"], last["upper"], target, polarity),
        share if chance < SEASON_CHANCE else float("nan"),
        tuple(applied),
        tuple(refused),
    )


def _why_none(measure: pd.Series, count: int, rules: ControlRules) -> str:
    """Why a measure has no control chart, or nothing."""
    if measure["frequency"] in _YEARLY:
        return (
            f"it is measured {_YEARLY[measure['frequency']]}, and a control chart needs more "
            "figures than that gives to tell a special cause from ordinary variation"
        )
    if measure["basis"] in _COMPARED:
        return f"{_COMPARED[measure['basis']]}, and a control chart follows one figure"
    if count < rules.fewest:
        there = {0: "there is none", 1: "there is 1"}.get(count, f"there are {count}")
        return f"limits need {rules.fewest} quarters, and {there}"
    return ""


def _every_quarter(observed: pd.DataFrame) -> pd.DataFrame:
    """A row for every quarter from the first to the newest; those without a figure are missing."""
    columns = ["period", "period_end", "observed", "flag", "illustrative"]
    own = observed[columns].sort_values("period_end")
    if own.empty:
        return own
    ends = pd.date_range(own["period_end"].iloc[0], own["period_end"].iloc[-1], freq="QE")
    labels = [period_containing(end.date(), "quarter").label for end in ends]
    every = pd.DataFrame({"period": labels, "period_end": ends})
    every = every.merge(own.drop(columns="period_end"), on="period", how="left")
    gaps = every["flag"].isna()
    return every.assign(
        flag=every["flag"].mask(gaps, ""),
        illustrative=every["illustrative"].mask(gaps, False).astype(bool),
    )


def _possible(unit: str) -> tuple[float | None, float | None]:
    """The lowest and highest value that a figure in a unit can have; None where there is none."""
    if unit == "percent":
        return 0, 100
    return (None if unit in NOT_SUMMED else 0), None


def quarterly_target(measure: pd.Series) -> float:
    """The target where one quarter's figure can be set against it, else missing.

    So it can where the reading is the quarter's own figure, and where it is a rate over several
    quarters. The target of a sum of quarters, or of a change, is of another size.
    """
    pooled = measure["basis"] in ("annual", "year_to_date", "rolling_12m", "mean_of_years")
    same = measure["basis"] in ("point", "index") or (
        pooled and rate_factor(str(measure["unit"])) is not None
    )
    return float(measure["target"]) if same else float("nan")


def register_rebases(agreement: Agreement, measure: str) -> list[Rebase]:
    """The rebases of one measure in ``rebases.csv``."""
    rows = agreement.rebases[agreement.rebases["measure"] == measure]
    return [
        Rebase(parse_period(period, "quarter").label, reason)
        for period, reason in zip(rows["period"], rows["reason"], strict=True)
    ]


def check_rebases(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """Rebases that leave too few figures on one side, from all that has come in."""
    findings = []
    area = agreement.settings.agreement.area
    rows = agreement.rebases
    for measure in rows["measure"].unique():
        own = observations[(observations["measure"] == measure) & (observations["area"] == area)]
        own = own[own["value"].notna()].sort_values("period_end")
        known = list(own["period"].drop_duplicates())
        for rebase, why in fitting_rebases(
            known, register_rebases(agreement, measure), OUR_RULES.fewest
        )[1]:
            here = rows["period"].map(lambda text: parse_period(text).label) == rebase.period
            findings.append(
                Finding(
                    "error",
                    "raw/register/rebases.csv",
                    f"a quarter with {OUR_RULES.fewest} figures before it and from it on: {why}",
                    "Take another quarter, or remove the row until enough figures are there.",
                    row=int(rows.index[(rows["measure"] == measure) & here][0]),
                    column="period",
                    found=rebase.period,
                    measure=measure,
                )
            )
    return findings
