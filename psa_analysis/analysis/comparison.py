"""What two packs of one agreement say differently, and why; and the figures that were revised."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from psa_analysis.analysis.assessment import direction
from psa_analysis.analysis.readings import make_readings, splice, with_compared
from psa_analysis.files import meanings
from psa_analysis.findings import ParameterError
from psa_analysis.periods import Period, parse_period
from psa_analysis.words import counted, listed

if TYPE_CHECKING:
    from pathlib import Path

    from psa_analysis.register.agreement import Agreement

#: Columns of the changes, one row per thing that changed. ``columns.csv`` describes them.
CHANGE_COLUMNS = meanings("changes")

#: The register's columns that the assessment repeats.
_REGISTER = [
    *["role", "title", "unit", "polarity", "basis", "frequency"],
    *["baseline", "baseline_status", "baseline_period", "without", "without_status"],
    *["target", "target_status", "due"],
]

#: From worst to best; a state that is not in it is neither.
_FROM_WORST = ["missed", "off track", "at risk", "partly achieved", "on track", "achieved"]

_COMMITMENTS_FROM_WORST = ["overdue", "at risk", "done late", "on track", "done"]

#: Bases whose observed figures are not better the way their readings are.
_OTHER_WAY = {"gap_to_comparator", "rank"}


@dataclass(frozen=True)
class Pack:
    """What one pack says; one that was made keeps its assessment alone."""

    period: Period
    area: str  # that the targets are set for
    assessment: pd.DataFrame
    figures: pd.DataFrame | None = None  # measure, area, period, observed, flag
    grants: pd.DataFrame | None = None  # measure, pot_share, least, most
    commitments: pd.DataFrame | None = None  # commitment, promise, state, reason


def read_pack(folder: Path) -> Pack:
    """What a pack said when it was made, whatever would be said today."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        period = parse_period(manifest["period"], "quarter")
        assessment = pd.read_parquet(folder / "assessment.parquet")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{folder} is not a pack: {str(error) or type(error).__name__}; name a quarter such as "
            "2004-05 Q3, or a folder that psa run has made"
        ) from None
    return Pack(period, manifest.get("area", ""), assessment)


def changes(earlier: Pack, later: Pack) -> pd.DataFrame:
    """What the later of two packs says differently, and why."""
    before, after = (pack.assessment.set_index("measure", drop=False) for pack in (earlier, later))
    names = [*after.index, *before.index.difference(after.index, sort=False)]
    if len(before) and len(after) and len(names) == len(before) + len(after):
        raise ParameterError("the two packs have no measure in common: they are of two agreements")
    figures = _figures(earlier, later)
    whole = {"measure": "agreement", "title": "the whole reward"}
    rows = [
        whole | change | {"why": "the sum of all measures"}
        for change in _grants("agreement", earlier, later)
    ]
    for name in names:
        of_measure = figures[figures["measure"] == name]
        if name in before.index and name in after.index:
            rows += _of_measure(before.loc[name], after.loc[name], of_measure, earlier, later)
        else:
            gone = name in before.index
            title = before.at[name, "title"] if gone else after.at[name, "title"]
            why = "the later pack does not follow it" if gone else "the earlier one did not have it"
            row = {"measure": name, "title": title, "what": "measure", "why": why}
            rows.append(row | {"before" if gone else "after": title})
        rows += of_measure.to_dict("records")
    rows += figures[~figures["measure"].isin(names)].to_dict("records")
    rows += _commitments(earlier, later).to_dict("records")
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)).astype(object)
    values = ["before", "after"]
    table[values] = table[values].where(table[values].notna(), None)
    words = table.columns.difference(values)
    table[words] = table[words].fillna("")
    return table


def _same(before: object, after: object) -> bool:
    """Whether two cells say the same; what is worked out anew may differ in its last digits."""
    nothing = [cell == "" or bool(pd.isna(cell)) for cell in (before, after)]
    if any(nothing):
        return all(nothing)
    if isinstance(before, str) or isinstance(after, str):
        return str(before) == str(after)
    return math.isclose(float(str(before)), float(str(after)), rel_tol=1e-12)


def _way(before: float, after: float, polarity: str = "higher") -> str:
    """Whether a value moved for the better; nothing where one is missing or polarity is empty."""
    if not polarity or pd.isna(before) or pd.isna(after):
        return ""
    return direction(after, before, polarity)


def _way_of_states(before: object, after: object, from_worst: list[str]) -> str:
    ranks = {state: float(rank) for rank, state in enumerate(from_worst)}
    return _way(ranks.get(str(before), math.nan), ranks.get(str(after), math.nan))


def _of_measure(
    before: pd.Series, after: pd.Series, figures: pd.DataFrame, earlier: Pack, later: Pack
) -> list[dict[str, object]]:
    """The changes of a measure that both packs follow, but for those of its figures."""
    unit, polarity = after["unit"], after["polarity"]
    register = [column for column in _REGISTER if not _same(before[column], after[column])]
    old, new = (
        "" if pd.isna(row["latest_period"]) else row["latest_period"] for row in (before, after)
    )
    # Readings are compared only if they are the same kind of thing in both, and those of parts of
    # a year only with the same part of another.
    alike = polarity if not {"unit", "polarity", "basis"} & set(register) else ""
    same_stage = after["basis"] != "year_to_date" or old[-2:] == new[-2:]
    ways = {
        "state": _way_of_states(before["state"], after["state"], _FROM_WORST),
        "latest": _way(before["latest"], after["latest"], alike if same_stage else ""),
        "forecast": _way(before["forecast"], after["forecast"], alike),
        "chance_target": _way(before["chance_target"], after["chance_target"]),
    }
    compared = [
        ("state", "state", {}),
        ("reading", "latest", {"unit": unit, "period_before": old, "period_after": new}),
        ("forecast", "forecast", {"unit": unit}),
        ("chance", "chance_target", {"unit": "chance, 0 to 1"}),
    ]
    own_figures = figures[figures["area"] == later.area]
    why = _why(old, new, register, own_figures, earlier.period == later.period)
    rows = [
        {"what": what, "before": before[column], "after": after[column], "direction": ways[column]}
        | more
        for what, column, more in compared
        if not _same(before[column], after[column]) or (what == "reading" and old != new)
    ]
    rows = [row | {"why": why} for row in [*rows, *_grants(after["measure"], earlier, later)]]
    rows += [
        {
            "what": column.replace("_", " "),
            "before": before[column],
            "after": after[column],
            "unit": unit if column in ("baseline", "without", "target") else "",
            "why": "the register was changed",
        }
        for column in register
    ]
    return [{"measure": after["measure"], "title": after["title"]} | row for row in rows]


def _why(old: str, new: str, register: list[str], figures: pd.DataFrame, same_period: bool) -> str:
    """What came in or was changed of one measure, in words."""
    reasons = []
    if register:
        changed = listed([column.replace("_", " ") for column in register])
        reasons.append(f"the register's {changed} changed")
    if old != new:
        if new and (not old or parse_period(old).end < parse_period(new).end):
            reasons.append(f"a new reading of {new} came in")
        else:
            reasons.append(f"the reading of {old} is not there")
    reasons += figures["why"].head(3).tolist()
    if len(figures) > 3:
        reasons.append(f"{counted(len(figures) - 3, 'other figure')} of it changed")
    if reasons:
        return "; ".join(reasons)
    if same_period:
        return "no figure of its own changed, but others did, or a setting or the suite's version"
    return (
        "no figure of its own changed; time went on, and forecasts also learn from other measures"
    )


def _commitments(earlier: Pack, later: Pack) -> pd.DataFrame:
    """Commitments that stand elsewhere, or that one pack only has."""
    if earlier.commitments is None or later.commitments is None:
        return pd.DataFrame()
    names = [*later.commitments["commitment"], *earlier.commitments["commitment"]]
    both = pd.DataFrame({"commitment": pd.unique(pd.Series(names, dtype=str))})
    both = both.merge(earlier.commitments, "left", on="commitment")
    both = both.merge(later.commitments, "left", on="commitment", suffixes=("_before", "_after"))
    both = both[both["state_before"].fillna("") != both["state_after"].fillna("")]
    before, after, worst = both["state_before"], both["state_after"], _COMMITMENTS_FROM_WORST
    ways = [_way_of_states(*states, worst) for states in zip(before, after, strict=True)]
    return pd.DataFrame(
        {
            "measure": both["commitment"],
            "what": "commitment",
            "title": both["promise_after"].fillna(both["promise_before"]),
            "before": before,
            "after": after,
            "direction": ways,
            "why": both["reason_after"].where(after.notna(), "the later pack does not follow it"),
        }
    )


def _grants(name: str, earlier: Pack, later: Pack) -> Iterator[dict[str, object]]:
    """How the expected grant of a measure, or of them all, has moved, as a share of the pot."""
    if earlier.grants is None or later.grants is None:
        return
    old, new = (
        grants if name == "agreement" else grants[grants["measure"] == name]
        for grants in (earlier.grants, later.grants)
    )
    for end in ("least", "most"):
        before, after = (
            float((rows["pot_share"] * rows[end]).sum(min_count=1)) for rows in (old, new)
        )
        if not _same(before, after):
            yield {
                "what": f"grant at {end}",
                "unit": "share of the pot",
                "before": before,
                "after": after,
                "direction": _way(before, after),
            }


def _figures(earlier: Pack, later: Pack) -> pd.DataFrame:
    """Observed figures that are another in the later pack, are gone, or came in after the earlier.

    What came in is looked at up to the earlier period, and for the agreement's own area: the
    figures of new periods are new readings, not changes.
    """
    if earlier.figures is None or later.figures is None:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    measures = later.assessment.set_index("measure")
    both = earlier.figures.merge(
        later.figures,
        on=["measure", "area", "period"],
        how="outer",
        suffixes=("_before", "_after"),
        sort=False,
    )
    before, after = both["observed_before"], both["observed_after"]
    changed = ~np.isclose(before, after, rtol=1e-12, atol=0, equal_nan=True)
    # One of the two packs does not show what stood there.
    hidden = before.isna() & (both["flag_before"] == "suppressed")
    hidden |= after.isna() & (both["flag_after"] == "suppressed")
    both = both[changed & ~hidden]
    revised = both["observed_before"].notna() & both["observed_after"].notna()
    own = (both["area"] == later.area) & both["measure"].isin(measures.index)
    latest = pd.concat([earlier.assessment, later.assessment])[["measure", "latest_period"]]
    is_latest = pd.MultiIndex.from_frame(both[["measure", "period"]]).isin(
        pd.MultiIndex.from_frame(latest)
    )
    until = min(earlier.period.end, later.period.end)
    in_time = both["period"].map(lambda period: parse_period(period).end <= until).astype(bool)
    both = both.assign(comparable=own & revised)[revised | (own & ~is_latest & in_time)]
    before, after = both["observed_before"], both["observed_after"]
    rows = pd.DataFrame(
        {
            "measure": both["measure"],
            "what": "figure",
            "area": both["area"],
            "period_before": both["period"],
            "period_after": both["period"],
            "before": before,
            "after": after,
            "why": [*map(_figure_why, both["period"], before, after)],
            "title": both["measure"].map(measures["title"]),
        }
    )
    polarity = both["measure"].map(
        measures["polarity"].where(~measures["basis"].isin(_OTHER_WAY), "")
    )
    polarity = polarity.where(both["comparable"], "").fillna("")
    return rows.assign(direction=[*map(_way, before, after, polarity)])


def _figure_why(period: str, before: float, after: float) -> str:
    if pd.isna(before):
        return f"{period} came in after the earlier report"
    if pd.isna(after):
        return f"{period} is no longer there"
    return f"{period} was revised from {before:,.10g} to {after:,.10g}"


def revised_figures(
    known_before: pd.DataFrame,
    known: pd.DataFrame,
    readings_now: pd.DataFrame,
    agreement: Agreement,
) -> pd.DataFrame:
    """Figures of the agreement's area that have changed since, and the readings of both times."""
    key = ["measure", "area", "period"]
    both = known_before.merge(known, on=key, suffixes=("_before", ""))
    both = both[both["area"] == agreement.settings.agreement.area]
    changed = both[both["value_before"].notna() & (both["value_before"] != both["value"])]
    table = changed[[*key, "value_before", "value", "flag"]]
    table = table.rename(columns={"value_before": "before", "value": "now"})
    needed = known_before["measure"].isin(with_compared(table["measure"], agreement))
    readings_before = make_readings(known_before[needed], agreement)
    for name, made in (("before", readings_before), ("now", readings_now)):
        reading = made[[*key, "reading"]].rename(columns={"reading": f"reading_{name}"})
        table = table.merge(reading, on=key, how="left")
    return table.drop(columns="area").reset_index(drop=True)


def definition_breaks(readings: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Measures that continue another under a new definition, and how the two can be joined."""
    series = {
        name: rows.set_index("period")["reading"]
        for name, rows in readings.dropna(subset="reading").groupby(
            ["measure", "area"], sort=False, observed=True
        )
    }
    rows = []
    for measure, older in measures.loc[measures["continues"] != "", "continues"].items():
        for area in [area for name, area in series if name == measure and (older, area) in series]:
            try:
                _, method = splice(series[older, area], series[measure, area])
            except ValueError as error:
                method = str(error).capitalize() + "."
            rows.append((measure, older, area, method))
    return pd.DataFrame(rows, columns=["measure", "continues", "area", "method"])
