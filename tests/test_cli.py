"""The command: help, exit codes and errors of one line."""

import io
from pathlib import Path

import pandas as pd
import pytest
from builders import psa

from psa_analysis.analysis.assessment import COLUMNS


def test_help_says_what_each_command_does() -> None:
    assert "  check     Check the register and the returns" in psa("--help").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["asses", "2004-05 Q3"], "No such command 'asses'"),
        (["assess"], "Missing argument 'PERIOD'"),
        (["assess", "2004/05"], "'2004/05' is a financial year; expected a quarter"),
        (["check", "--dta", "x"], "--data"),
        (["run"], "name a quarter such as"),
        (["run", "2004-05 Q3", "--latest"], "one of the three"),
        (["run", "--from", "2004-05 Q3"], "--from and --to belong together"),
        (["run", "--from", "2004-05 Q3", "--to", "2004-05 Q1"], "is before"),
        (["run", "2004-05 Q3", "--data", "a/x", "--data", "b/x"], "two data folders are called"),
        (["run", "2004-05 Q3", "--outputs", "/proc/packs"], "name another folder with --outputs"),
        (["run", "2004-05 Q3", "--notebooks", "nowhere"], "there is no notebook in"),
        (["run", "Q3"], "expected a period such as 2004-05 Q3"),
        (["run", "2004-05 Q3", "--audience", "press"], "is not one of"),
    ],
)
def test_a_wrong_command_says_what_is_right(arguments: list[str], says: str) -> None:
    result = psa(*arguments)
    assert (result.exit_code, says in result.output) == (2, True), result.output


def test_a_wrong_folder_says_so(tmp_path: Path) -> None:
    for command in (["check"], ["assess", "2004-05 Q3"], ["run", "2004-05 Q3"]):
        result = psa(*command, "--data", str(tmp_path))
        assert result.exit_code == 1
        assert "Name the folder that holds raw/agreement.toml" in result.output


def test_assess_prints_a_table_or_every_column() -> None:
    result = psa("assess", "2004-05 Q3")
    assert "N13" in result.output
    assert "at risk" in result.output
    table = pd.read_csv(io.StringIO(psa("assess", "2004-05 Q3", "--csv").output))
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 24


def test_an_unwritable_folder_is_one_line(council: Path) -> None:
    (council / "processed").write_text("a file where the folder should be")
    result = psa("check", "--data", str(council))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("psa: ")
    assert "processed" in result.output.splitlines()[-1]
    assert "0 errors" in result.output  # what was found is said before anything is saved


def test_errors_in_the_returns_give_exit_code_one_and_still_a_table(council: Path) -> None:
    with (council / "raw" / "returns" / "waste.csv").open("a") as file:
        file.write("x\n")
    (council / "raw" / "returns" / "waste.csv.toml").unlink()
    result = psa("assess", "2004-05 Q3", "--data", str(council))
    assert result.exit_code == 1
    # The good rows of the file are still used.
    [good] = [line for line in psa("assess", "2004-05 Q3").output.splitlines() if "L7" in line]
    assert good in result.output
    assert "psa: 1 error in the returns" in result.output
