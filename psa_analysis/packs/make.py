"""One pack: made beside its place by one process at a time, and put there whole or not at all.

Beside the packs, ``outputs/.psa`` keeps for each of them:

=============  ================================================================
``lock``       held while the pack is being made; ``holder`` says by whom
``part/``      the pack that is being made; a run that was stopped left it there,
               and the next takes from it what is still right
``pages/``     for each page, what it was made from
``made.json``  the same of the whole pack
=============  ================================================================

Imports nothing heavy: an unchanged pack must be told at once.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from psa_analysis.files import checksum, write_bytes
from psa_analysis.findings import DataError, ParameterError
from psa_analysis.packs.children import CAN_FORK, warm_context
from psa_analysis.packs.reuse import (
    checksums,
    inputs_of,
    intact,
    key_of,
    made_with,
    read_record,
    write_record,
)
from psa_analysis.periods import Period

#: Where, in the folder of packs, what belongs to no pack is kept.
BESIDE = ".psa"


class RunError(Exception):
    """A pack that cannot be made."""


@dataclass(frozen=True)
class Task:
    """A pack that is to be made.

    Attributes
    ----------
    period : Period
        The reporting quarter.
    data, notebooks, outputs : Path
        The agreement's data folder, the notebooks, and the folder that the pack goes into.
    audience : {"internal", "public"}
        Whom it is for.
    code : bool
        Pages with the code of every cell, folded.
    force : bool
        Make everything, whatever is unchanged.
    workers : int
        How many notebooks at once.
    """

    period: Period
    data: Path
    notebooks: Path
    outputs: Path
    audience: str = "internal"
    code: bool = False
    force: bool = False
    workers: int = 1

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
        """What is kept beside the pack."""
        return self.outputs / BESIDE / self.name


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Attributes
    ----------
    what : {"report", "waiting", "page", "warning", "pack"}
        A report was made, another run is waited for, a page or pack has come to its end.
    pack : str
        Name of the pack.
    said : str
        In words.
    status : str
        Of a page or pack: ``done``, ``failed`` or ``unchanged``.
    notebook : str
        Of a page.
    seconds : float or None
        How long it took.
    """

    what: str
    pack: str
    said: str
    status: str = ""
    notebook: str = ""
    seconds: float | None = None


Tell = Callable[[Event], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a pack.

    Attributes
    ----------
    task : Task
    status : {"done", "failed", "unchanged", "not made"}
        ``failed`` if a notebook did; the pack says which.
    failed : tuple of str
        The notebooks that failed.
    wrong : int
        Number of errors in the returns: figures that were kept out.
    problems : tuple of str
        Why there is no pack, a line each.
    code : int
        The exit code that says it.
    events : tuple of Event
        What happened, where nobody was told at the time.
    """

    task: Task
    status: str
    failed: tuple[str, ...] = ()
    wrong: int = 0
    problems: tuple[str, ...] = ()
    code: int = 0
    events: tuple[Event, ...] = field(default=(), repr=False)


def make_pack(task: Task, tell: Tell) -> Outcome:
    """Make a pack, unless it is there and nothing has changed."""
    try:
        return _make_pack(task, tell)
    except DataError as error:
        lines = [*map(str, error.findings), f"errors in the register: {len(error.findings)}"]
        return Outcome(task, "not made", problems=tuple(lines), code=1)
    except (ParameterError, RunError) as error:
        return Outcome(task, "not made", problems=(str(error),), code=2)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            # What is half made is of no use where there is no room for the rest.
            shutil.rmtree(task.beside / "part", ignore_errors=True)
        where = f": {error.filename}" if error.filename else ""
        problem = f"{error.strerror or error}{where}; the last good pack is untouched"
        return Outcome(task, "not made", problems=(problem,), code=2)


def _make_pack(task: Task, tell: Tell) -> Outcome:
    sources = notebooks_of(task.notebooks)
    _let_write(task)
    with _alone(task, tell):
        _put_back(task)
        inputs = inputs_of(task.data, task.notebooks)
        made = {
            "made_with": made_with(),
            "code": task.code,
            "inputs": inputs,
            "data": str(task.data),
        }
        record = read_record(task.beside / "made.json")
        key = key_of(made)
        if not task.force and record.get("key") == key and intact(task.pack, record["files"]):
            shutil.rmtree(task.beside / "part", ignore_errors=True)
            tell(Event("pack", task.name, f"nothing has changed: {_front(task)}", "unchanged"))
            return Outcome(task, "unchanged", wrong=record["wrong"], code=min(record["wrong"], 1))
        if CAN_FORK:
            warm_context()  # so that it is warm when children are wanted
        # Heavy.
        from psa_analysis.packs.build import build_pack

        part = task.beside / "part"
        if task.force:
            shutil.rmtree(part, ignore_errors=True)
        part.mkdir(exist_ok=True)
        failed, wrong = build_pack(task, sources, part, inputs, tell)
        files = checksums(sorted(part.iterdir()), part)
        _put_in_place(task, part)
        done = not failed
        # What failed may have failed by chance.
        write_record(
            task.beside / "made.json",
            {"key": key if done else None, "wrong": wrong, "files": files},
        )
    status = "done" if done else "failed"
    tell(Event("pack", task.name, f"The pack is {_front(task)}", status))
    return Outcome(task, status, failed, wrong, code=0 if done and not wrong else 1)


def _front(task: Task) -> Path:
    return task.pack / "index.html"


def notebooks_of(folder: Path) -> list[Path]:
    """The notebooks of a folder, in order of their names."""
    # Editors' lock files begin with a dot.
    found = (path for path in folder.glob("*.ipynb") if path.name[0] != ".")
    sources = sorted(path for path in found if path.is_file())
    if not sources:
        raise RunError(f"there is no notebook in {folder}")
    if any(source.stem == "index" for source in sources):
        raise RunError("a notebook cannot be called index: that is the front page's name")
    return sources


def _let_write(task: Task) -> None:
    try:
        task.beside.mkdir(parents=True, exist_ok=True)
        write_bytes(task.beside / "tried", b"")
        (task.beside / "tried").unlink(missing_ok=True)  # or another run has done so
    except OSError as error:
        raise RunError(
            f"cannot write to {task.outputs}: {error.strerror}; name another folder with --outputs"
        ) from None


@contextmanager
def _alone(task: Task, tell: Tell) -> Iterator[None]:
    """Wait until nobody else makes this pack, and let nobody else begin."""
    lock = FileLock(task.beside / "lock")
    holder = task.beside / "holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text() if holder.exists() else "another run"
        tell(Event("waiting", task.name, f"waiting for {who or 'another run'}"))
        lock.acquire()
    try:
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_bytes(
            holder,
            f"process {os.getpid()} on {socket.gethostname()}, which has been making "
            f"{task.name} since {since}".encode(),
        )
        yield
        with suppress(OSError):
            holder.unlink()
    finally:
        lock.release()


def _put_in_place(task: Task, part: Path) -> None:
    """Put a complete pack in the place of an earlier one, which stays there until then."""
    for path in [*part.iterdir(), part]:
        _flush(path)  # or a power cut could leave the names of files and not what is in them
    if task.pack.exists():
        if not _exchange(part, task.pack):
            old = task.beside / "old"
            shutil.rmtree(old, ignore_errors=True)
            task.pack.rename(old)
            part.rename(task.pack)
        _flush(task.outputs)
        for name in ("old", "part"):
            shutil.rmtree(task.beside / name, ignore_errors=True)
    else:
        part.rename(task.pack)
        _flush(task.outputs)


def _put_back(task: Task) -> None:
    """Where a run was stopped between the two steps of putting a pack in its place, undo one."""
    old = task.beside / "old"
    if old.exists():
        if task.pack.exists():
            shutil.rmtree(old)
        else:
            old.rename(task.pack)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, where the system can; says whether it did."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        # AT_FDCWD, twice, and RENAME_EXCHANGE.
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return call(-100, os.fsencode(one), -100, os.fsencode(other), 2) == 0


def _flush(path: Path) -> None:
    """Have what was written of a file or folder reach the disk."""
    if sys.platform == "win32" and path.is_dir():
        return  # folders cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def page_record(task: Task, stem: str) -> Path:
    """Where it is kept what a page was made from."""
    return task.beside / "pages" / f"{stem}.json"


def reusable(task: Task, part: Path, stem: str, key: str) -> dict[str, Any] | None:
    """The record of a page that was made from the same, if its files are there: then in `part`."""
    record = read_record(page_record(task, stem))
    if task.force or record.get("key") != key:
        return None
    files = record["files"]
    if intact(part, files):
        return record
    if intact(task.pack, files):
        for name in files:
            shutil.copyfile(task.pack / name, part / name)
        return record
    return None


def keep_page(task: Task, part: Path, stem: str, key: str, names: list[str], page: Any) -> None:
    """Remember what a page was made from."""
    path = page_record(task, stem)
    path.parent.mkdir(exist_ok=True)
    files = {name: checksum(part / name) for name in names}
    write_record(path, {"key": key, "files": files, "page": asdict(page) if page else None})
