"""Readings by basis against worked examples, and what holds for any series."""

from fractions import Fraction

import pandas as pd
import pytest
from builders import AREA, observed, with_measure
from hypothesis import given
from hypothesis import strategies as st

from psa_analysis.analysis.readings import make_readings, splice
from psa_analysis.analysis.trajectory import exact
from psa_analysis.periods import FREQUENCIES, parse_period
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report
from psa_analysis.returns.cleaning import as_of

NAN = float("nan")
NONE, LACKS = [NAN] * 3, "needs 3 complete years, lacks"
HIGHEST, LOWEST = (f"family: region; {which} first" for which in ("highest", "lowest"))


def by_period(agreement: Agreement, frame: pd.DataFrame) -> pd.DataFrame:
    """The readings of one series of observations, by period."""
    return make_readings(frame, agreement).set_index("period")


def yearly(
    agreement: Agreement,
    measure: str,
    figures: dict[str, float | None],
    area: str = AREA,
    **columns: object,
) -> pd.DataFrame:
    """Final observations by period's label; None is a suppressed figure."""
    kind = FREQUENCIES[agreement.measures.at[measure, "frequency"]].kind
    frame = observed(measure, [0.0] * len(figures), area=area, **columns)
    frame["period"] = list(figures)
    frame["period_end"] = [pd.Timestamp(parse_period(label, kind).end) for label in figures]
    frame["value"] = [NAN if value is None else value for value in figures.values()]
    frame["flag"] = frame["flag"].mask(frame["value"].isna(), "suppressed")
    return frame


def last(agreement: Agreement, frame: pd.DataFrame, measure: str, area: str = AREA) -> pd.Series:
    table = make_readings(frame, agreement)
    return table[(table["measure"] == measure) & (table["area"] == area)].iloc[-1]


@pytest.mark.parametrize(
    ("frequency", "basis", "values", "expected"),
    [
        ("quarterly", "point", [900, 950, 972], [900, 950, 972]),
        ("quarterly", "year_to_date", [1, 2, 3, 4, 10, 20], [1, 3, 6, 10, 10, 30]),
        ("quarterly", "annual", [1, 2, 3, 4, 10, 20, 30, 40], [*NONE, 10, *NONE, 100]),
        ("quarterly", "rolling_12m", [1, 2, 3, 4, 5, None, 7, 8, 9, 10], [10, 14, *NONE, 34]),
        # Up from a baseline of 4,294 for 2002/03, until a quarter is missing.
        ("quarterly", "cumulative", [30, 30, 30, 22, 40, 45, None, 50], [4334, 4379, NAN]),
        ("monthly", "rolling_12m", [*range(13)], [66, 78]),
        ("monthly", "rolling_12m", [0, None, *range(10)], ["needs 12 months, has 11"]),
        ("monthly", "year_to_date", [*range(1, 14)], [78, 13]),
        ("monthly", "cumulative", [1] * 14, [4295, 4296]),
        ("termly", "annual", [1, 2, 4, 8], [7, "the year is not complete"]),
        ("termly", "rolling_12m", [1, 2, 4, 8], ["needs 3 terms, has 2", 7, 14]),
        ("termly", "mean_of_years", [1] * 9, [NAN, 3]),
        ("termly", "mean_of_years", [1, 1, 1, 1, None, 1, 1, 1, 1], [f"{LACKS} 2003/04"]),
    ],
)
def test_months_quarters_and_terms_are_added_up(
    agreement: Agreement, frequency: str, basis: str, values: list, expected: list
) -> None:
    """From April, or the autumn term, of 2002; a text is what is missing."""
    changed = with_measure(agreement, "L4-incidents", basis=basis, frequency=frequency)
    frame = observed("L4-incidents", values, kind=FREQUENCIES[frequency].kind)
    table = make_readings(frame, changed).tail(len(expected))
    found = [
        row.missing if isinstance(value, str) else row.reading
        for row, value in zip(table.itertuples(), expected, strict=True)
    ]
    assert found == pytest.approx(expected, nan_ok=True)
    assert ((table["missing"] != "") == table["reading"].isna()).all()


NO_FIGURE = "no figure of England for 2003/04"
GAP = "a period between the baseline and this one is missing"
UNCOUNTED = "the baseline's period is not stated"
NO_BASE, BASE_OF_0 = (f"{what} for the baseline period" for what in ("no figure", "a figure of 0"))


@pytest.mark.parametrize(
    ("measure", "changes", "values", "missing"),
    [
        ("L4-incidents", {}, [1, 2, 3], "needs 4 quarters, has 3"),
        ("L4-incidents", {}, [1, None, 3, 4, 5], "needs 4 quarters, has 3"),
        ("L4-incidents", {"basis": "annual"}, [1] * 5, "the year is not complete"),
        ("N14-into-work", {}, [30, 30, 30, 22, None, 45], GAP),
        ("N14-into-work", {"baseline_period": "not stated"}, [30], UNCOUNTED),
        ("L4-incidents", {"unit": "index"}, [4] * 4, "figures in index cannot be added up"),
        ("L4-repeat", {}, [4] * 4, "needs numerators and denominators of every period"),
        ("N13", {}, [*[None] * 4, 200, 200, 200, 200], NO_BASE),
        ("N13", {}, [0, 0, 0, 0, 5, 5, 5, 5], BASE_OF_0),
    ],
)
def test_why_there_is_no_reading(
    agreement: Agreement, measure: str, changes: dict, values: list, missing: str
) -> None:
    cases = {"numerator": 1, "denominator": [*[9] * (len(values) - 1), None]}
    frame = observed(measure, values, **cases)
    table = make_readings(frame, with_measure(agreement, measure, **changes))
    assert table["missing"].iloc[-1] == missing
    assert pd.isna(table["reading"].iloc[-1])


def test_rates_pool_numerators_and_denominators(agreement: Agreement) -> None:
    numerators, denominators = [10, 20, 30, 40], [100, 100, 100, 700]
    rates = [100 * n / d for n, d in zip(numerators, denominators, strict=True)]
    frame = observed("L4-repeat", rates, numerator=numerators, denominator=denominators)
    # 100 of 1,000, and not the mean of the four rates, 16.4 %.
    reading = make_readings(frame, agreement).iloc[-1]
    assert reading[["reading", "numerator", "denominator"]].tolist() == [10, 100, 1000]
    thousand = with_measure(agreement, "L4-repeat", unit="per 1,000 residents")
    assert make_readings(frame, thousand)["reading"].iloc[-1] == 100
    mean = with_measure(agreement, "N7-sustained", basis="mean_of_years")
    figures: dict[str, float | None] = {"2002/03": 10, "2003/04": 20, "2004/05": 50}
    cases = {"numerator": [10, 20, 400], "denominator": [100, 100, 800]}
    # 430 of 1,000, and not the mean of the three years.
    frame = yearly(mean, "N7-sustained", figures, **cases)
    assert last(mean, frame, "N7-sustained")["reading"] == 43


def test_changes_from_a_base_that_is_stated_or_read_off(agreement: Agreement) -> None:
    stated = last(agreement, observed("N26-all", [70, 69, 69, 69]), "N26-all")
    assert stated["reading"] == pytest.approx(-28, abs=1e-12)
    # A fall of exactly 20 % meets a target of 20 %, whatever the baseline.
    for base in range(8000, 10001, 100):
        frame = observed("N13", [base / 4] * 4 + [base / 5] * 4)
        table = by_period(agreement, frame)
        assert table.at["2002-03 Q4", "reading"] == 0
        assert exact(table.at["2003-04 Q4", "reading"]) == -20


def test_changes_and_counts_of_school_years_start_after_the_baselines(agreement: Agreement) -> None:
    frame = yearly(agreement, "N2", {"2001/02": 500, "2002/03": 520, "2003/04": 550})
    counted = with_measure(agreement, "N2", basis="cumulative", baseline=500.0)
    assert make_readings(frame, counted)["reading"].tolist() == [1020, 1570]
    changed = with_measure(agreement, "N2", basis="change_from_baseline")
    assert make_readings(frame, changed)["reading"].tolist() == pytest.approx([0, 4, 10])


def test_a_reading_is_as_weak_as_its_weakest_observation(agreement: Agreement) -> None:
    flags = ["final", "provisional", "revised", "final", "final", "final"]
    made_up = [False, False, True, False, False, False]
    frame = observed("L4-incidents", [1.0] * 6, flag=flags, illustrative=made_up)
    table = make_readings(frame, agreement)
    assert table["flag"].tolist()[3:] == ["provisional", "provisional", "revised"]
    assert table["illustrative"].tolist()[3:] == [True, True, True]
    # The counts before the baseline's end are in no reading; the baseline year is in every change.
    weak = {"flag": ["provisional"] * 4 + ["final"] * 4, "illustrative": [n < 4 for n in range(8)]}
    for measure, expected in (("N14-into-work", ["final", False]), ("N13", ["provisional", True])):
        row = make_readings(observed(measure, [30.0] * 8, **weak), agreement).iloc[-1]
        assert row[["flag", "illustrative"]].tolist() == expected


def test_no_observation_gives_a_table_that_can_be_assessed(agreement: Agreement) -> None:
    nothing = make_readings(observed("N13", [None]), agreement)
    assert nothing["period_end"].dt.year.empty


def test_the_order_of_observations_makes_no_difference(report: Report) -> None:
    known = as_of(report.observations, report.cut_off)
    tables = [
        make_readings(rows, report.agreement).sort_values(["measure", "area", "period_end"])
        for rows in (known, known.sample(frac=1, random_state=1))
    ]
    first, shuffled = (table.reset_index(drop=True) for table in tables)
    pd.testing.assert_frame_equal(shuffled, first)


@given(st.lists(st.integers(0, 10_000), min_size=4, max_size=16))
def test_four_quarters_add_up_to_the_year(agreement: Agreement, values: list[int]) -> None:
    reading = make_readings(observed("L4-incidents", values), agreement)["reading"]
    assert reading.head(3).isna().all()
    assert reading.tolist()[3:] == [sum(values[n - 3 : n + 1]) for n in range(3, len(values))]


def test_a_mean_has_as_many_years_as_its_baseline(agreement: Agreement) -> None:
    changes = {"basis": "mean_of_years", "baseline_period": "1994-98"}
    casualties = with_measure(agreement, "N26-stats19", **changes)
    figures = {str(1994 + n): value for n, value in enumerate([400, 390, 380, 370, 365, 300.0])}
    table = by_period(casualties, yearly(casualties, "N26-stats19", figures))
    # 1,905 and 1,805 over five years.
    assert table["reading"].tolist() == pytest.approx([NAN] * 4 + [381, 361], nan_ok=True)
    assert table.at["1997", "missing"] == "needs 5 complete years, lacks 1993"


def test_a_mean_without_such_a_baseline_is_of_three_years(agreement: Agreement) -> None:
    journeys = with_measure(agreement, "N26-stats19", basis="mean_of_years")
    figures: dict[str, float | None] = {"2001": 10, "2002": 20, "2004": 60, "2005": 9, "2006": None}
    table = by_period(journeys, yearly(journeys, "N26-stats19", figures))
    assert table["reading"].isna().all()
    for year, lacking in {"2002": "2000", "2004": "2003", "2006": "2006"}.items():
        assert table.at[year, "missing"] == f"needs 3 complete years, lacks {lacking}"


def test_a_mean_of_quarters_is_of_complete_financial_years(agreement: Agreement) -> None:
    journeys = with_measure(agreement, "L4-incidents", basis="mean_of_years")
    frame = observed("L4-incidents", [1.0] * 16, illustrative=[True] + [False] * 15)
    table = by_period(journeys, frame)
    assert table.loc[["2004-05 Q4", "2005-06 Q4"], "illustrative"].tolist() == [True, False]
    assert table.at["2004-05 Q3", "missing"] == "the year is not complete"
    gap = last(journeys, frame.drop(index=frame.index[6]), "L4-incidents")
    assert gap["missing"] == "needs 3 complete years, lacks 2003/04"


@given(st.lists(st.integers(0, 10_000), min_size=12, max_size=24))
def test_three_means_are_the_sum_of_three_years(agreement: Agreement, values: list[int]) -> None:
    changed = with_measure(agreement, "L4-incidents", basis="mean_of_years")
    table = make_readings(observed("L4-incidents", values), changed)
    for n, reading in enumerate(table["reading"]):
        if n % 4 == 3 and n >= 11:
            assert 3 * reading == pytest.approx(sum(values[n - 11 : n + 1]))
        else:
            assert pd.isna(reading)


def test_a_ratio_is_a_percentage_of_another_measure(agreement: Agreement) -> None:
    compared = with_measure(agreement, "N6-ratio", comparator="N7-sustained")
    own = yearly(compared, "N6-ratio", {"2003/04": 44.1, "2005/06": None})
    marks = {"flag": ["provisional", "final"], "illustrative": True}
    other = yearly(compared, "N7-sustained", {"2003/04": 63.0, "2005/06": 60.0}, **marks)
    ratio, suppressed = make_readings(pd.concat([own, other]), compared).to_dict("records")[:2]
    assert ratio["reading"] == pytest.approx(70)
    assert (ratio["flag"], ratio["illustrative"]) == ("provisional", True)
    assert (suppressed["missing"], pd.isna(suppressed["reading"])) == ("suppressed", True)


def test_a_gap_is_the_comparator_less_the_figure(agreement: Agreement) -> None:
    compared = with_measure(agreement, "N14-gap", comparator="area: England")
    own = yearly(compared, "N14-gap", {"2003/04": 47.9, "2004/05": 80.0})
    england = yearly(compared, "N14-gap", {"2003/04": 74.1, "2004/05": 75.0}, area="England")
    table = make_readings(pd.concat([own, england], ignore_index=True), compared)
    table = table.set_index("area")
    assert table.loc[AREA, "reading"].tolist() == [26.2, -5]
    assert set(table.loc["England", "missing"]) == {"this is the comparator itself"}


def test_the_comparator_is_read_by_its_own_basis(agreement: Agreement) -> None:
    changes = {"comparator": "L4-incidents", "unit": "incidents", "frequency": "quarterly"}
    compared = with_measure(agreement, "N14-gap", **changes)
    frame = pd.concat([observed("N14-gap", [1.0, 1, 1, 4]), observed("L4-incidents", [5.0] * 4)])
    assert last(compared, frame, "N14-gap")["reading"] == 16  # four quarters of 5, less 4
    missing = "no figure of L4-incidents for 2002-03 Q3: needs 4 quarters, has 3"
    assert make_readings(frame, compared)["missing"].iloc[2] == missing


@pytest.mark.parametrize(
    ("measure", "comparator", "england", "missing"),
    [
        ("N6-ratio", "not stated", {"2003/04": 50.0}, "the comparator is not stated"),
        ("N14-gap", "not stated", {"2003/04": 50.0}, "the comparator is not stated"),
        ("N6-ratio", "area: England", {"2002/03": 50.0}, NO_FIGURE),
        ("N14-gap", "area: England", {"2003/04": None}, f"{NO_FIGURE}: suppressed"),
        ("N6-ratio", "area: England", {"2003/04": 0.0}, "the figure of England for 2003/04 is 0"),
    ],
)
def test_nothing_is_compared_with_what_is_not_stated_or_nothing(
    agreement: Agreement, measure: str, comparator: str, england: dict, missing: str
) -> None:
    compared = with_measure(agreement, measure, comparator=comparator)
    own = yearly(compared, measure, {"2003/04": 40.0})
    row = last(compared, pd.concat([own, yearly(compared, measure, england, "England")]), measure)
    assert (row["missing"], pd.isna(row["reading"])) == (missing, True)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_ratios_and_gaps_are_exact(agreement: Agreement, own: int, other: int) -> None:
    """The reading is the float nearest to the true result of the figures as they are written."""
    truths = {"N6-ratio": Fraction(100 * own, other), "N14-gap": Fraction(other - own, 10)}
    for measure, truth in truths.items():
        compared = with_measure(agreement, measure, comparator="area: England")
        figure = yearly(compared, measure, {"2003/04": own / 10})
        england = yearly(compared, measure, {"2003/04": other / 10}, area="England")
        assert last(compared, pd.concat([figure, england]), measure)["reading"] == float(truth)


def ranked(agreement: Agreement, comparator: str = HIGHEST) -> Agreement:
    changes = {"basis": "rank", "polarity": "lower", "unit": "place", "comparator": comparator}
    return with_measure(agreement, "N7-sustained", **changes)


def regions(agreement: Agreement) -> list[str]:
    """Nine, and with the agreement's own area ten are ranked."""
    return agreement.areas.loc[agreement.areas["kind"] == "region", "area"].tolist()


def family(agreement: Agreement, own: float | None, others: list[float | None]) -> pd.DataFrame:
    """A period's figures of the agreement's area and of as many regions as are given."""
    figures = {AREA: own} | dict(zip(regions(agreement), others, strict=False))
    frames = [
        yearly(agreement, "N7-sustained", {"2003/04": value}, area=area)
        for area, value in figures.items()
    ]
    return pd.concat(frames, ignore_index=True)


OTHERS: list[float | None] = [90, 80, 70, 70, 60, 50, 40, 30, 20]
ALL_TEN = "ranked among 10 of the 10 areas of the family"
TOO_FEW = "only 4 of the 10 areas of the family gave a figure"


@pytest.mark.parametrize(
    ("comparator", "own", "others", "place", "text"),
    [
        # Equal figures share the better place, and the next comes as many places later.
        (HIGHEST, 70, OTHERS, 3, ALL_TEN),
        (HIGHEST, 65, OTHERS, 5, ALL_TEN),
        (LOWEST, 70, OTHERS, 6, ALL_TEN),
        (HIGHEST, 55, [90, 20, None, 60, 10], 3, "ranked among 5 of the 10 areas of the family"),
        (HIGHEST, 55, [90, 20, None, 60], NAN, TOO_FEW),
        (HIGHEST, None, [90, 20, 5, 60, 2], NAN, "suppressed"),
        ("not stated", 55, OTHERS, NAN, "the comparator is not stated"),
    ],
)
def test_places_in_a_family(
    agreement: Agreement, comparator: str, own: float | None, others: list, place: float, text: str
) -> None:
    frame = family(agreement, own, others)
    row = last(ranked(agreement, comparator), frame, "N7-sustained")
    assert row["reading"] == pytest.approx(place, nan_ok=True)
    assert (row["note"] + row["missing"]).startswith(text)


def test_only_the_agreements_area_is_ranked_and_as_weak_as_the_family(agreement: Agreement) -> None:
    frame = family(agreement, 55.0, [90.0] * 9)
    frame.loc[4, "flag"] = "provisional"
    frame.loc[5, "illustrative"] = True
    row = last(ranked(agreement), frame, "N7-sustained")
    assert (row["flag"], row["illustrative"]) == ("provisional", True)
    region = last(ranked(agreement), frame, "N7-sustained", "London")
    assert region["missing"] == "only Leicestershire is ranked"
    assert pd.isna(region["reading"])


def test_a_milestone_is_done_or_not_and_stays_so(agreement: Agreement) -> None:
    changed = with_measure(agreement, "N7-gps", basis="milestone")
    table = make_readings(observed("N7-gps", [0.0, 0, 1, 1, 0, 0, 1, 0.5]), changed)
    assert table["reading"].tolist() == pytest.approx([0, 0, 1, 1, NAN, NAN, 1, NAN], nan_ok=True)
    undone = "found 0 (not done), where 2002-03 Q3 says 1 (done)"
    neither = "found 0.5, expected 1 (done) or 0 (not done)"
    assert table["missing"].tolist() == [""] * 4 + [undone, undone, "", neither]


def test_only_what_happens_has_limits_of_chance(agreement: Agreement) -> None:
    """Three doctors are as many as were appointed; three casualties might have been eight."""
    why = {
        "cases": "exact Poisson",
        "headcount": "not worked out: decided, and not moved by chance",
    }
    for made_of, interval in why.items():
        changed = with_measure(agreement, "N7-gps", made_of=made_of)
        row = make_readings(observed("N7-gps", [3.0]), changed).iloc[0]
        assert (row["interval"], row["upper"] > 8) == (interval, made_of == "cases")


def test_definitions_are_joined_only_where_they_overlap(loaded: tuple) -> None:
    """England's pupils without five GCSEs: the definition of 2004/05 and two years of both."""
    figures = loaded[0].set_index(["area", "measure", "period"])["value"].sort_index()
    older, newer = (figures["England", name] for name in ("N2-without-age15", "N2-without-ks4"))
    joined, method = splice(older, newer)
    # 55.7 and 54.7 by the old, 55.1 and 54.2 by the new: 0.55 lower.
    assert method.startswith("The older definition is moved by -0.55")
    assert method.endswith("in 2004/05, 2005/06.")
    assert joined[["2003/04", "2004/05"]].tolist() == pytest.approx([57.3 - 0.55, 55.1])
    assert len(joined) == 11
    alone, why = splice(figures["Leeds", "N2-age15"], figures["Leeds", "N2-ks4"])
    assert alone.equals(figures["Leeds", "N2-ks4"])
    assert "no period in common" in why
