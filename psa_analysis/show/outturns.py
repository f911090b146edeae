"""What a better or worse final result would do to a target's chance and its reward.

The whole forecast is moved by a share of the way to the target (``docs/grant.md``); nothing is said
of how that might be brought about.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd

from psa_analysis.analysis.grant import pot_shares, way_starts
from psa_analysis.report import Report, assessment_row, of_theme
from psa_analysis.show.grant import gain_curve
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import amount_text, chance_text, pot_text, unit_of_difference, with_unit

#: Steps that tables show, shares of the way to the target.
STEPS = {0.0: "as forecast", 0.1: "a tenth better", 0.25: "a quarter better", 0.5: "half better"}


def way_to_target(report: Report, measure: str) -> float | None:
    """The way from its start to the target, with its sign; None where no forecast can be moved."""
    row = assessment_row(report, measure)
    way, better = float(row["target"]) - way_starts(row), 1 if row["polarity"] == "higher" else -1
    # A public report holds some chances without the forecast behind them.
    forecast = pd.notna(row["chance_target"]) and not report.outlooks[measure].reason
    return way if forecast and way * better > 0 else None


def outturns(report: Report, measure: str, steps: tuple[float, ...]) -> pd.DataFrame:
    """What would be forecast of a measure, were its final result better by shares of the way.

    A row for each step: ``middle`` of the forecast, ``chance`` of the target, and the expected
    share of the pot (``least``, ``most``), which is missing for a measure that does not count.
    """
    way, outlook = way_to_target(report, measure), report.outlooks[measure]
    if way is None:
        raise ValueError(f"there is no forecast of {measure} that could be moved")
    row = assessment_row(report, measure)
    # To move the forecast by a step has the same chance as to move the target towards it.
    targets = [float(row["target"]) - step * way for step in steps]
    chances = [outlook.chance(target, str(row["polarity"])) for target in targets]
    pot_share = float(pot_shares(report.agreement).get(measure, float("nan")))
    paid = gain_curve(report, measure, steps).set_index("step")[["least", "most"]] * pot_share
    rows = pd.DataFrame({"step": steps, "chance": chances}).join(paid, on="step")
    return rows.assign(middle=outlook.median + rows["step"] * way)


def _reward_text(row: pd.Series) -> str:
    return "–" if pd.isna(row["least"]) else pot_text(row["least"], row["most"])


def outturn_words(report: Report, measure: str, step: float) -> Html:
    """What would be said of a measure, were its final result better or worse by so much."""
    row, moved = assessment_row(report, measure), outturns(report, measure, (0.0, step))
    before, after, unit = moved.iloc[0], moved.iloc[1], str(row["unit"])
    amount = amount_text(abs(after["middle"] - before["middle"]), unit_of_difference(unit))
    side = f"{amount} {'better' if step > 0 else 'worse'} than forecast" if step else "as forecast"
    text = (
        f"{row['title']}, {side}: {with_unit(after['middle'], unit)} in {row['due']}. "
        f"The chance of the target is {chance_text(after['chance'])} "
        f"(forecast: {chance_text(before['chance'])})."
    )
    if pd.notna(after["least"]):
        rewards = f"{_reward_text(after)} of the pot (forecast: {_reward_text(before)})"
        text += f" The expected reward is {rewards}."
    return sentence(text)


def outturn_table(report: Report, theme: str | None = None) -> Html:
    """What better final results would do to the chance and the reward of each measure."""
    rows = []
    for _, row in of_theme(report, theme).iterrows():
        measure, way = row["measure"], way_to_target(report, row["measure"])
        if way is None:
            continue
        moved = outturns(report, measure, tuple(STEPS)).set_axis(list(STEPS.values()))
        tenth = amount_text(abs(way) / 10, unit_of_difference(row["unit"]))
        rows.append(
            {"Measure": measure, "What is measured": row["title"], "A tenth of the way": tenth}
            | {f"Chance, {name}": chance_text(chance) for name, chance in moved["chance"].items()}
            | {f"Reward, {name}": _reward_text(step) for name, step in moved.iterrows()}
        )
    if not rows:
        return sentence("No measure here has a forecast that can be moved.")
    frame = pd.DataFrame(rows)
    caption = f"Chance of the target and share of the pot, were results better, {report.period}"
    # Amounts in words of several units may break, so that the names beside them have room.
    return table(frame, caption, numeric=list(frame.columns[3:]), folded=True)


def sliders(report: Report, theme: str) -> Any:
    """What a better or worse final result would do to each measure of a theme: with a slider.

    Wherever nobody can move it (papermill, nbconvert, no ``ipywidgets``): a table of such results.
    """
    rows = of_theme(report, theme)
    rows = rows[[way_to_target(report, name) is not None for name in rows["measure"]]]
    if rows.empty or not _somebody_is_there():
        return outturn_table(report, theme)
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError:
        return outturn_table(report, theme)
    titles = rows["measure"] + ": " + rows["title"]
    which = widgets.Dropdown(options=list(zip(titles, rows["measure"], strict=True)))
    # From a whole way worse to a whole way better.
    slider = widgets.FloatSlider(min=-1, max=1, step=0.05, readout_format="+.0%")
    words = widgets.HTML()

    def show(_: Any = None) -> None:
        words.value = outturn_words(report, which.value, slider.value).html

    which.observe(show, "value")
    slider.observe(show, "value")
    show()
    return widgets.VBox([which, slider, words])


def _somebody_is_there() -> bool:
    """Whether the cell was run by a front end that somebody sits at, and not by a program.

    The first say with each cell that it may ask for input; the second that it may not.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return False
    return bool(shell.kernel.get_parent("shell").get("content", {}).get("allow_stdin", False))
