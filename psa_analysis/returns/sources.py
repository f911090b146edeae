"""Provenance: where each raw file came from, in a sidecar beside it.

``police.csv`` has ``police.csv.toml``: who produced it, what it is, where it was found, on which
terms, when it was published and received, and its checksum. ``psa check`` makes one for a new file
and says what to complete. The day a file came in decides which reports may use it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from psa_analysis.files import RETURN_FOLDERS, checksum, write_bytes
from psa_analysis.findings import Finding

ENDING = ".toml"
_UNKNOWN = "not stated"


class Sidecar(BaseModel):
    """What is known of a raw file.

    Attributes
    ----------
    title, producer, address, licence : str
        What it is, who made it, where it was found, on which terms.
    published : str
        When its producer published it, or ``not stated``.
    received : datetime.date
        The day it came in; it stands for every row that does not say its own.
    checksum : str
        SHA-256 of the file as it came.
    note : str
        What a reader should know.
    defaults : dict
        Fields that the file itself does not give, such as its measure or area.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = _UNKNOWN
    producer: str = _UNKNOWN
    address: str = _UNKNOWN
    licence: str = _UNKNOWN
    published: str = _UNKNOWN
    received: date
    checksum: str
    note: str = ""
    defaults: dict[str, str] = {}


def raw_files(raw: Path) -> Iterator[Path]:
    """The files of figures in an agreement's raw folder, sidecars and editors' files left out."""
    for folder in RETURN_FOLDERS:
        if not (raw / folder).is_dir():
            continue
        # A missing permission must be heard of, so this is not a glob.
        for path in sorted((raw / folder).iterdir()):
            if path.name[0] not in ".~" and path.suffix != ENDING:
                yield path


def shown(path: Path, folder: Path) -> str:
    """A file's path from the data folder, printable even where its name is not UTF-8."""
    return str(path.relative_to(folder)).encode("utf-8", "backslashreplace").decode()


def read_sidecars(folder: Path) -> tuple[dict[str, Sidecar], list[Finding]]:
    """Read and check the sidecar of every raw file."""
    sidecars: dict[str, Sidecar] = {}
    findings: list[Finding] = []
    for path in raw_files(folder / "raw"):
        name, beside = shown(path, folder), path.with_name(path.name + ENDING)
        if not beside.exists():
            remedy = "Run psa check, which makes one, and complete it."
            findings.append(Finding("warning", name, f"a sidecar {beside.name}", remedy))
            continue
        try:
            sidecar = Sidecar.model_validate(tomllib.loads(beside.read_text(encoding="utf-8-sig")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            findings.append(
                Finding(
                    "error",
                    f"{name}{ENDING}",
                    str(first["msg"]) if first else "TOML in UTF-8",
                    "Mend it, or delete it: psa check makes a new one.",
                    column=".".join(map(str, first["loc"])) if first else None,
                    found=str(first["input"]) if first else str(error),
                )
            )
            continue
        sidecars[name] = sidecar
        if path.is_file() and checksum(path) != sidecar.checksum:
            del sidecars[name]
            findings.append(
                Finding(
                    "error",
                    name,
                    f"the file as it came in on {sidecar.received}",
                    "It has changed since: save a new version under a new name, or delete the "
                    "sidecar to take it in anew.",
                    found="another checksum",
                )
            )
        open_ = [
            field
            for field in ("title", "producer", "licence")
            if getattr(sidecar, field) == _UNKNOWN
        ]
        if open_:
            findings.append(
                Finding(
                    "warning",
                    f"{name}{ENDING}",
                    "who made the file, what it is, on which terms",
                    "Complete the sidecar.",
                    column=", ".join(open_),
                    found=_UNKNOWN,
                )
            )
    return sidecars, findings


def make_sidecars(folder: Path, today: date) -> list[str]:
    """Make a sidecar for every raw file that has none; gives the files."""
    made = []
    for path in raw_files(folder / "raw"):
        beside = path.with_name(path.name + ENDING)
        if path.is_file() and not beside.exists():
            write_sidecar(beside, Sidecar(received=today, checksum=checksum(path)))
            made.append(shown(path, folder))
    return made


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write a sidecar, whole or not at all."""
    plain = {name: value for name, value in sidecar if name != "defaults"}
    lines = [f"{name} = {_toml(value)}" for name, value in plain.items()]
    if sidecar.defaults:
        lines += ["", "[defaults]"]
        lines += [f"{name} = {_toml(text)}" for name, text in sidecar.defaults.items()]
    write_bytes(path, ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))


def _toml(value: object) -> str:
    # JSON's strings are TOML's basic strings.
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def as_table(sidecars: dict[str, Sidecar]) -> pd.DataFrame:
    """The sidecars as a data log: one row per file."""
    columns = ["file", *[name for name in Sidecar.model_fields if name != "defaults"]]
    rows = [{"file": name, **dict(sidecar)} for name, sidecar in sidecars.items()]
    return pd.DataFrame(rows, columns=columns)
