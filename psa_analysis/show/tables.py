"""The table: pieces of a page, and the tables that everything is shown in.

Everything is plain accessible HTML with a text twin, so that it reads the same in JupyterLab,
in the exported page, through a screen reader and to nbval.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from psa_analysis.findings import visible
from psa_analysis.words import NOT_STATED, STATE_SIGNS

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Html:
    """A piece of a page: HTML for readers, the same in plain text for everything else."""

    html: str = field(repr=False)
    text: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


@cache
def templates() -> jinja2.Environment:
    """The package's templates; everything that they are given is escaped and visible."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        # HTML of our own was made so already, and is of a type of its own.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def table(
    frame: pd.DataFrame, caption: str, numeric: Sequence[str] = (), folded: bool = False
) -> Html:
    """An accessible table: caption, column headings and row headings with their scope."""
    if frame.empty:
        return sentence(f"{caption}: none.")
    cells = frame.to_numpy(dtype=object, copy=True)
    cells[frame.isna().to_numpy()] = "–"
    columns, rows = list(frame.columns), [[*map(str, row)] for row in cells.tolist()]
    html = (
        templates()
        .get_template("table.html.j2")
        .render(
            caption=caption,
            columns=columns,
            rows=rows,
            numeric=set(numeric),
            folded=folded,
            signs=STATE_SIGNS,
        )
    )
    text = io.StringIO()
    # Tabs, so that the text does not depend on the width of whoever's terminal.
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([columns, *rows])
    return Html(html, f"{caption}\n{text.getvalue()}".rstrip())


def sentence(text: str) -> Html:
    """A paragraph of words."""
    return Html(templates().get_template("words.html.j2").render(text=text), text)


def titled(rows: pd.DataFrame) -> pd.Series:
    """Titles of the assessment's rows, with the unit where the figures do not carry it."""
    carried = rows["unit"].isin(["percent", "percent change", "index", NOT_STATED])
    return rows["title"] + (", " + rows["unit"]).where(~carried, "")


def states_shown(rows: pd.DataFrame) -> list[str]:
    """States of the assessment's rows, those marked that are forecasts."""
    return [
        state + (" (forecast)" if forecast and state in STATE_SIGNS else "")
        for state, forecast in zip(rows["state"], rows["is_forecast"], strict=True)
    ]


def illustrative_mark(rows: pd.DataFrame, what: str = "") -> str:
    """A mark for captions of tables in which something is made up."""
    return f" ({what}illustrative)" if rows["illustrative"].any() else ""
