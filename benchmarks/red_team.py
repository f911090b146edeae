"""Red team: whoever has a solver and several public packs of one agreement tries every hidden cell.

    python benchmarks/red_team.py [--agreements 50] [--quarters 3] [--seed 1] [--only-random]

Written apart from the library's disclosure control. The attacker knows that counts are whole and
not below 0, that no numerator is above its denominator, that areas of one kind add up to the whole
and parts to their measure, and to how many decimals a rate was printed. What is not true of the
figures is left out of its equations, so the true figures always solve them. A small cell (below
the threshold, or suppressed by its sender) that has fewer possible whole values than the threshold,
given all packs, is a recovery. Then figures that only hidden cells hold are changed in the returns:
nothing public may move. And what is shown is searched for small whole numbers.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hidden_values import Equations, Figure, Form, Solver, total
from random_agreements import STARTER, random_agreement, write_sums

from psa_analysis import pipeline
from psa_analysis.analysis.readings import periods_used
from psa_analysis.packs.workbook import tables
from psa_analysis.register.agreement import Agreement
from psa_analysis.report import Report

SHIPPED = ["2003-04 Q4", "2004-05 Q1", "2004-05 Q2", "2004-05 Q3", "2004-05 Q4"]
SHIPPED += ["2005-06 Q1", "2005-06 Q2"]
QUARTERS = ["2003-04 Q4", "2004-05 Q1", "2004-05 Q2", "2004-05 Q3"]

CELL = ["measure", "area", "period"]
NUMBERS = ["value", "numerator", "denominator"]
#: Bases whose readings are figures, or sums or pooled rates of several.
SUMS = ("point", "annual", "rolling_12m", "year_to_date", "cumulative")

Cell = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What an attack found: the kind, where, and what gave it away."""

    kind: str
    place: str
    why: str = ""


@dataclass(frozen=True)
class Pack:
    """The tables of one public pack."""

    quarter: str
    report: Report
    tables: dict[str, pd.DataFrame]


def public_packs(folder: Path, quarters: list[str]) -> list[Pack]:
    """The public packs of quarters, made in this order and remembered by the library."""
    packs = []
    for quarter in quarters:
        report = pipeline.open_report(quarter, str(folder), "public")
        packs.append(Pack(quarter, report, tables(report)))
        pipeline.remember_disclosed(report)
    return packs


def factor_of(unit: str) -> int | None:
    """What a rate was multiplied by; none for a count."""
    match = re.match(r"per ([\d,]+) ", unit)
    return 100 if unit == "percent" else int(match[1].replace(",", "")) if match else None


def decimals_of(value: float) -> int:
    """The decimals that a figure was printed to; 12 for one that was worked out."""
    decimals = len(f"{value:.10f}".rstrip("0").partition(".")[2])
    return decimals if decimals < 9 else 12


class Attack:
    """All that is known of the figures of an agreement from its public packs."""

    def __init__(self, packs: list[Pack], more: dict[Figure, float]) -> None:
        self.agreement: Agreement = packs[0].report.agreement
        returned, _ = pipeline.load_observations(self.agreement)
        self.returned = returned.assign(day=returned["received"].dt.strftime("%Y-%m-%d"))
        self.factors = self._factors()
        rows = self.returned[self.returned["measure"].isin(self.factors)]
        long = rows.melt([*CELL, "day"], NUMBERS, "number", "figure").dropna(subset="figure")
        figures = zip(*(long[name] for name in [*CELL, "day", "number"]), strict=True)
        self.equations = Equations(dict(zip(figures, long["figure"], strict=True)) | more)
        # What others have published is public already.
        public = rows["file"].str.startswith("raw/published/")
        self.published = {*zip(*(rows.loc[public, name] for name in [*CELL, "day"]), strict=True)}
        hidden = rows[rows["flag"] == "suppressed"]
        self.suppressed = {*zip(*(hidden[name] for name in [*CELL, "day"]), strict=True)}
        self.takes_part = {figure[:2] for figure in self.equations.truth}
        self.hidden: set[Cell] = set()
        for pack in packs:
            self._read(pack)

    def _factors(self) -> dict[str, int | None]:
        """What the rates of each measure are multiplied by, if it counts whole things."""
        factors = {}
        measures = self.agreement.measures[self.agreement.measures["made_of"] != "amounts"]
        for name, unit in measures["unit"].items():
            own, factor = self.returned[self.returned["measure"] == name], factor_of(unit)
            figures = own[NUMBERS[:1] if factor is None else NUMBERS[1:]]
            if (figures.isna() | (figures == figures.round())).to_numpy().all():
                factors[str(name)] = factor
        return factors

    def newest(self, pack: Pack) -> pd.DataFrame:
        """What had been returned by a pack's cut-off, the newest version of each figure."""
        seen = self.returned[self.returned["received"] <= pd.Timestamp(pack.report.cut_off)]
        return seen.drop_duplicates(CELL, keep="last")

    def _numbers(self, measure: str) -> list[str]:
        return NUMBERS[:1] if self.factors[measure] is None else NUMBERS[1:]

    def _read(self, pack: Pack) -> None:
        """Turn all that a pack shows into equations."""
        newest = self.newest(pack)
        days = dict(
            zip(zip(*(newest[name] for name in CELL), strict=True), newest["day"], strict=True)
        )
        table = pack.tables["observations"]
        table = table[table["measure"].isin(self.factors)]
        shown = table[table["value"].notna()]
        series = [shown["measure"], shown["area"]]
        decimals = shown["value"].map(decimals_of).groupby(series).max()
        for row in table.itertuples():
            cell = (row.measure, row.area, row.period)
            version, factor = (*cell, days[cell]), self.factors[row.measure]
            if pd.isna(row.value):
                self.hidden.add(version)
            for name in self._numbers(row.measure):
                if pd.notna(number := getattr(row, name)):
                    self.equations.known[*version, name] = number
                    self.equations.truth.setdefault((*version, name), number)
            if factor == 100:
                self._within(version)
            if factor and pd.notna(row.value):
                half = 0.5 * 10.0 ** -decimals[cell[:2]]
                text = f"{pack.quarter}: observations: {', '.join(cell)} is {row.value:.10g}"
                self._rate([version], row.value, half, text)
        self._sums(pack, table, days)
        self._readings(pack, table, days)

    def _within(self, version: Cell) -> None:
        form = {(*version, "numerator"): 1.0, (*version, "denominator"): -1.0}
        self.equations.add(form, -np.inf, 0, "no numerator is above its denominator")

    def _rate(self, versions: list[Cell], rate: float, half: float, text: str) -> None:
        """Note that numerators over denominators give a rate to within half a unit."""
        counted = {(*version, "numerator"): float(self.factors[version[0]]) for version in versions}
        for side, low, high in ((half, -np.inf, 1e-7), (-half, -1e-7, np.inf)):
            among = {(*version, "denominator"): -rate - side for version in versions}
            self.equations.add(counted | among, low, high, text)

    def _sums(self, pack: Pack, table: pd.DataFrame, days: dict[Any, str]) -> None:
        """Areas of one kind add up to the whole, parts to their measure."""
        areas, parts = self.agreement.areas, self.agreement.measures["parts"]
        for whole in zip(*(table[name] for name in CELL), strict=True):
            measure, area, period = whole
            kinds = areas[areas["part_of"] == area].groupby("kind")["area"]
            sums = [[(measure, part, period) for part in of_kind] for _, of_kind in kinds]
            for cells in [*sums, [(part, area, period) for part in parts[measure]]]:
                cells = [cell for cell in cells if cell[:2] in self.takes_part]
                if not any(cell in days for cell in cells):
                    continue
                for name in self._numbers(measure):
                    form = {(*cell, days.get(cell, ""), name): 1.0 for cell in cells}
                    text = f"{pack.quarter}: the {name}s of parts add up to {', '.join(whole)}"
                    self.equations.add(form | {(*whole, days[whole], name): -1.0}, 0, 0, text)
                for cell in cells:
                    if cell not in days:
                        self._missing(cell)

    def _missing(self, cell: Cell) -> None:
        """Note that what had not come in is what came later, where that is so."""
        version = (*cell, "")
        if self.factors[cell[0]] == 100:
            self._within(version)
        own = self.returned[(self.returned[CELL] == list(cell)).all(axis=1)]
        for day, name in [
            (own["day"].iloc[0], name) for name in self._numbers(cell[0]) if len(own)
        ]:
            form = {(*version, name): 1.0, (*cell, day, name): -1.0}
            self.equations.add(form, 0, 0, f"{', '.join(cell)} came in later")

    def _shown_readings(self, pack: Pack) -> pd.DataFrame:
        """All places of a pack where a reading stands."""
        latest, own = pack.tables["assessment"], pack.tables["commitments"]
        gap = latest.assign(level=latest["gap"] + latest["planned"])
        places = [pack.tables["readings"].assign(where="readings")]
        for table, value, period in (
            (latest, "latest", "latest_period"),
            (latest, "previous", "previous_period"),
            (gap, "level", "latest_period"),
            (own[own["measure"] != ""], "value", "value_period"),
        ):
            rows = table[["measure", period, value]].set_axis(
                ["measure", "period", "reading"], axis=1
            )
            area = self.agreement.settings.agreement.area
            places.append(rows.assign(area=area, where=f"assessment or commitment, {value}"))
        rows = pd.concat(places, ignore_index=True)
        return rows[rows["measure"].isin(self.factors) & rows["reading"].notna()]

    def _readings(self, pack: Pack, table: pd.DataFrame, days: dict[Any, str]) -> None:
        """Sums and rates of several periods, and changes from a level."""
        ordered = table.sort_values("period_end").groupby(["measure", "area"])
        series = {key: (rows["period"].tolist(), rows["period_end"]) for key, rows in ordered}
        for row in self._shown_readings(pack).itertuples():
            key, measure = (row.measure, row.area), self.agreement.measures.loc[row.measure]
            periods, ends = series.get(key, ([], None))
            if row.period not in periods:
                continue
            place = periods.index(row.period)
            used = int(periods_used(measure, ends.iloc[[place]]).iloc[0])
            if used <= place + 1:
                cells = [(*key, period) for period in periods[place + 1 - used : place + 1]]
                self._reading(pack, row, measure, [(*cell, days[cell]) for cell in cells])

    def _reading(self, pack: Pack, row: Any, measure: pd.Series, versions: list[Cell]) -> None:
        """One reading, of the figures in it."""
        reading, basis, decimals = float(row.reading), measure["basis"], decimals_of(row.reading)
        half = 0.5 * 10.0**-decimals if decimals < 9 else 1e-9 * max(1.0, abs(reading))
        cell = f"{row.measure}, {row.area}, {row.period}"
        text = f"{pack.quarter}: {row.where}: {cell} is {reading:.10g}, of {len(versions)} periods"
        if self.factors[row.measure] is not None:
            if basis in SUMS[:-1]:
                self._rate(versions, reading, half, text)
                for name in NUMBERS[1:]:
                    if pd.notna(number := getattr(row, name)):
                        form = {(*version, name): 1.0 for version in versions}
                        self.equations.add(form, number, number, f"{text}, {name} {number:.10g}")
            return
        ends = [reading, reading]
        if basis == "cumulative":
            ends = [reading - float(measure["baseline"])] * 2
        elif basis == "change_from_baseline":
            # Without a stated base it is the level of the baseline's period, which may be hidden.
            ends = [float(measure["base"]) * (1 + (reading + side) / 100) for side in (-half, half)]
        if basis in (*SUMS, "change_from_baseline") and not np.isnan(ends).any():
            form = {(*version, "value"): 1.0 for version in versions}
            self.equations.add(form, ends[0] - 1e-6, ends[1] + 1e-6, text)

    def recoveries(self, threshold: int) -> tuple[list[Found], int]:
        """What can be told too nearly, and how many small numbers of equations were tried."""
        known = self.equations.known
        found, tried = [*self._shown(threshold)], 0
        for solver in self.equations.components():
            for target, form in self._targets(solver, threshold):
                tried += 1
                unknown = {figure: form[figure] for figure in form if figure not in known}
                shown, true = total(form, known), None
                if form.keys() <= self.equations.truth.keys():
                    true = total(form, self.equations.truth) - shown
                values = solver.values(unknown, true, threshold)
                if len(values) < threshold:
                    kind = "recovered" if values else "no solution"
                    can_be = ", ".join(f"{value + shown:g}" for value in values)
                    why = "; ".join(solver.reasons(unknown, true, threshold))
                    found.append(Found(kind, f"{target}: {can_be}", why))
        return found, tried

    def _targets(self, solver: Solver, threshold: int) -> Iterator[tuple[str, Form]]:
        """The small figures among unknown ones, and those that their senders suppressed."""
        truth = self.equations.truth
        for version in dict.fromkeys(figure[:4] for figure in solver.place):
            counted: Form = {(*version, self._numbers(version[0])[0]): 1.0}
            forms = {"counted": counted}
            if self.factors[version[0]] == 100:
                others = {(*version, "denominator"): 1.0, (*version, "numerator"): -1.0}
                forms["not counted"] = others
            for name, form in forms.items():
                small = form.keys() <= truth.keys() and total(form, truth) < threshold
                hidden = form.keys() - self.equations.known.keys()
                if version in self.published or not hidden or not hidden <= solver.place.keys():
                    continue
                if small or version in self.suppressed:
                    yield f"{', '.join(version)}, {name}", form

    def _shown(self, threshold: int) -> Iterator[Found]:
        """Small figures that stand in a pack as they are."""
        known = self.equations.known
        for figure, number in known.items():
            if figure[4] == "denominator":
                if self.factors[figure[0]] != 100:
                    continue
                number -= known.get((*figure[:4], "numerator"), -np.inf)
            if number < threshold and figure[:4] not in self.published:
                yield Found(
                    "shown", f"{', '.join(figure)}: {number:g} (complement, if denominator)"
                )


def careless(pack: Pack) -> Iterator[Found]:
    """Rates with more decimals than their numbers allow, and commitments of a few people."""
    agreement, readings = pack.report.agreement, pack.tables["readings"]
    measures, own = agreement.measures, agreement.settings.agreement.area
    at_risk = measures.index[(measures["unit"] == "percent") & (measures["made_of"] != "amounts")]
    bare = readings[readings["reading"].notna() & readings["numerator"].isna()]
    columns = {"observations": ["value"], "readings": ["reading", "observed", "lower", "upper"]}
    columns["assessment"] = ["latest", "previous", "year_before"]
    for name, of_table in columns.items():
        rows = pack.tables[name]
        rows = rows[rows["measure"].isin(at_risk)]
        # Beside a numerator and a denominator a rate tells nothing more.
        without = rows["measure"].isin(bare.loc[bare["area"] == own, "measure"])
        rows = rows[rows["numerator"].isna() if "numerator" in rows else without]
        for column in of_table:
            for measure, rate in zip(rows["measure"], rows[column], strict=True):
                if pd.notna(rate) and decimals_of(rate) > 1:
                    place = f"{pack.quarter}, {measure}: {rate:.10g}"
                    yield Found(f"decimals of {name}.{column}", place)
    promises = pack.tables["commitments"]
    few = (promises["measure"] == "") & (promises["kind"] == "level")
    few &= promises["value"].isin([1, 2, 3, 4])
    few &= promises["commitment"].map(agreement.commitments["made_of"]) != "amounts"
    for row in promises[few].itertuples():
        yield Found("commitment", f"{pack.quarter}, {row.commitment}: {row.value:g} {row.unit}")


def other_figures(pack: Pack, attack: Attack, chance: np.random.Generator) -> dict[Cell, float]:
    """Other small numbers that hidden cells could have: those of no sum, or two of one sum."""
    table, newest, agreement = pack.tables["observations"], attack.newest(pack), attack.agreement
    rows = newest.merge(table.loc[table["value"].isna(), CELL], on=CELL)
    rows = rows[rows["measure"].isin(attack.factors) & (rows["flag"] != "suppressed")]
    parts, changes = agreement.measures["parts"], {}
    in_sums = {*parts.index[parts.map(len) > 0], *(part for own in parts for part in own)}
    rows = rows[~rows["measure"].isin(in_sums)]
    rows = rows.assign(count=rows["numerator"].fillna(rows["value"]))
    rows = rows[rows["count"] < agreement.settings.disclosure.threshold]
    own = agreement.settings.agreement.area
    for (measure, period), cells in rows.groupby(["measure", "period"]):
        of_all = newest[(newest["measure"] == measure) & (newest["period"] == period)]
        cells = cells.sort_values("count")
        if set(of_all["area"]) == {own}:
            others = {*range(5)} - {cells["count"].iloc[0]}
            changes[measure, own, period] = float(chance.choice(sorted(others)))
        elif len(cells) > 1 and own not in set(cells["area"]) and cells["count"].iloc[0] < 4:
            # One more in the smallest, one less in the largest: the sum is as it was.
            for place, step in ((0, 1), (-1, -1)):
                area, count = cells[["area", "count"]].iloc[place]
                changes[measure, area, period] = max(count + step, 0.0)
    return changes


def change_returns(folder: Path, changes: dict[Cell, float], factors: dict[str, Any]) -> None:
    """Write other figures into the returns, in every version of them."""
    for path in (folder / "raw" / "returns").glob("*.csv"):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        for place, row in rows.iterrows():
            count = changes.get(tuple(row[CELL]))
            if count is not None and re.fullmatch(r"[\d.]+", row["value"]):
                rows.loc[place, "value"] = f"{count:g}"
                if row["denominator"]:
                    rate = factors[row["measure"]] * count / float(row["denominator"])
                    rows.loc[place, ["value", "numerator"]] = [f"{rate:.4f}", f"{count:g}"]
        rows.to_csv(path, index=False)
    write_sums(folder)


def interference(folder: Path, first: Pack, attack: Attack, deep: bool) -> tuple[list[Found], int]:
    """What moves in an agreement's first public pack when figures change that it does not show."""
    changes = other_figures(first, attack, np.random.default_rng(1))
    if not changes:
        return [], 0
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(folder / "raw", Path(name) / "raw")
        change_returns(Path(name), changes, attack.factors)
        (second,) = public_packs(Path(name), [first.quarter])
    # Where other companions are needed, the packs differ in what they hide: docs/disclosure.md.
    chosen = [pack.report.withheld[[*CELL, "received"]] for pack in (first, second)]
    if not chosen[0].reset_index(drop=True).equals(chosen[1].reset_index(drop=True)):
        return [], 0
    cells = "; ".join(f"{', '.join(cell)} to {count:g}" for cell, count in [*changes.items()][:4])
    moved = differences(first, second, deep)
    return [Found("moved", place, f"{first.quarter}: {cells}") for place in moved], len(changes)


def differences(first: Pack, second: Pack, deep: bool) -> Iterator[str]:
    """Columns of tables, and measures' draws, that are not the same to the last digit."""
    both = [first.tables, second.tables]
    if deep:
        both = [pack.tables | {"record": pack.report.record} for pack in (first, second)]
    for name, table in both[0].items():
        for column in dict.fromkeys([*table, *both[1][name]]):
            texts = [frame[name].get(column, pd.Series()).map(repr).tolist() for frame in both]
            if texts[0] != texts[1]:
                yield f"{name}.{column}"
    for name, outlook in first.report.outlooks.items():
        other = second.report.outlooks[name]
        if outlook.reason != other.reason or not np.array_equal(
            outlook.draws, other.draws, equal_nan=True
        ):
            yield f"forecast of {name}"


def red_team(
    folder: Path, quarters: list[str], truth: dict[Figure, float], deep: bool = False
) -> tuple[list[Found], dict[str, int]]:
    """All attacks on one agreement's public packs, made in this order of quarters."""
    packs = public_packs(folder, quarters)
    attack = Attack(packs, truth)
    found, tried = attack.recoveries(attack.agreement.settings.disclosure.threshold)
    for pack in packs:
        found += careless(pack)
    moved, changed = interference(folder, packs[0], attack, deep)
    counts = {"hidden": len(attack.hidden), "tried": tried, "changed": changed}
    return [*found, *moved], counts | {"packs": len(packs)}


def worlds(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, Path, list[str], Any]]:
    """Agreements to attack: title, folder, quarters in the order of their packs, true figures."""
    if not options.only_random:
        for order, quarters in (("onwards", SHIPPED), ("back", SHIPPED[::-1])):
            shutil.copytree(pipeline.ROOT / "data" / "raw", folder / order / "raw")
            yield f"shipped, {order}", folder / order, quarters, {}
        shutil.copytree(STARTER, folder / "starter" / "raw")
        yield "starter", folder / "starter", QUARTERS, {}
    for seed in range(options.seed, options.seed + options.agreements):
        truth = random_agreement(folder / str(seed), seed)
        quarters = QUARTERS[-options.quarters :]
        order = [quarters, quarters[::-1], [*quarters[1:], quarters[0]]][seed % 3]
        yield f"random {seed}", folder / str(seed), order, truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--agreements", type=int, default=50)
    parser.add_argument("--quarters", type=int, default=3, choices=[1, 2, 3, 4])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only-random", action="store_true")
    parser.add_argument("--show", type=int, default=3, help="examples of a kind and agreement")
    options = parser.parse_args()
    totals: Counter[str] = Counter()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        for title, folder, quarters, truth in worlds(Path(name), options):
            started = time.process_time()
            found, counts = red_team(folder, quarters, truth, deep=not truth)
            kinds = Counter(each.kind for each in found)
            totals.update(counts)
            totals.update(kinds)
            took = time.process_time() - started
            print(f"{title}: {counts} {dict(kinds)} {took:.1f} s", flush=True)
            for kind in kinds:
                for each in [each for each in found if each.kind == kind][: options.show]:
                    print(f"    {kind}: {each.place}" + f"\n        {each.why}" * bool(each.why))
    print(f"{dict(totals)} {time.process_time() - began:.0f} s of processor")


if __name__ == "__main__":
    main()
