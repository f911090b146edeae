"""What a better or worse deciding reading would do to a target's chance and its reward."""

import pytest
from builders import ReportOf

from psa_analysis.report import Report
from psa_analysis.show.grant import better_outturns, grants, outturns


def test_a_step_moves_the_forecast_towards_the_target(report: Report) -> None:
    # From 0 to -20: the whole way is 20 points, so a quarter is 5, and lower is better.
    draws = report.outlooks["N13"].draws[:, -1]
    chance = better_outturns(report, "N13", (0.25,))["chance"].item()
    assert chance == pytest.approx((draws - 5 <= -20).mean(), abs=1e-3)
    # The county's incidents rise from 4,294 to 4,852: higher is better.
    draws = report.outlooks["L4-incidents"].draws[:, -1]
    chance = better_outturns(report, "L4-incidents", (0.1,))["chance"].item()
    assert chance == pytest.approx((draws + 55.8 >= 4852).mean(), abs=1e-3)
    # L7 starts from 33 as assumed, not from its baseline.
    assert better_outturns(report, "L7", (0.1,))["way"].item() == pytest.approx(2)
    assert better_outturns(report, "N10", (0.1,)).empty


@pytest.mark.parametrize("measure", ["N13", "L7", "N26-trunk"])
def test_no_step_is_what_the_page_on_the_grant_says(report: Report, measure: str) -> None:
    still, row = (
        better_outturns(report, measure, (0.0,)).iloc[0],
        grants(report).set_index("measure"),
    )
    expected = row.loc[measure, ["least", "most"]] * row.at[measure, "pot_share"]
    assert still[["least", "most"]].tolist() == pytest.approx(expected.tolist())
    assert still["chance"] == report.rows[measure]["chance_target"]


def test_better_never_lowers_a_chance(report: Report) -> None:
    for measure in report.assessment["measure"]:
        moved = better_outturns(report, measure, (-0.5, 0.0, 0.1, 0.5))
        if not moved.empty:
            assert moved["chance"].is_monotonic_increasing
            assert moved["least"].dropna().is_monotonic_increasing


def test_what_there_is_no_table_of(report: Report, report_of: ReportOf) -> None:
    with pytest.raises(KeyError, match="no theme 'safr'"):
        outturns(report, "safr")
    # Nothing is left to move once all is decided.
    decided = outturns(report_of("2006-07 Q3"), "safer").text
    assert decided == "Nothing here is forecast."
