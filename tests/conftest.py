"""Fixtures: the shipped agreement, loaded once, and copies of it that a test may break."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import settings

from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import ROOT, load_observations, make_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report

# How long an example takes says how busy the machine is, not whether the code is right.
# Enough to find what is wrong over the days, and few enough to wait for.
settings.register_profile("psa", deadline=None, max_examples=15)
settings.load_profile("psa")


@pytest.fixture(scope="session")
def agreement() -> Agreement:
    return load_agreement(ROOT / "data")


@pytest.fixture(scope="session")
def loaded(agreement: Agreement) -> tuple[pd.DataFrame, list]:
    return load_observations(agreement)


@pytest.fixture(scope="session")
def report_of(agreement: Agreement, loaded: tuple) -> Callable[[str], Report]:
    """The report of any quarter, on the shipped data; made once, for nobody changes it."""
    return cache(lambda period: make_report(agreement, *loaded, quarter(period)))


@pytest.fixture(scope="session")
def report(report_of: Callable[[str], Report]) -> Report:
    return report_of("2004-05 Q3")


@pytest.fixture(scope="session")
def pack_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The pack of an audience, as the command makes it when it is started somewhere else.

    Made once for all the processes that tests run in.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def made(audience: str) -> Path:
        folder = root / f"elsewhere-{audience}"
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                folder.mkdir()
                run_elsewhere(folder, audience)
        done = json.loads((folder / "done.json").read_text())
        assert done["code"] == 0, done["errors"]
        assert done["errors"] == ""
        assert "02_safer_county.ipynb: done" in done["said"]
        name = "2004-05-Q3-public" if audience == "public" else "2004-05-Q3"
        assert {path.name for path in (folder / "out {1}").iterdir()} == {".psa", name}
        return folder / "out {1}" / name

    return made


def run_elsewhere(folder: Path, audience: str) -> None:
    # A user's own file must not be taken for the standard library's.
    (folder / "calendar.py").write_text("raise SystemExit('a file of the user, and no library')")
    command = [Path(sys.executable).parent / "psa", "run", "2004-05 Q3", "--audience", audience]
    if audience == "public":  # it writes beside the data what it has shown
        shutil.copytree(ROOT / "data" / "raw", folder / "data" / "raw")
        command += ["--data", "data"]
    done = subprocess.run(
        [*command, "--outputs", "out {1}"], cwd=folder, capture_output=True, text=True, check=False
    )
    said = {"code": done.returncode, "said": done.stdout, "errors": done.stderr}
    (folder / "done.json").write_text(json.dumps(said))


@pytest.fixture
def council(tmp_path: Path) -> Path:
    """A copy of the shipped data folder."""
    folder = tmp_path / "council"
    shutil.copytree(ROOT / "data" / "raw", folder / "raw")
    return folder


@pytest.fixture
def edit(council: Path) -> Callable[..., int]:
    """Change one cell of a file of the copy; gives the row as a spreadsheet counts it."""

    def change(name: str, key: str, column: str, value: str) -> int:
        path = council / "raw" / name
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        row = table.index[table.iloc[:, 0] == key][0]
        table.loc[row, column] = value
        table.to_csv(path, index=False)
        return row + 2

    return change
