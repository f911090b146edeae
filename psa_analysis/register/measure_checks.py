"""Checks of the measures: their figures, periods, comparators, planned points and rebases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import KIND_NAMES, Kind, parse_period
from psa_analysis.register.agreement import (
    PROFILES_WITH_POINTS,
    family_names,
    parse_comparator,
    period_of,
    stated_period,
)
from psa_analysis.register.rows import FIGURES, OWN_DECISION, Register, cell_error
from psa_analysis.words import NOT_STATED

#: Makes a finding about one cell of a row: column, what was expected, remedy.
Problem = Callable[..., Finding]

_BLANK = ("", NOT_STATED)


def _figures(register: Register) -> Iterator[Finding]:
    """What must hold between the figures of one measure."""
    for row, text in register.rows("measures"):
        problem = partial(cell_error, "measures", text)
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
                    yield problem(
                        column, "0 to 100 for a percentage", "Correct the figure or unit."
                    )
        if row["basis"] == "change_from_baseline":
            yield from _base(row, text, problem)
        if row["measure"].partition("-")[0] != row["reference"]:
            yield problem("reference", "the reference that its name begins with", "Correct either.")
        if row["unit"] != "percent" and row["unit"].casefold() in ("%", "per cent", "percent"):
            yield problem("unit", "percent, in those letters", "Write percent.")
        if pd.notna(row["weight"]) and row["weight"] <= 0:
            yield problem("weight", "a number above 0, or nothing", "Correct the weight.")
        if pd.notna(row["interim"]) != (row["interim_period"] not in _BLANK):
            yield problem(
                "interim_period" if pd.notna(row["interim"]) else "interim",
                "an interim level and its period, or neither",
                "Give both or neither.",
            )
        yield from _periods(row, problem)
        if pd.notna(target) and row["due"] in _BLANK:
            yield problem("due", "a period, since there is a target", "Give the period it is due.")
        if pd.notna(baseline) and row["baseline_period"] in _BLANK:
            yield problem(
                "baseline_period", "a period, since there is a baseline", "Give the period."
            )


def _base(row: pd.Series, text: pd.Series, problem: Problem) -> Iterator[Finding]:
    """The figure that a change is measured from."""
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


#: Which periods a measure of each frequency can be due in.
_DUE_KINDS: dict[str, tuple[Kind, ...]] = {
    "quarterly": ("quarter", "financial_year"),
    "annual": ("financial_year",),
    "exam_year": ("exam_year",),
    "calendar_year": ("calendar_year",),
}


def _kinds(frequency: str, column: str) -> tuple[Kind, ...]:
    """The kinds of period that a column may hold; a baseline may be a mean of years as well."""
    kinds = _DUE_KINDS[frequency]
    mean = column == "baseline_period" and frequency != "exam_year"
    return (*kinds, "mean_of_years") if mean else kinds


def _wrong_kind(column: str, kinds: tuple[Kind, ...], problem: Problem) -> Finding:
    names = " or ".join(KIND_NAMES[kind] for kind in kinds)
    return problem(column, f"{names}, as its frequency says", "Correct the period.")


def _periods(row: pd.Series, problem: Problem) -> Iterator[Finding]:
    """Periods of a kind that the frequency has, the due one after the baseline's."""
    columns = ("baseline_period", "due", "interim_period")
    periods = {column: stated_period(row[column], row["frequency"]) for column in columns}
    fits = True
    for column, period in periods.items():
        kinds = _kinds(row["frequency"], column)
        if period is not None and period.kind not in kinds:
            fits = False
            yield _wrong_kind(column, kinds, problem)
    baseline, due = periods["baseline_period"], periods["due"]
    if fits and due is not None and baseline is not None and due.end <= baseline.end:
        yield problem(
            "due", f"a period after the baseline's, {baseline}", "Correct one of the two."
        )


def _parts(register: Register) -> Iterator[Finding]:
    measures = set(register.measures.index)
    for row, text in register.rows("measures"):
        for part in row["parts"]:
            if part not in measures or part == row["measure"]:
                yield cell_error(
                    "measures",
                    text,
                    "parts",
                    "other measures, with ; between them",
                    did_you_mean(part, measures),
                    found=part,
                )


def _weights(register: Register) -> Iterator[Finding]:
    """All measures of a target that count have a weight, or none."""
    measures = register.texts["measures"]
    counting = measures[measures["role"] == "target"]
    for reference, rows in counting.groupby("reference", sort=False):
        blank = rows[rows["weight"].isin(_BLANK)]
        if 0 < len(blank) < len(rows):
            yield cell_error(
                "measures",
                blank.iloc[0],
                "weight",
                f"a weight, since other measures of {reference} have one",
                "Give each of its measures a weight, or none.",
            )


def _continuations(register: Register) -> Iterator[Finding]:
    """A measure continues another of its kind, and each is continued once."""
    measures = register.measures
    continues = register.tables["measures"]["continues"]
    same = ["unit", "polarity", "basis", "frequency"]
    for row, text in register.rows("measures"):
        if row["continues"] not in measures.index:
            continue
        older = measures.loc[row["continues"]]
        chain, name = [row["measure"]], row["continues"]
        while name in measures.index and name not in chain:
            chain.append(name)
            name = measures.at[name, "continues"]
        if name in measures.index:
            expected = "an older measure, not one that continues this one"
        elif any(row[column] != older[column] for column in same):
            expected = f"a measure of the same {', '.join(same[:-1])} and {same[-1]}"
        elif (continues == row["continues"]).sum() > 1:
            expected = "a measure that no other row continues"
        else:
            continue
        yield cell_error("measures", text, "continues", expected, "Correct the cell, or empty it.")


#: What each basis that compares may name.
_COMPARED: dict[str, tuple[str, ...]] = {
    "ratio_to_comparator": ("measure", "area"),
    "gap_to_comparator": ("measure", "area"),
    "rank": ("family",),
}


def _comparators(register: Register) -> Iterator[Finding]:
    """A comparator is there where the basis needs one, exists, and can be compared with."""
    for row, text in register.rows("measures"):
        problem = partial(cell_error, "measures", text)
        if row["basis"] == "ratio_to_comparator" and row["unit"] != "percent":
            yield problem(
                "unit",
                "percent, since a ratio is a percentage of the comparator",
                "Correct the unit.",
            )
        if row["basis"] == "rank" and row["polarity"] != "lower":
            yield problem(
                "polarity",
                "lower, since place 1 is the best",
                "The comparator says which figure has place 1.",
            )
        if unfit := _unfit_comparator(row, register):
            yield problem("comparator", *unfit)


def _unfit_comparator(row: pd.Series, register: Register) -> tuple[str, str] | None:
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
    area, areas = register.settings.agreement.area, register.tables["areas"]
    if comparator.kind == "area":
        names = sorted({*areas["area"]} - {area})
        expected = one_of(names)
    elif comparator.kind == "family":
        names = family_names(register.tables["families"], areas, area)
        expected = f"a family, or a kind of area: {one_of(names)}"
    else:
        names = sorted({*register.measures.index} - {row["measure"]})
        expected = "another measure"
    if comparator.name not in names:
        return expected, did_you_mean(comparator.name, names)
    if comparator.kind != "measure":
        return None
    other = register.measures.loc[comparator.name]
    # Whose own reading is a percentage or a number that can be set against this measure's.
    if other["basis"] in _COMPARED:
        return "a measure that is itself compared with nothing", "Name another measure."
    if other["frequency"] != row["frequency"]:
        return f"a measure of the same frequency, {row['frequency']}", "Name another measure."
    unit = "percent" if row["unit"] == "percentage points" else row["unit"]
    if row["basis"] == "gap_to_comparator" and other["unit"] != unit:
        return f"a measure in {unit}", "Name another measure, or correct the unit."
    return None


def _profiles(register: Register) -> Iterator[Finding]:
    """A profile that the figures of its measure and its points allow."""
    with_points = set(register.tables["trajectories"]["measure"])
    for row, text in register.rows("measures"):
        problem, profile = partial(cell_error, "measures", text, "profile"), row["profile"]
        if profile == "":
            continue
        if pd.isna(row["baseline"]) or pd.isna(row["target"]):
            yield problem("nothing, since a path needs a baseline and a target", "Empty the cell.")
        elif profile in PROFILES_WITH_POINTS and row["measure"] not in with_points:
            yield problem(
                "at least one row in trajectories.csv for its points",
                "Add the points, or leave the profile empty.",
            )
        elif profile == "seasonal":
            yield from _seasons(row, problem)


def _seasons(row: pd.Series, problem: Problem) -> Iterator[Finding]:
    """Seasons are those of quarters, between figures that are of the same time of year."""
    if row["frequency"] != "quarterly" or row["basis"] not in ("point", "year_to_date"):
        yield problem(
            "seasonal only for a quarterly measure of the basis point or year_to_date",
            "Leave it empty: over four quarters the seasons cancel.",
        )
        return
    stated = [stated_period(row[name], "quarterly") for name in ("baseline_period", "due")]
    periods = [period for period in stated if period is not None]
    months = {period.end.month for period in periods}
    if row["basis"] == "year_to_date":
        expected, fits = "financial years", months == {3}
    else:
        expected = "the same quarter of a year"
        fits = len(months) <= 1 and all(period.kind == "quarter" for period in periods)
    if not fits:
        yield problem(
            f"seasonal only where the baseline's and the due period are {expected}",
            "Correct one of the two periods, or leave the profile empty.",
        )


def _points(register: Register) -> Iterator[Finding]:
    """Points of a measure whose profile takes them, each at a time of its own on the way."""
    measures = register.measures
    rows: dict[tuple[str, date], int] = {}
    for row, text in register.rows("trajectories"):
        if row["measure"] not in measures.index:
            continue
        problem, measure = partial(cell_error, "trajectories", text), measures.loc[row["measure"]]
        if measure["profile"] not in PROFILES_WITH_POINTS:
            yield problem(
                "measure",
                "a measure whose profile is steps or given",
                "Give it that profile in measures.csv, or remove the row.",
            )
            continue
        if measure["unit"] == "percent" and not 0 <= row["value"] <= 100:
            yield problem("value", "0 to 100 for a percentage", "Correct the figure or unit.")
        frequency = measure["frequency"]
        period = period_of(row["period"], frequency)
        baseline = stated_period(measure["baseline_period"], frequency)
        due = stated_period(measure["due"], frequency)
        if period.kind not in _DUE_KINDS[frequency]:
            yield _wrong_kind("period", _DUE_KINDS[frequency], problem)
        elif baseline and due and not baseline.end < period.end < due.end:
            yield problem(
                "period",
                f"a period between the baseline's, {baseline}, and the due one, {due}",
                "Correct the period; the baseline and the target stand in measures.csv.",
            )
        # 2004/05 and its last quarter end on one day.
        elif (first := rows.setdefault((row["measure"], period.end), text.name)) != text.name:
            yield problem(
                "period",
                "each end of a period only once",
                f"Row {first} gives a value for {period.end} already: remove one.",
            )


def _rebases(register: Register) -> Iterator[Finding]:
    """Rebases at a quarter of a quarterly measure, each once, and each with its place."""
    frequencies = register.measures["frequency"]
    rows: dict[tuple[str, date], int] = {}
    for row, text in register.rows("rebases"):
        problem, period = partial(cell_error, "rebases", text), parse_period(row["period"])
        if frequencies.get(row["measure"], "quarterly") != "quarterly":
            yield problem(
                "measure",
                "a quarterly measure, since no other has a control chart",
                "Remove the row.",
            )
        elif period.kind != "quarter":
            yield problem("period", "a quarter, as its frequency says", "Correct the period.")
        if (first := rows.setdefault((row["measure"], period.end), text.name)) != text.name:
            yield problem(
                "period",
                "each quarter of a measure only once",
                f"Row {first} has it already: remove one.",
            )
        if row["document"] not in ("", OWN_DECISION) and not row["location"].strip():
            yield problem(
                "location",
                "the place in the document",
                f"Give it, or write '{OWN_DECISION}' as the document.",
            )


MEASURE_CHECKS = (
    _figures,
    _parts,
    _weights,
    _continuations,
    _profiles,
    _points,
    _comparators,
    _rebases,
)
