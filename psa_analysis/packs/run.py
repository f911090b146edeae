"""Make packs: each beside its place, by one process at a time, and put there whole or not at all.

Imports nothing heavy but in functions: an unchanged pack must be told at once.
"""

from __future__ import annotations

import json
import pickle
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_analysis.files import write_bytes
from psa_analysis.findings import DataError, ParameterError, errors
from psa_analysis.packs.children import ProcessDied, Work, run_children, start_warm_process
from psa_analysis.packs.inputs import checksums, inputs_of, intact, key_of, package_key, versions
from psa_analysis.packs.place import (
    OnEvent,
    Outcome,
    RunError,
    Task,
    lock_pack,
    put_in_place,
    read_record,
    tidy_up,
    write_record,
)

if TYPE_CHECKING:
    from psa_analysis.packs.page import Job, Page
    from psa_analysis.register.agreement import Agreement
    from psa_analysis.report import Report

#: What the tables and the workbook are called among the pages.
_TABLES = "tables"

#: What runs no cell of a notebook takes a moment; so many seconds if the machine is very busy.
_OURS_SECONDS = 600

_SCHEDULER_SECONDS = 5


def make_packs(
    tasks: Sequence[Task], on_event: OnEvent, dask: str | None = None
) -> Iterator[Outcome]:
    """Make packs one after another, or all at once on the workers of a Dask cluster."""
    if not dask:
        for task in tasks:
            yield make_pack(task, on_event)
        return
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise RunError("--dask needs the library distributed: pip install distributed") from None
    try:
        client = Client(dask, timeout=_SCHEDULER_SECONDS)
    except (OSError, ValueError) as error:
        raise RunError(f"there is no Dask scheduler at {dask}: {error}") from None
    with client:
        waiting = {client.submit(_make_elsewhere, task, pure=False): task for task in tasks}
        for future in as_completed(waiting):
            try:
                yield future.result()
            except Exception as error:  # whatever befalls one pack, the others are made
                name = type(error).__name__
                problem = f"the process that made it died ({name}: {error}); run it again"
                yield Outcome(waiting[future], "not made", problems=(problem,), code=1)


def _make_elsewhere(task: Task) -> Outcome:
    """Make a pack in a fresh process: that of a Dask worker may have no children."""
    script = "from psa_analysis.packs.run import make_received; make_received()"
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, input=pickle.dumps(task), capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise RunError(f"it ended with {done.returncode}: {lines[-1]}")
    outcome: Outcome = pickle.loads(done.stdout)
    return outcome


def make_received() -> None:
    """Make the pack whose pickled task comes in, and put out its pickled outcome."""
    task = pickle.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(pickle.dumps(make_pack(task, lambda *_: None)))


def make_pack(task: Task, on_event: OnEvent) -> Outcome:
    """Make a pack, unless it is there and nothing has changed."""
    try:
        sources = notebooks_of(task.notebooks)
        with lock_pack(task, on_event):
            return _make_locked(task, sources, on_event)
    except DataError as error:
        lines = [*map(str, error.findings), f"errors in the register: {len(error.findings)}"]
        return Outcome(task, "not made", problems=tuple(lines), code=1)
    except (ParameterError, RunError) as error:
        return Outcome(task, "not made", problems=(str(error),), code=2)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        problem = f"{error.strerror or error}{where}; the last good pack is untouched"
        return Outcome(task, "not made", problems=(problem,), code=2)


def _make_locked(task: Task, sources: list[Path], on_event: OnEvent) -> Outcome:
    tidy_up(task)
    inputs = inputs_of(task.data, task.notebooks)
    key = key_of(package_key(), task.code, inputs, str(task.data))
    record = read_record(task)
    if not task.force and record.get("key") == key and intact(task.pack, record["files"]):
        return Outcome(task, "unchanged", wrong=record["wrong"], code=min(record["wrong"], 1))
    start_warm_process()  # it imports while this process loads the figures
    # Nobody else may write here: a process that a killed run has left writes into its own folder.
    work = Path(tempfile.mkdtemp(prefix="new-", dir=task.beside))
    try:
        folder = work / "pack"
        folder.mkdir()
        report = _make_report(task, key_of(inputs["data"]))
        on_event(task, "report", repr(report))
        pages = _fill(task, sources, report, folder, on_event)
        _write_front(folder, report, pages, inputs)
        files = checksums(sorted(folder.iterdir()), folder)
        put_in_place(task, folder)
    finally:
        tidy_up(task)
    failed = tuple(page.notebook for page in pages if page.status != "done")
    wrong = len(errors(report.findings))
    # What failed may have failed by chance: such a pack is made anew by the next run.
    write_record(task, {"key": None if failed else key, "wrong": wrong, "files": files})
    status = "failed" if failed else "done"
    return Outcome(task, status, failed, wrong, code=1 if failed or wrong else 0)


def notebooks_of(folder: Path) -> list[Path]:
    """The notebooks of a folder, in order of their names."""
    # Editors' lock files begin with a dot.
    sources = sorted(
        path for path in folder.glob("*.ipynb") if path.name[0] != "." and path.is_file()
    )
    if not sources:
        raise RunError(f"there is no notebook in {folder}")
    if any(source.stem == "index" for source in sources):
        raise RunError("a notebook cannot be called index: that is the front page's name")
    return sources


def pages_of(
    sources: Sequence[Path], report: Report
) -> list[tuple[str, Path, dict[str, str], str]]:
    """Name, notebook, parameters and title of each page, the longest notebooks first.

    A notebook whose parameter ``theme`` is empty is the general one, and makes the page of every
    theme that has no notebook of its own. Left out are those of themes that the agreement does not
    have, and those that need (``psa.needs`` of their metadata) a measure without readings or a file
    of the register without rows.
    """
    themes = report.agreement.settings.themes
    measures = set(report.readings.loc[report.readings["reading"].notna(), "measure"])
    theme_of: dict[Path, str | None] = {}
    for source in sources:
        theme, needs = theme_and_needs(source)
        if all(name in measures or len(getattr(report.agreement, name, ())) for name in needs):
            theme_of[source] = theme
    pages: list[tuple[str, Path, dict[str, str], str]] = []
    for source in sorted(theme_of, key=lambda source: source.stat().st_size, reverse=True):
        theme = theme_of[source]
        if theme is None or theme in themes:
            pages.append((source.stem, source, {"theme": theme} if theme else {}, ""))
        elif not theme:
            missing = [name for name in themes if name not in theme_of.values()]
            for name in missing:
                pages.append((f"theme_{name}", source, {"theme": name}, themes[name]))
    return pages


def theme_and_needs(source: Path) -> tuple[str | None, list[str]]:
    """The value of ``theme`` among a notebook's parameters, and the names of what it needs."""
    try:
        notebook = json.loads(source.read_text(encoding="utf-8"))
        needs = notebook["metadata"].get("psa", {}).get("needs", "").split()
        cells = [
            cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, []  # what is wrong with it is said when it is executed
    text = "".join(line for cell in cells[:1] for line in cell["source"])
    match = re.search(r"""^theme = ["'](.*)["']""", text, re.MULTILINE)
    return match[1] if match else None, needs


def folders_of(outputs: Path, data: Sequence[Path]) -> dict[Path, Path]:
    """Where the packs of each data folder go: several folders have one each, called like them."""
    if len(data) == 1:
        return {data[0]: outputs}
    names = [folder.name for folder in data]
    for name in names:
        if names.count(name) > 1:
            raise RunError(
                f"two data folders are called {name}, as their folders of packs would be; "
                "run them one by one, each with its own --outputs"
            )
    return {folder: outputs / folder.name for folder in data}


@lru_cache(maxsize=1)
def _load(folder: Path, key: str) -> tuple[Agreement, Any, Any]:
    """An agreement, its observations and findings; kept for the next period, if `key` is equal."""
    from psa_analysis.pipeline import load_observations
    from psa_analysis.register.loading import load_agreement

    agreement = load_agreement(folder)
    return agreement, *load_observations(agreement)


def _make_report(task: Task, key: str) -> Report:
    from psa_analysis.pipeline import make_report
    from psa_analysis.show.comparison import changes_words
    from psa_analysis.show.grant import grant_words

    report = make_report(*_load(task.data, key), task.period, task.audience)
    # Several pages say what has changed since, and the front page and the overview what the reward
    # may come to. It is kept with the report: made here once and not by each of them.
    changes_words(report)
    grant_words(report)
    return report


def _fill(
    task: Task, sources: list[Path], report: Report, folder: Path, on_event: OnEvent
) -> list[Page]:
    """Make the pages, tables and workbook of a pack in its folder."""
    from psa_analysis.packs.page import Job

    pages: dict[str, Page] = {}
    # Nobody else may read or write the folder.
    with tempfile.TemporaryDirectory(prefix="psa-") as private:
        shared = Path(private) / "report"
        shared.write_bytes(pickle.dumps(report, protocol=pickle.HIGHEST_PROTOCOL))
        given = parameters(report)
        jobs = {
            name: Job(source, folder, shared, given | more, task.code, name, title)
            for name, source, more, title in pages_of(sources, report)
        }
        on_event(task, "pages", str(len(jobs)))
        work: dict[str, Work] = {_TABLES: (partial(_make_tables, shared, folder), _OURS_SECONDS)}
        work |= {stem: (partial(_make_page, job), task.seconds) for stem, job in jobs.items()}
        started = time.monotonic()
        for stem, result in run_children(work, task.workers):
            died = isinstance(result, ProcessDied)
            if stem == _TABLES:
                if died:
                    raise RunError(f"the workbook: {result.why}")
                if result:
                    on_event(task, "warning", result)
                continue
            if died:
                finish = partial(_finish_page, jobs[stem], result.why, time.monotonic() - started)
                ((_, result),) = run_children({stem: (finish, _OURS_SECONDS)}, 1)
                if isinstance(result, ProcessDied):
                    raise RunError(f"{jobs[stem].source.name}: {result.why}")
            page = pages[stem] = result
            text = f"{page.notebook}: {page.outcome}"
            on_event(task, "failed page" if page.status == "failed" else "page", text)
    return [pages[name] for name in sorted(pages)]


# The engine is imported by children alone: this process need not import Jupyter.


def _make_page(job: Job) -> Page:
    from psa_analysis.packs.engine import make_page

    return make_page(job)


def _finish_page(job: Job, why: str, seconds: float) -> Page:
    from psa_analysis.packs.engine import finish_page

    return finish_page(job, why, seconds)


def _make_tables(shared: Path, folder: Path) -> str:
    """Write tables and workbook, and the clean observations; says what could not be saved."""
    from psa_analysis.packs.workbook import save_processed, write_tables
    from psa_analysis.pipeline import kept_report

    report = kept_report(shared)
    write_tables(report, folder)
    if report.audience == "internal":  # a public report holds less than was returned
        try:
            save_processed(report.agreement, report.observations, list(report.findings))
        except OSError as error:  # a data folder that is read-only still makes a pack
            return f"not saved: {error.strerror}: {error.filename}"
    return ""


def _write_front(
    folder: Path, report: Report, pages: list[Page], inputs: dict[str, dict[str, str]]
) -> None:
    """Write the front page and the manifest of a pack."""
    from psa_analysis.packs.page import whole_page
    from psa_analysis.show.front import front_page

    settings = report.agreement.settings.agreement
    title = f"{settings.name}, {report.period}"
    exported = {
        page.html: (folder / page.html).read_text(encoding="utf-8") for page in pages if page.html
    }
    index = whole_page(title, front_page(report, title, pages, exported), report, front=True)
    write_bytes(folder / "index.html", index.encode())
    given = parameters(report)
    if report.audience == "public":  # which is not told of our folders
        given["data"] = Path(given["data"]).name
    manifest = {
        "agreement": settings.name,
        "area": settings.area,
        "period": report.period.label,
        "cut_off": report.cut_off.isoformat(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": given,
        "status": "done" if all(page.status == "done" for page in pages) else "failed",
        "pages": [asdict(page) for page in pages],
        "inputs": _inputs_shown(report, inputs),
        "versions": {"python": platform.python_version()} | versions(),
    }
    content = json.dumps(manifest, indent=2, ensure_ascii=False)
    write_bytes(folder / "manifest.json", content.encode())


def parameters(report: Report) -> dict[str, str]:
    """What the notebooks of a report are given; a folder of the project stays relative to it."""
    from psa_analysis.pipeline import ROOT

    folder = report.agreement.folder.resolve()
    inside = folder.is_relative_to(ROOT)
    return {
        "period": report.period.label,
        "data": str(folder.relative_to(ROOT)) if inside else str(folder),
        "audience": report.audience,
    }


def _inputs_shown(report: Report, inputs: dict[str, dict[str, str]]) -> dict[str, str]:
    """SHA-256 of every file that the pack was made from.

    In a public pack not of returns: whoever knows all but a few figures of one could try numbers
    until the checksum fits.
    """
    data = inputs["data"]
    if report.audience == "public":
        shown = ("raw/published/", "raw/register/")
        data = {name: sha for name, sha in data.items() if name.startswith(shown)}
    return data | {f"notebooks/{name}": sha for name, sha in inputs["notebooks"].items()}
