"""Families: place, quartile, its edge and what chance allows; docs/families.md names sources."""

import zlib
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import bdtrik, pdtrik

from psa_analysis.analysis.forecast import FEWEST, forecast_series
from psa_analysis.analysis.intervals import Limits
from psa_analysis.analysis.outlook import DRAWS, Outlook
from psa_analysis.periods import FREQUENCIES, parse_period, period_containing, step_of
from psa_analysis.register.agreement import rate_factor, scale_of

#: Flags of figures that are not ranked: they say little, or nothing, of the authority.
DOUBTFUL = ("estimated", "suppressed")
#: Shares below which the bottom, middle and top quartiles of rising figures end.
_QUARTERS = (0.25, 0.5, 0.75)


def quartile_edges(figures: ArrayLike, higher: bool) -> tuple[float, ...]:
    """Where the first, second and third quartile end, the best first, as spreadsheets' QUARTILE."""
    shares = _QUARTERS[::-1] if higher else _QUARTERS
    return tuple(np.quantile(np.asarray(figures, dtype=float), shares))


def quartile(figure: Any, figures: ArrayLike, higher: bool) -> Any:
    """The quartiles of figures among those of the family: 1 for the top, 4 for the bottom."""
    return 4 - sum(_inside(figure, edge, higher) >= 0 for edge in quartile_edges(figures, higher))


def _inside(figure: Any, edge: Any, higher: bool) -> Any:
    """How far figures are on the better side of an edge; what only rounding parts is on it."""
    distance = np.asarray(figure - edge if higher else edge - figure, dtype=float)
    return np.where(np.abs(distance) <= 1e-9 * np.maximum(1.0, np.abs(edge)), 0.0, distance)


@dataclass(frozen=True, eq=False)
class Family:
    """What the authorities of a family have sent of one measure."""

    name: str
    areas: list[str]  # the agreement's own first
    measure: pd.Series = field(repr=False)  # its row of the register
    figures: pd.DataFrame = field(repr=False)  # from :func:`family_figures`

    @property
    def area(self) -> str:
        """The agreement's own area."""
        return self.areas[0]

    @property
    def higher(self) -> bool:
        """Whether the highest figure has place 1."""
        if self.measure["basis"] == "rank":
            return bool(self.measure["compared_with"].highest_first)
        return bool(self.measure["polarity"] == "higher")

    @property
    def unit(self) -> str:
        """The unit of the figures; the register has none for those of a rank."""
        return "" if self.measure["basis"] == "rank" else str(self.measure["unit"])

    @property
    def fewest(self) -> float:
        """How many figures make quartiles at least: half of the family, and one in each."""
        return max(4, len(self.areas) / 2)

    @property
    def counted(self) -> pd.DataFrame:
        """The figures that count."""
        return self.figures[self.figures["left_out"] == ""]

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """The figures of periods with enough of them: edge of the top quartile, place, quartile."""
        periods, higher = self.counted.groupby("period_end")["figure"], self.higher
        rows = self.counted.assign(
            edge=periods.transform(lambda figures: quartile_edges(figures, higher)[0]),
            place=periods.rank(method="min", ascending=not higher),
            quartile=periods.transform(lambda figures: quartile(figures, figures, higher)),
        )
        rows["inside"] = _inside(rows["figure"], rows["edge"], higher)
        return rows[periods.transform("size") >= self.fewest]

    @cached_property
    def standings(self) -> pd.DataFrame:
        """For each period with quartiles: the edge, and the agreement's own figure and place."""
        periods = self.ranked.groupby("period_end")
        rows = periods[["period", "edge"]].first().assign(ranked=periods.size())
        own = self.ranked[self.ranked["area"] == self.area].set_index("period_end")
        rows = rows.join(own[["figure", "lower", "upper", "place", "quartile", "inside"]])
        return rows.join(self.figures.groupby("period_end")["illustrative"].any()).reset_index()


def family_figures(
    readings: pd.DataFrame, measure: pd.Series, areas: list[str], until: date
) -> pd.DataFrame:
    """What each area has sent of a measure by a day; ``left_out`` says why one does not count."""
    rows = readings[(readings["measure"] == measure.name) & readings["area"].isin(areas)]
    rows = rows[rows["period_end"] <= pd.Timestamp(until)]
    ranked = measure["basis"] == "rank"
    figure = rows["observed" if ranked else "reading"]
    left_out = rows["flag"].where(rows["flag"].isin(DOUBTFUL), "")
    left_out = left_out.mask(figure.isna(), "suppressed" if ranked else rows["missing"])
    rows = rows.assign(figure=figure.astype(float), left_out=left_out)
    return rows.sort_values(["period_end", "area"], kind="stable").reset_index(drop=True)


@dataclass(frozen=True)
class FamilyOutlook:
    """The edge of the top quartile in years to come, and the agreement's own figure beside it."""

    edge: Outlook = field(default_factory=Outlook)
    own: Outlook = field(default_factory=Outlook)
    chance: float = float("nan")  # that the own figure is in the top quartile in the last year
    left_out: tuple[str, ...] = ()  # with too few figures: the edge is made without them
    reason: str = ""  # why there is no forecast, else empty


def edge_outlook(family: Family, until: date, own: Outlook | None = None) -> FamilyOutlook:
    """Where the top quartile will begin, in draws of all authorities; `own` is that of the area."""
    kind, _, per_year, *_ = FREQUENCIES[family.measure["frequency"]]
    if per_year > 1 or kind == "mean_of_years":
        return FamilyOutlook(reason="only yearly figures of a family are forecast")
    counts = family.counted["area"].value_counts().reindex(family.areas, fill_value=0)
    areas = counts.index[counts >= FEWEST]
    if len(areas) < family.fewest or family.area not in areas:
        return FamilyOutlook(reason=f"too few have the {FEWEST} figures that it needs")
    figures = family.counted[family.counted["area"].isin(areas)]
    last = parse_period(figures["period"].iloc[-1], kind)
    horizon = step_of(period_containing(until, kind)) - step_of(last)
    if horizon <= 0:
        return FamilyOutlook(reason=f"figures for {last} have come in")
    periods = tuple(last.years_before(-years) for years in range(1, horizon + 1))
    steps = [step_of(parse_period(label, kind)) for label in figures["period"]]
    panel = figures.assign(step=steps).pivot(index="area", columns="step", values="figure")
    panel = panel.reindex(index=areas, columns=range(min(steps), step_of(last) + 1))
    # Figures are in the order of time, and "last" passes over missing ones.
    cases = figures.groupby("area")["denominator"].last().reindex(areas).to_numpy(dtype=float)
    scale = scale_of(family.unit, figures["figure"], str(family.measure["made_of"]))
    result = forecast_series(panel.to_numpy(dtype=float), horizon, scale, 1, None, cases)
    draws = result.paths(DRAWS, zlib.crc32(f"{family.measure.name} {family.name}".encode()))
    for place, period in enumerate(periods):
        if own and period in own.periods:
            # In the order of the family's draws, so that it still moves with the others.
            order = draws[0, :, place].argsort()
            draws[0, order, place] = np.sort(own.draws[:, own.periods.index(period)])
    edges = np.quantile(draws, _QUARTERS[2 if family.higher else 0], axis=0)
    chance = float((_inside(draws[0], edges, family.higher)[:, -1] >= 0).mean())
    left_out = tuple(counts.index[counts < FEWEST])
    return FamilyOutlook(Outlook(edges, periods), Outlook(draws[0], periods), chance, left_out)


def funnel_limits(mean: float, denominator: ArrayLike, confidence: float, share: bool) -> Limits:
    """Control limits of a share or rate: exact binomial or Poisson limits around the mean."""
    tail, cases = (1 - confidence) / 2, np.asarray(denominator, dtype=float)
    if share:
        return bdtrik(tail, cases, mean) / cases, 1 - bdtrik(tail, cases, 1 - mean) / cases
    expected = mean * cases
    # So many or more have the chance of the tail, so one fewer or less have the rest.
    return pdtrik(tail, expected) / cases, (pdtrik(1 - tail, expected) + 1) / cases


@dataclass(frozen=True)
class Funnel:
    """A family's newest figures against what chance allows around their common mean."""

    # A row an authority; ``outside``: the widest limits that its figure is beyond (``below 95%``).
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)  # the limits by ``denominator``
    mean: float = float("nan")  # all that was counted over all that it was counted among
    reason: str = ""  # why there is no funnel, else empty


def family_funnel(family: Family) -> Funnel:
    """The newest figures of a family, each with the limits that its number of cases gives."""
    if family.measure["made_of"] != "cases" or (factor := rate_factor(family.unit)) is None:
        return Funnel(reason="its figures are not shares or rates of single cases")
    newest = family.ranked["period_end"] == family.ranked["period_end"].max()
    units = family.ranked.loc[newest, ["area", "numerator", "denominator", "figure"]]
    units = units[units["numerator"].notna() & (units["denominator"] > 0)].reset_index(drop=True)
    if len(units) < family.fewest:
        return Funnel(reason="too few figures with numerator and denominator were known")
    rate = units["numerator"].sum() / units["denominator"].sum()
    cases = np.linspace(units["denominator"].min(), units["denominator"].max(), 200)
    curve = pd.DataFrame({"denominator": cases})
    # From the counts, for a figure may have been rounded.
    figure = factor * units["numerator"] / units["denominator"]
    outside = pd.Series("", index=units.index)
    # About two and three standard deviations.
    for percent in (95, 99.8):
        for table in (units, curve):
            cases, share = table["denominator"], family.unit == "percent"
            low, high = funnel_limits(rate, cases, percent / 100, share)
            table[f"low_{percent}"], table[f"high_{percent}"] = factor * low, factor * high
        outside = outside.mask(figure < units[f"low_{percent}"], f"below {percent}%")
        outside = outside.mask(figure > units[f"high_{percent}"], f"above {percent}%")
    return Funnel(units.assign(outside=outside), curve, float(factor * rate))
