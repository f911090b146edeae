"""Corrections: figures that are known to be wrong, mended in a register and never in code.

Each correction names one figure, what was done, why, who said so and when. Its ``expect`` is the
figure as it stands; once the source has been mended the correction no longer fits and is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from psa_analysis.files import read_table
from psa_analysis.findings import DataError, Finding, one_of
from psa_analysis.periods import PeriodError, parse_period

NAME = "raw/corrections.csv"
COLUMNS = [
    "measure",
    "area",
    "period",
    "received",
    "action",
    "value",
    "expect",
    "reason",
    "said_by",
    "said_on",
]
ACTIONS = ("drop", "override", "scale", "flag")


def load_corrections(folder: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the corrections of an agreement; none if there is no such file."""
    if not (folder / NAME).exists():
        return pd.DataFrame(columns=[*COLUMNS, "row"]), []
    try:
        table = read_table(folder / NAME, NAME, COLUMNS)
    except DataError as error:
        return pd.DataFrame(columns=[*COLUMNS, "row"]), error.findings
    return table.reset_index(), []


def apply_corrections(
    observations: pd.DataFrame, corrections: pd.DataFrame, flags: list[str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Apply each correction that fits its figure."""
    observations = observations.assign(correction="")
    if len(corrections):
        # Single cells are changed, so their text may not be codes.
        observations = observations.astype({"flag": "str"})
    findings: list[Finding] = []
    dropped: list[object] = []
    for _, row in corrections.iterrows():
        try:
            index = _figure_of(row, observations)
            change = _change(row, observations.loc[index], flags)
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
        for column, value in change.items():
            observations.loc[index, column] = value
        said = f"{row['action']}: {row['reason']} ({row['said_by']}, {row['said_on']})"
        observations.loc[index, "correction"] = said
    return observations.drop(dropped), findings


class _Unfit(Exception):
    def __init__(self, column: str, expected: str, remedy: str) -> None:
        super().__init__(expected)
        self.column, self.expected, self.remedy = column, expected, remedy


def _figure_of(row: pd.Series, observations: pd.DataFrame) -> object:
    for column in ("reason", "said_by", "said_on"):
        if not row[column]:
            raise _Unfit(column, "why, who said so and when", "Complete the row.")
    if row["action"] not in ACTIONS:
        raise _Unfit("action", one_of(ACTIONS), "Correct the action.")
    mine = observations[
        (observations["measure"] == row["measure"]) & (observations["area"] == row["area"])
    ]
    try:
        labels = {parse_period(row["period"]).label}
    except PeriodError:
        labels = {row["period"]}
    mine = mine[mine["period"].isin(labels)]
    mine = mine[mine["received"].dt.strftime("%Y-%m-%d") == row["received"]]
    if len(mine) != 1:
        raise _Unfit(
            "measure",
            "exactly one figure of that measure, area, period and day",
            f"There are {len(mine)}: correct the row.",
        )
    return mine.index[0]


def _change(row: pd.Series, figure: pd.Series, flags: list[str]) -> dict[str, object]:
    expected = _number(row["expect"])
    if expected is None:
        raise _Unfit("expect", "the figure as it stands", "Give it.")
    if pd.isna(figure["value"]) or abs(figure["value"] - expected) > 1e-9 * max(1, abs(expected)):
        raise _Unfit(
            "expect",
            f"{figure['value']:.15g}, which now stands there",
            "The source seems to be mended: remove the correction.",
        )
    if row["action"] == "drop":
        return {}
    if row["action"] == "flag":
        if row["value"] not in flags:
            raise _Unfit("value", one_of(flags), "Correct the flag.")
        if row["value"] == "suppressed":
            # What is suppressed must not be left beside its mark.
            return {"flag": "suppressed"} | dict.fromkeys(
                ("value", "numerator", "denominator"), float("nan")
            )
        return {"flag": row["value"]}
    number = _number(row["value"])
    if number is None:
        raise _Unfit("value", "a number", "Correct the cell.")
    if row["action"] == "scale":
        return {"value": figure["value"] * number}
    # The parts of a rate belong to the figure that they gave, not to its correction.
    return {"value": number, "numerator": float("nan"), "denominator": float("nan")}


def _number(text: str) -> float | None:
    """A plain number, and nothing such as nan or inf."""
    return float(text) if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text) else None
