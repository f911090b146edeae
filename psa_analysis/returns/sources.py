"""Sources: where each raw file came from (its sidecar), and which figures are known to be wrong."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from unicodedata import category

import pandas as pd
from pydantic import BaseModel, BeforeValidator, StringConstraints

from psa_analysis import files
from psa_analysis.findings import DataError, Finding, one_of
from psa_analysis.periods import PeriodError, parse_period
from psa_analysis.returns.cells import FLAGS, plain_number
from psa_analysis.returns.workbooks import ENDINGS

_ENDING = ".toml"
#: When figures are taken to have come in that came with no date of their own.
AFTER_PERIOD = r"^(\d{1,3}) days after the period$"
_UNKNOWN = "not stated"
CORRECTIONS = "raw/corrections.csv"
_WHY = ["reason", "said_by", "said_on"]
_COLUMNS = ["measure", "area", "period", "received", "action", "value", "expect", *_WHY]
_ACTIONS = ("drop", "override", "scale", "flag")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Texts = Annotated[list[str], BeforeValidator(_listed)]


class Sidecar(BaseModel, extra="forbid", frozen=True):
    """What is known of a raw file."""

    title: str = _UNKNOWN
    producer: str = _UNKNOWN
    address: str = _UNKNOWN  # where it was found
    licence: str = _UNKNOWN
    published: str = _UNKNOWN
    # For every row that does not say its own: a day, or "45 days after the period".
    received: date | Annotated[str, StringConstraints(pattern=AFTER_PERIOD)]
    checksum: str  # SHA-256 of the file as it came
    note: str = ""
    draft: bool = False  # whether somebody has still to complete what follows
    defaults: dict[str, str] = {}  # fields that the file does not give, such as its measure
    # How a table that is not on our template is to be read.
    sheet: Texts = []  # the sheets that count, where not all do
    header_row: Annotated[list[int], BeforeValidator(_listed)] = []  # several are read as one
    columns: dict[str, str] = {}  # the heading of each field
    measures: dict[str, str] = {}  # our measure for each name in the file, or each column's heading
    areas: dict[str, str] = {}
    periods: dict[str, str] = {}
    year: Literal["", "begins", "ends"] = ""  # which of the two years a bare "2019" names
    keep: dict[str, Texts] = {}  # what a column must say in the rows that count
    dash: Literal["", "0", "[x]"] = ""  # what a dash means


#: Of a file that has none yet.
NO_SIDECAR = Sidecar.model_construct(received="", checksum="")


def raw_files(data: Path) -> Iterator[tuple[Path, str, Path]]:
    """The files of figures that can be opened: path, name to print, and path of the sidecar."""
    return (file for file in _looked_at(data) if not isinstance(file, Finding))


def _looked_at(data: Path) -> Iterator[tuple[Path, str, Path] | Finding]:
    """What stands in the folders of figures, as :func:`raw_files` has it, or why it is not read."""
    for folder in [data / "raw" / name for name in files.RETURN_FOLDERS]:
        is_ours = folder.is_dir() and files.is_inside(folder, data)
        if folder.exists() and not is_ours:
            words = ("a folder of the data folder itself", "Put it there in place of the link.")
            yield Finding("error", _printable(folder, data), *words)
        # A missing permission must be heard of, so this is not a glob.
        for path in sorted(folder.iterdir()) if is_ours else ():
            name, beside = _printable(path, data), path.with_name(path.name + _ENDING)
            if path.suffix == _ENDING:
                if not os.path.lexists(path.with_suffix("")):
                    words = (f"the file {path.stem} beside it", "Take it away, or add the file.")
                    yield Finding("warning", name, *words)
            elif path.name[0] in ".~":
                is_lock = path.name.startswith(("~$", ".~lock."))
                if path.suffix.lower() in ENDINGS and not is_lock:
                    remedy = "It was not read: give it another name if it counts."
                    yield Finding("warning", name, "a name that begins with a letter", remedy)
            elif problem := files.unfit(path, data):
                yield Finding("error", name, *problem)
            elif len(os.fsencode(beside.name)) > 255:
                words = ("a name of at most 250 letters", "Give it a shorter name.")
                yield Finding("error", name, *words)
            elif os.path.lexists(beside) and not beside.is_file():
                remedy = "Take away what stands in its place; psa check makes one."
                yield Finding("error", name, f"a file {beside.name}", remedy)
            else:
                yield path, name, beside


def _printable(path: Path, data: Path) -> str:
    """A file's name on one line, even where it is not UTF-8 or has line breaks."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    name = str(path.relative_to(data))
    return "".join(ascii(sign)[1:-1] if category(sign) in hidden else sign for sign in name)


def read_sidecars(folder: Path) -> tuple[dict[str, Sidecar], list[Finding]]:
    """Read and check the sidecar of every raw file."""
    sidecars: dict[str, Sidecar] = {}
    findings: list[Finding] = []
    for file in _looked_at(folder):
        if isinstance(file, Finding):
            findings.append(file)
            continue
        path, name, beside = file
        if not beside.exists():
            remedy = "Run psa check, which makes one for a file that can be read, and complete it."
            findings.append(Finding("warning", name, "a sidecar beside it", remedy))
            continue
        remedy = "Mend it, or delete it: psa check makes a new one."
        try:
            sidecar = files.read_settings(beside, folder, f"{name}{_ENDING}", Sidecar, remedy)
        except DataError as error:
            findings += error.findings
            continue
        if sidecar.draft:
            expected = "a sidecar that somebody has completed"
            remedy = "Fill in what is empty, correct the rest and take out the line draft = true."
            findings.append(Finding("error", f"{name}{_ENDING}", expected, remedy, found="a draft"))
            continue
        if files.checksum(path) == sidecar.checksum:
            sidecars[name] = sidecar
        else:
            expected = f"the file as it came in on {sidecar.received}"
            remedy = "Save it under a new name, or delete the sidecar to take it in anew."
            findings.append(Finding("error", name, expected, remedy, found="another checksum"))
        fields = ("title", "producer", "licence")
        blank = ", ".join(field for field in fields if getattr(sidecar, field) == _UNKNOWN)
        if blank:
            about = ("who made the file, what it is, on which terms", "Complete the sidecar.")
            findings.append(Finding("warning", f"{name}{_ENDING}", *about, None, blank, _UNKNOWN))
    return sidecars, findings


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write a sidecar, all of it or nothing: one line for each thing that it says."""

    def toml(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{toml(name)} = {toml(of)}" for name, of in value.items()) + "}"
        # JSON's strings, lists and truths are TOML's too, and its strings may be TOML's keys.
        return str(value) if isinstance(value, date) else json.dumps(value, ensure_ascii=False)

    always = ("title", "producer", "licence", "received", "checksum")
    values = {name: getattr(sidecar, name) for name in always}
    values |= sidecar.model_dump(exclude_defaults=True)
    lines = [f"{name} = {toml(value)}\n" for name, value in values.items()]
    files.write_bytes(path, "".join(lines).encode("utf-8", "backslashreplace"))


def as_table(sidecars: dict[str, Sidecar]) -> pd.DataFrame:
    """The sidecars as a data log: one row per file."""
    rows = [{"file": name, **dict(sidecar)} for name, sidecar in sidecars.items()]
    return pd.DataFrame(rows, columns=["file", *Sidecar.model_fields]).loc[:, :"note"]


def load_corrections(folder: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the corrections of an agreement; none if there is no such file."""
    table, findings = files.read_rows(folder, CORRECTIONS, _COLUMNS)
    return table.reset_index(), findings


def apply_corrections(
    observations: pd.DataFrame, corrections: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Apply each correction that fits its figure."""
    observations = observations.assign(correction="")
    findings: list[Finding] = []
    dropped: list[object] = []
    received = observations["received"].dt.strftime("%Y-%m-%d")
    places = observations.groupby(["measure", "area", "period", received]).groups
    for _, row in () if corrections is None else corrections.iterrows():
        figures = observations.loc[_places(row, places)]
        where, number = figures.index, plain_number(row["value"]) or 0.0
        if misfit := _misfit(row, figures["value"].tolist()):
            column, expected, remedy = misfit
            place = (int(row["row"]), column, row[column], row["measure"])
            findings.append(Finding("error", CORRECTIONS, expected, remedy, *place))
            continue
        # The parts of a rate belong to the figure that they gave, not to its correction; and what
        # is suppressed must not be left beside its mark.
        if row["action"] == "override" or row["value"] == "suppressed":
            observations.loc[where, ["value", "numerator", "denominator"]] = float("nan")
        if row["action"] == "drop":
            dropped += [*where]
        elif row["action"] == "flag":
            observations.loc[where, "flag"] = row["value"]
        else:
            times = figures["value"] if row["action"] == "scale" else 1
            observations.loc[where, "value"] = times * number
        reason = f"{row['action']}: {row['reason']} ({row['said_by']}, {row['said_on']})"
        observations.loc[where, "correction"] = reason
    return observations.drop(dropped), findings


def _places(row: pd.Series, places: Mapping[Any, pd.Index]) -> list[Any]:
    """Where the observations stand that a correction names."""
    try:
        period = parse_period(row["period"]).label
    except PeriodError:
        return []
    return [*places.get((row["measure"], row["area"], period, row["received"]), [])]


def _misfit(row: pd.Series, values: list[float]) -> tuple[str, str, str] | None:
    """Why a correction does not fit the figures it names: column, what was expected, remedy."""
    if blank := next((column for column in _WHY if not row[column]), None):
        return blank, "why, who said so and when", "Complete the row."
    if row["action"] not in _ACTIONS:
        return "action", one_of(_ACTIONS), "Correct the action."
    if len(values) != 1:
        expected = "exactly one figure of that measure, area, period and day"
        return "measure", expected, f"There are {len(values)}: correct the row."
    if (expect := plain_number(row["expect"])) is None:
        return "expect", "the figure as it stands", "Give it."
    if not abs(values[0] - expect) <= 1e-9 * max(1, abs(expect)):  # nor where there is no value
        remedy = "The source seems to be mended: remove the correction."
        return "expect", f"{values[0]:.15g}, which now stands there", remedy
    if row["action"] == "flag" and row["value"] not in FLAGS:
        return "value", one_of(FLAGS), "Correct the flag."
    if row["action"] in ("override", "scale") and plain_number(row["value"]) is None:
        return "value", "a number", "Correct the cell."
    return None
