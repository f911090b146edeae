"""Outturns: what a better or worse deciding reading would do to a target's chance and its reward.

The forecast of the deciding reading is moved as it stands, all of it by the same amount, towards
the target or away from it; nothing is said of how that might be brought about. The amount is a
share of the way from performance without the agreement to the target or, where that is not
stated, from the baseline: the way that the grant is earned on (``docs/grant.md``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from psa_analysis.analysis.grant import pot_shares
from psa_analysis.report import Report, assessment_row, of_theme
from psa_analysis.show.grant import gain_curve
from psa_analysis.show.tables import Html, sentence, table
from psa_analysis.words import amount_text, chance_text, pot_text, unit_of_difference, with_unit

#: Steps that tables show: as forecast, and better by a tenth, a quarter and a half of the way.
STEPS = (0.0, 0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Outturn:
    """What the forecast of one measure would say, were its deciding reading moved.

    Attributes
    ----------
    measure, title, unit, due : str
        As in the assessment.
    step : float
        Share of the way; below 0 for a worse reading.
    by : float
        The same in the unit, without a sign.
    middle : float
        Middle of the forecast so moved.
    chance, chance_before : float
        Chance of the target so, and as forecast, 0 to 1.
    least, most, least_before, most_before : float
        Expected shares of the pot so, and as forecast; missing for a measure that does not count.
    """

    measure: str
    title: str
    unit: str
    due: str
    step: float
    by: float
    middle: float
    chance: float
    chance_before: float
    least: float
    most: float
    least_before: float
    most_before: float


def better_by(report: Report, measure: str) -> float | None:
    """The whole way to the target in the measure's unit, without a sign.

    None where nothing can be moved: no forecast, no target, or no start of the way is stated.
    """
    row = assessment_row(report, measure)
    start = row["without"] if pd.notna(row["without"]) else row["baseline"]
    # A public report holds some chances without the forecast behind them.
    if report.outlooks[measure].reason or pd.isna(row["chance_target"]) or pd.isna(start):
        return None
    return abs(float(row["target"]) - float(start)) or None


def outturn(report: Report, measure: str, step: float) -> Outturn:
    """What would be said of a measure, were its deciding reading better by a share of the way."""
    row, way = assessment_row(report, measure), better_by(report, measure)
    if way is None:
        raise ValueError(f"there is no forecast of {measure} that could be moved")
    outlook, polarity = report.outlooks[measure], str(row["polarity"])
    by = step * way * (1 if polarity == "higher" else -1)
    moved = replace(outlook, draws=outlook.draws[:, -1:] + by, periods=outlook.periods[-1:])
    target = float(row["target"])
    share = float(pot_shares(report.agreement).get(measure, float("nan")))
    paid = share * gain_curve(report, measure, (0.0, step))[["least", "most"]]
    return Outturn(
        measure,
        str(row["title"]),
        str(row["unit"]),
        str(row["due"]),
        step,
        abs(by),
        moved.median,
        moved.chance(target, polarity),
        outlook.chance(target, polarity),
        *paid.iloc[1].astype(float),
        *paid.iloc[0].astype(float),
    )


def outturn_words(found: Outturn) -> Html:
    """What would be said of a measure, were its deciding reading better or worse by so much."""
    unit = found.unit
    points = "percentage points" if unit in ("percent", "percent change") else unit
    if found.step:
        moved = (
            f"If the reading of {found.due} were {amount_text(found.by, points)} "
            f"{'better' if found.step > 0 else 'worse'} than forecast, around "
            f"{with_unit(found.middle, unit)}"
        )
        now, was = chance_text(found.chance), chance_text(found.chance_before)
        said = f"{moved}, the chance of the target would be {now} instead of {was}"
    else:
        said = (
            f"The reading of {found.due} is forecast around {with_unit(found.middle, unit)}, and "
            f"the chance of the target is {chance_text(found.chance)}"
        )
    if pd.notna(found.least):
        then, before = (
            pot_text(*ends)
            for ends in ((found.least, found.most), (found.least_before, found.most_before))
        )
        instead = f" instead of {before}" if found.step else ""
        said += f". The expected reward would be {then} of the pot{instead}"
        if not found.step:
            said = said.replace("would be", "is")
    return sentence(f"{found.title}: {said[:1].lower()}{said[1:]}.")


def outturn_table(report: Report, theme: str | None = None) -> Html:
    """What better deciding readings would do to the chance and the reward of each measure."""
    words = {
        0.0: "as forecast",
        0.1: "a tenth better",
        0.25: "a quarter better",
        0.5: "half better",
    }
    made: list[dict[str, str]] = []
    for measure in of_theme(report, theme)["measure"]:
        way = better_by(report, measure)
        if way is None:
            continue
        found = [outturn(report, measure, step) for step in STEPS]
        made.append(
            {"Measure": measure, "What is measured": found[0].title}
            | {"A tenth of the way": amount_text(way / 10, unit_of_difference(found[0].unit))}
            | {f"Chance, {words[one.step]}": chance_text(one.chance) for one in found}
            | {
                f"Reward, {words[one.step]}": pot_text(one.least, one.most)
                if pd.notna(one.least)
                else "–"
                for one in found
            }
        )
    caption = (
        "What if the deciding readings were better by a part of the way to the target: the chance "
        f"of the target, and the expected share of the pot, {report.period}"
    )
    if not made:
        return sentence(
            "No deciding reading of these measures is forecast from a start that is stated, so "
            "there is nothing to move."
        )
    frame = pd.DataFrame(made)
    # Amounts in words of several units may break, so that the names beside them have room.
    return table(frame, caption, numeric=list(frame.columns[3:]))
