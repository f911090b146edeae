"""Tables, words and charts: accessible, escaped, and saying what the numbers say."""

import dataclasses
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from builders import ReportOf, Tags, drawn_text, with_measure
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import psa_analysis as psa
from psa_analysis.report import Report
from psa_analysis.show.tables import table
from psa_analysis.show.trajectories import readings_table, sparkline, trajectory_chart
from psa_analysis.words import (
    NOT_SHOWN,
    amount_text,
    chance_text,
    counted,
    difference_text,
    figure_text,
    listed,
    of_one,
    pounds_text,
    range_text,
    with_unit,
)

FIGURES = {
    "percent": {53.2: "53.2%", 63.0: "63%"},
    "percent change": {-8.34: "−8.3%", 2.0: "+2%", 0.0: "0%", -0.04: "0%"},
    "incidents": {4852.0: "4,852", 4619.5: "4,620"},
    "casualties": {58.333: "58.3", 326.388: "326"},
    "million pounds": {402.61: "402.6"},
    "per 1,000 residents": {4900.0: "4,900"},
    "million journeys": {15.011: "15.01"},
    "index": {107.5: "107.5"},
    "people": {float("nan"): "–"},
    # Halves go up, in binary too.
    "days": {62.25: "62.3", 150.5: "151", 0.25: "0.3", -2.25: "−2.3"},
}


@pytest.mark.parametrize("unit", FIGURES)
def test_figures_as_readers_expect_them(unit: str) -> None:
    shown = {value: figure_text(value, unit) for value in FIGURES[unit]}
    assert [*shown.values()] == [*FIGURES[unit].values()]


@pytest.mark.parametrize(
    ("value", "unit", "stated", "shown"),
    [
        (18.955, "days", 3, "18.955"),
        (19, "days", 3, "19.000"),
        (19.85, "percent", 2, "19.85%"),
        (20.1, "percent", 2, "20.10%"),
        (150.5, "days", 1, "150.5"),
        (12.0, "days", 1, "12"),
        (4852.3, "per 1,000 residents", 1, "4,852.3"),
    ],
)
def test_figures_are_as_exact_as_those_of_their_measure(value, unit, stated, shown) -> None:
    assert figure_text(value, pd.Series({"unit": unit, "decimals": stated})) == shown


@given(st.floats(-1e6, 1e6), st.sampled_from(["percent", "percent change", "people", "index"]))
def test_a_figure_reads_back_to_its_decimals(value: float, unit: str) -> None:
    text = figure_text(value, unit)
    back = float(re.sub("[,%+]", "", text).replace("−", "-"))
    whole = abs(value) >= (100 if unit == "people" else 1000)
    assert abs(back - value) <= (0.5 if whole else 0.05) + 1e-9
    assert not text.startswith(("-", "−0%"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (counted(1, "target"), "1 target"),
        (counted(2, "target"), "2 targets"),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (with_unit(1, "people"), "1 person"),
        (with_unit(2, "people"), "2 people"),
        (with_unit(5, "level"), "level 5"),
        (of_one("casualties"), "casualty"),
        (of_one("visits per 1,000 residents"), "visit per 1,000 residents"),
        (amount_text(2, "percentage points"), "2 percentage points"),
        (amount_text(1, "people"), "1 person"),
        (range_text(0.00003, 0.0001, decimals=2), "under 0.01 to 0.01%"),
        (range_text(0, 0.0001, decimals=2), "0 to 0.01%"),
        (range_text(1 / 15, 1 / 15, decimals=1), "6.7%"),
        (range_text(0.00001, 0.0001, decimals=1), "under 0.1%"),
        (range_text(0.585, 0.585), "59%"),
        (range_text(0.0125, 0.0125, decimals=1), "1.3%"),
        (pounds_text(2.5, 2.5), "£3"),
        (difference_text(0.25, "days"), "+0.3"),
    ],
)
def test_small_words(text: str, expected: str) -> None:
    assert text == expected


def test_a_chance_never_seems_to_have_passed_a_threshold() -> None:
    chances = [0.004, 0.01, 0.2496, 0.25, 0.29, 0.599, 0.6, 0.99, 0.996, float("nan")]
    shown = ["under 1%", "1%", "24%", "25%", "29%", "59%", "60%", "99%", "over 99%", "–"]
    assert [chance_text(one) for one in chances] == shown


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=1+1", "&lt;", "‮abc"]


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text()), min_size=2, max_size=2))
def test_text_stays_text_in_a_table(cells: list[str]) -> None:
    html = table(pd.DataFrame([cells], columns=["one", "two"]), "Caption").html
    parsed = Tags(html)
    allowed = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span"}
    assert {tag for tag, _ in parsed.tags} <= allowed


def test_tables_have_captions_and_scopes(report: Report) -> None:
    shown = [psa.key(report), psa.notes(report), psa.targets(report)]
    views = (psa.scorecard, psa.standing, psa.decisions, psa.reward, psa.changes)
    shown += [view(report).table for view in views]
    for each in [*shown, readings_table(report, "N13"), psa.context(report, "N13").table]:
        parsed = Tags(each.html)
        assert sum(tag == "caption" for tag, _ in parsed.tags) == 1
        heads = [attributes for tag, attributes in parsed.tags if tag == "th"]
        assert heads
        assert all(attributes.get("scope") in ("col", "row") for attributes in heads)
        assert all(text.strip() for text in each.text.splitlines()[1].split("\t"))


def test_the_table_of_all_is_of_a_theme_that_exists(report: Report) -> None:
    with pytest.raises(KeyError, match="no theme 'safr'"):
        psa.standing(report, "safr")


def test_published_context_is_only_what_was_known(report_of) -> None:
    before = psa.context(report_of("2004-05 Q1"), "N13")
    assert before.reason or "Derbyshire police force area" not in before.table.text
    after = psa.context(report_of("2004-05 Q2"), "N13").table.text
    assert "Derbyshire police force area\t2003/04\t14.9 per 1,000 residents" in after
    # Of Great Britain's casualties since 1979 only ten years say something of today.
    casualties = psa.context(report_of("2004-05 Q3"), "N26")
    assert casualties.reason or casualties.data["period_end"].min().year >= 1994


def test_real_figures_are_not_called_illustrative(report: Report) -> None:
    assert "Illustrative" in psa.banner(report).text
    real = dataclasses.replace(report, assessment=report.assessment.assign(illustrative=False))
    assert "Illustrative" not in psa.banner(real).text


def test_public_tables_do_not_name_our_files(report: Report) -> None:
    public = dataclasses.replace(report, audience="public")
    assert "police.csv" in readings_table(report, "N13").text
    assert "police.csv" not in readings_table(public, "N13").text


def test_a_reading_that_is_not_shown_has_no_figure(report: Report) -> None:
    readings = report.readings.copy()
    last = readings.query("measure == 'N13' and area == 'Leicestershire'").index[-1]
    readings.loc[last, ["reading", "missing"]] = [float("nan"), NOT_SHOWN]
    hidden = dataclasses.replace(report, readings=readings, audience="public")
    period, observed = readings.loc[last, "period"], f"{readings.at[last, 'observed']:,.10g}"
    rows = {text.split("\t")[0]: text for text in readings_table(hidden, "N13").text.split("\n")}
    assert rows[period] == f"{period}\t[c]\t[c]\t–\t[c]\t–\t–\t–"
    assert observed in readings_table(report, "N13").text


def test_a_chart_carries_its_words_and_numbers(report: Report) -> None:
    chart = trajectory_chart(report, "N13")
    data, metadata = chart._repr_mimebundle_()
    assert metadata["image/svg+xml"]["alt"] == chart.alt == data["text/plain"]
    latest = figure_text(report.rows["N13"]["latest"], "percent change")
    assert f"2004-05 Q3: {latest}" in drawn_text(chart)
    assert "Target −20%" in drawn_text(chart)
    assert "Trigger 34.2%" in drawn_text(trajectory_chart(report, "L7"))


def test_the_triggers_path_is_drawn_where_without_is_known(report: Report) -> None:
    """L7 has an assumed 'without' and so a trigger; N13 has none."""
    dotted = r"stroke-dasharray: 1\.5\d*,4\.5"
    assert re.search(dotted, trajectory_chart(report, "L7").svg)
    assert not re.search(dotted, trajectory_chart(report, "N13").svg)


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q1", "2006-07 Q3"])
def test_every_measure_can_be_drawn(report_of: ReportOf, period: str) -> None:
    report = report_of(period)
    for measure in report.assessment["measure"]:
        chart = trajectory_chart(report, measure)
        assert drawn_text(chart)
        assert len(chart.alt) > 40
        assert readings_table(report, measure).text.startswith(f"{measure}: ")
        ET.fromstring(sparkline(report, report.rows[measure]).svg)
    with pytest.raises(KeyError, match="no measure 'N99'"):
        trajectory_chart(report, "N99")


def test_a_chart_can_be_drawn_into_an_analysts_own_axes(report: Report) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    psa.reward(report).chart.draw(right)
    assert right.has_data()
    assert not left.has_data()


def test_a_view_shows_its_parts_and_says_what_it_has_not(report: Report) -> None:
    view = psa.payments(report)
    with pytest.raises(AttributeError, match="this has no chart, only table"):
        _ = view.chart
    assert psa.measure(report, "N13").under("Below").level == 4


def test_a_new_definition_is_marked(report: Report) -> None:
    assert "[b]" not in trajectory_chart(report, "N13").svg
    agreement = with_measure(report.agreement, "N13", continues="N2")
    chart = trajectory_chart(dataclasses.replace(report, agreement=agreement), "N13")
    assert "[b] new definition" in chart.svg
    assert chart.alt.endswith("on by a new definition, marked [b].")
