"""The reward grant: every rule by worked cases, and its simulation against closed forms."""

import dataclasses
import itertools
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import psa
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.grant import paid, pot, pot_shares, pump_priming, simulate
from psa_analysis.analysis.outlook import Outlook
from psa_analysis.analysis.trajectory import exact
from psa_analysis.files import meanings
from psa_analysis.periods import parse_period
from psa_analysis.pipeline import open_report
from psa_analysis.register.loading import load_agreement
from psa_analysis.report import Report
from psa_analysis.show.comparison import changes_words
from psa_analysis.show.grant import gain_curve, gains, grant_words, grants, payments, reward
from psa_analysis.show.measures import explanation
from psa_analysis.show.overview import scorecard

TRIGGER = Fraction(3, 5)


# Rules 2 to 4: p, the trigger, the cap, in exact arithmetic


@pytest.mark.parametrize(
    ("without", "target", "outturn", "expected"),
    [
        # Higher is better: 33 to 35, so the trigger is 34.2.
        ("33", "35", "34.2", "0.6"),
        ("33", "35", "35", "1"),
        # Lower is better: 300 to 250, so the trigger is 270.
        ("300", "250", "262", "0.76"),
        ("300", "250", "240", "1"),
        ("300", "250", "310", "0"),
        # Each outturn is exactly 60 % of the way, and in plain floats some are less.
        ("0.1", "0.8", "0.52", "0.6"),
        ("106", "107.5", "106.9", "0.6"),
        ("0.33", "0.35", "0.342", "0.6"),
        # Changes from a baseline, below 0.
        ("-10", "-20", "-16", "0.6"),
    ],
)
def test_what_an_outturn_pays(without: str, target: str, outturn: str, expected: str) -> None:
    figures = [exact(float(figure)) for figure in (outturn, without, target)]
    assert paid(*figures, TRIGGER) == Fraction(expected)


@given(st.integers(-9999, 9999), st.integers(1, 9999), st.booleans(), st.integers(1, 1000))
def test_exactly_at_the_trigger_pays_in_either_polarity(
    tenths: int, stretch: int, lower: bool, scale: int
) -> None:
    without = Fraction(tenths, 10)
    way = Fraction(stretch, 10) * (-1 if lower else 1)
    outturn = without + TRIGGER * way
    figures = [exact(float(figure)) for figure in (outturn, without, without + way)]
    assert paid(*figures, TRIGGER) == TRIGGER
    short = without + (TRIGGER - Fraction(1, 1000 * scale)) * way
    assert paid(short, without, without + way, TRIGGER) == 0


# Rules 1 and 5: pot, shares, weights, pump priming, on account, instalments


def starter(folder: Path, settings: str = "", **columns: list[str]) -> Path:
    """The small agreement, with a setting and columns of its measures of one's own."""
    shutil.copytree(Path(__file__).parent / "small_agreement", folder / "raw")
    path = folder / "raw" / "agreement.toml"
    if settings:
        name = settings.partition(" ")[0]
        lines = [line for line in path.read_text().splitlines() if name not in line.split()[:2]]
        path.write_text("\n".join(lines).replace("[grant]", f"[grant]\n{settings}"))
    path = folder / "raw" / "register" / "measures.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False).assign(**columns)
    table.to_csv(path, index=False)
    return folder


def test_the_pot_and_its_shares(tmp_path: Path) -> None:
    agreement = load_agreement(starter(tmp_path / "other"))
    assert pot(agreement.settings) == 5_000_000  # 2.5 % of 200 million
    assert pump_priming(agreement.settings) == 750_000 + 600_000
    assert pot_shares(agreement) == {
        "A1": Fraction(1, 2),
        "A2-county": Fraction(3, 8),
        "A2-trunk": Fraction(1, 8),
    }


def test_another_councils_grant_from_a_folder_and_a_command(tmp_path: Path) -> None:
    """A1 0.5 x 60 %, A2-county 3/8 x 76 %, A2-trunk at 50 % nothing: £2,925,000 of £5,000,000."""
    folder = starter(tmp_path / "other")
    assert psa("check", "--data", str(folder)).exit_code == 0
    result = psa("grant", "2006-07 Q2", "--data", str(folder))
    assert result.exit_code == 0, result.output
    payment = "instalment {} of 2: £1,462,500"
    for text in ("£1,500,000", "£1,425,000", "£2,925,000", "illustrative"):
        assert text in result.output
    assert f"2006/07, {payment.format(1)}" in result.output
    assert f"2007/08, {payment.format(2)}" in result.output
    report = open_report("2006-07 Q2", str(folder))
    table = grants(report).set_index("measure")
    assert list(grants(report)) == list(meanings("grant"))
    assert table["status"].tolist() == ["final"] * 3
    assert table["proportion"].tolist() == [0.6, 0.76, 0.5]
    assert table["least"].tolist() == table["most"].tolist() == [0.6, 0.76, 0]
    assert table["pounds_most"].tolist() == [1_500_000, 1_425_000, 0]
    assert "The reward is 59% of the pot (£2,925,000)." in grant_words(report).text
    again = psa("new", str(folder))
    assert again.exit_code == 2
    assert "is not empty" in again.output


@pytest.mark.parametrize(
    ("interim", "outturn", "period", "shares"),
    [
        # 32.9 in 2004/05 was the interim level, so a fifth of A1's half is paid in the year after.
        ("32.9", "34.2", "2006-07 Q2", [0.1, 0.2425, 0.2425]),
        ("33", "34.2", "2006-07 Q2", [0.2925, 0.2925]),
        # Not final yet; what the instalments will be is another question.
        ("32.9", "34.2", "2004-05 Q3", None),
        # A1 earned nothing in the end, and nothing is given back: half of A2-county each year.
        ("32", "33.5", "2006-07 Q2", [0.1, 0.1425, 0.1425]),
    ],
)
def test_on_account_and_instalments(
    tmp_path: Path, interim: str, outturn: str, period: str, shares: list[float] | None
) -> None:
    cells = {"interim": [interim, "", ""], "interim_period": ["2004/05", "", ""]}
    folder = starter(tmp_path / "other", "capital_share = 0.5", **cells)
    path = folder / "raw" / "returns" / "outturns.csv"
    path.write_text(path.read_text().replace("2005/06,34.2,", f"2005/06,{outturn},"))
    table = payments(open_report(period, str(folder))).data
    on_account = table["what"] == "on account for A1"
    assert on_account.sum() == (shares is not None and len(shares) == 3)
    if shares is not None:
        assert table["year"].tolist() == ["2005/06", "2006/07", "2007/08"][-len(shares) :]
        assert table["least"].tolist() == table["most"].tolist() == pytest.approx(shares)
        pounds = pytest.approx([5_000_000 * share for share in shares])
        assert table["pounds_least"].tolist() == pounds
        assert (2 * table["capital_most"]).tolist() == pounds


# An agreement as it is printed


def printed(folder: Path, settings: str, *rows: str, columns: str = "without,target") -> Path:
    """An agreement of annual measures, a row each: name, what `columns` names, outturn."""
    measures = [f"measure,reference,title,unit,polarity,due,{columns}"]
    outturns, targets = ["measure,area,period,value,received,flag"], ["reference,theme,outcome"]
    for row in rows:
        name, figures, outturn = re.fullmatch(r"([^,]+),(.*),([^,]+)", row).groups()
        reference, (value, _, flag) = name.partition("-")[0], outturn.partition(" ")
        measures.append(f"{name},{reference},Title of {name},days,lower,2005/06,{figures}")
        outturns.append(f"{name},Example,2005/06,{value},2006-07-15,{flag}")
        targets.append(f"{reference},places,Less of it")
    starter(folder, f'net_budget_requirement = "not stated"\n{settings}')
    raw, targets = folder / "raw", [*dict.fromkeys(targets)]
    (raw / "register" / "targets.csv").write_text("\n".join(targets))
    (raw / "register" / "measures.csv").write_text("\n".join(measures))
    (raw / "returns" / "outturns.csv").write_text("\n".join(outturns))
    return folder


THREE = ("A1,50,40,40", "A2,50,40,39", "A3,50,40,30")


def test_what_is_not_entered_of_the_pot_is_said_and_not_paid(tmp_path: Path) -> None:
    """Three of twelve, all met: a quarter of £1,192,652 and not the whole of it."""
    folder = printed(tmp_path / "part", "pot = 1_192_652\ntargets = 12", *THREE)
    report = open_report("2006-07 Q2", str(folder))
    assert pot_shares(report.agreement) == dict.fromkeys(["A1", "A2", "A3"], Fraction(1, 12))
    expected = "The reward is 25% of the pot (£298,163)."
    says = "Nine of the twelve targets are not entered: £894,489 of the pot is not shown."
    for text in (grant_words(report).text, scorecard(report).words.text):
        assert f"{expected} {says}" in text
    others = "other targets\t–\t75.0%\t–\t–\t–\tnot entered"
    assert reward(report).table.text.splitlines()[-1].startswith(others)
    assert "without the 75% of the pot that is not entered" in payments(report).table.text
    shares = printed(tmp_path / "shares", "targets = 4", *THREE)
    text = grant_words(open_report("2006-07 Q2", str(shares))).text
    assert "One of the four targets is not entered: 25% of the pot is not shown." in text


#: Settings, columns, rows and pounds of three grants that docs/grant.md works out by hand.
BY_HAND = {
    "weights, and three of twelve": (
        "pot = 1_200_000\ntargets = 12",
        "without,target,weight,trigger",
        ["A1,50,40,,44.0,44", "A2-day,300,250,3,,262", "A2-night,80,66,1,72,70", "A3,20,10,,,14.1"],
        {"A1": 60_000, "A2-day": 57_000, "A2-night": 17_857.14, "A3": 0},
    ),
    "a printed trigger": (
        "pot = 300_000",
        "trigger,target",
        ["A1,21.45,19.85,21.45", "A2,44,40,41.5", "A3,44,40,44.01"],
        {"A1": 60_000, "A2": 85_000, "A3": 0},
    ),
    "arithmetic, and an exact 60 %": (
        "pot = 500_000\ntargets = 5",
        "without,target",
        ["A1,(21.45 - 0.6*19.85) / 0.4,19.85,21.45", "A2,0.21,0.09,0.138", "A3,12.6,10.2,11.16"],
        {"A1": 60_000, "A2": 60_000, "A3": 60_000},
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_three_printed_grants_come_to_what_they_do_by_hand(tmp_path: Path, name: str) -> None:
    settings, columns, rows, pounds = BY_HAND[name]
    folder = printed(tmp_path / "other", settings, *rows, columns=columns)
    table = grants(open_report("2006-07 Q2", str(folder))).set_index("measure")
    assert table["pounds_most"].round(2).to_dict() == pounds
    assert table["pounds_least"].tolist() == table["pounds_most"].tolist()
    page = (Path(__file__).parents[1] / "docs" / "grant.md").read_text()
    assert f"£{sum(pounds.values()):,.0f}" in page


def test_what_was_paid_stands_beside_what_is_worked_out(tmp_path: Path) -> None:
    rows = ["A1,50,40,90000,40", "A2,50,40,120000,40", "A3,50,40,,44 provisional"]
    folder = printed(tmp_path / "a", "pot = 300_000", *rows, columns="without,target,paid")
    report = open_report("2006-07 Q2", str(folder))
    table = grants(report).set_index("measure")
    assert table["difference"].tolist()[:2] == [-10_000, 20_000]
    assert pd.isna(table.at["A3", "difference"])
    says = "£210,000 was paid for 2 measures; we work out £200,000, a difference of +£10,000"
    assert says in grant_words(report).text
    line = next(line for line in reward(report).table.text.splitlines() if line.startswith("A1"))
    assert "£100,000\t£90,000\t−£10,000" in line
    # Nothing paid, no column.
    assert "Paid" not in reward(open_report("2006-07 Q2", str(starter(tmp_path / "b")))).table.frame


def test_a_provisional_outturn_is_one_and_marked(tmp_path: Path) -> None:
    rows = ["A1,50,40,44 provisional", "A2,50,40,43.9 estimated", "A3,50,40,40"]
    report = open_report("2006-07 Q2", str(printed(tmp_path / "a", "pot = 300_000", *rows)))
    table = grants(report).set_index("measure")
    assert table["status"].tolist() == ["provisional", "not stated", "final"]
    assert table.loc["A1", ["outturn", "pounds_least"]].tolist() == [44, 60_000]
    assert "1 outturn is provisional and may still be revised" in grant_words(report).text
    row = report.rows["A1"]
    assert (row["state"], row["is_forecast"]) == ("partly achieved", False)
    # Of an estimate nothing is decided.
    assert report.rows["A2"]["is_forecast"]
    assert row["reason"] == "the provisional reading of 2005/06 reaches the trigger"
    shown = scorecard(report).table.frame.set_index("code")["latest"]
    assert shown.to_dict() == {"A1": "44 [p]", "A2": "43.9", "A3": "40"}


def test_figures_are_shown_as_they_were_stated(tmp_path: Path) -> None:
    rows = ["A1,21.45,19.85,20.1", "A2,33,18.955,18.9551", "A3,50,40,40.04"]
    folder = printed(tmp_path / "a", "", *rows, columns="trigger,target")
    report = open_report("2006-07 Q2", str(folder))
    shown = scorecard(report).table.frame.set_index("code")[["latest", "target"]].to_numpy()
    # A reading that misses its target by little has more decimals.
    expected = [["20.10", "19.85 days"], ["18.9551", "18.9550 days"], ["40.04", "40.00 days"]]
    assert shown.tolist() == expected
    lines = dict(explanation(report, "A1"))
    assert lines["Without"] == "23.85 (derived): from the trigger 21.45, as printed"


MORE_THAN_0 = "expected greater than 0 or 'not stated'"


@pytest.mark.parametrize(
    ("settings", "columns", "figures", "says"),
    [
        ("", "without,target,trigger", "50,40,45", "trigger: found '45', expected 60% of the way"),
        ("", "trigger,target", "39,40", "trigger: found '39', expected short of the target 40"),
        ("", "trigger,target", "44,not stated", "trigger: found '44', expected nothing without"),
        ("trigger = 1", "trigger,target", "40,40", "trigger: found '40', expected nothing without"),
        ("", "without,target,paid", "50,40,-1", "paid: found '-1', expected pounds, or nothing"),
        ("targets = 0", "", "", f"grant.targets: found '0', {MORE_THAN_0}"),
        ("pot = -5", "", "", f"grant.pot: found '-5', {MORE_THAN_0}"),
    ],
)
def test_a_bad_figure_or_setting_is_one_clear_finding(
    tmp_path: Path, settings: str, columns: str, figures: str, says: str
) -> None:
    figures, columns = figures or "50,40", columns or "without,target"
    folder = printed(tmp_path / "a", settings, f"A1,{figures},42", columns=columns)
    output = psa("check", "--data", str(folder)).output
    file = "raw/register/measures.csv, row 2" if "grant." not in says else "raw/agreement.toml"
    assert f"error: {file}, column {says}" in output
    assert output.count("error:") == 1


def test_settings_that_do_not_fit_the_register_or_each_other(tmp_path: Path) -> None:
    output = psa("check", "--data", str(printed(tmp_path / "a", "targets = 2", *THREE))).output
    assert "found '2', expected at least 3, as many as the register has" in output
    output = psa("check", "--data", str(starter(tmp_path / "b", "pot = 5_000_000"))).output
    assert "expected pot or net_budget_requirement, not both" in output


# What is not stated


def test_nothing_is_guessed_where_without_is_not_stated(report_of: Callable) -> None:
    """Met pays in full; short of the target, at most what the baseline in its place would pay."""
    table = grants(report_of("2006-07 Q3")).set_index("measure")
    assert table.loc["L2", ["least", "most", "proportion"]].tolist()[:2] == [1, 1]
    # N14: 553 of 112 to 628, so at most 441/516; L5 has no baseline either.
    assert table.loc["N14-into-work", ["least", "most"]].tolist() == [0, 441 / 516]
    assert table.loc["L5", ["least", "most"]].tolist() == [0, 1]
    # N2: 55.7 of 53.2 to 63 is 26 %, below the trigger even at the most.
    assert table.loc["N2", ["least", "most"]].tolist() == [0, 0]
    # N10: 85 is 21 points short of 106, where the stretch of 1.5 begins.
    assert table.loc["N10", ["proportion", "least", "most"]].tolist() == [-14, 0, 0]
    assert table.loc["L8", "status"] == "not stated"
    assert pd.isna(table.loc["L8", "least"])
    assert table["pounds_most"].isna().all()


def test_the_range_holds_what_any_without_would_pay(report: Report) -> None:
    """Whatever was left unstated between baseline and target, the expected share lies within."""
    table = grants(report).set_index("measure")
    for name in ("N2", "L1-maths", "N13", "L4-repeat", "N26-county"):
        row = report.agreement.measures.loc[name]
        for part in (0.0, 0.3, 0.7, 0.95):
            without = row["baseline"] + part * (row["target"] - row["baseline"])
            reached = (report.outlooks[name].draws[:, -1] - without) / (row["target"] - without)
            share = np.where(reached >= 0.6 - 1e-9, np.minimum(reached, 1), 0).mean()
            assert table.at[name, "least"] - 1e-9 <= share <= table.at[name, "most"] + 1e-9


# The whole agreement


def test_the_whole_is_the_sum_of_its_parts_on_average(report: Report) -> None:
    """The mean of the joint draws, from their chances: shares times expected proportions."""
    table, chances = grants(report), reward(report).chart.data
    for end in ("least", "most"):
        mean = np.trapezoid(chances[end], chances["share"])
        assert mean == pytest.approx((table["pot_share"] * table[end]).sum(), abs=2e-3)
    assert chances.query("share > 1 - 4 / 15")["most"].max() == 0


def test_a_pot_of_which_nothing_is_known_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    targets = {"target": ["not stated"] * 3, "without": ["not stated"] * 3}
    report = open_report("2004-05 Q3", str(starter(tmp_path / "other", **targets)))
    shown = [grant_words(report).text, reward(report).chart.alt, payments(report).table.text]
    assert "The reward is unknown. Nothing can be said about: Household waste" in shown[0]
    before = open_report("2004-05 Q2", str(tmp_path / "other"))
    shown.append(changes_words(dataclasses.replace(report, report_at=lambda *_: before)).text)
    assert shown[-1].endswith("The expected reward is unknown. Before, it was unknown.")
    assert not re.search(r"\b0%|£0", "".join(shown))


def test_simulation_agrees_with_the_exact_distribution() -> None:
    """Three measures that pay all or nothing: the eight outcomes and their probabilities."""
    chances, shares = [0.2, 0.5, 0.7], [0.4, 0.3, 0.2]
    parts = [
        (share, np.repeat([0.0, 1.0], [round(1000 * (1 - c)), round(1000 * c)]), np.zeros(1000))
        for share, c in zip(shares, chances, strict=True)
    ]
    least, most = simulate(parts)
    assert (most == 0).all()
    assert least.mean() == pytest.approx(0.4 * 0.2 + 0.3 * 0.5 + 0.2 * 0.7, rel=2e-3)
    for outcome in itertools.product([0, 1], repeat=3):
        value = sum(share * one for share, one in zip(shares, outcome, strict=True))
        exactly = np.prod([c if one else 1 - c for c, one in zip(chances, outcome, strict=True)])
        assert np.isclose(least, value).mean() == pytest.approx(exactly, abs=0.006)


# Where a better outturn brings most


def test_a_better_outturn_never_brings_less(report: Report) -> None:
    table = gains(report)
    assert (table[["least", "most"]] >= 0).all(axis=None)
    for name in table["measure"]:
        curve = gain_curve(report, name, steps=tuple(n / 10 for n in range(-10, 21)))
        for column in ("least", "most"):
            assert curve[column].is_monotonic_increasing
        assert (curve["least"] <= curve["most"] + 1e-12).all()


def test_the_cliff(tmp_path: Path) -> None:
    """Draws of 34.1 and 34.3 around the trigger of 34.2: a step of 0.1 takes both over it."""
    report = open_report("2005-06 Q3", str(starter(tmp_path / "other")))
    draws = np.array([[34.1], [34.3]])
    due = (parse_period("2005/06"),)
    outlooks = report.outlooks | {"A1": Outlook(draws, due)}
    changed = dataclasses.replace(report, outlooks=outlooks)
    curve = gain_curve(changed, "A1", steps=(0.0, 0.05))
    # 34.3 pays 65 %, 34.1 nothing; with 0.1 more 70 and 60 %.
    assert curve["least"].tolist() == pytest.approx([0.325, 0.65])
    assert curve["most"].tolist() == curve["least"].tolist()
    table = gains(changed).set_index("measure")
    # A step of a tenth is 0.2: 34.3 and 34.5 pay 65 and 75 %, of half of the pot.
    assert table.loc["A1", "step"] == pytest.approx(0.2)
    assert table.loc["A1", "least"] == pytest.approx(0.5 * (0.7 - 0.325))


# Broken registers


@pytest.mark.parametrize(
    ("settings", "columns", "says"),
    [
        ("", {"weight": ["", "3", ""]}, "expected a weight, since other measures of A2 have one"),
        ("", {"interim": ["32", "", ""]}, "column interim_period: found ''"),
        ("net_budget_requirement = 0", {}, "grant.net_budget_requirement"),
    ],
)
def test_a_broken_grant_says_what_to_mend(
    tmp_path: Path, settings: str, columns: dict, says: str
) -> None:
    folder = starter(tmp_path / "other", settings, **columns)
    result = psa("grant", "2006-07 Q2", "--data", str(folder))
    assert result.exit_code == 1
    assert says in result.output


def test_what_is_kept_of_a_report_is_nobody_elses_to_change(report: Report) -> None:
    mine = grants(report)
    mine["most"] = 0.0
    assert grants(report)["most"].sum() > 1
    fewer = dataclasses.replace(report, assessment=report.assessment.iloc[:1])
    assert list(fewer.rows) == ["N2"]
    assert len(grants(fewer)) == 1 < len(grants(report))
