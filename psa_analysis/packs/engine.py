"""One notebook: executed by papermill in the process that was forked for it, and exported.

An ordinary kernel, a fresh interpreter that imports everything again, gives the same outputs.
"""

import errno
import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import papermill
from ipykernel.inprocess.manager import InProcessKernelManager
from ipykernel.iostream import OutStream
from nbclient import NotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from psa_analysis import pipeline
from psa_analysis.files import write_bytes
from psa_analysis.packs.page import Job, Page, export, heading
from psa_analysis.report import Report

#: What a public page says in place of an error, which may quote a figure or a folder.
NOT_FOR_THE_PUBLIC = "this page could not be made; the internal pack says why"


def make_page(job: Job) -> Page:
    """Execute a notebook and export its page."""
    started = time.monotonic()
    report = pipeline.report_of_run = pickle.loads(job.report)
    cell, error = None, None
    try:
        _execute(job)
    except PapermillExecutionError as failure:
        cell, error = failure.exec_count, f"{failure.ename}: {failure.evalue}"
    except Exception as failure:  # a broken notebook must not stop the others
        if getattr(failure, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            raise  # the disk, not the notebook
        error = f"{type(failure).__name__}: {failure}"
    return _export(job, report, cell, error, started)


def finish_page(job: Job, report: Report, why: str, started: float) -> Page:
    """Export what there is of a notebook whose process ended in the middle of it."""
    number = None
    try:
        notebook = nbformat.read(job.executed, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
        number = [cell.metadata.papermill.status for cell in code].index("running") + 1
    except (OSError, ValueError):  # it was not saved, not to the end, or no cell was running
        job.executed.unlink(missing_ok=True)
    else:
        died = {"ename": "The process died", "evalue": why, "traceback": [why]}
        code[number - 1].outputs = [nbformat.v4.new_output("error", **died)]
        write_bytes(job.executed, nbformat.writes(notebook).encode())
    return _export(job, report, number, f"The process died: {why}", started)


def _execute(job: Job) -> None:
    # Some editors put a byte order mark before the JSON, which papermill refuses.
    notebook = nbformat.reads(job.source.read_text(encoding="utf-8-sig"), as_version=4)
    if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
        raise ValueError("no cell is tagged 'parameters', so it would show another period")
    papermill.execute_notebook(
        notebook,
        str(job.executed).replace("{", "{{").replace("}", "}}"),  # or they would be a template's
        job.parameters,
        engine_name="in-process",
        executed=job.executed,
        # A notebook that a program or a merge has made may name no kernel.
        kernel_name="python3",
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
    )


def _export(job: Job, report: Report, cell: int | None, error: str | None, started: float) -> Page:
    """Export the page of an executed notebook, as far as it came."""
    executed, public = job.executed, report.audience == "public"
    html, title = None, executed.stem
    if executed.exists():
        try:
            notebook = nbformat.read(executed, as_version=4)
            _remove_times(notebook)
            if title != job.source.stem:  # a general notebook, which its theme gives a heading
                theme = report.agreement.settings.themes[job.parameters["theme"]]
                below = notebook.cells[0].source.partition("\n")[2]
                notebook.cells[0].source = f"# {theme}\n{below}".rstrip()
            if public:
                _remove_paths(notebook, job.parameters["data"])
            title = heading(notebook) or title
            page = export(notebook, title, report).encode()
        except Exception as failure:  # one that cannot be exported must not stop the others
            error = error or f"{type(failure).__name__}: {failure}"
            if public:
                # What could not be stripped of what is not for the public is no part of the pack.
                executed.unlink()
        else:
            html = f"{executed.stem}.html"
            write_bytes(executed, nbformat.writes(notebook).encode())
            write_bytes(executed.with_name(html), page)
    status = "failed" if error else "done"
    if error:
        error = NOT_FOR_THE_PUBLIC if public else " ".join(error.split())[:500]
    seconds = round(time.monotonic() - started, 3)
    return Page(executed.name, title, status, html, cell, error, seconds)


def _remove_times(notebook: Any) -> None:
    """Remove what differs between equal runs: times, and the ids that papermill draws."""
    notebook.metadata.pop("papermill", None)
    for position, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        for tag in cell.metadata.get("tags", []):
            if tag == "injected-parameters":
                cell["id"] = tag
            elif tag == "papermill-error-cell-tag":  # at the head, and where it failed
                cell["id"] = f"{tag}-{position}"


def _remove_paths(notebook: Any, data: str) -> None:
    """Remove the data folder's path, warnings and errors: they quote figures and folders."""
    for cell in notebook.cells:
        if Path(data).is_absolute():
            cell.source = cell.source.replace(data, Path(data).name)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                text = NOT_FOR_THE_PUBLIC
                output.update(ename="Error", evalue=text, traceback=[text])


class InProcessEngine(Engine):
    """Executes a notebook in the process that it is called in."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, executed: Path, **_: Any
    ) -> None:
        """Execute the cells one by one, and stop at the first that fails."""
        # As an ordinary kernel does, so that figures show in the same way.
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
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
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            nb_man.cell_start(cell, position)
            # Should the process die, this tells in which cell; papermill's own saving takes longer.
            executed.write_text(json.dumps(nb_man.nb), encoding="utf-8")
            client.execute(cell.source, allow_stdin=False)
            reply = client.get_shell_msg()["content"]
            cell.execution_count = reply["execution_count"]
            kernel.stdout.flush()
            kernel.stderr.flush()
            outputs.clear_before_next_output = False
            for message in client.iopub_channel.get_msgs():
                if message["msg_type"] not in ("status", "execute_input"):
                    outputs.process_message(message, cell, position)
            if reply.get("ename") == "SystemExit":  # which papermill takes for a good end
                raise RuntimeError(f"cell {position} ends the notebook early: take exit() out")
            if reply["status"] == "error":
                nb_man.cell_exception(cell, position)
                break
            cell.metadata.papermill["status"] = nb_man.COMPLETED


papermill_engines.register("in-process", InProcessEngine)
