"""Tables, words and charts: accessible, escaped, and saying what the numbers say."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from builders import Tags
from hypothesis import given
from hypothesis import strategies as st

import psa_analysis as psa
from psa_analysis.report import Report
from psa_analysis.show.tables import table
from psa_analysis.words import chance_text, counted, figure_text, listed


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (53.2, "percent", "53.2%"),
        (63.0, "percent", "63%"),
        (-8.34, "percent change", "−8.3%"),
        (2.0, "percent change", "+2%"),
        (0.0, "percent change", "0%"),
        (-0.04, "percent change", "0%"),
        (4852.0, "incidents", "4,852"),
        (58.333, "casualties", "58.3"),
        (326.388, "casualties", "326"),
        (4619.5, "incidents", "4,620"),
        (402.61, "million pounds", "402.6"),
        (4900.0, "per 1,000 residents", "4,900"),
        (15.011, "million journeys", "15.01"),
        (107.5, "index", "107.5"),
        (float("nan"), "people", "–"),
    ],
)
def test_figures_as_readers_expect_them(value: float, unit: str, text: str) -> None:
    assert figure_text(value, unit) == text


@given(st.floats(-1e6, 1e6), st.sampled_from(["percent", "percent change", "people", "index"]))
def test_a_figure_reads_back_to_its_decimals(value: float, unit: str) -> None:
    text = figure_text(value, unit)
    back = float(re.sub("[,%+]", "", text).replace("−", "-"))
    whole = abs(value) >= (100 if unit == "people" else 1000)
    assert abs(back - value) <= (0.5 if whole else 0.05) + 1e-9
    assert not text.startswith(("-", "−0%"))


def test_small_words() -> None:
    assert [counted(1, "target"), counted(2, "target")] == ["1 target", "2 targets"]
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]


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
    for made in (
        psa.overview_table(report),
        psa.overview_table(report, "safer"),
        psa.state_counts(report),
        psa.key(report),
        psa.notes(report),
        psa.not_stated_table(report),
        psa.differences_table(report),
        psa.targets_table(report),
        psa.readings_table(report, "N13"),
        psa.context_table(report, "N13"),
    ):
        parsed = Tags(made.html)
        assert sum(tag == "caption" for tag, _ in parsed.tags) == 1
        heads = [attributes for tag, attributes in parsed.tags if tag == "th"]
        assert heads
        assert all(attributes.get("scope") in ("col", "row") for attributes in heads)
        assert all(text.strip() for text in made.text.splitlines()[1].split("\t"))


def test_the_overview_shows_every_measure_and_what_is_not_as_stated(report: Report) -> None:
    text = psa.overview_table(report).text
    lines = dict(line.split("\t", 1) for line in text.splitlines()[2:])
    assert list(lines) == list(report.assessment["measure"])
    assert "326 [d]" in lines["N26-county"]
    assert "4,610 [p]" in lines["L4-incidents"]
    assert lines["L8"].count("not stated") == 4
    safer = psa.overview_table(report, "safer").text
    assert len(safer.splitlines()) == 2 + 7
    with pytest.raises(KeyError, match="no theme 'safr'"):
        psa.overview_table(report, "safr")


def test_what_is_not_stated_is_all_listed(report: Report) -> None:
    rows = {
        line.split("\t")[0]: line.split("\t")[2]
        for line in psa.not_stated_table(report).text.splitlines()[2:]
    }
    assert "L7" not in rows
    assert "N10" not in rows
    assert rows["N2"] == "performance without the agreement"
    assert rows["L5"] == "baseline and performance without the agreement"
    assert rows["L8"].startswith("baseline, target, performance without the agreement, due date")


def test_published_context_is_only_what_was_known(report_of) -> None:
    before = psa.context_table(report_of("2004-05 Q1"), "N13").text
    assert "Derbyshire police force area" not in before
    after = psa.context_table(report_of("2004-05 Q2"), "N13").text
    assert "Derbyshire police force area\t2003/04\t14.9 per 1,000 residents" in after


def test_every_page_says_what_is_made_up(report: Report) -> None:
    assert "Illustrative: the outturns on this page are made up" in psa.banner(report).text
    public = psa.banner(dataclasses.replace(report, audience="public"))
    assert "Small numbers are not shown" in public.text
    real = dataclasses.replace(report, assessment=report.assessment.assign(illustrative=False))
    assert "Illustrative" not in psa.banner(real).text


def test_public_tables_do_not_name_our_files(report: Report) -> None:
    public = dataclasses.replace(report, audience="public")
    assert "police.csv" in psa.readings_table(report, "N13").text
    assert "police.csv" not in psa.readings_table(public, "N13").text


def test_a_chart_carries_its_words_and_numbers(report: Report) -> None:
    chart = psa.trajectory_chart(report, "N13")
    data, metadata = chart._repr_mimebundle_()
    assert metadata["image/svg+xml"]["alt"] == chart.alt == data["text/plain"]
    assert "12 readings up to 2004-05 Q3, the latest −8.3%" in chart.alt
    assert "The target is −20% by 2005/06" in chart.alt
    readings = chart.data["reading"].dropna()
    assert readings.iloc[-1] == pytest.approx(-8.3497, abs=1e-4)
    # The five quarters to come follow, and the picture's words say where they end.
    ahead = chart.data.iloc[len(readings) :]
    assert ahead["period"].tolist() == ["2004-05 Q4", *(f"2005-06 Q{n}" for n in range(1, 5))]
    assert (ahead["low_80"] < ahead["median"]).all()
    assert f"middle at {figure_text(ahead['median'].iloc[-1], 'percent change')}" in chart.alt
    drawn = "".join(ET.fromstring(chart.svg).itertext())
    assert "2004-05 Q3: −8.3%" in drawn
    assert "Target −20%" in drawn
    assert "Trigger 34.2%" in "".join(
        ET.fromstring(psa.trajectory_chart(report, "L7").svg).itertext()
    )


def test_the_triggers_path_is_drawn_where_without_is_known(report: Report) -> None:
    """L7 has an assumed 'without' and so a trigger; N13 has none."""
    dotted = r"stroke-dasharray: 1\.5\d*,4\.5"
    assert re.search(dotted, psa.trajectory_chart(report, "L7").svg)
    assert not re.search(dotted, psa.trajectory_chart(report, "N13").svg)


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q1", "2004-05 Q3", "2006-07 Q3"])
def test_every_measure_can_be_drawn_and_put_in_words(report_of, period: str) -> None:
    report = report_of(period)
    for measure in report.assessment["measure"]:
        chart = psa.trajectory_chart(report, measure)
        ET.fromstring(chart.svg)
        assert len(chart.alt) > 40
        assert psa.measure_words(report, measure).text.endswith(".")
        psa.readings_table(report, measure)
    psa.progress_chart(report)
    with pytest.raises(KeyError, match="no measure 'N99'"):
        psa.trajectory_chart(report, "N99")


def test_the_numbers_of_a_chart_are_named_by_a_whole_phrase(report: Report) -> None:
    caption = psa.links_chart(report).numbers().text.splitlines()[0]
    assert caption == (
        "Diagram of the targets by theme with an arc for each of 10 links: the numbers"
    )


def test_charts_are_the_same_bytes_every_time(report: Report) -> None:
    for draw in (
        lambda: psa.trajectory_chart(report, "N26-all"),
        lambda: psa.progress_chart(report),
    ):
        first, second = draw().svg, draw().svg
        assert first == second
        assert "<!DOCTYPE" not in first
        assert not re.search(r"href=\"(?!#)", first)


def test_the_overview_picture_names_each_measure_with_its_state(report: Report) -> None:
    chart = psa.progress_chart(report)
    assert "off track: N2 34%" in chart.alt
    assert set(chart.data["measure"]) <= set(report.assessment["measure"])
    assert len(chart.data) == chart.alt.count("%") - 1


def test_the_picture_of_chances_names_each_measure_with_its_state(report: Report) -> None:
    chart = psa.chance_chart(report)
    rows = report.assessment.set_index("measure")
    assert f"N26-trunk {rows.at['N26-trunk', 'chance_target']:.0%}" in chart.alt
    assert "at risk begins, 25%, and on track, 60%" in chart.alt
    assert len(chart.data) == rows["chance_target"].notna().sum()
    assert "N10" not in set(chart.data["measure"])  # two readings are too few


def test_a_mistyped_name_of_the_library_raises() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trajectory_chrat'"):
        psa.trajectory_chrat  # noqa: B018  # reading the name is the test
    assert set(psa.__all__) == set(psa._HOMES)
