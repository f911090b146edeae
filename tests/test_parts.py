"""Parts of a measure: what they add, where they differ by more than chance, and what if."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.special import betaln

import psa_analysis as psa
from psa_analysis.analysis.parts import (
    CONTRIBUTION_COLUMNS,
    REST,
    contributions,
    decompose,
    hotspots,
    shrunken_draws,
    what_if,
)
from psa_analysis.findings import ParameterError
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import ROOT, load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of

THREE = {f"Upper school {name} (illustrative)": "average" for name in "CHM"}


def shares(parts: dict[str, tuple[int, int, int, int]]) -> pd.DataFrame:
    """Levels and weights of a percentage: numerator and denominator now, and before."""
    totals = [sum(column) for column in zip(*parts.values(), strict=True)]
    rows = {
        name: {
            "level": Fraction(100 * n, totals[1]),
            "weight": Fraction(d, totals[1]),
            "level_before": Fraction(100 * n0, totals[3]),
            "weight_before": Fraction(d0, totals[3]),
        }
        for name, (n, d, n0, d0) in parts.items()
    }
    return pd.DataFrame.from_dict(rows, "index", dtype=object)


def test_the_change_of_two_schools_by_hand() -> None:
    """A falls from 60 to 50 of 100 pupils; B stays at 40%, and grows from 100 to 300.

    The whole goes from 100 of 200, 50%, to 170 of 400, 42.5%: -7.5 points. A's share is 1/2 and
    then 1/4, so its own rate makes (1/2 + 1/4) / 2 x -10 = -3.75 points. The mean of the whole is
    46.25%; A's mean rate of 55% is 8.75 above it, times -1/4 is -2.1875; B's 40% is 6.25 below,
    times +1/4 is -1.5625. Together -3.75 - 2.1875 - 1.5625 = -7.5.
    """
    made = contributions(shares({"A": (50, 100, 60, 100), "B": (120, 300, 40, 100)}), Fraction(50))
    assert made["within"].tolist() == [Fraction(-15, 4), 0]
    assert made["mix"].tolist() == [Fraction(-35, 16), Fraction(-25, 16)]
    assert made["change"].sum() == Fraction(-15, 2)
    assert made["rate"].tolist() == [50, 40]
    # A stands on the target of 50%; B is 10 points short of it, with three quarters of the pupils.
    assert made["gap"].tolist() == [0, Fraction(-15, 2)]


def counts_of_parts() -> st.SearchStrategy:
    denominator = st.integers(1, 10**6)
    part = st.tuples(denominator, st.floats(0, 1), denominator, st.floats(0, 1))
    return st.lists(part, min_size=1, max_size=8)


@given(counts_of_parts(), st.integers(0, 10**4))
def test_contributions_add_up_to_the_whole_exactly(parts: list, target: int) -> None:
    made = {
        str(number): (round(d * r), d, round(d0 * r0), d0)
        for number, (d, r, d0, r0) in enumerate(parts)
    }
    goal = Fraction(target, 100)
    table = contributions(shares(made), goal, goal / 2)
    n, d, n0, d0 = (sum(column) for column in zip(*made.values(), strict=True))
    assert table["level"].sum() == Fraction(100 * n, d)
    assert table["weight"].sum() == 1
    assert table["change"].sum() == Fraction(100 * n, d) - Fraction(100 * n0, d0)
    assert table["change"].tolist() == (table["within"] + table["mix"]).tolist()
    assert table["gap"].sum() == Fraction(100 * n, d) - goal
    assert table["gap_to_path"].sum() == Fraction(100 * n, d) - goal / 2


@given(counts_of_parts())
def test_parts_that_keep_their_size_have_no_mix(parts: list) -> None:
    made = {str(i): (round(d * r), d, round(d * r0), d) for i, (d, r, _, r0) in enumerate(parts)}
    assert set(contributions(shares(made))["mix"]) == {0}


@given(counts_of_parts())
def test_there_and_back_again_is_no_change(parts: list) -> None:
    made = {str(i): (round(d * r), d, round(e * s), e) for i, (d, r, e, s) in enumerate(parts)}
    back = {name: (n0, d0, n, d) for name, (n, d, n0, d0) in made.items()}
    there, again = contributions(shares(made)), contributions(shares(back))
    for column in ("change", "within", "mix"):
        assert (there[column] + again[column] == 0).all()


@pytest.mark.parametrize(
    "period", ["2002-03 Q4", "2003-04 Q3", "2004-05 Q3", "2005-06 Q2", "2006-07 Q3"]
)
@pytest.mark.parametrize("measure", ["N2", "N13", "N26-all"])
def test_the_shipped_parts_add_up_exactly(
    report_of: Callable[[str], Report], period: str, measure: str
) -> None:
    report = report_of(period)
    apart = decompose(report, measure)
    table = apart.table
    assert list(table) == list(CONTRIBUTION_COLUMNS)
    assert apart.reason == ""
    assert apart.missing == ()
    assert REST not in set(table["part"])
    assert table["level"].sum() == apart.level
    assert table["gap"].sum() == apart.level - apart.target
    assert table["gap_to_path"].sum() == apart.level - apart.path
    assert table["weight"].sum() == 1
    if apart.since:
        assert table["change"].sum() == apart.level - apart.before
    # The assessment's reading is the same but for the decimals that a return printed.
    made = report.readings
    mine = (made["measure"] == measure) & (made["area"] == "Leicestershire")
    reading = made.loc[mine & (made["period"] == apart.period), "reading"].iloc[0]
    assert float(apart.level) == pytest.approx(reading, abs=0.05 if measure == "N2" else 1e-9)


def test_only_what_had_come_in_is_taken_apart(report_of: Callable[[str], Report]) -> None:
    """Results of summer 2004 by school came on 20 January 2005."""
    assert decompose(report_of("2004-05 Q2"), "N2").period == "2002/03"
    now = decompose(report_of("2004-05 Q3"), "N2")
    assert (now.kind, now.period, now.since) == ("school", "2003/04", "2001/02")
    none = decompose(report_of("2001-02 Q1"), "N2")
    assert none.reason == "no figures of N2 by school had come in by the cut-off"
    # The county's provisional figure of that October has no parts, so the year before is taken.
    assert decompose(report_of("2005-06 Q2"), "N2").period == "2003/04"


def test_a_year_that_has_not_ended_is_not_taken_apart(council: Path) -> None:
    """Results may come before their school year ends, on 31 August; its report is the next one."""
    rows = [
        f"N2,{area},2004/05,60,{n},{d},2005-08-10"
        for area, n, d in (
            ("Leicestershire", 600, 1000),
            ("Upper school A (illustrative)", 60, 100),
        )
    ]
    (council / "raw" / "returns" / "early.csv").write_text(RETURN + "\n".join(rows) + "\n")
    report = opened(council, "2005-06 Q1")
    there = report.readings[report.readings["period"] == "2004/05"]
    assert set(there.loc[there["measure"] == "N2", "area"]) >= {"Leicestershire"}
    assert decompose(report, "N2").period == "2003/04"


def test_a_change_from_the_baseline_is_shared_out_by_the_base(report: Report) -> None:
    """North West Leicestershire: 1,466 offences in 2002/03, 1,506 in the year to December 2004.

    The county had 9,150 in 2002/03: 40 more add 40 / 9150 = 0.437 points to its change. Asked for
    20% less, the district's part of the gap is (1506 - 0.8 x 1466) / 9150 = 3.642 points.
    """
    apart = decompose(report, "N13")
    row = apart.table.set_index("part").loc["North West Leicestershire"]
    assert (apart.kind, apart.period, apart.since) == ("district", "2004-05 Q3", "2002-03 Q4")
    assert (row["numerator"], row["denominator"]) == (1506, 1466)
    assert row["level"] == Fraction(4000, 9150)
    assert row["gap"] == (1506 - Fraction(8, 10) * 1466) * Fraction(100, 9150)
    assert row["rate"] == Fraction(4000, 1466)


def test_measures_that_add_up_are_parts_too(report: Report) -> None:
    """N26-all: the bases are 235 / 0.72 and 42 / 0.72, and 277 / 0.72 together."""
    table = decompose(report, "N26-all").table.set_index("part")
    assert list(table.index) == ["N26-county", "N26-trunk"]
    assert table.at["N26-trunk", "denominator"] == Fraction(4200, 72)
    counted = table.at["N26-trunk", "numerator"]
    # 28% less than 42 / 0.72 is 42.
    assert table.at["N26-trunk", "gap"] == 100 * (counted - 42) / Fraction(27700, 72)


RETURN = "measure,area,period,value,numerator,denominator,received\n"


def without(council: Path, pattern: str, file: str = "schools.csv") -> None:
    """Remove the rows of a shipped return in which a pattern is found."""
    path = council / "raw" / "returns" / file
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not re.search(pattern, line)))
    path.with_name(f"{file}.toml").unlink()


def opened(council: Path, period: str = "2004-05 Q3") -> Report:
    agreement = load_agreement(council)
    observations, findings = load_observations(agreement)
    # Without its sidecar a file has come in today, unless its rows say their own day.
    return make_report(agreement, observations, findings, quarter(period))


@pytest.mark.parametrize("year", ["2003/04", "2001/02"])
def test_what_no_part_holds_is_a_row_of_its_own(council: Path, year: str) -> None:
    """School A's 280 of 470, and 283 of 465 before, stand under the rest if either is not there."""
    without(council, rf"school A .*{year}")
    report = opened(council)
    apart = decompose(report, "N2")
    assert apart.missing == (f"Upper school A (illustrative) ({year})",)
    rest = apart.table.set_index("part").loc[REST]
    assert (rest["numerator"], rest["denominator"]) == (280, 470)
    assert (rest["numerator_before"], rest["denominator_before"]) == (283, 465)
    assert apart.table["level"].sum() == apart.level == Fraction(401600, 7250)
    assert apart.table["change"].sum() == apart.level - apart.before
    words = psa.contributions_words(report, "N2").text
    assert "What the parts do not hold adds +3.86 to the reading" in words
    assert f"and so no part of this: Upper school A (illustrative) ({year})" in words


def test_a_count_is_shared_out_as_it_stood_before(council: Path) -> None:
    """Made-up quarters: 100 incidents a quarter in Blaby and 300 in Melton, and then 110 and 290.

    The county has 4 x 1,000 and then 4 x 1,020, so 2,400 and then 2,480 are in neither. The target
    is 4,852; of it Blaby is asked for its share before, 400 / 4000, that is 485.2.
    """
    rows = []
    for year, counts in ((2002, (100, 300, 1000)), (2003, (110, 290, 1020))):
        for n in (1, 2, 3, 4):
            for area, count in zip(("Blaby", "Melton", "Leicestershire"), counts, strict=True):
                label = f"{year}-{(year + 1) % 100:02d} Q{n}"
                rows.append(f"L4-incidents,{area},{label},{count},,,2004-06-01")
    without(council, "^L4-incidents", "police.csv")
    (council / "raw" / "returns" / "incidents.csv").write_text(RETURN + "\n".join(rows) + "\n")
    report = opened(council)
    apart = decompose(report, "L4-incidents")
    table = apart.table.set_index("part")
    assert (apart.period, apart.since) == ("2003-04 Q4", "2002-03 Q4")
    assert table["level"].to_dict() == {"Blaby": 440, "Melton": 1160, REST: 2480}
    assert table["change"].to_dict() == {"Blaby": 40, "Melton": -40, REST: 80}
    assert table.at["Blaby", "gap"] == 440 - Fraction(4852, 10)
    assert table["gap"].sum() == 4080 - 4852
    assert len(apart.missing) == 5
    # Set to 600, Blaby adds 160; a count has no average.
    assert what_if(report, "L4-incidents", {"Blaby": 600}).level == 4240
    with pytest.raises(
        ParameterError, match=r"Blaby is set to 'average'; expected 0 or more \(inc"
    ):
        what_if(report, "L4-incidents", {"Blaby": "average"})
    for show in (psa.contributions_table, psa.contributions_words, psa.hotspots_words):
        assert "nan" not in show(report, "L4-incidents").text


def test_what_cannot_be_taken_apart_says_why(report: Report) -> None:
    assert decompose(report, "N10").reason == "parts of a reading in index (index) do not add up"
    assert decompose(report, "L7").reason == "no figures of L7 by part have come in"
    assert psa.contributions_table(report, "L7").text == (
        "L7 is not shown by part: no figures of L7 by part have come in."
    )
    assert "No figures by part" in psa.contributions_chart(report, "L7").svg


def test_a_council_without_parts_gets_a_sentence(council: Path) -> None:
    for name in ("schools.csv", "police_districts.csv"):
        for ending in ("", ".toml"):
            (council / "raw" / "returns" / f"{name}{ending}").unlink()
    areas = council / "raw" / "register" / "areas.csv"
    lines = areas.read_text().splitlines(keepends=True)
    areas.write_text("".join(line for line in lines if ",school," not in line))
    report = opened(council)
    assert what_if(report, "N2", THREE).reason == "no figures of N2 by part have come in"
    for show in (
        psa.contributions_words,
        psa.contributions_table,
        psa.hotspots_words,
        psa.hotspots_table,
    ):
        assert "no figures of N2 by part have come in" in show(report, "N2").text
    assert len(psa.hotspots_chart(report, "N2").alt) > 40


def test_names_that_do_not_exist_raise(report: Report) -> None:
    with pytest.raises(KeyError, match=r"no measure 'N22'\. Did you mean 'N2'"):
        decompose(report, "N22")
    with pytest.raises(
        KeyError, match="no parts of the kind 'shcool'; there is district and school"
    ):
        decompose(report, "N2", "shcool")
    with pytest.raises(
        KeyError, match=r"compare with for 2000/01; expected one of 2001/02 and 2002"
    ):
        decompose(report, "N2", since="2000/01")
    with pytest.raises(KeyError, match=r"no part 'Upper school Z'\. .*There is Upper school A"):
        what_if(report, "N2", {"Upper school Z": 50})
    with pytest.raises(
        ParameterError, match=r"is set to 120; expected 0 to 100 \(percent\), or 'av"
    ):
        what_if(report, "N2", {"Upper school A (illustrative)": 120})
    with pytest.raises(ParameterError, match="is set to 'averag'"):
        what_if(report, "N2", {"Upper school A (illustrative)": "averag"})


def test_parts_of_several_kinds_must_be_named(council: Path) -> None:
    rows = [f"N2,{area},2003/04,55,55,100,2005-01-20" for area in ("Blaby", "Melton")]
    (council / "raw" / "returns" / "more.csv").write_text(RETURN + "\n".join(rows) + "\n")
    report = opened(council)
    with pytest.raises(ParameterError, match="N2 has figures by district and school: say which"):
        decompose(report, "N2")
    apart = decompose(report, "N2", "district")
    assert apart.since == ""
    assert apart.table["change"].isna().all()
    assert apart.table["level"].sum() == apart.level
    assert "Since" not in psa.contributions_words(report, "N2", "district").text


def test_periods_without_a_part_in_common_are_not_compared(council: Path) -> None:
    """Only school A sent its results of the first two years, and all but A those of the third."""
    without(council, r"school [B-Q] .*,200[12]/0|school A .*2003/04")
    report = opened(council)
    apart = decompose(report, "N2")
    assert (apart.period, apart.since, apart.before) == ("2003/04", "", None)
    assert apart.missing == ("Upper school A (illustrative) (2003/04)",)
    assert apart.table["level"].sum() == apart.level
    with pytest.raises(KeyError, match="there are no others"):
        decompose(report, "N2", since="2001/02")


def test_the_comparison_can_start_elsewhere(report: Report) -> None:
    apart = decompose(report, "N2", since="summer 2003")
    assert apart.since == "2002/03"
    assert apart.before == Fraction(390800, 7250)
    assert apart.table["change"].sum() == Fraction(401600 - 390800, 7250)


def test_districts_and_schools_are_each_compared_with_the_county(council: Path) -> None:
    """A district's figure changed by one is found, although schools are parts of the county too."""
    path = council / "raw" / "returns" / "police_districts.csv"
    text = path.read_text()
    line = next(one for one in text.splitlines() if "Blaby,2004-05 Q2" in one and "revised" in one)
    value = line.split(",")[3]
    path.write_text(text.replace(line, line.replace(value, str(float(value) + 1))))
    path.with_name(f"{path.name}.toml").unlink()
    found = load_observations(load_agreement(council))[1]
    assert any("the sum of the 7 parts of Leicestershire" in one.expected for one in found)


def test_the_illustrative_parts_add_up_in_every_vintage(loaded: tuple) -> None:
    observations = loaded[0]
    for day in (date(2003, 8, 10), date(2004, 2, 14), date(2005, 2, 14), date(2007, 1, 1)):
        known = as_of(observations, day)
        for measure, column in (("N13", "value"), ("N2", "numerator"), ("N2", "denominator")):
            mine = known[known["measure"] == measure]
            county = mine[mine["area"] == "Leicestershire"].set_index("period")[column].dropna()
            parts = mine[mine["area"] != "Leicestershire"].groupby("period")[column].sum()
            assert len(county) >= 1
            assert parts[county.index].to_dict() == county.to_dict()


# Hotspots.

#: Efron and Morris, "Data analysis using Stein's estimator and its generalizations", JASA 70
#: (1975), 311-319, table 1: hits of 18 players in their first 45 at bats of 1970, and the batting
#: average over the rest of the season.
HITS = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]
SEASON = [
    0.346,
    0.298,
    0.276,
    0.222,
    0.273,
    0.270,
    0.263,
    0.210,
    0.269,
    0.230,
    0.264,
    0.256,
    0.303,
    0.264,
    0.226,
    0.285,
    0.316,
    0.200,
]


def test_shrinking_the_players_of_1970() -> None:
    """The paper finds a total squared error of .077 for the raw averages and .022 for Stein's."""
    raw = np.array(HITS) / 45
    assert ((raw - SEASON) ** 2).sum() == pytest.approx(0.077, abs=0.002)
    middle = np.median(shrunken_draws(HITS, [45] * 18), axis=0)
    assert ((middle - SEASON) ** 2).sum() < 0.025
    assert (np.diff(middle) <= 0.002).all()
    assert middle.min() > 0.2
    assert middle.max() < 0.33


def test_shrunken_shares_are_what_integration_gives() -> None:
    """The mean of the first share by adaptive integration over the same mean and spread."""
    over, cases = np.array([30, 45, 60, 52]), np.array([100, 100, 100, 90])
    pooled = over.sum() / cases.sum()
    apart = (cases * (over / cases - pooled) ** 2).sum() + pooled * (1 - pooled) * 4
    typical = np.sqrt(apart / cases.sum())

    def weight(mean: float, spread: float, power: int) -> float:
        size = mean * (1 - mean) / spread**2 - 1
        first, second = mean * size, (1 - mean) * size
        fits = betaln(first + over, second + cases - over) - betaln(first, second)
        likely = np.exp(fits.sum() + 262)
        return likely * ((first + over[0]) / (first + second + cases[0])) ** power

    low, high = pooled - 2 * typical, pooled + 2 * typical
    ends = (1e-4, min(5 * typical, 0.45), low, high)
    top, bottom = (
        dblquad(lambda mean, spread, power=power: weight(mean, spread, power), *ends, epsrel=1e-4)[
            0
        ]
        for power in (1, 0)
    )
    drawn = shrunken_draws(over, cases).mean(axis=0)
    assert drawn[0] == pytest.approx(top / bottom, abs=0.004)


def test_large_parts_keep_their_rates_and_equal_ones_share_them() -> None:
    large = shrunken_draws([2 * 10**6, 5 * 10**6, 7 * 10**6], [10**7] * 3)
    assert np.median(large, axis=0) == pytest.approx([0.2, 0.5, 0.7], abs=1e-3)
    small = np.median(shrunken_draws([4, 5, 6, 5], [10, 10, 10, 10]), axis=0)
    assert (np.abs(small - 0.5) < [0.06, 0.02, 0.06, 0.02]).all()


def test_events_are_shrunken_like_rare_cases() -> None:
    """A rate of a few in a thousand is the same whether its cases are binomial or Poisson."""
    over, under = [12, 30, 18, 45, 9], [9000, 11000, 10000, 12000, 8000]
    events = np.median(shrunken_draws(over, under, events=True), axis=0)
    cases = np.median(shrunken_draws(over, under), axis=0)
    assert events == pytest.approx(cases, rel=0.04)
    assert 45 / 12000 > events[3] > sum(over) / sum(under)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 99), min_size=3, max_size=6), st.integers(0, 5))
def test_what_is_counted_and_what_is_not_mirror_each_other(over: list[int], seed: int) -> None:
    cases = np.full(len(over), 100)
    assume(len(set(over)) > 1)
    one = np.median(shrunken_draws(over, cases, seed=seed), axis=0)
    other = np.median(shrunken_draws(cases - np.array(over), cases, seed=seed), axis=0)
    assert one + other == pytest.approx(np.ones(len(over)), abs=0.02)


def test_the_intervals_hold_what_they_say() -> None:
    """Seven parts whose shares are drawn: 95 in 100 of them lie within their intervals."""
    generator = np.random.default_rng(3)
    inside = []
    for seed in range(120):
        cases = np.round(480 * generator.uniform(0.7, 1.3, 7))
        size = 0.55 * 0.45 / 0.03**2 - 1
        true = generator.beta(0.55 * size, 0.45 * size, 7)
        draws = shrunken_draws(generator.binomial(cases.astype(int), true), cases, seed=seed)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        inside += list((low <= true) & (true <= high))
    assert 0.92 < np.mean(inside) < 0.98


def test_too_few_parts_say_nothing(report: Report) -> None:
    with pytest.raises(ValueError, match="2 parts; expected at least 3"):
        shrunken_draws([1, 2], [10, 10])
    with pytest.raises(ValueError, match="all or none"):
        shrunken_draws([0, 0, 0], [10, 10, 10])
    assert hotspots(report, "N26-all").reason == "it takes 3 parts to see how far they differ"
    assert hotspots(report, "L7").reason == "no figures of L7 by part have come in"


def test_the_three_schools_are_worse_by_more_than_chance(report: Report) -> None:
    found = hotspots(report, "N2")
    rows = found.table.set_index("part")
    worse = rows.loc[[*THREE]]
    assert (worse["chance_worse"] > 0.99).all()
    assert (worse["shrunken"] > worse["observed"]).all()
    assert (worse["place_low"] >= 11).all()
    assert found.whole == pytest.approx(100 * 4016 / 7250)
    assert 5 < found.spread < 8
    best = rows.iloc[0]
    assert best["shrunken"] < best["observed"]
    assert rows["shrunken"].is_monotonic_decreasing
    assert ((rows["lower"] < rows["shrunken"]) & (rows["shrunken"] < rows["upper"])).all()


def test_a_count_is_looked_at_by_its_change(report: Report) -> None:
    found = hotspots(report, "N13")
    rows = found.table.set_index("part")
    assert found.unit == "percent change"
    assert found.whole == pytest.approx(100 * (8386 - 9150) / 9150)
    # 1,506 after 1,466; lower is better, so a rise is worse.
    west = rows.loc["North West Leicestershire"]
    assert west["observed"] == pytest.approx(100 * 40 / 1466)
    assert west["chance_worse"] > 0.97
    assert west["place_high"] == 7
    assert rows.at["Oadby and Wigston", "chance_worse"] < 0.03


def test_readings_that_share_cases_are_not_compared(report_of: Callable[[str], Report]) -> None:
    why = "the readings of 2002-03 Q4 and 2003-04 Q1 share some of their cases"
    assert hotspots(report_of("2003-04 Q1"), "N13").reason == why


# What if.


def test_the_three_schools_by_hand(report: Report) -> None:
    """docs/places.md: 4,016 of 7,250 pupils in summer 2004, that is 55.393%.

    C has 230 of 514, H 212 of 502, M 230 of 498: 672 of 1,514. At the county's average they would
    have 1,514 x 4016 / 7250 = 838.65, so 166.65 more: 4,182.65 of 7,250 are 57.692%, 2.299 points
    more. The way to 63% is 7.607 points, of which this is 30.2%.
    """
    found = what_if(report, "N2", THREE)
    more = Fraction(1514 * 4016, 7250) - 672
    assert found.table["more"].sum() == more
    assert found.level == 100 * (4016 + more) / Fraction(7250)
    assert float(found.level) == pytest.approx(57.692, abs=5e-4)
    assert float(found.effect) == pytest.approx(2.299, abs=5e-4)
    assert float(found.closed) == pytest.approx(0.302, abs=5e-4)
    # Raised with them, they would meet the average of the others: 3,344 of 5,736, 58.299%.
    others = Fraction(100 * 3344, 5736)
    risen = what_if(report, "N2", dict.fromkeys(THREE, float(others)))
    assert float(risen.level) == pytest.approx(float(others), abs=1e-6)


def test_the_draws_of_the_due_reading_are_moved_by_the_effect(report: Report) -> None:
    found = what_if(report, "N2", THREE)
    due = report.outlooks["N2"].draws[:, -1]
    assert found.chance_before == report.outlooks["N2"].chance(63, "higher")
    assert found.chance_after == np.mean(due + float(found.effect) >= 63)
    assert found.chance_after > found.chance_before
    nothing = what_if(report, "N2", {})
    assert (nothing.effect, nothing.chance_after) == (0, nothing.chance_before)


def test_no_draw_leaves_the_scale(report: Report) -> None:
    """Every school at 100% adds 44.6 points; a target of 100% is then met by every draw."""
    parts = decompose(report, "N2").table["part"]
    measures = report.agreement.measures.copy()
    measures.loc["N2", "target"] = 100.0
    agreement = dataclasses.replace(report.agreement, measures=measures)
    every = what_if(
        dataclasses.replace(report, agreement=agreement), "N2", dict.fromkeys(parts, 100)
    )
    assert every.level == 100
    draws = report.outlooks["N2"].draws[:, -1] + float(every.effect)
    assert every.chance_after == np.mean(draws >= 100)
    assert every.chance_after < 1


def test_less_is_better_for_crime(report: Report) -> None:
    found = what_if(report, "N13", {"North West Leicestershire": "average"})
    # At the county's -8.35%, 1,466 would have become 1,343.6: 162.4 fewer than 1,506.
    assert float(found.table["more"].iloc[0]) == pytest.approx(-162.4, abs=0.05)
    assert found.effect == 100 * found.table["more"].sum() / 9150
    assert found.closed > 0
    assert found.chance_after >= found.chance_before
    assert (
        "It means 163 fewer counted in them"
        in psa.what_if_words(report, "N13", {"North West Leicestershire": "average"}).text
    )


def test_before_the_figures_came_there_is_no_what_if(report_of: Callable[[str], Report]) -> None:
    early = report_of("2001-02 Q1")
    assert what_if(early, "N2", THREE).reason.startswith("no figures of N2 by school had come in")
    assert "had come in by the cut-off" in psa.what_if_table(early, "N2", THREE).text


# Pages and charts.


def test_the_words_say_what_the_numbers_say(report: Report) -> None:
    words = psa.contributions_words(report, "N2").text
    assert "2003/04: 55.4%, made up of 15 schools (illustrative)" in words
    assert "7.6 percentage points below the target of 63%" in words
    assert "The largest parts of this gap are Upper school H (illustrative) with 1.44" in words
    assert "14 of 15 schools are short of the target" in words
    assert "Since 2001/02 it has risen by 2.2 percentage points: +2.22 because" in words
    crime = psa.contributions_words(report, "N13").text
    assert "11.7 percentage points above the target of −20%" in crime
    assert "6 of 7 districts are short" in crime
    chance = psa.hotspots_words(report, "N13").text
    assert (
        "North West Leicestershire is worse than Leicestershire. Oadby and Wigston is better"
        in (chance)
    )
    assert "For the other 5 districts chance may explain the difference" in chance
    what = psa.what_if_words(report, "N2", THREE).text
    assert "at Leicestershire's present average of 55.4%, themselves counted in it, " in what
    assert "would be 57.7% instead of 55.4%: 2.3 percentage points higher" in what
    assert "167 more of their 1,514 cases. That is 30% of the way" in what
    half = psa.what_if_words(report, "N2", {"Upper school H (illustrative)": 50}).text
    assert half.startswith("With Upper school H (illustrative) at 50%, the reading of 2003/04")


def test_the_last_row_of_the_table_is_the_whole(report: Report) -> None:
    lines = psa.contributions_table(report, "N2").text.splitlines()
    assert lines[0] == "Five or more GCSEs at A* to C by school, 2003/04 (illustrative)"
    assert len(lines) == 2 + 15 + 1
    whole = lines[-1].split("\t")
    assert whole[:4] == ["Leicestershire", "4,016", "7,250", "55.4%"]
    assert whole[-2] == "−7.61"
    assert "Killed or seriously injured on trunk roads\t40\t58.3\t−31.4%" in (
        psa.contributions_table(report, "N26-all").text
    )


def test_the_charts_carry_their_words_and_numbers(report: Report) -> None:
    chart = psa.contributions_chart(report, "N2")
    assert chart.data["adds"].sum() == pytest.approx(100 * 4016 / 7250 - 63)
    assert "−7.6 percentage points in all. Upper school H (illustrative) −1.44" in chart.alt
    assert chart.alt.endswith("Illustrative figures.")
    drawn = "".join(ET.fromstring(chart.svg).itertext())
    assert "short of the target" in drawn
    assert "−1.44" in drawn
    spots = psa.hotspots_chart(report, "N13")
    assert spots.data["part"].iloc[0] == "North West Leicestershire"
    assert "Blaby −8.8% (−15.1% to −2%), may be chance" in spots.alt
    for draw in (psa.contributions_chart, psa.hotspots_chart):
        for measure in ("N2", "N13"):
            assert draw(report, measure).svg == draw(report, measure).svg


@pytest.mark.parametrize(
    ("page", "measure", "part"),
    [("01_prosperity", "N2", "Upper school H"), ("02_safer_county", "N13", "North West Leic")],
)
def test_the_parts_stand_on_the_page_of_their_theme(page: str, measure: str, part: str) -> None:
    cells = json.loads((ROOT / "notebooks" / f"{page}.ipynb").read_text())["cells"]
    said = {
        "".join(cell["source"]): json.dumps(cell["outputs"], ensure_ascii=False)
        for cell in cells
        if cell["cell_type"] == "code"
    }
    for show in (
        "contributions_words",
        "contributions_chart",
        "contributions_table",
        "hotspots_words",
        "hotspots_chart",
    ):
        assert part in said[f'psa.{show}(report, "{measure}")'], show
