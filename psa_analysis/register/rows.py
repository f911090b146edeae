"""The register's rows: what each file holds, column by column, and how a cell is read.

``docs/register.md`` describes each field for whoever fills it in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, StringConstraints

from psa_analysis.findings import Finding
from psa_analysis.periods import parse_period
from psa_analysis.register.agreement import parse_comparator, stated_period
from psa_analysis.words import NOT_STATED

if TYPE_CHECKING:
    from psa_analysis.register.settings import Settings

#: Where a decision stands that no document states.
OWN_DECISION = "own decision"

#: How the reading that counts is made from what is observed (see ``analysis.readings``).
Basis = Literal[
    "point",
    "annual",
    "year_to_date",
    "cumulative",
    "rolling_12m",
    "mean_of_years",
    "change_from_baseline",
    "ratio_to_comparator",
    "gap_to_comparator",
    "index",
    "rank",
    "milestone",
]

#: How the planned path runs from the baseline to the target (see ``analysis.trajectory``).
Profile = Literal["", "linear", "steps", "given", "seasonal"]

#: The last day and the value of each point that a planned path runs through.
Points = tuple[tuple[date, float], ...]

#: What an assumption may be about besides one measure or commitment.
GENERAL_ITEMS = ("agreement", "measures", "commitments")

#: Figures of a measure; each has a status beside it in ``Agreement.measures``.
FIGURES = ["baseline", "base", "without", "target"]

_NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?"


def parse_figure(text: str) -> Fraction | None:
    """Read a figure exactly: ``53.2``, ``235 / 0.72``, ``not stated`` or nothing."""
    if text in ("", NOT_STATED):
        return None
    match = re.fullmatch(rf"({_NUMBER})(?:\s*/\s*({_NUMBER}))?", text)
    if match is None or (match[2] and Fraction(match[2]) == 0):
        raise ValueError("a number such as 53.2, a division such as 235 / 0.72, or 'not stated'")
    return Fraction(match[1]) / Fraction(match[2] or 1)


def _number(text: str) -> Fraction:
    """A figure that must be there, and as a document prints it."""
    figure = parse_figure(text) if "/" not in text else None
    if figure is None:
        raise ValueError("a number such as 53.2")
    return figure


def _unchanged(parse: Callable[[str], object]) -> Callable[[str], str]:
    """A validator that gives a text back as it stands, once `parse` has understood it."""

    def check(text: str) -> str:
        parse(text)
        return text

    return check


def _financial_year(text: str) -> str:
    return parse_period(text, "financial_year").label


def _date_text(text: str) -> date | None:
    if text in ("", NOT_STATED):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date such as 2004-03-31, or 'not stated'") from None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Figure = Annotated[Fraction | None, PlainValidator(parse_figure)]
Number = Annotated[Fraction, PlainValidator(_number)]
SomePeriod = Annotated[str, PlainValidator(_unchanged(parse_period))]
PeriodText = Annotated[str, PlainValidator(_unchanged(lambda text: stated_period(text, "")))]
FinancialYear = Annotated[str, AfterValidator(_financial_year)]
DateText = Annotated[date | None, PlainValidator(_date_text)]
ComparatorText = Annotated[str, AfterValidator(_unchanged(parse_comparator))]
Listed = Annotated[list[str], PlainValidator(_listed)]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Z]\d+$")]
MeasureId = Annotated[str, StringConstraints(pattern=r"^[A-Z]\d+(-[a-z0-9]+)*$")]
Polarity = Literal["higher", "lower"]
Rating = Literal["high", "medium", "low"]


class Row(BaseModel):
    """A row of one of the register's files."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class TargetRow(Row):
    """A row of ``targets.csv``: one reference of the agreement."""

    reference: Reference
    theme: str
    outcome: Words
    rationale: Listed
    description: Words
    partners: Listed
    document: str
    location: Words


class MeasureRow(Row):
    """A row of ``measures.csv``: one thing measured under a reference."""

    measure: MeasureId
    reference: str
    role: Literal["target", "supporting", "context"]
    title: Words
    definition: Words
    objective: str
    unit: Words
    made_of: Literal["cases", "amounts", ""]
    polarity: Polarity
    basis: Basis
    frequency: Literal["quarterly", "annual", "exam_year", "calendar_year"]
    baseline: Figure
    baseline_period: PeriodText
    base: Figure
    without: Figure
    target: Figure
    due: PeriodText
    profile: Profile
    weight: Figure
    interim: Figure
    interim_period: PeriodText
    parts: Listed
    continues: str
    comparator: ComparatorText
    partner: str
    document: str
    location: Words


class TrajectoryRow(Row):
    """A row of ``trajectories.csv``: a level that the plan sets on the way to a target."""

    measure: MeasureId
    period: SomePeriod
    value: Number
    document: str
    location: Words


class RebaseRow(Row):
    """A row of ``rebases.csv``: where a control chart's mean and limits start anew, and why."""

    measure: MeasureId
    period: SomePeriod
    reason: Words
    document: str
    location: str


class CommitmentRow(Row):
    """A row of ``commitments.csv``: one promise of the strategy that is no target."""

    commitment: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}\d+[a-z]?$")]
    objective: str
    level: Literal["high", "other"]
    priority: Words
    promise: Words
    kind: Literal["level", "quartile", "milestone", "unquantified"]
    unit: str
    polarity: Literal["higher", "lower", ""]
    baseline: Figure
    baseline_period: PeriodText
    target: Figure
    due: Words
    due_date: DateText
    measure: str
    document: str
    location: Words


class LinkRow(Row):
    """A row of ``links.csv``: a link that the agreement states."""

    reference: str
    linked_to: str


class AssumptionRow(Row):
    """A row of ``assumptions.csv``: a figure or reading that no document states."""

    item: str
    column: str
    status: Literal["assumed", "derived"]
    reason: Words
    quality: Rating
    impact: Rating


class DifferenceRow(Row):
    """A row of ``differences.csv``: where two documents do not say the same."""

    reference: str
    subject: Words
    bid: Words
    strategy: Words
    used: Words
    reason: Words


class FactRow(Row):
    """A row of ``facts.csv``: any other figure that a document prints."""

    reference: str
    fact: Words
    value: Figure
    unit: Words
    period: str
    document: str
    location: Words


class AreaRow(Row):
    """A row of ``areas.csv``: a place that a figure may be about."""

    area: Words
    kind: Words
    part_of: str


class BasketRow(Row):
    """A row of ``baskets.csv``: an indicator of one component's basket."""

    component: str
    indicator: str
    weight: Number
    polarity: Literal["higher", "lower", ""]
    change: Literal["relative", "points"]
    illustrative: Literal["yes", "no"]
    document: str
    location: Words


class NoteRow(Row):
    """A row of ``notes.csv``: what to know of a measure or a theme, for its page."""

    about: str
    text: Words


class FamilyRow(Row):
    """A row of ``families.csv``: an area that the agreement's own is compared with."""

    family: Words
    area: str
    document: str
    location: Words


TABLES: dict[str, tuple[str, type[Row]]] = {
    "targets": ("raw/register/targets.csv", TargetRow),
    "measures": ("raw/register/measures.csv", MeasureRow),
    "commitments": ("raw/register/commitments.csv", CommitmentRow),
    "links": ("raw/register/links.csv", LinkRow),
    "assumptions": ("raw/register/assumptions.csv", AssumptionRow),
    "differences": ("raw/register/differences.csv", DifferenceRow),
    "facts": ("raw/register/facts.csv", FactRow),
    "areas": ("raw/register/areas.csv", AreaRow),
    "trajectories": ("raw/register/trajectories.csv", TrajectoryRow),
    "families": ("raw/register/families.csv", FamilyRow),
    "baskets": ("raw/register/baskets.csv", BasketRow),
    "rebases": ("raw/register/rebases.csv", RebaseRow),
    "notes": ("raw/register/notes.csv", NoteRow),
}

#: The columns that say which measure a row is about.
_MEASURE_COLUMNS = {
    "measures": "measure",
    "trajectories": "measure",
    "rebases": "measure",
    "baskets": "indicator",
    "assumptions": "item",
}


def cell_error(
    key: str, text: pd.Series, column: str, expected: str, remedy: str, found: str | None = None
) -> Finding:
    """An error in one cell of a file; `text` is its row as it stands there, named by its number."""
    return Finding(
        "error",
        TABLES[key][0],
        expected,
        remedy,
        row=int(str(text.name)),
        column=column,
        found=text[column] if found is None else found,
        measure=text.get(_MEASURE_COLUMNS.get(key)),
    )


@dataclass(frozen=True)
class Register:
    """The files of a register while they are checked: rows typed, and as they stand there."""

    settings: Settings
    tables: dict[str, pd.DataFrame]
    texts: dict[str, pd.DataFrame]

    @cached_property
    def measures(self) -> pd.DataFrame:
        """The measures by name, the first of each."""
        measures = self.tables["measures"].drop_duplicates("measure")
        return measures.set_index("measure", drop=False)

    def rows(self, key: str) -> Iterator[tuple[pd.Series, pd.Series]]:
        """Each row of a file, typed and as text."""
        texts = self.texts[key]
        for number, row in self.tables[key].iterrows():
            yield row, texts.loc[number]
