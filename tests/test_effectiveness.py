"""Cost-effectiveness: worked by hand, additive, indifferent to units, and honest about gaps."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import Tags, psa
from hypothesis import given, settings
from hypothesis import strategies as st

import psa_analysis as library
from psa_analysis.analysis.effectiveness import (
    AGREES_WITHIN,
    COMPONENT_COLUMNS,
    INDICATOR_COLUMNS,
    OVERALL_COLUMNS,
    Effectiveness,
    check_baskets,
    contribution,
    effectiveness,
)
from psa_analysis.analysis.readings import make_readings
from psa_analysis.findings import DataError
from psa_analysis.periods import KIND_OF_FREQUENCY, parse_period
from psa_analysis.pipeline import ROOT, load_observations, make_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement
from psa_analysis.register.settings import EffectivenessSection
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of
from psa_analysis.show.effectiveness import effectiveness_sentences

YEARS = ["2002/03", "2003/04", "2004/05", "2005/06"]
END = date(2006, 12, 31)
#: Figures from 2002/03 on, by measure and area; None where there is none.
Figures = dict[tuple[str, str], list[float | None]]
#: A basket: weight, polarity, change, by component and indicator.
Basket = dict[tuple[str, str], tuple[str, str, str]]
DEFLATOR = ("N10-deflator", "United Kingdom")


def observed(agreement: Agreement, figures: Figures, received: str = "2003-09-30") -> pd.DataFrame:
    """Yearly observations, each received half a year after its year."""
    rows = []
    for (measure, area), values in figures.items():
        kind = KIND_OF_FREQUENCY[agreement.measures.at[measure, "frequency"]]
        for n, value in enumerate(values):
            period = parse_period(f"{2002 + n}/{3 + n:02d}", kind)
            rows.append(
                {
                    "measure": measure,
                    "area": area,
                    "period": period.label,
                    "period_end": pd.Timestamp(period.end),
                    "value": value,
                    "numerator": None,
                    "denominator": None,
                    "flag": "final",
                    "illustrative": False,
                    "file": "f",
                    "sheet": "",
                    "row": n,
                    "column": "D",
                    "received": pd.Timestamp(received) + pd.DateOffset(years=n),
                }
            )
    frame = pd.DataFrame(rows).astype({"value": float, "numerator": float, "denominator": float})
    return frame[frame["value"].notna()]


def with_basket(agreement: Agreement, basket: Basket, by: str = "net budget") -> Agreement:
    rows = [
        {
            "component": component,
            "indicator": indicator,
            "weight": Fraction(weight),
            "polarity": polarity,
            "change": change,
            "illustrative": "no",
        }
        for (component, indicator), (weight, polarity, change) in basket.items()
    ]
    baskets = pd.DataFrame(rows, index=pd.RangeIndex(2, len(rows) + 2, name="row"))
    made_from = EffectivenessSection(
        index="N10",
        net_budget="N10-budget",
        deflator="N10-deflator",
        deflator_area="United Kingdom",
        components=by,
    )
    changed = agreement.settings.model_copy(update={"effectiveness": made_from})
    return dataclasses.replace(agreement, baskets=baskets, settings=changed)


def make(
    agreement: Agreement, basket: Basket, figures: Figures, by: str = "net budget"
) -> Effectiveness:
    changed = with_basket(agreement, basket, by)
    read = make_readings(observed(changed, figures), changed)
    return effectiveness(read, changed, END)


def row(table: pd.DataFrame, year: str, component: str | None = None) -> pd.Series:
    rows = table[table["year"] == year]
    if component is not None:
        rows = rows[rows["component"] == component]
    assert len(rows) == 1
    return rows.iloc[0]


# The example of docs/effectiveness.md.
ONE: Basket = {
    ("Blaby", "N10-benefit-days"): ("3", "", "relative"),
    ("Blaby", "N10-invoices"): ("1", "", "points"),
}
ONE_FIGURES: Figures = {
    ("N10-benefit-days", "Blaby"): [40, 34],
    ("N10-invoices", "Blaby"): [90, 92],
    ("N10-budget", "Blaby"): [10, 11.22],
    DEFLATOR: [100, 102],
}
# Melton beside it: 70 to 63 is worse by 7 points, and it spends as before.
TWO: Basket = ONE | {("Melton", "N10-planning"): ("2", "", "points")}
TWO_FIGURES: Figures = ONE_FIGURES | {
    ("N10-planning", "Melton"): [70, 63],
    ("N10-budget", "Melton"): [30, 30.6],
}


def test_one_component_worked_by_hand(agreement: Agreement) -> None:
    made = make(agreement, ONE, ONE_FIGURES)
    added = made.indicators[made.indicators["year"] == "2003/04"]["contribution"]
    # 100 x 3/4 x 6/40 and 100 x 1/4 x 2/100.
    assert added.tolist() == [11.25, 0.5]
    blaby = row(made.components, "2003/04", "Blaby")
    assert blaby["performance"] == 111.75
    # 11.22 at prices that rose by 2 % is 11 at those of the first year.
    assert (blaby["real_budget"], blaby["cost"]) == (11, 110)
    assert blaby["ratio"] == float(Fraction(11175, 110))
    assert blaby["from_performance"] == pytest.approx(11.75 / 1.1, rel=1e-15)
    assert blaby["from_cost"] == pytest.approx(-10 / 1.1, rel=1e-15)
    start = row(made.components, "2002/03", "Blaby")
    assert start[["performance", "cost", "ratio"]].tolist() == [100, 100, 100]


def test_all_together_by_net_budget_or_equally(agreement: Agreement) -> None:
    """10 and 30 million at the start, so a quarter and three quarters; or half and half."""
    by_budget = row(make(agreement, TWO, TWO_FIGURES).overall, "2003/04")
    assert by_budget["performance"] == (111.75 + 3 * 93) / 4
    # The real budgets together rise from 40 to 11 + 30 = 41.
    assert by_budget["cost"] == 100 * 41 / 40
    assert by_budget["ratio"] == float(100 * Fraction("97.6875") / Fraction("102.5"))
    assert by_budget["difference"] == 97.6875 - 102.5
    equal = row(make(agreement, TWO, TWO_FIGURES, "equal").overall, "2003/04")
    assert (equal["performance"], equal["cost"]) == ((111.75 + 93) / 2, 105)


positive = st.decimals("0.1", "5000", places=1, allow_nan=False).map(float)
percents = st.decimals(0, 100, places=1, allow_nan=False).map(float)


@st.composite
def baskets(draw: st.DrawFn) -> tuple[Basket, Figures]:
    """One to three components, each with one to four indicators and two years."""
    basket: Basket = {}
    figures: Figures = {DEFLATOR: [draw(positive), draw(positive)]}
    for component in ("Blaby", "Melton", "Charnwood")[: draw(st.integers(1, 3))]:
        figures["N10-budget", component] = [draw(positive), draw(positive)]
        for name in ("invoices", "sickness", "planning", "relet-days")[: draw(st.integers(1, 4))]:
            percent = name in ("invoices", "planning")
            key = component, f"N10-{name}"
            change = draw(st.sampled_from(["relative", "points"])) if percent else "relative"
            weight = str(draw(st.integers(1, 9)))
            basket[key] = weight, draw(st.sampled_from(["higher", "lower", ""])), change
            first = draw(percents.filter(bool) if percent else positive)
            figures[key[1], component] = [first, draw(percents if percent else positive)]
    return basket, figures


@settings(max_examples=20)
@given(baskets(), st.sampled_from(["net budget", "equal"]))
def test_contributions_add_up(agreement: Agreement, drawn: tuple[Basket, Figures], by: str) -> None:
    made = make(agreement, *drawn, by)
    observed_years = made.components["year"].isin(YEARS[:2])
    each = made.components[observed_years].set_index(["component", "year"])
    added = made.indicators.groupby(["component", "year"])["contribution"].sum()[each.index]
    assert (each["performance"] - 100).to_numpy() == pytest.approx(
        added.to_numpy(), rel=1e-12, abs=1e-9
    )
    assert (each["from_performance"] + each["from_cost"]).to_numpy() == pytest.approx(
        (each["ratio"] - 100).to_numpy(), rel=1e-9, abs=1e-9
    )
    # And to the change of all together, by the components' shares.
    parts = (added * each["share"]).groupby("year").sum()
    together = made.overall.set_index("year").loc[YEARS[:2]]
    assert together["performance"].to_numpy() == pytest.approx(
        100 + parts.to_numpy(), rel=1e-12, abs=1e-9
    )
    # The whole lies among its parts.
    ratios = each["ratio"].groupby("year")
    slack = 1e-6 + 1e-9 * together["ratio"].abs()
    assert (together["ratio"] <= ratios.max() + slack).all()
    assert (together["ratio"] >= ratios.min() - slack).all()


fractions = st.fractions(0, 1000, max_denominator=1000)
above_0 = fractions.filter(lambda value: value > 0)
changes = st.sampled_from(["relative", "points"])


@given(st.lists(st.tuples(above_0, fractions, above_0), min_size=1, max_size=6), changes)
def test_contributions_add_up_to_the_last_digit(
    drawn: list[tuple[Fraction, Fraction, Fraction]], change: str
) -> None:
    """To the weighted mean of relatives less 100, which is worked out another way here."""
    total = sum(weight for _, _, weight in drawn)
    added = sum(contribution(a, b, w / total, "higher", change) for a, b, w in drawn)
    if change == "relative":
        relatives = [100 * w * b / a for a, b, w in drawn]
    else:
        relatives = [w * (100 + b - a) for a, b, w in drawn]
    assert added == sum(relatives) / total - 100


@given(above_0, fractions, changes)
def test_a_fall_is_the_mirror_of_a_rise(first: Fraction, change_: Fraction, change: str) -> None:
    up = contribution(first, first + change_, Fraction(1), "higher", change)
    assert up == contribution(first, first - change_, Fraction(1), "lower", change)
    assert up == -contribution(first, first + change_, Fraction(1), "lower", change)


@given(st.fractions(0, 100, max_denominator=100), st.fractions(0, 100, max_denominator=100))
def test_in_points_success_and_failure_say_the_same(first: Fraction, last: Fraction) -> None:
    kept = contribution(first, last, Fraction(1, 3), "higher", "points")
    assert kept == contribution(100 - first, 100 - last, Fraction(1, 3), "lower", "points")


@given(above_0, fractions, above_0)
def test_units_do_not_matter(first: Fraction, last: Fraction, unit: Fraction) -> None:
    assert contribution(first, last, Fraction(1, 2), "lower", "relative") == contribution(
        unit * first, unit * last, Fraction(1, 2), "lower", "relative"
    )


def test_units_of_budgets_and_deflator_and_sizes_of_weights_do_not_matter(
    agreement: Agreement,
) -> None:
    plain = make(agreement, TWO, TWO_FIGURES)
    scaled: Figures = {
        key: [
            value and value * {"N10-budget": 1000, "N10-deflator": 0.01}.get(key[0], 1)
            for value in values
        ]
        for key, values in TWO_FIGURES.items()
    }
    heavier = {key: (f"{int(weight) * 7}", *rest) for key, (weight, *rest) in TWO.items()}
    other = make(agreement, heavier, scaled)  # type: ignore[arg-type]  # the same three words
    columns = ["performance", "cost", "ratio", "share"]
    assert other.components[columns].equals(plain.components[columns])


def test_a_relative_change_needs_something_to_be_relative_to(agreement: Agreement) -> None:
    with pytest.raises(ValueError, match="above 0"):
        contribution(Fraction(0), Fraction(1), Fraction(1), "higher", "relative")
    figures = ONE_FIGURES | {("N10-benefit-days", "Blaby"): [0, 34]}
    made = make(agreement, ONE, figures)
    blaby = row(made.components, "2003/04", "Blaby")
    assert pd.isna(blaby["performance"])
    assert blaby["missing"] == (
        "Days to decide a benefit claim (2002/03: 0, where a figure above 0 is needed)"
    )
    # In points a baseline of 0 is as good as any other.
    none_paid = make(agreement, ONE, ONE_FIGURES | {("N10-invoices", "Blaby"): [0, 92]})
    assert row(none_paid.components, "2003/04", "Blaby")["performance"] == 100 + 11.25 + 23


@pytest.mark.parametrize(
    ("lost", "performance", "said"),
    [
        (("N10-invoices", "Blaby", 1), False, "Invoices paid on time (2003/04: no figure)"),
        (("N10-invoices", "Blaby", 0), False, "Invoices paid on time (2002/03: no figure)"),
        (("N10-budget", "Blaby", 1), True, "net budget (2003/04: no figure)"),
        ((*DEFLATOR, 1), True, "deflator (2003/04: no figure)"),
    ],
)
def test_what_is_missing_is_named_and_never_left_out(
    agreement: Agreement, lost: tuple[str, str, int], performance: bool, said: str
) -> None:
    measure, area, place = lost
    values = list(TWO_FIGURES[measure, area])
    values[place] = None
    made = make(agreement, TWO, TWO_FIGURES | {(measure, area): values})
    blaby = row(made.components, "2003/04", "Blaby")
    assert blaby["missing"] == said
    assert pd.notna(blaby["performance"]) == performance
    assert pd.isna(blaby["ratio"])
    together = row(made.overall, "2003/04")
    assert pd.isna(together["ratio"])
    assert together["missing"].split("; ")[0] == "Blaby"
    if area == "Blaby":
        melton = row(made.components, "2003/04", "Melton")
        assert (melton["performance"], melton["missing"]) == (93, "")
        assert together["missing"] == "Blaby"


def test_a_zero_budget_gives_no_index_of_cost(agreement: Agreement) -> None:
    made = make(agreement, ONE, ONE_FIGURES | {("N10-budget", "Blaby"): [10, 0]})
    blaby = row(made.components, "2003/04", "Blaby")
    assert pd.isna(blaby["cost"])
    assert blaby["missing"] == "net budget (2003/04: a figure above 0 is needed)"


def test_without_a_budget_at_the_start_nobody_has_a_share(agreement: Agreement) -> None:
    made = make(agreement, TWO, TWO_FIGURES | {("N10-budget", "Melton"): [None, 30]})
    assert made.components["share"].isna().all()
    assert made.overall["performance"].isna().all()
    equal = make(agreement, TWO, TWO_FIGURES | {("N10-budget", "Melton"): [None, 30]}, "equal")
    assert row(equal.overall, "2003/04")["performance"] == (111.75 + 93) / 2


# Definitions that change midway: the agreed one is N10-road-condition.
ROADS: Basket = {("Leicestershire", "N10-road-condition"): ("1", "", "points")}
MONEY: Figures = {("N10-budget", "Leicestershire"): [100, 100, 100, 100], DEFLATOR: [1, 1, 1, 1]}
OLD, NEW = ("N10-road-condition", "Leicestershire"), ("N10-road-condition-new", "Leicestershire")


def test_the_agreed_definition_counts_while_it_is_counted(agreement: Agreement) -> None:
    made = make(agreement, ROADS, MONEY | {OLD: [16, 14, 12, 10], NEW: [None, 20, 19, 18]})
    assert made.indicators["figure"].tolist() == [16, 14, 12, 10]
    assert (made.indicators["definition"] == "").all()
    assert made.components["performance"].tolist() == [100, 102, 104, 106]
    # A gap before its last figure is a gap, and the new definition does not fill it.
    made = make(agreement, ROADS, MONEY | {OLD: [16, None, 12, 10], NEW: [22, 20, 18, 16]})
    assert made.indicators["missing"].tolist() == ["", "2003/04: no figure", "", ""]


def test_a_new_definition_is_linked_by_the_years_that_have_both(agreement: Agreement) -> None:
    """It finds 6 more in one year and 7 in the other: 6.5 in the mean."""
    made = make(agreement, ROADS, MONEY | {OLD: [16, 14, 12, None], NEW: [None, 20, 19, 15.5]})
    last = row(made.indicators, "2005/06")
    assert (last["figure"], last["contribution"]) == (9, 7)
    assert last["definition"] == (
        "counted as N10-road-condition-new, which is more by 6.5 in the mean of 2003/04, 2004/05, "
        "and linked"
    )
    assert row(made.indicators, "2004/05")["definition"] == ""
    # Before the second year was known, only the first one links them.
    read = make_readings(
        observed(agreement, MONEY | {OLD: [16, 14], NEW: [None, 20, 19]}), agreement
    )
    early = effectiveness(read, with_basket(agreement, ROADS), END)
    assert row(early.indicators, "2004/05")["figure"] == 13


def test_without_a_year_of_both_definitions_there_is_no_figure(agreement: Agreement) -> None:
    figures = MONEY | {OLD: [16, 14, None, None], NEW: [None, None, 19, 15.5]}
    changed = with_basket(agreement, ROADS)
    frame = observed(changed, figures)
    made = effectiveness(make_readings(frame, changed), changed, END)
    last = row(made.indicators, "2005/06")
    assert pd.isna(last["contribution"])
    assert last["missing"] == (
        "2005/06: counted as N10-road-condition-new now, and no year was counted both ways"
    )
    assert made.overall["ratio"].notna().tolist() == [True, True, False, False]


def test_definitions_may_change_twice(agreement: Agreement) -> None:
    """A third, counted from 2004/05 on, is linked to the second, and that to the first."""
    third = agreement.measures.loc[["N10-road-condition-new"]].rename(
        index={"N10-road-condition-new": "N10-third"}
    )
    third["continues"] = "N10-road-condition-new"
    more = dataclasses.replace(agreement, measures=pd.concat([agreement.measures, third]))
    figures = MONEY | {
        OLD: [16, 14, None, None],
        NEW: [None, 20, 18, None],  # 6 more than the first
        ("N10-third", "Leicestershire"): [None, None, 8, 5],  # 10 fewer than the second
    }
    assert make(more, ROADS, figures).indicators["figure"].tolist() == [16, 14, 12, 9]


def test_quarters_and_school_years_belong_to_their_financial_year(agreement: Agreement) -> None:
    """N7-treatment is quarterly, its last quarter counts; summer 2004 belongs to 2003/04."""
    changed = with_basket(
        agreement,
        {("Blaby", "N7-treatment"): ("1", "", "relative"), ("Blaby", "N2"): ("1", "", "points")},
    )
    frame = observed(
        changed, {("N2", "Blaby"): [50, 54], ("N10-budget", "Blaby"): [1, 1], DEFLATOR: [1, 1]}
    )
    quarters = []
    for label, value in (
        ("2002-03 Q3", 90),
        ("2002-03 Q4", 100),
        ("2003-04 Q4", 110),
        ("2004-05 Q1", 500),
    ):
        end = pd.Timestamp(parse_period(label).end)
        quarters.append(
            frame.iloc[0].to_dict()
            | {"measure": "N7-treatment", "period": label, "period_end": end, "value": value}
        )
    read = make_readings(pd.concat([frame, pd.DataFrame(quarters)], ignore_index=True), changed)
    made = effectiveness(read, changed, END)
    # Half of 10 per cent, and half of 4 points.
    assert row(made.components, "2003/04")["performance"] == 100 + 5 + 2
    # A first quarter is no year.
    treated = made.indicators[made.indicators["indicator"] == "N7-treatment"]
    assert row(treated, "2004/05")["missing"] == "2004/05: no figure"
    # The school year 2003/04 ends in August 2004.
    early = effectiveness(read, changed, date(2004, 6, 30))
    assert row(early.components, "2003/04")["missing"].startswith("Five or more GCSEs")


def test_a_basket_may_take_an_indicator_the_other_way(agreement: Agreement) -> None:
    turned = {("Melton", "N10-planning"): ("2", "lower", "points")}
    assert row(make(agreement, turned, TWO_FIGURES).components, "2003/04")["performance"] == 107


def test_flags_and_illustrative_figures_are_passed_on(agreement: Agreement) -> None:
    changed = with_basket(agreement, TWO)
    frame = observed(changed, TWO_FIGURES)
    one = (frame["measure"] == "N10-planning") & (frame["period"] == "2003/04")
    frame.loc[one, "flag"] = "provisional"
    made = effectiveness(make_readings(frame, changed), changed, END)
    assert not made.overall["illustrative"].any()
    assert row(made.components, "2003/04", "Melton")["flag"] == "provisional"
    assert row(made.overall, "2003/04")["flag"] == "provisional"
    assert row(made.components, "2003/04", "Blaby")["flag"] == "final"
    start = (frame["measure"] == "N10-budget") & (frame["period"] == "2002/03")
    frame.loc[start & (frame["area"] == "Blaby"), "flag"] = "estimated"
    made = effectiveness(make_readings(frame, changed), changed, END)
    assert row(made.components, "2003/04", "Blaby")["flag"] == "estimated"
    frame.loc[(frame["measure"] == "N10-invoices") & (frame["period"] == "2002/03"), "flag"] = (
        "provisional"
    )
    made = effectiveness(make_readings(frame, changed), changed, END)
    paid = made.indicators[made.indicators["indicator"] == "N10-invoices"]
    assert row(paid, "2003/04")["flag"] == "provisional"
    frame.loc[one, "illustrative"] = True
    made = effectiveness(make_readings(frame, changed), changed, END)
    assert made.overall["illustrative"].tolist() == [False, True, False, False]


# On the shipped data.


def test_a_report_knows_only_what_had_come_in(report_of: Callable[[str], Report]) -> None:
    """Indicators come in July, budgets at the end of September, half a year after the year."""
    before = report_of("2004-05 Q1").effectiveness
    assert before.years == ("2002/03", "2003/04")
    assert before.components["performance"].notna().all()
    assert row(before.overall, "2003/04")["missing"].count(";") == 7
    assert pd.isna(row(before.overall, "2003/04")["ratio"])
    after = report_of("2004-05 Q2").effectiveness
    assert row(after.overall, "2003/04")["ratio"] == pytest.approx(101.7, abs=AGREES_WITHIN)
    assert report_of("2002-03 Q3").effectiveness.years == ()
    assert report_of("2008-09 Q4").effectiveness.years == tuple(YEARS)


def test_a_revision_changes_only_the_reports_after_it(
    agreement: Agreement, loaded: tuple, report_of: Callable[[str], Report]
) -> None:
    observations = loaded[0]
    one = observations[
        (observations["measure"] == "N10-invoices")
        & (observations["area"] == "Leicestershire")
        & (observations["period"] == "2003/04")
    ]
    revised = one.assign(value=one["value"] + 8, received=pd.Timestamp("2005-03-01"))
    both = pd.concat([observations, revised], ignore_index=True)
    then = effectiveness(make_readings(as_of(both, date(2005, 2, 14)), agreement), agreement, END)
    now = effectiveness(make_readings(as_of(both, date(2005, 3, 1)), agreement), agreement, END)
    known = report_of("2004-05 Q3").effectiveness.overall.set_index("year")["performance"]
    assert row(then.overall, "2003/04")["performance"] == known["2003/04"]
    # 8 points at a weight of 1 in 8 in the county council's basket.
    county = row(now.components, "2003/04", "Leicestershire")
    before = row(then.components, "2003/04", "Leicestershire")
    assert county["performance"] - before["performance"] == pytest.approx(1)


def test_the_shipped_baskets_are_illustrative_and_give_the_returned_index(
    agreement: Agreement, report_of: Callable[[str], Report]
) -> None:
    baskets_ = agreement.baskets
    assert (baskets_["illustrative"] == "yes").all()
    sizes = baskets_.groupby("component").size()
    assert len(sizes) == 8
    assert sizes.between(3, 5).all()
    overall = report_of("2006-07 Q3").effectiveness.overall
    assert overall["year"].tolist() == YEARS
    assert overall["returned"].tolist() == [100, 101.7, 104.4, 106.9]
    assert (overall["ratio"] - overall["returned"]).abs().max() < AGREES_WITHIN
    assert overall["illustrative"].all()


def test_what_other_choices_would_give_is_as_documented(report_of: Callable[[str], Report]) -> None:
    """Worked out in floats from the figures alone, and not by the library's own formula."""
    made = report_of("2006-07 Q3").effectiveness
    own = made.indicators[made.indicators["year"] == "2005/06"].reset_index(drop=True)
    each = made.components[made.components["year"] == "2005/06"].set_index("component")
    lower, points = own["polarity"] == "lower", own["change"] == "points"
    relative = own["figure"] / own["baseline"]
    linear = relative.where(~lower, 2 - relative)
    moved = (own["figure"] - own["baseline"]).where(~lower, own["baseline"] - own["figure"])
    ours = linear.where(~points, 1 + moved / 100)
    reciprocal = relative.where(~lower, 1 / relative)
    evenly = 1 / own.groupby("component")["share"].transform("size")

    def index(relatives: pd.Series, weights: pd.Series, shares: pd.Series) -> tuple[float, ...]:
        performance = 100 * (relatives * weights).groupby(own["component"]).sum()
        whole, cost = (shares * performance).sum(), (shares * each["cost"]).sum()
        return whole, cost, 100 * whole / cost

    weights, shares = own["share"], each["share"]
    same = pd.Series(1 / 8, index=shares.index)
    logs = (np.log(reciprocal) * weights).groupby(own["component"]).sum()
    geometric = (shares * 100 * np.exp(logs)).sum()
    plain = index(ours, weights, shares)
    expected = {
        "as here": plain,
        "percentages relative to their baseline too": index(linear, weights, shares),
        "reciprocals where lower is better, percentages in points": index(
            ours.where(points, reciprocal), weights, shares
        ),
        "geometric mean of relatives": (geometric, plain[1], 100 * geometric / plain[1]),
        "components weighted equally": index(ours, weights, same),
        "indicators weighted equally": index(ours, evenly, shares),
        "performance less cost, as points above 100": (
            plain[0],
            plain[1],
            100 + plain[0] - plain[1],
        ),
    }
    text = (ROOT / "docs" / "effectiveness.md").read_text()
    documented = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert [name for name, *_ in documented] == list(expected)
    for name, *numbers in documented:
        assert [f"{value:.2f}" for value in expected[name]] == numbers, name
    together = row(made.overall, "2005/06")
    assert plain == pytest.approx(together[["performance", "cost", "ratio"]].tolist(), rel=1e-12)


# Broken registers: each changes one cell, and the finding names place, cell and remedy.
BROKEN = [
    (
        "Melton",
        "indicator",
        "N10-planing",
        "column indicator: found 'N10-planing'",
        "Did you mean 'N10-planning'?",
    ),
    (
        "Melton",
        "component",
        "Meltonn",
        "column component: found 'Meltonn'",
        "Did you mean 'Melton'?",
    ),
    ("Melton", "weight", "0", "column weight: found '0', expected a number above 0", "Correct"),
    ("Melton", "weight", "not stated", "column weight: found 'not stated', expected a number", ""),
    (
        "Melton",
        "polarity",
        "up",
        "column polarity: found 'up', expected one of 'higher', 'lower'",
        "",
    ),
    ("Melton", "change", "", "column change: found '', expected one of 'relative' or 'points'", ""),
    ("Melton", "illustrative", "maybe", "column illustrative: found 'maybe'", ""),
    ("Melton", "document", "bidd", "column document: found 'bidd'", "Did you mean 'bid'?"),
    ("Melton", "indicator", "N10-benefit-days", "each only once", "stands in row"),
    ("Melton", "indicator", "N26-stats19", "in quarters, financial years or exam years", ""),
    ("Melton", "indicator", "N10-sickness", "relative, since points are of percentages", ""),
    ("Melton", "indicator", "N13", "expected points, since percent change is a difference", ""),
]


@pytest.mark.parametrize(("key", "column", "value", "found", "remedy"), BROKEN)
def test_a_broken_basket_is_refused_with_its_place(
    council: Path,
    edit: Callable[..., int],
    key: str,
    column: str,
    value: str,
    found: str,
    remedy: str,
) -> None:
    if value == "N13":
        edit("register/baskets.csv", key, "change", "relative")
    number = edit("register/baskets.csv", key, column, value)
    with pytest.raises(DataError) as caught:
        load_agreement(council)
    said = [str(one) for one in caught.value.findings if one.file == "raw/register/baskets.csv"]
    assert any(found in one and remedy in one for one in said), said
    assert any(f"row {number}" in one or "each only once" in one for one in said)
    output = psa("check", "--data", str(council)).output
    assert found in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'index = "N10"',
            'index = "N100"',
            "effectiveness.index: found 'N100', expected a measure",
        ),
        ('index = "N10"', 'index = "L8"', "expected a measure with a baseline of 100"),
        ('index = "N10"', 'index = "N6-eet"', "expected a measure with a baseline of 100"),
        ('net_budget = "N10-budget"', 'net_budget = "N10-budgett"', "Did you mean 'N10-budget'?"),
        ('net_budget = "N10-budget"', 'net_budget = "L7"', "expected an annual measure"),
        ('= "United Kingdom"', '= "Untied Kingdom"', "Did you mean 'United Kingdom'?"),
        ('components = "net budget"', 'components = "head"', "one of 'net budget' or 'equal'"),
        ("[effectiveness]", "[effectivness]", "expected a known setting"),
    ],
)
def test_broken_settings_are_refused(council: Path, old: str, new: str, expected: str) -> None:
    path = council / "raw" / "agreement.toml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError) as caught:
        load_agreement(council)
    assert expected in str(caught.value)


def without_settings(council: Path) -> None:
    path = council / "raw" / "agreement.toml"
    path.write_text(re.sub(r"\[effectiveness\].*?\n\n", "", path.read_text(), flags=re.DOTALL))


def test_baskets_need_their_settings(council: Path) -> None:
    without_settings(council)
    with pytest.raises(DataError, match="expected the section to be there, since there is a bask"):
        load_agreement(council)


@pytest.mark.parametrize("settings_too", [True, False])
def test_a_council_without_baskets_is_no_error(council: Path, settings_too: bool) -> None:
    (council / "raw" / "register" / "baskets.csv").unlink()
    if settings_too:
        without_settings(council)
    agreement = load_agreement(council)
    observations, findings = load_observations(agreement)
    assert check_baskets(observations, agreement) == []
    report = make_report(agreement, observations, findings, parse_period("2004-05 Q3"))
    made = report.effectiveness
    assert made.years == ()
    for table, columns in (
        (made.indicators, INDICATOR_COLUMNS),
        (made.components, COMPONENT_COLUMNS),
        (made.overall, OVERALL_COLUMNS),
    ):
        assert (list(table.columns), len(table)) == (list(columns), 0)
    for shown in (
        library.effectiveness_words(report),
        library.effectiveness_table(report),
        library.basket_contributions_table(report),
        library.budgets_table(report),
        library.basket_contributions_table(report, "Leicestershire"),
    ):
        assert shown.text.startswith("The register has no baskets, so ")
    for chart in (library.effectiveness_chart(report), library.basket_contributions_chart(report)):
        assert "no index can be made" in chart.alt
        ET.fromstring(chart.svg)


def test_another_returned_index_is_a_finding(agreement: Agreement) -> None:
    changed = with_basket(agreement, ONE)
    figures = ONE_FIGURES | {("N10", "Leicestershire"): [100, 101.6]}
    assert check_baskets(observed(changed, figures), changed) == []
    # The baskets give 101.59.
    figures["N10", "Leicestershire"] = [100, 101.65]
    found = check_baskets(observed(changed, figures), changed)
    assert [str(one) for one in found] == [
        "warning: f, row 1, column value: found '101.65', expected 101.59, the index that the "
        "baskets give for 2003/04. Ask which is right: baskets, budgets, deflator or this figure."
    ]
    assert (found[0].measure, found[0].period) == ("N10", "2003/04")


def test_a_gap_in_a_basket_is_a_finding_and_a_late_basket_is_not(agreement: Agreement) -> None:
    changed = with_basket(agreement, TWO)
    figures = TWO_FIGURES | {("N10-invoices", "Blaby"): [90, None]}
    found = check_baskets(observed(changed, figures), changed)
    assert [str(one) for one in found] == [
        "warning: raw/register/baskets.csv, row 3, column indicator: found 'N10-invoices', "
        "expected a figure of Blaby that can be used in its index (2003/04: no figure). Ask for "
        "it, or agree what replaces it: until then that index has no figure."
    ]
    late = TWO_FIGURES | {("N10-planning", "Melton"): [70, None]}
    assert check_baskets(observed(changed, late), changed) == []
    # A baseline that cannot be used is said once, of the baseline.
    none = TWO_FIGURES | {("N10-benefit-days", "Blaby"): [0, 34]}
    [only] = check_baskets(observed(changed, none), changed)
    assert (only.row, only.period) == (2, "2002/03")
    # Nothing of the baseline year yet: nothing to say.
    empty = {key: [None, 1.0] for key in TWO_FIGURES}
    assert check_baskets(observed(changed, empty), changed) == []


def test_a_definition_that_cannot_be_linked_is_a_finding(agreement: Agreement) -> None:
    changed = with_basket(
        agreement, ROADS | {("Leicestershire", "N10-invoices"): ("1", "", "points")}
    )
    figures = MONEY | {
        OLD: [16, 14, None],
        NEW: [None, None, 19],
        ("N10-invoices", "Leicestershire"): [80, 81, 82],
    }
    [found] = check_baskets(observed(changed, figures), changed)
    assert "no year was counted both ways" in found.expected
    assert (found.measure, found.period) == ("N10-road-condition", "2004/05")


def test_councils_figures_are_not_added_up_to_the_countys(loaded: tuple) -> None:
    """The seven districts' budgets are all there, and are not the county council's."""
    observations, findings = loaded
    budgets = observations[observations["measure"] == "N10-budget"]
    assert budgets.groupby("period")["area"].nunique().eq(8).all()
    assert not [one for one in findings if one.measure == "N10-budget"]


# Pages.


def test_a_made_up_basket_is_no_published_figure(report_of: Callable[[str], Report]) -> None:
    text = library.context_table(report_of("2006-07 Q3"), "N10").text
    assert text == "No published figures that bear on N10 were known by 14 February 2007."


def test_the_words_come_from_the_numbers(report_of: Callable[[str], Report]) -> None:
    words = library.effectiveness_words(report_of("2006-07 Q3")).text
    assert words.startswith("In 2005/06 the 8 components together stood at 106.9, where 2002/03 is")
    assert "Points gained: 6.9; the target asks for 7.5 to be gained by 2005/06." in words
    assert "performance less cost, it is 7.4." in words
    assert "The index that was returned for 2005/06, 106.9, is the same." in words
    assert "lowest Oadby and Wigston 92, and 2 components below 100." in words
    assert words.endswith("The figures are illustrative.")
    early = library.effectiveness_words(report_of("2005-06 Q1")).text
    assert "For 2004/05 there is no index yet: 8 components lack something." in early
    assert library.effectiveness_words(report_of("2003-04 Q2")).text.startswith(
        "No year after 2002/03 has ended yet."
    )
    assert "has not ended" in library.effectiveness_words(report_of("2002-03 Q1")).text


def test_a_loss_is_called_one(agreement: Agreement) -> None:
    figures = TWO_FIGURES | {("N10", "Leicestershire"): [100, 96]}
    words = effectiveness_sentences(make(agreement, TWO, figures), agreement.measures.loc["N10"])
    # 97.6875 over 102.5 is 95.3.
    assert "Points lost: 4.7; the target asks for 7.5 to be gained by 2005/06." in words
    assert "performance less cost, it is −4.8." in words
    assert "returned for 2003/04, 96, is another one: the page on data quality says" in words
    assert "Highest stands Blaby 101.6, lowest Melton 93, and 1 component below 100." in words


def test_the_tables_show_the_numbers(report_of: Callable[[str], Report]) -> None:
    report = report_of("2006-07 Q3")
    lines = library.effectiveness_table(report).text.splitlines()
    assert lines[0].endswith("2002/03 = 100 (illustrative)")
    assert len(lines) == 2 + 9
    assert lines[-1].split("\t") == [
        "All together",
        "100.0%",
        "105.2",
        "109.6",
        "114.4",
        "103.4",
        "105",
        "107",
        "101.7",
        "104.4",
        "106.9",
    ]
    county = library.basket_contributions_table(report, "Leicestershire").text.splitlines()
    points = [line.split("\t")[6] for line in county[2:]]
    numbers = [float(text.replace("−", "-")) for text in points]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.03)
    assert "more by 6.5 in the mean of 2004/05, and linked" in county[3]
    assert len(library.basket_contributions_table(report).text.splitlines()) == 2 + 32
    assert "Melton\t2005/06\t6.5\t6.0\t103.5" in library.budgets_table(report).text
    with pytest.raises(KeyError, match="no component 'Meltn'; the baskets have Leicestershire, B"):
        library.basket_contributions_table(report, "Meltn")
    lacking = library.effectiveness_table(report_of("2005-06 Q1")).text
    assert "Melton\t1.2%\t101.1\t101.7\t100.8\t–\t100.4\t–\tnet budget (2004/05: no" in lacking


@pytest.mark.parametrize(
    "period", ["2002-03 Q1", "2002-03 Q4", "2003-04 Q2", "2004-05 Q3", "2005-06 Q1", "2006-07 Q3"]
)
def test_every_period_can_be_shown(report_of: Callable[[str], Report], period: str) -> None:
    report = report_of(period)
    for made in (
        library.effectiveness_table(report),
        library.basket_contributions_table(report),
        library.basket_contributions_table(report, "Melton"),
        library.budgets_table(report),
    ):
        parsed = Tags(made.html)
        heads = [attributes for tag, attributes in parsed.tags if tag == "th"]
        assert all(one.get("scope") in ("col", "row") for one in heads)
        assert "nan" not in made.text
    assert library.effectiveness_words(report).text.endswith(".")
    for draw in (library.effectiveness_chart, library.basket_contributions_chart):
        first, second = draw(report), draw(report)
        assert first.svg == second.svg
        assert len(first.alt) > 40
        ET.fromstring(first.svg)


def test_the_charts_carry_their_words_and_numbers(report_of: Callable[[str], Report]) -> None:
    report = report_of("2006-07 Q3")
    line = library.effectiveness_chart(report)
    assert line.data["together"].tolist() == report.effectiveness.overall["ratio"].tolist()
    assert "2002/03 to 2005/06: 100, 101.7, 104.4 and 106.9." in line.alt
    assert "in 2005/06 from Oadby and Wigston, 92, to North West Leicestershire, 114.1." in line.alt
    assert "107.5 by 2005/06; 106, assumed, was expected without the agreement." in line.alt
    drawn = "".join(ET.fromstring(line.svg).itertext())
    assert "Without 106 [a]" in drawn
    assert "All together 106.9" in drawn
    bars = library.basket_contributions_chart(report)
    assert bars.data["component"].iloc[-1] == "All together"
    assert (bars.data["from_performance"] + bars.data["from_cost"]).to_numpy() == pytest.approx(
        bars.data["ratio"].to_numpy() - 100
    )
    assert "Oadby and Wigston: −2.2 from performance, −5.9 from cost, −8.0 together" in bars.alt
    assert "−8.0" in "".join(ET.fromstring(bars.svg).itertext())
    assert bars.alt.endswith("Illustrative figures.")
