"""How long a large file takes to load and clean, beside what its reader alone needs.

A million observations (400 councils, 100 measures, 25 quarters) as CSV: `load_returns` and
`clean_returns`, with the time and peak memory of each, against plain `pandas.read_csv` of the same
file. And a workbook of about 2 MB against python-calamine alone. Each is run in a process of its
own; the ratios are what to look at, since machines are noisy.

    python benchmarks/loading.py [--rows 1000000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from psa_analysis.periods import quarter
from psa_analysis.pipeline import ROOT
from psa_analysis.register.agreement import Agreement
from psa_analysis.register.loading import load_agreement
from psa_analysis.returns.sources import Sidecar


def many(councils: int, measures: int) -> Agreement:
    """Leicestershire's agreement with so many areas and quarterly measures instead of its own."""
    agreement = load_agreement(ROOT / "data")
    one = agreement.measures.loc[["N7-treatment"]]
    copies = pd.concat([one] * measures)
    copies.index = pd.Index([f"N{n}" for n in range(100, 100 + measures)], name="measure")
    copies["title"] = [f"measure {n}" for n in range(measures)]
    areas = pd.DataFrame({"area": [f"Council {n}" for n in range(councils)], "kind": "county"})
    return dataclasses.replace(agreement, measures=copies, areas=areas.assign(part_of=""))


def write(folder: Path, rows: int) -> Path:
    """The file: 400 councils x 100 measures x as many quarters as make the rows."""
    quarters = [quarter(2000 + n // 4, n % 4 + 1) for n in range(max(1, rows // 40_000))]
    index = pd.MultiIndex.from_product(
        [
            [f"N{n}" for n in range(100, 200)],
            [f"Council {n}" for n in range(400)],
            range(len(quarters)),
        ],
        names=["measure", "area", "n"],
    )
    table = index.to_frame(index=False)
    labels = np.array([period.label for period in quarters])
    received = np.array([f"{period.end.year + 1}-06-30" for period in quarters])
    table["period"] = labels[table["n"]]
    table["value"] = np.random.default_rng(1).poisson(1000, len(table))
    table["received"] = received[table["n"]]
    path = folder / "raw" / "returns" / "many.csv"
    path.parent.mkdir(parents=True)
    (folder / "raw" / "published").mkdir()
    table.drop(columns="n").to_csv(path, index=False)
    return path


def load_only(folder: Path, path: Path) -> int:
    from psa_analysis.returns.table import load_returns

    sidecar = Sidecar(received=date(2010, 1, 1), checksum="")
    known = {"measure": ["N100"], "area": ["Council 1"]}
    return len(load_returns(folder, {f"raw/returns/{path.name}": sidecar}, known)[0])


def load_and_clean(folder: Path, path: Path) -> int:
    from psa_analysis.returns.cleaning import clean_returns
    from psa_analysis.returns.table import load_returns

    sidecar = Sidecar(received=date(2010, 1, 1), checksum="")
    known = {"measure": ["N100"], "area": ["Council 1"]}
    table, findings = load_returns(folder, {f"raw/returns/{path.name}": sidecar}, known)
    observations, more = clean_returns(table, many(400, 100))
    assert not findings and not more, (findings + more)[:3]
    return len(observations)


def pandas_alone(folder: Path, path: Path) -> int:
    return len(pd.read_csv(path))


def workbook(folder: Path) -> Path:
    """A workbook of about 2 MB: a long table of 60,000 figures."""
    table = pd.DataFrame(
        {
            "Measure": "N100",
            "Area": [f"Council {n % 400}" for n in range(60_000)],
            "Period": [quarter(1900 + n // 1600, n // 400 % 4 + 1).label for n in range(60_000)],
            "Value": np.random.default_rng(2).poisson(1000, 60_000),
        }
    )
    path = folder / "raw" / "returns" / "many.xlsx"
    table.to_excel(path, index=False, engine="xlsxwriter")
    return path


def calamine_alone(folder: Path, path: Path) -> int:
    from python_calamine import CalamineWorkbook

    return len(CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python())


def timed(work: Callable[[Path, Path], int], folder: Path, path: Path) -> tuple[float, float, int]:
    """Seconds, peak memory in MiB and rows, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (work, folder, path))


def _measure(
    work: Callable[[Path, Path], int], folder: Path, path: Path
) -> tuple[float, float, int]:
    import psa_analysis.returns.cleaning
    import psa_analysis.returns.table  # noqa: F401  # imports are not what is measured

    started = time.perf_counter()
    rows = work(folder, path)
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = write(folder, options.rows)
        print(f"{path.name}: {options.rows:,} rows, {path.stat().st_size / 2**20:.0f} MiB")
        compare([pandas_alone, load_only, load_and_clean], folder, path, options.repeat)
        path.unlink()
        book = workbook(folder)
        print(f"{book.name}: {book.stat().st_size / 2**20:.1f} MiB")
        compare([calamine_alone, load_only], folder, book, options.repeat)


def compare(
    works: list[Callable[[Path, Path], int]], folder: Path, path: Path, repeat: int
) -> None:
    """Print each one's median time and its ratio to the first's; runs take turns."""
    runs = [[timed(work, folder, path) for work in works] for _ in range(repeat)]
    first = statistics.median(run[0][0] for run in runs)
    for place, work in enumerate(works):
        seconds = statistics.median(run[place][0] for run in runs)
        memory = max(run[place][1] for run in runs)
        rows = runs[0][place][2]
        print(
            f"  {work.__name__:<16} {seconds:7.2f} s  {seconds / first:5.2f} x  "
            f"peak {memory:6.0f} MiB  {rows:>9,} rows"
        )


if __name__ == "__main__":
    main()
