"""What one cell of the register cannot know: names that stand elsewhere, figures that agree."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from math import nan

import numpy as np
import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.register.agreement import BLANK, period_of
from psa_analysis.register.rows import TABLES, Register, cell_error
from psa_analysis.words import NOT_STATED

_settings_error = partial(Finding, "error", "raw/agreement.toml")

#: Files in which each row is known by its first column, or by its first two.
_ONE_KEY = ("targets", "measures", "commitments", "areas")
_TWO_KEYS = ("links", "assumptions", "trajectories", "families", "baskets", "rebases")


def _unknown_names(register: Register) -> Iterator[Finding]:
    lists: dict[str, Collection[str]] = {
        f"{key}.csv": table[next(iter(TABLES[key]))] for key, table in register.texts.items()
    }
    lists |= {f"[{section}]": names for section, names in register.settings}
    for key, columns in TABLES.items():
        text = register.texts[key]
        for name, column in columns.items():
            # A council that cites nothing leaves the column out; one that cites, cites every row.
            if not column.names or (name == "document" and (text[name] == "").all()):
                continue
            named = [part for part in column.names if part in lists]
            known = sorted({name for part in column.names for name in lists.get(part, [part])})
            names = known if any(len(lists[part]) for part in named) else []
            for _, row in text[~text[name].isin(known)].iterrows():
                words = one_of(names, " or ".join(named)), did_you_mean(row[name], names)
                yield cell_error(f"register/{key}", row, name, *words)


def _duplicates(register: Register) -> Iterator[Finding]:
    frequencies = register.measures["frequency"]
    for key in (*_ONE_KEY, *_TWO_KEYS):
        columns = list(TABLES[key])[: 2 if key in _TWO_KEYS else 1]
        text = register.texts[key]
        cells = text[columns]
        if "period" in columns:
            # 2004/05 and its last quarter end on one day.
            of = text["measure"].map(frequencies)
            cells = cells.assign(period=[*map(period_of, text["period"], of)])
            cells["period"] = cells["period"].map(lambda period: period.end)
        for number, row in text[cells.duplicated()].iterrows():
            first = text.index[(cells == cells.loc[number]).all(axis=1)][0]
            remedy = f"Row {first} has it already: remove or rename one."
            yield cell_error(f"register/{key}", row, columns[-1], "each only once", remedy)


def _settings_names(register: Register) -> Iterator[Finding]:
    """The settings name areas, references and measures of the register."""
    settings, measures = register.settings, register.measures
    areas = list(register.tables["areas"]["area"])
    targets = list(register.tables["targets"]["reference"])
    named = [("agreement.area", settings.agreement.area, "an area of areas.csv", areas)]
    for topic, names in settings.topics.items():
        named += [(f"topics.{topic}", name, "a target of targets.csv", targets) for name in names]
    number = measures.loc[measures["role"] == "target", "reference"].nunique()
    if not isinstance(settings.grant.targets, str) and settings.grant.targets < number:
        expected, found = f"at least {number}, as many as the register has", settings.grant.targets
        remedy = "Count those of the whole agreement."
        yield _settings_error(expected, remedy, column="grant.targets", found=str(found))
    section = settings.effectiveness
    if section is not None:
        area = section.deflator_area
        named.append(("effectiveness.deflator_area", area, "an area of areas.csv", areas))
        annual = measures[measures["frequency"] == "annual"]
        kinds = annual["baseline_at"].map(lambda period: period.kind, na_action="ignore")
        fit = (kinds == "financial_year") & annual["baseline"].isin([100, nan])
        expected = "an annual measure with a baseline of 100 and the financial year that it is of"
        named.append(("effectiveness.index", section.index, expected, list(annual.index[fit])))
        named += [
            (f"effectiveness.{name}", getattr(section, name), "an annual measure", [*annual.index])
            for name in ("net_budget", "deflator")
        ]
    elif len(register.tables["baskets"]):
        expected = "the section to be there, since there is a basket"
        remedy = "Add it; docs/register.md describes it."
        yield _settings_error(expected, remedy, column="effectiveness")
    for column, name, expected, known in named:
        if name not in known:
            yield _settings_error(expected, did_you_mean(name, known), column=column, found=name)


def _rows(register: Register) -> Iterator[Finding]:
    """Targets, families, links and areas that fit the other files."""
    refuse, texts = register.refuse, register.texts
    missing = ~texts["targets"]["reference"].isin(texts["measures"]["reference"])
    remedy = "Add a measure, or one whose figures are 'not stated'."
    yield from refuse("targets", "reference", missing, "at least one row in measures.csv", remedy)
    # A family's name says which areas are meant.
    is_kind = texts["families"]["family"].isin(texts["areas"]["kind"])
    yield from refuse("families", "family", is_kind, "a name that is no kind of area in areas.csv")
    links, areas = texts["links"], texts["areas"]
    to_itself = links["reference"] == links["linked_to"]
    yield from refuse("links", "linked_to", to_itself, "another target", "Remove the row.")
    yield from refuse("areas", "part_of", areas["area"] == areas["part_of"], "another area")


#: Units of which a change is counted in points, and no others.
_IN_POINTS = ["percent", "percent change", "percentage points"]


def _baskets(register: Register) -> Iterator[Finding]:
    """Weights above 0, and changes that the indicator's unit allows."""
    measures, refuse = register.measures, partial(register.refuse, "baskets")
    rows = register.tables["baskets"].join(measures[["unit", "frequency"]], on="indicator")
    yield from refuse("weight", rows["weight"] <= 0, "a number above 0")
    expected = "a measure that is observed in quarters, financial years or exam years"
    yield from refuse("indicator", rows["frequency"] == "calendar_year", expected)
    no_points = (rows["change"] == "points") & ~rows["unit"].isin([*_IN_POINTS, nan])
    yield from refuse("change", no_points, "relative, since points are of percentages")
    differences = (rows["change"] == "relative") & rows["unit"].isin(_IN_POINTS[1:])
    yield from refuse("change", differences, "points, since the unit is a difference already")


def _commitments(register: Register) -> Iterator[Finding]:
    """What must hold within a commitment, and with the measure whose readings are its figures."""
    rows, refuse = register.tables["commitments"], partial(register.refuse, "commitments")
    level = rows["kind"] == "level"
    for column in ("target", "unit", "polarity"):
        lacking = level & rows[column].isin(["", nan])
        yield from refuse(column, lacking, "a target, unit and polarity for a level", "Give it.")
    better = np.where(rows["polarity"] == "higher", 1, -1)
    expected = "better than the baseline {baseline} ({polarity} is better)"
    yield from refuse("target", better * (rows["target"] - rows["baseline"]) <= 0, expected)
    dated, due = rows["due_date"].notna(), rows["due"]
    expected, remedy = "a day exactly if 'due' gives a date", "Give both or neither."
    yield from refuse("due_date", (due == NOT_STATED) == dated, expected, remedy)
    year_differs = [
        pd.notna(day) and f"{day:%y}" not in text
        for day, text in zip(rows["due_date"], due, strict=True)
    ]
    yield from refuse("due_date", pd.Series(year_differs, rows.index), "a day that fits '{due}'")
    measures = register.measures
    linked = rows["measure"].isin(measures.index)
    yield from refuse("measure", linked & ~level, "nothing, since a {kind} has no readings")
    read = {"unit": "a measure in {unit}", "polarity": "a measure of which {polarity} is better"}
    for column, expected in read.items():
        differs = rows[column] != rows["measure"].map(measures[column])
        yield from refuse("measure", linked & level & differs, expected)


def _assumptions(register: Register) -> Iterator[Finding]:
    """An assumption names a column that holds something."""
    texts = register.texts
    rows: dict[str, dict[str, str]] = {}
    for key in ("measures", "commitments"):
        name = next(iter(TABLES[key]))
        rows |= texts[key].drop_duplicates(name).set_index(name).to_dict("index")
    for _, text in texts["assumptions"].iterrows():
        filled = [name for name, cell in rows.get(text["item"], {}).items() if cell not in BLANK]
        if text["item"] in rows and text["column"] not in filled:
            expected = f"a column that holds something for {text['item']}"
            remedy = did_you_mean(text["column"], filled)
            yield cell_error("register/assumptions", text, "column", expected, remedy)


CHECKS = (_unknown_names, _duplicates, _settings_names, _rows, _baskets, _commitments, _assumptions)
