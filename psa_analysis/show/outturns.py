"""What a better or worse deciding reading would do to a target's chance and its reward.

The forecast of the deciding reading is moved as it stands, all of it by the same amount, towards
the target or away from it; nothing is said of how that might be brought about. The amount is a
share of the way from performance without the agreement to the target or, where that is not
stated, from the baseline: the way that the grant is earned on (``docs/grant.md``).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.analysis.grant import pot_shares, way_starts
from psa_analysis.report import Report, assessment_row, of_theme
from psa_analysis.show.grant import gain_curve
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import amount_text, chance_text, pot_text, unit_of_difference, with_unit

#: Steps that tables show, shares of the way to the target.
STEPS = {0.0: "as forecast", 0.1: "a tenth better", 0.25: "a quarter better", 0.5: "half better"}


@dataclass(frozen=True)
class Outturn:
    """What the forecast of one measure would say, were its deciding reading moved."""

    amount: float  # by which it is moved, in the measure's unit and without a sign
    middle: float  # of the forecast so moved
    chance: float  # of the target
    least: float  # expected share of the pot; missing for a measure that does not count
    most: float

    @property
    def reward(self) -> str:
        """The expected share of the pot in words."""
        return "–" if pd.isna(self.least) else pot_text(self.least, self.most)


def better_by(report: Report, measure: str) -> float | None:
    """The whole way to the target in the measure's unit, without a sign.

    None where nothing can be moved: no forecast, no target, or no start of the way is stated.
    """
    row = assessment_row(report, measure)
    start = way_starts(row)
    # A public report holds some chances without the forecast behind them.
    if report.outlooks[measure].reason or pd.isna(row["chance_target"]) or pd.isna(start):
        return None
    return abs(float(row["target"]) - start) or None


def outturn(report: Report, measure: str, step: float) -> Outturn:
    """What would be said of a measure, were its deciding reading better by a share of the way."""
    row, way = assessment_row(report, measure), better_by(report, measure)
    if way is None:
        raise ValueError(f"there is no forecast of {measure} that could be moved")
    outlook, polarity = report.outlooks[measure], str(row["polarity"])
    amount = step * way * (1 if polarity == "higher" else -1)
    moved = replace(outlook, draws=outlook.draws[:, -1:] + amount, periods=outlook.periods[-1:])
    chance = moved.chance(float(row["target"]), polarity)
    pot_share = float(pot_shares(report.agreement).get(measure, float("nan")))
    paid = gain_curve(report, measure, (step,)).iloc[0]
    least, most = pot_share * paid["least"], pot_share * paid["most"]
    return Outturn(abs(amount), moved.median, chance, least, most)


def outturn_words(report: Report, measure: str, step: float) -> Html:
    """What would be said of a measure, were its deciding reading better or worse by so much."""
    row = assessment_row(report, measure)
    moved, before = outturn(report, measure, step), outturn(report, measure, 0.0)
    unit = str(row["unit"])
    middle, chance = with_unit(moved.middle, unit), chance_text(moved.chance)
    if step:
        amount = amount_text(moved.amount, unit_of_difference(unit))
        text = (
            f"if the reading of {row['due']} were {amount} {'better' if step > 0 else 'worse'} "
            f"than forecast, around {middle}, the chance of the target would be {chance} instead "
            f"of {chance_text(before.chance)}"
        )
        reward = f"would be {moved.reward} of the pot instead of {before.reward}"
    else:
        text = (
            f"the reading of {row['due']} is forecast around {middle}, and the chance of the "
            f"target is {chance}"
        )
        reward = f"is {moved.reward} of the pot"
    if pd.notna(moved.least):
        text += f". The expected reward {reward}"
    return sentence(f"{row['title']}: {text}.")


def outturn_table(report: Report, theme: str | None = None) -> Html:
    """What better deciding readings would do to the chance and the reward of each measure."""
    rows = []
    for _, row in of_theme(report, theme).iterrows():
        measure, way = row["measure"], better_by(report, row["measure"])
        if way is None:
            continue
        moved = {name: outturn(report, measure, step) for step, name in STEPS.items()}
        tenth = amount_text(way / 10, unit_of_difference(row["unit"]))
        rows.append(
            {"Measure": measure, "What is measured": row["title"], "A tenth of the way": tenth}
            | {f"Chance, {name}": chance_text(result.chance) for name, result in moved.items()}
            | {f"Reward, {name}": result.reward for name, result in moved.items()}
        )
    if not rows:
        return sentence(
            "No deciding reading of these measures is forecast from a start that is stated, so "
            "there is nothing to move."
        )
    caption = (
        "What if the deciding readings were better by a part of the way to the target: the chance "
        f"of the target, and the expected share of the pot, {report.period}"
    )
    frame = pd.DataFrame(rows)
    # Amounts in words of several units may break, so that the names beside them have room.
    return table(frame, caption, numeric=list(frame.columns[3:]))


def sliders(report: Report, theme: str) -> Any:
    """What a better or worse due reading would do to each measure of a theme: with a slider.

    Wherever nobody can move it (papermill, nbconvert, no ``ipywidgets``): the table of outturns.
    """
    measures = of_theme(report, theme)["measure"]
    ways = {name: way for name in measures if (way := better_by(report, name)) is not None}
    if not ways or not _somebody_is_there():
        return outturn_table(report, theme)
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError:
        return outturn_table(report, theme)

    titles = [f"{measure}: {assessment_row(report, measure)['title']}" for measure in ways]
    which = widgets.Dropdown(options=list(zip(titles, ways, strict=True)), description="Measure")
    slider = widgets.SelectionSlider(
        options=[("as forecast", 0.0)], description="Due reading", layout={"width": "40rem"}
    )
    words = widgets.HTML()

    def show(_: Any = None) -> None:
        words.value = outturn_words(report, which.value, slider.value).html

    def reset(_: Any = None) -> None:
        # Twentieths of the way, from a whole way worse to a whole way better.
        unit = unit_of_difference(str(assessment_row(report, which.value)["unit"]))
        steps = [float(step) for step in np.linspace(-1, 1, 41).round(2)]
        amounts = [with_unit(abs(step) * ways[which.value], unit) for step in steps]
        slider.options = [
            (f"{amount} {'better' if step > 0 else 'worse'}" if step else "as forecast", step)
            for amount, step in zip(amounts, steps, strict=True)
        ]
        slider.value = 0.0
        show()

    which.observe(reset, "value")
    slider.observe(show, "value")
    reset()
    return widgets.VBox([which, slider, words])


def _somebody_is_there() -> bool:
    """Whether the cell was run from a notebook that somebody can answer in.

    A front end that somebody sits at says with each cell that it may be asked for input; programs
    that execute notebooks say that it may not.
    """
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return False
    return bool(kernel.get_parent("shell").get("content", {}).get("allow_stdin", False))
