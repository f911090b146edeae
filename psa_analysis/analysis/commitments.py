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

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from psa_analysis.analysis.readings import make_readings, with_compared
from psa_analysis.analysis.trajectory import baseline_end, exact
from psa_analysis.files import read_table
from psa_analysis.findings import DataError, Finding, did_you_mean, one_of
from psa_analysis.periods import Period, parse_period, period_containing, read_day
from psa_analysis.register.agreement import Agreement, measure_period
from psa_analysis.returns.cleaning import as_of
from psa_analysis.words import NOT_STATED, counted, day_text, figure_text, with_unit

NAME = "raw/progress.csv"
PROGRESS_COLUMNS = ["commitment", "reported", "status", "day", "value", "evidence", "illustrative"]

#: What a row of progress.csv may report.
STATUSES = {
    "done": "it is done, since the day given; not for a level or a quartile",
    "not done": "what was reported as done is not done after all",
    "on track": "its lead expects that it will be done by its date",
    "at risk": "its lead doubts that it will",
    "not started": "nothing has been done yet",
    "figure": "the value of a level on the day given, or the quartile, 1 for the top",
}
#: Statuses that say how an unfinished commitment is going.
_OPEN = ("on track", "at risk", "not started")

#: Spans in whole calendar months. A lead's report is asked for so long before the date;
ASKED_FROM = 12
#: a figure stands for the present so long, a year until the next and half a year to come in;
FIGURE_LASTS = 18
#: and the figure that decides is of so many months up to the date.
DECIDING = 12

#: The columns, in order. This is the one place that describes them.
COLUMNS = {
    "period": "reporting period",
    "commitment": "commitment, as in the register",
    "objective": "heading of the strategy",
    "level": "high or other priority",
    "priority": "the priority that it stands under",
    "promise": "what is promised",
    "kind": "level, quartile, milestone or unquantified",
    "unit": "unit of every figure of this row",
    "polarity": "whether higher or lower is better",
    "target": "the figure promised; 1 for a quartile",
    "due": "the date as the document words it",
    "due_date": "the last day that meets it",
    "measure": "the measure whose readings are its figures, else empty",
    "state": "one of STATES",
    "previous_state": "its state in the report of the quarter before, as was known then",
    "reason": "why this state, in words",
    "value": "the figure that decides, or the newest one",
    "value_period": "the period or day that it is of",
    "progress": "share of the improvement planned by then that has been made, before its date",
    "done_on": "the day it was done; of figures, the last day of the first that reached it",
    "lead_status": "what its lead last reported of it",
    "lead_reported": "when that was",
    "evidence": "what shows the figure or the report that the state rests on",
    "reported": "when that figure or report came in",
    "illustrative": "True if any figure or report in this row is made up",
    "file": "raw file of that figure or report",
    "row": "row in that file",
}

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

_COPIED = [
    "objective",
    "level",
    "priority",
    "promise",
    "kind",
    "unit",
    "polarity",
    "due",
    "measure",
]
_DATES = ["due_date", "done_on", "lead_reported", "reported"]


@dataclass(frozen=True)
class _Entry:
    """One report of a lead or one figure, with where it came from.

    ``day`` is the day that it was done or that the figure is of; ``label`` is that in words.
    """

    status: str
    reported: date
    day: date | None
    label: str
    value: float
    flag: str
    evidence: str
    illustrative: bool
    file: str
    row: int


def load_progress(agreement: Agreement) -> tuple[pd.DataFrame, list[Finding]]:
    """Read and check what was reported about the commitments."""
    empty = _typed([])
    if not (agreement.folder / NAME).exists():
        return empty, []
    try:
        table = read_table(agreement.folder / NAME, NAME, PROGRESS_COLUMNS)
    except DataError as error:
        return empty, error.findings
    commitments = agreement.commitments.to_dict("index")
    rows, findings = [], []
    for number, row in table.to_dict("index").items():
        wrong = next(_row_problems(row, commitments), None)
        if wrong is None:
            rows.append(row | {"row": number})
        else:
            column, expected, remedy = wrong
            findings.append(
                Finding(
                    "error",
                    NAME,
                    expected,
                    remedy,
                    row=int(str(number)),
                    column=column,
                    found=row[column],
                    measure=row["commitment"],
                )
            )
    progress, twins = _without_twins(_typed(rows))
    return progress, [*findings, *twins, *_contradictions(progress)]


def _typed(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of text that were checked, as days and numbers, in order of the day reported."""
    frame = pd.DataFrame(rows, columns=[*PROGRESS_COLUMNS, "row"])
    for column in ("reported", "day"):
        days = [read_day(text) if text else None for text in frame[column]]
        frame[column] = pd.Series(days, index=frame.index, dtype="datetime64[ns]")
    frame["value"] = pd.to_numeric(frame["value"].replace("", None)).astype(float)
    frame["illustrative"] = frame["illustrative"] == "yes"
    frame["row"] = frame["row"].astype(int)
    return frame.sort_values("reported", kind="stable", ignore_index=True)


def _row_problems(
    row: Mapping[str, str], commitments: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a row: the column, what was expected, and what to do."""
    if row["commitment"] not in commitments:
        yield "commitment", one_of(commitments), did_you_mean(row["commitment"], commitments)
        return
    commitment = commitments[row["commitment"]]
    reported = read_day(row["reported"])
    if reported is None:
        yield "reported", "a day such as 2005-01-30", "Give the day on which it was reported."
    allowed = _allowed(commitment)
    if row["status"] not in allowed:
        yield "status", *_status_problem(row["status"], commitment, allowed)
    dated = row["status"] in ("done", "figure")
    day = read_day(row["day"])
    if dated and day is None:
        what = "it was done" if row["status"] == "done" else "the figure is of"
        yield "day", "a day such as 2005-01-30", f"Give the day that {what}."
    elif dated and day is not None and reported is not None and day > reported:
        yield "day", f"a day up to the one of the report, {reported}", "Correct one of the two."
    elif not dated and row["day"]:
        yield "day", "nothing, since only 'done' and 'figure' have a day", "Empty the cell."
    if row["status"] == "figure":
        yield from _value_problems(row["value"], commitment)
    elif row["value"]:
        yield "value", "nothing, since only 'figure' has a value", "Empty the cell."
    if dated and not row["evidence"]:
        yield "evidence", "what shows it", "Name the minutes, the survey or the count."
    if row["illustrative"] not in ("yes", "no", ""):
        yield "illustrative", "yes, no or nothing", "Correct the cell."


def _allowed(commitment: Mapping[str, Any]) -> tuple[str, ...]:
    if commitment["kind"] in ("level", "quartile"):
        # The figures of a linked commitment are readings, and nobody's word beside them.
        return _OPEN if commitment["measure"] else (*_OPEN, "figure")
    return ("done", "not done", *_OPEN)


def _status_problem(
    status: str, commitment: Mapping[str, Any], allowed: tuple[str, ...]
) -> tuple[str, str]:
    expected = one_of(allowed)
    if status == "figure" and commitment["measure"]:
        return expected, f"Remove the row: its figures are the readings of {commitment['measure']}."
    if status in STATUSES and "figure" in allowed:
        return expected, "Report its figure instead: that decides whether it is reached."
    if status in STATUSES:
        return expected, f"Correct the status: the commitment is of the kind {commitment['kind']}."
    return expected, did_you_mean(status, allowed)


def _value_problems(text: str, commitment: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text):
        yield "value", "a number such as 53.2", "Correct the cell."
    elif commitment["kind"] == "quartile" and text not in ("1", "2", "3", "4"):
        yield "value", "1, 2, 3 or 4, 1 for the top quartile", "Give the quartile, not the figure."
    elif commitment["unit"] == "percent" and not 0 <= float(text) <= 100:
        yield "value", "0 to 100 for a percentage", "Correct the cell."


def _without_twins(progress: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Two reports of one day that differ are both kept out; those that agree are one."""
    is_figure = progress["status"] == "figure"
    # A figure is of its day, a status of the day it was reported.
    of = progress["day"].where(is_figure)
    key = [progress["commitment"], progress["reported"], is_figure, of]
    keys = pd.concat(key, axis=1, keys=["commitment", "reported", "figure", "of"])
    said = pd.concat([keys, progress[["status", "day", "value"]]], axis=1)
    distinct = progress[~said.duplicated()]
    differing = distinct[keys.loc[distinct.index].duplicated(keep=False)]
    findings = [
        Finding(
            "error",
            NAME,
            "one report of a day, and another row says otherwise",
            "Ask which is right and remove the other; both are kept out.",
            row=row.row,
            column="value" if row.status == "figure" else "status",
            found=f"{row.value:.15g}" if row.status == "figure" else row.status,
            measure=row.commitment,
        )
        for row in differing.itertuples()
    ]
    return distinct.drop(differing.index).reset_index(drop=True), findings


def _contradictions(progress: pd.DataFrame) -> list[Finding]:
    """What was reported as done is unfinished by a later report, which does not say why."""
    findings = []
    for commitment, said in _by_commitment(progress[progress["status"] != "figure"]).items():
        done = _contradicted(said)
        if done is not None:
            findings.append(
                Finding(
                    "error",
                    NAME,
                    f"done, as row {done.row} reported on {done.reported}",
                    "Ask its lead. If it was not done, add a row 'not done' that says so.",
                    row=said[-1].row,
                    column="status",
                    found=said[-1].status,
                    measure=commitment,
                )
            )
    return findings


def _contradicted(said: Sequence[_Entry]) -> _Entry | None:
    """The report of done, not taken back, that the newest report contradicts; None if none does."""
    if not said or said[-1].status not in _OPEN:
        return None
    settled = [one for one in said if one.status in ("done", "not done")]
    return settled[-1] if settled and settled[-1].status == "done" else None


def _by_commitment(rows: pd.DataFrame) -> dict[str, list[_Entry]]:
    """Rows of progress as entries, in their order."""
    entries: dict[str, list[_Entry]] = {}
    for row in rows.itertuples():
        day = None if pd.isna(row.day) else row.day.date()
        entries.setdefault(row.commitment, []).append(
            _Entry(
                row.status,
                row.reported.date(),
                day,
                day_text(day) if day else "",
                row.value,
                "",
                row.evidence,
                bool(row.illustrative),
                NAME,
                int(row.row),
            )
        )
    return entries


def follow(
    agreement: Agreement, progress: pd.DataFrame, observations: pd.DataFrame, period: Period
) -> pd.DataFrame:
    """Where every commitment stands at one reporting period, and stood in the report before."""
    table = _judge(agreement, progress, observations, period)
    earlier = period_containing(period.start - timedelta(days=1), "quarter")
    if earlier.end > agreement.settings.agreement.begins:
        before = _judge(agreement, progress, observations, earlier)
        table["previous_state"] = before["state"]
    return table


def counts(table: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """How many commitments of each objective are in each state."""
    made = pd.crosstab(table["objective"], table["state"])
    objectives = [one for one in agreement.settings.objectives if one in made.index]
    made = made.reindex(index=objectives, columns=list(STATES), fill_value=0)
    made.index.name, made.columns.name = "objective", None
    return made.assign(**{"in all": made.sum(axis=1)})


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
    known = known[known["day"].isna() | (known["day"] <= pd.Timestamp(period.end))]
    said = _by_commitment(known[known["status"] != "figure"])
    newest = known[known["status"] == "figure"].drop_duplicates(["commitment", "day"], keep="last")
    figures = _by_commitment(newest.sort_values("day"))
    figures |= _linked_figures(agreement, observations, period, cut_off)
    rows = [
        _judge_one(
            str(name),
            commitment,
            said.get(str(name), []),
            figures.get(str(name), []),
            agreement,
            period,
        )
        for name, commitment in agreement.commitments.to_dict("index").items()
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    types = dict.fromkeys(_DATES, "datetime64[ns]") | dict.fromkeys(
        ("target", "value", "progress"), "float64"
    )
    return table.astype(types | {"illustrative": bool, "row": "Int64"})


def _linked_figures(
    agreement: Agreement, observations: pd.DataFrame, period: Period, cut_off: date
) -> dict[str, list[_Entry]]:
    """The readings of the measures that commitments are linked to, as known at the cut-off."""
    links = agreement.commitments["measure"]
    links = links[links != ""]
    needed = observations["measure"].isin(with_compared(links, agreement))
    known = as_of(observations[needed], cut_off)
    read = make_readings(known, agreement)
    read = read[read["area"] == agreement.settings.agreement.area]
    read = read[read["reading"].notna() & (read["period_end"] <= pd.Timestamp(period.end))]
    # Part of a year is no figure of the year.
    partial_years = read["measure"].map(agreement.measures["basis"]) == "year_to_date"
    read = read[~partial_years | (read["period_end"].dt.month == 3)]
    came = known.set_index(["measure", "area", "period"])["received"]
    entries: dict[str, list[_Entry]] = {measure: [] for measure in links}
    for row in read.sort_values("period_end").itertuples():
        if row.measure in entries:
            entries[row.measure].append(
                _Entry(
                    "figure",
                    came[row.measure, row.area, row.period].date(),
                    row.period_end.date(),
                    row.period,
                    row.reading,
                    row.flag,
                    f"reading of {row.measure} for {row.period}",
                    bool(row.illustrative),
                    row.file,
                    int(row.row),
                )
            )
    return {str(name): entries[measure] for name, measure in links.items()}


def _judge_one(
    name: str,
    commitment: Mapping[str, Any],
    said: Sequence[_Entry],
    figures: Sequence[_Entry],
    agreement: Agreement,
    period: Period,
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {column: commitment[column] for column in _COPIED}
    row |= {"period": period.label, "commitment": name, "illustrative": False}
    row |= {"evidence": "", "file": ""}
    row["due_date"] = commitment["due_date"] if pd.notna(commitment["due_date"]) else None
    target = commitment["target"]
    row["target"] = 1.0 if commitment["kind"] == "quartile" else _float(target)
    if said:
        row |= {"lead_status": said[-1].status, "lead_reported": said[-1].reported}
        row |= _source(said[-1])
    if commitment["kind"] == "unquantified":
        why = "no document says what would count as done"
        return row | _verdict(NOT_STATED, f"{why}; {_lead_words(said)}")
    if commitment["kind"] == "milestone":
        return row | _milestone(row["due_date"], said, period)
    made = _level(row, said, figures, _line(commitment, agreement), agreement, period)
    # A row that shows both a figure and a lead's word is made up if either is.
    return row | made | {"illustrative": row["illustrative"] or made.get("illustrative", False)}


def _float(figure: Any) -> float:
    return float("nan") if pd.isna(figure) else float(figure)


def _source(entry: _Entry) -> dict[str, Any]:
    return {
        "evidence": entry.evidence,
        "reported": entry.reported,
        "illustrative": entry.illustrative,
        "file": entry.file,
        "row": entry.row,
    }


def _verdict(state: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "reason": reason, **more}


def _lead_words(said: Sequence[_Entry]) -> str:
    """What its lead last reported, as the lead's own word."""
    if not said:
        return "nothing has been reported"
    return f"its lead reported '{said[-1].status}' on {day_text(said[-1].reported)}"


def _milestone(due: date | None, said: Sequence[_Entry], period: Period) -> dict[str, Any]:
    if contradicted := _contradicted(said):
        first = f"reported as done on {day_text(contradicted.reported)}"
        return _verdict("no data", f"{first}, and then {_lead_words(said)}")
    if said and said[-1].status == "done" and (day := said[-1].day):
        if due is None or day <= due:
            return _verdict("done", f"done on {day_text(day)}", done_on=day)
        late = counted((day - due).days, "day")
        return _verdict("done late", f"done on {day_text(day)}, {late} after its date", done_on=day)
    if due is None:
        return _verdict(NOT_STATED, f"no document gives a date; {_lead_words(said)}")
    if due > period.end:
        return _by_lead(due, said, period)
    fell_due = f"it fell due on {day_text(due)}"
    if said and said[-1].reported > due:
        return _verdict("overdue", f"{fell_due}; {_lead_words(said)}")
    silence = f"{fell_due} and nothing has been reported since"
    return _verdict("no data", f"{silence}; {_lead_words(said)}" if said else silence)


def _by_lead(due: date, said: Sequence[_Entry], period: Period) -> dict[str, Any]:
    """Before its date and with nothing to measure it by: its lead's word, while that is fresh."""
    earlier = period_containing(period.start - timedelta(days=1), "quarter")
    soon = _months(period.end, due) <= ASKED_FROM
    words = _lead_words(said)
    status = said[-1].status if said and said[-1].reported >= earlier.start else ""
    if status == "on track":
        return _verdict("on track", words)
    if status in ("at risk", "not done"):
        return _verdict("at risk", words)
    if status == "not started" and soon:
        return _verdict("at risk", f"{words}, and it is due on {day_text(due)}")
    if not soon:
        return _verdict("not due", f"due on {day_text(due)}; {words}")
    silence = f"due on {day_text(due)}, with no report by its lead since {day_text(earlier.start)}"
    return _verdict("no data", f"{silence}; {words}" if said else silence)


def _line(commitment: Mapping[str, Any], agreement: Agreement) -> tuple[date, float] | None:
    """Where the straight line to a level begins: its own baseline, or that of its measure."""
    if pd.notna(commitment["baseline"]) and commitment["baseline_period"] not in ("", NOT_STATED):
        return parse_period(commitment["baseline_period"]).end, float(commitment["baseline"])
    if commitment["measure"]:
        measure = agreement.measures.loc[commitment["measure"]]
        if pd.notna(measure["baseline"]) and measure_period(measure, "baseline_period"):
            return baseline_end(measure), float(measure["baseline"])
    return None


def _level(
    row: dict[str, Any],
    said: Sequence[_Entry],
    figures: Sequence[_Entry],
    line: tuple[date, float] | None,
    agreement: Agreement,
    period: Period,
) -> dict[str, Any]:
    """A level or a quartile, by its figures, which are in order of the day that they are of."""
    due, target = row["due_date"], row["target"]
    higher = row["kind"] == "level" and row["polarity"] == "higher"

    def reached(figure: _Entry) -> bool:
        ahead = exact(figure.value) - exact(target)
        return ahead >= 0 if higher else ahead <= 0

    newest = figures[-1] if figures else None
    if due is not None and due > period.end:
        ahead = newest is not None and reached(newest)
        return _before_its_date(row, said, newest, ahead, line, agreement, period)
    shown = _figure_shown(newest) if newest else {}
    words = f"the newest figure is {_of(newest, row)}" if newest else "no figure has been reported"
    if due is None:
        if newest and reached(newest):
            return shown | _verdict(
                "done",
                f"{_reaches(newest, row)}; no document gives a date",
                done_on=_since([(one.day, reached(one)) for one in figures]),
            )
        return shown | _verdict(NOT_STATED, f"no document gives a date; {words}")
    by_then = [one for one in figures if one.day and one.day <= due]
    in_time = [one for one in by_then if one.day and _months(one.day, due) < DECIDING]
    after = [one for one in figures if one.day and one.day > due]
    if in_time and reached(in_time[-1]):
        return _figure_shown(in_time[-1]) | _verdict(
            "done",
            _reaches(in_time[-1], row),
            done_on=_since([(one.day, reached(one)) for one in by_then]),
        )
    if first := next((one for one in after if reached(one)), None):
        return _figure_shown(first) | _verdict(
            "done late",
            f"{_reaches(first, row)}, as no figure did by {day_text(due)}",
            done_on=first.day,
        )
    fell_due = f"it fell due on {day_text(due)}"
    if in_time or after:
        aimed = _figure_words(target, row)
        return shown | _verdict("overdue", f"{fell_due}; {words}, which falls short of {aimed}")
    silence = f"{fell_due} and no figure of the year up to then has come"
    return shown | _verdict("no data", f"{silence}; {words}" if newest else silence)


def _before_its_date(
    row: dict[str, Any],
    said: Sequence[_Entry],
    newest: _Entry | None,
    reached: bool,
    line: tuple[date, float] | None,
    agreement: Agreement,
    period: Period,
) -> dict[str, Any]:
    """A figure that still stands for the present, or else its lead's word."""
    if newest is None or newest.day is None:
        return _by_lead(row["due_date"], said, period)
    shown = _figure_shown(newest)
    lasts = _months(newest.day, period.end) <= FIGURE_LASTS
    if lasts and reached:
        reason = f"{_reaches(newest, row)} already; the figure at its date decides"
        return shown | _verdict("on track", reason)
    made = _share_of_line(row, newest.day, newest.value, line) if lasts else None
    if made is None:
        # The state rests on the lead's word, where there is one; the figure is only shown.
        kept = ("value", "value_period", "illustrative") if said else tuple(shown)
        verdict = _by_lead(row["due_date"], said, period)
        verdict["reason"] = f"{verdict['reason']}; the newest figure is {_of(newest, row)}"
        return {name: shown[name] for name in kept} | verdict
    if made < 0:
        reason = f"{_of(newest, row)}: moved the wrong way since the baseline"
    else:
        reason = f"{_of(newest, row)}: made {made:.0%} of the improvement planned by then"
    thresholds = agreement.settings.states
    state = "on track" if exact(made) >= exact(thresholds.path_on_track) else "at risk"
    if said and said[-1].status != state:
        reason += f"; {_lead_words(said)}"
    return shown | _verdict(state, reason, progress=made)


def _share_of_line(
    row: dict[str, Any], day: date, value: float, line: tuple[date, float] | None
) -> float | None:
    """Share made of the improvement that equal steps from baseline to date plan by a figure's day.

    Time is counted in whole months, as on the planned path of a target.
    """
    if line is None:
        return None
    start, baseline = line
    passed, whole = _months(start, day), _months(start, row["due_date"])
    if passed <= 0:
        return None
    return float((value - baseline) / ((row["target"] - baseline) * passed / whole))


def _months(first: date, last: date) -> int:
    """Whole calendar months from one day's month to another's."""
    return (last.year - first.year) * 12 + last.month - first.month


def _since(figures: Sequence[tuple[date | None, bool]]) -> date | None:
    """The day of the first of the unbroken run of figures, up to the last, that reach the level."""
    since = None
    for day, reached in reversed(figures):
        if not reached:
            break
        since = day
    return since


def _figure_shown(figure: _Entry) -> dict[str, Any]:
    return {"value": figure.value, "value_period": figure.label} | _source(figure)


def _figure_words(value: float, row: dict[str, Any]) -> str:
    if row["kind"] == "quartile":
        return "the top quartile" if value == 1 else f"quartile {value:.0f}"
    return with_unit(value, "level") if row["unit"] == "level" else figure_text(value, row["unit"])


def _of(figure: _Entry, row: dict[str, Any]) -> str:
    """``55.4% (2003/04, provisional)``."""
    flag = "" if figure.flag in ("", "final", "revised") else f", {figure.flag}"
    return f"{_figure_words(figure.value, row)} ({figure.label}{flag})"


def _reaches(figure: _Entry, row: dict[str, Any]) -> str:
    if row["kind"] == "quartile":
        return f"in {_of(figure, row)}"
    return f"{_of(figure, row)} reaches {_figure_words(row['target'], row)}"
