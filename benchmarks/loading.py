"""How long large files take to load and clean, beside what their readers alone need.

A CSV file of 400 councils, 100 measures and as many quarters as make the rows, against plain
`pandas.read_csv`; and a workbook of 60,000 figures against python-calamine. The ratios are what
to look at, since machines are noisy.

    python benchmarks/loading.py [--rows 1000000]
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

from psa_analysis.periods import quarter
from psa_analysis.pipeline import ROOT
from psa_analysis.register.agreement import Agreement
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary, "raw", "returns")
        raw.mkdir(parents=True)
        returns(parser.parse_args().rows).to_csv(raw / "many.csv", index=False)
        compare(Path(temporary), raw / "many.csv", pd.read_csv)
        returns(80_000)[:60_000].to_excel(raw / "many.xlsx", index=False, engine="xlsxwriter")
        compare(
            Path(temporary),
            raw / "many.xlsx",
            lambda path: CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(),
        )
