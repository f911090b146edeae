"""The run: every notebook of a period executed and exported, and the pack around them."""

from __future__ import annotations

import json
import os
import pickle
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import unescape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import papermill
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError

from psa_analysis.commitments import NAME as PROGRESS
from psa_analysis.findings import visible
from psa_analysis.loading import RETURN_FOLDERS, checksum, csv_text, write_bytes
from psa_analysis.pipeline import REPORT_OF_RUN, ROOT, Report, day_text
from psa_analysis.register.commentary import NAME as COMMENTARY
from psa_analysis.returns.corrections import NAME as CORRECTIONS
from psa_analysis.show.front import front_page
from psa_analysis.show.table import TEMPLATES, templates
from psa_analysis.workbook import assessment_parquet, tables, workbook_name, write_workbook

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


def run_period(
    report: Report,
    notebooks: Path,
    outputs: Path,
    progress: Callable[[str], None] = lambda line: None,
    code: bool = False,
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
    code : bool
        Pages with the code of every cell, folded: an analyst's version.

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
        with _shared(report):
            for number, source in enumerate(sources, start=1):
                page = _run_notebook(source, beside, report, code)
                progress(f"[{number}/{len(sources)}] {page.notebook}: {_outcome(page)}")
                pages.append(page)
        _write_pack(beside, report, sources, pages)
        _replace(pack, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return pack, pages


@contextmanager
def _shared(report: Report) -> Iterator[None]:
    """The report where the run's notebooks find it, so that it is made once and not by each."""
    with tempfile.TemporaryDirectory(prefix="psa-") as folder:  # nobody else may read or write it
        path = Path(folder) / "report"
        path.write_bytes(pickle.dumps(report, protocol=pickle.HIGHEST_PROTOCOL))
        os.environ[REPORT_OF_RUN] = str(path)
        try:
            yield
        finally:
            del os.environ[REPORT_OF_RUN]


def _outcome(page: Page) -> str:
    if page.status == "done":
        return f"done in {page.seconds:.1f} s"
    return f"failed at cell {page.cell if page.cell is not None else '?'}: {page.error}"


def _run_notebook(source: Path, folder: Path, report: Report, code: bool) -> Page:
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
    html, title, about = None, source.stem, ""
    if executed.exists():
        try:
            notebook = nbformat.read(executed, as_version=4)
            notebook = _settled(notebook)
            if report.audience == "public":
                notebook = _without_paths(notebook, report)
            write_bytes(executed, nbformat.writes(notebook).encode())
            title, about = heading(notebook) or source.stem, first_sentence(notebook)
            page = export(notebook, title, report, code).encode()
        except Exception as failure:  # nor must one that cannot be exported
            status = "failed"
            error = error or _one_line(f"{type(failure).__name__}: {failure}")
            if report.audience == "public":
                # What could not be stripped of what is not for the public is no part of the pack.
                executed.unlink(missing_ok=True)
        else:
            html = f"{source.stem}.html"
            write_bytes(folder / html, page)
    taken = time.monotonic() - started
    if error and report.audience == "public":
        error = _NOT_FOR_THE_PUBLIC
    return Page(source.name, title, about, status, html, cell, error, taken)


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


def first_sentence(notebook: Any) -> str:
    """The first sentence of a notebook's text, headings, lists and tables left out."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for paragraph in re.split(r"\n\s*\n", cell.source):
                lines = [line for line in paragraph.splitlines() if not re.match(r"\s*#", line)]
                text = re.sub(r"[*_`]|\]\([^)]*\)|!?\[", "", " ".join(lines)).strip()
                if text and not re.match(r"[-+|<>\d]", text):
                    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return ""


def _settled(notebook: Any) -> Any:
    """The executed notebook without what differs between equal runs: times, a drawn cell id."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"
    return notebook


#: What a public page says in place of an error, which may quote a figure or a folder.
_NOT_FOR_THE_PUBLIC = "this page could not be made; the internal pack says why"


def _without_paths(notebook: Any, report: Report) -> Any:
    """A public notebook without the data folder's path, and without what went wrong in it."""
    given = parameters(report)["data"]
    for cell in notebook.cells:
        if Path(given).is_absolute():
            cell.source = cell.source.replace(given, Path(given).name)
        if cell.cell_type != "code":
            continue
        # Warnings and tracebacks quote figures and folders.
        cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
        for output in cell.outputs:
            if output.output_type == "error":
                output.update(ename="Error", evalue=_NOT_FOR_THE_PUBLIC,
                              traceback=[_NOT_FOR_THE_PUBLIC])  # fmt: skip
    return notebook


def export(notebook: Any, title: str, report: Report, code: bool = False) -> str:
    """The page of an executed notebook: nothing from the network, code folded or left out."""
    exporter = HTMLExporter(
        template_name="pack", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    exporter.register_filter("picture", _picture)
    body, _ = exporter.from_notebook_node(notebook, resources={"page": {"code": code}})
    agreement = report.agreement.settings.agreement
    return _page(f"{title}, {report.period}: {agreement.name}", str(body), report)


def _page(title: str, body: str, report: Report, front: bool = False) -> str:
    """A whole page around its body: title, landmarks, list of contents, footer."""
    body, contents = _anchored(_breakable(body))
    lead, second, rest = body.partition("<h2")
    return templates().get_template("page.html.j2").render(
        title=title, printed_title=_css_text(title), front=front,
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8").rstrip(),
        council=report.agreement.settings.agreement.council,
        lead=lead, contents=contents, body=second + rest, footer=_footer(report),
    )  # fmt: skip


def _breakable(body: str) -> str:
    """The body with places at which long paths may break, or one would widen its whole column."""
    return re.sub(
        r"[\w./:-]{16,}(?=[^<>]*<)", lambda path: re.sub("[/_]", r"\g<0><wbr>", path[0]), body
    )


_SECOND_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


def _anchored(body: str) -> tuple[str, list[tuple[str, str]]]:
    """The body with an anchor at each second heading, and the anchors with their texts.

    An anchor is made of its heading's words, so that links from elsewhere outlast other changes.
    """
    contents: dict[str, str] = {}

    def anchor(match: re.Match[str]) -> str:
        text = re.sub(r"<[^>]*>", "", match[1]).strip()
        words = re.sub(r"[^a-z0-9]+", "-", unescape(text).lower()).strip("-") or "part"
        name, number = words, 1
        # The page has these two of its own.
        while name in contents or name in ("content", "contents"):
            number += 1
            name = f"{words}-{number}"
        contents[name] = text
        return f'<h2 id="{name}">{match[1]}</h2>'

    return _SECOND_HEADING.sub(anchor, body), list(contents.items())


def _css_text(text: str) -> str:
    """A string of a style sheet; nothing in it can end the string or the style."""
    return '"' + re.sub(r"[^\w ,.:]", lambda match: f"\\{ord(match[0]):x} ", text) + '"'


_FONTS = "Arial, 'Liberation Sans', Helvetica, sans-serif"


def _picture(svg: str) -> str:
    """The address of a picture that holds the picture itself, without what no reader sees.

    Coordinates keep a hundredth of a point, finer than screens and printers show, and text names
    its fonts in short.
    """
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Not where a scale stands: its digits matter.
    svg = re.sub(r' (?:d|x|y|transform)="(?![^"]*(?:scale|matrix))[^"]*"', _rounded, svg)
    svg = re.sub(r"font-family: [^;\"]*, sans-serif", f"font-family: {_FONTS}", svg)
    return "data:image/svg+xml," + quote(" ".join(svg.split()), safe=" /:;=,()!*+@?$[]{}~-_.")


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", attribute[0])


def _footer(report: Report) -> str:
    return visible(
        f"{report.agreement.settings.agreement.council}. Figures received by "
        f"{day_text(report.cut_off)}. Made with psa_analysis "
        f"{version('psa_analysis')}."
    )


def _write_pack(folder: Path, report: Report, sources: list[Path], pages: list[Page]) -> None:
    made = tables(report)
    promised = made["commitments"]
    # The workbook has the register's columns beside these; here they stand in the register.
    promised = promised[[name for name in report.commitments if name in promised]]
    write_bytes(folder / "assessment.csv", csv_text(made["assessment"]).encode())
    write_bytes(folder / "assessment.parquet", assessment_parquet(report))
    write_bytes(folder / "commitments.csv", csv_text(promised).encode())
    write_workbook(report, folder / workbook_name(report))
    title = f"{report.agreement.settings.agreement.name}, {report.period}"
    exported = {
        page.html: (folder / page.html).read_text(encoding="utf-8") for page in pages if page.html
    }
    index = _page(title, front_page(report, title, pages, exported), report, front=True)
    write_bytes(folder / "index.html", index.encode())
    settings = report.agreement.settings.agreement
    manifest = {
        "agreement": settings.name,
        "area": settings.area,
        "period": report.period.label,
        "cut_off": report.cut_off.isoformat(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": _parameters_shown(report),
        "status": "done" if all(page.status == "done" for page in pages) else "failed",
        "pages": [asdict(page) for page in pages],
        "inputs": _inputs(report, sources),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _VERSIONS},
    }
    write_bytes(
        folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False).encode()
    )


def _parameters_shown(report: Report) -> dict[str, str]:
    """The parameters as the manifest gives them; the public is not told of our folders."""
    given = parameters(report)
    if report.audience == "public":
        given["data"] = Path(given["data"]).name
    return given


def _inputs(report: Report, sources: list[Path]) -> dict[str, str]:
    """SHA-256 of every file that the pack was made from.

    In a public pack not of returns: whoever knows all but a few figures of one could try numbers
    until the checksum fits.
    """
    data = report.agreement.folder
    raw = [data / "raw" / "agreement.toml"]
    raw += [data / name for name in (COMMENTARY, CORRECTIONS, PROGRESS) if (data / name).exists()]
    for folder in ("register", *RETURN_FOLDERS):
        raw += [path for path in sorted((data / "raw" / folder).glob("*")) if path.is_file()]
    if report.audience == "public":
        raw = [path for path in raw if "returns" not in path.parts and path.parent.name != "raw"]
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
