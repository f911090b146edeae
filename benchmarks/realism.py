"""What sets of real yearly series are like: the ranges in data/make_illustrative_returns.py.

Sets are drawn of as many series as are made up, each from a panel (all equally likely), one of its
measures, one of its areas and a stretch of its years. BVPI: Best Value indicators 54, 49, 82a and 8
of 86 councils, 1997 to 2007 (Lockwood and Porcelli 2013). KSI: killed or seriously injured on the
roads of 77 authorities, 2005 to 2015 (STATS19). LAIT: 100 indicators of children's services of 151
authorities (Local Authority Interactive Tool), 2016 to 2020 or 2022 to 2025, so that nothing is
taken across the pandemic. Published: ``data/raw/published``. The first three are not part of the
project (``panels.py``). Run in the environment of ``make benchmark``: ``python
benchmarks/realism.py``; about two minutes.
"""

from __future__ import annotations

import pprint
import sys
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
from panels import SHARED

from psa_analysis.pipeline import ROOT

sys.path.append(str(ROOT / "data"))
from make_illustrative_returns import Scale, Series, made_series, make, statistics

SETS = 400

#: Of so many sets all statistics are to lie within the ranges: of two sets, as there are, in four
#: cases out of five.
WITHIN_ALL = 0.9

#: Measures of LAIT of which less is better, by how their codes begin or end.
LESS_IS_BETTER = (
    "CINFixed|CPP|Emotional|Ever6|ExcessYr6|HospAd|InfMort|LAC_Conv|LAC_Fixed|PriAuth|PriPermEx"
    "|PriTotAbs|Pri_ Pup|ReReferral|ReoffYO|SEN_Appeal|SFPri|SecPermEx|Spec|TotAuth|TotSev|Total_"
    "|Under18|Work_Force|.*absence"
)

#: Panel, measure: its series, or for each of them its stretches of a length.
Panels = dict[str, dict[str, list[Series]]]
Stretches = dict[str, dict[str, list[list[Series]]]]


def panels() -> Panels:
    """Yearly series without a gap, by panel and measure."""
    found: Panels = defaultdict(lambda: defaultdict(list))

    def add(panel: str, measure: str, table: pd.DataFrame, scale: Scale, better: int) -> None:
        wide = table.pivot_table(index="area", columns="year", values="value")
        for row in wide.reindex(
            columns=range(wide.columns.min(), wide.columns.max() + 1)
        ).to_numpy():
            found[panel][measure].append(Series(measure, row, scale, better))

    councils = pd.read_csv(SHARED / "bvpi_panel" / "bvpi_panel_1997_2007.csv")
    councils = councils.rename(columns={"auth": "area"})
    # Not bvpi38, which is a moving mean of four years.
    for name in ("bvpi54", "bvpi49", "bvpi82a", "bvpi8"):
        share = name != "bvpi54"
        table = councils.assign(value=councils[name] * (100 if share else 1))
        scale: Scale = "percent" if share else "positive"
        add("BVPI", name, table, scale, -1 if name == "bvpi49" else 1)
    roads = pd.read_csv(SHARED / "ksi_panel" / "ksi_2005_2015.csv")
    add("KSI", "ksi", roads.rename(columns={"ksi": "value"}), "count", -1)
    services = pd.read_parquet(SHARED / "lait_panel" / "lait_2016_2025.parquet")
    services = services[services["unit"] != "percentage points"]
    services = services.assign(year=services["period"].astype(int))
    for first, last in ((2016, 2020), (2022, 2025)):
        for name, table in services[services["year"].between(first, last)].groupby("measure"):
            better = -1 if pd.Series(name).str.match(LESS_IS_BETTER).item() else 1
            scale = "percent" if table["unit"].iloc[0] == "percent" else "positive"
            add("LAIT", f"{name} from {first}", table, scale, better)
    for file in ("recycling", "gcse", "key_stages"):
        rows = pd.read_csv(ROOT / "data" / "raw" / "published" / f"{file}.csv")
        rows["year"] = rows["period"].astype(str).str[:4].astype(int)
        for name, table in rows.groupby("measure"):
            if table["year"].nunique() > 3:
                add("published", name, table, "percent", -1 if "without" in name else 1)
    return found


def stretches(found: Panels, length: int) -> Stretches:
    """Of every series the stretches of so many years without a gap, in which it moves."""

    def of_one(series: Series) -> list[Series]:
        last = len(series.values) - length
        parts = [series.values[start : start + length] for start in range(last + 1)]
        parts = [part for part in parts if not np.isnan(part).any() and np.ptp(part) > 0]
        return [Series(series.group, part, series.scale, series.better) for part in parts]

    result: Stretches = {}
    for panel, measures in found.items():
        cut = {
            name: [parts for each in series if (parts := of_one(each))]
            for name, series in measures.items()
        }
        result[panel] = {name: parts for name, parts in cut.items() if parts}
    return result


def drawn(
    like: list[Series], of_length: dict[int, Stretches], generator: np.random.Generator
) -> list[Series]:
    """As many real series as those, as long as they are and grouped as they are."""

    def one_of(options: list) -> Any:
        return options[generator.integers(len(options))]

    result: list[Series] = []
    for number, group in enumerate(dict.fromkeys(each.group for each in like)):
        members = [each for each in like if each.group == group]
        panels = of_length[len(members[0].values)].values()
        areas: list[list[Series]] = []
        while len(areas) < len(members):
            areas = one_of(list(one_of(list(panels)).values()))
        for place in generator.choice(len(areas), len(members), replace=False):
            part = one_of(areas[place])
            result.append(Series(str(number), part.values, part.scale, part.better))
    return result


def ranges(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Quantiles as far out as it takes for so many sets to lie within all of them."""
    for tail in np.arange(0.1, 0, -0.0025):
        low, high = table.quantile(tail), table.quantile(1 - tail)
        if ((table >= low) & (table <= high)).all(axis=1).mean() >= WITHIN_ALL:
            break
    print(f"each statistic: the middle {1 - 2 * tail:.1%} of sets")
    print(table.describe(percentiles=[tail, 0.5, 1 - tail]).T.round(3).to_string())
    return {name: (round(float(low[name]), 3), round(float(high[name]), 3)) for name in table}


if __name__ == "__main__":
    generator = np.random.default_rng(1)
    real = panels()
    print(
        {
            name: {"measures": len(of), "series": sum(map(len, of.values()))}
            for name, of in real.items()
        }
    )
    result = {}
    for name, like in made_series(make()).items():
        of_length = {n: stretches(real, n) for n in {len(each.values) for each in like}}
        sets = [statistics(drawn(like, of_length, generator)) for _ in range(SETS)]
        result[name] = ranges(pd.DataFrame(sets))
    pprint.pprint(result, sort_dicts=False)
