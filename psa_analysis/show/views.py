"""Views: one thing of a report in words, picture and table, together in a cell or each alone."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from psa_analysis.findings import visible
from psa_analysis.show.tables import Html, sentence
from psa_analysis.words import listed

if TYPE_CHECKING:
    from psa_analysis.show.chart import Chart


class View:
    """One thing that is shown: a cell that ends with it shows its parts one below the other.

    Each part is made when it is first asked for: ``words``, ``chart``, ``table`` (the chart's where
    it has none of its own) and ``origin``, where its latest figure comes from. ``data`` is the
    frame behind them, and ``reason`` says why there is nothing to show, else it is empty.
    """

    def __init__(
        self,
        *,
        heading: str = "",
        anchor: str = "",
        words: Callable[[], Html] | None = None,
        chart: Callable[[], Chart] | None = None,
        table: Callable[[], Html] | None = None,
        origin: Callable[[], Html] | None = None,
        data: Any = None,
        reason: str = "",
    ) -> None:
        parts = {"words": words, "chart": chart, "table": table, "origin": origin}
        self._makers = {name: make for name, make in parts.items() if make}
        self.heading, self.anchor, self.level = heading, anchor, 3
        self.data, self.reason = data, reason

    words: cached_property[Html] = cached_property(lambda self: self._make("words"))
    chart: cached_property[Chart] = cached_property(lambda self: self._make("chart"))
    table: cached_property[Html] = cached_property(lambda self: self._make("table"))
    origin: cached_property[Html] = cached_property(lambda self: self._make("origin"))

    def _make(self, part: str) -> Any:
        if part in self._makers:
            return self._makers[part]()
        if part == "table" and "chart" in self._makers and self.chart.table:
            return self.chart.table
        why = f" ({self.reason})" if self.reason else ""
        raise AttributeError(f"this has no {part}, only {listed([*self._makers])}{why}")

    def under(self, heading: str) -> View:
        """The same below a heading of the fourth level, as part of a measure's section."""
        view = copy(self)
        view.heading, view.anchor, view.level = heading, "", 4
        return view

    def _ipython_display_(self) -> None:
        from IPython import display

        show: Any = display.display
        if self.heading:
            text = visible(self.heading)
            anchor = f' id="{escape(self.anchor)}"' if self.anchor else ""
            show(Html(f"<h{self.level}{anchor}>{escape(text)}</h{self.level}>", text))
        for part in self._makers:
            show(getattr(self, part))

    def __repr__(self) -> str:
        shown = [getattr(self, part) for part in self._makers if part != "origin"]
        texts = [str(getattr(part, "text", "")) for part in shown]
        return "\n".join(filter(None, [self.heading, *texts]))


def no_view(reason: str) -> View:
    """Instead of what cannot be shown: a sentence that says why."""
    return View(words=lambda: sentence(reason), reason=reason)
