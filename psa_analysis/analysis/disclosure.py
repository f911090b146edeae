"""Disclosure control: what a public report holds back, by the rules of ``docs/disclosure.md``."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from psa_analysis.files import meanings
from psa_analysis.findings import Finding
from psa_analysis.register.agreement import Agreement, Floats, rate_factor
from psa_analysis.returns.cleaning import as_of
from psa_analysis.words import NOT_SHOWN

Flags = NDArray[np.bool_]

#: What returns of others hold is public already.
_PUBLISHED = "raw/published/"
#: What names a figure, whichever version of it.
CELL = ["measure", "area", "period"]
VERSION = [*CELL, "received"]
_FIGURES = ["value", "numerator", "denominator"]

#: Why a figure is held back.
SMALL, GIVES_AWAY, EARLIER = "small", "would give away another", "earlier version"
#: What is small and can be worked out all the same, from figures that are public already.
EXPOSED = "small, and can be worked out from what others or earlier packs have published"


def at_risk(agreement: Agreement, observations: pd.DataFrame) -> pd.Series:
    """Which observations may be made of people or events, and are not published by others."""
    measures = agreement.measures
    safe = (measures["made_of"] == "amounts") | (measures["basis"] == "milestone")
    return ~observations["measure"].map(safe).astype(bool) & ~published(observations)


def published(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of files that others have published."""
    return rows["file"].astype(str).str.startswith(_PUBLISHED)


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
    is_stated = observations["measure"].map(agreement.measures["made_of"]) != ""
    counted = value.where(is_stated | (value == value.round())).where(factor.isna(), numerator)
    others = (denominator - numerator).where(factor == 100)
    return pd.DataFrame({"count": counted, "others": others})


def _factors(observations: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """What the unit of each observation multiplies its rate by; missing for a count."""
    return observations["measure"].map(agreement.measures["unit"].map(rate_factor)).astype(float)


def complement(
    relations: Floats, counts: Floats, hidden: Flags, fixed: Flags, width: float
) -> tuple[Flags, Flags]:
    """Hide cells until no hidden count can be told to within `width`; those that still can be."""
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
    """One count of each cell, those missing worked out from sums; and which of them sums tell."""
    # What sums leave open is taken to be 0, of which others can be told most nearly; in sums of
    # which nothing is known all stay missing.
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
    cells, known = _keys(seen), as_of(seen, cut_off)
    # Suppressed by whom makes no difference.
    suppressed = known[(known["flag"] == "suppressed") & ~published(known)]
    primary = cells[small(agreement, seen).to_numpy(dtype=bool)].union(_keys(suppressed))
    # Of a figure that is held back no version is shown that has not been shown before.
    shown_before = _keys(disclosed[disclosed["shown"] == "yes"], VERSION)
    hidden_before = _keys(disclosed[disclosed["shown"] == "no"])
    hidden = _keys(observations).isin(primary.union(hidden_before))
    hidden &= ~_keys(observations, VERSION).isin(shown_before)
    fixed = ~at_risk(agreement, observations) | _keys(observations, VERSION).isin(shown_before)
    # With what packs of later quarters have shown or held back.
    of_packs = observations.index.isin(seen.index)
    of_packs |= _keys(observations, VERSION).isin(_keys(disclosed, VERSION))
    versions = observations.assign(hidden=hidden, fixed=fixed)[of_packs]
    further, told = _secondary(versions, agreement, cut_off)
    gives_away = cells.isin(_keys(further))
    gives_away |= cells.isin(hidden_before) & ~_keys(seen, VERSION).isin(shown_before)
    held = [cells.isin(primary.intersection(_keys(told)))]
    held += [cells.isin(primary), gives_away, _earlier(seen, cells, agreement).to_numpy()]
    reasons = np.select(held, [EXPOSED, SMALL, GIVES_AWAY, EARLIER], "")
    marks = seen.assign(reason=pd.Series(reasons, index=seen.index, dtype=object))
    return marks.loc[reasons != "", list(meanings("withheld"))]


def _keys(rows: pd.DataFrame, names: list[str] = CELL) -> pd.MultiIndex:
    """What names the figure of each row: measure, area and period; by `VERSION` the day as well."""
    return pd.MultiIndex.from_frame(rows[names].astype(str))


def _secondary(
    versions: pd.DataFrame, agreement: Agreement, cut_off: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The versions that would give a hidden one away, and hidden ones that nothing protects."""
    width, further, told = agreement.settings.disclosure.threshold, [], []
    reports = _first_reports(versions["received"], agreement, cut_off)
    current = reports[versions["received"] <= pd.Timestamp(cut_off)].max()
    rows = versions.join(_counts(agreement, versions)).assign(report=reports)
    for _, of_period in rows.groupby("period", sort=True, observed=True):
        of_period = of_period.reset_index(drop=True)
        known_now = of_period[of_period["report"] <= current].drop_duplicates(CELL, keep="last")
        relations, missing = _relations(agreement, of_period)
        given = of_period[["count", "others"]].reindex(range(relations.shape[1])).to_numpy(float)
        columns = [worked_out(relations, column) for column in given.T]
        counted, known = (np.column_stack(arrays) for arrays in zip(*columns, strict=True))
        # Of a return that has not come, or was refused, the sums may tell a small number.
        left_over = known & (counted >= 0) & (counted < width)
        hidden: Flags = np.asarray(left_over.any(axis=1))
        hidden[: len(of_period)] = of_period["hidden"]
        hidden[len(of_period) :] &= ~missing.isin(_keys(known_now))
        if not hidden.any():
            continue
        fixed = np.ones(len(hidden), bool)
        fixed[known_now.index] = known_now["fixed"]
        counted = np.maximum(counted, 0)
        found = complement(relations, counted, hidden, fixed, width)
        further.append(of_period[found[0][: len(of_period)] & ~of_period["hidden"]])
        told.append(of_period[found[1][: len(of_period)]])
    return pd.concat([rows[:0], *further]), pd.concat([rows[:0], *told])


def _first_reports(received: pd.Series, agreement: Agreement, cut_off: date) -> NDArray[np.int64]:
    """The number of the first report, or of this one, that knows what came in on each day."""
    settings = agreement.settings
    last = max(received.max(), pd.Timestamp(cut_off))
    ends = pd.date_range(settings.agreement.begins, last, freq="QE")
    cut_offs = ends + pd.Timedelta(days=settings.calendar.cut_off_days)
    return np.asarray(cut_offs.union([pd.Timestamp(cut_off)]).searchsorted(received))


def _relations(agreement: Agreement, rows: pd.DataFrame) -> tuple[Floats, pd.MultiIndex]:
    """A row for each sum in each report, 1 for its parts and −1 for the total; missing cells."""
    # Parts are areas of one kind, or parts of a measure; missing ones have columns after the rows'.
    kinds = agreement.areas.groupby(["part_of", "kind"], sort=False)["area"].agg(list)
    areas_in = kinds.groupby(level="part_of").agg(list).to_dict()
    parts_of = agreement.measures["parts"].to_dict()
    missing: dict[Any, int] = {}
    place: dict[Any, int] = {}
    sums: dict[Any, None] = {}
    for _, received in rows.groupby("report"):
        place |= zip(_keys(received), received.index, strict=True)
        for (measure, area, period), whole in place.items():
            added = [[(measure, part, period) for part in kind] for kind in areas_in.get(area, ())]
            added.append([(part, area, period) for part in parts_of[measure]])
            for parts in added:
                if place.keys() & {*parts}:
                    for part in parts:
                        if part not in place:
                            missing.setdefault(part, len(rows) + len(missing))
                    sums[whole, tuple(place.get(part, missing.get(part)) for part in parts)] = None
    relations = np.zeros((len(sums), len(rows) + len(missing)))
    for row, (whole, of_sum) in zip(relations, sums, strict=True):
        row[[*of_sum]], row[whole] = 1, -1
    return relations, _keys(pd.DataFrame([*missing], columns=CELL))


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
    gone = _keys(shown).isin(_keys(full[full["reading"].notna()])) & shown["reading"].isna()
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


def masked_finding(finding: Finding, agreement: Agreement) -> Finding:
    """A finding without what it quotes, unless what it quotes counts neither people nor events."""
    amounts = agreement.measures["made_of"].get(finding.measure) == "amounts"
    if amounts or finding.file.startswith((_PUBLISHED, "raw/register", "raw/agreement")):
        return finding
    expected = "something else; what stands there is in the internal report"
    return replace(finding, found=None, expected=expected, remedy="Ask the council.")
