"""Control charts: whether a quarter is ordinary, or a sign that something has changed.

Charts of single figures with limits from their moving ranges (XmR), read by the rules of the NHS's
Making Data Count; docs/control.md says how other tools differ.

Mean plus and minus 2.66 mean moving ranges: W. A. Shewhart, "Economic control of quality of
manufactured product" (1931); D. J. Wheeler, "Understanding variation" (1993). 2.66 is 3 / d2 with
d2 = 1.128, the mean range of two draws from a normal distribution in standard deviations; 3.267 is
D4, the upper limit of such ranges in mean ranges. The rules for runs, trends and two in three:
Western Electric, "Statistical quality control handbook" (1956); L. S. Nelson, Journal of Quality
Technology 16 (1984), 237-239.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from psa_analysis.files import meanings
from psa_analysis.findings import Finding, one_of
from psa_analysis.periods import parse_period, period_containing
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, rate_factor

#: Limits are so many mean moving ranges from the mean.
LIMIT_FACTOR = 2.66
#: Moving ranges above so many mean ranges are left out of the limits, once, so that one wild figure
#: does not hide itself (L. S. Nelson, Journal of Quality Technology 14 (1982), 172-173).
SCREEN_FACTOR = 3.267
#: So many figures in a row on one side of the mean are a run.
RUN = 7
#: So many figures in a row, each above or each below the one before, are a trend.
TREND = 7
#: Limits need so many figures.
FEWEST = 6
#: Limits from fewer figures are trial limits.
TRIAL_BELOW = 12
#: Below this chance, season or not, quarters are said to differ by the time of year.
SEASON_CHANCE = 0.05
#: A figure is on a line if it is so near to it, as a share of the largest figure of the series.
_TOLERANCE = 1e-12

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
    # Rebases that cannot be: the reason of each, and what prevents it.
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)


def xmr(values: pd.Series, polarity: str = "", rebases: Collection[str] = ()) -> pd.DataFrame:
    """Mean, limits and signs of a special cause for each figure of a series.

    Parameters
    ----------
    values : pandas.Series
        Figures in the order of time, by period; missing where a period has none.
    polarity : {"higher", "lower", ""}
        Which way is better.
    rebases : collection of str
        Periods at which mean and limits start anew, with six figures on either side.
    """
    if polarity not in ("higher", "lower", ""):
        raise KeyError(f"there is no polarity '{polarity}'; there are higher, lower and ''")
    known = list(values.dropna().index)
    for period in rebases:
        if period not in known:
            raise KeyError(f"there is no figure for {period}; expected {one_of(known)}")
    obstacles = rebase_obstacles(known, rebases)
    if any(obstacles.values()):
        raise ValueError("; ".join(filter(None, obstacles.values())))
    phases = values.index.isin(list(rebases)).cumsum()
    charts = [
        _phase(values[phases == number].astype(float), polarity).assign(phase=number)
        for number in range(phases.max(initial=0) + 1)
    ]
    return pd.concat(charts)[list(POINT_COLUMNS)]


def rebase_obstacles(known: Sequence[str], rebases: Collection[str]) -> dict[str, str]:
    """What prevents each rebase in a series with figures for the `known` periods, or nothing."""
    place = {period: number for number, period in enumerate(known)}
    obstacles, start = {}, 0
    for period in sorted(rebases, key=lambda period: place.get(period, -1)):
        if period not in place:
            obstacles[period] = f"there is no figure for {period}"
            continue
        need = f"limits need {FEWEST} figures, and there are"
        obstacles[period] = ""
        if (before := place[period] - start) < FEWEST:
            obstacles[period] = f"{need} {before} before {period}"
        elif (after := len(known) - place[period]) < FEWEST:
            obstacles[period] = f"{need} {after} from {period} on"
        else:
            start = place[period]
    return obstacles


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
    run = in_runs(side, RUN)
    trend = in_trends(values, TREND)
    two = two_in_three(close, side).where(close, 0)
    signs = outside.where(outside != 0, run.where(run != 0, two.where(two != 0, trend)))
    better = -1 if polarity == "lower" else 1
    kinds = {0: "ordinary", better: "improvement", -better: "concern"}
    return pd.DataFrame(
        {
            "value": values,
            "centre": centre,
            "lower": centre - width,
            "upper": centre + width,
            "outside": outside.astype(int),
            "run": run,
            "trend": trend,
            "two_in_three": two.astype(int),
            "kind": signs.map(kinds if polarity else {0: "ordinary", 1: "neutral", -1: "neutral"}),
            "trial": values.count() < TRIAL_BELOW,
        }
    )


def in_runs(signs: pd.Series, length: int) -> pd.Series:
    """The sign of each figure that is one of so many in a row with the same sign, else 0.

    Missing signs, and signs of 0, end a run.
    """
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
    one_later = ends.shift(-1, fill_value=False)
    two_later = ends.shift(-2, fill_value=False)
    return side.where(ends | one_later | two_later, 0)


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

    Notes
    -----
    F test of two nested regressions: on a line with a level for each phase, and on the seasons too.
    """
    figures = np.asarray(values, dtype=float)
    known = ~np.isnan(figures)
    levels, quarters = (
        pd.get_dummies(np.asarray(groups)[known]).to_numpy(dtype=float)
        for groups in (phases, seasons)
    )
    line = np.column_stack([levels, np.flatnonzero(known)])
    figures = figures[known]
    without, few = _residual(line, figures)
    within, many = _residual(np.column_stack([line, quarters]), figures)
    left, gained = len(figures) - many, many - few
    if left < 3 or not gained or without <= 1e-12 * float(figures @ figures):
        return float("nan"), float("nan")
    share = 1 - within / without
    return share, float(fdtrc(gained, left, (share / gained) / max((1 - share) / left, 1e-300)))


def _residual(design: np.ndarray, figures: np.ndarray) -> tuple[float, int]:
    """Sum of squares that a regression leaves, and how many numbers it fits."""
    coefficients, _, rank, _ = np.linalg.lstsq(design, figures, rcond=None)
    return float(((figures - design @ coefficients) ** 2).sum()), int(rank)


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
    observed: pd.DataFrame, measure: pd.Series, unit: str, rebases: dict[str, str] | None = None
) -> Control:
    """The control chart of one measure's quarters, or why there is none.

    Charted is what was observed in each quarter. Rolling readings share three quarters with their
    neighbours, so that they follow one another and break the rules.
    """
    reason = _why_none(measure, observed["observed"].count())
    if reason:
        return Control(pd.DataFrame(columns=list(POINT_COLUMNS)), unit, reason)
    points = _every_quarter(observed)
    newest = points["period_end"].iloc[-1]
    reasons = {
        period: why
        for period, why in (rebases or {}).items()
        if pd.Timestamp(parse_period(period).end) <= newest
    }
    figures = points.set_index("period")["observed"]
    obstacles = rebase_obstacles(list(figures.dropna().index), reasons)
    applied = {period: reasons[period] for period, obstacle in obstacles.items() if not obstacle}
    refused = {period: (reasons[period], why) for period, why in obstacles.items() if why}
    polarity, target = str(measure["polarity"]), quarterly_target(measure)
    chart = xmr(figures, polarity, applied)
    # Limits end where figures must.
    if unit not in NOT_SUMMED or unit == "percent":
        chart["lower"] = chart["lower"].clip(lower=0)
    if unit == "percent":
        chart["upper"] = chart["upper"].clip(upper=100)
    points = points.drop(columns="observed").merge(chart, left_on="period", right_index=True)
    seasons = points["period_end"].dt.quarter
    season, chance = season_share(points["value"], seasons, points["phase"])
    season = season if chance < SEASON_CHANCE else float("nan")
    last = points.iloc[-1]
    outcome = assurance(last["lower"], last["upper"], target, polarity)
    return Control(points, unit, "", target, outcome, season, applied, refused)


def _why_none(measure: pd.Series, count: int) -> str:
    """Why a measure has no control chart, or nothing."""
    if measure["frequency"] in _YEARLY:
        return (
            f"it is measured {_YEARLY[measure['frequency']]}, and a control chart needs more "
            "figures than that gives to tell a special cause from ordinary variation"
        )
    if measure["basis"] in _COMPARED:
        return f"{_COMPARED[measure['basis']]}, and a control chart follows one figure"
    if count < FEWEST:
        are = {0: "there is none", 1: "there is 1"}.get(count, f"there are {count}")
        return f"limits need {FEWEST} quarters, and {are}"
    return ""


def _every_quarter(observed: pd.DataFrame) -> pd.DataFrame:
    """A row for every quarter from the first to the newest; those without a figure are missing."""
    own = observed[["period", "period_end", "observed", "flag", "illustrative"]]
    ends = pd.date_range(own["period_end"].min(), own["period_end"].max(), freq="QE")
    labels = [period_containing(end.date(), "quarter").label for end in ends]
    every = pd.DataFrame({"period": labels, "period_end": ends})
    every = every.merge(own.drop(columns="period_end"), on="period", how="left")
    return every.assign(flag=every["flag"].fillna(""), illustrative=every["illustrative"].eq(True))


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


def register_rebases(agreement: Agreement, measure: str) -> dict[str, str]:
    """The quarters at which the limits of a measure start anew by ``rebases.csv``, and why."""
    rows = agreement.rebases[agreement.rebases["measure"] == measure]
    labels = [parse_period(period, "quarter").label for period in rows["period"]]
    return dict(zip(labels, rows["reason"], strict=True))


def check_rebases(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """Rebases that leave too few figures on one side, from all that has come in."""
    findings = []
    own = observations[observations["area"] == agreement.settings.agreement.area]
    own = own[own["value"].notna()].sort_values("period_end")
    for measure, rows in agreement.rebases.groupby("measure", sort=False):
        known = own.loc[own["measure"] == measure, "period"].drop_duplicates()
        labels = rows["period"].map(lambda text: parse_period(text).label)
        obstacles = rebase_obstacles(list(known), set(labels))
        findings += [
            Finding(
                "error",
                "raw/register/rebases.csv",
                f"a quarter with {FEWEST} figures before it and from it on: {obstacles[period]}",
                "Take another quarter, or remove the row until enough figures are there.",
                row=int(row),
                column="period",
                found=period,
                measure=str(measure),
            )
            for row, period in labels.items()
            if obstacles[period]
        ]
    return findings
