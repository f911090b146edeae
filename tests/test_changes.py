"""What changed between two packs: worked cases, and properties of any two."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from builders import psa
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.comparison import CHANGE_COLUMNS, Pack, pack_of, read_pack
from psa_analysis.analysis.revisions import revisions
from psa_analysis.files import write_bytes
from psa_analysis.findings import ParameterError
from psa_analysis.packs.workbook import assessment_parquet, write_workbook
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import report_at
from psa_analysis.report import Report
from psa_analysis.show.changes import changes, changes_table, changes_words
from psa_analysis.show.grant import grants


@pytest.fixture(scope="module")
def before(report_of: Callable[[str], Report]) -> Report:
    return report_of("2004-05 Q2")


@pytest.fixture(scope="module")
def pack(report: Report) -> Pack:
    return pack_of(report, grants(report))


def with_cells(pack: Pack, measure: str, **cells: object) -> Pack:
    """The pack with other cells in one row of its assessment."""
    table = pack.assessment.set_index("measure", drop=False).astype(object)
    for name, value in cells.items():
        table.at[measure, name] = value
    return dataclasses.replace(pack, assessment=table.reset_index(drop=True))


def with_figure(pack: Pack, measure: str, period: str, value: float) -> Pack:
    """The pack with another observed figure of the agreement's own area."""
    assert pack.figures is not None
    table = pack.figures.copy()
    here = (table["measure"] == measure) & (table["period"] == period)
    here &= table["area"] == pack.area
    assert here.sum() == 1
    table.loc[here, "observed"] = value
    return dataclasses.replace(pack, figures=table)


def only(table: pd.DataFrame) -> dict[str, object]:
    assert len(table) == 1, table
    return table.iloc[0].to_dict()


# Worked cases


def test_nothing_changes_between_a_report_and_itself(report: Report, before: Report) -> None:
    for one in (report, before):
        table = changes(one, one)
        assert table.empty
        assert list(table.columns) == list(CHANGE_COLUMNS)


def test_a_state_that_changed_says_whether_for_the_better(pack: Pack) -> None:
    def moved(before: str, after: str) -> object:
        then, now = (with_cells(pack, "N13", state=state) for state in (before, after))
        row = only(changes(then, now))
        assert (row["measure"], row["what"]) == ("N13", "state")
        assert (row["before"], row["after"]) == (before, after)
        return row["direction"]

    assert moved("at risk", "off track") == "worse"
    assert moved("off track", "missed") == "worse"
    assert moved("at risk", "partly achieved") == "better"
    assert moved("on track", "achieved") == "better"
    assert moved("on track", "partly achieved") == "worse"
    # That nothing came says nothing of how things are.
    assert moved("on track", "no data") == moved("not due", "at risk") == ""


def test_a_new_reading_moved_by_its_polarity(pack: Pack) -> None:
    # Lower is better for vehicle crime, -8.3497 % in 2004-05 Q3; higher for incidents, 4,610.
    for measure, value, way in (
        ("N13", -7.0, "better"),
        ("N13", -9.0, "worse"),
        ("L4-incidents", 4600.0, "better"),
    ):
        then = with_cells(pack, measure, latest=value, latest_period="2004-05 Q2")
        row = only(changes(then, pack))
        assert (row["what"], row["before"], row["direction"]) == ("reading", value, way)
        assert (row["period_before"], row["period_after"]) == ("2004-05 Q2", "2004-05 Q3")
        assert row["why"] == "a new reading of 2004-05 Q3 came in"


def test_a_new_reading_of_the_same_value_is_a_change(pack: Pack) -> None:
    row = only(changes(with_cells(pack, "N13", latest_period="2004-05 Q2"), pack))
    assert (row["what"], row["direction"]) == ("reading", "same")


def test_the_first_reading_has_none_before_it(pack: Pack) -> None:
    then = with_cells(pack, "N13", latest=None, latest_period=None)
    row = only(changes(then, pack))
    assert row["before"] is None
    assert row["direction"] == ""
    assert row["why"] == "a new reading of 2004-05 Q3 came in"
    assert only(changes(pack, then))["why"] == "the reading of 2004-05 Q3 is not there"


def test_parts_of_a_year_are_compared_with_the_same_part_only(pack: Pack) -> None:
    now = with_cells(pack, "L4-incidents", basis="year_to_date")
    for period, way in (("2004-05 Q2", ""), ("2003-04 Q3", "better")):
        then = with_cells(now, "L4-incidents", latest=1.0, latest_period=period)
        assert only(changes(then, now))["direction"] == way


def test_a_revised_figure(pack: Pack) -> None:
    # The worked case: 2,037 vehicle crimes in 2004-05 Q2 after 1,990, and lower is better.
    then = with_figure(pack, "N13", "2004-05 Q2", 1990.0)
    row = only(changes(then, pack))
    assert row["what"] == "figure"
    assert (row["area"], row["period_after"]) == ("Leicestershire", "2004-05 Q2")
    assert (row["before"], row["after"], row["direction"]) == (1990.0, 2037.0, "worse")
    assert row["why"] == "2004-05 Q2 was revised from 1,990 to 2,037"
    # A figure that came in late, and one that is there no longer.
    late = only(changes(with_figure(pack, "N13", "2004-05 Q1", float("nan")), pack))
    assert late["why"] == "2004-05 Q1 came in after the earlier report"
    gone = only(changes(pack, with_figure(pack, "N13", "2004-05 Q1", float("nan"))))
    assert gone["why"] == "2004-05 Q1 is no longer there"
    assert gone["direction"] == ""


def test_rounding_of_a_workbook_is_no_change(pack: Pack) -> None:
    assert changes(with_figure(pack, "N13", "2004-05 Q2", 2037.0 * (1 + 1e-15)), pack).empty
    assert len(changes(with_figure(pack, "N13", "2004-05 Q2", 2037.0 * (1 + 1e-9)), pack)) == 1


def test_a_target_that_changed_is_the_registers(pack: Pack) -> None:
    row = only(changes(with_cells(pack, "N13", target=-15.0), pack))
    assert (row["what"], row["before"], row["after"]) == ("target", -15.0, -20.0)
    assert (row["why"], row["direction"]) == ("the register was changed", "")
    # Readings in two units are not compared.
    then = with_cells(pack, "N13", unit="crimes", latest=8000.0)
    rows = changes(then, pack).set_index("what")
    assert rows.at["reading", "direction"] == ""
    assert rows.at["reading", "why"].startswith("the register's unit changed")


def test_a_measure_that_one_pack_does_not_follow(pack: Pack) -> None:
    fewer = pack.assessment[pack.assessment["measure"] != "N13"]
    grants = pack.grants[pack.grants["measure"] != "N13"]
    without = dataclasses.replace(pack, assessment=fewer, grants=grants)
    rows = changes(without, pack)
    row = only(rows[rows["measure"] == "N13"])
    assert (row["what"], row["before"], row["after"]) == ("measure", None, "Vehicle crime")
    assert only(changes(pack, without).query("measure == 'N13'"))["before"] == "Vehicle crime"
    # The whole reward is less without it.
    whole = rows[rows["measure"] == "agreement"]
    assert whole["what"].tolist() == ["grant at least", "grant at most"]
    assert (whole["after"] > whole["before"]).all()


def test_a_commitment_that_moved(pack: Pack) -> None:
    assert pack.commitments is not None
    table = pack.commitments.set_index("commitment", drop=False)
    assert table.at["WP1a", "state"] == "done"
    table.at["WP1a", "state"] = "overdue"
    row = only(changes(dataclasses.replace(pack, commitments=table.reset_index(drop=True)), pack))
    assert (row["measure"], row["what"], row["direction"]) == ("WP1a", "commitment", "better")
    assert (row["before"], row["after"]) == ("overdue", "done")
    assert (row["title"], row["why"]) == (
        "The Council agrees a community strategy",
        "done on 23 July 2003",
    )
    fewer = table[table.index != "WP1a"].reset_index(drop=True)
    fewer = dataclasses.replace(pack, commitments=fewer)
    row = only(changes(fewer, pack))
    assert (row["before"], row["after"], row["direction"]) == (None, "done", "")


def test_two_agreements_are_not_compared(pack: Pack) -> None:
    other = pack.assessment.assign(measure="A" + pack.assessment["measure"])
    with pytest.raises(ParameterError, match="no measure in common"):
        changes(pack, dataclasses.replace(pack, assessment=other))


def test_two_quarters_of_the_shipped_data(report: Report, before: Report) -> None:
    table = changes(before, report)
    states = table[table["what"] == "state"].set_index("measure")
    assert states[["before", "after", "direction"]].to_numpy().tolist() == [
        ["at risk", "off track", "worse"],
        ["at risk", "on track", "better"],
        ["at risk", "off track", "worse"],
    ]
    assert list(states.index) == ["L4-incidents", "N26-trunk", "L7"]
    # The same revisions as the page on data quality shows, and those of the districts.
    revised = table[(table["what"] == "figure") & (table["area"] == "Leicestershire")]
    assert (table.loc[table["area"] == "Blaby", "what"] == "figure").all()
    shown = revisions(report)
    assert sorted(zip(revised["measure"], revised["before"], revised["after"], strict=True)) == (
        sorted(zip(shown["measure"], shown["before"], shown["now"], strict=True))
    )
    promised = table[table["what"] == "commitment"].set_index("measure")
    moved = report.commitments.set_index("commitment")
    moved = moved[moved["previous_state"] != moved["state"]]
    assert promised["before"].to_dict() == moved["previous_state"].to_dict()
    assert len(promised)
    # What the whole reward comes to is the sum of its parts.
    for end in ("least", "most"):
        rows = table[table["what"] == f"grant at {end}"].set_index("measure")
        whole = rows.loc["agreement"]
        parts = rows.drop(index="agreement")
        moved = (parts["after"] - parts["before"]).sum()
        assert whole["after"] - whole["before"] == pytest.approx(moved)


def text(cell: object) -> str:
    """A cell to twelve digits, as a workbook keeps sixteen of a number."""
    return f"{cell:.12g}" if isinstance(cell, float) else str(cell)


def mirrored(table: pd.DataFrame) -> list[tuple]:
    other = {"better": "worse", "worse": "better"}
    return sorted(
        (
            row.measure,
            row.what,
            row.area,
            row.period_after,
            row.period_before,
            text(row.after),
            text(row.before),
            other.get(row.direction, row.direction),
        )
        for row in table.itertuples()
    )


def plain(table: pd.DataFrame) -> list[tuple]:
    return sorted(
        (
            row.measure,
            row.what,
            row.area,
            row.period_before,
            row.period_after,
            text(row.before),
            text(row.after),
            row.direction,
        )
        for row in table.itertuples()
    )


@pytest.mark.parametrize("other", ["2003-04 Q1", "2004-05 Q2", "2006-07 Q3"])
def test_there_and_back_again(report: Report, report_of, other: str) -> None:
    then = report_of(other)
    there, back = changes(then, report), changes(report, then)
    assert len(there)
    assert plain(there) == mirrored(back)


CELLS = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["at risk", "on track", "missed", "no data"]),
        "latest": st.floats(-1e6, 1e6) | st.none(),
        "latest_period": st.sampled_from(["2004-05 Q2", "2003-04 Q3", "2004-05 Q3"]),
        "chance_target": st.floats(0, 1) | st.none(),
        "forecast": st.floats(-1e6, 1e6) | st.none(),
        "target": st.floats(-1e6, 1e6),
        "unit": st.sampled_from(["people", "percent"]),
    },
)


@given(CELLS, st.sampled_from(["N13", "L4-incidents", "N9"]))
def test_any_change_mirrors(pack: Pack, cells: dict, measure: str) -> None:
    then = with_cells(pack, measure, **cells)
    there = changes(then, pack)
    assert plain(there) == mirrored(changes(pack, then))
    assert set(there["measure"]) <= {measure}
    assert (there["why"] != "").all()


# Packs that were made


def made_pack(report: Report, folder: Path) -> Path:
    """A pack's tables, without its pages."""
    folder.mkdir()
    manifest = {"period": report.period.label, "area": "Leicestershire"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write_bytes(folder / "assessment.parquet", assessment_parquet(report))
    (folder / "assessment.csv").write_text(report.assessment.to_csv(index=False))
    write_workbook(report, folder / f"{report.period.slug}.xlsx")
    return folder


def test_a_pack_keeps_what_was_said(report: Report, before: Report, tmp_path: Path) -> None:
    folder = made_pack(before, tmp_path / "pack")
    assert changes(read_pack(folder), before).empty
    assert plain(changes(read_pack(folder), report)) == plain(changes(before, report))
    # One from before there were workbooks says nothing of figures and grants.
    (folder / "2004-05-Q2.xlsx").unlink()
    (folder / "assessment.parquet").unlink()
    old = read_pack(folder)
    assert changes(old, before).empty
    whats = set(changes(old, report)["what"])
    assert whats == {"state", "reading", "forecast", "chance"}


def test_a_public_pack_is_compared_like_any_other(before: Report, tmp_path: Path) -> None:
    public = dataclasses.replace(before, audience="public")
    assert changes(read_pack(made_pack(public, tmp_path / "pack")), before).empty


def test_the_command(report: Report, before: Report, tmp_path: Path) -> None:
    result = psa("diff", "2004-05 Q2", "2004-05 Q3")
    assert result.exit_code == 0
    title, change = "L4-incidents: Domestic violence incidents reported", "state: at risk -> "
    assert f"{title}\n  {change}off track (worse)" in result.output
    assert "  Leicestershire, 2004-05 Q2: 1,990 -> 2,037 (worse)\n" in result.output
    assert result.output.endswith("from 2004-05 Q2 to 2004-05 Q3\n")
    folder = made_pack(before, tmp_path / "pack")
    result = psa("diff", str(folder), "2004-05 Q3", "--csv")
    table = pd.read_csv(io.StringIO(result.output))
    assert list(table.columns) == list(CHANGE_COLUMNS)
    assert len(table) == len(changes(before, report))
    (folder / "2004-05-Q2.xlsx").unlink()
    result = psa("diff", str(folder), str(folder))
    assert result.output == (
        f"Grants, revisions and commitments are not compared: {folder} has no workbook\n" * 2
        + "0 changes from 2004-05 Q2 to 2004-05 Q2\n"
    )
    assert result.exit_code == 0


def test_what_is_no_pack_says_so(tmp_path: Path) -> None:
    for text in (None, "{", "[]", '{"period": "2004/05"}', '{"period": "2004-05 Q2"}'):
        if text is not None:
            (tmp_path / "manifest.json").write_text(text)
        result = psa("diff", str(tmp_path), str(tmp_path))
        assert result.exit_code == 2, text
        assert "is not a pack" in result.output
        assert "Traceback" not in result.output
    assert psa("diff", "2004/05", "2004-05 Q3").exit_code == 2
    shutil.rmtree(tmp_path)


# The page


def test_the_report_before_is_as_of_its_own_cut_off(report: Report, before: Report) -> None:
    made = report.before
    assert made is not None
    assert made is report.before  # forecasts are not made twice
    assert (made.period, made.cut_off) == (before.period, before.cut_off)
    pd.testing.assert_frame_equal(made.assessment, before.assessment)
    at = report_at(report, parse_period("2004-05 Q2"))
    pd.testing.assert_frame_equal(at.assessment, before.assessment)


def test_what_changed_in_words_and_as_a_table(report: Report) -> None:
    words = changes_words(report).text
    assert words.startswith(
        "Since 2004-05 Q2: 3 measures have changed state: L4-incidents is off track (before: at "
        "risk), N26-trunk is on track (before: at risk) and L7 is off track (before: at risk). 10 "
        "new readings came in, 8 better and 2 worse than the reading before. 5 earlier figures "
        "were revised. The reward is expected to come to 15 to 37% of the pot, and was 16 to 39%."
    )
    lines = [line.split("\t") for line in changes_table(report).text.splitlines()]
    assert lines[0] == ["What has changed since 2004-05 Q2"]
    head, rows = lines[1], {line[0]: dict(zip(lines[1], line, strict=True)) for line in lines[2:]}
    assert head[:4] == ["Measure", "What is measured", "State before", "State now"]
    assert list(rows)[:3] == ["L4-incidents", "N26-trunk", "L7"]
    crime = rows["N13"]
    assert (crime["Reading before"], crime["Reading now"]) == ("−7.4%", "−8.3%")
    assert crime["The reading is"] == "better"
    assert crime["Why"].endswith("2004-05 Q2 was revised from 1,990 to 2,037")
    # A chance that moved by less than a point, and nothing else, is not for a board.
    assert "N7-treatment" not in rows


def test_the_first_quarter_has_none_before_it(report_of: Callable[[str], Report]) -> None:
    first = report_of("2003-04 Q1")
    assert first.before is None
    said = "There is no report before 2003-04 Q1 to compare with: the agreement began in 2003/04."
    assert changes_words(first).text == changes_table(first).text == said
    assert report_of("2001-02 Q1").before is None


def test_a_quarter_in_which_nothing_came(report: Report, monkeypatch) -> None:
    monkeypatch.setitem(vars(report), "before", report)
    words = changes_words(report).text
    assert "No measure has changed state. No figure came in and none was revised" in words
    assert words.endswith("The reward is still expected to come to 15 to 37% of the pot.")
    assert changes_table(report).text == "What has changed since 2004-05 Q3: none."
