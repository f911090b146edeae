"""Grant: what the agreement's reward comes to, decided exactly and forecast by simulation.

The rules are those of first-generation agreements (``docs/grant.md`` lists each with its test):

- The pot is a share of the net budget requirement, divided equally among the targets; a target's
  share equally among its measures, or by their weights.
- p = (outturn - without) / (target - without), one formula for both polarities. Below the trigger
  nothing is paid, from it on p, and never more than 1. Each measure stands alone.

Where performance without the agreement is not stated, p cannot be worked out, and no value is
guessed. What can be said is a range. A target that is met pays in full whatever ``without`` is, so
at least that. And p falls as ``without`` comes nearer the target, so if performance without the
agreement would have been no worse than the baseline, then at most what the baseline in its place
would pay; with no baseline stated, at most the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.trajectory import exact
from psa_analysis.files import meanings
from psa_analysis.periods import Period, period_containing
from psa_analysis.register.agreement import measure_period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psa_analysis.analysis.outlook import Outlook
    from psa_analysis.register.agreement import Agreement
    from psa_analysis.register.settings import Settings

Floats = NDArray[np.float64]

#: Joint draws of the whole agreement; a multiple of each measure's own, so that means agree.
DRAWS = 100_000
#: Draws of sums carry rounding errors in their last digits.
SLACK = 1e-9

#: Columns of the grants, one row per measure that counts. ``columns.csv`` describes them.
GRANT_COLUMNS = meanings("grant")


def proportion(outturn: Fraction, without: Fraction, target: Fraction) -> Fraction:
    """How much of the stretch was reached: below 0 for an outturn worse than `without`."""
    if target == without:
        raise ValueError("the target equals performance without the agreement: there is no stretch")
    return (outturn - without) / (target - without)


def paid(reached: Fraction, trigger: Fraction) -> Fraction:
    """The proportion of the reward that is paid: nothing below the trigger, then p, at most 1."""
    return min(reached, Fraction(1)) if reached >= trigger else Fraction(0)


def _better(row: pd.Series) -> int:
    """1 where higher is better, else -1."""
    return 1 if row["polarity"] == "higher" else -1


def paid_of_draws(outturns: Floats, without: float, target: float, trigger: float) -> Floats:
    """The proportion of the reward that each drawn outturn pays."""
    reached = (outturns - without) / (target - without)
    return np.where(reached >= trigger - SLACK, np.minimum(reached, 1), 0.0)


def pot(settings: Settings) -> Fraction | None:
    """The whole reward in pounds, or None where the net budget requirement is not stated."""
    budget = settings.grant.net_budget_requirement
    if isinstance(budget, str):
        return None
    return exact(settings.grant.share_of_budget) * exact(budget)


def pump_priming(settings: Settings) -> Fraction | None:
    """The grant at the start in pounds, or None where the population is not stated."""
    grant = settings.grant
    if isinstance(grant.population, str):
        return None
    return exact(grant.pump_priming) + exact(grant.pump_priming_per_head) * grant.population


def pot_shares(agreement: Agreement) -> dict[str, Fraction]:
    """The share of the pot of each measure that counts (role ``target``); they add up to 1."""
    counting = agreement.measures[agreement.measures["role"] == "target"]
    weights = counting["weight"].fillna(1.0).map(exact)
    of_target = weights.groupby(counting["reference"]).transform("sum")
    shares = weights / of_target / counting["reference"].nunique()
    return {str(name): share for name, share in shares.items()}


@dataclass(frozen=True)
class Reward:
    """What one measure's reward may come to, as proportions of it."""

    #: final, forecast or not stated
    status: str
    why: str
    #: Draws, at the least and at the most; a single one each where the outturn is final.
    least: Floats = field(default_factory=lambda: np.empty(0))
    most: Floats = field(default_factory=lambda: np.empty(0))
    #: p of a final outturn, where it can be worked out.
    reached: Fraction | None = None


def measure_reward(row: pd.Series, outlook: Outlook, trigger: Fraction) -> Reward:
    """What one measure's reward may come to, from its row of the assessment and its forecast."""
    if pd.isna(row["target"]):
        return Reward("not stated", "no document states a target")
    if not row["is_forecast"] and row["state"] in ("achieved", "partly achieved", "missed"):
        if pd.isna(row["latest"]):
            # What is paid would give a small number away.
            return Reward("not stated", "the outturn is not shown: small numbers")
        return _final_reward(row, trigger)
    if outlook.reason:
        return Reward("not stated", f"no forecast: {outlook.reason}")
    return _forecast_reward(row, outlook.draws[:, -1], trigger)


def _forecast_reward(row: pd.Series, outturns: Floats, trigger: Fraction) -> Reward:
    target = float(row["target"])
    if pd.notna(row["without"]):
        drawn = paid_of_draws(outturns, float(row["without"]), target, float(trigger))
        return Reward("forecast", _rests_on(row), drawn, drawn)
    met = _better(row) * (outturns - target) >= -SLACK * max(1.0, abs(target))
    most = np.ones(len(outturns))
    if pd.notna(row["baseline"]):
        most = paid_of_draws(outturns, float(row["baseline"]), target, float(trigger))
    return Reward("forecast", _rests_on(row), met.astype(float), most)


def _final_reward(row: pd.Series, trigger: Fraction) -> Reward:
    outturn, target = exact(row["latest"]), exact(row["target"])
    reached, why = None, _rests_on(row)
    least, most = Fraction(0), Fraction(1)
    if pd.notna(row["without"]):
        reached = proportion(outturn, exact(row["without"]), target)
        least = most = paid(reached, trigger)
    elif _better(row) * (outturn - target) >= 0:
        least = Fraction(1)
        why = "the target is met, so it does not matter that performance without is not stated"
    elif pd.notna(row["baseline"]):
        most = paid(proportion(outturn, exact(row["baseline"]), target), trigger)
    return Reward("final", why, np.array([float(least)]), np.array([float(most)]), reached)


def _rests_on(row: pd.Series) -> str:
    if pd.notna(row["without"]):
        return f"performance without the agreement: {row['without_status']}"
    baseline = ", nor is a baseline" if pd.isna(row["baseline"]) else ""
    return f"performance without the agreement: not stated{baseline}, hence a range"


def measure_rewards(
    assessment: pd.DataFrame, outlooks: Mapping[str, Outlook], agreement: Agreement
) -> dict[str, Reward]:
    """What the reward of each measure that counts may come to."""
    trigger = exact(agreement.settings.grant.trigger)
    rows = assessment[assessment["role"] == "target"]
    return {
        row["measure"]: measure_reward(row, outlooks[row["measure"]], trigger)
        for _, row in rows.iterrows()
    }


def grant_frame(
    rewards: Mapping[str, Reward], assessment: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """What each measure's reward has come to, or may come to (:data:`GRANT_COLUMNS`)."""
    shares, pounds = pot_shares(agreement), pot(agreement.settings)
    figures = []
    for name, reward in rewards.items():
        figure: dict[str, object] = {"measure": name, "status": reward.status, "why": reward.why}
        figure |= {"pot_share": float(shares[name]), "proportion": reward.reached}
        if reward.status != "not stated":
            for end, draws in (("least", reward.least), ("most", reward.most)):
                figure[end] = draws.mean()
                if pounds is not None:
                    figure[f"pounds_{end}"] = float(pounds * shares[name]) * draws.mean()
            figure["low_80"] = np.quantile(reward.least, 0.1)
            figure["high_80"] = np.quantile(reward.most, 0.9)
        figures.append(figure)
    table = pd.DataFrame(figures, columns=list(GRANT_COLUMNS))
    copied = ["reference", "theme", "title", "unit", "without", "without_status", "target"]
    rows = assessment.set_index("measure").loc[list(rewards)].reset_index()
    table[copied] = rows[copied]
    table["outturn"] = rows["latest"].where(table["status"] == "final")
    return table.astype({"proportion": float})


@dataclass(frozen=True)
class WholeGrant:
    """The reward of the whole agreement, as shares of the pot."""

    #: Joint draws, at the least and at the most.
    least: Floats
    most: Floats
    #: Share of the pot of the measures of which nothing can be said; it is in neither.
    unknown: float

    def expected(self) -> tuple[float, float]:
        """Mean share of the pot, at the least and at the most."""
        return float(self.least.mean()), float(self.most.mean())

    def interval(self) -> tuple[float, float]:
        """From where the least begins to where the most ends, for the middle eight in ten."""
        return float(np.quantile(self.least, 0.1)), float(np.quantile(self.most, 0.9))

    def chance(self, share: float) -> tuple[float, float]:
        """How likely at least this share of the pot is, at the least and at the most."""
        reached = share - SLACK
        return float((self.least >= reached).mean()), float((self.most >= reached).mean())


def joint_grant(rewards: Mapping[str, Reward], agreement: Agreement) -> WholeGrant:
    """Simulate the whole agreement's reward.

    No document says how measures go together, so each is drawn by itself.
    """
    shares = {name: float(share) for name, share in pot_shares(agreement).items()}
    parts = [
        (shares.pop(name), reward.least, reward.most)
        for name, reward in rewards.items()
        if reward.status != "not stated"
    ]
    return WholeGrant(*simulate(parts), unknown=sum(shares.values()))


def simulate(parts: list[tuple[float, Floats, Floats]]) -> tuple[Floats, Floats]:
    """Joint draws of a weighted sum whose parts, each by itself, are given by their draws.

    Ranks pick from a part's sorted draws, so the mean of the sum is the sum of the parts' means.
    """
    least, most = np.zeros(DRAWS), np.zeros(DRAWS)
    generator = np.random.default_rng(0)
    for share, low, high in parts:
        normal = generator.standard_normal(DRAWS, dtype=np.float32)
        ranks = np.empty(DRAWS, dtype=np.int64)
        ranks[np.argsort(normal)] = np.arange(DRAWS)
        least += share * np.sort(low)[ranks * len(low) // DRAWS]
        most += share * np.sort(high)[ranks * len(high) // DRAWS]
    return least, most


def way_starts(row: pd.Series) -> float:
    """Where the way to the target starts: performance without the agreement, or the baseline."""
    return float(row["without"] if pd.notna(row["without"]) else row["baseline"])


def reward_curve(
    row: pd.Series, outlook: Outlook, trigger: Fraction, steps: tuple[float, ...]
) -> pd.DataFrame:
    """The expected proportion of a measure's reward, were its due reading better by each step.

    A step is a share of the way to the target; ``certain`` is what would be paid if the middle of
    the forecast were sure to come. Empty where the reward is not forecast.
    """
    start, target = way_starts(row), float(row["target"])
    if np.isnan(start) or measure_reward(row, outlook, trigger).status != "forecast":
        return pd.DataFrame(columns=["step", "least", "most", "certain"], dtype=float)
    points = []
    for step in steps:
        outturns = outlook.draws[:, -1] + step * (target - start)
        reward = _forecast_reward(row, outturns, trigger)
        middle = np.quantile(outturns, [0.5], method="inverted_cdf")
        certain = paid_of_draws(middle, start, target, float(trigger))[0]
        points.append((step, reward.least.mean(), reward.most.mean(), certain))
    return pd.DataFrame(points, columns=["step", "least", "most", "certain"])


def gain_frame(
    assessment: pd.DataFrame, outlooks: Mapping[str, Outlook], agreement: Agreement
) -> pd.DataFrame:
    """What a better outturn would bring, as shares of the pot: the measures that gain most first.

    ``step`` is a tenth of the way in the measure's unit; ``least`` and ``most`` are what it adds,
    ``unit_least`` and ``unit_most`` what a whole unit adds.
    """
    trigger, shares = exact(agreement.settings.grant.trigger), pot_shares(agreement)
    table = []
    for name, row in assessment.set_index("measure").loc[list(shares)].iterrows():
        step = abs(float(row["target"]) - way_starts(row)) / 10
        curve = reward_curve(row, outlooks[str(name)], trigger, (0.0, 0.1, 0.1 / step))
        if len(curve):
            now, tenth, unit = curve[["least", "most"]].to_numpy()
            gains = float(shares[str(name)]) * np.concatenate([tenth - now, unit - now])
            table.append((name, row["title"], row["unit"], step, *gains))
    columns = ["measure", "title", "unit", "step", "least", "most", "unit_least", "unit_most"]
    frame = pd.DataFrame(table, columns=columns)
    return frame.sort_values(["most", "least"], ascending=False, ignore_index=True)


def on_account(
    readings: pd.DataFrame, agreement: Agreement, period: Period
) -> dict[str, Fraction | None]:
    """The share of the pot paid on account for each measure that has an interim level.

    None where its reading is not final yet.
    """
    area, fifth = agreement.settings.agreement.area, exact(agreement.settings.grant.on_account)
    final = readings[
        (readings["area"] == area)
        & readings["reading"].notna()
        & readings["flag"].isin(["final", "revised"])
        & (readings["period_end"] <= pd.Timestamp(period.end))
    ].set_index(["measure", "period_end"])["reading"]
    advances: dict[str, Fraction | None] = {}
    for name, share in pot_shares(agreement).items():
        measure = agreement.measures.loc[name]
        interim = measure_period(measure, "interim_period")
        if pd.isna(measure["interim"]) or interim is None:
            continue
        reading = final.get((name, pd.Timestamp(interim.end)))
        if reading is None:
            advances[name] = None
        else:
            met = _better(measure) * (exact(reading) - exact(measure["interim"])) >= 0
            advances[name] = fifth * share if met else Fraction(0)
    return advances


def payment_frame(
    rewards: Mapping[str, Reward], advances: Mapping[str, Fraction | None], agreement: Agreement
) -> pd.DataFrame:
    """When the reward is paid: on account, and in equal instalments after the agreement.

    What was paid on account is taken off the instalments. An agreement that earned less in the
    end has nothing to come: the rules do not say that anything is given back.
    """
    settings, shares = agreement.settings, pot_shares(agreement)
    rows: list[tuple[int, str, float, float]] = []
    for name, advance in advances.items():
        interim = measure_period(agreement.measures.loc[name], "interim_period")
        if advance and interim is not None:
            paid_in = period_containing(interim.end, "financial_year").start.year + 1
            rows.append((paid_in, f"on account for {name}", float(advance), float(advance)))
    to_come = np.zeros(2)
    for name, reward in rewards.items():
        share, paid_already = float(shares[name]), float(advances.get(name) or 0)
        if reward.status != "not stated":
            draws = np.stack([reward.least, reward.most])
            to_come += np.maximum(share * draws - paid_already, 0).mean(axis=1)
    last, number = settings.agreement.last.start.year, settings.grant.instalments
    for turn in range(1, number + 1):
        rows.append((last + turn, f"instalment {turn} of {number}", *(to_come / number)))
    table = pd.DataFrame(sorted(rows), columns=["year", "what", "least", "most"])
    table["year"] = [f"{year}/{(year + 1) % 100:02d}" for year in table["year"]]
    pounds, capital = pot(settings), settings.grant.capital_share
    for end in ("least", "most"):
        table[f"pounds_{end}"] = table[end] * (np.nan if pounds is None else float(pounds))
        split = np.nan if isinstance(capital, str) else float(capital)
        table[f"capital_{end}"] = table[f"pounds_{end}"] * split
    return table


def partner_frame(grants: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """What rests on each partner: the rewards of all targets that it takes part in."""
    of_pot = grants[["least", "most"]].mul(grants["pot_share"], axis=0)
    of_pot = of_pot.assign(pot_share=grants["pot_share"]).groupby(grants["reference"])
    takes_part = targets["partners"].explode().dropna().rename("partner").to_frame()
    joined = takes_part.join(of_pot.sum(min_count=1), how="inner").reset_index(names="reference")
    by_partner = joined.groupby("partner", sort=False)
    sums = by_partner[["pot_share", "least", "most"]].sum(min_count=1)
    sums.insert(0, "targets", by_partner["reference"].agg(list))
    sums = sums.sort_values(["most", "least"], ascending=False, kind="stable")
    return sums.reset_index()
