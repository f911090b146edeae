"""What one row of the register cannot know: names that stand elsewhere, figures that agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import parse_period
from psa_analysis.register.agreement import family_names
from psa_analysis.register.measure_checks import (
    comparator_problems,
    continuation_problems,
    measure_problems,
    point_problems,
    profile_problems,
    rebase_problems,
    weight_problems,
)
from psa_analysis.register.rows import FIGURES, GENERAL_ITEMS, OWN_DECISION, TABLES
from psa_analysis.register.settings import Settings
from psa_analysis.words import NOT_STATED


def cross_checks(
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
        ("targets", ["reference"]),
        ("measures", ["measure"]),
        ("commitments", ["commitment"]),
        ("links", ["reference", "linked_to"]),
        ("assumptions", ["item", "column"]),
        ("areas", ["area"]),
        ("families", ["family", "area"]),
        ("baskets", ["component", "indicator"]),
    ]
    for key, columns in keys:
        problems += _duplicates(texts[key], key, columns)
    for reference in sorted(references - set(tables["measures"]["reference"])):
        row = int(tables["targets"].index[tables["targets"]["reference"] == reference][0])
        problems.append(
            Finding(
                "error",
                TABLES["targets"][0],
                "at least one row in measures.csv",
                "Add a measure, or one whose figures are 'not stated'.",
                row=row,
                column="reference",
                found=reference,
            )
        )
    if settings.agreement.area not in set(tables["areas"]["area"]):
        problems.append(
            Finding(
                "error",
                "raw/agreement.toml",
                "an area of areas.csv",
                did_you_mean(settings.agreement.area, tables["areas"]["area"]),
                column="agreement.area",
                found=settings.agreement.area,
            )
        )
    for topic, named in settings.topics.items():
        problems += [
            Finding(
                "error",
                "raw/agreement.toml",
                "a reference of targets.csv",
                did_you_mean(reference, references),
                column=f"topics.{topic}",
                found=reference,
            )
            for reference in named
            if reference not in references
        ]
    for number, row in tables["measures"].iterrows():
        problems += measure_problems(row, texts["measures"].loc[number], int(str(number)))
    problems += [
        Finding(
            "error",
            TABLES["measures"][0],
            "other measures, with ; between them",
            did_you_mean(part, measures),
            row=int(str(number)),
            column="parts",
            found=part,
            measure=row["measure"],
        )
        for number, row in tables["measures"].iterrows()
        for part in row["parts"]
        if part not in measures or part == row["measure"]
    ]
    problems += weight_problems(tables["measures"])
    problems += continuation_problems(tables["measures"])
    problems += profile_problems(tables, texts)
    problems += point_problems(tables, texts["trajectories"])
    families = family_names(tables["families"], tables["areas"], settings.agreement.area)
    problems += comparator_problems(
        tables["measures"], tables["areas"], families, settings.agreement.area
    )
    problems += rebase_problems(tables, texts["rebases"])
    problems += _family_problems(texts["families"], tables["areas"])
    problems += _effectiveness_problems(settings, tables)
    problems += _basket_problems(tables, texts["baskets"])
    problems += _commitment_problems(tables["commitments"], texts["commitments"])
    problems += _commitment_links(tables["commitments"], tables["measures"])
    problems += _assumption_problems(tables["assumptions"], texts)
    problems += _derived_without_formula(tables["assumptions"], texts["measures"])
    problems += [
        Finding(
            "error",
            TABLES["links"][0],
            "another target",
            "Remove the row.",
            row=int(str(number)),
            column="linked_to",
            found=row["linked_to"],
        )
        for number, row in texts["links"].iterrows()
        if row["reference"] == row["linked_to"]
    ]
    problems += [
        Finding(
            "error",
            TABLES["areas"][0],
            "another area, or nothing",
            "Correct the cell.",
            row=int(str(number)),
            column="part_of",
            found=row["part_of"],
        )
        for number, row in texts["areas"].iterrows()
        if row["area"] == row["part_of"]
    ]
    return problems


def _unknown(text: pd.DataFrame, key: str, column: str, names: list[str]) -> Iterator[Finding]:
    for number, cell in text[column][~text[column].isin(names)].items():
        yield Finding(
            "error",
            TABLES[key][0],
            one_of(names),
            did_you_mean(cell, names),
            row=int(str(number)),
            column=column,
            found=cell,
        )


def _duplicates(text: pd.DataFrame, key: str, columns: list[str]) -> Iterator[Finding]:
    for number in text.index[text.duplicated(columns)]:
        found = ", ".join(text.loc[number, columns])
        first = text.index[(text[columns] == text.loc[number, columns]).all(axis=1)][0]
        yield Finding(
            "error",
            TABLES[key][0],
            "each only once",
            f"It stands in row {first} already: remove or rename one.",
            row=int(number),
            column=columns[-1],
            found=found,
        )


def _family_problems(text: pd.DataFrame, areas: pd.DataFrame) -> Iterator[Finding]:
    """A family's name says which areas are meant, so it is no kind of area as well."""
    for number, row in text[text["family"].isin(areas["kind"])].iterrows():
        yield Finding(
            "error",
            TABLES["families"][0],
            "a name that is no kind of area in areas.csv",
            "Rename the family; all areas of a kind are a family without a row here.",
            row=int(str(number)),
            column="family",
            found=row["family"],
        )


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
                "Add it; docs/register.md describes it.",
                column="effectiveness",
            )
        return
    measures = tables["measures"].drop_duplicates("measure").set_index("measure")
    for setting in ("index", "net_budget", "deflator"):
        name, column = getattr(made_from, setting), f"effectiveness.{setting}"
        if name not in measures.index:
            yield problem(
                "a measure of measures.csv",
                did_you_mean(name, measures.index),
                column=column,
                found=name,
            )
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
                column="effectiveness.index",
                found=made_from.index,
            )
    areas = list(tables["areas"]["area"])
    if made_from.deflator_area not in areas:
        yield problem(
            "an area of areas.csv",
            did_you_mean(made_from.deflator_area, areas),
            column="effectiveness.deflator_area",
            found=made_from.deflator_area,
        )


#: Units of which a change is counted in points, and no others.
_IN_POINTS = ("percent", "percent change", "percentage points")


def _basket_problems(tables: dict[str, pd.DataFrame], text: pd.DataFrame) -> Iterator[Finding]:
    """Weights above 0, and changes that the indicator's unit allows."""
    measures = tables["measures"].drop_duplicates("measure").set_index("measure")
    for number, row in tables["baskets"].iterrows():
        problem = partial(
            Finding, "error", TABLES["baskets"][0], row=int(str(number)), measure=row["indicator"]
        )
        if row["weight"] <= 0:
            yield problem(
                "a number above 0",
                "Correct the weight, or remove the row.",
                column="weight",
                found=text.at[number, "weight"],
            )
        if row["indicator"] not in measures.index:
            continue
        unit = measures.at[row["indicator"], "unit"]
        if measures.at[row["indicator"], "frequency"] == "calendar_year":
            yield problem(
                "a measure that is observed in quarters, financial years or exam years",
                "Name another measure: net budgets are of financial years.",
                column="indicator",
                found=row["indicator"],
            )
        if row["change"] == "points" and unit not in _IN_POINTS:
            yield problem(
                f"relative, since points are of percentages and the unit is {unit}",
                "Write relative.",
                column="change",
                found="points",
            )
        if row["change"] == "relative" and unit in _IN_POINTS[1:]:
            yield problem(
                f"points, since {unit} is a difference already",
                "Write points.",
                column="change",
                found="relative",
            )


def _commitment_problems(commitments: pd.DataFrame, text: pd.DataFrame) -> Iterator[Finding]:
    """What must hold within a commitment."""
    name = TABLES["commitments"][0]
    for number, row in commitments.iterrows():
        problem = partial(Finding, "error", name, row=int(str(number)))
        better = 1 if row["polarity"] == "higher" else -1
        target, baseline = row["target"], row["baseline"]
        if row["kind"] == "level" and (pd.isna(target) or not row["unit"] or not row["polarity"]):
            column = "target" if pd.isna(target) else "polarity" if row["unit"] else "unit"
            yield problem(
                "a target, unit and polarity for a level",
                "Give it.",
                column=column,
                found=text.at[number, column],
            )
        elif pd.notna(target) and pd.notna(baseline) and better * (target - baseline) <= 0:
            yield problem(
                f"better than the baseline {text.at[number, 'baseline']} "
                f"({row['polarity']} is better)",
                "Correct the target, the baseline or the polarity.",
                column="target",
                found=text.at[number, "target"],
            )
        if (row["due"] == NOT_STATED) != pd.isna(row["due_date"]):
            yield problem(
                "a day exactly if 'due' gives a date",
                "Give both or neither.",
                column="due_date",
                found=text.at[number, "due_date"],
            )
        elif pd.notna(row["due_date"]) and str(row["due_date"].year)[-2:] not in row["due"]:
            yield problem(
                f"a day that fits '{row['due']}'",
                "Correct one of the two.",
                column="due_date",
                found=text.at[number, "due_date"],
            )


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
            "error",
            TABLES["commitments"][0],
            expected,
            "Correct the cell, or empty it.",
            row=int(str(number)),
            column="measure",
            found=row["measure"],
        )


def _assumption_problems(
    assumptions: pd.DataFrame, texts: dict[str, pd.DataFrame]
) -> Iterator[Finding]:
    """An assumption about one measure or commitment names a column of it that holds something."""
    tables = {
        key: texts[key].drop_duplicates(column).set_index(column)
        for key, column in (("measures", "measure"), ("commitments", "commitment"))
    }
    for number, row in assumptions.iterrows():
        for key, table in tables.items():
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
                "error",
                TABLES["assumptions"][0],
                expected,
                remedy,
                row=int(str(number)),
                column="column",
                found=row["column"],
                measure=row["item"],
            )


def _derived_without_formula(assumptions: pd.DataFrame, text: pd.DataFrame) -> Iterator[Finding]:
    """No document prints a division, so one needs its reason in assumptions.csv."""
    explained = set(zip(assumptions["item"], assumptions["column"], strict=True))
    for number, row in text.iterrows():
        for figure in FIGURES:
            if "/" in row[figure] and (row["measure"], figure) not in explained:
                yield Finding(
                    "error",
                    TABLES["measures"][0],
                    "a figure that a document states",
                    f"Add a row for {row['measure']} and {figure} to assumptions.csv.",
                    row=int(str(number)),
                    column=figure,
                    found=row[figure],
                    measure=row["measure"],
                )
