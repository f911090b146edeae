"""Families: known answers for places, quartiles and limits; what is said where little is known."""

import dataclasses
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import Edit, ReportOf, drawn_text, observed, with_measure
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, poisson

import psa_analysis as psa
from psa_analysis.analysis import families
from psa_analysis.analysis.families import Family, edge_outlook, quartile, quartile_edges
from psa_analysis.analysis.forecast import forecast_series
from psa_analysis.findings import DataError
from psa_analysis.register.agreement import Agreement, family_areas
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.families import family_of

NEIGHBOURS = "East Midlands authorities"
MADE_UP = "illustrative family"
AREAS = [
    *("Leicestershire", "Derby", "Derbyshire", "Leicester", "Lincolnshire", "Northamptonshire"),
    *("Nottingham", "Nottinghamshire", "Rutland"),
]
MakeFamily = Callable[..., Family]
ReportWith = Callable[[pd.DataFrame], Report]
AGREED_UNTIL = date(2006, 3, 31)

figures_of_a_family = st.lists(st.integers(0, 50), min_size=4, max_size=20)


def test_edges_by_definition_7() -> None:
    # The point (n - 1) p, from 0. Nine figures: points 6, 4 and 2.
    assert quartile_edges(range(1, 10), False) == (3, 5, 7)
    # Ten: points 6.75, 4.5 and 2.25, so 7 + 0.75, 5 + 0.5 and 3 + 0.25.
    assert quartile_edges(range(1, 11), True) == (7.75, 5.5, 3.25)
    # Eight, sorted 2 4 4 5 7 8 9 12: points 5.25 (8 + 0.25 x 1), 3.5 (5 + 0.5 x 2), 1.75 (4).
    assert quartile_edges([12, 4, 7, 2, 9, 4, 8, 5], True) == (8.25, 6, 4)


def test_a_figure_on_an_edge_is_on_its_better_side() -> None:
    nine = list(range(1, 10))
    assert [quartile(figure, nine, True) for figure in nine] == [4, 4, 3, 3, 2, 2, 1, 1, 1]
    assert [quartile(figure, nine, False) for figure in nine] == [1, 1, 1, 2, 2, 3, 3, 4, 4]
    # Edges that only rounding keeps from the figure: 0.1 + 0.2 is not 0.3.
    assert quartile(0.3, [0.1 + 0.2] * 4, True) == 1
    assert quartile(0.1 + 0.2, [0.3] * 4, False) == 1


@given(figures_of_a_family)
def test_lower_is_better_is_the_mirror_image(figures: list[int]) -> None:
    mirrored = [-figure for figure in figures]
    for figure in figures:
        assert quartile(figure, figures, True) == quartile(-figure, mirrored, False)
    quartiles = [quartile(figure, figures, True) for figure in sorted(figures, reverse=True)]
    # At least a quarter is in the top quartile; better places never have worse quartiles.
    assert 4 * quartiles.count(1) >= len(figures)
    assert sorted(quartiles) == quartiles


def sent(measure: str, figures: dict[str, list[float | None]], **columns: object) -> pd.DataFrame:
    """Readings of a family: yearly figures of each area from 2000/01 on."""
    frames = [
        observed(measure, values, 2000, "financial_year", area) for area, values in figures.items()
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.assign(reading=frame["value"], observed=frame["value"], missing="")
    return frame.assign(**({"lower": np.nan, "upper": np.nan} | columns))


def one_year(*values: float | None) -> dict[str, list[float | None]]:
    """One year's figures of the East Midlands authorities, the agreement's own first."""
    return {area: [value] for area, value in zip(AREAS, values, strict=False)}


def climbing(start: float) -> list[float | None]:
    return [start + year for year in range(5)]


CLIMBERS = {area: climbing(30 + number) for number, area in enumerate(AREAS)}


@pytest.fixture
def family(agreement: Agreement) -> MakeFamily:
    """A family from its readings."""

    def members(
        readings: pd.DataFrame, areas: list[str] = AREAS, agreement: Agreement = agreement
    ) -> Family:
        measure = agreement.measures.loc[readings["measure"].iloc[0]]
        figures = families.family_figures(readings, measure, areas, date(2012, 3, 31))
        return Family("a family", areas, measure, figures)

    return members


@pytest.fixture
def reported(report: Report) -> ReportWith:
    """The report with the readings of a family in place of its own."""
    return lambda readings: dataclasses.replace(report, readings=readings)


def test_published_figures_of_the_neighbours(report_of: ReportOf) -> None:
    """Key stage 2 mathematics, East Midlands, as printed in key_stages.csv.

    2004/05: 67 67 73 75 75 76 77 77 82, of nine the third best is the edge. 2006/07: 70 72 72 77
    78 78 79 80 83, with Leicestershire on it. 2009/10: 74 76 76 78 81 81 83 83 without Rutland, of
    eight point 5.25.
    """
    table = family_of(report_of("2012-13 Q3"), "L1-ks2-maths4", NEIGHBOURS).standings.set_index(
        "period"
    )
    columns = ["figure", "place", "ranked", "quartile", "edge", "inside"]
    assert table.loc["2004/05", columns].tolist() == [75, 5, 9, 2, 77, -2]
    assert table.loc["2006/07", columns].tolist() == [79, 3, 9, 1, 79, 0]
    assert table.loc["2009/10", columns].tolist() == [81, 3, 8, 2, 81.5, -0.5]
    assert not table["illustrative"].any()


def test_nothing_is_known_before_it_was_published(report: Report) -> None:
    names = (report, "L1-ks2-maths4", NEIGHBOURS)
    assert family_of(*names).standings.empty
    few = f"Too few figures of the {NEIGHBOURS} had come in by 14 February 2005"
    assert psa.family(*names).words.text.startswith(few)
    assert "too few figures with numerator" in psa.funnel(*names).reason


HIGHEST_FIRST = f"family: {NEIGHBOURS}; highest first"
RANK = {"basis": "rank", "polarity": "lower", "comparator": HIGHEST_FIRST}


@pytest.mark.parametrize(
    ("measure", "changes", "values", "expected"),
    [
        # Sorted 30 40 50 60 70 70 70 80 90: the edge is the seventh; equals share the better place.
        ("L7-family", {}, (70, 90, 80, 70, 70, 60, 50, 40, 30), (3, 1, 70, 0)),
        # Absence, where lower is better: the third lowest is the edge.
        ("N6-absence", {}, (45, 10, 20, 30, 40, 50, 60, 70, 80), (5, 2, 30, -15)),
        # Of a rank the figures behind it count, the highest first.
        ("L7-family", RANK, (70, 90, 80, 71, 60, 50, 40, 30, 20), (4, 2, 71, -1)),
    ],
)
def test_the_standing_of_one_year(family, agreement, measure, changes, values, expected) -> None:
    readings = sent(measure, one_year(*values))
    if changes:
        readings["reading"] = 4.0
    members = family(readings, agreement=with_measure(agreement, measure, **changes))
    row = members.standings.iloc[0]
    assert tuple(row[["place", "quartile", "edge", "inside"]]) == expected
    assert members.unit == ("" if changes else "percent")


@pytest.mark.parametrize(
    ("members", "values", "edges"),
    [
        (9, (70, 90, 80, 60), []),
        # Exactly half is enough. 0 1 2 3: point 2.25.
        (8, (0, 1, 2, 3), [2.25]),
        (4, (0, 1, 2), []),
    ],
)
def test_too_few_figures_make_no_quartile(family, members, values, edges) -> None:
    few = family(sent("L7-family", one_year(*values)), AREAS[:members])
    assert few.standings["edge"].tolist() == edges


def test_a_year_that_has_not_ended_is_not_looked_at(reported: ReportWith) -> None:
    """A report of December 2004 has a year to March 2005 only as a forecast."""
    early = reported(sent("L7-family", CLIMBERS))
    assert early.readings["period"].max() == "2004/05"
    assert family_of(early, "L7-family", NEIGHBOURS).standings["period"].iloc[-1] == "2003/04"
    outlook = edge_outlook(family_of(early, "L7-family", NEIGHBOURS), AGREED_UNTIL)
    assert [period.label for period in outlook.edge.periods] == ["2004/05", "2005/06"]


def test_doubtful_figures_are_left_out_and_named(reported: ReportWith) -> None:
    readings = sent("L7-family", one_year(70, 90, 80, 60, 50, 40, 70, 20, 10)).set_index("area")
    readings.loc["Derby", "flag"] = "estimated"
    readings.loc["Rutland", ["flag", "reading", "missing"]] = "suppressed", np.nan, "suppressed"
    readings.loc["Leicester", "flag"] = "provisional"
    names = reported(readings.reset_index()), "L7-family", NEIGHBOURS
    row = family_of(*names).standings.iloc[0]
    # 20 40 50 60 70 70 80: point 4.5; the provisional figure counts.
    assert (row["ranked"], row["place"], row["edge"]) == (7, 2, 70)
    text = psa.family(*names).table.text
    assert "Leicestershire\t2 =\t70%\ttop\t0.0" in text
    assert "Lincolnshire\t5\t50%\tthird\t−20.0" in text
    assert "Derby\tleft out: estimated\t90%" in text
    assert "Rutland\tleft out: suppressed\t–" in text


def test_without_an_own_figure_there_is_an_edge_and_no_place(reported: ReportWith) -> None:
    readings = sent("L7-family", one_year(None, 90, 80, 70, 60, 50, 40, 30, 20))
    names = reported(readings), "L7-family", NEIGHBOURS
    row = family_of(*names).standings.iloc[0]
    # Of eight: point 5.25.
    assert row["edge"] == 72.5
    assert pd.isna(row["place"])
    why = "Leicestershire has no figure for 2000/01 that counts. The top quartile begins at 72.5%."
    assert psa.family(*names).words.text.startswith(why)
    readings = sent("L7-family", one_year(10, 90, 80, 70, 60, 50, 40, 30, 20))
    readings.loc[readings["area"] == "Leicestershire", "flag"] = "estimated"
    assert why in psa.family(reported(readings), *names[1:]).words.text


def test_a_caveat_where_chance_may_put_it_on_either_side(reported: ReportWith) -> None:
    """Of nine the third best, 75, is the edge."""
    figures = one_year(70, 90, 80, 75, 60, 50, 40, 30, 20)
    for lower, upper, spans in ((60.0, 78.0, True), (66.0, 74.0, False)):
        changed = reported(sent("N7-family", figures, lower=lower, upper=upper))
        words = psa.family(changed, "N7-family", NEIGHBOURS).words.text
        assert ("Chance alone could put Leicestershire on either side" in words) == spans


def test_a_report_has_one_forecast_of_its_own_figure(family: MakeFamily) -> None:
    readings = sent("L7-family", CLIMBERS)
    alone = edge_outlook(family(readings), AGREED_UNTIL)
    draws = np.random.default_rng(3).normal(55, 2, alone.own.draws.shape)
    own = dataclasses.replace(alone.own, draws=draws)
    beside = edge_outlook(family(readings), AGREED_UNTIL, own)
    pd.testing.assert_series_equal(beside.own.due, own.due)
    # It still moves with the others, as what the family shares moves all of them.
    order = [
        np.corrcoef(one.own.draws[:, -1], one.edge.draws[:, -1])[0, 1] for one in (alone, beside)
    ]
    assert order[0] > 0.1
    assert order[1] == pytest.approx(order[0], abs=0.1)


def test_the_chance_is_that_of_an_independent_simulation(family: MakeFamily) -> None:
    """Other draws, and the edge read off sorted figures by hand."""
    wave = np.array([0, 2, -1, 3, 1])
    series = [list(40 + 0.8 * number + wave * (1 + number / 8)) for number in range(9)]
    readings = sent("L7-family", dict(zip(AREAS, reversed(series), strict=True)))
    outlook = edge_outlook(family(readings), AGREED_UNTIL)
    panel = np.array(series)[::-1]
    drawn = forecast_series(panel, 1, "percent").paths(20_000, 11)[:, :, 0]
    # Of nine the third best: at least six of the others are no better.
    chance = ((drawn[0] >= drawn).sum(axis=0) >= 7).mean()
    assert 0.5 < chance < 0.95
    assert outlook.chance == pytest.approx(chance, abs=0.02)
    third = np.sort(drawn, axis=0)[6]
    assert outlook.edge.due["median"] == pytest.approx(np.median(third), abs=0.1)
    assert outlook.edge.due[["low_80", "high_80"]].tolist() == pytest.approx(
        np.quantile(third, [0.1, 0.9]), abs=0.2
    )


def test_the_best_stays_in_and_the_worst_stays_out(family: MakeFamily) -> None:
    """Absence, where lower is better."""
    for first, chance in ((5, 1), (80, 0)):
        readings = sent("N6-absence", CLIMBERS | {AREAS[0]: climbing(first)})
        outlook = edge_outlook(family(readings), AGREED_UNTIL)
        assert outlook.chance == pytest.approx(chance, abs=0.01)
        # The others reach 36 to 43: the edge is near their better end.
        assert outlook.edge.due["median"] < 40


def test_why_there_is_no_forecast_of_the_edge(family: MakeFamily, report_of) -> None:
    late = sent("L7-family", CLIMBERS | {"Rutland": [None, None, None, 40.0, 41.0]})
    few = {area: [40.0, 41.0] for area in AREAS}
    for figures in (few, CLIMBERS | {AREAS[0]: [40.0]}):
        outlook = edge_outlook(family(sent("L7-family", figures)), AGREED_UNTIL)
        assert outlook.reason == "too few have the 3 figures that it needs"
    known = edge_outlook(family(late), date(2005, 3, 31))
    assert known.reason == "figures for 2004/05 have come in"
    # What a forecast is made without is said.
    report = report_of("2005-06 Q1")
    changed = dataclasses.replace(report, readings=late)
    words = psa.family(changed, "L7-family", NEIGHBOURS).words.text
    assert "Too few figures to be in the forecast: Rutland." in words
    quarterly = edge_outlook(family_of(report, "L7", NEIGHBOURS), AGREED_UNTIL)
    assert quarterly.reason == "only yearly figures of a family are forecast"


def test_a_mistyped_name_raises(report: Report) -> None:
    with pytest.raises(KeyError, match="no family 'East Midlands'; the register has East Mid"):
        family_of(report, "L7-family", "East Midlands")
    with pytest.raises(KeyError, match="no measure 'L7-familly'"):
        family_of(report, "L7-familly", MADE_UP)


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.sampled_from([0.95, 0.998]))
def test_figures_are_beyond_limits_exactly_if_their_tail_is(cases, share, confidence) -> None:
    counts, tail = np.arange(cases + 1), (1 - confidence) / 2
    shares, rates = binom(cases, share), poisson(cases * share)
    for is_share, chances in ((True, shares), (False, rates)):
        limits = families.funnel_limits(share, cases, confidence, is_share)
        low, high = (limit * cases for limit in limits)
        below, above = chances.cdf(counts), chances.sf(counts - 1)
        # Tails that are the limit's own to the last digits may fall on either side.
        sure = (np.abs(below - tail) > 1e-9) & (np.abs(above - tail) > 1e-9)
        sure &= (np.abs(counts - low) > 1e-7) & (np.abs(counts - high) > 1e-7)
        assert ((counts < low) == (below < tail))[sure].all()
        assert ((counts > high) == (above < tail))[sure].all()
    low, high = families.funnel_limits(share, cases, confidence, True)
    mirrored = families.funnel_limits(1 - share, cases, confidence, True)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_what_makes_no_funnel(family: MakeFamily, report: Report) -> None:
    why = "no funnel, since its figures are not shares"
    assert why in psa.funnel(report, "L7-family", MADE_UP).reason
    readings = sent("N7-family", one_year(*[50.0] * 9), numerator=50.0, denominator=100.0)
    same = families.family_funnel(family(readings))
    assert (same.mean, set(same.units["outside"])) == (50, {""})
    changed = dataclasses.replace(report, readings=readings)
    words = psa.funnel(changed, "N7-family", NEIGHBOURS).words.text
    assert " 0 of 9 authorities are beyond" in words
    none = families.family_funnel(family(readings.assign(denominator=np.nan)))
    assert none.reason.startswith("too few figures with numerator")


def test_a_rates_funnel_is_in_its_unit(family: MakeFamily) -> None:
    """Vehicle crimes per 1,000 residents: 1,500 of 100,000 are 15; twice as many are far above."""
    counts = [3000.0, *[1500.0] * 8]
    figures = one_year(*[count / 100 for count in counts])
    readings = sent("N13-rate", figures, numerator=counts, denominator=1e5)
    result = families.family_funnel(family(readings))
    assert result.mean == pytest.approx(1000 * 15_000 / 900_000)
    assert result.units.set_index("area").at["Leicestershire", "outside"] == "above 99.8%"
    # The smallest count with at least 2.5 % below it, of 1,666.7 expected.
    assert np.ceil(result.units["low_95"].iloc[0] * 100) == poisson.ppf(0.025, 15_000 / 9)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("area", "Rutlandshire", "Did you mean 'Rutland'?"),
        ("area", "Derby", "each only once"),
        ("family", "region", "a name that is no kind of area in areas.csv"),
    ],
)
def test_a_broken_family_is_refused_by_row_and_column(council, column, value, words) -> None:
    path = council / "raw" / "register" / "families.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[7, column] = value
    table.to_csv(path, index=False)
    match = rf"families\.csv, row 9, column {column}.*{re.escape(words)}"
    with pytest.raises(DataError, match=match) as refused:
        load_agreement(council)
    assert len(refused.value.findings) == 1


def test_a_rank_may_name_a_family_of_the_register(edit: Edit, council: Path) -> None:
    for column, value in (RANK | {"unit": "place"}).items():
        edit("register/measures.csv", "N7-sustained", column, value)
    assert family_areas(load_agreement(council), NEIGHBOURS) == AREAS
    edit("register/measures.csv", "N7-sustained", "comparator", "family: neighbours; highest first")
    with pytest.raises(DataError, match="a family, or a kind of area: one of East Midlands auth"):
        load_agreement(council)


def test_a_folder_without_families_says_so_plainly(council: Path) -> None:
    for name in ("register/families.csv", "returns/family.csv", "returns/family.csv.toml"):
        (council / "raw" / name).unlink()
    agreement = load_agreement(council)
    with pytest.raises(KeyError, match=f"there is no family '{MADE_UP}'"):
        family_areas(agreement, MADE_UP)
    # A kind of area is a family without that file.
    assert len(family_areas(agreement, "region")) == 10


def test_illustrative_figures_are_marked_wherever_they_are_shown(report: Report) -> None:
    names = report, "N7-family", MADE_UP
    family, funnel = psa.family(*names), psa.funnel(*names)
    shown = [
        part.text.splitlines()[0] for view in (family, funnel) for part in (view.words, view.table)
    ]
    shown += [family.chart.alt, family.chart.table.text.splitlines()[0], funnel.chart.alt]
    assert all("illustrative figures" in text.casefold() for text in shown)
    # What was made up was not published.
    assert "Authority A" not in psa.context(report, "L7").table.text


def test_the_ranked_table_has_every_member_once(report: Report) -> None:
    lines = psa.family(report, "L7-family", MADE_UP).table.text.splitlines()[2:]
    names = [line.split("\t")[0] for line in lines]
    assert sorted(names) == sorted(family_areas(report.agreement, MADE_UP))


def test_the_charts_carry_their_numbers(report: Report) -> None:
    chart = psa.family(report, "L7-family", MADE_UP).chart
    edge = chart.data[chart.data["area"] == "Top quartile"]
    assert f"Top quartile {edge['figure'].iloc[-1]:.1f}%" in drawn_text(chart)
    drawn = drawn_text(psa.funnel(report, "N7-family", MADE_UP).chart)
    assert ("Authority P" in drawn, "Authority A" in drawn) == (True, False)
