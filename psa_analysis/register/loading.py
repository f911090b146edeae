"""Loading an agreement: its settings and register are read, typed and checked."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from psa_analysis.files import read_rows
from psa_analysis.findings import DataError, Finding
from psa_analysis.register.agreement import BLANK, Agreement, period_of, with_parsed
from psa_analysis.register.checks import CHECKS
from psa_analysis.register.rows import FIGURES, PRINTED, TABLES, Register, is_number, typed
from psa_analysis.register.settings import Settings

#: What pydantic says in other words than a finding.
_EXPECTED = {"missing": "the setting to be there", "extra_forbidden": "a known setting"}


def load_agreement(folder: Path) -> Agreement:
    """Read and check an agreement's settings and register."""
    settings = _read_settings(folder / "raw" / "agreement.toml")
    problems: list[Finding] = []
    tables: dict[str, pd.DataFrame] = {}
    texts: dict[str, pd.DataFrame] = {}
    for key, columns in TABLES.items():
        file = f"raw/register/{key}.csv"
        left_out = {
            name: column.left_out for name, column in columns.items() if column.left_out is not None
        }
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
        raise DataError(problems)
    measures = tables["measures"]
    derived = _derived(tables, texts["measures"], Fraction(str(settings.grant.trigger)))
    tables["assumptions"] = pd.concat([tables["assumptions"], derived], ignore_index=True)
    reasons = tables["assumptions"].set_index(["item", "column"])["status"].to_dict()
    for figure in FIGURES:
        measures[f"{figure}_status"] = [
            reasons.get((measure, figure), cell if cell in BLANK else "stated")
            for measure, cell in zip(measures["measure"], texts["measures"][figure], strict=True)
        ]
    printed = texts["measures"][PRINTED]
    decimals = printed.map(lambda cell: len(cell.partition(".")[2]) if is_number(cell) else 0)
    measures["decimals"] = decimals.max(axis=1)
    measures["points"] = _points(measures, tables["trajectories"])
    measures["seasons"] = [()] * len(measures)
    for key in ("targets", "measures", "commitments"):
        tables[key] = tables[key].set_index(next(iter(TABLES[key])))
    return Agreement(folder=folder, settings=settings, **tables)


def _read_settings(path: Path) -> Settings:
    problem = partial(Finding, "error", "raw/agreement.toml")
    if not path.is_file():
        remedy = "Name the folder that holds raw/agreement.toml."
        raise DataError([problem("the agreement's settings", remedy, found=str(path))])
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError([problem("TOML in UTF-8", "Mend that line.", found=str(error))]) from None
    except ValidationError as error:
        # A number or 'not stated' is two errors to pydantic, and one thing to mend.
        wrong: dict[str, list[Any]] = {}
        for detail in error.errors():
            place = detail["loc"][: 3 if detail["loc"][0] == "documents" else 2]
            wrong.setdefault(".".join(map(str, place)), []).append(detail)
        findings = []
        for column, details in wrong.items():
            plain = (it["msg"].removeprefix("Input should be ") for it in details)
            plain = (
                text.removeprefix("Value error, ").rpartition("expected ")[2] for text in plain
            )
            kinds = zip((it["type"] for it in details), plain, strict=True)
            expected = " or ".join(_EXPECTED.get(kind, text) for kind, text in kinds)
            found = None if details[0]["type"] == "missing" else str(details[0]["input"])
            findings.append(problem(expected, "Correct the setting.", column=column, found=found))
        raise DataError(findings) from None


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
