"""Cost-effectiveness: an index of performance over an index of cost, from baskets of indicators.

The method is our own (``docs/effectiveness.md``); each component, a council, has its own basket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.readings import make_readings
from psa_analysis.findings import Finding
from psa_analysis.periods import period_containing
from psa_analysis.words import listed

if TYPE_CHECKING:
    from psa_analysis.register.agreement import Agreement
    from psa_analysis.register.loading import EffectivenessSection


@dataclass(frozen=True)
class CostEffectiveness:
    """The index of cost-effectiveness, and what it is made of; ``missing`` says what it lacks."""

    years: tuple[str, ...]  # the baseline year and those that have ended since
    indicators: pd.DataFrame  # by component, indicator and year: what it contributes
    components: pd.DataFrame  # by component and year: the indices, 100 in the baseline year
    overall: pd.DataFrame  # by year: all together, beside the index that was returned

    @property
    def latest(self) -> str:
        """The newest year in which any component has an index of performance; empty if none."""
        years = self.components.loc[self.components["performance"].notna(), "year"]
        return str(max(years, default=""))


def contribution(rows: pd.DataFrame) -> pd.Series:
    """The points that each indicator adds to its component's index of performance."""
    better = (rows["figure"] - rows["baseline"]) * rows["polarity"].map({"higher": 1, "lower": -1})
    # Of the baseline's figure, or in points of 100 %.
    scale = rows["baseline"].where(rows["change"] == "relative", 100)
    # Half a hundredth of a point is shown as it would be by hand.
    return (100 * rows["share"] * better / scale).round(12)


def cost_effectiveness(
    readings: pd.DataFrame, agreement: Agreement, until: date
) -> CostEffectiveness:
    """The indices of every component, and of all together."""
    section, years = agreement.settings.effectiveness, list[str]()
    if section is not None and len(agreement.baskets):
        index = agreement.measures.loc[section.index]
        last = index["due_at"] or agreement.settings.agreement.last
        ends = pd.date_range(index["baseline_at"].end, min(last.end, until), freq="YE-MAR")
        years = [period_containing(day.date(), "financial_year").label for day in ends]
    if section is None or not years:
        empty = pd.DataFrame(columns=["component", "year", "performance"])
        return CostEffectiveness((), empty, empty, empty)
    # Of financial and exam years, and of the quarters that end a financial year.
    year = readings["period"].str.replace(r"^(\d{4})-(\d\d) Q4$", r"\1/\2", regex=True)
    ended = (readings["period_end"] <= pd.Timestamp(until)) & year.str.contains("/")
    columns = ["measure", "area", "year", "figure", "missing", "definition", "illustrative"]
    figures = readings.assign(year=year, figure=readings["reading"], definition="")
    figures = figures.loc[ended, columns]
    indicators = _indicators(figures, agreement, years)
    components = _components(figures, indicators, section)
    # All components together; where a figure is missing, the index has none either.
    indices = ["performance", "cost"]
    weighted = components[indices].mul(components["share"], axis=0)
    by_year = components.assign(**weighted).groupby("year", sort=False)
    overall = by_year[indices].sum(skipna=False)
    overall["illustrative"] = by_year["illustrative"].any()
    lacking = components[components["missing"] != ""].groupby("year")["component"]
    overall["missing"] = lacking.agg("; ".join).reindex(overall.index, fill_value="")
    overall["ratio"] = 100 * overall["performance"] / overall["cost"]
    own = figures["area"] == agreement.settings.agreement.area
    returned = figures[own & (figures["measure"] == section.index)].set_index("year")["figure"]
    overall["returned"] = returned
    # An index returned to one decimal may differ by half a unit of it.
    overall["differs"] = (overall["ratio"] - overall["returned"]).abs() > 0.05 + 1e-9
    return CostEffectiveness(tuple(years), indicators, components, overall.reset_index())


def _with_figures(rows: pd.DataFrame, figures: pd.DataFrame, first: str) -> pd.DataFrame:
    """The same with the figure of each row's year and of the baseline year, or what is missing."""
    keys = rows[["indicator", "area", "year"]].rename(columns={"indicator": "measure"})
    none = {"missing": "no figure", "definition": "", "illustrative": False}
    figure, baseline = (
        wanted.merge(figures, how="left").set_axis(rows.index).fillna(none)
        for wanted in (keys, keys.assign(year=first))
    )
    no_base = (rows["change"] == "relative") & (baseline["figure"] <= 0)
    why = (rows["year"] + ": " + figure["missing"]).where(figure["figure"].isna(), "")
    why = why.mask(no_base, f"{first}: a figure above 0 is needed")
    return rows.assign(
        figure=figure["figure"],
        baseline=baseline["figure"],
        definition=figure["definition"],
        illustrative=rows["illustrative"] | baseline["illustrative"] | figure["illustrative"],
        missing=why.mask(baseline["figure"].isna(), f"{first}: " + baseline["missing"]),
    )


def _later_years(figures: pd.DataFrame, measure: str, newer: Mapping[str, str]) -> pd.DataFrame:
    """Figures for the years after an indicator's last, from the measure that continues it."""
    name = newer[measure]
    old, new = (figures[figures["measure"] == each] for each in (measure, name))
    if name in newer:
        new = pd.concat([new, _later_years(figures, name, newer)])
    later = new[new["year"] > max(old["year"], default="")].assign(measure=measure)
    both = old.merge(new, on="year", suffixes=("_old", "_new"))
    both = both.dropna(subset=["figure_old", "figure_new"])
    if both.empty:
        why = f"counted as {name} now, and no year was counted both ways"
        return later.assign(figure=np.nan, missing=why, definition="")
    # They are moved by the mean difference of the two in the years that have both.
    shift, years = (both["figure_old"] - both["figure_new"]).mean(), listed(both["year"].tolist())
    linked = f"counted as {name}, moved by {shift:+.4g}, the mean difference in {years}"
    made_up = both[["illustrative_old", "illustrative_new"]].any(axis=None)
    return later.assign(
        figure=later["figure"] + shift,
        definition=np.where(later["figure"].notna(), linked, ""),
        illustrative=later["illustrative"] | made_up,
    )


def _indicators(figures: pd.DataFrame, agreement: Agreement, years: list[str]) -> pd.DataFrame:
    """What each indicator contributes in each year."""
    baskets, measures = agreement.baskets, agreement.measures
    newer = {older: str(name) for name, older in measures["continues"].items() if older}
    later = [
        _later_years(figures[figures["area"] == row.component], row.indicator, newer)
        for row in baskets[baskets["indicator"].isin(list(newer))].itertuples()
    ]
    figures = pd.concat([figures, *later])
    rows = baskets.reset_index().merge(pd.DataFrame({"year": years}), how="cross")
    rows["title"] = rows["indicator"].map(measures["title"])
    usual = rows["indicator"].map(measures["polarity"])
    rows["polarity"] = rows["polarity"].where(rows["polarity"] != "", usual)
    weights = rows["weight"].astype(float)
    rows["share"] = weights / weights.groupby([rows["component"], rows["year"]]).transform("sum")
    rows["illustrative"] = rows["illustrative"] == "yes"
    rows = _with_figures(rows.assign(area=rows["component"]), figures, years[0])
    rows["contribution"] = contribution(rows).where(rows["missing"] == "")
    return rows


def _components(
    figures: pd.DataFrame, indicators: pd.DataFrame, section: EffectivenessSection
) -> pd.DataFrame:
    """The indices of each component in each year."""
    keys, first = ["component", "year"], indicators["year"].iloc[0]
    money = figures[figures["measure"].isin([section.net_budget, section.deflator])].copy()
    money.loc[money["figure"] <= 0, ["figure", "missing"]] = np.nan, "a figure above 0 is needed"
    each = indicators[keys].drop_duplicates().assign(change="relative", illustrative=False)
    budget = each.assign(title="net budget", indicator=section.net_budget, area=each["component"])
    price = each.assign(title="deflator", indicator=section.deflator, area=section.deflator_area)
    budget, price = (_with_figures(rows, money, first) for rows in (budget, price))
    parts = pd.concat([indicators, budget, price]).groupby(keys, sort=False)
    rows = parts[["title", "missing"]].apply(_lacking).rename("missing").to_frame()
    rows["illustrative"] = parts["illustrative"].any()
    rows["performance"] = 100 + indicators.groupby(keys)["contribution"].sum(skipna=False)
    budget, price = budget.set_index(keys), price.set_index(keys)
    equal = pd.Series(1.0, rows.index)
    weight = budget["baseline"] if section.components == "net budget" else equal
    rows["share"] = weight / weight.groupby("year").transform("sum", skipna=False)
    rows["net_budget"] = budget["figure"]
    inflation = price["figure"] / price["baseline"]
    rows["cost"] = 100 * budget["figure"] / budget["baseline"] / inflation
    rows["ratio"] = 100 * rows["performance"] / rows["cost"]
    return rows.reset_index()


def _lacking(parts: pd.DataFrame) -> str:
    """What a component lacks in a year, with the reasons."""
    titles = parts[parts["missing"] != ""].groupby("missing", sort=False)["title"].agg(list)
    names = [listed(each) if len(each) < 4 else f"{len(each)} figures" for each in titles]
    return "; ".join(f"{each} ({why})" for each, why in zip(names, titles.index, strict=True))


def check_baskets(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """What the baskets lack, and where the index that was returned is another than theirs."""
    if (section := agreement.settings.effectiveness) is None or agreement.baskets.empty:
        return []
    newest = observations.drop_duplicates(["measure", "area", "period"], keep="last")
    readings = make_readings(newest, agreement)
    # After the last year's examinations, whose school year ends in August.
    last = agreement.measures.at[section.index, "due_at"] or agreement.settings.agreement.last
    indices = cost_effectiveness(readings, agreement, date(last.end.year, 12, 31))
    findings, rows = [], indices.indicators
    # A component of which nothing has come in for a year is only late.
    begun = rows.groupby(["component", "year"])["figure"].transform("count") > 0
    # What the baseline lacks is said of the baseline alone, once any of it has come in.
    lacks = rows["missing"].str.partition(":")[0] == rows["year"]
    lacks &= (begun | (rows["year"] == indices.years[0])) & rows["baseline"].notna().any()
    for gap in rows[lacks].itertuples():
        expected = f"a figure of {gap.component} that can be used in its index ({gap.missing})"
        remedy = "Ask for it, or agree what replaces it: until then that index has no figure."
        figures = ((gap.indicator, gap.year),)
        place = int(gap.row), "indicator", gap.indicator, gap.indicator, None, figures
        findings.append(Finding("warning", "raw/register/baskets.csv", expected, remedy, *place))
    own = readings["area"] == agreement.settings.agreement.area
    returned = readings[own & (readings["measure"] == section.index)]
    returned = returned.merge(indices.overall, left_on="period", right_on="year")
    for row in returned[returned["differs"]].itertuples():
        expected = f"{row.ratio:.2f}, the index that the baskets give for {row.period}"
        remedy = "Ask which is right: baskets, budgets, deflator or this figure."
        found, sheet = f"{row.reading:.10g}", row.sheet or None
        place = int(row.row), "value", found, row.measure, sheet, ((row.measure, row.period),)
        findings.append(Finding("warning", row.file, expected, remedy, *place))
    return findings
