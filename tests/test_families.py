"""Families: known answers for places, quartiles and limits; what is said where little is known."""

from __future__ import annotations

import csv
import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, poisson, spearmanr

import psa_analysis as psa
from psa_analysis import families
from psa_analysis.analysis.families import (
    binomial_limits,
    family_figures,
    family_outlook,
    funnel,
    move_together,
    newest_standing,
    place,
    poisson_limits,
    quartile,
    quartile_edges,
    standings,
)
from psa_analysis.analysis.forecast import forecast
from psa_analysis.analysis.readings import READING_COLUMNS
from psa_analysis.findings import DataError
from psa_analysis.periods import parse_period
from psa_analysis.periods import parse_reporting_period as quarter
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.agreement import family_areas
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report

NEIGHBOURS = "East Midlands authorities"
MADE_UP = "illustrative family"
AREAS = [
    "Leicestershire",
    "Derby",
    "Derbyshire",
    "Leicester",
    "Lincolnshire",
    "Northamptonshire",
    "Nottingham",
    "Nottinghamshire",
    "Rutland",
]


figures_of_a_family = st.lists(st.integers(0, 50), min_size=4, max_size=20)


@pytest.mark.parametrize(
    ("figures", "higher", "edges"),
    [
        # Definition 7: point (n - 1) p from 0. Nine figures: points 6, 4 and 2.
        (range(1, 10), True, (7, 5, 3)),
        (range(1, 10), False, (3, 5, 7)),
        # Ten: points 6.75, 4.5 and 2.25, so 7 + 0.75, 5 + 0.5 and 3 + 0.25.
        (range(1, 11), True, (7.75, 5.5, 3.25)),
        # Eight, sorted 2 4 4 5 7 8 9 12: points 5.25 (8 + 0.25 x 1), 3.5 (5 + 0.5 x 2), 1.75 (4).
        ([12, 4, 7, 2, 9, 4, 8, 5], True, (8.25, 6, 4)),
        ([5, 5, 5, 5], True, (5, 5, 5)),
    ],
)
def test_edges_by_definition_7(figures: list, higher: bool, edges: tuple) -> None:
    assert quartile_edges(list(figures), higher) == pytest.approx(edges)


def test_a_figure_on_an_edge_is_on_its_better_side() -> None:
    nine = list(range(1, 10))
    assert [quartile(one, nine, True) for one in nine] == [4, 4, 3, 3, 2, 2, 1, 1, 1]
    assert [quartile(one, nine, False) for one in nine] == [1, 1, 1, 2, 2, 3, 3, 4, 4]
    # Edges that only rounding keeps from the figure: 0.1 + 0.2 is not 0.3.
    assert quartile(0.3, [0.1 + 0.2] * 4, True) == 1
    assert quartile(0.1 + 0.2, [0.3] * 4, False) == 1


@given(figures_of_a_family)
def test_lower_is_better_is_the_mirror_image(figures: list[int]) -> None:
    mirrored = [-one for one in figures]
    for one in figures:
        assert quartile(one, figures, True) == quartile(-one, mirrored, False)
        assert place(one, pd.Series(figures), True) == place(-one, pd.Series(mirrored), False)


@given(figures_of_a_family, st.data())
def test_the_edge_never_falls_when_a_figure_rises(figures: list[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(figures) - 1))
    raised = [one + 7 * (place == number) for place, one in enumerate(figures)]
    for higher in (True, False):
        before, after = quartile_edges(figures, higher), quartile_edges(raised, higher)
        assert all(new >= old - 1e-12 for new, old in zip(after, before, strict=True))
    better = quartile(raised[number], raised, True)
    assert better <= quartile(figures[number], figures, True)


@given(figures_of_a_family)
def test_at_least_a_quarter_is_in_the_top_quartile_and_the_best_always(figures: list[int]) -> None:
    made = [quartile(one, figures, True) for one in figures]
    assert 4 * made.count(1) >= len(figures)
    assert quartile(max(figures), figures, True) == 1
    # Better places never have worse quartiles.
    assert sorted(made) == [quartile(one, figures, True) for one in sorted(figures, reverse=True)]


def made_of(
    report: Report,
    measure: str,
    figures: dict[str, list[float | None]],
    first_year: int = 2000,
    **columns: object,
) -> Report:
    """A report whose only readings are these yearly figures."""
    rows = []
    for area, values in figures.items():
        for number, value in enumerate(values):
            if value is None:
                continue
            year = first_year + number
            period = parse_period(f"{year}/{(year + 1) % 100:02d}")
            rows.append(
                dict.fromkeys(READING_COLUMNS, np.nan)
                | {
                    "measure": measure,
                    "area": area,
                    "period": period.label,
                    "period_end": pd.Timestamp(period.end),
                    "reading": value,
                    "observed": value,
                    "flag": "final",
                    "missing": "",
                    "illustrative": False,
                }
                | columns
            )
    return dataclasses.replace(report, readings=pd.DataFrame(rows, columns=list(READING_COLUMNS)))


def family_of(*values: float | None) -> dict[str, list[float | None]]:
    """One year's figures of the East Midlands authorities, the agreement's own first."""
    return {area: [value] for area, value in zip(AREAS, values, strict=True)}


def one_year(report: Report, *values: float | None, measure: str = "L7-family") -> pd.Series:
    return standings(made_of(report, measure, family_of(*values)), measure, NEIGHBOURS).iloc[0]


def test_published_figures_of_the_neighbours(report_of: Callable[[str], Report]) -> None:
    """Key stage 2 mathematics, East Midlands, as printed in key_stages.csv.

    2004/05: 67 67 73 75 75 76 77 77 82, of nine the third best is the edge. 2006/07: 70 72 72 77
    78 78 79 80 83, with Leicestershire on it. 2009/10: 74 76 76 78 81 81 83 83 without Rutland, of
    eight point 5.25.
    """
    table = standings(report_of("2012-13 Q3"), "L1-ks2-maths4", NEIGHBOURS).set_index("period")
    columns = ["figure", "place", "tied", "ranked", "quartile", "edge", "inside"]
    assert table.loc["2004/05", columns].tolist() == [75, 5, 1, 9, 2, 77, -2]
    assert table.loc["2006/07", columns].tolist() == [79, 3, 0, 9, 1, 79, 0]
    assert table.loc["2009/10", columns].tolist() == [81, 3, 1, 8, 2, 81.5, -0.5]
    assert table.at["2009/10", "missing"] == ("Rutland",)
    assert not table["illustrative"].any()


def test_nothing_is_known_before_it_was_published(report: Report) -> None:
    assert standings(report, "L1-ks2-maths4", NEIGHBOURS).empty
    assert newest_standing(report, "L1-ks2-maths4", NEIGHBOURS) is None
    said = psa.family_words(report, "L1-ks2-maths4", NEIGHBOURS).text
    assert said.startswith(f"Too few figures of the {NEIGHBOURS} had come in by 14 February 2005")
    chart = psa.family_chart(report, "L1-ks2-maths4", NEIGHBOURS)
    assert "too few figures had come in by 14 February 2005" in chart.alt
    assert chart.data.empty
    assert (
        "too few figures were known" in psa.funnel_words(report, "L1-ks2-maths4", NEIGHBOURS).text
    )
    assert psa.standings_table(report, "L1-ks2-maths4", NEIGHBOURS).text.endswith("by year: none.")
    assert "too few" in psa.family_table(report, "L1-ks2-maths4", NEIGHBOURS).text


def test_ties_share_the_better_place(report: Report) -> None:
    row = one_year(report, 70, 90, 80, 70, 70, 60, 50, 40, 30)
    assert (row["place"], row["tied"], row["quartile"]) == (3, 2, 1)
    # Sorted 30 40 50 60 70 70 70 80 90: the edge is the seventh.
    assert (row["edge"], row["inside"]) == (70, 0)
    below = one_year(report, 65, 90, 80, 70, 70, 60, 50, 40, 30)
    assert (below["place"], below["tied"], below["inside"]) == (5, 0, -5)


def test_where_lower_is_better(report: Report) -> None:
    # Absence: sorted 10 20 30 40 50 60 70 80 90, the third lowest is the edge.
    row = one_year(report, 25, 10, 20, 35, 40, 50, 60, 70, 80, measure="N6-absence")
    assert (row["place"], row["quartile"], row["edge"], row["inside"]) == (3, 1, 25, 0)
    row = one_year(report, 45, 10, 20, 30, 40, 50, 60, 70, 80, measure="N6-absence")
    assert (row["place"], row["quartile"], row["edge"], row["inside"]) == (5, 2, 30, -15)


def test_a_rank_is_turned_back_into_its_figures(report: Report) -> None:
    measures = report.agreement.measures.copy()
    changes = {
        "basis": "rank",
        "polarity": "lower",
        "comparator": f"family: {NEIGHBOURS}; highest first",
    }
    for column, value in changes.items():
        measures.loc["L7-family", column] = value
    agreement = dataclasses.replace(report.agreement, measures=measures)
    row = one_year(
        dataclasses.replace(report, agreement=agreement), 70, 90, 80, 71, 60, 50, 40, 30, 20
    )
    assert (row["place"], row["edge"]) == (4, 71)


def test_too_few_figures_make_no_quartile(report: Report) -> None:
    # Five of nine is half or more, four is not.
    five = one_year(report, 70, 90, 80, 60, 50, None, None, None, None)
    # Sorted 50 60 70 80 90: point 3.
    assert (five["edge"], five["place"], five["ranked"], five["family"]) == (80, 3, 5, 9)
    four = one_year(report, 70, 90, 80, 60, None, None, None, None, None)
    assert four["reason"] == "only 4 of 9 figures count, fewer than half"
    assert pd.isna(four["edge"])
    assert pd.isna(four["place"])
    assert four["missing"] == tuple(AREAS[4:])


def test_a_year_that_has_not_ended_is_not_looked_at(report: Report) -> None:
    """A report of December 2004 has a year to March 2005 only as a forecast."""
    made = made_of(report, "L7-family", {area: flat(40, 1) for area in AREAS})
    assert made.readings["period"].max() == "2004/05"
    assert standings(made, "L7-family", NEIGHBOURS)["period"].iloc[-1] == "2003/04"
    ahead = family_outlook(made, "L7-family", NEIGHBOURS).edge.periods
    assert [period.label for period in ahead] == ["2004/05", "2005/06"]


def test_exactly_half_of_a_family_is_enough(report: Report) -> None:
    eight = pd.DataFrame({"family": "eight", "area": AREAS[1:8]})
    agreement = dataclasses.replace(report.agreement, families=eight)
    half: dict[str, list[float | None]] = {area: [number] for number, area in enumerate(AREAS[:4])}
    made = made_of(dataclasses.replace(report, agreement=agreement), "L7-family", half)
    row = standings(made, "L7-family", "eight").iloc[0]
    assert (row["ranked"], row["family"], row["edge"]) == (4, 8, 2.25)


def test_quartiles_need_four_authorities(report: Report) -> None:
    small_family = pd.DataFrame({"family": "small", "area": AREAS[1:4]})
    agreement = dataclasses.replace(report.agreement, families=small_family)
    small = dataclasses.replace(report, agreement=agreement)
    assert family_areas(agreement, "small") == AREAS[:4]
    figures: dict[str, list[float | None]] = {
        area: [number] for number, area in enumerate(AREAS[:4])
    }
    row = standings(made_of(small, "L7-family", figures), "L7-family", "small").iloc[0]
    # 0 1 2 3: point 2.25.
    assert (row["edge"], row["reason"]) == (2.25, "")
    del figures["Leicester"]
    row = standings(made_of(small, "L7-family", figures), "L7-family", "small").iloc[0]
    assert row["reason"] == "only 3 of 4 figures count, and quartiles need 4"


def test_doubtful_figures_are_left_out_and_named(report: Report) -> None:
    made = made_of(report, "L7-family", family_of(70, 90, 80, 60, 50, 40, 30, 20, 10))
    readings = made.readings.set_index("area", drop=False)
    readings.loc["Derby", "flag"] = "estimated"
    readings.loc["Rutland", ["flag", "reading", "missing"]] = "suppressed", np.nan, "suppressed"
    readings.loc["Leicester", "flag"] = "provisional"
    made = dataclasses.replace(made, readings=readings.reset_index(drop=True))
    row = standings(made, "L7-family", NEIGHBOURS).iloc[0]
    assert (row["left_out"], row["missing"]) == (("Derby", "Rutland"), ())
    # 20 30 40 50 60 70 80: point 4.5; the provisional figure counts.
    assert (row["ranked"], row["place"], row["edge"]) == (7, 2, 65)
    text = psa.family_table(made, "L7-family", NEIGHBOURS).text
    assert "Derby\tleft out: estimated\t90%" in text
    assert "Rutland\tleft out: suppressed\t–" in text


def test_without_an_own_figure_there_is_an_edge_and_no_place(report: Report) -> None:
    row = one_year(report, None, 90, 80, 70, 60, 50, 40, 30, 20)
    # Of eight: point 5.25.
    assert row["edge"] == 72.5
    assert pd.isna(row["place"])
    assert row["reason"] == "Leicestershire has sent no figure"
    made = made_of(report, "L7-family", family_of(None, 90, 80, 70, 60, 50, 40, 30, 20))
    said = psa.family_words(made, "L7-family", NEIGHBOURS).text
    assert "begins at 72.5% in 2000/01; Leicestershire has sent no figure" in said
    own = family_of(10, 90, 80, 70, 60, 50, 40, 30, 20)
    made = made_of(report, "L7-family", own)
    made.readings.loc[made.readings["area"] == "Leicestershire", "flag"] = "estimated"
    row = standings(made, "L7-family", NEIGHBOURS).iloc[0]
    assert row["reason"] == "the figure of Leicestershire is left out: estimated"
    chart = psa.family_chart(made, "L7-family", NEIGHBOURS)
    assert "heavy line" not in chart.alt


def test_a_caveat_where_chance_may_put_the_figure_on_either_side(report: Report) -> None:
    figures = family_of(70, 90, 80, 75, 60, 50, 40, 30, 20)
    unsure = made_of(report, "N7-family", figures, lower=60.0, upper=78.0)
    # Of nine the third best, 75, is the edge.
    assert standings(unsure, "N7-family", NEIGHBOURS).iloc[0]["spans"]
    said = psa.family_words(unsure, "N7-family", NEIGHBOURS).text
    assert "Chance alone allows 60% to 78% around this figure" in said
    sure = made_of(report, "N7-family", figures, lower=66.0, upper=74.0)
    assert not standings(sure, "N7-family", NEIGHBOURS).iloc[0]["spans"]
    assert "Chance alone" not in psa.family_words(sure, "N7-family", NEIGHBOURS).text


# --- the edge in years to come ---------------------------------------------------------------


def test_moving_together_changes_no_authoritys_own_chances() -> None:
    draws = np.random.default_rng(5).gamma(3, size=(4, 20_000, 2)).cumsum(axis=2)
    for share in (0.0, 0.15, 0.6):
        moved = move_together(draws, share, 7)
        for before, after in zip(draws, moved, strict=True):
            # Whole paths are paired anew, so that years stay with each other.
            assert {tuple(row) for row in before} == {tuple(row) for row in after}
        # Spearman's coefficient of normal scores with correlation r is 6/pi arcsin(r/2).
        wanted = 6 / np.pi * np.arcsin(share / 2)
        found = spearmanr(moved[:, :, -1].T).statistic
        assert found[np.triu_indices(4, 1)] == pytest.approx(wanted, abs=0.025)
    assert (move_together(draws, 0.3, 7) == move_together(draws, 0.3, 7)).all()


def flat(start: float, step: float, years: int = 5) -> list[float | None]:
    return [start + step * year for year in range(years)]


def test_equals_are_in_the_top_quartile_equally_often(report_of: Callable[[str], Report]) -> None:
    """Nine authorities that cannot be told apart: of nine, three are in it in every draw."""
    wavy: list[float | None] = [40, 43, 41, 44, 42]
    made = made_of(report_of("2005-06 Q1"), "L7-family", dict.fromkeys(AREAS, wavy))
    found = family_outlook(made, "L7-family", NEIGHBOURS)
    assert [period.label for period in found.edge.periods] == ["2005/06"]
    assert found.chance == pytest.approx([3 / 9], abs=0.02)
    assert found.own.median == pytest.approx(42.3, abs=1.0)
    assert found.edge.median > found.own.median
    assert found.edge.readings == 5


def test_the_chance_is_that_of_a_simulation_of_its_own(
    report_of: Callable[[str], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Independent authorities, other draws, and the edge read off sorted figures by hand."""
    monkeypatch.setattr(families, "TOGETHER", 0.0)
    wave = np.array([0, 2, -1, 3, 1])
    series = [list(40 + 0.8 * number + wave * (1 + number / 8)) for number in range(9)]
    figures = dict(zip(AREAS, reversed(series), strict=True))
    made = made_of(report_of("2005-06 Q1"), "L7-family", figures)
    found = family_outlook(made, "L7-family", NEIGHBOURS)
    panel = np.array(series)[::-1]
    drawn = forecast(panel, 1, "percent", 1, None, None, True).paths(20_000, 11)[:, :, 0]
    # Of nine the third best: at least six of the others are no better.
    chance = ((drawn[0] >= drawn).sum(axis=0) >= 7).mean()
    assert 0.5 < chance < 0.95
    assert found.chance == pytest.approx([chance], abs=0.02)
    third = np.sort(drawn, axis=0)[6]
    assert found.edge.median == pytest.approx(np.median(third), abs=0.1)
    assert found.edge.interval(80) == pytest.approx(np.quantile(third, [0.1, 0.9]), abs=0.2)


def test_moving_together_widens_the_edge(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []
    for share in (0.0, families.TOGETHER, 0.5):
        monkeypatch.setattr(families, "TOGETHER", share)
        made = family_outlook.__wrapped__(report, "N7-family", MADE_UP)  # not what is memoised
        low, high = made.edge.interval(80)
        widths.append(high - low)
    assert widths[0] < widths[1] < widths[2]


def test_the_best_stays_in_and_the_worst_stays_out(report_of: Callable[[str], Report]) -> None:
    figures = {area: flat(30 + number, 1) for number, area in enumerate(AREAS)}
    for own, measure, chance in [
        (80, "L7-family", 1),
        (5, "L7-family", 0),
        (80, "N6-absence", 0),
        (5, "N6-absence", 1),
    ]:
        made = made_of(report_of("2005-06 Q1"), measure, figures | {AREAS[0]: flat(own, 1)})
        assert family_outlook(made, measure, NEIGHBOURS).chance == pytest.approx([chance], abs=0.01)


def test_the_own_figure_can_be_what_a_followed_measure_knows(report: Report) -> None:
    found = family_outlook(report, "L7-family", MADE_UP, own="L7")
    assert [period.label for period in found.edge.periods] == ["2004/05", "2005/06"]
    assert sorted(found.own.draws[:, -1]) == pytest.approx(
        sorted(report.outlooks["L7"].draws[:, -1])
    )
    # The same county by its years alone, which do not know the last three quarters.
    alone = family_outlook(report, "L7-family", MADE_UP)
    assert alone.own.median < found.own.median
    assert alone.chance[-1] < found.chance[-1]


def test_an_own_figure_that_is_known_does_not_move(report_of: Callable[[str], Report]) -> None:
    report = report_of("2005-06 Q4")
    found = family_outlook(report, "L7-family", MADE_UP, own="L7")
    assert found.own.draws[:, -1] == pytest.approx(34.5408, abs=1e-4)
    assert found.chance == pytest.approx((found.edge.draws <= found.own.draws + 1e-9).mean(axis=0))


def test_why_there_is_no_forecast_of_the_edge(report_of: Callable[[str], Report]) -> None:
    report = report_of("2005-06 Q1")
    over = family_outlook(report_of("2006-07 Q3"), "L7-family", MADE_UP)
    assert over.reason == "figures for 2005/06 have come in"
    two: list[float | None] = [40.0, 41.0]
    short = made_of(report, "L7-family", dict.fromkeys(AREAS, two))
    few = family_outlook(short, "L7-family", NEIGHBOURS)
    assert few.reason == "only 0 of 9 have the 3 figures that a forecast needs"
    figures = {area: flat(30 + number, 1) for number, area in enumerate(AREAS)}
    made = made_of(report, "L7-family", figures | {"Rutland": [None, None, None, 40.0, 41.0]})
    assert family_outlook(made, "L7-family", NEIGHBOURS).left_out == ("Rutland",)
    assert "without Rutland: too few" in psa.family_words(made, "L7-family", NEIGHBOURS).text
    made = made_of(report, "L7-family", figures | {AREAS[0]: [40.0]})
    assert (
        family_outlook(made, "L7-family", NEIGHBOURS).reason == "Leicestershire has too few figures"
    )
    assert "only yearly" in family_outlook(report, "L7", NEIGHBOURS).reason


def test_a_mistyped_name_raises(report: Report) -> None:
    with pytest.raises(
        KeyError, match="no family 'East Midlands'; the register has East Midlands a"
    ):
        standings(report, "L7-family", "East Midlands")
    with pytest.raises(KeyError, match="no measure 'L7-familly'"):
        standings(report, "L7-familly", MADE_UP)
    with pytest.raises(KeyError, match="no measure 'L77'; followed are N2"):
        family_outlook(report, "L7-family", MADE_UP, own="L77")
    with pytest.raises(ValueError, match="N9 is in million journeys and L7-family in percent"):
        family_outlook(report, "L7-family", MADE_UP, own="N9")


# --- funnels ---------------------------------------------------------------------------------


def test_limits_worked_by_hand() -> None:
    # Ten cases, evens: P(X <= 1) = 11/1024 = 0.0107, P(X <= 2) = 56/1024 = 0.0547.
    low, high = binomial_limits(0.5, [10])
    assert 0.1 < low[0] < 0.2
    assert 0.8 < high[0] < 0.9
    # P(X <= 0) = 1/1024 = 0.00098, just under half of 0.2 %, so none of ten is beyond 99.8 %.
    assert 0 < binomial_limits(0.5, [10], 0.998)[0][0] < 0.1
    # With nine it is 0.00195, so nothing is.
    assert binomial_limits(0.5, [9], 0.998)[0][0] == 0
    assert binomial_limits(0.5, [9], 0.998)[1][0] == 1
    # Eight expected: P(0) = exp(-8) = 0.00034, P(X <= 1) = 9 exp(-8) = 0.0030.
    low, _ = poisson_limits(8 / 1000, [1000], 0.998)
    assert 0 < low[0] * 1000 < 1
    # Many cases: two standard deviations, 1.96 x sqrt(0.25 / 10,000) = 0.0098.
    low, high = binomial_limits(0.5, [10_000])
    assert (low[0], high[0]) == pytest.approx((0.4902, 0.5098), abs=0.0002)


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.sampled_from([0.95, 0.998]))
def test_a_share_is_beyond_its_limits_exactly_if_its_tail_is(
    cases: int, share: float, confidence: float
) -> None:
    low, high = binomial_limits(share, cases, confidence)
    counts, tail = np.arange(cases + 1), (1 - confidence) / 2
    below, above = binom.cdf(counts, cases, share), binom.sf(counts - 1, cases, share)
    # Tails that are the limit's own to the last digits may fall on either side.
    sure = (np.abs(below - tail) > 1e-9) & (np.abs(above - tail) > 1e-9)
    sure &= (np.abs(counts / cases - low) > 1e-9) & (np.abs(counts / cases - high) > 1e-9)
    assert ((counts / cases < low) == (below < tail))[sure].all()
    assert ((counts / cases > high) == (above < tail))[sure].all()
    other_low, other_high = binomial_limits(1 - share, cases, confidence)
    assert (1 - other_high, 1 - other_low) == pytest.approx((low, high), abs=1e-6)


@given(st.floats(0.5, 300), st.sampled_from([0.95, 0.998]))
def test_a_rate_is_beyond_its_limits_exactly_if_its_tail_is(
    expected: float, confidence: float
) -> None:
    low, high = poisson_limits(expected / 5000, 5000, confidence)
    counts, tail = np.arange(0, 600), (1 - confidence) / 2
    below, above = poisson.cdf(counts, expected), poisson.sf(counts - 1, expected)
    sure = (np.abs(below - tail) > 1e-9) & (np.abs(above - tail) > 1e-9)
    assert ((counts / 5000 < low) == (below < tail))[sure].all()
    assert ((counts / 5000 > high) == (above < tail))[sure].all()


def test_limits_close_in_as_cases_grow() -> None:
    cases = np.array([5, 20, 100, 1000, 50_000])
    for limits in (binomial_limits, poisson_limits):
        low, high = limits(0.3, cases)
        wide_low, wide_high = limits(0.3, cases, 0.998)
        assert (np.diff(high) < 0).all()
        assert (np.diff(low) >= 0).all()
        assert (wide_low <= low).all()
        assert (high <= wide_high).all()
    with pytest.raises(ValueError, match="confidence is 95"):
        binomial_limits(0.3, 10, 95)


def test_the_made_up_familys_funnel(report: Report) -> None:
    made = funnel(report, "N7-family", MADE_UP)
    units = made.units.set_index("area")
    assert (made.period, len(units), made.illustrative) == ("2003/04", 15, True)
    assert made.mean == pytest.approx(100 * units["numerator"].sum() / units["denominator"].sum())
    for area, row in units.iterrows():
        tails = [
            binom.cdf(row["numerator"], row["denominator"], made.mean / 100),
            binom.sf(row["numerator"] - 1, row["denominator"], made.mean / 100),
        ]
        wanted = "" if min(tails) >= 0.025 else "95%" if min(tails) >= 0.001 else "99.8%"
        side = "below" if tails[0] < tails[1] else "above"
        assert row["outside"] == (f"{side} {wanted}" if wanted else ""), area
    assert units.at["Authority P", "outside"] == "below 99.8%"
    # Three of fifteen beyond limits that chance passes once in five hundred.
    assert made.unlike
    said = psa.funnel_words(report, "N7-family", MADE_UP).text
    assert "Leicestershire, at 48.5%, is within what chance allows" in said
    assert said.endswith("So more than chance sets these authorities apart.")


def with_cases(report: Report, over: list[float], under: list[float], measure: str) -> Report:
    values = [100 * n / d for n, d in zip(over, under, strict=True)]
    made = made_of(report, measure, family_of(*values))
    readings = made.readings.assign(numerator=over, denominator=under)
    return dataclasses.replace(made, readings=readings)


def test_what_makes_no_funnel(report: Report) -> None:
    assert funnel(report, "L7-family", MADE_UP).reason.startswith("its figures are not shares")
    assert "no funnel, since its figures" in psa.funnel_chart(report, "L7-family", MADE_UP).alt
    assert "no funnel, since its figures" in psa.funnel_table(report, "L7-family", MADE_UP).text
    made = with_cases(report, [50.0] * 9, [100.0] * 9, "N7-family")
    found = funnel(made, "N7-family", NEIGHBOURS)
    assert (found.mean, found.unlike, found.units["outside"].unique().tolist()) == (50, False, [""])
    assert "Here it is 0 of 9 and 0 of 9." in psa.funnel_words(made, "N7-family", NEIGHBOURS).text
    gone = made.readings["denominator"].mask(made.readings["area"] == "Derby")
    made = dataclasses.replace(made, readings=made.readings.assign(denominator=gone))
    assert funnel(made, "N7-family", NEIGHBOURS).left_out == ("Derby",)
    made = dataclasses.replace(made, readings=made.readings.assign(denominator=np.nan))
    assert funnel(made, "N7-family", NEIGHBOURS).reason.endswith("with numerator and denominator")


def test_a_rates_funnel_is_in_its_unit(report: Report) -> None:
    """Vehicle crimes per 1,000 residents: 1,350 of 90,000 are 15; twice as many are far above."""
    over, under = [3000.0, *[1500.0] * 8], [100_000.0] * 9
    made = with_cases(report, over, under, "N13-rate")
    found = funnel(made, "N13-rate", NEIGHBOURS)
    assert found.mean == pytest.approx(1000 * 15_000 / 900_000)
    assert found.units.set_index("area").at["Leicestershire", "outside"] == "above 99.8%"
    low = found.units["low_95"].iloc[0] * 100
    # The smallest count with at least 2.5 % below it, of 1,666.7 expected.
    assert np.ceil(low) == poisson.ppf(0.025, 15_000 / 9)


# --- the register ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("area", "Rutlandshire", "Did you mean 'Rutland'?"),
        ("area", "Derby", "each only once"),
        ("document", "strategie", "Did you mean 'strategy'?"),
        ("location", "", "some text"),
        ("family", "region", "a name that is no kind of area in areas.csv"),
        ("family", "", "some text"),
    ],
)
def test_a_broken_family_is_refused_by_row_and_column(
    council: Path, column: str, value: str, words: str
) -> None:
    path = council / "raw" / "register" / "families.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    rows[8][rows[0].index(column)] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    with pytest.raises(DataError) as refused:
        load_agreement(council)
    assert len(refused.value.findings) == 1
    text = str(refused.value)
    assert re.search(rf"families\.csv, row 9, column {column}", text)
    assert words in text


def test_a_rank_may_name_a_family_of_the_register(edit: Callable[..., int], council: Path) -> None:
    for column, value in {
        "basis": "rank",
        "polarity": "lower",
        "unit": "place",
        "comparator": f"family: {NEIGHBOURS}; highest first",
    }.items():
        edit("register/measures.csv", "N7-sustained", column, value)
    agreement = load_agreement(council)
    assert family_areas(agreement, NEIGHBOURS) == AREAS
    edit("register/measures.csv", "N7-sustained", "comparator", "family: neighbours; highest first")
    with pytest.raises(DataError, match="a family, or a kind of area: one of East Midlands auth"):
        load_agreement(council)


def test_a_folder_without_families_says_so_plainly(council: Path) -> None:
    (council / "raw" / "register" / "families.csv").unlink()
    for name in ("family.csv", "family.csv.toml"):
        (council / "raw" / "returns" / name).unlink()
    agreement = load_agreement(council)
    assert agreement.families.empty
    report = make_report(agreement, *load_observations(agreement), quarter("2004-05 Q3"))
    said = "The register names no family of authorities."
    for show in (
        psa.family_words,
        psa.family_table,
        psa.standings_table,
        psa.funnel_words,
        psa.funnel_table,
    ):
        assert show(report, "L7-family", MADE_UP).text == said
    assert psa.family_chart(report, "L7-family", MADE_UP).alt == said
    assert psa.funnel_chart(report, "N7-family", MADE_UP).alt == said
    # A kind of area is a family without that file.
    assert len(family_areas(agreement, "region")) == 10


# --- pages ---------------------------------------------------------------------------------------


def test_the_countys_years_are_its_quarters(report_of: Callable[[str], Report]) -> None:
    report = report_of("2006-07 Q3")
    years = standings(report, "L7-family", MADE_UP).set_index("period")["figure"]
    made = report.readings[report.readings["measure"] == "L7"].set_index("period")["reading"]
    for year in range(2001, 2006):
        label = f"{year}/{(year + 1) % 100:02d}"
        assert years[label] == pytest.approx(made[f"{year}-{(year + 1) % 100:02d} Q4"], abs=1e-4)


def test_what_came_late_or_is_doubtful_is_not_ranked(report_of: Callable[[str], Report]) -> None:
    then = newest_standing(report_of("2004-05 Q3"), "L7-family", MADE_UP)
    assert then is not None
    assert (then["missing"], then["left_out"]) == (("Authority K",), ("Authority C",))
    assert (then["ranked"], then["family"]) == (15, 17)
    later = standings(report_of("2005-06 Q1"), "L7-family", MADE_UP).set_index("period")
    assert later.at["2003/04", "missing"] == ()


def test_made_up_figures_are_marked_wherever_they_are_shown(report: Report) -> None:
    assert psa.family_words(report, "L7-family", MADE_UP, "L7").text.startswith("Illustrative fig")
    assert psa.funnel_words(report, "N7-family", MADE_UP).text.startswith("Illustrative figures.")
    for shown in (psa.family_table, psa.standings_table, psa.funnel_table):
        caption = shown(report, "N7-family", MADE_UP).text.splitlines()[0]
        assert "(illustrative figures)" in caption
    assert psa.family_chart(report, "L7-family", MADE_UP).alt.startswith("Illustrative figures.")
    assert psa.funnel_chart(report, "N7-family", MADE_UP).alt.startswith("Illustrative figures.")
    # What was made up was not published.
    assert "Authority A" not in psa.context_table(report, "L7").text


def test_the_words_say_what_the_numbers_say(report: Report) -> None:
    said = psa.family_words(report, "L7-family", MADE_UP, "L7").text
    row = newest_standing(report, "L7-family", MADE_UP)
    ahead = family_outlook(report, "L7-family", MADE_UP, "L7")
    assert row is not None
    assert f"place {row['place']:.0f} among the 15 of 17 authorities whose figures count" in said
    assert "the top quartile" in said
    assert "0.8 percentage points inside it" in said
    assert f"forecast to begin at {ahead.edge.median:.1f}%" in said
    assert f"in the top quartile then is {int(100 * ahead.chance[-1])}%." in said
    assert psa.family_words(report, "N7-family", MADE_UP).text.count("Chance alone allows") == 1


def test_the_ranked_table_has_every_member_once(report: Report) -> None:
    lines = psa.family_table(report, "L7-family", MADE_UP).text.splitlines()[2:]
    assert sorted(line.split("\t")[0] for line in lines) == sorted(
        family_areas(report.agreement, MADE_UP)
    )
    places = [int(line.split("\t")[1].removesuffix(" =")) for line in lines[:15]]
    assert places == sorted(places)
    assert lines[-1].startswith("Authority K\tno figure had come in")
    tied = made_of(report, "L7-family", family_of(70, 90, 80, 70, 70, 60, 50, 40, 30))
    # Hardly inside or outside is no figure of nothing.
    beside = {line.split("\t")[0]: line.split("\t")[-1] for line in lines}
    assert (beside["Authority D"], beside["Authority O"]) == ("just inside", "just outside")
    text = psa.family_table(tied, "L7-family", NEIGHBOURS).text
    assert "Leicestershire\t3 =\t70%\ttop\ton it" in text
    assert "Derby\t1\t90%\ttop\t+20.0" in text
    assert "Rutland\t9\t30%\tbottom\t−40.0" in text
    assert "top quartile begins at 70%" in text
    assert "45.2% to 51.8%\tthird\t−1.9" in psa.family_table(report, "N7-family", MADE_UP).text


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q1", "2004-05 Q3", "2006-07 Q3"])
def test_every_period_can_be_drawn_and_put_in_words(
    report_of: Callable[[str], Report], period: str
) -> None:
    report = report_of(period)
    for measure in ("L7-family", "N7-family"):
        for draw in (psa.family_chart, psa.funnel_chart):
            chart = draw(report, measure, MADE_UP)
            ET.fromstring(chart.svg)
            assert chart.svg == draw(report, measure, MADE_UP).svg
            assert len(chart.alt) > 40
        for show in (
            psa.family_words,
            psa.family_table,
            psa.standings_table,
            psa.funnel_words,
            psa.funnel_table,
        ):
            assert len(show(report, measure, MADE_UP).text) > 40


def test_the_charts_carry_their_numbers(report: Report) -> None:
    chart = psa.family_chart(report, "L7-family", MADE_UP, "L7")
    edge = chart.data[chart.data["area"] == "Top quartile begins"]
    assert edge["period"].tolist() == [f"{y}/{y % 100 + 1:02d}" for y in range(2000, 2006)]
    assert edge["low_80"].notna().tolist() == [False] * 4 + [True] * 2
    drawn = "".join(ET.fromstring(chart.svg).itertext())
    assert f"Top quartile {edge['figure'].iloc[-1]:.1f}%" in drawn
    assert "Leicestershire 32.9%" in drawn
    # Estimated figures do not count and are not drawn.
    used = chart.data[chart.data["area"] == "Authority C"]["period"].tolist()
    assert used == ["2000/01", "2001/02", "2002/03"]
    figures = family_figures(report, "L7-family", MADE_UP)
    assert figures[figures["left_out"] != ""]["area"].tolist() == ["Authority C"]
    drawn = "".join(ET.fromstring(psa.funnel_chart(report, "N7-family", MADE_UP).svg).itertext())
    assert "Authority P" in drawn
    assert "Authority A" not in drawn
