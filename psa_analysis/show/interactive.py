"""Interactive: a measure at a glance, and what a better outturn would do, in a notebook."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.report import Report, assessment_row, of_theme
from psa_analysis.show.chart import Chart
from psa_analysis.show.measures import measure_words
from psa_analysis.show.outturns import better_by, outturn, outturn_table, outturn_words
from psa_analysis.show.tables import Html
from psa_analysis.show.trajectories import trajectory_chart
from psa_analysis.words import with_unit


@dataclass(frozen=True, repr=False, eq=False)
class MeasureView:
    """One measure of a report as a reader sees it; equal to itself alone.

    Attributes
    ----------
    report : Report
    measure : str
        A measure of its assessment.
    """

    report: Report
    measure: str

    @property
    def row(self) -> pd.Series:
        """Its row of the assessment."""
        return assessment_row(self.report, self.measure)

    @property
    def words(self) -> Html:
        """What the numbers say, and what people say of them."""
        return measure_words(self.report, self.measure)

    @property
    def chart(self) -> Chart:
        """Its readings against the planned path."""
        return trajectory_chart(self.report, self.measure)

    def __repr__(self) -> str:
        return f"{self.measure}: {self.row['title']}\n{self.words.text}"

    def _repr_html_(self) -> str:
        chart = self.chart
        # As an image, so that the ids in the picture meet no others of the page.
        picture = base64.b64encode(chart.svg.encode()).decode()
        return (
            f"<p><strong>{escape(repr(self).partition(chr(10))[0])}</strong></p>{self.words.html}"
            f'<figure><img alt="{escape(chart.alt)}" src="data:image/svg+xml;base64,{picture}">'
            "</figure>"
        )


def measure(report: Report, name: str) -> MeasureView:
    """One measure as a reader sees it, in words and picture."""
    assessment_row(report, name)
    return MeasureView(report, name)


def outturn_sliders(report: Report, theme: str) -> Any:
    """What a better or worse due reading would do to each measure of a theme.

    In a notebook that somebody has open: a list of the measures and a slider. Wherever nobody can
    move it (papermill, nbconvert, nbval, no ``ipywidgets``): the table of
    :func:`psa_analysis.show.outturns.outturn_table`, so one call does for both.
    """
    measures = [
        str(row["measure"])
        for _, row in of_theme(report, theme).iterrows()
        if better_by(report, str(row["measure"])) is not None
    ]
    if not measures or not _somebody_is_there():
        return outturn_table(report, theme)
    try:
        import ipywidgets as widgets
    except ModuleNotFoundError:
        return outturn_table(report, theme)

    which = widgets.Dropdown(
        options=[(f"{name}: {assessment_row(report, name)['title']}", name) for name in measures],
        description="Measure",
    )
    slider = widgets.SelectionSlider(
        options=[("as forecast", 0.0)],
        description="Due reading",
        continuous_update=True,
        layout={"width": "40rem"},
    )
    said = widgets.HTML()

    def say(_: Any = None) -> None:
        said.value = outturn_words(outturn(report, which.value, slider.value)).html

    def reset(_: Any = None) -> None:
        slider.options = _slider_options(report, which.value)
        slider.value = 0.0
        say()

    which.observe(reset, "value")
    slider.observe(say, "value")
    reset()
    return widgets.VBox([which, slider, said])


def _slider_options(report: Report, measure: str) -> list[tuple[str, float]]:
    """Twentieths of the way to the target, from a whole way worse to a whole way better."""
    way = better_by(report, measure)
    assert way is not None
    unit = str(assessment_row(report, measure)["unit"])
    points = "percentage points" if unit in ("percent", "percent change") else unit
    return [
        (
            "as forecast"
            if not step
            else f"{with_unit(abs(step) * way, points)} {'better' if step > 0 else 'worse'}",
            step,
        )
        for step in (round(float(one), 2) for one in np.linspace(-1, 1, 41))
    ]


def _somebody_is_there() -> bool:
    """Whether the cell was run from a notebook that somebody can answer in.

    A front end that somebody sits at says with each cell that it may be asked for input; programs
    that execute notebooks say that it may not.
    """
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return False
    return bool(kernel.get_parent("shell").get("content", {}).get("allow_stdin", False))
