"""Fuzz: careless and hostile inputs of every kind, with an oracle for the right number.

    python benchmarks/fuzz.py [--inputs 5000] [--seed 1] [--only NUMBER]

Each input is a return, settings or a file of the register. A return is made from figures that are
known; one to three things are then done to it. Every figure that the file still holds must be
loaded, exactly and in its place, or be covered by a finding that says what was not read. Nothing
else may be loaded. Nothing may end in a traceback, take over 10 s or 1 GB, print a control
character, or say what stands outside the data folder. `fuzz_inputs.py` makes the inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from fuzz_inputs import KINDS, LETTERS, SECRET, Figure, Input, build, lines_of, register

from psa_analysis.findings import DataError, Finding
from psa_analysis.packs.workbook import save_processed
from psa_analysis.periods import PeriodError, parse_period
from psa_analysis.pipeline import load_observations, receive
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement, load_commentary
from psa_analysis.register.rows import TABLES
from psa_analysis.returns.progress import load_progress
from psa_analysis.returns.sources import load_corrections

#: Returns that are loaded together; if anything is wrong with them, each by itself.
TOGETHER = len(LETTERS)
SECONDS, BYTES = 10, 10**9
#: What a warning says of figures that it leaves out.
_LEFT_OUT = re.compile(
    r"not read|Nothing from here on|hidden|if there is none|There is none yet|beside it"
)
#: What an error expects that keeps a whole sheet out, whichever row it names.
_OF_SHEET = re.compile(
    r"were observed: '|out in full: '|one column for each|a column headed|closed in its own cell"
)


class Failure(NamedTuple):
    """What is wrong with one input."""

    number: int
    kind: str
    done: str  # what was done to it
    says: str


def write(folder: Path, made: Input) -> None:
    """Put the files of an input into a data folder; what is no file makes itself."""
    for name, content in made.files.items():
        path = folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)


def same(loaded: float, value: float) -> bool:
    return abs(loaded - value) <= 1e-9 * max(1, abs(value))


def covers(finding: Finding, figure: Figure, of_input: Input) -> bool:
    """Whether a finding says that a figure was not read."""
    if finding.severity == "warning" and not _LEFT_OUT.search(
        f"{finding.expected}{finding.remedy}"
    ):
        return False
    if finding.sheet and figure.sheet and figure.sheet not in finding.sheet.split(", "):
        return False
    letters = figure.letters
    if found := re.match(r"hidden: ([^…]*)(…?)", finding.found or ""):
        named = found[1].replace(" ", "").split(",")
        return bool(found[2]) or str(figure.row) in named or letters in named
    if finding.row is None or (finding.severity == "error" and _OF_SHEET.search(finding.expected)):
        return True
    if "from here on" in finding.remedy:
        return finding.row <= figure.row
    if "column was not read" in finding.remedy.lower():
        return finding.column == letters
    if finding.row <= of_input.header and finding.severity == "error":
        return True  # the header's error keeps the whole sheet out
    near = of_input.slack
    if not any(abs(row - figure.row) <= near for row in (finding.row, *finding.also)):
        return False
    if finding.severity == "error" and finding.column in ("measure", "area"):
        return True  # of nobody, or of nothing that we know: so are all figures of the row
    if finding.severity == "error" and finding.found == figure.key[2]:
        return True  # its period stands where a figure should: headings are swapped
    periods = {_label(period, figure.kind) for _, period in finding.figures}
    return not periods or None in periods or figure.key[2] in periods


def _label(period: str, kind: Any) -> str | None:
    try:
        return parse_period(period, kind).label
    except PeriodError:
        return None


def judge(made: Input, observations: pd.DataFrame, findings: list[Finding]) -> Iterator[str]:
    """What is silently wrong or missing, given what was loaded from the files of one input."""
    loaded: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in observations.itertuples():
        loaded[row.measure, row.area, row.period].append(row.value)
    for figure in made.figures:
        there = figure.key in loaded
        values = [value for value in loaded.pop(figure.key, []) if value == value]
        if not figure.sure:
            continue
        named = any(covers(finding, figure, made) for finding in findings)
        # Of twins the row of one may be refused for what else is wrong with it.
        named |= bool(figure.twins) and any(finding.severity == "error" for finding in findings)
        if named and values and all(value in figure.twins for value in values):
            continue
        if values and (figure.value is None or not all(same(v, figure.value) for v in values)):
            yield f"wrong: {figure} loaded as {values}"
        elif (figure.value is None and there) or values:
            continue  # a mark, as for what is confidential, is loaded as such
        elif not named:
            yield f"missing: {figure}"
    unsure = sum(not figure.sure for figure in made.figures)
    others = {key: values for key, values in loaded.items() if any(v == v for v in values)}
    if len(others) > unsure and not made.anything:
        yield f"wrong: nobody's figures were loaded, such as {next(iter(others.items()))}"
    if made.figures and observations.empty and not any(f.severity == "error" for f in findings):
        gone = not any(_LEFT_OUT.search(f.expected + f.remedy) for f in findings)
        if gone and any(figure.sure or made.anything for figure in made.figures):
            yield "missing: nothing was loaded and no finding says so"
    if made.refused and not findings:
        yield "missing: no finding says why the file was not opened"


def as_loaded(made: Input) -> pd.DataFrame:
    """The observations that an input should end in."""
    rows = [(*figure.key, figure.value) for figure in made.figures if figure.value is not None]
    return pd.DataFrame(rows, columns=["measure", "area", "period", "value"])


def said_wrongly(findings: Iterable[Finding], observations: pd.DataFrame) -> Iterator[str]:
    """Lines that are not one printable line, and what must not be read."""
    for finding in findings:
        text = str(finding)
        if odd := [sign for sign in text if unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs")]:
            yield f"unprintable: {odd[0]!r} in {text!r:.200}"
    if SECRET in observations.to_csv() + "\n".join(map(repr, findings)):
        yield "leak: what stands outside the data folder was read"


def rows_of(agreement: Agreement) -> dict[str, Counter[str]]:
    """Each row of each file of the register, as it was typed."""
    rows = {}
    for name, columns in TABLES.items():
        table = getattr(agreement, name).reset_index()
        rows[f"register/{name}.csv"] = table[[c for c in columns if c in table]]
    rows["commentary.csv"] = load_commentary(agreement)[0]
    rows["progress.csv"] = load_progress(agreement)[0].drop(columns="row")
    rows["corrections.csv"] = load_corrections(agreement.folder)[0].drop(columns="row")
    return {name: Counter(map(repr, table.values.tolist())) for name, table in rows.items()}


def judge_register(made: Input, agreement: Agreement, findings: list[Finding]) -> Iterator[str]:
    """Rows of the register that were changed or lost though their lines stand there unchanged."""
    name, whole = made.changed, register()[made.changed]
    before, after = lines_of(whole), lines_of(made.text)
    changed, new = (before - after).total(), (after - before).total()
    if name == "agreement.toml":
        was, now = (
            pd.json_normalize(one.model_dump()).iloc[0]
            for one in (_pristine().settings, agreement.settings)
        )
        differs = sum(repr(was.get(key)) != repr(now.get(key)) for key in {*was.index, *now.index})
        if differs > changed + new:
            yield f"wrong: {differs} settings changed, by {changed} lines"
    for file, rows in rows_of(agreement).items():
        lost, added = rows_of_pristine()[file] - rows, rows - rows_of_pristine()[file]
        if file == "register/assumptions.csv" or (file != name and not lost and not added):
            continue  # some assumptions follow from the measures
        if file == name and lost.total() <= changed and added.total() <= max(changed, new):
            continue
        named = any(finding.file == f"raw/{file}" for finding in findings)
        if added or not named:
            yield f"{'wrong' if added else 'missing'}: {[*lost][:1]} {[*added][:1]} of {file}"


_KEPT: dict[str, Any] = {}


def _agreement(letters: str) -> Agreement:
    """The agreement of the returns, or that of the register's inputs, loaded once."""
    if letters not in _KEPT:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        files = {name: text.encode() for name, text in register(letters).items()}
        write(folder, Input("", files))
        _KEPT[letters] = load_agreement(folder)
        _KEPT[f"rows {letters}"] = rows_of(_KEPT[letters])
        shutil.rmtree(folder)
    return _KEPT[letters]


def _pristine() -> Agreement:
    return _agreement(LETTERS[0])


def rows_of_pristine() -> dict[str, Counter[str]]:
    _pristine()
    return _KEPT[f"rows {LETTERS[0]}"]


def check(made: list[Input], folder: Path) -> list[tuple[Input, str]]:
    """Load the files of inputs as `psa check` does, and give what is wrong with each."""
    agreement = _agreement(LETTERS)
    object.__setattr__(agreement, "folder", folder)
    wrong: list[tuple[Input, str]] = []
    try:
        if made[0].changed:
            try:
                agreement = load_agreement(folder)
            except DataError as error:
                nothing = pd.DataFrame()
                return [(made[0], text) for text in said_wrongly(error.findings, nothing)]
        if any(one.receives for one in made):
            receive(agreement, date(2007, 3, 1))
        observations, findings = load_observations(agreement)
        save_processed(agreement, observations, findings)
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in place if "psa_analysis" in frame.filename]
        at = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
        text = f"traceback: {type(error).__name__} at {at}: {str(error)[:150]}"
        return [(one, text) for one in made]
    for one in made:
        own_rows, own_findings = observations, findings
        if one.token:
            own_rows = observations[observations["file"].str.contains(one.token)]
            own_findings = [finding for finding in findings if one.token in finding.file]
        texts = [*judge(one, own_rows, own_findings), *said_wrongly(own_findings, own_rows)]
        if one.changed:
            texts += judge_register(one, agreement, findings)
        wrong += [(one, text) for text in texts]
        _KEPT["shown"] = own_findings, own_rows
    return wrong


def try_out(seed: int, numbers: list[int], built: Any = lambda: None) -> list[Failure]:
    """Make inputs in a folder of their own and give what is wrong with them."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "data"
        made = [build(seed, number) for number in numbers]
        for one in made:
            write(folder, one)
        (folder / "raw" / "returns").mkdir(exist_ok=True, parents=True)
        _agreement(LETTERS)
        built()
        wrong = check(made, folder)
    numbered = dict(zip(map(id, made), numbers, strict=True))
    return [
        Failure(numbered[id(one)], text.partition(":")[0], one.done, text) for one, text in wrong
    ]


def _is_asked(pipe: Connection) -> bool:
    """Whether there is more to try out; not where the parent is gone."""
    while not pipe.poll(1):
        if os.getppid() == 1:
            return False
    return True


def _work(seed: int, pipe: Connection) -> None:
    """Try out what comes through the pipe; the parent kills whoever takes too long."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (4 * BYTES, 4 * BYTES))  # the machine has other users
    while _is_asked(pipe):
        numbers = pipe.recv()
        with contextlib.redirect_stdout(io.StringIO()):
            failures = try_out(seed, numbers, lambda: pipe.send(None))
        users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        most = max(1024 * resource.getrusage(user).ru_maxrss for user in users)
        if most > BYTES:
            text = f"memory: {most / 1e9:.1f} GB"
            failures += [Failure(n, "memory", build(seed, n).done, text) for n in numbers]
        pipe.send(failures)


class Worker:
    """A process that tries inputs out, and that may hang or die."""

    def __init__(self, seed: int) -> None:
        self.seed, self.numbers, self.since = seed, [0], 0.0
        self.start()

    def start(self) -> None:
        """Start the process."""
        fork = multiprocessing.get_context("fork")
        self.pipe, theirs = fork.Pipe()
        self.process = fork.Process(target=_work, args=(self.seed, theirs))
        self.process.start()
        theirs.close()

    def give(self, numbers: list[int]) -> None:
        """Let it try these."""
        self.numbers, self.since = numbers, time.monotonic()
        self.pipe.send(numbers)

    def answer(self) -> list[Failure] | None:
        """What it found; None while it is at work."""
        kind, seconds = "", time.monotonic() - self.since
        try:
            if self.pipe.poll():
                found = self.pipe.recv()
                self.since = time.monotonic()
                if found and any(failure.kind == "memory" for failure in found):
                    self.replace()
                return found
        except (EOFError, OSError):
            kind = "abort"
        # Several together may take as long as all of them.
        if seconds > SECONDS * len(self.numbers):
            kind = "hang"
        if not kind:
            return None
        self.replace()
        text = f"{kind}: after {seconds:.1f} s, exit code {self.process.exitcode}"
        return [Failure(n, kind, build(self.seed, n).done, text) for n in self.numbers]

    def replace(self) -> None:
        """Kill it and start another."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Kill it and what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.join()


def try_all(seed: int, numbers: Iterable[int]) -> Iterator[tuple[int, list[Failure]]]:
    """How many inputs were tried out, in two processes, and what is wrong with them."""
    returns = [number for number in numbers if KINDS[number % len(KINDS)].together]
    alone = [number for number in numbers if not KINDS[number % len(KINDS)].together]
    by_letter = [[n for n in returns if n % TOGETHER == place] for place in range(TOGETHER)]
    todo = [[number] for number in alone]
    while any(by_letter):
        todo.append([of.pop() for of in by_letter if of])
    random.Random(seed).shuffle(todo)
    workers = [Worker(seed) for _ in range(2)]
    idle, busy, tried = [*workers], [], set()
    try:
        while todo or busy:
            while todo and idle:
                worker = idle.pop()
                worker.give(todo.pop())
                busy.append(worker)
            wait([worker.pipe for worker in busy], timeout=0.2)
            for worker in [*busy]:
                found = worker.answer()
                if found is None:
                    continue
                busy.remove(worker)
                idle.append(worker)
                # What comes of several together, or on a busy machine, must come again.
                again = len(worker.numbers) == 1 and worker.numbers[0] not in tried
                tried.update(worker.numbers if len(worker.numbers) == 1 else [])
                if found and (again or len(worker.numbers) > 1):
                    todo += [[number] for number in worker.numbers]
                else:
                    yield len(worker.numbers), found
    finally:
        for worker in workers:
            worker.stop()


def show(seed: int, number: int) -> None:
    """Write the folder of one input out, load it and print what came of it."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{seed}-{number}-"))
    made = build(seed, number)
    write(folder, made)
    print(f"{folder}: {made.done}")
    wrong = check([made], folder)
    findings, observations = _KEPT.get("shown", ([], pd.DataFrame()))
    print(*findings, observations.iloc[:, :5].to_string(), *(text for _, text in wrong), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--inputs", type=int, default=5000, help="how many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="show one of them")
    options = parser.parse_args()
    if options.only is not None:
        show(options.seed, options.only)
        return
    started, failures, done = time.monotonic(), [], 0
    _agreement(LETTERS), _pristine()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was found is then said
    with contextlib.suppress(KeyboardInterrupt):
        for number, found in try_all(options.seed, range(options.inputs)):
            done += number
            failures += found
            for failure in found[:1]:
                print(f"\r{failure.number}: {failure.says:.90}", file=sys.stderr)
            print(f"\r{done} done, {len(failures)} failures", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    groups: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[failure.kind, failure.done.partition(": ")[2]].append(failure)
    for (kind, what), alike in sorted(groups.items(), key=lambda item: (item[0][0], -len(item[1]))):
        example = min(alike, key=lambda failure: len(failure.done))
        print(f"{kind}, {what}: {len(alike)}; --seed {options.seed} --only {example.number}")
        print(f"    {example.done}: {example.says!r:.300}")
    counts = Counter(failure.kind for failure in failures)
    kinds = ("traceback", "hang", "abort", "memory", "wrong", "missing", "unprintable", "leak")
    words = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    wrong = len({failure.number for failure in failures})
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy = sum(usage.ru_utime + usage.ru_stime for usage in used)
    seconds = f"{time.monotonic() - started:.0f} s ({busy:.0f} s of processor time)"
    print(f"seed {options.seed}: {done} inputs in {seconds}; {words}; {wrong} failed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
