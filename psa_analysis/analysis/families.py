"""Families: place, quartile and its edge among comparable authorities; what chance alone allows.

``docs/families.md`` gives each convention its name: which authorities count, which figures are left
out, where a quartile begins, how ties are placed, when too few have sent a figure.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtrc, bdtrik, pdtrik

from psa_analysis.analysis.forecast import FEWEST, forecast, scale_of
from psa_analysis.analysis.intervals import Limits
from psa_analysis.analysis.outlook import DRAWS, Outlook
from psa_analysis.periods import KIND_OF_FREQUENCY, Period, parse_period, period_containing, step_of
from psa_analysis.register.agreement import family_areas, rate_factor
from psa_analysis.report import Report, memoised

#: A quarter of fewer authorities than this is less than one of them.
SMALLEST_FAMILY = 4
#: Share of the family that must have sent a figure that counts.
SMALLEST_SHARE = 0.5
#: Flags of figures that are not ranked: they say little, or nothing, of the authority.
DOUBTFUL = ("estimated", "suppressed")
#: Control limits of a funnel, in per cent: about two and three standard deviations.
FUNNEL_LIMITS = (95.0, 99.8)
#: Correlation of any two authorities' years to come. Drawn independently, the edge's 80 % interval
#: held 62 % on two panels of councils; so it holds about eight in ten (``benchmarks/families.py``).
TOGETHER = 0.15
#: Shares below which the bottom, middle and top quartiles of rising figures end.
_QUARTERS = (0.25, 0.5, 0.75)

#: Columns of the standings, one row per period.
STANDING_COLUMNS = {
    "period": "the period's label",
    "period_end": "its last day",
    "figure": "the agreement's own figure; missing if it has none or it is left out",
    "lower": "lower end of what chance allows around it, 95 in 100 times",
    "upper": "its upper end",
    "place": "1 for the best; equals share the better place",
    "tied": "how many others have the same figure",
    "ranked": "of how many authorities the figures count",
    "family": "how many authorities the family has, with the agreement's own",
    "quartile": "1 for the top quartile, 4 for the bottom one",
    "edge": "where the top quartile begins",
    "inside": "how far the own figure is inside it, in the unit; below 0 if it is outside",
    "spans": "True if what chance allows around the own figure holds the edge",
    "missing": "names of those that have sent no figure",
    "left_out": "names of those whose figure is doubtful",
    "illustrative": "True if any figure ranked is made up",
    "reason": "why there is no quartile, or no place in it; else empty",
}


def quartile_edges(figures: ArrayLike, higher: bool) -> tuple[float, float, float]:
    """Where the first, second and third quartile end, the first being the best.

    Notes
    -----
    Definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The
    American Statistician 50 (1996), 361-365: the point (n - 1) p of the sorted figures, counted
    from 0, on a straight line between its neighbours. It is what spreadsheets' QUARTILE gives, so
    that anybody can check it; and it is its own mirror image where lower is better.
    """
    top, middle, bottom = np.quantile(
        np.asarray(figures, dtype=float), _QUARTERS[::-1] if higher else _QUARTERS
    )
    return float(top), float(middle), float(bottom)


def place(own: float, figures: pd.Series, highest_first: bool) -> int:
    """The place of one figure among others, 1 for the best; equals share the better place."""
    better = figures > own if highest_first else figures < own
    return 1 + int(better.sum())


def quartile(figure: float, figures: ArrayLike, higher: bool) -> int:
    """The quartile of one figure among those of the family: 1 for the top, 4 for the bottom."""
    reached = [_inside(figure, edge, higher) >= 0 for edge in quartile_edges(figures, higher)]
    return 4 - sum(reached)


def _inside(figure: Any, edge: Any, higher: bool) -> Any:
    """How far figures are on the better side of an edge; what only rounding parts is on it."""
    distance = np.asarray(figure - edge if higher else edge - figure, dtype=float)
    return np.where(np.abs(distance) <= 1e-9 * np.maximum(1.0, np.abs(edge)), 0.0, distance)


def family_figures(report: Report, measure: str, family: str) -> pd.DataFrame:
    """What each authority of a family has sent, as known at the report's cut-off."""
    definition, areas = _definition(report, measure), family_areas(report.agreement, family)
    made = report.readings
    made = made[(made["measure"] == measure) & made["area"].isin(areas)]
    # Nothing of a period that had not ended by the report's.
    made = made[made["period_end"] <= pd.Timestamp(report.period.end)]
    ranked = definition["basis"] == "rank"
    figure = made["observed" if ranked else "reading"]
    why = made["flag"].where(made["flag"].isin(DOUBTFUL), "")
    why = why.mask(figure.isna(), "suppressed" if ranked else made["missing"])
    columns = [
        "area",
        "period",
        "period_end",
        "numerator",
        "denominator",
        "lower",
        "upper",
        "flag",
        "illustrative",
    ]
    table = made[columns].assign(figure=figure.astype(float), left_out=why)
    table = table.sort_values(["period_end", "area"], kind="stable").reset_index(drop=True)
    return table[[*columns[:3], "figure", *columns[3:], "left_out"]]


def _definition(report: Report, measure: str) -> pd.Series:
    measures = report.agreement.measures
    if measure not in measures.index:
        known = ", ".join(measures.index)
        raise KeyError(f"there is no measure '{measure}'; the register has {known}")
    return measures.loc[measure]


def higher_is_better(definition: pd.Series) -> bool:
    """Whether the highest figure of a measure has place 1 in a family."""
    comparator = definition["compared_with"]
    if definition["basis"] == "rank" and comparator is not None:
        return comparator.highest_first
    return bool(definition["polarity"] == "higher")


def figure_unit(definition: pd.Series) -> str:
    """The unit of the figures that a family is compared by; the register has none for a rank."""
    return "" if definition["basis"] == "rank" else str(definition["unit"])


@memoised
def standings(report: Report, measure: str, family: str) -> pd.DataFrame:
    """Place, quartile and distance to the top quartile's edge, period by period."""
    figures = family_figures(report, measure, family)
    areas = family_areas(report.agreement, family)
    higher = higher_is_better(_definition(report, measure))
    rows = [_standing(group, areas, higher) for _, group in figures.groupby("period_end")]
    return pd.DataFrame(rows, columns=list(STANDING_COLUMNS))


def _standing(group: pd.DataFrame, areas: list[str], higher: bool) -> dict[str, Any]:
    """One period's row of the standings."""
    own_area, counted = areas[0], group[group["left_out"] == ""]
    own = counted[counted["area"] == own_area]
    row: dict[str, Any] = {
        "period": group["period"].iloc[0],
        "period_end": group["period_end"].iloc[0],
        "ranked": len(counted),
        "family": len(areas),
        "spans": False,
        "missing": tuple(area for area in areas if area not in set(group["area"])),
        "left_out": tuple(group.loc[group["left_out"] != "", "area"]),
        "illustrative": bool(group["illustrative"].any()),
        "reason": "",
    }
    if len(own):
        row |= own.iloc[0][["figure", "lower", "upper"]].to_dict()
    row["reason"] = _too_few(len(counted), len(areas))
    if row["reason"]:
        return row
    row["edge"], _, _ = quartile_edges(counted["figure"], higher)
    if own.empty:
        doubtful = group.loc[group["area"] == own_area, "left_out"]
        row["reason"] = (
            f"the figure of {own_area} is left out: {doubtful.iloc[0]}"
            if len(doubtful)
            else f"{own_area} has sent no figure"
        )
        return row
    figure = row["figure"]
    row["place"] = place(figure, counted["figure"], higher)
    row["tied"] = int((counted["figure"] == figure).sum()) - 1
    row["quartile"] = quartile(figure, counted["figure"], higher)
    row["inside"] = float(_inside(figure, row["edge"], higher))
    row["spans"] = bool(row["lower"] <= row["edge"] <= row["upper"])
    return row


def _too_few(counted: int, family: int) -> str:
    """Why so many figures make no quartiles, or nothing."""
    there = f"{counted} of {family} figures count"
    if counted < SMALLEST_SHARE * family:
        return f"only {there}, fewer than half"
    if counted < SMALLEST_FAMILY:
        return f"only {there}, and quartiles need {SMALLEST_FAMILY}"
    return ""


def newest_standing(report: Report, measure: str, family: str) -> pd.Series | None:
    """The standings' row of the newest period that has a top quartile, or None."""
    table = standings(report, measure, family)
    table = table[table["edge"].notna()]
    return None if table.empty else table.iloc[-1]


@dataclass(frozen=True)
class FamilyOutlook:
    """The edge of the top quartile in years to come, and the agreement's own figure beside it.

    Attributes
    ----------
    edge, own : Outlook
        Draws of both, by year; an own figure that is known already is the same in all draws.
    chance : numpy.ndarray
        For each year the chance, 0 to 1, that the own figure is in the top quartile.
    left_out : tuple of str
        Authorities with too few figures to be forecast: the edge is made without them.
    reason : str
        Why there is no forecast, else empty.
    """

    edge: Outlook = field(default_factory=Outlook)
    own: Outlook = field(default_factory=Outlook)
    chance: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    left_out: tuple[str, ...] = ()
    reason: str = ""


@memoised
def family_outlook(
    report: Report, measure: str, family: str, own: str | None = None
) -> FamilyOutlook:
    """Forecast where the top quartile will begin, up to the agreement's last year.

    Every authority's series is forecast, as one group of one measure; in each of 10,000 draws the
    edge is worked out anew. What is to come of any two authorities has the correlation
    :data:`TOGETHER`, beside the drift that they share.
    """
    definition, areas = _definition(report, measure), family_areas(report.agreement, family)
    higher, kind = higher_is_better(definition), KIND_OF_FREQUENCY[definition["frequency"]]
    if own is not None:
        _check_own(report, own, definition)
    if kind == "quarter":
        return FamilyOutlook(reason="only yearly figures of a family are forecast")
    figures = family_figures(report, measure, family)
    figures = figures[figures["left_out"] == ""]
    counts = figures["area"].value_counts()
    told = [area for area in areas if counts.get(area, 0) >= FEWEST]
    left_out = tuple(area for area in areas if area not in told)
    if len(told) < max(SMALLEST_FAMILY, SMALLEST_SHARE * len(areas)):
        return FamilyOutlook(
            reason=f"only {len(told)} of {len(areas)} have the {FEWEST} figures that a forecast "
            "needs",
            left_out=left_out,
        )
    if areas[0] not in told:
        return FamilyOutlook(reason=f"{areas[0]} has too few figures", left_out=left_out)
    figures = figures[figures["area"].isin(told)]
    last = parse_period(figures["period"].iloc[-1], kind)
    agreed = report.agreement.settings.agreement.last
    horizon = step_of(period_containing(agreed.end, kind)) - step_of(last)
    if horizon <= 0:
        return FamilyOutlook(reason=f"figures for {last} have come in", left_out=left_out)
    periods = tuple(last.years_before(-ahead) for ahead in range(1, horizon + 1))
    draws = _draws(figures, told, definition, last, horizon)
    if own is not None:
        draws[0] = _own_draws(report, own, periods, draws[0])
    draws = move_together(draws, TOGETHER, zlib.crc32(f"{measure} {family}".encode()))
    edges = np.quantile(draws, _QUARTERS[2 if higher else 0], axis=0)
    return FamilyOutlook(
        Outlook(edges, periods, readings=int(counts[told].min())),
        Outlook(draws[0], periods, readings=int(counts[areas[0]])),
        (_inside(draws[0], edges, higher) >= 0).mean(axis=0),
        left_out,
    )


def _check_own(report: Report, own: str, definition: pd.Series) -> None:
    if own not in report.outlooks:
        raise KeyError(f"there is no measure '{own}'; followed are {', '.join(report.outlooks)}")
    unit = report.agreement.measures.at[own, "unit"]
    if unit != definition["unit"]:
        raise ValueError(f"{own} is in {unit} and {definition.name} in {definition['unit']}")


def _draws(
    figures: pd.DataFrame, areas: list[str], definition: pd.Series, last: Period, horizon: int
) -> NDArray[np.float64]:
    """Areas x draws x years to come, each area with a seed of its own."""
    steps = [step_of(parse_period(label, last.kind)) for label in figures["period"]]
    grid = figures.assign(step=steps)
    columns = range(min(steps), step_of(last) + 1)
    panel = grid.pivot(index="area", columns="step", values="figure")
    panel = panel.reindex(index=areas, columns=columns)
    cases = grid.sort_values("step").groupby("area")["denominator"].last().reindex(areas)
    scale = scale_of(figure_unit(definition), grid["figure"], str(definition["made_of"]))
    found = forecast(
        panel.to_numpy(dtype=float), horizon, scale, 1, None, cases.to_numpy(dtype=float), True
    )
    draws = np.empty((len(areas), DRAWS, horizon))
    for row, area in enumerate(areas):
        seed = zlib.crc32(f"{definition.name} {area}".encode())
        draws[row] = found.one(row, horizon).paths(DRAWS, seed)[0]
    return draws


def move_together(draws: NDArray[np.float64], share: float, seed: int) -> NDArray[np.float64]:
    """Order each authority's draws so that authorities move together; no distribution changes.

    Notes
    -----
    By ranks of the last year, as R. L. Iman and W. J. Conover, "A distribution-free approach to
    inducing rank correlation among input variables", Communications in Statistics B11 (1982),
    311-334; the ranks are those of normal scores with one common part.
    """
    generator = np.random.default_rng(seed)
    common = generator.standard_normal(draws.shape[1])
    ordered = np.empty_like(draws)
    for row, own in enumerate(draws):
        alone = generator.standard_normal(draws.shape[1])
        scores = np.sqrt(share) * common + np.sqrt(1 - share) * alone
        ordered[row, np.argsort(scores, kind="stable")] = own[np.argsort(own[:, -1], kind="stable")]
    return ordered


def _own_draws(
    report: Report, own: str, periods: tuple[Period, ...], draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The own draws, by another measure's readings and outlook where it has any of that day."""
    made, outlook = report.readings, report.outlooks[own]
    made = made[(made["measure"] == own) & made["reading"].notna()]
    made = made[made["area"] == report.agreement.settings.agreement.area]
    made = made[made["period_end"] <= pd.Timestamp(report.period.end)]
    known = made.set_index("period_end")["reading"]
    ahead = {period.end: number for number, period in enumerate(outlook.periods)}
    draws = draws.copy()
    for number, period in enumerate(periods):
        if pd.Timestamp(period.end) in known.index:
            draws[:, number] = known[pd.Timestamp(period.end)]
        elif period.end in ahead:
            draws[:, number] = outlook.draws[:, ahead[period.end]]
    return draws


def binomial_limits(share: float, denominator: ArrayLike, confidence: float = 0.95) -> Limits:
    """Control limits of a share: what so many cases may show where all have the same chance.

    Notes
    -----
    A number of cases is beyond a limit exactly if the binomial chance of it or a more extreme one
    is less than half of the rest; between whole numbers the limits follow the incomplete beta
    function. Funnel plots with exact limits: D. J. Spiegelhalter, "Funnel plots for comparing
    institutional performance", Statistics in Medicine 24 (2005), 1185-1202. Its appendix adjusts
    for whole numbers in a way of its own; here successes and failures have mirrored limits.
    """
    tail, cases = _tail(confidence), np.asarray(denominator, dtype=float)
    lower = bdtrik(tail, cases, share) / cases
    return lower, 1 - bdtrik(tail, cases, 1 - share) / cases


def poisson_limits(rate: float, denominator: ArrayLike, confidence: float = 0.95) -> Limits:
    """Control limits of a rate: what chance allows where all have the same rate.

    Notes
    -----
    As :func:`binomial_limits`, by the Poisson distribution and the incomplete gamma function.
    """
    tail, under = _tail(confidence), np.asarray(denominator, dtype=float)
    expected = rate * under
    # So many or more have the chance of the tail, so one fewer or less have the rest.
    return pdtrik(tail, expected) / under, (pdtrik(1 - tail, expected) + 1) / under


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected between 0 and 1, such as 0.95")
    return (1 - confidence) / 2


@dataclass(frozen=True)
class Funnel:
    """A family's figures against what chance allows around their common mean.

    Attributes
    ----------
    units : pandas.DataFrame
        One row per authority whose figure counts: ``area``, ``numerator``, ``denominator``,
        ``figure``, ``low_95``, ``high_95``, ``low_99.8``, ``high_99.8``, and ``outside``: empty,
        or ``above 95%``, ``below 99.8%`` and so on, the widest limits that the figure is beyond.
    curve : pandas.DataFrame
        The limits by ``denominator``, for drawing.
    mean : float
        All that was counted over all that it was counted among, in the measure's unit.
    period : str
        The period's label.
    illustrative : bool
        Whether any figure is made up.
    left_out : tuple of str
        Authorities whose figure counts but came without numerator and denominator.
    reason : str
        Why there is no funnel, else empty.
    """

    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    mean: float = float("nan")
    period: str = ""
    illustrative: bool = False
    left_out: tuple[str, ...] = ()
    reason: str = ""

    @property
    def unlike(self) -> bool:
        """Whether more are beyond the widest limits than chance puts there one time in twenty."""
        beyond = int(self.units["outside"].str.endswith(f"{FUNNEL_LIMITS[-1]:g}%").sum())
        chance = 1 - FUNNEL_LIMITS[-1] / 100
        return beyond > 0 and bool(bdtrc(beyond - 1, len(self.units), chance) < 0.05)


@memoised
def funnel(report: Report, measure: str, family: str) -> Funnel:
    """The newest figures of a family, each with the limits that its number of cases gives."""
    definition, newest = _definition(report, measure), newest_standing(report, measure, family)
    factor = rate_factor(figure_unit(definition))
    if definition["made_of"] != "cases" or factor is None:
        return Funnel(reason="its figures are not shares or rates of single cases")
    if newest is None:
        return Funnel(reason="too few figures were known")
    figures = family_figures(report, measure, family)
    figures = figures[(figures["period"] == newest["period"]) & (figures["left_out"] == "")]
    fits = figures["numerator"].notna() & (figures["denominator"] > 0)
    units = figures.loc[fits, ["area", "numerator", "denominator", "figure"]]
    if too_few := _too_few(len(units), int(newest["family"])):
        return Funnel(reason=f"{too_few}, with numerator and denominator")
    rate = units["numerator"].sum() / units["denominator"].sum()
    limits = binomial_limits if definition["unit"] == "percent" else poisson_limits
    cases = np.linspace(units["denominator"].min(), units["denominator"].max(), 200)
    curve = pd.DataFrame({"denominator": cases})
    for percent in FUNNEL_LIMITS:
        for table in (units, curve):
            low, high = limits(rate, table["denominator"].to_numpy(dtype=float), percent / 100)
            table[f"low_{percent:g}"], table[f"high_{percent:g}"] = factor * low, factor * high
    # The parts are exact, where a figure may have been rounded.
    exact = factor * units["numerator"] / units["denominator"]
    outside = pd.Series("", index=units.index)
    for percent in FUNNEL_LIMITS:
        outside = outside.mask(exact < units[f"low_{percent:g}"], f"below {percent:g}%")
        outside = outside.mask(exact > units[f"high_{percent:g}"], f"above {percent:g}%")
    return Funnel(
        units.assign(outside=outside).reset_index(drop=True),
        curve,
        float(factor * rate),
        str(newest["period"]),
        bool(figures["illustrative"].any()),
        tuple(figures.loc[~fits, "area"]),
    )
