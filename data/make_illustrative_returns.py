"""Make the illustrative returns in ``data/raw/returns`` and ``data/raw/progress.csv``.

No outturns of Leicestershire's agreement were published, so these returns are made up. They
start at the register's baselines, move as such figures move (seasons, exam years, small counts,
late and revised quarters) and do not all reach their targets. Every row says ``illustrative``.

Run ``python data/make_illustrative_returns.py``; the same seed gives the same files. The
figures below are the yearly paths from 2001/02 to 2005/06 that noise is laid over.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from psa_analysis.periods import Period, parse_period, quarter

SEED = 2003

YEARS = range(2001, 2006)

QUARTERS = [quarter(year, number) for year in YEARS for number in (1, 2, 3, 4)]

BASELINE_YEAR = 2002

AREA = "Leicestershire"

#: A made-up family of authorities: no source names the county's nearest neighbours.
FAMILY = [f"Authority {letter}" for letter in "ABCDEFGHIJKLMNOP"]

FAMILY_YEARS = range(2000, 2006)

#: Returns that came after the cut-off: file and period.
LATE = {
    ("highways", "2003-04 Q2"),
    ("drug_action_team", "2004-05 Q3"),
    ("police", "2005-06 Q1"),
    ("police_districts", "2005-06 Q1"),
}

#: Upper schools: cohorts of about 500, as the bid says, and how far each stands from the county on
#: the scale of log odds. Three are far below and gain a little every year.
SCHOOLS = {
    "A": (470, 0.20),
    "B": (455, -0.10),
    "C": (505, -0.52),
    "D": (490, 0.35),
    "E": (475, 0.05),
    "F": (480, 0.28),
    "G": (465, -0.15),
    "H": (498, -0.58),
    "J": (500, 0.12),
    "K": (445, 0.42),
    "L": (485, -0.05),
    "M": (510, -0.47),
    "N": (490, 0.15),
    "P": (472, 0.25),
    "Q": (510, 0.02),
}

INTENSIVE = {"C": 0.05, "H": 0.06, "M": 0.04}

#: Districts: shares of the county's vehicle crime in the first year and in the last.
DISTRICTS = {
    "Blaby": (0.140, 0.136),
    "Charnwood": (0.290, 0.262),
    "Harborough": (0.105, 0.110),
    "Hinckley and Bosworth": (0.155, 0.150),
    "Melton": (0.055, 0.056),
    "North West Leicestershire": (0.150, 0.192),
    "Oadby and Wigston": (0.105, 0.094),
}


def noise(measure: str) -> np.random.Generator:
    """A generator of its own for each measure, so that one more measure moves no other."""
    return np.random.default_rng([SEED, zlib.crc32(measure.encode())])


def counts(
    measure: str, yearly: Sequence[float], seasons: Sequence[float], fixed: int | None
) -> np.ndarray:
    """Quarterly counts around yearly totals; the baseline year adds up to `fixed`."""
    shares = np.array(seasons) / sum(seasons)
    drawn = noise(measure).poisson(np.outer(yearly, shares))
    if fixed is not None:
        row = YEARS.index(BASELINE_YEAR)
        exact = drawn[row] * fixed / drawn[row].sum()
        drawn[row] = np.floor(exact)
        drawn[row, np.argsort(drawn[row] - exact)[: fixed - drawn[row].sum()]] += 1
    return drawn.ravel()


def row(
    file: str,
    measure: str,
    period: Period,
    value: float,
    flag: str,
    days: int,
    numerator: float | None = None,
    denominator: float | None = None,
    area: str = AREA,
) -> dict[str, object]:
    """One line of a return, received so many days after the period's end."""
    if (file, period.label) in LATE:
        days += 75
    received: date = period.end + timedelta(days=days)
    return {
        "file": file,
        "measure": measure,
        "area": area,
        "period": period.label,
        "value": round(float(value), 4),
        "numerator": numerator,
        "denominator": denominator,
        "flag": flag,
        "received": received,
        "illustrative": "yes",
    }


def count_rows(
    file: str, measure: str, values: np.ndarray, first_year: int = 2001, days: int = 30
) -> list[dict[str, object]]:
    """Final figures on time."""
    return [
        row(file, measure, period, value, "final", days)
        for period, value in zip(QUARTERS, values, strict=True)
        if period.start >= date(first_year, 4, 1)
    ]


def revised_rows(file: str, measure: str, values: np.ndarray) -> list[dict[str, object]]:
    """Provisional figures on time, about two in a hundred too low; revised a quarter later."""
    low = noise(f"{measure} provisional").uniform(0.96, 1.0, len(values))
    rows = []
    for period, value, share in zip(QUARTERS, values, low, strict=True):
        rows.append(row(file, measure, period, np.floor(value * share), "provisional", 32))
        rows.append(row(file, measure, period, value, "revised", 118))
    return rows


def rate_rows(
    file: str, measure: str, over: np.ndarray, under: np.ndarray, first_year: int = 2001
) -> list[dict[str, object]]:
    """Percentages with their numerator and denominator."""
    return [
        row(file, measure, period, 100 * n / d, "final", 35, int(n), int(d))
        for period, n, d in zip(QUARTERS, over, under, strict=True)
        if period.start >= date(first_year, 4, 1)
    ]


def exam_rows(
    measure: str, percents: list[float], pupils: int, years: list[int]
) -> list[dict[str, object]]:
    """Results once a year: provisional in October, final in January."""
    wobble = noise(measure).normal(0, 0.15, len(years))
    rows = []
    for year, percent, shift in zip(years, percents, wobble, strict=True):
        period = parse_period(f"summer {year}")
        passed = round(pupils * percent / 100)
        value = round(100 * passed / pupils, 1)
        first = round(value + shift, 1)
        rows.append(row("education", measure, period, first, "provisional", 45))
        rows.append(row("education", measure, period, value, "final", 142, passed, pupils))
    return rows


def shared_out(total: int, weights: np.ndarray) -> np.ndarray:
    """Whole numbers in these proportions that add up to the total: the largest remainders."""
    exact = total * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact)[: total - whole.sum()]] += 1
    return whole


def school_rows(county: list[dict[str, object]]) -> list[dict[str, object]]:
    """The county's final results school by school: cohorts and passes add up to the county's."""
    rows = []
    generator = noise("N2 upper schools")
    finals = [one for one in county if one["measure"] == "N2" and one["flag"] == "final"]
    size, apart = (np.array(column) for column in zip(*SCHOOLS.values(), strict=True))
    for year, one in enumerate(finals):
        passed, pupils = int(str(one["numerator"])), int(str(one["denominator"]))
        cohorts = shared_out(pupils, size * generator.normal(1, 0.015, len(size)))
        gained = np.array([INTENSIVE.get(name, 0) * year for name in SCHOOLS])
        odds = (
            passed
            / (pupils - passed)
            * np.exp(apart + gained + generator.normal(0, 0.06, len(size)))
        )
        period = parse_period(str(one["period"]), "exam_year")
        passes = shared_out(passed, cohorts * odds / (1 + odds))
        for name, n, d in zip(SCHOOLS, passes, cohorts, strict=True):
            rows.append(
                row(
                    "schools",
                    "N2",
                    period,
                    100 * n / d,
                    "final",
                    142,
                    int(n),
                    int(d),
                    f"Upper school {name} (illustrative)",
                )
            )
    return rows


def district_rows(county: list[dict[str, object]]) -> list[dict[str, object]]:
    """The county's vehicle crime by district, each vintage adding up to the county's."""
    rows = []
    generator = noise("N13 districts")
    first, last = (np.array(column) for column in zip(*DISTRICTS.values(), strict=True))
    mine = [one for one in county if one["measure"] == "N13"]
    for number, period in enumerate(QUARTERS):
        early, late = (int(float(str(one["value"]))) for one in mine[2 * number : 2 * number + 2])
        revised = generator.multinomial(late, first + (last - first) * number / (len(QUARTERS) - 1))
        # What was known first is a part of what was known later.
        provisional = generator.multivariate_hypergeometric(revised, early)
        for values, flag, days in ((provisional, "provisional", 32), (revised, "revised", 118)):
            for name, value in zip(DISTRICTS, values, strict=True):
                rows.append(row("police_districts", "N13", period, value, flag, days, area=name))
    return rows


def year_rows(
    file: str, measure: str, parts: list[tuple[int, int]], days: int = 40
) -> list[dict[str, object]]:
    """Yearly percentages of few people, as numerator and denominator."""
    return [
        row(
            file,
            measure,
            parse_period(f"{year}/{(year + 1) % 100:02d}"),
            100 * n / d,
            "final",
            days,
            n,
            d,
        )
        for year, (n, d) in zip(YEARS, parts, strict=True)
    ]


#: The baskets behind N10: each council's indicators, in the baseline year and at the end.
BASKETS: dict[str, dict[str, tuple[float, float]]] = {
    "Leicestershire": {
        "help-at-home": (74, 90),
        "road-condition": (16, 9),
        "library-visits": (4900, 5430),
        "invoices": (84, 95),
        "sickness": (10.9, 9.3),
    },
    "Blaby": {
        "planning": (64, 79),
        "benefit-days": (44, 34),
        "council-tax": (97.4, 98.6),
        "sickness": (9.9, 9.2),
    },
    "Charnwood": {
        "planning": (58, 76),
        "benefit-days": (49, 40),
        "relet-days": (39, 31),
        "invoices": (88, 93),
        "sickness": (11.2, 10.1),
    },
    "Harborough": {
        "planning": (69, 77),
        "benefit-days": (38, 31),
        "council-tax": (98.1, 98.7),
        "invoices": (92, 96),
    },
    "Hinckley and Bosworth": {
        "planning": (61, 73),
        "benefit-days": (42, 39),
        "relet-days": (34, 33),
        "council-tax": (97.2, 97.9),
    },
    "Melton": {"planning": (66, 72), "benefit-days": (36, 37), "invoices": (90, 94)},
    "North West Leicestershire": {
        "planning": (55, 74),
        "benefit-days": (53, 41),
        "relet-days": (45, 36),
        "sickness": (12.1, 11),
    },
    "Oadby and Wigston": {
        "planning": (71, 70),
        "council-tax": (97.9, 98.2),
        "sickness": (8.9, 9.6),
    },
}

#: Net budgets in millions of pounds, 2002/03 to 2005/06; the county council's is set so that the
#: baskets give the index that was returned.
NET_BUDGETS = {
    "Leicestershire": [402.6, 429.41, 447.71, 466.26],
    "Blaby": [9.42, 9.81, 10.26, 10.63],
    "Charnwood": [15.87, 16.52, 17.31, 17.98],
    "Harborough": [8.63, 8.94, 9.31, 9.58],
    "Hinckley and Bosworth": [9.95, 10.41, 10.94, 11.37],
    "Melton": [5.84, 6.05, 6.33, 6.52],
    "North West Leicestershire": [10.48, 10.93, 11.46, 11.87],
    "Oadby and Wigston": [6.21, 6.49, 6.83, 7.12],
}

DEFLATOR = [100, 102.8, 105.6, 107.9]

#: Counted another way from 2004/05 on, and the old way until then: the council and by how much.
COUNTED_ANEW = {"road-condition": ("Leicestershire", 6.5)}


def basket_rows() -> list[dict[str, object]]:
    """The indicators of every basket, from the baseline on, with the budgets and the deflator."""
    years = [parse_period(f"{year}/{(year + 1) % 100:02d}") for year in YEARS[1:]]
    rows = []
    for council, basket in BASKETS.items():
        for name, (start, end) in basket.items():
            values = np.linspace(start, end, len(years))
            values[1:] += noise(f"N10-{name} {council}").normal(0, abs(end - start) / 12, 3)
            anew, shift = COUNTED_ANEW.get(name, ("", 0))
            values = np.round(values, 1 if start < 1000 else 0)
            for number, (period, value) in enumerate(zip(years, values, strict=True)):
                file, measure = "cost_effectiveness_indicators", f"N10-{name}"
                if council != anew or number < 3:
                    rows.append(row(file, measure, period, value, "final", 95, area=council))
                if council == anew and number > 1:
                    new, moved = f"{measure}-new", round(value + shift, 1)
                    rows.append(row(file, new, period, moved, "final", 95, area=council))
        for period, value in zip(years, NET_BUDGETS[council], strict=True):
            file = "cost_effectiveness_budgets"
            rows.append(row(file, "N10-budget", period, value, "final", 180, area=council))
    for period, value in zip(years, DEFLATOR, strict=True):
        file, area = "cost_effectiveness_budgets", "United Kingdom"
        rows.append(row(file, "N10-deflator", period, value, "final", 90, area=area))
    return rows


def family_rows(
    measure: str, over: np.ndarray, under: np.ndarray, first: str
) -> list[dict[str, object]]:
    """Yearly percentages of the family, half a year after each year's end.

    Authority C's third last figure is estimated, and Authority K's came half a year late. `first`
    names the area of the first row; the others are those of the family.
    """
    rows = []
    for area, n_row, d_row in zip([first, *FAMILY], over, under, strict=True):
        for year, n, d in zip(FAMILY_YEARS, n_row, d_row, strict=True):
            period = parse_period(f"{year}/{(year + 1) % 100:02d}")
            flag = "estimated" if (area, year) == ("Authority C", 2003) else "final"
            days = 365 if (area, year) == ("Authority K", 2003) else 183
            made = row("family", measure, period, 100 * n / d, flag, days, int(n), int(d))
            rows.append(made | {"area": area})
    return rows


def make() -> pd.DataFrame:
    """All illustrative returns, one row each, with the file that each belongs to."""
    rows: list[dict[str, object]] = []
    flat = [1, 1, 1, 1]

    # Police. 9,150 offences: the published 15.0 per 1,000 residents of the force area, at the
    # county's 610,000 residents. Provisional first, revised a quarter later.
    crime = counts("N13", [9300, 9150, 8750, 8250, 7650], [24, 25, 27, 24], 9150)
    rows += revised_rows("police", "N13", crime)
    incidents = counts("L4-incidents", [4150, 4294, 4480, 4720, 4960], [26, 27, 23, 24], 4294)
    rows += revised_rows("police", "L4-incidents", incidents)
    victims = counts("L4 victims", [3400, 3500, 3620, 3750, 3900], flat, 3500)
    repeats = counts("L4-repeat", [445, 441, 440, 430, 421], flat, 441)
    rows += rate_rows("police", "L4-repeat", repeats, victims)

    # Road casualties: small counts, so noise of one in ten is ordinary.
    county = counts("N26-county", [300, 292, 280, 262, 250], [24, 25, 27, 24], None)
    trunk = counts("N26-trunk", [54, 51, 47, 43, 39], flat, None)
    for measure, values in [
        ("N26-county", county),
        ("N26-trunk", trunk),
        ("N26-all", county + trunk),
    ]:
        rows += count_rows("highways", measure, values)

    # A new programme, so there is nothing before 2003/04.
    young = counts("L5 young people", [150, 150, 160, 165, 170], flat, None)
    share = np.repeat([0.5, 0.5, 0.58, 0.70, 0.81], 4)
    placed = noise("L5").binomial(young, share)
    rows += rate_rows("youth_offending", "L5", placed, young, first_year=2003)

    # Examinations.
    rows += exam_rows("N2", [53.2, 53.9, 55.4, 57.6], 7250, [2002, 2003, 2004, 2005])
    rows += exam_rows("L1-english", [30, 31.2, 34.1, 35.8], 7100, [2002, 2003, 2004, 2005])
    rows += exam_rows("L1-maths", [29, 31.9, 35.3, 38.6], 7100, [2002, 2003, 2004, 2005])
    rows += exam_rows("L2", [78, 79.6, 82.0, 84.2, 86.4], 500, [2002, 2003, 2004, 2005, 2006])

    # Looked-after young people: few, so one of them moves the rate by two points or more.
    rows += year_rows(
        "social_services", "N6-eet", [(17, 36), (19, 38), (22, 39), (26, 41), (29, 40)]
    )
    rows += year_rows(
        "social_services", "N6-absence", [(44, 200), (42, 200), (37, 199), (29, 198), (22, 201)]
    )
    helped = counts("N14-into-work", [100, 112, 130, 165, 190], [22, 25, 23, 30], 112)
    rows += count_rows("social_services", "N14-into-work", helped)

    # Drug treatment: people in treatment on the last day, 972 at the baseline.
    in_treatment = np.interp(np.arange(20), [0, 7, 11, 15, 19], [890, 972, 1028, 1090, 1168])
    wobble = np.round(noise("N7-treatment").normal(0, 9, 20))
    wobble[7] = 0
    rows += count_rows("drug_action_team", "N7-treatment", np.round(in_treatment) + wobble)
    practices = np.array([0] * 8 + [1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6, 7])
    rows += count_rows("drug_action_team", "N7-gps", practices, first_year=2003)

    # Bus journeys in millions: fewer in summer and, in 2003-04, a route cut.
    yearly = np.repeat([15.4, 15.1, 14.7, 15.2, 15.6], 4) / 4
    season = np.tile([0.99, 0.93, 1.06, 1.02], 5)
    journeys = yearly * season * noise("N9").normal(1, 0.012, 20)
    rows += count_rows("bus_operators", "N9", np.round(journeys, 3))

    # Tonnes: gardens grow in the first two quarters. 23.03 % in the baseline year.
    waste = np.round(
        np.repeat([332e3, 340e3, 343e3, 345e3, 346e3], 4) / 4 * np.tile([1.06, 1.03, 0.97, 0.94], 5)
    )
    rate = np.repeat([0.212, 35 / 1.52 / 100, 0.2565, 0.301, 0.3436], 4) * np.tile(
        [1.10, 1.05, 0.95, 0.89], 5
    )
    recycled = np.round(waste * rate * noise("L7").normal(1, 0.01, 20))
    baseline = slice(4, 8)
    recycled[baseline] = np.round(
        recycled[baseline] * waste[baseline].sum() * 35 / 152 / recycled[baseline].sum()
    )
    rows += rate_rows("waste", "L7", recycled, waste)

    # The family's rates rise faster every year, as England's did, so the top quartile moves. The
    # county's own years are its quarters above; 2000/01 comes before them.
    drawn = noise("L7-family")
    size = np.round(drawn.uniform(150e3, 620e3, len(FAMILY)), -3)
    tonnes = np.round(np.outer(size, np.linspace(1, 1.04, 6)))
    start = drawn.normal(0, 4.2, len(FAMILY))
    path = np.array([17.0, 18.8, 21.4, 24.8, 29.2, 33.8])
    rates = path + start[:, None] + drawn.normal(0, 0.6, (len(FAMILY), 6)).cumsum(axis=1)
    own_waste = np.array([328e3, *waste.reshape(5, 4).sum(axis=1)])
    own_recycled = np.array([64_900, *recycled.reshape(5, 4).sum(axis=1)])
    rows += family_rows(
        "L7-family",
        np.vstack([own_recycled, np.round(tonnes * rates.clip(3) / 100)]),
        np.vstack([own_waste, tonnes]),
        AREA,
    )

    # Drug treatment sustained or completed: some authorities have few people in treatment.
    drawn = noise("N7-family")
    people = np.array(
        [860, 95, 140, 180, 230, 290, 340, 410, 480, 560, 640, 720, 810, 930, 1080, 1260, 1490]
    )
    treated = np.round(np.outer(people, np.linspace(0.86, 1.12, 6)))
    usual = np.concatenate([[0.005], drawn.normal(0, 0.045, len(FAMILY))])
    shares = usual[:, None] + np.array([0.43, 0.445, 0.465, 0.48, 0.50, 0.52])
    rows += family_rows("N7-family", drawn.binomial(treated.astype(int), shares), treated, AREA)

    # The index is known when the accounts are closed.
    for year, value in zip(range(2002, 2006), [100, 101.7, 104.4, 106.9], strict=True):
        period = parse_period(f"{year}/{(year + 1) % 100:02d}")
        rows.append(row("cost_effectiveness", "N10", period, value, "final", 180))
    rows += basket_rows()

    # The county's figures by part; no part's were published.
    rows += school_rows(rows) + district_rows(rows)
    return pd.DataFrame(rows)


#: Milestones: done on, in doubt from, last reported on. Nothing was published about any of them.
MILESTONES: dict[str, tuple[str, str, str]] = {
    "WP1a": ("2003-07-23", "", ""),
    "ED2a": ("2003-08-28", "", ""),
    "ED2b": ("2003-11-24", "", ""),
    "ED3": ("2003-09-16", "", ""),
    "SC1b": ("2004-03-08", "2003-10-01", ""),
    "SC3a": ("2006-02-20", "2005-01-01", ""),
    "SC3b": ("", "", ""),
    "SC3c": ("2005-04-29", "2004-07-01", ""),
    "SC6b": ("2003-04-01", "", ""),
    "SC6c": ("2005-04-01", "", ""),
    "TR1a": ("2003-11-10", "", ""),
    "TR1c": ("", "2004-04-01", "2004-08-31"),
    "WA1b": ("2005-12-09", "2005-04-01", ""),
    "SA1": ("2003-11-19", "", ""),
    "MW3": ("2004-02-18", "", ""),
    "MW5a": ("2004-04-26", "", ""),
    "MW5b": ("2005-06-24", "2004-10-01", ""),
}

#: What leads say of commitments that figures or nothing can judge: in doubt from, if ever.
OPINIONS = {
    "WP2": "",
    "WP3b": "2005-07-01",
    "WP3c": "",
    "WP4a": "",
    "WP6": "2005-07-01",
    "SC2a": "",
    "SC2b": "",
    "SC4": "",
    "SC6a": "2004-04-01",
    "WA1c": "",
    "WA1d": "",
}

#: Figures: of which day, and what is reported.
LEVELS: dict[str, tuple[str, list[tuple[str, float]]]] = {
    "WP1b": ("survey of residents", [("2003-12-31", 1)]),
    "WP2": ("survey of residents", [("2003-12-31", 2), ("2005-12-31", 1)]),
    "WP3a": (
        "count of openings",
        [("2003-12-31", 0), ("2004-06-30", 1), ("2004-12-31", 1), ("2005-06-30", 2)],
    ),
    "WP3b": (
        "visitor counters",
        [("2004-03-31", 4610), ("2005-03-31", 4985), ("2006-03-31", 5290)],
    ),
    "WP3c": ("survey of library users", [("2003-11-30", 81), ("2005-11-30", 86)]),
    "WP5": (
        "register of services",
        [
            ("2003-09-30", 61),
            ("2004-03-31", 68),
            ("2004-09-30", 79),
            ("2005-03-31", 88),
            ("2005-12-31", 100),
        ],
    ),
    "WP6": ("self-assessment", [("2004-03-31", 1), ("2005-03-31", 2), ("2006-03-31", 2)]),
    "ED1b": ("key stage results", [("2003-08-31", 77), ("2004-08-31", 79), ("2005-08-31", 80)]),
    "ED1c": ("key stage results", [("2003-08-31", 73), ("2004-08-31", 74)]),
    "ED1f": ("comparison of results", [("2003-08-31", 2), ("2004-08-31", 2)]),
    "ED4a": ("key stage results", [("2003-08-31", 78.4)]),
    "ED4b": ("key stage results", [("2003-08-31", 31.1)]),
    "SC1a": ("count of openings", [("2003-09-30", 2), ("2003-12-31", 3)]),
    "SC2a": (
        "returns with the health service",
        [("2004-03-31", 180), ("2005-03-31", 390), ("2006-03-31", 610)],
    ),
    "TR1b": ("survey of residents", [("2003-11-30", 43), ("2004-11-30", 45), ("2005-11-30", 49)]),
    "TR2a": ("timetables and population", [("2003-12-31", 93.1), ("2004-05-31", 94.6)]),
    "TR2b": (
        "survey of bus users",
        [("2003-11-30", 66.5), ("2004-11-30", 68.4), ("2005-11-30", 69.1)],
    ),
    "MW1": ("survey of residents", [("2003-12-31", 2)]),
}

#: Reports that came late or changed an earlier one: reported, status, day, value, evidence.
REVISED: dict[str, list[tuple[str, str, str, float | None, str]]] = {
    # What had been called consultation was a notice of it.
    "ED2b": [("2004-08-10", "done", "2004-01-12", None, "consultation papers")],
    "MW5a": [
        ("2004-10-29", "not done", "", None, "internal audit"),
        ("2005-01-20", "done", "2004-12-10", None, "internal audit"),
    ],
    # With the timetables of May in place of those of February.
    "TR2a": [("2004-11-18", "figure", "2004-05-31", 95.3, "timetables and population")],
    "ED4c": [("2005-03-02", "figure", "2004-08-31", 71, "key stage results")],
    "MW2": [("2004-11-22", "figure", "2003-12-31", 1, "survey of residents")],
    "WP4b": [("2004-05-12", "done", "2004-03-31", None, "service plans")],
    "ED5": [("2004-08-03", "done", "2004-06-30", None, "letter of agreement")],
}


def make_progress() -> pd.DataFrame:
    """What leads report of the strategy's commitments, quarter by quarter until each is done."""
    rows: list[tuple[str, date, str, str, float | None, str]] = []
    for commitment, (done, doubt, last) in MILESTONES.items():
        for reported, quarter_end in report_days(commitment):
            if last and reported > date.fromisoformat(last):
                break
            if done and date.fromisoformat(done) <= quarter_end:
                rows.append((commitment, reported, "done", done, None, "minutes"))
                break
            begun = commitment != "SC3b" or quarter_end >= date(2005, 6, 30)
            rows.append((commitment, reported, opinion(doubt, reported, begun), "", None, ""))
    for commitment, doubt in OPINIONS.items():
        for reported, _ in report_days(commitment):
            rows.append((commitment, reported, opinion(doubt, reported), "", None, ""))
    for commitment, (evidence, figures) in LEVELS.items():
        delays = noise(f"{commitment} figures").integers(25, 60, len(figures))
        for (day, value), delay in zip(figures, delays, strict=True):
            came = date.fromisoformat(day) + timedelta(days=int(delay))
            rows.append((commitment, came, "figure", day, value, evidence))
    for commitment, changes in REVISED.items():
        for text, status, day, figure, evidence in changes:
            came = date.fromisoformat(text)
            rows.append((commitment, came, status, day, figure, evidence))
    columns = ["commitment", "reported", "status", "day", "value", "evidence"]
    table = pd.DataFrame(rows, columns=columns).assign(illustrative="yes")
    table["value"] = [f"{value:g}" if pd.notna(value) else "" for value in table["value"]]
    return table.sort_values(["reported", "commitment"], kind="stable")


def report_days(commitment: str) -> list[tuple[date, date]]:
    """When a lead reports, and on which quarter: one in eight reports is never made."""
    drawn = noise(f"{commitment} reports")
    ends = [one.end for one in QUARTERS if date(2003, 6, 1) < one.end]
    delays = drawn.integers(12, 40, len(ends))
    made = drawn.random(len(ends)) > 1 / 8
    return [
        (end + timedelta(days=int(delay)), end)
        for end, delay, one in zip(ends, delays, made, strict=True)
        if one
    ]


def opinion(doubt: str, reported: date, begun: bool = True) -> str:
    """What a lead says of what is not done."""
    if not begun:
        return "not started"
    return "at risk" if doubt and reported >= date.fromisoformat(doubt) else "on track"


def main(raw: Path) -> None:
    """Write one CSV file per partner, and what leads report of the commitments."""
    folder = raw / "returns"
    folder.mkdir(parents=True, exist_ok=True)
    make_progress().to_csv(raw / "progress.csv", index=False, lineterminator="\n")
    for file, table in make().groupby("file"):
        table = table.drop(columns="file").sort_values(["measure", "received"], kind="stable")
        for column in ("numerator", "denominator"):
            table[column] = table[column].astype("Int64")
        table.to_csv(folder / f"{file}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "raw"
    main(target)
