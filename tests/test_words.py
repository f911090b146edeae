"""What the numbers say in two or three sentences, and what people say beside them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import psa_analysis as psa
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import load_observations, make_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.commentary import load_commentary
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.measures import commentary_words, further_sentences, measure_words, sentences
from psa_analysis.words import amount_text, of_one, pot_text, range_text, with_unit

HEAD = "about,period,written,author,audience,text,illustrative\n"


def test_the_first_sentences_say_where_how_likely_and_what_is_at_stake(report: Report) -> None:
    rows = report.assessment.set_index("measure")
    crime = sentences(rows.loc["N13"])
    assert crime.startswith(
        "Off track (forecast): the latest reading, −8.3% for 2004-05 Q3 (provisional), is about "
        "6 months behind the planned path, which asks for −11.7%. The chance of reaching the "
        "target, −20% by 2005/06, is "
    )
    # One of fifteen targets with one measure: a fifteenth of the pot.
    assert "; at stake is 6.7% of the reward pot, of which " in measure_words(report, "N13").text
    trunk = sentences(rows.loc["N26-trunk"])
    assert (
        "40 casualties for 2004-05 Q3, is ahead of the planned path, which asks for 44.2" in trunk
    )
    assert "82% for 2003/04, is on the planned path." in sentences(rows.loc["L2"])
    assert "no baseline is stated, so there is no path" in sentences(rows.loc["L5"])
    council = sentences(rows.loc["N10"])
    assert "107.5 by 2005/06, since a forecast needs 3 readings, and there are 2." in council
    assert "It has made 68% of the improvement planned by then" in further_sentences(
        rows.loc["N10"]
    )
    assert sentences(rows.loc["L8"]) == "Not stated: no document states a target."
    assert "it does not count for the reward" in measure_words(report, "N26-all").text
    assert (
        "a rise of 48.4 incidents a quarter, which was done before, up to 2004-05 Q2"
        in further_sentences(rows.loc["L4-incidents"])
    )


def test_what_has_changed_since_the_quarter_before(report: Report) -> None:
    row = report.assessment.set_index("measure", drop=False).loc["N26-trunk"]
    before = row.copy()
    before["period"] = "2004-05 Q2"
    same = sentences(row, before)
    assert same.endswith("Nothing of note has changed since 2004-05 Q2.")
    before["state"], before["chance_target"] = "at risk", row["chance_target"] - 0.051
    before["latest_period"] = "2004-05 Q2"
    moved = sentences(row, before)
    assert "Since 2004-05 Q2 it has gone from at risk to on track, the chance has risen" in moved
    assert moved.endswith(
        ", and the new reading is better than the one before, but worse than that of a year "
        "earlier."
    )
    # Said once is enough.
    assert "the one before" not in further_sentences(row, before)
    assert "The latest reading is better than the one before, but worse" in further_sentences(row)
    before["chance_target"] = row["chance_target"] - 0.049
    assert "the chance has" not in sentences(row, before)
    before = row.copy()
    before["period"], before["latest"] = "2004-05 Q2", 41.0
    assert "the reading of 2004-05 Q3 was revised from 41 to 40." in sentences(row, before)
    late = report.assessment.set_index("measure", drop=False).loc["N7-treatment"]
    assert sentences(late).endswith(". The return for 2004-05 Q3 had not come in by the cut-off.")


def test_a_decided_measure_is_said_in_the_past(report_of: Callable[[str], Report]) -> None:
    decided = report_of("2006-07 Q3")
    said = {name: measure_words(decided, name).text for name in decided.assessment["measure"]}
    assert said["L2"].startswith(
        "Achieved: 86.4% for 2005/06 reaches the target of 86%. Of its 6.7% of the reward pot it "
        "earns all."
    )
    assert said["N2"].startswith(
        "Missed: 57.6% for 2004/05 falls short of the target of 63%. Of its 6.7% of the reward "
        "pot it earns nothing."
    )
    # Without the agreement 33% is assumed, so the trigger is 33 + 0.6 x 2 = 34.2.
    assert "34.5% for 2005-06 Q4 reaches the trigger of 34.2%, not the target of 35%" in said["L7"]


def test_ones_and_shares() -> None:
    assert [with_unit(1, "people"), with_unit(2, "people")] == ["1 person", "2 people"]
    units = ["casualties", "practitioners", "percentage points", "visits per 1,000 residents"]
    assert [of_one(unit) for unit in units] == [
        "casualty",
        "practitioner",
        "percentage point",
        "visit per 1,000 residents",
    ]
    assert [with_unit(5, "level"), with_unit(5, "levels")] == ["level 5", "5 levels"]
    assert [amount_text(2, "percentage points"), amount_text(1, "people")] == [
        "2 percentage points",
        "1 person",
    ]
    assert range_text(0.00003, 0.0001, decimals=2) == "under 0.01 to 0.01%"
    assert range_text(0, 0.0001, decimals=2) == "0.00 to 0.01%"
    assert pot_text(1 / 15, 1 / 15) == "6.7%"
    assert pot_text(0.0001, 0.02) == "under 0.1 to 2%"
    assert pot_text(0, 0) == "0%"


def test_a_point_is_one_point(report_of: Callable[[str], Report]) -> None:
    rows = report_of("2003-04 Q1").assessment.set_index("measure")
    row = rows.loc["L7"].copy()
    row["required"] = 1.02
    assert "a rise of 1 percentage point a quarter" in further_sentences(row)
    row["required"] = -0.01
    assert "a fall of less than 0.1 percentage points a quarter" in further_sentences(row)
    assert "and there is 1." in sentences(rows.loc["N2"])
    assert "and there are none." in sentences(rows.loc["N10"])


PERIODS = ["2001-02 Q1", "2003-04 Q1", "2003-04 Q4", "2004-05 Q3", "2005-06 Q4", "2006-07 Q3"]


@pytest.mark.parametrize("period", PERIODS)
def test_words_of_every_measure_read_well(report_of: Callable[[str], Report], period: str) -> None:
    report = dataclasses.replace(report_of(period), commentary=report_of(period).commentary[:0])
    for measure in report.assessment["measure"]:
        said = measure_words(report, measure).text
        first, *more = said.split("\n")
        assert len(more) <= 1
        # Three sentences at most, of a length that is read at a glance.
        assert len(re.findall(r"[.](?: |$)", first)) <= 3, first
        assert len(first) <= 520
        assert sum(map(len, more)) <= 720, more
        assert all(part.endswith(".") for part in (first, *more))
        assert not re.search(r"\b(nan|None|NaT|inf)\b|  |\.\.|,,| ,| \.|;\.| -\d", said), said
        assert not re.search(r"(?<![\d.,−+])0\.0\b|(?<![\d.,])1 (people|readings|months)\b", said)
        assert said.count("(") == said.count(")")
        assert not re.search(r"\b(\w{3,}) \1\b", said), said


def test_every_figure_named_is_in_the_row(report: Report) -> None:
    """Figures with the measure's unit are those of its row of the assessment, and no others."""
    for _, row in report.assessment.iterrows():
        if row["unit"] != "percent":
            continue
        numbers = row.drop(labels=["row"]).map(lambda one: one if isinstance(one, float) else None)
        known = {f"{value:.1f}".removesuffix(".0") for value in numbers.dropna()}
        known |= {f"{int(100 * row['chance_target'] + 1e-9)}"} if row["is_forecast"] else set()
        said = sentences(row) + further_sentences(row)
        for figure in re.findall(r"([\d.]+)%", said):
            assert figure in known or "made" in said, (row["measure"], figure)


@pytest.fixture
def written(council: Path) -> Callable[..., tuple[pd.DataFrame, list]]:
    """What is read of a commentary with these lines."""

    def read(*lines: str, head: str = HEAD) -> tuple[pd.DataFrame, list]:
        (council / "raw" / "commentary.csv").write_text(head + "\n".join(lines) + "\n", "utf-8")
        return load_commentary(load_agreement(council))

    return read


def test_commentary_is_shown_as_its_authors_own(report: Report) -> None:
    said = measure_words(report, "N13")
    assert "Illustrative commentary by the performance team, written on 10 February 2005: The " in (
        said.text
    )
    assert '<figure class="commentary">' in said.html
    # Written once the figures were closed, on 14 February.
    assert (
        "by the highways department, written on 18 February 2005, after the figures of this "
        "report were closed: Two collisions"
    ) in measure_words(report, "N26-county").text
    assert "Half-way through the agreement" in psa.commentary_words(report).text
    assert commentary_words(report, "N2").text == ""
    with pytest.raises(KeyError, match="no measure 'N99'"):
        commentary_words(report, "N99")


def test_commentary_belongs_to_its_report_and_audience(
    report: Report, report_of: Callable[[str], Report]
) -> None:
    assert commentary_words(report, "L4-incidents").text == ""
    earlier = report_of("2004-05 Q2")
    assert "more people came forward" in commentary_words(earlier, "L4-incidents").text
    # The same again, however often that report is made.
    again = report_of("2004-05 Q2")
    assert commentary_words(again, "L4-incidents").html == (
        commentary_words(earlier, "L4-incidents").html
    )
    public = dataclasses.replace(report, audience="public")
    assert commentary_words(public, "N26-county").text == ""
    assert "The police expect" in commentary_words(public, "N13").text


def test_commentary_is_text_and_nothing_else(
    report: Report, written: Callable[..., tuple[pd.DataFrame, list]]
) -> None:
    table, findings = written(
        'N13,2004/05 Q3,21/02/2005,"<b>A</b>",,"<script>alert(1)</script>\n\nTwo & three.",',
        "N13,2004-05 Q3,2005-02-20,B,public,Earlier.,no",
    )
    assert findings == []
    made = dataclasses.replace(report, commentary=table)
    html = commentary_words(made, "N13").html
    assert "<script>" not in html
    assert "<b>" not in html
    assert html.index("Earlier.") < html.index("&lt;script&gt;") < html.index("Two &amp; three.")
    assert html.count("<p>") == 3
    assert table["audience"].tolist() == ["public", "internal"]


@pytest.mark.parametrize(
    ("line", "column", "remedy"),
    [
        ("N1,2004-05 Q3,2005-02-21,A,,Text,", "about", "Did you mean 'N13'?|Did you mean"),
        ("N13,2004/05,2005-02-21,A,,Text,", "period", "Give the quarter"),
        ("N13,2004-05 Q3,05/04/2005,A,,Text,", "written", "Give the day"),
        ("N13,2004-05 Q3,2005-02-21,,,Text,", "author", "Give a name"),
        ("N13,2004-05 Q3,2005-02-21,A,board,Text,", "audience", "Write public"),
        ("N13,2004-05 Q3,2005-02-21,A,, ,", "text", "Write it"),
        ("N13,2004-05 Q3,2005-02-21,A,,Text,maybe", "illustrative", "Correct"),
    ],
)
def test_an_entry_that_cannot_be_used_says_how_to_mend_it(
    written: Callable[..., tuple[pd.DataFrame, list]], line: str, column: str, remedy: str
) -> None:
    table, [finding] = written(line, "N13,2004-05 Q3,2005-02-21,A,,Good,")
    assert (finding.file, finding.row, finding.column) == ("raw/commentary.csv", 2, column)
    assert re.search(remedy, finding.remedy)
    assert table["text"].tolist() == ["Good"]


def test_columns_may_be_left_out_or_be_misspelt(
    written: Callable[..., tuple[pd.DataFrame, list]],
) -> None:
    table, findings = written(
        "N13,2004-05 Q3,2005-02-21,A,Text", head="about,period,written,author,text\n"
    )
    assert findings == []
    assert table.loc[0, ["audience", "illustrative"]].tolist() == ["internal", False]
    table, findings = written(
        "N13,2004-05 Q3,2005-02-21,A,Text", head="about,period,writen,author,text\n"
    )
    assert table.empty
    assert "Did you mean 'written'?" in " ".join(finding.remedy for finding in findings)


def test_findings_of_the_commentary_are_among_those_of_the_returns(
    council: Path, written: Callable[..., tuple[pd.DataFrame, list]]
) -> None:
    written("N31,2004-05 Q3,2005-02-21,A,,Text,")
    _, findings = load_observations(load_agreement(council))
    assert "raw/commentary.csv" in {finding.file for finding in findings}


def test_a_folder_without_commentary_says_nothing(agreement: Agreement, council: Path) -> None:
    (council / "raw" / "commentary.csv").unlink()
    other = load_agreement(council)
    table, findings = load_commentary(other)
    assert table.empty
    assert findings == []
    loaded = load_observations(other)
    report = make_report(other, *loaded, parse_period("2004-05 Q3"))
    assert commentary_words(report).html.strip() == ""
