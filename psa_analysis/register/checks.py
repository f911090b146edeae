"""What one cell of the register cannot know: names that stand elsewhere, figures that agree."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial
from math import nan

import numpy as np
import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import FREQUENCIES, KIND_NAMES, parse_period
from psa_analysis.register import agreement
from psa_analysis.register.rows import PRINTED, TABLES, Register, cell_error, is_number
from psa_analysis.words import NOT_STATED

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
            periods = map(agreement.period_of, text["period"], of)
            cells = cells.assign(period=[period.end for period in periods])
        for number, row in text[cells.duplicated()].iterrows():
            first = text.index[(cells == cells.loc[number]).all(axis=1)][0]
            remedy = f"Row {first} has it already: remove or rename one."
            yield cell_error(f"register/{key}", row, columns[-1], "each only once", remedy)


def _settings_names(register: Register) -> Iterator[Finding]:
    """The settings name areas, references and measures of the register."""
    settings, measures = register.settings, register.measures
    problem = partial(Finding, "error", "raw/agreement.toml")
    areas = ("an area of areas.csv", list(register.tables["areas"]["area"]))
    targets = ("a target of targets.csv", list(register.tables["targets"]["reference"]))
    named = [("agreement.area", settings.agreement.area, *areas)]
    for topic, names in settings.topics.items():
        named += [(f"topics.{topic}", name, *targets) for name in names]
    number = measures.loc[measures["role"] == "target", "reference"].nunique()
    if not isinstance(settings.grant.targets, str) and settings.grant.targets < number:
        expected, found = f"at least {number}, as many as the register has", settings.grant.targets
        remedy = "Count those of the whole agreement."
        yield problem(expected, remedy, column="grant.targets", found=str(found))
    if section := settings.effectiveness:
        named.append(("effectiveness.deflator_area", section.deflator_area, *areas))
        annual = measures[measures["frequency"] == "annual"]
        kinds = annual["baseline_at"].map(lambda period: period.kind, na_action="ignore")
        fit = (kinds == "financial_year") & annual["baseline"].isin([100, nan])
        expected = "an annual measure with a baseline of 100 and the financial year that it is of"
        named.append(("effectiveness.index", section.index, expected, list(annual.index[fit])))
        annual_measure = ("an annual measure", list(annual.index))
        named.append(("effectiveness.net_budget", section.net_budget, *annual_measure))
        named.append(("effectiveness.deflator", section.deflator, *annual_measure))
    elif len(register.tables["baskets"]):
        expected = "the section to be there, since there is a basket"
        remedy = "Add it; docs/register.md describes it."
        yield problem(expected, remedy, column="effectiveness")
    for column, name, expected, known in named:
        if name not in known:
            yield problem(expected, did_you_mean(name, known), column=column, found=name)


def _rows(register: Register) -> Iterator[Finding]:
    """Targets, families, links, areas and rebases that fit the other files."""
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
    rebases = texts["rebases"]
    frequencies = rebases["measure"].map(register.measures["frequency"])
    others = frequencies.notna() & (frequencies != "quarterly")
    expected = "a quarterly measure, since no other has a control chart"
    yield from refuse("rebases", "measure", others, expected, "Remove the row.")
    years = rebases["period"].map(lambda period: parse_period(period).kind) != "quarter"
    yield from refuse("rebases", "period", years & ~others, "a quarter, as its frequency says")
    cited = ~rebases["document"].isin(["", agreement.OWN_DECISION])
    unplaced = cited & (rebases["location"].str.strip() == "")
    remedy = f"Give it, or write '{agreement.OWN_DECISION}' as the document."
    yield from refuse("rebases", "location", unplaced, "the place in the document", remedy)


#: Units of which a change is counted in points, and no others.
_IN_POINTS = ["percent", "percent change", "percentage points"]


def _baskets(register: Register) -> Iterator[Finding]:
    """Weights above 0, and changes that the indicator's unit allows."""
    measures, refuse = register.measures, partial(register.refuse, "baskets")
    rows = register.tables["baskets"].join(measures[["unit", "frequency"]], on="indicator")
    yield from refuse("weight", rows["weight"] <= 0, "a number above 0")
    expected = "a measure that is observed in quarters, financial years or exam years"
    unfit = ~rows["frequency"].isin(["quarterly", "annual", "exam_year", nan])
    yield from refuse("indicator", unfit, expected)
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
        cells = rows.get(text["item"], {})
        filled = [name for name, cell in cells.items() if cell not in agreement.BLANK]
        if cells and text["column"] not in filled:
            expected = f"a column that holds something for {text['item']}"
            remedy = did_you_mean(text["column"], filled)
            yield cell_error("register/assumptions", text, "column", expected, remedy)


#: Which way is better; a polarity that is not stated compares nothing.
_BETTER = {"higher": 1, "lower": -1}


def _figures(register: Register) -> Iterator[Finding]:
    """What must hold between the cells of one measure."""
    rows, text = register.tables["measures"], register.texts["measures"]
    refuse = partial(register.refuse, "measures")
    target, weight, base, unit = rows["target"], rows["weight"], rows["base"], rows["unit"]
    better = rows["polarity"].map(_BETTER)
    no_stretch = better * (target - rows["without"]) <= 0
    yield from refuse("without", no_stretch, "short of the target {target} ({polarity} is better)")
    trigger, share = rows["trigger"], register.settings.grant.trigger
    no_use = trigger.notna() & ((share == 1) | target.isna())
    yield from refuse("trigger", no_use, "nothing without a target, or if grant.trigger is 1")
    beyond = ~no_use & (better * (target - trigger) <= 0)
    yield from refuse("trigger", beyond, "short of the target {target} ({polarity} is better)")
    # It may be printed rounded.
    near = text["trigger"].map(
        lambda cell: 0.5 * 10.0 ** -len(cell.partition(".")[2]) if is_number(cell) else 0
    )
    follows = rows["without"] + share * (target - rows["without"])
    differs = ~(no_use | beyond) & ((follows - trigger).abs() > near + 1e-9)
    expected = f"{share:.0%} of the way from {{without}} to {{target}}"
    yield from refuse("trigger", differs, expected, "Correct one of the three.")
    # A rate can be more than the one that it is a percentage of.
    percent = (unit == "percent") & (rows["basis"] != "ratio_to_comparator")
    for figure in (*agreement.FIGURES, "target_to", "trigger"):
        outside = percent & ((rows[figure] < 0) | (rows[figure] > 100))
        yield from refuse(figure, outside, "0 to 100 for a percentage")
    change = rows["basis"] == "change_from_baseline"
    expected = "the figure that the change is measured from, or 'not stated'"
    yield from refuse("base", change & (text["base"] == ""), expected)
    yield from refuse("base", change & (base <= 0), "more than 0")
    names = zip(rows["measure"] + "-", rows["reference"] + "-", strict=True)
    other_name = pd.Series([not own.startswith(of) for own, of in names], rows.index, bool)
    yield from refuse("reference", other_name, "the reference that its name begins with")
    misspelt = (unit != "percent") & unit.str.casefold().isin(["%", "per cent", "percent"])
    yield from refuse("unit", misspelt, "percent, in those letters", "Write percent.")
    ratio = (rows["basis"] == "ratio_to_comparator") & (unit != "percent")
    yield from refuse("unit", ratio, "percent, since a ratio is a percentage of the comparator")
    rank = (rows["basis"] == "rank") & (rows["polarity"] != "lower")
    yield from refuse("polarity", rank, "lower, since place 1 is the best")
    stated = rows[[*agreement.FIGURES, *PRINTED]].notna().any(axis=1)
    undirected = rows["rule"].isin(agreement.RULES_WITHOUT_DIRECTION)
    unsure = undirected ^ ((rows["polarity"] == NOT_STATED) & (stated | undirected))
    expected = "'higher' or 'lower', since a figure is stated, or 'not stated' for range and none"
    yield from refuse("polarity", unsure, expected)
    yield from refuse("paid", rows["paid"] < 0, "pounds, or nothing")
    yield from refuse("weight", weight <= 0, "a number above 0, or nothing")
    # All measures of a target that count have a weight, or none.
    counts = (rows["role"] == "target") & (rows["rule"] == "level")
    some = (counts & weight.notna()).groupby(rows["reference"]).transform("any")
    expected = "a weight, since other measures of {reference} have one"
    yield from refuse("weight", counts & weight.isna() & some, expected)
    periods = {"target": "due", "baseline": "baseline_period", "interim": "interim_period"}
    for figure, period in periods.items():
        undated = rows[figure].notna() & text[period].isin(agreement.BLANK)
        yield from refuse(period, undated, f"a period, since there is a {figure}")
    idle = rows["interim"].isna() & ~text["interim_period"].isin(agreement.BLANK)
    yield from refuse("interim", idle, "a level, since there is a period")


def _rules(register: Register) -> Iterator[Finding]:
    """What the rule of a measure asks of its other columns."""
    rows, refuse = register.tables["measures"], partial(register.refuse, "measures")
    rule, target, upper_end = rows["rule"], rows["target"], rows["target_to"]
    improved = rows["polarity"].map(_BETTER) * (target - rows["baseline"])
    with_path = rule.isin(agreement.RULES_WITH_PATH)
    expected = "better than the baseline {baseline} ({polarity} is better), or the rule maintain"
    yield from refuse("target", with_path & (improved <= 0), expected)
    expected = "no better than the baseline {baseline} ({polarity} is better), or the rule level"
    yield from refuse("target", (rule == "maintain") & (improved > 0), expected)
    yield from refuse("target", (rule == "none") & target.notna(), "nothing by the rule {rule}")
    ends = target.notna() | upper_end.notna()
    ends &= ~(upper_end > target).where(rule == "range", upper_end.isna())
    expected = "the upper end of the range, more than {target}, and nothing for any other rule"
    yield from refuse("target_to", ends, expected)
    levels = (rule == "yearly") & ~rows["profile"].isin(agreement.PROFILES_WITH_POINTS)
    expected = "steps or given, with the target of each year before the last in trajectories.csv"
    yield from refuse("profile", levels, expected)
    pathless = ~with_path & (rows["profile"] != "")
    yield from refuse("profile", pathless, "nothing by the rule {rule}, which has no path")
    for column in ("without", "trigger", "interim", "weight", "paid"):
        unpaid = (rule != "level") & rows[column].notna()
        yield from refuse(column, unpaid, "nothing, since only the rule level earns a reward")
    idle = (rows["tolerance"] != "") & target.isna()
    yield from refuse("tolerance", idle, "nothing, since there is no target")


def _wrong_kind(text: str, frequency: str, baseline: bool = False) -> str | None:
    """What was expected in place of a period of a kind that the frequency has not."""
    period, of = agreement.period_of(text, frequency), FREQUENCIES[frequency]
    kinds = [of.kind]
    if of.per_year > 1:
        kinds.append("exam_year" if of.year_end == 8 else "financial_year")
    if baseline and of.year_end != 8:
        kinds.append("mean_of_years")
    if of.kind == "month" != period.kind and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        return "a month by its name, as April 2004, or a year as 2004/05: this may be either"
    if period.kind in kinds:
        return None
    return f"{' or '.join(KIND_NAMES[kind] for kind in kinds)}, as its frequency says"


def _each_measure(register: Register) -> Iterator[Finding]:
    """Periods, parts, the older measure and the comparator of each measure."""
    for number, row in register.tables["measures"].iterrows():
        problem = partial(cell_error, "register/measures", register.texts["measures"].loc[number])
        baseline, due = row["baseline_at"], row["due_at"]
        for column, at in agreement.PARSED_PERIODS.items():
            own = row[column], row["frequency"], column == "baseline_period"
            if row[at] and (wrong := _wrong_kind(*own)):
                yield problem(column, wrong)
        if row["frequency"] == "several_years":
            lengths = {at.end.year - at.start.year for at in (due, baseline) if at}
            if due is None or len(lengths) > 1:
                yield problem("due", "as many years as each figure and the baseline have")
            if row["basis"] not in ("point", "index", *_COMPARED):
                yield problem("basis", "point, since figures of several years are not added up")
        if due and baseline and due.end <= baseline.end:
            yield problem("due", f"a period after the baseline's, {baseline}")
        of_mean = baseline is not None and baseline.kind == "mean_of_years"
        if of_mean and row["basis"] == "change_from_baseline" and pd.isna(row["base"]):
            yield problem("base", "a stated base, since the baseline is a mean of years")
        others = set(register.measures.index) - {row["measure"]}
        for part in set(row["parts"]) - others:
            expected = "other measures, with ; between them"
            yield problem("parts", expected, did_you_mean(part, others))
        if row["continues"] in register.measures.index and (wrong := _unfit_older(row, register)):
            yield problem("continues", wrong)
        if unfit := _unfit_comparator(row, register):
            yield problem("comparator", *unfit)


def _unfit_older(row: pd.Series, register: Register) -> str | None:
    """What was expected of the measure that one continues: of its kind, and continued once."""
    measures, same = register.measures, ["unit", "polarity", "basis", "frequency"]
    chain, name = [row["measure"]], row["continues"]
    while name in measures.index and name not in chain:
        chain.append(name)
        name = measures.at[name, "continues"]
    if name in measures.index:
        return "an older measure, not one that continues this one"
    if (row[same] != measures.loc[row["continues"], same]).any():
        return "a measure of the same unit, polarity, basis and frequency"
    once = (register.tables["measures"]["continues"] == row["continues"]).sum() == 1
    return None if once else "a measure that no other row continues"


#: What each basis that compares may name.
_MEASURE_OR_AREA = ("ratio_to_comparator", "gap_to_comparator")
_COMPARED = {**dict.fromkeys(_MEASURE_OR_AREA, ("measure", "area")), "rank": ("family",)}


def _unfit_comparator(row: pd.Series, register: Register) -> tuple[str, ...] | None:
    """What was expected of one measure's comparator, and perhaps what to do; None if it is fit."""
    kinds, comparator = _COMPARED.get(row["basis"], ()), row["compared_with"]
    if not kinds and row["comparator"]:
        return (f"nothing, since the basis {row['basis']} compares nothing",)
    if kinds and (not row["comparator"] or (comparator and comparator.kind not in kinds)):
        forms = "a family" if "family" in kinds else "a measure or an area"
        return (f"{forms} to compare with, or 'not stated'",)
    if comparator is None:
        return None
    area, areas = register.settings.agreement.area, register.tables["areas"]
    if comparator.kind == "area":
        names = sorted({*areas["area"]} - {area})
        expected = one_of(names, "areas.csv beside the agreement's own")
    elif comparator.kind == "family":
        names = list(agreement.all_families(register.tables["families"], areas, area))
        expected = f"a family, or a kind of area: {one_of(names, 'families.csv or areas.csv')}"
    else:
        measures, unit = register.measures.drop(row["measure"]), row["unit"]
        fit = ~measures["basis"].isin(list(_COMPARED))
        fit &= measures["frequency"] == row["frequency"]
        expected = f"another measure, {row['frequency']}, that is itself compared with nothing"
        if row["basis"] == "gap_to_comparator":
            unit = "percent" if unit == "percentage points" else unit
            fit &= measures["unit"] == unit
            expected = f"{expected}, in {unit}"
        names = list(measures.index[fit])
    return None if comparator.name in names else (expected, did_you_mean(comparator.name, names))


def _profiles(register: Register) -> Iterator[Finding]:
    """A profile that the figures of its measure and its points allow."""
    rows = register.tables["measures"]
    refuse = partial(register.refuse, "measures", "profile")
    no_start = (rows["rule"] == "level") & rows["baseline"].isna()
    no_path = (rows["profile"] != "") & (no_start | rows["target"].isna())
    yield from refuse(no_path, "nothing, since a path needs a baseline and a target")
    pointless = rows["profile"].isin(agreement.PROFILES_WITH_POINTS)
    pointless &= ~rows["measure"].isin(register.tables["trajectories"]["measure"])
    expected = "at least one row in trajectories.csv"
    yield from refuse(pointless, expected, "Add it, or empty the cell.")
    unfit = [row["profile"] == "seasonal" and not _has_seasons(row) for _, row in rows.iterrows()]
    expected = (
        "seasonal only for months, quarters or terms, between figures for the same time of the year"
    )
    remedy = "docs/register.md says which measures have seasons."
    yield from refuse(pd.Series(unfit, rows.index, bool), expected, remedy)


def _has_seasons(measure: pd.Series) -> bool:
    """Whether the path runs between figures that are of the same time of the year."""
    periods = [measure[at] for at in ("baseline_at", "due_at") if measure[at] is not None]
    months, of = {period.end.month for period in periods}, FREQUENCIES[measure["frequency"]]
    if measure["basis"] == "year_to_date":
        return of.per_year > 1 and months == {of.year_end}
    alike = len(months) <= 1 and all(period.kind == of.kind for period in periods)
    return of.per_year > 1 and measure["basis"] == "point" and alike


def _points(register: Register) -> Iterator[Finding]:
    """Points of a measure whose profile takes them, each on the way to its target."""
    texts = register.texts["trajectories"]
    for number, row in register.tables["trajectories"].iterrows():
        if row["measure"] not in register.measures.index:
            continue
        problem = partial(cell_error, "register/trajectories", texts.loc[number])
        measure = register.measures.loc[row["measure"]]
        if measure["profile"] not in agreement.PROFILES_WITH_POINTS:
            expected = "a measure whose profile is steps or given"
            yield problem("measure", expected, "Give it that profile, or remove the row.")
            continue
        if measure["unit"] == "percent" and not 0 <= row["value"] <= 100:
            yield problem("value", "0 to 100 for a percentage")
        period = agreement.period_of(row["period"], measure["frequency"])
        baseline, due = measure["baseline_at"], measure["due_at"]
        if wrong := _wrong_kind(row["period"], measure["frequency"]):
            yield problem("period", wrong)
        elif (due and period.end >= due.end) or (baseline and period.end <= baseline.end):
            start = baseline or NOT_STATED
            expected = f"a period between the baseline's, {start}, and the due one, {due}"
            yield problem("period", expected)


CHECKS = (
    *(_unknown_names, _duplicates, _settings_names, _rows, _baskets, _commitments, _assumptions),
    *(_figures, _rules, _each_measure, _profiles, _points),
)
