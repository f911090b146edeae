"""The assessment: one row per measure and reporting period, which everything else reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from psa_analysis.analysis import trajectory
from psa_analysis.analysis.trajectory import paid_of_draws, short_of
from psa_analysis.files import meanings
from psa_analysis.periods import FREQUENCIES, Period, parse_period
from psa_analysis.register.agreement import RULES, RULES_WITH_PATH, Agreement
from psa_analysis.words import NOT_SHOWN, NOT_STATED, chance_text, counted

if TYPE_CHECKING:
    from psa_analysis.analysis.outlook import Outlook
    from psa_analysis.findings import Finding

#: The columns, in order. ``columns.csv`` describes them.
COLUMNS = meanings("assessment")

#: What a state means, in the order in which a board should see them.
STATES = meanings("states")

Row = dict[str, Any]
#: A state, why it is so, whether it is a forecast, and what judged.
State = tuple[str, str, bool, str]
_NOTHING = "not judged"
#: The flag of a latest reading that is held back.
WITHHELD = "withheld"


def assess(
    readings: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    refused: Iterable[Finding] = (),
    outlooks: Mapping[str, Outlook] | None = None,
) -> pd.DataFrame:
    """Put readings, trajectory and register together for one reporting period."""
    own = readings["area"] == agreement.settings.agreement.area
    local = readings[own & (readings["period_end"] <= pd.Timestamp(period.end))]
    refused_figures, rows = {figure for it in refused for figure in it.figures}, []
    for name, measure in agreement.measures[agreement.measures["role"] != "context"].iterrows():
        series = local[local["measure"] == name].sort_values("period_end")
        if measure["due_at"] is not None:
            # What comes after the period that decides changes nothing.
            series = series[series["period_end"] <= pd.Timestamp(measure["due_at"].end)]
        row = _begun(measure, series, agreement, period)
        if row["late"] and (name, row["expected_period"]) in refused_figures:
            why = f"a figure for {row['expected_period']} came in and could not be used; "
            why += "psa check and the page on data quality say why"
            row |= {"late": False, "missing": why}
        if measure["basis"] == "year_to_date" and not measure["seasons"]:
            # Part of a year says nothing against a path from year to year.
            year_end = FREQUENCIES[measure["frequency"]].year_end
            series = series[series["period_end"].dt.month == year_end]
        newest = series[series["reading"].notna() | (series["missing"] == NOT_SHOWN)].tail(1)
        series = series[series["reading"].notna()]
        if newest["reading"].isna().any():
            rows.append(row | _not_shown(newest.iloc[0]))
            continue
        outlook = (outlooks or {}).get(str(name))
        if measure["rule"] == "yearly":
            measure = trajectory.judging(measure, series["period_end"], period.end)
            outlook = outlook and outlook.until(measure["due_at"].end)
            row |= {"target": measure["target"], "due": measure["due"]}
        if len(series):
            row |= _latest(series, measure)
        row |= _forecast(outlook, row, agreement.settings.grant.trigger)
        if measure["rule"] == "standard":
            since = series["period_end"] >= pd.Timestamp(agreement.settings.agreement.begins)
            met = [short_of(each, row, row["target"]) <= 0 for each in series["reading"][since]]
            row |= {"periods": len(met), "share_met": sum(met) / len(met) if met else None}
        of_state = _state(row, series, measure, agreement, period)
        row |= zip(("state", "reason", "is_forecast", "judged_by"), of_state, strict=True)
        if row["tolerance"] and row["judged_by"] != _NOTHING:
            row["by_tolerance"] = _by_tolerance(row)
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    types = {"row": "Int64", "periods": "Int64", "share_met": float, "by_tolerance": "str"}
    return table.astype(types | dict.fromkeys(["late", "is_forecast", "illustrative"], bool))


def _begun(measure: pd.Series, series: pd.DataFrame, agreement: Agreement, period: Period) -> Row:
    """What the register says, and what reading was to come in and has not."""
    assumed = agreement.assumptions.query("item == @measure.name and status == 'assumed'")
    expected = _expected_period(measure, agreement, period)
    # What nobody ever measured and no document set a target for is not a late return.
    late = expected is not None and (len(series) > 0 or pd.notna(measure["target"]))
    return {column: measure.get(column) for column in COLUMNS} | {
        "period": period.label,
        "measure": measure.name,
        "theme": agreement.targets.at[measure["reference"], "theme"],
        "trigger": trajectory.trigger_value(measure, agreement.settings.grant.trigger),
        "illustrative": False,
        "assumed": "; ".join(assumed["column"]),
        "expected_period": expected,
        "late": late and expected not in set(series["period"]),
        "missing": series["missing"].iloc[-1] if len(series) else "",
    }


def _first_period(measure: pd.Series, agreement: Agreement) -> Period:
    """The first period after the baseline's: the first that says anything of the agreement."""
    start = agreement.settings.agreement.begins
    if measure["baseline_at"] is not None:
        start = trajectory.baseline_end(measure) + timedelta(days=1)
    return trajectory.period_at(measure, start)


def _expected_period(measure: pd.Series, agreement: Agreement, period: Period) -> str | None:
    """The newest period whose figure is due in this report; None before the first."""
    per_year = FREQUENCIES[measure["frequency"]].per_year
    expected, due = trajectory.period_at(measure, period.end), measure["due_at"]
    # A term's or year's figure is due only with the next quarter's report.
    if per_year < 4 and expected.end >= period.end:
        before = pd.Timestamp(expected.end) - pd.DateOffset(months=12 // per_year)
        expected = trajectory.period_at(measure, before.date())
    if due is not None and expected.end > due.end:
        expected = trajectory.period_at(measure, due.end)
    return expected.label if expected >= _first_period(measure, agreement) else None


def _latest(series: pd.DataFrame, measure: pd.Series) -> Row:
    """What the newest reading is, where the path is by then, and which way things go."""
    last, polarity = series.iloc[-1], measure["polarity"]
    planned = trajectory.planned_path(measure, series["period_end"]).iloc[-1]
    begun = measure["baseline"]
    if measure["profile"] == "seasonal":
        begun = trajectory.planned_path(measure, series["period_end"], begun).iloc[-1]
    to_come = planned - begun
    # A path that falls first plans no improvement of which a share could be made.
    improves = (to_come > 0) == (polarity == "higher") and to_come != 0
    years, frequency = series, FREQUENCIES[measure["frequency"]]
    if measure["basis"] == "year_to_date":
        # Parts of a year compare with the same part of another, and what is left to do is years'.
        years = series[series["period_end"].dt.month == frequency.year_end]
        series = series[series["period_end"].dt.month == last["period_end"].month]
    required, done_before = trajectory.required_change(measure, years)
    names = {"reading": "latest", "period": "latest_period", "flag": "latest_flag"}
    row: Row = last[[*names, "illustrative", "file", "row"]].rename(names).to_dict()
    row |= {"planned": planned, "gap": last["reading"] - planned}
    row["gap_months"] = trajectory.gap_months(measure, last["period_end"], last["reading"])
    row["progress"] = (last["reading"] - begun) / to_come if improves else float("nan")
    row |= {"required": required, "required_done_before": done_before}
    if len(series) > 1:
        before = series.iloc[-2]
        row |= {"previous": before["reading"], "previous_period": before["period"]}
        row["direction"] = direction(last["reading"], before["reading"], polarity)
    if frequency.per_year > 1:
        label = parse_period(last["period"]).years_before(1).label
        for year_before in series.loc[series["period"] == label, "reading"]:
            row["year_before"] = year_before
            row["direction_on_year"] = direction(last["reading"], year_before, polarity)
    return row


def _not_shown(newest: pd.Series) -> Row:
    """What a public report says of a measure whose newest reading is held back."""
    row: Row = {"latest_period": newest["period"], "illustrative": newest["illustrative"]}
    row |= {"latest_flag": WITHHELD, "missing": NOT_SHOWN, "no_forecast": STATES["not shown"]}
    return row | {
        "state": "not shown",
        "reason": f"the reading for {newest['period']} rests on small numbers",
        "is_forecast": False,
        "judged_by": _NOTHING,
    }


def direction(now: float, before: float, polarity: str) -> str:
    """``better``, ``worse`` or ``same``; ``higher`` or ``lower`` where neither is better."""
    if now == before:
        return "same"
    if polarity == NOT_STATED:
        return "higher" if now > before else "lower"
    return "better" if (now > before) == (polarity == "higher") else "worse"


def _forecast(outlook: Outlook | None, row: Row, share: float) -> Row:
    """What is forecast of the reading that decides, or why nothing is."""
    if outlook is None or outlook.reason:
        return {"no_forecast": outlook.reason if outlook else "none was made"}
    due = outlook.due.rename({"median": "forecast"}).drop(["period", "period_end"])
    cells: Row = {"no_forecast": "", **due}
    if pd.notna(row["target_to"]):
        not_below = outlook.chance(row["target"], "higher")
        cells["chance_target"] = not_below + outlook.chance(row["target_to"], "lower") - 1
    elif pd.notna(row["target"]) and row["rule"] != "standard":
        cells["chance_target"] = outlook.chance(row["target"], row["polarity"])
    if pd.notna(row["trigger"]):
        cells["chance_trigger"] = outlook.chance(row["trigger"], row["polarity"])
        pays = paid_of_draws(outlook.draws[:, -1], row["without"], row["target"], share)
        cells["expected_share"] = float(pays.mean())
    return cells


def _state(
    row: Row, series: pd.DataFrame, measure: pd.Series, agreement: Agreement, period: Period
) -> State:
    """The state, why, whether it is a forecast, and what judged."""
    if row["rule"] == "none":
        return "not judged", "the agreement gives it no direction and no target", False, _NOTHING
    if pd.isna(row["target"]):
        state = "no target" if len(series) else "not stated"
        return state, "no document states a target", False, _NOTHING
    if not len(series) or row["periods"] == 0:
        return _nothing_yet(row, measure, agreement)
    due, last, rule = measure["due_at"], series.iloc[-1], RULES[row["rule"]].format_map(row)
    reached = short_of(row["latest"], row, row["target"]) <= 0
    decided = row["rule"] == "standard" or last["period_end"].date() >= due.end
    if decided and last["flag"] in ("final", "revised", "provisional"):
        return *_decided(row, reached, rule), f"{rule}: deciding reading"
    if not decided and period.end > due.end + trajectory.GRACE:
        return _no_data(row, f"the reading of {due}, which decides,")
    thresholds = agreement.settings.states
    if pd.notna(chance := row["chance_target"]):
        state = _by_thresholds(chance, thresholds.on_track, thresholds.at_risk)
        why = f"the chance that the {rule} is met is {chance_text(chance)}"
        return state, why, True, f"{rule}: chance that it is met"
    has_baseline = pd.notna(measure["baseline"])
    if has_baseline and last["period_end"].date() <= trajectory.baseline_end(measure):
        return _nothing_yet(row, measure, agreement)
    by_path = f"{rule}: planned path"
    if row["rule"] not in RULES_WITH_PATH or (reached and not has_baseline):
        why = f"the latest reading {_compared(row, reached)} the {rule}"
        return "on track" if reached else "at risk", why, True, f"{rule}: latest reading"
    if pd.isna(row["planned"]):
        why = "the planned path has seasons, and there are not two years before it to show them"
        if not has_baseline:
            why = "the baseline is not stated, so there is no path to compare with"
        return "not stated", why, True, _NOTHING
    if pd.notna(progress := row["progress"]):
        state = _by_thresholds(progress, thresholds.path_on_track, thresholds.path_at_risk)
        moved = f"{progress:.0%} of the improvement planned by then has been made"
        if progress < 0:
            moved = "it has moved the wrong way since the baseline"
        return state, f"{moved}; there is no forecast: {row['no_forecast']}", True, by_path
    # Where the plan is no better than the baseline, only the path itself can be reached.
    reached = short_of(row["latest"], row, row["planned"]) <= 0
    plan = "a planned path that is no better than the baseline by then"
    why = f"the latest reading {_compared(row, reached)} {plan}"
    return "on track" if reached else "at risk", why, True, by_path


def _compared(row: Row, reached: bool) -> str:
    """How the latest reading stands to what judges it, as a verb."""
    if row["rule"] == "range":
        return "lies within" if reached else "lies outside"
    return "reaches" if reached else "falls short of"


def _by_tolerance(row: Row) -> str:
    """The latest reading beside the planned path, or else the target, with a tolerance below it."""
    level = row["target"] if pd.isna(row["planned"]) else row["planned"]
    short = short_of(row["latest"], row, level)
    allowed = trajectory.exact(float(row["tolerance"].rstrip("%")))
    if row["tolerance"].endswith("%"):
        allowed *= abs(trajectory.exact(level)) / 100
    return "met" if short <= 0 else f"{'within' if short <= allowed else 'beyond'} tolerance"


def _by_thresholds(value: float, on_track: float, at_risk: float) -> str:
    if trajectory.exact(value) >= trajectory.exact(on_track):
        return "on track"
    return "at risk" if trajectory.exact(value) >= trajectory.exact(at_risk) else "off track"


def _nothing_yet(row: Row, measure: pd.Series, agreement: Agreement) -> State:
    """No reading after the baseline: because none was due, or because one is missing."""
    first = _first_period(measure, agreement)
    if row["expected_period"] is None:
        return "not due", f"the first reading is that of {first}", True, _NOTHING
    return _no_data(row, f"a reading from {first} on")


def _no_data(row: Row, reading: str) -> State:
    why = f"cannot be made: {row['missing']}" if row["missing"] else ""
    return "no data", f"{reading} {why or 'had not come in by the cut-off'}", True, _NOTHING


def _decided(row: Row, reached: bool, rule: str) -> tuple[str, str, bool]:
    provisional = "provisional " if row["latest_flag"] == "provisional" else ""
    reading = f"the {provisional}reading of {row['latest_period']}"
    reason = f"{reading} {_compared(row, reached)} the {rule}"
    if row["rule"] == "standard":
        met = round(row["share_met"] * row["periods"])
        reason += f", met in {met} of {counted(row['periods'], 'period')} so far"
    if reached or row["without_status"] == "":
        return "achieved" if reached else "missed", reason, False
    if pd.isna(row["trigger"]):
        reason += "; whether it reaches the trigger cannot be said, "
        reason += "since performance without the agreement is not stated"
        return "missed", reason, False
    reached = short_of(row["latest"], row, row["trigger"]) <= 0
    trigger = "the trigger"
    if row["without_status"] == "assumed":
        trigger += ", which rests on an assumed performance without the agreement"
    reason = f"{reading} {_compared(row, reached)} {trigger}"
    return "partly achieved" if reached else "missed", reason, False
