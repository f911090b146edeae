"""Cleaning: from cells as given to observations, with a finding for every doubt.

An error keeps the row out and names it; a warning lets it in. Nothing is dropped silently
and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import KIND_OF_FREQUENCY, PeriodError, parse_period
from psa_analysis.register import Agreement, rate_factor

#: Columns of the observations, one row per measure, area, period and date received.
OBSERVATION_COLUMNS = {
    "measure": "the measure, as in the register",
    "area": "the place, as in the register",
    "period": "the period's label",
    "period_end": "the period's last day",
    "value": "the figure in the measure's unit; missing where it was suppressed",
    "numerator": "the upper part of a rate, where it was given",
    "denominator": "the lower part of a rate, where it was given",
    "flag": "final, provisional, revised, estimated or suppressed",
    "illustrative": "True for a figure that is made up",
    "received": "the day it came in",
    "note": "what the sender wrote beside it",
    "file": "the raw file, from the data folder",
    "row": "the row in that file as a spreadsheet counts it",
}
FLAGS = ["final", "provisional", "revised", "estimated", "suppressed"]
KEY = ["measure", "area", "period", "received"]

#: Percentages, rates and counts cannot be negative; changes and gaps can.
_SIGNED_UNITS = {"percent change", "percentage points"}


def clean_returns(
    table: pd.DataFrame, agreement: Agreement, today: date | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Turn the cells of returns into observations.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`psa_analysis.loading.load_returns` gave.
    agreement : Agreement
        The register that names and units are checked against.
    today : date, optional
        Nothing can have come in after it; the real today if not given.

    Returns
    -------
    observations : pandas.DataFrame
        The columns of :data:`OBSERVATION_COLUMNS`, sorted by measure, area, period's end
        and date received. Every vintage of a figure is kept.
    findings : list of Finding
        What was kept out, and why.
    """
    cells = table.copy()
    text_columns = cells.columns.difference(["row"])
    cells[text_columns] = cells[text_columns].apply(lambda column: column.str.strip())
    findings: list[Finding] = []

    findings += _check_names(cells, "measure", agreement.measures.index)
    findings += _check_names(cells, "area", agreement.areas["area"])
    cells.loc[cells["flag"] == "", "flag"] = "final"
    findings += _check_names(cells, "flag", FLAGS)
    cells.loc[cells["illustrative"] == "", "illustrative"] = "no"
    findings += _check_names(cells, "illustrative", ["yes", "no"])
    # Later checks need a measure and a flag that exist.
    cells = _without(cells, findings)

    observations = cells[["measure", "area", "flag", "note", "file", "row"]].copy()
    observations["illustrative"] = cells["illustrative"] == "yes"
    findings += _read_periods(cells, observations, agreement)
    findings += _read_received(cells, observations, agreement, today or date.today())
    findings += _read_numbers(cells, observations)
    observations = _without(observations, findings)
    cells = cells.loc[observations.index]
    findings += _check_values(cells, observations, agreement)
    observations = _without(observations, findings)
    observations, duplicates = _collapse_duplicates(observations)
    findings += duplicates

    observations = observations.sort_values(
        ["measure", "area", "period_end", "received", "file", "row"]
    ).reset_index(drop=True)
    return observations[list(OBSERVATION_COLUMNS)], findings


def check_sources(table: pd.DataFrame, agreement: Agreement) -> list[Finding]:
    """A warning for every raw file that ``sources.csv`` does not account for."""
    missing = sorted(set(table["file"]) - set(agreement.sources["file"]))
    gone = [
        Finding(
            "warning", "raw/sources.csv", "a file that is there", "Remove the row or add the file.",
            row=int(str(number)), column="file", found=file,
        )
        for number, file in agreement.sources["file"].items()
        if not (agreement.folder / file).exists()
    ]  # fmt: skip
    return gone + [
        Finding(
            "warning", file, "a row in raw/sources.csv", "Say who made the file and whence."
        )
        for file in missing
    ]  # fmt: skip


def _finding(row: pd.Series, column: str, expected: str, remedy: str) -> Finding:
    return Finding(
        "error", row["file"], expected, remedy,
        row=int(row["row"]), column=column, found=row[column], measure=row["measure"],
    )  # fmt: skip


def _without(frame: pd.DataFrame, findings: Iterable[Finding]) -> pd.DataFrame:
    """The rows that no error is about."""
    bad = {(finding.file, finding.row) for finding in findings if finding.severity == "error"}
    places = pd.Series(list(zip(frame["file"], frame["row"], strict=True)), index=frame.index)
    return frame[~places.isin(bad)]


def _check_names(cells: pd.DataFrame, column: str, names: Iterable[str]) -> list[Finding]:
    known = list(names)
    return [
        _finding(row, column, one_of(known), did_you_mean(row[column], known))
        for _, row in cells[~cells[column].isin(known)].iterrows()
    ]


def _read_periods(
    cells: pd.DataFrame, observations: pd.DataFrame, agreement: Agreement
) -> list[Finding]:
    kinds = cells["measure"].map(agreement.measures["frequency"]).map(KIND_OF_FREQUENCY)
    pairs = pd.DataFrame({"text": cells["period"], "kind": kinds})
    labels, ends, problems = {}, {}, {}
    for text, kind in pairs.drop_duplicates().itertuples(index=False):
        try:
            period = parse_period(text, kind)
        except PeriodError as error:
            problems[text, kind] = str(error).rpartition("expected ")[2]
        else:
            labels[text, kind], ends[text, kind] = period.label, pd.Timestamp(period.end)
    keys = pd.Series(
        list(pairs.itertuples(index=False, name=None)), index=cells.index, dtype=object
    )
    observations["period"] = keys.map(labels)
    observations["period_end"] = pd.to_datetime(keys.map(ends))
    return [
        _finding(row, "period", problems[keys[index]], "Correct the period.")
        for index, row in cells[keys.isin(list(problems))].iterrows()
    ]


def _read_received(
    cells: pd.DataFrame, observations: pd.DataFrame, agreement: Agreement, today: date
) -> list[Finding]:
    observations["received"] = pd.to_datetime(cells["received"], format="%Y-%m-%d", errors="coerce")
    findings = [
        _finding(row, "received", "the day it came in, such as 2005-01-30", "Correct the date.")
        for _, row in cells[observations["received"].isna()].iterrows()
    ]
    ends = observations["period_end"]
    # Examination results come in July and August, before their school year ends.
    exams = cells["measure"].map(agreement.measures["frequency"]) == "exam_year"
    first = ends - pd.to_timedelta(exams * 62, unit="D")
    early = observations["received"] <= first
    findings += [
        _finding(
            row, "received", f"a day after {first[index]:%Y-%m-%d}, given the period",
            "Correct the date or the period.",
        )
        for index, row in cells[early].iterrows()
    ]  # fmt: skip
    findings += [
        _finding(row, "received", "a day that has been", "Correct the date.")
        for _, row in cells[observations["received"] > np.datetime64(today, "ns")].iterrows()
    ]
    return findings


def _read_numbers(cells: pd.DataFrame, observations: pd.DataFrame) -> list[Finding]:
    findings = []
    for column in ("value", "numerator", "denominator"):
        # A number and nothing else: to_numeric would also take 'nan', 'inf' and '1_000'.
        plain = cells[column].str.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
        observations[column] = pd.to_numeric(cells[column].where(plain, ""), errors="coerce")
        allowed_empty = (cells["flag"] == "suppressed") if column == "value" else True
        bad = ~plain & ~((cells[column] == "") & allowed_empty)
        findings += [
            _finding(row, column, "nothing, since the figure is suppressed", "Empty the cell.")
            for _, row in cells[(cells["flag"] == "suppressed") & (cells[column] != "")].iterrows()
        ]
        findings += [
            _finding(
                row, column, "a plain number such as 1234.5",
                "Correct the cell; leave a value empty only with the flag 'suppressed'.",
            )
            for _, row in cells[bad].iterrows()
        ]  # fmt: skip
    return findings


def _check_values(
    cells: pd.DataFrame, observations: pd.DataFrame, agreement: Agreement
) -> list[Finding]:
    """Figures that their unit or their own parts rule out."""
    unit = observations["measure"].map(agreement.measures["unit"])
    basis = observations["measure"].map(agreement.measures["basis"])
    percent = unit == "percent"
    signed = unit.isin(_SIGNED_UNITS) & (basis != "change_from_baseline")
    value, over, under = (observations[name] for name in ("value", "numerator", "denominator"))
    # A value printed to d decimals may differ from its parts by half a unit of the last.
    decimals = cells["value"].str.extract(r"\.(\d+)$")[0].str.len().fillna(0)
    tolerance = 0.5 * 10.0**-decimals + 1e-9
    factor = unit.map(lambda name: rate_factor(name) or 1)
    rate = factor * over / under.where(under != 0)
    rules = [
        (percent & ((value < 0) | (value > 100)), "value", "0 to 100 for a percentage",
         "Ask the sender; a factor of 100 is a common slip."),
        (~signed & ~percent & (value < 0), "value", "0 or more", "Ask the sender."),
        (under.notna() & (under <= 0), "denominator", "more than 0", "Ask the sender."),
        (over.notna() != under.notna(), "numerator", "numerator and denominator together",
         "Give both or neither."),
        (percent & (over > under), "numerator", "no more than the denominator",
         "Ask the sender."),
        ((rate - value).abs() > tolerance, "value", "numerator over denominator",
         "Ask the sender which of the three is wrong."),
    ]  # fmt: skip
    return [
        _finding(row, column, expected, remedy)
        for broken, column, expected, remedy in rules
        for _, row in cells[broken.fillna(False)].iterrows()
    ]


def _collapse_duplicates(observations: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """One row per key: twins that agree become one, twins that differ are all kept out."""
    said = ["value", "numerator", "denominator", "flag", "illustrative", "note"]
    distinct = observations.drop_duplicates(KEY + said)
    differing = distinct[distinct.duplicated(KEY, keep=False)]
    findings = []
    for _, twins in differing.groupby(KEY, sort=False):
        first = twins.iloc[0]
        for _, row in twins.iloc[1:].iterrows():
            findings.append(
                Finding(
                    "error", row["file"],
                    f"one figure, but {first['file']} row {first['row']} says {_said(first)}",
                    "Ask the sender which is right and remove the other; both are kept out.",
                    row=int(row["row"]), column="value", found=_said(row),
                    measure=row["measure"],
                )
            )  # fmt: skip
    return distinct.drop(differing.index), findings


def _said(row: pd.Series) -> str:
    """All that a row says, so that twins that differ in one thing show which."""
    parts = f" ({row['numerator']:.15g} of {row['denominator']:.15g})"
    value = f"{row['value']:.15g}" + (parts if pd.notna(row["numerator"]) else "")
    return f"{value} {row['flag']}{' ' + row['note'] if row['note'] else ''}"


def as_of(observations: pd.DataFrame, cut_off: date) -> pd.DataFrame:
    """What was known on a day: the last vintage received by then of each figure.

    Parameters
    ----------
    observations : pandas.DataFrame
        As :func:`clean_returns` gives them.
    cut_off : date
        The last day on which a figure may have come in.
    """
    known = observations[observations["received"] <= np.datetime64(cut_off, "ns")]
    # Sorted by date received within each figure, so the last one is the newest.
    return known.drop_duplicates(["measure", "area", "period"], keep="last").reset_index(drop=True)
