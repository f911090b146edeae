"""Three hundred of the inputs of benchmarks/fuzz.py, and whether its oracle can fail."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import pytest

from psa_analysis.pipeline import ROOT

PROGRAM = ROOT / "benchmarks" / "fuzz.py"


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    return import_module("fuzz")


def test_no_input_stops_it_or_is_read_wrongly() -> None:
    command = [sys.executable, str(PROGRAM), "--inputs", "300", "--seed", "19"]
    # A run in this process may have set what keeps a program from the modules beside it.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 inputs" in done.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.assign(value=rows["value"] + 1), "wrong"),
        (lambda rows: rows.assign(area="Elmhurst"), "missing"),
        (lambda rows: rows[:0], "missing"),
        (lambda rows: rows, ""),
    ],
)
def test_the_oracle_tells_a_wrong_figure_and_a_missing_one(
    fuzz, change: Callable, words: str
) -> None:
    number = next(n for n, kind in enumerate(fuzz.KINDS) if kind.name == "nothing")
    made = fuzz.build(1, number)
    rows = change(fuzz.as_loaded(made))
    kinds = {text.partition(":")[0] for text in fuzz.judge(made, rows, [])}
    assert words in kinds if words else kinds == set()
