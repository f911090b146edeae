"""Links: which targets the agreement joins, and how measures go together because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def linked(row: pd.Series, topics: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """The pairs of references that a link is about: a topic stands for several."""
    others = topics.get(row["linked_to"], [row["linked_to"]])
    return [(row["reference"], other) for other in others if other != row["reference"]]


def correlation_matrix(
    references: Sequence[str],
    links: pd.DataFrame,
    topics: Mapping[str, Sequence[str]],
    every: float | None = None,
) -> Floats:
    """How measures go together, by the links between the targets that they belong to."""
    matrix = np.eye(len(references))
    for _, row in links.iterrows():
        strength = row["correlation"] if every is None else every
        if pd.isna(strength):
            continue
        for one, other in linked(row, topics):
            here = [place for place, name in enumerate(references) if name == one]
            there = [place for place, name in enumerate(references) if name == other]
            for first in here:
                matrix[first, there] = matrix[there, first] = float(strength)
    return matrix


def held_together(matrix: Floats) -> float:
    """The largest share, up to 1, of all correlations that a joint distribution can have.

    A matrix of correlations R holds if no eigenvalue is below 0; that of I + s (R - I) is
    1 + s times one of R - I.
    """
    least = float(np.linalg.eigvalsh(matrix - np.eye(len(matrix))).min()) if len(matrix) else 0.0
    return min(1.0, -1 / least) if least < -1 - 1e-12 else 1.0
