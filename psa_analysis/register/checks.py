"""What one cell of the register cannot know: names that stand elsewhere, figures that agree."""

import re
from collections.abc import Collection, Iterator
from functools import partial
from math import nan
from pathlib import Path

import pandas as pd

from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import FREQUENCIES, KIND_NAMES, parse_period
from psa_analysis.register import agreement
from psa_analysis.register.rows import PRINTED, TABLES, Register, cell_error, decimals, is_number
from psa_analysis.words import NOT_STATED

#: Files in which each row is known by its first column, or by its first two.
_ONE_KEY = ("targets", "measures", "commitments", "areas")
_TWO_KEYS = ("links", "assumptions", "trajectories", "families", "baskets", "rebases")

#: What may be wrong in a row, as ``DataFrame.eval`` reads it; capitals are names of `agreement`.
_CHECKS = Path(__file__).with_name("checks.csv")
#: Which way is better; a polarity that is not stated compares nothing.
_BETTER = {"higher": 1, "lower": -1}


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
    for key in (*_ONE_KEY, *_TWO_KEYS):
        columns = list(TABLES[key])[: 2 if key in _TWO_KEYS else 1]
        text = register.texts[key]
        cells = text[columns].apply(lambda names: names.str.strip().str.casefold())
        if "period" in columns:
            # 2004/05 and its last quarter end on one day.
            of = text["measure"].map(register.measures["frequency"])
            periods = map(agreement.period_of, text["period"], of)
            cells = cells.assign(period=[period.end for period in periods])
        firsts = text.index.to_series().groupby([*cells.to_numpy().T]).transform("first")
        for number, row in text[cells.duplicated()].iterrows():
            remedy = f"Row {firsts[number]} has it already: remove or rename one."
            yield cell_error(f"register/{key}", row, columns[-1], "each only once", remedy)


def _settings(register: Register) -> Iterator[Finding]:
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


def _conditions(register: Register) -> Iterator[Finding]:
    """An error for each row that meets a condition of ``checks.csv``."""
    # Columns looked up once: DataFrame.eval would do so for each condition, in four times the time.
    frames = {name: dict(frame.items()) for name, frame in _frames(register).items()}
    names = vars(agreement) | {
        "references": [*register.tables["measures"]["reference"]],
        "kinds": [*register.tables["areas"]["kind"]],
        "with_points": [*register.tables["trajectories"]["measure"]],
    }
    for check in pd.read_csv(_CHECKS, keep_default_na=False).itertuples():
        columns, texts = frames[check.file], register.texts[check.file]
        for column in check.columns.split() if len(texts) else ():
            condition = check.wrong.format(column=column)
            wrong = pd.eval(condition, engine="python", resolvers=[columns, names])
            for _, row in texts[wrong].iterrows():
                expected = check.expected.format(share=register.settings.grant.trigger, **row)
                yield cell_error(f"register/{check.file}", row, column, expected, check.remedy)


def _frames(register: Register) -> dict[str, pd.DataFrame]:
    """The rows of each file, with what ``checks.csv`` asks of them beside their own columns."""
    tables, of_measure = register.tables, register.measures.add_prefix("measure_")
    measures, cells = tables["measures"], register.texts["measures"]
    # All measures of a target that count have a weight, or none.
    counts = (measures["role"] == "target") & (measures["rule"] == "level")
    weighted = (counts & measures["weight"].notna()).groupby(measures["reference"])
    commitments, rebases = tables["commitments"], tables["rebases"]
    days = zip(commitments["due_date"], commitments["due"], strict=True)
    return tables | {
        "measures": measures.assign(
            better=measures["polarity"].map(_BETTER),
            share=register.settings.grant.trigger,
            base_cell=cells["base"],
            # A trigger may be printed rounded.
            rounding=cells["trigger"].map(
                lambda cell: is_number(cell) * 0.5 / 10 ** decimals(cell)
            ),
            stated=measures[[*agreement.FIGURES, *PRINTED]].notna().any(axis=1),
            counts=counts,
            others_weighted=weighted.transform("any"),
            has_seasons=[_has_seasons(row) for _, row in measures.iterrows()],
        ),
        "commitments": commitments.join(of_measure, on="measure").assign(
            better=commitments["polarity"].map(_BETTER),
            fits_due=[pd.isna(day) or f"{day:%y}" in due for day, due in days],
        ),
        "rebases": rebases.join(of_measure, on="measure").assign(
            kind=[parse_period(period).kind for period in rebases["period"]]
        ),
        "baskets": tables["baskets"].join(of_measure, on="indicator"),
        "trajectories": tables["trajectories"].join(of_measure, on="measure"),
    }


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
        if not f"{row['measure']}-".startswith(f"{row['reference']}-"):
            yield problem("reference", "the reference that its name begins with")
        for column, at in agreement.PARSED_PERIODS.items():
            is_baseline = column == "baseline_period"
            if row[at] and (wrong := _wrong_kind(row[column], row["frequency"], is_baseline)):
                yield problem(column, wrong)
        if row["frequency"] == "several_years":
            lengths = {at.end.year - at.start.year for at in (due, baseline) if at}
            if due is None or len(lengths) > 1:
                yield problem("due", "as many years as each figure and the baseline have")
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


def _has_seasons(measure: pd.Series) -> bool:
    """Whether the path runs between figures that are of the same time of the year."""
    periods = [measure[at] for at in ("baseline_at", "due_at") if measure[at] is not None]
    months, of = {period.end.month for period in periods}, FREQUENCIES[measure["frequency"]]
    if measure["basis"] == "year_to_date":
        return of.per_year > 1 and months == {of.year_end}
    alike = len(months) <= 1 and all(period.kind == of.kind for period in periods)
    return of.per_year > 1 and measure["basis"] == "point" and alike


def _points(register: Register) -> Iterator[Finding]:
    """Points that are each on the way to the target of their measure."""
    of_measure = register.measures[["profile", "frequency", "baseline_at", "due_at"]]
    rows = register.tables["trajectories"].join(of_measure, on="measure")
    for number, row in rows[rows["profile"].isin(agreement.PROFILES_WITH_POINTS)].iterrows():
        expected = _wrong_kind(row["period"], row["frequency"])
        end = agreement.period_of(row["period"], row["frequency"]).end
        baseline, due = row["baseline_at"], row["due_at"]
        if not expected and ((due and end >= due.end) or (baseline and end <= baseline.end)):
            start = baseline or NOT_STATED
            expected = f"a period between the baseline's, {start}, and the due one, {due}"
        if expected:
            text = register.texts["trajectories"].loc[number]
            yield cell_error("register/trajectories", text, "period", expected)


CHECKS = (_unknown_names, _duplicates, _settings, _conditions, _assumptions, _each_measure, _points)
