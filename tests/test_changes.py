"""What changed between two packs: worked cases, and the same there and back again."""

import dataclasses
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from builders import ReportOf, psa

from psa_analysis.analysis.comparison import CHANGE_COLUMNS, Pack, changes, read_pack
from psa_analysis.findings import ParameterError
from psa_analysis.packs.workbook import assessment_parquet
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import report_at
from psa_analysis.report import Report
from psa_analysis.show.comparison import changes as shown
from psa_analysis.show.comparison import changes_table, changes_words, pack_of


@pytest.fixture(scope="module")
def before(report_of: ReportOf) -> Report:
    return report_of("2004-05 Q2")


@pytest.fixture(scope="module")
def pack(report: Report) -> Pack:
    return pack_of(report)


def with_cells(pack: Pack, measure: str, **cells: object) -> Pack:
    """The pack with other cells in one row of its assessment."""
    table = pack.assessment.set_index("measure", drop=False).astype(object)
    for name, value in cells.items():
        table.at[measure, name] = value
    return dataclasses.replace(pack, assessment=table.reset_index(drop=True))


def with_figure(pack: Pack, period: str, value: float) -> Pack:
    """The pack with another observed figure of vehicle crime in the county."""
    table = pack.figures.set_index(["measure", "area", "period"])
    table.loc[("N13", pack.area, period), "observed"] = value
    assert len(table) == len(pack.figures)
    return dataclasses.replace(pack, figures=table.reset_index())


def only_change(earlier: Pack, later: Pack) -> dict[str, object]:
    (row,) = changes(earlier, later).to_dict("records")
    return row


def test_nothing_changes_between_a_report_and_itself(pack: Pack) -> None:
    assert changes(pack, pack).empty
    assert list(changes(pack, pack).columns) == list(CHANGE_COLUMNS)


@pytest.mark.parametrize(
    ("then", "now", "direction"),
    [
        ("at risk", "off track", "worse"),
        ("off track", "missed", "worse"),
        ("at risk", "partly achieved", "better"),
        ("on track", "achieved", "better"),
        ("on track", "partly achieved", "worse"),
        # That nothing came says nothing of how things are.
        ("on track", "no data", ""),
        ("not due", "at risk", ""),
    ],
)
def test_a_state_that_changed(pack: Pack, then: str, now: str, direction: str) -> None:
    row = only_change(*(with_cells(pack, "N13", state=state) for state in (then, now)))
    assert (row["measure"], row["what"], row["direction"]) == ("N13", "state", direction)
    assert (row["before"], row["after"]) == (then, now)


@pytest.mark.parametrize(
    ("measure", "more", "direction"),
    [("N13", 1.0, "better"), ("N13", -1.0, "worse"), ("L4-incidents", -10.0, "better")],
)
def test_a_new_reading(
    report: Report, pack: Pack, measure: str, more: float, direction: str
) -> None:
    value = report.rows[measure]["latest"] + more
    then = with_cells(pack, measure, latest=value, latest_period="2004-05 Q2")
    row = only_change(then, pack)
    assert (row["what"], row["before"], row["direction"]) == ("reading", value, direction)
    assert (row["period_before"], row["period_after"]) == ("2004-05 Q2", "2004-05 Q3")
    assert row["why"] == "new reading of 2004-05 Q3"


def test_readings_with_nothing_to_compare(pack: Pack) -> None:
    # A new reading of the same value is a change.
    same = only_change(with_cells(pack, "N13", latest_period="2004-05 Q2"), pack)
    assert (same["what"], same["direction"]) == ("reading", "same")
    then = with_cells(pack, "N13", latest=None, latest_period=None)
    first = only_change(then, pack)
    assert (pd.isna(first["before"]), first["direction"]) == (True, "")
    assert only_change(pack, then)["why"] == "no reading of 2004-05 Q3 any more"
    # Parts of a year are compared with the same part only.
    now = with_cells(pack, "L4-incidents", basis="year_to_date")
    for period, direction in (("2004-05 Q2", ""), ("2003-04 Q3", "better")):
        then = with_cells(now, "L4-incidents", latest=1.0, latest_period=period)
        assert only_change(then, now)["direction"] == direction


def test_a_revised_figure(report: Report, pack: Pack) -> None:
    # 47 vehicle crimes more in 2004-05 Q2, and lower is better.
    quarters = report.known.set_index(["measure", "area", "period"])["value"]
    now = quarters["N13", "Leicestershire", "2004-05 Q2"]
    row = only_change(with_figure(pack, "2004-05 Q2", now - 47), pack)
    place = (row["what"], row["area"], row["period_after"])
    assert place == ("figure", "Leicestershire", "2004-05 Q2")
    assert (row["before"], row["after"], row["direction"]) == (now - 47, now, "worse")
    assert row["why"] == f"2004-05 Q2 revised from {now - 47:,.0f} to {now:,.0f}"
    # A figure that came in late, and one that is there no longer.
    without = with_figure(pack, "2004-05 Q1", float("nan"))
    assert only_change(without, pack)["why"] == "2004-05 Q1 came in late"
    gone = only_change(pack, without)
    assert (gone["why"], gone["direction"]) == ("2004-05 Q1 is gone", "")
    # Rounding is no revision.
    assert changes(with_figure(pack, "2004-05 Q2", now * (1 + 1e-15)), pack).empty
    assert len(changes(with_figure(pack, "2004-05 Q2", now * (1 + 1e-9)), pack)) == 1


def test_a_target_that_changed_is_the_registers(pack: Pack) -> None:
    row = only_change(with_cells(pack, "N13", target=-15.0), pack)
    assert (row["what"], row["before"], row["after"]) == ("target", -15.0, -20.0)
    assert (row["why"], row["direction"]) == ("the register's target changed", "")
    # Readings in two units are not compared.
    then = with_cells(pack, "N13", unit="crimes", latest=8000.0)
    reading = changes(then, pack).set_index("what").loc["reading"]
    assert reading["direction"] == ""
    assert reading["why"].startswith("the register's unit changed")


def test_a_measure_that_only_one_pack_follows(pack: Pack) -> None:
    fewer, grants = (table[table["measure"] != "N13"] for table in (pack.assessment, pack.grants))
    without = dataclasses.replace(pack, assessment=fewer, grants=grants)
    there = changes(without, pack).set_index("measure")
    back = changes(pack, without).set_index("measure")
    ends = ["what", "before", "after"]
    assert there.loc["N13", ends].fillna("").tolist() == ["measure", "", "Vehicle crime"]
    assert back.loc["N13", ends].fillna("").tolist() == ["measure", "Vehicle crime", ""]
    # The whole reward is less without it.
    assert there.loc["agreement", "what"].tolist() == ["grant at least", "grant at most"]
    assert (there.loc["agreement", "after"] > there.loc["agreement", "before"]).all()
    other = dataclasses.replace(pack, assessment=fewer.assign(measure="A" + fewer["measure"]))
    with pytest.raises(ParameterError, match="no measure in common"):
        changes(pack, other)


def test_a_commitment_that_moved(pack: Pack) -> None:
    table = pack.commitments.set_index("commitment")
    overdue, without = table.copy(), table.drop(index="WP1a")
    overdue.at["WP1a", "state"] = "overdue"
    for earlier, state, direction in ((overdue, "overdue", "better"), (without, "", "")):
        then = dataclasses.replace(pack, commitments=earlier.reset_index())
        row = changes(then, pack).fillna("").iloc[0]
        assert (row["measure"], row["what"], row["direction"]) == ("WP1a", "commitment", direction)
        assert (row["before"], row["after"]) == (state, "done")
        assert row["title"] == "The Council agrees a community strategy"
        assert row["why"] == "done on 23 July 2003"


def test_two_quarters_of_the_shipped_data(report: Report, before: Report, pack: Pack) -> None:
    table = changes(pack_of(before), pack)
    # What the whole reward comes to is the sum of its parts.
    for end in ("least", "most"):
        rows = table[table["what"] == f"grant at {end}"].set_index("measure")
        whole = (pack.grants["pot_share"] * pack.grants[end]).sum()
        assert rows.at["agreement", "after"] == pytest.approx(whole)
        change = rows["after"] - rows["before"]
        assert change["agreement"] == pytest.approx(change.drop("agreement").sum())


def plain(table: pd.DataFrame, mirrored: bool = False) -> list[tuple]:
    """The changes to twelve digits, sorted; mirrored: as they are the other way round."""
    rows = table.drop(columns=["title", "unit", "why"])
    if mirrored:
        swapped = {"before": "after", "period_before": "period_after"}
        swapped |= {after: before for before, after in swapped.items()}
        rows = rows.rename(columns=swapped)[rows.columns]
        rows["direction"] = rows["direction"].replace({"better": "worse", "worse": "better"})
    texts = rows.map(lambda cell: f"{cell:.12g}" if isinstance(cell, float) else str(cell))
    return sorted(texts.itertuples(index=False, name=None))


@pytest.mark.parametrize("other", ["2003-04 Q1", "2004-05 Q2", "2006-07 Q3"])
def test_there_and_back_again(pack: Pack, report_of, other: str) -> None:
    then = pack_of(report_of(other))
    there = changes(then, pack)
    assert len(there)
    assert (there["why"] != "").all()
    assert plain(there) == plain(changes(pack, then), mirrored=True)


def saved(report: Report, folder: Path) -> Path:
    """What a pack keeps for comparison."""
    manifest = {"period": report.period.label, "area": "Leicestershire"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "assessment.parquet").write_bytes(assessment_parquet(report))
    return folder


@pytest.mark.parametrize("audience", ["internal", "public"])
def test_a_pack_keeps_what_was_said(
    report: Report, before: Report, tmp_path: Path, audience: str
) -> None:
    pack = read_pack(saved(dataclasses.replace(before, audience=audience), tmp_path))
    assert changes(pack, pack_of(before)).empty
    table = changes(pack, pack_of(report))
    # Figures, grants and commitments are compared between quarters alone.
    assert set(table["what"]) == {"state", "reading", "forecast", "chance"}


def test_the_command(before: Report, pack: Pack, tmp_path: Path) -> None:
    result = psa("diff", "2004-05 Q2", "2004-05 Q3")
    assert result.exit_code == 0
    table = pd.read_csv(io.StringIO(psa("diff", "2004-05 Q2", "2004-05 Q3", "--csv").output))
    assert ("\n  state: " in result.output) == ("state" in set(table["what"]))
    row = table[(table["what"] == "figure") & (table["measure"] == "N13")].iloc[0]
    figures = f"{float(row['before']):,.0f} -> {float(row['after']):,.0f}"
    assert f"  {row['area']}, 2004-05 Q2: {figures}" in result.output
    assert list(table.columns) == list(CHANGE_COLUMNS)
    assert len(table) == len(changes(pack_of(before), pack))
    folder = str(saved(before, tmp_path))
    result = psa("diff", folder, folder)
    assert result.output.count(f"commitments are not compared: a pack such as {folder}") == 2
    assert result.output.endswith("0 changes from 2004-05 Q2 to 2004-05 Q2\n")


@pytest.mark.parametrize(
    "manifest", [None, "{", "[]", '{"period": "2004/05"}', '{"period": "2004-05 Q2"}']
)
def test_what_is_no_pack_says_so(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    result = psa("diff", str(tmp_path), str(tmp_path))
    assert result.exit_code == 2
    assert "is not a pack" in result.output


def test_the_report_before_is_as_of_its_own_cut_off(report: Report, before: Report) -> None:
    assert (report.before.period, report.before.cut_off) == (before.period, before.cut_off)
    again = report_at(report, parse_period("2004-05 Q2"))
    for same in (report.before, again):
        pd.testing.assert_frame_equal(same.assessment, before.assessment)


def test_the_first_quarter_has_none_before_it(report_of: ReportOf) -> None:
    first = report_of("2003-04 Q1")
    assert first.before is None
    assert "no report before 2003-04 Q1" in changes_words(first).text
    assert shown(first).reason == changes_words(first).text
    assert report_of("2001-02 Q1").before is None


def test_a_quarter_in_which_nothing_came(report: Report) -> None:
    still = dataclasses.replace(report, report_at=lambda *_: report)
    words = changes_words(still).text
    assert "no measure changed state. New readings: 0. Earlier figures revised: 0." in words
    assert re.search(r"The expected reward is (.*%.*)\. Before, it was \1\.$", words)
    assert changes_table(still).text == "What has changed since 2004-05 Q3: none."
