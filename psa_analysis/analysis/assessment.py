"""The assessment: one row per measure and reporting period, which everything else reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis.trajectory import (
    GRACE,
    baseline_end,
    baseline_path,
    due_period,
    exact,
    gap_months,
    planned_path,
    required_change,
    trigger_value,
)
from psa_analysis.files import meanings
from psa_analysis.periods import KIND_OF_FREQUENCY, Period, parse_period, period_containing
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.words import chance_text

if TYPE_CHECKING:
    from psa_analysis.analysis.outlook import Outlook
    from psa_analysis.register.settings import StatesSection

#: The columns, in order. ``columns.csv`` describes them.
COLUMNS = meanings("assessment")

#: What a state means, in the order in which a board should see them.
STATES = {
    "missed": "the deciding reading falls short of the target, and of the trigger if that is known",
    "off track": "forecast: the target is unlikely to be met",
    "at risk": "forecast: the target may be missed",
    "no data": "a reading was due and none has come in",
    "partly achieved": "the deciding reading reaches the trigger, not the target",
    "on track": "forecast: the target is likely to be met",
    "achieved": "the deciding reading reaches the target",
    "not due": "no reading is due yet",
    "no target": "there are readings but no document states a target",
    "not stated": "no document states enough to judge it",
}

#: A state, why it is so, and whether it is a forecast.
State = tuple[str, str, bool]


def assess(
    readings: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    refused: Collection[tuple[str, str]] = (),
    outlooks: Mapping[str, Outlook] | None = None,
) -> pd.DataFrame:
    """Put readings, trajectory and register together for one reporting period."""
    local = readings[
        (readings["area"] == agreement.settings.agreement.area)
        & (readings["period_end"] <= pd.Timestamp(period.end))
    ]
    followed = agreement.measures[agreement.measures["role"] != "context"]
    rows = []
    for name, measure in followed.iterrows():
        series = local[local["measure"] == name].sort_values("period_end")
        outlook = (outlooks or {}).get(str(name))
        rows.append(_assess_one(measure, series, agreement, period, refused, outlook))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"late": bool, "is_forecast": bool, "illustrative": bool, "row": "Int64"})


def _assess_one(
    measure: pd.Series,
    series: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    refused: Collection[tuple[str, str]],
    outlook: Outlook | None,
) -> dict[str, Any]:
    if due := measure_period(measure, "due"):
        # What comes after the period that decides changes nothing.
        series = series[series["period_end"] <= pd.Timestamp(due.end)]
    if measure["basis"] == "year_to_date" and not measure["seasons"]:
        # Part of a year says nothing against a path from year to year.
        series = series[series["period_end"].dt.month == 3]
    with_reading = series[series["reading"].notna()]
    share = agreement.settings.grant.trigger
    assumptions = agreement.assumptions
    assumed = (assumptions["item"] == measure.name) & (assumptions["status"] == "assumed")
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {column: measure[column] for column in COLUMNS if column in measure.index}
    row |= {
        "period": period.label,
        "measure": measure.name,
        "theme": agreement.targets.at[measure["reference"], "theme"],
        "trigger": trigger_value(measure, share),
        "illustrative": False,
        "assumed": "; ".join(assumptions.loc[assumed, "column"]),
    }
    row |= _returned(series, measure, agreement, period, refused)
    if len(with_reading):
        row |= _latest(with_reading, measure)
    row |= _forecast(outlook, row, float(exact(share)))
    state, reason, is_forecast = _state(row, measure, with_reading, agreement, period)
    return row | {"state": state, "reason": reason, "is_forecast": is_forecast}


def _returned(
    series: pd.DataFrame,
    measure: pd.Series,
    agreement: Agreement,
    period: Period,
    refused: Collection[tuple[str, str]],
) -> dict[str, Any]:
    """Which return was due by now, whether it came, and why the newest one gives no reading."""
    expected = _expected_period(measure, agreement, period)
    label = expected.label if expected else None
    missing = series["missing"].iloc[-1] if len(series) else ""
    late = expected is not None and label not in set(series["period"])
    # What nobody ever measured and no document set a target for is not a late return.
    late = late and (len(series) > 0 or pd.notna(measure["target"]))
    if late and (measure.name, label) in refused:
        late = False
        missing = (
            f"a figure for {label} came in and could not be used; psa check and the page on data "
            "quality say why"
        )
    return {"expected_period": label, "late": late, "missing": missing}


def _first_period(measure: pd.Series, agreement: Agreement) -> Period:
    """The first period after the baseline's: the first that says anything of the agreement."""
    start = agreement.settings.agreement.begins
    if measure_period(measure, "baseline_period"):
        start = baseline_end(measure) + timedelta(days=1)
    return period_containing(start, KIND_OF_FREQUENCY[measure["frequency"]])


def _expected_period(measure: pd.Series, agreement: Agreement, period: Period) -> Period | None:
    """The newest period whose figure is due in this report; None before the first.

    A quarter's own figure is due with its report, a year's with the next quarter's.
    """
    kind = KIND_OF_FREQUENCY[measure["frequency"]]
    expected = period_containing(period.end, kind)
    if kind != "quarter" and expected.end >= period.end:
        expected = expected.years_before(1)
    due = measure_period(measure, "due")
    if due is not None and expected.end > due.end:
        expected = period_containing(due.end, kind)
    return expected if expected >= _first_period(measure, agreement) else None


def _latest(series: pd.DataFrame, measure: pd.Series) -> dict[str, Any]:
    """What the newest reading is, where the path is by then, and which way things go."""
    last, polarity = series.iloc[-1], measure["polarity"]
    planned = planned_path(measure, series["period_end"]).iloc[-1]
    begun = baseline_path(measure, series["period_end"]).iloc[-1]
    to_come = planned - begun
    # A path that falls first plans no improvement of which a share could be made.
    improves = (to_come > 0) == (polarity == "higher") and to_come != 0
    if measure["basis"] == "year_to_date":
        # Parts of a year compare with the same part of another, and what is left to do is years'.
        required = required_change(measure, series[series["period_end"].dt.month == 3])
        series = series[series["period_end"].dt.month == last["period_end"].month]
    else:
        required = required_change(measure, series)
    row = {
        "latest": last["reading"],
        "latest_period": last["period"],
        "latest_flag": last["flag"],
        "illustrative": last["illustrative"],
        "planned": planned,
        "gap": last["reading"] - planned,
        "gap_months": gap_months(measure, last["period_end"], last["reading"]),
        "progress": (last["reading"] - begun) / to_come if improves else float("nan"),
        "required": required.per_period,
        "required_done_before": required.done_before
        or (None if pd.isna(required.best) else "never"),
        "file": last["file"],
        "row": last["row"],
    }
    if len(series) > 1:
        before = series.iloc[-2]
        row |= {"previous": before["reading"], "previous_period": before["period"]}
        row["direction"] = direction(last["reading"], before["reading"], polarity)
    if measure["frequency"] == "quarterly":
        label = parse_period(last["period"]).years_before(1).label
        for year_before in series.loc[series["period"] == label, "reading"].head(1):
            row["year_before"] = year_before
            row["direction_on_year"] = direction(last["reading"], year_before, polarity)
    return row


def direction(now: float, before: float, polarity: str) -> str:
    """``better``, ``worse`` or ``same``: which way a reading moved, never up or down."""
    if now == before:
        return "same"
    return "better" if (now > before) == (polarity == "higher") else "worse"


def _forecast(outlook: Outlook | None, row: dict[str, Any], share: float) -> dict[str, Any]:
    """What is forecast of the reading that decides, or why nothing is."""
    if outlook is None or outlook.reason:
        return {"no_forecast": outlook.reason if outlook else "none was made"}
    cells: dict[str, Any] = {"no_forecast": "", "forecast": outlook.median}
    for percent in (50, 80, 95):
        cells[f"low_{percent}"], cells[f"high_{percent}"] = outlook.interval(percent)
    if pd.notna(row["target"]):
        cells["chance_target"] = outlook.chance(row["target"], row["polarity"])
    if pd.notna(row["trigger"]):
        cells["chance_trigger"] = outlook.chance(row["trigger"], row["polarity"])
        cells["expected_share"] = outlook.expected_share(row["without"], row["target"], share)
    return cells


def _state(
    row: dict[str, Any],
    measure: pd.Series,
    series: pd.DataFrame,
    agreement: Agreement,
    period: Period,
) -> State:
    """The state, why, and whether it is a forecast."""
    if pd.isna(row["target"]):
        return ("no target" if len(series) else "not stated"), "no document states a target", False
    if not len(series):
        return _nothing_yet(row, measure, agreement)
    due, last = due_period(measure), series.iloc[-1]
    reached = _reaches(row, row["target"])
    decided = last["period_end"].date() >= due.end
    if decided and last["flag"] in ("final", "revised"):
        if reached:
            return "achieved", f"the reading of {last['period']} reaches the target", False
        return _short_of_target(row)
    if not decided and period.end > due.end + GRACE:
        return "no data", f"the reading of {due}, which decides, {_why_not(row)}", True
    thresholds = agreement.settings.states
    if pd.notna(chance := row["chance_target"]):
        state = _by_thresholds(chance, thresholds.on_track, thresholds.at_risk)
        return state, f"the chance that the target is met is {chance_text(chance)}", True
    if pd.isna(measure["baseline"]):
        if reached:
            return "on track", "the latest reading already reaches the target", True
        return "not stated", "the baseline is not stated, so there is no path to compare with", True
    if pd.isna(row["planned"]):
        why = "the planned path has seasons, and there are not two years before it to show them"
        return "not stated", why, True
    if pd.notna(row["progress"]):
        return _against_path(row, thresholds)
    if last["period_end"].date() <= baseline_end(measure):
        return _nothing_yet(row, measure, agreement)
    # Where the plan is no better than the baseline, only the path itself can be reached.
    plan = "a planned path that is no better than the baseline by then"
    if _reaches(row, row["planned"]):
        return "on track", f"the latest reading reaches {plan}", True
    return "at risk", f"the latest reading falls short of {plan}", True


def _reaches(row: dict[str, Any], level: float) -> bool:
    """Whether the latest reading is as good as a level; ties are decided exactly."""
    difference = exact(row["latest"]) - exact(level)
    return difference >= 0 if row["polarity"] == "higher" else difference <= 0


def _by_thresholds(value: float, on_track: float, at_risk: float) -> str:
    if exact(value) >= exact(on_track):
        return "on track"
    return "at risk" if exact(value) >= exact(at_risk) else "off track"


def _nothing_yet(row: dict[str, Any], measure: pd.Series, agreement: Agreement) -> State:
    """No reading after the baseline: because none was due, or because one is missing."""
    first = _first_period(measure, agreement)
    if row["expected_period"] is None:
        return "not due", f"the first reading is that of {first}", True
    return "no data", f"a reading from {first} on {_why_not(row)}", True


def _why_not(row: dict[str, Any]) -> str:
    if row["missing"]:
        return f"cannot be made: {row['missing']}"
    return "had not come in by the cut-off"


def _short_of_target(row: dict[str, Any]) -> State:
    reading = f"the reading of {row['latest_period']}"
    if pd.isna(row["trigger"]):
        reason = (
            f"{reading} falls short of the target; whether it reaches the trigger cannot be said, "
            "since performance without the agreement is not stated"
        )
        return "missed", reason, False
    trigger = "the trigger"
    if row["without_status"] == "assumed":
        trigger += ", which rests on an assumed performance without the agreement"
    if _reaches(row, row["trigger"]):
        return "partly achieved", f"{reading} reaches {trigger}", False
    return "missed", f"{reading} falls short of {trigger}", False


def _against_path(row: dict[str, Any], thresholds: StatesSection) -> State:
    """Where there is no forecast, the latest reading is held against the planned path."""
    progress = row["progress"]
    if progress < 0:
        reason = "moved the wrong way since the baseline"
    else:
        reason = f"made {progress:.0%} of the improvement planned by then"
    state = _by_thresholds(progress, thresholds.path_on_track, thresholds.path_at_risk)
    return state, f"{reason}; no forecast: {row['no_forecast']}", True
