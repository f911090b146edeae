"""Work in processes of its own, each forked for one piece of work from one that is warm.

If a child dies or takes too long, that is the result of its work, and the others go on.
"""

import faulthandler
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from functools import lru_cache
from multiprocessing import forkserver
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout

#: System libraries do not survive a fork on macOS and Windows.
_METHOD = "forkserver" if sys.platform.startswith("linux") else "spawn"
_CONTEXT: Any = multiprocessing.get_context(_METHOD)

#: Variables that name the folders of IPython, Jupyter, matplotlib and fontconfig; their defaults.
_FOLDERS = {"HOME": "~", "TMPDIR": "/tmp", "XDG_CACHE_HOME": "~/.cache"}
_FOLDERS |= {"XDG_CONFIG_HOME": "~/.config", "XDG_DATA_HOME": "~/.local/share"}
_FOLDERS |= {"MPLCONFIGDIR": "~/.cache/matplotlib", "IPYTHONDIR": "~/.ipython"}
_FOLDERS |= {"JUPYTER_CONFIG_DIR": "~/.jupyter", "JUPYTER_DATA_DIR": "~/.local/share/jupyter"}


def _private_folder(beside: Path) -> Path:
    """A folder of this process alone, with a folder for each of the user's it cannot write to."""
    for path in beside.glob("run-*.lock"):
        with suppress(Timeout), FileLock(path, timeout=0) as left:
            _remove(left)
    held = FileLock(beside / f"run-{uuid4()}.lock")
    held.acquire()
    folder = Path(held.lock_file).with_suffix("")
    folder.mkdir(0o700)
    # After what multiprocessing itself removes from it, whose priority is -100.
    Finalize(None, _remove, args=(held,), exitpriority=-101)
    os.environ.setdefault("HOME", os.devnull)  # a user of a container may have none
    for variable, default in _FOLDERS.items():
        named = Path(os.environ.get(variable) or default).expanduser()
        nearest = next(path for path in (named, *named.parents) if os.access(path, os.F_OK))
        if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
            (folder / variable).mkdir()
            os.environ[variable] = str(folder / variable)
    return folder


def _remove(held: BaseFileLock) -> None:
    path = Path(held.lock_file)
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    path.unlink(missing_ok=True)
    held.release()


@lru_cache
def start_warm_process(beside: Path) -> None:
    """Start the process that children are forked from, whose files stand in a folder of ours."""
    private = _private_folder(beside)
    # Or it would look for modules where the user happens to stand first, and take a file called
    # calendar.py for the library's. It stays, should the process die and be started again.
    os.environ["PYTHONSAFEPATH"] = "1"
    if _METHOD == "spawn":  # children are fresh interpreters that import everything again
        return
    _CONTEXT.set_forkserver_preload(["psa_analysis.packs.warm"])
    # A killed run must leave nothing in the user's temporary folder. The name is short, for that of
    # a socket may have 107 letters. On some shared disks there can be no socket.
    short = f"/proc/{os.getpid()}/fd/{os.open(private, os.O_RDONLY)}"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
        tried.bind(f"{short}/tried")
        tempfile.tempdir = short
    forkserver.ensure_running()
    tempfile.tempdir = None


def run_children(
    function: Callable[[Any], Any], work: Mapping[str, Any], seconds: float, workers: int
) -> Iterator[tuple[str, Any, str]]:
    """Do each piece of work in a child, so many at once; yields results, or why a child died."""
    from pebble import ProcessExpired, concurrent

    in_child: Any = concurrent.process  # its types name the context otherwise than it does
    start = in_child(daemon=False, timeout=seconds, context=_CONTEXT)(_work_in_child)
    waiting, running = deque(work), dict[Future[Any], str]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name = waiting.popleft()
                running[start(function, work[name], seconds)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                result, died = None, ""
                try:
                    result = future.result()
                except TimeoutError:
                    died = f"it took longer than {seconds:g} seconds and was stopped"
                except ProcessExpired as error:
                    died = _how_it_ended(error.exitcode)
                yield name, result, died
    finally:
        for future in running:
            future.cancel()


def _work_in_child(function: Callable[[Any], Any], work: Any, seconds: float) -> Any:
    Thread(target=_end_with_parent, daemon=True).start()
    # A loop in C lets no thread of Python run; this one, a minute after its time, is none.
    faulthandler.dump_traceback_later(seconds + 60, exit=True)
    return function(work)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _how_it_ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"its process ended with {exit_code}"
    memory = ", as happens when memory runs out" if -exit_code == signal.SIGKILL else ""
    return f"its process was stopped by {signal.Signals(-exit_code).name}{memory}"
