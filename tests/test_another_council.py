"""Another council's first hour: the example, its packs, the tutorial, and what may go wrong."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from builders import notebook, psa, psa_run, texts

from psa_analysis.periods import parse_period
from psa_analysis.pipeline import ROOT, latest_period
from psa_analysis.register.loading import load_agreement

PAGES = {"00_overview", "06_data_quality", "07_method", "theme_places", "theme_safety"}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """What psa new writes."""
    result = psa("new", str(tmp_path / "example"))
    assert result.exit_code == 0, result.output
    return tmp_path / "example"


def assert_whole(pack: Path) -> None:
    """Every page of the example is made, and no word of the shipped council is in any file."""
    pages = json.loads((pack / "manifest.json").read_text())["pages"]
    assert {Path(page["notebook"]).stem for page in pages if page["status"] == "done"} == PAGES
    assert {path.stem for path in pack.glob("*.html")} == PAGES | {"index"}
    assert [name for name, text in texts(pack) if "leicester" in text.lower()] == []


def test_the_example_is_small_sound_and_says_what_it_is(example: Path) -> None:
    checked = psa("check", "--data", str(example))
    assert checked.exit_code == 0
    assert "of 6 measures in 3 files; 0 errors, 0 warnings" in checked.output
    files = [path for path in (example / "raw").rglob("*") if path.is_file()]
    assert sum(len(path.read_text().splitlines()) for path in files) < 200
    agreement = load_agreement(example)
    measures, partners = agreement.measures, agreement.settings.partners
    assert set(measures["frequency"]) == {"quarterly", "annual"}
    assert set(measures["partner"]) == set(partners)
    assert (measures["without_status"] == "not stated").sum() == 1
    assert len(agreement.families) == 3
    returns = [pd.read_csv(path) for path in (example / "raw" / "returns").glob("*.csv")]
    assert set(pd.concat(returns)["illustrative"]) == {"yes"}


@pytest.mark.parametrize("folder", [ROOT / "psa_analysis" / "starter", ROOT / "data" / "raw"])
def test_settings_name_no_file_that_does_not_exist(folder: Path) -> None:
    text = (folder / "agreement.toml").read_text()
    names = re.findall(r"[\w/]+\.(?:csv|md|toml)\b", text)
    assert [name for name in names if not (ROOT / name).exists() | (folder / name).exists()] == []


@pytest.mark.parametrize(
    ("period", "audience", "says"),
    [
        ("2005-06 Q4", "public", '<a href="theme_places.html#A1">Household waste recycled</a>'),
        # After the agreement the reward is known; by hand, in docs/grant.md.
        ("2006-07 Q2", "internal", "£3,293,351 to £4,068,351"),
    ],
)
def test_the_example_makes_a_whole_pack_at_once(
    example: Path, period: str, audience: str, says: str
) -> None:
    out = example.parent / "out"
    options = ["--data", str(example), "--outputs", str(out), "--audience", audience]
    result = psa_run(period, *options)
    assert result.exit_code == 0, result.output
    assert "[5/5]" in result.output
    [front] = out.glob("*/index.html")
    assert_whole(front.parent)
    assert says in front.read_text()
    assert audience == "public" or says in (ROOT / "docs" / "grant.md").read_text()


def test_several_agreements_in_one_run(example: Path) -> None:
    """Before there is much to read, and beside the shipped data; each is its own council's."""
    other, out = example.parent / "other", example.parent / "out"
    psa("new", str(other))
    data = [part for folder in (example, other) for part in ("--data", str(folder))]
    result = psa_run("2003-04 Q1", *data, "--data", str(ROOT / "data"), "--outputs", str(out))
    assert result.exit_code == 0, result.output
    for name in ("example", "other"):
        assert_whole(out / name / "2003-04-Q1")
    assert "Leicestershire" in (out / "data" / "2003-04-Q1" / "index.html").read_text()
    method = (out / "other" / "2003-04-Q1" / "07_method.html").read_text()
    assert "Readings within the ranges: published figures of the agreement: none." in method


@pytest.mark.parametrize(
    ("notebook", "theme", "code"),
    [
        ("01_prosperity", "safety", 0),
        ("02_safer_county", "places", 0),
        ("03_healthy_attractive", "places", 0),
        ("04_efficiency", "safety", 0),
        ("theme", "safer", 1),
    ],
)
def test_papermill_makes_any_theme_from_any_notebook_and_folder(
    example: Path, notebook: str, theme: str, code: int
) -> None:
    """The data folder's relative path starts where papermill was called."""
    source = str(ROOT / "notebooks" / f"{notebook}.ipynb")
    given = ["-p", "theme", theme, "-p", "data", "example", "-p", "period", "2005-06 Q4"]
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", source, "out.ipynb", *given]
    where = example.parent
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    made = (where / "out.ipynb").read_text()
    assert ("Household waste recycled" in made) == (theme == "places")
    if code:
        says = "ParameterError: theme is 'safer'; expected one of places, safety."
        assert done.stderr.strip().splitlines()[-1].startswith(says)


@pytest.mark.parametrize(
    "unreadable", ["measure,area\n", 'measure,area,period,value\nA1,"Example,2003/04,1\n', ""]
)
def test_what_cannot_be_read_gets_no_sidecar(example: Path, unreadable: str) -> None:
    path = example / "raw" / "returns" / "late.csv"
    path.write_text(unreadable)
    refused = psa("check", "--data", str(example))
    assert refused.exit_code == 1
    assert "error: raw/returns/late.csv" in refused.output
    assert not path.with_name("late.csv.toml").exists()
    path.write_text("measure,area,period,value,received\nA1,Example,1998/99,12.2,1999-07-15\n")
    mended = psa("check", "--data", str(example))
    assert mended.exit_code == 0, mended.output
    assert "received today: raw/returns/late.csv" in mended.output


def test_a_notebook_without_a_kernel_or_with_an_unknown_one_runs_as_python(example: Path) -> None:
    folder, out = example.parent / "notebooks", example.parent / "out"
    code = "import psa_analysis as psa\nreport = psa.open_report(period, data, audience)"
    path = notebook(folder, "a.ipynb", code, "report")
    notebook(folder, "b.ipynb", code, kernel="nonesuch")
    bare = nbformat.read(path, as_version=4)
    bare.metadata.clear()
    # As some editors save it, with a byte order mark before the JSON.
    path.write_text(nbformat.writes(bare), encoding="utf-8-sig")
    options = ["--data", str(example), "--notebooks", str(folder), "--outputs", str(out)]
    result = psa_run("2004-05 Q3", *options)
    assert "a.ipynb: done" in result.output
    assert "b.ipynb: done" in result.output
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("change", "today", "period"),
    [
        (lambda text: text, date(2006, 5, 15), "2005-06 Q4"),
        (lambda text: text, date(2040, 1, 1), "2006-07 Q1"),  # the year's figures came in July
        (lambda text: text.replace("final,2006-07-10", "provisional,2006-07-10"), *2 * [None]),
        (lambda text: text.replace("final,2006-07-10", "final,2007-07-10"), *2 * [None]),
    ],
)
def test_a_schedule_goes_on_to_the_final_outturns(
    example: Path, change: Callable[[str], str], today: date | None, period: str | None
) -> None:
    path = example / "raw" / "returns" / "police.csv"
    path.write_text(change(path.read_text()))
    path.with_name("police.csv.toml").unlink()
    late = "2007-07-10" in path.read_text()
    period = period or ("2007-08 Q1" if late else "2007-08 Q4")  # or till the reward is paid
    newest = latest_period(load_agreement(example), today or date(2040, 1, 1))
    assert newest == parse_period(period)


@pytest.mark.parametrize("page", ["another_council", "council_plan"])
def test_a_tutorial_does_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    assert len(text.splitlines()) <= 150
    monkeypatch.chdir(tmp_path)
    for language, path, body in re.findall(r"^```(\w+) ?(.*)\n([^`]*)^```$", text, re.MULTILINE):
        if path:
            Path(path).write_text(body)
        if language != "console":
            continue
        for shown in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, expected = shown.partition("\n")
            printed = said(command).replace(str(tmp_path), "~")
            pattern = re.escape(expected).replace(re.escape("...\n"), "(?:.*\n)*")
            assert re.fullmatch(pattern, printed), f"{command}\n{printed}"


def said(command: str) -> str:
    """What a command prints; our own runs in this process."""
    if command.startswith("psa "):
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
        return psa_run(*words[2:]).output if words[1] == "run" else psa(*words[1:]).output
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout
