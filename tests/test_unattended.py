"""The run that nobody watches: what is made again, what survives, who waits, what ends."""

import json
import os
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
from builders import bytes_of, notebook, psa_run
from click.testing import Result
from nbformat.v4 import new_markdown_cell

from psa_analysis import pipeline
from psa_analysis.files import checksum
from psa_analysis.findings import ParameterError
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import ROOT, latest_period

OPEN = "import psa_analysis as psa\nreport = psa.open_report(period, data, audience)"
TABLE = "psa.standing(report)"
Small = Callable[..., Result]
PAGE = "00_all.ipynb"
PSA = [sys.executable, "-m", "psa_analysis.cli", "run"]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The small agreement that psa new makes: most of what is tried here asks for no more."""
    shutil.copytree(ROOT / "psa_analysis" / "starter", tmp_path / "example" / "raw")
    return tmp_path / "example"


@pytest.fixture
def where(tmp_path: Path, example: Path) -> list[str]:
    """Options that name the folders of a run."""
    folders = ["--data", example, "--notebooks", tmp_path / "notebooks"]
    return [*map(str, folders), "--outputs", str(tmp_path / "out")]


@pytest.fixture
def small(tmp_path: Path, where: list[str]) -> Small:
    """Make a pack of one small notebook."""
    notebook(tmp_path / "notebooks", "00_all.ipynb", OPEN, TABLE)
    return lambda *arguments: psa_run("2004-05 Q3", *where, *arguments)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return tmp_path / "out" / "2004-05-Q3"


def finished(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PSA, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What is started in the background of a script ignores interrupts, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def pages_of(pack: Path) -> dict[str, dict]:
    manifest = json.loads((pack / "manifest.json").read_text())
    return {page["notebook"]: page for page in manifest["pages"]}


def test_a_pack_is_made_only_when_something_has_changed(small, example, tmp_path, pack) -> None:
    assert "The pack is" in small().output
    made = (pack / "manifest.json").stat().st_mtime_ns
    assert "nothing has changed" in small().output
    assert (pack / "manifest.json").stat().st_mtime_ns == made
    targets = example / "raw" / "register" / "targets.csv"
    module = tmp_path / "notebooks" / "mine.py"
    text = targets.read_text().replace("More household", "Most household")
    changes = {
        "a notebook": lambda: notebook(tmp_path / "notebooks", "00_all.ipynb", "'other'"),
        "a page, by hand": lambda: (pack / "00_all.html").write_text("mended by hand"),
        "a module that notebooks may import": lambda: module.write_text("figure = 1\n"),
        "the register": lambda: targets.write_text(text),
    }
    for what, change in changes.items():
        change()
        assert "00_all.ipynb: done" in small().output, what
        assert "nothing has changed" in small().output, what
    good, failed, page = bytes_of(pack), pack.with_name(f"{pack.name}-failed"), module.parent / PAGE
    text = page.read_text()
    notebook(module.parent, PAGE, "1 / 0")
    result = small()
    assert "in 2004-05-Q3-failed, for the last good one stays in 2004-05-Q3\n" in result.output
    assert (result.exit_code, bytes_of(pack)) == (1, good)
    assert pages_of(failed)[PAGE]["error"] == "ZeroDivisionError: division by zero"
    page.write_text(text)
    assert "nothing has changed" in small().output
    assert not failed.exists()
    assert "00_all.ipynb: done" in small("--force").output


def test_a_page_quotes_what_was_loaded(where, example: Path, tmp_path, pack: Path) -> None:
    """Though a return is saved, or all data deleted, while the run goes on."""
    returns = example / "raw" / "returns"
    before = checksum(returns / "waste.csv")
    cell = f"import shutil\nshutil.rmtree({str(returns)!r})"
    notebook(tmp_path / "notebooks", "00_all.ipynb", OPEN, cell, "psa.cells_used(report, 'A1')")
    result = psa_run("2004-05 Q3", *where)
    assert result.exit_code == 0, result.output
    assert "raw/returns/waste.csv" in (pack / "00_all.ipynb").read_text()
    manifest = json.loads((pack / "manifest.json").read_text())
    assert manifest["inputs"]["raw/returns/waste.csv"] == before


def test_nothing_is_asked_of_folders_that_are_the_users(where, example, tmp_path, pack) -> None:
    """Neither that they can be written to, nor Python files that stand there."""
    names = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "IPYTHONDIR")
    environment = os.environ | dict.fromkeys(names, "/dev/null")
    environment.pop("PYTHONSAFEPATH", None)
    figure = "import calendar, pandas\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    notebook(tmp_path / "notebooks", "00_all.ipynb", OPEN, TABLE, figure)
    for folder in (tmp_path / "notebooks", example / "raw" / "returns"):
        for name in ("calendar.py", "pandas.py"):
            (folder / name).write_text("raise SystemExit('a file of the user, and no library')")
    (example / "raw" / "returns" / "linked.csv").symlink_to("/etc/passwd")
    command = [Path(sys.executable).parent / "psa", "run", "2004-05 Q3", *where]
    done = finished(command, env=environment, cwd=example / "raw" / "returns")
    assert pack.exists(), done.stderr
    # Which are no returns, as is what a link leads to elsewhere.
    assert done.stderr == "psa: 3 errors in the returns; psa check lists what was kept out\n"
    inputs = json.loads((pack / "manifest.json").read_text())["inputs"]
    assert [name for name, digest in inputs.items() if not digest] == ["raw/returns/linked.csv"]
    assert [path.name for path in (tmp_path / "out" / ".psa").iterdir()] == ["2004-05-Q3"]


def test_help_and_an_unchanged_pack_need_nothing_heavy(small: Small, where: list[str]) -> None:
    """Not a benchmark: that the libraries which take long are not imported."""
    small()
    script = (
        "import sys; from psa_analysis.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = 'pandas', 'numpy', 'matplotlib', 'papermill'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    for arguments in (["2004-05 Q3", *where], ["--help"]):
        done = finished([sys.executable, "-c", script, "run", *arguments])
        assert done.stdout.endswith("[]\n")
        assert "nothing has changed" in done.stdout or "--latest" in done.stdout


def test_what_befalls_one_notebook_does_not_touch_another(tmp_path, where, pack: Path) -> None:
    folder = tmp_path / "notebooks"
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))"
    # Papermill's injected cell is the second to run, so what goes wrong is the fourth.
    failures = {
        "divides.ipynb": ("1 / 0", 4, "ZeroDivisionError: division by zero"),
        "ends.ipynb": ("import sys; sys.exit(0)", None, "ends the notebook early: take exit() out"),
        "exits.ipynb": ("import os\nos._exit(3)", 4, "its process ended with 3"),
        "killed.ipynb": ("import os\nos.kill(os.getpid(), 9)", 4, "memory runs out"),
        "memory.ipynb": (f"{limit}\nx = b'x' * 2**33", 4, "MemoryError"),
    }
    for name, (cell, _, _) in failures.items():
        notebook(folder, name, "kept = 1\n'done before'", cell, "print('never')")
    broken = {"no_json.ipynb": "NotJSONError", "no_tag.ipynb": "no cell is tagged 'parameters'"}
    broken["no_page.ipynb"] = "attachment"
    (folder / "no_json.ipynb").write_text("{")
    made = nbformat.read(notebook(folder, "no_page.ipynb"), as_version=4)
    made.cells[2:] = [new_markdown_cell("![](attachment:gone.png)")]
    nbformat.write(made, folder / "no_page.ipynb")
    made.cells[1].metadata["tags"] = []
    nbformat.write(made, folder / "no_tag.ipynb")
    (folder / ".#lock.ipynb").symlink_to("nowhere")
    notebook(folder, "z_good.ipynb", "'kept' in globals()")
    # A thread that a notebook leaves behind is not waited for.
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()"
    notebook(folder, "z_thread.ipynb", thread)
    result = psa_run("2004-05 Q3", *where)
    assert result.exit_code == 1
    expected = {name: failure[1:] for name, failure in failures.items()}
    expected |= {name: (None, error) for name, error in broken.items()}
    assert f"failed: {', '.join(sorted(expected))}" in result.output
    # It is no pack to publish, and there is no other yet.
    assert "left in 2004-05-Q3-failed, for there is no good one yet" in result.output
    assert not pack.exists()
    pack = pack.with_name("2004-05-Q3-failed")
    pages, index = pages_of(pack), (pack / "index.html").read_text()
    assert json.loads((pack / "manifest.json").read_text())["status"] == "failed"
    for name, (number, error) in expected.items():
        page = pages.pop(name)
        assert (page["status"], page["cell"]) == ("failed", number), page
        assert error in page["error"]
        if number:
            html = (pack / page["html"]).read_text()
            shown = [text in html for text in ("could not be finished", "done before", "never")]
            assert shown == [True, True, False]
    assert "divides.ipynb: cell 4. ZeroDivisionError: division by zero" in index
    statuses = {name: page["status"] for name, page in pages.items()}
    assert statuses == {"z_good.ipynb": "done", "z_thread.ipynb": "done"}
    assert "False" in (pack / "z_good.html").read_text(), "names of another notebook are there"


def test_an_endless_loop_ends(tmp_path: Path, where: list[str], pack: Path) -> None:
    loops = {
        "caught": "while True:\n    try:\n        while True: pass\n    except Exception: pass",
        "not_in_python": "sum(range(10**13))",
    }
    for name, cell in loops.items():
        notebook(tmp_path / "notebooks", f"{name}.ipynb", cell)
    psa_run("2004-05 Q3", *where, "--timeout", "5", "--workers", "2")
    for page in pages_of(pack.with_name("2004-05-Q3-failed")).values():
        assert (page["status"], page["cell"]) == ("failed", 3)
        assert "it took longer than 5 seconds and was stopped" in page["error"]


def test_an_ordinary_kernel_gives_the_same_outputs(tmp_path, where, pack: Path) -> None:
    """As plain papermill starts one; a run executes without."""
    cells = [
        OPEN,
        TABLE,
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
    path = notebook(tmp_path / "notebooks", "a.ipynb", *cells, kernel="an analyst's own")
    assert "ValueError: no" in psa_run("2004-05 Q3", *where).output
    plain = [sys.executable, "-m", "papermill", str(path), "plain.ipynb", "-k", "python3"]
    finished([*plain, "-p", "data", where[1]], cwd=tmp_path)
    both = pack.with_name("2004-05-Q3-failed") / "a.ipynb", tmp_path / "plain.ipynb"
    made = [json.loads(one.read_text()) for one in both]
    ours, its = ([cell.get("outputs") for cell in one["cells"]] for one in made)
    assert ours == its


def test_nbval_starts_a_kernel_again_that_does_not_start(tmp_path: Path) -> None:
    counter = tmp_path / "starts"
    script = (
        f"echo >> '{counter}'; [ $(wc -l < '{counter}') -gt 1 ] || exit 1; "
        f"exec '{sys.executable}' -m ipykernel_launcher -f \"$0\""
    )
    spec = tmp_path / "jupyter" / "kernels" / "own"
    spec.mkdir(parents=True)
    about = {"display_name": "own", "language": "python"}
    about["argv"] = ["sh", "-c", script, "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps(about))
    environment = {**os.environ, "JUPYTER_PATH": str(tmp_path / "jupyter")}
    path = notebook(tmp_path / "notebooks", "00_shy.ipynb", "1 + 1", kernel="own")
    shutil.copy(ROOT / "notebooks" / "conftest.py", path.parent)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", str(path)]
    done = finished(command, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert counter.read_text().count("\n") == 2


def test_a_stopped_run_leaves_the_good_pack_and_no_process(tmp_path, where, pack) -> None:
    """benchmarks/faults.py does it at fifty moments of a run of the real pages."""
    flag, pid = tmp_path / "flag", tmp_path / "pid"
    cell = (
        f"import os, pathlib, time\nif pathlib.Path({str(flag)!r}).exists():\n"
        f"    pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n    time.sleep(1000)"
    )
    notebook(tmp_path / "notebooks", "00_slow.ipynb", cell)
    assert psa_run("2004-05 Q3", *where).exit_code == 0
    good = bytes_of(pack)
    flag.touch()
    children: list[Path] = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = started("2004-05 Q3", *where, "--force")
        wait_until(lambda: pid.exists() and pid.read_text())
        process.send_signal(number)
        process.wait(20)
        children.append(Path(f"/proc/{pid.read_text()}/stat"))
        assert bytes_of(pack) == good, number
        pid.unlink()
    wait_until(lambda: not any(c.exists() and ") Z " not in c.read_text() for c in children), 10)
    flag.unlink()
    assert psa_run("2004-05 Q3", *where, "--force").exit_code == 0
    assert bytes_of(pack) == good
    left = {path.name for path in (tmp_path / "out" / ".psa" / "2004-05-Q3").iterdir()}
    assert left == {"lock", "made.json"}


def test_a_second_run_waits_and_says_for_whom(tmp_path: Path, where: list[str]) -> None:
    begun, flag = tmp_path / "begun", tmp_path / "flag"
    cell = (
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.05)"
    )
    notebook(tmp_path / "notebooks", "00_slow.ipynb", cell)
    first = started("2004-05 Q3", *where)
    wait_until(begun.exists)
    second = started("2004-05 Q3", *where)
    assert second.stdout is not None
    line = second.stdout.readline()
    assert line.startswith(f"psa: waiting for process {first.pid} on ")
    assert "which has been making 2004-05-Q3 since " in line
    flag.touch()
    assert first.wait(60) == second.wait(60) == 0
    assert "nothing has changed" in second.stdout.read()


def test_a_stop_between_the_two_steps_is_undone(small: Small, tmp_path: Path, pack: Path) -> None:
    small()
    good = bytes_of(pack)
    pack.rename(tmp_path / "out" / ".psa" / "2004-05-Q3" / "old")
    assert "nothing has changed" in small().output
    assert bytes_of(pack) == good


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if finished(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    # This process keeps a folder of its own open there until it ends.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_the_last_good_pack(full_disk: Path, small: Small) -> None:
    outputs = ["--outputs", str(full_disk)]
    assert small(*outputs).exit_code == 0
    pack, ballast = full_disk / "2004-05-Q3", full_disk / "ballast"
    good = bytes_of(pack)
    ballast.write_bytes(b"x" * (shutil.disk_usage(full_disk).free - 100_000))
    result = small("--force", *outputs)
    assert result.exit_code == 2
    assert "No space left on device" in result.output
    assert bytes_of(pack) == good
    ballast.unlink()
    assert small("--force", *outputs).exit_code == 0
    assert bytes_of(pack) == good


def test_several_quarters_and_agreements(small, where, example, tmp_path, monkeypatch) -> None:
    """Each pack is as if it were made alone, and one that cannot be made does not stop the rest."""
    broken, other, out = (tmp_path / name for name in ("broken", "other", "out"))
    shutil.copytree(example, other)
    broken.mkdir()
    loaded = pipeline.load_agreement

    # What nobody has thought of.
    def fails(folder: Path) -> object:
        return loaded(folder) if folder.name != "worse" else {}["\x1b\n"]

    monkeypatch.setattr(pipeline, "load_agreement", fails)
    quarters = ["--from", "2004-05 Q2", "--to", "2004-05 Q3"]
    more = [f"--data={tmp_path / name}" for name in ("broken", "worse", "other")]
    result = psa_run(*quarters, *where, *more)
    assert result.exit_code == 2
    assert result.output.count("The pack is") == 4
    assert "broken/2004-05-Q2: error: raw/agreement.toml" in result.output
    details = out / "worse" / ".psa" / "2004-05-Q2" / "traceback.txt"
    line = "worse/2004-05-Q2: KeyError: '\\x1b\\n'; the last good pack is untouched; "
    assert f"{line}{details} tells a programmer" in result.output
    assert "in fails\n" in details.read_text()
    names = ("example/2004-05-Q2", "example/2004-05-Q3", "other/2004-05-Q2", "other/2004-05-Q3")
    assert sorted(path.relative_to(out).as_posix() for path in out.glob("*/2004*")) == [*names]
    alone = ["--data", str(other), "--outputs", str(tmp_path / "alone")]
    psa_run("2004-05 Q2", *where[2:4], *alone)
    assert bytes_of(tmp_path / "alone" / "2004-05-Q2") == bytes_of(out / "other" / "2004-05-Q2")


@pytest.mark.parametrize(
    ("today", "period"),
    [
        (date(2005, 2, 13), "2004-05 Q2"),
        (date(2005, 2, 14), "2004-05 Q3"),  # 45 days after the year's end
        (date(2003, 8, 14), "2003-04 Q1"),
        (date(2040, 1, 1), "2006-07 Q3"),  # the first with every final outturn
    ],
)
def test_the_latest_period_is_the_newest_that_is_due(agreement, today: date, period: str) -> None:
    assert latest_period(agreement, today) == quarter(period)
    with pytest.raises(ParameterError, match="2003-04 Q1, is due on 14 August 2003"):
        latest_period(agreement, date(2003, 8, 13))


def test_the_lines_for_cron_and_systemd_work(tmp_path: Path, where, small: Small) -> None:
    """With no more around them than a scheduler gives, and the project in another folder."""
    folder = tmp_path / "srv"
    command = folder / ".venv" / "bin" / "psa"
    command.parent.mkdir(parents=True)
    given = " ".join(f"'{part}'" for part in where)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m psa_analysis.cli "$@" {given}\n')
    command.chmod(0o755)
    text = (ROOT / "docs" / "run.md").read_text().replace("/srv/psa", str(folder))
    cron, service, timer = re.findall(r"```(?:cron|ini)\n(.*?)```", text, re.DOTALL)
    *times, line = cron.strip().split(maxsplit=5)
    assert times == ["15", "6", "*", "*", "1-5"]
    assert "%" not in line, "which ends a line of cron"
    starts = re.findall("(?m)^ExecStart=(.*)$", service)[0].split()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    for arguments, start in ((["/bin/sh", "-c", line], "/"), (starts, str(folder))):
        done = finished(arguments, cwd=start, env=environment)
        assert done.returncode == 0, done.stderr
        assert "The pack is" in done.stdout or "nothing has changed" in done.stdout
    if verifier := shutil.which("systemd-analyze"):
        (folder / "psa.service").write_text(service)
        (folder / "psa.timer").write_text(timer)
        units = [str(folder / "psa.service"), str(folder / "psa.timer")]
        verified = finished([verifier, "verify", "--man=no", *units])
        assert verified.returncode == 0, verified.stderr
        assert "psa." not in verified.stderr
