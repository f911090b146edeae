"""Hot spots: where parts of a measure differ from the whole by more than chance."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln

from psa_analysis.register.agreement import rate_factor

if TYPE_CHECKING:
    from psa_analysis.analysis.parts import Decomposition

_DRAWS = 10_000  # chances are then right to half a percentage point
_GRID = (15, 40)  # how many means and how many spreads are tried


@dataclass(frozen=True, eq=False)
class Hotspots:
    """Where parts differ from the whole by more than chance."""

    decomposition: Decomposition
    unit: str = ""  # of every figure: the measure's, or ``percent change`` for counts
    whole: float = float("nan")
    # One row per part, worst first: ``part``, ``observed``, ``shrunken``, ``lower`` and ``upper``
    # (95 in 100 chances), ``chance_worse`` (that the part is worse than the whole) and
    # ``verdict``: worse or better where the whole is outside the interval.
    table: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    reason: str = ""  # why there is nothing to say, else empty


def shrunken_draws(
    numerator: ArrayLike, denominator: ArrayLike, events: bool = False, seed: int = 0
) -> NDArray[np.float64]:
    """Draws of the rates behind counts: each near its own, the fewer its cases the nearer to all.

    They come from one Beta (for events Gamma), averaged over its mean and spread on a grid.
    """
    cases, size = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    pooled = cases.sum() / size.sum()
    chance = pooled if events else pooled * (1 - pooled)
    variation = (size * (cases / size - pooled) ** 2).sum() + chance * len(size)
    typical = np.sqrt(variation / size.sum())
    reach = 4 * typical / np.sqrt(len(size))
    means = np.linspace(max(pooled - reach, pooled / 1e3), pooled + reach, _GRID[0])
    means = means if events else np.minimum(means, 1 - (1 - pooled) / 1e3)
    spreads = (np.arange(_GRID[1]) + 0.5) / _GRID[1] * 5 * typical
    mean, spread = (axis.reshape(-1, 1) for axis in np.meshgrid(means, spreads))
    if events:
        first, second = (mean / spread) ** 2, mean / spread**2
        fits = gammaln(first + cases) - gammaln(first) + first * np.log(second)
        fits -= (first + cases) * np.log(second + size)
    else:
        # A share cannot spread further than between none and all.
        possible = spread**2 < mean * (1 - mean)
        mean, spread = mean[possible][:, None], spread[possible][:, None]
        strength = mean * (1 - mean) / spread**2 - 1
        first, second = mean * strength, (1 - mean) * strength
        fits = betaln(first + cases, second + size - cases) - betaln(first, second)
    weights = np.exp(fits.sum(axis=1) - fits.sum(axis=1).max())
    generator = np.random.default_rng(seed)
    drawn = generator.choice(len(weights), _DRAWS, p=weights / weights.sum())
    first, second = first[drawn], second[drawn]
    if events:
        return generator.gamma(first + cases, 1 / (second + size))
    return generator.beta(first + cases, second + size - cases)


def compared_parts(decomposed: Decomposition) -> Hotspots:
    """Where parts are better or worse than the whole after allowing for chance.

    A count has nothing that it is of, so its change since another period is looked at: of all the
    events of both periods, the share that fell into the later one.
    """
    if reason := _not_comparable(decomposed):
        return Hotspots(decomposed, reason=reason)
    parts, whole, better = decomposed.named, decomposed.whole, decomposed.better
    factor = rate_factor(decomposed.unit)
    denominator, whole_denominator = (
        counted["denominator"] if factor else counted["numerator"] + counted["numerator_before"]
        for counted in (parts, whole)
    )
    events = factor not in (None, 100)
    numerator, all_cases = parts["numerator"], np.inf if events else denominator.sum()
    if (denominator <= 0).any() or not 0 < numerator.sum() < all_cases:
        return Hotspots(decomposed, reason="all or none of the cases are counted")

    def shown(share: Any) -> Any:
        """In the unit that readers see."""
        with np.errstate(divide="ignore"):
            return factor * share if factor else 100 * (share / (1 - share) - 1)

    seed = zlib.crc32(str(decomposed.definition.name).encode())
    draws = shown(shrunken_draws(numerator, denominator, events, seed))
    level = float(shown(whole["numerator"] / whole_denominator))
    lower, middle, upper = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
    worse = (better * draws < better * level).mean(axis=0)
    verdict = np.select([worse >= 0.975, worse <= 0.025], ["worse", "better"], "may be chance")
    table = parts[["part"]].assign(observed=shown(numerator / denominator), shrunken=middle)
    table = table.assign(lower=lower, upper=upper, chance_worse=worse, verdict=verdict)
    table = table.sort_values("shrunken", ascending=better == 1, ignore_index=True, kind="stable")
    return Hotspots(decomposed, decomposed.unit if factor else "percent change", level, table)


def _not_comparable(decomposed: Decomposition) -> str:
    """Why nothing can be said of where parts differ, or nothing."""
    whole, since = decomposed.whole, decomposed.since
    if decomposed.reason:
        return decomposed.reason
    if decomposed.definition["made_of"] != "cases":
        return "the figures are not made of single cases"
    if len(decomposed.named) < 3:
        return "it takes 3 parts to see how far they differ"
    if rate_factor(decomposed.unit) is not None:
        return ""
    if not since:
        return "there is no earlier period to compare with"
    if set(whole["periods"]) & set(whole["periods_before"]):
        return f"the readings of {since} and {decomposed.period} share some of their cases"
    return ""
