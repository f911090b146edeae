"""Disclosure control: what a public report holds back, so that no small number can be found.

Everything of a public report is worked out without the small figures, without those that would
give them away, and without earlier versions that differ by little from a later one.
``docs/disclosure.md`` gives the rules, their sources and what they do not protect against.
"""

from collections.abc import Iterable
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
from psa_analysis.words import NOT_SHOWN

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: What returns of others hold is public already.
_PUBLISHED = "raw/published/"
#: What names a figure, whichever version of it.
CELL = ["measure", "area", "period"]
_FIGURES = ["value", "numerator", "denominator"]

#: Why a figure is held back.
SMALL, GIVES_AWAY, EARLIER = "small", "would give away another", "earlier version"
#: What is small and can be worked out all the same, from figures that are public already.
EXPOSED = "small, and can be worked out from what others or earlier packs have published"


def at_risk(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations may be made of people or events, and are not published by others."""
    measures = agreement.measures
    safe = (measures["made_of"] == "amounts") | (measures["basis"] == "milestone")
    return ~observations["measure"].map(safe).astype(bool) & ~_published(observations)


def _published(observations: pd.DataFrame) -> pd.Series:
    return observations["file"].astype(str).str.startswith(_PUBLISHED)


def small(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations are small by the settings of ``[disclosure]``."""
    settings, factor = agreement.settings.disclosure, _factors(observations, agreement)
    value, numerator, denominator = (observations[name].astype(float) for name in _FIGURES)
    counts = _counts(agreement, observations).assign(numerator=numerator)
    few = (counts < settings.threshold) & ((counts != 0) | (not settings.show_zeros))
    bare = factor.notna() & (numerator.isna() | denominator.isna())
    extreme = (value == 0) & (not settings.show_zeros) | (value == factor)
    is_small = few.any(axis=1) | (denominator < settings.smallest_denominator)
    is_small |= bare & extreme & (settings.threshold > 0)
    return is_small & at_risk(agreement, observations)


def _counts(agreement: Agreement, observations: pd.DataFrame) -> pd.DataFrame:
    """How many each observation counts, and how many of its denominator it does not count."""
    value, numerator, denominator = (observations[name].astype(float) for name in _FIGURES)
    factor = _factors(observations, agreement)
    # Where the register does not say what a figure is made of, a whole number may count people.
    said = observations["measure"].map(agreement.measures["made_of"]) != ""
    counted = value.where(said | (value == value.round())).where(factor.isna(), numerator)
    others = (denominator - numerator).where(factor == 100)
    return pd.DataFrame({"count": counted, "others": others})


def _factors(observations: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """What the unit of each observation multiplies its rate by; missing for a count."""
    return observations["measure"].map(agreement.measures["unit"].map(rate_factor)).astype(float)


def complement(
    relations: Floats, counts: Floats, hidden: Flags, fixed: Flags, width: float
) -> tuple[Flags, Flags]:
    """Hide further cells until no hidden count can be told to within `width`.

    Gives the hidden cells, and those of them that can be told whatever else is hidden.
    """
    hidden, exposed = hidden.copy(), np.zeros_like(hidden)
    # What cannot be told stays so when more is hidden, and is not tried again.
    to_try = ~np.isnan(counts)
    while (place := _told(relations, counts, hidden, to_try, width)) is not None:
        signs = relations[:, place]
        # Cells with this one in a sum; other parts before the whole, the smallest of them first.
        with_it = relations[signs != 0] * signs[signs != 0, None]
        part = (with_it > 0).any(axis=0)
        free = (with_it != 0).any(axis=0) & ~hidden & ~fixed
        if not free.any():
            # Every cell of its own sums is hidden or cannot be: those of sums further on.
            free = _linked(relations, place, hidden) & ~hidden & ~fixed
        if not free.any():
            exposed[place], to_try[place] = True, False
            continue
        size = np.nan_to_num(np.nanmin(np.c_[counts, np.full(len(counts), np.inf)], axis=1))
        order = np.lexsort([size, ~part])
        hidden[order[free[order]][0]] = True
    return hidden, exposed


def _linked(relations: Floats, place: int, hidden: Flags) -> Flags:
    """The cells in sums that hidden cells link with one of them."""
    terms, linked = relations != 0, np.arange(len(hidden)) == place
    while True:
        further = terms[terms[:, linked & hidden].any(axis=1)].any(axis=0) | linked
        if (further == linked).all():
            return linked
        linked = further


def _told(
    relations: Floats, counts: Floats, hidden: Flags, to_try: Flags, width: float
) -> int | None:
    """The first hidden cell of which what is shown tells a count too nearly; marks the others."""
    from scipy.optimize import linprog

    for values, open_ in zip(counts.T, to_try.T, strict=True):
        unknown = np.isnan(values)
        usable = ~(relations[:, unknown] != 0).any(axis=1)
        places = np.flatnonzero(hidden & ~unknown)
        bound = relations[np.ix_(usable, places)]
        sums = bound @ values[places]
        for place, aim in zip(places, np.eye(len(places)), strict=True):
            if not open_[place]:
                continue
            # The least that the count can be, and the least that its negative can.
            least = []
            for sign in (1, -1):
                solved = linprog(sign * aim, A_eq=bound, b_eq=sums, method="highs")
                # Anything but an optimum or no bound is treated as if the figure were known.
                ends = {0: solved.fun, 3: -np.inf}
                least.append(ends.get(solved.status, sign * values[place]))
            if -sum(least) < width - 1e-6:
                return int(place)
            open_[place] = False
    return None


def worked_out(relations: Floats, counts: Floats) -> tuple[Floats, Flags]:
    """One count of each cell, with those that are missing worked out from the sums they are in.

    What the sums leave open is taken to be 0, of which the others can be told most nearly; which
    counts the sums do tell is given beside them. In sums of which nothing is known all stay
    missing.
    """
    counts, told, guessed = counts.copy(), np.zeros(len(counts), bool), False
    relations = relations[(~np.isnan(counts) & (relations != 0)).any(axis=1)]
    in_sums = (relations != 0).any(axis=0)
    while (unknown := np.isnan(counts) & in_sums).any():
        terms = (relations != 0) & unknown
        for row, term in zip(relations, terms, strict=True):
            if term.sum() == 1:
                place = term.argmax()
                counts[place] = -np.nansum(np.where(term, 0, row * counts)) / row[place]
                told[place] = not guessed
                break
        else:
            # Parts before wholes.
            parts = ((relations > 0) & unknown).any(axis=0)
            counts[(parts if parts.any() else unknown).argmax()], guessed = 0, True
    return counts, told


def withheld(
    observations: pd.DataFrame, agreement: Agreement, cut_off: date, disclosed: pd.DataFrame
) -> pd.DataFrame:
    """The observations that a public report holds back; `disclosed` is what earlier packs did."""
    seen = observations[observations["received"] <= pd.Timestamp(cut_off)]
    cells, known = _cells(seen), as_of(seen, cut_off)
    shown = _cells(disclosed[disclosed["shown"] == "yes"])
    hidden = _cells(disclosed[disclosed["shown"] == "no"]).difference(shown)
    # Suppressed by whom makes no difference.
    suppressed = known[(known["flag"] == "suppressed") & ~_published(known)]
    primary = cells[small(agreement, seen).to_numpy(dtype=bool)].union(_cells(suppressed))
    # Only now: of a figure that is held back no version is shown.
    secondary, exposed = _secondary(known, agreement, primary, hidden, shown)
    earlier = _earlier(seen, cells, agreement).to_numpy()
    held = [cells.isin(exposed), cells.isin(primary), cells.isin(secondary), earlier]
    reasons = np.select(held, [EXPOSED, SMALL, GIVES_AWAY, EARLIER], "")
    marks = seen.assign(reason=pd.Series(reasons, index=seen.index, dtype=object))
    return marks.loc[reasons != "", list(meanings("withheld"))]


def _cells(rows: pd.DataFrame) -> pd.MultiIndex:
    """Measure, area and period of each row."""
    return pd.MultiIndex.from_frame(rows[CELL].astype(str))


def _secondary(
    known: pd.DataFrame,
    agreement: Agreement,
    primary: pd.MultiIndex,
    hidden_before: pd.MultiIndex,
    shown_before: pd.MultiIndex,
) -> tuple[list[Any], list[Any]]:
    """The cells that would give a small one away, and small ones that nothing protects."""
    width = agreement.settings.disclosure.threshold
    counts = _counts(agreement, known).assign(risky=at_risk(agreement, known))
    further: list[Any] = [*hidden_before]
    exposed: list[Any] = []
    for _, rows in known[CELL].join(counts).groupby("period", sort=True, observed=True):
        relations, cells = _relations(agreement, _cells(rows))
        missing = np.arange(len(cells)) >= len(rows)
        given = rows[["count", "others"]].to_numpy(dtype=float)
        given = np.vstack([given, np.full((missing.sum(), 2), np.nan)])
        columns = [worked_out(relations, column) for column in given.T]
        counted, told = (np.column_stack(arrays) for arrays in zip(*columns, strict=True))
        # Of a return that has not come, or was refused, the sums may tell a small number.
        left_over = missing & (told & (counted >= 0) & (counted < width)).any(axis=1)
        hidden = cells.isin(primary) | cells.isin(hidden_before) | left_over
        if not hidden.any():
            continue
        fixed = missing | cells.isin(shown_before)
        fixed[: len(rows)] |= ~rows["risky"].to_numpy(dtype=bool)
        counted = np.maximum(counted, 0)
        all_hidden, unprotected = complement(relations, counted, hidden, fixed, width)
        further += [*cells[all_hidden & ~missing]]
        exposed += [*cells[unprotected & cells.isin(primary)]]
    return further, exposed


def _relations(agreement: Agreement, cells: pd.MultiIndex) -> tuple[Floats, pd.MultiIndex]:
    """A row for each sum among the cells, 1 for its parts, −1 for the total; and its cells.

    Parts are the areas of one kind in an area, or the parts of a measure; those of which some are
    among the cells and others not follow the cells.
    """
    kinds = agreement.areas.groupby(["part_of", "kind"], sort=False)["area"].agg(list)
    present, sums = set(cells), []
    for measure, area, period in cells:
        of_kinds = kinds[area] if area in kinds.index.levels[0] else ()
        added = [[(measure, part, period) for part in of_kind] for of_kind in of_kinds]
        added.append([(part, area, period) for part in agreement.measures.at[measure, "parts"]])
        sums += [((measure, area, period), parts) for parts in added if present.intersection(parts)]
    missing = dict.fromkeys(cell for _, parts in sums for cell in parts if cell not in present)
    place = {cell: number for number, cell in enumerate([*cells, *missing])}
    relations = np.zeros((len(sums), len(place)))
    for row, (whole, parts) in zip(relations, sums, strict=True):
        row[[place[part] for part in parts]], row[place[whole]] = 1, -1
    return relations, pd.MultiIndex.from_tuples(place, names=CELL)


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


def masked_observations(
    seen: pd.DataFrame, marks: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """The observations, those held back without figure, and none with what was typed beside it."""
    masked, hidden = seen.copy(), seen.index.isin(marks.index)
    masked.loc[hidden, _FIGURES] = np.nan
    masked.loc[hidden, "flag"] = "suppressed"
    # All alike, or this would tell those that are small from those that go with them.
    masked["small"] = hidden
    # Cells, and words of senders and of those who correct them, quote figures.
    masked["text"] = ""
    risky = at_risk(agreement, seen) | hidden
    masked.loc[risky, "note"] = ""
    corrected = "corrected; what stood there is in the internal report"
    masked.loc[risky & (seen["correction"] != ""), "correction"] = corrected
    # The digits of a figure without its numbers tell them: 85.7143% is six of seven.
    bare = risky & (masked["numerator"].isna() | masked["denominator"].isna())
    target = masked["measure"].map(agreement.measures["target"]).astype(float)
    rounded = masked["value"].round(1)
    # Never over its target, nor short of it, by rounding alone.
    rounded -= 0.1 * ((masked["value"] < target) & (rounded >= target))
    rounded += 0.1 * ((masked["value"] > target) & (rounded <= target))
    masked["value"] = masked["value"].mask(bare, rounded.round(1))
    return masked


def masked_readings(full: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """The readings of what is shown, with the reason why some that there are have gone."""
    gone = _cells(shown).isin(_cells(full[full["reading"].notna()])) & shown["reading"].isna()
    # Of those that could not be made anyhow, the reason stands; what returns suppress is small.
    missing = shown["missing"].mask(gone, NOT_SHOWN).replace("suppressed", NOT_SHOWN)
    return shown.assign(missing=missing)


def small_reports(progress: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """Which reports of progress give a commitment's own figure that may count few people."""
    settings, value = agreement.settings.disclosure, progress["value"]
    about = agreement.commitments.loc[progress["commitment"]].set_index(progress.index)
    counts = (about["kind"] == "level") & (about["made_of"] != "amounts")
    counts &= about["unit"].map(rate_factor).isna() & (value == value.round())
    return counts & (value < settings.threshold) & ((value != 0) | (not settings.show_zeros))


def masked_commitments(commitments: pd.DataFrame, hidden: Iterable[str]) -> pd.DataFrame:
    """The commitments, those that rest on what is held back without state or figure."""
    masked, rows = commitments.copy(), commitments["commitment"].isin([*hidden])
    figures = ["value", "progress", "done_on"]
    masked[figures] = masked[figures].mask(rows)
    masked.loc[rows, ["state", "reason", "evidence"]] = "not shown", NOT_SHOWN, ""
    masked.loc[rows & masked["previous_state"].notna(), "previous_state"] = "not shown"
    return masked


def masked_sources(sources: pd.DataFrame) -> pd.DataFrame:
    """The data log without checksums of returns, by which a guess at a figure could be tried."""
    return sources.assign(checksum=sources["checksum"].where(_published(sources), ""))


def masked_finding(finding: Finding, agreement: Agreement) -> Finding:
    """A finding without what it quotes, unless what it quotes counts neither people nor events."""
    amounts = agreement.measures["made_of"].get(finding.measure) == "amounts"
    if amounts or finding.file.startswith((_PUBLISHED, "raw/register", "raw/agreement")):
        return finding
    expected = "something else; what stands there is in the internal report"
    return replace(finding, found=None, expected=expected, remedy="Ask the council.")
