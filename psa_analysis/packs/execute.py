"""One notebook: executed by papermill, in this process or in a kernel of its own, and exported.

An ordinary kernel is a fresh interpreter that imports everything again. In a child that was forked
for one notebook, Jupyter's in-process kernel gives the same outputs without that.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.inprocess.manager import InProcessKernelManager
from ipykernel.iostream import OutStream
from nbclient import NotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from psa_analysis.files import write_bytes
from psa_analysis.packs.children import Died, Say
from psa_analysis.packs.jobs import Job, Page, parameters
from psa_analysis.packs.page import export, first_sentence, heading
from psa_analysis.pipeline import REPORT_OF_RUN
from psa_analysis.report import Report

#: How much longer a cell is waited for that does not heed it; then its process is ended.
_GRACE_SECONDS = 5

#: Ordinary kernels agree on ports before they hold them, and another may be quicker.
_STARTS_TRIED = 3

#: What a public page says in place of an error, which may quote a figure or a folder.
NOT_FOR_THE_PUBLIC = "this page could not be made; the internal pack says why"

#: The disk, not the notebook.
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class CellTimeout(BaseException):
    """A cell took too long. Not an Exception, which a notebook may catch."""


def make_page(job: Job, say: Say, warm: bool) -> Page:
    """Execute a notebook and export its page."""
    started = time.monotonic()
    os.environ[REPORT_OF_RUN] = str(job.shared)
    status, cell, error = "done", None, None
    try:
        notebook = _read(job.source)
        warm = warm and notebook.metadata.get("kernelspec", {}).get("name") == "python3"
        for tries in range(1, _STARTS_TRIED + 1):
            job.executed.unlink(missing_ok=True)
            try:
                _papermill(job, say, warm)
                break
            except (OSError, RuntimeError) as failure:
                if _of_disk(failure):
                    raise
                if warm or tries == _STARTS_TRIED or _cell_begun(job.executed):
                    raise
    except PapermillExecutionError as failure:
        status, cell = "failed", failure.exec_count
        error = f"{failure.ename}: {failure.evalue}"
    except Exception as failure:  # a dead kernel or broken notebook must not stop the others
        if _of_disk(failure):
            raise
        status, error = "failed", f"{type(failure).__name__}: {failure}"
        begun = _cell_begun(job.executed)
        cell = begun and begun[1]
    return _finish(job, status, cell, error, time.monotonic() - started)


def page_of_the_dead(job: Job, end: Died, seconds: float) -> Page:
    """The page of a notebook whose process has ended in the middle of it."""
    cell, why = None, end.why
    if end.seconds > job.seconds:
        why = f"the cell took longer than {job.seconds:g} seconds and could not be interrupted"
    if end.said is not None:
        notebook = _prepared(job)
        for one in notebook.cells:
            if one.cell_type == "code":
                one.outputs, one.execution_count = [], None
        cell = _number(notebook, end.said)
        broken = nbformat.v4.new_output(
            "error", ename="The process died", evalue=why, traceback=[why]
        )
        notebook.cells[end.said].outputs = [broken]
        write_bytes(job.executed, nbformat.writes(notebook).encode())
    else:
        job.executed.unlink(missing_ok=True)
    return _finish(job, "failed", cell, f"The process died: {why}", seconds)


def _read(source: Path) -> Any:
    notebook = nbformat.read(source, as_version=4)
    if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
        raise ValueError("no cell is tagged 'parameters', so it would show another period")
    return notebook


def _papermill(job: Job, say: Say, warm: bool) -> None:
    chosen = {"engine_name": "warm", "say": say} if warm else {}
    papermill.execute_notebook(
        _plain(job.source),
        _plain(job.executed),
        parameters=parameters(job.report),
        progress_bar=False,
        log_output=False,
        execution_timeout=job.seconds,
        # A kernel that dies takes with it what was not saved.
        request_save_on_cell_execute=not warm,
        # Stopping a kernel interrupts it first, and it would say so on our terminal.
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        **chosen,
    )


def _prepared(job: Job) -> Any:
    """The notebook with its parameters, not executed."""
    return papermill.execute_notebook(
        _plain(job.source), None, parameters=parameters(job.report), prepare_only=True
    )


def _plain(path: Path) -> str:
    """A path as papermill wants it, to which braces are a template's."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _of_disk(failure: Exception) -> bool:
    return isinstance(failure, OSError) and failure.errno in _NOT_WRITTEN


def _cell_begun(executed: Path) -> tuple[int, int] | None:
    """Position and number of the cell at which a saved notebook stands; None if none began."""
    if not executed.exists():
        return None
    notebook = nbformat.read(executed, as_version=4)
    for position, cell in enumerate(notebook.cells):
        if cell.metadata.get("papermill", {}).get("status") == "running":
            return position, _number(notebook, position)
    return None


def _number(notebook: Any, position: int) -> int:
    """The number of a cell as Jupyter counts executions."""
    cells = notebook.cells[: position + 1]
    return sum(1 for cell in cells if cell.cell_type == "code" and cell.source.strip())


def _finish(job: Job, status: str, cell: int | None, error: str | None, seconds: float) -> Page:
    """Make the page of an executed notebook, as far as it came."""
    started = time.monotonic()
    report, executed = job.report, job.executed
    html, title, about = None, job.source.stem, ""
    if executed.exists():
        try:
            notebook = _settled(nbformat.read(executed, as_version=4))
            if report.audience == "public":
                notebook = _without_paths(notebook, report)
            title, about = heading(notebook) or title, first_sentence(notebook)
            page = export(notebook, title, report, job.code).encode()
        except Exception as failure:  # one that cannot be exported must not stop the others
            status = "failed"
            error = error or f"{type(failure).__name__}: {failure}"
            if report.audience == "public":
                # What could not be stripped of what is not for the public is no part of the pack.
                executed.unlink()
        else:
            html = f"{job.source.stem}.html"
            write_bytes(executed, nbformat.writes(notebook).encode())
            write_bytes(job.folder / html, page)
    if error:
        error = NOT_FOR_THE_PUBLIC if report.audience == "public" else _one_line(error)
    seconds = round(seconds + time.monotonic() - started, 3)
    return Page(job.source.name, title, about, status, html, cell, error, seconds)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _settled(notebook: Any) -> Any:
    """The executed notebook without what differs between equal runs: times, a drawn cell id."""
    notebook.metadata.pop("papermill", None)
    for position, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for number, tag in enumerate(("injected-parameters", "papermill-error-cell-tag")):
            if tag in cell.metadata.get("tags", []):
                # A failed notebook has two cells that say so: at its head and at the failure.
                cell["id"] = f"{tag}-{position}" if number else tag
    return notebook


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
                output.update(
                    ename="Error", evalue=NOT_FOR_THE_PUBLIC, traceback=[NOT_FOR_THE_PUBLIC]
                )
    return notebook


class WarmEngine(Engine):
    """Executes a notebook in the process that it is called in."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, say: Say, execution_timeout: float, **_: Any
    ) -> None:
        """Execute the cells one by one, and stop at the first that fails."""
        # As an ordinary kernel does, so that figures show in the same way.
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        import matplotlib

        matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]
        # Cells of a run are no history of its user's, and children would wait for its file.
        config = Config({"HistoryManager": {"hist_file": ":memory:"}})
        manager: Any = InProcessKernelManager(config=config)
        manager.start_kernel()
        kernel, client = manager.kernel, manager.client()
        for name in ("stdout", "stderr"):
            # What programs print that a cell starts is its output too.
            setattr(kernel, name, OutStream(kernel.session, kernel.iopub_thread, name))
        client.start_channels()
        nb_man.nb.metadata["language_info"] = kernel.language_info
        outputs = NotebookClient(nb_man.nb, record_timing=False)
        for position, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, position)
            if cell.cell_type == "code" and cell.source.strip():
                say(position)
                with _limited(execution_timeout):
                    client.execute(cell.source, allow_stdin=False)
                reply = client.get_shell_msg()["content"]
                cell.execution_count = reply["execution_count"]
                kernel.stdout.flush()
                kernel.stderr.flush()
                outputs.clear_before_next_output = False
                for message in client.iopub_channel.get_msgs():
                    if message["msg_type"] not in ("status", "execute_input"):
                        outputs.process_message(message, cell, position)
                if reply["status"] == "error":
                    nb_man.cell_exception(cell, position)
                    break
            nb_man.cell_complete(cell, position)


papermill_engines.register("warm", WarmEngine)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise CellTimeout in what takes longer; end the process where that is not heeded."""

    def ring(*_: Any) -> None:
        raise CellTimeout(f"the cell took longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
