"""The front page: exceptions first, what has moved, and links that lead somewhere."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from builders import Tags

from psa_analysis.report import Report
from psa_analysis.show.front import exceptions, front_page, table_address


def changed(report: Report, **cells: dict[str, object]) -> Report:
    """The report with other cells in its assessment: column to measure to value."""
    rows = report.assessment.set_index("measure", drop=False)
    for column, values in cells.items():
        for measure, value in values.items():
            rows.loc[measure, column] = value
    return dataclasses.replace(report, assessment=rows.reset_index(drop=True))


def front(report: Report, **exported: str) -> str:
    page = SimpleNamespace(
        notebook="00_a.ipynb",
        title="A <page>",
        about="About & so on.",
        status="done",
        html="a b.html",
        cell=None,
        error=None,
    )
    return front_page(
        report, "The title", [page], {f"{name}.html": text for name, text in exported.items()}
    )


def test_what_is_worst_comes_first_and_what_is_late_last(report: Report) -> None:
    other = changed(
        report,
        state={"N10": "missed", "N9": "no data", "L2": "on track", "N26-all": "missed"},
        late={"L2": True, "N2": True},
    )
    off = report.assessment[
        (report.assessment["state"] == "off track") & (report.assessment["role"] == "target")
    ]
    # N26-all only supports N26, so it is nobody's exception.
    measures = exceptions(other)["measure"].tolist()
    assert measures == ["N10", *off["measure"], "N9", "L2", "N7-treatment", "N7-gps"]
    html = front(other)
    assert "the return for 2003/04 had not come in" in html
    # What is both off track and late says both.
    assert "the chance that the target is met is 1%; the return for" in html


def test_nothing_to_act_on_says_so(report: Report) -> None:
    calm = dataclasses.replace(
        report, assessment=report.assessment.assign(state="on track", late=False)
    )
    assert exceptions(calm).empty
    assert "Off track, missed, without data or late, 2004-05 Q3: none." in front(calm)


def test_the_first_words_count_every_measure_once(report: Report) -> None:
    text = "".join(Tags(front(report)).text)
    said = text.partition("count for the grant: ")[2].partition(".")[0]
    counts = [int(word) for word in said.replace(",", "").split() if word.isdigit()]
    assert sum(counts) == (report.assessment["role"] == "target").sum()


def test_how_sure_we_are_is_in_figures(report: Report) -> None:
    text = "".join(Tags(front(report)).text)
    # docs/forecast.md: 80 % of those said 70 to 80 %; within 80 %, pooled, 81.5 %, as a portfolio;
    # CRPS against the best peer 0.93.
    assert "forecasts that said 70 to 80%, 80% came true" in text
    assert "81% of the outcomes lay within the range meant for 80%" in text
    assert "the error was 7% below that of the best other forecaster" in text


def test_links_lead_to_the_heading_above_a_table() -> None:
    caption = "<table>\n<caption{}>Whose &amp; what, 2004-05 Q3</caption>"
    made = {
        "a.html": "<p>Whose &amp; what</p>",
        "b.html": f'<h2 id="one">1</h2><h2 id="two">2</h2>{caption.format("")}<h2 id="x">X</h2>',
        "c.html": caption.format(' class="hidden"'),
    }
    assert table_address(made, "Whose & what") == "b.html#two"
    assert table_address({"c d.html": made["c.html"]}, "Whose & what") == "c%20d.html"
    assert table_address(made, "what") is None


def test_links_are_left_out_where_no_page_has_the_table(report: Report) -> None:
    plain = front(report)
    # What a page is called and is about is text, and no markup.
    assert "A &lt;page&gt;" in plain
    assert "About &amp; so on." in plain
    links = [attributes["href"] for tag, attributes in Tags(plain).tags if tag == "a"]
    assert links[0] == "a%20b.html"
    assert not [link for link in links if "#" in link]
    html = front(report, page='<h2 id="h">H</h2><caption>The reward by measure, x</caption>')
    assert 'href="page.html#h"' in html


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q2", "2006-07 Q4"])
def test_any_quarter_has_a_front(report_of, period: str) -> None:
    text = " ".join("".join(Tags(front(report_of(period))).text).split())
    assert "What needs attention" in text
    assert " nan" not in text
    assert "None" not in text
