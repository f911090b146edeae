"""Parts of a measure: what they add, where they differ by more than chance, and what if."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import AREA, ReportOf, observed, with_measure
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.special import betaln

import psa_analysis as psa
from psa_analysis.analysis.parts import (
    REST,
    Decomposition,
    WhatIf,
    contributions,
    decomposition,
    scenario,
    shrunken_draws,
)
from psa_analysis.analysis.readings import make_readings
from psa_analysis.findings import ParameterError
from psa_analysis.pipeline import ROOT, open_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.show.parts import decompose

THREE = {f"Upper school {name} (illustrative)": "average" for name in "CHM"}
A, B = (f"Upper school {name} (illustrative)" for name in "AB")


def scenario_of(report: Report, measure: str, changes: dict) -> WhatIf:
    """What the figures of :func:`psa.what_if` are."""
    return scenario(decompose(report, measure), changes, report.outlooks[measure])


def shares(parts: dict[str, tuple[int, int, int, int]]) -> pd.DataFrame:
    """Levels and weights of a percentage: numerator and denominator now, and before."""
    names = ["now", "of", "before", "of_before"]
    counts = pd.DataFrame.from_dict(parts, orient="index", columns=names)
    whole, whole_before = counts["of"].sum(), counts["of_before"].sum()
    columns = {"level": 100 * counts["now"] / whole, "weight": counts["of"] / whole}
    columns["level_before"] = 100 * counts["before"] / whole_before
    return pd.DataFrame(columns).assign(weight_before=counts["of_before"] / whole_before)


def test_the_change_of_two_schools_by_hand() -> None:
    """A falls from 60 to 50 of 100 pupils; B stays at 40%, and grows from 100 to 300.

    The whole goes from 100 of 200, 50%, to 170 of 400, 42.5%: -7.5 points. A's share is 1/2 and
    then 1/4, so its own rate makes (1/2 + 1/4) / 2 x -10 = -3.75 points. The mean of the whole is
    46.25%; A's mean rate of 55% is 8.75 above it, times -1/4 is -2.1875; B's 40% is 6.25 below,
    times +1/4 is -1.5625. Together -3.75 - 2.1875 - 1.5625 = -7.5.
    """
    table = contributions(shares({"A": (50, 100, 60, 100), "B": (120, 300, 40, 100)}), 50)
    assert table["within"].tolist() == pytest.approx([-3.75, 0])
    assert table["mix"].tolist() == pytest.approx([-2.1875, -1.5625])
    assert table["change"].sum() == pytest.approx(-7.5)
    assert table["rate"].tolist() == pytest.approx([50, 40])
    # A stands on the target of 50%; B is 10 points short of it, with three quarters of the pupils.
    assert table["gap"].tolist() == pytest.approx([0, -7.5])


counts_of_parts = st.lists(
    st.tuples(st.integers(1, 10**6), st.floats(0, 1), st.integers(1, 10**6), st.floats(0, 1)),
    min_size=1,
    max_size=8,
)


@given(counts_of_parts, st.floats(0, 100))
def test_contributions_add_up_to_the_whole(parts: list, target: float) -> None:
    counts = {str(i): (round(d * r), d, round(e * s), e) for i, (d, r, e, s) in enumerate(parts)}
    table = contributions(shares(counts), target)
    n, d, n_before, d_before = (sum(column) for column in zip(*counts.values(), strict=True))
    level, change = 100 * n / d, 100 * n / d - 100 * n_before / d_before
    sums = table[["level", "weight", "change", "gap"]].sum().tolist()
    whole = [level, 1, change, level - target]
    assert sums == pytest.approx(whole, abs=1e-8)
    assert table["change"].to_numpy() == pytest.approx(table["within"] + table["mix"], abs=1e-8)
    # Parts that keep their size have no mix, and there and back again is no change.
    same_size = {name: (n, d, min(m, d), d) for name, (n, d, m, _) in counts.items()}
    assert contributions(shares(same_size))["mix"].to_numpy() == pytest.approx(0, abs=1e-8)
    back = {name: (m, e, n, d) for name, (n, d, m, e) in counts.items()}
    both = table + contributions(shares(back))
    assert both[["change", "within", "mix"]].to_numpy() == pytest.approx(0, abs=1e-8)


def test_only_what_had_come_in_is_taken_apart(report_of: ReportOf) -> None:
    """Results of summer 2004 by school came on 20 January 2005."""
    assert decompose(report_of("2004-05 Q2"), "N2").period == "2002/03"
    # The county's provisional figure of that October has no parts, so the year before is taken.
    assert decompose(report_of("2005-06 Q2"), "N2").period == "2003/04"
    reason = "no figures of N2 by school had come in by the cut-off"
    assert reason in psa.what_if(report_of("2001-02 Q1"), "N2", THREE).words.text


def taken_apart(agreement: Agreement, known: pd.DataFrame, measure: str) -> Decomposition:
    """The decomposition from a few observations."""
    table = make_readings(known, agreement)
    own = table[(table["area"] == "Leicestershire") & (table["measure"] == measure)]
    return decomposition(measure, agreement, known, known, own.sort_values("period_end"))


def results(area: str, *counts: tuple[int, int] | None) -> pd.DataFrame:
    """Exam results from summer 2002 on: how many of how many."""
    n, d = zip(*[count or (np.nan, np.nan) for count in counts], strict=True)
    percent = [100 * count[0] / count[1] if count else None for count in counts]
    columns = {"numerator": list(n), "denominator": list(d)}
    return observed("N2", percent, 2001, "exam_year", area, **columns)


WHOLE_AND_A = results("Leicestershire", (57, 105), (60, 110)), results(A, (30, 60), (32, 60))


@pytest.mark.parametrize("lacking", [(None, (28, 50)), ((27, 45), None)])
def test_what_no_part_holds_is_a_row_of_its_own(agreement: Agreement, lacking: tuple) -> None:
    """B's 28 of 50, and 27 of 45 before, stand under the rest if either is not there."""
    result = taken_apart(agreement, pd.concat([*WHOLE_AND_A, results(B, *lacking)]), "N2")
    assert B in result.missing
    rest = result.table.set_index("part").loc[REST]
    assert (rest["numerator"], rest["denominator"]) == (28, 50)
    assert (rest["numerator_before"], rest["denominator_before"]) == (27, 45)
    assert result.table["level"].sum() == pytest.approx(100 * 60 / 110) == result.level
    assert result.table["change"].sum() == pytest.approx(
        result.level - result.whole["level_before"], abs=1e-8
    )


def test_periods_without_a_part_in_common_are_not_compared(agreement: Agreement) -> None:
    """Only school A sent its results of the first year, and only B those of the second."""
    known = [WHOLE_AND_A[0], results(A, (30, 60)), results(B, None, (28, 50))]
    result = taken_apart(agreement, pd.concat(known), "N2")
    assert (result.period, result.since) == ("2002/03", "")
    assert np.isnan(result.whole["level_before"])
    assert result.table["change"].isna().all()
    assert A in result.missing
    assert result.table["level"].sum() == pytest.approx(result.level, abs=1e-8)


def test_a_count_is_shared_out_as_it_stood_before(agreement: Agreement) -> None:
    """Quarters: 100 incidents a quarter in Blaby and 300 in Melton, and then 110 and 290.

    The county has 4 x 1,000 and then 4 x 1,020, so 2,400 and then 2,480 are in neither. The target
    is 4,852; of it Blaby is asked for its share before, 400 / 4000, that is 485.2.
    """
    quarters = {AREA: (1000, 1020), "Blaby": (100, 110), "Melton": (300, 290)}
    known = pd.concat(
        observed("L4-incidents", [before] * 4 + [now] * 4, area=area)
        for area, (before, now) in quarters.items()
    )
    result = taken_apart(agreement, known, "L4-incidents")
    table = result.table.set_index("part")
    assert table["level"].to_dict() == {"Blaby": 440, "Melton": 1160, REST: 2480}
    assert table["change"].to_dict() == {"Blaby": 40, "Melton": -40, REST: 80}
    assert table.at["Blaby", "gap"] == pytest.approx(440 - 485.2)
    assert table["gap"].sum() == pytest.approx(4080 - 4852)
    assert len(result.missing) == 5
    # Set to 600, Blaby adds 160; a count has no average.
    assert scenario(result, {"Blaby": 600}, None).level == 4240
    with pytest.raises(ParameterError, match=r"Blaby is set to 'average'; expected 0 or more"):
        scenario(result, {"Blaby": "average"}, None)


def test_a_cumulative_target_is_shared_out_with_the_baseline(agreement: Agreement) -> None:
    """A count from 100 on: 10 a year and 20 a year; Blaby has 4 and then 12 of them.

    Of the readings of 110 and 130 Blaby has 4 and 16; its share of a target of 220 is 4 / 110.
    """
    changes = {"basis": "cumulative", "unit": "casualties", "frequency": "annual"}
    changes |= {"baseline": 100.0, "baseline_period": "2001/02", "target": 220.0, "due": "2005/06"}
    changed = with_measure(agreement, "N26-county", **changes)
    values = {AREA: [10, 20], "Blaby": [4, 12]}
    kind = {"measure": "N26-county", "kind": "financial_year"}
    known = pd.concat(observed(values=values[area], area=area, **kind) for area in values)
    table = taken_apart(changed, known, "N26-county").table.set_index("part")
    assert table["level"].to_dict() == {"Blaby": 16, REST: 114}
    assert table["change"].to_dict() == {"Blaby": 12, REST: 8}
    assert table.at["Blaby", "gap"] == pytest.approx(16 - 220 * 4 / 110)


def test_what_cannot_be_taken_apart_says_why(report: Report) -> None:
    why = "parts of a reading in index (index) do not add up"
    assert decompose(report, "N10").reason == why
    why = "no figures of L7 by part have come in"
    for view in (psa.by_part(report, "L7"), psa.hotspots(report, "L7")):
        assert why in view.words.text
        with pytest.raises(AttributeError, match=why):
            _ = view.chart


def test_a_year_that_has_not_ended_is_not_taken_apart(council: Path) -> None:
    """Results may come before their school year ends, on 31 August; its report is the next one."""
    (council / "raw" / "returns" / "early.csv").write_text(
        "measure,area,period,value,numerator,denominator,received\n"
        "N2,Leicestershire,2004/05,60,600,1000,2005-08-10\n"
        f"N2,{A},2004/05,60,60,100,2005-08-10\n"
    )
    report = open_report("2005-06 Q1", str(council))
    early = report.readings[report.readings["period"] == "2004/05"]
    assert "Leicestershire" in set(early.loc[early["measure"] == "N2", "area"])
    assert decompose(report, "N2").period == "2003/04"


def test_names_that_do_not_exist_raise(report: Report) -> None:
    with pytest.raises(KeyError, match=r"no measure 'N22'\. Did you mean 'N2'"):
        decompose(report, "N22")
    for name, value, error, says in (
        ("Upper school Z", 50, KeyError, r"no part 'Upper school Z'\. .*There is Upper school A"),
        (A, 120, ParameterError, r"is set to 120; expected 0 to 100 \(percent\), or"),
        (A, "averag", ParameterError, "is set to 'averag'"),
    ):
        with pytest.raises(error, match=says):
            scenario_of(report, "N2", {name: value})


def test_shrunken_shares_are_what_integration_gives() -> None:
    """The mean of the first share by adaptive integration over the same mean and spread."""
    counts, cases = np.array([30, 45, 60, 52]), np.array([100, 100, 100, 90])
    pooled = counts.sum() / cases.sum()
    variation = (cases * (counts / cases - pooled) ** 2).sum() + pooled * (1 - pooled) * 4
    typical = np.sqrt(variation / cases.sum())

    def weight(mean: float, spread: float, power: int) -> float:
        size = mean * (1 - mean) / spread**2 - 1
        first, second = mean * size, (1 - mean) * size
        fits = betaln(first + counts, second + cases - counts) - betaln(first, second)
        likely = np.exp(fits.sum() + 262)
        return likely * ((first + counts[0]) / (first + second + cases[0])) ** power

    low, high = pooled - 2 * typical, pooled + 2 * typical
    ends = (1e-4, min(5 * typical, 0.45), low, high)
    top, bottom = (dblquad(weight, *ends, args=(power,), epsrel=1e-4)[0] for power in (1, 0))
    drawn = shrunken_draws(counts, cases).mean(axis=0)
    assert drawn[0] == pytest.approx(top / bottom, abs=0.004)


def test_events_are_shrunken_like_rare_cases() -> None:
    """A rate of a few in a thousand is the same whether its cases are binomial or Poisson."""
    counts, cases = [12, 30, 18, 45, 9], [9000, 11000, 10000, 12000, 8000]
    events = np.median(shrunken_draws(counts, cases, events=True), axis=0)
    assert events == pytest.approx(np.median(shrunken_draws(counts, cases), axis=0), rel=0.04)
    assert 45 / 12000 > events[3] > sum(counts) / sum(cases)


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


def test_where_nothing_is_said_of_differences(report_of: ReportOf) -> None:
    report = report_of("2003-04 Q1")
    assert "it takes 3 parts" in psa.hotspots(report, "N26-all").reason
    overlap = "the readings of 2002-03 Q4 and 2003-04 Q1 share some of their cases"
    assert overlap in psa.hotspots(report, "N13").reason


def test_the_three_schools_by_hand(report: Report) -> None:
    """As docs/places.md works it out, from the return alone."""
    raw = pd.read_csv(report.agreement.folder / "raw/returns/schools.csv")
    raw = raw[raw["period"] == "2003/04"].set_index("area")[["numerator", "denominator"]]
    (passed, pupils), (county, all_pupils) = raw.loc[list(THREE)].sum(), raw.sum()
    result = scenario_of(report, "N2", THREE)
    more = pupils * county / all_pupils - passed
    assert result.table["more"].sum() == pytest.approx(more, abs=1e-5)
    assert result.level == pytest.approx(100 * (county + more) / all_pupils)
    effect, way = 100 * more / all_pupils, 63 - 100 * county / all_pupils
    assert (result.effect, result.closed) == pytest.approx((effect, effect / way))
    page = (ROOT / "docs" / "places.md").read_text()
    assert f"**{effect:.3f} points** more" in page
    # Raised with them, they would meet the average of the others.
    others = 100 * (county - passed) / (all_pupils - pupils)
    risen = scenario_of(report, "N2", dict.fromkeys(THREE, others))
    assert risen.level == pytest.approx(others)


def test_the_draws_of_the_due_reading_are_moved_by_the_effect(report: Report) -> None:
    """Every school at 100% adds more than any draw lacks, but none leaves the scale."""
    result, outlook = scenario_of(report, "N2", THREE), report.outlooks["N2"]
    assert result.chance_before == outlook.chance(63, "higher")
    assert result.chance_after == np.mean(outlook.draws[:, -1] + result.effect >= 63)
    nothing = scenario_of(report, "N2", {})
    assert (nothing.effect, nothing.chance_after) == (0, nothing.chance_before)
    agreement = with_measure(report.agreement, "N2", target=100.0)
    schools = decompose(report, "N2").table["part"]
    changed = dataclasses.replace(report, agreement=agreement)
    every = scenario_of(changed, "N2", dict.fromkeys(schools, 100))
    assert every.level == 100
    assert every.chance_after == np.mean(outlook.draws[:, -1] + every.effect >= 100) < 1


def test_less_is_better_for_crime(report: Report) -> None:
    """At the county's change a district would have had so many fewer."""
    name = "North West Leicestershire"
    change = report.rows["N13"]["latest"] / 100
    raw = pd.read_csv(report.agreement.folder / "raw/returns/police_districts.csv")
    raw = raw[(raw["area"] == name) & (raw["received"] <= "2005-02-14")]
    quarters = raw.drop_duplicates("period", keep="last").set_index("period")["value"]
    fewer = quarters.tail(4).sum() - quarters.filter(like="2002-03").sum() * (1 + change)
    result = scenario_of(report, "N13", {name: "average"})
    assert result.effect == pytest.approx(100 * -fewer / 9150, abs=1e-3)
    assert (result.chance_after - result.chance_before) * fewer >= 0 < result.closed * fewer
