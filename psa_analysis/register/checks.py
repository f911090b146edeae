"""What one row of the register cannot know: names that stand elsewhere, figures that agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import parse_period
from psa_analysis.register.rows import FIGURES, GENERAL_ITEMS, OWN_DECISION, Register, cell_error
from psa_analysis.words import NOT_STATED

_settings_error = partial(Finding, "error", "raw/agreement.toml")

#: The columns by which a row is known; each stands once.
_KEYS = {
    "targets": ["reference"],
    "measures": ["measure"],
    "commitments": ["commitment"],
    "links": ["reference", "linked_to"],
    "assumptions": ["item", "column"],
    "areas": ["area"],
    "families": ["family", "area"],
    "baskets": ["component", "indicator"],
}


def _names(register: Register) -> list[tuple[str, str, Iterable[str]]]:
    """File, column, and the names that may stand in it."""
    settings, tables = register.settings, register.tables
    references, measures = set(tables["targets"]["reference"]), set(tables["measures"]["measure"])
    areas, documents = set(tables["areas"]["area"]), set(settings.documents)
    commitments = set(tables["commitments"]["commitment"])
    return [
        ("targets", "theme", settings.themes),
        ("targets", "document", documents),
        ("measures", "reference", references),
        ("measures", "objective", {*settings.objectives, NOT_STATED}),
        ("measures", "continues", {*measures, ""}),
        ("measures", "partner", {*settings.partners, ""}),
        ("measures", "document", documents),
        ("commitments", "objective", settings.objectives),
        ("commitments", "measure", {*measures, ""}),
        ("commitments", "document", documents),
        ("links", "reference", references),
        ("links", "linked_to", {*references, *settings.topics}),
        ("assumptions", "item", {*measures, *commitments, *GENERAL_ITEMS}),
        ("differences", "reference", references),
        ("facts", "reference", {*references, "none"}),
        ("facts", "document", documents),
        ("areas", "part_of", {*areas, ""}),
        ("trajectories", "measure", measures),
        ("trajectories", "document", documents),
        ("baskets", "component", areas),
        ("baskets", "indicator", measures),
        ("baskets", "document", documents),
        ("families", "area", areas),
        ("families", "document", {*documents, NOT_STATED}),
        ("rebases", "measure", measures),
        ("notes", "about", {*measures, *settings.themes}),
        ("rebases", "document", {*documents, OWN_DECISION}),
    ]


def _unknown_names(register: Register) -> Iterator[Finding]:
    for key, column, names in _names(register):
        text, known = register.texts[key], sorted(names)
        # A council that cites nothing leaves the column out; one that cites, cites every row.
        if column == "document" and (text[column] == "").all():
            continue
        for _, row in text[~text[column].isin(known)].iterrows():
            yield cell_error(key, row, column, one_of(known), did_you_mean(row[column], known))


def _duplicates(register: Register) -> Iterator[Finding]:
    for key, columns in _KEYS.items():
        text = register.texts[key]
        for _, row in text[text.duplicated(columns)].iterrows():
            first = text.index[(text[columns] == row[columns]).all(axis=1)][0]
            yield cell_error(
                key,
                row,
                columns[-1],
                "each only once",
                f"It stands in row {first} already: remove or rename one.",
                found=", ".join(row[columns]),
            )


def _settings_names(register: Register) -> Iterator[Finding]:
    """The settings name an area and references of the register."""
    area, areas = register.settings.agreement.area, register.tables["areas"]["area"]
    if area not in set(areas):
        yield _settings_error(
            "an area of areas.csv", did_you_mean(area, areas), column="agreement.area", found=area
        )
    references = list(register.tables["targets"]["reference"])
    for topic, named in register.settings.topics.items():
        for reference in set(named) - set(references):
            yield _settings_error(
                "a reference of targets.csv",
                did_you_mean(reference, references),
                column=f"topics.{topic}",
                found=reference,
            )


def _targets_without_measure(register: Register) -> Iterator[Finding]:
    targets = register.texts["targets"]
    measured = targets["reference"].isin(register.tables["measures"]["reference"])
    for _, row in targets[~measured].iterrows():
        yield cell_error(
            "targets",
            row,
            "reference",
            "at least one row in measures.csv",
            "Add a measure, or one whose figures are 'not stated'.",
        )


def _family_names(register: Register) -> Iterator[Finding]:
    """A family's name says which areas are meant, so it is no kind of area as well."""
    families = register.texts["families"]
    for _, row in families[families["family"].isin(register.tables["areas"]["kind"])].iterrows():
        yield cell_error(
            "families",
            row,
            "family",
            "a name that is no kind of area in areas.csv",
            "Rename the family; all areas of a kind are a family without a row here.",
        )


def _effectiveness_section(register: Register) -> Iterator[Finding]:
    """The settings name measures and an area that an index of cost can be made of."""
    section, measures = register.settings.effectiveness, register.measures
    if section is None:
        if len(register.tables["baskets"]):
            yield _settings_error(
                "the section to be there, since there is a basket",
                "Add it; docs/register.md describes it.",
                column="effectiveness",
            )
        return
    for setting in ("index", "net_budget", "deflator"):
        name = getattr(section, setting)
        problem = partial(_settings_error, column=f"effectiveness.{setting}", found=name)
        if name not in measures.index:
            yield problem("a measure of measures.csv", did_you_mean(name, measures.index))
        elif measures.at[name, "frequency"] != "annual":
            yield problem("an annual measure", "Name another measure.")
    if section.index in measures.index:
        index = measures.loc[section.index]
        baseline = index["baseline_period"]
        dated = baseline not in ("", NOT_STATED)
        other = pd.notna(index["baseline"]) and index["baseline"] != 100
        if other or not dated or parse_period(baseline).kind != "financial_year":
            yield _settings_error(
                "a measure with a baseline of 100 and the financial year that it is of",
                "Name another measure, or give its baseline_period in measures.csv.",
                column="effectiveness.index",
                found=section.index,
            )
    areas = list(register.tables["areas"]["area"])
    if section.deflator_area not in areas:
        yield _settings_error(
            "an area of areas.csv",
            did_you_mean(section.deflator_area, areas),
            column="effectiveness.deflator_area",
            found=section.deflator_area,
        )


#: Units of which a change is counted in points, and no others.
_IN_POINTS = ("percent", "percent change", "percentage points")


def _baskets(register: Register) -> Iterator[Finding]:
    """Weights above 0, and changes that the indicator's unit allows."""
    measures = register.measures
    for row, text in register.rows("baskets"):
        problem = partial(cell_error, "baskets", text)
        if row["weight"] <= 0:
            yield problem("weight", "a number above 0", "Correct the weight, or remove the row.")
        if row["indicator"] not in measures.index:
            continue
        unit = measures.at[row["indicator"], "unit"]
        if measures.at[row["indicator"], "frequency"] == "calendar_year":
            yield problem(
                "indicator",
                "a measure that is observed in quarters, financial years or exam years",
                "Name another measure: net budgets are of financial years.",
            )
        if row["change"] == "points" and unit not in _IN_POINTS:
            yield problem(
                "change",
                f"relative, since points are of percentages and the unit is {unit}",
                "Write relative.",
            )
        if row["change"] == "relative" and unit in _IN_POINTS[1:]:
            yield problem(
                "change", f"points, since {unit} is a difference already", "Write points."
            )


def _commitment_figures(register: Register) -> Iterator[Finding]:
    """What must hold within a commitment."""
    for row, text in register.rows("commitments"):
        problem = partial(cell_error, "commitments", text)
        better = 1 if row["polarity"] == "higher" else -1
        target, baseline = row["target"], row["baseline"]
        if row["kind"] == "level" and (pd.isna(target) or not row["unit"] or not row["polarity"]):
            column = "target" if pd.isna(target) else "polarity" if row["unit"] else "unit"
            yield problem(column, "a target, unit and polarity for a level", "Give it.")
        elif pd.notna(target) and pd.notna(baseline) and better * (target - baseline) <= 0:
            yield problem(
                "target",
                f"better than the baseline {text['baseline']} ({row['polarity']} is better)",
                "Correct the target, the baseline or the polarity.",
            )
        if (row["due"] == NOT_STATED) != pd.isna(row["due_date"]):
            yield problem(
                "due_date", "a day exactly if 'due' gives a date", "Give both or neither."
            )
        elif pd.notna(row["due_date"]) and str(row["due_date"].year)[-2:] not in row["due"]:
            yield problem("due_date", f"a day that fits '{row['due']}'", "Correct one of the two.")


def _commitment_measures(register: Register) -> Iterator[Finding]:
    """A commitment whose figures are a measure's readings promises a level in the same unit."""
    measures = register.measures
    for row, text in register.rows("commitments"):
        if row["measure"] not in measures.index:
            continue
        measure = measures.loc[row["measure"]]
        if row["kind"] != "level":
            expected = f"nothing, since a {row['kind']} commitment has no readings"
        elif measure["unit"] != row["unit"]:
            expected = f"a measure in {row['unit']}, not in {measure['unit']}"
        elif measure["polarity"] != row["polarity"]:
            expected = f"a measure of which {row['polarity']} is better"
        else:
            continue
        yield cell_error("commitments", text, "measure", expected, "Correct the cell, or empty it.")


def _assumptions(register: Register) -> Iterator[Finding]:
    """An assumption about one measure or commitment names a column of it that holds something."""
    for key, name in (("measures", "measure"), ("commitments", "commitment")):
        table = register.texts[key].drop_duplicates(name).set_index(name)
        for row, text in register.rows("assumptions"):
            item, column = row["item"], row["column"]
            if item not in table.index:
                continue
            if column not in table.columns:
                expected = f"a column of {key}.csv"
                remedy = did_you_mean(column, table.columns)
            elif table.at[item, column] in ("", NOT_STATED):
                expected = f"a column that holds something for {item}"
                remedy = f"Give the figure in {key}.csv or remove the assumption."
            else:
                continue
            yield cell_error("assumptions", text, "column", expected, remedy)


def _derived_figures(register: Register) -> Iterator[Finding]:
    """No document prints a division, so one needs its reason in assumptions.csv."""
    assumptions = register.tables["assumptions"]
    explained = set(zip(assumptions["item"], assumptions["column"], strict=True))
    for _, text in register.texts["measures"].iterrows():
        for figure in FIGURES:
            if "/" in text[figure] and (text["measure"], figure) not in explained:
                yield cell_error(
                    "measures",
                    text,
                    figure,
                    "a figure that a document states",
                    f"Add a row for {text['measure']} and {figure} to assumptions.csv.",
                )


def _rows_about_themselves(register: Register) -> Iterator[Finding]:
    links, areas = register.texts["links"], register.texts["areas"]
    for _, row in links[links["reference"] == links["linked_to"]].iterrows():
        yield cell_error("links", row, "linked_to", "another target", "Remove the row.")
    for _, row in areas[areas["area"] == areas["part_of"]].iterrows():
        yield cell_error("areas", row, "part_of", "another area, or nothing", "Correct the cell.")


CHECKS = (
    _unknown_names,
    _duplicates,
    _settings_names,
    _targets_without_measure,
    _family_names,
    _effectiveness_section,
    _baskets,
    _commitment_figures,
    _commitment_measures,
    _assumptions,
    _derived_figures,
    _rows_about_themselves,
)
