"""Where a pack stands, and how it gets there whole or not at all.

Beside the packs, ``outputs/.psa`` keeps a folder for each: its ``lock``, and in ``holder`` who has
it; the pack that is being made, ``new-...``; the one before, ``old``, while the new one takes its
place; and in ``made.json`` what the pack was made from.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from psa_analysis.files import write_bytes
from psa_analysis.periods import Period


class RunError(Exception):
    """A pack that cannot be made."""


@dataclass(frozen=True)
class Task:
    """A pack that is to be made."""

    period: Period
    data: Path
    notebooks: Path
    outputs: Path
    audience: str
    code: bool  # pages with the code of every cell, folded
    force: bool  # also if nothing has changed
    workers: int  # how many notebooks at once
    seconds: float  # how long each may take, so that nobody waits for an endless loop

    @property
    def name(self) -> str:
        """What the pack's folder is called."""
        return self.period.slug + ("-public" if self.audience == "public" else "")

    @property
    def pack(self) -> Path:
        """The pack's folder."""
        return self.outputs / self.name

    @property
    def beside(self) -> Path:
        """The folder of what is kept beside the pack."""
        return self.outputs / ".psa" / self.name


@dataclass(frozen=True)
class Outcome:
    """What became of a pack."""

    task: Task
    code: int  # the exit code that says it
    text: str = ""  # where the pack is, if there is one
    problems: tuple[str, ...] = ()  # what went wrong, a line each


#: Called while a pack is made: with "progress", "failed page" or "warning", and a text.
OnEvent = Callable[[Task, str, str], None]


@contextmanager
def lock_pack(task: Task, on_event: OnEvent) -> Iterator[None]:
    """Wait until nobody else makes this pack, and let nobody else begin."""
    lock = FileLock(task.beside / "lock")
    holder = task.beside / "holder"
    try:
        task.beside.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text() if holder.exists() else "another run"
        on_event(task, "warning", f"waiting for {who}")
        lock.acquire()
    except OSError as error:
        raise RunError(
            f"cannot write to {task.outputs}: {error.strerror}; name another folder with --outputs"
        ) from None
    try:
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        who = f"process {os.getpid()} on {socket.gethostname()}"
        write_bytes(holder, f"{who}, which has been making {task.name} since {since}".encode())
        yield
        holder.unlink(missing_ok=True)
    finally:
        lock.release()


def tidy_up(task: Task) -> None:
    """Remove what a run has left, and put back the old pack if there is no new one."""
    old = task.beside / "old"
    if old.exists() and not task.pack.exists():
        old.rename(task.pack)
    for left in [old, *task.beside.glob("new-*")]:
        shutil.rmtree(left, ignore_errors=True)


def put_in_place(task: Task, folder: Path) -> None:
    """Put a complete pack in the place of an earlier one.

    In between, for some microseconds, there is none; :func:`tidy_up` mends what stops just then.
    """
    if task.pack.exists():
        task.pack.rename(task.beside / "old")
    folder.rename(task.pack)


def read_record(task: Task) -> dict[str, Any]:
    """What the pack was made from; nothing if there is none, or that cannot be read."""
    try:
        return json.loads((task.beside / "made.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_record(task: Task, record: dict[str, Any]) -> None:
    """Keep what the pack was made from, for the next run."""
    write_bytes(task.beside / "made.json", json.dumps(record, indent=1).encode())
