"""Disclosure control: what a public pack holds, searched and attacked from outside."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import bytes_of, notebook, psa_run, texts
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

import psa_analysis as psa
from psa_analysis.analysis.disclosure import (
    EXPOSED,
    complement,
    masked_commitments,
    small,
    small_reports,
    withheld,
)
from psa_analysis.files import checksum
from psa_analysis.findings import ParameterError
from psa_analysis.packs.workbook import tables
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import ROOT, load_observations, make_report, remember_disclosed
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.grant import grants
from psa_analysis.show.trajectories import readings_table, trajectory_chart

Both = tuple[Report, Report]  # internal and public
NOTHING_YET = pd.DataFrame(columns=["measure", "area", "period", "received", "shown"], dtype=str)

#: Incidents of one quarter: 996 in all, as the county's figure says.
DISTRICTS = {
    "Blaby": 301,
    "Charnwood": 204,
    "Harborough": 187,
    "Hinckley and Bosworth": 155,
    "Melton": 3,
    "North West Leicestershire": 144,
    "Oadby and Wigston": 2,
}
COUNTY = "Leicestershire"

#: Numbers that are secret in the folder that the fixture makes; none of them is there by chance.
SECRET = {
    "looked-after children, all but 4 of a year": [8087, 8083, 99.9505],
    "repeat victims, 3 of a quarter": [6947, 6944, 0.0432],
    "young people, all but 2 of a quarter": [7919, 7917, 99.9747],
    "a school with 6 of 7 pupils": [85.7143],
    "an earlier version, revised by 2": [61843],
    "a refused cell": [9127],
}


@pytest.fixture(scope="module")
def risky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A council whose returns hold small counts of every kind."""
    folder = tmp_path_factory.mktemp("risky") / "secret-place"
    shutil.copytree(ROOT / "data" / "raw", folder / "raw")
    returns = folder / "raw" / "returns"
    school = "Upper school D (illustrative)"
    change(returns / "social_services.csv", "N6-eet", COUNTY, "2003/04", 99.9505, 8083, 8087)
    change(returns / "police.csv", "L4-repeat", COUNTY, "2004-05 Q2", 0.0432, 3, 6947)
    change(returns / "youth_offending.csv", "L5", COUNTY, "2004-05 Q1", 99.9747, 7917, 7919)
    change(returns / "schools.csv", "N2", school, "2003/04", 85.7143, 6, 7)
    change(returns / "police.csv", "L4-incidents", COUNTY, "2004-05 Q2", [61843, 61845])
    with (returns / "police.csv").open("a") as file:
        file.write("L4-incidents,Leicestershire,2000-01 Q4,9127 victims,,,final,2001-05-01,yes\n")
    rows = [f"L4-incidents,{area},2004-05 Q3,{count}" for area, count in DISTRICTS.items()]
    lines = ["measure,area,period,value,received,illustrative"]
    lines += [f"{row},2005-02-01,yes" for row in rows]
    (returns / "incidents_districts.csv").write_text("\n".join(lines))
    shutil.copy(returns / "police_districts.csv.toml", returns / "incidents_districts.csv.toml")
    for path in returns.glob("*.csv"):
        # The data log knows each file by its checksum.
        beside = path.with_name(f"{path.name}.toml")
        text = re.sub(r'checksum = ".*"', f'checksum = "{checksum(path)}"', beside.read_text())
        beside.write_text(text)
    return folder


def change(path: Path, measure: str, area: str, period: str, *cells: object) -> None:
    """Put another value, numerator and denominator into a return."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False).astype(object)
    rows = (table[["measure", "area", "period"]] == [measure, area, period]).all(axis=1)
    assert rows.any()
    for column, cell in zip(["value", "numerator", "denominator"], cells, strict=False):
        table.loc[rows, column] = cell
    table.to_csv(path, index=False)


@pytest.fixture(scope="module")
def both(risky: Path) -> Both:
    """The internal and the public report of the folder."""
    agreement = load_agreement(risky)
    known = load_observations(agreement)
    audiences = ("internal", "public")
    reports = [make_report(agreement, *known, quarter("2004-05 Q3"), to) for to in audiences]
    return reports[0], reports[1]


@pytest.fixture(scope="module")
def pack(risky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its public pack, as the command makes it."""
    return public_pack(risky, ROOT / "notebooks", tmp_path_factory.mktemp("public"))


def public_pack(data: Path, notebooks: Path, outputs: Path) -> Path:
    folders = ["--data", str(data), "--notebooks", str(notebooks), "--outputs", str(outputs)]
    psa_run("2004-05 Q3", "--audience", "public", *folders)
    return outputs / "2004-05-Q3-public"


def places_of(secret: float, folder: Path) -> list[str]:
    """The files in which a number stands, with or without a comma for thousands."""
    pattern = re.compile(rf"(?<![\w.,])({secret}|{secret:,})(?!\w|,\d)")
    return [name for name, text in texts(folder) if pattern.search(text)]


@pytest.mark.parametrize("kind", SECRET)
def test_no_file_of_a_public_pack_says_a_small_number(pack: Path, kind: str) -> None:
    assert [place for secret in SECRET[kind] for place in places_of(secret, pack)] == []


def test_the_search_would_find_what_is_shown(pack: Path) -> None:
    # The newest version of the figure whose revision is small is in the workbook and on pages.
    places = "\n".join(places_of(61845, pack))
    assert "2004-05-Q3.xlsx" in places
    assert ".html" in places


def test_a_public_pack_names_no_folder_of_ours(pack: Path, risky: Path) -> None:
    assert [name for name, text in texts(pack) if str(risky.parent) in text] == []
    manifest = (pack / "manifest.json").read_text()
    # A checksum would tell whoever tries numbers when they have found the right one.
    assert "social_services" not in manifest
    assert "register/measures.csv" in manifest
    sheet = sheet_of(pack, "data log")
    assert sheet.loc[sheet["title"].str.startswith("Illustrative"), "checksum"].isna().all()


def sheet_of(folder: Path, sheet: str) -> pd.DataFrame:
    return pd.read_excel(next(folder.glob("*.xlsx")), sheet, engine="openpyxl")


def ends(
    place: int, relations: np.ndarray, totals: np.ndarray, bounds: object = (0, None)
) -> tuple[float, float]:
    """The least and the most that one count can be, given sums of counts."""
    limits = []
    for sign in (1, -1):
        aim = sign * np.eye(relations.shape[1])[place]
        solved = linprog(aim, A_eq=relations, b_eq=totals, bounds=bounds, method="highs")
        assert solved.status in (0, 3), solved.message
        limits.append(sign * solved.fun if solved.status == 0 else -sign * np.inf)
    return limits[0], limits[1]


def test_a_school_takes_the_smallest_other_school_with_it(both: Both) -> None:
    held = both[1].withheld.query("measure == 'N2' and reason != 'earlier version'")
    # F is the smallest by those who did or did not reach it: 163 did not.
    assert set(held["area"]) == {"Upper school D (illustrative)", "Upper school F (illustrative)"}
    assert set(held["period"]) == {"2003/04"}


def test_the_internal_report_still_holds_all(both: Both) -> None:
    cells = ["measure", "area", "period"]
    for report, expected in zip(both, ([8083, 3, 7917], [None] * 3), strict=True):
        rows = report.observations.set_index(cells)["numerator"].astype(object)
        held = [("N6-eet", "2003/04"), ("L4-repeat", "2004-05 Q2"), ("L5", "2004-05 Q1")]
        numerators = [rows[measure, COUNTY, period] for measure, period in held]
        assert [None if pd.isna(number) else number for number in numerators] == expected
    assert both[0].withheld.empty


def test_a_state_that_rests_on_small_numbers_is_not_shown(both: Both, pack: Path) -> None:
    inside, public = (report.assessment.set_index("measure")["state"] for report in both)
    assert set(public.index[public == "not shown"]) == {"N6-eet", "L4-repeat", "L5", "N7-gps"}
    assert "not shown" not in set(inside)
    table = pd.read_csv(pack / "assessment.csv")
    assert table["state"].tolist() == public.tolist()


def test_commitments_of_few_people_or_of_hidden_figures_are_masked(both: Both) -> None:
    table = both[0].commitments
    few = table["commitment"].isin(["MW1", "CP1"])
    hidden = masked_commitments(table, ["MW1", "CP1"])
    assert few.any()
    assert hidden.loc[few, "state"].eq("not shown").all()
    assert hidden.loc[few, ["value", "progress"]].isna().all(axis=None)
    assert hidden[~few].equals(table[~few])


@pytest.mark.parametrize(
    ("unit", "made_of", "value", "expected"),
    [
        ("young offenders", "", 3, True),
        ("patients", "", 4, True),
        ("patients", "", 0, True),
        ("patients", "", 5, False),
        ("libraries", "amounts", 1, False),
        ("visits for each patient", "", 2.5, False),
        ("percent", "", 3, False),
    ],
)
def test_a_small_figure_of_a_commitment(both: Both, unit, made_of, value, expected) -> None:
    agreement = both[0].agreement
    kinds = {"kind": "level", "unit": unit, "made_of": made_of}
    agreement = replace(agreement, commitments=agreement.commitments.assign(**kinds))
    progress = pd.DataFrame({"commitment": [agreement.commitments.index[0]], "value": [value]})
    assert small_reports(progress, agreement).tolist() == [expected]


def test_nothing_public_depends_on_a_number_that_is_held_back(both: Both) -> None:
    """Other numbers as small in their place give the same tables, forecasts and record."""
    inside, public = both
    others = inside.observations.copy()
    hidden = public.withheld.query("reason == 'small' and measure in ('N7-gps', 'N6-eet', 'L5')")
    assert set(hidden["measure"]) == {"N7-gps", "N6-eet", "L5"}
    rows = others.index.isin(hidden.index)
    counts = others["measure"] == "N7-gps"
    # No shift and no reflection, of which a forecaster learns the same.
    others.loc[rows & counts, "value"] = np.arange((rows & counts).sum()) * 2.0 % 5
    others.loc[rows & ~counts, "numerator"] += 1
    other = make_report(inside.agreement, others, [*inside.findings], inside.period, "public")
    for name, table in tables(public).items():
        pd.testing.assert_frame_equal(table, tables(other)[name])
    pd.testing.assert_frame_equal(public.record, other.record)
    for measure, outlook in public.outlooks.items():
        assert np.array_equal(outlook.draws, other.outlooks[measure].draws), measure


def test_what_rests_on_a_small_number_is_not_shown(both: Both) -> None:
    before, now = (report.assessment.set_index("measure") for report in both)
    columns = ["latest", "gap", "progress", "required", "forecast", "low_80", "expected_share"]
    assert pd.notna(before.at["N6-eet", "latest"])
    assert now.loc["N6-eet", columns].isna().all()
    # A rolling year holds the quarter that is held back.
    readings = both[1].readings.query("measure == 'L4-repeat'").set_index("period")["reading"]
    assert readings[["2004-05 Q2", "2004-05 Q3"]].isna().all()
    assert readings["2004-05 Q1"] > 0
    assert both[1].outlooks["L4-repeat"].reason


def test_a_chart_of_a_target_alone_says_why(both: Both) -> None:
    drawn = re.findall(r">([^<>]+)</text>", trajectory_chart(both[1], "N7-gps").svg)
    assert "Readings not shown: small numbers" in drawn
    assert "Target 6" in drawn
    row = psa.scorecard(both[1]).table.frame.set_index("code").loc["N7-gps"]
    assert row[["latest", "target"]].tolist() == ["[c]", "6 practitioners"]


def test_pages_say_what_is_not_shown(both: Both) -> None:
    rows = readings_table(both[1], "L4-repeat").text.splitlines()
    assert "[c]" in next(row for row in rows if row.startswith("2004-05 Q2"))
    assert "2 gaps where numbers are small" in trajectory_chart(both[1], "L4-repeat").alt


def test_the_report_before_shows_no_more(both: Both) -> None:
    shown = both[1].before
    assert shown.audience == "public"
    # The first version of a figure that was revised by 2 was all that was known then.
    rows = shown.observations.query("measure == 'L4-incidents' and period == '2004-05 Q2'")
    assert len(rows)
    assert rows["value"].isna().all()


def test_cells_of_returns_are_for_internal_reports(both: Both) -> None:
    with pytest.raises(ParameterError, match="for internal reports"):
        psa.cells_used(both[1], "L4-repeat")


def test_a_decided_reward_that_would_tell_its_outturn_is_not_shown(both: Both) -> None:
    agreement = both[0].agreement
    agreement = replace(agreement, measures=agreement.measures.assign(paid=90_000))
    known = agreement, both[0].observations, list(both[0].findings)
    public = make_report(*known, quarter("2006-07 Q3"), "public")
    table = grants(public).set_index("measure")
    rows = public.assessment.set_index("measure")
    hidden = rows.index[(rows["latest_flag"] == "withheld") & (rows["role"] == "target")]
    assert len(hidden)
    told = ["outturn", "proportion", "least", "most", "paid"]
    assert table.loc[hidden, told].isna().all(axis=None)
    assert public.agreement.measures.loc[hidden, "paid"].isna().all()


RATE, COUNT = "L5", "L4-incidents"


@pytest.mark.parametrize(
    ("measure", "cells", "expected"),
    [
        (RATE, (50.0, 4, 8), True),  # 4 of them
        (RATE, (50.0, 5, 10), False),
        (RATE, (80.0, 16, 20), True),  # all but 4
        (RATE, (75.0, 15, 20), False),
        (RATE, (55.0, 5, 9), True),  # of 9
        (RATE, (0.0, 0, 20), True),  # none
        (RATE, (0.0, np.nan, np.nan), True),
        (RATE, (100.0, np.nan, np.nan), True),
        (RATE, (3.0, np.nan, np.nan), False),  # a rate of which nobody can say of how many
        (COUNT, (0.0, np.nan, np.nan), True),
        (COUNT, (4.0, np.nan, np.nan), True),
        (COUNT, (5.0, np.nan, np.nan), False),
        ("L7", (0.0, 0, np.nan), False),  # tonnes of waste are no people
    ],
)
def test_what_is_small(report: Report, measure: str, cells: tuple, expected: bool) -> None:
    rows = report.observations[report.observations["measure"] == measure].head(1)
    rows = rows.assign(**dict(zip(["value", "numerator", "denominator"], cells, strict=True)))
    assert small(report.agreement, rows).tolist() == [expected]
    # What others have published is public.
    assert not small(report.agreement, rows.assign(file="raw/published/x.csv")).any()


def two_way(rows: int, columns: int) -> np.ndarray:
    """Sums of a table with its margins: cells row by row, the last of each its total."""
    place = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    relations = []
    for line in [*place, *place.T]:
        terms = np.zeros(place.size)
        terms[line[:-1]], terms[line[-1]] = 1, -1
        relations.append(terms)
    return np.array(relations)


TABLES = st.tuples(st.integers(2, 4), st.integers(2, 4)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(0, 30).map(float))
)


@given(TABLES)
@hypothesis_settings(max_examples=25)
def test_no_hidden_cell_of_a_table_can_be_told(cells: np.ndarray) -> None:
    rows, columns = cells.shape
    whole = np.pad(cells, (0, 1))
    whole[rows] = whole.sum(axis=0)
    whole[:, columns] = whole.sum(axis=1)
    values, relations = whole.ravel(), two_way(rows, columns)
    primary = values < 5
    fixed = np.zeros(len(values), bool)
    hidden, exposed = complement(relations, values[:, None], primary, fixed, 5)
    assert not exposed.any()
    assert (hidden >= primary).all()
    if not primary.any():
        assert not hidden.any()
    # Independently: every cell a variable, those shown held at what they are.
    bounds = [(0, None) if h else (v, v) for v, h in zip(values, hidden, strict=True)]
    for place in np.flatnonzero(hidden):
        low, high = ends(place, relations, np.zeros(len(relations)), bounds)
        assert high - low >= 5 - 1e-6


def test_without_a_threshold_all_is_shown(report: Report) -> None:
    settings = report.agreement.settings
    off = settings.disclosure.model_copy(update={"threshold": 0, "smallest_denominator": 0})
    agreement = load_agreement(ROOT / "data")
    object.__setattr__(agreement, "settings", settings.model_copy(update={"disclosure": off}))
    rows = report.observations[report.observations["flag"] != "suppressed"]
    assert withheld(rows, agreement, report.cut_off, NOTHING_YET).empty


def test_a_public_pack_is_the_same_every_time(pack: Path, risky: Path, tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "06_data_quality.ipynb", tmp_path / "notebooks")
    again = bytes_of(public_pack(risky, tmp_path / "notebooks", tmp_path))
    # The front links to what is there.
    del again["index.html"]
    assert len(again) == 6
    assert again.items() <= bytes_of(pack).items()


def test_an_error_in_a_public_notebook_quotes_nothing(risky: Path, tmp_path: Path) -> None:
    cell = "raise ValueError(f'8087 children in {data}')"
    notebook(tmp_path / "notebooks", "00_a.ipynb", cell)
    folder = public_pack(risky, tmp_path / "notebooks", tmp_path / "out")
    folder = folder.with_name(f"{folder.name}-failed")
    assert json.loads((folder / "manifest.json").read_text())["pages"][0]["status"] == "failed"
    assert [name for name, text in texts(folder) if "8087 children in /" in text] == []
    assert "the internal pack says why" in (folder / "index.html").read_text()


def district_rows(both: Both, quarter_of: str, **counts: object) -> pd.DataFrame:
    """The districts' incidents of one quarter, with other counts; None leaves one out."""
    rows = both[0].known.query("measure == 'L4-incidents' and period == '2004-05 Q3'").copy()
    for area, count in counts.items():
        place = rows["area"].str.startswith(area.replace("_", " "))
        assert place.sum() == 1
        if count == "[c]":
            rows.loc[place, ["value", "flag"]] = np.nan, "suppressed"
        elif count is None:
            rows = rows[~place]
        else:
            rows.loc[place, "value"] = count
    return rows.assign(received=pd.Timestamp(quarter_of))


def held_back(report: Report) -> set[str]:
    rows = report.withheld.query("measure == 'L4-incidents' and period == '2004-05 Q3'")
    return set(rows["area"])


def report_on(both: Both, rows: pd.DataFrame, folder: Path, period: str) -> Report:
    agreement = replace(both[0].agreement, folder=folder)
    return make_report(agreement, rows, [], quarter(period), "public")


LARGE = {"Melton": 90, "Oadby": 80}


@pytest.mark.parametrize("mark", ["[c]", 3])
def test_what_a_sender_has_suppressed_takes_another_with_it(both, mark, tmp_path) -> None:
    rows = district_rows(both, "2005-02-01", **LARGE | {"Melton": mark})
    assert held_back(report_on(both, rows, tmp_path, "2004-05 Q3")) == {
        "Melton",
        "Oadby and Wigston",
    }


@pytest.mark.parametrize(("left", "expected"), [(3, {"Oadby and Wigston"}), (50, set())])
def test_a_district_that_has_not_returned_is_not_told_by_the_rest(both, left, expected, tmp_path):
    rows = district_rows(both, "2005-02-01", **LARGE | {"Melton": None})
    others = rows.loc[rows["area"] != COUNTY, "value"].sum()
    rows["value"] = rows["value"].mask(rows["area"] == COUNTY, others + left)
    assert held_back(report_on(both, rows, tmp_path, "2004-05 Q3")) == expected


def test_packs_hold_back_the_same_places(both: Both, tmp_path: Path) -> None:
    """Another district is the smallest once figures are revised: the choice stays."""
    first = district_rows(both, "2005-02-01", Melton=3, Oadby=80)
    revised = district_rows(both, "2005-05-01", Melton=3, Oadby=180, Blaby=60)
    rows = pd.concat([first, revised]).reset_index(drop=True)
    assert held_back(report_on(both, rows, tmp_path, "2004-05 Q4")) == {"Melton", "Blaby"}
    before = report_on(both, rows, tmp_path, "2004-05 Q3")
    assert held_back(before) == {"Melton", "Oadby and Wigston"}
    remember_disclosed(before)
    after = report_on(both, rows, tmp_path, "2004-05 Q4")
    assert held_back(after) == {"Melton", "Oadby and Wigston"}
    remember_disclosed(after)
    assert held_back(report_on(both, rows, tmp_path, "2004-05 Q3")) == held_back(before)
    # Where all others have been shown nothing protects it any more, and that is said.
    path = tmp_path / "disclosed.csv"
    path.write_text(re.sub(r"(?m)^(?!.*Melton)(.*),no$", r"\1,yes", path.read_text()))
    late = report_on(both, rows, tmp_path, "2004-05 Q4").withheld
    assert late.query("area == 'Melton'")["reason"].eq(EXPOSED).all()


def test_a_rate_without_its_numbers_has_no_digits_that_tell_them(both: Both, tmp_path) -> None:
    rows = both[0].known.query("measure == 'N2'").head(3).copy()
    rows["value"] = [85.7143, 62.96, 63.04]
    rows[["numerator", "denominator"]] = np.nan
    shown = report_on(both, rows, tmp_path, "2004-05 Q3").observations["value"]
    # 63% is the target of N2: no rounding reaches it, or misses it.
    assert shown.tolist() == [85.7, 62.9, 63.1]
