"""Find the constants of the forecasts: what is usual, from the reference panels.

Writes ``psa_analysis/analysis/constants.json``. Everything that a constant says is found
by minimising the scaled CRPS of forecasts on panels of real series (``panels.py``), and how far
each panel's share of readings within the 80 % interval is from 80 %; each panel and length of
history counts the same.
Then spread and tails are set so that the 80 % and 95 % intervals hold what they say.
Takes about ten minutes on two cores.

    python benchmarks/calibrate.py [--steps 25] [--only 1] [--without M1]
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from panels import Cases, cut, panels
from scipy.optimize import minimize
from scipy.special import expit, logit

import psa_analysis
from psa_analysis.analysis.forecast import Constants, constants, forecast_series

TARGET = Path(psa_analysis.__file__).parent / "analysis" / "constants.json"
LEVELS = (np.arange(39) + 0.5) / 39

#: Level, drift, slope, noise, season, change of season. Chosen by hand so that they span
#: what series do; the calibration decides how much each is believed.
ANNUAL = (
    (1, 0, 0, 0, 0, 0),
    (1, 2, 0, 0, 0, 0),
    (1, 0.5, 0, 0.5, 0, 0),
    (0.25, 0.1, 0, 1, 0, 0),
    (0.05, 0, 0, 1, 0, 0),
    (0, 0, 0, 1, 0, 0),
    (0.3, 1, 0.5, 0.3, 0, 0),
)
QUARTERLY = tuple(
    (*level, *season)
    for level in (
        (1, 0, 0, 0),
        (1, 0.03, 0, 0),
        (1, 0, 0, 1),
        (0.1, 0.02, 0, 1),
        (0, 0, 0, 1),
        (0.3, 0.3, 0.3, 0.1),
    )
    for season in ((0, 0), (1, 0), (20, 0.5))
)
VOLATILITIES = tuple(
    (firm, large) for firm in (0.6, 6.0) for large in (0.003, 0.01, 0.03, 0.1, 0.3)
)
#: Sizes that the search moves as logarithms, and shares that it moves as logits.
_SIZES = ("prior_series", "learning", "trust", "drift_series", "own_series")
_SHARES = ("drift", "own_scale")


def start(per_year: int) -> Constants:
    """Where the search begins: every model and size equally believed."""
    models = tuple(tuple(map(float, one)) for one in (ANNUAL if per_year == 1 else QUARTERLY))
    return Constants(
        models,
        (0.0,) * len(models),
        VOLATILITIES,
        (0.0,) * len(VOLATILITIES),
        15.0,
        0.7,
        0.5,
        0.9,
        100.0,
        0.7,
        10.0,
        (0.0, 0.0, 0.0, 0.0),
        0.5,
    )


def packed(usual: Constants) -> np.ndarray:
    return np.array(
        [
            *usual.weights,
            *usual.volatility_weights,
            *usual.spread,
            *(np.log(getattr(usual, name)) for name in _SIZES),
            *(logit(getattr(usual, name)) for name in _SHARES),
        ]
    )


def unpacked(values: np.ndarray, usual: Constants) -> Constants:
    models, sizes = len(usual.weights), len(usual.volatility_weights)
    ends = np.cumsum([models, sizes, 4, len(_SIZES)])
    weights, volatility, spread, logs, logits = np.split(values, ends)
    found = dict(zip(_SIZES, np.exp(np.clip(logs, -3, 6)).tolist(), strict=True))
    found |= dict(zip(_SHARES, expit(logits).tolist(), strict=True))
    return replace(
        usual,
        weights=tuple(weights.tolist()),
        volatility_weights=tuple(volatility.tolist()),
        spread=tuple(spread.tolist()),
        **found,
    )


class Score(NamedTuple):
    """Mean scaled CRPS, from 39 quantiles, and the shares of readings within two intervals."""

    crps: float
    within_80: float
    within_95: float


def score(usual: Constants, cases: Cases, drift: bool = True) -> Score:
    usual = usual if drift else replace(usual, drift=0.0)
    found = forecast_series(
        cases.history,
        cases.future.shape[1],
        cases.scale.tolist(),
        cases.per_year,
        cases.group.tolist(),
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


def thinned(cases: Cases, most: int) -> Cases:
    """At most so many cases, evenly spread."""
    step = -(-len(cases.history) // most)
    return replace(
        cases,
        history=cases.history[::step],
        future=cases.future[::step],
        scale=cases.scale[::step],
        group=cases.group[::step],
    )


#: Cases, the score of the search's beginning, and whether their groups have a common drift.
_CASES: list[tuple[Cases, float, bool]] = []


def load(per_year: int, most: int = 500, without: str = "") -> None:
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
            cases = thinned(cases, most)
            # As one large group; as groups of about thirty; and as portfolios of as many, which
            # have no common drift.
            _CASES.append((thinned(cases, most // 2), 1.0, True))
            parts = np.arange(len(cases.history)) % max(1, len(cases.history) // 30)
            names = np.char.add(cases.group.astype(str), np.char.mod(" %d", parts))
            _CASES.append((replace(cases, group=names), 1.0, True))
            _CASES.append((replace(cases, group=names), 1.0, False))
    base = start(per_year)
    _CASES[:] = [(cases, score(base, cases, drift).crps, drift) for cases, _, drift in _CASES]


def loss(values: np.ndarray, usual: Constants) -> float:
    trial = unpacked(values, usual)
    names = [cases.panel for cases, _, _ in _CASES]
    total = 0.0
    for cases, naive, drift in _CASES:
        found = score(trial, cases, drift)
        total += (found.crps / naive + 0.5 * (found.within_80 - 0.8) ** 2) / names.count(
            cases.panel
        )
    # What the panels do not decide stays near equal weights.
    held = 0.002 * (np.var(trial.weights) + np.var(trial.volatility_weights))
    # Histories shorter than the panels' must not be led far by a slope.
    held += 0.002 * (trial.spread[1] ** 2 + trial.spread[3] ** 2)
    return float(total / len(set(names)) + held)


def gradient(values: np.ndarray, usual: Constants, pool: ProcessPoolExecutor) -> np.ndarray:
    """Central differences, spread over the processor's cores."""
    step = 0.05  # wide, since medians and quantiles make the loss a little rough
    moved = [
        values + sign * step * np.eye(len(values))[place]
        for place in range(len(values))
        for sign in (1, -1)
    ]
    found = np.array(list(pool.map(loss, moved, [usual] * len(moved), chunksize=4)))
    return (found[::2] - found[1::2]) / (2 * step)


def calibrate(per_year: int, steps: int, without: str = "") -> Constants:
    usual = start(per_year)
    load(per_year, without=without)
    began = time.perf_counter()
    # Forked after the cases are loaded, so that every worker has them.
    with ProcessPoolExecutor() as pool:
        done = [0]

        def said(values: np.ndarray) -> None:
            done[0] += 1
            print(
                f"  step {done[0]:>3}: loss {loss(values, usual):.4f} "
                f"after {time.perf_counter() - began:.0f} s",
                flush=True,
            )

        found = minimize(
            loss,
            packed(usual),
            args=(usual,),
            jac=lambda v, u: gradient(v, u, pool),
            method="L-BFGS-B",
            callback=said,
            options={"maxiter": steps},
        )
    return covered(unpacked(found.x, usual))


def covered(usual: Constants) -> Constants:
    """Spread and tails moved until the 80 % and 95 % intervals hold what they say.

    Each panel counts the same.
    """

    def share(trial: Constants, place: int) -> float:
        by_panel: dict[str, list[float]] = {}
        for cases, _, drift in _CASES:
            by_panel.setdefault(cases.panel, []).append(score(trial, cases, drift)[place])
        return float(np.mean([np.mean(one) for one in by_panel.values()]))

    for _ in range(2):
        low, high = usual.spread[0] - 0.4, usual.spread[0] + 0.4
        for _ in range(9):
            middle = (low + high) / 2
            trial = replace(usual, spread=(middle, *usual.spread[1:]))
            low, high = (middle, high) if share(trial, 1) < 0.8 else (low, middle)
        usual = replace(usual, spread=(high, *usual.spread[1:]))
        # Fewer degrees of freedom are heavier tails.
        low, high = 0.2, 1.5
        for _ in range(7):
            middle = (low + high) / 2
            light = share(replace(usual, tails=middle), 2) < 0.95
            low, high = (low, middle) if light else (middle, high)
        usual = replace(usual, tails=low)
    return usual


def left_out(name: str, steps: int) -> None:
    """How much worse a panel is forecast with constants found without it: yearly readings."""
    found = calibrate(1, steps, name)
    for panel in panels(rolling=False):
        if panel.name != name or panel.per_year != 1:
            continue
        for length in (4, 6, 8, 12):
            cases = cut(panel, length, 3)
            if len(cases.history) < 50:
                continue
            own, other = score(constants(1), cases), score(found, cases)
            print(
                f"  {name} {length:>2} readings: CRPS {other.crps:.3f} without it, {own.crps:.3f} "
                f"with it; {other.within_80:.0%} and {own.within_80:.0%} within 80 %",
                flush=True,
            )


def rounded(usual: Constants) -> dict[str, object]:
    """Three decimals, which is more than the panels can tell."""

    def shorter(value: object) -> object:
        if isinstance(value, tuple):
            return [shorter(one) for one in value]
        return round(value, 3) if isinstance(value, float) else value

    return {name: shorter(value) for name, value in asdict(usual).items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=25, help="most steps of the search")
    parser.add_argument("--only", type=int, choices=(1, 4), help="yearly or quarterly alone")
    parser.add_argument(
        "--without", help="leave a panel out, say how it is forecast then, and write nothing"
    )
    options = parser.parse_args()
    if options.without:
        left_out(options.without, options.steps)
        return
    stored = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for per_year in (1, 4):
        if options.only in (None, per_year):
            print({1: "yearly", 4: "quarterly"}[per_year])
            found = calibrate(per_year, options.steps)
            stored[str(per_year)] = rounded(found)
            TARGET.write_text(json.dumps(stored, indent=1) + "\n")
            for cases, naive, drift in _CASES:
                value, inside, _ = score(found, cases, drift)
                print(
                    f"  {cases.panel:<8} {cases.history.shape[1]:>2} readings: CRPS {value:.3f} "
                    f"(equal weights {naive:.3f}), {inside:.0%} within 80 %"
                )


if __name__ == "__main__":
    main()
