"""Cost-effectiveness: an index of performance over an index of cost, from baskets of indicators.

Each component, a council, has a basket of its own (``register/baskets.csv``). No published method
says how the index is built, so this one is our own: ``docs/effectiveness.md`` gives the formulas
and the reasons. The components together have the means of their indices of performance and of
cost, weighted by net budget in the baseline year or equally. A missing figure is never made up and
never left out: the index has no figure either, and says what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.readings import make_readings, weakest
from psa_analysis.findings import Finding
from psa_analysis.periods import period_containing
from psa_analysis.register.agreement import measure_period

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psa_analysis.register.agreement import Agreement
    from psa_analysis.register.settings import EffectivenessSection

#: An index returned to one decimal may differ by half a unit of it.
AGREES_WITHIN = 0.05


@dataclass(frozen=True)
class CostEffectiveness:
    """The index of cost-effectiveness, and what it is made of, with a row for each year.

    ``missing`` says why there is no figure, ``flag`` is the weakest of the figures used.
    """

    #: The baseline year and those that have ended since, up to the due one; empty if it has not
    #: ended or the agreement has no basket.
    years: tuple[str, ...]
    #: By component and indicator: its share of the basket's weight, its figure and the baseline's,
    #: its contribution in points, and the definition by which a newer measure was linked.
    indicators: pd.DataFrame
    #: By component: indices of performance and cost (100 in the baseline year), their ratio and
    #: difference, the points that are owed to each, and the net budget at the baseline's prices.
    components: pd.DataFrame
    #: Of all components together, beside the index that was returned.
    overall: pd.DataFrame

    @property
    def latest(self) -> str:
        """The newest year in which any component has an index of performance; empty if none."""
        years = self.components.loc[self.components["performance"].notna(), "year"]
        return str(max(years, default=""))


def contribution(rows: pd.DataFrame) -> pd.Series:
    """The points that each indicator adds to its component's index of performance.

    100 x share x (figure - baseline) / scale, the sign turned where lower is better; the scale is
    the baseline's figure (``relative``) or the whole of 100 % (``points``).
    """
    better = (rows["figure"] - rows["baseline"]) * rows["polarity"].map({"higher": 1, "lower": -1})
    scale = rows["baseline"].where(rows["change"] == "relative", 100)
    # Rounded, so that half a hundredth of a point is shown as it would be by hand.
    return (100 * rows["share"] * better / scale).round(12)


def cost_effectiveness(
    readings: pd.DataFrame, agreement: Agreement, until: date
) -> CostEffectiveness:
    """The indices of every component, and of all together."""
    section, years = agreement.settings.effectiveness, _years(agreement, until)
    if section is None or not years:
        drawn = ["component", "year", "performance", "ratio", "from_performance", "from_cost"]
        empty = pd.DataFrame(columns=[*drawn, "illustrative"])
        return CostEffectiveness((), empty, empty, empty)
    figures = _by_year(readings[readings["period_end"] <= pd.Timestamp(until)], agreement)
    indicators = _indicators(figures, agreement, years)
    components = _components(figures, indicators, section)
    overall = _overall(components)
    area = agreement.settings.agreement.area
    overall["returned"] = _look_up(figures, section.index, area, overall["year"])["figure"]
    return CostEffectiveness(years, indicators, components, overall)


def _years(agreement: Agreement, until: date) -> tuple[str, ...]:
    """The baseline year and those that have ended since, none after the due one."""
    section = agreement.settings.effectiveness
    if section is None or agreement.baskets.empty:
        return ()
    index = agreement.measures.loc[section.index]
    first, due = measure_period(index, "baseline_period"), measure_period(index, "due")
    assert first is not None  # the register was checked
    last = due or agreement.settings.agreement.last
    ends = [date(year, 3, 31) for year in range(first.end.year, last.end.year + 1)]
    return tuple(period_containing(end, "financial_year").label for end in ends if end <= until)


def _by_year(readings: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """The readings of financial and exam years, and of the quarters that end a financial year."""
    frequency = readings["measure"].map(agreement.measures["frequency"])
    march = (frequency == "quarterly") & (readings["period_end"].dt.month == 3)
    year = readings["period"].copy()
    ends = readings.loc[march, "period_end"]
    year[march] = [period_containing(end.date(), "financial_year").label for end in ends]
    figures = readings.assign(year=year, figure=readings["reading"], definition="")
    columns = ["measure", "area", "year", "figure", "missing", "definition", "flag", "illustrative"]
    return figures.loc[march | frequency.isin(["annual", "exam_year"]), columns]


def _look_up(
    figures: pd.DataFrame, measure: str | pd.Series, area: str | pd.Series, years: pd.Series
) -> pd.DataFrame:
    """The figures of measures, areas and years, row by row, those that are missing too."""
    keys = pd.DataFrame({"measure": measure, "area": area, "year": years})
    rows = keys.merge(figures, how="left").set_axis(keys.index)
    none = {"missing": "no figure", "definition": "", "flag": "final", "illustrative": False}
    return rows.fillna(none).astype({"illustrative": bool})


def _later_years(
    figures: pd.DataFrame, measure: str, area: str, newer: Mapping[str, str]
) -> pd.DataFrame:
    """Figures of an indicator for the years after its last, from the measure that continues it.

    They are moved by the mean difference of the two in the years that have both; without such a
    year there is none.
    """
    name = newer[measure]
    here = figures[figures["area"] == area]
    old, new = here[here["measure"] == measure], here[here["measure"] == name]
    if name in newer:
        new = pd.concat([new, _later_years(figures, name, area, newer)])
    later = new[new["year"] > max(old["year"], default="")].assign(measure=measure, definition="")
    old, new = (each.dropna(subset="figure").set_index("year") for each in (old, new))
    shifts = (old["figure"] - new["figure"]).dropna()
    if shifts.empty:
        why = f"counted as {name} now, and no year was counted both ways"
        return later.assign(figure=np.nan, missing=why)
    shift, both = shifts.mean(), list(shifts.index)
    linking, known = pd.concat([old.loc[both], new.loc[both]]), later[later["figure"].notna()]
    linked = known.assign(
        figure=known["figure"] + shift,
        definition=f"counted as {name}, which is {'less' if shift > 0 else 'more'} by "
        f"{abs(shift):.4g} in the mean of {', '.join(both)}, and linked",
        flag=[weakest([flag, *linking["flag"]]) for flag in known["flag"]],
        illustrative=known["illustrative"] | linking["illustrative"].any(),
    )
    return pd.concat([later[later["figure"].isna()], linked])


def _indicators(
    figures: pd.DataFrame, agreement: Agreement, years: tuple[str, ...]
) -> pd.DataFrame:
    """What each indicator contributes in each year."""
    baskets, measures, first = agreement.baskets, agreement.measures, years[0]
    newer = {older: str(name) for name, older in measures["continues"].items() if older}
    later = [
        _later_years(figures, row.indicator, row.component, newer)
        for row in baskets[baskets["indicator"].isin(list(newer))].itertuples()
    ]
    figures = pd.concat([figures, *later])
    rows = baskets.merge(pd.DataFrame({"year": years}), how="cross")
    rows["title"] = rows["indicator"].map(measures["title"])
    usual = rows["indicator"].map(measures["polarity"])
    rows["polarity"] = rows["polarity"].where(rows["polarity"] != "", usual)
    weights = rows["weight"].astype(float)
    rows["share"] = weights / weights.groupby([rows["component"], rows["year"]]).transform("sum")
    figure, baseline = (
        _look_up(figures, rows["indicator"], rows["component"], year)
        for year in (rows["year"], pd.Series(first, rows.index))
    )
    rows["baseline"] = baseline["figure"]
    rows[["figure", "definition"]] = figure[["figure", "definition"]]
    rows["flag"] = list(map(weakest, zip(baseline["flag"], figure["flag"], strict=True)))
    rows["illustrative"] = (
        (rows["illustrative"] == "yes") | baseline["illustrative"] | figure["illustrative"]
    )
    no_base = (rows["change"] == "relative") & (rows["baseline"] <= 0)
    needed = rows["baseline"].map("{:g}, where a figure above 0 is needed".format)
    why = (rows["year"] + ": " + figure["missing"]).where(rows["figure"].isna(), "")
    why = why.mask(no_base, f"{first}: " + needed)
    rows["missing"] = why.mask(rows["baseline"].isna(), f"{first}: " + baseline["missing"])
    rows["contribution"] = contribution(rows).where(rows["missing"] == "")
    return rows


def _components(
    figures: pd.DataFrame, indicators: pd.DataFrame, section: EffectivenessSection
) -> pd.DataFrame:
    """The indices of each component in each year."""
    by_component = indicators.groupby(["component", "year"], sort=False)
    rows = by_component.agg(flag=("flag", weakest), illustrative=("illustrative", "any"))
    rows["performance"] = 100 + by_component["contribution"].sum(skipna=False)
    lacking = [by_component[["title", "missing"]].apply(_lacking).to_numpy()]
    rows = rows.reset_index()
    first = pd.Series(rows["year"].iloc[0], rows.index)
    looked_up = []
    for what, measure, area in (
        ("net budget", section.net_budget, rows["component"]),
        ("deflator", section.deflator, section.deflator_area),
    ):
        for year in (first, rows["year"]):
            row = _look_up(figures, measure, area, year)
            reason = row["missing"].where(row["missing"] != "", "a figure above 0 is needed")
            text = what + " (" + year + ": " + reason + ")"
            lacking.append(text.where(~(row["figure"] > 0), "").to_numpy())
            looked_up.append(row)
    budget_first, budget, price_first, price = (
        row["figure"].where(row["figure"] > 0) for row in looked_up
    )
    weight = budget_first if section.components == "net budget" else pd.Series(1.0, rows.index)
    rows["share"] = weight / weight.groupby(rows["year"]).transform("sum", skipna=False)
    rows["net_budget"] = looked_up[1]["figure"]
    rows["cost"] = 100 * (budget / price) / (budget_first / price_first)
    rows["real_budget"] = (budget / price * price_first).where(rows["cost"].notna())
    # In the baseline year the first figure and the year's are the same, and lacking once.
    rows["missing"] = [
        "; ".join(filter(None, dict.fromkeys(texts))) for texts in zip(*lacking, strict=True)
    ]
    for row in looked_up:
        rows["flag"] = list(map(weakest, zip(rows["flag"], row["flag"], strict=True)))
        rows["illustrative"] |= row["illustrative"]
    return _with_ratio(rows)


def _lacking(indicators: pd.DataFrame) -> str:
    """The indicators without a contribution, each with the reason; in short where it is all."""
    reasons = indicators["missing"].tolist()
    if len(reasons) > 1 and reasons[0] and len(set(reasons)) == 1:
        return f"every indicator ({reasons[0]})"
    pairs = zip(indicators["title"], reasons, strict=True)
    return "; ".join(f"{title} ({reason})" for title, reason in pairs if reason)


def _with_ratio(rows: pd.DataFrame) -> pd.DataFrame:
    """With performance over cost, and how much of its distance from 100 is owed to each."""
    performance, cost = rows["performance"], rows["cost"]
    return rows.assign(
        ratio=100 * performance / cost,
        from_performance=100 * (performance - 100) / cost,
        from_cost=(100 * (100 - cost) / cost).where(performance.notna()),
        difference=performance - cost,
    )


def _overall(components: pd.DataFrame) -> pd.DataFrame:
    """The indices of all components together; none of them is left out."""
    indices = ["performance", "cost"]
    lacking = (components["component"] + "; ").where(components["missing"] != "", "")
    weighted = components[indices].mul(components["share"], axis=0)
    by_year = components.assign(lacking=lacking, **weighted).groupby("year", sort=False)
    rows = by_year[indices].sum(skipna=False)
    rows["flag"] = by_year["flag"].agg(weakest)
    rows["illustrative"] = by_year["illustrative"].any()
    rows["missing"] = by_year["lacking"].sum().str.removesuffix("; ")
    return _with_ratio(rows.reset_index())


def check_baskets(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """What the baskets lack, and where the index that was returned is another than theirs.

    Of each figure the newest vintage is looked at. A component of which nothing has come in for a
    year is only late, which is no finding.
    """
    section, baskets = agreement.settings.effectiveness, agreement.baskets
    if section is None or baskets.empty:
        return []
    measures = agreement.measures
    used = {section.index, section.net_budget, section.deflator, *baskets["indicator"]}
    used |= set(measures.index[measures["continues"] != ""])
    used |= set(measures.loc[list(used), "comparator"])
    newest = observations[observations["measure"].isin(used)]
    newest = newest.drop_duplicates(["measure", "area", "period"], keep="last")
    readings = make_readings(newest, agreement)
    # After the last year's examinations, whose school year ends in August.
    due = measure_period(measures.loc[section.index], "due")
    due = due or agreement.settings.agreement.last
    indices = cost_effectiveness(readings, agreement, date(due.end.year, 12, 31))
    of_area = readings["area"] == agreement.settings.agreement.area
    returned = readings[of_area & (readings["measure"] == section.index)]
    return [*_gaps(indices, baskets), *_other_index(indices.overall, returned)]


def _gaps(indices: CostEffectiveness, baskets: pd.DataFrame) -> Iterator[Finding]:
    """Indicators that keep their component from an index."""
    rows = indices.indicators
    if rows["baseline"].isna().all():
        return  # the baseline year is still to come in
    numbers = baskets.reset_index().set_index(["component", "indicator"])["row"]
    begun = rows.groupby(["component", "year"])["figure"].transform("count") > 0
    # What the baseline lacks was said of the baseline; nothing at all is late.
    later = begun & ~rows["missing"].str.startswith(indices.years[0])
    lacking = (rows["missing"] != "") & (later | (rows["year"] == indices.years[0]))
    for gap in rows[lacking].itertuples():
        yield Finding(
            "warning",
            "raw/register/baskets.csv",
            f"a figure of {gap.component} that can be used in its index ({gap.missing})",
            "Ask for it, or agree what replaces it: until then that index has no figure.",
            row=int(numbers[gap.component, gap.indicator]),
            column="indicator",
            found=gap.indicator,
            measure=gap.indicator,
            period=str(gap.year),
        )


def _other_index(overall: pd.DataFrame, returned: pd.DataFrame) -> Iterator[Finding]:
    """Years whose returned index is not the one that the baskets give."""
    differs = (overall["ratio"] - overall["returned"]).abs() > AGREES_WITHIN + 1e-9
    ratios = overall[differs].set_index("year")["ratio"]
    for row in returned[returned["period"].isin(ratios.index)].itertuples():
        yield Finding(
            "warning",
            row.file,
            f"{ratios[row.period]:.2f}, the index that the baskets give for {row.period}",
            "Ask which is right: baskets, budgets, deflator or this figure.",
            row=int(row.row),
            column="value",
            found=f"{row.reading:.10g}",
            measure=row.measure,
            sheet=row.sheet or None,
            period=row.period,
        )
