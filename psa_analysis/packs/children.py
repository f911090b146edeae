"""Work in processes of its own, each forked for one piece of work from one that is warm.

A child has all that the warm process has imported, and its own memory, names and random state. If
it dies or takes too long, that is the result of its work, and the others go on.
"""

import faulthandler
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import lru_cache
from multiprocessing import forkserver
from threading import Thread
from typing import Any


@lru_cache
def start_warm_process() -> Any:
    """Start the process that children are forked from; the multiprocessing context to do it with.

    Where system libraries do not survive a fork, as on macOS and Windows, children are fresh
    interpreters that import everything again.
    """
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["psa_analysis.packs.warm"])
    # Or it would look for modules where the user happens to stand first, and take a file called
    # calendar.py for the library's. The warm process takes the setting back.
    os.environ["PYTHONSAFEPATH"] = "1"
    forkserver.ensure_running()
    del os.environ["PYTHONSAFEPATH"]
    return context


def run_children(
    function: Callable[[Any], Any], work: Mapping[str, Any], seconds: float, workers: int
) -> Iterator[tuple[str, Any, str]]:
    """Do each piece of work in a child, so many at once; yields results, or why a child died."""
    from pebble import ProcessExpired, concurrent

    in_child: Any = concurrent.process  # its types name the context otherwise than it does
    start = in_child(daemon=False, timeout=seconds, context=start_warm_process())(_work_in_child)
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
