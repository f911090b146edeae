"""What we said, what came: the record of earlier forecasts, leans, and what pages claim."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from builders import ReportOf

import psa_analysis as psa
from psa_analysis.analysis.backtest import held, lean, make_record, year_before
from psa_analysis.pipeline import make_report, record_of
from psa_analysis.report import Report
from psa_analysis.show.measures import flattening_text
from psa_analysis.show.overview import scorecard
from psa_analysis.show.record import lean_text, record_text, record_view, trust_text

FAN = ["measure", "period", "median", "low_50", "high_50", "low_80", "high_80", "low_95", "high_95"]


def with_record(report: Report, rows: pd.DataFrame) -> Report:
    return dataclasses.replace(report, record_of=lambda _: rows)


def record(sides: dict[str, list[int]], ahead: int = 4, **columns: object) -> pd.DataFrame:
    """A record of readings by measure, better (1) or worse (-1) than a range of 4 to 6."""
    rows = [
        (name, f"{2004 + number}/{(5 + number) % 100:02d}", side, 5 + 3 * side)
        for name, of_measure in sides.items()
        for number, side in enumerate(of_measure)
    ]
    frame = pd.DataFrame(rows, columns=["measure", "period", "side", "observed"])
    ends = pd.to_datetime(frame["period"].str[:4].astype(int).add(1).astype(str) + "-03-31")
    frame = frame.assign(low_80=4.0, high_80=6.0, quarters_ahead=ahead, period_end=ends)
    places = frame["side"].map({1: "better", 0: "within", -1: "worse"})
    return frame.assign(place=places, illustrative=False, origin="2003-04 Q4", **columns)


def test_the_record_is_what_the_earlier_reports_said(report_of: ReportOf) -> None:
    late = report_of("2004-05 Q3")
    own = late.area_readings
    firm = own[own["reading"].notna() & own["flag"].isin(["final", "revised"])]
    firm = firm[["measure", "period", "reading"]].rename(columns={"reading": "observed"})
    for origin in ("2003-04 Q3", "2004-05 Q2"):
        outlooks = report_of(origin).outlooks.items()
        fans = [each.fan().assign(measure=name) for name, each in outlooks if not each.reason]
        expected = pd.concat(fans)[FAN].merge(firm).sort_values(FAN[:2], ignore_index=True)
        rows = late.record[late.record["origin"] == origin].sort_values(FAN[:2], ignore_index=True)
        assert len(expected) > 5
        pd.testing.assert_frame_equal(rows[[*FAN, "observed"]], expected)
    first, last = late.record["origin"].min(), late.record["origin"].max()
    assert (first, last) == ("2003-04 Q1", "2004-05 Q2")
    assert report_of("2003-04 Q1").record.empty


def test_what_comes_later_changes_what_came_and_nothing_that_was_said(report: Report) -> None:
    table = report.observations
    newest = (table["measure"] == "L7") & (table["received"] > "2004-11-14")
    assert newest.any()
    changed = table.assign(value=table["value"].mask(newest, table["value"] + 5))
    other = dataclasses.replace(report, observations=changed)
    pd.testing.assert_frame_equal(record_of(other)[FAN], report.record[FAN])


def test_a_reading_is_better_or_worse_by_its_polarity_and_counts_once_it_is_final() -> None:
    ends = {"period_end": pd.Timestamp("2005-03-31"), "origin_end": pd.Timestamp("2004-03-31")}
    said = {"period": "2004/05", "origin": "2003-04 Q4", "median": 5.0, "low_80": 4.0}
    names = ["up", "down", "level", "early", "neither"]
    fans = pd.DataFrame({"measure": names}).assign(**said, high_80=6.0, **ends)
    came = {"reading": [6.5, 6.5, 5.0, 5.0, 5.0], "flag": "final", "illustrative": False}
    readings = pd.DataFrame({"measure": names, "period": "2004/05", **came})
    readings.loc[3, "flag"] = "provisional"
    polarity = pd.Series(["higher", "lower", "higher", "higher", "not stated"], names)
    rows = make_record(fans, readings, polarity.to_frame("polarity")).set_index("measure")
    assert rows["place"].to_dict() == {"up": "better", "down": "worse", "level": "within"}
    assert rows["side"].tolist() == [1, -1, 0]
    assert rows["quarters_ahead"].unique().tolist() == [4]


def test_a_reading_is_set_beside_the_forecast_of_a_year_before_or_the_earliest_since() -> None:
    one = {"A": [1, 1]}
    rows = pd.concat([record(one, ahead) for ahead in (1, 3, 4, 5)])
    assert year_before(rows)["quarters_ahead"].tolist() == [4, 4]
    assert year_before(rows[rows["quarters_ahead"] < 4])["quarters_ahead"].tolist() == [3, 3]
    assert year_before(record(one, 0)).empty


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [
        (6, 0, (1.0, 6, 2 / 64)),
        (7, 1, (7 / 8, 8, 2 * 9 / 256)),
        (3, 3, (0.5, 6, 1.0)),
        (5, 0, None),
    ],
)
def test_a_lean_is_told_by_one_vote_a_measure(better: int, worse: int, expected: tuple) -> None:
    """Binomial tails by hand; what is neither better nor worse has no vote."""
    sides = {f"B{n}": [1, 1, -1] for n in range(better)} | {f"W{n}": [-1] for n in range(worse)}
    found = lean(record(sides | {"even": [1, -1]}))
    assert found == (expected and pytest.approx(expected))
    # Twenty more forecasts of one measure are no more witnesses.
    assert lean(record({"B0": [1] * 20} | {name: sides[name] for name in list(sides)[1:]})) == found


def test_chance_of_a_share_counts_measures_and_years() -> None:
    rows = record({"A": [0, 0, 1], "B": [0]})
    share, low, high = held(pd.concat([rows] * 5))
    # Wilson's 95 % interval of 3 of 4, however many areas or quarters say so.
    assert (share, low, high) == pytest.approx((0.75, 0.3006, 0.9544), abs=1e-4)


def test_a_lean_is_said_before_any_chance_and_only_where_there_is_one(report: Report) -> None:
    gloomy = with_record(report, record({f"M{n}": [1] for n in range(6)}))
    answers = scorecard(gloomy).words.text
    assert answers.startswith("Will the targets be met? Forecasts have been too gloomy: 6 of 6 ")
    assert "No chance is moved" in answers
    hopeful = with_record(report, record({f"M{n}": [-1] for n in range(8)}))
    assert "too hopeful: 8 of 8 measures came out worse" in lean_text(hopeful)
    assert lean_text(with_record(report, record({f"M{n}": [1] for n in range(5)}))) == ""


def test_pages_claim_what_was_measured_on_the_agreement_itself(report: Report) -> None:
    half = record({f"M{n}": [0, 1, 0, 1] for n in range(30)})
    text = trust_text(with_record(report, half))
    assert text.startswith("Ranges have been too narrow here. Of 120 outcomes that earlier ")
    usual = record({f"M{n}": [0, 0, 0, 0, 1] for n in range(30)})
    assert trust_text(with_record(report, usual)).startswith("Of 150 outcomes that earlier reports")
    # What is made up is no evidence, and the published figures are none where there are none.
    few = dataclasses.replace(report, observations=report.observations.head(0))
    text = trust_text(with_record(few, half.assign(illustrative=True)))
    assert text.startswith("On reference series, ")
    assert "furthest off on reference series" in text


def test_a_measure_shows_what_was_said_and_what_came(report: Report) -> None:
    rows = record({"N13": [1, 0, -1, 1]})
    view = record_view(with_record(report, rows), "N13")
    assert len(view.table.frame) == 4
    for place in ("better", "within", "worse"):
        assert f"Came: {place}" in view.chart.svg
    assert record_text(rows) == (
        "1 of 4 readings since 2004/05 came within the range given a year before; "
        "2 came better; 1 came worse."
    )
    assert view.words.text == record_text(rows)
    shown = psa.further(with_record(report, rows), "N13")
    assert shown[0].heading == "Earlier forecasts"
    assert record_view(with_record(report, rows), "L7").reason


def test_a_public_record_has_nothing_that_rests_on_what_is_hidden(report: Report) -> None:
    known = report.agreement, report.observations, [*report.findings]
    public = make_report(*known, report.period, "public")
    county = report.agreement.settings.agreement.area
    rows = public.withheld[public.withheld["reason"] != "earlier version"]
    held_back = set(rows.loc[rows["area"] == county, "measure"])
    assert held_back
    assert not held_back & set(public.record["measure"])


@pytest.mark.parametrize(
    ("median", "low", "high", "says"),
    [(-9, -11, -6, True), (-12, -15, -9, False), (-9, -14, -6, False), (-5, -8, -2, True)],
)
def test_why_a_forecast_flattens_is_said_where_it_does(median, low, high, says: bool) -> None:
    """From −4 to −8 in a year would be −12 in another: expected, or only in part."""
    row = {"latest": -8.0, "year_before": -4.0, "latest_period": "2004-05 Q3", "due": "2005-06 Q3"}
    row = pd.Series(row | {"unit": "percent change"})
    day = pd.Timestamp("2005-12-31")
    due = pd.Series({"median": median, "low_50": low, "high_50": high, "period_end": day})
    text = flattening_text(row, due)
    assert bool(text) == says
    if says:
        assert text.startswith("last year's pace would give −12%, but ")
    still = row.mask(row.index == "latest", -4.0)
    assert flattening_text(still, due) == flattening_text(row.mask(row == -4.0, np.nan), due) == ""
