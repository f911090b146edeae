"""Several packs: at once on this machine or on others, each in a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from psa_analysis.packs.children import CAN_FORK, end_with_parent, warm_context
from psa_analysis.packs.make import Event, Outcome, RunError, Task, Tell, make_pack

_SCHEDULER_SECONDS = 5


def make_packs(
    tasks: Sequence[Task], workers: int, tell: Tell, dask: str | None = None
) -> Iterator[Outcome]:
    """Make packs, as many at once as there are workers."""
    if len(tasks) == 1 and not dask:
        yield make_pack(replace(tasks[0], workers=workers), tell)
        return
    with _executor(workers, dask) as (pool, work):
        each = 1 if dask else max(1, workers // len(tasks))
        waiting = {pool.submit(work, replace(task, workers=each)): task for task in tasks}
        for future in as_completed(waiting):
            outcome = _outcome(future, waiting[future])
            for event in outcome.events:
                tell(event)
            yield outcome


def _outcome(future: Future[Outcome], task: Task) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # whatever befalls one pack, the others are made
        problem = f"the process that made it died ({type(error).__name__}: {error}); run it again"
        return Outcome(task, "not made", problems=(problem,), code=1)


@contextmanager
def _executor(
    workers: int, dask: str | None
) -> Iterator[tuple[Executor, Callable[[Task], Outcome]]]:
    if dask:
        try:
            from distributed import Client
        except ImportError:
            raise RunError(
                "--dask needs the library distributed: pip install distributed"
            ) from None
        try:
            client = Client(dask, timeout=_SCHEDULER_SECONDS)
        except (OSError, ValueError) as error:
            raise RunError(f"there is no Dask scheduler at {dask}: {error}") from None
        with client, client.get_executor(pure=False) as pool:
            yield pool, make_elsewhere
        return
    context = warm_context() if CAN_FORK else None
    with ProcessPoolExecutor(workers, context, end_with_parent if CAN_FORK else None) as pool:
        try:
            yield pool, make_quietly
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def make_quietly(task: Task) -> Outcome:
    """Make a pack and give what happened with the outcome."""
    events: list[Event] = []
    outcome = make_pack(task, events.append)
    return replace(outcome, events=tuple(events))


def make_elsewhere(task: Task) -> Outcome:
    """Make a pack in a fresh process: whoever calls has threads, beside which nothing may fork."""
    done = subprocess.run(
        [sys.executable, "-m", "psa_analysis.packs.many"],
        input=pickle.dumps(task),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise RunError(f"it ended with {done.returncode}: {lines[-1]}")
    outcome = pickle.loads(done.stdout)
    assert isinstance(outcome, Outcome)
    return outcome


def log_line(event: Event) -> str:
    """An event as a line of JSON."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, **asdict(event)}, ensure_ascii=False) + "\n"


def summary(outcome: Outcome) -> str:
    """What became of a pack, in a few lines for people."""
    task = outcome.task
    said = {
        "done": "the pack is made",
        "unchanged": "nothing has changed since the pack was made",
        "failed": "the pack is made, but not all of it",
        "not made": "no pack could be made; an earlier one is where it was",
    }
    lines = [f"{task.period} ({task.audience}), {task.data}: {said[outcome.status]}"]
    lines += [f"  failed: {name}" for name in outcome.failed]
    if outcome.wrong:
        lines.append(f"  figures kept out of it: {outcome.wrong}; psa check lists them")
    lines += [f"  {problem}" for problem in outcome.problems]
    if outcome.status != "not made":
        lines.append(f"  {task.pack / 'index.html'}")
    return "\n".join(lines) + "\n"


def run_hook(command: str, outcome: Outcome) -> int:
    """Run a user's command for a pack: the summary is its input.

    ``PSA_MANIFEST`` is the path of the pack's manifest, empty if no pack was made, and
    ``PSA_STATUS`` what became of it.
    """
    made = outcome.status != "not made"
    manifest = str(outcome.task.pack / "manifest.json") if made else ""
    environment = {**os.environ, "PSA_MANIFEST": manifest, "PSA_STATUS": outcome.status}
    try:
        done = subprocess.run(
            shlex.split(command), input=summary(outcome).encode(), env=environment, check=False
        )
    except OSError:
        return 127
    return done.returncode


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


if __name__ == "__main__":
    given = pickle.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(pickle.dumps(make_quietly(given)))
