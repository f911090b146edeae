"""The front page: exceptions first, what has moved, and links that lead somewhere."""

import dataclasses
import re
from types import SimpleNamespace

import pytest
from builders import Tags

from psa_analysis.report import Report
from psa_analysis.show.front import front_page, table_address
from psa_analysis.show.overview import decisions, scorecard


def front(report: Report, **exported: str) -> str:
    words = {"notebook": "00_a.ipynb", "title": "A <page>", "status": "done", "html": "a b.html"}
    page = SimpleNamespace(**words, cell=None, error=None)
    pages = {f"{name}.html": text for name, text in exported.items()}
    return front_page(report, "The title", [page], pages)


def test_what_is_worst_comes_first_and_what_is_late_last(report: Report) -> None:
    state = {"N10": "missed", "N9": "no data", "L2": "on track", "N26-all": "off track"}
    rows = report.assessment.set_index("measure", drop=False)
    rows.loc[list(state), "state"] = list(state.values())
    rows.loc[["L2", "N2"], "late"] = True
    other = dataclasses.replace(report, assessment=rows.reset_index(drop=True))
    counting = report.assessment[report.assessment["role"] == "target"]
    off, risky = (counting[counting["state"] == state] for state in ("off track", "at risk"))
    risky = risky[~risky["measure"].isin(["N10", "L2"])]
    # N26-all only supports N26, and of N10 nothing is left to decide.
    view = decisions(other)
    expected = [*off["measure"], *risky["measure"], "N9", "L2"]
    assert view.data["measure"].tolist() == expected
    assert "Send the return of 2003/04, which is late. A rise of" in view.table.text


def test_a_deciding_figure_that_is_provisional_is_to_be_confirmed(report_of) -> None:
    rows = decisions(report_of("2005-06 Q4")).table.frame.set_index("Measure")
    asked = "Confirm the figure of 2005-06 Q4, which is provisional."
    assert rows.at["Vehicle crime (N13)", "What is asked"] == asked


def test_nothing_to_decide_is_no_section(report: Report) -> None:
    on_track = report.assessment.assign(state="on track", late=False)
    calm = dataclasses.replace(report, assessment=on_track)
    assert decisions(calm).data.empty
    assert "What needs a decision" not in front(calm)


def test_the_scorecard_has_a_bar_for_each_chance(report: Report) -> None:
    view = scorecard(report)
    html = view.table.html
    assert html.count('class="bar"') == view.data["chance_target"].notna().sum()
    assert re.search(r'style="--share: (\d+)%">\1%<', html)


def test_a_name_of_the_scorecard_leads_to_the_section_of_its_measure(report: Report) -> None:
    html = front(report, page='<h3 id="N13">Vehicle crime</h3>')
    assert '<a href="page.html#N13">Vehicle crime</a>' in html
    assert 'href="#' not in html


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
    # What a page is called is text, and no markup.
    assert "A &lt;page&gt;" in plain
    links = [attributes["href"] for tag, attributes in Tags(plain).tags if tag == "a"]
    assert links[0] == "a%20b.html"
    assert not [link for link in links if "#" in link]
    html = front(report, page='<h2 id="h">H</h2><caption>The reward by measure, x</caption>')
    assert 'href="page.html#h"' in html


@pytest.mark.parametrize("period", ["2001-02 Q1", "2003-04 Q2", "2006-07 Q4"])
def test_any_quarter_has_a_front(report_of, period: str) -> None:
    text = " ".join("".join(Tags(front(report_of(period))).text).split())
    assert "Will the targets be met?" in text
    assert " nan" not in text
    assert "None" not in text
