"""Loading an agreement: its settings and register, read, typed and checked, and commentary."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, Field, model_validator

from psa_analysis.files import meanings, read_rows, read_settings
from psa_analysis.findings import DataError, Finding, did_you_mean, grouped, one_of
from psa_analysis.periods import Period, parse_period, read_day
from psa_analysis.register.agreement import BLANK, FIGURES, Agreement, period_of, with_parsed
from psa_analysis.register.checks import CHECKS
from psa_analysis.register.rows import TABLES, Register, choice, filled, is_number, typed

#: What an entry about no single measure is about.
WHOLE = "agreement"

Words = Annotated[str, AfterValidator(filled)]
Year = Annotated[str, AfterValidator(lambda text: parse_period(text, "financial_year").label)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareAboveZero = Annotated[float, Field(gt=0, le=1)]
Pounds = Annotated[float, Field(ge=0)]
NotStated = Literal["not stated"]
StatedPounds = Annotated[float, Field(gt=0, lt=1e15)] | NotStated
StatedNumber = Annotated[int, Field(gt=0)] | NotStated


class _Section(BaseModel, extra="forbid", frozen=True):
    """What no section names is refused."""


class _Agreement(_Section):
    name: Words
    council: Words
    area: Words
    first_year: Year
    last_year: Year

    @cached_property
    def begins(self) -> date:
        """The agreement's first day."""
        return parse_period(self.first_year).start

    @cached_property
    def last(self) -> Period:
        """The agreement's last year."""
        return parse_period(self.last_year)

    @model_validator(mode="after")
    def _in_order(self) -> _Agreement:
        if self.last.start < self.begins:
            raise ValueError("last_year not to come before first_year")
        return self


class _Calendar(_Section):
    cut_off_days: Annotated[int, Field(ge=0, le=366)] = 45


class StatesSection(_Section):
    """``[states]``: chances, or shares of the planned path, that divide the states."""

    on_track: ShareAboveZero = 0.6
    at_risk: Share = 0.25
    path_on_track: ShareAboveZero = 0.95
    path_at_risk: Share = 0.6

    @model_validator(mode="after")
    def _in_order(self) -> StatesSection:
        if self.at_risk > self.on_track:
            raise ValueError("at_risk to be no more than on_track")
        if self.path_at_risk > self.path_on_track:
            raise ValueError("path_at_risk to be no more than path_on_track")
        return self


class _Grant(_Section):
    trigger: ShareAboveZero = 0.6
    pot: StatedPounds = "not stated"
    targets: StatedNumber = "not stated"
    net_budget_requirement: StatedPounds = "not stated"
    share_of_budget: ShareAboveZero = 0.025
    population: StatedNumber = "not stated"
    pump_priming: Pounds = 750_000
    pump_priming_per_head: Pounds = 1
    instalments: Annotated[int, Field(ge=1, le=10)] = 2
    on_account: Share = 0.2
    capital_share: Share | NotStated = "not stated"

    @model_validator(mode="after")
    def _one_pot(self) -> _Grant:
        if "not stated" not in (self.pot, self.net_budget_requirement):
            raise ValueError("pot or net_budget_requirement, not both")
        return self


class _Disclosure(_Section):
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


class _Document(_Section):
    title: Words
    author: Words
    date: Words


class Settings(_Section):
    """``agreement.toml``, section by section."""

    agreement: _Agreement
    calendar: _Calendar = _Calendar()
    states: StatesSection = StatesSection()
    grant: _Grant = _Grant()
    disclosure: _Disclosure = _Disclosure()
    effectiveness: EffectivenessSection | None = None
    partners: dict[str, str] = {}
    themes: dict[str, str]
    objectives: dict[str, str] = {}
    topics: dict[str, list[str]] = {}
    documents: dict[str, _Document] = {}


def load_agreement(folder: Path) -> Agreement:
    """Read and check an agreement's settings and register."""
    settings = _read_settings(folder)
    problems: list[Finding] = []
    tables: dict[str, pd.DataFrame] = {}
    texts: dict[str, pd.DataFrame] = {}
    for key, columns in TABLES.items():
        file = f"raw/register/{key}.csv"
        left_out = {name: of.left_out for name, of in columns.items() if of.left_out is not None}
        # Of the other files no row says the same as no file.
        needed = key in ("targets", "measures")
        text, unread = read_rows(folder, file, list(columns), left_out, needed)
        if key == "areas" and not (folder / file).exists():
            # An agreement of one place needs no list of them.
            text.loc[0] = [settings.agreement.area, "council", ""]
        readers = {name: column.read for name, column in columns.items()}
        tables[key], findings = typed(text, readers, f"register/{key}")
        texts[key] = text
        problems += [*unread, *findings]
    # The cross-checks need every file; with one of them unreadable they would only add noise.
    if not problems:
        tables["measures"] = with_parsed(tables["measures"])
        register = Register(settings, tables, texts)
        for check in CHECKS:
            problems += check(register)
    if problems:
        raise DataError(grouped(problems))
    measures = tables["measures"]
    derived = _derived(tables, texts["measures"], Fraction(str(settings.grant.trigger)))
    tables["assumptions"] = pd.concat([tables["assumptions"], derived], ignore_index=True)
    reasons = tables["assumptions"].set_index(["item", "column"])["status"].to_dict()
    for figure in FIGURES:
        measures[f"{figure}_status"] = [
            reasons.get((measure, figure), cell if cell in BLANK else "stated")
            for measure, cell in zip(measures["measure"], texts["measures"][figure], strict=True)
        ]
    measures.loc[measures["rule"] != "level", "without_status"] = ""  # only a level is rewarded
    measures["decimals"] = register.printed_decimals
    measures["points"] = _points(measures, tables["trajectories"])
    measures["seasons"] = [()] * len(measures)
    for key in ("targets", "measures", "commitments"):
        tables[key] = tables[key].set_index(next(iter(TABLES[key])))
    return Agreement(folder=folder, settings=settings, **tables)


def _read_settings(folder: Path) -> Settings:
    name = "raw/agreement.toml"
    if not os.path.lexists(folder / name):
        about = ("the agreement's settings", "Name the folder that holds raw/agreement.toml.")
        raise DataError([Finding("error", name, *about, found=str(folder / name))])
    remedy = "Mend it; docs/register.md describes each setting."
    return read_settings(folder / name, folder, name, Settings, remedy)


def _derived(tables: dict[str, pd.DataFrame], texts: pd.DataFrame, share: Fraction) -> pd.DataFrame:
    """Figures that follow from others and no row explains; fills in what follows from a trigger."""
    measures, assumptions = tables["measures"], tables["assumptions"]
    explained = {*zip(assumptions["item"], assumptions["column"], strict=True)}
    found: dict[tuple[str, str], str] = {}
    for number, row in measures.iterrows():
        if pd.isna(row["without"]) and pd.notna(row["trigger"]):
            trigger, target = Fraction(str(row["trigger"])), Fraction(str(row["target"]))
            measures.loc[number, "without"] = float((trigger - share * target) / (1 - share))
            found[row["measure"], "without"] = f"from the trigger {row['trigger']:.10g}, as printed"
        for figure, text in texts.loc[number, FIGURES].items():
            if text not in BLANK and not is_number(text):
                found[row["measure"], figure] = text
    rows = [(*key, "derived", rule, "high", "high") for key, rule in found.items()]
    rows = [row for row in rows if row[:2] not in explained]
    return pd.DataFrame(rows, columns=list(TABLES["assumptions"]))


def _points(measures: pd.DataFrame, trajectories: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Last day and value of the points of each measure, in order."""
    rows = trajectories.merge(measures[["measure", "frequency"]])
    rows["end"] = [period_of(*row).end for row in rows[["period", "frequency"]].values]
    paths = [rows.loc[rows["measure"] == name, ["end", "value"]] for name in measures["measure"]]
    return [tuple(sorted(path.itertuples(index=False, name=None))) for path in paths]


def _day(text: str) -> date:
    if (day := read_day(text)) is None:
        raise ValueError("a day such as 2005-02-21", "Give the day on which it was written.")
    return day


def load_commentary(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Read and check the commentary."""
    # An entry is for the council alone unless it says otherwise.
    left_out = {"audience": "internal", "illustrative": "no"}
    columns = list(meanings("commentary"))
    text, findings = read_rows(agreement.folder, "raw/commentary.csv", columns, left_out)
    text = text.apply(lambda cells: cells.str.strip())
    known = [WHOLE, *agreement.measures.index]

    def about(name: str) -> str:
        if name not in known:
            raise ValueError(one_of(known), did_you_mean(name, known))
        return name

    readers: dict[str, Any] = {
        "about": about,
        "period": lambda text: parse_period(text, "quarter").label,
        "written": _day,
        "author": filled,
        "audience": choice("internal", "public", ""),
        "text": filled,
        "illustrative": choice("yes", "no", ""),
    }
    table, unread = typed(text, readers, "commentary")
    for finding in unread:
        name = text.at[finding.row, "about"]
        findings.append(replace(finding, measure=name if name in known else None))
    table["written"] = table["written"].astype("datetime64[ns]")
    table["audience"] = table["audience"].replace("", "internal")
    table["illustrative"] = table["illustrative"] == "yes"
    return table.sort_values("written", kind="stable", ignore_index=True), grouped(findings)


def entries(commentary: pd.DataFrame, about: str, period: str, audience: str) -> pd.DataFrame:
    """What was said about one thing for one report, the oldest first."""
    shown = commentary["audience"].isin(["public", audience])
    rows = (commentary["about"] == about) & (commentary["period"] == period) & shown
    return commentary[rows].reset_index(drop=True)
