"""Disclosure control: what a public pack holds, searched and attacked from outside."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pandas as pd
import pytest
from builders import psa_run
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

import psa_analysis as psa
from psa_analysis.analysis.disclosure import (
    complement,
    feasible,
    masked_commitments,
    small,
    withheld,
)
from psa_analysis.files import checksum
from psa_analysis.findings import ParameterError
from psa_analysis.periods import parse_period as quarter
from psa_analysis.pipeline import ROOT, hide, load_observations, make_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.grant import grants
from psa_analysis.words import NOT_SHOWN

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
    # Looked-after children: all but 4 of 8,087 in 2003/04.
    "care leavers": [8087, 8083, 99.9505],
    # Repeat victims: 3 of 6,947 in 2004-05 Q2; with the year that it is part of.
    "repeat victims": [6947, 6944, 0.0432],
    # A complement: all but 2 of 7,919 young people in 2004-05 Q1.
    "young people": [7919, 7917, 99.9747],
    # A school with 6 of 7 pupils, and the smallest other one, which would give it away.
    "school": [85.7143],
    # Incidents by district: 3 in Melton, 2 in Oadby; a revision by 2.
    "an earlier version": [61843],
    # What stood in a cell that was refused.
    "a refused cell": ["9127 victims"],
}


@pytest.fixture(scope="module")
def risky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A council whose returns hold small counts of every kind."""
    folder = tmp_path_factory.mktemp("risky") / "secret-place"
    shutil.copytree(ROOT / "data" / "raw", folder / "raw")
    returns = folder / "raw" / "returns"
    change(returns / "social_services.csv", "N6-eet", COUNTY, "2003/04", (99.9505, 8083, 8087))
    change(returns / "police.csv", "L4-repeat", COUNTY, "2004-05 Q2", (0.0432, 3, 6947))
    change(returns / "youth_offending.csv", "L5", COUNTY, "2004-05 Q1", (99.9747, 7917, 7919))
    school = "Upper school D (illustrative)"
    change(returns / "schools.csv", "N2", school, "2003/04", (85.7143, 6, 7))
    lines = (returns / "police.csv").read_text().splitlines()
    lines = [
        line.replace(",1311.0,", ",61843.0,").replace(",1318.0,", ",61845.0,")
        if line.startswith("L4-incidents,Leicestershire,2004-05 Q2")
        else line
        for line in lines
    ]
    lines.append("L4-incidents,Leicestershire,2000-01 Q4,9127 victims,,,final,2001-05-01,yes")
    (returns / "police.csv").write_text("\n".join(lines) + "\n")
    districts = [
        f"L4-incidents,{area},2004-05 Q3,{count},,,final,2005-02-01,yes"
        for area, count in DISTRICTS.items()
    ]
    (returns / "incidents_districts.csv").write_text("\n".join([lines[0], *districts]) + "\n")
    shutil.copy(returns / "police_districts.csv.toml", returns / "incidents_districts.csv.toml")
    for path in returns.glob("*.csv"):
        # The data log knows each file by its checksum.
        beside = path.with_name(f"{path.name}.toml")
        text = re.sub(r'checksum = ".*"', f'checksum = "{checksum(path)}"', beside.read_text())
        beside.write_text(text)
    return folder


def change(path: Path, measure: str, area: str, period: str, cells: tuple[float, int, int]) -> None:
    """Put another value, numerator and denominator into a return."""
    start = f"{measure},{area},{period},"
    value, numerator, denominator = cells
    pattern = rf"^{re.escape(start)}[^,]*,[^,]*,[^,]*"
    other = f"{start}{value},{numerator},{denominator}"
    text, times = re.subn(pattern, other, path.read_text(), flags=re.MULTILINE)
    assert times
    path.write_text(text)


@pytest.fixture(scope="module")
def both(risky: Path) -> tuple[Report, Report]:
    """The internal and the public report of the folder."""
    agreement = load_agreement(risky)
    inside = make_report(agreement, *load_observations(agreement), quarter("2004-05 Q3"))
    return inside, hide(inside)


@pytest.fixture(scope="module")
def pack(risky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its public pack, as the command makes it."""
    return public_pack(risky, ROOT / "notebooks", tmp_path_factory.mktemp("public"))


def public_pack(data: Path, notebooks: Path, outputs: Path) -> Path:
    folders = ["--data", str(data), "--notebooks", str(notebooks), "--outputs", str(outputs)]
    psa_run("2004-05 Q3", "--audience", "public", *folders)
    return outputs / "2004-05-Q3-public"


def forms(secret: float | str) -> list[str]:
    """Every way in which a number may be written."""
    if isinstance(secret, str):
        return [secret]
    if isinstance(secret, int):
        return [str(secret), f"{secret:,}"]
    return [f"{secret:.4f}".rstrip("0")]


def unpacked(folder: Path) -> Iterator[tuple[str, str]]:
    """All that a pack says, unpacked and decoded: each file, and each part of a workbook."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            yield path.name, table.to_csv() + table.to_json()
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                for name in book.namelist():
                    yield f"{path.name}/{name}", book.read(name).decode()
        else:
            text = path.read_text(encoding="utf-8")
            yield path.name, text
            # Pictures in pages, as addresses that hold them.
            yield f"{path.name}, addresses decoded", unquote(text)
            for found in re.findall(r"base64,([A-Za-z0-9+/=]{40,})", text):
                yield f"{path.name}, base64", base64.b64decode(found).decode("utf-8", "ignore")


@lru_cache(maxsize=1)
def texts(folder: Path) -> list[tuple[str, str]]:
    """The same, unpacked once however many secrets are sought in it."""
    return list(unpacked(folder))


def places_of(secret: float | str, folder: Path) -> list[str]:
    """Where in a pack a secret stands."""
    places = []
    for form in forms(secret):
        pattern = re.compile(rf"(?<![\w.,]){re.escape(form)}(?!\w|,\d)")
        places += [
            f"{name}: {form}"
            for name, text in texts(folder)
            if form in text and pattern.search(text)
        ]
    return places


@pytest.mark.parametrize("kind", SECRET)
def test_no_file_of_a_public_pack_says_a_small_number(pack: Path, kind: str) -> None:
    assert [place for secret in SECRET[kind] for place in places_of(secret, pack)] == []


def test_the_search_would_find_what_is_shown(pack: Path) -> None:
    # The newest version of the figure whose revision is small is in the workbook and on pages.
    places = places_of(61845, pack)
    assert any(place.startswith("2004-05-Q3.xlsx") for place in places)
    assert any(".html" in place for place in places)


def test_a_public_pack_names_no_folder_of_ours(pack: Path, risky: Path) -> None:
    names = [name for name, text in texts(pack) if str(risky) in text or str(risky.parent) in text]
    assert names == []
    manifest = (pack / "manifest.json").read_text()
    # A checksum would tell whoever tries numbers when they have found the right one.
    assert "social_services" not in manifest
    assert "register/measures.csv" in manifest
    sheet = sheet_of(pack, "data log")
    assert sheet.loc[sheet["title"].str.startswith("Illustrative"), "checksum"].isna().all()


def sheet_of(folder: Path, sheet: str) -> pd.DataFrame:
    return pd.read_excel(next(folder.glob("*.xlsx")), sheet, engine="calamine")


def published(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The observations and readings of the workbook, as an attacker reads them."""
    return sheet_of(folder, "observations"), sheet_of(folder, "readings")


def window(period: str) -> list[str]:
    """The four quarters up to one."""
    year, number = int(period[:4]), int(period[-1])
    steps = [year * 4 + number - 1 - back for back in range(4)]
    return [f"{step // 4}-{(step // 4 + 1) % 100:02d} Q{step % 4 + 1}" for step in steps]


def attack(folder: Path, measure: str, what: str) -> dict[tuple[str, str], tuple[float, float]]:
    """The least and the most that each unpublished count can be, from the workbook alone.

    Quarters that add up to rolling years, districts that add up to the county, and counts that
    are none below 0: written without the library.
    """
    seen, readings = (table[table["measure"] == measure] for table in published(folder))
    keys = list(zip(seen["area"], seen["period"], strict=True))
    keys += [(area, label) for area, last in keys for label in window(last) if "Q" in last]
    place = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    known = [(row.area, row.period) for row in seen.itertuples() if pd.notna(getattr(row, what))]
    rows, totals = [], []

    def add(terms: dict[tuple[str, str], float], total: float) -> None:
        row = np.zeros(len(place))
        for key, sign in terms.items():
            row[place[key]] = sign
        rows.append(row)
        totals.append(total)

    for key, value in zip(keys, seen[what], strict=False):
        if pd.notna(value):
            add({key: 1.0}, float(value))
    column = "reading" if what == "value" else what
    for row in readings.itertuples():
        if "Q" in str(row.period) and pd.notna(row.reading):
            terms = {(row.area, label): 1.0 for label in window(row.period)}
            add(terms, float(getattr(row, column)))
    for period in seen["period"].unique():
        parts = [key for key in place if key[1] == period and key[0] != COUNTY]
        if parts and (COUNTY, period) in place:
            add(dict.fromkeys(parts, 1.0) | {(COUNTY, period): -1.0}, 0.0)
    limits = {}
    for key, number in place.items():
        if key in known or key not in keys[: len(seen)]:
            continue
        aim = np.zeros(len(place))
        ends = []
        for sign in (1, -1):
            aim[number] = sign
            solved = linprog(aim, A_eq=np.array(rows), b_eq=np.array(totals), method="highs")
            assert solved.status in (0, 3), solved.message
            ends.append(sign * solved.fun if solved.status == 0 else -sign * np.inf)
        limits[key] = ends[0], ends[1]
    return limits


def test_no_small_count_can_be_worked_out_from_the_workbook(pack: Path) -> None:
    districts = attack(pack, "L4-incidents", "value")
    # 3 and 2 alone would be known to be 5 together: each 0 to 5, so far enough apart.
    assert {("Melton", "2004-05 Q3"), ("Oadby and Wigston", "2004-05 Q3")} <= set(districts)
    repeat = {what: attack(pack, "L4-repeat", what) for what in ("numerator", "denominator")}
    for limits in (districts, *repeat.values()):
        assert limits
        assert all(high - low >= 5 - 1e-6 for low, high in limits.values()), limits
    assert (COUNTY, "2004-05 Q2") in repeat["numerator"]


def test_one_small_district_takes_another_with_it(both: tuple[Report, Report]) -> None:
    # With Melton's 3 alone hidden, the county's 996 less the others would tell it.
    inside, _ = both
    known = inside.observations.copy()
    incidents = known["measure"] == "L4-incidents"
    known.loc[incidents & (known["area"] == "Oadby and Wigston"), "value"] = 122.0
    known.loc[incidents & (known["area"] == "Blaby"), "value"] = 181.0
    held = withheld(known, inside.agreement, inside.cut_off)
    held = held[(held["measure"] == "L4-incidents") & (held["area"] != COUNTY)]
    reasons = held.set_index("area")["reason"].to_dict()
    assert reasons == {"Melton": "small", "Oadby and Wigston": "would give away another"}


def test_a_school_takes_the_smallest_other_school_with_it(both: tuple[Report, Report]) -> None:
    held = both[1].withheld.query("measure == 'N2' and reason != 'earlier version'")
    # C is the smallest by those who did not or did reach it: 212 of H.
    assert set(held["area"]) == {"Upper school D (illustrative)", "Upper school K (illustrative)"}
    assert set(held["period"]) == {"2003/04"}


@pytest.mark.parametrize(
    ("measure", "period", "numerator"),
    [("N6-eet", "2003/04", 8083), ("L4-repeat", "2004-05 Q2", 3), ("L5", "2004-05 Q1", 7917)],
)
def test_the_internal_report_still_holds_all(
    both: tuple[Report, Report], measure: str, period: str, numerator: int
) -> None:
    for report, expected in zip(both, ([numerator], []), strict=True):
        rows = report.observations.query("measure == @measure and period == @period")
        rows = rows[rows["area"] == COUNTY]
        assert len(rows) == 1
        assert rows["numerator"].dropna().tolist() == expected
    assert both[0].withheld.empty


def test_states_are_the_same_for_both_audiences(both: tuple[Report, Report], pack: Path) -> None:
    inside, public = both
    columns = ["measure", "state", "is_forecast"]
    pd.testing.assert_frame_equal(inside.assessment[columns], public.assessment[columns])
    table = pd.read_csv(pack / "assessment.csv")
    assert table["state"].tolist() == inside.assessment["state"].tolist()
    columns = ["commitment", "state", "reason", "evidence"]
    pd.testing.assert_frame_equal(inside.commitments[columns], public.commitments[columns])


def test_commitments_of_few_people_or_of_hidden_figures_are_masked(
    both: tuple[Report, Report],
) -> None:
    table = both[0].commitments
    few = table["unit"].eq("more people")
    assert few.any()
    table = table.assign(value=table["value"].mask(few, 3))
    hidden = masked_commitments(table, table, 5)
    assert (hidden["reason"] == NOT_SHOWN).equals(few)
    other = table["commitment"] == "MW1"
    changed = table.assign(reason=table["reason"].mask(other, "otherwise"))
    hidden = masked_commitments(table, changed, 5)
    assert (hidden["reason"] == NOT_SHOWN).equals(few | other)
    assert hidden.loc[few | other, "value"].isna().all()


def test_what_rests_on_a_small_number_is_not_shown(both: tuple[Report, Report]) -> None:
    _, public = both
    before, now = (report.assessment.set_index("measure") for report in both)
    assert pd.notna(before.at["N6-eet", "latest"])
    for column in ("latest", "gap", "progress", "required", "forecast", "low_80", "expected_share"):
        assert pd.isna(now.at["N6-eet", column]), column
    # A rolling year holds the quarter that is held back.
    repeat = public.readings[public.readings["measure"] == "L4-repeat"].set_index("period")
    assert repeat.loc[["2004-05 Q2", "2004-05 Q3"], "reading"].isna().all()
    assert repeat.loc["2004-05 Q1", "reading"] > 0
    assert public.outlooks["L4-repeat"].reason
    # Others are as they were.
    for measure in ("N26-county", "N7-treatment", "L7"):
        pd.testing.assert_series_equal(before.loc[measure], now.loc[measure])
    assert np.array_equal(*[report.outlooks["N26-county"].draws for report in both])


def test_a_chart_of_a_target_alone_is_of_one_level_and_one_year(
    both: tuple[Report, Report],
) -> None:
    drawn = re.findall(r">([^<>]+)</text>", psa.trajectory_chart(both[1], "N7-gps").svg)
    assert "Readings not shown: small numbers" in drawn
    assert [text for text in drawn if re.fullmatch(r"[\d.,]+", text)].count("6") == 1
    assert not [text for text in drawn if re.fullmatch(r"\d\.\d", text)]
    panels = "\n".join(re.findall(r">([^<>]+)</text>", psa.small_multiples(both[1]).svg))
    assert "not shown, target 6" in panels
    assert "2006\n2006" not in panels


def test_chances_that_rest_on_small_numbers_are_in_tenths(both: tuple[Report, Report]) -> None:
    before, now = (report.assessment.set_index("measure") for report in both)
    states = both[0].agreement.settings.states
    for measure in ("L4-repeat", "N7-gps"):
        chance, shown = before.at[measure, "chance_target"], now.at[measure, "chance_target"]
        assert round(shown * 20, 9) == int(round(shown * 20, 9))
        assert abs(chance - shown) <= 0.11
        for edge in (states.at_risk, states.on_track):
            assert (chance >= edge) == (shown >= edge)
        assert f"{chance:.0%}" not in now.at[measure, "reason"] or chance == shown


def test_pages_say_what_is_not_shown(both: tuple[Report, Report]) -> None:
    _, public = both
    cells = public.withheld[public.withheld["reason"] != "earlier version"]
    number = len(cells.drop_duplicates(["measure", "area", "period"]))
    assert f"{number} returned figures are held back" in psa.banner(public).text
    assert "[c]" in psa.overview_table(public).text
    assert "for 2004-05 Q3, is not shown" in psa.measure_words(public, "L4-repeat").text
    rows = psa.readings_table(public, "L4-repeat").text.splitlines()
    assert "[c]" in next(row for row in rows if row.startswith("2004-05 Q2"))
    assert "2 gaps where numbers are small" in psa.trajectory_chart(public, "L4-repeat").alt
    assert "since numbers are small" in psa.trajectory_chart(public, "N7-gps").alt
    assert "[c]" in psa.key(public).text
    assert "[c]" not in psa.key(both[0]).text


def test_the_report_before_shows_no_more(both: tuple[Report, Report]) -> None:
    full, shown = (report.before for report in both)
    assert full is not None
    assert shown is not None
    assert shown.audience == "public"
    assert shown.assessment["state"].tolist() == full.assessment["state"].tolist()
    # The first version of a figure that was revised by 2 was all that was known then.
    rows = shown.observations.query("measure == 'L4-incidents' and period == '2004-05 Q2'")
    assert len(rows)
    assert rows["value"].isna().all()


def test_the_report_before_the_last_has_its_states_where_no_forecast_is_left(
    report_of: Callable[[str], Report],
) -> None:
    full = report_of("2006-07 Q2").assessment
    shown = hide(report_of("2006-07 Q3")).before
    assert shown is not None
    assert shown.assessment["state"].tolist() == full["state"].tolist()
    assert shown.assessment["forecast"].notna().sum() <= full["forecast"].notna().sum()


def test_cells_of_returns_are_for_internal_reports(both: tuple[Report, Report]) -> None:
    with pytest.raises(ParameterError, match="for internal reports"):
        psa.cells_used(both[1], "L4-repeat")


def test_a_decided_reward_that_would_tell_its_outturn_is_not_shown(
    both: tuple[Report, Report],
) -> None:
    inside, _ = both
    after_the_end = quarter("2006-07 Q3")
    findings = list(inside.findings)
    public = make_report(inside.agreement, inside.observations, findings, after_the_end, "public")
    table = grants(public).set_index("measure")
    rows = public.assessment.set_index("measure")
    hidden = rows.index[(rows["latest_flag"] == "withheld") & (rows["role"] == "target")]
    assert len(hidden)
    assert table.loc[hidden, ["outturn", "proportion", "least", "most"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("value", "numerator", "denominator", "expected"),
    [
        (50.0, 4, 8, True),  # 4 of them
        (50.0, 5, 10, False),
        (80.0, 16, 20, True),  # all but 4
        (75.0, 15, 20, False),
        (55.0, 5, 9, True),  # of 9
        (0.0, 0, 20, True),  # none
        (0.0, np.nan, np.nan, True),
        (100.0, np.nan, np.nan, True),
        (3.0, np.nan, np.nan, False),  # a rate of which nobody can say of how many
    ],
)
def test_rates_that_are_small(
    report: Report, value: float, numerator: float, denominator: float, expected: bool
) -> None:
    rows = report.observations[report.observations["measure"] == "L5"].head(1)
    rows = rows.assign(value=value, numerator=numerator, denominator=denominator)
    assert small(report.agreement, rows).tolist() == [expected]


@pytest.mark.parametrize(("value", "expected"), [(0, True), (4, True), (5, False), (1000, False)])
def test_counts_that_are_small(report: Report, value: float, expected: bool) -> None:
    rows = report.observations[report.observations["measure"] == "L4-incidents"].head(1)
    assert small(report.agreement, rows.assign(value=float(value))).tolist() == [expected]
    # Tonnes of waste are no people, and what others have published is public.
    waste = report.observations[report.observations["measure"] == "L7"].head(1)
    assert not small(report.agreement, waste.assign(value=0.0, numerator=0.0)).any()
    theirs = rows.assign(value=float(value), file="raw/published/road_casualties.csv")
    assert not small(report.agreement, theirs).any()


def test_a_range_worked_by_hand() -> None:
    # 20 in all, 12 shown: the two hidden ones are 0 to 8.
    relations = np.array([[1.0, 1, 1, -1]])
    values = np.array([3.0, 5, 12, 20])
    low, high = feasible(relations, values, np.array([True, True, False, False]))
    assert low.tolist() == [0, 0, 12, 20]
    assert high.tolist() == [8, 8, 12, 20]
    low, high = feasible(relations, values, np.array([True, False, False, False]))
    assert low[0] == high[0] == 3
    # With the whole hidden too nothing bounds it.
    assert feasible(relations, values, np.array([True, False, False, True]))[1][0] == np.inf


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
    hidden = complement(relations, values[:, None], primary, np.zeros(len(values), bool), 5)
    assert (hidden >= primary).all()
    if not primary.any():
        assert not hidden.any()
    # Independently: every cell a variable, those shown held at what they are.
    bounds = [(0, None) if h else (v, v) for v, h in zip(values, hidden, strict=True)]
    for place in np.flatnonzero(hidden):
        ends = []
        for sign in (1, -1):
            aim = np.zeros(len(values))
            aim[place] = sign
            solved = linprog(aim, A_eq=relations, b_eq=np.zeros(len(relations)), bounds=bounds)
            ends.append(sign * solved.fun if solved.status == 0 else -sign * np.inf)
        assert ends[1] - ends[0] >= 5 - 1e-6


def test_without_a_threshold_all_is_shown(report: Report) -> None:
    settings = report.agreement.settings
    off = settings.disclosure.model_copy(update={"threshold": 0, "smallest_denominator": 0})
    agreement = load_agreement(ROOT / "data")
    object.__setattr__(agreement, "settings", settings.model_copy(update={"disclosure": off}))
    assert withheld(report.observations, agreement, report.cut_off).empty


def test_protecting_twice_changes_nothing(both: tuple[Report, Report]) -> None:
    _, public = both
    again = hide(public)
    figures = ["measure", "area", "period", "reading", "observed", "numerator", "denominator"]
    pd.testing.assert_frame_equal(again.readings[figures], public.readings[figures])
    figures = ["latest", "forecast", "chance_target"]
    pd.testing.assert_frame_equal(again.assessment[figures], public.assessment[figures])


def test_a_public_pack_is_the_same_every_time(risky: Path, tmp_path: Path) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    shutil.copy(ROOT / "notebooks" / "06_data_quality.ipynb", notebooks)
    first, second = (public_pack(risky, notebooks, tmp_path / name) for name in "ab")
    names = {path.name for path in first.iterdir()}
    assert names == {path.name for path in second.iterdir()}
    for name in names - {"manifest.json"}:  # which says when it was made
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_an_error_in_a_public_notebook_quotes_nothing(risky: Path, tmp_path: Path) -> None:
    cells = [
        nbformat.v4.new_markdown_cell("# A page"),
        nbformat.v4.new_code_cell(
            'period = data = audience = ""', metadata={"tags": ["parameters"]}
        ),
        nbformat.v4.new_code_cell("raise ValueError(f'8087 children in {data}')"),
    ]
    (tmp_path / "notebooks").mkdir()
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, tmp_path / "notebooks" / "00_a.ipynb")
    folder = public_pack(risky, tmp_path / "notebooks", tmp_path / "out")
    assert json.loads((folder / "manifest.json").read_text())["pages"][0]["status"] == "failed"
    shown = [(name, text) for name, text in texts(folder) if "8087 children in /" in text]
    assert shown == []
    assert "the internal pack says why" in (folder / "index.html").read_text()
