"""Control charts: known answers of another tool, rules worked by hand, and what pages say."""

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import EXPECTED, ReportOf, drawn_text, observed, psa
from hypothesis import given
from hypothesis import strategies as st

import psa_analysis
from psa_analysis.analysis import control
from psa_analysis.analysis.control import assurance, season_share, two_in_three, xmr
from psa_analysis.findings import DataError
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.control import control_of, control_text

#: Numbers of NHSRplotthedots' own tests (MIT); the file names the place of each.
KNOWN = json.loads((EXPECTED / "spc_known_answers.json").read_text())
MARKS = ["outside", "run", "trend", "two_in_three"]


def series(values: list) -> pd.Series:
    return pd.Series(values, index=[f"p{number}" for number in range(len(values))], dtype=float)


def completed(rule: Callable, values: list) -> list[int]:
    """What the rule says of each figure from those up to it: marked where a pattern is complete."""
    return [rule(series(values[: end + 1]), 7).iloc[-1] for end in range(len(values))]


@pytest.mark.parametrize("case", KNOWN["limits"], ids=lambda case: case["id"])
def test_limits_are_the_known_ones(case: dict) -> None:
    chart = xmr(series(case["y"]))
    for column, name in (("centre", "mean"), ("lower", "lpl"), ("upper", "upl")):
        assert chart[column].nunique() == 1
        assert chart[column].iloc[0] == pytest.approx(case[name], abs=case["atol"], rel=0)


def test_runs_trends_and_two_in_three_are_the_known_ones() -> None:
    runs = KNOWN["seven_point_one_side_mean"]["cases"]
    for sides, ends in runs:
        assert np.abs(completed(control.in_runs, sides)).tolist() == ends
    trends = KNOWN["seven_point_trend"]["cases"]
    for values, ends in trends:
        assert completed(control.in_trends, values) == ends
    threes = KNOWN["two_in_three"]["cases"]
    for close, sides, marks in threes:
        assert two_in_three(series(close), series(sides)).abs().tolist() == marks
    assert [len(runs), len(trends), len(threes)] == [5, 7, 10]
    # From the figure that completes it, a run or trend is marked back to its first.
    for ends, marks in KNOWN["part_of_seven_trend"]["cases"]:
        if 1 in ends:
            sides = [-1] * marks.index(1) + [1] * 7 + [-1]
            assert completed(control.in_runs, sides) == ends
            assert control.in_runs(series(sides), 7).tolist() == marks


@pytest.mark.parametrize(
    "case",
    [
        *KNOWN["assurance"]["cases"],
        # A target on a limit is within them, and without limits there is nothing to say.
        ["decrease", 1, 4, 4, "inconsistent"],
        ["decrease", np.nan, np.nan, 4, None],
    ],
    ids=str,
)
def test_assurance_is_the_known_one(case: list) -> None:
    direction, lower, upper, target, expected = case
    polarity = {"increase": "higher", "decrease": "lower", "neutral": ""}[direction]
    names = {"consistent_pass": "consistently hits", "consistent_fail": "consistently misses"}
    names |= {"inconsistent": "unreliable", None: ""}
    assert assurance(lower, upper, target, polarity) == names[expected]


@pytest.mark.parametrize(("count", "threshold", "warns"), KNOWN["short_group_warning"]["cases"])
def test_few_figures_make_trial_limits(count: int, threshold: int, warns: bool) -> None:
    assert threshold == control.TRIAL_BELOW
    assert xmr(series([1.0, 2.0] * 6)[:count])["trial"].tolist() == [warns] * count


@pytest.mark.parametrize("case", KNOWN["real_data_drawn"]["series"], ids=lambda case: case["id"])
def test_real_series_have_the_limits_and_kinds_that_the_package_drew(case: dict) -> None:
    """36 months of A&E, plain, rebased, and with limits that are those of the first twelve."""
    assert case["improvement_direction"] == "increase"
    values = series([-height for height in case["heights"]])
    assert len(values) == len(case["kinds"]) == 36
    rebases = [f"p{phase['first']}" for phase in case["phases"][1:]]
    chart = xmr(values, "higher", rebases, values.index[: case["limits_from"] or 0])
    for number, phase in enumerate(case["phases"]):
        row = chart.iloc[phase["first"]]
        assert row["phase"] == number
        for column, name in (("centre", "mean"), ("lower", "lower"), ("upper", "upper")):
            atol = KNOWN["real_data_drawn"]["atol"]
            assert -row[column] == pytest.approx(phase[name], abs=atol, rel=0)
    assert chart["kind"].tolist() == case["kinds"]
    assert chart["in_limits"].sum() == (case["limits_from"] or 36)


HIGHEST = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
SIXTH_AND_SEVENTH = [0, 0, 0, 0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("values", "rule", "marks"),
    [
        # Seven on one side of the mean, but the fourth lies on it; then seven below it.
        ([1, 1, 1, 0, 1, 1, 1, 1, *[-1] * 7], "run", [0] * 8 + [-1] * 7),
        ([1, 1, 1, None, 1, 1, 1, 1, *[-1] * 7], "run", [0] * 8 + [-1] * 7),
        # Six rises in a row are seven figures; an equal neighbour or a gap ends them.
        ([1, 2, 3, 4, 5, 6, 7], "trend", [1] * 7),
        ([1, 2, 3, 3, 4, 5, 6, 7], "trend", [0] * 8),
        ([1, 2, 3, None, 4, 5, 6, 7], "trend", [0] * 8),
        ([1, 7, 6, 5, 4, 3, 2, 1], "trend", [0] + [-1] * 7),
        # Mean 0 and limits 133 away: a figure on a limit is within it.
        ([-60, -30, -3, -50, 80, 133, 70, 20, -10, -70, -80], "outside", [0] * 11),
        ([-60, -30, -3, -50, 80, 133.01, 70, 20, -10, -70, -80], "outside", HIGHEST),
        # 125 is exactly two thirds of the way to the limit, 225 beyond it: only 175 is close.
        ([-300, -125, -50, -25, -25, 175, 125, 225, -300], "two_in_three", [0] * 9),
        ([-300, -125, -50, -25, -25, 175, 126, 225, -300], "two_in_three", SIXTH_AND_SEVENTH),
    ],
)
def test_a_rule_on_figures_that_it_decides(values: list, rule: str, marks: list[int]) -> None:
    assert xmr(series(values))[rule].tolist() == marks


def test_a_trend_is_judged_by_its_direction_and_a_figure_beyond_a_limit_by_its_side() -> None:
    # Mean 18; the trend begins below it and is an improvement all the same.
    rising = series([14, 15, 16, 17, 18, 19, 20, 25, 11, 25, 18])
    assert xmr(rising, "higher")["kind"].tolist() == ["improvement"] * 8 + ["ordinary"] * 3
    # Six rises from far below: the first lies under the lower limit, though the trend is good.
    values = series([-30, -3, -2, -1, 0, 1, 2, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    first = xmr(values, "higher").iloc[0]
    assert first[["trend", "outside", "kind"]].tolist() == [1, -1, "concern"]


def test_a_series_that_does_not_move_has_no_sign_of_anything() -> None:
    # 0.1 is no binary fraction: the mean of ten of them is not 0.1 in floats.
    chart = xmr(series([0.1] * 10), "higher")
    assert chart["kind"].tolist() == ["ordinary"] * 10
    assert chart["lower"].iloc[0] == pytest.approx(0.1)
    assert chart["upper"].iloc[0] == pytest.approx(0.1)


def test_a_missing_figure_has_no_range_and_no_mark() -> None:
    # Ranges 1 and 1, none across the gap: limits 2.66 from the mean of 3.
    chart = xmr(series([1, 2, None, 4, 5]))
    assert chart["upper"].iloc[0] == pytest.approx(3 + 2.66)
    assert chart[MARKS].iloc[2].tolist() == [0, 0, 0, 0]
    # Without a range there are no limits.
    assert xmr(series([3]))[["centre", "lower", "upper"]].isna().all(axis=None)


figures = st.lists(st.integers(-50, 50), min_size=2, max_size=30)


@given(figures, st.decimals(-1000, 1000, places=3), st.sampled_from([0.001, 0.5, 3, 10, 250]))
def test_another_zero_or_unit_moves_the_limits_and_no_mark(values, constant, factor) -> None:
    plain = xmr(series(values), "lower")
    moved = xmr(series([float(value + constant) for value in values]), "lower")
    scaled = xmr(series([round(value * factor, 3) for value in values]), "lower")
    for chart in (moved, scaled):
        assert chart[[*MARKS, "kind"]].equals(plain[[*MARKS, "kind"]])
    for limit in ("centre", "lower", "upper"):
        assert moved[limit].to_numpy() == pytest.approx(plain[limit] + float(constant), abs=1e-9)
        assert scaled[limit].to_numpy() == pytest.approx(plain[limit] * factor, rel=1e-9, abs=1e-9)


@given(figures)
def test_the_other_polarity_swaps_improvement_and_concern(values) -> None:
    swap = {"improvement": "concern", "concern": "improvement", "ordinary": "ordinary"}
    lower, higher = xmr(series(values), "lower"), xmr(series(values), "higher")
    assert higher["kind"].map(swap).tolist() == lower["kind"].tolist()
    # So does turning the figures upside down.
    mirrored = xmr(-series(values), "higher")
    assert mirrored["kind"].tolist() == lower["kind"].tolist()
    assert (mirrored[MARKS] == -lower[MARKS]).all(axis=None)
    # Only what a rule marks stands out.
    assert ((lower["kind"] == "ordinary") == (lower[MARKS] == 0).all(axis=1)).all()


def test_a_rebase_is_two_charts_one_after_the_other() -> None:
    values = series([5, 7, 6, 8, 5, 6, 15, 17, 16, 18, 15, 16])
    parts = [xmr(values[:6], "lower"), xmr(values[6:], "lower").assign(phase=1)]
    pd.testing.assert_frame_equal(xmr(values, "lower", ["p6"]), pd.concat(parts))


def test_a_rebase_needs_enough_figures_and_a_period_that_exists() -> None:
    values = series(list(range(12)))
    for rebases, early in ((["p60"], "p60"), (["p5"], "p5"), (["p7"], "p7"), (["p9", "p6"], "p9")):
        assert control.rebases_too_early(list(values.index), rebases) == [early]
    with pytest.raises(KeyError, match="up"):
        xmr(values, "up")


def test_the_seasons_share_is_found_beside_a_drift_and_not_in_noise() -> None:
    times = np.arange(16)
    seasons, level = (times % 4 + 1).tolist(), [0] * 16
    pattern = np.tile([10.0, -4, 7, -13], 4)
    share, chance, effects = season_share(pattern + 3.0 * times + 2, seasons, level)
    assert share == pytest.approx(1)
    assert chance < 1e-6
    assert effects == pytest.approx(pattern)
    # With levels of their own before and after a rebase.
    stepped = pattern + np.where(times < 8, 0, 500)
    assert season_share(stepped, seasons, times >= 8)[0] == pytest.approx(1)
    assert np.isnan(season_share(3.0 * times, seasons, level)[0])
    assert np.isnan(season_share([1.0, 2, 1, 2, 1], [1, 2, 3, 4, 1], [0] * 5)[0])
    # Of series without seasons one in twenty may seem to have them: 20 of 400, give or take 13.
    draws = np.random.default_rng(7).normal(size=(400, 16))
    assert 7 <= sum(season_share(row, seasons, level)[1] < 0.05 for row in draws) <= 33


MEASURE = {"frequency": "quarterly", "basis": "point", "polarity": "higher", "unit": "people"}


def charted(
    values: list, rebases: dict[str, str] | None = None, until: date = date.max, **changes
) -> control.Control:
    """The control chart of quarters from 2001-02 Q1 on; None leaves a quarter out."""
    quarters = observed("M", values, 2001).rename(columns={"value": "observed"})
    measure = pd.Series(MEASURE | {"target": np.nan} | changes)
    return control.measure_control(quarters, measure, measure["unit"], rebases or {}, until)


SEASON = np.tile([30.0, -10, 5, -25], 5)
NOISE = [2.0, -3, 1, 0, -2, 3, -1, 2, 0, -2, 3, -3, 1, 2, -1, -2, 3, 0, -3, 1]
STEADY = 200 + SEASON + NOISE


def judged(change: np.ndarray, **more) -> control.Control:
    """A chart of 20 seasonal quarters with a change, of which eight are the baseline."""
    return charted([*STEADY + change], until=date(2003, 3, 31), polarity="lower", **more)


def test_a_steady_fall_is_seen_through_the_season_and_blames_no_year_before_it() -> None:
    fall = np.r_[np.zeros(8), -np.arange(1.0, 13)]
    chart = judged(fall)
    # The plain chart of the same figures sees nothing.
    assert (xmr(series([*(STEADY + fall)]), "lower")["kind"] == "ordinary").all()
    assert chart.points["value"].to_numpy() == pytest.approx(200 + fall + NOISE, abs=4)
    assert chart.points.groupby("in_limits")["kind"].agg(set)[True] == {"ordinary"}
    assert chart.points["kind"].iloc[-8:].tolist() == ["improvement"] * 8
    assert (chart.changed, chart.assurance, list(chart.proposed)) == ("improvement", "", [])
    assert " are better beyond chance than the baseline's " in control_text(chart)
    assert "Adjusted for the time of year (" in control_text(chart)


def test_a_step_that_holds_is_proposed_as_a_rebase_and_never_made() -> None:
    step = np.r_[np.zeros(11), np.full(9, -15.0)]
    chart, rebased = judged(step), judged(step, rebases={"2003-04 Q4": "New locks"})
    assert chart.points["phase"].eq(0).all()
    assert control_text(chart).endswith(
        "Proposed: start mean and limits anew at 2003-04 Q4, after 9 quarters below the mean "
        "(register/rebases.csv)."
    )
    assert (list(rebased.proposed), rebased.points["phase"].max()) == ([], 1)
    # Six quarters are no run, and one back over the mean ends it.
    assert judged(np.r_[np.zeros(14), step[-6:]]).proposed.empty
    assert judged(np.r_[step[:-1], 15]).proposed.empty


def test_without_change_there_is_none_and_too_short_a_baseline_sets_no_limits() -> None:
    text = control_text(judged(np.zeros(20)))
    assert text.startswith("No sign of change in 20 quarters (trial limits). The newest 4 quarters")
    assert "are within chance of the baseline's" in text
    assert charted([5.0, 6, 4] * 4, until=date(2002, 12, 31)).points["in_limits"].all()


def test_a_report_of_the_past_charts_what_had_come_in(report_of: ReportOf) -> None:
    report = report_of("2003-04 Q1")
    before = control_of(report, "N13")
    assert before.points["period"].iloc[-1] == "2003-04 Q1"
    assert "No sign of change in 9 quarters (trial limits)" in control_text(before)
    few = control_of(report_of("2001-02 Q4"), "N13")
    assert few.reason == "limits need 6 quarters, and there are 4"
    assert control_of(report_of("2001-02 Q1"), "N14-into-work").reason.endswith("there are 0")
    # A quarter that came in early belongs to a later report.
    early = report.readings[report.readings["period"] == "2003-04 Q1"]
    early = early.assign(period="2003-04 Q2", period_end=pd.Timestamp("2003-09-30"))
    with_early = dataclasses.replace(report, readings=pd.concat([report.readings, early]))
    assert control_of(with_early, "N13").points["period"].iloc[-1] == "2003-04 Q1"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"frequency": "exam_year"}, "it is not measured every quarter"),
        ({"basis": "milestone"}, "the reading is not the figure of one quarter"),
        ({"basis": "gap_to_comparator"}, "the reading is not the figure of one quarter"),
        ({"made_of": "headcount"}, "a headcount is decided, and not moved by chance"),
    ],
)
def test_measures_that_can_have_no_chart_say_why(changes: dict, why: str) -> None:
    assert why in charted([1.0] * 9, **changes).reason


@pytest.mark.parametrize(
    ("basis", "unit", "comparable"),
    [
        ("point", "people", True),
        ("rolling_12m", "percent", True),
        ("rolling_12m", "incidents", False),
        ("change_from_baseline", "percent change", False),
        ("cumulative", "people", False),
        ("year_to_date", "crimes", False),
    ],
)
def test_a_target_is_compared_only_with_figures_of_its_own_size(basis, unit, comparable) -> None:
    target = charted([5.0, 6] * 4, basis=basis, unit=unit, target=10.2).target
    assert (target == 10.2) if comparable else np.isnan(target)


def test_the_newest_phase_decides_whether_the_target_is_met() -> None:
    # 100 or so, then 10 or so, and a target of at most 20.
    values = [100.0, 101, 99, 100, 101, 99, 10, 11, 9, 10, 11, 9]
    # Without a rebase the limits are of no time that goes on.
    assert charted(values, polarity="lower", target=20.0).assurance == ""
    rebases = {"2002-03 Q3": "Another way of counting."}
    split = charted(values, rebases, polarity="lower", target=20.0)
    assert split.assurance == "consistently hits"
    assert control_text(split) == (
        "No sign of change in 12 quarters (trial limits); if nothing changes, every quarter meets "
        "the target. Mean and limits start anew at 2002-03 Q3: Another way of counting."
    )
    assert charted(values, rebases, target=20.0).assurance == "consistently misses"


def test_a_rebase_not_yet_possible_waits_and_a_later_one_is_not_known() -> None:
    rebases = {"2002-03 Q4": "New forms", "2005-06 Q1": "New law"}
    chart = charted([5.0, 6, 4, 5, 6, 4, 5, 6, 4], rebases)
    assert chart.rebases == {}
    assert chart.points["phase"].tolist() == [0] * 9


@pytest.mark.parametrize(
    ("values", "unit", "limit", "at"),
    [
        ([0.0, 9, 0, 9, 9, 0, 9, 0], "people", "lower", 0),
        ([100.0, 91, 100, 91, 91, 100, 91, 100], "percent", "upper", 100),
        ([0.0, 9, 0, 9, 9, 0, 9, 0], "percentage points", "lower", 4.5 - 2.66 * 54 / 7),
    ],
)
def test_limits_end_where_figures_must(values: list, unit: str, limit: str, at: float) -> None:
    assert charted(values, unit=unit).points[limit].tolist() == pytest.approx([at] * 8)


def test_a_quarter_that_never_came_is_a_gap_and_words_name_the_one_far_out() -> None:
    chart = charted([5.0, 6, 4, None, 6, 4, 5, 6, 40, 5, 6, 4], polarity="lower")
    gap = chart.points.iloc[3]
    assert gap[["period", "flag", "illustrative"]].tolist() == ["2001-02 Q4", "", False]
    assert np.isnan(gap["value"])
    assert "; concern, 2003-04 Q1;" in control_text(chart)


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q3", "2006-07 Q3"])
def test_every_measure_has_a_chart_or_a_reason_and_no_words_against_its_path(
    report_of, period: str
) -> None:
    report = report_of(period)
    for measure in report.rows:
        view = psa_analysis.control_chart(report, measure)
        text, changed = view.words.text, control_of(report, measure).changed
        assert text.endswith(".")
        assert ".." not in text
        if not view.reason:
            assert drawn_text(view.chart)
            assert len(view.table.frame) == len(view.data)
        if changed:
            way = {"improvement": "better", "concern": "worse"}[changed]
            assert "No sign of change" not in text
            assert f" {way} beyond chance than " in text


def test_the_picture_is_drawn_from_the_same_numbers(report: Report) -> None:
    drawn = drawn_text(psa_analysis.control_chart(report, "L4-repeat").chart)
    shown = ("Mean ", "Upper ", "Lower ", "Target 10.2%", "Baseline")
    assert [text for text in shown if text not in drawn] == []
    adjusted = psa_analysis.control_chart(report, "N13").chart
    assert "As observed" in drawn_text(adjusted)
    assert list(adjusted.table.frame)[1:3] == ["Figure", "Adjusted for the time of year"]
    with pytest.raises(KeyError, match="no measure 'N99'"):
        control_of(report, "N99")


def with_rebases(council: Path, *rows: str) -> Path:
    path = council / "raw" / "register" / "rebases.csv"
    path.write_text("\n".join(["measure,period,reason,document,location", *rows, ""]))
    return council


def test_a_rebase_of_the_register_shows_in_chart_and_words(council: Path) -> None:
    with_rebases(council, "L4-repeat,Q1 2003-04,Daily visits began,own decision,")
    agreement = load_agreement(council)
    loaded = load_observations(agreement)
    report, early = (
        make_report(agreement, *loaded, quarter(label)) for label in ("2004-05 Q3", "2002-03 Q4")
    )
    view = psa_analysis.control_chart(report, "L4-repeat")
    chart = view.chart
    assert "From 2003-04 Q1" in drawn_text(chart)
    assert "start anew at 2003-04 Q1: Daily visits began." in view.words.text
    assert chart.data["phase"].value_counts().tolist() == [8, 7]
    # Before it could be known, the report is what it was.
    assert "anew" not in psa_analysis.control_chart(early, "L4-repeat").words.text


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("L4-repaet,2003-04 Q1,x,own decision,", "Did you mean 'L4-repeat'?"),
        ("L4-repeat,2003/04,x,own decision,", "column period: found '2003/04', expected a quarter"),
        ("L4-repeat,2003-04 Q1,x,stratgy,p 1", "Did you mean 'strategy'?"),
        ("L4-repeat,2003-04 Q1,x,strategy,", "column location: found '', expected the place"),
        ("N2,2003-04 Q1,x,own decision,", "a quarterly measure, since no other has a control"),
        ("L5,2003/04 Q1,y,own decision,", "Row 2 has it already"),
    ],
)
def test_a_wrong_rebase_is_refused_with_its_place(council: Path, row: str, says: str) -> None:
    sound = "L5,2003-04 Q1,x,own decision,"
    with pytest.raises(DataError, match=re.escape(says)) as caught:
        load_agreement(with_rebases(council, sound, row))
    assert len(caught.value.findings) == 1
    assert str(caught.value).startswith("error: raw/register/rebases.csv, row 3, column ")


def test_check_names_a_rebase_that_leaves_too_few_figures(council: Path) -> None:
    with_rebases(council, "L4-repeat,2003-04 Q1,x,own decision,", "N13,2001-02 Q3,y,own decision,")
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    place = "error: raw/register/rebases.csv, row 3, column period: found '2001-02 Q3', expected a "
    assert place in result.output
    assert "rebases.csv, row 2" not in result.output
