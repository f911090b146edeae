"""Sources: where each raw file came from, and which of its figures are known to be wrong.

``police.csv`` has ``police.csv.toml``: who produced it, what it is, where it was found, on which
terms, when it was published and received, and its checksum. ``psa check`` makes one for a new file
and says what to complete. The day a file came in decides which reports may use it.

A correction names one figure, what was done, why, who said so and when. Its ``expect`` is the
figure as it stands; once the source has been mended the correction no longer fits and is refused.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from psa_analysis.files import RETURN_FOLDERS, checksum, read_table, write_bytes
from psa_analysis.findings import DataError, Finding, one_of
from psa_analysis.periods import PeriodError, parse_period
from psa_analysis.returns.cells import FLAGS, plain_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

ENDING = ".toml"
_UNKNOWN = "not stated"

CORRECTIONS = "raw/corrections.csv"
_WHY = ["reason", "said_by", "said_on"]
_KEY = ["measure", "area", "period", "received"]
CORRECTION_COLUMNS = [*_KEY, "action", "value", "expect", *_WHY]
ACTIONS = ("drop", "override", "scale", "flag")


class Sidecar(BaseModel):
    """What is known of a raw file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = _UNKNOWN
    producer: str = _UNKNOWN
    address: str = _UNKNOWN  # where it was found
    licence: str = _UNKNOWN
    published: str = _UNKNOWN
    received: date  # for every row that does not say its own
    checksum: str  # SHA-256 of the file as it came
    note: str = ""
    defaults: dict[str, str] = {}  # fields that the file does not give, such as its measure


# Sidecars


def raw_files(raw: Path) -> Iterator[Path]:
    """The files of figures in an agreement's raw folder, sidecars and editors' files left out."""
    for folder in [raw / name for name in RETURN_FOLDERS if (raw / name).is_dir()]:
        # A missing permission must be heard of, so this is not a glob.
        for path in sorted(folder.iterdir()):
            if path.name[0] not in ".~" and path.suffix != ENDING:
                yield path


def shown(path: Path, folder: Path) -> str:
    """A file's path from the data folder, printable even where its name is not UTF-8."""
    return str(path.relative_to(folder)).encode("utf-8", "backslashreplace").decode()


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of a file stands."""
    return path.with_name(path.name + ENDING)


def read_sidecars(folder: Path) -> tuple[dict[str, Sidecar], list[Finding]]:
    """Read and check the sidecar of every raw file."""
    sidecars: dict[str, Sidecar] = {}
    findings: list[Finding] = []
    for path in raw_files(folder / "raw"):
        name, beside = shown(path, folder), sidecar_of(path)
        if not beside.exists():
            remedy = "Run psa check, which makes one for a file that can be read, and complete it."
            findings.append(Finding("warning", name, f"a sidecar {beside.name}", remedy))
            continue
        try:
            sidecar = Sidecar.model_validate(tomllib.loads(beside.read_text(encoding="utf-8-sig")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
            findings.append(_unreadable(f"{name}{ENDING}", error))
            continue
        if path.is_file() and checksum(path) != sidecar.checksum:
            expected = f"the file as it came in on {sidecar.received}"
            remedy = (
                "It has changed since: save a new version under a new name, or delete the "
                "sidecar to take it in anew."
            )
            findings.append(Finding("error", name, expected, remedy, found="another checksum"))
        else:
            sidecars[name] = sidecar
        fields = ("title", "producer", "licence")
        if blank := ", ".join(name for name in fields if getattr(sidecar, name) == _UNKNOWN):
            expected = "who made the file, what it is, on which terms"
            remedy = "Complete the sidecar."
            findings.append(
                Finding(
                    "warning", f"{name}{ENDING}", expected, remedy, column=blank, found=_UNKNOWN
                )
            )
    return sidecars, findings


def _unreadable(name: str, error: ValueError) -> Finding:
    remedy = "Mend it, or delete it: psa check makes a new one."
    if not isinstance(error, ValidationError):
        return Finding("error", name, "TOML in UTF-8", remedy, found=str(error))
    first = error.errors()[0]
    column = ".".join(map(str, first["loc"]))
    found = str(first["input"])
    return Finding("error", name, str(first["msg"]), remedy, column=column, found=found)


def make_sidecars(folder: Path, today: date, unreadable: Collection[str] = ()) -> list[str]:
    """Make a sidecar for every raw file that has none and can be read; gives the files."""
    files = [path for path in raw_files(folder / "raw") if path.is_file()]
    new = [path for path in files if not sidecar_of(path).exists()]
    # One with a checksum of its faults would refuse the file once it is mended.
    new = [path for path in new if shown(path, folder) not in unreadable]
    for path in new:
        write_sidecar(sidecar_of(path), Sidecar(received=today, checksum=checksum(path)))
    return [shown(path, folder) for path in new]


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write a sidecar, all of it or nothing."""

    def entries(texts: dict[str, str]) -> list[str]:
        # JSON's strings are TOML's basic strings.
        return [f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in texts.items()]

    lines = entries(sidecar.model_dump(exclude={"received", "defaults"}))
    lines += [f"received = {sidecar.received}", "", "[defaults]", *entries(sidecar.defaults)]
    write_bytes(path, ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))


def as_table(sidecars: dict[str, Sidecar]) -> pd.DataFrame:
    """The sidecars as a data log: one row per file."""
    columns = ["file", *[name for name in Sidecar.model_fields if name != "defaults"]]
    rows = [{"file": name, **dict(sidecar)} for name, sidecar in sidecars.items()]
    return pd.DataFrame(rows, columns=columns)


# Corrections


def load_corrections(folder: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the corrections of an agreement; none if there is no such file."""
    none = pd.DataFrame(columns=[*CORRECTION_COLUMNS, "row"])
    if not (folder / CORRECTIONS).exists():
        return none, []
    try:
        return read_table(folder / CORRECTIONS, CORRECTIONS, CORRECTION_COLUMNS).reset_index(), []
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
        except DataError as error:
            findings += error.findings
            continue
        if row["action"] == "drop":
            dropped.append(index)
        reason = f"{row['action']}: {row['reason']} ({row['said_by']}, {row['said_on']})"
        for column, value in (changes | {"correction": reason}).items():
            observations.loc[index, column] = value
    return observations.drop(dropped), findings


def _unfit(row: pd.Series, column: str, expected: str, remedy: str) -> DataError:
    """A correction that does not fit, and the column that says why."""
    place = (int(row["row"]), column, row[column], row["measure"])
    return DataError([Finding("error", CORRECTIONS, expected, remedy, *place)])


def _index_of_figure(row: pd.Series, observations: pd.DataFrame) -> object:
    for column in _WHY:
        if not row[column]:
            raise _unfit(row, column, "why, who said so and when", "Complete the row.")
    if row["action"] not in ACTIONS:
        raise _unfit(row, "action", one_of(ACTIONS), "Correct the action.")
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
        raise _unfit(row, "measure", expected, f"There are {len(figures)}: correct the row.")
    return figures.index[0]


def _changes(row: pd.Series, figure: pd.Series) -> dict[str, object]:
    """The columns of an observation that a correction changes, with what they become."""
    expected = plain_number(row["expect"])
    if expected is None:
        raise _unfit(row, "expect", "the figure as it stands", "Give it.")
    if pd.isna(figure["value"]) or abs(figure["value"] - expected) > 1e-9 * max(1, abs(expected)):
        remedy = "The source seems to be mended: remove the correction."
        raise _unfit(row, "expect", f"{figure['value']:.15g}, which now stands there", remedy)
    if row["action"] == "drop":
        return {}
    parts: dict[str, object] = {"numerator": float("nan"), "denominator": float("nan")}
    if row["action"] == "flag":
        if row["value"] not in FLAGS:
            raise _unfit(row, "value", one_of(FLAGS), "Correct the flag.")
        # What is suppressed must not be left beside its mark.
        hidden = parts | {"value": float("nan")} if row["value"] == "suppressed" else {}
        return {"flag": row["value"]} | hidden
    number = plain_number(row["value"])
    if number is None:
        raise _unfit(row, "value", "a number", "Correct the cell.")
    if row["action"] == "scale":
        return {"value": figure["value"] * number}
    # The parts of a rate belong to the figure that they gave, not to its correction.
    return parts | {"value": number}
