"""Sources: where each raw file came from, in a sidecar beside it.

``police.csv`` has ``police.csv.toml``: who produced it, what it is, where it was found, on which
terms, when it was published and received, and its checksum. ``psa check`` makes one for a new file
and says what to complete. The day a file came in decides which reports may use it.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from psa_analysis.files import RETURN_FOLDERS, checksum, write_bytes
from psa_analysis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDING = ".toml"
_UNKNOWN = "not stated"


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
            remedy = "Run psa check, which makes one, and complete it."
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


def make_sidecars(folder: Path, today: date) -> list[str]:
    """Make a sidecar for every raw file that has none; gives the files."""
    files = [path for path in raw_files(folder / "raw") if path.is_file()]
    new = [path for path in files if not sidecar_of(path).exists()]
    for path in new:
        write_sidecar(sidecar_of(path), Sidecar(received=today, checksum=checksum(path)))
    return [shown(path, folder) for path in new]


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write a sidecar, all of it or nothing."""

    def entry(name: str, value: object) -> str:
        # JSON's strings are TOML's basic strings.
        day = isinstance(value, date)
        return f"{name} = {value if day else json.dumps(value, ensure_ascii=False)}"

    lines = [entry(name, value) for name, value in sidecar if name != "defaults"]
    if sidecar.defaults:
        lines += ["", "[defaults]", *(entry(*pair) for pair in sidecar.defaults.items())]
    write_bytes(path, ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))


def as_table(sidecars: dict[str, Sidecar]) -> pd.DataFrame:
    """The sidecars as a data log: one row per file."""
    columns = ["file", *[name for name in Sidecar.model_fields if name != "defaults"]]
    rows = [{"file": name, **dict(sidecar)} for name, sidecar in sidecars.items()]
    return pd.DataFrame(rows, columns=columns)
