"""Pieces of a page, as accessible HTML with a text twin: words, and tables made from columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from psa_analysis.files import meanings
from psa_analysis.findings import visible
from psa_analysis.words import NOT_STATED, chance_text, figure_text, range_text

TEMPLATES = Path(__file__).parent / "templates"
#: A sign beside each state, so that it is never told by colour alone.
STATE_SIGNS = meanings("signs of states")


@dataclass(frozen=True)
class Html:
    """A piece of a page: HTML for readers, the same in plain text for everything else."""

    html: str = field(repr=False)
    text: str
    frame: pd.DataFrame | None = field(default=None, repr=False)  # of a table

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        # HTML of our own was made so already, and is of a type of its own.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """HTML from a template of the package; every text that it is given is escaped and visible."""
    return _templates().get_template(f"{template}.html.j2").render(values, signs=STATE_SIGNS)


def table(
    frame: pd.DataFrame, caption: str, numeric: Sequence[str] = (), folded: bool = False
) -> Html:
    """An accessible table: caption, column headings and row headings with their scope."""
    if frame.empty:
        return sentence(f"{caption}: none.")
    cells = frame.to_numpy(dtype=object, copy=True)
    cells[frame.isna().to_numpy()] = "–"
    columns, rows = list(frame.columns), [[*map(str, row)] for row in cells.tolist()]
    shown = {"caption": caption, "columns": columns, "rows": rows, "folded": folded}
    html = render("table", **shown, numeric=set(numeric))
    lines = pd.DataFrame([columns, *rows])
    # Tabs, so that the text does not depend on the width of whoever's terminal.
    text = lines.to_csv(sep="\t", header=False, index=False, lineterminator="\n")
    return Html(html, f"{caption}\n{text}".rstrip(), frame)


@dataclass(frozen=True)
class Column:
    """How one column of a table is headed, how its cells read, and whether they are numbers."""

    heading: str
    #: The column of the rows, or what a cell says of its row; by default the heading's own.
    cell: str | Callable[[pd.Series], object] = ""
    numeric: bool = False

    @classmethod
    def number(cls, heading: str, cell: str | Callable[[pd.Series], object] = "") -> "Column":
        """A column of numbers."""
        return cls(heading, cell, numeric=True)

    @classmethod
    def figure(cls, heading: str, name: str = "", unit: str = "") -> "Column":
        """A column of figures, each with the decimals and the sign of its unit, else its row's."""
        name = name or _column_of(heading)
        return cls.number(heading, lambda row: figure_text(row[name], unit or row))

    @classmethod
    def between(cls, heading: str, low: str, high: str) -> "Column":
        """A column of ranges from one figure to another; a dash where there is none."""

        def cell(row: pd.Series) -> str:
            ends = [figure_text(row[name], row) for name in (low, high)]
            return "–" if pd.isna(row[low]) else " to ".join(ends)

        return cls.number(heading, cell)

    @classmethod
    def share(cls, heading: str, low: str, high: str, decimals: int = 0) -> "Column":
        """A column of shares in per cent, from one to another where they differ."""
        return cls.number(heading, lambda row: range_text(row[low], row[high], decimals))

    @classmethod
    def chance(cls, heading: str, name: str) -> "Column":
        """A column of chances."""
        return cls.number(heading, lambda row: chance_text(row[name]))

    def cells(self, rows: pd.DataFrame) -> list[object]:
        """What each row shows in this column."""
        if callable(self.cell):
            return [self.cell(row) for _, row in rows.iterrows()]
        return rows[self.cell or _column_of(self.heading)].tolist()


def _column_of(heading: str) -> str:
    return heading.lower().replace(" ", "_")


def columns_frame(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The cells of a table as a reader sees them; what a chart shows as its numbers."""
    cells = {column.heading: column.cells(rows) for column in columns}
    return pd.DataFrame(cells, index=rows.index, dtype=object)


def rows_table(
    rows: pd.DataFrame, columns: Sequence[Column], caption: str, folded: bool = False
) -> Html:
    """An accessible table of rows, each shown by the columns."""
    numeric = [column.heading for column in columns if column.numeric]
    return table(columns_frame(rows, columns), caption, numeric, folded)


def sentence(text: str) -> Html:
    """A paragraph of words."""
    return Html(render("words", text=text), text)


def title_text(row: pd.Series) -> str:
    """The title of a row of the assessment, with the unit where the figures do not carry it."""
    carried = row["unit"] in ("percent", "percent change", "index", NOT_STATED)
    return str(row["title"]) if carried else f"{row['title']}, {row['unit']}"


def state_cell(row: pd.Series) -> str:
    """The state of a row of the assessment, marked if it is a forecast."""
    state = str(row["state"])
    return f"{state} (forecast)" if row["is_forecast"] and state in STATE_SIGNS else state


#: What stands beside a figure that is not final, or not as stated.
MARKS = {s: f" [{s[0]}]" for s in ("provisional", "revised", "estimated", "assumed", "derived")}


def illustrative_mark(rows: pd.DataFrame) -> str:
    """A mark for captions of tables in which something is made up."""
    return " (illustrative)" if rows["illustrative"].any() else ""
