"""Commentary: what people say about a measure or the agreement, for one report each."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from psa_analysis.files import meanings, read_rows
from psa_analysis.findings import Finding, did_you_mean, one_of
from psa_analysis.periods import parse_period, read_day
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.rows import Reader, choice, filled, typed

NAME = "raw/commentary.csv"

#: What an entry about no single measure is about.
WHOLE = "agreement"

#: What may be left out: an entry is for the council alone unless it says otherwise.
_LEFT_OUT = {"audience": "internal", "illustrative": "no"}


def _day(text: str) -> date:
    day = read_day(text)
    if day is None:
        raise ValueError("a day such as 2005-02-21", "Give the day on which it was written.")
    return day


def load_commentary(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Read and check the commentary."""
    text, findings = read_rows(agreement.folder, NAME, list(meanings("commentary")), _LEFT_OUT)
    text = text.apply(lambda cells: cells.str.strip())
    known = [WHOLE, *agreement.measures.index]

    def about(name: str) -> str:
        if name not in known:
            raise ValueError(one_of(known), did_you_mean(name, known))
        return name

    readers: dict[str, Reader] = {
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
    return table.sort_values("written", kind="stable", ignore_index=True), findings


def entries(commentary: pd.DataFrame, about: str, period: str, audience: str) -> pd.DataFrame:
    """What was said about one thing for one report, the oldest first."""
    shown = commentary["audience"].isin(["public", audience])
    rows = (commentary["about"] == about) & (commentary["period"] == period) & shown
    return commentary[rows].reset_index(drop=True)
