"""Control charts: known answers of another tool, conventions worked by hand, and what pages say."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import EXPECTED, psa
from hypothesis import given
from hypothesis import strategies as st

import psa_analysis
from psa_analysis.analysis.control import (
    OUR_RULES,
    POINT_COLUMNS,
    ControlRules,
    Rebase,
    assurance,
    fill_back,
    measure_control,
    quarterly_target,
    run_ends,
    season_share,
    trend_ends,
    two_in_three,
    xmr,
)
from psa_analysis.findings import DataError
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.control import control_of, control_sentences

#: Numbers of NHSRplotthedots' own tests (MIT); the file names the place of each.
KNOWN = json.loads((EXPECTED / "spc_known_answers.json").read_text())
#: The conventions of that package where ours differ.
THEIRS = ControlRules(trend_by="side", keep_possible=False)
MARKS = ["outside", "run", "trend", "two_in_three"]


def series(values: list) -> pd.Series:
    return pd.Series(values, index=[f"p{number}" for number in range(len(values))], dtype=float)


def flagged(values: list, rule: str, **options: object) -> list[int]:
    return xmr(series(values), rules=ControlRules(**options))[rule].tolist()


@pytest.mark.parametrize("case", KNOWN["limits"], ids=lambda case: case["id"])
def test_limits_are_the_known_ones(case: dict) -> None:
    rules = ControlRules(screen_outliers=case["screen_outliers"])
    made = xmr(series(case["y"]), rules=rules)
    for column, name in (("centre", "mean"), ("lower", "lpl"), ("upper", "upl")):
        assert made[column].nunique() == 1
        assert made[column].iloc[0] == pytest.approx(case[name], abs=case["atol"], rel=0)


def test_runs_trends_and_two_in_three_are_the_known_ones() -> None:
    runs = KNOWN["seven_point_one_side_mean"]["cases"]
    for sides, ends in runs:
        assert [abs(end) for end in run_ends(sides, 7)] == ends
    back = KNOWN["part_of_seven_trend"]["cases"]
    for ends, marks in back:
        assert [abs(mark) for mark in fill_back(ends, 7)] == marks
    trends = KNOWN["seven_point_trend"]["cases"]
    for values, ends in trends:
        assert trend_ends(values, 7) == ends
    threes = KNOWN["two_in_three"]["cases"]
    for close, sides, marks in threes:
        assert [abs(mark) for mark in two_in_three(close, sides)] == marks
    assert [len(runs), len(back), len(trends), len(threes)] == [5, 6, 7, 10]


@pytest.mark.parametrize("case", KNOWN["assurance"]["cases"], ids=str)
def test_assurance_is_the_known_one(case: list) -> None:
    direction, lower, upper, target, expected = case
    polarity = {"increase": "higher", "decrease": "lower", "neutral": ""}[direction]
    names = {
        "consistent_pass": "consistently hits",
        "consistent_fail": "consistently misses",
        "inconsistent": "unreliable",
        None: "",
    }
    assert assurance(lower, upper, target, polarity) == names[expected]


def test_a_target_on_a_limit_is_within_them_and_no_target_says_nothing() -> None:
    assert assurance(1, 4, 4, "lower") == assurance(4, 7, 4, "higher") == "unreliable"
    assert assurance(1, 4, np.nan, "lower") == assurance(np.nan, np.nan, 4, "lower") == ""


def test_two_beyond_two_sigma_on_opposite_sides_are_ordinary() -> None:
    case = KNOWN["opposite_sides_two_sigma"]
    assert case["expected_last_two"] == ["common_cause"] * 2
    made = xmr(series(case["y"]), "higher", THEIRS)
    assert made["kind"].tolist()[-2:] == ["ordinary"] * 2


@pytest.mark.parametrize(("count", "threshold", "warns"), KNOWN["short_group_warning"]["cases"])
def test_few_figures_make_trial_limits(count: int, threshold: int, warns: bool) -> None:
    made = xmr(series([1.0, 2.0] * 6)[:count], rules=ControlRules(trial_below=threshold))
    assert made["trial"].tolist() == [warns] * count


@pytest.mark.parametrize("case", KNOWN["real_data_drawn"]["series"], ids=lambda case: case["id"])
def test_real_series_have_the_limits_and_kinds_that_the_package_drew(case: dict) -> None:
    """36 months of A&E, plain, rebased, and with limits from the first twelve."""
    assert case["improvement_direction"] == "increase"
    values = series([-height for height in case["heights"]])
    assert len(values) == len(case["kinds"]) == 36
    rebases = [Rebase(f"p{phase['first']}", "a new year") for phase in case["phases"][1:]]
    rules = ControlRules(limits_from=case["limits_from"], trend_by="side")
    made = xmr(values, "higher", rules, rebases)
    for number, phase in enumerate(case["phases"]):
        row = made.iloc[phase["first"]]
        assert row["phase"] == number
        for column, name in (("centre", "mean"), ("lower", "lower"), ("upper", "upper")):
            atol = KNOWN["real_data_drawn"]["atol"]
            assert -row[column] == pytest.approx(phase[name], abs=atol, rel=0)
    assert made["kind"].tolist() == case["kinds"]


def test_published_results_of_two_series_hold_together() -> None:
    """RQM and RRK: the file has their results and not the 24 counts, so those are what is tested.

    A mean of 24 whole counts; limits as far above it as below; and 2.66 mean moving ranges apart,
    where the ranges are whole and 22 of the 23 were kept (one is screened out in each).
    """
    rqm, rrk = KNOWN["real_data"]
    for case in (rqm, rrk):
        found = case["checked_here"]
        assert found["mean"] * found["n"] == pytest.approx(round(found["mean"] * found["n"]))
        width = found["upl"] - found["mean"]
        assert found["mean"] - found["lpl"] == pytest.approx(width, abs=1e-6)
        total = width / OUR_RULES.limit_factor * (found["n"] - 2)
        assert total == pytest.approx(round(total), abs=1e-5)
    limits = rqm["checked_here"]
    assert rqm["assurance_type"] == "inconsistent"
    assert assurance(limits["lpl"], limits["upl"], rqm["target"], "lower") == "unreliable"
    # Eight in a row below the mean, where less is better, are eight improvements.
    places = rrk["checked_here"]["zero_based_positions"]
    sides = [-1 if place in places else (-1) ** place for place in range(24)]
    sides[places[0] - 1] = sides[places[-1] + 1] = 1
    marks = fill_back(run_ends(sides, 7), 7)
    assert [place for place, mark in enumerate(marks) if mark] == places


def test_a_chart_worked_by_hand() -> None:
    # Ranges 2, 1, 2: mean 5/3, times 2.66 is 4.4333; mean of the figures 46/4 = 11.5.
    made = xmr(series([10, 12, 11, 13]))
    assert made.iloc[0][["centre", "lower", "upper"]].tolist() == pytest.approx(
        [11.5, 11.5 - 4.433333, 11.5 + 4.433333], abs=1e-6
    )
    assert list(made.columns) == list(POINT_COLUMNS)


def test_each_convention_on_a_figure_that_it_decides() -> None:
    # Mean 0. Seven above it with one on it among them: 3, then 0, then 4 more.
    tied = [1, 1, 1, 0, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1]
    assert sum(tied) == 0
    assert flagged(tied, "run") == [0] * 8 + [-1] * 7
    assert flagged(tied, "run", ties="skip") == [1, 1, 1, 0, 1, 1, 1, 1] + [-1] * 7
    assert flagged(tied, "run", ties="skip", mark="end") == [0] * 7 + [1] + [0] * 6 + [-1]
    assert flagged(tied, "run", run=8) == [0] * 15
    # Six rises in a row are seven figures; an equal neighbour ends them or is passed over.
    assert flagged([1, 2, 3, 4, 5, 6, 7], "trend") == [1] * 7
    assert flagged([1, 2, 3, 4, 5, 6, 7], "trend", mark="end") == [0] * 6 + [1]
    assert flagged([1, 2, 3, 3, 4, 5, 6, 7], "trend") == [0] * 8
    assert flagged([1, 2, 3, 3, 4, 5, 6, 7], "trend", ties="skip") == [1, 1, 1, 0, 1, 1, 1, 1]
    assert flagged([6, 5, 4, 3, 2, 1], "trend", trend=6) == [-1] * 6


def test_two_in_three_by_each_convention() -> None:
    # Ten times 0 and 3 in turn: mean 1.5, ranges 3, so two sigma are 5.32 away and the limits 7.98,
    # if the limits come from those ten figures alone.
    calm = [0, 3] * 5

    def two(*tail: float, **options: object) -> list[int]:
        return flagged([*calm, *tail], "two_in_three", limits_from=10, **options)[10:]

    assert two(8, 2, 8) == [1, 0, 1]
    assert two(8, 2, 8, mark_two_in_three="window") == [1, 1, 1]
    # The third on the other side.
    assert two(8, 1, 8) == [0, 0, 0]
    assert two(8, 1, 8, third_point="any") == [1, 0, 1]
    assert two(8, -5, 8, third_point="any") == [1, 0, 1]
    # The second beyond the limit of 9.48.
    assert two(8, 2, 10) == [0, 0, 0]
    assert two(8, 2, 10, count_outside=True) == [1, 0, 1]
    assert two(-5, 1, -6) == [-1, 0, -1]
    # Exactly two sigma away is not beyond: 1.5 + 5.32 = 6.82.
    assert two(6.82, 2, 8) == [0, 0, 0]
    assert two(6.83, 2, 8) == [1, 0, 1]


def test_a_figure_on_a_limit_is_within_it() -> None:
    calm = [0, 3] * 5
    assert flagged([*calm, 9.48], "outside", limits_from=10)[-1] == 0
    assert flagged([*calm, 9.49], "outside", limits_from=10)[-1] == 1
    assert flagged([*calm, -6.49], "outside", limits_from=10)[-1] == -1


def test_a_trend_is_judged_by_its_direction_or_by_the_side_of_the_mean() -> None:
    rising = series([1, 2, 3, 4, 5, 6, 7, 4, 4, 4, 4])  # mean 4
    # Wide limits, so that nothing but the trend is marked.
    rules = {"limit_factor": 100.0, "run": 20}
    by_direction = xmr(rising, "higher", ControlRules(**rules))
    assert by_direction["kind"].tolist() == ["improvement"] * 7 + ["ordinary"] * 4
    by_side = xmr(rising, "higher", ControlRules(**rules, trend_by="side"))
    kinds = ["concern"] * 3 + ["improvement"] * 4 + ["ordinary"] * 4
    assert by_side["kind"].tolist() == kinds
    assert set(xmr(rising, "", ControlRules(**rules))["kind"]) == {"neutral", "ordinary"}


def test_a_figure_beyond_a_limit_is_judged_by_its_side_even_in_a_trend() -> None:
    # Six rises from far below: the first lies under the lower limit, though the trend is good.
    values = series([-30, -3, -2, -1, 0, 1, 2, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    made = xmr(values, "higher")
    assert made["trend"].iloc[0] == 1
    assert made["outside"].iloc[0] == -1
    assert made["kind"].iloc[0] == "concern"


def test_a_series_that_does_not_move_has_no_sign_of_anything() -> None:
    # 0.1 is no binary fraction: the mean of ten of them is not 0.1 in floats.
    made = xmr(series([0.1] * 10), "higher")
    assert made["kind"].tolist() == ["ordinary"] * 10
    assert made["lower"].iloc[0] == made["upper"].iloc[0] == 0.1


def test_a_missing_figure_has_no_range_and_breaks_runs_trends_and_threes() -> None:
    # Ranges 1 and 1, none across the gap: limits 2.66 from the mean of 3.
    made = xmr(series([1, 2, None, 4, 5]))
    assert made["upper"].iloc[0] - made["centre"].iloc[0] == pytest.approx(2.66)
    assert made[MARKS].iloc[2].tolist() == [0, 0, 0, 0]
    gap = [1, 1, 1, None, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1]
    assert flagged(gap, "run") == flagged(gap, "run", ties="skip") == [0] * 8 + [-1] * 7
    assert flagged([1, 2, 3, None, 4, 5, 6, 7], "trend", ties="skip") == [0] * 8
    assert two_in_three([1, 0, 1], [1, None, 1], "any") == [0, 0, 0]
    alone = xmr(series([3]))
    assert alone[["centre", "lower", "upper"]].isna().all(axis=None)


figures = st.lists(st.integers(-50, 50), min_size=2, max_size=30)
some_rules = st.builds(
    ControlRules,
    screen_outliers=st.booleans(),
    run=st.integers(5, 9),
    trend=st.integers(5, 8),
    mark=st.sampled_from(["all", "end"]),
    ties=st.sampled_from(["break", "skip"]),
    count_outside=st.booleans(),
    third_point=st.sampled_from(["same side", "any"]),
    mark_two_in_three=st.sampled_from(["close", "window"]),
    trend_by=st.sampled_from(["direction", "side"]),
    limits_from=st.one_of(st.none(), st.integers(5, 15)),
)


@given(figures, some_rules, st.decimals(-1000, 1000, places=3))
def test_adding_a_constant_moves_the_limits_and_no_flag(values, rules, constant) -> None:
    plain = xmr(series(values), "lower", rules)
    moved = xmr(series([float(value + constant) for value in values]), "lower", rules)
    assert moved[[*MARKS, "kind"]].equals(plain[[*MARKS, "kind"]])
    for limit in ("centre", "lower", "upper"):
        assert moved[limit].to_numpy() == pytest.approx(plain[limit] + float(constant), abs=1e-9)


@given(figures, some_rules, st.sampled_from([0.001, 0.5, 3, 10, 250]))
def test_limits_scale_with_the_figures(values, rules, factor) -> None:
    plain = xmr(series(values), "lower", rules)
    scaled = xmr(series([round(value * factor, 3) for value in values]), "lower", rules)
    assert scaled[[*MARKS, "kind"]].equals(plain[[*MARKS, "kind"]])
    for limit in ("centre", "lower", "upper"):
        assert scaled[limit].to_numpy() == pytest.approx(plain[limit] * factor, rel=1e-9, abs=1e-9)


@given(figures, some_rules)
def test_the_other_polarity_swaps_improvement_and_concern(values, rules) -> None:
    swap = {"improvement": "concern", "concern": "improvement", "ordinary": "ordinary"}
    lower = xmr(series(values), "lower", rules)
    higher = xmr(series(values), "higher", rules)
    assert higher["kind"].map(swap).tolist() == lower["kind"].tolist()
    # So does turning the figures upside down.
    mirrored = xmr(-series(values), "higher", rules)
    assert mirrored["kind"].tolist() == lower["kind"].tolist()
    assert (mirrored[MARKS] == -lower[MARKS]).all(axis=None)


@given(figures, some_rules)
def test_screening_never_widens_the_limits_and_a_kind_needs_a_mark(values, rules) -> None:
    made = xmr(series(values), "higher", rules)
    assert ((made["kind"] == "ordinary") == (made[MARKS] == 0).all(axis=1)).all()
    wide = xmr(series(values), rules=ControlRules(screen_outliers=False))
    narrow = xmr(series(values), rules=ControlRules(screen_outliers=True))
    assert (narrow["upper"] <= wide["upper"]).all()


def test_a_rebase_is_two_charts_one_after_the_other() -> None:
    values = series([5, 7, 6, 8, 5, 6, 15, 17, 16, 18, 15, 16])
    made = xmr(values, "lower", rebases=[Rebase("p6", "another definition")])
    both = pd.concat([xmr(values[:6], "lower"), xmr(values[6:], "lower")])
    columns = [name for name in POINT_COLUMNS if name != "phase"]
    assert made[columns].equals(both[columns])
    assert made["phase"].tolist() == [0] * 6 + [1] * 6
    assert made["trial"].all()


def test_a_rebase_needs_a_reason_enough_figures_and_a_period_that_exists() -> None:
    values = series(list(range(12)))
    with pytest.raises(ValueError, match="the rebase at p6 has no reason; say what changed"):
        Rebase("p6", "  ")
    with pytest.raises(ValueError, match="need 6 figures, and there are 5 before p5"):
        xmr(values, rebases=[Rebase("p5", "x")])
    with pytest.raises(ValueError, match="need 6 figures, and there are 5 from p7 on"):
        xmr(values, rebases=[Rebase("p7", "x")])
    with pytest.raises(ValueError, match="there are 3 before p9"):
        xmr(values, rules=ControlRules(fewest=4), rebases=[Rebase("p9", "x"), Rebase("p6", "y")])
    with pytest.raises(KeyError, match="no figure for p60; expected one of p0, p1"):
        xmr(values, rebases=[Rebase("p60", "x")])


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"ties": "brake"}, "ties is 'brake'; expected one of break, skip. Did you mean 'break'"),
        ({"mark": "whole"}, "mark is 'whole'; expected one of all, end"),
        ({"run": 1}, "run is 1; expected at least 2"),
        ({"limits_from": 1}, "limits_from is 1; expected at least 2"),
    ],
)
def test_a_convention_that_does_not_exist_is_refused(option: dict, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ControlRules(**option)
    with pytest.raises(KeyError, match="there is no polarity 'up'"):
        xmr(series([1, 2]), "up")


def test_the_seasons_share_is_found_beside_a_drift_and_not_in_noise() -> None:
    times = np.arange(16)
    seasons = (times % 4 + 1).tolist()
    pattern = np.tile([10.0, -4, 7, -13], 4)
    share, chance = season_share((pattern + 3.0 * times).tolist(), seasons, [0] * 16)
    assert share == pytest.approx(1)
    assert chance < 1e-6
    # With levels of their own before and after a rebase.
    stepped = pattern + np.where(times < 8, 0, 500)
    assert season_share(stepped.tolist(), seasons, (times >= 8).tolist())[0] == pytest.approx(1)
    assert np.isnan(season_share((3.0 * times).tolist(), seasons, [0] * 16)[0])
    assert np.isnan(season_share([1.0, 2, 1, 2, 1], [1, 2, 3, 4, 1], [0] * 5)[0])
    # Of series without seasons one in twenty may seem to have them: 20 of 400, give or take 13.
    draws = np.random.default_rng(7).normal(size=(400, 16))
    chances = [season_share(row.tolist(), seasons, [0] * 16)[1] for row in draws]
    assert 7 <= sum(chance < 0.05 for chance in chances) <= 33


def quarters(values: list, first: int = 2001) -> pd.DataFrame:
    """Observed quarters from April of a year on; None leaves the row out."""
    ends = pd.date_range(f"{first}-06-30", periods=len(values), freq="QE")
    frame = pd.DataFrame({"period_end": ends, "observed": values})
    labels = [
        f"{y}-{(y + 1) % 100:02d} Q{n}" for y in range(first, first + 9) for n in (1, 2, 3, 4)
    ]
    frame["period"] = labels[: len(values)]
    frame["flag"], frame["illustrative"] = "final", True
    return frame.dropna(subset="observed")


def a_measure(**changes: object) -> pd.Series:
    row = {
        "frequency": "quarterly",
        "basis": "point",
        "polarity": "higher",
        "unit": "people",
        "target": np.nan,
    }
    return pd.Series(row | changes)


def test_what_is_charted_is_the_quarters_own_figure(report: Report) -> None:
    crime = control_of(report, "N13").points
    assert len(crime) == 15
    assert crime["value"].iloc[[0, -1]].tolist() == [2158, 2222]
    assert crime["period"].iloc[[0, -1]].tolist() == ["2001-02 Q1", "2004-05 Q3"]
    # 33,432 crimes in 15 quarters; the ranges sum to 2,240 over 14, and 2.66 times 160 is 425.6.
    row = crime.iloc[0]
    assert [row["centre"], row["lower"], row["upper"]] == pytest.approx([2228.8, 1803.2, 2654.4])


def test_a_report_of_the_past_charts_what_was_there(report_of: Callable[[str], Report]) -> None:
    before = control_of(report_of("2003-04 Q1"), "N13")
    assert before.points["period"].iloc[-1] == "2003-04 Q1"
    assert before.points["trial"].all()
    assert "9 quarters, fewer than 12, these are trial limits" in control_sentences(before)
    few = control_of(report_of("2001-02 Q4"), "N13")
    assert few.reason == "limits need 6 quarters, and there are 4"
    # A quarter that came in early belongs to a later report.
    newest = before.points["period"].iloc[-1]
    report = report_of("2003-04 Q1")
    early = report.readings[report.readings["period"] == newest]
    early = early.assign(period="2003-04 Q2", period_end=pd.Timestamp("2003-09-30"))
    ahead = dataclasses.replace(report, readings=pd.concat([report.readings, early]))
    assert control_of(ahead, "N13").points["period"].iloc[-1] == newest
    assert control_of(report_of("2001-02 Q1"), "N14-into-work").reason.endswith("there is none")


def test_measures_that_can_have_no_chart_say_why(report: Report) -> None:
    rows = report.assessment.set_index("measure")
    for measure, frequency in rows["frequency"].items():
        reason = control_of(report, measure).reason
        assert bool(reason) == (frequency != "quarterly"), measure
    assert "measured once a school year" in control_of(report, "N2").reason
    assert "measured once a financial year" in control_of(report, "N10").reason
    yearly = measure_control(quarters([1.0]), a_measure(frequency="calendar_year"), "people")
    assert "measured once a calendar year" in yearly.reason
    for basis, why in (
        ("milestone", "done or not"),
        ("rank", "a place"),
        ("gap_to_comparator", "compares two figures"),
        ("ratio_to_comparator", "compares two figures"),
    ):
        assert why in measure_control(quarters([1.0] * 9), a_measure(basis=basis), "").reason
    with pytest.raises(KeyError, match="no measure 'N99'"):
        control_of(report, "N99")


def test_a_target_is_compared_only_with_figures_of_its_own_size() -> None:
    assert quarterly_target(a_measure(target=1150)) == 1150
    assert quarterly_target(a_measure(basis="rolling_12m", unit="percent", target=10.2)) == 10.2
    for basis, unit in (
        ("rolling_12m", "incidents"),
        ("change_from_baseline", "percent change"),
        ("cumulative", "people"),
        ("year_to_date", "crimes"),
    ):
        assert np.isnan(quarterly_target(a_measure(basis=basis, unit=unit, target=5)))


def test_the_newest_phase_decides_whether_the_target_is_met() -> None:
    # 100 or so, then 10 or so, and a target of at most 20.
    values = [100.0, 101, 99, 100, 101, 99, 10, 11, 9, 10, 11, 9]
    measure = a_measure(polarity="lower", target=20.0)
    whole = measure_control(quarters(values), measure, "people")
    # Without a rebase the mean is 55, and the one step of 89 is screened out of the ranges.
    assert whole.assurance == "consistently misses"
    rebase = Rebase("2002-03 Q3", "Another way of counting.")
    split = measure_control(quarters(values), measure, "people", [rebase])
    assert split.assurance == "consistently hits"
    said = control_sentences(split)
    assert "Mean and limits start anew at 2002-03 Q3: Another way of counting. " in said
    assert "the mean since 2002-03 Q3 is 10" in said
    assert "on the good side: while nothing changes, quarters meet it" in said
    missed = measure_control(quarters(values), a_measure(target=20.0), "people", [rebase])
    assert missed.assurance == "consistently misses"


def test_a_rebase_not_yet_possible_waits_and_a_later_one_is_not_known() -> None:
    values = [5.0, 6, 4, 5, 6, 4, 5, 6, 4]
    young, later = Rebase("2002-03 Q4", "New forms"), Rebase("2005-06 Q1", "New law")
    made = measure_control(quarters(values), a_measure(), "people", [young, later])
    assert made.rebases == ()
    assert [rebase for rebase, _ in made.refused] == [young]
    assert (
        "do not start anew at 2002-03 Q4 (New forms): limits need 6 figures, and there are 2 from "
        "2002-03 Q4 on"
    ) in control_sentences(made)


def test_limits_end_where_figures_must() -> None:
    values = [0.0, 9, 0, 9, 0, 9, 0, 9]
    counts = measure_control(quarters(values), a_measure(), "people")
    assert counts.points["lower"].unique().tolist() == [0]
    free = ControlRules(keep_possible=False)
    assert measure_control(quarters(values), a_measure(), "people", rules=free).points[
        "lower"
    ].iloc[0] == pytest.approx(4.5 - 2.66 * 9)
    high = [100 - value for value in values]
    share = measure_control(quarters(high), a_measure(unit="percent"), "percent")
    assert share.points["upper"].unique().tolist() == [100]
    gap = measure_control(quarters(values), a_measure(), "percentage points")
    assert gap.points["lower"].iloc[0] < 0


def test_a_quarter_that_never_came_is_a_gap_and_is_named() -> None:
    values = [5.0, 6, 4, None, 6, 4, 5, 6, 4]
    made = measure_control(quarters(values), a_measure(), "people")
    assert made.points["period"].iloc[3] == "2001-02 Q4"
    assert np.isnan(made.points["value"].iloc[3])
    assert control_sentences(made).endswith("There is no figure for 2001-02 Q4.")


def test_words_name_the_quarters_the_rule_and_the_way(report: Report) -> None:
    said = psa_analysis.control_words(report, "L4-repeat").text
    assert "15 quarters up to 2004-05 Q3: the mean is 12%, and ordinary variation runs" in said
    assert "2003-04 Q1 to 2004-05 Q3, in a run of 7 or more below the mean (improvement)." in said
    assert "The target of 10.2% lies within the limits" in said
    ordinary = psa_analysis.control_words(report, "N26-county").text
    assert "There is no sign of anything but ordinary variation." in ordinary
    assert "season" not in ordinary
    crime = psa_analysis.control_words(report, "N13").text
    assert "But read this with care: beside any drift, the time of year explains about 84%" in crime
    assert "The figure for 2004-05 Q3 is provisional" in crime
    assert psa_analysis.control_words(report, "N2").text.startswith("No control chart: it is")
    # Eight ordinary quarters with one far out, which a run of the rest cannot explain.
    wild = [5.0, 6, 4, 5, 6, 4, 5, 6, 40, 5, 6, 4]
    made = measure_control(quarters(wild), a_measure(polarity="lower"), "people")
    assert "2003-04 Q1, above the upper limit (concern)" in control_sentences(made)


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q1", "2004-05 Q3", "2006-07 Q3"])
def test_every_measure_has_a_chart_or_a_reason(report_of, period: str) -> None:
    report = report_of(period)
    for measure in report.assessment["measure"]:
        chart = psa_analysis.control_chart(report, measure)
        ET.fromstring(chart.svg)
        said = psa_analysis.control_words(report, measure).text
        assert chart.alt.endswith(said)
        assert said.endswith(".")
        assert ".." not in said
        rows = psa_analysis.control_table(report, measure).text.splitlines()[2:]
        assert len(rows) == len(chart.data)
        assert len(chart.data) == 0 or list(POINT_COLUMNS) == list(chart.data.columns[4:])


def test_the_picture_is_drawn_from_the_same_numbers_and_twice_the_same(report: Report) -> None:
    chart = psa_analysis.control_chart(report, "L4-repeat")
    assert chart.svg == psa_analysis.control_chart(report, "L4-repeat").svg
    drawn = "".join(ET.fromstring(chart.svg).itertext())
    for text in (
        "Mean 12%",
        "Upper limit 14.6%",
        "Lower limit 9.5%",
        "Target 10.2%",
        "Improvement",
    ):
        assert text in drawn
    assert "Concern" not in drawn
    assert "Upper trial limit" in "".join(
        ET.fromstring(psa_analysis.control_chart(report, "L5").svg).itertext()
    )
    # Another convention is another picture: a run of eight is not reached.
    eight = psa_analysis.control_chart(report, "L4-repeat", ControlRules(run=8))
    assert set(eight.data["kind"]) == {"ordinary"}


REBASES = "measure,period,reason,document,location\n{}\n"


def with_rebases(council: Path, *rows: str) -> Path:
    path = council / "raw" / "register" / "rebases.csv"
    path.write_text(REBASES.format("\n".join(rows)))
    return council


def test_a_rebase_of_the_register_shows_in_chart_words_and_table(council: Path) -> None:
    assert load_agreement(council).rebases.empty
    with_rebases(council, "L4-repeat,Q1 2003-04,Daily visits began,own decision,")
    agreement = load_agreement(council)
    report = make_report(agreement, *load_observations(agreement), quarter("2004-05 Q3"))
    chart = psa_analysis.control_chart(report, "L4-repeat")
    assert "From 2003-04 Q1" in "".join(ET.fromstring(chart.svg).itertext())
    assert "Mean and limits start anew at 2003-04 Q1: Daily visits began." in chart.alt
    assert chart.data["phase"].value_counts().tolist() == [8, 7]
    # Before it could be known, the report is what it was.
    early = make_report(agreement, *load_observations(agreement), quarter("2002-03 Q4"))
    assert "anew" not in psa_analysis.control_words(early, "L4-repeat").text


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("L4-repaet,2003-04 Q1,x,own decision,", "Did you mean 'L4-repeat'?"),
        ("L4-repeat,2003/04,x,own decision,", "column period: found '2003/04', expected a quarter"),
        ("L4-repeat,spring,x,own decision,", "expected a period such as"),
        ("L4-repeat,2003-04 Q1,,own decision,", "column reason: found '', expected some text"),
        ("L4-repeat,2003-04 Q1,x,stratgy,p 1", "Did you mean 'strategy'?"),
        ("L4-repeat,2003-04 Q1,x,strategy,", "column location: found '', expected the place"),
        ("N2,2003-04 Q1,x,own decision,", "a quarterly measure, since no other has a control"),
    ],
)
def test_a_wrong_rebase_is_refused_with_its_place(council: Path, row: str, says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)) as caught:
        load_agreement(with_rebases(council, row))
    assert len(caught.value.findings) == 1
    assert str(caught.value).startswith("error: raw/register/rebases.csv, row 2, column ")


def test_a_rebase_given_twice_is_refused(council: Path) -> None:
    row = "L4-repeat,2003-04 Q1,x,own decision,"
    again = "L4-repeat,2003/04 Q1,y,own decision,"
    with pytest.raises(DataError, match="Row 2 has it already"):
        load_agreement(with_rebases(council, row, again))


def test_check_names_a_rebase_that_leaves_too_few_figures(council: Path) -> None:
    with_rebases(council, "L4-repeat,2003-04 Q1,x,own decision,", "N13,2001-02 Q3,y,own decision,")
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    assert (
        "error: raw/register/rebases.csv, row 3, column period: found '2001-02 Q3', expected a "
        "quarter with 6 figures before it and from it on: limits need 6 figures, and there are 2 "
        "before 2001-02 Q3. Take another quarter"
    ) in result.output
    assert "row 2" not in result.output.partition("rebases.csv")[2].partition("\n")[0]
