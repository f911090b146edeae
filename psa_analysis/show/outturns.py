"""What a better or worse final result would do to a target's chance and its reward."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from psa_analysis.analysis.grant import pot_shares, way_starts
from psa_analysis.report import Report, of_theme
from psa_analysis.show.grant import gain_curve
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import amount_text, chance_text, range_text, unit_of_difference

#: Steps that tables show, shares of the way to the target.
STEPS = {"as forecast": 0.0, "a tenth better": 0.1, "a quarter better": 0.25, "half better": 0.5}


def better_outturns(report: Report, measure: str, steps: Iterable[float]) -> pd.DataFrame:
    """The chance and share of the pot of a target, were its result better by parts of the way."""
    row, outlook, steps = report.rows[measure], report.outlooks[measure], list(steps)
    way, better = float(row["target"]) - way_starts(row), 1 if row["polarity"] == "higher" else -1
    # A public report holds some chances without the forecast behind them.
    open_ = row["is_forecast"] and not outlook.reason
    if not open_ or pd.isna(row["chance_target"]) or not way * better > 0:
        return pd.DataFrame()
    # To move the forecast by a step has the same chance as to move the target towards it.
    chances = [outlook.chance(row["target"] - step * way, row["polarity"]) for step in steps]
    pot_share = float(pot_shares(report.agreement).get(measure, float("nan")))
    paid = gain_curve(report, measure, tuple(steps)).set_index("step")[["least", "most"]]
    return pd.DataFrame({"way": abs(way), "chance": chances}, steps).join(paid * pot_share)


def outturns(report: Report, theme: str | None = None) -> Html:
    """What better final results would do to the chance and the reward of each measure."""
    rows = []
    for _, row in of_theme(report, theme).iterrows():
        moved = better_outturns(report, row["measure"], STEPS.values())
        if moved.empty:
            continue
        moved = moved.set_axis(list(STEPS))
        tenth = amount_text(moved["way"].iloc[0] / 10, unit_of_difference(row["unit"]))
        cells = {"Measure": row["measure"], "What is measured": row["title"], "A tenth is": tenth}
        for name, step in moved.iterrows():
            cells[f"Chance, {name}"] = chance_text(step["chance"])
            cells[f"Reward, {name}"] = range_text(step["least"], step["most"], 1)
        rows.append(cells)
    if not rows:
        return sentence("Nothing here is forecast.")
    frame = pd.DataFrame(rows)
    caption = f"Chance and share of the pot if results were better than forecast, {report.period}"
    # Amounts in words of several units may break, so that the names beside them have room.
    return table(frame, caption, numeric=list(frame.columns[3:]), folded=True)
