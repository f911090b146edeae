"""The assessment: one row per measure and reporting period, which everything else reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

import pandas as pd

from psa_analysis.analysis.outlook import GRACE, Outlook, forecast_columns
from psa_analysis.analysis.trajectory import (
    baseline_end,
    baseline_path,
    due_period,
    exact,
    gap_months,
    planned_path,
    required_change,
    trigger_value,
)
from psa_analysis.periods import KIND_OF_FREQUENCY, Period, parse_period, period_containing
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.words import chance_text

#: The columns, in order. This is the one place that describes them.
COLUMNS = {
    "period": "reporting period",
    "measure": "measure, as in the register",
    "reference": "the bid's reference",
    "theme": "heading of the bid",
    "objective": "heading of the strategy, or not stated",
    "role": "target (counts for the grant) or supporting (followed beside it)",
    "title": "short name",
    "unit": "unit of every figure of this row",
    "polarity": "whether higher or lower is better",
    "basis": "how the reading that counts is made",
    "frequency": "how often it is observed",
    "baseline": "performance at the start",
    "baseline_status": "stated, derived, assumed or not stated",
    "baseline_period": "period of the baseline",
    "without": "performance expected without the agreement",
    "without_status": "stated, derived, assumed or not stated",
    "target": "performance agreed",
    "target_status": "stated, derived, assumed or not stated",
    "due": "period whose reading decides",
    "trigger": "value from which grant is paid; missing where 'without' is",
    "latest": "newest reading that counts, as known at the cut-off",
    "latest_period": "its period",
    "latest_flag": "the weakest flag among the observations in it; withheld if not for the public",
    "illustrative": "True if any observation in it is made up",
    "expected_period": "the newest period that a return was due for, up to the due period",
    "late": "True if that return had not come in",
    "missing": "why no reading can be made for the newest period that came in, else empty",
    "planned": "the planned path at the latest reading's period",
    "gap": "latest less planned, in the unit",
    "gap_months": "months ahead of the planned path (behind: below 0); missing where it does not "
    "take the reading's value",
    "progress": "share of the improvement planned by then that has been made; missing where none "
    "was planned by then",
    "required": "change per period still needed to reach the target when it is due; 0 if reached",
    "required_done_before": "the period in which as much was done over as many periods; never; or "
    "missing where the readings do not reach as far back or nothing is left to do",
    "state": "one of STATES",
    "is_forecast": "True while the deciding reading is not final",
    "reason": "why this state, in words",
    "previous": "the reading before the latest",
    "previous_period": "its period",
    "direction": "better, worse or same than the previous reading",
    "year_before": "reading of the same quarter a year earlier, for quarterly measures",
    "direction_on_year": "better, worse or same than a year before",
    "forecast": "middle of the forecast of the reading that decides; missing if there is none",
    "low_50": "lower end of the interval that holds half of the chances",
    "high_50": "its upper end",
    "low_80": "lower end of the interval that holds eight in ten chances",
    "high_80": "its upper end",
    "low_95": "lower end of the interval that holds 95 in 100 chances",
    "high_95": "its upper end",
    "chance_target": "chance that the target is met, 0 to 1",
    "chance_trigger": "chance that at least the trigger is reached; missing where 'without' is",
    "expected_share": "mean proportion of the reward, nothing below the trigger; missing likewise",
    "no_forecast": "why there is no forecast, else empty",
    "assumed": "figures and readings of the register that are assumed",
    "file": "raw file of the latest period's own observation",
    "row": "row in that file",
}

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

_COPIED = [
    "reference",
    "objective",
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


def assess(
    readings: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    refused: Collection[tuple[str, str]] = (),
    ahead: Mapping[str, Outlook] | None = None,
) -> pd.DataFrame:
    """Put readings, trajectory and register together for one reporting period."""
    own = readings[
        (readings["area"] == agreement.settings.agreement.area)
        & (readings["period_end"] <= pd.Timestamp(period.end))
    ]
    followed = agreement.measures[agreement.measures["role"] != "context"]
    rows = [
        _assess_one(
            measure,
            own[own["measure"] == measure.name],
            agreement,
            period,
            refused,
            (ahead or {}).get(str(measure.name), Outlook(reason="none was made")),
        )
        for _, measure in followed.iterrows()
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"late": bool, "is_forecast": bool, "illustrative": bool, "row": "Int64"})


def _assess_one(
    measure: pd.Series,
    series: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    refused: Collection[tuple[str, str]],
    outlook: Outlook,
) -> dict[str, object]:
    settings = agreement.settings
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {column: measure[column] for column in _COPIED}
    row["period"], row["measure"] = period.label, measure.name
    row["theme"] = agreement.targets.at[measure["reference"], "theme"]
    row["trigger"] = trigger_value(measure, settings.grant.trigger)
    assumptions = agreement.assumptions
    mine = (assumptions["item"] == measure.name) & (assumptions["status"] == "assumed")
    row["assumed"] = "; ".join(assumptions.loc[mine, "column"])
    row |= {"illustrative": False, "late": False, "is_forecast": False}

    due = measure_period(measure, "due")
    if due is not None:
        # What comes after the period that decides changes nothing.
        series = series[series["period_end"] <= pd.Timestamp(due.end)]
    series = series.sort_values("period_end")
    if measure["basis"] == "year_to_date" and not measure["seasons"]:
        # Part of a year says nothing against a path from year to year.
        series = series[series["period_end"].dt.month == 3]
    row |= _returned(series, measure, agreement, period)
    if row["late"] and (measure.name, row["expected_period"]) in refused:
        row["late"] = False
        row["missing"] = (
            f"a figure for {row['expected_period']} came in and could not be used; psa check and "
            "the page on data quality say why"
        )
    readings_made = series[series["reading"].notna()]
    if len(readings_made):
        row |= _latest(readings_made, measure)
    row |= forecast_columns(outlook, measure, settings.grant.trigger)
    state, reason, is_forecast = _state(row, measure, readings_made, agreement, period)
    return row | {"state": state, "reason": reason, "is_forecast": is_forecast}


def _returned(
    series: pd.DataFrame, measure: pd.Series, agreement: Agreement, period: Period
) -> dict[str, object]:
    """Which return was due by now, whether it came, and why the newest one gives no reading."""
    expected = _expected_period(measure, agreement, period)
    newest = series.iloc[-1] if len(series) else None
    return {
        "expected_period": expected.label if expected else None,
        # What nobody ever measured and no document set a target for is not a late return.
        "late": expected is not None
        and expected.label not in set(series["period"])
        and (newest is not None or pd.notna(measure["target"])),
        "missing": newest["missing"] if newest is not None else "",
    }


def _first_period(measure: pd.Series, agreement: Agreement) -> Period:
    """The first period after the baseline's: the first that says anything of the agreement."""
    if measure_period(measure, "baseline_period") is None:
        start = agreement.settings.agreement.begins
    else:
        start = baseline_end(measure) + timedelta(days=1)
    return period_containing(start, KIND_OF_FREQUENCY[measure["frequency"]])


def _expected_period(measure: pd.Series, agreement: Agreement, period: Period) -> Period | None:
    """The newest period whose figure is due in this report; None before the first.

    A quarter's own figure is due with its report, a year's with the next quarter's.
    """
    kind = KIND_OF_FREQUENCY[measure["frequency"]]
    expected = period if kind == "quarter" else period_containing(period.end, kind)
    if kind != "quarter" and expected.end >= period.end:
        expected = expected.years_before(1)
    due = measure_period(measure, "due")
    if due is not None and expected.end > due.end:
        expected = period_containing(due.end, kind)
    return expected if expected >= _first_period(measure, agreement) else None


def _latest(series: pd.DataFrame, measure: pd.Series) -> dict[str, object]:
    """What the newest reading is, where the path is by then, and which way things go."""
    last = series.iloc[-1]
    planned = planned_path(measure, series["period_end"]).iloc[-1]
    begun = baseline_path(measure, series["period_end"]).iloc[-1]
    to_come = planned - begun
    # A path that falls first plans no improvement of which a share could be made.
    improves = (to_come > 0) == (measure["polarity"] == "higher") and to_come != 0
    whole = series
    if measure["basis"] == "year_to_date":
        # Parts of a year compare with the same part of another, and what is left to do is years'.
        whole = series[series["period_end"].dt.month == 3]
        series = series[series["period_end"].dt.month == last["period_end"].month]
    required = required_change(measure, whole)
    quarterly = measure["frequency"] == "quarterly"
    row: dict[str, object] = {
        "latest": last["reading"],
        "latest_period": last["period"],
        "latest_flag": last["flag"],
        "illustrative": last["illustrative"],
        "planned": planned,
        "gap": last["reading"] - planned,
        "gap_months": gap_months(measure, last["period_end"], last["reading"])[0],
        "progress": (last["reading"] - begun) / to_come if improves else float("nan"),
        "required": required.per_period,
        "required_done_before": required.done_before
        or (None if pd.isna(required.best) else "never"),
        "file": last["file"],
        "row": last["row"],
    }
    if len(series) > 1:
        before = series.iloc[-2]
        row["previous"], row["previous_period"] = before["reading"], before["period"]
        row["direction"] = direction(last["reading"], before["reading"], measure["polarity"])
    if quarterly:
        label = parse_period(last["period"]).years_before(1).label
        year_before = series.loc[series["period"] == label, "reading"]
        if len(year_before):
            row["year_before"] = year_before.iloc[0]
            row["direction_on_year"] = direction(
                last["reading"], year_before.iloc[0], measure["polarity"]
            )
    return row


def direction(now: float, before: float, polarity: str) -> str:
    """``better``, ``worse`` or ``same``: which way a reading moved, never up or down."""
    if now == before:
        return "same"
    return "better" if (now > before) == (polarity == "higher") else "worse"


def _state(
    row: dict[str, object],
    measure: pd.Series,
    series: pd.DataFrame,
    agreement: Agreement,
    period: Period,
) -> tuple[str, str, bool]:
    """The state, why, and whether it is a forecast."""
    if pd.isna(measure["target"]):
        if len(series):
            return "no target", "no document states a target", False
        return "not stated", "no document states a target", False
    if not len(series):
        return _nothing_yet(row, measure, agreement)

    due, last = due_period(measure), series.iloc[-1]
    better = 1 if measure["polarity"] == "higher" else -1
    ahead = better * (exact(last["reading"]) - exact(measure["target"]))
    decided = last["period_end"].date() >= due.end
    if decided and last["flag"] in ("final", "revised"):
        if ahead >= 0:
            return "achieved", f"the reading of {last['period']} reaches the target", False
        return _short_of_target(row, last, better)
    if not decided and period.end > due.end + GRACE:
        return "no data", f"the reading of {due}, which decides, {_why_not(row)}", True
    if pd.notna(row["chance_target"]):
        return _by_chance(float(str(row["chance_target"])), agreement)
    if pd.isna(measure["baseline"]):
        if ahead >= 0:
            return "on track", "the latest reading already reaches the target", True
        return "not stated", "the baseline is not stated, so there is no path to compare with", True
    if pd.isna(row["planned"]):
        why = "the planned path has seasons, and there are not two years before it to show them"
        return "not stated", why, True
    progress = row["progress"]
    if pd.isna(progress):
        if last["period_end"].date() > baseline_end(measure):
            return _without_improvement(row, better)
        return _nothing_yet(row, measure, agreement)
    return _against_path(float(str(progress)), str(row["no_forecast"]), agreement)


def _nothing_yet(
    row: dict[str, object], measure: pd.Series, agreement: Agreement
) -> tuple[str, str, bool]:
    """No reading after the baseline: because none was due, or because one is missing."""
    first = _first_period(measure, agreement)
    if row["expected_period"] is None:
        return "not due", f"the first reading is that of {first}", True
    return "no data", f"a reading from {first} on {_why_not(row)}", True


def _why_not(row: dict[str, object]) -> str:
    if row["missing"]:
        return f"cannot be made: {row['missing']}"
    return "had not come in by the cut-off"


def _short_of_target(row: dict[str, object], last: pd.Series, better: int) -> tuple[str, str, bool]:
    trigger = float(str(row["trigger"]))
    if pd.isna(trigger):
        return (
            "missed",
            f"the reading of {last['period']} falls short of the target; whether it reaches the "
            "trigger cannot be said, since performance without the agreement is not stated",
            False,
        )
    if row["without_status"] == "assumed":
        name = "the trigger, which rests on an assumed performance without the agreement"
    else:
        name = "the trigger"
    if better * (exact(last["reading"]) - exact(trigger)) >= 0:
        return "partly achieved", f"the reading of {last['period']} reaches {name}", False
    return "missed", f"the reading of {last['period']} falls short of {name}", False


def _without_improvement(row: dict[str, object], better: int) -> tuple[str, str, bool]:
    """Where the plan is no better than the baseline, only the path itself can be reached."""
    plan = "a planned path that is no better than the baseline by then"
    gap = better * (exact(float(str(row["latest"]))) - exact(float(str(row["planned"]))))
    if gap >= 0:
        return "on track", f"the latest reading reaches {plan}", True
    return "at risk", f"the latest reading falls short of {plan}", True


def _by_chance(chance: float, agreement: Agreement) -> tuple[str, str, bool]:
    thresholds = agreement.settings.states
    reason = f"the chance that the target is met is {chance_text(chance)}"
    if chance >= thresholds.on_track:
        return "on track", reason, True
    return "at risk" if chance >= thresholds.at_risk else "off track", reason, True


def _against_path(progress: float, why_none: str, agreement: Agreement) -> tuple[str, str, bool]:
    """Where there is no forecast, the latest reading is held against the planned path."""
    thresholds = agreement.settings.states
    if progress < 0:
        made = "moved the wrong way since the baseline"
    else:
        made = f"made {progress:.0%} of the improvement planned by then"
    made += f"; no forecast: {why_none}"
    if exact(progress) >= exact(thresholds.path_on_track):
        return "on track", made, True
    behind = "at risk" if exact(progress) >= exact(thresholds.path_at_risk) else "off track"
    return behind, made, True
