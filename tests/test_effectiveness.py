"""Cost-effectiveness: worked by hand, indifferent to units, and honest about gaps."""

import dataclasses
from datetime import date
from fractions import Fraction
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from builders import ReportOf, observed, psa

import psa_analysis as library
from psa_analysis.analysis.effectiveness import CostEffectiveness, check_baskets, cost_effectiveness
from psa_analysis.analysis.readings import make_readings
from psa_analysis.periods import FREQUENCIES
from psa_analysis.pipeline import ROOT, open_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.show.effectiveness import effectiveness_sentences

YEARS = ["2002/03", "2003/04", "2004/05", "2005/06"]
END, NAN = date(2006, 12, 31), float("nan")
#: Figures from 2002/03 on, by measure and area; None where there is none.
Figures = dict[tuple[str, str], list[float | None]]
#: A basket: weight, polarity, change, by component and indicator.
Basket = dict[tuple[str, str], tuple[str, str, str]]
DEFLATOR = ("N10-deflator", "United Kingdom")
near = partial(pytest.approx, rel=1e-9, abs=1e-9)


def yearly(agreement: Agreement, figures: Figures) -> pd.DataFrame:
    """Observations of years."""
    kinds = agreement.measures["frequency"].map(lambda name: FREQUENCIES[name].kind)
    return pd.concat(
        observed(measure, values, kind=kinds[measure], area=area)
        for (measure, area), values in figures.items()
    )


def with_basket(agreement: Agreement, basket: Basket, by: str = "net budget") -> Agreement:
    rows = [(*key, Fraction(weight), *how, "no") for key, (weight, *how) in basket.items()]
    columns = ["component", "indicator", "weight", "polarity", "change", "illustrative"]
    numbers = pd.RangeIndex(2, len(rows) + 2, name="row")
    baskets = pd.DataFrame(rows, columns=columns, index=numbers)
    assert agreement.settings.effectiveness is not None
    section = agreement.settings.effectiveness.model_copy(update={"components": by})
    changed = agreement.settings.model_copy(update={"effectiveness": section})
    return dataclasses.replace(agreement, baskets=baskets, settings=changed)


def indices_of(
    agreement: Agreement, basket: Basket, figures: Figures, by: str = "net budget"
) -> CostEffectiveness:
    changed = with_basket(agreement, basket, by)
    return cost_effectiveness(make_readings(yearly(changed, figures), changed), changed, END)


def row(table: pd.DataFrame, year: str, component: str | None = None) -> pd.Series:
    rows = table[table["year"] == year]
    rows = rows if component is None else rows[rows["component"] == component]
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
INVOICES, DAYS = ("N10-invoices", "Blaby"), ("N10-benefit-days", "Blaby")
# Melton beside it: 70 to 63 is worse by 7 points, and it spends as before.
TWO: Basket = ONE | {("Melton", "N10-planning"): ("2", "", "points")}
TWO_FIGURES: Figures = ONE_FIGURES | {
    ("N10-planning", "Melton"): [70, 63],
    ("N10-budget", "Melton"): [30, 30.6],
}


def test_one_component_worked_by_hand(agreement: Agreement) -> None:
    indices = indices_of(agreement, ONE, ONE_FIGURES)
    added = indices.indicators[indices.indicators["year"] == "2003/04"]["contribution"]
    # 100 x 3/4 x 6/40 and 100 x 1/4 x 2/100.
    assert added.tolist() == near([11.25, 0.5])
    blaby = row(indices.components, "2003/04", "Blaby")
    # 11.22 at prices that rose by 2 % is 11 at those of the first year.
    figures = blaby[["performance", "cost", "ratio"]].tolist()
    assert figures == near([111.75, 110, 11175 / 110])
    start = row(indices.overall, "2002/03")
    assert start[["performance", "cost", "ratio"]].tolist() == [100, 100, 100]


def test_all_together_by_net_budget_or_equally(agreement: Agreement) -> None:
    """10 and 30 million at the start, so a quarter and three quarters; or half and half."""
    # The real budgets together rise from 40 to 11 + 30 = 41.
    performance, cost = (111.75 + 3 * 93) / 4, 102.5
    expected = [performance, cost, 100 * performance / cost]
    # In thousands of pounds, another deflator's scale, and weights seven times as large.
    heavier = {key: (f"{int(weight) * 7}", *rest) for key, (weight, *rest) in TWO.items()}
    scaled: Figures = TWO_FIGURES | {DEFLATOR: [1, 1.02]}
    scaled |= {("N10-budget", "Blaby"): [10000, 11220], ("N10-budget", "Melton"): [30000, 30600]}
    for basket, figures in ((TWO, TWO_FIGURES), (heavier, scaled)):
        together = row(indices_of(agreement, basket, figures).overall, "2003/04")
        assert together[["performance", "cost", "ratio"]].tolist() == near(expected)
    equal = row(indices_of(agreement, TWO, TWO_FIGURES, "equal").overall, "2003/04")
    assert equal[["performance", "cost"]].tolist() == near([(111.75 + 93) / 2, 105])
    # A basket may turn an indicator's polarity: those 7 points are then for the better.
    turned = TWO | {("Melton", "N10-planning"): ("2", "lower", "points")}
    components = indices_of(agreement, turned, TWO_FIGURES).components
    assert row(components, "2003/04", "Melton")["performance"] == near(107)


def test_in_points_a_baseline_of_0_is_as_good_as_any_other(agreement: Agreement) -> None:
    components = indices_of(agreement, ONE, ONE_FIGURES | {INVOICES: [0, 5]}).components
    # 11.25 as before, and 100 x 1/4 x 5/100.
    assert row(components, "2003/04", "Blaby")["performance"] == near(112.5)


@pytest.mark.parametrize(
    ("key", "values", "performance", "missing"),
    [
        (INVOICES, [90, None], False, "Invoices paid on time (2003/04: no fig"),
        (INVOICES, [None, 9], False, "Invoices paid on time (2002/03: no fig"),
        (DAYS, [0, 34], False, "(2002/03: a figure above 0 is needed)"),
        (("N10-budget", "Blaby"), [10, 0], True, "net budget (2003/04: a figure above 0 is "),
        (DEFLATOR, [100, None], True, "deflator (2003/04: no figure)"),
    ],
)
def test_what_is_missing_is_named_and_never_left_out(
    agreement: Agreement, key: tuple, values: list, performance: bool, missing: str
) -> None:
    indices = indices_of(agreement, TWO, TWO_FIGURES | {key: values})
    blaby = row(indices.components, "2003/04", "Blaby")
    assert missing in blaby["missing"]
    assert pd.notna(blaby["performance"]) == performance
    assert pd.isna(blaby["ratio"])
    together = row(indices.overall, "2003/04")
    assert pd.isna(together["ratio"])
    assert together["missing"] == ("Blaby; Melton" if key == DEFLATOR else "Blaby")
    melton = row(indices.components, "2003/04", "Melton")
    assert (melton["performance"], melton["missing"] == "") == (93, key != DEFLATOR)


# Definitions that change midway: the agreed one is N10-road-condition.
ROADS: Basket = {("Leicestershire", "N10-road-condition"): ("1", "", "points")}
MONEY: Figures = {("N10-budget", "Leicestershire"): [100, 100, 100, 100], DEFLATOR: [1, 1, 1, 1]}
OLD, NEW = ("N10-road-condition", "Leicestershire"), ("N10-road-condition-new", "Leicestershire")


@pytest.mark.parametrize(
    ("first", "second", "third", "counted", "linked"),
    [
        # A gap before its last figure is a gap, and the new definition does not fill it.
        ([16, None, 12, 10], [22, 20, 18, 16], [None], [16, NAN, 12, 10], 0),
        # It finds 6 more in one year and 7 in the other: 6.5 in the mean.
        ([16, 14, 12, None], [None, 20, 19, 15.5], [None], [16, 14, 12, 9], 1),
        # Before the second year was known, only the first one links them.
        ([16, 14], [None, 20, 19], [None], [16, 14, 13, NAN], 1),
        # The second finds 6 more than the first, and a third 10 fewer than the second.
        ([16, 14, None, None], [None, 20, 18, None], [None, None, 8, 5], [16, 14, 12, 9], 2),
    ],
)
def test_a_new_definition_is_linked_by_the_years_that_have_both(
    agreement: Agreement, first: list, second: list, third: list, counted: list, linked: int
) -> None:
    measure = agreement.measures.loc[[NEW[0]]].rename(index={NEW[0]: "N10-third"})
    measures = pd.concat([agreement.measures, measure.assign(continues=NEW[0])])
    changed = dataclasses.replace(agreement, measures=measures)
    figures = MONEY | {OLD: first, NEW: second, ("N10-third", "Leicestershire"): third}
    rows = indices_of(changed, ROADS, figures).indicators.set_index("year")
    assert rows["figure"].tolist() == near(counted, nan_ok=True)
    assert (rows["definition"] != "").sum() == linked
    words = "counted as N10-road-condition-new, moved by -6.5, the mean difference in 2003/04 and"
    assert rows.at["2005/06", "definition"].startswith(words) == (15.5 in second)


def test_quarters_and_school_years_belong_to_their_financial_year(agreement: Agreement) -> None:
    """N7-treatment is quarterly, its last quarter counts; summer 2004 belongs to 2003/04."""
    treatment, exams = ("Blaby", "N7-treatment"), ("Blaby", "N2")
    changed = with_basket(agreement, {treatment: ("1", "", "relative"), exams: ("1", "", "points")})
    figures: Figures = {("N2", "Blaby"): [50, 54], ("N10-budget", "Blaby"): [1, 1]}
    values = [None, None, 90, 100, None, None, None, 110, 500]
    quarters = observed("N7-treatment", values, area="Blaby")
    years = yearly(changed, figures | {DEFLATOR: [1, 1]})
    counted = make_readings(pd.concat([years, quarters], ignore_index=True), changed)
    indices = cost_effectiveness(counted, changed, END)
    # Half of 10 per cent, and half of 4 points.
    assert row(indices.components, "2003/04")["performance"] == near(100 + 5 + 2)
    # A first quarter is no year.
    missing = indices.indicators.set_index(["indicator", "year"])["missing"]
    assert missing["N7-treatment", "2004/05"] == "2004/05: no figure"
    # The school year 2003/04 ends in August 2004.
    early = cost_effectiveness(counted, changed, date(2004, 6, 30))
    assert row(early.components, "2003/04")["missing"].startswith("Five or more GCSEs")


@pytest.mark.parametrize(
    ("measure", "year", "changed"),
    [
        ("N10-planning", "2003/04", ["Melton"]),
        ("N10-invoices", "2002/03", ["Blaby"]),
        ("N10-deflator", "2003/04", ["Blaby", "Melton"]),
    ],
)
def test_illustrative_figures_are_passed_on(
    agreement: Agreement, measure: str, year: str, changed: list[str]
) -> None:
    register = with_basket(agreement, TWO)
    frame = yearly(register, TWO_FIGURES).reset_index(drop=True)
    weak = (frame["measure"] == measure) & (frame["period"] == year)
    frame.loc[weak, "illustrative"] = True
    indices = cost_effectiveness(make_readings(frame, register), register, END)
    rows = indices.components[indices.components["year"] == "2003/04"]
    assert rows.loc[rows["illustrative"], "component"].tolist() == changed
    assert row(indices.overall, "2003/04")["illustrative"]


def test_a_report_knows_only_what_had_come_in(report_of: ReportOf) -> None:
    """Indicators come in July, budgets at the end of September, half a year after the year."""
    before = report_of("2004-05 Q1").effectiveness
    assert before.components["performance"].notna().all()
    assert row(before.overall, "2003/04")["missing"].count(";") == 7
    assert pd.isna(row(before.overall, "2003/04")["ratio"])
    after = report_of("2004-05 Q2").effectiveness
    assert row(after.overall, "2003/04")["missing"] == ""
    years = [report_of(period).effectiveness.years for period in ("2002-03 Q3", "2008-09 Q4")]
    assert years == [(), tuple(YEARS)]


def test_the_shipped_baskets_are_illustrative_and_give_the_returned_index(
    agreement: Agreement, report_of: ReportOf
) -> None:
    assert (agreement.baskets["illustrative"] == "yes").all()
    overall = report_of("2006-07 Q3").effectiveness.overall
    assert overall["returned"].notna().sum() == 4
    assert (overall["ratio"] - overall["returned"]).abs().max() <= 0.05
    assert overall["illustrative"].all()
    documented = (ROOT / "docs" / "effectiveness.md").read_text()
    indices = overall.iloc[-1][["performance", "cost", "ratio"]]
    assert f"| as here | {' | '.join(f'{value:.2f}' for value in indices)} |" in documented


def test_a_council_without_baskets_is_no_error(tmp_path: Path) -> None:
    psa("new", str(tmp_path / "other"))
    report = open_report("2005-06 Q3", str(tmp_path / "other"))
    assert (report.effectiveness.years, report.effectiveness.latest) == ((), "")
    view = library.cost_effectiveness(report)
    assert view.reason.startswith("The register has no baskets, so ")


@pytest.mark.parametrize(
    ("basket", "changed", "places", "words"),
    [
        # The index that was returned is another than the baskets', by more than its last decimal.
        (TWO, {("N10", "Leicestershire"): [100, 95.35]}, [], ""),
        (TWO, {("N10", "Leicestershire"): [100, 95.4]}, [("N10", 1, "2003/04")], "95.30"),
        (TWO, {INVOICES: [90, None]}, [("N10-invoices", 3, "2003/04")], "figure of Blaby"),
        # A baseline that cannot be used is a finding once, of the baseline.
        (TWO, {DAYS: [0, 34]}, [("N10-benefit-days", 2, "2002/03")], "above 0 is needed"),
        # Nothing of the year, or of the baseline year, has come in yet: that is late, no finding.
        (TWO, {("N10-planning", "Melton"): [70, None]}, [], ""),
        (TWO, {key: [None, 1.0] for key in TWO_FIGURES}, [], ""),
        # A new definition without a year of both.
        (
            ROADS | {("Leicestershire", "N10-invoices"): ("1", "", "points")},
            {OLD: [16, 14, None], NEW: [None, None, 19], (INVOICES[0], OLD[1]): [80, 81, 82]},
            [("N10-road-condition", 2, "2004/05")],
            "no year was counted both ways",
        ),
    ],
)
def test_gaps_and_another_returned_index_are_findings(
    agreement: Agreement, basket: Basket, changed: Figures, places: list, words: str
) -> None:
    register = with_basket(agreement, basket)
    findings = check_baskets(yearly(register, MONEY | TWO_FIGURES | changed), register)
    assert [(each.measure, each.row, each.figures[0][1]) for each in findings] == places
    assert all(words in each.expected for each in findings)


def test_another_index_that_was_returned_is_said(agreement: Agreement) -> None:
    figures = TWO_FIGURES | {("N10", "Leicestershire"): [100, 96]}
    words = effectiveness_sentences(indices_of(agreement, TWO, figures))
    # 97.6875 over 102.5 is 95.3.
    assert "the 2 components together stood at 95.3 (2002/03 is 100)" in words
    assert "performance 97.7 over real cost 102.5. The index that was returned is 96." in words


@pytest.mark.parametrize(
    ("period", "words"),
    [
        ("2002-03 Q1", "has not ended"),
        ("2002-03 Q4", "No year after 2002/03 has ended yet."),
        ("2005-06 Q1", "For 2004/05 there is no index yet: figures of 8 components are missing."),
    ],
)
def test_every_period_can_be_shown(report_of: ReportOf, period: str, words: str) -> None:
    report = report_of(period)
    view = library.cost_effectiveness(report)
    assert words in view.words.text
    if view.reason:
        return
    assert "nan" not in view.table.text
    if period == "2005-06 Q1":
        assert "Melton\t2003/04\t1.2%\t" in view.table.text
        assert "\t93.8\t–\t–\tnet budget (2004/05: no figure)" in view.table.text
