"""Corrections: figures that are known to be wrong, mended in a register and never in code.

Each correction names one figure, what was done, why, who said so and when. Its ``expect`` is the
figure as it stands; once the source has been mended the correction no longer fits and is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.files import read_table
from psa_analysis.findings import DataError, Finding, one_of
from psa_analysis.periods import PeriodError, parse_period
from psa_analysis.returns.cells import FLAGS, plain_number

if TYPE_CHECKING:
    from pathlib import Path

NAME = "raw/corrections.csv"
_WHY = ["reason", "said_by", "said_on"]
_KEY = ["measure", "area", "period", "received"]
COLUMNS = [*_KEY, "action", "value", "expect", *_WHY]
ACTIONS = ("drop", "override", "scale", "flag")


def load_corrections(folder: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the corrections of an agreement; none if there is no such file."""
    none = pd.DataFrame(columns=[*COLUMNS, "row"])
    if not (folder / NAME).exists():
        return none, []
    try:
        return read_table(folder / NAME, NAME, COLUMNS).reset_index(), []
    except DataError as error:
        return none, error.findings


def apply_corrections(
    observations: pd.DataFrame, corrections: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Apply each correction that fits its figure."""
    observations = observations.assign(correction="")
    findings: list[Finding] = []
    dropped: list[object] = []
    for _, row in () if corrections is None else corrections.iterrows():
        try:
            index = _index_of_figure(row, observations)
            changes = _changes(row, observations.loc[index])
        except _Unfit as unfit:
            findings.append(
                Finding(
                    "error",
                    NAME,
                    unfit.expected,
                    unfit.remedy,
                    row=int(row["row"]),
                    column=unfit.column,
                    found=row[unfit.column],
                    measure=row["measure"],
                )
            )
            continue
        if row["action"] == "drop":
            dropped.append(index)
        reason = f"{row['action']}: {row['reason']} ({row['said_by']}, {row['said_on']})"
        for column, value in (changes | {"correction": reason}).items():
            observations.loc[index, column] = value
    return observations.drop(dropped), findings


class _Unfit(Exception):
    """A correction that does not fit, with the column that says why."""

    def __init__(self, column: str, expected: str, remedy: str) -> None:
        super().__init__(expected)
        self.column, self.expected, self.remedy = column, expected, remedy


def _index_of_figure(row: pd.Series, observations: pd.DataFrame) -> object:
    for column in _WHY:
        if not row[column]:
            raise _Unfit(column, "why, who said so and when", "Complete the row.")
    if row["action"] not in ACTIONS:
        raise _Unfit("action", one_of(ACTIONS), "Correct the action.")
    try:
        period = parse_period(row["period"]).label
    except PeriodError:
        period = row["period"]
    figures = observations[
        (observations["measure"] == row["measure"])
        & (observations["area"] == row["area"])
        & (observations["period"] == period)
    ]
    figures = figures[figures["received"].dt.strftime("%Y-%m-%d") == row["received"]]
    if len(figures) != 1:
        expected = "exactly one figure of that measure, area, period and day"
        raise _Unfit("measure", expected, f"There are {len(figures)}: correct the row.")
    return figures.index[0]


def _changes(row: pd.Series, figure: pd.Series) -> dict[str, object]:
    """The columns of an observation that a correction changes, with what they become."""
    expected = plain_number(row["expect"])
    if expected is None:
        raise _Unfit("expect", "the figure as it stands", "Give it.")
    if pd.isna(figure["value"]) or abs(figure["value"] - expected) > 1e-9 * max(1, abs(expected)):
        remedy = "The source seems to be mended: remove the correction."
        raise _Unfit("expect", f"{figure['value']:.15g}, which now stands there", remedy)
    if row["action"] == "drop":
        return {}
    parts: dict[str, object] = {"numerator": float("nan"), "denominator": float("nan")}
    if row["action"] == "flag":
        if row["value"] not in FLAGS:
            raise _Unfit("value", one_of(FLAGS), "Correct the flag.")
        # What is suppressed must not be left beside its mark.
        hidden = parts | {"value": float("nan")} if row["value"] == "suppressed" else {}
        return {"flag": row["value"]} | hidden
    number = plain_number(row["value"])
    if number is None:
        raise _Unfit("value", "a number", "Correct the cell.")
    if row["action"] == "scale":
        return {"value": figure["value"] * number}
    # The parts of a rate belong to the figure that they gave, not to its correction.
    return parts | {"value": number}
