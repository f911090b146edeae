"""Make packs: each beside its place, by one process at a time, and put there whole or not at all.

Beside the packs, ``outputs/.psa`` keeps a folder for each: its ``lock``, and in ``holder`` who has
it; the pack that is being made, ``new-...``; the one before, ``old``, while the new
one takes its place; and in ``made.json`` what the pack was made from. A ``run-...`` is a process's.

Imports nothing heavy but in functions: an unchanged pack must be told at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
import re
import shutil
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from psa_analysis.files import checksum, unfit, write_bytes
from psa_analysis.findings import DataError, ParameterError, errors, visible
from psa_analysis.packs.children import run_children, start_warm_process
from psa_analysis.periods import Period

if TYPE_CHECKING:
    from psa_analysis.packs.page import Job, Page
    from psa_analysis.report import Report

#: What editors and interpreters leave behind, and what pytest alone reads.
_IGNORED = re.compile(r"/\.|/__pycache__/|/conftest\.py$")

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Task:
    """A pack that is to be made."""

    period: Period
    data: Path
    notebooks: Path
    outputs: Path
    audience: str
    force: bool  # also if nothing has changed
    workers: int | None  # how many notebooks at once; one per core if it is not said
    timeout: float  # how many seconds each may take, so that nobody waits for an endless loop

    @property
    def name(self) -> str:
        """What the pack's folder is called."""
        return self.period.slug + ("-public" if self.audience == "public" else "")

    @property
    def pack(self) -> Path:
        """The pack's folder."""
        return self.outputs / self.name

    @property
    def failed(self) -> Path:
        """The folder of a pack that has a failed page, which never takes the pack's place."""
        return self.outputs / f"{self.name}-failed"

    @property
    def beside(self) -> Path:
        """The folder of what is kept beside the pack."""
        return self.outputs / ".psa" / self.name


#: Called while a pack is made: with "progress", "failed page", "warning" or "pack", and a text.
OnEvent = Callable[[Task, str, str], None]


def make_pack(task: Task, on_event: OnEvent) -> int:
    """Make a pack, unless it is there and nothing has changed; gives the exit code."""
    code = 2
    try:
        sources = notebooks_of(task.notebooks)
        with lock_pack(task, on_event):
            outcome, problems = _make_locked(task, sources, on_event)
        on_event(task, "pack", outcome)
        code = 1 if problems else 0
    except DataError as error:
        problems = [*map(str, error.findings), f"errors in the register: {len(error.findings)}"]
        code = 1
    except ParameterError as error:
        problems = [str(error)]
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        problems = [f"{error.strerror or error}{where}; the last good pack is untouched"]
    except Exception as error:  # whatever it is, the packs of others are still to be made
        what, details = visible(" ".join(str(error).split())[:300]), task.beside / "traceback.txt"
        problems = [f"{type(error).__name__}: {what}; the last good pack is untouched"]
        with suppress(OSError):
            write_bytes(details, traceback.format_exc().encode("utf-8", "backslashreplace"))
            problems[0] += f"; {details} tells a programmer where it happened"
    for problem in problems:
        on_event(task, "warning", problem)
    return code


def _make_locked(task: Task, sources: list[Path], on_event: OnEvent) -> tuple[str, list[str]]:
    """Make a pack that nobody else makes: what has become of it, and what is wrong with it."""
    # All that a pack may depend on: raw data, notebooks, modules beside them.
    beside = checksums(task.notebooks, "**/*.ipynb", "**/*.py")
    digests = {f"notebooks/{name}": digest for name, digest in beside.items()}
    raw = checksums(task.data, "raw/**/*", links=False)

    def key() -> str:
        parts = [checksums(_PACKAGE, "**/*"), versions(), raw, digests, str(task.data)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    if not task.force and (record := read_record(task, key())):
        shutil.rmtree(task.failed, ignore_errors=True)
        return f"nothing has changed: {task.pack / 'index.html'}", record["problems"]
    start_warm_process(task.outputs / ".psa")  # it imports while figures are loaded
    from psa_analysis.analysis.disclosure import EXPOSED
    from psa_analysis.pipeline import remember_disclosed

    # Nobody else may write here: a process that a killed run has left writes into its own folder.
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=task.beside)) / "pack"
    folder.mkdir()
    report = _load(task)
    # What was saved in the meantime may be loaded in part.
    while raw != (now := checksums(task.data, "raw/**/*", links=False)):
        raw, report = now, _load(task)
    on_event(task, "progress", repr(report))
    pages = _fill(task, sources, report, folder, on_event)
    _write_front(folder, report, pages, raw | digests)
    files = checksums(folder, "*")
    failed = [page.notebook for page in pages if page.status != "done"]
    if task.audience == "public" and not failed:
        remember_disclosed(report)  # before anybody sees it
    shutil.rmtree(task.failed, ignore_errors=True)
    # In between, for some microseconds, there is no pack; tidying up mends what stops there.
    if task.pack.exists() and not failed:
        task.pack.rename(task.beside / "old")
    folder.rename(task.failed if failed else task.pack)
    problems = [wrong_words(wrong)] if (wrong := len(errors(report.findings))) else []
    if exposed := [*report.withheld.get("reason", [])].count(EXPOSED):
        problems.append(f"{exposed} figures are {EXPOSED}; docs/disclosure.md says what to do")
    if failed:
        good = f"the last good one stays in {task.name}" if task.pack.exists() else ""
        left = f"left in {task.failed.name}, for {good or 'there is no good one yet'}"
        problems.insert(0, f"failed: {', '.join(failed)}; this pack is {left}")
        return f"The pack with failures is {task.failed / 'index.html'}", problems
    record = {"key": key(), "problems": problems, "files": files}
    write_bytes(task.beside / "made.json", json.dumps(record, indent=1).encode())
    return f"The pack is {task.pack / 'index.html'}", problems


def _load(task: Task) -> Report:
    """The report of a pack, with what its pages would read or work out each by itself."""
    from psa_analysis.pipeline import open_report
    from psa_analysis.show.comparison import changes_words
    from psa_analysis.show.grant import grant_words
    from psa_analysis.show.record import trust_text

    report = open_report(task.period.label, str(task.data), task.audience)
    for words in (changes_words, grant_words, trust_text):
        words(report)
    return report


def wrong_words(wrong: int) -> str:
    """How many errors the returns have, whose figures were kept out."""
    from psa_analysis.words import counted

    return f"{counted(wrong, 'error')} in the returns; psa check lists what was kept out"


def notebooks_of(folder: Path) -> list[Path]:
    """The notebooks of a folder, in order of their names."""
    # Editors' lock files begin with a dot.
    sources = sorted(path for path in folder.glob("[!.]*.ipynb") if path.is_file())
    if not sources:
        raise ParameterError(f"there is no notebook in {folder}")
    if any(source.stem == "index" for source in sources):
        raise ParameterError("a notebook cannot be called index: that is the front page's name")
    return sources


def pages_of(sources: Sequence[Path], report: Report) -> list[tuple[str, Path, str | None]]:
    """Name, notebook and theme of each page, the longest notebooks first.

    A notebook whose parameter ``theme`` is empty makes the page of every theme that has no notebook
    of its own. Left out are those of themes that the agreement does not have, and those that need
    (``psa.needs`` of their metadata) a measure without readings or a register file without rows.
    """
    themes = report.agreement.settings.themes
    known = set(report.readings.loc[report.readings["reading"].notna(), "measure"])
    theme_of: dict[Path, str | None] = {}
    for source in sorted(sources, key=lambda source: source.stat().st_size, reverse=True):
        theme, needs = theme_and_needs(source)
        if all(name in known or len(getattr(report.agreement, name, ())) for name in needs):
            theme_of[source] = theme
    others = [theme for theme in themes if theme not in theme_of.values()]
    pages: list[tuple[str, Path, str | None]] = []
    for source, theme in theme_of.items():
        if theme is None or theme in themes:
            pages.append((source.stem, source, theme))
        elif not theme:
            pages += [(f"theme_{name}", source, name) for name in others]
    return pages


def theme_and_needs(source: Path) -> tuple[str | None, list[str]]:
    """The value of ``theme`` among a notebook's parameters, and the names of what it needs."""
    try:
        notebook = json.loads(source.read_text(encoding="utf-8-sig"))
        needs = notebook["metadata"].get("psa", {}).get("needs", "").split()
        cells = notebook["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
        text = "".join(line for cell in tagged for line in cell["source"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, []  # what is wrong with it is said when it is executed
    match = re.search(r"""^theme = ["'](.*)["']""", text, re.MULTILINE)
    return match[1] if match else None, needs


def _fill(
    task: Task, sources: list[Path], report: Report, folder: Path, on_event: OnEvent
) -> list[Page]:
    """Make the pages, tables and workbook of a pack in its folder."""
    from psa_analysis.packs.page import Job
    from psa_analysis.packs.workbook import write_tables

    pages: list[Page] = []
    with ThreadPoolExecutor(1) as thread:
        # Through a pipe: a file could be written to by others, and would stay behind a killed run.
        pickled, jobs = pickle.dumps(report, pickle.HIGHEST_PROTOCOL), {}
        for name, source, theme in pages_of(sources, report):
            given = parameters(report) | ({"theme": theme} if theme else {})
            jobs[name] = Job(source, folder / f"{name}.ipynb", pickled, given)
        not_saved = thread.submit(write_tables, report, folder)
        workers, started = task.workers or os.cpu_count() or 1, time.monotonic()
        for name, page, died in run_children(_make_page, jobs, task.timeout, workers):
            if died:
                from psa_analysis.packs.engine import finish_page  # no other run needs Jupyter here

                page = finish_page(jobs[name], report, died, started)
            pages.append(page)
            event, outcome = "progress", f"done in {page.seconds:.1f} s"
            if page.error:
                at = f" at cell {page.cell}" if page.cell is not None else ""
                event, outcome = "failed page", f"failed{at}: {page.error}"
            on_event(task, event, f"[{len(pages)}/{len(jobs)}] {page.notebook}: {outcome}")
    if warning := not_saved.result():
        on_event(task, "warning", warning)
    return sorted(pages, key=lambda page: page.notebook)


def _make_page(job: Job) -> Page:
    from psa_analysis.packs.engine import make_page  # in children alone: it imports Jupyter

    return make_page(job)


def _write_front(
    folder: Path, report: Report, pages: list[Page], made_from: dict[str, str]
) -> None:
    """Write the front page and the manifest of a pack."""
    from psa_analysis.packs.page import whole_page
    from psa_analysis.show.front import front_page

    settings = report.agreement.settings.agreement
    title = f"{settings.name}, {report.period}"
    exported = {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.html"))}
    index = whole_page(title, front_page(report, title, pages, exported), report, front=True)
    write_bytes(folder / "index.html", index.encode())
    given = parameters(report)
    if report.audience == "public":
        given["data"] = Path(given["data"]).name  # the public is not told of our folders
        # Whoever knows all but a few figures of a return could try numbers until its checksum fits.
        shown = ("raw/published/", "raw/register/", "notebooks/")
        made_from = {name: made_from[name] for name in made_from if name.startswith(shown)}
    manifest = {
        "agreement": settings.name,
        "area": settings.area,
        "period": report.period.label,
        "cut_off": report.cut_off.isoformat(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": given,
        "status": "done" if all(page.status == "done" for page in pages) else "failed",
        "pages": [asdict(page) for page in pages],
        "inputs": made_from,
        "versions": {"python": platform.python_version()} | versions(),
    }
    content = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
    write_bytes(folder / "manifest.json", content)


def parameters(report: Report) -> dict[str, str]:
    """What the notebooks of a report are given; a folder of the project stays relative to it."""
    from psa_analysis.pipeline import ROOT

    folder = report.agreement.folder.resolve()
    data = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    return {"period": report.period.label, "data": str(data), "audience": report.audience}


@contextmanager
def lock_pack(task: Task, on_event: OnEvent) -> Iterator[None]:
    """Wait until nobody else makes this pack, let nobody else begin, and leave nothing behind."""
    # Public packs one after another: each hides what those before it hid.
    in_turn = task.outputs / ".psa" / "public.lock"
    lock = FileLock(in_turn if task.audience == "public" else task.beside / "lock")
    holder = task.beside / "holder"
    try:
        task.beside.mkdir(parents=True, exist_ok=True)
        held = lock.acquire(timeout=0)
    except Timeout:
        who = "another run"
        with suppress(OSError):  # it may end just now
            who = holder.read_text() or who
        on_event(task, "warning", f"waiting for {who}")
        held = lock.acquire()
    except OSError as error:
        wrong = f"cannot write to {task.outputs}: {error.strerror}"
        raise ParameterError(f"{wrong}; name another folder with --outputs") from None
    with held:
        tidy_up(task)
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        who = f"process {os.getpid()} on {socket.gethostname()}"
        write_bytes(holder, f"{who}, which has been making {task.name} since {since}".encode())
        try:
            yield
        finally:
            tidy_up(task)


def tidy_up(task: Task) -> None:
    """Remove what a run has left, and put back the old pack if there is no new one."""
    old = task.beside / "old"
    if old.exists() and not task.pack.exists():
        old.rename(task.pack)
    for left in [old, *task.beside.glob("new-*")]:
        shutil.rmtree(left, ignore_errors=True)
    parts = task.beside.glob(".*.part")  # of files that were being written
    for file in (task.beside / "holder", task.beside / "traceback.txt", *parts):
        file.unlink(missing_ok=True)


def read_record(task: Task, key: str) -> dict[str, Any] | None:
    """The record of the pack, if it was made from the same (`key`) and is as it was made."""
    try:
        record = json.loads((task.beside / "made.json").read_text(encoding="utf-8"))
        files = record["files"].items()
        same = record["key"] == key and files <= checksums(task.pack, "*").items()
    except (OSError, ValueError):
        return None
    return record if same else None


def versions() -> dict[str, str]:
    """The versions of the package and of the libraries that it is built on."""
    # "pandas>=3,<4", 'nbval; extra == "test"'
    lines = [line for line in requires("psa_analysis") or () if "extra ==" not in line]
    required = [re.split(r"[^\w.-]", line)[0] for line in lines]
    names = ["psa_analysis", "nbclient", "nbformat", "ipython", *required]
    return {name: version(name) for name in names}


def checksums(folder: Path, *patterns: str, links: bool = True) -> dict[str, str]:
    """SHA-256 of a folder's files, by path; empty for what is not opened unless `links` may be."""
    files = sorted(path for like in patterns for path in folder.glob(like) if path.is_file())
    paths = {path.relative_to(folder).as_posix(): path for path in files}
    read = {name: path for name, path in paths.items() if not _IGNORED.search(f"/{name}")}
    return {n: checksum(p) if links or not unfit(p, folder) else "" for n, p in read.items()}
