"""Commitments: every state by a worked case, what was known when, and what is refused."""

import dataclasses
import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from builders import EXPECTED, Edit, psa
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_analysis.analysis.commitments import COLUMNS, COUNTED_DONE, STATES, follow
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import ROOT, open_report
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.returns.progress import PROGRESS_COLUMNS, STATUSES, load_progress

HEADER = ",".join(PROGRESS_COLUMNS)
Progress = Callable[..., tuple[pd.DataFrame, list]]
Judged = Callable[..., pd.Series]


@pytest.fixture
def progress(agreement: Agreement, tmp_path: Path) -> Progress:
    """Write a progress.csv for the shipped register and read it."""
    elsewhere = dataclasses.replace(agreement, folder=tmp_path)
    (tmp_path / "raw").mkdir(exist_ok=True)

    def write(*rows: str) -> tuple[pd.DataFrame, list]:
        (tmp_path / "raw" / "progress.csv").write_text("\n".join([HEADER, *rows]) + "\n")
        return load_progress(elsewhere)

    return write


@pytest.fixture
def judged(agreement: Agreement, loaded: tuple, progress: Progress) -> Judged:
    """One commitment at a period, from reports and the shipped observations.

    A report is the text ``reported,status,day,value``, cut short where nothing follows.
    """

    def judge(period: str, commitment: str, *reports: str) -> pd.Series:
        rows = []
        for report in reports:
            cells = [*report.split(","), "", ""][:4]
            rows.append(",".join([commitment, *cells, "minutes" if cells[2] else "", "no"]))
        table, findings = progress(*rows)
        assert not findings, findings
        states = follow(agreement, table, loaded[0], quarter(period))
        return states.set_index("commitment").loc[commitment]

    return judge


@pytest.fixture
def promises_of(agreement: Agreement, loaded: tuple) -> Callable[[str], pd.DataFrame]:
    """The shipped commitments at any quarter, by name."""
    known = load_progress(agreement)[0], loaded[0]
    return lambda period: follow(agreement, *known, quarter(period)).set_index("commitment")


def test_the_table_is_as_expected(report: Report) -> None:
    """After an intended change: copy commitments.csv of the pack here and read the difference."""
    now = io.StringIO(report.commitments.to_csv(index=False))
    before = EXPECTED / "commitments_2004-05-Q3.csv"
    table, expected = (pd.read_csv(file, dtype={"row": "Int64"}) for file in (now, before))
    assert list(table) == list(COLUMNS)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-12)


STATES_OF_CASES = """
# WP1a is due on 31 July 2003, MW5b on 31 March 2005, TR1d on 31 December 2010. A report for
# 2003-04 Q2 uses what came by 14 November 2003, one for 2004-05 Q3 what came by 14 February 2005.
2003-04 Q2 | WP1a | done | 2003-08-01,done,2003-07-31
2003-04 Q2 | WP1a | done late | 2003-08-20,done,2003-08-01
2003-04 Q2 | WP1a | overdue | 2003-08-01,on track
# Reported on the day itself: that the day passed without it is not known.
2003-04 Q2 | WP1a | no data | 2003-07-31,at risk
2003-04 Q2 | WP1a | no data |
2003-04 Q2 | WP1a | no data | 2003-11-15,done,2003-07-31
2003-04 Q2 | WP1a | done | 2003-11-14,done,2003-07-31
# Done after the quarter's end, so not in its report.
2003-04 Q1 | WP1a | no data | 2003-07-25,done,2003-07-23
2004-05 Q3 | MW5b | on track | 2004-07-01,on track
2004-05 Q3 | MW5b | no data | 2004-06-30,on track
2004-05 Q3 | MW5b | at risk | 2005-02-14,at risk
2004-05 Q3 | MW5b | at risk | 2005-01-20,not started
2003-04 Q3 | MW5b | not due | 2005-01-20,not started
2004-05 Q3 | MW5b | at risk | 2005-01-20,not done
2004-05 Q3 | MW5b | no data |
2004-05 Q3 | TR1d | not due | 2005-01-20,not started
2004-05 Q3 | TR1d | on track | 2005-01-20,on track
2004-05 Q3 | TR1d | not due | 2003-01-20,on track
# A year before is early enough to be asked: 31 December 2009 is, the quarter before is not.
2009-10 Q3 | TR1d | no data |
2009-10 Q2 | TR1d | not due |
# Taken back: it was not done after all, and then it was.
2003-04 Q2 | WP1a | overdue | 2003-08-01,done,2003-07-23; 2003-09-01,not done
2003-04 Q2|WP1a|done late|2003-08-01,done,2003-07-23;2003-09-01,not done;2003-09-20,done,2003-09-19
# WP3b asks for 5,350 by 31 March 2006 from 4,420 of no stated period; TR1b for 55 % by 31 December
# 2006 from 36 % in 2001; WP3c for 85 % by 31 March 2006; WP1b for the top quartile by 31 March
# 2004; WP5 for 100 % and ED1f for the top quartile by no date.
2005-06 Q4 | WP3b | done | 2006-05-02,figure,2006-03-31,5350
2005-06 Q4 | WP3b | overdue | 2006-05-02,figure,2006-03-31,5349.9
# A figure of the year before does not decide, one of the first day of the year does.
2005-06 Q4 | WP3b | no data | 2005-05-02,figure,2005-03-31,5400
2005-06 Q4 | WP3b | done | 2005-05-02,figure,2005-04-01,5400
2004-05 Q4 | WP3b | on track | 2005-05-02,figure,2005-03-31,5400
2006-07 Q1 | WP3b | done late | 2006-05-02,figure,2006-03-31,5000; 2006-08-02,figure,2006-06-30,5360
2006-07 Q1 | WP3b | done late | 2006-08-02,figure,2006-06-30,5360
2006-07 Q1 | WP3b | overdue | 2006-08-02,figure,2006-06-30,5000
# What decides was reached; what came later changes nothing.
2006-07 Q1 | WP3b | done | 2006-05-02,figure,2006-03-31,5400; 2006-08-02,figure,2006-06-30,5000
# Reached early and lost by the date.
2005-06 Q4 | WP3c | overdue | 2004-12-20,figure,2004-11-30,86; 2005-12-20,figure,2005-11-30,84
# No line and no word of the lead: the figure alone says nothing of the way.
2004-05 Q4 | WP3b | no data | 2005-05-02,figure,2005-03-31,5000
2004-05 Q4 | WP3b | on track | 2005-05-02,figure,2005-03-31,5000; 2005-05-02,on track
# By 30 November 2004 the line of TR1b has risen 19 x 35 / 60 = 11.08; 95 % of that is 10.53.
2004-05 Q3 | TR1b | on track | 2005-01-05,figure,2004-11-30,46.53
2004-05 Q3 | TR1b | at risk | 2005-01-05,figure,2004-11-30,46.52
2004-05 Q3 | TR1b | at risk | 2005-01-05,figure,2004-11-30,35
# A figure of the baseline's own period is no progress.
2002-03 Q4 | TR1b | not due | 2003-01-05,figure,2001-12-31,36
# 18 months later it still stands for the present; a month more and it does not.
2004-05 Q3 | TR1b | on track | 2003-07-05,figure,2003-06-30,46
2004-05 Q3 | TR1b | not due | 2003-07-05,figure,2003-05-31,46
2003-04 Q4 | WP1b | done | 2004-02-05,figure,2003-12-31,1
2003-04 Q4 | WP1b | overdue | 2004-02-05,figure,2003-12-31,2
2003-04 Q3 | WP1b | no data | 2004-02-05,figure,2003-12-31,2
2003-04 Q3 | WP1b | on track | 2004-02-05,figure,2003-12-31,1
2004-05 Q4 | WP5 | not stated | 2005-05-05,figure,2005-03-31,99.9
2004-05 Q4 | WP5 | done | 2005-05-05,figure,2005-03-31,100
2004-05 Q3 | ED1f | done | 2004-12-05,figure,2004-08-31,1
2004-05 Q3 | ED1f | not stated |
# No document says what would count as done: its lead's word decides nothing.
2004-05 Q3 | WP4b | not stated | 2004-05-12,done,2004-03-31
"""
LISTED = [line for line in STATES_OF_CASES.splitlines() if "|" in line]
CASES = [[cell.strip() for cell in line.split("|")] for line in LISTED]


@pytest.mark.parametrize(("period", "commitment", "state", "reports"), CASES)
def test_states(judged: Judged, period: str, commitment: str, state: str, reports: str) -> None:
    listed = [report.strip() for report in reports.split(";") if report]
    assert judged(period, commitment, *listed)["state"] == state


def test_lower_may_be_better(agreement: Agreement, loaded: tuple, progress: Progress) -> None:
    commitments = agreement.commitments.copy()
    commitments.loc["TR2b", ["polarity", "target"]] = "lower", 60.0
    changed = dataclasses.replace(agreement, commitments=commitments)
    figures = ("2007-01-05,figure,2006-12-31,60", "2005-01-05,figure,2004-11-30,62.1")
    table, _ = progress(*(f"TR2b,{figure},survey,no" for figure in figures))
    for period, state in (("2006-07 Q3", "done"), ("2004-05 Q3", "on track")):
        rows = follow(changed, table, loaded[0], quarter(period)).set_index("commitment")
        assert rows.at["TR2b", "state"] == state
    # 65 - 62.1 of the 5 x 35 / 60 that the line has fallen by then.
    assert rows.at["TR2b", "progress"] == pytest.approx(2.9 / (5 * 35 / 60))


@pytest.mark.parametrize(("of_word", "of_figure"), [("no", "yes"), ("yes", "no")])
def test_a_word_beside_a_figure_is_made_up_if_either_is(
    agreement: Agreement, loaded: tuple, progress: Progress, of_word: str, of_figure: str
) -> None:
    figure = f"WP3b,2005-05-02,figure,2005-03-31,5000,count,{of_figure}"
    table, _ = progress(f"WP3b,2005-05-01,on track,,,,{of_word}", figure)
    rows = follow(agreement, table, loaded[0], quarter("2004-05 Q4")).set_index("commitment")
    assert rows.loc["WP3b", ["row", "value", "illustrative"]].tolist() == [2, 5000, True]


def test_a_level_is_done_since_the_first_figure_of_the_last_run(judged: Judged) -> None:
    figures = ["2004-03-31,86", "2004-09-30,84", "2005-03-31,85", "2005-09-30,87"]
    row = judged("2005-06 Q4", "WP3c", *(f"2006-01-05,figure,{figure}" for figure in figures))
    assert row[["state", "value", "done_on"]].tolist() == ["done", 87, pd.Timestamp("2005-03-31")]


def test_a_revised_figure_changes_later_reports_only(judged: Judged) -> None:
    reports = ["2004-07-20,figure,2004-05-31,94.6", "2004-11-18,figure,2004-05-31,95.3"]
    # The report for 2004-05 Q2 was cut off on 14 November 2004.
    assert judged("2004-05 Q2", "TR2a", *reports)["state"] == "overdue"
    now = judged("2004-05 Q3", "TR2a", *reports)
    assert (now["state"], now["previous_state"]) == ("done", "overdue")


def test_what_was_taken_back_stays_in_the_reports_of_its_time(promises_of: Callable) -> None:
    """MW5a: done on 26 April 2004; taken back on 29 October; done on 10 December, said in January.

    ED2b: done on 24 November 2003, before its date; said in August 2004 to be 12 January 2004.
    """
    quarters = ("2003-04 Q1", "2003-04 Q4", "2004-05 Q1", "2004-05 Q2", "2004-05 Q3")
    first, *tables = [promises_of(period) for period in quarters]
    states = pd.concat([table["state"] for table in tables], axis=1)
    # Due on 30 April: the report for the quarter before had nothing of April in it.
    assert states.loc["MW5a"].tolist() == ["on track", "done", "overdue", "done late"]
    assert states.loc["ED2b"].tolist() == ["done", "done late", "done late", "done late"]
    # The state before is the one that was reported then, and there was none before the first.
    for before, now in pairwise(tables):
        assert now["previous_state"].tolist() == before["state"].tolist()
    assert first["previous_state"].isna().all()


def test_a_linked_level_is_read_from_its_measure(promises_of: Callable) -> None:
    """Five or more GCSEs: what is known at 2004-05 Q3 stands in the expected table."""
    early = promises_of("2004-05 Q1").loc["ED1a"]
    assert early["state"] == "at risk"
    # 55 of summer 2003 is 1.8 of the 6.8 x 12 / 24 that the line had risen by then.
    assert early["progress"] == pytest.approx(1.8 / 3.4)
    assert "provisional" in promises_of("2004-05 Q2").at["ED1a", "reason"]
    reached = promises_of("2005-06 Q4").loc["WA1a"]
    assert reached[["state", "value_period"]].tolist() == ["overdue", "2005-06 Q4"]
    assert reached["reason"] == "latest figure: 32.9% (2005-06 Q4)"


@st.composite
def reports(draw: st.DrawFn) -> tuple[str, int, str, int, float]:
    status = draw(st.sampled_from(sorted(STATUSES)))
    names = {"done": "WP1a SC3c MW5b TR1d", "figure": "WP3b TR1b WP1b WP5"}
    names["not done"] = names["done"]
    name = draw(st.sampled_from(names.get(status, "WP1a WP3b TR1b MW5b").split()))
    value = draw(st.sampled_from([1, 2, 50, 60, 100, 5350, 6000]))
    return name, draw(st.integers(0, 1200)), status, draw(st.integers(0, 400)), value


def typed(rows: list[tuple[str, int, str, int, float]]) -> pd.DataFrame:
    """Reports as load_progress gives them: days after 1 April 2003, and so many days back."""
    frame = pd.DataFrame(rows, columns=["commitment", "after", "status", "back", "value"])
    frame["reported"] = pd.Timestamp("2003-04-01") + pd.to_timedelta(frame["after"], "D")
    dated = frame["status"].isin(["done", "figure"])
    frame["day"] = (frame["reported"] - pd.to_timedelta(frame["back"], "D")).where(dated)
    frame["value"] = frame["value"].where(frame["status"] == "figure").astype(float)
    frame = frame.assign(evidence="evidence", illustrative=False, row=frame.index + 2)
    return frame.sort_values("reported", kind="stable", ignore_index=True)


PERIODS = st.sampled_from(["2003-04 Q2", "2004-05 Q3", "2006-07 Q1"])


@settings(max_examples=20)
@given(st.lists(reports(), max_size=12), PERIODS)
def test_whatever_is_reported_each_commitment_has_one_state(
    agreement: Agreement, loaded: tuple, rows: list, period: str
) -> None:
    end = pd.Timestamp(quarter(period).end)
    table = follow(agreement, typed(rows), loaded[0].iloc[:0], quarter(period))
    assert table["commitment"].tolist() == agreement.commitments.index.tolist()
    assert table["state"].isin(list(STATES)).all()
    done = table[table["state"].isin(COUNTED_DONE)]
    assert (done["done_on"] <= end).all()
    in_time = table[(table["state"] == "done") & table["due_date"].notna()]
    assert (in_time["done_on"] <= in_time["due_date"]).all()
    late = table[table["state"] == "done late"]
    assert (late["done_on"] > late["due_date"]).all()
    past = table["due_date"] <= end
    assert not table.loc[past, "state"].isin(["on track", "at risk", "not due"]).any()
    assert not table.loc[~past, "state"].isin(["overdue", "done late"]).any()
    # Never a silent green: what is on track or done shows a report or a figure.
    green = table["state"].isin(["on track", *COUNTED_DONE])
    assert table.loc[green, "reported"].notna().all()
    assert (table["reason"].str.len() >= len("no report")).all()


@settings(max_examples=20)
@given(st.lists(reports(), max_size=8), reports())
def test_a_later_report_changes_no_earlier_quarter(
    agreement: Agreement, loaded: tuple, rows: list, more: tuple
) -> None:
    period, nothing = quarter("2004-05 Q1"), loaded[0].iloc[:0]
    # The cut-off, 14 August 2004, is 501 days after 1 April 2003.
    later = (more[0], 502 + more[1], *more[2:])
    before = follow(agreement, typed(rows), nothing, period)
    after = follow(agreement, typed([*rows, later]), nothing, period)
    pd.testing.assert_frame_equal(before, after)


# Each is one row of progress.csv, the column that the finding names and what it says.
BROKEN = [
    ("WP1q,2003-08-01,on track,,,,no", "commitment", "Did you mean 'WP"),
    ("WP1a,August 2003,on track,,,,no", "reported", "a day such as 2005-01-30"),
    ("WP1a,,on track,,,,no", "reported", "a day such as 2005-01-30"),
    ("WP1a,2003-08-01,on trak,,,,no", "status", "Did you mean 'on track'?"),
    ("WP1a,2003-08-01,figure,2003-07-31,1,count,no", "status", "Its kind is milestone."),
    ("WP3a,2005-01-05,done,2004-12-31,,count,no", "status", "figure. Its kind is level."),
    ("ED1a,2005-01-05,figure,2004-08-31,61,count,no", "status", "Its kind is level, read from N2."),
    ("WP4a,2005-01-05,figure,2004-08-31,61,count,no", "status", "Its kind is unquantified."),
    ("WP1a,2003-08-01,done,,,minutes,no", "day", "Give the day that it was done"),
    ("WP3b,2003-08-01,figure,2003,5000,count,no", "day", "or that the figure is of"),
    ("WP1a,2003-08-01,done,2003-08-02,,minutes,no", "day", "up to that of the report"),
    ("WP1a,2003-08-01,at risk,2003-08-01,,,no", "day", "nothing, since only"),
    ("WP3b,2003-08-01,figure,2003-07-31,5k,count,no", "value", "a number such as 53.2"),
    ("WP3b,2003-08-01,figure,2003-07-31,nan,count,no", "value", "a number such as 53.2"),
    ("WP3c,2003-08-01,figure,2003-07-31,850,count,no", "value", "0 to 100"),
    ("WP2,2003-08-01,figure,2003-07-31,5,survey,no", "value", "1, 2, 3 or 4"),
    ("WP3b,2003-08-01,on track,,5000,,no", "value", "nothing, since only 'figure'"),
    ("WP1a,2003-08-01,done,2003-07-31,,,no", "evidence", "what shows it"),
    ("WP1a,2003-08-01,on track,,,,perhaps", "illustrative", "yes, no or nothing"),
]


@pytest.mark.parametrize(("row", "column", "says"), BROKEN)
def test_a_broken_row_is_a_finding_and_is_kept_out(
    progress: Progress, row: str, column: str, says: str
) -> None:
    table, findings = progress("WP1a,2003-07-20,on track,,,,no", row)
    assert table["row"].tolist() == [2]
    assert [finding.column for finding in findings] == [column]
    found = dict(zip(PROGRESS_COLUMNS, row.split(","), strict=True))[column]
    line = str(findings[0])
    assert line.startswith(f"error: raw/progress.csv, row 3, column {column}: found {found!r}")
    assert says in line


def test_reports_of_one_day_that_differ_are_both_kept_out(progress: Progress) -> None:
    table, findings = progress(
        "WP1a,2003-07-20,on track,,,,no",
        "WP1a,2003-07-20,at risk,,,,no",
        "WP3b,2005-05-02,figure,2005-03-31,5000,count,no",
        "WP3b,2005-05-02,figure,2005-03-31,5001,count,no",
        # Nothing is wrong with these: a figure beside a word, two days' figures, a row twice.
        "WP3c,2005-05-02,figure,2005-03-31,80,survey,no",
        "WP3c,2005-05-02,figure,2004-03-31,81,survey,no",
        "WP3c,2005-05-02,on track,,,,no",
        "WP3c,2005-05-02,on track,,,,no",
    )
    assert [(finding.row, *finding.also) for finding in findings] == [(2, 3), (4, 5)]
    assert [finding.found for finding in findings] == ["on track", "5000"]
    assert table["row"].tolist() == [6, 7, 8]


def test_done_and_then_not_done_is_a_contradiction_until_it_is_taken_back(
    agreement: Agreement, loaded: tuple, progress: Progress
) -> None:
    rows = ["WP1a,2003-08-01,done,2003-07-23,,minutes,no", "WP1a,2003-09-01,at risk,,,,no"]
    table, [finding] = progress(*rows)
    assert finding.row == 3
    assert "found 'at risk', expected done, as row 2 reported on 2003-08-01" in str(finding)
    states = follow(agreement, table, loaded[0], quarter("2003-04 Q2")).set_index("commitment")
    assert states.at["WP1a", "state"] == "no data"
    reason = "reported as done on 1 August 2003; lead's report: at risk, 1 September 2003"
    assert states.at["WP1a", "reason"] == reason
    taken_back = "WP1a,2003-09-02,not done,,,,no"
    assert not progress(*rows, taken_back)[1]
    assert not progress(*rows, taken_back, "WP1a,2003-10-02,on track,,,,no")[1]
    assert not progress(*rows, "WP1a,2003-09-02,done,2003-07-23,,minutes,no")[1]


def test_a_measure_that_sums_its_year_gives_whole_years(council: Path, edit: Edit) -> None:
    """L4-incidents read as the year to date: only the quarter that ends the year is a year."""
    edit("register/measures.csv", "L4-incidents", "basis", "year_to_date")
    cells = {"unit": "incidents", "target": "4400", "measure": "L4-incidents"}
    cells |= dict.fromkeys(["baseline", "baseline_period"], "not stated")
    for column, text in cells.items():
        edit("register/commitments.csv", "WP3b", column, text)
    (council / "raw" / "progress.csv").write_text(f"{HEADER}\n")
    row = open_report("2004-05 Q3", str(council)).commitments.set_index("commitment").loc["WP3b"]
    assert row["value_period"] == "2003-04 Q4"


WHOLE = "WP1a,2003-07-20,on track,,"
NOTE = 'WP1b,2003-07-20,on track,,,"Said in\nJan,Feb, and 1,000 came",no\n'


def test_findings_reach_the_check_the_page_and_the_exit_code(council: Path) -> None:
    path = council / "raw" / "progress.csv"
    good = path.read_text()
    path.write_text(f"{good}WP1q,2003-08-01,on track,,,,no\n")
    for text, says in (
        (f"{good}{NOTE}WP1q,2003-08-01,on track,,,,no\n".encode(), "found 'WP1q'"),
        (HEADER.replace("status", "satus").encode(), "progress.csv, row 1, column satus"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (f'{HEADER}\n{WHOLE},",no\n{WHOLE},x",no\n'.encode(), "row 2: expected each quotation"),
    ):
        path.write_bytes(text)
        result = psa("check", "--data", str(council))
        assert result.exit_code == 1
        assert says in result.output
    assert "raw/progress.csv" in (council / "processed" / "findings.csv").read_text()


def test_an_agreement_without_commitments_has_an_empty_frame(tmp_path: Path) -> None:
    psa("new", str(tmp_path / "other"))
    empty = open_report("2005-06 Q3", str(tmp_path / "other"))
    assert list(empty.commitments) == list(COLUMNS)
    assert empty.commitments.empty


def test_documentation_describes_every_column_state_and_status() -> None:
    page, raw = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("commitments", "register"))
    assert all(f"| `{name}` | {meaning} |" in page for name, meaning in (COLUMNS | STATES).items())
    assert all(f"| `{status}` | {meaning} |" in raw for status, meaning in STATUSES.items())
    assert all(f"| `{column}` |" in raw for column in PROGRESS_COLUMNS)
