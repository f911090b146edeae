"""Cost-effectiveness: an index of performance over an index of cost, from baskets of indicators.

Each component, a council, has a basket of its own (``register/baskets.csv``). No published method
says how the index is built, so this one is our own; ``docs/effectiveness.md`` gives the reasons.

==================  =====================================================================
contribution        100 x share of the basket's weight x (figure - baseline) / scale, the
                    sign turned where lower is better; the scale is the baseline's figure
                    (``relative``) or the whole of 100 % (``points``)
performance         100 plus the contributions
cost                100 x (net budget / deflator) / the same in the baseline year
cost-effectiveness  100 x performance / cost
==================  =====================================================================

The components together have the means of their indices of performance and of cost, weighted by
net budget in the baseline year or equally. Everything is worked out in fractions, so what the
indicators contribute adds up to the change of the index, to the last digit. A figure that is not
there is never made up and never left out: the index has no figure either, and says what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

import pandas as pd

from psa_analysis.analysis.readings import make_readings, splice, weakest
from psa_analysis.findings import Finding
from psa_analysis.periods import period_containing
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.register.settings import EffectivenessSection

#: One row per component, indicator and year.
INDICATOR_COLUMNS = {
    "component": "the council, an area of areas.csv",
    "indicator": "the measure",
    "title": "its short name",
    "year": "the financial year",
    "polarity": "whether higher or lower is better",
    "change": "relative or points: how a change is counted",
    "share": "the indicator's share of the basket's weight, 0 to 1",
    "baseline": "its figure in the baseline year, in its unit",
    "figure": "its figure in the year, on the agreed definition",
    "contribution": "points that it adds to the component's index of performance",
    "definition": "how a figure of a newer definition was linked, else empty",
    "missing": "why there is no contribution, else empty",
    "flag": "the weaker flag of the two figures",
    "illustrative": "True if either figure or the basket is made up",
}
#: One row per component and year.
COMPONENT_COLUMNS = {
    "component": "the council",
    "year": "the financial year",
    "share": "the component's share of the overall index, 0 to 1",
    "net_budget": "net budget in the year's own prices, in its measure's unit",
    "real_budget": "the same in prices of the baseline year",
    "performance": "index of performance, 100 in the baseline year",
    "cost": "index of cost, 100 in the baseline year",
    "ratio": "index of cost-effectiveness, 100 in the baseline year",
    "from_performance": "points of cost-effectiveness, above 100, that performance brought",
    "from_cost": "points that cost brought; the two add up to the ratio less 100",
    "missing": "what is lacking, else empty",
    "flag": "the weakest flag among the figures used",
    "illustrative": "True if any figure used or the basket is made up",
}
#: One row per year.
OVERALL_COLUMNS = {
    "year": "the financial year",
    "performance": "index of performance of all components",
    "cost": "index of cost of all components",
    "ratio": "index of cost-effectiveness",
    "from_performance": "points of it, above 100, that performance brought",
    "from_cost": "points that cost brought; the two add up to the ratio less 100",
    "difference": "index of performance less index of cost",
    "returned": "the index that was returned for the year, if one was",
    "missing": "what is lacking, else empty",
    "flag": "the weakest flag among the figures used",
    "illustrative": "True if any figure used or a basket is made up",
}

#: An index returned to one decimal may differ by half a unit of it.
AGREES_WITHIN = 0.05

#: Columns that hold no figure.
_TEXT = {
    "component",
    "indicator",
    "title",
    "year",
    "polarity",
    "change",
    "definition",
    "missing",
    "flag",
    "illustrative",
}


@dataclass(frozen=True)
class Effectiveness:
    """The index of cost-effectiveness, and what it is made of.

    Attributes
    ----------
    years : tuple of str
        The baseline year and those that have ended since, up to the due one; empty if it has
        not ended or the agreement has no basket.
    indicators, components, overall : pandas.DataFrame
        The columns of :data:`INDICATOR_COLUMNS`, :data:`COMPONENT_COLUMNS` and
        :data:`OVERALL_COLUMNS`, with a row for each of `years`.
    """

    years: tuple[str, ...]
    indicators: pd.DataFrame
    components: pd.DataFrame
    overall: pd.DataFrame

    @property
    def latest(self) -> str:
        """The newest year in which any component has an index of performance; empty if none."""
        made = self.components.loc[self.components["performance"].notna(), "year"]
        return str(max(made, default=""))


@dataclass(frozen=True)
class _Figure:
    """One figure of one year; `value` is None where `missing` says why."""

    value: Fraction | None
    missing: str
    flag: str
    illustrative: bool
    definition: str = ""


#: Figures by measure and area, and then by year.
_Figures = dict[tuple[str, str], dict[str, _Figure]]
#: A row of a table while it is exact: figures are fractions, or None where there is none.
_Row = dict[str, Any]


def contribution(
    baseline: Fraction, figure: Fraction, share: Fraction, polarity: str, change: str
) -> Fraction:
    """The points that one indicator adds to its component's index of performance."""
    if change == "relative" and baseline <= 0:
        raise ValueError("a relative change needs a baseline's figure above 0")
    better = figure - baseline if polarity == "higher" else baseline - figure
    return 100 * share * better / (baseline if change == "relative" else 100)


def effectiveness(read: pd.DataFrame, agreement: Agreement, until: date) -> Effectiveness:
    """Work out the indices of every component, and of all together."""
    made_from = agreement.settings.effectiveness
    indicators: list[_Row] = []
    components: list[_Row] = []
    overall: list[_Row] = []
    years: tuple[str, ...] = ()
    if made_from is not None and len(agreement.baskets):
        years = _years(agreement, made_from, until)
    if made_from is not None and years:
        figures = _by_year(read[read["period_end"] <= pd.Timestamp(until)], agreement)
        indicators = list(_indicators(agreement, years, figures))
        components = list(_components(indicators, years, figures, made_from))
        returned = figures.get((made_from.index, agreement.settings.agreement.area), {})
        overall = list(_overall(components, years, returned))
    return Effectiveness(
        years,
        _frame(indicators, INDICATOR_COLUMNS),
        _frame(components, COMPONENT_COLUMNS),
        _frame(overall, OVERALL_COLUMNS),
    )


def _frame(rows: list[_Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """Exact rows as a table of floats."""
    frame = pd.DataFrame(rows, columns=list(columns))
    types: dict[str, type] = {name: float for name in columns if name not in _TEXT}
    return frame.astype(types | {"illustrative": bool})


def _years(agreement: Agreement, made_from: EffectivenessSection, until: date) -> tuple[str, ...]:
    """The baseline year and those that have ended since, none after the due one."""
    index = agreement.measures.loc[made_from.index]
    first, due = measure_period(index, "baseline_period"), measure_period(index, "due")
    assert first is not None  # the register was checked
    last = due or agreement.settings.agreement.last
    ends = [date(year, 3, 31) for year in range(first.end.year, last.end.year + 1)]
    ended = [end for end in ends if end <= until]
    return tuple(period_containing(end, "financial_year").label for end in ended)


def _by_year(read: pd.DataFrame, agreement: Agreement) -> _Figures:
    """The readings of financial and exam years, and of the quarters that end a financial year."""
    frequency = read["measure"].map(agreement.measures["frequency"])
    quarterly = frequency == "quarterly"
    used = read[
        frequency.isin(["annual", "exam_year"]) | quarterly & read["period_end"].dt.month.eq(3)
    ]
    figures: _Figures = {}
    for row in used.itertuples():
        year = row.period
        if quarterly[row.Index]:
            year = period_containing(row.period_end.date(), "financial_year").label
        # As its decimals are written: 0.1 is a tenth, whatever a float makes of it.
        value = None if pd.isna(row.reading) else Fraction(str(float(row.reading)))
        figures.setdefault((row.measure, row.area), {})[year] = _Figure(
            value, row.missing, row.flag, bool(row.illustrative)
        )
    return figures


def _agreed(
    measure: str, area: str, figures: _Figures, newer: Mapping[str, str]
) -> dict[str, _Figure]:
    """An indicator's figures on the agreed definition.

    While the agreed definition is counted it is what is used. After its last figure, a measure
    that continues it is linked to it by the years that have both; without such a year there is
    none.
    """
    own = figures.get((measure, area), {})
    if measure not in newer:
        return own
    name = newer[measure]
    later = _agreed(name, area, figures, newer)
    lacking = {year: one for year, one in later.items() if year > max(own, default="")}
    old, new = (
        pd.Series(
            {y: float(one.value) for y, one in of.items() if one.value is not None}, dtype=float
        )
        for of in (own, later)
    )
    try:
        moved, _ = splice(new, old)
    except ValueError:
        why = f"counted as {name} now, and no year was counted both ways"
        return own | {
            year: _Figure(None, why, one.flag, one.illustrative) for year, one in lacking.items()
        }
    both = [year for year in old.index if year in new.index]
    linked = {}
    for year, one in lacking.items():
        if one.value is not None:
            used = [one, *(of[y] for of in (own, later) for y in both)]
            linked[year] = _Figure(
                Fraction(str(float(moved[year]))),
                "",
                weakest(figure.flag for figure in used),
                any(figure.illustrative for figure in used),
                f"counted as {name}, which is {'less' if moved[year] > new[year] else 'more'} by "
                f"{abs(moved[year] - new[year]):.4g} in the mean of {', '.join(both)}, and linked",
            )
    return {**lacking, **own, **linked}


_NONE = _Figure(None, "no figure", "final", False)


def _indicators(agreement: Agreement, years: tuple[str, ...], figures: _Figures) -> Iterator[_Row]:
    """What each indicator contributes in each year."""
    baskets, measures = agreement.baskets, agreement.measures
    totals = baskets.groupby("component")["weight"].agg(sum)
    newer = {older: str(name) for name, older in measures["continues"].items() if older}
    for row in baskets.itertuples():
        polarity = row.polarity or measures.at[row.indicator, "polarity"]
        share = row.weight / totals[row.component]
        series = _agreed(row.indicator, row.component, figures, newer)
        baseline = series.get(years[0], _NONE)
        for year in years:
            figure = series.get(year, _NONE)
            missing, points = "", None
            if baseline.value is None:
                missing = f"{years[0]}: {baseline.missing}"
            elif row.change == "relative" and baseline.value <= 0:
                missing = f"{years[0]}: {float(baseline.value):g}, where a figure above 0 is needed"
            elif figure.value is None:
                missing = f"{year}: {figure.missing}"
            else:
                points = contribution(baseline.value, figure.value, share, polarity, row.change)
            yield {
                "component": row.component,
                "indicator": row.indicator,
                "title": measures.at[row.indicator, "title"],
                "year": year,
                "polarity": polarity,
                "change": row.change,
                "share": share,
                "baseline": baseline.value,
                "figure": figure.value,
                "contribution": points,
                "definition": figure.definition,
                "missing": missing,
                "flag": weakest([baseline.flag, figure.flag]),
                "illustrative": row.illustrative == "yes"
                or baseline.illustrative
                or figure.illustrative,
            }


def _components(
    indicators: list[_Row],
    years: tuple[str, ...],
    figures: _Figures,
    made_from: EffectivenessSection,
) -> Iterator[_Row]:
    """The indices of each component in each year."""
    names = list(dict.fromkeys(row["component"] for row in indicators))
    deflator = figures.get((made_from.deflator, made_from.deflator_area), {})
    budgets = {name: figures.get((made_from.net_budget, name), {}) for name in names}
    shares = _shares(budgets, years[0], made_from.components)
    for name, budget in budgets.items():
        for year in years:
            own = [row for row in indicators if (row["component"], row["year"]) == (name, year)]
            lacking = _lacking(own)
            performance = None if lacking else 100 + sum(row["contribution"] for row in own)
            unpriced = [
                f"{what} ({at}: {series.get(at, _NONE).missing or 'a figure above 0 is needed'})"
                for what, series in (("net budget", budget), ("deflator", deflator))
                for at in dict.fromkeys((years[0], year))
                if _positive(series.get(at, _NONE)) is None
            ]
            real = cost = None
            if not unpriced:
                real, first = (
                    _exactly(budget[at]) / _exactly(deflator[at]) for at in (year, years[0])
                )
                real, cost = real * _exactly(deflator[years[0]]), 100 * real / first
            used = [
                series.get(at, _NONE) for series in (budget, deflator) for at in (year, years[0])
            ]
            yield {
                "component": name,
                "year": year,
                "share": shares[name],
                "net_budget": used[0].value,
                "real_budget": real,
                "performance": performance,
                "cost": cost,
                **_ratio(performance, cost),
                "missing": "; ".join([*lacking, *unpriced]),
                "flag": weakest([*(row["flag"] for row in own), *(one.flag for one in used)]),
                "illustrative": any(row["illustrative"] for row in own)
                or any(one.illustrative for one in used),
            }


def _shares(
    budgets: Mapping[str, Mapping[str, _Figure]], first: str, by: str
) -> dict[str, Fraction | None]:
    """Each component's share of the overall index; none where a budget is not known."""
    weights = {
        name: Fraction(1) if by == "equal" else _positive(budget.get(first, _NONE))
        for name, budget in budgets.items()
    }
    known = [weight for weight in weights.values() if weight is not None]
    if len(known) < len(weights):
        return dict.fromkeys(weights)
    return {name: weight / sum(known) for name, weight in weights.items() if weight is not None}


def _lacking(own: list[_Row]) -> list[str]:
    """The indicators without a contribution, each with the reason; in short where it is all."""
    reasons = [row["missing"] for row in own]
    if len(own) > 1 and reasons[0] and len(set(reasons)) == 1:
        return [f"every indicator ({reasons[0]})"]
    return [f"{row['title']} ({row['missing']})" for row in own if row["missing"]]


def _ratio(performance: Fraction | None, cost: Fraction | None) -> _Row:
    """Performance over cost, and how much of its distance from 100 is owed to each of them."""
    if performance is None or cost is None:
        return dict.fromkeys(("ratio", "from_performance", "from_cost", "difference"))
    return {
        "ratio": 100 * performance / cost,
        "from_performance": 100 * (performance - 100) / cost,
        "from_cost": 100 * (100 - cost) / cost,
        "difference": performance - cost,
    }


def _positive(figure: _Figure) -> Fraction | None:
    """A net budget or a deflator that can be divided by."""
    return figure.value if figure.value is not None and figure.value > 0 else None


def _exactly(figure: _Figure) -> Fraction:
    assert figure.value is not None
    return figure.value


def _overall(
    components: list[_Row], years: tuple[str, ...], returned: Mapping[str, _Figure]
) -> Iterator[_Row]:
    """The indices of all components together; none of them is left out."""
    for year in years:
        own = [row for row in components if row["year"] == year]
        performance, cost = _mean(own, "performance"), _mean(own, "cost")
        yield {
            "year": year,
            "performance": performance,
            "cost": cost,
            **_ratio(performance, cost),
            "returned": returned.get(year, _NONE).value,
            "missing": "; ".join(row["component"] for row in own if row["missing"]),
            "flag": weakest(row["flag"] for row in own),
            "illustrative": any(row["illustrative"] for row in own),
        }


def _mean(rows: list[_Row], index: str) -> Fraction | None:
    """The weighted mean of an index, if every component has it."""
    if any(row[index] is None or row["share"] is None for row in rows):
        return None
    return sum((row["share"] * row[index] for row in rows), Fraction(0))


def check_baskets(observations: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """What the baskets lack, and where the index that was returned is another than theirs.

    Of each figure the newest vintage is looked at. A component of which nothing has come in for a
    year is only late, which is no finding.
    """
    made_from, baskets = agreement.settings.effectiveness, agreement.baskets
    if made_from is None or baskets.empty:
        return []
    wanted = {made_from.index, made_from.net_budget, made_from.deflator, *baskets["indicator"]}
    measures = agreement.measures
    wanted |= set(measures.index[measures["continues"] != ""])
    wanted |= set(measures.loc[list(wanted), "comparator"])
    newest = observations[observations["measure"].isin(wanted)]
    newest = newest.drop_duplicates(["measure", "area", "period"], keep="last")
    read = make_readings(newest, agreement)
    # After the last year's examinations, whose school year ends in August.
    due = measure_period(measures.loc[made_from.index], "due")
    due = due or agreement.settings.agreement.last
    made = effectiveness(read, agreement, date(due.end.year, 12, 31))
    return [*_gaps(made, agreement), *_other_index(made, read, agreement, made_from)]


def _gaps(made: Effectiveness, agreement: Agreement) -> Iterator[Finding]:
    """Indicators that keep their component from an index."""
    if made.indicators["baseline"].isna().all():
        return  # the baseline year is still to come in
    rows = agreement.baskets.reset_index().set_index(["component", "indicator"])["row"]
    own, baseline = made.indicators, made.years[0]
    begun = own.groupby(["component", "year"])["figure"].transform("count") > 0
    # What the baseline lacks was said of the baseline; nothing at all is late.
    later = begun & ~own["missing"].str.startswith(baseline)
    lacking = own[(own["missing"] != "") & (later | (own["year"] == baseline))]
    for one in lacking.itertuples():
        yield Finding(
            "warning",
            "raw/register/baskets.csv",
            f"a figure of {one.component} that can be used in its index ({one.missing})",
            "Ask for it, or agree what replaces it: until then that index has no figure.",
            row=int(rows[one.component, one.indicator]),
            column="indicator",
            found=one.indicator,
            measure=one.indicator,
            period=str(one.year),
        )


def _other_index(
    made: Effectiveness, read: pd.DataFrame, agreement: Agreement, made_from: EffectivenessSection
) -> Iterator[Finding]:
    """Years whose returned index is not the one that the baskets give."""
    overall = made.overall.set_index("year")
    apart = (overall["ratio"] - overall["returned"]).abs() > AGREES_WITHIN + 1e-9
    area = agreement.settings.agreement.area
    own = read[(read["measure"] == made_from.index) & (read["area"] == area)]
    for row in own[own["period"].isin(overall.index[apart])].itertuples():
        yield Finding(
            "warning",
            row.file,
            f"{overall.at[row.period, 'ratio']:.2f}, the index that the baskets give for "
            f"{row.period}",
            "Ask which is right: baskets, budgets, deflator or this figure.",
            row=int(row.row),
            column="value",
            found=f"{row.reading:.10g}",
            measure=made_from.index,
            sheet=row.sheet or None,
            period=row.period,
        )
