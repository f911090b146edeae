"""The chart: a picture that carries its own words and numbers, and what all are drawn with.

Colours and style are the Government Analysis Function's (``afcharts``); none uses colour alone.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import numpy as np
import pandas as pd
from afcharts.af_colours import get_af_colours

from psa_analysis.findings import visible
from psa_analysis.show.tables import Html, table
from psa_analysis.words import figure_text

if TYPE_CHECKING:
    import matplotlib.axes

#: What is drawn into; matplotlib itself is imported where something is drawn, since it takes long.
Axes: TypeAlias = "matplotlib.axes.Axes"

BLUE, TEAL, PINK, ORANGE, GREY, _ = get_af_colours("categorical", number_of_colours=6)

#: A line of a path or a limit.
DASHED = (0, (5, 3))
#: Behind words that stand among lines.
BEHIND_WORDS: dict[str, Any] = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1}
#: How a figure is drawn that may still change.
HOLLOW: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 2}

#: Colour and marker of a state: at most four colours, and a shape for each.
STATE_MARKS = {
    "achieved": (BLUE, "P"),
    "on track": (BLUE, "o"),
    "partly achieved": (ORANGE, "D"),
    "at risk": (ORANGE, "^"),
    "missed": (PINK, "s"),
    "off track": (PINK, "X"),
}


@dataclass(frozen=True, repr=False, eq=False)
class Chart:
    """A picture with its alternative text, its numbers as a table, and its data."""

    draw: Callable[[Axes], None]  # draws it into any axes
    alt: str  # what kind of picture it is, of what, and its message
    data: pd.DataFrame  # the numbers drawn
    table: Html | None = None  # the same as a reader expects them, folded under the picture
    height: float = 4.2  # in inches
    #: Where the axes end, left, right, top and bottom, as shares of the picture.
    margins: tuple[float, float, float, float] = (0.1, 0.77, 0.95, 0.12)
    width: float = 8

    def __repr__(self) -> str:
        return self.alt

    @cached_property
    def svg(self) -> str:
        """The picture, the same bytes from the same numbers; text in it stays text."""
        with house_style():
            from matplotlib.figure import Figure

            figure = Figure(figsize=(self.width, self.height))
            left, right, top, bottom = self.margins
            figure.subplots_adjust(left, bottom, right, top)
            self.draw(figure.add_subplot())
            return _as_svg(figure)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        # The page template takes words and numbers from the metadata; in JupyterLab, where the
        # numbers are at hand as `table`, only the picture shows.
        alt, numbers = visible(self.alt), self.table.html if self.table else ""
        return (
            {"image/svg+xml": self.svg, "text/plain": alt},
            {"image/svg+xml": {"alt": alt, "numbers": numbers}},
        )


def figure(axes: Axes, alt: str, data: pd.DataFrame | Html | None = None) -> Chart:
    """An analyst's own picture, with its alternative text and its numbers in the exported page.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Any axes of the picture.
    alt : str
        What the picture shows, for those who cannot see it.
    data : pandas.DataFrame or table, optional
        Its numbers, as a reader expects them; they are folded under the picture.
    """
    import matplotlib.pyplot as plt

    drawn: Any = axes.get_figure()
    if isinstance(data, pd.DataFrame) and len(data):
        frame = data.reset_index() if any(data.index.names) else data
        caption = f"{alt.partition(':')[0].rstrip('.')}: the numbers"
        data = table(frame, caption, list(frame.select_dtypes("number")), folded=True)
    numbers = data if isinstance(data, Html) else None
    picture = Chart(lambda _: None, alt, pd.DataFrame(numbers and numbers.frame), numbers)
    with house_style():
        picture.__dict__["svg"] = _as_svg(drawn)
    plt.close(drawn)  # or the notebook would show it a second time
    return picture


def _as_svg(figure: Any) -> str:
    """A figure as SVG, the same bytes from the same numbers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = visible(buffer.getvalue())
    # Nothing in the file may point outside it.
    return svg.partition("<!DOCTYPE")[0] + svg.partition('dtd">\n')[2]


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, and leave no global state behind."""
    # Imported where something is drawn, so that words and tables do not wait for it.
    from matplotlib import style

    # Text stays text, ids stay the same and $ is no formula: equal numbers give equal bytes.
    own = {"svg.fonttype": "none", "svg.hashsalt": "psa", "font.size": 12, "text.parse_math": False}
    with warnings.catch_warnings(), style.context(["afcharts.afcharts", own]):
        # It is the reader's fonts that draw the text, and names too long for any layout are drawn
        # all the same; warnings would stand on the page.
        warnings.filterwarnings("ignore", "Glyph .* missing|constrained_layout not applied")
        yield


def note(axes: Axes, text: str, height: float = 0.5, **style: Any) -> None:
    """Words in the middle of a picture, at a share of its height."""
    axes.text(0.5, height, text, transform=axes.transAxes, ha="center", **style)


def only_words(text: str) -> Chart:
    """Instead of a picture of nothing."""

    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        note(axes, text, va="center")

    return Chart(draw, text, pd.DataFrame(), height=1)


#: What stands at the right edge: the value and day of a point, the text and the colour.
Labels = list[tuple[float, pd.Timestamp, str, str]]


def label_ends(axes: Axes, labels: Labels) -> None:
    """Labels at the right edge, moved apart where they would overlap."""
    room, height = 0.09 * np.ptp(axes.get_ylim()), -np.inf
    style: dict[str, Any] = {"textcoords": ("axes fraction", "data"), "annotation_clip": False}
    style |= {"va": "center", "fontsize": 11}
    for value, end, text, colour in sorted(labels):
        height = max(value, height + room)
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkB": 8}
        axes.annotate(text, (end, value), (1.02, height), color=colour, arrowprops=line, **style)


def finish_time_axes(axes: Axes, labels: Labels, unit: str) -> None:
    """Labels at the right edge, ends of financial years below, figures of the unit at the left."""
    from matplotlib.dates import DateFormatter, YearLocator

    label_ends(axes, labels)
    step = 2 if np.ptp(axes.get_xlim()) > 365 * 7 else 1
    axes.xaxis.set_major_locator(YearLocator(step, month=3, day=31))
    axes.xaxis.set_major_formatter(DateFormatter("Mar\n%Y"))
    axes.yaxis.set_major_formatter(lambda value, _: figure_text(value, unit))


def mark_beginning(axes: Axes, day: pd.Timestamp, text: str, **style: Any) -> None:
    """A line across a picture of time from where something new begins, with its name."""
    axes.axvline(day, color=GREY, linewidth=1)
    beside: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    axes.annotate(text, (day, 1), (4, -4), color=GREY, va="top", **beside, **style)


def picture_address(svg: str) -> str:
    """An address that holds the picture itself, half as long: without what no reader sees."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Not where a scale stands: its digits matter.
    places = r' (?:d|x|y|transform)="(?![^"]*(?:scale|matrix))[^"]*"'
    svg = re.sub(places, lambda place: re.sub(r"(\.\d)\d+", r"\1", place[0]), svg)
    svg = re.sub(r"font-family: [^;\"]*sans-serif;? ?", "", svg)
    fonts = "Arial, Liberation Sans, Helvetica, sans-serif"
    svg = svg.replace("<svg ", f'<svg style="font-family:{fonts};font-size:12px" ', 1)
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda name: name[0] if name[1] in used else "", svg)
    svg = re.sub(r' transform="rotate\(-?0 [^"]*"', "", svg)
    svg = re.sub(r' style="[^"]*"', lambda style: re.sub(r"(?<=[:;]) +", "", style[0]), svg)
    # Single quotes need no sign of their own in an address.
    svg = re.sub(r"<[^'>]*>", lambda tag: tag[0].replace('"', "'"), svg)
    # A mark has the strokes of its definition, and most words one size.
    styled = set(re.findall(r"<path id='([^']*)'[^>]* style='stroke", svg))

    def plain(use: re.Match[str]) -> str:
        return re.sub(r"stroke[\w-]*:[^;']*;?", "", use[0]) if use[1] in styled else use[0]

    svg = re.sub(r"<use xlink:href='#([\w-]+)'[^>]*>", plain, svg)
    svg = svg.replace("font-size:12px;", "")
    svg, groups = " ".join(svg.split()).replace("> <", "><"), 1
    while groups:
        svg, groups = re.subn(r"<g>((?:(?!<g[ >]|</g>).)*)</g>", r"\1", svg)
    return "data:image/svg+xml," + quote(svg, safe=" /:;=,()!*+@?$[]{}~-_.'")
