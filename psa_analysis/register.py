"""The register: what was agreed, with the document and place that says so.

An agreement is a folder of plain files (``docs/register.md`` describes each field).
Everything here checks and types those files; nothing is known about any one council.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    model_validator,
)

from psa_analysis.findings import DataError, Finding, did_you_mean, one_of
from psa_analysis.links import correlation_matrix, held_together, linked
from psa_analysis.loading import read_table
from psa_analysis.periods import KIND_NAMES, Kind, Period, parse_period

NOT_STATED = "not stated"

#: Where a decision stands that no document states.
OWN_DECISION = "own decision"

#: How the reading that counts is made from what is observed (see ``performance``).
Basis = Literal[
    "point", "annual", "year_to_date", "cumulative", "rolling_12m", "mean_of_years",
    "change_from_baseline", "ratio_to_comparator", "gap_to_comparator", "index", "rank",
    "milestone",
]  # fmt: skip

#: How the planned path runs from the baseline to the target (see ``trajectory``).
Profile = Literal[
    "", "linear", "constant rate", "front-loaded", "back-loaded", "steps", "given", "seasonal",
]  # fmt: skip

#: The last day and the value of each point that a planned path runs through.
Points = tuple[tuple[date, float], ...]

#: The profiles whose path runs through the points of ``trajectories.csv``.
PROFILES_WITH_POINTS = ("steps", "given")

#: What an assumption may be about besides one measure or commitment.
GENERAL_ITEMS = ("agreement", "measures", "commitments")

#: Figures of a measure; each has a status beside it in ``Agreement.measures``.
FIGURES = ["baseline", "base", "without", "target"]

_NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?"


def parse_figure(text: str) -> Fraction | None:
    """Read a figure exactly: ``53.2``, ``235 / 0.72``, ``not stated`` or nothing.

    Raises
    ------
    ValueError
        If it is none of these.
    """
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


def _period_text(text: str) -> str:
    if text not in ("", NOT_STATED):
        parse_period(text)
    return text


def _some_period(text: str) -> str:
    parse_period(text)
    return text


def _financial_year(text: str) -> str:
    return parse_period(text, "financial_year").label


def _date_text(text: str) -> date | None:
    if text in ("", NOT_STATED):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date such as 2004-03-31, or 'not stated'") from None


@dataclass(frozen=True)
class Comparator:
    """What a measure is compared with.

    Attributes
    ----------
    kind : {"measure", "area", "family"}
        Another measure of the same area, the same measure of another area, or several areas.
    name : str
        The measure, the area, or the family: one of ``families.csv``, or a kind of area.
    highest_first : bool
        For a family: whether the highest figure has place 1.
    """

    kind: Literal["measure", "area", "family"]
    name: str
    highest_first: bool = True


def parse_comparator(text: str) -> Comparator | None:
    """Read a comparator; None where there is none or it is not stated.

    ``N14-overall`` is a measure, ``area: England`` an area and ``family: authority; lowest
    first`` a family whose lowest figure is the best.

    Raises
    ------
    ValueError
        If it has another form.
    """
    if text in ("", NOT_STATED):
        return None
    if match := re.fullmatch(r"area:\s*(.+)", text):
        return Comparator("area", match[1])
    if match := re.fullmatch(r"family:\s*([^;]+?)\s*;\s*(highest|lowest) first", text):
        return Comparator("family", match[1], match[2] == "highest")
    if ":" in text:
        raise ValueError(
            "a measure, 'area: NAME', 'family: KIND; highest first', 'family: KIND; lowest first' "
            "or 'not stated'"
        )
    return Comparator("measure", text)


def _comparator_text(text: str) -> str:
    parse_comparator(text)
    return text


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

Figure = Annotated[Fraction | None, PlainValidator(parse_figure)]

Number = Annotated[Fraction, PlainValidator(_number)]

SomePeriod = Annotated[str, PlainValidator(_some_period)]

PeriodText = Annotated[str, PlainValidator(_period_text)]

FinancialYear = Annotated[str, AfterValidator(_financial_year)]

DateText = Annotated[date | None, PlainValidator(_date_text)]

ComparatorText = Annotated[str, AfterValidator(_comparator_text)]

Listed = Annotated[list[str], PlainValidator(_listed)]

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Z]\d+$")]

MeasureId = Annotated[str, StringConstraints(pattern=r"^[A-Z]\d+(-[a-z0-9]+)*$")]

Polarity = Literal["higher", "lower"]

Rating = Literal["high", "medium", "low"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class TargetRow(_Row):
    """A row of ``targets.csv``: one reference of the agreement."""

    reference: Reference
    theme: str
    outcome: Words
    rationale: Listed
    description: Words
    partners: Listed
    document: str
    location: Words


class MeasureRow(_Row):
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


class TrajectoryRow(_Row):
    """A row of ``trajectories.csv``: a level that the plan sets on the way to a target."""

    measure: MeasureId
    period: SomePeriod
    value: Number
    document: str
    location: Words


class RebaseRow(_Row):
    """A row of ``rebases.csv``: where a control chart's mean and limits start anew, and why."""

    measure: MeasureId
    period: SomePeriod
    reason: Words
    document: str
    location: str


class CommitmentRow(_Row):
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


class LinkRow(_Row):
    """A row of ``links.csv``: a link that the agreement states."""

    reference: str
    linked_to: str
    correlation: Figure


class AssumptionRow(_Row):
    """A row of ``assumptions.csv``: a figure or reading that no document states."""

    item: str
    column: str
    status: Literal["assumed", "derived"]
    reason: Words
    quality: Rating
    impact: Rating


class DifferenceRow(_Row):
    """A row of ``differences.csv``: where two documents do not say the same."""

    reference: str
    subject: Words
    bid: Words
    strategy: Words
    used: Words
    reason: Words


class FactRow(_Row):
    """A row of ``facts.csv``: any other figure that a document prints."""

    reference: str
    fact: Words
    value: Figure
    unit: Words
    period: str
    document: str
    location: Words


class AreaRow(_Row):
    """A row of ``areas.csv``: a place that a figure may be about."""

    area: Words
    kind: Words
    part_of: str


class BasketRow(_Row):
    """A row of ``baskets.csv``: an indicator of one component's basket."""

    component: str
    indicator: str
    weight: Number
    polarity: Literal["higher", "lower", ""]
    change: Literal["relative", "points"]
    illustrative: Literal["yes", "no"]
    document: str
    location: Words


class FamilyRow(_Row):
    """A row of ``families.csv``: an area that the agreement's own is compared with."""

    family: Words
    area: str
    document: str
    location: Words


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgreementSection(_Section):
    """``[agreement]``: whose it is and when it runs."""

    name: Words
    council: Words
    area: Words
    first_year: FinancialYear
    last_year: FinancialYear

    @model_validator(mode="after")
    def _in_order(self) -> AgreementSection:
        if parse_period(self.last_year) < parse_period(self.first_year):
            raise ValueError("expected last_year not to come before first_year")
        return self


class CalendarSection(_Section):
    """``[calendar]``: when a period's report is made."""

    cut_off_days: Annotated[int, Field(ge=0, le=366)] = 45


class StatesSection(_Section):
    """``[states]``: what divides the states.

    Chances of the target; and, where there are too few readings for a forecast, shares of the
    improvement that the planned path asks for.
    """

    on_track: Annotated[float, Field(gt=0, le=1)] = 0.6
    at_risk: Annotated[float, Field(ge=0, le=1)] = 0.25
    path_on_track: Annotated[float, Field(gt=0, le=1)] = 0.95
    path_at_risk: Annotated[float, Field(ge=0, le=1)] = 0.6

    @model_validator(mode="after")
    def _in_order(self) -> StatesSection:
        if self.at_risk > self.on_track:
            raise ValueError("expected at_risk to be no more than on_track")
        if self.path_at_risk > self.path_on_track:
            raise ValueError("expected path_at_risk to be no more than path_on_track")
        return self


class GrantSection(_Section):
    """``[grant]``: the reward grant; what is left out is as in first-generation agreements."""

    trigger: Annotated[float, Field(gt=0, le=1)] = 0.6
    net_budget_requirement: Annotated[float, Field(gt=0)] | Literal["not stated"] = "not stated"
    share_of_budget: Annotated[float, Field(gt=0, le=1)] = 0.025
    population: Annotated[int, Field(gt=0)] | Literal["not stated"] = "not stated"
    pump_priming: Annotated[float, Field(ge=0)] = 750_000
    pump_priming_per_head: Annotated[float, Field(ge=0)] = 1
    instalments: Annotated[int, Field(ge=1, le=10)] = 2
    on_account: Annotated[float, Field(ge=0, le=1)] = 0.2
    capital_share: Annotated[float, Field(ge=0, le=1)] | Literal["not stated"] = "not stated"


class DisclosureSection(_Section):
    """``[disclosure]``: which counts are small, and so not shown in public reports."""

    threshold: Annotated[int, Field(ge=0, le=100)] = 5
    smallest_denominator: Annotated[int, Field(ge=0, le=1000)] = 10
    show_zeros: bool = False


class EffectivenessSection(_Section):
    """``[effectiveness]``: what an index of cost-effectiveness is made from, with baskets.csv."""

    index: str
    net_budget: str
    deflator: str
    deflator_area: str
    components: Literal["net budget", "equal"]


class DocumentSection(_Section):
    """``[documents.X]``: a document that figures are cited to."""

    title: Words
    author: Words
    date: Words


class Settings(_Section):
    """``agreement.toml``, section by section."""

    agreement: AgreementSection
    calendar: CalendarSection = CalendarSection()
    states: StatesSection = StatesSection()
    grant: GrantSection = GrantSection()
    disclosure: DisclosureSection = DisclosureSection()
    effectiveness: EffectivenessSection | None = None
    partners: dict[str, str] = {}
    themes: dict[str, str]
    objectives: dict[str, str] = {}
    topics: dict[str, list[str]] = {}
    documents: dict[str, DocumentSection] = {}


@dataclass(frozen=True, repr=False)
class Agreement:
    """An agreement: its settings and its register.

    Attributes
    ----------
    folder : Path
        The data folder that it was read from.
    settings : Settings
        ``agreement.toml``.
    targets, measures, commitments, links, assumptions : pandas.DataFrame
    differences, facts, areas, trajectories, families, baskets, rebases : pandas.DataFrame
        One row per row of the file of that name. `targets` is indexed by reference,
        `measures` by measure, `commitments` by commitment. `measures` has, beside each of
        :data:`FIGURES`, a column ``<figure>_status``: stated, derived, assumed,
        not stated, or empty where the figure does not apply; a column ``points``: the last
        day and the value of each of its rows of `trajectories`, in order; and a column
        ``seasons``, empty until :func:`psa_analysis.pipeline.with_seasons` fills it in.
    """

    folder: Path
    settings: Settings
    targets: pd.DataFrame
    measures: pd.DataFrame
    commitments: pd.DataFrame
    links: pd.DataFrame
    assumptions: pd.DataFrame
    differences: pd.DataFrame
    facts: pd.DataFrame
    areas: pd.DataFrame
    trajectories: pd.DataFrame
    families: pd.DataFrame
    baskets: pd.DataFrame
    rebases: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"{self.settings.agreement.name}: {len(self.targets)} targets, "
            f"{len(self.measures)} measures, {len(self.commitments)} commitments"
        )

    def __getitem__(self, name: str) -> Entry:
        """What the register holds of a target or a measure, for example ``agreement["N2"]``.

        Raises
        ------
        KeyError
            If there is neither of that name; it says which is nearest.
        """
        if name in self.targets.index:
            own = self.measures[self.measures["reference"] == name]
        elif name in self.measures.index:
            own = self.measures.loc[[name]]
        else:
            known = self._ipython_key_completions_()
            raise KeyError(
                f"there is no target or measure '{name}'. {did_you_mean(str(name), known)}"
            )
        reference = own["reference"].iloc[0] if len(own) else name
        return Entry(name, self.targets.loc[reference], own)

    def _ipython_key_completions_(self) -> list[str]:
        return [*dict.fromkeys([*self.targets.index, *self.measures.index])]


@dataclass(frozen=True, repr=False, eq=False)
class Entry:
    """One target of the register with its measures, or one of these; equal to itself alone.

    Attributes
    ----------
    name : str
        What was asked for.
    target : pandas.Series
        Its row of ``targets.csv``.
    measures : pandas.DataFrame
        Its rows of ``measures.csv``, indexed by measure: all of a target's, or the one.
    """

    name: str
    target: pd.Series
    measures: pd.DataFrame

    def __repr__(self) -> str:
        lines = [f"{self.name}: {self.target['outcome']} ({self.target['theme']})"]
        if self.target["partners"]:
            lines.append(f"Partners: {'; '.join(self.target['partners'])}")
        context = self.measures["role"] == "context"
        for name, row in self.measures[~context].iterrows():
            figures = [
                f"{figure} {_figure_words(row, figure)}"
                for figure in ("baseline", "without", "target")
            ]
            lines += [
                f"{name}, {row['title']} ({row['unit']}; {row['polarity']} is better)",
                f"  {', '.join(figures)}, due {row['due']}",
            ]
        if context.any():
            lines.append(f"Context: {', '.join(self.measures.index[context])}")
        return "\n".join(lines)


def _figure_words(row: pd.Series, figure: str) -> str:
    """``53.2``, ``33 (assumed)`` or ``not stated``."""
    status = row[f"{figure}_status"]
    if pd.isna(row[figure]):
        return str(status) or "none"
    mark = "" if status == "stated" else f" ({status})"
    return f"{row[figure]:,.10g}{mark}"


_TABLES: dict[str, tuple[str, type[_Row]]] = {
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
}

#: Files that must be there; of the others no row says the same as no file.
_NEEDED = {"targets", "measures"}

#: Columns that a file may leave out, and what stands in every row then.
_LEFT_OUT: dict[str, dict[str, str]] = {
    "targets": {
        "rationale": "", "description": NOT_STATED, "partners": "", "document": "",
        "location": NOT_STATED,
    },
    "measures": {
        "role": "target", "definition": NOT_STATED, "objective": NOT_STATED, "made_of": "",
        "basis": "point", "frequency": "annual", "baseline": NOT_STATED,
        "baseline_period": NOT_STATED, "base": "", "profile": "", "weight": "", "interim": "",
        "interim_period": "", "parts": "", "continues": "", "comparator": "", "partner": "",
        "document": "", "location": NOT_STATED,
    },
    "rebases": {"document": OWN_DECISION, "location": ""},
}  # fmt: skip


def family_areas(agreement: Agreement, family: str) -> list[str]:
    """The areas of a family, the agreement's own first, which belongs to every family.

    Parameters
    ----------
    agreement : Agreement
    family : str
        A family of ``families.csv``, or a kind of area of ``areas.csv``.

    Raises
    ------
    KeyError
        If there is no such family.
    """
    areas, families = agreement.areas, agreement.families
    own = agreement.settings.agreement.area
    named = families.loc[families["family"] == family, "area"]
    others = named if len(named) else areas.loc[areas["kind"] == family, "area"]
    if others.empty:
        known = _family_names(families, areas, own)
        raise KeyError(f"there is no family '{family}'; the register has {', '.join(known)}")
    return [own, *others[others != own]]


def _family_names(families: pd.DataFrame, areas: pd.DataFrame, own: str) -> list[str]:
    """Families of ``families.csv``, then kinds of area other than the agreement's own."""
    kinds = areas.loc[areas["area"] != own, "kind"]
    return [*dict.fromkeys(families["family"]), *sorted(set(kinds))]


def measure_period(measure: pd.Series, column: str) -> Period | None:
    """The period in a column of a measure, or None where it is not stated.

    Parameters
    ----------
    measure : pandas.Series
        A row of ``Agreement.measures``.
    column : {"baseline_period", "due", "interim_period"}
        Which of its periods.
    """
    text = measure[column]
    return None if text in ("", NOT_STATED) else _period_of(text, measure["frequency"])


def _period_of(text: str, frequency: str) -> Period:
    # 2001/02 is a school year for a measure of examinations.
    plain = parse_period(text)
    if frequency == "exam_year" and plain.kind == "financial_year":
        return parse_period(text, "exam_year")
    return plain


#: Units in which four quarters do not add up to a year.
NOT_SUMMED = {"percent change", "percentage points", "index"}


def rate_factor(unit: str) -> int | None:
    """What numerator over denominator is multiplied by, or None for a unit that is no rate.

    100 for ``percent``, 1,000 for ``per 1,000 residents``.
    """
    if unit == "percent":
        return 100
    match = re.match(r"per ([\d,]+) ", unit)
    return int(match[1].replace(",", "")) if match else None


def observed_units(measures: pd.DataFrame) -> pd.Series:
    """The unit of the figures that returns hold, where it is not that of the reading.

    A gap in percentage points is worked out from percentages, a ratio from figures in the unit
    of the measure that it is compared with.

    Parameters
    ----------
    measures : pandas.DataFrame
        ``Agreement.measures``.

    Returns
    -------
    pandas.Series
        A unit, or for bases that have no unit of their own some words, by measure.
    """
    units = measures["basis"].map(OBSERVED_WORDS).fillna(measures["unit"])
    gaps = (measures["basis"] == "gap_to_comparator") & (units == "percentage points")
    units = units.mask(gaps, "percent")
    for name in measures.index[measures["basis"] == "ratio_to_comparator"]:
        comparator = parse_comparator(measures.at[name, "comparator"])
        if comparator is not None and comparator.kind == "measure":
            units[name] = measures.at[comparator.name, "unit"]
    return units


#: What stands in a return whose figures have not the unit of the reading.
OBSERVED_WORDS = {
    "change_from_baseline": "number counted",
    "rank": "figure to be ranked",
    "milestone": "1 if done, 0 if not",
}


def load_agreement(folder: Path) -> Agreement:
    """Read and check an agreement's settings and register.

    Parameters
    ----------
    folder : Path
        The data folder: it holds ``raw/agreement.toml`` and ``raw/register/``.

    Raises
    ------
    DataError
        With every error of every file, if there is any.
    """
    problems: list[Finding] = []
    settings: Settings | None = None
    try:
        settings = _read_settings(folder / "raw" / "agreement.toml")
    except DataError as error:
        problems += error.findings
    tables: dict[str, pd.DataFrame] = {}
    texts: dict[str, pd.DataFrame] = {}
    for key, (name, model) in _TABLES.items():
        columns = list(model.model_fields)
        try:
            if key not in _NEEDED and not (folder / name).exists():
                texts[key] = pd.DataFrame(columns=columns, dtype=str)
            else:
                texts[key] = read_table(folder / name, name, columns, _LEFT_OUT.get(key))
            tables[key] = _typed(texts[key], model, name)
        except DataError as error:
            problems += error.findings
    if settings is not None and "areas" in texts and texts["areas"].empty:
        # An agreement of one place needs no list of them.
        only = pd.DataFrame(
            [[settings.agreement.area, "council", ""]], columns=["area", "kind", "part_of"]
        )
        texts["areas"] = tables["areas"] = only
    # The cross-checks need every file; with one of them unreadable they would only add noise.
    if settings is not None and not problems:
        problems += _cross_checks(settings, tables, texts)
    if problems:
        raise DataError(problems)
    assert settings is not None
    tables["measures"] = _with_statuses(
        tables["measures"], texts["measures"], tables["assumptions"]
    )
    tables["measures"]["points"] = _points(tables["measures"], tables["trajectories"])
    tables["measures"]["seasons"] = [()] * len(tables["measures"])
    indexed = {"targets": "reference", "measures": "measure", "commitments": "commitment"}
    for key, column in indexed.items():
        tables[key] = tables[key].set_index(column)
    return Agreement(folder=folder, settings=settings, **tables)


def _read_settings(path: Path) -> Settings:
    name = "raw/agreement.toml"
    if not path.is_file():
        raise DataError(
            [
                Finding(
                    "error", name, "the agreement's settings",
                    "Name the folder that holds raw/agreement.toml.", found=str(path),
                )
            ]
        )  # fmt: skip
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            [Finding("error", name, "TOML in UTF-8", "Mend that line.", found=str(error))]
        ) from None
    except ValidationError as error:
        raise DataError(
            [
                Finding(
                    "error", name, _expected(detail), "Correct the setting.",
                    column=".".join(map(str, detail["loc"])), found=_found(detail),
                )
                for detail in error.errors()
            ]
        ) from None  # fmt: skip


def _typed(text: pd.DataFrame, model: type[_Row], name: str) -> pd.DataFrame:
    """Type each row by its model; the index stays the row of the file."""
    rows, problems = [], []
    for number, record in text.to_dict("index").items():
        try:
            rows.append(dict(model.model_validate(record)))
        except ValidationError as error:
            problems += [
                Finding(
                    "error", name, _expected(detail), "Correct the cell.",
                    row=int(str(number)), column=str(detail["loc"][0]), found=_found(detail),
                )
                for detail in error.errors()
            ]  # fmt: skip
    if problems:
        raise DataError(problems)
    frame = pd.DataFrame(rows, columns=list(model.model_fields), index=text.index)
    return frame


def _expected(detail: Any) -> str:
    """What pydantic expected, in the words of a finding."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"]).rpartition("expected ")[2]
        case "literal_error":
            return f"one of {context['expected']}"
        case "string_pattern_mismatch":
            return _PATTERNS[context["pattern"]]
        case "string_too_short":
            return "some text"
        case "missing":
            return "the setting to be there"
        case "extra_forbidden":
            return "a known setting"
        case _:
            return str(detail["msg"])


_PATTERNS = {
    r"^[A-Z]\d+$": "a reference such as N2",
    r"^[A-Z]\d+(-[a-z0-9]+)*$": "a measure such as N2 or L4-repeat",
    r"^[A-Z]{2}\d+[a-z]?$": "a commitment such as ED1a",
}


def _found(detail: Any) -> str | None:
    return None if detail["type"] == "missing" else str(detail["input"])


def _with_statuses(
    measures: pd.DataFrame, text: pd.DataFrame, assumptions: pd.DataFrame
) -> pd.DataFrame:
    """Floats for the figures, with a status column beside each; NaN where there is none."""
    measures = measures.copy()
    reasons = assumptions.set_index(["item", "column"])["status"].to_dict()
    for figure in FIGURES:
        measures[figure] = measures[figure].astype(float)
        measures[f"{figure}_status"] = [
            cell if cell in ("", NOT_STATED) else reasons.get((measure, figure), "stated")
            for measure, cell in zip(measures["measure"], text[figure], strict=True)
        ]
    for column in ("weight", "interim"):
        measures[column] = measures[column].astype(float)
    return measures


def _points(measures: pd.DataFrame, trajectories: pd.DataFrame) -> list[Points]:
    """Last day and value of the points of each measure, in order."""
    frequencies = measures.set_index("measure")["frequency"]
    points: dict[str, list[tuple[date, float]]] = {name: [] for name in frequencies.index}
    for row in trajectories.itertuples():
        end = _period_of(row.period, frequencies[row.measure]).end
        points[row.measure].append((end, float(row.value)))
    return [tuple(sorted(own)) for own in points.values()]


def _cross_checks(
    settings: Settings, tables: dict[str, pd.DataFrame], texts: dict[str, pd.DataFrame]
) -> list[Finding]:
    """What one row cannot know: names that must exist elsewhere, and figures that must agree."""
    references = set(tables["targets"]["reference"])
    measures = set(tables["measures"]["measure"])
    objectives = {*settings.objectives, NOT_STATED}
    items = {*measures, *tables["commitments"]["commitment"], *GENERAL_ITEMS}
    known: list[tuple[str, str, Iterable[str]]] = [
        ("targets", "theme", settings.themes),
        ("targets", "document", settings.documents),
        ("measures", "reference", references),
        ("measures", "objective", objectives),
        ("measures", "continues", {*measures, ""}),
        ("measures", "partner", {*settings.partners, ""}),
        ("measures", "document", settings.documents),
        ("commitments", "objective", settings.objectives),
        ("commitments", "measure", {*measures, ""}),
        ("commitments", "document", settings.documents),
        ("links", "reference", references),
        ("links", "linked_to", {*references, *settings.topics}),
        ("assumptions", "item", items),
        ("differences", "reference", references),
        ("facts", "reference", {*references, "none"}),
        ("facts", "document", settings.documents),
        ("areas", "part_of", {*tables["areas"]["area"], ""}),
        ("trajectories", "measure", measures),
        ("trajectories", "document", settings.documents),
        ("baskets", "component", set(tables["areas"]["area"])),
        ("baskets", "indicator", measures),
        ("baskets", "document", settings.documents),
        ("families", "area", tables["areas"]["area"]),
        ("rebases", "measure", measures),
        ("rebases", "document", {*settings.documents, OWN_DECISION}),
        ("families", "document", {*settings.documents, NOT_STATED}),
    ]
    problems: list[Finding] = []
    for key, column, names in known:
        # A council that cites nothing leaves the column out; one that cites, cites every row.
        if column != "document" or (texts[key][column] != "").any():
            problems += _unknown(texts[key], key, column, sorted(names))
    keys = [
        ("targets", ["reference"]), ("measures", ["measure"]), ("commitments", ["commitment"]),
        ("links", ["reference", "linked_to"]), ("assumptions", ["item", "column"]),
        ("areas", ["area"]), ("families", ["family", "area"]),
        ("baskets", ["component", "indicator"]),
    ]  # fmt: skip
    for key, columns in keys:
        problems += _duplicates(texts[key], key, columns)
    for reference in sorted(references - set(tables["measures"]["reference"])):
        row = int(tables["targets"].index[tables["targets"]["reference"] == reference][0])
        problems.append(
            Finding(
                "error", _TABLES["targets"][0], "at least one row in measures.csv",
                "Add a measure, or one whose figures are 'not stated'.",
                row=row, column="reference", found=reference,
            )
        )  # fmt: skip
    if settings.agreement.area not in set(tables["areas"]["area"]):
        problems.append(
            Finding(
                "error", "raw/agreement.toml", "an area of areas.csv",
                did_you_mean(settings.agreement.area, tables["areas"]["area"]),
                column="agreement.area", found=settings.agreement.area,
            )
        )  # fmt: skip
    for topic, named in settings.topics.items():
        problems += [
            Finding(
                "error", "raw/agreement.toml", "a reference of targets.csv",
                did_you_mean(reference, references), column=f"topics.{topic}", found=reference,
            )
            for reference in named
            if reference not in references
        ]  # fmt: skip
    for number, row in tables["measures"].iterrows():
        problems += _measure_problems(row, texts["measures"].loc[number], int(str(number)))
    problems += [
        Finding(
            "error", _TABLES["measures"][0], "other measures, with ; between them",
            did_you_mean(part, measures), row=int(str(number)), column="parts", found=part,
            measure=row["measure"],
        )
        for number, row in tables["measures"].iterrows()
        for part in row["parts"]
        if part not in measures or part == row["measure"]
    ]  # fmt: skip
    problems += _weight_problems(tables["measures"])
    problems += _link_problems(settings, tables)
    problems += _continuation_problems(tables["measures"])
    problems += _profile_problems(tables, texts)
    problems += _point_problems(tables, texts["trajectories"])
    families = _family_names(tables["families"], tables["areas"], settings.agreement.area)
    problems += _comparator_problems(
        tables["measures"], tables["areas"], families, settings.agreement.area
    )
    problems += _rebase_problems(tables, texts["rebases"])
    problems += _family_problems(texts["families"], tables["areas"])
    problems += _effectiveness_problems(settings, tables)
    problems += _basket_problems(tables, texts["baskets"])
    problems += _commitment_problems(tables["commitments"], texts["commitments"])
    problems += _commitment_links(tables["commitments"], tables["measures"])
    problems += _assumption_problems(tables["assumptions"], texts)
    problems += _derived_without_formula(tables["assumptions"], texts["measures"])
    problems += [
        Finding(
            "error", _TABLES["links"][0], "another target", "Remove the row.",
            row=int(str(number)), column="linked_to", found=row["linked_to"],
        )
        for number, row in texts["links"].iterrows()
        if row["reference"] == row["linked_to"]
    ]  # fmt: skip
    problems += [
        Finding(
            "error", _TABLES["areas"][0], "another area, or nothing", "Correct the cell.",
            row=int(str(number)), column="part_of", found=row["part_of"],
        )
        for number, row in texts["areas"].iterrows()
        if row["area"] == row["part_of"]
    ]  # fmt: skip
    return problems


def _unknown(text: pd.DataFrame, key: str, column: str, names: list[str]) -> Iterator[Finding]:
    for number, cell in text[column][~text[column].isin(names)].items():
        yield Finding(
            "error", _TABLES[key][0], one_of(names), did_you_mean(cell, names),
            row=int(str(number)), column=column, found=cell,
        )  # fmt: skip


def _duplicates(text: pd.DataFrame, key: str, columns: list[str]) -> Iterator[Finding]:
    for number in text.index[text.duplicated(columns)]:
        found = ", ".join(text.loc[number, columns])
        first = text.index[(text[columns] == text.loc[number, columns]).all(axis=1)][0]
        yield Finding(
            "error", _TABLES[key][0], "each only once",
            f"It stands in row {first} already: remove or rename one.",
            row=int(number), column=columns[-1], found=found,
        )  # fmt: skip


def _measure_problems(row: pd.Series, text: pd.Series, number: int) -> Iterator[Finding]:
    """What must hold between the figures of one measure."""
    problem = partial(_measure_finding, number=number, text=text)
    better = 1 if row["polarity"] == "higher" else -1
    target, without, baseline = row["target"], row["without"], row["baseline"]
    if pd.notna(target) and pd.notna(baseline) and better * (target - baseline) <= 0:
        yield problem(
            "target", f"better than the baseline {text['baseline']} ({row['polarity']} is better)",
            "Correct the target, the baseline or the polarity.",
        )  # fmt: skip
    if pd.notna(target) and pd.notna(without) and better * (target - without) <= 0:
        yield problem(
            "without", f"short of the target {text['target']} ({row['polarity']} is better)",
            "Correct 'without', the target or the polarity: the grant is paid on the stretch.",
        )  # fmt: skip
    # A rate can be more than the one that it is a percentage of.
    if row["unit"] == "percent" and row["basis"] != "ratio_to_comparator":
        for column in FIGURES:
            if pd.notna(row[column]) and not 0 <= row[column] <= 100:
                yield problem(column, "0 to 100 for a percentage", "Correct the figure or unit.")
    if row["basis"] == "change_from_baseline":
        yield from _base_problems(row, text, problem)
    if row["measure"].partition("-")[0] != row["reference"]:
        yield problem("reference", "the reference that its name begins with", "Correct either.")
    if row["unit"] != "percent" and row["unit"].casefold() in ("%", "per cent", "percent"):
        yield problem("unit", "percent, in those letters", "Write percent.")
    if pd.notna(row["weight"]) and row["weight"] <= 0:
        yield problem("weight", "a number above 0, or nothing", "Correct the weight.")
    if pd.notna(row["interim"]) != (row["interim_period"] not in ("", NOT_STATED)):
        yield problem(
            "interim_period" if pd.notna(row["interim"]) else "interim",
            "an interim level and its period, or neither", "Give both or neither.",
        )  # fmt: skip
    yield from _period_problems(row, problem)
    if pd.notna(target) and row["due"] in ("", NOT_STATED):
        yield problem("due", "a period, since there is a target", "Give the period it is due.")
    if pd.notna(baseline) and row["baseline_period"] in ("", NOT_STATED):
        yield problem("baseline_period", "a period, since there is a baseline", "Give the period.")


def _weight_problems(measures: pd.DataFrame) -> Iterator[Finding]:
    """All measures of a target that count have a weight, or none."""
    counting = measures[measures["role"] == "target"]
    for _, rows in counting.groupby("reference", sort=False):
        blank = rows[rows["weight"].isna()]
        if 0 < len(blank) < len(rows):
            yield Finding(
                "error", _TABLES["measures"][0],
                f"a weight, since other measures of {blank['reference'].iloc[0]} have one",
                "Give each of its measures a weight, or none.",
                row=int(blank.index[0]), column="weight", found="",
                measure=blank["measure"].iloc[0],
            )  # fmt: skip


def _link_problems(settings: Settings, tables: dict[str, pd.DataFrame]) -> Iterator[Finding]:
    """Correlations between -1 and 1, stated once, and such that all of them can hold together."""
    name, links = _TABLES["links"][0], tables["links"]
    stated = links[links["correlation"].notna()]
    seen: dict[frozenset[str], tuple[int, Fraction]] = {}
    for number, row in stated.iterrows():
        problem = partial(
            Finding, "error", name, row=int(str(number)), column="correlation",
            found=f"{float(row['correlation']):.10g}",
        )  # fmt: skip
        if not -1 <= row["correlation"] <= 1:
            yield problem("a number from -1 to 1, or 'not stated'", "Correct the correlation.")
            return
        for one, other in linked(row, settings.topics):
            first = seen.setdefault(frozenset((one, other)), (int(str(number)), row["correlation"]))
            if first[1] != row["correlation"]:
                yield problem(
                    f"the {float(first[1]):.10g} of row {first[0]}, which links {one} and {other}",
                    "Give both rows one correlation.",
                )  # fmt: skip
                return
    counting = tables["measures"][tables["measures"]["role"] == "target"]
    matrix = correlation_matrix(counting["reference"].tolist(), links, settings.topics)
    most = held_together(matrix)
    if most < 1:
        yield Finding(
            "error", name, "correlations that can all hold together", "Lower them: multiplied by "
            f"{np.floor(1000 * most) / 1000:.3f} they would.", column="correlation",
            row=int(stated.index[0]), found=f"{len(stated)} correlations",
        )  # fmt: skip


def _continuation_problems(measures: pd.DataFrame) -> Iterator[Finding]:
    """A measure continues another of its kind, and each is continued once."""
    by_name = measures.drop_duplicates("measure").set_index("measure")
    continued = measures[measures["continues"].isin(by_name.index)]
    for number, row in continued.iterrows():
        older = by_name.loc[row["continues"]]
        seen, name = [row["measure"]], row["continues"]
        while name in by_name.index and name not in seen:
            seen.append(name)
            name = by_name.at[name, "continues"]
        same = ["unit", "polarity", "basis", "frequency"]
        if name in by_name.index:
            expected = "an older measure, not one that continues this one"
        elif any(row[column] != older[column] for column in same):
            expected = f"a measure of the same {', '.join(same[:-1])} and {same[-1]}"
        elif (continued["continues"] == row["continues"]).sum() > 1:
            expected = "a measure that no other row continues"
        else:
            continue
        yield Finding(
            "error", _TABLES["measures"][0], expected, "Correct the cell, or empty it.",
            row=int(str(number)), column="continues", found=row["continues"],
            measure=row["measure"],
        )  # fmt: skip


#: What each basis that compares may name.
_COMPARED: dict[str, tuple[str, ...]] = {
    "ratio_to_comparator": ("measure", "area"),
    "gap_to_comparator": ("measure", "area"),
    "rank": ("family",),
}


def _comparator_problems(
    measures: pd.DataFrame, areas: pd.DataFrame, families: list[str], own_area: str
) -> Iterator[Finding]:
    """A comparator is there where the basis needs one, exists, and can be compared with."""
    for number, row in measures.iterrows():
        problem = partial(
            Finding, "error", _TABLES["measures"][0], row=int(str(number)), measure=row["measure"]
        )
        if row["basis"] == "ratio_to_comparator" and row["unit"] != "percent":
            yield problem(
                "percent, since a ratio is a percentage of the comparator", "Correct the unit.",
                column="unit", found=row["unit"],
            )  # fmt: skip
        if row["basis"] == "rank" and row["polarity"] != "lower":
            yield problem(
                "lower, since place 1 is the best", "The comparator says which figure has place 1.",
                column="polarity", found=row["polarity"],
            )  # fmt: skip
        wrong = _comparator_problem(row, measures, areas, families, own_area)
        if wrong is not None:
            yield problem(*wrong, column="comparator", found=row["comparator"])


def _comparator_problem(
    row: pd.Series,
    measures: pd.DataFrame,
    areas: pd.DataFrame,
    families: list[str],
    own_area: str,
) -> tuple[str, str] | None:
    """What was expected of one measure's comparator and what to do, or None if it can be used."""
    kinds, comparator = _COMPARED.get(row["basis"], ()), parse_comparator(row["comparator"])
    if not kinds and row["comparator"]:
        return f"nothing, since the basis {row['basis']} compares nothing", "Empty the cell."
    if kinds and (not row["comparator"] or (comparator and comparator.kind not in kinds)):
        forms = "a family" if "family" in kinds else "a measure or an area"
        return (
            f"{forms} to compare with, or 'not stated'",
            "Give it in the form that docs/register.md shows.",
        )
    if comparator is None:
        return None
    if comparator.kind == "area":
        others = sorted(set(areas["area"]) - {own_area})
        wrong = comparator.name not in others
        return (one_of(others), did_you_mean(comparator.name, others)) if wrong else None
    if comparator.kind == "family":
        wrong = comparator.name not in families
        return (
            (
                f"a family, or a kind of area: {one_of(families)}",
                did_you_mean(comparator.name, families),
            )
            if wrong
            else None
        )
    others = sorted(set(measures["measure"]) - {row["measure"]})
    if comparator.name not in others:
        return "another measure", did_you_mean(comparator.name, others)
    other = measures[measures["measure"] == comparator.name].iloc[0]
    # Whose own reading is a percentage or a number that can be set against this measure's.
    if other["basis"] in _COMPARED:
        return "a measure that is itself compared with nothing", "Name another measure."
    if other["frequency"] != row["frequency"]:
        return f"a measure of the same frequency, {row['frequency']}", "Name another measure."
    unit = "percent" if row["unit"] == "percentage points" else row["unit"]
    if row["basis"] == "gap_to_comparator" and other["unit"] != unit:
        return f"a measure in {unit}", "Name another measure, or correct the unit."
    return None


def _family_problems(text: pd.DataFrame, areas: pd.DataFrame) -> Iterator[Finding]:
    """A family's name says which areas are meant, so it is no kind of area as well."""
    for number, row in text[text["family"].isin(areas["kind"])].iterrows():
        yield Finding(
            "error", _TABLES["families"][0], "a name that is no kind of area in areas.csv",
            "Rename the family; all areas of a kind are a family without a row here.",
            row=int(str(number)), column="family", found=row["family"],
        )  # fmt: skip


def _base_problems(row: pd.Series, text: pd.Series, problem: Any) -> Iterator[Finding]:
    if text["base"] == "":
        yield problem(
            "base", "the figure that the change is measured from, or 'not stated'",
            "Give it, or 'not stated' to take it from the observations of the baseline period.",
        )  # fmt: skip
    elif pd.notna(row["base"]) and row["base"] <= 0:
        yield problem("base", "more than 0", "Correct the figure that change is measured from.")
    baseline = measure_period(row, "baseline_period")
    if pd.isna(row["base"]) and baseline is not None and baseline.kind == "mean_of_years":
        yield problem(
            "base", "a stated base, since the baseline is a mean of years",
            "Give the mean that the change is measured from.",
        )  # fmt: skip


#: Which periods a measure of each frequency can start from and be due in.
_BASELINE_KINDS: dict[str, tuple[Kind, ...]] = {
    "quarterly": ("quarter", "financial_year", "mean_of_years"),
    "annual": ("financial_year", "mean_of_years"),
    "exam_year": ("exam_year",),
    "calendar_year": ("calendar_year", "mean_of_years"),
}


def _due_kinds(frequency: str) -> tuple[Kind, ...]:
    return tuple(kind for kind in _BASELINE_KINDS[frequency] if kind != "mean_of_years")


def _period_problems(row: pd.Series, problem: Any) -> Iterator[Finding]:
    named = ("baseline_period", "due", "interim_period")
    periods = {column: measure_period(row, column) for column in named}
    fits = True
    for column, period in periods.items():
        kinds = _BASELINE_KINDS[row["frequency"]]
        if column != "baseline_period":
            kinds = _due_kinds(row["frequency"])
        if period is not None and period.kind not in kinds:
            fits = False
            names = " or ".join(KIND_NAMES[kind] for kind in kinds)
            yield problem(column, f"{names}, as its frequency says", "Correct the period.")
    due, baseline = periods["due"], periods["baseline_period"]
    if fits and due is not None and baseline is not None and due.end <= baseline.end:
        yield problem(
            "due", f"a period after the baseline's, {baseline}", "Correct one of the two."
        )


def _profile_problems(
    tables: dict[str, pd.DataFrame], texts: dict[str, pd.DataFrame]
) -> Iterator[Finding]:
    """A profile that the figures of its measure and its points allow."""
    with_points = set(tables["trajectories"]["measure"])
    for number, row in tables["measures"].iterrows():
        problem = partial(
            _measure_finding, number=int(str(number)), text=texts["measures"].loc[number]
        )
        profile, baseline, target = row["profile"], row["baseline"], row["target"]
        if profile == "":
            continue
        if pd.isna(baseline) or pd.isna(target):
            yield problem(
                "profile", "nothing, since a path needs a baseline and a target", "Empty the cell."
            )
        elif profile == "constant rate" and baseline * target <= 0:
            yield problem(
                "profile", "another profile: equal percentage steps need a baseline and a target "
                "of one sign, neither of them 0", "Write linear, or leave it empty.",
            )  # fmt: skip
        elif profile in PROFILES_WITH_POINTS and row["measure"] not in with_points:
            yield problem(
                "profile", "at least one row in trajectories.csv for its points",
                "Add the points, or leave the profile empty.",
            )  # fmt: skip
        elif profile == "seasonal":
            yield from _season_problems(row, problem)


def _season_problems(row: pd.Series, problem: Any) -> Iterator[Finding]:
    """Seasons are those of quarters, between figures that are of the same time of year."""
    if row["frequency"] != "quarterly" or row["basis"] not in ("point", "year_to_date"):
        yield problem(
            "profile", "seasonal only for a quarterly measure of the basis point or year_to_date",
            "Leave it empty: over four quarters the seasons cancel.",
        )  # fmt: skip
        return
    periods = [measure_period(row, column) for column in ("baseline_period", "due")]
    months = {period.end.month for period in periods if period is not None}
    wanted = {3} if row["basis"] == "year_to_date" else months
    if len(months) > 1 or months != wanted or (
        row["basis"] == "point" and any(one and one.kind != "quarter" for one in periods)
    ):  # fmt: skip
        same = "financial years" if row["basis"] == "year_to_date" else "the same quarter of a year"
        yield problem(
            "profile", f"seasonal only where the baseline's and the due period are {same}",
            "Correct one of the two periods, or leave the profile empty.",
        )  # fmt: skip


def _point_problems(tables: dict[str, pd.DataFrame], text: pd.DataFrame) -> Iterator[Finding]:
    """Points of a measure whose profile takes them, each at a time of its own on the way."""
    measures = tables["measures"].drop_duplicates("measure").set_index("measure")
    seen: dict[tuple[str, date], int] = {}
    for number, row in tables["trajectories"].iterrows():
        if row["measure"] not in measures.index:
            continue
        problem = partial(_point_finding, number=int(str(number)), text=text.loc[number])
        measure = measures.loc[row["measure"]]
        if measure["profile"] not in PROFILES_WITH_POINTS:
            yield problem(
                "measure", "a measure whose profile is steps or given",
                "Give it that profile in measures.csv, or remove the row.",
            )  # fmt: skip
            continue
        if measure["unit"] == "percent" and not 0 <= row["value"] <= 100:
            yield problem("value", "0 to 100 for a percentage", "Correct the figure or unit.")
        period = _period_of(row["period"], measure["frequency"])
        kinds = _due_kinds(measure["frequency"])
        baseline, due = measure_period(measure, "baseline_period"), measure_period(measure, "due")
        if period.kind not in kinds:
            names = " or ".join(KIND_NAMES[kind] for kind in kinds)
            yield problem("period", f"{names}, as its frequency says", "Correct the period.")
        elif baseline and due and not baseline.end < period.end < due.end:
            yield problem(
                "period", f"a period between the baseline's, {baseline}, and the due one, {due}",
                "Correct the period; the baseline and the target stand in measures.csv.",
            )  # fmt: skip
        else:
            # 2004/05 and its last quarter end on one day.
            first = seen.setdefault((row["measure"], period.end), int(str(number)))
            if first != number:
                yield problem(
                    "period", "each end of a period only once",
                    f"Row {first} gives a value for {period.end} already: remove one.",
                )  # fmt: skip


def _rebase_problems(tables: dict[str, pd.DataFrame], text: pd.DataFrame) -> Iterator[Finding]:
    """Rebases at a quarter of a quarterly measure, each once, and each with its place."""
    frequencies = tables["measures"].drop_duplicates("measure").set_index("measure")["frequency"]
    seen: dict[tuple[str, date], int] = {}
    for number, row in tables["rebases"].iterrows():
        problem = partial(
            Finding, "error", _TABLES["rebases"][0], row=int(str(number)), measure=row["measure"]
        )
        period = parse_period(row["period"])
        if frequencies.get(row["measure"], "quarterly") != "quarterly":
            yield problem(
                "a quarterly measure, since no other has a control chart", "Remove the row.",
                column="measure", found=row["measure"],
            )  # fmt: skip
        elif period.kind != "quarter":
            yield problem(
                "a quarter, as its frequency says", "Correct the period.",
                column="period", found=text.at[number, "period"],
            )  # fmt: skip
        first = seen.setdefault((row["measure"], period.end), int(str(number)))
        if first != number:
            yield problem(
                "each quarter of a measure only once", f"Row {first} has it already: remove one.",
                column="period", found=text.at[number, "period"],
            )  # fmt: skip
        if row["document"] not in ("", OWN_DECISION) and not row["location"].strip():
            yield problem(
                "the place in the document", f"Give it, or write '{OWN_DECISION}' as the document.",
                column="location", found=row["location"],
            )  # fmt: skip


def _point_finding(
    column: str, expected: str, remedy: str, *, number: int, text: pd.Series
) -> Finding:
    return Finding(
        "error", _TABLES["trajectories"][0], expected, remedy,
        row=number, column=column, found=text[column], measure=text["measure"],
    )  # fmt: skip


def _effectiveness_problems(
    settings: Settings, tables: dict[str, pd.DataFrame]
) -> Iterator[Finding]:
    """The settings name measures and an area that an index of cost can be made of."""
    problem = partial(Finding, "error", "raw/agreement.toml")
    made_from = settings.effectiveness
    if made_from is None:
        if len(tables["baskets"]):
            yield problem(
                "the section to be there, since there is a basket",
                "Add it; docs/register.md describes it.", column="effectiveness",
            )  # fmt: skip
        return
    measures = tables["measures"].drop_duplicates("measure").set_index("measure")
    for setting in ("index", "net_budget", "deflator"):
        name, column = getattr(made_from, setting), f"effectiveness.{setting}"
        if name not in measures.index:
            yield problem(
                "a measure of measures.csv", did_you_mean(name, measures.index),
                column=column, found=name,
            )  # fmt: skip
        elif measures.at[name, "frequency"] != "annual":
            yield problem("an annual measure", "Name another measure.", column=column, found=name)
    if made_from.index in measures.index:
        index = measures.loc[made_from.index]
        baseline = index["baseline_period"]
        dated = baseline not in ("", NOT_STATED)
        other = pd.notna(index["baseline"]) and index["baseline"] != 100
        if other or not dated or parse_period(baseline).kind != "financial_year":
            yield problem(
                "a measure with a baseline of 100 and the financial year that it is of",
                "Name another measure, or give its baseline_period in measures.csv.",
                column="effectiveness.index", found=made_from.index,
            )  # fmt: skip
    areas = list(tables["areas"]["area"])
    if made_from.deflator_area not in areas:
        yield problem(
            "an area of areas.csv", did_you_mean(made_from.deflator_area, areas),
            column="effectiveness.deflator_area", found=made_from.deflator_area,
        )  # fmt: skip


#: Units of which a change is counted in points, and no others.
_IN_POINTS = ("percent", "percent change", "percentage points")


def _basket_problems(tables: dict[str, pd.DataFrame], text: pd.DataFrame) -> Iterator[Finding]:
    """Weights above 0, and changes that the indicator's unit allows."""
    measures = tables["measures"].drop_duplicates("measure").set_index("measure")
    for number, row in tables["baskets"].iterrows():
        problem = partial(
            Finding, "error", _TABLES["baskets"][0], row=int(str(number)), measure=row["indicator"]
        )
        if row["weight"] <= 0:
            yield problem(
                "a number above 0", "Correct the weight, or remove the row.",
                column="weight", found=text.at[number, "weight"],
            )  # fmt: skip
        if row["indicator"] not in measures.index:
            continue
        unit = measures.at[row["indicator"], "unit"]
        if measures.at[row["indicator"], "frequency"] == "calendar_year":
            yield problem(
                "a measure that is observed in quarters, financial years or exam years",
                "Name another measure: net budgets are of financial years.",
                column="indicator", found=row["indicator"],
            )  # fmt: skip
        if row["change"] == "points" and unit not in _IN_POINTS:
            yield problem(
                f"relative, since points are of percentages and the unit is {unit}",
                "Write relative.", column="change", found="points",
            )  # fmt: skip
        if row["change"] == "relative" and unit in _IN_POINTS[1:]:
            yield problem(
                f"points, since {unit} is a difference already", "Write points.",
                column="change", found="relative",
            )  # fmt: skip


def _measure_finding(
    column: str, expected: str, remedy: str, *, number: int, text: pd.Series
) -> Finding:
    return Finding(
        "error", _TABLES["measures"][0], expected, remedy,
        row=number, column=column, found=text[column], measure=text["measure"],
    )  # fmt: skip


def _commitment_problems(commitments: pd.DataFrame, text: pd.DataFrame) -> Iterator[Finding]:
    """What must hold within a commitment."""
    name = _TABLES["commitments"][0]
    for number, row in commitments.iterrows():
        problem = partial(Finding, "error", name, row=int(str(number)))
        better = 1 if row["polarity"] == "higher" else -1
        target, baseline = row["target"], row["baseline"]
        if row["kind"] == "level" and (pd.isna(target) or not row["unit"] or not row["polarity"]):
            column = "target" if pd.isna(target) else "polarity" if row["unit"] else "unit"
            yield problem(
                "a target, unit and polarity for a level", "Give it.",
                column=column, found=text.at[number, column],
            )  # fmt: skip
        elif pd.notna(target) and pd.notna(baseline) and better * (target - baseline) <= 0:
            yield problem(
                f"better than the baseline {text.at[number, 'baseline']} "
                f"({row['polarity']} is better)",
                "Correct the target, the baseline or the polarity.",
                column="target", found=text.at[number, "target"],
            )  # fmt: skip
        if (row["due"] == NOT_STATED) != pd.isna(row["due_date"]):
            yield problem(
                "a day exactly if 'due' gives a date", "Give both or neither.",
                column="due_date", found=text.at[number, "due_date"],
            )  # fmt: skip
        elif pd.notna(row["due_date"]) and str(row["due_date"].year)[-2:] not in row["due"]:
            yield problem(
                f"a day that fits '{row['due']}'", "Correct one of the two.",
                column="due_date", found=text.at[number, "due_date"],
            )  # fmt: skip


def _commitment_links(commitments: pd.DataFrame, measures: pd.DataFrame) -> Iterator[Finding]:
    """A commitment whose figures are a measure's readings promises a level in the same unit."""
    by_name = measures.drop_duplicates("measure").set_index("measure")
    for number, row in commitments[commitments["measure"].isin(by_name.index)].iterrows():
        measure = by_name.loc[row["measure"]]
        if row["kind"] != "level":
            expected = f"nothing, since a {row['kind']} commitment has no readings"
        elif measure["unit"] != row["unit"]:
            expected = f"a measure in {row['unit']}, not in {measure['unit']}"
        elif measure["polarity"] != row["polarity"]:
            expected = f"a measure of which {row['polarity']} is better"
        else:
            continue
        yield Finding(
            "error", _TABLES["commitments"][0], expected, "Correct the cell, or empty it.",
            row=int(str(number)), column="measure", found=row["measure"],
        )  # fmt: skip


def _assumption_problems(
    assumptions: pd.DataFrame, texts: dict[str, pd.DataFrame]
) -> Iterator[Finding]:
    """An assumption about one measure or commitment names a column of it that holds something."""
    for number, row in assumptions.iterrows():
        for key, column in (("measures", "measure"), ("commitments", "commitment")):
            table = texts[key].drop_duplicates(column).set_index(column)
            if row["item"] not in table.index:
                continue
            if row["column"] not in table.columns:
                expected = f"a column of {key}.csv"
                remedy = did_you_mean(row["column"], table.columns)
            elif table.at[row["item"], row["column"]] in ("", NOT_STATED):
                expected = f"a column that holds something for {row['item']}"
                remedy = f"Give the figure in {key}.csv or remove the assumption."
            else:
                continue
            yield Finding(
                "error", _TABLES["assumptions"][0], expected, remedy,
                row=int(str(number)), column="column", found=row["column"], measure=row["item"],
            )  # fmt: skip


def _derived_without_formula(assumptions: pd.DataFrame, text: pd.DataFrame) -> Iterator[Finding]:
    """No document prints a division, so one needs its reason in assumptions.csv."""
    explained = set(zip(assumptions["item"], assumptions["column"], strict=True))
    for number, row in text.iterrows():
        for figure in FIGURES:
            if "/" in row[figure] and (row["measure"], figure) not in explained:
                yield Finding(
                    "error", _TABLES["measures"][0], "a figure that a document states",
                    f"Add a row for {row['measure']} and {figure} to assumptions.csv.",
                    row=int(str(number)), column=figure, found=row[figure], measure=row["measure"],
                )  # fmt: skip
