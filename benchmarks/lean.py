"""Whether a lean of a council's forecasts says something of its next ones.

Each authority of LAIT (106 indicators) and of BVPI (4) is a portfolio: its indicators are forecast
alone from every year, one year ahead. A year's lean is the mean place of what came in its forecast,
as a normal score, better up. The lean of the next year is regressed on that of the last, and on the
mean of all before; and the share that came better than the middle is set beside whether the last
year leaned beyond chance (a two-sided sign test at 5 %).

    python benchmarks/lean.py
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from panels import councils
from scipy.special import bdtr
from scipy.stats import norm

from psa_analysis.analysis.forecast import FEWEST, forecast_series

#: Fewest indicators of an authority whose mean is a lean.
FEWEST_INDICATORS = {"LAIT": 10, "BVPI": 3}


def places() -> pd.DataFrame:
    """The place of each reading in the forecast of the year before, 0 to 1, better up."""
    rows = []
    for panel in councils():
        if panel.name not in FEWEST_INDICATORS:
            continue
        names, areas = pd.Series(panel.group), np.array(panel.area)
        for name, places in names.groupby(names).groups.items():
            figures = np.array([panel.series[row] for row in places])
            scale, better = panel.scale[places[0]], panel.better[places[0]]
            for origin in range(FEWEST, figures.shape[1]):
                past, came = figures[:, :origin], figures[:, origin]
                known = (~np.isnan(past)).sum(axis=1) >= FEWEST
                known = np.flatnonzero(known & ~np.isnan(past[:, -1]) & ~np.isnan(came))
                if not len(known):
                    continue
                found = forecast_series(past[known], 1, scale, 1, list(range(len(known))))
                below = found.probability(came[known][:, None], "lower")[:, 0]
                year = panel.first + origin
                area = areas[places[known]]
                parts = {"panel": panel.name, "measure": name, "area": area, "year": year}
                rows.append(pd.DataFrame(parts | {"place": below if better > 0 else 1 - below}))
    return pd.concat(rows, ignore_index=True)


def main() -> None:
    table = places()
    table["score"] = norm.ppf(table["place"].clip(0.005, 0.995))
    table["better"] = table["place"] > 0.5
    for panel, rows in table.groupby("panel"):
        groups = rows.groupby(["area", "year"])
        means = groups.agg(
            score=("score", "mean"), better=("better", "sum"), size=("place", "size")
        )
        means = means[means["size"] >= FEWEST_INDICATORS[panel]]
        score = means["score"].unstack()
        earlier = {
            "the last year": score.shift(axis=1),
            "all years before": score.T.expanding().mean().shift().T,
        }
        print(f"{panel}: {rows['better'].mean():.1%} of {len(rows):,} came better than the middle")
        for name, before in earlier.items():
            pairs = pd.DataFrame({"before": before.stack(), "next": score.stack()}).dropna()
            slope = np.polyfit(pairs["before"], pairs["next"], 1)[0]
            r = pairs.corr().iloc[0, 1]
            print(f"  lean on that of {name}: slope {slope:.3f}, r {r:.3f}, {len(pairs)} pairs")
        fewer = np.minimum(means["better"], means["size"] - means["better"])
        share, chance = means["better"] / means["size"], 2 * bdtr(fewer, means["size"], 0.5)
        coming = share.unstack().shift(-1, axis=1).stack().reindex(share.index)
        kinds = np.select(
            [chance >= 0.05, share > 0.5], ["no lean", "to the better"], "to the worse"
        )
        print(coming.groupby(kinds).agg(["mean", "size"]).round(3).to_string())


if __name__ == "__main__":
    main()
