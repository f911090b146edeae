"""Back-tests: no look ahead, honest counts, and what the pages show of them."""

import numpy as np
import pandas as pd
import pytest
from builders import EXPECTED, ReportOf, observed

from psa_analysis.analysis.backtest import backtest_panel, real_panel, reference, reliability
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report

LIMITS = ["median", "low_80", "high_80"]


def panel(areas: int = 12, years: int = 9) -> pd.DataFrame:
    """Counts of places, in the years from 2000/01 on."""
    steps = np.random.default_rng(4).normal(-0.03, 0.08, (areas, years))
    values = np.rint(300 * np.exp(np.cumsum(steps, axis=1)))
    places = [
        observed("N1", list(row), 2000, "financial_year", area=f"Place {number}")
        for number, row in enumerate(values)
    ]
    return pd.concat(places, ignore_index=True).assign(unit="crimes", made_of="")


def test_forecasts_know_nothing_of_what_came_later() -> None:
    table = panel()
    changed = table.assign(value=table["value"] + 500 * (table["period"] >= "2006/07"))
    key = ["measure", "area", "origin", "period", "horizon"]
    before, after = (
        forecasts[forecasts["origin"] < "2006/07"].sort_values(key).reset_index(drop=True)
        for forecasts in (backtest_panel(table)[0], backtest_panel(changed)[0])
    )
    known = [*key, *LIMITS, "low_95", "high_95", "readings"]
    assert len(before) == 12 * 4 * 3
    pd.testing.assert_frame_equal(before[known], after[known])
    assert (before["observed"] != after["observed"]).any()


def test_who_is_forecast_together_does_not_depend_on_the_future() -> None:
    table = panel(areas=14)
    late = table["period"] > "2004/05"
    half = table["area"].isin([f"Place {number}" for number in range(7)])
    key = ["area", "origin", "horizon"]
    complete, thinned = (
        backtest_panel(rows)[0].set_index(key) for rows in (table, table[~(late & half)])
    )
    both = thinned.index[thinned.index.get_level_values("origin") == "2004/05"]
    assert len(both) == 7 * 3
    pd.testing.assert_frame_equal(complete.loc[both, LIMITS], thinned.loc[both, LIMITS])


def test_every_moment_with_three_readings_and_something_after_is_tried() -> None:
    forecasts, targets = backtest_panel(panel(areas=2, years=6))
    tried = forecasts.groupby("origin")["horizon"].agg(["min", "max", "size"])
    assert list(tried.index) == ["2002/03", "2003/04", "2004/05"]
    assert tried["max"].tolist() == [3, 2, 1]
    assert tried["size"].tolist() == [6, 4, 2]
    assert len(targets) == 5 * len(forecasts)
    assert (forecasts["readings"] == forecasts["origin"].str[:4].astype(int) - 1999).all()
    # A place whose figures never moved is forecast with the others, and not scored.
    still = panel(areas=2, years=6)
    still.loc[still["area"] == "Place 0", "value"] = 7.0
    assert set(backtest_panel(still)[0]["area"]) == {"Place 1"}


def test_reliability_counts_what_came_true_and_how_many_histories_say_so() -> None:
    targets = pd.DataFrame(
        {
            "series": ["a", "b", "a", "b", "c", "d", "e"],
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
    # The same four of one history are one case.
    same = reliability(targets.assign(series="a"))
    assert same.loc[1, "low"] < table.loc[1, "low"]


def test_only_real_figures_are_tried(agreement: Agreement, loaded: tuple) -> None:
    table = real_panel(loaded[0], agreement)
    made_up = set(loaded[0].loc[loaded[0]["illustrative"], "measure"])
    assert made_up
    assert not made_up & set(table["measure"])
    assert not table.duplicated(["measure", "area", "period"]).any()


def test_where_every_figure_is_made_up_there_is_nothing_to_try(report: Report) -> None:
    forecasts, targets = backtest_panel(real_panel(report.observations.head(0), report.agreement))
    assert forecasts.empty
    assert reliability(targets).empty


def test_the_method_page_shows_what_was_measured(report_of: ReportOf) -> None:
    scores, table = reference("scores"), reference("reliability")
    own = scores[scores["method"] == "psa_analysis"]
    keys = ["per_year", "panel", "history"]
    ours = scores["method"].str.startswith("psa_analysis")
    best = scores[~ours].groupby(keys)["crps"].min()
    ratio = own.set_index(keys)["crps"] / best
    # Worse than the best of all peers on one panel and length; see docs/forecast.md.
    assert (ratio < 1.01).sum() >= len(ratio) - 1
    assert (ratio < 1).sum() >= 19
    assert ratio.mean() < 0.95
    alone = scores[scores["method"] == "psa_analysis, portfolio"].set_index(keys)
    error = (alone["crps"] / best).mean()
    assert error < 1
    # As reports forecast; in a group ranges are wider, for a shock to all of it.
    pooled = np.average(alone["within_80"], weights=alone["readings"])
    assert 0.78 <= pooled <= 0.82
    # The more was said, the more came true, though less than was said: see docs/forecast.md.
    assert table["came_true"].is_monotonic_increasing
    page = (EXPECTED / "pages" / "internal-07_method.txt").read_text()
    assert f"Our error was {1 - error:.0%} below" in page
    # Of the agreement's own figures all are tried, whenever they came in.
    reports = [report_of(period) for period in ("2001-02 Q4", "2004-05 Q3")]
    early, late = (real_panel(report.observations, report.agreement) for report in reports)
    pd.testing.assert_frame_equal(early, late)
