"""Control charts: XmR, read by the rules of the NHS's Making Data Count (``docs/control.md``)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import fdtrc

from psa_analysis.files import meanings
from psa_analysis.findings import Finding
from psa_analysis.periods import period_containing
from psa_analysis.register.agreement import NOT_SUMMED, Agreement, Floats, rate_factor

LIMIT_FACTOR = 2.66  # limits are so many mean moving ranges from the mean
SCREEN_FACTOR = 3.267  # ranges above so many mean ranges are left out of the limits, once
RUN = 7  # figures in a row on one side of the mean are a run; that rise, or fall, a trend
FEWEST = 6  # figures that limits need
TRIAL_BELOW = 12  # limits from fewer figures are trial limits
FROZEN_FROM = 8  # so many figures of a baseline are enough to judge later ones by: two whole years
YEAR = 4  # quarters, of which the newest are compared with the baseline
CHANCE = 0.05  # what comes about less often by chance is taken for a season, a drift or a change
_TOLERANCE = 1e-12  # of the largest figure: what is so near to a line is on it

#: A share, the chance of as much by chance, and what it adds to each figure.
Explained = tuple[float, float, Floats]

#: Columns of the chart's points beside the value, one row per figure.
POINT_COLUMNS = meanings("control points")


@dataclass(frozen=True)
class Control:
    """The control chart of one measure."""

    points: pd.DataFrame = field(repr=False)  # POINT_COLUMNS, period_end, flag, illustrative.
    unit: str
    reason: str = ""  # Why there is no chart.
    target: float = float("nan")  # Where one quarter's figure can be compared with it.
    assurance: str = ""  # As the function says it of the newest phase, if nothing has changed.
    season: float = float("nan")  # Share of the variation explained by it, if adjusted for it.
    rebases: dict[str, str] = field(default_factory=dict)  # Their reasons, by period.
    before: pd.Series = field(default_factory=pd.Series)  # The baseline's figures, or the first.
    newest: pd.Series = field(default_factory=pd.Series)  # Those of the newest year since then.
    changed: str = ""  # improvement or concern, where the means of both differ beyond chance.
    proposed: pd.Series = field(default_factory=pd.Series)  # The run that might be a new phase.


def xmr(
    values: pd.Series,
    polarity: str = "higher",
    rebases: Collection[str] = (),
    baseline: Collection[str] = (),
    widening: float = 1,
) -> pd.DataFrame:
    """Mean, limits (of the baseline, if it is long enough) and signs for each figure, by period."""
    early = pd.Series(values.index.isin([*baseline]), values.index)
    phases = values.astype(float).groupby(values.index.isin([*rebases]).cumsum())
    charts = [_phase(rows, polarity, early, widening).assign(phase=n) for n, rows in phases]
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


def _phase(values: pd.Series, polarity: str, early: pd.Series, widening: float) -> pd.DataFrame:
    """Mean, limits and signs of one stretch without a rebase."""
    tolerance = _TOLERANCE * values.abs().max()
    early = early[values.index]
    in_limits = early | (values[early].count() < FROZEN_FROM)
    ranges = values[in_limits].diff().abs()
    usual_ranges = ranges[ranges <= SCREEN_FACTOR * ranges.mean() + tolerance]
    centre = values[in_limits].mean() if ranges.notna().any() else np.nan
    width = LIMIT_FACTOR * widening * usual_ranges.mean()
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
    trial = values[in_limits].count() < TRIAL_BELOW
    points = values.to_frame("value").assign(**lines, in_limits=in_limits, trial=trial)
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


def season_share(values: ArrayLike, seasons: ArrayLike, phases: ArrayLike) -> Explained:
    """What the time of year explains, beside a straight line with a level for each phase."""
    levels, quarters = (pd.get_dummies(np.asarray(each), dtype=float) for each in (phases, seasons))
    line = levels.assign(time=np.arange(len(levels)))
    # Over a whole year its effects come to nothing.
    return explained(values, quarters - 1 / YEAR, line)


def explained(values: ArrayLike, by: ArrayLike, beside: ArrayLike) -> Explained:
    """What columns explain of the differences between figures that others leave (F test)."""
    figures, both, number = np.asarray(values, dtype=float), np.c_[beside, by], np.c_[by].shape[1]
    known, squares, ranks, effects = ~np.isnan(figures), [], [], figures
    for design in (both[:, :-number], both):
        effects, _, rank, _ = np.linalg.lstsq(design[known], figures[known])
        squares.append(float(((figures - design @ effects)[known] ** 2).sum()))
        ranks.append(int(rank))
    (without, within), left, gained = squares, int(known.sum()) - ranks[1], ranks[1] - ranks[0]
    share, chance = float("nan"), float("nan")
    if left >= 3 and gained and without > 1e-12 * float(figures[known] @ figures[known]):
        share = 1 - within / without
        chance = float(fdtrc(gained, left, (share / gained) / max((1 - share) / left, 1e-300)))
    return share, chance, both[:, -number:] @ effects[-number:]


def since_baseline(phase: pd.DataFrame, polarity: str) -> tuple[pd.Series, pd.Series, str]:
    """The baseline's figures (else the first year's), the newest year's, and what has changed."""
    known = phase[phase["value"].notna()]
    later = ~known["in_limits"] if not known["in_limits"].all() else np.arange(len(known)) >= YEAR
    before, newest = known.loc[~later, "value"], known.loc[later, "value"][-YEAR:]
    if len(known) < FROZEN_FROM:
        return before, newest[:0], ""
    both = pd.concat([before, newest])
    chance = explained(both, np.isin(both.index, newest.index), np.ones(len(both)))[1]
    better = (newest.mean() > before.mean()) == (polarity == "higher")
    changed = "improvement" if better else "concern"
    return before, newest, changed if chance < CHANCE else ""


def proposed_rebase(phase: pd.DataFrame) -> pd.Series:
    """The run to the newest figure on one side of frozen limits, if it keeps to its own level."""
    run = phase.loc[~phase["in_limits"], "run"]
    run = run[run.eq(phase["run"].iloc[-1])[::-1].cummin()[::-1]]
    if len(run) < RUN or not run.all():
        return run[:0]
    # The mean of figures that drift on would be out of date at once.
    drift = explained(phase.loc[run.index, "value"], np.arange(len(run)), np.ones(len(run)))
    return run[:0] if drift[1] < CHANCE else run


def measure_control(
    observed: pd.DataFrame,
    measure: pd.Series,
    unit: str,
    rebases: Mapping[str, str],
    until: date = date.max,
) -> Control:
    """The control chart of quarters' figures, with those `until` a day as baseline, or why none."""
    not_of_quarters = ("ratio_to_comparator", "gap_to_comparator", "rank", "milestone")
    count, polarity = int(observed["observed"].count()), measure["polarity"]
    reasons = {
        "it is not measured every quarter": measure["frequency"] != "quarterly",
        "the reading is not the figure of one quarter": measure["basis"] in not_of_quarters,
        "a headcount is decided, and not moved by chance": measure.get("made_of") == "headcount",
        "neither higher nor lower is better": polarity not in ("higher", "lower"),
        f"limits need {FEWEST} quarters, and there are {count}": count < FEWEST,
    }
    if reason := next((why for why, holds in reasons.items() if holds), ""):
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
    early = points.index.date <= until
    # A level of its own for the time since the baseline, or the season would hold its change.
    phases = figures.index.isin([*applied]).cumsum() + ~early
    season, chance, effects = season_share(figures, points.index.quarter, phases)
    # Adjusted by their own season, figures lie closer to one another than those to come.
    widening = (count / (count - YEAR)) ** 0.5
    if not chance < CHANCE:
        season, effects, widening = float("nan"), 0 * effects, 1
    chart = xmr(figures - effects, polarity, applied, figures.index[early], widening)
    phase = chart[chart["phase"] == chart["phase"].iloc[-1]]
    before, newest, changed = since_baseline(phase, polarity)
    # Limits end where figures must.
    chart["lower"] = chart["lower"].clip(lower=-np.inf if unit in NOT_SUMMED else 0)
    chart["upper"] = chart["upper"].clip(upper=100 if unit == "percent" else np.inf)
    points = points.reset_index().join(chart, on="period")
    last = points.iloc[-1]
    # Limits of the baseline say nothing of a time that differs from it.
    steady = not changed and last["kind"] == "ordinary"
    outcome = assurance(last["lower"], last["upper"], target, polarity) if steady else ""
    since = before, newest, changed, proposed_rebase(phase)
    return Control(points, unit, "", target, outcome, season, applied, *since)


def check_rebases(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """Rebases that leave too few figures on one side, from all that has come in."""
    findings = []
    own = observations[observations["area"] == agreement.settings.agreement.area]
    own = own[own["value"].notna()].sort_values("period_end")
    known = own.groupby("measure")["period"].unique()
    expected = f"a quarter with {FEWEST} figures before it and from it on"
    remedy = "Take another quarter, or remove the row until enough figures are there."
    for measure, rows in agreement.rebases.groupby("measure", sort=False):
        short = rebases_too_early([*known.get(measure, ())], {*rows["period"]})
        for row, period in rows.loc[rows["period"].isin(short), "period"].items():
            place = int(str(row)), "period", period, str(measure)
            findings.append(Finding("error", "raw/register/rebases.csv", expected, remedy, *place))
    return findings
