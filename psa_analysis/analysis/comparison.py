"""What two packs of one agreement say differently, and why."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from psa_analysis.analysis.assessment import COLUMNS, direction
from psa_analysis.files import meanings
from psa_analysis.findings import ParameterError
from psa_analysis.periods import Period, parse_period
from psa_analysis.words import listed

#: One row per thing that changed.
CHANGE_COLUMNS = meanings("changes")

#: The register's columns that the assessment repeats.
_REGISTER = [*pd.DataFrame(columns=list(COLUMNS)).loc[:, "role":"due"]]

#: States of measures and of commitments, from worst to best; others are neither.
_FROM_WORST = ["missed", "overdue", "off track", "at risk", "partly achieved", "done late"]
_FROM_WORST += ["on track", "achieved", "done"]


@dataclass(frozen=True)
class Pack:
    """What one pack says; the folder of a pack keeps its assessment alone."""

    period: Period
    assessment: pd.DataFrame
    area: str = ""  # that the targets are set for; empty where the assessment is all there is
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)
    grants: pd.DataFrame = field(default_factory=pd.DataFrame)
    commitments: pd.DataFrame = field(default_factory=pd.DataFrame)


def read_pack(folder: Path) -> Pack:
    """What a pack said when it was made, whatever would be said today."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        period = parse_period(manifest["period"], "quarter")
        return Pack(period, pd.read_parquet(folder / "assessment.parquet"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = str(error) or type(error).__name__
        remedy = "name a quarter such as 2004-05 Q3, or a folder that psa run has made"
        raise ParameterError(f"{folder} is not a pack: {why}; {remedy}") from None


def changes(earlier: Pack, later: Pack) -> pd.DataFrame:
    """What the later of two packs says differently, and why."""
    complete = bool(earlier.area and later.area)
    before, after = _measures(earlier, complete), _measures(later, complete)
    names = after.index.append(before.index).unique()
    if len(before) > 1 and len(after) > 1 and len(names) == len(before) + len(after) - 1:
        raise ParameterError("the two packs have no measure in common: they are of two agreements")
    none = pd.DataFrame(columns=list(CHANGE_COLUMNS))
    figures, rows = _figures(earlier, later, before, after) if complete else none, []
    for name in names:
        if name in before.index and name in after.index:
            own = (figures["measure"] == name) & (figures["area"] == later.area)
            rows += _of_measure(before.loc[name], after.loc[name], figures.loc[own, "why"].tolist())
            continue
        gone = name in before.index
        title = (before if gone else after).at[name, "title"]
        row = {"measure": name, "title": title, "what": "measure"}
        row["why"] = f"the {'later' if gone else 'earlier'} pack does not follow it"
        rows.append(row | {"before" if gone else "after": title})
    rows += figures.to_dict("records")
    if complete:
        rows += _commitments(earlier.commitments, later.commitments)
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS), dtype=object)
    words = table.columns.difference(["before", "after"])
    table[words] = table[words].fillna("")
    table.loc[table["measure"] == "agreement", "why"] = "the sum of all measures"
    return table


def _measures(pack: Pack, complete: bool) -> pd.DataFrame:
    """The assessment and expected grant of each measure, after those of the whole agreement."""
    table = pack.assessment.set_index("measure", drop=False)
    grants = pd.DataFrame(columns=["least", "most"], dtype=float)
    if complete:
        grants = pack.grants.set_index("measure")
        grants = grants[["least", "most"]].mul(grants["pot_share"], axis=0)
    whole = grants.sum(min_count=1).rename("agreement").to_frame().T
    whole = whole.assign(measure="agreement", title="the whole reward")
    return pd.concat([whole, table.join(grants)]).fillna({"latest_period": ""})


def _same(before: Any, after: Any) -> bool:
    """Whether two cells say the same: a pack keeps ten digits."""
    if isinstance(before, str) or pd.isna(before) or pd.isna(after):
        return bool(before == after or (pd.isna(before) and pd.isna(after)))
    return math.isclose(before, after, rel_tol=1e-9)


def _way(before: Any, after: Any, polarity: str = "higher") -> str:
    """Whether a value or state moved for the better; nothing where that cannot be said."""
    if before in _FROM_WORST and after in _FROM_WORST:
        before, after = map(_FROM_WORST.index, (before, after))
    if not polarity or isinstance(after, str) or pd.isna(before) or pd.isna(after):
        return ""
    return direction(after, before, polarity)


def _of_measure(before: pd.Series, after: pd.Series, figures: list[str]) -> list[dict[str, Any]]:
    """The changes of a measure that both packs follow; `figures` says what changed in its own."""
    if "not shown" in (before["state"], after["state"]):
        return []
    unit, polarity = after["unit"], after["polarity"]
    old, new = before["latest_period"], after["latest_period"]
    both = [column for column in _REGISTER if column in before and column in after]
    register = [column for column in both if not _same(before[column], after[column])]
    # Readings of another kind, or of another part of a year, are not better or worse.
    alike = "" if {"unit", "polarity", "basis"} & set(register) else polarity
    same_stage = after["basis"] != "year_to_date" or old[-2:] == new[-2:]
    # Name, column, unit, and which way is better.
    compared = [
        ("state", "state", "", "higher"),
        ("reading", "latest", unit, alike if same_stage else ""),
        ("forecast", "forecast", unit, alike),
        ("chance", "chance_target", "chance, 0 to 1", "higher"),
        ("grant at least", "least", "share of the pot", "higher"),
        ("grant at most", "most", "share of the pot", "higher"),
    ]
    units = dict.fromkeys(["baseline", "without", "target"], unit)
    compared += [(name.replace("_", " "), name, units.get(name, ""), "") for name in register]
    # Of yearly targets each judges in its turn.
    moving = ("target", "due") if after.get("rule") == "yearly" else ()
    why = _why(old, new, [column for column in register if column not in moving], figures)
    rows = []
    for what, column, unit_of_value, better in compared:
        then, now = before[column], after[column]
        periods = {"period_before": old, "period_after": new} if what == "reading" else {}
        if _same(then, now) and (not periods or old == new):
            continue
        row = {"measure": after["measure"], "title": after["title"], "what": what, "why": why}
        row |= {"before": then, "after": now, "direction": _way(then, now, better)}
        rows.append(row | {"unit": unit_of_value} | periods)
    return rows


def _why(old: str, new: str, register: list[str], figures: list[str]) -> str:
    """What came in or was changed of one measure, in words."""
    reasons = []
    if register:
        changed = listed([column.replace("_", " ") for column in register])
        reasons.append(f"the register's {changed} changed")
    if old != new:
        newer = new and (not old or parse_period(old).end < parse_period(new).end)
        reasons.append(f"new reading of {new}" if newer else f"no reading of {old} any more")
    reasons += figures if len(figures) < 4 else [f"{len(figures)} figures changed"]
    return "; ".join(reasons) or "no new figure; time, settings or other measures moved it"


def _commitments(earlier: pd.DataFrame, later: pd.DataFrame) -> list[dict[str, Any]]:
    """Commitments that stand elsewhere, or that one pack only has."""
    before, after = (table.set_index("commitment") for table in (earlier, later))
    names = after.index.append(before.index).unique()
    before, after = before.reindex(names), after.reindex(names)
    table = after.assign(measure=names, what="commitment", before=before["state"])
    table = table.rename(columns={"promise": "title", "state": "after", "reason": "why"})
    table = table[table["before"].fillna("") != table["after"].fillna("")]
    table = table.fillna({"title": before["promise"], "why": "the later pack does not follow it"})
    table["direction"] = [*map(_way, table["before"], table["after"])]
    return table.to_dict("records")


def _figures(earlier: Pack, later: Pack, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Observed figures that were revised, are gone, or came in late."""
    key = ["measure", "area", "period", "period_end"]
    both = earlier.figures.merge(later.figures, "outer", key, suffixes=("_before", "_after"))
    names = {"observed_before": "before", "observed_after": "after", "period": "period_after"}
    both = both.rename(columns=names).assign(what="figure")
    own = (both["area"] == later.area) & both["measure"].isin(after.index)
    revised = both["before"].notna() & both["after"].notna()
    # Figures of new periods are new readings, not changes.
    in_time = both["period_end"] <= pd.Timestamp(min(earlier.period.end, later.period.end))
    for table in (before, after):
        in_time &= both["period_after"] != both["measure"].map(table["latest_period"])
    counts = revised | (own & in_time)
    counts &= ~np.isclose(both["before"], both["after"], rtol=1e-12, atol=0, equal_nan=True)
    # Of a figure that is not shown nobody knows whether it changed.
    counts &= (both["flag_before"] != "suppressed") & (both["flag_after"] != "suppressed")
    both = both[counts]
    # The observed figures of these are not better the way their readings are.
    polarity = after["polarity"].mask(after["basis"].isin(["gap_to_comparator", "rank"]), "")
    polarity = both["measure"].map(polarity).where(own, "").fillna("")
    texts = both[["before", "after"]].map("{:,.10g}".format).astype("str")
    why = " revised from " + texts["before"] + " to " + texts["after"]
    why = why.mask(both["before"].isna(), " came in late").mask(both["after"].isna(), " is gone")
    return both.assign(
        title=both["measure"].map(after["title"]),
        period_before=both["period_after"],
        direction=[*map(_way, both["before"], both["after"], polarity)],
        why=both["period_after"].astype("str") + why,
    )
