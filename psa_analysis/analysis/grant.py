"""Grant: what the agreement's reward comes to, decided exactly and forecast by simulation.

The rules are those of first-generation agreements (``docs/grant.md`` lists each with its test).
Where performance without the agreement is not stated, the reward is a range. At the least, only a
target that is met pays. At the most, the way begins at the baseline; without one, all is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from psa_analysis.analysis.trajectory import exact, paid_of_draws, short_of
from psa_analysis.files import meanings
from psa_analysis.periods import period_containing

if TYPE_CHECKING:
    from psa_analysis.analysis.outlook import Outlook
    from psa_analysis.register.agreement import Agreement, Floats
    from psa_analysis.register.loading import Settings

#: Joint draws of the whole agreement; a multiple of each measure's own, so that means agree.
DRAWS = 100_000
#: Draws of sums carry rounding errors in their last digits.
SLACK = 1e-9


def paid(outturn: Fraction, without: Fraction, target: Fraction, trigger: Fraction) -> Fraction:
    """The proportion of the reward that is paid: nothing below the trigger, and at most 1."""
    # One formula for both polarities.
    reached = (outturn - without) / (target - without)
    return min(reached, Fraction(1)) if reached >= trigger else Fraction(0)


def pot(settings: Settings) -> Fraction | None:
    """The whole reward in pounds, or None where neither it nor the budget is stated."""
    rules, budget = settings.grant, settings.grant.net_budget_requirement
    if not isinstance(rules.pot, str):
        return exact(rules.pot)
    return None if isinstance(budget, str) else exact(rules.share_of_budget) * exact(budget)


def pump_priming(settings: Settings) -> float | None:
    """The grant at the start in pounds, or None where the population is not stated."""
    grant = settings.grant
    if isinstance(grant.population, str):
        return None
    return grant.pump_priming + grant.pump_priming_per_head * grant.population


def pot_shares(agreement: Agreement) -> dict[str, Fraction]:
    """The share of the pot of each measure that counts; less than 1 in all if some are missing."""
    # Targets have equal shares; their measures equal ones of these, or by their weights.
    counting = agreement.measures[agreement.measures["role"] == "target"]
    # Where performance without the agreement does not apply, no stretch is rewarded.
    counting = counting[counting["without_status"] != ""]
    number = agreement.settings.grant.targets
    number = counting["reference"].nunique() if isinstance(number, str) else number
    weights = counting["weight"].fillna(1.0).map(exact)
    shares = weights / weights.groupby(counting["reference"]).transform("sum") / number
    return {str(name): share for name, share in shares.items()}


@dataclass(frozen=True)
class Reward:
    """What one measure's reward may come to, as proportions of it."""

    status: str  # final, provisional, forecast or not stated
    why: str
    #: Draws, at the least and at the most; a single one each where there is an outturn.
    least: Floats = field(default_factory=lambda: np.array([np.nan]))
    most: Floats = field(default_factory=lambda: np.array([np.nan]))


def measure_reward(row: pd.Series, outlook: Outlook, trigger: float) -> Reward:
    """What one measure's reward may come to, from its row of the assessment and its forecast."""
    decided = not row["is_forecast"] and row["state"] in ("achieved", "partly achieved", "missed")
    if pd.isna(row["target"]):
        return Reward("not stated", "no document states a target")
    if decided and pd.isna(row["latest"]):
        # What is paid would give a small number away.
        return Reward("not stated", "the outturn is not shown: small numbers")
    if outlook.reason and not decided:
        return Reward("not stated", f"no forecast: {outlook.reason}")
    why = f"performance without the agreement: {row['without_status']}"
    if not decided:
        return Reward("forecast", why, *_forecast_range(row, outlook.draws[:, -1], trigger))
    outturn, target = exact(row["latest"]), exact(row["target"])
    met = short_of(row["latest"], row, row["target"]) <= 0
    ends = _range(row, met, lambda start: paid(outturn, exact(start), target, exact(trigger)))
    status = "provisional" if row["latest_flag"] == "provisional" else "final"
    return Reward(status, why, *(np.array([float(end)]) for end in ends))


def _range(row: pd.Series, met: Any, pays: Callable[[float], Any]) -> tuple[Any, Any]:
    """What is paid at the least and at the most, where `pays` gives it for a start of the way."""
    if pd.notna(row["without"]):
        return pays(row["without"]), pays(row["without"])
    return met, np.ones_like(met) if pd.isna(row["baseline"]) else pays(row["baseline"])


def _forecast_range(row: pd.Series, outturns: Floats, trigger: float) -> tuple[Floats, Floats]:
    """What each drawn outturn pays, at the least and at the most."""
    target = float(row["target"])
    short = target - outturns if row["polarity"] == "higher" else outturns - target
    met = (short <= SLACK * max(1.0, abs(target))).astype(float)
    return _range(row, met, lambda start: paid_of_draws(outturns, start, target, trigger))


def grant_frame(
    rewards: Mapping[str, Reward], assessment: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """What each measure's reward has come to, or may come to (``columns.csv``, grant)."""
    each, shares = rewards.values(), pot_shares(agreement)
    table = assessment.set_index("measure", drop=False).loc[list(rewards)]
    table = table.assign(
        pot_share=[float(shares[name]) for name in rewards],
        status=[reward.status for reward in each],
        why=[reward.why for reward in each],
        least=[reward.least.mean() for reward in each],
        most=[reward.most.mean() for reward in each],
        low_80=[np.quantile(reward.least, 0.1) for reward in each],
        high_80=[np.quantile(reward.most, 0.9) for reward in each],
    )
    table["outturn"] = table["latest"].where(table["status"].isin(["final", "provisional"]))
    stretch = table["target"] - table["without"]
    table["proportion"] = ((table["outturn"] - table["without"]) / stretch).round(9)
    pounds = pot(agreement.settings)
    for end in ("least", "most"):
        part = np.nan if pounds is None else [float(pounds * shares[name]) for name in rewards]
        table[f"pounds_{end}"] = table[end] * part
    table["paid"] = agreement.measures["paid"].reindex(table.index)
    certain = table["outturn"].notna() & (table["least"] == table["most"])
    table["difference"] = (table["paid"] - table["pounds_most"]).where(certain)
    return table[list(meanings("grant"))].reset_index(drop=True)


def simulate(parts: list[tuple[float, Floats, Floats]]) -> tuple[Floats, Floats]:
    """Joint draws of a weighted sum of parts, each drawn by itself."""
    least, most = np.zeros(DRAWS), np.zeros(DRAWS)
    generator = np.random.default_rng(0)
    for share, low, high in parts:
        # Each draw is picked equally often, so the mean of the sum is the sum of the means.
        picked = generator.permutation(DRAWS) % len(low)
        least += share * low[picked]
        most += share * high[picked]
    return least, most


def way_starts(row: pd.Series) -> float:
    """Where the way to the target starts: performance without the agreement, or the baseline."""
    return float(row["without"] if pd.notna(row["without"]) else row["baseline"])


def reward_curve(
    row: pd.Series, outlook: Outlook, trigger: float, steps: tuple[float, ...]
) -> pd.DataFrame:
    """The expected proportion of a measure's reward, were its due reading better by each step."""
    start, target = way_starts(row), float(row["target"])
    points = []
    if not np.isnan(start) and measure_reward(row, outlook, trigger).status == "forecast":
        for step in steps:
            outturns = outlook.draws[:, -1] + step * (target - start)
            least, most = _forecast_range(row, outturns, trigger)
            points.append((step, least.mean(), most.mean()))
    return pd.DataFrame(points, columns=["step", "least", "most"], dtype=float)


def payment_frame(
    rewards: Mapping[str, Reward], readings: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """When the reward is paid: on account, and in equal instalments after the agreement."""
    settings, shares = agreement.settings, pot_shares(agreement)
    final = readings["flag"].isin(["final", "revised"]) & readings["reading"].notna()
    final &= readings["area"] == settings.agreement.area
    levels = readings[final].set_index(["measure", "period_end"])["reading"]
    rows, parts = [], []
    for name, reward in rewards.items():
        measure, share, advance = agreement.measures.loc[name], float(shares[name]), 0.0
        interim = measure["interim_at"]
        reading = levels.get((name, pd.Timestamp(interim.end))) if interim else None
        if interim and reading is not None and short_of(reading, measure, measure["interim"]) <= 0:
            advance = share * settings.grant.on_account
            paid_in = period_containing(interim.end, "financial_year").start.year + 1
            rows.append((paid_in, f"on account for {name}", advance, advance))
        if reward.status != "not stated":
            draws = np.stack([reward.least, reward.most])
            # What was paid on account is taken off the instalments, and never given back.
            parts.append(np.maximum(share * draws - advance, 0).mean(axis=1))
    to_come = np.sum(parts, axis=0) if parts else np.full(2, np.nan)
    last, number = settings.agreement.last.start.year, settings.grant.instalments
    for turn in range(1, number + 1 if rewards else 1):
        rows.append((last + turn, f"instalment {turn} of {number}", *(to_come / number)))
    table = pd.DataFrame(sorted(rows), columns=["year", "what", "least", "most"])
    table["year"] = [f"{year}/{(year + 1) % 100:02d}" for year in table["year"]]
    pounds, capital = pot(settings), settings.grant.capital_share
    for end in ("least", "most"):
        table[f"pounds_{end}"] = table[end] * (np.nan if pounds is None else float(pounds))
        split = np.nan if isinstance(capital, str) else capital
        table[f"capital_{end}"] = table[f"pounds_{end}"] * split
    return table


def partner_frame(grants: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """What rests on each partner: the rewards of all targets that it takes part in."""
    of_pot = grants[["reference", "pot_share"]].copy()
    of_pot[["least", "most"]] = grants[["least", "most"]].mul(grants["pot_share"], axis=0)
    of_pot["unknown"] = grants["pot_share"].where(grants["status"] == "not stated")
    takes_part = targets["partners"].explode().dropna().rename("partner")
    by_partner = of_pot.join(takes_part, on="reference", how="inner").groupby("partner", sort=False)
    sums = by_partner[["pot_share", "least", "most", "unknown"]].sum(min_count=1)
    sums.insert(0, "targets", by_partner["reference"].unique().map(list))
    return sums.sort_values(["most", "least"], ascending=False, kind="stable").reset_index()
