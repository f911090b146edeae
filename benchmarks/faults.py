"""Faults: runs are killed, starved and disturbed, and the last good pack is looked at.

    python benchmarks/faults.py [--times 50] [--seed 1]

After each fault the pack must be the one before, byte for byte; the next run must complete and give
the same bytes again, and must have cleared what the fault left: nothing in the temporary folder,
and in ``outputs/.psa`` only ``lock``, ``holder`` and ``made.json``. The packs are of the agreement
that ``psa new`` makes and of one notebook, so that a fault costs seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from psa_analysis.files import checksum
from psa_analysis.pipeline import ROOT

CELLS = (
    'period = "2004-05 Q3"\ndata = "data"\naudience = "internal"',
    "import psa_analysis as psa\nreport = psa.open_report(period, data, audience)",
    "psa.standing(report)",
    # With a file called "wait" beside the temporary folder it waits, and says which process it is.
    "import os, pathlib, time\nroot = pathlib.Path(os.environ['PSA_FAULTS'])\n"
    "while (root / 'wait').exists():\n"
    "    (root / 'pid').write_text(str(os.getpid()))\n    time.sleep(0.05)",
)
KEPT = {"lock", "holder", "made.json"}


class Place:
    """Folders of data, notebooks, outputs and temporary files, and a good pack in them."""

    def __init__(self, root: Path, outputs: Path) -> None:
        self.root, self.outputs, self.temporary = root, outputs, root / "tmp"
        self.data, notebooks = root / "example", root / "notebooks"
        self.pack = outputs / "2004-05-Q3"
        if not self.data.exists():
            shutil.copytree(ROOT / "psa_analysis" / "starter", self.data / "raw")
            notebooks.mkdir()
            self.temporary.mkdir()
            cells = [new_markdown_cell("# A page"), *map(new_code_cell, CELLS)]
            cells[1].metadata["tags"] = ["parameters"]
            for number, cell in enumerate(cells):
                cell["id"] = f"cell-{number}"
            nbformat.write(new_notebook(cells=cells), notebooks / "00_all.ipynb")
        self.command = [sys.executable, "-m", "psa_analysis.cli", "run", "2004-05 Q3", "--force"]
        for name, folder in {"data": self.data, "notebooks": notebooks, "outputs": outputs}.items():
            self.command += [f"--{name}", str(folder)]
        self.environment = {**os.environ, "PSA_FAULTS": str(root), "TMPDIR": str(self.temporary)}
        self.seconds = -time.monotonic()
        assert self.run() == 0, "no good pack to begin with"
        self.seconds += time.monotonic()
        self.good = self.bytes()

    def start(self, **environment: str) -> subprocess.Popen:
        """Start a run."""
        return subprocess.Popen(
            self.command,
            env=self.environment | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, **environment: str) -> int:
        """The exit code of a run."""
        return self.start(**environment).wait()

    def bytes(self) -> dict[str, str]:
        """Checksums of all files but the manifest, which says when the pack was made."""
        files = [path for path in self.pack.glob("*") if path.name != "manifest.json"]
        return {path.name: checksum(path) for path in files}

    def executing(self) -> tuple[subprocess.Popen, int]:
        """A run that is in the middle of its notebook, and the process that executes it."""
        (self.root / "pid").unlink(missing_ok=True)
        (self.root / "wait").touch()
        process = self.start()
        while not ((self.root / "pid").exists() and (self.root / "pid").read_text()):
            assert process.poll() is None, "the run ended before its notebook began"
            time.sleep(0.05)
        return process, int((self.root / "pid").read_text())

    def left(self) -> tuple[int, int]:
        """How many files stand in the temporary folder, and in outputs that should not be there."""
        inside = [path for path in (self.outputs / ".psa").rglob("*") if path.is_file()]
        inside = [path for path in inside if path.name not in KEPT]
        return len([*self.temporary.rglob("*")]), len([*inside, *self.outputs.glob("*-failed")])


def killed(place: Place, moments: random.Random) -> str:
    code = 0
    while code == 0:  # one that was over already is none that was killed
        process = place.start()
        time.sleep(moments.uniform(0, place.seconds))
        process.kill()
        code = process.wait()
    return "killed"


def full_disk(place: Place, moments: random.Random) -> str:
    ballast, free = place.outputs / "ballast", shutil.disk_usage(place.outputs).free
    ballast.write_bytes(b"x" * (free - moments.randrange(400_000)))
    code = place.run()
    ballast.unlink()
    return f"exit {code}"


def unwritable(place: Place, moments: random.Random) -> str:
    names = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "IPYTHONDIR", "MPLCONFIGDIR")
    return f"exit {place.run(**dict.fromkeys(names, '/dev/null'))}"


def two_runs(place: Place, moments: random.Random) -> str:
    first, second = place.start(), place.start()
    return f"exit {first.wait()} and {second.wait()}"


def dead_child(place: Place, moments: random.Random) -> str:
    process, child = place.executing()
    os.kill(child, moments.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]))
    (place.root / "wait").unlink()
    beside = "a -failed pack" if process.wait() and any(place.outputs.glob("*-failed")) else "none"
    return f"exit {process.returncode}, {beside}"


def data_gone(place: Place, moments: random.Random) -> str:
    process, _ = place.executing()
    away = place.data.rename(place.root / "away")
    (place.root / "wait").unlink()
    process.wait()
    shutil.rmtree(place.data, ignore_errors=True)  # processed observations were saved meanwhile
    away.rename(place.data)
    return f"exit {process.returncode}"


def tried(what: str, place: Place, fault: Callable, times: int, moments: random.Random) -> bool:
    """Let a fault happen so many times, and print a line of the table."""
    outcomes: dict[str, int] = {}
    whole, started = 0, time.monotonic()
    for number in range(times):
        outcome = fault(place, moments)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        whole += place.bytes() == place.good
        print(f"{what}: {number + 1}", end="\r", file=sys.stderr, flush=True)
    completed = place.run() == 0 and place.bytes() == place.good
    temporary, beside = place.left()
    came = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(
        f"| {what} | {times} ({came}) | {whole} | {'yes' if completed else 'NO'} | {temporary} "
        f"| {beside} | {time.monotonic() - started:.0f} |",
        flush=True,
    )
    return completed and whole == times and not temporary and not beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--times", type=int, default=50, help="how many kills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments, held = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        place, few = Place(root, root / "out"), max(options.times // 10, 1)
        print(f"a run takes {place.seconds:.1f} s; seed {options.seed}")
        heads = ["fault", "times", "last good pack whole", "next run completes"]
        heads += ["left in the temporary folder", "left in outputs", "seconds"]
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
        for what, fault, times in (
            ("killed at a random moment", killed, options.times),
            ("home and other folders unwritable", unwritable, 1),
            ("two runs at once", two_runs, few),
            ("a child killed in its notebook", dead_child, few),
            ("the data folder gone in the middle", data_gone, 1),
        ):
            held.append(tried(what, place, fault, times, moments))
        disk = root / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            print("| full disk | not tried: mounting a small disk is not allowed here |")
        else:
            try:
                held.append(tried("full disk", Place(root, disk), full_disk, few, moments))
            finally:
                subprocess.run(["umount", str(disk)], check=True)
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
