"""Findings: what is wrong or doubtful in the data, said so that someone can mend it."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning"]
#: A fault in more measures of a file than this is one of the file.
MEASURES_NAMED = 5


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
    figures: tuple[tuple[str, str], ...] = ()  # the measures and periods that it is about
    also: tuple[int, ...] = ()  # the rows of the file that have it too
    area: str | None = None

    def __str__(self) -> str:
        more = ", ".join(map(str, self.also[:2])) + (", …" if len(self.also) > 2 else "")
        row = f"{self.row} and {len(self.also):,} more ({more})" if more else self.row
        parts = {"sheet": self.sheet, "row": row, "column": self.column}
        named = [f"{name} {part}" for name, part in parts.items() if part is not None]
        place = ", ".join([self.file, *named])
        found = "" if self.found is None else f"found {shorten(self.found)!r}, "
        periods = {period for _, period in self.figures}
        about = [self.measure, self.area, *(periods if len(periods) == 1 else ())]
        figure = ", ".join(filter(None, about))
        text = f"{self.severity}: {place}: {found}expected {self.expected}. {self.remedy}"
        return on_one_line(f"{text} ({figure})" if figure else text)


class ParameterError(ValueError):
    """A parameter of a notebook or command that cannot be used."""


class DataError(Exception):
    """Data that cannot be used; holds the findings that say why."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("\n".join(map(str, self.findings)))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those findings that keep a figure out."""
    return [finding for finding in findings if finding.severity == "error"]


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each kind of fault, file, column and measure, with the rows that have it."""
    kinds: dict[tuple, list[Finding]] = {}
    for finding in findings:
        # Of one kind are faults that differ in figures, days and names alone.
        words = re.sub(r"'[^']*'|\d[\d.,-]*", "", finding.expected)
        kind = (finding.severity, finding.file, finding.sheet, finding.column, words)
        kinds.setdefault(kind, []).append(finding)
    together = []
    for alike in kinds.values():
        several = len({finding.measure for finding in alike}) > MEASURES_NAMED
        parts: dict[str | None, list[Finding]] = {}
        for finding in alike:
            parts.setdefault(None if several else finding.measure, []).append(finding)
        for measure, (first, *others) in parts.items():
            also = tuple(row for other in others for row in (other.row, *other.also) if row)
            together.append(replace(first, measure=measure, also=(*first.also, *also)))
    return together


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """A remedy for a name that is not known: the nearest one, or how to add it."""
    by_folded, folded = {name.casefold(): name for name in names}, text.casefold()
    if not by_folded:
        return "Add it first, or correct the name."
    longer = [name for name in by_folded if folded and name.startswith(f"{folded}-")]
    # No name is as long as a text for which this would take minutes.
    near = longer or difflib.get_close_matches(folded[:100], list(by_folded), n=1)
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


#: Control characters have pictures of their own; the last ones turn the direction of what follows.
_UNSEEN: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"},
    **{0x7F: 0x2421, **dict.fromkeys((*range(0x80, 0xA0), 0xFFFE, 0xFFFF), 0xFFFD)},
    **{code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
_BREAKS = {0x9: "␉", 0xA: "␊", 0xD: "␍", 0x2028: "␊", 0x2029: "␊"}


def visible(text: str) -> str:
    """A text in which nothing is hidden: what XML cannot hold, or would turn the rest around."""
    return text.translate(_UNSEEN)


def on_one_line(text: str) -> str:
    """A text in which nothing is hidden, and that no line break in it can make into two lines."""
    return visible(text).translate(_BREAKS)
