"""One measure as an analyst asks for it: in words and picture, with what people say of it."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from builders import ReportOf

import psa_analysis as psa
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.loading import load_agreement, load_commentary
from psa_analysis.report import Report
from psa_analysis.show.measures import (
    change_sentences,
    commentary,
    facts,
    measure_words,
    standing_sentences,
)
from psa_analysis.words import required_text

HEAD = "about,period,written,author,audience,text,illustrative\n"


def test_a_measure_of_a_report_by_its_name(report: Report) -> None:
    view = psa.measure(report, "N13")
    assert repr(view) == f"Vehicle crime (N13)\n{measure_words(report, 'N13').text}"
    assert view.table.text.startswith("N13: readings, planned path and forecast\n")
    assert view.data["reading"].iloc[-1] == report.rows["N13"]["latest"]
    with pytest.raises(KeyError, match=r"no measure 'N133'.*Did you mean 'N13'"):
        psa.measure(report, "N133")
    with pytest.raises(KeyError, match=r"Did you mean 'N26-county'"):
        psa.measure(report, "N26")


def test_a_chart_is_printed_in_words(report: Report) -> None:
    chart = psa.measure(report, "N13").chart
    assert repr(chart) == chart.alt


def test_what_has_changed_since_the_quarter_before(report: Report) -> None:
    rows = report.assessment.set_index("measure", drop=False)
    row = rows.loc["N26-trunk"].copy()
    row["state"], row["chance_target"] = "on track", 0.625
    row["latest"], row["direction"] = 40.0, "better"
    before = row.copy()
    before["period"] = "2004-05 Q2"
    assert change_sentences(row, before) == change_sentences(row, None) == []
    before["state"], before["chance_target"] = "at risk", row["chance_target"] - 0.051
    before["latest_period"] = "2004-05 Q2"
    [moved] = change_sentences(row, before)
    start = "since 2004-05 Q2 it has gone from at risk to on track, the chance has risen from 57%"
    assert moved.startswith(start)
    assert moved.endswith("to 62% and the new reading is better")
    still = row.copy()
    still["direction"] = "same"
    assert change_sentences(still, before)[0].endswith("and the new reading is the same")
    before["chance_target"] = row["chance_target"] - 0.049
    assert "the chance has" not in change_sentences(row, before)[0]
    before = row.copy()
    before["period"], before["latest"] = "2004-05 Q2", 41.0
    revised = "since 2004-05 Q2 the reading of 2004-05 Q3 was revised from 41 to 40"
    assert change_sentences(row, before) == [revised]
    late = standing_sentences(rows.loc["N7-treatment"])
    assert late[-1] == "the return for 2004-05 Q3 is late"


@pytest.mark.parametrize(
    ("measure", "start", "worth"),
    [
        ("L2", "Achieved: the reading of 2005/06 reaches the target.", "6.7%"),
        ("N2", "Missed: the reading of 2004/05 falls short of the target", "0%"),
        ("L7", "Missed: the reading of 2005-06 Q4 falls short of the t", "0%"),
    ],
)
def test_a_decided_measure(report_of: ReportOf, measure: str, start: str, worth: str) -> None:
    report = report_of("2006-07 Q3")
    known = facts(report, measure)
    assert measure_words(report, measure).text.startswith(start)
    assert known["Reward"].startswith(f"earns {worth} of the pot of at most 6.7%")
    assert not {"Forecast", "Needed from here"} & set(known.index)


def test_a_point_is_one_point(report_of: ReportOf) -> None:
    rows = report_of("2003-04 Q1").assessment.set_index("measure")
    row = rows.loc["L7"].copy()
    for required, text in ((1.02, "a rise of 1 percentage point a"), (-0.01, "less than 0.1 perc")):
        row["required"] = required
        assert text in required_text(row)


PERIODS = ["2001-02 Q1", "2003-04 Q1", "2003-04 Q4", "2004-05 Q3", "2005-06 Q4", "2006-07 Q3"]


@pytest.mark.parametrize("period", PERIODS)
def test_words_of_every_measure_read_well(report_of: ReportOf, period: str) -> None:
    report = dataclasses.replace(report_of(period), commentary=report_of(period).commentary[:0])
    for measure in report.assessment["measure"]:
        text = measure_words(report, measure).text
        # A few sentences, of a length that is read at a glance.
        assert len(re.findall(r"[.](?: |$)", text)) <= 4, text
        assert len(text) <= 400
        assert text.endswith(".")
        text += " " + " ".join(f"{label}: {fact}" for label, fact in facts(report, measure).items())
        assert not re.search(r"\b(nan|None|NaT|inf)\b|  |\.\.|,,| ,| \.|;\.| -\d", text), text
        assert not re.search(r"(?<![\d.,−+])0\.0\b|(?<![\d.,])1 (people|readings|months)\b", text)
        assert text.count("(") == text.count(")")
        assert not re.search(r"\b(\w{3,}) \1\b", text), text


def test_a_hidden_reading_is_said_to_be_hidden() -> None:
    text = measure_words(psa.open_report("2004-05 Q3", audience="public"), "N7-gps").text
    assert text.startswith("Not shown: the reading for 2004-05 Q2 rests on small numbers. ")


@pytest.fixture
def written(council: Path) -> Callable[..., tuple[pd.DataFrame, list]]:
    """What is read of a commentary with these lines."""

    def read(*lines: str, head: str = HEAD) -> tuple[pd.DataFrame, list]:
        (council / "raw" / "commentary.csv").write_text(head + "\n".join(lines) + "\n", "utf-8")
        return load_commentary(load_agreement(council))

    return read


def test_commentary_belongs_to_its_measure_report_and_audience(
    report: Report, report_of: ReportOf
) -> None:
    text = commentary(report, "N26-county").text
    # Written once the figures were closed, on 14 February.
    assert "written on 18 February 2005, after the figures of this report were closed: Two" in text
    assert text in measure_words(report, "N26-county").text
    assert commentary(report, "N2").text == ""
    assert commentary(report, "L4-incidents").text == ""
    earlier = commentary(report_of("2004-05 Q2"), "L4-incidents").text
    assert "more people came forward" in earlier
    public = dataclasses.replace(report, audience="public")
    assert commentary(public, "N26-county").text == ""
    assert "The police expect" in commentary(public, "N13").text
    with pytest.raises(KeyError, match="no measure 'N99'"):
        commentary(report, "N99")


def test_commentary_is_text_and_nothing_else(
    report: Report, written: Callable[..., tuple[pd.DataFrame, list]]
) -> None:
    table, findings = written(
        'N13,2004/05 Q3,21/02/2005,"<b>A</b>",,"<script>alert(1)</script>\n\nTwo & three.",',
        "N13,2004-05 Q3,2005-02-20,B,public,Earlier.,no",
    )
    assert findings == []
    html = commentary(dataclasses.replace(report, commentary=table), "N13").html
    assert "<script>" not in html
    assert "<b>" not in html
    assert html.index("Earlier.") < html.index("&lt;script&gt;") < html.index("Two &amp; three.")
    assert html.count("<p>") == 3
    assert table["audience"].tolist() == ["public", "internal"]


@pytest.mark.parametrize(
    ("line", "column", "remedy"),
    [
        ("N1,2004-05 Q3,2005-02-21,A,,Text,", "about", "Did you mean"),
        ("N13,2004/05,2005-02-21,A,,Text,", "period", "Correct"),
        ("N13,2004-05 Q3,05/04/2005,A,,Text,", "written", "Give the day"),
        ("N13,2004-05 Q3,2005-02-21,,,Text,", "author", "Correct"),
        ("N13,2004-05 Q3,2005-02-21,A,board,Text,", "audience", "Correct"),
        ("N13,2004-05 Q3,2005-02-21,A,, ,", "text", "Correct"),
        ("N13,2004-05 Q3,2005-02-21,A,,Text,maybe", "illustrative", "Correct"),
    ],
)
def test_an_entry_that_cannot_be_used_says_how_to_mend_it(
    council: Path, written: Callable, line: str, column: str, remedy: str
) -> None:
    table, [finding] = written(line, "N13,2004-05 Q3,2005-02-21,A,,Good,")
    assert (finding.file, finding.row, finding.column) == ("raw/commentary.csv", 2, column)
    assert re.search(remedy, finding.remedy)
    assert table["text"].tolist() == ["Good"]


def test_columns_may_be_left_out_or_be_misspelt(written: Callable) -> None:
    line, head = "N13,2004-05 Q3,2005-02-21,A,Text", "about,period,{},author,text\n"
    table, findings = written(line, head=head.format("written"))
    assert findings == []
    assert table.loc[0, ["audience", "illustrative"]].tolist() == ["internal", False]
    table, findings = written(line, head=head.format("writen"))
    assert table.empty
    assert "Did you mean 'written'?" in " ".join(finding.remedy for finding in findings)


def test_commentary_is_checked_with_the_returns_and_may_be_left_out(
    council: Path, written: Callable
) -> None:
    written("N31,2004-05 Q3,2005-02-21,A,,Text,")
    _, findings = load_observations(load_agreement(council))
    assert "raw/commentary.csv" in {finding.file for finding in findings}
    (council / "raw" / "commentary.csv").unlink()
    agreement = load_agreement(council)
    loaded = load_observations(agreement)
    assert "raw/commentary.csv" not in {finding.file for finding in loaded[1]}
    report = make_report(agreement, *loaded, parse_period("2004-05 Q3"))
    assert commentary(report).html.strip() == ""
