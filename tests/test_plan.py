"""A council plan of the 2020s: twelve measures, every kind of target, three quarters by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from builders import consecutive, psa

from psa_analysis.periods import parse_period
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report

SETTINGS = """[agreement]
name = "Riverton Council Plan"
council = "Riverton Council"
area = "Riverton"
first_year = "2023/24"
last_year = "2025/26"
[themes]
service = "A council that answers"
children = "A good start in life"
place = "Clean and growing"
people = "People who need us"
"""
THEMES = {"CP-1": "service", "CP-2": "children", "CP-3": "place", "CP-4": "people"}
# Nothing of a plan is rewarded: performance without the agreement does not apply.
COLUMNS = "measure,title,unit,polarity,frequency,baseline,baseline_period,rule,target,target_to,"
COLUMNS += "due,profile,tolerance,without"
MEASURES = """
CP-1.1,Calls answered in time,percent,higher,quarterly,,,standard,80,,2025-26 Q4,,5%,
CP-1.2,Planning in time,percent,higher,quarterly,65,2022-23 Q4,yearly,80,,2025-26 Q4,steps,2,
CP-1.3,Council tax collected,percent,higher,annual,98,2022/23,maintain,97.5,,2025/26,,1,
CP-2.1,School attendance,percent,higher,exam_year,92,2022/23,level,95,,2025/26,,,
CP-2.2,Good GCSEs,percent,higher,exam_year,48,2022/23,yearly,54,,2025/26,given,,
CP-2.3-wait,Wait for an assessment,weeks,not stated,quarterly,,,range,6,8,2025-26 Q4,,,
CP-3.1,Households,households,not stated,calendar_year,,,none,,,,,,
CP-3.2,Recycling,percent,higher,annual,44,2022/23,level,50,,2025/26,,5%,
CP-3.3,Fly-tips,incidents,lower,calendar_year,1200,2022,level,900,,2025,,50,
CP-4.1,Looked after,"per 10,000 children",not stated,annual,,,range,60,70,2025/26,,5%,
CP-4.2,Sickness,days,lower,annual,8.5,2022/23,maintain,9,,2025/26,,2%,
CP-4.3,Time to answer complaints,days,lower,quarterly,,,standard,10,,2025-26 Q4,,,
"""
LEVELS = """measure,period,value
CP-1.2,2023-24 Q4,70
CP-1.2,2024-25 Q4,75
CP-2.2,summer 2024,50
CP-2.2,summer 2025,52
"""
#: The readings from 2023/24 on, the oldest first.
READINGS = {
    "CP-1.1": [82, 79, 80, 81, 75.5, 75, 84, 77, 75.9],
    "CP-1.2": [66, 68, 69, 71, 71, 72, 76, 74, 74.5],
    "CP-1.3": [97.6, 97.4],
    "CP-2.1": [93],
    "CP-2.2": [50.5],
    "CP-2.3-wait": [9, 8.5, 8.2, 7.9, 7.6, 7.4, 7.1, 7, 7.2],
    "CP-3.1": [91_000, 91_800],
    "CP-3.2": [45, 46],
    "CP-3.3": [1_080, 1_050],
    "CP-4.1": [72, 69],
    "CP-4.2": [8.8, 9.2],
    "CP-4.3": [12, 11, 10, 9, 10, 9, 9, 11, 10],
}
KINDS = {"quarterly": "quarter", "annual": "financial_year"}


def write_plan(folder: Path) -> Path:
    """The plan's data folder: settings, register and one file of returns."""
    register = folder / "raw" / "register"
    register.mkdir(parents=True)
    (folder / "raw" / "agreement.toml").write_text(SETTINGS)
    lines = MEASURES.strip().splitlines()
    names = [line.partition(",")[0] for line in lines]
    rows = [f"{line},{name.removesuffix('-wait')}" for line, name in zip(lines, names, strict=True)]
    (register / "measures.csv").write_text("\n".join([f"{COLUMNS},reference", *rows]))
    references = [row.rpartition(",")[2] for row in rows]
    targets = [f"{name},{THEMES[name[:4]]},Outcome of {name}" for name in references]
    (register / "targets.csv").write_text("\n".join(["reference,theme,outcome", *targets]))
    (register / "trajectories.csv").write_text(LEVELS)
    frequencies = pd.read_csv(register / "measures.csv").set_index("measure")["frequency"]
    returned = ["measure,area,period,value,received"]
    for name, values in READINGS.items():
        frequency = frequencies[name]
        # A year's figures take longer than a quarter's.
        days = timedelta(days=30 if frequency == "quarterly" else 75)
        first = 2022 if frequency == "annual" else 2023
        first = 2023
        periods = consecutive(KINDS.get(frequency, frequency), first, len(values))
        for period, value in zip(periods, values, strict=True):
            label = f"summer {period.end.year}" if frequency == "exam_year" else period.label
            returned.append(f"{name},Riverton,{label},{value},{period.end + days}")
    (folder / "raw" / "returns").mkdir()
    (folder / "raw" / "returns" / "all.csv").write_text("\n".join(returned))
    checked = psa("check", "--data", str(folder))
    assert checked.exit_code == 0, checked.output
    return folder


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plan(tmp_path_factory.mktemp("plan") / "riverton")


@pytest.fixture(scope="module")
def plan_report(plan: Path) -> Callable[[str], Report]:
    agreement = load_agreement(plan)
    loaded = load_observations(agreement)
    return cache(lambda period: make_report(agreement, *loaded, parse_period(period)))
