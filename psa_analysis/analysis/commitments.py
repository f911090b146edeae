"""Commitments: where each promise of the strategy that is no target stands at a period.

A commitment is judged by its kind, from what had been reported by the period's cut-off:

============  ==================================================================================
kind          judged by
============  ==================================================================================
milestone     the day it was done, against the last day that meets it
level         the figure of the year up to its date, and before that the straight line to it
quartile      the same, of the quartile that was reported (1 is the top)
unquantified  nothing: no document says what would count as done, so its lead's word is shown
============  ==================================================================================

Figures come from the readings of the measure that the register links a level to, or else from
``progress.csv``, in which leads also report how a commitment is going. What was reported long ago
says nothing of today, and silence is called silence (``docs/commitments.md``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import takewhile
from typing import Any

import pandas as pd

from psa_analysis.analysis.readings import make_readings, with_compared
from psa_analysis.analysis.trajectory import baseline_end, exact
from psa_analysis.files import meanings
from psa_analysis.periods import Period, parse_period, period_containing
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.returns.cleaning import as_of
from psa_analysis.returns.progress import NAME, contradicted
from psa_analysis.words import NOT_STATED, counted, day_text, figure_text, with_unit

#: Spans in whole calendar months. A lead's report is asked for so long before the date;
ASKED_FROM = 12
#: a figure stands for the present so long, a year until the next and half a year to come in;
FIGURE_LASTS = 18
#: and the figure that decides is of so many months up to the date.
DECIDING = 12

#: The columns, in order. ``columns.csv`` describes them.
COLUMNS = meanings("commitments")

#: What a state means, in the order in which a board should see them.
STATES = {
    "overdue": "its date has passed, and a later report or a figure says that it is not done",
    "at risk": "before its date: behind the line to its figure, or in doubt by its lead's report",
    "no data": "nothing was reported that says where it stands",
    "done late": "done after its date",
    "on track": "before its date: on the line to its figure, or so its lead reports",
    "done": "done, by its date if it has one",
    "not due": "its date is more than a year away, and nothing has been reported of late",
    "not stated": "no document states a date or a figure to judge it by",
}

#: States that count as delivered, and those that a board should see first.
COUNTED_DONE = ("done", "done late")
EXCEPTIONS = ("overdue", "at risk", "no data")

_DATES = ["due_date", "done_on", "lead_reported", "reported"]
_FLOATS = ["target", "value", "progress"]


def follow(
    agreement: Agreement, progress: pd.DataFrame, observations: pd.DataFrame, period: Period
) -> pd.DataFrame:
    """Where every commitment stands at one reporting period, and stood in the report before."""
    table = _judge(agreement, progress, observations, period)
    earlier = _quarter_before(period)
    if earlier.end > agreement.settings.agreement.begins:
        before = _judge(agreement, progress, observations, earlier)
        table["previous_state"] = before["state"]
    return table


def _quarter_before(period: Period) -> Period:
    return period_containing(period.start - timedelta(days=1), "quarter")


def moved(table: pd.DataFrame) -> pd.DataFrame:
    """The commitments whose state is another than in the report of the quarter before."""
    changed = table["previous_state"].notna() & (table["previous_state"] != table["state"])
    return table[changed].reset_index(drop=True)


def _judge(
    agreement: Agreement, progress: pd.DataFrame, observations: pd.DataFrame, period: Period
) -> pd.DataFrame:
    cut_off = period.end + timedelta(days=agreement.settings.calendar.cut_off_days)
    known = progress[progress["reported"] <= pd.Timestamp(cut_off)]
    # What happened after the period's end belongs to the next report.
    known = known[~(known["day"] > pd.Timestamp(period.end))].assign(flag="", file=NAME)
    is_figure = known["status"] == "figure"
    figures = known[is_figure].drop_duplicates(["commitment", "day"], keep="last")
    figures = figures.assign(label=[day_text(day) for day in figures["day"]])
    linked = _linked_figures(agreement, observations, period, cut_off)
    reports = _by_commitment(known[~is_figure])
    figures_of = _by_commitment(pd.concat([figures, linked]).sort_values("day"))
    rows = []
    commitments = agreement.commitments.astype({"target": float, "baseline": float})
    commitments["target"] = commitments["target"].mask(commitments["kind"] == "quartile", 1.0)
    commitments["due_date"] = commitments["due_date"].astype("datetime64[ns]")
    for name, commitment in commitments.to_dict("index").items():
        cells = _judge_one(commitment, reports[name], figures_of[name], agreement, period)
        names = {"period": period.label, "commitment": name}
        rows.append(dict.fromkeys(COLUMNS) | commitment | names | cells)
    types = dict.fromkeys(_DATES, "datetime64[ns]") | dict.fromkeys(_FLOATS, "float64")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(types | {"illustrative": bool, "row": "Int64"})


def _by_commitment(rows: pd.DataFrame) -> defaultdict[Any, list[Any]]:
    """The rows of each commitment, in their order."""
    of_commitment: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in rows.itertuples():
        of_commitment[row.commitment].append(row)
    return of_commitment


def _linked_figures(
    agreement: Agreement, observations: pd.DataFrame, period: Period, cut_off: date
) -> pd.DataFrame:
    """The readings of the measures that commitments are linked to, as known at the cut-off."""
    links = agreement.commitments["measure"]
    links = links[links != ""].rename_axis("commitment").reset_index()
    needed = observations["measure"].isin(with_compared(links["measure"], agreement))
    known = as_of(observations[needed], cut_off)
    rows = make_readings(known, agreement)
    rows = rows[rows["area"] == agreement.settings.agreement.area]
    rows = rows[rows["reading"].notna() & (rows["period_end"] <= pd.Timestamp(period.end))]
    # Part of a year is no figure of the year.
    partial_years = rows["measure"].map(agreement.measures["basis"]) == "year_to_date"
    rows = rows[~partial_years | (rows["period_end"].dt.month == 3)]
    received = known[["measure", "area", "period", "received"]]
    rows = rows.merge(received, on=["measure", "area", "period"]).merge(links, on="measure")
    return rows.assign(
        status="figure",
        reported=rows["received"],
        day=rows["period_end"],
        label=rows["period"],
        value=rows["reading"],
        evidence="reading of " + rows["measure"] + " for " + rows["period"],
    )


def _judge_one(
    commitment: dict[str, Any],
    reports: Sequence[Any],
    figures: Sequence[Any],
    agreement: Agreement,
    period: Period,
) -> dict[str, Any]:
    """The cells of one commitment, from its lead's reports and its figures, the oldest first."""
    row: dict[str, Any] = {"evidence": "", "illustrative": False, "file": ""}
    if reports:
        row |= {"lead_status": reports[-1].status, "lead_reported": reports[-1].reported}
        row |= _source(reports[-1])
    if commitment["kind"] == "unquantified":
        why = "no document says what would count as done"
        return row | _verdict(NOT_STATED, f"{why}; {_lead_words(reports)}")
    if commitment["kind"] == "milestone":
        return row | _milestone(commitment["due_date"], reports, period)
    judged = _level(commitment, reports, figures, agreement, period)
    # A row that shows both a figure and a lead's word is made up if either is.
    illustrative = row["illustrative"] or judged.get("illustrative", False)
    return row | judged | {"illustrative": illustrative}


def _source(report: Any) -> dict[str, Any]:
    """Where a lead's report or a figure comes from."""
    return {
        "evidence": report.evidence,
        "reported": report.reported,
        "illustrative": report.illustrative,
        "file": report.file,
        "row": report.row,
    }


def _verdict(state: str, reason: str, **cells: Any) -> dict[str, Any]:
    return {"state": state, "reason": reason, **cells}


def _lead_words(reports: Sequence[Any]) -> str:
    """What its lead last reported, as the lead's own word."""
    if not reports:
        return "nothing has been reported"
    return f"its lead reported '{reports[-1].status}' on {day_text(reports[-1].reported)}"


def _milestone(due: pd.Timestamp, reports: Sequence[Any], period: Period) -> dict[str, Any]:
    words = _lead_words(reports)
    if done := contradicted(reports):
        reason = f"reported as done on {day_text(done.reported)}, and then {words}"
        return _verdict("no data", reason)
    if reports and reports[-1].status == "done":
        day = reports[-1].day
        reason = f"done on {day_text(day)}"
        if not day > due:
            return _verdict("done", reason, done_on=day)
        late = counted((day - due).days, "day")
        return _verdict("done late", f"{reason}, {late} after its date", done_on=day)
    if pd.isna(due):
        return _verdict(NOT_STATED, f"no document gives a date; {words}")
    if due > pd.Timestamp(period.end):
        return _by_lead(due, reports, period)
    fell_due = f"it fell due on {day_text(due)}"
    if reports and reports[-1].reported > due:
        return _verdict("overdue", f"{fell_due}; {words}")
    silence = f"{fell_due} and nothing has been reported since"
    return _verdict("no data", f"{silence}; {words}" if reports else silence)


def _by_lead(due: pd.Timestamp, reports: Sequence[Any], period: Period) -> dict[str, Any]:
    """Before its date and with nothing to measure it by: its lead's word, while that is fresh."""
    asked_since = pd.Timestamp(_quarter_before(period).start)
    is_fresh = bool(reports) and reports[-1].reported >= asked_since
    status, words = reports[-1].status if is_fresh else "", _lead_words(reports)
    soon = _months(period.end, due) <= ASKED_FROM
    if status == "on track":
        return _verdict("on track", words)
    if status in ("at risk", "not done"):
        return _verdict("at risk", words)
    if not soon:
        return _verdict("not due", f"due on {day_text(due)}; {words}")
    if status == "not started":
        return _verdict("at risk", f"{words}, and it is due on {day_text(due)}")
    silence = f"due on {day_text(due)}, with no report by its lead since {day_text(asked_since)}"
    return _verdict("no data", f"{silence}; {words}" if reports else silence)


def _level(
    row: Mapping[str, Any],
    reports: Sequence[Any],
    figures: Sequence[Any],
    agreement: Agreement,
    period: Period,
) -> dict[str, Any]:
    """A level or a quartile, by its figures, which are in order of the day that they are of."""
    due, newest = row["due_date"], figures[-1] if figures else None
    sign = 1 if row["kind"] == "level" and row["polarity"] == "higher" else -1

    def reached(figure: Any) -> bool:
        return sign * (exact(figure.value) - exact(row["target"])) >= 0

    def done(run: Sequence[Any], more: str = "") -> dict[str, Any]:
        # Since the first of the unbroken run of figures, up to the last, that reach the level.
        since = [*takewhile(reached, reversed(run))][-1].day
        verdict = _verdict("done", _reaches(run[-1], row) + more, done_on=since)
        return _figure_shown(run[-1]) | verdict

    if due > pd.Timestamp(period.end):
        if newest is None:
            return _by_lead(due, reports, period)
        return _before_its_date(row, reports, newest, reached(newest), agreement, period)
    shown = _figure_shown(newest) if newest else {}
    words = f"the newest figure is {_of(newest, row)}" if newest else "no figure has been reported"
    if pd.isna(due):
        if newest and reached(newest):
            return done(figures, "; no document gives a date")
        return shown | _verdict(NOT_STATED, f"no document gives a date; {words}")
    by_then = [figure for figure in figures if figure.day <= due]
    after = figures[len(by_then) :]
    in_time = bool(by_then) and _months(by_then[-1].day, due) < DECIDING
    if in_time and reached(by_then[-1]):
        return done(by_then)
    if first := next(filter(reached, after), None):
        reason = f"{_reaches(first, row)}, as no figure did by {day_text(due)}"
        return _figure_shown(first) | _verdict("done late", reason, done_on=first.day)
    fell_due = f"it fell due on {day_text(due)}"
    if in_time or after:
        promised = _figure_words(row["target"], row)
        return shown | _verdict("overdue", f"{fell_due}; {words}, which falls short of {promised}")
    silence = f"{fell_due} and no figure of the year up to then has come"
    return shown | _verdict("no data", f"{silence}; {words}" if newest else silence)


def _before_its_date(
    row: Mapping[str, Any],
    reports: Sequence[Any],
    newest: Any,
    reached: bool,
    agreement: Agreement,
    period: Period,
) -> dict[str, Any]:
    """A figure that still stands for the present, or else its lead's word."""
    shown, figure = _figure_shown(newest), _of(newest, row)
    lasts = _months(newest.day, period.end) <= FIGURE_LASTS
    if lasts and reached:
        reason = f"{_reaches(newest, row)} already; the figure at its date decides"
        return shown | _verdict("on track", reason)
    share = _share_of_line(row, newest, agreement) if lasts else None
    if share is None:
        # The state rests on the lead's word, where there is one; the figure is only shown.
        if reports:
            shown = {name: shown[name] for name in ("value", "value_period", "illustrative")}
        verdict = _by_lead(row["due_date"], reports, period)
        reason = f"{verdict['reason']}; the newest figure is {figure}"
        return shown | verdict | {"reason": reason}
    if share < 0:
        reason = f"{figure}: moved the wrong way since the baseline"
    else:
        reason = f"{figure}: made {share:.0%} of the improvement planned by then"
    on_track = exact(share) >= exact(agreement.settings.states.path_on_track)
    state = "on track" if on_track else "at risk"
    if reports and reports[-1].status != state:
        reason += f"; {_lead_words(reports)}"
    return shown | _verdict(state, reason, progress=share)


def _share_of_line(row: Mapping[str, Any], figure: Any, agreement: Agreement) -> float | None:
    """Share made of the improvement that equal steps from baseline to date plan by a figure's day.

    The baseline is the commitment's own, or that of its measure. Time is counted in whole months,
    as on the planned path of a target.
    """
    baseline = row["baseline"]
    if pd.notna(baseline) and row["baseline_period"] not in ("", NOT_STATED):
        start = parse_period(row["baseline_period"]).end
    elif row["measure"]:
        measure = agreement.measures.loc[row["measure"]]
        baseline = measure["baseline"]
        if pd.isna(baseline) or measure_period(measure, "baseline_period") is None:
            return None
        start = baseline_end(measure)
    else:
        return None
    passed, in_all = _months(start, figure.day), _months(start, row["due_date"])
    if passed <= 0:
        return None
    planned = (row["target"] - baseline) * passed / in_all
    return float((figure.value - baseline) / planned)


def _months(first: date, last: date) -> int:
    """Whole calendar months from one day's month to another's."""
    return (last.year - first.year) * 12 + last.month - first.month


def _figure_shown(figure: Any) -> dict[str, Any]:
    return {"value": figure.value, "value_period": figure.label} | _source(figure)


def _figure_words(value: float, row: Mapping[str, Any]) -> str:
    if row["kind"] == "quartile":
        return "the top quartile" if value == 1 else f"quartile {value:.0f}"
    return with_unit(value, "level") if row["unit"] == "level" else figure_text(value, row["unit"])


def _of(figure: Any, row: Mapping[str, Any]) -> str:
    """``55.4% (2003/04, provisional)``."""
    flag = "" if figure.flag in ("", "final", "revised") else f", {figure.flag}"
    return f"{_figure_words(figure.value, row)} ({figure.label}{flag})"


def _reaches(figure: Any, row: Mapping[str, Any]) -> str:
    if row["kind"] == "quartile":
        return f"in {_of(figure, row)}"
    return f"{_of(figure, row)} reaches {_figure_words(row['target'], row)}"
