"""How right the forecast edge of a top quartile is: families of ten councils of one indicator.

The families are of the LAIT panel, which is not part of the project (``panels.py``): authorities
next to each other by the level of their newest figure, forecast from every moment of the past. Run
in the environment of ``make benchmark``: ``python benchmarks/families.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from panels import councils

from psa_analysis.analysis.forecast import FEWEST, forecast_series

DRAWS = 1000
SIZE = 10
HORIZONS = (1, 2, 3)


class Family(NamedTuple):
    """Figures of the past and those that came, of authorities of about one level."""

    scale: str
    better: int
    origin: int
    horizon: int
    past: np.ndarray
    came: np.ndarray


def families(step: int = 6, every: int = 3) -> Iterator[Family]:
    """Every sixth indicator, and every third family of it."""
    for panel in councils():
        if panel.name != "LAIT":
            continue
        names = np.array(panel.group)
        for name in np.unique(names)[::step]:
            rows = np.flatnonzero(names == name)
            figures = np.array([panel.series[row] for row in rows])
            labels = panel.scale[rows[0]], panel.better[rows[0]]
            for origin in range(FEWEST, figures.shape[1]):
                for horizon in HORIZONS:
                    if origin + horizon > figures.shape[1]:
                        continue
                    past, came = figures[:, :origin], figures[:, origin + horizon - 1]
                    known = (~np.isnan(past)).sum(axis=1) >= FEWEST
                    known = np.flatnonzero(known & ~np.isnan(past[:, -1]) & ~np.isnan(came))
                    known = known[np.argsort(past[known, -1], kind="stable")]
                    if len(known) < 2 * SIZE:
                        continue
                    for part in np.array_split(known, len(known) // SIZE)[::every]:
                        newest = panel.first + origin - 1
                        yield Family(*labels, newest, horizon, past[part], came[part])


def edges() -> pd.DataFrame:
    """A row per family, moment and horizon: was the edge within, and the chances of each member."""
    rows = []
    for family in families():
        found = forecast_series(family.past, family.horizon, family.scale)
        draws = found.paths(DRAWS, 3)[:, :, -1]
        at = 0.75 if family.better > 0 else 0.25
        forecast, edge = np.quantile(draws, at, axis=0), np.quantile(family.came, at)
        low, high = np.quantile(forecast, [0.1, 0.9])
        lowest, highest = np.quantile(forecast, [0.025, 0.975])
        chance = (family.better * (draws - forecast) >= -1e-9).mean(axis=1)
        inside = family.better * (family.came - edge) >= -1e-9
        row = {"origin": family.origin, "horizon": family.horizon, "within_80": low <= edge <= high}
        row |= {"within_95": lowest <= edge <= highest, "chance": chance, "inside": inside}
        rows.append(row)
    return pd.DataFrame(rows)


def summary_of_edges(table: pd.DataFrame) -> None:
    """Print how often edges fell within their intervals, and what chances of members came to."""
    last = table["origin"] + table["horizon"]
    when = np.select([last < 2020, table["origin"] < 2020], ["before 2020", "across"], "after")
    for label, keys in (("all", None), ("horizon", table["horizon"]), ("", when)):
        rows = table[["within_80", "within_95"]].astype(float)
        groups = rows.groupby(np.zeros(len(rows)) if keys is None else keys)
        print(label, groups.mean().assign(edges=groups.size()).round(3).to_string())
    single = table[["chance", "inside"]].explode(["chance", "inside"]).astype(float)
    tenth = (single["chance"] * 10).astype(int).clip(upper=9) / 10
    groups = single.groupby(tenth)
    print(groups.mean().assign(number=groups.size()).round(3).to_string())


if __name__ == "__main__":
    summary_of_edges(edges())
