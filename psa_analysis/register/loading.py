"""Loading an agreement: its settings and register are read, typed and checked.

An agreement is a folder of plain files; nothing here is known about any one council.
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from psa_analysis.files import read_table
from psa_analysis.findings import DataError, Finding
from psa_analysis.register.agreement import Agreement, period_of, with_parsed
from psa_analysis.register.checks import CHECKS
from psa_analysis.register.measure_checks import MEASURE_CHECKS
from psa_analysis.register.rows import FIGURES, OWN_DECISION, TABLES, Points, Register, Row
from psa_analysis.register.settings import Settings
from psa_analysis.words import NOT_STATED

#: Files that must be there; of the others no row says the same as no file.
_NEEDED = {"targets", "measures"}

#: Columns that a file may leave out, and what stands in every row then.
_LEFT_OUT: dict[str, dict[str, str]] = {
    "targets": {
        **dict.fromkeys(("rationale", "partners", "document"), ""),
        **dict.fromkeys(("description", "location"), NOT_STATED),
    },
    "measures": {
        "role": "target",
        "basis": "point",
        "frequency": "annual",
        **dict.fromkeys(("definition", "objective", "baseline", "baseline_period"), NOT_STATED),
        **dict.fromkeys(("made_of", "base", "profile", "weight", "interim", "interim_period"), ""),
        **dict.fromkeys(("parts", "continues", "comparator", "partner", "document"), ""),
        "location": NOT_STATED,
    },
    "rebases": {"document": OWN_DECISION, "location": ""},
}


def load_agreement(folder: Path) -> Agreement:
    """Read and check an agreement's settings and register."""
    problems: list[Finding] = []
    settings: Settings | None = None
    try:
        settings = _read_settings(folder / "raw" / "agreement.toml")
    except DataError as error:
        problems += error.findings
    tables: dict[str, pd.DataFrame] = {}
    texts: dict[str, pd.DataFrame] = {}
    for key, (name, model) in TABLES.items():
        columns = list(model.model_fields)
        try:
            if key not in _NEEDED and not (folder / name).exists():
                texts[key] = pd.DataFrame(columns=columns, dtype=str)
            else:
                texts[key] = read_table(folder / name, name, columns, _LEFT_OUT.get(key))
            tables[key] = _typed(texts[key], model, name)
        except DataError as error:
            problems += error.findings
    if settings is not None and "areas" in texts and texts["areas"].empty:
        # An agreement of one place needs no list of them.
        only = pd.DataFrame(
            [[settings.agreement.area, "council", ""]], columns=["area", "kind", "part_of"]
        )
        texts["areas"] = tables["areas"] = only
    # The cross-checks need every file; with one of them unreadable they would only add noise.
    if settings is not None and not problems:
        register = Register(settings, tables, texts)
        for check in (*CHECKS, *MEASURE_CHECKS):
            problems += check(register)
    if problems:
        raise DataError(problems)
    assert settings is not None
    measures = _with_statuses(tables["measures"], texts["measures"], tables["assumptions"])
    measures["points"] = _points(measures, tables["trajectories"])
    measures["seasons"] = [()] * len(measures)
    tables["measures"] = with_parsed(measures)
    indexed = {"targets": "reference", "measures": "measure", "commitments": "commitment"}
    for key, column in indexed.items():
        tables[key] = tables[key].set_index(column)
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
        raise DataError(
            [
                problem(
                    _expected(detail),
                    "Correct the setting.",
                    column=".".join(map(str, detail["loc"])),
                    found=_found(detail),
                )
                for detail in error.errors()
            ]
        ) from None


def _typed(text: pd.DataFrame, model: type[Row], name: str) -> pd.DataFrame:
    """Each row typed by its model; the index stays the row of the file."""
    rows, problems = [], []
    for number, record in text.to_dict("index").items():
        try:
            rows.append(dict(model.model_validate(record)))
        except ValidationError as error:
            problems += [
                Finding(
                    "error",
                    name,
                    _expected(detail),
                    "Correct the cell.",
                    row=int(str(number)),
                    column=str(detail["loc"][0]),
                    found=_found(detail),
                )
                for detail in error.errors()
            ]
    if problems:
        raise DataError(problems)
    return pd.DataFrame(rows, columns=list(model.model_fields), index=text.index)


def _expected(detail: Any) -> str:
    """What pydantic expected, in the words of a finding."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"]).rpartition("expected ")[2]
        case "literal_error":
            return f"one of {context['expected']}"
        case "string_pattern_mismatch":
            return _PATTERNS[context["pattern"]]
        case "string_too_short":
            return "some text"
        case "missing":
            return "the setting to be there"
        case "extra_forbidden":
            return "a known setting"
        case _:
            return str(detail["msg"])


_PATTERNS = {
    r"^[A-Z]\d+$": "a reference such as N2",
    r"^[A-Z]\d+(-[a-z0-9]+)*$": "a measure such as N2 or L4-repeat",
    r"^[A-Z]{2}\d+[a-z]?$": "a commitment such as ED1a",
}


def _found(detail: Any) -> str | None:
    return None if detail["type"] == "missing" else str(detail["input"])


def _with_statuses(
    measures: pd.DataFrame, text: pd.DataFrame, assumptions: pd.DataFrame
) -> pd.DataFrame:
    """Floats for the figures, with a status column beside each; NaN where there is none."""
    measures = measures.copy()
    reasons = assumptions.set_index(["item", "column"])["status"].to_dict()
    for figure in FIGURES:
        measures[figure] = measures[figure].astype(float)
        measures[f"{figure}_status"] = [
            cell if cell in ("", NOT_STATED) else reasons.get((measure, figure), "stated")
            for measure, cell in zip(measures["measure"], text[figure], strict=True)
        ]
    for column in ("weight", "interim"):
        measures[column] = measures[column].astype(float)
    return measures


def _points(measures: pd.DataFrame, trajectories: pd.DataFrame) -> list[Points]:
    """Last day and value of the points of each measure, in order."""
    frequencies = measures.set_index("measure")["frequency"]
    points: dict[str, list[tuple[date, float]]] = {name: [] for name in frequencies.index}
    for row in trajectories.itertuples():
        end = period_of(row.period, frequencies[row.measure]).end
        points[row.measure].append((end, float(row.value)))
    return [tuple(sorted(path)) for path in points.values()]
