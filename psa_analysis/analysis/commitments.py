"""Commitments: where each promise of the strategy stands, by the rules of docs/commitments.md."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from itertools import takewhile
from typing import Any

import pandas as pd

from psa_analysis.analysis.readings import make_readings
from psa_analysis.analysis.trajectory import baseline_end, exact
from psa_analysis.files import meanings
from psa_analysis.periods import FREQUENCIES, Period, parse_period, period_containing, steps_to
from psa_analysis.register.agreement import BLANK, Agreement
from psa_analysis.returns.cleaning import as_of
from psa_analysis.returns.progress import NAME, contradicted
from psa_analysis.words import NOT_STATED, counted, day_text, with_unit

Row = dict[str, Any]
Rows = Sequence[Any]

#: In whole calendar months:
ASKED_FROM = 12  # before its date, a lead's report is asked for
FIGURE_LASTS = 18  # a figure stands for the present
DECIDING = 12  # up to the date, that the figure is of which decides

COLUMNS = meanings("commitments")

#: What a state means, in the order in which a board should see them.
STATES = meanings("states of commitments")

#: States that count as delivered, and those that a board should see first.
COUNTED_DONE = ("done", "done late")
EXCEPTIONS = ("overdue", "at risk", "no data")

_TYPES = {"illustrative": bool, "row": "Int64"}
_TYPES |= dict.fromkeys(["due_date", "done_on", "lead_reported", "reported"], "datetime64[ns]")
_TYPES |= dict.fromkeys(["target", "value", "progress"], "float64")
#: Where a lead's report or a figure comes from.
_SOURCE = ["evidence", "reported", "illustrative", "file", "row"]
_FIGURE = ["value", "value_period", *_SOURCE]


def follow(
    agreement: Agreement, progress: pd.DataFrame, observations: pd.DataFrame, period: Period
) -> pd.DataFrame:
    """Where every commitment stands at one reporting period, and stood in the report before."""
    table = _judge_all(agreement, progress, observations, period)
    earlier = period_containing(period.start - timedelta(days=1), "quarter")
    if earlier.end > agreement.settings.agreement.begins:
        table["previous_state"] = _judge_all(agreement, progress, observations, earlier)["state"]
    return table


def _judge_all(
    agreement: Agreement, progress: pd.DataFrame, observations: pd.DataFrame, period: Period
) -> pd.DataFrame:
    cut_off = period.end + timedelta(days=agreement.settings.calendar.cut_off_days)
    known = progress[progress["reported"] <= pd.Timestamp(cut_off)]
    # What happened after the period's end belongs to the next report.
    known = known[~(known["day"] > pd.Timestamp(period.end))].assign(flag="", file=NAME)
    reports, figures = known[known["status"] != "figure"], known[known["status"] == "figure"]
    figures = figures.drop_duplicates(["commitment", "day"], keep="last")
    figures = figures.assign(value_period=[day_text(day) for day in figures["day"]])
    linked = _linked_figures(agreement, as_of(observations, cut_off), period)
    figures, rows = pd.concat([figures, linked]).sort_values("day"), []
    sources = [
        {name: [*rows.itertuples()] for name, rows in table.groupby("commitment")}
        for table in (reports, figures)
    ]
    types = {"target": float, "baseline": float, "due_date": "datetime64[ns]"}
    commitments = agreement.commitments.astype(types)
    commitments["target"] = commitments["target"].mask(commitments["kind"] == "quartile", 1.0)
    for name, commitment in commitments.to_dict("index").items():
        own_reports, own_figures = (by_name.get(name, []) for by_name in sources)
        cells = _judge(commitment, own_reports, own_figures, agreement, period)
        names = {"period": period.label, "commitment": name}
        rows.append(dict.fromkeys(COLUMNS) | commitment | names | cells)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_TYPES)


def _linked_figures(agreement: Agreement, known: pd.DataFrame, period: Period) -> pd.DataFrame:
    """The readings of the measures that commitments are linked to, as known at the cut-off."""
    links = agreement.commitments["measure"]
    links = links[links != ""].rename_axis("commitment").reset_index()
    compared_with = agreement.measures.loc[links["measure"].unique(), "compared_with"].dropna()
    needed = {*links["measure"], *(comparator.name for comparator in compared_with)}
    rows = make_readings(known[known["measure"].isin(needed)], agreement)
    counts = (rows["area"] == agreement.settings.agreement.area) & rows["reading"].notna()
    counts &= rows["period_end"] <= pd.Timestamp(period.end)
    # Part of a year is no figure of the year.
    partial_years = rows["measure"].map(agreement.measures["basis"]) == "year_to_date"
    frequencies = rows["measure"].map(agreement.measures["frequency"])
    year_ends = frequencies.map(lambda name: FREQUENCIES[name].year_end)
    rows = rows[counts & (~partial_years | (rows["period_end"].dt.month == year_ends))]
    received = known[["measure", "area", "period", "received"]]
    rows = rows.merge(received, on=["measure", "area", "period"]).merge(links, on="measure")
    rows["evidence"] = "reading of " + rows["measure"] + " for " + rows["period"]
    names = {"received": "reported", "period_end": "day", "reading": "value"}
    return rows.rename(columns=names | {"period": "value_period"})


def _judge(row: Row, reports: Rows, figures: Rows, agreement: Agreement, period: Period) -> Row:
    """The cells of one commitment, from its lead's reports and its figures, the oldest first."""
    cells: Row = {"evidence": "", "illustrative": False, "file": ""}
    if reports:
        cells |= {"lead_status": reports[-1].status, "lead_reported": reports[-1].reported}
        cells |= _cells(reports[-1], _SOURCE)
    if row["kind"] == "unquantified":
        why = f"no document says what counts as done; {_lead_words(reports)}"
        return cells | _verdict(NOT_STATED, why)
    if row["kind"] == "milestone":
        return cells | _milestone(row["due_date"], reports, period)
    judged = _level(row, reports, figures, agreement, period)
    # A row that shows both a figure and a lead's word is made up if either is.
    illustrative = cells["illustrative"] or judged.get("illustrative", False)
    return cells | judged | {"illustrative": illustrative}


def _cells(source: Any, names: Sequence[str]) -> Row:
    return {name: getattr(source, name) for name in names}


def _verdict(state: str, reason: str, **cells: Any) -> Row:
    return {"state": state, "reason": reason, **cells}


def _lead_words(reports: Rows, silence: str = "") -> str:
    """What its lead last reported, and since when there has been nothing more."""
    if not reports:
        return "no report"
    return f"lead's report: {reports[-1].status}, {day_text(reports[-1].reported)}{silence}"


def _milestone(due: pd.Timestamp, reports: Rows, period: Period) -> Row:
    words = _lead_words(reports)
    if done := contradicted(reports):
        return _verdict("no data", f"reported as done on {day_text(done.reported)}; {words}")
    if reports and reports[-1].status == "done":
        day, reason = reports[-1].day, f"done on {day_text(reports[-1].day)}"
        if day > due:
            reason += f", {counted((day - due).days, 'day')} late"
        return _verdict("done late" if day > due else "done", reason, done_on=day)
    if pd.isna(due):
        return _verdict(NOT_STATED, f"no document gives a date; {words}")
    if due > pd.Timestamp(period.end):
        return _by_lead(due, reports, period)
    if reports and reports[-1].reported > due:
        return _verdict("overdue", words)
    return _verdict("no data", _lead_words(reports, "; none since its date"))


def _by_lead(due: pd.Timestamp, reports: Rows, period: Period) -> Row:
    """Before its date and with nothing to measure it by: its lead's word, while that is fresh."""
    asked_since = pd.Timestamp(period.start) - pd.DateOffset(months=3)
    is_fresh = bool(reports) and reports[-1].reported >= asked_since
    status, words = reports[-1].status if is_fresh else "", _lead_words(reports)
    soon = _months(period.end, due) <= ASKED_FROM
    if status in ("on track", "at risk"):
        return _verdict(status, words)
    if status == "not done" or (status == "not started" and soon):
        return _verdict("at risk", words)
    if not soon:
        return _verdict("not due", words)
    return _verdict("no data", _lead_words(reports, "; none for two quarters"))


def _level(row: Row, reports: Rows, figures: Rows, agreement: Agreement, period: Period) -> Row:
    """A level or a quartile, by its figures, the oldest first."""
    due, newest = row["due_date"], figures[-1] if figures else None
    if due > pd.Timestamp(period.end):
        if newest is None:
            return _by_lead(due, reports, period)
        return _pending(row, reports, newest, agreement, period)
    reaching = partial(_reaches, row)
    # All of them, where there is no date.
    by_then = [figure for figure in figures if not figure.day > due]
    in_time = bool(by_then) and not _months(by_then[-1].day, due) >= DECIDING
    if in_time and reaching(by_then[-1]):
        # Since the first of the unbroken run of figures, up to the last, that reach the level.
        since = [*takewhile(reaching, reversed(by_then))][-1].day
        return _cells(by_then[-1], _FIGURE) | _verdict("done", _of(by_then[-1], row), done_on=since)
    shown = _cells(newest, _FIGURE) if newest else {}
    latest = f"latest figure: {_of(newest, row)}" if newest else "no figure"
    if pd.isna(due):
        return shown | _verdict(NOT_STATED, f"no document gives a date; {latest}")
    after = figures[len(by_then) :]
    if first := next(filter(reaching, after), None):
        reason = f"reached after its date: {_of(first, row)}"
        return _cells(first, _FIGURE) | _verdict("done late", reason, done_on=first.day)
    if in_time or after:
        return shown | _verdict("overdue", latest)
    return shown | _verdict("no data", f"{latest}, too early to decide" if newest else latest)


def _reaches(row: Row, figure: Any) -> bool:
    sign = 1 if row["kind"] == "level" and row["polarity"] == "higher" else -1
    return sign * (exact(figure.value) - exact(row["target"])) >= 0


def _pending(row: Row, reports: Rows, figure: Any, agreement: Agreement, period: Period) -> Row:
    """Before its date: by a figure that still stands for the present, or by its lead's word."""
    shown, latest = _cells(figure, _FIGURE), f"latest figure: {_of(figure, row)}"
    lasts = _months(figure.day, period.end) <= FIGURE_LASTS
    if lasts and _reaches(row, figure):
        return shown | _verdict("on track", latest)
    share = _share_of_line(row, figure, agreement.measures) if lasts else None
    if share is None:
        # The state rests on the lead's word, where there is one; the figure is only shown.
        if reports:
            shown = _cells(figure, ["value", "value_period", "illustrative"])
        verdict = _by_lead(row["due_date"], reports, period)
        return shown | verdict | {"reason": f"{verdict['reason']}; {latest}"}
    moved = f"{share:.0%} of the planned improvement" if share >= 0 else "worse than the baseline"
    reason = f"{latest}, {moved}"
    on_track = exact(share) >= exact(agreement.settings.states.path_on_track)
    state = "on track" if on_track else "at risk"
    if reports and reports[-1].status != state:
        reason += f"; {_lead_words(reports)}"
    return shown | _verdict(state, reason, progress=share)


def _share_of_line(row: Row, figure: Any, measures: pd.DataFrame) -> float | None:
    """Share made of the improvement that equal monthly steps from the baseline plan by its day."""
    baseline, start = row["baseline"], None
    if pd.notna(baseline) and row["baseline_period"] not in BLANK:
        start = parse_period(row["baseline_period"]).end
    elif row["measure"] and pd.notna(baseline := measures.at[row["measure"], "baseline"]):
        start = baseline_end(measures.loc[row["measure"]])
    if start is None or (passed := _months(start, figure.day)) <= 0:
        return None
    planned = (row["target"] - baseline) * passed / _months(start, row["due_date"])
    return float((figure.value - baseline) / planned)


def _months(first: date, last: date) -> int:
    """Whole calendar months from one day's month to another's."""
    return steps_to(last, 12) - steps_to(first, 12)


def _of(figure: Any, row: Row) -> str:
    """``55.4% (2003/04, provisional)``."""
    value = with_unit(figure.value, row["unit"])
    if row["kind"] == "quartile":
        value = "top quartile" if figure.value == 1 else f"quartile {figure.value:.0f}"
    flag = "" if figure.flag in ("", "final", "revised") else f", {figure.flag}"
    return f"{value} ({figure.value_period}{flag})"
