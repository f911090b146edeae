"""The red team of ``benchmarks/red_team.py`` tries the hidden cells of a few random agreements."""

import sys
from pathlib import Path

import pytest

from psa_analysis.pipeline import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from random_agreements import random_agreement
from red_team import Attack, public_packs, red_team


# In the second a part of a sum is revised and then hidden; in the third a doubt about one tells it.
@pytest.mark.parametrize(("seed", "quarters"), [(4, (2, 1)), (17, (2, 3, 1)), (53, (2,))])
def test_no_small_figure_can_be_worked_out_from_packs(tmp_path: Path, seed, quarters) -> None:
    truth = random_agreement(tmp_path / "data", seed)
    labels = [f"2004-05 Q{quarter}" for quarter in quarters]
    found, counts = red_team(tmp_path / "data", labels, truth)
    assert counts["tried"] > 10
    assert found == []


def test_the_red_team_finds_what_is_left_open(tmp_path: Path) -> None:
    """With nothing else held back but what its sender suppressed, the county less the others."""
    truth = random_agreement(tmp_path / "data", 6)
    settings = tmp_path / "data" / "raw" / "agreement.toml"
    open_ = "[disclosure]\nthreshold = 0\nsmallest_denominator = 0\n"
    settings.write_text(settings.read_text() + open_)
    attack = Attack(public_packs(tmp_path / "data", ["2004-05 Q1"]), truth)
    found, _ = attack.recoveries(5)
    kinds = {each.kind for each in found}
    assert {"recovered", "shown"} <= kinds
    assert any("parts add up" in each.why for each in found if each.kind == "recovered")
