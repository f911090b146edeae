"""Checks of the measures: their figures, periods, comparators, planned points and rebases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import KIND_NAMES, Kind, Period, parse_period
from psa_analysis.register.agreement import (
    BLANK,
    PROFILES_WITH_POINTS,
    family_names,
    parse_comparator,
    period_of,
    stated_period,
)
from psa_analysis.register.rows import FIGURES, OWN_DECISION, Register, cell_error

#: Makes a finding about one cell of a row: column, what was expected, remedy.
Problem = Callable[..., Finding]


def _figures(register: Register) -> Iterator[Finding]:
    """What must hold between the cells of one measure."""
    rows, text = register.tables["measures"], register.texts["measures"]
    refuse = partial(register.refuse, "measures")
    target, weight, base, unit = rows["target"], rows["weight"], rows["base"], rows["unit"]
    better = np.where(rows["polarity"] == "higher", 1, -1)
    worse = better * (target - rows["baseline"]) <= 0
    yield from refuse("target", worse, "better than the baseline {baseline}")
    no_stretch = better * (target - rows["without"]) <= 0
    remedy = "Correct one of the two: the grant is paid on the stretch between them."
    yield from refuse("without", no_stretch, "short of the target {target}", remedy)
    # A rate can be more than the one that it is a percentage of.
    percent = (unit == "percent") & (rows["basis"] != "ratio_to_comparator")
    for figure in FIGURES:
        outside = percent & ((rows[figure] < 0) | (rows[figure] > 100))
        yield from refuse(figure, outside, "0 to 100 for a percentage")
    change = rows["basis"] == "change_from_baseline"
    expected = "the figure that the change is measured from, or 'not stated'"
    yield from refuse("base", change & (text["base"] == ""), expected)
    yield from refuse("base", change & (base <= 0), "more than 0")
    other_name = rows["measure"].str.partition("-")[0] != rows["reference"]
    yield from refuse("reference", other_name, "the reference that its name begins with")
    misspelt = (unit != "percent") & unit.str.casefold().isin(["%", "per cent", "percent"])
    yield from refuse("unit", misspelt, "percent, in those letters", "Write percent.")
    yield from refuse("weight", weight <= 0, "a number above 0, or nothing")
    # All measures of a target that count have a weight, or none.
    counts = rows["role"] == "target"
    some = (counts & weight.notna()).groupby(rows["reference"]).transform("any")
    expected = "a weight, since other measures of {reference} have one"
    yield from refuse("weight", counts & weight.isna() & some, expected)
    for figure, period in {
        "target": "due",
        "baseline": "baseline_period",
        "interim": "interim_period",
    }.items():
        undated = rows[figure].notna() & text[period].isin(BLANK)
        yield from refuse(period, undated, f"a period, since there is a {figure}")
    idle = rows["interim"].isna() & ~text["interim_period"].isin(BLANK)
    yield from refuse("interim", idle, "a level, since there is a period")


#: Which periods a measure of each frequency can be due in.
_DUE_KINDS: dict[str, tuple[Kind, ...]] = {
    "quarterly": ("quarter", "financial_year"),
    "annual": ("financial_year",),
    "exam_year": ("exam_year",),
    "calendar_year": ("calendar_year",),
}


def _wrong_kind(period: Period, kinds: tuple[Kind, ...]) -> str | None:
    """What was expected in place of a period of a kind that the frequency has not."""
    if period.kind in kinds:
        return None
    return f"{' or '.join(KIND_NAMES[kind] for kind in kinds)}, as its frequency says"


def _periods(register: Register) -> Iterator[Finding]:
    """Periods of a kind that the frequency has, the due one after the baseline's."""
    for row, text in register.rows("measures"):
        problem, frequency = partial(cell_error, "measures", text), row["frequency"]
        periods = {
            column: stated_period(row[column], frequency)
            for column in ("baseline_period", "due", "interim_period")
        }
        for column, period in periods.items():
            kinds = _DUE_KINDS[frequency]
            if column == "baseline_period" and frequency != "exam_year":
                kinds = (*kinds, "mean_of_years")
            if period and (expected := _wrong_kind(period, kinds)):
                yield problem(column, expected)
        baseline, due = periods["baseline_period"], periods["due"]
        if due and baseline and due.end <= baseline.end:
            yield problem("due", f"a period after the baseline's, {baseline}")
        of_mean = baseline is not None and baseline.kind == "mean_of_years"
        if of_mean and row["basis"] == "change_from_baseline" and pd.isna(row["base"]):
            yield problem("base", "a stated base, since the baseline is a mean of years")


def _parts(register: Register) -> Iterator[Finding]:
    """Parts that are other measures."""
    for row, text in register.rows("measures"):
        others = set(register.measures.index) - {row["measure"]}
        for part in set(row["parts"]) - others:
            expected, remedy = "other measures, with ; between them", did_you_mean(part, others)
            yield cell_error("measures", text, "parts", expected, remedy, found=part)


def _continuations(register: Register) -> Iterator[Finding]:
    """A measure continues another of its kind, and each is continued once."""
    measures = register.measures
    continues = register.tables["measures"]["continues"]
    same = ["unit", "polarity", "basis", "frequency"]
    for row, text in register.rows("measures"):
        if row["continues"] not in measures.index:
            continue
        chain, name = [row["measure"]], row["continues"]
        while name in measures.index and name not in chain:
            chain.append(name)
            name = measures.at[name, "continues"]
        if name in measures.index:
            expected = "an older measure, not one that continues this one"
        elif (row[same] != measures.loc[row["continues"], same]).any():
            expected = "a measure of the same unit, polarity, basis and frequency"
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
    rows, refuse = register.tables["measures"], partial(register.refuse, "measures")
    ratio = (rows["basis"] == "ratio_to_comparator") & (rows["unit"] != "percent")
    yield from refuse("unit", ratio, "percent, since a ratio is a percentage of the comparator")
    rank = (rows["basis"] == "rank") & (rows["polarity"] != "lower")
    yield from refuse("polarity", rank, "lower, since place 1 is the best")
    for row, text in register.rows("measures"):
        if unfit := _unfit_comparator(row, register):
            yield cell_error("measures", text, "comparator", *unfit)


def _unfit_comparator(row: pd.Series, register: Register) -> tuple[str, ...] | None:
    """What was expected of one measure's comparator, and perhaps what to do; None if it is fit."""
    kinds, comparator = _COMPARED.get(row["basis"], ()), parse_comparator(row["comparator"])
    if not kinds and row["comparator"]:
        return f"nothing, since the basis {row['basis']} compares nothing", "Empty the cell."
    if kinds and (not row["comparator"] or (comparator and comparator.kind not in kinds)):
        forms = "a family" if "family" in kinds else "a measure or an area"
        remedy = "Give it in the form that docs/register.md shows."
        return f"{forms} to compare with, or 'not stated'", remedy
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
    if other["basis"] in _COMPARED:
        return ("a measure that is itself compared with nothing",)
    if other["frequency"] != row["frequency"]:
        return (f"a measure of the same frequency, {row['frequency']}",)
    unit = "percent" if row["unit"] == "percentage points" else row["unit"]
    if row["basis"] == "gap_to_comparator" and other["unit"] != unit:
        return (f"a measure in {unit}",)
    return None


def _profiles(register: Register) -> Iterator[Finding]:
    """A profile that the figures of its measure and its points allow."""
    rows = register.tables["measures"]
    refuse = partial(register.refuse, "measures", "profile")
    no_path = (rows["profile"] != "") & (rows["baseline"].isna() | rows["target"].isna())
    expected = "nothing, since a path needs a baseline and a target"
    yield from refuse(no_path, expected, "Empty the cell.")
    pointless = rows["profile"].isin(PROFILES_WITH_POINTS)
    pointless &= ~rows["measure"].isin(register.tables["trajectories"]["measure"])
    expected = "at least one row in trajectories.csv for its points"
    yield from refuse(pointless, expected, "Add the points, or leave the profile empty.")
    seasonal = rows["profile"] == "seasonal"
    possible = (rows["frequency"] == "quarterly") & rows["basis"].isin(["point", "year_to_date"])
    expected = "seasonal only for a quarterly measure of the basis point or year_to_date"
    remedy = "Leave it empty: over four quarters the seasons cancel."
    yield from refuse(seasonal & ~possible, expected, remedy)
    unlike = pd.Series([not _same_season(row) for _, row in rows.iterrows()], rows.index)
    expected = "seasonal only where the baseline's and the due period are {}"
    same = {"year_to_date": "financial years", "point": "the same quarter of a year"}
    for basis, periods in same.items():
        wrong = seasonal & possible & unlike & (rows["basis"] == basis)
        yield from refuse(wrong, expected.format(periods), "Correct a period, or the profile.")


def _same_season(measure: pd.Series) -> bool:
    """Whether the baseline and the target are of the same time of the year."""
    stated = [stated_period(measure[name], "quarterly") for name in ("baseline_period", "due")]
    periods = [period for period in stated if period is not None]
    months = {period.end.month for period in periods}
    if measure["basis"] == "year_to_date":
        return months == {3}
    return len(months) <= 1 and all(period.kind == "quarter" for period in periods)


def _points(register: Register) -> Iterator[Finding]:
    """Points of a measure whose profile takes them, each on the way to its target."""
    for row, text in register.rows("trajectories"):
        if row["measure"] not in register.measures.index:
            continue
        problem = partial(cell_error, "trajectories", text)
        measure = register.measures.loc[row["measure"]]
        if measure["profile"] not in PROFILES_WITH_POINTS:
            expected = "a measure whose profile is steps or given"
            yield problem("measure", expected, "Give it that profile, or remove the row.")
            continue
        if measure["unit"] == "percent" and not 0 <= row["value"] <= 100:
            yield problem("value", "0 to 100 for a percentage")
        frequency = measure["frequency"]
        period = period_of(row["period"], frequency)
        baseline = stated_period(measure["baseline_period"], frequency)
        due = stated_period(measure["due"], frequency)
        if wrong := _wrong_kind(period, _DUE_KINDS[frequency]):
            yield problem("period", wrong)
        elif baseline and due and not baseline.end < period.end < due.end:
            expected = f"a period between the baseline's, {baseline}, and the due one, {due}"
            yield problem("period", expected)


def _rebases(register: Register) -> Iterator[Finding]:
    """Rebases at a quarter of a quarterly measure, and each with its place."""
    rows, refuse = register.tables["rebases"], partial(register.refuse, "rebases")
    frequencies = rows["measure"].map(register.measures["frequency"])
    others = frequencies.notna() & (frequencies != "quarterly")
    expected = "a quarterly measure, since no other has a control chart"
    yield from refuse("measure", others, expected, "Remove the row.")
    years = rows["period"].map(lambda period: parse_period(period).kind) != "quarter"
    yield from refuse("period", years & ~others, "a quarter, as its frequency says")
    unplaced = ~rows["document"].isin(["", OWN_DECISION]) & (rows["location"].str.strip() == "")
    remedy = f"Give it, or write '{OWN_DECISION}' as the document."
    yield from refuse("location", unplaced, "the place in the document", remedy)


MEASURE_CHECKS = (
    _figures,
    _periods,
    _parts,
    _continuations,
    _profiles,
    _points,
    _comparators,
    _rebases,
)
