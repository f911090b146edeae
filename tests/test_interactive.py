"""What an analyst types: one target, one measure, and what a better outturn would do."""

from __future__ import annotations

import dataclasses
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from types import SimpleNamespace

import pytest

import psa_analysis as psa
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.show.grant import grants
from psa_analysis.show.interactive import MeasureView, _somebody_is_there, outturn_sliders
from psa_analysis.show.outturns import better_by, outturn, outturn_table, outturn_words


def test_a_target_of_the_register_by_its_name(agreement: Agreement) -> None:
    roads = agreement["N26"]
    assert {"N26-county", "N26-trunk", "N26-all"} <= set(roads.measures.index)
    assert roads.target["theme"] == "safer"
    one = agreement["N26-county"]
    assert one.measures.index.tolist() == ["N26-county"]
    assert one.target.equals(roads.target)
    said = repr(agreement["L7"])
    assert "baseline 20.3" in said or "baseline " in said
    assert "without 33 (assumed), target 35, due 2005/06" in said
    assert "baseline 326.3888889 (derived), without not stated, target 235" in repr(one)
    assert "Context: N26-gb" in repr(roads)
    with pytest.raises(KeyError, match=r"no target or measure 'N-13'\. Did you mean 'N13'"):
        agreement["N-13"]
    assert {"N26", "N26-county", "N2"} <= set(agreement._ipython_key_completions_())


def test_a_measure_of_a_report_by_its_name(report: Report) -> None:
    view = psa.measure(report, "N13")
    assert isinstance(view, MeasureView)
    assert view.row["state"] == "off track"
    assert repr(view) == f"N13: Vehicle crime\n{psa.measure_words(report, 'N13').text}"
    html = view._repr_html_()
    assert f'alt="{view.chart.alt}"' in html
    assert "data:image/svg+xml;base64," in html
    assert report._ipython_key_completions_() == report.assessment["measure"].tolist()
    with pytest.raises(KeyError, match=r"no measure 'N133'.*Did you mean 'N13'"):
        psa.measure(report, "N133")


def test_what_is_printed_is_said_in_words(report: Report) -> None:
    assert repr(report.outlooks["N10"]) == (
        "no forecast: a forecast needs 3 readings, and there are 2"
    )
    assert re.match(r"forecast for 2005-06 Q4: middle -[\d.]+, eight", repr(report.outlooks["N13"]))
    assert repr(psa.measure(report, "N13").chart) == psa.measure(report, "N13").chart.alt
    assert "outturn_sliders" in dir(psa)


def test_a_step_moves_the_forecast_towards_the_target(report: Report) -> None:
    # From 0 to -20: the whole way is 20 points, so a quarter is 5, and lower is better.
    found = outturn(report, "N13", 0.25)
    assert found.by == pytest.approx(5)
    assert found.middle == pytest.approx(report.outlooks["N13"].median - 5)
    draws = report.outlooks["N13"].draws[:, -1]
    assert found.chance == pytest.approx((draws - 5 <= -20).mean(), abs=1e-3)
    # The county's incidents rise from 4,294 to 4,852: higher is better.
    more = outturn(report, "L4-incidents", 0.1)
    assert more.middle == pytest.approx(report.outlooks["L4-incidents"].median + 55.8, abs=0.1)
    # L7 starts from 33 as assumed, not from its baseline.
    assert better_by(report, "L7") == pytest.approx(2)


def test_no_step_is_what_the_page_on_the_grant_says(report: Report) -> None:
    table = grants(report).set_index("measure")
    for measure in ("N13", "L7", "N26-trunk"):
        found, row = outturn(report, measure, 0.0), table.loc[measure]
        assert found.least == found.least_before == pytest.approx(row["pot_share"] * row["least"])
        assert found.most == pytest.approx(row["pot_share"] * row["most"])
        assert found.chance == found.chance_before
    assessed = report.assessment.set_index("measure")["chance_target"]
    assert outturn(report, "N13", 0.0).chance == assessed["N13"]


def test_better_never_lowers_a_chance(report: Report) -> None:
    for measure in report.assessment["measure"]:
        if better_by(report, measure) is not None:
            found = [outturn(report, measure, step) for step in (-0.5, 0.0, 0.1, 0.5)]
            chances = [one.chance for one in found]
            assert chances == sorted(chances)
            least = [one.least for one in found if one.least == one.least]
            assert least == sorted(least)


def test_the_table_and_the_words_of_what_if(
    report: Report, report_of: Callable[[str], Report]
) -> None:
    text = outturn_table(report, "safer").text
    rows = {line.split("\t")[0]: line.split("\t") for line in text.splitlines()[2:]}
    # L5 states no baseline and the council's index has no forecast: nothing to move.
    assert list(rows) == ["N13", "L4-incidents", "L4-repeat", "N26-county", "N26-trunk", "N26-all"]
    assert rows["N13"][2] == "2 percentage points"
    assert rows["N26-all"][7] == "–"
    with pytest.raises(KeyError, match="no theme 'safr'"):
        outturn_table(report, "safr")
    with pytest.raises(ValueError, match="no forecast of N10"):
        outturn(report, "N10", 0.1)
    said = outturn_words(outturn(report, "L7", 0.5)).text
    assert "were 1 percentage point better than forecast, around " in said
    assert " of the pot instead of " in said
    assert "worse than forecast" in outturn_words(outturn(report, "N13", -0.1)).text
    assert "The expected reward is " in outturn_words(outturn(report, "N13", 0.0)).text
    # Nothing is left to move once all is decided.
    assert outturn_table(report_of("2006-07 Q3"), "safer").text.endswith("nothing to move.")


def shell(allow_stdin: bool) -> SimpleNamespace:
    parent = {"content": {"allow_stdin": allow_stdin}}
    return SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda channel: parent))


def test_where_nobody_can_move_a_slider_there_is_the_table(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = SimpleNamespace(get_ipython=lambda: None)
    monkeypatch.setitem(sys.modules, "IPython", ask)
    static = outturn_table(report, "safer").text
    for live in (None, shell(False)):
        ask.get_ipython = lambda live=live: live
        assert not _somebody_is_there()
        assert outturn_sliders(report, "safer").text == static
    ask.get_ipython = lambda: shell(True)
    assert _somebody_is_there()
    # Somebody is there, but the package for sliders is not installed.
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert outturn_sliders(report, "safer").text == static


def test_sliders_say_what_they_are_set_to(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipywidgets")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell(True)))
    which, slider, said = outturn_sliders(report, "safer").children
    assert which.value == "N13"
    assert said.value == outturn_words(outturn(report, "N13", 0.0)).html
    slider.value = 0.25
    assert said.value == outturn_words(outturn(report, "N13", 0.25)).html
    which.value = "N26-trunk"
    assert slider.value == 0.0
    assert "Killed or seriously injured on trunk roads" in said.value


def test_small_pictures_name_each_measure_with_its_state(report: Report) -> None:
    chart = psa.small_multiples(report)
    counting = report.assessment[report.assessment["role"] == "target"]
    drawn = "".join(ET.fromstring(chart.svg).itertext())
    for row in counting.itertuples():
        assert re.search(rf"{row.measure}: (\S )?{row.state}", drawn), row.measure
    assert chart.alt.startswith("20 small line charts")
    assert "on track: N26-trunk;" in chart.alt
    assert chart.data["measure"].tolist() == counting["measure"].tolist()
    assert chart.svg == psa.small_multiples(report).svg
    assert "−8.3%, target −20%" in drawn


@pytest.mark.parametrize("period", ["2001-02 Q1", "2006-07 Q3"])
def test_small_pictures_at_the_ends(report_of: Callable[[str], Report], period: str) -> None:
    ET.fromstring(psa.small_multiples(report_of(period)).svg)


def test_a_new_definition_is_marked(report: Report) -> None:
    plain = psa.trajectory_chart(report, "N13")
    assert "[b]" not in plain.svg
    measures = report.agreement.measures.copy()
    measures.loc["N13", "continues"] = "N2"
    changed = dataclasses.replace(
        report, agreement=dataclasses.replace(report.agreement, measures=measures)
    )
    chart = psa.trajectory_chart(changed, "N13")
    assert "[b] new definition" in chart.svg
    assert chart.alt.endswith("on by a new definition, marked [b].")


def test_a_public_report_moves_no_forecast_that_it_does_not_hold(agreement: Agreement) -> None:
    public = psa.open_report("2004-05 Q3", audience="public")
    rows = {line.split("\t")[0] for line in outturn_table(public).text.splitlines()[2:]}
    hidden = {name for name, one in public.outlooks.items() if one.reason}
    assert "N13" in rows
    assert not rows & hidden
    for measure in public.assessment["measure"]:
        assert psa.measure_words(public, measure).text
        assert repr(public[measure])
    said = psa.measure_words(public, "N7-gps").text
    assert said.startswith("At risk (forecast). The latest reading, for 2004-05 Q2, is not shown")
    assert said.count("chance") == 1
    assert "by 2005/06, is about 50%" in said
    psa.small_multiples(public)
