"""What the charts of a family are drawn with: lines with their forecast, points of a funnel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.show.chart import BLUE, GREY, ORANGE, PINK, TEAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from psa_analysis.analysis.families import Funnel


def draw_with_forecast(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw figures, and from the last one on the middle and range of their forecast."""
    known, fan = rows[rows["low_80"].isna()], rows[rows["low_80"].notna()]
    style: dict[str, Any] = {"linestyle": (0, (5, 2)), "linewidth": 2.2}
    if colour == BLUE:
        style = {"marker": "o", "linewidth": 2.6, "markersize": 6}
    axes.plot("period_end", "figure", data=known, color=colour, **style)
    if fan.empty:
        return
    ahead = pd.concat([known[-1:], fan])
    if colour == TEAL:
        low, high = (ahead[end].fillna(ahead["figure"]) for end in ("low_80", "high_80"))
        axes.fill_between(ahead["period_end"], low, high, color=TEAL, alpha=0.25, linewidth=0)
    axes.plot("period_end", "figure", data=ahead, color=colour, linestyle=":", linewidth=2)
    if colour == BLUE:
        bars = [fan["figure"] - fan["low_80"], fan["high_80"] - fan["figure"]]
        style = {"fmt": "o", "markerfacecolor": "white", "capsize": 5, "linewidth": 1.5}
        axes.errorbar(fan["period_end"], fan["figure"], yerr=bars, color=BLUE, **style)


def draw_units(axes: Axes, units: pd.DataFrame, area: str) -> None:
    """A point for each authority, its marker and colour by how far out it is."""
    beyond = units["outside"].str.split().str[-1].fillna("").mask(units["area"] == area, "own")
    marks = {"": ("o", GREY), "95%": ("^", ORANGE), "99.8%": ("s", PINK), "own": ("D", BLUE)}
    for group, (marker, colour) in marks.items():
        rows = units[beyond == group]
        style = {"color": colour, "markersize": 8, "markerfacecolor": colour if group else "white"}
        axes.plot(rows["denominator"], rows["figure"], marker, **style)


def name_points(axes: Axes, result: Funnel, area: str) -> None:
    """The own area's name, and those of the authorities beyond the widest limits."""
    units, cases = result.units, result.units["denominator"]
    named = (units["area"] == area) | units["outside"].str.endswith("99.8%")
    for _, row in units[named].iterrows():
        own, above = row["area"] == area, row["figure"] > result.mean
        right = row["denominator"] <= (cases.min() + cases.max()) / 2
        if own:
            # Others may be near, so its name goes where fewer of them are.
            near = (cases - row["denominator"]).abs() < (cases.max() - cases.min()) / 4
            figures = units.loc[near, "figure"]
            above = (figures > row["figure"]).sum() < (figures < row["figure"]).sum()
        axes.annotate(
            row["area"],
            (row["denominator"], row["figure"]),
            (0, 9 if above else -9),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if above else "top",
            fontsize=11,
            color=BLUE if own else PINK,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        )
