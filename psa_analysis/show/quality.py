"""Quality: what came in and from where, what is late or doubtful, corrected or revised."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.comparison import revised_figures
from psa_analysis.findings import COLUMNS, to_frame
from psa_analysis.periods import period_containing
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psa_analysis.findings import Finding
    from psa_analysis.register.agreement import Agreement


def findings_by_partner(findings: Iterable[Finding], agreement: Agreement) -> pd.DataFrame:
    """The findings with the partner whom each is for, sorted so that each can be sent its own.

    The partner is the one who returns the measure, or else the one that the file is named for;
    empty where neither says.
    """
    table = to_frame(findings)
    partners = agreement.settings.partners
    by_measure = table["measure"].map(agreement.measures["partner"]).fillna("")
    stems = table["file"].map(lambda name: PurePosixPath(name).name.casefold().replace("_", "-"))
    by_file = stems.map(lambda stem: next((name for name in partners if stem.startswith(name)), ""))
    table.insert(0, "partner", by_measure.where(by_measure != "", by_file))
    order = {partner: number for number, partner in enumerate([*partners, ""])}
    rank = table["partner"].map(order)
    return table.iloc[np.lexsort([table.index, rank])].reset_index(drop=True)[["partner", *COLUMNS]]


def revised_since(report: Report) -> pd.DataFrame:
    """Figures of the agreement's area that have changed since the quarter before."""
    earlier = period_containing(report.period.start - timedelta(days=1), "quarter")
    days = timedelta(days=report.agreement.settings.calendar.cut_off_days)
    known_before = as_of(report.observations, earlier.end + days)
    return revised_figures(known_before, report.known, report.readings, report.agreement)
