"""An agreement that has been read, and what is asked of it: targets, measures, units, families."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from psa_analysis.periods import Period, parse_period
from psa_analysis.words import NOT_STATED

if TYPE_CHECKING:
    from psa_analysis.register.loading import Settings

Floats = NDArray[np.float64]

#: What a cell holds that gives nothing.
BLANK = ("", NOT_STATED)

#: Figures of a measure; each has a status beside it in ``Agreement.measures``.
FIGURES = ["baseline", "base", "without", "target"]

#: How a target judges, and what it is called; ``due`` is its period.
RULES = {"level": "target", "yearly": "target of {due}", "standard": "standard for every period"}
RULES |= {"maintain": "level to maintain", "range": "range", "none": ""}
#: The rules by which a path leads to the target.
RULES_WITH_PATH = ("level", "yearly")
#: The rules by which neither higher nor lower is better.
RULES_WITHOUT_DIRECTION = ("range", "none")

#: The profiles whose path runs through the points of ``trajectories.csv``.
PROFILES_WITH_POINTS = ("steps", "given")


@dataclass(frozen=True)
class Comparator:
    """What a measure is compared with."""

    # Another measure of the same area, the same measure of another area, or several areas.
    kind: Literal["measure", "area", "family"]
    name: str  # a family is one of families.csv, or a kind of area
    highest_first: bool = True  # for a family: whether the highest figure has place 1


def parse_comparator(text: str) -> Comparator | None:
    """Read a comparator as ``docs/register.md`` describes it; None where there is none."""
    if text in BLANK:
        return None
    if match := re.fullmatch(r"area:\s*(.+)", text):
        return Comparator("area", match[1])
    if match := re.fullmatch(r"family:\s*([^;]+?)\s*;\s*(highest|lowest) first", text):
        return Comparator("family", match[1], match[2] == "highest")
    if ":" in text:
        raise ValueError("a measure, 'area: NAME' or 'family: KIND; highest first' (or lowest)")
    return Comparator("measure", text)


@dataclass(frozen=True, repr=False)
class Agreement:
    """An agreement: its settings and its register, a frame for each file with a row for each row.

    ``measures`` has further columns: for each of :data:`FIGURES` a ``<figure>_status`` (stated,
    derived, assumed, not stated, or empty), and those of `PARSED`.
    """

    folder: Path  # the data folder that it was read from
    settings: Settings  # agreement.toml
    targets: pd.DataFrame  # by reference
    measures: pd.DataFrame  # by measure
    commitments: pd.DataFrame  # by commitment
    links: pd.DataFrame
    assumptions: pd.DataFrame
    differences: pd.DataFrame
    facts: pd.DataFrame
    areas: pd.DataFrame
    trajectories: pd.DataFrame
    families: pd.DataFrame
    baskets: pd.DataFrame
    rebases: pd.DataFrame
    notes: pd.DataFrame

    def __repr__(self) -> str:
        counts = f"{len(self.targets)} targets, {len(self.measures)} measures"
        counts += f", {len(self.commitments)} commitments"
        return f"{self.settings.agreement.name}: {counts}"


def family_areas(agreement: Agreement, family: str) -> list[str]:
    """The areas of a family, the agreement's own first, which belongs to every family."""
    own = agreement.settings.agreement.area
    if family not in (families := all_families(agreement.families, agreement.areas, own)):
        raise KeyError(f"there is no family '{family}'; the register has {', '.join(families)}")
    return [own, *families[family]]


def all_families(families: pd.DataFrame, areas: pd.DataFrame, own: str) -> dict[str, list[str]]:
    """The other areas of each family of ``families.csv``, and then of each kind of area."""
    kinds = areas.rename(columns={"kind": "family"}).sort_values("family", kind="stable")
    rows = pd.concat([families, kinds])
    others = rows[rows["area"] != own].groupby("family", sort=False)["area"]
    return {str(family): [*names] for family, names in others}


#: Columns of ``Agreement.measures`` that hold periods as text, and where each stands parsed.
PARSED_PERIODS = {"baseline_period": "baseline_at", "due": "due_at", "interim_period": "interim_at"}

#: Columns of ``Agreement.measures`` that hold what is made of its cells, for programs alone:
#: ``points`` are last days and values, and ``trajectory.with_seasons`` fills in ``seasons``.
PARSED = (*PARSED_PERIODS.values(), "compared_with", "points", "seasons", "decimals")
PARSED += ("floor", "ceiling")


def with_parsed(measures: pd.DataFrame) -> pd.DataFrame:
    """The measures with periods and comparators parsed, None where not stated, and with ranges."""
    parsed = measures.copy()
    for text, column in PARSED_PERIODS.items():
        periods = [
            None if period in BLANK else period_of(period, frequency)
            for period, frequency in zip(measures[text], measures["frequency"], strict=True)
        ]
        parsed[column] = pd.Series(periods, measures.index, object)
    comparators = [*map(parse_comparator, measures["comparator"])]
    parsed["compared_with"] = pd.Series(comparators, measures.index, object)
    units = observed_units(parsed)
    # What is stated is of the reading, which need not be what returns hold.
    as_returned = ~measures["basis"].isin([*OBSERVED_WORDS, "ratio_to_comparator"])
    as_returned &= measures["basis"] != "gap_to_comparator"
    negative = (measures[["baseline", "without", "target"]].min(axis=1) < 0) & as_returned
    negative |= units.isin([*SIGNED_UNITS, OBSERVED_WORDS["rank"]])
    parsed["floor"] = measures["lowest"].fillna(negative.map({True: -np.inf, False: 0.0}))
    highest = (units == "percent").map({True: 100.0, False: np.inf})
    parsed["ceiling"] = measures["highest"].fillna(highest)
    return parsed


def period_of(text: str, frequency: str) -> Period:
    """The period of a text; 2001/02 is a school year for a measure of examinations or terms."""
    period = parse_period(text)
    is_school_year = frequency in ("exam_year", "termly") and period.kind == "financial_year"
    return parse_period(text, "exam_year") if is_school_year else period


#: Units whose figures may be negative.
SIGNED_UNITS = ("percent change", "percentage points")
#: Units in which four quarters do not add up to a year.
NOT_SUMMED = {*SIGNED_UNITS, "index"}


@cache
def rate_factor(unit: str) -> int | None:
    """What a rate is multiplied by: 100 for percent, 1,000 per 1,000; None for what is no rate."""
    if unit == "percent":
        return 100
    match = re.match(r"per ([\d,]+) ", unit)
    return int(match[1].replace(",", "")) if match else None


def observed_units(measures: pd.DataFrame) -> pd.Series:
    """The unit of the figures that returns hold, which need not be that of the reading."""
    basis = measures["basis"]
    units = basis.map(OBSERVED_WORDS).fillna(measures["unit"])
    units = units.mask((basis == "gap_to_comparator") & (units == "percentage points"), "percent")
    for name in measures.index[basis == "ratio_to_comparator"]:
        comparator = measures.at[name, "compared_with"]
        if comparator is not None and comparator.name in measures.index:
            units[name] = measures.at[comparator.name, "unit"]
    return units


#: What stands in a return whose figures have not the unit of the reading.
OBSERVED_WORDS = {
    "change_from_baseline": "number counted",
    "rank": "figure to be ranked",
    "milestone": "1 if done, 0 if not",
}


#: What a figure can be: ``percent`` lies in 0 to 100, a ``count`` is a whole number, ``positive``
#: is anything else from 0 up, ``real`` may be negative. A ``headcount`` is whole too, but somebody
#: decides it: it moves in steps, and no chance of events widens its forecast.
Scale = Literal["percent", "count", "headcount", "positive", "real"]


def scale_of(unit: str, values: ArrayLike, made_of: str = "", negative: bool = False) -> Scale:
    """What figures of a unit are, to a forecast; `negative` where they may be below 0."""
    figures = pd.Series(values, dtype=float).dropna()
    if made_of == "headcount":
        return "headcount"
    if unit in SIGNED_UNITS or negative or (figures < 0).any():
        return "real"
    if unit == "percent":
        return "percent"
    whole = bool((figures == figures.round()).all()) and rate_factor(unit) is None
    amounts = made_of == "amounts" or unit == "index" or unit.startswith("million ")
    return "count" if whole and not amounts else "positive"
