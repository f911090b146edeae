"""Back-tests: no look ahead, honest counts, and bad panels refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import psa

import psa_analysis as library
from psa_analysis.analysis.backtest import (
    backtest,
    brier,
    coverage,
    real_panel,
    reference,
    reliability,
)
from psa_analysis.register.agreement import Agreement


def panel(areas: int = 12, years: int = 9, seed: int = 4) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    values = 300 * np.exp(np.cumsum(generator.normal(-0.03, 0.08, (areas, years)), axis=1))
    return pd.DataFrame(
        [
            ("N1", f"Place {place}", f"{2000 + year}/{(year + 1) % 100:02d}", value, "crimes")
            for place, row in enumerate(np.rint(values))
            for year, value in enumerate(row)
        ],
        columns=["measure", "area", "period", "value", "unit"],
    )


def test_forecasts_know_nothing_of_what_came_later() -> None:
    table = panel()
    changed = table.copy()
    changed.loc[changed["period"] >= "2006/07", "value"] += 500
    key = ["measure", "area", "origin", "period", "horizon"]
    before, after = (
        made[made["origin"] < "2006/07"].sort_values(key).reset_index(drop=True)
        for made in (backtest(table)[0], backtest(changed)[0])
    )
    said = ["median", "low_80", "high_80", "low_95", "high_95", "readings"]
    assert len(before) == 12 * 4 * 3
    pd.testing.assert_frame_equal(before[key + said], after[key + said])
    assert (before["observed"] != after["observed"]).any()


def test_who_is_forecast_together_does_not_depend_on_the_future() -> None:
    table = panel(areas=14)
    late = table["period"] > "2004/05"
    half = table["area"].isin([f"Place {n}" for n in range(7)])
    kept = table[~(late & half)]
    key = ["area", "origin", "horizon"]
    whole, thinned = (backtest(one)[0].set_index(key) for one in (table, kept))
    both = thinned.index[thinned.index.get_level_values("origin") == "2004/05"]
    assert len(both) == 7 * 3
    said = ["median", "low_80", "high_80"]
    pd.testing.assert_frame_equal(whole.loc[both, said], thinned.loc[both, said])


def test_the_score_to_beat_is_by_distance() -> None:
    targets = pd.DataFrame(
        {
            "distance": [-1.0, -1.0, 1.0, 1.0],
            "chance": [0.9, 0.9, 0.1, 0.1],
            "happened": [True, True, False, True],
        }
    )
    table = brier(targets).set_index("distance")
    # Near targets are always reached here: saying so is no error, whatever the others do.
    assert table.loc[-1.0, "base_rate_brier"] == 0
    assert table.loc["all", "base_rate_brier"] == pytest.approx(0.25 / 2)
    assert table.loc["all", "brier"] == pytest.approx((0.01 * 2 + 0.01 + 0.81) / 4)


def test_every_moment_with_three_readings_and_something_after_is_tried() -> None:
    forecasts, targets = backtest(panel(areas=2, years=6))
    tried = forecasts.groupby("origin")["horizon"].agg(["min", "max", "size"])
    assert list(tried.index) == ["2002/03", "2003/04", "2004/05"]
    assert tried["max"].tolist() == [3, 2, 1]
    assert tried["size"].tolist() == [6, 4, 2]
    assert len(targets) == 5 * len(forecasts)
    assert (forecasts["readings"] == forecasts["origin"].str[:4].astype(int) - 1999).all()


def test_scores_are_those_of_their_definitions() -> None:
    targets = pd.DataFrame(
        {
            "series": ["a", "b", "a", "b", "c", "d", "e"],
            "distance": 0.0,
            "chance": [0.05, 0.05, 0.75, 0.75, 0.75, 0.75, 1.0],
            "happened": [False, False, True, True, True, False, True],
        }
    )
    table = reliability(targets)
    assert table["forecasts"].tolist() == [2, 4, 1]
    assert table["came_true"].tolist() == [0, 0.75, 1]
    assert table["said_from"].tolist() == [0, 0.7, 0.9]
    # Wilson's 95 % interval of 3 of 4: 0.3006 to 0.9544.
    assert table.loc[1, ["low", "high"]].tolist() == pytest.approx([0.3006, 0.9544], abs=1e-4)
    score = brier(targets).set_index("distance").loc["all"]
    assert score["brier"] == pytest.approx((2 * 0.05**2 + 3 * 0.25**2 + 0.75**2) / 7)
    assert score["base_rate_brier"] == pytest.approx(4 / 7 * 3 / 7)
    forecasts, _ = backtest(panel())
    whole = coverage(forecasts).iloc[0]
    inside = (forecasts["observed"] >= forecasts["low_80"]) & (
        forecasts["observed"] <= forecasts["high_80"]
    )
    assert whole["within_80"] == inside.mean()
    assert whole["forecasts"] == coverage(forecasts)["forecasts"].iloc[1:].sum() == len(forecasts)


def test_only_real_figures_are_tried(agreement: Agreement, loaded: tuple) -> None:
    table = real_panel(loaded[0], agreement)
    made_up = set(loaded[0].loc[loaded[0]["illustrative"], "measure"])
    assert made_up
    assert not made_up & set(table["measure"])
    assert not table.duplicated(["measure", "area", "period"]).any()


def test_the_command_on_the_shipped_figures(tmp_path: Path) -> None:
    result = psa("backtest", "--outputs", str(tmp_path / "new" / "place"))
    assert result.exit_code == 0, result.output
    assert "forecasts of 29 series" in result.output
    assert "came true" in result.output
    names = {path.name for path in (tmp_path / "new" / "place").iterdir()}
    assert names == {
        f"{name}.csv" for name in ("forecasts", "targets", "coverage", "reliability", "brier")
    }
    table = pd.read_csv(tmp_path / "new" / "place" / "reliability.csv")
    assert table["forecasts"].sum() == len(pd.read_csv(tmp_path / "new" / "place" / "targets.csv"))


def test_the_command_on_a_panel_of_ones_own(tmp_path: Path) -> None:
    panel().to_parquet(tmp_path / "panel.parquet")
    result = psa("backtest", str(tmp_path / "panel.parquet"), "--outputs", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "forecasts of 12 series" in result.output


BAD = [
    ("area,period,value,unit\nA,2003/04,1,percent\n", "a column 'measure'"),
    ("measure,area,period,values,unit\nX,A,2003/04,1,percent\n", "Did you mean 'values'?"),
    (
        "measure,area,period,value,unit\nX,A,2003/04,F&M,percent\n",
        "row 2, column value: found 'F&M'",
    ),
    ("measure,area,period,value,unit\nX,A,sumer 2003,1,percent\n", "found 'sumer 2003'"),
    ("measure,area,period,value\nX,A,2003/04,1\n", "a column 'unit', or a measure of the register"),
    ("measure,area,period,value,unit\nX,A,2003/04,1,percent\nX,A,2003/04,2,percent\n", "row 3"),
    ("measure,area,period,value,unit\nX,A,2003/04,101,percent\n", "0 to 100"),
    ("measure,area,period,value,unit\nX,A,2003/04,-1,crimes\n", "0 or more"),
    ("measure,area,period,value,unit\nX,A,2003/04,1,percent\nX,A,2003-04,2,percent\n", "row 3"),
    ("measure,area,period,value,unit\nX,A,2003/04,1,percent\nX,B,2003/04,2,crimes\n", "one unit"),
    ("measure,area,period,value,unit\nX,A,2003/04,TRUE,percent\n", "found 'True'"),
    ("measure,area,period,value,unit\nX,A,2003/04,4e307,crimes\n", "a number below 1e+15"),
    ("measure,area,period,value,unit\n,A,2003/04,1,crimes\n", "row 2, column measure"),
    ("measure,area,period,value,unit\nX,,2003/04,1,crimes\n", "row 2, column area"),
    ("measure,area,period,value,unit\nX,A,,1,crimes\n", "row 2, column period"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_a_bad_panel_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "panel.csv").write_text(text)
    result = psa("backtest", str(tmp_path / "panel.csv"), "--outputs", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert says in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04"])
def test_a_file_that_is_no_panel_is_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("panel.csv", "panel.parquet"):
        (tmp_path / name).write_bytes(content)
        result = psa("backtest", str(tmp_path / name), "--outputs", str(tmp_path / "out"))
        assert result.exit_code == 1
        assert "error: " in result.output


def test_too_short_a_panel_says_so(tmp_path: Path) -> None:
    panel(years=3).to_csv(tmp_path / "panel.csv", index=False)
    result = psa("backtest", str(tmp_path / "panel.csv"), "--outputs", str(tmp_path))
    assert result.exit_code == 1
    assert "nothing to test" in result.output


def test_the_method_page_shows_what_was_measured() -> None:
    scores, table = reference("scores"), reference("reliability")
    own = scores[scores["method"] == "psa_analysis"]
    keys = ["per_year", "panel", "history"]
    ours = scores["method"].str.startswith("psa_analysis")
    best = scores[~ours].groupby(keys)["crps"].min()
    ratio = own.set_index(keys)["crps"] / best
    # Level with the best of all peers at worst, on one panel and length; see docs/forecast.md.
    assert (ratio < 1.02).all()
    assert (ratio < 1).sum() >= 19
    assert ratio.mean() < 0.95
    alone = scores[scores["method"] == "psa_analysis, portfolio"].set_index(keys)["crps"] / best
    assert alone.mean() < 1
    pooled = np.average(own["within_80"], weights=own["readings"])
    assert 0.78 <= pooled <= 0.82
    text = library.reliability_table(table, "test").text
    assert len(text.splitlines()) == 2 + len(table)
    # What was said and what came true go together.
    assert np.abs(table["said"] - table["came_true"]).max() < 0.1
    assert library.reliability_chart(table).alt.startswith("Dot plot")
    assert "70 to 80%" in library.reliability_sentences(table).text
    assert "AutoETS" in set(scores["method"])
    assert library.reference_table(scores).text.count("\n") == 1 + len(own)
