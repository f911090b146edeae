"""Checks of the measures: their figures, periods, comparators, planned points and rebases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import KIND_NAMES, Kind, parse_period
from psa_analysis.register.agreement import (
    PROFILES_WITH_POINTS,
    parse_comparator,
    period_of,
    stated_period,
)
from psa_analysis.register.rows import FIGURES, OWN_DECISION, TABLES
from psa_analysis.words import NOT_STATED


def measure_problems(row: pd.Series, text: pd.Series, number: int) -> Iterator[Finding]:
    """What must hold between the figures of one measure."""
    problem = partial(_measure_finding, number=number, text=text)
    better = 1 if row["polarity"] == "higher" else -1
    target, without, baseline = row["target"], row["without"], row["baseline"]
    if pd.notna(target) and pd.notna(baseline) and better * (target - baseline) <= 0:
        yield problem(
            "target",
            f"better than the baseline {text['baseline']} ({row['polarity']} is better)",
            "Correct the target, the baseline or the polarity.",
        )
    if pd.notna(target) and pd.notna(without) and better * (target - without) <= 0:
        yield problem(
            "without",
            f"short of the target {text['target']} ({row['polarity']} is better)",
            "Correct 'without', the target or the polarity: the grant is paid on the stretch.",
        )
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
            "an interim level and its period, or neither",
            "Give both or neither.",
        )
    yield from _period_problems(row, problem)
    if pd.notna(target) and row["due"] in ("", NOT_STATED):
        yield problem("due", "a period, since there is a target", "Give the period it is due.")
    if pd.notna(baseline) and row["baseline_period"] in ("", NOT_STATED):
        yield problem("baseline_period", "a period, since there is a baseline", "Give the period.")


def weight_problems(measures: pd.DataFrame) -> Iterator[Finding]:
    """All measures of a target that count have a weight, or none."""
    counting = measures[measures["role"] == "target"]
    for _, rows in counting.groupby("reference", sort=False):
        blank = rows[rows["weight"].isna()]
        if 0 < len(blank) < len(rows):
            yield Finding(
                "error",
                TABLES["measures"][0],
                f"a weight, since other measures of {blank['reference'].iloc[0]} have one",
                "Give each of its measures a weight, or none.",
                row=int(blank.index[0]),
                column="weight",
                found="",
                measure=blank["measure"].iloc[0],
            )


def continuation_problems(measures: pd.DataFrame) -> Iterator[Finding]:
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
            "error",
            TABLES["measures"][0],
            expected,
            "Correct the cell, or empty it.",
            row=int(str(number)),
            column="continues",
            found=row["continues"],
            measure=row["measure"],
        )


#: What each basis that compares may name.
_COMPARED: dict[str, tuple[str, ...]] = {
    "ratio_to_comparator": ("measure", "area"),
    "gap_to_comparator": ("measure", "area"),
    "rank": ("family",),
}


def comparator_problems(
    measures: pd.DataFrame, areas: pd.DataFrame, families: list[str], own_area: str
) -> Iterator[Finding]:
    """A comparator is there where the basis needs one, exists, and can be compared with."""
    for number, row in measures.iterrows():
        problem = partial(
            Finding, "error", TABLES["measures"][0], row=int(str(number)), measure=row["measure"]
        )
        if row["basis"] == "ratio_to_comparator" and row["unit"] != "percent":
            yield problem(
                "percent, since a ratio is a percentage of the comparator",
                "Correct the unit.",
                column="unit",
                found=row["unit"],
            )
        if row["basis"] == "rank" and row["polarity"] != "lower":
            yield problem(
                "lower, since place 1 is the best",
                "The comparator says which figure has place 1.",
                column="polarity",
                found=row["polarity"],
            )
        wrong = _comparator_problem(row, measures, areas, families, own_area)
        if wrong is not None:
            yield problem(*wrong, column="comparator", found=row["comparator"])


def _comparator_problem(
    row: pd.Series, measures: pd.DataFrame, areas: pd.DataFrame, families: list[str], own_area: str
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


def _base_problems(row: pd.Series, text: pd.Series, problem: Any) -> Iterator[Finding]:
    if text["base"] == "":
        yield problem(
            "base",
            "the figure that the change is measured from, or 'not stated'",
            "Give it, or 'not stated' to take it from the observations of the baseline period.",
        )
    elif pd.notna(row["base"]) and row["base"] <= 0:
        yield problem("base", "more than 0", "Correct the figure that change is measured from.")
    baseline = stated_period(row["baseline_period"], row["frequency"])
    if pd.isna(row["base"]) and baseline is not None and baseline.kind == "mean_of_years":
        yield problem(
            "base",
            "a stated base, since the baseline is a mean of years",
            "Give the mean that the change is measured from.",
        )


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
    periods = {column: stated_period(row[column], row["frequency"]) for column in named}
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


def profile_problems(
    tables: dict[str, pd.DataFrame], texts: dict[str, pd.DataFrame]
) -> Iterator[Finding]:
    """A profile that the figures of its measure and its points allow."""
    with_points = set(tables["trajectories"]["measure"])
    for number, row in tables["measures"].iterrows():
        problem = partial(
            _measure_finding, number=int(str(number)), text=texts["measures"].loc[number]
        )
        profile = row["profile"]
        if profile == "":
            continue
        if pd.isna(row["baseline"]) or pd.isna(row["target"]):
            yield problem(
                "profile", "nothing, since a path needs a baseline and a target", "Empty the cell."
            )
        elif profile in PROFILES_WITH_POINTS and row["measure"] not in with_points:
            yield problem(
                "profile",
                "at least one row in trajectories.csv for its points",
                "Add the points, or leave the profile empty.",
            )
        elif profile == "seasonal":
            yield from _season_problems(row, problem)


def _season_problems(row: pd.Series, problem: Any) -> Iterator[Finding]:
    """Seasons are those of quarters, between figures that are of the same time of year."""
    if row["frequency"] != "quarterly" or row["basis"] not in ("point", "year_to_date"):
        yield problem(
            "profile",
            "seasonal only for a quarterly measure of the basis point or year_to_date",
            "Leave it empty: over four quarters the seasons cancel.",
        )
        return
    periods = [
        stated_period(row[column], row["frequency"]) for column in ("baseline_period", "due")
    ]
    months = {period.end.month for period in periods if period is not None}
    wanted = {3} if row["basis"] == "year_to_date" else months
    if (
        len(months) > 1
        or months != wanted
        or (row["basis"] == "point" and any(one and one.kind != "quarter" for one in periods))
    ):
        same = "financial years" if row["basis"] == "year_to_date" else "the same quarter of a year"
        yield problem(
            "profile",
            f"seasonal only where the baseline's and the due period are {same}",
            "Correct one of the two periods, or leave the profile empty.",
        )


def point_problems(tables: dict[str, pd.DataFrame], text: pd.DataFrame) -> Iterator[Finding]:
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
                "measure",
                "a measure whose profile is steps or given",
                "Give it that profile in measures.csv, or remove the row.",
            )
            continue
        if measure["unit"] == "percent" and not 0 <= row["value"] <= 100:
            yield problem("value", "0 to 100 for a percentage", "Correct the figure or unit.")
        period = period_of(row["period"], measure["frequency"])
        kinds = _due_kinds(measure["frequency"])
        baseline, due = (
            stated_period(measure["baseline_period"], measure["frequency"]),
            stated_period(measure["due"], measure["frequency"]),
        )
        if period.kind not in kinds:
            names = " or ".join(KIND_NAMES[kind] for kind in kinds)
            yield problem("period", f"{names}, as its frequency says", "Correct the period.")
        elif baseline and due and not baseline.end < period.end < due.end:
            yield problem(
                "period",
                f"a period between the baseline's, {baseline}, and the due one, {due}",
                "Correct the period; the baseline and the target stand in measures.csv.",
            )
        else:
            # 2004/05 and its last quarter end on one day.
            first = seen.setdefault((row["measure"], period.end), int(str(number)))
            if first != number:
                yield problem(
                    "period",
                    "each end of a period only once",
                    f"Row {first} gives a value for {period.end} already: remove one.",
                )


def rebase_problems(tables: dict[str, pd.DataFrame], text: pd.DataFrame) -> Iterator[Finding]:
    """Rebases at a quarter of a quarterly measure, each once, and each with its place."""
    frequencies = tables["measures"].drop_duplicates("measure").set_index("measure")["frequency"]
    seen: dict[tuple[str, date], int] = {}
    for number, row in tables["rebases"].iterrows():
        problem = partial(
            Finding, "error", TABLES["rebases"][0], row=int(str(number)), measure=row["measure"]
        )
        period = parse_period(row["period"])
        if frequencies.get(row["measure"], "quarterly") != "quarterly":
            yield problem(
                "a quarterly measure, since no other has a control chart",
                "Remove the row.",
                column="measure",
                found=row["measure"],
            )
        elif period.kind != "quarter":
            yield problem(
                "a quarter, as its frequency says",
                "Correct the period.",
                column="period",
                found=text.at[number, "period"],
            )
        first = seen.setdefault((row["measure"], period.end), int(str(number)))
        if first != number:
            yield problem(
                "each quarter of a measure only once",
                f"Row {first} has it already: remove one.",
                column="period",
                found=text.at[number, "period"],
            )
        if row["document"] not in ("", OWN_DECISION) and not row["location"].strip():
            yield problem(
                "the place in the document",
                f"Give it, or write '{OWN_DECISION}' as the document.",
                column="location",
                found=row["location"],
            )


def _point_finding(
    column: str, expected: str, remedy: str, *, number: int, text: pd.Series
) -> Finding:
    return Finding(
        "error",
        TABLES["trajectories"][0],
        expected,
        remedy,
        row=number,
        column=column,
        found=text[column],
        measure=text["measure"],
    )


def _measure_finding(
    column: str, expected: str, remedy: str, *, number: int, text: pd.Series
) -> Finding:
    return Finding(
        "error",
        TABLES["measures"][0],
        expected,
        remedy,
        row=number,
        column=column,
        found=text[column],
        measure=text["measure"],
    )
