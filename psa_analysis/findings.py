"""Findings: what is wrong or doubtful in the data, said so that someone can mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful, where it stands and how to mend it."""

    severity: Severity  # an error keeps the figure out; a warning lets it in and says so
    file: str  # its path from the agreement's data folder
    expected: str  # what should have stood there
    remedy: str
    row: int | None = None  # as a spreadsheet counts it: the header is row 1
    column: str | None = None
    found: str | None = None  # what stands there, unchanged
    measure: str | None = None
    sheet: str | None = None  # of workbooks
    period: str | None = None  # that the figure is of

    def __str__(self) -> str:
        parts = {"sheet": self.sheet, "row": self.row, "column": self.column}
        named = [f"{name} {part}" for name, part in parts.items() if part is not None]
        place = ", ".join([self.file, *named])
        found = "" if self.found is None else f"found {shorten(self.found)!r}, "
        return visible(f"{self.severity}: {place}: {found}expected {self.expected}. {self.remedy}")


class ParameterError(ValueError):
    """A parameter of a notebook or command that cannot be used."""


class DataError(Exception):
    """Data that cannot be used; holds the findings that say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("\n".join(map(str, self.findings)))


COLUMNS = ["severity", "measure", "file", "sheet", "row", "column", "found", "expected", "remedy"]


def to_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings as a table, one row each, in the order of :data:`COLUMNS`."""
    import pandas as pd  # here, since commands name errors before they need anything heavy

    frame = pd.DataFrame([asdict(finding) for finding in findings], columns=COLUMNS)
    return frame.astype({"row": "Int64"})


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those findings that keep a figure out."""
    return [finding for finding in findings if finding.severity == "error"]


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """A remedy for a name that is not known: the nearest one, or how to add it."""
    by_folded, folded = {name.casefold(): name for name in names}, text.casefold()
    if not by_folded:
        return "Add it first, or correct the name."
    longer = [name for name in by_folded if folded and name.startswith(f"{folded}-")]
    near = longer or difflib.get_close_matches(folded, list(by_folded), n=1)
    return f"Did you mean '{by_folded[near[0]]}'?" if near else "Correct the name."


def one_of(names: Iterable[str], where: str = "the register") -> str:
    """``one of a, b, c``, cut short where there are many; `where` says whose names they are."""
    listed = [name for name in names if name]
    if not listed:
        return f"a name of {where}, which has none"
    shown = ", ".join(listed[:8])
    return f"one of {shown}" + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")


def shorten(text: str, width: int = 60) -> str:
    """At most `width` characters of a text."""
    return text if len(text) <= width else text[: width - 1] + "…"


#: Control characters, and those that turn the direction of all that follows.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def visible(text: str) -> str:
    """A text in which nothing is hidden: what XML cannot hold, or would turn the rest around."""
    return _UNSEEN.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # control characters have pictures of their own
    return {0x7F: "\u2421", 0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}.get(code, f"[U+{code:04X}]")
