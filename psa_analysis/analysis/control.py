"""Control charts: whether a quarter is ordinary, or a sign that something has changed.

Charts of single figures with limits from their moving ranges (XmR), read by the rules of the NHS's
Making Data Count; ``docs/control.md`` explains the numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from psa_analysis.files import meanings
from psa_analysis.findings import Finding
from psa_analysis.periods import parse_period, period_containing
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, rate_factor

LIMIT_FACTOR = 2.66  # limits are so many mean moving ranges from the mean
SCREEN_FACTOR = 3.267  # ranges above so many mean ranges are left out of the limits, once
RUN = 7  # figures in a row on one side of the mean are a run; that rise, or fall, a trend
FEWEST = 6  # figures that limits need
TRIAL_BELOW = 12  # limits from fewer figures are trial limits
SEASON_CHANCE = 0.05  # below this chance, quarters are said to differ by the time of year
_TOLERANCE = 1e-12  # of the largest figure: what is so near to a line is on it

#: Columns of the chart's points beside the value, one row per figure.
POINT_COLUMNS = meanings("control points")


@dataclass(frozen=True)
class Control:
    """The control chart of one measure."""

    points: pd.DataFrame = field(repr=False)  # POINT_COLUMNS, period_end, flag, illustrative.
    unit: str
    reason: str = ""  # Why there is no chart.
    target: float = float("nan")  # Where one quarter's figure can be compared with it.
    assurance: str = ""  # As the function says it of the newest phase.
    season: float = float("nan")  # Share of the variation explained by it, if beyond chance.
    rebases: dict[str, str] = field(default_factory=dict)  # Their reasons, by period.


def xmr(values: pd.Series, polarity: str = "higher", rebases: Collection[str] = ()) -> pd.DataFrame:
    """Mean, limits and signs of a special cause for each figure of a series, by period."""
    phases = values.astype(float).groupby(values.index.isin(list(rebases)).cumsum())
    charts = [_phase(rows, polarity).assign(phase=number) for number, rows in phases]
    return pd.concat(charts)[list(POINT_COLUMNS)]


def rebases_too_early(known: Sequence[str], rebases: Collection[str]) -> list[str]:
    """The rebases with too few figures since the one before, or from it on, of `known` periods."""
    short, start = [period for period in rebases if period not in known], 0
    for place, period in enumerate(known):
        if period in rebases:
            if min(place - start, len(known) - place) < FEWEST:
                short.append(period)
            else:
                start = place
    return short


def _phase(values: pd.Series, polarity: str) -> pd.DataFrame:
    """Mean, limits and signs of one stretch without a rebase."""
    # On a line or beside it must not hang on rounding.
    tolerance = _TOLERANCE * values.abs().max()
    ranges = values.diff().abs()
    usual_ranges = ranges[ranges <= SCREEN_FACTOR * ranges.mean() + tolerance]
    centre = values.mean() if ranges.notna().any() else np.nan
    width = LIMIT_FACTOR * usual_ranges.mean()
    distance = (values - centre).abs()
    side = np.sign(values - centre).mask(distance <= tolerance, 0)
    outside = side.where(distance > width + tolerance, 0)
    close = (distance > 2 / 3 * width + tolerance) & (outside == 0)
    run, trend = in_runs(side, RUN), in_trends(values, RUN)
    two = two_in_three(close, side).where(close, 0)
    signs = outside.where(outside != 0, run.where(run != 0, two.where(two != 0, trend)))
    better = {"higher": 1, "lower": -1}[polarity]
    kinds = {0: "ordinary", better: "improvement", -better: "concern"}
    lines = {"centre": centre, "lower": centre - width, "upper": centre + width}
    points = values.to_frame("value").assign(**lines, trial=values.count() < TRIAL_BELOW)
    rules = {"outside": outside.astype(int), "run": run, "trend": trend}
    return points.assign(**rules, two_in_three=two.astype(int), kind=signs.map(kinds))


def in_runs(signs: pd.Series, length: int) -> pd.Series:
    """The sign of each figure that is one of so many in a row with the same sign, else 0."""
    stretch = (signs != signs.shift()).cumsum()
    size = signs.groupby(stretch).transform("size")
    return signs.where(size >= length, 0).fillna(0).astype(int)


def in_trends(values: pd.Series, length: int) -> pd.Series:
    """1 for each of so many figures in a row that rise, -1 for those that fall, else 0."""
    steps = in_runs(np.sign(values.diff()), length - 1)
    # A trend begins with the figure before its first step.
    return steps.where(steps != 0, steps.shift(-1, fill_value=0))


def two_in_three(close: pd.Series, side: pd.Series) -> pd.Series:
    """The side of all threes in a row on one side of the mean with two close to a limit, else 0."""
    ends = (close.astype(int).rolling(3).sum() >= 2) & (side.rolling(3).sum().abs() == 3)
    later = ends.shift(-1, fill_value=False) | ends.shift(-2, fill_value=False)
    return side.where(ends | later, 0)


def assurance(lower: float, upper: float, target: float, polarity: str) -> str:
    """Whether a process that stays as it is reaches a target."""
    if pd.isna(target) or pd.isna(lower) or not polarity:
        return ""
    if lower <= target <= upper:
        return "unreliable"
    hits = (target < lower) == (polarity == "higher")
    return "consistently hits" if hits else "consistently misses"


def season_share(values: ArrayLike, seasons: ArrayLike, phases: ArrayLike) -> tuple[float, float]:
    """How much of the differences between figures the time of year explains, and by what chance.

    F test of two nested regressions: on a line with a level for each phase, and on the seasons too.
    """
    figures = np.asarray(values, dtype=float)
    known = ~np.isnan(figures)
    line = pd.get_dummies(np.asarray(phases)).assign(time=np.arange(len(figures)))[known]
    both = line.join(pd.get_dummies(np.asarray(seasons), prefix="season"))
    figures = figures[known]
    squares, ranks = [], []
    for design in (line.to_numpy(dtype=float), both.to_numpy(dtype=float)):
        coefficients, _, rank, _ = np.linalg.lstsq(design, figures, rcond=None)
        squares.append(float(((figures - design @ coefficients) ** 2).sum()))
        ranks.append(int(rank))
    (without, within), left, gained = squares, len(figures) - ranks[1], ranks[1] - ranks[0]
    if left < 3 or not gained or without <= 1e-12 * float(figures @ figures):
        return float("nan"), float("nan")
    share = 1 - within / without
    return share, float(fdtrc(gained, left, (share / gained) / max((1 - share) / left, 1e-300)))


def measure_control(
    observed: pd.DataFrame, measure: pd.Series, unit: str, rebases: Mapping[str, str]
) -> Control:
    """The control chart of the figures observed in each quarter, or why there is none."""
    reason = ""
    if measure["frequency"] != "quarterly":
        reason = "it is not measured every quarter"
    elif measure["basis"] in ("ratio_to_comparator", "gap_to_comparator", "rank", "milestone"):
        reason = "the reading is not the figure of one quarter"
    elif measure["polarity"] not in ("higher", "lower"):
        reason = "neither higher nor lower is better"
    elif (count := observed["observed"].count()) < FEWEST:
        reason = f"limits need {FEWEST} quarters, and there are {count}"
    if reason:
        return Control(pd.DataFrame(columns=list(POINT_COLUMNS)), unit, reason)
    # A quarter that never came is a gap.
    points = observed.set_index("period_end")[["observed", "flag", "illustrative"]].asfreq("QE")
    points["period"] = [period_containing(end.date(), "quarter").label for end in points.index]
    points = points.fillna({"flag": "", "illustrative": False})
    figures = points.set_index("period")["observed"]
    short = rebases_too_early(list(figures.dropna().index), rebases)
    applied = {period: why for period, why in rebases.items() if period not in short}
    # The target of a sum of quarters, or of a change, is of another size than a quarter's figure.
    comparable = measure["basis"] in ("point", "index") or rate_factor(measure["unit"]) is not None
    target = float(measure["target"]) if comparable else float("nan")
    chart = xmr(figures, measure["polarity"], applied)
    # Limits end where figures must.
    chart["lower"] = chart["lower"].clip(lower=-np.inf if unit in NOT_SUMMED else 0)
    chart["upper"] = chart["upper"].clip(upper=100 if unit == "percent" else np.inf)
    points = points.drop(columns="observed").reset_index().join(chart, on="period")
    quarters = points["period_end"].dt.quarter
    season, chance = season_share(points["value"], quarters, points["phase"])
    season = season if chance < SEASON_CHANCE else float("nan")
    last = points.iloc[-1]
    outcome = assurance(last["lower"], last["upper"], target, measure["polarity"])
    return Control(points, unit, "", target, outcome, season, applied)


def check_rebases(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """Rebases that leave too few figures on one side, from all that has come in."""
    findings = []
    own = observations["area"] == agreement.settings.agreement.area
    own = observations[own & observations["value"].notna()].sort_values("period_end")
    expected = f"a quarter with {FEWEST} figures before it and from it on"
    remedy = "Take another quarter, or remove the row until enough figures are there."
    for measure, rows in agreement.rebases.groupby("measure", sort=False):
        known = own.loc[own["measure"] == measure, "period"].drop_duplicates()
        labels = rows["period"].map(lambda text: parse_period(text).label)
        short = rebases_too_early(list(known), set(labels))
        for row, period in labels[labels.isin(short)].items():
            place = int(str(row)), "period", period, str(measure)
            findings.append(Finding("error", "raw/register/rebases.csv", expected, remedy, *place))
    return findings
