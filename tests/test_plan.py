"""A council plan of the 2020s: twelve measures, every kind of target, three quarters by hand."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from builders import consecutive, psa, psa_run

from psa_analysis.periods import FREQUENCIES
from psa_analysis.pipeline import open_report

SETTINGS = """themes = {CP-1 = "Service", CP-2 = "Children", CP-3 = "Place", CP-4 = "People"}
[agreement]
name = "Riverton Council Plan"
council = "Riverton Council"
area = "Riverton"
first_year = "2023/24"
last_year = "2025/26"
"""
# Nothing of a plan is rewarded: performance without the agreement does not apply.
MEASURES = """measure,title,unit,polarity,frequency,baseline,baseline_period,rule,target,target_to,\
due,profile,tolerance,without,reference
CP-1.1,Calls answered in time,percent,higher,quarterly,,,standard,80,,2025-26 Q4,,5%,,CP-1.1
CP-1.2,Planning in time,percent,higher,quarterly,65,2022-23 Q4,yearly,80,,2025-26 Q4,steps,2,,CP-1.2
CP-1.3,Council tax collected,percent,higher,annual,98,2022/23,maintain,97.5,,2025/26,,1,,CP-1.3
CP-2.1,School attendance,percent,higher,termly,92,2022/23,level,95,,summer term 2026,,,,CP-2.1
CP-2.2,Good GCSEs,percent,higher,exam_year,48,2022/23,yearly,54,,2025/26,given,,,CP-2.2
CP-2.3-wait,Wait to be seen,weeks,not stated,quarterly,,,range,6,8,2025-26 Q4,,,,CP-2.3
CP-3.1,Households,households,not stated,calendar_year,,,none,,,,,,,CP-3.1
CP-3.2,Recycling,percent,higher,annual,44,2022/23,level,50,,2025/26,,5%,,CP-3.2
CP-3.3,Fly-tips,incidents,lower,calendar_year,1200,2022,level,900,,2025,,50,,CP-3.3
CP-4.1,Looked after,"per 10,000 children",not stated,annual,,,range,60,70,2025/26,,5%,,CP-4.1
CP-4.2,Sickness,days,lower,annual,8.5,2022/23,maintain,9,,2025/26,,2%,,CP-4.2
CP-4.3,Time to answer complaints,days,lower,monthly,,,standard,10,,March 2026,,,,CP-4.3
"""
LEVELS = "measure,period,value\nCP-1.2,2023-24 Q4,70\nCP-1.2,2024-25 Q4,75\n"
LEVELS += "CP-2.2,summer 2024,50\nCP-2.2,summer 2025,52\n"
#: The readings of each period from 2023/24 on.
READINGS = {
    "CP-1.1": [82, 79, 80, 81, 75.5, 75, 84, 77, 75.9],
    "CP-1.2": [66, 68, 69, 71, 71, 72, 76, 74, 74.5],
    "CP-2.3-wait": [9, 8.5, 8.2, 7.9, 7.6, 7.4, 7.1, 7, 7.2],
    # Days, month by month; each digit says how many fewer than 13.
    "CP-4.3": [13 - int(short) for short in "112223334434443324454342343"],
    "CP-2.1": [92.6, 92.7, 93, 93.1, 92.9],
    **{"CP-1.3": [97.6, 97.4], "CP-2.2": [50.5], "CP-3.1": [91_000, 91_800]},
    **{"CP-3.2": [45, 46], "CP-3.3": [1_080, 1_050], "CP-4.1": [72, 69], "CP-4.2": [8.8, 9.2]},
}


def write_plan(folder: Path) -> Path:
    """The plan's data folder: settings, register and one file of returns."""
    register = folder / "raw" / "register"
    register.mkdir(parents=True)
    (folder / "raw" / "agreement.toml").write_text(SETTINGS)
    (register / "measures.csv").write_text(MEASURES)
    (register / "trajectories.csv").write_text(LEVELS)
    measures = pd.read_csv(register / "measures.csv").set_index("measure")
    targets = measures[["reference"]].assign(theme=measures["reference"].str[:4], outcome="Better")
    targets.to_csv(register / "targets.csv", index=False)
    returned = ["measure,area,period,value,received"]
    for name, values in READINGS.items():
        frequency = FREQUENCIES[measures.at[name, "frequency"]]
        kind, periods = frequency.kind, consecutive(frequency.kind, 2023, len(values))
        # Figures of terms and years take longer than those of months and quarters.
        days = timedelta(days=30 if frequency.per_year > 3 else 75)
        for period, value in zip(periods, values, strict=True):
            label = f"summer {period.end.year}" if kind == "exam_year" else period.label
            returned.append(f"{name},Riverton,{label},{value},{period.end + days}")
    (folder / "raw" / "returns").mkdir()
    (folder / "raw" / "returns" / "all.csv").write_text("\n".join(returned))
    return folder


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_plan(tmp_path_factory.mktemp("plan") / "riverton")
    assert psa("check", "--data", str(folder)).exit_code == 0
    return folder


PERIODS = ["2023-24 Q4", "2024-25 Q4", "2025-26 Q1"]
ALWAYS, KEPT = "standard for every period", "level to maintain"
YEARS = [f"target of {year}" for year in ("2023-24 Q4", "2024-25 Q4", "2025-26 Q4")]
#: What judges, and for each of the periods: state, by which figure, and by tolerance. Of chances,
#: which test_forecast and test_outlook check, the side of the thresholds stands here.
BY_HAND = {
    # 81 reaches 80; 77 is 3 short, of the 4 that 5 % allows; 75.9 is 4.1 short.
    "CP-1.1": (ALWAYS, "achieved deciding met", "missed deciding within", "missed deciding beyond"),
    # 71 against 70, 74 against 75; then 74.5 on the way to 80, and steps that hold 75 till then.
    "CP-1.2": (YEARS, "achieved deciding met", "missed deciding within", "off track chance within"),
    # The year's figure is not in; 97.6 is not below 97.5; 97.4 is, by 0.1 of the 1 allowed.
    "CP-1.3": (KEPT, "not due", "on track latest met", "at risk chance within"),
    # From 92 in August 2023 to 95 in August 2026: 92.33 in December 2023, where 92.6 is 180 % of
    # the rise; 93.33 in December 2024, 93.1 is 82 %; 93.67 in April 2025, 92.9 is 54 %.
    "CP-2.1": ("target", "on track path", "at risk path", "off track path"),
    # 50.5 in summer 2024 against the 50 of that year.
    "CP-2.2": ("target of 2023/24", "not due", "achieved deciding", "achieved deciding"),
    # All lie within 6 to 8, but at first the wait falls by half a week a quarter, to 7.9.
    "CP-2.3-wait": ("range", "at risk chance", "on track chance", "on track chance"),
    "CP-3.1": ("", "not judged", "not judged", "not judged"),
    # 46 planned: 45 is half of the way from 44, and 1 short of it, of the 2.3 that 5 % allows;
    # then 48 and 46, of 2.4 allowed, and a third reading with the baseline's for a forecast.
    "CP-3.2": ("target", "not due", "off track path within", "off track chance within"),
    # 1,100 planned: 1,080 is 120 of 100 fewer; then 1,000, and 1,050 is exactly the 50 allowed.
    "CP-3.3": ("target", "on track path met", *["off track chance within"] * 2),
    # 72 is 2 above 70, of the 3 that 5 % of 60 allows; 69 lies within.
    "CP-4.1": ("range", "not due", "at risk latest within", "on track latest met"),
    # 8.8 is no more than 9, if worse than 8.5; 9.2 is 0.2 more, and 2 % allows 0.18.
    "CP-4.2": (KEPT, "not due", "on track latest met", "off track chance beyond"),
    # In March 9 days, which are no more than 10; the next March 11; in June 10.
    "CP-4.3": (ALWAYS, "achieved deciding", "missed deciding", "achieved deciding"),
}
JUDGES = {"deciding": "deciding reading", "latest": "latest reading", "path": "planned path"}
JUDGES["chance"] = "chance that it is met"
#: Of so many quarters and months of the two standards, in how many each was met.
MET = [([4, 12], [3, 7]), ([8, 24], [4, 17]), ([9, 27], [4, 20])]


@pytest.mark.parametrize("number", range(3))
def test_each_state_is_as_worked_out_by_hand(plan: Path, number: int) -> None:
    table = open_report(PERIODS[number], str(plan)).assessment.set_index("measure")
    assert set(table.index) == set(BY_HAND) == set(READINGS)
    for name, (rule, *cells) in BY_HAND.items():
        row, words = table.loc[name], cells[number].split()
        judged = words[-1] not in ("due", "judged")
        tolerance = f"{words.pop()} tolerance" if judged and row["tolerance"] else ""
        found = "" if pd.isna(row["by_tolerance"]) else row["by_tolerance"]
        assert found == tolerance.replace("met tolerance", "met"), name
        judge = JUDGES[words.pop()] if judged else ""
        state = " ".join(words)
        named = rule[number] if isinstance(rule, list) else rule
        judged_by = f"{named}: {judge}" if judged else "not judged"
        assert (row["state"], row["judged_by"]) == (state, judged_by), name
        assert row["is_forecast"] == (judge != "deciding reading" and name != "CP-3.1"), name
    periods, met = MET[number]
    standards = table.loc[["CP-1.1", "CP-4.3"]]
    assert standards["periods"].tolist() == periods
    assert (standards["share_met"] * periods).tolist() == pytest.approx(met)
    assert f"met in {met[0]} of {periods[0]} periods so far" in standards["reason"].iloc[0]


def test_the_chance_of_a_range_is_that_of_lying_within_it(plan: Path) -> None:
    report = open_report("2025-26 Q1", str(plan))
    draws = report.outlooks["CP-2.3-wait"].draws[:, -1]
    chance = report.rows["CP-2.3-wait"]["chance_target"]
    assert chance == pytest.approx(((draws >= 6) & (draws <= 8)).mean())


def test_a_years_target_whose_reading_never_came_is_not_passed_over(plan: Path) -> None:
    # Summer 2025 ended on 31 August, more than 190 days before.
    row = open_report("2025-26 Q4", str(plan)).rows["CP-2.2"]
    assert row[["state", "target", "due", "late"]].tolist() == ["no data", 52, "2024/25", True]


def test_commands_say_nothing_of_a_reward_that_is_not_there(plan: Path) -> None:
    data = ["--data", str(plan)]
    said = psa("grant", "2024-25 Q4", *data).output
    assert said == "No target of this agreement earns a reward.\n"
    assert "Up to      8" in psa("explain", "CP-2.3-wait", "2024-25 Q4", *data).output
    # The next year's target is no change of the register.
    changes = "  target: 70% -> 75%\n  due: 2023-24 Q4 -> 2024-25 Q4\n  because: new reading of "
    assert f"{changes}2024-25 Q4\n" in psa("diff", *PERIODS[:2], *data).output


def test_the_pack_of_a_plan_names_the_rules(plan: Path) -> None:
    out = plan.parent / "out"
    result = psa_run("2024-25 Q4", "--data", str(plan), "--outputs", str(out))
    assert result.exit_code == 0, result.output
    pages = {path.stem: path.read_text() for path in (out / "2024-25-Q4").glob("*.html")}
    assert '<a href="theme_CP-2.html#CP-2.3-wait">Wait to be seen</a>' in pages["index"]
    assert "tolerance 5%: within" in pages["index"]
    assert "7 measures need a decision." in pages["index"]  # of nobody who is named
    assert "6 to 8 weeks" in pages["index"]
    assert "reward" not in pages["index"].lower()
    assert f"{ALWAYS}: deciding reading" in pages["theme_CP-1"]
    assert "target of 2023/24: deciding reading" in pages["theme_CP-2"]
    assert "Not judged: the agreement gives it no direction" in pages["theme_CP-3"]
    assert f"{KEPT}: latest reading" in pages["theme_CP-4"]


CONTRADICTIONS = """CP-2.3-wait|target_to||the upper end of the range, more than 6
CP-2.3-wait|target_to|6|the upper end of the range, more than 6
CP-2.3-wait|polarity|lower|'not stated' for range and none
CP-3.2|target_to|55|nothing for any other rule
CP-3.2|tolerance|5 percent|a tolerance such as 5% or 2
CP-3.2|target|44|or the rule maintain
CP-1.3|target|98.5|or the rule level
CP-1.3|profile|linear|nothing by the rule maintain, which has no path
CP-1.3|without|97|only the rule level earns a reward
CP-2.2|profile||steps or given, with the target of each year
CP-3.1|tolerance|5%|nothing, since there is no target
CP-3.1|measure|CP 3.1|a reference such as N2 or CP-1.2
CP-3.1|measure|CP-3.10|the reference that its name begins with"""


@pytest.mark.parametrize("case", CONTRADICTIONS.splitlines())
def test_columns_that_contradict_each_other_are_one_finding(tmp_path: Path, case: str) -> None:
    name, column, cell, says = case.split("|")
    path = write_plan(tmp_path / "riverton") / "raw" / "register" / "measures.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[table["measure"] == name, column] = cell
    table.to_csv(path, index=False)
    output = psa("check", "--data", str(tmp_path / "riverton")).output
    found = [line for line in output.splitlines() if line.startswith("error: ")]
    assert [says in line for line in found if "measures.csv" in line] == [True], output
