"""One measure as a reader sees it: what its numbers say, and what people say of it."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from psa_analysis.analysis.disclosure import WITHHELD
from psa_analysis.analysis.trajectory import same_stage
from psa_analysis.periods import parse_period
from psa_analysis.register.commentary import WHOLE, entries
from psa_analysis.report import Report, assessment_row, memoised, readings_with_path
from psa_analysis.show.grant import grants
from psa_analysis.show.tables import Html, templates
from psa_analysis.show.trajectories import trajectory_chart
from psa_analysis.show.views import View
from psa_analysis.words import (
    CHANCE_MOVED,
    NOT_STATED,
    chance_text,
    counted,
    day_text,
    figure_text,
    of_one,
    pot_text,
    pounds_text,
    state_text,
    with_unit,
)


def measure(report: Report, name: str) -> View:
    """One measure: where it stands, its readings beside the planned path and the forecast."""
    row = assessment_row(report, name)
    return View(
        heading=f"{row['title']} ({name})",
        words=lambda: measure_words(report, name),
        chart=lambda: trajectory_chart(report, name),
        data=readings_with_path(report, name),
    )


def measure_words(report: Report, measure: str) -> Html:
    """What the numbers of one measure say, first what matters most; then what people say of it."""
    row = assessment_row(report, measure)
    before = None if report.before is None else assessment_row(report.before, measure)
    rewards = _rewards(report)
    reward = rewards.loc[measure] if measure in rewards.index else None
    first = sentences(row, before, reward)
    more = f"{further_sentences(row, before, reward)}{_stage_words(report, measure)}".strip()
    comments, about = commentary(report, measure), _about(report, measure)
    html = templates().get_template("measure.html.j2").render(first=first, more=more, about=about)
    texts = [first, more, comments.text, about]
    return Html(html + comments.html, "\n".join(filter(None, texts)))


def _about(report: Report, measure: str) -> str:
    """What a measure counts, which way is better, and what the register notes of it."""
    row, notes = report.agreement.measures.loc[measure], report.agreement.notes
    texts = [f"{str(row['definition']).rstrip('.')}. {row['polarity'].capitalize()} is better."]
    if row["definition"] == NOT_STATED:
        texts = []
    return " ".join([*texts, *notes.loc[notes["about"] == measure, "text"]])


@memoised
def _rewards(report: Report) -> pd.DataFrame:
    """The grants by measure."""
    return grants(report).set_index("measure")


def commentary(report: Report, about: str = WHOLE) -> Html:
    """What people wrote about a measure, or the whole agreement, for this report; often nothing."""
    if about != WHOLE:
        assessment_row(report, about)
    shown = [
        ([part.strip() for part in row.text.splitlines() if part.strip()], _written_by(row, report))
        for row in entries(
            report.commentary, about, report.period.label, report.audience
        ).itertuples()
    ]
    html = templates().get_template("commentary.html.j2").render(entries=shown)
    return Html(html, "\n".join(f"{by}: {' '.join(paragraphs)}" for paragraphs, by in shown))


def _written_by(row: Any, report: Report) -> str:
    """Whose words they are, of when, and whether figures that came in later were known."""
    day = row.written.date()
    late = ", after the figures of this report were closed" if day > report.cut_off else ""
    kind = "Illustrative commentary" if row.illustrative else "Commentary"
    return f"{kind} by {row.author}, written on {day_text(day)}{late}"


def _stage_words(report: Report, measure: str) -> str:
    """Where a figure counted from April on stands beside the same stage of earlier years."""
    definition = report.agreement.measures.loc[measure]
    readings = readings_with_path(report, measure)
    if definition["basis"] != "year_to_date" or readings.empty:
        return ""
    last, unit = readings.iloc[-1], str(definition["unit"])
    period = parse_period(last["period"])
    if period.kind != "quarter" or period.end.month == 3:
        return ""
    stage = same_stage(readings, period, unit)
    text = f" From April to the end of {period} it is {with_unit(last['reading'], unit)}"
    if pd.notna(stage.year_before):
        text += f", and was {figure_text(stage.year_before, unit)} at the same stage a year before"
    if pd.notna(stage.share):
        text += (
            f"; in {counted(len(stage.years), 'earlier year')} {stage.share:.0%} of the whole "
            "year's figure had been reached by then"
        )
    return f"{text}."


def sentences(
    row: pd.Series, before: pd.Series | None = None, reward: pd.Series | None = None
) -> str:
    """Where a measure stands, how likely its target is, what is at stake, and what has changed."""
    parts = [_standing(row), _stake(row, reward), _change_since(row, before)]
    return ". ".join(part[:1].upper() + part[1:] for part in parts if part) + "."


def further_sentences(
    row: pd.Series, before: pd.Series | None = None, reward: pd.Series | None = None
) -> str:
    """The range of the forecast, what is still to be done, the direction, and what is not known."""
    unit = str(row["unit"])
    parts = []
    if pd.notna(row["forecast"]):
        low, high = figure_text(row["low_80"], unit), figure_text(row["high_80"], unit)
        spread = f"stay at {low}" if low == high else f"lie between {low} and {high}"
        parts.append(
            f"The middle of the forecast for {row['due']} is "
            f"{figure_text(row['forecast'], unit)}; eight in ten chances {spread}"
        )
    elif pd.isna(row["chance_target"]) and row["state"] in ("on track", "at risk", "off track"):
        why = str(row["reason"]).partition("; no forecast")[0]
        parts.append(f"It has {why}" if why.startswith("m") else f"{why[:1].upper()}{why[1:]}")
    if row["is_forecast"] and pd.notna(row["required"]) and row["required"]:
        parts.append(required_text(row))
    if pd.notna(row["direction"]):
        if not _is_new(row, before):
            parts.append(f"The latest reading is {_direction(row)}")
        if row["latest_flag"] == "provisional":
            parts.append("A provisional figure may still be revised, so the change may too")
    # The state may have said so already.
    hidden = row["latest_flag"] == WITHHELD
    if row["missing"] and not (row["late"] or hidden) and row["missing"] not in row["reason"]:
        parts.append(f"No reading can be made for the newest period: {row['missing']}")
    if reward is not None and reward["status"] != "not stated":
        if reward["least"] < reward["most"]:
            nor = ", nor is a baseline" if pd.isna(row["baseline"]) else ""
            parts.append(
                f"Performance without the agreement is not stated{nor}, so the reward is a range"
            )
        elif row["without_status"] == "assumed":
            parts.append("The reward rests on performance without the agreement as assumed")
    return ". ".join(parts) + "." if parts else ""


def _standing(row: pd.Series) -> str:
    """The state, and the latest reading beside the planned path."""
    unit, state = str(row["unit"]), str(row["state"])
    if row["latest_flag"] == WITHHELD:
        # The reason of a forecast is its chance, which follows.
        judged = row["is_forecast"] and pd.notna(row["chance_target"])
        start = f"{state} (forecast)" if judged else state_text(row)
        return f"{start}. The latest reading, for {row['latest_period']}, is {row['missing']}"
    if pd.isna(row["latest"]):
        return state_text(row)
    flag = "" if row["latest_flag"] in ("final", "revised") else f" ({row['latest_flag']})"
    latest = f"{with_unit(row['latest'], unit)} for {row['latest_period']}{flag}"
    target = f"the target of {figure_text(row['target'], unit)}"
    trigger = f"the trigger of {figure_text(row['trigger'], unit)}"
    decided = {
        "achieved": f"reaches {target}",
        "partly achieved": f"reaches {trigger}, not {target}",
        "missed": f"falls short of {target}",
    }
    if state in decided:
        return f"{state}: {latest} {decided[state]}"
    if state not in ("on track", "at risk", "off track"):
        return f"{state_text(row)}; the latest reading is {latest}"
    if pd.notna(row["planned"]):
        return f"{state} (forecast): the latest reading, {latest}, is {_beside_path(row)}"
    if pd.isna(row["baseline"]):
        latest += "; no baseline is stated, so there is no path to compare it with"
    return f"{state} (forecast): the latest reading is {latest}"


def _beside_path(row: pd.Series) -> str:
    """``about 6 months behind the planned path, which asks for −11.7% by then``."""
    unit = str(row["unit"])
    planned = figure_text(row["planned"], unit)
    if planned == figure_text(row["latest"], unit):
        return "on the planned path"
    better = (row["gap"] > 0) == (row["polarity"] == "higher")
    months = 0 if pd.isna(row["gap_months"]) else round(abs(row["gap_months"]))
    # On a path with seasons months and figures may point different ways: the figure is what counts.
    agree = months and (row["gap_months"] > 0) == better
    distance = f"about {counted(months, 'month')} " if agree else ""
    side = "ahead of" if better else "behind"
    return f"{distance}{side} the planned path, which asks for {planned}"


def _stake(row: pd.Series, reward: pd.Series | None) -> str:
    """The chance of the target, and what part of the reward rests on it."""
    parts = []
    if pd.notna(row["target"]) and row["is_forecast"]:
        target = f"the target, {with_unit(row['target'], str(row['unit']))} by {row['due']},"
        if pd.notna(row["chance_target"]):
            # A chance without its forecast rests on figures that are not shown, and is in tenths.
            about = "about " if pd.isna(row["forecast"]) else ""
            chance = chance_text(row["chance_target"])
            parts.append(f"the chance of reaching {target} is {about}{chance}")
        elif row["no_forecast"]:
            why = re.sub("there are 1$", "there is 1", str(row["no_forecast"]))
            why = re.sub("there are 0$", "there are none", why)
            parts.append(f"no chance can be given of reaching {target} since {why}")
    if reward is not None:
        parts.append(_reward(reward))
    elif row["role"] == "supporting" and parts:
        parts.append("it does not count for the reward")
    return "; ".join(parts)


def _reward(reward: pd.Series) -> str:
    """What part of the pot a measure earns, or may earn."""
    pot_share = reward["pot_share"]
    stake = pot_text(pot_share, pot_share)
    part = pot_text(*(pot_share * reward[["least", "most"]]))
    pounds = pounds_text(reward["pounds_least"], reward["pounds_most"])
    money = "" if pd.isna(reward["pounds_least"]) else f" ({pounds})"
    if reward["status"] == "final":
        part = {stake: "all", "0%": "nothing"}.get(part, part)
        return f"of its {stake} of the reward pot it earns {part}{money}"
    if reward["status"] != "forecast":
        return f"at stake is {stake} of the reward pot"
    part = "all" if part == stake else part
    return f"at stake is {stake} of the reward pot, of which {part} is expected{money}"


def _change_since(row: pd.Series, before: pd.Series | None) -> str:
    """What is new since the report of the quarter before."""
    late = ""
    if row["late"]:
        late = f"the return for {row['expected_period']} had not come in by the cut-off"
    if before is None:
        return late
    changes = []
    if row["state"] != before["state"]:
        changes.append(f"it has gone from {before['state']} to {row['state']}")
    now, then = row["chance_target"], before["chance_target"]
    if pd.notna(now) and pd.notna(then) and abs(now - then) >= CHANCE_MOVED:
        way = "risen" if now > then else "fallen"
        changes.append(f"the chance has {way} from {chance_text(then)} to {chance_text(now)}")
    latest, latest_then = (figure_text(one["latest"], str(row["unit"])) for one in (row, before))
    if _is_new(row, before):
        direction = pd.notna(row["direction"])
        new = (
            f"the new reading is {_direction(row)}" if direction else "a first reading has come in"
        )
        changes.append(new)
    elif pd.notna(row["latest"]) and latest != latest_then:
        period = row["latest_period"]
        changes.append(f"the reading of {period} was revised from {latest_then} to {latest}")
    if changes:
        # With a comma, since what is said of the reading holds an "and" of its own.
        joined = ", and ".join(filter(None, [", ".join(changes[:-1]), changes[-1]]))
        return "; ".join(filter(None, [f"since {before['period']} {joined}", late]))
    # What is not shown may have changed.
    if late or row["latest_flag"] == WITHHELD:
        return late
    return f"nothing of note has changed since {before['period']}"


def _is_new(row: pd.Series, before: pd.Series | None) -> bool:
    """Whether the latest reading is of a later period than the one in the report before."""
    if before is None or pd.isna(row["latest"]):
        return False
    return bool(row["latest_period"] != before["latest_period"])


def _direction(row: pd.Series) -> str:
    """``better than the one before and than that of a year earlier``."""

    def than(direction: str) -> str:
        return "the same as" if direction == "same" else f"{direction} than"

    first, on_year = str(row["direction"]), row["direction_on_year"]
    text = f"{than(first)} the one before"
    if pd.isna(on_year):
        return text
    if on_year == first:
        return f"{text} and {than(first).removeprefix(first).strip()} that of a year earlier"
    return f"{text}, but {than(str(on_year))} that of a year earlier"


def required_text(row: pd.Series) -> str:
    """What each quarter or year has to bring from here, and whether that was ever done."""
    unit = str(row["unit"])
    points = unit in ("percent", "percent change", "percentage points")
    named = "percentage points" if points else "points" if unit == "index" else unit
    size = figure_text(abs(row["required"]), named).removesuffix(".0")
    if not size.strip("0."):
        size = "less than 0.1"
    elif size == "1":
        named = of_one(named)
    step = "quarter" if row["frequency"] == "quarterly" else "year"
    way = "rise" if row["required"] > 0 else "fall"
    text = f"From here the target takes a {way} of {size} {named} a {step}"
    if row["required_done_before"] == "never":
        return f"{text}, which has not been done before"
    if pd.notna(row["required_done_before"]):
        return f"{text}, which was done before, up to {row['required_done_before']}"
    return text
