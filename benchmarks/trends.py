"""How much of a year's change comes again in the year after, on the reference panels.

Each series is cut at its panel's moments. The change of the next year is regressed on that of the
last, through the origin; both are divided by the mean size of the series' yearly steps so far, and
held within four of them. Quarters are added up to years. Pages say it where a forecast flattens.

    python benchmarks/trends.py [--store]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from forecast import PACKAGE
from panels import Panel, panels

#: Changes of so many usual steps count as no larger.
LARGEST = 4.0


def changes(panel: Panel) -> pd.DataFrame:
    """The change of the last year and of the next, in usual steps, for each series and moment."""
    rows, width = [], panel.per_year
    for series, origins in zip(panel.series, panel.origins, strict=True):
        years = np.convolve(series, np.ones(width), mode="valid")
        for origin in origins:
            # The last whole year before the moment, and those at whole years from it.
            last = origin - width
            past = years[last % width : last + 1 : width] if last >= 0 else years[:0]
            if len(past) < 2 or origin >= len(years):
                continue
            usual = pd.Series(past).diff().abs().mean()
            rows.append([past[-1] - past[-2], years[origin] - past[-1], usual])
    table = pd.DataFrame(rows, columns=["last", "next", "usual"]).dropna()
    table = table[table["usual"] > 0]
    return table[["last", "next"]].div(table["usual"], axis=0).clip(-LARGEST, LARGEST)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--store", action="store_true", help="store what the pages say")
    rows = []
    for panel in panels(rolling=True):
        table = changes(panel)
        rows.append(
            {
                "per_year": panel.per_year,
                "panel": panel.name,
                "changes": len(table),
                "kept": round(
                    (table["last"] * table["next"]).sum() / (table["last"] ** 2).sum(), 3
                ),
                "same_direction": round((table["last"] * table["next"] > 0).mean(), 3),
            }
        )
    found = pd.DataFrame(rows)
    print(found.to_string(index=False))
    if parser.parse_args().store:
        found.to_csv(PACKAGE / "reference_trends.csv", index=False)


if __name__ == "__main__":
    main()
