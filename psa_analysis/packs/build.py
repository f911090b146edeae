"""What a pack holds: pages, front, tables, workbook, manifest."""

from __future__ import annotations

import json
import pickle
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from psa_analysis.files import csv_text, write_bytes
from psa_analysis.findings import errors
from psa_analysis.packs.children import CAN_FORK, Died, Say, run_children
from psa_analysis.packs.jobs import CELL_SECONDS, Job, Page, parameters
from psa_analysis.packs.make import Event, Task, Tell, keep_page, page_record, reusable
from psa_analysis.packs.page import whole_page
from psa_analysis.packs.reuse import key_of, made_with, read_record, versions
from psa_analysis.packs.workbook import (
    assessment_parquet,
    save_processed,
    tables,
    workbook_name,
    write_workbook,
)
from psa_analysis.pipeline import kept_report, load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.comparison import changes_words
from psa_analysis.show.front import front_page
from psa_analysis.show.grant import grant_words

#: What the tables and the workbook are called among the pages.
_TABLES = "tables"


def build_pack(
    task: Task, sources: list[Path], part: Path, inputs: dict[str, dict[str, str]], tell: Tell
) -> tuple[tuple[str, ...], int]:
    """Fill a folder with a pack."""
    report = _report(task, key_of(inputs["data"]))
    tell(Event("report", task.name, repr(report)))
    keys = _keys(task, sources, report, inputs)
    kept = {stem: reusable(task, part, stem, key) for stem, key in keys.items()}
    wanted = {name for record in kept.values() if record for name in record["files"]}
    for path in part.iterdir():
        if path.name not in wanted:
            path.unlink()
    pages: dict[str, Page] = {}
    work: list[Path] = []
    for source in sources:
        if record := kept[source.stem]:
            pages[source.stem] = Page(**record["page"])
            said = f"{source.name}: unchanged"
            tell(Event("page", task.name, said, "unchanged", source.name))
        else:
            work.append(source)
    for stem, page in _done(task, work, report, part, with_tables=not kept[_TABLES]):
        if isinstance(page, str):
            keep_page(task, part, stem, keys[stem], _table_names(report), None)
            if page:
                tell(Event("warning", task.name, page))
            continue
        pages[stem] = page
        if page.status == "done":
            keep_page(task, part, stem, keys[stem], [page.notebook, str(page.html)], page)
        tell(
            Event(
                "page",
                task.name,
                f"{page.notebook}: {_outcome(page)}",
                page.status,
                page.notebook,
                page.seconds,
            )
        )
    ordered = [pages[source.stem] for source in sources]
    _write_front(part, report, ordered, inputs)
    failed = tuple(page.notebook for page in ordered if page.status != "done")
    return failed, len(errors(report.findings))


@lru_cache(maxsize=1)
def _loaded(folder: Path, key: str) -> tuple[Any, Any, Any]:
    """An agreement and its observations; kept for the next period, while the files are the same."""
    agreement = load_agreement(folder)
    return agreement, *load_observations(agreement)


def _report(task: Task, key: str) -> Report:
    report = make_report(*_loaded(task.data, key), task.period, task.audience)
    # Several pages say what has changed since, and the front page and the overview what the reward
    # may come to. It is kept with the report: made here once and not by each of them.
    changes_words(report)
    grant_words(report)
    return report


def _keys(
    task: Task, sources: list[Path], report: Report, inputs: dict[str, dict[str, str]]
) -> dict[str, str]:
    """What each page is made from."""
    beside = {name: sha for name, sha in inputs["notebooks"].items() if name.endswith(".py")}
    common = [made_with(), task.name, str(task.data), inputs["data"]]
    keys = {
        source.stem: key_of(common, task.code, beside, inputs["notebooks"][source.name])
        for source in sources
    }
    return {**keys, _TABLES: key_of(common)}


def _done(
    task: Task, sources: list[Path], report: Report, part: Path, with_tables: bool
) -> Iterator[tuple[str, Page | str]]:
    """Do what is to be done; the tables have no page, but may have a warning."""
    if not sources and not with_tables:
        return
    # The longest first, so that none is left over at the end.
    sources = sorted(sources, key=lambda source: _expected_seconds(task, source), reverse=True)
    # Nobody else may read or write the folder.
    with tempfile.TemporaryDirectory(prefix="psa-") as folder:
        shared = Path(folder) / "report"
        shared.write_bytes(pickle.dumps(report, protocol=pickle.HIGHEST_PROTOCOL))
        work = {
            source.stem: Job(source, part, shared, task.code, CELL_SECONDS) for source in sources
        }
        made = partial(_make_tables, shared, part) if with_tables else None
        by = _done_by_children if CAN_FORK else _done_by_kernels
        yield from by(task, work, made)


def _expected_seconds(task: Task, source: Path) -> float:
    """What a page took last time; of a new one, what its size says, roughly."""
    page = read_record(page_record(task, source.stem)).get("page") or {}
    return float(page.get("seconds") or source.stat().st_size / 200_000)


def _make_page(job: Job, say: Say, warm: bool = True) -> Page:
    # Here, since this process need not import Jupyter: those that execute notebooks do.
    from psa_analysis.packs.execute import make_page

    return make_page(job, say, warm)


def _done_by_children(
    task: Task, work: dict[str, Job], make_tables: Callable[..., str] | None
) -> Iterator[tuple[str, Page | str]]:
    todo: dict[str, Callable[..., Any]] = {_TABLES: make_tables} if make_tables else {}
    todo |= {stem: partial(_make_page, job) for stem, job in work.items()}
    started = time.monotonic()
    for stem, result in run_children(todo, task.workers):
        if isinstance(result, Died) and stem in work:
            from psa_analysis.packs.execute import page_of_the_dead

            result = page_of_the_dead(work[stem], result, time.monotonic() - started)
        if isinstance(result, Died):
            raise OSError(f"the workbook: {result.why}")
        if isinstance(result, Exception):
            raise result
        yield stem, result


def _done_by_kernels(
    task: Task, work: dict[str, Job], make_tables: Callable[..., str] | None
) -> Iterator[tuple[str, Page | str]]:
    with ThreadPoolExecutor(task.workers) as pool:
        waiting = {
            pool.submit(_make_page, job, lambda _: None, warm=False): stem
            for stem, job in work.items()
        }
        if make_tables:
            yield _TABLES, make_tables()
        for one in as_completed(waiting):
            yield waiting[one], one.result()


def _outcome(page: Page) -> str:
    if page.status == "done":
        return f"done in {page.seconds:.1f} s"
    return f"failed at cell {page.cell if page.cell is not None else '?'}: {page.error}"


def _table_names(report: Report) -> list[str]:
    return ["assessment.csv", "assessment.parquet", "commitments.csv", workbook_name(report)]


def _make_tables(shared: Path, folder: Path, _: Any = None) -> str:
    """Write tables and workbook, and the clean observations; says what could not be saved."""
    report = kept_report(shared)
    write_tables(report, folder)
    if report.audience == "internal":  # a public report holds less than was returned
        try:
            save_processed(report.agreement, report.observations, list(report.findings))
        except OSError as error:  # a data folder that is read-only still makes a pack
            return f"not saved: {error.strerror}: {error.filename}"
    return ""


def write_tables(report: Report, folder: Path) -> None:
    """Write a report's tables and workbook."""
    made = tables(report)
    promised = made["commitments"]
    # The workbook has the register's columns beside these; here they stand in the register.
    promised = promised[[name for name in report.commitments if name in promised]]
    write_bytes(folder / "assessment.csv", csv_text(made["assessment"]).encode())
    write_bytes(folder / "assessment.parquet", assessment_parquet(report))
    write_bytes(folder / "commitments.csv", csv_text(promised).encode())
    write_workbook(report, folder / workbook_name(report))


def _write_front(
    folder: Path, report: Report, pages: list[Page], inputs: dict[str, dict[str, str]]
) -> None:
    settings = report.agreement.settings.agreement
    title = f"{settings.name}, {report.period}"
    exported = {
        page.html: (folder / page.html).read_text(encoding="utf-8") for page in pages if page.html
    }
    index = whole_page(title, front_page(report, title, pages, exported), report, front=True)
    write_bytes(folder / "index.html", index.encode())
    manifest = {
        "agreement": settings.name,
        "area": settings.area,
        "period": report.period.label,
        "cut_off": report.cut_off.isoformat(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": _parameters_shown(report),
        "status": "done" if all(page.status == "done" for page in pages) else "failed",
        "pages": [asdict(page) for page in pages],
        "inputs": _inputs(report, inputs),
        "versions": {"python": platform.python_version()} | versions(),
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


def _inputs(report: Report, inputs: dict[str, dict[str, str]]) -> dict[str, str]:
    """SHA-256 of every file that the pack was made from.

    In a public pack not of returns: whoever knows all but a few figures of one could try numbers
    until the checksum fits.
    """
    data = inputs["data"]
    if report.audience == "public":
        shown = ("raw/published/", "raw/register/")
        data = {name: sha for name, sha in data.items() if name.startswith(shown)}
    return data | {f"notebooks/{name}": sha for name, sha in inputs["notebooks"].items()}
