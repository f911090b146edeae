"""Work in processes of its own, forked from a warm one, and apart from each other.

A child has all that the warm process has imported, and its own memory, names and random state. If
it dies, that is an answer like any other; ``concurrent.futures`` gives up all work then.

The warm process is the standard library's fork server: it imports while this process loads the
figures, and has no threads, beside which forking is not safe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

#: Where processes can be forked, and the system's libraries survive it.
CAN_FORK = sys.platform.startswith("linux")
if CAN_FORK:
    import fcntl

#: Given to each piece of work, so that it can tell how far it has come.
Say = Callable[[int], None]

#: A machine may be out of processes or memory for a moment.
_FORKS_TRIED = 5


@dataclass(frozen=True)
class Died:
    """A child that ended without an answer.

    Attributes
    ----------
    said : int or None
        What it said last.
    seconds : float
        How long ago that was.
    why : str
        How it ended.
    """

    said: int | None
    seconds: float
    why: str


_WARM = "psa_analysis.packs.warm"

#: Tells the warm process that PYTHONSAFEPATH is not its user's wish.
SAFE = "psa"


def warm_context() -> Any:
    """The context whose processes are warm: forked from this one if it is warm itself.

    Starts the warm process if there is none yet, so it pays to ask early.
    """
    if _WARM in sys.modules:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_WARM])
    # The standard library's server looks for modules where the user happens to stand first, and a
    # file of theirs called calendar.py would be taken for the library's.
    if "PYTHONSAFEPATH" in os.environ:
        forkserver.ensure_running()
    else:
        os.environ["PYTHONSAFEPATH"] = SAFE
        try:
            forkserver.ensure_running()
        finally:
            del os.environ["PYTHONSAFEPATH"]
    return context


def run_children(
    work: Mapping[str, Callable[[Say], Any]], workers: int
) -> Iterator[tuple[str, Any]]:
    """Do each piece of work in a child of its own, so many at once, in the given order."""
    context = warm_context()
    waiting, running = deque(work.items()), dict[Any, tuple[str, Any]]()
    said: dict[str, tuple[int | None, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name, task = waiting.popleft()
                here, there = context.Pipe(duplex=False)
                child = context.Process(target=_child, args=(task, there), name=name)
                _start(child)
                said[name] = None, time.monotonic()
                there.close()
                running[here] = name, child
            ready: list[Any] = wait(list(running))
            for here in ready:
                name, child = running[here]
                try:
                    kind, value = here.recv()
                except EOFError:
                    child.join()
                    last, when = said[name]
                    value = Died(last, time.monotonic() - when, _how(child.exitcode))
                    kind = "end"
                if kind == "said":
                    said[name] = value, time.monotonic()
                    continue
                del running[here]
                here.close()
                child.join()
                yield name, value
    finally:
        for _, child in running.values():
            child.kill()
        for _, child in running.values():
            child.join()


def _start(child: Any) -> None:
    for _ in range(_FORKS_TRIED - 1):
        try:
            return child.start()
        except (BlockingIOError, MemoryError):
            time.sleep(0.5)
    return child.start()


def _child(task: Callable[[Say], Any], there: Connection) -> None:
    end_with_parent()
    # Whoever interrupts means the parent, which stops its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Where memory runs out, one notebook ends and not the run.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    try:
        value = task(lambda number: there.send(("said", number)))
    except Exception as error:
        value = error
    there.send(("end", value))
    # Threads that a notebook has left behind are not waited for.
    there.close()
    sys.stdout.flush()
    os._exit(0)


def end_with_parent() -> None:
    """Have the system end this process when the one that asked for it ends, whatever it does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    # The parent holds the other end of this pipe and never writes to it. When the parent ends, the
    # pipe does, and the system sends the signal that ends whoever does not handle it.
    pipe = parent.sentinel
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if wait([pipe], timeout=0):
        os._exit(1)


def _how(code: int) -> str:
    if code >= 0:
        return f"its process ended with {code}"
    name = signal.Signals(-code).name
    memory = ", as happens when memory runs out" if -code == signal.SIGKILL else ""
    return f"its process was stopped by {name}{memory}"
