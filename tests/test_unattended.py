"""The run that nobody watches: what is made again, what survives, who waits, who is told."""

from __future__ import annotations

import configparser
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import nbformat
import pytest
from builders import psa_run
from click.testing import Result
from distributed import Client
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from psa_analysis.packs.digest import digest

from psa_analysis.analysis.grant import grants
from psa_analysis.files import checksum
from psa_analysis.findings import ParameterError
from psa_analysis.packs.build import _figures, _report
from psa_analysis.packs.make import Task
from psa_analysis.packs.reuse import theme_asked_for
from psa_analysis.periods import parse_reporting_period as quarter
from psa_analysis.pipeline import ROOT, latest_period, open_report, quarters_between
from psa_analysis.register.agreement import Agreement
from psa_analysis.show.comparison import changes_words
from psa_analysis.show.grant import grant_words

PARAMETERS = 'period = "2004-05 Q3"\ndata = "data"\naudience = "internal"'
OPEN = "import psa_analysis as psa\nreport = psa.open_report(period, data, audience{})"


def notebook(folder: Path, name: str, *cells: str) -> Path:
    """Write a small notebook; its first code cell is the parameters."""
    folder.mkdir(exist_ok=True)
    made = new_notebook(
        cells=[new_markdown_cell("# A page"), *(new_code_cell(cell) for cell in cells)]
    )
    made.cells[1].metadata["tags"] = ["parameters"]
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(made, folder / name)
    return folder / name


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The small agreement that psa new makes: most of what is tried here asks for no more."""
    folder = tmp_path / "example"
    shutil.copytree(ROOT / "psa_analysis" / "starter", folder / "raw")
    return folder


def runner(folder: Path, data: Path) -> Callable[..., Result]:
    """Run the notebooks of a folder; more arguments are passed on."""
    where = ["--notebooks", str(folder / "notebooks"), "--outputs", str(folder / "out")]
    return lambda *arguments: psa_run("2004-05 Q3", "--data", str(data), *where, *arguments)


@pytest.fixture
def small(tmp_path: Path, example: Path) -> Callable[..., Result]:
    """Run two small notebooks, of everything and of a theme."""
    folder = tmp_path / "notebooks"
    notebook(folder, "00_all.ipynb", PARAMETERS, OPEN.format(""), "psa.overview_table(report)")
    of_theme = OPEN.format(', theme="safety"')
    notebook(folder, "01_safety.ipynb", PARAMETERS, of_theme, "psa.overview_table(report)")
    return runner(tmp_path, example)


@pytest.fixture
def of_council(tmp_path: Path, council: Path) -> Callable[..., Result]:
    """The same of the shipped agreement, with a theme that several returns go into."""
    folder = tmp_path / "notebooks"
    notebook(folder, "00_all.ipynb", PARAMETERS, OPEN.format(""), "psa.overview_table(report)")
    of_theme = OPEN.format(', theme="safer"')
    notebook(folder, "01_safer.ipynb", PARAMETERS, of_theme, 'psa.readings_table(report, "N13")')
    return runner(tmp_path, council)


def bytes_of(pack: Path) -> dict[str, str]:
    """Checksums of a pack's files, but for the manifest, which says when it was made."""
    return {path.name: checksum(path) for path in pack.iterdir() if path.name != "manifest.json"}


def said_of(result: Result) -> dict[str, str]:
    """What became of each notebook: done, failed or unchanged."""
    lines = [line.split("] ", 1)[1] for line in result.output.splitlines() if "ipynb: " in line]
    return {line.split(": ")[0]: line.split(": ")[1].split()[0] for line in lines if ": " in line}


def test_nothing_is_made_twice(small: Callable[..., Result], example: Path, tmp_path: Path) -> None:
    """Each change makes what depends on it again."""
    pack = tmp_path / "out" / "2004-05-Q3"
    assert said_of(small()) == {"00_all.ipynb": "done", "01_safety.ipynb": "done"}
    made = (pack / "manifest.json").stat().st_mtime_ns
    assert "nothing has changed" in small().output
    assert (pack / "manifest.json").stat().st_mtime_ns == made

    # A notebook; a page by hand; a module that any notebook may import; the register; by force.
    path = tmp_path / "notebooks" / "01_safety.ipynb"
    path.write_text(path.read_text().replace("# A page", "# The page"))
    assert said_of(small()) == {"00_all.ipynb": "unchanged", "01_safety.ipynb": "done"}
    (pack / "00_all.html").write_text("mended by hand")
    assert said_of(small()) == {"00_all.ipynb": "done", "01_safety.ipynb": "unchanged"}
    (tmp_path / "notebooks" / "mine.py").write_text("figure = 1\n")
    assert set(said_of(small()).values()) == {"done"}
    targets = example / "raw" / "register" / "targets.csv"
    targets.write_text(targets.read_text().replace("More household", "Most household"))
    assert set(said_of(small()).values()) == {"done"}
    assert set(said_of(small("--force")).values()) == {"done"}


def without_last_row(path: Path) -> None:
    """Take a row, and the sidecar that says what the file was, from a return."""
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    path.with_name(f"{path.name}.toml").unlink()


def test_a_return_makes_what_depends_on_it_again_and_nothing_else(
    of_council: Callable[..., Result], council: Path, tmp_path: Path
) -> None:
    """And the pack is, byte for byte, as one that is made anew."""
    pack, returns = tmp_path / "out" / "2004-05-Q3", council / "raw" / "returns"
    of_council()
    without_last_row(returns / "waste.csv")
    assert said_of(of_council()) == {"00_all.ipynb": "done", "01_safer.ipynb": "unchanged"}
    partly = bytes_of(pack)
    of_council("--force")
    assert partly == bytes_of(pack)
    without_last_row(returns / "police.csv")
    assert set(said_of(of_council()).values()) == {"done"}


def test_every_theme_page_is_the_same_from_its_theme_alone(report: object) -> None:
    """The pages open their theme's report; nothing on them may need the others'."""
    themes = {
        path.stem: theme_asked_for(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    }
    assert [themes[name] for name in list(themes)[:5]] == [
        None,
        "prosperity",
        "safer",
        "healthy",
        "efficiency",
    ]
    part = open_report("2004-05 Q3", theme="healthy")
    assert set(part.assessment["theme"]) == {"healthy"}
    assert set(part.before.assessment["theme"]) == {"healthy"}
    assert {"N7-family", "L7-family"} <= set(part.observations["measure"])
    assert "N13" not in set(part.observations["measure"]) | set(part.outlooks)
    # What has been asked of it is no part of what its pages are made from.
    before = digest(_figures(part))
    assert len(part.rows) == len(part.assessment) > 0
    assert len(part.known) and len(grants(part))
    assert digest(_figures(part)) == before
    with pytest.raises(KeyError, match="N13"):
        part["N13"]
    with pytest.raises(ParameterError, match=r"theme is 'health'.*healthy"):
        open_report("2004-05 Q3", theme="health")


@pytest.mark.parametrize(
    ("code", "theme"),
    [
        ('psa.open_report(period, theme="safer")', "safer"),
        ('open_report(period, theme="safer")', "safer"),
        ("psa.open_report(period)", None),
        ('psa.open_report(period, theme="safer"); psa.open_report(period)', None),
        ("psa.open_report(period, theme=name)", None),
        ('look = psa.open_report; look(period); psa.open_report(period, theme="a")', None),
        ("%matplotlib inline", None),
    ],
)
def test_a_theme_is_told_or_everything_is_taken(
    tmp_path: Path, code: str, theme: str | None
) -> None:
    assert theme_asked_for(notebook(tmp_path, "x.ipynb", PARAMETERS, code)) == theme


def test_a_kernel_of_its_own_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be forked, ordinary kernels do the work, with the same outputs."""
    cells = [
        PARAMETERS,
        OPEN.format(""),
        'psa.trajectory_chart(report, "N13")',
        "1 + 1",
        "import sys\nprint('out')\nprint('err', file=sys.stderr)",
        "from IPython.display import HTML, clear_output, display, update_display\n"
        "display(HTML('<b>bold</b>'))\ndisplay('first', display_id='a')\n"
        "update_display('second', display_id='a')",
        "print('gone')\nclear_output()\nprint('stays')",
        "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);",
        "figure, axes = plt.subplots(figsize=(2, 2))\nfigure",
        "import subprocess\nsubprocess.run(['echo', 'from a program']).returncode",
        "!echo from a shell",
        "await __import__('asyncio').sleep(0)\n__name__",
        "try:\n    input('?')\nexcept Exception as error:\n    print(type(error).__name__)",
        "_, Out[4]",
        "def wrong():\n    raise ValueError('no')\nwrong()",
        "print('never')",
    ]
    notebook(tmp_path / "notebooks", "00_all.ipynb", *cells)
    packs = []
    for how in ("fork", "kernel"):
        out = tmp_path / how
        script = (
            "import sys; import psa_analysis.packs.children as children; "
            f"children.CAN_FORK = {how == 'fork'}; from psa_analysis.cli import main; main()"
        )
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                script,
                "run",
                "2004-05 Q3",
                "--outputs",
                str(out),
                "--notebooks",
                str(tmp_path / "notebooks"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "ValueError: no" in done.stdout, done.stderr
        packs.append(out / "2004-05-Q3")
    one, other = (json.loads((pack / "00_all.ipynb").read_text()) for pack in packs)
    for mine, its in zip(one["cells"], other["cells"], strict=True):
        assert mine == its
    assert bytes_of(packs[0]) == bytes_of(packs[1])


def test_what_the_front_page_and_the_overview_ask_is_worked_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes with the report to the processes that make pages."""
    task = Task(quarter("2004-05 Q3"), ROOT / "data", ROOT / "notebooks", ROOT / "outputs")
    sent = pickle.loads(pickle.dumps(_report(task, "key")))

    def again(*_: object) -> None:
        raise AssertionError("worked out again")

    monkeypatch.setattr("psa_analysis.analysis.grant.simulate", again)
    monkeypatch.setattr("psa_analysis.analysis.comparison.changes", again)
    assert "of the pot" in grant_words(sent).html
    assert "2004-05 Q2" in changes_words(sent).html


def test_a_kernel_that_does_not_start_is_started_again(tmp_path: Path) -> None:
    """By `psa run` and, with the notebooks' conftest, by nbval."""
    spec, counter = tmp_path / "jupyter" / "kernels" / "shy", tmp_path / "starts"
    spec.mkdir(parents=True)
    script = (
        f"echo >> '{counter}'; [ $(wc -l < '{counter}') -gt 1 ] || exit 1; "
        f"exec '{sys.executable}' -m ipykernel_launcher -f \"$0\""
    )
    argv = ["sh", "-c", script, "{connection_file}"]
    about = {"argv": argv, "display_name": "shy", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(about))
    path = notebook(tmp_path / "notebooks", "00_shy.ipynb", PARAMETERS, "1 + 1")
    path.write_text(path.read_text().replace('"name": "python3"', '"name": "shy"'))
    shutil.copy(ROOT / "notebooks" / "conftest.py", path.parent)
    for command in (
        [
            "psa_analysis.cli",
            "run",
            "2004-05 Q3",
            "--outputs",
            str(tmp_path / "out"),
            "--notebooks",
            str(path.parent),
        ],
        ["pytest", "--nbval-lax", "-p", "no:cacheprovider", str(path)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env={**os.environ, "JUPYTER_PATH": str(tmp_path / "jupyter")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert counter.read_text().count("\n") == 2
        counter.unlink()


FAILURES = {
    "killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "memory runs out"),
    "exits": ("import os\nos._exit(3)", "its process ended with 3"),
    "memory": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\nx = b'x' * 2**33",
        "MemoryError",
    ),
    "endless": ("while True:\n    pass", "CellTimeout: the cell took longer than 1 seconds"),
    "catches": (
        "while True:\n    try:\n        while True: pass\n    except Exception: pass",
        "CellTimeout: the cell took longer than 1 seconds",
    ),
    "deaf": (
        "sum(range(10**13))",  # is not in Python
        "the cell took longer than 1 seconds and could not be interrupted",
    ),
}


def test_what_befalls_one_notebook_does_not_touch_another(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    for name, (cell, _) in FAILURES.items():
        notebook(folder, f"{name}.ipynb", PARAMETERS, "kept = 1\nkept", cell, "print('never')")
    notebook(folder, "z_good.ipynb", PARAMETERS, "'kept' in globals()")
    script = (
        "import psa_analysis.packs.build as build; build.CELL_SECONDS = 1; "
        "from psa_analysis.cli import main; main()"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "run",
            "2004-05 Q3",
            "--outputs",
            str(tmp_path / "out"),
            "--notebooks",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    pack = tmp_path / "out" / "2004-05-Q3"
    pages = {
        page["notebook"]: page for page in json.loads((pack / "manifest.json").read_text())["pages"]
    }
    for name, (_, error) in FAILURES.items():
        page = pages[f"{name}.ipynb"]
        assert (page["status"], page["cell"]) == ("failed", 4), page
        assert error in page["error"]
        assert "This page could not be finished" in (pack / f"{name}.html").read_text()
        assert "never" not in (pack / f"{name}.html").read_text()
    assert pages["z_good.ipynb"]["status"] == "done"
    assert "False" in (pack / "z_good.html").read_text(), "names of another notebook are there"


def running(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "psa_analysis.cli",
            "run",
            "2004-05 Q3",
            "--data",
            str(tmp_path / "example"),
            "--notebooks",
            str(tmp_path / "notebooks"),
            "--outputs",
            str(tmp_path / "out"),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What is started in the background of a script ignores interrupts, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_a_run_that_is_killed_leaves_the_last_good_pack(
    small: Callable[..., Result], tmp_path: Path
) -> None:
    """At moments all over a run; benchmarks/faults.py does it fifty times with the real pages."""
    started = time.monotonic()
    assert running(tmp_path, "--force").wait(60) == 0
    whole = time.monotonic() - started
    pack = tmp_path / "out" / "2004-05-Q3"
    good = bytes_of(pack)
    moments = random.Random(7)
    for share in (0.6, 0.9):
        process = running(tmp_path, "--force")
        time.sleep(whole * share * moments.uniform(0.9, 1.1))
        process.kill()
        process.wait()
        assert bytes_of(pack) == good
    assert small().exit_code == 0
    assert bytes_of(pack) == good
    assert not (tmp_path / "out" / ".psa" / "2004-05-Q3" / "part").exists()


def test_a_rerun_goes_on_where_a_killed_run_stopped(tmp_path: Path, example: Path) -> None:
    folder = tmp_path / "notebooks"
    notebook(folder, "00_quick.ipynb", PARAMETERS, "1 + 1")
    flag = tmp_path / "flag"
    slow = f"import pathlib, time\nwhile not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.05)"
    notebook(folder, "01_slow.ipynb", PARAMETERS, slow)
    process = running(tmp_path)
    page = tmp_path / "out" / ".psa" / "2004-05-Q3" / "pages" / "00_quick.json"
    while not page.exists():
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (tmp_path / "out" / "2004-05-Q3").exists()
    flag.touch()
    result = runner(tmp_path, example)()
    assert said_of(result) == {"00_quick.ipynb": "unchanged", "01_slow.ipynb": "done"}


def test_a_second_run_waits_and_says_for_whom(tmp_path: Path, example: Path) -> None:
    folder = tmp_path / "notebooks"
    begun, flag = tmp_path / "begun", tmp_path / "flag"
    cell = (
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.05)"
    )
    notebook(folder, "00_slow.ipynb", PARAMETERS, cell)
    first = running(tmp_path)
    while not begun.exists():
        time.sleep(0.05)
    second = running(tmp_path)
    assert second.stdout is not None
    line = second.stdout.readline()
    assert line.startswith(f"psa: waiting for process {first.pid} on ")
    assert "which has been making 2004-05-Q3 since " in line
    flag.touch()
    assert first.wait(60) == second.wait(60) == 0
    assert "nothing has changed" in second.stdout.read()


def test_a_stop_between_the_two_steps_is_undone(
    small: Callable[..., Result], tmp_path: Path
) -> None:
    """Where two folders cannot be exchanged at once, the old one stands aside for a moment."""
    small()
    pack = tmp_path / "out" / "2004-05-Q3"
    good = bytes_of(pack)
    pack.rename(tmp_path / "out" / ".psa" / "2004-05-Q3" / "old")
    assert "nothing has changed" in small().output
    assert bytes_of(pack) == good


def test_what_cannot_be_written_is_said_and_the_pack_stays(
    small: Callable[..., Result], tmp_path: Path
) -> None:
    result = small("--outputs", "/proc/packs")
    assert result.exit_code == 2
    assert "cannot write to" in result.output
    assert "--outputs" in result.output


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_last_good_pack(
    full_disk: Path, tmp_path: Path, small: Callable[..., Result]
) -> None:
    outputs = ["--outputs", str(full_disk)]
    assert small(*outputs).exit_code == 0
    pack = full_disk / "2004-05-Q3"
    good = bytes_of(pack)
    room = shutil.disk_usage(full_disk).free
    (full_disk / "ballast").write_bytes(b"x" * (room - 100_000))
    result = small("--force", *outputs)
    assert result.exit_code == 2
    assert "No space left on device" in result.output
    assert bytes_of(pack) == good
    (full_disk / "ballast").unlink()
    assert small("--force", *outputs).exit_code == 0
    assert bytes_of(pack) == good


def test_several_quarters_and_agreements(example: Path, tmp_path: Path) -> None:
    """Each pack is as if it were made alone, and one that cannot be made does not stop the rest."""
    folder = tmp_path / "notebooks"
    notebook(folder, "00_all.ipynb", PARAMETERS, OPEN.format(""), "psa.overview_table(report)")
    where = ["--notebooks", str(folder), "--outputs", str(tmp_path / "out")]
    broken, other = tmp_path / "broken", tmp_path / "other"
    shutil.copytree(example, other)
    broken.mkdir()
    log = tmp_path / "run.jsonl"
    result = psa_run(
        "--from",
        "2004-05 Q2",
        "--to",
        "2004-05 Q3",
        "--data",
        str(example),
        "--data",
        str(broken),
        "--data",
        str(other),
        "--log",
        str(log),
        *where,
    )
    assert result.exit_code == 1
    assert result.output.count("The pack is") == 4
    assert "broken/2004-05-Q2: error: raw/agreement.toml" in result.output
    packs = sorted(
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("*/2004*")
    )
    names = ("2004-05-Q2", "2004-05-Q3")
    assert packs == [f"{one}/{name}" for one in ("example", "other") for name in names]
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(event["what"] == "page" for event in events) == 4
    assert {"time", "what", "pack", "said", "status", "notebook", "seconds"} == set(events[0])
    psa_run("2004-05 Q2", "--data", str(other), *where[:2], "--outputs", str(tmp_path / "alone"))
    alone = bytes_of(tmp_path / "alone" / "2004-05-Q2")
    assert alone == bytes_of(tmp_path / "out" / "other" / "2004-05-Q2")


def test_several_quarters_where_nothing_can_be_forked(example: Path, tmp_path: Path) -> None:
    """As on macOS and Windows, which have no such system calls."""
    notebook(tmp_path / "notebooks", "00_all.ipynb", PARAMETERS, "period")
    script = (
        "import psa_analysis.packs.children as children; children.CAN_FORK = False; "
        "del children.fcntl; from psa_analysis.cli import main; main()"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "run",
            "--from",
            "2004-05 Q2",
            "--to",
            "2004-05 Q3",
            "--data",
            str(example),
            "--outputs",
            str(tmp_path / "out"),
            "--notebooks",
            str(tmp_path / "notebooks"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("The pack is") == 2


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers on this machine: the address and the workers."""
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--port",
            "0",
            "--host",
            "127.0.0.1",
            *where,
        ],
        **quiet,
    )
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "distributed.cli.dask_worker",
                "--nthreads",
                "1",
                "--no-nanny",
                "--local-directory",
                str(tmp_path / name),
                *where,
            ],
            start_new_session=True,
            **quiet,
        )
        for name in "ab"
    ]
    while not file.exists() or not file.read_text():
        time.sleep(0.1)
    with Client(json.loads(file.read_text())["address"]) as client:
        client.wait_for_workers(2, timeout=60)
        yield client.scheduler.address, workers
    for process in [*workers, scheduler]:
        process.kill()
        process.wait()


def test_a_cluster_does_the_work_though_a_worker_is_killed(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], example: Path, tmp_path: Path
) -> None:
    address, workers = cluster
    begun = tmp_path / "begun"
    begun.mkdir()
    slow = f"import pathlib, time\npathlib.Path({str(begun)!r}, period).touch()\ntime.sleep(3)"
    notebook(
        tmp_path / "notebooks",
        "00_all.ipynb",
        PARAMETERS,
        slow,
        OPEN.format(""),
        "psa.overview_table(report)",
    )
    where = ["--data", str(example), "--notebooks", str(tmp_path / "notebooks")]
    several = ["--from", "2004-05 Q2", "--to", "2004-05 Q3"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "psa_analysis.cli",
            "run",
            *several,
            "--dask",
            address,
            *where,
            "--outputs",
            str(tmp_path / "out"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while len(list(begun.iterdir())) < 2:
        time.sleep(0.05)
    # With all that it has started, as when a machine goes down.
    os.killpg(workers[0].pid, signal.SIGKILL)
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 0, output
    assert output.count("The pack is") == 2
    here = psa_run(*several, *where, "--outputs", str(tmp_path / "here"))
    assert here.exit_code == 0
    for name in ("2004-05-Q2", "2004-05-Q3"):
        assert bytes_of(tmp_path / "out" / name) == bytes_of(tmp_path / "here" / name)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name a quarter such as"),
        (["2004-05 Q3", "--latest"], "one of the three"),
        (["--from", "2004-05 Q3"], "--from and --to belong together"),
        (["--from", "2004-05 Q3", "--to", "2004-05 Q1"], "is before"),
        (["2004-05 Q3", "--data", "a/data", "--data", "b/data"], "two data folders are called"),
        (["2004-05 Q3", "--dask", "tcp://127.0.0.1:1"], "no Dask scheduler at tcp://127.0.0.1:1"),
    ],
)
def test_a_wrong_command_says_how_it_is_meant(arguments: list[str], says: str) -> None:
    result = psa_run(*arguments)
    assert (result.exit_code, says in result.output) == (2, True), result.output


def test_the_hook_is_told_of_good_and_bad(small: Callable[..., Result], tmp_path: Path) -> None:
    hook = tmp_path / "hook.py"
    told = tmp_path / "told"
    hook.write_text(
        "import os, sys\n"
        f"with open({str(told)!r}, 'a') as file:\n"
        "    file.write(os.environ['PSA_STATUS'] + '|' + os.environ['PSA_MANIFEST'] + '|')\n"
        "    file.write(sys.stdin.read())\n"
    )
    command = f"{sys.executable} {hook}"
    assert small("--hook", command).exit_code == 0
    pack = tmp_path / "out" / "2004-05-Q3"
    assert told.read_text().startswith(f"done|{pack / 'manifest.json'}|2004-05 Q3 (internal), ")
    told.unlink()
    assert small("--hook", command, "--data", str(tmp_path)).exit_code == 1
    assert told.read_text().startswith("not made||")
    assert "raw/agreement.toml" in told.read_text()
    result = small("--hook", "no-such-command --now")
    assert result.exit_code == 3
    assert "the hook ended with 127: no-such-command --now" in result.output


@pytest.mark.parametrize(
    ("today", "period"),
    [
        (date(2005, 2, 13), "2004-05 Q2"),
        (date(2005, 2, 14), "2004-05 Q3"),  # 45 days after the year's end
        (date(2003, 8, 14), "2003-04 Q1"),
    ],
)
def test_the_latest_period_is_the_newest_whose_cut_off_has_passed(
    agreement: Agreement, today: date, period: str
) -> None:
    assert latest_period(agreement, today) == quarter(period)


def test_the_latest_period_stays_within_the_agreement(agreement: Agreement) -> None:
    last = latest_period(agreement, date(2026, 11, 22))
    assert last == latest_period(agreement, date(2040, 1, 1))
    assert last.end >= date(2006, 3, 31)
    with pytest.raises(ParameterError, match="2003-04 Q1, is due on 14 August 2003"):
        latest_period(agreement, date(2003, 8, 13))


def test_quarters_from_one_to_another() -> None:
    made = quarters_between(quarter("2003-04 Q3"), quarter("2004-05 Q2"))
    assert [one.label for one in made] == ["2003-04 Q3", "2003-04 Q4", "2004-05 Q1", "2004-05 Q2"]


def test_children_answer_or_die_by_themselves(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text("""
import os, signal, time
from psa_analysis.packs.children import Died, run_children
def dies(say):
    say(4)
    os.kill(os.getpid(), signal.SIGSEGV)
def raises(say):
    raise ValueError("no")
def one(say):
    return 1
def where(say):
    return os.getpid()
if __name__ == "__main__":
    for name, value in run_children({"a": one, "b": dies, "c": raises, "d": where}, 2):
        print(name, value.said if isinstance(value, Died) else repr(value)[:20])
""")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    lines = dict(line.split(" ", 1) for line in sorted(done.stdout.splitlines()))
    assert lines["a"] == "1"
    assert lines["b"] == "4"
    assert lines["c"] == "ValueError('no')"
    assert lines["d"] != str(os.getpid())
    assert done.stderr == ""


def test_an_interrupted_run_takes_its_children_with_it(tmp_path: Path, example: Path) -> None:
    notebook(
        tmp_path / "notebooks",
        "00_slow.ipynb",
        PARAMETERS,
        f"import os, pathlib, time\npathlib.Path({str(tmp_path / 'pid')!r})"
        ".write_text(str(os.getpid()))\ntime.sleep(100)",
    )
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = running(tmp_path)
        pid = tmp_path / "pid"
        while not pid.exists() or not pid.read_text():
            time.sleep(0.05)
        child = int(pid.read_text())
        pid.unlink()
        process.send_signal(number)
        process.wait(20)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        state = Path(f"/proc/{child}/stat")
        assert not state.exists() or state.read_text().split()[2] == "Z", number


def blocks(language: str) -> list[str]:
    """The examples of a kind in docs/run.md."""
    text = (ROOT / "docs" / "run.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, example: Path) -> Path:
    """The project as it stands in /srv/psa: a folder of its own, with psa in its environment."""
    folder = tmp_path / "srv"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "outputs").mkdir()
    command = folder / ".venv" / "bin" / "psa"
    # One small notebook, and outputs that are not the project's.
    notebook(folder / "notebooks", "00_all.ipynb", PARAMETERS, OPEN.format(""))
    command.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m psa_analysis.cli "$@" '
        f'--notebooks "{folder}/notebooks" --outputs "{folder}/outputs" --data "{example}"\n'
    )
    command.chmod(0o755)
    return folder


def bare(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with no more around it than a scheduler gives."""
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_line_for_cron_works(installed: Path) -> None:
    minute, hour, day, month, weekday, command = blocks("cron")[0].strip().split(maxsplit=5)
    assert [minute, hour, day, month, weekday] == ["15", "6", "*", "*", "1-5"]
    assert "%" not in command, "which ends a line of cron"
    done = bare(["/bin/sh", "-c", command.replace("/srv/psa", str(installed))], Path("/"))
    assert done.returncode == 0, done.stderr
    assert "The pack is" in done.stdout
    assert (installed / "outputs" / "run.jsonl").exists()


def test_the_units_for_systemd_work(installed: Path) -> None:
    service, timer = (text.replace("/srv/psa", str(installed)) for text in blocks("ini"))
    units = installed / "units"
    units.mkdir()
    (units / "psa.service").write_text(service)
    (units / "psa.timer").write_text(timer)
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment]  # as the library's own text shows it
    read.read_string(service)
    done = bare(read["Service"]["ExecStart"].split(), Path(read["Service"]["WorkingDirectory"]))
    assert done.returncode == 0, done.stderr
    read.read_string(timer)
    if verifier := shutil.which("systemd-analyze"):
        for arguments in (
            ["verify", "--man=no", str(units / "psa.service"), str(units / "psa.timer")],
            ["calendar", read["Timer"]["OnCalendar"]],
        ):
            said = subprocess.run([verifier, *arguments], capture_output=True, text=True)
            ours = [line for line in said.stderr.splitlines() if "psa." in line]
            assert (said.returncode, ours) == (0, []), said.stderr


def test_help_and_check_are_quick_enough_to_be_used() -> None:
    """Not a benchmark: that what is heavy is not imported for help or an unchanged pack."""
    script = (
        "import sys; from psa_analysis.cli import main\n"
        "try: main(['run', '--help'])\nexcept SystemExit: pass\n"
        "import psa_analysis.packs.make\n"
        "print([name for name in ('pandas', 'numpy', 'papermill') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")
    assert "--latest" in done.stdout
