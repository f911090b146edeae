"""Data quality: findings by partner, what was corrected, what was revised and what that changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from psa_analysis.analysis.readings import make_readings, splice, with_compared
from psa_analysis.findings import COLUMNS, Finding, to_frame
from psa_analysis.periods import period_containing
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of


def findings_by_partner(findings: Iterable[Finding], agreement: Agreement) -> pd.DataFrame:
    """The findings with the partner whom each is for, sorted so that each can be sent its own.

    The partner is the one who returns the measure, or else the one that the file is named for;
    empty where neither says.
    """
    table = to_frame(findings)
    partners = agreement.settings.partners
    by_measure = table["measure"].map(agreement.measures["partner"]).fillna("")
    stems = table["file"].map(lambda name: PurePosixPath(name).name.casefold().replace("_", "-"))
    by_file = stems.map(lambda stem: next((one for one in partners if stem.startswith(one)), ""))
    table.insert(0, "partner", by_measure.where(by_measure != "", by_file))
    order = {partner: number for number, partner in enumerate([*partners, ""])}
    rank = table["partner"].map(order)
    return table.iloc[np.lexsort([table.index, rank])].reset_index(drop=True)[["partner", *COLUMNS]]


def corrections_applied(report: Report) -> pd.DataFrame:
    """The corrected figures among those that the report knew."""
    known = report.known
    corrected = known[known["correction"] != ""]
    return corrected[["measure", "area", "period", "value", "correction", "file"]].reset_index(
        drop=True
    )


def revisions(report: Report) -> pd.DataFrame:
    """Figures of the agreement's area that have changed since the report before."""
    agreement = report.agreement
    earlier = period_containing(report.period.start - timedelta(days=1), "quarter")
    days = timedelta(days=agreement.settings.calendar.cut_off_days)
    key = ["measure", "area", "period"]
    then = as_of(report.observations, earlier.end + days)
    now = report.known
    both = then.merge(now, on=key, suffixes=("_before", ""))
    both = both[both["area"] == agreement.settings.agreement.area]
    changed = both[both["value_before"].notna() & (both["value_before"] != both["value"])]
    table = changed[[*key, "value_before", "value", "flag"]]
    table = table.rename(columns={"value_before": "before", "value": "now"})
    needed = then["measure"].isin(with_compared(table["measure"], agreement))
    read_then = make_readings(then[needed], agreement)
    for name, read in (("before", read_then), ("now", report.readings)):
        found = read[[*key, "reading"]].rename(columns={"reading": f"reading_{name}"})
        table = table.merge(found, on=key, how="left")
    return table.drop(columns="area").reset_index(drop=True)


def definition_breaks(report: Report) -> pd.DataFrame:
    """Measures that continue another under a new definition, and how the two can be joined."""
    measures = report.agreement.measures["continues"]
    read = report.readings[report.readings["reading"].notna()]
    rows = []
    for measure, older in measures[measures != ""].items():
        new, old = (
            read[read["measure"] == name].set_index(["area", "period"])["reading"]
            for name in (measure, older)
        )
        for area in [area for area in new.index.unique(0) if area in old.index.unique(0)]:
            try:
                _, method = splice(old[area], new[area])
            except ValueError as error:
                method = str(error).capitalize() + "."
            rows.append((measure, older, area, method))
    return pd.DataFrame(rows, columns=["measure", "continues", "area", "method"])


def returns_received(report: Report) -> pd.DataFrame:
    """What had come in by the cut-off: per file its rows, measures, newest period and last day."""
    known = report.observations
    known = known[known["received"] <= pd.Timestamp(report.cut_off)]
    newest = known.sort_values("period_end").groupby("file", sort=True, observed=True)
    return newest.agg(
        rows=("row", "size"),
        measures=("measure", "nunique"),
        newest=("period", "last"),
        received=("received", "max"),
        illustrative=("illustrative", "any"),
    ).reset_index()
