"""Find the constants of the forecasts: what is usual, from the reference panels.

Writes ``psa_analysis/analysis/constants.json``. The models and the guesses of the size of change
were chosen by hand, to span what series do. The other constants are found by a pattern search:
each is moved up and down, a move that helps is kept, and the steps are halved where none does.
What is made small is the scaled CRPS of forecasts on panels of real series (``panels.py``), and
how far the shares of readings within the 80 % and 95 % intervals are from 80 % and 95 %; each
panel and length of history counts the same, grouped and alone. Last comes ``towards``, from the
two panels of measures under targets. Takes some ten minutes on two cores.

    python benchmarks/calibrate.py [--sweeps 20] [--only 1] [--without M1]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from panels import UNDER_TARGETS, Cases, chosen, cut, in_groups, panels, thinned

import psa_analysis
from psa_analysis.analysis.forecast import Constants, Prior, constants, forecast_series

LEFT_OUT = Path(__file__).parent / "left_out.csv"
TARGET = Path(psa_analysis.__file__).parent / "analysis" / "constants.json"
LEVELS = (np.arange(39) + 0.5) / 39
#: Level, drift, noise: what series do by themselves in years, and in quarters.
OWN = {
    1: ((1, 0, 0), (1, 2, 0), (0.25, 0.1, 1), (0.05, 0, 1), (0.3, 4, 0.3)),
    4: ((1, 0, 0), (1, 0.03, 0), (1, 0, 1), (0.1, 0.02, 1), (0.02, 0, 1), (0.3, 0.1, 0)),
}
#: What a group has in common wanders, or follows a line; the second is believed more. How wide it
#: is, was chosen by hand, since a shock fell on one panel alone: so that 77 to 83 % of the edges of
#: families of LAIT are within their 80 % interval, and no panel loses more than it must. Quarters
#: have nothing in common: a path of theirs was no better on any panel.
COMMON = ((1, 0, 0), (1, 100, 0))
COMMON_WEIGHTS = (0.0, 1.0)
COMMON_SPREAD = (0.02, -1.0, 0.25, 0.0, -0.1)
HALF_GROUP = {1: 1.0, 4: None}
#: Season and how it changes.
SEASONS = {1: ((0, 0),), 4: ((0, 0), (20, 0.5))}
LARGE = (0.003, 0.01, 0.03, 0.1, 0.3)


def even(models: Iterable[Iterable[float]], per_year: int, firm: Iterable[float]) -> Prior:
    """Every model and size equally believed."""
    all_models = tuple(
        tuple(map(float, (*model, *season))) for model in models for season in SEASONS[per_year]
    )
    volatilities = tuple((one, large) for one in firm for large in LARGE)
    spread = (-0.5, 0.0, 0.1, 0.0, -0.1)
    return Prior(all_models, (0.0,) * len(all_models), volatilities, spread)


def start(per_year: int) -> Constants:
    """Where the search begins."""
    own = even(OWN[per_year], per_year, (0.6, 6.0))
    common = even(COMMON, 1, (0.6,))
    common = replace(common, weights=COMMON_WEIGHTS, spread=COMMON_SPREAD)
    return Constants(own, common, HALF_GROUP[per_year], 9.0, 0.9, 0.7, -0.2, 0.0, 0.0)


#: What the search moves by logarithms.
_SIZES = ("prior_series", "learning", "trust")


def moved(usual: Constants, name: str, step: float) -> Constants:
    """The constants with one of them moved."""
    if name in _SIZES:
        return replace(usual, **{name: getattr(usual, name) * float(np.exp(step))})
    own = usual.own
    if name in ("drift", "season"):
        # How much models with a drift, or with a season, are believed more than those without.
        place = 3 if name == "season" else 1
        pairs = zip(own.models, own.weights, strict=True)
        weights = tuple(weight + 2 * step * (model[place] > 0) for model, weight in pairs)
        return replace(usual, own=replace(own, weights=weights))
    if name in ("percent", "count"):
        return replace(usual, **{name: getattr(usual, name) + step})
    spread = list(own.spread)
    spread[int(name)] += step
    return replace(usual, own=replace(own, spread=tuple(spread)))


class Score(NamedTuple):
    """Mean scaled CRPS, from 39 quantiles, and the shares of readings within two intervals."""

    crps: float
    within_80: float
    within_95: float


def score(usual: Constants, cases: Cases, alike: bool = True, towards: bool = False) -> Score:
    usual = usual if alike else replace(usual, half_group=None)
    found = forecast_series(
        cases.history,
        cases.future.shape[1],
        cases.scale.tolist(),
        cases.per_year,
        cases.group.tolist(),
        towards=cases.better * towards,
        usual=usual,
    )
    error = cases.future[..., None] - found.quantile(LEVELS)
    pinball = 2 * np.where(error >= 0, LEVELS * error, (LEVELS - 1) * error).mean(axis=-1)
    scaled = pinball / cases.naive_error[:, None]
    limits = found.quantile([0.025, 0.1, 0.9, 0.975])
    there = ~np.isnan(cases.future)
    inside = [
        float(
            ((cases.future >= limits[..., low]) & (cases.future <= limits[..., high]))[there].mean()
        )
        for low, high in ((1, 2), (0, 3))
    ]
    return Score(float(scaled[there].mean()), *inside)


#: Cases, the score of the search's beginning, and whether their groups are of one kind.
_CASES: list[tuple[Cases, float, bool]] = []


def load(per_year: int, most: int = 300, without: str = "") -> None:
    """The cases to calibrate on, each with the score of its naive forecast."""
    lengths: tuple[int, ...] = (3, 4, 6, 8, 12) if per_year == 1 else (4, 6, 8, 12, 16)
    horizon = 3 if per_year == 1 else 8
    _CASES.clear()
    for panel in panels(rolling=True):
        if panel.per_year != per_year or panel.name == without:
            continue
        for length in lengths:
            cases = cut(panel, length, horizon)
            if len(cases.history) < 50:
                continue
            # As groups, of thirty and of two hundred; and as portfolios of thirty, which have
            # nothing in common.
            if not panel.calendar:
                _CASES.append((chosen(cases, thinned(cases, most // 2)), 1.0, True))
            few = chosen(cases, thinned(cases, most))
            parts = (np.arange(len(few.history)) % max(1, len(few.history) // 30)).astype(str)
            _CASES.append((replace(few, group=parts), 1.0, False))
            few = replace(few, group=parts)
            if panel.calendar:
                few = chosen(cases, in_groups(cases, 2 * most, 15))
            _CASES.append((few, 1.0, True))
    base = start(per_year)
    _CASES[:] = [(cases, score(base, cases, alike).crps, alike) for cases, _, alike in _CASES]


def loss(trial: Constants) -> float:
    """Mean of what each panel's cases lose against where the search began."""
    rows = []
    for cases, naive, alike in _CASES:
        found = score(trial, cases, alike)
        rows.append([cases.panel, alike, *found._replace(crps=found.crps / naive)])
    means = pd.DataFrame(rows, columns=["panel", "alike", *Score._fields])
    means = means.groupby(["panel", "alike"]).mean()
    missed = 10 * (means["within_80"] - 0.8) ** 2 + 4 * (means["within_95"] - 0.95) ** 2
    # How wide a group is together was chosen by hand, and must not narrow what is said alone.
    missed = missed.mask(means.index.get_level_values("alike"), 0)
    return float((means["crps"] + missed).mean())


def calibrate(per_year: int, sweeps: int, without: str = "") -> Constants:
    usual = start(per_year)
    load(per_year, without=without)
    names = [*_SIZES, "drift", *(str(place) for place in range(5))]
    names += ["season"] if per_year > 1 else []
    # Percentages and counts are told from other figures only where there are such.
    names += ["percent", "count"] if per_year == 1 else []
    began, lowest, steps = time.perf_counter(), loss(usual), dict.fromkeys(names, 0.2)
    # Forked after the cases are loaded, so that every worker has them.
    with ProcessPoolExecutor(2) as pool:
        for sweep in range(sweeps):
            for name, step in steps.items():
                trials = [moved(usual, name, sign * step) for sign in (1, -1)]
                losses = list(pool.map(loss, trials))
                best = int(np.argmin(losses))
                if losses[best] < lowest - 1e-5:
                    usual, lowest = trials[best], losses[best]
                else:
                    steps[name] = step / 2
            seconds = time.perf_counter() - began
            print(f"  sweep {sweep + 1:>2}: loss {lowest:.4f} after {seconds:.0f} s", flush=True)
            if max(steps.values()) < 0.02:
                break
    return usual


def towards_targets(usual: Constants) -> float:
    """How many spreads the figures of measures under targets move beyond what is forecast.

    Found on their earlier half; the later half says whether it holds.
    """
    tried, lost = np.arange(0, 0.55, 0.05), {"earlier": [], "later": []}
    for panel in panels(rolling=False):
        if panel.name not in UNDER_TARGETS:
            continue
        for length in (4, 6, 8):
            cases = cut(panel, length, 3)
            middle = np.median(cases.origin)
            for half, rows in {
                "earlier": cases.origin <= middle,
                "later": cases.origin > middle,
            }.items():
                some = chosen(cases, np.flatnonzero(rows))
                losses = [
                    score(replace(usual, towards=one), some, False, True).crps for one in tried
                ]
                lost[half].append(np.array(losses) / losses[0])
    best = int(np.mean(lost["earlier"], axis=0).argmin())
    later = np.mean(lost["later"], axis=0)[best]
    print(f"  towards {tried[best]:.2f}: CRPS of the later half {later:.3f} of that without it")
    return float(tried[best])


def left_out(name: str, sweeps: int) -> None:
    """How much worse a panel is forecast with constants found without it: yearly readings."""
    rows = []
    found = calibrate(1, sweeps, name)
    for panel in panels(rolling=False):
        if panel.name != name or panel.per_year != 1:
            continue
        for length in (3, 4, 6, 8, 12):
            cases = cut(panel, length, 3)
            if len(cases.history) < 50:
                continue
            for alike in (True, False):
                own, other = score(constants(1), cases, alike), score(found, cases, alike)
                row = {"panel": name, "readings": length, "how": "grouped" if alike else "alone"}
                row |= {"CRPS ratio": other.crps / own.crps, "80 % without": other.within_80}
                rows.append(row | {"80 % with": own.within_80})
    table = pd.DataFrame(rows).round(3)
    others = pd.read_csv(LEFT_OUT) if LEFT_OUT.exists() else table[:0]
    pd.concat([others[others["panel"] != name], table]).to_csv(LEFT_OUT, index=False)
    print(table.to_string(index=False))


def rounded(usual: Constants) -> dict[str, object]:
    """Three decimals, which is more than the panels can tell."""

    def shorter(value: object) -> object:
        if isinstance(value, dict):
            return {name: shorter(one) for name, one in value.items()}
        if isinstance(value, tuple):
            return [shorter(one) for one in value]
        return round(value, 3) if isinstance(value, float) else value

    return {name: shorter(value) for name, value in asdict(usual).items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sweeps", type=int, default=20, help="most sweeps of the search")
    parser.add_argument("--only", type=int, choices=(1, 4), help="yearly or quarterly alone")
    parser.add_argument(
        "--without", help="leave a panel out, keep how it is forecast then, and change nothing"
    )
    options = parser.parse_args()
    if options.without:
        left_out(options.without, options.sweeps)
        return
    for per_year in (1, 4):
        if options.only in (None, per_year):
            print({1: "yearly", 4: "quarterly"}[per_year])
            found = calibrate(per_year, options.sweeps)
            if per_year == 1:
                found = replace(found, towards=towards_targets(found))
            stored = json.loads(TARGET.read_text()) if TARGET.exists() else {}
            if per_year == 4:
                # There are no quarters of measures under targets; their years tell.
                found = replace(found, towards=stored["1"]["towards"])
            stored[str(per_year)] = rounded(found)
            TARGET.write_text(json.dumps(stored, indent=1) + "\n")
            for cases, naive, alike in _CASES:
                value, inside, *_ = score(found, cases, alike)
                print(
                    f"  {cases.panel:<8} {cases.history.shape[1]:>2} readings: CRPS {value:.3f} "
                    f"(at the start {naive:.3f}), {inside:.0%} within 80 %"
                )


if __name__ == "__main__":
    main()
