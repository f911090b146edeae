"""Disclosure control: what a public report holds back, so that no small number can be found.

Everything of a public report is made without the small figures, without those that would give
them away, and without earlier versions that differ by little from a later one.
``docs/disclosure.md`` gives the rules, their sources and what they do not protect against.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.files import meanings
from psa_analysis.findings import Finding
from psa_analysis.register.agreement import Agreement, rate_factor
from psa_analysis.returns.cleaning import as_of
from psa_analysis.words import NOT_SHOWN, chance_text

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The flag of a latest reading that is held back.
WITHHELD = "withheld"
#: Why there is no forecast of a measure that rests on what is held back.
NO_FORECAST = "it rests on small numbers, which are not shown"

#: What returns of others hold is public already.
_PUBLISHED = "raw/published/"
_CELL = ["measure", "area", "period"]
_FIGURES = ["value", "numerator", "denominator"]

#: Why a figure is held back.
SMALL, GIVES_AWAY, EARLIER = "small", "would give away another", "earlier version"

#: What a commitment's own figure counts, where it counts people.
_PEOPLE = (
    r"\b(?:people|persons?|child(?:ren)?|pupils?|victims?|carers?|families|households|cases|"
    r"incidents|residents|users|leavers|adoptions|casualties|deaths)\b"
)


def at_risk(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations are made of people or events, and not published by others."""
    made_of = observations["measure"].map(agreement.measures["made_of"])
    # Where the register does not say, a numerator does.
    counted = made_of.isin(["cases", "headcount"])
    cases = counted | ((made_of == "") & observations["numerator"].notna())
    return cases & ~observations["file"].astype(str).str.startswith(_PUBLISHED)


def small(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations are small by the settings of ``[disclosure]``."""
    settings, factor = agreement.settings.disclosure, _factors(observations, agreement)
    value, numerator, denominator = (observations[name].astype(float) for name in _FIGURES)
    others = (denominator - numerator).where(factor == 100)
    counts = pd.concat([value.where(factor.isna()), numerator, others], axis=1)
    few = (counts < settings.threshold) & ((counts != 0) | (not settings.show_zeros))
    bare = factor.notna() & (numerator.isna() | denominator.isna())
    extreme = (value == 0) & (not settings.show_zeros) | (value == factor)
    is_small = few.any(axis=1) | (denominator < settings.smallest_denominator)
    is_small |= bare & extreme & (settings.threshold > 0)
    return is_small & at_risk(agreement, observations)


def _factors(observations: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """What the unit of each observation multiplies its rate by; missing for a count."""
    return observations["measure"].map(agreement.measures["unit"].map(rate_factor)).astype(float)


def complement(
    relations: Floats, counts: Floats, hidden: Flags, fixed: Flags, width: float
) -> Flags:
    """Hide further cells until no hidden count can be told to within `width`."""
    hidden = hidden.copy()
    while (place := _exposed(relations, counts, hidden, width)) is not None:
        signs = relations[:, place]
        # Cells with this one in a sum; other parts before the whole, the smallest of them first.
        with_it = relations[signs != 0] * signs[signs != 0, None]
        part = (with_it > 0).any(axis=0)
        free = (with_it != 0).any(axis=0) & ~hidden & ~fixed
        if not free.any():
            # Every cell of its own sums is hidden or cannot be: those of sums further on.
            linked = (relations[:, hidden] != 0).any(axis=1)
            free = (relations[linked] != 0).any(axis=0) & ~hidden & ~fixed
        if not free.any():
            break
        size = np.nan_to_num(np.nanmin(np.c_[counts, np.full(len(counts), np.inf)], axis=1))
        order = np.lexsort([size, ~part])
        hidden[order[free[order]][0]] = True
    return hidden


def _exposed(relations: Floats, counts: Floats, hidden: Flags, width: float) -> int | None:
    """The first hidden cell of which all that is shown tells a count too nearly."""
    from scipy.optimize import linprog

    for values in counts.T:
        unknown = np.isnan(values)
        # A sum of which one term is not known gives nothing away.
        usable = ~(relations[:, unknown] != 0).any(axis=1)
        places = np.flatnonzero(hidden & ~unknown)
        bound = relations[np.ix_(usable, places)]
        sums = bound @ values[places]
        for place, aim in zip(places, np.eye(len(places)), strict=True):
            # The least that the count can be, and the least that its negative can.
            least = []
            for sign in (1, -1):
                solved = linprog(sign * aim, A_eq=bound, b_eq=sums, method="highs")
                # Anything but an optimum or no bound is treated as if the figure were known.
                ends = {0: solved.fun, 3: -np.inf}
                least.append(ends.get(solved.status, sign * values[place]))
            if -sum(least) < width - 1e-6:
                return int(place)
    return None


def withheld(observations: pd.DataFrame, agreement: Agreement, cut_off: date) -> pd.DataFrame:
    """The observations that a public report holds back."""
    seen = observations[observations["received"] <= pd.Timestamp(cut_off)]
    cells = _cells(seen)
    primary = cells[small(agreement, seen).to_numpy(dtype=bool)].unique()
    # Only now: of a figure that is held back no version is shown.
    secondary = _secondary(as_of(seen, cut_off), agreement, set(primary))
    earlier = _earlier(seen, cells, agreement).to_numpy()
    held = [cells.isin(primary), cells.isin(secondary), earlier]
    reasons = np.select(held, [SMALL, GIVES_AWAY, EARLIER], "")
    marks = seen.assign(reason=pd.Series(reasons, index=seen.index, dtype=object))
    return marks.loc[reasons != "", list(meanings("withheld"))]


def _cells(rows: pd.DataFrame, *further: str) -> pd.MultiIndex:
    """Measure, area and period of each row, and further columns."""
    return pd.MultiIndex.from_frame(rows[[*_CELL, *further]].astype(str))


def _secondary(known: pd.DataFrame, agreement: Agreement, primary: set[Any]) -> list[Any]:
    """The cells that would give a small one away, period by period."""
    periods = {period for _, _, period in primary}
    known = known[known["period"].isin(periods) & known["value"].notna()]
    further: list[Any] = []
    for _, rows in known.groupby("period", sort=True, observed=True):
        cells = _cells(rows)
        is_rate = _factors(rows, agreement).notna().to_numpy()
        value, numerator, denominator = (rows[name].to_numpy(dtype=float) for name in _FIGURES)
        others = np.where(is_rate, denominator - numerator, np.nan)
        counts = np.c_[np.where(is_rate, numerator, value), others]
        hidden, fixed = cells.isin(primary), ~at_risk(agreement, rows).to_numpy(dtype=bool)
        relations, width = _relations(agreement, cells), agreement.settings.disclosure.threshold
        further += list(cells[complement(relations, counts, hidden, fixed, width) & ~hidden])
    return further


def _relations(agreement: Agreement, cells: pd.MultiIndex) -> Floats:
    """A row for each sum among the cells: 1 for its parts, −1 for the total.

    Parts are the areas of one kind in an area, or the parts of a measure.
    """
    place = {cell: number for number, cell in enumerate(cells)}
    rows = []
    for measure, area, period in cells:
        areas = agreement.areas[agreement.areas["part_of"] == area]
        kinds = areas.groupby("kind", sort=False)["area"]
        sums = [[(measure, part, period) for part in of_kind] for _, of_kind in kinds]
        sums.append([(part, area, period) for part in agreement.measures.at[measure, "parts"]])
        for parts in sums:
            if known := [place[part] for part in parts if part in place]:
                row = np.zeros(len(cells))
                row[known], row[place[measure, area, period]] = 1, -1
                rows.append(row)
    return np.array(rows).reshape(-1, len(cells))


def _earlier(seen: pd.DataFrame, cells: pd.MultiIndex, agreement: Agreement) -> pd.Series:
    """Earlier versions of figures whose versions differ by less than the threshold."""
    threshold, factor = agreement.settings.disclosure.threshold, _factors(seen, agreement)
    counts = seen[_FIGURES].astype(float)
    # A version that gives a rate alone tells its count by the other's denominator.
    denominators = counts["denominator"]
    denominators = denominators.fillna(denominators.groupby(cells).transform("max"))
    counts["numerator"] = counts["numerator"].fillna(counts["value"] * denominators / factor)
    counts["value"] = counts["value"].where(factor.isna())
    risky = at_risk(agreement, seen).to_numpy(dtype=bool)
    counts["cell"] = cells.factorize()[0]
    versions = counts[risky].melt("cell", value_name="count").sort_values("count")
    steps = versions.groupby(["cell", "variable"])["count"].diff()
    near = versions.loc[(steps > 0) & (steps < threshold), "cell"]
    return counts["cell"].isin(near) & risky & cells.duplicated(keep="last")


def named_in(marks: pd.DataFrame, observations: pd.DataFrame) -> Flags:
    """Observations that another report holds back; of its small cells, every version."""
    versions = _cells(observations, "received").isin(_cells(marks, "received"))
    cells = _cells(observations).isin(_cells(marks[marks["reason"] != EARLIER]))
    return np.asarray(cells | versions, dtype=bool)


def masked_observations(seen: pd.DataFrame, hidden: Flags, agreement: Agreement) -> pd.DataFrame:
    """The observations, those held back without figure, and none with what was typed beside it."""
    masked = seen.copy()
    masked.loc[hidden, _FIGURES] = np.nan
    masked.loc[hidden, "flag"] = "suppressed"
    # All alike, or this would tell those that are small from those that go with them.
    masked["small"] = hidden
    # Words of senders, and of those who correct them, quote figures.
    risky = at_risk(agreement, seen) | hidden
    masked.loc[risky, "note"] = ""
    corrected = "corrected; what stood there is in the internal report"
    masked.loc[risky & (seen["correction"] != ""), "correction"] = corrected
    return masked


def masked_readings(full: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """The readings of what is shown, with the reason why some that there are have gone."""
    gone = _cells(shown).isin(_cells(full[full["reading"].notna()])) & shown["reading"].isna()
    # Of those that could not be made anyhow, the reason stands; what returns suppress is small.
    missing = shown["missing"].mask(gone, NOT_SHOWN).replace("suppressed", NOT_SHOWN)
    return shown.assign(missing=missing)


def affected_measures(
    hidden: pd.DataFrame,
    known: pd.DataFrame,
    full: pd.DataFrame,
    shown: pd.DataFrame,
    agreement: Agreement,
) -> set[str]:
    """Measures whose readings or forecast, for the agreement's area, rest on what is hidden."""
    area, measures = agreement.settings.agreement.area, agreement.measures
    # Forecasts correct first figures by what became of earlier ones: a mean of at least four.
    # So an earlier version alone tells nothing, and only hidden figures that are the newest count.
    newest = known.merge(hidden.loc[hidden["area"] == area, [*_CELL, "received"]])
    names = {*newest["measure"]}
    both = full[full["area"] == area].merge(shown, on=_CELL, suffixes=("", "_shown"))
    changed = both["reading"].notna() & (both["reading"] != both["reading_shown"])
    continued = measures.index[measures["continues"].isin(names)]
    return {*names, *continued, *both.loc[changed, "measure"]}


#: Columns of the assessment that the latest reading goes into.
_OF_LATEST = [
    *["latest", "gap", "gap_months", "progress", "required", "required_done_before", "previous"],
    *["previous_period", "direction", "year_before", "direction_on_year", "by_tolerance"],
]
#: Columns that are the same whatever is held back.
_KEPT = ["state", "is_forecast", "illustrative", "late", "expected_period", "latest_period"]
_KEPT += ["target", "due", "judged_by", "periods", "share_met", "file", "row"]


def masked_assessment(
    full: pd.DataFrame,
    shown: pd.DataFrame,
    affected: Collection[str],
    readings: pd.DataFrame,
    agreement: Agreement,
) -> pd.DataFrame:
    """The assessment with the states of all figures, and figures of what is shown."""
    rows = full["measure"].isin(affected)
    table = pd.concat([full[~rows], shown[rows]]).sort_index()
    table[_KEPT] = full[_KEPT]
    area = agreement.settings.agreement.area
    latest = _cells(full.assign(area=area, period=full["latest_period"]))
    has_reading = latest.isin(_cells(readings[readings["reading"].notna()]))
    hidden = rows & full["latest"].notna() & ~has_reading
    table[_OF_LATEST] = table[_OF_LATEST].mask(hidden)
    seasonal = full["measure"].map(agreement.measures["profile"]) == "seasonal"
    table["planned"] = table["planned"].mask(hidden, full["planned"].mask(seasonal))
    table.loc[hidden, ["latest_flag", "missing"]] = WITHHELD, NOT_SHOWN
    edges = agreement.settings.states.at_risk, agreement.settings.states.on_track
    for column, kept_apart in (("chance_target", edges), ("chance_trigger", ())):
        table[column] = table[column].astype(float).mask(rows, _in_tenths(full[column], kept_apart))
    table["reason"] = table["reason"].mask(rows, _reasons(full, shown, table))
    return table.astype(full.dtypes.to_dict())


def _in_tenths(chances: pd.Series, edges: Collection[float]) -> pd.Series:
    """Chances in tenths, on the same side of the states' thresholds; 5 % and 95 % at the ends."""
    steps = np.array([0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95])
    exact = chances.to_numpy(dtype=float)[:, None]
    distance = np.abs(steps - exact)
    for edge in edges:
        distance[(steps >= edge) != (exact >= edge)] = np.inf
    nearest = pd.Series(steps[distance.argmin(axis=1)], chances.index)
    return nearest.where(np.isfinite(distance).any(axis=1))


def _reasons(full: pd.DataFrame, shown: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    """Why each state is what it is, without a figure that is held back."""
    chances, small_numbers = table["chance_target"], "are not shown, since numbers are small"
    by_chance = "the chance that the target is met is about " + chances.map(chance_text)
    same_state = (table["latest_flag"] != WITHHELD) & (shown["state"] == full["state"])
    reasons = table["reason"].where(same_state, f"judged by figures that {small_numbers}")
    reasons = reasons.mask(chances.notna(), by_chance + f"; the figures behind it {small_numbers}")
    return reasons.mask(~full["is_forecast"] | full["latest_period"].isna(), full["reason"])


def masked_commitments(full: pd.DataFrame, shown: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The commitments with the states of all figures, and none that rests on what is held back."""
    columns = ["value", "value_period", "progress", "done_on", "reason", "evidence"]
    # A cell that is empty in both is the same in both.
    differs = (full[columns].map(str) != shown[columns].map(str)).any(axis=1)
    # A commitment's own figure counts people if its unit says so.
    people = full["unit"].astype(str).str.contains(_PEOPLE) & (full["measure"] == "")
    hidden = differs | (people & (full["value"].abs() < threshold))
    masked = full.copy()
    masked[["value", "progress", "done_on"]] = masked[["value", "progress", "done_on"]].mask(hidden)
    masked.loc[hidden, ["reason", "evidence"]] = NOT_SHOWN, ""
    return masked


def masked_sources(sources: pd.DataFrame) -> pd.DataFrame:
    """The data log without checksums of returns, by which a guess at a figure could be tried."""
    published = sources["file"].astype(str).str.startswith(_PUBLISHED)
    return sources.assign(checksum=sources["checksum"].where(published, ""))


def masked_finding(finding: Finding, agreement: Agreement) -> Finding:
    """A finding without what it quotes, unless what it quotes counts neither people nor events."""
    amounts = agreement.measures["made_of"].get(finding.measure) == "amounts"
    if amounts or finding.file.startswith((_PUBLISHED, "raw/register", "raw/agreement")):
        return finding
    expected = "something else; what stands there is in the internal report"
    return replace(finding, found=None, expected=expected, remedy="Ask the council.")
