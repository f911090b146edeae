"""How long large files take to load and clean, beside what their readers alone need.

A CSV file of 400 councils, 100 measures and as many quarters as make the rows, against plain
`pandas.read_csv`; and a workbook of 60,000 figures against python-calamine. The ratios are what
to look at, since machines are noisy. With a panel of real figures at hand (columns measure, area,
period, value and unit, years as they end), also whether each of them comes back unchanged from a
file with headings of its own and numbers of 17 digits.

    python benchmarks/loading.py [--rows 1000000] [--panel FILE.parquet]
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from python_calamine import CalamineWorkbook

from psa_analysis.findings import errors
from psa_analysis.periods import quarter
from psa_analysis.pipeline import ROOT
from psa_analysis.register.agreement import Agreement, with_parsed
from psa_analysis.register.loading import load_agreement
from psa_analysis.returns.cleaning import clean_returns
from psa_analysis.returns.sources import Sidecar
from psa_analysis.returns.table import load_returns


def many(councils: int, measures: int) -> Agreement:
    """Leicestershire's agreement with so many areas and quarterly measures instead of its own."""
    agreement = load_agreement(ROOT / "data")
    copies = pd.concat([agreement.measures.loc[["N7-treatment"]]] * measures)
    copies.index = pd.Index([f"N{n}" for n in range(100, 100 + measures)], name="measure")
    copies["title"] = [f"measure {n}" for n in range(measures)]
    areas = pd.DataFrame({"area": [f"Council {n}" for n in range(councils)], "kind": "county"})
    return dataclasses.replace(agreement, measures=copies, areas=areas.assign(part_of=""))


def returns(rows: int) -> pd.DataFrame:
    """A figure of every measure, council and quarter."""
    numbers = range(max(1, rows // 40_000))
    quarters = pd.Series([quarter(2000 + n // 4, n % 4 + 1).label for n in numbers])
    names = {"measure": [f"N{n}" for n in range(100, 200)]}
    names |= {"area": [f"Council {n}" for n in range(400)], "period": quarters}
    table = pd.MultiIndex.from_product(names.values(), names=names).to_frame(index=False)
    return table.assign(value=np.random.default_rng(1).poisson(1000, len(table)))


def timed(name: str, work: Callable[[], object]) -> None:
    started = time.perf_counter()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {name:<16} {time.perf_counter() - started:7.2f} s  peak so far {peak:6.0f} MiB")


def compare(folder: Path, path: Path, alone: Callable[[Path], object]) -> None:
    """Print how long the reader alone, loading, and loading with cleaning take."""
    known = {"measure": ["N100"], "area": ["Council 1"]}
    sidecar = Sidecar(received=date(2025, 1, 1), checksum="")
    agreement = many(400, 100)

    def load() -> pd.DataFrame:
        return load_returns(folder, {f"raw/returns/{path.name}": sidecar}, known)[0]

    print(f"{path.name}: {path.stat().st_size / 2**20:.1f} MiB")
    timed("reader alone", lambda: alone(path))
    timed("load", load)
    timed("load and clean", lambda: clean_returns(load(), agreement))
    path.unlink()


def panel_as_published(folder: Path, panel: pd.DataFrame) -> None:
    """Print how many figures of a panel are refused or changed on their way through a CSV file."""
    panel = panel.dropna(subset="value").drop_duplicates(["measure", "area", "period"])
    units = panel.groupby("measure")["unit"].first()
    agreement = load_agreement(ROOT / "data")
    copies = pd.concat([agreement.measures.loc[["N6-eet"]]] * len(units))
    copies.index = pd.Index([f"P{n}" for n in range(1, len(units) + 1)], name="measure")
    copies["title"], copies["unit"] = units.index, units.to_numpy()
    copies[["baseline", "without", "target"]] = np.nan  # Leicestershire's are of something else
    names = pd.DataFrame({"area": panel["area"].unique(), "kind": "county", "part_of": ""})
    agreement = dataclasses.replace(agreement, measures=with_parsed(copies), areas=names)
    written = panel.assign(value=panel["value"].map("{:.17g}".format)).drop(columns="unit")
    written.columns = ["Short Desc", "LA", "Year ending", "Latest figure"]
    path = folder / "raw" / "returns" / "panel.csv"
    written.to_csv(path, index=False)
    columns = dict(zip(["measure", "area", "period", "value"], written.columns, strict=True))
    sidecar = Sidecar(received=date(2026, 1, 1), checksum="", columns=columns, year="ends")
    known = {"measure": [*copies.index, *copies["title"]], "area": names["area"]}
    started = time.perf_counter()
    table, findings = load_returns(folder, {f"raw/returns/{path.name}": sidecar}, known)
    observations, more = clean_returns(table, agreement)
    seconds, both = time.perf_counter() - started, [*findings, *more]
    ends = observations["period_end"].dt.year.astype(str)
    found = observations.assign(name=observations["measure"].map(copies["title"]), ends=ends)
    found = found.set_index(["name", "area", "ends"])["value"]
    panel_values = panel.set_index(["measure", "area", "period"])["value"]
    same = found.reindex(panel_values.index).to_numpy() == panel_values.to_numpy()
    print(f"panel: {len(panel):,} figures, {same.sum():,} come back equal, {seconds:.1f} s")
    print(f"  {len(errors(both))} errors and {len(both)} findings")
    print(*map(str, sorted(both, key=lambda found: found.severity)[:20]), sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--panel", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary, "raw", "returns")
        raw.mkdir(parents=True)
        returns(arguments.rows).to_csv(raw / "many.csv", index=False)
        compare(Path(temporary), raw / "many.csv", pd.read_csv)
        returns(80_000)[:60_000].to_excel(raw / "many.xlsx", index=False, engine="xlsxwriter")
        compare(
            Path(temporary),
            raw / "many.xlsx",
            lambda path: CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(),
        )
        if arguments.panel:
            panel_as_published(Path(temporary), pd.read_parquet(arguments.panel))
