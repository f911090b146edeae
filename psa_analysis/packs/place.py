"""Where a pack stands, what it was made from, and how it gets there whole or not at all.

Beside the packs, ``outputs/.psa`` keeps a folder for each: its ``lock``, and in ``holder`` who has
it; the pack that is being made, ``new-...``; the one before, ``old``, while the new one takes its
place; and in ``made.json`` what the pack was made from.

Imports nothing heavy: an unchanged pack must be told at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from psa_analysis.files import checksum, write_bytes
from psa_analysis.findings import ParameterError
from psa_analysis.periods import Period

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
        held = lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text() if holder.exists() else "another run"
        on_event(task, "warning", f"waiting for {who}")
        held = lock.acquire()
    except OSError as error:
        wrong = f"cannot write to {task.outputs}: {error.strerror}"
        raise ParameterError(f"{wrong}; name another folder with --outputs") from None
    with held:
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        who = f"process {os.getpid()} on {socket.gethostname()}"
        write_bytes(holder, f"{who}, which has been making {task.name} since {since}".encode())
        yield
        holder.unlink(missing_ok=True)


def tidy_up(task: Task) -> None:
    """Remove what a run has left, and put back the old pack if there is no new one."""
    old = task.beside / "old"
    if old.exists() and not task.pack.exists():
        old.rename(task.pack)
    for left in [old, *task.beside.glob("new-*")]:
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def new_pack(task: Task) -> Iterator[Path]:
    """A folder to make a pack in; if all goes well, it takes the place of the earlier pack."""
    # Nobody else may write here: a process that a killed run has left writes into its own folder.
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=task.beside)) / "pack"
    try:
        folder.mkdir()
        yield folder
        # In between, for some microseconds, there is no pack; tidying up mends what stops there.
        if task.pack.exists():
            task.pack.rename(task.beside / "old")
        folder.rename(task.pack)
    finally:
        tidy_up(task)


def read_record(task: Task, key: str) -> dict[str, Any] | None:
    """The record of the pack, if it was made from what has this key and is as it was made."""
    try:
        record = json.loads((task.beside / "made.json").read_text(encoding="utf-8"))
        paths = [task.pack / name for name in record["files"]]
        same = record["key"] == key and checksums(paths, task.pack) == record["files"]
    except (OSError, ValueError):
        return None
    return record if same else None


def key_of(task: Task, made_from: dict[str, str]) -> str:
    """SHA-256 of all that a pack is made from."""
    package = checksums(_files(_PACKAGE), _PACKAGE)
    parts = [package, versions(), made_from, str(task.data)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions of the package and of the libraries that it is built on."""
    # "pandas>=3,<4", 'nbval; extra == "test"'
    lines = [line for line in requires("psa_analysis") or () if "extra ==" not in line]
    required = [re.split(r"[^\w.-]", line)[0] for line in lines]
    names = ["psa_analysis", "nbclient", "nbformat", "ipython", *required]
    return {name: version(name) for name in names}


def inputs_of(task: Task) -> dict[str, str]:
    """SHA-256 of every file that a pack may depend on: raw data, notebooks, modules beside them."""
    beside = [path for path in _files(task.notebooks) if path.suffix in (".ipynb", ".py")]
    digests = checksums(beside, task.notebooks)
    named = {f"notebooks/{name}": digest for name, digest in digests.items()}
    return checksums(_files(task.data / "raw"), task.data) | named


def _files(folder: Path) -> list[Path]:
    """The files below a folder."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [folder / name for name in names if not _IGNORED.search(f"/{name.as_posix()}")]


def checksums(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of each file, by its path from a folder."""
    return {path.relative_to(root).as_posix(): checksum(path) for path in paths}
