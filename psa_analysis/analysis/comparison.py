"""Changes: what two packs of one agreement say differently, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from psa_analysis.analysis.assessment import direction
from psa_analysis.findings import ParameterError
from psa_analysis.periods import Period, parse_period
from psa_analysis.words import counted, listed

if TYPE_CHECKING:
    from psa_analysis.report import Report

#: Columns of the changes, one row per thing that changed. This is the place that describes them.
CHANGE_COLUMNS = {
    "measure": "the measure or commitment, or agreement for the whole of it",
    "title": "what is measured or promised",
    "what": "one of WHAT, or a column of the register",
    "unit": "unit of before and after; empty for words and for observed figures",
    "area": "for figures: the place",
    "period_before": "the period that the reading or figure before is of",
    "period_after": "the period that the one after is of",
    "before": "what the first pack said; missing if it said nothing",
    "after": "what the second pack says; missing likewise",
    "direction": "better, worse or same; empty where neither can be said",
    "why": "what it rests on, in words",
}

#: What can change besides the register's own columns.
WHAT = {
    "measure": "a measure is followed in one pack only",
    "state": "where it stands",
    "reading": "the latest reading that counts",
    "forecast": "the middle of the forecast of the reading that decides",
    "chance": "the chance that the target is met",
    "grant at least": "the expected part of the pot, at the least",
    "grant at most": "the same at the most",
    "commitment": "where a commitment stands",
    "figure": "an observed figure of one period: revised, gone, or come in after its report",
}

#: The register's columns that the assessment repeats.
_REGISTER = [
    "role",
    "title",
    "unit",
    "polarity",
    "basis",
    "frequency",
    "baseline",
    "baseline_status",
    "baseline_period",
    "without",
    "without_status",
    "target",
    "target_status",
    "due",
]

#: From worst to best; a state that is not in it is neither.
_FROM_WORST = ["missed", "off track", "at risk", "partly achieved", "on track", "achieved"]

_COMMITMENTS_FROM_WORST = ["overdue", "at risk", "done late", "on track", "done"]

#: Bases whose observed figures are not better the way their readings are.
_OTHER_WAY = {"gap_to_comparator", "rank"}


@dataclass(frozen=True)
class Pack:
    """What one pack says.

    Attributes
    ----------
    period : Period
        Its reporting period.
    area : str
        The area that the targets are set for.
    assessment : pandas.DataFrame
        One row per measure.
    figures : pandas.DataFrame or None
        ``measure``, ``area``, ``period``, ``observed`` and ``flag``; None if the pack does not
        keep them.
    grants : pandas.DataFrame or None
        ``measure``, ``pot_share``, ``least`` and ``most``; None likewise.
    commitments : pandas.DataFrame or None
        ``commitment``, ``promise``, ``state`` and ``reason``; None likewise.
    """

    period: Period
    area: str
    assessment: pd.DataFrame
    figures: pd.DataFrame | None
    grants: pd.DataFrame | None
    commitments: pd.DataFrame | None


_FIGURES = ["measure", "area", "period", "observed", "flag"]
_GRANTS = ["measure", "pot_share", "least", "most"]
_COMMITMENTS = ["commitment", "promise", "state", "reason"]
_NUMBERS = ["baseline", "without", "target", "latest", "forecast", "chance_target"]


def pack_of(report: Report, grants: pd.DataFrame) -> Pack:
    """What the pack of a report says; `grants` are its expected rewards."""
    return Pack(
        report.period,
        report.agreement.settings.agreement.area,
        report.assessment,
        report.readings[_FIGURES],
        grants[_GRANTS],
        report.commitments[_COMMITMENTS],
    )


def read_pack(folder: Path) -> Pack:
    """What a pack said when it was made, whatever would be said today."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        period = parse_period(manifest["period"], "quarter")
        if (folder / "assessment.parquet").exists():
            assessment = pd.read_parquet(folder / "assessment.parquet")
        else:
            assessment = pd.read_csv(folder / "assessment.csv", dtype=str)
            assessment = assessment.astype(dict.fromkeys(_NUMBERS, float))
        book = folder / f"{period.slug}.xlsx"
        figures = found = promised = None
        if book.exists():
            names = dict.fromkeys(["measure", "area", "period"], str)
            sheets = pd.read_excel(
                book,
                ["readings", "grant", "commitments"],
                engine="calamine",
                dtype=names,
                keep_default_na=False,
                na_values=[""],
            )
            figures, found = sheets["readings"][_FIGURES], sheets["grant"][_GRANTS]
            promised = sheets["commitments"][_COMMITMENTS]
        return Pack(period, manifest.get("area", ""), assessment, figures, found, promised)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{folder} is not a pack: {str(error) or type(error).__name__}; name a quarter such as "
            "2004-05 Q3, or a folder that psa run has made"
        ) from None


def pack_changes(one: Pack, other: Pack) -> pd.DataFrame:
    """What the later of two packs says differently, and why."""
    before = one.assessment.set_index("measure", drop=False)
    after = other.assessment.set_index("measure", drop=False)
    names = [*after.index, *before.index.difference(after.index, sort=False)]
    if len(before) and len(after) and len(names) == len(before) + len(after):
        raise ParameterError("the two packs have no measure in common: they are of two agreements")
    figures = _figures_changed(one, other, after)
    rows = [*_grant_rows("agreement", "the whole reward", "the sum of all measures", one, other)]
    for name in names:
        mine = figures[figures["measure"] == name]
        if name in before.index and name in after.index:
            rows += _of_measure(before.loc[name], after.loc[name], mine, one, other)
        else:
            row = before.loc[name] if name in before.index else after.loc[name]
            gone = name in before.index
            why = "the later pack does not follow it" if gone else "the earlier one did not have it"
            made = {"before": row["title"]} if gone else {"after": row["title"]}
            rows.append(
                {"measure": name, "title": row["title"], "what": "measure", "why": why, **made}
            )
            rows += mine.to_dict("records")
    rows += figures[~figures["measure"].isin(names)].to_dict("records")
    rows += _commitments_moved(one, other)
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)).astype(object)
    words = [name for name in CHANGE_COLUMNS if name not in ("before", "after")]
    table[words] = table[words].where(table[words].notna(), "")
    both = table[["before", "after"]]
    table[["before", "after"]] = both.where(both.notna(), None)
    return table


def _same(one: object, other: object) -> bool:
    """Whether two cells say the same; a workbook keeps sixteen digits of a number."""
    nothing = [cell == "" or bool(pd.isna(cell)) for cell in (one, other)]
    if any(nothing):
        return all(nothing)
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return math.isclose(float(str(one)), float(str(other)), rel_tol=1e-12)


def _of_measure(
    before: pd.Series, after: pd.Series, figures: pd.DataFrame, one: Pack, other: Pack
) -> Iterator[dict[str, object]]:
    """The changes of a measure that both packs follow."""
    name, title, unit = after["measure"], after["title"], after["unit"]
    register = [column for column in _REGISTER if not _same(before[column], after[column])]
    # Readings are compared only if they are the same kind of thing in both.
    alike = not {"unit", "polarity", "basis"} & set(register)
    why = _why(before, after, register, figures[figures["area"] == other.area], one, other)
    own = {"measure": name, "title": title, "why": why}

    def change(
        what: str, old: object, new: object, moved: str = "", **more: object
    ) -> Iterator[dict[str, object]]:
        if not _same(old, new) or more.get("period_before") != more.get("period_after"):
            yield own | {"what": what, "before": old, "after": new, "direction": moved} | more

    def way(old: object, new: object, polarity: str, comparable: bool = True) -> str:
        if not comparable or pd.isna(old) or pd.isna(new):
            return ""
        return direction(float(str(new)), float(str(old)), polarity)

    yield from change(
        "state",
        before["state"],
        after["state"],
        _moved(before["state"], after["state"], _FROM_WORST),
    )
    periods = [_text(row["latest_period"]) for row in (before, after)]
    yield from change(
        "reading",
        before["latest"],
        after["latest"],
        way(
            before["latest"],
            after["latest"],
            after["polarity"],
            alike and _same_stage(after["basis"], *periods),
        ),
        unit=unit,
        period_before=periods[0],
        period_after=periods[1],
    )
    pair = before["forecast"], after["forecast"]
    yield from change("forecast", *pair, way(*pair, after["polarity"], alike), unit=unit)
    pair = before["chance_target"], after["chance_target"]
    yield from change("chance", *pair, way(*pair, "higher"), unit="chance, 0 to 1")
    yield from _grant_rows(name, title, why, one, other)
    for column in register:
        yield own | {
            "what": column.replace("_", " "),
            "before": before[column],
            "after": after[column],
            "unit": unit if column in ("baseline", "without", "target") else "",
            "why": "the register was changed",
        }
    yield from figures.to_dict("records")


def _text(cell: object) -> str:
    return "" if pd.isna(cell) else str(cell)


def _moved(before: str, after: str, from_worst: list[str]) -> str:
    if before not in from_worst or after not in from_worst:
        return ""
    return direction(from_worst.index(after), from_worst.index(before), "higher")


def _commitments_moved(one: Pack, other: Pack) -> Iterator[dict[str, object]]:
    """Commitments that stand elsewhere, or that one pack only has."""
    if one.commitments is None or other.commitments is None:
        return
    both = one.commitments.merge(
        other.commitments, on="commitment", how="outer", suffixes=("_before", "_after"), sort=False
    )
    for row in both.itertuples():
        if _same(row.state_before, row.state_after):
            continue
        there = not pd.isna(row.state_after)
        yield {
            "measure": row.commitment,
            "what": "commitment",
            "title": row.promise_after if there else row.promise_before,
            "before": row.state_before,
            "after": row.state_after,
            "direction": _moved(row.state_before, row.state_after, _COMMITMENTS_FROM_WORST),
            "why": row.reason_after if there else "the later pack does not follow it",
        }


def _same_stage(basis: str, one: str, other: str) -> bool:
    """Whether two readings can be compared: parts of a year only with the same part of another."""
    return basis != "year_to_date" or one[-2:] == other[-2:]


def _grant_rows(
    name: str, title: str, why: str, one: Pack, other: Pack
) -> Iterator[dict[str, object]]:
    """How the expected grant of a measure, or of them all, has moved, as a share of the pot."""
    if one.grants is None or other.grants is None:
        return
    for end in ("least", "most"):
        old, new = (_of_pot(pack.grants, name, end) for pack in (one, other))
        if not _same(old, new):
            known = not pd.isna(old) and not pd.isna(new)
            yield {
                "measure": name,
                "title": title,
                "what": f"grant at {end}",
                "unit": "share of the pot",
                "before": old,
                "after": new,
                "direction": direction(new, old, "higher") if known else "",
                "why": why,
            }


def _of_pot(table: pd.DataFrame | None, name: str, end: str) -> float:
    if table is None:
        return math.nan
    mine = table if name == "agreement" else table[table["measure"] == name]
    return float((mine["pot_share"] * mine[end]).sum(min_count=1))


def _figures_changed(one: Pack, other: Pack, after: pd.DataFrame) -> pd.DataFrame:
    """Observed figures that are another in the later pack, are gone, or came in after the earlier.

    What came in is looked at up to the earlier period, and for the agreement's own area: the
    figures of new periods are new readings, not changes.
    """
    if one.figures is None or other.figures is None:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    key = ["measure", "area", "period"]
    both = one.figures.merge(
        other.figures, on=key, how="outer", suffixes=("_before", "_after"), sort=False
    )
    until = min(one.period.end, other.period.end)
    latest = {
        (row.measure, row.latest_period)
        for pack in (one, other)
        for row in pack.assessment.itertuples()
    }
    rows: list[dict[str, object]] = []
    for row in both.itertuples():
        old, new = row.observed_before, row.observed_after
        if _same(old, new):
            continue
        if (pd.isna(old) and row.flag_before == "suppressed") or (
            pd.isna(new) and row.flag_after == "suppressed"
        ):
            # It was there, and one of the two does not show it.
            continue
        revised = not pd.isna(old) and not pd.isna(new)
        ours = row.area == other.area and row.measure in after.index
        if not revised and (
            not ours or (row.measure, row.period) in latest or parse_period(row.period).end > until
        ):
            continue
        made: dict[str, object] = {
            "measure": row.measure,
            "title": "",
            "what": "figure",
            "area": row.area,
            "period_before": row.period,
            "period_after": row.period,
            "before": old,
            "after": new,
            "why": f"{row.period} {_figure_why(old, new)}",
        }
        if row.measure in after.index:
            definition = after.loc[row.measure]
            made["title"] = definition["title"]
            if ours and revised and definition["basis"] not in _OTHER_WAY:
                made["direction"] = direction(new, old, definition["polarity"])
        rows.append(made)
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def _figure_why(old: float, new: float) -> str:
    if pd.isna(old):
        return "came in after the earlier report"
    if pd.isna(new):
        return "is no longer there"
    return f"was revised from {old:,.10g} to {new:,.10g}"


def _why(
    before: pd.Series,
    after: pd.Series,
    register: list[str],
    figures: pd.DataFrame,
    one: Pack,
    other: Pack,
) -> str:
    """What came in or was changed of one measure, in words."""
    said = []
    if register:
        changed = listed([column.replace("_", " ") for column in register])
        said.append(f"the register's {changed} changed")
    old, new = _text(before["latest_period"]), _text(after["latest_period"])
    if old != new:
        if new and (not old or parse_period(old).end < parse_period(new).end):
            said.append(f"a new reading of {new} came in")
        else:
            said.append(f"the reading of {old} is not there")
    said += figures["why"].head(3).tolist()
    if len(figures) > 3:
        said.append(f"{counted(len(figures) - 3, 'other figure')} of it changed")
    if said:
        return "; ".join(said)
    if one.period == other.period:
        return "no figure of its own changed, but others did, or a setting or the suite's version"
    return (
        "no figure of its own changed; time went on, and forecasts also learn from other measures"
    )
