"""Disclosure control: what a public report holds back, so that no small number can be found.

One set of figures is decided on, and everything of a public report is made without them:

1. Primary: counts of people or events below the threshold, rates of so few or of all but so few,
   and rates of small groups; of every area and period, in any version received.
2. Secondary: further figures, until no one can work out a primary one from totals, the smallest
   first. A linear programme finds the least and the most that each figure can be, given all that
   is shown; they must lie at least the threshold apart.
3. Versions: where two versions of a figure differ by less than the threshold, only the newest is
   shown.
4. Whatever is made from a figure that is held back is held back too.

``docs/disclosure.md`` gives the sources of these rules and what they do not protect against.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.analysis.assessment import assess
from psa_analysis.analysis.commitments import follow, load_progress
from psa_analysis.analysis.effectiveness import effectiveness
from psa_analysis.analysis.outlook import Outlook
from psa_analysis.analysis.readings import make_readings
from psa_analysis.analysis.trajectory import with_seasons
from psa_analysis.findings import Finding, errors
from psa_analysis.register.agreement import Agreement, rate_factor
from psa_analysis.returns.cleaning import as_of
from psa_analysis.words import NOT_SHOWN, chance_text

if TYPE_CHECKING:
    from psa_analysis.report import Report

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The flag of a latest reading that is held back.
WITHHELD = "withheld"
_RESTS_ON = "it rests on small numbers, which are not shown"

#: What returns of others hold is public already.
_PUBLISHED = "raw/published/"
_CELL = ["measure", "area", "period"]
_FIGURES = ["value", "numerator", "denominator"]

#: Columns of the figures held back, one row per observation. This is the place that describes them.
WITHHELD_COLUMNS = {
    "measure": "the measure",
    "area": "the place",
    "period": "the period's label",
    "received": "the day that this version came in",
    "reason": "small, would give away another, or earlier version",
}
SMALL, GIVES_AWAY, EARLIER = "small", "would give away another", "earlier version"

#: What a commitment's own figure counts, where it counts people.
_PEOPLE = re.compile(
    r"\b(?:people|persons?|child(?:ren)?|pupils?|victims?|carers?|families|households|cases|incidents|"
    r"residents|users|leavers|adoptions|casualties|deaths)\b"
)


def at_risk(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations are made of people or events, and not published by others."""
    made_of = observations["measure"].map(agreement.measures["made_of"])
    # Where the register does not say, a numerator does.
    cases = (made_of == "cases") | ((made_of == "") & observations["numerator"].notna())
    return cases & ~observations["file"].astype(str).str.startswith(_PUBLISHED)


def small(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations are small by the settings of ``[disclosure]``."""
    settings = agreement.settings.disclosure
    units = observations["measure"].map(agreement.measures["unit"])
    factor = pd.to_numeric(units.map(rate_factor), errors="coerce").astype(float)
    value, over, under = (observations[name].astype(float) for name in _FIGURES)

    def few(counted: pd.Series) -> pd.Series:
        return (counted < settings.threshold) & ((counted != 0) | (not settings.show_zeros))

    bare = factor.notna() & (over.isna() | under.isna())
    extreme = (value == 0) & (not settings.show_zeros) | (value == factor)
    found = factor.isna() & few(value)
    found |= few(over) | (under.notna() & few(under - over) & (factor == 100))
    found |= under < settings.smallest_denominator
    found |= bare & extreme & (settings.threshold > 0)
    return found & at_risk(agreement, observations)


def feasible(relations: Floats, values: Floats, hidden: Flags) -> tuple[Floats, Floats]:
    """The least and the most that each hidden count can be, given all that is shown."""
    from scipy.optimize import linprog

    low, high = values.astype(float).copy(), values.astype(float).copy()
    places = np.flatnonzero(hidden)
    bound = relations[:, places]
    bound = bound[np.any(bound != 0, axis=1)]
    for number, place in enumerate(places):
        if not len(bound) or not bound[:, number].any():
            low[place], high[place] = 0.0, np.inf
            continue
        aim = np.zeros(len(places))
        for sign, ends in ((1, low), (-1, high)):
            aim[number] = sign
            found = linprog(aim, A_eq=bound, b_eq=bound @ values[places], method="highs")
            # Anything but an optimum or no bound is treated as if the figure were known.
            ends[place] = (
                sign * found.fun
                if found.status == 0
                else -sign * np.inf
                if found.status == 3
                else values[place]
            )
    return low, high


def complement(
    relations: Floats, counts: Floats, hidden: Flags, fixed: Flags, width: float
) -> Flags:
    """Hide further cells until no hidden count can be told to within `width`."""
    hidden = hidden.copy()
    while (place := _exposed(relations, counts, hidden, width)) is not None:
        own = relations[:, place]
        # Cells with this one in a sum; other parts before the whole, the smallest of them first.
        with_it = relations[own != 0] * own[own != 0, None]
        part, there = (with_it > 0).any(axis=0), (with_it != 0).any(axis=0)
        free = there & ~hidden & ~fixed
        if not free.any():
            # Every cell of its own sums is hidden or cannot be: those of sums further on.
            linked = (relations[:, hidden] != 0).any(axis=1)
            free = (relations[linked] != 0).any(axis=0) & ~hidden & ~fixed
        if not free.any():
            break
        size = np.nan_to_num(np.nanmin(np.c_[counts, np.full(len(counts), np.inf)], axis=1))
        order = np.lexsort([size, ~part])
        hidden[next(one for one in order if free[one])] = True
    return hidden


def _exposed(relations: Floats, counts: Floats, hidden: Flags, width: float) -> int | None:
    """The first hidden cell of which a count can be told too nearly."""
    for kind in range(counts.shape[1]):
        own = counts[:, kind]
        # A sum of which one term is not known gives nothing away.
        usable = ~(relations[:, np.isnan(own)] != 0).any(axis=1)
        low, high = feasible(relations[usable], np.nan_to_num(own), hidden & ~np.isnan(own))
        near = hidden & ~np.isnan(own) & (high - low < width - 1e-6)
        if near.any():
            return int(np.flatnonzero(near)[0])
    return None


def sums(agreement: Agreement, cells: pd.MultiIndex) -> list[tuple[Any, list[Any]]]:
    """Each whole among the cells and its parts there: areas of one kind, or parts of a measure."""
    there, found = set(cells), []
    groups = agreement.areas.groupby(["part_of", "kind"], sort=False)["area"].agg(list)
    by_whole: dict[str, list[list[str]]] = {}
    for (whole, _), areas in groups.items():
        by_whole.setdefault(str(whole), []).append(areas)
    parts_of = agreement.measures["parts"].to_dict()
    for measure, area, period in cells:
        sets = [[(measure, part, period) for part in areas] for areas in by_whole.get(area, [])]
        sets.append([(part, area, period) for part in parts_of.get(measure) or []])
        for parts in sets:
            if known := [part for part in parts if part in there]:
                found.append(((measure, area, period), known))
    return found


def withheld(observations: pd.DataFrame, agreement: Agreement, cut_off: date) -> pd.DataFrame:
    """The observations that a public report holds back."""
    seen = observations[observations["received"] <= pd.Timestamp(cut_off)]
    keys = pd.MultiIndex.from_frame(seen[_CELL].astype(str))
    reason = pd.Series("", index=seen.index, dtype=object)
    primary = keys[small(agreement, seen).to_numpy(dtype=bool)].unique()
    reason[keys.isin(primary)] = SMALL
    # Only now: of a figure that is held back no version is shown.
    further = keys.isin(_secondary(as_of(seen, cut_off), agreement, set(primary)))
    reason[further & (reason == "").to_numpy()] = GIVES_AWAY
    reason[_earlier(seen, keys, agreement).to_numpy() & (reason == "").to_numpy()] = EARLIER
    found = seen.assign(reason=reason)[reason != ""]
    return found[list(WITHHELD_COLUMNS)]


def _secondary(known: pd.DataFrame, agreement: Agreement, primary: set[Any]) -> list[Any]:
    """The cells that would give a small one away, period by period."""
    if not primary:
        return []
    settings = agreement.settings.disclosure
    periods = {period for _, _, period in primary}
    known = known[known["period"].isin(periods) & known["value"].notna()]
    found: list[Any] = []
    for _, rows in known.groupby("period", sort=True, observed=True):
        cells = pd.MultiIndex.from_frame(rows[_CELL].astype(str))
        linked = sums(agreement, cells)
        if not linked:
            continue
        place = {cell: number for number, cell in enumerate(cells)}
        relations = np.zeros((len(linked), len(cells)))
        for number, (whole, parts) in enumerate(linked):
            relations[number, [place[part] for part in parts]] = 1
            relations[number, place[whole]] = -1
        rate = rows["measure"].map(agreement.measures["unit"]).map(rate_factor).notna().to_numpy()
        value, over, under = (rows[name].to_numpy(dtype=float) for name in _FIGURES)
        counts = np.c_[np.where(rate, over, value), np.where(rate, under - over, np.nan)]
        hidden = np.array([cell in primary for cell in cells])
        fixed = ~at_risk(agreement, rows).to_numpy(dtype=bool)
        all_hidden = complement(relations, counts, hidden, fixed, settings.threshold)
        found += list(cells[all_hidden & ~hidden])
    return found


def _earlier(seen: pd.DataFrame, keys: pd.MultiIndex, agreement: Agreement) -> pd.Series:
    """Earlier versions of figures whose versions differ by less than the threshold."""
    threshold = agreement.settings.disclosure.threshold
    factor = seen["measure"].map(agreement.measures["unit"]).map(rate_factor)
    factor = pd.to_numeric(factor, errors="coerce").astype(float)
    counts = seen[_FIGURES].astype(float)
    # A version that gives a rate alone tells its count by the other's denominator.
    among = counts["denominator"].fillna(counts["denominator"].groupby(keys).transform("max"))
    counts["numerator"] = counts["numerator"].fillna(counts["value"] * among / factor)
    counts["value"] = counts["value"].where(factor.isna())
    near = pd.Series(data=False, index=seen.index)
    several = keys.duplicated(keep=False) & at_risk(agreement, seen).to_numpy(dtype=bool)
    for _, rows in counts[several].groupby(keys[several], sort=False):
        table = rows.to_numpy(dtype=float)
        apart = np.abs(table[:, None] - table[None])
        if ((apart > 0) & (apart < threshold)).any():
            near[rows.index] = True
    return near & keys.duplicated(keep="last")


def protect(report: Report, also: pd.DataFrame | None = None) -> Report:
    """The report with nothing in it that a public page must not show."""
    agreement, end = report.agreement, report.period.end
    seen = report.observations[report.observations["received"] <= pd.Timestamp(report.cut_off)]
    marks = withheld(seen, agreement, report.cut_off)
    hidden = seen.index.isin(marks.index) | _marked(seen, also)
    seen = _without(seen, hidden, agreement)
    known = as_of(seen, report.cut_off)
    agreement = with_seasons(agreement, known)
    read = make_readings(known, agreement)
    there = report.readings[report.readings["reading"].notna()]
    there = pd.MultiIndex.from_frame(there[_CELL].astype(str))
    gone = pd.MultiIndex.from_frame(read[_CELL].astype(str)).isin(there) & read["reading"].isna()
    # Of those that could not be made anyhow, the reason stands; what returns suppress is small.
    read["missing"] = read["missing"].mask(gone, NOT_SHOWN).replace("suppressed", NOT_SHOWN)
    affected = _affected(report, seen[hidden], read)
    ahead = {
        name: Outlook(reason=one.reason or _RESTS_ON) if name in affected else one
        for name, one in report.outlooks.items()
    }
    refused = {
        (one.measure, one.period) for one in errors(report.findings) if one.measure and one.period
    }
    made = assess(read, agreement, report.period, refused, ahead)
    promised = follow(agreement, load_progress(agreement)[0], seen, report.period)
    return replace(
        report,
        agreement=agreement,
        audience="public",
        observations=seen,
        known=known,
        readings=read,
        outlooks=ahead,
        assessment=_assessment(report, made, affected, read),
        effectiveness=effectiveness(read, agreement, end),
        commitments=_commitments(report, promised),
        sources=_sources(report.sources),
        findings=tuple(_finding(one, agreement) for one in report.findings),
        withheld=marks,
    )


def _marked(seen: pd.DataFrame, also: pd.DataFrame | None) -> Flags:
    """Observations that another report holds back; of its small cells, every version."""
    if also is None or also.empty:
        return np.zeros(len(seen), dtype=bool)
    whole = also[also["reason"] != EARLIER]
    keys = pd.MultiIndex.from_frame(seen[_CELL].astype(str))
    versions = pd.MultiIndex.from_frame(seen[[*_CELL, "received"]].astype(str))
    found = keys.isin(pd.MultiIndex.from_frame(whole[_CELL].astype(str)))
    named = pd.MultiIndex.from_frame(also[[*_CELL, "received"]].astype(str))
    return np.asarray(found | versions.isin(named), dtype=bool)


def _without(seen: pd.DataFrame, hidden: Flags, agreement: Agreement) -> pd.DataFrame:
    """The observations, those held back without figure, and none with what was typed beside it."""
    made = seen.copy()
    made.loc[hidden, _FIGURES] = np.nan
    made.loc[hidden, "flag"] = "suppressed"
    # All alike, or this would tell those that are small from those that go with them.
    made["small"] = hidden
    # Words of senders, and of those who correct them, quote figures.
    risky = at_risk(agreement, seen) | hidden
    made.loc[risky, "note"] = ""
    made.loc[risky & (seen["correction"] != ""), "correction"] = (
        "corrected; what stood there is in the internal report"
    )
    return made


def _affected(report: Report, hidden: pd.DataFrame, read: pd.DataFrame) -> set[str]:
    """Measures whose readings or forecast, for the agreement's area, rest on what is hidden."""
    area, measures = report.agreement.settings.agreement.area, report.agreement.measures
    # Forecasts correct first figures by what became of earlier ones: a mean of at least four.
    whole = hidden[hidden["area"] == area].drop_duplicates(_CELL, keep="last")
    newest = report.known
    newest = newest.merge(whole[[*_CELL, "received"]], on=[*_CELL, "received"])
    found = set(newest["measure"])
    found |= set(measures.index[measures["continues"].isin(found)])
    both = report.readings.merge(read, on=_CELL, suffixes=("", "_shown"))
    both = both[(both["area"] == area) & both["reading"].notna()]
    return found | set(both.loc[both["reading"] != both["reading_shown"], "measure"])


#: Columns of the assessment that the latest reading goes into.
_OF_LATEST = [
    "latest",
    "gap",
    "gap_months",
    "progress",
    "required",
    "required_done_before",
    "previous",
    "previous_period",
    "direction",
    "year_before",
    "direction_on_year",
]
#: Columns that are the same whatever is held back.
_KEPT = [
    "state",
    "is_forecast",
    "illustrative",
    "late",
    "expected_period",
    "latest_period",
    "file",
    "row",
]


def _assessment(
    report: Report, made: pd.DataFrame, affected: Iterable[str], read: pd.DataFrame
) -> pd.DataFrame:
    """The assessment: states of the full report, figures of what is shown."""
    full = report.assessment.set_index("measure", drop=False)
    shown = made.set_index("measure", drop=False)
    area, rows = report.agreement.settings.agreement.area, []
    there = read[(read["area"] == area) & read["reading"].notna()]
    there = set(zip(there["measure"], there["period"], strict=True))
    for name, row in full.iterrows():
        if name not in affected:
            rows.append(row.to_dict())
            continue
        one = shown.loc[name].to_dict() | row[_KEPT].to_dict()
        if pd.notna(row["latest"]) and (name, row["latest_period"]) not in there:
            one |= dict.fromkeys(_OF_LATEST)
            seasonal = report.agreement.measures.at[name, "profile"] == "seasonal"
            one["planned"] = None if seasonal else row["planned"]
            one |= {"latest_flag": WITHHELD, "missing": NOT_SHOWN}
        one |= _chances(row, report.agreement)
        one["reason"] = _reason(row, one, str(shown.at[name, "state"]))
        rows.append(one)
    table = pd.DataFrame(rows, columns=list(report.assessment.columns))
    return table.astype(report.assessment.dtypes.to_dict())


def _chances(row: pd.Series, agreement: Agreement) -> dict[str, float]:
    """Chances in tenths, on the same side of the states' thresholds; 5 % and 95 % at the ends."""
    steps, states = [0.05, *(n / 10 for n in range(1, 10)), 0.95], agreement.settings.states
    made = {}
    for column in ("chance_target", "chance_trigger"):
        chance = row[column]
        if pd.isna(chance):
            made[column] = float("nan")
            continue
        edges = (states.at_risk, states.on_track) if column == "chance_target" else ()
        fitting = [
            one for one in steps if all((one >= edge) == (float(chance) >= edge) for edge in edges)
        ]
        near = np.abs(np.array(fitting) - float(chance))
        made[column] = fitting[int(near.argmin())] if fitting else float("nan")
    return made


def _reason(row: pd.Series, one: dict[str, Any], state_shown: str) -> str:
    """Why the state is what it is, without a figure that is held back."""
    if not row["is_forecast"] or one["latest_period"] is None or pd.isna(one["latest_period"]):
        return str(row["reason"])
    if pd.notna(row["chance_target"]) and pd.notna(one["chance_target"]):
        return (
            f"the chance that the target is met is about {chance_text(one['chance_target'])}; the "
            "figures behind it are not shown, since numbers are small"
        )
    if one["latest_flag"] != WITHHELD and state_shown == row["state"]:
        return str(one["reason"])
    return "judged by figures that are not shown, since numbers are small"


def _commitments(report: Report, shown: pd.DataFrame) -> pd.DataFrame:
    """The commitments: states of the full report, no figure that rests on what is held back."""
    full = report.commitments.copy()
    if full.empty:
        return full
    said = ["value", "value_period", "progress", "done_on", "reason", "evidence"]
    # A cell that is empty in both is the same in both.
    differs = (full[said].map(str) != shown[said].map(str)).any(axis=1)
    limit = report.agreement.settings.disclosure.threshold
    # A commitment's own figure counts people if its unit says so.
    people = full["unit"].astype(str).str.contains(_PEOPLE)
    value = pd.to_numeric(full["value"], errors="coerce").astype(float)
    few = people & (full["measure"] == "") & (value.abs() < limit)
    hide = differs | few
    for column in ("value", "progress", "done_on"):
        full[column] = full[column].where(~hide)
    full["reason"] = full["reason"].where(~hide, NOT_SHOWN)
    full["evidence"] = full["evidence"].where(~hide, "")
    return full


def _sources(sources: pd.DataFrame) -> pd.DataFrame:
    """The data log without checksums of returns, by which a guess at a figure could be tried."""
    returned = ~sources["file"].astype(str).str.startswith(_PUBLISHED)
    gone = [name for name in ("checksum", "sha256") if name in sources]
    return sources.assign(**{name: sources[name].where(~returned, "") for name in gone})


def _finding(one: Finding, agreement: Agreement) -> Finding:
    """A finding without what it quotes, unless what it quotes counts neither people nor events."""
    if one.file.startswith((_PUBLISHED, "raw/register", "raw/agreement")):
        return one
    harmless = one.measure in agreement.measures.index and (
        agreement.measures.at[one.measure, "made_of"] == "amounts"
    )
    if harmless:
        return one
    return replace(
        one,
        found=None,
        expected="something else; what stands there is in the internal report",
        remedy="Ask the council.",
    )
