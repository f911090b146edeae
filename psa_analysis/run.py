"""The run: every notebook of a period executed and exported, and the pack around them."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError

from psa_analysis.commitments import NAME as PROGRESS
from psa_analysis.corrections import NAME as CORRECTIONS
from psa_analysis.findings import visible
from psa_analysis.loading import RETURN_FOLDERS, checksum, csv_text, write_bytes
from psa_analysis.pages import TEMPLATES, banner, state_counts, templates
from psa_analysis.pipeline import ROOT, Report, day_text
from psa_analysis.workbook import assessment_parquet, tables, write_workbook

#: Packages whose versions decide what the pages look like.
_VERSIONS = ("psa_analysis", "pandas", "numpy", "matplotlib", "seaborn", "papermill", "nbconvert")


#: A cell that takes longer is stopped, so that nobody waits for an endless loop.
CELL_SECONDS = 600


class RunError(Exception):
    """A run that cannot begin."""


@dataclass(frozen=True)
class Page:
    """What became of one notebook.

    Attributes
    ----------
    notebook : str
        File name of the notebook.
    title : str
        Its heading.
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
    status: str
    html: str | None
    cell: int | None
    error: str | None
    seconds: float


def run_period(
    report: Report,
    notebooks: Path,
    outputs: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[Path, list[Page]]:
    """Execute and export all notebooks of a period and put the pack in its place.

    Parameters
    ----------
    report : Report
        The period's report; the notebooks are given its parameters and make their own.
    notebooks : Path
        Folder of the notebooks, run in order of their names.
    outputs : Path
        Folder that the pack, named after the period, is put into.
    progress : callable
        Told what happens, a line at a time.

    Returns
    -------
    pack : Path
        The pack's folder. It replaces an earlier one of the same period when it is complete.
    pages : list of Page
        What became of each notebook; one that failed does not stop the others.

    Raises
    ------
    RunError
        If there is no notebook.
    """
    # Editors' lock files begin with a dot.
    found = (path for path in notebooks.glob("*.ipynb") if path.name[0] != ".")
    sources = sorted(path for path in found if path.is_file())
    if not sources:
        raise RunError(f"there is no notebook in {notebooks}")
    if any(source.stem == "index" for source in sources):
        raise RunError("a notebook cannot be called index: that is the front page's name")
    outputs.mkdir(parents=True, exist_ok=True)
    pack = outputs / report.period.slug
    beside = Path(tempfile.mkdtemp(prefix=f".{pack.name}.", suffix=".part", dir=outputs))
    try:
        pages = []
        for number, source in enumerate(sources, start=1):
            page = _run_notebook(source, beside, report)
            progress(f"[{number}/{len(sources)}] {page.notebook}: {_outcome(page)}")
            pages.append(page)
        _write_pack(beside, report, sources, pages)
        _replace(pack, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return pack, pages


def _outcome(page: Page) -> str:
    if page.status == "done":
        return f"done in {page.seconds:.1f} s"
    return f"failed at cell {page.cell if page.cell is not None else '?'}: {page.error}"


def _run_notebook(source: Path, folder: Path, report: Report) -> Page:
    started = time.monotonic()
    executed = folder / source.name
    status, cell, error = "done", None, None
    try:
        if not _has_parameters(source):
            raise RunError("no cell is tagged 'parameters', so it would show another period")
        # Braces in papermill's output path are a template's; given a notebook, it has none.
        papermill.execute_notebook(
            str(source).replace("{", "{{").replace("}", "}}"),
            str(executed).replace("{", "{{").replace("}", "}}"),
            parameters=parameters(report), progress_bar=False, log_output=False,
            # Stopping a kernel interrupts it first, and it would say so on our terminal.
            execution_timeout=CELL_SECONDS,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )  # fmt: skip
    except PapermillExecutionError as failure:
        status, cell = "failed", failure.exec_count
        error = _one_line(f"{failure.ename}: {failure.evalue}")
    except Exception as failure:  # a dead kernel or broken notebook must not stop the others
        status, error = "failed", _one_line(f"{type(failure).__name__}: {failure}")
    html, title = None, source.stem
    if executed.exists():
        try:
            notebook = nbformat.read(executed, as_version=4)
            title = heading(notebook) or source.stem
            page = export(notebook, title, report).encode()
        except Exception as failure:  # nor must one that cannot be exported
            status = "failed"
            error = error or _one_line(f"{type(failure).__name__}: {failure}")
        else:
            html = f"{source.stem}.html"
            write_bytes(folder / html, page)
    return Page(source.name, title, status, html, cell, error, time.monotonic() - started)


def _has_parameters(source: Path) -> bool:
    notebook = nbformat.read(source, as_version=4)
    return any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def parameters(report: Report) -> dict[str, str]:
    """What the notebooks of a report are given; a folder of the project stays relative to it."""
    folder = report.agreement.folder.resolve()
    inside = folder.is_relative_to(ROOT)
    return {
        "period": report.period.label,
        "data": str(folder.relative_to(ROOT)) if inside else str(folder),
        "audience": report.audience,
    }


def heading(notebook: Any) -> str | None:
    """The text of a notebook's first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return str(line[2:].strip())
    return None


def export(notebook: Any, title: str, report: Report) -> str:
    """The page of an executed notebook: no code, nothing from the network."""
    exporter = HTMLExporter(
        template_name="pack", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    page = {
        "title": f"{title}, {report.period}",
        "style": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
        "footer": _footer(report),
    }
    return str(exporter.from_notebook_node(notebook, resources={"page": page})[0])


def _footer(report: Report) -> str:
    return visible(
        f"{report.agreement.settings.agreement.council}. Figures received by "
        f"{day_text(report.cut_off)}. Made with psa_analysis "
        f"{version('psa_analysis')}."
    )


def _write_pack(folder: Path, report: Report, sources: list[Path], pages: list[Page]) -> None:
    book = f"{report.period.slug}.xlsx"
    made = tables(report)
    promised = made["commitments"]
    # The workbook has the register's columns beside these; here they stand in the register.
    promised = promised[[name for name in report.commitments if name in promised]]
    write_bytes(folder / "assessment.csv", csv_text(made["assessment"]).encode())
    write_bytes(folder / "assessment.parquet", assessment_parquet(report))
    write_bytes(folder / "commitments.csv", csv_text(promised).encode())
    write_workbook(report, folder / book)
    index = templates().get_template("index.html.j2").render(
        title=f"{report.agreement.settings.agreement.name}, {report.period}",
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        banner=banner(report).html, counts=state_counts(report).html,
        pages=pages, book=book, failed=[page for page in pages if page.status != "done"],
        footer=_footer(report),
    )  # fmt: skip
    write_bytes(folder / "index.html", index.encode())
    settings = report.agreement.settings.agreement
    manifest = {
        "agreement": settings.name,
        "area": settings.area,
        "period": report.period.label,
        "cut_off": report.cut_off.isoformat(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": parameters(report),
        "status": "done" if all(page.status == "done" for page in pages) else "failed",
        "pages": [asdict(page) for page in pages],
        "inputs": _inputs(report, sources),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _VERSIONS},
    }
    write_bytes(
        folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False).encode()
    )


def _inputs(report: Report, sources: list[Path]) -> dict[str, str]:
    """SHA-256 of every file that the pack was made from."""
    data = report.agreement.folder
    raw = [data / "raw" / "agreement.toml"]
    raw += [data / name for name in (CORRECTIONS, PROGRESS) if (data / name).exists()]
    for folder in ("register", *RETURN_FOLDERS):
        raw += [path for path in sorted((data / "raw" / folder).glob("*")) if path.is_file()]
    inputs = {str(path.relative_to(data)): checksum(path) for path in raw}
    return inputs | {f"notebooks/{source.name}": checksum(source) for source in sources}


def _replace(pack: Path, beside: Path) -> None:
    """Put a complete pack in the place of an earlier one, or leave the earlier one there."""
    beside.chmod(0o755)  # a temporary folder is its maker's alone
    earlier = Path(tempfile.mkdtemp(prefix=f".{pack.name}.", suffix=".old", dir=pack.parent))
    try:
        if pack.exists():
            pack.rename(earlier / pack.name)
        try:
            beside.rename(pack)
        except OSError:
            if (earlier / pack.name).exists():
                (earlier / pack.name).rename(pack)
            raise
    finally:
        shutil.rmtree(earlier, ignore_errors=True)
