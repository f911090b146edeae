"""How fast the whole agreement's reward is simulated, beside the plain way with scipy.

Thirty measures with 10,000 draws each, all linked, 100,000 joint draws. The plain way: normals by
``scipy.stats.multivariate_normal``, probabilities by ``norm.cdf``, quantiles by ``numpy.quantile``.

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
from scipy.stats import multivariate_normal, norm

from psa_analysis.analysis.grant import simulate

MEASURES, DRAWS = 30, 100_000


def plain(parts: list[tuple[float, np.ndarray, np.ndarray]], together: np.ndarray) -> np.ndarray:
    chances = norm.cdf(multivariate_normal(cov=together, seed=1).rvs(DRAWS))
    return sum(
        share * np.quantile(low, chance, method="inverted_cdf")
        for (share, low, _), chance in zip(parts, chances.T, strict=True)
    )


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    draws = np.random.default_rng(1).random((MEASURES, 10_000))
    paid = np.where(draws >= 0.6, draws, 0)
    together = np.full((MEASURES, MEASURES), 0.3) + 0.7 * np.eye(MEASURES)
    parts = [(1 / MEASURES, row, row) for row in paid]
    ours = float(np.median([seconds(lambda: simulate(parts, together, DRAWS)) for _ in range(5)]))
    peer = float(np.median([seconds(lambda: plain(parts, together)) for _ in range(5)]))
    mean = paid.mean()
    off = abs(simulate(parts, together, DRAWS)[0].mean() / mean - 1)
    off_peer = abs(plain(parts, together).mean() / mean - 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{DRAWS:,} joint draws of {MEASURES} measures, least and most: {ours:.3f} s")
    print(f"the plain way, least alone: {peer:.3f} s, {peer / ours:.1f} times ours")
    print(f"mean against the closed form: {off:.1e} off; the plain way {off_peer:.1e}")
    print(f"peak memory {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
