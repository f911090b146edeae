"""How right the forecast edge of a top quartile is, and how far authorities correlate.

Families of about sixteen councils of one type are drawn from the two council panels, which are not
part of the project (``panels.py``); every family is forecast from every moment of its past. Run in
the environment of ``make benchmark``: ``python benchmarks/families.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from panels import SHARED

from psa_analysis.analysis.families import correlate_draws
from psa_analysis.analysis.forecast import FEWEST, forecast_series

DRAWS = 2000
SIZE = 16
SMALLEST = 8
HORIZONS = (1, 2, 3)


def families() -> Iterator[tuple[str, str, bool, np.ndarray]]:
    """Panel and indicator, scale, whether higher is better, councils x years."""
    rng = np.random.default_rng(1)
    path = SHARED / "bvpi_panel" / "bvpi_panel_1997_2007.csv"
    if path.is_file():
        table = pd.read_csv(path)
        types = table.groupby("auth")["latype"].first()
        for column, scale, higher in [
            ("bvpi54", "positive", True),
            ("bvpi49", "percent", False),
            ("bvpi82a", "percent", True),
            ("bvpi8", "percent", True),
        ]:
            wide = table.pivot(index="auth", columns="year", values=column).sort_index(axis=1)
            wide *= 100 if scale == "percent" else 1
            for kind in types.unique():
                one = wide.loc[types.index[types == kind]].to_numpy(dtype=float)
                parts = np.array_split(rng.permutation(len(one)), max(1, len(one) // SIZE))
                yield from ((f"BVPI {column}", scale, higher, one[part]) for part in parts)
    path = SHARED / "ksi_panel" / "ksi_2005_2015.csv"
    if path.is_file():
        wide = pd.read_csv(path).pivot(index="code", columns="year", values="ksi")
        one = wide.sort_index(axis=1).to_numpy(dtype=float)
        parts = np.array_split(rng.permutation(len(one)), len(one) // SIZE)
        yield from (("KSI", "count", False, one[part]) for part in parts)


def scores(correlation: float) -> pd.DataFrame:
    """A row per family, moment and horizon: was the edge within, and how good were the chances."""
    rows = []
    for panel, scale, higher, family in families():
        for origin in range(4, family.shape[1]):
            for horizon in HORIZONS:
                if origin + horizon > family.shape[1]:
                    continue
                came = family[:, origin + horizon - 1]
                enough = (~np.isnan(family[:, :origin])).sum(axis=1) >= FEWEST
                enough &= ~np.isnan(came)
                if enough.sum() < SMALLEST:
                    continue
                rows.append(
                    {"panel": panel, "horizon": horizon}
                    | _score(
                        family[enough, :origin], came[enough], scale, higher, horizon, correlation
                    )
                )
    return pd.DataFrame(rows)


def _score(
    past: np.ndarray, came: np.ndarray, scale: str, higher: bool, horizon: int, correlation: float
) -> dict[str, float]:
    result = forecast_series(past, horizon, scale)
    draws = correlate_draws(result.paths(DRAWS, 3), correlation, 4)[:, :, -1]
    at = 0.75 if higher else 0.25
    edges, edge = np.quantile(draws, at, axis=0), np.quantile(came, at)
    better = 1 if higher else -1
    chance = (better * (draws - edges) >= 0).mean(axis=1)
    is_in = better * (came - edge) >= 0
    low, high = np.quantile(edges, [0.1, 0.9])
    lowest, highest = np.quantile(edges, [0.025, 0.975])
    return {
        "within_80": low <= edge <= high,
        "within_95": lowest <= edge <= highest,
        "brier": ((chance - is_in) ** 2).mean(),
        "usual": is_in.mean() * (1 - is_in.mean()),
    }


def main() -> None:
    """Print how often edges fell within their intervals, by how far authorities correlate."""
    for correlation in (0.0, 0.1, 0.15, 0.2, 0.3):
        table = scores(correlation)
        print(f"correlation: {correlation}")
        for name in ("panel", "horizon"):
            means = table.groupby(name)[["within_80", "within_95", "brier", "usual"]].mean()
            print(means.assign(edges=table.groupby(name).size()).round(3).to_string())
        means = table[["within_80", "within_95", "brier", "usual"]].mean()
        print(f"all {len(table)}: {means.round(3).to_dict()}\n")


if __name__ == "__main__":
    main()
