"""Quality: what to ask the partners."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.files import meanings

if TYPE_CHECKING:
    from psa_analysis.findings import Finding
    from psa_analysis.register.agreement import Agreement


def findings_by_partner(findings: Iterable[Finding], agreement: Agreement) -> pd.DataFrame:
    """The findings with the partner whom each is for, sorted so that each can be sent its own.

    The partner is the one who returns the measure, or else the one that the file is named for;
    empty where neither says. Each row is indexed by the finding's place among those given.
    """
    columns = meanings("findings")
    table = pd.DataFrame([*findings], columns=[*columns, "also"]).astype({"row": "Int64"})
    table["count"] = 1 + table["also"].str.len().astype(int)
    partners = agreement.settings.partners
    by_measure = table["measure"].map(agreement.measures["partner"]).fillna("")
    stems = table["file"].map(lambda name: PurePosixPath(name).name.casefold().replace("_", "-"))
    by_file = stems.map(lambda stem: next((name for name in partners if stem.startswith(name)), ""))
    table["partner"] = by_measure.where(by_measure != "", by_file)
    order = {partner: number for number, partner in enumerate([*partners, ""])}
    rank = table["partner"].map(order)
    return table.iloc[np.lexsort([table.index, rank])][list(columns)]
