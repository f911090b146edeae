"""How long a pack takes, beside the stock way, in pairs in the same session.

(a) for each notebook papermill, then jupyter nbconvert; (b) the same, two at a time; (c) psa run
--force; (d) the floor: the notebooks' code cells in order as plain Python in two warm processes;
(e) psa run with nothing changed; (f) with one return changed, which makes all pages anew; (g)
twelve quarters, beside the same with one worker. Medians; CPU is the whole machine's; memory is the
highest sum over all processes, shared memory counted once, looked at every second.

    python benchmarks/run.py [--repeat 5] [--only abcdefg]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Those that the pack of the shipped agreement has: every theme has a notebook of its own.
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
PERIOD = "2004-05 Q3"
BIN = Path(sys.executable).parent
PSA = [sys.executable, "-m", "psa_analysis.cli", "run"]

#: One notebook the stock way, as a shell would.
STOCK = (
    f'"{BIN}/papermill" --no-progress-bar --log-level ERROR "$1" "$2/$(basename "$1")" '
    f'-p period "{PERIOD}" >"$2/log" 2>&1 && '
    f'"{BIN}/jupyter" nbconvert --to html --log-level ERROR "$2/$(basename "$1")" >>"$2/log" 2>&1'
)

#: Runs the code cells of the notebooks that it is given, and shows each result.
PLAIN = """
import ast, json, sys
from dataclasses import replace
import psa_analysis as psa
from psa_analysis.pipeline import open_report
from psa_analysis.show.views import View
def show(*values):
    for value in values[1:]:
        show(value)
    value = values[0]
    if isinstance(value, View):
        return [show(getattr(value, name)) for name in value._makers]
    for name in ("_repr_mimebundle_", "_repr_html_"):
        if hasattr(value, name):
            return getattr(value, name)()
kept = {}
def once(period, data, audience, theme=""):
    if not kept:
        kept[0] = open_report(period, data, audience)
    return replace(kept[0], theme=theme) if theme else kept[0]
psa.open_report = once
for path in sys.argv[1:]:
    names = {"display": show}
    for cell in json.load(open(path))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, path, "exec"), names)
            if last is not None:
                show(eval(compile(ast.Expression(last.value), path, "eval"), names))
"""


def stock(folder: Path, at_once: int) -> None:
    names = "\0".join(map(str, NOTEBOOKS))
    subprocess.run(
        ["xargs", "-0", f"-P{at_once}", "-I{}", "sh", "-c", STOCK, "sh", "{}", str(folder)],
        input=names.encode(),
        check=True,
    )
    assert len(list(folder.glob("*.html"))) == len(NOTEBOOKS)


def plain(folder: Path) -> None:
    # The two halves that take the same time, found by trying.
    halves = [[NOTEBOOKS[n] for n in (0, 1, 4, 6)], [NOTEBOOKS[n] for n in (2, 3, 5, 7)]]
    running = [subprocess.Popen([sys.executable, "-c", PLAIN, *map(str, half)]) for half in halves]
    assert [one.wait() for one in running] == [0, 0]


def psa(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*PSA, *arguments, "--outputs", str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout


def measure(work: Callable[[], object]) -> tuple[float, float, float]:
    """Wall and CPU seconds, and the most memory of all processes together, in MiB."""
    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(1):
            peak[0] = max(peak[0], memory())

    watcher = threading.Thread(target=watch)
    before, start = machine_cpu(), time.perf_counter()
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    return time.perf_counter() - start, machine_cpu() - before, peak[0]


def machine_cpu() -> float:
    """Seconds of CPU that the whole machine has spent, on ourselves if it does nothing else."""
    used = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    idle = int(used[3]) + int(used[4])
    return (sum(map(int, used[:8])) - idle) / os.sysconf("SC_CLK_TCK")


def memory() -> float:
    """Proportional memory of all processes that descend from this one, in MiB."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(") ", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
    ours, found = {os.getpid()}, True
    while found:
        found = {one for one, parent in parents.items() if parent in ours and one not in ours}
        ours |= found
    total = 0
    for one in ours - {os.getpid()}:
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def change_a_return(data: Path) -> None:
    """Take the last row from the waste return."""
    path = data / "raw" / "returns" / "waste.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    path.with_name("waste.csv.toml").unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="abcdefg")
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float, float]]] = {}

    def note(name: str, work: Callable[[], object]) -> None:
        if name[0] in options.only:
            took = measure(work)
            found.setdefault(name, []).append(took)
            print(f"{name}: {took[0]:.2f} s, CPU {took[1]:.1f} s, {took[2]:.0f} MiB", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "council"
        shutil.copytree(ROOT / "data" / "raw", data / "raw")
        here = ["--data", str(data)]
        psa(folder / "c", PERIOD, *here)
        for number in range(options.repeat):
            for part in ("a", "b"):
                (folder / f"{part}{number}").mkdir()
            note("c forced run", lambda: psa(folder / "c", PERIOD, "--force", *here))
            note("a stock, one by one", lambda n=number: stock(folder / f"a{n}", 1))
            note("d floor, two processes", lambda: plain(folder))
            note("b stock, two at a time", lambda n=number: stock(folder / f"b{n}", 2))
            note("e nothing changed", lambda: psa(folder / "c", PERIOD, *here))
            change_a_return(data)
            note("f one return changed", lambda: psa(folder / "c", PERIOD, *here))
            pages = json.loads((folder / "c" / "2004-05-Q3" / "manifest.json").read_text())["pages"]
            assert all(page["status"] == "done" for page in pages)
        if "g" in options.only:
            years = ["--from", "2003-04 Q1", "--to", "2005-06 Q4", "--force"]
            for _ in range(max(1, options.repeat // 5)):
                note(
                    "g twelve quarters, one worker",
                    lambda: psa(folder / "g1", *years, "--workers", "1"),
                )
                note(
                    "g twelve quarters, two workers",
                    lambda: psa(folder / "g2", *years, "--workers", "2"),
                )
    print()
    middle = {name: statistics.median(took[0] for took in all_) for name, all_ in found.items()}
    for name, took in found.items():
        walls = [one[0] for one in took]
        print(
            f"{name:32} median {middle[name]:7.2f} s  ({min(walls):.2f} to {max(walls):.2f}), "
            f"CPU {statistics.median(one[1] for one in took):6.1f} s, "
            f"memory {max(one[2] for one in took):5.0f} MiB"
        )
    ratios = {
        "a / c (at least 7)": ("a stock, one by one", "c forced run"),
        "b / c (at least 3.5)": ("b stock, two at a time", "c forced run"),
        "c / d (at most 1.3)": ("c forced run", "d floor, two processes"),
        "e / c (under 0.02)": ("e nothing changed", "c forced run"),
        "f / c": ("f one return changed", "c forced run"),
    }
    for said, (over, under) in ratios.items():
        if over in middle and under in middle:
            # The machine's speed changes within minutes, and the two of a pair stand side by side.
            pairs = [one[0] / two[0] for one, two in zip(found[over], found[under], strict=True)]
            spread = f"{statistics.median(pairs):.3f} ({min(pairs):.3f} to {max(pairs):.3f})"
            print(f"{said:32} {middle[over] / middle[under]:.3f}, of the pairs {spread}")
    one, two = (middle.get(f"g twelve quarters, {n}") for n in ("one worker", "two workers"))
    if one and two:
        print(f"{'g, of linear per core':32} {one / two / 2:.3f}")


if __name__ == "__main__":
    main()
