"""A notebook that is to become a page, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psa_analysis.pipeline import ROOT, kept_report
from psa_analysis.report import Report

#: A cell that takes longer is stopped, so that nobody waits for an endless loop.
CELL_SECONDS = 600.0


@dataclass(frozen=True)
class Page:
    """What became of one notebook.

    Attributes
    ----------
    notebook : str
        File name of the notebook.
    title : str
        Its heading.
    about : str
        The first sentence of its text, which stands beside the link on the front page.
    status : {"done", "failed"}
        Whether it ran to its end.
    html : str or None
        File name of the exported page, if there is one.
    cell : int or None
        Number of the cell that failed, as Jupyter counts executions.
    error : str or None
        What went wrong, on one line.
    seconds : float
        Time that execution and export took.
    """

    notebook: str
    title: str
    about: str
    status: str
    html: str | None
    cell: int | None
    error: str | None
    seconds: float


@dataclass(frozen=True)
class Job:
    """A notebook that is to become a page.

    Attributes
    ----------
    source : Path
        The notebook.
    folder : Path
        Where the executed notebook and its page go.
    shared : Path
        Where the run keeps its report, pickled, for all its notebooks.
    code : bool
        Whether the page has the code of every cell, folded.
    seconds : float
        How long a cell may take.
    """

    source: Path
    folder: Path
    shared: Path
    code: bool
    seconds: float

    @property
    def report(self) -> Report:
        """The period's report, which gives the parameters."""
        return kept_report(self.shared)

    @property
    def executed(self) -> Path:
        """The executed notebook."""
        return self.folder / self.source.name


def parameters(report: Report) -> dict[str, str]:
    """What the notebooks of a report are given; a folder of the project stays relative to it."""
    folder = report.agreement.folder.resolve()
    inside = folder.is_relative_to(ROOT)
    return {
        "period": report.period.label,
        "data": str(folder.relative_to(ROOT)) if inside else str(folder),
        "audience": report.audience,
    }
