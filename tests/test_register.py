"""The register: whole, true to the documents, and refused when it contradicts itself."""

import re
from datetime import date
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from builders import EXPECTED, Edit, psa

from psa_analysis.findings import DataError
from psa_analysis.register.agreement import Agreement, Comparator, observed_units, parse_comparator
from psa_analysis.register.loading import load_agreement
from psa_analysis.register.rows import parse_figure

BID = ["N2", "L1", "N6", "L3", "L2", "N14", "N13", "L4", "L5", "N26", "N7", "N9", "L7", "L8", "N10"]


def test_every_reference_of_the_bid_in_its_order(agreement: Agreement) -> None:
    assert list(agreement.targets.index) == BID
    assert set(agreement.measures["reference"]) == set(BID)


def test_links_are_those_that_the_bid_states(agreement: Agreement) -> None:
    links = agreement.links[["reference", "linked_to"]]
    pairs = [("N6", "L3"), ("N6", "L5"), ("L2", "N14"), ("N13", "L5"), ("N13", "N26")]
    pairs += [("L4", "looked-after children"), ("N7", "crime-related activity")]
    stated = {frozenset(pair) for pair in links.itertuples(index=False)}
    assert stated == {frozenset(pair) for pair in pairs}


FIGURES = ("baseline", "target", "without")
#: The figures of both documents, transcribed for this test and not from the register.
DOCUMENT_FIGURES = pd.read_csv(EXPECTED / "document_figures.csv", dtype=str).to_numpy().tolist()


def cell(folder: Path, file: str, key: str, column: str) -> str:
    table = pd.read_csv(folder / f"{file}.csv", dtype=str, keep_default_na=False)
    keys = table["reference"] + ", " + table["fact"] if file == "facts" else table.iloc[:, 0]
    [found] = table.loc[keys == key, column]
    return found


@pytest.mark.parametrize("figure", DOCUMENT_FIGURES, ids="-".join)
def test_every_figure_of_the_documents_is_in_the_register(
    agreement: Agreement, figure: list[str]
) -> None:
    document, _, printed, file, key, column = figure
    register = agreement.folder / "raw" / "register"
    found = cell(register, file, key, column)
    if column in ("promise", "title", "unit"):
        assert printed.lower() in found.lower()
    elif re.fullmatch(r"-?[\d.]+", printed) and column not in ("due", "period", "baseline_period"):
        assert parse_figure(found) == float(printed)
    else:
        assert found == printed
    assert cell(register, file, key, "document") == document


def test_the_register_holds_no_figure_that_no_document_has(agreement: Agreement) -> None:
    """Counted the other way: each stated number and date of the register is transcribed."""
    listed = {(file, key, column) for _, _, _, file, key, column in DOCUMENT_FIGURES}
    # 140 figures and dates, and 19 that stand in a name: a row lost here would test nothing.
    assert len(DOCUMENT_FIGURES) == 159
    measures, commitments, facts = agreement.measures, agreement.commitments, agreement.facts
    columns = [
        *(("measures", name, measures[f"{name}_status"] == "stated") for name in FIGURES),
        *(("commitments", name, commitments[name].notna()) for name in FIGURES[:2]),
        ("measures", "due", measures["due"] != "not stated"),
        ("commitments", "due", commitments["due"] != "not stated"),
    ]
    tables = {"measures": measures, "commitments": commitments}
    stated = {(file, key, name) for file, name, has in columns for key in tables[file].index[has]}
    facts = facts[facts["document"] != "published"]
    stated |= {("facts", f"{row.reference}, {row.fact}", "value") for row in facts.itertuples()}
    assumed = agreement.assumptions[agreement.assumptions["column"] == "due"]["item"]
    dates = {(file, key, "due") for file in tables for key in assumed}
    assert stated - listed - dates == set()


def test_derived_and_assumed_figures_say_so_and_blanks_stay_blank(agreement: Agreement) -> None:
    measures = agreement.measures
    figures = {
        ("N26-all", "base", "derived"): Fraction(277) / Fraction("0.72"),
        ("N26-county", "baseline", "derived"): Fraction(235) / Fraction("0.72"),
        ("N26-trunk", "baseline", "derived"): Fraction(42) / Fraction("0.72"),
        ("L7", "baseline", "derived"): Fraction(35) / Fraction("1.52"),
        ("L7", "without", "assumed"): 33,
        ("N10", "without", "assumed"): 106,
    }
    for (measure, column, status), value in figures.items():
        assert measures.at[measure, column] == float(value)
        assert measures.at[measure, f"{column}_status"] == status
    assert measures["without"].count() == 2
    assert sum(measures.loc[["N26-county", "N26-trunk"], "target"]) == 277
    blank = ["N6-ratio", "L3", "N14-gap", "N7-sustained", "N9", "L8"]
    assert set(measures.loc[blank, "target_status"]) == {"not stated"}
    assert agreement.settings.grant.net_budget_requirement == "not stated"


# Each breaks one thing: file, key, column, new cell, what the finding must say.
BROKEN = [
    ("measures.csv", "N2", "reference", "N3", "expected one of"),
    ("measures.csv", "N2", "target", "50", "better than the baseline 53.2"),
    ("measures.csv", "L4-repeat", "target", "12.6", "better than the baseline"),
    ("measures.csv", "L7", "without", "35", "short of the target 35"),
    ("measures.csv", "N2", "baseline_period", "2001-02 Q4", "an exam year"),
    ("measures.csv", "N2", "reference", "N10", "the reference that its name begins with"),
    ("measures.csv", "N2", "unit", "%", "percent"),
    ("measures.csv", "N2", "target", "1e5", "a number such as 53.2"),
    ("measures.csv", "N26-all", "base", "0", "more than 0"),
    ("measures.csv", "N26-all", "base", "not stated", "a stated base"),
    ("areas.csv", "Blaby", "part_of", "Blaby", "another area"),
    ("measures.csv", "N2", "due", "not stated", "a period, since there is a target"),
    ("measures.csv", "N2", "due", "sumer 2005", "a period such as"),
    ("measures.csv", "N2", "baseline", "235 / 0", "a number such as 53.2"),
    ("measures.csv", "N2", "target", "163", "0 to 100"),
    ("measures.csv", "N13", "profile", "constant rate", "one of '', 'linear'"),
    ("measures.csv", "N2", "polarity", "up", "one of 'higher', 'lower'"),
    ("measures.csv", "N2", "basis", "rolling", "one of 'point'"),
    ("measures.csv", "N13", "base", "", "'not stated'"),
    ("measures.csv", "N2", "weight", "-1", "a number above 0"),
    ("measures.csv", "L1-english", "measure", "n2", "each only once"),
    ("measures.csv", "N2", "title", "", "some text"),
    ("measures.csv", "N2", "continues", "N22", "Did you mean"),
    ("measures.csv", "N2", "made_of", "people", "one of 'cases', 'amounts', 'headcount', ''"),
    ("measures.csv", "N2", "made_of", "headcount", "figures in percent are no headcount"),
    ("measures.csv", "N2", "continues", "N2", "an older measure"),
    ("measures.csv", "N2-age15", "continues", "N2-ks4", "an older measure"),
    ("measures.csv", "N2-ks4", "continues", "N13", "a measure of the same unit"),
    ("measures.csv", "N2-ks4", "continues", "N2-without-age15", "a measure of the same"),
    ("measures.csv", "N2", "continues", "N2-age15", "a measure that no other row continues"),
    ("measures.csv", "N6-ratio", "comparator", "N6-etc", "Did you mean 'N6-eet'"),
    ("measures.csv", "N6-ratio", "comparator", "N6-ratio", "another measure"),
    ("measures.csv", "N6-ratio", "comparator", "", "a measure or an area to compare with"),
    ("measures.csv", "N6-ratio", "comparator", "L5", "another measure, annual"),
    ("measures.csv", "N6-ratio", "comparator", "N14-gap", "itself compared with nothing"),
    ("measures.csv", "N6-ratio", "comparator", "area: Englnd", "Did you mean 'England'?"),
    ("measures.csv", "N6-ratio", "comparator", "area: Leicestershire", "expected one of"),
    ("measures.csv", "N6-ratio", "comparator", "region: London", "a measure, 'area: NAME'"),
    ("measures.csv", "N6-ratio", "comparator", "family: authority", "highest first"),
    ("measures.csv", "N6-ratio", "comparator", "family: region; lowest first", "a measure or an"),
    ("measures.csv", "N6-ratio", "unit", "young people", "percent, since a ratio"),
    ("measures.csv", "N14-gap", "comparator", "N10", "compared with nothing, in percent"),
    ("measures.csv", "N2", "comparator", "not stated", "nothing, since the basis point"),
    ("measures.csv", "N2", "measure", "N2; L1", "a reference such as N2 or CP-1.2"),
    ("measures.csv", "N2", "due", "summer 2002", "a period after the baseline's, 2001/02"),
    ("measures.csv", "N13", "due", "summer 2006", "a quarter or a financial year"),
    ("measures.csv", "N2", "target", "999999999999999 * 99", "no division by 0, a result below"),
    ("measures.csv", "N2", "target", "63 ** 1", "arithmetic such as (21.45 - 0.6*19.85) / 0.4"),
    ("measures.csv", "N2", "target", "(" * 99 + "63", "at most 100 characters"),
    ("measures.csv", "N2", "target", "max(63)", "arithmetic such as"),
    ("measures.csv", "N2", "polarity", "not stated", "'higher' or 'lower', since a figure is"),
    ("commitments.csv", "WP3b", "target", "4000", "better than the baseline 4420"),
    ("commitments.csv", "WP3b", "target", "", "a target, unit and polarity for a level"),
    ("commitments.csv", "TR1b", "due_date", "1999-01-01", "a day that fits '2006'"),
    ("commitments.csv", "WP1a", "due_date", "", "a day exactly if"),
    ("commitments.csv", "TR1b", "baseline_period", "some years ago", "a period such as"),
    ("commitments.csv", "ED1a", "measure", "N22", "Did you mean 'N2'?"),
    ("commitments.csv", "WP1a", "measure", "N2", "nothing, since a milestone has no readings"),
    ("commitments.csv", "WP3b", "measure", "N2", "a measure in visits per 1,000 population"),
    ("commitments.csv", "ED1a", "measure", "L4-repeat", "a measure of which higher is better"),
    ("baskets.csv", "Melton", "indicator", "N10-planing", "Did you mean 'N10-planning'?"),
    ("baskets.csv", "Melton", "weight", "0", "a number above 0"),
    ("baskets.csv", "Melton", "change", "", "one of 'relative', 'points'"),
    ("baskets.csv", "Melton", "indicator", "N26-stats19", "in quarters, financial years or exam"),
    ("baskets.csv", "Leicestershire", "change", "points", "relative, since points are of percent"),
    ("links.csv", "N6", "linked_to", "L33", "expected one of"),
    ("links.csv", "L2", "linked_to", "L2", "another target"),
    ("targets.csv", "N2", "theme", "prosperty", "Did you mean 'prosperity'?"),
    ("targets.csv", "N2", "document", "bidd", "Did you mean 'bid'?"),
    ("commitments.csv", "ED1a", "kind", "levels", "one of 'level'"),
    ("commitments.csv", "WP1a", "due_date", "July 2003", "a date such as 2004-03-31"),
    ("assumptions.csv", "N2", "column", "baseline_perod", "Did you mean 'baseline_period'?"),
    ("assumptions.csv", "N2", "column", "without", "a column that holds something for N2"),
    ("areas.csv", "Blaby", "part_of", "Leicestershir", "Did you mean 'Leicestershire'?"),
    ("measures.csv", "N2", "profile", "straight", "one of '', 'linear'"),
    ("measures.csv", "N2", "profile", "steps", "at least one row in trajectories.csv"),
    ("measures.csv", "N13", "profile", "seasonal", "seasonal only for months, quarters or terms"),
    ("measures.csv", "N7-treatment", "profile", "seasonal", "the same time of the year"),
    ("measures.csv", "L5", "profile", "linear", "a path needs a baseline and a target"),
    ("trajectories.csv", "L4-incidents", "measure", "L4-incident", "Did you mean 'L4-incidents'?"),
    ("trajectories.csv", "L4-incidents", "measure", "N13", "a measure whose profile is steps or"),
    ("trajectories.csv", "L4-incidents", "period", "summer 2004", "a quarter or a financial year"),
    ("trajectories.csv", "L4-incidents", "period", "2002/03", "between the baseline's, 2002/03"),
    ("trajectories.csv", "L4-incidents", "period", "2005/06", "and the due one, 2005/06"),
    ("trajectories.csv", "L4-incidents", "period", "not stated", "a period such as"),
    ("trajectories.csv", "L4-incidents", "value", "8588 / 2", "a number such as 53.2"),
    ("trajectories.csv", "L4-incidents", "document", "stratgy", "Did you mean 'strategy'?"),
    ("trajectories.csv", "L4-incidents", "location", "", "some text"),
    ("trajectories.csv", "L4-repeat", "value", "112", "0 to 100 for a percentage"),
    ("measures.csv", "N7-sustained", "comparator", "", "a family to compare with"),
    ("measures.csv", "N7-sustained", "comparator", "area: England", "a family to compare with"),
    ("measures.csv", "N7-sustained", "comparator", "family: county; highest first", "a kind of"),
    ("measures.csv", "N7-sustained", "comparator", "family: authorty; highest first", "Did you m"),
    ("measures.csv", "N7-sustained", "polarity", "higher", "lower, since place 1 is the best"),
]
#: The last of them break a measure that is a place in a family.
RANK = {"basis": "rank", "polarity": "lower", "unit": "place"}
RANK |= {"comparator": "family: authority; highest first"}


def test_arithmetic_is_worked_out_exactly_and_kept(council: Path, edit: Edit) -> None:
    cells = {"235 / 0.72": 235 / 0.72, "-(3 - 5) * 2.5": 5, "(21.45 - 0.6*19.85) / 0.4": 23.85}
    assert {text: parse_figure(text) for text in cells} == cells
    edit("register/measures.csv", "N2", "target", "(126 - 0) / 2")
    agreement = load_agreement(council)
    assert agreement.measures.loc["N2", ["target", "target_status"]].tolist() == [63, "derived"]
    kept = agreement.assumptions.query("item == 'N2' and column == 'target'")
    assert kept[["status", "reason"]].to_numpy().tolist() == [["derived", "(126 - 0) / 2"]]


def test_a_measure_of_which_nothing_is_stated_needs_no_polarity(council: Path, edit: Edit) -> None:
    edit("register/measures.csv", "L8", "polarity", "not stated")
    assert psa("check", "--data", str(council)).exit_code == 0
    late = "measure,area,period,value\nL8,Leicestershire,2003/04,5\n"
    (council / "raw" / "returns" / "late.csv").write_text(late)
    output = psa("check", "--data", str(council)).output
    place = "late.csv, row 2, column measure"
    assert f"{place}: found 'L8', expected a measure of which higher or lower" in output


def test_an_empty_list_says_so_and_where_to_add_to_it(council: Path, edit: Edit) -> None:
    settings = council / "raw" / "agreement.toml"
    settings.write_text(re.sub(r"\[(partners|objectives)\][^\[]*", "", settings.read_text()))
    output = psa("check", "--data", str(council)).output
    assert (
        "found 'education', expected a name of [partners], which has none. Add it first" in output
    )
    assert "expected a name of [objectives], which has none" in output
    assert not re.search(r"one of [ .,]", output)


def give_points(register: Path) -> None:
    """Points on the way for two measures, at one day by two names."""
    (register / "trajectories.csv").write_text(
        "measure,period,value,document,location\n"
        "L4-incidents,2003-04 Q4,4400,strategy,invented for this test\n"
        "L4-repeat,2003/04,12,strategy,invented for this test\n"
    )
    table = pd.read_csv(register / "measures.csv", dtype=str, keep_default_na=False)
    table.loc[table["measure"] == "L4-incidents", "profile"] = "given"
    table.loc[table["measure"] == "L4-repeat", "profile"] = "steps"
    table.to_csv(register / "measures.csv", index=False)


@pytest.mark.parametrize(("file", "key", "column", "value", "says"), BROKEN)
def test_a_broken_register_is_refused(
    council: Path, edit: Edit, file: str, key: str, column: str, value: str, says: str
) -> None:
    if file == "trajectories.csv":
        give_points(council / "raw" / "register")
    for name, text in (RANK if key == "N7-sustained" else {}).items():
        edit(f"register/{file}", key, name, text)
    row = edit(f"register/{file}", key, column, value)
    with pytest.raises(DataError) as caught:
        load_agreement(council)
    lines = [line for line in str(caught.value).splitlines() if f"/{file}, row {row}," in line]
    assert lines, caught.value
    assert lines[0].startswith(f"error: raw/register/{file}, row {row}, column {column}: ")
    assert says in lines[0]
    assert value[:40] in lines[0]
    # A remedy follows what was expected, and the measure.
    assert re.sub(r" \([^()]*\)$", "", lines[0]).endswith((".", "?"))


def test_points_on_the_way_stand_beside_their_measure(council: Path) -> None:
    register = council / "raw" / "register"
    assert load_agreement(council).trajectories.empty
    give_points(register)
    with (register / "trajectories.csv").open("a") as file:
        file.write("L4-incidents,2003-04 Q1,4290.5,strategy,invented for this test\n")
    points = load_agreement(council).measures["points"]
    # In order of time, whatever the order of the rows.
    assert points["L4-incidents"] == ((date(2003, 6, 30), 4290.5), (date(2004, 3, 31), 4400.0))
    assert points["L4-repeat"] == ((date(2004, 3, 31), 12.0),)
    assert points["N2"] == ()


def test_one_day_has_one_point_whatever_it_is_called(council: Path, edit: Edit) -> None:
    """2003/04 and its fourth quarter end together."""
    give_points(council / "raw" / "register")
    row = edit("register/trajectories.csv", "L4-repeat", "measure", "L4-incidents")
    output = psa("check", "--data", str(council)).output
    place = f"trajectories.csv, row {row}, column period: found '2003/04'"
    assert f"{place}, expected each only once. Row 2 has it already" in output


def test_comparators_that_can_be_compared_with_are_taken(council: Path, edit: Edit) -> None:
    edit("register/measures.csv", "N6-ratio", "comparator", "N13-rate")
    edit("register/measures.csv", "N14-gap", "comparator", "area: England")
    for column, text in (RANK | {"comparator": "family: region; lowest first"}).items():
        edit("register/measures.csv", "N7-sustained", column, text)
    measures = load_agreement(council).measures
    units = {
        "N6-ratio": "per 1,000 residents",
        "N14-gap": "percent",
        "N7-sustained": "figure to be ranked",
        "N13": "number counted",
        "N2": "percent",
    }
    assert observed_units(measures)[list(units)].to_dict() == units
    expected = Comparator("family", "region", highest_first=False)
    assert parse_comparator(measures.at["N7-sustained", "comparator"]) == expected


def test_a_broken_file_is_refused(council: Path) -> None:
    register = council / "raw" / "register"
    good = (register / "links.csv").read_bytes()
    settings = (council / "raw" / "agreement.toml").read_bytes()
    twice = (register / "baskets.csv").read_bytes().replace(b"n,N10-invoices", b"n,N10-planning")
    without = re.sub(rb"\[effectiveness\].*?\n\n", b"", settings, flags=re.DOTALL)
    for name, content, says in [
        ("register/links.csv", good.replace(b"d_to", b"dto"), "Did you mean 'linked_to'?"),
        ("register/links.csv", good.replace(b"N6,L3", b"N6,L3,L4"), "found '3 cells', expected 2"),
        ("register/links.csv", good.replace(b"N6,L3", b"N6"), "row 2: found '1 cells', expected 2"),
        ("register/links.csv", good.decode().encode("utf-16"), "expected text in UTF-8"),
        ("register/links.csv", b"", "a header and rows"),
        ("register/baskets.csv", twice, "each only once"),
        ("register/links.csv", good.replace(b"N6,L3", b"N6,\0\x1b[1A"), "found '\\x00\\x1b[1A'"),
        ("register/links.csv", good + b"N6," + b"x" * 200_000, "field larger than field limit"),
        ("register/links.csv", good + b"N6,L3\n" * 6_000, "expected at most 5,000 rows"),
        ("agreement.toml", settings + b"x = " + b"[" * 900 + b"]" * 900, "expected TOML in UTF-8"),
        ("agreement.toml", settings + b"\nx = " + b"9" * 5_000, "expected TOML in UTF-8"),
        ("agreement.toml", settings + b"\n[x]\ny = 0x" + b"9" * 9_000, "too long to print"),
        ("register/targets.csv", None, "expected the file to exist"),
        ("agreement.toml", None, "Name the folder that holds raw/agreement.toml"),
        ("agreement.toml", settings.replace(b"[calendar]", b"[calendar"), "expected TOML in UTF-8"),
        ("agreement.toml", without, "the section to be there, since there is a basket"),
    ]:
        path = council / "raw" / name
        kept = path.read_bytes()
        path.unlink() if content is None else path.write_bytes(content)
        result = psa("check", "--data", str(council))
        assert result.exit_code == 1
        assert f"raw/{name}" in result.output
        assert says in result.output
        path.write_bytes(kept)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cut_off_days = 45", "cut_off_days = -1", "column calendar.cut_off_days: found '-1'"),
        ("cut_off_days", "cutoff_days", "column calendar.cutoff_days"),
        ('area = "Leicestershire"', 'area = "Rutlan"', "Did you mean 'Rutland'?"),
        ('"2003/04"', '"not stated"', "column agreement.first_year: found 'not stated'"),
        ('last_year = "2005/06"', 'last_year = "2001/02"', "not to come before first_year"),
        ("\nat_risk = 0.25", "\nat_risk = 0.99", "at_risk to be no more than on_track"),
        ("path_at_risk = 0.6", "path_at_risk = 0.99", "path_at_risk to be no more than path_on"),
        ('["N6", "L3"]', '["N6", "L9"]', "column topics.looked-after children: found 'L9'"),
        ('index = "N10"', 'index = "L8"', "expected an annual measure with a baseline of 100"),
        ('= "United Kingdom"', '= "Untied Kingdom"', "Did you mean 'United Kingdom'?"),
        ('components = "net budget"', 'components = "head"', "expected 'net budget' or 'equal'"),
    ],
)
def test_broken_settings_are_refused(council: Path, old: str, new: str, says: str) -> None:
    path = council / "raw" / "agreement.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as caught:
        load_agreement(council)
    assert says in str(caught.value)
    assert "raw/agreement.toml" in str(caught.value)


def test_a_target_without_a_measure_is_refused(council: Path) -> None:
    path = council / "raw" / "register" / "measures.csv"
    path.write_text(path.read_text().replace("\nL8,", "\nN13-more,").replace(",L8,", ",N13,"))
    result = psa("check", "--data", str(council)).output
    assert "column reference: found 'L8', expected at least one row in measures.csv" in result
