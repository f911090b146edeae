"""How fast the whole agreement's reward is simulated, beside the plain way with numpy.

Thirty measures with 10,000 draws each, 100,000 joint draws. The plain way: a random probability
for each measure and draw, and the quantile at it by ``numpy.quantile``.

    python benchmarks/grant.py
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from psa_analysis.analysis.grant import DRAWS, simulate

MEASURES = 30


def plain(parts: list[tuple[float, np.ndarray, np.ndarray]]) -> np.ndarray:
    chances = np.random.default_rng(1).random((MEASURES, DRAWS))
    return sum(
        share * np.quantile(least, chance, method="inverted_cdf")
        for (share, least, _), chance in zip(parts, chances, strict=True)
    )


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    draws = np.random.default_rng(1).random((MEASURES, 10_000))
    paid = np.where(draws >= 0.6, draws, 0)
    parts = [(1 / MEASURES, row, row) for row in paid]
    ours = float(np.median([seconds(lambda: simulate(parts)) for _ in range(5)]))
    peer = float(np.median([seconds(lambda: plain(parts)) for _ in range(5)]))
    off = abs(simulate(parts)[0].mean() / paid.mean() - 1)
    off_peer = abs(plain(parts).mean() / paid.mean() - 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{DRAWS:,} joint draws of {MEASURES} measures, least and most: {ours:.3f} s")
    print(f"the plain way, least alone: {peer:.3f} s, {peer / ours:.1f} times ours")
    print(f"mean against the closed form: {off:.1e} off; the plain way {off_peer:.1e}")
    print(f"peak memory {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
