"""Make the illustrative returns in ``data/raw/returns`` and ``data/raw/progress.csv``.

No outturns of Leicestershire's agreement were published, so these returns are made up. Each is a
draw of one process, `walk`, whose properties were measured on real indicators of English councils,
from the register's baseline on. Nothing is set by hand but where a figure starts. The seed was
there before the process and is not chosen by what it gives: the agreement may come out well or
badly. Every row says ``illustrative``.

``python data/make_illustrative_returns.py`` writes the files and the checksums beside them; the
same seed gives the same files. With ``--check`` it writes nothing, sets the returns' statistics
beside those of as many real series, and ends with exit code 1 where a set of real series is seldom
so. ``benchmarks/realism.py`` measures the real ones.
"""

from __future__ import annotations

import re
import sys
import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.effectiveness import cost_effectiveness
from psa_analysis.analysis.forecast import forecast_series
from psa_analysis.analysis.readings import make_readings
from psa_analysis.files import checksum
from psa_analysis.periods import Period, parse_period, quarter
from psa_analysis.register.agreement import Scale
from psa_analysis.register.loading import load_agreement

Array = NDArray[Any]

SEED = 2003

#: Paths are drawn from 2000/01 on; returns begin in 2001/02.
YEARS = range(2000, 2006)

QUARTERS = [quarter(year, number) for year in YEARS for number in (1, 2, 3, 4)]

BASELINE_YEAR = 2002

AREA = "Leicestershire"

#: A made-up family of authorities: no source names the county's nearest neighbours.
FAMILY = [f"Authority {letter}" for letter in "ABCDEFGHIJKLMNOP"]

#: Returns that came after the cut-off: file and period.
LATE = {
    ("highways", "2003-04 Q2"),
    ("drug_action_team", "2004-05 Q3"),
    ("police", "2005-06 Q1"),
    ("police_districts", "2005-06 Q1"),
}

#: How figures move: the size of a usual yearly step, beyond the chance of counts and samples, and
#: how much of it is a lean to the better. Steps are on the scale on which chance is as large
#: everywhere: the arcsine root of a share, the root of a count or amount over its own mean. From
#: the panels that benchmarks/realism.py reads: medians of councils' series; where those have much
#: chance, their lean is a larger part of the rest. Mean leans: BVPI 0.22, KSI 0.19, LAIT 0.16,
#: published 0.71. The lean holds what an agreement does: no panel tells it from what comes anyway.
MOVES = {
    "usual": (0.045, 0.25),  # Median of the measures of all panels; between their leans, below.
    "smooth": (0.02, 0.25),  # Lower quartile of the measures: tonnages, journeys, tax collected.
    "gcse": (0.018, 0.74),  # Five GCSEs at A* to C, Leeds and Devon, 1997 to 2009.
    "key stage 2": (
        0.026,
        0.65,
    ),  # Level 4 in mathematics, East Midlands authorities, 2005 to 2012.
    "special needs": (0.06, 0.2),  # Results at 19 of pupils with special needs, LAIT, 2016 to 2020.
    "care leavers": (0.03, 0.3),  # In education or work, LAIT: 0.05 to 0.06 with the chance of few.
    "looked after": (0.04, 0.2),  # Exclusions of looked-after children, LAIT.
    "again": (0.03, 0.2),  # Referred again within a year, LAIT: 0.03 to 0.04.
    "casualties": (0.05, 0.35),  # Killed or seriously injured, 77 authorities: 0.09 with chance.
    "recycled": (0.048, 0.5),  # Household waste recycled (BVPI 82a), 84 authorities, 1997 to 2007.
    "invoices": (0.07, 0.37),  # Paid on time (BVPI 8), 86 authorities.
    "help at home": (0.085, 0.1),  # Over-65s helped to live at home (BVPI 54), 86 authorities.
}

#: The rest of the process, in usual yearly steps. Leans of like measures differ by about a third
#: of a step (standard deviation between measures: BVPI 0.25, LAIT 0.33 and 0.37) and wander little:
#: the products of steps two, three and four years apart are about the same in every panel.
LEAN_SPREAD, LEAN_WANDERS = 0.3, 0.15
#: What comes and goes again: this much of a year's mean. Steps one year apart agree by 0.1 less
#: than those two years apart (LAIT 0.1, KSI 0.25, BVPI 0.03), and means of years alone would make
#: them agree by 0.1 more. That it is new in every quarter is assumed: the panels have years.
BLIP = 0.45
#: The level's own steps are the rest of the variance. A step between means of years has 2.75 times
#: the variance of one between quarters (Working, Econometrica 1960).
LEVEL = np.sqrt(1 - 0.25**2 - LEAN_SPREAD**2 - 2 * BLIP**2)
#: Now and then there is a jump. The fourth moment of BVPI's steps is a third above that of normal
#: ones, so that of quarters is about twice: a Student t with so many degrees of freedom.
TAILS = 6
#: Of what moves one measure in many councils beside its lean, so much is common to all: variance of
#: their mean step from year to year (LAIT 0.13, BVPI 0.10, KSI 0.07). Leans are common altogether:
#: one council's mean step differs from another's by no more than chance.
COMMON = 0.1
#: First figures of a quarter, as a share of the revised ones: mean and spread. Assumed, as is that
#: an examination's provisional rate is off by this many points: no panel has both vintages.
FIRST_SHARE, FIRST_POINTS = (0.985, 0.015), 0.3

#: Upper schools: cohorts of about 500, as the bid says, and how far each stands from the county on
#: the scale of log odds. With three of them there is intensive work.
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

INTENSIVE = ("C", "H", "M")

#: Districts: shares of the county's vehicle crime in the baseline year.
DISTRICTS = {
    "Blaby": 0.140,
    "Charnwood": 0.283,
    "Harborough": 0.106,
    "Hinckley and Bosworth": 0.154,
    "Melton": 0.055,
    "North West Leicestershire": 0.160,
    "Oadby and Wigston": 0.102,
}


def noise(measure: str) -> np.random.Generator:
    """A generator of its own for each measure, so that one more measure moves no other."""
    return np.random.default_rng([SEED, zlib.crc32(measure.encode())])


def walk(name: str, moves: str, better: int = 1, share: float = 1, leans: bool = True) -> Array:
    """How far a figure has moved, quarter by quarter: a level with a lean that wanders.

    `share` is that of its variance; of what many areas share, and of what one of them adds to it.
    """
    drawn, number = noise(f"{name} path"), len(QUARTERS)
    size, lean = MOVES[moves]
    yearly = drawn.normal(lean, LEAN_SPREAD) + drawn.normal(0, LEAN_WANDERS / 2, number).cumsum()
    jumps = LEVEL * drawn.standard_t(TAILS, number) * np.sqrt((1 - 2 / TAILS) / 2.75)
    # A year's mean has half of what each quarter has.
    blips = drawn.normal(0, 2 * BLIP, number)
    moved = leans * yearly.cumsum() / 4 + np.sqrt(share) * (jumps.cumsum() + blips)
    return np.asarray(better * size * moved)


def year(first: int) -> slice:
    """The quarters of a year."""
    return slice(4 * (first - YEARS[0]), 4 * (first - YEARS[0]) + 4)


BASELINE = year(BASELINE_YEAR)


def level(start: float, moved: Array, scale: Scale = "positive", at: slice = BASELINE) -> Array:
    """Figures that have moved so far from a start, their mean in a year or at a quarter."""
    moved = moved - moved[at].mean()
    if scale == "percent":
        return np.asarray(
            100 * np.sin((np.arcsin(np.sqrt(start / 100)) + moved).clip(0, 1.57)) ** 2
        )
    return np.asarray(start * (1 + moved).clip(0) ** 2)


def by_year(quarters: Array, first: int = 2001) -> Array:
    """Means of the years from the first on."""
    return quarters.reshape(-1, 4).mean(axis=1)[YEARS.index(first) :]


def counts(
    measure: str, yearly: Array, seasons: tuple[int, ...] = (1, 1, 1, 1), fixed: int | None = None
) -> Array:
    """Quarterly counts around levels of a year; the baseline year adds up to `fixed`."""
    shares = np.array(seasons) / sum(seasons)
    drawn = noise(measure).poisson(yearly * np.tile(shares, len(YEARS))).astype(float)
    if fixed is not None:
        drawn[BASELINE] = shared_out(fixed, drawn[BASELINE])
    return drawn


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
    file: str, measure: str, values: Array, first_year: int = 2001, days: int = 30
) -> list[dict[str, object]]:
    """Final figures on time."""
    return [
        row(file, measure, period, value, "final", days)
        for period, value in zip(QUARTERS, values, strict=True)
        if period.start >= date(first_year, 4, 1)
    ]


def revised_rows(file: str, measure: str, values: Array) -> list[dict[str, object]]:
    """Provisional figures on time, most of them a little low; revised a quarter later."""
    low = noise(f"{measure} provisional").normal(*FIRST_SHARE, len(values))
    rows = []
    for period, value, share in list(zip(QUARTERS, values, low, strict=True))[4:]:
        rows.append(row(file, measure, period, np.floor(value * share), "provisional", 32))
        rows.append(row(file, measure, period, value, "revised", 118))
    return rows


def rate_rows(
    file: str, measure: str, over: Array, under: Array, first_year: int = 2001
) -> list[dict[str, object]]:
    """Percentages with their numerator and denominator."""
    return [
        row(file, measure, period, 100 * n / d, "final", 35, int(n), int(d))
        for period, n, d in zip(QUARTERS, over, under, strict=True)
        if period.start >= date(first_year, 4, 1)
    ]


def exam_rows(
    measure: str, start: float, moved: Array, pupils: int, last: int = 2005
) -> list[dict[str, object]]:
    """Results once a year from summer 2002 on: provisional in October, final in January."""
    summers = range(2002, last + 1)
    percents = by_year(level(start, moved, "percent", year(2001)))[: len(summers)]
    percents[0] = start  # which the mean of a year's quarters on another scale only nears
    rows = []
    shifts = noise(f"{measure} provisional").normal(0, FIRST_POINTS, len(summers))
    for summer, percent, shift in zip(summers, percents, shifts, strict=True):
        period = parse_period(f"summer {summer}")
        passed = round(pupils * percent / 100)
        value = round(100 * passed / pupils, 1)
        first = round(value + shift, 1)
        rows.append(row("education", measure, period, first, "provisional", 45))
        rows.append(row("education", measure, period, value, "final", 142, passed, pupils))
    return rows


def shared_out(total: int, weights: Array) -> NDArray[np.int64]:
    """Whole numbers in these proportions that add up to the total: the largest remainders."""
    exact = total * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    whole[np.argsort(whole - exact)[: total - whole.sum()]] += 1
    return whole


def school_rows(county: list[dict[str, object]]) -> list[dict[str, object]]:
    """The county's final results school by school: cohorts and passes add up to the county's."""
    rows = []
    generator = noise("N2 upper schools")
    finals = [line for line in county if line["measure"] == "N2" and line["flag"] == "final"]
    size, apart = (np.array(column) for column in zip(*SCHOOLS.values(), strict=True))
    # A step of the arcsine root is four of the log odds, near one half.
    moved = 4 * np.array(
        [
            by_year(walk(f"N2 {name}", "usual", share=1 - COMMON, leans=name in INTENSIVE))
            for name in SCHOOLS
        ]
    )
    for number, line in enumerate(finals):
        passed, pupils = int(str(line["numerator"])), int(str(line["denominator"]))
        cohorts = shared_out(pupils, size * generator.normal(1, 0.015, len(size)))
        odds = passed / (pupils - passed) * np.exp(apart + moved[:, number] - moved[:, 0])
        period = parse_period(str(line["period"]), "exam_year")
        passes = shared_out(passed, generator.binomial(cohorts, odds / (1 + odds)))
        for name, n, d in zip(SCHOOLS, passes, cohorts, strict=True):
            area = f"Upper school {name} (illustrative)"
            value = 100 * n / d
            rows.append(row("schools", "N2", period, value, "final", 142, int(n), int(d), area))
    return rows


def district_rows(county: list[dict[str, object]]) -> list[dict[str, object]]:
    """The county's vehicle crime by district, each vintage adding up to the county's."""
    rows = []
    generator = noise("N13 districts")
    paths = [
        level(share, walk(f"N13 {name}", "usual", share=1 - COMMON, leans=False))
        for name, share in DISTRICTS.items()
    ]
    lines = [line for line in county if line["measure"] == "N13"]
    for period, shares, *vintages in zip(
        QUARTERS[4:], np.array(paths).T[4:], lines[::2], lines[1::2], strict=True
    ):
        totals = [int(float(str(line["value"]))) for line in vintages]
        # The smaller vintage is a part of the larger one.
        larger = generator.multinomial(max(totals), shares / shares.sum())
        smaller = generator.multivariate_hypergeometric(larger, min(totals))
        for total, line in zip(totals, vintages, strict=True):
            days = 32 if line["flag"] == "provisional" else 118
            values = larger if total == max(totals) else smaller
            for name, value in zip(DISTRICTS, values, strict=True):
                flag = str(line["flag"])
                rows.append(row("police_districts", "N13", period, value, flag, days, area=name))
    return rows


def year_rows(measure: str, parts: Array) -> list[dict[str, object]]:
    """Yearly percentages of few people, as numerators and denominators."""
    return [
        row(
            "social_services",
            measure,
            parse_period(f"{first}/{(first + 1) % 100:02d}"),
            100 * n / d,
            "final",
            40,
            int(n),
            int(d),
        )
        for first, n, d in zip(YEARS[1:], *parts, strict=True)
    ]


#: The baskets behind N10: each council's indicators, in the baseline year.
BASKETS: dict[str, dict[str, float]] = {
    "Leicestershire": {
        "help-at-home": 74,
        "road-condition": 16,
        "library-visits": 4900,
        "invoices": 84,
        "sickness": 10.9,
    },
    "Blaby": {"planning": 64, "benefit-days": 44, "council-tax": 97.4, "sickness": 9.9},
    "Charnwood": {
        "planning": 58,
        "benefit-days": 49,
        "relet-days": 39,
        "invoices": 88,
        "sickness": 11.2,
    },
    "Harborough": {"planning": 69, "benefit-days": 38, "council-tax": 98.1, "invoices": 92},
    "Hinckley and Bosworth": {
        "planning": 61,
        "benefit-days": 42,
        "relet-days": 34,
        "council-tax": 97.2,
    },
    "Melton": {"planning": 66, "benefit-days": 36, "invoices": 90},
    "North West Leicestershire": {
        "planning": 55,
        "benefit-days": 53,
        "relet-days": 45,
        "sickness": 12.1,
    },
    "Oadby and Wigston": {"planning": 71, "council-tax": 97.9, "sickness": 8.9},
}

#: Of the indicators: how they move, and whether less is better. The rest move as is usual.
INDICATOR_MOVES = {"help-at-home": "help at home", "invoices": "invoices", "council-tax": "smooth"}

LESS_IS_BETTER = {"road-condition", "sickness", "benefit-days", "relet-days"}

#: Percentages and means that rest on so many cases a year (assumed), so that chance moves them.
OF_CASES, CASES = {"planning", "benefit-days", "relet-days", "sickness", "road-condition"}, 1000

PERCENTAGES = {"road-condition", "invoices", "planning", "council-tax"}

#: Net budgets of 2002/03 in millions of pounds, and how they grow in a year: mean and spread.
#: Assumed: one to two per cent above the deflator.
NET_BUDGETS = {
    "Leicestershire": 402.6,
    "Blaby": 9.42,
    "Charnwood": 15.87,
    "Harborough": 8.63,
    "Hinckley and Bosworth": 9.95,
    "Melton": 5.84,
    "North West Leicestershire": 10.48,
    "Oadby and Wigston": 6.21,
}

GROWTH = (0.04, 0.008)

DEFLATOR = [100, 102.8, 105.6, 107.9]

#: Counted another way from 2004/05 on, and the old way until then: the council and by how much.
COUNTED_ANEW = {"road-condition": ("Leicestershire", 6.5)}


def basket_rows() -> list[dict[str, object]]:
    """The indicators of every basket, from the baseline on, with the budgets and the deflator."""
    years = [parse_period(f"{first}/{(first + 1) % 100:02d}") for first in YEARS[2:]]
    rows = []
    for council, basket in BASKETS.items():
        for name, start in basket.items():
            file, measure = "cost_effectiveness_indicators", f"N10-{name}"
            better = -1 if name in LESS_IS_BETTER else 1
            moved = walk(f"{measure} {council}", INDICATOR_MOVES.get(name, "usual"), better)
            scale: Scale = "percent" if name in PERCENTAGES else "positive"
            values = by_year(level(start, moved, scale), BASELINE_YEAR)
            chance = noise(f"{measure} {council} chance")
            if name in OF_CASES and scale == "percent":
                values = 100 * chance.binomial(CASES, values / 100) / CASES
            elif name in OF_CASES:
                values *= chance.gamma(CASES, 1 / CASES, len(years))  # as spread as they are large
            values[0] = start
            anew, shift = COUNTED_ANEW.get(name, ("", 0))
            values = np.round(values, 1 if start < 1000 else 0)
            for number, (period, value) in enumerate(zip(years, values, strict=True)):
                if council != anew or number < 3:
                    rows.append(row(file, measure, period, value, "final", 95, area=council))
                if council == anew and number > 1:
                    new, counted = f"{measure}-new", round(value + shift, 1)
                    rows.append(row(file, new, period, counted, "final", 95, area=council))
        growth = noise(f"N10-budget {council}").normal(*GROWTH, len(years)).cumsum()
        budgets = np.round(NET_BUDGETS[council] * np.exp(growth - growth[0]), 2)
        for period, value in zip(years, budgets, strict=True):
            file = "cost_effectiveness_budgets"
            rows.append(row(file, "N10-budget", period, value, "final", 180, area=council))
    for period, value in zip(years, DEFLATOR, strict=True):
        file, area = "cost_effectiveness_budgets", "United Kingdom"
        rows.append(row(file, "N10-deflator", period, value, "final", 90, area=area))
    return rows


def index_rows(baskets: list[dict[str, object]]) -> list[dict[str, object]]:
    """The index that the baskets give, known when the accounts are closed."""
    known = pd.DataFrame(baskets).assign(sheet="", column="", illustrative=True)
    known = (
        known.astype({"numerator": float, "denominator": float}).rename_axis("row").reset_index()
    )
    ends = [parse_period(period).end for period in known["period"]]
    known["period_end"] = pd.to_datetime(ends)
    agreement = load_agreement(Path(__file__).parent)
    readings = make_readings(known, agreement)
    overall = cost_effectiveness(readings, agreement, max(ends)).overall
    return [
        row("cost_effectiveness", "N10", parse_period(label), round(ratio, 1), "final", 180)
        for label, ratio in zip(overall["year"], overall["ratio"], strict=True)
    ]


def family_rates(
    measure: str, areas: list[str], middle: float, spread: float, moves: str, common: Array
) -> Array:
    """Yearly percentages of areas around a middle, which move with what is common and alone."""
    starts = noise(f"{measure} starts").normal(middle, spread, len(areas))
    own = [walk(f"{measure} {area}", moves, share=1 - COMMON, leans=False) for area in areas]
    paths = [
        level(start, common + moved, "percent") for start, moved in zip(starts, own, strict=True)
    ]
    return np.array([by_year(rates, YEARS[0]) for rates in paths])


def family_rows(measure: str, n: Array, d: Array) -> list[dict[str, object]]:
    """Yearly percentages of the county and its family, half a year after each year's end.

    Authority C's third last figure is estimated, and Authority K's came half a year late.
    """
    rows = []
    for area, numerators, denominators in zip([AREA, *FAMILY], n, d, strict=True):
        for begin, *parts in zip(YEARS, numerators, denominators, strict=True):
            period = parse_period(f"{begin}/{(begin + 1) % 100:02d}")
            flag = "estimated" if (area, begin) == ("Authority C", 2003) else "final"
            days = 365 if (area, begin) == ("Authority K", 2003) else 183
            over, under = (int(each) for each in parts)
            value = 100 * over / under
            rows.append(row("family", measure, period, value, flag, days, over, under, area))
    return rows


def make() -> pd.DataFrame:
    """All illustrative returns, one row each, with the file that each belongs to."""
    rows: list[dict[str, object]] = []

    # Police. 9,150 offences: the published 15.0 per 1,000 residents of the force area, at the
    # county's 610,000 residents. Provisional first, revised a quarter later.
    crime = counts("N13", level(9150, walk("N13", "usual", -1)), (24, 25, 27, 24), 9150)
    rows += revised_rows("police", "N13", crime)
    reported = walk("L4-incidents", "usual")
    incidents = counts("L4-incidents", level(4294, reported), (26, 27, 23, 24), 4294)
    rows += revised_rows("police", "L4-incidents", incidents)
    # Victims go with incidents; 441 of 3,500 are the baseline's 12.6 %.
    victims = counts("L4 victims", level(3500, reported), fixed=3500)
    again = level(12.6, walk("L4-repeat", "again", -1), "percent")
    repeats = noise("L4-repeat").binomial(victims.astype(int), again / 100)
    repeats[BASELINE] = shared_out(441, repeats[BASELINE])
    rows += rate_rows("police", "L4-repeat", repeats, victims)

    # Road casualties: small counts, so noise of one in ten is ordinary. Both kinds of road start
    # between the average of 1994-98 and the 308 that STATS19 has for 2005 (road_casualties.csv).
    starts = {"N26-county": (292, (24, 25, 27, 24)), "N26-trunk": (51, (1, 1, 1, 1))}
    casualties = {
        measure: counts(measure, level(start, walk(measure, "casualties", -1)), seasons)
        for measure, (start, seasons) in starts.items()
    }
    casualties["N26-all"] = casualties["N26-county"] + casualties["N26-trunk"]
    for measure, values in casualties.items():
        rows += count_rows("highways", measure, values)

    # A new programme, so there is nothing before 2003/04. Where it starts is assumed.
    young = counts("L5 young people", level(160, walk("L5 young people", "usual")))
    share = level(58, walk("L5", "care leavers"), "percent", year(2003))
    placed = noise("L5").binomial(young.astype(int), share / 100)
    rows += rate_rows("youth_offending", "L5", placed, young, first_year=2003)

    # Examinations.
    rows += exam_rows("N2", 53.2, walk("N2", "gcse"), 7250)
    rows += exam_rows("L1-english", 30, walk("L1-english", "key stage 2"), 7100)
    rows += exam_rows("L1-maths", 29, walk("L1-maths", "key stage 2"), 7100)
    rows += exam_rows("L2", 78, walk("L2", "special needs"), 500, last=2006)

    # Looked-after young people: few, so one of them moves the rate by two points or more.
    leavers = noise("N6-eet leavers").poisson(38, len(YEARS) - 1)
    started = by_year(level(50, walk("N6-eet", "care leavers"), "percent"))
    started = noise("N6-eet").binomial(leavers, started / 100)
    started[1], leavers[1] = 19, 38
    rows += year_rows("N6-eet", np.array([started, leavers]))
    missed = by_year(level(21, walk("N6-absence", "looked after", -1), "percent"))
    missed[1] = 21
    rows += year_rows("N6-absence", np.array([np.round(2 * missed), np.full(len(missed), 200)]))
    found = level(112, walk("N14-into-work", "usual"))
    helped = counts("N14-into-work", found, (22, 25, 23, 30), 112)
    rows += count_rows("social_services", "N14-into-work", helped)

    # Drug treatment: people in treatment on the last day, 972 at the baseline. General
    # practitioners join one by one, at chance, at the pace that makes the six asked for.
    last_quarter = slice(BASELINE.stop - 1, BASELINE.stop)
    treated = level(972, walk("N7-treatment", "usual"), at=last_quarter)
    rows += count_rows("drug_action_team", "N7-treatment", np.round(treated))
    joining = noise("N7-gps").poisson(np.repeat([0, 0.5], 12))
    rows += count_rows("drug_action_team", "N7-gps", joining.cumsum(), first_year=2003)

    # Bus journeys in millions: fewer in summer. 15.3 were published for about 2004/05.
    yearly = level(15.3, walk("N9", "smooth"), at=year(2004))
    journeys = yearly / 4 * np.tile([0.99, 0.93, 1.06, 1.02], len(YEARS))
    rows += count_rows("bus_operators", "N9", np.round(journeys, 3))

    # Tonnes: gardens grow in the first two quarters. 35 / 1.52 % in the baseline year.
    yearly = level(340e3, walk("L7 waste", "smooth"))
    waste = np.round(yearly / 4 * np.tile([1.06, 1.03, 0.97, 0.94], len(YEARS)))
    everywhere = walk("L7", "recycled", share=COMMON)
    own = walk("L7 county", "recycled", share=1 - COMMON, leans=False)
    rate = level(35 / 1.52, everywhere + own, "percent")
    recycled = np.round(waste * rate / 100 * np.tile([1.10, 1.05, 0.95, 0.89], len(YEARS)))
    exact = waste[BASELINE].sum() * 35 / 152 / recycled[BASELINE].sum()
    recycled[BASELINE] = np.round(recycled[BASELINE] * exact)
    rows += rate_rows("waste", "L7", recycled, waste)

    # The family moves with the county's measure, and each authority on its own. The county's years
    # are its quarters above; 2000/01 comes before them.
    size = np.round(noise("L7-family").uniform(150e3, 620e3, len(FAMILY)), -3)
    tonnes = np.round(np.outer(size, np.linspace(1, 1.04, len(YEARS))))
    rates = family_rates("L7-family", FAMILY, 22, 4.2, "recycled", everywhere)
    years = [4 * by_year(quarters, YEARS[0]) for quarters in (recycled, waste)]
    numerators = np.vstack([years[0], np.round(tonnes * rates / 100)])
    rows += family_rows("L7-family", numerators, np.vstack([years[1], tonnes]))

    # Drug treatment sustained or completed: some authorities have few people in treatment.
    people = np.array(
        [860, 95, 140, 180, 230, 290, 340, 410, 480, 560, 640, 720, 810, 930, 1080, 1260, 1490]
    )
    in_treatment = np.round(np.outer(people, np.linspace(0.86, 1.12, len(YEARS))))
    common = walk("N7-family", "usual", share=COMMON)
    shares = family_rates("N7-family", [AREA, *FAMILY], 45, 4.5, "usual", common)
    sustained = noise("N7-family").binomial(in_treatment.astype(int), shares / 100)
    rows += family_rows("N7-family", sustained, in_treatment)

    baskets = basket_rows()
    rows += index_rows(baskets) + baskets

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


@dataclass(frozen=True)
class Series:
    """Yearly readings of one measure in one area, oldest first; a group is of one measure."""

    group: str
    values: Array
    scale: Scale
    better: int  # 1 where more is better, -1 where less is


#: What sets of as many real series show: the lowest and the highest of each statistic, as far apart
#: as leaves nine sets in ten within all of them, and so both sets in four cases out of five.
#: ``benchmarks/realism.py`` prints them and names the sources.
REAL: dict[str, dict[str, tuple[float, float]]] = {
    "measures": {
        "log of the usual step": (-3.788, -2.405),
        "mean step to the better": (-0.02, 0.682),
        "steps to the better": (0.479, 0.818),
        "agreement of steps one year apart": (-0.3, 0.4),
        "turns": (0.219, 0.656),
        "second differences against first": (0.955, 1.555),
        "explained by a straight line": (0.337, 0.785),
        "better than unchanged": (0.375, 0.906),
        "better than the trend": (0.25, 0.812),
        "error of unchanged": (0.699, 1.35),
        "error of the trend": (0.785, 1.633),
        "better than our forecast's middle": (0.357, 0.893),
        "within our forecast's 80 %": (0.429, 1.0),
    },
    "baskets and family": {
        "log of the usual step": (-3.933, -2.441),
        "mean step to the better": (-0.027, 0.513),
        "steps to the better": (0.469, 0.755),
        "agreement of steps one year apart": (-0.21, 0.303),
        "turns": (0.308, 0.597),
        "second differences against first": (1.079, 1.502),
        "explained by a straight line": (0.365, 0.674),
        "better than unchanged": (0.446, 0.792),
        "better than the trend": (0.346, 0.731),
        "error of unchanged": (0.713, 1.097),
        "error of the trend": (0.966, 1.368),
        "better than our forecast's middle": (0.394, 0.808),
        "within our forecast's 80 %": (0.677, 0.939),
    },
}


def statistics(series: list[Series]) -> dict[str, float]:
    """What a set of series is like; its forecasts rest on the first three readings of each.

    Steps are on the scale of `MOVES` and to the better; each series counts the same, since they are
    divided by its own usual step.
    """
    table = [_alone(each) for each in series]
    longest = max(len(each.values) for each in series)
    panel = np.array(
        [
            np.pad(each.values, (0, longest - len(each.values)), constant_values=np.nan)
            for each in series
        ]
    )
    scales, groups = [each.scale for each in series], [each.group for each in series]
    forecast = forecast_series(panel[:, :3], longest - 3, scales, groups=groups)
    came, better = panel[:, 3:], np.array([[each.better] for each in series])
    low, middle, high = np.moveaxis(forecast.quantile([0.1, 0.5, 0.9]), 2, 0)
    counted = ~np.isnan(came)
    result = pd.DataFrame(table).mean().to_dict()
    result["log of the usual step"] = float(pd.DataFrame(table)["log of the usual step"].median())
    result["better than our forecast's middle"] = (better * (came - middle) > 0)[counted].mean()
    result["within our forecast's 80 %"] = ((low <= came) & (came <= high))[counted].mean()
    return result


def _alone(series: Series) -> dict[str, float]:
    """What one series is like."""
    share = np.arcsin(np.sqrt(series.values.clip(0, 100) / 100))
    root = np.sqrt(series.values / series.values.mean())
    figures = series.better * (share if series.scale == "percent" else root)
    usual = np.sqrt((np.diff(figures) ** 2).mean())
    figures = figures / usual
    steps, years = np.diff(figures), np.arange(len(figures))
    # From the third reading on: as it was, or along the line from the first to the third.
    ahead = years[3:] - 2
    unchanged, trend = (
        figures[3:] - figures[2] - slope * ahead for slope in (0, (figures[2] - figures[0]) / 2)
    )
    return {
        "log of the usual step": np.log(usual),
        "mean step to the better": steps.mean(),
        "steps to the better": (steps > 0).mean(),
        "agreement of steps one year apart": (steps[1:] * steps[:-1]).mean(),
        "turns": (steps[1:] * steps[:-1] < 0).mean(),
        "second differences against first": np.sqrt((np.diff(steps) ** 2).mean()),
        "explained by a straight line": np.corrcoef(years, figures)[0, 1] ** 2,
        "better than unchanged": (unchanged > 0).mean(),
        "better than the trend": (trend > 0).mean(),
        "error of unchanged": np.abs(unchanged).mean(),
        "error of the trend": np.abs(trend).mean(),
    }


def made_series(table: pd.DataFrame) -> dict[str, list[Series]]:
    """The illustrative measures and, apart, the baskets and the family, year by year."""
    measures = load_agreement(Path(__file__).parent).measures
    parts = ["schools", "police_districts", "cost_effectiveness_budgets"]
    # N26-all is the sum of the two kinds of road; how many practitioners there are is decided.
    left_out = table["file"].isin(parts) | table["measure"].isin(["N26-all", "N7-gps"])
    rows = table[~left_out & (table["flag"] != "provisional")]
    ends = pd.to_datetime([parse_period(label).end for label in rows["period"]])
    rows = rows.assign(year=(ends + pd.DateOffset(months=9)).year)
    result: dict[str, list[Series]] = {"measures": [], "baskets and family": []}
    for (file, measure, area), lines in rows.groupby(["file", "measure", "area"]):
        row, years = measures.loc[measure], lines.groupby("year")
        values = years["value"].last() if row["basis"] == "point" else years["value"].sum()
        if row["unit"] == "percent" and lines["numerator"].notna().all():
            values = 100 * years["numerator"].sum() / years["denominator"].sum()
        if len(values) > 3:
            many = file == "family" or measure.startswith("N10-")
            counted: Scale = "count" if row["made_of"] == "cases" else "positive"
            scale: Scale = "percent" if row["unit"] == "percent" else counted
            better = 1 if row["polarity"] == "higher" else -1
            group = measure if file == "family" else f"{measure} {area}"
            of = "baskets and family" if many else "measures"
            result[of].append(Series(group, values.to_numpy(dtype=float)[-5:], scale, better))
    return result


def check() -> bool:
    """Print what the returns are like beside what real series are like; whether it is so of all."""
    real = True
    for name, series in made_series(make()).items():
        print(f"{name}: {len(series)} series")
        for statistic, value in statistics(series).items():
            low, high = REAL[name][statistic]
            inside = low <= value <= high
            verdict = "" if inside else "  outside"
            print(f"{statistic:40}{value:8.2f}{low:8.2f} to{high:6.2f}{verdict}")
            real &= inside
    return real


def main(raw: Path) -> None:
    """Write one CSV file per partner, what leads report of the commitments, and checksums."""
    folder = raw / "returns"
    folder.mkdir(parents=True, exist_ok=True)
    make_progress().to_csv(raw / "progress.csv", index=False, lineterminator="\n")
    for file, table in make().groupby("file"):
        table = table.drop(columns="file").sort_values(["measure", "received"], kind="stable")
        for column in ("numerator", "denominator"):
            table[column] = table[column].astype("Int64")
        path = folder / f"{file}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        sidecar = path.with_name(f"{path.name}.toml")
        if sidecar.is_file():
            line = f'checksum = "{checksum(path)}"'
            sidecar.write_text(
                re.sub("(?m)^checksum = .*$", line, sidecar.read_text("utf-8")), "utf-8"
            )


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(not check())
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "raw")
