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

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.outlook import Outlook
from psa_analysis.analysis.trajectory import exact
from psa_analysis.periods import period_containing
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.register.settings import Settings
from psa_analysis.report import Report, memoised

Floats = NDArray[np.float64]

#: Joint draws of the whole agreement; a multiple of each measure's own, so that means agree.
DRAWS = 100_000

#: Columns of the grants, one row per measure that counts. This is the place that describes them.
GRANT_COLUMNS = {
    "measure": "the measure",
    "reference": "the target that it belongs to",
    "theme": "theme of the agreement",
    "title": "what is measured",
    "unit": "unit of the figures",
    "pot_share": "the measure's share of the pot, 0 to 1",
    "status": "final, forecast, or not stated where nothing can be said",
    "outturn": "the deciding reading, once it is final",
    "without": "performance without the agreement",
    "without_status": "stated, derived, assumed or not stated",
    "target": "performance with the agreement",
    "proportion": "p of a final outturn; missing where 'without' is not stated",
    "least": "expected proportion of the measure's reward, at the least",
    "most": "the same at the most; equal to the least where 'without' is stated",
    "low_80": "proportion of the reward that nine in ten chances reach, at the least",
    "high_80": "proportion that one in ten chances passes, at the most",
    "pounds_least": "the least in pounds; missing where the pot is not stated",
    "pounds_most": "the most in pounds",
    "why": "what the figures rest on, or why nothing can be said",
}


def proportion(outturn: Fraction, without: Fraction, target: Fraction) -> Fraction:
    """How much of the stretch was reached: (outturn - without) / (target - without).

    The rule of first-generation agreements, the same for both polarities; below 0 for an outturn
    worse than without the agreement, above 1 for one better than the target.
    """
    if target == without:
        raise ValueError("the target equals performance without the agreement: there is no stretch")
    return (outturn - without) / (target - without)


def paid(reached: Fraction, trigger: Fraction) -> Fraction:
    """The proportion of the reward that is paid: nothing below the trigger, then p, at most 1."""
    return min(reached, Fraction(1)) if reached >= trigger else Fraction(0)


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
    return exact(grant.pump_priming) + exact(grant.pump_priming_per_head) * Fraction(
        grant.population
    )


def pot_shares(agreement: Agreement) -> dict[str, Fraction]:
    """Each measure's share of the pot: equal by target, and in it equal or by weight.

    Only measures that count (role ``target``); they add up to 1.
    """
    counting = agreement.measures[agreement.measures["role"] == "target"]
    if counting.empty:
        return {}
    weights = {
        str(name): exact(weight) if pd.notna(weight) else Fraction(1)
        for name, weight in counting["weight"].items()
    }
    of_target: dict[str, Fraction] = {}
    for name, reference in counting["reference"].items():
        of_target[reference] = of_target.get(reference, Fraction(0)) + weights[str(name)]
    return {
        str(name): weights[str(name)] / of_target[reference] / len(of_target)
        for name, reference in counting["reference"].items()
    }


@dataclass(frozen=True)
class _Reward:
    """Draws of the proportion of one measure's reward, at the least and at the most.

    `paid` holds the two exactly where the outturn is final, `reached` its p.
    """

    status: str
    why: str
    least: Floats = field(default_factory=lambda: np.empty(0))
    most: Floats = field(default_factory=lambda: np.empty(0))
    paid: tuple[Fraction, Fraction] | None = None
    reached: Fraction | None = None


def _reward(row: pd.Series, outlook: Outlook, trigger: Fraction) -> _Reward:
    """What one measure's reward may come to, from its final outturn or its forecast."""
    if pd.isna(row["target"]):
        return _Reward("not stated", "no document states a target")
    if not row["is_forecast"] and row["state"] in ("achieved", "partly achieved", "missed"):
        if pd.isna(row["latest"]):
            # What is paid would give a small number away.
            return _Reward("not stated", "the outturn is not shown: small numbers")
        return _outturn(row, trigger)
    if outlook.reason:
        return _Reward("not stated", f"no forecast: {outlook.reason}")
    due = outlook.draws[:, -1]
    target = float(row["target"])
    if pd.notna(row["without"]):
        made = _of_draws(due, float(row["without"]), target, float(trigger))
        return _Reward("forecast", _assumed_without(row), made, made)
    better = 1 if row["polarity"] == "higher" else -1
    slack = 1e-9 * max(1.0, abs(target))
    least = (better * (due - target) >= -slack).astype(float)
    if pd.notna(row["baseline"]):
        most = _of_draws(due, float(row["baseline"]), target, float(trigger))
    else:
        most = np.ones(len(due))
    return _Reward("forecast", _range(row), least, most)


def _of_draws(due: Floats, without: float, target: float, trigger: float) -> Floats:
    """Proportion paid of each draw; draws of sums carry rounding errors in their last digits."""
    share = (due - without) / (target - without)
    return np.where(share >= trigger - 1e-9, np.minimum(share, 1), 0.0)


def _outturn(row: pd.Series, trigger: Fraction) -> _Reward:
    """The reward of a final outturn, in exact arithmetic."""
    outturn, target = exact(row["latest"]), exact(row["target"])
    better = 1 if row["polarity"] == "higher" else -1
    reached, why = None, _range(row)
    least, most = Fraction(0), Fraction(1)
    if pd.notna(row["without"]):
        reached = proportion(outturn, exact(row["without"]), target)
        least = most = paid(reached, trigger)
        why = _assumed_without(row)
    elif better * (outturn - target) >= 0:
        least = Fraction(1)
        why = "the target is met, so it does not matter that performance without is not stated"
    elif pd.notna(row["baseline"]):
        most = paid(proportion(outturn, exact(row["baseline"]), target), trigger)
    drawn = np.array([float(least)]), np.array([float(most)])
    return _Reward("final", why, *drawn, (least, most), reached)


def _assumed_without(row: pd.Series) -> str:
    return f"performance without the agreement: {row['without_status']}"


def _range(row: pd.Series) -> str:
    baseline = ", nor is a baseline" if pd.isna(row["baseline"]) else ""
    return f"performance without the agreement: not stated{baseline}, hence a range"


def _rewards(report: Report) -> dict[str, _Reward]:
    trigger = exact(report.agreement.settings.grant.trigger)
    rows = report.assessment[report.assessment["role"] == "target"]
    return {
        row["measure"]: _reward(row, report.outlooks[row["measure"]], trigger)
        for _, row in rows.iterrows()
    }


@memoised
def grants(report: Report) -> pd.DataFrame:
    """What each measure's reward has come to, or may come to."""
    shares, whole = pot_shares(report.agreement), pot(report.agreement.settings)
    copied = ["reference", "theme", "title", "unit", "without", "without_status", "target"]
    table = []
    for name, reward in _rewards(report).items():
        row = report.rows[name]
        made: dict[str, object] = dict.fromkeys(GRANT_COLUMNS, np.nan)
        made |= {column: row[column] for column in copied}
        made |= {"measure": name, "pot_share": float(shares[name])}
        made |= {"status": reward.status, "why": reward.why}
        if reward.status != "not stated":
            low, high = _means(reward)
            made |= {"least": float(low), "most": float(high)}
            made |= {"low_80": np.quantile(reward.least, 0.1)}
            made |= {"high_80": np.quantile(reward.most, 0.9)}
            if whole is not None:
                made["pounds_least"] = float(whole * shares[name] * low)
                made["pounds_most"] = float(whole * shares[name] * high)
        if reward.status == "final":
            made["outturn"] = row["latest"]
        if reward.reached is not None:
            made["proportion"] = float(reward.reached)
        table.append(made)
    return pd.DataFrame(table, columns=list(GRANT_COLUMNS))


def _means(reward: _Reward) -> tuple[Fraction, Fraction]:
    """The expected proportion at the least and at the most: exact where the outturn is final."""
    return reward.paid or (Fraction(reward.least.mean()), Fraction(reward.most.mean()))


@dataclass(frozen=True)
class WholeGrant:
    """The reward of the whole agreement, as shares of the pot.

    Attributes
    ----------
    least, most : numpy.ndarray
        Joint draws, at the least and at the most (see the module's text).
    unknown : float
        Share of the pot of the measures of which nothing can be said; it is in neither.
    """

    least: Floats
    most: Floats
    unknown: float

    def expected(self) -> tuple[float, float]:
        """Mean share of the pot, at the least and at the most."""
        return float(self.least.mean()), float(self.most.mean())

    def interval(self, percent: int) -> tuple[float, float]:
        """From where the least begins to where the most ends, for the middle so many per cent."""
        tail = 0.5 - percent / 200
        return float(np.quantile(self.least, tail)), float(np.quantile(self.most, 1 - tail))

    def chance(self, share: float) -> tuple[float, float]:
        """How likely at least this share of the pot is, at the least and at the most."""
        slack = 1e-9
        return (
            float((self.least >= share - slack).mean()),
            float((self.most >= share - slack).mean()),
        )


@memoised
def whole_grant(report: Report) -> WholeGrant:
    """Simulate the whole agreement's reward.

    No document says how measures go together, so each is drawn by itself.
    """
    rewards = {name: one for name, one in _rewards(report).items() if one.status != "not stated"}
    shares = {name: float(share) for name, share in pot_shares(report.agreement).items()}
    unknown = sum(share for name, share in shares.items() if name not in rewards)
    parts = [(shares[name], one.least, one.most) for name, one in rewards.items()]
    return WholeGrant(*simulate(parts, DRAWS), unknown)


def simulate(
    parts: list[tuple[float, Floats, Floats]], draws: int, seed: int = 0
) -> tuple[Floats, Floats]:
    """Joint draws of a weighted sum whose parts, by themselves, are given by their draws.

    Ranks pick from a part's sorted draws, so the mean of the sum is the sum of the parts' means.
    """
    least, most = np.zeros(draws), np.zeros(draws)
    generator = np.random.default_rng(seed)
    for share, low, high in parts:
        normal = generator.standard_normal(draws, dtype=np.float32)
        ranks = np.empty(draws, dtype=np.int64)
        ranks[np.argsort(normal)] = np.arange(draws)
        least += share * np.sort(low)[ranks * len(low) // draws]
        most += share * np.sort(high)[ranks * len(high) // draws]
    return least, most


@memoised
def gains(report: Report) -> pd.DataFrame:
    """What a better outturn would bring, measure by measure."""
    shares = pot_shares(report.agreement)
    table = []
    for name in shares:
        row = report.rows[name]
        curve = gain_curve(report, name, steps=(0.0, 0.1))
        if curve.empty:
            continue
        start = row["without"] if pd.notna(row["without"]) else row["baseline"]
        step = abs(float(row["target"]) - float(start)) / 10
        added = curve.iloc[1] - curve.iloc[0]
        share = float(shares[name])
        one = gain_curve(report, name, steps=(0.0, 0.1 / step))
        by_unit = one.iloc[1] - one.iloc[0]
        table.append(
            {
                "measure": name,
                "title": row["title"],
                "unit": row["unit"],
                "step": step,
                "least": share * added["least"],
                "most": share * added["most"],
                "unit_least": share * by_unit["least"],
                "unit_most": share * by_unit["most"],
            }
        )
    columns = ["measure", "title", "unit", "step", "least", "most", "unit_least", "unit_most"]
    found = pd.DataFrame(table, columns=columns)
    return found.sort_values(["most", "least"], ascending=False).reset_index(drop=True)


def gain_curve(report: Report, measure: str, steps: tuple[float, ...]) -> pd.DataFrame:
    """The expected proportion of a measure's reward, were its due reading better by so much."""
    row = report.rows[measure]
    columns = ["step", "least", "most", "certain"]
    empty = pd.DataFrame(columns=columns, dtype=float)
    start = row["without"] if pd.notna(row["without"]) else row["baseline"]
    trigger = exact(report.agreement.settings.grant.trigger)
    outlook = report.outlooks[measure]
    if pd.isna(start) or _reward(row, outlook, trigger).status != "forecast":
        return empty
    way = float(row["target"]) - float(start)
    made = []
    for step in steps:
        moved = Outlook(outlook.draws[:, -1:] + step * way, outlook.periods[-1:])
        reward = _reward(row, moved, trigger)
        middle = np.array([moved.median])
        certain = float(_of_draws(middle, float(start), float(row["target"]), float(trigger))[0])
        made.append((step, reward.least.mean(), reward.most.mean(), certain))
    return pd.DataFrame(made, columns=columns)


def on_account(report: Report) -> dict[str, Fraction | None]:
    """The share of the pot paid on account for each measure that has an interim level."""
    grant, measures = report.agreement.settings.grant, report.agreement.measures
    shares = pot_shares(report.agreement)
    area = report.agreement.settings.agreement.area
    made = report.readings[report.readings["area"] == area]
    found: dict[str, Fraction | None] = {}
    for name, share in shares.items():
        row = measures.loc[name]
        period = measure_period(row, "interim_period")
        if pd.isna(row["interim"]) or period is None:
            continue
        own = made[(made["measure"] == name) & (made["reading"].notna())]
        own = own[own["period_end"] == pd.Timestamp(period.end)]
        own = own[own["flag"].isin(["final", "revised"])]
        if own.empty or period.end > report.period.end:
            found[name] = None
            continue
        better = 1 if row["polarity"] == "higher" else -1
        met = better * (exact(own["reading"].iloc[0]) - exact(row["interim"])) >= 0
        found[name] = exact(grant.on_account) * share if met else Fraction(0)
    return found


def payments(report: Report) -> pd.DataFrame:
    """When the reward is paid: on account, and in equal instalments after the agreement.

    Notes
    -----
    What was paid on account is taken off the instalments. An agreement that earned less in the
    end has nothing to come: the rules do not say that anything is given back.
    """
    settings = report.agreement.settings
    last = settings.agreement.last.start.year
    advance = on_account(report)
    rows: list[tuple[int, str, Fraction, Fraction]] = []
    for name, share in advance.items():
        if share:
            period = measure_period(report.agreement.measures.loc[name], "interim_period")
            assert period is not None
            year = period_containing(period.end, "financial_year").start.year + 1
            rows.append((year, f"on account for {name}", share, share))
    left = [Fraction(0), Fraction(0)]
    shares = pot_shares(report.agreement)
    for name, reward in _rewards(report).items():
        given, share = advance.get(name) or Fraction(0), shares[name]
        if reward.paid is not None:
            to_come = [max(share * one - given, Fraction(0)) for one in reward.paid]
        elif reward.status == "forecast":
            drawn = (float(share) * one - float(given) for one in (reward.least, reward.most))
            to_come = [Fraction(np.maximum(one, 0).mean()) for one in drawn]
        else:
            continue
        left = [so_far + one for so_far, one in zip(left, to_come, strict=True)]
    number = settings.grant.instalments
    for turn in range(1, number + 1):
        what = f"instalment {turn} of {number}"
        rows.append((last + turn, what, left[0] / number, left[1] / number))
    whole, capital = pot(settings), settings.grant.capital_share
    split = None if isinstance(capital, str) else exact(capital)
    table = []
    for year, what, least, most in sorted(rows):
        made: dict[str, object] = {"year": f"{year}/{(year + 1) % 100:02d}", "what": what}
        for end, share in (("least", least), ("most", most)):
            made |= {end: float(share), f"capital_{end}": np.nan}
            made[f"pounds_{end}"] = np.nan if whole is None else float(whole * share)
            if whole is not None and split is not None:
                made[f"capital_{end}"] = float(whole * share * split)
        table.append(made)
    return pd.DataFrame(table)


def by_partner(report: Report) -> pd.DataFrame:
    """What rests on each partner: the rewards of all targets that it takes part in."""
    table = grants(report)
    table["least"] *= table["pot_share"]
    table["most"] *= table["pot_share"]
    sums = table.groupby("reference")[["pot_share", "least", "most"]].sum(min_count=1)
    takes_part = report.agreement.targets["partners"].explode().dropna().rename("partner")
    joined = takes_part.to_frame().join(sums, how="inner").reset_index(names="reference")
    found = joined.groupby("partner", as_index=False, sort=False).agg(
        targets=("reference", list),
        pot_share=("pot_share", "sum"),
        least=("least", lambda own: own.sum(min_count=1)),
        most=("most", lambda own: own.sum(min_count=1)),
    )
    return found.sort_values(["most", "least"], ascending=False, kind="stable").reset_index(
        drop=True
    )
