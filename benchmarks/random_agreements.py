"""Agreements made by chance for the red team: small counts of every kind, in all that senders do.

Figures of each part of a measure or a county are drawn and added up, so the true figure of every
cell is known, also where the sender suppressed it, wrote something that is refused, or sent none.
"""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import psa_analysis
from psa_analysis.files import checksum

STARTER = Path(psa_analysis.__file__).parent / "starter"
COUNTY = "Example"
QUARTER_ENDS = [date(2002, 6, 30), date(2002, 9, 30), date(2002, 12, 31), date(2003, 3, 31)]
QUARTER_ENDS = [day.replace(year=day.year + year) for year in range(3) for day in QUARTER_ENDS][:11]
YEAR_ENDS = [date(year, 3, 31) for year in range(2000, 2005)]

#: Unit, what it is made of, and how readings are made of it.
COUNTS = ("point", "annual", "rolling_12m", "year_to_date", "cumulative")
RATES = ("point", "rolling_12m", "annual")
KINDS = [
    ("incidents", "cases", COUNTS),
    ("victims", "", COUNTS),
    ("people", "headcount", ("point",)),
    ("percent", "cases", RATES),
    ("percent", "", RATES),
    ("percent change", "cases", ("change_from_baseline",)),
    ("per 1,000 residents", "cases", RATES),
    ("million journeys", "amounts", ("point", "rolling_12m")),
]
FIELDS = ["measure", "reference", "title", "definition", "unit", "made_of", "polarity", "basis"]
FIELDS += ["frequency", "baseline", "baseline_period", "base", "without", "target", "due"]
FIELDS += ["parts", "partner", "document", "location"]
HEADER = ["measure", "area", "period", "value", "numerator", "denominator", "flag", "received"]

#: A figure: a count, or a numerator and a denominator.
Numbers = tuple[int, ...]


def label_of(end: date, frequency: str) -> str:
    """The period that ends on a day, as a return names it."""
    first = end.year - (end.month < 4 or frequency == "annual")
    if frequency == "annual":
        return f"{first}/{(first + 1) % 100:02d}"
    return f"{first}-{(first + 1) % 100:02d} Q{(end.month - 4) % 12 // 3 + 1}"


def write_table(path: Path, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def write_sums(folder: Path) -> None:
    """Write each return's checksum into its sidecar anew."""
    for path in (folder / "raw" / "returns").glob("*.csv"):
        beside = path.with_name(path.name + ".toml")
        lines = [line for line in beside.read_text().splitlines() if "checksum" not in line]
        beside.write_text("\n".join([*lines, f'checksum = "{checksum(path)}"\n']))


class RandomAgreement:
    """One agreement, its returns as they are written, and the true figures."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.districts = [f"District {n}" for n in range(1, self.chance.randint(2, 8) + 1)]
        several = self.chance.randint(2, 6) * (self.chance.random() < 0.5)
        self.schools = [f"School {n}" for n in range(1, several + 1)]
        self.measures: list[dict[str, object]] = []
        self.rows: list[list[object]] = []
        self.truth: dict[tuple[str, str, str, str, str], float] = {}
        wanted = self.chance.randint(2, 5)
        while len(self.measures) < wanted:
            unit, made_of, bases = self.chance.choice(KINDS)
            self._measures(unit, made_of, self.chance.choice(bases))

    def _measures(self, unit: str, made_of: str, basis: str) -> None:
        """Add a measure, sometimes with parts, and its returns."""
        number = len({row["reference"] for row in self.measures}) + 1
        quarterly = basis not in ("point",) or self.chance.random() < 0.5
        frequency = "quarterly" if quarterly else "annual"
        kind = self.chance.choice(
            [[], self.districts, self.districts, self.districts, self.schools]
        )
        parts = []
        if unit in ("incidents", "victims", "people") and self.chance.random() < 0.4:
            parts = [f"M{number}-a", f"M{number}-b"]
        for name in [f"M{number}", *parts]:
            row = dict.fromkeys(FIELDS, "not stated") | {
                "measure": name,
                "reference": f"M{number}",
                "title": f"Made-up measure {name}",
                "unit": unit,
                "made_of": made_of,
                "polarity": self.chance.choice(["higher", "lower"]),
                "basis": basis,
                "frequency": frequency,
                "base": self.chance.randint(3, 90) if basis == "change_from_baseline" else "",
                "target": "not stated" if made_of == "amounts" else self.chance.randint(3, 90),
                "due": "2005/06" if quarterly else self.chance.choice(["2004/05", "2005/06"]),
                "parts": "; ".join(parts) if not name[-1].isalpha() else "",
                "partner": "police",
                "document": "agreement",
            }
            if basis == "cumulative":
                row |= {"baseline": self.chance.randint(0, 40), "baseline_period": "2002/03"}
                row |= {"target": 90, "polarity": "higher"}
            self.measures.append(row)
        ends = QUARTER_ENDS if quarterly else YEAR_ENDS
        sizes = self._sizes(
            unit, [(m, a) for m in parts or [f"M{number}"] for a in kind or [COUNTY]]
        )
        printed = self.chance.choice([None, 0, 1, 2, 3, 4]) if kind and unit == "percent" else None
        missing = [leaf for leaf in sizes if len(sizes) > 2 and self.chance.random() < 0.06]
        for end in ends:
            self._period(unit, end, label_of(end, frequency), sizes, printed, missing)

    def _sizes(
        self, unit: str, leaves: list[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[float, float]]:
        """How many are usual of each, and among how many."""
        sizes = {}
        for leaf in leaves:
            if unit == "percent":
                among = self.chance.choice([9, 25, 60, 400])
                sizes[leaf] = self.chance.choice([0.03, 0.3, 0.5, 0.95]), among
            else:
                many = self.chance.choice([0.7, 2, 3, 8, 30, 200])
                sizes[leaf] = many, self.chance.choice([3_000, 40_000])
        return sizes

    def _drawn(self, unit: str, size: tuple[float, float]) -> Numbers:
        usual, among = size
        if unit == "percent":
            denominator = max(1, round(self.chance.gauss(among, among / 10)))
            return sum(self.chance.random() < usual for _ in range(denominator)), denominator
        count = max(0, round(self.chance.gauss(usual, usual**0.5)))
        return (count, round(among)) if unit.startswith("per ") else (count,)

    def _period(self, unit, end, period, sizes, printed, missing) -> None:
        """The returns of one period: first figures, and sometimes revised ones."""
        day = end + timedelta(days=28)
        figures = {leaf: self._drawn(unit, size) for leaf, size in sizes.items()}
        versions = [(day, figures)]
        if self.chance.random() < 0.25:
            step = self.chance.choice([1, 2, 3, 9, 30]) * self.chance.choice([1, 1, -1])
            leaf = self.chance.choice([*figures])
            first, *among = figures[leaf]
            revised = max(0, min(first + step, *among) if among else first + step)
            versions.append((day + timedelta(days=92), figures | {leaf: (revised, *among)}))
        sent: dict[tuple[str, str], Numbers] = {}
        for number, (received, version) in enumerate(versions):
            sums = dict(self._sums(version))
            for cell, numbers in sums.items():
                leaf, late = cell in figures, self.chance.random() < 0.05 and number == 0
                when = received + timedelta(days=70 * (late and cell[1] != COUNTY))
                self._true(cell, period, when, numbers)
                if number == 0:
                    self._true(cell, period, None, numbers)
                if sent.get(cell) == numbers or cell in missing:
                    continue
                sent[cell] = numbers
                bare = printed if cell[1] == COUNTY and not leaf else None
                self._row(unit, cell, period, when, numbers, bare)

    def _sums(
        self, figures: dict[tuple[str, str], Numbers]
    ) -> Iterator[tuple[tuple[str, str], Numbers]]:
        """The figures, and their sums over areas, over parts of a measure, and over both."""
        cells = set(figures)
        wholes = {(m.partition("-")[0], a) for m, a in cells}
        wholes |= {(m, COUNTY) for m, _ in cells} | {
            (m.partition("-")[0], COUNTY) for m, _ in cells
        }
        for measure, area in sorted(cells | wholes):
            inside = [
                numbers
                for (m, a), numbers in figures.items()
                if measure in (m, m.partition("-")[0]) and area in (a, COUNTY)
            ]
            yield (measure, area), tuple(map(sum, zip(*inside, strict=True)))

    def _true(self, cell: tuple[str, str], period: str, day: date | None, numbers: Numbers) -> None:
        names = ["value"] if len(numbers) == 1 else ["numerator", "denominator"]
        for name, number in zip(names, numbers, strict=True):
            self.truth[*cell, period, day.isoformat() if day else "", name] = number

    def _row(self, unit, cell, period, day, numbers, bare) -> None:
        """A row of a return: the figures, or what a sender writes in their place."""
        small = min([numbers[0], *(n - numbers[0] for n in numbers[1:])]) < 5
        doubt = self.chance.random()
        value: object = numbers[0]
        given: list[object] = ["", ""]
        if doubt < (0.2 if small else 0.02):
            value = self.chance.choice(["[c]", "<5", "*"])
        elif doubt > 0.98:
            value = f"about {numbers[0]}"
        elif unit == "percent" or unit.startswith("per "):
            rate = (100 if unit == "percent" else 1000) * numbers[0] / numbers[1]
            value = f"{rate:.{4 if bare is None else bare}f}"
            given = ["", ""] if bare is not None else list(numbers)
        elif unit == "million journeys":
            value = f"{numbers[0] / 1000:.3f}"
        self.rows.append([*cell, period, value, *given, "", day.isoformat()])

    def write(self, folder: Path) -> None:
        """Write the agreement's data folder."""
        raw = folder / "raw"
        shutil.copytree(STARTER, raw)
        shutil.rmtree(raw / "returns")
        register, returns = raw / "register", raw / "returns"
        returns.mkdir()
        for name in ("links", "notes", "assumptions", "families"):
            (register / f"{name}.csv").unlink()
        parts = [(name, "district") for name in self.districts]
        parts += [(name, "school") for name in self.schools]
        with (raw / "agreement.toml").open("a") as file:
            file.write('[objectives]\nsafer = "Safer"\n')
        areas = [[COUNTY, "county", ""], *([name, kind, COUNTY] for name, kind in parts)]
        write_table(register / "areas.csv", [["area", "kind", "part_of"], *areas])
        write_table(register / "measures.csv", [FIELDS, *(row.values() for row in self.measures)])
        references = dict.fromkeys(str(row["reference"]) for row in self.measures)
        header = ["reference", "theme", "outcome", "description", "document", "location"]
        targets = [[r, "places", f"Outcome {r}", "not stated", "agreement", r] for r in references]
        write_table(register / "targets.csv", [header, *targets])
        self._commitments(register, raw)
        write_table(returns / "figures.csv", [HEADER, *self.rows])
        sidecar = [
            'title = "Made-up figures"',
            'producer = "Example Police"',
            "received = 2003-04-01",
        ]
        sidecar += ['licence = "made up"', 'checksum = ""']
        (returns / "figures.csv.toml").write_text("\n".join(sidecar))
        write_sums(folder)

    def _commitments(self, register: Path, raw: Path) -> None:
        """Commitments whose own figures are few, of units that a list of words may not hold."""
        header = ["commitment", "objective", "level", "priority", "promise", "kind", "unit"]
        header += [
            "polarity",
            "baseline",
            "baseline_period",
            "target",
            "due",
            "due_date",
            "measure",
        ]
        units = ["young offenders", "patients", "women", "libraries", "trainees", "homes"]
        rows, reports = [], []
        for number, unit in enumerate(self.chance.sample(units, 3), start=1):
            own = [
                "level",
                unit,
                "higher",
                "not stated",
                "not stated",
                6,
                "2005/06",
                "2006-03-31",
                "",
            ]
            rows.append([f"C{number}", "safer", "high", "P", "A promise", *own])
            figure = self.chance.choice([1, 2, 3, 4, 7])
            reports.append(
                [f"C{number}", "2004-04-20", "figure", "2004-03-31", figure, "report", "yes"]
            )
        write_table(
            register / "commitments.csv",
            [[*header, "document", "location"], *([*r, "agreement", "p"] for r in rows)],
        )
        columns = ["commitment", "reported", "status", "day", "value", "evidence", "illustrative"]
        write_table(raw / "progress.csv", [columns, *reports])


def random_agreement(folder: Path, seed: int) -> dict[tuple[str, str, str, str, str], float]:
    """Write a random agreement into a new folder; gives the true figures."""
    made = RandomAgreement(seed)
    made.write(folder)
    return made.truth
