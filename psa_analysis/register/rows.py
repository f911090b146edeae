"""The register's rows: how the cells of each column that docs/register.md describes are read."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from math import nan
from operator import add, mul, sub, truediv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.findings import Finding
from psa_analysis.periods import FREQUENCIES, parse_period
from psa_analysis.register.agreement import BLANK, RULES, parse_comparator

if TYPE_CHECKING:
    from psa_analysis.register.loading import Settings

#: Reads a cell; raises a ValueError that says what was expected, and perhaps how to mend it.
Reader = Callable[[str], Any]

#: Figures of a measure in its own unit, as a document prints them.
PRINTED = ["baseline", "without", "target", "target_to", "trigger", "interim"]

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
#: Numbers, signs, parentheses and spaces, of which Python's own grammar makes arithmetic or not.
_ARITHMETIC = rf"(?:{_NUMBER}(?![0-9.])|[-+*/() ])+"
_OPERATIONS: dict[type, Any] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}
_HUGE = 10**15


def parse_figure(text: str) -> float:
    """Read a figure: ``53.2``, ``(21.45 - 0.6*19.85) / 0.4``, ``not stated`` or nothing."""
    if text in BLANK:
        return nan
    with suppress(SyntaxError, ZeroDivisionError, KeyError):
        if len(text) <= 100 and re.fullmatch(_ARITHMETIC, text):
            figure = _worked_out(ast.parse(text.strip(), mode="eval").body)
            if abs(figure) < _HUGE:
                return float(figure)
    limits = f"at most 100 characters, no division by 0, a result below {_HUGE:,}"
    arithmetic = f"arithmetic such as (21.45 - 0.6*19.85) / 0.4 ({limits})"
    raise ValueError(f"a number such as 53.2, {arithmetic}, or 'not stated'")


def _worked_out(node: ast.AST) -> Fraction:
    """What arithmetic comes to, exactly; a KeyError for anything but + - * / and numbers."""
    if isinstance(node, ast.BinOp):
        return Fraction(_OPERATIONS[type(node.op)](_worked_out(node.left), _worked_out(node.right)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_worked_out(node.operand)
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    raise KeyError(node)


def is_number(text: str) -> bool:
    """Whether a text is one plain number, as a document prints it."""
    return re.fullmatch(f"-?{_NUMBER}", text) is not None


def decimals(text: str) -> int:
    """How many decimals a plain number has; 0 for anything else."""
    return len(text.partition(".")[2]) if is_number(text) else 0


def _number(text: str) -> float:
    if not is_number(text):
        raise ValueError("a number such as 53.2")
    return float(text)


def filled(text: str) -> str:
    """A text that must be there."""
    if not text.strip():
        raise ValueError("some text")
    return text.strip()


def _stated_day(text: str) -> date | None:
    try:
        return None if text in BLANK else date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date such as 2004-03-31, or 'not stated'") from None


def _fitting(fits: Callable[[str], object], expected: str = "") -> Reader:
    """A reader that takes only texts that fit; `fits` may itself say what it expected."""

    def read(text: str) -> str:
        if not fits(text):
            raise ValueError(expected)
        return text

    return read


def choice(*allowed: str) -> Reader:
    """A reader that takes only some texts."""
    return _fitting(allowed.__contains__, f"one of {', '.join(map(repr, allowed))}")


@dataclass(frozen=True)
class Column:
    """A column of a file of the register."""

    read: Reader = str
    left_out: str | None = None  # what stands in every row of a file without it, if any
    # The names that may stand in it: those of a file's first column or of a section, and others.
    names: tuple[str, ...] = ()


#: Names that pages, links and files are made of, in the form that the document gives them; none of
#: those that say what an assumption is about besides one measure or commitment.
_NAME = re.compile(r"(?!(?:agreement|measures|commitments|none)$)\w[\w./()+-]*")
_TOLERANCE = re.compile(rf"(?:{_NUMBER}%?)?")

#: How the cells of a column are read, by what the column ``holds``.
_READERS: dict[str, Reader] = {
    "text": str,
    "filled": filled,
    "list": lambda text: [part.strip() for part in text.split(";") if part.strip()],
    "figure": parse_figure,
    "number": _number,
    "day": _stated_day,
    "period": _fitting(parse_period),
    "stated period": _fitting(lambda text: text in BLANK or parse_period(text)),
    "label": lambda text: parse_period(text).label,
    "comparator": _fitting(lambda text: text in BLANK or parse_comparator(text)),
    "frequency": choice(*FREQUENCIES),
    "rule": choice(*RULES),
    "tolerance": _fitting(_TOLERANCE.fullmatch, "a tolerance such as 5% or 2"),
    "name": _fitting(
        _NAME.fullmatch,
        "a reference such as N2 or CP-1.2: letters, digits and . - / _ + ( ), none of them first",
    ),
}


def _tables() -> dict[str, dict[str, Column]]:
    """The columns of each file of the register, as ``tables.csv`` lists them."""
    tables: dict[str, dict[str, Column]] = {}
    listed = pd.read_csv(Path(__file__).with_name("tables.csv"), keep_default_na=False)
    for row in listed.itertuples():
        read = _READERS.get(row.holds) or choice(*row.choices.split("|"))
        left_out = None if row.left_out == "required" else row.left_out
        names = tuple(row.names.split("|")) if row.names else ()
        tables.setdefault(row.file, {})[row.column] = Column(read, left_out, names)
    return tables


TABLES = _tables()


def typed(
    table: pd.DataFrame, readers: Mapping[str, Reader], file: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """The rows whose cells can all be read, and an error for every cell that cannot."""
    rows, findings = {}, []
    for number, text in table.iterrows():
        row = {}
        for column, read in readers.items():
            try:
                row[column] = read(text[column])
            except ValueError as error:
                expected, *remedy = error.args
                expected = expected.rpartition("expected ")[2]
                findings.append(cell_error(file, text, column, expected, *remedy))
        if len(row) == len(readers):
            rows[number] = row
    index = pd.Index(list(rows), name="row")
    return pd.DataFrame(list(rows.values()), index, list(readers)), findings


def cell_error(file: str, text: pd.Series, column: str, expected: str, remedy: str = "") -> Finding:
    """An error in one cell of a file; `text` is its row as it stands there, named by its number."""
    place = (int(str(text.name)), column, text[column], text.get("measure", text.get("indicator")))
    return Finding("error", f"raw/{file}.csv", expected, remedy or "Correct the cell.", *place)


@dataclass(frozen=True)
class Register:
    """The files of a register while they are checked: rows typed, and as they stand there."""

    settings: Settings
    tables: dict[str, pd.DataFrame]
    texts: dict[str, pd.DataFrame]

    @cached_property
    def measures(self) -> pd.DataFrame:
        """The measures by name, the first of each."""
        return self.tables["measures"].drop_duplicates("measure").set_index("measure", drop=False)

    @property
    def printed_decimals(self) -> pd.Series:
        """How many decimals a document prints the figures of each measure with."""
        return self.texts["measures"][PRINTED].map(decimals).max(axis=1)
